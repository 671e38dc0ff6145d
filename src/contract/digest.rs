//! SHA-256 and the digest object `{path, sha256, bytes_len}`.

use sha2::{Digest, Sha256};
use x07_wasm_contracts::types::FileDigest;

/// Lower-case hexadecimal SHA-256.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The digest that stands where a file could not be read.
pub const UNREAD: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The digest object of bytes that stand under `path`.
#[must_use]
pub fn of(path: impl Into<String>, bytes: &[u8]) -> FileDigest {
    FileDigest { path: shown(path.into()), sha256: sha256_hex(bytes), bytes_len: bytes.len() as u64 }
}

/// The digest object of a file that could not be read.
#[must_use]
pub fn unread(path: impl Into<String>) -> FileDigest {
    FileDigest { path: shown(path.into()), sha256: UNREAD.to_owned(), bytes_len: 0 }
}

/// Digest objects hold 1 to 4096 characters of path.
fn shown(path: String) -> String {
    if path.is_empty() {
        "unknown".to_owned()
    } else if path.chars().count() > 4096 {
        path.chars().take(4096).collect()
    } else {
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digest() {
        let digest = of("a", b"abc");
        assert_eq!(digest.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((digest.bytes_len, digest.path.as_str()), (3, "a"));
        assert_eq!(unread("").path, "unknown");
    }
}
