//! Property tests: cases, counterexamples.

use super::{bytes, found, of_record, run, suite, with};
use crate::support::Place;
use serde_json::{Value, json};

/// A function that fails with the code 9 when this holds, and passes otherwise. The variable `at`
/// is where the arguments begin in the case.
fn fails_when(condition: Value) -> Value {
    json!([
        "begin",
        ["let", "at", ["+", 8, ["*", 4, ["codec.read_u32_le", "input", 0]]]],
        ["if", condition, bytes(&[0, 9, 0, 0, 0]), bytes(&[1, 0, 0, 0, 0])]
    ])
}

/// A folder with one property `p`.
fn property(condition: Value, pbt: Value) -> Place {
    let test = with(of_record("p", "f"), &json!({ "pbt": pbt }));
    suite(&[("f", "bytes", fails_when(condition))], &json!([test]))
}

#[test]
fn a_property_that_holds_is_tried_on_every_case() {
    let place = property(json!(0), json!({ "cases": 25, "params": [{ "name": "n", "kind": "i32" }] }));
    let report = run(&place, "--pbt").ok();
    let test = found(&report, "p");
    assert_eq!((&test["outcome"], &test["runs"], &test["property"]), (&json!("pass"), &json!(25), &json!(true)));
    assert_eq!(test["counterexample"], Value::Null);
    let report = run(&place, "--pbt --repeat 3").ok();
    assert_eq!(found(&report, "p")["runs"], 75);
}

#[test]
fn a_hundred_cases_without_arguments_are_the_default() {
    let place = property(json!(["!=", ["codec.read_u32_le", "input", 0], 0]), json!({}));
    let report = run(&place, "--all").ok();
    assert_eq!(found(&report, "p")["runs"], 100);
}

#[test]
fn the_smallest_number_for_which_it_fails_is_found() {
    let condition = json!([">=", ["codec.read_u32_le", "input", "at"], 1000]);
    let place = property(
        condition,
        json!({ "seed": 3, "params": [{ "name": "n", "kind": "i32", "min": 0, "max": 1_000_000 }] }),
    );
    let report = run(&place, "--pbt").expect(1, "X07WASM_TEST_FAILED");
    let test = found(&report, "p");
    assert_eq!((&test["outcome"], &test["code"]), (&json!("fail"), &json!(9)));
    let example = &test["counterexample"];
    assert_eq!(example["arguments"], json!([{ "name": "n", "kind": "i32", "value_i32": 1000, "hex": null }]));
    assert_eq!(example["seed"], 3);
    // One argument: its number, two offsets, four bytes.
    assert_eq!(example["input_hex"], "010000000000000004000000e8030000");
}

#[test]
fn the_shortest_bytes_for_which_it_fails_are_found() {
    let length = json!(["-", ["view.len", "input"], "at"]);
    let place =
        property(json!([">=", length, 3]), json!({ "params": [{ "name": "b", "kind": "bytes", "max_len": 20 }] }));
    let report = run(&place, "--pbt").expect(1, "X07WASM_TEST_FAILED");
    let example = &found(&report, "p")["counterexample"];
    assert_eq!(example["arguments"][0]["hex"], "000000", "{example:#}");
}

#[test]
fn a_seed_and_bounds_decide_the_cases() {
    let params = json!([{ "name": "n", "kind": "i32", "min": 5, "max": 9 }]);
    let n = json!(["codec.read_u32_le", "input", "at"]);
    let outside = json!(["||", ["<", n, 5], [">", n, 9]]);
    run(&property(outside, json!({ "cases": 300, "params": params })), "--pbt").ok();
    let place = property(json!(["=", n, 8]), json!({ "cases": 300, "seed": 1, "max_shrinks": 0, "params": params }));
    let [first, second] = [run(&place, "--pbt").report(), run(&place, "--pbt").report()];
    assert_eq!(first["result"], second["result"]);
    assert_eq!(found(&first, "p")["counterexample"]["shrinks"], 0);
}

#[test]
fn an_argument_that_traps_is_a_counterexample() {
    let read =
        json!(["=", ["view.get_u8", "input", ["+", "at", ["&", ["codec.read_u32_le", "input", "at"], 255]]], 77]);
    let place = property(read, json!({ "params": [{ "name": "n", "kind": "i32", "min": 0, "max": 200 }] }));
    let report = run(&place, "--pbt").expect(1, "X07WASM_RUN_FAILED");
    let test = found(&report, "p");
    assert_eq!((&test["outcome"], &test["trap"]["cause"]), (&json!("trap"), &json!("out_of_bounds")));
    assert_eq!(test["counterexample"]["arguments"][0]["value_i32"], 4);
}

#[test]
fn a_property_that_never_applies_is_skipped() {
    let test = with(of_record("p", "f"), &json!({ "pbt": { "cases": 4 } }));
    let place = suite(&[("f", "bytes", bytes(&[2, 0, 0, 0, 0]))], &json!([test]));
    let report = run(&place, "--pbt").ok();
    assert_eq!(found(&report, "p")["outcome"], "skip");
}
