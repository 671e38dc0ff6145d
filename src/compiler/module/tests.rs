//! Whole files, good and bad: which problems are reported, and where.

use serde_json::{Value, json};
use x07_wasm_contracts::diagnostics::Code;

use super::{Expect, read};
use crate::compiler::problem::Sink;

fn found(document: &Value, expect: Expect<'_>) -> Vec<(Code, String)> {
    let text = document.to_string();
    let mut sink = Sink::default();
    let _ = read(0, "main", "main.x07.json", &text, expect, &mut sink);
    sink.finish(&[&text]).into_iter().map(|problem| (problem.code, problem.pointer)).collect()
}

fn entry(version: &str, decls: Value, solve: Value) -> Value {
    json!({"schema_version": version, "kind": "entry", "module_id": "main", "imports": [], "decls": decls, "solve": solve})
}

fn pointers(decls: Value, solve: Value) -> Vec<String> {
    let found = found(&entry("x07.x07ast@0.9.0", decls, solve), Expect::Entry);
    assert!(found.iter().all(|(code, _)| *code == Code::X07X07astParse0001), "{found:?}");
    found.into_iter().map(|(_, pointer)| pointer).collect()
}

#[test]
fn well_formed_entry() {
    let decls = json!([{"kind": "defn", "name": "main.f", "params": [{"name": "x", "ty": "i32"}], "result": ["option", "i32"],
        "body": ["bytes.lit", "any text\n"]}]);
    assert!(pointers(decls, json!(["main.f", -2147483648])).is_empty());
}

#[test]
fn expressions() {
    let solve = json!([
        "f",
        1.5,
        2147483648u32,
        "a b",
        [],
        [1],
        ["g h"],
        null,
        true,
        {},
        ["bytes.lit", ""],
        ["bytes.view_lit", "a b"]
    ]);
    assert_eq!(
        pointers(json!([]), solve),
        [
            "/solve/1",
            "/solve/2",
            "/solve/3",
            "/solve/4",
            "/solve/5/0",
            "/solve/6/0",
            "/solve/7",
            "/solve/8",
            "/solve/9"
        ]
    );
}

#[test]
fn parameters_and_types() {
    let decls = json!([{"kind": "defn", "name": "main.f", "params": [
        {"name": "input", "ty": "i32"}, {"name": "a", "ty": "string"}, {"name": "b", "ty": "i32"}, {"name": "b", "ty": "i32"},
        {"name": "c-d", "ty": "i32"}, {"name": "e", "ty": ["t", "A"]}, {"ty": "i32"}], "result": "i32", "body": 0}]);
    assert_eq!(
        pointers(decls, json!(0)),
        [
            "/decls/0/params/0/name",
            "/decls/0/params/1/ty",
            "/decls/0/params/3/name",
            "/decls/0/params/4/name",
            "/decls/0/params/5/ty",
            "/decls/0/params/6"
        ]
    );
}

#[test]
fn versions_gate_features() {
    let clause = json!([{"kind": "defn", "name": "main.f", "params": [], "result": "i32", "body": 0, "requires": [{"expr": 1}]}]);
    let old = entry("x07.x07ast@0.4.0", clause.clone(), json!(0));
    assert_eq!(found(&old, Expect::Entry), [(Code::X07X07astParse0001, "/decls/0/requires".to_owned())]);
    assert!(found(&entry("x07.x07ast@0.5.0", clause, json!(0)), Expect::Entry).is_empty());
    let record = json!([{"kind": "defrecord", "name": "main.R", "fields": [{"name": "x", "ty": "i32"}]}]);
    let old = entry("x07.x07ast@0.8.0", record, json!(0));
    assert_eq!(found(&old, Expect::Entry), [(Code::X07X07astParse0001, "/decls/0/kind".to_owned())]);
    let newer = entry("x07.x07ast@0.10.0", json!([]), json!(0));
    assert_eq!(found(&newer, Expect::Entry), [(Code::X07X07astParse0001, "/schema_version".to_owned())]);
}

#[test]
fn brands_need_a_type_that_carries_them() {
    let decls = json!([{"kind": "defn", "name": "main.f", "params": [{"name": "x", "ty": "i32", "brand": "a.b"}],
        "result": "bytes", "result_brand": "a.b", "body": ["bytes.empty"]}]);
    let found = found(&entry("x07.x07ast@0.9.0", decls, json!(0)), Expect::Entry);
    assert_eq!(found, [(Code::EBrandBadTy, "/decls/0/params/0/brand".to_owned())]);
}

#[test]
fn modules_export_what_they_define() {
    let module = |decls: Value| json!({"schema_version": "x07.x07ast@0.9.0", "kind": "module", "module_id": "a.b", "imports": [], "decls": decls});
    let defn = json!({"kind": "defn", "name": "a.b.f", "params": [], "result": "i32", "body": 0});
    let fine = module(json!([{"kind": "export", "names": ["a.b.f"]}, defn]));
    assert!(found(&fine, Expect::Module("a.b")).is_empty());
    let wrong =
        module(json!([{"kind": "export", "names": ["a.b.g", "c.f"]}, {"kind": "export", "names": ["a.b.f"]}, defn]));
    let wrong = found(&wrong, Expect::Module("a.b"));
    assert_eq!(
        wrong.iter().map(|(_, p)| p.as_str()).collect::<Vec<_>>(),
        ["/decls/0/names/0", "/decls/0/names/1", "/decls/1"]
    );
    assert_eq!(found(&module(json!([defn])), Expect::Module("a.b")).len(), 1);
    assert!(found(&fine, Expect::Module("a.c")).iter().any(|(_, pointer)| pointer == "/module_id"));
}
