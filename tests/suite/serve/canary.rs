//! Canary mode: requests of our own, without a socket.

use super::support::{build, diagnostic, place};
use crate::support::{Place, check_report};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use x07_wasm::contract::ContractInfo;
use x07_wasm::contract::validate::violations;

const SERVE: &str = "serve --component http.component.wasm --json";

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The only incident of a report, as a folder relative to the place.
#[track_caller]
fn incident(report: &Value) -> String {
    let list = report["result"]["incidents"].as_array().expect("a list");
    assert_eq!(list.len(), 1, "{report:#}");
    list[0].as_str().expect("a path").to_owned()
}

/// Reads a document and checks it against its contract.
#[track_caller]
fn document(place: &Place, path: &str) -> Value {
    let value: Value = serde_json::from_slice(&place.read(path)).expect("JSON");
    let version = value["schema_version"].as_str().expect("a version");
    let contract = ContractInfo::find(version).expect("known");
    assert_eq!(violations(contract, &value), [], "{value:#}");
    value
}

#[test]
fn the_report_shows_the_response() {
    let place = place("http_echo");
    place.write("body.bin", "ping\n");
    let report = place.run(&format!("{SERVE} --mode canary --request-body @body.bin")).ok();
    let wasm = place.read("http.component.wasm");
    let result = &report["result"];
    assert_eq!(result["mode"], "canary");
    assert_eq!(
        result["component"],
        json!({ "path": "http.component.wasm", "sha256": sha256(&wasm), "bytes_len": wasm.len() })
    );
    assert_eq!(result["addr"], json!({ "requested": "127.0.0.1:0", "bound": null }));
    assert_eq!(
        result["budgets"],
        json!({ "max_concurrent": 16, "max_request_bytes": 1_048_576, "max_response_bytes": 1_048_576, "max_wall_ms_per_request": 5000 })
    );
    assert_eq!((&result["stop_after"], &result["incidents"]), (&json!(1), &json!([])));
    let response = &result["responses"][0];
    assert_eq!((&response["ok"], &response["status"]), (&json!(true), &json!(200)));
    assert_eq!(response["body"], json!({ "base64": "cGluZwo=", "bytes_len": 5, "sha256": sha256(b"ping\n") }));
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], false);
    let inputs: Vec<&str> = report["meta"]["inputs"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|i| i["path"].as_str().expect("a path"))
        .collect();
    assert_eq!((inputs.first(), inputs.last()), (Some(&"http.component.wasm"), Some(&"body.bin")));
}

#[test]
fn bodies_come_in_any_form_and_go_out_for_people() {
    let place = place("http_echo");
    for (body, bytes) in [("", "".as_bytes()), ("hex:00ff0a", b"\x00\xff\n"), ("b64:aGVsbG8=", b"hello")] {
        let run = place.run_args(&["serve", "--component", "http.component.wasm", "--request-body", body]);
        assert_eq!((run.status, run.stdout.as_slice()), (0, bytes), "{}", run.stderr);
        assert!(run.stderr.contains("status 200"), "{}", run.stderr);
    }
    let report = place.run(&format!("{SERVE} --request-body b64:aGVsbG8= --hot-path")).ok();
    assert_eq!(report["result"]["responses"][0]["body"], json!({ "bytes_len": 5, "sha256": sha256(b"hello") }));
}

#[test]
fn as_many_requests_are_made_as_asked_for() {
    let place = place("http_hello");
    for count in [0_usize, 1, 7] {
        let report = place.run(&format!("{SERVE} --stop-after {count} --method GET")).ok();
        assert_eq!(report["result"]["responses"].as_array().expect("a list").len(), count);
    }
    let report = place.run(&format!("{SERVE} --stop-after 1001 --method GET --hot-path")).ok();
    assert_eq!(report["result"]["responses"].as_array().expect("a list").len(), 1000);
    let omitted = diagnostic(&report, "X07WASM_SERVE_RESPONSES_OMITTED");
    assert_eq!(omitted["data"]["requests"], 1001);
}

#[test]
fn a_status_of_the_component_is_no_failure() {
    let place = place("http_hello");
    for (path, status, body) in [("/", 200, "hello"), ("", 200, "hello"), ("elsewhere", 404, "not found")] {
        let run = place.run_args(&[
            "serve",
            "--component",
            "http.component.wasm",
            "--method",
            "GET",
            "--path",
            path,
            "--json",
        ]);
        let report = run.ok();
        let response = &report["result"]["responses"][0];
        assert_eq!((&response["ok"], &response["status"]), (&json!(true), &json!(status)), "{path}");
        assert_eq!(response["body"]["sha256"], sha256(body.as_bytes()), "{path}");
    }
    let report = place.run(&format!("{SERVE} --method GET --path http://localhost/x?y=z")).ok();
    assert_eq!(report["result"]["responses"][0]["status"], 404);
}

#[test]
fn a_component_that_was_put_together_answers_the_same() {
    let native = place("http_echo");
    let composed = Place::new();
    composed.write("http.component.wasm", build("http_echo", "http"));
    let command = format!("{SERVE} --request-body b64:aGVsbG8= --header x-name:J\u{fc}rgen");
    let body = |place: &Place| place.run(&command).ok()["result"]["responses"][0]["body"].clone();
    assert_eq!(body(&native), body(&composed));
}

#[test]
fn each_budget_of_the_component_has_its_code() {
    let place = place("http_echo");
    place.write("large.bin", vec![b'x'; (1 << 20) + 1]);
    let headers: Vec<String> = (0..129).flat_map(|i| ["--header".to_owned(), format!("h{i}: v")]).collect();
    let long = [
        "--header".to_owned(),
        format!("a: {}", "x".repeat(40_000)),
        "--header".to_owned(),
        format!("b: {}", "x".repeat(40_000)),
    ];
    let table: [(Vec<String>, &str); 5] = [
        (vec!["--path".to_owned(), format!("/{}", "x".repeat(2048))], "PATH_BYTES"),
        (vec!["--path".to_owned(), format!("/?{}", "x".repeat(4097))], "QUERY_BYTES"),
        (headers, "HEADERS"),
        (long.to_vec(), "HEADER_BYTES_TOTAL"),
        (vec!["--request-body".to_owned(), "@large.bin".to_owned()], "REQUEST_BODY"),
    ];
    for (args, name) in table {
        let mut line: Vec<String> = SERVE.split(' ').map(str::to_owned).collect();
        line.extend(args);
        let code = format!("X07WASM_BUDGET_EXCEEDED_HTTP_{name}");
        let report = place.run_args(&line).expect(4, &code);
        let response = &report["result"]["responses"][0];
        assert_eq!((&response["ok"], &response["status"]), (&json!(false), &json!(413)), "{name}");
        incident(&report);
    }
}

#[test]
fn a_wrong_answer_leaves_an_incident() {
    const CODE: &str = "X07WASM_NATIVE_HTTP_RESPONSE_ENVELOPE_PARSE_FAILED";
    let place = place("http_bad_response");
    place.write("http.component.wasm.manifest.json", "{}\n");
    let run = place.run(&format!("{SERVE} --request-body hex:6869 --path /x?y=z"));
    let report = run.expect(1, CODE);
    assert_eq!(report["meta"]["nondeterminism"]["uses_os_time"], true, "the folder carries the date");
    let folder = incident(&report);
    let envelope = place.read(format!("{folder}/request.envelope.json"));
    let wasm = place.read("http.component.wasm");
    let id = &sha256(format!("{}:{}", sha256(&wasm), sha256(&envelope)).as_bytes())[..32];
    assert!(folder.starts_with(".x07-wasm/incidents/") && folder.ends_with(id), "{folder}");

    let request = document(&place, &format!("{folder}/request.envelope.json"));
    assert_eq!((&request["id"], &request["method"], &request["path"]), (&json!("req0"), &json!("POST"), &json!("/x")));
    assert_eq!((&request["query"], &request["headers"]), (&json!("y=z"), &json!([{ "k": "host", "v": "localhost" }])));
    assert_eq!(request["body"], json!({ "base64": "aGk=", "bytes_len": 2, "text": "hi" }));
    assert_eq!(place.read(format!("{folder}/request.body.bin")), b"hi");
    assert_eq!(place.read(format!("{folder}/request.body.sha256")), format!("{}\n", sha256(b"hi")).into_bytes());
    let response = document(&place, &format!("{folder}/response.envelope.json"));
    assert_eq!(response["status"], 500);
    assert_eq!(place.read(format!("{folder}/component.manifest.json")), b"{}\n");

    let text = String::from_utf8(place.read(format!("{folder}/incident.manifest.json"))).expect("text");
    let first = text.lines().next().expect("a line");
    assert!(first.contains("\"schema_version\":\"x07.wasm.incident.manifest@0.1.0\""), "{first}");
    let manifest = document(&place, &format!("{folder}/incident.manifest.json"));
    assert_eq!((&manifest["kind"], &manifest["request"]["envelope"]), (&json!("serve"), &request));
    assert_eq!(manifest["component"]["sha256"], sha256(&wasm));
    assert_eq!(check_report(&place.read(format!("{folder}/serve.report.json"))), report);
}

#[test]
fn limits_stop_a_component() {
    let place = place("http_spin");
    for (limits, code) in [
        ("--max-fuel 1000000", "X07WASM_BUDGET_EXCEEDED_CPU_FUEL"),
        ("--max-fuel 0", "X07WASM_BUDGET_EXCEEDED_CPU_FUEL"),
        ("--max-fuel none --max-wall-ms-per-request 300", "X07WASM_BUDGET_EXCEEDED_WALLTIME"),
        ("--max-fuel 1000000 --allocator pooling", "X07WASM_BUDGET_EXCEEDED_CPU_FUEL"),
    ] {
        let report = place.run(&format!("{SERVE} {limits}")).expect(4, code);
        let response = &report["result"]["responses"][0];
        assert_eq!((&response["ok"], &response["status"]), (&json!(false), &json!(0)), "{limits}");
        assert_eq!(response["body"], json!({ "bytes_len": 0, "sha256": "0".repeat(64) }), "{limits}");
        let folder = incident(&report);
        assert!(!place.path(format!("{folder}/response.envelope.json")).exists(), "{limits}");
    }
    place.run(&format!("{SERVE} --max-memory-bytes 65536")).expect(4, "X07WASM_BUDGET_EXCEEDED_MEMORY");
    let hello = super::support::place("http_hello");
    hello.run(&format!("{SERVE} --method GET --max-response-bytes 4")).expect(4, "X07WASM_BUDGET_EXCEEDED_OUTPUT");
    hello.run(&format!("{SERVE} --method GET --max-response-bytes 5")).ok();
}

#[test]
fn many_failures_of_a_kind_are_told_once() {
    let place = place("http_spin");
    let report =
        place.run(&format!("{SERVE} --max-fuel 1000 --stop-after 5")).expect(4, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");
    assert_eq!(diagnostic(&report, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL")["data"]["count"], 5);
    assert_eq!(report["result"]["responses"].as_array().expect("a list").len(), 5);
    // They were all the same request.
    incident(&report);
}

#[test]
fn all_that_is_wrong_with_the_command_line_is_told_at_once() {
    let place = Place::new();
    let run = place.run_args(&[
        "serve",
        "--json",
        "--component",
        "none.wasm",
        "--method",
        "G T",
        "--path",
        "a b",
        "--request-body",
        "x",
        "--header",
        "x",
        "--addr",
        "here",
    ]);
    let report = run.expect(3, "X07WASM_SERVE_COMPONENT_READ_FAILED");
    for code in [
        "X07WASM_SERVE_METHOD_INVALID",
        "X07WASM_SERVE_PATH_INVALID",
        "X07WASM_SERVE_REQUEST_BODY_INVALID",
        "X07WASM_SERVE_ADDR_INVALID",
        "X07WASM_CLI_ARGS_INVALID",
    ] {
        diagnostic(&report, code);
    }
    assert_eq!(report["result"]["component"], json!({ "path": "none.wasm", "sha256": "0".repeat(64), "bytes_len": 0 }));
    assert_eq!(report["result"]["responses"], json!([]));
}

#[test]
fn evidence_needs_more_options() {
    let place = place("http_hello");
    place.run(&format!("{SERVE} --evidence-out e.json")).expect(3, "X07WASM_POLICY_OBLIGATION_UNSATISFIED");
    assert!(!place.path("e.json").exists());
}

#[test]
fn only_http_components_can_be_served_with() {
    let place = Place::with_example("solve_pure_echo");
    place.write("http.component.wasm", "(not wasm)");
    place.run(SERVE).expect(1, "X07WASM_SERVE_COMPONENT_COMPILE_FAILED");
    place.run("build --project solve_pure_echo/x07.json --out http.component.wasm --no-manifest --json").ok();
    let report = place.run(SERVE).expect(1, "X07WASM_SERVE_COMPONENT_COMPILE_FAILED");
    let message = diagnostic(&report, "X07WASM_SERVE_COMPONENT_COMPILE_FAILED")["message"].as_str().expect("text");
    assert!(message.contains("core module"), "{message}");
    place.run("component build --project solve_pure_echo/x07.json --emit cli-native --out-dir out --json").ok();
    fs::copy(place.path("out/cli.component.wasm"), place.path("http.component.wasm")).expect("copied");
    place.run(SERVE).expect(1, "X07WASM_SERVE_PROXY_PRE_FAILED");
}

#[test]
fn a_pool_needs_limits() {
    let place = place("http_hello");
    place
        .run(&format!("{SERVE} --allocator pooling --max-table-elements none"))
        .expect(1, "X07WASM_WASMTIME_ENGINE_FAILED");
}

#[test]
fn incidents_that_cannot_be_written_are_a_warning() {
    let place = place("http_bad_response");
    place.write("file", "in the way");
    let report =
        place.run(&format!("{SERVE} --incidents-dir file/incidents")).expect(1, "X07WASM_INCIDENT_BUNDLE_WRITE_FAILED");
    assert_eq!(report["result"]["incidents"], json!([]));
}
