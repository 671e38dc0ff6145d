//! Which schema versions are read, and which features each of them has.

use super::reader::Reader;
use super::shorten;
use crate::contract::json::tree::NodeId;

/// The oldest schema version that is read: the `N` of `x07.x07ast@0.N.0`.
const OLDEST: u32 = 3;

/// The newest schema version that is read; a file that names none of those read is taken for it.
pub(super) const NEWEST: u32 = 9;

impl Reader<'_> {
    /// Reads the file's schema version.
    pub(super) fn version(&mut self, root: NodeId) {
        let Some((text, node)) = self.text(root, "schema_version") else { return };
        match minor_version(&text) {
            Some(minor) if (OLDEST..=NEWEST).contains(&minor) => self.minor = minor,
            found => {
                let advice = match found {
                    Some(minor) if minor < OLDEST => "the file is too old; upgrade it or the package it comes from",
                    Some(_) => "the file is newer than this compiler; update the toolchain",
                    None if text.starts_with("x07.x07ast@") => {
                        "this version is not known; update the toolchain if it is newer, else upgrade the file"
                    }
                    None => "the file is not x07AST",
                };
                let message = format!(
                    "schema version {:?}: {advice} (read are x07.x07ast@0.{OLDEST}.0 to x07.x07ast@0.{NEWEST}.0)",
                    shorten(&text)
                );
                self.problem(node, message);
            }
        }
    }

    /// Whether the file's version has a feature; else a problem.
    pub(super) fn since(&mut self, node: NodeId, feature: &str, minor: u32) -> bool {
        if self.minor >= minor {
            return true;
        }
        let message = format!(
            "`{feature}` needs schema version x07.x07ast@0.{minor}.0 or newer, the file is x07.x07ast@0.{}.0",
            self.minor
        );
        self.problem(node, message);
        false
    }
}

/// The `N` of `x07.x07ast@0.N.0`.
fn minor_version(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("x07.x07ast@0.")?.strip_suffix(".0")?;
    let minor: u32 = digits.parse().ok()?;
    (minor.to_string() == digits).then_some(minor)
}
