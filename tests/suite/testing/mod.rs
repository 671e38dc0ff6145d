//! `check` and `test`: what is wrong with a program, and what its tests do.
//!
//! | module | promise |
//! |---|---|
//! | `check` | every problem of a program, what was read, nothing written |
//! | `manifest` | manifests of tests that are refused, and where |
//! | `selection` | which tests run; lists; nothing to run |
//! | `outcomes` | results, status records, traps, limits, and what is expected |
//! | `sources` | module roots, inputs, tests that do not compile |
//! | `runs` | order, the end at the first surprise, threads, repetition, lines for people |
//! | `properties` | property tests: cases, counterexamples |

mod check;
mod manifest;
mod outcomes;
mod properties;
mod runs;
mod selection;
mod sources;

use crate::support::Place;
use serde_json::{Value, json};

/// A function without parameters: name, type of its result, body.
type Function<'a> = (&'a str, &'a str, Value);

/// The text of the module `checks` with these functions, all exported.
fn module(functions: &[Function<'_>]) -> String {
    let names: Vec<String> = functions.iter().map(|(name, _, _)| format!("checks.{name}")).collect();
    let mut decls = vec![json!({ "kind": "export", "names": names })];
    for ((_, result, body), name) in functions.iter().zip(&names) {
        decls.push(json!({ "kind": "defn", "name": name, "params": [], "result": result, "body": body }));
    }
    let text = json!({ "schema_version": "x07.x07ast@0.8.0", "kind": "module", "module_id": "checks", "imports": [], "decls": decls });
    text.to_string()
}

/// The text of a manifest with these tests.
fn manifest(tests: &Value) -> String {
    json!({ "schema_version": "x07.tests_manifest@0.2.0", "tests": tests }).to_string()
}

/// A folder with the project `app`, which has the module `checks` beside its tests.
fn suite(functions: &[Function<'_>], tests: &Value) -> Place {
    let place = Place::new();
    place.project("app", &json!(["bytes.alloc", 0]));
    place.write("app/tests/checks.x07.json", module(functions));
    place.write("app/tests/tests.json", manifest(tests));
    place
}

/// A test whose function returns a result.
fn of_result(id: &str, function: &str) -> Value {
    json!({ "id": id, "world": "solve-pure", "entry": format!("checks.{function}") })
}

/// A test whose function returns a status record.
fn of_record(id: &str, function: &str) -> Value {
    json!({ "id": id, "world": "solve-pure", "entry": format!("checks.{function}"), "returns": "bytes_status_v1" })
}

/// An object with some members more.
fn with(mut object: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().expect("an object") {
        object[name] = value.clone();
    }
    object
}

/// An expression that gives these bytes.
fn bytes(content: &[u8]) -> Value {
    let mut body = vec![json!("begin"), json!(["let", "v", ["vec_u8.with_capacity", content.len()]])];
    body.extend(content.iter().map(|byte| json!(["set", "v", ["vec_u8.push", "v", byte]])));
    body.push(json!(["vec_u8.into_bytes", "v"]));
    Value::Array(body)
}

/// An expression that never ends.
fn endless() -> Value {
    json!(["begin", ["while", 1, ["begin", 0]], ["result_i32.ok", 0]])
}

/// Runs the tests of `app`.
fn run(place: &Place, options: &str) -> crate::support::Run {
    place.run(&format!("test --project app/x07.json {options} --json"))
}

/// The test with this id in a report.
#[track_caller]
fn found<'r>(report: &'r Value, id: &str) -> &'r Value {
    let list = report["result"]["tests"].as_array().expect("a list");
    list.iter().find(|t| t["id"] == id).unwrap_or_else(|| panic!("no test {id:?} in {report:#}"))
}

/// The first diagnostic with this code.
#[track_caller]
fn diagnostic<'r>(report: &'r Value, code: &str) -> &'r Value {
    let list = report["diagnostics"].as_array().expect("a list");
    list.iter().find(|d| d["code"] == code).unwrap_or_else(|| panic!("no {code} in {report:#}"))
}
