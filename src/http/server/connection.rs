//! One connection, from its first byte to its last.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};

use super::config::Timeouts;
use super::exchange::exchange;
use super::stream::{self, Opening, Watched};
use super::watch::{Phase, Watch};
use super::{Counters, Service, Shared};

/// How long a client that has begun nothing is waited for once the server stops.
const FAREWELL: Duration = Duration::from_millis(500);

/// Serves a connection until the client ends it, is too slow, or has to make room.
pub(super) async fn serve<S: Service>(
    shared: Arc<Shared<S>>,
    watch: Arc<Watch>,
    stream: TcpStream,
    _slot: OwnedSemaphorePermit,
) {
    let mut driver = Driver::new(Arc::clone(&watch), Arc::clone(&shared.counters), shared.timeouts);
    // A stopping server does not wait for a client that has said nothing yet.
    let opening = driver.drive(pin!(stream::opening(&stream, &watch)), |_| false).await;
    let Some(Ok(Some(Opening { head, http2 }))) = opening else {
        if driver.slow_head() {
            stream::send_timeout(&stream);
        }
        return;
    };
    if http2 {
        watch.speaks_http2();
    }
    let io = TokioIo::new(Watched::new(stream, head, Arc::clone(&watch)));
    let service = service_fn({
        let shared = Arc::clone(&shared);
        move |request| exchange(Arc::clone(&shared), Arc::clone(&watch), request)
    });
    if http2 {
        let mut connection = pin!(shared.http2.serve_connection(io, service));
        // What went wrong was between the client and the library; the streams were answered.
        let _ = driver
            .drive(connection.as_mut(), |connection| {
                connection.graceful_shutdown();
                true
            })
            .await;
        return;
    }
    let mut connection = shared.http1.serve_connection(io, service);
    let ended = driver
        .drive(Pin::new(&mut connection), |connection| {
            connection.graceful_shutdown();
            true
        })
        .await;
    let mut stream = connection.into_parts().io.into_inner().into_stream();
    match ended {
        Some(outcome) => {
            if let Some(error) = outcome.err().filter(hyper::Error::is_parse) {
                shared.counters.malformed(&error);
            }
            stream::linger(&mut stream).await;
        }
        None if driver.slow_head() => stream::send_timeout(&stream),
        None => {}
    }
}

/// What happened to a connection.
enum Step<T> {
    Ended(T),
    TooSlow,
    Signalled,
}

/// Lets a connection work as long as its client keeps to the limits.
struct Driver {
    watch: Arc<Watch>,
    counters: Arc<Counters>,
    timeouts: Timeouts,
    alarm: Alarm,
    /// When the server began to stop.
    stopping: Option<Instant>,
    too_slow_in: Option<Phase>,
}

impl Driver {
    fn new(watch: Arc<Watch>, counters: Arc<Counters>, timeouts: Timeouts) -> Self {
        Self { watch, counters, timeouts, alarm: Alarm::new(), stopping: None, too_slow_in: None }
    }

    /// Runs `work` to its end; `None` if it was given up. `stop` is called when the server stops,
    /// and says whether the work goes on.
    async fn drive<F: Future>(
        &mut self,
        mut work: Pin<&mut F>,
        stop: impl Fn(Pin<&mut F>) -> bool,
    ) -> Option<F::Output> {
        let watch = Arc::clone(&self.watch);
        loop {
            let step = tokio::select! {
                biased;
                step = poll_fn(|cx| match work.as_mut().poll(cx) {
                    Poll::Ready(output) => Poll::Ready(Step::Ended(output)),
                    Poll::Pending => self.poll_deadline(cx).map(|()| Step::TooSlow),
                }) => step,
                () = watch.signalled() => Step::Signalled,
            };
            match step {
                Step::Ended(output) => return Some(output),
                Step::TooSlow => {
                    // An idle client did nothing wrong, nor did one that the end of the server surprised.
                    let phase = watch.phase().0;
                    if self.stopping.is_none() && phase != Phase::Idle {
                        self.too_slow_in = Some(phase);
                        self.counters.too_slow.fetch_add(1, Relaxed);
                    }
                    return None;
                }
                Step::Signalled => {
                    if watch.take_evict() && watch.dispensable().is_some() {
                        self.counters.evicted.fetch_add(1, Relaxed);
                        return None;
                    }
                    if watch.stopped() && self.stopping.is_none() {
                        self.stopping = Some(Instant::now());
                        if !stop(work.as_mut()) {
                            return None;
                        }
                    }
                }
            }
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.due();
        self.alarm.poll(cx, due)
    }

    /// When the client will have taken too long; `None` while it is not the client that we wait for.
    /// The body of a request has a limit of its own, after which it is answered.
    fn due(&self) -> Option<Instant> {
        // An answer that is not taken cannot hide behind other requests.
        let neglected = self.watch.neglected().map(|since| since + self.timeouts.body);
        match (self.due_in_phase(), neglected) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    fn due_in_phase(&self) -> Option<Instant> {
        let (phase, since) = self.watch.phase();
        let patience = match phase {
            Phase::Idle => self.timeouts.idle,
            Phase::Head => self.timeouts.header,
            Phase::Sending => self.timeouts.body,
            Phase::Body | Phase::Working => return None,
        };
        let due = since + patience;
        match self.stopping {
            Some(stopping) if phase != Phase::Sending => Some(due.min(since.max(stopping) + FAREWELL)),
            _ => Some(due),
        }
    }

    /// Whether the client took too long for the head of a request.
    fn slow_head(&self) -> bool {
        self.too_slow_in == Some(Phase::Head)
    }
}

/// A clock that is set forward lazily: as long as things go on, it is not touched.
struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    set_to: Option<Instant>,
}

impl Alarm {
    const fn new() -> Self {
        Self { sleep: None, set_to: None }
    }

    /// Ready once `due` has passed.
    fn poll(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> Poll<()> {
        if let Some(due) = due
            && self.set_to.is_none_or(|set_to| due < set_to)
        {
            self.set(due);
        }
        while self.set_to.is_some() {
            let Some(sleep) = &mut self.sleep else { break };
            if sleep.as_mut().poll(cx).is_pending() {
                break;
            }
            match due {
                Some(due) if due <= Instant::now() => return Poll::Ready(()),
                Some(due) => self.set(due),
                None => self.set_to = None,
            }
        }
        Poll::Pending
    }

    fn set(&mut self, due: Instant) {
        self.set_to = Some(due);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(due),
            None => self.sleep = Some(Box::pin(sleep_until(due))),
        }
    }
}
