//! Proxies.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
// The glob below would bring the module of the same name.
use ::http::{Method, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::*;
use super::guests::{HELLO, proxy, proxy_with};
use super::{limits, runtime};
use crate::engine::{Allocator, EngineConfig, Guests, Limits, Runtime};

fn service(runtime: &Arc<Runtime>, bytes: &[u8]) -> HttpService {
    let component = Component::compile(runtime, bytes).unwrap();
    HttpService::prepare(Arc::clone(runtime), &component).unwrap()
}

fn post(body: &'static str) -> Request<Bytes> {
    Request::builder().method(Method::POST).uri("/p?q=1").body(Bytes::from_static(body.as_bytes())).unwrap()
}

fn http_call(grant: Grant) -> HttpCall {
    HttpCall { grant, max_response_bytes: 1000, max_header_bytes: MAX_RESPONSE_HEADER_BYTES }
}

/// Sends one request to a proxy without a grant.
fn run(limits: Limits, bytes: &[u8]) -> HttpOutcome {
    block_on(service(&runtime(limits), bytes).call(post("abc"), http_call(Grant::nothing())))
}

fn response(bytes: &[u8]) -> Response<Bytes> {
    run(limits(), bytes).response.unwrap()
}

fn failure(limits: Limits, bytes: &[u8]) -> CallError {
    run(limits, bytes).response.unwrap_err()
}

/// Appends a header that is in memory.
fn append(name: (u32, u32), value: (u32, u32)) -> String {
    let ((name, name_len), (value, value_len)) = (name, value);
    format!(
        "(call $append (local.get $n) (i32.const {name}) (i32.const {name_len})
           (i32.const {value}) (i32.const {value_len}) (i32.const 0))"
    )
}

#[test]
fn a_response_has_status_headers_and_body() {
    let handler = format!(
        "(local.set $n (call $new-fields)) {} {}
         (local.set $n (call $new-response (local.get $n)))
         (drop (call $set-status (local.get $n) (i32.const 201)))
         (local.set $s (call $begin-with (local.get $out) (local.get $n)))
         (call $say (local.get $s))
         (call $say (local.get $s))
         (call $end (local.get $s))",
        append((80, 3), (83, 1)),
        append((80, 3), (64, 5)),
    );
    let response = response(&proxy(&handler));
    assert_eq!(response.status(), 201);
    let values: Vec<_> = response.headers().get_all("x-a").iter().collect();
    assert_eq!(values, ["1", "hello"]);
    assert_eq!(response.body(), "hellohello");
}

#[test]
fn the_body_of_the_request_arrives() {
    let echo = "
        (call $consume (local.get $request) (i32.const 0))
        (call $body-stream (i32.load (i32.const 4)) (i32.const 0))
        (call $read (i32.load (i32.const 4)) (i64.const 100) (i32.const 16))
        (local.set $s (call $begin (local.get $out) (call $new-fields)))
        (call $write (local.get $s) (i32.load (i32.const 20)) (i32.load (i32.const 24)) (i32.const 0))
        (call $end (local.get $s))";
    assert_eq!(response(&proxy(echo)).body(), "abc");
}

#[test]
fn calls_do_not_see_each_other_and_both_allocators_serve() {
    for allocator in [Allocator::OnDemand, Allocator::Pooling] {
        let limits = Limits { fuel: Some(10_000_000), ..limits() };
        let config =
            EngineConfig { guests: Guests::Components, limits, allocator, concurrency: 2, ..EngineConfig::default() };
        let runtime = Arc::new(Runtime::new(&config).unwrap().0);
        let handler = format!(
            "(if (i32.load8_u (i32.const 200)) (then (unreachable)))
             (i32.store8 (i32.const 200) (i32.const 1)) {HELLO}"
        );
        let service = service(&runtime, &proxy(&handler));
        let mut used = None;
        for _ in 0..40 {
            let outcome = block_on(service.call(post("abc"), http_call(Grant::nothing())));
            assert_eq!(outcome.response.unwrap().body(), "hello");
            assert!(outcome.fuel_used.is_some());
            assert_eq!(*used.get_or_insert(outcome.fuel_used), outcome.fuel_used);
        }
    }
}

#[test]
fn a_long_body_is_taken_while_it_is_written() {
    let long = "
        (local.set $s (call $begin (local.get $out) (call $new-fields)))
        (loop $again
          (call $say (local.get $s))
          (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 20000))))
        (call $end (local.get $s))";
    let service = service(&runtime(limits()), &proxy(long));
    let call = |max_response_bytes| HttpCall { max_response_bytes, ..http_call(Grant::nothing()) };
    let response = block_on(service.call(post(""), call(100_000))).response.unwrap();
    assert_eq!(response.body().len(), 100_000);
    let error = block_on(service.call(post(""), call(99_999))).response.unwrap_err();
    assert_eq!(error, CallError::OutputTooLarge { limit: 99_999 });
}

#[test]
fn a_body_without_end_ends() {
    let endless = "
        (local.set $s (call $begin (local.get $out) (call $new-fields)))
        (loop $again (call $say (local.get $s)) (br $again))";
    assert_eq!(failure(limits(), &proxy(endless)), CallError::OutputTooLarge { limit: 1000 });
}

#[test]
fn a_response_without_a_body_may_tell_its_length() {
    let answer = |method: Method, status: u16| {
        let handler = format!(
            "(local.set $n (call $new-fields)) {}
             (local.set $n (call $new-response (local.get $n)))
             (drop (call $set-status (local.get $n) (i32.const {status})))
             (call $end (call $begin-with (local.get $out) (local.get $n)))",
            append((96, 14), (83, 1)),
        );
        let request = Request::builder().method(method).uri("/").body(Bytes::new()).unwrap();
        block_on(service(&runtime(limits()), &proxy(&handler)).call(request, http_call(Grant::nothing()))).response
    };
    for (method, status) in [(Method::HEAD, 200), (Method::HEAD, 404), (Method::GET, 304)] {
        let response = answer(method, status).unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-length"]),
            (status, &"1".parse().unwrap())
        );
        assert!(response.body().is_empty());
    }
    let lacking = answer(Method::GET, 200);
    assert!(matches!(lacking, Err(CallError::Guest { .. })), "{lacking:?}");
}

#[test]
fn a_thousand_headers_are_refused() {
    for count in [1000, 100_000] {
        let handler = format!(
            "(local.set $n (call $new-fields))
             (loop $again
               {}
               (br_if $again (i32.lt_u (local.tee $s (i32.add (local.get $s) (i32.const 1))) (i32.const {count}))))
             (call $end (call $begin (local.get $out) (local.get $n)))",
            append((80, 3), (83, 1)),
        );
        let error = failure(limits(), &proxy(&handler));
        assert_eq!(error, CallError::HeadersTooLarge { limit: MAX_RESPONSE_HEADER_BYTES }, "{count}");
    }
}

#[test]
fn limits_are_told_apart_while_a_request_is_handled() {
    let endless = proxy("(loop $again (br $again))");
    assert_eq!(failure(Limits { fuel: Some(100_000), ..limits() }, &endless), CallError::Fuel);
    assert_eq!(failure(Limits { wall_ms: Some(50), ..limits() }, &endless), CallError::WallTime { ms: 50 });

    let bomb = proxy("(loop $again (drop (memory.grow (i32.const 1))) (br $again))");
    assert_eq!(failure(limits(), &bomb), CallError::Memory { wanted: 5 * 65_536, limit: 4 * 65_536 });

    let table = proxy_with("(table $t 1 funcref)", "(drop (table.grow $t (ref.null func) (i32.const 1000)))");
    assert_eq!(failure(limits(), &table), CallError::Table { wanted: 1001, limit: 1000 });

    let deep = proxy_with("(func $down (call $down) (i32.store (i32.const 0) (i32.const 1)))", "(call $down)");
    assert_eq!(failure(limits(), &deep), CallError::WasmStack);
}

#[test]
fn a_trap_half_way_through_a_body_discards_the_response() {
    let begun = "(local.set $s (call $begin (local.get $out) (call $new-fields))) (call $say (local.get $s))";
    let error = failure(limits(), &proxy(&format!("{begun} (unreachable)")));
    assert!(matches!(&error, CallError::Trap(trap) if trap.message.contains("unreachable")), "{error:?}");
    assert_eq!(
        failure(Limits { fuel: Some(100_000), ..limits() }, &proxy(&format!("{begun} (loop $a (br $a))"))),
        CallError::Fuel
    );
    let error = failure(limits(), &proxy(&format!("{HELLO} (unreachable)")));
    assert!(matches!(error, CallError::Trap(_)), "even at its end: {error:?}");
}

#[test]
fn a_body_that_is_given_up_is_no_response() {
    let handler = "
        (local.set $s (call $begin (local.get $out) (call $new-fields)))
        (call $say (local.get $s))
        (call $drop-stream (local.get $s))
        (call $drop-body (global.get $the-body))";
    assert_eq!(failure(limits(), &proxy(handler)), CallError::Guest { code: "HTTP-protocol-error".to_owned() });
}

#[test]
fn a_declared_length_is_kept_or_refused() {
    // Digits are at 112: a length of six for the five bytes that follow, and one over the limit.
    let digits = "(data (i32.const 112) \"61001\")";
    let declare = |at: u32, len: u32| format!("(local.set $n (call $new-fields)) {}", append((96, 14), (at, len)));
    let begun = "(local.set $s (call $begin (local.get $out) (local.get $n))) (call $say (local.get $s))";

    let unfinished = proxy_with(digits, &format!("{} {begun}", declare(112, 1)));
    assert_eq!(failure(limits(), &unfinished), CallError::Guest { code: "HTTP-response-body-size".to_owned() });
    let finished = proxy_with(digits, &format!("{} {begun} (call $end (local.get $s))", declare(112, 1)));
    assert_eq!(failure(limits(), &finished), CallError::Guest { code: "HTTP-protocol-error".to_owned() });
    // The guest goes on for ever, and its header is enough.
    let long = proxy_with(digits, &format!("{} {begun} (loop $a (br $a))", declare(113, 4)));
    assert_eq!(failure(limits(), &long), CallError::OutputTooLarge { limit: 1000 });
}

#[test]
fn a_guest_can_answer_with_an_error_or_not_at_all() {
    // The thirty-ninth and the sixteenth.
    let internal = proxy("(call $fail (local.get $out) (i32.const 38))");
    assert_eq!(failure(limits(), &internal), CallError::Guest { code: "internal-error".to_owned() });
    let denied = proxy("(call $fail (local.get $out) (i32.const 15))");
    assert_eq!(failure(limits(), &denied), CallError::Guest { code: "HTTP-request-denied".to_owned() });
    assert_eq!(failure(limits(), &proxy("")), CallError::NoResponse);
}

/// A handler that asks for `http://<authority>/` and answers with the status that it gets. A
/// refusal at once has to be the one for requests that are denied; it is answered with `hello`.
fn asking(authority: &str) -> Vec<u8> {
    let fields = format!("(data (i32.const 290) \"/\") (data (i32.const 300) \"{authority}\")");
    let handler = format!(
        "(local.set $n (call $new-request (call $new-fields)))
         (drop (call $set-scheme (local.get $n) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
         (if (call $set-authority (local.get $n) (i32.const 1) (i32.const 300) (i32.const {}))
           (then (unreachable)))
         (drop (call $set-path (local.get $n) (i32.const 1) (i32.const 290) (i32.const 1)))
         (call $send (local.get $n) (i32.const 0) (i32.const 0) (i32.const 0))
         (if (i32.load8_u (i32.const 0))
           (then
             (if (i32.ne (i32.load8_u (i32.const 8)) (i32.const 15)) (then (unreachable)))
             {HELLO}
             (return)))
         (local.set $s (i32.load (i32.const 8)))
         (call $block (call $subscribe (local.get $s)))
         (call $get (local.get $s) (i32.const 0))
         (local.set $n (call $new-response (call $new-fields)))
         (if (i32.load8_u (i32.const 16))
           ;; The error's number.
           (then (drop (call $set-status (local.get $n) (i32.add (i32.const 500) (i32.load8_u (i32.const 24))))))
           (else (drop (call $set-status (local.get $n) (call $status (i32.load (i32.const 24)))))))
         (call $end (call $begin-with (local.get $out) (local.get $n)))",
        authority.len(),
    );
    proxy_with(&fields, &handler)
}

#[test]
fn an_outgoing_request_that_is_not_granted_is_denied_and_recorded() {
    let outcome = run(limits(), &asking("a.example:81"));
    assert_eq!(outcome.response.unwrap().body(), "hello", "the guest may go on");
    let target = Target { scheme: "http".to_owned(), host: "a.example".to_owned(), port: 81 };
    assert_eq!(outcome.denials, [Denial { target, reason: DenialReason::NotGranted }]);
    assert!(!outcome.sent);
}

/// Grants everything, except addresses if it says so.
struct Allow {
    addresses: bool,
}

impl OutgoingPolicy for Allow {
    fn check(&self, _target: &Target) -> Result<(), DenialReason> {
        Ok(())
    }

    fn check_address(&self, _target: &Target, _address: IpAddr) -> Result<(), DenialReason> {
        if self.addresses { Ok(()) } else { Err(DenialReason::PrivateAddress) }
    }
}

#[test]
fn an_outgoing_request_that_is_granted_is_sent() {
    let outcome = block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bytes = asking(&listener.local_addr().unwrap().to_string());
        let service = service(&runtime(limits()), &bytes);
        let grant = Grant { outgoing: Arc::new(Allow { addresses: true }), ..Grant::nothing() };
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            let mut part = [0; 1024];
            while !seen.ends_with(b"\r\n\r\n") {
                let count = stream.read(&mut part).await.unwrap();
                assert_ne!(count, 0);
                seen.extend_from_slice(&part[..count]);
            }
            assert!(seen.starts_with(b"GET / HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&seen));
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        };
        tokio::join!(service.call(post(""), http_call(grant)), server).0
    });
    assert_eq!(outcome.response.unwrap().status(), 204);
    assert!(outcome.sent && outcome.denials.is_empty());
}

#[test]
fn an_address_that_is_not_granted_is_denied_after_the_name_was() {
    let service = service(&runtime(limits()), &asking("localhost:9"));
    let grant = Grant { outgoing: Arc::new(Allow { addresses: false }), ..Grant::nothing() };
    let outcome = block_on(service.call(post(""), http_call(grant)));
    assert_eq!(outcome.response.unwrap().status(), 515, "HTTP-request-denied");
    assert_eq!(outcome.denials.len(), 1);
    assert_eq!(outcome.denials[0].reason, DenialReason::PrivateAddress);
    assert!(!outcome.sent);
}

#[test]
fn a_busy_guest_stops_nobody_else_and_ends_with_its_caller() {
    // No wall limit: what is left is that it yields.
    let runtime = runtime(Limits { wall_ms: None, ..limits() });
    let busy = service(&runtime, &proxy("(loop $again (br $again))"));
    let quick = service(&runtime, &proxy(HELLO));
    block_on(async {
        tokio::select! {
            biased;
            outcome = busy.call(post(""), http_call(Grant::nothing())) => panic!("{:?}", outcome.response),
            outcome = quick.call(post(""), http_call(Grant::nothing())) => {
                assert_eq!(outcome.response.unwrap().body(), "hello");
            }
        }
        let call = busy.call(post(""), http_call(Grant::nothing()));
        assert!(tokio::time::timeout(Duration::from_millis(20), call).await.is_err());
    });
}
