//! Budget scopes: limits on what their body uses, checked when it ends, and fuel, which ends the
//! program at once.

use x07_wasm_contracts::diagnostics::{Code, Stage};
use x07_wasm_contracts::types::{BudgetProfile, BudgetProfileMode};

use super::exits::{OpenScope, store};
use super::function::{Checker, Value, block, nothing};
use crate::compiler::ir::{Counter, Expr, Local, Op, Trap, Ty};
use crate::compiler::module;
use crate::compiler::problem::Problem;
use crate::compiler::source::{ModuleSource, SourceError};
use crate::compiler::types;
use crate::contract::json::tree::NodeId;
use crate::contract::load;

/// The error code of the first counter that is over its limit; the others follow in order.
const FIRST_ERROR: i32 = 0x8000_0001_u32.cast_signed();

/// How many expressions the check of a limit has.
const SIZE_OF_CHECK: usize = 8;

/// What happens when a limit is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The program ends.
    Trap,
    /// The scope's value becomes an error.
    ResultErr,
    /// Nothing.
    StatsOnly,
    /// Too many ticks: the task yields once; other limits as [`Mode::Trap`].
    Yield,
}

/// What a budget scope allows.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    mode: Mode,
    /// Limits of counters, none of them 0, in the order in which they are checked.
    limits: Vec<(Counter, i32)>,
    fuel: Option<i32>,
}

/// An open budget scope.
#[derive(Clone, Debug)]
pub(super) struct BudgetScope {
    budget: Budget,
    /// For each limit, what the counter was at the start.
    starts: Vec<Local>,
    /// The fuel that was left at the start.
    fuel: Option<Local>,
    node: NodeId,
}

impl Checker<'_, '_> {
    /// `budget.…`; `None` for other heads.
    pub(super) fn budget_form(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Option<Value> {
        match head {
            "budget.scope_v1" => {
                let &[config, body] = args else {
                    self.wrong_arity(
                        node,
                        Code::X07Arity0000,
                        head,
                        "[\"budget.scope_v1\", [\"budget.cfg_v1\", …], BODY]",
                    );
                    return Some(Value::poison());
                };
                let budget = self.budget_config(config);
                Some(self.budget_scope(node, head, budget, body))
            }
            "budget.scope_from_arch_v1" => {
                let &[id, body] = args else {
                    let form = "[\"budget.scope_from_arch_v1\", [\"bytes.lit\", ID], BODY]";
                    self.wrong_arity(node, Code::X07Arity0000, head, form);
                    return Some(Value::poison());
                };
                let budget = self.budget_profile(id);
                Some(self.budget_scope(node, head, budget, body))
            }
            _ => None,
        }
    }

    fn budget_scope(&mut self, node: NodeId, head: &str, budget: Option<Budget>, body: NodeId) -> Value {
        let Some(budget) = budget else {
            self.arguments(&[body]);
            return Value::poison();
        };
        if budget.mode == Mode::Yield && !self.allows_waiting(node, head) {
            self.arguments(&[body]);
            return Value::poison();
        }
        self.vars.open();
        let mut before = Vec::new();
        let mut starts = Vec::with_capacity(budget.limits.len());
        for &(counter, _) in &budget.limits {
            let local = self.slots.take(Ty::I32);
            let now = self.op(Op::Counter(counter), Vec::new(), node);
            let read = store(local, now);
            // Reading the clock may make the scheduler, which must not count.
            if counter == Counter::SchedTicks {
                before.insert(0, read);
            } else {
                before.push(read);
            }
            starts.push(local);
        }
        let fuel = budget.fuel.map(|limit| {
            let local = self.slots.take(Ty::F64);
            let left = self.op(Op::FuelEnter, vec![Expr::I32(limit)], node);
            before.push(store(local, left));
            local
        });
        let scope = BudgetScope { budget, starts, fuel, node };
        self.scopes.push(OpenScope::Budget(scope.clone()));
        let mut value = self.value(body);
        self.scopes.pop();
        self.check_budget_value(&scope, body, &value);
        let drops = self.close_scope(node, Some(&mut value));
        let inner = std::mem::replace(&mut value.expr, Expr::I32(0));
        value.expr = if value.ty == Ty::Never {
            block(before, Some(inner), drops)
        } else {
            let local = self.slots.take(value.ty);
            before.push(store(local, inner));
            before.extend(drops);
            before.extend(self.end_budget(&scope, Some((value.ty, local)), node));
            let result = self.stored(local);
            self.slots.give_back(local);
            block(before, Some(result), Vec::new())
        };
        for local in scope.starts.into_iter().chain(scope.fuel) {
            self.slots.give_back(local);
        }
        value
    }

    fn check_budget_value(&mut self, scope: &BudgetScope, body: NodeId, value: &Value) {
        if scope.budget.mode != Mode::ResultErr {
            return;
        }
        let (fits, found) = match value.ty {
            // What leaves the scope is then the function's result.
            Ty::Never => (!value.diverges || types::is_result(self.result), self.result),
            ty => (types::is_result(ty), ty),
        };
        if !fits {
            let message = format!(
                "a budget scope with the mode result_err_v1 yields a result, so that it can yield an error; found `{}`",
                types::name(found)
            );
            self.mismatch(body, message);
        }
    }

    /// What a budget scope does at its end. `value` is the type and place of what leaves the scope.
    pub(super) fn end_budget(&mut self, scope: &BudgetScope, value: Option<(Ty, Local)>, node: NodeId) -> Vec<Expr> {
        let mut body = Vec::new();
        if !self.may_copy(1 + SIZE_OF_CHECK * scope.starts.len()) {
            return body;
        }
        if let (Some(left), Some(limit)) = (scope.fuel, scope.budget.fuel) {
            body.push(self.op(Op::FuelLeave, vec![Expr::Get(left), Expr::I32(limit)], node));
        }
        if scope.budget.mode == Mode::StatsOnly {
            return body;
        }
        // The last check stands innermost: the first limit that was passed decides.
        let mut checks = nothing();
        for (&(counter, limit), &start) in scope.budget.limits.iter().zip(&scope.starts).rev() {
            let now = self.op(Op::Counter(counter), Vec::new(), node);
            let used = self.op(Op::Sub, vec![now, Expr::Get(start)], node);
            let passed = self.op(Op::GtU, vec![used, Expr::I32(limit)], node);
            let consequence = self.passed(scope, counter, value);
            checks = Expr::If {
                cond: Box::new(passed),
                then: Box::new(consequence),
                otherwise: Box::new(checks),
                ty: Ty::Unit,
            };
        }
        body.push(checks);
        body
    }

    /// What happens when a limit was passed.
    fn passed(&mut self, scope: &BudgetScope, counter: Counter, value: Option<(Ty, Local)>) -> Expr {
        if scope.budget.mode == Mode::Yield && counter == Counter::SchedTicks {
            return self.yield_once(scope.node);
        }
        if let (Mode::ResultErr, Some((ty, local))) = (scope.budget.mode, value)
            && types::is_result(ty)
        {
            let position = Counter::ALL.iter().position(|other| *other == counter).unwrap_or(0);
            let code = FIRST_ERROR.wrapping_add(i32::try_from(position).unwrap_or(0));
            let error = self.op(Op::ResultErr(ty), vec![Expr::I32(code)], scope.node);
            return Expr::Store { local, value: Box::new(error), drop_old: ty.is_owned() };
        }
        let trap = match counter {
            Counter::AllocBytes => Trap::BudgetAllocBytes,
            Counter::AllocCalls => Trap::BudgetAllocCalls,
            Counter::ReallocCalls => Trap::BudgetReallocCalls,
            Counter::MemcpyBytes => Trap::BudgetMemcpyBytes,
            Counter::SchedTicks => Trap::BudgetSchedTicks,
        };
        let site = self.site(scope.node);
        Expr::Trap { trap, site }
    }

    /// Reads `["budget.cfg_v1", [key, value], …]`.
    fn budget_config(&mut self, node: NodeId) -> Option<Budget> {
        let Some((head, pairs)) = self.split(node).filter(|(head, _)| head == "budget.cfg_v1") else {
            return self.bad_budget(node, "a budget is written [\"budget.cfg_v1\", [KEY, VALUE], …]".to_owned());
        };
        let mut reader = BudgetReader::default();
        for &pair in &pairs {
            let parts: Vec<NodeId> = self.tree.children(pair).collect();
            let key = parts.first().and_then(|&key| self.tree.string(key));
            let (Some(key), &[_, value]) = (key, parts.as_slice()) else {
                return self.bad_budget(pair, format!("`{head}` takes pairs [KEY, VALUE]"));
            };
            let text = self.tree.string(value);
            let number = self.integer(value);
            let label = self.literal_text(value);
            let given = Given { text: text.as_deref(), number, label: label.is_some() };
            if let Err(message) = reader.pair(&key, &given) {
                return self.bad_budget(pair, message);
            }
        }
        match reader.finish() {
            Ok(budget) => Some(budget),
            Err(message) => self.bad_budget(node, message),
        }
    }

    /// The budget with an id from the project's registry.
    fn budget_profile(&mut self, node: NodeId) -> Option<Budget> {
        let Some(id) = self.literal_text(node) else {
            return self.bad_budget(node, "a budget profile is named by [\"bytes.lit\", ID]".to_owned());
        };
        match self.cx.budget_profile(&id) {
            Ok(budget) => Some(budget),
            Err(message) => self.bad_budget(node, message),
        }
    }

    fn bad_budget(&mut self, node: NodeId, message: String) -> Option<Budget> {
        let problem = Problem::error(Code::X07cBudgetConfig, Stage::Type, message).with_note(
            "keys are mode (trap_v1, result_err_v1, stats_only_v1, yield_v1) and label, which are required, and alloc_bytes, \
             alloc_calls, realloc_calls, memcpy_bytes, sched_ticks, fuel, where 0 means no limit",
        );
        self.report(node, problem);
        None
    }
}

/// The value of a pair of a budget.
pub(super) struct Given<'g> {
    /// The value as a name.
    pub(super) text: Option<&'g str>,
    /// The value as a number.
    pub(super) number: Option<i32>,
    /// Whether the value is a text that can be a label.
    pub(super) label: bool,
}

/// Collects the pairs of a budget.
#[derive(Default)]
pub(super) struct BudgetReader {
    mode: Option<Mode>,
    label: bool,
    limits: [Option<i32>; Counter::ALL.len()],
    fuel: Option<i32>,
}

impl BudgetReader {
    /// Takes a pair; the error says what is wrong with it.
    pub(super) fn pair(&mut self, key: &str, given: &Given<'_>) -> Result<(), String> {
        let twice = || format!("the key `{}` stands twice", module::shorten(key));
        if key == "mode" {
            let mode = match given.text {
                Some("trap_v1") => Mode::Trap,
                Some("result_err_v1") => Mode::ResultErr,
                Some("stats_only_v1") => Mode::StatsOnly,
                Some("yield_v1") => Mode::Yield,
                _ => return Err("the mode is trap_v1, result_err_v1, stats_only_v1 or yield_v1".to_owned()),
            };
            return if self.mode.replace(mode).is_some() { Err(twice()) } else { Ok(()) };
        }
        if key == "label" {
            if !given.label {
                return Err("the label is a literal: [\"label\", [\"bytes.lit\", TEXT]]".to_owned());
            }
            return if std::mem::replace(&mut self.label, true) { Err(twice()) } else { Ok(()) };
        }
        let place = match key {
            "alloc_bytes" => self.limits.first_mut(),
            "alloc_calls" => self.limits.get_mut(1),
            "realloc_calls" => self.limits.get_mut(2),
            "memcpy_bytes" => self.limits.get_mut(3),
            "sched_ticks" => self.limits.get_mut(4),
            "fuel" => Some(&mut self.fuel),
            _ => None,
        };
        let Some(place) = place else { return Err(format!("unknown key `{}`", module::shorten(key))) };
        let Some(number) = given.number.filter(|number| *number >= 0) else {
            return Err(format!("`{key}` is a number of at least 0"));
        };
        if place.replace(number).is_some() { Err(twice()) } else { Ok(()) }
    }

    /// The budget; the error says what is missing.
    pub(super) fn finish(self) -> Result<Budget, String> {
        let Some(mode) = self.mode else { return Err("the mode is missing".to_owned()) };
        if !self.label {
            return Err("the label is missing".to_owned());
        }
        let given = Counter::ALL.into_iter().zip(self.limits);
        let limits =
            given.filter_map(|(counter, limit)| limit.filter(|limit| *limit > 0).map(|limit| (counter, limit)));
        Ok(Budget { mode, limits: limits.collect(), fuel: self.fuel.filter(|fuel| *fuel > 0) })
    }
}

/// Reads a budget profile (`x07.budget.profile@0.1.0`); the error says what is wrong.
pub(super) fn read_profile(source: &dyn ModuleSource, id: &str) -> Result<Budget, String> {
    if !module::is_symbol(id) {
        return Err(format!("{:?} is not the id of a budget profile", module::shorten(id)));
    }
    let text = match source.budget_profile(id) {
        Ok(text) => text,
        Err(error) => {
            if let (SourceError::NotFound { .. }, Some(budget)) = (&error, built_in(id)) {
                return Ok(budget);
            }
            let searched = match &error {
                SourceError::NotFound { searched } => format!(" (searched: {})", searched.join(", ")),
                _ => String::new(),
            };
            return Err(format!("the budget profile `{id}` is {error}{searched}"));
        }
    };
    let loaded = load::from_bytes::<BudgetProfile>(&text.path, text.text.as_bytes());
    let profile = loaded.map_err(|error| error.to_string())?.document;
    if profile.id.as_str() != id {
        return Err(format!("{} has the id `{}` instead of `{id}`", text.path, profile.id.as_str()));
    }
    Ok(of_profile(&profile))
}

fn of_profile(profile: &BudgetProfile) -> Budget {
    let mode = match profile.mode {
        BudgetProfileMode::TrapV1 => Mode::Trap,
        BudgetProfileMode::ResultErrV1 => Mode::ResultErr,
        BudgetProfileMode::StatsOnlyV1 => Mode::StatsOnly,
        BudgetProfileMode::YieldV1 => Mode::Yield,
    };
    let limits =
        [profile.alloc_bytes, profile.alloc_calls, profile.realloc_calls, profile.memcpy_bytes, profile.sched_ticks];
    let number = |limit: Option<u32>| limit.and_then(|limit| i32::try_from(limit).ok()).filter(|limit| *limit > 0);
    let limits = Counter::ALL.into_iter().zip(limits);
    Budget {
        mode,
        limits: limits.filter_map(|(counter, limit)| number(limit).map(|limit| (counter, limit))).collect(),
        fuel: number(profile.fuel),
    }
}

/// The limits that some ids have when the project does not say otherwise.
fn built_in(id: &str) -> Option<Budget> {
    const MIB: i32 = 1 << 20;
    let limits = match id {
        "stream_xf_plugin_v1" => vec![(Counter::AllocBytes, 16 * MIB), (Counter::MemcpyBytes, 64 * MIB)],
        "archive_extract_safe_v1" => vec![(Counter::AllocBytes, 256 * MIB), (Counter::MemcpyBytes, 512 * MIB)],
        _ => return None,
    };
    Some(Budget { mode: Mode::Trap, limits, fuel: None })
}
