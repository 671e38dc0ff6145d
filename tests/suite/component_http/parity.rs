//! What programs see of requests. It is the same whichever way the component was made.

use super::support::{Answer, Host, Kind, Request, errors, only_response, pattern};

const METHOD: &str = "X07WASM_NATIVE_HTTP_REQUEST_METHOD_INVALID";

/// The response of a program that gives its envelope back, for a kind of component: with a state
/// there is a header more.
#[track_caller]
fn seen(kind: Kind, answer: &Answer) {
    let mut headers = vec![("content-type", "application/octet-stream")];
    if kind == Kind::StateDoc {
        headers.push(("x-x07-next-state-doc-b64", "bnVsbA=="));
    }
    assert_eq!((answer.status, answer.own_headers()), (200, headers), "{kind:?}");
}

#[test]
fn envelopes_are_these_bytes() {
    let table: [(&[&str], &str); 5] = [
        (
            &["--method", "GET"],
            r#"{"schema_version":"x07.http.request.envelope@0.1.0","id":"req0","method":"GET","path":"/","query":"","headers":[],"body":{"bytes_len":0,"base64":""}}"#,
        ),
        (
            &["--path", "/a/b%20c?x=1&y=?", "--request-body", "hex:68690aff"],
            r#"{"schema_version":"x07.http.request.envelope@0.1.0","id":"req0","method":"POST","path":"/a/b%20c","query":"x=1&y=?","headers":[],"body":{"bytes_len":4,"base64":"aGkK/w=="}}"#,
        ),
        (
            &["--path", "http://localhost?a=b", "--header", "b: 2", "--header", "A: z", "--header", "b: 1"],
            r#"{"schema_version":"x07.http.request.envelope@0.1.0","id":"req0","method":"POST","path":"/","query":"a=b","headers":[{"k":"a","v":"z"},{"k":"b","v":"1"},{"k":"b","v":"2"}],"body":{"bytes_len":0,"base64":""}}"#,
        ),
        (
            &["--method", "BREW", "--header", "t: a\tb", "--header", "q: \"\\\"", "--header", "u: grüße €😀"],
            r#"{"schema_version":"x07.http.request.envelope@0.1.0","id":"req0","method":"BREW","path":"/","query":"","headers":[{"k":"q","v":"\"\\\""},{"k":"t","v":"a\u0009b"},{"k":"u","v":"grüße €😀"}],"body":{"bytes_len":0,"base64":""}}"#,
        ),
        (
            &["--method", "CONNECT", "--path", "/ü?é=\\"],
            r#"{"schema_version":"x07.http.request.envelope@0.1.0","id":"req0","method":"CONNECT","path":"/ü","query":"é=\\","headers":[],"body":{"bytes_len":0,"base64":""}}"#,
        ),
    ];
    for kind in Kind::ALL {
        let host = Host::of(kind.component());
        for (args, wanted) in table {
            let (status, body) = only_response(&host.canary(args).ok());
            assert_eq!((status, &*String::from_utf8_lossy(&body)), (200, wanted), "{kind:?} {args:?}");
        }
    }
}

/// Requests, and the path and query that the program should see.
fn requests() -> Vec<(Request, &'static str, &'static str)> {
    let get = |target: &str| Request::new("GET", target);
    let post = |target: &str| Request::new("POST", target);
    let many = |count: usize| (0..count).rev().fold(get("/many"), |r, i| r.header(&format!("h{i:03}"), i.to_string()));
    vec![
        (get("/"), "/", ""),
        (get("/?"), "/", ""),
        (get("/a/b%20c?x=1&y=%7e"), "/a/b%20c", "x=1&y=%7e"),
        (get("/a?b?c=d"), "/a", "b?c=d"),
        (get("//x/../y/./"), "//x/../y/./", ""),
        (get("/a\"{}\\b"), "/a\"{}\\b", ""),
        (get("/grüße/€?näm=ö"), "/grüße/€", "näm=ö"),
        (get("http://localhost/whole?uri"), "/whole", "uri"),
        (get("http://localhost?a=b"), "/", "a=b"),
        (get("http://localhost"), "/", ""),
        (Request::new("HEAD", "/head?x"), "/head", "x"),
        (Request::new("PUT", "/put").body("p"), "/put", ""),
        (Request::new("DELETE", "/delete"), "/delete", ""),
        (Request::new("OPTIONS", "/options"), "/options", ""),
        (Request::new("TRACE", "/trace"), "/trace", ""),
        (Request::new("PATCH", "/patch").body("x"), "/patch", ""),
        (Request::new("A", "/one"), "/one", ""),
        (Request::new("ABCDEFGHIJKLMNOP", "/sixteen"), "/sixteen", ""),
        (get("/repeated").header("x-b", "2").header("X-A", "z").header("x-b", "1").header("x-b", ""), "/repeated", ""),
        (get("/order").header("b", "").header("a-b", "").header("a", "2").header("a", "10"), "/order", ""),
        (get("/escaped").header("x", "\"\\ /\t<>&'"), "/escaped", ""),
        (get("/text").header("x", "grüße \u{2028}€😀"), "/text", ""),
        (get("/bytes").header("x", b"a\xff\xc3\xa9\xe2\x82z\xf0\x9f\x98\xc0\xaf\xed\xa0\x80\xc3"), "/bytes", ""),
        (get("/bytes").header("x", b"\xff").header("x", b"\xfe").header("x", b"\xef\xbf\xbd"), "/bytes", ""),
        (get("/hop").header("te", "trailers").header("accept", "*/*"), "/hop", ""),
        (many(100), "/many", ""),
        (post("/none"), "/none", ""),
        (post("/empty").body(""), "/empty", ""),
        (post("/two").body("hi"), "/two", ""),
        (post("/every").body((0..=255).collect::<Vec<u8>>()), "/every", ""),
        (post("/large").body(pattern(64 << 10)), "/large", ""),
        (post("/chunks").chunks(pattern(2501)), "/chunks", ""),
        (post("/chunks").chunks(""), "/chunks", ""),
    ]
}

#[test]
fn every_request_is_the_same_envelope_in_every_component() {
    let requests = requests();
    for kind in Kind::ALL {
        let host = Host::of(kind.component());
        let server = host.listen(requests.len(), &[]);
        for (request, path, query) in &requests {
            let wanted = request.envelope(path, query);
            let answer = server.send(request);
            seen(kind, &answer);
            if *path == "/head" {
                assert_eq!((answer.header("content-length"), answer.body.len()), (Some(&*wanted.len().to_string()), 0));
            } else {
                assert_eq!(String::from_utf8_lossy(&answer.body), wanted, "{kind:?}");
            }
        }
        let report = server.finish().ok();
        assert_eq!(report["result"]["responses"].as_array().map(Vec::len), Some(requests.len()));
    }
}

#[test]
fn values_that_are_no_text_become_replacement_characters() {
    // One for each part that could have begun a character and did not.
    let request = Request::new("GET", "/").header("x", b"\xe2\x82z\xf0\x9f\x98\xed\xa0\x80");
    let wanted = "{\"k\":\"x\",\"v\":\"\u{fffd}z\u{fffd}\u{fffd}\u{fffd}\u{fffd}\"}";
    for kind in Kind::ALL {
        let host = Host::of(kind.component());
        let server = host.listen(1, &[]);
        let body = server.send(&request).body;
        assert!(String::from_utf8_lossy(&body).contains(wanted), "{kind:?}: {}", String::from_utf8_lossy(&body));
        server.finish().ok();
    }
}

#[test]
fn bodies_arrive_and_return_byte_for_byte() {
    let sizes = [0, 1, 2, 3, 255, 256, 4095, 4096, 4097, 65_535, 65_536, 65_537, (1 << 20) - 1, 1 << 20];
    for kind in Kind::ALL {
        let host = Host::of(kind.component());
        let server = host.listen(sizes.len() + 1, &[]);
        for size in sizes {
            let body = pattern(size);
            let answer = server.send(&Request::new("POST", "/echo").body(body.clone()));
            seen(kind, &answer);
            assert!(answer.body == body, "{kind:?}: {size} bytes became {}", answer.body.len());
        }
        let body = pattern(100_001);
        let answer = server.send(&Request::new("POST", "/echo").chunks(body.clone()));
        assert!(answer.body == body, "{kind:?}: in chunks");
        server.finish().ok();
    }
}

#[test]
fn methods_that_envelopes_cannot_carry_are_refused() {
    let methods = ["get", "Get", "M-SEARCH", "ABCDEFGHIJKLMNOPQ", "X1", "!"];
    for kind in Kind::ALL {
        let host = Host::of(kind.component());
        let server = host.listen(methods.len(), &[]);
        for method in methods {
            server.send(&Request::new(method, "/").body("not read")).refused(400, METHOD);
        }
        let report = server.finish().expect(1, METHOD);
        assert_eq!(errors(&report), [METHOD], "{kind:?}");
    }
    let report = Host::of(Kind::Native.component()).canary(&["--method", "brew"]).expect(1, METHOD);
    assert_eq!(only_response(&report).0, 400);
    assert!(report["diagnostics"].to_string().contains("1 to 16 capital letters"), "{report:#}");
}
