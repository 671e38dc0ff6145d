//! What a command remembers about the requests that its reducer answered.

use super::effects::Used;
use super::envelope;
use super::findings::Findings;
use super::incident::{self, Incident, Written};
use super::steps::{Outcome, Request};
use super::trace::{self, Recording};
use crate::contract::digest::sha256_hex;
use crate::contract::json::canonical;
use crate::report::{Code, Diag};
use http::StatusCode;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use x07_wasm_contracts::types::{FileDigest, HttpServeReportResponseSummary as Summary};

/// Responses that a report lists.
const MAX_RESPONSES: usize = 10_000;
/// Incidents that one command leaves behind.
const MAX_INCIDENTS: u32 = 100;

/// The sum of all requests so far.
#[derive(Debug, Default)]
pub struct Session {
    /// How many requests there were.
    pub requests: u64,
    /// The first responses.
    pub responses: Vec<Summary>,
    /// Diagnostics.
    pub findings: Findings,
    /// Incidents that were written.
    pub incidents: Vec<Written>,
    /// What may be different the next time.
    pub used: Used,
    /// The trace, if one was asked for.
    pub recording: Option<Recording>,
}

impl Session {
    /// A session, with a trace if one is wanted.
    #[must_use]
    pub fn new(record: bool) -> Self {
        Self { recording: record.then(Recording::default), ..Self::default() }
    }

    /// Counts a request that got this answer.
    pub fn answered(&mut self, summary: Summary) {
        self.requests += 1;
        if self.responses.len() < MAX_RESPONSES {
            self.responses.push(summary);
        }
    }

    /// Counts a request that nobody waits for any more.
    pub fn abandoned(&mut self, outcome: &Outcome) {
        self.requests += 1;
        self.used.add(outcome.used);
    }

    /// Counts the `index`-th request, with everything that is to be kept of it.
    pub fn finished(
        &mut self,
        index: u64,
        summary: Summary,
        outcome: Outcome,
        incident: Option<Result<Written, Diag>>,
    ) {
        self.answered(summary);
        self.used.add(outcome.used);
        if let Some(recording) = &mut self.recording {
            recording.add(index, &outcome.steps);
        }
        self.findings.extend(outcome.problems);
        match incident {
            Some(Ok(written)) => self.incidents.push(written),
            Some(Err(lost)) => self.findings.push(lost),
            None => {}
        }
    }
}

/// What is known about a request that was answered: its summary, and the body that does not decode as
/// a finding.
#[must_use]
pub fn judged(request: &Request, outcome: &mut Outcome) -> Summary {
    let Some(response) = &outcome.response else {
        return envelope::no_summary(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let (summary, undecodable) = envelope::summary(response);
    if let Some(error) = undecodable {
        outcome.problems.push(envelope::undecodable(&request.id, &error));
    }
    summary
}

/// Where the incidents of a command go.
#[derive(Debug)]
pub struct Incidents {
    root: PathBuf,
    component: FileDigest,
    left: AtomicU32,
}

impl Incidents {
    /// Incidents about a module, below a folder.
    #[must_use]
    pub fn new(root: PathBuf, component: FileDigest) -> Self {
        Self { root, component, left: AtomicU32::new(MAX_INCIDENTS) }
    }

    /// Leaves an incident behind if the request failed, and if there are not too many already.
    pub fn leave(&self, request: &Request, outcome: &Outcome) -> Option<Result<Written, Diag>> {
        let failure = outcome.failure.as_ref()?;
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).ok()?;
        let incident = Incident {
            component: &self.component,
            case: &request.id,
            trace: trace::document(&outcome.steps),
            failure,
            expected_frame: None,
        };
        let asked = sha256_hex(&canonical::compact(&request.envelope));
        let folder = self.root.join("http-serve").join(incident::id("http-serve", &self.component.sha256, &asked));
        Some(incident.write(&folder, Code::IncidentBundleWriteFailed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::digest;
    use crate::http::reducer::steps::Failure;
    use serde_json::Value;

    fn failed() -> Outcome {
        let failure = Failure { step: 0, env: Value::Null, frame: None, error: "e".to_owned() };
        Outcome { failure: Some(failure), ..Outcome::default() }
    }

    #[test]
    fn only_failures_leave_incidents_and_not_too_many() {
        let folder = tempfile::tempdir().expect("a folder");
        let incidents = Incidents::new(folder.path().to_owned(), digest::of("r.wasm", b""));
        assert!(incidents.leave(&envelope::canary(), &Outcome::default()).is_none());
        for _ in 0..MAX_INCIDENTS {
            let written = incidents.leave(&envelope::canary(), &failed()).expect("an incident").expect("written");
            assert!(written.folder.starts_with(folder.path().join("http-serve")));
        }
        assert!(incidents.leave(&envelope::canary(), &failed()).is_none());
        assert_eq!(std::fs::read_dir(folder.path().join("http-serve")).expect("there").count(), 1);
    }

    #[test]
    fn a_request_without_a_response_counts_as_an_internal_error() {
        let mut session = Session::new(false);
        let mut outcome = failed();
        let summary = judged(&envelope::canary(), &mut outcome);
        session.finished(0, summary, outcome, None);
        assert_eq!((session.requests, session.responses.len()), (1, 1));
        assert_eq!((session.responses[0].status, session.responses[0].body_bytes), (500, 0));
    }
}
