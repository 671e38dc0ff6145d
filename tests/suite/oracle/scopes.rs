//! Task scopes, slots and select, and the scheduler's operations that do not wait.

use x07_wasm::compiler::ir::{TaskOp, Trap, WaitOp};

use super::eval::{At, Machine};
use super::ops::Operands;
use super::store::BufferId;
use super::tasks::Joined;
use super::values::{Flow, Value, defect, number, size};

/// The bits of a slot's number that are its index.
const INDEX: i32 = 0xffff;

/// What an event says.
const SLOT_FINISHED: i32 = 1;
const SLOT_CANCELED: i32 = 2;
const MESSAGE: i32 = 3;
const CLOSED: i32 = 4;
const TIMEOUT: i32 = 5;

/// A slot: the task that has it, or had it last.
#[derive(Clone, Copy)]
struct Slot {
    task: i32,
    fallible: bool,
    pending: bool,
    generation: i32,
}

/// A case of a select.
#[derive(Clone, Copy)]
struct Case {
    channel: bool,
    source: i32,
}

/// A select that is set up.
#[derive(Default)]
struct Select {
    round_robin: bool,
    sleep: i32,
    most_polls: u32,
    timeout: u64,
    cases: Vec<Case>,
    began: u64,
}

/// An open task scope.
#[derive(Default)]
pub struct Scope {
    most_children: usize,
    most_ticks: u64,
    most_blocked: u32,
    most_joins: u32,
    most_result: usize,
    opened: u64,
    blocked: u32,
    joins: u32,
    canceled: bool,
    /// The handles of started tasks, and of all that belong to it.
    children: Vec<i32>,
    tasks: Vec<i32>,
    slots: Vec<Slot>,
    cursor: usize,
    select: Select,
    events: Vec<usize>,
}

/// What a select found.
pub struct Event {
    tag: i32,
    case: i32,
    source: i32,
    payload: Option<BufferId>,
    taken: bool,
    over: bool,
}

/// The length of the bytes in a result.
fn length(machine: &Machine, value: &Value) -> Flow<usize> {
    match value {
        Value::Bytes(buffer) => Ok(machine.world.store.bytes(*buffer)?.len()),
        Value::Result(Ok(inner)) => length(machine, inner),
        _ => Ok(0),
    }
}

impl Machine {
    fn scope(&mut self) -> Flow<&mut Scope> {
        match self.world.scheduler.scopes().last_mut() {
            Some(scope) => Ok(scope),
            None => defect("an operation on a scope stands outside scopes"),
        }
    }

    /// An operation of the scheduler that does not wait.
    pub fn task_op(&mut self, op: TaskOp, args: Vec<Value>, at: At) -> Flow<Value> {
        let mut args = Operands::new(args);
        let a = &mut args;
        let value = match op {
            TaskOp::Check => {
                let handle = a.number()?;
                self.task_of(handle, at)?;
                Value::Number(handle)
            }
            TaskOp::TryJoinBytes => tried(self.try_join(a.number()?, Some(false), at)?),
            TaskOp::TryJoinResult => tried(self.try_join(a.number()?, Some(true), at)?),
            TaskOp::IsFinished => self.is_finished(a.number()?, at)?,
            TaskOp::Cancel => {
                let task = self.task_of(a.number()?, at)?;
                Value::truth(self.cancel(task)?)
            }
            TaskOp::ChanNew => self.new_channel(a.size()?, at)?,
            TaskOp::ChanTrySend => {
                let (channel, message) = (a.number()?, a.view()?);
                let message = self.world.store.read(message)?.to_vec();
                self.try_send(channel, &message, at)?
            }
            TaskOp::ChanTryRecv => {
                let channel = self.world.scheduler.find_channel(a.number()?, at)?;
                match self.world.scheduler.receive(channel) {
                    Some(message) => Value::ok(Value::Bytes(message)),
                    None => Value::err(if self.world.scheduler.is_closed(channel) { 2 } else { 1 }),
                }
            }
            TaskOp::ChanClose => self.close_channel(a.number()?, at)?,
            TaskOp::ScopeEnter => self.open_scope(a)?,
            TaskOp::ScopeStart => {
                let task = a.number()?;
                self.register(task, at)?;
                self.scope()?.children.push(task);
                Value::Number(1)
            }
            TaskOp::ScopeCancelAll => self.cancel_all(at)?,
            TaskOp::ScopeLet => {
                let (task, fallible) = (a.number()?, a.number()? != 0);
                self.register(task, at)?;
                self.give_slot(task, fallible, at)?
            }
            TaskOp::TrySlotBytes => tried(self.try_slot(a.number()?, false, at)?),
            TaskOp::TrySlotResult => tried(self.try_slot(a.number()?, true, at)?),
            TaskOp::SlotFinished => {
                let index = self.find_slot(a.number()?, at)?;
                let slot = self.scope()?.slots[index];
                if slot.pending { self.is_finished(slot.task, at)? } else { Value::Number(1) }
            }
            TaskOp::SelectBegin => self.begin_select(a)?,
            TaskOp::SelectCase => {
                let case = Case { channel: a.number()? != 0, source: a.number()? };
                self.scope()?.select.cases.push(case);
                Value::Number(0)
            }
            TaskOp::SelectTry => Value::Option(self.poll_select(at)?.map(Box::new)),
            TaskOp::EventTag => Value::Number(self.event(a.number()?, at)?.tag),
            TaskOp::EventCase => Value::Number(self.event(a.number()?, at)?.case),
            TaskOp::EventSource => Value::Number(self.event(a.number()?, at)?.source),
            TaskOp::EventTake => {
                let event = self.event(a.number()?, at)?;
                if std::mem::replace(&mut event.taken, true) {
                    return Err(at.trap(Trap::SelectEventTaken));
                }
                Value::Bytes(event.payload.take())
            }
            TaskOp::EventDrop => {
                let handle = a.number()?;
                self.event(handle, at)?;
                self.drop_event(size(handle) - 1)?;
                Value::Number(1)
            }
        };
        args.end()?;
        Ok(value)
    }

    /// Waiting operations of scopes.
    pub fn scope_wait(&mut self, op: WaitOp, args: &mut Operands, at: At) -> Flow<Value> {
        match op {
            WaitOp::SlotBytes => self.join_slot(args.number()?, false, at),
            WaitOp::SlotResult => self.join_slot(args.number()?, true, at),
            WaitOp::ScopeWaitAll => {
                let scope = self.scope()?;
                let count = scope.children.len() + scope.slots.iter().filter(|slot| slot.pending).count();
                self.join_rest(at)?;
                let scope = self.scope()?;
                scope.children.clear();
                scope.tasks.clear();
                scope.canceled = false;
                Ok(Value::Number(number(count)))
            }
            WaitOp::ScopeExit => {
                self.join_rest(at)?;
                self.check_limits(at)?;
                let closed = self.world.scheduler.scopes().pop();
                self.end_events(closed.map(|scope| scope.events).unwrap_or_default())?;
                Ok(Value::Number(0))
            }
            WaitOp::Select => self.select(at),
            other => defect(format!("{other:?} is no operation on scopes")),
        }
    }

    fn open_scope(&mut self, args: &mut Operands) -> Flow<Value> {
        let mut limit = || Ok::<u32, super::values::Stop>(args.number()?.cast_unsigned());
        let (children, ticks, blocked, joins, result) = (limit()?, limit()?, limit()?, limit()?, limit()?);
        let scheduler = &mut self.world.scheduler;
        let opened = Scope {
            most_children: children as usize,
            most_ticks: u64::from(ticks),
            most_blocked: blocked,
            most_joins: joins,
            most_result: result as usize,
            opened: scheduler.clock,
            blocked: scheduler.blocked,
            joins: scheduler.joins,
            ..Scope::default()
        };
        scheduler.scopes().push(opened);
        Ok(Value::Number(0))
    }

    /// Makes a task one of the scope's.
    fn register(&mut self, task: i32, at: At) -> Flow<()> {
        let scope = self.scope()?;
        if scope.canceled {
            return Err(at.trap(Trap::ScopeCanceled));
        }
        if scope.tasks.len() >= scope.most_children {
            return Err(at.trap(Trap::ScopeChildren));
        }
        scope.tasks.push(task);
        Ok(())
    }

    fn cancel_all(&mut self, at: At) -> Flow<Value> {
        let tasks = self.scope()?.tasks.clone();
        let mut count = 0;
        for handle in tasks.into_iter().rev() {
            let task = self.task_of(handle, at)?;
            count += i32::from(self.cancel(task)?);
        }
        self.scope()?.canceled = true;
        Ok(Value::Number(count))
    }

    /// The first slot that is free, for a task.
    fn give_slot(&mut self, task: i32, fallible: bool, at: At) -> Flow<Value> {
        let scope = self.scope()?;
        let index = scope.slots.iter().position(|slot| !slot.pending).unwrap_or(scope.slots.len());
        if index == scope.slots.len() {
            if index >= scope.most_children || index > size(INDEX) {
                return Err(at.trap(Trap::ScopeChildren));
            }
            scope.slots.push(Slot { task, fallible, pending: true, generation: 0 });
        }
        let generation = (scope.slots[index].generation + 1) & INDEX;
        scope.slots[index] = Slot { task, fallible, pending: true, generation };
        Ok(Value::Number((generation << 16) | number(index)))
    }

    /// The index of a slot.
    fn find_slot(&mut self, slot: i32, at: At) -> Flow<usize> {
        let (index, generation) = (size(slot & INDEX), (slot >> 16) & INDEX);
        let found = self.scope()?.slots.get(index).ok_or_else(|| at.trap(Trap::InvalidHandle))?;
        if generation > found.generation {
            return Err(at.trap(Trap::InvalidHandle));
        }
        if generation < found.generation {
            return Err(at.trap(Trap::SlotConsumed));
        }
        Ok(index)
    }

    /// A slot whose result can still be taken, as this kind.
    fn pending_slot(&mut self, slot: i32, fallible: bool, at: At) -> Flow<usize> {
        let index = self.find_slot(slot, at)?;
        let found = self.scope()?.slots[index];
        if !found.pending {
            return Err(at.trap(Trap::SlotConsumed));
        }
        if found.fallible != fallible {
            return Err(at.trap(Trap::SlotKind));
        }
        Ok(index)
    }

    fn consume(&mut self, index: usize) -> Flow<()> {
        let scope = self.scope()?;
        scope.slots[index].pending = false;
        let task = scope.slots[index].task;
        scope.tasks.retain(|other| *other != task);
        Ok(())
    }

    /// Traps when a result is larger than the scope allows.
    fn check_size(&mut self, value: &Value, at: At) -> Flow<()> {
        let length = length(self, value)?;
        let most = self.scope()?.most_result;
        if most != 0 && length > most { Err(at.trap(Trap::SlotTooLarge)) } else { Ok(()) }
    }

    fn join_slot(&mut self, slot: i32, fallible: bool, at: At) -> Flow<Value> {
        let index = self.pending_slot(slot, fallible, at)?;
        let task = self.scope()?.slots[index].task;
        let joined = self.join(task, Some(fallible), at)?;
        let value = match joined {
            Joined::Value(value) => value,
            Joined::Canceled if fallible => Value::err(2),
            Joined::Canceled => Value::Bytes(None),
        };
        self.check_size(&value, at)?;
        self.consume(index)?;
        Ok(value)
    }

    fn try_slot(&mut self, slot: i32, fallible: bool, at: At) -> Flow<Result<Value, i32>> {
        let index = self.pending_slot(slot, fallible, at)?;
        let task = self.scope()?.slots[index].task;
        let outcome = self.try_join(task, Some(fallible), at)?;
        if let Ok(value) = &outcome {
            self.check_size(value, at)?;
        }
        if !matches!(outcome, Err(1)) {
            self.consume(index)?;
        }
        Ok(outcome)
    }

    /// Joins the pending slots in order, then the children, and drops what they yield.
    fn join_rest(&mut self, at: At) -> Flow<()> {
        for index in 0..self.scope()?.slots.len() {
            let slot = self.scope()?.slots[index];
            if slot.pending {
                if let Joined::Value(value) = self.join(slot.task, None, at)? {
                    self.check_size(&value, at)?;
                    self.world.store.release(&value)?;
                }
                self.consume(index)?;
            }
        }
        for child in self.scope()?.children.clone() {
            if let Joined::Value(value) = self.join(child, None, at)? {
                self.world.store.release(&value)?;
            }
        }
        Ok(())
    }

    fn check_limits(&mut self, at: At) -> Flow<()> {
        let (clock, blocked, joins) =
            (self.world.scheduler.clock, self.world.scheduler.blocked, self.world.scheduler.joins);
        let scope = self.scope()?;
        let passed = |most: u64, count: u64| most != 0 && count > most;
        if passed(scope.most_ticks, clock - scope.opened) {
            return Err(at.trap(Trap::ScopeTicks));
        }
        if passed(u64::from(scope.most_blocked), u64::from(blocked - scope.blocked)) {
            return Err(at.trap(Trap::ScopeBlockedWaits));
        }
        if passed(u64::from(scope.most_joins), u64::from(joins - scope.joins)) {
            return Err(at.trap(Trap::ScopeJoinPolls));
        }
        Ok(())
    }

    /// A scope whose task was canceled: its tasks end, the newest first.
    pub fn drop_scope(&mut self, scope: Scope) -> Flow<()> {
        let tasks: Vec<usize> = scope.tasks.iter().rev().map(|handle| size(*handle) - 1).collect();
        for task in &tasks {
            self.cancel(*task)?;
        }
        for task in tasks {
            if let Some(value) = self.world.scheduler.forget(task) {
                self.world.store.release(&value)?;
            }
        }
        self.end_events(scope.events)
    }

    fn begin_select(&mut self, args: &mut Operands) -> Flow<Value> {
        let (round_robin, sleep) = (args.number()? != 0, args.number()?);
        let (most_polls, timeout) = (args.number()?.cast_unsigned(), u64::from(args.number()?.cast_unsigned()));
        let began = self.world.scheduler.clock;
        self.scope()?.select = Select { round_robin, sleep, most_polls, timeout, cases: Vec::new(), began };
        Ok(Value::Number(0))
    }

    /// The event of the first case that is ready.
    fn poll_select(&mut self, at: At) -> Flow<Option<Value>> {
        let scope = self.scope()?;
        let (cases, round_robin) = (scope.select.cases.clone(), scope.select.round_robin);
        let first = if round_robin && scope.cursor < cases.len() { scope.cursor } else { 0 };
        for step in 0..cases.len() {
            let index = (first + step) % cases.len();
            let found = if cases[index].channel {
                self.poll_channel(cases[index].source, at)?
            } else {
                self.poll_slot(cases[index].source, at)?
            };
            if let Some((tag, payload)) = found {
                if round_robin {
                    self.scope()?.cursor = index + 1;
                }
                return self.new_event(tag, number(index), cases[index].source, payload).map(Some);
            }
        }
        Ok(None)
    }

    fn poll_slot(&mut self, slot: i32, at: At) -> Flow<Option<(i32, Option<BufferId>)>> {
        if slot == -1 {
            return Ok(None);
        }
        Ok(match self.try_slot(slot, false, at)? {
            Ok(value) => Some((SLOT_FINISHED, value.as_bytes()?)),
            Err(1) => None,
            Err(_) => Some((SLOT_CANCELED, None)),
        })
    }

    fn poll_channel(&mut self, channel: i32, at: At) -> Flow<Option<(i32, Option<BufferId>)>> {
        if channel == 0 {
            return Ok(None);
        }
        let channel = self.world.scheduler.find_channel(channel, at)?;
        Ok(match self.world.scheduler.receive(channel) {
            Some(message) => Some((MESSAGE, message)),
            None if self.world.scheduler.is_closed(channel) => Some((CLOSED, None)),
            None => None,
        })
    }

    fn select(&mut self, at: At) -> Flow<Value> {
        let mut polls = 0_u32;
        loop {
            if let Some(event) = self.poll_select(at)? {
                return Ok(event);
            }
            polls += 1;
            let clock = self.world.scheduler.clock;
            let select = &self.scope()?.select;
            let (sleep, most_polls, timeout) = (select.sleep, select.most_polls, select.timeout);
            if most_polls != 0 && polls > most_polls {
                return Err(at.trap(Trap::SelectMaxPolls));
            }
            if timeout != 0 && clock - select.began >= timeout {
                return self.new_event(TIMEOUT, 0, 0, None);
            }
            if sleep == 0 && !self.world.scheduler.in_task() {
                self.must_step(at)?;
                continue;
            }
            let endless = most_polls == 0 && timeout == 0;
            if endless && !self.world.scheduler.in_task() && self.world.scheduler.is_idle() {
                return Err(at.trap(Trap::Deadlock));
            }
            self.sleep(sleep)?;
        }
    }

    fn new_event(&mut self, tag: i32, case: i32, source: i32, payload: Option<BufferId>) -> Flow<Value> {
        let event = self.world.scheduler.events.len();
        self.world.scheduler.events.push(Event { tag, case, source, payload, taken: false, over: false });
        self.scope()?.events.push(event);
        Ok(Value::Number(number(event + 1)))
    }

    fn event(&mut self, handle: i32, at: At) -> Flow<&mut Event> {
        let index = size(handle).checked_sub(1);
        let found = index.and_then(|index| self.world.scheduler.events.get_mut(index)).filter(|event| !event.over);
        found.ok_or_else(|| at.trap(Trap::SelectEventInvalid))
    }

    fn drop_event(&mut self, event: usize) -> Flow<()> {
        let event = &mut self.world.scheduler.events[event];
        event.over = true;
        match event.payload.take() {
            Some(payload) => self.world.store.free(payload),
            None => Ok(()),
        }
    }

    /// Ends the events of a scope that is over.
    fn end_events(&mut self, events: Vec<usize>) -> Flow<()> {
        events.into_iter().try_for_each(|event| self.drop_event(event))
    }
}

/// A result of something that may not be there yet.
fn tried(outcome: Result<Value, i32>) -> Value {
    match outcome {
        Ok(value) => Value::ok(value),
        Err(code) => Value::err(code),
    }
}
