//! Questions about expressions that several passes ask. Each has a budget of nodes to look at, and
//! answers the safe way when that is used up.

use crate::compiler::ir::{DataId, Expr, FuncId, Local, Op, SiteId};

/// Runs a step of a recursion with enough stack.
pub(super) fn deep<R>(work: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(64 * 1024, 4 * 1024 * 1024, work)
}

/// Takes an expression out of its place.
pub(super) fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::I32(0))
}

/// The statement that does nothing.
pub(super) fn nothing() -> Expr {
    Expr::Block { body: Vec::new(), value: None, cleanup: Vec::new() }
}

/// Whether the expression is an empty block.
pub(super) fn is_nothing(expr: &Expr) -> bool {
    match expr {
        Expr::Block { body, value, cleanup } => body.is_empty() && value.is_none() && cleanup.is_empty(),
        _ => false,
    }
}

/// How many nodes an expression has; stops counting at `limit`.
pub(super) fn size(expr: &Expr, limit: usize) -> usize {
    let mut count = 0;
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        count += 1;
        if count >= limit {
            return limit;
        }
        expr.for_each_part(|part| open.push(part));
    }
    count
}

/// Whether evaluating the expression may leave the function. Where that is not found within the
/// budget, it may.
pub(super) fn may_leave(expr: &Expr, budget: &mut u32) -> bool {
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        if *budget == 0 || matches!(expr, Expr::Return { .. } | Expr::Try { .. }) {
            return true;
        }
        *budget -= 1;
        expr.for_each_part(|part| open.push(part));
    }
    false
}

/// Whether any node, the expression itself included, is one that `wanted` says yes to.
pub(super) fn any(expr: &Expr, mut wanted: impl FnMut(&Expr) -> bool) -> bool {
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        if wanted(expr) {
            return true;
        }
        expr.for_each_part(|part| open.push(part));
    }
    false
}

/// Spends one node of a budget; false when there is none left.
const fn spend(budget: &mut u32) -> bool {
    if *budget == 0 {
        return false;
    }
    *budget -= 1;
    true
}

/// Whether an operation yields a number from its operands alone: it never traps, owns nothing and
/// reads no memory.
pub(super) const fn is_plain(op: Op) -> bool {
    op.is_operator() || matches!(op, Op::ViewLen | Op::WordFits)
}

/// Whether evaluating the expression has no effect and cannot trap, and its value depends on
/// nothing but locals and constants.
pub(super) fn is_pure(expr: &Expr, budget: &mut u32) -> bool {
    if !spend(budget) {
        return false;
    }
    match expr {
        Expr::I32(_) | Expr::ViewLit(_) | Expr::Input | Expr::Get(_) | Expr::ViewOf(_) => true,
        Expr::Op { op, args, .. } => is_plain(*op) && args.iter().all(|arg| is_pure(arg, budget)),
        Expr::If { cond, then, otherwise, .. } => {
            is_pure(cond, budget) && is_pure(then, budget) && is_pure(otherwise, budget)
        }
        _ => false,
    }
}

/// Whether two expressions are equal and pure.
pub(super) fn same(left: &Expr, right: &Expr, budget: &mut u32) -> bool {
    if !spend(budget) {
        return false;
    }
    match (left, right) {
        (Expr::I32(a), Expr::I32(b)) => a == b,
        (Expr::ViewLit(a), Expr::ViewLit(b)) => a == b,
        (Expr::Input, Expr::Input) => true,
        (Expr::Get(a), Expr::Get(b)) | (Expr::ViewOf(a), Expr::ViewOf(b)) => a == b,
        (Expr::Op { op: a, args: x, .. }, Expr::Op { op: b, args: y, .. }) => {
            a == b && is_plain(*a) && x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y, budget))
        }
        _ => false,
    }
}

/// Whether an expression yields nothing but 0 and 1.
pub(super) fn is_boolean(expr: &Expr, budget: &mut u32) -> bool {
    if !spend(budget) {
        return false;
    }
    match expr {
        Expr::I32(number) => matches!(number, 0 | 1),
        Expr::Op { op: Op::And | Op::Or | Op::Xor, args, .. } => args.iter().all(|arg| is_boolean(arg, budget)),
        Expr::Op { op, .. } => {
            is_comparison(*op)
                || matches!(op, Op::ViewEq | Op::OptionIsSome(_) | Op::ResultIsOk(_) | Op::DocIsErr | Op::WordFits)
        }
        Expr::If { then, otherwise, .. } => is_boolean(then, budget) && is_boolean(otherwise, budget),
        _ => false,
    }
}

/// Whether an operation compares two numbers.
pub(super) const fn is_comparison(op: Op) -> bool {
    op.inverse().is_some()
}

/// The local that an expression itself, not its parts, names.
pub(super) const fn local_of(expr: &Expr) -> Option<Local> {
    match expr {
        Expr::Get(local) | Expr::Take(local) | Expr::ViewOf(local) | Expr::Drop(local) => Some(*local),
        Expr::Store { local, .. } | Expr::InPlace { local, .. } => Some(*local),
        Expr::For { var, .. } => Some(*var),
        Expr::I32(_)
        | Expr::ViewLit(_)
        | Expr::BytesLit(..)
        | Expr::Input
        | Expr::Discard(_)
        | Expr::Block { .. }
        | Expr::If { .. }
        | Expr::Switch { .. }
        | Expr::Trap { .. }
        | Expr::While { .. }
        | Expr::Return { .. }
        | Expr::Try { .. }
        | Expr::Call { .. }
        | Expr::Spawn { .. }
        | Expr::Wait { .. }
        | Expr::Op { .. } => None,
    }
}

/// As [`local_of`], for changes.
pub(super) const fn local_of_mut(expr: &mut Expr) -> Option<&mut Local> {
    match expr {
        Expr::Get(local) | Expr::Take(local) | Expr::ViewOf(local) | Expr::Drop(local) => Some(local),
        Expr::Store { local, .. } | Expr::InPlace { local, .. } => Some(local),
        Expr::For { var, .. } => Some(var),
        Expr::I32(_)
        | Expr::ViewLit(_)
        | Expr::BytesLit(..)
        | Expr::Input
        | Expr::Discard(_)
        | Expr::Block { .. }
        | Expr::If { .. }
        | Expr::Switch { .. }
        | Expr::Trap { .. }
        | Expr::While { .. }
        | Expr::Return { .. }
        | Expr::Try { .. }
        | Expr::Call { .. }
        | Expr::Spawn { .. }
        | Expr::Wait { .. }
        | Expr::Op { .. } => None,
    }
}

/// The local that an expression itself, not its parts, may give another value.
pub(super) const fn changed_local(expr: &Expr) -> Option<Local> {
    match expr {
        Expr::Get(_) | Expr::ViewOf(_) => None,
        other => local_of(other),
    }
}

/// The function that an expression itself names.
pub(super) const fn func_of_mut(expr: &mut Expr) -> Option<&mut FuncId> {
    match expr {
        Expr::Call { func, .. } | Expr::Spawn { func, .. } => Some(func),
        Expr::Get(_)
        | Expr::Take(_)
        | Expr::ViewOf(_)
        | Expr::Drop(_)
        | Expr::Store { .. }
        | Expr::InPlace { .. }
        | Expr::For { .. }
        | Expr::I32(_)
        | Expr::ViewLit(_)
        | Expr::BytesLit(..)
        | Expr::Input
        | Expr::Discard(_)
        | Expr::Block { .. }
        | Expr::If { .. }
        | Expr::Switch { .. }
        | Expr::Trap { .. }
        | Expr::While { .. }
        | Expr::Return { .. }
        | Expr::Try { .. }
        | Expr::Wait { .. }
        | Expr::Op { .. } => None,
    }
}

/// The literal that an expression itself names.
pub(super) const fn data_of_mut(expr: &mut Expr) -> Option<&mut DataId> {
    match expr {
        Expr::ViewLit(data) | Expr::BytesLit(data, _) => Some(data),
        Expr::Get(_)
        | Expr::Take(_)
        | Expr::ViewOf(_)
        | Expr::Drop(_)
        | Expr::Store { .. }
        | Expr::InPlace { .. }
        | Expr::For { .. }
        | Expr::I32(_)
        | Expr::Input
        | Expr::Discard(_)
        | Expr::Block { .. }
        | Expr::If { .. }
        | Expr::Switch { .. }
        | Expr::Trap { .. }
        | Expr::While { .. }
        | Expr::Return { .. }
        | Expr::Try { .. }
        | Expr::Call { .. }
        | Expr::Spawn { .. }
        | Expr::Wait { .. }
        | Expr::Op { .. } => None,
    }
}

/// The site that an expression itself names.
pub(super) const fn site_of_mut(expr: &mut Expr) -> Option<&mut SiteId> {
    match expr {
        Expr::BytesLit(_, site)
        | Expr::Trap { site, .. }
        | Expr::Call { site, .. }
        | Expr::Spawn { site, .. }
        | Expr::Wait { site, .. }
        | Expr::Op { site, .. }
        | Expr::InPlace { site, .. } => Some(site),
        Expr::Get(_)
        | Expr::Take(_)
        | Expr::ViewOf(_)
        | Expr::Drop(_)
        | Expr::Store { .. }
        | Expr::For { .. }
        | Expr::I32(_)
        | Expr::ViewLit(_)
        | Expr::Input
        | Expr::Discard(_)
        | Expr::Block { .. }
        | Expr::If { .. }
        | Expr::Switch { .. }
        | Expr::While { .. }
        | Expr::Return { .. }
        | Expr::Try { .. } => None,
    }
}

/// Changes every node of an expression, parts first.
pub(super) fn each_mut(expr: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    deep(|| {
        expr.for_each_part_mut(|part| each_mut(part, visit));
        visit(expr);
    });
}

/// Whether the expression may read or change the local.
pub(super) fn mentions(expr: &Expr, local: Local, budget: &mut u32) -> bool {
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        if !spend(budget) || local_of(expr) == Some(local) {
            return true;
        }
        expr.for_each_part(|part| open.push(part));
    }
    false
}

/// Whether the expression may change the local.
pub(super) fn changes(expr: &Expr, local: Local, budget: &mut u32) -> bool {
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        if !spend(budget) || changed_local(expr) == Some(local) {
            return true;
        }
        expr.for_each_part(|part| open.push(part));
    }
    false
}
