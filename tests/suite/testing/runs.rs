//! Order, the end at the first surprise, threads, repetition, lines for people.

use super::{found, of_result, run, suite, with};
use crate::support::Place;
use serde_json::{Value, json};

/// Tests `t00` to `t19`, of which `t05` and `t12` fail.
fn twenty() -> Place {
    let functions =
        [("ok", "result_i32", json!(["result_i32.ok", 0])), ("bad", "result_i32", json!(["result_i32.err", 7]))];
    let tests: Vec<Value> =
        (0..20).rev().map(|i| of_result(&format!("t{i:02}"), if i == 5 || i == 12 { "bad" } else { "ok" })).collect();
    suite(&functions, &Value::Array(tests))
}

/// The outcomes of a report, in order.
fn outcomes(report: &Value) -> Vec<&str> {
    let list = report["result"]["tests"].as_array().expect("a list");
    list.iter().filter_map(|t| t["outcome"].as_str()).collect()
}

#[test]
fn the_first_surprise_ends_the_run() {
    let place = twenty();
    for jobs in ["--jobs 1", "--jobs 4", ""] {
        let report = run(&place, jobs).expect(1, "X07WASM_TEST_FAILED");
        let outcomes = outcomes(&report);
        assert_eq!(outcomes.len(), 20);
        assert!(outcomes[..5].iter().all(|o| *o == "pass") && outcomes[5] == "fail", "{outcomes:?}");
        assert!(outcomes[6..].iter().all(|o| *o == "not_run"), "{outcomes:?}");
        let summary = &report["result"]["summary"];
        assert_eq!(
            (&summary["as_expected"], &summary["unexpected"], &summary["not_run"]),
            (&json!(5), &json!(1), &json!(14))
        );
        assert_eq!(report["diagnostics"].to_string().matches("X07WASM_TEST_FAILED").count(), 1);
    }
}

#[test]
fn all_tests_run_when_that_is_asked_for() {
    let report = run(&twenty(), "--no-fail-fast").expect(1, "X07WASM_TEST_FAILED");
    let failed: Vec<usize> =
        outcomes(&report).iter().enumerate().filter(|(_, o)| **o == "fail").map(|(i, _)| i).collect();
    assert_eq!(failed, [5, 12]);
    assert_eq!(report["result"]["summary"]["as_expected"], 18);
}

#[test]
fn the_report_does_not_depend_on_the_number_of_threads() {
    let place = twenty();
    let mut reports =
        ["--jobs 1", "--jobs 2", "--jobs 7"].map(|jobs| run(&place, &format!("--no-fail-fast {jobs}")).report());
    for report in &mut reports {
        report["meta"]["argv"] = Value::Null;
        report["meta"]["elapsed_ms"] = Value::Null;
    }
    let [first, second, third] = reports;
    assert_eq!(first, second);
    assert_eq!(first, third);
}

#[test]
fn limits_of_tests_do_not_touch_others() {
    let functions = [("ok", "result_i32", json!(["result_i32.ok", 0])), ("long", "result_i32", super::endless())];
    let tests = json!([
        with(of_result("a", "long"), &json!({ "solve_fuel": 5000 })),
        of_result("b", "ok"),
        with(of_result("c", "ok"), &json!({ "timeout_ms": 60000 })),
        with(of_result("d", "ok"), &json!({ "solve_fuel": 1_000_000 })),
    ]);
    let place = suite(&functions, &tests);
    let report = run(&place, "--no-fail-fast").expect(4, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");
    assert_eq!(outcomes(&report), ["limit", "pass", "pass", "pass"]);
}

#[test]
fn a_test_can_be_repeated() {
    let place = suite(&[("ok", "result_i32", json!(["result_i32.ok", 0]))], &json!([of_result("t", "ok")]));
    let report = run(&place, "--repeat 5").ok();
    assert_eq!(found(&report, "t")["runs"], 5);
    run(&place, "--repeat 0").expect(3, "X07WASM_CLI_ARGS_INVALID");
    run(&place, "--jobs 0").expect(3, "X07WASM_CLI_ARGS_INVALID");
}

#[test]
fn files_are_inputs_once() {
    let report = run(&twenty(), "--no-fail-fast").report();
    let inputs = report["meta"]["inputs"].as_array().expect("a list");
    let module = inputs.iter().filter(|i| i["path"] == "app/tests/checks.x07.json").count();
    assert_eq!(module, 1, "{inputs:?}");
    assert_eq!(report["meta"]["outputs"], json!([]));
    assert_eq!(report["result"]["profile"]["id"], "wasm_release");
}

#[test]
fn people_get_a_line_a_test_and_a_summary() {
    let functions =
        [("ok", "result_i32", json!(["result_i32.ok", 0])), ("bad", "result_i32", json!(["result_i32.err", 7]))];
    let tests = json!([
        of_result("a", "ok"),
        with(of_result("b", "bad"), &json!({ "expect": "fail" })),
        with(of_result("c", "ok"), &json!({ "expect": "skip" })),
        of_result("d", "bad"),
        of_result("e", "ok"),
    ]);
    let place = suite(&functions, &tests);
    let run = place.run("test --project app/x07.json");
    assert_eq!(run.status, 1, "{}", run.stderr);
    let expected = "ok      a\nok      b: code 7\nskipped c: the manifest says so\nFAILED  d: code 7\n\
        not run e\n5 tests: 2 ok, 1 failed, 1 skipped, 1 not run\n";
    assert_eq!(String::from_utf8_lossy(&run.stdout), expected);
    let told: Vec<&str> = run.stderr.lines().filter(|l| l.starts_with("error[X07WASM_TEST_FAILED]: ")).collect();
    assert_eq!(told.len(), 1, "{}", run.stderr);
    // Progress is for terminals.
    assert!(!run.stderr.contains('\r'), "{:?}", run.stderr);
}
