//! Replay: each step of a trace must give the frame that was recorded.
//!
//! Nothing happens outside of the reducer: results of effects are those of the trace.

use super::frame;
use super::runner::Runner;
use super::steps::Failure;
use super::trace::{MAX_TRACE_BYTES, first_difference};
use crate::contract::digest::sha256_hex;
use crate::contract::files::{Files, shown};
use crate::contract::json::canonical;
use crate::contract::load::{self, LoadError, ProblemKind};
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Diag, DocumentCodes};
use serde_json::Value;
use std::path::Path;
use x07_wasm_contracts::types::HttpTrace;

const CODES: DocumentCodes =
    DocumentCodes { read: Code::HttpTestCaseFailed, json: Code::HttpTestCaseFailed, schema: Code::SchemaInvalid };

/// A trace to replay.
#[derive(Debug)]
pub struct Case {
    /// The name of the file without its ending.
    pub name: String,
    /// The trace, valid or not.
    pub trace: Value,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// What became of a case.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What went wrong; empty when all frames are those of the trace.
    pub problems: Vec<Diag>,
    /// The step that failed and the frame that it should have given.
    pub failed: Option<(Failure, Value)>,
}

/// The name of a case, as reports allow it.
#[must_use]
pub fn name(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String = stem.chars().take(256).collect();
    if name.is_empty() { "trace".to_owned() } else { name }
}

/// Reads a trace. One that violates its contract is a case all the same: `problems` has the
/// violations, and its steps are replayed as far as there are any.
///
/// # Errors
/// It cannot be read or is not JSON.
pub fn open(files: &mut Files, path: &Path, problems: &mut Vec<Diag>) -> Result<Case, Vec<Diag>> {
    let bytes = files.read(path, MAX_TRACE_BYTES).map_err(|error| vec![unreadable(CODES.read, "the trace", &error)])?;
    let file = shown(path);
    let trace = match load::from_bytes::<HttpTrace>(&file, &bytes) {
        Ok(loaded) => loaded.value,
        Err(LoadError::Problems(found)) if found.iter().all(|p| p.kind == ProblemKind::Schema) => {
            problems.extend(found.iter().map(|problem| CODES.problem("the trace", problem)));
            load::json_from_bytes(&file, &bytes)
                .map_err(|found| found.iter().map(|p| CODES.problem("the trace", p)).collect::<Vec<_>>())?
        }
        Err(error) => return Err(CODES.diagnose("the trace", &error)),
    };
    Ok(Case { name: name(path), trace, sha256: sha256_hex(&bytes) })
}

impl Case {
    /// Calls the reducer with every dispatch, up to the first step that fails.
    #[must_use]
    pub fn replay(&self, runner: &Runner) -> Verdict {
        let steps = self.trace.get("steps").and_then(Value::as_array).into_iter().flatten();
        for (at, step) in steps.enumerate() {
            if let Err(verdict) = self.step(runner, at, step) {
                return *verdict;
            }
        }
        Verdict::default()
    }

    fn step(&self, runner: &Runner, at: usize, step: &Value) -> Result<(), Box<Verdict>> {
        let member = |name: &str| step.get(name).cloned().unwrap_or(Value::Null);
        let (env, expected) = (member("env"), member("frame"));
        let name = format!("/steps/{at} of {}", self.name);
        let fail = |problems: Vec<Diag>, frame: Option<Value>| {
            let problems: Vec<Diag> =
                problems.into_iter().map(|problem| problem.data("case", self.name.as_str()).data("step", at)).collect();
            let error = problems.first().map(|problem| problem.clone().build().message).unwrap_or_default();
            let failure = Failure { step: at, env: env.clone(), frame, error };
            Box::new(Verdict { problems, failed: Some((failure, expected.clone())) })
        };
        let problems = frame::dispatch_problems(&name, &env);
        if !problems.is_empty() {
            return Err(fail(problems, None));
        }
        let output = runner
            .call(&canonical::compact(&env))
            .map_err(|problem| fail(vec![problem.note(format!("in {name}"))], None))?;
        let actual = frame::read(&name, &output).map_err(|none| fail(none.problems, none.value))?.value;
        match first_difference(&expected, &actual) {
            None => Ok(()),
            Some(place) => {
                let shown = if place.is_empty() { "the whole frame" } else { place.as_str() };
                let message = format!(
                    "the reducer gave another frame than the trace has at {name}; the first difference is at {shown}. Correct the program, or record the trace again"
                );
                let problem = Diag::new(Code::HttpTestFrameMismatch, message).data("instance_path", place.as_str());
                let (text, found) = (excerpt(&expected, &place), excerpt(&actual, &place));
                Err(fail(vec![problem.data("expected", text).data("found", found)], Some(actual)))
            }
        }
    }
}

/// The value at a place, or null where there is none; long ones are cut.
fn excerpt(document: &Value, pointer: &str) -> Value {
    const MAX_SHOWN: usize = 500;
    let value = document.pointer(pointer).cloned().unwrap_or(Value::Null);
    let text = value.to_string();
    if text.chars().count() <= MAX_SHOWN {
        return value;
    }
    let mut short: String = text.chars().take(MAX_SHOWN).collect();
    short.push('…');
    Value::String(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_case_is_named_after_its_file() {
        assert_eq!(name(Path::new("a/trace.effect_kv.min.json")), "trace.effect_kv.min");
        assert_eq!(name(Path::new("..")), "trace");
        assert_eq!(name(Path::new(&"n".repeat(300))).len(), 256);
    }

    #[test]
    fn traces_that_cannot_be_used_are_told_from_those_that_are_only_wrong() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.json");
        let open_text = |text: &str| {
            std::fs::write(&path, text).expect("written");
            let mut problems = Vec::new();
            let opened = open(&mut Files::default(), &path, &mut problems);
            let codes = |list: &[Diag]| list.iter().filter_map(Diag::code).map(Code::as_str).collect::<Vec<_>>();
            match opened {
                Ok(case) => (true, codes(&problems), case.trace),
                Err(found) => (false, codes(&found), Value::Null),
            }
        };
        let valid = json!({"v": 1, "kind": "x07.http.trace", "steps": []});
        assert_eq!(open_text(&valid.to_string()), (true, vec![], valid));
        let wrong = json!({"v": 2, "kind": "x07.http.trace", "steps": []});
        assert_eq!(open_text(&wrong.to_string()), (true, vec!["X07WASM_SCHEMA_INVALID"], wrong));
        assert_eq!(open_text("{"), (false, vec!["X07WASM_HTTP_TEST_CASE_FAILED"], Value::Null));
        let twice = r#"{"v":1,"v":1,"kind":"x07.http.trace","steps":[]}"#;
        assert_eq!(open_text(twice), (false, vec!["X07WASM_HTTP_TEST_CASE_FAILED"], Value::Null));
    }

    #[test]
    fn long_values_are_cut() {
        let document = json!({"a": "x".repeat(1000), "b": [1]});
        assert_eq!(excerpt(&document, "/b"), json!([1]));
        assert_eq!(excerpt(&document, "/a").as_str().map(|text| text.chars().count()), Some(501));
        assert_eq!(excerpt(&document, "/none"), Value::Null);
    }
}
