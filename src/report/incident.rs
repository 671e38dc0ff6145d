//! Incident bundles: what a failed run leaves behind so that it can be looked at and repeated.
//!
//! `<root>/<UTC date>/<run id>/` with the files that the command named and its report. The run id
//! depends on the inputs only, so the same failure lands in the same folder.

use crate::contract::files::{WriteError, create_folder, write_atomic};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A bundle to be written if the command fails.
#[derive(Debug)]
pub struct Incident {
    /// The folder of all incidents.
    pub root: PathBuf,
    /// 32 hexadecimal digits; see [`run_id`].
    pub run_id: String,
    /// File names and contents.
    pub files: Vec<(String, Vec<u8>)>,
    /// The name under which the report is added.
    pub report_name: &'static str,
    /// Messages for `stderr.txt`, besides the diagnostics.
    pub stderr: Vec<String>,
}

/// The id of a run: the first 32 hexadecimal digits of the SHA-256 over `<first>:<second>`.
#[must_use]
pub fn run_id(first_sha256: &str, second_sha256: &str) -> String {
    let mut digest = hex::encode(Sha256::digest(format!("{first_sha256}:{second_sha256}")));
    digest.truncate(32);
    digest
}

impl Incident {
    /// The folder of the bundle, if it is written today.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        self.root.join(today).join(&self.run_id)
    }

    /// Writes the bundle into a folder, which is created.
    ///
    /// # Errors
    /// The first file or folder that could not be written.
    pub fn write_to(&self, folder: &Path, report: &[u8], messages: &[String]) -> Result<(), WriteError> {
        create_folder(folder)?;
        for (name, bytes) in &self.files {
            write_atomic(&folder.join(name), bytes)?;
        }
        write_atomic(&folder.join(self.report_name), report)?;
        let lines: Vec<&str> =
            self.stderr.iter().chain(messages).map(String::as_str).filter(|l| !l.trim().is_empty()).collect();
        if !lines.is_empty() {
            write_atomic(&folder.join("stderr.txt"), format!("{}\n", lines.join("\n")).as_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_id_depends_on_the_inputs_only() {
        // sha256("a:b") begins with these digits.
        assert_eq!(run_id("a", "b"), hex::encode(Sha256::digest("a:b"))[..32]);
        assert_ne!(run_id("a", "b"), run_id("b", "a"));
    }

    #[test]
    fn all_files_stand_in_the_bundle() {
        let folder = tempfile::tempdir().expect("a folder");
        let incident = Incident {
            root: folder.path().to_owned(),
            run_id: "r".to_owned(),
            files: vec![("input.bin".to_owned(), b"x".to_vec())],
            report_name: "run.report.json",
            stderr: vec!["trap".to_owned()],
        };
        let written = folder.path().join("day").join("r");
        incident.write_to(&written, b"{}\n", &["message".to_owned()]).expect("written");
        assert_eq!(std::fs::read(written.join("input.bin")).expect("there"), b"x");
        assert_eq!(std::fs::read(written.join("run.report.json")).expect("there"), b"{}\n");
        assert_eq!(std::fs::read(written.join("stderr.txt")).expect("there"), b"trap\nmessage\n");
        assert!(incident.folder().starts_with(folder.path()) && incident.folder().ends_with("r"));
    }
}
