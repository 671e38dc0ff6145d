//! The machine flags.

use super::{QUICK, QUICK_REPORT, bare, without_call};
use crate::support::{Place, check_report};
use std::fs;
use x07_wasm::contract::json::canonical;

#[test]
fn the_flags_may_stand_in_any_position() {
    let place = Place::new();
    for line in [
        "--json explain X07WASM_SCHEMA_INVALID",
        "explain --json X07WASM_SCHEMA_INVALID",
        "explain X07WASM_SCHEMA_INVALID --json",
        "--report-json explain X07WASM_SCHEMA_INVALID",
        "explain --report-json X07WASM_SCHEMA_INVALID",
        "--report-out r.json explain --json X07WASM_SCHEMA_INVALID",
        "explain --report-out=r.json X07WASM_SCHEMA_INVALID --json=",
    ] {
        let report = place.run(line).ok();
        assert_eq!(report["schema_version"], QUICK_REPORT, "{line}");
        assert_eq!(report["result"]["code"], "X07WASM_SCHEMA_INVALID", "{line}");
    }
    for line in ["--json schema list", "schema --json list", "schema list --json"] {
        assert_eq!(place.run(line).ok()["command"], "x07-wasm.schema.list", "{line}");
    }
}

#[test]
fn a_bare_json_flag_does_not_swallow_the_command() {
    let place = Place::new();
    let run = bare(&place, &["--json", "doctor"]);
    assert_eq!(run.ok()["command"], "x07-wasm.doctor");
    let run = bare(&place, &["--report-json", "doctor"]);
    assert_eq!(run.ok()["command"], "x07-wasm.doctor");
}

#[test]
fn every_spelling_of_the_mode_gives_the_same_report_in_its_form() {
    let place = Place::new();
    let compact = place.run(&format!("{QUICK} --json"));
    let expected = without_call(compact.ok());
    let spellings: [(&[&str], bool); 9] = [
        (&["--json"], false),
        (&["--json="], false),
        (&["--json= "], false),
        (&["--json", "pretty"], true),
        (&["--json=pretty"], true),
        (&["--json= pretty "], true),
        (&["--report-json"], false),
        (&["--report-json", "pretty"], true),
        (&["--report-json=pretty"], true),
    ];
    for (spelling, pretty) in spellings {
        for in_front in [true, false] {
            let mut args: Vec<&str> = QUICK.split(' ').collect();
            let at = if in_front { 0 } else { args.len() };
            for (i, word) in spelling.iter().enumerate() {
                args.insert(at + i, word);
            }
            let run = place.run_args(&args);
            let report = run.ok();
            let bytes = if pretty { canonical::pretty(&report) } else { canonical::compact(&report) };
            assert!(run.stdout == bytes, "{args:?} is in the wrong form");
            assert_eq!(run.stdout.last(), Some(&b'\n'), "{args:?}");
            assert_eq!(without_call(report), expected, "{args:?}");
            assert_eq!(run.stderr, "", "{args:?}: a report needs no words beside it");
        }
    }
}

#[test]
fn the_new_name_of_the_flag_wins_over_the_old_one() {
    let place = Place::new();
    for line in ["--report-json --json=pretty", "--json=pretty --report-json", "--json=pretty --report-json=bogus"] {
        let run = place.run(&format!("{QUICK} {line}"));
        assert!(run.stdout == canonical::pretty(&run.ok()), "{line}");
    }
}

#[test]
fn the_report_file_holds_the_bytes_of_standard_output() {
    let place = Place::new();
    for mode in ["--json", "--json=pretty"] {
        let run = place.run(&format!("{QUICK} {mode} --report-out new/folder/report.json"));
        run.ok();
        assert!(place.read("new/folder/report.json") == run.stdout, "{mode}");
    }
    // A failed command has a report file too, and an old one is replaced.
    let run = place.run("explain NO_SUCH_CODE --json --report-out new/folder/report.json");
    run.expect(3, "X07WASM_EXPLAIN_CODE_UNKNOWN");
    assert!(place.read("new/folder/report.json") == run.stdout);
    let names: Vec<_> = fs::read_dir(place.path("new/folder")).expect("a folder").collect();
    assert_eq!(names.len(), 1, "nothing but the report is left: {names:?}");
}

#[test]
fn a_quiet_report_is_in_the_file_only_and_the_same() {
    let place = Place::new();
    for (mode, pretty) in [("--json", false), ("--json=pretty", true)] {
        let loud = place.run(&format!("{QUICK} {mode}")).ok();
        let quiet = place.run(&format!("{QUICK} {mode} --report-out r.json --quiet-json"));
        assert_eq!((quiet.status, quiet.stdout.as_slice(), quiet.stderr.as_str()), (0, &b""[..], ""));
        let bytes = place.read("r.json");
        let report = check_report(&bytes);
        assert!(bytes == if pretty { canonical::pretty(&report) } else { canonical::compact(&report) }, "{mode}");
        assert_eq!(without_call(report), without_call(loud), "{mode}");
    }
    let quiet = place.run("explain NO_SUCH_CODE --quiet-json --json --report-out r.json");
    assert_eq!((quiet.status, quiet.stdout.as_slice()), (3, &b""[..]));
    assert_eq!(check_report(&place.read("r.json"))["exit_code"], 3);
}

#[test]
fn a_report_file_that_cannot_be_written_is_an_error_of_the_environment() {
    let place = Place::new();
    fs::create_dir(place.path("folder")).expect("made");
    place.write("file", "not a folder");
    for target in ["folder", "file/report.json"] {
        let run = place.run(&format!("{QUICK} --json --report-out {target}"));
        let report = run.expect(2, "X07WASM_REPORT_WRITE_FAILED");
        assert_eq!(report["ok"], false, "{target}");
        assert_eq!(report["result"]["code"], "X07WASM_SCHEMA_INVALID", "{target}: the result is kept");
        assert!(run.stderr.contains(target), "{target}: {}", run.stderr);
        let run = place.run(&format!("{QUICK} --json --quiet-json --report-out {target}"));
        assert_eq!((run.status, run.stdout.as_slice()), (2, &b""[..]), "{target}");
        assert!(run.stderr.contains(target), "{target}: {}", run.stderr);
    }
    assert_eq!(place.read("file"), b"not a folder");
}

#[test]
fn a_flag_that_is_given_as_a_value_stays_a_value_after_two_dashes() {
    let place = Place::new();
    // `--json` is the code that is asked for, not the flag.
    let run = place.run("explain -- --json");
    assert_eq!((run.status, run.stdout.as_slice()), (3, &b""[..]));
    assert!(run.stderr.contains("X07WASM_EXPLAIN_CODE_UNKNOWN"), "{}", run.stderr);
    let report = place.run("--json explain -- --json").expect(3, "X07WASM_EXPLAIN_CODE_UNKNOWN");
    assert_eq!(report["result"]["code"], "--json");
}
