//! The bytes of a connection: which protocol they speak, and how they flow.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::watch::Watch;

/// With these bytes a client says that it speaks HTTP/2.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes that are read at first, enough for most requests.
const FIRST_READ_BYTES: usize = 4096;
/// How long the rest of what a client sends is taken after the last answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_READ_BYTES: usize = 16 * 1024;

/// What a client began with.
pub(super) struct Opening {
    /// Bytes that were read and belong to the first request.
    pub(super) head: Bytes,
    /// Whether they are HTTP/2.
    pub(super) http2: bool,
}

/// Reads until the protocol is clear; `None` if the client went away before.
pub(super) async fn opening(stream: &TcpStream, watch: &Watch) -> io::Result<Option<Opening>> {
    stream.readable().await?;
    let mut head = BytesMut::with_capacity(FIRST_READ_BYTES);
    loop {
        match stream.try_read_buf(&mut head) {
            Ok(0) => return Ok(None),
            Ok(_) => watch.received(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                stream.readable().await?;
                continue;
            }
            Err(error) => return Err(error),
        }
        let known = head.len().min(HTTP2_PREFACE.len());
        let http2 = head.get(..known) == HTTP2_PREFACE.get(..known);
        if !http2 || known == HTTP2_PREFACE.len() {
            return Ok(Some(Opening { head: head.freeze(), http2 }));
        }
    }
}

/// A stream that tells its [`Watch`] what happens on it, and gives bytes again that were read to
/// learn the protocol.
pub(super) struct Watched {
    stream: TcpStream,
    head: Bytes,
    watch: Arc<Watch>,
}

impl Watched {
    pub(super) fn new(stream: TcpStream, head: Bytes, watch: Arc<Watch>) -> Self {
        Self { stream, head, watch }
    }

    /// The stream itself.
    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    fn noted<T>(&self, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_pending() {
            self.watch.blocked();
        }
        outcome
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.head.is_empty() {
            let count = self.head.len().min(buf.remaining());
            buf.put_slice(&self.head.split_to(count));
            self.watch.received();
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.watch.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.noted(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.noted(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when nothing is left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.watch.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Ends our side, and takes what the client still sends, until it ends or for a short time: were the
/// socket closed with bytes unread, the client would be told to forget the answer that it may not
/// have read yet.
pub(super) async fn linger(stream: &mut TcpStream) {
    let until = Instant::now() + LINGER;
    // It may be ended already, or the client may be gone.
    let _ = stream.shutdown().await;
    let mut sink = vec![0; LINGER_READ_BYTES];
    while let Ok(Ok(())) = timeout_at(until, stream.readable()).await {
        match stream.try_read(&mut sink) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
        if Instant::now() >= until {
            return;
        }
    }
}

/// Tells a client that was too slow, as far as that is possible without waiting.
pub(super) fn send_timeout(stream: &TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    // Whoever does not take this was not told, and is not worth the wait.
    let _ = stream.try_write(ANSWER);
}
