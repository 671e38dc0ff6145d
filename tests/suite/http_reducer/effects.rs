//! Every effect: what it gives, how it fails, what it may use.

use super::{Place, diagnostic, example, incident, line, results_of, scripted, serve, serve_with};
use crate::support::{Run, root};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

/// Runs effects in one request; yields the run with a report, and the results that the reducer got.
fn perform(place: &Place, arguments: &str, effects: &Value, variables: &[(&str, &str)]) -> (Run, Vec<Value>) {
    let lines = line("req0", &effects.to_string());
    let told = serve_with(place, &format!("{arguments} --json"), &lines, variables);
    let trace = serve_with(place, arguments, &lines, variables);
    (told, results_of(&trace))
}

fn fetch(url: &str) -> Value {
    json!([{"id": "f", "type": "http.fetch", "method": "GET", "url": url, "headers": [{"k": "Accept", "v": "a/b"}], "body": {"bytes_len": 0}}])
}

/// A server that gives every client the same answer.
struct Site {
    addr: SocketAddr,
}

impl Site {
    fn new(answer: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let answer = answer.to_vec();
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut asked = Vec::new();
                let mut part = [0; 1024];
                while !asked.windows(4).any(|w| w == b"\r\n\r\n") {
                    match stream.read(&mut part) {
                        Ok(0) | Err(_) => break,
                        Ok(n) => asked.extend_from_slice(&part[..n]),
                    }
                }
                // A client that has seen enough may be gone.
                let _ = stream.write_all(&answer);
            }
        });
        Self { addr }
    }

    fn with_body(headers: &str, body: &[u8]) -> Self {
        let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n", body.len()).into_bytes();
        answer.extend_from_slice(body);
        Self::new(&answer)
    }

    fn url(&self) -> String {
        format!("http://{}/page?q=1", self.addr)
    }
}

/// An ops profile `ops.json` with capabilities that are changed in some places, by JSON pointer.
fn ops(place: &Place, changes: &[(&str, Value)]) {
    let read = |name: &str| -> Value {
        let text = fs::read(root().join("arch/app/ops").join(name)).expect("a profile of this project");
        serde_json::from_slice(&text).expect("JSON")
    };
    let mut capabilities = read("caps_allow_localhost_http.json");
    for (pointer, value) in changes {
        *capabilities.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value.clone();
    }
    place.write("caps.json", capabilities.to_string());
    let mut profile = read("ops_allow_localhost_http.json");
    profile["capabilities"] = json!({"path": "caps.json", "sha256": null});
    place.write("ops.json", profile.to_string());
}

fn endpoint(site: &Site) -> Value {
    json!([{"host": "127.0.0.1", "port": site.addr.port(), "proto": "http"}])
}

const ALLOW: (&str, &str) = ("X07_WASM_HTTP_FETCH_ALLOW_HOSTS", "example.com, 127.0.0.1");

#[test]
fn values_are_stored_and_read_back() {
    let place = scripted();
    let effects = json!([
        {"id": "a", "type": "kv.get", "key": "k"},
        {"id": "b", "type": "kv.put", "key": "k", "value": {"bytes_len": 1, "base64": "/w=="}, "ttl_ms": 5},
        {"id": "c", "type": "kv.get", "key": "k"},
    ]);
    let (told, results) = perform(&place, "", &effects, &[]);
    let report = told.ok();
    assert_eq!(
        results,
        [
            json!({"id": "a", "type": "kv.get", "ok": true, "found": false, "value": null}),
            json!({"id": "b", "type": "kv.put", "ok": true, "written": true}),
            json!({"id": "c", "type": "kv.get", "ok": true, "found": true, "value": {"bytes_len": 1, "base64": "/w=="}}),
        ]
    );
    let used = json!({"uses_network": false, "uses_os_time": false, "uses_process": false});
    assert_eq!(report["meta"]["nondeterminism"], used);
}

#[test]
fn the_store_is_shared_by_the_requests_of_a_command() {
    let place = scripted();
    let put = json!([{"id": "p", "type": "kv.put", "key": "k", "value": {"bytes_len": 2, "text": "hi"}}]);
    let get = json!([{"id": "g", "type": "kv.get", "key": "k"}]);
    let run = serve(&place, "", &(line("first", &put.to_string()) + &line("second", &get.to_string())));
    assert_eq!(run.status, 0, "{}", run.stderr);
    let last = run.stdout.split(|b| *b == b'\n').nth(1).expect("a second line");
    let response: Value = serde_json::from_slice(last).expect("JSON");
    let results: Value = serde_json::from_slice(&super::decoded(&response["body"])).expect("JSON");
    assert_eq!(results[0]["value"]["text"], "hi");
    // And by no other command.
    let run = serve(&place, "", &line("second", &get.to_string()));
    assert_eq!(results_of(&run)[0]["found"], false);
}

#[test]
fn a_value_that_does_not_decode_fails_the_effect_and_the_command() {
    let place = scripted();
    let effects = json!([{"id": "p", "type": "kv.put", "key": "k", "value": {"bytes_len": 9, "text": "hi"}}]);
    let (told, results) = perform(&place, "", &effects, &[]);
    let report = told.expect(2, "X07WASM_HTTP_EFFECT_KV_IO_FAILED");
    assert_eq!(diagnostic(&report, "X07WASM_HTTP_EFFECT_KV_IO_FAILED")["data"]["effect_id"], "p");
    assert_eq!(report["result"]["responses"][0]["status"], 200, "the reducer goes on");
    assert_eq!((&results[0]["ok"], &results[0]["id"]), (&json!(false), &json!("p")));
    assert!(results[0]["error"].as_str().is_some_and(|e| e.contains("9")), "{results:?}");
    let incident = incident(&place, &report["result"]["incident_dir"]);
    assert_eq!((&incident["failed"]["step"], &incident["failed"]["case"]), (&json!(0), &json!("req0")));
    assert_eq!(incident["failed"]["actual_frame"]["effects"][0]["id"], "p");
}

#[test]
fn a_line_of_the_log_is_one_line_on_standard_error() {
    let place = scripted();
    let effects = json!([
        {"id": "a", "type": "log.emit", "level": "info", "message": "two\nlines", "fields": {"n": 1}},
        {"id": "b", "type": "log.emit", "level": "error", "message": "é", "fields": {}},
    ]);
    let run = serve(&place, "--json", &line("r.1", &effects.to_string()));
    run.ok();
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines, ["[r.1] info: two\\nlines", "[r.1] error: é"]);
    let results = results_of(&serve(&place, "", &line("r.1", &effects.to_string())));
    assert_eq!(results[1], json!({"id": "b", "type": "log.emit", "ok": true, "emitted": true}));
}

#[test]
fn the_time_is_told_and_the_report_says_so() {
    let place = scripted();
    let (told, results) = perform(&place, "", &json!([{"id": "t", "type": "time.now"}]), &[]);
    assert!(results[0]["unix_ms"].as_u64().is_some_and(|ms| ms > 1_600_000_000_000), "{results:?}");
    let report = told.ok();
    assert_eq!(report["meta"]["nondeterminism"]["uses_os_time"], true);
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], false);
}

#[test]
fn capabilities_can_deny_the_time() {
    let place = example("time");
    ops(&place, &[]);
    let report = serve(&place, "--mode canary --ops ops.json --json", "").expect(1, "X07WASM_CAPS_CLOCK_DENIED");
    assert_eq!(report["result"]["responses"][0]["status"], 503);
    assert_eq!(report["meta"]["nondeterminism"]["uses_os_time"], false);
    for mode in ["allow", "record"] {
        ops(&place, &[("/clocks/mode", json!(mode))]);
        let report = serve(&place, "--mode canary --ops ops.json --json", "").ok();
        assert_eq!(report["result"]["responses"][0]["status"], 200, "{mode}");
    }
}

#[test]
fn a_listed_host_is_asked() {
    let place = scripted();
    let site = Site::with_body("X-B: 2\r\nX-A: 1\r\nunder_score: 1\r\n", b"pong");
    let (told, results) = perform(&place, "", &fetch(&site.url()), &[ALLOW]);
    let report = told.ok();
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], true);
    let response = &results[0]["response"];
    assert_eq!((&response["request_id"], &response["status"]), (&json!("f"), &json!(200)));
    assert_eq!(response["body"], json!({"bytes_len": 4, "base64": "cG9uZw==", "text": "pong"}));
    let names: Vec<&str> =
        response["headers"].as_array().into_iter().flatten().filter_map(|h| h["k"].as_str()).collect();
    assert_eq!(names, ["content-length", "x-a", "x-b"], "in small letters, sorted, and only what a document can hold");
}

#[test]
fn nobody_is_asked_without_permission() {
    let place = scripted();
    let site = Site::with_body("", b"pong");
    let lists: [&[(&str, &str)]; 2] =
        [&[], &[("X07_WASM_HTTP_FETCH_ALLOW_HOSTS", "example.com,127.0.0.1:80,127.0.0.2")]];
    for variables in lists {
        let (told, results) = perform(&place, "", &fetch(&site.url()), variables);
        let report = told.expect(1, "X07WASM_HTTP_EFFECT_HTTP_FETCH_FAILED");
        assert_eq!(results[0]["ok"], false);
        assert!(results[0]["error"].as_str().is_some_and(|e| e.contains("127.0.0.1")), "{results:?}");
        assert_eq!(report["meta"]["nondeterminism"]["uses_network"], false);
    }
}

#[test]
fn addresses_that_cannot_be_asked_fail() {
    let place = scripted();
    for url in ["ftp://127.0.0.1/", "127.0.0.1", "http://", "http://a@127.0.0.1/", "http://127.0.0.1:1/"] {
        let (told, results) = perform(&place, "", &fetch(url), &[ALLOW]);
        let report = told.expect(1, "X07WASM_HTTP_EFFECT_HTTP_FETCH_FAILED");
        assert_eq!(results[0]["ok"], false, "{url}");
        assert_eq!(report["meta"]["nondeterminism"]["uses_network"], false, "{url}: nothing was sent");
    }
}

#[test]
fn a_redirect_is_an_answer_and_not_followed() {
    let place = scripted();
    let site = Site::new(b"HTTP/1.1 302 Found\r\nlocation: http://example.com/\r\ncontent-length: 0\r\n\r\n");
    let (told, results) = perform(&place, "", &fetch(&site.url()), &[ALLOW]);
    told.ok();
    assert_eq!(results[0]["response"]["status"], 302);
}

#[test]
fn an_answer_that_is_too_long_fails_or_meets_the_limit_of_the_request() {
    let place = scripted();
    let site = Site::with_body("", &vec![b'x'; (1 << 20) + 1]);
    let (told, results) = perform(&place, "", &fetch(&site.url()), &[ALLOW]);
    // One mebibyte is both the most for an answer and, by default, for a request.
    told.expect(1, "X07WASM_HTTP_EFFECT_HTTP_FETCH_FAILED");
    assert_eq!(results[0]["ok"], false);
    let site = Site::with_body("", b"0123456789");
    let lines = line("req0", &fetch(&site.url()).to_string());
    let run = serve_with(&place, "--max-effect-results-bytes 9 --json", &lines, &[ALLOW]);
    run.expect(4, "X07WASM_BUDGET_EXCEEDED_HTTP_EFFECT_RESULT_BYTES");
    serve_with(&place, "--max-effect-results-bytes 10 --json", &lines, &[ALLOW]).ok();
}

#[test]
fn capabilities_decide_who_is_asked_and_the_variable_does_not_count() {
    let place = scripted();
    let site = Site::with_body("", b"pong");
    type Members<'a> = &'a [(&'a str, Value)];
    let cases: [(Members<'_>, Option<&str>); 4] = [
        (&[("/network/mode", json!("deny")), ("/network/allowlist", json!([]))], Some("X07WASM_CAPS_NET_DENIED")),
        (&[], Some("X07WASM_CAPS_NET_DENIED")),
        (&[("/network/allowlist", endpoint(&site))], Some("X07WASM_CAPS_NET_PRIVATE_IP_DENIED")),
        (
            &[("/network/allowlist", endpoint(&site)), ("/network/hardening/allow_ip_cidrs", json!(["127.0.0.0/8"]))],
            None,
        ),
    ];
    for (changes, code) in cases {
        ops(&place, changes);
        let (told, results) = perform(&place, "--ops ops.json", &fetch(&site.url()), &[ALLOW]);
        match code {
            Some(code) => {
                told.expect(1, code);
                assert_eq!(results[0]["error"], "http.fetch denied by capabilities");
            }
            None => {
                told.ok();
                assert_eq!(results[0]["response"]["body"]["text"], "pong");
            }
        }
    }
    let literal = [
        ("/network/allowlist", json!([{"host": "8.8.8.8", "port": 80, "proto": "http"}])),
        ("/network/hardening/deny_ip_literals", json!(true)),
    ];
    ops(&place, &literal);
    let (told, _) = perform(&place, "--ops ops.json", &fetch("http://8.8.8.8/"), &[ALLOW]);
    told.expect(1, "X07WASM_CAPS_NET_IP_LITERAL_DENIED");
}

#[test]
fn a_profile_that_cannot_be_used_stops_everything() {
    let place = scripted();
    ops(&place, &[("/clocks/mode", json!("sometimes"))]);
    for path in ["ops.json", "none.json"] {
        let run = serve(&place, &format!("--ops {path} --json"), &line("req0", "[]"));
        let report = run.report();
        assert_eq!((run.status, &report["result"]["requests"]), (3, &json!(0)), "{report:#}");
    }
}

#[test]
fn effects_of_a_frame_with_a_response_are_not_carried_out() {
    let place = super::raw();
    let frame = json!({
        "v": 1, "kind": "x07.http.frame", "state": null, "telemetry": {},
        "effects": [{"id": "l", "type": "log.emit", "level": "info", "message": "never", "fields": {}}],
        "response": {"schema_version": "x07.http.response.envelope@0.1.0", "request_id": "req0", "status": 204, "headers": [], "body": {"bytes_len": 0}},
    });
    let run = serve(&place, "--json", &line("req0", &frame.to_string()));
    assert_eq!(run.ok()["result"]["responses"][0]["status"], 204);
    assert_eq!(run.stderr, "");
}

#[test]
fn an_effect_that_does_not_exist_is_a_mistake_of_the_reducer() {
    let place = scripted();
    let effects = json!([{"id": "d", "type": "kv.delete", "key": "k"}]);
    let run = serve(&place, "--json", &line("req0", &effects.to_string()));
    let report = run.expect(3, "X07WASM_HTTP_FRAME_SCHEMA_INVALID");
    let unknown = diagnostic(&report, "X07WASM_HTTP_EFFECT_SCHEMA_INVALID");
    assert!(unknown["message"].as_str().is_some_and(|m| m.contains("kv.delete") && m.contains("kv.put")));
    assert_eq!(unknown["data"]["instance_path"], "/effects/0/type");
    assert_eq!(report["result"]["responses"][0]["status"], 500);
    let incident = incident(&place, &report["result"]["incident_dir"]);
    assert_eq!(incident["failed"]["actual_frame"]["effects"], effects);
}
