//! Each kind of document with each of its nodes replaced by something else.

use super::{app, profile, survived};
use crate::support::Place;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What a node is replaced by; it is also left out.
fn replacements() -> [Value; 6] {
    [json!(null), json!(-1), json!(9_007_199_254_740_992_u64), json!("x"), json!([]), json!({})]
}

/// The JSON pointers of all nodes of a document.
fn pointers(value: &Value, prefix: &str, found: &mut Vec<String>) {
    found.push(prefix.to_owned());
    match value {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                pointers(item, &format!("{prefix}/{i}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers(member, &format!("{prefix}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// A copy of a document without the node at `pointer`, which is not the root.
fn without(document: &Value, pointer: &str) -> Value {
    let mut copy = document.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("not the root");
    match copy.pointer_mut(parent) {
        Some(Value::Array(items)) => {
            items.remove(name.parse().expect("an index"));
        }
        Some(Value::Object(members)) => {
            members.remove(&name.replace("~1", "/").replace("~0", "~"));
        }
        _ => panic!("no {parent}"),
    }
    copy
}

/// Runs a command with every mutation of a document in the file.
fn sweep(place: &Place, file: &str, document: &Value, args: &str) {
    place.write(file, document.to_string());
    place.run(args).ok();
    let mut all = Vec::new();
    pointers(document, "", &mut all);
    let mut refused = 0;
    for pointer in &all {
        let mut mutants: Vec<Value> = Vec::new();
        for replacement in replacements() {
            let mut copy = document.clone();
            *copy.pointer_mut(pointer).expect("a node") = replacement;
            mutants.push(copy);
        }
        if !pointer.is_empty() {
            mutants.push(without(document, pointer));
        }
        for mutant in mutants {
            place.write(file, mutant.to_string());
            let run = place.run(args);
            survived(&run, &format!("{file} {pointer}: {mutant}"));
            refused += usize::from(run.status != 0);
        }
    }
    assert!(refused > all.len(), "hardly any mutation of {file} was noticed");
    place.write(file, document.to_string());
}

const RUN: &str = "run --project app/x07.json --input-hex 0011 --max-fuel 100000 --arena-cap-bytes 1048576 --incidents-dir inc --json";

/// A module that the entry below calls.
fn lib() -> Value {
    json!({
        "schema_version": "x07.x07ast@0.8.0", "kind": "module", "module_id": "lib", "imports": [],
        "decls": [
            { "kind": "export", "names": ["lib.size"] },
            { "kind": "defn", "name": "lib.size", "params": [{ "name": "b", "ty": "bytes_view" }], "result": "bytes",
              "body": ["begin", ["let", "n", ["view.len", "b"]], ["fmt.u32_to_dec", "n"]] },
        ],
    })
}

fn project() -> Place {
    let place = app();
    place.write("app/src/lib.x07.json", lib().to_string());
    place.write("app/src/main.x07.json", entry().to_string());
    place
}

fn entry() -> Value {
    json!({
        "schema_version": "x07.x07ast@0.8.0", "kind": "entry", "module_id": "main", "imports": ["lib"],
        "decls": [{ "kind": "defn", "name": "main.twice", "params": [{ "name": "n", "ty": "i32" }], "result": "i32",
            "body": ["if", ["<", "n", 0], ["return", 0], ["*", "n", 2]] }],
        "solve": ["begin",
            ["let", "out", ["vec_u8.with_capacity", 8]],
            ["for", "i", 0, 3, ["set", "out", ["vec_u8.push", "out", ["main.twice", "i"]]]],
            ["set", "out", ["vec_u8.extend_bytes", "out", ["lib.size", "input"]]],
            ["vec_u8.into_bytes", "out"]],
    })
}

#[test]
fn a_mutated_entry() {
    sweep(&project(), "app/src/main.x07.json", &entry(), RUN);
}

#[test]
fn a_mutated_module() {
    sweep(&project(), "app/src/lib.x07.json", &lib(), RUN);
}

#[test]
fn a_mutated_program_with_contracts_types_and_generics() {
    let place = app();
    let document = json!({
        "schema_version": "x07.x07ast@0.9.0", "kind": "entry", "module_id": "main", "imports": [],
        "decls": [
            { "kind": "defrecord", "name": "main.R", "fields": [{ "name": "x", "ty": "i32" }] },
            { "kind": "defn", "name": "main.same", "type_params": [{ "name": "A", "bound": "any" }],
              "params": [{ "name": "a", "ty": ["t", "A"] }], "result": ["t", "A"], "body": "a" },
            { "kind": "defasync", "name": "main.later", "params": [], "result": "bytes",
              "body": ["begin", ["task.yield"], ["main.R.make", ["tapp", "main.same", ["tys", "i32"], 4]]] },
            { "kind": "defn", "name": "main.first", "params": [{ "name": "v", "ty": "bytes_view" }], "result": "result_i32",
              "requires": [{ "expr": [">=", ["view.len", "v"], 0] }],
              "body": ["if", ["=", ["view.len", "v"], 0], ["result_i32.err", 7], ["result_i32.ok", ["view.get_u8", "v", 0]]] },
            { "kind": "defn", "name": "main.sum", "params": [{ "name": "v", "ty": "bytes_view" }], "result": "result_i32",
              "body": ["begin", ["let", "a", ["try", ["main.first", "v"]]], ["result_i32.ok", ["+", "a", 1]]] },
        ],
        "solve": ["begin",
            ["let", "k", 0],
            ["while", ["<", "k", 2], ["set", "k", ["+", "k", 1]]],
            ["let", "later", ["await", ["main.later"]]],
            ["bytes.concat", "later", ["fmt.u32_to_dec", ["result_i32.unwrap_or", ["main.sum", "input"], "k"]]]],
    });
    sweep(&place, "app/src/main.x07.json", &document, RUN);
}

/// A project that depends on a package; what its documents are.
struct Locked {
    place: Place,
    manifest: Value,
    package: Value,
    lock: Value,
}

fn locked() -> Locked {
    let place = app();
    let sha256 = |text: &str| hex::encode(Sha256::digest(text));
    let module = json!({
        "schema_version": "x07.x07ast@0.8.0", "kind": "module", "module_id": "p.a", "imports": [],
        "decls": [{ "kind": "export", "names": ["p.a.f"] }, { "kind": "defn", "name": "p.a.f", "params": [], "result": "i32", "body": 0 }],
    })
    .to_string();
    let package = json!({ "schema_version": "x07.package@0.1.0", "name": "p", "version": "1.0.0", "module_root": "m", "modules": ["p.a"] });
    let manifest = json!({
        "schema_version": "x07.project@0.5.0", "world": "solve-pure", "entry": "src/main.x07.json", "module_roots": ["src"],
        "dependencies": [{ "name": "p", "version": "1.0.0", "path": "dep" }], "lockfile": "x07.lock.json",
        "patch": { "p": { "version": "1.0.0", "path": "dep" } }, "compat": "current",
        "operational_entry_symbol": "main.f", "certification_entry_symbol": null,
        "link": { "libs": ["a"], "search_paths": ["b"], "frameworks": [], "static": true },
    });
    let lock = json!({
        "schema_version": "x07.lock@0.4.0",
        "toolchain": { "x07_version": "1.0.0", "x07c_version": "1.0.0", "lang_id": "l", "compat": "c" },
        "registry": { "index_url": "u", "snapshot_hash": null },
        "dependencies": [{
            "name": "p", "version": "1.0.0", "path": "dep", "package_manifest_sha256": sha256(&package.to_string()),
            "module_root": "m", "modules_sha256": { "p.a": sha256(&module) }, "overridden_by": null, "yanked": false, "advisories": [],
        }],
    });
    place.write("app/dep/x07-package.json", package.to_string());
    place.write("app/dep/m/p/a.x07.json", &module);
    place.write("app/x07.json", manifest.to_string());
    place.write("app/x07.lock.json", lock.to_string());
    Locked { place, manifest, package, lock }
}

const BUILD: &str = "build --project app/x07.json --json";

#[test]
fn a_mutated_project_manifest() {
    let Locked { place, manifest, .. } = locked();
    sweep(&place, "app/x07.json", &manifest, BUILD);
}

#[test]
fn a_mutated_lockfile() {
    let Locked { place, lock, .. } = locked();
    sweep(&place, "app/x07.lock.json", &lock, BUILD);
}

#[test]
fn a_mutated_package_manifest() {
    let Locked { place, package, .. } = locked();
    sweep(&place, "app/dep/x07-package.json", &package, BUILD);
}

#[test]
fn a_mutated_profile() {
    let place = app();
    let mut document = profile();
    document["runtime"]["cache_config"] = json!("cache.toml");
    document["runtime"]["instance_allocator"] = json!("on_demand");
    sweep(&place, "p.json", &document, &format!("{RUN} --profile-file p.json"));
}

#[test]
fn a_mutated_registry() {
    let place = app();
    place.write("p.json", profile().to_string());
    let document = json!({
        "schema_version": "x07.arch.wasm.index@0.1.0", "profiles": [{ "id": "mine", "path": "p.json" }],
        "defaults": { "default_profile_id": "mine" },
    });
    sweep(&place, "i.json", &document, &format!("{RUN} --index i.json"));
}

#[test]
fn a_mutated_artifact_manifest_beside_a_module() {
    let place = app();
    place.run("build --project app/x07.json --out e.wasm --json").ok();
    let document: Value = serde_json::from_slice(&place.read("e.wasm.manifest.json")).expect("JSON");
    let mut all = Vec::new();
    pointers(&document, "", &mut all);
    // It only suggests a profile: whatever it says, the module runs.
    for pointer in all.iter().filter(|p| p.is_empty() || p.starts_with("/profile") || p.starts_with("/schema_version"))
    {
        for replacement in replacements() {
            let mut copy = document.clone();
            *copy.pointer_mut(pointer).expect("a node") = replacement;
            place.write("e.wasm.manifest.json", copy.to_string());
            place.run("run --wasm e.wasm --input-hex 00 --json").ok();
        }
    }
}
