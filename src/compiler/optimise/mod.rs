//! Passes over the checked program that make its module smaller and faster.
//!
//! A pass never changes what a program does: not its output, not whether and where it traps. An
//! operation that may trap is removed only when it cannot run or cannot trap; an allocation that
//! nobody sees may go away. All passes are deterministic and linear but for logarithms: what they
//! add is bounded by a constant for each node, and questions about expressions have budgets.
//!
//! A program that limits fuel only loses what it never uses. Only plain functions change. The bodies of async functions keep the form that waits need, and
//! what they call is not put into them.
//!
//! | module | job |
//! |---|---|
//! | this one | the order of the passes |
//! | `look` | questions about expressions that several passes ask |
//! | `fold` | constants, algebra, blocks within blocks |
//! | `words` | four byte stores that make up a word |
//! | `inline` | small functions into their callers |
//! | `returns` | early returns into choices, so that a function can be inlined |
//! | `bounds` | checks of indices that cannot fail |
//! | `numbers` | the values that `bounds` reasons about |
//! | `prune` | functions, literals and locals that nothing uses |

mod bounds;
mod fold;
mod inline;
mod look;
mod numbers;
mod prune;
mod returns;
mod words;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

use super::ir::{Expr, FunctionKind, Op, Program};

/// Improves a program that passed the checker.
pub fn optimise(program: &mut Program) {
    // Fuel is counted in expressions, so where it is limited, none may come or go.
    let limits_fuel = |node: &Expr| matches!(node, Expr::Op { op: Op::FuelEnter, .. });
    if program.functions.iter().any(|function| look::any(&function.body, limits_fuel)) {
        prune::program(program);
        return;
    }
    for function in &mut program.functions {
        if function.kind == FunctionKind::Plain {
            fold::function(function);
            words::function(function);
        }
    }
    inline::program(program);
    let lengths: Vec<usize> = program.data.iter().map(Vec::len).collect();
    for function in &mut program.functions {
        if function.kind == FunctionKind::Plain {
            fold::function(function);
            words::function(function);
            bounds::function(function, &lengths);
            fold::function(function);
        }
    }
    prune::program(program);
}
