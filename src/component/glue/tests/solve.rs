//! Solve components, the web UI adapter, and what all modules share.

use wasmtime::Trap;

use super::host::Host;
use super::{LIMITS, pattern};
use crate::component::glue::{GlueError, SolveLimits, solve, web_ui_adapter};
use crate::component::link::LinkError;
use crate::component::link::tests::{echo, module};

const SOLVE: &str = "x07:solve/handler@0.1.0#solve";
const MEMORY: &str = "(memory (export \"memory\") 1 1)";
const TRAP: Trap = Trap::UnreachableCodeReached;

fn echoing() -> Host {
    Host::new(&solve(&echo(), LIMITS).unwrap())
}

#[test]
fn a_thousand_calls_of_one_instance_do_not_grow_its_memory() {
    let mut host = echoing();
    let large = pattern(100_000);
    let before = host.memory().size(&host.store);
    // Together far more than the bump region holds.
    for _ in 0..1000 {
        assert_eq!(host.list_to_list(SOLVE, &large).unwrap(), large);
        assert_eq!(host.list_to_list(SOLVE, b"").unwrap(), b"nothing");
    }
    assert_eq!(host.memory().size(&host.store), before);
}

#[test]
fn an_input_of_eight_mebibytes_fits() {
    let body = "(i32.store (local.get $ret) (local.get $arena)) (i32.store offset=4 (local.get $ret) (i32.const 4))
        (i32.store (local.get $arena) (local.get $len))";
    let limits = SolveLimits { arena_cap: 65_536, max_output: 65_536 };
    let mut host = Host::new(&solve(&module(MEMORY, 1024, body), limits).unwrap());
    for _ in 0..3 {
        let length = 8 << 20;
        assert_eq!(host.list_to_list(SOLVE, &vec![1; length]).unwrap(), 0x0080_0000u32.to_le_bytes());
    }
    // One byte more than the memory has fails without any effect.
    let size = host.memory().data_size(&host.store);
    assert_eq!(host.realloc(0, 0, 1, u32::try_from(size).unwrap()), Err(TRAP));
    assert_eq!(host.list_to_list(SOLVE, b"abc").unwrap(), [3, 0, 0, 0]);
}

#[test]
fn a_program_that_lies_about_its_output_traps() {
    let cap = 65_536;
    let limits = SolveLimits { arena_cap: cap, max_output: 1000 };
    let answer = |ptr: &str, len: i64| {
        let body = format!(
            "(i32.store (local.get $ret) (i32.add (local.get $arena) (i32.const {ptr})))
             (i32.store offset=4 (local.get $ret) (i32.const {len}))"
        );
        Host::new(&solve(&module(MEMORY, 1024, &body), limits).unwrap()).list_to_list(SOLVE, b"input")
    };
    assert_eq!(answer("0", 0).unwrap(), b"");
    assert_eq!(answer("0", 1000).unwrap().len(), 1000);
    assert_eq!(answer("64536", 1000).unwrap().len(), 1000);
    assert_eq!(answer("65536", 0).unwrap(), b"");
    // Too long, below the arena, above it, over its end; the last one around the end of the address
    // space, since the arena is at 1040.
    for (ptr, len) in [("0", 1001), ("-1", 0), ("-16", 16), ("65537", 0), ("64537", 1000), ("0", -1), ("-1041", 2)] {
        assert_eq!(answer(ptr, len), Err(TRAP), "{ptr} {len}");
    }
}

#[test]
fn an_answer_that_is_not_given_traps() {
    let limits = SolveLimits { arena_cap: 65_536, max_output: 1000 };
    // The second call must not find the answer of the first.
    let body = "(if (local.get $len) (then (i32.store (local.get $ret) (local.get $arena))))";
    let mut host = Host::new(&solve(&module(MEMORY, 1024, body), limits).unwrap());
    assert_eq!(host.list_to_list(SOLVE, b"x").unwrap(), b"");
    assert_eq!(host.list_to_list(SOLVE, b""), Err(TRAP));
}

#[test]
fn blocks_are_aligned_grow_and_move() {
    let mut host = echoing();
    for align in [1, 2, 4, 8, 16] {
        assert_eq!(host.realloc(0, 0, align, 0), Ok(align));
    }
    let first = host.realloc(0, 0, 1, 3).unwrap();
    let second = host.realloc(0, 0, 8, 4).unwrap();
    assert_eq!((second % 8, second - first), (0, 8));
    let memory = host.memory();
    memory.write(&mut host.store, first as usize, b"abc").unwrap();
    memory.write(&mut host.store, second as usize, b"wxyz").unwrap();
    // The last block grows and shrinks in place.
    assert_eq!(host.realloc(second, 4, 8, 100), Ok(second));
    assert_eq!(host.realloc(second, 100, 8, 6), Ok(second));
    // The other one moves; its bytes come along.
    let moved = host.realloc(first, 3, 1, 10).unwrap();
    assert_eq!(moved, second + 6);
    let data = memory.data(&host.store);
    assert_eq!(&data[moved as usize..moved as usize + 3], b"abc");
    assert_eq!(&data[second as usize..second as usize + 4], b"wxyz");
    // The last one, where it is not aligned as asked.
    let aligned = host.realloc(moved, 10, 16, 2).unwrap();
    assert_eq!((aligned % 16, aligned > moved), (0, true));
    assert_eq!(&memory.data(&host.store)[aligned as usize..aligned as usize + 2], b"ab");
}

#[test]
fn requests_that_cannot_be_met_trap_without_a_trace() {
    let mut host = echoing();
    let at = host.realloc(0, 0, 1, 1).unwrap();
    let size = u32::try_from(host.memory().data_size(&host.store)).unwrap();
    for (old, old_size, align, new_size) in [
        (0, 0, 0, 1),
        (0, 0, 3, 1),
        (0, 0, 1, u32::MAX),
        (0, 0, 1, size - at),
        (0, 0, 1 << 31, 1),
        (at, 1, 1, u32::MAX),
        (at, 1, 1, size - at + 1),
    ] {
        let got = host.realloc(old, old_size, align, new_size);
        assert_eq!(got, Err(TRAP), "{old} {old_size} {align} {new_size}");
    }
    assert_eq!(host.realloc(0, 0, 1, 1), Ok(at + 1));
    // Up to the very end.
    assert_eq!(host.realloc(0, 0, 1, size - at - 2), Ok(at + 2));
    assert_eq!(host.realloc(0, 0, 1, 1), Err(TRAP));
}

#[test]
fn the_memory_is_never_less_than_the_program_has() {
    let large = module("(memory (export \"memory\") 512 512)", 1024, "");
    let limits = SolveLimits { arena_cap: 65_536, max_output: 1000 };
    let mut host = Host::new(&solve(&large, limits).unwrap());
    assert_eq!(host.memory().data_size(&host.store), 512 * 65_536);
    let arena = SolveLimits { arena_cap: u32::MAX, max_output: 1000 };
    assert!(matches!(solve(&large, arena), Err(GlueError::Link(LinkError::MemoryTooLarge { .. }))));
}

#[test]
fn only_what_the_world_needs_is_exported() {
    let wasm = solve(&echo(), LIMITS).unwrap();
    let facts = crate::wasm::inspect(&wasm).unwrap();
    assert_eq!(facts.exports, ["cabi_post_x07:solve/handler@0.1.0#solve", "cabi_realloc", "memory", SOLVE]);
    assert_eq!(facts.imports, 0);
}

#[test]
fn a_program_that_exports_what_is_added_is_refused() {
    let fields = format!("{MEMORY} (func (export \"{SOLVE}\"))");
    let error = solve(&module(&fields, 16, ""), LIMITS).unwrap_err();
    assert_eq!(error, GlueError::Link(LinkError::ExportPresent { name: SOLVE.to_owned() }));
}

#[test]
fn the_web_ui_adapter_hands_events_on() {
    let mut host = Host::new(&web_ui_adapter().unwrap());
    let event = br#"{"v":1,"kind":"x07.web_ui.dispatch","state":null,"event":{"type":"init"}}"#;
    let mut reversed = event.to_vec();
    reversed.reverse();
    let large = pattern(4 << 20);
    for _ in 0..10 {
        assert_eq!(host.list("init").unwrap(), reversed);
        assert_eq!(host.list_to_list("step", b"abc").unwrap(), b"cba");
        let mut back = host.list_to_list("step", &large).unwrap();
        back.reverse();
        assert_eq!(back, large);
    }
    assert_eq!(host.list_to_list("step", b"").unwrap(), b"");
}
