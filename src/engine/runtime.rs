//! One configured engine.

use std::fmt;

use wasmtime::Engine;

use super::cache;
use super::config::{self, DEFAULT_WASM_STACK_BYTES, EngineConfig, Guests, Limits};
use super::error::{EngineError, EngineWarning};
use super::ticker::{self, Ticket};
use super::trap::describe;

/// Version of the wasmtime that is linked, which offers no constant of its own. A test compares it
/// with the lock file.
pub const WASMTIME_VERSION: &str = "48.0.8";

/// One engine: a compiler, an allocator and the limits that every execution in it obeys.
///
/// Modules belong to the runtime that compiled them. A runtime can be shared between threads.
pub struct Runtime {
    pub(super) engine: Engine,
    pub(super) limits: Limits,
    pub(super) guests: Guests,
    /// Held for its `Drop`, which ends the ticking.
    _ticket: Option<Ticket>,
}

impl Runtime {
    /// Sets up an engine. The warnings are worth showing, but nothing fails because of them.
    ///
    /// # Errors
    ///
    /// [`EngineError::Config`] if a value is out of range or this host cannot provide what is
    /// asked for, [`EngineError::PoolingNeedsLimits`] if the pool has no size.
    pub fn new(config: &EngineConfig) -> Result<(Self, Vec<EngineWarning>), EngineError> {
        config::check(config)?;
        let mut warnings = Vec::new();
        let mut code_cache = None;
        if let Some(source) = &config.cache {
            match cache::open(source) {
                Ok(opened) => code_cache = opened,
                Err(reason) => warnings.push(EngineWarning::CacheIgnored { path: source.path(), reason }),
            }
        }
        let engine = Engine::new(&config::wasmtime_config(config, code_cache))
            .map_err(|error| EngineError::Config { reason: describe(&error) })?;
        let ticket = if config.ticks() { Some(ticker::register(&engine)?) } else { None };
        Ok((Self { engine, limits: config.limits, guests: config.guests, _ticket: ticket }, warnings))
    }

    /// Version of the wasmtime that is linked, for example `48.0.8`.
    pub fn version() -> &'static str {
        WASMTIME_VERSION
    }

    /// The limits that executions obey.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Bytes of native stack that wasm frames may take.
    pub(super) fn wasm_stack_bytes(&self) -> usize {
        usize::try_from(self.limits.wasm_stack_bytes.unwrap_or(DEFAULT_WASM_STACK_BYTES)).unwrap_or(usize::MAX)
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("limits", &self.limits).finish_non_exhaustive()
    }
}
