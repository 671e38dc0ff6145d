//! Canary mode: requests of our own, one after the other, without a socket.

use super::backend::{Backend, Outcome};
use super::envelope::Snapshot;
use super::incident::{Failure, Recorder};
use super::ledger::Ledger;
use super::template::Template;
use crate::caps::{self, Capabilities, Evidence};
use crate::engine::component::{Grant, block_on};
use crate::report::Diag;
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// The id of every request.
const ID: &str = "req0";

/// Bytes of responses that a report carries itself.
pub const INLINE_BYTES: u64 = 64 << 20;

/// What the requests are made with.
pub struct Canary<'a> {
    /// The component.
    pub backend: &'a Backend,
    /// The request.
    pub template: &'a Template,
    /// How often it is made.
    pub requests: u32,
    /// What the component may reach, if an ops profile says so. It is given anew for each request.
    pub capabilities: Option<&'a Arc<Capabilities>>,
    /// Collects clocks and random numbers, or plays them back.
    pub evidence: &'a mut Evidence,
    /// Collects what happens.
    pub ledger: &'a Ledger,
    /// Writes what a failure leaves behind.
    pub incidents: &'a mut Recorder,
}

/// What remains of the requests besides the ledger.
#[derive(Debug, Default)]
pub struct Ended {
    /// Whether the component reached something outside.
    pub sent: bool,
    /// The bodies of the responses, one after the other, as long as they fit [`INLINE_BYTES`].
    pub bodies: Vec<u8>,
    /// A line for people about each of the first requests.
    pub lines: Vec<String>,
}

/// Requests that people are told about one by one.
const MAX_LINES: usize = 100;

impl Canary<'_> {
    /// Makes the requests.
    pub fn run(mut self) -> Ended {
        block_on(async {
            let mut ended = Ended::default();
            for number in 1..=self.requests {
                let line = self.request(&mut ended).await;
                if ended.lines.len() < MAX_LINES {
                    ended.lines.push(format!("canary {number}: {line}"));
                }
            }
            ended
        })
    }

    /// Makes one request; yields what people are told.
    async fn request(&mut self, ended: &mut Ended) -> String {
        let request = self.template.request();
        let snapshot = Snapshot::of(&request);
        let started = Instant::now();
        let outcome = match self.grant() {
            Ok(grant) => self.backend.call(request, grant).await,
            Err(problems) => Outcome::not_started(problems),
        };
        let wall_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        ended.sent |= outcome.sent;
        let failed = outcome.failed();
        let response = outcome.response.as_ref().ok();
        let status = response.map_or(0, |r| r.status().as_u16());
        let body = response.map(http::Response::body);
        self.ledger.response(!failed, status, body, wall_ms);
        let line = describe(status, body, wall_ms, failed);
        if let Some(body) = body.filter(|body| (ended.bodies.len() + body.len()) as u64 <= INLINE_BYTES) {
            ended.bodies.extend_from_slice(body);
        }
        if failed {
            self.incidents.write(&Failure {
                id: ID.to_owned(),
                request: snapshot,
                response: response.cloned(),
                code: outcome.fault().unwrap_or_default(),
                error: outcome.error(),
            });
        }
        self.ledger.findings(outcome.findings);
        line
    }

    fn grant(&mut self) -> Result<Grant, Vec<Diag>> {
        match self.capabilities {
            Some(capabilities) => caps::grant(capabilities, Path::new(""), self.evidence),
            None => Ok(Grant::nothing()),
        }
    }
}

fn describe(status: u16, body: Option<&Bytes>, wall_ms: u64, failed: bool) -> String {
    let what = match body {
        Some(body) => format!("status {status}, {} bytes", body.len()),
        None => "no response".to_owned(),
    };
    let failed = if failed { ", failed" } else { "" };
    format!("{what}, {wall_ms} ms{failed}")
}
