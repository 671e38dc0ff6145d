//! Programs and what they print, and programs that are refused.
//!
//! | module | job |
//! |---|---|
//! | `corpus` | the cases in `tests/language`: how they are written and judged |
//! | `program` | compiles and runs a program in memory |
//! | `patch` | applies the edits that the compiler offers |
//! | `sizes` | large, deep and long-running programs; determinism |
//! | `standard` | the cases in `tests/std`: the standard modules |
//! | `sources` | sources that cannot be had, and what the binary says about programs |
//!
//! Expected values are worked out from the definition of the language, not from what the compiler
//! does. What a small program can show belongs into the corpus.

pub mod corpus;
mod patch;
pub mod program;
mod sizes;
mod sources;
mod standard;

use std::collections::BTreeSet;

use x07_wasm::report::Code;
use x07_wasm_contracts::diagnostics::ALL;

/// Judges all cases of a file and lists all that does not hold.
#[track_caller]
fn holds(topic: &str) {
    let failures: Vec<String> = corpus::read(topic).iter().flat_map(corpus::Case::failures).collect();
    assert!(failures.is_empty(), "{} failures in {topic}:\n{}", failures.len(), failures.join("\n"));
}

/// The files of the corpus, each with its test below.
const TOPICS: [&str; 27] = [
    "borrows",
    "brands",
    "budgets",
    "buffers-and-readers",
    "bytes",
    "coercions-and-brands",
    "containers",
    "contracts",
    "evaluation-order",
    "exits",
    "files",
    "floats",
    "forms",
    "generics",
    "json-and-float-text",
    "loops",
    "memory",
    "modules",
    "moves",
    "numbers",
    "operators",
    "options-and-results",
    "other-worlds-and-features",
    "records-and-enums",
    "tasks",
    "vectors",
    "views",
];

#[test]
fn every_file_of_the_corpus_has_its_test() {
    assert_eq!(corpus::topics(), TOPICS.iter().map(|topic| (*topic).to_owned()).collect::<BTreeSet<_>>());
}

#[test]
fn operators_on_numbers() {
    holds("operators");
}

#[test]
fn forms_scopes_and_statements() {
    holds("forms");
}

#[test]
fn loops_count_and_end_as_defined() {
    holds("loops");
}

#[test]
fn exits_from_anywhere_free_what_waits() {
    holds("exits");
}

#[test]
fn operands_are_evaluated_from_left_to_right() {
    holds("evaluation-order");
}

#[test]
fn operations_on_bytes() {
    holds("bytes");
}

#[test]
fn operations_on_views() {
    holds("views");
}

#[test]
fn operations_on_vectors_and_their_growth() {
    holds("vectors");
}

#[test]
fn numbers_as_text_and_bytes() {
    holds("numbers");
}

#[test]
fn options_and_results() {
    holds("options-and-results");
}

#[test]
fn owned_values_have_one_owner() {
    holds("moves");
}

#[test]
fn views_never_outlive_or_outrun_their_owner() {
    holds("borrows");
}

#[test]
fn coercions_and_brands() {
    holds("coercions-and-brands");
}

#[test]
fn modules_and_visibility() {
    holds("modules");
}

#[test]
fn structure_of_files() {
    holds("files");
}

#[test]
fn other_worlds_and_unsupported_features_are_named() {
    holds("other-worlds-and-features");
}

#[test]
fn scratch_buffers_and_readers() {
    holds("buffers-and-readers");
}

#[test]
fn maps_sets_and_lists_of_values() {
    holds("containers");
}

#[test]
fn generics_are_specialised() {
    holds("generics");
}

#[test]
fn brands_are_checked_and_kept() {
    holds("brands");
}

#[test]
fn budget_scopes_limit_what_they_hold() {
    holds("budgets");
}

#[test]
fn contracts_are_checked() {
    holds("contracts");
}

#[test]
fn floats_as_values_and_as_bytes() {
    holds("floats");
}

#[test]
fn records_enums_and_match() {
    holds("records-and-enums");
}

#[test]
fn tasks_channels_scopes_and_select() {
    holds("tasks");
}

#[test]
fn canonical_json_and_text_of_floats() {
    holds("json-and-float-text");
}

#[test]
fn loops_run_in_a_small_arena() {
    holds("memory");
}

#[test]
fn every_code_about_programs_is_raised_by_a_case() {
    let mut raised: BTreeSet<String> = BTreeSet::new();
    for topic in TOPICS {
        raised.extend(corpus::read(topic).iter().flat_map(corpus::Case::codes));
    }
    raised.extend(sources::CODES.iter().map(|code| (*code).to_owned()));
    let about_programs = |code: &str| ["X07-", "X07C_", "X07E_", "E_"].iter().any(|prefix| code.starts_with(prefix));
    let known: BTreeSet<String> =
        ALL.iter().map(|code| Code::as_str(*code)).filter(|code| about_programs(code)).map(str::to_owned).collect();
    assert_eq!(raised, known);
}
