//! The stored corpus: `tests/hostile/entries` holds entry files, `tests/hostile/manifests` project
//! manifests, and `expected.json` beside them what becomes of each.

use super::{app, refused, survived};
use crate::support::root;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// What `expected.json` says of a file: the exit status and a code that must be in the report.
struct Expected {
    status: i32,
    code: String,
}

fn folder(name: &str) -> PathBuf {
    root().join("tests/hostile").join(name)
}

/// The expectations for a folder, by file name.
fn expected(name: &str) -> BTreeMap<String, Expected> {
    let text = fs::read_to_string(root().join("tests/hostile/expected.json")).expect("readable");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let list = document[name].as_object().expect("a list of files");
    list.iter()
        .map(|(file, e)| {
            let status = e["exit"].as_i64().and_then(|n| i32::try_from(n).ok()).expect("an exit status");
            (file.clone(), Expected { status, code: e["code"].as_str().expect("a code").to_owned() })
        })
        .collect()
}

/// The names of the files of a folder, sorted.
fn files(name: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder(name))
        .expect("a folder")
        .map(|e| e.expect("readable").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

/// Puts each file in the place of `target` in the echo project and builds it.
fn check(name: &str, target: &str) {
    let expected = expected(name);
    let known: Vec<&String> = expected.keys().collect();
    assert_eq!(files(name).iter().collect::<Vec<_>>(), known, "every file has an expectation and the reverse");
    for (file, expected) in &expected {
        let place = app();
        place.write(target, fs::read(folder(name).join(file)).expect("readable"));
        for args in [
            "build --project app/x07.json --json",
            "run --project app/x07.json --input-hex 00 --incidents-dir inc --json",
        ] {
            let run = place.run(args);
            survived(&run, file);
            assert_eq!(run.status, expected.status, "{file}: {:#}", run.report());
            refused(&run, expected.status, &[expected.code.as_str()]);
        }
    }
}

#[test]
fn hostile_entries_are_refused_as_documented() {
    check("entries", "app/src/main.x07.json");
}

#[test]
fn hostile_manifests_are_refused_as_documented() {
    check("manifests", "app/x07.json");
}
