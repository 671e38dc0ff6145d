//! The form of an answer: what of it is sent, and how its body flows.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version};
use hyper::body::{Body, Frame, SizeHint};

use super::exchange::{Ticket, text_response};
use super::limits::Held;
use super::request_id;

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

/// An answer, or ours in place of one with a status that cannot be sent.
pub(super) fn sendable(response: Response<Bytes>) -> Response<Bytes> {
    if (200..600).contains(&response.status().as_u16()) {
        response
    } else {
        text_response(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
    }
}

/// Whether a header may leave as it is: visible ASCII with blanks and tabs.
fn is_plain(value: &HeaderValue) -> bool {
    value.as_bytes().iter().all(|b| matches!(b, b'\t' | b' '..=b'~'))
}

/// Drops headers that belong to the connection, and values that not everybody reads in the same way.
fn drop_headers(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    if !headers.values().all(is_plain) {
        let all = std::mem::take(headers);
        for (name, value) in all.iter().filter(|(_, value)| is_plain(value)) {
            headers.append(name.clone(), value.clone());
        }
    }
}

/// What decides about the form of an answer.
#[derive(Clone, Copy)]
pub(super) struct Form {
    http2: bool,
    head: bool,
}

impl Form {
    /// The form of the answer to a request.
    pub(super) fn of(version: Version, method: &Method) -> Self {
        Self { http2: version == Version::HTTP_2, head: *method == Method::HEAD }
    }

    /// Bytes of the body that will be sent.
    pub(super) fn body_len(self, response: &Response<Bytes>) -> u64 {
        if self.head { 0 } else { response.body().len() as u64 }
    }

    /// Makes an answer fit to be sent: lengths are ours to tell, and so is what becomes of the
    /// connection. The room for its body is given back when the body was sent.
    pub(super) fn finish(
        self,
        response: Response<Bytes>,
        id: Option<HeaderValue>,
        close: bool,
        room: Option<Held>,
        ticket: Ticket,
    ) -> Response<Outgoing> {
        let (mut parts, mut bytes) = response.into_parts();
        if !parts.headers.is_empty() {
            drop_headers(&mut parts.headers);
        }
        self.fit_body(parts.status, &mut parts.headers, &mut bytes);
        if let Some(id) = id {
            parts.headers.insert(request_id::HEADER.clone(), id);
        }
        if close && !self.http2 {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(room) = room.filter(|_| !bytes.is_empty()) {
            bytes = Bytes::from_owner(Kept { bytes, _room: room });
        }
        let chunk = if self.http2 { HTTP2_CHUNK_BYTES } else { usize::MAX };
        // An HTTP/1 connection has one answer at a time, which it watches itself.
        let number = (self.http2 && !bytes.is_empty()).then(|| ticket.watch.offer());
        Response::from_parts(parts, Outgoing { bytes, chunk, number, ticket })
    }

    /// Takes the body away where there may be none, and leaves a length only where it can be right.
    fn fit_body(self, status: StatusCode, headers: &mut HeaderMap, bytes: &mut Bytes) {
        if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED) {
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

/// The bytes of a body with the room for them. Parts of it share both: the room is free again when
/// the last part has left, wherever it was on its way.
struct Kept {
    bytes: Bytes,
    _room: Held,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The body of an answer.
pub(super) struct Outgoing {
    bytes: Bytes,
    chunk: usize,
    /// Its number in the watch of its connection, if somebody must see that it is taken.
    number: Option<u64>,
    ticket: Ticket,
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.ticket.watch.withdraw(number);
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.bytes.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(number) = this.number {
            this.ticket.watch.progress(number);
        }
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
        assert_eq!(fitted(false, 205, &["9"], "hello"), (vec![], 0));
        assert_eq!(fitted(false, 304, &["9"], ""), (vec![], 0));
    }

    #[test]
    fn headers_that_are_not_plain_are_dropped_one_by_one() {
        let mut headers = HeaderMap::new();
        for value in [b"a\tb ~".as_slice(), b"\xe4", b"c"] {
            headers.append("x", HeaderValue::from_bytes(value).expect("a value"));
        }
        headers.append("upgrade", HeaderValue::from_static("h2c"));
        drop_headers(&mut headers);
        assert_eq!(headers.get_all("x").iter().collect::<Vec<_>>(), ["a\tb ~", "c"]);
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn only_final_statuses_that_exist_are_sent() {
        for (status, sent) in [(103, 500), (200, 200), (599, 599), (600, 500), (999, 500)] {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            assert_eq!(sendable(response).status().as_u16(), sent, "{status}");
        }
    }
}
