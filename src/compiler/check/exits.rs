//! Leaving a function: open scopes end, contracts are checked, variables are freed, in this order.

use super::budgets::BudgetScope;
use super::function::{Checker, block};
use crate::compiler::ir::{Expr, Local};
use crate::contract::json::tree::NodeId;

/// How many expressions the end of a task scope counts as: in a task it is a place to go on from.
const SIZE_OF_WAIT: usize = 16;

/// A scope that does something when it is left.
#[derive(Clone)]
pub(super) enum OpenScope {
    /// A budget scope: its limits are checked.
    Budget(BudgetScope),
    /// A task scope: its tasks are waited for.
    Tasks,
}

impl Checker<'_, '_> {
    /// Leaves the function with a value of its result type, from anywhere in its body.
    pub(super) fn leave(&mut self, value: Expr, node: NodeId) -> Expr {
        let drops = self.exit_cleanup();
        if self.scopes.is_empty() && !self.has_exit_checks() {
            return Expr::Return { value: Box::new(value), cleanup: drops };
        }
        let result = self.slots.take(self.result);
        let mut body = vec![store(result, value)];
        for scope in self.scopes.clone().iter().rev() {
            body.extend(self.end_early(scope, result, node));
        }
        body.extend(self.exit_checks(result));
        body.extend(drops);
        let result_value = self.stored(result);
        self.slots.give_back(result);
        block(body, Some(Expr::Return { value: Box::new(result_value), cleanup: Vec::new() }), Vec::new())
    }

    /// What a scope does when the function is left through it. `result` holds the function's result.
    fn end_early(&mut self, scope: &OpenScope, result: Local, node: NodeId) -> Vec<Expr> {
        match scope {
            OpenScope::Budget(budget) => self.end_budget(budget, Some((self.result, result)), node),
            OpenScope::Tasks if self.may_copy(SIZE_OF_WAIT) => vec![self.end_task_scope(node)],
            OpenScope::Tasks => Vec::new(),
        }
    }

    /// The value of a local, moved out of it if it owns something.
    pub(super) fn stored(&self, local: Local) -> Expr {
        let owned = self.slots.types().get(local.0 as usize).is_some_and(|ty| ty.is_owned());
        if owned { Expr::Take(local) } else { Expr::Get(local) }
    }
}

/// Stores a value in a local that holds nothing.
pub(super) fn store(local: Local, value: Expr) -> Expr {
    Expr::Store { local, value: Box::new(value), drop_old: false }
}
