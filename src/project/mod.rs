//! Projects on disk: manifest, lockfile, packages, module lookup.
//!
//! | module | job |
//! |---|---|
//! | [`manifest`] | `x07.json` → [`Project`] with its roots |
//! | [`lock`] | the lockfile, checked against the manifest and the packages on disk |
//! | [`snapshots`] | packages that the tool carries, for those that are not on disk |
//! | [`source`] | gives the compiler the text of entry and modules |
//!
//! What may not live here: the language. A project knows files, not what they say.

pub mod lock;
pub mod manifest;
pub mod snapshots;
pub mod source;

pub use manifest::{Project, Purpose, open};
pub use source::ProjectSource;
