//! Bodies and values inside documents: `{bytes_len, text?, base64?}`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x07_wasm_contracts::types::StreamPayload;

/// A payload whose members do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The member `base64` is something else.
    #[error("`base64` does not decode ({reason}); use the standard alphabet with padding")]
    Base64 {
        /// What is wrong with it.
        reason: String,
    },
    /// The content is longer or shorter than said.
    #[error("`bytes_len` says {stated}, but the content has {found} bytes; make both the same")]
    Length {
        /// What `bytes_len` says.
        stated: u64,
        /// The bytes that are there.
        found: u64,
    },
    /// There is a length, and no content.
    #[error("`bytes_len` says {stated}, but there is neither `base64` nor `text`; add one of them")]
    Absent {
        /// What `bytes_len` says.
        stated: u64,
    },
}

/// The bytes of a payload. `base64` wins over `text`; both may be missing where there are no bytes.
///
/// # Errors
/// The members do not fit together.
pub fn decode(payload: &StreamPayload) -> Result<Vec<u8>, PayloadError> {
    let stated = payload.bytes_len;
    let bytes = match (&payload.base64, &payload.text) {
        (Some(base64), _) => {
            STANDARD.decode(base64).map_err(|error| PayloadError::Base64 { reason: error.to_string() })?
        }
        (None, Some(text)) => text.as_bytes().to_vec(),
        (None, None) if stated == 0 => Vec::new(),
        (None, None) => return Err(PayloadError::Absent { stated }),
    };
    let found = bytes.len() as u64;
    if found == stated { Ok(bytes) } else { Err(PayloadError::Length { stated, found }) }
}

/// The payload of bytes as a host writes it: always `base64`, and `text` where the bytes are UTF-8,
/// so that a program can read the form that suits it.
#[must_use]
pub fn encode(bytes: &[u8]) -> StreamPayload {
    StreamPayload {
        bytes_len: bytes.len() as u64,
        base64: Some(STANDARD.encode(bytes)),
        text: std::str::from_utf8(bytes).ok().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(bytes_len: u64, text: Option<&str>, base64: Option<&str>) -> StreamPayload {
        StreamPayload { bytes_len, text: text.map(str::to_owned), base64: base64.map(str::to_owned) }
    }

    #[test]
    fn the_content_is_found_wherever_it_stands() {
        assert_eq!(decode(&payload(0, None, None)), Ok(Vec::new()));
        assert_eq!(decode(&payload(2, Some("é"), None)), Ok("é".as_bytes().to_vec()));
        assert_eq!(decode(&payload(1, None, Some("/w=="))), Ok(vec![0xff]));
        assert_eq!(decode(&payload(1, Some("ignored"), Some("YQ=="))), Ok(b"a".to_vec()));
    }

    #[test]
    fn members_that_do_not_fit_are_refused() {
        assert_eq!(decode(&payload(1, None, None)), Err(PayloadError::Absent { stated: 1 }));
        assert_eq!(decode(&payload(1, Some("ab"), None)), Err(PayloadError::Length { stated: 1, found: 2 }));
        assert_eq!(decode(&payload(0, Some("ab"), None)), Err(PayloadError::Length { stated: 0, found: 2 }));
        assert!(matches!(decode(&payload(1, None, Some("YQ"))), Err(PayloadError::Base64 { .. })));
        assert!(matches!(decode(&payload(1, Some("a"), Some("_w=="))), Err(PayloadError::Base64 { .. })));
    }

    #[test]
    fn what_is_encoded_decodes() {
        for bytes in [&b""[..], b"hello", b"\xff\x00", "é".as_bytes()] {
            assert_eq!(decode(&encode(bytes)).as_deref(), Ok(bytes));
        }
        assert_eq!(encode(b"\xff").text, None);
        assert_eq!(encode(b"").text.as_deref(), Some(""));
    }
}
