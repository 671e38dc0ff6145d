//! What a caller may choose about a server, checked before anything is opened.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioExecutor;

use super::ServerError;

/// Least room for the head of a request, in bytes.
pub const MIN_HEADER_BYTES: u32 = 8 * 1024;
/// Most room for the head of a request, in bytes.
pub const MAX_HEADER_BYTES: u32 = 1024 * 1024;
/// Most headers that can be allowed. The parser sets room aside for all of them in each request.
pub const MAX_HEADERS: u32 = 4096;
/// Most connections that can be allowed.
pub const MAX_CONNECTIONS: u32 = 1_000_000;
/// Most requests that can be worked on at a time.
pub const MAX_CONCURRENT: u32 = 65_536;
/// Longest time limit: one day.
pub const MAX_TIMEOUT_MS: u64 = 24 * 60 * 60 * 1000;

/// So many times the headers that are allowed are read, so that a request with too many of them gets
/// an answer of ours.
const HEADERS_READ: usize = 4;

/// Room for bytes on their way into and out of an HTTP/1 connection.
const BUFFER_BYTES: usize = 64 * 1024;
/// Streams of an HTTP/2 connection at a time. Clients count on so many before they are told; what
/// comes beyond the requests that are worked on waits its turn.
const STREAMS: u32 = 128;

/// How to run a server. Everything that a client could use up has a limit.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// Bytes that the head of a request may have, [`MIN_HEADER_BYTES`] to [`MAX_HEADER_BYTES`].
    /// More is answered with status 431.
    pub max_header_bytes: u32,
    /// Headers that a request may have, 1 to [`MAX_HEADERS`]. More is answered with status 431.
    pub max_headers: u32,
    /// Bytes that the body of a request may have. More is answered with status 413.
    pub max_request_bytes: u64,
    /// Connections at a time, 1 to [`MAX_CONNECTIONS`]. When a further client comes, the connection
    /// that was idle for the longest time is closed for it.
    pub max_connections: u32,
    /// Requests that the service works on at a time, 1 to [`MAX_CONCURRENT`]. Others wait; one that
    /// waits too long is answered with status 503.
    pub max_concurrent: u32,
    /// Milliseconds in which the head of a request must arrive, from its first byte.
    pub header_timeout_ms: u64,
    /// Milliseconds in which the body of a request must arrive, and in which a client must take an
    /// answer; with HTTP/2, in which it must take some of each answer.
    pub body_timeout_ms: u64,
    /// Milliseconds after which a connection without a request is closed.
    pub idle_timeout_ms: u64,
    /// Milliseconds that running requests are given once the server was asked to end; 0 cuts them
    /// off. After the last request of [`Self::stop_after`], they are given the time for a body more.
    pub shutdown_grace_ms: u64,
    /// Number of requests after which the server stops; 0 means never.
    pub stop_after: u64,
    /// Whether a line is written to standard error for each request.
    pub access_log: bool,
}

impl ServerConfig {
    /// Finds values that no server can run with.
    ///
    /// # Errors
    ///
    /// [`ServerError::Config`] for the first of them.
    pub fn check(&self) -> Result<(), ServerError> {
        let within = |what, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) { Ok(()) } else { Err(ServerError::Config { what, value, least, most }) }
        };
        within("max-header-bytes", self.max_header_bytes.into(), MIN_HEADER_BYTES.into(), MAX_HEADER_BYTES.into())?;
        within("max-headers", self.max_headers.into(), 1, MAX_HEADERS.into())?;
        within("max-connections", self.max_connections.into(), 1, MAX_CONNECTIONS.into())?;
        within("max-concurrent", self.max_concurrent.into(), 1, MAX_CONCURRENT.into())?;
        within("header-timeout-ms", self.header_timeout_ms, 1, MAX_TIMEOUT_MS)?;
        within("body-timeout-ms", self.body_timeout_ms, 1, MAX_TIMEOUT_MS)?;
        within("idle-timeout-ms", self.idle_timeout_ms, 1, MAX_TIMEOUT_MS)?;
        within("shutdown-grace-ms", self.shutdown_grace_ms, 0, MAX_TIMEOUT_MS)
    }

    /// How HTTP/1 connections are read and written. Waiting for a head is bounded elsewhere: the
    /// library knows one time limit for both an idle connection and a slow head.
    pub(super) fn http1(&self) -> http1::Builder {
        let header_bytes = usize::try_from(self.max_header_bytes).unwrap_or(usize::MAX);
        let mut builder = http1::Builder::new();
        builder
            .header_read_timeout(None::<Duration>)
            .max_headers(self.headers_read())
            .max_header_size(header_bytes)
            .max_buf_size(header_bytes.max(BUFFER_BYTES));
        builder
    }

    /// How HTTP/2 connections are read and written.
    pub(super) fn http2(&self) -> http2::Builder<TokioExecutor> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.max_concurrent_streams(STREAMS).max_header_list_size(self.max_header_bytes);
        builder
    }

    pub(super) fn header_count(&self) -> usize {
        usize::try_from(self.max_headers).unwrap_or(usize::MAX)
    }

    fn headers_read(&self) -> usize {
        let most = usize::try_from(MAX_HEADERS).unwrap_or(usize::MAX);
        self.header_count().saturating_mul(HEADERS_READ).min(most)
    }

    pub(super) fn timeouts(&self) -> Timeouts {
        Timeouts {
            header: Duration::from_millis(self.header_timeout_ms),
            body: Duration::from_millis(self.body_timeout_ms),
            idle: Duration::from_millis(self.idle_timeout_ms),
        }
    }
}

/// How long a connection may stay in a state in which the client has to do something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    pub(super) header: Duration,
    pub(super) body: Duration,
    pub(super) idle: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::server::tests::config;

    #[test]
    fn impossible_values_are_found_before_anything_is_opened() {
        assert!(config().check().is_ok());
        type Change = fn(&mut ServerConfig);
        let wrong: [(&str, Change); 10] = [
            ("max-header-bytes", |c| c.max_header_bytes = MIN_HEADER_BYTES - 1),
            ("max-header-bytes", |c| c.max_header_bytes = MAX_HEADER_BYTES + 1),
            ("max-headers", |c| c.max_headers = 0),
            ("max-headers", |c| c.max_headers = MAX_HEADERS + 1),
            ("max-connections", |c| c.max_connections = 0),
            ("max-concurrent", |c| c.max_concurrent = 0),
            ("header-timeout-ms", |c| c.header_timeout_ms = 0),
            ("body-timeout-ms", |c| c.body_timeout_ms = MAX_TIMEOUT_MS + 1),
            ("idle-timeout-ms", |c| c.idle_timeout_ms = 0),
            ("shutdown-grace-ms", |c| c.shutdown_grace_ms = MAX_TIMEOUT_MS + 1),
        ];
        for (name, change) in wrong {
            let mut config = config();
            change(&mut config);
            assert!(matches!(config.check(), Err(ServerError::Config { what, .. }) if what == name), "{name}");
        }
        let unusual = ServerConfig { shutdown_grace_ms: 0, max_request_bytes: 0, ..config() };
        assert!(unusual.check().is_ok());
    }
}
