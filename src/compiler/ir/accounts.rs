//! What contracts and budget scopes add to the intermediate representation.

use super::Ty;

/// A number that a budget scope limits. It only grows, and wraps around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counter {
    /// Bytes that were allocated.
    AllocBytes,
    /// Allocations of at least one byte.
    AllocCalls,
    /// Buffers that grew.
    ReallocCalls,
    /// Bytes that were copied from one buffer to another.
    MemcpyBytes,
    /// Ticks of the scheduler's clock.
    SchedTicks,
}

impl Counter {
    /// All counters, in the order in which budget scopes check them.
    pub const ALL: [Self; 5] =
        [Self::AllocBytes, Self::AllocCalls, Self::ReallocCalls, Self::MemcpyBytes, Self::SchedTicks];
}

/// A clause in [`super::Program::clauses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClauseId(pub u32);

/// When a contract clause is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ClauseKind {
    /// When the function is entered.
    Requires = 0,
    /// At every exit.
    Ensures = 1,
    /// An invariant, when the function is entered.
    InvariantEntry = 2,
    /// An invariant, at an exit.
    InvariantExit = 3,
}

impl ClauseKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Requires, Self::Ensures, Self::InvariantEntry, Self::InvariantExit];

    /// Its name in reports.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Requires => "requires",
            Self::Ensures => "ensures",
            Self::InvariantEntry => "invariant_entry",
            Self::InvariantExit => "invariant_exit",
        }
    }
}

/// A contract clause that the program checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// When it is checked.
    pub kind: ClauseKind,
    /// The symbol of the function whose contract it is.
    pub function: String,
    /// Its id, given or derived from its contents.
    pub id: String,
    /// Its position in its list, from 0.
    pub index: u32,
    /// The JSON pointer of its expression in the file of the function's module.
    pub pointer: String,
    /// The types of the values that it shows when it does not hold.
    pub witnesses: Vec<Ty>,
}
