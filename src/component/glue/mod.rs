//! Glue: core modules that wit-component turns into components, made from a program's module and
//! functions written here, or from the functions alone.
//!
//! | module | world | job |
//! |---|---|---|
//! | `solve` | `x07:solve/solve` | a program as a component |
//! | `cli` | `wasi:cli/command` | a program, or an adapter to one, between standard input and output |
//! | `http` | `wasi:http/proxy` | the same between requests and responses |
//! | `web_ui` | `x07:web-ui-adapter/web-ui-app-with-solve` | an adapter for browser applications |
//! | [`frame`](mod@frame) | | what all have: layout of the memory, `cabi_realloc`, the call of `solve` |
//! | [`io`] | | reading and writing WASI streams |
//! | [`asm`] | | writing the functions |
//!
//! Names and types of imports and exports are those of the canonical ABI. wit-component compares
//! them with the world and refuses a module that gets one wrong.
//!
//! What may not live here: WIT, the encoding of components, files, reports.

pub mod asm;
mod cli;
pub mod frame;
pub mod http;
pub mod io;
mod solve;
mod web_ui;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

pub use cli::{cli_adapter, cli_native};
pub use http::{http_adapter, http_native};
pub use solve::solve;
pub use web_ui::web_ui_adapter;
pub use x07_wasm_contracts::types::{
    WasmComponentProfileNativeCliBudgets as CliBudgets, WasmComponentProfileNativeHttpBudgets as HttpBudgets,
};

use super::link::LinkError;

/// The import through which adapters call a program, and in front of `#` the export of one.
pub const SOLVE_HANDLER: &str = "x07:solve/handler@0.1.0";

/// What a program may use in a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SolveLimits {
    /// Bytes of working memory that each call is given, the output included.
    pub arena_cap: u32,
    /// Bytes that the output may have. The component traps on more.
    pub max_output: u32,
}

/// Whether an HTTP component carries an application's state from request to request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateDoc {
    /// It does not: the program sees the request alone.
    None,
    /// The state comes and goes in a header.
    Header,
}

/// Why there is no glued module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlueError {
    /// The program's module cannot be linked.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The program that translates requests and responses could not be compiled: a mistake of the
    /// tool.
    #[error("internal error: the HTTP codec could not be compiled: {reason}")]
    Codec {
        /// What the compiler says.
        reason: String,
    },
}
