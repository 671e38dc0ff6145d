//! Which modules fit a profile and the ABI, and how the others are refused.

use super::{diagnostic, echo, profile};
use crate::support::{Place, Run};
use serde_json::json;

/// A module whose output is the 4 bytes at the start of its arena, made of these parts.
struct Parts {
    imports: &'static str,
    memory: &'static str,
    heap_base: &'static str,
    data_end: &'static str,
    solve: &'static str,
    more: &'static str,
}

const GOOD: Parts = Parts {
    imports: "",
    memory: r#"(memory (export "memory") 2 2)"#,
    heap_base: r#"(global (export "__heap_base") i32 (i32.const 1024))"#,
    data_end: r#"(global (export "__data_end") i32 (i32.const 16))"#,
    solve: r#"(func (export "x07_solve_v2") (param $ret i32) (param $arena i32) (param $cap i32) (param $in i32) (param $len i32)
        (i32.store (local.get $ret) (local.get $arena)) (i32.store offset=4 (local.get $ret) (i32.const 4)))"#,
    more: "",
};

impl Parts {
    fn bytes(&self) -> Vec<u8> {
        let Self { imports, memory, heap_base, data_end, solve, more } = self;
        wat::parse_str(format!("(module {imports} {memory} {heap_base} {data_end} {solve} {more})")).expect("a module")
    }

    /// Runs the module under a profile that asks for no particular memory.
    fn run(&self) -> Run {
        self.run_under(&["--no-entry"])
    }

    fn run_under(&self, flags: &[&str]) -> Run {
        let place = Place::new();
        place.write("m.wasm", self.bytes());
        let changes = [("/wasm_ld/ldflags", json!(flags)), ("/defaults/arena_cap_bytes", json!(1024))];
        place.write("p.json", profile(&changes));
        place.run("run --wasm m.wasm --profile-file p.json --input-hex 00 --json")
    }
}

#[test]
fn a_module_of_another_compiler_runs() {
    let report = GOOD.run().ok();
    assert_eq!(report["result"]["output"]["base64"], "AAAAAA==");
    assert_eq!(report["result"]["memory"]["heap_base"], 1024);
    assert_eq!(report["result"]["memory"]["data_end"], 16);
    assert_eq!(report["result"]["memory"]["retptr"], 1024);
    assert_eq!(report["result"]["memory"]["input_ptr"], 1032);
    assert_eq!(report["result"]["memory"]["arena_ptr"], 1040);
}

#[test]
fn the_higher_of_heap_base_and_data_end_counts() {
    let data_end = r#"(global (export "__data_end") i32 (i32.const 2049))"#;
    let report = Parts { data_end, ..GOOD }.run().ok();
    assert_eq!(report["result"]["memory"]["retptr"], 2056);
}

#[test]
fn a_module_with_an_import_is_refused() {
    for imports in [
        r#"(import "env" "f" (func))"#,
        r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#,
        r#"(import "env" "g" (global i32))"#,
        r#"(import "env" "t" (table 1 funcref))"#,
    ] {
        let report = Parts { imports, ..GOOD }.run().expect(1, "X07WASM_WASM_IMPORTS_UNSUPPORTED");
        assert!(report["diagnostics"].to_string().contains("env") || imports.contains("wasi"), "{report:#}");
    }
}

#[test]
fn a_module_whose_memory_is_imported_is_refused() {
    let parts =
        Parts { imports: r#"(import "env" "memory" (memory 2 2))"#, memory: r#"(export "memory" (memory 0))"#, ..GOOD };
    let run = parts.run();
    assert_eq!(run.status, 1, "{:#}", run.report());
    assert!(!run.codes().is_empty());
}

#[test]
fn a_module_with_another_memory_than_the_profile_is_refused() {
    let fixed = ["--initial-memory=131072", "--max-memory=131072", "--no-growable-memory"];
    GOOD.run_under(&fixed).ok();
    for (memory, code) in [
        (r#"(memory (export "memory") 1 2)"#, "X07WASM_MEMORY_INITIAL_MISMATCH"),
        (r#"(memory (export "memory") 3 3)"#, "X07WASM_MEMORY_INITIAL_MISMATCH"),
        (r#"(memory (export "memory") 2 4)"#, "X07WASM_MEMORY_MAX_MISMATCH"),
        (r#"(memory (export "memory") 2 4)"#, "X07WASM_MEMORY_GROWABLE"),
        (r#"(memory (export "memory") 2)"#, "X07WASM_MEMORY_MAX_MISMATCH"),
        (r#"(memory (export "memory") 2)"#, "X07WASM_MEMORY_GROWABLE"),
    ] {
        Parts { memory, ..GOOD }.run_under(&fixed).expect(1, code);
    }
}

#[test]
fn a_module_without_memory_is_refused() {
    let parts = Parts { memory: "", solve: r#"(func (export "x07_solve_v2") (param i32 i32 i32 i32 i32))"#, ..GOOD };
    parts.run().expect(1, "X07WASM_WASM_NO_MEMORY");
}

#[test]
fn every_missing_export_has_a_diagnostic_of_its_own() {
    let memory = "(memory 2 2)";
    for (parts, name) in [
        (Parts { memory, ..GOOD }, "memory"),
        (Parts { heap_base: "", ..GOOD }, "__heap_base"),
        (Parts { data_end: "", ..GOOD }, "__data_end"),
        (Parts { solve: "", ..GOOD }, "x07_solve_v2"),
    ] {
        let report = parts.run().expect(1, "X07WASM_EXPORTS_MISSING");
        assert_eq!(diagnostic(&report, "X07WASM_EXPORTS_MISSING")["data"]["export"], name);
    }
    let none = Parts { heap_base: "", data_end: "", solve: "", ..GOOD };
    let codes = none.run().codes();
    assert_eq!(codes.iter().filter(|c| *c == "X07WASM_EXPORTS_MISSING").count(), 3, "{codes:?}");
}

#[test]
fn an_export_of_another_type_is_refused() {
    for (parts, code) in [
        (Parts { memory: r#"(memory 2 2) (func (export "memory"))"#, ..GOOD }, "X07WASM_EXPORT_MISSING_MEMORY"),
        (
            Parts { solve: r#"(func (export "x07_solve_v2") (param i32 i32 i32 i32))"#, ..GOOD },
            "X07WASM_EXPORT_INVALID_X07_SOLVE_V2",
        ),
        (
            Parts {
                solve: r#"(func (export "x07_solve_v2") (param i32 i32 i32 i32 i32) (result i32) (i32.const 0))"#,
                ..GOOD
            },
            "X07WASM_EXPORT_INVALID_X07_SOLVE_V2",
        ),
        (
            Parts { solve: r#"(func (export "x07_solve_v2") (param i64 i32 i32 i32 i32))"#, ..GOOD },
            "X07WASM_EXPORT_INVALID_X07_SOLVE_V2",
        ),
        (
            Parts { solve: r#"(global (export "x07_solve_v2") i32 (i32.const 0))"#, ..GOOD },
            "X07WASM_EXPORT_INVALID_X07_SOLVE_V2",
        ),
        (
            Parts { heap_base: r#"(global (export "__heap_base") i64 (i64.const 1024))"#, ..GOOD },
            "X07WASM_EXPORT_MISSING_HEAP_BASE",
        ),
        (Parts { heap_base: r#"(func (export "__heap_base"))"#, ..GOOD }, "X07WASM_EXPORT_MISSING_HEAP_BASE"),
        (
            Parts { data_end: r#"(global (export "__data_end") f32 (f32.const 1))"#, ..GOOD },
            "X07WASM_EXPORT_MISSING_DATA_END",
        ),
        (Parts { data_end: r#"(export "__data_end" (memory 0))"#, ..GOOD }, "X07WASM_EXPORT_MISSING_DATA_END"),
    ] {
        parts.run().expect(1, code);
    }
}

#[test]
fn a_module_that_cannot_be_parsed_or_validated_is_refused() {
    let place = echo();
    let cases: [&[u8]; 5] = [b"", b"junk", b"\0asm", b"\0asm\x01\0\0", b"\0asm\x0d\0\x01\0"];
    for bytes in cases {
        place.write("bad.wasm", bytes);
        place.run("run --wasm bad.wasm --input-hex 00 --json").expect(1, "X07WASM_WASM_INSPECT_FAILED");
    }
    // Well-formed, with a body that leaves a value too many.
    let bad = r#"(func (export "x07_solve_v2") (param i32 i32 i32 i32 i32) (i32.const 1))"#;
    Parts { solve: bad, ..GOOD }.run().expect(1, "X07WASM_WASM_INVALID");
}

#[test]
fn a_component_is_no_module() {
    let place = echo();
    place.write("c.wasm", wat::parse_str("(component)").expect("a component"));
    place.run("run --wasm c.wasm --input-hex 00 --json").expect(1, "X07WASM_WASM_INSPECT_FAILED");
}

#[test]
fn a_module_in_the_text_form_is_not_assembled() {
    let place = echo();
    place.write("m.wat", "(module)");
    place.run("run --wasm m.wat --input-hex 00 --json").expect(1, "X07WASM_WASM_INSPECT_FAILED");
}

#[test]
fn a_start_function_that_traps_fails_the_instantiation() {
    let more = "(func $s unreachable) (start $s)";
    Parts { more, ..GOOD }.run().expect(1, "X07WASM_WASM_INSTANTIATE_FAILED");
}

#[test]
fn data_beyond_the_memory_fails_the_instantiation() {
    let more = r#"(data (i32.const 131070) "toolong")"#;
    Parts { more, ..GOOD }.run().expect(1, "X07WASM_WASM_INSTANTIATE_FAILED");
}

#[test]
fn all_mismatches_come_in_one_report() {
    let parts = Parts { memory: r#"(memory (export "memory") 1 4)"#, data_end: "", ..GOOD };
    let run = parts.run_under(&["--initial-memory=131072", "--no-growable-memory"]);
    assert_eq!(run.status, 1);
    for code in ["X07WASM_MEMORY_INITIAL_MISMATCH", "X07WASM_MEMORY_GROWABLE", "X07WASM_EXPORTS_MISSING"] {
        assert!(run.codes().iter().any(|c| c == code), "no {code}: {:?}", run.codes());
    }
}
