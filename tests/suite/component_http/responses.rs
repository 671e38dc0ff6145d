//! What becomes of the outputs of programs: every rule of response envelopes. The body of the
//! request is the output of the program.

use super::support::{Answer, Host, Kind, Request, errors, only_response};
use crate::support::{Run, check_report};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use x07_wasm::contract::ContractInfo;
use x07_wasm::contract::digest::sha256_hex;
use x07_wasm::contract::validate::violations;

const UNPARSED: &str = "X07WASM_NATIVE_HTTP_RESPONSE_ENVELOPE_PARSE_FAILED";
const NO_BASE64: &str = "X07WASM_NATIVE_HTTP_RESPONSE_BODY_B64_INVALID";
const INVALID: &str = "X07WASM_NATIVE_HTTP_RESPONSE_ENVELOPE_INVALID";

/// An output with these members, as JSON texts, in place of the usual ones. An empty text leaves a
/// member out.
fn output<'a>(changes: &[(&'a str, &'a str)]) -> String {
    let mut members = vec![
        ("schema_version", r#""x07.http.response.envelope@0.1.0""#),
        ("request_id", r#""req0""#),
        ("status", "200"),
        ("headers", "[]"),
        ("body", r#"{"bytes_len":0}"#),
    ];
    for &(name, text) in changes {
        match members.iter_mut().find(|(n, _)| *n == name) {
            Some(member) => member.1 = text,
            None => members.push((name, text)),
        }
    }
    let there = members.iter().filter(|(_, text)| !text.is_empty());
    let list: Vec<String> = there.map(|(name, text)| format!("\"{name}\":{text}")).collect();
    format!("{{{}}}", list.join(","))
}

/// What should become of an output.
enum Fate {
    /// A response with this status, headers and body.
    Sent(u16, Vec<(String, String)>, Vec<u8>),
    /// A refusal with this code.
    Refused(&'static str),
}

fn refused(output: impl Into<Vec<u8>>, code: &'static str) -> (Vec<u8>, Fate) {
    (output.into(), Fate::Refused(code))
}

fn sent(output: impl Into<Vec<u8>>, status: u16, body: impl Into<Vec<u8>>) -> (Vec<u8>, Fate) {
    (output.into(), Fate::Sent(status, Vec::new(), body.into()))
}

/// Lets programs in both components return these outputs.
fn check(cases: &[(Vec<u8>, Fate)]) {
    for kind in Kind::PLAIN {
        let host = Host::of(kind.component());
        let server = host.listen(cases.len(), &[]);
        for (output, fate) in cases {
            let answer = server.send(&Request::new("POST", "/say").body(output.clone()));
            let what = format!("{kind:?}: {:.300}", String::from_utf8_lossy(output));
            compare(&answer, fate, &what);
        }
        let refusals: Vec<&str> = cases.iter().filter_map(|(_, fate)| fate.code()).collect();
        report(&server.finish(), &refusals);
    }
}

impl Fate {
    fn code(&self) -> Option<&'static str> {
        match self {
            Self::Sent(..) => None,
            Self::Refused(code) => Some(code),
        }
    }
}

fn compare(answer: &Answer, fate: &Fate, what: &str) {
    match fate {
        Fate::Sent(status, headers, body) => {
            let found: Vec<(String, String)> =
                answer.own_headers().iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!((answer.status, &found), (*status, headers), "{what}");
            assert!(answer.body == *body, "{what}: {:?}", String::from_utf8_lossy(&answer.body));
        }
        Fate::Refused(code) => {
            assert_eq!(answer.header("x-x07-diag-code"), Some(*code), "{what}: {answer:?}");
            answer.refused(500, code);
        }
    }
}

/// The report of a server that has refused these outputs.
fn report(run: &Run, refusals: &[&str]) {
    let report = run.report();
    let codes: BTreeSet<&str> = refusals.iter().copied().collect();
    assert_eq!(errors(&report), codes.into_iter().collect::<Vec<_>>());
    assert_eq!(run.status, i32::from(!refusals.is_empty()));
    // Each output is a request of its own.
    let incidents = report["result"]["incidents"].as_array().expect("a list");
    assert_eq!(incidents.len(), refusals.len(), "{report:#}");
}

/// Outputs that are no JSON object.
const TEXTS: &[&str] = &[
    "",
    " \n",
    "this is not a response envelope",
    "[]",
    "null",
    "1",
    "\"{}\"",
    "{",
    "}",
    "{]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{,}",
    "{a:1}",
    "{'a':1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":[1,]}",
    "{\"a\":[1 2]}",
    "{\"a\":[1}",
    "{\"a\":/**/1}",
];

/// Values that are not JSON.
const VALUES: &[&str] = &[
    "01",
    "+1",
    ".5",
    "1.",
    "1e",
    "1e+",
    "-",
    "-01",
    "0x1",
    "00",
    "1_000",
    "NaN",
    "Infinity",
    "tru",
    "True",
    "nul",
    "undefined",
    "\"open",
    "\"\n\"",
    "\"\t\"",
    "\"\u{0}\"",
    "\"\u{1f}\"",
    r#""\x""#,
    r#""\'""#,
    r#""\U0041""#,
    r#""\u12""#,
    r#""\u12g4""#,
    r#""\u 123""#,
    r#""\ud800""#,
    r#""\udbff""#,
    r#""\udc00""#,
    r#""\udfff""#,
    r#""\ud800\u0041""#,
    r#""\ud800\ud800""#,
    r#""\ud800x""#,
    r#""\ud800\n""#,
    r#""\udc00\ud800""#,
    r#""\ud83d\ude0""#,
];

/// Bytes in a string that are not UTF-8.
const BYTES: &[&[u8]] = &[
    b"\xff",
    b"\x80",
    b"\xc3(",
    b"\xc0\x80",
    b"\xe0\x80\x80",
    b"\xe2\x82",
    b"\xed\xa0\x80",
    b"\xf0\x80\x80\x80",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
];

/// What may not stand behind the object.
const REST: &[&str] = &["x", "{}", "}", ",", "\0", "null", "\u{feff}", "\u{a0}", "\u{b}"];

#[test]
fn an_output_that_is_no_json_object_is_not_parsed() {
    let mut cases: Vec<(Vec<u8>, Fate)> = TEXTS.iter().map(|text| refused(*text, UNPARSED)).collect();
    cases.extend(REST.iter().map(|rest| refused(output(&[]) + rest, UNPARSED)));
    cases.push(refused(format!("\u{feff}{}", output(&[])), UNPARSED));
    for &bytes in BYTES {
        for (front, rest) in [("{\"a\":\"", "\"}"), ("{\"", "\":1}")] {
            cases.push(refused([front.as_bytes(), bytes, rest.as_bytes()].concat(), UNPARSED));
        }
    }
    check(&cases);
}

#[test]
fn values_that_are_no_json_are_not_parsed_wherever_they_stand() {
    let mut cases = Vec::new();
    for value in VALUES {
        cases.push(refused(output(&[("more", value)]), UNPARSED));
        cases.push(refused(output(&[("body", &format!("{{\"bytes_len\":0,\"text\":{value}}}"))]), UNPARSED));
    }
    check(&cases);
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| output(&[("more", &("[".repeat(levels) + &"]".repeat(levels)))]);
    let objects = |levels: usize| output(&[("more", &("{\"a\":".repeat(levels) + "0" + &"}".repeat(levels)))]);
    // The envelope is a level, too.
    check(&[
        sent(nested(127), 200, ""),
        refused(nested(128), UNPARSED),
        refused(nested(1000), UNPARSED),
        refused(nested(300_000), UNPARSED),
        refused("[".repeat(500_000), UNPARSED),
        sent(objects(127), 200, ""),
        refused(objects(128), UNPARSED),
        refused(objects(100_000), UNPARSED),
    ]);
}

#[test]
fn an_object_may_have_any_form_that_json_allows() {
    let spread = " \t\r\n{ \"schema_version\" : \"x07.http.response.envelope@0.1.0\" ,\n\"request_id\":\"req0\",\r\"status\": 200\t,\"headers\" : [ ] ,\"body\": { \"bytes_len\" : 2 , \"text\" : \"hi\" } }\n \t\r";
    let turned = r#"{"body":{"text":"hi","bytes_len":2},"headers":[],"status":200,"request_id":"req0","schema_version":"x07.http.response.envelope@0.1.0"}"#;
    let more = r#"{"a":[1,-0.5e-3,10E+2,true,false,null,"\u00e9\ud83d\ude00",{"b":[]},{}],"":0,"status":999}"#;
    let escaped = output(&[
        ("schema_version", r#""x07.http.response.envelope\u00400.1.0""#),
        ("request_id", r#""re\u00710""#),
        ("status", ""),
        (r"st\u0061tus", "201"),
    ]);
    check(&[
        sent(spread, 200, "hi"),
        sent(turned, 200, "hi"),
        sent(output(&[("more", more), ("", "{}"), ("Status", "\"x\"")]), 200, ""),
        sent(output(&[("body", r#"{"more":{"bytes_len":9},"bytes_len":2,"text":"hi","":[]}"#)]), 200, "hi"),
        sent(escaped, 201, ""),
    ]);
}

#[test]
fn members_have_to_be_there_once_and_right() {
    let changes: [&[(&str, &str)]; 22] = [
        &[("schema_version", "")],
        &[("schema_version", "null")],
        &[("schema_version", "1")],
        &[("schema_version", r#""x07.http.response.envelope@0.2.0""#)],
        &[("schema_version", r#""x07.http.response.envelope@0.1.0 ""#)],
        &[("schema_version", r#"["x07.http.response.envelope@0.1.0"]"#)],
        &[("request_id", "")],
        &[("request_id", r#""""#)],
        &[("request_id", r#""req1""#)],
        &[("request_id", r#""REQ0""#)],
        &[("request_id", "0")],
        &[("status", "")],
        &[("headers", "")],
        &[("headers", "null")],
        &[("headers", "{}")],
        &[("headers", r#""""#)],
        &[("body", "")],
        &[("body", "null")],
        &[("body", "[]")],
        &[("body", r#""""#)],
        &[("body", "{}")],
        &[("body", r#"{"text":""}"#)],
    ];
    let mut cases: Vec<(Vec<u8>, Fate)> = changes.iter().map(|changes| refused(output(changes), INVALID)).collect();
    cases.push(refused("{}", INVALID));
    for member in [
        r#""schema_version":"x07.http.response.envelope@0.1.0""#,
        r#""request_id":"req0""#,
        r#""status":200"#,
        r#""headers":[]"#,
        r#""body":{"bytes_len":0}"#,
        r#""st\u0061tus":200"#,
    ] {
        let twice = format!("{},{member}}}", output(&[]).trim_end_matches('}').to_owned() + "}");
        cases.push(refused(twice, INVALID));
    }
    check(&cases);
}

#[test]
fn a_status_is_a_number_from_100_to_599() {
    let wrong = [
        "0",
        "1",
        "99",
        "600",
        "999",
        "1000",
        "20000",
        "65535",
        "65536",
        "65736",
        "4294967496",
        "-1",
        "-200",
        "2e2",
        "200.0",
        "2E2",
        "0.2e3",
        "99999999999999999999",
        "\"200\"",
        "null",
        "true",
        "[200]",
        "{}",
    ];
    let mut cases: Vec<(Vec<u8>, Fate)> =
        wrong.iter().map(|status| refused(output(&[("status", status)]), INVALID)).collect();
    for status in [200, 201, 206, 204, 299, 302, 304, 404, 413, 418, 500, 599] {
        cases.push(sent(output(&[("status", &status.to_string())]), status, ""));
    }
    check(&cases);
}

#[test]
fn a_status_that_is_no_end_of_a_request_fails_it() {
    let host = Host::of(Kind::Native.component());
    for status in ["100", "101", "103", "199"] {
        let run = host.canary_with(output(&[("status", status)]).as_bytes(), &["--path", "/say"]);
        let report = run.report();
        assert_eq!(run.status, 1, "{status}: {report:#}");
        assert_eq!(report["result"]["responses"][0]["ok"], false, "{status}");
        assert_eq!(errors(&report).len(), 1, "{status}");
    }
}

#[test]
fn a_body_is_text_or_base64_of_the_length_that_it_says() {
    let body = |text: &str| output(&[("body", text)]);
    let base64 = |text: &str, len: u32| body(&format!("{{\"bytes_len\":{len},\"base64\":\"{text}\"}}"));
    let text = |text: &str, len: u32| body(&format!("{{\"bytes_len\":{len},\"text\":\"{text}\"}}"));
    let escapes = r#"\"\\\/\b\f\n\r\t\u0000\u00e9\u20AC\ud83d\uDE00"#;
    let mut cases = vec![
        sent(body(r#"{"bytes_len":0}"#), 200, ""),
        sent(body(r#"{"bytes_len":0,"text":"","base64":""}"#), 200, ""),
        sent(body(r#"{"bytes_len":2,"base64":"aGk=","text":"other"}"#), 200, "hi"),
        sent(body(r#"{"text":"","bytes_len":2,"base64":"aGk="}"#), 200, "hi"),
        sent(text("", 0), 200, ""),
        sent(text("hi", 2), 200, "hi"),
        sent(text("grüße €😀\u{7f}\u{2028}", 19), 200, "grüße €😀\u{7f}\u{2028}"),
        sent(text(escapes, 18), 200, "\"\\/\u{8}\u{c}\n\r\t\0é€😀"),
        sent(text(&"\\u00e9".repeat(1000), 2000), 200, "é".repeat(1000)),
        sent(base64("", 0), 200, ""),
        sent(base64("AA==", 1), 200, "\0"),
        sent(base64("aGk=", 2), 200, "hi"),
        sent(base64("aGkh", 3), 200, "hi!"),
        sent(base64("aGkhaA==", 4), 200, "hi!h"),
        sent(base64("+/+/", 3), 200, b"\xfb\xff\xbf"),
        sent(base64(r"\/\/8=", 2), 200, b"\xff\xff"),
        sent(base64(r"aG\u006b\u003D", 2), 200, "hi"),
    ];
    let wrong = [
        "a",
        "aG",
        "aGk",
        "aGk==",
        "aGk===",
        "a===",
        "====",
        "=",
        "==",
        "aG=k",
        "=aGk",
        "aGk=aGk=",
        "aA==aGkh",
        "aGk ",
        " aGk",
        "aG k",
        "aGk-",
        "aGk_",
        "__8=",
        "aGl=",
        "aH==",
        "aGk=AA",
        r"aGk\n",
        r"a\u0000k=",
        "äGk",
        "ä===",
        "aGkh=",
        "aGk=====",
    ];
    cases.extend(wrong.iter().map(|wrong| refused(base64(wrong, 2), NO_BASE64)));
    let broken = [
        r#"{"bytes_len":1}"#,
        r#"{"bytes_len":null}"#,
        r#"{"bytes_len":"0"}"#,
        r#"{"bytes_len":-1}"#,
        r#"{"bytes_len":-0}"#,
        r#"{"bytes_len":0.0}"#,
        r#"{"bytes_len":0e0}"#,
        r#"{"bytes_len":4294967296}"#,
        r#"{"bytes_len":18446744073709551616,"text":""}"#,
        r#"{"bytes_len":4294967298,"text":"hi"}"#,
        r#"{"bytes_len":1,"text":"hi"}"#,
        r#"{"bytes_len":3,"text":"hi"}"#,
        r#"{"bytes_len":1,"text":"é"}"#,
        r#"{"bytes_len":6,"text":"\u00e9"}"#,
        r#"{"bytes_len":0,"text":null}"#,
        r#"{"bytes_len":0,"text":1}"#,
        r#"{"bytes_len":2,"text":["hi"]}"#,
        r#"{"bytes_len":0,"base64":null}"#,
        r#"{"bytes_len":0,"base64":0}"#,
        r#"{"bytes_len":2,"base64":null,"text":"hi"}"#,
        r#"{"bytes_len":2,"base64":"aGk=","text":1}"#,
        r#"{"bytes_len":4,"base64":"aGk="}"#,
        r#"{"bytes_len":3,"base64":"aGk="}"#,
        r#"{"bytes_len":0,"base64":"aGk="}"#,
        r#"{"bytes_len":5,"base64":"aGk=","text":"other"}"#,
        r#"{"bytes_len":2,"text":"hi","text":"hi"}"#,
        r#"{"bytes_len":2,"bytes_len":2,"text":"hi"}"#,
        r#"{"bytes_len":2,"base64":"aGk=","base64":"aGk="}"#,
    ];
    cases.extend(broken.iter().map(|broken| refused(body(broken), INVALID)));
    check(&cases);
}

#[test]
fn headers_are_sent_in_their_order_if_their_names_and_values_may_be() {
    let (name, value, wide) = ("n".repeat(64), "v".repeat(4096), "é".repeat(4096));
    let pairs = |list: &[(&str, &str)]| {
        let own: Vec<Value> = list.iter().map(|(k, v)| json!({"k": k, "v": v})).collect();
        Value::from(own).to_string()
    };
    let lists: [&[(&str, &str)]; 7] = [
        &[("x-b", "2"), ("x-a", "1")],
        &[("set-cookie", "a=1"), ("set-cookie", "b=2"), ("set-cookie", "a=1"), ("x", "")],
        &[("0", "0"), ("-", "-"), (&name, "v")],
        &[("x", &value)],
        &[("x", &wide)],
        &[("x", "a\tb \"q\" \\"), ("y", "grüße \u{2028}€😀")],
        &[("content-length", "0"), ("x", "y")],
    ];
    let of_server = |name: &str| name == "content-length";
    let mut cases: Vec<(Vec<u8>, Fate)> = lists
        .iter()
        .map(|list| {
            let seen = list.iter().filter(|(name, _)| !of_server(name));
            let seen = seen.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            (output(&[("headers", &pairs(list))]).into_bytes(), Fate::Sent(200, seen, Vec::new()))
        })
        .collect();
    let seen = vec![("x-upper".to_owned(), "é1".to_owned())];
    let escaped = r#"[{"w":[1],"v":"\u00e9\u0031","k":"X-\u0055pper"}]"#;
    cases.push((output(&[("headers", escaped)]).into_bytes(), Fate::Sent(200, seen, Vec::new())));

    let too_long =
        [("n".repeat(65), "v".to_owned()), ("x".to_owned(), "v".repeat(4097)), ("x".to_owned(), "é".repeat(4097))];
    for (name, value) in &too_long {
        cases.push(refused(output(&[("headers", &pairs(&[(name, value)]))]), INVALID));
    }
    for name in ["", " ", "a b", "a_b", "a:", "a\u{0}", "é", "a\n", "/", "x@", "[", "`", "{"] {
        cases.push(refused(output(&[("headers", &pairs(&[(name, "v")]))]), INVALID));
    }
    for value in ["\0", "a\n", "a\rb", "\u{1f}", "\u{7f}", "\u{b}"] {
        cases.push(refused(output(&[("headers", &pairs(&[("x", value)]))]), INVALID));
    }
    for list in [
        "[null]",
        "[1]",
        "[[]]",
        "[{}]",
        r#"["x: y"]"#,
        r#"[["k","v"]]"#,
        r#"[{"k":"x"}]"#,
        r#"[{"v":"x"}]"#,
        r#"[{"k":"x","v":null}]"#,
        r#"[{"k":"x","v":1}]"#,
        r#"[{"k":1,"v":"x"}]"#,
        r#"[{"k":["x"],"v":"x"}]"#,
        r#"[{"k":"x","v":"y"},{}]"#,
        r#"[{"k":"x","v":"y","k":"x"}]"#,
        r#"[{"k":"x","v":"y","v":"y"}]"#,
        r#"[{"k":"x","name":"v"}]"#,
    ] {
        cases.push(refused(output(&[("headers", list)]), INVALID));
    }
    check(&cases);
}

#[test]
fn headers_that_belong_to_the_connection_are_the_hosts() {
    let headers = [
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("host", "localhost"),
        ("content-length", "two"),
        ("content-length", "+2"),
        ("content-length", "99999999999999999999"),
    ];
    let list = |k: &str, v: &str| json!([{"k": k, "v": v}]).to_string();
    let mut cases: Vec<(Vec<u8>, Fate)> =
        headers.iter().map(|(k, v)| refused(output(&[("headers", &list(k, v))]), INVALID)).collect();
    let twice = json!([{"k": "content-length", "v": "0"}, {"k": "Content-Length", "v": "0"}]).to_string();
    cases.push(refused(output(&[("headers", &twice)]), INVALID));
    check(&cases);
}

#[test]
fn a_length_that_is_not_that_of_the_body_fails_the_request() {
    let host = Host::of(Kind::Native.component());
    for length in ["1", "3"] {
        let headers = json!([{"k": "content-length", "v": length}]).to_string();
        let output = output(&[("headers", &headers), ("body", r#"{"bytes_len":2,"text":"hi"}"#)]);
        let run = host.canary_with(output.as_bytes(), &["--path", "/say"]);
        let report = run.report();
        assert_eq!((run.status, errors(&report).len()), (1, 1), "{report:#}");
        assert_eq!(report["result"]["responses"][0]["ok"], false);
    }
}

#[test]
fn what_is_wrong_is_told_in_order() {
    let no_base64 = r#"{"bytes_len":2,"base64":"a"}"#;
    let good = output(&[("status", "0"), ("body", no_base64)]);
    check(&[
        refused(good.clone() + "x", UNPARSED),
        refused(good, NO_BASE64),
        refused(output(&[("schema_version", "1"), ("body", no_base64)]), NO_BASE64),
        refused(output(&[("headers", "[{}]"), ("body", no_base64)]), NO_BASE64),
        refused(output(&[("headers", ""), ("body", no_base64)]), NO_BASE64),
        refused(output(&[("status", ""), ("body", r#"{"bytes_len":2,"base64":"aGk="}"#)]), INVALID),
    ]);
}

#[test]
fn a_refused_output_is_reported_and_leaves_an_incident() {
    let host = Host::of(Kind::Native.component());
    host.place().write("http.wasm.manifest.json", "{}\n");
    for (output, code, data) in [
        ("{} x".to_owned(), UNPARSED, json!({"offset": 3})),
        (output(&[("body", r#"{"bytes_len":1,"base64":"!"}"#)]), NO_BASE64, Value::Null),
        (output(&[("status", "42")]), INVALID, json!({"reason": "status is not a number from 100 to 599"})),
    ] {
        let run = host.canary_with(output.as_bytes(), &["--path", "/say?x", "--header", "a: b"]);
        let report = run.expect(1, code);
        assert_eq!(errors(&report), [code]);
        let diagnostics = report["diagnostics"].as_array().expect("a list");
        let found = diagnostics.iter().find(|d| d["code"] == code).expect("just seen");
        assert_eq!((&found["data"], &found["stage"]), (&data, &json!("run")));
        let (status, body) = only_response(&report);
        assert!(status == 500 && !body.is_empty() && report["result"]["responses"][0]["ok"] == false, "{report:#}");
        incident(&host, &report, output.as_bytes(), code);
    }
}

/// Checks the only incident of a report.
fn incident(host: &Host, report: &Value, output: &[u8], code: &str) {
    let folders = report["result"]["incidents"].as_array().expect("a list");
    assert_eq!(folders.len(), 1, "{report:#}");
    let folder = host.place().path(folders[0].as_str().expect("a path"));
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    let wanted = [
        "component.manifest.json",
        "incident.manifest.json",
        "request.body.bin",
        "request.body.sha256",
        "request.envelope.json",
        "response.envelope.json",
        "serve.report.json",
    ];
    assert_eq!(names, wanted);
    let read = |name: &str| fs::read(folder.join(name)).expect("readable");
    let document = |name: &str| {
        let value: Value = serde_json::from_slice(&read(name)).expect("JSON");
        let contract = ContractInfo::find(value["schema_version"].as_str().expect("a version")).expect("known");
        assert_eq!(violations(contract, &value), [], "{name}: {value:#}");
        value
    };
    let id = format!("{}:{}", sha256_hex(Kind::Native.component()), sha256_hex(&read("request.envelope.json")));
    assert!(folder.ends_with(&sha256_hex(id.as_bytes())[..32]), "{}", folder.display());
    assert_eq!(read("request.body.bin"), output);
    assert_eq!(read("request.body.sha256"), format!("{}\n", sha256_hex(output)).into_bytes());
    assert_eq!(read("component.manifest.json"), b"{}\n");
    let request = document("request.envelope.json");
    assert_eq!(
        (&request["path"], &request["query"], &request["method"]),
        (&json!("/say"), &json!("x"), &json!("POST"))
    );
    let response = document("response.envelope.json");
    assert_eq!(response["status"], 500);
    assert!(response["headers"].to_string().contains(code), "{response:#}");
    assert_eq!(document("incident.manifest.json")["request"]["envelope"], request);
    assert_eq!(check_report(&read("serve.report.json")), *report);
}
