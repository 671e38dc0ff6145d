//! What a connection is doing, seen by everyone who has to know: the connection itself, which ends
//! when the client takes too long; its requests; and the server, which closes idle connections when
//! it needs room.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The client, to begin a request.
    Idle,
    /// The client, to finish the head of a request.
    Head,
    /// The client, to finish the body of a request.
    Body,
    /// Us.
    Working,
    /// The client, to take an answer.
    Sending,
}

const PHASES: [Phase; 5] = [Phase::Idle, Phase::Head, Phase::Body, Phase::Working, Phase::Sending];
const PHASE_BITS: u32 = 3;

/// A connection that was idle for less time is not closed for another one: its client may be about
/// to write.
const IDLE_AT_LEAST: Duration = Duration::from_millis(100);
/// The same for a connection whose client is slow.
const SLOW_AT_LEAST: Duration = Duration::from_secs(1);

const EVICT: u8 = 1;
const STOP: u8 = 2;

/// The state of one connection.
pub(super) struct Watch {
    /// When the server started; times are kept relative to it.
    started: Instant,
    /// The phase and the millisecond in which it began, in one number.
    phase: AtomicU64,
    /// Requests that have begun and whose answers were not taken.
    active: AtomicU32,
    /// Those among them that are not answered.
    working: AtomicU32,
    signals: AtomicU8,
    wake: Notify,
}

impl Watch {
    pub(super) fn new(started: Instant) -> Self {
        let watch = Self {
            started,
            phase: AtomicU64::new(0),
            active: AtomicU32::new(0),
            working: AtomicU32::new(0),
            signals: AtomicU8::new(0),
            wake: Notify::new(),
        };
        watch.enter(Phase::Idle);
        watch
    }

    /// The phase, and when it began.
    pub(super) fn phase(&self) -> (Phase, Instant) {
        let word = self.phase.load(Relaxed);
        let index = usize::try_from(word & ((1 << PHASE_BITS) - 1)).unwrap_or(0);
        let phase = PHASES.get(index).copied().unwrap_or(Phase::Working);
        (phase, self.started + Duration::from_millis(word >> PHASE_BITS))
    }

    fn enter(&self, phase: Phase) {
        let now = self.started.elapsed();
        let ms = now.as_secs().saturating_mul(1000).saturating_add(now.subsec_millis().into());
        let index = PHASES.iter().position(|p| *p == phase).unwrap_or(0);
        self.phase.store((ms << PHASE_BITS) | index as u64, Relaxed);
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        if self.phase().0 == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    /// The client does not take bytes as fast as they are written.
    pub(super) fn blocked(&self) {
        if self.phase().0 == Phase::Idle {
            self.enter(Phase::Sending);
        }
    }

    /// All that was written is on its way.
    pub(super) fn flushed(&self) {
        if self.phase().0 == Phase::Sending && self.active.load(Relaxed) == 0 {
            self.enter(Phase::Idle);
        }
    }

    /// The head of a request is there; its body may be on its way.
    pub(super) fn begin(&self, has_body: bool) {
        self.working.fetch_add(1, Relaxed);
        let others = self.active.fetch_add(1, Relaxed);
        self.enter(if has_body && others == 0 { Phase::Body } else { Phase::Working });
    }

    /// The body of a request is there.
    pub(super) fn complete(&self) {
        self.enter(Phase::Working);
    }

    /// A request is answered.
    pub(super) fn answered(&self) {
        self.working.fetch_sub(1, Relaxed);
        self.settle();
    }

    /// The client takes its answer.
    pub(super) fn progress(&self) {
        if self.phase().0 == Phase::Sending {
            self.enter(Phase::Sending);
        }
    }

    /// An answer was taken, or its request given up.
    pub(super) fn done(&self) {
        self.active.fetch_sub(1, Relaxed);
        self.settle();
    }

    fn settle(&self) {
        self.enter(if self.working.load(Relaxed) > 0 {
            Phase::Working
        } else if self.active.load(Relaxed) > 0 {
            Phase::Sending
        } else {
            Phase::Idle
        });
    }

    /// Whether the connection may be closed for another one, and how readily: the lower, the
    /// better. What we work on ourselves is never given up.
    pub(super) fn dispensable(&self) -> Option<(u8, Instant)> {
        let (phase, since) = self.phase();
        let (rank, at_least) = match phase {
            Phase::Idle => (0, IDLE_AT_LEAST),
            Phase::Head => (1, SLOW_AT_LEAST),
            Phase::Sending => (2, SLOW_AT_LEAST),
            Phase::Body => (3, SLOW_AT_LEAST),
            Phase::Working => return None,
        };
        (since.elapsed() >= at_least).then_some((rank, since))
    }

    /// Asks the connection to end if it is still dispensable.
    pub(super) fn evict(&self) {
        self.signal(EVICT);
    }

    /// Asks the connection to end when its requests are answered.
    pub(super) fn stop(&self) {
        self.signal(STOP);
    }

    fn signal(&self, signal: u8) {
        self.signals.fetch_or(signal, Relaxed);
        self.wake.notify_one();
    }

    /// Waits until somebody asks for something.
    pub(super) async fn signalled(&self) {
        self.wake.notified().await;
    }

    /// Whether [`Self::evict`] was called since the last look.
    pub(super) fn take_evict(&self) -> bool {
        self.signals.fetch_and(!EVICT, Relaxed) & EVICT != 0
    }

    /// Whether [`Self::stop`] was called.
    pub(super) fn stopped(&self) -> bool {
        self.signals.load(Relaxed) & STOP != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase_of(watch: &Watch) -> Phase {
        watch.phase().0
    }

    #[test]
    fn a_connection_goes_from_idle_to_idle() {
        let watch = Watch::new(Instant::now());
        assert_eq!(phase_of(&watch), Phase::Idle);
        watch.received();
        assert_eq!(phase_of(&watch), Phase::Head);
        watch.begin(true);
        assert_eq!(phase_of(&watch), Phase::Body);
        watch.received();
        watch.blocked();
        assert_eq!(phase_of(&watch), Phase::Body);
        watch.complete();
        assert_eq!(phase_of(&watch), Phase::Working);
        watch.answered();
        assert_eq!(phase_of(&watch), Phase::Sending);
        watch.done();
        assert_eq!(phase_of(&watch), Phase::Idle);
        watch.blocked();
        assert_eq!(phase_of(&watch), Phase::Sending);
        watch.flushed();
        assert_eq!(phase_of(&watch), Phase::Idle);
    }

    #[test]
    fn while_any_request_is_worked_on_the_connection_is_busy() {
        let watch = Watch::new(Instant::now());
        watch.begin(false);
        watch.begin(true);
        assert_eq!(phase_of(&watch), Phase::Working);
        watch.answered();
        assert_eq!(phase_of(&watch), Phase::Working);
        watch.answered();
        assert_eq!(phase_of(&watch), Phase::Sending);
        watch.flushed();
        assert_eq!(phase_of(&watch), Phase::Sending, "answers are still to be taken");
        watch.done();
        watch.done();
        assert_eq!(phase_of(&watch), Phase::Idle);
    }

    #[test]
    fn only_what_waits_for_its_client_is_dispensable() {
        let long_ago = Instant::now().checked_sub(Duration::from_secs(10)).expect("the machine runs for longer");
        // The phase began when the server started.
        let watch = Watch { started: long_ago, ..Watch::new(Instant::now()) };
        assert_eq!(watch.dispensable().map(|d| d.0), Some(0));
        assert_eq!(Watch::new(Instant::now()).dispensable(), None, "its client may be about to write");
        watch.begin(false);
        assert_eq!(watch.dispensable(), None);
    }

    #[tokio::test]
    async fn a_signal_is_not_lost() {
        let watch = Watch::new(Instant::now());
        watch.evict();
        watch.stop();
        watch.signalled().await;
        assert!(watch.take_evict());
        assert!(!watch.take_evict());
        assert!(watch.stopped());
    }
}
