//! The run-time library: what programs cannot see of it, and its functions' form.

use super::harness::*;
use crate::compiler::ir::library::Element;
use crate::compiler::ir::{Expr, FuncId, LibraryOp, Op, Trap, Ty};
use crate::compiler::runtime::Helper;

/// All functions for containers, scratch buffers and readers.
const HELPERS: [Helper; 42] = [
    Helper::KeepView,
    Helper::MapU32New,
    Helper::MapU32Length,
    Helper::MapU32Get,
    Helper::MapU32Set,
    Helper::MapU32Contains,
    Helper::MapU32Remove,
    Helper::MapU32Dump,
    Helper::VecValueNew,
    Helper::VecValueLength,
    Helper::VecValueReserve,
    Helper::VecValuePushNumber,
    Helper::VecValuePushBytes,
    Helper::VecValueGetNumber,
    Helper::VecValueGetBytes,
    Helper::VecValueSetNumber,
    Helper::VecValueSetBytes,
    Helper::VecValuePop,
    Helper::VecValueClear,
    Helper::MapValueNew,
    Helper::MapValueLength,
    Helper::MapValueClear,
    Helper::MapValueContains,
    Helper::MapValueRemove,
    Helper::MapValueGet,
    Helper::MapValueSet,
    Helper::MapValueHash,
    Helper::MapValueFind,
    Helper::MapValueGrow,
    Helper::ScratchNew,
    Helper::ScratchClear,
    Helper::ScratchLength,
    Helper::ScratchCapacity,
    Helper::ScratchView,
    Helper::ScratchWrite,
    Helper::ScratchDrop,
    Helper::ReaderOpen,
    Helper::ReaderOpenView,
    Helper::ReaderRead,
    Helper::BufferedNew,
    Helper::BufferedFill,
    Helper::BufferedConsume,
];

fn library(operation: LibraryOp, args: Vec<Expr>) -> Expr {
    op(Op::Library(operation), args)
}

/// Statements that make a map or set in local 0 and put these keys into it, with ten times the key
/// as value.
fn filled(capacity: i32, keys: &[i32]) -> Vec<Expr> {
    let mut body = vec![store(0, library(LibraryOp::MapU32New, vec![num(capacity)]))];
    for key in keys {
        body.push(discard(library(LibraryOp::MapU32Set, vec![get(0), num(*key), num(10 * key)])));
    }
    body
}

fn words(numbers: &[i32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn every_function_is_valid() {
    let empty = program(vec![solve(vec![], op(Op::BytesEmpty, vec![]))], &[]);
    let mut machine = Machine::with_helpers(&empty, &HELPERS);
    assert_eq!(machine.solve(b"", ARENA), Ok(Vec::new()));
}

#[test]
fn maps_of_numbers_are_dumped_in_the_order_of_the_table() {
    // With 8 slots, the search for a key begins at the key modulo 8.
    let keys = [9, 1, 8, 7];
    let dump = || library(LibraryOp::MapU32Dump, vec![get(0)]);
    let entries = words(&[8, 80, 9, 90, 1, 10, 7, 70]);
    assert_eq!(eval(vec![Ty::I32], block(filled(8, &keys), dump()), &[]), Ok(entries));
    let dump_keys = || library(LibraryOp::SetU32Dump, vec![get(0)]);
    assert_eq!(eval(vec![Ty::I32], block(filled(8, &keys), dump_keys()), &[]), Ok(words(&[8, 9, 1, 7])));

    let mut body = filled(8, &keys);
    body.push(discard(library(LibraryOp::MapU32Remove, vec![get(0), num(9)])));
    body.push(discard(library(LibraryOp::SetU32Add, vec![get(0), num(15)])));
    assert_eq!(eval(vec![Ty::I32], block(body, dump_keys()), &[]), Ok(words(&[8, 1, 15, 7])));
    assert_eq!(eval(vec![Ty::I32], block(filled(4, &[]), dump()), &[]), Ok(Vec::new()));
}

#[test]
fn containers_free_what_they_own() {
    let first_round =
        |statement: Expr| choose(op(Op::Eq, vec![get(0), num(0)]), statement, statements(Vec::new()), Ty::Unit);
    let fresh = |size: i32| op(Op::BytesAlloc, vec![num(size)]);
    let bytes = Element::Bytes;
    repeats_without_leak(
        vec![Ty::I32],
        vec![
            first_round(store(1, library(LibraryOp::VecValueNew, vec![num(3), num(2)]))),
            discard(library(LibraryOp::VecValuePush(bytes), vec![get(1), owned(0)])),
            discard(library(LibraryOp::VecValueSet(bytes), vec![get(1), num(0), fresh(30)])),
            discard(library(LibraryOp::VecValueGet(bytes), vec![get(1), num(0), owned(0)])),
            discard(library(LibraryOp::VecValueGet(bytes), vec![get(1), num(7), owned(0)])),
            discard(library(LibraryOp::VecValuePop, vec![get(1)])),
        ],
        &[b"12345678"],
    );
    repeats_without_leak(
        vec![Ty::I32],
        vec![
            first_round(store(1, library(LibraryOp::MapValueNew, vec![num(3), num(3), num(2)]))),
            discard(library(LibraryOp::MapValueSet(bytes, bytes), vec![get(1), owned(0), fresh(20)])),
            discard(library(LibraryOp::MapValueSet(bytes, bytes), vec![get(1), owned(0), fresh(30)])),
            discard(library(LibraryOp::MapValueGet(bytes, bytes), vec![get(1), owned(0), fresh(5)])),
            discard(library(LibraryOp::MapValueGet(bytes, bytes), vec![get(1), fresh(3), fresh(5)])),
            discard(library(LibraryOp::MapValueContains(bytes), vec![get(1), owned(0)])),
            discard(library(LibraryOp::MapValueRemove(bytes), vec![get(1), owned(0)])),
        ],
        &[b"12345678"],
    );
}

#[test]
fn an_exit_frees_the_operands_that_wait() {
    let set = LibraryOp::MapValueSet(Element::Bytes, Element::Number);
    let body = discard(library(set, vec![num(1), op(Op::BytesAlloc, vec![num(100)]), ret(num(7))]));
    let leaves = function("main.f", 0, Ty::I32, vec![], body);
    let call = Expr::Call { func: FuncId(0), args: Vec::new(), site: SITE };
    let body = block(vec![repeat(0, num(0), num(2000), discard(call))], op(Op::BytesEmpty, vec![]));
    let outcome = run_in(&program(vec![leaves, solve(vec![Ty::I32], body)], &[]), b"", 2048);
    assert_eq!(outcome, Ok(Vec::new()));
}

#[test]
fn traps_have_the_place_of_the_operation() {
    let length = library(LibraryOp::MapU32Len, vec![num(1)]);
    assert_eq!(eval_num(vec![], length, &[]), Err(Fault::here(Trap::InvalidHandle)));
    let made = library(LibraryOp::MapU32New, vec![num(1 << 28)]);
    assert_eq!(eval_num(vec![], made, &[]), Err(Fault::here(Trap::OutOfMemory)));
}
