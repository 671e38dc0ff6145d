//! What the report says about many requests, in bounded space: the first responses one by one, and
//! each kind of failure once.

use super::backend::Finding;
use crate::contract::digest::{UNREAD, sha256_hex};
use crate::report::{Code, Diag};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use x07_wasm_contracts::types::{BlobRef, ServeReportResponseSummary as Summary};

/// Responses that a report lists.
pub const MAX_RESPONSES: u64 = 1000;
/// Kinds of findings that are told apart. A component can make up codes without end.
const MAX_KINDS: usize = 64;

/// Collects from all requests, at the same time if need be.
#[derive(Debug)]
pub struct Ledger {
    shows_bodies: bool,
    /// Bytes of bodies that the report may still carry itself.
    inline: AtomicU64,
    total: AtomicU64,
    failed: AtomicU64,
    listed: Mutex<Vec<Summary>>,
    findings: Mutex<Kinds>,
}

#[derive(Debug, Default)]
struct Kinds {
    /// In the order in which they came: the first of a kind, and how many there were.
    list: Vec<(Finding, u64)>,
    /// Where a kind stands in the list.
    places: BTreeMap<(bool, String), usize>,
    /// Findings of further kinds.
    others: u64,
}

/// What a report takes from a ledger.
#[derive(Debug)]
pub struct Entries {
    /// The responses that it lists.
    pub responses: Vec<Summary>,
    /// What was found; a finding that came several times has `data.count`.
    pub findings: Vec<Finding>,
    /// Number of requests.
    pub total: u64,
    /// Those that failed.
    pub failed: u64,
}

impl Ledger {
    /// An empty ledger. Bodies of `inline_bytes` in all are kept for the report; `None` keeps none at
    /// all.
    #[must_use]
    pub fn new(inline_bytes: Option<u64>) -> Self {
        Self {
            shows_bodies: inline_bytes.is_some(),
            inline: AtomicU64::new(inline_bytes.unwrap_or(0)),
            total: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            listed: Mutex::default(),
            findings: Mutex::default(),
        }
    }

    /// Takes note of an answered request; `body` is that of its response, if it has one. After the
    /// first [`MAX_RESPONSES`] requests this only counts.
    pub fn response(&self, ok: bool, status: u16, body: Option<&Bytes>, wall_ms: u64) {
        if !ok {
            self.failed.fetch_add(1, Relaxed);
        }
        if self.total.fetch_add(1, Relaxed) >= MAX_RESPONSES {
            return;
        }
        let body = body.map_or_else(no_body, |body| self.blob(body));
        lock(&self.listed).push(Summary { body, ok, status, wall_ms });
    }

    fn blob(&self, body: &Bytes) -> BlobRef {
        let len = body.len() as u64;
        BlobRef {
            base64: (self.shows_bodies && self.take_room(len)).then(|| STANDARD.encode(body)),
            bytes_len: len,
            path: None,
            sha256: Some(sha256_hex(body)),
        }
    }

    /// Whether the report can still carry so many bytes; if so, they are taken.
    fn take_room(&self, len: u64) -> bool {
        let mut left = self.inline.load(Relaxed);
        while let Some(rest) = left.checked_sub(len) {
            match self.inline.compare_exchange_weak(left, rest, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => left = now,
            }
        }
        false
    }

    /// Takes note of what was found about a request.
    pub fn findings(&self, findings: Vec<Finding>) {
        if findings.is_empty() {
            return;
        }
        let mut kinds = lock(&self.findings);
        for finding in findings {
            kinds.add(finding);
        }
    }

    /// What was collected. `incidents_omitted` failures have left nothing behind.
    #[must_use]
    pub fn entries(&self, incidents_omitted: u64) -> Entries {
        let kinds = std::mem::take(&mut *lock(&self.findings));
        let mut findings: Vec<Finding> = kinds
            .list
            .into_iter()
            .map(|(finding, count)| if count > 1 { finding.with("count", count) } else { finding })
            .collect();
        let (total, failed) = (self.total.load(Relaxed), self.failed.load(Relaxed));
        let responses = std::mem::take(&mut *lock(&self.listed));
        let listed = responses.len() as u64;
        let omitted = Omitted { total, failed, listed, findings: kinds.others, incidents: incidents_omitted };
        findings.extend(omitted.note().map(Finding::Host));
        Entries { responses, findings, total, failed }
    }
}

/// What a report leaves out.
struct Omitted {
    total: u64,
    failed: u64,
    listed: u64,
    findings: u64,
    incidents: u64,
}

impl Omitted {
    /// Says so, if there is something.
    fn note(&self) -> Option<Diag> {
        if self.total <= self.listed && self.findings == 0 && self.incidents == 0 {
            return None;
        }
        let message = format!(
            "{} requests were answered, {} of them with a failure; the report lists the first {} responses and the first {MAX_KINDS} kinds of failures, and {} failures left no incident",
            self.total, self.failed, self.listed, self.incidents
        );
        let note = Diag::new(Code::ServeResponsesOmitted, message)
            .data("requests", self.total)
            .data("failed", self.failed)
            .data("listed", self.listed)
            .data("findings_omitted", self.findings)
            .data("incidents_omitted", self.incidents);
        Some(note)
    }
}

impl Kinds {
    fn add(&mut self, finding: Finding) {
        let full = self.list.len() >= MAX_KINDS;
        match self.places.entry(finding.kind()) {
            Entry::Occupied(place) => {
                if let Some((_, count)) = self.list.get_mut(*place.get()) {
                    *count += 1;
                }
            }
            Entry::Vacant(_) if full => self.others += 1,
            Entry::Vacant(place) => {
                place.insert(self.list.len());
                self.list.push((finding, 1));
            }
        }
    }
}

/// The body of a response that does not exist.
fn no_body() -> BlobRef {
    BlobRef { base64: None, bytes_len: 0, path: None, sha256: Some(UNREAD.to_owned()) }
}

/// A panic elsewhere cannot leave a list half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_shown_as_long_as_there_is_room() {
        let ledger = Ledger::new(Some(5));
        for body in ["abc", "abc", "ab", ""] {
            ledger.response(true, 200, Some(&Bytes::from(body)), 1);
        }
        ledger.response(false, 0, None, 2);
        let entries = ledger.entries(0);
        let shown: Vec<_> = entries.responses.iter().map(|r| r.body.base64.as_deref()).collect();
        assert_eq!(shown, [Some("YWJj"), None, Some("YWI="), Some(""), None]);
        assert_eq!((entries.total, entries.failed), (5, 1));
        let last = entries.responses.last().expect("five");
        assert_eq!((last.ok, last.status, last.body.sha256.as_deref()), (false, 0, Some(UNREAD)));
    }

    #[test]
    fn the_rest_is_counted() {
        let ledger = Ledger::new(None);
        for i in 0..MAX_RESPONSES + 2 {
            ledger.response(i % 2 == 0, 200, None, 0);
        }
        let entries = ledger.entries(0);
        assert_eq!(entries.responses.len() as u64, MAX_RESPONSES);
        let [Finding::Host(diag)] = entries.findings.as_slice() else { panic!("{:?}", entries.findings) };
        let diag = diag.clone().build();
        assert_eq!(diag.code, "X07WASM_SERVE_RESPONSES_OMITTED");
        assert_eq!(diag.data.expect("data")["requests"], MAX_RESPONSES + 2);
        assert_eq!(Ledger::new(None).entries(1).findings.len(), 1, "incidents that are lacking are told, too");
    }

    #[test]
    fn each_kind_of_finding_is_told_once() {
        let ledger = Ledger::new(None);
        let host = || Finding::Host(Diag::new(Code::ServeRequestFailed, "first"));
        let guest = |code: &str| Finding::Guest(Diag::of_guest(code, "m"));
        ledger.findings(vec![host(), guest("A")]);
        ledger.findings(vec![host(), host(), guest("X07WASM_SERVE_REQUEST_FAILED")]);
        let counts: Vec<(String, Option<u64>)> = ledger
            .entries(0)
            .findings
            .into_iter()
            .map(|finding| {
                let (Finding::Host(diag) | Finding::Guest(diag)) = finding;
                let diag = diag.build();
                let count = diag.data.and_then(|d| d.get("count").and_then(serde_json::Value::as_u64));
                (diag.code, count)
            })
            .collect();
        let code = "X07WASM_SERVE_REQUEST_FAILED".to_owned();
        assert_eq!(counts, [(code.clone(), Some(3)), ("A".to_owned(), None), (code, None)]);
        for i in 0..100 {
            ledger.findings(vec![guest(&format!("CODE_{i}"))]);
        }
        assert_eq!(ledger.entries(0).findings.len(), MAX_KINDS + 1);
    }
}
