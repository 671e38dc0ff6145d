//! The HTTP server: one for all commands that listen.
//!
//! It speaks HTTP/1.1 with keep-alive and HTTP/2 without TLS on the same port, gives whole requests
//! to a [`Service`] and sends its answers.
//!
//! | module | job |
//! |---|---|
//! | [`config`] | what a caller may choose |
//! | `limits` | how many connections, how many requests at a time, who waits |
//! | `connection` | one connection and the time that its client may take |
//! | `watch` | what a connection is doing |
//! | `stream` | its bytes: which protocol, how they flow, how they end |
//! | `exchange` | one request, from its head to its answer |
//! | `answer` | what of an answer is sent, and how |
//! | `host` | whether a request means this host |
//! | `request_id` | the id of a request |
//! | `access_log` | a line for each request |
//! | `shutdown` | when to stop, and how |
//!
//! A client is never trusted. Whatever it sends, does not send, or does not take, costs a bounded
//! amount of memory for a bounded time, and others are served meanwhile.
//!
//! What may not live here: what a request means.

mod access_log;
mod answer;
pub mod config;
mod connection;
mod exchange;
mod host;
mod limits;
mod request_id;
mod shutdown;
mod stream;
mod watch;

#[cfg(test)]
mod tests;

pub use config::ServerConfig;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioExecutor;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use access_log::AccessLog;
use config::Timeouts;
use limits::{Gate, Room, Slots};
use shutdown::{Level, Signals, Stop};
use watch::Watch;

/// Connections that the system may hold until they are accepted.
const BACKLOG: u32 = 4096;
/// Failures to accept a connection in a row after which the server gives up.
const MAX_ACCEPT_FAILURES: u32 = 100;
/// Pause after such a failure: what was lacking may come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// How long threads that hold a request may take to notice the end.
const RUNTIME_PATIENCE: Duration = Duration::from_millis(500);

/// Answers requests.
pub trait Service: Send + Sync + 'static {
    /// Answers one request. It has a header `x-request-id` with the id of `info`. When the client
    /// goes away, the future is dropped.
    fn call(&self, request: Request<Bytes>, info: RequestInfo) -> impl Future<Output = Answer> + Send;

    /// Learns that the server itself has answered a request with `status` after `wall_ms`, because it
    /// was too large, too slow, not for this host, or because everybody was busy.
    fn refused(&self, status: StatusCode, info: &RequestInfo, wall_ms: u64) {
        let _ = (status, info, wall_ms);
    }
}

/// What is known about a request besides itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestInfo {
    /// Its id: the client's if that can be used, else `req` and [`Self::index`].
    pub id: String,
    /// Its number, from 0.
    pub index: u64,
}

/// What a [`Service`] answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The response. Its length and what belongs to the connection are set by the server.
    pub response: Response<Bytes>,
    /// The code of a failure, for the access log.
    pub fault: Option<String>,
}

impl Answer {
    /// An answer of a few words, with the code of what failed.
    #[must_use]
    pub fn failure(status: StatusCode, text: &'static str, fault: impl Into<String>) -> Self {
        Self { response: exchange::text_response(status, text), fault: Some(fault.into()) }
    }
}

/// What a server has done, once it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The address that it listened on.
    pub bound: SocketAddr,
    /// Requests that came; each is in one of the next four numbers.
    pub requests: u64,
    /// Requests that the service answered.
    pub answered: u64,
    /// Requests that the server answered itself.
    pub refused: u64,
    /// Requests whose clients went away before there was an answer.
    pub abandoned: u64,
    /// Requests that were not answered when the server gave up waiting for them at its end.
    pub cut_requests: u64,
    /// Answers, counted as refused, that were thrown away because there was no room for them.
    pub unsent: u64,
    /// Connections that came.
    pub connections: u64,
    /// Connections that were closed to make room.
    pub evicted: u64,
    /// Connections whose clients took too long.
    pub too_slow: u64,
    /// Connections that sent what is not valid HTTP, or a head that is too large.
    pub malformed: u64,
    /// What was wrong with the first of them.
    pub first_malformed: Option<String>,
    /// Connections that were cut off at the end.
    pub cut: u64,
    /// Connections at a time that there was room for: fewer than allowed where the system has fewer
    /// file descriptors.
    pub room: u32,
    /// Lines of the access log that were lost because nobody read them.
    pub lost_log_lines: u64,
}

/// Why a server did not start, or ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A value that no server can run with.
    #[error("{what} {value} is not possible; give {least} to {most}")]
    Config {
        /// Which one, as options spell it.
        what: &'static str,
        /// What was given.
        value: u64,
        /// Least value.
        least: u64,
        /// Greatest value.
        most: u64,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system does not give what every server needs: threads, signals.
    #[error("the server cannot start: {source}")]
    Start {
        /// What the system says.
        source: io::Error,
    },
    /// Connections cannot be accepted any longer.
    #[error("connections can no longer be accepted: {source}")]
    Accept {
        /// What the system says.
        source: io::Error,
    },
}

/// What all connections share.
struct Shared<S> {
    service: S,
    gate: Gate,
    room: Room,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    timeouts: Timeouts,
    max_request_bytes: u64,
    max_headers: usize,
    stop_after: u64,
    on_loopback: bool,
    stop: Stop,
    log: Option<Arc<AccessLog>>,
    counters: Arc<Counters>,
}

/// What is counted.
#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
    abandoned: AtomicU64,
    unsent: AtomicU64,
    /// Whether the server has given up waiting: what is not answered now was not abandoned.
    cutting: AtomicBool,
    connections: AtomicU64,
    evicted: AtomicU64,
    too_slow: AtomicU64,
    malformed: AtomicU64,
    first_malformed: Mutex<Option<String>>,
}

impl Counters {
    fn malformed(&self, error: &hyper::Error) {
        if self.malformed.fetch_add(1, Relaxed) == 0 {
            let mut first = self.first_malformed.lock().unwrap_or_else(PoisonError::into_inner);
            *first = Some(error.to_string());
        }
    }

    fn summary(&self, bound: SocketAddr, room: u32, cut: u64, lost_log_lines: u64) -> Summary {
        let first_malformed = self.first_malformed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let requests = self.requests.load(Relaxed);
        let [answered, refused, abandoned] = [&self.answered, &self.refused, &self.abandoned].map(|n| n.load(Relaxed));
        Summary {
            bound,
            requests,
            answered,
            refused,
            abandoned,
            // Also those whose threads did not notice the end in time.
            cut_requests: requests.saturating_sub(answered + refused + abandoned),
            unsent: self.unsent.load(Relaxed),
            connections: self.connections.load(Relaxed),
            evicted: self.evicted.load(Relaxed),
            too_slow: self.too_slow.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
            first_malformed,
            cut,
            room,
            lost_log_lines,
        }
    }
}

/// Serves until the configured number of requests has come or the process is asked to end. A second
/// signal ends it at once. `on_bound` learns the address as soon as clients can connect.
///
/// # Errors
///
/// See [`ServerError`]. Values that are not possible are found before anything is opened.
pub fn run<S: Service>(
    config: &ServerConfig,
    service: S,
    on_bound: impl FnOnce(SocketAddr),
) -> Result<Summary, ServerError> {
    config.check()?;
    let start = |source| ServerError::Start { source };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("http").build().map_err(start)?;
    let (log, writer) = if config.access_log {
        let (log, writer) = AccessLog::start().map_err(start)?;
        (Some(Arc::new(log)), Some(writer))
    } else {
        (None, None)
    };
    let outcome = runtime.block_on(listen(config, service, log, on_bound));
    // What is still running was cut off; guests among it stop at their next step.
    runtime.shutdown_timeout(RUNTIME_PATIENCE);
    shutdown::exit_on_signal();
    let (shared, ended) = outcome?;
    let lost = match (&shared.log, &writer) {
        (Some(log), Some(writer)) => log.close(writer),
        _ => 0,
    };
    Ok(shared.counters.summary(ended.bound, ended.room, ended.cut, lost))
}

/// Facts about a server that has ended.
struct Ended {
    bound: SocketAddr,
    room: u32,
    cut: u64,
}

async fn listen<S: Service>(
    config: &ServerConfig,
    service: S,
    log: Option<Arc<AccessLog>>,
    on_bound: impl FnOnce(SocketAddr),
) -> Result<(Arc<Shared<S>>, Ended), ServerError> {
    let bind = |source| ServerError::Bind { addr: config.addr, source };
    let mut signals = Signals::install().map_err(|source| ServerError::Start { source })?;
    let listener = open(config.addr).map_err(bind)?;
    let bound = listener.local_addr().map_err(bind)?;
    let room = limits::connections(config.max_connections, config.max_concurrent);
    let shared = Arc::new(Shared {
        service,
        // Each connection may have one request that waits.
        gate: Gate::new(config.max_concurrent, config.max_connections),
        room: Room::new(config.max_request_bytes, config.max_concurrent),
        http1: config.http1(),
        http2: config.http2(),
        timeouts: config.timeouts(),
        max_request_bytes: config.max_request_bytes,
        max_headers: config.header_count(),
        stop_after: config.stop_after,
        on_loopback: bound.ip().to_canonical().is_loopback(),
        stop: Stop::new(),
        log,
        counters: Arc::new(Counters::default()),
    });
    let stopper = Arc::clone(&shared);
    tokio::spawn(async move {
        signals.next().await;
        stopper.stop.raise(Level::Stop);
        signals.next().await;
        stopper.stop.raise(Level::Cut);
    });
    on_bound(bound);

    // In a task of its own it shares the threads of the connections, in place of waking this one.
    let accepting = tokio::spawn({
        let shared = Arc::clone(&shared);
        async move {
            let mut slots = Slots::new(room);
            let accepted = accept(&listener, &shared, &mut slots).await;
            (slots, accepted)
        }
    });
    let (slots, accepted) = accepting.await.map_err(|error| ServerError::Accept { source: io::Error::other(error) })?;
    if accepted.is_err() {
        shared.stop.raise(Level::Stop);
    }
    slots.stop_all();
    let grace = Duration::from_millis(config.shutdown_grace_ms);
    tokio::select! {
        () = slots.empty() => {}
        () = patience(&shared.stop, grace, shared.timeouts.body) => {}
    }
    shared.counters.cutting.store(true, Relaxed);
    let cut = slots.taken();
    accepted.map(|()| (shared, Ended { bound, room, cut }))
}

/// Listens, with room for many clients that come at once.
fn open(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Elsewhere the option means that somebody else may take the address.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Passes when running requests have had their time: the grace from a signal, or after the last
/// request, without a signal, as long as the slowest body may take besides. A second signal ends it.
async fn patience(stop: &Stop, grace: Duration, body: Duration) {
    let asked_to_end = async {
        stop.reached(Level::Stop).await;
        sleep(grace).await;
    };
    tokio::select! {
        () = stop.reached(Level::Cut) => {}
        () = asked_to_end => {}
        () = sleep(grace + body) => {}
    }
}

/// Accepts connections until the server stops.
async fn accept<S: Service>(
    listener: &TcpListener,
    shared: &Arc<Shared<S>>,
    slots: &mut Slots,
) -> Result<(), ServerError> {
    let started = Instant::now();
    let mut failures = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.stop.reached(Level::Last) => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let stream: TcpStream = match accepted {
            Ok((stream, _)) => stream,
            Err(source) if failures >= MAX_ACCEPT_FAILURES => return Err(ServerError::Accept { source }),
            Err(_) => {
                // A client that went away again, or no descriptors left.
                failures += 1;
                slots.make_room();
                let _ = timeout(ACCEPT_PAUSE, shared.stop.reached(Level::Last)).await;
                continue;
            }
        };
        failures = 0;
        let Some(slot) = slots.admit(&shared.stop).await else { return Ok(()) };
        shared.counters.connections.fetch_add(1, Relaxed);
        // Answers are written at once; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let watch = Arc::new(Watch::new(started));
        slots.keep(&watch);
        tokio::spawn(connection::serve(Arc::clone(shared), watch, stream, slot));
    }
}
