//! `explain`: what a diagnostic code means and what to do about it.

use super::nearest::nearest;
use super::{Handler, ResultOf};
use crate::report::diagnostic::clip;
use crate::report::{Code, Context, Diag};
use std::fmt::Write as _;
use x07_wasm_contracts::cli::ExplainArgs;
use x07_wasm_contracts::contract::CodeInfo;
use x07_wasm_contracts::diagnostics::CODES;
use x07_wasm_contracts::types::{ExplainReportCodeSummary, ExplainReportResult};

/// What all codes of this tool begin with.
const PREFIX: &str = "X07WASM_";
/// Characters of an unknown code that are repeated in the report.
const MAX_CODE_CHARS: usize = 256;

impl Handler for ExplainArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let Some(asked) = self.code else {
            context.stdout = table().into_bytes();
            let codes = CODES.iter().map(|c| ExplainReportCodeSummary {
                code: c.code.to_owned(),
                severity: c.severity,
                summary: c.summary.to_owned(),
            });
            return ExplainReportResult { known: true, codes: codes.collect(), ..nothing() };
        };
        match find(&asked) {
            Some(code) => {
                let info = code.info();
                context.stdout = page(info).into_bytes();
                known(info)
            }
            None => {
                let suggestions = suggestions(&asked);
                let asked = clip(asked, MAX_CODE_CHARS);
                context.push(unknown(&asked, &suggestions));
                ExplainReportResult { code: Some(asked), suggestions, ..nothing() }
            }
        }
    }
}

/// Finds a code in any case, with or without its prefix, with `-` or `_` between its words.
fn find(asked: &str) -> Option<Code> {
    let text = normal(asked);
    let same = |code: &str| normal(code) == text || code.strip_prefix(PREFIX) == Some(text.as_str());
    CODES.iter().find(|info| same(info.code)).and_then(|info| Code::find(info.code))
}

/// As codes are written: capitals, underscores.
fn normal(asked: &str) -> String {
    asked.trim().to_ascii_uppercase().replace(['-', ' '], "_")
}

fn suggestions(asked: &str) -> Vec<String> {
    let text = normal(asked);
    let text = text.strip_prefix(PREFIX).unwrap_or(&text);
    let names = CODES.iter().map(|c| c.code.strip_prefix(PREFIX).unwrap_or(c.code));
    let near = nearest(text, names);
    near.into_iter().filter_map(find).map(|code| code.as_str().to_owned()).collect()
}

fn unknown(asked: &str, suggestions: &[String]) -> Diag {
    let hint = if suggestions.is_empty() {
        "`x07-wasm explain` lists all codes".to_owned()
    } else {
        format!("did you mean {}?", suggestions.join(", "))
    };
    Diag::new(Code::ExplainCodeUnknown, format!("there is no diagnostic code {asked:?}; {hint}"))
        .data("suggestions", suggestions.to_vec())
}

fn nothing() -> ExplainReportResult {
    ExplainReportResult {
        cause: String::new(),
        code: None,
        codes: Vec::new(),
        cure: String::new(),
        exit_codes: Vec::new(),
        known: false,
        raised_by: Vec::new(),
        severities: Vec::new(),
        stages: Vec::new(),
        suggestions: Vec::new(),
        summary: String::new(),
    }
}

fn known(info: &CodeInfo) -> ExplainReportResult {
    ExplainReportResult {
        cause: info.cause.to_owned(),
        code: Some(info.code.to_owned()),
        cure: info.cure.to_owned(),
        exit_codes: vec![info.exit],
        known: true,
        raised_by: info.raised_by.iter().map(|c| (*c).to_owned()).collect(),
        severities: vec![info.severity],
        stages: info.stages.to_vec(),
        summary: info.summary.to_owned(),
        ..nothing()
    }
}

/// The explanation for people.
fn page(info: &CodeInfo) -> String {
    let stages: Vec<String> = info.stages.iter().map(ToString::to_string).collect();
    let mut text = format!("{}\n{}\n\n", info.code, info.summary);
    let rows = [
        ("Severity", info.severity.to_string()),
        ("Stage", stages.join(", ")),
        ("Exit code", info.exit.to_string()),
        ("Raised by", info.raised_by.join(", ")),
    ];
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<10} {value}");
    }
    let _ = write!(text, "\nWhy: {}\n\nWhat to do: {}\n", info.cause, info.cure);
    text
}

/// All codes for people.
fn table() -> String {
    let width = CODES.iter().map(|c| c.code.len()).max().unwrap_or(0);
    CODES.iter().map(|c| format!("{:<width$}  {:<7}  {}\n", c.code, c.severity.to_string(), c.summary)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn explain(code: Option<&str>) -> (ExplainReportResult, Context) {
        let mut context = Context::new(Vec::new(), false, Instant::now());
        let result = ExplainArgs { code: code.map(str::to_owned) }.run(&mut context);
        (result, context)
    }

    #[test]
    fn a_code_is_found_however_it_is_written() {
        for text in ["X07WASM_SCHEMA_INVALID", "schema_invalid", "SCHEMA-INVALID", " x07wasm_schema_invalid "] {
            let (result, context) = explain(Some(text));
            assert_eq!(
                (result.code.as_deref(), result.known, context.failed()),
                (Some("X07WASM_SCHEMA_INVALID"), true, false),
                "{text}"
            );
            let page = String::from_utf8(context.stdout).expect("text");
            assert!(
                page.contains(&result.cause) && page.contains(&result.cure) && page.contains("Exit code  3"),
                "{page}"
            );
        }
    }

    #[test]
    fn every_code_has_a_page_and_a_line() {
        let (result, context) = explain(None);
        assert_eq!((result.codes.len(), result.known, result.code), (CODES.len(), true, None));
        assert_eq!(String::from_utf8(context.stdout).expect("text").lines().count(), CODES.len());
        for summary in result.codes {
            assert!(explain(Some(&summary.code)).0.known);
        }
    }

    #[test]
    fn unknown_codes_get_suggestions() {
        let (result, context) = explain(Some("SCHEMA_INVALD"));
        assert_eq!((result.known, result.code.as_deref(), context.exit_code()), (false, Some("SCHEMA_INVALD"), 3));
        assert_eq!(result.suggestions.first().map(String::as_str), Some("X07WASM_SCHEMA_INVALID"));
        assert!(explain(Some("QQQQ")).0.suggestions.is_empty());
        assert_eq!(explain(Some(&"Q".repeat(5000))).0.code.map(|c| c.len()), Some(MAX_CODE_CHARS));
    }
}
