//! Results, status records, traps, limits, and what is expected.

use super::{Function, bytes, diagnostic, endless, found, of_record, of_result, run, suite, with};
use crate::support::Place;
use serde_json::{Value, json};

/// A status record.
fn record(tag: u8, code: u32, rest: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    out.extend(code.to_le_bytes());
    out.extend(rest);
    out
}

/// The report of one test `t` with a function of this result type and body.
fn one(result: &str, body: Value, members: &Value) -> (Place, Value) {
    let base = if result == "bytes" { of_record("t", "f") } else { of_result("t", "f") };
    let functions: [Function<'_>; 1] = [("f", result, body)];
    let place = suite(&functions, &json!([with(base, members)]));
    let report = run(&place, "").report();
    (place, report)
}

#[test]
fn a_result_passes_or_fails_with_its_code() {
    let (_, report) = one("result_i32", json!(["result_i32.ok", 5]), &json!({}));
    assert_eq!(report["exit_code"], 0, "{report:#}");
    let test = found(&report, "t");
    assert_eq!((&test["outcome"], &test["as_expected"], &test["runs"]), (&json!("pass"), &json!(true), &json!(1)));
    assert!(test["fuel_used"].as_u64().is_some_and(|n| n > 0), "{test:#}");

    let (_, report) = one("result_i32", json!(["result_i32.err", 1002]), &json!({}));
    assert_eq!(report["exit_code"], 1, "{report:#}");
    let test = found(&report, "t");
    assert_eq!((&test["outcome"], &test["as_expected"], &test["code"]), (&json!("fail"), &json!(false), &json!(1002)));
    let said = diagnostic(&report, "X07WASM_TEST_FAILED");
    assert_eq!((&said["data"]["test"], &said["data"]["code"]), (&json!("t"), &json!(1002)));
    let summary = &report["result"]["summary"];
    assert_eq!(
        (&summary["selected"], &summary["unexpected"], &summary["as_expected"]),
        (&json!(1), &json!(1), &json!(0))
    );
}

#[test]
fn a_record_passes_fails_or_skips() {
    for (content, outcome, code, exit) in [
        (record(1, 0, b""), "pass", json!(null), 0),
        (record(0, 7, b""), "fail", json!(7), 1),
        (record(0, u32::MAX, b""), "fail", json!(u32::MAX), 1),
        (record(2, 0, b""), "skip", json!(null), 0),
    ] {
        let (_, report) = one("bytes", bytes(&content), &json!({}));
        assert_eq!(report["exit_code"], exit, "{report:#}");
        let test = found(&report, "t");
        assert_eq!((&test["outcome"], &test["code"]), (&json!(outcome), &code));
    }
}

#[test]
fn a_malformed_record_is_an_error_of_the_test() {
    for content in [
        Vec::new(),
        vec![1, 0, 0, 0],
        record(3, 0, b""),
        record(1, 0, b"x"),
        record(0, 1, b"X7T1"),
        record(0, 1003, b"X7T"),
    ] {
        for expect in ["pass", "fail"] {
            let (_, report) = one("bytes", bytes(&content), &json!({ "expect": expect }));
            assert_eq!(report["exit_code"], 1, "{content:?}: {report:#}");
            assert_eq!(found(&report, "t")["outcome"], "error");
            assert_eq!(diagnostic(&report, "X07WASM_TEST_RESULT_INVALID")["data"]["test"], "t");
        }
    }
}

#[test]
fn the_operands_of_a_comparison_are_decoded() {
    let mut rest = b"X7T1".to_vec();
    rest.push(4);
    rest.extend(6_u32.to_le_bytes());
    rest.extend(2_u32.to_le_bytes());
    rest.extend(b"abcd");
    rest.extend([0xff, b'z']);
    let (_, report) = one("bytes", bytes(&record(0, 1003, &rest)), &json!({}));
    let test = found(&report, "t");
    assert_eq!(test["code"], 1003);
    let expected = json!({
        "prefix_limit": 4,
        "got": { "bytes_len": 6, "hex": "61626364", "text": "abcd" },
        "expected": { "bytes_len": 2, "hex": "ff7a", "text": "\u{fffd}z" }
    });
    assert_eq!(test["details"], expected);
}

#[test]
fn an_expected_failure_is_no_surprise_and_a_pass_is() {
    let (_, report) = one("result_i32", json!(["result_i32.err", 3]), &json!({ "expect": "fail" }));
    assert_eq!(report["exit_code"], 0, "{report:#}");
    let test = found(&report, "t");
    assert_eq!((&test["outcome"], &test["code"], &test["as_expected"]), (&json!("fail"), &json!(3), &json!(true)));
    assert_eq!(report["diagnostics"].as_array().into_iter().flatten().filter(|d| d["severity"] == "error").count(), 0);

    let (_, report) = one("result_i32", json!(["result_i32.ok", 3]), &json!({ "expect": "fail" }));
    assert_eq!(report["exit_code"], 1, "{report:#}");
    assert_eq!(diagnostic(&report, "X07WASM_TEST_FAILED")["data"]["expect"], "fail");
}

#[test]
fn a_test_that_is_to_be_skipped_is_not_even_compiled() {
    let place = suite(&[], &json!([with(of_result("t", "missing"), &json!({ "expect": "skip" }))]));
    let report = run(&place, "").ok();
    let test = found(&report, "t");
    assert_eq!((&test["outcome"], &test["runs"]), (&json!("skip"), &json!(0)));
    assert!(test["reason"].is_string());
}

#[test]
fn other_worlds_are_skipped_with_the_reason() {
    for world in ["solve-fs", "solve-rr", "solve-kv", "solve-full", "run-os", "run-os-sandboxed"] {
        let place = suite(&[], &json!([with(of_result("t", "missing"), &json!({ "world": world }))]));
        let report = run(&place, "").ok();
        let test = found(&report, "t");
        assert_eq!((&test["outcome"], &test["world"]), (&json!("skip"), &json!(world)));
        assert!(test["reason"].as_str().is_some_and(|r| r.contains(world)), "{test:#}");
        assert_eq!(report["result"]["summary"]["skipped"], 1);
    }
}

#[test]
fn a_trap_is_reported_with_its_place() {
    let body = json!(["begin", ["let", "x", ["view.get_u8", ["bytes.view_lit", "a"], 9]], ["result_i32.ok", "x"]]);
    let (_, report) = one("result_i32", body.clone(), &json!({}));
    assert_eq!(report["exit_code"], 1, "{report:#}");
    let test = found(&report, "t");
    assert_eq!((&test["outcome"], &test["fuel_used"]), (&json!("trap"), &Value::Null));
    assert_eq!(test["trap"]["cause"], "out_of_bounds");
    assert_eq!(test["trap"]["module"], "checks");
    assert_eq!(test["trap"]["ptr"], "/decls/1/body/1/2");
    let said = diagnostic(&report, "X07WASM_RUN_FAILED");
    assert_eq!(said["data"]["test"], "t");

    let (_, report) = one("result_i32", body, &json!({ "expect": "fail" }));
    assert_eq!(report["exit_code"], 0, "{report:#}");
    assert_eq!(found(&report, "t")["outcome"], "trap");
}

#[test]
fn a_violated_contract_is_shown_with_clause_and_witness() {
    let place = suite(&[], &json!([of_result("t", "f")]));
    let half = json!({
        "kind": "defn", "name": "checks.half", "params": [{ "name": "n", "ty": "i32" }], "result": "i32",
        "requires": [{ "id": "even", "expr": ["=", ["%", "n", 2], 0], "witness": ["n"] }],
        "body": ["/", "n", 2]
    });
    let module = json!({
        "schema_version": "x07.x07ast@0.8.0", "kind": "module", "module_id": "checks", "imports": [],
        "decls": [
            { "kind": "export", "names": ["checks.f"] },
            { "kind": "defn", "name": "checks.f", "params": [], "result": "result_i32", "body": ["result_i32.ok", ["checks.half", 7]] },
            half
        ]
    });
    place.write("app/tests/checks.x07.json", module.to_string());
    let run = run(&place, "");
    let report = run.report();
    assert_eq!(run.status, 1, "{report:#}");
    let test = found(&report, "t");
    assert_eq!(test["outcome"], "trap");
    let violation = &test["violation"];
    assert_eq!((&violation["kind"], &violation["function"]), (&json!("requires"), &json!("checks.half")));
    assert_eq!((&violation["clause_id"], &violation["clause_index"]), (&json!("even"), &json!(0)));
    assert_eq!(violation["witnesses"], json!([{ "ty": "i32", "value_i32": 7 }]));
}

#[test]
fn fuel_bounds_a_test_by_its_own_word_or_that_of_the_command() {
    let (place, report) = one("result_i32", endless(), &json!({ "solve_fuel": 10000 }));
    assert_eq!(report["exit_code"], 4, "{report:#}");
    let test = found(&report, "t");
    assert_eq!((&test["outcome"], &test["as_expected"]), (&json!("limit"), &json!(false)));
    assert_eq!(diagnostic(&report, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL")["data"]["test"], "t");
    // The test's own word wins.
    run(&place, "--max-fuel none").expect(4, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");

    let place = suite(&[("f", "result_i32", endless())], &json!([of_result("t", "f")]));
    run(&place, "--max-fuel 10000").expect(4, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");
    let expected =
        suite(&[("f", "result_i32", endless())], &json!([with(of_result("t", "f"), &json!({ "expect": "fail" }))]));
    run(&expected, "--max-fuel 10000").expect(4, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");
}

#[test]
fn a_test_is_stopped_when_its_time_is_over() {
    let place =
        suite(&[("f", "result_i32", endless())], &json!([with(of_result("t", "f"), &json!({ "timeout_ms": 50 }))]));
    let report = run(&place, "--max-fuel none").expect(4, "X07WASM_BUDGET_EXCEEDED_WALLTIME");
    assert_eq!(found(&report, "t")["outcome"], "limit");
}

#[test]
fn the_fuel_of_a_test_is_always_the_same() {
    let body =
        json!(["begin", ["let", "n", 0], ["for", "i", 0, 100, ["set", "n", ["+", "n", "i"]]], ["result_i32.ok", "n"]]);
    let place = suite(&[("f", "result_i32", body)], &json!([of_result("t", "f")]));
    let [first, second] = [run(&place, "").ok(), run(&place, "").ok()];
    assert_eq!(found(&first, "t")["fuel_used"], found(&second, "t")["fuel_used"]);
}
