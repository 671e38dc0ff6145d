//! A second implementation of a part of the language: it walks the expression as it is written,
//! keeps every value in a vector of its own and knows nothing of memory, borrows or wasm.
//!
//! It covers what `random` writes: numbers, `bytes`, views and vectors, the forms, and calls. It
//! expects a well-typed program and panics on anything else.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// A value at run time.
#[derive(Clone, Debug)]
enum Value {
    Number(i32),
    Bytes(Vec<u8>),
    View(Vec<u8>),
    Vector(Vec<u8>, usize),
}

/// Why an evaluation ended before its end.
enum Stop {
    Trap { reason: &'static str, pointer: String },
    Return(Value),
}

/// How a program ends.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Output(Vec<u8>),
    Trap { reason: &'static str, pointer: String },
}

/// Evaluates a program: its declarations, which are functions, and its expression.
pub fn run(decls: &[Json], solve: &Json, input: &[u8]) -> End {
    let mut machine = Machine { decls, input, scopes: vec![BTreeMap::new()] };
    match machine.value(solve, "/solve") {
        Ok(value) | Err(Stop::Return(value)) => End::Output(value.into_bytes()),
        Err(Stop::Trap { reason, pointer }) => End::Trap { reason, pointer },
    }
}

impl Value {
    fn number(&self) -> i32 {
        match self {
            Self::Number(number) => *number,
            other => panic!("{other:?} is no number"),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) | Self::View(bytes) | Self::Vector(bytes, _) => bytes,
            Self::Number(number) => panic!("{number} is no bytes"),
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        self.bytes().to_vec()
    }

    /// What a variable holds after its value was moved away.
    fn emptied(&self) -> Self {
        match self {
            Self::Bytes(_) => Self::Bytes(Vec::new()),
            Self::Vector(..) => Self::Vector(Vec::new(), 0),
            copied => copied.clone(),
        }
    }
}

struct Machine<'m> {
    decls: &'m [Json],
    input: &'m [u8],
    /// Open scopes of the function, the innermost last.
    scopes: Vec<BTreeMap<String, Value>>,
}

/// The pointer of an argument; the head of a list has the index 0.
fn at(pointer: &str, argument: usize) -> String {
    format!("{pointer}/{}", argument + 1)
}

fn text(node: &Json) -> &str {
    node.as_str().expect("a name or a text")
}

/// An operator on two numbers; `&&` and `||` are forms.
fn operator(head: &str, a: i32, b: i32) -> Option<i32> {
    let (x, y) = (a.cast_unsigned(), b.cast_unsigned());
    Some(match head {
        "+" => a.wrapping_add(b),
        "-" => a.wrapping_sub(b),
        "*" => a.wrapping_mul(b),
        "/" => x.checked_div(y).unwrap_or(0).cast_signed(),
        "%" => x.checked_rem(y).unwrap_or(x).cast_signed(),
        "&" => a & b,
        "|" => a | b,
        "^" => a ^ b,
        "<<u" => (x << (y & 31)).cast_signed(),
        ">>u" => (x >> (y & 31)).cast_signed(),
        "=" => i32::from(a == b),
        "!=" => i32::from(a != b),
        "<" => i32::from(a < b),
        "<=" => i32::from(a <= b),
        ">" => i32::from(a > b),
        ">=" => i32::from(a >= b),
        "<u" => i32::from(x < y),
        "<=u" => i32::from(x <= y),
        ">u" => i32::from(x > y),
        ">=u" => i32::from(x >= y),
        _ => return None,
    })
}

/// The capacity of a vector that must hold `needed` bytes.
fn grown(capacity: usize, needed: usize) -> usize {
    let mut capacity = capacity;
    while capacity < needed {
        capacity = (capacity * 2).max(1);
    }
    capacity
}

/// A part of some bytes; the numbers are unsigned.
fn part<'b>(bytes: &'b [u8], start: i32, length: i32, pointer: &str) -> Result<&'b [u8], Stop> {
    let (start, length) = (start.cast_unsigned() as usize, length.cast_unsigned() as usize);
    let end = start.checked_add(length);
    end.and_then(|end| bytes.get(start..end)).ok_or_else(|| out_of_bounds(pointer))
}

/// The byte at an index, which is unsigned.
fn element(bytes: &[u8], index: i32, pointer: &str) -> Result<usize, Stop> {
    let index = index.cast_unsigned() as usize;
    if index < bytes.len() { Ok(index) } else { Err(out_of_bounds(pointer)) }
}

fn out_of_bounds(pointer: &str) -> Stop {
    Stop::Trap { reason: "out_of_bounds", pointer: pointer.to_owned() }
}

fn small(number: i32) -> usize {
    usize::try_from(number).expect("a small number")
}

impl Machine<'_> {
    fn variable(&mut self, name: &str) -> &mut Value {
        let found = self.scopes.iter_mut().rev().find_map(|scope| scope.get_mut(name));
        found.unwrap_or_else(|| panic!("there is no variable {name}"))
    }

    fn number(&mut self, node: &Json, pointer: &str) -> Result<i32, Stop> {
        Ok(self.value(node, pointer)?.number())
    }

    /// Bytes that are only looked at: a variable keeps its value.
    fn borrowed(&mut self, node: &Json, pointer: &str) -> Result<Vec<u8>, Stop> {
        match node.as_str() {
            Some(name) if name != "input" => Ok(self.variable(name).bytes().to_vec()),
            _ => Ok(self.value(node, pointer)?.into_bytes()),
        }
    }

    /// Evaluates in a scope of its own.
    fn scoped(&mut self, node: &Json, pointer: &str) -> Result<Value, Stop> {
        self.scopes.push(BTreeMap::new());
        let outcome = self.value(node, pointer);
        self.scopes.pop();
        outcome
    }

    fn value(&mut self, node: &Json, pointer: &str) -> Result<Value, Stop> {
        if let Some(number) = node.as_i64() {
            return Ok(Value::Number(i32::try_from(number).expect("an i32")));
        }
        if let Some(name) = node.as_str() {
            if name == "input" {
                return Ok(Value::View(self.input.to_vec()));
            }
            let variable = self.variable(name);
            let emptied = variable.emptied();
            return Ok(std::mem::replace(variable, emptied));
        }
        let items = node.as_array().expect("an expression");
        let (head, args) = items.split_first().expect("a head");
        self.list(text(head), args, pointer)
    }

    fn list(&mut self, head: &str, args: &[Json], pointer: &str) -> Result<Value, Stop> {
        if let Some(outcome) = self.form(head, args, pointer) {
            return outcome;
        }
        if let Some(outcome) = self.in_place(head, args, pointer) {
            return outcome;
        }
        let found = self.decls.iter().position(|decl| decl["name"] == head);
        if let Some(number) = found {
            return self.call(number, args, pointer);
        }
        if operator(head, 0, 0).is_some() {
            let a = self.number(&args[0], &at(pointer, 0))?;
            let b = self.number(&args[1], &at(pointer, 1))?;
            return Ok(Value::Number(operator(head, a, b).expect("an operator")));
        }
        match head.split_once('.') {
            Some(("bytes" | "view" | "vec_u8", _)) => self.buffer_operation(head, args, pointer),
            _ => self.number_operation(head, args, pointer),
        }
    }

    fn form(&mut self, head: &str, args: &[Json], pointer: &str) -> Option<Result<Value, Stop>> {
        Some(match head {
            "begin" => self.begin(args, pointer),
            "let" => self.value(&args[1], &at(pointer, 1)).map(|value| {
                let scope = self.scopes.last_mut().expect("a scope");
                scope.insert(text(&args[0]).to_owned(), value);
                Value::Number(0)
            }),
            "set" | "set0" => self.value(&args[1], &at(pointer, 1)).map(|value| {
                let yielded = if head == "set" { value.clone() } else { Value::Number(0) };
                *self.variable(text(&args[0])) = value;
                yielded
            }),
            "if" => self.number(&args[0], &at(pointer, 0)).and_then(|condition| {
                let branch = if condition != 0 { 1 } else { 2 };
                self.scoped(&args[branch], &at(pointer, branch))
            }),
            "&&" | "||" => self.number(&args[0], &at(pointer, 0)).and_then(|left| {
                if (left != 0) == (head == "||") {
                    return Ok(Value::Number(i32::from(left != 0)));
                }
                let right = self.number(&args[1], &at(pointer, 1))?;
                Ok(Value::Number(i32::from(right != 0)))
            }),
            "for" => self.for_loop(args, pointer),
            "while" => self.while_loop(args, pointer),
            "return" => self.value(&args[0], &at(pointer, 0)).and_then(|value| Err(Stop::Return(value))),
            _ => return None,
        })
    }

    fn begin(&mut self, args: &[Json], pointer: &str) -> Result<Value, Stop> {
        self.scopes.push(BTreeMap::new());
        let mut outcome = Ok(Value::Number(0));
        for (number, arg) in args.iter().enumerate() {
            outcome = self.value(arg, &at(pointer, number));
            if outcome.is_err() {
                break;
            }
        }
        self.scopes.pop();
        outcome
    }

    /// The variable is always a new one in the programs of the tests.
    fn for_loop(&mut self, args: &[Json], pointer: &str) -> Result<Value, Stop> {
        let name = text(&args[0]);
        let start = self.number(&args[1], &at(pointer, 1))?;
        self.scopes.last_mut().expect("a scope").insert(name.to_owned(), Value::Number(start));
        let end = self.number(&args[2], &at(pointer, 2))?;
        while self.variable(name).number().cast_unsigned() < end.cast_unsigned() {
            self.scoped(&args[3], &at(pointer, 3))?;
            let next = self.variable(name).number().wrapping_add(1);
            *self.variable(name) = Value::Number(next);
        }
        Ok(Value::Number(0))
    }

    fn while_loop(&mut self, args: &[Json], pointer: &str) -> Result<Value, Stop> {
        while self.scoped(&args[0], &at(pointer, 0))?.number() != 0 {
            self.scoped(&args[1], &at(pointer, 1))?;
        }
        Ok(Value::Number(0))
    }

    fn call(&mut self, number: usize, args: &[Json], pointer: &str) -> Result<Value, Stop> {
        let decls = self.decls;
        let decl = &decls[number];
        let mut scope = BTreeMap::new();
        for (place, param) in decl["params"].as_array().expect("parameters").iter().enumerate() {
            let (arg, pointer) = (&args[place], at(pointer, place));
            let value = match text(&param["ty"]) {
                "bytes_view" => Value::View(self.borrowed(arg, &pointer)?),
                _ => self.value(arg, &pointer)?,
            };
            scope.insert(text(&param["name"]).to_owned(), value);
        }
        let outer = std::mem::replace(&mut self.scopes, vec![scope]);
        let outcome = self.value(&decl["body"], &format!("/decls/{number}/body"));
        self.scopes = outer;
        match outcome {
            Err(Stop::Return(value)) => Ok(value),
            other => other,
        }
    }

    /// Operations on a buffer that is handed through: a first operand that is a variable is taken
    /// after the others were evaluated.
    fn in_place(&mut self, head: &str, args: &[Json], pointer: &str) -> Option<Result<Value, Stop>> {
        let known = matches!(
            head,
            "bytes.set_u8"
                | "vec_u8.set"
                | "vec_u8.push"
                | "vec_u8.clear"
                | "vec_u8.reserve_exact"
                | "vec_u8.extend_zeroes"
                | "vec_u8.extend_bytes"
                | "vec_u8.extend_bytes_range"
                | "vec_u8.into_bytes"
        );
        known.then(|| self.change(head, args, pointer))
    }

    fn change(&mut self, head: &str, args: &[Json], pointer: &str) -> Result<Value, Stop> {
        let (target, rest) = args.split_first().expect("a buffer");
        let early = if target.is_string() { None } else { Some(self.value(target, &at(pointer, 0))?) };
        let mut added = Vec::new();
        let mut numbers = Vec::new();
        for (place, arg) in rest.iter().enumerate() {
            let pointer = at(pointer, place + 1);
            if place == 0 && head.starts_with("vec_u8.extend_bytes") {
                added = self.borrowed(arg, &pointer)?;
            } else {
                numbers.push(self.number(arg, &pointer)?);
            }
        }
        let buffer = match early {
            Some(value) => value,
            None => self.value(target, &at(pointer, 0))?,
        };
        let (mut bytes, mut capacity) = match buffer {
            Value::Bytes(bytes) => (bytes, 0),
            Value::Vector(bytes, capacity) => (bytes, capacity),
            other => panic!("{other:?} cannot be changed"),
        };
        match head {
            "bytes.set_u8" | "vec_u8.set" => {
                let index = element(&bytes, numbers[0], pointer)?;
                bytes[index] = numbers[1].to_le_bytes()[0];
            }
            "vec_u8.push" => {
                bytes.push(numbers[0].to_le_bytes()[0]);
                capacity = if bytes.len() > capacity { (capacity * 2).max(1) } else { capacity };
            }
            "vec_u8.clear" => bytes.clear(),
            "vec_u8.reserve_exact" => capacity = capacity.max(bytes.len() + small(numbers[0])),
            "vec_u8.into_bytes" => return Ok(Value::Bytes(bytes)),
            "vec_u8.extend_zeroes" => bytes.resize(bytes.len() + small(numbers[0]), 0),
            "vec_u8.extend_bytes" => bytes.extend_from_slice(&added),
            _ => bytes.extend_from_slice(part(&added, numbers[0], numbers[1], pointer)?),
        }
        if head == "bytes.set_u8" {
            return Ok(Value::Bytes(bytes));
        }
        let capacity = grown(capacity, bytes.len());
        Ok(Value::Vector(bytes, capacity))
    }

    fn buffer_operation(&mut self, head: &str, args: &[Json], pointer: &str) -> Result<Value, Stop> {
        let number = |machine: &mut Self, place: usize| machine.number(&args[place], &at(pointer, place));
        let bytes = |machine: &mut Self, place: usize| machine.borrowed(&args[place], &at(pointer, place));
        Ok(match head {
            "bytes.lit" => Value::Bytes(text(&args[0]).as_bytes().to_vec()),
            "bytes.view_lit" => Value::View(text(&args[0]).as_bytes().to_vec()),
            "bytes.empty" => Value::Bytes(Vec::new()),
            "bytes.alloc" => Value::Bytes(vec![0; small(number(self, 0)?)]),
            "bytes.view" | "vec_u8.as_view" => Value::View(bytes(self, 0)?),
            "bytes.len" | "view.len" | "vec_u8.len" => {
                Value::Number(i32::try_from(bytes(self, 0)?.len()).expect("a small length"))
            }
            "bytes.get_u8" | "view.get_u8" | "vec_u8.get" => {
                let (all, index) = (bytes(self, 0)?, number(self, 1)?);
                Value::Number(i32::from(all[element(&all, index, pointer)?]))
            }
            "view.slice" | "bytes.subview" => {
                let (all, start, length) = (bytes(self, 0)?, number(self, 1)?, number(self, 2)?);
                Value::View(part(&all, start, length, pointer)?.to_vec())
            }
            "bytes.slice" => {
                let (all, start, length) = (bytes(self, 0)?, number(self, 1)?, number(self, 2)?);
                Value::Bytes(part(&all, start, length, pointer)?.to_vec())
            }
            "view.to_bytes" => Value::Bytes(bytes(self, 0)?),
            "bytes.eq" => Value::Number(i32::from(bytes(self, 0)? == bytes(self, 1)?)),
            "bytes.cmp_range" => {
                let (a, a_start, a_length) = (bytes(self, 0)?, number(self, 1)?, number(self, 2)?);
                let (b, b_start, b_length) = (bytes(self, 3)?, number(self, 4)?, number(self, 5)?);
                let a = part(&a, a_start, a_length, pointer)?;
                let b = part(&b, b_start, b_length, pointer)?;
                Value::Number(a.cmp(b) as i32)
            }
            "bytes.concat" => {
                let mut first = self.value(&args[0], &at(pointer, 0))?.into_bytes();
                first.extend(self.value(&args[1], &at(pointer, 1))?.into_bytes());
                Value::Bytes(first)
            }
            "bytes.copy" => {
                let source = self.value(&args[0], &at(pointer, 0))?.into_bytes();
                let mut target = self.value(&args[1], &at(pointer, 1))?.into_bytes();
                match target.get_mut(..source.len()) {
                    Some(start) => start.copy_from_slice(&source),
                    None => return Err(out_of_bounds(pointer)),
                }
                Value::Bytes(target)
            }
            "vec_u8.with_capacity" => Value::Vector(Vec::new(), small(number(self, 0)?)),
            "vec_u8.cap" => match self.variable(text(&args[0])) {
                Value::Vector(_, capacity) => Value::Number(i32::try_from(*capacity).expect("a small capacity")),
                other => panic!("{other:?} has no capacity"),
            },
            other => panic!("{other} is not known"),
        })
    }

    fn number_operation(&mut self, head: &str, args: &[Json], pointer: &str) -> Result<Value, Stop> {
        if head == "parse.u32_dec" {
            let digits = self.borrowed(&args[0], &at(pointer, 0))?;
            let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            let parsed = String::from_utf8(digits).ok().filter(|_| plain).and_then(|digits| digits.parse::<u32>().ok());
            return match parsed {
                Some(number) => Ok(Value::Number(number.cast_signed())),
                None => Err(Stop::Trap { reason: "parse_failed", pointer: pointer.to_owned() }),
            };
        }
        if head == "codec.read_u32_le" {
            let bytes = self.borrowed(&args[0], &at(pointer, 0))?;
            let offset = self.number(&args[1], &at(pointer, 1))?;
            let word: [u8; 4] = part(&bytes, offset, 4, pointer)?.try_into().expect("four bytes");
            return Ok(Value::Number(i32::from_le_bytes(word)));
        }
        let number = self.number(&args[0], &at(pointer, 0))?;
        Ok(match head {
            "bytes1" => Value::Bytes(vec![number.to_le_bytes()[0]]),
            "fmt.u32_to_dec" => Value::Bytes(number.cast_unsigned().to_string().into_bytes()),
            "fmt.s32_to_dec" => Value::Bytes(number.to_string().into_bytes()),
            "codec.write_u32_le" => Value::Bytes(number.to_le_bytes().to_vec()),
            "prng.lcg_next_u32" => Value::Number(number.wrapping_mul(1_103_515_245).wrapping_add(12_345)),
            other => panic!("{other} is not known"),
        })
    }
}

#[test]
fn the_interpreter_itself() {
    let solve = serde_json::json!([
        "begin",
        ["let", "v", ["vec_u8.with_capacity", 0]],
        ["for", "i", 0, 3, ["set", "v", ["vec_u8.push", "v", ["+", 65, "i"]]]],
        ["let", "c", ["fmt.u32_to_dec", ["vec_u8.cap", "v"]]],
        ["bytes.concat", ["vec_u8.into_bytes", "v"], "c"]
    ]);
    assert_eq!(run(&[], &solve, b""), End::Output(b"ABC4".to_vec()));
    let trap = End::Trap { reason: "out_of_bounds", pointer: "/solve/1".to_owned() };
    assert_eq!(run(&[], &serde_json::json!(["bytes1", ["view.get_u8", "input", 2]]), b"ab"), trap);
    let halved = serde_json::json!(["fmt.s32_to_dec", ["/", -1, 2]]);
    assert_eq!(run(&[], &halved, b""), End::Output(b"2147483647".to_vec()));
}
