//! A regression test out of an incident: the trace, and a script that replays it.

use crate::contract::digest::sha256_hex;
use crate::contract::json::canonical;
use crate::contract::path::without_dots;
use serde_json::Value;
use std::path::{Component, Path};

/// The module that is tested when the incident does not name one.
pub const DEFAULT_COMPONENT: &str = "dist/http_reducer.wasm";
/// The line by which a script is known to be one of ours.
const MARK: &str = "# Made by `x07-wasm http regress from-incident`; it may be made again.";

/// The two files of a regression test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regression {
    /// What both names begin with: it follows from the trace.
    pub base: String,
    /// The trace.
    pub trace: Vec<u8>,
    /// The script.
    pub script: Vec<u8>,
}

impl Regression {
    /// The test of a trace against a module, to stand in `out_dir`.
    #[must_use]
    pub fn new(trace: &Value, component: &str, out_dir: &Path) -> Self {
        let trace = canonical::pretty(trace);
        let mut base = sha256_hex(&[b"http-regress:", trace.as_slice()].concat());
        base.truncate(16);
        let script = script(&base, component, out_dir).into_bytes();
        Self { base, trace, script }
    }

    /// The name of the trace.
    #[must_use]
    pub fn trace_name(&self) -> String {
        format!("{}.trace.json", self.base)
    }

    /// The name of the script.
    #[must_use]
    pub fn script_name(&self) -> String {
        format!("{}.sh", self.base)
    }

    /// Whether the content of a file that stands under the script's name came from here.
    #[must_use]
    pub fn is_script(content: &[u8]) -> bool {
        content.split(|byte| *byte == b'\n').take(3).any(|line| line == MARK.as_bytes())
    }
}

/// The script. Where the way from its folder back to the folder of the module is known, it goes there
/// itself; else it is to be called from there.
fn script(base: &str, component: &str, out_dir: &Path) -> String {
    let here = r#"here="$(CDPATH= cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)""#;
    let (go, folder) = match below(out_dir) {
        Some(names) => {
            let up = vec![".."; names.len()].join("/");
            let go = if up.is_empty() { r#"cd -- "$here""#.to_owned() } else { format!(r#"cd -- "$here/{up}""#) };
            (go, quoted(&names.iter().map(|name| format!("{name}/")).collect::<String>()))
        }
        None => (
            "# Call it from the folder in which the path of the module leads to it.".to_owned(),
            r#""$here"/"#.to_owned(),
        ),
    };
    let component = quoted(component);
    format!(
        "#!/usr/bin/env bash\n\
         {MARK}\n\
         set -euo pipefail\n\
         {here}\n\
         {go}\n\
         exec x07-wasm http test --component={component} --trace={folder}{base}.trace.json --json --report-out={folder}{base}.report.json --quiet-json\n"
    )
}

/// The names of a folder below the current one; `None` when it is elsewhere, or cannot be written
/// into a script as it is.
fn below(folder: &Path) -> Option<Vec<&str>> {
    let plain = without_dots(folder);
    if plain == Path::new(".") {
        return Some(Vec::new());
    }
    folder
        .components()
        .filter(|component| *component != Component::CurDir)
        .map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect()
}

/// A text as one word of a shell, whatever is in it.
fn quoted(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn made(component: &str, out_dir: &str) -> String {
        let made = Regression::new(&json!({"v": 1}), component, Path::new(out_dir));
        assert!(Regression::is_script(&made.script));
        String::from_utf8(made.script).expect("UTF-8")
    }

    #[test]
    fn names_follow_from_the_trace() {
        let trace = json!({"kind": "x07.http.trace", "steps": [], "v": 1});
        let a = Regression::new(&trace, "a.wasm", Path::new("x"));
        let b = Regression::new(&trace, "b.wasm", Path::new("y"));
        assert_eq!((a.base.len(), &a.base, &a.trace), (16, &b.base, &b.trace));
        assert_eq!(a.base, sha256_hex(&[b"http-regress:", canonical::pretty(&trace).as_slice()].concat())[..16]);
        assert_eq!((a.trace_name(), a.script_name()), (format!("{}.trace.json", a.base), format!("{}.sh", a.base)));
    }

    #[test]
    fn the_script_finds_its_way_back() {
        let script = made("dist/r.wasm", "./tests/regress/");
        assert!(script.contains("cd -- \"$here/../..\"\n"), "{script}");
        assert!(script.contains("--component='dist/r.wasm' --trace='tests/regress/'"), "{script}");
        assert!(made("r.wasm", ".").contains("cd -- \"$here\"\n"));
        for elsewhere in ["/abs", "../up", "a/../b"] {
            let script = made("r.wasm", elsewhere);
            assert!(script.contains("--trace=\"$here\"/") && !script.contains("/.."), "{script}");
        }
    }

    #[test]
    fn words_are_quoted() {
        assert_eq!(quoted("it's $HOME `x` \"y\" \\ \n"), "'it'\\''s $HOME `x` \"y\" \\ \n'");
        assert!(made("-x y.wasm", "a b").contains("--component='-x y.wasm' --trace='a b/'"));
    }

    #[test]
    fn other_files_are_not_ours() {
        assert!(!Regression::is_script(b"#!/bin/sh\necho hi\n"));
        assert!(!Regression::is_script(b""));
    }
}
