//! What a connection is doing, seen by everyone who has to know: the connection itself, which ends
//! when the client takes too long; its requests; and the server, which closes idle connections when
//! it needs room.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
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
    /// Whether it speaks HTTP/2, where bytes need not belong to a request.
    http2: AtomicBool,
    /// Answers that the client has not taken as a whole, and when it last took something of each.
    untaken: Mutex<BTreeMap<u64, Instant>>,
    /// The number of the next of them.
    next_answer: AtomicU64,
    /// The one place that all its requests have in the queue for a turn.
    place: Semaphore,
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
            http2: AtomicBool::new(false),
            untaken: Mutex::new(BTreeMap::new()),
            next_answer: AtomicU64::new(0),
            place: Semaphore::new(1),
            signals: AtomicU8::new(0),
            wake: Notify::new(),
        };
        watch.enter(Phase::Idle);
        watch
    }

    /// The phase, and when it began.
    pub(super) fn phase(&self) -> (Phase, Instant) {
        let word = self.phase.load(Relaxed);
        (phase_in(word), self.started + Duration::from_millis(word >> PHASE_BITS))
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(self.word(phase), Relaxed);
    }

    /// Goes from one phase to another, or begins the same one anew, unless it is in a third one.
    fn shift(&self, from: Phase, to: Phase) {
        let word = self.phase.load(Relaxed);
        if phase_in(word) == from {
            // If the phase has just changed elsewhere, that change counts.
            let _ = self.phase.compare_exchange(word, self.word(to), Relaxed, Relaxed);
        }
    }

    /// A phase that begins now.
    fn word(&self, phase: Phase) -> u64 {
        let now = self.started.elapsed();
        let ms = now.as_secs().saturating_mul(1000).saturating_add(now.subsec_millis().into());
        let index = PHASES.iter().position(|p| *p == phase).unwrap_or(0);
        (ms << PHASE_BITS) | index as u64
    }

    /// The client has said that it speaks HTTP/2. What it sends from now on need not be part of a
    /// request, so that bytes tell nothing about what it waits for.
    pub(super) fn speaks_http2(&self) {
        self.http2.store(true, Relaxed);
        self.shift(Phase::Head, Phase::Idle);
    }

    /// Whether [`Self::speaks_http2`] was called.
    pub(super) fn is_http2(&self) -> bool {
        self.http2.load(Relaxed)
    }

    /// Bytes came. A body that makes progress begins its phase anew: how long it may take in all is
    /// watched elsewhere.
    pub(super) fn received(&self) {
        match self.phase().0 {
            Phase::Idle if !self.is_http2() => self.shift(Phase::Idle, Phase::Head),
            Phase::Body => self.shift(Phase::Body, Phase::Body),
            _ => {}
        }
    }

    /// The client does not take bytes as fast as they are written.
    pub(super) fn blocked(&self) {
        self.shift(Phase::Idle, Phase::Sending);
    }

    /// All that was written is on its way.
    pub(super) fn flushed(&self) {
        if self.active.load(Relaxed) == 0 {
            self.shift(Phase::Sending, Phase::Idle);
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

    /// There is an answer to be taken; yields its number.
    pub(super) fn offer(&self) -> u64 {
        let number = self.next_answer.fetch_add(1, Relaxed);
        self.answers().insert(number, Instant::now());
        number
    }

    /// The client takes some of an answer.
    pub(super) fn progress(&self, answer: u64) {
        self.shift(Phase::Sending, Phase::Sending);
        if let Some(since) = self.answers().get_mut(&answer) {
            *since = Instant::now();
        }
    }

    /// Nobody waits for an answer to be taken any longer.
    pub(super) fn withdraw(&self, answer: u64) {
        self.answers().remove(&answer);
    }

    /// Since when the answer that was neglected for the longest time waits. What happens to others
    /// does not matter.
    pub(super) fn neglected(&self) -> Option<Instant> {
        self.answers().values().min().copied()
    }

    fn answers(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.untaken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What one of its requests at a time can hold while it queues for a turn.
    pub(super) const fn place(&self) -> &Semaphore {
        &self.place
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

fn phase_in(word: u64) -> Phase {
    let index = usize::try_from(word & ((1 << PHASE_BITS) - 1)).unwrap_or(0);
    PHASES.get(index).copied().unwrap_or(Phase::Working)
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

    #[test]
    fn bytes_of_http_2_begin_nothing() {
        let watch = Watch::new(Instant::now());
        watch.received();
        watch.speaks_http2();
        assert_eq!(phase_of(&watch), Phase::Idle);
        watch.received();
        assert_eq!(phase_of(&watch), Phase::Idle);
    }

    #[test]
    fn the_most_neglected_answer_is_found() {
        let watch = Watch::new(Instant::now());
        assert_eq!(watch.neglected(), None);
        let (first, second) = (watch.offer(), watch.offer());
        let since = watch.neglected().expect("two wait");
        watch.progress(second);
        assert_eq!(watch.neglected(), Some(since), "the first still waits");
        watch.withdraw(first);
        assert!(watch.neglected().is_some_and(|second| second >= since));
        watch.withdraw(second);
        assert_eq!(watch.neglected(), None);
    }

    #[test]
    fn a_body_that_makes_progress_is_not_dispensable() {
        let long_ago = Instant::now().checked_sub(Duration::from_secs(10)).expect("the machine runs for longer");
        let watch = Watch { started: long_ago, ..Watch::new(Instant::now()) };
        watch.phase.store(2, Relaxed);
        assert_eq!(phase_of(&watch), Phase::Body);
        assert_eq!(watch.dispensable().map(|d| d.0), Some(3));
        watch.received();
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
