//! Which files an output may replace: a path that was mistyped must not cost somebody their work.

use crate::contract::files::{MAX_DOCUMENT_BYTES, read_bounded};
use std::path::Path;

/// Documents of these kinds are made by this tool and lie beside what they describe.
const MANIFESTS: [&str; 2] = ["x07.wasm.artifact@", "x07.wasm.component.artifact@"];

/// Whether a file may be replaced by a module, a component or a manifest: it is named like one, is
/// one, or is not there.
#[must_use]
pub fn replaceable(path: &Path) -> bool {
    // Of a symbolic link only the link is replaced.
    if std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_symlink()) {
        return true;
    }
    let name = path.to_string_lossy();
    if name.ends_with(".wasm") || name.ends_with(".manifest.json") || !path.exists() {
        return true;
    }
    let Ok(bytes) = read_bounded(path, MAX_DOCUMENT_BYTES) else { return false };
    let version =
        || serde_json::from_slice::<serde_json::Value>(&bytes).ok()?["schema_version"].as_str().map(str::to_owned);
    bytes.is_empty()
        || bytes.starts_with(b"\0asm")
        || version().is_some_and(|v| MANIFESTS.iter().any(|m| v.starts_with(m)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_an_output_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).expect("written");
            replaceable(&path)
        };
        assert!(replaceable(&folder.path().join("none")));
        assert!(file("a.wasm", "whatever") && file("a.manifest.json", "whatever"));
        assert!(file("empty", "") && file("module", "\0asm\u{1}\0\0\0"));
        assert!(file("m.json", r#"{"schema_version":"x07.wasm.artifact@0.2.0"}"#));
        assert!(file("c.json", r#"{"schema_version":"x07.wasm.component.artifact@0.1.0"}"#));
        assert!(!file("x07.json", r#"{"schema_version":"x07.project@0.3.0"}"#));
        assert!(!file("letter", "dear reader") && !replaceable(folder.path()));
    }
}
