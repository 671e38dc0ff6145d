//! The operations of the run-time library as built-in operations.

use super::builtins::Builtin;

/// The operation with this head.
pub(super) fn find(head: &str) -> Option<Builtin> {
    TABLE.iter().find(|(name, _)| *name == head).map(|(_, builtin)| *builtin)
}

/// The heads of all of them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

static TABLE: &[(&str, Builtin)] = &[];
