//! All stored programs: the cases of the language and of the standard modules, the examples.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use x07_wasm::compiler::Options;

use super::compare::Pair;
use crate::language::corpus;
use crate::language::program::{ARENA, Program};
use crate::support::root;

/// What became of many runs.
#[derive(Default)]
struct Tally {
    failures: Vec<String>,
    runs: usize,
    /// Runs that say nothing, by reason.
    left_out: BTreeMap<&'static str, usize>,
}

impl Tally {
    /// Compares the runs of a program; one that is refused has none.
    fn add(&mut self, name: &str, program: &Program, options: &Options, inputs: &[(Vec<u8>, u32)]) {
        let pair = match Pair::of(program, options) {
            Ok(Some(pair)) => pair,
            Ok(None) => return,
            Err(failure) => return self.failures.push(format!("{name}: {failure}")),
        };
        for (input, arena) in inputs {
            self.runs += 1;
            match pair.run(input, *arena) {
                Ok(None) => {}
                Ok(Some(why)) => *self.left_out.entry(why).or_default() += 1,
                Err(failure) => {
                    self.failures.push(format!("{name} for {:?}: {failure}", String::from_utf8_lossy(input)));
                }
            }
        }
    }

    /// That nothing differs, and that most runs say something.
    #[track_caller]
    fn holds(&self) {
        assert!(self.failures.is_empty(), "{} differences:\n{}", self.failures.len(), self.failures.join("\n"));
        let left_out: usize = self.left_out.values().sum();
        assert!(left_out * 5 <= self.runs, "of {} runs are left out: {:?}", self.runs, self.left_out);
    }
}

/// Compares all cases of a folder.
fn folder(relative: &str) -> Tally {
    let folder = root().join(relative);
    let mut tally = Tally::default();
    for topic in corpus::topics_in(&folder) {
        for case in corpus::read_in(&folder, &topic) {
            let (program, options) = case.program();
            tally.add(&format!("{topic}, {}", case.name()), program, &options, &case.inputs());
        }
    }
    tally
}

#[test]
fn the_cases_of_the_language() {
    let tally = folder("tests/language");
    assert!(tally.runs > 500, "only {} runs", tally.runs);
    tally.holds();
}

#[test]
fn the_cases_of_the_standard_modules() {
    let tally = folder("tests/std");
    assert!(tally.runs > 100, "only {} runs", tally.runs);
    tally.holds();
}

/// The sources of a folder by module id.
fn sources(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![(folder.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("readable").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
            if path.is_dir() {
                folders.push((path, format!("{prefix}{name}.")));
            } else if let Some(name) = name.strip_suffix(".x07.json") {
                files.insert(format!("{prefix}{name}"), fs::read_to_string(&path).expect("readable"));
            }
        }
    }
    files
}

#[test]
fn the_examples() {
    let mut tally = Tally::default();
    for entry in fs::read_dir(root().join("examples")).expect("examples") {
        let example = entry.expect("readable").path();
        let cases = example.join("tests/cases");
        if !cases.is_dir() {
            continue;
        }
        let mut inputs = Vec::new();
        for entry in fs::read_dir(&cases).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.extension().is_some_and(|extension| extension == "in") {
                inputs.push((fs::read(&path).expect("readable"), ARENA));
            }
        }
        let program = Program { files: sources(&example.join("src")) };
        tally.add(&example.display().to_string(), &program, &Options::default(), &inputs);
    }
    assert!(tally.runs > 5, "only {} runs", tally.runs);
    tally.holds();
}

/// Published test vectors, where they lie beside the repository.
#[test]
fn the_vectors_beside_the_repository() {
    let folder = root().join("../shared/vectors/x07");
    let Ok(entries) = fs::read_dir(&folder) else { return };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    let mut tally = Tally::default();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let document: Value = serde_json::from_slice(&fs::read(path).expect("readable")).expect("JSON");
        for case in document["cases"].as_array().expect("cases") {
            let modules = case["modules"].as_object().expect("modules");
            let files = modules.iter().map(|(id, module)| (id.clone(), module.to_string())).collect();
            let input = |run: &Value| {
                let text = run["input_b64"].as_str().unwrap_or_default();
                (STANDARD.decode(text).expect("base64"), ARENA)
            };
            let runs = case["runs"].as_array().map(Vec::as_slice).unwrap_or_default();
            let inputs: Vec<(Vec<u8>, u32)> = runs.iter().map(input).collect();
            tally.add(&case["name"].to_string(), &Program { files }, &Options::default(), &inputs);
        }
    }
    tally.holds();
}
