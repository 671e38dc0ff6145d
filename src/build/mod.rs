//! From an opened project to a checked module: what `build`, `component build`, `run --project`,
//! `check` and `test` share.
//!
//! | module | job |
//! |---|---|
//! | [`compile`] | runs the compiler on a project; its problems as diagnostics |
//! | [`checks`] | a module against the ABI and the memory that the profile asks for |
//! | [`manifest`] | the artifact manifest of a module |
//! | [`produce`] | a module of a project, with the built-in compiler or an external one |
//! | [`outputs`] | which files an output may replace |
//! | [`checked`] | both in one: what `build` and `component build` do |
//!
//! What may not live here: arguments, files that are written, and running a module.

pub mod checked;
pub mod checks;
pub mod compile;
pub mod manifest;
pub mod outputs;
pub mod produce;
