//! WIT packages: the registry, their files and digests, their text, and what depends on what.
//!
//! | module | job |
//! |---|---|
//! | `registry` | the list of packages: a project's own, or the one that the tool carries |
//! | [`builtin`] | the packages that the tool carries |
//! | `tree_digest` | the files of a package, and the digest over them |
//! | `package` | text → one package that is not yet connected with others |
//! | `resolve` | a package and those that it depends on → a [`Bundle`] |
//! | `registered` | one entry of the registry against what lies in its folder |
//! | `bundle` | the bundle of a registered package or of a file, for building and comparing components |
//! | `validate` | every package of a registry, for `wit validate` |
//!
//! Registered packages are pinned: what is used has the digest that the registry says. Features that
//! WASI marks as unstable are off, so a world is what was published.
//!
//! What may not live here: components, and which world a command wants.

pub mod builtin;
mod bundle;
mod package;
mod problem;
mod registered;
mod registry;
mod resolve;
mod tree_digest;
mod validate;

pub use bundle::{bundle_of_file, package};
pub use package::Package;
pub use problem::WitProblem;
pub use registry::{Entry, Kind, Registry, RegistryCodes, open, open_with};
pub use resolve::Bundle;
pub use tree_digest::{Extent, Tree, TreeError};
pub use validate::{Validated, validate};

/// Where a project keeps its registry.
pub const DEFAULT_INDEX: &str = "arch/wit/index.x07wit.json";
