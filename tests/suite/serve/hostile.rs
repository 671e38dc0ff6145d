//! Clients that want to break the server, or to keep it from others.

#![cfg(unix)]

use super::support::{Client, Server, address, diagnostic, place};
use crate::support::codes;
use std::io::{BufRead, BufReader};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};

/// Asserts that an honest client is served.
#[track_caller]
fn others_are_served(server: &Server) {
    for _ in 0..3 {
        let reply = server.client().get("/");
        assert_eq!((reply.status, reply.body.as_slice()), (200, b"hello".as_slice()));
    }
}

#[test]
fn nothing_that_is_sent_breaks_the_server() {
    let place = place("http_hello");
    let server = Server::start(&place, "--stop-after 0 --max-header-bytes 8192 --max-headers 16");
    let long = "x".repeat(100_000);
    let many: String = (0..100).map(|i| format!("h{i}: v\r\n")).collect();
    let hostile = [
        String::new(),
        "\0".to_owned(),
        "\r\n\r\n\r\n".to_owned(),
        "GET".to_owned(),
        "GET /".to_owned(),
        format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        format!("{long} / HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"),
        "GET / HTTP/9.9\r\nhost: localhost\r\n\r\n".to_owned(),
        "GET http:// HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999999999999\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!".to_owned(),
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5, 5\r\n\r\nhello".to_owned(),
        "POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_owned(),
        "POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nx".to_owned(),
        "POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked, identity\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage that is no frame at all, but long enough".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}".to_owned(),
    ];
    for request in &hostile {
        let mut client = server.client();
        client.send(request);
        // Whatever the answer is: it is not the greeting for what is no request.
        let _ = client.reader.get_mut().shutdown(Shutdown::Write);
        let _ = client.closed();
    }
    others_are_served(&server);
    let ended = server.terminate();
    assert_eq!(ended.status, 0, "{:#}", ended.report);
    let warning = diagnostic(&ended.report, "X07WASM_SERVE_HTTP1_CONN_FAILED");
    assert!(warning["data"]["malformed"].as_u64().is_some_and(|n| n >= 5), "{warning}");
}

/// A sequence of numbers that is the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % below
    }
}

#[test]
fn changed_requests_do_not_break_the_server() {
    let place = place("http_hello");
    let server = Server::start(&place, "--stop-after 0 --header-timeout-ms 200 --body-timeout-ms 200");
    let whole = "POST /a?b=c HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\nx-request-id: a\r\nexpect: 100-continue\r\nconnection: keep-alive\r\n\r\nhello";
    let mut numbers = Numbers(7);
    for _ in 0..300 {
        let mut bytes = whole.as_bytes().to_vec();
        for _ in 0..=numbers.next(4) {
            let at = numbers.next(bytes.len());
            match numbers.next(3) {
                0 => bytes[at] = u8::try_from(numbers.next(256)).unwrap_or(0),
                1 => {
                    bytes.remove(at);
                }
                _ => bytes.insert(at, b"\r\n :0,;\0"[numbers.next(8)]),
            }
        }
        let mut client = server.client();
        client.send(&bytes);
        let _ = client.reader.get_mut().shutdown(Shutdown::Both);
    }
    others_are_served(&server);
    // Some are requests after all, which the component may complain about.
    let ended = server.terminate();
    assert!(matches!(ended.status, 0 | 1), "{:#}", ended.report);
    assert!(codes(&ended.report).iter().all(|c| !c.contains("INTERNAL")), "{:#}", ended.report);
}

#[test]
fn two_ways_to_tell_a_length_smuggle_nothing() {
    let place = place("http_hello");
    let server = Server::start(&place, "--stop-after 0");
    // The chunks count, and what follows them on the connection is not trusted.
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut client = server.client();
    client.send(format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        5 + smuggled.len()
    ));
    assert_eq!(client.reply().status, 200);
    assert!(client.closed(), "there is no second reply");
    let ended = server.terminate();
    assert_eq!(ended.report["result"]["responses"].as_array().expect("a list").len(), 1);
}

#[test]
fn slow_clients_keep_nobody_waiting() {
    let place = place("http_hello");
    let server =
        Server::start(&place, "--stop-after 0 --max-concurrent 2 --header-timeout-ms 3000 --body-timeout-ms 3000");
    let mut slow: Vec<Client> = (0..50).map(|_| server.client()).collect();
    for (i, client) in slow.iter_mut().enumerate() {
        let head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n";
        client.send(&head[..if i % 2 == 0 { 20 } else { head.len() }]);
    }
    others_are_served(&server);
    // Byte by byte does not buy more time.
    for client in &mut slow {
        client.send("x");
    }
    others_are_served(&server);
    for client in &mut slow {
        assert_eq!(client.reply().status, 408);
    }
    others_are_served(&server);
    let ended = server.terminate();
    assert_eq!(ended.status, 0);
    assert!(codes(&ended.report).iter().any(|c| c == "X07WASM_SERVE_HTTP1_CONN_FAILED"));
}

#[test]
fn clients_that_leave_early_leave_nothing_behind() {
    let place = place("http_spin");
    let args = "--stop-after 0 --max-fuel none --max-wall-ms-per-request 60000 --max-concurrent 2 --access-log";
    let server = Server::start(&place, args);
    // Each would keep a place for a minute.
    for _ in 0..10 {
        let mut client = server.client();
        client.send("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n");
        client.reader.get_ref().peek(&mut [0]).expect("it is asked for the body");
        client.send("x");
        // With bytes unread, the end of the socket resets the connection.
    }
    for part in ["POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n123", "POST / HTTP/1.1\r\nho"] {
        server.client().send(part);
    }
    // A request that the server refuses itself still gets its answer, and nobody is worked for.
    assert_eq!(server.client().send("GET / HTTP/1.1\r\n\r\n").reply().status, 400);
    let ended = server.terminate();
    assert_eq!(ended.status, 0, "{:#}", ended.report);
    let abandoned = diagnostic(&ended.report, "X07WASM_SERVE_HTTP1_CONN_FAILED")["data"]["abandoned"].as_u64();
    let lines =
        ended.stderr.iter().filter(|line| line.contains("\"status\":null") && line.contains("abandoned")).count();
    assert!(abandoned >= Some(10) && lines >= 10, "{abandoned:?} {:?}", ended.stderr);
}

#[test]
fn thousands_of_idle_connections_stop_nobody() {
    let place = place("http_hello");
    let room = descriptors(25_000) / 2;
    let count = usize::try_from(room.saturating_sub(200).min(10_000)).expect("small");
    let server = Server::start(&place, "--stop-after 0");
    let mut idle: Vec<TcpStream> = Vec::with_capacity(count);
    for _ in 0..count {
        // Other tests use descriptors, too: as many as there are will do.
        let Ok(socket) = TcpStream::connect(server.addr) else { break };
        idle.push(socket);
    }
    eprintln!("{} idle connections", idle.len());
    others_are_served(&server);
    drop(idle);
    others_are_served(&server);
    assert_eq!(server.terminate().status, 0);
}

#[test]
fn a_full_server_gives_up_idle_connections() {
    let place = place("http_hello");
    let server = Server::start(&place, "--stop-after 0 --max-connections 16");
    let idle: Vec<Client> = (0..200).map(|_| server.client()).collect();
    for _ in 0..20 {
        others_are_served(&server);
    }
    drop(idle);
    assert_eq!(server.terminate().status, 0);
}

#[test]
fn a_log_that_nobody_reads_slows_no_request() {
    let place = place("http_hello");
    let mut child = Command::new(env!("CARGO_BIN_EXE_x07-wasm"))
        .args("serve --mode listen --component http.component.wasm --json --stop-after 2000 --access-log".split(' '))
        .current_dir(place.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut first = String::new();
    stderr.read_line(&mut first).expect("a line");
    // From here on nobody reads: what the pipe does not hold waits, and is lost at the end.
    let mut client = Client::connect(address(&first).expect("the address"));
    for _ in 0..2000 {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

/// The limit of file descriptors of this process, raised towards `wanted`.
fn descriptors(wanted: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current.filter(|c| *c < wanted) else { return wanted };
    let target = limit.maximum.map_or(wanted, |most| most.min(wanted));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(target), maximum: limit.maximum });
    if raised.is_ok() { target } else { current }
}
