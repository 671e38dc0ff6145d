//! `http contracts validate`: schemas and fixtures.

use super::diagnostic;
use crate::support::{Place, copy_tree, root};
use serde_json::{Value, json};
use std::fs;

const FOLDER: &str = "spec/fixtures/http";

/// A folder with the fixtures of this project.
fn with_fixtures() -> Place {
    let place = Place::new();
    copy_tree(&root().join(FOLDER), &place.path(FOLDER));
    place
}

#[test]
fn the_fixtures_of_this_project_are_valid_and_fit_together() {
    let place = with_fixtures();
    let run = place.run("http contracts validate --strict --json");
    let report = run.ok();
    assert_eq!(run.codes(), Vec::<String>::new());
    let paths: Vec<&str> =
        report["result"]["fixtures"].as_array().into_iter().flatten().filter_map(|f| f["path"].as_str()).collect();
    let names = ["dispatch.min", "frame.min", "trace.effect_http.min", "trace.effect_kv.min", "trace.min"];
    assert_eq!(paths, names.map(|name| format!("{FOLDER}/{name}.json")));
    let schemas = report["result"]["schemas"].as_array().expect("schemas");
    assert_eq!(schemas.len(), 10);
    assert!(schemas.iter().all(|s| s["ok"] == true), "{schemas:?}");
    let inputs = report["meta"]["inputs"].as_array().expect("inputs");
    assert_eq!(inputs.len(), 5);
}

#[test]
fn a_project_without_fixtures_is_fine() {
    let report = Place::new().run("http contracts validate --strict --json").ok();
    assert_eq!(report["result"]["fixtures"], json!([]));
    let place = Place::new();
    place.write(FOLDER, "a file");
    place.run("http contracts validate --json").expect(3, "X07WASM_HTTP_FIXTURE_VALIDATE_FAILED");
}

#[test]
fn every_bad_fixture_is_told() {
    let place = with_fixtures();
    place.write(&format!("{FOLDER}/a.json"), "{");
    place.write(&format!("{FOLDER}/b.json"), r#"{"kind":"x07.http.other"}"#);
    place.write(&format!("{FOLDER}/c.json"), r#"{"kind":"x07.http.frame","v":2}"#);
    place.write(&format!("{FOLDER}/d.json"), "[]");
    place.write(&format!("{FOLDER}/ignored.txt"), "{");
    fs::create_dir(place.path(format!("{FOLDER}/e.json"))).expect("made");
    let run = place.run("http contracts validate --json");
    let report = run.expect(3, "X07WASM_SCHEMA_INVALID");
    let kinds = run.codes().iter().filter(|c| *c == "X07WASM_HTTP_FIXTURE_SCHEMA_UNKNOWN").count();
    let unreadable = run.codes().iter().filter(|c| *c == "X07WASM_HTTP_FIXTURE_VALIDATE_FAILED").count();
    assert_eq!((kinds, unreadable), (2, 2), "{report:#}");
    let failed: Vec<&str> = report["result"]["fixtures"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|f| f["ok"] == false)
        .filter_map(|f| f["path"].as_str())
        .collect();
    assert_eq!(failed, ["a", "b", "c", "d", "e"].map(|name| format!("{FOLDER}/{name}.json")));
}

#[test]
fn parts_that_do_not_fit_together_are_a_warning_and_with_strict_an_error() {
    let place = with_fixtures();
    let path = format!("{FOLDER}/trace.effect_kv.min.json");
    let mut trace: Value = serde_json::from_slice(&place.read(&path)).expect("JSON");
    trace["steps"][1]["env"]["state"] = json!({"asked": false});
    trace["steps"][1]["env"]["effect_results"][0]["id"] = json!("other");
    place.write(&path, trace.to_string());
    let run = place.run("http contracts validate --json");
    let report = run.ok();
    let warning = diagnostic(&report, "X07WASM_HTTP_FIXTURE_INCONSISTENT");
    assert_eq!((&warning["severity"], &warning["data"]["file"]), (&json!("warning"), &json!(path)));
    assert_eq!(run.codes().len(), 2);
    let report = place.run("http contracts validate --strict --json").expect(3, "X07WASM_HTTP_FIXTURE_INCONSISTENT");
    let fixtures = report["result"]["fixtures"].as_array().expect("fixtures");
    assert_eq!(fixtures.iter().filter(|f| f["ok"] == false).count(), 1);
}
