//! What a store carries: the resource limits, and the errors by which they refuse.
//!
//! A refusal is an error rather than a failed growth, so that the guest stops at once and the
//! outcome says which limit it was, however the error is wrapped on its way out.

use wasmtime::ResourceLimiter;

use super::config::Limits;

/// The data of a store.
pub(super) struct HostState {
    /// The limits of the store's memories and tables.
    pub(super) limiter: Limiter,
}

impl HostState {
    /// State for one execution under `limits`.
    pub(super) fn new(limits: &Limits) -> Self {
        Self { limiter: Limiter::new(limits) }
    }
}

/// Core instances that one execution may consist of. Components of toolchains that link libraries
/// at run time have some dozens.
const MAX_INSTANCES: usize = 128;

/// Linear memories that one execution may have.
const MAX_MEMORIES: usize = 32;

/// Tables that one execution may have.
const MAX_TABLES: usize = 64;

/// What all memories of one execution may have together, in times of what each may have: a composed
/// component is a program and its adapter.
const MEMORIES_TOGETHER: u64 = 2;

/// Limits of each memory and each table, and of their number.
pub(super) struct Limiter {
    memory_bytes: Option<u64>,
    /// Bytes of all memories so far.
    memory_total: u64,
    table_elements: Option<u32>,
}

impl Limiter {
    /// The limiter of one execution under `limits`.
    pub(super) fn new(limits: &Limits) -> Self {
        Self { memory_bytes: limits.memory_cap(), memory_total: 0, table_elements: limits.table_cap() }
    }
}

/// A memory would have passed its limit.
#[derive(Debug, thiserror::Error)]
#[error("a memory of {wanted} bytes is over the limit of {limit}")]
pub(super) struct MemoryRefused {
    pub(super) wanted: u64,
    pub(super) limit: u64,
}

/// A table would have passed its limit.
#[derive(Debug, thiserror::Error)]
#[error("a table of {wanted} elements is over the limit of {limit}")]
pub(super) struct TableRefused {
    pub(super) wanted: u64,
    pub(super) limit: u64,
}

/// The wall-clock limit was reached.
#[derive(Debug, thiserror::Error)]
#[error("the wall-clock limit of {ms} ms was reached")]
pub(super) struct WallTimeElapsed {
    pub(super) ms: u64,
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, wasmtime::Error> {
        let Some(limit) = self.memory_bytes else { return Ok(true) };
        let wanted = u64::try_from(desired).unwrap_or(u64::MAX);
        if wanted > limit {
            return Err(wasmtime::Error::new(MemoryRefused { wanted, limit }));
        }
        let grown = u64::try_from(desired.saturating_sub(current)).unwrap_or(u64::MAX);
        let (total, together) = (self.memory_total.saturating_add(grown), limit.saturating_mul(MEMORIES_TOGETHER));
        if total > together {
            return Err(wasmtime::Error::new(MemoryRefused { wanted: total, limit: together }));
        }
        self.memory_total = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, wasmtime::Error> {
        let wanted = u64::try_from(desired).unwrap_or(u64::MAX);
        match self.table_elements.map(u64::from) {
            Some(limit) if wanted > limit => Err(wasmtime::Error::new(TableRefused { wanted, limit })),
            _ => Ok(true),
        }
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_together_have_twice_the_limit_of_one() {
        let mut limiter = Limiter::new(&Limits { memory_bytes: Some(100), ..Limits::default() });
        let refused = |outcome: Result<bool, wasmtime::Error>| {
            let error = outcome.unwrap_err();
            let refused = error.downcast_ref::<MemoryRefused>().unwrap();
            (refused.wanted, refused.limit)
        };
        assert_eq!(refused(limiter.memory_growing(0, 101, None)), (101, 100));
        assert!(limiter.memory_growing(0, 100, None).unwrap());
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        assert_eq!(refused(limiter.memory_growing(0, 1, None)), (201, 200));
        let mut free = Limiter::new(&Limits::default());
        assert!(free.memory_growing(0, usize::MAX, None).unwrap());
    }
}
