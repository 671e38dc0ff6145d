//! Ops profiles: how an app is operated, and the documents that say so.
//!
//! [`load`] reads a profile with everything that it refers to. What the capabilities among it mean is
//! the business of `caps`; nothing here runs or serves anything.

mod load;

pub use load::{Loaded, Purpose, load};

#[cfg(test)]
mod tests;
