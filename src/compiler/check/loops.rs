//! `for` and `while`.
//!
//! The body of a loop is checked once. What the second round could see and the first did not is a
//! view that an earlier round left: in the body, a view variable that the body assigns also points
//! into "what it points into at the end of a round" ([`Root::Carried`]), and so does every copy of
//! it. Where an owner gets another value, such views are marked ([`Stale`]); the end of the loop
//! tells what the carried views are, and with that which uses of marked ones are wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use x07_wasm_contracts::diagnostics::{Code, Severity, Stage};

use super::function::{Checker, Statement, Value, block};
use super::vars::{LoopId, Moved, NewVar, Root, Roots, Stale, State, VarId, union};
use crate::compiler::ir::{Expr, Local, Ty};
use crate::compiler::problem::Problem;
use crate::compiler::types::Brand;
use crate::contract::json::tree::{Kind, NodeId};

/// Most loops within one another: engines need time with the cube of their number.
const MOST_LOOPS: usize = 256;

/// A loop that is being checked.
pub(super) struct LoopFrame {
    id: LoopId,
    /// Uses of views that are wrong if these views are of no use.
    used: Vec<Stale>,
    /// Returned views that point into what this variable does at the end of a round.
    returned: Vec<(VarId, NodeId)>,
}

impl Checker<'_, '_> {
    /// `["for", i, start, end, body]`.
    pub(super) fn for_loop(&mut self, node: NodeId, args: &[NodeId]) -> Statement {
        let &[name_node, start, end, body] = args else {
            self.wrong_arity(node, Code::X07ArityFor0001, "for", "[\"for\", NAME, START, END, BODY]");
            return self.arguments(args);
        };
        let start_value = self.value(start);
        self.expect_i32(&start_value, start, "the first bound of `for`");
        let local = self.counter(name_node);
        let end_value = self.value(end);
        self.expect_i32(&end_value, end, "the second bound of `for`");
        let mark = self.enter_loop(node, &[body]);
        let body_statement = self.scoped_statement(body);
        self.leave_loop(mark, body_statement.diverges);
        let diverges = start_value.diverges || end_value.diverges;
        let expr = Expr::For {
            var: local,
            start: Box::new(start_value.expr),
            end: Box::new(end_value.expr),
            body: Box::new(body_statement.expr),
        };
        Statement { expr, diverges }
    }

    /// The slot of a loop's counter: that of the `i32` variable of this name, or of a new one.
    fn counter(&mut self, name_node: NodeId) -> Local {
        let Some(name) = self.tree.string(name_node) else {
            let message = "the first argument of `for` is the name of its variable".to_owned();
            self.report(name_node, Problem::error(Code::X07For0001, Stage::Lint, message));
            return self.slots.take(Ty::I32);
        };
        if let Some(id) = self.vars.lookup(&name) {
            let var = self.vars.get(id);
            let (ty, local) = (var.ty, var.local);
            if ty == Ty::I32 {
                return local;
            }
        }
        if self.vars.is_declared_here(&name) {
            self.duplicate_binding(name_node, &name);
        }
        let local = self.slots.take(Ty::I32);
        let var = NewVar { name: Some(Rc::from(&*name)), ty: Ty::I32, brand: Brand::None, local, declared: name_node };
        self.vars.declare(var, Roots::new(), self.loops.len());
        local
    }

    /// `["while", condition, body]`.
    pub(super) fn while_loop(&mut self, node: NodeId, args: &[NodeId]) -> Statement {
        let &[cond, body] = args else {
            self.wrong_arity(node, Code::X07ArityWhile0001, "while", "[\"while\", CONDITION, BODY]");
            return self.arguments(args);
        };
        let mark = self.enter_loop(node, &[cond, body]);
        let cond_value = self.scoped_value(cond);
        self.expect_i32(&cond_value, cond, "the condition of `while`");
        let body_statement = self.scoped_statement(body);
        self.leave_loop(mark, body_statement.diverges);
        let expr = Expr::While { cond: Box::new(cond_value.expr), body: Box::new(body_statement.expr) };
        Statement { expr, diverges: cond_value.diverges }
    }

    /// A loop as a value: the number 0.
    pub(super) fn loop_value(statement: Statement) -> Value {
        let expr = block(vec![statement.expr], Some(Expr::I32(0)), Vec::new());
        Value { diverges: statement.diverges, ..Value::new(expr, Ty::I32) }
    }

    /// Starts a loop with these parts, which every round runs.
    fn enter_loop(&mut self, node: NodeId, parts: &[NodeId]) -> usize {
        let id = LoopId(self.loops_so_far);
        self.loops_so_far += 1;
        if self.loops.len() == MOST_LOOPS {
            let message = format!("more than {MOST_LOOPS} loops within one another; move inner ones into a function");
            self.report(node, Problem::error(Code::X07cLimitExceeded, Stage::Lower, message));
        }
        self.loops.push(LoopFrame { id, used: Vec::new(), returned: Vec::new() });
        let mark = self.vars.mark();
        let assigned: BTreeSet<VarId> =
            self.assigned_names(parts).iter().filter_map(|name| self.vars.lookup(name)).collect();
        for view in assigned {
            let var = self.vars.get(view);
            if var.ty.is_borrowed() {
                let mut state = var.state().clone();
                state.roots = union(&state.roots, &[Root::Carried(view, id)]);
                self.vars.set_state(view, state);
            }
        }
        mark
    }

    /// The names that these expressions assign.
    fn assigned_names(&self, parts: &[NodeId]) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut work = parts.to_vec();
        while let Some(node) = work.pop() {
            if self.tree.kind(node) != Kind::Array || !self.facts.writes.contains(&node) {
                continue;
            }
            let mut children = self.tree.children(node);
            let head = children.next().and_then(|head| self.tree.string(head));
            if matches!(head.as_deref(), Some("set" | "set0"))
                && let Some(name) = self.tree.children(node).nth(1).and_then(|name| self.tree.string(name))
            {
                names.insert(name.into_owned());
            }
            work.extend(children);
        }
        names
    }

    fn leave_loop(&mut self, mark: usize, diverges: bool) {
        let Some(frame) = self.loops.pop() else { return };
        let ends = self.vars.rollback(mark);
        if diverges {
            return;
        }
        let left_stale = ends.values().flat_map(|end| &end.stale).filter(|stale| stale.of == frame.id);
        let wrong: BTreeSet<Stale> = frame.used.iter().chain(left_stale).copied().collect();
        let mut reported = BTreeSet::new();
        for stale in wrong {
            for root in carried_roots(stale.view, frame.id, &ends) {
                match root {
                    Root::Owner(owner) if owner == stale.owner => {
                        if reported.insert((stale.owner, stale.at)) {
                            self.replaced_while_carried(stale);
                        }
                    }
                    Root::Carried(view, of) => self.used_stale(Stale { view, of, ..stale }),
                    Root::Owner(_) | Root::Param(_) => {}
                }
            }
        }
        for (view, node) in frame.returned {
            let roots = carried_roots(view, frame.id, &ends);
            self.returned_roots(&roots, node);
        }
        for (&id, end) in &ends {
            self.after_loop(id, end, frame.id, &ends);
        }
    }

    /// Notes the use of a view that is of no use if it was carried from an earlier round.
    pub(super) fn used_stale(&mut self, stale: Stale) {
        if let Some(frame) = self.loops.iter_mut().find(|frame| frame.id == stale.of) {
            frame.used.push(stale);
        }
    }

    /// Notes that a view is returned which was carried from an earlier round.
    pub(super) fn returned_carried(&mut self, view: VarId, of: LoopId, node: NodeId) {
        if let Some(frame) = self.loops.iter_mut().find(|frame| frame.id == of) {
            frame.returned.push((view, node));
        }
    }

    fn replaced_while_carried(&mut self, stale: Stale) {
        let owner = self.name_of(stale.owner);
        let view = self.name_of(stale.view);
        let message = format!(
            "set while borrowed: a view that {view} carries from one round of the loop to the next points into {owner}, which gets another value here"
        );
        let problem = Problem::error(Code::X07Move0902, Stage::Type, message)
            .with_note("assign the view again before anything reads it or copies of it, or bind it inside the loop")
            .with_data("borrowed_by", view);
        self.report(stale.at, problem);
    }

    /// Joins a variable's states before the loop and at the end of its body.
    fn after_loop(&mut self, id: VarId, end: &State, of: LoopId, ends: &BTreeMap<VarId, State>) {
        let before = self.vars.get(id).state().clone();
        if let (None, Some(moved)) = (before.moved, end.moved) {
            let name = self.name_of(id);
            let message =
                format!("{name} is moved in a loop and not assigned again: it is empty from the second round on");
            let mut problem = Problem::error(Code::X07cMoveInLoop, Stage::Type, message)
                .with_note("copy what the body needs, or assign the variable again in the body");
            problem.severity = Severity::Warning;
            self.report(moved.at, problem);
        }
        // A variable that the body assigns counts as assigned: at worst it is empty.
        let moved = end.moved.map(|moved| Moved { definite: false, ..moved });
        let mut roots = before.roots;
        for root in &end.roots {
            roots = match *root {
                Root::Carried(view, inner) if inner == of => union(&roots, &carried_roots(view, of, ends)),
                root => union(&roots, &[root]),
            };
        }
        let mut stale = before.stale;
        stale.extend(end.stale.iter().filter(|stale| stale.of != of));
        stale.sort_unstable();
        stale.dedup();
        self.vars.set_state(id, State { moved, roots, stale });
    }
}

/// What a view variable points into at the end of a round, given the states at that point.
fn carried_roots(view: VarId, of: LoopId, ends: &BTreeMap<VarId, State>) -> Roots {
    let mut roots = Roots::new();
    let mut seen = BTreeSet::from([view]);
    let mut work = vec![view];
    while let Some(view) = work.pop() {
        for root in ends.get(&view).map_or(&[][..], |end| &end.roots) {
            match *root {
                Root::Carried(other, inner) if inner == of => {
                    if seen.insert(other) {
                        work.push(other);
                    }
                }
                root => roots.push(root),
            }
        }
    }
    roots.sort_unstable();
    roots.dedup();
    roots
}
