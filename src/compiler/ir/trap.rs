//! Why a program ends early.

/// Why a program ends early. The number is part of the `x07.sites` section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Trap {
    /// An index, offset or range outside a buffer.
    OutOfBounds = 1,
    /// The arena has no room for an allocation.
    OutOfMemory = 2,
    /// Text that is not the number that was asked for.
    ParseFailed = 3,
    /// The arena given by the host is too small to hold even the allocator's own tables.
    ArenaTooSmall = 4,
    /// The compiled code reached a place that the compiler holds impossible.
    Unreachable = 5,
    /// A handle that nothing of the wanted kind has.
    InvalidHandle = 6,
    /// A capacity of 0, or one that is no power of two where one is wanted.
    InvalidCapacity = 7,
    /// A new key for a table of fixed capacity that is full.
    MapFull = 8,
    /// The key -1, which tables of numbers use as a mark.
    InvalidKey = 9,
    /// An operation for another element type than the container has, or a type id that does not exist.
    TypeMismatch = 10,
    /// Bytes that are no f64.
    BadNumber = 11,
    /// A budget scope allocated more bytes than it may.
    BudgetAllocBytes = 12,
    /// A budget scope allocated more often than it may.
    BudgetAllocCalls = 13,
    /// A budget scope grew buffers more often than it may.
    BudgetReallocCalls = 14,
    /// A budget scope copied more bytes than it may.
    BudgetMemcpyBytes = 15,
    /// More scheduler ticks passed in a budget scope than may.
    BudgetSchedTicks = 16,
    /// A budget scope used up its fuel.
    BudgetFuel = 17,
    /// A contract clause does not hold.
    Contract = 18,
    /// All tasks wait and no timer runs.
    Deadlock = 19,
    /// The result of a task is taken a second time.
    JoinTwice = 20,
    /// A task waits for itself.
    JoinSelf = 21,
    /// A task's result is taken as another type.
    JoinKind = 22,
    /// A message for a closed channel.
    ChannelClosed = 23,
    /// A task scope gets more children than it may have.
    ScopeChildren = 24,
    /// More scheduler ticks passed in a task scope than may.
    ScopeTicks = 25,
    /// More waits blocked in a task scope than may.
    ScopeBlockedWaits = 26,
    /// More joins were tried in a task scope than may.
    ScopeJoinPolls = 27,
    /// A start in a scope after `cancel_all`, before `wait_all`.
    ScopeCanceled = 28,
    /// The result of a slot is taken a second time.
    SlotConsumed = 29,
    /// The result of a slot is taken as another type.
    SlotKind = 30,
    /// The result of a slot is larger than the scope allows.
    SlotTooLarge = 31,
    /// A select looked at its cases more often than it may.
    SelectMaxPolls = 32,
    /// An event that is over, or never was.
    SelectEventInvalid = 33,
    /// The bytes of an event are taken a second time.
    SelectEventTaken = 34,
    /// A reader of another kind than that over bytes.
    ReaderUnsupported = 35,
}

impl Trap {
    /// All traps, in the order of their numbers.
    pub const ALL: [Self; 35] = [
        Self::OutOfBounds,
        Self::OutOfMemory,
        Self::ParseFailed,
        Self::ArenaTooSmall,
        Self::Unreachable,
        Self::InvalidHandle,
        Self::InvalidCapacity,
        Self::MapFull,
        Self::InvalidKey,
        Self::TypeMismatch,
        Self::BadNumber,
        Self::BudgetAllocBytes,
        Self::BudgetAllocCalls,
        Self::BudgetReallocCalls,
        Self::BudgetMemcpyBytes,
        Self::BudgetSchedTicks,
        Self::BudgetFuel,
        Self::Contract,
        Self::Deadlock,
        Self::JoinTwice,
        Self::JoinSelf,
        Self::JoinKind,
        Self::ChannelClosed,
        Self::ScopeChildren,
        Self::ScopeTicks,
        Self::ScopeBlockedWaits,
        Self::ScopeJoinPolls,
        Self::ScopeCanceled,
        Self::SlotConsumed,
        Self::SlotKind,
        Self::SlotTooLarge,
        Self::SelectMaxPolls,
        Self::SelectEventInvalid,
        Self::SelectEventTaken,
        Self::ReaderUnsupported,
    ];

    /// The trap with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Its name in reports. Traps that the language names have that name.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::OutOfBounds => "out_of_bounds",
            Self::OutOfMemory => "out_of_memory",
            Self::ParseFailed => "parse_failed",
            Self::ArenaTooSmall => "arena_too_small",
            Self::Unreachable => "unreachable",
            Self::InvalidHandle => "invalid_handle",
            Self::InvalidCapacity => "invalid_capacity",
            Self::MapFull => "map_full",
            Self::InvalidKey => "invalid_key",
            Self::TypeMismatch => "type_mismatch",
            Self::BadNumber => "bad_number",
            Self::BudgetAllocBytes => "X07T_BUDGET_EXCEEDED_ALLOC_BYTES",
            Self::BudgetAllocCalls => "X07T_BUDGET_EXCEEDED_ALLOC_CALLS",
            Self::BudgetReallocCalls => "X07T_BUDGET_EXCEEDED_REALLOC_CALLS",
            Self::BudgetMemcpyBytes => "X07T_BUDGET_EXCEEDED_MEMCPY_BYTES",
            Self::BudgetSchedTicks => "X07T_BUDGET_EXCEEDED_SCHED_TICKS",
            Self::BudgetFuel => "X07T_BUDGET_EXCEEDED_FUEL",
            Self::Contract => "X07T_CONTRACT_V1",
            Self::Deadlock => "scheduler_deadlock",
            Self::JoinTwice => "join_twice",
            Self::JoinSelf => "join_self",
            Self::JoinKind => "join_kind",
            Self::ChannelClosed => "channel_closed",
            Self::ScopeChildren => "X07T_SCOPE_BUDGET_CHILDREN_EXCEEDED",
            Self::ScopeTicks => "X07T_SCOPE_BUDGET_TICKS_EXCEEDED",
            Self::ScopeBlockedWaits => "X07T_SCOPE_BUDGET_BLOCKED_WAITS_EXCEEDED",
            Self::ScopeJoinPolls => "X07T_SCOPE_BUDGET_JOIN_POLLS_EXCEEDED",
            Self::ScopeCanceled => "X07T_SCOPE_START_AFTER_CANCEL",
            Self::SlotConsumed => "X07T_SCOPE_SLOT_ALREADY_CONSUMED",
            Self::SlotKind => "X07T_SCOPE_SLOT_KIND_MISMATCH",
            Self::SlotTooLarge => "X07T_SCOPE_SLOT_RESULT_TOO_LARGE",
            Self::SelectMaxPolls => "X07T_SELECT_MAX_POLLS",
            Self::SelectEventInvalid => "X07T_SELECT_EVT_INVALID",
            Self::SelectEventTaken => "X07T_SELECT_EVT_ALREADY_TAKEN",
            Self::ReaderUnsupported => "reader_unsupported",
        }
    }

    /// What happened, as a clause for messages.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::OutOfBounds => "an index or range is outside the buffer",
            Self::OutOfMemory => "the arena has no room for an allocation",
            Self::ParseFailed => "the text is not the number that was asked for",
            Self::ArenaTooSmall => "the arena is too small for any program",
            Self::Unreachable => "the program reached a place that the compiler holds impossible",
            Self::InvalidHandle => "the number is not the handle of a living thing of this kind",
            Self::InvalidCapacity => "the capacity is not one that this kind of container can have",
            Self::MapFull => "the map or set has a fixed capacity and is full",
            Self::InvalidKey => "-1 cannot be a key of this kind of map or set",
            Self::TypeMismatch => "the container holds values of another type",
            Self::BadNumber => "the bytes are not the 8 bytes of an f64",
            Self::BudgetAllocBytes => "the budget scope allocated more bytes than it may",
            Self::BudgetAllocCalls => "the budget scope allocated more often than it may",
            Self::BudgetReallocCalls => "the budget scope grew buffers more often than it may",
            Self::BudgetMemcpyBytes => "the budget scope copied more bytes than it may",
            Self::BudgetSchedTicks => "more scheduler ticks passed in the budget scope than may",
            Self::BudgetFuel => "the budget scope used up its fuel",
            Self::Contract => "a contract does not hold",
            Self::Deadlock => "scheduler deadlock: every task waits for another",
            Self::JoinTwice => "the task's result was taken before",
            Self::JoinSelf => "a task waits for its own end",
            Self::JoinKind => "the task yields a value of another type",
            Self::ChannelClosed => "the channel is closed",
            Self::ScopeChildren => "the task scope has more children than it may",
            Self::ScopeTicks => "more scheduler ticks passed in the task scope than may",
            Self::ScopeBlockedWaits => "more waits blocked in the task scope than may",
            Self::ScopeJoinPolls => "more joins were tried in the task scope than may",
            Self::ScopeCanceled => "a task is started in a scope whose tasks were canceled",
            Self::SlotConsumed => "the slot's result was taken before",
            Self::SlotKind => "the slot holds a value of another type",
            Self::SlotTooLarge => "the slot's result is larger than the scope allows",
            Self::SelectMaxPolls => "the select looked at its cases more often than it may",
            Self::SelectEventInvalid => "the number is not a living event of a select",
            Self::SelectEventTaken => "the event's bytes were taken before",
            Self::ReaderUnsupported => "the world solve-pure only reads from bytes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions() {
        for trap in Trap::ALL {
            assert_eq!(Trap::from_number(trap as u8), Some(trap));
        }
        assert_eq!(Trap::from_number(0), None);
    }
}
