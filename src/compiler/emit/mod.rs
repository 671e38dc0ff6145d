//! From the intermediate representation to a wasm module.
//!
//! [`emit`] translates a whole [`Program`]. The pieces: `function` translates expressions, `control`
//! choices and loops, `operands` places the operands of an operation, `ops`, `ops_vec`, `ops_float`,
//! `library`, `tasks` and `accounts` translate operations, `async_body` lets functions be suspended,
//! `entry` writes the exported function, `types` collects function types, `module` puts the sections
//! together, and [`sites`] is the table that explains traps. Functions of the run-time library live
//! in `runtime`; nothing here knows names, scopes or source files.

pub mod accounts;
mod async_body;
mod control;
mod entry;
mod function;
mod library;
mod module;
mod operands;
mod ops;
mod ops_float;
mod ops_vec;
pub mod sites;
mod tasks;
mod types;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

use crate::compiler::ir::Program;

/// What the module is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Size of the memory at the start, in bytes, a multiple of 65536.
    pub initial_memory_bytes: u32,
    /// Largest size of the memory, in bytes, a multiple of 65536 and not less than the initial size.
    pub max_memory_bytes: u32,
    /// Address at which static data begins, rounded up to 16; the heap begins behind the data. 0
    /// for a module that has its memory to itself; more for one that is linked above another.
    pub static_base: u32,
    /// Name and version of the producing tool, separated by a space, for the producers section.
    pub producer: String,
    /// Whether to leave out what only explains the module: the names of functions and the table of
    /// places, without which a trap is reported without its place.
    pub strip: bool,
}

/// Why a program has no wasm module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The program's literals do not fit the memory: the program or the target must change.
    #[error("static data needs {needed} bytes, but the initial memory has {available}")]
    StaticDataTooLarge {
        /// Bytes of literals, padded.
        needed: u64,
        /// Bytes of initial memory.
        available: u64,
    },
    /// A function is too complex for engines to accept.
    #[error("function {function} needs more local variables than a wasm function may have")]
    TooManyLocals {
        /// The function's symbol.
        function: String,
    },
    /// The program passes a limit that engines set.
    #[error("the program has too large a {what} for a wasm module")]
    TooLarge {
        /// What passes the limit.
        what: &'static str,
    },
    /// The target's memory sizes are not usable.
    #[error("unusable memory size: {reason}")]
    Memory {
        /// What is wrong with them.
        reason: String,
    },
    /// The intermediate representation contradicts itself: a mistake of the compiler.
    #[error("internal error in function {function}: {reason}")]
    Malformed {
        /// The function's symbol; empty when the whole program is meant.
        function: String,
        /// The contradiction.
        reason: String,
    },
}

/// Translates a program. The same program and target give the same bytes.
///
/// The module exports `memory`, `x07_solve_v2`, `__heap_base` and `__data_end`, imports nothing,
/// and carries the custom sections `name`, `producers` and [`sites::SECTION`], or only `producers`
/// when it is to be stripped.
///
/// # Errors
///
/// [`EmitError`]; see its variants for whose fault each is.
pub fn emit(program: &Program, target: &Target) -> Result<Vec<u8>, EmitError> {
    module::assemble(program, target, &[])
}
