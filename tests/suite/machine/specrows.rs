//! The specification rows of the command line.

use crate::support::{Place, Run, root};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::process::Stdio;
use x07_wasm::contract::json::canonical;
use x07_wasm::contract::validate::violations;
use x07_wasm_contracts::cli::COMMANDS;
use x07_wasm_contracts::contract::ContractInfo;

/// Rows that callers of the commands rely on: scope, kind, long name, key.
const RELIED_ON: [(&str, &str, &str, &str); 40] = [
    ("root", "help", "--help", ""),
    ("root", "version", "--version", ""),
    ("root", "flag", "--cli-specrows", "cli.specrows"),
    ("root", "flag", "--json-schema", "schema.json"),
    ("root", "flag", "--json-schema-id", "schema.id"),
    ("root", "flag", "--quiet-json", "report.quiet-json"),
    ("root", "flag", "--report-json", "report.json-legacy"),
    ("root", "opt", "--json", "report.json"),
    ("root", "opt", "--report-out", "report.out"),
    ("build", "flag", "--no-manifest", "manifest.none"),
    ("build", "opt", "--artifact-out", "artifact.out"),
    ("build", "opt", "--check-exports", "exports.check"),
    ("build", "opt", "--codegen-backend", "codegen.backend"),
    ("build", "opt", "--emit-dir", "emit.dir"),
    ("build", "opt", "--index", "index"),
    ("build", "opt", "--out", "out"),
    ("build", "opt", "--profile", "profile.id"),
    ("build", "opt", "--profile-file", "profile.file"),
    ("build", "opt", "--project", "project"),
    ("cli-specrows-check", "flag", "--stdin", "stdin"),
    ("cli-specrows-check", "opt", "--expect-app-name", "expect.app.name"),
    ("cli-specrows-check", "opt", "--in", "in"),
    ("profile-validate", "opt", "--index", "index"),
    ("profile-validate", "opt", "--profile", "profile.id"),
    ("profile-validate", "opt", "--profile-file", "profile.file"),
    ("run", "opt", "--arena-cap-bytes", "arena.cap.bytes"),
    ("run", "opt", "--index", "index"),
    ("run", "opt", "--input", "input"),
    ("run", "opt", "--input-base64", "input.base64"),
    ("run", "opt", "--input-hex", "input.hex"),
    ("run", "opt", "--max-output-bytes", "output.max.bytes"),
    ("run", "opt", "--output-out", "output.out"),
    ("run", "opt", "--profile", "profile.id"),
    ("run", "opt", "--profile-file", "profile.file"),
    ("run", "opt", "--wasm", "wasm"),
    ("toolchain-validate", "opt", "--index", "index"),
    ("toolchain-validate", "opt", "--profile", "profile"),
    ("toolchain-validate", "opt", "--profile-id", "profile_id"),
    ("build", "about", "", ""),
    ("doctor", "about", "", ""),
];

/// Options that the rows must not forget, though other tools of this kind did.
const LIMITS: [&str; 4] = ["--max-fuel", "--max-memory-bytes", "--max-table-elements", "--max-wasm-stack-bytes"];

fn rows(place: &Place) -> Value {
    let run = place.run("--cli-specrows");
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    serde_json::from_slice(&run.stdout).expect("JSON")
}

/// Checks the rows of the tool after a change to the document, as a file.
fn checked(change: impl FnOnce(&mut Value)) -> Run {
    let place = Place::new();
    let mut document = rows(&place);
    change(&mut document);
    place.write("rows.json", document.to_string());
    place.run("cli specrows check --in rows.json --json")
}

/// Where a root row stands.
fn position(document: &Value, kind: &str, long: &str) -> usize {
    let list = document["rows"].as_array().expect("rows");
    list.iter().position(|r| r[0] == "root" && r[1] == kind && r[3] == long).expect("the row")
}

fn list(document: &mut Value) -> &mut Vec<Value> {
    document["rows"].as_array_mut().expect("rows")
}

#[test]
fn the_document_is_canonical_and_satisfies_its_contract() {
    let place = Place::new();
    let bytes = place.run("--cli-specrows").stdout;
    let document = rows(&place);
    assert!(bytes == canonical::compact(&document), "not canonical");
    let contract = ContractInfo::find("x07cli.specrows@0.1.0").expect("a contract");
    assert_eq!(violations(contract, &document), []);
    assert_eq!(document["app"]["name"], "x07-wasm");
    assert_eq!(document["app"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_rows_are_printed_whatever_command_stands_there() {
    let place = Place::new();
    let bytes = place.run("--cli-specrows").stdout;
    for line in
        ["run --cli-specrows", "--cli-specrows build", "profile validate --cli-specrows", "--json --cli-specrows"]
    {
        let run = place.run(line);
        assert_eq!(run.status, 0, "{line}: {}", run.stderr);
        assert!(run.stdout == bytes, "{line}");
    }
}

#[test]
fn the_rows_that_callers_rely_on_are_there() {
    let document = rows(&Place::new());
    let list = document["rows"].as_array().expect("rows");
    for (scope, kind, long, key) in RELIED_ON {
        let found = list.iter().find(|r| r[0] == scope && r[1] == kind && (long.is_empty() || r[3] == long));
        let row = found.unwrap_or_else(|| panic!("no row {scope} {kind} {long}"));
        assert!(key.is_empty() || row[4] == key, "{scope} {long}: the key is {}", row[4]);
    }
    for long in LIMITS {
        assert!(list.iter().any(|r| r[0] == "run" && r[3] == long), "run {long}");
    }
    for (long, kind) in [("--json", "STR"), ("--report-out", "PATH")] {
        let row = &list[position(&document, "opt", long)];
        assert_eq!((&row[5], &row[7]["global"]), (&json!(kind), &json!(true)), "{long}");
    }
    assert_eq!(list[position(&document, "flag", "--report-json")][6]["hidden"], true);
}

#[test]
fn every_command_has_one_about_row_with_its_call_and_report() {
    let document = rows(&Place::new());
    let list = document["rows"].as_array().expect("rows");
    for command in COMMANDS {
        let about: Vec<&Value> = list.iter().filter(|r| r[0] == command.scope && r[1] == "about").collect();
        assert_eq!(about.len(), 1, "{}", command.scope);
        let text = about[0][2].as_str().expect("text");
        assert!(text.contains(command.schema_version) && text.contains(&command.path.join(" ")), "{text}");
    }
    let scopes: Vec<&str> = list.iter().filter_map(|r| r[0].as_str()).filter(|s| *s != "root").collect();
    for scope in scopes {
        assert!(COMMANDS.iter().any(|c| c.scope == scope), "rows of an unknown command {scope}");
    }
    assert!(
        list.iter()
            .all(|r| r[0] == "root" || r.as_array().and_then(|r| r.last()).is_none_or(|m| m["global"].is_null())),
        "global options belong to root only"
    );
}

#[test]
fn the_tool_passes_its_own_check() {
    let place = Place::new();
    let document = rows(&place);
    for line in ["cli specrows check --json", "cli validate-specrows --json", "cli-specrows-check --json"] {
        let report = place.run(line).ok();
        assert_eq!(report["diagnostics"], json!([]), "{line}");
        let result = &report["result"];
        assert_eq!((&result["mode"], &result["input"]), (&json!("self_v1"), &Value::Null), "{line}");
        assert_eq!(result["rows_count"], document["rows"].as_array().map_or(0, Vec::len), "{line}");
        assert_eq!(result["schema_id"], "https://x07.org/spec/x07cli.specrows.schema.json");
        let mut scopes: Vec<Value> = Vec::new();
        for row in document["rows"].as_array().into_iter().flatten() {
            if !scopes.contains(&row[0]) {
                scopes.push(row[0].clone());
            }
        }
        assert_eq!(result["scopes"], Value::Array(scopes), "in the order of their first appearance");
        assert_eq!(
            result["invariants"],
            json!({
                "expect_app_name": "x07-wasm", "app_name": "x07-wasm", "app_version": env!("CARGO_PKG_VERSION"),
                "has_root_help": true, "has_root_version": true, "has_root_cli_specrows": true,
                "ordering_checked": true, "ordering_ok": true,
            })
        );
    }
    assert_eq!(place.run("cli specrows check").status, 0);
}

#[test]
fn rows_from_a_file_and_from_standard_input_are_checked_alike() {
    let place = Place::new();
    let path = place.write("rows.json", place.run("--cli-specrows").stdout);
    let from_file = place.run("cli specrows check --in rows.json --json").ok();
    assert_eq!(from_file["result"]["mode"], "file_v1");
    assert_eq!(from_file["result"]["input"]["path"], "rows.json");
    let run = place.run_with(&["cli", "specrows", "check", "--stdin", "--json"], |command| {
        command.stdin(Stdio::from(File::open(&path).expect("readable")));
    });
    let from_stdin = run.ok();
    assert_eq!(from_stdin["result"]["mode"], "stdin_v1");
    assert_eq!(from_stdin["result"]["input"]["sha256"], from_file["result"]["input"]["sha256"]);
    assert_eq!(from_stdin["result"]["invariants"], from_file["result"]["invariants"]);
    // Nothing on standard input is not JSON.
    let run = place.run("cli specrows check --stdin --json");
    run.expect(3, "X07WASM_SPECROWS_PARSE_FAILED");
}

#[cfg(unix)]
#[test]
fn standard_input_that_cannot_be_read_exits_2() {
    let place = Place::new();
    let folder = place.path("");
    let run = place.run_with(&["cli", "specrows", "check", "--stdin", "--json"], |command| {
        // Reading from an open folder fails.
        command.stdin(Stdio::from(File::open(&folder).expect("a folder")));
    });
    run.expect(2, "X07WASM_SPECROWS_STDIN_IO_FAILED");
}

#[test]
fn swapped_rows_fail() {
    let run = checked(|document| list(document).swap(3, 4));
    let report = run.expect(1, "X07WASM_SPECROWS_ORDERING_INVALID");
    let invariants = &report["result"]["invariants"];
    assert_eq!((&invariants["ordering_checked"], &invariants["ordering_ok"]), (&json!(true), &json!(false)));
    // Any two neighbours that are swapped are found.
    let count = rows(&Place::new())["rows"].as_array().map_or(0, Vec::len);
    for at in [0, 1, 2, 8, count / 2, count - 2] {
        checked(|document| list(document).swap(at, at + 1)).expect(1, "X07WASM_SPECROWS_ORDERING_INVALID");
    }
}

#[test]
fn a_long_option_that_is_listed_twice_fails() {
    let run = checked(|document| {
        let at = position(document, "opt", "--json");
        let row = document["rows"][at].clone();
        list(document).insert(at, row);
    });
    let report = run.expect(1, "X07WASM_SPECROWS_DUPLICATE_LONGOPT");
    assert_eq!(report["diagnostics"][0]["data"]["duplicates"], json!([["root", "--json"]]));
    // A flag and an option of one name as well, and all names are listed, sorted.
    let run = checked(|document| {
        let rows = list(document);
        rows.push(json!(["run", "flag", "", "--wasm", "wasm.flag", "text"]));
        rows.push(json!(["build", "flag", "", "--out", "out.flag", "text"]));
    });
    let report = run.report();
    assert_eq!(run.status, 1);
    let duplicates = report["diagnostics"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|d| d["code"] == "X07WASM_SPECROWS_DUPLICATE_LONGOPT")
        .map(|d| d["data"]["duplicates"].clone());
    assert_eq!(duplicates, Some(json!([["build", "--out"], ["run", "--wasm"]])));
}

#[test]
fn each_root_row_must_be_there() {
    for (kind, long, code, fact) in [
        ("help", "--help", "X07WASM_SPECROWS_MISSING_ROOT_HELP", "has_root_help"),
        ("version", "--version", "X07WASM_SPECROWS_MISSING_ROOT_VERSION", "has_root_version"),
        ("flag", "--cli-specrows", "X07WASM_SPECROWS_MISSING_ROOT_CLI_SPECROWS", "has_root_cli_specrows"),
    ] {
        let run = checked(|document| {
            let at = position(document, kind, long);
            list(document).remove(at);
        });
        let report = run.expect(1, code);
        assert_eq!(run.codes(), [code], "nothing else is wrong");
        assert_eq!(report["result"]["invariants"][fact], false, "{fact}");
    }
}

#[test]
fn rows_of_another_program_fail_unless_it_is_expected() {
    checked(|document| document["app"]["name"] = json!("other")).expect(1, "X07WASM_SPECROWS_APP_NAME_MISMATCH");
    let place = Place::new();
    let run = place.run("cli specrows check --expect-app-name other --json");
    let report = run.expect(1, "X07WASM_SPECROWS_APP_NAME_MISMATCH");
    assert_eq!(report["result"]["invariants"]["expect_app_name"], "other");
    let mut document = rows(&place);
    document["app"]["name"] = json!("other");
    place.write("rows.json", document.to_string());
    place.run("cli specrows check --in rows.json --expect-app-name other --json").ok();
}

#[test]
fn what_is_no_document_of_this_kind_exits_3() {
    let place = Place::new();
    for (text, code) in [
        ("", "X07WASM_SPECROWS_PARSE_FAILED"),
        ("rows", "X07WASM_SPECROWS_PARSE_FAILED"),
        ("{\"rows\":", "X07WASM_SPECROWS_PARSE_FAILED"),
        ("[]", "X07WASM_SCHEMA_INVALID"),
        ("{}", "X07WASM_SCHEMA_INVALID"),
    ] {
        place.write("rows.json", text);
        let report = place.run("cli specrows check --in rows.json --json").expect(3, code);
        let result = &report["result"];
        assert_eq!(result["schema_valid"], false, "{text:?}");
        assert_eq!(result["parsed_ok"], code == "X07WASM_SCHEMA_INVALID", "{text:?}");
        assert_eq!(result["invariants"]["ordering_checked"], false, "{text:?}: not looked at");
    }
    let changes: [fn(&mut Value); 6] = [
        |d| d["rows"] = json!([]),
        |d| d["app"]["name"] = json!("a b"),
        |d| d["extra"] = json!(1),
        |d| list(d).push(json!(["zz", "sort", "text"])),
        |d| list(d).push(json!(["ZZ", "about", "text"])),
        |d| list(d).push(json!(["zz", "opt", "", "--x", "x", "FLOAT", "text"])),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let run = checked(change);
        run.expect(3, "X07WASM_SCHEMA_INVALID");
        assert!(run.codes().iter().all(|c| c == "X07WASM_SCHEMA_INVALID"), "change {i}: {:?}", run.codes());
    }
}

#[test]
fn a_file_that_is_not_there_exits_3() {
    let place = Place::new();
    let report =
        place.run("cli specrows check --in no/rows.json --json").expect(3, "X07WASM_SPECROWS_INPUT_READ_FAILED");
    assert_eq!(report["result"]["input"]["bytes_len"], 0);
    assert_eq!(report["result"]["input"]["sha256"], "0".repeat(64));
    fs::create_dir(place.path("folder")).expect("made");
    let run = place.run("cli specrows check --in folder --json");
    run.expect(3, "X07WASM_SPECROWS_INPUT_READ_FAILED");
}

#[test]
fn the_committed_tables_are_the_source_of_the_rows() {
    let text = fs::read(root().join("schemas/commands.json")).expect("the tables");
    let tables: Value = serde_json::from_slice(&text).expect("JSON");
    let document = rows(&Place::new());
    let list = document["rows"].as_array().expect("rows");
    for command in tables["commands"].as_array().into_iter().flatten() {
        for option in command["options"].as_array().into_iter().flatten() {
            let long = format!("--{}", option["long"].as_str().expect("text"));
            let row = list.iter().find(|r| r[0] == command["scope"] && r[3] == long.as_str());
            let row = row.unwrap_or_else(|| panic!("no row for {} {long}", command["scope"]));
            let meta = row.as_array().and_then(|r| r.last()).filter(|m| m.is_object());
            for (member, absent) in [("default", Value::Null), ("required", Value::Null), ("enum", Value::Null)] {
                let said = meta.and_then(|m| m.get(member)).unwrap_or(&absent);
                let meant = option.get(member).unwrap_or(&absent);
                assert_eq!(said, meant, "{} {long} {member}", command["scope"]);
            }
        }
    }
}
