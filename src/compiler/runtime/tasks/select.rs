//! Select: the first case that is ready, as an event.

use super::channels::channel;
use super::scopes::{innermost, scope};
use super::{
    Code, Fun, KIND_BYTES, TaskHelper, Trap, Var, array, element, element_address, length, list, load, load64,
    new_record, now, scheduler_state, state, task, v,
};
use crate::compiler::runtime::structured::{differ, equal, is_zero, less, less64, shr, sub64, wide};

/// An event's record. Words 32 to 43 are its place in the list of its scope.
pub(super) mod event {
    pub(crate) const ID: u32 = 0;
    pub(crate) const TAG: u32 = 4;
    pub(crate) const CASE: u32 = 8;
    pub(crate) const SOURCE: u32 = 12;
    pub(crate) const ADDRESS: u32 = 16;
    pub(crate) const LENGTH: u32 = 20;
    pub(crate) const TAKEN: u32 = 24;
    pub(crate) const SIZE: i32 = 44;
}

/// What an event says.
const SLOT_FINISHED: i32 = 1;
const SLOT_CANCELED: i32 = 2;
const MESSAGE: i32 = 3;
const CLOSED: i32 = 4;
const TIMEOUT: i32 = 5;

/// A source that stands for no case, for each kind.
const NO_SLOT: i32 = -1;
const NO_CHANNEL: i32 = 0;

/// The code of [`TaskHelper::SelectBegin`].
pub(super) fn begin() -> Code {
    let mut f = Fun::new(4);
    let (round_robin, sleep, polls, timeout) = (f.param(), f.param(), f.param(), f.param());
    let state = scheduler_state(&mut f);
    let scope = innermost(&mut f);
    f.store(v(scope) + scope::CASES as i32, array::LENGTH, 0);
    f.store(scope, scope::POLLS, 0);
    f.store(scope, scope::MAX_POLLS, polls);
    f.store(scope, scope::SLEEP, sleep);
    f.store(scope, scope::ROUND_ROBIN, round_robin);
    f.store(scope, scope::TIMEOUT, timeout);
    f.store64(scope, scope::SELECT_BEGAN, now(state));
    f.give(&[v(0)]);
    f.finish()
}

/// The code of [`TaskHelper::SelectCase`].
pub(super) fn case() -> Code {
    let mut f = Fun::new(2);
    let (kind, source) = (f.param(), f.param());
    let scope = innermost(&mut f);
    f.run(TaskHelper::Push, vec![v(scope) + scope::CASES as i32, v(kind)]);
    f.run(TaskHelper::Push, vec![v(scope) + scope::CASES as i32, v(source)]);
    f.give(&[v(0)]);
    f.finish()
}

/// The case that a poll looks at.
#[derive(Clone, Copy)]
struct Case {
    scope: Var,
    index: Var,
    source: Var,
    tag: Var,
    address: Var,
    length: Var,
}

/// Returns the event of the case: its tag and payload are set.
fn give_event(f: &mut Fun, case: Case) {
    f.when(load(case.scope, scope::ROUND_ROBIN), |f| f.store(case.scope, scope::CURSOR, v(case.index) + 1));
    let made = vec![v(case.scope), v(case.tag), v(case.index), v(case.source), v(case.address), v(case.length)];
    f.give(&[task(TaskHelper::EventNew, made)]);
}

/// Returns an event when the slot of the case is ready.
fn poll_slot(f: &mut Fun, case: Case) {
    let (code, ok) = (f.local(), f.local());
    f.when(differ(case.source, NO_SLOT), |f| {
        let wanted = vec![v(case.source), v(KIND_BYTES)];
        f.take(&[code, ok, case.address, case.length], TaskHelper::SlotTry, wanted);
        f.when(differ(code, 1), |f| {
            f.set(case.tag, SLOT_FINISHED);
            f.when(equal(code, 2), |f| f.set(case.tag, SLOT_CANCELED));
            give_event(f, case);
        });
    });
}

/// Returns an event when the channel of the case has a message or is closed.
fn poll_channel(f: &mut Fun, case: Case) {
    let found = f.local();
    f.when(differ(case.source, NO_CHANNEL), |f| {
        f.set(found, task(TaskHelper::ChanFind, vec![v(case.source)]));
        f.when(load(found, channel::LENGTH), |f| {
            f.take(&[case.address, case.length], TaskHelper::ChanGet, vec![v(found)]);
            f.set(case.tag, MESSAGE);
            give_event(f, case);
        });
        f.when(load(found, channel::CLOSED), |f| {
            f.set(case.address, 0);
            f.set(case.length, 0);
            f.set(case.tag, CLOSED);
            give_event(f, case);
        });
    });
}

/// The code of [`TaskHelper::SelectPoll`].
pub(super) fn poll() -> Code {
    let mut f = Fun::new(1);
    let scope = f.param();
    let cases = f.bind(v(scope) + scope::CASES as i32);
    let count = f.bind(shr(length(cases), 1));
    let left = f.bind(count);
    let index = f.bind(0);
    let (kind, source) = (f.local(), f.local());
    let (tag, address, size) = (f.local(), f.local(), f.local());
    let case = Case { scope, index, source, tag, address, length: size };
    f.when(load(scope, scope::ROUND_ROBIN), |f| {
        f.when(less(load(scope, scope::CURSOR), count), |f| f.set(index, load(scope, scope::CURSOR)));
    });
    f.while_(left, |f| {
        f.set(kind, element(cases, v(index) + index));
        f.set(source, element(cases, v(index) + index + 1));
        f.choose(kind, |f| poll_channel(f, case), |f| poll_slot(f, case));
        f.set(index, v(index) + 1);
        f.when(equal(index, count), |f| f.set(index, 0));
        f.set(left, v(left) - 1);
    });
    f.give(&[v(0)]);
    f.finish()
}

/// The code of [`TaskHelper::SelectTry`].
pub(super) fn try_() -> Code {
    let mut f = Fun::new(0);
    let scope = innermost(&mut f);
    let event = f.bind(task(TaskHelper::SelectPoll, vec![v(scope)]));
    f.give(&[differ(event, 0), v(event)]);
    f.finish()
}

/// The code of [`TaskHelper::Select`].
pub(super) fn select() -> Code {
    let mut f = Fun::new(1);
    let state = scheduler_state(&mut f);
    let scope = innermost(&mut f);
    let event = f.local();
    f.forever(|f| {
        f.set(event, task(TaskHelper::SelectPoll, vec![v(scope)]));
        f.when(event, |f| f.give(&[v(event), v(1)]));
        f.bump(scope, scope::POLLS, 1);
        let most = load(scope, scope::MAX_POLLS);
        f.trap_if(differ(most.clone(), 0) & less(most, load(scope, scope::POLLS)), Trap::SelectMaxPolls);
        let limit = load(scope, scope::TIMEOUT);
        let waited = sub64(now(state), load64(scope, scope::SELECT_BEGAN));
        f.when(differ(limit.clone(), 0) & is_zero(less64(waited, wide(limit))), |f| {
            let made = vec![v(scope), v(TIMEOUT), v(0), v(0), v(0), v(0)];
            f.give(&[task(TaskHelper::EventNew, made), v(1)]);
        });
        f.when(load(state, state::CURRENT), |f| {
            f.ignore(task(TaskHelper::Sleep, vec![load(scope, scope::SLEEP), v(0)]));
            f.give(&[v(0), v(0)]);
        });
        poll_later(f, state, scope);
    });
    f.finish()
}

/// Outside tasks: lets others run, or time pass. Traps when neither can change anything.
fn poll_later(f: &mut Fun, state: Var, scope: Var) {
    f.choose(
        load(scope, scope::SLEEP),
        |f| {
            let unlimited = is_zero(load(scope, scope::MAX_POLLS)) & is_zero(load(scope, scope::TIMEOUT));
            f.when(unlimited, |f| {
                f.run(TaskHelper::Prune, Vec::new());
                let idle = is_zero(load(v(state) + state::READY as i32, list::FIRST))
                    & is_zero(length(v(state) + state::TIMERS as i32));
                f.trap_if(idle, Trap::Deadlock);
            });
            f.ignore(task(TaskHelper::Sleep, vec![load(scope, scope::SLEEP), v(0)]));
        },
        |f| f.run(TaskHelper::MustStep, Vec::new()),
    );
}

/// The code of [`TaskHelper::EventNew`].
pub(super) fn event_new() -> Code {
    let mut f = Fun::new(6);
    let (scope, tag, case) = (f.param(), f.param(), f.param());
    let (source, address, size) = (f.param(), f.param(), f.param());
    let events = f.bind(task(TaskHelper::State, Vec::new()) + state::EVENTS as i32);
    let made = new_record(&mut f, event::SIZE);
    f.store(made, event::TAG, tag);
    f.store(made, event::CASE, case);
    f.store(made, event::SOURCE, source);
    f.store(made, event::ADDRESS, address);
    f.store(made, event::LENGTH, size);
    f.run(TaskHelper::Push, vec![v(events), v(made)]);
    let id = f.bind(length(events));
    f.store(made, event::ID, id);
    f.run(TaskHelper::Link, vec![v(scope) + scope::EVENTS as i32, v(made)]);
    f.give(&[v(id)]);
    f.finish()
}

/// The code of [`TaskHelper::EventFind`].
pub(super) fn event_find() -> Code {
    let mut f = Fun::new(1);
    let handle = f.param();
    let events = f.bind(task(TaskHelper::State, Vec::new()) + state::EVENTS as i32);
    let index = f.bind(v(handle) - 1);
    f.trap_if(is_zero(less(index, length(events))), Trap::SelectEventInvalid);
    let found = f.bind(element(events, index));
    f.trap_if(is_zero(found), Trap::SelectEventInvalid);
    f.give(&[v(found)]);
    f.finish()
}

/// The code of a helper that reads a word of an event.
fn field(offset: u32) -> Code {
    let mut f = Fun::new(1);
    let handle = f.param();
    f.give(&[load(task(TaskHelper::EventFind, vec![v(handle)]), offset)]);
    f.finish()
}

/// The code of [`TaskHelper::EventTag`].
pub(super) fn event_tag() -> Code {
    field(event::TAG)
}

/// The code of [`TaskHelper::EventCase`].
pub(super) fn event_case() -> Code {
    field(event::CASE)
}

/// The code of [`TaskHelper::EventSource`].
pub(super) fn event_source() -> Code {
    field(event::SOURCE)
}

/// The code of [`TaskHelper::EventTake`].
pub(super) fn event_take() -> Code {
    let mut f = Fun::new(1);
    let handle = f.param();
    let found = f.bind(task(TaskHelper::EventFind, vec![v(handle)]));
    f.trap_if(load(found, event::TAKEN), Trap::SelectEventTaken);
    f.store(found, event::TAKEN, 1);
    let address = f.bind(load(found, event::ADDRESS));
    f.store(found, event::ADDRESS, 0);
    f.give(&[v(address), load(found, event::LENGTH)]);
    f.finish()
}

/// The code of [`TaskHelper::EventDrop`].
pub(super) fn event_drop() -> Code {
    let mut f = Fun::new(1);
    let handle = f.param();
    let found = f.bind(task(TaskHelper::EventFind, vec![v(handle)]));
    let events = task(TaskHelper::State, Vec::new()) + state::EVENTS as i32;
    f.store(element_address(events, v(handle) - 1), 0, 0);
    f.run(TaskHelper::Unlink, vec![v(found)]);
    f.free(load(found, event::ADDRESS));
    f.free(found);
    f.give(&[v(1)]);
    f.finish()
}
