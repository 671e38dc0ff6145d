//! The catalogue of diagnostic codes: exit codes, explanations, and that every code is raised and
//! tested.

use crate::support::{Place, root};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use x07_wasm::report::exit::{self, Origin};
use x07_wasm_contracts::cli::COMMANDS;
use x07_wasm_contracts::diagnostics::{CODES, Code, CodeInfo, Severity, Stage};
use x07_wasm_contracts::types::Diagnostic;

/// Codes that no test names, because nothing outside the tool can bring them about; with the reason.
const NOT_PROVOKED: [(&str, &str); 5] = [
    ("X07WASM_INTERNAL_ERROR", "says that an invariant of the tool is broken"),
    ("X07WASM_INTERNAL_REPORT_INVALID", "says that the tool made a report against its own contract"),
    ("X07WASM_SPECROWS_DRIFT", "says that rows and parser differ, which one table makes impossible"),
    ("X07WASM_TEST_NOT_REPEATABLE", "needs a solve-pure program that does not do the same twice"),
    ("X07WASM_WASM_COMPILE_FAILED", "needs a module that is valid and that the engine cannot translate"),
];

fn diagnostic(code: &str, severity: Severity, stage: Stage) -> Diagnostic {
    Diagnostic {
        code: code.to_owned(),
        severity,
        stage,
        message: "m".to_owned(),
        data: None,
        loc: None,
        notes: None,
        quickfix: None,
        related: None,
    }
}

/// The exit code of a report with these errors.
fn exit_of(list: &[(&str, Stage, Origin)]) -> u8 {
    let made: Vec<(Diagnostic, Origin)> =
        list.iter().map(|(code, stage, origin)| (diagnostic(code, Severity::Error, *stage), *origin)).collect();
    exit::code(made.iter().map(|(d, origin)| (d, *origin)))
}

#[test]
fn the_catalogue_says_the_exit_code_that_a_report_gets() {
    for info in &CODES {
        let usual = diagnostic(info.code, info.severity, info.stages[0]);
        let exit = exit::code(std::iter::once((&usual, Origin::Host)));
        assert_eq!(info.exit, exit, "{}", info.code);
        if info.severity != Severity::Error {
            assert_eq!(info.exit, 0, "{}: only errors fail a command", info.code);
        }
    }
}

#[test]
fn two_over_three_over_four_over_one() {
    use Origin::{Guest, Host};
    let one = ("X07WASM_RUN_FAILED", Stage::Run, Host);
    let four = ("X07WASM_BUDGET_EXCEEDED_CPU_FUEL", Stage::Run, Host);
    let three = ("X07WASM_SCHEMA_INVALID", Stage::Parse, Host);
    let twos = ["X07WASM_A_SPAWN_FAILED", "X07WASM_A_WRITE_FAILED", "X07WASM_A_IO_FAILED", "X07WASM_INTERNAL_A"];
    assert_eq!(exit_of(&[]), 0);
    for (list, expected) in [
        (&[one][..], 1),
        (&[four][..], 4),
        (&[three][..], 3),
        (&[one, four][..], 4),
        (&[four, one][..], 4),
        (&[one, three][..], 3),
        (&[four, three][..], 3),
        (&[three, four, one][..], 3),
    ] {
        assert_eq!(exit_of(list), expected, "{list:?}");
        for code in twos {
            let two = (code, Stage::Run, Host);
            assert_eq!(exit_of(&[list, &[two][..]].concat()), 2, "{list:?} and {code}");
            assert_eq!(exit_of(&[&[two][..], list].concat()), 2, "{code} and {list:?}");
        }
    }
    // A code counts by its stage only where its name does not say more.
    assert_eq!(exit_of(&[("X07WASM_A_WRITE_FAILED", Stage::Parse, Host)]), 2);
    assert_eq!(exit_of(&[("X07WASM_BUDGET_EXCEEDED_A", Stage::Parse, Host)]), 3);
    // A guest cannot say that the host failed, but it can exceed a budget.
    assert_eq!(exit_of(&[("FOO_IO_FAILED", Stage::Run, Guest)]), 1);
    assert_eq!(exit_of(&[("X07WASM_INTERNAL_A", Stage::Run, Guest)]), 1);
    assert_eq!(exit_of(&[("X07WASM_BUDGET_EXCEEDED_A", Stage::Run, Guest)]), 4);
    // What is no error does not count.
    for severity in [Severity::Warning, Severity::Info, Severity::Hint] {
        let quiet = diagnostic("X07WASM_A_IO_FAILED", severity, Stage::Parse);
        assert_eq!(exit::code(std::iter::once((&quiet, Host))), 0);
    }
}

#[test]
fn codes_are_names_that_a_report_may_carry() {
    assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code), "sorted, each once");
    for info in &CODES {
        let code = info.code;
        assert!(code.len() <= 64 && code.starts_with(|c: char| c.is_ascii_uppercase()), "{code}");
        let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_' || c == '-';
        assert!(code.chars().all(allowed), "{code}");
        assert_eq!(Code::find(code).map(Code::as_str), Some(code));
    }
    assert_eq!(Code::find("X07WASM_NO_SUCH_CODE"), None);
}

#[test]
fn every_code_has_summary_cause_and_cure_as_sentences() {
    let mut summaries = BTreeMap::new();
    for info in &CODES {
        for (what, text) in [("summary", info.summary), ("cause", info.cause), ("cure", info.cure)] {
            let name = format!("{} {what}: {text:?}", info.code);
            assert!(text.len() >= 10 && text.trim() == text && !text.contains('\n'), "{name}");
            assert!(text.ends_with(['.', '?', '!', '`', ')']), "{name} does not end as a sentence");
            assert!(!text.contains("TODO") && !text.contains("  "), "{name}");
        }
        assert!(info.summary.len() <= 120, "{}: the summary is one line", info.code);
        assert!(info.cause != info.cure && info.cause != info.summary, "{} repeats itself", info.code);
        if let Some(other) = summaries.insert(info.summary, info.code) {
            panic!("{other} and {} have the same summary {:?}", info.code, info.summary);
        }
    }
}

#[test]
fn every_code_names_commands_that_exist() {
    let known: BTreeSet<String> = COMMANDS.iter().map(|c| c.path.join(" ")).chain(["any".to_owned()]).collect();
    for info in &CODES {
        assert!(!info.raised_by.is_empty(), "{} is raised by nothing", info.code);
        for command in info.raised_by {
            assert!(known.contains(*command), "{}: there is no command {command:?}", info.code);
        }
    }
}

#[test]
fn every_code_is_explained_to_people() {
    let place = Place::new();
    for info in &CODES {
        let run = place.run_args(&["explain", info.code]);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{}", info.code);
        let page = String::from_utf8(run.stdout).expect("text");
        for part in [info.code, info.summary, info.cause, info.cure] {
            assert!(page.contains(part), "{} lacks {part:?}:\n{page}", info.code);
        }
        assert!(page.contains(&info.exit.to_string()), "{page}");
    }
    let run = place.run("explain");
    assert_eq!(run.status, 0);
    let table = String::from_utf8(run.stdout).expect("text");
    assert_eq!(table.lines().count(), CODES.len());
    for (line, info) in table.lines().zip(&CODES) {
        assert!(line.starts_with(info.code) && line.ends_with(info.summary), "{line}");
    }
}

#[test]
fn every_code_is_explained_to_programs() {
    let place = Place::new();
    for info in &CODES {
        let report = place.run_args(&["explain", info.code, "--json"]).ok();
        let result = &report["result"];
        assert_eq!((&result["code"], &result["known"]), (&json!(info.code), &json!(true)));
        assert_eq!(result["summary"], info.summary, "{}", info.code);
        assert_eq!((&result["cause"], &result["cure"]), (&json!(info.cause), &json!(info.cure)), "{}", info.code);
        let exits: Vec<u64> =
            result["exit_codes"].as_array().into_iter().flatten().filter_map(|e| e.as_u64()).collect();
        assert!(exits.contains(&u64::from(info.exit)), "{}: {exits:?}", info.code);
        assert_eq!(result["raised_by"], json!(info.raised_by), "{}", info.code);
    }
    let report = place.run("explain --json").ok();
    let listed: Vec<&str> =
        report["result"]["codes"].as_array().into_iter().flatten().filter_map(|c| c["code"].as_str()).collect();
    assert_eq!(listed, CODES.iter().map(|c| c.code).collect::<Vec<_>>());
}

#[test]
fn a_code_is_found_however_it_is_written() {
    let place = Place::new();
    for written in ["schema_invalid", "SCHEMA_INVALID", "x07wasm_schema_invalid", "SCHEMA-INVALID", " SCHEMA_INVALID "]
    {
        let report = place.run_args(&["explain", written, "--json"]).ok();
        assert_eq!(report["result"]["code"], "X07WASM_SCHEMA_INVALID", "{written:?}");
    }
    for written in ["x07-move-0901", "X07-MOVE-0901"] {
        let report = place.run_args(&["explain", written, "--json"]).ok();
        assert_eq!(report["result"]["code"], "X07-MOVE-0901", "{written:?}");
    }
}

#[test]
fn an_unknown_code_is_refused_with_what_was_meant() {
    let place = Place::new();
    for (written, meant) in [("SCHEMA_INVALD", "X07WASM_SCHEMA_INVALID"), ("X07-MOVE-0909", "X07-MOVE-0901")] {
        let report = place.run_args(&["explain", written, "--json"]).expect(3, "X07WASM_EXPLAIN_CODE_UNKNOWN");
        let suggestions = report["result"]["suggestions"].as_array().expect("a list");
        assert!(suggestions.contains(&json!(meant)), "{written}: {suggestions:?}");
        assert_eq!(report["result"]["known"], false);
    }
    for odd in ["", " ", "ß", "-", "no such code", &"X".repeat(100_000)] {
        let report = place.run_args(&["explain", "--json", "--", odd]).expect(3, "X07WASM_EXPLAIN_CODE_UNKNOWN");
        assert_eq!(report["result"]["known"], false, "{odd:?}");
    }
}

/// All files below a folder that has them, sorted.
fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("readable").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

/// The words of a text that could be codes.
fn words(text: &str) -> BTreeSet<&str> {
    let part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_' || c == '-';
    text.split(|c: char| !part(c)).filter(|w| w.len() >= 8).collect()
}

/// Splits Rust source into the program and its unit tests, which stand last.
fn split(path: &Path, text: &str) -> (String, String) {
    let path = path.strip_prefix(root()).expect("in the repository");
    let in_tests = path.components().any(|c| c.as_os_str() == "tests") || path.ends_with("tests.rs");
    match text.find("#[cfg(test)]\nmod tests {") {
        _ if in_tests => (String::new(), text.to_owned()),
        Some(at) => (text[..at].to_owned(), text[at..].to_owned()),
        None => (text.to_owned(), String::new()),
    }
}

#[test]
fn every_code_is_raised_by_the_program() {
    let mut sources = Vec::new();
    files(&root().join("src"), &mut sources);
    let mut program = String::new();
    for path in sources.iter().filter(|p| p.extension().is_some_and(|e| e == "rs")) {
        program.push_str(&split(path, &fs::read_to_string(path).expect("text")).0);
    }
    let literal = words(&program);
    let mut named: BTreeSet<&str> = BTreeSet::new();
    for part in program.split("Code::").skip(1) {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(part.len());
        named.insert(&part[..end]);
    }
    let raised = |info: &&CodeInfo| {
        let variant = Code::find(info.code).map(|code| format!("{code:?}")).unwrap_or_default();
        literal.contains(info.code) || named.contains(variant.as_str())
    };
    let unused: Vec<&str> = CODES.iter().filter(|info| !raised(info)).map(|info| info.code).collect();
    assert!(unused.is_empty(), "in the catalogue, but nothing raises them: {unused:?}");
}

#[test]
fn every_code_is_named_in_a_test() {
    let mut tested: BTreeSet<String> = BTreeSet::new();
    let mut paths = Vec::new();
    for folder in ["tests/suite", "tests/hostile", "tests/language", "src"] {
        files(&root().join(folder), &mut paths);
    }
    for path in paths {
        // This file names codes without raising them.
        if path.ends_with("suite/catalogue.rs") || path.extension().is_none_or(|e| e != "rs" && e != "json") {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let text = if path.starts_with(root().join("src")) { split(&path, &text).1 } else { text };
        tested.extend(words(&text).into_iter().map(str::to_owned));
    }
    let excused: BTreeSet<&str> = NOT_PROVOKED.iter().map(|(code, _)| *code).collect();
    let untested: Vec<&str> =
        CODES.iter().map(|c| c.code).filter(|c| !tested.contains(*c) && !excused.contains(c)).collect();
    assert!(untested.is_empty(), "no test names these codes: {untested:#?}");
    for (code, reason) in NOT_PROVOKED {
        assert!(Code::find(code).is_some(), "{code} is excused and does not exist");
        assert!(!tested.contains(code), "{code} is excused ({reason}), but a test names it");
    }
}

#[test]
fn documentation_names_only_codes_that_exist() {
    let mut pages = Vec::new();
    files(&root().join("docs"), &mut pages);
    pages.push(root().join("README.md"));
    for path in pages.iter().filter(|p| p.extension().is_some_and(|e| e == "md")) {
        let text = fs::read_to_string(path).expect("text");
        for word in words(&text).into_iter().filter(|w| w.starts_with("X07WASM_")) {
            // A trailing `_` stands for a family of codes.
            let family = word.ends_with('_') && CODES.iter().any(|c| c.code.starts_with(word));
            assert!(family || Code::find(word).is_some(), "{} names {word}", path.display());
        }
    }
}
