//! Requests as lines of JSON.

use super::payload::{self, PayloadError};
use super::steps::Request;
use crate::contract::load::{self, LoadError};
use crate::report::{Code, Diag, DocumentCodes};
use x07_wasm_contracts::types::HttpRequestEnvelope;

/// The name of standard input in messages and reports.
pub const NAME: &str = "<stdin>";

const CODES: DocumentCodes = DocumentCodes {
    read: Code::HttpServeStdinJsonInvalid,
    json: Code::HttpServeStdinJsonInvalid,
    schema: Code::HttpServeRequestEnvelopeSchemaInvalid,
};

/// The requests of a text, one a line. Blank lines are nothing; a line that is no request is
/// skipped, with its problems. A body may have `max_body_bytes`.
#[must_use]
pub fn requests(text: &[u8], max_body_bytes: u64) -> (Vec<Request>, Vec<Diag>) {
    let (mut requests, mut problems) = (Vec::new(), Vec::new());
    let mut start = 0_usize;
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if !line.trim_ascii().is_empty() {
            match request(line, max_body_bytes) {
                Ok(request) => requests.push(request),
                Err(found) => problems.extend(found.into_iter().map(|bad| bad.diagnose(number, start))),
            }
        }
        start += line.len() + 1;
    }
    (requests, problems)
}

/// A problem of one line.
enum Bad {
    Document(load::DocumentProblem),
    Body(PayloadError),
    Large { bytes: u64, limit: u64 },
}

fn request(line: &[u8], max_body_bytes: u64) -> Result<Request, Vec<Bad>> {
    let loaded = match load::from_bytes::<HttpRequestEnvelope>(NAME, line) {
        Ok(loaded) => loaded,
        Err(LoadError::Problems(problems)) => return Err(problems.into_iter().map(Bad::Document).collect()),
        // Bytes in memory can always be read.
        Err(LoadError::Read(_)) => return Err(Vec::new()),
    };
    // What a body says about its length is only believed once that was looked at.
    match payload::decode(&loaded.document.body).map(|body| body.len() as u64) {
        Err(error) => Err(vec![Bad::Body(error)]),
        Ok(bytes) if bytes > max_body_bytes => Err(vec![Bad::Large { bytes, limit: max_body_bytes }]),
        Ok(_) => Ok(Request { id: loaded.document.id, envelope: loaded.value }),
    }
}

impl Bad {
    /// The diagnostic, whose place is that in the whole text.
    fn diagnose(self, line: usize, start: usize) -> Diag {
        let number = line + 1;
        let diag = match self {
            Self::Document(mut problem) => {
                if let Some(position) = &mut problem.position {
                    position.line = position.line.saturating_add(u32::try_from(line).unwrap_or(u32::MAX));
                    position.offset = position.offset.saturating_add(u32::try_from(start).unwrap_or(u32::MAX));
                }
                CODES.problem(&format!("the request in line {number} of"), &problem)
            }
            Self::Body(error) => unfit(number, &format!("the body does not decode: {error}")),
            Self::Large { bytes, limit } => unfit(
                number,
                &format!("the body has {bytes} bytes, and {limit} are allowed; raise --max-request-bytes"),
            ),
        };
        diag.data("line", number)
    }
}

/// A body that the schema allows and the loop does not.
fn unfit(number: usize, why: &str) -> Diag {
    Diag::new(CODES.schema, format!("the request in line {number} of {NAME} at /body: {why}"))
        .data("instance_path", "/body")
}

#[cfg(test)]
mod tests {
    use super::*;
    use x07_wasm_contracts::types::Location;

    fn line(id: &str, bytes_len: usize) -> String {
        with_body(id, &format!(r#""bytes_len":{bytes_len},"text":"{}""#, "x".repeat(bytes_len)))
    }

    fn with_body(id: &str, body: &str) -> String {
        format!(
            r#"{{"schema_version":"x07.http.request.envelope@0.1.0","id":"{id}","method":"GET","path":"/","headers":[],"body":{{{body}}}}}"#
        )
    }

    #[test]
    fn good_lines_are_taken_and_bad_ones_told_with_their_place() {
        let text = format!(
            "{}\n\n \r\n{{\"id\": 7\n{}\r\n{}\n\u{e9}\n{}",
            line("a", 0),
            line("UPPER", 0),
            line("large", 11),
            line("b", 10)
        );
        let (requests, problems) = requests(text.as_bytes(), 10);
        assert_eq!(requests.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let told: Vec<(String, u64)> = problems
            .into_iter()
            .map(Diag::build)
            .map(|d| (d.code, d.data.and_then(|data| data["line"].as_u64()).unwrap_or_default()))
            .collect();
        let told: Vec<(&str, u64)> = told.iter().map(|(code, line)| (code.as_str(), *line)).collect();
        assert_eq!(
            told,
            [
                ("X07WASM_HTTP_SERVE_STDIN_JSON_INVALID", 4),
                ("X07WASM_HTTP_SERVE_REQUEST_ENVELOPE_SCHEMA_INVALID", 5),
                ("X07WASM_HTTP_SERVE_REQUEST_ENVELOPE_SCHEMA_INVALID", 6),
                ("X07WASM_HTTP_SERVE_STDIN_JSON_INVALID", 7),
            ]
        );
    }

    #[test]
    fn bodies_must_be_what_they_say() {
        for (body, part) in [
            (r#""bytes_len":0,"text":"much more than that""#, "bytes_len"),
            (r#""bytes_len":5,"text":"y""#, "bytes_len"),
            (r#""bytes_len":5"#, "base64"),
            (r#""bytes_len":5,"base64":"!!!""#, "base64"),
            (r#""bytes_len":11,"text":"yyyyyyyyyyy""#, "--max-request-bytes"),
        ] {
            let (requests, problems) = requests(with_body("a", body).as_bytes(), 10);
            assert!(requests.is_empty(), "{body}");
            let diag = problems.into_iter().next().expect("a problem").build();
            assert_eq!(diag.code, "X07WASM_HTTP_SERVE_REQUEST_ENVELOPE_SCHEMA_INVALID");
            assert!(
                diag.message.contains("line 1 of <stdin> at /body: ") && diag.message.contains(part),
                "{}",
                diag.message
            );
            assert_eq!(diag.data.expect("data")["instance_path"], "/body");
        }
        let (requests, _) =
            requests(with_body("a", r#""bytes_len":1,"base64":"YQ==","text":"ignored""#).as_bytes(), 10);
        assert_eq!(requests.len(), 1);
    }

    #[test]
    fn places_are_those_of_the_whole_text() {
        let (_, problems) = requests(b"\n\n[1,]", 0);
        let place = problems.into_iter().next().map(Diag::build).and_then(|d| d.loc);
        let Some(Location::Text(place)) = place else { panic!("no place") };
        assert_eq!((place.span.start.line, place.span.start.col, place.span.start.offset), (3, 4, Some(5)));
    }

    #[test]
    fn a_text_without_lines_holds_no_request() {
        for text in [&b""[..], b"\n\n", b"  \n\t\n"] {
            let (requests, problems) = requests(text, 0);
            assert!(requests.is_empty() && problems.is_empty());
        }
    }
}
