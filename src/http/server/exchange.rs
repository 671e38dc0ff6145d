//! One request, from its head to its answer.

use std::convert::Infallible;
use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::header::{RETRY_AFTER, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use super::access_log::{ABANDONED, AccessLog, Entry, unix_ms};
use super::answer::{Form, Outgoing, sendable};
use super::limits::{Busy, Held, Room};
use super::shutdown::Level;
use super::watch::Watch;
use super::{RequestInfo, Service, Shared, host, request_id};

/// A request that does not get to the service.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    status: StatusCode,
    text: &'static str,
    /// Whether bytes of the request are still to come, which nobody will read.
    unread: bool,
    /// Whether the client went away, so that there is most likely nobody to tell.
    gone: bool,
}

impl Refusal {
    const TOO_LARGE: Self = Self::unread(StatusCode::PAYLOAD_TOO_LARGE, "request too large");
    const TOO_SLOW: Self = Self::unread(StatusCode::REQUEST_TIMEOUT, "request too slow");
    const BROKEN: Self = Self::unread(StatusCode::BAD_REQUEST, "request body broken");
    const MANY_HEADERS: Self = Self::unread(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers");
    const TUNNEL: Self = Self::unread(StatusCode::NOT_IMPLEMENTED, "no tunnels here");
    const CODING: Self = Self::unread(StatusCode::NOT_IMPLEMENTED, "transfer coding not supported");
    const GONE: Self = Self { gone: true, ..Self::unread(StatusCode::BAD_REQUEST, "request body incomplete") };
    const STOPPING: Self = Self::unread(StatusCode::SERVICE_UNAVAILABLE, "server stops");
    const FULL: Self = Self::unread(StatusCode::SERVICE_UNAVAILABLE, "server busy");
    const BUSY: Self = Self { unread: false, ..Self::FULL };

    const fn unread(status: StatusCode, text: &'static str) -> Self {
        Self { status, text, unread: true, gone: false }
    }

    fn host(status: StatusCode) -> Self {
        let text = if status == StatusCode::MISDIRECTED_REQUEST { "not this host" } else { "bad host or target" };
        Self::unread(status, text)
    }

    fn response(self) -> Response<Bytes> {
        let mut response = text_response(self.status, self.text);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// An answer of a few words.
pub(super) fn text_response(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, plain);
    response
}

/// What the access log says about a request, once it is known what became of it.
struct Line {
    log: Arc<AccessLog>,
    id: String,
    method: Method,
    uri: Uri,
    started: Instant,
}

impl Line {
    fn write(self, status: Option<StatusCode>, bytes: u64, fault: Option<String>) {
        self.log.write(Entry {
            unix_ms: unix_ms(),
            id: self.id,
            method: self.method.as_str().to_owned(),
            path: self.uri.path().to_owned(),
            status: status.map(|status| status.as_u16()),
            bytes,
            ms: ms_since(self.started),
            fault,
        });
    }
}

fn ms_since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Answers a request. It never fails: whatever happens is an answer, unless the client is gone.
pub(super) async fn exchange<S: Service>(
    shared: Arc<Shared<S>>,
    watch: Arc<Watch>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, Infallible> {
    let started = Instant::now();
    let mut ticket = Ticket::begin(&shared, Arc::clone(&watch), !request.body().is_end_stream());
    let (parts, body) = request.into_parts();
    let form = Form::of(parts.version, &parts.method);

    let Some(index) = number(&shared) else {
        // Nobody counts or logs what comes after the last request.
        ticket.answered();
        return Ok(form.finish(Refusal::STOPPING.response(), None, true, None, ticket));
    };
    let info = RequestInfo { id: request_id::of(&parts.headers, index), index };
    let id = HeaderValue::from_str(&info.id).ok();
    ticket.line = shared.log.as_ref().map(|log| Line {
        log: Arc::clone(log),
        id: info.id.clone(),
        method: parts.method.clone(),
        uri: parts.uri.clone(),
        started,
    });

    // Held until there is an answer: the service keeps the body as long.
    let mut held = None;
    let prepared = prepare(&shared, parts, body, id.as_ref(), &ticket, &mut held).await;
    let refusal = match prepared {
        Err(refusal) => refusal,
        Ok(request) => match shared.gate.enter(watch.place()).await {
            Err(Busy) => Refusal::BUSY,
            Ok(turn) => {
                let answer = shared.service.call(request, info).await;
                let room = shared.room.answer(held, form.body_len(&answer.response));
                drop(turn);
                return Ok(match room {
                    Ok(room) => {
                        let response = sendable(answer.response);
                        ticket.close(&response, answer.fault);
                        shared.counters.answered.fetch_add(1, Relaxed);
                        form.finish(response, id, shared.stop.risen(), room, ticket)
                    }
                    Err(Busy) => {
                        // The service knows about the request already.
                        let response = Refusal::BUSY.response();
                        ticket.close(&response, answer.fault);
                        shared.counters.refused.fetch_add(1, Relaxed);
                        shared.counters.unsent.fetch_add(1, Relaxed);
                        form.finish(response, id, shared.stop.risen(), None, ticket)
                    }
                });
            }
        },
    };
    let response = refusal.response();
    if refusal.gone {
        ticket.abandon();
        return Ok(form.finish(response, id, true, None, ticket));
    }
    ticket.close(&response, None);
    shared.counters.refused.fetch_add(1, Relaxed);
    shared.service.refused(refusal.status, &info, ms_since(started));
    Ok(form.finish(response, id, refusal.unread || shared.stop.risen(), None, ticket))
}

/// The number of a request; `None` if it comes after the last one. The last one stops the server.
fn number<S>(shared: &Shared<S>) -> Option<u64> {
    let index = shared.counters.requests.fetch_add(1, Relaxed);
    let last = shared.stop_after;
    if last > 0 && index >= last {
        shared.counters.requests.fetch_sub(1, Relaxed);
        return None;
    }
    if last > 0 && index + 1 == last {
        shared.stop.raise(Level::Last);
    }
    Some(index)
}

/// Checks a request and reads its body.
async fn prepare<S>(
    shared: &Shared<S>,
    mut parts: Parts,
    body: Incoming,
    id: Option<&HeaderValue>,
    ticket: &Ticket,
    held: &mut Option<Held>,
) -> Result<Request<Bytes>, Refusal> {
    host::check(&parts, shared.on_loopback).map_err(Refusal::host)?;
    if parts.method == Method::CONNECT {
        return Err(Refusal::TUNNEL);
    }
    if parts.headers.len() > shared.max_headers {
        return Err(Refusal::MANY_HEADERS);
    }
    if !has_known_coding(&parts.headers) {
        return Err(Refusal::CODING);
    }
    let bytes = if body.is_end_stream() {
        Bytes::new()
    } else if body.size_hint().lower() > shared.max_request_bytes {
        // Said before the body is asked for: a client that waits for that does not send it.
        return Err(Refusal::TOO_LARGE);
    } else {
        let whole = timeout(shared.timeouts.body, collect(body, shared.max_request_bytes, &shared.room, held)).await;
        let bytes = whole.unwrap_or(Err(Refusal::TOO_SLOW))?;
        ticket.watch.complete();
        bytes
    };
    if let Some(id) = id {
        parts.headers.insert(request_id::HEADER.clone(), id.clone());
    }
    let mut request = Request::new(bytes);
    *request.method_mut() = parts.method;
    *request.uri_mut() = parts.uri;
    *request.version_mut() = parts.version;
    *request.headers_mut() = parts.headers;
    Ok(request)
}

/// Reads a body of at most `limit` bytes. What is announced is not believed: room is made for what
/// is there.
async fn collect(mut body: Incoming, limit: u64, room: &Room, held: &mut Option<Held>) -> Result<Bytes, Refusal> {
    let mut whole = Bytes::new();
    let mut joined: Option<BytesMut> = None;
    let mut total: u64 = 0;
    while let Some(frame) = body.frame().await {
        // Trailers are not handed on.
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        total = total.saturating_add(data.len() as u64);
        if total > limit {
            return Err(Refusal::TOO_LARGE);
        }
        room.grow(held, total).await.map_err(|Busy| Refusal::FULL)?;
        match &mut joined {
            Some(joined) => joined.extend_from_slice(&data),
            None if whole.is_empty() => whole = data,
            None => {
                let mut both = BytesMut::with_capacity(whole.len() + data.len());
                both.extend_from_slice(&whole);
                both.extend_from_slice(&data);
                joined = Some(both);
            }
        }
    }
    Ok(joined.map_or(whole, BytesMut::freeze))
}

/// Why a body cannot be read on: what came is wrong, or nothing more comes.
fn broken(error: &hyper::Error) -> Refusal {
    let kind = error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
    match kind {
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => Refusal::BROKEN,
        _ => Refusal::GONE,
    }
}

/// Whether the body of a request is encoded in the one way that is understood here, or not at all.
fn has_known_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

/// A request in the [`Watch`] of its connection. It is kept until the answer was taken; when it is
/// dropped before there is one, the client went away.
pub(super) struct Ticket {
    pub(super) watch: Arc<Watch>,
    counters: Arc<super::Counters>,
    answered: bool,
    /// Written when it is known what became of the request.
    line: Option<Line>,
}

impl Ticket {
    fn begin<S>(shared: &Shared<S>, watch: Arc<Watch>, has_body: bool) -> Self {
        watch.begin(has_body);
        Self { watch, counters: Arc::clone(&shared.counters), answered: false, line: None }
    }

    /// There is an answer.
    fn close(&mut self, response: &Response<Bytes>, fault: Option<String>) {
        self.answered();
        if let Some(line) = self.line.take() {
            line.write(Some(response.status()), response.body().len() as u64, fault);
        }
    }

    /// The client went away, or the request was cut off, which is counted elsewhere.
    fn abandon(&mut self) {
        if !self.counters.cutting.load(Relaxed) {
            self.counters.abandoned.fetch_add(1, Relaxed);
        }
        self.answered();
        if let Some(line) = self.line.take() {
            line.write(None, 0, Some(ABANDONED.to_owned()));
        }
    }

    fn answered(&mut self) {
        if !self.answered {
            self.answered = true;
            self.watch.answered();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.answered {
            self.abandon();
        }
        self.watch.done();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunked_alone_is_a_coding_that_is_known() {
        let known = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TRANSFER_ENCODING, HeaderValue::from_str(value).expect("a value"));
            }
            has_known_coding(&headers)
        };
        assert!(known(&[]) && known(&["chunked"]) && known(&[" Chunked "]));
        for values in [["gzip, chunked"].as_slice(), &["gzip"], &["chunked", "chunked"], &["chunked, chunked"], &[""]] {
            assert!(!known(values), "{values:?}");
        }
    }
}
