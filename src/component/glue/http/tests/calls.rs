//! Requests, and what becomes of them.

use wasmtime::Trap;

use super::host::{Answer, Event, Method, Request};
use super::{BUDGETS, LIMITS, adapter, constant, envelope, native};
use crate::component::glue::{GlueError, HttpBudgets, SolveLimits, StateDoc, http_adapter, http_native};
use crate::component::link::LinkError;

const CODE: &str = "x-x07-diag-code";

/// Answers with the input in a text body.
fn echo(input: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(input).unwrap().replace('\\', "\\\\").replace('"', "\\\"");
    let size = input.len();
    envelope("{\"k\":\"a\",\"v\":\"b\"},{\"k\":\"C-d\",\"v\":\"\"}", &text)
        .replace(&format!("\"bytes_len\":{}", text.len()), &format!("\"bytes_len\":{size}"))
        .into_bytes()
}

fn echoing(request: Request) -> Request {
    Request { solve: echo, ..request }
}

#[track_caller]
fn failed(answer: &Answer, status: u32, code: &str) {
    assert_eq!((answer.status, answer.header(CODE)), (status, code), "{}", String::from_utf8_lossy(&answer.body));
    assert!(answer.finished);
}

#[test]
fn a_request_goes_to_the_program_and_its_response_back() {
    let request = Request::new("/p?q", &[("b", b"2"), ("a", b"1")], &[b"hel", b"lo"]);
    let answer = adapter(&BUDGETS, StateDoc::None).handle(echoing(request)).unwrap();
    let solved = "{\"schema_version\":\"x07.http.request.envelope@0.1.0\",\"id\":\"req0\",\"method\":\"GET\",\
                  \"path\":\"/p\",\"query\":\"q\",\"headers\":[{\"k\":\"a\",\"v\":\"1\"},{\"k\":\"b\",\"v\":\"2\"}],\
                  \"body\":{\"bytes_len\":5,\"base64\":\"aGVsbG8=\"}}";
    let want = Answer {
        status: 201,
        headers: vec![("a".to_owned(), b"b".to_vec()), ("C-d".to_owned(), Vec::new())],
        body: solved.as_bytes().to_vec(),
        finished: true,
        error: None,
        solved: solved.as_bytes().to_vec(),
        unread: 0,
    };
    assert_eq!(answer, want);
}

#[test]
fn a_program_in_the_module_answers_too() {
    let mut host = native(&envelope("{\"k\":\"a\",\"v\":\"b\"}", "yes"), &BUDGETS);
    let answer = host.handle(Request::new("/", &[], &[])).unwrap();
    assert_eq!((answer.status, answer.body.as_slice(), answer.header("a")), (201, &b"yes"[..], "b"));
    assert!(answer.finished);
}

#[test]
fn an_instance_handles_any_number_of_requests() {
    let body = vec![7; 60_000];
    let pieces: Vec<&[u8]> = body.chunks(7001).collect();
    let mut host = adapter(&BUDGETS, StateDoc::None);
    let first = host.handle(echoing(Request::new("/", &[], &pieces))).unwrap();
    assert_eq!((first.status, first.body.len()), (201, first.solved.len()));
    // Together far more than the bump region holds.
    for _ in 0..1000 {
        assert_eq!(host.handle(echoing(Request::new("/", &[], &pieces))).unwrap(), first);
    }
    let mut host = native(&envelope("", "yes"), &BUDGETS);
    for _ in 0..1000 {
        assert_eq!(host.handle(Request::new("/", &[], &pieces)).unwrap().body, b"yes");
    }
}

#[test]
fn every_method_has_its_name() {
    let mut host = adapter(&BUDGETS, StateDoc::None);
    let names = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    let cases = (0..).map(Method::Case).zip(names).chain([(Method::Other("QUERY".to_owned()), "QUERY")]);
    for (method, name) in cases {
        let request = Request { method, ..echoing(Request::new("/", &[], &[])) };
        let solved = String::from_utf8(host.handle(request).unwrap().solved).unwrap();
        assert!(solved.contains(&format!("\"method\":\"{name}\"")), "{solved}");
    }
    let request = Request { method: Method::Other("Q-1".to_owned()), ..echoing(Request::new("/", &[], &[])) };
    failed(&host.handle(request).unwrap(), 400, "X07WASM_NATIVE_HTTP_REQUEST_METHOD_INVALID");
}

#[test]
fn a_request_may_lack_its_target() {
    let request = Request { target: None, ..echoing(Request::new("", &[], &[])) };
    let answer = adapter(&BUDGETS, StateDoc::None).handle(request).unwrap();
    let solved = String::from_utf8(answer.solved).unwrap();
    assert!(solved.contains("\"path\":\"/\",\"query\":\"\",\"headers\":[]"), "{solved}");
}

#[test]
fn a_request_that_is_refused_early_is_not_read() {
    let mut host = adapter(&BUDGETS, StateDoc::None);
    let long = format!("/{}", "a".repeat(100));
    let answer = host.handle(Request::new(&long, &[], &[b"unread"])).unwrap();
    failed(&answer, 413, "X07WASM_BUDGET_EXCEEDED_HTTP_PATH_BYTES");
    assert_eq!((answer.unread, answer.solved.len()), (1, 0));
    assert_eq!(answer.header("x-x07-diag-data-b64"), "eyJsaW1pdCI6MTAwfQ==");

    let headers = [("h", &b"v"[..]); 9];
    failed(&host.handle(Request::new("/", &headers, &[])).unwrap(), 413, "X07WASM_BUDGET_EXCEEDED_HTTP_HEADERS");
}

#[test]
fn bodies_are_bounded_to_the_byte() {
    let budgets = HttpBudgets { max_request_body_bytes: 10, ..BUDGETS };
    let mut host = adapter(&budgets, StateDoc::None);
    let within: [&[&[u8]]; 2] = [&[&[1; 10]], &[&[1; 4], &[], &[1; 6]]];
    for pieces in within {
        assert_eq!(host.handle(echoing(Request::new("/", &[], pieces))).unwrap().status, 201);
    }
    let beyond: [&[&[u8]]; 3] = [&[&[1; 11]], &[&[1; 10], &[1]], &[&[1; 10_000], &[1; 10_000]]];
    for pieces in beyond {
        let answer = host.handle(echoing(Request::new("/", &[], pieces))).unwrap();
        failed(&answer, 413, "X07WASM_BUDGET_EXCEEDED_HTTP_REQUEST_BODY");
        assert_eq!(answer.solved.len(), 0);
    }
    let answer = host.handle(echoing(Request::new("/", &[], &[&[1; 9], &[1; 500], &[1; 500]]))).unwrap();
    assert!(answer.unread > 0);
}

#[test]
fn a_body_that_cannot_be_read_is_reported() {
    let mut host = adapter(&BUDGETS, StateDoc::None);
    let plain = || echoing(Request::new("/", &[], &[]));
    let requests = [
        Request { body: [Event::Fail].into(), ..plain() },
        Request { body: [Event::Bytes(vec![1, 2]), Event::Fail].into(), ..plain() },
        Request { consumable: false, ..plain() },
        Request { streamable: false, ..plain() },
    ];
    for request in requests {
        failed(&host.handle(request).unwrap(), 500, "X07WASM_SERVE_REQUEST_FAILED");
    }
    assert_eq!(host.handle(plain()).unwrap().status, 201);
}

#[test]
fn an_output_that_is_no_envelope_is_reported() {
    let answer = native("no envelope", &BUDGETS).handle(Request::new("/", &[], &[])).unwrap();
    failed(&answer, 500, "X07WASM_NATIVE_HTTP_RESPONSE_ENVELOPE_PARSE_FAILED");
    let answer = native("", &BUDGETS).handle(Request::new("/", &[], &[])).unwrap();
    failed(&answer, 500, "X07WASM_NATIVE_HTTP_RESPONSE_ENVELOPE_PARSE_FAILED");
    let request = Request { solve: |_| Vec::new(), ..Request::new("/", &[], &[]) };
    let answer = adapter(&BUDGETS, StateDoc::None).handle(request).unwrap();
    failed(&answer, 500, "X07WASM_NATIVE_HTTP_RESPONSE_ENVELOPE_PARSE_FAILED");
}

#[test]
fn a_response_that_the_host_refuses_is_replaced() {
    for refuses in [[1, 0, 0], [0, 1, 0], [0, 0, 1]] {
        for mut host in [adapter(&BUDGETS, StateDoc::None), native(&envelope("", "yes"), &BUDGETS)] {
            let request = Request { refuses, ..echoing(Request::new("/", &[], &[])) };
            let answer = host.handle(request).unwrap();
            failed(&answer, 500, "X07WASM_NATIVE_HTTP_RESPONSE_ENVELOPE_INVALID");
        }
    }
}

#[test]
fn a_host_that_refuses_everything_gets_an_error() {
    for refuses in [[2, 0, 0], [0, 2, 0], [0, 0, 2], [1, 1, 0]] {
        let request = Request { refuses, ..echoing(Request::new("/", &[], &[])) };
        let answer = adapter(&BUDGETS, StateDoc::None).handle(request).unwrap();
        assert_eq!((answer.error, answer.status, answer.finished), (Some(38), 0, false));
    }
}

#[test]
fn bodies_are_sent_in_pieces_and_empty_ones_not_at_all() {
    let text = "x".repeat(10_000);
    let mut host = native(&envelope("", &text), &BUDGETS);
    let answer = host.handle(Request::new("/", &[], &[])).unwrap();
    assert_eq!((answer.body.as_slice(), answer.finished), (text.as_bytes(), true));
    let answer = native(&envelope("", ""), &BUDGETS).handle(Request::new("/", &[], &[])).unwrap();
    assert_eq!((answer.status, answer.body.len(), answer.finished), (201, 0, true));
}

#[test]
fn a_client_that_goes_away_ends_the_call_quietly() {
    let mut host = native(&envelope("", &"x".repeat(10_000)), &BUDGETS);
    for (accepts, got) in [(0, 0), (4096, 4096), (9999, 8192)] {
        let answer = host.handle(Request { accepts, ..Request::new("/", &[], &[]) }).unwrap();
        assert_eq!((answer.status, answer.body.len(), answer.finished), (201, got, false));
    }
    assert!(host.handle(Request::new("/", &[], &[])).unwrap().finished);
}

#[test]
fn a_state_goes_in_and_comes_out() {
    fn count(input: &[u8]) -> Vec<u8> {
        let input = std::str::from_utf8(input).unwrap();
        let old = input.strip_suffix('}').and_then(|start| start.rsplit(":").next()).unwrap();
        let next = old.parse::<u32>().map_or(1, |count| count + 1);
        let response = envelope("", "yes");
        format!("{{\"schema_version\":\"x07.app.backend.response@0.1.0\",\"response\":{response},\"state\": {next} }}")
            .into_bytes()
    }
    let mut host = adapter(&BUDGETS, StateDoc::Header);
    let counting = |headers: &[(&str, &[u8])]| Request { solve: count, ..Request::new("/", headers, &[]) };

    let answer = host.handle(counting(&[])).unwrap();
    assert!(answer.solved.ends_with(b"\"headers\":[],\"body\":{\"bytes_len\":0,\"base64\":\"\"}},\"state\":null}"));
    // In base64: 1.
    assert_eq!((answer.body.as_slice(), answer.header("x-x07-next-state-doc-b64")), (&b"yes"[..], "MQ=="));

    let answer = host.handle(counting(&[("X-X07-State-Doc-B64", b"MQ==")])).unwrap();
    assert!(answer.solved.ends_with(b"\"headers\":[],\"body\":{\"bytes_len\":0,\"base64\":\"\"}},\"state\":1}"));
    assert_eq!(answer.header("x-x07-next-state-doc-b64"), "Mg==");

    let answer = host.handle(counting(&[("x-x07-state-doc-b64", b"e30")])).unwrap();
    failed(&answer, 400, "X07WASM_NATIVE_HTTP_STATE_DOC_INVALID");
    // A state is no budgeted header.
    let large = "MDAw".repeat(1000).replacen("MDAw", "MTAw", 1);
    assert_eq!(host.handle(counting(&[("x-x07-state-doc-b64", large.as_bytes())])).unwrap().status, 201);

    let mut plain = adapter(&BUDGETS, StateDoc::None);
    let answer = plain.handle(echoing(Request::new("/", &[("x-x07-state-doc-b64", b"MQ==")], &[]))).unwrap();
    assert!(String::from_utf8(answer.solved).unwrap().contains("{\"k\":\"x-x07-state-doc-b64\",\"v\":\"MQ==\"}"));
}

#[test]
fn a_native_program_may_keep_a_state() {
    let text = format!(
        "{{\"schema_version\":\"x07.app.backend.response@0.1.0\",\"response\":{},\"state\":1}}",
        envelope("", "yes")
    );
    let wasm = http_native(&constant(&text), LIMITS, &BUDGETS, StateDoc::Header).unwrap();
    let answer = super::host::Host::new(&wasm).handle(Request::new("/", &[], &[])).unwrap();
    assert_eq!((answer.status, answer.header("x-x07-next-state-doc-b64")), (201, "MQ=="));
}

#[test]
fn an_output_over_the_limit_of_the_program_traps() {
    let text = envelope("", "yes");
    let limits = SolveLimits { max_output: u32::try_from(text.len()).unwrap() - 1, ..LIMITS };
    let wasm = http_native(&constant(&text), limits, &BUDGETS, StateDoc::None).unwrap();
    let outcome = super::host::Host::new(&wasm).handle(Request::new("/", &[], &[]));
    assert_eq!(outcome, Err(Trap::UnreachableCodeReached));
}

#[test]
fn budgets_that_no_memory_holds_are_refused() {
    for budgets in [
        HttpBudgets { max_request_body_bytes: u64::MAX, ..BUDGETS },
        HttpBudgets { max_envelope_bytes: 1 << 30, ..BUDGETS },
        HttpBudgets { max_headers: u32::MAX, ..BUDGETS },
    ] {
        let core = constant("");
        for made in [
            http_native(&core, LIMITS, &budgets, StateDoc::None),
            http_adapter(&budgets, StateDoc::None),
            http_adapter(&budgets, StateDoc::Header),
        ] {
            assert!(matches!(made, Err(GlueError::Link(LinkError::MemoryTooLarge { .. }))), "{made:?}");
        }
    }
}

#[test]
fn a_program_that_leaves_no_room_is_refused() {
    let heap_base = 0xffff_0000_u32.cast_signed();
    let core = format!(
        "(module (memory (export \"memory\") 65536)
           (global (export \"__heap_base\") i32 (i32.const {heap_base}))
           (func (export \"x07_solve_v2\") (param i32 i32 i32 i32 i32)))"
    );
    let made = http_native(&wat::parse_str(core).unwrap(), LIMITS, &BUDGETS, StateDoc::None);
    let Err(GlueError::Link(error)) = &made else { panic!("{made:?}") };
    assert!(matches!(error, LinkError::MemoryTooLarge { .. }) && error.is_of_module(), "{error}");
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    let core = constant("");
    let made = || http_native(&core, LIMITS, &BUDGETS, StateDoc::None);
    assert_eq!(made(), made());
    assert_eq!(http_adapter(&BUDGETS, StateDoc::Header), http_adapter(&BUDGETS, StateDoc::Header));
    assert_ne!(http_adapter(&BUDGETS, StateDoc::Header), http_adapter(&BUDGETS, StateDoc::None));
}
