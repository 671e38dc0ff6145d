//! Evidence: the clocks and random numbers of one request, recorded and played back.
//!
//! | module | job |
//! |---|---|
//! | [`record`] | real clocks and random numbers that remember what they gave |
//! | [`replay`] | clocks and random numbers that give what a document says |
//!
//! A request that is repeated with its evidence sees what it saw before. The document says which
//! secrets were given and never what they are. Nothing here knows a component or a server.

mod record;
mod replay;

pub use record::Recording;
pub use replay::Replay;

use super::capabilities::{ClocksMode, RandomMode};
use crate::contract::files::{Files, create_folder, encode};
use crate::contract::json::canonical;
use crate::contract::load::json_from_bytes;
use crate::contract::path::same_file;
use crate::engine::component::{Clocks, Randomness};
use crate::report::{Code, Diag, Stage};
use std::path::Path;
use x07_wasm_contracts::types::{FileDigest, WasmCapsEvidence, WasmCapsEvidenceSecretProvided as Provided};

/// What happens to the clocks and random numbers whose mode is `record`.
#[derive(Default)]
pub enum Evidence {
    /// Nothing: they cannot be given.
    #[default]
    None,
    /// They are real, and remembered.
    Record(Recording),
    /// They are those of a document.
    Replay(Replay),
}

impl Evidence {
    /// A new record.
    #[must_use]
    pub fn record() -> Self {
        Self::Record(Recording::new())
    }

    /// The evidence that the options of a command ask for: a replay of `evidence_in`, a record for
    /// `evidence_out`, or none.
    ///
    /// # Errors
    /// Every problem of the document, as `POLICY_OBLIGATION_UNSATISFIED` of stage `parse`.
    pub fn open(files: &mut Files, evidence_in: Option<&Path>, evidence_out: Option<&Path>) -> Result<Self, Vec<Diag>> {
        match (evidence_in, evidence_out) {
            (Some(path), _) => Ok(Self::Replay(Replay::load(files, path)?)),
            (None, Some(_)) => Ok(Self::record()),
            (None, None) => Ok(Self::None),
        }
    }

    /// The clocks and random numbers of a call.
    ///
    /// # Errors
    /// When a mode is `record` and nothing records or plays back.
    pub(super) fn sources(&self, clocks: ClocksMode, random: RandomMode) -> Result<(Clocks, Randomness), Diag> {
        let clocks = match (clocks, self) {
            (ClocksMode::Deny, _) => Clocks::Zero,
            (ClocksMode::Allow, _) => Clocks::Real,
            (ClocksMode::Record, Self::None) => return Err(nobody_records()),
            (ClocksMode::Record, Self::Record(recording)) => Clocks::Source(recording.clocks()),
            (ClocksMode::Record, Self::Replay(replay)) => Clocks::Source(replay.clocks()),
        };
        let random = match (random, self) {
            (RandomMode::Deny, _) => Randomness::Zero,
            (RandomMode::Allow, _) => Randomness::Real,
            (RandomMode::Record, Self::None) => return Err(nobody_records()),
            (RandomMode::Record, Self::Record(recording)) => Randomness::Source(recording.random()),
            (RandomMode::Record, Self::Replay(replay)) => Randomness::Source(replay.random()),
        };
        Ok((clocks, random))
    }

    /// Takes note of the secrets that a call was given.
    pub(super) fn gave(&mut self, secrets: Vec<Provided>) {
        match self {
            Self::None => {}
            Self::Record(recording) => recording.gave(secrets),
            Self::Replay(replay) => replay.gave(secrets),
        }
    }

    /// Ends it after the call: what was recorded, and what was not as it should have been.
    #[must_use]
    pub fn finish(self) -> (Option<WasmCapsEvidence>, Vec<Diag>) {
        match self {
            Self::None => (None, Vec::new()),
            Self::Record(recording) => match recording.finish() {
                Ok(document) => (Some(document), Vec::new()),
                Err(problem) => (None, vec![problem]),
            },
            Self::Replay(replay) => (None, replay.finish()),
        }
    }
}

fn nobody_records() -> Diag {
    unsatisfied(
        "the capabilities record clocks or random numbers, but nothing collects them; give --evidence-out to record, or --evidence-in to repeat a recorded request",
    )
}

/// What the options for evidence need beside them. `canary` says whether the mode is that, and
/// `stop_after` how many requests are made.
#[must_use]
pub fn check_flags(
    ops: bool,
    canary: bool,
    stop_after: u64,
    evidence_in: Option<&Path>,
    evidence_out: Option<&Path>,
) -> Vec<Diag> {
    let option = match (evidence_in, evidence_out) {
        (None, None) => return Vec::new(),
        (Some(_), Some(_)) => {
            return vec![unsatisfied("--evidence-in and --evidence-out exclude each other; give one of them")];
        }
        (Some(_), None) => "--evidence-in",
        (None, Some(_)) => "--evidence-out",
    };
    let mut problems = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            problems.push(unsatisfied(&format!("{option} needs {what}")).data("option", option));
        }
    };
    must(ops, "--ops: without capabilities there is nothing to record");
    must(canary, "--mode canary: evidence is that of a request which can be made again");
    must(stop_after == 1, "--stop-after 1: evidence is that of one request");
    problems
}

/// Checks that a record does not replace a file that the command has read. It is worth asking before
/// the request is made, once everything was read.
///
/// # Errors
/// When it would, as `POLICY_OBLIGATION_UNSATISFIED` of stage `parse`.
pub fn check_target(files: &Files, path: &Path) -> Result<(), Diag> {
    match files.inputs().iter().find(|input| same_file(path, Path::new(&input.path))) {
        None => Ok(()),
        Some(taken) => {
            let reason =
                format!("it would replace {}, which this command read; give another --evidence-out", taken.path);
            Err(not_written(reason).stage(Stage::Parse))
        }
    }
}

fn not_written(reason: String) -> Diag {
    unsatisfied(&format!("the evidence cannot be written: {reason}")).stage(Stage::Run).data("error", reason)
}

/// Writes a record: checked, in canonical form, with the folders above it.
///
/// # Errors
/// When it is not valid, cannot be written, or would replace what the command has read.
pub fn store(files: &mut Files, path: &Path, document: &WasmCapsEvidence) -> Result<FileDigest, Diag> {
    check_target(files, path).map_err(|problem| problem.stage(Stage::Run))?;
    let shown = path.display().to_string();
    let compact = encode(document).map_err(|error| not_written(error.to_string()))?;
    let value = json_from_bytes(&shown, &compact).map_err(|_| not_written("it is not JSON".to_owned()))?;
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        create_folder(folder).map_err(|error| not_written(error.to_string()))?;
    }
    files.write(path, &canonical::pretty(&value)).map_err(|error| not_written(error.to_string()))
}

/// The diagnostic for evidence that is lacking, before the request is made.
fn unsatisfied(message: &str) -> Diag {
    Diag::new(Code::PolicyObligationUnsatisfied, message).stage(Stage::Parse)
}

#[cfg(test)]
mod tests;
