//! Listen mode: connections, protocols, failures, and the end.

use super::support::{Client, Server, address, diagnostic, place};
use crate::support::codes;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
#[cfg(unix)]
use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(unix)]
use std::{thread, time::Duration};

#[test]
fn a_connection_is_kept_and_requests_may_be_sent_ahead() {
    let place = place("http_echo");
    let server = Server::start(&place, "--stop-after 4");
    let mut client = server.client();
    let first = client.post("/", "one");
    assert_eq!((first.status, first.body.as_slice()), (200, b"one".as_slice()));
    assert_eq!(first.header("x-request-id"), Some("req0"));
    let ahead = "POST / HTTP/1.1\r\nhost: localhost\r\nx-request-id: My-Id\r\ntransfer-encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n";
    client.send(format!("{ahead}HEAD / HTTP/1.1\r\nhost: localhost\r\n\r\n"));
    let second = client.reply();
    assert_eq!((second.body.as_slice(), second.header("x-request-id")), (b"two".as_slice(), Some("my-id")));
    assert_eq!(client.bare_reply().status, 200);
    client.send("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(client.reply().status, 100);
    let last = client.send("three").reply();
    assert_eq!((last.body.as_slice(), last.header("connection")), (b"three".as_slice(), Some("close")));
    assert!(client.closed());

    let addr = server.addr;
    let ended = server.end();
    assert_eq!((ended.status, codes(&ended.report).iter().filter(|c| !c.contains("BUILTIN")).count()), (0, 0));
    let result = &ended.report["result"];
    assert_eq!((&result["mode"], &result["stop_after"]), (&json!("listen"), &json!(4)));
    assert_eq!(result["addr"], json!({ "requested": "127.0.0.1:0", "bound": addr.to_string() }));
    let responses = result["responses"].as_array().expect("a list");
    assert_eq!(responses.len(), 4);
    assert!(responses.iter().all(|r| r["ok"] == true && r["status"] == 200), "{result:#}");
    assert_eq!(responses[0]["body"]["base64"], "b25l");
    assert_eq!(ended.report["meta"]["nondeterminism"]["uses_network"], true);
}

#[test]
fn http_2_is_spoken_on_the_same_port() {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let place = place("http_echo");
    let server = Server::start(&place, "--stop-after 21 --max-concurrent 4");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(server.addr).await.expect("the server listens");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.expect("HTTP/2");
        tokio::spawn(connection);
        let request = |body: String| {
            let request = http::Request::post("http://localhost/").header("x-request-id", "h2");
            request.body(Full::new(Bytes::from(body))).expect("a request")
        };
        let replies: Vec<_> = (0..20).map(|i| sender.send_request(request(format!("body {i}")))).collect();
        for (i, reply) in replies.into_iter().enumerate() {
            let reply = reply.await.expect("an answer");
            assert_eq!(reply.headers()["x-request-id"], "h2");
            let body = reply.into_body().collect().await.expect("a body").to_bytes();
            assert_eq!(body, format!("body {i}"));
        }
        let large = "x".repeat(100_000);
        let reply = sender.send_request(request(large.clone())).await.expect("an answer");
        assert_eq!(reply.into_body().collect().await.expect("a body").to_bytes(), large);
    });
    drop(runtime);
    let ended = server.end();
    assert_eq!(ended.report["result"]["responses"].as_array().expect("a list").len(), 21);
    assert_eq!(ended.status, 0, "{:#}", ended.report);
}

#[test]
fn what_fails_is_told_to_the_report_and_not_to_the_client() {
    let place = place("http_spin");
    let server = Server::start(&place, "--stop-after 2 --max-fuel 1000000 --access-log");
    for id in ["req0", "req1"] {
        let reply = server.client().get("/secret?a=b");
        assert_eq!((reply.status, reply.body.as_slice()), (500, b"internal error".as_slice()));
        assert_eq!((reply.header("x-request-id"), reply.header("x-x07-diag-code")), (Some(id), None));
        assert!(reply.header("content-type").is_some_and(|t| t.starts_with("text/plain")));
    }
    let ended = server.end();
    assert_eq!(ended.status, 4);
    let found = diagnostic(&ended.report, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");
    assert_eq!(found["data"]["count"], 2);
    let result = &ended.report["result"];
    for response in result["responses"].as_array().expect("a list") {
        assert_eq!((&response["ok"], &response["status"]), (&json!(false), &json!(500)));
        assert_eq!(response["body"], json!({ "bytes_len": 0, "sha256": "0".repeat(64) }));
    }
    let folders = result["incidents"].as_array().expect("a list");
    assert_eq!(folders.len(), 2, "their ids differ");
    for folder in folders {
        let folder = place.path(folder.as_str().expect("a path"));
        let read = |name: &str| -> Value {
            serde_json::from_slice(&fs::read(folder.join(name)).expect("there")).expect("JSON")
        };
        let response = read("response.envelope.json");
        assert_eq!((&response["status"], &response["headers"]), (&json!(500), &json!([])));
        assert_eq!(read("request.envelope.json")["path"], "/secret");
        assert_eq!(read("serve.report.json"), ended.report);
    }
    let lines: Vec<Value> = ended.stderr.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(lines.len(), 2, "{:?}", ended.stderr);
    assert_eq!((&lines[0]["method"], &lines[0]["path"]), (&json!("GET"), &json!("/secret")));
    assert_eq!((&lines[0]["status"], &lines[0]["fault"]), (&json!(500), &json!("X07WASM_BUDGET_EXCEEDED_CPU_FUEL")));
    assert!(lines.iter().all(|l| l["unix_ms"].is_u64() && l["ms"].is_u64() && l["bytes"] == 14), "{lines:?}");
}

#[test]
fn a_component_that_takes_too_long_is_a_timeout_and_holds_nobody_up() {
    let place = place("http_spin");
    let args = "--stop-after 6 --max-fuel none --max-wall-ms-per-request 400 --max-concurrent 6";
    let server = Server::start(&place, args);
    let mut clients: Vec<Client> = (0..6).map(|_| server.client()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.reply().status, 504);
    }
    let ended = server.end();
    assert_eq!(ended.status, 4);
    assert_eq!(diagnostic(&ended.report, "X07WASM_BUDGET_EXCEEDED_WALLTIME")["data"]["count"], 6);
}

#[test]
fn what_the_component_reports_is_passed_on_and_reported() {
    let place = place("http_bad_response");
    let server = Server::start(&place, "");
    let reply = server.client().get("/");
    let code = "X07WASM_NATIVE_HTTP_RESPONSE_ENVELOPE_PARSE_FAILED";
    assert_eq!((reply.status, reply.header("x-x07-diag-code")), (500, Some(code)));
    let ended = server.end();
    assert_eq!(ended.status, 1);
    diagnostic(&ended.report, code);
    assert_eq!(ended.report["result"]["responses"][0]["ok"], false);
}

#[test]
fn requests_that_the_server_refuses_are_listed_without_a_diagnostic() {
    let place = place("http_echo");
    let server = Server::start(&place, "--stop-after 4 --max-request-bytes 10");
    let reply = server.client().post("/", "01234567890");
    assert_eq!((reply.status, reply.body.as_slice()), (413, b"request too large".as_slice()));
    assert_eq!(reply.header("x-request-id"), Some("req0"));
    assert_eq!(server.client().send("GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n").reply().status, 421);
    assert_eq!(server.client().send("GET / HTTP/1.1\r\n\r\n").reply().status, 400);
    assert_eq!(server.client().post("/", "0123456789").body, b"0123456789");
    let ended = server.end();
    assert_eq!(ended.status, 0, "{:#}", ended.report);
    let listed: Vec<_> = ended.report["result"]["responses"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|r| (r["ok"].as_bool(), r["status"].as_u64()))
        .collect();
    let refused = |status| (Some(false), Some(status));
    assert_eq!(listed, [refused(413), refused(421), refused(400), (Some(true), Some(200))]);
    assert_eq!(ended.report["result"]["incidents"], json!([]));
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let place = place("http_hello");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("an address");
    let addr = taken.local_addr().expect("an address");
    let listen = "serve --mode listen --component http.component.wasm --json";
    let report = place.run(&format!("{listen} --addr {addr}")).expect(1, "X07WASM_SERVE_LISTEN_FAILED");
    assert_eq!(report["result"]["addr"], json!({ "requested": addr.to_string(), "bound": null }));
    for wrong in [
        "--max-concurrent 0",
        "--max-connections 0",
        "--max-header-bytes 100",
        "--idle-timeout-ms 0",
        "--max-wall-ms-per-request 0",
    ] {
        place.run(&format!("{listen} {wrong}")).expect(3, "X07WASM_CLI_ARGS_INVALID");
    }
    place.run(&format!("{listen} --addr localhost")).expect(3, "X07WASM_SERVE_ADDR_INVALID");
}

/// Asks again and again on one connection; yields how many whole replies came.
#[cfg(unix)]
fn ask_until_the_end(mut client: Client, asked: &AtomicU64) -> u64 {
    let mut whole = 0;
    loop {
        client.send("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let Some(reply) = client.try_reply(true) else { return whole };
        assert_eq!((reply.status, reply.body.as_slice()), (200, b"hello".as_slice()));
        whole += 1;
        asked.fetch_add(1, Ordering::Relaxed);
        if reply.header("connection") == Some("close") {
            assert!(client.closed());
            return whole;
        }
    }
}

#[cfg(unix)]
#[test]
fn a_signal_under_load_loses_no_finished_response() {
    let place = place("http_hello");
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let server = Server::start(&place, "--stop-after 0 --hot-path");
        let asked = AtomicU64::new(0);
        let whole: u64 = thread::scope(|scope| {
            let clients: Vec<_> = (0..16)
                .map(|_| {
                    let client = server.client();
                    scope.spawn(|| ask_until_the_end(client, &asked))
                })
                .collect();
            while asked.load(Ordering::Relaxed) < 100 {
                thread::sleep(Duration::from_millis(1));
            }
            server.signal(signal);
            clients.into_iter().map(|c| c.join().expect("no panic")).sum()
        });
        let ended = server.end();
        assert_eq!(ended.status, 0, "{:#}", ended.report);
        let listed = ended.report["result"]["responses"].as_array().expect("a list").len() as u64;
        let omitted = ended.report["diagnostics"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|d| d["code"] == "X07WASM_SERVE_RESPONSES_OMITTED");
        let answered = omitted.and_then(|d| d["data"]["requests"].as_u64()).unwrap_or(listed);
        assert_eq!(whole, answered, "each response that was finished has reached its client");
    }
}

#[cfg(unix)]
#[test]
fn a_second_signal_ends_at_once() {
    let place = place("http_spin");
    let args = "--stop-after 0 --max-fuel none --max-wall-ms-per-request 60000 --shutdown-grace-ms 60000";
    let server = Server::start(&place, args);
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(client.reply().status, 100, "the request is there");
    client.send("x");
    // Two of a kind could arrive as one.
    server.signal(rustix::process::Signal::TERM);
    server.signal(rustix::process::Signal::INT);
    let ended = server.end();
    assert_eq!(ended.status, 1, "{:#}", ended.report);
    assert_eq!(diagnostic(&ended.report, "X07WASM_SERVE_REQUEST_FAILED")["data"]["count"], 1);
    assert!(client.closed());
}

#[test]
fn the_address_is_told_to_people_and_so_is_the_end() {
    let place = place("http_hello");
    let mut child = Command::new(env!("CARGO_BIN_EXE_x07-wasm"))
        .args(["serve", "--mode", "listen", "--component", "http.component.wasm"])
        .current_dir(place.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut first = String::new();
    stderr.read_line(&mut first).expect("a line");
    let addr = address(&first).expect("the address");
    assert_eq!(Client::connect(addr).get("/").body, b"hello");
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{rest}");
    assert!(rest.contains("served 1 requests on 1 connections"), "{rest}");
}
