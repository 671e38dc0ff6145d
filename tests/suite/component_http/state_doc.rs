//! States that come and go in headers: `x-x07-state-doc-b64` in a request, `x-x07-next-state-doc-b64`
//! in its response.

use super::support::{Answer, Host, Kind, Request, errors, only_response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

const STATE: &str = "X07WASM_NATIVE_HTTP_STATE_DOC_INVALID";
const UNPARSED: &str = "X07WASM_NATIVE_HTTP_RESPONSE_ENVELOPE_PARSE_FAILED";
const NO_BASE64: &str = "X07WASM_NATIVE_HTTP_RESPONSE_BODY_B64_INVALID";
const INVALID: &str = "X07WASM_NATIVE_HTTP_RESPONSE_ENVELOPE_INVALID";
const ENVELOPE: &str = "X07WASM_BUDGET_EXCEEDED_HTTP_ENVELOPE_BYTES";
const OUTPUT: &str = "X07WASM_BUDGET_EXCEEDED_OUTPUT";

const REQUEST_HEADER: &str = "x-x07-state-doc-b64";
const RESPONSE_HEADER: &str = "x-x07-next-state-doc-b64";

fn host() -> Host {
    Host::of(Kind::StateDoc.component())
}

fn base64(text: impl AsRef<[u8]>) -> String {
    STANDARD.encode(text)
}

/// The state that an answer hands on.
fn next(answer: &Answer) -> String {
    let value = answer.header(RESPONSE_HEADER).unwrap_or_else(|| panic!("no state in {answer:?}"));
    String::from_utf8(STANDARD.decode(value).expect("base64")).expect("text")
}

/// What the program gets, when it is asked for that.
fn document(request: &Request, state: &str) -> String {
    let envelope = request.envelope("/document", "");
    format!(r#"{{"schema_version":"x07.app.backend.request@0.1.0","request":{envelope},"state":{state}}}"#)
}

#[test]
fn the_document_is_these_bytes() {
    let host = host();
    let (status, body) = only_response(&host.canary(&["--path", "/document"]).ok());
    let wanted = r#"{"schema_version":"x07.app.backend.request@0.1.0","request":{"schema_version":"x07.http.request.envelope@0.1.0","id":"req0","method":"POST","path":"/document","query":"","headers":[],"body":{"bytes_len":0,"base64":""}},"state":null}"#;
    assert_eq!((status, &*String::from_utf8_lossy(&body)), (200, wanted));
    // {"n":1}
    let more = ["--path", "/document", "--header", "X-X07-State-Doc-B64: eyJuIjoxfQ==", "--header", "a: b"];
    let (_, body) = only_response(&host.canary(&more).ok());
    let wanted = r#"{"schema_version":"x07.app.backend.request@0.1.0","request":{"schema_version":"x07.http.request.envelope@0.1.0","id":"req0","method":"POST","path":"/document","query":"","headers":[{"k":"a","v":"b"}],"body":{"bytes_len":0,"base64":""}},"state":{"n":1}}"#;
    assert_eq!(String::from_utf8_lossy(&body), wanted);
}

#[test]
fn a_state_goes_in_and_out_as_it_is_written() {
    let nested = format!("{}{}", "[".repeat(127), "]".repeat(127));
    let long = format!("\"{}\"", "x".repeat(20_000));
    let states: [&str; 11] = [
        "null",
        "0",
        "-0.0e-0",
        "true",
        "\"\"",
        "[]",
        "{}",
        " { \"b\" : 1,\n\t\"a\": [ 1.50, 1E5 ], \"b\": 2 }\r\n",
        r#""\u00e9\/\ud83d\ude00 grüße ,\"state\":""#,
        &nested,
        &long,
    ];
    let host = host();
    let server = host.listen(2 * states.len(), &[]);
    for state in states {
        let plain = Request::new("POST", "/document").header("b", "2").header("y", "1").body("body");
        let request = plain.clone().header("X-x07-STATE-doc-b64", base64(state));
        let answer = server.send(&request);
        assert_eq!((answer.status, &*String::from_utf8_lossy(&answer.body)), (200, &*document(&plain, state)));
        // White space around it was the program's to keep; it is none of the value.
        let value = state.trim_matches([' ', '\t', '\r', '\n']);
        assert_eq!(next(&answer), value);

        let answer = server.send(&Request::new("POST", "/next").body(state));
        assert_eq!((answer.status, next(&answer).as_str()), (200, value));
    }
    server.finish().ok();
}

/// The output of a program: a response with these headers, and a state.
fn output(headers: &str, state: &str) -> String {
    format!(r#"{{"schema_version":"x07.app.backend.response@0.1.0","response":{},"state":{state}}}"#, response(headers))
}

fn response(headers: &str) -> String {
    format!(
        r#"{{"schema_version":"x07.http.response.envelope@0.1.0","request_id":"req0","status":201,"headers":{headers},"body":{{"bytes_len":2,"text":"hi"}}}}"#
    )
}

#[test]
fn the_next_state_comes_behind_the_headers_of_the_program() {
    let host = host();
    let server = host.listen(3, &[]);
    let raw = |output: String| server.send(&Request::new("POST", "/raw").body(output));
    let answer = raw(output(r#"[{"k":"x-b","v":"1"},{"k":"x-a","v":"2"}]"#, r#"{"n":[1, 2]}"#));
    assert_eq!((answer.status, answer.body.as_slice()), (201, b"hi".as_slice()));
    let state = base64(r#"{"n":[1, 2]}"#);
    assert_eq!(answer.own_headers(), [("x-b", "1"), ("x-a", "2"), (RESPONSE_HEADER, state.as_str())]);
    // White space around the value is not part of it; other members mean nothing.
    let spread = output("[]", " \n[ 1 ]\t").replacen('{', r#" { "more" : {"state":0} , "#, 1) + "\n";
    assert_eq!(next(&raw(spread)), "[ 1 ]");
    // The header of requests is an ordinary one here.
    let answer = raw(output(&format!(r#"[{{"k":"{REQUEST_HEADER}","v":"x"}}]"#), "null"));
    assert_eq!((answer.header(REQUEST_HEADER), next(&answer)), (Some("x"), "null".to_owned()));
    server.finish().ok();
}

#[test]
fn a_state_that_is_no_json_in_base64_is_refused() {
    let values = [
        String::new(),
        "a".to_owned(),
        "e30".to_owned(),
        "e30==".to_owned(),
        "e31=".to_owned(),
        "e30=e30=".to_owned(),
        "bnVs bA==".to_owned(),
        "bnVsbA-_".to_owned(),
        base64(" "),
        base64("nul"),
        base64("{"),
        base64("{} x"),
        base64("{\"a\":1,}"),
        base64("01"),
        base64("'a'"),
        base64("\"\\ud800\""),
        base64("\"\n\""),
        base64(b"\"\xff\""),
        base64("\u{feff}null"),
        base64(format!("{}{}", "[".repeat(129), "]".repeat(129))),
    ];
    let host = host();
    let server = host.listen(values.len() + 2, &[]);
    for value in &values {
        server.send(&Request::new("GET", "/").header(REQUEST_HEADER, value)).refused(400, STATE);
    }
    for (first, second) in [("bnVsbA==", "bnVsbA=="), ("bnVsbA==", "x")] {
        let twice = Request::new("GET", "/").header(REQUEST_HEADER, first).header("X-X07-State-Doc-B64", second);
        server.send(&twice).refused(400, STATE);
    }
    assert_eq!(errors(&server.finish().expect(1, STATE)), [STATE]);

    let report = host.canary(&["--header", "x-x07-state-doc-b64: e30"]).expect(1, STATE);
    assert_eq!(only_response(&report).0, 400);
    assert_eq!(report["result"]["incidents"].as_array().map(Vec::len), Some(1));
}

#[test]
fn an_output_has_a_response_and_a_state() {
    let good = response("[]");
    let schema = r#""schema_version":"x07.app.backend.response@0.1.0""#;
    let body = |body: &str| output("[]", "0").replace(r#"{"bytes_len":2,"text":"hi"}"#, body);
    let forged = format!(r#"[{{"k":"X-X07-Next-State-Doc-B64","v":"{}"}}]"#, base64("1"));
    let cases = [
        // The wrapper.
        ("{}".to_owned(), STATE),
        (good.clone(), STATE),
        (format!(r#"{{{schema},"response":{good}}}"#), STATE),
        (format!(r#"{{{schema},"state":0}}"#), STATE),
        (format!(r#"{{{schema},"response":null,"state":0}}"#), STATE),
        (format!(r#"{{{schema},"response":[{good}],"state":0}}"#), STATE),
        (format!(r#"{{{schema},"response":"{{}}","state":0}}"#), STATE),
        (format!(r#"{{"response":{good},"state":0}}"#), STATE),
        (output("[]", "0").replace("backend.response@0.1.0", "backend.response@0.2.0"), STATE),
        (output("[]", "0").replace("backend.response", "backend.request"), STATE),
        (output("[]", r#"0,"state":0"#), STATE),
        (output("[]", r#"0,"st\u0061te":0"#), STATE),
        (format!(r#"{{{schema},{schema},"response":{good},"state":0}}"#), STATE),
        (format!(r#"{{{schema},"response":{good},"response":{good},"state":0}}"#), STATE),
        (output(&forged, "0"), STATE),
        // The text.
        (String::new(), UNPARSED),
        ("[]".to_owned(), UNPARSED),
        (output("[]", ""), UNPARSED),
        (output("[]", "nul"), UNPARSED),
        (output("[]", "0") + "}", UNPARSED),
        (output("[]", &("[".repeat(128) + &"]".repeat(128))), UNPARSED),
        // The envelope in it.
        (output("[]", "0").replace("201", "99"), INVALID),
        (output("[]", "0").replace("req0", "req1"), INVALID),
        (output("null", "0"), INVALID),
        (output(r#"[{"k":"connection","v":"close"}]"#, "0"), INVALID),
        (body(r#"{"bytes_len":1,"text":"hi"}"#), INVALID),
        (body(r#"{"bytes_len":2,"base64":"a"}"#), NO_BASE64),
        (format!(r#"{{{schema},"response":{{}},"state":0}}"#), INVALID),
        // Of several things the first.
        (body(r#"{"bytes_len":2,"base64":"a"}"#).replace(",\"state\":0", ""), STATE),
        (body(r#"{"bytes_len":2,"base64":"a"}"#).replace("201", "99"), NO_BASE64),
    ];
    let host = host();
    let server = host.listen(cases.len(), &[]);
    for (output, code) in &cases {
        let answer = server.send(&Request::new("POST", "/raw").body(output.as_str()));
        assert_eq!(answer.header("x-x07-diag-code"), Some(*code), "{output}: {answer:?}");
        answer.refused(500, code);
        assert_eq!(answer.header(RESPONSE_HEADER), None, "{output}");
    }
    assert_eq!(errors(&server.finish().report()), [NO_BASE64, INVALID, UNPARSED, STATE]);

    let report = host.canary_with(good.as_bytes(), &["--path", "/raw"]).expect(1, STATE);
    assert_eq!(only_response(&report).0, 500);
    let folder = report["result"]["incidents"][0].as_str().expect("an incident");
    assert_eq!(host.place().read(format!("{folder}/request.body.bin")), good.as_bytes());
}

#[test]
fn a_state_is_as_large_as_an_envelope_at_most() {
    let text = |length: usize| format!("\"{}\"", "s".repeat(length - 2));
    // The header of the state is none of the envelope's.
    let budgets = [("max_envelope_bytes", 1000), ("max_header_bytes_total", 100), ("max_headers", 3)];
    let host = Host::of(&Kind::StateDoc.with_budgets(&budgets));
    let server = host.listen(5, &[]);
    let carrying =
        |length: usize| Request::new("GET", "/").header("a", "").header(REQUEST_HEADER, base64(text(length)));
    let answer = server.send(&carrying(1000));
    assert_eq!((answer.status, next(&answer)), (200, text(1000)));
    server.send(&carrying(1001)).refused(413, ENVELOPE);
    server.send(&carrying(30_000)).refused(413, ENVELOPE);
    // What a program hands on may be no larger, either.
    let doubled = |length: usize| server.send(&Request::new("POST", "/double").body("1".repeat(length)));
    assert_eq!(next(&doubled(500)), "1".repeat(1000));
    doubled(501).refused(500, ENVELOPE);
    let report = server.finish().expect(4, ENVELOPE);
    assert_eq!(errors(&report), [ENVELOPE]);
}

#[test]
fn a_state_that_no_header_can_carry_fails_the_request() {
    let host = host();
    for (length, fits) in [(90_000, true), (110_000, false), (300_000, false)] {
        let state = json!("s".repeat(length - 2)).to_string();
        let run = host.canary_with(state.as_bytes(), &["--path", "/next"]);
        if fits {
            run.ok();
        } else {
            assert_eq!(errors(&run.expect(4, OUTPUT)), [OUTPUT], "{length}");
            let more = ["--path", "/next", "--max-response-header-bytes", "1000000"];
            host.canary_with(state.as_bytes(), &more).ok();
        }
    }
}
