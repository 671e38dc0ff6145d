//! Four byte stores that make up a word, lowest byte first, as one store of a word.
//!
//! The bytes' own checks trap one after the other, each at its place; so where the word does not
//! fit, the first byte that does not fit is looked for. No buffer ends at the last address, hence an
//! index beyond the largest number is never reached without a trap before.

use super::look::{self, deep};
use crate::compiler::ir::{Expr, Function, Local, Op, SiteId, Trap, Ty, Unchecked};

/// How many nodes of an index or value are looked at.
const GLANCE: u32 = 24;
/// Bytes in a word.
const WORD: usize = 4;

/// Joins byte stores of a function.
pub(super) fn function(function: &mut Function) {
    walk(&mut function.body);
}

fn walk(expr: &mut Expr) {
    deep(|| {
        expr.for_each_part_mut(walk);
        if let Expr::Block { body, .. } = expr {
            join(body);
        }
    });
}

fn join(body: &mut Vec<Expr>) {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(run) = body.get(at..at + WORD) {
        match word_store(run) {
            Some(word) => {
                words.push((at, word));
                at += WORD;
            }
            None => at += 1,
        }
    }
    if words.is_empty() {
        return;
    }
    let mut words = words.into_iter().peekable();
    let mut joined = 0;
    for (at, expr) in std::mem::take(body).into_iter().enumerate() {
        if let Some((_, word)) = words.next_if(|(start, _)| *start == at) {
            body.push(word);
            joined = WORD;
        }
        if joined > 0 {
            joined -= 1;
        } else {
            body.push(expr);
        }
    }
}

/// A store of one byte: `local = set(local, index, value)`.
struct ByteStore<'e> {
    op: Op,
    local: Local,
    index: &'e Expr,
    value: &'e Expr,
    site: SiteId,
}

fn byte_store(expr: &Expr) -> Option<ByteStore<'_>> {
    let Expr::Store { local, value, .. } = expr else { return None };
    let Expr::InPlace { op: op @ (Op::BytesSet | Op::VecSet), local: source, args, site } = &**value else {
        return None;
    };
    let [index, value] = args.as_slice() else { return None };
    (local == source).then_some(ByteStore { op: *op, local: *local, index, value, site: *site })
}

/// An expression as a value plus a constant.
fn split_sum(expr: &Expr) -> (Option<&Expr>, i32) {
    match expr {
        Expr::I32(number) => (None, *number),
        Expr::Op { op: Op::Add, args, .. } => match args.as_slice() {
            [value, Expr::I32(number)] => (Some(value), *number),
            _ => (Some(expr), 0),
        },
        _ => (Some(expr), 0),
    }
}

fn same_base(left: Option<&Expr>, right: Option<&Expr>) -> bool {
    match (left, right) {
        (None, None) => true,
        (Some(left), Some(right)) => {
            let mut budget = GLANCE;
            look::same(left, right, &mut budget)
        }
        _ => false,
    }
}

/// A value without what a byte store ignores.
fn low_byte(expr: &Expr) -> &Expr {
    match expr {
        Expr::Op { op: Op::And, args, .. } => match args.as_slice() {
            [value, Expr::I32(mask)] if mask & 0xff == 0xff => value,
            _ => expr,
        },
        _ => expr,
    }
}

/// Whether storing `part` as byte `number` is part of storing `whole`.
fn is_byte_of(part: &Expr, whole: &Expr, number: usize) -> bool {
    let shift = 8 * number as i32;
    if let (Expr::I32(part), Expr::I32(whole)) = (part, whole) {
        return *part & 0xff == (*whole >> shift) & 0xff;
    }
    let Expr::Op { op: Op::ShrU, args, .. } = low_byte(part) else { return false };
    let [value, Expr::I32(found)] = args.as_slice() else { return false };
    let mut budget = GLANCE;
    *found == shift && look::same(value, whole, &mut budget)
}

fn word_store(run: &[Expr]) -> Option<Expr> {
    let stores: Vec<ByteStore<'_>> = run.iter().map_while(byte_store).collect();
    let [first, others @ ..] = stores.as_slice() else { return None };
    if others.len() != WORD - 1 {
        return None;
    }
    let (base, offset) = split_sum(first.index);
    let whole = low_byte(first.value);
    if matches!(whole, Expr::I32(_)) {
        return constant_store(&stores, base, offset);
    }
    if !is_settled(first.index) || !is_settled(whole) {
        return None;
    }
    for (number, store) in (1..).zip(others) {
        let fits = follows(first, store, base, offset, number) && is_byte_of(store.value, whole, number);
        if !fits {
            return None;
        }
    }
    Some(checked_store(&stores, whole.clone()))
}

/// As [`word_store`], for bytes that are constants.
fn constant_store(stores: &[ByteStore<'_>], base: Option<&Expr>, offset: i32) -> Option<Expr> {
    let first = stores.first()?;
    if !is_settled(first.index) {
        return None;
    }
    let mut whole = 0;
    for (number, store) in stores.iter().enumerate() {
        let Expr::I32(byte) = store.value else { return None };
        if number > 0 && !follows(first, store, base, offset, number) {
            return None;
        }
        whole |= (byte & 0xff) << (8 * number);
    }
    Some(checked_store(stores, Expr::I32(whole)))
}

/// Whether an expression has the same value before each of the stores.
fn is_settled(expr: &Expr) -> bool {
    let mut budget = GLANCE;
    // A store keeps the buffer's length, so even a view of it does no harm.
    look::is_pure(expr, &mut budget)
}

/// Whether a store is to the `number`th byte behind the first.
fn follows(first: &ByteStore<'_>, store: &ByteStore<'_>, base: Option<&Expr>, offset: i32, number: usize) -> bool {
    let (other, distance) = split_sum(store.index);
    store.op == first.op
        && store.local == first.local
        && same_base(base, other)
        && distance == offset.wrapping_add(number as i32)
}

/// The store of a word where it fits, else the trap of the first byte that does not.
fn checked_store(stores: &[ByteStore<'_>], whole: Expr) -> Expr {
    let mut traps = Vec::with_capacity(WORD);
    let Some(first) = stores.first() else { return look::nothing() };
    let local = first.local;
    for (number, store) in stores.iter().enumerate() {
        let trap = Expr::Trap { trap: Trap::OutOfBounds, site: store.site };
        if number + 1 == stores.len() {
            traps.push(trap);
        } else {
            let length = Expr::Op { op: Op::ViewLen, args: vec![Expr::ViewOf(local)], site: store.site };
            let outside = Expr::Op { op: Op::GeU, args: vec![store.index.clone(), length], site: store.site };
            traps.push(Expr::If {
                cond: Box::new(outside),
                then: Box::new(trap),
                otherwise: Box::new(look::nothing()),
                ty: Ty::Unit,
            });
        }
    }
    let fits = Expr::Op { op: Op::WordFits, args: vec![Expr::ViewOf(local), first.index.clone()], site: first.site };
    let unchecked = if first.op == Op::BytesSet { Unchecked::BytesSetU32Le } else { Unchecked::VecSetU32Le };
    let value =
        Expr::InPlace { op: Op::Unchecked(unchecked), local, args: vec![first.index.clone(), whole], site: first.site };
    Expr::If {
        cond: Box::new(fits),
        then: Box::new(Expr::Store { local, value: Box::new(value), drop_old: false }),
        otherwise: Box::new(Expr::Block { body: traps, value: None, cleanup: Vec::new() }),
        ty: Ty::Unit,
    }
}
