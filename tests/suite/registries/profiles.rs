//! `profile validate`.

use super::{committed, run_among, with_code};
use crate::support::Place;
use serde_json::{Value, json};
use std::fs;

const INDEX: &str = "arch/wasm/index.x07wasm.json";

/// A valid profile under another id.
fn profile(id: &str) -> Value {
    let mut profile = committed("arch/wasm/profiles/wasm_release.json");
    profile["id"] = json!(id);
    profile
}

/// A registry of these ids and paths.
fn index(entries: &[(&str, &str)], default: Option<&str>) -> Value {
    let profiles: Vec<Value> = entries.iter().map(|(id, path)| json!({"id": id, "path": path})).collect();
    let mut index = json!({"schema_version": "x07.arch.wasm.index@0.1.0", "profiles": profiles});
    if let Some(id) = default {
        index["defaults"] = json!({"default_profile_id": id});
    }
    index
}

/// A place with a registry that names the good profile `a`.
fn place() -> Place {
    let place = Place::new();
    place.write(INDEX, index(&[("a", "p/a.json")], Some("a")).to_string());
    place.write("p/a.json", profile("a").to_string());
    place
}

#[test]
fn the_registry_of_the_tool_stands_in_for_a_missing_one() {
    let place = Place::new();
    let report = run_among(&place, "profile validate --json").ok();
    let notice = with_code(&report, "X07WASM_REGISTRY_BUILTIN_USED");
    assert_eq!((notice.len(), &notice[0]["severity"]), (1, &json!("info")));
    let result = &report["result"];
    assert_eq!(result["mode"], "index_v1");
    assert_eq!(
        result["index"],
        json!({"path": INDEX, "ok": true, "profiles_count": 8, "default_profile_id": "wasm_release", "default_profile_found": true})
    );
    let profiles = result["profiles"].as_array().expect("a list");
    assert_eq!(profiles.len(), 8);
    assert!(profiles.iter().all(|p| p["ok"] == true && p["schema_valid"] == true && p["id_matches_index"] == true));
    let inputs = report["meta"]["inputs"].as_array().expect("a list");
    assert_eq!(inputs.len(), 9);
    assert!(inputs.iter().all(|i| i["path"].as_str().is_some_and(|p| p.starts_with("builtin:"))));
    // Another registry that is missing is not replaced.
    run_among(&place, "profile validate --index other.json --json").expect(3, "X07WASM_WASM_INDEX_READ_FAILED");
}

#[test]
fn the_committed_registry_is_the_one_of_the_tool() {
    let place = Place::new();
    let carried = run_among(&place, "profile validate --json").ok()["meta"]["inputs"].clone();
    crate::support::copy_tree(&crate::support::root().join("arch"), &place.path("arch"));
    let report = run_among(&place, "profile validate --json").ok();
    assert_eq!(report["diagnostics"], json!([]));
    let digests = |inputs: &Value| -> Vec<(String, Value)> {
        let list = inputs.as_array().into_iter().flatten();
        list.map(|i| {
            let path = i["path"].as_str().expect("text");
            (path.trim_start_matches("builtin:").to_owned(), i["sha256"].clone())
        })
        .collect()
    };
    assert_eq!(digests(&report["meta"]["inputs"]), digests(&carried));
}

#[test]
fn the_three_modes_say_what_they_looked_at() {
    let place = place();
    place.write(INDEX, index(&[("a", "p/a.json"), ("b", "p/b.json")], Some("a")).to_string());
    place.write("p/b.json", profile("b").to_string());
    let ids = |report: &Value| -> Vec<Value> {
        report["result"]["profiles"].as_array().into_iter().flatten().map(|p| p["ref"]["id"].clone()).collect()
    };
    let report = run_among(&place, "profile validate --json").ok();
    assert_eq!((&report["result"]["mode"], ids(&report)), (&json!("index_v1"), vec![json!("a"), json!("b")]));
    let inputs: Vec<Value> =
        report["meta"]["inputs"].as_array().into_iter().flatten().map(|i| i["path"].clone()).collect();
    assert_eq!(inputs, [json!(INDEX), json!("p/a.json"), json!("p/b.json")], "in reading order");

    let report = run_among(&place, "profile validate --profile b --json").ok();
    assert_eq!((&report["result"]["mode"], ids(&report)), (&json!("profile_id_v1"), vec![json!("b")]));
    assert_eq!(report["result"]["index"]["profiles_count"], 2);

    let report = run_among(&place, "profile validate --profile-file p/b.json --json").ok();
    assert_eq!((&report["result"]["mode"], ids(&report)), (&json!("profile_file_v1"), vec![json!("b")]));
    assert_eq!(report["result"]["index"], Value::Null);
    assert_eq!(
        report["result"]["profiles"][0],
        json!({"ref": {"id": "b", "v": 1}, "path": "p/b.json", "ok": true, "schema_version": "x07.wasm.profile@0.3.0", "schema_valid": true, "id_matches_index": true})
    );
    assert_eq!(run_among(&place, "profile-validate --json").ok()["command"], "x07-wasm.profile.validate");
}

#[test]
fn a_single_profile_is_checked_without_the_others() {
    let place = place();
    place.write(INDEX, index(&[("a", "p/a.json"), ("broken", "p/broken.json")], Some("a")).to_string());
    place.write("p/broken.json", "{");
    run_among(&place, "profile validate --profile a --json").ok();
    run_among(&place, "profile validate --json").expect(3, "X07WASM_PROFILE_JSON_INVALID");
    // A file is checked whatever the registry looks like.
    place.write(INDEX, "{");
    run_among(&place, "profile validate --profile-file p/a.json --json").ok();
}

#[test]
fn each_problem_of_the_registry_has_its_code() {
    let place = place();
    let cases = [
        ("{".to_owned(), "X07WASM_WASM_INDEX_JSON_INVALID"),
        ("".to_owned(), "X07WASM_WASM_INDEX_JSON_INVALID"),
        ("{\"profiles\":[],\"profiles\":[]}".to_owned(), "X07WASM_WASM_INDEX_JSON_INVALID"),
        ("{}".to_owned(), "X07WASM_SCHEMA_INVALID"),
        (index(&[], None).to_string(), "X07WASM_SCHEMA_INVALID"),
        (index(&[("a", "../a.json")], Some("a")).to_string(), "X07WASM_SCHEMA_INVALID"),
        (index(&[("a", "/p/a.json")], Some("a")).to_string(), "X07WASM_SCHEMA_INVALID"),
        (
            index(&[("a", "p/a.json"), ("a", "p/a.json")], Some("a")).to_string(),
            "X07WASM_WASM_INDEX_DUPLICATE_PROFILE_ID",
        ),
        (index(&[("a", "p/a.json")], Some("z")).to_string(), "X07WASM_WASM_INDEX_DEFAULT_PROFILE_MISSING"),
        // Without a default the release profile is meant.
        (index(&[("a", "p/a.json")], None).to_string(), "X07WASM_WASM_INDEX_DEFAULT_PROFILE_MISSING"),
    ];
    for (text, code) in cases {
        place.write(INDEX, &text);
        let run = run_among(&place, "profile validate --json");
        let report = run.expect(3, code);
        assert!(run.codes().iter().all(|c| c == code), "{text}: {:?}", run.codes());
        assert_eq!(report["result"]["index"]["ok"], false, "{text}");
        for diagnostic in with_code(&report, code) {
            assert_eq!((&diagnostic["severity"], &diagnostic["stage"]), (&json!("error"), &json!("parse")), "{text}");
        }
    }
    fs::remove_file(place.path(INDEX)).expect("removed");
    fs::create_dir(place.path(INDEX)).expect("made");
    run_among(&place, "profile validate --json").expect(3, "X07WASM_WASM_INDEX_READ_FAILED");
}

#[test]
fn a_default_that_is_listed_last_is_found() {
    let place = place();
    place.write(INDEX, index(&[("a", "p/a.json"), ("wasm_release", "p/r.json")], None).to_string());
    place.write("p/r.json", profile("wasm_release").to_string());
    let report = run_among(&place, "profile validate --json").ok();
    assert_eq!(report["result"]["index"]["default_profile_id"], "wasm_release");
    assert_eq!(report["result"]["index"]["default_profile_found"], true);
}

#[test]
fn an_id_that_is_not_listed_is_refused_with_those_that_are() {
    let report =
        run_among(&place(), "profile validate --profile z --json").expect(3, "X07WASM_WASM_INDEX_PROFILE_NOT_FOUND");
    assert_eq!(report["result"]["mode"], "profile_id_v1");
    assert_eq!(report["result"]["profiles"], json!([]));
    let message = report["diagnostics"][0]["message"].as_str().expect("a message");
    assert!(message.contains('a') && message.contains(INDEX), "{message}");
}

#[test]
fn every_problem_of_every_profile_is_reported_in_one_go() {
    let place = place();
    let paths = ["a", "missing", "text", "wrong", "other"].map(|n| (n, format!("p/{n}.json")));
    let entries: Vec<(&str, &str)> = paths.iter().map(|(id, path)| (*id, path.as_str())).collect();
    place.write(INDEX, index(&entries, Some("a")).to_string());
    place.write("p/text.json", "{\"id\":");
    let mut wrong = profile("wrong");
    wrong["v"] = json!(0);
    wrong["extra"] = json!(1);
    place.write("p/wrong.json", wrong.to_string());
    place.write("p/other.json", profile("another").to_string());
    let run = run_among(&place, "profile validate --json");
    let report = run.report();
    assert_eq!(run.status, 3);
    assert_eq!(
        run.codes(),
        [
            "X07WASM_PROFILE_READ_FAILED",
            "X07WASM_PROFILE_JSON_INVALID",
            "X07WASM_SCHEMA_INVALID",
            "X07WASM_SCHEMA_INVALID",
            "X07WASM_PROFILE_ID_MISMATCH",
        ]
    );
    let profiles = report["result"]["profiles"].as_array().expect("a list");
    let facts: Vec<(&Value, bool, bool, bool)> = profiles
        .iter()
        .map(|p| (&p["ref"]["id"], p["ok"] == true, p["schema_valid"] == true, p["id_matches_index"] == true))
        .collect();
    assert_eq!(
        facts,
        [
            (&json!("a"), true, true, true),
            (&json!("missing"), false, false, false),
            (&json!("text"), false, false, false),
            (&json!("wrong"), false, false, false),
            (&json!("other"), false, true, false),
        ]
    );
    let mismatch = with_code(&report, "X07WASM_PROFILE_ID_MISMATCH");
    assert_eq!((&mismatch[0]["data"]["expected"], &mismatch[0]["data"]["found"]), (&json!("other"), &json!("another")));
}

#[test]
fn a_violation_names_file_line_member_and_rule() {
    let place = Place::new();
    let text = profile("a").to_string().replace("\"v\":1", "\n\"v\":0");
    place.write("f.json", text);
    let report = run_among(&place, "profile validate --profile-file f.json --json").expect(3, "X07WASM_SCHEMA_INVALID");
    let diagnostic = &report["diagnostics"][0];
    let data = &diagnostic["data"];
    assert_eq!(
        (&data["file"], &data["instance_path"], &data["rule"]),
        (&json!("f.json"), &json!("/v"), &json!("minimum"))
    );
    assert_eq!(diagnostic["loc"]["span"]["file"], "f.json");
    assert_eq!(diagnostic["loc"]["span"]["start"]["line"], 2);
    let shown = run_among(&place, "profile validate --profile-file f.json");
    assert!(shown.stderr.contains("f.json:2:") && shown.stderr.contains("/v"), "{}", shown.stderr);
}

#[test]
fn a_number_that_is_no_integer_of_the_type_is_reported_at_its_place() {
    let place = Place::new();
    for number in ["1.0", "1e3", "18446744073709551616", "1e400", "-1", "1.5"] {
        let text = profile("a").to_string().replace("\"v\":1", &format!("\"v\":{number}"));
        place.write("f.json", text);
        let run = run_among(&place, "profile validate --profile-file f.json --json");
        let report = run.report();
        // A whole number may be accepted however it is written; what is refused is refused with its place.
        if run.status == 0 {
            assert!(["1.0", "1e3"].contains(&number), "{number}");
            continue;
        }
        assert_eq!(run.status, 3, "{number}");
        let diagnostic = &report["diagnostics"][0];
        let named = diagnostic["data"]["instance_path"] == "/v" || diagnostic["code"] == "X07WASM_PROFILE_JSON_INVALID";
        assert!(named, "{number}: {diagnostic:#}");
        assert!(diagnostic["loc"].is_object(), "{number}: {diagnostic:#}");
        let message = diagnostic["message"].as_str().expect("a message");
        assert!(!message.contains("u64") && !message.contains("expected type"), "{number}: {message}");
    }
}

#[test]
fn the_id_of_a_file_is_reported_even_when_the_file_is_invalid() {
    let place = Place::new();
    let mut wrong = profile("mine");
    wrong["extra"] = json!(1);
    for (id, reported) in [(json!("mine"), "mine"), (json!("not an id"), "unknown"), (json!(7), "unknown")] {
        wrong["id"] = id;
        place.write("f.json", wrong.to_string());
        let report = run_among(&place, "profile validate --profile-file f.json --json");
        let report = report.expect(3, "X07WASM_SCHEMA_INVALID");
        assert_eq!(report["result"]["profiles"][0]["ref"]["id"], reported);
        assert_eq!(report["result"]["profiles"][0]["ok"], false);
    }
    let report = run_among(&place, "profile validate --profile-file no.json --json");
    let report = report.expect(3, "X07WASM_PROFILE_READ_FAILED");
    assert_eq!(report["result"]["profiles"][0]["ref"], json!({"id": "unknown", "v": 1}));
}

#[test]
fn promises_beyond_the_schema_are_checked_too() {
    let place = place();
    let pooling = committed("arch/wasm/profiles/wasm_release_pooling.json");
    let changes: [(&str, Value); 4] = [
        ("/runtime/max_memory_bytes", Value::Null),
        ("/runtime/max_table_elements", Value::Null),
        ("/target/entry_export", json!("other")),
        ("/x07_build/emit_c_header", json!(false)),
    ];
    for (pointer, value) in changes {
        let mut profile = pooling.clone();
        profile["id"] = json!("a");
        *profile.pointer_mut(pointer).expect("a member") = value;
        place.write("p/a.json", profile.to_string());
        for line in ["profile validate --json", "profile validate --profile-file p/a.json --json"] {
            let run = run_among(&place, line);
            let report = run.expect(3, "X07WASM_PROFILE_LOAD_FAILED");
            assert_eq!(report["result"]["profiles"][0]["ok"], false, "{pointer}");
            let message = report["diagnostics"][0]["message"].as_str().expect("a message");
            assert!(message.contains(&pointer[1..].replace('/', ".")), "{pointer}: {message}");
        }
    }
}

#[test]
fn paths_are_relative_to_the_current_folder() {
    let place = place();
    fs::create_dir(place.path("deep")).expect("made");
    fs::rename(place.path(INDEX), place.path("deep/index.json")).expect("moved");
    let report = run_among(&place, "profile validate --index deep/index.json --json").ok();
    assert_eq!(report["result"]["index"]["path"], "deep/index.json");
    assert_eq!(report["result"]["profiles"][0]["path"], "p/a.json");
}

#[cfg(unix)]
#[test]
fn a_profile_behind_a_link_is_not_followed() {
    let place = place();
    let outside = Place::new();
    outside.write("a.json", profile("a").to_string());
    fs::remove_file(place.path("p/a.json")).expect("removed");
    std::os::unix::fs::symlink(outside.path("a.json"), place.path("p/a.json")).expect("linked");
    run_among(&place, "profile validate --json").expect(3, "X07WASM_PROFILE_READ_FAILED");
    // Nor a folder of its path.
    fs::remove_file(place.path("p/a.json")).expect("removed");
    fs::remove_dir(place.path("p")).expect("removed");
    std::os::unix::fs::symlink(outside.path(""), place.path("p")).expect("linked");
    run_among(&place, "profile validate --json").expect(3, "X07WASM_PROFILE_READ_FAILED");
}

#[test]
fn people_get_one_line_for_each_problem() {
    let place = place();
    let run = run_among(&place, "profile validate");
    assert_eq!((run.status, run.stdout.as_slice()), (0, &b""[..]));
    assert!(run.stderr.lines().any(|l| l.starts_with("ok")), "{}", run.stderr);
    place.write("p/a.json", "{}");
    let run = run_among(&place, "profile validate");
    assert_eq!(run.status, 3);
    let lines = run.stderr.lines().filter(|l| l.starts_with("error[X07WASM_SCHEMA_INVALID]: p/a.json:1:")).count();
    assert!(lines >= 5, "every missing member has its line: {}", run.stderr);
}
