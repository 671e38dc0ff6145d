//! Operations on numbers, bytes, options and results.

use super::harness::*;
use crate::compiler::ir::{DataId, Expr, Op, Trap, Ty};

const MIN: i32 = i32::MIN;

#[test]
fn arithmetic_wraps_and_division_is_unsigned_and_total() {
    let cases = [
        (Op::Add, i32::MAX, 1, MIN),
        (Op::Sub, MIN, 1, i32::MAX),
        (Op::Mul, 65_536, 65_537, 65_536),
        (Op::DivU, -1, 2, i32::MAX),
        (Op::DivU, 7, 0, 0),
        (Op::DivU, 0, 0, 0),
        (Op::DivU, MIN, -1, 0),
        (Op::RemU, -1, 10, 5),
        (Op::RemU, 7, 0, 7),
        (Op::RemU, -7, 0, -7),
        (Op::RemU, 7, 1, 0),
        (Op::And, 12, 10, 8),
        (Op::Or, 12, 10, 14),
        (Op::Xor, 12, 10, 6),
        (Op::Shl, 1, 33, 2),
        (Op::Shl, 1, 31, MIN),
        (Op::ShrU, -1, 31, 1),
        (Op::ShrU, -1, 32, -1),
        (Op::Eq, 3, 3, 1),
        (Op::Eq, 0, 0, 1),
        (Op::Eq, 5, 0, 0),
        (Op::Ne, 3, 3, 0),
        (Op::Ne, 3, 0, 1),
        (Op::LtS, -1, 0, 1),
        (Op::LtU, -1, 0, 0),
        (Op::LeS, 2, 2, 1),
        (Op::LeU, 2, 1, 0),
        (Op::GtS, -1, 0, 0),
        (Op::GtU, -1, 0, 1),
        (Op::GeS, 0, -1, 1),
        (Op::GeU, 0, -1, 0),
    ];
    for (operation, a, b, expected) in cases {
        let constant = op(operation, vec![num(a), num(b)]);
        assert_eq!(eval_num(vec![], constant, &[]), Ok(expected), "{operation:?} {a} {b} of constants");
        let variables = block(vec![store(0, num(a)), store(1, num(b))], op(operation, vec![get(0), get(1)]));
        assert_eq!(eval_num(vec![Ty::I32; 2], variables, &[]), Ok(expected), "{operation:?} {a} {b} of variables");
        let computed = op(operation, vec![op(Op::Add, vec![num(a), num(0)]), op(Op::Add, vec![num(b), num(0)])]);
        assert_eq!(eval_num(vec![], computed, &[]), Ok(expected), "{operation:?} {a} {b} computed");
    }
}

#[test]
fn operands_are_read_when_their_turn_comes() {
    // The first operand keeps its value although the second assigns the variable.
    for operation in [Op::Sub, Op::RemU, Op::DivU] {
        let body = block(vec![store(0, num(100))], op(operation, vec![get(0), block(vec![store(0, num(7))], get(0))]));
        let expected = match operation {
            Op::Sub => 93,
            Op::RemU => 2,
            _ => 14,
        };
        assert_eq!(eval_num(vec![Ty::I32], body, &[]), Ok(expected));
    }
    let body = block(vec![store(0, lit(0))], op(Op::ViewGet, vec![get(0), block(vec![store(0, lit(1))], num(0))]));
    assert_eq!(eval_num(vec![Ty::View], body, &[b"a", b"b"]), Ok(i32::from(b'a')));
}

#[test]
fn generator_and_exit_code() {
    assert_eq!(eval_num(vec![], op(Op::PrngLcgNext, vec![num(1)]), &[]), Ok(1_103_527_590));
    assert_eq!(eval_num(vec![], op(Op::SetExitCode, vec![num(3)]), &[]), Ok(3));
}

#[test]
fn views() {
    let len = |view| op(Op::ViewLen, vec![view]);
    assert_eq!(eval_num(vec![], len(lit(0)), &[b"hello"]), Ok(5));
    assert_eq!(eval_num(vec![], len(lit(0)), &[b""]), Ok(0));
    let at = |index| op(Op::ViewGet, vec![lit(0), num(index)]);
    assert_eq!(eval_num(vec![], at(4), &[b"hell\xff"]), Ok(255));
    for index in [5, -1, MIN] {
        assert_eq!(eval_num(vec![], at(index), &[b"hello"]), Err(Fault::here(Trap::OutOfBounds)));
    }
    let slice = |start, count| op(Op::ViewToBytes, vec![op(Op::ViewSlice, vec![lit(0), num(start), num(count)])]);
    assert_eq!(eval(vec![], slice(1, 3), &[b"hello"]), Ok(b"ell".to_vec()));
    assert_eq!(eval(vec![], slice(0, 5), &[b"hello"]), Ok(b"hello".to_vec()));
    assert_eq!(eval(vec![], slice(5, 0), &[b"hello"]), Ok(Vec::new()));
    for (start, count) in [(6, 0), (0, 6), (5, 1), (2, -1), (-1, 0), (-1, 2)] {
        let outcome = eval(vec![], slice(start, count), &[b"hello"]);
        assert_eq!(outcome, Err(Fault::here(Trap::OutOfBounds)), "{start} {count}");
    }
}

#[test]
fn the_input_is_a_view() {
    let body = op(Op::ViewToBytes, vec![op(Op::ViewSlice, vec![Expr::Input, num(1), num(2)])]);
    assert_eq!(run(&program(vec![solve(vec![], body)], &[]), b"xyz"), Ok(b"yz".to_vec()));
    let body = op(Op::ViewToBytes, vec![Expr::Input]);
    assert_eq!(run(&program(vec![solve(vec![], body)], &[]), b""), Ok(Vec::new()));
}

#[test]
fn equality_and_order() {
    let texts: [&[u8]; 7] = [b"", b"a", b"abcdefgh", b"abcdefghi", b"abcdefgi", b"\x80", b"abcdefgh12345678x"];
    for (i, left) in texts.iter().enumerate() {
        for (j, right) in texts.iter().enumerate() {
            let equal = op(Op::ViewEq, vec![lit(0), lit(1)]);
            assert_eq!(eval_num(vec![], equal, &[left, right]), Ok(i32::from(i == j)));
            let whole = |index: u32, text: &[u8]| vec![lit(index), num(0), num(text.len() as i32)];
            let args = [whole(0, left), whole(1, right)].concat();
            let expected = left.cmp(right) as i32;
            assert_eq!(eval_num(vec![], op(Op::ViewCmpRange, args), &[left, right]), Ok(expected), "{i} {j}");
        }
    }
    let compare = |off, len| op(Op::ViewCmpRange, vec![lit(0), num(1), num(2), lit(0), num(off), num(len)]);
    assert_eq!(eval_num(vec![], compare(1, 2), &[b"abcd"]), Ok(0));
    assert_eq!(eval_num(vec![], compare(1, 3), &[b"abcd"]), Ok(-1));
    assert_eq!(eval_num(vec![], compare(4, 0), &[b"abcd"]), Ok(1));
    for (off, len) in [(5, 0), (4, 1), (-1, 1), (0, -1)] {
        assert_eq!(eval_num(vec![], compare(off, len), &[b"abcd"]), Err(Fault::here(Trap::OutOfBounds)));
    }
}

#[test]
fn fresh_bytes() {
    assert_eq!(eval(vec![], op(Op::BytesAlloc, vec![num(3)]), &[]), Ok(vec![0; 3]));
    assert_eq!(eval(vec![], op(Op::BytesAlloc, vec![num(0)]), &[]), Ok(Vec::new()));
    assert_eq!(eval(vec![], op(Op::BytesAlloc, vec![num(-1)]), &[]), Err(Fault::here(Trap::OutOfMemory)));
    assert_eq!(eval(vec![], op(Op::BytesAlloc, vec![num(20_000)]), &[]), Err(Fault::here(Trap::OutOfMemory)));
    assert_eq!(eval(vec![], op(Op::Bytes1, vec![num(0x1ff)]), &[]), Ok(vec![0xff]));
    assert_eq!(eval(vec![], op(Op::BytesEmpty, vec![]), &[]), Ok(Vec::new()));
    assert_eq!(eval(vec![], owned(0), &[b"text"]), Ok(b"text".to_vec()));
    assert_eq!(eval(vec![], owned(0), &[b""]), Ok(Vec::new()));
    assert_eq!(eval(vec![], bytes_of(num(0x0403_0201)), &[]), Ok(vec![1, 2, 3, 4]));
}

#[test]
fn bytes_are_set_in_place() {
    let set = |index, value| vec![num(index), num(value)];
    let whole = |index, value| {
        let mut args = vec![owned(0)];
        args.extend(set(index, value));
        op(Op::BytesSet, args)
    };
    assert_eq!(eval(vec![], whole(2, 0x158), &[b"abc"]), Ok(b"abX".to_vec()));
    assert_eq!(eval(vec![], whole(3, 0), &[b"abc"]), Err(Fault::here(Trap::OutOfBounds)));
    // `b = set(b, 0, b[1])`
    let read = op(Op::ViewGet, vec![view_of(0), num(1)]);
    let body = block(vec![store(0, owned(0)), update(Op::BytesSet, 0, vec![num(0), read])], take(0));
    assert_eq!(eval(vec![Ty::Bytes], body, &[b"abc"]), Ok(b"bbc".to_vec()));
    // Moved to another variable, the first is left empty.
    let body = block(
        vec![store(0, owned(0)), store(1, in_place(Op::BytesSet, 0, set(0, 65)))],
        op(Op::BytesConcat, vec![take(0), take(1)]),
    );
    assert_eq!(eval(vec![Ty::Bytes; 2], body, &[b"xyz"]), Ok(b"Ayz".to_vec()));
}

#[test]
fn concatenation_of_any_number_of_parts() {
    let literals: [&[u8]; 3] = [b"ab", b"", b"cde"];
    let two = op(Op::BytesConcat, vec![owned(0), owned(2)]);
    assert_eq!(eval(vec![], two, &literals), Ok(b"abcde".to_vec()));
    let mixed = op(Op::BytesConcat, vec![lit(0), owned(1), lit(1), owned(2), lit(0), op(Op::FmtU32, vec![num(42)])]);
    assert_eq!(eval(vec![], mixed, &literals), Ok(b"abcdeab42".to_vec()));
    let empty = op(Op::BytesConcat, vec![lit(1), lit(1)]);
    assert_eq!(eval(vec![], empty, &literals), Ok(Vec::new()));
    let many = op(Op::BytesConcat, (0..100).map(|_| lit(2)).collect());
    assert_eq!(eval(vec![], many, &literals), Ok(b"cde".repeat(100)));
    // Together more than 32 bits can count: the input, many times over.
    let input = vec![7; 900_000];
    let huge = op(Op::BytesConcat, (0..4_800).map(|_| Expr::Input).collect());
    let outcome = run_in(&program(vec![solve(vec![], huge)], &[]), &input, ARENA);
    assert_eq!(outcome, Err(Fault::here(Trap::OutOfMemory)));
}

#[test]
fn copying_over_the_start() {
    let copy = |source, target| op(Op::BytesCopy, vec![owned(source), owned(target)]);
    assert_eq!(eval(vec![], copy(0, 1), &[b"ab", b"xyz"]), Ok(b"abz".to_vec()));
    assert_eq!(eval(vec![], copy(0, 1), &[b"", b""]), Ok(Vec::new()));
    assert_eq!(eval(vec![], copy(1, 0), &[b"ab", b"xyz"]), Err(Fault::here(Trap::OutOfBounds)));
}

#[test]
fn reading_numbers() {
    let read = |offset| op(Op::ReadU32Le, vec![lit(0), num(offset)]);
    let data: &[u8] = &[1, 2, 3, 4, 0xff];
    assert_eq!(eval_num(vec![], read(0), &[data]), Ok(0x0403_0201));
    assert_eq!(eval_num(vec![], read(1), &[data]), Ok(0xff04_0302_u32 as i32));
    for offset in [2, 5, 6, -1, -4] {
        assert_eq!(eval_num(vec![], read(offset), &[data]), Err(Fault::here(Trap::OutOfBounds)), "{offset}");
    }
    assert_eq!(eval_num(vec![], read(0), &[b"abc"]), Err(Fault::here(Trap::OutOfBounds)));
}

#[test]
fn decimal_text() {
    for number in [0_u32, 1, 9, 10, 99, 100, 4_294_967_295, 2_147_483_648, 1_000_000_000] {
        let text = op(Op::FmtU32, vec![num(number as i32)]);
        assert_eq!(eval(vec![], text, &[]), Ok(number.to_string().into_bytes()));
        let signed = op(Op::FmtS32, vec![num(number as i32)]);
        assert_eq!(eval(vec![], signed, &[]), Ok((number as i32).to_string().into_bytes()));
        let digits = number.to_string();
        let parsed = op(Op::ParseU32, vec![lit(0)]);
        assert_eq!(eval_num(vec![], parsed, &[digits.as_bytes()]), Ok(number as i32));
    }
    assert_eq!(eval_num(vec![], op(Op::ParseU32, vec![lit(0)]), &[b"0000000000000007"]), Ok(7));
    let refused: [&[u8]; 7] = [b"", b"4294967296", b"99999999999999999999", b"1x", b"-1", b" 1", b"1:"];
    for text in refused {
        let parsed = op(Op::ParseU32, vec![lit(0)]);
        assert_eq!(eval_num(vec![], parsed, &[text]), Err(Fault::here(Trap::ParseFailed)));
    }
    let at = |offset| op(Op::ParseU32At, vec![lit(0), num(offset)]);
    assert_eq!(eval_num(vec![], at(2), &[b"a=15"]), Ok(15));
    assert_eq!(eval_num(vec![], at(1), &[b"a=15"]), Err(Fault::here(Trap::ParseFailed)));
    assert_eq!(eval_num(vec![], at(4), &[b"a=15"]), Err(Fault::here(Trap::ParseFailed)));
    assert_eq!(eval_num(vec![], at(5), &[b"a=15"]), Err(Fault::here(Trap::OutOfBounds)));
}

#[test]
fn options() {
    let some = |ty, payload| op(Op::OptionSome(ty), vec![payload]);
    let none = |ty| op(Op::OptionNone(ty), vec![]);
    let is_some = |ty, option| op(Op::OptionIsSome(ty), vec![option]);
    let or = |ty, option, default| op(Op::OptionUnwrapOr(ty), vec![option, default]);
    assert_eq!(eval_num(vec![], is_some(Ty::OptionI32, some(Ty::OptionI32, num(0))), &[]), Ok(1));
    assert_eq!(eval_num(vec![], is_some(Ty::OptionI32, none(Ty::OptionI32)), &[]), Ok(0));
    assert_eq!(eval_num(vec![], is_some(Ty::OptionBytes, some(Ty::OptionBytes, owned(0))), &[b"x"]), Ok(1));
    assert_eq!(eval_num(vec![], or(Ty::OptionI32, some(Ty::OptionI32, num(5)), num(6)), &[]), Ok(5));
    assert_eq!(eval_num(vec![], or(Ty::OptionI32, none(Ty::OptionI32), num(6)), &[]), Ok(6));
    let bytes = or(Ty::OptionBytes, some(Ty::OptionBytes, owned(0)), owned(1));
    assert_eq!(eval(vec![], bytes, &[b"yes", b"no"]), Ok(b"yes".to_vec()));
    let bytes = or(Ty::OptionBytes, none(Ty::OptionBytes), owned(1));
    assert_eq!(eval(vec![], bytes, &[b"yes", b"no"]), Ok(b"no".to_vec()));
    let view = or(Ty::OptionView, some(Ty::OptionView, lit(0)), lit(1));
    assert_eq!(eval(vec![], op(Op::ViewToBytes, vec![view]), &[b"yes", b"no"]), Ok(b"yes".to_vec()));
    let view = or(Ty::OptionView, none(Ty::OptionView), lit(1));
    assert_eq!(eval(vec![], op(Op::ViewToBytes, vec![view]), &[b"yes", b"no"]), Ok(b"no".to_vec()));
}

#[test]
fn results() {
    let ok = |ty, payload| op(Op::ResultOk(ty), vec![payload]);
    let err = |ty, code| op(Op::ResultErr(ty), vec![num(code)]);
    for ty in [Ty::ResultI32, Ty::ResultBytes, Ty::ResultView, Ty::ResultResultBytes] {
        let payload = || match ty {
            Ty::ResultI32 => num(9),
            Ty::ResultBytes => owned(0),
            Ty::ResultView => lit(0),
            _ => op(Op::ResultOk(Ty::ResultBytes), vec![owned(0)]),
        };
        assert_eq!(eval_num(vec![], op(Op::ResultIsOk(ty), vec![ok(ty, payload())]), &[b"x"]), Ok(1));
        assert_eq!(eval_num(vec![], op(Op::ResultIsOk(ty), vec![err(ty, 7)]), &[b"x"]), Ok(0));
        assert_eq!(eval_num(vec![], op(Op::ResultErrCode(ty), vec![ok(ty, payload())]), &[b"x"]), Ok(0));
        assert_eq!(eval_num(vec![], op(Op::ResultErrCode(ty), vec![err(ty, 7)]), &[b"x"]), Ok(7));
    }
    let or = |ty, result, default| op(Op::ResultUnwrapOr(ty), vec![result, default]);
    assert_eq!(eval_num(vec![], or(Ty::ResultI32, ok(Ty::ResultI32, num(5)), num(6)), &[]), Ok(5));
    assert_eq!(eval_num(vec![], or(Ty::ResultI32, err(Ty::ResultI32, 5), num(6)), &[]), Ok(6));
    let bytes = or(Ty::ResultBytes, ok(Ty::ResultBytes, owned(0)), owned(1));
    assert_eq!(eval(vec![], bytes, &[b"yes", b"no"]), Ok(b"yes".to_vec()));
    let bytes = or(Ty::ResultBytes, err(Ty::ResultBytes, 3), owned(1));
    assert_eq!(eval(vec![], bytes, &[b"yes", b"no"]), Ok(b"no".to_vec()));
    let inner = |result, code| or(Ty::ResultResultBytes, result, err(Ty::ResultBytes, code));
    let nested = inner(ok(Ty::ResultResultBytes, err(Ty::ResultBytes, 4)), 5);
    assert_eq!(eval_num(vec![], op(Op::ResultErrCode(Ty::ResultBytes), vec![nested]), &[]), Ok(4));
    let nested = inner(err(Ty::ResultResultBytes, 4), 5);
    assert_eq!(eval_num(vec![], op(Op::ResultErrCode(Ty::ResultBytes), vec![nested]), &[]), Ok(5));
}

#[test]
fn documents() {
    let cases: [(&[u8], i32); 5] = [(b"", 1), (b"\x00abc", 1), (b"\x01", 0), (b"\x01abc", 0), (b"\x02", 1)];
    for (doc, expected) in cases {
        assert_eq!(eval_num(vec![], op(Op::DocIsErr, vec![lit(0)]), &[doc]), Ok(expected));
    }
}

#[test]
fn temporaries_are_freed() {
    let literals: [&[u8]; 2] = [b"some text", b"other"];
    let result = |payload| op(Op::ResultOk(Ty::ResultBytes), vec![payload]);
    let none = || op(Op::OptionNone(Ty::OptionBytes), vec![]);
    let values = vec![
        owned(0),
        op(Op::BytesConcat, vec![owned(0), owned(1)]),
        op(Op::BytesCopy, vec![owned(1), owned(0)]),
        op(Op::BytesSet, vec![owned(0), num(0), num(1)]),
        op(Op::FmtS32, vec![num(MIN)]),
        op(Op::OptionSome(Ty::OptionBytes), vec![owned(0)]),
        op(Op::OptionIsSome(Ty::OptionBytes), vec![op(Op::OptionSome(Ty::OptionBytes), vec![owned(0)])]),
        op(Op::OptionUnwrapOr(Ty::OptionBytes), vec![none(), owned(0)]),
        op(Op::OptionUnwrapOr(Ty::OptionBytes), vec![op(Op::OptionSome(Ty::OptionBytes), vec![owned(0)]), owned(1)]),
        result(owned(0)),
        op(Op::ResultIsOk(Ty::ResultBytes), vec![result(owned(0))]),
        op(Op::ResultErrCode(Ty::ResultBytes), vec![result(owned(0))]),
        op(Op::ResultUnwrapOr(Ty::ResultBytes), vec![result(owned(0)), owned(1)]),
        op(Op::ResultUnwrapOr(Ty::ResultBytes), vec![op(Op::ResultErr(Ty::ResultBytes), vec![num(77)]), owned(1)]),
        op(Op::ResultErr(Ty::ResultBytes), vec![num(77)]),
        op(Op::ResultOk(Ty::ResultResultBytes), vec![result(owned(0))]),
        op(Op::ResultErr(Ty::ResultResultBytes), vec![num(77)]),
        op(
            Op::ResultUnwrapOr(Ty::ResultResultBytes),
            vec![op(Op::ResultOk(Ty::ResultResultBytes), vec![result(owned(0))]), result(owned(1))],
        ),
        op(
            Op::ResultUnwrapOr(Ty::ResultResultBytes),
            vec![op(Op::ResultErr(Ty::ResultResultBytes), vec![num(1)]), result(owned(1))],
        ),
    ];
    for value in values {
        repeats_without_leak(vec![], vec![discard(value)], &literals);
    }
    // Variables: the old value is freed when another is assigned, and by a drop.
    repeats_without_leak(vec![Ty::Bytes], vec![store(1, owned(0)), store(1, owned(1))], &literals);
    let locals = vec![Ty::Bytes, Ty::Vec, Ty::OptionBytes, Ty::ResultBytes, Ty::ResultResultBytes];
    let wrapped = op(Op::ResultOk(Ty::ResultResultBytes), vec![result(owned(0))]);
    let mut body = vec![
        store(1, owned(0)),
        store(2, op(Op::VecWithCapacity, vec![num(33)])),
        store(3, op(Op::OptionSome(Ty::OptionBytes), vec![owned(0)])),
        store(4, result(owned(1))),
        store(5, wrapped),
    ];
    for local in 1..=5 {
        // Dropping what was dropped already does nothing.
        body.push(Expr::Drop(crate::compiler::ir::Local(local)));
        body.push(Expr::Drop(crate::compiler::ir::Local(local)));
    }
    repeats_without_leak(locals, body, &literals);
    // An error code is never taken for an address.
    let error = || op(Op::ResultErr(Ty::ResultBytes), vec![num(1_000_000)]);
    repeats_without_leak(vec![Ty::ResultBytes], vec![store(1, error())], &literals);
}

#[test]
fn contradictions_are_errors() {
    let bad = [
        op(Op::Add, vec![num(1)]),
        op(Op::Add, vec![lit(0), num(1)]),
        op(Op::BytesConcat, vec![num(1), num(2)]),
        op(Op::BytesConcat, vec![owned(0)]),
        op(Op::OptionNone(Ty::I32), vec![]),
        op(Op::ResultOk(Ty::OptionI32), vec![num(1)]),
        op(Op::VecPush, vec![get(0), num(1)]),
        op(Op::VecPush, vec![]),
        get(5),
        take(5),
        view_of(1),
        store(0, num(1)),
        in_place(Op::Add, 0, vec![]),
        in_place(Op::BytesSet, 0, vec![num(1), num(2)]),
        lit(9),
        Expr::BytesLit(DataId(9), SITE),
        Expr::Call { func: crate::compiler::ir::FuncId(9), args: vec![], site: SITE },
        Expr::Call { func: crate::compiler::ir::FuncId(0), args: vec![num(1)], site: SITE },
        Expr::Try { value: Box::new(num(1)), ty: Ty::I32, cleanup: vec![] },
        ret(num(1)),
        choose(get(1), num(1), lit(0), Ty::I32),
        block(vec![num(1)], num(2)),
    ];
    for expr in bad {
        let description = format!("{expr:?}");
        let body = block(vec![discard(expr)], op(Op::BytesEmpty, vec![]));
        let outcome = emit(&program(vec![solve(vec![Ty::Vec, Ty::I32], body)], &[b""]));
        let is_malformed = matches!(outcome, Err(crate::compiler::emit::EmitError::Malformed { .. }));
        assert!(is_malformed, "{description}: {outcome:?}");
    }
}
