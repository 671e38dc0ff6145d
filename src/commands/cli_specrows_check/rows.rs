//! The rules that rows must keep beyond their schema.

use crate::report::{Code, Diag};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Characters that a scope may have in a report.
const MAX_SCOPE_CHARS: usize = 32;

/// What a document says, read leniently: it may be any JSON.
#[derive(Debug, Default)]
pub struct Facts {
    /// How many rows there are.
    pub rows_count: u64,
    /// The scopes in order of first appearance, as a report may hold them.
    pub scopes: Vec<String>,
    /// The program's name.
    pub app_name: Option<String>,
    /// The program's version.
    pub app_version: Option<String>,
    /// Whether `root` has a help row.
    pub has_root_help: bool,
    /// Whether `root` has a version row.
    pub has_root_version: bool,
    /// Whether `root` has a flag `--cli-specrows`.
    pub has_root_cli_specrows: bool,
    /// The first row that is not where the canonical order has it.
    pub out_of_order: Option<(usize, Value)>,
    /// Scope and long name of options that are listed more than once, sorted.
    pub duplicates: BTreeSet<(String, String)>,
}

/// Reads what the rules need.
#[must_use]
pub fn facts(document: &Value) -> Facts {
    let rows = document.get("rows").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let app = |key: &str| document.get("app").and_then(|app| app.get(key)).and_then(Value::as_str).map(str::to_owned);
    let root = |kind: &str, long: Option<&str>| {
        rows.iter().any(|r| text(r, 0) == "root" && text(r, 1) == kind && long.is_none_or(|long| text(r, 3) == long))
    };
    let mut facts = Facts {
        rows_count: rows.len() as u64,
        app_name: app("name"),
        app_version: app("version"),
        has_root_help: root("help", None),
        has_root_version: root("version", None),
        has_root_cli_specrows: root("flag", Some("--cli-specrows")),
        out_of_order: out_of_order(rows),
        ..Facts::default()
    };
    let mut seen_scopes = BTreeSet::new();
    let mut seen_options = BTreeSet::new();
    for row in rows {
        let scope = text(row, 0);
        if seen_scopes.insert(scope) {
            facts.scopes.extend(reportable(scope));
        }
        let long = text(row, 3);
        if matches!(text(row, 1), "flag" | "opt") && !long.is_empty() && !seen_options.insert((scope, long)) {
            facts.duplicates.insert((scope.to_owned(), long.to_owned()));
        }
    }
    facts
}

/// What is wrong with a document that satisfies its schema.
#[must_use]
pub fn problems(facts: &Facts, expect_app_name: &str) -> Vec<Diag> {
    let mut problems = Vec::new();
    if !facts.has_root_help {
        problems.push(Diag::new(Code::SpecrowsMissingRootHelp, "the scope root has no help row; add one"));
    }
    if !facts.has_root_version {
        problems.push(Diag::new(Code::SpecrowsMissingRootVersion, "the scope root has no version row; add one"));
    }
    if !facts.has_root_cli_specrows {
        problems.push(Diag::new(
            Code::SpecrowsMissingRootCliSpecrows,
            "the scope root has no flag row for --cli-specrows; add one",
        ));
    }
    if let Some((index, row)) = &facts.out_of_order {
        let message = format!(
            "row {index} is not in canonical order: {} {} belongs elsewhere; sort the rows by scope, kind and name",
            text(row, 0),
            text(row, 1)
        );
        problems.push(
            Diag::new(Code::SpecrowsOrderingInvalid, message)
                .data("instance_path", format!("/rows/{index}"))
                .data("row", row.clone()),
        );
    }
    if !facts.duplicates.is_empty() {
        let names: Vec<String> = facts.duplicates.iter().map(|(scope, long)| format!("{scope} {long}")).collect();
        let pairs: Vec<Value> = facts.duplicates.iter().map(|(scope, long)| json!([scope, long])).collect();
        problems.push(
            Diag::new(
                Code::SpecrowsDuplicateLongopt,
                format!("options are listed more than once: {}; keep one row of each", names.join(", ")),
            )
            .data("duplicates", pairs),
        );
    }
    let name = facts.app_name.as_deref().unwrap_or_default();
    if name != expect_app_name {
        let message = format!(
            "the rows belong to {name:?}, but {expect_app_name:?} was expected; check the input or --expect-app-name"
        );
        problems.push(
            Diag::new(Code::SpecrowsAppNameMismatch, message).data("expected", expect_app_name).data("found", name),
        );
    }
    problems
}

/// An item of a row as text; empty when there is none or it is no text.
pub fn text(row: &Value, index: usize) -> &str {
    row.get(index).and_then(Value::as_str).unwrap_or_default()
}

fn out_of_order(rows: &[Value]) -> Option<(usize, Value)> {
    let mut sorted: Vec<&Value> = rows.iter().collect();
    sorted.sort_by(|a, b| place(a).cmp(&place(b)));
    let differs = rows.iter().zip(sorted).enumerate().find(|(_, (row, expected))| row != expected);
    differs.map(|(index, (row, _))| (index, row.clone()))
}

/// What rows are sorted by.
fn place(row: &Value) -> (&str, usize, &str, &str, &str) {
    let scope = match text(row, 0) {
        "root" => "",
        other => other,
    };
    let rank = match text(row, 1) {
        "about" => 0,
        "help" => 1,
        "version" => 2,
        "flag" => 3,
        "opt" => 4,
        "arg" => 5,
        _ => 9,
    };
    (scope, rank, text(row, 3), text(row, 2), text(row, 4))
}

/// A scope as a report may hold it: one segment of at most 32 characters, where rows also allow
/// several with dots between them. `None` for what is no scope at all.
fn reportable(scope: &str) -> Option<String> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
    let valid = scope.starts_with(|c: char| c.is_ascii_lowercase()) && scope.chars().all(letters);
    valid.then(|| scope.replace('.', "-").chars().take(MAX_SCOPE_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_json_is_read_without_harm() {
        for document in [
            json!(null),
            json!([]),
            json!({"rows": 3}),
            json!({"rows": [null, [], [1, 2, 3], {"a": 1}], "app": {"name": 7}}),
        ] {
            let facts = facts(&document);
            assert!(facts.scopes.is_empty() && facts.app_name.is_none() && facts.duplicates.is_empty(), "{document}");
        }
    }

    #[test]
    fn root_comes_first_and_kinds_have_a_rank() {
        let ordered = |rows: Value| facts(&json!({ "rows": rows })).out_of_order.map(|o| o.0);
        assert_eq!(
            ordered(json!([
                ["root", "opt", "", "--z", "z", "STR", "t"],
                ["a", "about", "t"],
                ["a", "flag", "", "--b", "b", "t"],
                ["a", "opt", "", "--a", "a", "STR", "t"]
            ])),
            None
        );
        assert_eq!(ordered(json!([["a", "about", "t"], ["root", "about", "t"]])), Some(0));
        assert_eq!(
            ordered(json!([
                ["a", "opt", "", "--a", "a", "STR", "t"],
                ["a", "opt", "", "--c", "c", "STR", "t"],
                ["a", "opt", "", "--b", "b", "STR", "t"]
            ])),
            Some(1)
        );
    }

    #[test]
    fn scopes_fit_into_a_report() {
        assert_eq!(reportable("component.build"), Some("component-build".to_owned()));
        assert_eq!(reportable(&"a".repeat(40)).map(|s| s.len()), Some(32));
        assert_eq!((reportable(""), reportable("A"), reportable("a b")), (None, None, None));
    }
}
