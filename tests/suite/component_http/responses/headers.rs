//! Which headers are sent, and how.

use super::{Fate, INVALID, check, output, refused};
use serde_json::{Value, json};

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
fn a_length_is_that_of_the_body() {
    let with = |length: &str| {
        let headers = json!([{"k": "Content-Length", "v": length}]).to_string();
        output(&[("headers", &headers), ("body", r#"{"bytes_len":2,"text":"hi"}"#)])
    };
    let mut cases: Vec<(Vec<u8>, Fate)> =
        ["", "0", "1", "3", "02", "2 ", "20"].iter().map(|length| refused(with(length), INVALID)).collect();
    cases.push((with("2").into_bytes(), Fate::Sent(200, Vec::new(), b"hi".to_vec())));
    check(&cases);
}
