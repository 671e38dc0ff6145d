//! The corpus in `tests/language`: programs with their inputs and outputs, and programs that are
//! refused.
//!
//! A file is `{"topic", "cases": [CASE, …]}`. A case has
//!
//! | member | meaning |
//! |---|---|
//! | `name`, `about` | what it is, and what it promises |
//! | `solve`, `decls`, `imports`, `schema` | parts of the entry file |
//! | `modules` | further files by module id, as documents or as texts; `main` instead of the parts |
//! | `options` | limits of the compiler |
//! | `runs` | list of `{"input", "output"}` or `{"input", "trap"}`, with `arena` in bytes if need be |
//! | `warned` | the warnings of a program that runs |
//! | `refused` | the problems of a program that does not compile, in order |
//! | `fixed` | runs of the program after all offered edits were made |
//!
//! Bytes are a text, or `{"hex": …}`. A problem is `{"code", "ptr"}`, with `module` when it is not
//! `main`, and if wanted `function`, `hint` (a part of its message or notes) and `data`. A trap has
//! some of `reason`, `function`, `module`, `ptr`, and `clause`: members of the contract clause that did
//! not hold, as reports show it. A member of `modules` may also be a budget profile, under its path.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use x07_wasm::compiler::Options;
use x07_wasm::compiler::problem::Problem;
use x07_wasm::contract::json::tree::{Limits, NodeId, Tree};
use x07_wasm::solve::violation::Violation;

use super::patch;
use super::program::{ARENA, Compilation, Outcome, Place, Program, entry, is_error, list};
use crate::support::root;

/// Members of a case that are parts of files.
const PARTS: [&str; 5] = ["schema", "imports", "decls", "solve", "modules"];

/// A case of the corpus.
pub struct Case {
    program: Program,
    rules: Rules,
}

/// What a case says about its program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    name: String,
    about: String,
    #[serde(default)]
    options: Limited,
    #[serde(default)]
    runs: Vec<Run>,
    #[serde(default)]
    warned: Vec<Expected>,
    refused: Option<Vec<Expected>>,
    #[serde(default)]
    fixed: Vec<Run>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Limited {
    max_entry_bytes: Option<usize>,
    max_ast_nodes: Option<usize>,
    max_locals: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    input: Bytes,
    arena: Option<u32>,
    output: Option<Bytes>,
    trap: Option<ExpectedTrap>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Hex { hex: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedTrap {
    reason: Option<String>,
    function: Option<String>,
    module: Option<String>,
    ptr: Option<String>,
    #[serde(default)]
    clause: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    code: String,
    ptr: String,
    module: Option<String>,
    function: Option<String>,
    hint: Option<String>,
    #[serde(default)]
    data: BTreeMap<String, Value>,
}

/// The folder of the corpus.
fn folder() -> PathBuf {
    root().join("tests/language")
}

/// The names of all files of the corpus, without their ending.
pub fn topics() -> BTreeSet<String> {
    topics_in(&folder())
}

/// The names of all files of a folder of cases, without their ending.
pub fn topics_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("the corpus");
    let names = entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"));
    names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect()
}

/// The cases of a file.
pub fn read(topic: &str) -> Vec<Case> {
    read_in(&folder(), topic)
}

/// The cases of a file in a folder of cases.
pub fn read_in(folder: &Path, topic: &str) -> Vec<Case> {
    let text = fs::read_to_string(folder.join(format!("{topic}.json"))).expect("the file is there");
    let tree = Tree::parse(&text, Limits::PROGRAM).unwrap_or_else(|problems| panic!("{topic}: {problems:?}"));
    let cases = tree.get(tree.root(), "cases").expect("cases");
    let cases: Vec<Case> = tree.children(cases).map(|node| case(&tree, node)).collect();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.rules.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "{topic}: a name stands twice");
    cases
}

/// Reads a case. Parts of files are taken as they stand: the order of members decides in which
/// order problems are reported.
fn case(tree: &Tree<'_>, node: NodeId) -> Case {
    let part = |name: &str| tree.get(node, name).map(|part| &tree.text()[tree.span(part)]);
    let mut files = BTreeMap::new();
    if let Some(modules) = tree.get(node, "modules") {
        for (id, module) in tree.members(modules) {
            let text = match tree.string(module) {
                Some(text) => text.into_owned(),
                None => tree.text()[tree.span(module)].to_owned(),
            };
            files.insert(id.into_owned(), text);
        }
    }
    if let Some(solve) = part("solve") {
        let schema = tree.get(node, "schema").and_then(|schema| tree.string(schema));
        let schema = schema.as_deref().unwrap_or("x07.x07ast@0.9.0");
        let text = entry(schema, part("imports").unwrap_or("[]"), part("decls").unwrap_or("[]"), solve);
        files.insert("main".to_owned(), text);
    }
    let mut rules = tree.to_value(node);
    if let Some(members) = rules.as_object_mut() {
        for part in PARTS {
            members.remove(part);
        }
    }
    let pointer = tree.pointer(node);
    let rules: Rules = serde_json::from_value(rules).unwrap_or_else(|error| panic!("{pointer}: {error}"));
    assert!(!rules.about.is_empty(), "{}: says nothing about itself", rules.name);
    assert!(files.contains_key("main"), "{}: there is no entry", rules.name);
    assert!(rules.refused.is_some() == rules.runs.is_empty(), "{}: it is either refused or run", rules.name);
    Case { program: Program { files }, rules }
}

impl Bytes {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Hex { hex } => hex::decode(hex).expect("hexadecimal digits"),
        }
    }
}

impl Limited {
    fn options(&self) -> Options {
        let usual = Options::default();
        Options {
            max_entry_bytes: self.max_entry_bytes.unwrap_or(usual.max_entry_bytes),
            max_ast_nodes: self.max_ast_nodes.unwrap_or(usual.max_ast_nodes),
            max_locals: self.max_locals.unwrap_or(usual.max_locals),
        }
    }
}

impl Case {
    /// The codes of all problems that the case expects.
    pub fn codes(&self) -> Vec<String> {
        let refused = self.rules.refused.iter().flatten();
        refused.chain(&self.rules.warned).map(|problem| problem.code.clone()).collect()
    }

    /// The case's name.
    pub fn name(&self) -> &str {
        &self.rules.name
    }

    /// The case's program, and the limits that it is compiled with.
    pub fn program(&self) -> (&Program, Options) {
        (&self.program, self.rules.options.options())
    }

    /// The inputs of all runs, each with the size of the arena.
    pub fn inputs(&self) -> Vec<(Vec<u8>, u32)> {
        self.rules.runs.iter().map(|run| (run.input.bytes(), run.arena.unwrap_or(ARENA))).collect()
    }

    /// What of the case does not hold.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let compiled = self.program.compile(&self.rules.options.options());
        let errors = compiled.problems.iter().any(is_error);
        if compiled.wasm.is_some() == errors {
            failures.push("there is a module exactly when there is no error".to_owned());
        }
        match &self.rules.refused {
            Some(refused) => {
                if !errors {
                    failures.push("it is not refused".to_owned());
                }
                compare(&compiled.problems, refused, &mut failures);
                self.check_fixes(&compiled.problems, &mut failures);
            }
            None => {
                compare(&compiled.problems, &self.rules.warned, &mut failures);
                if let Some(wasm) = &compiled.wasm {
                    check_runs(wasm, &self.rules.runs, &mut failures);
                }
            }
        }
        failures.iter().map(|failure| format!("{} ({}): {failure}", self.rules.name, self.rules.about)).collect()
    }

    /// Checks every offered edit: it fits the file, and the problem is gone after it.
    fn check_fixes(&self, problems: &[Problem], failures: &mut Vec<String>) {
        for problem in problems.iter().filter(|problem| problem.fix.is_some()) {
            match fix(&self.program, problem) {
                Ok(program) => {
                    let left = program.compile(&self.rules.options.options()).problems;
                    let same = |other: &&Problem| other.code == problem.code && other.pointer == problem.pointer;
                    if let Some(other) = left.iter().find(same)
                        && other.message == problem.message
                    {
                        failures.push(format!("the fix at {} leaves the problem", problem.pointer));
                    }
                }
                Err(reason) => failures.push(format!("the fix at {} does not fit: {reason}", problem.pointer)),
            }
        }
        if self.rules.fixed.is_empty() {
            return;
        }
        // Edits move what stands behind them: one, then look again.
        let mut program = self.program.clone();
        for _ in 0..10 {
            let compiled = program.compile(&self.rules.options.options());
            if let Some(wasm) = &compiled.wasm {
                check_runs(wasm, &self.rules.fixed, failures);
                return;
            }
            let Some(problem) = compiled.problems.iter().find(|problem| problem.fix.is_some()) else {
                failures.push(format!("no fix is left, but problems are:\n{}", list(&compiled.problems)));
                return;
            };
            match fix(&program, problem) {
                Ok(fixed) => program = fixed,
                Err(reason) => {
                    failures.push(format!("the fix at {} does not fit: {reason}", problem.pointer));
                    return;
                }
            }
        }
        failures.push("the fixes do not come to an end".to_owned());
    }
}

/// The program after the edit that a problem offers.
fn fix(program: &Program, problem: &Problem) -> Result<Program, String> {
    let id = problem.module.as_deref().unwrap_or_default();
    let patch = problem.fix.as_ref().map(|fix| fix.patch.as_slice()).unwrap_or_default();
    let text = program.files.get(id).ok_or_else(|| format!("there is no file {id:?}"))?;
    let mut document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    patch::apply(&mut document, patch)?;
    let mut fixed = program.clone();
    fixed.files.insert(id.to_owned(), document.to_string());
    Ok(fixed)
}

fn compare(problems: &[Problem], expected: &[Expected], failures: &mut Vec<String>) {
    let found: Vec<(&str, &str, &str)> = problems
        .iter()
        .map(|problem| (problem.code.as_str(), problem.module.as_deref().unwrap_or("main"), problem.pointer.as_str()))
        .collect();
    let wanted: Vec<(&str, &str, &str)> = expected
        .iter()
        .map(|problem| (problem.code.as_str(), problem.module.as_deref().unwrap_or("main"), problem.ptr.as_str()))
        .collect();
    if found != wanted {
        failures.push(format!("problems are {found:?}, expected {wanted:?}\n{}", list(problems)));
        return;
    }
    for (problem, expected) in problems.iter().zip(expected) {
        let place = &problem.pointer;
        if expected.function.is_some() && expected.function != problem.function {
            failures.push(format!("{place}: the function is {:?}", problem.function));
        }
        if let Some(hint) = &expected.hint {
            let said = problem.notes.iter().any(|note| note.contains(hint)) || problem.message.contains(hint);
            if !said {
                failures.push(format!("{place}: {hint:?} is not in {:?} {:?}", problem.message, problem.notes));
            }
        }
        for (key, value) in &expected.data {
            if problem.data.get(key) != Some(value) {
                failures.push(format!("{place}: data.{key} is {:?}, expected {value}", problem.data.get(key)));
            }
        }
    }
}

fn check_runs(wasm: &[u8], runs: &[Run], failures: &mut Vec<String>) {
    let module = Compilation::new(wasm);
    for run in runs {
        let input = run.input.bytes();
        let outcome = module.run(&input, run.arena.unwrap_or(ARENA));
        let holds = match (&outcome, &run.output, &run.trap) {
            (Outcome::Output(found), Some(wanted), None) => *found == wanted.bytes(),
            (Outcome::Trapped(place), None, Some(trap)) => trap.fits(place),
            _ => false,
        };
        if !holds {
            let wanted = match (&run.output, &run.trap) {
                (Some(output), _) => format!("the output {:?}", String::from_utf8_lossy(&output.bytes())),
                (None, Some(trap)) => format!("a trap {:?} at {:?} {:?}", trap.reason, trap.ptr, trap.clause),
                (None, None) => "nothing: the run expects neither output nor trap".to_owned(),
            };
            let found = match outcome {
                Outcome::Output(bytes) => format!("the output {:?}", String::from_utf8_lossy(&bytes)),
                other => format!("{other:?}"),
            };
            failures.push(format!("for {:?}: {found}, expected {wanted}", String::from_utf8_lossy(&input)));
        }
    }
}

impl ExpectedTrap {
    fn fits(&self, place: &Place) -> bool {
        let same = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        same(&self.reason, place.reason)
            && same(&self.function, &place.function)
            && same(&self.module, &place.module)
            && same(&self.ptr, &place.pointer)
            && self.clause_fits(place)
    }

    fn clause_fits(&self, place: &Place) -> bool {
        let told = place.violation.as_ref().map(Violation::to_value).unwrap_or_default();
        self.clause.iter().all(|(key, wanted)| told.get(key) == Some(wanted))
    }
}
