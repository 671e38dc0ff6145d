//! The schemas that the tool prints.

use crate::support::{Place, check_report, root};
use serde_json::{Value, json};
use std::fs;
use x07_wasm_contracts::cli::COMMANDS;
use x07_wasm_contracts::contract::ContractInfo;
use x07_wasm_contracts::registry::CONTRACTS;

/// Every way to call a command, and the version of its report. None has its mandatory options.
const VERSIONS: [(&str, &str); 17] = [
    ("build", "x07.wasm.build.report@0.2.0"),
    ("run", "x07.wasm.run.report@0.1.0"),
    ("doctor", "x07.wasm.doctor.report@0.1.0"),
    ("profile validate", "x07.wasm.profile.validate.report@0.1.0"),
    ("profile-validate", "x07.wasm.profile.validate.report@0.1.0"),
    ("toolchain validate", "x07.wasm.toolchain.validate.report@0.1.0"),
    ("toolchain-validate", "x07.wasm.toolchain.validate.report@0.1.0"),
    ("cli specrows check", "x07.wasm.cli.specrows.check.report@0.1.0"),
    ("cli validate-specrows", "x07.wasm.cli.specrows.check.report@0.1.0"),
    ("cli-specrows-check", "x07.wasm.cli.specrows.check.report@0.1.0"),
    ("schema list", "x07.wasm.schema.list.report@0.1.0"),
    ("schema show", "x07.wasm.schema.show.report@0.1.0"),
    ("explain", "x07.wasm.explain.report@0.1.0"),
    ("completions", "x07.wasm.completions.report@0.1.0"),
    // No command means doctor.
    ("", "x07.wasm.doctor.report@0.1.0"),
    // Whatever else stands there.
    ("run --wasm", "x07.wasm.run.report@0.1.0"),
    ("build --out x --profile y", "x07.wasm.build.report@0.2.0"),
];

#[test]
fn the_schema_flags_answer_from_the_command_alone() {
    let place = Place::new();
    for (words, version) in VERSIONS {
        let file = ContractInfo::find(version).expect("a contract").file;
        let text = fs::read(root().join("schemas").join(file)).expect("the schema file");
        for line in [format!("{words} --json-schema-id"), format!("--json-schema-id {words}")] {
            let run = place.run(&line);
            assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{line}");
            assert_eq!(String::from_utf8_lossy(&run.stdout), format!("{version}\n"), "{line}");
        }
        for line in [format!("{words} --json-schema"), format!("--json-schema {words}")] {
            let run = place.run(&line);
            assert_eq!(run.status, 0, "{line}: {}", run.stderr);
            assert!(run.stdout == text, "{line} is not schemas/{file} byte for byte");
        }
    }
}

#[test]
fn every_command_answers_the_schema_flags_under_all_its_names() {
    let place = Place::new();
    for command in COMMANDS {
        for words in std::iter::once(&command.path).chain(command.aliases) {
            let run = place.run(&format!("{} --json-schema-id", words.join(" ")));
            let printed = String::from_utf8_lossy(&run.stdout).into_owned();
            assert_eq!((run.status, printed), (0, format!("{}\n", command.schema_version)), "{words:?}");
        }
    }
}

#[test]
fn the_schema_itself_wins_over_its_version() {
    let place = Place::new();
    let schema = place.run("doctor --json-schema").stdout;
    for line in ["doctor --json-schema --json-schema-id", "doctor --json-schema-id --json-schema"] {
        assert!(place.run(line).stdout == schema, "{line}");
    }
}

#[test]
fn the_schema_flags_heed_the_report_file() {
    let place = Place::new();
    let schema = place.run("run --json-schema").stdout;
    let run = place.run("run --json-schema --report-out a/schema.json");
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stdout == schema && place.read("a/schema.json") == schema);
    let run = place.run("run --json-schema-id --quiet-json --report-out id.txt");
    assert_eq!((run.status, run.stdout.as_slice()), (0, &b""[..]), "{}", run.stderr);
    assert_eq!(place.read("id.txt"), b"x07.wasm.run.report@0.1.0\n");
    fs::create_dir(place.path("folder")).expect("made");
    let run = place.run("run --json-schema-id --report-out folder");
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("folder"), "{}", run.stderr);
}

#[test]
fn a_schema_beside_a_report_is_an_argument_failure() {
    let place = Place::new();
    for line in
        ["run --json --json-schema", "--json=pretty doctor --json-schema-id", "doctor --report-json --json-schema"]
    {
        let run = place.run(line);
        assert_eq!(run.status, 3, "{line}");
        let report = check_report(&run.stdout);
        assert_eq!(report["result"], json!({"stage": "machine_args"}), "{line}");
        assert!(!run.stderr.is_empty(), "{line}");
    }
}

#[test]
fn the_schema_of_no_command_is_refused() {
    let place = Place::new();
    for line in ["nosuch --json-schema", "profile --json-schema-id", "profile nosuch --json-schema"] {
        let run = place.run(line);
        assert_eq!((run.status, run.stdout.as_slice()), (3, &b""[..]), "{line}");
        assert!(!run.stderr.is_empty(), "{line}");
    }
}

#[test]
fn the_list_has_every_schema_with_its_digest() {
    let place = Place::new();
    let report = place.run("schema list --json").ok();
    let listed = report["result"]["schemas"].as_array().expect("a list");
    let index: Value =
        serde_json::from_slice(&fs::read(root().join("schemas/index.json")).expect("the index")).expect("JSON");
    let pairs =
        |list: &[Value]| -> Vec<(Value, Value)> { list.iter().map(|s| (s["id"].clone(), s["path"].clone())).collect() };
    assert_eq!(pairs(listed), pairs(index["schemas"].as_array().expect("a list")));
    for schema in listed {
        let path = schema["path"].as_str().expect("text");
        let bytes = fs::read(root().join("schemas").join(path)).expect("the schema file");
        assert_eq!(schema["sha256"], x07_wasm::contract::digest::sha256_hex(&bytes), "{path}");
    }
    let text = place.run("schema list");
    assert_eq!(text.status, 0);
    let lines: Vec<String> = String::from_utf8(text.stdout).expect("text").lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), listed.len());
    for (line, schema) in lines.iter().zip(listed) {
        assert!(line.contains(schema["path"].as_str().expect("text")), "{line}");
    }
}

#[test]
fn a_schema_is_shown_under_each_of_its_names() {
    let place = Place::new();
    for contract in &CONTRACTS {
        let run = place.run_args(&["schema", "show", contract.id]);
        assert_eq!(run.status, 0, "{}: {}", contract.id, run.stderr);
        let file = fs::read(root().join("schemas").join(contract.file)).expect("the schema file");
        assert!(run.stdout == file, "{} is not the file byte for byte", contract.file);
    }
    let contract = ContractInfo::find("x07.wasm.profile@0.3.0").expect("a contract");
    for name in [contract.id, contract.file, "x07-wasm.profile", "x07.wasm.profile@0.3.0"] {
        let report = place.run_args(&["schema", "show", name, "--json"]).ok();
        let result = &report["result"];
        assert_eq!((&result["id"], &result["path"]), (&json!(contract.id), &json!(contract.file)), "{name}");
        assert_eq!(result["schema_version"], "x07.wasm.profile@0.3.0", "{name}");
        assert_eq!(result["bytes_len"], contract.text.len(), "{name}");
        assert_eq!(result["schema"]["$id"], contract.id, "{name}");
    }
}

#[test]
fn an_unknown_schema_is_refused_with_a_suggestion() {
    let place = Place::new();
    let report = place.run("schema show x07.wasm.profile@0.2.0 --json").expect(3, "X07WASM_SCHEMA_UNKNOWN");
    let message = report["diagnostics"][0]["message"].as_str().expect("a message");
    assert!(message.contains("x07.wasm.profile@0.3.0"), "{message}");
    let long = "x".repeat(100_000);
    place.run_args(&["schema", "show", &long, "--json"]).expect(3, "X07WASM_SCHEMA_UNKNOWN");
}
