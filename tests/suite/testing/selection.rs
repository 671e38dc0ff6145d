//! Which tests run; lists; nothing to run.

use super::{of_record, of_result, run, suite, with};
use crate::support::Place;
use serde_json::{Value, json};

/// Two plain tests and a property.
fn three() -> Place {
    let ok = ("ok", "result_i32", json!(["result_i32.ok", 0]));
    let always = ("always", "bytes", super::bytes(&[1, 0, 0, 0, 0]));
    let property = with(of_record("list: always", "always"), &json!({ "pbt": { "cases": 3 } }));
    suite(&[ok, always], &json!([of_result("map: put", "ok"), property, of_result("list: push", "ok")]))
}

/// The ids in a report.
fn ids(report: &Value) -> Vec<String> {
    let list = report["result"]["tests"].as_array().expect("a list");
    list.iter().map(|t| t["id"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn tests_are_sorted_by_id_and_properties_are_asked_for() {
    let place = three();
    assert_eq!(ids(&run(&place, "").ok()), ["list: push", "map: put"]);
    assert_eq!(ids(&run(&place, "--pbt").ok()), ["list: always"]);
    let report = run(&place, "--all").ok();
    assert_eq!(ids(&report), ["list: always", "list: push", "map: put"]);
    assert_eq!(report["result"]["summary"]["total"], 3);
    assert_eq!(report["result"]["summary"]["selected"], 3);
    run(&place, "--all --pbt").expect(3, "X07WASM_CLI_ARGS_INVALID");
}

#[test]
fn a_filter_is_a_part_of_the_id_or_all_of_it() {
    let place = three();
    assert_eq!(ids(&run(&place, "--all --filter list").ok()), ["list: always", "list: push"]);
    assert_eq!(ids(&run(&place, "--filter pu").ok()), ["list: push", "map: put"]);
    let exact =
        |text: &str| place.run_args(&["test", "--project", "app/x07.json", "--filter", text, "--exact", "--json"]);
    assert_eq!(ids(&exact("map: put").ok()), ["map: put"]);
    exact("map").expect(3, "X07WASM_TEST_NONE_SELECTED");
    run(&place, "--exact").expect(3, "X07WASM_CLI_ARGS_INVALID");
}

#[test]
fn selecting_nothing_is_an_error_unless_it_is_meant() {
    let place = three();
    run(&place, "--filter nothing").expect(3, "X07WASM_TEST_NONE_SELECTED");
    let report = run(&place, "--filter nothing --allow-empty").ok();
    assert_eq!(ids(&report), Vec::<String>::new());
    let empty = suite(&[], &json!([]));
    run(&empty, "").expect(3, "X07WASM_TEST_NONE_SELECTED");
    let report = run(&empty, "--allow-empty").ok();
    assert_eq!(report["result"]["summary"]["total"], 0);
}

#[test]
fn a_list_runs_nothing() {
    let place = suite(&[], &json!([of_result("b", "missing"), of_result("a", "missing")]));
    let report = run(&place, "--list").ok();
    assert_eq!(ids(&report), ["a", "b"]);
    assert_eq!(report["result"]["listed"], true);
    let first = &report["result"]["tests"][0];
    assert_eq!((&first["outcome"], &first["runs"]), (&json!("listed"), &json!(0)));
    let listed = place.run("test --project app/x07.json --list");
    assert_eq!((listed.status, String::from_utf8_lossy(&listed.stdout).as_ref()), (0, "a\nb\n"));
}
