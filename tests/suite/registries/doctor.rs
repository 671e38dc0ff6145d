//! `doctor`.

use super::{run_among, with_code};
use crate::support::Place;
use serde_json::{Value, json};

#[test]
fn a_machine_without_tools_is_healthy() {
    let place = Place::new();
    let run = run_among(&place, "doctor --json");
    let report = run.ok();
    assert_eq!(report["meta"]["nondeterminism"]["uses_process"], false, "nothing was there to be started");
    assert_eq!(
        report["result"],
        json!({
            "x07": null, "clang": null, "wasm_ld": null, "jco": null,
            "wasmtime": "wasmtime 48.0.8 (linked)", "wasm_tools": "wasm-tools 0.258.0 (linked)",
            "wac": "wac 0.12.0 (linked)", "wit_bindgen": "wit-parser 0.258.0 (linked)",
        })
    );
    assert_eq!(report["meta"]["tool"]["wasmtime"], "wasmtime 48.0.8 (linked)");
    let warned: Vec<&str> = report["diagnostics"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|d| d["severity"] == "warning")
        .filter_map(|d| d["code"].as_str())
        .collect();
    assert_eq!(
        warned,
        [
            "X07WASM_TOOL_MISSING_X07",
            "X07WASM_TOOL_MISSING_CLANG",
            "X07WASM_TOOL_MISSING_WASM_LD",
            "X07WASM_TOOL_MISSING_JCO",
            "X07WASM_TOOL_MISSING_NODE",
            "X07WASM_TOOL_MISSING_DEVICE_HOST",
        ]
    );
    for diagnostic in report["diagnostics"].as_array().into_iter().flatten() {
        let code = diagnostic["code"].as_str().expect("a code");
        if code.starts_with("X07WASM_TOOL_MISSING_") {
            assert_eq!((&diagnostic["severity"], &diagnostic["stage"]), (&json!("warning"), &json!("run")), "{code}");
            let tool = diagnostic["data"]["tool"].as_str().expect("a tool");
            let purpose = diagnostic["data"]["purpose"].as_str().expect("a purpose");
            let message = diagnostic["message"].as_str().expect("a message");
            assert!(message.contains(tool) && message.contains(purpose) && message.contains("To get it, "), "{code}");
        } else {
            assert_eq!(diagnostic["severity"], "info", "{code}");
        }
    }
}

#[test]
fn a_broken_toolchain_registry_does_not_fail_it() {
    let place = Place::new();
    for text in ["{", "{}", "[]"] {
        place.write("arch/wasm/toolchain/index.x07wasm.toolchain.json", text);
        let report = run_among(&place, "doctor --json").ok();
        let found = with_code(&report, "X07WASM_TOOLCHAIN_INDEX_SCHEMA_INVALID");
        assert!(!found.is_empty() && found.iter().all(|d| d["severity"] == "info"), "{text}");
    }
}

#[test]
fn the_toolchain_profile_of_the_project_is_compared() {
    let place = Place::new();
    let mut profile = super::committed("arch/wasm/toolchain/profiles/toolchain_ci.json");
    profile["tools"]["wasmtime"]["constraint"] = json!("=42.0.0");
    place.write("t.json", profile.to_string());
    let index = json!({
        "schema_version": "x07.arch.wasm.toolchain.index@0.1.0",
        "profiles": [{"id": "toolchain_ci", "path": "t.json"}],
        "defaults": {"default_profile_id": "toolchain_ci"},
    });
    place.write("arch/wasm/toolchain/index.x07wasm.toolchain.json", index.to_string());
    let report = run_among(&place, "doctor --json").ok();
    let found = with_code(&report, "X07WASM_TOOLCHAIN_VERSION_CONSTRAINT_UNSATISFIED");
    assert_eq!((found.len(), &found[0]["severity"]), (1, &json!("info")));
    assert_eq!(found[0]["data"]["expected"], "=42.0.0");
    let inputs: Vec<&Value> = report["meta"]["inputs"].as_array().into_iter().flatten().map(|i| &i["path"]).collect();
    assert_eq!(inputs, [&json!("arch/wasm/toolchain/index.x07wasm.toolchain.json"), &json!("t.json")]);
}

/// How many lines are about a tool: a note begins with it, the message of a warning too.
fn lines_about(text: &str, tool: &str) -> usize {
    let about = |line: &str| {
        line.split_once("]: ").map_or(line, |(_, message)| message).split_whitespace().next() == Some(tool)
    };
    text.lines().filter(|line| about(line)).count()
}

#[test]
fn people_get_one_line_for_each_tool() {
    let place = Place::new();
    let run = run_among(&place, "doctor");
    assert_eq!((run.status, run.stdout.as_slice()), (0, &b""[..]));
    for tool in [
        "x07",
        "clang",
        "wasm-ld",
        "wasmtime",
        "wasm-tools",
        "wit-parser",
        "wac",
        "WASI",
        "jco",
        "node",
        "x07-device-host-desktop",
    ] {
        assert_eq!(lines_about(&run.stderr, tool), 1, "{tool}: {}", run.stderr);
    }
    assert_eq!(run.stderr.lines().count(), 11, "{}", run.stderr);
    assert!(run.stderr.contains("warning[X07WASM_TOOL_MISSING_CLANG]"), "{}", run.stderr);
}

#[cfg(unix)]
mod with_programs {
    use super::super::{stand_in, write_program};
    use super::*;

    #[test]
    fn the_first_line_of_each_tool_is_reported() {
        let place = Place::new();
        for (name, line) in [
            ("x07", "x07 0.1.102"),
            ("clang", "  Debian clang version 19.1.7 (3)  "),
            ("wasm-ld", "LLD 19.1.7"),
            ("jco", "1.16.1"),
            ("node", "v22.1.0"),
            ("x07-device-host-desktop", "host 1.0.0"),
            // Linked in: what is on the path does not count.
            ("wit-bindgen", "wit-bindgen-cli 0.53.1"),
            ("wac", "wac-cli 0.9.0"),
            ("wasmtime", "wasmtime 1.0.0"),
            ("wasm-tools", "wasm-tools 1.0.0"),
        ] {
            stand_in(&place, name, &format!("[ \"$1\" = --version ] && echo '{line}' && echo second line"));
        }
        let report = run_among(&place, "doctor --json").ok();
        assert_eq!(
            report["result"],
            json!({
                "x07": "x07 0.1.102", "clang": "Debian clang version 19.1.7 (3)", "wasm_ld": "LLD 19.1.7",
                "jco": "1.16.1",
                "wasmtime": "wasmtime 48.0.8 (linked)", "wasm_tools": "wasm-tools 0.258.0 (linked)",
                "wac": "wac 0.12.0 (linked)", "wit_bindgen": "wit-parser 0.258.0 (linked)",
            })
        );
        let meta = &report["meta"];
        assert_eq!(meta["nondeterminism"]["uses_process"], true);
        assert_eq!(meta["tool"]["clang"], "Debian clang version 19.1.7 (3)");
        assert_eq!(meta["tool"]["wasm_ld"], "LLD 19.1.7");
        // What has no place in the result is a diagnostic.
        let found: Vec<(&Value, &Value)> = with_code(&report, "X07WASM_TOOL_VERSION_INFO")
            .into_iter()
            .map(|d| (&d["data"]["tool"], &d["data"]["version"]))
            .collect();
        assert_eq!(
            found,
            [
                (&json!("wasi"), &json!("0.2.12")),
                (&json!("node"), &json!("v22.1.0")),
                (&json!("x07-device-host-desktop"), &json!("host 1.0.0"))
            ]
        );
        assert!(report["diagnostics"].as_array().into_iter().flatten().all(|d| d["severity"] == "info"), "{report:#}");
        let run = run_among(&place, "doctor");
        for (tool, text) in [("clang", "19.1.7 (3): for the C backend"), ("wasmtime", "48.0.8, built in")] {
            assert_eq!(lines_about(&run.stderr, tool), 1, "{tool}: {}", run.stderr);
            assert!(run.stderr.lines().any(|l| l.starts_with(tool) && l.contains(text)), "{tool}: {}", run.stderr);
        }
    }

    #[test]
    fn a_tool_that_fails_or_says_nothing_does_not_count() {
        let place = Place::new();
        stand_in(&place, "clang", "echo clang version 19.1.7; exit 1");
        stand_in(&place, "wasm-ld", "true");
        stand_in(&place, "x07", "kill -9 $$");
        let report = run_among(&place, "doctor --json").ok();
        for (tool, code) in [
            ("clang", "X07WASM_TOOL_MISSING_CLANG"),
            ("wasm_ld", "X07WASM_TOOL_MISSING_WASM_LD"),
            ("x07", "X07WASM_TOOL_MISSING_X07"),
        ] {
            assert_eq!(report["result"][tool], Value::Null, "{tool}");
            assert_eq!(with_code(&report, code).len(), 1, "{tool}");
        }
    }

    #[test]
    fn the_variable_names_the_desktop_host() {
        let place = Place::new();
        stand_in(&place, "x07-device-host-desktop", "echo from the path");
        write_program(&place.path("elsewhere/host"), "echo from the variable");
        let tools = place.path("bin");
        let host = place.path("elsewhere/host");
        let run = place.run_with(&["doctor", "--json"], |command| {
            command.env("PATH", tools).env("X07_DEVICE_HOST_DESKTOP", host);
        });
        let report = run.ok();
        let found = with_code(&report, "X07WASM_TOOL_VERSION_INFO");
        let versions: Vec<&Value> = found.iter().map(|d| &d["data"]["version"]).collect();
        assert_eq!(versions, [&json!("0.2.12"), &json!("from the variable")]);
        let run = place.run_with(&["doctor", "--json"], |command| {
            command.env("PATH", place.path("bin")).env("X07_DEVICE_HOST_DESKTOP", "no/such/program");
        });
        assert_eq!(with_code(&run.ok(), "X07WASM_TOOL_MISSING_DEVICE_HOST").len(), 1);
    }
}
