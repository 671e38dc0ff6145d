//! Every budget of a component profile: what reaches it is fine, a byte or a header more is not.

use super::support::{Host, Kind, Request, envelope, errors, only_response, pattern};
use serde_json::{Value, json};

const PATH: &str = "X07WASM_BUDGET_EXCEEDED_HTTP_PATH_BYTES";
const QUERY: &str = "X07WASM_BUDGET_EXCEEDED_HTTP_QUERY_BYTES";
const HEADERS: &str = "X07WASM_BUDGET_EXCEEDED_HTTP_HEADERS";
const HEADER_BYTES: &str = "X07WASM_BUDGET_EXCEEDED_HTTP_HEADER_BYTES_TOTAL";
const REQUEST_BODY: &str = "X07WASM_BUDGET_EXCEEDED_HTTP_REQUEST_BODY";
const ENVELOPE: &str = "X07WASM_BUDGET_EXCEEDED_HTTP_ENVELOPE_BYTES";
const RESPONSE_BODY: &str = "X07WASM_BUDGET_EXCEEDED_HTTP_RESPONSE_BODY";
const INVALID: &str = "X07WASM_NATIVE_HTTP_RESPONSE_ENVELOPE_INVALID";

/// A value of a header that is much longer in an envelope: `more` bytes and twenty tabs.
fn tabs(more: usize) -> String {
    format!("{}{}v", "v".repeat(more), "\t".repeat(20))
}

/// The size of the envelope of the largest request that is allowed.
fn largest_envelope() -> usize {
    get("/").header("a", tabs(1)).envelope("/", "").len()
}

fn get(target: &str) -> Request {
    Request::new("GET", target)
}

fn post() -> Request {
    Request::new("POST", "/")
}

/// Budgets that requests reach soon. The client's own header has 13 bytes.
fn small() -> [(&'static str, u64); 6] {
    [
        ("max_path_bytes", 8),
        ("max_query_bytes", 6),
        ("max_headers", 4),
        ("max_header_bytes_total", 64),
        ("max_request_body_bytes", 10),
        ("max_envelope_bytes", largest_envelope() as u64),
    ]
}

/// Requests that reach a budget, the same with a little more, and the code for those.
fn at_the_edge() -> Vec<(Request, Request, &'static str)> {
    let headers = |count: usize| (0..count).fold(get("/"), |request, i| request.header(&format!("h{i}"), "v"));
    vec![
        (get("/1234567"), get("/12345678"), PATH),
        (get("/é12345"), get("/é123456"), PATH),
        (get("/1234567?123456"), get("/12345678?123456"), PATH),
        (get("/?123456"), get("/?1234567"), QUERY),
        (get("/?é1234"), get("/?é12345"), QUERY),
        (get("/???????"), get("/????????"), QUERY),
        (headers(3), headers(4), HEADERS),
        (get("/").header("a", "v".repeat(50)), get("/").header("a", "v".repeat(51)), HEADER_BYTES),
        (get("/").header("a", "é".repeat(25)), get("/").header("ab", "é".repeat(25)), HEADER_BYTES),
        (post().body("0123456789"), post().body("0123456789a"), REQUEST_BODY),
        (post().chunks("0123456789"), post().chunks("0123456789a"), REQUEST_BODY),
        (get("/").header("a", tabs(1)), get("/").header("a", tabs(2)), ENVELOPE),
    ]
}

/// Path and query of a target.
fn split(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, ""))
}

#[test]
fn a_request_may_reach_each_budget_and_not_pass_it() {
    let cases = at_the_edge();
    for kind in Kind::ALL {
        let host = Host::of(&kind.with_budgets(&small()));
        let server = host.listen(2 * cases.len(), &[]);
        for (within, beyond, code) in &cases {
            let (path, query) = split(within.target());
            let answer = server.send(within);
            let seen = (answer.status, String::from_utf8_lossy(&answer.body).into_owned());
            assert_eq!(seen, (200, within.envelope(path, query)), "{kind:?} {code}");
            server.send(beyond).refused(413, code);
        }
        let report = server.finish().report();
        let mut codes: Vec<&str> = cases.iter().map(|(_, _, code)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!((errors(&report), &report["exit_code"]), (codes, &json!(4)), "{kind:?}");
    }
}

#[test]
fn of_several_budgets_the_first_is_told() {
    let [path, query] = ["/12345678", "?1234567"];
    let many = |request: Request| (0..4).fold(request, |request, i| request.header(&format!("h{i}"), "v"));
    let long = |request: Request| request.header("a", "v".repeat(64));
    let body = |request: Request| request.body("0123456789a");
    let at = |target: String| Request::new("POST", &target);
    let cases = [
        (body(long(many(at(format!("{path}{query}"))))), PATH),
        (body(long(many(at(format!("/{query}"))))), QUERY),
        (body(long(many(at("/".to_owned())))), HEADERS),
        (body(long(at("/".to_owned()))), HEADER_BYTES),
        // Its envelope is too large, too.
        (at("/".to_owned()).chunks("x".repeat(1000)), REQUEST_BODY),
    ];
    for kind in Kind::ALL {
        let host = Host::of(&kind.with_budgets(&small()));
        let server = host.listen(cases.len(), &[]);
        for (request, code) in &cases {
            server.send(request).refused(413, code);
        }
        server.finish();
    }
}

/// The limit that the diagnostic of a budget names.
fn limit<'r>(report: &'r Value, code: &str) -> &'r Value {
    let list = report["diagnostics"].as_array().expect("a list");
    &list.iter().find(|d| d["code"] == code).expect("the diagnostic")["data"]["limit"]
}

#[test]
fn a_passed_budget_is_exit_code_4() {
    let host = Host::of(&Kind::Native.with_budgets(&small()));
    // Without the client's own header there is more room in the envelope.
    let usual = envelope("POST", "/", "", &[("a", tabs(1))], b"").len();
    let room = 1 + largest_envelope() - usual;
    let cases: [(&[&str], &[&str], &str, u64); 6] = [
        (&["--path", "/1234567"], &["--path", "/12345678"], PATH, 8),
        (&["--path", "/?123456"], &["--path", "/?1234567"], QUERY, 6),
        (
            &["--header", "a: ", "--header", "a: ", "--header", "b: ", "--header", "c: "],
            &["--header", "a: ", "--header", "a: ", "--header", "b: ", "--header", "c: ", "--header", "d: "],
            HEADERS,
            4,
        ),
        (
            &["--header", &format!("a: {}", "v".repeat(63))],
            &["--header", &format!("a: {}", "v".repeat(64))],
            HEADER_BYTES,
            64,
        ),
        (
            &["--request-body", "hex:00010203040506070809"],
            &["--request-body", "hex:0001020304050607080910"],
            REQUEST_BODY,
            10,
        ),
        (
            &["--header", &format!("a: {}", tabs(room))],
            &["--header", &format!("a: {}", tabs(room + 1))],
            ENVELOPE,
            largest_envelope() as u64,
        ),
    ];
    for (within, beyond, code, most) in cases {
        assert_eq!(only_response(&host.canary(within).ok()).0, 200, "{code}");
        let report = host.canary(beyond).expect(4, code);
        assert_eq!((errors(&report), only_response(&report).0), (vec![code], 413));
        assert_eq!(limit(&report, code), &json!(most), "{code}");
        assert_eq!(report["result"]["incidents"].as_array().map(Vec::len), Some(1), "{code}");
    }
}

#[test]
fn a_budget_may_be_nothing() {
    let budgets = [("max_path_bytes", 1), ("max_query_bytes", 0), ("max_request_body_bytes", 0)];
    let host = Host::of(&Kind::Native.with_budgets(&budgets));
    for path in ["/", "/?", "http://localhost"] {
        host.canary(&["--path", path]).ok();
    }
    host.canary(&["--path", "/a"]).expect(4, PATH);
    host.canary(&["--path", "/?a"]).expect(4, QUERY);
    host.canary(&["--request-body", "hex:00"]).expect(4, REQUEST_BODY);
}

#[test]
fn the_budgets_of_the_release_profile_hold() {
    let headers: Vec<String> = (0..129).flat_map(|i| ["--header".to_owned(), format!("h{i}: v")]).collect();
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    for kind in Kind::ALL {
        let host = Host::of(kind.component());
        host.canary_with(&pattern(1 << 20), &["--path", "/echo"]).ok();
        let report = host.canary_with(&pattern((1 << 20) + 1), &["--path", "/echo"]).expect(4, REQUEST_BODY);
        assert_eq!((errors(&report), only_response(&report).0), (vec![REQUEST_BODY], 413), "{kind:?}");
        host.canary(&headers[..256]).ok();
        host.canary(&headers).expect(4, HEADERS);
    }
}

/// A response envelope with this status, headers and body.
fn output(status: u16, headers: &[(&str, &str)], body: &str) -> String {
    let headers: Vec<Value> = headers.iter().map(|(k, v)| json!({"k": k, "v": v})).collect();
    json!({
        "schema_version": "x07.http.response.envelope@0.1.0",
        "request_id": "req0",
        "status": status,
        "headers": headers,
        "body": {"bytes_len": body.len(), "text": body},
    })
    .to_string()
}

/// Budgets that responses reach soon.
const RESPONSES: [(&str, u64); 3] =
    [("max_headers", 4), ("max_header_bytes_total", 64), ("max_response_body_bytes", 12)];

#[test]
fn a_response_may_reach_each_budget_and_not_pass_it() {
    let header = ("a", "");
    let value = |count: usize| "v".repeat(count);
    let base64 = |base64: &str, len: u32| {
        output(200, &[], "").replace(r#""bytes_len":0,"text":"""#, &format!(r#""bytes_len":{len},"base64":"{base64}""#))
    };
    let (long, longer) = (value(63), value(64));
    let (wide, wider) = (format!("{}v", "é".repeat(31)), "é".repeat(32));
    let escaped = |text: &str| text.replace('é', r"\u00e9");
    let cases = [
        (output(200, &[header; 4], ""), output(200, &[header; 5], ""), HEADERS),
        (output(200, &[("a", &long)], ""), output(200, &[("a", &longer)], ""), HEADER_BYTES),
        (output(200, &[("a", &wide)], ""), output(200, &[("a", &wider)], ""), HEADER_BYTES),
        (escaped(&output(200, &[("a", &wide)], "")), escaped(&output(200, &[("a", &wider)], "")), HEADER_BYTES),
        (output(200, &[], "0123456789ab"), output(200, &[], "0123456789abc"), RESPONSE_BODY),
        (escaped(&output(200, &[], "éééééé")), escaped(&output(200, &[], "éééééé!")), RESPONSE_BODY),
        (base64("MDEyMzQ1Njc4OWFi", 12), base64("MDEyMzQ1Njc4OWFiYw==", 13), RESPONSE_BODY),
    ];
    for kind in Kind::PLAIN {
        let host = Host::of(&kind.with_budgets(&RESPONSES));
        let server = host.listen(2 * cases.len(), &[]);
        for (within, beyond, code) in &cases {
            assert_eq!(server.send(&Request::new("POST", "/say").body(within.as_str())).status, 200, "{within}");
            server.send(&Request::new("POST", "/say").body(beyond.as_str())).refused(500, code);
        }
        let report = server.finish().report();
        assert_eq!((errors(&report), &report["exit_code"]), (vec![HEADERS, HEADER_BYTES, RESPONSE_BODY], &json!(4)));
    }
}

#[test]
fn of_several_things_wrong_with_a_response_the_first_is_told() {
    let (long, body) = ("v".repeat(64), "0123456789abc");
    let cases = [
        (output(600, &[("a", long.as_str()); 5], body), INVALID, 1),
        (output(200, &[("a b", long.as_str()); 5], body), INVALID, 1),
        (output(200, &[("a", long.as_str()); 5], body), HEADERS, 4),
        (output(200, &[("a", &long)], body), HEADER_BYTES, 4),
        (output(200, &[], body), RESPONSE_BODY, 4),
    ];
    let host = Host::of(&Kind::Native.with_budgets(&RESPONSES));
    for (output, code, status) in cases {
        let report = host.canary_with(output.as_bytes(), &["--path", "/say"]).expect(status, code);
        assert_eq!((errors(&report), only_response(&report).0), (vec![code], 500));
    }
}
