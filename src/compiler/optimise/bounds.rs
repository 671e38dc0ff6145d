//! Checks of indices that cannot fail.
//!
//! One walk over a function in the order of evaluation. Each variable has, at each place, a
//! [`Value`]: for a number the number, for bytes, a view or a vector its length. Comparisons that
//! were decided, counters of `for` loops and earlier checks say something about values
//! (`numbers`); a check that follows from it is left out.
//!
//! Where paths meet, a variable with different values gets a new one, about which nothing is known.
//! So do all variables that a loop may change, before the loop and after it; an operation that
//! writes into a buffer keeps the buffer's length and does not count as a change. What became known
//! in a branch or loop is forgotten behind it, unless the other branch never gets there.

use std::collections::{BTreeMap, BTreeSet};

use super::look::{self, deep};
use super::numbers::{Fact, MOST_BYTES, Numbers, Value};
use crate::compiler::ir::{Expr, Function, Local, Op, Ty, Unchecked};

/// How much work is done for each node, and at least. Afterwards all checks stay.
const EFFORT: usize = 40;
const LEAST_EFFORT: usize = 20_000;
/// How many nodes of a condition are looked at.
const GLANCE: u32 = 64;

/// Leaves out checks in a function. `literals` are the lengths of the program's literals.
pub(super) fn function(function: &mut Function, literals: &[usize]) {
    let mut numbers = Numbers::default();
    let values = function.locals.iter().map(|ty| numbers.unknown(most_of(*ty))).collect();
    let input = numbers.unknown(MOST_BYTES);
    let effort = look::size(&function.body, usize::MAX).saturating_mul(EFFORT).max(LEAST_EFFORT);
    let mut walk =
        Walk { types: &function.locals, literals, numbers, values, input, trail: Vec::new(), never: false, effort };
    walk.eval(&mut function.body);
}

/// What the value of a variable of a type does not exceed.
const fn most_of(ty: Ty) -> u32 {
    match ty {
        Ty::Bytes | Ty::View | Ty::Vec => MOST_BYTES,
        _ => u32::MAX,
    }
}

/// The operation without its check.
const fn unchecked(op: Op) -> Option<Unchecked> {
    let unchecked = match op {
        Op::ViewGet => Unchecked::ViewGet,
        Op::ViewSlice => Unchecked::ViewSlice,
        Op::ReadU32Le => Unchecked::ReadU32Le,
        Op::VecGet => Unchecked::VecGet,
        Op::BytesSet => Unchecked::BytesSet,
        Op::VecSet => Unchecked::VecSet,
        Op::BytesSetU32Le => Unchecked::BytesSetU32Le,
        Op::VecSetU32Le => Unchecked::VecSetU32Le,
        _ => return None,
    };
    Some(unchecked)
}

/// Whether an operation in place keeps the buffer's length.
const fn keeps_length(op: Op) -> bool {
    match op {
        Op::Unchecked(op) => keeps_length(op.checked()),
        Op::BytesSet | Op::VecSet | Op::BytesSetU32Le | Op::VecSetU32Le | Op::VecReserveExact => true,
        _ => false,
    }
}

/// Whether a variable is assigned the result of an operation in place on itself that keeps its length.
fn writes_into(local: Local, value: &Expr) -> bool {
    matches!(value, Expr::InPlace { op, local: source, .. } if *source == local && keeps_length(*op))
}

/// The values of variables at a place, as far as they differ from those before.
type Changes = BTreeMap<usize, Value>;

/// A place to go back to.
#[derive(Clone, Copy)]
struct Mark {
    trail: usize,
    facts: usize,
}

struct Walk<'f> {
    types: &'f [Ty],
    literals: &'f [usize],
    numbers: Numbers,
    /// For each local.
    values: Vec<Value>,
    /// The length of the input.
    input: Value,
    /// Values that locals had before.
    trail: Vec<(usize, Value)>,
    /// The present place is never reached.
    never: bool,
    effort: usize,
}

impl Walk<'_> {
    fn mark(&self) -> Mark {
        Mark { trail: self.trail.len(), facts: self.numbers.mark() }
    }

    /// Goes back; yields what was different.
    fn back(&mut self, mark: Mark) -> Changes {
        self.numbers.forget(mark.facts);
        let mut changes = Changes::new();
        while self.trail.len() > mark.trail {
            let Some((index, old)) = self.trail.pop() else { break };
            if let Some(value) = self.values.get_mut(index) {
                let new = std::mem::replace(value, old);
                // The newest change comes first: it is the last value.
                changes.entry(index).or_insert(new);
            }
        }
        changes
    }

    fn set(&mut self, index: usize, new: Value) {
        if let Some(value) = self.values.get_mut(index)
            && *value != new
        {
            let old = std::mem::replace(value, new);
            self.trail.push((index, old));
        }
    }

    fn assign(&mut self, local: Local, value: Option<Value>) {
        let index = local.0 as usize;
        let value = match value {
            Some(value) => value,
            None => self.fresh(self.types.get(index).copied().unwrap_or(Ty::Unit)),
        };
        self.set(index, value);
    }

    fn fresh(&mut self, ty: Ty) -> Value {
        self.numbers.unknown(most_of(ty))
    }

    fn value_of(&self, local: Local) -> Option<Value> {
        self.values.get(local.0 as usize).copied()
    }

    fn literal(&mut self, index: u32) -> Option<Value> {
        let length = self.literals.get(index as usize)?;
        let length = u32::try_from(*length).ok()?;
        Some(self.numbers.constant(length))
    }

    /// Whether there is effort left; takes some.
    fn spend(&mut self, effort: usize) -> bool {
        match self.effort.checked_sub(effort) {
            Some(rest) => {
                self.effort = rest;
                true
            }
            None => {
                self.effort = 0;
                false
            }
        }
    }

    /// Walks over an expression; yields its number or length, if it is known.
    fn eval(&mut self, expr: &mut Expr) -> Option<Value> {
        if self.never || !self.spend(1) {
            return None;
        }
        deep(|| self.eval_here(expr))
    }

    fn eval_here(&mut self, expr: &mut Expr) -> Option<Value> {
        match expr {
            Expr::I32(number) => Some(self.numbers.constant(*number as u32)),
            Expr::ViewLit(data) | Expr::BytesLit(data, _) => self.literal(data.0),
            Expr::Input => Some(self.input),
            Expr::Get(local) | Expr::ViewOf(local) => self.value_of(*local),
            Expr::Take(local) => {
                let value = self.value_of(*local);
                self.assign(*local, None);
                value
            }
            Expr::Drop(local) => {
                if self.types.get(local.0 as usize).is_some_and(|ty| ty.is_owned()) {
                    self.assign(*local, None);
                }
                None
            }
            Expr::Store { local, value, .. } => {
                let local = *local;
                if writes_into(local, value) {
                    self.in_place(value);
                } else {
                    let value = self.eval(value);
                    self.assign(local, value);
                }
                None
            }
            Expr::InPlace { op, local, .. } => {
                let (local, keeps) = (*local, keeps_length(*op));
                let into_bytes = *op == Op::VecIntoBytes;
                let length = self.in_place(expr);
                self.assign(local, None);
                if keeps || into_bytes { length } else { None }
            }
            Expr::Discard(value) => {
                self.eval(value);
                None
            }
            Expr::Block { body, value, cleanup } => {
                for part in body {
                    self.eval(part);
                }
                let value = value.as_deref_mut().and_then(|value| self.eval(value));
                for part in cleanup {
                    self.eval(part);
                }
                value
            }
            Expr::If { cond, then, otherwise, ty } => {
                let ty = *ty;
                self.choice(cond, then, otherwise, ty)
            }
            Expr::Switch { value, arms, .. } => {
                self.eval(value);
                self.switch(arms);
                None
            }
            Expr::Trap { .. } => {
                self.never = true;
                None
            }
            Expr::For { var, start, end, body } => {
                let var = *var;
                self.for_loop(var, start, end, body);
                None
            }
            Expr::While { cond, body } => {
                self.while_loop(cond, body);
                None
            }
            Expr::Return { value, cleanup } => {
                self.eval(value);
                for part in cleanup {
                    self.eval(part);
                }
                self.never = true;
                None
            }
            Expr::Try { value, cleanup, .. } => {
                self.eval(value);
                let mark = self.mark();
                for part in cleanup {
                    self.eval(part);
                }
                self.back(mark);
                None
            }
            Expr::Call { args, .. } | Expr::Spawn { args, .. } | Expr::Wait { args, .. } => {
                for arg in args {
                    self.eval(arg);
                }
                None
            }
            Expr::Op { .. } => self.operation(expr),
        }
    }

    fn choice(&mut self, cond: &mut Expr, then: &mut Expr, otherwise: &mut Expr, ty: Ty) -> Option<Value> {
        let before = self.trail.len();
        self.eval(cond);
        if self.never {
            return None;
        }
        let changed: Vec<usize> = self.trail[before..].iter().map(|(index, _)| *index).collect();
        let mark = self.mark();
        self.assume(cond, true, &changed);
        let a = self.eval(then);
        let a_never = std::mem::take(&mut self.never);
        let a_changes = self.back(mark);
        self.assume(cond, false, &changed);
        let b = self.eval(otherwise);
        let b_never = std::mem::take(&mut self.never);
        match (a_never, b_never) {
            (true, true) => {
                self.back(mark);
                self.never = true;
                None
            }
            // What is known on the only way that leads on stays known.
            (true, false) => b,
            (false, true) => {
                self.back(mark);
                self.assume(cond, true, &changed);
                for (index, value) in a_changes {
                    self.set(index, value);
                }
                a
            }
            (false, false) => {
                let b_changes = self.back(mark);
                self.meet(&a_changes, &b_changes);
                match (a, b) {
                    (Some(a), Some(b)) if a == b => Some(a),
                    (Some(a), Some(b)) if matches!(ty, Ty::I32 | Ty::Bytes | Ty::View | Ty::Vec) => {
                        let most = self.numbers.most(a).max(self.numbers.most(b));
                        Some(self.numbers.unknown(most))
                    }
                    _ => None,
                }
            }
        }
    }

    /// Gives variables their values where two branches meet.
    fn meet(&mut self, a: &Changes, b: &Changes) {
        let indices: BTreeSet<usize> = a.keys().chain(b.keys()).copied().collect();
        self.spend(indices.len());
        for index in indices {
            let Some(before) = self.values.get(index).copied() else { continue };
            let (x, y) = (a.get(&index).copied().unwrap_or(before), b.get(&index).copied().unwrap_or(before));
            let value = if x == y {
                x
            } else {
                let most = self.numbers.most(x).max(self.numbers.most(y));
                self.numbers.unknown(most)
            };
            self.set(index, value);
        }
    }

    fn switch(&mut self, arms: &mut [Expr]) {
        if self.never {
            return;
        }
        let mut changed: BTreeSet<usize> = BTreeSet::new();
        let mut all_never = true;
        for arm in arms {
            let mark = self.mark();
            self.eval(arm);
            all_never &= std::mem::take(&mut self.never);
            changed.extend(self.back(mark).into_keys());
        }
        self.spend(changed.len());
        self.change(&changed);
        self.never = all_never;
    }

    /// Gives variables new values.
    fn change(&mut self, locals: &BTreeSet<usize>) {
        for index in locals {
            self.assign(Local(u32::try_from(*index).unwrap_or(u32::MAX)), None);
        }
    }

    /// The variables that a part of a loop may change.
    fn changed_in(&mut self, exprs: &[&Expr]) -> BTreeSet<usize> {
        let mut changed = BTreeSet::new();
        let mut open: Vec<&Expr> = exprs.to_vec();
        let mut count = 0;
        while let Some(expr) = open.pop() {
            count += 1;
            match expr {
                Expr::Store { local, value, .. } if writes_into(*local, value) => {
                    // The operation itself is no change, but its operands may be.
                    value.for_each_part(|part| open.push(part));
                }
                other => {
                    if let Some(local) = look::changed_local(other) {
                        changed.insert(local.0 as usize);
                    }
                    other.for_each_part(|part| open.push(part));
                }
            }
        }
        self.spend(count);
        changed
    }

    fn for_loop(&mut self, var: Local, start: &mut Expr, end: &mut Expr, body: &mut Expr) {
        let first = self.eval(start);
        self.assign(var, first);
        let limit = self.eval(end);
        if self.never {
            return;
        }
        let mut changed = self.changed_in(&[&*body]);
        changed.insert(var.0 as usize);
        self.change(&changed);
        let mark = self.mark();
        if let Some(limit) = limit {
            let counter = self.numbers.unknown(self.numbers.most(limit).saturating_sub(1));
            self.assign(var, Some(counter));
            self.numbers.learn(Fact::Below(counter, limit));
        }
        self.eval(body);
        self.never = false;
        self.back(mark);
        self.change(&changed);
    }

    fn while_loop(&mut self, cond: &mut Expr, body: &mut Expr) {
        let changed = self.changed_in(&[&*cond, &*body]);
        self.change(&changed);
        let mark = self.mark();
        self.eval(cond);
        if self.never {
            return;
        }
        let in_cond: Vec<usize> = self.trail[mark.trail..].iter().map(|(index, _)| *index).collect();
        self.assume(cond, true, &in_cond);
        self.eval(body);
        self.never = false;
        self.back(mark);
        self.change(&changed);
    }

    /// Walks over an operation in place; yields the length that its variable has before it.
    fn in_place(&mut self, expr: &mut Expr) -> Option<Value> {
        let Expr::InPlace { op, local, args, .. } = expr else { return None };
        let values: Vec<Option<Value>> = args.iter_mut().map(|arg| self.eval(arg)).collect();
        let length = self.value_of(*local);
        if let (Some(length), Some(Some(index))) = (length, values.first()) {
            self.check(op, *index, length);
        }
        length
    }

    /// An operation with an index: removes the check, or learns from it.
    fn check(&mut self, op: &mut Op, index: Value, length: Value) {
        if self.never || self.effort == 0 {
            return;
        }
        let fact = match op {
            Op::ViewGet | Op::VecGet | Op::BytesSet | Op::VecSet => Fact::Below(index, length),
            Op::ReadU32Le | Op::BytesSetU32Le | Op::VecSetU32Le => Fact::Word(index, length),
            _ => return,
        };
        let holds = match fact {
            Fact::Below(..) => self.numbers.is_below(index, length),
            Fact::Word(..) => self.numbers.word_fits(index, length),
        };
        if !holds {
            self.numbers.learn(fact);
        } else if let Some(without) = unchecked(*op) {
            *op = Op::Unchecked(without);
        }
    }

    fn operation(&mut self, expr: &mut Expr) -> Option<Value> {
        let Expr::Op { op, args, .. } = expr else { return None };
        let values: Vec<Option<Value>> = args.iter_mut().map(|arg| self.eval(arg)).collect();
        if self.never {
            return None;
        }
        let first = values.first().copied().flatten();
        let second = values.get(1).copied().flatten();
        match *op {
            op if op.is_operator() => {
                let most = if look::is_comparison(op) { 1 } else { u32::MAX };
                match (first, second) {
                    (Some(a), Some(b)) => Some(self.numbers.operation(op, a, b)),
                    // What is unknown still has a limit: a masked byte, a remainder.
                    (None, Some(b)) => {
                        let a = self.numbers.unknown(u32::MAX);
                        Some(self.numbers.operation(op, a, b))
                    }
                    (Some(a), None) => {
                        let b = self.numbers.unknown(u32::MAX);
                        Some(self.numbers.operation(op, a, b))
                    }
                    (None, None) => Some(self.numbers.unknown(most)),
                }
            }
            Op::ViewLen | Op::VecLen | Op::ViewToBytes | Op::VecIntoBytes | Op::BytesAlloc => first,
            Op::ViewGet | Op::VecGet => {
                if let (Some(length), Some(index)) = (first, second) {
                    self.check(op, index, length);
                }
                Some(self.numbers.unknown(255))
            }
            Op::ReadU32Le => {
                if let (Some(length), Some(offset)) = (first, second) {
                    self.check(op, offset, length);
                }
                None
            }
            Op::WordFits => {
                let (length, offset) = (first?, second?);
                if self.effort > 0 && self.numbers.word_fits(offset, length) && args.iter().all(pure) {
                    *expr = Expr::I32(1);
                    return Some(self.numbers.constant(1));
                }
                Some(self.numbers.unknown(1))
            }
            Op::BytesSet | Op::VecSet | Op::BytesSetU32Le | Op::VecSetU32Le => {
                if let (Some(length), Some(index)) = (first, second) {
                    self.check(op, index, length);
                }
                first
            }
            Op::ViewSlice => {
                let (length, start) = (first, second);
                let count = values.get(2).copied().flatten()?;
                if self.effort > 0
                    && let (Some(length), Some(start)) = (length, start)
                    && self.numbers.as_constant(start) == Some(0)
                    && (count == length || self.numbers.is_below(count, length))
                {
                    *op = Op::Unchecked(Unchecked::ViewSlice);
                }
                Some(count)
            }
            Op::Unchecked(Unchecked::ViewGet | Unchecked::VecGet) => Some(self.numbers.unknown(255)),
            Op::Unchecked(Unchecked::ViewSlice) => values.get(2).copied().flatten(),
            Op::BytesCopy => second,
            Op::Bytes1 => Some(self.numbers.constant(1)),
            Op::WriteU32Le => Some(self.numbers.constant(4)),
            Op::BytesEmpty | Op::VecWithCapacity => Some(self.numbers.constant(0)),
            Op::VecReserveExact => first,
            other => {
                self.never = other.result() == Ty::Never;
                None
            }
        }
    }

    /// The value of an expression without effect, at the present place; `changed` are locals that
    /// have other values by now.
    fn peek(&mut self, expr: &Expr, changed: &[usize], budget: &mut u32) -> Option<Value> {
        if *budget == 0 {
            return None;
        }
        *budget -= 1;
        match expr {
            Expr::I32(number) => Some(self.numbers.constant(*number as u32)),
            Expr::ViewLit(data) => self.literal(data.0),
            Expr::Input => Some(self.input),
            Expr::Get(local) | Expr::ViewOf(local) if !changed.contains(&(local.0 as usize)) => self.value_of(*local),
            Expr::Op { op: Op::ViewLen | Op::VecLen, args, .. } => self.peek(args.first()?, changed, budget),
            Expr::Op { op, args, .. } if look::is_plain(*op) && *op != Op::WordFits => {
                let [left, right] = args.as_slice() else { return None };
                let left = self.peek(left, changed, budget)?;
                let right = self.peek(right, changed, budget)?;
                Some(self.numbers.operation(*op, left, right))
            }
            _ => None,
        }
    }

    /// Learns from a condition that was evaluated and is true, or false.
    fn assume(&mut self, cond: &Expr, holds: bool, changed: &[usize]) {
        if self.effort == 0 || changed.len() > GLANCE as usize {
            return;
        }
        let mut budget = GLANCE;
        self.assume_within(cond, holds, changed, &mut budget);
    }

    fn assume_within(&mut self, cond: &Expr, holds: bool, changed: &[usize], budget: &mut u32) {
        if *budget == 0 || !self.spend(1) {
            return;
        }
        *budget -= 1;
        match cond {
            Expr::Op { op, args, .. } => {
                let [left, right] = args.as_slice() else { return };
                self.assume_operation(*op, left, right, holds, changed, budget);
            }
            Expr::If { cond: first, then, otherwise, .. } => match (&**then, &**otherwise) {
                // Both hold, and the second was evaluated.
                (second, Expr::I32(0)) if holds => {
                    self.assume_within(first, true, changed, budget);
                    self.passed(second, changed, budget);
                    self.assume_within(second, true, changed, budget);
                }
                // Neither holds.
                (Expr::I32(number), second) if !holds && *number != 0 => {
                    self.assume_within(first, false, changed, budget);
                    self.passed(second, changed, budget);
                    self.assume_within(second, false, changed, budget);
                }
                _ => {}
            },
            Expr::Block { value: Some(value), .. } => self.assume_within(value, holds, changed, budget),
            _ => {}
        }
    }

    fn assume_operation(
        &mut self,
        op: Op,
        left: &Expr,
        right: &Expr,
        holds: bool,
        changed: &[usize],
        budget: &mut u32,
    ) {
        let op = match op {
            Op::Eq if matches!(right, Expr::I32(0)) => return self.assume_within(left, !holds, changed, budget),
            Op::Ne if matches!(right, Expr::I32(0)) => return self.assume_within(left, holds, changed, budget),
            Op::And if holds => {
                self.assume_within(left, true, changed, budget);
                return self.assume_within(right, true, changed, budget);
            }
            Op::Or if !holds => {
                self.assume_within(left, false, changed, budget);
                return self.assume_within(right, false, changed, budget);
            }
            Op::WordFits if holds => {
                if let Some(length) = self.peek(left, changed, budget)
                    && let Some(offset) = self.peek(right, changed, budget)
                {
                    self.numbers.learn(Fact::Word(offset, length));
                }
                return;
            }
            op if holds => op,
            op => match op.inverse() {
                Some(op) => op,
                None => return,
            },
        };
        let (low, high, signed) = match op {
            Op::LtU => (left, right, false),
            Op::GtU => (right, left, false),
            Op::LtS => (left, right, true),
            Op::GtS => (right, left, true),
            _ => return,
        };
        let Some(low) = self.peek(low, changed, budget) else { return };
        let Some(high) = self.peek(high, changed, budget) else { return };
        // A signed comparison of numbers that are not negative is an unsigned one.
        let negative = |value| self.numbers.most(value) > i32::MAX as u32;
        if signed && (negative(low) || negative(high)) {
            return;
        }
        self.numbers.learn(Fact::Below(low, high));
    }

    /// Learns from the checks that an expression passed when it was evaluated.
    fn passed(&mut self, expr: &Expr, changed: &[usize], budget: &mut u32) {
        if *budget == 0 || !self.spend(1) {
            return;
        }
        *budget -= 1;
        match expr {
            Expr::Op { op, args, .. } => {
                for arg in args {
                    self.passed(arg, changed, budget);
                }
                if let (Op::ViewGet, [view, index]) = (op, args.as_slice())
                    && let Some(length) = self.peek(view, changed, budget)
                    && let Some(index) = self.peek(index, changed, budget)
                {
                    self.numbers.learn(Fact::Below(index, length));
                }
            }
            Expr::Store { value, .. } => self.passed(value, changed, budget),
            Expr::Block { body, value, .. } => {
                for part in body {
                    self.passed(part, changed, budget);
                }
                if let Some(value) = value {
                    self.passed(value, changed, budget);
                }
            }
            _ => {}
        }
    }
}

fn pure(expr: &Expr) -> bool {
    let mut budget = GLANCE;
    look::is_pure(expr, &mut budget)
}
