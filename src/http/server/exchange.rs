//! One request and its answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, RETRY_AFTER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::timeout;

use super::access_log::{Entry, unix_ms};
use super::limits::Busy;
use super::shutdown::Level;
use super::watch::Watch;
use super::{Answer, RequestInfo, Service, Shared, host, request_id};

/// Bytes of an answer that are handed to an HTTP/2 stream at a time, so that a client that does not
/// take them does not make us hold more than these.
const HTTP2_CHUNK_BYTES: usize = 16 * 1024;

/// Headers that belong to a connection and not to an answer.
static HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// A request that does not get to the service.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    status: StatusCode,
    text: &'static str,
    /// Whether bytes of the request are still to come, which nobody will read.
    unread: bool,
}

impl Refusal {
    const TOO_LARGE: Self = Self::unread(StatusCode::PAYLOAD_TOO_LARGE, "request too large");
    const TOO_SLOW: Self = Self::unread(StatusCode::REQUEST_TIMEOUT, "request too slow");
    const BROKEN: Self = Self::unread(StatusCode::BAD_REQUEST, "request body broken");
    const MANY_HEADERS: Self = Self::unread(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers");
    const TUNNEL: Self = Self::unread(StatusCode::NOT_IMPLEMENTED, "no tunnels here");
    const STOPPING: Self = Self::unread(StatusCode::SERVICE_UNAVAILABLE, "server stops");
    const BUSY: Self = Self { status: StatusCode::SERVICE_UNAVAILABLE, text: "server busy", unread: false };

    const fn unread(status: StatusCode, text: &'static str) -> Self {
        Self { status, text, unread: true }
    }

    fn host(status: StatusCode) -> Self {
        let text = if status == StatusCode::MISDIRECTED_REQUEST { "not this host" } else { "no such host header" };
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

/// What the access log says about a request.
struct Line {
    method: Method,
    uri: Uri,
}

/// Answers a request. It never fails: whatever happens is an answer, unless the client is gone.
pub(super) async fn exchange<S: Service>(
    shared: Arc<Shared<S>>,
    watch: Arc<Watch>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, Infallible> {
    let started = Instant::now();
    let mut ticket = Ticket::begin(&shared, watch, !request.body().is_end_stream());
    let (parts, body) = request.into_parts();
    let form = Form { http2: parts.version == Version::HTTP_2, head: parts.method == Method::HEAD };
    let line = shared.log.is_some().then(|| Line { method: parts.method.clone(), uri: parts.uri.clone() });

    let Some(index) = number(&shared) else {
        // Nobody counts or logs what comes after the last request.
        ticket.answered();
        return Ok(form.finish(Refusal::STOPPING.response(), None, true, ticket));
    };
    let info = RequestInfo { id: request_id::of(&parts.headers, index), index };
    let id = HeaderValue::from_str(&info.id).ok();

    let prepared = prepare(&shared, parts, body, id.as_ref(), &ticket).await;
    let refusal = match prepared {
        Err(refusal) => refusal,
        Ok(request) => match shared.gate.enter().await {
            Err(Busy) => Refusal::BUSY,
            Ok(turn) => {
                let answer = shared.service.call(request, info.clone()).await;
                drop(turn);
                ticket.answered();
                log(&shared, line.as_ref(), &info, &answer, started);
                shared.counters.answered.fetch_add(1, Relaxed);
                return Ok(form.finish(answer.response, id, shared.stop.risen(), ticket));
            }
        },
    };
    ticket.answered();
    shared.counters.refused.fetch_add(1, Relaxed);
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    shared.service.refused(refusal.status, &info, ms);
    let answer = Answer { response: refusal.response(), fault: None };
    log(&shared, line.as_ref(), &info, &answer, started);
    Ok(form.finish(answer.response, id, refusal.unread || shared.stop.risen(), ticket))
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
        shared.stop.raise(Level::Stop);
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
) -> Result<Request<Bytes>, Refusal> {
    host::check(&parts, shared.on_loopback).map_err(Refusal::host)?;
    if parts.method == Method::CONNECT {
        return Err(Refusal::TUNNEL);
    }
    if parts.headers.len() > shared.max_headers {
        return Err(Refusal::MANY_HEADERS);
    }
    let bytes = if body.is_end_stream() {
        Bytes::new()
    } else if body.size_hint().lower() > shared.max_request_bytes {
        // Said before the body is asked for: a client that waits for that does not send it.
        return Err(Refusal::TOO_LARGE);
    } else {
        let whole = timeout(shared.timeouts.body, collect(body, shared.max_request_bytes)).await;
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
async fn collect(mut body: Incoming, limit: u64) -> Result<Bytes, Refusal> {
    let mut whole = Bytes::new();
    let mut joined: Option<BytesMut> = None;
    let mut total: u64 = 0;
    while let Some(frame) = body.frame().await {
        // Trailers are not handed on.
        let Ok(data) = frame.map_err(|_| Refusal::BROKEN)?.into_data() else { continue };
        total = total.saturating_add(data.len() as u64);
        if total > limit {
            return Err(Refusal::TOO_LARGE);
        }
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

fn log<S>(shared: &Shared<S>, line: Option<&Line>, info: &RequestInfo, answer: &Answer, started: Instant) {
    let (Some(log), Some(line)) = (&shared.log, line) else { return };
    log.write(Entry {
        unix_ms: unix_ms(),
        id: info.id.clone(),
        method: line.method.as_str().to_owned(),
        path: line.uri.path().to_owned(),
        status: answer.response.status().as_u16(),
        bytes: answer.response.body().len() as u64,
        ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        fault: answer.fault.clone(),
    });
}

/// What decides about the form of an answer.
#[derive(Clone, Copy)]
struct Form {
    http2: bool,
    head: bool,
}

impl Form {
    /// Makes an answer fit to be sent: lengths are ours to tell, and so is what becomes of the
    /// connection.
    fn finish(
        self,
        response: Response<Bytes>,
        id: Option<HeaderValue>,
        close: bool,
        ticket: Ticket,
    ) -> Response<Outgoing> {
        let response = if response.status().is_informational() {
            text_response(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
        } else {
            response
        };
        let (mut parts, mut bytes) = response.into_parts();
        if !parts.headers.is_empty() {
            for name in &HOP_BY_HOP {
                parts.headers.remove(name);
            }
        }
        self.fit_body(parts.status, &mut parts.headers, &mut bytes);
        if let Some(id) = id {
            parts.headers.insert(request_id::HEADER.clone(), id);
        }
        if close && !self.http2 {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let chunk = if self.http2 { HTTP2_CHUNK_BYTES } else { usize::MAX };
        Response::from_parts(parts, Outgoing { bytes, chunk, ticket })
    }

    /// Takes the body away where there may be none, and leaves a length only where it can be right.
    fn fit_body(self, status: StatusCode, headers: &mut HeaderMap, bytes: &mut Bytes) {
        if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            headers.remove(CONTENT_LENGTH);
            bytes.clear();
        } else if !self.head {
            headers.remove(CONTENT_LENGTH);
        } else if !bytes.is_empty() {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            bytes.clear();
        } else if let Some(length) = headers.get(CONTENT_LENGTH) {
            // The length that the same request with GET would have: believed if it is one.
            let digits = !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit);
            if !digits || headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
                headers.remove(CONTENT_LENGTH);
            }
        }
    }
}

/// The body of an answer.
pub(super) struct Outgoing {
    bytes: Bytes,
    chunk: usize,
    ticket: Ticket,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.bytes.is_empty() {
            return Poll::Ready(None);
        }
        this.ticket.watch.progress();
        let count = this.bytes.len().min(this.chunk);
        Poll::Ready(Some(Ok(Frame::data(this.bytes.split_to(count)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

/// A request in the [`Watch`] of its connection. It is kept until the answer was taken; when it is
/// dropped before there is one, the client went away.
struct Ticket {
    watch: Arc<Watch>,
    counters: Arc<super::Counters>,
    answered: bool,
}

impl Ticket {
    fn begin<S>(shared: &Shared<S>, watch: Arc<Watch>, has_body: bool) -> Self {
        watch.begin(has_body);
        Self { watch, counters: Arc::clone(&shared.counters), answered: false }
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
            self.counters.abandoned.fetch_add(1, Relaxed);
            self.answered();
        }
        self.watch.done();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(head: bool, status: u16, length: &[&str], body: &'static str) -> (Vec<String>, usize) {
        let mut headers = HeaderMap::new();
        for value in length {
            headers.append(CONTENT_LENGTH, HeaderValue::from_str(value).expect("a value"));
        }
        let mut bytes = Bytes::from_static(body.as_bytes());
        let status = StatusCode::from_u16(status).expect("a status");
        Form { http2: false, head }.fit_body(status, &mut headers, &mut bytes);
        let lengths = headers.get_all(CONTENT_LENGTH).iter();
        (lengths.map(|v| v.to_str().expect("text").to_owned()).collect(), bytes.len())
    }

    #[test]
    fn lengths_are_left_where_they_can_be_right() {
        assert_eq!(fitted(false, 200, &["9"], "hello"), (vec![], 5));
        assert_eq!(fitted(true, 200, &[], "hello"), (vec!["5".to_owned()], 0));
        assert_eq!(fitted(true, 200, &["9"], "hello"), (vec!["5".to_owned()], 0));
        assert_eq!(fitted(true, 200, &["9"], ""), (vec!["9".to_owned()], 0));
        assert_eq!(fitted(true, 200, &["9", "9"], ""), (vec![], 0));
        assert_eq!(fitted(true, 200, &["x"], ""), (vec![], 0));
        assert_eq!(fitted(false, 204, &["9"], "hello"), (vec![], 0));
        assert_eq!(fitted(false, 304, &["9"], ""), (vec![], 0));
    }
}
