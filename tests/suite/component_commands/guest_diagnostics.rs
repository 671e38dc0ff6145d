//! What a command says about its own failure on standard error, and what becomes of it.

use super::{complaining, diagnostic, message};
use crate::support::{Place, Run};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

fn run(stderr: &[u8], end: &str) -> Run {
    let place = Place::new();
    place.write("c.wasm", complaining(stderr, end));
    place.run("component run --component c.wasm --json")
}

#[test]
fn a_code_and_its_data_become_a_diagnostic() {
    let data = STANDARD.encode(r#"{"limit":5,"what":"names"}"#);
    let stderr = format!("something else\nx07-diag-code: ACME_TOO_MANY\r\nx07-diag-data-b64: {data}\n");
    let report = run(stderr.as_bytes(), "i32.const 1").expect(1, "ACME_TOO_MANY");
    let found = diagnostic(&report, "ACME_TOO_MANY");
    assert_eq!((&found["severity"], &found["stage"]), (&json!("error"), &json!("run")));
    assert_eq!(found["data"], json!({ "limit": 5, "what": "names" }));
    diagnostic(&report, "X07WASM_COMPONENT_RUN_EXIT_FAILURE");
}

#[test]
fn a_component_that_raises_a_code_failed_whatever_it_returned() {
    let report = run(b"x07-diag-code: ACME_FAILED\n", "i32.const 0").expect(1, "ACME_FAILED");
    assert_eq!(report["result"]["run"]["outcome"], "ok");
    assert_eq!(report["ok"], false);
    assert!(report["result"]["incident_dir"].is_string());
}

#[test]
fn a_code_of_the_catalogue_has_its_class_but_never_blames_the_host() {
    let report = run(b"x07-diag-code: X07WASM_BUDGET_EXCEEDED_CLI_STDOUT\n", "i32.const 1");
    let report = report.expect(4, "X07WASM_BUDGET_EXCEEDED_CLI_STDOUT");
    assert!(message(&report, "X07WASM_BUDGET_EXCEEDED_CLI_STDOUT").contains("output of a CLI component"));
    for host in ["X07WASM_COMPONENT_RUN_STDOUT_WRITE_FAILED", "X07WASM_INTERNAL_PANIC", "X07WASM_SCHEMA_INVALID"] {
        run(format!("x07-diag-code: {host}\n").as_bytes(), "i32.const 1").expect(1, host);
    }
}

#[test]
fn a_code_that_breaks_a_rule_is_reported_as_that_rule() {
    let long = format!("x07-diag-code: {}\n", "A".repeat(65));
    for (stderr, code) in [
        ("x07-diag-code: A\nx07-diag-code: A\n", "CODE_DUPLICATE"),
        ("x07-diag-code: A\nx07-diag-data-b64: e30=\nx07-diag-data-b64: e30=\n", "DATA_DUPLICATE"),
        ("x07-diag-data-b64: e30=\n", "DATA_ORPHAN"),
        ("x07-diag-code: lower\n", "CODE_INVALID"),
        ("x07-diag-code: 1A\n", "CODE_INVALID"),
        (long.as_str(), "CODE_INVALID"),
        ("x07-diag-code: A\nx07-diag-data-b64: W10=\n", "DATA_INVALID"),
        ("x07-diag-code: A\nx07-diag-data-b64: ?\n", "DATA_INVALID"),
    ] {
        let report = run(stderr.as_bytes(), "i32.const 0").expect(1, &format!("X07WASM_HOST_DIAG_CLI_DIAG_{code}"));
        assert_eq!(
            report["diagnostics"].as_array().map_or(0, |d| d.iter().filter(|d| d["severity"] == "error").count()),
            1
        );
    }
}

#[test]
fn other_lines_are_no_codes() {
    for stderr in ["", "all is well\n", " x07-diag-code: A\n", "x07-diag-code:A\n", "see x07-diag-code: A\n"] {
        run(stderr.as_bytes(), "i32.const 0").ok();
    }
}
