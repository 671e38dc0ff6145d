//! Status, body and the other members of an envelope, and what is told first.

use super::{Fate, INVALID, NO_BASE64, UNPARSED, check, output, refused, sent};

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
fn a_status_is_a_number_from_200_to_599() {
    let wrong = [
        "0",
        "1",
        "99",
        "100",
        "101",
        "103",
        "199",
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
