//! x07-wasm: X07 programs to WebAssembly, and all the way to where they run.
//!
//! The layers, each of which may use those above it and none below:
//!
//! | layer | modules | job |
//! |---|---|---|
//! | contract | [`contract`] | documents in and out |
//! | report | [`report`] | diagnostics, exit codes, one report for every run |
//! | compiler | [`compiler`] | x07AST → core wasm |
//! | engine | [`engine`] | runs wasm under limits |
//! | domain | [`project`], [`wasm`], [`wasm_profile`], [`wit`], [`component`], [`http`], [`serve`], [`caps`], [`ops`], [`toolchain`], [`testing`] | one subject each, as functions |
//! | commands | `commands` | arguments → domain calls → result |
//! | cli | [`cli`] | the command line and the process's streams |

pub mod build;
pub mod caps;
pub mod cli;
mod commands;
pub mod compiler;
pub mod component;
pub mod contract;
pub mod engine;
pub mod http;
pub mod ops;
mod panic_place;
pub mod project;
pub mod report;
pub mod serve;
pub mod solve;
pub mod testing;
pub mod toolchain;
pub mod wasm;
pub mod wasm_profile;
pub mod wit;
