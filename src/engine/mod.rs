//! Execution of WebAssembly: the one place of the project that knows wasmtime.
//!
//! What lives here: how an engine is set up ([`EngineConfig`], [`Runtime`]), how a solve module is
//! called ([`SolveModule`]), how components are ([`component`]), the limits that a guest runs under
//! and the typed outcome of every way it can end ([`SolveError`], [`Trap`], [`component::CallError`]).
//!
//! What may not: reports, diagnostic codes, profiles, the command line, and files. The paths that
//! enter are that of a compilation cache and the directories that a component is granted. No type
//! of wasmtime leaves, so that the rest of the project does not change when the engine does.
//!
//! A guest is never trusted. Whatever a module does, a call ends with an output or a
//! [`SolveError`]; the process neither aborts nor waits longer than the limits say.

mod abi;
mod cache;
pub mod component;
mod config;
mod error;
mod limiter;
mod record;
mod runtime;
mod shape;
mod solve;
mod ticker;
mod trap;

#[cfg(test)]
mod tests;

pub use abi::{DATA_END_EXPORT, HEAP_BASE_EXPORT, MEMORY_EXPORT, SOLVE_EXPORT};
pub use config::{Allocator, CacheSource, EngineConfig, Guests, Limits, MAX_CONCURRENCY, MAX_WASM_STACK_BYTES};
pub use error::{EngineError, EngineWarning, ExportError, SolveError, SolveFailure, Trap, TrapFrame};
pub use record::{ClauseRecord, RecordValue};
pub use runtime::{Runtime, WASMTIME_VERSION};
pub use shape::MAX_MODULE_BYTES;
pub use solve::{Layout, SolveCall, SolveModule, SolveOutput};
