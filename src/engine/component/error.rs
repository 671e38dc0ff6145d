//! Everything that can go wrong with a component after it was compiled, by whose fault it is.

use crate::engine::error::Trap;

/// Why a component cannot be made ready for calls. No guest code has run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// The component imports something that the host does not have, or in another form.
    #[error("the component cannot be linked: {reason}")]
    Linker {
        /// The import, and what is wrong with it.
        reason: String,
    },
    /// The component does not export what is to be called.
    #[error("the component does not fit: {reason}")]
    World {
        /// The export that is absent or of another type.
        reason: String,
    },
}

/// How a call can end without the result that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// A limit: the fuel was used up.
    #[error("all fuel was consumed")]
    Fuel,
    /// A limit: a linear memory would have become too large.
    #[error("a memory of {wanted} bytes was refused, the limit is {limit}")]
    Memory {
        /// Bytes that the memory would have had.
        wanted: u64,
        /// Bytes that each memory may have.
        limit: u64,
    },
    /// A limit: a table would have become too large.
    #[error("a table of {wanted} elements was refused, the limit is {limit}")]
    Table {
        /// Elements that the table would have had.
        wanted: u64,
        /// Elements that each table may have.
        limit: u64,
    },
    /// A limit: calls were nested too deeply.
    #[error("the wasm stack is exhausted")]
    WasmStack,
    /// A limit: the call took too long, running or waiting.
    #[error("the wall-clock limit of {ms} ms was reached")]
    WallTime {
        /// The limit in milliseconds.
        ms: u64,
    },
    /// A limit: what the guest wrote is too long.
    #[error("the output is longer than the limit of {limit} bytes")]
    OutputTooLarge {
        /// Bytes that may be written: of a response's body, or of one of a command's streams.
        limit: u64,
    },
    /// A limit: the headers of a response are too long, or too many.
    #[error("the headers of the response are longer than the limit of {limit} bytes")]
    HeadersTooLarge {
        /// Bytes that they may have together, each counted as 256 at least.
        limit: u64,
    },
    /// The guest trapped.
    #[error("{0}")]
    Trap(Trap),
    /// The instance could not be created, for another reason than a limit.
    #[error("the component cannot be instantiated: {reason}")]
    Instantiate {
        /// What happened.
        reason: String,
    },
    /// The guest answered a request with an error of wasi:http in place of a response, or left the
    /// body of its response unfinished.
    #[error("the guest answered with the error {code}")]
    Guest {
        /// The error as wasi:http names it; an `internal-error` is followed by the guest's text.
        code: String,
    },
    /// The guest returned without an answer.
    #[error("the guest returned without setting a response")]
    NoResponse,
    /// What was granted cannot be given, for example a directory that does not exist.
    #[error("the call cannot be granted what it was promised: {reason}")]
    Grant {
        /// What cannot be given, and why.
        reason: String,
    },
    /// The engine itself failed; neither the guest nor its input is to blame.
    #[error("the engine failed: {reason}")]
    Engine {
        /// What happened.
        reason: String,
    },
}
