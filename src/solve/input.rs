//! The ways to give a program its input.

use crate::contract::digest::sha256_hex;
use crate::contract::files::{Files, MAX_ARTIFACT_BYTES, shown};
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Diag};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;
use x07_wasm_contracts::types::BlobRef;

/// An input and how a report shows it.
#[derive(Clone, Debug)]
pub struct Input {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Length, digest, and where it came from.
    pub blob: BlobRef,
}

/// Takes the input from the one source that was given.
///
/// # Errors
/// None was given, or it cannot be read or decoded.
pub fn read(
    files: &mut Files,
    path: Option<&Path>,
    hex_digits: Option<&str>,
    base64_text: Option<&str>,
) -> Result<Input, Diag> {
    if let Some(path) = path {
        let bytes =
            files.read(path, MAX_ARTIFACT_BYTES).map_err(|e| unreadable(Code::InputReadFailed, "the input", &e))?;
        let blob = BlobRef { path: Some(shown(path)), ..blob(&bytes) };
        return Ok(Input { bytes, blob });
    }
    if let Some(digits) = hex_digits {
        let bytes = hex::decode(digits.trim()).map_err(|e| {
            Diag::new(
                Code::InputHexInvalid,
                format!("--input-hex is not hexadecimal: {e}; give an even number of digits 0-9 a-f"),
            )
        })?;
        return Ok(Input { blob: blob(&bytes), bytes });
    }
    if let Some(text) = base64_text {
        let bytes = STANDARD.decode(text.trim()).map_err(|e| {
            Diag::new(
                Code::InputBase64Invalid,
                format!("--input-base64 is not base64: {e}; use the standard alphabet with padding"),
            )
        })?;
        let blob = BlobRef { base64: Some(STANDARD.encode(&bytes)), ..blob(&bytes) };
        return Ok(Input { bytes, blob });
    }
    Err(Diag::new(
        Code::InputMissing,
        "no input was given; use --input PATH, --input-hex DIGITS or --input-base64 TEXT (an empty text is an empty input)",
    ))
}

/// Length and digest of bytes.
#[must_use]
pub fn blob(bytes: &[u8]) -> BlobRef {
    BlobRef { bytes_len: bytes.len() as u64, sha256: Some(sha256_hex(bytes)), path: None, base64: None }
}
