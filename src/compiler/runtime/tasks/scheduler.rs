//! Tasks: the ready queue, joins, cancellation.

use super::{
    ANY_KIND, Code, Exp, Fun, Helper, KIND_BYTES, TaskHelper, Trap, Var, call, element, element_address, length, list,
    load, new_record, now, scheduler_state, state, task, v,
};
use crate::compiler::runtime::structured::{differ, equal, is_zero, less, less64, load64};

/// A task's record. Words 32 to 43 are its place in a list.
pub(super) mod record {
    pub(crate) const ID: u32 = 0;
    pub(crate) const FUNCTION: u32 = 4;
    pub(crate) const FRAME: u32 = 8;
    /// 0 while it runs or waits, [`FINISHED`] or [`CANCELED`].
    pub(crate) const STATUS: u32 = 12;
    pub(crate) const KIND: u32 = 16;
    /// Its result: tag, address or code, length; for bytes the tag is 1.
    pub(crate) const TAG: u32 = 20;
    pub(crate) const ADDRESS: u32 = 24;
    pub(crate) const LENGTH: u32 = 28;
    /// List of the tasks that wait for it.
    pub(crate) const WAITERS: u32 = 44;
    /// Its innermost open scope.
    pub(crate) const SCOPE: u32 = 52;
    pub(crate) const SIZE: i32 = 56;

    pub(crate) const FINISHED: i32 = 1;
    pub(crate) const CANCELED: i32 = 2;
}

/// The code that stands for a canceled task.
const CODE_CANCELED: i32 = 2;

/// Suspends the current task in a list: part of a poll that is not done.
pub(super) fn wait_in(f: &mut Fun, state: Var, list: Exp) {
    f.bump(state, state::BLOCKED, 1);
    f.run(TaskHelper::Link, vec![list, load(state, state::CURRENT)]);
}

/// The code of [`TaskHelper::WakeFirst`].
pub(super) fn wake_first() -> Code {
    let mut f = Fun::new(1);
    let waiting = f.param();
    let first = f.bind(load(waiting, list::FIRST));
    f.when(first, |f| {
        f.run(TaskHelper::Unlink, vec![v(first)]);
        f.run(TaskHelper::Link, vec![task(TaskHelper::State, Vec::new()) + state::READY as i32, v(first)]);
    });
    f.finish()
}

/// The code of [`TaskHelper::WakeAll`].
pub(super) fn wake_all() -> Code {
    let mut f = Fun::new(1);
    let waiting = f.param();
    f.while_(load(waiting, list::FIRST), |f| f.run(TaskHelper::WakeFirst, vec![v(waiting)]));
    f.finish()
}

/// The code of [`TaskHelper::New`].
pub(super) fn new() -> Code {
    let mut f = Fun::new(3);
    let (function, kind, size) = (f.param(), f.param(), f.param());
    let state = scheduler_state(&mut f);
    let made = new_record(&mut f, record::SIZE);
    let frame = f.bind(call(Helper::AllocZeroed, vec![v(size)]));
    f.store(made, record::FUNCTION, function);
    f.store(made, record::KIND, kind);
    f.store(made, record::FRAME, frame);
    f.run(TaskHelper::Push, vec![v(state) + state::TASKS as i32, v(made)]);
    let id = f.bind(length(v(state) + state::TASKS as i32));
    f.store(made, record::ID, id);
    f.run(TaskHelper::Link, vec![v(state) + state::READY as i32, v(made)]);
    f.give(&[v(id), v(frame)]);
    f.finish()
}

/// The code of [`TaskHelper::Find`].
pub(super) fn find() -> Code {
    let mut f = Fun::new(1);
    let handle = f.param();
    let tasks = f.bind(task(TaskHelper::State, Vec::new()) + state::TASKS as i32);
    let index = f.bind(v(handle) - 1);
    f.trap_if(is_zero(less(index, length(tasks))), Trap::InvalidHandle);
    f.give(&[element(tasks, index)]);
    f.finish()
}

/// The code of [`TaskHelper::Check`].
pub(super) fn check() -> Code {
    let mut f = Fun::new(1);
    let handle = f.param();
    f.ignore(task(TaskHelper::Find, vec![v(handle)]));
    f.give(&[v(handle)]);
    f.finish()
}

/// The code of [`TaskHelper::Yielded`].
pub(super) fn yielded() -> Code {
    let mut f = Fun::new(3);
    let (tag, address, length) = (f.param(), f.param(), f.param());
    let current = f.bind(load(task(TaskHelper::State, Vec::new()), state::CURRENT));
    f.store(current, record::TAG, tag);
    f.store(current, record::ADDRESS, address);
    f.store(current, record::LENGTH, length);
    f.finish()
}

/// Frees a result that nobody takes: an error has no address.
fn free_result(f: &mut Fun, task: Var) {
    f.free(load(task, record::ADDRESS) * load(task, record::TAG));
}

/// Gives a canceled task its result.
fn set_canceled_result(f: &mut Fun, task: Var) {
    f.store(task, record::TAG, 0);
    f.store(task, record::ADDRESS, CODE_CANCELED);
    f.store(task, record::LENGTH, 0);
}

/// The code of [`TaskHelper::Step`].
pub(super) fn step() -> Code {
    let mut f = Fun::new(0);
    let state = scheduler_state(&mut f);
    let task = f.bind(load(v(state) + state::READY as i32, list::FIRST));
    let (done, timer) = (f.local(), f.local());
    f.when(task, |f| {
        f.run(TaskHelper::Unlink, vec![v(task)]);
        f.store(state, state::CURRENT, task);
        f.set(done, super::task(TaskHelper::Run, vec![load(task, record::FUNCTION), load(task, record::FRAME)]));
        f.store(state, state::CURRENT, 0);
        f.choose(
            load(task, record::STATUS),
            |f| {
                // It canceled itself, and was left alone until now.
                f.choose(
                    done,
                    |f| {
                        free_result(f, task);
                        set_canceled_result(f, task);
                        f.free(load(task, record::FRAME));
                        f.store(task, record::FRAME, 0);
                    },
                    |f| {
                        f.run(TaskHelper::Unlink, vec![v(task)]);
                        f.run(TaskHelper::Dispose, vec![v(task)]);
                    },
                );
            },
            |f| {
                f.when(done, |f| {
                    f.store(task, record::STATUS, record::FINISHED);
                    f.free(load(task, record::FRAME));
                    f.store(task, record::FRAME, 0);
                    f.run(TaskHelper::WakeAll, vec![v(task) + record::WAITERS as i32]);
                });
            },
        );
        f.give(&[v(1)]);
    });

    f.run(TaskHelper::Prune, Vec::new());
    f.when(is_zero(length(v(state) + state::TIMERS as i32)), |f| f.give(&[v(0)]));
    f.set(timer, super::task(TaskHelper::TakeTimer, Vec::new()));
    f.when(less64(now(state), load64(timer, super::timers::timer::TIME)), |f| {
        f.store64(state, state::NOW, load64(timer, super::timers::timer::TIME));
    });
    f.set(task, super::task(TaskHelper::Find, vec![load(timer, super::timers::timer::TASK)]));
    f.run(TaskHelper::Link, vec![v(state) + state::READY as i32, v(task)]);
    f.free(timer);
    f.give(&[v(1)]);
    f.finish()
}

/// The code of [`TaskHelper::MustStep`].
pub(super) fn must_step() -> Code {
    let mut f = Fun::new(0);
    f.trap_if(is_zero(task(TaskHelper::Step, Vec::new())), Trap::Deadlock);
    f.finish()
}

/// The code of [`TaskHelper::End`].
///
/// A task that cancels itself goes on until it waits or finishes; [`TaskHelper::Step`] does the
/// rest then.
pub(super) fn end() -> Code {
    let mut f = Fun::new(1);
    let ended = f.param();
    f.store(ended, record::STATUS, record::CANCELED);
    set_canceled_result(&mut f, ended);
    f.run(TaskHelper::Unlink, vec![v(ended)]);
    f.when(differ(ended, load(task(TaskHelper::State, Vec::new()), state::CURRENT)), |f| {
        f.run(TaskHelper::Dispose, vec![v(ended)]);
    });
    f.run(TaskHelper::WakeAll, vec![v(ended) + record::WAITERS as i32]);
    f.finish()
}

/// The code of [`TaskHelper::Dispose`].
pub(super) fn dispose() -> Code {
    let mut f = Fun::new(1);
    let ended = f.param();
    let (scope, frame) = (f.local(), f.local());
    f.while_(load(ended, record::SCOPE), |f| {
        f.set(scope, load(ended, record::SCOPE));
        f.store(ended, record::SCOPE, load(scope, super::scopes::scope::OUTER));
        f.run(TaskHelper::ScopeDrop, vec![v(scope)]);
    });
    f.set(frame, load(ended, record::FRAME));
    f.store(ended, record::FRAME, 0);
    f.run(TaskHelper::DropFrame, vec![load(ended, record::FUNCTION), v(frame)]);
    f.free(frame);
    f.finish()
}

/// The code of [`TaskHelper::Forget`].
pub(super) fn forget() -> Code {
    let mut f = Fun::new(1);
    let ended = f.param();
    let tasks = task(TaskHelper::State, Vec::new()) + state::TASKS as i32;
    f.store(element_address(tasks, load(ended, record::ID) - 1), 0, 1);
    f.free(ended);
    f.finish()
}

/// The code of [`TaskHelper::Cancel`].
pub(super) fn cancel() -> Code {
    let mut f = Fun::new(1);
    let handle = f.param();
    let found = f.bind(task(TaskHelper::Find, vec![v(handle)]));
    f.when(equal(found, 1), |f| f.give(&[v(0)]));
    f.when(load(found, record::STATUS), |f| f.give(&[v(0)]));
    f.run(TaskHelper::End, vec![v(found)]);
    f.give(&[v(1)]);
    f.finish()
}

/// The code of [`TaskHelper::Finished`].
pub(super) fn finished() -> Code {
    let mut f = Fun::new(1);
    let handle = f.param();
    let found = f.bind(task(TaskHelper::Find, vec![v(handle)]));
    f.when(equal(found, 1), |f| f.give(&[v(1)]));
    f.give(&[differ(load(found, record::STATUS), 0)]);
    f.finish()
}

/// Traps unless a task that was not canceled is of this kind.
fn check_kind(f: &mut Fun, task: Var, kind: Var) {
    let wrong = differ(load(task, record::KIND), kind) & differ(kind, ANY_KIND);
    f.trap_if(wrong & equal(load(task, record::STATUS), record::FINISHED), Trap::JoinKind);
}

/// The code of [`TaskHelper::Join`].
pub(super) fn join() -> Code {
    let mut f = Fun::new(2);
    let (handle, kind) = (f.param(), f.param());
    let state = scheduler_state(&mut f);
    let (found, tag, address, length) = (f.local(), f.local(), f.local(), f.local());
    f.bump(state, state::JOINS, 1);
    f.forever(|f| {
        f.set(found, task(TaskHelper::Find, vec![v(handle)]));
        f.trap_if(equal(found, 1), Trap::JoinTwice);
        f.trap_if(equal(found, load(state, state::CURRENT)), Trap::JoinSelf);
        f.when(load(found, record::STATUS), |f| {
            check_kind(f, found, kind);
            f.set(tag, load(found, record::TAG));
            f.set(address, load(found, record::ADDRESS));
            f.set(length, load(found, record::LENGTH));
            f.run(TaskHelper::Forget, vec![v(found)]);
            f.give(&[v(tag), v(address), v(length), v(1)]);
        });
        f.when(load(state, state::CURRENT), |f| {
            wait_in(f, state, v(found) + record::WAITERS as i32);
            f.give(&[v(0), v(0), v(0), v(0)]);
        });
        f.run(TaskHelper::MustStep, Vec::new());
    });
    f.finish()
}

/// The code of [`TaskHelper::JoinBytes`].
pub(super) fn join_bytes() -> Code {
    let mut f = Fun::new(2);
    let handle = f.param();
    let (tag, address, length, done) = (f.local(), f.local(), f.local(), f.local());
    f.take(&[tag, address, length, done], TaskHelper::Join, vec![v(handle), v(KIND_BYTES)]);
    // A canceled task yields no bytes.
    f.give(&[v(address) * tag, v(length) * tag, v(done)]);
    f.finish()
}

/// The code of [`TaskHelper::JoinResult`].
pub(super) fn join_result() -> Code {
    let mut f = Fun::new(2);
    let handle = f.param();
    let (tag, address, length, done) = (f.local(), f.local(), f.local(), f.local());
    f.take(&[tag, address, length, done], TaskHelper::Join, vec![v(handle), v(KIND_BYTES + 1)]);
    f.give(&[v(tag), v(address), v(length), v(done)]);
    f.finish()
}

/// The code of [`TaskHelper::TryJoin`].
pub(super) fn try_join() -> Code {
    let mut f = Fun::new(2);
    let (handle, kind) = (f.param(), f.param());
    let state = scheduler_state(&mut f);
    let (tag, address, length) = (f.local(), f.local(), f.local());
    f.bump(state, state::JOINS, 1);
    let found = f.bind(task(TaskHelper::Find, vec![v(handle)]));
    f.trap_if(equal(found, 1), Trap::JoinTwice);
    // A task that canceled itself has not ended as long as it runs.
    f.when(equal(found, load(state, state::CURRENT)), |f| f.give(&[v(1), v(0), v(0), v(0)]));
    f.when(is_zero(load(found, record::STATUS)), |f| f.give(&[v(1), v(0), v(0), v(0)]));
    check_kind(&mut f, found, kind);
    f.when(equal(load(found, record::STATUS), record::CANCELED), |f| {
        f.run(TaskHelper::Forget, vec![v(found)]);
        f.give(&[v(2), v(0), v(0), v(0)]);
    });
    f.set(tag, load(found, record::TAG));
    f.set(address, load(found, record::ADDRESS));
    f.set(length, load(found, record::LENGTH));
    f.run(TaskHelper::Forget, vec![v(found)]);
    f.give(&[v(0), v(tag), v(address), v(length)]);
    f.finish()
}

/// The code of [`TaskHelper::Yield`].
pub(super) fn yield_() -> Code {
    let mut f = Fun::new(1);
    let resumed = f.param();
    let state = scheduler_state(&mut f);
    f.when(resumed, |f| f.give(&[v(1)]));
    f.when(load(state, state::CURRENT), |f| {
        f.run(TaskHelper::Link, vec![v(state) + state::READY as i32, load(state, state::CURRENT)]);
        f.give(&[v(0)]);
    });
    f.ignore(task(TaskHelper::Step, Vec::new()));
    f.give(&[v(1)]);
    f.finish()
}

/// Ends a task of a scope that goes away, and frees its result.
pub(super) fn drop_task(f: &mut Fun, state: Var, dropped: Var) {
    f.when(is_zero(load(dropped, record::STATUS)), |f| f.run(TaskHelper::End, vec![v(dropped)]));
    // One that runs, and canceled the holder of its scope, is still needed.
    f.when(differ(dropped, load(state, state::CURRENT)), |f| {
        free_result(f, dropped);
        f.run(TaskHelper::Forget, vec![v(dropped)]);
    });
}

/// Whether an element of the array of tasks is the record of a task that runs or waits.
pub(super) fn is_live(f: &mut Fun, element: Var, then: impl FnOnce(&mut Fun)) {
    f.when(less(1, element), |f| f.when(is_zero(load(element, record::STATUS)), then));
}
