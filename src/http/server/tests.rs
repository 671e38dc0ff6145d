//! The server as its clients see it, over real sockets.

use super::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream as Socket};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;

/// A server that no test waits long for.
pub(super) fn config() -> ServerConfig {
    ServerConfig {
        addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        max_header_bytes: 8192,
        max_headers: 32,
        max_request_bytes: 1000,
        max_connections: 64,
        max_concurrent: 4,
        header_timeout_ms: 10_000,
        body_timeout_ms: 10_000,
        idle_timeout_ms: 10_000,
        shutdown_grace_ms: 10_000,
        stop_after: 1,
        access_log: false,
    }
}

/// What the test and its service tell each other.
#[derive(Default)]
struct Notes {
    /// Requests that are being worked on.
    inside: AtomicUsize,
    /// Requests that were given up.
    dropped: AtomicUsize,
    /// Statuses that the server gave itself.
    refused: Mutex<Vec<u16>>,
}

/// Echoes. `/wait` waits for the gate, `/big` answers 300 000 bytes, `/odd` answers what no server
/// should send.
struct Echo {
    notes: Arc<Notes>,
    gate: Arc<Semaphore>,
}

struct Inside(Arc<Notes>, bool);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Relaxed);
        if !self.1 {
            self.0.dropped.fetch_add(1, Relaxed);
        }
    }
}

impl Service for Echo {
    async fn call(&self, request: Request<Bytes>, info: RequestInfo) -> Answer {
        self.notes.inside.fetch_add(1, Relaxed);
        let mut inside = Inside(Arc::clone(&self.notes), false);
        let id = request.headers().get("x-request-id").and_then(|v| v.to_str().ok());
        assert_eq!(id, Some(info.id.as_str()), "the request carries its id");
        let mut response = match request.uri().path() {
            "/wait" => {
                let turn = self.gate.acquire().await;
                turn.expect("open").forget();
                Response::new(Bytes::from_static(b"waited"))
            }
            "/big" => Response::new(Bytes::from(vec![b'x'; 300_000])),
            "/odd" => Response::builder()
                .status(103)
                .header("transfer-encoding", "chunked")
                .body(Bytes::new())
                .expect("a response"),
            _ => Response::new(request.into_body()),
        };
        if !response.status().is_informational() {
            // What a service says about the connection and about lengths is not believed.
            response.headers_mut().insert("connection", http::HeaderValue::from_static("upgrade"));
            response.headers_mut().insert("content-length", http::HeaderValue::from_static("7"));
        }
        inside.1 = true;
        Answer { response, fault: None }
    }

    fn refused(&self, status: StatusCode, _: &RequestInfo, _: u64) {
        self.notes.refused.lock().expect("no panic").push(status.as_u16());
    }
}

/// A server in a thread.
struct Running {
    addr: SocketAddr,
    notes: Arc<Notes>,
    gate: Arc<Semaphore>,
    ended: JoinHandle<Result<Summary, ServerError>>,
}

fn start(config: ServerConfig) -> Running {
    let (notes, gate) = (Arc::new(Notes::default()), Arc::new(Semaphore::new(0)));
    let service = Echo { notes: Arc::clone(&notes), gate: Arc::clone(&gate) };
    let (bound, address) = mpsc::channel();
    let ended = thread::spawn(move || {
        run(&config, service, |addr| {
            let _ = bound.send(addr);
        })
    });
    Running { addr: address.recv().expect("the server starts"), notes, gate, ended }
}

impl Running {
    fn client(&self) -> Client {
        let socket = Socket::connect(self.addr).expect("the server listens");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        Client { reader: BufReader::new(socket) }
    }

    fn end(self) -> Summary {
        self.ended.join().expect("no panic").expect("a server that ends well")
    }

    /// Waits until so many requests are being worked on.
    fn wait_inside(&self, count: usize) {
        while self.notes.inside.load(Relaxed) != count {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A client that sends what it is told to.
struct Client {
    reader: BufReader<Socket>,
}

#[derive(Debug)]
struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

impl Client {
    fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.reader.get_mut().write_all(bytes.as_ref()).expect("sent");
        self
    }

    fn get(&mut self, path: &str) -> Reply {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).reply(true)
    }

    /// The head of a reply, and its body unless there is none whatever the head says.
    fn reply(&mut self, has_body: bool) -> Reply {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("a status line");
        let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("a header");
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_owned(), value.to_owned()));
        }
        let mut reply = Reply { status, headers, body: Vec::new() };
        let length = reply.header("content-length").map_or(0, |v| v.parse().expect("a length"));
        if has_body {
            reply.body = vec![0; length];
            self.reader.read_exact(&mut reply.body).expect("the whole body");
        }
        reply
    }

    /// What comes until the server closes.
    fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).expect("the server closes");
        rest
    }
}

#[test]
fn a_connection_is_kept_and_requests_may_be_sent_ahead() {
    let server = start(ServerConfig { stop_after: 3, ..config() });
    let mut client = server.client();
    let first = client.send("POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\none").reply(true);
    assert_eq!((first.status, first.body.as_slice()), (200, b"one".as_slice()));
    assert_eq!(first.header("x-request-id"), Some("req0"));
    assert_eq!(first.header("connection"), None);
    let chunked = "POST /b HTTP/1.1\r\nhost: localhost\r\nx-request-id: Mine\r\ntransfer-encoding: chunked\r\n\r\n2\r\ntw\r\n1\r\no\r\n0\r\n\r\n";
    client.send(format!("{chunked}GET /c HTTP/1.1\r\nhost: localhost\r\n\r\n"));
    let second = client.reply(true);
    assert_eq!((second.body.as_slice(), second.header("x-request-id")), (b"two".as_slice(), Some("mine")));
    let third = client.reply(true);
    assert_eq!((third.body.len(), third.header("x-request-id")), (0, Some("req2")));
    assert_eq!(third.header("connection"), Some("close"), "it was the last");
    assert_eq!(client.rest(), b"");
    let summary = server.end();
    assert_eq!((summary.requests, summary.answered, summary.connections), (3, 3, 1));
}

#[test]
fn a_head_request_gets_the_length_and_nothing_else() {
    let server = start(ServerConfig { stop_after: 2, ..config() });
    let mut client = server.client();
    let reply = client.send("HEAD /big HTTP/1.1\r\nhost: localhost\r\n\r\n").reply(false);
    assert_eq!((reply.status, reply.header("content-length")), (200, Some("300000")));
    let reply = client.get("/big");
    assert_eq!(reply.body.len(), 300_000);
    server.end();
}

#[test]
fn requests_that_are_too_large_never_reach_the_service() {
    let server = start(ServerConfig { stop_after: 5, ..config() });
    // The length alone is enough, and nothing is asked for first.
    let mut client = server.client();
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1001\r\nexpect: 100-continue\r\n\r\n";
    let reply = client.send(head).reply(true);
    assert_eq!((reply.status, reply.body.as_slice()), (413, b"request too large".as_slice()));
    assert_eq!(client.rest(), b"");
    // A client that sends on still gets its answer.
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
    for _ in 0..40 {
        client.send(format!("64\r\n{}\r\n", "x".repeat(100)));
    }
    assert_eq!(client.reply(true).status, 413);
    drop(client);
    // Exactly as large as allowed, after it was asked for.
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(client.reply(false).status, 100);
    assert_eq!(client.send("x".repeat(1000)).reply(true).body.len(), 1000);
    let lines: String = (0..33).map(|i| format!("h{i}: v\r\n")).collect();
    client.send(format!("GET / HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n"));
    let many = client.reply(true);
    assert_eq!((many.status, many.header("x-request-id")), (431, Some("req3")));
    let mut client = server.client();
    client.send(format!("GET / HTTP/1.1\r\nhost: localhost\r\na: {}\r\n\r\n", "x".repeat(8192)));
    assert_eq!(client.reply(false).status, 431);
    assert_eq!(server.client().get("/").status, 200);
    let notes = Arc::clone(&server.notes);
    let summary = server.end();
    assert_eq!(*notes.refused.lock().expect("no panic"), [413, 413, 431]);
    assert_eq!((summary.answered, summary.refused, summary.malformed), (2, 3, 1));
}

#[test]
fn what_is_not_http_is_refused() {
    let server = start(ServerConfig { stop_after: 11, ..config() });
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n", 421),
        ("CONNECT localhost:80 HTTP/1.1\r\nhost: localhost:80\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", 400),
        ("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("GET * HTTP/1.1\r\nhost: localhost\r\n\r\n", 400),
        ("GET localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n", 400),
        ("GET ftp://localhost/ HTTP/1.1\r\nhost: localhost\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a@localhost\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: localhost:99999\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n", 400),
    ] {
        let mut client = server.client();
        let reply = client.send(request).reply(true);
        assert_eq!(reply.status, status, "{request:?}");
        assert_eq!(client.rest(), b"", "{request:?}: the connection is closed");
    }
    assert_eq!(server.client().get("/odd").status, 500);
    let summary = server.end();
    assert_eq!((summary.requests, summary.refused, summary.malformed), (11, 10, 5));
    assert!(summary.first_malformed.is_some());
}

#[test]
fn http_2_is_spoken_on_the_same_port() {
    let server = start(ServerConfig { stop_after: 9, ..config() });
    let addr = server.addr;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let socket = TcpStream::connect(addr).await.expect("the server listens");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.expect("HTTP/2");
        tokio::spawn(connection);
        let request = |method: &str, path: &str, body: &'static str| {
            Request::builder()
                .method(method)
                .uri(format!("http://localhost{path}"))
                .body(Full::new(Bytes::from_static(body.as_bytes())))
                .expect("a request")
        };
        let mut replies = Vec::new();
        for _ in 0..5 {
            replies.push(sender.send_request(request("POST", "/", "hello")));
        }
        for reply in replies {
            let reply = reply.await.expect("an answer");
            assert_eq!(reply.version(), http::Version::HTTP_2);
            assert_eq!(reply.into_body().collect().await.expect("a body").to_bytes(), "hello");
        }
        let big = sender.send_request(request("GET", "/big", "")).await.expect("an answer");
        assert_eq!(big.into_body().collect().await.expect("a body").to_bytes().len(), 300_000);
        let head = sender.send_request(request("HEAD", "/big", "")).await.expect("an answer");
        assert_eq!(head.headers()["content-length"], "300000");
        assert!(head.into_body().collect().await.expect("no body").to_bytes().is_empty());
        let elsewhere =
            Request::builder().uri("http://evil.example/").body(Full::new(Bytes::new())).expect("a request");
        assert_eq!(sender.send_request(elsewhere).await.expect("an answer").status(), 421);
        let last = sender.send_request(request("GET", "/", "")).await.expect("an answer");
        assert_eq!(last.status(), 200);
    });
    drop(runtime);
    let summary = server.end();
    assert_eq!((summary.requests, summary.answered, summary.refused, summary.connections), (9, 8, 1, 1));
}

#[test]
fn slow_heads_are_cut_and_others_are_answered_meanwhile() {
    let server = start(ServerConfig { header_timeout_ms: 300, max_connections: 8, stop_after: 20, ..config() });
    let mut slow: Vec<Client> = (0..6).map(|_| server.client()).collect();
    for client in &mut slow {
        client.send("GET / HTTP/1.1\r\nhost: loc");
    }
    for _ in 0..10 {
        assert_eq!(server.client().get("/").status, 200);
    }
    for client in &mut slow {
        assert_eq!(client.reply(true).status, 408);
        assert_eq!(client.rest(), b"");
    }
    for _ in 0..10 {
        assert_eq!(server.client().get("/").status, 200);
    }
    let summary = server.end();
    assert_eq!((summary.too_slow, summary.answered), (6, 20));
}

#[test]
fn slow_bodies_are_answered_that_they_are() {
    let server = start(ServerConfig { body_timeout_ms: 200, ..config() });
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n12345");
    assert_eq!(client.reply(true).status, 408);
    assert_eq!(server.end().refused, 1);
}

#[test]
fn idle_connections_are_closed_after_a_while() {
    let server = start(ServerConfig { idle_timeout_ms: 700, stop_after: 2, ..config() });
    let mut silent = server.client();
    assert_eq!(silent.rest(), b"");
    let mut client = server.client();
    assert_eq!(client.get("/").status, 200);
    assert_eq!(client.rest(), b"");
    assert_eq!(server.client().get("/").status, 200);
    assert_eq!(server.end().too_slow, 0);
}

#[test]
fn idle_connections_make_room_for_others() {
    let server = start(ServerConfig { max_connections: 8, stop_after: 50, ..config() });
    let idle: Vec<Client> = (0..100).map(|_| server.client()).collect();
    for _ in 0..50 {
        assert_eq!(server.client().get("/").status, 200);
    }
    drop(idle);
    let summary = server.end();
    assert!(summary.evicted > 0, "{summary:?}");
    assert_eq!(summary.answered, 50);
}

#[test]
fn so_many_are_worked_on_and_the_others_wait() {
    let server = start(ServerConfig { max_concurrent: 2, stop_after: 5, ..config() });
    let mut clients: Vec<Client> = (0..5).map(|_| server.client()).collect();
    for client in &mut clients {
        client.send("GET /wait HTTP/1.1\r\nhost: localhost\r\n\r\n");
    }
    server.wait_inside(2);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(server.notes.inside.load(Relaxed), 2, "no more than allowed");
    server.gate.add_permits(5);
    for client in &mut clients {
        assert_eq!(client.reply(true).body, b"waited");
    }
    assert_eq!(server.end().answered, 5);
}

#[test]
fn a_client_that_goes_away_takes_its_request_with_it() {
    let server = start(ServerConfig { stop_after: 3, ..config() });
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    client.reader.get_ref().peek(&mut [0]).expect("an answer");
    client.send("GET /wait HTTP/1.1\r\nhost: localhost\r\n\r\n");
    server.wait_inside(1);
    // With an answer unread, this resets the connection.
    drop(client);
    server.wait_inside(0);
    assert_eq!(server.notes.dropped.load(Relaxed), 1);
    assert_eq!(server.client().get("/").status, 200);
    let summary = server.end();
    assert_eq!((summary.abandoned, summary.answered), (1, 2));
}

#[test]
fn a_client_that_has_ended_its_side_is_taken_to_have_left() {
    let server = start(config());
    let mut client = server.client();
    client.send("GET /wait HTTP/1.1\r\nhost: localhost\r\n\r\n");
    server.wait_inside(1);
    client.reader.get_mut().shutdown(Shutdown::Write).expect("ended");
    server.wait_inside(0);
    assert_eq!(server.end().abandoned, 1);
}

#[test]
fn a_body_that_ends_early_is_nobodys_answer() {
    let server = start(ServerConfig { stop_after: 2, ..config() });
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(client.reply(false).status, 100);
    client.send("123");
    drop(client);
    assert_eq!(server.client().get("/").status, 200);
    let summary = server.end();
    assert_eq!((summary.abandoned, summary.refused, summary.answered), (1, 0, 1));
}

#[test]
fn frames_of_http_2_that_ask_for_nothing_keep_no_connection() {
    let server = start(ServerConfig { idle_timeout_ms: 300, ..config() });
    let mut client = server.client();
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let ping = b"\0\0\x08\x06\0\0\0\0\0abcdefgh";
    while client.reader.get_mut().write_all(ping).is_ok() {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(server.client().get("/").status, 200);
    assert_eq!(server.end().too_slow, 0, "it was idle");
}

#[test]
fn an_answer_that_is_not_taken_does_not_hide_behind_others() {
    let server = start(ServerConfig { body_timeout_ms: 300, stop_after: 0, ..config() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let socket = TcpStream::connect(server.addr).await.expect("the server listens");
        let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(1000)
            .handshake(TokioIo::new(socket))
            .await
            .expect("HTTP/2");
        tokio::spawn(connection);
        let request = |path: &str| {
            let uri = format!("http://localhost{path}");
            Request::builder().uri(uri).body(Full::new(Bytes::new())).expect("a request")
        };
        let untaken = sender.send_request(request("/big")).await.expect("an answer");
        let asking = async {
            while sender.send_request(request("/")).await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), asking).await.expect("the connection ends");
        drop(untaken);
    });
    assert_eq!(server.client().get("/").status, 200, "others are served");
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    // It is not known how much the system takes in place of the client, and so not when this ends.
    let server = start(ServerConfig { body_timeout_ms: 300, stop_after: 0, ..config() });
    let mut deaf = server.client();
    deaf.send("GET /big HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(100));
    assert_eq!(server.client().get("/").status, 200);
    while deaf.reader.get_mut().write_all(b"x").is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.client().get("/").status, 200);
}

#[test]
fn running_requests_are_finished_when_the_server_stops() {
    let server = start(ServerConfig { stop_after: 3, ..config() });
    let mut waiting: Vec<Client> = (0..2).map(|_| server.client()).collect();
    for client in &mut waiting {
        client.send("GET /wait HTTP/1.1\r\nhost: localhost\r\n\r\n");
    }
    server.wait_inside(2);
    let mut last = server.client();
    // Two are sent ahead; the second comes after the last.
    let get = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    last.send(format!("{get}{get}"));
    assert_eq!(last.reply(true).status, 200);
    server.gate.add_permits(2);
    for client in &mut waiting {
        let reply = client.reply(true);
        assert_eq!((reply.body.as_slice(), reply.header("connection")), (b"waited".as_slice(), Some("close")));
    }
    let summary = server.end();
    assert_eq!((summary.requests, summary.answered, summary.cut), (3, 3, 0));
}

#[test]
fn what_outlives_the_grace_is_cut_off() {
    let server = start(ServerConfig { stop_after: 2, shutdown_grace_ms: 300, body_timeout_ms: 200, ..config() });
    let mut client = server.client();
    client.send("GET /wait HTTP/1.1\r\nhost: localhost\r\n\r\n");
    server.wait_inside(1);
    assert_eq!(server.client().get("/").status, 200);
    let summary = server.end();
    assert!(summary.cut >= 1, "{summary:?}");
    assert_eq!((summary.requests, summary.cut_requests, summary.abandoned), (2, 1, 0));
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("an address");
    let addr = taken.local_addr().expect("an address");
    let notes = Arc::new(Notes::default());
    let service = Echo { notes, gate: Arc::new(Semaphore::new(0)) };
    let outcome = run(&ServerConfig { addr, ..config() }, service, |_| panic!("nothing is bound"));
    assert!(matches!(outcome, Err(ServerError::Bind { .. })));
}
