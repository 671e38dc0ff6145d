//! Requests and responses as documents.
//!
//! HTTP allows more than envelopes do: longer paths, other methods, more headers. What does not fit
//! is cut or left out, and [`Kept::lossy`] says so; whoever needs every byte keeps
//! [`Snapshot::head_text`], too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use x07_wasm_contracts::types::{Header, HttpRequestEnvelope, HttpResponseEnvelope, StreamPayload};

const MAX_PATH_CHARS: usize = 4096;
const MAX_QUERY_CHARS: usize = 4096;
const MAX_HEADERS: usize = 256;
const MAX_NAME_BYTES: usize = 64;
const MAX_VALUE_CHARS: usize = 4096;
const MAX_METHOD_BYTES: usize = 16;

/// A request as it was before the component got it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// A document, and whether it holds all of what it was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept<T> {
    /// The document.
    pub document: T,
    /// Whether something did not fit.
    pub lossy: bool,
}

impl Snapshot {
    /// Of a request.
    #[must_use]
    pub fn of(request: &Request<Bytes>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            body: request.body().clone(),
        }
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The envelope. `compact` says each body once and not in two forms.
    #[must_use]
    pub fn envelope(&self, id: &str, compact: bool) -> Kept<HttpRequestEnvelope> {
        let method = method(self.method.as_str());
        let path = path(self.uri.path());
        let query = self.uri.query().map(|query| clipped(query, MAX_QUERY_CHARS));
        let headers = headers(&self.headers);
        let lossy = method != self.method.as_str()
            || path != self.uri.path()
            || query.as_deref() != self.uri.query()
            || headers.lossy;
        let document = HttpRequestEnvelope {
            body: payload(&self.body, compact),
            headers: headers.document,
            id: id.to_owned(),
            method,
            path,
            query,
            schema_version: "x07.http.request.envelope@0.1.0".to_owned(),
        };
        Kept { document, lossy }
    }

    /// Request line and headers as they were.
    #[must_use]
    pub fn head_text(&self) -> Vec<u8> {
        let mut text = format!("{} {}\n", self.method, self.uri).into_bytes();
        for (name, value) in &self.headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.push(b'\n');
        }
        text
    }
}

/// The envelope of a response; `None` if it has a status that envelopes do not know.
#[must_use]
pub fn of_response(response: &Response<Bytes>, id: &str, compact: bool) -> Option<HttpResponseEnvelope> {
    let status = response.status().as_u16();
    (100..=599).contains(&status).then(|| HttpResponseEnvelope {
        body: payload(response.body(), compact),
        headers: headers(response.headers()).document,
        request_id: id.to_owned(),
        schema_version: "x07.http.response.envelope@0.1.0".to_owned(),
        status,
    })
}

/// A body: in base64, and as text where it is text. Compact: nothing for no bytes, else text if it is
/// text, else base64.
fn payload(bytes: &Bytes, compact: bool) -> StreamPayload {
    let text = std::str::from_utf8(bytes).ok().map(str::to_owned);
    let bytes_len = bytes.len() as u64;
    if compact {
        let base64 = text.is_none().then(|| STANDARD.encode(bytes));
        return StreamPayload { base64, bytes_len, text: text.filter(|t| !t.is_empty()) };
    }
    StreamPayload { base64: Some(STANDARD.encode(bytes)), bytes_len, text }
}

/// Sorted by name, then value; what is not text is empty.
fn headers(headers: &HeaderMap) -> Kept<Vec<Header>> {
    let mut lossy = false;
    let mut pairs: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    pairs.sort_unstable();
    let plain =
        |name: &str| name.len() <= MAX_NAME_BYTES && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let mut document = Vec::with_capacity(pairs.len().min(MAX_HEADERS));
    for (name, value) in pairs {
        if !plain(name) || document.len() == MAX_HEADERS {
            lossy = true;
            continue;
        }
        let text = std::str::from_utf8(value).unwrap_or_default();
        let v = clipped(text, MAX_VALUE_CHARS);
        lossy |= v.as_bytes() != value;
        document.push(Header { k: name.to_owned(), v });
    }
    Kept { document, lossy }
}

fn method(name: &str) -> String {
    let letters: String =
        name.chars().filter(char::is_ascii_alphabetic).take(MAX_METHOD_BYTES).collect::<String>().to_ascii_uppercase();
    if letters.is_empty() { "OTHER".to_owned() } else { letters }
}

fn path(path: &str) -> String {
    let rooted = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    clipped(&rooted, MAX_PATH_CHARS).chars().filter(|c| !c.is_whitespace()).collect()
}

fn clipped(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::files::encode;
    use http::HeaderValue;

    fn snapshot(method: &str, uri: &str, headers: &[(&str, &[u8])], body: &'static [u8]) -> Snapshot {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_bytes(value).expect("a value"));
        }
        Snapshot::of(&request.body(Bytes::from_static(body)).expect("a request"))
    }

    #[test]
    fn headers_are_sorted_and_bodies_full() {
        let kept = snapshot("POST", "http://localhost/a?b=c", &[("b", b"2"), ("a", b"x"), ("b", b"1")], b"hi");
        let Kept { document, lossy } = kept.envelope("req0", false);
        assert!(!lossy);
        assert_eq!((document.method.as_str(), document.path.as_str()), ("POST", "/a"));
        assert_eq!(document.query.as_deref(), Some("b=c"));
        let pairs: Vec<_> = document.headers.iter().map(|h| (h.k.as_str(), h.v.as_str())).collect();
        assert_eq!(pairs, [("a", "x"), ("b", "1"), ("b", "2")]);
        assert_eq!(document.body.base64.as_deref(), Some("aGk="));
        assert_eq!(document.body.text.as_deref(), Some("hi"));
        assert!(encode(&document).is_ok());
    }

    #[test]
    fn compact_bodies_come_in_one_form() {
        let body = |bytes: &'static [u8]| payload(&Bytes::from_static(bytes), true);
        assert_eq!(body(b""), StreamPayload { base64: None, bytes_len: 0, text: None });
        assert_eq!(body(b"a"), StreamPayload { base64: None, bytes_len: 1, text: Some("a".to_owned()) });
        assert_eq!(body(b"\xff"), StreamPayload { base64: Some("/w==".to_owned()), bytes_len: 1, text: None });
    }

    #[test]
    fn whatever_came_the_envelope_is_valid() {
        let long = "x".repeat(5000);
        let many: Vec<(String, Vec<u8>)> = (0..300).map(|i| (format!("h{i:03}"), b"v".to_vec())).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect();
        for kept in [
            snapshot("brew", "/", &[], b""),
            snapshot("!", "/", &[], b""),
            snapshot("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "/", &[], b""),
            snapshot("GET", &format!("/{long}"), &[], b""),
            snapshot("GET", &format!("/?{long}"), &[], b""),
            snapshot("GET", "*", &[], b""),
            snapshot("GET", "/", &[("a_b", b"1")], b""),
            snapshot("GET", "/", &[("a", b"\xff")], b""),
            snapshot("GET", "/", &[("a", long.as_bytes())], b""),
            snapshot("GET", "/", &many, b""),
        ] {
            let envelope = kept.envelope("req0", false);
            assert!(envelope.lossy, "{kept:?}");
            assert!(encode(&envelope.document).is_ok(), "{kept:?}");
        }
        let head = String::from_utf8(snapshot("brew", "/x", &[("a_b", b"1")], b"").head_text()).expect("text");
        assert_eq!(head, "brew /x\na_b: 1\n");
    }

    #[test]
    fn responses_of_unknown_status_have_no_envelope() {
        let mut response = Response::new(Bytes::from_static(b"x"));
        assert!(of_response(&response, "req0", true).is_some_and(|e| encode(&e).is_ok()));
        *response.status_mut() = http::StatusCode::from_u16(999).expect("a status");
        assert_eq!(of_response(&response, "req0", true), None);
    }
}
