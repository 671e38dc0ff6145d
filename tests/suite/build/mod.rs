//! `build`: what it writes, what it refuses, and that a failure leaves nothing behind.
//!
//! | module | promise |
//! |---|---|
//! | `outputs` | paths, manifest, determinism, stale files |
//! | `projects` | manifest, entry, module roots, workspace |
//! | `packages` | lockfile and vendored packages |
//! | `snapshots` | packages that the tool carries |
//! | `profiles` | which profile is used, and what a profile may ask for |
//! | `external` | external `x07` and the C backend, with stand-ins for the programs |

mod external;
mod outputs;
mod packages;
mod profiles;
mod projects;
mod snapshots;

use crate::support::{Place, root};
use serde_json::{Value, json};
use std::fs;

/// The program that gives its input back.
pub fn echo() -> Value {
    json!(["view.to_bytes", "input"])
}

/// A folder with the echo project `app`.
pub fn app() -> Place {
    let place = Place::new();
    place.project("app", &echo());
    place
}

/// Writes the manifest of the project `name`: the usual one, with some members replaced or added.
pub fn manifest(place: &Place, name: &str, changes: Value) {
    let mut document = json!({
        "schema_version": "x07.project@0.3.0", "world": "solve-pure", "entry": "src/main.x07.json",
        "module_roots": ["src"], "dependencies": [], "lockfile": null,
    });
    if let (Some(document), Value::Object(changes)) = (document.as_object_mut(), changes) {
        document.extend(changes);
    }
    place.write(&format!("{name}/x07.json"), document.to_string());
}

/// A module with one exported function that gives its argument back.
pub fn module(id: &str) -> String {
    let function = format!("{id}.f");
    json!({
        "schema_version": "x07.x07ast@0.8.0", "kind": "module", "module_id": id, "imports": [],
        "decls": [
            { "kind": "export", "names": [function] },
            { "kind": "defn", "name": function, "params": [{ "name": "b", "ty": "bytes_view" }], "result": "bytes", "body": ["view.to_bytes", "b"] },
        ],
    })
    .to_string()
}

/// Writes the project `name`, whose entry calls the function `f` of an imported module.
pub fn importing(place: &Place, name: &str, import: &str) {
    let entry = json!({
        "schema_version": "x07.x07ast@0.8.0", "kind": "entry", "module_id": "main", "imports": [import],
        "decls": [], "solve": [format!("{import}.f"), "input"],
    });
    place.project_of(name, &entry.to_string());
}

/// The built-in release profile under the id `mine`, with some values replaced, by JSON pointer.
pub fn profile(changes: &[(&str, Value)]) -> String {
    let text = fs::read_to_string(root().join("arch/wasm/profiles/wasm_release.json")).expect("readable");
    let mut document: Value = serde_json::from_str(&text).expect("JSON");
    document["id"] = json!("mine");
    for (pointer, value) in changes {
        *document.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value.clone();
    }
    document.to_string()
}

/// The paths in `meta.inputs` or `meta.outputs`.
pub fn paths(report: &Value, list: &str) -> Vec<String> {
    let list = report["meta"][list].as_array().expect("a list of digests");
    list.iter().map(|d| d["path"].as_str().expect("a path").to_owned()).collect()
}
