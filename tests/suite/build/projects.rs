//! Manifest, entry, module roots and workspace of a project.

use super::{app, echo, importing, manifest, module, paths};
use crate::support::Place;
use serde_json::{Value, json};

const BUILD: &str = "build --project app/x07.json --json";

/// Asserts that the echo project with these members in its manifest is refused.
#[track_caller]
fn refused(changes: Value, code: &str) -> Value {
    let place = app();
    manifest(&place, "app", changes);
    place.run(BUILD).expect(3, code)
}

/// Asserts that the echo project with these members in its manifest is built.
#[track_caller]
fn accepted(changes: Value) {
    let place = app();
    manifest(&place, "app", changes);
    place.run(BUILD).ok();
}

#[test]
fn a_missing_manifest_is_named() {
    let place = Place::new();
    let report = place.run("build --project no/x07.json --json").expect(3, "X07WASM_PROJECT_READ_FAILED");
    assert!(report["diagnostics"].to_string().contains("no/x07.json"));
    // Without --project it is x07.json here.
    let report = place.run("build --json").expect(3, "X07WASM_PROJECT_READ_FAILED");
    assert!(report["diagnostics"].to_string().contains("x07.json"));
}

#[test]
fn a_folder_as_manifest_is_not_read() {
    let place = Place::new();
    place.write("app/x07.json/file", b"");
    place.run(BUILD).expect(3, "X07WASM_PROJECT_READ_FAILED");
}

#[test]
fn a_manifest_that_is_no_json_is_reported_with_its_place() {
    let place = app();
    place.write("app/x07.json", "{\n  \"world\": }\n");
    let report = place.run(BUILD).expect(3, "X07WASM_PROJECT_PARSE_FAILED");
    let found = report["diagnostics"].as_array().expect("a list");
    let problem = found.iter().find(|d| d["code"] == "X07WASM_PROJECT_PARSE_FAILED").expect("there");
    assert_eq!(problem["loc"]["span"]["file"], "app/x07.json", "{problem:#}");
    assert_eq!(problem["loc"]["span"]["start"]["line"], 2, "{problem:#}");
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    let place = app();
    place.write("app/x07.json", r#"{"world":"solve-pure","world":"solve-pure"}"#);
    place.run(BUILD).expect(3, "X07WASM_PROJECT_PARSE_FAILED");
}

#[test]
fn all_violations_of_a_manifest_come_at_once() {
    let report = refused(json!({ "world": 1, "entry": 2, "module_roots": [] }), "X07WASM_PROJECT_PARSE_FAILED");
    for pointer in ["/world", "/entry", "/module_roots"] {
        let found = report["diagnostics"].as_array().expect("a list");
        assert!(found.iter().any(|d| d["data"]["instance_path"] == pointer), "{pointer}: {found:#?}");
    }
}

#[test]
fn only_the_pure_world_is_built() {
    for world in ["run-os", "run-os-sandboxed", "solve-fs", "solve-rr", "solve-kv", "solve-full"] {
        let report = refused(json!({ "world": world }), "X07WASM_PROJECT_PARSE_FAILED");
        assert!(report["diagnostics"].to_string().contains("solve-pure"), "the message says what would be right");
    }
}

#[test]
fn every_version_of_the_manifest_is_read() {
    for version in ["x07.project@0.2.0", "x07.project@0.3.0", "x07.project@0.4.0", "x07.project@0.5.0"] {
        accepted(json!({ "schema_version": version }));
    }
    refused(json!({ "schema_version": "x07.project@0.6.0" }), "X07WASM_PROJECT_PARSE_FAILED");
    refused(json!({ "schema_version": "x07.project@0.2.0", "patch": {} }), "X07WASM_PROJECT_PARSE_FAILED");
    refused(json!({ "schema_version": "x07.project@0.4.0", "compat": "current" }), "X07WASM_PROJECT_PARSE_FAILED");
    accepted(json!({ "schema_version": "x07.project@0.5.0", "compat": "current" }));
}

#[test]
fn members_that_are_not_known_are_ignored() {
    accepted(json!({ "somebody": "else's", "link": { "libs": ["m"] } }));
}

#[test]
fn a_missing_entry_is_named() {
    let report = refused(json!({ "entry": "src/none.x07.json" }), "X07WASM_PROJECT_ENTRY_MISSING");
    assert!(report["diagnostics"].to_string().contains("app/src/none.x07.json"));
}

#[test]
fn an_entry_that_is_a_folder_is_not_read() {
    let place = app();
    place.write("app/src/folder.x07.json/file", b"");
    manifest(&place, "app", json!({ "entry": "src/folder.x07.json" }));
    place.run(BUILD).expect(3, "X07WASM_PROJECT_ENTRY_READ_FAILED");
}

#[test]
fn an_entry_must_be_a_source_file() {
    refused(json!({ "entry": "src/main.txt" }), "X07WASM_PROJECT_PARSE_FAILED");
    refused(json!({ "entry": null }), "X07WASM_PROJECT_PARSE_FAILED");
}

#[test]
fn dots_in_an_entry_that_stay_in_the_folder_are_accepted() {
    for entry in ["./src/main.x07.json", "src/./main.x07.json"] {
        accepted(json!({ "entry": entry }));
    }
}

#[test]
fn an_entry_is_not_a_module() {
    let place = app();
    place.project_of("app", &module("main"));
    place.run(BUILD).expect(3, "X07-X07AST-PARSE-0001");
    let entry = json!({ "schema_version": "x07.x07ast@0.8.0", "kind": "entry", "module_id": "other", "imports": [], "decls": [], "solve": echo() });
    place.project_of("app", &entry.to_string());
    place.run(BUILD).expect(3, "X07-X07AST-PARSE-0001");
}

#[test]
fn a_module_is_found_in_any_root() {
    let place = Place::new();
    importing(&place, "app", "text.part");
    manifest(&place, "app", json!({ "module_roots": ["src", "./lib", "lib", "."] }));
    place.write("app/lib/text/part.x07.json", module("text.part"));
    let report = place.run(BUILD).ok();
    assert!(paths(&report, "inputs").contains(&"app/lib/text/part.x07.json".to_owned()), "{report:#}");
}

#[test]
fn a_module_that_is_nowhere_is_reported_where_it_is_imported() {
    let place = Place::new();
    importing(&place, "app", "text.part");
    let report = place.run(BUILD).expect(3, "X07C_MODULE_NOT_FOUND");
    let found = report["diagnostics"].as_array().expect("a list");
    let problem = found.iter().find(|d| d["code"] == "X07C_MODULE_NOT_FOUND").expect("there");
    assert_eq!(problem["loc"]["ptr"], "/imports/0");
    assert_eq!(problem["data"]["searched"], json!(["app/src/text/part.x07.json"]));
}

#[test]
fn a_module_in_two_roots_is_ambiguous() {
    let place = Place::new();
    importing(&place, "app", "m");
    manifest(&place, "app", json!({ "module_roots": ["src", "lib"] }));
    place.write("app/src/m.x07.json", module("m"));
    place.write("app/lib/m.x07.json", module("m"));
    let report = place.run(BUILD).expect(3, "X07C_MODULE_AMBIGUOUS");
    let text = report["diagnostics"].to_string();
    assert!(text.contains("app/src/m.x07.json") && text.contains("app/lib/m.x07.json"), "{text}");
}

#[test]
fn a_module_in_the_text_form_gets_a_hint() {
    let place = Place::new();
    importing(&place, "app", "m");
    place.write("app/src/m.x07t", "(module m)");
    let report = place.run(BUILD).expect(3, "X07C_TEXT_SOURCE_UNSUPPORTED");
    assert!(report["diagnostics"].to_string().contains("app/src/m.x07t"));
}

#[test]
fn a_module_that_is_a_folder_cannot_be_read() {
    let place = Place::new();
    importing(&place, "app", "m");
    place.write("app/src/m.x07.json/file", b"");
    place.run(BUILD).expect(3, "X07C_MODULE_UNREADABLE");
}

#[test]
fn a_module_with_another_id_is_refused() {
    let place = Place::new();
    importing(&place, "app", "m");
    place.write("app/src/m.x07.json", module("other"));
    place.run(BUILD).expect(3, "X07-X07AST-PARSE-0001");
}

#[test]
fn the_workspace_is_the_nearest_folder_with_git() {
    let place = Place::new();
    importing(&place, "ws/part/app", "m");
    manifest(&place, "ws/part/app", json!({ "module_roots": ["src", "$workspace/lib"] }));
    place.write("ws/lib/m.x07.json", module("m"));
    let build = "build --project ws/part/app/x07.json --json";
    // A temporary folder is not expected to lie in a repository; if it does, the module is not found there.
    assert_eq!(place.run(build).status, 3);
    place.write("ws/.git/HEAD", "ref: x");
    place.run(build).ok();
    // A file, as in a linked work tree, counts as well, and the nearest one wins.
    place.write("ws/part/.git", "gitdir: elsewhere");
    place.run(build).expect(3, "X07C_MODULE_NOT_FOUND");
}

#[test]
fn the_workspace_can_be_given_by_the_environment() {
    let place = Place::new();
    importing(&place, "app", "m");
    manifest(&place, "app", json!({ "module_roots": ["src", "$workspace"] }));
    place.write("elsewhere/m.x07.json", module("m"));
    let build = ["build", "--project", "app/x07.json", "--json"];
    for root in [place.path("elsewhere"), "elsewhere".into()] {
        let run = place.run_with(&build, |command| {
            command.env("X07_WORKSPACE_ROOT", &root);
        });
        run.ok();
    }
    // Empty means not given.
    place.write("app/.git", "gitdir: x");
    let run = place.run_with(&build, |command| {
        command.env("X07_WORKSPACE_ROOT", "");
    });
    run.expect(3, "X07C_MODULE_NOT_FOUND");
}

#[test]
fn only_the_exact_word_is_the_workspace() {
    let place = Place::new();
    importing(&place, "app", "m");
    manifest(&place, "app", json!({ "module_roots": ["src", "$workspaces"] }));
    place.write("app/$workspaces/m.x07.json", module("m"));
    place.run(BUILD).ok();
}

#[test]
fn the_limits_of_the_compiler_can_be_set() {
    let place = app();
    place.project("app", &json!(["begin", ["let", "a", 1], ["let", "b", "a"], ["set", "a", "b"], echo()]));
    let with = |name: &str, value: &str| {
        place.run_with(&["build", "--project", "app/x07.json", "--json"], |command| {
            command.env(name, value);
        })
    };
    with("X07_MAX_ENTRY_BYTES", "10").expect(3, "X07C_LIMIT_EXCEEDED");
    with("X07_MAX_AST_NODES", "2").expect(1, "X07C_LIMIT_EXCEEDED");
    with("X07_MAX_LOCALS", "1").expect(1, "X07C_LIMIT_EXCEEDED");
    for name in ["X07_MAX_ENTRY_BYTES", "X07_MAX_AST_NODES", "X07_MAX_LOCALS"] {
        // What is no positive number counts as absent.
        for value in ["0", "-1", "many", "", "99999999999999999999999"] {
            let run = with(name, value);
            assert_eq!(run.status, 0, "{name}={value}: {:#}", run.report());
        }
    }
}

#[test]
fn an_entry_above_64_kibibytes_needs_the_limit_raised() {
    let place = app();
    place.project("app", &json!(["bytes.lit", "x".repeat(70_000)]));
    place.run(BUILD).expect(3, "X07C_LIMIT_EXCEEDED");
    let run = place.run_with(&["build", "--project", "app/x07.json", "--json"], |command| {
        command.env("X07_MAX_ENTRY_BYTES", "100000");
    });
    run.ok();
}

#[test]
fn imported_modules_may_be_larger() {
    let place = Place::new();
    importing(&place, "app", "m");
    let mut text: Value = serde_json::from_str(&module("m")).expect("JSON");
    text["decls"][1]["body"] = json!(["bytes.lit", "x".repeat(100_000)]);
    place.write("app/src/m.x07.json", text.to_string());
    place.run(BUILD).ok();
}

#[test]
fn sources_are_never_changed() {
    let place = app();
    let before = (place.read("app/x07.json"), place.read("app/src/main.x07.json"));
    place.run(BUILD).ok();
    place.project("broken", &json!(["view.to_bytes", "inputt"]));
    let broken = place.read("broken/src/main.x07.json");
    assert_eq!(place.run("build --project broken/x07.json --json").status, 1);
    assert_eq!((place.read("app/x07.json"), place.read("app/src/main.x07.json")), before);
    assert_eq!(place.read("broken/src/main.x07.json"), broken, "a problem is reported, not repaired");
}
