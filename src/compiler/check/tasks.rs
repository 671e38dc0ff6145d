//! Tasks, channels, task scopes and select.
//!
//! An operation that may wait becomes an [`Expr::Wait`], any other an [`Op::Task`]. In the body of a
//! task, what waits may not stand among operands; `operands` sees to that with the facts that
//! `resolve` collected.
//!
//! A task scope stores its value before it waits for what was started in it. Every way out of a
//! function waits for all open scopes first, before anything is freed.

use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::exits::{OpenScope, store};
use super::function::{Checker, Value, block};
use super::operands::Want;
use super::vars::VarId;
use crate::compiler::ir::{Expr, Op, TaskOp, Ty, WaitOp};
use crate::compiler::module::{self, FunctionKind};
use crate::compiler::problem::Problem;
use crate::contract::json::tree::{Kind, NodeId};

/// How an operation becomes code.
#[derive(Clone, Copy)]
enum Shape {
    Wait(WaitOp),
    Plain(TaskOp),
}

/// Where an operation may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Anywhere,
    /// Where waiting is possible: in `solve` and in async functions.
    Waiting,
    /// In a task scope; the code of the problem elsewhere.
    Scope(Code),
}

/// An operation with ordinary operands.
#[derive(Clone, Copy)]
struct Operation {
    wants: &'static [Want],
    shape: Shape,
    place: Place,
}

const I: Want = Want::Value(Ty::I32);
const W: Want = Want::Borrow { vec: true };
const BYTES: Want = Want::Value(Ty::Bytes);
const TASK: Want = Want::Value(Ty::TaskBytes);
const RESULT_TASK: Want = Want::Value(Ty::TaskResult);
const SLOT: Want = Want::Value(Ty::Slot);
const EVENT: Want = Want::Value(Ty::Event);

const IN_SCOPE: Place = Place::Scope(Code::X07eScope001);
const WITH_SLOT: Place = Place::Scope(Code::X07eScopeSlot002);

const fn waits(wants: &'static [Want], op: WaitOp) -> Operation {
    Operation { wants, shape: Shape::Wait(op), place: Place::Waiting }
}

const fn plain(wants: &'static [Want], op: TaskOp) -> Operation {
    Operation { wants, shape: Shape::Plain(op), place: Place::Anywhere }
}

const fn within(place: Place, wants: &'static [Want], shape: Shape) -> Operation {
    Operation { wants, shape, place }
}

static OPERATIONS: [(&str, Operation); 27] = [
    ("await", waits(&[TASK], WaitOp::JoinBytes)),
    ("chan.bytes.close", plain(&[I], TaskOp::ChanClose)),
    ("chan.bytes.new", plain(&[I], TaskOp::ChanNew)),
    ("chan.bytes.recv", waits(&[I], WaitOp::ChanRecv)),
    ("chan.bytes.send", waits(&[I, BYTES], WaitOp::ChanSend)),
    ("chan.bytes.try_recv", plain(&[I], TaskOp::ChanTryRecv)),
    ("chan.bytes.try_send", plain(&[I, W], TaskOp::ChanTrySend)),
    ("task.cancel", plain(&[I], TaskOp::Cancel)),
    ("task.is_finished", plain(&[I], TaskOp::IsFinished)),
    ("task.join.bytes", waits(&[TASK], WaitOp::JoinBytes)),
    ("task.join.result_bytes", waits(&[RESULT_TASK], WaitOp::JoinResult)),
    ("task.scope.await_slot_bytes_v1", within(WITH_SLOT, &[SLOT], Shape::Wait(WaitOp::SlotBytes))),
    ("task.scope.await_slot_result_bytes_v1", within(WITH_SLOT, &[SLOT], Shape::Wait(WaitOp::SlotResult))),
    ("task.scope.cancel_all_v1", within(IN_SCOPE, &[], Shape::Plain(TaskOp::ScopeCancelAll))),
    ("task.scope.slot_is_finished_v1", within(WITH_SLOT, &[SLOT], Shape::Plain(TaskOp::SlotFinished))),
    ("task.scope.try_await_slot.bytes_v1", within(WITH_SLOT, &[SLOT], Shape::Plain(TaskOp::TrySlotBytes))),
    ("task.scope.try_await_slot.result_bytes_v1", within(WITH_SLOT, &[SLOT], Shape::Plain(TaskOp::TrySlotResult))),
    ("task.scope.wait_all_v1", within(IN_SCOPE, &[], Shape::Wait(WaitOp::ScopeWaitAll))),
    ("task.select_evt.case_index_v1", plain(&[EVENT], TaskOp::EventCase)),
    ("task.select_evt.drop_v1", plain(&[EVENT], TaskOp::EventDrop)),
    ("task.select_evt.src_id_v1", plain(&[EVENT], TaskOp::EventSource)),
    ("task.select_evt.tag_v1", plain(&[EVENT], TaskOp::EventTag)),
    ("task.select_evt.take_bytes_v1", plain(&[EVENT], TaskOp::EventTake)),
    ("task.sleep", waits(&[I], WaitOp::Sleep)),
    ("task.try_join.bytes", plain(&[TASK], TaskOp::TryJoinBytes)),
    ("task.try_join.result_bytes", plain(&[RESULT_TASK], TaskOp::TryJoinResult)),
    ("task.yield", waits(&[], WaitOp::Yield)),
];

/// The forms with rules of their own.
static FORMS: [&str; 7] = [
    "task.scope.async_let_bytes_v1",
    "task.scope.async_let_result_bytes_v1",
    "task.scope.select_try_v1",
    "task.scope.select_v1",
    "task.scope.start_soon_v1",
    "task.scope_v1",
    "task.spawn",
];

/// All heads of this file that a program can use.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FORMS.iter().copied().chain(OPERATIONS.iter().map(|(name, _)| *name))
}

/// Whether a value of one type may stand where another is wanted: handles of tasks are numbers, and
/// what an event's option is unwrapped to is one.
pub(super) fn converts(wanted: Ty, found: Ty) -> bool {
    matches!(
        (wanted, found),
        (Ty::I32, Ty::TaskBytes | Ty::TaskResult)
            | (Ty::TaskBytes | Ty::TaskResult | Ty::Event, Ty::I32)
            | (Ty::OptionI32, Ty::OptionEvent)
    )
}

/// The limits of a scope, in the order of the operands of [`TaskOp::ScopeEnter`], with defaults.
static SCOPE_LIMITS: [(&str, i32); 5] = [
    ("max_children", 1024),
    ("max_ticks", 0),
    ("max_blocked_waits", 0),
    ("max_join_polls", 0),
    ("max_slot_result_bytes", 0),
];

/// The settings of a select that are numbers, with defaults; -1 for one that must be given.
static SELECT_LIMITS: [(&str, i32); 4] =
    [("max_cases", -1), ("poll_sleep_ticks", 1), ("max_polls", 0), ("timeout_ticks", 0)];

/// The kinds of cases of a select, and of slots.
const KIND_SLOT: i32 = 0;
const KIND_CHANNEL: i32 = 1;
const KIND_BYTES: i32 = 0;
const KIND_RESULT: i32 = 1;

impl Checker<'_, '_> {
    /// Operations of the scheduler and the forms of task scopes; `None` for other heads.
    pub(super) fn task_form(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Option<Value> {
        if let Some((_, operation)) = OPERATIONS.iter().find(|(name, _)| *name == head) {
            return Some(self.task_operation(node, head, args, *operation));
        }
        Some(match head {
            "task.scope_v1" => self.scope_form(node, head, args),
            "task.scope.start_soon_v1" => self.start_soon(node, head, args),
            "task.scope.async_let_bytes_v1" => self.async_let(node, head, args, TASK, KIND_BYTES),
            "task.scope.async_let_result_bytes_v1" => self.async_let(node, head, args, RESULT_TASK, KIND_RESULT),
            "task.scope.select_v1" => self.select_form(node, head, args, true),
            "task.scope.select_try_v1" => self.select_form(node, head, args, false),
            "task.spawn" => self.spawn_form(node, head, args),
            "task.scope.slot_to_i32_v1" | "task.scope.slot_from_i32_v1" if self.is_standard() => {
                let (from, to) = if head.ends_with("to_i32_v1") { (Ty::Slot, Ty::I32) } else { (Ty::I32, Ty::Slot) };
                self.slot_number(node, head, args, from, to)
            }
            _ => return None,
        })
    }

    /// Whether a task may be suspended while the expression at a node is evaluated. Where a scope is
    /// open, every way out of the function waits.
    pub(super) fn suspends(&self, node: NodeId) -> bool {
        self.is_task
            && (self.facts.waits.contains(&node) || (!self.scopes.is_empty() && self.facts.exits.contains(&node)))
    }

    /// Whether a task scope is open.
    fn in_task_scope(&self) -> bool {
        self.scopes.iter().any(|scope| matches!(scope, OpenScope::Tasks))
    }

    /// Waits for the tasks of the innermost scope and closes it.
    pub(super) fn end_task_scope(&mut self, node: NodeId) -> Expr {
        Expr::Discard(Box::new(self.wait_expr(WaitOp::ScopeExit, Vec::new(), node)))
    }

    /// How many task scopes are open.
    pub(super) fn open_task_scopes(&self) -> usize {
        self.scopes.iter().filter(|scope| matches!(scope, OpenScope::Tasks)).count()
    }

    /// A slot belongs to its scope: in another one its number means another slot.
    pub(super) fn check_slot_scope(&mut self, id: VarId, node: NodeId) {
        let open = self.open_task_scopes();
        if self.slot_scopes.get(&id).is_none_or(|scopes| *scopes == open) {
            return;
        }
        let name = self.name_of(id);
        let message = format!("{name} is a slot of an enclosing task scope and cannot be used in this one");
        let problem = Problem::error(Code::X07eScopeSlot002, Stage::Type, message)
            .with_note("wait for the slot outside the inner scope");
        self.report(node, problem);
    }

    fn wait_expr(&mut self, op: WaitOp, args: Vec<Expr>, node: NodeId) -> Expr {
        let site = self.site(node);
        Expr::Wait { op, args, site }
    }

    /// Lets other tasks run first.
    pub(super) fn yield_once(&mut self, node: NodeId) -> Expr {
        Expr::Discard(Box::new(self.wait_expr(WaitOp::Yield, Vec::new(), node)))
    }

    /// Whether an operation that waits may stand here; reports it else.
    pub(super) fn allows_waiting(&mut self, node: NodeId, head: &str) -> bool {
        if !self.may_wait {
            let message = format!("{head} is only allowed in solve or defasync");
            let problem = Problem::error(Code::X07Conc0001, Stage::Lint, message)
                .with_data("head", head)
                .with_note("declare the function as `defasync`, or pass it what it would wait for");
            self.report(node, problem);
        }
        self.may_wait
    }

    /// Reports an operation of a task scope that stands in none.
    fn check_scope(&mut self, node: NodeId, head: &str, code: Code) {
        if !self.in_task_scope() {
            let message = format!("{} is only allowed inside task.scope_v1", code_and(code, head));
            let problem = Problem::error(code, Stage::Type, message)
                .with_data("head", head)
                .with_note("write [\"task.scope_v1\", [\"task.scope.cfg_v1\"], BODY] around it");
            self.report(node, problem);
        }
    }

    fn task_operation(&mut self, node: NodeId, head: &str, args: &[NodeId], operation: Operation) -> Value {
        match operation.place {
            Place::Anywhere => {}
            Place::Waiting => {
                self.allows_waiting(node, head);
            }
            Place::Scope(code) => self.check_scope(node, head, code),
        }
        let result = match operation.shape {
            Shape::Wait(op) => op.result(),
            Shape::Plain(op) => op.result(),
        };
        if args.len() != operation.wants.len() {
            self.wrong_count(node, head, operation.wants.len(), args.len());
            self.arguments(args);
            return Value::new(Expr::I32(0), result);
        }
        let mut ready = match operation.shape {
            Shape::Wait(_) if self.is_task => self.settled_operands(head, args, operation.wants),
            _ => self.operands(head, args, operation.wants, false),
        };
        let diverges = ready.diverges;
        let operands = std::mem::take(&mut ready.args);
        let expr = match operation.shape {
            Shape::Wait(op) => self.wait_expr(op, operands, node),
            Shape::Plain(op) => self.op(Op::Task(op), operands, node),
        };
        let expr = self.finish(ready, expr);
        Value { diverges, ..Value::new(expr, result) }
    }

    /// `["task.spawn", task]`: the same task.
    fn spawn_form(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Value {
        if args.len() != 1 {
            self.wrong_count(node, head, 1, args.len());
            self.arguments(args);
            return Value::new(Expr::I32(0), Ty::I32);
        }
        let mut ready = self.operands(head, args, &[I], false);
        let diverges = ready.diverges;
        let ty = ready.infos.first().map_or(Ty::Never, |info| info.ty);
        let operands = std::mem::take(&mut ready.args);
        let expr = self.op(Op::Task(TaskOp::Check), operands, node);
        let expr = self.finish(ready, expr);
        Value { diverges, ..Value::new(expr, ty) }
    }

    /// A slot as a number and back, for standard modules.
    fn slot_number(&mut self, node: NodeId, head: &str, args: &[NodeId], from: Ty, to: Ty) -> Value {
        if args.len() != 1 {
            self.wrong_count(node, head, 1, args.len());
            self.arguments(args);
            return Value::new(Expr::I32(0), to);
        }
        let mut ready = self.operands(head, args, &[Want::Value(from)], false);
        let diverges = ready.diverges;
        let expr = ready.args.pop().unwrap_or(Expr::I32(0));
        let expr = self.finish(ready, expr);
        Value { diverges, ..Value::new(expr, to) }
    }

    /// Whether a node is the call of an async function.
    pub(super) fn is_task_call(&self, node: NodeId) -> bool {
        let Some((head, args)) = self.split(node) else { return false };
        let name = if head == "tapp" { args.first().and_then(|&callee| self.tree.string(callee)) } else { Some(head) };
        let target = name.and_then(|name| self.cx.index.functions.get(&*name).copied());
        target.and_then(|target| self.cx.decl(target)).is_some_and(|decl| decl.kind == FunctionKind::Defasync)
    }

    /// In a scope, a task belongs to the scope: reports a `let` that starts one for itself.
    pub(super) fn check_scoped_let(&mut self, init: NodeId) {
        if self.in_task_scope() && self.is_task_call(init) {
            let message = "X07E_SCOPE_003: a task that is started in a scope must belong to the scope".to_owned();
            let problem = Problem::error(Code::X07eScope003, Stage::Type, message).with_note(
                "bind a slot: [\"let\", NAME, [\"task.scope.async_let_bytes_v1\", CALL]], or use task.scope.start_soon_v1",
            );
            self.report(init, problem);
        }
    }

    /// The one argument of a form that starts a task.
    fn started_task(&mut self, node: NodeId, head: &str, args: &[NodeId], code: Code) -> Option<NodeId> {
        let &[call] = args else {
            self.wrong_count(node, head, 1, args.len());
            self.arguments(args);
            return None;
        };
        if !self.is_task_call(call) {
            let message = format!("{} takes the call of an async function", code_and(code, head));
            let problem = Problem::error(code, Stage::Type, message).with_data("head", head).with_note(format!(
                "write [\"{head}\", [FUNCTION, ARGUMENT, …]] with a function declared as `defasync`"
            ));
            self.report(call, problem);
            self.arguments(args);
            return None;
        }
        Some(call)
    }

    /// `["task.scope.start_soon_v1", call]`.
    fn start_soon(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Value {
        self.check_scope(node, head, Code::X07eScope001);
        let Some(call) = self.started_task(node, head, args, Code::X07eScope002) else {
            return Value::new(Expr::I32(0), Ty::I32);
        };
        let mut ready = self.operands(head, &[call], &[I], false);
        let diverges = ready.diverges;
        let operands = std::mem::take(&mut ready.args);
        let expr = self.op(Op::Task(TaskOp::ScopeStart), operands, node);
        let expr = self.finish(ready, expr);
        Value { diverges, ..Value::new(expr, Ty::I32) }
    }

    /// `["task.scope.async_let_bytes_v1", call]` and its like.
    fn async_let(&mut self, node: NodeId, head: &str, args: &[NodeId], want: Want, kind: i32) -> Value {
        self.check_scope(node, head, Code::X07eScopeSlot001);
        let Some(call) = self.started_task(node, head, args, Code::X07eScopeSlot003) else {
            return Value::new(Expr::I32(0), Ty::Slot);
        };
        let mut ready = self.operands(head, &[call], &[want], false);
        let diverges = ready.diverges;
        let mut operands = std::mem::take(&mut ready.args);
        operands.push(Expr::I32(kind));
        let expr = self.op(Op::Task(TaskOp::ScopeLet), operands, node);
        let expr = self.finish(ready, expr);
        Value { diverges, ..Value::new(expr, Ty::Slot) }
    }

    /// `["task.scope_v1", ["task.scope.cfg_v1", …], body]`.
    fn scope_form(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Value {
        self.allows_waiting(node, head);
        let &[config, body] = args else {
            self.wrong_count(node, head, 2, args.len());
            return Value::poison();
        };
        let limits = self.task_settings(config, "task.scope.cfg_v1", &SCOPE_LIMITS, None).numbers;
        self.scopes.push(OpenScope::Tasks);
        let value = self.scoped_value(body);
        self.scopes.pop();
        let operands = limits.into_iter().map(Expr::I32).collect();
        let enter = Expr::Discard(Box::new(self.op(Op::Task(TaskOp::ScopeEnter), operands, node)));
        if value.ty == Ty::Never {
            return Value { expr: block(vec![enter], Some(value.expr), Vec::new()), ..value };
        }
        if let Some((code, what)) = scope_bound(value.ty) {
            let message = format!("{}: {what} cannot be the value of its scope", code.as_str());
            let problem = Problem::error(code, Stage::Type, message)
                .with_note("take its result inside the scope, and yield that");
            self.report(body, problem);
            return Value { diverges: value.diverges, ..Value::poison() };
        }
        let local = self.slots.take(value.ty);
        let body = vec![enter, store(local, value.expr), self.end_task_scope(node)];
        let result = self.stored(local);
        self.slots.give_back(local);
        Value { expr: block(body, Some(result), Vec::new()), ..value }
    }

    /// `["task.scope.select_v1", config, cases]`, or the form that does not wait.
    fn select_form(&mut self, node: NodeId, head: &str, args: &[NodeId], wait: bool) -> Value {
        self.check_scope(node, head, Code::X07eScope001);
        let result = if wait { Ty::Event } else { Ty::OptionEvent };
        let &[config, cases] = args else {
            self.wrong_count(node, head, 2, args.len());
            return Value::new(Expr::I32(0), result);
        };
        let settings = self.task_settings(config, "task.scope.select.cfg_v1", &SELECT_LIMITS, Some("policy"));
        let &[most, sleep, polls, timeout] = settings.numbers.as_slice() else { return Value::poison() };
        let cases = self.select_cases(cases);
        if most >= 0 && i64::try_from(cases.len()).is_ok_and(|count| count > i64::from(most)) {
            let message = format!("X07E_SELECT_TOO_MANY_CASES: {} cases, `max_cases` is {most}", cases.len());
            let problem = Problem::error(Code::X07eSelectTooManyCases, Stage::Type, message)
                .with_data("cases", cases.len())
                .with_data("max_cases", most);
            self.report(node, problem);
        }
        let nodes: Vec<NodeId> = cases.iter().map(|&(_, source)| source).collect();
        let wants: Vec<Want> = cases.iter().map(|&(kind, source)| self.source_want(kind, source)).collect();
        // All sources are known before the select begins: to find them may take another one.
        let mut ready = self.settled_operands(head, &nodes, &wants);
        let diverges = ready.diverges;
        let sources = std::mem::take(&mut ready.args);
        let begin = [i32::from(settings.round_robin), sleep, polls, timeout].map(Expr::I32).to_vec();
        let begin = self.op(Op::Task(TaskOp::SelectBegin), begin, node);
        let mut body = vec![Expr::Discard(Box::new(begin))];
        for (&(kind, at), source) in cases.iter().zip(sources) {
            let case = self.op(Op::Task(TaskOp::SelectCase), vec![Expr::I32(kind), source], at);
            body.push(Expr::Discard(Box::new(case)));
        }
        let event = if wait {
            self.wait_expr(WaitOp::Select, Vec::new(), node)
        } else {
            self.op(Op::Task(TaskOp::SelectTry), Vec::new(), node)
        };
        let expr = self.finish(ready, block(body, Some(event), Vec::new()));
        Value { diverges, ..Value::new(expr, result) }
    }

    /// What the source of a case must be; a number may stand for a slot that is none.
    fn source_want(&self, kind: i32, source: NodeId) -> Want {
        if kind == KIND_SLOT && self.tree.kind(source) != Kind::Number { SLOT } else { I }
    }

    /// The cases of a select: kind and source of each.
    fn select_cases(&mut self, node: NodeId) -> Vec<(i32, NodeId)> {
        let mut cases = Vec::new();
        let Some(list) = self.split(node).filter(|(head, _)| head == "task.scope.select.cases_v1") else {
            self.malformed_task_form(
                node,
                "the cases of a select are written [\"task.scope.select.cases_v1\", CASE, …]",
            );
            return cases;
        };
        for case in list.1 {
            let kind = self.split(case).and_then(|(head, args)| match (&*head, args.as_slice()) {
                ("task.scope.select.case_slot_bytes_v1", &[source]) => Some((KIND_SLOT, source)),
                ("task.scope.select.case_chan_recv_bytes_v1", &[source]) => Some((KIND_CHANNEL, source)),
                _ => None,
            });
            match kind {
                Some(case) => cases.push(case),
                None => self.malformed_task_form(
                    case,
                    "a case of a select is [\"task.scope.select.case_slot_bytes_v1\", SLOT] or [\"task.scope.select.case_chan_recv_bytes_v1\", CHANNEL]",
                ),
            }
        }
        cases
    }

    /// Reads a list of settings: pairs of a name and a number, and one of a name and a policy if
    /// there is one.
    fn task_settings(&mut self, node: NodeId, head: &str, known: &[(&str, i32)], policy: Option<&str>) -> Settings {
        let mut settings =
            Settings { numbers: known.iter().map(|(_, default)| *default).collect(), round_robin: false };
        let Some(list) = self.split(node).filter(|(found, _)| found == head) else {
            self.malformed_task_form(node, &format!("the settings are written [\"{head}\", [NAME, VALUE], …]"));
            return settings;
        };
        let mut seen: Vec<String> = Vec::new();
        for pair in list.1 {
            let Some((name, value)) = self.split(pair).and_then(|(name, values)| match values.as_slice() {
                &[value] => Some((name.into_owned(), value)),
                _ => None,
            }) else {
                self.malformed_task_form(pair, "a setting is a list of a name and a value");
                continue;
            };
            let place = known.iter().position(|(known, _)| *known == name);
            if place.is_none() && policy != Some(name.as_str()) {
                let mut names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                names.extend(policy);
                let shown = module::shorten(&name).into_owned();
                self.malformed_task_form(
                    pair,
                    &format!("there is no setting `{shown}`; there are {}", names.join(", ")),
                );
                continue;
            }
            if seen.contains(&name) {
                self.malformed_task_form(pair, &format!("the setting `{name}` stands twice in the list"));
                continue;
            }
            match place {
                Some(place) => match self.integer(value) {
                    Some(number) if number >= 0 => {
                        if let Some(slot) = settings.numbers.get_mut(place) {
                            *slot = number;
                        }
                    }
                    _ => self
                        .malformed_task_form(value, &format!("the setting `{name}` is a number that is not negative")),
                },
                None => match self.tree.string(value).as_deref() {
                    Some("priority_v1") => settings.round_robin = false,
                    Some("rr_v1") => settings.round_robin = true,
                    _ => self
                        .malformed_task_form(value, &format!("the setting `{name}` is \"priority_v1\" or \"rr_v1\"")),
                },
            }
            seen.push(name);
        }
        for (name, default) in known {
            if *default < 0 && !seen.iter().any(|seen| seen == name) {
                self.malformed_task_form(node, &format!("the setting `{name}` is missing"));
            }
        }
        settings
    }

    fn malformed_task_form(&mut self, node: NodeId, message: &str) {
        self.report(node, Problem::error(Code::X07Ast0001, Stage::Lint, message.to_owned()));
    }
}

/// Settings that were read.
struct Settings {
    /// In the order of the known names.
    numbers: Vec<i32>,
    round_robin: bool,
}

/// A code and a head for the beginning of a message.
fn code_and(code: Code, head: &str) -> String {
    format!("{}: {head}", code.as_str())
}

/// Why a value of this type cannot leave its scope.
fn scope_bound(ty: Ty) -> Option<(Code, &'static str)> {
    match ty {
        Ty::Slot => Some((Code::X07eScopeSlot004, "a task slot")),
        Ty::Event | Ty::OptionEvent => Some((Code::X07eSelectEvtEscapesScope, "a select event")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_sorted_and_typed() {
        assert!(OPERATIONS.is_sorted_by_key(|(name, _)| *name) && FORMS.is_sorted());
        for (name, operation) in &OPERATIONS {
            let params = match operation.shape {
                Shape::Wait(op) => op.params(),
                Shape::Plain(op) => op.params(),
            };
            assert_eq!(params.len(), operation.wants.len(), "{name}");
            for (want, param) in operation.wants.iter().zip(params) {
                let ty = want.ty();
                assert!(ty == *param || converts(*param, ty), "{name}");
            }
        }
    }
}
