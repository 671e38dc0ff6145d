//! What every command's report has in common.

use super::{bare, without_call};
use crate::support::{Place, copy_tree, root};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use x07_wasm_contracts::cli::COMMANDS;

/// Every command: scope, a line that succeeds, a line that fails on its input, and the code and exit
/// code of that failure. `solve_pure_echo/` and `word_count/` are the example projects of these names.
/// Name, arguments, and for a failure what the report holds.
type Case = (&'static str, &'static str, Option<(&'static str, u8, &'static str)>);

const CASES: [Case; 23] = [
    (
        "build",
        "build --project solve_pure_echo/x07.json --out out.wasm",
        Some(("build --project no.json", 3, "X07WASM_PROJECT_READ_FAILED")),
    ),
    (
        "check",
        "check --project solve_pure_echo/x07.json",
        Some(("check --project no.json", 3, "X07WASM_PROJECT_READ_FAILED")),
    ),
    (
        "cli-specrows-check",
        "cli specrows check",
        Some(("cli specrows check --in no.json", 3, "X07WASM_SPECROWS_INPUT_READ_FAILED")),
    ),
    ("completions", "completions bash", None),
    (
        "component-build",
        "component build --project solve_pure_echo/x07.json --emit solve --out-dir parts",
        Some(("component build --project no.json", 3, "X07WASM_COMPONENT_BUILD_PROJECT_READ_FAILED")),
    ),
    (
        "component-compose",
        "component compose --adapter cli --solve parts/solve.component.wasm --out cli.wasm",
        Some((
            "component compose --adapter cli --solve no.wasm --out no.out.wasm",
            3,
            "X07WASM_COMPONENT_COMPOSE_INPUT_READ_FAILED",
        )),
    ),
    (
        "component-profile-validate",
        "component profile validate",
        Some(("component profile validate --profile no", 3, "X07WASM_COMPONENT_INDEX_PROFILE_NOT_FOUND")),
    ),
    (
        "component-run",
        "component run --component cli.wasm",
        Some(("component run --component no.wasm", 3, "X07WASM_COMPONENT_RUN_COMPONENT_READ_FAILED")),
    ),
    (
        "component-targets",
        "component targets --component cli.wasm --wit wit/deps/wasi/cli/0.2.8/command.wit --world command",
        Some((
            "component targets --component no.wasm --wit wit/deps/wasi/cli/0.2.8/command.wit --world command",
            3,
            "X07WASM_COMPONENT_TARGETS_COMPONENT_READ_FAILED",
        )),
    ),
    ("doctor", "doctor", None),
    ("explain", "explain", Some(("explain NO_SUCH_CODE", 3, "X07WASM_EXPLAIN_CODE_UNKNOWN"))),
    ("http-contracts-validate", "http contracts validate", None),
    (
        "http-regress-from-incident",
        "http regress from-incident --incident-dir incident --out-dir regress",
        Some(("http regress from-incident --incident-dir no", 3, "X07WASM_HTTP_INCIDENT_READ_FAILED")),
    ),
    (
        "http-serve",
        "http serve --mode canary --component reducer.wasm",
        Some(("http serve --mode canary --component no.wasm", 3, "X07WASM_HTTP_SERVE_COMPONENT_READ_FAILED")),
    ),
    (
        "http-test",
        "http test --component reducer.wasm --trace reducer.trace.json",
        Some(("http test --component reducer.wasm", 3, "X07WASM_HTTP_TEST_TRACE_MISSING")),
    ),
    (
        "profile-validate",
        "profile validate",
        Some(("profile validate --profile no", 3, "X07WASM_WASM_INDEX_PROFILE_NOT_FOUND")),
    ),
    (
        "run",
        "run --project solve_pure_echo/x07.json --input-hex 00ff",
        Some(("run --wasm no.wasm --input-hex 00", 3, "X07WASM_WASM_READ_FAILED")),
    ),
    ("schema-list", "schema list", None),
    ("schema-show", "schema show x07diag", Some(("schema show no", 3, "X07WASM_SCHEMA_UNKNOWN"))),
    (
        "serve",
        "serve --component service/http.component.wasm",
        Some(("serve --component no.wasm", 3, "X07WASM_SERVE_COMPONENT_READ_FAILED")),
    ),
    (
        "test",
        "test --project word_count/x07.json",
        Some(("test --manifest no.json", 3, "X07WASM_TEST_MANIFEST_READ_FAILED")),
    ),
    (
        "toolchain-validate",
        "toolchain validate",
        Some(("toolchain validate --profile no.json", 3, "X07WASM_TOOLCHAIN_PROFILE_READ_FAILED")),
    ),
    ("wit-validate", "wit validate", Some(("wit validate --package no", 3, "X07WASM_WIT_PACKAGE_NOT_FOUND"))),
];

/// A folder with the projects that the lines name, and what those need that do not build themselves.
fn projects() -> Place {
    let place = Place::with_example("solve_pure_echo");
    for example in ["word_count", "http_echo", "http_reducer_hello"] {
        copy_tree(&root().join("examples").join(example), &place.path(example));
    }
    place.run("component build --project http_echo/x07.json --emit http-native --out-dir service --json").ok();
    place.run("build --project http_reducer_hello/x07.json --out reducer.wasm --json").ok();
    place.run("http serve --mode canary --component reducer.wasm --trace-out reducer.trace.json --json").ok();
    let trace: Value = serde_json::from_slice(&place.read("reducer.trace.json")).expect("a trace");
    let incident = json!({ "v": 1, "kind": "x07.http.incident", "error": "no", "trace": trace });
    place.write("incident/incident.json", incident.to_string());
    place
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[test]
fn the_table_of_cases_has_every_command() {
    let tested: Vec<&str> = CASES.iter().map(|(scope, _, _)| *scope).collect();
    let known: Vec<&str> = COMMANDS.iter().map(|c| c.scope).collect();
    assert_eq!(tested, known, "a command without a case here, or the other way round");
}

#[test]
fn every_command_reports_success_and_failure_by_its_own_contract() {
    let place = projects();
    for (scope, good, bad) in CASES {
        let command = COMMANDS.iter().find(|c| c.scope == scope).expect("listed");
        let lines = [Some((good, 0, "")), bad];
        for (line, status, code) in lines.into_iter().flatten() {
            let run = bare(&place, &[words(line), vec!["--json"]].concat());
            // Validates, and compares the exit code with the process.
            let report = run.report();
            assert_eq!(run.status, i32::from(status), "{line}: {report:#}");
            assert_eq!(report["schema_version"], command.schema_version, "{line}");
            assert_eq!(report["command"], format!("x07-wasm.{}", command.path.join(".")), "{line}");
            assert_eq!(report["ok"], status == 0, "{line}");
            if !code.is_empty() {
                assert!(run.codes().iter().any(|c| c == code), "{line}: no {code} in {report:#}");
            }
            let members: BTreeSet<&str> = report.as_object().expect("an object").keys().map(String::as_str).collect();
            let expected =
                ["command", "diagnostics", "exit_code", "meta", "ok", "result", "schema_version"].into_iter().collect();
            assert_eq!(members, expected, "{line}");
        }
    }
}

#[test]
fn a_run_that_fails_after_its_input_was_understood_exits_1() {
    let place = Place::new();
    place.project("trap", &json!(["begin", ["view.get_u8", "input", 9], ["bytes.alloc", 0]]));
    place.project("wrong", &json!(["no.such.operation", 1]));
    let rows = String::from_utf8(place.run("--cli-specrows").stdout).expect("text");
    place.write("rows.json", rows);
    for line in [
        "run --project trap/x07.json --input-hex 00 --json",
        "build --project wrong/x07.json --json",
        "cli specrows check --in rows.json --expect-app-name other --json",
    ] {
        let run = place.run(line);
        let report = run.report();
        assert_eq!(run.status, 1, "{line}: {report:#}");
        assert_eq!(report["ok"], false, "{line}");
    }
}

#[test]
fn a_source_that_is_not_text_is_invalid_input() {
    let place = Place::new();
    place.project("odd", &json!(["bytes.alloc", 0]));
    place.write("odd/src/main.x07.json", b"{\"kind\":\"\xff\"}");
    place.run("build --project odd/x07.json --json").expect(3, "X07C_NOT_UTF8");
}

#[test]
fn meta_says_who_ran_where_and_how() {
    let place = Place::new();
    let report = place.run("schema show x07diag --json").ok();
    let meta = &report["meta"];
    assert_eq!(meta["tool"]["name"], "x07-wasm");
    assert_eq!(meta["tool"]["version"], env!("CARGO_PKG_VERSION"));
    let argv = meta["argv"].as_array().expect("a list");
    assert_eq!(argv[1..], [json!("schema"), json!("show"), json!("x07diag"), json!("--json")]);
    let here = place.path("").canonicalize().expect("a folder");
    let cwd = meta["cwd"].as_str().expect("text");
    assert_eq!(std::path::Path::new(cwd).canonicalize().expect("a folder"), here);
    assert!(meta["elapsed_ms"].is_u64());
    assert_eq!(meta["nondeterminism"], json!({"uses_network": false, "uses_os_time": false, "uses_process": false}));
}

#[test]
fn inputs_are_digests_of_the_files_as_they_were_named() {
    let place = Place::new();
    place.write("./rows.json", b"{}".as_slice());
    let report = place.run("cli specrows check --in ./rows.json --json").expect(3, "X07WASM_SCHEMA_INVALID");
    let digest = json!({"path": "./rows.json", "bytes_len": 2, "sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"});
    assert_eq!(report["meta"]["inputs"], json!([digest]));
    assert_eq!(report["result"]["input"], digest);
}

#[test]
fn the_elapsed_time_is_the_real_one() {
    let place = Place::with_example("spin");
    // A second of work, ended by the wall clock.
    let run = place.run("run --project spin/x07.json --input-hex 00 --max-fuel none --max-wall-ms 300 --json");
    let report = run.report();
    assert!(report["meta"]["elapsed_ms"].as_u64().is_some_and(|ms| ms >= 300), "{}", report["meta"]["elapsed_ms"]);
}

#[test]
fn two_runs_differ_at_most_in_the_elapsed_time() {
    let place = projects();
    for (_, good, bad) in CASES {
        for line in [Some(good), bad.map(|b| b.0)].into_iter().flatten() {
            let args = [words(line), vec!["--json"]].concat();
            let [first, second] = [bare(&place, &args), bare(&place, &args)].map(|run| {
                let mut report: Value = run.report();
                report["meta"]["elapsed_ms"] = json!(0);
                // What a server says of the time that each request took.
                for response in report["result"]["responses"].as_array_mut().into_iter().flatten() {
                    response.as_object_mut().map(|members| members.remove("wall_ms"));
                }
                report
            });
            assert_eq!(first, second, "{line}");
        }
    }
}

#[test]
fn people_get_the_same_verdict_without_a_report() {
    let place = projects();
    for (_, good, bad) in CASES {
        let run = bare(&place, &words(good));
        assert_eq!(run.status, 0, "{good}: {}", run.stderr);
        assert!(!run.stdout.starts_with(b"{\"command\""), "{good} printed a report");
        assert!(!run.stderr.contains("error["), "{good}: {}", run.stderr);
        let Some((line, status, code)) = bad else { continue };
        let run = bare(&place, &words(line));
        assert_eq!((run.status, run.stdout.as_slice()), (i32::from(status), &b""[..]), "{line}: {}", run.stderr);
        let wanted = format!("error[{code}]: ");
        let told =
            run.stderr.lines().find(|l| l.starts_with(&wanted)).unwrap_or_else(|| panic!("{line}: {}", run.stderr));
        // The message is the one of the report.
        let report = bare(&place, &[words(line), vec!["--json"]].concat()).report();
        let message = report["diagnostics"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|d| d["code"] == code)
            .and_then(|d| d["message"].as_str())
            .expect("a message");
        assert!(told.contains(message.lines().next().expect("a line")), "{told:?} is not {message:?}");
    }
}

#[test]
fn a_successful_build_says_ok_and_run_prints_nothing_but_the_output() {
    let place = Place::with_example("solve_pure_echo");
    let run = place.run("build --project solve_pure_echo/x07.json --out out.wasm");
    assert_eq!((run.status, run.stdout.as_slice()), (0, &b""[..]));
    assert!(run.stderr.lines().any(|l| l.starts_with("ok")), "{}", run.stderr);
    let run = place.run("run --wasm out.wasm --input-hex 00ff0a");
    assert_eq!((run.status, run.stdout.as_slice()), (0, &b"\x00\xff\x0a"[..]));
}

#[test]
fn a_report_takes_standard_output_for_itself() {
    let place = Place::with_example("solve_pure_echo");
    let run = place.run("run --project solve_pure_echo/x07.json --input-hex 00ff0a --json");
    let report = run.ok();
    assert_eq!(report["result"]["output"]["bytes_len"], 3);
    assert_eq!(without_call(report)["meta"]["argv"], Value::Null);
}

#[test]
fn a_warning_or_information_does_not_fail_a_command() {
    let place = Place::new();
    let report = bare(&place, &["toolchain", "validate", "--json"]).ok();
    let severities: BTreeSet<&str> =
        report["diagnostics"].as_array().into_iter().flatten().filter_map(|d| d["severity"].as_str()).collect();
    assert_eq!(severities, ["info", "warning"].into_iter().collect());
}
