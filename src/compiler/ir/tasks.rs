//! What async functions add to the intermediate representation.

use super::Ty;

/// An operation that may have to wait for other tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WaitOp {}

/// An operation of the scheduler that never waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskOp {}

impl WaitOp {
    /// The type of its result.
    #[must_use]
    pub const fn result(self) -> Ty {
        match self {}
    }
}

impl TaskOp {
    /// The type of its result.
    #[must_use]
    pub const fn result(self) -> Ty {
        match self {}
    }
}
