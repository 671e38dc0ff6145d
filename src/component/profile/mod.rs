//! Component profiles: the registry, the profiles, and which one a command uses.
//!
//! A project's own registry is `arch/wasm/component/index.x07wasm.component.json`. Where it does not
//! exist, the same files as embedded in the tool stand in for it ([`builtin`]), and the report says so.
//!
//! What may not live here: building components, and what a profile's budgets do to one.

pub mod builtin;
mod registry;
mod rules;
mod select;

pub use registry::{ProfileCodes, Registry, open_index, read_file, read_profile};
pub use rules::{contract_problems, unused_toolchain};
pub use select::{Selected, Selection, select};

/// Where a project keeps its registry.
pub const DEFAULT_INDEX: &str = "arch/wasm/component/index.x07wasm.component.json";
/// The profile that is used when the registry names no default.
pub const DEFAULT_PROFILE: &str = "component_release";
