//! Operations on vectors: contents, and capacities exactly as the language says.

use super::harness::*;
use crate::compiler::ir::{Expr, Op, Trap, Ty};

fn with_capacity(capacity: i32) -> Expr {
    op(Op::VecWithCapacity, vec![num(capacity)])
}

/// The bytes that a sequence of changes leaves in the vector in local 0.
fn contents(capacity: i32, changes: Vec<Expr>, literals: &[&[u8]]) -> Result<Vec<u8>, Fault> {
    let mut body = vec![store(0, with_capacity(capacity))];
    body.extend(changes);
    eval(vec![Ty::Vec, Ty::I32], block(body, in_place(Op::VecIntoBytes, 0, vec![])), literals)
}

/// The capacity that a sequence of changes leaves.
fn capacity(start: i32, changes: Vec<Expr>, literals: &[&[u8]]) -> i32 {
    let mut body = vec![store(0, with_capacity(start))];
    body.extend(changes);
    let number = block(body, op(Op::VecCap, vec![get(0)]));
    eval_num(vec![Ty::Vec, Ty::I32], number, literals).unwrap()
}

fn push(value: i32) -> Expr {
    update(Op::VecPush, 0, vec![num(value)])
}

#[test]
fn pushing_doubles_the_capacity() {
    let mut expected = 0;
    for count in 0..20 {
        let changes: Vec<Expr> = (0..count).map(push).collect();
        if count > expected {
            expected = if expected == 0 { 1 } else { expected * 2 };
        }
        assert_eq!(capacity(0, changes.clone(), &[]), expected, "after {count}");
        assert_eq!(contents(0, changes, &[]), Ok((0..count as u8).collect::<Vec<u8>>()));
    }
    assert_eq!(capacity(3, (0..4).map(push).collect(), &[]), 6);
    assert_eq!(contents(1, vec![push(0x141)], &[]), Ok(b"A".to_vec()));
}

#[test]
fn reserving_is_exact() {
    let reserve = |n| update(Op::VecReserveExact, 0, vec![num(n)]);
    assert_eq!(capacity(0, vec![reserve(5)], &[]), 5);
    assert_eq!(capacity(10, vec![reserve(5)], &[]), 10);
    assert_eq!(capacity(2, vec![push(1), reserve(5)], &[]), 6);
    assert_eq!(capacity(2, vec![push(1), reserve(1)], &[]), 2);
    assert_eq!(capacity(0, vec![reserve(0)], &[]), 0);
    let overflow = contents(2, vec![push(1), reserve(-1)], &[]);
    assert_eq!(overflow, Err(Fault::here(Trap::OutOfMemory)));
}

#[test]
fn extending_doubles_until_it_fits() {
    let zeroes = |n| update(Op::VecExtendZeroes, 0, vec![num(n)]);
    assert_eq!(capacity(0, vec![zeroes(5)], &[]), 8);
    assert_eq!(capacity(3, vec![zeroes(4)], &[]), 6);
    assert_eq!(capacity(3, vec![zeroes(13)], &[]), 24);
    assert_eq!(capacity(3, vec![zeroes(3)], &[]), 3);
    assert_eq!(capacity(0, vec![zeroes(0)], &[]), 0);
    assert_eq!(contents(0, vec![push(1), zeroes(2), push(2)], &[]), Ok(vec![1, 0, 0, 2]));
    let view = || update(Op::VecExtendView, 0, vec![lit(0)]);
    assert_eq!(contents(0, vec![view(), view()], &[b"abc"]), Ok(b"abcabc".to_vec()));
    assert_eq!(capacity(0, vec![view(), view()], &[b"abc"]), 8);
    assert_eq!(contents(0, vec![view()], &[b""]), Ok(Vec::new()));
    let range = |start, len| update(Op::VecExtendRange, 0, vec![lit(0), num(start), num(len)]);
    assert_eq!(contents(0, vec![range(1, 2), range(3, 0), range(0, 1)], &[b"abc"]), Ok(b"bca".to_vec()));
    for (start, len) in [(4, 0), (3, 1), (0, 4), (-1, 1), (1, -1)] {
        assert_eq!(contents(0, vec![range(start, len)], &[b"abc"]), Err(Fault::here(Trap::OutOfBounds)));
    }
    let overflow = contents(0, vec![push(1), zeroes(-1)], &[]);
    assert_eq!(overflow, Err(Fault::here(Trap::OutOfMemory)));
    let too_much = contents(0, vec![push(1), zeroes(0x7fff_fff0)], &[]);
    assert_eq!(too_much, Err(Fault::here(Trap::OutOfMemory)));
}

#[test]
fn a_vector_may_be_appended_to_itself() {
    let twice = update(Op::VecExtendView, 0, vec![view_of(0)]);
    let part = update(Op::VecExtendRange, 0, vec![view_of(0), num(1), num(2)]);
    let start = update(Op::VecExtendView, 0, vec![lit(0)]);
    // Something behind the vector keeps it from growing where it is.
    let blocker = store(2, owned(0));
    let mut body = vec![store(0, with_capacity(3)), start, blocker];
    body.extend([twice, part]);
    let value = block(body, in_place(Op::VecIntoBytes, 0, vec![]));
    let outcome = eval(vec![Ty::Vec, Ty::I32, Ty::Bytes], value, &[b"abc"]);
    assert_eq!(outcome, Ok(b"abcabcbc".to_vec()));
}

#[test]
fn elements_are_read_and_set() {
    let changes = || vec![push(10), push(20)];
    let set = |index, value| update(Op::VecSet, 0, vec![num(index), value]);
    let read = |index| op(Op::VecGet, vec![get(0), num(index)]);
    let mut body = changes();
    body.push(set(0, op(Op::Add, vec![read(1), num(1)])));
    assert_eq!(contents(0, body, &[]), Ok(vec![21, 20]));
    let mut body = changes();
    body.push(set(2, num(0)));
    assert_eq!(contents(4, body, &[]), Err(Fault::here(Trap::OutOfBounds)));
    let mut body = changes();
    body.push(store(1, read(2)));
    assert_eq!(contents(4, body, &[]), Err(Fault::here(Trap::OutOfBounds)));
    let mut body = changes();
    body.push(store(1, read(1)));
    body.push(update(Op::VecPush, 0, vec![get(1)]));
    body.push(update(Op::VecPush, 0, vec![op(Op::VecLen, vec![get(0)])]));
    assert_eq!(contents(0, body, &[]), Ok(vec![10, 20, 20, 3]));
}

#[test]
fn clearing_keeps_the_capacity() {
    let clear = || update(Op::VecClear, 0, vec![]);
    assert_eq!(capacity(0, vec![push(1), push(2), push(3), clear()], &[]), 4);
    assert_eq!(contents(0, vec![push(1), clear(), push(2)], &[]), Ok(vec![2]));
    assert_eq!(contents(7, vec![clear()], &[]), Ok(Vec::new()));
}

#[test]
fn vectors_that_are_values() {
    let chain = op(Op::VecPush, vec![op(Op::VecPush, vec![with_capacity(0), num(7)]), num(8)]);
    assert_eq!(eval(vec![], op(Op::VecIntoBytes, vec![chain.clone()]), &[]), Ok(vec![7, 8]));
    assert_eq!(eval_num(vec![], op(Op::VecLen, vec![chain.clone()]), &[]), Ok(2));
    assert_eq!(eval_num(vec![], op(Op::VecCap, vec![chain.clone()]), &[]), Ok(2));
    assert_eq!(eval_num(vec![], op(Op::VecGet, vec![chain.clone(), num(1)]), &[]), Ok(8));
    let values = vec![
        chain.clone(),
        op(Op::VecLen, vec![chain.clone()]),
        op(Op::VecCap, vec![chain.clone()]),
        op(Op::VecGet, vec![chain.clone(), num(0)]),
        op(Op::VecClear, vec![chain.clone()]),
        op(Op::VecSet, vec![chain.clone(), num(1), num(2)]),
        op(Op::VecReserveExact, vec![chain.clone(), num(9)]),
        op(Op::VecExtendZeroes, vec![chain.clone(), num(9)]),
        op(Op::VecExtendView, vec![chain.clone(), lit(0)]),
        op(Op::VecExtendRange, vec![chain.clone(), lit(0), num(0), num(1)]),
        op(Op::VecIntoBytes, vec![chain]),
    ];
    for value in values {
        repeats_without_leak(vec![], vec![discard(value)], &[b"abc"]);
    }
}

#[test]
fn moving_out_leaves_the_empty_vector() {
    let body = block(
        vec![
            store(0, with_capacity(4)),
            push(1),
            store(2, in_place(Op::VecPush, 0, vec![num(2)])),
            store(1, op(Op::Add, vec![op(Op::VecLen, vec![get(0)]), op(Op::VecCap, vec![get(0)])])),
        ],
        op(Op::Add, vec![op(Op::Mul, vec![get(1), num(100)]), op(Op::VecLen, vec![get(2)])]),
    );
    assert_eq!(eval_num(vec![Ty::Vec, Ty::I32, Ty::Vec], body, &[]), Ok(2));
}

#[test]
fn changes_may_come_with_clean_up() {
    // `v = { t = bytes; push(v, t[0]) } drop t`, as for an operand that needs a temporary.
    let wrapped = |cleanup: Vec<Expr>| Expr::Block {
        body: vec![store(2, owned(0))],
        value: Some(Box::new(in_place(Op::VecPush, 0, vec![op(Op::ViewGet, vec![view_of(2), num(1)])]))),
        cleanup,
    };
    let drop_local = |local| Expr::Drop(crate::compiler::ir::Local(local));
    // Dropping the variable itself drops the empty value that the operation left in it.
    for cleanup in [vec![drop_local(2)], vec![drop_local(2), drop_local(0)]] {
        let body = vec![store(0, with_capacity(0)), store(0, wrapped(cleanup.clone())), store(0, wrapped(cleanup))];
        let value = block(body, in_place(Op::VecIntoBytes, 0, vec![]));
        let outcome = eval(vec![Ty::Vec, Ty::I32, Ty::Bytes], value, &[b"abc"]);
        assert_eq!(outcome, Ok(b"bb".to_vec()));
    }
}
