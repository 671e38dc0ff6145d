//! The machine flags: how a report is asked for, wherever on the command line that stands.
//!
//! They are taken out before the other arguments are parsed. A word after `--` is never a flag. A
//! word after a bare `--json` is its mode only if it is `pretty`.

use super::failure::Stage;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The form that `--json` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonMode {
    /// One line.
    Compact,
    /// Indented.
    Pretty,
}

/// What to print instead of running the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaFlag {
    /// The schema of the command's report.
    Text,
    /// Its `schema_version`.
    Id,
}

/// A command line on which the machine flags contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stage that the failure report names.
    pub stage: Stage,
    /// For standard error and the report.
    pub message: String,
}

/// The machine flags of a command line, and the rest of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MachineFlags {
    /// A report is wanted, in this form.
    pub json: Option<JsonMode>,
    /// Some spelling of `--json` stands there, even one that is wrong.
    pub json_present: bool,
    /// A file for the report.
    pub report_out: Option<PathBuf>,
    /// Nothing on standard output.
    pub quiet: bool,
    /// A schema is wanted.
    pub schema: Option<SchemaFlag>,
    /// The spec rows are wanted.
    pub cli_specrows: bool,
    /// Everything that is not a machine flag, in order.
    pub rest: Vec<OsString>,
    /// What is wrong with them.
    pub problems: Vec<Problem>,
}

impl MachineFlags {
    /// Takes the machine flags out of the words after the program's name.
    #[must_use]
    pub fn scan(words: &[OsString]) -> Self {
        let mut flags = Self::default();
        let (mut json, mut legacy): (Option<OsString>, Option<OsString>) = (None, None);
        let mut at = 0;
        while let Some(word) = words.get(at) {
            at += 1;
            let Some(text) = word.to_str() else {
                flags.rest.push(word.clone());
                continue;
            };
            if text == "--" {
                flags.rest.extend(words.get(at - 1..).unwrap_or_default().iter().cloned());
                break;
            }
            let (name, value) = text.split_once('=').map_or((text, None), |(n, v)| (n, Some(v)));
            match (name, value) {
                ("--json" | "--report-json", value) => {
                    let mode = match value {
                        Some(mode) => OsString::from(mode),
                        None if words.get(at).is_some_and(|w| w == "pretty") => {
                            at += 1;
                            OsString::from("pretty")
                        }
                        None => OsString::new(),
                    };
                    *(if name == "--json" { &mut json } else { &mut legacy }) = Some(mode);
                }
                ("--report-out", Some(path)) => flags.report_out = Some(PathBuf::from(path)),
                ("--report-out", None) => match words.get(at) {
                    Some(path) => {
                        at += 1;
                        flags.report_out = Some(PathBuf::from(path));
                    }
                    None => flags.problem(
                        Stage::Clap,
                        "error: a value is required for '--report-out <PATH>' but none was supplied",
                    ),
                },
                ("--quiet-json", None) => flags.quiet = true,
                ("--json-schema", None) => flags.schema = Some(SchemaFlag::Text),
                // The schema itself wins over its id.
                ("--json-schema-id", None) => flags.schema = flags.schema.or(Some(SchemaFlag::Id)),
                ("--cli-specrows", None) => flags.cli_specrows = true,
                ("--quiet-json" | "--json-schema" | "--json-schema-id" | "--cli-specrows", Some(_)) => {
                    flags.problem(Stage::Clap, &format!("error: {name} takes no value"));
                }
                _ => flags.rest.push(word.clone()),
            }
        }
        flags.json_present = json.is_some() || legacy.is_some();
        if let Some(mode) = json.or(legacy) {
            flags.set_mode(&mode);
        }
        flags.check();
        flags
    }

    fn set_mode(&mut self, mode: &OsStr) {
        match mode.to_string_lossy().trim() {
            "" => self.json = Some(JsonMode::Compact),
            "pretty" => self.json = Some(JsonMode::Pretty),
            other => self.problem(
                Stage::MachineArgs,
                &format!("error: --json={other:?} is not a mode; use --json or --json=pretty"),
            ),
        }
    }

    fn check(&mut self) {
        if self.quiet && self.report_out.is_none() {
            self.problem(
                Stage::Clap,
                "error: --quiet-json needs --report-out PATH; otherwise the report would be lost",
            );
        }
        if self.report_out.as_ref().is_some_and(|p| matches!(p.to_string_lossy().trim(), "-" | "")) {
            self.report_out = None;
            self.problem(
                Stage::MachineArgs,
                "error: --report-out needs the path of a file; the report is on standard output anyway, so leave `-` out",
            );
        } else if self.report_out.is_some() && !self.json_present && self.schema.is_none() {
            self.problem(Stage::MachineArgs, "error: --report-out needs --json");
        }
        if self.json_present && self.schema.is_some() {
            self.problem(
                Stage::MachineArgs,
                "error: --json-schema and --json-schema-id print no report; leave --json out",
            );
        }
    }

    fn problem(&mut self, stage: Stage, message: &str) {
        self.problems.push(Problem { stage, message: message.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(words: &str) -> MachineFlags {
        MachineFlags::scan(&words.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn flags_stand_anywhere_and_leave_the_rest_in_order() {
        let flags = scan("--json build --out x --report-out r.json --no-manifest --quiet-json");
        assert_eq!(
            (flags.json, flags.quiet, flags.report_out),
            (Some(JsonMode::Compact), true, Some(PathBuf::from("r.json")))
        );
        assert_eq!(flags.rest, ["build", "--out", "x", "--no-manifest"]);
        assert!(flags.problems.is_empty());
    }

    #[test]
    fn only_pretty_is_swallowed() {
        assert_eq!(scan("--json doctor").rest, ["doctor"]);
        assert_eq!(
            (scan("--json pretty doctor").json, scan("--json pretty doctor").rest),
            (Some(JsonMode::Pretty), vec![OsString::from("doctor")])
        );
        assert_eq!(scan("doctor --json=pretty").json, Some(JsonMode::Pretty));
        assert_eq!(scan("doctor --json=").json, Some(JsonMode::Compact));
        assert_eq!(scan("doctor --report-json --json=pretty").json, Some(JsonMode::Pretty));
    }

    #[test]
    fn contradictions_are_problems() {
        let stage = |words: &str| scan(words).problems.first().map(|p| p.stage);
        assert_eq!(stage("doctor --json=bogus"), Some(Stage::MachineArgs));
        assert_eq!(stage("doctor --report-out f"), Some(Stage::MachineArgs));
        assert_eq!(stage("doctor --json --report-out -"), Some(Stage::MachineArgs));
        assert_eq!(stage("doctor --json --report-out"), Some(Stage::Clap));
        assert_eq!(stage("doctor --json --quiet-json"), Some(Stage::Clap));
        assert_eq!(stage("doctor --json --json-schema"), Some(Stage::MachineArgs));
        assert_eq!(stage("doctor --json-schema --report-out f"), None);
    }

    #[test]
    fn nothing_after_two_dashes_is_a_flag() {
        let flags = scan("doctor -- --json");
        assert_eq!((flags.json, flags.rest.len()), (None, 3));
    }
}
