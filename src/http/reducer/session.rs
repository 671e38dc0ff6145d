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
    /// How many responses there were.
    answered: u64,
    /// Diagnostics.
    pub findings: Findings,
    /// Incidents that were written.
    pub incidents: Vec<Written>,
    /// Failures that left none, because there were too many.
    incidents_omitted: u64,
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
        self.answered += 1;
        if self.responses.len() < MAX_RESPONSES {
            self.responses.push(summary);
        }
    }

    /// Counts a request that nobody waits for any more. What it found out and used, it found out and
    /// used all the same.
    pub fn abandoned(&mut self, outcome: Outcome) {
        self.requests += 1;
        self.used.add(outcome.used);
        self.findings.extend(outcome.problems);
    }

    /// Counts the `index`-th request, with everything that is to be kept of it.
    pub fn finished(&mut self, index: u64, summary: Summary, outcome: Outcome, left: Left) {
        self.answered(summary);
        self.used.add(outcome.used);
        if let Some(recording) = &mut self.recording {
            recording.add(index, outcome.steps);
        }
        self.findings.extend(outcome.problems);
        match left {
            Left::Nothing => {}
            Left::Incident(written) => self.incidents.push(written),
            Left::Lost(problem) => self.findings.push(problem),
            Left::Omitted => self.incidents_omitted += 1,
        }
    }

    /// What the report does not list, if there is something.
    #[must_use]
    pub fn omitted(&self) -> Option<Diag> {
        let (listed, findings) = (self.responses.len() as u64, self.findings.omitted());
        if self.answered <= listed && findings == 0 && self.incidents_omitted == 0 {
            return None;
        }
        let message = format!(
            "of {} responses the report lists the first {listed}, {findings} diagnostics are not listed, and {} failures left no incident",
            self.answered, self.incidents_omitted
        );
        let note = Diag::new(Code::ServeResponsesOmitted, message)
            .data("requests", self.requests)
            .data("responses", self.answered)
            .data("listed", listed)
            .data("findings_omitted", findings)
            .data("incidents_omitted", self.incidents_omitted);
        Some(note)
    }
}

/// What a request left behind besides its response.
#[derive(Debug)]
pub enum Left {
    /// Nothing: it did not fail.
    Nothing,
    /// An incident.
    Incident(Written),
    /// An incident that could not be written, and why.
    Lost(Diag),
    /// No incident, because there are too many already.
    Omitted,
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
    pub fn leave(&self, request: &Request, outcome: &Outcome) -> Left {
        let Some(failure) = &outcome.failure else { return Left::Nothing };
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err() {
            return Left::Omitted;
        }
        let incident = Incident {
            component: &self.component,
            case: &request.id,
            trace: trace::document(outcome.steps.kept()),
            steps_left_out: outcome.steps.left_out(),
            failure,
            expected_frame: None,
        };
        let asked = sha256_hex(&canonical::compact(&request.envelope));
        let folder = self.root.join("http-serve").join(incident::id("http-serve", &self.component.sha256, &asked));
        match incident.write(&folder, Code::IncidentBundleWriteFailed) {
            Ok(written) => Left::Incident(written),
            Err(problem) => Left::Lost(problem),
        }
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
        assert!(matches!(incidents.leave(&envelope::canary(), &Outcome::default()), Left::Nothing));
        for _ in 0..MAX_INCIDENTS {
            let Left::Incident(written) = incidents.leave(&envelope::canary(), &failed()) else {
                panic!("no incident")
            };
            assert!(written.folder.starts_with(folder.path().join("http-serve")));
        }
        assert!(matches!(incidents.leave(&envelope::canary(), &failed()), Left::Omitted));
        assert_eq!(std::fs::read_dir(folder.path().join("http-serve")).expect("there").count(), 1);
    }

    #[test]
    fn a_request_without_a_response_counts_as_an_internal_error() {
        let mut session = Session::new(false);
        let mut outcome = failed();
        let summary = judged(&envelope::canary(), &mut outcome);
        session.finished(0, summary, outcome, Left::Nothing);
        assert_eq!((session.requests, session.responses.len()), (1, 1));
        assert_eq!((session.responses[0].status, session.responses[0].body_bytes), (500, 0));
    }

    #[test]
    fn an_abandoned_request_keeps_what_it_found_and_used() {
        let mut session = Session::new(true);
        let mut outcome = failed();
        outcome.used.network = true;
        outcome.problems.push(Diag::new(Code::CapsNetDenied, "denied"));
        session.abandoned(outcome);
        assert_eq!((session.requests, session.responses.len(), session.used.network), (1, 0, true));
        assert!(session.omitted().is_none());
        let codes: Vec<_> = session.findings.finish().iter().filter_map(Diag::code).collect();
        assert_eq!(codes, [Code::CapsNetDenied]);
    }

    #[test]
    fn what_a_report_does_not_list_is_told() {
        let mut session = Session::new(false);
        let summary = || envelope::no_summary(StatusCode::OK);
        for _ in 0..MAX_RESPONSES {
            session.answered(summary());
        }
        assert!(session.omitted().is_none());
        session.finished(0, summary(), failed(), Left::Omitted);
        for _ in 0..150 {
            session.findings.push(Diag::new(Code::HttpReducerCallFailed, "failed"));
        }
        let note = session.omitted().expect("a note").build();
        assert_eq!(note.code, "X07WASM_SERVE_RESPONSES_OMITTED");
        let data = note.data.expect("data");
        let number = |name: &str| data[name].as_u64();
        assert_eq!((number("listed"), number("responses")), (Some(10_000), Some(10_001)));
        assert_eq!((number("findings_omitted"), number("incidents_omitted")), (Some(50), Some(1)));
    }
}
