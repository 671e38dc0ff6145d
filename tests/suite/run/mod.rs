//! `run`: from an input to an output or a coded failure.
//!
//! | module | promise |
//! |---|---|
//! | `inputs` | ways to give an input and to take an output |
//! | `limits` | every limit, from the profile and from the command line |
//! | `traps` | what is said about a program that traps |
//! | `incidents` | what a failed run leaves behind |
//! | `modules` | which modules fit a profile and the ABI |

mod incidents;
mod inputs;
mod limits;
mod modules;
mod traps;

use crate::support::{Place, root};
use serde_json::{Value, json};
use std::fs;

/// A folder with the module `echo.wasm`, which gives its input back, without a manifest.
pub fn echo() -> Place {
    let place = Place::new();
    place.project("app", &json!(["view.to_bytes", "input"]));
    place.run("build --project app/x07.json --out echo.wasm --no-manifest --json").ok();
    place
}

/// The built-in release profile under the id `mine`, with some values replaced, by JSON pointer.
/// The last name of a pointer may be new.
pub fn profile(changes: &[(&str, Value)]) -> String {
    let text = fs::read_to_string(root().join("arch/wasm/profiles/wasm_release.json")).expect("readable");
    let mut document: Value = serde_json::from_str(&text).expect("JSON");
    document["id"] = json!("mine");
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        document.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"))[name] = value.clone();
    }
    document.to_string()
}

/// The first diagnostic with this code.
#[track_caller]
pub fn diagnostic<'r>(report: &'r Value, code: &str) -> &'r Value {
    let list = report["diagnostics"].as_array().expect("a list");
    list.iter().find(|d| d["code"] == code).unwrap_or_else(|| panic!("no {code} in {report:#}"))
}
