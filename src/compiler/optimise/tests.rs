//! What the passes make of small programs, and what they must leave alone.

use super::{bounds, fold, look, optimise};
use crate::compiler::ir::{
    DataId, Expr, FuncId, Function, FunctionKind, Local, Op, Program, Site, SiteId, Step, Trap, Ty, Unchecked,
};

const SITE: SiteId = SiteId(1);

fn num(number: i32) -> Expr {
    Expr::I32(number)
}

fn get(local: u32) -> Expr {
    Expr::Get(Local(local))
}

fn op(op: Op, args: Vec<Expr>) -> Expr {
    Expr::Op { op, args, site: SITE }
}

fn store(local: u32, value: Expr) -> Expr {
    Expr::Store { local: Local(local), value: Box::new(value), drop_old: false }
}

fn write(kind: Op, local: u32, args: Vec<Expr>) -> Expr {
    store(local, Expr::InPlace { op: kind, local: Local(local), args, site: SITE })
}

fn statements(body: Vec<Expr>) -> Expr {
    Expr::Block { body, value: None, cleanup: Vec::new() }
}

fn choose(cond: Expr, then: Expr, otherwise: Expr, ty: Ty) -> Expr {
    Expr::If { cond: Box::new(cond), then: Box::new(then), otherwise: Box::new(otherwise), ty }
}

fn repeat(var: u32, start: Expr, end: Expr, body: Expr) -> Expr {
    Expr::For { var: Local(var), start: Box::new(start), end: Box::new(end), body: Box::new(body) }
}

fn while_(cond: Expr, body: Expr) -> Expr {
    Expr::While { cond: Box::new(cond), body: Box::new(body) }
}

fn trap() -> Expr {
    Expr::Trap { trap: Trap::Unreachable, site: SITE }
}

fn view_len(local: u32) -> Expr {
    op(Op::ViewLen, vec![get(local)])
}

fn view_get(local: u32, index: Expr) -> Expr {
    op(Op::ViewGet, vec![get(local), index])
}

fn add(left: Expr, right: i32) -> Expr {
    op(Op::Add, vec![left, num(right)])
}

fn discard(value: Expr) -> Expr {
    Expr::Discard(Box::new(value))
}

/// Locals of the functions below: two views, bytes, a vector, then numbers.
const LOCALS: [Ty; 8] = [Ty::View, Ty::View, Ty::Bytes, Ty::Vec, Ty::I32, Ty::I32, Ty::I32, Ty::I32];
const V: u32 = 0;
const W: u32 = 1;
const B: u32 = 2;
const X: u32 = 3;
const I: u32 = 4;
const N: u32 = 5;
const C: u32 = 6;

fn function(symbol: &str, params: u32, result: Ty, locals: Vec<Ty>, body: Expr) -> Function {
    Function {
        symbol: symbol.to_owned(),
        module: 0,
        site: SiteId(0),
        kind: FunctionKind::Plain,
        params,
        result,
        locals,
        body,
    }
}

/// How many checks stay in these statements, all of whose locals are parameters.
fn checks(body: Vec<Expr>) -> usize {
    let mut function = function("f", 8, Ty::I32, LOCALS.to_vec(), statements(body));
    bounds::function(&mut function, &[64]);
    let mut count = 0;
    look::any(&function.body, |node| {
        let checked = match node {
            Expr::Op { op, .. } | Expr::InPlace { op, .. } => matches!(
                op,
                Op::ViewGet
                    | Op::VecGet
                    | Op::BytesSet
                    | Op::VecSet
                    | Op::ReadU32Le
                    | Op::BytesSetU32Le
                    | Op::VecSetU32Le
                    | Op::ViewSlice
                    | Op::WordFits
            ),
            _ => false,
        };
        count += usize::from(checked);
        false
    });
    count
}

#[test]
fn a_loop_over_a_view_needs_no_check() {
    let body = discard(view_get(V, get(I)));
    assert_eq!(checks(vec![repeat(I, num(0), view_len(V), body)]), 0);
    // The limit in a variable.
    let body = discard(view_get(V, get(I)));
    assert_eq!(checks(vec![store(N, view_len(V)), repeat(I, get(C), get(N), body)]), 0);
}

#[test]
fn a_loop_that_changes_its_counter_or_view_is_checked() {
    let moved = statements(vec![store(I, add(get(I), 1)), discard(view_get(V, get(I)))]);
    assert_eq!(checks(vec![repeat(I, num(0), view_len(V), moved)]), 1);
    // Before the assignment the counter is still below the limit.
    let later = statements(vec![discard(view_get(V, get(I))), store(I, add(get(I), 1))]);
    assert_eq!(checks(vec![repeat(I, num(0), view_len(V), later)]), 0);
    let other = statements(vec![discard(view_get(V, get(I))), store(V, get(W))]);
    assert_eq!(checks(vec![repeat(I, num(0), view_len(V), other)]), 1);
    // A view of another length.
    assert_eq!(checks(vec![repeat(I, num(0), view_len(W), discard(view_get(V, get(I))))]), 1);
    // The index after the loop.
    let body = discard(view_get(V, get(I)));
    assert_eq!(checks(vec![repeat(I, num(0), view_len(V), body), discard(view_get(V, get(I)))]), 1);
    // A limit that is changed in the body was evaluated before, but is not the length of this round's view.
    let body = statements(vec![discard(view_get(V, get(I))), store(N, num(0))]);
    assert_eq!(checks(vec![store(N, view_len(V)), repeat(I, num(0), get(N), body)]), 0);
    let body = statements(vec![discard(view_get(V, get(I)))]);
    assert_eq!(checks(vec![repeat(I, num(0), get(N), body)]), 1);
}

#[test]
fn a_neighbour_of_a_counter_is_checked() {
    assert_eq!(checks(vec![repeat(I, num(0), view_len(V), discard(view_get(V, add(get(I), 1))))]), 1);
    assert_eq!(checks(vec![repeat(I, num(0), view_len(V), discard(view_get(V, add(get(I), -1))))]), 1);
}

#[test]
fn a_second_check_of_the_same_index_goes() {
    assert_eq!(checks(vec![discard(view_get(V, get(I))), discard(view_get(V, get(I)))]), 1);
    assert_eq!(checks(vec![discard(view_get(V, get(I))), discard(view_get(W, get(I)))]), 2);
    let between = store(I, add(get(I), 1));
    assert_eq!(checks(vec![discard(view_get(V, get(I))), between, discard(view_get(V, get(I)))]), 2);
    let between = store(V, get(W));
    assert_eq!(checks(vec![discard(view_get(V, get(I))), between, discard(view_get(V, get(I)))]), 2);
    // A copy of the index is the same index.
    let copy = store(N, get(I));
    assert_eq!(checks(vec![discard(view_get(V, get(I))), copy, discard(view_get(V, get(N)))]), 1);
}

#[test]
fn what_a_branch_checks_says_nothing_behind_it() {
    let then = discard(view_get(V, get(I)));
    let branch = choose(get(C), then, statements(vec![]), Ty::Unit);
    assert_eq!(checks(vec![branch, discard(view_get(V, get(I)))]), 2);
    // Unless the other branch leaves.
    let guard = choose(op(Op::GeU, vec![get(I), view_len(V)]), trap(), statements(vec![]), Ty::Unit);
    assert_eq!(checks(vec![guard, discard(view_get(V, get(I)))]), 0);
    let guard = choose(op(Op::GtU, vec![get(I), view_len(V)]), trap(), statements(vec![]), Ty::Unit);
    assert_eq!(checks(vec![guard, discard(view_get(V, get(I)))]), 1);
    // A body that may not run.
    let body = discard(view_get(V, get(I)));
    assert_eq!(checks(vec![while_(get(C), body), discard(view_get(V, get(I)))]), 2);
}

#[test]
fn conditions_are_taken_as_they_are() {
    let guarded = |cond: Expr| choose(cond, discard(view_get(V, get(I))), statements(vec![]), Ty::Unit);
    assert_eq!(checks(vec![guarded(op(Op::LtU, vec![get(I), view_len(V)]))]), 0);
    assert_eq!(checks(vec![guarded(op(Op::GtU, vec![view_len(V), get(I)]))]), 0);
    assert_eq!(checks(vec![guarded(op(Op::LeU, vec![get(I), view_len(V)]))]), 1);
    // Signed: the index may be negative, which is a large number.
    assert_eq!(checks(vec![guarded(op(Op::LtS, vec![get(I), view_len(V)]))]), 1);
    assert_eq!(checks(vec![guarded(op(Op::LtU, vec![get(I), view_len(W)]))]), 1);
    // Both parts of a conjunction hold, one of a disjunction may not.
    let both = choose(get(C), op(Op::LtU, vec![get(I), view_len(V)]), num(0), Ty::I32);
    assert_eq!(checks(vec![guarded(both)]), 0);
    let either = choose(get(C), num(1), op(Op::LtU, vec![get(I), view_len(V)]), Ty::I32);
    assert_eq!(checks(vec![guarded(either)]), 1);
    // A condition that changes the index after the comparison.
    let step = Expr::Block { body: vec![store(I, add(get(I), 1))], value: Some(Box::new(num(1))), cleanup: vec![] };
    let both = choose(op(Op::LtU, vec![get(I), view_len(V)]), step, num(0), Ty::I32);
    assert_eq!(checks(vec![guarded(both)]), 1);
}

#[test]
fn a_loop_condition_holds_in_the_body_only_until_its_variables_change() {
    let cond = || op(Op::LtU, vec![get(I), view_len(V)]);
    let body = statements(vec![discard(view_get(V, get(I))), store(I, add(get(I), 1))]);
    assert_eq!(checks(vec![while_(cond(), body)]), 0);
    let body = statements(vec![store(I, add(get(I), 1)), discard(view_get(V, get(I)))]);
    assert_eq!(checks(vec![while_(cond(), body)]), 1);
    let body = statements(vec![store(I, add(get(I), 1))]);
    assert_eq!(checks(vec![while_(cond(), body), discard(view_get(V, get(I)))]), 1);
}

#[test]
fn neighbours_of_a_checked_index() {
    let far = || discard(view_get(V, add(get(I), 2)));
    let near = || discard(view_get(V, add(get(I), 1)));
    let here = || discard(view_get(V, get(I)));
    // The last may have wrapped around, so it says nothing about the ones before.
    assert_eq!(checks(vec![far(), near(), here()]), 3);
    assert_eq!(checks(vec![here(), far(), near()]), 2);
    assert_eq!(checks(vec![here(), near(), far()]), 3);
}

#[test]
fn lengths_follow_the_buffer() {
    let set = |index: Expr| write(Op::BytesSet, B, vec![index, num(1)]);
    let read = || discard(op(Op::ViewGet, vec![Expr::ViewOf(Local(B)), get(I)]));
    // A write keeps the length; another buffer does not.
    assert_eq!(checks(vec![read(), set(get(I)), read()]), 1);
    let fresh = store(B, op(Op::BytesAlloc, vec![get(N)]));
    assert_eq!(checks(vec![read(), fresh, read()]), 2);
    let fresh = || store(B, op(Op::BytesAlloc, vec![num(16)]));
    assert_eq!(checks(vec![fresh(), set(num(15))]), 0);
    assert_eq!(checks(vec![fresh(), set(num(16))]), 1);
    // In a loop, too.
    let body = set(get(I));
    assert_eq!(checks(vec![fresh(), repeat(I, num(0), num(16), body)]), 0);
    let body = statements(vec![set(get(I)), store(B, op(Op::BytesAlloc, vec![num(1)]))]);
    assert_eq!(checks(vec![fresh(), repeat(I, num(0), num(16), body)]), 1);
    // A vector grows and shrinks.
    let at = || discard(op(Op::VecGet, vec![get(X), get(I)]));
    assert_eq!(checks(vec![at(), write(Op::VecSet, X, vec![get(I), num(0)]), at()]), 1);
    assert_eq!(checks(vec![at(), write(Op::VecClear, X, vec![]), at()]), 2);
    assert_eq!(checks(vec![at(), write(Op::VecPush, X, vec![num(0)]), at()]), 2);
    // A variable that was emptied.
    let moved = store(B, Expr::Take(Local(B)));
    assert_eq!(checks(vec![read(), moved, read()]), 1);
    assert_eq!(checks(vec![read(), Expr::Drop(Local(B)), read()]), 2);
}

#[test]
fn limits_of_numbers() {
    let table = || Expr::ViewLit(DataId(0));
    let read = |index: Expr| discard(op(Op::ViewGet, vec![table(), index]));
    assert_eq!(checks(vec![read(op(Op::And, vec![get(I), num(63)]))]), 0);
    assert_eq!(checks(vec![read(op(Op::And, vec![get(I), num(64)]))]), 1);
    assert_eq!(checks(vec![read(op(Op::ShrU, vec![get(I), num(26)]))]), 0);
    assert_eq!(checks(vec![read(op(Op::ShrU, vec![get(I), num(25)]))]), 1);
    assert_eq!(checks(vec![read(op(Op::RemU, vec![get(I), num(64)]))]), 0);
    // A remainder by 0 is the dividend.
    assert_eq!(checks(vec![read(op(Op::RemU, vec![get(I), num(0)]))]), 1);
    // A byte times four, and one more.
    let word = |index: Expr| discard(op(Op::ReadU32Le, vec![Expr::ViewOf(Local(B)), index]));
    let byte = || op(Op::Mul, vec![view_get(V, get(I)), num(4)]);
    let alloc = |size: i32| store(B, op(Op::BytesAlloc, vec![num(size)]));
    assert_eq!(checks(vec![alloc(1024), word(byte())]), 1);
    assert_eq!(checks(vec![alloc(1023), word(byte())]), 2);
}

#[test]
fn words_of_a_view_by_number() {
    let word = |factor: i32| discard(op(Op::ReadU32Le, vec![get(V), op(Op::Mul, vec![get(I), num(factor)])]));
    let words = || op(Op::DivU, vec![view_len(V), num(4)]);
    assert_eq!(checks(vec![repeat(I, num(0), words(), word(4))]), 0);
    assert_eq!(checks(vec![repeat(I, num(0), words(), word(5))]), 1);
    assert_eq!(checks(vec![repeat(I, num(0), view_len(V), word(4))]), 1);
    let halves = op(Op::ShrU, vec![view_len(V), num(1)]);
    assert_eq!(checks(vec![repeat(I, num(0), halves, word(2))]), 1);
}

fn folded(expr: Expr) -> Expr {
    let mut function = function("f", 8, Ty::I32, LOCALS.to_vec(), expr);
    fold::function(&mut function);
    function.body
}

#[test]
fn constants_are_folded_as_the_language_computes() {
    for (kind, a, b, result) in [
        (Op::Add, i32::MAX, 1, i32::MIN),
        (Op::Mul, 65_536, 65_536, 0),
        (Op::DivU, -1, 2, i32::MAX),
        (Op::DivU, 5, 0, 0),
        (Op::RemU, 5, 0, 5),
        (Op::Shl, 1, 33, 2),
        (Op::ShrU, -1, 31, 1),
        (Op::LtS, -1, 0, 1),
        (Op::LtU, -1, 0, 0),
    ] {
        assert!(
            matches!(folded(op(kind, vec![num(a), num(b)])), Expr::I32(found) if found == result),
            "{kind:?} {a} {b}"
        );
    }
    // What may trap is not thrown away.
    let kept = folded(op(Op::Mul, vec![view_get(V, get(I)), num(0)]));
    assert!(look::any(&kept, |node| matches!(node, Expr::Op { op: Op::ViewGet, .. })));
    assert!(matches!(folded(op(Op::Mul, vec![get(I), num(0)])), Expr::I32(0)));
    assert!(matches!(folded(op(Op::RemU, vec![get(I), num(0)])), Expr::Get(Local(I))));
}

/// A program of a callee with the symbol `a.callee` and `solve`, which calls it.
fn program(callee: Function, solve: Function) -> Program {
    let site = |parent: Option<u32>, index: u32| Site {
        parent: parent.map(SiteId),
        step: if parent.is_none() { Step::Root } else { Step::Index(index) },
    };
    Program {
        functions: vec![callee, solve],
        entry: Some(FuncId(1)),
        data: vec![b"text".to_vec(), b"unused".to_vec()],
        sites: vec![site(None, 0), site(Some(0), 1), site(Some(0), 2), site(Some(0), 3)],
        modules: vec!["a".to_owned(), "main".to_owned()],
        ..Program::default()
    }
}

fn callee(params: u32, result: Ty, locals: Vec<Ty>, body: Expr) -> Function {
    Function { site: SiteId(2), ..function("a.callee", params, result, locals, body) }
}

fn call(args: Vec<Expr>) -> Expr {
    Expr::Call { func: FuncId(0), args, site: SITE }
}

fn counted(program: &Program, wanted: impl Fn(&Expr) -> bool) -> usize {
    let mut count = 0;
    for function in &program.functions {
        look::any(&function.body, |node| {
            count += usize::from(wanted(node));
            false
        });
    }
    count
}

#[test]
fn a_small_function_goes_into_its_caller_with_its_sites() {
    let read = Expr::Op { op: Op::ViewGet, args: vec![Expr::ViewLit(DataId(0)), get(0)], site: SiteId(3) };
    let guard = choose(
        op(Op::LtS, vec![get(0), num(0)]),
        Expr::Return { value: Box::new(num(7)), cleanup: vec![] },
        statements(vec![]),
        Ty::Unit,
    );
    let body = Expr::Block { body: vec![guard], value: Some(Box::new(read)), cleanup: vec![] };
    let callee = callee(1, Ty::I32, vec![Ty::I32], body);
    let number = call(vec![op(Op::ViewLen, vec![Expr::Input])]);
    let solve = Function { module: 1, ..function("solve", 0, Ty::Bytes, vec![], op(Op::Bytes1, vec![number])) };
    let mut program = program(callee, solve);
    optimise(&mut program);
    assert_eq!(program.functions.len(), 1);
    assert_eq!(program.entry, Some(FuncId(0)));
    assert_eq!(counted(&program, |node| matches!(node, Expr::Call { .. } | Expr::Return { .. })), 0);
    assert_eq!(program.data, [b"text".to_vec()]);
    let origin = program.inlined.get(&SiteId(3)).and_then(|number| program.origins.get(*number as usize));
    assert_eq!(origin.map(|origin| (origin.symbol.as_str(), origin.module)), Some(("a.callee", 0)));
    assert_eq!(program.inlined.get(&SITE), None);
}

#[test]
fn functions_that_call_themselves_or_return_in_loops_stay() {
    let again = callee(1, Ty::I32, vec![Ty::I32], call(vec![get(0)]));
    let solve = |arg: Expr| function("solve", 0, Ty::Bytes, vec![], op(Op::Bytes1, vec![call(vec![arg])]));
    let mut endless = program(again, solve(num(1)));
    optimise(&mut endless);
    assert_eq!(endless.functions.len(), 2);
    let inner = Expr::Return { value: Box::new(get(0)), cleanup: vec![] };
    let body = Expr::Block { body: vec![while_(get(0), inner)], value: Some(Box::new(num(1))), cleanup: vec![] };
    let mut looping = program(callee(1, Ty::I32, vec![Ty::I32], body), solve(num(1)));
    optimise(&mut looping);
    assert_eq!(looping.functions.len(), 2);
}

#[test]
fn four_byte_stores_become_a_word_store_with_the_bytes_traps() {
    let byte = |number: i32| {
        let value = if number == 0 { get(2) } else { op(Op::ShrU, vec![get(2), num(8 * number)]) };
        let index = if number == 0 { get(1) } else { add(get(1), number) };
        let site = SiteId(number as u32);
        store(0, Expr::InPlace { op: Op::BytesSet, local: Local(0), args: vec![index, value], site })
    };
    let body = |order: [i32; 4]| Expr::Block {
        body: order.into_iter().map(byte).collect(),
        value: Some(Box::new(Expr::Take(Local(0)))),
        cleanup: vec![],
    };
    let locals = vec![Ty::Bytes, Ty::I32, Ty::I32];
    let mut function = function("f", 3, Ty::Bytes, locals, body([0, 1, 2, 3]));
    super::words::function(&mut function);
    let word = Op::Unchecked(Unchecked::BytesSetU32Le);
    assert!(look::any(&function.body, |node| matches!(node, Expr::InPlace { op, .. } if *op == word)));
    let mut sites = Vec::new();
    look::any(&function.body, |node| {
        if let Expr::Trap { site, .. } = node {
            sites.push(site.0);
        }
        false
    });
    sites.sort_unstable();
    assert_eq!(sites, [0, 1, 2, 3]);
    // The highest byte first is another word.
    function.body = body([3, 2, 1, 0]);
    super::words::function(&mut function);
    assert!(!look::any(&function.body, |node| matches!(node, Expr::InPlace { op, .. } if *op == word)));
}
