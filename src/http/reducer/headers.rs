//! Headers between HTTP and documents.

use http::HeaderMap;
use x07_wasm_contracts::types::Header;

/// Headers that a document can hold.
pub const MAX_HEADERS: usize = 256;
/// Characters of a name that a document can hold.
const MAX_NAME: usize = 64;
/// Characters of a value that a document can hold.
const MAX_VALUE: usize = 4096;

/// Whether a header is about the connection or the length of the message. Whoever writes the message
/// sets these; a program that did could make two readers see different messages.
#[must_use]
pub fn belongs_to_the_connection(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The headers of a message that a document can hold, sorted by name; others are left out. Several
/// of one name keep their order.
#[must_use]
pub fn listed(headers: &HeaderMap) -> Vec<Header> {
    let fits = |name: &str| {
        name.len() <= MAX_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !name.is_empty()
    };
    let mut list: Vec<Header> = headers
        .iter()
        .filter(|(name, _)| fits(name.as_str()))
        .filter_map(|(name, value)| {
            let value = std::str::from_utf8(value.as_bytes()).ok()?;
            let short = value.len() <= MAX_VALUE || value.chars().count() <= MAX_VALUE;
            short.then(|| Header { k: name.as_str().to_owned(), v: value.to_owned() })
        })
        .collect();
    list.sort_by(|a, b| a.k.cmp(&b.k));
    list.truncate(MAX_HEADERS);
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn what_a_document_cannot_hold_is_left_out() {
        let mut headers = HeaderMap::new();
        let long = "n".repeat(65);
        for (name, value) in [
            ("set-cookie", &b"b"[..]),
            ("set-cookie", b"a"),
            ("accept", "é".as_bytes()),
            ("under_score", b"x"),
            ("binary", b"\xff"),
            (long.as_str(), b"x"),
        ] {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                HeaderValue::from_bytes(value).expect("a value"),
            );
        }
        headers.append("huge", HeaderValue::from_str(&"v".repeat(4097)).expect("a value"));
        headers.append("large", HeaderValue::from_str(&"v".repeat(4096)).expect("a value"));
        let list = listed(&headers);
        let names: Vec<(&str, usize)> = list.iter().map(|h| (h.k.as_str(), h.v.len())).collect();
        assert_eq!(names, [("accept", 2), ("large", 4096), ("set-cookie", 1), ("set-cookie", 1)]);
        assert_eq!((list[2].v.as_str(), list[3].v.as_str()), ("b", "a"));
    }

    #[test]
    fn no_more_headers_than_a_document_can_hold() {
        let mut headers = HeaderMap::new();
        for n in 0..300 {
            headers.append(
                HeaderName::from_bytes(format!("h{n:03}").as_bytes()).expect("a name"),
                HeaderValue::from_static("v"),
            );
        }
        assert_eq!(listed(&headers).len(), MAX_HEADERS);
    }

    #[test]
    fn length_and_connection_are_not_the_business_of_a_program() {
        for name in ["Content-Length", "connection", "TRANSFER-ENCODING", "Host"] {
            assert!(belongs_to_the_connection(name), "{name}");
        }
        assert!(!belongs_to_the_connection("content-type"));
    }
}
