//! What a component is given: its bytes, arguments and standard input.

use crate::contract::digest;
use crate::contract::files::{Files, MAX_ARTIFACT_BYTES, shown};
use crate::contract::load;
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Context, Diag};
use crate::solve::input::blob;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::cli::ComponentRunArgs;
use x07_wasm_contracts::types::{BlobRef, FileDigest};

/// Longest argument that a report can carry, in characters.
const MAX_ARGUMENT: usize = 4096;

/// Everything that decides what a run does.
pub struct Inputs {
    /// The component.
    pub component: Vec<u8>,
    /// Its digest.
    pub component_digest: FileDigest,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its standard input.
    pub stdin: Vec<u8>,
    /// The same for the report.
    pub stdin_blob: BlobRef,
}

/// Reads the inputs.
///
/// # Errors
/// Everything that is wrong with them.
pub fn read(args: &ComponentRunArgs, context: &mut Context) -> Result<Inputs, Vec<Diag>> {
    let mut problems = Vec::new();
    let arguments = arguments(&args.args_json).map_err(|problem| problems.push(problem));
    let component = context.files.read(&args.component, MAX_ARTIFACT_BYTES).map_err(|error| {
        problems.push(unreadable(Code::ComponentRunComponentReadFailed, "the component", &error));
    });
    let stdin = stdin(args, &mut context.files).map_err(|problem| problems.push(problem));
    match (arguments, component, stdin) {
        (Ok(args_given), Ok(component), Ok((stdin, stdin_blob))) => Ok(Inputs {
            component_digest: digest::of(shown(&args.component), &component),
            component,
            args: args_given,
            stdin,
            stdin_blob,
        }),
        _ => Err(problems),
    }
}

/// The arguments out of a JSON array of strings.
fn arguments(text: &str) -> Result<Vec<String>, Diag> {
    let wrong = |what: String| {
        Diag::new(Code::ComponentRunArgsJsonInvalid, format!("--args-json {what}; write it as [\"one\",\"two\"]"))
    };
    let value = load::json_from_bytes("--args-json", text.as_bytes()).map_err(|problems| {
        let first = problems.first().map(|p| p.message.clone()).unwrap_or_default();
        wrong(format!("is not JSON: {first}"))
    })?;
    let Value::Array(items) = value else { return Err(wrong("is not an array".to_owned())) };
    let argument = |(i, item): (usize, Value)| match item {
        Value::String(text) if text.chars().count() <= MAX_ARGUMENT => Ok(text),
        Value::String(_) => Err(wrong(format!("has more than {MAX_ARGUMENT} characters in item {i}"))),
        _ => Err(wrong(format!("has no string as item {i}"))),
    };
    items.into_iter().enumerate().map(argument).collect()
}

fn stdin(args: &ComponentRunArgs, files: &mut Files) -> Result<(Vec<u8>, BlobRef), Diag> {
    if let Some(path) = &args.stdin {
        let path = without_mark(path);
        let bytes = files
            .read(&path, MAX_ARTIFACT_BYTES)
            .map_err(|error| unreadable(Code::ComponentRunStdinReadFailed, "standard input", &error))?;
        let blob = BlobRef { path: Some(shown(&path)), ..blob(&bytes) };
        return Ok((bytes, blob));
    }
    let bytes = match &args.stdin_b64 {
        Some(text) => STANDARD.decode(text.trim()).map_err(|error| {
            let message = format!("--stdin-b64 is not base64: {error}; use the standard alphabet with padding");
            Diag::new(Code::ComponentRunStdinBase64Invalid, message)
        })?,
        None => Vec::new(),
    };
    let blob = blob(&bytes);
    Ok((bytes, blob))
}

/// The file that `--stdin` names: `@name` is also understood, unless there is a file of just that
/// name.
pub fn without_mark(path: &Path) -> PathBuf {
    match path.to_str().and_then(|text| text.strip_prefix('@')) {
        Some(rest) if !path.exists() => PathBuf::from(rest),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_an_array_of_strings() {
        assert_eq!(arguments("[]").ok(), Some(Vec::new()));
        assert_eq!(arguments(r#"["one", "", "ü"]"#).ok(), Some(vec!["one".into(), String::new(), "ü".into()]));
        let longest = format!("[\"{}\"]", "ü".repeat(MAX_ARGUMENT));
        assert!(arguments(&longest).is_ok());
        let too_long = format!("[\"{}\"]", "a".repeat(MAX_ARGUMENT + 1));
        for bad in ["", "[", "{}", "\"a\"", "[1]", "[null]", "[[\"a\"]]", "[\"a\"] x", &too_long] {
            let diagnostic = arguments(bad).expect_err(bad).build();
            assert_eq!(diagnostic.code, "X07WASM_COMPONENT_RUN_ARGS_JSON_INVALID", "{bad}");
        }
    }

    #[test]
    fn a_mark_in_front_of_a_path_is_left_out() {
        assert_eq!(without_mark(Path::new("@in.bin")), Path::new("in.bin"));
        assert_eq!(without_mark(Path::new("in@.bin")), Path::new("in@.bin"));
        let folder = tempfile::tempdir().expect("a folder");
        let literal = folder.path().join("@in.bin");
        std::fs::write(&literal, "x").expect("written");
        assert_eq!(without_mark(&literal), literal);
    }
}
