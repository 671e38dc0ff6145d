//! Control flow, calls, early exits and what they free.

use super::harness::*;
use crate::compiler::emit::EmitError;
use crate::compiler::ir::{Expr, FuncId, Local, Op, Program, Trap, Ty};

fn add(a: Expr, b: Expr) -> Expr {
    op(Op::Add, vec![a, b])
}

fn call(func: u32, args: Vec<Expr>) -> Expr {
    Expr::Call { func: FuncId(func), args, site: SITE }
}

fn attempt(ty: Ty, value: Expr, cleanup: Vec<Expr>) -> Expr {
    Expr::Try { value: Box::new(value), ty, cleanup }
}

fn drop_local(local: u32) -> Expr {
    Expr::Drop(Local(local))
}

fn while_loop(cond: Expr, body: Expr) -> Expr {
    Expr::While { cond: Box::new(cond), body: Box::new(body) }
}

#[test]
fn choices() {
    for (cond, expected) in [(0, 2), (1, 1), (-1, 1), (256, 1)] {
        assert_eq!(eval_num(vec![], choose(num(cond), num(1), num(2), Ty::I32), &[]), Ok(expected));
        let computed = add(num(cond), num(0));
        assert_eq!(eval_num(vec![], choose(computed.clone(), num(1), num(2), Ty::I32), &[]), Ok(expected));
        // Conditions that only negate.
        let is_zero = op(Op::Eq, vec![computed.clone(), num(0)]);
        assert_eq!(eval_num(vec![], choose(is_zero.clone(), num(2), num(1), Ty::I32), &[]), Ok(expected));
        let is_not_zero = op(Op::Eq, vec![is_zero.clone(), num(0)]);
        assert_eq!(eval_num(vec![], choose(is_not_zero, num(1), num(2), Ty::I32), &[]), Ok(expected));
        let differs = op(Op::Ne, vec![computed, num(0)]);
        assert_eq!(eval_num(vec![], choose(differs, num(1), num(2), Ty::I32), &[]), Ok(expected));
        // A value, not only a truth.
        assert_eq!(eval_num(vec![], is_zero, &[]), Ok(expected - 1));
    }
    let bytes = choose(add(num(0), num(0)), owned(0), owned(1), Ty::Bytes);
    assert_eq!(eval(vec![], bytes, &[b"yes", b"no"]), Ok(b"no".to_vec()));
    let nothing = || statements(vec![]);
    let body = block(
        vec![
            store(0, num(1)),
            choose(get(0), nothing(), store(0, num(5)), Ty::Unit),
            choose(get(0), store(0, add(get(0), num(1))), nothing(), Ty::Unit),
            choose(get(0), nothing(), nothing(), Ty::Unit),
        ],
        get(0),
    );
    assert_eq!(eval_num(vec![Ty::I32], body, &[]), Ok(2));
}

#[test]
fn negated_comparisons() {
    let operations = [Op::Eq, Op::Ne, Op::LtS, Op::LeS, Op::GtS, Op::GeS, Op::LtU, Op::LeU, Op::GtU, Op::GeU];
    for operation in operations {
        for (a, b) in [(1, 2), (2, 1), (1, 1), (-1, 1), (1, -1)] {
            let compare = || op(operation, vec![add(num(a), num(0)), add(num(b), num(0))]);
            let plain = eval_num(vec![], compare(), &[]).unwrap();
            let negated = choose(op(Op::Eq, vec![compare(), num(0)]), num(0), num(1), Ty::I32);
            assert_eq!(eval_num(vec![], negated, &[]), Ok(plain), "{operation:?} {a} {b}");
        }
    }
}

#[test]
fn counting_loops() {
    let sum = |start, end| {
        let body = store(1, add(op(Op::Mul, vec![get(1), num(10)]), get(0)));
        block(vec![repeat(0, num(start), end, body)], add(get(1), op(Op::Mul, vec![get(0), num(100_000)])))
    };
    assert_eq!(eval_num(vec![Ty::I32; 2], sum(1, num(4)), &[]), Ok(400_123));
    assert_eq!(eval_num(vec![Ty::I32; 2], sum(4, num(4)), &[]), Ok(400_000));
    assert_eq!(eval_num(vec![Ty::I32; 2], sum(5, num(4)), &[]), Ok(500_000));
    // The limit is compared unsigned: from -1 there is nothing to count up to 4.
    assert_eq!(eval_num(vec![Ty::I32; 2], sum(-1, num(4)), &[]), Ok(-100_000));
    // The limit is evaluated after the start was stored, and once.
    assert_eq!(eval_num(vec![Ty::I32; 2], sum(2, get(0)), &[]), Ok(200_000));
    assert_eq!(eval_num(vec![Ty::I32; 2], sum(2, add(get(0), num(2))), &[]), Ok(400_023));
    // Changing the variable that the limit came from changes nothing.
    let body = statements(vec![store(1, num(100)), store(2, add(get(2), num(1)))]);
    let value = block(vec![store(1, num(3)), repeat(0, num(0), get(1), body)], get(2));
    assert_eq!(eval_num(vec![Ty::I32; 3], value, &[]), Ok(3));
    // The body may change the counter.
    let body = statements(vec![store(0, add(get(0), num(1))), store(1, add(get(1), num(1)))]);
    let value = block(vec![repeat(0, num(0), num(10), body)], get(1));
    assert_eq!(eval_num(vec![Ty::I32; 2], value, &[]), Ok(5));
}

#[test]
fn conditional_loops() {
    let cond = op(Op::LtU, vec![get(0), num(5)]);
    let body = statements(vec![store(1, add(get(1), get(0))), store(0, add(get(0), num(1)))]);
    let value = block(vec![while_loop(cond, body)], get(1));
    assert_eq!(eval_num(vec![Ty::I32; 2], value, &[]), Ok(10));
    let value = block(vec![while_loop(num(0), store(0, num(1)))], get(0));
    assert_eq!(eval_num(vec![Ty::I32], value, &[]), Ok(0));
}

#[test]
fn returning_from_anywhere() {
    // From a loop in a loop, with clean-up.
    let out = Expr::Return { value: Box::new(bytes_of(get(0))), cleanup: vec![drop_local(2)] };
    let inner = choose(op(Op::Eq, vec![get(0), num(3)]), out, statements(vec![]), Ty::Unit);
    let body = block(
        vec![store(2, owned(0)), repeat(0, num(0), num(10), repeat(1, num(0), num(2), inner))],
        op(Op::BytesEmpty, vec![]),
    );
    let locals = vec![Ty::I32, Ty::I32, Ty::Bytes];
    assert_eq!(eval(locals, body, &[b"text"]), Ok(vec![3, 0, 0, 0]));
    // In the place of every kind of operand; what follows is dead.
    let out = || ret(owned(0));
    let dead = vec![
        bytes_of(add(num(1), out())),
        bytes_of(add(out(), num(1))),
        bytes_of(op(Op::RemU, vec![get(0), out()])),
        op(Op::BytesConcat, vec![owned(0), lit(0), out()]),
        op(Op::ViewToBytes, vec![op(Op::ViewSlice, vec![lit(0), out(), num(1)])]),
        choose(out(), owned(0), owned(0), Ty::Bytes),
        choose(get(0), out(), out(), Ty::Bytes),
        choose(num(1), out(), owned(0), Ty::Bytes),
        block(vec![choose(get(0), statements(vec![]), out(), Ty::Unit)], owned(1)),
        block(vec![while_loop(out(), statements(vec![]))], owned(1)),
        block(vec![while_loop(num(1), out())], owned(1)),
        block(vec![repeat(0, num(0), num(2), out())], owned(1)),
        block(vec![repeat(0, out(), num(2), statements(vec![]))], owned(1)),
        block(vec![repeat(0, num(0), out(), statements(vec![]))], owned(1)),
        block(vec![store(0, out())], owned(1)),
        block(vec![discard(out())], owned(1)),
        ret(ret(out())),
        out(),
        op(Op::VecIntoBytes, vec![op(Op::VecPush, vec![op(Op::VecWithCapacity, vec![num(1)]), out()])]),
        op(Op::OptionUnwrapOr(Ty::OptionBytes), vec![op(Op::OptionNone(Ty::OptionBytes), vec![]), out()]),
        call(1, vec![owned(1), out()]),
    ];
    for body in dead {
        let description = format!("{body:?}");
        let helper = function("t.second", 2, Ty::Bytes, vec![Ty::Bytes, Ty::I32], take(0));
        let program = program(vec![solve(vec![Ty::I32], body), helper], &[b"out", b"end"]);
        assert_eq!(run(&program, b""), Ok(b"out".to_vec()), "{description}");
    }
}

#[test]
fn calls() {
    // Words of all kinds go through, results of up to four words come back.
    let pair = function(
        "t.pair",
        3,
        Ty::Bytes,
        vec![Ty::View, Ty::I32, Ty::Bytes],
        block(
            vec![],
            Expr::Block {
                body: vec![],
                value: Some(Box::new(op(Op::BytesConcat, vec![get(0), op(Op::FmtU32, vec![get(1)]), take(2)]))),
                cleanup: vec![drop_local(2)],
            },
        ),
    );
    let nested = function("t.wrap", 1, Ty::ResultResultBytes, vec![Ty::Bytes], {
        let inner = op(Op::ResultOk(Ty::ResultBytes), vec![take(0)]);
        op(Op::ResultOk(Ty::ResultResultBytes), vec![inner])
    });
    let default = || op(Op::ResultErr(Ty::ResultBytes), vec![num(0)]);
    let unwrapped = op(
        Op::ResultUnwrapOr(Ty::ResultBytes),
        vec![
            op(
                Op::ResultUnwrapOr(Ty::ResultResultBytes),
                vec![call(2, vec![call(1, vec![lit(0), num(12), owned(1)])]), default()],
            ),
            owned(0),
        ],
    );
    let program = program(vec![solve(vec![], unwrapped), pair, nested], &[b"a", b"b"]);
    assert_eq!(run(&program, b""), Ok(b"a12b".to_vec()));
}

#[test]
fn floats_and_pairs_pass_through() {
    let pass = function(
        "t.pass",
        3,
        Ty::F64,
        vec![Ty::I32, Ty::F64, Ty::Iface, Ty::F64],
        block(vec![store(3, get(1)), store(1, take(3))], get(1)),
    );
    let body = block(
        vec![store(0, call(1, vec![num(1), get(0), get(1)])), discard(get(1)), discard(take(0))],
        op(Op::BytesEmpty, vec![]),
    );
    let program = program(vec![solve(vec![Ty::F64, Ty::Iface], body), pass], &[]);
    assert_eq!(run(&program, b""), Ok(Vec::new()));
}

#[test]
fn recursion() {
    // f(n) = n < 2 ? n : f(n - 1) + f(n - 2)
    let minus = |by| op(Op::Sub, vec![get(0), num(by)]);
    let body = choose(
        op(Op::LtU, vec![get(0), num(2)]),
        get(0),
        add(call(1, vec![minus(1)]), call(1, vec![minus(2)])),
        Ty::I32,
    );
    let program = program(
        vec![solve(vec![], bytes_of(call(1, vec![num(15)]))), function("t.fib", 1, Ty::I32, vec![Ty::I32], body)],
        &[],
    );
    assert_eq!(run(&program, b""), Ok(610_u32.to_le_bytes().to_vec()));
}

/// `solve` shows a result's tag and its value or error code; function 1 makes the result from
/// whether it should fail.
fn tried(ty: Ty, result: Ty, fail: bool) -> Program {
    let make = choose(
        num(i32::from(fail)),
        op(Op::ResultErr(ty), vec![num(42)]),
        op(
            Op::ResultOk(ty),
            vec![match ty {
                Ty::ResultI32 => num(9),
                Ty::ResultView => lit(0),
                Ty::ResultResultBytes => op(Op::ResultOk(Ty::ResultBytes), vec![owned(0)]),
                _ => owned(0),
            }],
        ),
        ty,
    );
    let maker = function("t.make", 0, ty, vec![], make);
    let payload = attempt(ty, call(1, vec![]), vec![drop_local(1)]);
    let used = match ty {
        Ty::ResultI32 => bytes_of(payload),
        Ty::ResultView => op(Op::ViewToBytes, vec![payload]),
        Ty::ResultResultBytes => op(Op::ResultUnwrapOr(Ty::ResultBytes), vec![payload, owned(1)]),
        _ => payload,
    };
    let wrapped = match result {
        Ty::ResultBytes => op(Op::ResultOk(result), vec![used]),
        Ty::ResultResultBytes => op(Op::ResultOk(result), vec![op(Op::ResultOk(Ty::ResultBytes), vec![used])]),
        _ => block(vec![discard(used)], op(Op::ResultOk(result), vec![num(5)])),
    };
    // The value waits while an earlier variable is alive.
    let user = function(
        "t.use",
        0,
        result,
        vec![Ty::I32, Ty::Bytes],
        Expr::Block { body: vec![store(1, owned(1))], value: Some(Box::new(wrapped)), cleanup: vec![drop_local(1)] },
    );
    let body = block(
        vec![store(0, call(2, vec![])), store(1, op(Op::ResultErrCode(result), vec![get(0)])), drop_local(0)],
        bytes_of(get(1)),
    );
    program(vec![solve(vec![result, Ty::I32], body), maker, user], &[b"payload", b"variable"])
}

#[test]
fn errors_leave_the_function() {
    for ty in [Ty::ResultI32, Ty::ResultBytes, Ty::ResultView, Ty::ResultResultBytes] {
        for result in [Ty::ResultI32, Ty::ResultBytes, Ty::ResultResultBytes] {
            for fail in [false, true] {
                let expected = if fail { 42_u32 } else { 0 };
                let outcome = run(&tried(ty, result, fail), b"");
                assert_eq!(outcome, Ok(expected.to_le_bytes().to_vec()), "{ty:?} {result:?} {fail}");
            }
        }
    }
}

#[test]
fn early_exits_free_what_waits() {
    // `t.keep(bytes, i32) -> result_i32` consumes its argument; `t.fail` returns an error while
    // bytes wait in the middle of a concatenation, a call, and a vector operation.
    let error = || op(Op::ResultErr(Ty::ResultI32), vec![num(1)]);
    let failing = || attempt(Ty::ResultI32, error(), vec![]);
    let keep = function(
        "t.keep",
        2,
        Ty::I32,
        vec![Ty::Bytes, Ty::I32],
        Expr::Block { body: vec![], value: Some(Box::new(get(1))), cleanup: vec![drop_local(0)] },
    );
    let waiting = [
        op(Op::ViewLen, vec![lit(0)]),
        call(2, vec![owned(0), failing()]),
        block(vec![discard(op(Op::BytesConcat, vec![owned(0), bytes_of(failing())]))], num(1)),
        op(Op::VecLen, vec![op(Op::VecPush, vec![op(Op::VecWithCapacity, vec![num(40)]), failing()])]),
        block(
            vec![discard(op(Op::BytesSet, vec![owned(0), num(0), choose(num(1), ret(error()), num(1), Ty::I32)]))],
            num(1),
        ),
        call(2, vec![op(Op::BytesConcat, vec![owned(0), owned(0)]), add(num(1), failing())]),
    ];
    for value in waiting {
        let description = format!("{value:?}");
        let fail = function("t.fail", 0, Ty::ResultI32, vec![], op(Op::ResultOk(Ty::ResultI32), vec![value]));
        let body = block(vec![repeat(0, num(0), num(2000), discard(call(1, vec![])))], op(Op::BytesEmpty, vec![]));
        let program = program(vec![solve(vec![Ty::I32], body), fail, keep.clone()], &[b"some bytes that wait"]);
        assert_eq!(run_in(&program, b"", 2048), Ok(Vec::new()), "{description}");
    }
}

#[test]
fn faults_name_the_innermost_place_of_the_program() {
    let at = |site, op, args| Expr::Op { op, args, site };
    let inner = function("t.inner", 1, Ty::I32, vec![Ty::View], at(INNER, Op::ViewGet, vec![get(0), num(3)]));
    let program = program(vec![solve(vec![], bytes_of(call(1, vec![lit(0)]))), inner], &[b"abc"]);
    let fault = run(&program, b"").unwrap_err();
    let expected =
        Fault { trap: Some(Trap::OutOfBounds), symbol: "t.inner".to_owned(), pointer: "/solve/7/1".to_owned() };
    assert_eq!(fault, expected);
}

/// Runs a deeply nested program and drops it where that does not end the stack.
fn run_deep(body: Expr, input: &[u8]) -> Result<Vec<u8>, Fault> {
    let program = program(vec![solve(vec![], body)], &[]);
    let outcome = run(&program, input);
    stacker::grow(256 << 20, || drop(program));
    outcome
}

#[test]
fn deep_and_long_programs() {
    let mut deep = num(0);
    for _ in 0..10_000 {
        deep = add(op(Op::ViewLen, vec![Expr::Input]), deep);
    }
    assert_eq!(run_deep(bytes_of(deep), b"ab"), Ok(20_000_u32.to_le_bytes().to_vec()));
    let mut nested = num(7);
    for _ in 0..2_000 {
        nested = choose(op(Op::ViewLen, vec![Expr::Input]), nested, num(1), Ty::I32);
    }
    assert_eq!(run_deep(bytes_of(nested), b"x"), Ok(7_u32.to_le_bytes().to_vec()));
    // Ten thousand operations in a row share their scratch locals.
    let turn = || store(0, op(Op::RemU, vec![add(get(0), num(1)), op(Op::ViewLen, vec![Expr::Input])]));
    let body = block((0..10_000).map(|_| turn()).collect(), bytes_of(get(0)));
    let long = program(vec![solve(vec![Ty::I32], body)], &[]);
    assert_eq!(run(&long, &[0; 9_999]), Ok(1_u32.to_le_bytes().to_vec()));
}

#[test]
fn too_many_locals_are_refused() {
    let body = op(Op::BytesEmpty, vec![]);
    let program = program(vec![solve(vec![Ty::Vec; 20_000], body)], &[]);
    assert_eq!(emit(&program), Err(EmitError::TooManyLocals { function: "solve".to_owned() }));
}
