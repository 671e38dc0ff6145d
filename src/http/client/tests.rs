//! The client against servers of every kind, all on this host.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Allows everything that is not in its list of addresses, and notes what it was asked.
#[derive(Default)]
struct Except {
    refused: Vec<IpAddr>,
    asked: Mutex<Vec<String>>,
}

impl OutgoingPolicy for Except {
    fn check(&self, target: &Target) -> Result<(), DenialReason> {
        self.asked.lock().unwrap().push(target.to_string());
        Ok(())
    }

    fn check_address(&self, _target: &Target, address: IpAddr) -> Result<(), DenialReason> {
        self.asked.lock().unwrap().push(address.to_string());
        if self.refused.contains(&address) { Err(DenialReason::PrivateAddress) } else { Ok(()) }
    }
}

const LIMITS: FetchLimits = FetchLimits { timeout_ms: 10_000, max_response_bytes: 100 };

fn get(uri: &str) -> Request<Bytes> {
    Request::builder().uri(uri).header("x-a", "1").body(Bytes::from_static(b"hello")).unwrap()
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Answers the first connection with `answer` and returns what it was sent, as far as one
/// request with a body of five bytes goes.
async fn serve(listener: TcpListener, answer: &[u8], stay: bool) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut seen = Vec::new();
    let mut part = [0; 1024];
    while !seen.ends_with(b"hello") {
        let count = stream.read(&mut part).await.unwrap();
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&part[..count]);
    }
    stream.write_all(answer).await.unwrap();
    stream.flush().await.unwrap();
    if stay {
        // Until the other side goes away.
        while stream.read(&mut part).await.is_ok_and(|count| count > 0) {}
    }
    String::from_utf8(seen).unwrap()
}

/// Fetches from a server that gives `answer`.
fn exchange_with(
    answer: &'static [u8],
    stay: bool,
    limits: FetchLimits,
) -> (Result<Response<Bytes>, FetchError>, String) {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/p?q=1", listener.local_addr().unwrap());
        let policy = Except::default();
        tokio::join!(fetch(get(&uri), &policy, limits), serve(listener, answer, stay))
    })
}

#[test]
fn a_response_comes_whole_and_the_request_is_in_origin_form() {
    let answer =
        b"HTTP/1.1 201 Created\r\nx-b: 2\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let (response, seen) = exchange_with(answer, true, LIMITS);
    let response = response.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["x-b"], "2");
    assert_eq!(response.body(), "abcde");
    assert!(seen.starts_with("GET /p?q=1 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("host: 127.0.0.1:"), "{seen}");
    assert!(seen.contains("content-length: 5\r\n"), "{seen}");
    assert!(seen.contains("x-a: 1\r\n"), "{seen}");
}

#[test]
fn a_redirect_is_an_answer_like_any_other() {
    let answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (response, _) = exchange_with(answer, false, LIMITS);
    assert_eq!(response.unwrap().status(), 302);
}

#[test]
fn a_response_that_is_too_long_is_refused_by_its_header_or_by_its_length() {
    let declared = b"HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n";
    let (response, _) = exchange_with(declared, true, LIMITS);
    assert_eq!(response.unwrap_err(), FetchError::TooLarge { limit: 100 });

    let endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n";
    let (response, _) = exchange_with(endless, true, FetchLimits { max_response_bytes: 4, ..LIMITS });
    assert_eq!(response.unwrap_err(), FetchError::TooLarge { limit: 4 });
}

#[test]
fn half_a_response_and_no_response_are_errors() {
    for answer in [&b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"[..], b"", b"no HTTP at all\r\n\r\n"] {
        let (response, _) = exchange_with(answer, false, LIMITS);
        assert!(matches!(response, Err(FetchError::Exchange { .. })), "{response:?}");
    }
}

#[test]
fn silence_ends() {
    let (response, _) = exchange_with(b"", true, FetchLimits { timeout_ms: 50, ..LIMITS });
    assert_eq!(response.unwrap_err(), FetchError::Timeout { ms: 50 });
}

#[test]
fn the_policy_is_asked_about_the_target_and_then_about_each_address() {
    let home = IpAddr::from([127, 0, 0, 1]);
    for uri in ["http://127.0.0.1:9/", "http://[::ffff:127.0.0.1]:9/"] {
        let policy = Except { refused: vec![home], ..Except::default() };
        let error = run(fetch(get(uri), &policy, LIMITS)).unwrap_err();
        assert!(matches!(error, FetchError::Denied(Denial { reason: DenialReason::PrivateAddress, .. })), "{error:?}");
        assert_eq!(policy.asked.lock().unwrap().last().unwrap(), "127.0.0.1");
        assert_eq!(policy.asked.lock().unwrap().len(), 2);
    }
    let error = run(fetch(get("http://127.0.0.1:9/"), &DenyAll, LIMITS)).unwrap_err();
    assert!(matches!(error, FetchError::Denied(Denial { reason: DenialReason::NotGranted, .. })), "{error:?}");
}

#[test]
fn a_name_is_resolved_before_its_addresses_are_asked_about() {
    let refused = vec![IpAddr::from([127, 0, 0, 1]), "::1".parse().unwrap()];
    let policy = Except { refused, ..Except::default() };
    let error = run(fetch(get("http://localhost:9/"), &policy, LIMITS)).unwrap_err();
    assert!(matches!(error, FetchError::Denied(_)), "{error:?}");
}

#[test]
fn what_cannot_be_sent_is_refused_before_anything_happens() {
    let fail = |request: Request<Bytes>| run(fetch(request, &Except::default(), LIMITS)).unwrap_err();
    assert_eq!(fail(get("ftp://a.example/")), FetchError::Scheme { scheme: "ftp".to_owned() });
    assert_eq!(fail(get("/p")), FetchError::Target(TargetError::NoScheme));
    let connect = Request::builder().method("CONNECT").uri("http://a.example/").body(Bytes::new()).unwrap();
    assert_eq!(fail(connect), FetchError::Method { method: "CONNECT".to_owned() });
}

#[test]
fn a_closed_port_is_not_reached() {
    let error = run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        fetch(get(&uri), &Except::default(), LIMITS).await.unwrap_err()
    });
    assert!(matches!(error, FetchError::Connect { .. }), "{error:?}");
}

#[test]
fn plain_text_in_place_of_tls_is_told_apart_from_a_certificate() {
    let error = run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("https://{}/", listener.local_addr().unwrap());
        let answer = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            // Until the other side goes away.
            let mut part = [0; 1024];
            while stream.read(&mut part).await.is_ok_and(|count| count > 0) {}
        };
        let policy = Except::default();
        tokio::join!(fetch(get(&uri), &policy, LIMITS), answer).0.unwrap_err()
    });
    assert!(matches!(error, FetchError::Tls { certificate: false, .. }), "{error:?}");
}

#[test]
fn the_path_is_never_empty_and_never_a_host() {
    let form = |uri: &str| {
        let mut request = get(uri);
        let target = Target::of(request.uri()).unwrap();
        to_origin_form(&mut request, &target).unwrap();
        (request.uri().to_string(), request.headers()[HOST].to_str().unwrap().to_owned())
    };
    assert_eq!(form("http://a.example"), ("/".to_owned(), "a.example".to_owned()));
    assert_eq!(form("http://a.example?x=1"), ("/?x=1".to_owned(), "a.example".to_owned()));
    assert_eq!(form("http://a.example:81//b.example/c"), ("//b.example/c".to_owned(), "a.example:81".to_owned()));
}
