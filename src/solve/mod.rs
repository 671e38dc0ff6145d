//! Running solve modules: which limits apply, and what a failure means.
//!
//! | module | job |
//! |---|---|
//! | [`limits`] | profile and command line → engine configuration |
//! | [`explain`] | engine failures → coded diagnostics, traps with function and source place |
//! | [`input`] | the ways to give a program its input |
//! | [`sites`] | the table of source places that a module carries |
//! | [`violation`] | a contract that a program violated |
//!
//! What may not live here: building modules, reports, and the engine's own rules.

pub mod explain;
pub mod input;
pub mod limits;
pub mod sites;
pub mod violation;
