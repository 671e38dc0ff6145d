//! Packages that the tool carries: they stand in for folders that do not exist, under the same lock,
//! and their own tests pass.

use super::{manifest, module, paths};
use crate::support::{Place, copy_tree, root};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const BUILD: &str = "build --project app/x07.json --json";
const NAME: &str = "std-web-ui";
/// The version whose folder holds all modules.
const NEWEST: &str = "0.2.6";
const OLDER: &str = "0.1.9";

const LOCK: &str = "X07WASM_PROJECT_LOCK_INVALID";
const MISSING: &str = "X07WASM_PROJECT_DEPENDENCY_MISSING";

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The folder of a carried version.
fn carried(version: &str) -> PathBuf {
    root().join("packages").join(NAME).join(version)
}

/// The file of a module in a folder of modules.
fn file(id: &str) -> String {
    format!("modules/{}.x07.json", id.replace('.', "/"))
}

/// Where a dependency lies by convention.
fn folder(version: &str) -> String {
    format!(".x07/deps/{NAME}/{version}")
}

/// The modules that the manifest of a carried version lists.
fn modules(version: &str) -> Vec<String> {
    let text = fs::read_to_string(carried(version).join("x07-package.json")).expect("readable");
    let package: Value = serde_json::from_str(&text).expect("JSON");
    let list = package["modules"].as_array().expect("a list");
    list.iter().map(|id| id.as_str().expect("an id").to_owned()).collect()
}

/// The lock entry of a carried version, made from the files of this repository.
fn entry(version: &str) -> Value {
    let mut digests = json!({});
    for id in modules(version) {
        digests[&id] = json!(sha256(fs::read(carried(NEWEST).join(file(&id))).expect("readable")));
    }
    json!({
        "name": NAME, "version": version, "path": folder(version), "module_root": "modules", "modules_sha256": digests,
        "package_manifest_sha256": sha256(fs::read(carried(version).join("x07-package.json")).expect("readable")),
    })
}

/// Writes the lockfile of the project.
fn lock(place: &Place, entries: &[Value]) {
    place
        .write("app/x07.lock.json", json!({ "schema_version": "x07.lock@0.3.0", "dependencies": entries }).to_string());
}

/// Writes the entry of the project: it imports a module and evaluates an expression.
fn program(place: &Place, import: &str, solve: Value) {
    let entry = json!({
        "schema_version": "x07.x07ast@0.5.0", "kind": "entry", "module_id": "main", "imports": [import], "decls": [],
        "solve": solve,
    });
    place.write("app/src/main.x07.json", entry.to_string());
}

/// The project `app`, which makes a text node with a version of the package. There is no lockfile.
fn unlocked(version: &str) -> Place {
    let place = Place::new();
    manifest(&place, "app", json!({ "dependencies": [{ "name": NAME, "version": version, "path": folder(version) }] }));
    let key = json!(["bytes.view_lit", "\"t\""]);
    program(&place, "std.web_ui.vdom", json!(["std.web_ui.vdom.text_v1", key, key]));
    place
}

/// What that project prints.
const NODE: &[u8] = br#"{"k":"text","key":"t","text":"t"}"#;

/// The same, with the carried package locked.
fn locked(version: &str) -> Place {
    let place = unlocked(version);
    lock(&place, &[entry(version)]);
    place
}

/// The only diagnostic with this code.
#[track_caller]
fn only<'r>(report: &'r Value, code: &str) -> &'r Value {
    let found: Vec<&Value> =
        report["diagnostics"].as_array().expect("a list").iter().filter(|d| d["code"] == code).collect();
    assert_eq!(found.len(), 1, "{report:#}");
    found[0]
}

#[test]
fn a_carried_package_is_used_without_network_folder_or_tool() {
    let place = locked(NEWEST);
    let report = place
        .run_with(&["build", "--project", "app/x07.json", "--json"], |command| {
            command.env("PATH", "");
        })
        .ok();
    let inputs = paths(&report, "inputs");
    for name in ["x07-package.json", "modules/std/web_ui/vdom.x07.json"] {
        let name = format!("builtin:packages/{NAME}/{NEWEST}/{name}");
        assert_eq!(inputs.iter().filter(|i| **i == name).count(), 1, "{inputs:?}");
    }
    assert!(!inputs.iter().any(|i| Path::new(i).is_absolute()), "{inputs:?}");
    assert!(!inputs.iter().any(|i| i.contains("std/web_ui/patch")), "what is not imported is not read: {inputs:?}");
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], false);
    assert_eq!(report["meta"]["nondeterminism"]["uses_process"], false);
    assert!(!place.path("app/.x07").exists(), "a build does not unpack the package");
    assert_eq!(place.run("run --project app/x07.json --input-hex 00").stdout, NODE);
}

#[test]
fn the_digest_of_a_carried_file_is_in_the_report() {
    let report = locked(NEWEST).run(BUILD).ok();
    let name = format!("builtin:packages/{NAME}/{NEWEST}/modules/std/web_ui/vdom.x07.json");
    let input = report["meta"]["inputs"].as_array().expect("a list").iter().find(|i| i["path"] == name.as_str());
    let expected = entry(NEWEST)["modules_sha256"]["std.web_ui.vdom"].clone();
    assert_eq!(input.expect("there")["sha256"], expected);
}

#[test]
fn every_module_of_a_carried_package_can_be_imported() {
    let place = locked(NEWEST);
    let key = json!(["bytes.view_lit", "\"q\""]);
    program(
        &place,
        "std.web_ui.effects.device.clipboard",
        json!(["std.web_ui.effects.device.clipboard.copy_text_v1", key, ["bytes.view_lit", "{}"]]),
    );
    let run = place.run("run --project app/x07.json --input-hex 00");
    let expected = br#"{"v":1,"kind":"x07.web_ui.effect.device.clipboard.copy_text","request_id":"q","op":"clipboard.write_text","capability":"clipboard.write_text","payload":{}}"#;
    assert_eq!(run.stdout, expected, "{}", run.stderr);
}

#[test]
fn an_older_version_has_its_own_modules() {
    let place = locked(OLDER);
    assert_eq!(place.run("run --project app/x07.json --input-hex 00").stdout, NODE);
    let report = place.run(BUILD).ok();
    assert!(
        paths(&report, "inputs").contains(&format!("builtin:packages/{NAME}/{OLDER}/modules/std/web_ui/vdom.x07.json"))
    );
    let id = "std.web_ui.effects.device.audio";
    assert!(modules(NEWEST).iter().any(|m| m == id));
    program(&place, id, json!([format!("{id}.stop_v1"), "input", "input"]));
    let report = place.run(BUILD).expect(3, "X07C_MODULE_NOT_FOUND");
    let searched = format!("builtin:packages/{NAME}/{OLDER}/modules/std/web_ui/effects/device/audio.x07.json");
    assert!(only(&report, "X07C_MODULE_NOT_FOUND").to_string().contains(&searched), "{report:#}");
}

#[test]
fn check_and_test_use_it_as_builds_do() {
    let place = locked(NEWEST);
    let report = place.run("check --project app/x07.json --json").ok();
    let read = report["result"]["modules"].as_array().expect("a list");
    let path = format!("builtin:packages/{NAME}/{NEWEST}/modules/std/web_ui/vdom.x07.json");
    assert!(read.iter().any(|m| m["path"] == path.as_str() && m["sha256"].is_string()), "{report:#}");
    let fragment =
        json!(["std.web_ui.vdom.fragment_v1", ["bytes.view_lit", "\"f\""], ["std.web_ui.vdom.children0_v1"]]);
    let tests = json!({
        "schema_version": "x07.x07ast@0.5.0", "kind": "module", "module_id": "checks",
        "imports": ["std.test", "std.web_ui.vdom"],
        "decls": [
            { "kind": "export", "names": ["checks.fragment"] },
            { "kind": "defn", "name": "checks.fragment", "params": [], "result": "result_i32",
              "body": ["begin", ["let", "node", fragment], ["std.test.assert_true", ["bytes.len", "node"], 1]] },
        ],
    });
    place.write("app/tests/checks.x07.json", tests.to_string());
    let list = json!([{ "id": "fragment", "world": "solve-pure", "entry": "checks.fragment" }]);
    place.write(
        "app/tests/tests.json",
        json!({ "schema_version": "x07.tests_manifest@0.2.0", "tests": list }).to_string(),
    );
    let report = place.run("test --project app/x07.json --json").ok();
    let folder = format!("builtin:packages/{NAME}/{NEWEST}/modules");
    let roots = report["result"]["module_roots"].as_array().expect("a list");
    assert!(roots.iter().any(|r| *r == folder.as_str()), "{roots:?}");
}

#[test]
fn a_lock_entry_of_other_bytes_is_refused_with_the_entry_that_fits() {
    let zeros = "0".repeat(64);
    let mut without = entry(NEWEST)["modules_sha256"].clone();
    without.as_object_mut().expect("a map").remove("std.web_ui.patch");
    let mut more = entry(NEWEST)["modules_sha256"].clone();
    more["std.web_ui.more"] = json!(zeros);
    let mut changed = entry(NEWEST)["modules_sha256"].clone();
    changed["std.web_ui.vdom"] = json!(zeros);
    for (member, value, what) in [
        ("version", json!("0.2.4"), "version"),
        ("path", json!("elsewhere"), "path"),
        ("package_manifest_sha256", json!(zeros), "manifest digest"),
        ("module_root", json!("src"), "module root"),
        ("modules_sha256", without, "digest of the module std.web_ui.patch"),
        ("modules_sha256", more, "digest of the module std.web_ui.more"),
        ("modules_sha256", changed, "digest of the module std.web_ui.vdom"),
    ] {
        let place = unlocked(NEWEST);
        let mut other = entry(NEWEST);
        other[member] = value;
        lock(&place, &[other]);
        let report = place.run(BUILD).expect(3, LOCK);
        let problem = only(&report, LOCK);
        let data = &problem["data"];
        assert_eq!(data["differences"][0]["what"], what, "{problem:#}");
        assert_eq!(data["differences"].as_array().map(Vec::len), Some(1), "{problem:#}");
        assert_eq!((&data["package"], &data["version"]), (&json!(NAME), &json!(NEWEST)));
        let message = problem["message"].as_str().expect("a message");
        for part in
            [what, "carries", "app/x07.lock.json", "app/.x07/deps/std-web-ui/0.2.6", "x07 pkg lock", "lock_entry"]
        {
            assert!(message.contains(part), "{part:?} in {message}");
        }
        assert_eq!(data["lock_entry"], entry(NEWEST), "{problem:#}");
        lock(&place, &[data["lock_entry"].clone()]);
        place.run(BUILD).ok();
    }
}

#[test]
fn a_lockfile_that_lacks_a_carried_package_is_refused_with_its_entry() {
    let place = unlocked(NEWEST);
    let report = place.run(BUILD).expect(3, LOCK);
    let entries = &only(&report, LOCK)["data"]["lock_entries"];
    assert_eq!(*entries, json!([entry(NEWEST)]));
    lock(&place, &[entries[0].clone()]);
    place.run(BUILD).ok();
    lock(&place, &[]);
    let report = place.run(BUILD).expect(3, LOCK);
    let found = report["diagnostics"].as_array().expect("a list");
    assert!(found.iter().any(|d| d["data"]["lock_entry"] == entry(NEWEST)), "{report:#}");
}

#[test]
fn a_folder_on_disk_goes_before_the_carried_package() {
    let place = unlocked(NEWEST);
    let text = module("std.web_ui.vdom");
    let package = json!({ "schema_version": "x07.package@0.1.0", "name": NAME, "version": NEWEST, "module_root": "modules", "modules": ["std.web_ui.vdom"] }).to_string();
    place.write(&format!("app/{}/x07-package.json", folder(NEWEST)), &package);
    place.write(&format!("app/{}/{}", folder(NEWEST), file("std.web_ui.vdom")), &text);
    program(&place, "std.web_ui.vdom", json!(["std.web_ui.vdom.f", "input"]));
    let own = json!({
        "name": NAME, "version": NEWEST, "path": folder(NEWEST), "package_manifest_sha256": sha256(&package),
        "module_root": "modules", "modules_sha256": { "std.web_ui.vdom": sha256(&text) },
    });
    lock(&place, &[own]);
    let report = place.run(BUILD).ok();
    let inputs = paths(&report, "inputs");
    assert!(inputs.contains(&format!("app/{}/{}", folder(NEWEST), file("std.web_ui.vdom"))), "{inputs:?}");
    assert!(!inputs.iter().any(|i| i.starts_with("builtin:packages/")), "{inputs:?}");
    assert_eq!(place.run("run --project app/x07.json --input-hex 6869").stdout, b"hi");
    lock(&place, &[entry(NEWEST)]);
    place.run(BUILD).expect(3, LOCK);
}

#[test]
fn a_copy_of_the_carried_files_on_disk_has_the_same_digests() {
    let place = locked(NEWEST);
    let built = |report: Value| report["result"]["artifact"]["wasm"]["sha256"].clone();
    let before = built(place.run(BUILD).ok());
    copy_tree(&carried(NEWEST), &place.path(format!("app/{}", folder(NEWEST))));
    let report = place.run(BUILD).ok();
    let inputs = paths(&report, "inputs");
    assert!(!inputs.iter().any(|i| i.starts_with("builtin:packages/")), "{inputs:?}");
    assert_eq!(built(report), before);
}

#[test]
fn an_empty_folder_is_not_filled_up() {
    let place = locked(NEWEST);
    let folder = place.path(format!("app/{}", folder(NEWEST)));
    fs::create_dir_all(&folder).expect("made");
    let report = place.run(BUILD).expect(3, MISSING);
    let note = only(&report, MISSING)["notes"][0].as_str().expect("a note");
    assert!(note.contains("remove the folder"), "{note}");
    fs::remove_dir(&folder).expect("removed");
    place.run(BUILD).ok();
}

#[test]
fn a_version_that_is_neither_on_disk_nor_carried_is_named() {
    let place = unlocked("0.2.5");
    let mut other = entry(NEWEST);
    other["version"] = json!("0.2.5");
    other["path"] = json!(folder("0.2.5"));
    lock(&place, &[other]);
    let report = place.run(BUILD).expect(3, MISSING);
    let problem = only(&report, MISSING);
    let path = format!("app/{}", folder("0.2.5"));
    assert_eq!(problem["data"], json!({ "package": NAME, "version": "0.2.5", "path": path }));
    let note = problem["notes"][0].as_str().expect("a note");
    assert!(note.contains(OLDER) && note.contains(NEWEST), "{note}");
}

#[test]
fn the_path_and_a_patch_decide_as_for_any_package() {
    let place = unlocked("0.2.5");
    let mut at = entry(NEWEST);
    at["path"] = json!("vendor/ui");
    lock(&place, &[at]);
    manifest(
        &place,
        "app",
        json!({
            "dependencies": [{ "name": NAME, "version": "0.2.5", "path": folder("0.2.5") }],
            "patch": { NAME: { "version": NEWEST, "path": "vendor/ui" } },
        }),
    );
    place.run(BUILD).ok();
    assert_eq!(place.run("run --project app/x07.json --input-hex 00").stdout, NODE);
}

#[test]
fn a_module_of_the_project_and_of_a_carried_package_is_ambiguous() {
    let place = locked(NEWEST);
    place.write("app/src/std/web_ui/vdom.x07.json", module("std.web_ui.vdom"));
    let report = place.run(BUILD).expect(3, "X07C_MODULE_AMBIGUOUS");
    let text = only(&report, "X07C_MODULE_AMBIGUOUS").to_string();
    for path in
        ["app/src/std/web_ui/vdom.x07.json", "builtin:packages/std-web-ui/0.2.6/modules/std/web_ui/vdom.x07.json"]
    {
        assert!(text.contains(path), "{text}");
    }
}

/// The declarations of all modules in a folder and below.
fn declarations(folder: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(declarations(&path));
        } else if path.to_string_lossy().ends_with(".x07.json") {
            let module: Value = serde_json::from_str(&fs::read_to_string(&path).expect("readable")).expect("JSON");
            found.extend(module["decls"].as_array().expect("a list").iter().cloned());
        }
    }
    found
}

/// The names that these declarations export.
fn exported(declarations: &[Value]) -> BTreeSet<String> {
    let lists = declarations.iter().filter(|d| d["kind"] == "export");
    let names = lists.flat_map(|d| d["names"].as_array().expect("a list").iter());
    names.map(|n| n.as_str().expect("a name").to_owned()).collect()
}

/// Adds the heads of an expression.
fn heads(expression: &Value, found: &mut BTreeSet<String>) {
    let Some(list) = expression.as_array() else { return };
    if let Some(head) = list.first().and_then(Value::as_str) {
        found.insert(head.to_owned());
    }
    list.iter().for_each(|part| heads(part, found));
}

#[test]
fn every_function_of_the_package_is_described_and_called_by_its_tests() {
    let package = declarations(&carried(NEWEST).join("modules"));
    let functions = exported(&package);
    assert!(functions.len() > 90, "{}", functions.len());
    for function in package.iter().filter(|d| d["kind"] == "defn") {
        assert!(function["doc"].as_str().is_some_and(|doc| doc.ends_with('.')), "{}", function["name"]);
    }
    let mut called = BTreeSet::new();
    declarations(&carried(NEWEST).join("tests")).iter().for_each(|d| heads(&d["body"], &mut called));
    let forgotten: Vec<&String> = functions.difference(&called).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

#[test]
fn the_tests_of_the_package_pass() {
    let place = Place::new();
    copy_tree(&carried(NEWEST), &place.path("ui"));
    let list: Value = serde_json::from_slice(&place.read("ui/tests/tests.json")).expect("JSON");
    let tested: BTreeSet<String> = list["tests"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|t| t["entry"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(tested, exported(&declarations(&carried(NEWEST).join("tests"))), "a test is not in the list");
    let report = place
        .run(
            "test --manifest ui/tests/tests.json --module-root ui/modules --module-root ui/tests --no-fail-fast --json",
        )
        .ok();
    assert_eq!(report["result"]["summary"]["as_expected"], json!(tested.len()), "{report:#}");
}
