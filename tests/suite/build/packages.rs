//! Lockfile and vendored packages: what is pinned is what is used, and any difference is refused.

use super::{importing, manifest, module, paths};
use crate::support::Place;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const BUILD: &str = "build --project app/x07.json --json";
const FOLDER: &str = ".x07/deps/lib/1.0.0";

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// A project `app` that depends on the package `lib`, and everything that can be wrong about it.
struct Fixture {
    /// The dependency in the manifest.
    dependency: Value,
    /// The members `patch` and `lockfile` and the like of the manifest.
    members: Value,
    /// The bytes of `x07-package.json`; `None`: no such file.
    package: Option<String>,
    /// The bytes of the module `lib.m`; `None`: no such file.
    module: Option<String>,
    /// The lockfile; `None`: no such file.
    lock: Option<Value>,
}

impl Fixture {
    /// Everything is as it should be.
    fn good() -> Self {
        let package = json!({ "schema_version": "x07.package@0.1.0", "name": "lib", "version": "1.0.0", "module_root": "modules", "modules": ["lib.m"] }).to_string();
        let module = module("lib.m");
        let lock = json!({ "schema_version": "x07.lock@0.3.0", "dependencies": [{
            "name": "lib", "version": "1.0.0", "path": FOLDER, "package_manifest_sha256": sha256(&package),
            "module_root": "modules", "modules_sha256": { "lib.m": sha256(&module) },
        }] });
        Self {
            dependency: json!({ "name": "lib", "version": "1.0.0", "path": FOLDER }),
            members: json!({}),
            package: Some(package),
            module: Some(module),
            lock: Some(lock),
        }
    }

    /// A fixture whose lock entry has another value at `pointer`.
    fn locking(pointer: &str, value: Value) -> Self {
        let mut fixture = Self::good();
        let lock = fixture.lock.as_mut().expect("a lockfile");
        *lock.pointer_mut(&format!("/dependencies/0{pointer}")).expect("a member of the entry") = value;
        fixture
    }

    /// A fixture with another package manifest, whose digest is locked.
    fn packaging(changed: impl FnOnce(&mut Value)) -> Self {
        let mut fixture = Self::good();
        let mut package: Value = serde_json::from_str(fixture.package.as_deref().expect("a manifest")).expect("JSON");
        changed(&mut package);
        let text = package.to_string();
        let lock = fixture.lock.as_mut().expect("a lockfile");
        lock["dependencies"][0]["package_manifest_sha256"] = json!(sha256(&text));
        fixture.package = Some(text);
        fixture
    }

    /// Writes it all.
    fn place(&self) -> Place {
        let place = Place::new();
        importing(&place, "app", "lib.m");
        let mut members = self.members.clone();
        members["dependencies"] = json!([self.dependency]);
        manifest(&place, "app", members);
        if let Some(package) = &self.package {
            place.write(&format!("app/{FOLDER}/x07-package.json"), package);
        }
        if let Some(module) = &self.module {
            place.write(&format!("app/{FOLDER}/modules/lib/m.x07.json"), module);
        }
        if let Some(lock) = &self.lock {
            place.write("app/x07.lock.json", lock.to_string());
        }
        place
    }

    /// Asserts that it is refused with this code.
    #[track_caller]
    fn refused(&self, code: &str) -> Value {
        self.place().run(BUILD).expect(3, code)
    }
}

const LOCK: &str = "X07WASM_PROJECT_LOCK_INVALID";
const MISSING: &str = "X07WASM_PROJECT_DEPENDENCY_MISSING";

#[test]
fn a_locked_package_is_used_and_read_without_any_tool() {
    let place = Fixture::good().place();
    let run = place.run_with(&["build", "--project", "app/x07.json", "--json"], |command| {
        command.env("PATH", "");
    });
    let report = run.ok();
    assert!(paths(&report, "inputs").contains(&format!("app/{FOLDER}/modules/lib/m.x07.json")), "{report:#}");
    assert_eq!(report["meta"]["nondeterminism"]["uses_process"], false);
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], false);
    let run = place.run("run --project app/x07.json --input-hex 6869");
    assert_eq!(run.stdout, b"hi");
}

#[test]
fn a_project_with_dependencies_needs_a_lockfile() {
    let mut fixture = Fixture::good();
    fixture.lock = None;
    let report = fixture.refused(LOCK);
    assert!(report["diagnostics"].to_string().contains("app/x07.lock.json"));
}

#[test]
fn a_project_without_dependencies_needs_none() {
    let place = super::app();
    assert!(!place.path("app/x07.lock.json").exists());
    place.run(BUILD).ok();
}

#[test]
fn a_lockfile_of_a_project_without_dependencies_is_still_checked() {
    let place = super::app();
    place.write("app/x07.lock.json", "{");
    place.run(BUILD).expect(3, LOCK);
    let lock = Fixture::good().lock.expect("a lockfile");
    place.write("app/x07.lock.json", lock.to_string());
    place.run(BUILD).expect(3, LOCK);
}

#[test]
fn the_lockfile_may_have_another_name() {
    let mut fixture = Fixture::good();
    fixture.members = json!({ "lockfile": "locks/own.json" });
    let place = fixture.place();
    std::fs::create_dir(place.path("app/locks")).expect("made");
    std::fs::rename(place.path("app/x07.lock.json"), place.path("app/locks/own.json")).expect("moved");
    let report = place.run(BUILD).ok();
    assert!(paths(&report, "inputs").contains(&"app/locks/own.json".to_owned()));
}

#[test]
fn every_version_of_the_lockfile_is_read() {
    for version in ["x07.lock@0.2.0", "x07.lock@0.3.0"] {
        let mut fixture = Fixture::good();
        fixture.lock.as_mut().expect("a lockfile")["schema_version"] = json!(version);
        fixture.place().run(BUILD).ok();
    }
    let mut fixture = Fixture::good();
    let lock = fixture.lock.as_mut().expect("a lockfile");
    lock["schema_version"] = json!("x07.lock@0.4.0");
    fixture.refused(LOCK);
    let lock = fixture.lock.as_mut().expect("a lockfile");
    lock["toolchain"] =
        json!({ "x07_version": "0.2.12", "x07c_version": "0.2.12", "lang_id": "x07-core@0.2.0", "compat": "current" });
    lock["registry"] = json!({ "index_url": "https://example.com/index" });
    fixture.place().run(BUILD).ok();
    fixture.lock.as_mut().expect("a lockfile")["schema_version"] = json!("x07.lock@0.1.0");
    fixture.refused(LOCK);
}

#[test]
fn the_order_of_the_lockfile_has_no_meaning() {
    let mut fixture = Fixture::good();
    let text = json!({ "schema_version": "x07.package@0.1.0", "name": "aid", "version": "2.0.0", "module_root": ".", "modules": [] }).to_string();
    let mut lock = fixture.lock.take().expect("a lockfile");
    let second = json!({ "name": "aid", "version": "2.0.0", "path": "aid", "package_manifest_sha256": sha256(&text), "module_root": ".", "modules_sha256": {} });
    let first = lock["dependencies"][0].clone();
    for order in [json!([first, second]), json!([second, first])] {
        lock["dependencies"] = order;
        fixture.lock = Some(lock.clone());
        let place = fixture.place();
        manifest(
            &place,
            "app",
            json!({ "dependencies": [fixture.dependency, { "name": "aid", "version": "2.0.0", "path": "aid" }] }),
        );
        place.write("app/aid/x07-package.json", &text);
        place.run(BUILD).ok();
    }
}

#[test]
fn a_lock_entry_that_differs_from_the_manifest_is_refused() {
    for (pointer, value) in
        [("/name", json!("other")), ("/version", json!("1.0.1")), ("/path", json!(".x07/deps/lib/1.0.1"))]
    {
        Fixture::locking(pointer, value).refused(LOCK);
    }
}

#[test]
fn a_lock_entry_that_differs_from_the_package_is_refused() {
    let zeros = "0".repeat(64);
    let good = sha256(&module("lib.m"));
    for (pointer, value) in [
        ("/package_manifest_sha256", json!(zeros)),
        ("/module_root", json!("src")),
        ("/modules_sha256", json!({ "lib.m": zeros })),
        ("/modules_sha256", json!({})),
        ("/modules_sha256", json!({ "lib.m": good, "lib.n": zeros })),
    ] {
        let report = Fixture::locking(pointer, value).refused(LOCK);
        let found = report["diagnostics"].as_array().expect("a list");
        let problem = found.iter().find(|d| d["code"] == LOCK).expect("there");
        assert_eq!(problem["data"]["package"], "lib", "{problem:#}");
        assert!(problem["data"]["expected"].is_string() && problem["data"]["found"].is_string(), "{problem:#}");
    }
}

#[test]
fn a_lockfile_with_another_number_of_packages_is_refused() {
    let mut fixture = Fixture::good();
    let lock = fixture.lock.as_mut().expect("a lockfile");
    let mut more = lock["dependencies"][0].clone();
    more["name"] = json!("more");
    lock["dependencies"].as_array_mut().expect("a list").push(more);
    fixture.refused(LOCK);
    fixture.lock.as_mut().expect("a lockfile")["dependencies"] = json!([]);
    fixture.refused(LOCK);
}

#[test]
fn a_package_whose_files_changed_is_refused() {
    let mut fixture = Fixture::good();
    fixture.module = Some(format!("{} ", module("lib.m")));
    fixture.refused(LOCK);
    let mut fixture = Fixture::good();
    fixture.package = fixture.package.map(|p| format!("{p} "));
    fixture.refused(LOCK);
}

#[test]
fn a_package_of_another_version_is_refused() {
    Fixture::packaging(|package| package["version"] = json!("2.0.0")).refused(LOCK);
}

#[test]
fn a_package_that_lists_other_modules_is_refused() {
    Fixture::packaging(|package| package["modules"] = json!(["lib.m", "lib.n"])).refused(LOCK);
    Fixture::packaging(|package| package["modules"] = json!([])).refused(LOCK);
    Fixture::packaging(|package| package["module_root"] = json!("src")).refused(LOCK);
}

#[test]
fn a_package_manifest_that_is_not_valid_is_refused() {
    for text in ["", "{", "[]", "{}", "null"] {
        let mut fixture = Fixture::locking("/package_manifest_sha256", json!(sha256(text)));
        fixture.package = Some(text.to_owned());
        fixture.refused(LOCK);
    }
}

#[test]
fn a_missing_package_is_named_with_version_and_path() {
    let mut fixture = Fixture::good();
    (fixture.package, fixture.module) = (None, None);
    let report = fixture.refused(MISSING);
    let found = report["diagnostics"].as_array().expect("a list");
    let problem = found.iter().find(|d| d["code"] == MISSING).expect("there");
    assert_eq!(problem["data"], json!({ "package": "lib", "version": "1.0.0", "path": format!("app/{FOLDER}") }));
}

#[test]
fn a_missing_module_of_a_package_is_refused() {
    let mut fixture = Fixture::good();
    fixture.module = None;
    fixture.refused(LOCK);
}

#[test]
fn a_patch_replaces_the_version_and_the_path() {
    let mut fixture = Fixture::packaging(|package| package["version"] = json!("2.0.0"));
    fixture.lock.as_mut().expect("a lockfile")["dependencies"][0]["version"] = json!("2.0.0");
    fixture.refused(LOCK);
    fixture.members = json!({ "patch": { "lib": { "version": "2.0.0" } } });
    fixture.place().run(BUILD).ok();
    fixture.members = json!({ "patch": { "lib": { "version": "2.0.0", "path": "vendor/lib" } } });
    fixture.refused(LOCK);
    fixture.lock.as_mut().expect("a lockfile")["dependencies"][0]["path"] = json!("vendor/lib");
    fixture.refused(MISSING);
    let place = fixture.place();
    crate::support::copy_tree(&place.path(format!("app/{FOLDER}")), &place.path("app/vendor/lib"));
    place.run(BUILD).ok();
}

#[test]
fn a_package_may_lie_in_the_workspace() {
    let path = "$workspace/packages/lib";
    let mut fixture = Fixture::locking("/path", json!(path));
    fixture.dependency["path"] = json!(path);
    let place = fixture.place();
    place.write(".git/HEAD", "ref: x");
    place.run(BUILD).expect(3, MISSING);
    crate::support::copy_tree(&place.path(format!("app/{FOLDER}")), &place.path("packages/lib"));
    place.run(BUILD).ok();
}

#[test]
fn a_module_of_the_project_and_of_a_package_is_ambiguous() {
    let place = Fixture::good().place();
    place.write("app/src/lib/m.x07.json", module("lib.m"));
    place.run(BUILD).expect(3, "X07C_MODULE_AMBIGUOUS");
}

#[test]
fn a_package_that_is_not_imported_is_still_verified() {
    let fixture = Fixture::locking("/package_manifest_sha256", json!("0".repeat(64)));
    let place = fixture.place();
    let entry = json!({ "schema_version": "x07.x07ast@0.8.0", "kind": "entry", "module_id": "main", "imports": [], "decls": [], "solve": super::echo() });
    place.write("app/src/main.x07.json", entry.to_string());
    place.run(BUILD).expect(3, LOCK);
}

#[test]
fn a_module_that_the_package_does_not_list_is_not_part_of_it() {
    let fixture = Fixture::good();
    let place = fixture.place();
    importing(&place, "app", "lib.secret");
    manifest(&place, "app", json!({ "dependencies": [fixture.dependency] }));
    place.write(&format!("app/{FOLDER}/modules/lib/secret.x07.json"), module("lib.secret"));
    let run = place.run(BUILD);
    let report = run.report();
    assert_eq!(run.status, 3, "a file that no lockfile pins was compiled: {report:#}");
}
