//! Documents: reading, checking, writing.
//!
//! | module | job |
//! |---|---|
//! | [`json`] | strict JSON with places, canonical JSON, pointers |
//! | [`files`] | bounded reads, atomic writes; records what was read and written |
//! | [`validate`] | schema validators, compiled when first used |
//! | [`load`] | file → validated, typed document, or every problem with its place |
//! | [`digest`] | SHA-256 and the digest object |
//! | [`path`] | paths that documents name: which are safe |
//!
//! Every document goes in through [`load`] and out through [`files::Files::store`]. Nothing here
//! knows a command, a report or what a document means.

pub mod digest;
pub mod files;
pub mod json;
pub mod load;
pub mod path;
pub mod validate;

pub use x07_wasm_contracts::contract::{Contract, ContractInfo, Report, Role};
