//! Truncated, flipped and lying wasm.

use super::{Numbers, app, loose_profile, refused, survived};
use crate::support::{Place, Run};
use std::time::Duration;

/// A module with this memory, these two bounds, and this body of the solve function, in which the
/// parameters are called `$ret`, `$arena`, `$cap`, `$in` and `$len`.
fn module(memory: &str, heap_base: i64, data_end: i64, body: &str, more: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {memory}
          (global (export "__heap_base") i32 (i32.const {heap_base}))
          (global (export "__data_end") i32 (i32.const {data_end}))
          (func $solve (export "x07_solve_v2") (param $ret i32) (param $arena i32) (param $cap i32) (param $in i32) (param $len i32) {body})
          {more})"#
    );
    wat::parse_str(text).expect("a module")
}

const MEMORY: &str = r#"(memory (export "memory") 2 2)"#;

/// The body that returns these two i32 expressions as address and length.
fn returns(ptr: &str, len: &str) -> String {
    format!("(i32.store (local.get $ret) {ptr}) (i32.store offset=4 (local.get $ret) {len})")
}

/// Runs a module on five bytes with an arena of 1024 bytes and more arguments.
fn run(wasm: &[u8], args: &str) -> Run {
    let place = Place::new();
    place.write("m.wasm", wasm);
    place.write("p.json", loose_profile().to_string());
    place.run(&format!(
        "run --wasm m.wasm --profile-file p.json --input-hex 0011223344 --incidents-dir inc {args} --json"
    ))
}

/// Runs a module with that body.
fn run_body(body: &str, args: &str) -> Run {
    run(&module(MEMORY, 1024, 0, body, ""), args)
}

#[test]
fn an_output_outside_the_arena_is_refused() {
    let end = "(i32.add (local.get $arena) (local.get $cap))";
    for (ptr, len) in [
        ("(i32.const 0)", "(i32.const 0)"),
        ("(i32.const 0)", "(i32.const 1)"),
        ("(local.get $in)", "(local.get $len)"),
        ("(local.get $in)", "(i32.const 0)"),
        ("(local.get $ret)", "(i32.const 8)"),
        ("(i32.sub (local.get $arena) (i32.const 1))", "(i32.const 1)"),
        ("(i32.sub (local.get $arena) (i32.const 1))", "(i32.const 2)"),
        (end, "(i32.const 1)"),
        ("(i32.add (i32.const 1) (i32.add (local.get $arena) (local.get $cap)))", "(i32.const 0)"),
        ("(i32.add (local.get $arena) (i32.const 1))", "(local.get $cap)"),
        ("(i32.const 131071)", "(i32.const 1)"),
        ("(i32.const 131072)", "(i32.const 0)"),
        ("(i32.const 131073)", "(i32.const 0)"),
        ("(i32.const 0x7fffffff)", "(i32.const 0)"),
        ("(i32.const 0x80000000)", "(i32.const 16)"),
        ("(i32.const -1)", "(i32.const 0)"),
        ("(i32.const -1)", "(i32.const 1)"),
        ("(i32.const -1)", "(i32.const 2)"),
        ("(i32.const -4)", "(i32.const 4096)"),
    ] {
        let run = run_body(&returns(ptr, len), "");
        refused(&run, 1, &["X07WASM_RUN_FAILED"]);
    }
}

#[test]
fn a_length_beyond_everything_is_refused_before_anything_is_read() {
    for len in ["(i32.const -1)", "(i32.const 0x7fffffff)", "(i32.const 16777217)"] {
        let run = run_body(&returns("(local.get $arena)", len), "");
        refused(&run, 4, &["X07WASM_BUDGET_EXCEEDED_OUTPUT"]);
        // With the limit out of the way it is still not in the arena.
        let run = run_body(&returns("(local.get $arena)", len), "--max-output-bytes 18446744073709551615");
        refused(&run, 1, &["X07WASM_RUN_FAILED"]);
    }
}

#[test]
fn what_lies_in_the_arena_is_accepted_wherever_it_begins() {
    for (ptr, len, bytes) in [
        ("(local.get $arena)", "(local.get $cap)", 1024),
        ("(local.get $arena)", "(i32.const 0)", 0),
        ("(i32.add (local.get $arena) (local.get $cap))", "(i32.const 0)", 0),
        ("(i32.add (local.get $arena) (i32.const 3))", "(i32.const 5)", 5),
    ] {
        let report = run_body(&returns(ptr, len), "").ok();
        assert_eq!(report["result"]["output"]["bytes_len"], bytes, "{ptr} {len}");
    }
}

#[test]
fn a_module_that_writes_no_result_returns_nothing_valid() {
    refused(&run_body("", ""), 1, &["X07WASM_RUN_FAILED"]);
}

#[test]
fn a_module_that_overwrites_its_input_and_result_is_judged_by_what_it_leaves() {
    let body = "(memory.fill (i32.const 0) (i32.const 255) (i32.const 131072))";
    refused(&run_body(body, ""), 4, &["X07WASM_BUDGET_EXCEEDED_OUTPUT"]);
}

#[test]
fn heap_bounds_that_leave_no_room_are_limits() {
    let body = returns("(local.get $arena)", "(i32.const 4)");
    for bound in [-1, -8, -16, i64::from(i32::MAX), i64::from(i32::MIN), 131_072, 131_071, 131_000, 200_000] {
        for (heap_base, data_end) in [(bound, 0), (0, bound)] {
            let run = run(&module(MEMORY, heap_base, data_end, &body, ""), "");
            refused(&run, 4, &["X07WASM_BUDGET_EXCEEDED_MEMORY"]);
        }
    }
}

#[test]
fn a_heap_at_address_zero_is_possible() {
    let body = returns("(local.get $arena)", "(i32.const 4)");
    run(&module(MEMORY, 0, 0, &body, ""), "").ok();
    run(&module(MEMORY, 1, 0, &body, ""), "").ok();
}

#[test]
fn a_heap_at_the_end_of_the_address_space_is_refused() {
    let huge = r#"(memory (export "memory") 65536 65536)"#;
    let body = returns("(local.get $arena)", "(i32.const 0)");
    let limit = run(&module(huge, 0, 0, &body, ""), "");
    refused(&limit, 4, &["X07WASM_BUDGET_EXCEEDED_MEMORY"]);
    for base in [-8, -16, -1] {
        let run = run(&module(huge, base, 0, &body, ""), "--max-memory-bytes none --arena-cap-bytes 0");
        let report = survived(&run, "a heap at the end");
        assert!([1, 4].contains(&run.status), "{report:#}");
    }
}

#[test]
fn growing_is_bounded_and_the_arena_stays_where_it_was() {
    let growing = |pages: i64| {
        format!("(drop (memory.grow (i32.const {pages}))) {}", returns("(local.get $arena)", "(i32.const 4)"))
    };
    let memory = r#"(memory (export "memory") 2)"#;
    run(&module(memory, 1024, 0, &growing(1), ""), "").ok();
    let over = run(&module(memory, 1024, 0, &growing(60_000), ""), "");
    refused(&over, 4, &["X07WASM_BUDGET_EXCEEDED_MEMORY"]);
    // More than the module itself allows is refused to the module, not to the host.
    run(&module(MEMORY, 1024, 0, &growing(1), ""), "").ok();
    // Fresh memory is not part of the arena.
    let body = format!("(drop (memory.grow (i32.const 1))) {}", returns("(i32.const 131072)", "(i32.const 4)"));
    refused(&run(&module(memory, 1024, 0, &body, ""), ""), 1, &["X07WASM_RUN_FAILED"]);
}

#[test]
fn tables_are_bounded_and_do_not_grow() {
    let body = returns("(local.get $arena)", "(i32.const 0)");
    let over = run(&module(MEMORY, 1024, 0, &body, "(table 131073 funcref)"), "");
    refused(&over, 4, &["X07WASM_BUDGET_EXCEEDED_TABLE"]);
    // The proposal with which a table could grow is not accepted.
    let growing = format!("(drop (table.grow $t (ref.null func) (i32.const 200000))) {body}");
    let grown = run(&module(MEMORY, 1024, 0, &growing, "(table $t 1 funcref)"), "");
    refused(&grown, 1, &["X07WASM_WASM_INVALID"]);
}

#[test]
fn recursion_and_loops_end() {
    let call = "(call $solve (local.get $ret) (local.get $arena) (local.get $cap) (local.get $in) (local.get $len))";
    refused(&run_body(call, ""), 4, &["X07WASM_BUDGET_EXCEEDED_WASM_STACK"]);
    refused(&run_body(call, "--max-fuel none --max-wasm-stack-bytes none"), 4, &["X07WASM_BUDGET_EXCEEDED_WASM_STACK"]);
    let forever = "(loop $l (br $l))";
    refused(&run_body(forever, "--max-fuel 1000000"), 4, &["X07WASM_BUDGET_EXCEEDED_CPU_FUEL"]);
    refused(&run_body(forever, "--max-fuel none --max-wall-ms 100"), 4, &["X07WASM_BUDGET_EXCEEDED_WALLTIME"]);
    // One instruction that takes long is interrupted, too.
    let copying = "(loop $l (memory.fill (i32.const 0) (i32.const 0) (i32.const 131072)) (br $l))";
    let run = run_body(copying, "--max-fuel none --max-wall-ms 100");
    refused(&run, 4, &["X07WASM_BUDGET_EXCEEDED_WALLTIME"]);
    assert!(run.took < Duration::from_secs(30), "{:?}", run.took);
}

#[test]
fn a_start_function_has_the_same_limits() {
    let body = returns("(local.get $arena)", "(i32.const 0)");
    let with =
        |start: &str, args: &str| run(&module(MEMORY, 1024, 0, &body, &format!("(func $s {start}) (start $s)")), args);
    with("", "").ok();
    refused(&with("unreachable", ""), 1, &["X07WASM_WASM_INSTANTIATE_FAILED"]);
    refused(&with("(loop $l (br $l))", "--max-fuel 1000000"), 4, &["X07WASM_BUDGET_EXCEEDED_CPU_FUEL"]);
    refused(&with("(loop $l (br $l))", "--max-fuel none --max-wall-ms 100"), 4, &["X07WASM_BUDGET_EXCEEDED_WALLTIME"]);
    refused(&with("(call $s)", ""), 4, &["X07WASM_BUDGET_EXCEEDED_WASM_STACK"]);
}

#[test]
fn proposals_that_solve_modules_need_not_are_refused_or_run() {
    let body = returns("(local.get $arena)", "(i32.const 0)");
    for memory in [
        r#"(memory (export "memory") i64 2 2)"#,
        r#"(memory (export "memory") 2 2 shared)"#,
        r#"(memory (export "memory") 2 2) (memory 1 1)"#,
    ] {
        // With 64-bit addresses the body is not valid, which is one more reason to refuse it.
        survived(&run(&module(memory, 1024, 0, &body, ""), ""), memory);
    }
    for more in [
        "(tag $t)",
        "(type $s (struct (field i32)))",
        "(func (result v128) (v128.const i64x2 0 0))",
        "(func $f (result i32 i32) (i32.const 0) (i32.const 0))",
        "(table 1 externref)",
        "(func $f (return_call $f))",
    ] {
        survived(&run(&module(MEMORY, 1024, 0, &body, more), ""), more);
    }
}

#[test]
fn many_of_everything_is_handled() {
    let body = returns("(local.get $arena)", "(i32.const 0)");
    for more in [
        "(func)".repeat(20_000),
        "(global i32 (i32.const 0))".repeat(20_000),
        (0..5_000).map(|i| format!("(func (export \"f{i}\"))")).collect::<String>(),
        format!("(func (param {}))", "i32 ".repeat(990)),
        format!("(func (local {}))", "i64 ".repeat(40_000)),
        format!("(func {}{})", "block ".repeat(2_000), "end ".repeat(2_000)),
        format!("(data (i32.const 0) \"{}\")", "x".repeat(100_000)),
        format!("(func (export \"{}\"))", "n".repeat(90_000)),
    ] {
        survived(&run(&module(MEMORY, 1024, 0, &body, &more), ""), &more[..24]);
    }
}

#[test]
fn every_prefix_of_a_module_is_refused() {
    let body = returns("(local.get $arena)", "(i32.const 4)");
    let wasm = module(MEMORY, 1024, 0, &body, r#"(data (i32.const 8) "text")"#);
    run(&wasm, "").ok();
    let place = Place::new();
    place.write("p.json", loose_profile().to_string());
    let mut whole = 0;
    for end in 0..wasm.len() {
        place.write("m.wasm", &wasm[..end]);
        let run = place.run("run --wasm m.wasm --profile-file p.json --input-hex 00 --incidents-dir inc --json");
        survived(&run, &format!("{end} of {} bytes", wasm.len()));
        // A cut between two sections can leave a module that lacks only what nobody needs.
        whole += usize::from(run.status == 0);
    }
    assert!(whole <= 2, "{whole} prefixes ran");
}

#[test]
fn flipped_bits_of_a_module_are_survived() {
    let place = app();
    place.run("build --project app/x07.json --out good.wasm --no-manifest --json").ok();
    let good = place.read("good.wasm");
    let mut numbers = Numbers::new(1);
    for round in 0..300 {
        let mut bad = good.clone();
        let mut places = Vec::new();
        for _ in 0..=numbers.below(3) {
            let (at, bit) = (numbers.below(bad.len()), numbers.below(8));
            bad[at] ^= 1 << bit;
            places.push((at, bit));
        }
        place.write("bad.wasm", &bad);
        let run = place.run("run --wasm bad.wasm --input-hex 6869 --max-fuel 1000000 --arena-cap-bytes 65536 --incidents-dir inc --json");
        survived(&run, &format!("round {round}: {places:?}"));
    }
}

#[test]
fn removed_and_doubled_parts_of_a_module_are_survived() {
    let place = app();
    place.run("build --project app/x07.json --out good.wasm --no-manifest --json").ok();
    let good = place.read("good.wasm");
    let mut numbers = Numbers::new(2);
    for round in 0..150 {
        let (a, b) = (numbers.below(good.len()), numbers.below(good.len()));
        let (from, to) = (a.min(b), a.max(b));
        let mut bad = good.clone();
        match round % 3 {
            0 => drop(bad.drain(from..to)),
            1 => bad.splice(from..from, good[from..to].iter().copied()).for_each(drop),
            _ => bad[from..to].fill(0xff),
        }
        place.write("bad.wasm", &bad);
        let run = place.run("run --wasm bad.wasm --input-hex 6869 --max-fuel 1000000 --arena-cap-bytes 65536 --incidents-dir inc --json");
        survived(&run, &format!("round {round}: {from}..{to}"));
    }
}

#[test]
fn random_bytes_behind_a_header_are_refused() {
    let place = Place::new();
    place.write("p.json", loose_profile().to_string());
    let mut numbers = Numbers::new(3);
    for round in 0..100 {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        for _ in 0..numbers.below(200) {
            bytes.push(u8::try_from(numbers.below(if round % 2 == 0 { 256 } else { 16 })).unwrap_or(0));
        }
        place.write("m.wasm", &bytes);
        let run = place.run("run --wasm m.wasm --profile-file p.json --input-hex 00 --incidents-dir inc --json");
        survived(&run, &format!("round {round}: {bytes:?}"));
        assert_eq!(run.status, 1, "round {round}: {bytes:?}");
    }
}

#[test]
fn counts_that_lie_allocate_nothing() {
    // A section of the given id that says it has 2^32 - 1 entries.
    let count = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for id in 1..=12_u8 {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        bytes.extend([id, 5]);
        bytes.extend(count);
        refused(
            &run(&bytes, ""),
            1,
            &["X07WASM_WASM_INSPECT_FAILED", "X07WASM_WASM_NO_MEMORY", "X07WASM_WASM_INVALID"],
        );
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        bytes.push(id);
        bytes.extend(count);
        refused(&run(&bytes, ""), 1, &["X07WASM_WASM_INSPECT_FAILED"]);
    }
}
