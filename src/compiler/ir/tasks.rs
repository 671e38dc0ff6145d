//! What async functions add to the intermediate representation.
//!
//! Handles of tasks and channels, slots and events are one word each. Where an operand is a handle
//! of a task, [`Ty::I32`], [`Ty::TaskBytes`] and [`Ty::TaskResult`] may stand for each other: the
//! run-time library checks what a number means. So may [`Ty::I32`] for [`Ty::Slot`] and
//! [`Ty::Event`], and [`Ty::OptionI32`] for [`Ty::OptionEvent`].
//!
//! Operations on a task scope have no operand that says which: it is the innermost open scope of
//! the function that runs. [`TaskOp::ScopeEnter`] opens one, [`WaitOp::ScopeExit`] closes it. Every
//! way out of a scope runs its exit, innermost scope first; the task's cancellation closes them all.

use super::Ty;

/// An operation that may have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WaitOp {
    /// `(I32 task) -> Bytes`: the result of a task; empty when it was canceled. Traps
    /// `InvalidHandle`, `JoinTwice`, `JoinSelf`, `JoinKind`.
    JoinBytes,
    /// `(I32 task) -> ResultBytes`: the same for a task that yields a result; error 2 when it was
    /// canceled.
    JoinResult,
    /// `() -> I32` 0: lets other tasks run first; outside tasks, runs one step of the scheduler.
    Yield,
    /// `(I32 ticks) -> I32` 0: goes on when the clock has advanced by that many ticks.
    Sleep,
    /// `(I32 channel, Bytes message) -> I32` 1: waits while the channel is full; consumes the
    /// message. Traps `InvalidHandle`, `ChannelClosed`.
    ChanSend,
    /// `(I32 channel) -> Bytes`: waits while the channel is empty and open; empty bytes when it is
    /// empty and closed. Traps `InvalidHandle`.
    ChanRecv,
    /// `(Slot) -> Bytes`: the result of a slot's task. Traps `SlotConsumed`, `SlotKind`,
    /// `SlotTooLarge`, `InvalidHandle`.
    SlotBytes,
    /// `(Slot) -> ResultBytes`: the same for a task that yields a result.
    SlotResult,
    /// `() -> I32`: waits for all children and pending slots of the scope, drops their results, and
    /// makes the scope as new; yields how many they were.
    ScopeWaitAll,
    /// `() -> I32` 0: waits for all children and pending slots of the scope, drops their results,
    /// checks the scope's limits and closes it. Traps `ScopeTicks`, `ScopeBlockedWaits`,
    /// `ScopeJoinPolls`.
    ScopeExit,
    /// `() -> Event`: waits until a case of the scope's select (see [`TaskOp::SelectBegin`]) is
    /// ready, or time is up. Traps `SelectMaxPolls`.
    Select,
}

/// An operation of the scheduler that never waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskOp {
    /// `(I32 task) -> I32`: the same handle. Traps `InvalidHandle`.
    Check,
    /// `(I32 task) -> ResultBytes`: the result of a task that yields bytes; error 1 when it has not
    /// finished, 2 when it was canceled. Traps as [`WaitOp::JoinBytes`].
    TryJoinBytes,
    /// `(I32 task) -> ResultResultBytes`: the same for a task that yields a result.
    TryJoinResult,
    /// `(I32 task) -> I32` 1 when the task has finished or was canceled.
    IsFinished,
    /// `(I32 task) -> I32` 1: ends a task and frees what it holds; 0 when it had ended before.
    Cancel,
    /// `(I32 capacity) -> I32`: a new channel. Traps `InvalidCapacity` for 0.
    ChanNew,
    /// `(I32 channel, View message) -> I32`: 0 full, 1 a copy was sent, 2 closed.
    ChanTrySend,
    /// `(I32 channel) -> ResultBytes`: error 1 when empty, 2 when empty and closed.
    ChanTryRecv,
    /// `(I32 channel) -> I32`: 1 when this closed it, 0 when it was closed.
    ChanClose,
    /// `(I32 children, I32 ticks, I32 blocked waits, I32 join polls, I32 slot result bytes) -> I32`
    /// 0: opens a scope with these limits; all but the first mean no limit when 0.
    ScopeEnter,
    /// `(I32 task) -> I32` 1: makes a task a child of the scope. Traps `ScopeCanceled`,
    /// `ScopeChildren`.
    ScopeStart,
    /// `() -> I32`: cancels the scope's tasks, the newest first; yields how many had not ended.
    ScopeCancelAll,
    /// `(I32 task, I32 kind) -> Slot`: gives a task of the scope a slot; the kind is 0 for tasks that
    /// yield bytes, 1 for those that yield a result. Traps as [`TaskOp::ScopeStart`].
    ScopeLet,
    /// `(Slot) -> ResultBytes`: error 1 when the slot's task has not finished, 2 when it was
    /// canceled. Traps as [`WaitOp::SlotBytes`].
    TrySlotBytes,
    /// `(Slot) -> ResultResultBytes`: the same for a task that yields a result.
    TrySlotResult,
    /// `(Slot) -> I32` 1 when the slot's task has ended.
    SlotFinished,
    /// `(I32 round robin, I32 ticks between polls, I32 most polls, I32 timeout) -> I32` 0: begins a
    /// select without cases; the last two mean no limit when 0.
    SelectBegin,
    /// `(I32 kind, I32 source) -> I32` 0: adds a case: kind 0 a slot of a task that yields bytes,
    /// kind 1 a channel.
    SelectCase,
    /// `() -> OptionEvent`: what [`WaitOp::Select`] would yield at once, or none.
    SelectTry,
    /// `(Event) -> I32`. Traps `SelectEventInvalid`, as all operations on events.
    EventTag,
    /// `(Event) -> I32`: the number of the case.
    EventCase,
    /// `(Event) -> I32`: the slot or channel of the case.
    EventSource,
    /// `(Event) -> Bytes`: its payload, once. Traps `SelectEventTaken`.
    EventTake,
    /// `(Event) -> I32` 1: ends the event.
    EventDrop,
}

impl WaitOp {
    /// The types of its operands.
    #[must_use]
    pub const fn params(self) -> &'static [Ty] {
        match self {
            Self::Yield | Self::ScopeWaitAll | Self::ScopeExit | Self::Select => &[],
            Self::JoinBytes | Self::JoinResult | Self::Sleep | Self::ChanRecv => &[Ty::I32],
            Self::ChanSend => &[Ty::I32, Ty::Bytes],
            Self::SlotBytes | Self::SlotResult => &[Ty::Slot],
        }
    }

    /// The type of its result.
    #[must_use]
    pub const fn result(self) -> Ty {
        match self {
            Self::JoinBytes | Self::ChanRecv | Self::SlotBytes => Ty::Bytes,
            Self::JoinResult | Self::SlotResult => Ty::ResultBytes,
            Self::Yield | Self::Sleep | Self::ChanSend | Self::ScopeWaitAll | Self::ScopeExit => Ty::I32,
            Self::Select => Ty::Event,
        }
    }
}

impl TaskOp {
    /// The types of its operands.
    #[must_use]
    pub const fn params(self) -> &'static [Ty] {
        match self {
            Self::ScopeCancelAll | Self::SelectTry => &[],
            Self::Check
            | Self::TryJoinBytes
            | Self::TryJoinResult
            | Self::IsFinished
            | Self::Cancel
            | Self::ChanNew
            | Self::ChanTryRecv
            | Self::ChanClose
            | Self::ScopeStart => &[Ty::I32],
            Self::ChanTrySend => &[Ty::I32, Ty::View],
            Self::ScopeEnter => &[Ty::I32, Ty::I32, Ty::I32, Ty::I32, Ty::I32],
            Self::ScopeLet | Self::SelectCase => &[Ty::I32, Ty::I32],
            Self::TrySlotBytes | Self::TrySlotResult | Self::SlotFinished => &[Ty::Slot],
            Self::SelectBegin => &[Ty::I32, Ty::I32, Ty::I32, Ty::I32],
            Self::EventTag | Self::EventCase | Self::EventSource | Self::EventTake | Self::EventDrop => &[Ty::Event],
        }
    }

    /// The type of its result.
    #[must_use]
    pub const fn result(self) -> Ty {
        match self {
            Self::TryJoinBytes | Self::ChanTryRecv | Self::TrySlotBytes => Ty::ResultBytes,
            Self::TryJoinResult | Self::TrySlotResult => Ty::ResultResultBytes,
            Self::ScopeLet => Ty::Slot,
            Self::SelectTry => Ty::OptionEvent,
            Self::EventTake => Ty::Bytes,
            Self::Check
            | Self::IsFinished
            | Self::Cancel
            | Self::ChanNew
            | Self::ChanTrySend
            | Self::ChanClose
            | Self::ScopeEnter
            | Self::ScopeStart
            | Self::ScopeCancelAll
            | Self::SlotFinished
            | Self::SelectBegin
            | Self::SelectCase
            | Self::EventTag
            | Self::EventCase
            | Self::EventSource
            | Self::EventDrop => Ty::I32,
        }
    }
}
