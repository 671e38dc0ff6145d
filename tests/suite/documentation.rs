//! The documentation: its commands do what it says, its links lead somewhere, its JSON is valid.
//!
//! A block marked `sh` is executed line by line, top to bottom of a file, in a copy of the examples.
//! A line ends with `# exit N` when it is meant to fail. A `text` block that follows directly is the
//! exact standard output of the `sh` block. A block marked `console` is for people only.
//!
//! In the description of the language, a `json` block with a member `solve` is a program; the `text`
//! block that follows is what it yields for the input `hello`. The tables of the standard library
//! follow from its sources.

use crate::language::program::{ARENA, Compilation, MEMORY, Outcome, Program, entry};
#[cfg(unix)]
use crate::support::{Place, copy_tree};
use crate::support::{bless, root};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use x07_wasm::compiler::Options;
use x07_wasm::contract::ContractInfo;
use x07_wasm::contract::validate::violations;

/// A fenced block.
struct Block {
    /// The line of its fence, counted from 1.
    line: usize,
    /// The word behind the fence.
    kind: String,
    /// Its lines.
    text: String,
    /// Whether nothing but blank lines lies between it and the block before.
    follows: bool,
}

/// Every Markdown file that describes the project, sorted.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    for folder in ["docs", "examples"] {
        collect(&root().join(folder), "md", &mut found);
    }
    found.sort();
    assert!(found.len() > 6, "{found:?}");
    found
}

fn collect(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            collect(&path, ending, found);
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
}

/// The path of a document as the messages name it.
fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The blocks of a document, and the document without them.
fn blocks(path: &Path) -> (Vec<Block>, String) {
    let text = fs::read_to_string(path).expect("readable");
    let (mut blocks, mut prose): (Vec<Block>, String) = (Vec::new(), String::new());
    let (mut open, mut follows) = (false, false);
    for (at, line) in text.lines().enumerate() {
        if let Some(kind) = line.strip_prefix("```") {
            if open {
                assert_eq!(kind, "", "{}:{}: a fence inside a block", name(path), at + 1);
                follows = true;
            } else {
                blocks.push(Block { line: at + 1, kind: kind.to_owned(), text: String::new(), follows });
            }
            open = !open;
        } else if open {
            if let Some(block) = blocks.last_mut() {
                block.text.push_str(line);
                block.text.push('\n');
            }
        } else {
            follows = follows && line.trim().is_empty();
            prose.push_str(line);
            prose.push('\n');
        }
    }
    assert!(!open, "{}: the last block is not closed", name(path));
    (blocks, prose)
}

/// A command and the exit status that it is to have.
#[cfg(unix)]
fn expected_exit(line: &str) -> (&str, i32) {
    match line.rsplit_once("# exit ") {
        Some((command, status)) => (command, status.trim().parse().expect("a number behind `# exit`")),
        None => (line, 0),
    }
}

/// Executes the `sh` blocks of a document.
#[cfg(unix)]
fn execute(path: &Path) -> usize {
    use std::process::{Command, Stdio};
    let place = Place::new();
    for folder in ["examples", "arch/app", "arch/slo", "spec"] {
        copy_tree(&root().join(folder), &place.path(folder));
    }
    fs::copy(root().join("README.md"), place.path("README.md")).expect("copied");
    let program = Path::new(env!("CARGO_BIN_EXE_x07-wasm"));
    let mut search = vec![program.parent().expect("a folder").to_path_buf()];
    search.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let search = std::env::join_paths(search).expect("a search path");
    let (blocks, _) = blocks(path);
    let mut executed = 0;
    for (at, block) in blocks.iter().enumerate().filter(|(_, b)| b.kind == "sh") {
        let mut stdout = Vec::new();
        for line in block.text.lines().filter(|l| !l.trim().is_empty()) {
            let (command, exit) = expected_exit(line);
            let output = Command::new("sh")
                .args(["-c", command])
                .current_dir(place.path(""))
                .env("PATH", &search)
                .env_remove("X07_BLESS")
                .stdin(Stdio::null())
                .output()
                .expect("sh starts");
            let told = String::from_utf8_lossy(&output.stderr);
            let at = format!("{}:{}: {command}", name(path), block.line);
            assert_eq!(output.status.code(), Some(exit), "{at}\n{told}");
            stdout.extend(output.stdout);
            executed += 1;
        }
        if let Some(next) = blocks.get(at + 1).filter(|next| next.kind == "text" && next.follows) {
            assert_eq!(String::from_utf8_lossy(&stdout), next.text, "{}:{}", name(path), next.line);
        }
    }
    executed
}

#[cfg(unix)]
#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    assert!(execute(&root().join("README.md")) > 4);
}

#[cfg(unix)]
#[test]
fn the_commands_of_the_build_guide_do_what_it_says() {
    assert!(execute(&root().join("docs/guides/build-and-run.md")) > 4);
}

#[cfg(unix)]
#[test]
fn the_commands_of_the_interface_guide_do_what_it_says() {
    assert!(execute(&root().join("docs/guides/machine-interface.md")) > 4);
}

#[cfg(unix)]
#[test]
fn the_commands_of_all_other_documents_do_what_they_say() {
    let own = ["README.md", "docs/guides/build-and-run.md", "docs/guides/machine-interface.md"];
    for path in documents().iter().filter(|p| !own.contains(&name(p).as_str())) {
        execute(path);
    }
}

#[test]
fn every_block_says_what_it_is() {
    for path in documents() {
        for block in blocks(&path).0 {
            let known = ["sh", "console", "text", "json", "rust", "toml", "wat"].contains(&block.kind.as_str());
            assert!(known, "{}:{}: a block of the kind {:?}", name(&path), block.line, block.kind);
        }
    }
}

#[test]
fn json_in_the_documentation_is_valid() {
    for path in documents() {
        for block in blocks(&path).0.iter().filter(|b| b.kind == "json") {
            let at = format!("{}:{}", name(&path), block.line);
            let value: Value = serde_json::from_str(&block.text).unwrap_or_else(|e| panic!("{at}: {e}"));
            if let Some(contract) = value["schema_version"].as_str().and_then(ContractInfo::find) {
                assert_eq!(violations(contract, &value), [], "{at}");
            }
        }
    }
}

#[test]
fn programs_that_the_documentation_shows_are_the_examples() {
    let guide = root().join("docs/guides/build-and-run.md");
    let shown: Vec<Value> = blocks(&guide)
        .0
        .iter()
        .filter(|b| b.kind == "json")
        .filter_map(|b| serde_json::from_str(&b.text).ok())
        .filter(|v: &Value| v["kind"] == "entry")
        .collect();
    let file = fs::read_to_string(root().join("examples/solve_pure_echo/src/main.x07.json")).expect("readable");
    let echo: Value = serde_json::from_str(&file).expect("JSON");
    assert_eq!(shown, [echo], "the guide shows another program than examples/solve_pure_echo");
}

#[test]
fn programs_in_the_description_of_the_language_yield_what_it_says() {
    let path = root().join("docs/language.md");
    let (blocks, _) = blocks(&path);
    let mut executed = 0;
    for (at, block) in blocks.iter().enumerate().filter(|(_, b)| b.kind == "json") {
        let place = format!("{}:{}", name(&path), block.line);
        let value: Value = serde_json::from_str(&block.text).unwrap_or_else(|e| panic!("{place}: {e}"));
        let Some(solve) = value.get("solve") else { continue };
        let part = |name: &str| value.get(name).map_or_else(|| "[]".to_owned(), Value::to_string);
        let text = entry("x07.x07ast@0.9.0", &part("imports"), &part("decls"), &solve.to_string());
        let wasm = Program::of_entry(text).wasm(&Options::default(), MEMORY);
        let next = blocks.get(at + 1).filter(|next| next.kind == "text" && next.follows);
        let shown = next.unwrap_or_else(|| panic!("{place}: what it yields does not follow"));
        let wanted = shown.text.strip_suffix('\n').unwrap_or(&shown.text).as_bytes().to_vec();
        assert_eq!(Compilation::new(&wasm).run(b"hello", ARENA), Outcome::Output(wanted), "{place}");
        executed += 1;
    }
    assert!(executed > 4, "only {executed} programs were found");
}

/// A type as signatures show it.
fn type_text(ty: &Value, brand: &Value) -> String {
    // ["t", NAME] is a type parameter.
    let name = ty.as_str().or_else(|| ty[1].as_str()).unwrap_or_default();
    match brand.as_str() {
        Some(brand) => format!("{name}@{brand}"),
        None => name.to_owned(),
    }
}

/// The row of a function in the tables of the standard library.
fn row(function: &Value) -> String {
    let list = |member: &str| function[member].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut generic = Vec::new();
    for param in list("type_params") {
        match param["bound"].as_str() {
            Some(bound) => generic.push(format!("{}: {bound}", text(&param["name"]))),
            None => generic.push(text(&param["name"])),
        }
    }
    let generic = if generic.is_empty() { String::new() } else { format!("<{}>", generic.join(", ")) };
    let params: Vec<String> = list("params")
        .iter()
        .map(|param| format!("{}: {}", text(&param["name"]), type_text(&param["ty"], &param["brand"])))
        .collect();
    let result = type_text(&function["result"], &function["result_brand"]);
    let signature = format!("{}{generic}({}) -> {result}", text(&function["name"]), params.join(", "));
    format!("| `{signature}` | {} |\n", text(&function["doc"]))
}

/// The tables of the standard library: its modules, and the functions of each.
fn library() -> String {
    let mut files = Vec::new();
    collect(&root().join("src/compiler/std"), "json", &mut files);
    let mut modules = BTreeMap::new();
    for file in &files {
        let document: Value = serde_json::from_slice(&fs::read(file).expect("readable")).expect("JSON");
        let id = document["module_id"].as_str().expect("an id").to_owned();
        if !id.starts_with("std.internal.") {
            modules.insert(id, document);
        }
    }
    let (mut overview, mut sections) = (String::from("| module | |\n|---|---|\n"), String::new());
    for (id, document) in &modules {
        let summary = document["meta"]["summary"].as_str().expect("a summary");
        overview.push_str(&format!("| [`{id}`](#{}) | {summary} |\n", id.replace('.', "")));
        sections.push_str(&format!("\n## {id}\n\n{summary}\n\n| function | |\n|---|---|\n"));
        let decls = document["decls"].as_array().expect("declarations");
        let exports = decls.iter().filter_map(|decl| decl["names"].as_array()).flatten();
        for export in exports.filter_map(Value::as_str).collect::<BTreeSet<_>>() {
            let function = decls.iter().find(|decl| decl["name"] == export).expect("what is exported");
            assert_ne!(function["doc"].as_str().unwrap_or_default(), "", "{export} says nothing about itself");
            sections.push_str(&row(function));
        }
    }
    overview + &sections
}

#[test]
fn the_standard_library_is_listed_as_it_is() {
    let path = root().join("docs/standard-library.md");
    let text = fs::read_to_string(&path).expect("readable");
    let (start, _) = text.split_once("| module |").expect("the table of modules");
    let wanted = format!("{start}{}", library());
    if bless() {
        fs::write(&path, &wanted).expect("written");
        return;
    }
    let (found, wanted): (BTreeSet<&str>, BTreeSet<&str>) = (text.lines().collect(), wanted.lines().collect());
    let wrong: Vec<&&str> = found.symmetric_difference(&wanted).collect();
    assert!(wrong.is_empty(), "X07_BLESS=1 brings the tables up to date; lines that differ: {wrong:#?}");
}

/// The targets of the links in a text.
fn links(prose: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in prose.match_indices("](") {
        let rest = &prose[at + 2..];
        if let Some(end) = rest.find(')') {
            found.push(rest[..end].to_owned());
        }
    }
    found
}

/// The anchors of a document: its headings in lower case, words joined by dashes.
fn anchors(prose: &str) -> BTreeSet<String> {
    prose
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>()
        })
        .collect()
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let mut checked = 0;
    for path in documents() {
        let (_, prose) = blocks(&path);
        for link in links(&prose).into_iter().filter(|l| !l.contains("://") && !l.starts_with("mailto:")) {
            let (file, anchor) = match link.split_once('#') {
                Some((file, anchor)) => (file.to_owned(), Some(anchor.to_owned())),
                None => (link.clone(), None),
            };
            let target = if file.is_empty() { path.clone() } else { path.parent().expect("a folder").join(&file) };
            assert!(target.exists(), "{}: the link {link} leads nowhere", name(&path));
            if let Some(anchor) = anchor {
                let known = anchors(&blocks(&target).1);
                assert!(known.contains(&anchor), "{}: {link}: the headings are {known:?}", name(&path));
            }
            checked += 1;
        }
    }
    assert!(checked > 10, "only {checked} links were found");
}
