//! JSON: a strict reader with places, the canonical form, and pointers.
//!
//! | module | job |
//! |---|---|
//! | [`tree`] | text → values that know their place; duplicate names refused |
//! | `parser` | the grammar, its limits and problems; public through [`tree`] |
//! | [`canonical`] | value → the one text that hashes are taken over |
//! | [`pointer`] | RFC 6901 |
//! | [`position`] | byte offset → line and column |

pub mod canonical;
mod parser;
pub mod pointer;
pub mod position;
pub mod tree;
