//! The same behind a socket.

use super::{decoded, diagnostic, document, example, incident, raw, scripted, trapping};
use crate::support::{Place, check_report};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;

/// A listener with `r.wasm` of a place.
struct Listener {
    child: Child,
    stderr: BufReader<ChildStderr>,
    addr: SocketAddr,
}

impl Listener {
    fn start(place: &Place, arguments: &str) -> Self {
        Self::start_with(place, arguments, &[])
    }

    fn start_with(place: &Place, arguments: &str, variables: &[(&str, &str)]) -> Self {
        let words = format!("http serve --component r.wasm --addr 127.0.0.1:0 {arguments} --json");
        let mut child = Command::new(env!("CARGO_BIN_EXE_x07-wasm"))
            .args(words.split_whitespace())
            .current_dir(place.path(""))
            .env_remove("X07_WASM_HTTP_FETCH_ALLOW_HOSTS")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("standard error"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("a line");
        let addr = line.trim().strip_prefix("listening on http://").and_then(|a| a.parse().ok());
        let Some(addr) = addr else {
            let _ = child.kill();
            panic!("{line}");
        };
        Self { child, stderr, addr }
    }

    /// Waits for the end; yields exit status, report and standard error.
    fn end(mut self) -> (i32, Value, String) {
        let mut stdout = Vec::new();
        self.child.stdout.take().expect("standard output").read_to_end(&mut stdout).expect("readable");
        let mut stderr = String::new();
        self.stderr.read_to_string(&mut stderr).expect("text");
        let status = self.child.wait().expect("it ends").code().expect("by itself");
        (status, check_report(&stdout), stderr)
    }
}

/// An answer: status, head in small letters, body.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

/// Sends a request on a connection of its own and reads until the other side closes.
fn ask(addr: SocketAddr, head: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(addr).expect("connected");
    let head = format!("{head}\r\nhost: {addr}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(body).expect("sent");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("an answer");
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").expect("a whole head");
    let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
    Answer { status, head, body: all[end + 4..].to_vec() }
}

fn post(addr: SocketAddr, effects: &Value) -> Vec<Value> {
    let answer = ask(addr, "POST /a?b=c HTTP/1.1", effects.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).expect("results")
}

#[test]
fn requests_become_envelopes_and_envelopes_answers() {
    let place = scripted();
    let listener = Listener::start(&place, "--stop-after 3 --trace-out t.json");
    let put = json!([{"id": "p", "type": "kv.put", "key": "k", "value": {"bytes_len": 2, "text": "hi"}}]);
    assert_eq!(post(listener.addr, &put)[0]["written"], true);
    let get = json!([{"id": "g", "type": "kv.get", "key": "k"}]);
    let results = post(listener.addr, &get);
    assert_eq!(results[0]["value"]["text"], "hi", "the store is that of the command");
    let answer = ask(listener.addr, "PUT /x HTTP/1.1\r\nx-request-id: My.Id\r\naccept: a/b", b"[]");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("x-request-id: my.id"), "{}", answer.head);
    let (status, report, stderr) = listener.end();
    assert_eq!((status, stderr.as_str()), (0, ""), "{report:#}");
    let result = &report["result"];
    assert_eq!((&result["mode"], &result["requests"]), (&json!("listen"), &json!(3)));
    assert_eq!(result["responses"].as_array().map(Vec::len), Some(3));
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], true);
    let trace = document(&place, "t.json", "x07-http.trace");
    let first = &trace["steps"][0]["env"]["request"];
    assert_eq!(
        (&first["id"], &first["method"], &first["path"], &first["query"]),
        (&json!("req0"), &json!("POST"), &json!("/a"), &json!("b=c"))
    );
    assert_eq!(decoded(&first["body"]), put.to_string().as_bytes());
    let last = &trace["steps"][4]["env"]["request"];
    assert_eq!((&last["id"], last.get("query")), (&json!("my.id"), None));
    let headers = last["headers"].as_array().expect("headers");
    assert!(headers.contains(&json!({"k": "accept", "v": "a/b"})), "{headers:?}");
    assert!(headers.is_sorted_by_key(|h| h["k"].as_str().map(str::to_owned)), "{headers:?}");
    place.run("http test --component r.wasm --trace t.json --json").ok();
}

#[test]
fn requests_that_fit_no_envelope_are_refused() {
    let place = example("hello");
    let listener = Listener::start(&place, "--stop-after 5 --max-request-bytes 4");
    let long = "v".repeat(4097);
    let status = |head: &str| ask(listener.addr, head, b"").status;
    assert_eq!(status("get / HTTP/1.1"), 400);
    assert_eq!(status(&format!("GET / HTTP/1.1\r\nx: {long}")), 431);
    assert_eq!(status("GET / HTTP/1.1\r\nunder_score: 1"), 400);
    assert_eq!(status(&format!("GET /{long} HTTP/1.1")), 414);
    assert_eq!(ask(listener.addr, "POST / HTTP/1.1", b"12345").status, 413);
    let (status, report, _) = listener.end();
    assert_eq!(status, 0, "a mistake of a client is no failure: {report:#}");
    let statuses: Vec<u64> =
        report["result"]["responses"].as_array().into_iter().flatten().filter_map(|r| r["status"].as_u64()).collect();
    assert_eq!(statuses, [400, 431, 400, 414, 413]);
}

#[test]
fn a_failure_is_an_internal_error_outside_and_an_incident_inside() {
    let place = trapping();
    let listener = Listener::start(&place, "--stop-after 2");
    for _ in 0..2 {
        let answer = ask(listener.addr, "GET / HTTP/1.1", b"");
        assert_eq!((answer.status, answer.body.as_slice()), (500, &b"internal error\n"[..]));
    }
    let (status, report, _) = listener.end();
    assert_eq!(status, 1);
    diagnostic(&report, "X07WASM_HTTP_REDUCER_CALL_FAILED");
    assert_eq!(report["result"]["requests"], 2);
    incident(&place, &report["result"]["incident_dir"]);
}

#[test]
fn responses_that_http_does_not_allow_are_not_sent() {
    let place = raw();
    let frame = |changes: &Value| {
        let mut response = json!({"schema_version": "x07.http.response.envelope@0.1.0", "request_id": "r", "status": 200, "headers": [], "body": {"bytes_len": 2, "text": "hi"}});
        for (name, value) in changes.as_object().expect("members") {
            response[name] = value.clone();
        }
        json!({"v": 1, "kind": "x07.http.frame", "state": null, "effects": [], "telemetry": {}, "response": response})
            .to_string()
    };
    let listener = Listener::start(&place, "--stop-after 4");
    let send = |changes: Value| ask(listener.addr, "POST / HTTP/1.1\r\nx-request-id: r", frame(&changes).as_bytes());
    let good = send(json!({"headers": [{"k": "X-A", "v": "é"}, {"k": "Content-Length", "v": "99"}]}));
    assert_eq!((good.status, good.body.as_slice()), (200, &b"hi"[..]));
    assert!(!good.head.contains("x-a:"), "only visible ASCII is passed on: {}", good.head);
    assert_eq!(send(json!({"status": 101})).status, 500);
    let split = send(json!({"headers": [{"k": "x", "v": "a\r\nset-cookie: b"}]}));
    assert_eq!(split.status, 500);
    assert!(!split.head.contains("set-cookie"), "{}", split.head);
    assert_eq!(send(json!({"body": {"bytes_len": 3, "text": "hi"}})).status, 500);
    let (status, report, _) = listener.end();
    assert_eq!(status, 1, "{report:#}");
    diagnostic(&report, "X07WASM_HTTP_SERVE_RESPONSE_INVALID");
    let body = diagnostic(&report, "X07WASM_HTTP_SERVE_RESPONSE_BODY_INVALID");
    assert_eq!(body["severity"], "error", "the bytes were needed");
}

#[test]
fn many_clients_are_answered_at_a_time() {
    let place = scripted();
    let listener = Listener::start(&place, "--stop-after 24 --max-concurrent 4");
    let addr = listener.addr;
    let clients: Vec<_> = (0..8)
        .map(|client| {
            thread::spawn(move || {
                for round in 0..3 {
                    let (key, value) = (format!("k{client}"), format!("{client}-{round}"));
                    let effects = json!([
                        {"id": "p", "type": "kv.put", "key": key, "value": {"bytes_len": value.len(), "text": value}},
                        {"id": "g", "type": "kv.get", "key": key},
                    ]);
                    assert_eq!(post(addr, &effects)[1]["value"]["text"], value.as_str());
                }
            })
        })
        .collect();
    for client in clients {
        client.join().expect("every client was answered");
    }
    let (status, report, _) = listener.end();
    assert_eq!((status, &report["result"]["requests"]), (0, &json!(24)), "{report:#}");
}

#[test]
fn a_request_can_wait_for_another_server() {
    let site = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = site.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in site.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut part = [0; 4096];
            let _ = stream.read(&mut part);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npong");
        }
    });
    let place = scripted();
    let words = "http serve --component r.wasm --addr 127.0.0.1:0 --stop-after 1 --json";
    let mut child = Command::new(env!("CARGO_BIN_EXE_x07-wasm"))
        .args(words.split_whitespace())
        .current_dir(place.path(""))
        .env("X07_WASM_HTTP_FETCH_ALLOW_HOSTS", "127.0.0.1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().expect("standard error")).read_line(&mut line).expect("a line");
    let addr = line.trim().trim_start_matches("listening on http://").parse().expect("an address");
    let fetch = json!([{"id": "f", "type": "http.fetch", "method": "GET", "url": format!("http://127.0.0.1:{port}/"), "headers": [], "body": {"bytes_len": 0}}]);
    assert_eq!(post(addr, &fetch)[0]["response"]["body"]["text"], "pong");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(check_report(&output.stdout)["exit_code"], 0);
}

#[test]
fn what_went_wrong_is_told_also_when_the_client_has_left() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", silent.local_addr().expect("an address"));
    let place = scripted();
    let allowed = [("X07_WASM_HTTP_FETCH_ALLOW_HOSTS", "127.0.0.1")];
    let listener = Listener::start_with(&place, "--stop-after 2", &allowed);
    let fetch = |id: &str, url: &str| json!({"id": id, "type": "http.fetch", "method": "GET", "url": url, "headers": [], "body": {"bytes_len": 0}});
    let body = json!([fetch("denied", "http://example.com/"), fetch("waits", &url)]).to_string();
    let mut client = TcpStream::connect(listener.addr).expect("connected");
    let head = format!("POST / HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n", listener.addr, body.len());
    client.write_all(head.as_bytes()).expect("sent");
    client.write_all(body.as_bytes()).expect("sent");
    // The first effect was refused once the second one is here.
    let _waiting = silent.accept().expect("the reducer's request");
    drop(client);
    assert_eq!(ask(listener.addr, "GET / HTTP/1.1", b"[]").status, 200);
    let (status, report, _) = listener.end();
    assert_eq!(status, 1, "{report:#}");
    let refused = diagnostic(&report, "X07WASM_HTTP_EFFECT_HTTP_FETCH_FAILED");
    assert_eq!(refused["data"]["effect_id"], "denied");
    assert_eq!(report["result"]["requests"], 2);
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], true);
}

#[test]
fn an_address_that_is_taken_is_told() {
    let place = example("hello");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("an address");
    let run = place.run(&format!("http serve --component r.wasm --addr {addr} --json"));
    let report = run.expect(1, "X07WASM_SERVE_LISTEN_FAILED");
    assert_eq!(report["result"]["requests"], 0);
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], false);
}
