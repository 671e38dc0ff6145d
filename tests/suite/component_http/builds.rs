//! The same bytes from every build, and the same answer to every request.

use super::support::{Host, Kind, errors, pattern, program};
use crate::support::Place;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use x07_wasm::contract::digest::sha256_hex;

/// Every value of `--emit`.
const EMITS: [&str; 9] =
    ["solve", "http", "http-state-doc", "cli", "http-native", "cli-native", "http-adapter", "cli-adapter", "all"];

#[test]
fn a_thousand_requests_have_the_same_answer() {
    for kind in Kind::ALL {
        let host = Host::of(kind.component());
        let body = pattern(3000);
        let run = host.canary_with(&body, &["--path", "/echo", "--stop-after", "1000", "--hot-path"]);
        let report = run.ok();
        assert_eq!(errors(&report), [""; 0], "{kind:?}");
        let responses = report["result"]["responses"].as_array().expect("a list");
        assert_eq!(responses.len(), 1000, "{kind:?}");
        let wanted = json!({"bytes_len": body.len(), "sha256": sha256_hex(&body)});
        for response in responses {
            let facts = (&response["ok"], &response["status"], &response["body"]);
            assert_eq!(facts, (&json!(true), &json!(200), &wanted), "{kind:?}");
        }
    }
}

/// Builds everything in a folder of its own, with these environment variables.
fn built(variables: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    let place = Place::new();
    place.project_of("app", &program(Kind::Native));
    let mut files = BTreeMap::new();
    for emit in EMITS {
        let line = format!("component build --project app/x07.json --emit {emit} --out-dir out/{emit} --json");
        let args: Vec<&str> = line.split(' ').collect();
        let run = place.run_with(&args, |command| {
            command.envs(variables.iter().copied());
        });
        run.ok();
        let folder = place.path(format!("out/{emit}"));
        collect(&folder, &folder, emit, &mut files);
    }
    let here = place.path("app").display().to_string();
    for (name, bytes) in &files {
        assert!(!String::from_utf8_lossy(bytes).contains(&here), "{name} names its folder");
    }
    files
}

/// Reads the files below a folder, except reports, which say when and where they were made.
fn collect(root: &Path, folder: &Path, emit: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            collect(root, &path, emit, files);
        } else if !path.to_string_lossy().ends_with(".report.json") {
            let name = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
            files.insert(format!("{emit}: {name}"), fs::read(&path).expect("readable"));
        }
    }
}

#[test]
fn every_build_gives_the_same_bytes() {
    let (first, second) = thread::scope(|scope| {
        let other = [("LANG", "de_DE.UTF-8"), ("TZ", "Asia/Tokyo"), ("SOURCE_DATE_EPOCH", "1"), ("USER", "somebody")];
        let second = scope.spawn(move || built(&other));
        (built(&[]), second.join().expect("built"))
    });
    let names: Vec<&String> = first.keys().collect();
    assert_eq!(names, second.keys().collect::<Vec<_>>());
    for emit in EMITS {
        let count = names.iter().filter(|name| name.starts_with(&format!("{emit}: "))).count();
        assert!(count >= 2, "{emit}: {names:?}");
    }
    for (name, bytes) in &first {
        assert!(*bytes == second[name], "{name}");
    }
    // What is built along with other things is what is built alone.
    for (one, other) in [
        ("solve: solve.component.wasm", "all: solve.component.wasm"),
        ("http: http.component.wasm", "all: http.component.wasm"),
        ("cli: cli.component.wasm", "all: cli.component.wasm"),
        ("http-adapter: http-adapter.component.wasm", "all: http-adapter.component.wasm"),
        ("cli-adapter: cli-adapter.component.wasm", "all: cli-adapter.component.wasm"),
        ("http: http-adapter.component.wasm", "all: http-adapter.component.wasm"),
    ] {
        assert!(first[one] == first[other], "{one} and {other}");
    }
}

#[test]
fn names_of_folders_do_not_get_into_components() {
    let place = Place::new();
    let build = |project: &str, out: &str| {
        let line = format!("component build --project {project}/x07.json --emit all --out-dir {out} --json");
        let report: Value = place.run(&line).ok();
        assert_eq!(report["result"]["artifacts"].as_array().map(Vec::len), Some(5));
    };
    place.project_of("app", &program(Kind::Native));
    place.project_of("some/where/else", &program(Kind::Native));
    build("app", "one");
    build("some/where/else", "two/three");
    for kind in ["solve", "http-adapter", "http", "cli-adapter", "cli"] {
        let name = format!("{kind}.component.wasm");
        let [one, other] = ["one", "two/three"].map(|out| place.read(format!("{out}/{name}")));
        assert!(one == other, "{name}");
    }
}
