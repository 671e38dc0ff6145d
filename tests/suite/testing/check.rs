//! `check`: every problem of a program, what was read, and nothing written.

use super::diagnostic;
use crate::support::{Place, codes, root};
use serde_json::{Value, json};
use std::fs;

/// All files below a folder, sorted.
fn files(place: &Place) -> Vec<String> {
    fn collect(folder: &std::path::Path, into: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                collect(&path, into);
            } else {
                into.push(path.display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    collect(&place.path(""), &mut found);
    found.sort();
    found
}

#[test]
fn a_good_program_is_described() {
    let place = Place::with_example("word_count");
    let before = files(&place);
    let report = place.run("check --project word_count/x07.json --json").ok();
    let result = &report["result"];
    assert_eq!(result["project"]["path"], "word_count/x07.json");
    assert_eq!((&result["errors"], &result["warnings"]), (&json!(0), &json!(0)));
    assert!(result["functions"].as_u64().is_some_and(|n| n > 0), "{result:#}");
    let modules = result["modules"].as_array().expect("a list");
    let ids: Vec<&str> = modules.iter().filter_map(|m| m["id"].as_str()).collect();
    assert_eq!(ids, ["main", "count"]);
    let file = fs::read(root().join("examples/word_count/src/count.x07.json")).expect("readable");
    assert_eq!(modules[1]["path"], "word_count/src/count.x07.json");
    assert_eq!(modules[1]["bytes_len"], file.len());
    let inputs = report["meta"]["inputs"].as_array().expect("a list");
    let input = inputs.iter().find(|i| i["path"] == modules[1]["path"]).expect("the module is an input");
    assert_eq!(modules[1]["sha256"], input["sha256"]);
    assert_eq!(inputs[0], result["project"]);
    assert_eq!(files(&place), before, "something was written");
}

#[test]
fn a_standard_module_has_no_file() {
    let place = Place::new();
    let entry = json!({ "schema_version": "x07.x07ast@0.8.0", "kind": "entry", "module_id": "main", "imports": ["std.test"], "decls": [], "solve": ["std.test.status_ok"] });
    place.project_of("app", &entry.to_string());
    let report = place.run("check --project app/x07.json --json").ok();
    let modules = report["result"]["modules"].as_array().expect("a list");
    let module = modules.iter().find(|m| m["id"] == "std.test").expect("it was read");
    assert_eq!(module["sha256"], Value::Null);
    assert!(module["bytes_len"].as_u64().is_some_and(|n| n > 0));
}

/// A project with three mistakes in two functions and an error in a function that nothing calls.
fn wrong() -> Place {
    let place = Place::new();
    let entry = json!({
        "schema_version": "x07.x07ast@0.8.0", "kind": "entry", "module_id": "main", "imports": [],
        "decls": [
            { "kind": "defn", "name": "main.f", "params": [], "result": "i32", "body": ["+", "nowhere", 1] },
            { "kind": "defn", "name": "main.unused", "params": [], "result": "i32", "body": "nowhere" }
        ],
        "solve": ["begin", ["let", "x", ["main.f"]], ["let", "y", "gone"], ["view.to_bytes", "unknown"]]
    });
    place.project_of("app", &entry.to_string());
    place
}

#[test]
fn all_problems_are_reported_with_code_and_place() {
    let place = wrong();
    let run = place.run("check --project app/x07.json --json");
    let report = run.report();
    assert_eq!(run.status, 1, "{report:#}");
    let list = report["diagnostics"].as_array().expect("a list");
    assert_eq!(list.len(), 3, "{report:#}");
    for found in list {
        assert_eq!(found["data"]["file"], "app/src/main.x07.json", "{found:#}");
        assert_eq!(found["loc"]["kind"], "x07ast", "{found:#}");
        assert!(found["data"]["line"].is_u64() && found["data"]["column"].is_u64(), "{found:#}");
        assert_ne!(found["data"]["function"], "main.unused", "nothing calls it: {found:#}");
    }
    assert_eq!(report["result"]["errors"], list.len());
    assert_eq!(report["result"]["functions"], Value::Null);
}

#[test]
fn a_check_finds_what_a_build_finds() {
    let place = wrong();
    let checked = place.run("check --project app/x07.json --json");
    let built = place.run("build --project app/x07.json --json");
    let of = |report: &Value| {
        let list = report["diagnostics"].as_array().expect("a list").clone();
        list.into_iter().filter(|d| d["code"] != "X07WASM_REGISTRY_BUILTIN_USED").collect::<Vec<_>>()
    };
    assert_eq!(of(&checked.report()), of(&built.report()));
    assert_eq!(checked.status, built.status);
}

#[test]
fn a_file_that_is_no_program_is_invalid_input() {
    let place = Place::new();
    place.project_of("app", "{\"schema_version\":");
    let run = place.run("check --project app/x07.json --json");
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert_eq!(run.report()["result"]["errors"], 1);
}

#[test]
fn projects_that_cannot_be_opened_say_why() {
    let place = Place::new();
    let report = place.run("check --json").expect(3, "X07WASM_PROJECT_READ_FAILED");
    assert_eq!(report["result"]["project"]["path"], "x07.json");
    place.write("odd/x07.json", "{}");
    place.run("check --project odd/x07.json --json").expect(3, "X07WASM_PROJECT_PARSE_FAILED");
    let manifest = json!({
        "schema_version": "x07.project@0.3.0", "world": "solve-pure", "entry": "src/main.x07.json",
        "module_roots": ["src"], "dependencies": [{ "name": "p", "version": "1.0.0", "path": "deps/p" }]
    });
    place.project("app", &json!(["bytes.alloc", 0]));
    place.write("app/x07.json", manifest.to_string());
    place.run("check --project app/x07.json --json").expect(3, "X07WASM_PROJECT_LOCK_INVALID");
}

#[test]
fn strict_makes_errors_of_warnings() {
    let place = Place::new();
    let body = json!(["begin", ["let", "c", "b"], ["set", "n", ["+", "n", ["bytes.len", "c"]]]]);
    let solve = json!([
        "begin",
        ["let", "b", ["bytes.lit", "abc"]],
        ["let", "n", 0],
        ["while", ["<", "n", 1], body],
        ["view.to_bytes", "input"]
    ]);
    place.project("app", &solve);
    let report = place.run("check --project app/x07.json --json").ok();
    assert_eq!(diagnostic(&report, "X07C_MOVE_IN_LOOP")["severity"], "warning");
    assert_eq!((&report["result"]["errors"], &report["result"]["warnings"]), (&json!(0), &json!(1)));
    let report = place.run("check --project app/x07.json --strict --json").expect(1, "X07C_MOVE_IN_LOOP");
    assert_eq!(diagnostic(&report, "X07C_MOVE_IN_LOOP")["severity"], "error");
    assert_eq!((&report["result"]["errors"], &report["result"]["warnings"]), (&json!(1), &json!(0)));
}

#[test]
fn strict_changes_nothing_where_nothing_is_warned_of() {
    let place = Place::with_example("word_count");
    let plain = place.run("check --project word_count/x07.json --json").ok();
    let strict = place.run("check --project word_count/x07.json --strict --json").ok();
    assert_eq!(plain["result"], strict["result"]);
    let place = wrong();
    let [plain, strict] = ["", "--strict"].map(|o| place.run(&format!("check --project app/x07.json {o} --json")));
    assert_eq!(codes(&plain.report()), codes(&strict.report()));
}

#[test]
fn people_get_a_line_a_problem_and_a_summary() {
    let place = Place::with_example("word_count");
    let report = place.run("check --project word_count/x07.json --json").ok();
    let run = place.run("check --project word_count/x07.json");
    assert_eq!((run.status, run.stdout.as_slice()), (0, &b""[..]));
    assert_eq!(run.stderr, format!("ok: 2 modules, {} functions\n", report["result"]["functions"]));
    let place = wrong();
    let run = place.run("check --project app/x07.json");
    assert_eq!((run.status, run.stdout.as_slice()), (1, &b""[..]));
    let told = run.stderr.lines().filter(|l| l.starts_with("error[X07-TYPE-0001]: app/src/main.x07.json:")).count();
    assert_eq!(told, 3, "{}", run.stderr);
    assert_eq!(run.stderr.lines().last(), Some("3 errors in 1 module"));
}

#[test]
fn the_limits_of_a_build_are_in_force() {
    let place = Place::with_example("word_count");
    let run = place.run_with(&["check", "--project", "word_count/x07.json", "--json"], |command| {
        command.env("X07_MAX_AST_NODES", "5");
    });
    let report = run.report();
    assert!(run.status != 0, "{report:#}");
    assert!(diagnostic(&report, "X07C_LIMIT_EXCEEDED")["message"].is_string());
}
