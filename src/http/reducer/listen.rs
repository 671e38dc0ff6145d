//! A reducer behind a socket.

use super::envelope;
use super::session::{self, Incidents, Session};
use super::steps::{Host, Outcome, Request};
use crate::http::server::{Answer, RequestInfo, ServerConfig, Service};
use crate::report::{Code, Diag};
use bytes::Bytes;
use http::{Response, StatusCode};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What a caller may choose about the listener. Everything else is the same for every reducer.
#[derive(Clone, Copy, Debug)]
pub struct ListenSettings {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// Bytes that the body of a request may have.
    pub max_request_bytes: u32,
    /// Requests that are worked on at a time.
    pub max_concurrent: u32,
    /// Requests after which the listener stops; 0 means never.
    pub stop_after: u32,
    /// Whether each request is logged.
    pub access_log: bool,
}

impl ListenSettings {
    /// The configuration of the server.
    #[must_use]
    pub fn config(&self) -> ServerConfig {
        ServerConfig {
            addr: self.addr,
            max_header_bytes: 64 * 1024,
            // An envelope holds as many; the reducer loop refuses one more with the same status.
            max_headers: 256,
            max_request_bytes: self.max_request_bytes.into(),
            max_connections: 16_384,
            max_concurrent: self.max_concurrent,
            header_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            idle_timeout_ms: 60_000,
            shutdown_grace_ms: 10_000,
            stop_after: self.stop_after.into(),
            access_log: self.access_log,
        }
    }
}

/// A reducer as the server calls it. Clones belong together.
#[derive(Clone)]
pub struct ReducerService {
    shared: Arc<Shared>,
}

struct Shared {
    host: Host,
    incidents: Incidents,
    session: Mutex<Session>,
    /// Requests that are worked on, also where the server has given them up.
    workers: Mutex<u64>,
    /// Told when there are none any more.
    idle: Condvar,
}

impl ReducerService {
    /// A service around a reducer; what it remembers goes into `session`.
    #[must_use]
    pub fn new(host: Host, incidents: Incidents, session: Session) -> Self {
        let (session, workers, idle) = (Mutex::new(session), Mutex::new(0), Condvar::new());
        Self { shared: Arc::new(Shared { host, incidents, session, workers, idle }) }
    }

    /// Takes what was remembered, once the server has ended. Requests that it has given up are waited
    /// for: they end with the call of the reducer that they are in, or at once where they wait for
    /// another server, and what they did belongs to the report.
    #[must_use]
    pub fn end(&self) -> Session {
        let shared = &*self.shared;
        let workers = shared.workers.lock().unwrap_or_else(PoisonError::into_inner);
        drop(shared.idle.wait_while(workers, |workers| *workers > 0).unwrap_or_else(PoisonError::into_inner));
        std::mem::take(&mut *shared.session())
    }
}

impl Service for ReducerService {
    fn call(&self, request: http::Request<Bytes>, info: RequestInfo) -> impl Future<Output = Answer> + Send {
        let shared = Arc::clone(&self.shared);
        async move {
            let request = match envelope::of_http(&request, &info.id) {
                Ok(request) => request,
                Err(refused) => {
                    shared.session().answered(envelope::no_summary(refused.status));
                    return Answer { response: refused.response(), fault: None };
                }
            };
            // A call computes, and effects wait: neither may hold up the threads of the server. When the
            // client goes away, this future is dropped, and the work ends at the next step.
            let cancelled = Arc::new(AtomicBool::new(false));
            let _given_up = SetOnDrop(Arc::clone(&cancelled));
            let worker = Worker::begin(&shared);
            let index = info.index;
            match tokio::task::spawn_blocking(move || worker.answer(index, &request, &cancelled)).await {
                Ok(answer) => answer,
                Err(error) => shared.lost(&info.id, &error.to_string()),
            }
        }
    }

    fn refused(&self, status: StatusCode, _info: &RequestInfo, _wall_ms: u64) {
        self.shared.session().answered(envelope::no_summary(status));
    }
}

impl Shared {
    fn answer(&self, index: u64, request: &Request, cancelled: &AtomicBool) -> Answer {
        let mut outcome = self.host.answer(request, cancelled);
        if outcome.cancelled {
            self.session().abandoned(outcome);
            return Answer { response: envelope::internal_error(), fault: None };
        }
        let response = sendable(&mut outcome);
        let fault = outcome.problems.iter().find_map(Diag::code).map(|code| code.as_str().to_owned());
        let summary = match &response {
            Some(_) => session::judged(request, &mut outcome),
            None => envelope::no_summary(StatusCode::INTERNAL_SERVER_ERROR),
        };
        let left = self.incidents.leave(request, &outcome);
        self.session().finished(index, summary, outcome, left);
        Answer { response: response.unwrap_or_else(envelope::internal_error), fault }
    }

    /// The answer when the work panicked, which is a mistake of ours.
    fn lost(&self, id: &str, error: &str) -> Answer {
        let message = format!("x07-wasm made a mistake while it answered the request {id}: {error}; please report it");
        let mut session = self.session();
        session.findings.push(Diag::new(Code::InternalPanic, message).data("request_id", id));
        session.answered(envelope::no_summary(StatusCode::INTERNAL_SERVER_ERROR));
        Answer { response: envelope::internal_error(), fault: Some(Code::InternalPanic.as_str().to_owned()) }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The response as it is sent, if there is one and it can be; why not is a problem of the request.
fn sendable(outcome: &mut Outcome) -> Option<Response<Bytes>> {
    match envelope::to_http(outcome.response.as_ref()?) {
        Ok(response) => Some(response),
        Err(problem) => {
            outcome.fail_last(problem);
            None
        }
    }
}

/// A request that is worked on, until this is dropped.
struct Worker(Arc<Shared>);

impl Worker {
    fn begin(shared: &Arc<Shared>) -> Self {
        *shared.workers.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(Arc::clone(shared))
    }

    fn answer(&self, index: u64, request: &Request, cancelled: &AtomicBool) -> Answer {
        self.0.answer(index, request, cancelled)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut workers = self.0.workers.lock().unwrap_or_else(PoisonError::into_inner);
        *workers = workers.saturating_sub(1);
        if *workers == 0 {
            self.0.idle.notify_all();
        }
    }
}

/// Sets a flag when it is dropped.
struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
