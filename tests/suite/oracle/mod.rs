//! A second implementation of the language, and what it is compared with.
//!
//! The interpreter walks the checked program, the intermediate representation before any
//! optimisation, and knows nothing of memory, words or wasm: every buffer is a vector of its own
//! that is marked when it is freed. So it finds two kinds of mistakes: what the compiled program
//! does is not what the checked program says; or the checked program reads a view of something
//! that is gone, frees twice, or frees never. It walks the optimised program as well, where it
//! also finds checks that should not have been left out.
//!
//! | module | job |
//! |---|---|
//! | `values` | values, and why an evaluation ends early |
//! | `store` | buffers: who owns them, which views of them still hold |
//! | `eval` | expressions, calls, runs |
//! | `ops` | primitive operations |
//! | `library` | containers, scratch buffers, readers |
//! | `tasks`, `scopes` | the scheduler, channels, task scopes, select |
//! | `accounts` | how far the interpreter goes along |
//! | `compare` | one program, both ways |
//! | `corpora` | all stored programs |
//! | `random` | where random programs get their choices from |
//! | `kinds`, `generate`, `statements`, `declarations` | random programs |
//! | `generated` | all random programs |
//!
//! The meaning of operations is that of their descriptions in `src/compiler/ir`; nothing here is
//! written after the emitter or the run-time library, but for the scheduler, whose finer points no
//! description has.

mod accounts;
pub mod compare;
mod corpora;
mod declarations;
mod eval;
mod generate;
mod generated;
mod kinds;
mod library;
mod ops;
mod random;
mod scopes;
mod statements;
mod store;
mod tasks;
mod values;
