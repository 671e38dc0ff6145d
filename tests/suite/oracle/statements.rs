//! Random statements, and expressions that use the run-time library or wait.

use serde_json::{Value, json};

use super::generate::Writer;
use super::kinds::{Kind, Role};

/// How deep expressions in statements are.
const DEPTH: usize = 3;

impl Writer<'_> {
    /// A list of statements in a scope of their own. `nesting` bounds blocks, `loops` bounds loops.
    pub fn block(&mut self, nesting: usize, loops: usize) -> Value {
        let mark = self.vars.len();
        let mut list = vec![json!("begin")];
        for _ in 0..=self.choices.below(4) {
            list.push(self.statement(nesting, loops));
        }
        list.push(json!(0));
        self.end_scope(mark);
        Value::Array(list)
    }

    pub fn statement(&mut self, nesting: usize, loops: usize) -> Value {
        match self.choices.below(18) {
            1 | 2 => self.binding(DEPTH),
            3 => self.assignment(Kind::Bytes),
            4 => self.assignment(Kind::Vector),
            5 => {
                let kind = self.choices.pick(&[Kind::OptionBytes, Kind::ResultBytes, Kind::OptionNumber, Kind::Float]);
                self.assignment(kind)
            }
            6 | 7 => self.vector_change(),
            8 => self.byte_change(),
            9 => self.view_assignment(),
            10 if nesting > 0 => {
                let condition = self.number(DEPTH);
                let arms = self.branches(2, |writer, _| {
                    if writer.choices.below(3) == 0 { json!(0) } else { writer.block(nesting - 1, loops) }
                });
                json!(["if", condition, arms[0], arms[1]])
            }
            11 | 12 if nesting > 0 && loops > 0 => self.for_loop(nesting, loops),
            13 if nesting > 0 && loops > 0 => self.while_loop(nesting, loops),
            14 => {
                // Values that nobody uses.
                let kind = self.choices.pick(&[Kind::Bytes, Kind::Vector, Kind::OptionBytes, Kind::ResultBytes]);
                self.expr(kind, DEPTH)
            }
            15 if self.features.library => self.library_statement(),
            16 if self.waits => self.waiting_statement(),
            _ => self.assignment(Kind::Number),
        }
    }

    fn assignment(&mut self, kind: Kind) -> Value {
        let Some(var) = self.assignable(kind, true) else { return self.binding(DEPTH) };
        let name = self.var_name(var);
        let value = self.expr(kind, DEPTH);
        // The value may have moved the variable.
        self.vars[var].moved = false;
        let head = self.choices.pick(&["set", "set0"]);
        json!([head, name, value])
    }

    fn view_assignment(&mut self) -> Value {
        match self.assignable(Kind::View, false) {
            Some(var) => json!(["set", self.var_name(var), self.free_view(DEPTH)]),
            None => self.bind_view(DEPTH),
        }
    }

    /// `["set", v, [HEAD, v, …]]`.
    fn vector_change(&mut self) -> Value {
        let Some(var) = self.assignable(Kind::Vector, false) else { return self.binding(DEPTH) };
        let v = self.var_name(var);
        let choice = self.choices.below(8);
        let changed = self.changing(var, |writer| match choice {
            1 => {
                let index = json!(["%", writer.number(2), ["vec_u8.len", v]]);
                json!(["vec_u8.set", v, index, writer.number(2)])
            }
            2 => json!(["vec_u8.extend_zeroes", v, ["&", writer.number(2), 7]]),
            3 => json!(["vec_u8.reserve_exact", v, ["&", writer.number(2), 31]]),
            4 => {
                let (source, start) = (writer.lent(2), i32::from(writer.choices.one_in(10)));
                json!(["vec_u8.extend_bytes_range", v, source, 0, start])
            }
            5 => json!(["vec_u8.extend_bytes", v, writer.lent(2)]),
            6 => json!(["vec_u8.clear", v]),
            _ => json!(["vec_u8.push", v, writer.number(DEPTH)]),
        });
        if choice == 1 { json!(["if", ["vec_u8.len", v], ["set", v, changed], 0]) } else { json!(["set", v, changed]) }
    }

    fn byte_change(&mut self) -> Value {
        let Some(var) = self.assignable(Kind::Bytes, false) else { return self.binding(DEPTH) };
        let b = self.var_name(var);
        let first = self.choices.one_in(12);
        let changed = self.changing(var, |writer| {
            let place = json!(["%", writer.number(1), ["bytes.len", b]]);
            let place = if first { json!(0) } else { place };
            json!(["bytes.set_u8", b, place, writer.number(2)])
        });
        // Without the question, empty bytes are a trap.
        if first { json!(["set", b, changed]) } else { json!(["if", ["bytes.len", b], ["set", b, changed], 0]) }
    }

    /// Operands of an operation on a variable in place: they may read it, but neither move it nor
    /// keep a view of it.
    fn changing(&mut self, var: usize, build: impl FnOnce(&mut Self) -> Value) -> Value {
        // Marked as moved it is left alone.
        self.vars[var].moved = true;
        let made = self.operation(build);
        self.vars[var].moved = false;
        made
    }

    fn for_loop(&mut self, nesting: usize, loops: usize) -> Value {
        let name = self.name();
        let (start, end) = (self.choices.below(3), json!(["&", self.number(1), 3]));
        self.declare(name.clone(), Kind::Number, Role::Counter);
        let body = self.block(nesting - 1, loops - 1);
        json!(["for", name, start, end, body])
    }

    fn while_loop(&mut self, nesting: usize, loops: usize) -> Value {
        let mark = self.vars.len();
        let name = self.name();
        self.declare(name.clone(), Kind::Number, Role::Counter);
        let condition = json!(["&&", ["<", name, 3], self.number(1)]);
        let body = self.block(nesting - 1, loops - 1);
        self.end_scope(mark);
        let step = json!(["set", name, ["+", name, 1]]);
        json!(["begin", ["let", name, 0], ["while", condition, ["begin", body, step]], 0])
    }

    /// A key, of which there are few.
    fn key(&mut self, depth: usize) -> Value {
        let number = self.number(depth);
        if self.choices.one_in(60) { number } else { json!(["&", number, 7]) }
    }

    fn index_in(&mut self, depth: usize) -> Value {
        json!(["&", self.number(depth), 3])
    }

    pub fn library_number(&mut self, d: usize) -> Value {
        match self.choices.below(14) {
            1 => self.with(Role::Map, |writer, m| json!(["map_u32.get", m, writer.key(d), writer.number(d)])),
            2 => self.with(Role::Map, |writer, m| json!(["map_u32.set", m, writer.key(d), writer.number(d)])),
            3 => self.with(Role::Map, |writer, m| json!(["map_u32.remove", m, writer.key(d)])),
            4 => self.with(Role::Map, |writer, m| json!(["map_u32.contains", m, writer.key(d)])),
            5 => self.with(Role::Values, |_, h| json!(["vec_value.len", h])),
            6 => self.with(Role::Dictionary, |writer, h| {
                json!(["map_value.contains_bytes_v1", h, ["fmt.u32_to_dec", writer.key(d)]])
            }),
            7 => self.with(Role::Scratch, |writer, s| {
                let write = writer.operation(|writer| json!(["scratch_u8_fixed_v1.try_write", s, writer.lent(d)]));
                json!(["result_i32.err_code", write])
            }),
            8 => self.with(Role::Reader, |_, r| {
                json!([
                    "begin",
                    ["let", "w", ["bufread.fill", r]],
                    ["bufread.consume", r, ["<u", 1, ["view.len", "w"]]]
                ])
            }),
            9 => {
                let ty = self.choices.pick(&["i32", "u32"]);
                let head = self.choices.pick(&["main.order", "main.sum", "main.same"]);
                json!(["tapp", head, ["tys", ty], self.number(d), self.number(d)])
            }
            10 => json!(["tapp", "main.order", ["tys", "bytes"], self.bytes(d), self.bytes(d)]),
            11 => json!(["tapp", "main.mix", ["tys", "u32"], self.number(d)]),
            12 => {
                let record = json!(["main.P.make", self.number(d), self.number(d)]);
                let field = self.choices.pick(&["main.P.x", "main.P.y"]);
                json!([field, record])
            }
            13 => {
                let bytes = self.bytes(d);
                json!(["result_bytes.is_ok", ["std.brand.cast_bytes_v1", "main.id", "main.valid", bytes]])
            }
            _ => self.matched(Kind::Number, d),
        }
    }

    /// An expression with a handle, or a number when there is none.
    fn with(&mut self, role: Role, build: impl FnOnce(&mut Self, Value) -> Value) -> Value {
        match self.handle(role) {
            Some(handle) => build(self, handle),
            None => self.literal(),
        }
    }

    /// A match on an enumeration.
    fn matched(&mut self, kind: Kind, d: usize) -> Value {
        let value = match self.choices.below(3) {
            0 => json!(["main.E.None"]),
            1 => json!(["main.E.One", self.number(d)]),
            _ => json!(["if", self.number(d), ["main.E.Two", self.number(d)], ["main.E.One", self.number(d)]]),
        };
        let name = self.name();
        let arms = self.branches(3, |writer, arm| {
            if arm > 0 {
                writer.declare(name.clone(), Kind::Number, Role::Counter);
            }
            writer.expr(kind, d)
        });
        json!(["match", value, ["main.E.None", arms[0]], ["main.E.One", name, arms[1]], ["main.E.Two", name, arms[2]]])
    }

    pub fn library_bytes(&mut self, d: usize) -> Value {
        match self.choices.below(7) {
            1 => match self.handle(Role::Values) {
                Some(h) => json!(["vec_value.get_bytes_v1", h, self.index_in(d), self.bytes(d)]),
                None => json!(["bytes.empty"]),
            },
            2 => match self.handle(Role::Dictionary) {
                Some(h) => json!(["map_value.get_bytes_bytes_v1", h, ["fmt.u32_to_dec", self.key(d)], self.bytes(d)]),
                None => json!(["bytes.empty"]),
            },
            3 => match self.handle(Role::Scratch) {
                Some(s) => json!(["view.to_bytes", ["scratch_u8_fixed_v1.as_view", s]]),
                None => json!(["bytes.empty"]),
            },
            4 => json!(["io.read", ["io.open_read_bytes", self.bytes(d)], self.index_in(d)]),
            5 => json!(["tapp", "main.pick", ["tys", "bytes"], self.number(d), self.bytes(d), self.bytes(d)]),
            6 => {
                let (bytes, other) = (self.bytes(d), self.bytes(d));
                let cast = json!(["std.brand.cast_bytes_v1", "main.id", "main.valid", bytes]);
                json!(["result_bytes.unwrap_or", cast, other])
            }
            _ => self.matched(Kind::Bytes, d),
        }
    }

    /// Makes a container, or changes one.
    fn library_statement(&mut self) -> Value {
        let role = self.choices.pick(&[Role::Map, Role::Values, Role::Dictionary, Role::Scratch, Role::Reader]);
        match (role, self.handle(role)) {
            (Role::Values, Some(h)) => match self.choices.below(5) {
                1 => json!(["vec_value.set_bytes_v1", h, self.index_in(1), self.bytes(2)]),
                2 => json!(["vec_value.pop", h]),
                3 => json!(["vec_value.clear", h]),
                _ => json!(["vec_value.push_bytes_v1", h, self.bytes(2)]),
            },
            (Role::Dictionary, Some(h)) => {
                let key = json!(["fmt.u32_to_dec", self.key(1)]);
                match self.choices.below(5) {
                    1 => json!(["map_value.remove_bytes_v1", h, key]),
                    2 => json!(["map_value.clear", h]),
                    _ => json!(["map_value.set_bytes_bytes_v1", h, key, self.bytes(2)]),
                }
            }
            (Role::Scratch, Some(s)) if self.choices.one_in(3) => json!(["scratch_u8_fixed_v1.clear", s]),
            (_, Some(_)) => {
                let number = self.library_number(2);
                json!(["begin", number, 0])
            }
            (_, None) => self.new_handle(role),
        }
    }

    fn new_handle(&mut self, role: Role) -> Value {
        let made = match role {
            Role::Map => json!(["map_u32.new", self.choices.pick(&[8, 16, 4])]),
            Role::Values => json!(["vec_value.with_capacity_v1", 3, self.choices.below(4)]),
            Role::Dictionary => json!(["map_value.new_v1", 3, 3, self.choices.pick(&[8, 1, 2])]),
            Role::Scratch => json!(["scratch_u8_fixed_v1.new", self.choices.pick(&[16, 3, 0])]),
            Role::Reader => json!(["bufread.new", ["io.open_read_bytes", self.bytes(2)], self.choices.pick(&[4, 1])]),
            _ => json!(["chan.bytes.new", self.choices.pick(&[4, 1, 2])]),
        };
        let name = self.name();
        self.declare(name.clone(), Kind::Number, role);
        json!(["let", name, made])
    }

    pub fn waiting_number(&mut self, d: usize) -> Value {
        match self.choices.below(4) {
            1 => json!(["task.sleep", ["&", self.number(d), 7]]),
            2 => match self.handle(Role::Channel) {
                Some(c) => json!(["chan.bytes.send", c, self.bytes(d)]),
                None => json!(["task.yield"]),
            },
            3 if self.risks => json!(["result_bytes.err_code", self.joined_result(d)]),
            _ => json!(["task.yield"]),
        }
    }

    fn joined_result(&mut self, d: usize) -> Value {
        let task = json!(["main.risk", self.number(d), self.bytes(d)]);
        json!(["task.join.result_bytes", task])
    }

    pub fn waiting_bytes(&mut self, d: usize) -> Value {
        match self.choices.below(4) {
            1 => match self.handle(Role::Channel) {
                Some(c) => json!(["result_bytes.unwrap_or", ["chan.bytes.try_recv", c], self.bytes(d)]),
                None => json!(["bytes.empty"]),
            },
            2 if self.risks => json!(["result_bytes.unwrap_or", self.joined_result(d), self.bytes(d)]),
            _ => json!(["await", ["main.leaf", self.number(d), self.bytes(d)]]),
        }
    }

    fn waiting_statement(&mut self) -> Value {
        match self.choices.below(7) {
            1 => self.new_handle(Role::Channel),
            2 => match self.handle(Role::Channel) {
                Some(c) => self.operation(|writer| json!(["chan.bytes.try_send", c, writer.lent(2)])),
                None => json!(["task.yield"]),
            },
            3 => {
                // A task that may be canceled in the middle.
                let name = self.name();
                let task = json!(["main.leaf", self.number(1), self.bytes(2)]);
                let steps = self.choices.below(3);
                json!(["begin", ["let", name, task], ["task.sleep", steps], ["task.cancel", name], 0])
            }
            4 | 5 => self.task_scope(),
            6 => json!(["main.leaf", self.number(1), self.bytes(2)]),
            _ => json!(["task.yield"]),
        }
    }

    /// A scope with children and a slot, that may be left early.
    fn task_scope(&mut self) -> Value {
        let slot = self.name();
        let mut list = vec![json!("begin")];
        list.push(json!([
            "let",
            slot,
            ["task.scope.async_let_bytes_v1", ["main.leaf", self.number(1), self.bytes(1)]]
        ]));
        for _ in 0..self.choices.below(3) {
            let child = json!(["main.leaf", self.number(1), self.bytes(1)]);
            list.push(json!(["task.scope.start_soon_v1", child]));
        }
        match self.choices.below(5) {
            1 => list.push(json!(["task.scope.cancel_all_v1"])),
            2 => list.push(json!(["task.scope.wait_all_v1"])),
            3 => {
                let result = self.result;
                if result != Kind::View {
                    let condition = self.number(1);
                    let arms = self.branches(2, |writer, arm| if arm == 0 { json!(0) } else { writer.expr(result, 1) });
                    list.push(json!(["if", condition, 0, ["return", arms[1]]]));
                }
            }
            _ => list.push(json!(["bytes.len", ["task.scope.await_slot_bytes_v1", slot]])),
        }
        list.push(json!(0));
        json!(["task.scope_v1", ["task.scope.cfg_v1", ["max_children", 8]], Value::Array(list)])
    }
}
