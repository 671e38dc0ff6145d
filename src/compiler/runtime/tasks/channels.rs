//! Channels of bytes: a queue of messages, and the tasks that wait on its two ends.

use super::scheduler::wait_in;
use super::{
    Code, Fun, Helper, TaskHelper, Trap, call, element, length, load, new_record, scheduler_state, state, task, v,
};
use crate::compiler::runtime::structured::{Exp, Var, is_zero, less};

/// A channel's record.
pub(super) mod channel {
    pub(crate) const CAPACITY: u32 = 0;
    pub(crate) const CLOSED: u32 = 4;
    /// How many messages wait.
    pub(crate) const LENGTH: u32 = 8;
    /// The first message, 0 when there is none.
    pub(crate) const FIRST: u32 = 12;
    /// The last one, if there is any.
    pub(crate) const LAST: u32 = 16;
    /// List of tasks that want a message.
    pub(crate) const RECEIVERS: u32 = 20;
    /// List of tasks that have one.
    pub(crate) const SENDERS: u32 = 28;
    pub(crate) const SIZE: i32 = 36;
}

/// A message's record.
mod message {
    pub(super) const NEXT: u32 = 0;
    pub(super) const ADDRESS: u32 = 4;
    pub(super) const LENGTH: u32 = 8;
    pub(super) const SIZE: i32 = 12;
}

/// The code of [`TaskHelper::ChanNew`].
pub(super) fn new() -> Code {
    let mut f = Fun::new(1);
    let capacity = f.param();
    f.trap_if(is_zero(capacity), Trap::InvalidCapacity);
    let channels = f.bind(task(TaskHelper::State, Vec::new()) + state::CHANNELS as i32);
    let made = new_record(&mut f, channel::SIZE);
    f.store(made, channel::CAPACITY, capacity);
    f.run(TaskHelper::Push, vec![v(channels), v(made)]);
    f.give(&[length(channels)]);
    f.finish()
}

/// The code of [`TaskHelper::ChanFind`].
pub(super) fn find() -> Code {
    let mut f = Fun::new(1);
    let handle = f.param();
    let channels = f.bind(task(TaskHelper::State, Vec::new()) + state::CHANNELS as i32);
    let index = f.bind(v(handle) - 1);
    f.trap_if(is_zero(less(index, length(channels))), Trap::InvalidHandle);
    f.give(&[element(channels, index)]);
    f.finish()
}

/// The code of [`TaskHelper::ChanPut`].
pub(super) fn put() -> Code {
    let mut f = Fun::new(3);
    let (chan, address, length) = (f.param(), f.param(), f.param());
    let made = f.bind(call(Helper::Alloc, vec![v(message::SIZE)]));
    f.store(made, message::NEXT, 0);
    f.store(made, message::ADDRESS, address);
    f.store(made, message::LENGTH, length);
    f.choose(
        load(chan, channel::FIRST),
        |f| f.store(load(chan, channel::LAST), message::NEXT, made),
        |f| f.store(chan, channel::FIRST, made),
    );
    f.store(chan, channel::LAST, made);
    f.bump(chan, channel::LENGTH, 1);
    f.run(TaskHelper::WakeFirst, vec![v(chan) + channel::RECEIVERS as i32]);
    f.finish()
}

/// The code of [`TaskHelper::ChanGet`].
pub(super) fn get() -> Code {
    let mut f = Fun::new(1);
    let chan = f.param();
    let first = f.bind(load(chan, channel::FIRST));
    let address = f.bind(load(first, message::ADDRESS));
    let length = f.bind(load(first, message::LENGTH));
    f.store(chan, channel::FIRST, load(first, message::NEXT));
    f.bump(chan, channel::LENGTH, -1);
    f.free(first);
    f.run(TaskHelper::WakeFirst, vec![v(chan) + channel::SENDERS as i32]);
    f.give(&[v(address), v(length)]);
    f.finish()
}

/// A channel by its handle.
fn find_channel(f: &mut Fun, handle: Var) -> Var {
    f.bind(task(TaskHelper::ChanFind, vec![v(handle)]))
}

/// Whether there is room for a message.
fn has_room(chan: Var) -> Exp {
    less(load(chan, channel::LENGTH), load(chan, channel::CAPACITY))
}

/// The code of [`TaskHelper::ChanSend`].
pub(super) fn send() -> Code {
    let mut f = Fun::new(4);
    let (handle, address, length) = (f.param(), f.param(), f.param());
    let chan = find_channel(&mut f, handle);
    let state = scheduler_state(&mut f);
    f.forever(|f| {
        f.trap_if(load(chan, channel::CLOSED), Trap::ChannelClosed);
        f.when(has_room(chan), |f| {
            f.run(TaskHelper::ChanPut, vec![v(chan), v(address), v(length)]);
            f.give(&[v(1)]);
        });
        f.when(load(state, state::CURRENT), |f| {
            wait_in(f, state, v(chan) + channel::SENDERS as i32);
            f.give(&[v(0)]);
        });
        f.run(TaskHelper::MustStep, Vec::new());
    });
    f.finish()
}

/// The code of [`TaskHelper::ChanRecv`].
pub(super) fn recv() -> Code {
    let mut f = Fun::new(2);
    let handle = f.param();
    let chan = find_channel(&mut f, handle);
    let state = scheduler_state(&mut f);
    let (address, length) = (f.local(), f.local());
    f.forever(|f| {
        f.when(load(chan, channel::LENGTH), |f| {
            f.take(&[address, length], TaskHelper::ChanGet, vec![v(chan)]);
            f.give(&[v(address), v(length), v(1)]);
        });
        f.when(load(chan, channel::CLOSED), |f| f.give(&[v(0), v(0), v(1)]));
        f.when(load(state, state::CURRENT), |f| {
            wait_in(f, state, v(chan) + channel::RECEIVERS as i32);
            f.give(&[v(0), v(0), v(0)]);
        });
        f.run(TaskHelper::MustStep, Vec::new());
    });
    f.finish()
}

/// The code of [`TaskHelper::ChanTrySend`].
pub(super) fn try_send() -> Code {
    let mut f = Fun::new(3);
    let (handle, address, length) = (f.param(), f.param(), f.param());
    let chan = find_channel(&mut f, handle);
    let copy = f.local();
    f.when(load(chan, channel::CLOSED), |f| f.give(&[v(2)]));
    f.when(is_zero(has_room(chan)), |f| f.give(&[v(0)]));
    f.set(copy, call(Helper::Alloc, vec![v(length)]));
    f.copy(copy, address, length);
    f.run(TaskHelper::ChanPut, vec![v(chan), v(copy), v(length)]);
    f.give(&[v(1)]);
    f.finish()
}

/// The code of [`TaskHelper::ChanTryRecv`].
pub(super) fn try_recv() -> Code {
    let mut f = Fun::new(1);
    let handle = f.param();
    let chan = find_channel(&mut f, handle);
    let (address, length) = (f.local(), f.local());
    f.when(load(chan, channel::LENGTH), |f| {
        f.take(&[address, length], TaskHelper::ChanGet, vec![v(chan)]);
        f.give(&[v(1), v(address), v(length)]);
    });
    // 1 when it is empty, 2 when it is closed as well.
    f.give(&[v(0), load(chan, channel::CLOSED) + 1, v(0)]);
    f.finish()
}

/// The code of [`TaskHelper::ChanClose`].
pub(super) fn close() -> Code {
    let mut f = Fun::new(1);
    let handle = f.param();
    let chan = find_channel(&mut f, handle);
    f.when(load(chan, channel::CLOSED), |f| f.give(&[v(0)]));
    f.store(chan, channel::CLOSED, 1);
    f.run(TaskHelper::WakeAll, vec![v(chan) + channel::RECEIVERS as i32]);
    f.run(TaskHelper::WakeAll, vec![v(chan) + channel::SENDERS as i32]);
    f.give(&[v(1)]);
    f.finish()
}
