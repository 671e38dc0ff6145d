//! The process: help, version, completions, pipes, the name `x07`.

use crate::support::Place;
use serde_json::json;
use std::process::{Command, Stdio};
use x07_wasm_contracts::cli::{COMMANDS, GLOBALS};

#[test]
fn the_version_is_one_line_on_standard_output() {
    let place = Place::new();
    for line in ["--version", "-V"] {
        let run = place.run(line);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{line}");
        assert_eq!(run.stdout, format!("x07-wasm {}\n", env!("CARGO_PKG_VERSION")).into_bytes(), "{line}");
    }
}

#[test]
fn help_lists_every_command_and_goes_to_standard_output() {
    let place = Place::new();
    for line in ["--help", "-h", "help"] {
        let run = place.run(line);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{line}");
        let text = String::from_utf8(run.stdout).expect("text");
        for command in COMMANDS {
            assert!(text.contains(command.path[0]), "{line} does not name {}", command.path[0]);
        }
        for option in GLOBALS {
            let shown = text.lines().any(|l| l.split([' ', ',', '=', '[']).any(|w| w == format!("--{}", option.long)));
            assert_eq!(shown, !option.hidden, "{line}: --{}", option.long);
        }
    }
}

#[test]
fn every_command_explains_its_options() {
    let place = Place::new();
    for command in COMMANDS {
        let words = command.path.join(" ");
        for line in [format!("{words} --help"), format!("help {words}"), format!("{words} -h")] {
            let run = place.run(&line);
            assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{line}");
            let text = String::from_utf8(run.stdout).expect("text");
            for option in command.options {
                // A name may begin another one.
                let long = format!("--{}", option.long);
                let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
                let shown = text.match_indices(&long).any(|(at, _)| ends(&text[at + long.len()..]));
                assert_eq!(shown, !option.hidden, "{line}: {long}");
            }
            for argument in command.args {
                assert!(text.contains(argument.name), "{line}: {}", argument.name);
            }
        }
    }
}

#[test]
fn a_near_miss_is_suggested() {
    let place = Place::new();
    for (line, meant) in [("docter", "doctor"), ("doctor --jsn", "--json"), ("build --profil x", "--profile")] {
        let run = place.run(line);
        assert_eq!(run.status, 3, "{line}");
        assert!(run.stderr.contains(meant), "{line}: {}", run.stderr);
    }
}

#[test]
fn every_shell_gets_a_script_that_knows_the_commands() {
    let place = Place::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = place.run(&format!("completions {shell}"));
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{shell}");
        let script = String::from_utf8(run.stdout).expect("text");
        for word in ["x07-wasm", "toolchain", "specrows", "json"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        let report = place.run(&format!("completions {shell} --json")).ok();
        let result = &report["result"];
        assert_eq!((&result["shell"], &result["script"]["text"]), (&json!(shell), &json!(script)), "{shell}");
        assert_eq!(result["script"]["bytes_len"], script.len(), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for args in [["explain", "--json"], ["schema", "list"], ["--cli-specrows", "--json"]] {
        for _ in 0..3 {
            let mut child = Command::new(env!("CARGO_BIN_EXE_x07-wasm"))
                .args(args)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the binary starts");
            drop(child.stdout.take());
            let output = child.wait_with_output().expect("it ends");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
            assert_eq!(stderr, "", "{args:?}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_standard_output_exits_2() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let output = Command::new(env!("CARGO_BIN_EXE_x07-wasm"))
        .args(["explain", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::from(full))
        .stderr(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("X07WASM_STDOUT_WRITE_FAILED"), "{stderr}");
}

#[cfg(unix)]
mod as_x07 {
    use super::*;
    use crate::support::check_report;
    use std::process::Output;

    /// Runs the binary through a link named `x07`.
    fn x07(args: &[&str]) -> Output {
        let place = Place::new();
        let link = place.path("x07");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_x07-wasm"), &link).expect("linked");
        Command::new(&link).args(args).current_dir(place.path("")).stdin(Stdio::null()).output().expect("it starts")
    }

    #[test]
    fn wasm_is_the_word_that_leads_to_the_commands() {
        let output = x07(&["wasm", "--version"]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(output.stdout, format!("x07-wasm {}\n", env!("CARGO_PKG_VERSION")).into_bytes());
        let output = x07(&["wasm", "explain", "X07WASM_SCHEMA_INVALID", "--json"]);
        assert_eq!(output.status.code(), Some(0));
        let report = check_report(&output.stdout);
        assert_eq!(report["result"]["code"], "X07WASM_SCHEMA_INVALID");
        assert_eq!(report["meta"]["argv"][1], "wasm", "the arguments are reported as they were given");
        let output = x07(&["wasm", "explain", "NO_SUCH_CODE"]);
        assert_eq!(output.status.code(), Some(3), "the exit code is passed on");
        assert_eq!(x07(&["wasm"]).status.code(), Some(3), "no command");
    }

    #[test]
    fn any_other_word_exits_2_with_a_hint() {
        for args in [&["build"][..], &["--version"][..], &["WASM", "doctor"][..], &["", "wasm"][..], &[][..]] {
            let output = x07(args);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
            assert_eq!(output.stdout, b"", "{args:?}");
            assert_eq!(stderr.lines().count(), 2, "{args:?}: what is wrong and what to do: {stderr}");
            assert!(stderr.contains("x07 wasm"), "{args:?}: {stderr}");
        }
    }

    #[test]
    fn another_name_changes_nothing() {
        let place = Place::new();
        let link = place.path("x07-wasm-nightly");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_x07-wasm"), &link).expect("linked");
        let output = Command::new(&link).arg("--version").output().expect("it starts");
        assert_eq!(output.status.code(), Some(0));
    }
}
