//! Wasm profiles: the registry, the profiles, and which one a command uses.
//!
//! A project's own registry is `arch/wasm/index.x07wasm.json`. Where it does not exist, the same
//! files as embedded in the tool stand in for it ([`builtin`]), and the report says so.
//!
//! What may not live here: building, running, and what a profile's numbers do to an engine.

pub mod builtin;
mod registry;
mod select;

pub use registry::{IndexEntry, Registry, RegistryCodes, open_index, read_profile};
pub use select::{Selected, Selection, contract_problems, memory_sizes, pooling_problems, select};

/// Where a project keeps its registry.
pub const DEFAULT_INDEX: &str = "arch/wasm/index.x07wasm.json";
/// The profile that is used when the registry names no default.
pub const DEFAULT_PROFILE: &str = "wasm_release";
