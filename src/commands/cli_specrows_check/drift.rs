//! Compares the rows of this tool with the parser that is at work.

use super::rows::text;
use crate::contract::{ContractInfo, Role};
use clap::{Arg, ArgAction, Command};
use serde_json::Value;
use std::any::TypeId;
use std::collections::BTreeMap;
use std::path::PathBuf;
use x07_wasm_contracts::command_line::{self, Limit};

/// What is known about one option, flag or argument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    /// `flag`, `opt` or `arg`.
    kind: String,
    /// `-x`, or empty.
    short: String,
    /// Value kind of an `opt`.
    value: String,
    required: bool,
    multiple: bool,
    hidden: bool,
    global: bool,
    default: String,
    /// Allowed values of an `opt` of kind `ENUM`.
    values: Vec<String>,
}

/// Scope and long name, or name of the argument.
type Names = BTreeMap<(String, String), Facts>;

/// Every difference, one sentence each, sorted.
#[must_use]
pub fn differences(document: &Value, parser: &Command) -> Vec<String> {
    let rows = document.get("rows").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    let mut leaves = Vec::new();
    collect_leaves(parser, &mut Vec::new(), &mut leaves);
    let about: BTreeMap<&str, &str> =
        rows.iter().filter(|r| text(r, 1) == "about").map(|r| (text(r, 0), text(r, 2))).collect();
    let mut scopes: Vec<&str> = Vec::new();
    for (path, leaf) in &leaves {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        match command_line::find(&words) {
            Some(specification) => {
                scopes.push(specification.scope);
                compare(
                    specification.scope,
                    &of_rows(rows, specification.scope),
                    &of_parser(specification.scope, leaf),
                    &mut found,
                );
                found.extend(wrong_report(
                    specification.scope,
                    specification.schema_version,
                    about.get(specification.scope).copied(),
                ));
            }
            None => found.push(format!("the parser knows `{}`, which is in no table", path.join(" "))),
        }
    }
    compare("root", &of_rows(rows, "root"), &of_parser("root", parser), &mut found);
    for (kind, long) in [("help", "--help"), ("version", "--version")] {
        let listed = rows.iter().any(|r| text(r, 0) == "root" && text(r, 1) == kind && text(r, 3) == long);
        let known = match kind {
            "help" => !parser.is_disable_help_flag_set(),
            _ => parser.get_arguments().any(|a| a.get_long() == Some(kind)),
        };
        if listed != known {
            found.push(format!("root {long}: {}", only_in(listed)));
        }
    }
    for scope in rows.iter().map(|r| text(r, 0)) {
        if scope != "root" && !scopes.contains(&scope) {
            found.push(format!("{scope}: the rows have a scope that the parser has no command for"));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The commands that have no commands below them, with the words that lead to them. The tree is
/// made of tables, so its depth is known.
fn collect_leaves<'c>(command: &'c Command, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, &'c Command)>) {
    for sub in command.get_subcommands() {
        path.push(sub.get_name().to_owned());
        if sub.has_subcommands() {
            collect_leaves(sub, path, leaves);
        } else {
            leaves.push((path.clone(), sub));
        }
        path.pop();
    }
}

/// What is wrong with the report that the row about a command names.
fn wrong_report(scope: &str, schema_version: &str, about: Option<&str>) -> Option<String> {
    let Some(about) = about else { return Some(format!("{scope}: there is no row about it")) };
    let named = about.rsplit_once("Report: ").map_or("", |(_, rest)| rest.trim_end_matches('.'));
    if named != schema_version {
        return Some(format!("{scope}: the row about it names the report {named:?} instead of {schema_version:?}"));
    }
    let exists = ContractInfo::find(named).is_some_and(|c| c.role == Role::Report);
    (!exists).then(|| format!("{scope}: the report {named} has no schema"))
}

fn only_in(rows: bool) -> &'static str {
    if rows { "only the rows have it" } else { "only the parser has it" }
}

fn compare(scope: &str, rows: &Names, parser: &Names, found: &mut Vec<String>) {
    for (key, row) in rows {
        match parser.get(key) {
            None => found.push(format!("{scope} {}: {}", key.1, only_in(true))),
            Some(live) => found.extend(row.against(live).into_iter().map(|d| format!("{scope} {}: {d}", key.1))),
        }
    }
    for key in parser.keys().filter(|key| !rows.contains_key(*key)) {
        found.push(format!("{scope} {}: {}", key.1, only_in(false)));
    }
}

impl Facts {
    fn against(&self, live: &Self) -> Vec<String> {
        let pairs = [
            ("kind", self.kind.clone(), live.kind.clone()),
            ("short name", self.short.clone(), live.short.clone()),
            ("value kind", self.value.clone(), live.value.clone()),
            ("required", self.required.to_string(), live.required.to_string()),
            ("multiple", self.multiple.to_string(), live.multiple.to_string()),
            ("hidden", self.hidden.to_string(), live.hidden.to_string()),
            ("global", self.global.to_string(), live.global.to_string()),
            ("default", self.default.clone(), live.default.clone()),
            ("values", self.values.join("|"), live.values.join("|")),
        ];
        pairs
            .into_iter()
            .filter(|(_, rows, parser)| rows != parser)
            .map(|(what, rows, parser)| format!("{what} is {rows:?} in the rows and {parser:?} in the parser"))
            .collect()
    }
}

/// What the rows say about a scope.
fn of_rows(rows: &[Value], scope: &str) -> Names {
    let mut names = Names::new();
    for row in rows.iter().filter(|r| text(r, 0) == scope) {
        let kind = text(row, 1);
        let (name, meta_at) = match kind {
            "flag" => (text(row, 3), 6),
            "opt" => (text(row, 3), 7),
            "arg" => (text(row, 2), 5),
            _ => continue,
        };
        let meta = row.get(meta_at);
        let is = |key: &str| meta.and_then(|m| m.get(key)) == Some(&Value::Bool(true));
        let value = match (kind, text(row, 5)) {
            // The parser takes both as text.
            ("opt", "BYTES") => "STR",
            ("opt", value) => value,
            _ => "",
        };
        let facts = Facts {
            kind: kind.to_owned(),
            short: if kind == "arg" { String::new() } else { text(row, 2).to_owned() },
            value: value.to_owned(),
            required: is("required"),
            multiple: is("multiple"),
            hidden: is("hidden"),
            global: is("global"),
            default: match meta.and_then(|m| m.get("default")) {
                None => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            },
            values: meta
                .and_then(|m| m.get("enum"))
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        };
        names.insert((scope.to_owned(), name.to_owned()), facts);
    }
    names
}

/// What the parser knows in a scope, without help and version, which have rows of their own kind.
fn of_parser(scope: &str, command: &Command) -> Names {
    let own = |arg: &&Arg| {
        !matches!(arg.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version)
    };
    command.get_arguments().filter(own).map(|arg| (name(scope, arg), of_arg(arg))).collect()
}

fn name(scope: &str, arg: &Arg) -> (String, String) {
    let name = arg.get_long().map_or_else(|| arg.get_id().as_str().to_owned(), |long| format!("--{long}"));
    (scope.to_owned(), name)
}

fn of_arg(arg: &Arg) -> Facts {
    let flag = matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Count);
    let kind = match (arg.is_positional(), flag) {
        (true, _) => "arg",
        (false, true) => "flag",
        (false, false) => "opt",
    };
    let value = if kind == "opt" { value_kind(arg) } else { "" };
    let values = if value == "ENUM" {
        arg.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect()
    } else {
        Vec::new()
    };
    let defaults: Vec<String> = if flag {
        Vec::new()
    } else {
        arg.get_default_values().iter().map(|d| d.to_string_lossy().into_owned()).collect()
    };
    Facts {
        kind: kind.to_owned(),
        short: arg.get_short().map(|short| format!("-{short}")).unwrap_or_default(),
        value: value.to_owned(),
        required: arg.is_required_set(),
        multiple: matches!(arg.get_action(), ArgAction::Append),
        hidden: arg.is_hide_set(),
        global: arg.is_global_set(),
        default: defaults.join(","),
        values,
    }
}

/// The value kind of an option, from the type that its parser makes.
fn value_kind(arg: &Arg) -> &'static str {
    let made = arg.get_value_parser().type_id();
    let is = |types: &[TypeId]| types.iter().any(|t| made == *t);
    if is(&[TypeId::of::<PathBuf>()]) {
        "PATH"
    } else if is(&[TypeId::of::<u32>(), TypeId::of::<u64>(), TypeId::of::<Limit>()]) {
        // The rows know one kind for all unsigned numbers.
        "U32"
    } else if is(&[TypeId::of::<i32>()]) {
        "I32"
    } else if is(&[TypeId::of::<bool>()]) {
        "BOOL"
    } else if arg.get_value_parser().possible_values().is_some() {
        "ENUM"
    } else if arg.get_value_names().and_then(|names| names.first()).is_some_and(|name| name.as_str() == "HEX") {
        "BYTES_HEX"
    } else {
        "STR"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document() -> Value {
        serde_json::from_str(&crate::cli::specrows()).expect("JSON")
    }

    fn parser() -> Command {
        command_line::command("0.0.0")
    }

    /// The differences after a change of the row of an option.
    fn changed(scope: &str, long: &str, change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut document = document();
        let rows = document["rows"].as_array_mut().expect("rows");
        change(rows.iter_mut().find(|r| r[0] == scope && r[3] == long).expect("a row"));
        differences(&document, &parser())
    }

    #[test]
    fn rows_and_parser_agree() {
        assert_eq!(differences(&document(), &parser()), Vec::<String>::new());
    }

    #[test]
    fn every_changed_property_is_seen() {
        let seen =
            |found: Vec<String>, what: &str| assert!(found.len() == 1 && found[0].contains(what), "{what}: {found:?}");
        seen(changed("build", "--index", |r| r[5] = json!("STR")), "value kind");
        seen(changed("build", "--index", |r| r[7]["default"] = json!("other")), "default");
        seen(changed("build", "--index", |r| r[7]["required"] = json!(true)), "required");
        seen(changed("build", "--index", |r| r[7]["multiple"] = json!(true)), "multiple");
        seen(changed("build", "--codegen-backend", |r| r[7]["enum"] = json!(["one"])), "values");
        seen(changed("root", "--report-json", |r| r[6]["hidden"] = json!(false)), "hidden");
        seen(changed("root", "--report-json", |r| r[6]["global"] = json!(false)), "global");
        seen(changed("build", "--index", |r| r[2] = json!("-i")), "short name");
        assert_eq!(
            changed("build", "--index", |r| r[3] = json!("--indes")),
            ["build --indes: only the rows have it", "build --index: only the parser has it"]
        );
    }

    #[test]
    fn missing_rows_and_commands_are_seen() {
        let mut rows = document();
        let list = rows["rows"].as_array_mut().expect("rows");
        list.retain(|r| r[0] != "doctor" && r[2] != "SHELL");
        list.push(json!(["nowhere", "about", "text"]));
        let found = differences(&rows, &parser());
        assert_eq!(
            found,
            [
                "completions SHELL: only the parser has it",
                "doctor: there is no row about it",
                "nowhere: the rows have a scope that the parser has no command for"
            ]
        );
        let parser = parser().subcommand(Command::new("more")).arg(Arg::new("extra").long("extra"));
        assert_eq!(
            differences(&document(), &parser),
            ["root --extra: only the parser has it", "the parser knows `more`, which is in no table"]
        );
    }

    #[test]
    fn reports_must_exist() {
        assert_eq!(
            wrong_report("s", "x07.wasm.doctor.report@0.1.0", Some("Text. Report: x07.wasm.doctor.report@0.1.0.")),
            None
        );
        assert!(wrong_report("s", "x07.wasm.doctor.report@0.1.0", Some("Text.")).is_some());
        assert!(wrong_report("s", "x07.wasm.none.report@0.1.0", Some("Report: x07.wasm.none.report@0.1.0.")).is_some());
        assert!(
            wrong_report("s", "x07.wasm.profile@0.3.0", Some("Report: x07.wasm.profile@0.3.0.")).is_some(),
            "a document is no report"
        );
    }
}
