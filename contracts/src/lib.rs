//! The contracts of x07-wasm as Rust: what `build.rs` makes of `schemas/`, and the few traits
//! that give it meaning.
//!
//! | module | content |
//! |---|---|
//! | [`types`] | one type for each document and named definition |
//! | [`registry`] | every contract: id, schema text, role; which type it is |
//! | [`diagnostics`] | every diagnostic code with severity, exit code, cause and cure |
//! | [`cli`] | the command line: tables, argument structs, [`cli::Invocation`], spec rows |
//! | [`contract`], [`command_line`] | the traits and table types that the generated code fills |
//!
//! Nothing here reads files or knows a command's work.

pub mod command_line;
pub mod contract;
pub mod nullable;

/// One type for each document and each named definition.
#[allow(clippy::all, clippy::pedantic, missing_docs, rustdoc::all)]
#[rustfmt::skip]
#[path = "../../generated/types.rs"]
pub mod types;

/// Every contract.
#[allow(clippy::all, clippy::pedantic)]
#[rustfmt::skip]
#[path = "../../generated/contracts.rs"]
pub mod registry;

/// Every command.
#[allow(clippy::all, clippy::pedantic)]
#[rustfmt::skip]
#[path = "../../generated/cli.rs"]
pub mod cli;

/// Every diagnostic code.
#[allow(clippy::all, clippy::pedantic)]
#[rustfmt::skip]
#[path = "../../generated/diagnostics.rs"]
pub mod diagnostics;
