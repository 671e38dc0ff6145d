//! Task scopes: children, slots, limits.

use super::scheduler::{drop_task, is_live, record};
use super::{
    ANY_KIND, Code, Fun, Helper, KIND_BYTES, TaskHelper, Trap, Var, array, element, element_address, length, list,
    load, new_record, now, scheduler_state, state, task, v,
};
use crate::compiler::runtime::structured::{call, differ, equal, is_zero, less, less64, load64, shl, shr, sub64, wide};

/// A scope's record.
pub(super) mod scope {
    /// The scope around it.
    pub(crate) const OUTER: u32 = 0;
    pub(crate) const MAX_CHILDREN: u32 = 4;
    pub(crate) const MAX_TICKS: u32 = 8;
    pub(crate) const MAX_BLOCKED: u32 = 12;
    pub(crate) const MAX_JOINS: u32 = 16;
    pub(crate) const MAX_RESULT: u32 = 20;
    pub(crate) const CANCELED: u32 = 24;
    /// The scheduler's counts when the scope was opened.
    pub(crate) const BLOCKED: u32 = 28;
    pub(crate) const JOINS: u32 = 32;
    /// Array: started tasks, in order.
    pub(crate) const CHILDREN: u32 = 36;
    /// Array: all tasks that belong to it, in order.
    pub(crate) const TASKS: u32 = 48;
    /// Array: the records of its slots.
    pub(crate) const SLOTS: u32 = 60;
    /// How far joining the rest is, and how many there were.
    pub(crate) const NEXT_SLOT: u32 = 72;
    pub(crate) const NEXT_CHILD: u32 = 76;
    pub(crate) const COUNT: u32 = 80;
    /// Where a round robin select begins.
    pub(crate) const CURSOR: u32 = 84;
    /// Array: kind and source of each case of the select.
    pub(crate) const CASES: u32 = 88;
    pub(crate) const POLLS: u32 = 100;
    pub(crate) const MAX_POLLS: u32 = 104;
    pub(crate) const SLEEP: u32 = 108;
    pub(crate) const ROUND_ROBIN: u32 = 112;
    pub(crate) const TIMEOUT: u32 = 116;
    /// List of the events that are alive.
    pub(crate) const EVENTS: u32 = 120;
    /// 64 bits each: the clock when the scope was opened and when the select began.
    pub(crate) const OPENED: u32 = 128;
    pub(crate) const SELECT_BEGAN: u32 = 136;
    pub(crate) const SIZE: i32 = 144;
}

/// A slot's record.
pub(super) mod slot {
    pub(crate) const TASK: u32 = 0;
    pub(crate) const KIND: u32 = 4;
    /// [`PENDING`], or [`CONSUMED`].
    pub(crate) const STATE: u32 = 8;
    /// How often the slot was given out, in 16 bits.
    pub(crate) const GENERATION: u32 = 12;
    pub(crate) const SIZE: i32 = 16;

    pub(crate) const PENDING: i32 = 1;
    pub(crate) const CONSUMED: i32 = 2;
}

/// Slots that 16 bits can tell apart.
const MOST_SLOTS: i32 = 1 << 16;
/// The bits of a slot's number that are its index, and those of a generation.
const LOW: i32 = 0xffff;

/// The innermost scope of what runs now.
pub(super) fn innermost(f: &mut Fun) -> Var {
    f.bind(load(task(TaskHelper::ScopeHolder, Vec::new()), 0))
}

/// The code of [`TaskHelper::ScopeHolder`].
pub(super) fn holder() -> Code {
    let mut f = Fun::new(0);
    let state = scheduler_state(&mut f);
    let current = f.bind(load(state, state::CURRENT));
    f.when(current, |f| f.give(&[v(current) + record::SCOPE as i32]));
    f.give(&[v(state) + state::SCOPE as i32]);
    f.finish()
}

/// The code of [`TaskHelper::ScopeEnter`].
pub(super) fn enter() -> Code {
    let mut f = Fun::new(5);
    let (children, ticks, blocked) = (f.param(), f.param(), f.param());
    let (joins, result) = (f.param(), f.param());
    let state = scheduler_state(&mut f);
    let holder = f.bind(task(TaskHelper::ScopeHolder, Vec::new()));
    let opened = new_record(&mut f, scope::SIZE);
    f.store(opened, scope::OUTER, load(holder, 0));
    f.store(opened, scope::MAX_CHILDREN, children);
    f.store(opened, scope::MAX_TICKS, ticks);
    f.store(opened, scope::MAX_BLOCKED, blocked);
    f.store(opened, scope::MAX_JOINS, joins);
    f.store(opened, scope::MAX_RESULT, result);
    f.store(opened, scope::BLOCKED, load(state, state::BLOCKED));
    f.store(opened, scope::JOINS, load(state, state::JOINS));
    f.store64(opened, scope::OPENED, now(state));
    f.store(holder, 0, opened);
    f.give(&[v(0)]);
    f.finish()
}

/// The code of [`TaskHelper::ScopeRegister`].
pub(super) fn register() -> Code {
    let mut f = Fun::new(2);
    let (scope, handle) = (f.param(), f.param());
    f.trap_if(load(scope, scope::CANCELED), Trap::ScopeCanceled);
    let tasks = f.bind(v(scope) + scope::TASKS as i32);
    f.trap_if(is_zero(less(length(tasks), load(scope, scope::MAX_CHILDREN))), Trap::ScopeChildren);
    f.run(TaskHelper::Push, vec![v(tasks), v(handle)]);
    f.finish()
}

/// The code of [`TaskHelper::ScopeUnregister`].
pub(super) fn unregister() -> Code {
    let mut f = Fun::new(2);
    let (scope, handle) = (f.param(), f.param());
    let tasks = f.bind(v(scope) + scope::TASKS as i32);
    let at = f.bind(0);
    let to = f.bind(0);
    f.while_(less(at, length(tasks)), |f| {
        f.when(differ(element(tasks, at), handle), |f| {
            f.store(element_address(tasks, to), 0, element(tasks, at));
            f.set(to, v(to) + 1);
        });
        f.set(at, v(at) + 1);
    });
    f.store(tasks, array::LENGTH, to);
    f.finish()
}

/// The code of [`TaskHelper::ScopeStart`].
pub(super) fn start() -> Code {
    let mut f = Fun::new(1);
    let handle = f.param();
    let scope = innermost(&mut f);
    f.run(TaskHelper::ScopeRegister, vec![v(scope), v(handle)]);
    let children = f.bind(v(scope) + scope::CHILDREN as i32);
    f.trap_if(is_zero(less(length(children), load(scope, scope::MAX_CHILDREN))), Trap::ScopeChildren);
    f.run(TaskHelper::Push, vec![v(children), v(handle)]);
    f.give(&[v(1)]);
    f.finish()
}

/// The code of [`TaskHelper::ScopeCancelAll`].
pub(super) fn cancel_all() -> Code {
    let mut f = Fun::new(0);
    let scope = innermost(&mut f);
    let tasks = f.bind(v(scope) + scope::TASKS as i32);
    let count = f.bind(0);
    let left = f.bind(length(tasks));
    f.while_(left, |f| {
        f.set(left, v(left) - 1);
        f.set(count, v(count) + task(TaskHelper::Cancel, vec![element(tasks, left)]));
    });
    f.store(scope, scope::CANCELED, 1);
    f.give(&[v(count)]);
    f.finish()
}

/// The code of [`TaskHelper::ScopeLet`].
pub(super) fn let_slot() -> Code {
    let mut f = Fun::new(2);
    let (handle, kind) = (f.param(), f.param());
    let scope = innermost(&mut f);
    f.run(TaskHelper::ScopeRegister, vec![v(scope), v(handle)]);
    let slots = f.bind(v(scope) + scope::SLOTS as i32);
    let found = f.local();
    let at = f.bind(0);
    f.while_(less(at, length(slots)), |f| {
        f.set(found, element(slots, at));
        f.when(equal(load(found, slot::STATE), slot::CONSUMED), |f| give_slot(f, found, at, handle, kind));
        f.set(at, v(at) + 1);
    });
    f.trap_if(is_zero(less(at, load(scope, scope::MAX_CHILDREN))), Trap::ScopeChildren);
    f.trap_if(is_zero(less(at, MOST_SLOTS)), Trap::ScopeChildren);
    f.set(found, call(Helper::AllocZeroed, vec![v(slot::SIZE)]));
    f.run(TaskHelper::Push, vec![v(slots), v(found)]);
    give_slot(&mut f, found, at, handle, kind);
    f.finish()
}

/// Returns a free slot that now belongs to a task.
fn give_slot(f: &mut Fun, found: Var, index: Var, handle: Var, kind: Var) {
    f.store(found, slot::TASK, handle);
    f.store(found, slot::KIND, kind);
    f.store(found, slot::STATE, slot::PENDING);
    f.store(found, slot::GENERATION, (load(found, slot::GENERATION) + 1) & LOW);
    f.give(&[shl(load(found, slot::GENERATION), 16) + index]);
}

/// The code of [`TaskHelper::SlotFind`].
pub(super) fn slot_find() -> Code {
    let mut f = Fun::new(1);
    let number = f.param();
    let scope = innermost(&mut f);
    let slots = f.bind(v(scope) + scope::SLOTS as i32);
    let index = f.bind(v(number) & LOW);
    f.trap_if(is_zero(less(index, length(slots))), Trap::InvalidHandle);
    let found = f.bind(element(slots, index));
    let generation = f.bind(shr(number, 16));
    f.trap_if(less(load(found, slot::GENERATION), generation), Trap::InvalidHandle);
    // Another task has the slot now, so the one that is meant was consumed.
    f.trap_if(differ(load(found, slot::GENERATION), generation), Trap::SlotConsumed);
    f.give(&[v(found)]);
    f.finish()
}

/// Traps unless a slot's result can still be taken, as this kind.
fn check_slot(f: &mut Fun, found: Var, kind: Var) {
    f.trap_if(differ(load(found, slot::STATE), slot::PENDING), Trap::SlotConsumed);
    f.trap_if(differ(load(found, slot::KIND), kind), Trap::SlotKind);
}

/// Notes that a slot's result was taken.
fn consume(f: &mut Fun, scope: Var, found: Var) {
    f.store(found, slot::STATE, slot::CONSUMED);
    f.run(TaskHelper::ScopeUnregister, vec![v(scope), load(found, slot::TASK)]);
}

/// The code of [`TaskHelper::SlotJoin`].
pub(super) fn slot_join() -> Code {
    let mut f = Fun::new(2);
    let (number, kind) = (f.param(), f.param());
    let scope = innermost(&mut f);
    let found = f.bind(task(TaskHelper::SlotFind, vec![v(number)]));
    let (tag, address, length, done) = (f.local(), f.local(), f.local(), f.local());
    check_slot(&mut f, found, kind);
    f.take(&[tag, address, length, done], TaskHelper::Join, vec![load(found, slot::TASK), v(kind)]);
    f.when(is_zero(done), |f| f.give(&[v(0), v(0), v(0), v(0)]));
    f.run(TaskHelper::ScopeCheckSize, vec![v(scope), v(tag), v(length)]);
    consume(&mut f, scope, found);
    f.give(&[v(tag), v(address), v(length), v(1)]);
    f.finish()
}

/// The code of [`TaskHelper::SlotBytes`].
pub(super) fn slot_bytes() -> Code {
    let mut f = Fun::new(2);
    let number = f.param();
    let (tag, address, length, done) = (f.local(), f.local(), f.local(), f.local());
    f.take(&[tag, address, length, done], TaskHelper::SlotJoin, vec![v(number), v(KIND_BYTES)]);
    // A canceled task yields no bytes.
    f.give(&[v(address) * tag, v(length) * tag, v(done)]);
    f.finish()
}

/// The code of [`TaskHelper::SlotResult`].
pub(super) fn slot_result() -> Code {
    let mut f = Fun::new(2);
    let number = f.param();
    let (tag, address, length, done) = (f.local(), f.local(), f.local(), f.local());
    f.take(&[tag, address, length, done], TaskHelper::SlotJoin, vec![v(number), v(KIND_BYTES + 1)]);
    f.give(&[v(tag), v(address), v(length), v(done)]);
    f.finish()
}

/// The code of [`TaskHelper::SlotTry`].
pub(super) fn slot_try() -> Code {
    let mut f = Fun::new(2);
    let (number, kind) = (f.param(), f.param());
    let scope = innermost(&mut f);
    let found = f.bind(task(TaskHelper::SlotFind, vec![v(number)]));
    let (code, tag, address, length) = (f.local(), f.local(), f.local(), f.local());
    check_slot(&mut f, found, kind);
    f.take(&[code, tag, address, length], TaskHelper::TryJoin, vec![load(found, slot::TASK), v(kind)]);
    f.when(differ(code, 1), |f| {
        f.run(TaskHelper::ScopeCheckSize, vec![v(scope), v(tag), v(length)]);
        consume(f, scope, found);
    });
    f.give(&[v(code), v(tag), v(address), v(length)]);
    f.finish()
}

/// The code of [`TaskHelper::SlotFinished`].
pub(super) fn slot_finished() -> Code {
    let mut f = Fun::new(1);
    let number = f.param();
    let found = f.bind(task(TaskHelper::SlotFind, vec![v(number)]));
    f.when(equal(load(found, slot::STATE), slot::CONSUMED), |f| f.give(&[v(1)]));
    f.give(&[task(TaskHelper::Finished, vec![load(found, slot::TASK)])]);
    f.finish()
}

/// The code of [`TaskHelper::ScopeCheckSize`].
pub(super) fn check_size() -> Code {
    let mut f = Fun::new(3);
    let (scope, tag, length) = (f.param(), f.param(), f.param());
    let most = f.bind(load(scope, scope::MAX_RESULT));
    f.trap_if(differ(most, 0) & differ(tag, 0) & less(most, length), Trap::SlotTooLarge);
    f.finish()
}

/// The code of [`TaskHelper::ScopeJoinRest`].
pub(super) fn join_rest() -> Code {
    let mut f = Fun::new(1);
    let scope = f.param();
    let slots = f.bind(v(scope) + scope::SLOTS as i32);
    let children = f.bind(v(scope) + scope::CHILDREN as i32);
    let found = f.local();
    let (tag, address, size, done) = (f.local(), f.local(), f.local(), f.local());
    f.while_(less(load(scope, scope::NEXT_SLOT), length(slots)), |f| {
        f.set(found, element(slots, load(scope, scope::NEXT_SLOT)));
        f.when(equal(load(found, slot::STATE), slot::PENDING), |f| {
            let wanted = vec![load(found, slot::TASK), v(ANY_KIND)];
            f.take(&[tag, address, size, done], TaskHelper::Join, wanted);
            f.when(is_zero(done), |f| f.give(&[v(0)]));
            f.run(TaskHelper::ScopeCheckSize, vec![v(scope), v(tag), v(size)]);
            f.free(v(address) * tag);
            consume(f, scope, found);
        });
        f.bump(scope, scope::NEXT_SLOT, 1);
    });
    f.while_(less(load(scope, scope::NEXT_CHILD), length(children)), |f| {
        let wanted = vec![element(children, load(scope, scope::NEXT_CHILD)), v(ANY_KIND)];
        f.take(&[tag, address, size, done], TaskHelper::Join, wanted);
        f.when(is_zero(done), |f| f.give(&[v(0)]));
        f.free(v(address) * tag);
        f.bump(scope, scope::NEXT_CHILD, 1);
    });
    f.give(&[v(1)]);
    f.finish()
}

/// Begins to join the rest of a scope.
fn begin_rest(f: &mut Fun, scope: Var) {
    f.store(scope, scope::NEXT_SLOT, 0);
    f.store(scope, scope::NEXT_CHILD, 0);
}

/// The code of [`TaskHelper::ScopeWaitAll`].
pub(super) fn wait_all() -> Code {
    let mut f = Fun::new(1);
    let resumed = f.param();
    let scope = innermost(&mut f);
    let slots = f.bind(v(scope) + scope::SLOTS as i32);
    let at = f.local();
    f.when(is_zero(resumed), |f| {
        begin_rest(f, scope);
        f.store(scope, scope::COUNT, length(v(scope) + scope::CHILDREN as i32));
        f.set(at, 0);
        f.while_(less(at, length(slots)), |f| {
            f.when(equal(load(element(slots, at), slot::STATE), slot::PENDING), |f| f.bump(scope, scope::COUNT, 1));
            f.set(at, v(at) + 1);
        });
    });
    let done = task(TaskHelper::ScopeJoinRest, vec![v(scope)]);
    f.when(is_zero(done), |f| f.give(&[v(0), v(0)]));
    f.store(v(scope) + scope::CHILDREN as i32, array::LENGTH, 0);
    f.store(v(scope) + scope::TASKS as i32, array::LENGTH, 0);
    f.store(scope, scope::CANCELED, 0);
    f.give(&[load(scope, scope::COUNT), v(1)]);
    f.finish()
}

/// The code of [`TaskHelper::ScopeExit`].
pub(super) fn exit() -> Code {
    let mut f = Fun::new(1);
    let resumed = f.param();
    let state = scheduler_state(&mut f);
    let scope = innermost(&mut f);
    f.when(is_zero(resumed), |f| begin_rest(f, scope));
    let done = task(TaskHelper::ScopeJoinRest, vec![v(scope)]);
    f.when(is_zero(done), |f| f.give(&[v(0)]));

    let most = f.bind(load(scope, scope::MAX_TICKS));
    let passed = sub64(now(state), load64(scope, scope::OPENED));
    f.trap_if(differ(most, 0) & less64(wide(most), passed), Trap::ScopeTicks);
    f.set(most, load(scope, scope::MAX_BLOCKED));
    let blocked = load(state, state::BLOCKED) - load(scope, scope::BLOCKED);
    f.trap_if(differ(most, 0) & less(most, blocked), Trap::ScopeBlockedWaits);
    f.set(most, load(scope, scope::MAX_JOINS));
    let joins = load(state, state::JOINS) - load(scope, scope::JOINS);
    f.trap_if(differ(most, 0) & less(most, joins), Trap::ScopeJoinPolls);

    f.store(task(TaskHelper::ScopeHolder, Vec::new()), 0, load(scope, scope::OUTER));
    f.run(TaskHelper::ScopeFree, vec![v(scope)]);
    f.give(&[v(1)]);
    f.finish()
}

/// The code of [`TaskHelper::ScopeFree`].
pub(super) fn free() -> Code {
    let mut f = Fun::new(1);
    let scope = f.param();
    let slots = f.bind(v(scope) + scope::SLOTS as i32);
    let event = f.local();
    f.while_(load(v(scope) + scope::EVENTS as i32, list::FIRST), |f| {
        f.set(event, load(v(scope) + scope::EVENTS as i32, list::FIRST));
        f.ignore(task(TaskHelper::EventDrop, vec![load(event, super::select::event::ID)]));
    });
    let left = f.bind(length(slots));
    f.while_(left, |f| {
        f.set(left, v(left) - 1);
        f.free(element(slots, left));
    });
    for array in [scope::CHILDREN, scope::TASKS, scope::SLOTS, scope::CASES] {
        f.free(load(scope, array + array::ADDRESS));
    }
    f.free(scope);
    f.finish()
}

/// The code of [`TaskHelper::ScopeDrop`].
pub(super) fn drop() -> Code {
    let mut f = Fun::new(1);
    let scope = f.param();
    let state = scheduler_state(&mut f);
    let tasks = f.bind(v(scope) + scope::TASKS as i32);
    let found = f.local();
    // First all end, the newest first; then what is left of them goes.
    let left = f.bind(length(tasks));
    f.while_(left, |f| {
        f.set(left, v(left) - 1);
        f.set(found, task(TaskHelper::Find, vec![element(tasks, left)]));
        is_live(f, found, |f| f.run(TaskHelper::End, vec![v(found)]));
    });
    f.set(left, length(tasks));
    f.while_(left, |f| {
        f.set(left, v(left) - 1);
        f.set(found, task(TaskHelper::Find, vec![element(tasks, left)]));
        f.when(differ(found, 1), |f| drop_task(f, state, found));
    });
    f.run(TaskHelper::ScopeFree, vec![v(scope)]);
    f.finish()
}
