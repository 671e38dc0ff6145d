//! Canary and lines of standard input: responses, traces, failures, incidents.

use super::{build, diagnostic, document, example, incident, line, raw, serve, sha256, trapping};
use crate::support::{Place, copy_tree, root};
use serde_json::{Value, json};

/// A frame with this response.
fn reply(response: &Value) -> String {
    let mut whole = json!({
        "schema_version": "x07.http.response.envelope@0.1.0",
        "request_id": "req0",
        "status": 200,
        "headers": [],
        "body": {"bytes_len": 0},
    });
    for (name, value) in response.as_object().expect("members") {
        whole[name] = value.clone();
    }
    json!({"v": 1, "kind": "x07.http.frame", "state": null, "effects": [], "telemetry": {}, "response": whole})
        .to_string()
}

#[test]
fn the_canary_is_one_request() {
    let place = example("kv");
    let report = place.run("http serve --component r.wasm --mode canary --json").ok();
    let result = &report["result"];
    assert_eq!((&result["mode"], &result["requests"]), (&json!("canary"), &json!(1)));
    assert_eq!(result["responses"], json!([{"status": 200, "headers_count": 0, "body_bytes": 2}]));
    assert_eq!((&result["trace_path"], &result["incident_dir"]), (&Value::Null, &Value::Null));
    assert_eq!(result["component"]["sha256"], sha256(&place.read("r.wasm")));
    assert_eq!(result["runtime_limits"]["max_fuel"], 200_000_000);
    assert_eq!(result["runtime_limits"]["max_wasm_stack_bytes"], 1 << 20);
    let inputs = report["meta"]["inputs"].as_array().expect("inputs");
    assert_eq!(inputs[0]["path"], "r.wasm");
    assert!(!place.path(".x07-wasm").exists());
}

#[test]
fn without_a_report_responses_are_lines_of_output() {
    let place = example("hello");
    let run = place.run("http serve --component r.wasm --mode canary");
    assert_eq!(run.status, 0, "{}", run.stderr);
    let expected = r#"{"body":{"bytes_len":5,"text":"hello"},"headers":[{"k":"content-type","v":"text/plain"}],"request_id":"req0","schema_version":"x07.http.response.envelope@0.1.0","status":200}"#;
    assert_eq!(String::from_utf8_lossy(&run.stdout), format!("{expected}\n"));
    let run = serve(&place, "", &(line("a", "") + &line("b", "x")));
    let ids: Vec<String> = String::from_utf8_lossy(&run.stdout)
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).expect("JSON")["request_id"].to_string())
        .collect();
    assert_eq!(ids, ["\"a\"", "\"b\""]);
}

#[test]
fn a_request_that_fails_is_a_line_with_status_500() {
    let place = trapping();
    let run = place.run("http serve --component r.wasm --mode canary");
    assert_eq!(run.status, 1);
    let response: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    assert_eq!((&response["status"], &response["request_id"]), (&json!(500), &json!("req0")));
    assert!(run.stderr.contains("error[X07WASM_HTTP_REDUCER_CALL_FAILED]"), "{}", run.stderr);
    assert!(run.stderr.contains("incident: .x07-wasm/incidents/http-serve/"), "{}", run.stderr);
}

#[test]
fn good_lines_are_answered_and_bad_ones_reported() {
    let place = example("hello");
    let lines = format!("{}\n\n{{\n{}{}", line("a", ""), line("NOT-AN-ID", ""), line("b", "").trim_end());
    let report = serve(&place, "--json", &lines).expect(3, "X07WASM_HTTP_SERVE_STDIN_JSON_INVALID");
    let result = &report["result"];
    assert_eq!((&result["mode"], &result["requests"]), (&json!("listen"), &json!(2)));
    assert_eq!(result["responses"].as_array().map(Vec::len), Some(2));
    let bad = diagnostic(&report, "X07WASM_HTTP_SERVE_STDIN_JSON_INVALID");
    assert_eq!((&bad["data"]["line"], &bad["loc"]["span"]["start"]["line"]), (&json!(4), &json!(4)));
    let schema = diagnostic(&report, "X07WASM_HTTP_SERVE_REQUEST_ENVELOPE_SCHEMA_INVALID");
    assert_eq!((&schema["data"]["line"], &schema["data"]["instance_path"]), (&json!(5), &json!("/id")));
    let inputs = report["meta"]["inputs"].as_array().expect("inputs");
    let stdin = inputs.iter().find(|i| i["path"] == "<stdin>").expect("standard input is an input");
    assert_eq!(stdin["sha256"], sha256(lines.as_bytes()));
}

#[test]
fn no_lines_are_no_requests() {
    let place = example("hello");
    for lines in ["", "\n \n\n"] {
        let report = serve(&place, "--json", lines).ok();
        assert_eq!((&report["result"]["requests"], &report["result"]["responses"]), (&json!(0), &json!([])));
    }
}

#[test]
fn a_body_above_the_limit_is_refused() {
    let place = example("hello");
    let lines = line("a", "12345") + &line("b", "1234");
    let report = serve(&place, "--max-request-bytes 4 --json", &lines)
        .expect(3, "X07WASM_HTTP_SERVE_REQUEST_ENVELOPE_SCHEMA_INVALID");
    assert_eq!(report["result"]["requests"], 1);
    // What counts is what is there, and that is what is said.
    let lie = r#"{"schema_version":"x07.http.request.envelope@0.1.0","id":"a","method":"GET","path":"/","headers":[],"body":{"bytes_len":0,"text":"12345"}}"#;
    let report = serve(&place, "--max-request-bytes 4 --json", lie)
        .expect(3, "X07WASM_HTTP_SERVE_REQUEST_ENVELOPE_SCHEMA_INVALID");
    let problem = diagnostic(&report, "X07WASM_HTTP_SERVE_REQUEST_ENVELOPE_SCHEMA_INVALID");
    assert_eq!((&problem["data"]["instance_path"], &report["result"]["requests"]), (&json!("/body"), &json!(0)));
}

#[test]
fn a_module_that_cannot_be_used_is_told() {
    let place = example("hello");
    place
        .run("http serve --component none.wasm --mode canary --json")
        .expect(3, "X07WASM_HTTP_SERVE_COMPONENT_READ_FAILED");
    let cases: [(&str, Vec<u8>); 4] = [
        ("junk", b"junk".to_vec()),
        ("component", wat::parse_str("(component)").expect("a component")),
        ("imports", wat::parse_str(r#"(module (import "a" "b" (func)))"#).expect("a module")),
        ("no exports", wat::parse_str("(module (memory 1 1))").expect("a module")),
    ];
    for (what, bytes) in cases {
        place.write("bad.wasm", bytes);
        let run = place.run("http serve --component bad.wasm --mode canary --json");
        let report = run.expect(1, "X07WASM_HTTP_SERVE_COMPONENT_LOAD_FAILED");
        assert_eq!(report["result"]["requests"], 0, "{what}");
    }
}

#[test]
fn arguments_that_contradict_each_other_are_refused() {
    let place = example("hello");
    let run = place.run("http serve --component r.wasm --mode canary --addr 127.0.0.1:0 --json");
    run.expect(3, "X07WASM_CLI_ARGS_INVALID");
    for addr in ["8080", "localhost:8080", "127.0.0.1", ":0"] {
        let run = place.run_args(&["http", "serve", "--component", "r.wasm", "--addr", addr, "--json"]);
        run.expect(3, "X07WASM_SERVE_ADDR_INVALID");
    }
    let run = place.run("http serve --component r.wasm --mode canary --arena-cap-bytes 4294967296 --json");
    run.expect(3, "X07WASM_ARENA_CAP_TOO_LARGE");
    for option in ["--stop-after 1", "--max-concurrent 0", "--access-log", "--max-wall-ms-per-request 0"] {
        let run = place.run(&format!("http serve --component r.wasm --mode canary {option} --json"));
        let refused = run.expect(3, "X07WASM_CLI_ARGS_INVALID");
        let message = diagnostic(&refused, "X07WASM_CLI_ARGS_INVALID")["message"].as_str().expect("text").to_owned();
        assert!(message.contains(option.split(' ').next().expect("a word")), "{message}");
        assert_eq!(refused["result"]["requests"], 0);
    }
    let run = place.run("http serve --component r.wasm --addr 127.0.0.1:0 --max-concurrent 0 --json");
    let refused = run.expect(3, "X07WASM_CLI_ARGS_INVALID");
    let message = &diagnostic(&refused, "X07WASM_CLI_ARGS_INVALID")["message"];
    assert!(message.as_str().is_some_and(|m| m.contains("--max-concurrent 0")), "{message}");
    assert_eq!(refused["meta"]["nondeterminism"]["uses_network"], false, "nothing was bound");
    // All of them at once.
    let run = place.run("http serve --component r.wasm --stop-after 1 --access-log --json");
    let count = run.codes().iter().filter(|code| *code == "X07WASM_CLI_ARGS_INVALID").count();
    assert_eq!(count, 2);
}

#[test]
fn a_registry_that_is_broken_stops_everything() {
    let place = example("hello");
    place.write("arch/wasm/index.x07wasm.json", "{}");
    let run = place.run("http serve --component r.wasm --mode canary --json");
    let report = run.expect(3, "X07WASM_WASM_PROFILE_LOAD_FAILED");
    assert_eq!(report["result"]["requests"], 0);
}

#[test]
fn a_profile_that_is_not_there_stops_everything() {
    let place = example("hello");
    place.write("t.json", json!({"v": 1, "kind": "x07.http.trace", "steps": []}).to_string());
    for command in ["http serve --mode canary", "http test --trace t.json"] {
        for option in ["--profile none", "--profile-file none.json"] {
            let run = place.run(&format!("{command} --component r.wasm {option} --json"));
            run.expect(3, "X07WASM_WASM_PROFILE_LOAD_FAILED");
        }
    }
}

#[test]
fn a_response_to_another_request_is_not_given() {
    let place = raw();
    let report = serve(&place, "--trace-out t.json --json", &line("other", &reply(&json!({}))))
        .expect(3, "X07WASM_HTTP_FRAME_SCHEMA_INVALID");
    let problem = diagnostic(&report, "X07WASM_HTTP_FRAME_SCHEMA_INVALID");
    assert_eq!(problem["data"]["instance_path"], "/response/request_id");
    assert_eq!(report["result"]["responses"], json!([{"status": 500, "headers_count": 0, "body_bytes": 0}]));
    let incident = incident(&place, &report["result"]["incident_dir"]);
    assert_eq!(incident["failed"]["actual_frame"]["response"]["request_id"], "req0");
    // A replay only compares frames.
    place.run("http test --component r.wasm --trace t.json --json").ok();
}

#[test]
fn a_frame_is_no_deeper_than_a_trace_can_hold() {
    let place = raw();
    let deep = |levels: usize| {
        let inner = (2..levels).fold(json!(1), |inner, _| json!([inner]));
        let mut frame: Value = serde_json::from_str(&reply(&json!({}))).expect("JSON");
        frame["state"] = json!({ "n": inner });
        line("req0", &frame.to_string())
    };
    let report = serve(&place, "--trace-out t.json --json", &deep(250)).ok();
    assert_eq!(report["result"]["responses"][0]["status"], 200);
    place.run("http test --component r.wasm --trace t.json --json").ok();
    let report = serve(&place, "--json", &deep(251)).expect(3, "X07WASM_HTTP_FRAME_SCHEMA_INVALID");
    let problem = diagnostic(&report, "X07WASM_HTTP_FRAME_SCHEMA_INVALID");
    assert!(problem["message"].as_str().is_some_and(|m| m.contains("250 levels")), "{problem}");
    incident(&place, &report["result"]["incident_dir"]);
}

#[test]
fn a_request_with_large_steps_leaves_an_incident_that_can_be_read() {
    // Every call returns a frame with a state of 6 MiB, and no response.
    const STATE: usize = 6 << 20;
    let head = r#"{"v":1,"kind":"x07.http.frame","response":null,"effects":[],"telemetry":{},"state":{"n":""#;
    let tail = r#""}}"#;
    let (filled, length) = (head.len() + STATE, head.len() + STATE + tail.len());
    let place = Place::new();
    let module = format!(
        r#"(module
            (memory (export "memory") 400 400)
            (global (export "__heap_base") i32 (i32.const 65536))
            (global (export "__data_end") i32 (i32.const 65536))
            (data (i32.const 0) {head:?})
            (data (i32.const 1024) {tail:?})
            (func (export "x07_solve_v2") (param $ret i32) (param $arena i32) (param i32 i32 i32)
                (memory.copy (local.get $arena) (i32.const 0) (i32.const {}))
                (memory.fill (i32.add (local.get $arena) (i32.const {})) (i32.const 120) (i32.const {STATE}))
                (memory.copy (i32.add (local.get $arena) (i32.const {filled})) (i32.const 1024) (i32.const {}))
                (i32.store (local.get $ret) (local.get $arena))
                (i32.store offset=4 (local.get $ret) (i32.const {length}))))"#,
        head.len(),
        head.len(),
        tail.len(),
    );
    place.write("r.wasm", wat::parse_str(module).expect("a module"));
    let limits = "--arena-cap-bytes 8000000 --max-output-bytes 8000000 --max-memory-bytes none --max-fuel none";
    let run = place.run(&format!(
        "http serve --component r.wasm --mode canary --max-effect-steps 3 {limits} --max-wall-ms none --trace-out t.json --json"
    ));
    let report = run.expect(4, "X07WASM_BUDGET_EXCEEDED_HTTP_EFFECTS_LOOPS");
    let truncated = diagnostic(&report, "X07WASM_HTTP_SERVE_TRACE_TRUNCATED");
    assert_eq!(truncated["data"]["requests_left_out"], 1);
    assert_eq!(document(&place, "t.json", "x07-http.trace")["steps"], json!([]));
    let found = incident(&place, &report["result"]["incident_dir"]);
    assert_eq!((found["trace"]["steps"].as_array().map(Vec::len), &found["failed"]["step"]), (Some(1), &json!(2)));
    assert!(found["error"].as_str().is_some_and(|e| e.contains("the last 2 steps")), "{}", found["error"]);
    let folder = report["result"]["incident_dir"].as_str().expect("a folder");
    let run = place.run_args(&["http", "regress", "from-incident", "--incident-dir", folder, "--json"]);
    run.expect(0, "X07WASM_HTTP_INCIDENT_STEP_MISSING");
}

#[test]
fn what_is_no_frame_is_explained() {
    let place = raw();
    for (body, place_of) in [
        ("no JSON", ""),
        ("[]", ""),
        (r#"{"v":1,"kind":"x07.http.frame"}"#, ""),
        (reply(&json!({"status": 600})).as_str(), "/response"),
        (reply(&json!({"request_id": "UPPER"})).as_str(), "/response"),
    ] {
        let report = serve(&place, "--json", &line("req0", body)).expect(3, "X07WASM_HTTP_FRAME_SCHEMA_INVALID");
        let first = diagnostic(&report, "X07WASM_HTTP_FRAME_SCHEMA_INVALID");
        let pointer = first["data"]["instance_path"].as_str().expect("a place");
        assert!(pointer.starts_with(place_of), "{body}: {pointer}");
        assert!(first["message"].as_str().is_some_and(|m| m.contains("call 1")), "{first}");
        assert_eq!(report["result"]["responses"][0]["status"], 500);
    }
}

#[test]
fn a_body_that_does_not_decode_is_a_warning() {
    let place = raw();
    let frame = reply(&json!({"body": {"bytes_len": 3, "text": "hi"}, "headers": [{"k": "a", "v": "b"}]}));
    let report = serve(&place, "--json", &line("req0", &frame)).ok();
    let warning = diagnostic(&report, "X07WASM_HTTP_SERVE_RESPONSE_BODY_INVALID");
    assert_eq!(warning["severity"], "warning");
    assert_eq!(report["result"]["responses"], json!([{"status": 200, "headers_count": 1, "body_bytes": 0}]));
}

#[test]
fn a_trap_names_its_place_in_the_program() {
    let place = trapping();
    let report =
        place.run("http serve --component r.wasm --mode canary --json").expect(1, "X07WASM_HTTP_REDUCER_CALL_FAILED");
    let trap = diagnostic(&report, "X07WASM_HTTP_REDUCER_CALL_FAILED");
    assert_eq!((&trap["data"]["reason"], &trap["data"]["function"]), (&json!("out_of_bounds"), &json!("main.trap")));
    assert_eq!((&trap["data"]["request_id"], &trap["data"]["step"]), (&json!("req0"), &json!(0)));
    assert_eq!(trap["loc"]["kind"], "x07ast");
}

#[test]
fn a_failure_leaves_an_incident_in_a_folder_that_follows_from_the_inputs() {
    let place = trapping();
    let fail = "http serve --component r.wasm --mode canary --incidents-dir inc --json";
    let report = place.run(fail).expect(1, "X07WASM_HTTP_REDUCER_CALL_FAILED");
    let request = r#"{"body":{"bytes_len":0},"headers":[],"id":"req0","method":"GET","path":"/","schema_version":"x07.http.request.envelope@0.1.0"}"#;
    let component = sha256(&place.read("r.wasm"));
    let id = sha256(format!("http-serve:{component}:{}", sha256(format!("{request}\n").as_bytes())).as_bytes());
    assert_eq!(report["result"]["incident_dir"], format!("inc/http-serve/{}", &id[..32]));
    let incident = incident(&place, &report["result"]["incident_dir"]);
    assert_eq!(incident["inputs"]["component"], json!({"path": "r.wasm", "sha256": component}));
    assert_eq!((&incident["failed"]["step"], &incident["failed"]["case"]), (&json!(0), &json!("req0")));
    assert_eq!(incident["failed"]["env"]["request"]["id"], "req0");
    assert_eq!(
        (&incident["failed"]["expected_frame"], &incident["failed"]["actual_frame"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(incident["error"], diagnostic(&report, "X07WASM_HTTP_REDUCER_CALL_FAILED")["message"]);
    let outputs = report["meta"]["outputs"].as_array().expect("outputs");
    assert!(outputs[0]["path"].as_str().is_some_and(|p| p.ends_with("/incident.json")), "{outputs:?}");
    let again = place.run(fail).report();
    assert_eq!(again["result"]["incident_dir"], report["result"]["incident_dir"]);
}

#[test]
fn an_incident_that_cannot_be_written_is_a_warning() {
    let place = trapping();
    place.write("inc", "a file");
    let run = place.run("http serve --component r.wasm --mode canary --incidents-dir inc --json");
    let report = run.expect(1, "X07WASM_HTTP_REDUCER_CALL_FAILED");
    assert_eq!(diagnostic(&report, "X07WASM_INCIDENT_BUNDLE_WRITE_FAILED")["severity"], "warning");
    assert_eq!(report["result"]["incident_dir"], Value::Null);
}

#[test]
fn a_trace_has_every_call_of_every_request() {
    let place = example("kv");
    let report = serve(&place, "--trace-out out/t.json --json", &(line("a", "") + &line("b", ""))).ok();
    assert_eq!(report["result"]["trace_path"], "out/t.json");
    let trace = document(&place, "out/t.json", "x07-http.trace");
    let steps = trace["steps"].as_array().expect("steps");
    let ids: Vec<&str> = steps.iter().filter_map(|s| s["env"]["request"]["id"].as_str()).collect();
    assert_eq!(ids, ["a", "a", "b", "b"]);
    assert_eq!(steps[0]["env"]["state"], Value::Null);
    assert_eq!(steps[1]["env"]["state"], steps[0]["frame"]["state"]);
    assert_eq!(steps[1]["env"]["effect_results"][1]["value"]["text"], "hello");
    assert_eq!(steps[1]["frame"]["response"]["request_id"], "a");
    let outputs = report["meta"]["outputs"].as_array().expect("outputs");
    assert!(outputs.iter().any(|o| o["path"] == "out/t.json"), "{outputs:?}");
    let first = place.read("out/t.json");
    serve(&place, "--trace-out out/t.json --json", &(line("a", "") + &line("b", ""))).ok();
    assert_eq!(place.read("out/t.json"), first, "the same requests give the same bytes");
}

#[test]
fn a_trace_replaces_nothing_that_was_read() {
    let place = example("hello");
    let before = place.read("r.wasm");
    for out in ["r.wasm", "./r.wasm", "http_reducer_hello"] {
        let run = place.run(&format!("http serve --component r.wasm --mode canary --trace-out {out} --json"));
        let report = run.expect(2, "X07WASM_HTTP_SERVE_TRACE_WRITE_FAILED");
        assert_eq!(report["result"]["trace_path"], Value::Null);
    }
    assert_eq!(place.read("r.wasm"), before);
}

#[test]
fn requests_do_not_influence_each_other_except_by_the_store() {
    // A global that grows would show, if an instance lived longer than a call.
    let place = Place::new();
    let frame = reply(&json!({"body": {"bytes_len": 1, "text": "0"}}));
    let digit = frame.find("\"text\":\"0\"").expect("a digit") + 8;
    let module = format!(
        r#"(module
            (memory (export "memory") 4 4)
            (global (export "__heap_base") i32 (i32.const 65536))
            (global (export "__data_end") i32 (i32.const 65536))
            (data (i32.const 0) {frame:?})
            (func (export "x07_solve_v2") (param $ret i32) (param $arena i32) (param i32 i32 i32)
                (i32.store8 (i32.const {digit}) (i32.add (i32.load8_u (i32.const {digit})) (i32.const 1)))
                (memory.copy (local.get $arena) (i32.const 0) (i32.const {length}))
                (i32.store (local.get $ret) (local.get $arena))
                (i32.store offset=4 (local.get $ret) (i32.const {length}))))"#,
        length = frame.len()
    );
    place.write("r.wasm", wat::parse_str(module).expect("a module"));
    let run = serve(&place, "--arena-cap-bytes 4096", &(line("req0", "") + &line("req0", "")));
    assert_eq!(run.status, 0, "{}", run.stderr);
    let texts: Vec<String> = String::from_utf8_lossy(&run.stdout)
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).expect("JSON")["body"]["text"].to_string())
        .collect();
    assert_eq!(texts, ["\"1\"", "\"1\""]);
}

#[test]
fn compiled_code_can_be_kept() {
    let place = Place::new();
    copy_tree(&root().join("examples/http_reducer_hello"), &place.path("hello"));
    build(&place, "hello", "r.wasm");
    for _ in 0..2 {
        let cache = place.path("cache");
        let run = place.run_with(
            &["http", "serve", "--component", "r.wasm", "--mode", "canary", "--code-cache", "--json"],
            |command| {
                command.env("XDG_CACHE_HOME", &cache).env("HOME", &cache);
            },
        );
        assert_eq!(run.ok()["result"]["responses"][0]["status"], 200);
    }
}
