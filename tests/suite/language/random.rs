//! Random programs: what the compiled program does is what the interpreter says.
//!
//! A program is made from a tape of random numbers, so that a failure shrinks to a short tape and
//! with it to a small program: the number 0 stands for the simplest choice everywhere, and so does
//! the end of the tape.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use x07_wasm::compiler::Options;

use super::interpreter::{self, End};
use super::program::{ARENA, Compilation, MEMORY, Outcome, Program};

const OPERATORS: [&str; 20] =
    ["+", "-", "*", "/", "%", "&", "|", "^", "<<u", ">>u", "=", "!=", "<", "<=", ">", ">=", "<u", "<=u", ">u", ">=u"];

const NUMBERS: [i32; 15] = [0, 1, 2, 3, 5, 8, 31, 32, 255, 256, 1000, -1, -2, i32::MIN, i32::MAX];

/// Writes programs.
struct Writer<'t> {
    tape: std::slice::Iter<'t, u32>,
    /// Numbers that can be read here, and those of them that can be assigned.
    readable: Vec<String>,
    assignable: Vec<String>,
    /// Views that can be read here; they borrow from nothing.
    views: Vec<&'static str>,
    /// Whether the variables `b` of type bytes and `v` of type vec_u8 can be read here.
    buffers: bool,
    /// Whether this is the entry's expression, which may leave with bytes and call `main.f`.
    entry: bool,
    names: usize,
}

impl<'t> Writer<'t> {
    fn new(tape: &'t [u32]) -> Self {
        Self {
            tape: tape.iter(),
            readable: Vec::new(),
            assignable: Vec::new(),
            views: Vec::new(),
            buffers: false,
            entry: false,
            names: 0,
        }
    }

    /// A number below `bound`.
    fn choose(&mut self, bound: usize) -> usize {
        self.tape.next().map_or(0, |number| *number as usize % bound)
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.choose(one_in) == one_in - 1
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.choose(all.len())].clone()
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("t{}", self.names)
    }

    fn literal(&mut self) -> Value {
        json!(self.pick(&NUMBERS))
    }

    fn target(&mut self) -> String {
        let all = self.assignable.clone();
        self.pick(&all)
    }

    /// An index below `length`, with rare exceptions.
    fn index(&mut self, depth: usize, length: Value) -> Value {
        let number = self.number(depth);
        if self.chance(40) { number } else { json!(["%", number, length]) }
    }

    /// `read`, mostly only when `length` is not 0.
    fn guarded(&mut self, length: Value, read: Value) -> Value {
        if self.chance(12) { read } else { json!(["if", length, read, self.literal()]) }
    }

    fn number(&mut self, depth: usize) -> Value {
        if depth == 0 {
            return self.leaf();
        }
        let d = depth - 1;
        match self.choose(24) {
            0..=2 => self.leaf(),
            3..=7 => {
                let operator = self.pick(&OPERATORS);
                let (a, b) = (self.number(d), self.number(d));
                // An unsigned comparison with the literal 0 is refused.
                let b = if b == json!(0) && matches!(operator, "<u" | ">=u") { json!(1) } else { b };
                json!([operator, a, b])
            }
            8 => json!(["if", self.number(d), self.number(d), self.number(d)]),
            9 => {
                let head = self.pick(&["&&", "||"]);
                json!([head, self.number(d), self.number(d)])
            }
            10 => json!(["set", self.target(), self.number(d)]),
            11 => self.with_local(d),
            12 => json!(["view.len", self.view(d, true)]),
            13 => {
                let view = if self.chance(2) { self.view_name() } else { json!("input") };
                let index = self.index(d, json!(["view.len", view]));
                self.guarded(json!(["view.len", view]), json!(["view.get_u8", view, index]))
            }
            14 if self.buffers => {
                let index = self.index(d, json!(["bytes.len", "b"]));
                self.guarded(json!(["bytes.len", "b"]), json!(["bytes.get_u8", "b", index]))
            }
            15 if self.buffers => {
                let index = self.index(d, json!(["vec_u8.len", "v"]));
                self.guarded(json!(["vec_u8.len", "v"]), json!(["vec_u8.get", "v", index]))
            }
            16 => json!(["bytes.eq", self.lent(d), self.lent(d)]),
            17 => {
                let (a, b) = (self.lent(d), self.lent(d));
                let (m, n) = (i32::from(self.chance(20)), i32::from(self.chance(20)));
                json!(["bytes.cmp_range", a, 0, m, b, 0, n])
            }
            18 => json!(["bytes.len", self.bytes(d)]),
            19 if self.entry => json!(["main.f", self.number(d), self.argument(d), self.number(d)]),
            20 => {
                let name = self.name();
                let made = json!(["fmt.u32_to_dec", self.number(d)]);
                json!(["begin", ["let", name, made], ["parse.u32_dec", ["bytes.view", name]]])
            }
            21 => {
                let offset = i32::from(self.chance(20));
                json!(["codec.read_u32_le", ["codec.write_u32_le", self.number(d)], offset])
            }
            22 if self.entry => {
                json!(["if", self.number(d), self.number(d), ["return", self.bytes(d)]])
            }
            23 => json!(["begin", ["set0", self.target(), self.number(d)], self.number(d)]),
            _ => json!(["prng.lcg_next_u32", self.number(d)]),
        }
    }

    fn leaf(&mut self) -> Value {
        if self.readable.is_empty() || self.choose(3) == 0 {
            return self.literal();
        }
        let all = self.readable.clone();
        json!(self.pick(&all))
    }

    /// A number that may use a variable of its own.
    fn with_local(&mut self, depth: usize) -> Value {
        let name = self.name();
        let first = self.number(depth);
        self.readable.push(name.clone());
        self.assignable.push(name.clone());
        let rest = self.number(depth);
        self.readable.pop();
        self.assignable.pop();
        json!(["begin", ["let", name, first], rest])
    }

    fn view_name(&mut self) -> Value {
        let all = self.views.clone();
        if all.is_empty() { json!("input") } else { json!(self.pick(&all)) }
    }

    /// A view; with `owners` it may borrow from `b` and `v`.
    fn view(&mut self, depth: usize, owners: bool) -> Value {
        let owners = owners && self.buffers;
        let limit = if depth == 0 { 3 } else { 8 };
        let d = depth.saturating_sub(1);
        match self.choose(limit) {
            0 => json!("input"),
            1 => self.view_name(),
            2 => json!(["bytes.view_lit", self.pick(&["", "a", "xyz", "0123456789"])]),
            3 if owners => json!(["bytes.view", "b"]),
            4 if owners => json!(["vec_u8.as_view", "v"]),
            5 => json!(["if", self.number(d), self.view(d, false), self.view(d, false)]),
            6 if owners => json!(["bytes.subview", "b", 0, ["%", self.number(d), ["+", 1, ["bytes.len", "b"]]]]),
            _ => {
                let start = json!(["%", self.number(d), ["+", 1, ["view.len", "input"]]]);
                json!(["view.slice", "input", start, i32::from(self.chance(10))])
            }
        }
    }

    /// An operand that an operation borrows.
    fn lent(&mut self, depth: usize) -> Value {
        let d = depth.saturating_sub(1);
        match self.choose(4) {
            1 => self.bytes(d),
            3 if self.buffers => json!("b"),
            _ => self.view(d, true),
        }
    }

    /// An argument for a parameter that is a view.
    fn argument(&mut self, depth: usize) -> Value {
        let d = depth.saturating_sub(1);
        match self.choose(6) {
            1 if self.buffers => json!("b"),
            2 if self.buffers => json!("v"),
            3 => self.bytes(d),
            4 => {
                let capacity = self.choose(4);
                json!(["vec_u8.extend_bytes", ["vec_u8.with_capacity", capacity], self.view(d, true)])
            }
            _ => self.view(d, true),
        }
    }

    fn bytes(&mut self, depth: usize) -> Value {
        let limit = if depth == 0 { 2 } else { 12 };
        let d = depth.saturating_sub(1);
        match self.choose(limit) {
            0 => json!(["bytes.empty"]),
            1 => json!(["bytes.lit", self.pick(&["", "q", "lit", "0123456789abcdef"])]),
            2 => json!(["fmt.u32_to_dec", self.number(d)]),
            3 => json!(["fmt.s32_to_dec", self.number(d)]),
            4 => json!(["bytes1", self.number(d)]),
            5 => json!(["bytes.concat", self.bytes(d), self.bytes(d)]),
            6 => json!(["view.to_bytes", self.view(d, false)]),
            7 => json!(["bytes.alloc", ["&", self.number(d), 15]]),
            8 if self.buffers => json!(["bytes.slice", "b", 0, ["%", self.number(d), ["+", 1, ["bytes.len", "b"]]]]),
            9 => json!(["if", self.number(d), self.bytes(d), self.bytes(d)]),
            10 => {
                let end = self.pick(&["z", "zz", ""]);
                json!(["bytes.copy", ["bytes1", self.number(d)], ["bytes.concat", self.bytes(d), ["bytes.lit", end]]])
            }
            _ => json!(["codec.write_u32_le", self.number(d)]),
        }
    }

    /// A statement of the entry; `nesting` bounds blocks, `loops` bounds loops in them.
    fn statement(&mut self, nesting: usize, loops: usize) -> Value {
        const DEPTH: usize = 3;
        let rarely = self.chance(9);
        match self.choose(18) {
            1 => json!(["set", "v", ["vec_u8.push", "v", self.number(DEPTH)]]),
            2 if rarely => {
                let index = self.index(DEPTH, json!(["vec_u8.len", "v"]));
                json!(["set", "v", ["vec_u8.set", "v", index, self.number(DEPTH)]])
            }
            3 if rarely => {
                let index = self.index(DEPTH, json!(["bytes.len", "b"]));
                json!(["set", "b", ["bytes.set_u8", "b", index, self.number(DEPTH)]])
            }
            2 | 3 => json!(["set", "b", ["bytes.concat", ["bytes1", self.number(DEPTH)], "b"]]),
            4 => {
                let added = match self.choose(3) {
                    0 => json!("b"),
                    1 => self.bytes(2),
                    _ => self.view(DEPTH, false),
                };
                json!(["set0", "v", ["vec_u8.extend_bytes", "v", added]])
            }
            5 => json!(["set", "v", ["vec_u8.extend_zeroes", "v", ["&", self.number(DEPTH), 7]]]),
            6 => json!(["set", "v", ["vec_u8.reserve_exact", "v", ["&", self.number(DEPTH), 31]]]),
            7 => {
                let length = json!(["%", self.number(DEPTH), ["+", 1, ["bytes.len", "b"]]]);
                json!(["set", "v", ["vec_u8.extend_bytes_range", "v", "b", 0, length]])
            }
            8 => json!(["set", "b", ["bytes.concat", self.bytes(DEPTH), "b"]]),
            9 => json!(["set", "b", self.bytes(DEPTH)]),
            10 => json!(["set", "w", self.view(DEPTH, false)]),
            11 => json!(["if", self.number(DEPTH), 0, ["return", self.bytes(DEPTH)]]),
            12 if nesting > 0 => {
                let condition = self.number(DEPTH);
                let then = self.block(nesting - 1, loops);
                let otherwise = match self.choose(3) {
                    0 => json!(0),
                    1 => json!(["set", "v", ["vec_u8.clear", "v"]]),
                    _ => self.block(nesting - 1, loops),
                };
                json!(["if", condition, then, otherwise])
            }
            13 if nesting > 0 && loops > 0 => self.for_loop(nesting, loops),
            14 if nesting > 0 && loops > 0 => self.while_loop(nesting, loops),
            15 => self.bytes(DEPTH),
            16 => {
                let (made, seen) = (self.name(), self.name());
                json!([
                    "begin",
                    ["let", made, self.bytes(DEPTH)],
                    ["let", seen, self.view(DEPTH, true)],
                    self.number(DEPTH)
                ])
            }
            17 => self.moving(),
            _ => {
                let head = self.pick(&["set", "set0"]);
                json!([head, self.target(), self.number(DEPTH)])
            }
        }
    }

    /// Moves `b` away and back, or replaces it.
    fn moving(&mut self) -> Value {
        let (first, second) = (self.name(), self.name());
        self.buffers = false;
        let condition = self.number(2);
        self.buffers = true;
        let back = json!(["begin", ["let", second, first], ["set", "b", second]]);
        json!(["begin", ["let", first, "b"], ["if", condition, back, ["set", "b", ["bytes.lit", "re"]]], 0])
    }

    fn for_loop(&mut self, nesting: usize, loops: usize) -> Value {
        let name = self.name();
        let (start, end) = (self.choose(3), json!(["&", self.number(1), 3]));
        self.readable.push(name.clone());
        let body = self.block(nesting - 1, loops - 1);
        self.readable.pop();
        json!(["for", name, start, end, body])
    }

    fn while_loop(&mut self, nesting: usize, loops: usize) -> Value {
        let name = self.name();
        self.readable.push(name.clone());
        let condition = json!(["&&", ["<", name, 3], self.number(1)]);
        let body = self.block(nesting - 1, loops - 1);
        self.readable.pop();
        let step = json!(["set", name, ["+", name, 1]]);
        json!(["begin", ["let", name, 0], ["while", condition, ["begin", body, step]]])
    }

    fn block(&mut self, nesting: usize, loops: usize) -> Value {
        let mut list = vec![json!("begin")];
        for _ in 0..=self.choose(4) {
            list.push(self.statement(nesting, loops));
        }
        Value::Array(list)
    }

    /// The function `main.f(n: i32, p: bytes_view, m: i32) -> i32`.
    fn function(&mut self) -> Value {
        self.readable = vec!["n".to_owned(), "m".to_owned()];
        self.assignable = self.readable.clone();
        self.views = vec!["p"];
        let body = self.number(4);
        let param = |name: &str, ty: &str| json!({ "name": name, "ty": ty });
        let params = [param("n", "i32"), param("p", "bytes_view"), param("m", "i32")];
        json!({ "kind": "defn", "name": "main.f", "params": params, "result": "i32", "body": body })
    }

    /// The entry's expression: three numbers, bytes `b`, a vector `v` and a view `w` that
    /// statements change and that are all shown at the end.
    fn solve(&mut self) -> Value {
        self.readable = vec!["a".to_owned()];
        self.assignable = self.readable.clone();
        self.views = Vec::new();
        self.entry = true;
        let mut list = vec![json!("begin"), json!(["let", "a", 7])];
        for name in ["x", "y"] {
            list.push(json!(["let", name, self.number(2)]));
            self.readable.push(name.to_owned());
            self.assignable.push(name.to_owned());
        }
        list.push(json!(["let", "b", self.bytes(3)]));
        list.push(json!(["let", "v", ["vec_u8.with_capacity", self.choose(4)]]));
        list.push(json!(["let", "w", self.view(2, false)]));
        self.views = vec!["w"];
        self.buffers = true;
        for _ in 0..2 + self.choose(6) {
            list.push(self.statement(3, 2));
        }
        let mut shown = json!(["vec_u8.into_bytes", "v"]);
        for part in [
            json!(["view.to_bytes", "w"]),
            json!("b"),
            json!(["fmt.s32_to_dec", "y"]),
            json!(["bytes.lit", " "]),
            json!(["fmt.s32_to_dec", "x"]),
            json!(["bytes.lit", " "]),
            json!(["fmt.s32_to_dec", "a"]),
        ] {
            shown = json!(["bytes.concat", part, shown]);
        }
        list.push(shown);
        Value::Array(list)
    }
}

/// How the compiled program ends.
fn compiled(decls: &[Value], solve: &Value, input: &[u8]) -> Result<End, String> {
    let program = Program::of(&json!(decls).to_string(), &solve.to_string());
    let wasm = program.wasm(&Options { max_entry_bytes: 1 << 24, ..Options::default() }, MEMORY);
    match Compilation::new(&wasm).run(input, ARENA) {
        Outcome::Output(bytes) => Ok(End::Output(bytes)),
        Outcome::Trapped(place) => Ok(End::Trap { reason: place.reason, pointer: place.pointer }),
        Outcome::Failed(reason) => Err(reason),
    }
}

/// Few enough for every run of the tests; a failure is shown, not stored.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn compiled_programs_do_what_the_interpreter_says(
        tape in vec(any::<u32>(), 0..600),
        input in vec(prop_oneof![Just(b'0'), Just(b'7'), any::<u8>()], 0..10),
    ) {
        let mut writer = Writer::new(&tape);
        let decls = [writer.function()];
        let solve = writer.solve();
        let wanted = interpreter::run(&decls, &solve, &input);
        let found = compiled(&decls, &solve, &input);
        prop_assert!(found.as_ref() == Ok(&wanted), "{found:?} instead of {wanted:?}\n{}\n{solve}", decls[0]);
    }

    #[test]
    fn operators_agree_on_all_numbers(a in any::<i32>(), b in prop_oneof![any::<i32>(), -40..40_i32]) {
        let parts: Vec<Value> = OPERATORS.iter().map(|head| json!(["codec.write_u32_le", [head, "a", "b"]])).collect();
        let all = parts.into_iter().reduce(|all, part| json!(["bytes.concat", all, part])).expect("an operator");
        let solve = json!(["begin", ["let", "a", a], ["let", "b", b], all]);
        let wanted = interpreter::run(&[], &solve, b"");
        prop_assert_eq!(compiled(&[], &solve, b""), Ok(wanted));
    }
}
