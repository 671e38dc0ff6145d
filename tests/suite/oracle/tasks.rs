//! Tasks: each runs on a thread of its own, but only one thread runs at a time: the one that has
//! the world. Who runs a task sends it the world and waits until it comes back.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use x07_wasm::compiler::ir::{FuncId, Trap, Ty, WaitOp};

use super::eval::{At, Machine, World};
use super::ops::Operands;
use super::scopes::{Event, Scope};
use super::store::BufferId;
use super::values::{Flow, Stop, Value, defect, number, size};

/// Stack of a task's thread; deeper recursion adds segments.
const STACK: usize = 2 << 20;

/// The world, for a task that goes on or ends.
pub struct Order {
    cancel: bool,
    world: Box<World>,
    answer: Sender<Box<World>>,
}

/// How a task gets the world, and whom it gives it back.
pub struct Mailbox {
    orders: Receiver<Order>,
    answer: Sender<Box<World>>,
}

/// Where a task is.
enum Status {
    /// It has not begun; its arguments.
    New(Vec<Value>),
    Suspended(Sender<Order>),
    Running,
    Done(Value),
    Canceled,
    /// Its result was taken, or dropped.
    Taken,
}

struct Task {
    function: FuncId,
    /// Whether it yields a result of bytes, not bytes.
    fallible: bool,
    status: Status,
    /// The tasks that wait for its end.
    waiters: VecDeque<usize>,
    scopes: Vec<Scope>,
}

/// A channel of bytes.
#[derive(Default)]
pub struct Channel {
    capacity: usize,
    closed: bool,
    messages: VecDeque<Option<BufferId>>,
    senders: VecDeque<usize>,
    receivers: VecDeque<usize>,
}

/// The scheduler.
#[derive(Default)]
pub struct Scheduler {
    tasks: Vec<Task>,
    ready: VecDeque<usize>,
    /// When, in which order, and whom to wake.
    timers: BTreeSet<(u64, u64, usize)>,
    sequence: u64,
    pub clock: u64,
    /// How often a task had to wait, and how many joins were tried.
    pub blocked: u32,
    pub joins: u32,
    channels: Vec<Channel>,
    current: Option<usize>,
    /// The scopes that are open outside tasks.
    outside: Vec<Scope>,
    pub events: Vec<Event>,
}

/// A result that was joined.
pub enum Joined {
    Value(Value),
    Canceled,
}

/// A list in which a task waits.
#[derive(Clone, Copy)]
enum List {
    Task(usize),
    Senders(usize),
    Receivers(usize),
}

impl Scheduler {
    /// The open scopes of what runs now, the innermost last.
    pub fn scopes(&mut self) -> &mut Vec<Scope> {
        match self.current {
            Some(task) => &mut self.tasks[task].scopes,
            None => &mut self.outside,
        }
    }

    pub fn in_task(&self) -> bool {
        self.current.is_some()
    }

    /// Whether nothing is ready and nothing will be by itself.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty() && !self.timers.iter().any(|(_, _, task)| self.is_live(*task))
    }

    fn is_live(&self, task: usize) -> bool {
        matches!(self.tasks[task].status, Status::New(_) | Status::Suspended(_) | Status::Running)
    }

    fn find(&self, handle: i32, at: At) -> Flow<usize> {
        let index = size(handle).checked_sub(1).filter(|index| *index < self.tasks.len());
        index.ok_or_else(|| at.trap(Trap::InvalidHandle))
    }

    fn list(&mut self, list: List) -> &mut VecDeque<usize> {
        match list {
            List::Task(task) => &mut self.tasks[task].waiters,
            List::Senders(channel) => &mut self.channels[channel].senders,
            List::Receivers(channel) => &mut self.channels[channel].receivers,
        }
    }

    fn wake_first(&mut self, list: List) {
        if let Some(task) = self.list(list).pop_front() {
            self.ready.push_back(task);
        }
    }

    fn wake_all(&mut self, list: List) {
        let woken = std::mem::take(self.list(list));
        self.ready.extend(woken);
    }

    /// Takes a task out of whatever it waits in.
    fn unlink(&mut self, task: usize) {
        let other = |waiting: &usize| *waiting != task;
        self.ready.retain(other);
        self.timers.retain(|(_, _, waiting)| *waiting != task);
        self.tasks.iter_mut().for_each(|joined| joined.waiters.retain(other));
        for channel in &mut self.channels {
            channel.senders.retain(other);
            channel.receivers.retain(other);
        }
    }

    pub fn find_channel(&self, handle: i32, at: At) -> Flow<usize> {
        let index = size(handle).checked_sub(1).filter(|index| *index < self.channels.len());
        index.ok_or_else(|| at.trap(Trap::InvalidHandle))
    }

    /// The next message of a channel; `None` when it has none.
    pub fn receive(&mut self, channel: usize) -> Option<Option<BufferId>> {
        let message = self.channels[channel].messages.pop_front()?;
        self.wake_first(List::Senders(channel));
        Some(message)
    }

    pub fn is_closed(&self, channel: usize) -> bool {
        self.channels[channel].closed
    }

    fn send(&mut self, channel: usize, message: Option<BufferId>) {
        self.channels[channel].messages.push_back(message);
        self.wake_first(List::Receivers(channel));
    }

    fn is_full(&self, channel: usize) -> bool {
        self.channels[channel].messages.len() >= self.channels[channel].capacity
    }

    /// What a task that nobody asks any more yielded.
    pub fn forget(&mut self, task: usize) -> Option<Value> {
        if self.current == Some(task) {
            return None;
        }
        match std::mem::replace(&mut self.tasks[task].status, Status::Taken) {
            Status::Done(value) => Some(value),
            _ => None,
        }
    }
}

impl Machine {
    /// A new task.
    pub fn spawn(&mut self, function: FuncId, args: Vec<Value>) -> Flow<Value> {
        let Some(callee) = self.program.functions.get(function.0 as usize) else {
            return defect(format!("function {} does not exist", function.0));
        };
        let fallible = callee.result == Ty::ResultBytes;
        let scheduler = &mut self.world.scheduler;
        let task = scheduler.tasks.len();
        let (waiters, scopes) = (VecDeque::new(), Vec::new());
        scheduler.tasks.push(Task { function, fallible, status: Status::New(args), waiters, scopes });
        scheduler.ready.push_back(task);
        Ok(Value::Number(number(task + 1)))
    }

    /// One step of the scheduler; false when nothing can go on.
    fn step(&mut self) -> Flow<bool> {
        if let Some(task) = self.world.scheduler.ready.pop_front() {
            self.run_task(task)?;
            return Ok(true);
        }
        let scheduler = &mut self.world.scheduler;
        while let Some((time, _, task)) = scheduler.timers.pop_first() {
            if scheduler.is_live(task) {
                scheduler.clock = scheduler.clock.max(time);
                scheduler.ready.push_back(task);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// One step; traps when nothing can go on.
    pub fn must_step(&mut self, at: At) -> Flow<()> {
        if self.step()? { Ok(()) } else { Err(at.trap(Trap::Deadlock)) }
    }

    /// Runs a task until it finishes or waits.
    fn run_task(&mut self, task: usize) -> Flow<()> {
        let status = std::mem::replace(&mut self.world.scheduler.tasks[task].status, Status::Running);
        let orders = match status {
            Status::New(args) => self.start(self.world.scheduler.tasks[task].function, args),
            Status::Suspended(orders) => orders,
            _ => return Err(Stop::Beyond("the interpreter made a task ready that cannot run")),
        };
        self.world.scheduler.current = Some(task);
        self.hand_over(&orders, false)?;
        self.world.scheduler.current = None;
        let record = &mut self.world.scheduler.tasks[task];
        if matches!(record.status, Status::Running) {
            record.status = Status::Suspended(orders);
        }
        Ok(())
    }

    /// The thread of a task; it waits for the world.
    fn start(&self, function: FuncId, args: Vec<Value>) -> Sender<Order> {
        let program = Arc::clone(&self.program);
        let (sender, orders) = channel::<Order>();
        let body = move || {
            let Ok(order) = orders.recv() else { return };
            let mailbox = Mailbox { orders, answer: order.answer };
            let mut machine = Machine::new(order.world, program, Some(mailbox));
            let outcome = machine.call(function, args);
            machine.finish(outcome);
        };
        std::thread::Builder::new().stack_size(STACK).spawn(body).expect("a thread");
        sender
    }

    /// Gives a task the world and waits for it to come back.
    fn hand_over(&mut self, orders: &Sender<Order>, cancel: bool) -> Flow<()> {
        let (answer, back) = channel();
        let world = std::mem::take(&mut self.world);
        // Should the task be gone, the world does not come back.
        drop(orders.send(Order { cancel, world, answer }));
        self.world = back.recv().expect("the task gives the world back");
        match self.world.over.take() {
            Some(stop) => Err(stop),
            None => Ok(()),
        }
    }

    /// In a task: lets others run until something makes it ready again.
    fn suspend(&mut self) -> Flow<()> {
        let scheduler = &mut self.world.scheduler;
        if let Some(task) = scheduler.current
            && matches!(scheduler.tasks[task].status, Status::Canceled)
        {
            // It canceled itself, and went on until here.
            scheduler.unlink(task);
            self.drop_scopes(task)?;
            return Err(Stop::Canceled);
        }
        let world = std::mem::take(&mut self.world);
        let Some(mailbox) = &mut self.mailbox else { return defect("something outside tasks is suspended") };
        drop(mailbox.answer.send(world));
        let Ok(order) = mailbox.orders.recv() else { return Err(Stop::Beyond("the run is over")) };
        mailbox.answer = order.answer;
        self.world = order.world;
        if order.cancel { Err(Stop::Canceled) } else { Ok(()) }
    }

    /// The end of a task's thread.
    fn finish(mut self, outcome: Flow<Value>) {
        let noted = match outcome {
            Ok(value) => self.finished(value),
            Err(Stop::Canceled) => Ok(()),
            Err(stop) => Err(stop),
        };
        self.world.over = noted.err();
        let world = std::mem::take(&mut self.world);
        if let Some(mailbox) = self.mailbox {
            // Nobody takes it when the run is over.
            drop(mailbox.answer.send(world));
        }
    }

    fn finished(&mut self, value: Value) -> Flow<()> {
        let Some(task) = self.world.scheduler.current else { return defect("a task runs outside tasks") };
        let record = &mut self.world.scheduler.tasks[task];
        if !record.scopes.is_empty() {
            return defect("a task finishes with an open scope");
        }
        if matches!(record.status, Status::Canceled) {
            return self.world.store.release(&value);
        }
        record.status = Status::Done(value);
        self.world.scheduler.wake_all(List::Task(task));
        Ok(())
    }

    /// Ends a task that has not ended. One that runs goes on until it waits.
    pub fn end_task(&mut self, task: usize) -> Flow<()> {
        let status = std::mem::replace(&mut self.world.scheduler.tasks[task].status, Status::Canceled);
        self.world.scheduler.unlink(task);
        if self.world.scheduler.current != Some(task) {
            self.drop_scopes(task)?;
            match status {
                Status::New(args) => {
                    for arg in &args {
                        self.world.store.release(arg)?;
                    }
                }
                Status::Suspended(orders) => self.hand_over(&orders, true)?,
                _ => {}
            }
        }
        self.world.scheduler.wake_all(List::Task(task));
        Ok(())
    }

    fn drop_scopes(&mut self, task: usize) -> Flow<()> {
        while let Some(scope) = self.world.scheduler.tasks[task].scopes.pop() {
            self.drop_scope(scope)?;
        }
        Ok(())
    }

    /// Ends a task by its number, unless it has ended; yields whether it had not.
    pub fn cancel(&mut self, task: usize) -> Flow<bool> {
        let live = self.world.scheduler.is_live(task);
        if live {
            self.end_task(task)?;
        }
        Ok(live)
    }

    /// Ends everything at the end of a run.
    pub fn end_tasks(&mut self) -> Flow<()> {
        if !self.world.scheduler.outside.is_empty() {
            return defect("the program ends with an open scope");
        }
        for task in 0..self.world.scheduler.tasks.len() {
            self.cancel(task)?;
            if let Some(value) = self.world.scheduler.forget(task) {
                self.world.store.release(&value)?;
            }
        }
        for channel in std::mem::take(&mut self.world.scheduler.channels) {
            for message in channel.messages.into_iter().flatten() {
                self.world.store.free(message)?;
            }
        }
        Ok(())
    }

    /// Waits in a list, or outside tasks until something changed.
    fn block(&mut self, list: List, at: At) -> Flow<()> {
        let scheduler = &mut self.world.scheduler;
        let Some(task) = scheduler.current else { return self.must_step(at) };
        scheduler.blocked += 1;
        scheduler.list(list).push_back(task);
        self.suspend()
    }

    /// The result of a task, of a kind if one is wanted; `None` when there is none yet.
    pub fn poll_join(&mut self, handle: i32, fallible: Option<bool>, at: At) -> Flow<Option<Joined>> {
        let task = self.world.scheduler.find(handle, at)?;
        let current = self.world.scheduler.current == Some(task);
        let record = &mut self.world.scheduler.tasks[task];
        if matches!(record.status, Status::Taken) {
            return Err(at.trap(Trap::JoinTwice));
        }
        if current {
            return Err(at.trap(Trap::JoinSelf));
        }
        if matches!(record.status, Status::Done(_)) && fallible.is_some_and(|wanted| wanted != record.fallible) {
            return Err(at.trap(Trap::JoinKind));
        }
        match std::mem::replace(&mut record.status, Status::Taken) {
            Status::Done(value) => Ok(Some(Joined::Value(value))),
            Status::Canceled => Ok(Some(Joined::Canceled)),
            live => {
                record.status = live;
                Ok(None)
            }
        }
    }

    /// Waits for the result of a task.
    pub fn join(&mut self, handle: i32, fallible: Option<bool>, at: At) -> Flow<Joined> {
        self.world.scheduler.joins += 1;
        loop {
            if let Some(joined) = self.poll_join(handle, fallible, at)? {
                return Ok(joined);
            }
            let task = self.world.scheduler.find(handle, at)?;
            let again = u32::from(self.world.scheduler.in_task());
            self.block(List::Task(task), at)?;
            self.world.scheduler.joins += again;
        }
    }

    /// The result of a task, an error when it has none: 1 not yet, 2 canceled.
    pub fn try_join(&mut self, handle: i32, fallible: Option<bool>, at: At) -> Flow<Result<Value, i32>> {
        self.world.scheduler.joins += 1;
        let task = self.world.scheduler.find(handle, at)?;
        if self.world.scheduler.current == Some(task) {
            return Ok(Err(1));
        }
        Ok(match self.poll_join(handle, fallible, at)? {
            Some(Joined::Value(value)) => Ok(value),
            Some(Joined::Canceled) => Err(2),
            None => Err(1),
        })
    }

    pub fn is_finished(&self, handle: i32, at: At) -> Flow<Value> {
        let task = self.world.scheduler.find(handle, at)?;
        Ok(Value::truth(!self.world.scheduler.is_live(task)))
    }

    pub fn task_of(&self, handle: i32, at: At) -> Flow<usize> {
        self.world.scheduler.find(handle, at)
    }

    /// Lets others run first.
    fn pause(&mut self) -> Flow<()> {
        match self.world.scheduler.current {
            Some(task) => {
                self.world.scheduler.ready.push_back(task);
                self.suspend()
            }
            None => self.step().map(drop),
        }
    }

    pub fn sleep(&mut self, ticks: i32) -> Flow<()> {
        let scheduler = &mut self.world.scheduler;
        let target = scheduler.clock + u64::from(ticks.cast_unsigned());
        if let Some(task) = scheduler.current {
            if ticks == 0 {
                return self.pause();
            }
            scheduler.blocked += 1;
            scheduler.timers.insert((target, scheduler.sequence, task));
            scheduler.sequence += 1;
            return self.suspend();
        }
        // What is ready runs, then what is due until the target, but nothing once it is reached.
        while self.world.scheduler.clock < target {
            let scheduler = &mut self.world.scheduler;
            if scheduler.ready.is_empty() {
                let due = scheduler.timers.iter().find(|(_, _, task)| scheduler.is_live(*task));
                if due.is_none_or(|(time, _, _)| *time > target) {
                    scheduler.clock = target;
                    return Ok(());
                }
            }
            self.step()?;
        }
        Ok(())
    }

    /// An operation that may have to wait.
    pub fn wait(&mut self, op: WaitOp, args: Vec<Value>, at: At) -> Flow<Value> {
        let mut args = Operands::new(args);
        let value = match op {
            WaitOp::JoinBytes => match self.join(args.number()?, Some(false), at)? {
                Joined::Value(value) => value,
                Joined::Canceled => Value::Bytes(None),
            },
            WaitOp::JoinResult => match self.join(args.number()?, Some(true), at)? {
                Joined::Value(value) => value,
                Joined::Canceled => Value::err(2),
            },
            WaitOp::Yield => {
                self.pause()?;
                Value::Number(0)
            }
            WaitOp::Sleep => {
                self.sleep(args.number()?)?;
                Value::Number(0)
            }
            WaitOp::ChanSend => {
                let (channel, message) = (args.number()?, args.bytes()?);
                if let Err(stop) = self.wait_for_room(channel, at) {
                    if matches!(stop, Stop::Canceled)
                        && let Some(message) = message
                    {
                        self.world.store.free(message)?;
                    }
                    return Err(stop);
                }
                let channel = self.world.scheduler.find_channel(channel, at)?;
                self.world.scheduler.send(channel, message);
                Value::Number(1)
            }
            WaitOp::ChanRecv => {
                let channel = self.world.scheduler.find_channel(args.number()?, at)?;
                loop {
                    if let Some(message) = self.world.scheduler.receive(channel) {
                        break Value::Bytes(message);
                    }
                    if self.world.scheduler.is_closed(channel) {
                        break Value::Bytes(None);
                    }
                    self.block(List::Receivers(channel), at)?;
                }
            }
            other => self.scope_wait(other, &mut args, at)?,
        };
        args.end()?;
        if value.is(op.result()) { Ok(value) } else { defect(format!("{op:?} yields {value:?}")) }
    }

    fn wait_for_room(&mut self, channel: i32, at: At) -> Flow<()> {
        let channel = self.world.scheduler.find_channel(channel, at)?;
        loop {
            if self.world.scheduler.is_closed(channel) {
                return Err(at.trap(Trap::ChannelClosed));
            }
            if !self.world.scheduler.is_full(channel) {
                return Ok(());
            }
            self.block(List::Senders(channel), at)?;
        }
    }

    pub fn new_channel(&mut self, capacity: usize, at: At) -> Flow<Value> {
        if capacity == 0 {
            return Err(at.trap(Trap::InvalidCapacity));
        }
        self.world.scheduler.channels.push(Channel { capacity, ..Channel::default() });
        Ok(Value::Number(number(self.world.scheduler.channels.len())))
    }

    /// Sends a copy: 0 full, 1 sent, 2 closed.
    pub fn try_send(&mut self, channel: i32, message: &[u8], at: At) -> Flow<Value> {
        let channel = self.world.scheduler.find_channel(channel, at)?;
        if self.world.scheduler.is_closed(channel) {
            return Ok(Value::Number(2));
        }
        if self.world.scheduler.is_full(channel) {
            return Ok(Value::Number(0));
        }
        let copy = self.world.fresh(message.to_vec(), at)?;
        self.world.scheduler.send(channel, copy);
        Ok(Value::Number(1))
    }

    pub fn close_channel(&mut self, channel: i32, at: At) -> Flow<Value> {
        let channel = self.world.scheduler.find_channel(channel, at)?;
        let closed = std::mem::replace(&mut self.world.scheduler.channels[channel].closed, true);
        if !closed {
            self.world.scheduler.wake_all(List::Receivers(channel));
            self.world.scheduler.wake_all(List::Senders(channel));
        }
        Ok(Value::truth(!closed))
    }
}
