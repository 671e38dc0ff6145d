//! Listen mode: requests of others, as many at a time as allowed.

use super::backend::{Backend, Outcome};
use super::envelope::Snapshot;
use super::incident::{Desk, Failure, Written};
use super::ledger::{Entries, Ledger};
use crate::engine::component::Grant;
use crate::http::server::{self, Answer, RequestInfo, ServerConfig, ServerError, Service, Summary};
use crate::report::{Code, Diag};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Bytes of responses that a report carries itself: enough to look at a few, and not at what a day
/// of serving brings.
pub const INLINE_BYTES: u64 = 1 << 20;

/// What requests are answered with.
pub struct Site {
    /// The component.
    pub backend: Backend,
    /// What it may reach.
    pub grant: Grant,
    /// Collects what happens.
    pub ledger: Ledger,
    /// Writes what failures leave behind.
    pub incidents: Desk,
}

/// What remains of the requests.
#[derive(Debug)]
pub struct Ended {
    /// What the server says.
    pub summary: Summary,
    /// What the report says about requests.
    pub entries: Entries,
    /// What failures left behind.
    pub incidents: Written,
}

/// Serves until the server ends. The address is told on standard error as soon as clients can
/// connect; a program that starts the server waits for that line.
///
/// # Errors
/// See [`server::run`].
pub fn run(config: &ServerConfig, site: Site) -> Result<Ended, ServerError> {
    let site = Arc::new(site);
    let served = server::run(config, Visitor(Arc::clone(&site)), announce);
    // Also after an error the thread must have written what it was given.
    let incidents = site.incidents.close();
    let summary = served?;
    let entries = site.ledger.entries(incidents.omitted);
    Ok(Ended { summary, entries, incidents })
}

fn announce(addr: SocketAddr) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "listening on http://{addr}");
}

/// The diagnostic of a server that did not start or did not go on.
#[must_use]
pub fn server_error(error: &ServerError) -> Diag {
    match error {
        ServerError::Config { what, .. } => Diag::new(Code::CliArgsInvalid, format!("--{error}")).data("option", *what),
        ServerError::Bind { .. } => {
            Diag::new(Code::ServeListenFailed, format!("{error}; give another --addr, port 0 takes a free one"))
        }
        ServerError::Start { .. } => {
            Diag::new(Code::ServeListenFailed, format!("{error}; look at the limits of the process"))
        }
        ServerError::Accept { .. } => Diag::new(
            Code::ServeAcceptFailed,
            format!("{error}; raise the limit of open files, or lower --max-connections"),
        ),
    }
}

/// What clients did wrong, if they did.
#[must_use]
pub fn clients(summary: &Summary) -> Option<Diag> {
    let count = summary.malformed + summary.too_slow + summary.abandoned;
    if count == 0 {
        return None;
    }
    let mut message = format!(
        "{count} connections of clients failed: {} sent what is not valid HTTP or too large, {} were too slow, {} went away before they were answered",
        summary.malformed, summary.too_slow, summary.abandoned
    );
    if let Some(first) = &summary.first_malformed {
        message.push_str("; what was not valid HTTP or too large at first: ");
        message.push_str(first);
    }
    Some(
        Diag::new(Code::ServeHttp1ConnFailed, message)
            .data("count", count)
            .data("malformed", summary.malformed)
            .data("too_slow", summary.too_slow)
            .data("abandoned", summary.abandoned)
            .data("cut", summary.cut)
            .data("evicted", summary.evicted)
            .data("room", summary.room)
            .data("unsent", summary.unsent)
            .data("lost_log_lines", summary.lost_log_lines),
    )
}

/// Requests that the server itself did not let finish, if there are any.
#[must_use]
pub fn cut_off(summary: &Summary) -> Option<Diag> {
    let count = summary.cut_requests;
    (count > 0).then(|| {
        let message = format!(
            "{count} requests were cut off when the server ended; give them more time with --shutdown-grace-ms, and do not ask twice for the end"
        );
        Diag::new(Code::ServeRequestFailed, message).data("count", count)
    })
}

struct Visitor(Arc<Site>);

impl Service for Visitor {
    async fn call(&self, request: Request<Bytes>, info: RequestInfo) -> Answer {
        let site = &*self.0;
        // A request is only kept where its failure would be written.
        let snapshot = site.incidents.has_room().then(|| Snapshot::of(&request));
        let started = Instant::now();
        let outcome = site.backend.call(request, site.grant.clone()).await;
        let wall_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        site.answered(outcome, snapshot, info, wall_ms)
    }

    fn refused(&self, status: StatusCode, _: &RequestInfo, wall_ms: u64) {
        self.0.ledger.response(false, status.as_u16(), None, wall_ms);
    }
}

impl Site {
    fn answered(&self, outcome: Outcome, snapshot: Option<Snapshot>, info: RequestInfo, wall_ms: u64) -> Answer {
        let failed = outcome.failed();
        let (status, body) = match &outcome.response {
            Ok(response) => (response.status(), Some(response.body())),
            Err(status) => (*status, None),
        };
        self.ledger.response(!failed, status.as_u16(), body, wall_ms);
        let (error, fault) = (outcome.error(), outcome.fault());
        self.ledger.findings(outcome.findings);
        let (response, kept) = match outcome.response {
            Ok(response) if !failed => return Answer { response, fault: None },
            Ok(response) => (response.clone(), response),
            // The client learns no more than that there is no response.
            Err(status) => (Answer::failure(status, words(status), "").response, bare(status)),
        };
        match snapshot {
            Some(request) => {
                let code = fault.clone().unwrap_or_default();
                self.incidents.submit(Failure { id: info.id, request, response: Some(kept), code, error });
            }
            None => self.incidents.omit(),
        }
        Answer { response, fault }
    }
}

const fn words(status: StatusCode) -> &'static str {
    if status.as_u16() == StatusCode::GATEWAY_TIMEOUT.as_u16() { "timeout" } else { "internal error" }
}

/// A response of a status and nothing else.
fn bare(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_of_a_server_has_its_code() {
        let source = || io::Error::from(io::ErrorKind::AddrInUse);
        let addr = SocketAddr::from(([127, 0, 0, 1], 80));
        for (error, code) in [
            (ServerError::Config { what: "max-headers", value: 0, least: 1, most: 2 }, "X07WASM_CLI_ARGS_INVALID"),
            (ServerError::Bind { addr, source: source() }, "X07WASM_SERVE_LISTEN_FAILED"),
            (ServerError::Start { source: source() }, "X07WASM_SERVE_LISTEN_FAILED"),
            (ServerError::Accept { source: source() }, "X07WASM_SERVE_ACCEPT_FAILED"),
        ] {
            assert_eq!(server_error(&error).build().code, code);
        }
    }

    #[test]
    fn what_clients_did_is_told_in_one_warning() {
        let mut summary = Summary {
            bound: SocketAddr::from(([127, 0, 0, 1], 80)),
            requests: 3,
            answered: 3,
            refused: 0,
            abandoned: 0,
            cut_requests: 0,
            unsent: 0,
            connections: 3,
            evicted: 1,
            too_slow: 0,
            malformed: 0,
            first_malformed: None,
            cut: 0,
            room: 8,
            lost_log_lines: 0,
        };
        assert!(clients(&summary).is_none());
        summary.malformed = 2;
        summary.too_slow = 1;
        summary.first_malformed = Some("invalid HTTP version parsed".to_owned());
        let warning = clients(&summary).expect("a warning").build();
        assert_eq!(warning.code, "X07WASM_SERVE_HTTP1_CONN_FAILED");
        assert_eq!(warning.data.expect("data")["count"], 3);
        assert!(warning.message.contains("invalid HTTP version"), "{}", warning.message);
        assert!(cut_off(&summary).is_none());
        summary.cut_requests = 2;
        let error = cut_off(&summary).expect("an error").build();
        assert_eq!(error.code, "X07WASM_SERVE_REQUEST_FAILED");
        assert_eq!(error.data.expect("data")["count"], 2);
    }
}
