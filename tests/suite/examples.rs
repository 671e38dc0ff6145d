//! The example projects: every case gives its expected output, whichever way the program is run.

use crate::support::{Place, root};
use std::fs;
use std::path::PathBuf;

/// The example projects, by name.
const EXAMPLES: [&str; 13] = [
    "http_bad_response",
    "http_echo",
    "http_hello",
    "http_reducer_fetch",
    "http_reducer_hello",
    "http_reducer_kv",
    "http_reducer_log",
    "http_reducer_time",
    "http_spin",
    "json_field",
    "solve_pure_echo",
    "spin",
    "word_count",
];

/// The names of an example's cases, sorted.
fn cases(example: &str) -> Vec<String> {
    let folder = root().join("examples").join(example).join("tests/cases");
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder of cases")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .filter_map(|name| name.strip_suffix(".in").map(str::to_owned))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "{example} has no cases");
    names
}

/// The file of a case, relative to a folder in which the example stands under its own name.
fn case_file(example: &str, case: &str, extension: &str) -> String {
    format!("{example}/tests/cases/{case}.{extension}")
}

/// Runs every case from the project and from the built module.
fn check(example: &str) {
    let place = Place::with_example(example);
    let project = format!("{example}/x07.json");
    place.run(&format!("build --project {project} --out built/{example}.wasm --json")).ok();
    for case in cases(example) {
        let input = case_file(example, &case, "in");
        let expected = place.read(case_file(example, &case, "out"));
        let direct = place.run(&format!("run --project {project} --input {input}"));
        assert_eq!(direct.status, 0, "{input}: {}", direct.stderr);
        assert_eq!(direct.stdout, expected, "{input}, from the project");
        let built = place.run(&format!("run --wasm built/{example}.wasm --input {input}"));
        assert_eq!(built.status, 0, "{input}: {}", built.stderr);
        assert_eq!(built.stdout, expected, "{input}, from the module");
    }
}

#[test]
fn every_example_is_known_here() {
    let mut found: Vec<String> = fs::read_dir(root().join("examples"))
        .expect("examples")
        .map(|entry| entry.expect("readable"))
        .filter(|entry| entry.file_type().expect("known").is_dir())
        .map(|entry| entry.file_name().into_string().expect("UTF-8"))
        .collect();
    found.sort();
    assert_eq!(found, EXAMPLES);
}

#[test]
fn echo_gives_every_input_back() {
    check("solve_pure_echo");
}

#[test]
fn http_programs_answer_envelopes() {
    check("http_echo");
    check("http_hello");
    check("http_bad_response");
}

#[test]
fn reducers_answer_dispatches() {
    for name in EXAMPLES.iter().filter(|name| name.starts_with("http_reducer_")) {
        check(name);
    }
}

#[test]
fn json_field_finds_members() {
    check("json_field");
}

#[test]
fn word_count_counts() {
    check("word_count");
}

#[test]
fn spin_ends_when_its_fuel_is_used_up() {
    let place = Place::with_example("spin");
    let run = place.run("run --project spin/x07.json --input-hex 00 --max-fuel 10000 --json");
    let report = run.expect(4, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");
    assert!(report["result"]["trap"].is_string(), "{report:#}");
}

#[test]
fn cases_come_in_pairs() {
    for example in EXAMPLES {
        let folder = root().join("examples").join(example).join("tests/cases");
        if matches!(example, "spin" | "http_spin") {
            assert!(!folder.exists(), "a program that never ends has no expected output");
            continue;
        }
        for entry in fs::read_dir(&folder).expect("a folder of cases") {
            let path: PathBuf = entry.expect("readable").path();
            let partner = match path.extension().and_then(|e| e.to_str()) {
                Some("in") => path.with_extension("out"),
                Some("out") => path.with_extension("in"),
                _ => panic!("{} is neither an input nor an output", path.display()),
            };
            assert!(partner.is_file(), "{} lacks {}", path.display(), partner.display());
        }
    }
}

#[test]
fn every_example_has_a_readme_with_a_command() {
    for example in EXAMPLES {
        let path = root().join("examples").join(example).join("README.md");
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(text.starts_with(&format!("# {example}\n")), "{} does not begin with its name", path.display());
        assert!(text.contains("```sh\n"), "{} shows no command", path.display());
        assert!(text.contains(&format!("examples/{example}/x07.json")), "{} does not run the example", path.display());
    }
}

#[test]
fn every_example_has_a_lockfile_that_fits() {
    for example in EXAMPLES {
        let place = Place::with_example(example);
        assert!(place.path(format!("{example}/x07.lock.json")).is_file(), "{example}");
        let report = place.run(&format!("build --project {example}/x07.json --json")).ok();
        let inputs = report["meta"]["inputs"].as_array().expect("inputs");
        let lock = format!("{example}/x07.lock.json");
        assert!(inputs.iter().any(|i| i["path"] == lock.as_str()), "the lockfile was not read: {inputs:?}");
    }
}
