//! Components around programs: the bytes that go in and come out, and the limits that the glue
//! keeps, the same for a native component and for one that is composed with an adapter.

use crate::support::{Place, Run, root};
use serde_json::{Value, json};
use std::fs;

/// Both ways to make a command, and the component that each makes.
const COMMANDS: [&str; 2] = ["cli", "cli-native"];

/// A folder with the project `app` of this entry expression.
fn app(solve: &Value) -> Place {
    let place = Place::new();
    place.project("app", solve);
    place
}

/// A program that gives its input back.
fn echo() -> Place {
    app(&json!(["view.to_bytes", "input"]))
}

/// Builds `app` into a folder named after the kind of component.
fn build(place: &Place, emit: &str, more: &str) {
    place.run(&format!("component build --project app/x07.json --emit {emit} --out-dir {emit} {more} --json")).ok();
}

/// Runs the command that was built on these bytes; its output goes to the files `stdout` and `stderr`.
fn run(place: &Place, emit: &str, stdin: &[u8], more: &str) -> Run {
    place.write("stdin", stdin);
    place.run(&format!(
        "component run --component {emit}/cli.component.wasm --stdin stdin --stdout-out stdout --stderr-out stderr \
         --incidents-dir incidents {more} --json"
    ))
}

/// The component profile of the tool with other limits for commands.
fn profile(max_stdin: u64, max_stdout: u64, max_stderr: u64) -> String {
    let path = root().join("arch/wasm/component/profiles/component_release.json");
    let mut document: Value = serde_json::from_str(&fs::read_to_string(path).expect("readable")).expect("JSON");
    document["id"] = json!("mine");
    document["cfg"]["native_targets"]["cli"]["budgets"] = json!({
        "max_stdin_bytes": max_stdin, "max_stdout_bytes": max_stdout, "max_stderr_bytes": max_stderr
    });
    document.to_string()
}

/// Bytes that show when some of them are missing or swapped.
fn pattern(length: usize) -> Vec<u8> {
    (0u32..).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).take(length).collect()
}

#[test]
fn a_command_hands_its_input_to_the_program_and_on() {
    let place = echo();
    for emit in COMMANDS {
        build(&place, emit, "");
        for input in [Vec::new(), b"text\n".to_vec(), vec![0, 255, 128, 13, 10, 0], pattern(70_001), pattern(1 << 20)] {
            let report = run(&place, emit, &input, "").ok();
            assert_eq!(report["result"]["run"]["outcome"], "ok", "{emit}");
            assert_eq!(place.read("stdout"), input, "{emit}");
            assert_eq!(place.read("stderr"), b"", "{emit}");
        }
    }
}

#[test]
fn a_command_with_literals_finds_them_where_they_were() {
    let solve = json!(["bytes.concat", ["bytes.lit", "hello, "], ["view.to_bytes", "input"]]);
    let place = app(&solve);
    for emit in COMMANDS {
        build(&place, emit, "");
        run(&place, emit, b"world", "").ok();
        assert_eq!(place.read("stdout"), b"hello, world", "{emit}");
    }
}

#[test]
fn the_default_limits_of_a_command_hold_to_the_byte() {
    let place = echo();
    for emit in COMMANDS {
        build(&place, emit, "");
        let report = run(&place, emit, &pattern((1 << 20) + 1), "").expect(4, "X07WASM_BUDGET_EXCEEDED_CLI_STDIN");
        assert_eq!(report["result"]["run"]["outcome"], "err", "{emit}");
        assert_eq!(place.read("stdout"), b"", "{emit}");
        assert_eq!(place.read("stderr"), b"x07-diag-code: X07WASM_BUDGET_EXCEEDED_CLI_STDIN\n", "{emit}");
    }
}

#[test]
fn the_limits_of_a_profile_hold_to_the_byte() {
    let place = echo();
    place.write("component.json", profile(5, 3, 1000));
    for emit in COMMANDS {
        build(&place, emit, "--profile-file component.json");
        run(&place, emit, b"abc", "").ok();
        assert_eq!(place.read("stdout"), b"abc", "{emit}");
        run(&place, emit, b"abcd", "").expect(4, "X07WASM_BUDGET_EXCEEDED_CLI_STDOUT");
        assert_eq!(place.read("stdout"), b"", "{emit}");
        run(&place, emit, b"abcde", "").expect(4, "X07WASM_BUDGET_EXCEEDED_CLI_STDOUT");
        run(&place, emit, b"abcdef", "").expect(4, "X07WASM_BUDGET_EXCEEDED_CLI_STDIN");
    }
}

#[test]
fn standard_error_is_limited_too() {
    let place = echo();
    place.write("component.json", profile(0, 3, 10));
    for emit in COMMANDS {
        build(&place, emit, "--profile-file component.json");
        run(&place, emit, b"a", "").expect(1, "X07WASM_COMPONENT_RUN_EXIT_FAILURE");
        assert_eq!(place.read("stderr"), b"", "a line that does not fit is left out: {emit}");
    }
}

#[test]
fn an_output_over_the_limit_of_the_program_traps() {
    let place = echo();
    place.write("wasm.json", crate::run::profile(&[("/defaults/max_output_bytes", json!(3))]));
    for emit in COMMANDS {
        build(&place, emit, "--wasm-profile-file wasm.json");
        run(&place, emit, b"abc", "").ok();
        run(&place, emit, b"abcd", "").expect(1, "X07WASM_COMPONENT_RUN_TRAP");
    }
}

#[test]
fn a_program_that_traps_ends_the_command() {
    let place = app(&json!(["view.to_bytes", ["view.slice", "input", 1, 1]]));
    for emit in COMMANDS {
        build(&place, emit, "");
        run(&place, emit, b"ab", "").ok();
        assert_eq!(place.read("stdout"), b"b", "{emit}");
        run(&place, emit, b"a", "").expect(1, "X07WASM_COMPONENT_RUN_TRAP");
    }
}

#[test]
fn a_program_with_a_memory_of_its_own_size_fits() {
    let place = echo();
    let flags = json!(["--no-entry", "--initial-memory=2097152", "--max-memory=2097152", "--no-growable-memory"]);
    let changes = [("/wasm_ld/ldflags", flags), ("/defaults/arena_cap_bytes", json!(1_048_576))];
    place.write("wasm.json", crate::run::profile(&changes));
    for emit in COMMANDS {
        build(&place, emit, "--wasm-profile-file wasm.json");
        let input = pattern(200_000);
        run(&place, emit, &input, "").ok();
        assert_eq!(place.read("stdout"), input, "{emit}");
    }
}

#[test]
fn the_module_in_a_solve_component_has_what_its_world_needs_and_no_more() {
    let place = echo();
    build(&place, "solve", "");
    let facts = x07_wasm::wasm::inspect(&place.read("solve/solve.core.wasm")).expect("a module");
    let want = ["cabi_post_x07:solve/handler@0.1.0#solve", "cabi_realloc", "memory", "x07:solve/handler@0.1.0#solve"];
    assert_eq!(facts.exports, want);
    assert_eq!(facts.imports, 0);
    assert!(facts.memory.is_some_and(|memory| !memory.growable() && memory.initial_bytes == 134_217_728));
}

#[test]
fn the_same_project_gives_the_same_components() {
    let (first, second) = (echo(), echo());
    for place in [&first, &second] {
        build(place, "cli", "");
        build(place, "cli-native", "");
    }
    let files = ["solve.core.wasm", "solve.component.wasm", "cli-adapter.component.wasm", "cli.component.wasm"];
    for file in
        files.map(|file| format!("cli/{file}")).iter().map(String::as_str).chain(["cli-native/cli.component.wasm"])
    {
        assert_eq!(first.read(file), second.read(file), "{file}");
    }
}
