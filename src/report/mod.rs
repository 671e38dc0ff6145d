//! Reports: what every command hands back, whatever happened.
//!
//! | module | job |
//! |---|---|
//! | [`diagnostic`] | builds diagnostics from catalogue codes |
//! | [`exit`] | diagnostics → exit code |
//! | [`context`] | what a command collects while it works |
//! | [`emit`] | result + context → one schema-valid report |
//! | [`human`] | the same for people, on standard error |
//! | [`incident`] | the bundle that a failed run leaves behind |
//! | [`registry`] | the tool's own registries, where a project has none |
//! | [`nested`] | the report of a step that could be a command of its own |
//!
//! Nothing here knows a command's subject.

pub mod context;
pub mod diagnostic;
pub mod emit;
pub mod exit;
pub mod human;
pub mod incident;
pub mod nested;
pub mod registry;

pub use context::Context;
pub use diagnostic::{Diag, DocumentCodes};
pub use x07_wasm_contracts::diagnostics::{Code, Severity, Stage};
