//! `toolchain validate`.

use super::{committed, run_among, with_code};
use crate::support::Place;
use serde_json::{Value, json};
use x07_wasm::contract::digest::sha256_hex;
use x07_wasm::contract::json::canonical;

const INDEX: &str = "arch/wasm/toolchain/index.x07wasm.toolchain.json";
const TOOLS: [&str; 8] = ["x07", "clang", "wasm_ld", "wasmtime", "wasm_tools", "wit_bindgen", "wac", "jco"];

/// The profile for continuous integration after a change.
fn profile(change: impl FnOnce(&mut Value)) -> Value {
    let mut profile = committed("arch/wasm/toolchain/profiles/toolchain_ci.json");
    change(&mut profile);
    profile
}

fn index(entries: &[(&str, &str)], default: Option<&str>) -> Value {
    let profiles: Vec<Value> = entries.iter().map(|(id, path)| json!({"id": id, "path": path})).collect();
    let mut index = json!({"schema_version": "x07.arch.wasm.toolchain.index@0.1.0", "profiles": profiles});
    if let Some(id) = default {
        index["defaults"] = json!({"default_profile_id": id});
    }
    index
}

/// The entry of a tool in a report.
fn tool<'r>(report: &'r Value, id: &str) -> &'r Value {
    let tools = report["result"]["tools"].as_array().expect("a list");
    tools.iter().find(|t| t["tool_id"] == id).expect("the tool")
}

/// The hash as anybody can compute it from the report.
fn hash(report: &Value) -> String {
    let result = &report["result"];
    let tools: Vec<Value> = result["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|t| {
            json!({"tool_id": t["tool_id"], "required_constraint": t["required_constraint"], "found_version": t["found_version"]})
        })
        .collect();
    sha256_hex(&canonical::compact(&json!({"profile": result["profile"]["ref"], "tools": tools})))
}

#[test]
fn what_is_linked_in_is_enough_and_starts_no_process() {
    let place = Place::new();
    let report = run_among(&place, "toolchain validate --json").ok();
    assert_eq!(report["meta"]["nondeterminism"]["uses_process"], false);
    let result = &report["result"];
    assert_eq!(result["mode"], "index_v1");
    assert_eq!(
        result["index"],
        json!({"path": INDEX, "ok": true, "profiles_count": 2, "default_profile_id": "toolchain_ci", "default_profile_found": true})
    );
    assert_eq!(result["profile"]["ref"], json!({"id": "toolchain_ci", "v": 1}));
    assert_eq!(result["profile"]["ok"], true);
    let ids: Vec<&str> =
        result["tools"].as_array().into_iter().flatten().filter_map(|t| t["tool_id"].as_str()).collect();
    assert_eq!(ids, TOOLS, "in this order");
    for (id, line) in [
        ("wasmtime", "wasmtime 48.0.8 (linked)"),
        ("wasm_tools", "wasm-tools 0.258.0 (linked)"),
        ("wit_bindgen", "wit-parser 0.258.0 (linked)"),
        ("wac", "wac 0.12.0 (linked)"),
    ] {
        let found = tool(&report, id);
        assert_eq!((&found["ok"], &found["cmd"], &found["stdout"]), (&json!(true), &json!("builtin"), &json!(line)));
    }
    // What is not there and not required is a warning.
    let missing = with_code(&report, "X07WASM_TOOLCHAIN_TOOL_SPAWN_FAILED");
    assert_eq!(missing.len(), 3);
    for diagnostic in missing {
        assert_eq!((&diagnostic["severity"], &diagnostic["stage"]), (&json!("warning"), &json!("run")));
        assert_eq!(diagnostic["data"]["argv"][1], "--version");
        assert!(diagnostic["data"]["os_error"].is_string() && diagnostic["data"]["tool_id"].is_string());
    }
    assert_eq!(result["compatibility_hash"], hash(&report));
    assert_eq!(run_among(&place, "toolchain-validate --json").ok()["result"], *result);
}

#[test]
fn the_modes_say_where_the_profile_came_from() {
    let place = Place::new();
    let report = run_among(&place, "toolchain validate --profile-id toolchain_local --json").ok();
    assert_eq!(
        (&report["result"]["mode"], &report["result"]["profile"]["ref"]["id"]),
        (&json!("profile_id_v1"), &json!("toolchain_local"))
    );
    place.write("t.json", profile(|_| {}).to_string());
    place.write(INDEX, "{");
    let report = run_among(&place, "toolchain validate --profile t.json --json").ok();
    assert_eq!((&report["result"]["mode"], &report["result"]["index"]), (&json!("profile_file_v1"), &Value::Null));
    assert_eq!(report["result"]["profile"]["path"], "t.json");
    run_among(&place, "toolchain validate --json").expect(3, "X07WASM_TOOLCHAIN_INDEX_SCHEMA_INVALID");
}

#[test]
fn a_required_tool_that_is_missing_exits_2() {
    let place = Place::new();
    for (required, status) in [(true, 2), (false, 0)] {
        place.write("t.json", profile(|p| p["tools"]["clang"]["required"] = json!(required)).to_string());
        let report = run_among(&place, "toolchain validate --profile t.json --json")
            .expect(status, "X07WASM_TOOLCHAIN_TOOL_SPAWN_FAILED");
        let clang = tool(&report, "clang");
        assert_eq!((&clang["ok"], &clang["found_version"]), (&json!(false), &Value::Null));
        let severity = if required { "error" } else { "warning" };
        let of_clang = with_code(&report, "X07WASM_TOOLCHAIN_TOOL_SPAWN_FAILED")
            .into_iter()
            .find(|d| d["data"]["tool_id"] == "clang")
            .expect("the diagnostic");
        assert_eq!(of_clang["severity"], severity);
        assert_eq!(of_clang["data"]["argv"], json!(["clang", "--version"]));
    }
}

#[test]
fn a_version_outside_the_constraint_exits_1() {
    let place = Place::new();
    for (required, status) in [(true, 1), (false, 0)] {
        let changed = profile(|p| {
            p["tools"]["wasmtime"]["constraint"] = json!(">=42.0.0,<43.0.0");
            p["tools"]["wasmtime"]["required"] = json!(required);
        });
        place.write("t.json", changed.to_string());
        let report = run_among(&place, "toolchain validate --profile t.json --json")
            .expect(status, "X07WASM_TOOLCHAIN_VERSION_CONSTRAINT_UNSATISFIED");
        let data = &with_code(&report, "X07WASM_TOOLCHAIN_VERSION_CONSTRAINT_UNSATISFIED")[0]["data"];
        assert_eq!(*data, json!({"tool_id": "wasmtime", "expected": ">=42.0.0,<43.0.0", "found": "48.0.8"}));
        assert_eq!(tool(&report, "wasmtime")["found_version"], "48.0.8");
    }
}

#[test]
fn what_the_schema_cannot_see_in_a_profile_exits_3() {
    type Change = (&'static str, fn(&mut Value));
    let changes: [Change; 5] = [
        ("/tools/wac/constraint", |p| p["tools"]["wac"]["constraint"] = json!("newest")),
        ("/tools/jco/version/regex", |p| p["tools"]["jco"]["version"]["regex"] = json!("([0-9]+")),
        ("/tools/x07/version/group", |p| p["tools"]["x07"]["version"]["group"] = json!(9)),
        ("/tools/clang/cmd", |p| p["tools"]["clang"]["cmd"] = json!("builtin")),
        ("/v", |p| p["v"] = json!(0)),
    ];
    let place = Place::new();
    for (pointer, change) in changes {
        place.write("t.json", profile(change).to_string());
        let report = run_among(&place, "toolchain validate --profile t.json --json")
            .expect(3, "X07WASM_TOOLCHAIN_PROFILE_SCHEMA_INVALID");
        let found = with_code(&report, "X07WASM_TOOLCHAIN_PROFILE_SCHEMA_INVALID");
        assert_eq!((found.len(), &found[0]["data"]["instance_path"]), (1, &json!(pointer)));
        let result = &report["result"];
        assert_eq!((&result["profile"]["ok"], &result["tools"]), (&json!(false), &json!([])), "{pointer}");
        assert_eq!(result["compatibility_hash"], hash(&report), "{pointer}");
    }
    place.write("t.json", "{");
    run_among(&place, "toolchain validate --profile t.json --json")
        .expect(3, "X07WASM_TOOLCHAIN_PROFILE_SCHEMA_INVALID");
    run_among(&place, "toolchain validate --profile no.json --json").expect(3, "X07WASM_TOOLCHAIN_PROFILE_READ_FAILED");
}

#[test]
fn each_problem_of_the_registry_has_its_code() {
    let place = Place::new();
    place.write("p/a.json", profile(|p| p["id"] = json!("a")).to_string());
    let listed = |entries: &[(&str, &str)], default| index(entries, default).to_string();
    let cases = [
        ("{".to_owned(), "", "X07WASM_TOOLCHAIN_INDEX_SCHEMA_INVALID"),
        ("{}".to_owned(), "", "X07WASM_TOOLCHAIN_INDEX_SCHEMA_INVALID"),
        (listed(&[], None), "", "X07WASM_TOOLCHAIN_INDEX_SCHEMA_INVALID"),
        (listed(&[("a", "p/a.json")], None), "", "X07WASM_TOOLCHAIN_PROFILE_READ_FAILED"),
        (listed(&[("a", "p/a.json")], Some("b")), "", "X07WASM_TOOLCHAIN_PROFILE_READ_FAILED"),
        (listed(&[("a", "p/a.json")], Some("a")), " --profile-id b", "X07WASM_TOOLCHAIN_PROFILE_READ_FAILED"),
        (listed(&[("a", "p/no.json")], Some("a")), "", "X07WASM_TOOLCHAIN_PROFILE_READ_FAILED"),
        // The profile says another id than the registry.
        (listed(&[("z", "p/a.json")], Some("z")), "", "X07WASM_TOOLCHAIN_PROFILE_SCHEMA_INVALID"),
    ];
    for (text, more, code) in cases {
        place.write(INDEX, &text);
        let run = run_among(&place, &format!("toolchain validate --json{more}"));
        let report = run.expect(3, code);
        assert_eq!(report["result"]["tools"], json!([]), "{text}: no tool is asked");
        assert_eq!(report["result"]["profile"]["ok"], false, "{text}");
    }
    let report = run_among(&place, "toolchain validate --json").report();
    assert_eq!(report["result"]["profile"]["id_matches_index"], false);
    assert_eq!(report["result"]["profile"]["schema_valid"], true);
    run_among(&place, "toolchain validate --index no.json --json").expect(3, "X07WASM_TOOLCHAIN_INDEX_READ_FAILED");
    place.write(INDEX, listed(&[("a", "p/a.json")], Some("a")));
    run_among(&place, "toolchain validate --json").ok();
}

#[test]
fn the_hash_depends_on_the_content_and_not_on_its_order() {
    let place = Place::new();
    let run = |text: String| {
        place.write("t.json", text);
        let report = run_among(&place, "toolchain validate --profile t.json --json").report();
        assert_eq!(report["result"]["compatibility_hash"], hash(&report));
        report["result"]["compatibility_hash"].as_str().expect("text").to_owned()
    };
    let plain = profile(|_| {});
    let first = run(plain.to_string());
    // The same members in the opposite order, and other blanks.
    assert_eq!(run(reversed(&plain)), first);
    assert_eq!(run(String::from_utf8(canonical::pretty(&plain)).expect("text")), first);
    assert_eq!(run(profile(|p| p["notes"] = json!("other notes")).to_string()), first);
    let changes: [fn(&mut Value); 3] =
        [|p| p["v"] = json!(2), |p| p["id"] = json!("other"), |p| p["tools"]["wasmtime"]["constraint"] = json!("^48")];
    for change in changes {
        assert_ne!(run(profile(change).to_string()), first);
    }
}

/// JSON with the members of every object in descending order.
fn reversed(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            let inner: Vec<String> = names
                .into_iter()
                .rev()
                .map(|name| format!("{} : {}", Value::from(name.as_str()), reversed(&members[name])))
                .collect();
            format!("{{ {} }}", inner.join(" , "))
        }
        Value::Array(items) => format!("[ {} ]", items.iter().map(reversed).collect::<Vec<_>>().join(" , ")),
        other => other.to_string(),
    }
}

#[test]
fn people_get_one_line_for_each_tool() {
    let place = Place::new();
    let run = run_among(&place, "toolchain validate");
    assert_eq!((run.status, run.stdout.as_slice()), (0, &b""[..]), "{}", run.stderr);
    for id in TOOLS {
        assert!(run.stderr.lines().any(|l| l.starts_with(id) && l.contains("ok")), "{id}: {}", run.stderr);
    }
    place.write("t.json", profile(|p| p["tools"]["clang"]["required"] = json!(true)).to_string());
    let run = run_among(&place, "toolchain validate --profile t.json");
    assert_eq!(run.status, 2);
    assert!(run.stderr.lines().any(|l| l.starts_with("error[X07WASM_TOOLCHAIN_TOOL_SPAWN_FAILED]: clang")));
}

#[cfg(unix)]
mod with_programs {
    use super::super::{exists, stand_in, write_program};
    use super::*;
    use std::time::Duration;

    const LINES: [(&str, &str, &str, &str); 5] = [
        ("clang", "clang", "Debian clang version 19.1.7 (3)", "19.1.7"),
        ("wasm_ld", "wasm-ld", "LLD 19.1.7", "19.1.7"),
        ("wit_bindgen", "wit-bindgen", "wit-bindgen-cli 0.53.1", "0.53.1"),
        ("wac", "wac", "wac-cli 0.9.0", "0.9.0"),
        ("jco", "jco", "1.16.1", "1.16.1"),
    ];

    /// Asks one external tool, required, with these members of its entry changed.
    fn ask(place: &Place, change: impl FnOnce(&mut Value)) -> (i32, Value, Vec<String>) {
        let changed = profile(|p| {
            p["tools"]["clang"]["required"] = json!(true);
            change(&mut p["tools"]["clang"]);
        });
        place.write("t.json", changed.to_string());
        let run = run_among(place, "toolchain validate --profile t.json --json");
        let report = run.report();
        let of_clang = report["diagnostics"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|d| d["data"]["tool_id"] == "clang")
            .map(|d| d["code"].as_str().expect("a code").trim_start_matches("X07WASM_TOOLCHAIN_").to_owned())
            .collect();
        (run.status, tool(&report, "clang").clone(), of_clang)
    }

    #[test]
    fn tools_on_the_path_are_asked_for_their_versions() {
        let place = Place::new();
        for (_, name, line, _) in LINES {
            // The first argument is repeated, so that the test sees that it came.
            stand_in(&place, name, &format!("echo '{line}'; echo \"$#:$1\" >&2"));
        }
        // Null stands for the usual program, also where a library could do its work.
        let external = profile(|p| {
            for (id, constraint) in [("wit_bindgen", "=0.53.1"), ("wac", "=0.9.0")] {
                p["tools"][id]["cmd"] = Value::Null;
                p["tools"][id]["constraint"] = json!(constraint);
            }
        });
        place.write("t.json", external.to_string());
        let report = run_among(&place, "toolchain validate --profile t.json --json").ok();
        assert_eq!(report["meta"]["nondeterminism"]["uses_process"], true);
        for (id, name, line, version) in LINES {
            assert_eq!(
                *tool(&report, id),
                json!({
                    "tool_id": id, "ok": true, "cmd": name, "argv": ["--version"], "found_version": version,
                    "required_constraint": tool(&report, id)["required_constraint"],
                    "stdout": format!("{line}\n"), "stderr": "1:--version\n",
                })
            );
        }
        assert_eq!(report["result"]["compatibility_hash"], hash(&report));
        assert_eq!(with_code(&report, "X07WASM_TOOLCHAIN_TOOL_SPAWN_FAILED").len(), 0);
    }

    #[test]
    fn the_exit_status_of_a_tool_does_not_matter() {
        let place = Place::new();
        stand_in(&place, "clang", "echo clang version 19.1.7; exit 7");
        let (status, found, codes) = ask(&place, |_| {});
        assert_eq!((status, &found["found_version"], codes.len()), (0, &json!("19.1.7"), 0));
    }

    #[test]
    fn output_that_the_expression_does_not_match_exits_1() {
        let place = Place::new();
        stand_in(&place, "clang", "echo something else; echo and more >&2");
        let (status, found, codes) = ask(&place, |_| {});
        assert_eq!((status, codes), (1, vec!["VERSION_PARSE_FAILED".to_owned()]));
        assert_eq!((&found["stdout"], &found["stderr"]), (&json!("something else\n"), &json!("and more\n")));
        assert_eq!((&found["ok"], &found["found_version"]), (&json!(false), &Value::Null));
        let (status, _, codes) = ask(&place, |t| t["required"] = json!(false));
        assert_eq!((status, codes), (0, vec!["VERSION_PARSE_FAILED".to_owned()]));
        // A version must be a semantic version.
        for version in ["19.1", "19", "019.1.7", "v19.1.7", "99999999999999999999.0.0"] {
            stand_in(&place, "clang", &format!("echo clang version {version}"));
            let (status, _, codes) = ask(&place, |t| t["version"]["regex"] = json!("clang version (\\S+)"));
            assert_eq!((status, codes), (1, vec!["VERSION_PARSE_FAILED".to_owned()]), "{version}");
        }
    }

    #[test]
    fn the_stream_is_the_one_that_the_profile_names() {
        let place = Place::new();
        stand_in(&place, "clang", "echo clang version 1.0.0 >&2");
        let on = |source: &str| ask(&place, |t| t["version"]["source"] = json!(source));
        assert_eq!(on("stdout").0, 1);
        assert_eq!((on("stderr").0, on("stderr").1["found_version"].clone()), (0, json!("1.0.0")));
        assert_eq!(on("either").1["found_version"], "1.0.0");
        stand_in(&place, "clang", "echo clang version 2.0.0; echo clang version 1.0.0 >&2");
        assert_eq!(on("either").1["found_version"], "2.0.0", "standard output comes first");
    }

    #[test]
    fn constraints_are_those_of_cargo() {
        let place = Place::new();
        for (version, constraint, status) in [
            ("42.9.0", "42.0.1", 0),
            ("43.0.0", "42.0.1", 1),
            ("42.0.0", "42.0.1", 1),
            ("0.3.0", "0.2.9", 1),
            ("1.5.0", ">=1.2.0, <2.0.0", 0),
            ("2.0.0", ">=1.2.0,<2.0.0", 1),
            ("1.2.3", "=1.2.3", 0),
            ("1.2.4", "=1.2.3", 1),
            ("1.2.3-rc.1", ">=1.0.0", 1),
            ("1.2.3-rc.1", ">=1.2.3-rc.0", 0),
            ("7.8.9", "*", 0),
        ] {
            stand_in(&place, "clang", &format!("echo clang version {version}"));
            let (found, entry, codes) = ask(&place, |t| {
                t["constraint"] = json!(constraint);
                t["version"]["regex"] = json!("clang version (\\S+)");
            });
            assert_eq!(found, status, "{version} and {constraint}: {codes:?}");
            assert_eq!(entry["required_constraint"], constraint);
            assert_eq!(entry["found_version"], version);
        }
    }

    #[test]
    fn a_command_is_a_program_and_never_a_shell_line() {
        let place = Place::new();
        write_program(&place.path("own tools/my clang"), "echo clang version 3.0.0");
        let (status, found, _) = ask(&place, |t| t["cmd"] = json!("own tools/my clang"));
        assert_eq!((status, &found["found_version"]), (0, &json!("3.0.0")));
        for cmd in ["clang; touch made", "$(touch made)", "/bin/sh -c touch", "", "no/such/program"] {
            let (status, _, codes) = ask(&place, |t| t["cmd"] = json!(cmd));
            assert_eq!((status, codes), (2, vec!["TOOL_SPAWN_FAILED".to_owned()]), "{cmd:?}");
        }
        stand_in(&place, "clang", "for a; do echo \"[$a]\" >&2; done; echo clang version 3.0.0");
        let (_, found, _) = ask(&place, |t| t["version"]["argv"] = json!(["a b", "$(touch made)", "*"]));
        assert_eq!(found["stderr"], "[a b]\n[$(touch made)]\n[*]\n");
        assert!(!exists(&place.path("made")));
    }

    #[test]
    fn a_file_that_is_no_program_exits_2() {
        let place = Place::new();
        place.write("bin/clang", "not executable");
        let (status, _, codes) = ask(&place, |_| {});
        assert_eq!((status, codes), (2, vec!["TOOL_SPAWN_FAILED".to_owned()]));
        std::fs::create_dir(place.path("folder")).expect("made");
        let (status, _, codes) = ask(&place, |t| t["cmd"] = json!("./folder"));
        assert_eq!((status, codes), (2, vec!["TOOL_SPAWN_FAILED".to_owned()]));
    }

    #[test]
    fn long_and_odd_output_is_cut_and_made_readable() {
        let place = Place::new();
        let script = "echo clang version 4.0.0; printf '\\377\\000'; i=0; while [ $i -lt 2000 ]; do echo 0123456789; i=$((i+1)); done";
        stand_in(&place, "clang", script);
        let (status, found, codes) = ask(&place, |_| {});
        assert_eq!((status, codes.len(), &found["found_version"]), (0, 0, &json!("4.0.0")));
        let text = found["stdout"].as_str().expect("text");
        assert_eq!(text.chars().count(), 4096);
        assert!(text.starts_with("clang version 4.0.0\n\u{fffd}"), "{}", &text[..40]);
        // What is beyond the cut is not searched.
        stand_in(
            &place,
            "clang",
            "i=0; while [ $i -lt 500 ]; do echo 0123456789; i=$((i+1)); done; echo clang version 4.0.0",
        );
        assert_eq!(ask(&place, |_| {}).0, 1);
    }

    #[test]
    fn a_tool_that_does_not_answer_is_given_up() {
        let place = Place::new();
        stand_in(&place, "clang", "exec /bin/sleep 300");
        place.write("t.json", profile(|p| p["tools"]["clang"]["required"] = json!(true)).to_string());
        let run = run_among(&place, "toolchain validate --profile t.json --json");
        run.expect(2, "X07WASM_TOOLCHAIN_TOOL_SPAWN_FAILED");
        assert!(run.took < Duration::from_secs(60), "{:?}", run.took);
    }
}
