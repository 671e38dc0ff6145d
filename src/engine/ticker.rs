//! The process's one clock for wall limits: a thread that advances the epoch of every registered
//! engine every few milliseconds.
//!
//! One thread serves all engines, because waking a thread for each would cost every other request
//! time. It starts with the first engine and ends with the last. A tick is only an occasion to look
//! at the time: whether a call has used up its limit is measured, so late or extra ticks never stop
//! a guest too early.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

use super::error::EngineError;

/// Time between two ticks, and so how much later than its limit a guest may be stopped.
const PERIOD: Duration = Duration::from_millis(2);

/// The engines that want ticks.
struct Registry {
    engines: BTreeMap<u64, EngineWeak>,
    next_id: u64,
    running: bool,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { engines: BTreeMap::new(), next_id: 0, running: false });

/// Wakes the thread when an engine leaves, so that it need not wait out a period to end.
static CHANGED: Condvar = Condvar::new();

/// Keeps an engine's epoch advancing until it is dropped.
pub(super) struct Ticket {
    id: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        registry().engines.remove(&self.id);
        CHANGED.notify_all();
    }
}

/// Starts ticking for `engine`.
///
/// # Errors
///
/// [`EngineError::Config`] if the thread cannot be started.
pub(super) fn register(engine: &Engine) -> Result<Ticket, EngineError> {
    let mut state = registry();
    if !state.running {
        thread::Builder::new().name("epoch-ticker".to_owned()).spawn(tick).map_err(|error| EngineError::Config {
            reason: format!("the thread for wall-clock limits cannot be started: {error}"),
        })?;
        state.running = true;
    }
    let id = state.next_id;
    state.next_id = state.next_id.wrapping_add(1);
    state.engines.insert(id, engine.weak());
    Ok(Ticket { id })
}

/// The body of the thread. It cannot miss its own end: `running` is cleared under the same lock
/// under which the emptiness was seen.
fn tick() {
    let mut state = registry();
    loop {
        if state.engines.is_empty() {
            state.running = false;
            return;
        }
        for engine in state.engines.values() {
            if let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
            }
        }
        state = CHANGED.wait_timeout(state, PERIOD).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Locks the registry. A panic elsewhere cannot leave it half changed.
fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}
