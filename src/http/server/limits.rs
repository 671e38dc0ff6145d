//! How many connections there may be and how many requests are worked on at a time.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use super::shutdown::{Level, Stop};
use super::watch::Watch;

/// Longest wait for a turn. Whoever waits longer is better told to come again.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between two attempts to make room for a connection.
const ROOM_INTERVAL: Duration = Duration::from_millis(20);
/// Part of the connections that are asked to end when there is no room: looking for them takes time,
/// and more clients will come.
const EVICT_SHARE: usize = 32;

/// File descriptors for everything but connections: files, the engine, the runtime.
const OTHER_DESCRIPTORS: u64 = 128;
/// File descriptors that a request may need besides its connection.
const DESCRIPTORS_PER_REQUEST: u64 = 4;

/// The service is busy and so many requests wait already, or for so long, that another cannot.
#[derive(Debug)]
pub(super) struct Busy;

/// Lets so many requests through at a time. Others wait in the order in which they came.
pub(super) struct Gate {
    turns: Semaphore,
    waiting: AtomicUsize,
    most_waiting: usize,
}

impl Gate {
    pub(super) fn new(concurrent: u32, most_waiting: u32) -> Self {
        let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        Self {
            turns: Semaphore::new(size(concurrent).min(Semaphore::MAX_PERMITS)),
            waiting: AtomicUsize::new(0),
            most_waiting: size(most_waiting),
        }
    }

    /// Waits for a turn, which lasts until the permit is dropped.
    pub(super) async fn enter(&self) -> Result<SemaphorePermit<'_>, Busy> {
        if let Ok(turn) = self.turns.try_acquire() {
            return Ok(turn);
        }
        let queue = Queue(&self.waiting);
        if self.waiting.fetch_add(1, Relaxed) >= self.most_waiting {
            return Err(Busy);
        }
        let turn = timeout(PATIENCE, self.turns.acquire()).await;
        drop(queue);
        match turn {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Busy),
        }
    }
}

/// Leaves the queue when dropped, also when the client goes away.
struct Queue<'g>(&'g AtomicUsize);

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Room for connections.
pub(super) struct Slots {
    free: Arc<Semaphore>,
    size: u32,
    live: Vec<Weak<Watch>>,
}

impl Slots {
    pub(super) fn new(size: u32) -> Self {
        let permits = usize::try_from(size).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(permits)), size, live: Vec::new() }
    }

    /// Room for one more connection, if need be at the expense of one that waits for its client.
    /// While all of them are worked on, the new one waits. `None` if the server stops.
    pub(super) async fn admit(&self, stop: &Stop) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(slot) = Arc::clone(&self.free).try_acquire_owned() {
                return Some(slot);
            }
            self.make_room();
            tokio::select! {
                biased;
                () = stop.reached(Level::Stop) => return None,
                slot = timeout(ROOM_INTERVAL, Arc::clone(&self.free).acquire_owned()) => {
                    if let Ok(Ok(slot)) = slot {
                        return Some(slot);
                    }
                }
            }
        }
    }

    /// Asks the most dispensable connections to end.
    pub(super) fn make_room(&self) {
        let mut found: Vec<(u8, Instant, Arc<Watch>)> = self
            .live
            .iter()
            .filter_map(Weak::upgrade)
            .filter_map(|watch| watch.dispensable().map(|(rank, since)| (rank, since, watch)))
            .collect();
        let share = (found.len() / EVICT_SHARE).max(1);
        found.sort_by_key(|(rank, since, _)| (*rank, *since));
        for (_, _, watch) in found.iter().take(share) {
            watch.evict();
        }
    }

    /// Remembers a connection, to find it again in [`Self::make_room`] and [`Self::stop_all`].
    pub(super) fn keep(&mut self, watch: &Arc<Watch>) {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        if self.live.len() >= size.saturating_mul(2).max(64) {
            self.live.retain(|watch| watch.strong_count() > 0);
        }
        self.live.push(Arc::downgrade(watch));
    }

    /// Asks all connections to end when their requests are answered.
    pub(super) fn stop_all(&self) {
        self.live.iter().filter_map(Weak::upgrade).for_each(|watch| watch.stop());
    }

    /// Waits until no connection is left.
    pub(super) async fn empty(&self) {
        // The semaphore is never closed.
        let _ = self.free.acquire_many(self.size).await;
    }

    /// How many connections there are.
    pub(super) fn taken(&self) -> u64 {
        let free = u64::try_from(self.free.available_permits()).unwrap_or(u64::MAX);
        u64::from(self.size).saturating_sub(free)
    }
}

/// How many connections this process can have, at most `wanted`. The limit of file descriptors is
/// raised as far as that is allowed; without this, a client could use them up and stop everybody.
pub(super) fn connections(wanted: u32, concurrent: u32) -> u32 {
    let others = OTHER_DESCRIPTORS + DESCRIPTORS_PER_REQUEST * u64::from(concurrent);
    match descriptors(u64::from(wanted) + others) {
        None => wanted,
        Some(limit) => {
            // Where even the others do not fit, half of what there is has to do.
            let room = limit.saturating_sub(others).max(limit / 2).max(1);
            u32::try_from(room).unwrap_or(u32::MAX).min(wanted)
        }
    }
}

/// The limit of file descriptors, raised towards `wanted` if it is lower; `None` if there is none.
#[cfg(unix)]
fn descriptors(wanted: u64) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current?;
    let target = limit.maximum.map_or(wanted, |most| most.min(wanted));
    if target <= current {
        return Some(current);
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(target), maximum: limit.maximum }) {
        Ok(()) => Some(target),
        Err(_) => Some(current),
    }
}

#[cfg(not(unix))]
fn descriptors(_wanted: u64) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn so_many_go_through_and_so_many_wait() {
        let gate = Arc::new(Gate::new(1, 1));
        let first = gate.enter().await.expect("a turn");
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter().await.is_ok() }
        });
        while gate.waiting.load(Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(gate.enter().await.is_err(), "one waits already");
        drop(first);
        assert!(waiting.await.expect("no panic"));
        assert_eq!(gate.waiting.load(Relaxed), 0);
        assert!(gate.enter().await.is_ok());
    }

    #[tokio::test]
    async fn whoever_goes_away_leaves_the_queue() {
        let gate = Gate::new(1, 1);
        let _first = gate.enter().await.expect("a turn");
        for _ in 0..3 {
            assert!(timeout(Duration::from_millis(5), gate.enter()).await.is_err(), "it waits");
            assert_eq!(gate.waiting.load(Relaxed), 0);
        }
    }

    #[test]
    fn the_number_of_connections_is_within_what_is_wanted() {
        for (wanted, concurrent) in [(1, 1), (1, 60_000), (100, 16), (1_000_000, 16)] {
            let room = connections(wanted, concurrent);
            assert!((1..=wanted).contains(&room), "{wanted} {concurrent}: {room}");
        }
    }

    #[tokio::test]
    async fn a_stopping_server_admits_nobody() {
        let slots = Slots::new(1);
        let stop = Stop::new();
        let slot = slots.admit(&stop).await;
        assert!(slot.is_some());
        assert_eq!(slots.taken(), 1);
        stop.raise(Level::Stop);
        assert!(slots.admit(&stop).await.is_none());
        drop(slot);
        slots.empty().await;
        assert_eq!(slots.taken(), 0);
    }
}
