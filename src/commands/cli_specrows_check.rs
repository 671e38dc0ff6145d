//! `cli specrows check`: do specification rows follow their schema and rules, and are those of this
//! tool true?

mod drift;
mod rows;

use super::{Handler, ResultOf};
use crate::contract::digest;
use crate::contract::files::{MAX_DOCUMENT_BYTES, ReadError, read_stdin, shown};
use crate::contract::load::{self, LoadError, ProblemKind};
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Context, Diag, DocumentCodes};
use x07_wasm_contracts::cli::CliSpecrowsCheckArgs;
use x07_wasm_contracts::command_line;
use x07_wasm_contracts::types::{
    CliSpecrowsCheckReportResult, CliSpecrowsCheckReportResultMode as Mode, CliSpecrowsCheckReportSpecrowsInvariants,
    FileDigest, X07cliSpecrows,
};

const SCHEMA_ID: &str = "https://x07.org/spec/x07cli.specrows.schema.json";
const STDIN: &str = "<stdin>";
const CODES: DocumentCodes =
    DocumentCodes { read: Code::SpecrowsInputReadFailed, json: Code::SpecrowsParseFailed, schema: Code::SchemaInvalid };

impl Handler for CliSpecrowsCheckArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let source = match &self.in_ {
            _ if self.stdin => from_stdin(context),
            Some(path) => match context.files.read(path, MAX_DOCUMENT_BYTES) {
                Ok(bytes) => Source {
                    mode: Mode::FileV1,
                    name: shown(path),
                    digest: Some(digest::of(shown(path), &bytes)),
                    bytes: Some(bytes),
                },
                Err(error) => {
                    context.push(unreadable(CODES.read, "the file with specification rows", &error));
                    Source {
                        mode: Mode::FileV1,
                        name: shown(path),
                        digest: Some(digest::unread(shown(path))),
                        bytes: None,
                    }
                }
            },
            None => Source {
                mode: Mode::SelfV1,
                name: "x07-wasm --cli-specrows".to_owned(),
                digest: None,
                bytes: Some(crate::cli::specrows().into_bytes()),
            },
        };
        let result = check(context, source, self.expect_app_name);
        if !context.failed() {
            context.notes.push(format!("{} rows in {} scopes: ok", result.rows_count, result.scopes.len()));
        }
        result
    }
}

/// The rows to check.
struct Source {
    mode: Mode,
    name: String,
    /// `None` for the rows of this tool.
    digest: Option<FileDigest>,
    /// `None` when they could not be read.
    bytes: Option<Vec<u8>>,
}

fn from_stdin(context: &mut Context) -> Source {
    let bytes = match read_stdin(MAX_DOCUMENT_BYTES) {
        Ok(bytes) => Some(bytes),
        Err(error @ ReadError::Io { .. }) => {
            context.push(
                Diag::new(
                    Code::SpecrowsStdinIoFailed,
                    format!("standard input cannot be read: {error}; check what is connected to it, or use --in"),
                )
                .data("error", error.to_string()),
            );
            None
        }
        Err(error) => {
            context.push(unreadable(CODES.read, "the specification rows", &error));
            None
        }
    };
    let digest = bytes.as_ref().map_or_else(|| digest::unread(STDIN), |bytes| digest::of(STDIN, bytes));
    if bytes.is_some() {
        context.files.record_input(digest.clone());
    }
    Source { mode: Mode::StdinV1, name: STDIN.to_owned(), digest: Some(digest), bytes }
}

fn check(context: &mut Context, source: Source, expect_app_name: String) -> CliSpecrowsCheckReportResult {
    let own = source.mode == Mode::SelfV1;
    let mut result = CliSpecrowsCheckReportResult {
        input: Some(source.digest),
        invariants: CliSpecrowsCheckReportSpecrowsInvariants {
            app_name: None,
            app_version: None,
            expect_app_name,
            has_root_cli_specrows: false,
            has_root_help: false,
            has_root_version: false,
            ordering_checked: false,
            ordering_ok: false,
        },
        mode: source.mode,
        parsed_ok: false,
        rows_count: 0,
        schema_id: SCHEMA_ID.to_owned(),
        schema_valid: false,
        scopes: Vec::new(),
    };
    let Some(bytes) = source.bytes else { return result };
    let document = match load::from_bytes::<X07cliSpecrows>(&source.name, &bytes) {
        Ok(loaded) => {
            result.schema_valid = true;
            Some(loaded.value)
        }
        Err(error) => {
            context.extend(CODES.diagnose("specification rows", &error));
            let json = matches!(&error, LoadError::Problems(problems) if problems.iter().all(|p| p.kind == ProblemKind::Schema));
            if json { load::json_from_bytes(&source.name, &bytes).ok() } else { None }
        }
    };
    let Some(document) = document else { return result };
    let facts = rows::facts(&document);
    result.parsed_ok = true;
    result.rows_count = facts.rows_count;
    result.scopes.clone_from(&facts.scopes);
    result.invariants.app_name.clone_from(&facts.app_name);
    result.invariants.app_version.clone_from(&facts.app_version);
    if !result.schema_valid {
        return result;
    }
    result.invariants.has_root_help = facts.has_root_help;
    result.invariants.has_root_version = facts.has_root_version;
    result.invariants.has_root_cli_specrows = facts.has_root_cli_specrows;
    result.invariants.ordering_checked = true;
    result.invariants.ordering_ok = facts.out_of_order.is_none();
    context.extend(rows::problems(&facts, &result.invariants.expect_app_name));
    if own {
        let differences = drift::differences(&document, &command_line::command(env!("CARGO_PKG_VERSION")));
        if let Some(first) = differences.first() {
            let message = format!(
                "the specification rows and the parser differ in {} places, first: {first}; please report this as a mistake of x07-wasm",
                differences.len()
            );
            context.push(Diag::new(Code::SpecrowsDrift, message).data("differences", differences));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::path::PathBuf;
    use std::time::Instant;

    fn run(input: Option<PathBuf>, expect: &str) -> (CliSpecrowsCheckReportResult, Vec<String>, u8) {
        let mut context = Context::new(Vec::new(), true, Instant::now());
        let result =
            CliSpecrowsCheckArgs { expect_app_name: expect.to_owned(), in_: input, stdin: false }.run(&mut context);
        (result, context.diagnostics().map(|d| d.code.clone()).collect(), context.exit_code())
    }

    /// Checks text as a file.
    fn text(text: &str) -> (CliSpecrowsCheckReportResult, Vec<String>, u8) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows.json");
        std::fs::write(&path, text).expect("written");
        run(Some(path), "x07-wasm")
    }

    /// Checks the rows of this tool after a change.
    fn changed(change: impl FnOnce(&mut Vec<Value>)) -> (Vec<String>, u8) {
        let mut document: Value = serde_json::from_str(&crate::cli::specrows()).expect("JSON");
        change(document["rows"].as_array_mut().expect("rows"));
        let (_, codes, exit_code) = text(&document.to_string());
        (codes, exit_code)
    }

    #[test]
    fn the_rows_of_this_tool_pass() {
        let (result, codes, exit_code) = run(None, "x07-wasm");
        assert_eq!((codes, exit_code), (Vec::<String>::new(), 0));
        assert_eq!((result.mode, result.input), (Mode::SelfV1, Some(None)));
        assert!(result.parsed_ok && result.schema_valid && result.rows_count > 20);
        assert_eq!(result.scopes.first().map(String::as_str), Some("root"));
        let invariants = result.invariants;
        assert!(invariants.has_root_help && invariants.has_root_version && invariants.has_root_cli_specrows);
        assert!(invariants.ordering_checked && invariants.ordering_ok);
        assert_eq!(
            (invariants.app_name.as_deref(), invariants.app_version.as_deref()),
            (Some("x07-wasm"), Some(env!("CARGO_PKG_VERSION")))
        );
        let (result, codes, _) = text(&crate::cli::specrows());
        assert_eq!((result.mode, codes), (Mode::FileV1, Vec::<String>::new()));
        assert!(result.input.flatten().is_some_and(|d| d.bytes_len > 0));
    }

    #[test]
    fn each_rule_has_its_code_and_exit_1() {
        let one = |code: &str| (vec![code.to_owned()], 1);
        assert_eq!(changed(|rows| rows.swap(3, 4)), one("X07WASM_SPECROWS_ORDERING_INVALID"));
        let at = |rows: &[Value], kind: &str, long: &str| {
            rows.iter().position(|r| r[0] == "root" && r[1] == kind && r[3] == long).expect("a row")
        };
        for (kind, long, code) in [
            ("help", "--help", "X07WASM_SPECROWS_MISSING_ROOT_HELP"),
            ("version", "--version", "X07WASM_SPECROWS_MISSING_ROOT_VERSION"),
            ("flag", "--cli-specrows", "X07WASM_SPECROWS_MISSING_ROOT_CLI_SPECROWS"),
        ] {
            let remove = |rows: &mut Vec<Value>| {
                let index = at(rows, kind, long);
                rows.remove(index);
            };
            assert_eq!(changed(remove), one(code));
        }
        let twice = |rows: &mut Vec<Value>| {
            let index = at(rows, "opt", "--json");
            let row = rows[index].clone();
            rows.insert(index, row);
        };
        assert_eq!(changed(twice), one("X07WASM_SPECROWS_DUPLICATE_LONGOPT"));
        let (_, codes, exit_code) = run(None, "other");
        assert_eq!((codes, exit_code), one("X07WASM_SPECROWS_APP_NAME_MISMATCH"));
    }

    #[test]
    fn what_is_no_document_of_this_kind_exits_3() {
        let (result, codes, exit_code) = text("{\"rows\":");
        assert!(!result.parsed_ok && !result.schema_valid && !result.invariants.ordering_checked);
        assert_eq!((codes, exit_code), (vec!["X07WASM_SPECROWS_PARSE_FAILED".to_owned()], 3));
        assert_eq!(
            changed(|rows| rows.push(json!(["a b", "about", "text"]))),
            (vec!["X07WASM_SCHEMA_INVALID".to_owned()], 3)
        );
        let (result, codes, exit_code) = text("{\"rows\":[[\"b.c\",\"about\",1],[3],7],\"app\":[]}");
        assert!(
            result.parsed_ok
                && !result.schema_valid
                && exit_code == 3
                && codes.iter().all(|c| c == "X07WASM_SCHEMA_INVALID")
        );
        assert_eq!((result.rows_count, result.scopes), (3, vec!["b-c".to_owned()]));
        let (result, codes, exit_code) = run(Some(PathBuf::from("no/such/rows.json")), "x07-wasm");
        assert_eq!((codes, exit_code), (vec!["X07WASM_SPECROWS_INPUT_READ_FAILED".to_owned()], 3));
        assert!(result.input.flatten().is_some_and(|d| d.bytes_len == 0 && d.sha256 == digest::UNREAD));
    }
}
