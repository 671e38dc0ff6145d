//! The store behind `kv.get` and `kv.put`: in memory, one for all requests of a command.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes that a store holds at most: 64 MiB. A guest that stores without end meets this limit and not
/// that of the machine.
pub const MAX_STORE_BYTES: u64 = 64 << 20;
/// Bytes that an entry counts besides its key and its value, so that empty ones have an end as well.
const ENTRY_BYTES: u64 = 128;

/// A value that does not fit any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store holds at most {limit} bytes of keys and values, and an entry counts 128 more; store less")]
pub struct StoreFull {
    /// The limit.
    pub limit: u64,
}

/// The store. Reads and writes of concurrent requests do not tear: each sees a whole value.
#[derive(Debug)]
pub struct Store {
    held: Mutex<Held>,
    limit: u64,
}

#[derive(Debug, Default)]
struct Held {
    values: BTreeMap<String, Vec<u8>>,
    bytes: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self::with_limit(MAX_STORE_BYTES)
    }
}

impl Store {
    /// An empty store that holds this many bytes.
    #[must_use]
    pub fn with_limit(limit: u64) -> Self {
        Self { held: Mutex::default(), limit }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.lock().values.get(key).cloned()
    }

    /// Gives a key a value, replacing an older one.
    ///
    /// # Errors
    /// The store would become too large; it stays as it was.
    pub fn put(&self, key: &str, value: Vec<u8>) -> Result<(), StoreFull> {
        let size =
            |key: &str, value: &[u8]| ENTRY_BYTES.saturating_add(key.len() as u64).saturating_add(value.len() as u64);
        let mut held = self.lock();
        let before = held.values.get(key).map_or(0, |old| size(key, old));
        let after = held.bytes.saturating_sub(before).saturating_add(size(key, &value));
        if after > self.limit {
            return Err(StoreFull { limit: self.limit });
        }
        held.bytes = after;
        held.values.insert(key.to_owned(), value);
        Ok(())
    }

    /// A panic elsewhere leaves no half-written value behind, so the lock is taken all the same.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_key_stays() {
        let store = Store::default();
        assert_eq!(store.get("a"), None);
        assert_eq!(store.put("a", b"1".to_vec()), Ok(()));
        assert_eq!(store.put("a", b"22".to_vec()), Ok(()));
        assert_eq!(store.put("b", Vec::new()), Ok(()));
        assert_eq!((store.get("a"), store.get("b")), (Some(b"22".to_vec()), Some(Vec::new())));
    }

    #[test]
    fn the_limit_counts_what_is_held_and_not_what_was_written() {
        let limit = 2 * ENTRY_BYTES + 4;
        let (store, full) = (Store::with_limit(limit), Err(StoreFull { limit }));
        for _ in 0..10 {
            assert_eq!(store.put("k", vec![0; 3]), Ok(()));
        }
        assert_eq!(store.put("l", vec![0]), full);
        assert_eq!(store.put("k", vec![0; 4 + ENTRY_BYTES as usize]), full);
        assert_eq!(store.get("k"), Some(vec![0; 3]), "what is refused changes nothing");
        assert_eq!(store.put("k", Vec::new()), Ok(()));
        assert_eq!(store.put("l", vec![0; 2]), Ok(()));
    }

    #[test]
    fn entries_without_bytes_have_an_end() {
        let store = Store::with_limit(10 * (ENTRY_BYTES + 1));
        let stored = (b'a'..=b'z').filter(|key| store.put(&char::from(*key).to_string(), Vec::new()).is_ok());
        assert_eq!(stored.count(), 10);
    }
}
