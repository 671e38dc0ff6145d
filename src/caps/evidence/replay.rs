//! Clocks and random numbers that give what a document says.

use super::record::locked;
use super::unsatisfied;
use crate::contract::files::Files;
use crate::engine::component::{ClockSource, RandomSource};
use crate::report::{Code, Diag, DocumentCodes, Severity, Stage};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use x07_wasm_contracts::types::{WasmCapsEvidence, WasmCapsEvidenceSecretProvided as Provided};

/// A recorded request that is repeated.
pub struct Replay {
    clocks: Arc<ReplayedClock>,
    random: Arc<ReplayedRandom>,
    recorded_secrets: Vec<Provided>,
    /// `None` until a call was given its secrets.
    given_secrets: Option<Vec<Provided>>,
}

impl Replay {
    pub(super) fn load(files: &mut Files, path: &Path) -> Result<Self, Vec<Diag>> {
        const CODES: DocumentCodes = DocumentCodes::all(Code::PolicyObligationUnsatisfied);
        let document = files.load::<WasmCapsEvidence>(path).map_err(|error| {
            CODES.diagnose("evidence", &error).into_iter().map(|d| d.stage(Stage::Parse)).collect::<Vec<_>>()
        })?;
        Self::new(document.document, &path.display().to_string())
    }

    /// Takes a document in, which its schema leaves with texts to be understood.
    pub(super) fn new(document: WasmCapsEvidence, name: &str) -> Result<Self, Vec<Diag>> {
        let mut problems = Vec::new();
        let mut problem = |pointer: &str, message: &str| {
            problems.push(
                unsatisfied(&format!("evidence {name} at {pointer}: {message}"))
                    .data("file", name)
                    .data("instance_path", pointer),
            );
        };
        let random = document.random;
        let mut bytes = |pointer: &str, text: &str| {
            STANDARD.decode(text).unwrap_or_else(|error| {
                problem(pointer, &format!("the text is not base64 of the standard alphabet: {error}"));
                Vec::new()
            })
        };
        let secure = bytes("/random/secure_random_bytes_b64", &random.secure_random_bytes_b64);
        let insecure = bytes("/random/insecure_random_bytes_b64", &random.insecure_random_bytes_b64);
        let seed = match random.insecure_seed_u128.as_str() {
            "" => 0,
            text => text.parse::<u128>().unwrap_or_else(|_| {
                problem("/random/insecure_seed_u128", &format!("{text:?} is no decimal number of 128 bits"));
                0
            }),
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            clocks: Arc::new(ReplayedClock {
                wall: Mutex::new(Readings::new(document.clocks.wall_clock_now_ns)),
                monotonic: Mutex::new(Readings::new(document.clocks.monotonic_clock_now_ns)),
            }),
            random: Arc::new(ReplayedRandom {
                secure: Mutex::new(Bytes::new(secure)),
                insecure: Mutex::new(Bytes::new(insecure)),
                seed,
            }),
            recorded_secrets: document.secrets.provided,
            given_secrets: None,
        })
    }

    pub(super) fn clocks(&self) -> Arc<dyn ClockSource> {
        Arc::<ReplayedClock>::clone(&self.clocks)
    }

    pub(super) fn random(&self) -> Arc<dyn RandomSource> {
        Arc::<ReplayedRandom>::clone(&self.random)
    }

    pub(super) fn gave(&mut self, secrets: Vec<Provided>) {
        self.given_secrets = Some(secrets);
    }

    /// What was not as it was when it was recorded.
    pub(super) fn finish(self) -> Vec<Diag> {
        let tallies = [
            ("wall clock", "wall_clock_now_ns", locked(&self.clocks.wall).tally()),
            ("monotonic clock", "monotonic_clock_now_ns", locked(&self.clocks.monotonic).tally()),
            ("secure random", "secure_random_bytes", locked(&self.random.secure).tally()),
            ("insecure random", "insecure_random_bytes", locked(&self.random.insecure).tally()),
        ];
        let mut diags = Vec::new();
        diags.extend(missing(&tallies));
        diags.extend(unused(&tallies));
        diags.extend(self.other_secrets());
        diags
    }

    fn other_secrets(&self) -> Option<Diag> {
        let given = self.given_secrets.as_ref().filter(|given| **given != self.recorded_secrets)?;
        let list = |secrets: &[Provided]| -> Vec<String> {
            secrets.iter().map(|s| format!("{} from {}", s.id, s.source)).collect()
        };
        let message = "the secrets are not those that were given when the request was recorded, so the answer may differ; compare their list in the evidence with secrets.allow and with where the secrets come from";
        Some(
            Diag::new(Code::PolicyObligationUnsatisfied, message)
                .severity(Severity::Warning)
                .stage(Stage::Run)
                .data("recorded", list(&self.recorded_secrets))
                .data("given", list(given)),
        )
    }
}

/// How far a recorded list was used.
#[derive(Clone, Copy)]
struct Tally {
    /// Reads for which nothing was left.
    missing: u64,
    /// Entries or bytes that nobody read.
    unused: usize,
}

type Tallies = [(&'static str, &'static str, Tally); 4];

fn missing(tallies: &Tallies) -> Option<Diag> {
    let short: Vec<_> = tallies.iter().filter(|(_, _, tally)| tally.missing > 0).collect();
    if short.is_empty() {
        return None;
    }
    let errors: Vec<String> = short.iter().map(|(what, _, _)| format!("missing {what} evidence")).collect();
    let counts: serde_json::Map<String, Value> =
        short.iter().map(|(_, key, tally)| ((*key).to_owned(), json!(tally.missing))).collect();
    let message = format!(
        "the request read more than was recorded ({}), and got zeros for it; repeat the request that was recorded with the same component, or record it again",
        errors.join(", ")
    );
    Some(unsatisfied(&message).stage(Stage::Run).data("replay_errors", errors).data("missing_reads", counts))
}

fn unused(tallies: &Tallies) -> Option<Diag> {
    let left: serde_json::Map<String, Value> = tallies
        .iter()
        .filter(|(_, _, tally)| tally.unused > 0)
        .map(|(_, key, tally)| ((*key).to_owned(), json!(tally.unused)))
        .collect();
    if left.is_empty() {
        return None;
    }
    let message = "the request read less than was recorded, so it is not the one that was recorded, or not with the same component and capabilities";
    Some(Diag::new(Code::CapsEvidenceUnused, message).data("unused", left))
}

struct ReplayedClock {
    wall: Mutex<Readings>,
    monotonic: Mutex<Readings>,
}

impl ClockSource for ReplayedClock {
    fn wall_ns(&self) -> u64 {
        locked(&self.wall).give()
    }

    fn monotonic_ns(&self) -> u64 {
        locked(&self.monotonic).give()
    }
}

struct Readings {
    list: std::vec::IntoIter<u64>,
    missing: u64,
}

impl Readings {
    fn new(list: Vec<u64>) -> Self {
        Self { list: list.into_iter(), missing: 0 }
    }

    fn give(&mut self) -> u64 {
        self.list.next().unwrap_or_else(|| {
            self.missing += 1;
            0
        })
    }

    fn tally(&self) -> Tally {
        Tally { missing: self.missing, unused: self.list.len() }
    }
}

struct ReplayedRandom {
    secure: Mutex<Bytes>,
    insecure: Mutex<Bytes>,
    seed: u128,
}

impl RandomSource for ReplayedRandom {
    fn secure(&self, out: &mut [u8]) {
        locked(&self.secure).draw(out);
    }

    fn insecure(&self, out: &mut [u8]) {
        locked(&self.insecure).draw(out);
    }

    fn insecure_seed(&self) -> u128 {
        self.seed
    }
}

struct Bytes {
    recorded: Vec<u8>,
    at: usize,
    missing: u64,
}

impl Bytes {
    fn new(recorded: Vec<u8>) -> Self {
        Self { recorded, at: 0, missing: 0 }
    }

    /// Gives the next bytes. Where too few are left, the whole draw is zeros and takes none of them.
    fn draw(&mut self, out: &mut [u8]) {
        let end = self.at.saturating_add(out.len());
        match self.recorded.get(self.at..end) {
            Some(next) => {
                out.copy_from_slice(next);
                self.at = end;
            }
            None => {
                out.fill(0);
                self.missing += 1;
            }
        }
    }

    fn tally(&self) -> Tally {
        Tally { missing: self.missing, unused: self.recorded.len() - self.at }
    }
}
