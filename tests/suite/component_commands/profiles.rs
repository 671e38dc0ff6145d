//! What the profiles of a build may ask for, and where they come from.

use super::{build, diagnostic, echo, message};
use crate::support::{Place, codes, copy_tree, root};
use serde_json::{Value, json};
use std::fs;

/// The component profile of the tool with some values replaced, by JSON pointer.
fn profile(changes: &[(&str, Value)]) -> String {
    let path = root().join("arch/wasm/component/profiles/component_release.json");
    let mut document: Value = serde_json::from_str(&fs::read_to_string(path).expect("readable")).expect("JSON");
    document["id"] = json!("mine");
    for (pointer, value) in changes {
        *document.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value.clone();
    }
    document.to_string()
}

fn with(place: &Place, emit: &str, changes: &[(&str, Value)]) -> crate::support::Run {
    place.write("p.json", profile(changes));
    place.run(&format!("{} --profile-file p.json", build(emit)))
}

#[test]
fn only_worlds_that_the_tool_builds_for_are_accepted() {
    let place = echo();
    for (emit, pointer, value, supported) in [
        ("solve", "/cfg/componentize/solve_package", "x07:solve@0.2.0", "x07:solve@0.1.0"),
        ("http", "/cfg/componentize/solve_world", "other", "solve"),
        ("http", "/cfg/targets/http_package", "wasi:http@0.3.0", "wasi:http@0.2.8"),
        ("http-state-doc", "/cfg/targets/http_world", "imports", "proxy"),
        ("all", "/cfg/targets/cli_world", "imports", "command"),
        ("http-native", "/cfg/native_targets/http/package", "wasi:http@0.2.6", "wasi:http@0.2.8"),
        ("http-native", "/cfg/native_targets/http/world", "imports", "proxy"),
        ("cli-native", "/cfg/native_targets/cli/package", "wasi:cli@0.2.6", "wasi:cli@0.2.8"),
        ("cli-native", "/cfg/native_targets/cli/world", "imports", "command"),
    ] {
        let report = with(&place, emit, &[(pointer, json!(value))]).expect(3, "X07WASM_COMPONENT_PROFILE_LOAD_FAILED");
        let message = message(&report, "X07WASM_COMPONENT_PROFILE_LOAD_FAILED");
        assert!(message.contains(pointer) && message.contains(supported) && message.contains(value), "{message}");
    }
}

#[test]
fn all_that_is_not_supported_is_told_at_once() {
    let changes =
        [("/cfg/targets/http_package", json!("wasi:http@0.3.0")), ("/cfg/targets/cli_world", json!("imports"))];
    let report = with(&echo(), "all", &changes).expect(3, "X07WASM_COMPONENT_PROFILE_LOAD_FAILED");
    let places: Vec<&str> = report["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|d| d["data"]["instance_path"].as_str())
        .collect();
    assert_eq!(places, ["/cfg/targets/http_package", "/cfg/targets/cli_world"]);
}

#[test]
fn what_is_said_of_other_parts_does_not_matter() {
    let place = echo();
    let native = [
        ("/cfg/native_targets/http/package", json!("wasi:http@0.3.0")),
        ("/cfg/native_targets/cli/world", json!("imports")),
    ];
    with(&place, "all", &native).ok();
    let composed = [
        ("/cfg/componentize/solve_world", json!("other")),
        ("/cfg/targets/http_package", json!("wasi:http@0.3.0")),
        ("/cfg/targets/cli_world", json!("imports")),
    ];
    for emit in ["http-native", "cli-native", "http-adapter", "cli-adapter"] {
        with(&place, emit, &composed).ok();
    }
}

#[test]
fn a_component_that_needs_more_than_its_wasm_profile_allows_is_told() {
    let place = echo();
    let limit: u64 = 128 << 20;
    place.write("w.json", crate::run::profile(&[("/runtime/max_memory_bytes", json!(limit))]));
    place.write("p.json", profile(&[("/cfg/native_targets/cli/budgets/max_stdin_bytes", json!(limit))]));
    let args = format!("{} --profile-file p.json --wasm-profile-file w.json", build("cli-native"));
    let report = place.run(&args).ok();
    let warning = diagnostic(&report, "X07WASM_COMPONENT_MEMORY_OVER_LIMIT");
    assert_eq!((&warning["severity"], &warning["data"]["limit"]), (&json!("warning"), &json!(limit)));
    let wanted = warning["data"]["wanted"].as_u64().expect("a number");
    assert!(wanted > limit, "{wanted}");
    let message = message(&report, "X07WASM_COMPONENT_MEMORY_OVER_LIMIT");
    for part in [wanted.to_string(), limit.to_string(), "lower the budgets".to_owned(), "raise the limit".to_owned()] {
        assert!(message.contains(&part), "no {part} in {message}");
    }
    // With a limit of that size it is fine.
    place.write("w.json", crate::run::profile(&[("/runtime/max_memory_bytes", json!(wanted))]));
    let report = place.run(&args).ok();
    assert!(!codes(&report).iter().any(|code| code == "X07WASM_COMPONENT_MEMORY_OVER_LIMIT"), "{report:#}");
}

#[test]
fn budgets_that_no_memory_holds_are_refused() {
    let place = echo();
    for (emit, pointer) in [
        ("cli-native", "/cfg/native_targets/cli/budgets/max_stdin_bytes"),
        ("cli-adapter", "/cfg/native_targets/cli/budgets/max_stdin_bytes"),
    ] {
        with(&place, emit, &[(pointer, json!(1_u64 << 40))]).expect(3, "X07WASM_COMPONENT_PROFILE_LOAD_FAILED");
    }
}

#[test]
fn an_arena_that_no_memory_holds_is_refused() {
    let place = echo();
    place.write("w.json", crate::run::profile(&[("/defaults/arena_cap_bytes", json!(1_u64 << 32))]));
    let report = place
        .run(&format!("{} --wasm-profile-file w.json", build("cli-native")))
        .expect(3, "X07WASM_WASM_PROFILE_LOAD_FAILED");
    assert!(message(&report, "X07WASM_WASM_PROFILE_LOAD_FAILED").contains("4294967295"), "{report:#}");
}

#[test]
fn the_registries_of_a_project_are_used() {
    let place = echo();
    for folder in ["arch", "wit"] {
        copy_tree(&root().join(folder), &place.path(folder));
    }
    let report =
        place.run(&format!("{} --profile component_debug --wasm-profile wasm_debug", build("cli-native"))).ok();
    assert_eq!(report["diagnostics"], json!([]), "nothing built in is used");
    assert_eq!(report["result"]["component_profile"]["id"], "component_debug");
    assert_eq!(report["result"]["wasm_profile"]["id"], "wasm_debug");
    assert_eq!(report["result"]["artifacts"][0]["profiles"]["wasm"]["id"], "wasm_debug");
    let inputs: Vec<&str> =
        report["meta"]["inputs"].as_array().expect("a list").iter().filter_map(|i| i["path"].as_str()).collect();
    assert_eq!(
        inputs[..5],
        [
            "app/x07.json",
            "arch/wasm/component/profiles/component_debug.json",
            "arch/wasm/component/index.x07wasm.component.json",
            "arch/wasm/profiles/wasm_debug.json",
            "arch/wasm/index.x07wasm.json"
        ]
    );
    assert!(inputs.contains(&"arch/wit/index.x07wit.json"), "{inputs:#?}");
}

#[test]
fn a_wit_package_that_is_not_the_pinned_one_stops_the_build() {
    let place = echo();
    for folder in ["arch", "wit"] {
        copy_tree(&root().join(folder), &place.path(folder));
    }
    let path = "wit/x07/solve/0.1.0/solve.wit";
    let mut text = place.read(path);
    text.extend_from_slice(b"\n// more\n");
    place.write(path, text);
    let run = place.run(&build("solve"));
    assert_ne!(run.status, 0);
    assert!(run.codes().iter().any(|c| c == "X07WASM_WIT_PACKAGE_SHA256_TREE_MISMATCH"), "{:#}", run.report());
    // What does not need the package is built.
    place.run(&build("cli-native")).ok();
}

#[test]
fn a_wit_registry_that_leads_out_of_the_project_is_refused() {
    let place = echo();
    let run = with(&place, "solve", &[("/cfg/wit_index_path", json!("../arch/wit/index.x07wit.json"))]);
    run.expect(3, "X07WASM_COMPONENT_PROFILE_LOAD_FAILED");
    let run = with(&place, "solve", &[("/cfg/wit_index_path", json!("none/index.x07wit.json"))]);
    run.expect(3, "X07WASM_WIT_BUNDLE_INDEX_READ_FAILED");
}
