//! The engine against modules of every kind: honest, greedy, endless, lying.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;

/// A solve module of four non-growable pages whose function has `body`.
fn solve_module(body: &str) -> Vec<u8> {
    module_with("(memory (export \"memory\") 4 4)", "1024", body)
}

/// A solve module with its own memory and heap base; `fields` may hold more than the memory.
fn module_with(fields: &str, heap_base: &str, body: &str) -> Vec<u8> {
    wat::parse_str(format!(
        "(module
           {fields}
           (global (export \"__heap_base\") i32 (i32.const {heap_base}))
           (global (export \"__data_end\") i32 (i32.const 512))
           (func $solve (export \"x07_solve_v2\")
             (param $ret i32) (param $arena i32) (param $cap i32) (param $in i32) (param $len i32)
             {body}))"
    ))
    .unwrap()
}

const ECHO: &str = "(memory.copy (local.get $arena) (local.get $in) (local.get $len))
    (i32.store (local.get $ret) (local.get $arena))
    (i32.store offset=4 (local.get $ret) (local.get $len))";

/// A module that claims an output at `ptr` of `len` bytes, both wat expressions.
fn claiming(ptr: &str, len: &str) -> Vec<u8> {
    solve_module(&format!("(i32.store (local.get $ret) {ptr}) (i32.store offset=4 (local.get $ret) {len})"))
}

fn runtime(limits: Limits) -> Runtime {
    let (runtime, warnings) = Runtime::new(&EngineConfig { limits, ..EngineConfig::default() }).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    runtime
}

fn call(input: &[u8]) -> SolveCall<'_> {
    SolveCall { input, arena_cap: 65_536, max_output: 65_536 }
}

/// Runs `wasm` on an empty input under `limits` and returns how it failed.
fn failure(limits: Limits, wasm: &[u8]) -> SolveError {
    let runtime = runtime(limits);
    let module = SolveModule::compile(&runtime, wasm).unwrap();
    module.solve(&runtime, &call(b"")).unwrap_err().kind
}

fn compile_error(limits: Limits, wasm: &[u8]) -> EngineError {
    SolveModule::compile(&runtime(limits), wasm).unwrap_err()
}

#[test]
fn runtimes_and_modules_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Runtime>();
    shared::<SolveModule>();
}

#[test]
fn the_version_is_the_locked_one() {
    let lock = include_str!("../../Cargo.lock").replace("\r\n", "\n");
    let entry = format!("name = \"wasmtime\"\nversion = \"{}\"\n", Runtime::version());
    assert!(lock.contains(&entry), "Cargo.lock has another wasmtime than {}", Runtime::version());
}

#[test]
fn echo_returns_its_input_and_the_layout() {
    let runtime = runtime(Limits { fuel: Some(100_000), ..Limits::default() });
    let module = SolveModule::compile(&runtime, &solve_module(ECHO)).unwrap();
    for input in [&b""[..], &b"abc"[..], &[0u8, 255, 128, 10][..]] {
        let output = module.solve(&runtime, &call(input)).unwrap();
        assert_eq!(output.bytes, input);
        let arena_ptr = if input.is_empty() { 1032 } else { 1040 };
        let layout = Layout { heap_base: 1024, data_end: 512, retptr: 1024, input_ptr: 1032, arena_ptr };
        assert_eq!(output.layout, layout);
        assert!(output.fuel_used.is_some_and(|fuel| fuel > 0 && fuel < 100_000));
    }
}

#[test]
fn fuel_is_reported_only_if_limited_and_is_deterministic() {
    let unlimited = runtime(Limits::default());
    let module = SolveModule::compile(&unlimited, &solve_module(ECHO)).unwrap();
    assert_eq!(module.solve(&unlimited, &call(b"abc")).unwrap().fuel_used, None);

    let limited = runtime(Limits { fuel: Some(1_000_000), ..Limits::default() });
    let module = SolveModule::compile(&limited, &solve_module(ECHO)).unwrap();
    let first = module.solve(&limited, &call(b"abc")).unwrap().fuel_used;
    assert_eq!(module.solve(&limited, &call(b"abc")).unwrap().fuel_used, first);
}

#[test]
fn instances_do_not_see_each_other() {
    let body = "(i32.store8 (local.get $arena) (i32.add (i32.load8_u (i32.const 8)) (i32.const 48)))
        (i32.store8 (i32.const 8) (i32.const 1))
        (i32.store (local.get $ret) (local.get $arena))
        (i32.store offset=4 (local.get $ret) (i32.const 1))";
    let runtime = runtime(Limits::default());
    let module = SolveModule::compile(&runtime, &solve_module(body)).unwrap();
    for _ in 0..2 {
        assert_eq!(module.solve(&runtime, &call(b"")).unwrap().bytes, b"0");
    }
}

#[test]
fn a_module_belongs_to_its_runtime() {
    let first = runtime(Limits::default());
    let second = runtime(Limits::default());
    let module = SolveModule::compile(&first, &solve_module(ECHO)).unwrap();
    let kind = module.solve(&second, &call(b"")).unwrap_err().kind;
    assert!(matches!(kind, SolveError::Engine { .. }), "{kind:?}");
}

#[test]
fn fuel_ends_an_endless_loop() {
    let endless = solve_module("(loop $again (br $again))");
    assert_eq!(failure(Limits { fuel: Some(10_000), ..Limits::default() }, &endless), SolveError::Fuel);
}

#[test]
fn without_fuel_nothing_runs() {
    assert_eq!(failure(Limits { fuel: Some(0), ..Limits::default() }, &solve_module(ECHO)), SolveError::Fuel);
}

#[test]
fn the_wall_clock_ends_an_endless_loop_and_not_a_short_call() {
    let limits = Limits { wall_ms: Some(50), ..Limits::default() };
    let started = Instant::now();
    assert_eq!(failure(limits, &solve_module("(loop $again (br $again))")), SolveError::WallTime { ms: 50 });
    assert!(started.elapsed() >= Duration::from_millis(50));

    let runtime = runtime(Limits { wall_ms: Some(60_000), ..Limits::default() });
    let module = SolveModule::compile(&runtime, &solve_module(ECHO)).unwrap();
    assert_eq!(module.solve(&runtime, &call(b"abc")).unwrap().bytes, b"abc");
}

#[test]
fn the_ticker_starts_again_after_its_last_engine_is_gone() {
    for _ in 0..3 {
        let limits = Limits { wall_ms: Some(5), ..Limits::default() };
        let kind = failure(limits, &solve_module("(loop $again (br $again))"));
        assert_eq!(kind, SolveError::WallTime { ms: 5 });
    }
}

#[test]
fn endless_recursion_exhausts_the_wasm_stack_even_on_a_small_thread() {
    let recursive = solve_module(
        "(call $solve (local.get $ret) (local.get $arena) (local.get $cap) (local.get $in) (local.get $len))
         (i32.store (local.get $ret) (i32.const 0))",
    );
    for wasm_stack_bytes in [None, Some(65_536), Some(MAX_WASM_STACK_BYTES)] {
        let wasm = recursive.clone();
        let kind = std::thread::Builder::new()
            .stack_size(512 * 1024)
            .spawn(move || {
                // The compiler has its own needs; only the call is on trial here.
                let (runtime, module) = stacker::grow(4 * 1024 * 1024, || {
                    let runtime = runtime(Limits { wasm_stack_bytes, ..Limits::default() });
                    let module = SolveModule::compile(&runtime, &wasm).unwrap();
                    (runtime, module)
                });
                module.solve(&runtime, &call(b"")).unwrap_err().kind
            })
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(kind, SolveError::WasmStack);
    }
}

#[test]
fn a_memory_over_the_limit_is_refused_at_the_start() {
    let limits = Limits { memory_bytes: Some(3 * 65_536), ..Limits::default() };
    let error = compile_error(limits, &solve_module(ECHO));
    assert_eq!(error, EngineError::MemoryLimit { wanted: 4 * 65_536, limit: 3 * 65_536 });

    let limits = Limits { memory_bytes: Some(4 * 65_536), ..Limits::default() };
    assert!(SolveModule::compile(&runtime(limits), &solve_module(ECHO)).is_ok());
}

#[test]
fn growing_a_memory_over_the_limit_ends_the_call() {
    let growing = module_with("(memory (export \"memory\") 2 100)", "1024", "(drop (memory.grow (i32.const 5)))");
    let limits = Limits { memory_bytes: Some(3 * 65_536), ..Limits::default() };
    let want = SolveError::Memory { wanted: Some(7 * 65_536), limit: Some(3 * 65_536) };
    assert_eq!(failure(limits, &growing), want);
}

#[test]
fn a_table_over_the_limit_is_refused() {
    let wasm = module_with("(memory (export \"memory\") 4 4) (table 11 funcref)", "1024", ECHO);
    let error = compile_error(Limits { table_elements: Some(10), ..Limits::default() }, &wasm);
    assert_eq!(error, EngineError::TableLimit { wanted: 11, limit: 10 });

    let runtime = runtime(Limits { table_elements: Some(11), ..Limits::default() });
    let module = SolveModule::compile(&runtime, &wasm).unwrap();
    assert!(module.solve(&runtime, &call(b"")).is_ok());
}

#[test]
fn zero_limits_for_memory_and_table_mean_none() {
    let wasm = module_with("(memory (export \"memory\") 4 4) (table 11 funcref)", "1024", ECHO);
    let runtime = runtime(Limits { memory_bytes: Some(0), table_elements: Some(0), ..Limits::default() });
    let module = SolveModule::compile(&runtime, &wasm).unwrap();
    assert!(module.solve(&runtime, &call(b"")).is_ok());
}

#[test]
fn an_arena_larger_than_the_memory_does_not_fit() {
    let runtime = runtime(Limits::default());
    let module = SolveModule::compile(&runtime, &solve_module(ECHO)).unwrap();
    let fitting = SolveCall { input: b"", arena_cap: 4 * 65_536 - 1032, max_output: 16 };
    assert!(module.solve(&runtime, &fitting).is_ok());
    let failure = module.solve(&runtime, &SolveCall { arena_cap: fitting.arena_cap + 1, ..fitting }).unwrap_err();
    let want = SolveError::ArenaDoesNotFit { need_bytes: 4 * 65_536 + 1, have_bytes: 4 * 65_536 };
    assert_eq!(failure.kind, want);
    assert_eq!(failure.layout.map(|layout| layout.arena_ptr), Some(1032));

    let failure = module.solve(&runtime, &SolveCall { arena_cap: u32::MAX, ..fitting }).unwrap_err();
    assert!(matches!(failure.kind, SolveError::ArenaDoesNotFit { .. }));
}

#[test]
fn an_input_larger_than_the_memory_does_not_fit() {
    let runtime = runtime(Limits::default());
    let module = SolveModule::compile(&runtime, &solve_module(ECHO)).unwrap();
    let input = vec![7; 5 * 65_536];
    let failure = module.solve(&runtime, &call(&input)).unwrap_err();
    assert!(matches!(failure.kind, SolveError::ArenaDoesNotFit { .. }));
}

#[test]
fn heap_bounds_are_unsigned_and_never_wrap() {
    for heap_base in ["-1", "-8", "0x7fffffff", "-2147483648", "262144"] {
        let wasm = module_with("(memory (export \"memory\") 4 4)", heap_base, ECHO);
        let kind = failure(Limits::default(), &wasm);
        assert!(matches!(kind, SolveError::ArenaDoesNotFit { .. }), "{heap_base}: {kind:?}");
    }
    // Below the data end the heap base does not count.
    let runtime = runtime(Limits::default());
    let wasm = module_with("(memory (export \"memory\") 4 4)", "16", ECHO);
    let output = SolveModule::compile(&runtime, &wasm).unwrap().solve(&runtime, &call(b"x")).unwrap();
    assert_eq!((output.layout.heap_base, output.layout.retptr), (16, 512));
}

#[test]
fn a_long_output_is_a_limit_wherever_it_is() {
    let runtime = runtime(Limits::default());
    for (ptr, len) in [("(local.get $arena)", "(i32.const 17)"), ("(i32.const -1)", "(i32.const -1)")] {
        let module = SolveModule::compile(&runtime, &claiming(ptr, len)).unwrap();
        let call = SolveCall { input: b"", arena_cap: 1024, max_output: 16 };
        let kind = module.solve(&runtime, &call).unwrap_err().kind;
        assert!(matches!(kind, SolveError::OutputTooLarge { max_output_bytes: 16, .. }), "{kind:?}");
    }
}

#[test]
fn lies_about_the_output_are_found() {
    let runtime = runtime(Limits::default());
    let solve = |ptr: &str, len: &str| {
        let module = SolveModule::compile(&runtime, &claiming(ptr, len)).unwrap();
        module.solve(&runtime, &SolveCall { input: b"", arena_cap: 1024, max_output: u32::MAX }).unwrap_err().kind
    };
    for (ptr, len) in [
        ("(i32.const 0x7fff0000)", "(i32.const 4)"),
        ("(local.get $arena)", "(i32.const 0xffffffff)"),
        ("(i32.const 0xfffffff0)", "(i32.const 0x20)"),
        ("(i32.const 0xffffffff)", "(i32.const 0xffffffff)"),
        ("(i32.const 262145)", "(i32.const 0)"),
    ] {
        let kind = solve(ptr, len);
        assert!(matches!(kind, SolveError::OutputOutsideMemory { .. }), "{ptr} {len}: {kind:?}");
    }
    for (ptr, len) in [
        ("(i32.const 0)", "(i32.const 0)"),
        ("(i32.const 1031)", "(i32.const 4)"),
        ("(i32.add (local.get $arena) (i32.const 1025))", "(i32.const 0)"),
        ("(i32.add (local.get $arena) (i32.const 1021))", "(i32.const 4)"),
    ] {
        let kind = solve(ptr, len);
        assert!(matches!(kind, SolveError::OutputOutsideArena { .. }), "{ptr} {len}: {kind:?}");
    }
}

#[test]
fn an_empty_output_may_lie_at_the_end_of_the_arena() {
    let runtime = runtime(Limits::default());
    let wasm = claiming("(i32.add (local.get $arena) (local.get $cap))", "(i32.const 0)");
    let module = SolveModule::compile(&runtime, &wasm).unwrap();
    assert_eq!(module.solve(&runtime, &call(b"")).unwrap().bytes, b"");
}

#[test]
fn a_module_that_returns_nothing_has_written_a_null_output() {
    let kind = failure(Limits::default(), &solve_module(""));
    assert!(matches!(kind, SolveError::OutputOutsideArena { ptr: 0, len: 0, .. }), "{kind:?}");
}

#[test]
fn imports_are_refused_and_counted() {
    let wasm = wat::parse_str("(module (import \"env\" \"now\" (func)) (import \"env\" \"later\" (func)))").unwrap();
    let error = compile_error(Limits::default(), &wasm);
    assert_eq!(error, EngineError::Imports { first: "env.now".to_owned(), count: 2 });
}

#[test]
fn absent_and_mistyped_exports_are_told_apart() {
    let memory = "(memory (export \"memory\") 1 1)";
    let heap = "(global (export \"__heap_base\") i32 (i32.const 0))";
    let data = "(global (export \"__data_end\") i32 (i32.const 0))";
    let solve = "(func (export \"x07_solve_v2\") (param i32 i32 i32 i32 i32))";
    let cases = [
        (format!("{heap}{data}{solve}"), ExportError::MissingMemory),
        (format!("(func (export \"memory\")){heap}{data}{solve}"), ExportError::MissingMemory),
        (format!("{memory}{heap}{data}"), ExportError::SolveType),
        (
            format!("{memory}{heap}{data}(func (export \"x07_solve_v2\") (param i32 i32 i32 i32))"),
            ExportError::SolveType,
        ),
        (
            format!("{memory}{heap}{data}(func (export \"x07_solve_v2\") (param i32 i32 i32 i32 i64))"),
            ExportError::SolveType,
        ),
        (
            format!(
                "{memory}{heap}{data}(func (export \"x07_solve_v2\") (param i32 i32 i32 i32 i32) (result i32) i32.const 0)"
            ),
            ExportError::SolveType,
        ),
        (format!("{memory}{data}{solve}"), ExportError::HeapBase),
        (format!("{memory}(global (export \"__heap_base\") i64 (i64.const 0)){data}{solve}"), ExportError::HeapBase),
        (format!("{memory}{heap}{solve}"), ExportError::DataEnd),
        (format!("{memory}{heap}(func (export \"__data_end\")){solve}"), ExportError::DataEnd),
    ];
    for (fields, want) in cases {
        let wasm = wat::parse_str(format!("(module {fields})")).unwrap();
        assert_eq!(compile_error(Limits::default(), &wasm), EngineError::Export(want), "{fields}");
    }
}

#[test]
fn invalid_modules_are_refused_with_a_place() {
    let component = wat::parse_str("(component)").unwrap();
    let simd = module_with("(memory (export \"memory\") 4 4)", "0", "(drop (v128.const i64x2 0 0))");
    let two_tables = module_with("(memory (export \"memory\") 4 4) (table 1 funcref) (table 1 funcref)", "0", ECHO);
    let mut truncated = solve_module(ECHO);
    truncated.pop();
    for wasm in [component, simd, two_tables, truncated, Vec::new(), b"(module)".to_vec()] {
        let error = compile_error(Limits::default(), &wasm);
        assert!(matches!(error, EngineError::Invalid { offset: Some(_), .. }), "{error:?}");
    }
}

#[test]
fn what_clang_emits_is_accepted() {
    let body = format!(
        "(drop (i32.trunc_sat_f64_s (f64.const 1.5)))
         (drop (i32.extend8_s (i32.const 200)))
         (call_indirect (type $pair) (i32.const 1))
         drop
         drop
         (global.set $stack (i32.const 1000))
         (memory.fill (i32.const 0) (i32.const 0) (i32.const 8))
         {ECHO}"
    );
    let fields = "(memory (export \"memory\") 4 4)
         (type $pair (func (result i32 i32)))
         (table 2 funcref)
         (func $two (type $pair) (i32.const 1) (i32.const 2))
         (elem (i32.const 1) $two)
         (global $stack (mut i32) (i32.const 1024))
         (data \"abc\")";
    let wasm = module_with(fields, "1024", &body);
    let runtime = runtime(Limits::default());
    let module = SolveModule::compile(&runtime, &wasm).unwrap();
    assert_eq!(module.solve(&runtime, &call(b"abc")).unwrap().bytes, b"abc");
}

#[test]
fn a_trap_names_its_frames_and_their_code_offsets() {
    let wasm = module_with(
        "(memory (export \"memory\") 4 4)
         (func $inner (unreachable))
         (func $outer (call $inner) (i32.store (i32.const 0) (i32.const 1)))",
        "1024",
        "(call $outer) (i32.store (i32.const 0) (i32.const 1))",
    );
    let SolveError::Trap(trap) = failure(Limits::default(), &wasm) else {
        panic!("no trap");
    };
    assert!(trap.message.contains("unreachable"), "{}", trap.message);
    let names: Vec<_> = trap.frames.iter().map(|frame| frame.function_name.as_deref()).collect();
    assert_eq!(names, [Some("inner"), Some("outer"), Some("solve")]);
    assert_eq!(trap.frames.iter().map(|frame| frame.function_index).collect::<Vec<_>>(), [0, 1, 2]);

    let inner = &trap.frames[0];
    let at = usize::try_from(inner.module_offset.unwrap()).unwrap();
    assert_eq!(wasm[at], 0x00, "the opcode of unreachable");
    let payload = at - usize::try_from(inner.code_offset.unwrap()).unwrap();
    assert_eq!(wasm[payload], 3, "the payload starts with the number of functions");
}

#[test]
fn frames_are_bounded() {
    let wasm = module_with(
        "(memory (export \"memory\") 4 4)
         (func $down (param i32)
           (if (i32.eqz (local.get 0)) (then (unreachable)))
           (call $down (i32.sub (local.get 0) (i32.const 1)))
           (i32.store (i32.const 0) (local.get 0)))",
        "1024",
        "(call $down (i32.const 100))",
    );
    let SolveError::Trap(trap) = failure(Limits::default(), &wasm) else {
        panic!("no trap");
    };
    assert_eq!(trap.frames.len(), 32);
}

#[test]
fn a_start_function_is_under_the_limits_and_its_traps_are_instantiation_failures() {
    let fields = |body: &str| format!("(memory (export \"memory\") 4 4) (func $start {body}) (start $start)");
    let trapping = module_with(&fields("(unreachable)"), "1024", ECHO);
    let kind = failure(Limits::default(), &trapping);
    assert!(matches!(kind, SolveError::Instantiate { .. }), "{kind:?}");

    let endless = module_with(&fields("(loop $again (br $again))"), "1024", ECHO);
    assert_eq!(failure(Limits { fuel: Some(1000), ..Limits::default() }, &endless), SolveError::Fuel);
    assert_eq!(failure(Limits { wall_ms: Some(10), ..Limits::default() }, &endless), SolveError::WallTime { ms: 10 });
}

#[test]
fn data_outside_the_memory_is_an_instantiation_failure() {
    let wasm = module_with("(memory (export \"memory\") 4 4) (data (i32.const 262143) \"ab\")", "1024", ECHO);
    let kind = failure(Limits::default(), &wasm);
    assert!(matches!(kind, SolveError::Instantiate { .. }), "{kind:?}");
}

#[test]
fn pooling_runs_within_its_limits_and_refuses_like_on_demand() {
    let limits = Limits { memory_bytes: Some(4 * 65_536), table_elements: Some(10), ..Limits::default() };
    let config = EngineConfig { limits, allocator: Allocator::Pooling, ..EngineConfig::default() };
    let (runtime, _) = Runtime::new(&config).unwrap();
    let module = SolveModule::compile(&runtime, &solve_module(ECHO)).unwrap();
    for _ in 0..40 {
        assert_eq!(module.solve(&runtime, &call(b"abc")).unwrap().bytes, b"abc");
    }
    let large = module_with("(memory (export \"memory\") 5 5)", "1024", ECHO);
    let error = SolveModule::compile(&runtime, &large).unwrap_err();
    assert_eq!(error, EngineError::MemoryLimit { wanted: 5 * 65_536, limit: 4 * 65_536 });
    let growing = module_with("(memory (export \"memory\") 4 9)", "1024", "(drop (memory.grow (i32.const 1)))");
    let kind = SolveModule::compile(&runtime, &growing).unwrap().solve(&runtime, &call(b"")).unwrap_err().kind;
    assert_eq!(kind, SolveError::Memory { wanted: Some(5 * 65_536), limit: Some(4 * 65_536) });
}

#[test]
fn pooling_needs_both_limits() {
    let cases: [(Option<u64>, Option<u32>, Vec<&str>); 4] = [
        (None, None, vec!["max_memory_bytes", "max_table_elements"]),
        (Some(65_536), None, vec!["max_table_elements"]),
        (None, Some(1), vec!["max_memory_bytes"]),
        (Some(0), Some(0), vec!["max_memory_bytes", "max_table_elements"]),
    ];
    for (memory_bytes, table_elements, want) in cases {
        let limits = Limits { memory_bytes, table_elements, ..Limits::default() };
        let config = EngineConfig { limits, allocator: Allocator::Pooling, ..EngineConfig::default() };
        assert_eq!(Runtime::new(&config).unwrap_err(), EngineError::PoolingNeedsLimits { missing: want });
    }
}

#[test]
fn a_broken_cache_configuration_only_warns() {
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("broken.toml");
    fs::write(&broken, "[cache\n").unwrap();
    let unknown = dir.path().join("unknown.toml");
    fs::write(&unknown, "[cache]\nenabled = true\ncolour = 'red'\n").unwrap();
    for path in [broken, unknown, dir.path().join("absent.toml"), dir.path().to_owned()] {
        let config = EngineConfig { cache: Some(CacheSource::ProjectFile(path.clone())), ..EngineConfig::default() };
        let (runtime, warnings) = Runtime::new(&config).unwrap();
        let [EngineWarning::CacheIgnored { path: named, reason }] = warnings.as_slice() else {
            panic!("{warnings:?}");
        };
        assert_eq!(named, &path);
        assert!(!reason.is_empty() && !reason.contains('\n'), "{reason:?}");
        let module = SolveModule::compile(&runtime, &solve_module(ECHO)).unwrap();
        assert_eq!(module.solve(&runtime, &call(b"abc")).unwrap().bytes, b"abc");
    }
}

#[test]
fn a_cache_is_filled_once_and_works_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    for _ in 0..2 {
        let config = EngineConfig { cache: Some(CacheSource::Directory(store.clone())), ..EngineConfig::default() };
        let (runtime, warnings) = Runtime::new(&config).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        let module = SolveModule::compile(&runtime, &solve_module(ECHO)).unwrap();
        assert_eq!(module.solve(&runtime, &call(b"abc")).unwrap().bytes, b"abc");
        assert_eq!(cached_modules(&store), 1);
    }
    let config_path = dir.path().join("cache.toml");
    fs::write(&config_path, "[cache]\nenabled = false\n").unwrap();
    let config = EngineConfig { cache: Some(CacheSource::ProjectFile(config_path)), ..EngineConfig::default() };
    assert!(Runtime::new(&config).unwrap().1.is_empty());
}

/// Number of compiled modules under a cache directory; statistics files have an extension.
fn cached_modules(dir: &Path) -> usize {
    let mut count = 0;
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_none() {
                count += 1;
            }
        }
    }
    count
}
