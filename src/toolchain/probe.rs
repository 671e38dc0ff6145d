//! Asks a tool for its version and compares it with what a profile accepts.

use super::process::{Outcome, PROBE_TIMEOUT, Request};
use super::profile::{BUILTIN, Requirement, Source, ToolCommand};
use crate::contract::digest::sha256_hex;
use crate::contract::json::canonical;
use crate::report::diagnostic::clip;
use crate::report::{Code, Diag, Severity};
use semver::Version;
use serde_json::json;
use std::ffi::OsStr;
use x07_wasm_contracts::types::{ProfileRef, ToolchainValidateReportToolStatus as ToolStatus};

/// Characters of an output stream that are looked at and reported.
const MAX_STREAM_CHARS: usize = 4096;
/// Characters of a command that are reported.
const MAX_COMMAND_CHARS: usize = 4096;
/// Characters that a version may have in a report.
const MAX_VERSION_CHARS: usize = 128;
/// Characters of the line that [`version_line`] yields.
const MAX_LINE_CHARS: usize = 512;

/// What asking one tool came to.
#[derive(Debug)]
pub struct Probed {
    /// For the report.
    pub status: ToolStatus,
    /// What is wrong, if anything.
    pub diagnostic: Option<Diag>,
    /// Whether a program was started.
    pub started: bool,
}

/// Asks one tool. What is wrong is an error if the profile requires the tool, and a warning if not.
#[must_use]
pub fn probe(requirement: &Requirement) -> Probed {
    let found = match &requirement.command {
        ToolCommand::Linked(library) => Answer {
            command: BUILTIN.to_owned(),
            stdout: library.line(),
            stderr: String::new(),
            version: Ok(library.version.to_owned()),
            started: false,
        },
        ToolCommand::External(command) => ask(requirement, command),
    };
    let severity = if requirement.required { Severity::Error } else { Severity::Warning };
    let (found_version, problem) = match found.version {
        Err(problem) => (None, Some(problem)),
        Ok(text) => {
            let problem = compare(requirement, &text, &found.stdout, &found.stderr);
            // A text that is no version is not reported as one.
            let known = problem.as_ref().is_none_or(|p| p.code != Code::ToolchainVersionParseFailed);
            (known.then_some(text), problem)
        }
    };
    Probed {
        status: ToolStatus {
            tool_id: requirement.tool,
            ok: problem.is_none(),
            required_constraint: requirement.constraint.clone(),
            found_version,
            cmd: clip(found.command, MAX_COMMAND_CHARS),
            argv: requirement.argv.clone(),
            stdout: found.stdout,
            stderr: found.stderr,
        },
        diagnostic: problem.map(|p| p.diag.data("tool_id", requirement.tool.to_string()).severity(severity)),
        started: found.started,
    }
}

/// The hash under which two machines agree that they have the same tools: over the profile and,
/// tool by tool, what was accepted and what was found.
#[must_use]
pub fn compatibility_hash(profile: &ProfileRef, tools: &[ToolStatus]) -> String {
    let tools: Vec<_> = tools
        .iter()
        .map(|t| json!({"tool_id": t.tool_id.to_string(), "required_constraint": t.required_constraint, "found_version": t.found_version}))
        .collect();
    sha256_hex(&canonical::compact(&json!({"profile": {"id": profile.id, "v": profile.v}, "tools": tools})))
}

/// What a tool said.
struct Answer {
    command: String,
    stdout: String,
    stderr: String,
    version: Result<String, Problem>,
    started: bool,
}

/// A diagnostic in the making, with its code at hand.
struct Problem {
    code: Code,
    diag: Diag,
}

impl Problem {
    fn new(code: Code, message: String) -> Self {
        Self { code, diag: Diag::new(code, message) }
    }

    fn data(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.diag = self.diag.data(key, value);
        self
    }
}

/// Runs a tool and finds the version in what it prints. Its exit status does not matter.
fn ask(requirement: &Requirement, command: &str) -> Answer {
    let (outcome, started) = match Request::new(command, PROBE_TIMEOUT).args(&requirement.argv).run() {
        Outcome::NotFound => (Err(format!("no program {command:?} was found")), false),
        Outcome::SpawnFailed(error) => (Err(error.to_string()), false),
        Outcome::TimedOut => (Err(format!("it did not end within {} s", PROBE_TIMEOUT.as_secs())), true),
        Outcome::Exited { stdout, stderr, .. } => (Ok((stream(&stdout), stream(&stderr))), true),
    };
    let answer = |stdout: String, stderr: String, version: Result<String, Problem>| Answer {
        command: command.to_owned(),
        stdout,
        stderr,
        version,
        started,
    };
    match outcome {
        Err(cause) => {
            let argv: Vec<String> =
                std::iter::once(command.to_owned()).chain(requirement.argv.iter().cloned()).collect();
            let message = format!(
                "{} cannot be asked for its version: {cause}; install it, or correct `cmd` of {} in the toolchain profile",
                clip(command.to_owned(), 200),
                requirement.tool
            );
            let problem =
                Problem::new(Code::ToolchainToolSpawnFailed, message).data("argv", argv).data("os_error", cause);
            answer(String::new(), String::new(), Err(problem))
        }
        Ok((stdout, stderr)) => {
            let version = match search(requirement, &stdout, &stderr) {
                Some(version) => Ok(version),
                None => Err(not_understood(
                    requirement,
                    &stdout,
                    &stderr,
                    "the expression of the toolchain profile does not match its output",
                )),
            };
            answer(stdout, stderr, version)
        }
    }
}

fn stream(bytes: &[u8]) -> String {
    clip(String::from_utf8_lossy(bytes).into_owned(), MAX_STREAM_CHARS)
}

/// What the group of the expression matches, in the streams that the profile names.
fn search(requirement: &Requirement, stdout: &str, stderr: &str) -> Option<String> {
    let (first, second) = match requirement.source {
        Source::Stdout => (stdout, None),
        Source::Stderr => (stderr, None),
        Source::Either => (stdout, Some(stderr)),
    };
    let find = |text: &str| requirement.regex.captures(text)?.get(requirement.group).map(|m| m.as_str().to_owned());
    find(first).or_else(|| find(second?))
}

/// What is wrong with a version, if anything.
fn compare(requirement: &Requirement, text: &str, stdout: &str, stderr: &str) -> Option<Problem> {
    let version = match Version::parse(text) {
        Ok(version) if text.len() <= MAX_VERSION_CHARS => version,
        Ok(_) => return Some(not_understood(requirement, stdout, stderr, "its version is too long")),
        Err(error) => {
            return Some(not_understood(
                requirement,
                stdout,
                stderr,
                &format!("{text:?} is no semantic version: {error}"),
            ));
        }
    };
    if requirement.accepted.matches(&version) {
        return None;
    }
    let message = format!(
        "{} has version {version}, but the toolchain profile accepts {}; install a version that fits",
        requirement.tool, requirement.constraint
    );
    Some(
        Problem::new(Code::ToolchainVersionConstraintUnsatisfied, message)
            .data("expected", requirement.constraint.as_str())
            .data("found", text),
    )
}

fn not_understood(requirement: &Requirement, stdout: &str, stderr: &str, why: &str) -> Problem {
    let message = format!(
        "the version of {} cannot be told: {why}; correct `version` in the toolchain profile",
        requirement.tool
    );
    Problem::new(Code::ToolchainVersionParseFailed, message).data("stdout", stdout).data("stderr", stderr)
}

/// The first line that `<program> --version` prints, without blanks around it.
///
/// # Errors
/// Why there is none: not found, not started, not in time, or not successful.
pub fn version_line(program: impl AsRef<OsStr>) -> Result<String, Absence> {
    let program = program.as_ref();
    match Request::new(program, PROBE_TIMEOUT).arg("--version").run() {
        Outcome::NotFound => Err(Absence::NotFound),
        Outcome::SpawnFailed(error) => Err(Absence::NotUsable(format!("it cannot be started: {error}"))),
        Outcome::TimedOut => Err(Absence::NotUsable(format!("it did not end within {} s", PROBE_TIMEOUT.as_secs()))),
        Outcome::Exited { code: Some(0), stdout, .. } => match stream(&stdout).lines().next().map(str::trim) {
            Some(line) if !line.is_empty() => Ok(clip(line.to_owned(), MAX_LINE_CHARS)),
            _ => Err(Absence::NotUsable("it printed no version".to_owned())),
        },
        Outcome::Exited { code: Some(code), .. } => {
            Err(Absence::NotUsable(format!("it ended with exit status {code}")))
        }
        Outcome::Exited { code: None, .. } => Err(Absence::NotUsable("a signal ended it".to_owned())),
    }
}

/// Why a tool told no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Absence {
    /// There is no such program.
    #[error("it was not found")]
    NotFound,
    /// There is one, and it does not work.
    #[error("{0}")]
    NotUsable(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::linked::Linked;
    use crate::toolchain::profile::ToolId;
    use regex::Regex;
    use semver::VersionReq;

    fn requirement(command: ToolCommand, constraint: &str) -> Requirement {
        Requirement {
            tool: ToolId::Wasmtime,
            command,
            argv: vec!["--version".to_owned()],
            regex: Regex::new(r"^wasmtime\s+([0-9]+\.[0-9]+\.[0-9]+\S*)").expect("valid"),
            group: 1,
            source: Source::Stdout,
            constraint: constraint.to_owned(),
            accepted: VersionReq::parse(constraint).expect("valid"),
            required: true,
        }
    }

    fn outcome(probed: &Probed) -> Option<(String, Severity)> {
        probed.diagnostic.clone().map(Diag::build).map(|d| (d.code, d.severity))
    }

    #[test]
    fn linked_libraries_are_compared_without_a_process() {
        let probed = probe(&requirement(ToolCommand::Linked(Linked::WASMTIME), "=48.0.8"));
        assert_eq!((probed.started, outcome(&probed)), (false, None));
        let status = probed.status;
        assert_eq!(
            (status.ok, status.cmd.as_str(), status.stdout.as_str(), status.found_version.as_deref()),
            (true, "builtin", "wasmtime 48.0.8 (linked)", Some("48.0.8"))
        );
        let probed = probe(&requirement(ToolCommand::Linked(Linked::WASMTIME), "<48"));
        assert_eq!(
            outcome(&probed),
            Some(("X07WASM_TOOLCHAIN_VERSION_CONSTRAINT_UNSATISFIED".to_owned(), Severity::Error))
        );
        assert_eq!(probed.status.found_version.as_deref(), Some("48.0.8"));
    }

    #[test]
    fn a_tool_that_is_not_there() {
        let mut asked = requirement(ToolCommand::External("x07-wasm-test-no-such-tool".to_owned()), "*");
        let probed = probe(&asked);
        assert_eq!(outcome(&probed), Some(("X07WASM_TOOLCHAIN_TOOL_SPAWN_FAILED".to_owned(), Severity::Error)));
        assert!(!probed.started && !probed.status.ok && probed.status.found_version.is_none());
        let data = probed.diagnostic.map(Diag::build).and_then(|d| d.data).expect("data");
        assert_eq!(
            (data["tool_id"].as_str(), data["argv"][1].as_str(), data.contains_key("os_error")),
            (Some("wasmtime"), Some("--version"), true)
        );
        asked.required = false;
        assert_eq!(
            outcome(&probe(&asked)),
            Some(("X07WASM_TOOLCHAIN_TOOL_SPAWN_FAILED".to_owned(), Severity::Warning))
        );
    }

    #[cfg(unix)]
    mod external {
        use super::*;

        fn asked(script: &str, constraint: &str, source: Source) -> Probed {
            let folder = tempfile::tempdir().expect("a folder");
            // Through the shell: a script that was just written cannot always be started itself.
            let file = folder.path().join("tool");
            std::fs::write(&file, script).expect("written");
            let mut asked = requirement(ToolCommand::External("/bin/sh".to_owned()), constraint);
            asked.argv = vec![file.display().to_string()];
            asked.source = source;
            probe(&asked)
        }

        #[test]
        fn the_exit_status_does_not_matter_but_the_version_does() {
            let probed = asked("echo wasmtime 42.0.1; exit 5", ">=42.0.0,<43.0.0", Source::Stdout);
            assert_eq!(
                (probed.started, outcome(&probed), probed.status.found_version.as_deref()),
                (true, None, Some("42.0.1"))
            );
            let probed = asked("echo wasmtime 43.0.0", ">=42.0.0,<43.0.0", Source::Stdout);
            assert_eq!(
                outcome(&probed).map(|o| o.0),
                Some("X07WASM_TOOLCHAIN_VERSION_CONSTRAINT_UNSATISFIED".to_owned())
            );
            // As in Cargo: a bare version is a caret, and pre-releases only match when named.
            assert_eq!(outcome(&asked("echo wasmtime 42.9.0", "42.0.1", Source::Stdout)), None);
            assert!(outcome(&asked("echo wasmtime 42.9.0-rc.1", "42.0.1", Source::Stdout)).is_some());
        }

        #[test]
        fn the_stream_is_the_one_that_the_profile_names() {
            let parse = Some("X07WASM_TOOLCHAIN_VERSION_PARSE_FAILED".to_owned());
            let on_stderr = "echo wasmtime 1.2.3 >&2";
            assert_eq!(outcome(&asked(on_stderr, "*", Source::Stdout)).map(|o| o.0), parse);
            assert_eq!(outcome(&asked(on_stderr, "*", Source::Stderr)), None);
            assert_eq!(outcome(&asked(on_stderr, "*", Source::Either)), None);
            let probed = asked("echo wasmtime 01.2.3", "*", Source::Stdout);
            assert_eq!((outcome(&probed).map(|o| o.0), probed.status.found_version), (parse, None));
        }
    }

    #[test]
    fn the_hash_covers_profile_constraints_and_versions() {
        let status = probe(&requirement(ToolCommand::Linked(Linked::WASMTIME), "=48.0.8")).status;
        let profile = ProfileRef { id: "p".to_owned(), v: 1 };
        let text = "{\"profile\":{\"id\":\"p\",\"v\":1},\"tools\":[{\"found_version\":\"48.0.8\",\"required_constraint\":\"=48.0.8\",\"tool_id\":\"wasmtime\"}]}\n";
        assert_eq!(compatibility_hash(&profile, &[status]), sha256_hex(text.as_bytes()));
        assert_eq!(
            compatibility_hash(&profile, &[]),
            sha256_hex(b"{\"profile\":{\"id\":\"p\",\"v\":1},\"tools\":[]}\n")
        );
    }

    #[test]
    fn a_tool_without_a_version_line() {
        assert_eq!(version_line("x07-wasm-test-no-such-tool"), Err(Absence::NotFound));
    }
}
