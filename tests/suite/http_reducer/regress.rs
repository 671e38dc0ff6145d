//! `http regress from-incident`: a test that runs.

use super::{build, diagnostic, document, example, sha256, trapping};
use crate::support::{Place, check_report, root};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// A folder in which the trace of the store was replayed with the wrong module; and the incident's
/// folder.
fn with_incident() -> (Place, String) {
    let place = example("hello");
    let trace = root().join("spec/fixtures/http/trace.effect_kv.min.json");
    place.write("t.json", fs::read(trace).expect("a fixture"));
    let run = place.run("http test --component r.wasm --trace t.json --json");
    let report = run.expect(1, "X07WASM_HTTP_TEST_FRAME_MISMATCH");
    let folder = report["result"]["cases"][0]["incident_dir"].as_str().expect("a folder").to_owned();
    (place, folder)
}

fn regress(place: &Place, incident: &str, out: &str) -> crate::support::Run {
    place.run_args(&["http", "regress", "from-incident", "--incident-dir", incident, "--out-dir", out, "--json"])
}

/// Runs a script with bash from a folder; `None` when there is no bash.
fn bash(place: &Place, script: &str, from: &str) -> Option<i32> {
    let program = Path::new(env!("CARGO_BIN_EXE_x07-wasm")).parent().expect("a folder");
    let mut search = vec![program.to_path_buf()];
    search.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let output = Command::new("bash")
        .arg(place.path(script))
        .current_dir(place.path(from))
        .env("PATH", std::env::join_paths(search).expect("a search path"))
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => {
            assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
            output.status.code()
        }
        Err(error) => {
            println!("skipped: bash cannot be started: {error}");
            None
        }
    }
}

#[test]
fn the_script_fails_until_the_program_is_right() {
    let (place, incident) = with_incident();
    let report = regress(&place, &incident, "tests/regress").ok();
    let result = &report["result"];
    let trace = result["generated_fixture"]["path"].as_str().expect("a path");
    let script = result["generated_test"]["path"].as_str().expect("a path");
    let base = script.strip_prefix("tests/regress/").and_then(|n| n.strip_suffix(".sh")).expect("a name");
    assert_eq!(trace, format!("tests/regress/{base}.trace.json"));
    let content = place.read(trace);
    assert_eq!(base, &sha256(&[b"http-regress:", content.as_slice()].concat())[..16]);
    assert_eq!((&result["incident_dir"], &result["updated_files"]), (&json!(incident), &json!([])));
    assert_eq!(report["meta"]["outputs"].as_array().map(Vec::len), Some(2));
    document(&place, trace, "x07-http.trace");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(place.path(script)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }
    let kept = format!("tests/regress/{base}.report.json");
    // From wherever it is called.
    for from in ["", "tests", "tests/regress"] {
        let Some(status) = bash(&place, script, from) else { return };
        assert_eq!(status, 1, "the program is still the wrong one");
        let report = check_report(&place.read(&kept));
        assert_eq!(report["result"]["cases"][0]["trace_path"], trace);
    }
    crate::support::copy_tree(&root().join("examples/http_reducer_kv"), &place.path("kv"));
    build(&place, "kv", "r.wasm");
    assert_eq!(bash(&place, script, "tests"), Some(0));
    assert_eq!(check_report(&place.read(&kept))["result"]["cases_ok"], 1);
}

#[test]
fn an_incident_of_serving_becomes_a_test_as_well() {
    let place = example("kv");
    let run = place.run("http serve --component r.wasm --mode canary --max-effect-steps 1 --json");
    let report = run.expect(4, "X07WASM_BUDGET_EXCEEDED_HTTP_EFFECTS_LOOPS");
    let incident = report["result"]["incident_dir"].as_str().expect("a folder");
    let report = regress(&place, incident, "a b/c'd").ok();
    let script = report["result"]["generated_test"]["path"].as_str().expect("a path");
    let text = String::from_utf8(place.read(script)).expect("UTF-8");
    assert!(text.contains("--component='r.wasm' --trace='a b/c'\\''d/'"), "{text}");
    if let Some(status) = bash(&place, script, "") {
        assert_eq!(status, 0);
    }
}

#[test]
fn a_folder_elsewhere_is_served_from_the_folder_of_the_module() {
    let (place, incident) = with_incident();
    let out = place.path("elsewhere");
    let report = regress(&place, &incident, out.to_str().expect("UTF-8")).ok();
    let script = report["result"]["generated_test"]["path"].as_str().expect("a path");
    if let Some(status) = bash(&place, script, "") {
        assert_eq!(status, 1);
        let name = Path::new(script).with_extension("report.json");
        check_report(&fs::read(name).expect("the report stands beside the script"));
    }
}

#[test]
fn making_it_again_changes_nothing() {
    let (place, incident) = with_incident();
    let first = regress(&place, &incident, "out").ok();
    let again = regress(&place, &incident, "out").ok();
    assert_eq!(first["result"], again["result"]);
    // A script of ours that names another module is replaced, and told.
    let script = first["result"]["generated_test"]["path"].as_str().expect("a path");
    let text = String::from_utf8(place.read(script)).expect("UTF-8");
    place.write(script, text.replace("r.wasm", "older.wasm"));
    let report = regress(&place, &incident, "out").ok();
    assert_eq!(report["result"]["updated_files"], json!([report["result"]["generated_test"]]));
    assert_eq!(place.read(script), text.as_bytes());
}

#[test]
fn files_of_others_are_not_replaced() {
    let (place, incident) = with_incident();
    let report = regress(&place, &incident, "out").ok();
    for part in ["generated_fixture", "generated_test"] {
        let path = report["result"][part]["path"].as_str().expect("a path");
        let ours = place.read(path);
        place.write(path, "somebody else's");
        let refused = regress(&place, &incident, "out").expect(2, "X07WASM_HTTP_REGRESS_WRITE_FAILED");
        assert!(diagnostic(&refused, "X07WASM_HTTP_REGRESS_WRITE_FAILED")["message"].to_string().contains(path));
        assert_eq!(place.read(path), b"somebody else's");
        assert_eq!(refused["meta"]["outputs"], json!([]));
        place.write(path, ours);
    }
    place.write("file", "x");
    regress(&place, &incident, "file").expect(1, "X07WASM_HTTP_REGRESS_OUTDIR_CREATE_FAILED");
}

#[test]
fn an_incident_before_the_first_frame_replays_nothing_and_says_so() {
    let place = trapping();
    let report = place.run("http serve --component r.wasm --mode canary --json").report();
    let incident = report["result"]["incident_dir"].as_str().expect("a folder").to_owned();
    let report = regress(&place, &incident, "out").ok();
    assert_eq!(diagnostic(&report, "X07WASM_HTTP_INCIDENT_TRACE_EMPTY")["severity"], "warning");
}

#[test]
fn a_failing_step_that_the_trace_does_not_have_is_warned_of() {
    let place = Place::new();
    let trace: Value =
        serde_json::from_slice(&fs::read(root().join("spec/fixtures/http/trace.min.json")).expect("a fixture"))
            .expect("JSON");
    let env = &trace["steps"][0]["env"];
    let with = |step: u32| {
        let failed = json!({"case": "req0", "step": step, "env": env, "expected_frame": null, "actual_frame": null});
        json!({"v": 1, "kind": "x07.http.incident", "error": "e", "trace": trace, "failed": failed}).to_string()
    };
    place.write("inc/incident.json", with(0));
    let run = regress(&place, "inc", "out");
    run.ok();
    assert!(run.codes().is_empty(), "{:?}", run.codes());
    place.write("inc/incident.json", with(1));
    let report = regress(&place, "inc", "out").expect(0, "X07WASM_HTTP_INCIDENT_STEP_MISSING");
    let missing = diagnostic(&report, "X07WASM_HTTP_INCIDENT_STEP_MISSING");
    assert_eq!((&missing["severity"], &missing["data"]["step"]), (&json!("warning"), &json!(1)));
    assert!(report["result"]["generated_test"]["path"].is_string(), "the test is made all the same");
}

#[test]
fn what_is_no_incident_is_refused() {
    let place = Place::new();
    let trace = json!({"v": 1, "kind": "x07.http.trace", "steps": []});
    regress(&place, "inc", "out").expect(3, "X07WASM_HTTP_INCIDENT_READ_FAILED");
    place.write("inc/incident.json", "{");
    regress(&place, "inc", "out").expect(3, "X07WASM_HTTP_INCIDENT_JSON_INVALID");
    for document in [
        json!([]),
        json!({"v": 1, "trace": trace}),
        json!({"v": 1, "kind": "x07.web_ui.incident", "trace": trace}),
        json!({"v": 1, "kind": "x07.http.incident", "error": "e"}),
        json!({"v": 1, "kind": "x07.http.incident", "error": "e", "trace": {"v": 1, "kind": "x07.http.trace", "steps": [{}]}}),
    ] {
        place.write("inc/incident.json", document.to_string());
        let report = regress(&place, "inc", "out").expect(3, "X07WASM_HTTP_INCIDENT_KIND_INVALID");
        assert_eq!(report["result"]["incident_dir"], "inc");
    }
    assert!(!place.path("out").exists());
}

#[test]
fn an_incident_that_names_no_module_is_tested_with_the_usual_one() {
    let place = Place::new();
    let trace = json!({"v": 1, "kind": "x07.http.trace", "steps": []});
    let sha256 = "0".repeat(64);
    for (inputs, component) in
        [(None, "dist/http_reducer.wasm"), (Some(""), "dist/http_reducer.wasm"), (Some("x/y.wasm"), "x/y.wasm")]
    {
        let mut incident = json!({"v": 1, "kind": "x07.http.incident", "error": "e", "trace": trace});
        if let Some(path) = inputs {
            incident["inputs"] = json!({"component": {"path": path, "sha256": sha256}});
        }
        place.write("inc/incident.json", incident.to_string());
        let report = regress(&place, "inc", "out").ok();
        let script = report["result"]["generated_test"]["path"].as_str().expect("a path");
        let text = String::from_utf8(place.read(script)).expect("UTF-8");
        assert!(text.contains(&format!("--component='{component}'")), "{text}");
    }
}

#[test]
fn numbers_of_a_trace_stay_as_they_are_written() {
    let place = Place::new();
    let mut trace: Value =
        serde_json::from_slice(&fs::read(root().join("spec/fixtures/http/trace.min.json")).expect("a fixture"))
            .expect("JSON");
    trace["steps"][0]["frame"]["telemetry"] = json!({"ratio": 1.0});
    let incident = json!({"v": 1, "kind": "x07.http.incident", "error": "e", "trace": trace});
    place.write("inc/incident.json", incident.to_string());
    let report = regress(&place, "inc", "out").ok();
    let path = report["result"]["generated_fixture"]["path"].as_str().expect("a path");
    let text = String::from_utf8(place.read(path)).expect("UTF-8");
    assert!(text.contains("\"ratio\": 1.0"), "{text}");
}
