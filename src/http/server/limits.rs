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

/// Least room for bodies.
const LEAST_ROOM_BYTES: u64 = 256 << 20;
/// Room is given out in parts of so many bytes.
const PART_BYTES: u64 = 16 * 1024;
/// So much of each body is not counted: connections are limited, and small requests should pass when
/// large ones have taken all room.
const SMALL_BODY_BYTES: u64 = 16 * 1024;

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

    /// Waits for a turn, which lasts until the permit is dropped. The requests of a connection share
    /// its one `place` in the queue, so that a connection with many of them gets no more turns than
    /// one with a single request, and cannot fill the queue.
    pub(super) async fn enter<'g>(&'g self, place: &Semaphore) -> Result<SemaphorePermit<'g>, Busy> {
        if let Ok(turn) = self.turns.try_acquire() {
            return Ok(turn);
        }
        timeout(PATIENCE, self.queue(place)).await.unwrap_or(Err(Busy))
    }

    async fn queue<'g>(&'g self, place: &Semaphore) -> Result<SemaphorePermit<'g>, Busy> {
        // Neither semaphore is ever closed.
        let _place = place.acquire().await.map_err(|_| Busy)?;
        let _queue = Queue(&self.waiting);
        if self.waiting.fetch_add(1, Relaxed) >= self.most_waiting {
            return Err(Busy);
        }
        self.turns.acquire().await.map_err(|_| Busy)
    }
}

/// Leaves the queue when dropped, also when the client goes away.
struct Queue<'g>(&'g AtomicUsize);

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Room in memory for the bodies of requests, from their first bytes to their answers, and for the
/// bodies of answers until they were taken.
///
/// A body is received before its request takes its turn, and an answer is sent after it, so that a
/// slow client holds nobody up. That many clients send or are sent large ones at the same time must
/// still not take all memory.
pub(super) struct Room {
    free: Arc<Semaphore>,
    /// Parts in all.
    size: u32,
}

/// Room that is taken, until it is dropped.
pub(super) type Held = OwnedSemaphorePermit;

impl Room {
    /// Room for at least two requests for each one that can be worked on.
    pub(super) fn new(max_request_bytes: u64, concurrent: u32) -> Self {
        let bytes = max_request_bytes.saturating_mul(u64::from(concurrent)).saturating_mul(2).max(LEAST_ROOM_BYTES);
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        Self::of_parts(u32::try_from(bytes.div_ceil(PART_BYTES)).unwrap_or(u32::MAX).min(most))
    }

    fn of_parts(size: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(usize::try_from(size).unwrap_or(usize::MAX))), size }
    }

    /// Parts that a body takes. One that is larger than all room takes all of it.
    fn parts(&self, bytes: u64) -> u32 {
        let parts = bytes.saturating_sub(SMALL_BODY_BYTES).div_ceil(PART_BYTES);
        u32::try_from(parts).unwrap_or(u32::MAX).min(self.size)
    }

    /// Parts that a body needs besides those that are held.
    fn lacking(&self, held: Option<&Held>, bytes: u64) -> u32 {
        let held = held.map_or(0, Held::num_permits);
        self.parts(bytes).saturating_sub(u32::try_from(held).unwrap_or(u32::MAX))
    }

    /// Takes room for a body that has grown to `bytes`, on top of what is held for it.
    pub(super) async fn grow(&self, held: &mut Option<Held>, bytes: u64) -> Result<(), Busy> {
        let more = self.lacking(held.as_ref(), bytes);
        if more == 0 {
            return Ok(());
        }
        let permit = match Arc::clone(&self.free).try_acquire_many_owned(more) {
            Ok(permit) => permit,
            Err(_) => match timeout(PATIENCE, Arc::clone(&self.free).acquire_many_owned(more)).await {
                Ok(Ok(permit)) => permit,
                _ => return Err(Busy),
            },
        };
        join(held, permit);
        Ok(())
    }

    /// Turns the room of a request, whose body is gone, into room for an answer of `bytes`. There is
    /// no waiting: the answer takes its memory already.
    pub(super) fn answer(&self, mut held: Option<Held>, bytes: u64) -> Result<Option<Held>, Busy> {
        let more = self.lacking(held.as_ref(), bytes);
        if more > 0 {
            let permit = Arc::clone(&self.free).try_acquire_many_owned(more).map_err(|_| Busy)?;
            join(&mut held, permit);
        }
        let parts = usize::try_from(self.parts(bytes)).unwrap_or(usize::MAX);
        // What is not split off is given back.
        Ok(held.and_then(|mut held| held.split(parts)).filter(|held| held.num_permits() > 0))
    }
}

fn join(held: &mut Option<Held>, permit: Held) {
    match held {
        Some(held) => held.merge(permit),
        None => *held = Some(permit),
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
                () = stop.reached(Level::Last) => return None,
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
    use std::sync::Mutex;

    #[tokio::test]
    async fn so_many_go_through_and_so_many_wait() {
        let gate = Arc::new(Gate::new(1, 1));
        let place = Semaphore::new(1);
        let first = gate.enter(&place).await.expect("a turn");
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter(&Semaphore::new(1)).await.is_ok() }
        });
        while gate.waiting.load(Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(gate.enter(&place).await.is_err(), "one waits already");
        drop(first);
        assert!(waiting.await.expect("no panic"));
        assert_eq!(gate.waiting.load(Relaxed), 0);
        assert!(gate.enter(&place).await.is_ok());
    }

    #[tokio::test]
    async fn a_connection_has_one_place_in_the_queue() {
        let gate = Gate::new(1, 2);
        let (greedy, modest) = (Semaphore::new(1), Semaphore::new(1));
        let first = gate.enter(&greedy).await.expect("a turn");
        let order = Mutex::new(Vec::new());
        let enter = async |name: &'static str, place: &Semaphore| {
            let turn = gate.enter(place).await.expect("a turn");
            order.lock().expect("no panic").push(name);
            drop(turn);
        };
        let open = async {
            while gate.waiting.load(Relaxed) < 2 {
                tokio::task::yield_now().await;
            }
            drop(first);
        };
        tokio::join!(enter("a", &greedy), enter("b", &greedy), enter("c", &modest), open);
        assert_eq!(*order.lock().expect("no panic"), ["a", "c", "b"]);
    }

    #[tokio::test]
    async fn large_bodies_share_the_room_and_small_ones_need_none() {
        let room = Room::of_parts(3);
        let (mut first, mut second, mut small) = (None, None, None);
        assert!(room.grow(&mut first, SMALL_BODY_BYTES + 1).await.is_ok());
        assert!(room.grow(&mut first, SMALL_BODY_BYTES + PART_BYTES).await.is_ok());
        assert_eq!(room.free.available_permits(), 2, "it fits in what is held already");
        assert!(room.grow(&mut second, SMALL_BODY_BYTES + 2 * PART_BYTES).await.is_ok());
        assert_eq!(room.free.available_permits(), 0);
        assert!(room.grow(&mut small, SMALL_BODY_BYTES).await.is_ok() && small.is_none());
        let late = timeout(Duration::from_millis(5), room.grow(&mut first, SMALL_BODY_BYTES + PART_BYTES + 1)).await;
        assert!(late.is_err(), "it waits");
        drop(second);
        assert!(room.grow(&mut first, SMALL_BODY_BYTES + PART_BYTES + 1).await.is_ok());
        drop(first);
        assert_eq!(room.free.available_permits(), 3);
    }

    #[tokio::test]
    async fn an_answer_takes_over_the_room_of_its_request() {
        let room = Room::of_parts(3);
        let mut held = None;
        assert!(room.grow(&mut held, SMALL_BODY_BYTES + 2 * PART_BYTES).await.is_ok());
        let smaller = room.answer(held, SMALL_BODY_BYTES + 1).expect("room");
        assert_eq!(room.free.available_permits(), 2, "the rest is given back");
        assert!(room.answer(None, SMALL_BODY_BYTES).expect("room").is_none());
        assert!(room.answer(None, SMALL_BODY_BYTES + 3 * PART_BYTES).is_err(), "it does not wait");
        let larger = room.answer(smaller, u64::MAX).expect("room");
        assert_eq!(room.free.available_permits(), 0, "more than all there is takes all");
        assert!(room.answer(larger, 0).expect("room").is_none());
        assert_eq!(room.free.available_permits(), 3);
    }

    #[tokio::test]
    async fn whoever_goes_away_leaves_the_queue() {
        let gate = Gate::new(1, 1);
        let place = Semaphore::new(1);
        let _first = gate.enter(&place).await.expect("a turn");
        for _ in 0..3 {
            assert!(timeout(Duration::from_millis(5), gate.enter(&place)).await.is_err(), "it waits");
            assert_eq!(place.available_permits(), 1);
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
