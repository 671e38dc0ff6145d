//! Registries and the tools around: `profile validate`, `toolchain validate`, `doctor`.
//!
//! | module | promise |
//! |---|---|
//! | `profiles` | every problem of a wasm profile registry and its profiles has its code |
//! | `toolchain` | versions of tools are asked for, compared and hashed |
//! | `doctor` | what is there is reported, and nothing that is missing is an error |

mod doctor;
mod profiles;
mod toolchain;

use crate::support::{Place, Run};
use serde_json::Value;
#[cfg(unix)]
use std::path::Path;

/// Runs the binary with nothing on the search path but the folder `bin` of the place.
fn run_among(place: &Place, line: &str) -> Run {
    let args: Vec<&str> = line.split_whitespace().collect();
    let tools = place.path("bin");
    place.run_with(&args, |command| {
        command.env("PATH", tools).env_remove("X07_DEVICE_HOST_DESKTOP");
    })
}

/// Puts a shell script on the search path of [`run_among`].
///
/// A shell writes the file: were it written by this process, a test that starts a program at the
/// same moment could hold it open for writing, and the system would refuse to run it.
#[cfg(unix)]
fn stand_in(place: &Place, name: &str, script: &str) {
    let path = place.path("bin").join(name);
    write_program(&path, script);
}

#[cfg(unix)]
fn write_program(path: &Path, script: &str) {
    use std::io::Write;
    use std::process::{Command, Stdio};
    std::fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
    let mut shell = Command::new("/bin/sh")
        .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    let text = format!("#!/bin/sh\n{script}\n");
    shell.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
    assert!(shell.wait().expect("it ends").success(), "{}", path.display());
}

/// A committed document of this project.
fn committed(path: &str) -> Value {
    let bytes = std::fs::read(crate::support::root().join(path)).expect("a committed file");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// The diagnostics of a report that have a code.
fn with_code<'r>(report: &'r Value, code: &str) -> Vec<&'r Value> {
    report["diagnostics"].as_array().into_iter().flatten().filter(|d| d["code"] == code).collect()
}

/// Whether a path exists; for things that must not have happened.
#[cfg(unix)]
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
