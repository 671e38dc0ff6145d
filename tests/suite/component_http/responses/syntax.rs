//! What is JSON and what is not.

use super::{Fate, UNPARSED, check, output, refused, sent};

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
