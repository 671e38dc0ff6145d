//! Code of a special shape: conditions decided by jumps, loops tested at their end, chosen numbers,
//! rotations, operations without checks, literals that share their bytes, stripped modules.

use wasmparser::{Parser, Payload};

use super::harness::*;
use crate::compiler::emit::{self, Target, sites};
use crate::compiler::ir::{Expr, Local, Op, Trap, Ty, Unchecked};

fn both(first: Expr, second: Expr) -> Expr {
    choose(first, second, num(0), Ty::I32)
}

fn either(first: Expr, second: Expr) -> Expr {
    choose(first, num(1), second, Ty::I32)
}

/// A condition that is no plain number: a byte of a literal.
fn bit(value: i32) -> Expr {
    op(Op::ViewGet, vec![lit(0), num(value)])
}

/// What a choice between 10 and 20 by this condition yields, as value and as statement.
fn chosen(cond: &Expr) -> i32 {
    let literals: &[&[u8]] = &[b"\0\x01"];
    let value = choose(cond.clone(), num(10), num(20), Ty::I32);
    let first = eval_num(vec![Ty::I32, Ty::I32], value, literals).unwrap();
    let statement = choose(cond.clone(), store(0, num(10)), store(0, num(20)), Ty::Unit);
    let second = eval_num(vec![Ty::I32, Ty::I32], block(vec![statement], get(0)), literals).unwrap();
    let alone = choose(cond.clone(), store(0, num(10)), statements(vec![]), Ty::Unit);
    let third = eval_num(vec![Ty::I32, Ty::I32], block(vec![store(0, num(20)), alone], get(0)), literals).unwrap();
    assert_eq!((first, first), (second, third));
    first
}

#[test]
fn conditions_of_several_parts() {
    for (a, b, c) in (0..8).map(|bits| (bits & 1, (bits >> 1) & 1, bits >> 2)) {
        let truth = |holds: bool| if holds { 10 } else { 20 };
        let (x, y, z) = (a == 1, b == 1, c == 1);
        assert_eq!(chosen(&both(bit(a), bit(b))), truth(x && y));
        assert_eq!(chosen(&either(bit(a), bit(b))), truth(x || y));
        assert_eq!(chosen(&both(either(bit(a), bit(b)), bit(c))), truth((x || y) && z));
        assert_eq!(chosen(&either(both(bit(a), bit(b)), bit(c))), truth((x && y) || z));
        assert_eq!(chosen(&either(bit(a), both(bit(b), bit(c)))), truth(x || (y && z)));
        let negated = op(Op::Eq, vec![either(bit(a), both(bit(b), bit(c))), num(0)]);
        assert_eq!(chosen(&negated), truth(!(x || (y && z))));
        let doubly = op(Op::Ne, vec![both(bit(a), op(Op::Eq, vec![bit(b), num(0)])), num(0)]);
        assert_eq!(chosen(&doubly), truth(x && !y));
        let stored = block(vec![store(1, num(5))], both(bit(a), bit(b)));
        assert_eq!(chosen(&stored), truth(x && y));
    }
}

#[test]
fn the_second_part_runs_only_when_it_decides() {
    let out = || op(Op::ViewGet, vec![lit(0), num(9)]);
    let literals: &[&[u8]] = &[b"\0\x01"];
    let value = |cond: Expr| eval_num(vec![], choose(cond, num(1), num(2), Ty::I32), literals);
    assert_eq!(value(both(bit(0), out())), Ok(2));
    assert_eq!(value(either(bit(1), out())), Ok(1));
    assert_eq!(value(both(bit(1), out())), Err(Fault::here(Trap::OutOfBounds)));
    assert_eq!(value(either(bit(0), out())), Err(Fault::here(Trap::OutOfBounds)));
}

#[test]
fn loops_with_conditions_of_several_parts() {
    // Counts the bytes before the first that is 0, or the end.
    let count = |text: &'static [u8]| {
        let inside = op(Op::LtU, vec![get(0), op(Op::ViewLen, vec![lit(0)])]);
        let cond = both(inside, op(Op::ViewGet, vec![lit(0), get(0)]));
        let body = store(0, op(Op::Add, vec![get(0), num(1)]));
        let turn = Expr::While { cond: Box::new(cond), body: Box::new(body) };
        eval_num(vec![Ty::I32], block(vec![turn], get(0)), &[text]).unwrap()
    };
    assert_eq!(count(b"abc"), 3);
    assert_eq!(count(b"ab\0c"), 2);
    assert_eq!(count(b"\0"), 0);
}

#[test]
fn rotations() {
    for (count, back) in [(7, 25), (1, 31), (31, 1), (16, 16)] {
        let shifts = |first: Op, second: Op| {
            let left = op(first, vec![get(0), num(count)]);
            let right = op(second, vec![get(0), num(back)]);
            let body = block(vec![store(0, num(0x1234_5678))], op(Op::Or, vec![left, right]));
            eval_num(vec![Ty::I32], body, &[]).unwrap()
        };
        assert_eq!(shifts(Op::Shl, Op::ShrU), 0x1234_5678_i32.rotate_left(count as u32));
        assert_eq!(shifts(Op::ShrU, Op::Shl), 0x1234_5678_i32.rotate_right(count as u32));
    }
}

#[test]
fn operations_without_checks() {
    let read = op(Op::Unchecked(Unchecked::ViewGet), vec![lit(0), num(1)]);
    assert_eq!(eval_num(vec![], read, &[b"ab"]), Ok(98));
    let fits = |offset: i32| eval_num(vec![], op(Op::WordFits, vec![lit(0), num(offset)]), &[b"abcdef"]);
    assert_eq!([fits(0), fits(2), fits(3), fits(-1), fits(-4)], [Ok(1), Ok(1), Ok(0), Ok(0), Ok(0)]);
    let word = vec![num(1), num(0x0403_0201)];
    let value = Expr::InPlace { op: Op::Unchecked(Unchecked::BytesSetU32Le), local: Local(0), args: word, site: SITE };
    let body = block(vec![store(0, op(Op::BytesAlloc, vec![num(6)])), store(0, value)], take(0));
    assert_eq!(eval(vec![Ty::Bytes], body, &[]), Ok(vec![0, 1, 2, 3, 4, 0]));
}

#[test]
fn literals_share_their_bytes() {
    let literals: &[&[u8]] = &[b"tail", b"the tail", b"the", b"", b"he", b"other"];
    let parts = (0..6).map(lit).collect();
    let program = program(vec![solve(vec![], op(Op::BytesConcat, parts))], literals);
    assert_eq!(run(&program, b""), Ok(b"tailthe tailtheheother".to_vec()));
    let wasm = emit(&program).unwrap();
    let mut size = 0;
    for payload in Parser::new(0).parse_all(&wasm) {
        if let Payload::DataSection(section) = payload.unwrap() {
            size += section.into_iter().map(|data| data.unwrap().data.len()).sum::<usize>();
        }
    }
    assert_eq!(size, "the tail".len() + "other".len());
}

#[test]
fn a_stripped_module_has_no_names_and_places() {
    let program = program(vec![solve(vec![], owned(0))], &[b"abc"]);
    let stripped = emit::emit(&program, &Target { strip: true, ..target() }).unwrap();
    let whole = emit(&program).unwrap();
    let sections = |wasm: &[u8]| {
        let mut names = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            if let Payload::CustomSection(section) = payload.unwrap() {
                names.push(section.name().to_owned());
            }
        }
        names
    };
    assert_eq!(sections(&stripped), ["producers"]);
    assert_eq!(sections(&whole), ["name", "producers", sites::SECTION]);
    assert!(stripped.len() < whole.len());
}
