//! Every contract: its fixtures, and that the validator and the Rust type agree.
//!
//! A contract has a folder `tests/fixtures/contracts/<schema file without .schema.json>` with
//! `minimal.json`, `maximal.json` and `invalid/<mistake>.json`, each of the last with the pointers
//! and rules that it breaks in `<mistake>.expect.json`.

use crate::compiler_of_contracts::compiler;
use crate::support::{bless, root};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use x07_wasm::contract::json::canonical;
use x07_wasm::contract::validate::{validator, violations};
use x07_wasm_contracts::contract::{ContractInfo, Role};
use x07_wasm_contracts::registry::{CONTRACTS, round_trip};

/// Mutants of each fixture.
const MUTANTS: u32 = 40;

/// The contracts that have documents.
fn documented() -> impl Iterator<Item = &'static ContractInfo> {
    CONTRACTS.iter().filter(|c| c.role != Role::Definitions)
}

fn stem(contract: &ContractInfo) -> &'static str {
    contract.file.strip_suffix(".schema.json").expect("a schema file")
}

fn fixtures() -> PathBuf {
    root().join("tests/fixtures/contracts")
}

fn read(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut names: Vec<String> =
        entries.map(|e| e.expect("readable").file_name().into_string().expect("a plain name")).collect();
    names.sort();
    names
}

/// The documents of a contract that break it, with their paths.
fn invalid(contract: &ContractInfo) -> Vec<PathBuf> {
    let folder = fixtures().join(stem(contract)).join("invalid");
    let all = names(&folder).into_iter();
    all.filter(|n| n.ends_with(".json") && !n.ends_with(".expect.json")).map(|n| folder.join(n)).collect()
}

/// Asserts that the type of a contract reads a document and writes it unchanged.
#[track_caller]
fn assert_lossless(contract: &ContractInfo, document: &Value, what: &str) {
    match round_trip(contract.id, document.clone()) {
        None => panic!("{}: no type", contract.file),
        Some(Err(e)) => panic!("{what}: the validator accepts it, its type does not: {e}"),
        Some(Ok(written)) => assert_eq!(&written, document, "{what}: the type loses something"),
    }
}

#[test]
fn every_contract_has_fixtures_and_every_fixture_a_contract() {
    let expected: BTreeSet<String> = documented().map(|c| stem(c).to_owned()).collect();
    let there: BTreeSet<String> = names(&fixtures()).into_iter().collect();
    let missing: Vec<_> = expected.difference(&there).collect();
    let stale: Vec<_> = there.difference(&expected).collect();
    assert!(missing.is_empty(), "contracts without fixtures: {missing:?}");
    assert!(stale.is_empty(), "fixtures of contracts that do not exist: {stale:?}");
    for contract in documented() {
        let folder = fixtures().join(stem(contract));
        assert_eq!(names(&folder), ["invalid", "maximal.json", "minimal.json"], "{}", folder.display());
        let documents = invalid(contract);
        assert!(documents.len() >= 3, "{} has {} invalid documents", stem(contract), documents.len());
        let expectations: BTreeSet<String> =
            names(&folder.join("invalid")).into_iter().filter(|n| n.ends_with(".expect.json")).collect();
        for name in names(&folder.join("invalid")) {
            assert!(name.ends_with(".json"), "{}/invalid/{name} is nothing that is looked at", folder.display());
        }
        let wanted: BTreeSet<String> = documents
            .iter()
            .map(|p| format!("{}.expect.json", p.file_stem().expect("a name").to_string_lossy()))
            .collect();
        let stale: Vec<_> = expectations.difference(&wanted).collect();
        assert!(stale.is_empty(), "{}: expectations of no document: {stale:?}", folder.display());
        let missing: Vec<_> = wanted.difference(&expectations).collect();
        assert!(missing.is_empty() || bless(), "{}: missing {missing:?}; run with X07_BLESS=1", folder.display());
    }
}

#[test]
fn the_smallest_and_the_largest_document_are_valid_and_lossless() {
    for contract in documented() {
        for name in ["minimal.json", "maximal.json"] {
            let document = read(&fixtures().join(stem(contract)).join(name));
            let what = format!("{}/{name}", stem(contract));
            assert_eq!(violations(contract, &document), [], "{what}");
            assert_lossless(contract, &document, &what);
        }
    }
}

#[test]
fn the_largest_document_has_every_member_of_the_contract() {
    for contract in documented() {
        let schema: Value = serde_json::from_str(contract.text).expect("JSON");
        let document = read(&fixtures().join(stem(contract)).join("maximal.json"));
        for name in schema["properties"].as_object().into_iter().flat_map(|p| p.keys()) {
            // Alternatives of which only one may stand there are not all in one document.
            let exclusive =
                schema.get("oneOf").is_some() || schema.get("anyOf").is_some() || schema.get("not").is_some();
            assert!(exclusive || document.get(name).is_some(), "{}/maximal.json lacks {name:?}", stem(contract));
        }
    }
}

#[test]
fn the_smallest_document_has_only_what_is_required() {
    for contract in documented() {
        let schema: Value = serde_json::from_str(contract.text).expect("JSON");
        let Some(required) = schema["required"].as_array() else { continue };
        if schema["oneOf"].is_array() || schema["anyOf"].is_array() || schema["allOf"].is_array() {
            continue;
        }
        let document = read(&fixtures().join(stem(contract)).join("minimal.json"));
        for name in document.as_object().into_iter().flat_map(|d| d.keys()) {
            assert!(required.contains(&json!(name)), "{}/minimal.json: {name:?} is not required", stem(contract));
        }
    }
}

#[test]
fn invalid_documents_break_exactly_the_rules_that_are_noted() {
    let mut wrong = Vec::new();
    for contract in documented() {
        for path in invalid(contract) {
            let found: BTreeSet<(String, String)> =
                violations(contract, &read(&path)).into_iter().map(|v| (v.pointer, v.rule)).collect();
            let list: Vec<Value> = found.iter().map(|(p, r)| json!({"pointer": p, "rule": r})).collect();
            let expectation = path.with_extension("expect.json");
            assert!(!found.is_empty(), "{} is valid", path.display());
            if bless() {
                fs::write(&expectation, canonical::pretty(&Value::Array(list))).expect("written");
                continue;
            }
            let noted: BTreeSet<(String, String)> = read(&expectation)
                .as_array()
                .into_iter()
                .flatten()
                .map(|v| {
                    let text = |key: &str| v[key].as_str().expect("text").to_owned();
                    (text("pointer"), text("rule"))
                })
                .collect();
            if noted != found {
                let name = path.strip_prefix(fixtures()).expect("inside").display().to_string();
                wrong.push(format!("{name}\n  noted {noted:?}\n  found {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "X07_BLESS=1 notes what is found, once it is right:\n{}", wrong.join("\n"));
}

#[test]
fn every_violation_says_where_what_and_what_would_be_right() {
    for contract in documented() {
        for path in invalid(contract) {
            let document = read(&path);
            for violation in violations(contract, &document) {
                let what = format!("{}: {violation:?}", path.display());
                assert!(violation.message.len() >= 10 && violation.message.len() <= 4096, "{what}");
                assert!(document.pointer(&violation.pointer).is_some(), "{what}: leads nowhere");
                assert!(violation.place.starts_with(&violation.pointer), "{what}: the place is within the value");
                let schema: Value = serde_json::from_str(contract.text).expect("JSON");
                // The pointer leads through references, so only its start can be looked up.
                assert!(violation.schema_pointer.starts_with('/') && schema.is_object(), "{what}");
                for word in ["did not match any variant", "untagged", "expected struct"] {
                    assert!(!violation.message.contains(word), "{what}");
                }
            }
        }
    }
}

#[test]
fn only_contracts_with_documents_have_a_type() {
    for contract in &CONTRACTS {
        let has_type = round_trip(contract.id, Value::Null).is_some();
        assert_eq!(has_type, contract.role != Role::Definitions, "{}", contract.file);
    }
    assert!(round_trip("https://example.org/no/such.schema.json", Value::Null).is_none());
}

#[test]
fn the_documents_of_this_project_satisfy_their_contracts() {
    let mut seen = 0;
    for folder in ["arch", "examples"] {
        let mut files = Vec::new();
        collect(&root().join(folder), &mut files);
        for path in files {
            let document = read(&path);
            let Some(version) = document["schema_version"].as_str() else {
                panic!("{} has no schema_version", path.display())
            };
            // Programs are checked by the compiler.
            if version.starts_with("x07.x07ast@") {
                continue;
            }
            let contract = ContractInfo::find(version).unwrap_or_else(|| panic!("{}: no {version}", path.display()));
            assert_eq!(violations(contract, &document), [], "{}", path.display());
            assert_lossless(contract, &document, &path.display().to_string());
            seen += 1;
        }
    }
    assert!(seen >= 12, "only {seen} documents were found");
    for name in ["commands", "diagnostics"] {
        let contract = ContractInfo::find(name).expect("a contract");
        let document = read(&root().join(format!("schemas/{name}.json")));
        assert_eq!(violations(contract, &document), [], "schemas/{name}.json");
    }
}

/// The JSON files in a folder and below.
fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            // What building an example leaves behind is not committed.
            if !["build", "dist", "target", ".x07-wasm"].contains(&name.as_str()) {
                collect(&path, into);
            }
        } else if name.ends_with(".json") {
            into.push(path);
        }
    }
}

#[test]
fn the_index_of_schemas_is_complete_and_sorted() {
    let text = fs::read_to_string(root().join("schemas/index.json")).expect("the index");
    let index: Value = serde_json::from_str(&text).expect("JSON");
    let listed = index["schemas"].as_array().expect("a list");
    let ids: Vec<&str> = listed.iter().map(|s| s["id"].as_str().expect("text")).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "sorted by id, each once");
    let files: BTreeSet<String> = listed.iter().map(|s| s["path"].as_str().expect("text").to_owned()).collect();
    let there: BTreeSet<String> =
        names(&root().join("schemas")).into_iter().filter(|n| n.ends_with(".schema.json")).collect();
    assert_eq!(files, there);
    assert_eq!(text.into_bytes(), canonical::pretty(&index), "indented by two, keys sorted, a newline at the end");
    let registered: Vec<&str> = CONTRACTS.iter().map(|c| c.id).collect();
    assert_eq!(registered, ids);
}

#[test]
fn the_generated_code_is_what_the_contract_compiler_makes_of_the_schemas() {
    let files = match compiler::compile(&root().join("schemas")) {
        Ok(files) => files,
        Err(mistakes) => panic!("{:#?}", mistakes.0),
    };
    let folder = root().join("generated");
    if bless() {
        assert!(files.write(&folder).is_ok(), "generated/ cannot be written");
    }
    let mut made: Vec<String> = files.0.iter().map(|(name, _)| (*name).to_owned()).collect();
    made.sort();
    assert_eq!(names(&folder), made, "generated/ has a file too many or too few");
    for (name, content) in &files.0 {
        let committed = fs::read_to_string(folder.join(name)).expect("readable");
        let line = committed.lines().zip(content.lines()).position(|(a, b)| a != b);
        assert!(
            committed == *content,
            "generated/{name} is not current, first in line {line:?}; build once and commit it"
        );
    }
}

/// A change of a document at one of its nodes.
#[derive(Clone, Debug)]
enum Edit {
    /// Takes the node out of what holds it.
    Drop,
    /// Puts another value in its place.
    Replace(Value),
    /// Changes it a little, within its type.
    Tweak(u8),
    /// Gives it a member or item more.
    Add(String, Value),
    /// Puts a copy of another node of the document in its place.
    Copy(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => Just(Edit::Drop),
        2 => value().prop_map(Edit::Replace),
        3 => any::<u8>().prop_map(Edit::Tweak),
        1 => (name(), value()).prop_map(|(name, value)| Edit::Add(name, value)),
        1 => any::<Index>().prop_map(Edit::Copy),
    ]
}

/// Values of every type. Fractions without a fraction (`1.0`) and integers beyond 64 bits are left
/// out: the validator counts them as integers, and loading a document refuses them with a message
/// of its own, which other tests look at.
fn value() -> impl Strategy<Value = Value> {
    let values = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(300),
        json!(5_000_000_000_u64),
        json!(1.5),
        json!(""),
        json!("x"),
        json!("ab12"),
        json!("0".repeat(64)),
        json!("ä\u{0}\u{1f600}"),
        json!([]),
        json!({}),
        json!([null]),
        json!(["x", "y"]),
        json!({"x": 1}),
    ];
    any::<Index>().prop_map(move |index| index.get(&values).clone())
}

fn name() -> impl Strategy<Value = String> {
    let names = ["x", "id", "kind", "notes", "data", "type", "path", "a b", "schema_version", ""];
    any::<Index>().prop_map(move |index| (*index.get(&names)).to_owned())
}

/// Pointers of all nodes below the root, parents first.
fn pointers(value: &Value, at: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                into.push(pointer.clone());
                pointers(inner, &pointer, into);
            }
        }
        Value::Array(items) => {
            for (i, inner) in items.iter().enumerate() {
                let pointer = format!("{at}/{i}");
                into.push(pointer.clone());
                pointers(inner, &pointer, into);
            }
        }
        _ => {}
    }
}

fn apply(document: &mut Value, at: &Index, edit: &Edit) {
    let mut all = Vec::new();
    pointers(document, "", &mut all);
    if all.is_empty() {
        return;
    }
    let pointer = at.get(&all).clone();
    match edit {
        Edit::Drop => {
            let (parent, last) = pointer.rsplit_once('/').expect("below the root");
            match document.pointer_mut(parent) {
                Some(Value::Object(members)) => {
                    members.remove(&last.replace("~1", "/").replace("~0", "~"));
                }
                Some(Value::Array(items)) => {
                    items.remove(last.parse().expect("an index"));
                }
                _ => unreachable!("a parent has members or items"),
            }
        }
        Edit::Copy(other) => {
            let copy = document.pointer(other.get(all.as_slice()).as_str()).expect("a node").clone();
            *document.pointer_mut(&pointer).expect("a node") = copy;
        }
        Edit::Replace(value) => *document.pointer_mut(&pointer).expect("a node") = value.clone(),
        Edit::Tweak(how) => tweak(document.pointer_mut(&pointer).expect("a node"), *how),
        Edit::Add(name, value) => match document.pointer_mut(&pointer).expect("a node") {
            Value::Object(members) => {
                members.insert(name.clone(), value.clone());
            }
            Value::Array(items) => items.push(value.clone()),
            other => *other = value.clone(),
        },
    }
}

fn tweak(node: &mut Value, how: u8) {
    match node {
        Value::Null => {}
        Value::Bool(flag) => *flag = !*flag,
        Value::Number(number) => {
            let n = number.as_i64().unwrap_or(7);
            *node = match how % 4 {
                0 => json!(n.saturating_add(1)),
                1 => json!(n.saturating_sub(1)),
                2 => json!(0),
                _ => json!(i64::from(u32::MAX)),
            };
        }
        Value::String(text) => match how % 3 {
            0 => text.push('x'),
            1 => {
                text.pop();
            }
            _ => text.insert(0, 'z'),
        },
        Value::Array(items) => match (how % 3, items.first().cloned()) {
            (0, Some(first)) => items.push(first),
            (1, _) => items.clear(),
            _ => items.reverse(),
        },
        Value::Object(members) => {
            if how.is_multiple_of(2) {
                members.clear();
            }
        }
    }
}

#[test]
fn what_the_validator_accepts_its_type_accepts_and_keeps() {
    let accepted = Cell::new(0_u32);
    let tried = Cell::new(0_u32);
    for contract in documented() {
        let validator = validator(contract).expect("a valid schema");
        for name in ["minimal.json", "maximal.json"] {
            let original = read(&fixtures().join(stem(contract)).join(name));
            let config = Config { cases: MUTANTS, failure_persistence: None, ..Config::default() };
            let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
            let edits = proptest::collection::vec((any::<Index>(), edit()), 1..4);
            let outcome = TestRunner::new_with_rng(config, rng).run(&edits, |edits| {
                let mut document = original.clone();
                for (at, edit) in &edits {
                    apply(&mut document, at, edit);
                }
                tried.set(tried.get() + 1);
                if !validator.is_valid(&document) {
                    return Ok(());
                }
                accepted.set(accepted.get() + 1);
                match round_trip(contract.id, document.clone()) {
                    Some(Ok(written)) if written == document => Ok(()),
                    Some(Ok(written)) => Err(TestCaseError::fail(format!("lost: {document} was written as {written}"))),
                    Some(Err(e)) => Err(TestCaseError::fail(format!("the type refuses {document}: {e}"))),
                    None => Err(TestCaseError::fail("no type")),
                }
            });
            if let Err(error) = outcome {
                panic!("{}/{name}: {error}", stem(contract));
            }
        }
    }
    // Else the property says nothing.
    assert!(accepted.get() * 50 >= tried.get(), "only {} of {} mutants are valid", accepted.get(), tried.get());
}
