//! Operations that are functions of the run-time library: containers, scratch buffers, readers.

use super::Ty;

/// An operation of the run-time library. Owned operands are consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LibraryOp {}

impl LibraryOp {
    /// The types of its operands.
    #[must_use]
    pub const fn params(self) -> &'static [Ty] {
        match self {}
    }

    /// The type of its result.
    #[must_use]
    pub const fn result(self) -> Ty {
        match self {}
    }
}
