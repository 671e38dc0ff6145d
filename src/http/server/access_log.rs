//! The access log: one line of JSON for each request, on standard error.
//!
//! A thread of its own writes. A request hands its line over and goes on; when lines come faster
//! than they are read, some are lost and counted. So a slow reader never slows a request.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// Lines that may wait to be written.
const QUEUE_LINES: usize = 4096;
/// How long the end of the server may wait for lines to be written.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// What is told as the fault of a request whose client went away, or that was cut off at the end.
pub(super) const ABANDONED: &str = "abandoned";

/// A line: what was asked, what was answered, how long it took.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    /// Milliseconds since 1970.
    pub(super) unix_ms: u64,
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    /// `null` where the client did not wait for an answer.
    pub(super) status: Option<u16>,
    /// Of the body of the answer.
    pub(super) bytes: u64,
    /// Milliseconds from the head of the request to the answer.
    pub(super) ms: u64,
    /// The code of a failure, or [`ABANDONED`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<String>,
}

enum Message {
    Line(Box<Entry>),
    End,
}

/// Where requests hand their lines over.
pub(super) struct AccessLog {
    lines: SyncSender<Message>,
    lost: AtomicU64,
}

/// The thread that writes.
pub(super) struct Writer {
    ended: Receiver<()>,
}

impl AccessLog {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<(Self, Writer)> {
        let (lines, queue) = sync_channel(QUEUE_LINES);
        let (end, ended) = sync_channel(1);
        let mut out = own_stderr()?;
        thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            write_all(&queue, &mut out);
            let _ = end.send(());
        })?;
        Ok((Self { lines, lost: AtomicU64::new(0) }, Writer { ended }))
    }

    /// Hands a line over, or counts it as lost.
    pub(super) fn write(&self, entry: Entry) {
        if self.lines.try_send(Message::Line(Box::new(entry))).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    /// Lets the thread write what it has; yields how many lines were lost.
    pub(super) fn close(&self, writer: &Writer) -> u64 {
        let until = Instant::now() + CLOSE_PATIENCE;
        while self.lines.try_send(Message::End).is_err() && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        let _ = writer.ended.recv_timeout(until.saturating_duration_since(Instant::now()));
        self.lost.load(Relaxed)
    }
}

/// Standard error without the lock of the process: whoever waits for a reader there would keep it,
/// and with it everybody who has something to say at the end.
#[cfg(unix)]
fn own_stderr() -> io::Result<std::fs::File> {
    use std::os::fd::AsFd;
    Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
}

#[cfg(not(unix))]
fn own_stderr() -> io::Result<io::Stderr> {
    Ok(io::stderr())
}

/// Milliseconds since 1970.
pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Writes lines as they come, several at once if they come fast.
fn write_all(queue: &Receiver<Message>, out: &mut impl Write) {
    let mut lines = Vec::new();
    while let Ok(first) = queue.recv() {
        let mut next = Some(first);
        let mut end = false;
        while let Some(message) = next {
            match message {
                Message::Line(entry) => {
                    // An entry is a plain structure, which can always be written as JSON.
                    let _ = serde_json::to_writer(&mut lines, &entry);
                    lines.push(b'\n');
                }
                Message::End => end = true,
            }
            next = match queue.try_recv() {
                Ok(message) if lines.len() < 64 * 1024 => Some(message),
                Ok(message) => {
                    flush(&mut lines, out);
                    Some(message)
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
            };
        }
        flush(&mut lines, out);
        if end {
            return;
        }
    }
}

/// A closed stream is nobody's problem.
fn flush(lines: &mut Vec<u8>, out: &mut impl Write) {
    let _ = out.write_all(lines).and_then(|()| out.flush());
    lines.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, fault: Option<&str>) -> Entry {
        Entry {
            unix_ms: 1,
            id: id.to_owned(),
            method: "GET".to_owned(),
            path: "/\"\n".to_owned(),
            status: fault.is_none().then_some(200),
            bytes: 5,
            ms: 0,
            fault: fault.map(str::to_owned),
        }
    }

    #[test]
    fn each_line_is_one_document() {
        let (lines, queue) = sync_channel(8);
        lines.send(Message::Line(Box::new(entry("a", None)))).expect("open");
        lines.send(Message::Line(Box::new(entry("b", Some("X"))))).expect("open");
        lines.send(Message::End).expect("open");
        let mut out = Vec::new();
        write_all(&queue, &mut out);
        assert_eq!(
            String::from_utf8(out).expect("text"),
            concat!(
                "{\"unix_ms\":1,\"id\":\"a\",\"method\":\"GET\",\"path\":\"/\\\"\\n\",\"status\":200,\"bytes\":5,\"ms\":0}\n",
                "{\"unix_ms\":1,\"id\":\"b\",\"method\":\"GET\",\"path\":\"/\\\"\\n\",\"status\":null,\"bytes\":5,\"ms\":0,\"fault\":\"X\"}\n",
            )
        );
    }

    #[test]
    fn lines_that_find_no_room_are_counted() {
        let (lines, _queue) = sync_channel(1);
        let log = AccessLog { lines, lost: AtomicU64::new(0) };
        for _ in 0..3 {
            log.write(entry("a", None));
        }
        assert_eq!(log.lost.load(Relaxed), 2);
    }
}
