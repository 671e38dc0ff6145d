//! WASI 0.2 components of X07 programs: built, composed and checked in this process.
//!
//! | module | job |
//! |---|---|
//! | [`profile`] | component profiles and their registry |
//! | [`link`] | several core modules and functions of ours → one core module |
//! | [`codec`] | what is logic in an HTTP adapter, written in X07 |
//! | [`glue`] | the canonical ABI around a program: what a world wants, in terms of `solve` |
//! | [`encode`] | core module and world → component |
//! | [`build`] | what `component build` makes, in order |
//! | [`compose`] | a solve component plugged into an adapter |
//! | [`targets`] | whether a component fits a world |
//! | [`manifest`] | the document beside each component |
//! | [`worlds`] | the worlds that components are built for |
//! | [`packages`] | bytes of a component → its types, for composing and comparing |
//! | `wording`, `wit_text` | how two types differ, in words and in WIT |
//! | [`guest_diagnostics`] | what a component says about its own failure |
//!
//! What may not live here: running components, which is the engine's work, and the text of WIT
//! packages, which [`crate::wit`] keeps.

pub mod build;
pub mod codec;
pub mod compose;
pub mod encode;
pub mod glue;
pub mod guest_diagnostics;
pub mod link;
pub mod manifest;
pub mod packages;
pub mod profile;
pub mod targets;
mod wit_text;
mod wording;
pub mod worlds;
