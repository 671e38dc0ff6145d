//! How long a request is worked on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The time that a request has, and the sign that nobody waits for it any more.
#[derive(Clone, Copy, Debug)]
pub struct Until<'a> {
    deadline: Option<Instant>,
    cancelled: &'a AtomicBool,
}

impl<'a> Until<'a> {
    /// From now on for so many milliseconds, unless `cancelled` is set before.
    #[must_use]
    pub fn within(ms: u64, cancelled: &'a AtomicBool) -> Self {
        // A time that no clock shows never comes.
        Self { deadline: Instant::now().checked_add(Duration::from_millis(ms)), cancelled }
    }

    /// Whether nobody waits any more.
    #[must_use]
    pub fn is_cancelled(self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Whether the time has passed.
    #[must_use]
    pub fn has_passed(self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Milliseconds that are left, rounded up: when they are over, so is the time.
    #[must_use]
    pub fn left_ms(self) -> u64 {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(u64::MAX, |left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX).saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_by_its_time_or_by_the_sign() {
        let cancelled = AtomicBool::new(false);
        let until = Until::within(3_600_000, &cancelled);
        assert!(!until.is_cancelled() && !until.has_passed());
        assert!((1..=3_600_001).contains(&until.left_ms()));
        cancelled.store(true, Ordering::Relaxed);
        assert!(until.is_cancelled());
        assert!(Until::within(0, &cancelled).has_passed());
        assert!(!Until::within(u64::MAX, &cancelled).has_passed());
    }
}
