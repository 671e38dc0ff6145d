//! Every limit, from the profile and from the command line.

use super::{diagnostic, echo, profile};
use crate::support::{Place, Run};
use serde_json::json;
use std::time::Duration;

/// Runs `echo.wasm` on two bytes with more arguments.
fn run(place: &Place, args: &str) -> Run {
    place.run(&format!("run --wasm echo.wasm --input-hex 6869 {args} --json"))
}

/// Runs a project whose program never ends.
fn spin(args: &str) -> Run {
    let place = Place::with_example("spin");
    let run = place.run(&format!("run --project spin/x07.json --input-hex 00 {args} --json"));
    assert!(run.took < Duration::from_secs(60), "it took {:?}", run.took);
    run
}

#[test]
fn the_output_is_limited() {
    let place = echo();
    let report = run(&place, "--max-output-bytes 1").expect(4, "X07WASM_BUDGET_EXCEEDED_OUTPUT");
    let found = diagnostic(&report, "X07WASM_BUDGET_EXCEEDED_OUTPUT");
    assert_eq!(found["data"], json!({ "out_len": 2, "max_output_bytes": 1 }));
    run(&place, "--max-output-bytes 2").ok();
    run(&place, "--max-output-bytes 18446744073709551615").ok();
    run(&place, "--max-output-bytes 0").expect(4, "X07WASM_BUDGET_EXCEEDED_OUTPUT");
}

#[test]
fn an_empty_output_fits_a_limit_of_zero() {
    let place = echo();
    let args = ["run", "--wasm", "echo.wasm", "--input-hex", "", "--max-output-bytes", "0", "--json"];
    place.run_args(&args).ok();
}

#[test]
fn fuel_is_limited() {
    let place = echo();
    for fuel in ["0", "1"] {
        run(&place, &format!("--max-fuel {fuel}")).expect(4, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");
    }
    run(&place, "--max-fuel none").ok();
    run(&place, "--max-fuel 18446744073709551615").ok();
    let report = spin("--max-fuel 10000").expect(4, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");
    assert!(report["result"]["trap"].as_str().is_some_and(|t| t.contains("fuel")), "{report:#}");
}

#[test]
fn wall_time_is_limited_although_there_is_no_fuel_limit() {
    spin("--max-fuel none --max-wall-ms 100").expect(4, "X07WASM_BUDGET_EXCEEDED_WALLTIME");
    // Long enough for a program that ends.
    run(&echo(), "--max-wall-ms 60000").ok();
    run(&echo(), "--max-wall-ms none").ok();
}

#[test]
fn memory_is_limited() {
    let place = echo();
    run(&place, "--max-memory-bytes 65536").expect(4, "X07WASM_BUDGET_EXCEEDED_MEMORY");
    run(&place, "--max-memory-bytes 134217727").expect(4, "X07WASM_BUDGET_EXCEEDED_MEMORY");
    run(&place, "--max-memory-bytes 134217728").ok();
    run(&place, "--max-memory-bytes 0").ok();
    run(&place, "--max-memory-bytes none").ok();
}

#[test]
fn tables_are_limited() {
    let place = Place::new();
    let module = |elements: u32| {
        wat::parse_str(format!(
            r#"(module (memory (export "memory") 2 2) (table {elements} funcref)
            (global (export "__heap_base") i32 (i32.const 1024)) (global (export "__data_end") i32 (i32.const 0))
            (func (export "x07_solve_v2") (param i32 i32 i32 i32 i32) (i32.store (local.get 0) (local.get 1))))"#
        ))
        .expect("a module")
    };
    place.write(
        "p.json",
        profile(&[("/wasm_ld/ldflags", json!(["--no-entry"])), ("/defaults/arena_cap_bytes", json!(1024))]),
    );
    place.write("m.wasm", module(11));
    let args = "run --wasm m.wasm --profile-file p.json --input-hex 00 --json --max-table-elements";
    place.run(&format!("{args} 10")).expect(4, "X07WASM_BUDGET_EXCEEDED_TABLE");
    for fine in ["11", "0", "none", "4294967295"] {
        place.run(&format!("{args} {fine}")).ok();
    }
}

#[test]
fn the_stack_is_limited() {
    let place = Place::new();
    let entry = json!({
        "schema_version": "x07.x07ast@0.8.0", "kind": "entry", "module_id": "main", "imports": [],
        "decls": [{ "kind": "defn", "name": "main.f", "params": [{ "name": "i", "ty": "i32" }], "result": "i32", "body": ["+", 1, ["main.f", ["+", "i", 1]]] }],
        "solve": ["fmt.u32_to_dec", ["main.f", 0]],
    });
    place.project_of("deep", &entry.to_string());
    for args in ["", "--max-wasm-stack-bytes 4096", "--max-wasm-stack-bytes 2097152", "--max-wasm-stack-bytes none"] {
        let run = place.run(&format!("run --project deep/x07.json --input-hex 00 --max-fuel none {args} --json"));
        run.expect(4, "X07WASM_BUDGET_EXCEEDED_WASM_STACK");
    }
}

#[test]
fn a_stack_that_the_engine_cannot_have_is_reported() {
    let place = echo();
    for bytes in ["0", "2097153", "2147483647"] {
        run(&place, &format!("--max-wasm-stack-bytes {bytes}")).expect(1, "X07WASM_WASMTIME_ENGINE_FAILED");
    }
    run(&place, "--max-wasm-stack-bytes none").ok();
}

#[test]
fn a_number_beyond_what_an_option_takes_is_an_invalid_argument() {
    let place = echo();
    for args in [
        "--max-table-elements 4294967296",
        "--max-wasm-stack-bytes 2147483648",
        "--max-fuel 18446744073709551616",
        "--max-fuel -1",
        "--max-fuel lots",
        "--max-fuel 1.5",
        "--max-fuel None",
        "--max-output-bytes none",
        "--arena-cap-bytes none",
        "--arena-cap-bytes 0x10",
    ] {
        run(&place, args).expect(3, "X07WASM_CLI_ARGS_INVALID");
    }
}

#[test]
fn an_arena_that_does_not_fit_names_need_and_have() {
    let place = echo();
    let report = run(&place, "--arena-cap-bytes 134217728").expect(4, "X07WASM_BUDGET_EXCEEDED_MEMORY");
    let found = diagnostic(&report, "X07WASM_BUDGET_EXCEEDED_MEMORY");
    let arena = report["result"]["memory"]["arena_ptr"].as_u64().expect("an address");
    assert_eq!(found["data"], json!({ "need_bytes": arena + 134_217_728, "have_bytes": 134_217_728 }));
    // Up to the last byte it fits.
    run(&place, &format!("--arena-cap-bytes {}", 134_217_728 - arena)).ok();
    run(&place, &format!("--arena-cap-bytes {}", 134_217_728 - arena + 1)).expect(4, "X07WASM_BUDGET_EXCEEDED_MEMORY");
    run(&place, "--arena-cap-bytes 4294967295").expect(4, "X07WASM_BUDGET_EXCEEDED_MEMORY");
}

#[test]
fn an_input_that_does_not_fit_beside_the_arena_is_reported() {
    let place = echo();
    place.write("in", vec![0_u8; 1_000_000]);
    let run = place.run("run --wasm echo.wasm --input in --arena-cap-bytes 134000000 --json");
    run.expect(4, "X07WASM_BUDGET_EXCEEDED_MEMORY");
}

#[test]
fn an_arena_of_four_gibibytes_is_invalid() {
    let place = echo();
    run(&place, "--arena-cap-bytes 4294967296").expect(3, "X07WASM_ARENA_CAP_TOO_LARGE");
    place.write("p.json", profile(&[("/defaults/arena_cap_bytes", json!(4_294_967_296_u64))]));
    run(&place, "--profile-file p.json").expect(3, "X07WASM_ARENA_CAP_TOO_LARGE");
}

#[test]
fn an_arena_too_small_for_the_program_traps() {
    let place = echo();
    for bytes in ["0", "16"] {
        let report = run(&place, &format!("--arena-cap-bytes {bytes}")).expect(1, "X07WASM_RUN_FAILED");
        assert_eq!(diagnostic(&report, "X07WASM_RUN_FAILED")["data"]["reason"], "arena_too_small");
    }
}

#[test]
fn the_limits_of_the_profile_hold() {
    for (pointer, value, code) in [
        ("/runtime/max_fuel", json!(1), "X07WASM_BUDGET_EXCEEDED_CPU_FUEL"),
        ("/runtime/max_memory_bytes", json!(65536), "X07WASM_BUDGET_EXCEEDED_MEMORY"),
        ("/runtime/max_wasm_stack_bytes", json!(64), "X07WASM_BUDGET_EXCEEDED_WASM_STACK"),
        ("/defaults/max_output_bytes", json!(1), "X07WASM_BUDGET_EXCEEDED_OUTPUT"),
        ("/defaults/arena_cap_bytes", json!(134_217_728), "X07WASM_BUDGET_EXCEEDED_MEMORY"),
    ] {
        let place = echo();
        place.write("p.json", profile(&[(pointer, value)]));
        run(&place, "--profile-file p.json").expect(4, code);
        run(&place, "--profile-file p.json --max-fuel none --max-memory-bytes none --max-wasm-stack-bytes 1048576 --max-output-bytes 2 --arena-cap-bytes 65536").ok();
    }
}

#[test]
fn limits_that_are_null_do_not_limit() {
    let place = echo();
    let mut changes = Vec::new();
    for name in ["max_fuel", "max_memory_bytes", "max_table_elements", "max_wasm_stack_bytes"] {
        changes.push((format!("/runtime/{name}"), json!(null)));
    }
    let changes: Vec<(&str, serde_json::Value)> = changes.iter().map(|(p, v)| (p.as_str(), v.clone())).collect();
    place.write("p.json", profile(&changes));
    run(&place, "--profile-file p.json").ok();
}

#[test]
fn a_pool_needs_limits() {
    for name in ["max_memory_bytes", "max_table_elements"] {
        for value in [json!(null), json!(0)] {
            let place = echo();
            let limit = format!("/runtime/{name}");
            let pooling = ("/runtime/instance_allocator", json!("pooling"));
            place.write("p.json", profile(&[pooling, (limit.as_str(), value)]));
            let report = run(&place, "--profile-file p.json").expect(1, "X07WASM_WASMTIME_ENGINE_FAILED");
            assert!(report["diagnostics"].to_string().contains(name), "{report:#}");
        }
    }
}

#[test]
fn a_pool_whose_limit_the_command_line_lifts_is_an_engine_failure() {
    let place = echo();
    place.write("p.json", profile(&[("/runtime/instance_allocator", json!("pooling"))]));
    run(&place, "--profile-file p.json").ok();
    for args in ["--max-table-elements none", "--max-memory-bytes none", "--max-table-elements 0"] {
        run(&place, &format!("--profile-file p.json {args}")).expect(1, "X07WASM_WASMTIME_ENGINE_FAILED");
    }
}

#[test]
fn pooling_and_cached_profiles_run() {
    let place = echo();
    for id in ["wasm_release_pooling", "wasm_release_cached"] {
        let run = place.run_with(
            &["run", "--wasm", "echo.wasm", "--input-hex", "6869", "--profile", id, "--json"],
            |command| {
                command.env("HOME", place.path("home")).env("XDG_CACHE_HOME", place.path("cache"));
            },
        );
        let report = run.ok();
        assert_eq!(report["result"]["output"]["base64"], "aGk=", "{id}");
    }
}

#[test]
fn a_broken_cache_costs_speed_only() {
    for (content, exists) in [("", false), ("this is no TOML", true), ("[cache]\nno_such_key = 1\n", true)] {
        let place = echo();
        if exists {
            place.write("cache.toml", content);
        }
        place.write("p.json", profile(&[("/runtime/cache_config", json!("cache.toml"))]));
        let report = run(&place, "--profile-file p.json").ok();
        let warning = diagnostic(&report, "X07WASM_CACHE_CONFIG_IGNORED");
        assert_eq!(warning["severity"], "warning");
    }
}

#[test]
fn the_profile_comes_from_the_manifest_beside_the_module() {
    let place = Place::new();
    place.project("app", &json!(["view.to_bytes", "input"]));
    place.run("build --project app/x07.json --profile wasm_debug --out d.wasm --json").ok();
    let report = place.run("run --wasm d.wasm --input-hex 00 --json").ok();
    assert_eq!(report["result"]["profile"]["id"], "wasm_debug");
    let inputs = report["meta"]["inputs"].as_array().expect("a list");
    assert!(
        inputs.iter().any(|i| i["path"] == "d.wasm.manifest.json"),
        "a file that was read is not listed: {inputs:?}"
    );
    // What is asked for wins.
    let other = place.run("run --wasm d.wasm --input-hex 00 --profile wasm_release --json");
    other.expect(1, "X07WASM_MEMORY_INITIAL_MISMATCH");
}

#[test]
fn a_manifest_that_helps_not_leaves_the_default_profile() {
    let place = echo();
    for text in ["", "{", "{}", "[]", "\u{feff}{}"] {
        place.write("echo.wasm.manifest.json", text);
        assert_eq!(run(&place, "").ok()["result"]["profile"]["id"], "wasm_release", "{text:?}");
    }
    place.run("build --project app/x07.json --out echo.wasm --json").ok();
    let mut manifest: serde_json::Value = serde_json::from_slice(&place.read("echo.wasm.manifest.json")).expect("JSON");
    manifest["profile"]["id"] = json!("somebody_elses");
    place.write("echo.wasm.manifest.json", manifest.to_string());
    assert_eq!(run(&place, "").ok()["result"]["profile"]["id"], "wasm_release");
}

#[test]
fn a_profile_that_cannot_be_loaded_is_reported() {
    let place = echo();
    run(&place, "--profile none").expect(3, "X07WASM_PROFILE_LOAD_FAILED");
    run(&place, "--profile-file none.json").expect(3, "X07WASM_PROFILE_LOAD_FAILED");
    run(&place, "--index none.json").expect(3, "X07WASM_PROFILE_LOAD_FAILED");
    run(&place, "--profile a --profile-file b").expect(3, "X07WASM_CLI_ARGS_INVALID");
}
