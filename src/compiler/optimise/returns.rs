//! Early returns as choices: `if c { return a } …; b` becomes `if c { a } else { …; b }`, so that
//! the function leaves only at its end and can be inlined.
//!
//! Only returns in the last position of a branch go away; those in loops and in operands stay.

use super::look::{self, deep, take};
use crate::compiler::ir::{Expr, Function, Ty};

/// Rewrites a function's body.
pub(super) fn function(function: &mut Function) {
    tail(&mut function.body, function.result);
}

/// Rewrites an expression whose value is the function's result.
fn tail(expr: &mut Expr, result: Ty) {
    deep(|| match expr {
        Expr::Return { value, cleanup } => {
            let value = take(value);
            let cleanup = std::mem::take(cleanup);
            *expr = if cleanup.is_empty() {
                value
            } else {
                Expr::Block { body: Vec::new(), value: Some(Box::new(value)), cleanup }
            };
        }
        Expr::If { then, otherwise, ty, .. } => {
            tail(then, result);
            tail(otherwise, result);
            *ty = result;
        }
        Expr::Switch { arms, ty, .. } => {
            for arm in arms {
                tail(arm, result);
            }
            *ty = result;
        }
        // A return skips the block's clean-up and does its own. Dropping a local twice does no harm.
        Expr::Block { body, value, cleanup } if cleanup.iter().all(|part| matches!(part, Expr::Drop(_))) => {
            split(body, value, cleanup, result);
            if let Some(value) = value {
                tail(value, result);
            }
        }
        _ => {}
    });
}

/// Moves what follows a choice with one leaving branch into the other branch.
fn split(body: &mut Vec<Expr>, value: &mut Option<Box<Expr>>, cleanup: &mut Vec<Expr>, result: Ty) {
    let Some(at) = body.iter().position(|part| look::any(part, |node| matches!(node, Expr::Return { .. }))) else {
        return;
    };
    match &body[at] {
        Expr::Return { .. } => {
            body.truncate(at + 1);
            *value = body.pop().map(Box::new);
            cleanup.clear();
        }
        Expr::If { cond, then, otherwise, .. } => {
            if look::any(cond, |node| matches!(node, Expr::Return { .. })) {
                return;
            }
            let (then_leaves, otherwise_leaves) = (leaves(then), leaves(otherwise));
            if !then_leaves && !otherwise_leaves {
                return;
            }
            let rest = body.split_off(at + 1);
            let Some(Expr::If { cond, then, otherwise, .. }) = body.pop() else { return };
            let after = Continuation { rest, value: value.take(), cleanup: std::mem::take(cleanup) };
            let (then, otherwise) = if then_leaves {
                let otherwise = if otherwise_leaves { otherwise } else { after.behind(*otherwise) };
                (then, otherwise)
            } else {
                (after.behind(*then), otherwise)
            };
            *value = Some(Box::new(Expr::If { cond, then, otherwise, ty: result }));
        }
        _ => {}
    }
}

/// What a block does after a statement.
struct Continuation {
    rest: Vec<Expr>,
    value: Option<Box<Expr>>,
    cleanup: Vec<Expr>,
}

impl Continuation {
    fn behind(self, statement: Expr) -> Box<Expr> {
        let mut body = Vec::with_capacity(self.rest.len() + 1);
        if !look::is_nothing(&statement) {
            body.push(statement);
        }
        body.extend(self.rest);
        Box::new(Expr::Block { body, value: self.value, cleanup: self.cleanup })
    }
}

/// Whether a branch certainly ends with a return or trap that stands last in it.
fn leaves(expr: &Expr) -> bool {
    deep(|| match expr {
        Expr::Return { .. } | Expr::Trap { .. } => true,
        Expr::Block { body, value, .. } => match value {
            Some(value) => leaves(value),
            None => body.last().is_some_and(leaves),
        },
        Expr::If { then, otherwise, .. } => leaves(then) && leaves(otherwise),
        _ => false,
    })
}
