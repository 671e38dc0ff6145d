//! Tests of X07 projects: what a manifest of tests asks for, and what each test did.
//!
//! | module | job |
//! |---|---|
//! | [`manifest`] | the manifest → tests in the order of their ids |
//! | [`select`] | which of them the command line means |
//! | [`roots`] | where their modules are looked up |
//! | [`source`] | the entry that is made for a test, and the modules behind it |
//! | [`status`] | the bytes that a test returns → pass, fail or skip |
//! | [`property`] | the inputs of property tests, and smaller ones for a failure |
//! | [`verdict`] | what a test did, and whether that was expected |
//! | [`program`] | one test: compiling it and calling it |
//! | [`runner`] | all tests: limits, threads, the end at the first surprise |
//! | [`present`] | verdicts as parts of a report and as lines for people |
//!
//! What may not live here: arguments, the command's report as a whole, and the language.

pub mod manifest;
pub mod present;
pub mod program;
pub mod property;
pub mod roots;
pub mod runner;
pub mod select;
pub mod source;
pub mod status;
pub mod verdict;
