//! The module's form: sections, exports, limits, the site table, and that bytes do not vary.

use std::collections::BTreeMap;

use wasmparser::{ExternalKind, Operator, Parser, Payload};

use super::harness::*;
use crate::compiler::emit::{self, EmitError, Target};
use crate::compiler::ir::{DataId, Expr, FuncId, Op, Program, Ty};

/// A program that uses most of the run-time library.
fn sample() -> Program {
    let helper = function(
        "t.vector",
        2,
        Ty::Bytes,
        vec![Ty::View, Ty::I32, Ty::Vec],
        block(
            vec![
                store(2, op(Op::VecWithCapacity, vec![get(1)])),
                update(Op::VecPush, 2, vec![op(Op::ViewGet, vec![get(0), num(0)])]),
                update(Op::VecExtendRange, 2, vec![get(0), num(0), get(1)]),
            ],
            in_place(Op::VecIntoBytes, 2, vec![]),
        ),
    );
    let call = Expr::Call { func: FuncId(1), args: vec![lit(0), num(2)], site: INNER };
    let parsed = op(Op::FmtS32, vec![op(Op::ParseU32, vec![lit(1)])]);
    let order = op(Op::ViewCmpRange, vec![lit(0), num(0), num(1), lit(1), num(0), num(1)]);
    let body = op(Op::BytesConcat, vec![call, parsed, op(Op::FmtU32, vec![order]), op(Op::BytesAlloc, vec![num(2)])]);
    program(vec![solve(vec![], body), helper], &[b"abc", b"12"])
}

#[test]
fn the_sample_runs() {
    assert_eq!(run(&sample(), b""), Ok(b"aab121\0\0".to_vec()));
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    assert_eq!(emit(&sample()).unwrap(), emit(&sample()).unwrap());
}

#[test]
fn every_entry_of_the_site_table_is_a_trap_or_a_call() {
    let wasm = emit(&sample()).unwrap();
    let (start, sites) = code_start_and_sites(&wasm);
    let mut traps = 0;
    let mut calls = 0;
    let mut by_function: BTreeMap<String, u32> = BTreeMap::new();
    let mut function = 0;
    for payload in Parser::new(0).parse_all(&wasm) {
        let Payload::CodeSectionEntry(body) = payload.unwrap() else { continue };
        let symbol = sites.function(function).unwrap().symbol.clone();
        for operator in body.get_operators_reader().unwrap().into_iter_with_offsets() {
            let (operator, offset) = operator.unwrap();
            let place = sites.lookup((offset as usize - start) as u32);
            let Some(place) = place else { continue };
            assert_eq!(place.symbol, symbol);
            match operator {
                Operator::Unreachable => {
                    assert!(place.trap.is_some());
                    traps += 1;
                }
                Operator::Call { .. } => {
                    assert!(place.trap.is_none() && !place.module.is_empty());
                    calls += 1;
                }
                // Engines report the `if` when they make one conditional trap of it.
                Operator::If { .. } => {
                    assert!(place.trap.is_some());
                    traps += 1;
                }
                other => panic!("an entry at {other:?}"),
            }
            *by_function.entry(place.symbol).or_default() += 1;
        }
        function += 1;
    }
    // Nothing stands anywhere but at the start of an instruction.
    let total = (0..wasm.len() as u32).filter(|offset| sites.lookup(*offset).is_some()).count();
    assert_eq!(total, traps + calls);
    assert!(traps >= 6 && calls >= 8, "{traps} traps, {calls} calls");
    for symbol in ["solve", "t.vector", "x07_solve_v2", "x07.rt.alloc", "x07.rt.parse_unsigned"] {
        assert!(by_function.contains_key(symbol), "{symbol}: {by_function:?}");
    }
    assert_eq!(&*sites.function(0).unwrap().module, "main");
    assert_eq!(sites.function(2).unwrap().symbol, "x07_solve_v2");
    assert!(sites.function(function).is_none());
}

#[test]
fn exports_sections_and_globals() {
    let wasm = emit(&sample()).unwrap();
    let mut exports = Vec::new();
    let mut customs = Vec::new();
    let mut memory = None;
    for payload in Parser::new(0).parse_all(&wasm) {
        match payload.unwrap() {
            Payload::ImportSection(_)
            | Payload::StartSection { .. }
            | Payload::TableSection(_)
            | Payload::ElementSection(_)
            | Payload::DataCountSection { .. } => panic!("a section that does not belong here"),
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export.unwrap();
                    exports.push((export.name.to_owned(), export.kind));
                }
            }
            Payload::MemorySection(reader) => {
                for ty in reader {
                    let ty = ty.unwrap();
                    memory = Some((ty.initial, ty.maximum));
                }
            }
            Payload::CustomSection(section) => customs.push(section.name().to_owned()),
            _ => {}
        }
    }
    let expected = [
        ("memory".to_owned(), ExternalKind::Memory),
        ("x07_solve_v2".to_owned(), ExternalKind::Func),
        ("__heap_base".to_owned(), ExternalKind::Global),
        ("__data_end".to_owned(), ExternalKind::Global),
    ];
    assert_eq!(exports, expected);
    assert_eq!(customs, ["name", "producers", "x07.sites"]);
    assert_eq!(memory, Some((16, Some(16))));

    let mut machine = Machine::new(&wasm);
    let mut global = |name: &str| {
        let global = machine.instance.get_global(&mut machine.store, name).unwrap();
        global.get(&mut machine.store).unwrap_i32()
    };
    // Five bytes of literals.
    assert_eq!((global("__heap_base"), global("__data_end")), (16, 16));
    let empty = program(vec![solve(vec![], op(Op::BytesEmpty, vec![]))], &[]);
    let mut machine = Machine::of(&empty);
    let mut global = |name: &str| {
        let global = machine.instance.get_global(&mut machine.store, name).unwrap();
        global.get(&mut machine.store).unwrap_i32()
    };
    assert_eq!((global("__heap_base"), global("__data_end")), (16, 0));
}

#[test]
fn only_helpers_in_use_are_there() {
    let empty = emit(&program(vec![solve(vec![], op(Op::BytesEmpty, vec![]))], &[])).unwrap();
    let (_, sites) = code_start_and_sites(&empty);
    assert!(sites.function(1).is_some() && sites.function(2).is_none());
}

#[test]
fn scratch_locals_are_shared() {
    let turn = || store(0, op(Op::RemU, vec![op(Op::Add, vec![get(0), num(1)]), op(Op::ViewLen, vec![Expr::Input])]));
    let long = program(vec![solve(vec![Ty::I32], block((0..1000).map(|_| turn()).collect(), bytes_of(get(0))))], &[]);
    let wasm = emit(&long).unwrap();
    let body = Parser::new(0)
        .parse_all(&wasm)
        .find_map(|payload| match payload.unwrap() {
            Payload::CodeSectionEntry(body) => Some(body),
            _ => None,
        })
        .unwrap();
    let locals: u32 = body.get_locals_reader().unwrap().into_iter().map(|group| group.unwrap().0).sum();
    assert!(locals < 8, "{locals} locals");
}

#[test]
fn memory_sizes_are_checked() {
    let program = program(vec![solve(vec![], op(Op::BytesEmpty, vec![]))], &[]);
    for (initial, max) in [(1, 65_536), (65_536, 65_537), (131_072, 65_536)] {
        let target = Target {
            initial_memory_bytes: initial,
            max_memory_bytes: max,
            static_base: 0,
            producer: String::new(),
            strip: false,
        };
        let outcome = emit::emit(&program, &target);
        assert!(matches!(outcome, Err(EmitError::Memory { .. })), "{initial} {max}: {outcome:?}");
    }
    // The largest that can be asked for.
    let target = Target {
        initial_memory_bytes: 0xffff_0000,
        max_memory_bytes: 0xffff_0000,
        static_base: 0,
        producer: "tool with spaces 1".to_owned(),
        strip: false,
    };
    validate(&emit::emit(&program, &target).unwrap());
}

#[test]
fn literals_must_fit_the_memory() {
    let large = vec![1_u8; 65_537];
    let text = Expr::BytesLit(DataId(0), SITE);
    let program = program(vec![solve(vec![], text)], &[&large]);
    let target = |bytes| Target {
        initial_memory_bytes: bytes,
        max_memory_bytes: 1 << 20,
        static_base: 0,
        producer: String::new(),
        strip: false,
    };
    let needed = 65_552;
    let expected = EmitError::StaticDataTooLarge { needed, available: 65_536 };
    assert_eq!(emit::emit(&program, &target(65_536)), Err(expected));
    assert!(emit::emit(&program, &target(131_072)).is_ok());
}

#[test]
fn a_program_needs_an_entry() {
    let mut without = sample();
    without.entry = None;
    assert!(matches!(emit(&without), Err(EmitError::Malformed { .. })));
    without.entry = Some(FuncId(1));
    assert!(matches!(emit(&without), Err(EmitError::Malformed { .. })));
    without.entry = Some(FuncId(7));
    assert!(matches!(emit(&without), Err(EmitError::Malformed { .. })));
}

#[test]
fn sites_that_do_not_exist_are_an_error() {
    let mut broken = sample();
    broken.sites.truncate(2);
    assert!(matches!(emit(&broken), Err(EmitError::Malformed { .. })));
    let mut broken = sample();
    broken.modules.clear();
    assert!(matches!(emit(&broken), Err(EmitError::Malformed { .. })));
}
