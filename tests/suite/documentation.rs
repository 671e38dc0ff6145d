//! The documentation: its commands do what it says, its links lead somewhere, its JSON is valid.
//!
//! A block marked `sh` is executed line by line, top to bottom of a file, in a copy of the examples.
//! A line ends with `# exit N` when it is meant to fail. A `text` block that follows directly is the
//! exact standard output of the `sh` block. A block marked `console` is for people only.

use crate::support::root;
#[cfg(unix)]
use crate::support::{Place, copy_tree};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
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
        collect(&root().join(folder), &mut found);
    }
    found.sort();
    assert!(found.len() > 6, "{found:?}");
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "md") {
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
    copy_tree(&root().join("examples"), &place.path("examples"));
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
    let file = fs::read_to_string(root().join("examples/echo/src/main.x07.json")).expect("readable");
    let echo: Value = serde_json::from_str(&file).expect("JSON");
    assert_eq!(shown, [echo], "the guide shows another program than examples/echo");
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
