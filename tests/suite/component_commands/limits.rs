//! Every limit of a run, from the default profile and from the options.

use super::{build, built, command, diagnostic};
use crate::support::{Place, Run, copy_tree, root};
use serde_json::{Value, json};
use std::time::Duration;

/// A folder with the command of the example that never ends.
fn spin() -> Place {
    let place = Place::with_example("spin");
    place.run("component build --project spin/x07.json --emit cli-native --out-dir out --json").ok();
    place
}

fn run(place: &Place, args: &str) -> Run {
    let run = place.run(&format!("component run --component out/cli.component.wasm {args} --json"));
    assert!(run.took < Duration::from_secs(60), "it took {:?}", run.took);
    run
}

fn outcome(report: &Value) -> &str {
    report["result"]["run"]["outcome"].as_str().expect("text")
}

#[test]
fn fuel_is_limited() {
    let place = spin();
    for args in ["--max-fuel 10000", "--max-fuel 0"] {
        let report = run(&place, args).expect(4, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");
        assert_eq!(outcome(&report), "trap");
    }
    // The default profile has a limit, too.
    let report = run(&place, "").expect(4, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");
    assert!(report["result"]["run"]["trap"].as_str().is_some_and(|t| t.contains("fuel")), "{report:#}");
}

#[test]
fn wall_time_is_limited_although_there_is_no_fuel_limit() {
    let report = run(&spin(), "--max-fuel none --max-wall-ms 100").expect(4, "X07WASM_BUDGET_EXCEEDED_WALLTIME");
    assert_eq!(report["result"]["run"], json!({ "outcome": "timeout", "max_wall_ms": 100 }));
    let place = built("cli-native");
    run(&place, "--max-wall-ms none").ok();
}

#[test]
fn memory_is_limited() {
    let place = built("cli-native");
    let report = run(&place, "--max-memory-bytes 65536").expect(4, "X07WASM_BUDGET_EXCEEDED_MEMORY");
    assert_eq!(outcome(&report), "trap");
    run(&place, "--max-memory-bytes none").ok();
    let grows = "(drop (memory.grow (i32.const 100))) i32.const 0";
    place.write("out/cli.component.wasm", command(r#"(memory (export "memory") 1)"#, grows));
    run(&place, "--max-memory-bytes 6619136").ok();
    run(&place, "--max-memory-bytes 6619135").expect(4, "X07WASM_BUDGET_EXCEEDED_MEMORY");
}

#[test]
fn tables_are_limited() {
    let place = Place::new();
    place.write("out/cli.component.wasm", command("(table 11 funcref)", "i32.const 0"));
    run(&place, "--max-table-elements 10").expect(4, "X07WASM_BUDGET_EXCEEDED_TABLE");
    for fine in ["11", "0", "none"] {
        run(&place, &format!("--max-table-elements {fine}")).ok();
    }
}

#[test]
fn the_stack_is_limited() {
    let place = Place::new();
    let deep = "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))";
    place.write("out/cli.component.wasm", command(deep, "(call $deep (i32.const 0))"));
    for args in ["", "--max-wasm-stack-bytes 4096", "--max-wasm-stack-bytes none"] {
        let report = run(&place, &format!("--max-fuel none {args}")).expect(4, "X07WASM_BUDGET_EXCEEDED_WASM_STACK");
        assert_eq!(outcome(&report), "trap", "{args}");
    }
    for bytes in ["0", "2097153"] {
        let report =
            run(&place, &format!("--max-wasm-stack-bytes {bytes}")).expect(1, "X07WASM_WASMTIME_ENGINE_FAILED");
        assert_eq!(outcome(&report), "engine_failed");
    }
    run(&place, "--max-table-elements 4294967296").expect(3, "X07WASM_CLI_ARGS_INVALID");
}

#[test]
fn output_is_limited() {
    for emit in ["cli", "cli-native"] {
        let place = built(emit);
        place.write("in", "hello");
        let report = run(&place, "--stdin in --max-output-bytes 1").expect(4, "X07WASM_BUDGET_EXCEEDED_OUTPUT");
        assert_eq!(outcome(&report), "trap", "{emit}");
        assert_eq!(diagnostic(&report, "X07WASM_BUDGET_EXCEEDED_OUTPUT")["data"]["max_output_bytes"], 1);
        run(&place, "--stdin in --max-output-bytes 5").ok();
        run(&place, "--max-output-bytes 0").ok();
    }
}

#[test]
fn a_module_whose_start_never_ends_is_stopped() {
    let place = Place::new();
    let front = "(func $start (loop $again (br $again))) (start $start)";
    place.write("out/cli.component.wasm", command(front, "i32.const 0"));
    run(&place, "--max-fuel 10000").expect(4, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");
    run(&place, "--max-fuel none --max-wall-ms 100").expect(4, "X07WASM_BUDGET_EXCEEDED_WALLTIME");
}

#[test]
fn a_profile_can_be_chosen_wherever_guests_run() {
    let place = crate::support::Place::new();
    place.write("empty.wasm", wat::parse_str("(component)").expect("a component"));
    for command in ["component run", "serve", "http serve --mode canary", "http test --trace t.json"] {
        let run = place.run(&format!("{command} --component empty.wasm --profile nowhere --json"));
        run.expect(3, "X07WASM_WASM_PROFILE_LOAD_FAILED");
        let run = place.run(&format!("{command} --component empty.wasm --profile wasm_debug --json"));
        assert!(!run.codes().iter().any(|code| code.ends_with("PROFILE_LOAD_FAILED")), "{command}");
    }
}

#[test]
fn the_limits_of_the_projects_default_profile_are_used() {
    let place = built("cli-native");
    copy_tree(&root().join("arch"), &place.path("arch"));
    let report = run(&place, "").ok();
    assert_eq!(report["diagnostics"], json!([]));
    let path = "arch/wasm/profiles/wasm_release.json";
    let mut profile: Value = serde_json::from_slice(&place.read(path)).expect("JSON");
    profile["runtime"]["max_fuel"] = json!(10);
    place.write(path, profile.to_string());
    run(&place, "").expect(4, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");
    run(&place, "--max-fuel none").ok();
    place.write(path, "{");
    run(&place, "").expect(3, "X07WASM_WASM_PROFILE_LOAD_FAILED");
}

#[test]
fn compiled_code_is_kept_when_that_is_asked_for() {
    let place = built("cli-native");
    let home = place.path("home");
    let args = ["component", "run", "--component", "out/cli.component.wasm", "--stdin-b64", "aGk=", "--code-cache"];
    for round in 0..2 {
        let run = place.run_with(&args, |command| {
            command.env("HOME", &home).env("XDG_CACHE_HOME", home.join("cache")).env_remove("LOCALAPPDATA");
        });
        assert_eq!((run.status, run.stdout.as_slice()), (0, &b"hi"[..]), "{round}: {}", run.stderr);
    }
    place.run(&build("cli-native")).ok();
}
