//! Module roots, inputs, tests that do not compile.

use super::{bytes, diagnostic, found, manifest, module, of_record, of_result, run, suite, with};
use crate::support::Place;
use serde_json::{Value, json};

/// A function that passes exactly when the input is this text.
fn input_is(text: &str) -> Value {
    let pass = bytes(&[1, 0, 0, 0, 0]);
    let fail = bytes(&[0, 9, 0, 0, 0]);
    json!(["if", ["view.eq", "input", ["bytes.view_lit", text]], pass, fail])
}

#[test]
fn the_input_is_empty_or_in_the_manifest_or_in_a_file() {
    let functions = [("none", "bytes", input_is("")), ("abc", "bytes", input_is("abc"))];
    let tests = json!([
        of_record("empty", "none"),
        with(of_record("in base64", "abc"), &json!({ "input_b64": "YWJj" })),
        with(of_record("in a file", "abc"), &json!({ "input_path": "data/abc.bin" })),
    ]);
    let place = suite(&functions, &tests);
    place.write("app/tests/data/abc.bin", "abc");
    let report = run(&place, "").ok();
    assert_eq!(report["result"]["summary"]["as_expected"], 3);
    let inputs = report["meta"]["inputs"].as_array().expect("a list");
    assert!(inputs.iter().any(|i| i["path"] == "app/tests/data/abc.bin"), "{inputs:?}");
}

#[test]
fn an_input_that_is_missing_is_named_before_anything_runs() {
    let tests = json!([of_record("a", "ok"), with(of_record("b", "ok"), &json!({ "input_path": "data/no.bin" }))]);
    let place = suite(&[("ok", "bytes", bytes(&[1, 0, 0, 0, 0]))], &tests);
    let report = run(&place, "").expect(3, "X07WASM_TEST_INPUT_READ_FAILED");
    assert_eq!(diagnostic(&report, "X07WASM_TEST_INPUT_READ_FAILED")["data"]["test"], "b");
    assert_eq!(report["result"]["tests"], json!([]));
    // A test that is not selected needs no input.
    run(&place, "--filter a --exact").ok();
}

#[test]
fn a_project_gives_its_modules_whatever_its_world_and_its_entry_are() {
    let place = suite(&[("ok", "bytes", bytes(&[1, 0, 0, 0, 0]))], &json!([of_record("a", "ok")]));
    let manifest = String::from_utf8(place.read("app/x07.json")).expect("text");
    let manifest = manifest.replace("solve-pure", "run-os").replace("main.x07.json", "none.x07.json");
    assert!(manifest.contains("run-os") && manifest.contains("none.x07.json"), "{manifest}");
    place.write("app/x07.json", manifest);
    assert_eq!(run(&place, "").ok()["result"]["summary"]["as_expected"], 1);
}

/// The text of a module with one function, which passes.
fn passing(module: &str) -> String {
    let name = format!("{module}.ok");
    let defn =
        json!({ "kind": "defn", "name": name, "params": [], "result": "result_i32", "body": ["result_i32.ok", 0] });
    json!({ "schema_version": "x07.x07ast@0.8.0", "kind": "module", "module_id": module, "imports": [], "decls": [{ "kind": "export", "names": [name] }, defn] })
        .to_string()
}

fn test_of(module: &str) -> Value {
    json!({ "id": module, "world": "solve-pure", "entry": format!("{module}.ok") })
}

#[test]
fn modules_are_found_in_the_roots_the_project_and_beside_the_tests() {
    let place = Place::new();
    place.project("app", &json!(["bytes.alloc", 0]));
    place.write("app/src/inner.x07.json", passing("inner"));
    place.write("app/outer.x07.json", passing("outer"));
    place.write("app/checks/unit/beside.x07.json", passing("beside"));
    place.write("app/checks/unit/list.json", manifest(&json!([test_of("inner"), test_of("outer"), test_of("beside")])));
    // Found upward from the manifest.
    let report = place.run("test --manifest app/checks/unit/list.json --json").ok();
    assert_eq!(report["result"]["module_roots"], json!(["app/src", "app", "app/checks/unit"]));
    assert_eq!(report["result"]["summary"]["as_expected"], 3);
    let told = place.run("test --project app/x07.json --manifest app/checks/unit/list.json --json").ok();
    assert_eq!(told["result"]["tests"], report["result"]["tests"]);
}

#[test]
fn without_a_project_the_folder_of_the_manifest_is_the_root() {
    let place = Place::new();
    place.write("tests/beside.x07.json", passing("beside"));
    place.write("tests/tests.json", manifest(&json!([test_of("beside")])));
    let report = place.run("test --json").ok();
    assert_eq!(report["result"]["module_roots"], json!(["tests"]));
}

#[test]
fn roots_that_are_told_replace_all_others() {
    let place = suite(&[("ok", "result_i32", json!(["result_i32.ok", 0]))], &json!([of_result("t", "ok")]));
    place.write("other/checks.x07.json", module(&[("ok", "result_i32", json!(["result_i32.err", 5]))]));
    let report = run(&place, "--module-root other").expect(1, "X07WASM_TEST_FAILED");
    assert_eq!(report["result"]["module_roots"], json!(["other"]));
    run(&place, "--module-root other --module-root app/tests").expect(3, "X07WASM_TEST_NOT_COMPILED");
    run(&place, "--module-root nowhere").expect(3, "X07WASM_CLI_ARGS_INVALID");
}

#[test]
fn a_test_of_a_missing_function_does_not_compile() {
    let place = suite(&[("ok", "result_i32", json!(["result_i32.ok", 0]))], &json!([of_result("t", "missing")]));
    let report = run(&place, "").expect(3, "X07WASM_TEST_NOT_COMPILED");
    let test = found(&report, "t");
    assert_eq!((&test["outcome"], &test["runs"], &test["as_expected"]), (&json!("error"), &json!(0), &json!(false)));
    assert_eq!(diagnostic(&report, "X07WASM_TEST_NOT_COMPILED")["data"]["test"], "t");
}

#[test]
fn a_mistake_of_a_module_is_reported_once_for_all_its_tests() {
    let functions =
        [("ok", "result_i32", json!(["result_i32.ok", 0])), ("bad", "result_i32", json!(["result_i32.ok", "gone"]))];
    let tests = json!([of_result("a", "bad"), of_result("b", "bad"), of_result("c", "ok")]);
    let place = suite(&functions, &tests);
    let report = run(&place, "--no-fail-fast").expect(3, "X07WASM_TEST_NOT_COMPILED");
    let list = report["diagnostics"].as_array().expect("a list");
    assert_eq!(list.iter().filter(|d| d["code"] == "X07-TYPE-0001").count(), 1, "{report:#}");
    assert_eq!(list.iter().filter(|d| d["code"] == "X07WASM_TEST_NOT_COMPILED").count(), 2, "{report:#}");
    // Functions that a test does not reach are not checked for it.
    assert_eq!(found(&report, "c")["outcome"], "pass");
}

#[test]
fn what_the_function_returns_must_be_what_the_manifest_says() {
    let functions = [("result", "result_i32", json!(["result_i32.ok", 0])), ("number", "i32", json!(0))];
    for test in [of_record("t", "result"), of_result("t", "number")] {
        let place = suite(&functions, &json!([test]));
        run(&place, "").expect(3, "X07WASM_TEST_NOT_COMPILED");
    }
}
