//! What is said about a program that traps: the reason, the function, the place, the calls.

use super::diagnostic;
use crate::support::Place;
use serde_json::{Value, json};

/// Runs a project whose entry has this expression on one byte; yields the report of the trap.
#[track_caller]
fn trap(solve: Value) -> Value {
    let place = Place::new();
    place.project("app", &solve);
    place.run("run --project app/x07.json --input-hex 00 --json").expect(1, "X07WASM_RUN_FAILED")
}

/// Asserts reason and place of a trap in the entry's expression.
#[track_caller]
fn assert_trap(solve: Value, reason: &str, pointer: &str) {
    let report = trap(solve);
    let found = diagnostic(&report, "X07WASM_RUN_FAILED");
    assert_eq!(found["data"]["reason"], reason, "{found:#}");
    assert_eq!(found["data"]["function"], "solve", "{found:#}");
    assert_eq!(found["data"]["module"], "main", "{found:#}");
    assert_eq!(found["loc"], json!({ "kind": "x07ast", "ptr": pointer }), "{found:#}");
    assert_eq!(found["stage"], "run");
    let text = report["result"]["trap"].as_str().expect("the text of the trap");
    let message = found["message"].as_str().expect("a message");
    assert!(message.contains(text), "{message} does not contain {text}");
    assert!(text.contains(pointer) && text.contains("solve"), "{text}");
}

#[test]
fn an_index_outside_a_view_is_out_of_bounds() {
    let read = json!(["view.get_u8", "input", 1]);
    assert_trap(json!(["begin", ["let", "x", read], ["view.to_bytes", "input"]]), "out_of_bounds", "/solve/1/2");
}

#[test]
fn a_negative_index_is_out_of_bounds() {
    let read = json!(["view.get_u8", "input", -1]);
    assert_trap(json!(["begin", ["let", "x", read], ["view.to_bytes", "input"]]), "out_of_bounds", "/solve/1/2");
}

#[test]
fn a_range_outside_a_view_is_out_of_bounds() {
    assert_trap(json!(["view.to_bytes", ["view.slice", "input", 1, 1]]), "out_of_bounds", "/solve/1");
    assert_trap(json!(["view.to_bytes", ["view.slice", "input", -1, 2]]), "out_of_bounds", "/solve/1");
}

#[test]
fn a_text_that_is_no_number_fails_to_parse() {
    assert_trap(json!(["fmt.u32_to_dec", ["parse.u32_dec", "input"]]), "parse_failed", "/solve/1");
}

#[test]
fn an_allocation_beyond_the_arena_is_out_of_memory() {
    assert_trap(json!(["begin", ["let", "b", ["bytes.alloc", 70_000_000]], "b"]), "out_of_memory", "/solve/1/2");
}

/// A project `app` with a module `lib.m` whose function traps, called from the entry. The functions
/// return from a loop, so that each stays a function of the module.
fn two_modules() -> Place {
    let place = Place::new();
    let module = json!({
        "schema_version": "x07.x07ast@0.8.0", "kind": "module", "module_id": "lib.m", "imports": [],
        "decls": [
            { "kind": "export", "names": ["lib.m.at"] },
            { "kind": "defn", "name": "lib.m.at", "params": [{ "name": "b", "ty": "bytes_view" }, { "name": "i", "ty": "i32" }], "result": "i32",
              "body": ["begin", ["for", "k", 0, 1, ["if", ["<", "i", 0], ["return", 0], 0]], ["lib.m.inner", "b", "i"]] },
            { "kind": "defn", "name": "lib.m.inner", "params": [{ "name": "b", "ty": "bytes_view" }, { "name": "i", "ty": "i32" }], "result": "i32",
              "body": ["begin", ["for", "k", 0, 1, ["if", ["<", "i", 0], ["return", 0], 0]], ["view.get_u8", "b", "i"]] },
        ],
    });
    let entry = json!({
        "schema_version": "x07.x07ast@0.8.0", "kind": "entry", "module_id": "main", "imports": ["lib.m"], "decls": [],
        "solve": ["fmt.u32_to_dec", ["lib.m.at", "input", 7]],
    });
    place.project_of("app", &entry.to_string());
    place.write("app/src/lib/m.x07.json", module.to_string());
    place
}

#[test]
fn the_calls_that_led_to_a_trap_are_listed_innermost_first() {
    let place = two_modules();
    let report = place.run("run --project app/x07.json --input-hex 00 --json").expect(1, "X07WASM_RUN_FAILED");
    let found = diagnostic(&report, "X07WASM_RUN_FAILED");
    assert_eq!(found["data"]["function"], "lib.m.inner");
    assert_eq!(found["data"]["module"], "lib.m");
    assert_eq!(found["loc"]["ptr"], "/decls/2/body/2");
    assert_eq!(
        found["data"]["calls"],
        json!([
            { "function": "lib.m.inner", "module": "lib.m", "ptr": "/decls/2/body/2" },
            { "function": "lib.m.at", "module": "lib.m", "ptr": "/decls/1/body/2" },
            { "function": "solve", "module": "main", "ptr": "/solve/1" },
        ])
    );
}

#[test]
fn a_built_module_knows_its_source_as_well() {
    let place = two_modules();
    let direct = place.run("run --project app/x07.json --input-hex 00 --json").expect(1, "X07WASM_RUN_FAILED");
    place.run("build --project app/x07.json --out app.wasm --json").ok();
    std::fs::remove_dir_all(place.path("app")).expect("removed");
    let built = place.run("run --wasm app.wasm --input-hex 00 --json").expect(1, "X07WASM_RUN_FAILED");
    assert_eq!(diagnostic(&direct, "X07WASM_RUN_FAILED"), diagnostic(&built, "X07WASM_RUN_FAILED"));
}

#[test]
fn people_read_the_same_without_json() {
    let run = two_modules().run("run --project app/x07.json --input-hex 00");
    assert_eq!((run.status, run.stdout.len()), (1, 0));
    for part in ["error[X07WASM_RUN_FAILED]", "outside", "lib.m.inner", "/decls/2/body"] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
}

#[test]
fn a_trap_of_a_foreign_module_is_reported_without_a_place() {
    let place = Place::new();
    let wasm = wat::parse_str(
        r#"(module (memory (export "memory") 2 2) (global (export "__heap_base") i32 (i32.const 64)) (global (export "__data_end") i32 (i32.const 0))
        (func $named (result i32) (i32.div_u (i32.const 1) (i32.const 0)))
        (func (export "x07_solve_v2") (param i32 i32 i32 i32 i32) (drop (call $named))))"#,
    )
    .expect("a module");
    place.write("m.wasm", wasm);
    let changes = [("/wasm_ld/ldflags", json!(["--no-entry"])), ("/defaults/arena_cap_bytes", json!(1024))];
    place.write("p.json", super::profile(&changes));
    let report =
        place.run("run --wasm m.wasm --profile-file p.json --input-hex 00 --json").expect(1, "X07WASM_RUN_FAILED");
    let found = diagnostic(&report, "X07WASM_RUN_FAILED");
    assert_eq!(found["loc"], Value::Null, "{found:#}");
    assert_eq!(found["data"]["reason"], Value::Null, "{found:#}");
    let message = found["message"].as_str().expect("a message");
    assert!(message.contains("divide by zero") && message.contains("named"), "{message}");
}

#[test]
fn the_same_trap_has_the_same_report() {
    let place = two_modules();
    let run = || {
        let report = place.run("run --project app/x07.json --input-hex 00 --json").report();
        (report["diagnostics"].clone(), report["result"].clone())
    };
    assert_eq!(run(), run());
}
