//! Command lines that cannot be understood.

use crate::support::{Place, Run, check_report};
use serde_json::{Value, json};
use x07_wasm::contract::json::canonical;

/// Command lines that ask for JSON, and the stage at which they fail.
const WITH_JSON: [(&str, &str); 9] = [
    ("doctor --json=bogus", "machine_args"),
    ("--json=Pretty doctor", "machine_args"),
    ("doctor --report-json=bogus", "machine_args"),
    ("doctor --json --report-out -", "machine_args"),
    ("doctor --json --json-schema", "machine_args"),
    ("doctor --json=pretty --json-schema-id", "machine_args"),
    ("--report-json doctor --json-schema-id", "machine_args"),
    ("doctor --json --report-out", "clap"),
    ("--json bogus doctor", "clap"),
];

/// Command lines that do not, and the stage at which they fail with and without it.
const PLAIN: [(&str, &str); 20] = [
    ("doctor --report-out -", "machine_args"),
    ("doctor --nope", "clap"),
    ("--nope doctor", "clap"),
    ("-x doctor", "clap"),
    ("nosuch", "clap"),
    ("docter", "clap"),
    ("profile", "clap"),
    ("profile nosuch", "clap"),
    ("doctor extra", "clap"),
    ("run", "clap"),
    ("run --wasm", "clap"),
    ("run --wasm a --input b --input-hex 00", "clap"),
    ("run --wasm a --arena-cap-bytes many", "clap"),
    ("run --wasm a --max-fuel -1", "clap"),
    ("build --check-exports maybe", "clap"),
    ("build --codegen-backend other", "clap"),
    ("profile validate --profile a --profile-file b", "clap"),
    ("toolchain validate --profile a --profile-id b", "clap"),
    ("cli specrows check --in a --stdin", "clap"),
    ("completions tcsh", "clap"),
];

/// Checks a failure report and yields its message.
#[track_caller]
fn check(bytes: &[u8], stage: &str) -> String {
    let report = check_report(bytes);
    assert!(bytes == canonical::compact(&report), "the failure report is always compact");
    assert_eq!(report["schema_version"], "x07.wasm.cli.parse.report@0.1.0");
    assert_eq!(report["command"], "x07-wasm.cli.parse");
    assert_eq!((&report["ok"], &report["exit_code"]), (&json!(false), &json!(3)));
    assert_eq!(report["result"], json!({ "stage": stage }));
    let diagnostics = report["diagnostics"].as_array().expect("diagnostics");
    assert_eq!(diagnostics.len(), 1, "exactly one: {report:#}");
    let diagnostic = &diagnostics[0];
    assert_eq!(diagnostic["code"], "X07WASM_CLI_ARGS_INVALID");
    assert_eq!((&diagnostic["severity"], &diagnostic["stage"]), (&json!("error"), &json!("parse")));
    assert_eq!(diagnostic["data"]["stage"], stage);
    let meta = &report["meta"];
    assert_eq!((&meta["inputs"], &meta["outputs"]), (&json!([]), &json!([])));
    for (name, value) in meta["nondeterminism"].as_object().expect("an object") {
        assert_eq!(value, &Value::Bool(false), "{name}");
    }
    diagnostic["message"].as_str().expect("a message").to_owned()
}

/// Asserts that the failure is told to people as well.
#[track_caller]
fn told(run: &Run, message: &str) {
    let first = message.lines().next().expect("a line");
    assert!(run.stderr.contains(first), "{first:?} is not in {:?}", run.stderr);
}

#[test]
fn each_mistake_exits_3_with_one_report_of_its_stage() {
    for (line, stage) in WITH_JSON {
        let run = Place::new().run(line);
        assert_eq!(run.status, 3, "{line}: {}", run.stderr);
        told(&run, &check(&run.stdout, stage));
    }
    for (line, stage) in PLAIN {
        let run = Place::new().run(line);
        assert_eq!((run.status, run.stdout.as_slice()), (3, &b""[..]), "{line}: {}", run.stderr);
        assert!(!run.stderr.trim().is_empty(), "{line}: people are told");
        for flag in ["--json", "--json=pretty", "--report-json"] {
            let run = Place::new().run(&format!("{flag} {line}"));
            assert_eq!(run.status, 3, "{flag} {line}: {}", run.stderr);
            told(&run, &check(&run.stdout, stage));
        }
    }
}

#[test]
fn a_report_file_gets_the_failure_report_even_without_a_json_flag() {
    let place = Place::new();
    let run = place.run("doctor --report-out a/r.json");
    assert_eq!((run.status, run.stdout.as_slice()), (3, &b""[..]));
    told(&run, &check(&place.read("a/r.json"), "machine_args"));
    let run = place.run("doctor --report-out=b.json --quiet-json");
    assert_eq!((run.status, run.stdout.as_slice()), (3, &b""[..]));
    check(&place.read("b.json"), "machine_args");
    let run = place.run("doctor --nope --json --report-out c.json");
    assert_eq!(run.status, 3);
    check(&run.stdout, "clap");
    assert!(place.read("c.json") == run.stdout, "the file has the bytes of standard output");
    let run = place.run("doctor --nope --json=pretty --quiet-json --report-out d.json");
    assert_eq!((run.status, run.stdout.as_slice()), (3, &b""[..]));
    check(&place.read("d.json"), "clap");
}

#[test]
fn a_quiet_report_without_a_file_is_refused_and_stays_quiet() {
    for line in ["doctor --quiet-json", "doctor --json --quiet-json", "--quiet-json --json=pretty doctor"] {
        let run = Place::new().run(line);
        assert_eq!((run.status, run.stdout.as_slice()), (3, &b""[..]), "{line}");
        assert!(run.stderr.contains("--report-out"), "{line}: {}", run.stderr);
    }
}

#[test]
fn a_dash_is_never_a_report_file() {
    for line in ["doctor --report-out -", "doctor --json --report-out=-", "doctor --json --quiet-json --report-out -"] {
        let place = Place::new();
        assert_eq!(place.run(line).status, 3, "{line}");
        assert!(!place.path("-").exists(), "{line} made a file");
    }
}

#[test]
fn a_failure_report_that_cannot_be_written_exits_2() {
    let place = Place::new();
    std::fs::create_dir(place.path("folder")).expect("made");
    let run = place.run("doctor --nope --json --report-out folder");
    let report = run.report();
    assert_eq!(run.status, 2, "{report:#}");
    assert_eq!(report["schema_version"], "x07.wasm.cli.parse.report@0.1.0");
}

#[test]
fn no_command_is_a_mistake_and_not_help() {
    let place = Place::new();
    for args in [&[][..], &["--json"][..], &["--json=pretty"][..], &["--"][..]] {
        let run = place.run_args(args);
        assert_eq!(run.status, 3, "{args:?}");
        assert!(run.stderr.contains("--help"), "{args:?}: the way out is named: {}", run.stderr);
        if args.iter().any(|a| a.starts_with("--json")) {
            check(&run.stdout, "missing_command");
        } else {
            assert_eq!(run.stdout, b"", "{args:?}");
        }
    }
}

#[test]
fn a_long_message_is_cut_and_the_report_stays_valid() {
    let place = Place::new();
    let run = place.run_args(&["--json".to_owned(), format!("--{}", "ä".repeat(40_000))]);
    let message = check(&run.stdout, "clap");
    assert!(message.chars().count() <= 4096, "{} characters", message.chars().count());
    assert_eq!(run.status, 3);
}

#[test]
fn an_empty_argument_is_refused_and_not_overlooked() {
    let place = Place::new();
    let run = place.run_args(&["--json", "doctor", ""]);
    assert_eq!(run.status, 3);
    check(&run.stdout, "clap");
}

#[cfg(unix)]
#[test]
fn arguments_that_are_not_utf8_are_reported_and_not_a_crash() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let odd = OsString::from(OsStr::from_bytes(b"--odd\xff"));
    let run = place.run_args(&[OsString::from("--json"), OsString::from("doctor"), odd]);
    assert_eq!(run.status, 3, "{}", run.stderr);
    check(&run.stdout, "clap");
    let report = check_report(&run.stdout);
    let argv = report["meta"]["argv"].as_array().expect("a list");
    assert_eq!(argv.last(), Some(&json!("--odd\u{fffd}")));
}
