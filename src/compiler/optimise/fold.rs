//! Constants, algebra on numbers, and blocks within blocks.
//!
//! Parts are simplified before the whole, so one look at each node is enough. An operand is thrown
//! away only when it is pure.

use super::look::{self, deep, is_boolean, is_nothing, is_pure, nothing, take};
use crate::compiler::ir::{Expr, Function, Local, Op, SiteId, Ty};

/// How many nodes a question about an operand may look at.
const GLANCE: u32 = 24;
/// The largest block that is taken apart into the one around it, so that the work stays linear.
const MOST_MOVED: usize = 64;
/// How many nodes may be computed in vain to avoid a jump.
const CHEAP: u32 = 7;

/// Simplifies a function.
pub(super) fn function(function: &mut Function) {
    let Function { locals, body, .. } = function;
    simplify(body, locals);
}

fn simplify(expr: &mut Expr, locals: &[Ty]) {
    deep(|| {
        expr.for_each_part_mut(|part| simplify(part, locals));
        match expr {
            Expr::Op { .. } => number(expr),
            Expr::If { .. } => choice(expr, locals),
            Expr::Switch { .. } => switch(expr),
            Expr::Block { .. } => block(expr),
            Expr::Store { .. } => store(expr),
            Expr::While { cond, .. } => {
                if matches!(**cond, Expr::I32(0)) {
                    *expr = nothing();
                }
            }
            Expr::Discard(value) if pure(value) => *expr = nothing(),
            _ => {}
        }
    });
}

fn pure(expr: &Expr) -> bool {
    let mut budget = GLANCE;
    is_pure(expr, &mut budget)
}

fn boolean(expr: &Expr) -> bool {
    let mut budget = GLANCE;
    is_boolean(expr, &mut budget)
}

/// The result of an operation on two constants.
pub(super) fn constant(op: Op, a: i32, b: i32) -> Option<i32> {
    let (x, y) = (a as u32, b as u32);
    let number = match op {
        Op::Add => a.wrapping_add(b),
        Op::Sub => a.wrapping_sub(b),
        Op::Mul => a.wrapping_mul(b),
        Op::DivU => x.checked_div(y).unwrap_or(0) as i32,
        Op::RemU => x.checked_rem(y).unwrap_or(x) as i32,
        Op::And => a & b,
        Op::Or => a | b,
        Op::Xor => a ^ b,
        Op::Shl => x.wrapping_shl(y) as i32,
        Op::ShrU => x.wrapping_shr(y) as i32,
        Op::Eq => i32::from(a == b),
        Op::Ne => i32::from(a != b),
        Op::LtS => i32::from(a < b),
        Op::LeS => i32::from(a <= b),
        Op::GtS => i32::from(a > b),
        Op::GeS => i32::from(a >= b),
        Op::LtU => i32::from(x < y),
        Op::LeU => i32::from(x <= y),
        Op::GtU => i32::from(x > y),
        Op::GeU => i32::from(x >= y),
        _ => return None,
    };
    Some(number)
}

/// The operation with its operands swapped that yields the same.
const fn mirrored(op: Op) -> Option<Op> {
    let mirrored = match op {
        Op::Add | Op::Mul | Op::And | Op::Or | Op::Xor | Op::Eq | Op::Ne => op,
        Op::LtS => Op::GtS,
        Op::LeS => Op::GeS,
        Op::GtS => Op::LtS,
        Op::GeS => Op::LeS,
        Op::LtU => Op::GtU,
        Op::LeU => Op::GeU,
        Op::GtU => Op::LtU,
        Op::GeU => Op::LeU,
        _ => return None,
    };
    Some(mirrored)
}

fn number(expr: &mut Expr) {
    let Expr::Op { op, args, .. } = expr else { return };
    let [left, right] = args.as_mut_slice() else { return };
    // A constant has no effect, so it may stand on either side.
    if matches!(left, Expr::I32(_))
        && !matches!(right, Expr::I32(_))
        && let Some(other) = mirrored(*op)
    {
        std::mem::swap(left, right);
        *op = other;
    }
    let Expr::I32(second) = *right else { return };
    if let Expr::I32(first) = *left {
        if let Some(result) = constant(*op, first, second) {
            *expr = Expr::I32(result);
        }
        return;
    }
    if *op == Op::Sub {
        *op = Op::Add;
        *right = Expr::I32(second.wrapping_neg());
    }
    join_constants(*op, left, right);
    let Expr::I32(second) = *right else { return };
    let unsigned = second as u32;
    match (*op, second) {
        (Op::Add | Op::Or | Op::Xor | Op::RemU, 0) | (Op::Mul | Op::DivU, 1) | (Op::And, -1) => {
            let left = take(left);
            *expr = left;
        }
        (Op::Shl | Op::ShrU, _) if unsigned.is_multiple_of(32) => {
            let left = take(left);
            *expr = left;
        }
        (Op::Mul | Op::And | Op::DivU, 0) | (Op::RemU, 1) if pure(left) => *expr = Expr::I32(0),
        (Op::DivU, _) if unsigned.is_power_of_two() => {
            *op = Op::ShrU;
            *right = Expr::I32(unsigned.trailing_zeros() as i32);
        }
        (Op::RemU, _) if unsigned.is_power_of_two() => {
            *op = Op::And;
            *right = Expr::I32(second.wrapping_sub(1));
        }
        (Op::Ne, 0) if boolean(left) => {
            let left = take(left);
            *expr = left;
        }
        (Op::Eq, 0) => {
            if let Expr::Op { op: inner, .. } = left
                && let Some(other) = inner.inverse()
            {
                *inner = other;
                let left = take(left);
                *expr = left;
            }
        }
        _ => {}
    }
}

/// Makes one constant of two: `(x op a) op b` is `x op (a op b)`.
fn join_constants(op: Op, left: &mut Expr, right: &mut Expr) {
    if !matches!(op, Op::Add | Op::Mul | Op::And | Op::Or | Op::Xor) {
        return;
    }
    let Expr::I32(outer) = *right else { return };
    let Expr::Op { op: inner_op, args, .. } = &mut *left else { return };
    if *inner_op != op {
        return;
    }
    let [value, Expr::I32(inner)] = args.as_mut_slice() else { return };
    let Some(both) = constant(op, *inner, outer) else { return };
    let value = take(value);
    *left = value;
    *right = Expr::I32(both);
}

fn op2(op: Op, left: Expr, right: Expr) -> Expr {
    // None of the operations that are made here can trap, so the site is never looked at.
    Expr::Op { op, args: vec![left, right], site: SiteId(0) }
}

fn choice(expr: &mut Expr, locals: &[Ty]) {
    let Expr::If { cond, then, otherwise, ty } = expr else { return };
    if let Expr::I32(number) = **cond {
        let arm = if number == 0 { take(otherwise) } else { take(then) };
        *expr = arm;
        return;
    }
    if *ty == Ty::Unit {
        if is_nothing(then) && is_nothing(otherwise) && pure(cond) {
            *expr = nothing();
            return;
        }
        if let Some((local, value)) = chosen_value(cond, then, otherwise, locals) {
            *expr = Expr::Store { local, value: Box::new(value), drop_old: false };
        }
        return;
    }
    if *ty != Ty::I32 {
        return;
    }
    let simpler = match (&**then, &**otherwise) {
        (Expr::I32(1), Expr::I32(0)) => {
            let cond = take(cond);
            if boolean(&cond) { cond } else { op2(Op::Ne, cond, Expr::I32(0)) }
        }
        (Expr::I32(0), Expr::I32(1)) => {
            let mut negated = op2(Op::Eq, take(cond), Expr::I32(0));
            number(&mut negated);
            negated
        }
        (second, Expr::I32(0)) if cheap_boolean(cond) && cheap_boolean(second) => {
            let (first, second) = (take(cond), take(then));
            within(&first, &second).unwrap_or_else(|| op2(Op::And, first, second))
        }
        (Expr::I32(1), second) if cheap_boolean(cond) && cheap_boolean(second) => {
            op2(Op::Or, take(cond), take(otherwise))
        }
        _ => return,
    };
    *expr = simpler;
}

/// Whether an expression is a truth value that costs less than a jump around it.
fn cheap_boolean(expr: &Expr) -> bool {
    let mut budget = CHEAP;
    is_pure(expr, &mut budget) && boolean(expr)
}

/// A lower or upper limit: the value, the limit (inclusive), whether it is the lower one, whether
/// the comparison is signed.
fn limit(expr: &Expr) -> Option<(&Expr, i32, bool, bool)> {
    let Expr::Op { op, args, .. } = expr else { return None };
    let [value, Expr::I32(number)] = args.as_slice() else { return None };
    let number = *number;
    match op {
        Op::GeS => Some((value, number, true, true)),
        Op::GtS => Some((value, number.checked_add(1)?, true, true)),
        Op::LeS => Some((value, number, false, true)),
        Op::LtS => Some((value, number.checked_sub(1)?, false, true)),
        Op::GeU => Some((value, number, true, false)),
        Op::LeU => Some((value, number, false, false)),
        _ => None,
    }
}

/// `low <= x && x <= high` as one unsigned comparison: `x - low <= high - low`.
fn within(first: &Expr, second: &Expr) -> Option<Expr> {
    let (value, a, a_low, a_signed) = limit(first)?;
    let (other, b, b_low, b_signed) = limit(second)?;
    let mut budget = GLANCE;
    if a_low == b_low || a_signed != b_signed || !look::same(value, other, &mut budget) {
        return None;
    }
    let (low, high) = if a_low { (a, b) } else { (b, a) };
    let ordered = if a_signed { low <= high } else { low as u32 <= high as u32 };
    if !ordered {
        return None;
    }
    let shifted = match low {
        0 => value.clone(),
        low => op2(Op::Add, value.clone(), Expr::I32(low.wrapping_neg())),
    };
    Some(op2(Op::LeU, shifted, Expr::I32(high.wrapping_sub(low))))
}

/// A choice whether to assign a number, as the assignment of a chosen number: nothing is computed
/// in vain but what is cheaper than a jump.
fn chosen_value(cond: &mut Expr, then: &mut Expr, otherwise: &mut Expr, locals: &[Ty]) -> Option<(Local, Expr)> {
    let local = match (&*then, &*otherwise) {
        (Expr::Store { local: a, value: x, .. }, Expr::Store { local: b, value: y, .. }) => {
            (a == b && cheap(x) && cheap(y)).then_some(*a)?
        }
        (Expr::Store { local, value, .. }, other) | (other, Expr::Store { local, value, .. }) => {
            (is_nothing(other) && cheap(value)).then_some(*local)?
        }
        _ => return None,
    };
    if locals.get(local.0 as usize) != Some(&Ty::I32) || !cheap(cond) {
        return None;
    }
    let value_of = |arm: &mut Expr| match arm {
        Expr::Store { value, .. } => take(value),
        _ => Expr::Get(local),
    };
    let (then, otherwise) = (value_of(then), value_of(otherwise));
    let value =
        Expr::If { cond: Box::new(take(cond)), then: Box::new(then), otherwise: Box::new(otherwise), ty: Ty::I32 };
    Some((local, value))
}

fn cheap(expr: &Expr) -> bool {
    let mut budget = CHEAP;
    is_pure(expr, &mut budget)
}

fn switch(expr: &mut Expr) {
    let Expr::Switch { value, arms, .. } = expr else { return };
    let Expr::I32(number) = **value else { return };
    let Some(last) = arms.len().checked_sub(1) else { return };
    let at = usize::try_from(number as u32).map_or(last, |at| at.min(last));
    let arm = take(&mut arms[at]);
    *expr = arm;
}

fn block(expr: &mut Expr) {
    let Expr::Block { body, value, cleanup } = expr else { return };
    if body.iter().any(|part| is_nothing(part) || is_open(part)) {
        let parts = std::mem::take(body);
        for part in parts {
            match part {
                Expr::Block { body: inner, value: None, cleanup: after } if inner.len() + after.len() <= MOST_MOVED => {
                    body.extend(inner);
                    body.extend(after);
                }
                other => body.push(other),
            }
        }
    }
    if let Some(inner) = value
        && let Expr::Block { body: inner_body, value: inner_value, cleanup: inner_cleanup } = &mut **inner
        && inner_body.len() + inner_cleanup.len() <= MOST_MOVED
        && inner_value.is_some()
    {
        body.append(inner_body);
        if !inner_cleanup.is_empty() {
            let after = std::mem::take(cleanup);
            *cleanup = std::mem::take(inner_cleanup);
            cleanup.extend(after);
        }
        let inner_value = inner_value.take();
        *value = inner_value;
    }
    if body.is_empty()
        && cleanup.is_empty()
        && let Some(inner) = value
    {
        let inner = take(inner);
        *expr = inner;
    }
}

/// Whether a statement is a block that can be taken apart.
fn is_open(expr: &Expr) -> bool {
    match expr {
        Expr::Block { body, value: None, cleanup } => body.len() + cleanup.len() <= MOST_MOVED,
        _ => false,
    }
}

fn store(expr: &mut Expr) {
    let Expr::Store { local, value, drop_old } = expr else { return };
    let (local, drop_old) = (*local, *drop_old);
    if matches!(**value, Expr::Take(source) if source == local) {
        *expr = nothing();
        return;
    }
    let Expr::Block { body, value: inner, cleanup } = &mut **value else { return };
    let mut budget = GLANCE;
    if inner.is_none() || cleanup.iter().any(|part| look::mentions(part, local, &mut budget)) {
        return;
    }
    let Some(inner) = inner.take() else { return };
    let mut body = std::mem::take(body);
    let cleanup = std::mem::take(cleanup);
    let mut assignment = Expr::Store { local, value: inner, drop_old };
    store(&mut assignment);
    if !is_nothing(&assignment) {
        body.push(assignment);
    }
    *expr = Expr::Block { body, value: None, cleanup };
}
