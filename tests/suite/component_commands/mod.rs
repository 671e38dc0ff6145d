//! `component build`, `compose`, `targets` and `run`: from a project to a component that does
//! something, and every way in which that fails.
//!
//! | module | promise |
//! |---|---|
//! | `build` | which files, in which order; failures leave nothing; the same bytes each time |
//! | `profiles` | what component and wasm profiles may ask for |
//! | `external` | the C backend, with stand-ins for its programs |
//! | `compose` | programs and adapters, composed by themselves |
//! | `targets` | what fits a world, and in which words it does not |
//! | `run` | arguments, streams, outcomes, incidents |
//! | `limits` | every limit of a run |
//! | `guest_diagnostics` | what a component says about its own failure |

mod build;
mod compose;
mod external;
mod guest_diagnostics;
mod limits;
mod profiles;
mod run;
mod targets;

use crate::support::Place;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use x07_wasm::component::encode;
use x07_wasm::contract::files::Files;
use x07_wasm::wit;

/// A folder with the project `app`, whose program gives its input back.
fn echo() -> Place {
    let place = Place::new();
    place.project("app", &json!(["view.to_bytes", "input"]));
    place
}

/// A folder with the project `app` and the components of one `--emit` in the folder `out`.
fn built(emit: &str) -> Place {
    let place = echo();
    place.run(&build(emit)).ok();
    place
}

/// Builds `app` into `out`.
fn build(emit: &str) -> String {
    format!("component build --project app/x07.json --emit {emit} --out-dir out --json")
}

/// The names of all files in a folder, sorted.
fn names(place: &Place, folder: &str) -> Vec<String> {
    let list = fs::read_dir(place.path(folder)).expect("a folder");
    let mut names: Vec<String> = list.map(|e| e.expect("readable").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The first diagnostic with this code.
#[track_caller]
fn diagnostic<'r>(report: &'r Value, code: &str) -> &'r Value {
    let list = report["diagnostics"].as_array().expect("a list");
    list.iter().find(|d| d["code"] == code).unwrap_or_else(|| panic!("no {code} in {report:#}"))
}

/// The message of the first diagnostic with this code.
#[track_caller]
fn message(report: &Value, code: &str) -> String {
    diagnostic(report, code)["message"].as_str().expect("a message").to_owned()
}

/// Makes a component of a core module for the world of a WIT file, as `component build` would.
fn component_of(core: &str, wit_file: &Path, world: &str) -> Vec<u8> {
    let mut files = Files::default();
    let registry = wit::open(&mut files, Path::new(wit::DEFAULT_INDEX), &mut Vec::new()).expect("a registry");
    let bundle = wit::bundle_of_file(&mut files, &registry, wit_file, false, &mut Vec::new()).expect("a package");
    let embedded = encode::embed(&wat::parse_str(core).expect("a module"), &bundle, world).expect("embedded");
    encode::componentize(&embedded).expect("a component")
}

/// A command in wat: imports and data in front, and the body of `run`, which leaves 0 for success
/// or 1 for failure.
fn command(front: &str, run: &str) -> Vec<u8> {
    let core = format!(
        r#"(module {front}
            (func (export "wasi:cli/run@0.2.8#run") (result i32) {run}))"#
    );
    component_of(&core, Path::new("wit/deps/wasi/cli/0.2.8/command.wit"), "command")
}

/// A command that writes this to standard error, at most 4096 bytes, and then does the rest.
fn complaining(stderr: &[u8], rest: &str) -> Vec<u8> {
    let data: String = stderr.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let front = format!(
        r#"(import "wasi:cli/stderr@0.2.8" "get-stderr" (func $stderr (result i32)))
        (import "wasi:io/streams@0.2.8" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
        (memory (export "memory") 1)
        (data (i32.const 1024) "{data}")"#
    );
    let write = format!("(call $write (call $stderr) (i32.const 1024) (i32.const {}) (i32.const 0))", stderr.len());
    command(&front, &format!("{write} {rest}"))
}
