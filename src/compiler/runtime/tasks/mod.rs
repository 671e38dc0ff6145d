//! The scheduler: tasks, timers, channels, task scopes, select.
//!
//! One thread, a virtual clock, a queue of tasks that are ready. A task is a record and a frame;
//! the frame holds the locals of its function while it is suspended. The emitted module has two
//! functions that know the program's async functions by number: [`TaskHelper::Run`] runs a task
//! until it finishes or waits, [`TaskHelper::DropFrame`] frees what a suspended task's locals own.
//!
//! A *poll* is a helper for an operation that may wait. Its last parameter says whether the task
//! was suspended in this very operation before; its last result whether the operation is done. When
//! it is not, the poll has put the current task where something will wake it, and the task must
//! suspend and poll again when it runs the next time. Outside tasks a poll runs other tasks until
//! the operation is done, and traps when none can go on.
//!
//! | file | contents |
//! |---|---|
//! | this one | the list of helpers, the scheduler's own record |
//! | `scheduler` | tasks, the ready queue, joins, cancellation |
//! | `timers` | the clock and sleeping |
//! | `channels` | channels of bytes |
//! | `scopes` | task scopes, children, slots |
//! | `select` | select and its events |

mod channels;
mod scheduler;
mod scopes;
mod select;
mod timers;

use super::Helper;
use super::code::Code;
use super::layout::{SCHEDULER, TABLES};
use super::structured::{Exp, Fun, Var, call, is_zero, less, load, load64, shl, task, v};
use crate::compiler::ir::Trap;

/// What tasks that yield bytes are told apart by from those that yield a result.
const KIND_BYTES: i32 = 0;
/// The kind that stands for both.
const ANY_KIND: i32 = 2;

/// The scheduler's record.
mod state {
    /// The record of the task that runs; 0 outside tasks.
    pub(super) const CURRENT: u32 = 0;
    /// How often a task had to wait.
    pub(super) const BLOCKED: u32 = 4;
    /// How many joins were tried.
    pub(super) const JOINS: u32 = 8;
    /// List of ready tasks.
    pub(super) const READY: u32 = 12;
    /// Array: the record of each task; 1 for a task whose result was taken.
    pub(super) const TASKS: u32 = 20;
    /// Array: the record of each channel.
    pub(super) const CHANNELS: u32 = 32;
    /// Array: the record of each event; 0 for one that is over.
    pub(super) const EVENTS: u32 = 44;
    /// Array: a heap of timers.
    pub(super) const TIMERS: u32 = 56;
    /// The innermost scope that is open outside tasks.
    pub(super) const SCOPE: u32 = 68;
    /// 64 bits: the clock.
    pub(super) const NOW: u32 = 72;
    /// 64 bits: how many timers there were.
    pub(super) const SEQUENCE: u32 = 80;
    /// How many timers there may be before those of ended tasks are looked for; 0 for the least number.
    pub(super) const TIMER_LIMIT: u32 = 88;
    pub(super) const SIZE: i32 = 96;
}

/// An array that grows: address, number of words, and room for how many.
mod array {
    pub(super) const ADDRESS: u32 = 0;
    pub(super) const LENGTH: u32 = 4;
    pub(super) const ROOM: u32 = 8;
}

/// Where a record is in a list: the same place in records of all kinds.
mod link {
    pub(super) const NEXT: u32 = 32;
    pub(super) const PREVIOUS: u32 = 36;
    /// The list, two words, first and last; 0 when in none.
    pub(super) const LIST: u32 = 40;
}

/// First and last record of a list.
mod list {
    pub(super) const FIRST: u32 = 0;
    pub(super) const LAST: u32 = 4;
}

/// A function of the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskHelper {
    /// `() -> address` of the scheduler's record.
    State,
    /// `(array, word)`: appends.
    Push,
    /// `(list, record)`: appends.
    Link,
    /// `(record)`: takes the record out of its list, if it is in one.
    Unlink,
    /// `(list)`: makes its first task ready, if there is one.
    WakeFirst,
    /// `(list)`: makes all its tasks ready, in order.
    WakeAll,
    /// `(function, kind, frame size) -> (task, frame)`: a new task, ready, with a frame of zeroes.
    New,
    /// `(task) -> record`, or 1 when its result was taken. Traps for other numbers.
    Find,
    /// `(task) -> task`: traps when there is no such task.
    Check,
    /// `(function, frame) -> 1` when the task has finished, 0 when it waits. Made for each module.
    Run,
    /// `(function, frame)`: frees what the frame's locals own. Made for each module.
    DropFrame,
    /// `(tag, address, length)`: the current task's result.
    Yielded,
    /// `() -> 1`, or 0 when nothing can run: one step of the scheduler.
    Step,
    /// `()`: one step; traps when nothing can run.
    MustStep,
    /// `(record)`: ends a task that is not done.
    End,
    /// `(record)`: frees what a suspended task holds.
    Dispose,
    /// `(record)`: a result was taken: the record goes away.
    Forget,
    /// `(task) -> 1 or 0`.
    Cancel,
    /// `(task) -> 1 or 0`: whether it has ended.
    Finished,
    /// `(task, kind) -> (tag, address, length, done)`: a poll that never looks whether it is resumed.
    /// A canceled task has tag 0 and 2 in place of the address.
    Join,
    /// `(task, resumed) -> (address, length, done)`.
    JoinBytes,
    /// `(task, resumed) -> (tag, address, length, done)`.
    JoinResult,
    /// `(task, kind) -> (code, tag, address, length)`: code 0 is done, 1 not yet, 2 canceled.
    TryJoin,
    /// `(task) -> (tag, address or code, length)`.
    TryJoinBytes,
    /// `(task) -> (tag, inner tag or code, address, length)`.
    TryJoinResult,
    /// `(resumed) -> done`.
    Yield,
    /// `(ticks, resumed) -> done`.
    Sleep,
    /// `(task, ticks)`: has the task woken after that many ticks.
    SetTimer,
    /// `(timer, timer) -> 1` when the first is due before the second, else 0.
    Earlier,
    /// `() -> timer`: takes the first timer out of the heap, which is not empty.
    TakeTimer,
    /// `() -> ticks`: the lower 32 bits of the clock.
    Ticks,
    /// `()`: removes timers of tasks that have ended from the top of the heap.
    Prune,
    /// `(capacity) -> channel`.
    ChanNew,
    /// `(channel) -> record`.
    ChanFind,
    /// `(record, address, length)`: a message goes in.
    ChanPut,
    /// `(record) -> (address, length)`: a message comes out.
    ChanGet,
    /// `(channel, address, length, resumed) -> done`.
    ChanSend,
    /// `(channel, resumed) -> (address, length, done)`.
    ChanRecv,
    /// `(channel, address, length) -> 0, 1 or 2`.
    ChanTrySend,
    /// `(channel) -> (tag, address or code, length)`.
    ChanTryRecv,
    /// `(channel) -> 1 or 0`.
    ChanClose,
    /// `() -> address` of the word that holds the innermost scope of what runs now.
    ScopeHolder,
    /// `(children, ticks, blocked waits, join polls, slot result bytes) -> 0`.
    ScopeEnter,
    /// `(scope, task)`: a task belongs to the scope.
    ScopeRegister,
    /// `(scope, task)`: it does not any more.
    ScopeUnregister,
    /// `(task) -> 1`.
    ScopeStart,
    /// `() -> number`.
    ScopeCancelAll,
    /// `(task, kind) -> slot`.
    ScopeLet,
    /// `(slot) -> record`.
    SlotFind,
    /// `(slot, kind) -> (tag, address, length, done)`: a poll.
    SlotJoin,
    /// `(slot, resumed) -> (address, length, done)`.
    SlotBytes,
    /// `(slot, resumed) -> (tag, address, length, done)`.
    SlotResult,
    /// `(slot, kind) -> (code, tag, address, length)` as [`TaskHelper::TryJoin`].
    SlotTry,
    /// `(slot) -> (tag, address or code, length)`.
    SlotTryBytes,
    /// `(slot) -> (tag, inner tag or code, address, length)`.
    SlotTryResult,
    /// `(slot) -> 1 or 0`.
    SlotFinished,
    /// `(scope, tag, length)`: traps when a result is larger than the scope allows.
    ScopeCheckSize,
    /// `(scope) -> done`: a poll that joins and drops what is left.
    ScopeJoinRest,
    /// `(resumed) -> (count, done)`.
    ScopeWaitAll,
    /// `(resumed) -> done`.
    ScopeExit,
    /// `(scope)`: frees its record and all that belongs to it.
    ScopeFree,
    /// `(scope)`: cancels and drops its tasks, then frees it.
    ScopeDrop,
    /// `(round robin, ticks, polls, timeout) -> 0`.
    SelectBegin,
    /// `(kind, source) -> 0`.
    SelectCase,
    /// `(scope) -> event`, 0 when no case is ready.
    SelectPoll,
    /// `() -> (tag, event)`.
    SelectTry,
    /// `(resumed) -> (event, done)`.
    Select,
    /// `(scope, tag, case, source, address, length) -> event`.
    EventNew,
    /// `(event) -> record`.
    EventFind,
    /// `(event) -> tag`.
    EventTag,
    /// `(event) -> case`.
    EventCase,
    /// `(event) -> source`.
    EventSource,
    /// `(event) -> (address, length)`.
    EventTake,
    /// `(event) -> 1`.
    EventDrop,
}

impl TaskHelper {
    /// The name in the module's name section and in explanations of traps.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::State => "x07.rt.task_state",
            Self::Push => "x07.rt.task_push",
            Self::Link => "x07.rt.task_link",
            Self::Unlink => "x07.rt.task_unlink",
            Self::WakeFirst => "x07.rt.task_wake_first",
            Self::WakeAll => "x07.rt.task_wake_all",
            Self::New => "x07.rt.task_new",
            Self::Find => "x07.rt.task_find",
            Self::Check => "x07.rt.task_check",
            Self::Run => "x07.rt.task_run",
            Self::DropFrame => "x07.rt.task_drop_frame",
            Self::Yielded => "x07.rt.task_yielded",
            Self::Step => "x07.rt.task_step",
            Self::MustStep => "x07.rt.task_must_step",
            Self::End => "x07.rt.task_end",
            Self::Dispose => "x07.rt.task_dispose",
            Self::Forget => "x07.rt.task_forget",
            Self::Cancel => "x07.rt.task_cancel",
            Self::Finished => "x07.rt.task_finished",
            Self::Join => "x07.rt.task_join",
            Self::JoinBytes => "x07.rt.task_join_bytes",
            Self::JoinResult => "x07.rt.task_join_result",
            Self::TryJoin => "x07.rt.task_try_join",
            Self::TryJoinBytes => "x07.rt.task_try_join_bytes",
            Self::TryJoinResult => "x07.rt.task_try_join_result",
            Self::Yield => "x07.rt.task_yield",
            Self::Sleep => "x07.rt.task_sleep",
            Self::SetTimer => "x07.rt.task_set_timer",
            Self::Earlier => "x07.rt.task_earlier",
            Self::TakeTimer => "x07.rt.task_take_timer",
            Self::Ticks => "x07.rt.task_ticks",
            Self::Prune => "x07.rt.task_prune",
            Self::ChanNew => "x07.rt.chan_new",
            Self::ChanFind => "x07.rt.chan_find",
            Self::ChanPut => "x07.rt.chan_put",
            Self::ChanGet => "x07.rt.chan_get",
            Self::ChanSend => "x07.rt.chan_send",
            Self::ChanRecv => "x07.rt.chan_recv",
            Self::ChanTrySend => "x07.rt.chan_try_send",
            Self::ChanTryRecv => "x07.rt.chan_try_recv",
            Self::ChanClose => "x07.rt.chan_close",
            Self::ScopeHolder => "x07.rt.scope_holder",
            Self::ScopeEnter => "x07.rt.scope_enter",
            Self::ScopeRegister => "x07.rt.scope_register",
            Self::ScopeUnregister => "x07.rt.scope_unregister",
            Self::ScopeStart => "x07.rt.scope_start",
            Self::ScopeCancelAll => "x07.rt.scope_cancel_all",
            Self::ScopeLet => "x07.rt.scope_let",
            Self::SlotFind => "x07.rt.slot_find",
            Self::SlotJoin => "x07.rt.slot_join",
            Self::SlotBytes => "x07.rt.slot_bytes",
            Self::SlotResult => "x07.rt.slot_result",
            Self::SlotTry => "x07.rt.slot_try",
            Self::SlotTryBytes => "x07.rt.slot_try_bytes",
            Self::SlotTryResult => "x07.rt.slot_try_result",
            Self::SlotFinished => "x07.rt.slot_finished",
            Self::ScopeCheckSize => "x07.rt.scope_check_size",
            Self::ScopeJoinRest => "x07.rt.scope_join_rest",
            Self::ScopeWaitAll => "x07.rt.scope_wait_all",
            Self::ScopeExit => "x07.rt.scope_exit",
            Self::ScopeFree => "x07.rt.scope_free",
            Self::ScopeDrop => "x07.rt.scope_drop",
            Self::SelectBegin => "x07.rt.select_begin",
            Self::SelectCase => "x07.rt.select_case",
            Self::SelectPoll => "x07.rt.select_poll",
            Self::SelectTry => "x07.rt.select_try",
            Self::Select => "x07.rt.select",
            Self::EventNew => "x07.rt.event_new",
            Self::EventFind => "x07.rt.event_find",
            Self::EventTag => "x07.rt.event_tag",
            Self::EventCase => "x07.rt.event_case",
            Self::EventSource => "x07.rt.event_source",
            Self::EventTake => "x07.rt.event_take",
            Self::EventDrop => "x07.rt.event_drop",
        }
    }

    /// How many words go in and come out.
    pub(super) const fn arity(self) -> (usize, usize) {
        match self {
            Self::Prune | Self::MustStep => (0, 0),
            Self::State | Self::Step | Self::Ticks | Self::ScopeHolder | Self::ScopeCancelAll => (0, 1),
            Self::SelectTry => (0, 2),
            Self::Unlink
            | Self::WakeFirst
            | Self::WakeAll
            | Self::End
            | Self::Dispose
            | Self::Forget
            | Self::ScopeFree
            | Self::ScopeDrop => (1, 0),
            Self::Find
            | Self::Check
            | Self::Cancel
            | Self::Finished
            | Self::Yield
            | Self::ChanNew
            | Self::ChanFind
            | Self::ChanClose
            | Self::ScopeStart
            | Self::SlotFind
            | Self::SlotFinished
            | Self::ScopeJoinRest
            | Self::ScopeExit
            | Self::SelectPoll
            | Self::EventFind
            | Self::EventTag
            | Self::EventCase
            | Self::EventSource
            | Self::EventDrop => (1, 1),
            Self::ChanGet | Self::EventTake | Self::ScopeWaitAll | Self::Select => (1, 2),
            Self::TryJoinBytes | Self::SlotTryBytes | Self::ChanTryRecv => (1, 3),
            Self::TryJoinResult | Self::SlotTryResult => (1, 4),
            Self::TakeTimer => (0, 1),
            Self::Push
            | Self::Link
            | Self::DropFrame
            | Self::SetTimer
            | Self::ScopeRegister
            | Self::ScopeUnregister => (2, 0),
            Self::Run | Self::Sleep | Self::Earlier | Self::ScopeLet | Self::SelectCase => (2, 1),
            Self::JoinBytes | Self::ChanRecv | Self::SlotBytes => (2, 3),
            Self::Join | Self::JoinResult | Self::TryJoin | Self::SlotJoin | Self::SlotResult | Self::SlotTry => (2, 4),
            Self::Yielded | Self::ChanPut | Self::ScopeCheckSize => (3, 0),
            Self::ChanTrySend => (3, 1),
            Self::New => (3, 2),
            Self::ChanSend | Self::SelectBegin => (4, 1),
            Self::ScopeEnter => (5, 1),
            Self::EventNew => (6, 1),
        }
    }

    /// The function's code; for [`TaskHelper::Run`] and [`TaskHelper::DropFrame`] that of a module
    /// without async functions.
    pub(super) fn code(self) -> Code {
        match self {
            Self::State => state(),
            Self::Push => push(),
            Self::Link => link_record(),
            Self::Unlink => unlink_record(),
            Self::WakeFirst => scheduler::wake_first(),
            Self::WakeAll => scheduler::wake_all(),
            Self::New => scheduler::new(),
            Self::Find => scheduler::find(),
            Self::Check => scheduler::check(),
            Self::Run | Self::DropFrame => impossible(),
            Self::Yielded => scheduler::yielded(),
            Self::Step => scheduler::step(),
            Self::MustStep => scheduler::must_step(),
            Self::End => scheduler::end(),
            Self::Dispose => scheduler::dispose(),
            Self::Forget => scheduler::forget(),
            Self::Cancel => scheduler::cancel(),
            Self::Finished => scheduler::finished(),
            Self::Join => scheduler::join(),
            Self::JoinBytes => scheduler::join_bytes(),
            Self::JoinResult => scheduler::join_result(),
            Self::TryJoin => scheduler::try_join(),
            Self::TryJoinBytes => tried_bytes(Self::TryJoin),
            Self::TryJoinResult => tried_result(Self::TryJoin),
            Self::Yield => scheduler::yield_(),
            Self::Sleep => timers::sleep(),
            Self::SetTimer => timers::set_timer(),
            Self::Earlier => timers::earlier(),
            Self::TakeTimer => timers::take_timer(),
            Self::Ticks => timers::ticks(),
            Self::Prune => timers::prune(),
            Self::ChanNew => channels::new(),
            Self::ChanFind => channels::find(),
            Self::ChanPut => channels::put(),
            Self::ChanGet => channels::get(),
            Self::ChanSend => channels::send(),
            Self::ChanRecv => channels::recv(),
            Self::ChanTrySend => channels::try_send(),
            Self::ChanTryRecv => channels::try_recv(),
            Self::ChanClose => channels::close(),
            Self::ScopeHolder => scopes::holder(),
            Self::ScopeEnter => scopes::enter(),
            Self::ScopeRegister => scopes::register(),
            Self::ScopeUnregister => scopes::unregister(),
            Self::ScopeStart => scopes::start(),
            Self::ScopeCancelAll => scopes::cancel_all(),
            Self::ScopeLet => scopes::let_slot(),
            Self::SlotFind => scopes::slot_find(),
            Self::SlotJoin => scopes::slot_join(),
            Self::SlotBytes => scopes::slot_bytes(),
            Self::SlotResult => scopes::slot_result(),
            Self::SlotTry => scopes::slot_try(),
            Self::SlotTryBytes => tried_bytes(Self::SlotTry),
            Self::SlotTryResult => tried_result(Self::SlotTry),
            Self::SlotFinished => scopes::slot_finished(),
            Self::ScopeCheckSize => scopes::check_size(),
            Self::ScopeJoinRest => scopes::join_rest(),
            Self::ScopeWaitAll => scopes::wait_all(),
            Self::ScopeExit => scopes::exit(),
            Self::ScopeFree => scopes::free(),
            Self::ScopeDrop => scopes::drop(),
            Self::SelectBegin => select::begin(),
            Self::SelectCase => select::case(),
            Self::SelectPoll => select::poll(),
            Self::SelectTry => select::try_(),
            Self::Select => select::select(),
            Self::EventNew => select::event_new(),
            Self::EventFind => select::event_find(),
            Self::EventTag => select::event_tag(),
            Self::EventCase => select::event_case(),
            Self::EventSource => select::event_source(),
            Self::EventTake => select::event_take(),
            Self::EventDrop => select::event_drop(),
        }
    }
}

/// The scheduler's record.
fn scheduler_state(f: &mut Fun) -> Var {
    f.bind(task(TaskHelper::State, Vec::new()))
}

/// The clock, 64 bits.
fn now(state: Var) -> Exp {
    load64(state, state::NOW)
}

/// The element of an array.
fn element(array: impl Into<Exp>, index: impl Into<Exp>) -> Exp {
    load(element_address(array, index), 0)
}

/// Where the element of an array is.
fn element_address(array: impl Into<Exp>, index: impl Into<Exp>) -> Exp {
    load(array, array::ADDRESS) + shl(index, 2)
}

/// How many elements an array has.
fn length(array: impl Into<Exp>) -> Exp {
    load(array, array::LENGTH)
}

/// A new record of zeroes.
fn new_record(f: &mut Fun, size: i32) -> Var {
    f.bind(call(Helper::AllocZeroed, vec![v(size)]))
}

/// The code of [`TaskHelper::State`].
fn state() -> Code {
    let mut f = Fun::new(0);
    let root = f.bind(Exp::Global(TABLES));
    let state = f.bind(load(root, SCHEDULER));
    f.when(state, |f| f.give(&[v(state)]));
    f.set(state, call(Helper::AllocZeroed, vec![v(state::SIZE)]));
    f.store(root, SCHEDULER, state);
    f.give(&[v(state)]);
    f.finish()
}

/// The code of [`TaskHelper::Push`].
fn push() -> Code {
    /// So many words fit the address space with certainty.
    const MOST: i32 = 1 << 28;
    let mut f = Fun::new(2);
    let (array, word) = (f.param(), f.param());
    let used = f.bind(load(array, array::LENGTH));
    let room = f.bind(load(array, array::ROOM));
    f.when(is_zero(less(used, room)), |f| {
        f.trap_if(less(MOST, room), Trap::OutOfMemory);
        f.set(room, v(room) + v(room) + 4);
        let moved = call(Helper::Realloc, vec![load(array, array::ADDRESS), shl(used, 2), shl(room, 2)]);
        f.store(array, array::ADDRESS, moved);
        f.store(array, array::ROOM, room);
    });
    f.store(element_address(array, used), 0, word);
    f.store(array, array::LENGTH, v(used) + 1);
    f.finish()
}

/// The code of [`TaskHelper::Link`].
fn link_record() -> Code {
    let mut f = Fun::new(2);
    let (list, record) = (f.param(), f.param());
    let last = f.bind(load(list, list::LAST));
    f.store(record, link::LIST, list);
    f.store(record, link::PREVIOUS, last);
    f.store(record, link::NEXT, 0);
    f.choose(last, |f| f.store(last, link::NEXT, record), |f| f.store(list, list::FIRST, record));
    f.store(list, list::LAST, record);
    f.finish()
}

/// The code of [`TaskHelper::Unlink`].
fn unlink_record() -> Code {
    let mut f = Fun::new(1);
    let record = f.param();
    let list = f.bind(load(record, link::LIST));
    let previous = f.bind(load(record, link::PREVIOUS));
    let next = f.bind(load(record, link::NEXT));
    f.when(list, |f| {
        f.choose(previous, |f| f.store(previous, link::NEXT, next), |f| f.store(list, list::FIRST, next));
        f.choose(next, |f| f.store(next, link::PREVIOUS, previous), |f| f.store(list, list::LAST, previous));
        f.store(record, link::LIST, 0);
    });
    f.finish()
}

/// The code of a helper that makes a result of bytes from what `tried` gives.
fn tried_bytes(tried: TaskHelper) -> Code {
    let mut f = Fun::new(1);
    let handle = f.param();
    let (code, tag, address, length) = (f.local(), f.local(), f.local(), f.local());
    f.take(&[code, tag, address, length], tried, vec![v(handle), v(KIND_BYTES)]);
    f.when(code, |f| f.give(&[v(0), v(code), v(0)]));
    f.give(&[v(1), v(address), v(length)]);
    f.finish()
}

/// The code of a helper that makes a result of a result of bytes from what `tried` gives.
fn tried_result(tried: TaskHelper) -> Code {
    let mut f = Fun::new(1);
    let handle = f.param();
    let (code, tag, address, length) = (f.local(), f.local(), f.local(), f.local());
    f.take(&[code, tag, address, length], tried, vec![v(handle), v(KIND_BYTES + 1)]);
    f.when(code, |f| f.give(&[v(0), v(code), v(0), v(0)]));
    f.give(&[v(1), v(tag), v(address), v(length)]);
    f.finish()
}

/// The code of a function that is made for each module, when there is nothing to choose from.
fn impossible() -> Code {
    let mut code = Code::new(2);
    code.trap(Trap::Unreachable, None);
    code.ins().end();
    code
}
