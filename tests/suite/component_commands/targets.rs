//! What fits a world, and in which words it does not.

use super::{built, diagnostic, message};
use crate::support::{Place, codes, copy_tree, root};
use serde_json::{Value, json};

const PROXY: &str = "--wit wit/deps/wasi/http/0.2.8/proxy.wit --world proxy";
const COMMAND: &str = "--wit wit/deps/wasi/cli/0.2.8/command.wit --world command";

fn targets(component: &str, more: &str) -> String {
    format!("component targets --component {component} {more} --json")
}

#[test]
fn a_component_that_fits_is_told_so() {
    let place = built("cli-native");
    let report = place.run(&targets("out/cli.component.wasm", COMMAND)).ok();
    let result = &report["result"];
    assert_eq!((&result["wac_exit_code"], &result["stderr"]), (&json!(0), &json!("")));
    assert_eq!((&result["world"], &result["stdout"]), (&json!("command"), &json!("")));
    assert_eq!(result["component"]["path"], "out/cli.component.wasm");
    // The project has no such file, so it is the one that the tool carries.
    assert_eq!(result["wit"]["path"], "builtin:wit/deps/wasi/cli/0.2.8/command.wit");
    let run = place.run(&format!("component targets --component out/cli.component.wasm {COMMAND}"));
    assert_eq!((run.status, run.stderr.as_str()), (0, "ok: out/cli.component.wasm fits wasi:cli@0.2.8/command\n"));
}

#[test]
fn a_component_of_another_world_is_told_what_differs() {
    let place = built("http-native");
    let report = place.run(&targets("out/http.component.wasm", COMMAND)).expect(1, "X07WASM_WAC_TARGETS_FAILED");
    assert_eq!(report["result"]["wac_exit_code"], 1);
    let text = report["result"]["stderr"].as_str().expect("text").to_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "the component does not export wasi:cli/run@0.2.8 with `run: func() -> result`",
            "the component imports wasi:http/types@0.2.8, which the world does not have",
        ]
    );
    let found = diagnostic(&report, "X07WASM_WAC_TARGETS_FAILED");
    assert_eq!(found["data"]["error"], text);
    assert!(found["message"].as_str().is_some_and(|m| m.contains(lines[0]) && m.contains("wasi:cli@0.2.8/command")));
    assert_eq!(found["notes"], json!([lines[1]]));
    let run = place.run(&format!("component targets --component out/http.component.wasm {COMMAND}"));
    assert!(run.stderr.contains(lines[0]) && run.stderr.contains(lines[1]), "{}", run.stderr);
}

#[test]
fn a_world_that_is_not_there_is_told_with_those_that_are() {
    let place = built("cli-native");
    let args = targets("out/cli.component.wasm", "--wit wit/deps/wasi/cli/0.2.8/command.wit --world comand");
    let report = place.run(&args).expect(1, "X07WASM_WAC_TARGETS_FAILED");
    let message = message(&report, "X07WASM_WAC_TARGETS_FAILED");
    assert!(message.contains("comand") && message.contains("command, imports"), "{message}");
    assert_eq!(report["result"]["wac_exit_code"], 1);
    for world in ["", &"w".repeat(129)] {
        let args = ["component", "targets", "--component", "c", "--wit", "w.wit", "--world", world, "--json"];
        place.run_args(&args).expect(3, "X07WASM_CLI_ARGS_INVALID");
    }
}

#[test]
fn a_core_module_is_told_apart() {
    let place = built("cli-native");
    let report = place.run(&targets("out/cli.core.wasm", COMMAND)).expect(1, "X07WASM_WAC_TARGETS_FAILED");
    let message = message(&report, "X07WASM_WAC_TARGETS_FAILED");
    assert!(message.contains("core module") && message.contains("component build"), "{message}");
}

#[test]
fn what_is_no_component_is_refused() {
    let place = built("cli-native");
    let whole = place.read("out/cli.component.wasm");
    place.write("cut.wasm", &whole[..whole.len() / 2]);
    place.write("empty.wasm", "");
    place.write("text.wasm", "(component)");
    for name in ["cut.wasm", "empty.wasm", "text.wasm"] {
        place.run(&targets(name, COMMAND)).expect(1, "X07WASM_WAC_TARGETS_FAILED");
    }
}

#[test]
fn the_code_of_a_component_is_checked_too() {
    let place = built("cli-native");
    let component = super::command("", "i32.const 0");
    place.write("good.wasm", &component);
    place.run(&targets("good.wasm", COMMAND)).ok();
    // The one instruction of `run` becomes `i64.const 0`.
    let code = [0x41, 0x00, 0x0b];
    let at = component.windows(code.len()).position(|window| window == code).expect("the code of `run`");
    let mut broken = component;
    broken[at] = 0x42;
    place.write("broken.wasm", &broken);
    let report = place.run(&targets("broken.wasm", COMMAND)).expect(1, "X07WASM_WAC_TARGETS_FAILED");
    let message = message(&report, "X07WASM_WAC_TARGETS_FAILED");
    assert!(message.contains("not a valid component") && message.contains("type mismatch"), "{message}");
    assert_eq!(report["result"]["wac_exit_code"], 1);
}

#[test]
fn files_that_cannot_be_read_are_reported() {
    let place = built("cli-native");
    let report = place.run(&targets("none.wasm", COMMAND)).expect(3, "X07WASM_COMPONENT_TARGETS_COMPONENT_READ_FAILED");
    assert_eq!(report["result"]["wac_exit_code"], 1, "nothing was found to fit");
    place.write("folder/a.wit", "package a:a@1.0.0;\nworld a {}\n");
    let wit = |path: &str| targets("out/cli.component.wasm", &format!("--wit {path} --world a"));
    place.run(&wit("folder")).expect(3, "X07WASM_COMPONENT_TARGETS_WIT_READ_FAILED");
    place.run(&wit("folder/none.wit")).expect(3, "X07WASM_WIT_BUNDLE_WIT_PATH_MISSING");
    place.write("folder/a.txt", "world a {}");
    place.run(&wit("folder/a.txt")).expect(3, "X07WASM_WIT_BUNDLE_WIT_PATH_INVALID");
    place.write("broken/b.wit", "package b:b@1.0.0;\nworld {\n");
    place.run(&wit("broken/b.wit")).expect(3, "X07WASM_WIT_BUNDLE_MAIN_PARSE_FAILED");
}

/// A component that exports `run` of `acme:tool@1.2.0` and imports what is told.
fn tool(place: &Place, path: &str, import: &str, result: &str) {
    let text = format!(
        r#"(component {import}
            (core module $m (func (export "run") (result i32) i32.const 0))
            (core instance $i (instantiate $m))
            (func $run (result {result}) (canon lift (core func $i "run")))
            (instance $run (export "run" (func $run)))
            (export "acme:tool/run@1.2.0" (instance $run)))"#
    );
    place.write(path, wat::parse_str(text).expect("a component"));
}

const ACME: &str = "package acme:tool@1.2.0;
interface store { get: func(key: string) -> option<list<u8>>; }
interface run { run: func() -> u32; }
world tool { import store; export run; }
";

#[test]
fn worlds_of_a_project_are_checked_as_those_of_wasi() {
    let place = Place::new();
    place.write("wit/acme/tool.wit", ACME);
    tool(&place, "fits.wasm", "", "u32");
    let acme = "--wit wit/acme/tool.wit --world tool";
    let report = place.run(&targets("fits.wasm", acme)).ok();
    assert_eq!(report["result"]["wit"]["path"], "wit/acme/tool.wit");
    // The package is not registered, which is worth a warning, or an error for those who want that.
    assert!(codes(&report).iter().any(|c| c == "X07WASM_WIT_BUNDLE_MAIN_NOT_IN_INDEX"), "{report:#}");
    place.run(&targets("fits.wasm", &format!("{acme} --strict"))).expect(3, "X07WASM_WIT_BUNDLE_MAIN_NOT_IN_INDEX");

    tool(&place, "other.wasm", "", "s32");
    let import = |function: &str| format!(r#"(import "acme:tool/store@1.2.0" (instance {function}))"#);
    tool(&place, "asks.wasm", &import(r#"(export "get" (func (param "key" u64) (result (option (list u8)))))"#), "u32");
    tool(&place, "more.wasm", &import(r#"(export "put" (func (param "key" string)))"#), "u32");
    for (component, expected) in [
        (
            "asks.wasm",
            "the component imports acme:tool/store@1.2.0 with `get: func(key: u64) -> option<list<u8>>`, but the world has `get: func(key: string) -> option<list<u8>>`",
        ),
        (
            "other.wasm",
            "the component exports acme:tool/run@1.2.0 with `run: func() -> s32`, but the world has `run: func() -> u32`",
        ),
        (
            "more.wasm",
            "the component imports acme:tool/store@1.2.0 with `put: func(key: string)`, which the world does not have",
        ),
    ] {
        let report = place.run(&targets(component, acme)).expect(1, "X07WASM_WAC_TARGETS_FAILED");
        assert_eq!(report["result"]["stderr"], format!("{expected}\n"), "{component}");
    }
}

#[test]
fn compatible_versions_count_as_the_same() {
    let place = Place::new();
    for (version, status) in [("1.0.0", 0), ("1.9.0", 0), ("2.0.0", 1), ("0.9.0", 1)] {
        place.write("wit/acme/tool.wit", ACME.replace("1.2.0", version));
        tool(&place, "c.wasm", "", "u32");
        let run = place.run(&targets("c.wasm", "--wit wit/acme/tool.wit --world tool"));
        assert_eq!(run.status, status, "{version}: {:#}", run.report());
    }
}

#[test]
fn the_registry_of_a_project_is_used() {
    let place = built("http-native");
    for folder in ["arch", "wit"] {
        copy_tree(&root().join(folder), &place.path(folder));
    }
    let report = place.run(&targets("out/http.component.wasm", PROXY)).ok();
    assert_eq!(report["diagnostics"], json!([]));
    let inputs: Vec<&Value> = report["meta"]["inputs"].as_array().expect("a list").iter().map(|i| &i["path"]).collect();
    assert_eq!(inputs[0], "out/http.component.wasm");
    assert_eq!(inputs[1], "wit/deps/wasi/http/0.2.8/proxy.wit");
    assert!(inputs.contains(&&json!("arch/wit/index.x07wit.json")), "{inputs:?}");
    // A registry that is broken is not passed over.
    place.write("arch/wit/index.x07wit.json", "{}");
    place.run(&targets("out/http.component.wasm", PROXY)).expect(3, "X07WASM_WIT_BUNDLE_INDEX_READ_FAILED");
}
