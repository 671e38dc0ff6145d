//! `http test`: traces of hosts and of files.

use super::{diagnostic, example, incident, line, scripted, serve, sha256, trapping};
use crate::support::{Place, Run, root};
use serde_json::{Value, json};
use std::fs;

/// A fixture of this project.
fn fixture(name: &str) -> Value {
    let path = root().join("spec/fixtures/http").join(format!("{name}.json"));
    serde_json::from_slice(&fs::read(path).expect("a fixture")).expect("JSON")
}

/// Replays a trace with `r.wasm`.
fn replay(place: &Place, trace: &Value, arguments: &str) -> Run {
    place.write("t.json", trace.to_string());
    place.run(&format!("http test --component r.wasm --trace t.json {arguments} --json"))
}

#[test]
fn the_fixtures_replay_with_their_reducers() {
    for (name, trace) in [("hello", "trace.min"), ("kv", "trace.effect_kv.min"), ("fetch", "trace.effect_http.min")] {
        let place = example(name);
        let path = format!("spec/fixtures/http/{trace}.json");
        place.write(&path, fs::read(root().join(&path)).expect("a fixture"));
        let report = place.run(&format!("http test --component r.wasm --trace {path} --json")).ok();
        let result = &report["result"];
        let case = json!({"name": trace, "ok": true, "trace_path": path, "incident_dir": null});
        assert_eq!(
            (&result["cases"], &result["cases_ok"], &result["cases_failed"]),
            (&json!([case]), &json!(1), &json!(0))
        );
        let nothing = json!({"uses_network": false, "uses_os_time": false, "uses_process": false});
        assert_eq!(report["meta"]["nondeterminism"], nothing, "a replay touches nothing");
        let inputs: Vec<&str> =
            report["meta"]["inputs"].as_array().into_iter().flatten().filter_map(|i| i["path"].as_str()).collect();
        assert_eq!((inputs.first(), inputs.last()), (Some(&"r.wasm"), Some(&path.as_str())));
        assert_eq!(result["component"]["sha256"], sha256(&place.read("r.wasm")));
    }
}

#[test]
fn what_was_served_replays() {
    for name in ["hello", "kv", "log", "time"] {
        let place = example(name);
        let run = place.run("http serve --component r.wasm --mode canary --trace-out t.json --json");
        assert_eq!(run.ok()["result"]["responses"][0]["status"], 200, "{name}");
        let run = place.run("http test --component r.wasm --trace t.json");
        assert_eq!(run.status, 0, "{name}: {}", run.stderr);
        assert_eq!(String::from_utf8_lossy(&run.stdout), "ok      t\n1 case: 1 ok, 0 failed\n");
    }
    // Failed effects are part of a trace, too.
    let place = scripted();
    let effects = json!([
        {"id": "f", "type": "http.fetch", "method": "GET", "url": "http://example.com/", "headers": [], "body": {"bytes_len": 0}},
        {"id": "p", "type": "kv.put", "key": "k", "value": {"bytes_len": 1}},
        {"id": "g", "type": "kv.get", "key": "k"},
    ]);
    let run = serve(&place, "--trace-out t.json --json", &line("req0", &effects.to_string()));
    assert_eq!(run.status, 2, "{:#}", run.report());
    place.run("http test --component r.wasm --trace t.json --json").ok();
}

#[test]
fn another_frame_is_a_mismatch_with_its_place() {
    let place = example("hello");
    let trace = fixture("trace.effect_kv.min");
    let report = replay(&place, &trace, "").expect(1, "X07WASM_HTTP_TEST_FRAME_MISMATCH");
    let mismatch = diagnostic(&report, "X07WASM_HTTP_TEST_FRAME_MISMATCH");
    assert_eq!((&mismatch["data"]["case"], &mismatch["data"]["step"]), (&json!("t"), &json!(0)));
    assert_eq!(mismatch["data"]["instance_path"], "/effects/0");
    let case = &report["result"]["cases"][0];
    assert_eq!((&case["ok"], &report["result"]["cases_failed"]), (&json!(false), &json!(1)));
    let id = sha256(format!("http-test:{}:0", sha256(trace.to_string().as_bytes())).as_bytes());
    assert_eq!(case["incident_dir"], format!(".x07-wasm/incidents/http-test/{}", &id[..32]));
    let incident = incident(&place, &case["incident_dir"]);
    assert_eq!(incident["trace"], trace);
    assert_eq!(incident["failed"]["expected_frame"], trace["steps"][0]["frame"]);
    assert_eq!(incident["failed"]["actual_frame"]["response"]["status"], 200);
    assert_eq!(incident["inputs"]["component"]["path"], "r.wasm");
    assert_eq!(report["meta"]["nondeterminism"]["uses_os_time"], false, "the folder carries no date");
    // One byte of a text is enough.
    let mut trace = fixture("trace.min");
    trace["steps"][0]["frame"]["response"]["body"]["text"] = json!("hallo");
    let report = replay(&place, &trace, "").expect(1, "X07WASM_HTTP_TEST_FRAME_MISMATCH");
    let mismatch = diagnostic(&report, "X07WASM_HTTP_TEST_FRAME_MISMATCH");
    assert_eq!(mismatch["data"]["instance_path"], "/response/body/text");
    assert_eq!((&mismatch["data"]["expected"], &mismatch["data"]["found"]), (&json!("hallo"), &json!("hello")));
}

#[test]
fn the_first_failing_step_ends_a_case_and_not_the_command() {
    let place = example("kv");
    let mut bad = fixture("trace.effect_kv.min");
    bad["steps"][1]["frame"]["response"]["status"] = json!(201);
    let steps = bad["steps"].as_array().cloned().expect("steps");
    bad["steps"] = json!([steps[0], steps[1], steps[1]]);
    place.write("b.json", bad.to_string());
    place.write("a.json", fixture("trace.effect_kv.min").to_string());
    let run = place
        .run("http test --component r.wasm --trace b.json --trace a.json --trace b.json --json --incidents-dir inc");
    let report = run.expect(1, "X07WASM_HTTP_TEST_FRAME_MISMATCH");
    let result = &report["result"];
    let names: Vec<&str> =
        result["cases"].as_array().into_iter().flatten().filter_map(|c| c["name"].as_str()).collect();
    assert_eq!(names, ["a", "b"], "sorted, and each once");
    assert_eq!((&result["cases_ok"], &result["cases_failed"]), (&json!(1), &json!(1)));
    let mismatches = run.codes().iter().filter(|c| *c == "X07WASM_HTTP_TEST_FRAME_MISMATCH").count();
    assert_eq!(mismatches, 1);
    assert_eq!(incident(&place, &result["cases"][1]["incident_dir"])["failed"]["step"], 1);
}

#[test]
fn a_trace_that_is_not_valid_is_replayed_all_the_same() {
    let place = example("hello");
    let mut trace = fixture("trace.min");
    trace["unknown"] = json!(1);
    let report = replay(&place, &trace, "").expect(3, "X07WASM_SCHEMA_INVALID");
    assert_eq!(report["result"]["cases"][0]["ok"], false);
    assert_eq!(report["result"]["cases"][0]["incident_dir"], Value::Null, "the frames were right");
    let mut trace = fixture("trace.min");
    trace["steps"][0]["env"]["state"] = json!(7);
    let run = replay(&place, &trace, "");
    let report = run.expect(3, "X07WASM_HTTP_DISPATCH_SCHEMA_INVALID");
    assert!(report["result"]["cases"][0]["incident_dir"].is_string());
    assert!(run.codes().contains(&"X07WASM_SCHEMA_INVALID".to_owned()));
    for steps in [json!(7), Value::Null, json!([7]), json!([{}])] {
        let trace = json!({"v": 1, "kind": "x07.http.trace", "steps": steps});
        replay(&place, &trace, "").expect(3, "X07WASM_SCHEMA_INVALID");
    }
}

#[test]
fn a_trace_without_steps_passes() {
    let place = example("hello");
    replay(&place, &json!({"v": 1, "kind": "x07.http.trace", "steps": []}), "").ok();
}

#[test]
fn traces_that_cannot_be_read_fail_their_case() {
    let place = example("hello");
    place.write("bad.json", "{");
    for path in ["bad.json", "none.json", "http_reducer_hello"] {
        let run = place.run(&format!("http test --component r.wasm --trace {path} --json"));
        let report = run.expect(1, "X07WASM_HTTP_TEST_CASE_FAILED");
        let case = &report["result"]["cases"][0];
        assert_eq!((&case["ok"], &case["incident_dir"]), (&json!(false), &Value::Null), "{path}");
    }
}

#[test]
fn without_a_trace_there_is_nothing_to_do() {
    let place = example("hello");
    place.run("http test --component r.wasm --json").expect(3, "X07WASM_HTTP_TEST_TRACE_MISSING");
}

#[test]
fn a_module_that_cannot_be_used_is_told() {
    let place = example("hello");
    place.write("t.json", fixture("trace.min").to_string());
    place
        .run("http test --component none.wasm --trace t.json --json")
        .expect(3, "X07WASM_HTTP_TEST_COMPONENT_READ_FAILED");
    place.write("bad.wasm", b"junk");
    let report = place
        .run("http test --component bad.wasm --trace t.json --json")
        .expect(1, "X07WASM_HTTP_TEST_COMPONENT_LOAD_FAILED");
    assert_eq!(report["result"]["cases"], json!([]));
}

#[test]
fn a_call_that_fails_fails_its_case() {
    let place = trapping();
    let report = replay(&place, &fixture("trace.min"), "").expect(1, "X07WASM_HTTP_TEST_CALL_FAILED");
    assert_eq!(diagnostic(&report, "X07WASM_HTTP_TEST_CALL_FAILED")["data"]["function"], "main.trap");
    let incident = incident(&place, &report["result"]["cases"][0]["incident_dir"]);
    assert_eq!(incident["failed"]["actual_frame"], Value::Null);
    let place = example("hello");
    replay(&place, &fixture("trace.min"), "--max-fuel 100").expect(4, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");
    replay(&place, &fixture("trace.min"), "--max-output-bytes 10").expect(4, "X07WASM_BUDGET_EXCEEDED_OUTPUT");
}

#[test]
fn an_output_that_is_no_frame_fails_its_case() {
    let place = super::raw();
    // The program returns the body of the request, which this trace leaves out.
    let report = replay(&place, &fixture("trace.min"), "").expect(3, "X07WASM_HTTP_FRAME_SCHEMA_INVALID");
    assert_eq!(report["result"]["cases"][0]["ok"], false);
}

#[test]
fn an_incident_without_a_folder_is_a_warning() {
    let place = example("hello");
    place.write("inc", "a file");
    let run = replay(&place, &fixture("trace.effect_kv.min"), "--incidents-dir inc");
    let report = run.expect(1, "X07WASM_HTTP_TEST_FRAME_MISMATCH");
    let lost = diagnostic(&report, "X07WASM_HTTP_TEST_INCIDENT_DIR_CREATE_FAILED");
    assert_eq!((&lost["severity"], &report["result"]["cases"][0]["incident_dir"]), (&json!("warning"), &Value::Null));
}
