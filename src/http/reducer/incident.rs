//! Incidents of the loop: the trace up to the failure, and the failure.

use super::size::Size;
use super::steps::{Failure, Step};
use super::trace;
use crate::contract::digest::{self, sha256_hex};
use crate::contract::files::{create_folder, encode_pretty, shown, write_atomic};
use crate::report::{Code, Diag};
use serde_json::Value;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::types::{
    FileDigest, HttpIncident, HttpIncidentComponent, HttpIncidentFailed, HttpIncidentInputs,
};

/// The kind of these documents.
pub const KIND: &str = "x07.http.incident";
/// The file in the folder of an incident.
pub const FILE_NAME: &str = "incident.json";
/// What an incident takes at most, so that it can be read: a reader takes 64 MiB and 400 000 values.
const MOST: Size = Size { bytes: 60 << 20, values: 399_000, levels: 256 };

/// An incident in the making.
#[derive(Debug)]
pub struct Incident<'a> {
    /// The module.
    pub component: &'a FileDigest,
    /// The case or request that failed.
    pub case: &'a str,
    /// The trace; it satisfies its contract unless it is one that does not and was replayed.
    pub trace: Value,
    /// Steps of the request that are not in the trace, because there was no room for them.
    pub steps_left_out: usize,
    /// What failed.
    pub failure: &'a Failure,
    /// The frame that a replay should have given; `None` outside of replays.
    pub expected_frame: Option<&'a Value>,
}

/// An incident that was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its folder.
    pub folder: PathBuf,
    /// The file in it.
    pub file: FileDigest,
}

/// The name of an incident's folder: it depends on the inputs only, so that the same failure meets
/// the same folder.
#[must_use]
pub fn id(command: &str, first: &str, second: &str) -> String {
    let mut id = sha256_hex(format!("{command}:{first}:{second}").as_bytes());
    id.truncate(32);
    id
}

impl Incident<'_> {
    /// The document. What would make it too large to be read is not in it, and it says so.
    #[must_use]
    pub fn document(&self) -> HttpIncident {
        let component =
            HttpIncidentComponent { path: self.component.path.clone(), sha256: self.component.sha256.clone() };
        let mut room = Room::default();
        if self.steps_left_out > 0 {
            room.missing.push(format!("the last {} steps of the trace", self.steps_left_out));
        }
        // What matters most comes first: the rest of the room is for the others.
        let trace =
            room.take("the trace", &self.trace, 1).unwrap_or_else(|| trace::document(std::iter::empty::<&Step>()));
        let env = room.take("what the reducer was given", &self.failure.env, 2);
        let actual_frame = self.failure.frame.as_ref().and_then(|frame| room.take("what it returned", frame, 2));
        let expected_frame = self.expected_frame.and_then(|frame| room.take("what was expected", frame, 2));
        let error = match room.missing.as_slice() {
            [] => self.failure.error.clone(),
            missing => {
                let missing = missing.join(" and ");
                format!(
                    "{} (the incident would be too large to be read with {missing}, and has to do without)",
                    self.failure.error
                )
            }
        };
        HttpIncident {
            v: 1,
            kind: KIND.to_owned(),
            error,
            inputs: Some(HttpIncidentInputs { component }),
            trace: trace.as_object().cloned().unwrap_or_default(),
            failed: Some(HttpIncidentFailed {
                case: self.case.to_owned(),
                step: u32::try_from(self.failure.step).unwrap_or(u32::MAX),
                env: env.unwrap_or_default(),
                expected_frame: expected_frame.unwrap_or_default(),
                actual_frame: actual_frame.unwrap_or_default(),
            }),
        }
    }

    /// Writes the incident into a folder, which is made.
    ///
    /// # Errors
    /// A warning with the code `no_folder` if the folder cannot be made, else one that the file could
    /// not be written.
    pub fn write(&self, folder: &Path, no_folder: Code) -> Result<Written, Diag> {
        let lost = "; the report is complete, but the failure cannot be looked at later";
        create_folder(folder)
            .map_err(|e| Diag::new(no_folder, format!("the folder of an incident cannot be created: {e}{lost}")))?;
        let path = folder.join(FILE_NAME);
        let lost_by = |e: &dyn std::fmt::Display| {
            Diag::new(Code::IncidentBundleWriteFailed, format!("an incident cannot be written: {e}{lost}"))
        };
        let bytes = encode_pretty(&self.document()).map_err(|e| lost_by(&e))?;
        write_atomic(&path, &bytes).map_err(|e| lost_by(&e))?;
        Ok(Written { folder: folder.to_owned(), file: digest::of(shown(&path), &bytes) })
    }
}

/// The room in a document, and what found none.
#[derive(Debug, Default)]
struct Room {
    taken: Size,
    missing: Vec<String>,
}

impl Room {
    /// A value, if there is room for it `depth` levels deep.
    fn take(&mut self, what: &str, value: &Value, depth: u64) -> Option<Value> {
        let taken = self.taken.and(Size::of(value, depth));
        if !taken.fits(MOST) {
            self.missing.push(what.to_owned());
            return None;
        }
        self.taken = taken;
        Some(value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_incident_names_its_inputs_and_its_failure() {
        let folder = tempfile::tempdir().expect("a folder");
        let component = digest::of("dist/r.wasm", b"wasm");
        let failure = Failure { step: 1, env: json!({"a": 1}), frame: None, error: "it broke".to_owned() };
        let incident = Incident {
            component: &component,
            case: "req0",
            trace: json!({"v": 1, "kind": "x07.http.trace", "steps": []}),
            steps_left_out: 0,
            failure: &failure,
            expected_frame: None,
        };
        let written = incident.write(&folder.path().join("a/b"), Code::IncidentBundleWriteFailed).expect("written");
        let read: Value =
            serde_json::from_slice(&std::fs::read(written.folder.join(FILE_NAME)).expect("there")).expect("JSON");
        assert_eq!(read["inputs"]["component"]["path"], "dist/r.wasm");
        assert_eq!(read["failed"]["step"], 1);
        assert_eq!(read["failed"]["actual_frame"], Value::Null);
        assert_eq!((read["kind"].as_str(), read["error"].as_str()), (Some(KIND), Some("it broke")));
        std::fs::write(folder.path().join("file"), b"").expect("written");
        let refused = incident.write(&folder.path().join("file"), Code::HttpTestIncidentDirCreateFailed);
        assert_eq!(refused.err().and_then(|d| d.code()), Some(Code::HttpTestIncidentDirCreateFailed));
    }

    #[test]
    fn what_would_make_it_unreadable_is_left_out_and_told() {
        let component = digest::of("r.wasm", b"wasm");
        let large = json!("x".repeat(25 << 20));
        let failure = Failure { step: 9, env: large.clone(), frame: Some(large.clone()), error: "it broke".to_owned() };
        let trace = json!({"v": 1, "kind": "x07.http.trace", "steps": [{"env": large, "frame": null}]});
        let incident = Incident {
            component: &component,
            case: "req0",
            trace,
            steps_left_out: 3,
            failure: &failure,
            expected_frame: Some(&Value::Null),
        };
        let document = incident.document();
        assert!(
            document.error.starts_with("it broke (") && document.error.contains("last 3 steps"),
            "{}",
            document.error
        );
        assert!(document.error.contains("what it returned"), "{}", document.error);
        let failed = document.failed.as_ref().expect("a step");
        assert_eq!((failed.step, failed.env.is_string(), &failed.actual_frame), (9, true, &Value::Null));
        let bytes = encode_pretty(&document).expect("valid");
        assert!((bytes.len() as u64) < trace::MAX_TRACE_BYTES);
        let deep = (0..255).fold(Value::Null, |inner, _| json!([inner]));
        let failure = Failure { step: 0, env: deep, frame: None, error: "e".to_owned() };
        let document = Incident { failure: &failure, steps_left_out: 0, trace: json!({}), ..incident }.document();
        assert!(document.error.contains("what the reducer was given"), "{}", document.error);
    }

    #[test]
    fn the_folder_depends_on_the_inputs_only() {
        assert_eq!(id("http-test", "a", "0"), sha256_hex(b"http-test:a:0")[..32]);
        assert_ne!(id("http-test", "a", "0"), id("http-test", "a", "1"));
    }
}
