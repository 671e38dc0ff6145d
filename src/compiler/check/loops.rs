//! `for` and `while`.
//!
//! The body of a loop is checked once. What the second round could see and the first did not, a
//! view that points into a value which the body replaced, is found from the order of what happens
//! in the body (`Event`).

use std::collections::BTreeMap;
use std::rc::Rc;

use x07_wasm_contracts::diagnostics::{Code, Severity, Stage};

use super::function::{Checker, Statement, Value, block};
use super::vars::{Moved, NewVar, Root, Roots, State, VarId, union};
use crate::compiler::ir::{Expr, Local, Ty};
use crate::compiler::problem::Problem;
use crate::compiler::types::Brand;
use crate::contract::json::tree::NodeId;

/// Something that happens to a variable in a loop.
#[derive(Clone, Copy)]
pub(super) enum Event {
    /// A view or copy variable is read.
    Read(VarId),
    /// A variable is assigned.
    Assign {
        /// The variable.
        var: VarId,
        /// Whether every round of the loop does it.
        always: bool,
    },
    /// An owned variable's value is moved, replaced or changed.
    Modify {
        /// The variable.
        owner: VarId,
        /// Where.
        at: NodeId,
    },
}

/// A loop that is being checked.
pub(super) struct LoopFrame {
    /// What happened so far, in order.
    pub(super) events: Vec<Event>,
    /// How many conditional parts enclose the loop's own parts.
    pub(super) branches: usize,
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
        let mark = self.enter_loop();
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
                self.note_assignment(id);
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
        let mark = self.enter_loop();
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

    fn enter_loop(&mut self) -> usize {
        self.branches += 1;
        self.loops.push(LoopFrame { events: Vec::new(), branches: self.branches });
        self.vars.mark()
    }

    fn leave_loop(&mut self, mark: usize, diverges: bool) {
        self.branches = self.branches.saturating_sub(1);
        let events = self.loops.pop().map_or_else(Vec::new, |frame| frame.events);
        let ends = self.vars.rollback(mark);
        if !diverges {
            self.check_next_round(&events, &ends);
            for (id, end) in ends {
                self.after_loop(id, &end);
            }
        }
        // For the enclosing loop, what this one does may not happen at all.
        if let Some(outer) = self.loops.last_mut() {
            outer.events.extend(events.into_iter().map(|event| match event {
                Event::Assign { var, .. } => Event::Assign { var, always: false },
                Event::Read(_) | Event::Modify { .. } => event,
            }));
        }
    }

    /// Joins a variable's states before the loop and at the end of its body.
    fn after_loop(&mut self, id: VarId, end: &State) {
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
        self.vars.set_state(id, State { moved, roots: union(&before.roots, &end.roots) });
    }

    /// Finds views that the next round would read after the body replaced what they point into.
    fn check_next_round(&mut self, events: &[Event], ends: &BTreeMap<VarId, State>) {
        for (&view, end) in ends {
            let before = self.vars.get(view).state().roots.clone();
            for root in &end.roots {
                let Root::Owner(owner) = *root else { continue };
                if before.contains(root) {
                    continue;
                }
                if let Some(at) = stale_read(events, view, owner) {
                    let name = self.name_of(owner);
                    let view = self.name_of(view);
                    let message = format!(
                        "set while borrowed: in the next round of the loop {view} still points into {name}, which is replaced here"
                    );
                    let problem = Problem::error(Code::X07Move0902, Stage::Type, message)
                        .with_note("assign the view before it is read, or bind it inside the loop");
                    self.report(at, problem);
                }
            }
        }
    }
}

/// Where `owner` is modified before `view`, pointing into it since the last round, is read.
fn stale_read(events: &[Event], view: VarId, owner: VarId) -> Option<NodeId> {
    let mut modified = None;
    for event in events {
        match *event {
            Event::Assign { var, always: true } if var == view => return None,
            Event::Modify { owner: changed, at } if changed == owner => modified = modified.or(Some(at)),
            Event::Read(var) if var == view && modified.is_some() => return modified,
            _ => {}
        }
    }
    None
}
