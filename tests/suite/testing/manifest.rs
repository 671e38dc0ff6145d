//! Manifests of tests that are refused, and where.

use super::{diagnostic, manifest, module, of_result, run, suite, with};
use crate::support::Place;
use serde_json::{Value, json};

/// The report of a manifest with these tests, which is refused.
#[track_caller]
fn refused(tests: &Value) -> Value {
    let place = suite(&[("ok", "result_i32", json!(["result_i32.ok", 0]))], tests);
    run(&place, "").expect(3, "X07WASM_TEST_MANIFEST_INVALID")
}

#[test]
fn a_manifest_that_is_missing_is_named() {
    let place = Place::new();
    let report = place.run("test --json").expect(3, "X07WASM_TEST_MANIFEST_READ_FAILED");
    assert_eq!(report["result"]["manifest"]["path"], "tests/tests.json");
    let report = place.run("test --project a/x07.json --json").expect(3, "X07WASM_TEST_MANIFEST_READ_FAILED");
    assert_eq!(report["result"]["manifest"]["path"], "a/tests/tests.json");
    let report = place.run("test --manifest other.json --json").expect(3, "X07WASM_TEST_MANIFEST_READ_FAILED");
    assert_eq!(report["result"]["manifest"]["path"], "other.json");
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    let place = suite(&[], &json!([]));
    place.write("app/tests/tests.json", "{\n  \"tests\": [,]\n}");
    let report = run(&place, "").expect(3, "X07WASM_TEST_MANIFEST_INVALID");
    let found = diagnostic(&report, "X07WASM_TEST_MANIFEST_INVALID");
    assert_eq!(found["loc"]["span"]["start"]["line"], 2, "{found:#}");
}

#[test]
fn every_violation_of_the_schema_is_reported() {
    let report = refused(
        &json!([{ "id": "", "world": "solve-pure", "entry": "no_dot" }, { "id": "b", "world": "x", "entry": "a.b" }]),
    );
    let places: Vec<&str> = report["diagnostics"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|d| d["data"]["instance_path"].as_str())
        .collect();
    for place in ["/tests/0/id", "/tests/0/entry", "/tests/1/world"] {
        assert!(places.contains(&place), "{places:?}");
    }
}

#[test]
fn an_id_belongs_to_one_test() {
    let report = refused(&json!([of_result("a", "ok"), of_result("b", "ok"), of_result("a", "ok")]));
    let found = diagnostic(&report, "X07WASM_TEST_MANIFEST_INVALID");
    assert_eq!(found["data"]["instance_path"], "/tests/2/id");
}

#[test]
fn inputs_need_the_newer_version_and_sense() {
    let place = Place::new();
    place.project("app", &json!(["bytes.alloc", 0]));
    place.write("app/tests/checks.x07.json", module(&[("ok", "result_i32", json!(["result_i32.ok", 0]))]));
    let old = |tests: Value| json!({ "schema_version": "x07.tests_manifest@0.1.0", "tests": tests }).to_string();
    place.write("app/tests/tests.json", old(json!([of_result("a", "ok")])));
    run(&place, "").ok();
    let with_input = with(of_result("a", "ok"), &json!({ "input_b64": "" }));
    place.write("app/tests/tests.json", old(json!([with_input])));
    run(&place, "").expect(3, "X07WASM_TEST_MANIFEST_INVALID");
    place.write("app/tests/tests.json", manifest(&json!([with_input])));
    run(&place, "").ok();
    for wrong in
        [json!({ "input_b64": "?" }), json!({ "input_b64": "", "input_path": "a" }), json!({ "input_path": "../a" })]
    {
        refused(&json!([with(of_result("a", "ok"), &wrong)]));
    }
}

#[test]
fn members_of_other_worlds_are_refused() {
    for member in [
        json!({ "fixture_root": "f" }),
        json!({ "policy_json": "p" }),
        json!({ "require_runtime_attestation": true }),
        json!({ "required_capsules": [] }),
        json!({ "sandbox_smoke": false }),
    ] {
        refused(&json!([with(of_result("a", "ok"), &member)]));
    }
}

#[test]
fn a_property_returns_records_and_has_no_input_of_its_own() {
    let property = json!({ "returns": "bytes_status_v1", "pbt": {} });
    refused(&json!([with(of_result("a", "ok"), &json!({ "pbt": {} }))]));
    refused(&json!([with(with(of_result("a", "ok"), &property), &json!({ "input_b64": "" }))]));
    let empty_range = json!({ "params": [{ "name": "n", "kind": "i32", "min": 1, "max": 0 }] });
    let report = refused(&json!([with(with(of_result("a", "ok"), &property), &json!({ "pbt": empty_range }))]));
    let found = diagnostic(&report, "X07WASM_TEST_MANIFEST_INVALID");
    assert_eq!(found["data"]["instance_path"], "/tests/0/pbt/params/0");
}
