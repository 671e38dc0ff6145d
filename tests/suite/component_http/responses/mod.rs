//! What becomes of the outputs of programs: every rule of response envelopes. The body of the
//! request is the output of the program.
//!
//! | module | promise |
//! |---|---|
//! | `syntax` | what is JSON and what is not |
//! | `members` | status, body and the rest; what is told first |
//! | `headers` | which headers are sent, and how |
//! | `incidents` | what is reported and left behind |

mod headers;
mod incidents;
mod members;
mod syntax;

use super::support::{Answer, Host, Kind, Request, errors};
use crate::support::Run;
use std::collections::BTreeSet;

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
            // The server passes on what is visible ASCII.
            let plain = |text: &str| text.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~'));
            let headers: Vec<_> = headers.iter().filter(|(_, value)| plain(value)).cloned().collect();
            assert_eq!((answer.status, found), (*status, headers), "{what}");
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
    // Each output is a request of its own; ten of a kind are kept.
    let incidents = report["result"]["incidents"].as_array().expect("a list");
    let kept = |code: &str| refusals.iter().filter(|refusal| **refusal == code).count().min(10);
    let codes: BTreeSet<&str> = refusals.iter().copied().collect();
    assert_eq!(incidents.len(), codes.into_iter().map(kept).sum::<usize>(), "{report:#}");
}
