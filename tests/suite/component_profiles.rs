//! `component profile validate`.

use crate::support::{Place, Run, codes, copy_tree, root};
use serde_json::{Value, json};
use std::fs;

const INDEX: &str = "arch/wasm/component/index.x07wasm.component.json";
const RELEASE: &str = "arch/wasm/component/profiles/component_release.json";

/// A valid profile under another id.
fn profile(id: &str) -> Value {
    let bytes = fs::read(root().join(RELEASE)).expect("committed");
    let mut profile: Value = serde_json::from_slice(&bytes).expect("JSON");
    profile["id"] = json!(id);
    profile
}

/// A registry of these ids and paths.
fn index(entries: &[(&str, &str)], default: Option<&str>) -> Value {
    let profiles: Vec<Value> = entries.iter().map(|(id, path)| json!({"id": id, "path": path})).collect();
    let mut index = json!({"schema_version": "x07.arch.wasm.component.index@0.1.0", "profiles": profiles});
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

fn validate(place: &Place) -> Run {
    place.run("component profile validate --json")
}

fn profiles(report: &Value) -> &Vec<Value> {
    report["result"]["profiles"].as_array().expect("a list")
}

#[test]
fn the_profiles_of_the_tool_stand_in_for_a_missing_registry() {
    let place = Place::new();
    let report = place.run("component profile validate --strict --json").ok();
    assert_eq!(codes(&report), ["X07WASM_REGISTRY_BUILTIN_USED"]);
    let result = &report["result"];
    assert_eq!((&result["strict"], &result["profiles_total"]), (&json!(true), &json!(2)));
    assert_eq!((&result["profiles_ok"], &result["profiles_failed"]), (&json!(2), &json!(0)));
    assert_eq!(result["index"]["path"], format!("builtin:{INDEX}"));
    assert_eq!(
        result["profiles"][0],
        json!({"ref": {"id": "component_release", "v": 2}, "path": RELEASE, "ok": true, "schema_valid": true, "id_matches_index": true})
    );
    assert_eq!(result["profiles"][1]["ref"], json!({"id": "component_debug", "v": 2}));
    // Another registry that is missing is not replaced.
    let report = place.run("component profile validate --index other.json --json");
    let report = report.expect(3, "X07WASM_COMPONENT_INDEX_READ_FAILED");
    assert_eq!((&report["result"]["index"]["path"], &report["result"]["profiles"]), (&json!("other.json"), &json!([])));
}

#[test]
fn the_committed_registry_is_the_one_of_the_tool() {
    let carried = validate(&Place::new()).ok();
    let place = Place::new();
    copy_tree(&root().join("arch"), &place.path("arch"));
    let report = validate(&place).ok();
    assert_eq!(report["diagnostics"], json!([]));
    assert_eq!(report["result"]["profiles"], carried["result"]["profiles"]);
    assert_eq!(report["result"]["index"]["sha256"], carried["result"]["index"]["sha256"]);
    let digests = |report: &Value| -> Vec<Value> {
        report["meta"]["inputs"].as_array().into_iter().flatten().map(|i| i["sha256"].clone()).collect()
    };
    assert_eq!((digests(&report).len(), digests(&report)), (3, digests(&carried)));
}

#[test]
fn profiles_are_chosen_by_id() {
    let place = place();
    place.write(INDEX, index(&[("a", "p/a.json"), ("b", "p/b.json"), ("c", "p/c.json")], None).to_string());
    place.write("p/b.json", "{");
    place.write("p/c.json", profile("c").to_string());
    let report = place.run("component profile validate --profile c --profile a --json").ok();
    let ids: Vec<&Value> = profiles(&report).iter().map(|p| &p["ref"]["id"]).collect();
    assert_eq!(ids, ["a", "c"]);
    validate(&place).expect(3, "X07WASM_COMPONENT_PROFILE_JSON_INVALID");
    assert_eq!(
        place.run("component-profile-validate --profile a --json").ok()["command"],
        "x07-wasm.component.profile.validate"
    );
    let report = place.run("component profile validate --profile z --profile a --json");
    let report = report.expect(3, "X07WASM_COMPONENT_INDEX_PROFILE_NOT_FOUND");
    let message = report["diagnostics"][0]["message"].as_str().expect("a message");
    assert!(message.contains("a, b, c") && message.contains(INDEX), "{message}");
    assert_eq!(profiles(&report).len(), 1);
}

#[test]
fn each_problem_of_the_registry_has_its_code() {
    let place = place();
    let two = [("a", "p/a.json"), ("a", "p/a.json")];
    let cases = [
        ("{".to_owned(), "X07WASM_COMPONENT_INDEX_READ_FAILED"),
        (String::new(), "X07WASM_COMPONENT_INDEX_READ_FAILED"),
        ("{}".to_owned(), "X07WASM_SCHEMA_INVALID"),
        (index(&[], None).to_string(), "X07WASM_SCHEMA_INVALID"),
        (index(&[("a", "../a.json")], None).to_string(), "X07WASM_SCHEMA_INVALID"),
        (index(&two, Some("a")).to_string(), "X07WASM_COMPONENT_INDEX_DUPLICATE_PROFILE_ID"),
        (index(&[("a", "p/a.json")], Some("z")).to_string(), "X07WASM_COMPONENT_INDEX_DEFAULT_PROFILE_NOT_FOUND"),
    ];
    for (text, code) in cases {
        place.write(INDEX, &text);
        let run = validate(&place);
        run.expect(3, code);
        assert!(run.codes().iter().all(|c| c == code), "{text}: {:?}", run.codes());
    }
    // No default is needed.
    place.write(INDEX, index(&[("a", "p/a.json")], None).to_string());
    validate(&place).ok();
    fs::remove_file(place.path(INDEX)).expect("removed");
    fs::create_dir(place.path(INDEX)).expect("made");
    validate(&place).expect(3, "X07WASM_COMPONENT_INDEX_READ_FAILED");
}

#[test]
fn every_problem_of_every_profile_is_reported_in_one_go() {
    let place = place();
    let paths = ["a", "missing", "text", "wrong", "other", "blank", "large"].map(|n| (n, format!("p/{n}.json")));
    let entries: Vec<(&str, &str)> = paths.iter().map(|(id, path)| (*id, path.as_str())).collect();
    place.write(INDEX, index(&entries, Some("a")).to_string());
    place.write("p/text.json", "{\"id\":");
    let mut wrong = profile("wrong");
    wrong["v"] = json!(0);
    wrong["cfg"]["componentize"]["mode"] = json!("other_v1");
    place.write("p/wrong.json", wrong.to_string());
    place.write("p/other.json", profile("another").to_string());
    let mut blank = profile("blank");
    blank["cfg"]["toolchain"]["wac"]["cmd"] = json!("  ");
    place.write("p/blank.json", blank.to_string());
    let large = profile("large").to_string().replace("\"v\":2", "\"v\":18446744073709551616");
    place.write("p/large.json", large);
    let run = validate(&place);
    let report = run.report();
    assert_eq!(run.status, 3);
    assert_eq!(
        run.codes(),
        [
            "X07WASM_COMPONENT_PROFILE_READ_FAILED",
            "X07WASM_COMPONENT_PROFILE_JSON_INVALID",
            "X07WASM_SCHEMA_INVALID",
            "X07WASM_SCHEMA_INVALID",
            "X07WASM_COMPONENT_PROFILE_ID_MISMATCH",
            "X07WASM_COMPONENT_PROFILE_PARSE_FAILED",
            "X07WASM_COMPONENT_PROFILE_PARSE_FAILED",
        ]
    );
    assert!(report["diagnostics"].as_array().into_iter().flatten().all(|d| d["stage"] == "parse"));
    let facts: Vec<(&Value, bool, bool, bool)> = profiles(&report)
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
            (&json!("blank"), false, true, true),
            (&json!("large"), false, false, false),
        ]
    );
    assert_eq!((&report["result"]["profiles_ok"], &report["result"]["profiles_failed"]), (&json!(1), &json!(6)));
}

#[test]
fn what_a_build_would_refuse_is_refused() {
    let place = place();
    let mut changed = profile("a");
    changed["cfg"]["targets"]["http_package"] = json!("wasi:http@0.3.0");
    changed["cfg"]["native_targets"]["cli"]["world"] = json!("imports");
    changed["cfg"]["wit_index_path"] = json!("arch//wit/index.x07wit.json");
    place.write("p/a.json", changed.to_string());
    let report = validate(&place).expect(3, "X07WASM_COMPONENT_PROFILE_PARSE_FAILED");
    let places: Vec<&Value> =
        report["diagnostics"].as_array().into_iter().flatten().map(|d| &d["data"]["instance_path"]).collect();
    assert_eq!(places, ["/cfg/targets/http_package", "/cfg/native_targets/cli/world", "/cfg/wit_index_path"]);
    assert_eq!(profiles(&report)[0]["ok"], false);
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let place = place();
    let mut changed = profile("a");
    changed["cfg"]["toolchain"]["wasm_tools"]["args"] = json!(["--verbose"]);
    changed["cfg"]["toolchain"]["wac"]["env"] = json!({"HTTP_PROXY": "here"});
    place.write("p/a.json", changed.to_string());
    let report = validate(&place).ok();
    assert_eq!(codes(&report), ["X07WASM_COMPONENT_TOOLCHAIN_UNUSED"]);
    let warning = &report["diagnostics"][0];
    assert_eq!(warning["severity"], "warning");
    assert_eq!(warning["data"]["members"], json!(["cfg.toolchain.wasm_tools.args", "cfg.toolchain.wac.env"]));
    assert_eq!(profiles(&report)[0]["ok"], true);
    let report = place.run("component profile validate --strict --json");
    let report = report.expect(3, "X07WASM_COMPONENT_TOOLCHAIN_UNUSED");
    assert_eq!(profiles(&report)[0]["ok"], false);
}

#[cfg(unix)]
#[test]
fn a_profile_behind_a_link_is_not_followed() {
    let place = place();
    let outside = Place::new();
    outside.write("a.json", profile("a").to_string());
    fs::remove_file(place.path("p/a.json")).expect("removed");
    std::os::unix::fs::symlink(outside.path("a.json"), place.path("p/a.json")).expect("linked");
    validate(&place).expect(3, "X07WASM_COMPONENT_PROFILE_READ_FAILED");
}

#[test]
fn people_get_one_line_for_each_profile() {
    let place = place();
    let run = place.run("component profile validate");
    assert_eq!((run.status, run.stdout.as_slice(), run.stderr.trim_end()), (0, &b""[..], "ok: a (p/a.json)"));
    place.write("p/a.json", "{}");
    let run = place.run("component profile validate");
    assert_eq!(run.status, 3);
    assert!(run.stderr.contains("error[X07WASM_SCHEMA_INVALID]: p/a.json:1:"), "{}", run.stderr);
    assert!(run.stderr.lines().any(|line| line == "failed: a (p/a.json)"), "{}", run.stderr);
}
