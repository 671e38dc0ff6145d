//! The clock and the heap of timers: a timer is before both of its two successors.

use super::{
    Code, Exp, Fun, TaskHelper, Var, array, element, element_address, length, list, load, new_record, now,
    scheduler_state, state, task, v,
};
use crate::compiler::runtime::structured::{add64, equal64, is_zero, less, less64, load64, shr, wide};

/// A timer's record.
pub(super) mod timer {
    /// 64 bits: when it is due.
    pub(crate) const TIME: u32 = 0;
    /// 64 bits: how many timers there were before.
    pub(crate) const SEQUENCE: u32 = 8;
    pub(crate) const TASK: u32 = 16;
    pub(crate) const SIZE: i32 = 24;
}

/// Ended tasks' timers are not looked for as long as there are no more timers than this.
const LEAST_LIMIT: i32 = 32;

/// Whether one timer is before another.
fn earlier_than(one: Exp, other: Exp) -> Exp {
    task(TaskHelper::Earlier, vec![one, other])
}

/// The code of [`TaskHelper::Earlier`].
pub(super) fn earlier() -> Code {
    let mut f = Fun::new(2);
    let (one, other) = (f.param(), f.param());
    f.when(equal64(load64(one, timer::TIME), load64(other, timer::TIME)), |f| {
        f.give(&[less64(load64(one, timer::SEQUENCE), load64(other, timer::SEQUENCE))]);
    });
    f.give(&[less64(load64(one, timer::TIME), load64(other, timer::TIME))]);
    f.finish()
}

/// The code of [`TaskHelper::SetTimer`].
pub(super) fn set_timer() -> Code {
    let mut f = Fun::new(2);
    let (handle, ticks) = (f.param(), f.param());
    let state = scheduler_state(&mut f);
    let heap = f.bind(v(state) + state::TIMERS as i32);
    let added = new_record(&mut f, timer::SIZE);
    f.store64(added, timer::TIME, add64(now(state), wide(ticks)));
    f.store64(added, timer::SEQUENCE, load64(state, state::SEQUENCE));
    f.store64(state, state::SEQUENCE, add64(load64(state, state::SEQUENCE), wide(1)));
    f.store(added, timer::TASK, handle);

    // A task that is canceled leaves its timer. Once there are twice as many timers as were left
    // after the last time, those of ended tasks go: each timer pays for a constant part of that.
    f.when(is_zero(less(length(heap), load(state, state::TIMER_LIMIT) + LEAST_LIMIT)), |f| {
        remove_ended(f, heap);
        f.store(state, state::TIMER_LIMIT, length(heap) + length(heap));
    });

    let at = f.bind(length(heap));
    f.run(TaskHelper::Push, vec![v(heap), v(added)]);
    rise(&mut f, heap, at, added);
    f.finish()
}

/// Removes the timers of tasks that have ended, and makes a heap of the others.
fn remove_ended(f: &mut Fun, heap: Var) {
    let (from, kept, timer_, found, at) = (f.local(), f.local(), f.local(), f.local(), f.local());
    let live = f.local();
    let used = f.bind(length(heap));
    f.set(from, 0);
    f.set(kept, 0);
    f.while_(less(from, used), |f| {
        f.set(timer_, element(heap, from));
        f.set(found, task(TaskHelper::Find, vec![load(timer_, timer::TASK)]));
        f.set(live, 0);
        super::scheduler::is_live(f, found, |f| f.set(live, 1));
        f.choose(
            live,
            |f| {
                // The part of the heap before this place is one already.
                f.set(at, kept);
                f.store(element_address(heap, at), 0, timer_);
                rise(f, heap, at, timer_);
                f.set(kept, v(kept) + 1);
            },
            |f| f.free(timer_),
        );
        f.set(from, v(from) + 1);
    });
    f.store(heap, array::LENGTH, kept);
}

/// Moves a timer up from the place `at`, behind which the heap ends, to where it belongs. `at` is
/// overwritten.
fn rise(f: &mut Fun, heap: Var, at: Var, added: Var) {
    let (up, rising) = (f.local(), f.local());
    f.set(rising, at);
    f.while_(rising, |f| {
        f.set(up, shr(v(at) - 1, 1));
        f.choose(
            earlier_than(v(added), element(heap, up)),
            |f| {
                f.store(element_address(heap, at), 0, element(heap, up));
                f.set(at, up);
                f.set(rising, up);
            },
            |f| f.set(rising, 0),
        );
    });
    f.store(element_address(heap, at), 0, added);
}
/// Removes the first timer of a heap that is not empty; yields its record in a variable.
fn take_first(f: &mut Fun, heap: Var) -> Var {
    let first = f.bind(element(heap, 0));
    let last = f.local();
    let (used, at, down) = (f.local(), f.local(), f.local());
    f.set(used, length(heap) - 1);
    f.store(heap, array::LENGTH, used);
    f.set(last, element(heap, used));
    f.set(at, 0);
    f.set(down, 1);
    f.while_(less(down, used), |f| {
        f.when(less(v(down) + 1, used), |f| {
            f.when(earlier_than(element(heap, v(down) + 1), element(heap, down)), |f| f.set(down, v(down) + 1));
        });
        f.choose(
            earlier_than(element(heap, down), v(last)),
            |f| {
                f.store(element_address(heap, at), 0, element(heap, down));
                f.set(at, down);
                f.set(down, v(at) + at + 1);
            },
            |f| f.set(down, used),
        );
    });
    f.store(element_address(heap, at), 0, last);
    first
}

/// The code of [`TaskHelper::TakeTimer`].
pub(super) fn take_timer() -> Code {
    let mut f = Fun::new(0);
    let heap = f.bind(task(TaskHelper::State, Vec::new()) + state::TIMERS as i32);
    let first = take_first(&mut f, heap);
    f.give(&[v(first)]);
    f.finish()
}

/// The code of [`TaskHelper::Ticks`].
pub(super) fn ticks() -> Code {
    let mut f = Fun::new(0);
    f.give(&[load(task(TaskHelper::State, Vec::new()), state::NOW)]);
    f.finish()
}

/// The code of [`TaskHelper::Prune`].
pub(super) fn prune() -> Code {
    let mut f = Fun::new(0);
    let heap = f.bind(task(TaskHelper::State, Vec::new()) + state::TIMERS as i32);
    let found = f.local();
    f.while_(length(heap), |f| {
        f.set(found, task(TaskHelper::Find, vec![load(element(heap, 0), timer::TASK)]));
        super::scheduler::is_live(f, found, |f| f.give(&[]));
        let gone = task(TaskHelper::TakeTimer, Vec::new());
        f.free(gone);
    });
    f.finish()
}

/// The code of [`TaskHelper::Sleep`].
pub(super) fn sleep() -> Code {
    let mut f = Fun::new(2);
    let (ticks, resumed) = (f.param(), f.param());
    let state = scheduler_state(&mut f);
    let current = f.bind(load(state, state::CURRENT));
    let target = f.local64();
    f.when(resumed, |f| f.give(&[v(1)]));
    f.when(current, |f| {
        f.choose(
            ticks,
            |f| {
                f.bump(state, state::BLOCKED, 1);
                f.run(TaskHelper::SetTimer, vec![load(current, super::scheduler::record::ID), v(ticks)]);
            },
            |f| f.run(TaskHelper::Link, vec![v(state) + state::READY as i32, v(current)]),
        );
        f.give(&[v(0)]);
    });

    // Outside tasks: whatever is ready runs, then what is due until the end, but nothing once the
    // clock is there.
    f.set(target, add64(now(state), wide(ticks)));
    f.while_(less64(now(state), target), |f| {
        f.choose(
            load(v(state) + state::READY as i32, list::FIRST),
            |f| f.ignore(task(TaskHelper::Step, Vec::new())),
            |f| {
                f.run(TaskHelper::Prune, Vec::new());
                let heap = f.bind(v(state) + state::TIMERS as i32);
                f.when(is_zero(length(heap)), |f| {
                    f.store64(state, state::NOW, target);
                    f.give(&[v(1)]);
                });
                f.when(less64(target, load64(element(heap, 0), timer::TIME)), |f| {
                    f.store64(state, state::NOW, target);
                    f.give(&[v(1)]);
                });
                f.ignore(task(TaskHelper::Step, Vec::new()));
            },
        );
    });
    f.give(&[v(1)]);
    f.finish()
}
