//! Random expressions that are well typed, and move and borrow as the language allows.
//!
//! The writer knows of each variable whether it was moved and how many views of it are alive. It is
//! stricter than the language in places; a program that is refused all the same is its mistake.

use serde_json::{Value, json};

use super::kinds::{Features, Kind, Role, Signature, Var};
use super::random::Choices;

/// Writes programs.
pub struct Writer<'t> {
    pub choices: Choices<'t>,
    pub features: Features,
    pub vars: Vec<Var>,
    /// Variables that operands pin until their operation.
    held: Vec<usize>,
    pub callees: Vec<Signature>,
    /// What the function under construction yields.
    pub result: Kind,
    /// Whether the function under construction may wait.
    pub waits: bool,
    /// Whether it may start tasks of `main.risk`.
    pub risks: bool,
    names: usize,
}

const OPERATORS: [&str; 20] =
    ["+", "-", "*", "/", "%", "&", "|", "^", "<<u", ">>u", "=", "!=", "<", "<=", ">", ">=", "<u", "<=u", ">u", ">=u"];

const NUMBERS: [i32; 15] = [0, 1, 2, 3, 5, 8, 31, 32, 255, 256, 1000, -1, -2, i32::MIN, i32::MAX];

const TEXTS: [&str; 7] = ["", "a", "xyz", "42", "0123456789", "0123456789abcdef0123456789abcdef", "é\n\""];

impl<'t> Writer<'t> {
    pub fn new(tape: &'t [u32], features: Features) -> Self {
        Self {
            choices: Choices::new(tape),
            features,
            vars: Vec::new(),
            held: Vec::new(),
            callees: Vec::new(),
            result: Kind::Bytes,
            waits: false,
            risks: false,
            names: 0,
        }
    }

    pub fn name(&mut self) -> String {
        self.names += 1;
        format!("t{}", self.names)
    }

    pub fn declare(&mut self, name: String, kind: Kind, role: Role) {
        self.vars.push(Var { name, kind, role, moved: false, pinned: 0, roots: Vec::new() });
    }

    /// Ends all variables from a mark on.
    pub fn end_scope(&mut self, mark: usize) {
        for var in self.vars.split_off(mark) {
            for root in var.roots {
                self.unpin(root);
            }
        }
    }

    fn unpin(&mut self, var: usize) {
        if let Some(var) = self.vars.get_mut(var) {
            var.pinned -= 1;
        }
    }

    fn hold(&mut self, var: usize) {
        self.vars[var].pinned += 1;
        self.held.push(var);
    }

    /// An operation whose operands pin what they borrow until it is complete.
    pub fn operation(&mut self, build: impl FnOnce(&mut Self) -> Value) -> Value {
        let mark = self.held.len();
        let made = build(self);
        for var in self.held.split_off(mark) {
            self.unpin(var);
        }
        made
    }

    /// A new variable that is a view; what it borrows from is pinned to the end of the scope.
    pub fn bind_view(&mut self, depth: usize) -> Value {
        let mark = self.held.len();
        let view = self.view(depth);
        let roots = self.held.split_off(mark);
        let name = self.name();
        self.declare(name.clone(), Kind::View, Role::Plain);
        if let Some(var) = self.vars.last_mut() {
            var.roots = roots;
        }
        json!(["let", name, view])
    }

    /// The variables that fulfil a condition.
    pub fn find(&self, fits: impl Fn(&Var) -> bool) -> Vec<usize> {
        self.vars.iter().enumerate().filter(|(_, var)| fits(var)).map(|(index, _)| index).collect()
    }

    fn pick_var(&mut self, fits: impl Fn(&Var) -> bool) -> Option<usize> {
        let all = self.find(fits);
        if all.is_empty() { None } else { Some(self.choices.pick(&all)) }
    }

    /// A variable that can be read without moving it.
    pub fn readable(&mut self, kind: Kind) -> Option<usize> {
        self.pick_var(|var| var.kind == kind && !var.moved && matches!(var.role, Role::Plain | Role::Counter))
    }

    /// A variable that can be assigned; with `moved` also one that was moved.
    pub fn assignable(&mut self, kind: Kind, moved: bool) -> Option<usize> {
        self.pick_var(|var| {
            let fits = var.kind == kind && var.role == Role::Plain && var.roots.is_empty();
            fits && var.pinned == 0 && (moved || !var.moved)
        })
    }

    /// The name of a handle of a kind.
    pub fn handle(&mut self, role: Role) -> Option<Value> {
        let var = self.pick_var(|var| var.role == role)?;
        Some(json!(self.vars[var].name))
    }

    pub fn var_name(&self, var: usize) -> Value {
        json!(self.vars[var].name)
    }

    /// Moves a variable.
    fn moving(&mut self, kind: Kind) -> Option<Value> {
        let var = self.assignable(kind, false)?;
        self.vars[var].moved = true;
        Some(self.var_name(var))
    }

    /// Choices of which one is taken: what any of them moves is moved afterwards.
    pub fn branches(&mut self, count: usize, mut build: impl FnMut(&mut Self, usize) -> Value) -> Vec<Value> {
        let before: Vec<bool> = self.vars.iter().map(|var| var.moved).collect();
        let mut after = before.clone();
        let mut made = Vec::new();
        for number in 0..count {
            for (var, moved) in self.vars.iter_mut().zip(&before) {
                var.moved = *moved;
            }
            let mark = self.vars.len();
            made.push(build(self, number));
            self.end_scope(mark);
            for (all, var) in after.iter_mut().zip(&self.vars) {
                *all = *all || var.moved;
            }
        }
        for (var, moved) in self.vars.iter_mut().zip(after) {
            var.moved = moved;
        }
        made
    }

    fn choice(&mut self, kind: Kind, depth: usize) -> Value {
        let condition = self.number(depth);
        let arms = self.branches(2, |writer, _| match kind {
            Kind::View => writer.free_view(depth),
            kind => writer.expr(kind, depth),
        });
        json!(["if", condition, arms[0], arms[1]])
    }

    /// A block with variables of its own.
    fn block_value(&mut self, kind: Kind, depth: usize) -> Value {
        let mark = self.vars.len();
        let first = self.binding(depth);
        let value = if kind == Kind::View { self.free_view(depth) } else { self.expr(kind, depth) };
        self.end_scope(mark);
        json!(["begin", first, value])
    }

    /// A new variable.
    pub fn binding(&mut self, depth: usize) -> Value {
        let kind = self.choices.pick(&Kind::ALL);
        if kind == Kind::View {
            return self.bind_view(depth);
        }
        let value = self.expr(kind, depth);
        let name = self.name();
        self.declare(name.clone(), kind, Role::Plain);
        json!(["let", name, value])
    }

    pub fn expr(&mut self, kind: Kind, depth: usize) -> Value {
        match kind {
            Kind::Number => self.number(depth),
            Kind::Float => self.float(depth),
            Kind::Bytes => self.bytes(depth),
            Kind::View => self.operation(|writer| writer.view(depth)),
            Kind::Vector => self.vector(depth),
            Kind::OptionNumber | Kind::ResultNumber => self.small_choice(kind, depth),
            Kind::OptionBytes | Kind::ResultBytes => self.owned_choice(kind, depth),
        }
    }

    pub fn literal(&mut self) -> Value {
        json!(self.choices.pick(&NUMBERS))
    }

    fn leaf(&mut self) -> Value {
        if self.choices.below(3) == 0 {
            return self.literal();
        }
        match self.readable(Kind::Number) {
            Some(var) => self.var_name(var),
            None => self.literal(),
        }
    }

    /// An index that is mostly below `length`.
    fn index(&mut self, depth: usize, length: Value) -> Value {
        let number = self.number(depth);
        if self.choices.one_in(40) { number } else { json!(["%", number, length]) }
    }

    pub fn number(&mut self, depth: usize) -> Value {
        if depth == 0 {
            return self.leaf();
        }
        let d = depth - 1;
        match self.choices.below(26) {
            0..=2 => self.leaf(),
            3..=7 => {
                let head = self.choices.pick(&OPERATORS);
                let (a, b) = (self.number(d), self.number(d));
                // An unsigned comparison with the literal 0 is refused.
                let b = if b == json!(0) && matches!(head, "<u" | ">=u") { json!(1) } else { b };
                json!([head, a, b])
            }
            8 => self.choice(Kind::Number, d),
            9 => {
                let head = self.choices.pick(&["&&", "||"]);
                let left = self.number(d);
                let right = self.branches(2, |writer, arm| if arm == 0 { writer.number(d) } else { json!(0) });
                json!([head, left, right[0]])
            }
            10 => match self.assignable(Kind::Number, false) {
                Some(var) => {
                    let head = self.choices.pick(&["set", "set0"]);
                    json!([head, self.vars[var].name, self.number(d)])
                }
                None => self.leaf(),
            },
            11 => self.block_value(Kind::Number, d),
            12 => self.operation(|writer| json!(["view.len", writer.view(d)])),
            13 | 14 => self.element(d),
            15 => self.operation(|writer| json!(["bytes.eq", writer.lent(d), writer.lent(d)])),
            16 => {
                let lengths = (i32::from(self.choices.one_in(20)), i32::from(self.choices.one_in(20)));
                self.operation(|writer| {
                    let (a, b) = (writer.lent(d), writer.lent(d));
                    json!(["bytes.cmp_range", a, 0, lengths.0, b, 0, lengths.1])
                })
            }
            17 => self.call(Kind::Number, d).unwrap_or_else(|| json!(["bytes.len", self.bytes(d)])),
            18 => {
                let name = self.name();
                let made = json!(["fmt.u32_to_dec", self.number(d)]);
                json!(["begin", ["let", name, made], ["parse.u32_dec", ["bytes.view", name]]])
            }
            19 => {
                let offset = i32::from(self.choices.one_in(20));
                json!(["codec.read_u32_le", ["codec.write_u32_le", self.number(d)], offset])
            }
            20 => self.leaving(d),
            21 => self.asked(d),
            22 => json!(["option_i32.unwrap_or", self.small_choice(Kind::OptionNumber, d), self.number(d)]),
            23 => json!(["f64.to_i32_trunc", self.float(d)]),
            24 if self.features.library => self.library_number(d),
            25 if self.waits => self.waiting_number(d),
            _ => json!(["prng.lcg_next_u32", self.number(d)]),
        }
    }

    /// An element of something, mostly of something that has elements.
    fn element(&mut self, depth: usize) -> Value {
        let kind = self.choices.pick(&[Kind::View, Kind::Bytes, Kind::Vector]);
        let (length, read) = match kind {
            Kind::Bytes => ("bytes.len", "bytes.get_u8"),
            Kind::Vector => ("vec_u8.len", "vec_u8.get"),
            _ => ("view.len", "view.get_u8"),
        };
        let var = self.readable(kind);
        let source = match var {
            Some(var) => self.var_name(var),
            None if kind == Kind::View => json!("input"),
            None => return self.leaf(),
        };
        self.operation(|writer| {
            if let Some(var) = var {
                writer.hold(var);
            }
            let index = writer.index(depth, json!([length, source]));
            let read = json!([read, source, index]);
            // Without the question, an empty source is a trap.
            if writer.choices.one_in(12) { read } else { json!(["if", [length, source], read, writer.literal()]) }
        })
    }

    /// A number that may leave the function instead.
    fn leaving(&mut self, depth: usize) -> Value {
        let result = self.result;
        match result {
            Kind::ResultNumber | Kind::ResultBytes if self.choices.below(2) == 0 => {
                json!(["try", self.small_choice(Kind::ResultNumber, depth)])
            }
            Kind::View => self.leaf(),
            _ => {
                let condition = self.number(depth);
                let arms = self.branches(2, |writer, arm| {
                    if arm == 0 { writer.number(depth) } else { json!(["return", writer.expr(result, depth)]) }
                });
                json!(["if", condition, arms[0], arms[1]])
            }
        }
    }

    /// What an option or result is.
    fn asked(&mut self, depth: usize) -> Value {
        let (kind, heads): (Kind, &[&str]) = self.choices.pick(&[
            (Kind::OptionBytes, &["option_bytes.is_some"][..]),
            (Kind::ResultBytes, &["result_bytes.is_ok", "result_bytes.err_code"][..]),
            (Kind::OptionNumber, &["option_i32.is_some"][..]),
            (Kind::ResultNumber, &["result_i32.is_ok", "result_i32.err_code"][..]),
        ]);
        let head = self.choices.pick(heads);
        let value = match self.readable(kind) {
            Some(var) if self.choices.below(2) == 0 => self.var_name(var),
            _ => self.expr(kind, depth),
        };
        json!([head, value])
    }

    fn float(&mut self, depth: usize) -> Value {
        if depth == 0 {
            return json!(["f64.of_i32", self.leaf()]);
        }
        let d = depth - 1;
        match self.choices.below(7) {
            1 => match self.readable(Kind::Float) {
                Some(var) => self.var_name(var),
                None => json!(["f64.of_i32", self.number(d)]),
            },
            2..=4 => {
                let head = self.choices.pick(&["f64.add", "f64.sub", "f64.mul", "f64.div"]);
                json!([head, self.float(d), self.float(d)])
            }
            5 => self.choice(Kind::Float, d),
            6 => self.call(Kind::Float, d).unwrap_or_else(|| json!(["f64.of_i32", self.number(d)])),
            _ => json!(["f64.of_i32", self.number(d)]),
        }
    }

    /// A view that borrows from no variable.
    pub fn free_view(&mut self, depth: usize) -> Value {
        let d = depth.saturating_sub(1);
        match self.choices.below(if depth == 0 { 2 } else { 4 }) {
            0 => json!("input"),
            1 => json!(["bytes.view_lit", self.choices.pick(&TEXTS)]),
            2 => {
                let start = json!(["%", self.number(d), ["+", 1, ["view.len", "input"]]]);
                json!(["view.slice", "input", start, i32::from(self.choices.one_in(30))])
            }
            _ => self.choice(Kind::View, d),
        }
    }

    /// A view; what it borrows from is held.
    pub fn view(&mut self, depth: usize) -> Value {
        let d = depth.saturating_sub(1);
        match self.choices.below(6) {
            1 => match self.readable(Kind::View) {
                Some(var) => {
                    for root in self.vars[var].roots.clone() {
                        self.hold(root);
                    }
                    self.var_name(var)
                }
                None => self.free_view(d),
            },
            2 => self.owner(Kind::Bytes).map_or(json!("input"), |name| json!(["bytes.view", name])),
            3 => self.owner(Kind::Vector).map_or(json!("input"), |name| json!(["vec_u8.as_view", name])),
            4 => match self.owner(Kind::Bytes) {
                Some(name) => {
                    let length = json!(["%", self.number(d), ["+", 1, ["bytes.len", name]]]);
                    json!(["bytes.subview", name, 0, length])
                }
                None => self.free_view(d),
            },
            _ => self.free_view(depth),
        }
    }

    /// A variable to borrow from; it is held.
    fn owner(&mut self, kind: Kind) -> Option<Value> {
        let var = self.readable(kind)?;
        self.hold(var);
        Some(self.var_name(var))
    }

    /// An operand that an operation borrows; a variable is held.
    pub fn lent(&mut self, depth: usize) -> Value {
        let d = depth.saturating_sub(1);
        match self.choices.below(4) {
            1 => self.bytes(d),
            3 => match self.owner(Kind::Bytes) {
                Some(name) => name,
                None => self.view(d),
            },
            _ => self.view(d),
        }
    }

    pub fn bytes(&mut self, depth: usize) -> Value {
        let d = depth.saturating_sub(1);
        match self.choices.below(if depth == 0 { 3 } else { 20 }) {
            0 => json!(["bytes.empty"]),
            1 => json!(["bytes.lit", self.choices.pick(&TEXTS)]),
            2 | 3 => self.moving(Kind::Bytes).unwrap_or_else(|| json!(["bytes1", self.leaf()])),
            4 => json!(["fmt.u32_to_dec", self.number(d)]),
            5 => json!(["fmt.s32_to_dec", self.number(d)]),
            6 => json!(["bytes1", self.number(d)]),
            7 => json!(["bytes.concat", self.bytes(d), self.bytes(d)]),
            8 => self.operation(|writer| json!(["view.to_bytes", writer.view(d)])),
            9 => json!(["bytes.alloc", ["&", self.number(d), 15]]),
            10 => {
                let start = i32::from(self.choices.one_in(20));
                self.operation(|writer| {
                    let length = i32::from(writer.choices.one_in(10));
                    json!(["bytes.slice", writer.lent(d), start, length])
                })
            }
            11 => self.choice(Kind::Bytes, d),
            12 => {
                let end = self.choices.pick(&["z", "zz", ""]);
                let made = json!(["bytes1", self.number(d)]);
                json!(["bytes.copy", made, ["bytes.concat", self.bytes(d), ["bytes.lit", end]]])
            }
            13 => json!(["vec_u8.into_bytes", self.vector(d)]),
            14 => json!(["option_bytes.unwrap_or", self.owned_choice(Kind::OptionBytes, d), self.bytes(d)]),
            15 => json!(["result_bytes.unwrap_or", self.owned_choice(Kind::ResultBytes, d), self.bytes(d)]),
            16 => self.block_value(Kind::Bytes, d),
            17 => self.call(Kind::Bytes, d).unwrap_or_else(|| json!(["codec.write_u32_le", self.number(d)])),
            18 => match self.result {
                Kind::ResultBytes => json!(["try", self.owned_choice(Kind::ResultBytes, d)]),
                Kind::Bytes if self.choices.one_in(3) => json!(["try_doc", self.bytes(d)]),
                _ => json!(["codec.write_u32_le", self.number(d)]),
            },
            19 if self.waits => self.waiting_bytes(d),
            19 if self.features.library => self.library_bytes(d),
            _ => json!(["codec.write_u32_le", self.number(d)]),
        }
    }

    fn vector(&mut self, depth: usize) -> Value {
        let d = depth.saturating_sub(1);
        let capacity = self.choices.below(5);
        match self.choices.below(if depth == 0 { 1 } else { 5 }) {
            0 => json!(["vec_u8.with_capacity", capacity]),
            1 => self.moving(Kind::Vector).unwrap_or_else(|| json!(["vec_u8.with_capacity", capacity])),
            2 => {
                let target = json!(["vec_u8.with_capacity", capacity]);
                self.operation(|writer| json!(["vec_u8.extend_bytes", target, writer.lent(d)]))
            }
            3 => self.choice(Kind::Vector, d),
            _ => json!(["vec_u8.push", self.vector(d), self.number(d)]),
        }
    }

    fn small_choice(&mut self, kind: Kind, depth: usize) -> Value {
        let d = depth.saturating_sub(1);
        let option = kind == Kind::OptionNumber;
        match self.choices.below(if depth == 0 { 2 } else { 5 }) {
            0 if option => json!(["option_i32.none"]),
            0 => json!(["result_i32.err", self.leaf()]),
            2 => self.choice(kind, d),
            3 => match self.readable(kind) {
                Some(var) => self.var_name(var),
                None => self.small_choice(kind, 0),
            },
            4 => self.call(kind, d).unwrap_or_else(|| self.small_choice(kind, 0)),
            _ if option => json!(["option_i32.some", self.number(d)]),
            _ => json!(["result_i32.ok", self.number(d)]),
        }
    }

    fn owned_choice(&mut self, kind: Kind, depth: usize) -> Value {
        let d = depth.saturating_sub(1);
        let option = kind == Kind::OptionBytes;
        match self.choices.below(if depth == 0 { 2 } else { 5 }) {
            0 if option => json!(["option_bytes.none"]),
            0 => json!(["result_bytes.err", self.leaf()]),
            2 => self.choice(kind, d),
            3 => self.moving(kind).unwrap_or_else(|| self.owned_choice(kind, 0)),
            4 => self.call(kind, d).unwrap_or_else(|| self.owned_choice(kind, 0)),
            _ if option => json!(["option_bytes.some", self.bytes(d)]),
            _ => json!(["result_bytes.ok", self.bytes(d)]),
        }
    }

    /// A call of a function with this result, if there is one.
    fn call(&mut self, kind: Kind, depth: usize) -> Option<Value> {
        let fitting: Vec<Signature> = self.callees.iter().filter(|callee| callee.result == kind).cloned().collect();
        if fitting.is_empty() {
            return None;
        }
        let callee = self.choices.pick(&fitting);
        Some(self.operation(|writer| {
            let mut list = vec![json!(callee.name)];
            for param in &callee.params {
                list.push(match param {
                    Kind::View => writer.argument(depth),
                    owned if owned.is_owned() => writer.expr(*owned, depth.min(1)),
                    other => writer.expr(*other, depth),
                });
            }
            Value::Array(list)
        }))
    }

    /// An argument for a parameter that is a view: anything with bytes.
    fn argument(&mut self, depth: usize) -> Value {
        match self.choices.below(5) {
            1 => self.owner(Kind::Vector).unwrap_or_else(|| json!("input")),
            2 => self.vector(depth.min(1)),
            _ => self.lent(depth),
        }
    }
}
