//! What a failed run leaves behind so that it can be looked at and repeated.

use super::{diagnostic, echo};
use crate::support::{Place, check_report};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;
use x07_wasm::contract::ContractInfo;
use x07_wasm::contract::validate::violations;

const FAIL: &str = "run --wasm echo.wasm --input-hex 6869 --max-output-bytes 1 --json";
const CODE: &str = "X07WASM_BUDGET_EXCEEDED_OUTPUT";

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The id that a run must have: made of the digests of module and input.
fn run_id(wasm_sha256: &str, input: &[u8]) -> String {
    sha256(format!("{wasm_sha256}:{}", sha256(input)).as_bytes())[..32].to_owned()
}

/// The folders of all incidents below `root`, as date and id.
fn incidents(place: &Place, root: &str) -> Vec<(String, String)> {
    let names = |folder: PathBuf| -> Vec<String> {
        let list = fs::read_dir(folder).expect("a folder");
        list.map(|e| e.expect("readable").file_name().into_string().expect("UTF-8")).collect()
    };
    let mut found = Vec::new();
    for date in names(place.path(root)) {
        for id in names(place.path(root).join(&date)) {
            found.push((date.clone(), id));
        }
    }
    found
}

/// The folder of the only incident below `root`, relative to the place.
#[track_caller]
fn only(place: &Place, root: &str) -> String {
    let found = incidents(place, root);
    assert_eq!(found.len(), 1, "{found:?}");
    format!("{root}/{}/{}", found[0].0, found[0].1)
}

/// Reads a document and checks it against its contract.
#[track_caller]
fn document(place: &Place, path: &str) -> Value {
    let value: Value = serde_json::from_slice(&place.read(path)).expect("JSON");
    let version = value["schema_version"].as_str().expect("a version");
    let contract = ContractInfo::find(version).expect("known");
    assert_eq!(violations(contract, &value), [], "{value:#}");
    value
}

#[test]
fn the_folder_is_named_by_date_and_inputs() {
    let place = echo();
    place.run(FAIL).expect(4, CODE);
    let found = incidents(&place, ".x07-wasm/incidents");
    assert_eq!(found.len(), 1, "{found:?}");
    let (date, id) = &found[0];
    let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00", "{date}");
    assert_eq!(*id, run_id(&sha256(&place.read("echo.wasm")), b"hi"));
}

#[test]
fn the_bundle_holds_input_report_manifest_and_messages() {
    let place = echo();
    let run = place.run(FAIL);
    let report = run.expect(4, CODE);
    let folder = only(&place, ".x07-wasm/incidents");
    assert_eq!(place.read(format!("{folder}/input.bin")), b"hi");
    let kept = place.read(format!("{folder}/run.report.json"));
    assert_eq!(check_report(&kept), report, "the report on standard output is the one in the bundle");
    assert_eq!(kept, run.stdout, "byte for byte");
    let messages = String::from_utf8(place.read(format!("{folder}/stderr.txt"))).expect("UTF-8");
    assert!(messages.contains(diagnostic(&report, CODE)["message"].as_str().expect("a message")), "{messages}");
    let mut names: Vec<String> = fs::read_dir(place.path(&folder))
        .expect("readable")
        .map(|e| e.expect("readable").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(names, ["input.bin", "run.report.json", "stderr.txt", "wasm.manifest.json"]);
    assert_eq!(report["meta"]["nondeterminism"]["uses_os_time"], true, "the folder carries the date");
}

#[test]
fn without_a_manifest_one_is_made_that_follows_its_contract() {
    let place = echo();
    place.run(FAIL).expect(4, CODE);
    let manifest = document(&place, &format!("{}/wasm.manifest.json", only(&place, ".x07-wasm/incidents")));
    assert_eq!(manifest["schema_version"], "x07.wasm.incident.manifest@0.1.0");
    assert_eq!(manifest["profile"], json!({ "id": "wasm_release", "v": 1 }));
    let wasm = place.read("echo.wasm");
    assert_eq!(manifest["wasm"], json!({ "path": "echo.wasm", "sha256": sha256(&wasm), "bytes_len": wasm.len() }));
    assert_eq!(manifest["artifact_manifest"]["path"], "echo.wasm.manifest.json");
    assert_eq!(manifest["artifact_manifest"]["present"], false);
    assert_eq!(manifest["exports"], json!(["__data_end", "__heap_base", "memory", "x07_solve_v2"]));
    assert_eq!(
        manifest["memory"],
        json!({ "initial_bytes": 134_217_728, "max_bytes": 134_217_728, "growable": false })
    );
}

#[test]
fn the_manifest_beside_the_module_is_copied() {
    let place = echo();
    place.run("build --project app/x07.json --out echo.wasm --json").ok();
    let manifest = place.read("echo.wasm.manifest.json");
    place.run(FAIL).expect(4, CODE);
    let copy = format!("{}/wasm.manifest.json", only(&place, ".x07-wasm/incidents"));
    assert_eq!(place.read(&copy), manifest);
    // A last line without its end gets one; whatever it says, it is kept.
    place.write("echo.wasm.manifest.json", "whatever it is");
    place.run(FAIL).expect(4, CODE);
    assert_eq!(place.read(&copy), b"whatever it is\n");
}

#[test]
fn the_same_failure_meets_the_same_folder_and_another_input_another() {
    let place = echo();
    for _ in 0..2 {
        place.run(&format!("{FAIL} --incidents-dir inc")).expect(4, CODE);
    }
    // Around midnight the date may change.
    let ids = |place: &Place| -> Vec<String> {
        let mut ids: Vec<String> = incidents(place, "inc").into_iter().map(|(_, id)| id).collect();
        ids.sort();
        ids.dedup();
        ids
    };
    assert_eq!(ids(&place).len(), 1);
    let other = "run --wasm echo.wasm --input-hex 68696a --max-output-bytes 1 --json --incidents-dir inc";
    place.run(other).expect(4, CODE);
    assert_eq!(ids(&place).len(), 2);
    assert!(!place.path(".x07-wasm").exists(), "the default folder is not used");
}

#[test]
fn the_report_is_kept_although_nobody_asked_for_it() {
    let place = echo();
    let run = place.run("run --wasm echo.wasm --input-hex 6869 --max-output-bytes 1");
    assert_eq!(run.status, 4);
    let folder = only(&place, ".x07-wasm/incidents");
    let report = check_report(&place.read(format!("{folder}/run.report.json")));
    assert_eq!(report["exit_code"], 4);
}

#[test]
fn a_module_that_could_not_be_read_counts_as_zeros() {
    let place = Place::new();
    place.run("run --wasm none.wasm --input-hex 6869 --json --incidents-dir inc").expect(3, "X07WASM_WASM_READ_FAILED");
    let found = incidents(&place, "inc");
    assert_eq!(found[0].1, run_id(&"0".repeat(64), b"hi"));
    let manifest = document(&place, &format!("{}/wasm.manifest.json", only(&place, "inc")));
    assert!(manifest["wasm_read_error"].is_string(), "{manifest:#}");
    assert_eq!(manifest["wasm"]["sha256"], "0".repeat(64));
}

#[test]
fn a_module_that_could_not_be_inspected_is_described_as_far_as_possible() {
    let place = Place::new();
    place.write("bad.wasm", b"no module");
    place
        .run("run --wasm bad.wasm --input-hex 6869 --json --incidents-dir inc")
        .expect(1, "X07WASM_WASM_INSPECT_FAILED");
    let found = incidents(&place, "inc");
    assert_eq!(found[0].1, run_id(&sha256(b"no module"), b"hi"));
    let manifest = document(&place, &format!("{}/wasm.manifest.json", only(&place, "inc")));
    assert!(manifest["inspect_error"].is_string(), "{manifest:#}");
}

#[test]
fn a_trap_is_the_first_line_of_the_messages() {
    let place = Place::new();
    place.project("app", &json!(["view.to_bytes", ["view.slice", "input", 5, 5]]));
    let report = place
        .run("run --project app/x07.json --input-hex 00 --json --incidents-dir inc")
        .expect(1, "X07WASM_RUN_FAILED");
    let folder = only(&place, "inc");
    let messages = String::from_utf8(place.read(format!("{folder}/stderr.txt"))).expect("UTF-8");
    assert_eq!(messages.lines().next(), report["result"]["trap"].as_str());
    let wasm = report["result"]["wasm"]["sha256"].as_str().expect("a digest");
    assert!(folder.ends_with(&run_id(wasm, b"\0")), "{folder}");
    document(&place, &format!("{folder}/wasm.manifest.json"));
}

#[test]
fn a_bundle_that_cannot_be_written_is_a_warning_and_changes_nothing_else() {
    let place = echo();
    place.write("file", "x");
    let report = place.run(&format!("{FAIL} --incidents-dir file")).expect(4, CODE);
    assert_eq!(diagnostic(&report, "X07WASM_INCIDENT_BUNDLE_WRITE_FAILED")["severity"], "warning");
    assert_eq!(place.read("file"), b"x");
    let run = place.run("run --wasm echo.wasm --input-hex 6869 --max-output-bytes 1 --incidents-dir file");
    assert_eq!(run.status, 4);
    assert!(run.stderr.contains("warning[X07WASM_INCIDENT_BUNDLE_WRITE_FAILED]"), "{}", run.stderr);
}

#[test]
fn no_bundle_is_written_without_a_failure_or_without_an_input() {
    let place = echo();
    place.run("run --wasm echo.wasm --input-hex 6869 --json --incidents-dir inc").ok();
    for args in ["", "--input-hex zz", "--input none", "--input-hex 00 --profile none"] {
        assert_eq!(place.run(&format!("run --wasm echo.wasm {args} --json --incidents-dir inc")).status, 3);
    }
    assert!(!place.path("inc").exists());
}

#[test]
fn a_bundle_repeats_the_failure() {
    let place = echo();
    place.run(FAIL).expect(4, CODE);
    let folder = only(&place, ".x07-wasm/incidents");
    let kept = check_report(&place.read(format!("{folder}/run.report.json")));
    assert!(kept["meta"]["argv"].as_array().is_some_and(|a| a.contains(&json!("--max-output-bytes"))));
    let again =
        format!("run --wasm echo.wasm --input {folder}/input.bin --max-output-bytes 1 --json --incidents-dir again");
    let report = place.run(&again).expect(4, CODE);
    assert_eq!(report["result"]["wasm"]["sha256"], kept["result"]["wasm"]["sha256"]);
    assert_eq!(incidents(&place, "again")[0].1, incidents(&place, ".x07-wasm/incidents")[0].1);
}
