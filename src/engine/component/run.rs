//! What every call has in common: a store under limits, a clock, and the meaning of its errors.

use std::time::{Duration, Instant};

use wasmtime::{PoolConcurrencyLimitError, Store, Trap as WasmTrap, UpdateDeadline};
use wasmtime_wasi_http::FieldMapError;

use super::compile::CodeMap;
use super::error::CallError;
use super::state::{HostState, OutputRefused};
use crate::engine::error::{SolveError, Trap};
use crate::engine::limiter::WallTimeElapsed;
use crate::engine::runtime::Runtime;
use crate::engine::trap::{describe, find, frames, limit_hit, one_line};

/// Most bytes that a guest may hand to the host in one call of a host function: the host has to
/// copy them.
const MAX_HOSTCALL_BYTES: usize = 16 * 1024 * 1024;

/// Runs a future to its end on the calling thread, with the timers and sockets that calls of
/// components need. Not for threads that already run futures: those await.
pub fn block_on<F: Future>(future: F) -> F::Output {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let output = runtime.block_on(future);
            // A name that is still being looked up must not delay the result.
            runtime.shutdown_background();
            output
        }
        // Without descriptors for a runtime of its own, the one that WASI keeps for such cases.
        Err(_) => wasmtime_wasi::runtime::in_tokio(future),
    }
}

/// A store with the runtime's limits in force from the first instruction on. The wall limit counts
/// from `started`.
pub(super) fn new_store(runtime: &Runtime, state: HostState, started: Instant) -> Result<Store<HostState>, CallError> {
    let mut store = Store::try_new(&runtime.engine, state).map_err(|error| engine_error(&error))?;
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(MAX_HOSTCALL_BYTES);
    if let Some(fuel) = runtime.limits.fuel {
        store.set_fuel(fuel).map_err(|error| engine_error(&error))?;
    }
    let allowed = runtime.limits.wall_ms;
    store.epoch_deadline_callback(move |_context| match allowed {
        Some(ms) if started.elapsed() >= Duration::from_millis(ms) => Err(wasmtime::Error::new(WallTimeElapsed { ms })),
        _ => Ok(UpdateDeadline::Yield(1)),
    });
    store.set_epoch_deadline(1);
    Ok(store)
}

/// Runs `future` for as long as the runtime allows a call that began at `started`. The guest's own
/// clock stops a guest that runs; this stops one that waits.
pub(super) async fn in_time<T>(
    runtime: &Runtime,
    started: Instant,
    future: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let Some(ms) = runtime.limits.wall_ms else {
        return future.await;
    };
    let left = Duration::from_millis(ms).saturating_sub(started.elapsed());
    tokio::time::timeout(left, future).await.unwrap_or(Err(CallError::WallTime { ms }))
}

/// Fuel that a call has consumed so far, if fuel is limited.
pub(super) fn fuel_used(runtime: &Runtime, store: &Store<HostState>) -> Option<u64> {
    match (runtime.limits.fuel, store.get_fuel()) {
        (Some(given), Ok(left)) => Some(given.saturating_sub(left)),
        _ => None,
    }
}

/// What the error of an instantiation means.
pub(super) fn instantiation_error(error: &wasmtime::Error) -> CallError {
    exhausted(error).unwrap_or_else(|| CallError::Instantiate { reason: describe(error) })
}

/// What the error of a call means. Whatever is not a limit and not the engine's own is a trap:
/// host functions end a guest with errors of all kinds when it misuses them.
pub(super) fn call_error(error: &wasmtime::Error, code: &CodeMap) -> CallError {
    exhausted(error).unwrap_or_else(|| {
        let message = match find::<WasmTrap>(error) {
            Some(trap) => one_line(&trap.to_string()),
            None => describe(error),
        };
        CallError::Trap(Trap { message, frames: frames(error, |offset| code.start_of(offset)), record: None })
    })
}

/// The limit that an error is about, wherever in its chain of causes that is said: the functions of
/// wasi:http wrap what stops a handler.
fn exhausted(error: &wasmtime::Error) -> Option<CallError> {
    if let Some(limit) = limit_hit(error) {
        return Some(from_limit(limit));
    }
    if let Some(refused) = find::<OutputRefused>(error) {
        return Some(CallError::OutputTooLarge { limit: refused.limit });
    }
    if let Some(FieldMapError::TooManyFields | FieldMapError::TotalSizeTooBig) = find::<FieldMapError>(error) {
        // Whoever made the call knows the limit.
        return Some(CallError::HeadersTooLarge { limit: 0 });
    }
    // The pool is sized by the caller's own concurrency.
    find::<PoolConcurrencyLimitError>(error).map(|_| engine_error(error))
}

fn from_limit(limit: SolveError) -> CallError {
    match limit {
        SolveError::Fuel => CallError::Fuel,
        SolveError::WasmStack => CallError::WasmStack,
        SolveError::WallTime { ms } => CallError::WallTime { ms },
        SolveError::Table { wanted, limit } => CallError::Table { wanted, limit },
        SolveError::Memory { wanted: Some(wanted), limit: Some(limit) } => CallError::Memory { wanted, limit },
        other => CallError::Engine { reason: other.to_string() },
    }
}

/// A failure of the engine itself.
pub(super) fn engine_error(error: &wasmtime::Error) -> CallError {
    CallError::Engine { reason: describe(error) }
}
