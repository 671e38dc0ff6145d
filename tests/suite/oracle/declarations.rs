//! Random programs: functions, async functions, and the entry's expression.

use serde_json::{Value, json};

use super::generate::Writer;
use super::kinds::{Features, Kind, Role, Signature};
use crate::language::program::{Program, entry};

/// Most functions of a program besides the fixed ones.
const MOST_FUNCTIONS: usize = 4;

/// The program of a tape.
pub fn program(tape: &[u32], features: Features) -> Program {
    let mut writer = Writer::new(tape, features);
    let mut decls = fixed(features);
    writer.callees.push(Signature {
        name: "main.count".to_owned(),
        params: vec![Kind::Number, Kind::View],
        result: Kind::Number,
    });
    for number in 0..writer.choices.below(MOST_FUNCTIONS + 1) {
        decls.push(function(&mut writer, number));
    }
    if features.tasks {
        decls.push(async_function(&mut writer, "main.leaf", Kind::Bytes));
        decls.push(async_function(&mut writer, "main.risk", Kind::ResultBytes));
    }
    let solve = solve(&mut writer);
    let decls = Value::Array(decls).to_string();
    Program::of_entry(entry("x07.x07ast@0.9.0", "[]", &decls, &solve.to_string()))
}

/// Functions and types that all programs have.
fn fixed(features: Features) -> Vec<Value> {
    let param = |name: &str, ty: Value| json!({ "name": name, "ty": ty });
    let mut decls = vec![json!({
        "kind": "defn", "name": "main.count",
        "params": [param("n", json!("i32")), param("v", json!("bytes_view"))], "result": "i32",
        "body": ["begin", ["set", "n", ["&", "n", 15]],
            ["if", ["=", "n", 0], ["view.len", "v"], ["+", 1, ["main.count", ["-", "n", 1], "v"]]]],
    })];
    if !features.library {
        return decls;
    }
    let variable = || json!(["t", "A"]);
    let generic = |name: &str, bound: &str, result: Value, body: Value| {
        json!({
            "kind": "defn", "name": name, "type_params": [{ "name": "A", "bound": bound }],
            "params": [param("a", variable()), param("b", variable())], "result": result, "body": body,
        })
    };
    decls.push(generic("main.order", "orderable", json!("i32"), json!(["ty.cmp", ["t", "A"], "a", "b"])));
    decls.push(generic("main.sum", "num_like", variable(), json!(["ty.add", ["t", "A"], "a", "b"])));
    decls.push(generic("main.same", "any", json!("i32"), json!(["ty.eq", ["t", "A"], "a", "b"])));
    decls.push(json!({
        "kind": "defn", "name": "main.mix", "type_params": [{ "name": "A", "bound": "hashable" }],
        "params": [param("a", variable())], "result": "i32", "body": ["ty.hash32", ["t", "A"], "a"],
    }));
    decls.push(json!({
        "kind": "defn", "name": "main.pick", "type_params": [{ "name": "A", "bound": "any" }],
        "params": [param("c", json!("i32")), param("a", variable()), param("b", variable())],
        "result": variable(), "body": ["if", "c", "a", "b"],
    }));
    decls.push(json!({
        "kind": "defn", "name": "main.valid", "params": [param("v", json!("bytes_view"))], "result": "result_i32",
        "body": ["if", ["&", ["view.len", "v"], 1], ["result_i32.err", ["view.len", "v"]], ["result_i32.ok", 0]],
    }));
    let field = |name: &str| json!({ "name": name, "ty": "i32" });
    decls.push(json!({ "kind": "defrecord", "name": "main.P", "fields": [field("x"), field("y")] }));
    decls.push(json!({
        "kind": "defenum", "name": "main.E",
        "variants": [{ "name": "None" }, { "name": "One", "payload": "i32" }, { "name": "Two", "payload": "u32" }],
    }));
    decls
}

/// A function that may call those before it.
fn function(writer: &mut Writer<'_>, number: usize) -> Value {
    let name = format!("main.f{number}");
    let params: Vec<Kind> = (0..1 + writer.choices.below(3)).map(|_| writer.choices.pick(&Kind::ALL)).collect();
    let result = writer.choices.pick(&Kind::ALL);
    // What a view that is yielded points into is one parameter.
    let result = if result == Kind::View { Kind::Number } else { result };
    let mut list = Vec::new();
    for (place, kind) in params.iter().enumerate() {
        let param = format!("p{place}");
        list.push(json!({ "name": param, "ty": kind.name() }));
        writer.declare(param, *kind, Role::Plain);
    }
    writer.result = result;
    let body = body(writer, result, 1);
    writer.end_scope(0);
    writer.callees.push(Signature { name: name.clone(), params, result });
    json!({ "kind": "defn", "name": name, "params": list, "result": result.name(), "body": body })
}

/// An async function `(n: i32, b: bytes)`. `main.risk` starts tasks of `main.leaf`, which starts
/// none: else there would be no end of tasks.
fn async_function(writer: &mut Writer<'_>, name: &str, result: Kind) -> Value {
    writer.declare("n".to_owned(), Kind::Number, Role::Plain);
    writer.declare("b".to_owned(), Kind::Bytes, Role::Plain);
    writer.result = result;
    writer.waits = name == "main.risk";
    let inner = body(writer, result, 1);
    let kinds: [Value; 3] = [json!(["task.yield"]), json!(["task.sleep", ["&", "n", 3]]), json!(0)];
    let (before, during) = (writer.choices.pick(&kinds), writer.choices.pick(&kinds));
    writer.waits = false;
    writer.end_scope(0);
    let rounds = json!(["for", "round", 0, ["&", "n", 3], ["begin", during, 0]]);
    let params = [json!({ "name": "n", "ty": "i32" }), json!({ "name": "b", "ty": "bytes" })];
    json!({
        "kind": "defasync", "name": name, "params": params, "result": result.name(),
        "body": ["begin", before, rounds, inner],
    })
}

/// Statements, then a value.
fn body(writer: &mut Writer<'_>, result: Kind, loops: usize) -> Value {
    let mark = writer.vars.len();
    let mut list = vec![json!("begin")];
    for _ in 0..writer.choices.below(4) {
        list.push(writer.statement(2, loops));
    }
    list.push(writer.expr(result, 3));
    writer.end_scope(mark);
    Value::Array(list)
}

/// The entry's expression. What its variables hold at the end is shown.
fn solve(writer: &mut Writer<'_>) -> Value {
    writer.result = Kind::Bytes;
    writer.waits = writer.features.tasks;
    writer.risks = writer.waits;
    let mut list = vec![json!("begin")];
    for (name, kind) in [("x", Kind::Number), ("b", Kind::Bytes), ("v", Kind::Vector)] {
        let value = writer.expr(kind, 2);
        list.push(json!(["let", name, value]));
        writer.declare(name.to_owned(), kind, Role::Plain);
    }
    for _ in 0..2 + writer.choices.below(7) {
        list.push(writer.statement(3, 2));
    }
    list.push(json!(["let", "out", ["vec_u8.with_capacity", 0]]));
    for var in writer.find(|var| !var.moved) {
        let name = writer.var_name(var);
        let shown = match writer.vars[var].kind {
            Kind::Number => json!(["fmt.s32_to_dec", name]),
            Kind::Float => json!(["fmt.s32_to_dec", ["f64.to_i32_trunc", name]]),
            Kind::Bytes | Kind::View => name,
            Kind::Vector => json!(["vec_u8.as_view", name]),
            Kind::OptionNumber => json!(["fmt.s32_to_dec", ["option_i32.unwrap_or", name, -7]]),
            Kind::ResultNumber => json!(["fmt.s32_to_dec", ["result_i32.err_code", name]]),
            Kind::OptionBytes => json!(["fmt.s32_to_dec", ["option_bytes.is_some", name]]),
            Kind::ResultBytes => json!(["fmt.s32_to_dec", ["result_bytes.err_code", name]]),
        };
        list.push(json!(["set", "out", ["vec_u8.extend_bytes", "out", shown]]));
        list.push(json!(["set", "out", ["vec_u8.push", "out", 32]]));
    }
    list.push(json!(["vec_u8.into_bytes", "out"]));
    writer.end_scope(0);
    Value::Array(list)
}
