//! The id of a request: the client's, if it can be used, else a number.

use http::{HeaderMap, HeaderName};

/// The header that carries the id, in requests and in answers.
pub(super) static HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that a client may choose.
const MAX_LEN: usize = 64;

/// The id of the request that is the `index`-th of its server.
pub(super) fn of(headers: &HeaderMap, index: u64) -> String {
    let chosen = headers.get(&HEADER).and_then(|value| value.to_str().ok()).and_then(usable);
    chosen.unwrap_or_else(|| format!("req{index}"))
}

/// Trimmed and in small letters, `[a-z0-9][a-z0-9._-]{0,63}`.
fn usable(value: &str) -> Option<String> {
    let value = value.trim();
    if value.is_empty() || value.len() > MAX_LEN {
        return None;
    }
    let value = value.to_ascii_lowercase();
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let first = value.bytes().next().is_some_and(plain);
    let rest = value.bytes().all(|b| plain(b) || matches!(b, b'.' | b'_' | b'-'));
    (first && rest).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_id_of_the_client_is_taken_if_it_is_one() {
        let longest = "a".repeat(MAX_LEN);
        for (value, id) in [
            ("abc", "abc"),
            ("  A-b_C.9 ", "a-b_c.9"),
            ("0", "0"),
            (longest.as_str(), longest.as_str()),
            ("", "req7"),
            ("-a", "req7"),
            (".a", "req7"),
            ("a b", "req7"),
            ("a/b", "req7"),
            ("\u{e4}", "req7"),
            (&"a".repeat(MAX_LEN + 1), "req7"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER.clone(), HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
            assert_eq!(of(&headers, 7), id, "{value:?}");
        }
        assert_eq!(of(&HeaderMap::new(), 0), "req0");
    }
}
