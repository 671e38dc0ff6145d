//! The command line: arguments in, one report and one exit code out.
//!
//! | module | job |
//! |---|---|
//! | [`machine`] | the machine flags, valid in any position |
//! | [`output`] | standard output, standard error, the report file |
//! | [`failure`] | the report for command lines that cannot be understood |
//!
//! Only this layer parses arguments, writes to the process's streams, and decides about exit.

pub mod failure;
pub mod machine;
pub mod output;

use crate::commands;
use crate::report::Context;
use crate::report::emit::{Finished, Form};
use failure::Stage;
use machine::MachineFlags;
use output::Output;
use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;
use x07_wasm_contracts::cli::{ABOUT, Invocation, SPEC_ROWS};
use x07_wasm_contracts::command_line;
use x07_wasm_contracts::contract::ContractInfo;

/// The version of this tool.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs a whole process: arguments as the system gave them, the program's name first.
#[must_use]
pub fn run(args: Vec<OsString>) -> u8 {
    let started = Instant::now();
    let argv: Vec<String> = args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let words = match delegated(args) {
        Ok(words) => words,
        Err(hint) => {
            output::stderr(&hint);
            return 2;
        }
    };
    let flags = MachineFlags::scan(&words);
    let output = Output::of(&flags);
    if flags.cli_specrows {
        return output.plain(specrows().as_bytes());
    }
    let fail = |stage: Stage, message: &str| {
        output::stderr(message);
        let context = Context::new(argv.clone(), true, started);
        output.argument_failure(failure::report(context, stage, message))
    };
    // What the parser would refuse comes before what the machine flags say to each other.
    let of_parser = flags.problems.iter().find(|p| p.stage == Stage::Clap);
    let among_flags = flags.problems.iter().find(|p| p.stage != Stage::Clap);
    if let Some(problem) = of_parser.or(among_flags.filter(|_| flags.schema.is_some())) {
        return fail(problem.stage, &problem.message);
    }
    let rest: Vec<String> = flags.rest.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    if let Some(schema_flag) = flags.schema {
        let named = command_line::leading(rest.iter().map(String::as_str));
        let doctor = command_line::find(&["doctor"]);
        let Some(command) = named.or(doctor.filter(|_| rest.iter().all(|w| w.starts_with('-')))) else {
            return fail(
                Stage::Clap,
                &format!("error: no command {:?}; `x07-wasm --help` lists the commands", rest.join(" ")),
            );
        };
        return output.plain(&schema(command, schema_flag));
    }
    let clap_words = std::iter::once(OsString::from("x07-wasm")).chain(flags.rest.iter().cloned());
    let matches = match command_line::command(VERSION).try_get_matches_from(clap_words) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return output.text(&error.to_string()),
        Err(error) => return fail(Stage::Clap, &error.to_string()),
    };
    if let Some(problem) = among_flags {
        return fail(problem.stage, &problem.message);
    }
    let Some(invocation) = invocation(&matches) else {
        return fail(Stage::MissingCommand, "error: no command given; `x07-wasm --help` lists the commands");
    };
    let context = Context::new(argv, flags.json.is_some(), started);
    let finished = commands::dispatch(invocation, context);
    output.finished(finished)
}

/// Follows the names of subcommands down to a command.
fn invocation(matches: &clap::ArgMatches) -> Option<Invocation> {
    let (mut path, mut at) = (Vec::new(), matches);
    while let Some((name, inner)) = at.subcommand() {
        path.push(name);
        at = inner;
    }
    let command = command_line::find(&path)?;
    Invocation::from_matches(command.scope, at)
}

/// What `x07 wasm …` means: the words after `wasm`. Under any other name, all words.
fn delegated(args: Vec<OsString>) -> Result<Vec<OsString>, String> {
    let mut args = args.into_iter();
    let program = args.next().unwrap_or_default();
    let name = Path::new(&program).file_stem().unwrap_or_default();
    if name != "x07" {
        return Ok(args.collect());
    }
    match args.next() {
        Some(first) if first == "wasm" => Ok(args.collect()),
        other => Err(format!(
            "x07: this link runs x07-wasm and knows `x07 wasm …` only{}\nhint: install the X07 toolchain for its other commands, or run `x07 wasm --help`",
            other.map(|o| format!(", not `x07 {}`", o.to_string_lossy())).unwrap_or_default()
        )),
    }
}

/// The spec-rows document, canonical.
#[must_use]
pub fn specrows() -> String {
    let about = serde_json::Value::from(ABOUT);
    format!(
        "{{\"app\":{{\"about\":{about},\"name\":\"x07-wasm\",\"version\":\"{VERSION}\"}},\"rows\":{SPEC_ROWS},\"schema_version\":\"x07cli.specrows@0.1.0\"}}\n"
    )
}

/// The answer to `--json-schema` and `--json-schema-id`.
fn schema(command: &command_line::CommandSpec, flag: machine::SchemaFlag) -> Vec<u8> {
    match flag {
        machine::SchemaFlag::Id => format!("{}\n", command.schema_version).into_bytes(),
        machine::SchemaFlag::Text => {
            ContractInfo::find(command.report).map_or_else(Vec::new, |c| c.text.as_bytes().to_vec())
        }
    }
}

/// The form of a report, from the flags.
impl From<machine::JsonMode> for Form {
    fn from(mode: machine::JsonMode) -> Self {
        match mode {
            machine::JsonMode::Compact => Self::Compact,
            machine::JsonMode::Pretty => Self::Pretty,
        }
    }
}

/// Runs one invocation as the process would, without touching its streams; for tests.
#[must_use]
pub fn in_process(invocation: Invocation) -> Finished {
    commands::dispatch(invocation, Context::new(Vec::new(), true, Instant::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_named_x07_knows_wasm_only() {
        let words = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(delegated(words(&["/usr/bin/x07", "wasm", "doctor"])), Ok(words(&["doctor"])));
        assert_eq!(delegated(words(&["x07-wasm", "doctor"])), Ok(words(&["doctor"])));
        assert!(delegated(words(&["x07", "build"])).is_err_and(|h| h.contains("x07 build") && h.contains("hint:")));
        assert!(delegated(words(&["x07"])).is_err());
    }

    #[test]
    fn specrows_are_canonical() {
        let value: serde_json::Value = serde_json::from_str(&specrows()).expect("JSON");
        assert_eq!(crate::contract::json::canonical::compact(&value), specrows().into_bytes());
    }
}
