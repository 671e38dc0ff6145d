//! Components of projects whose profile asks for the C backend. Its programs are stand-ins, short
//! shell scripts; the linker's module is a copy of `good.wasm`.
#![cfg(unix)]

use super::{build, diagnostic, echo, message, names};
use crate::support::{Place, Run};
use serde_json::json;
use std::io::Write as _;
use std::process::{Command, Stdio};

const X07: &str = r#"
if [ "$1" = --version ]; then echo "x07 1.2.3"; exit 0; fi
while [ $# -gt 0 ]; do
  case "$1" in
    --out) echo "int x;" > "$2"; shift;;
    --emit-c-header) echo "int y;" > "$2"; shift;;
  esac
  shift
done"#;

const CLANG: &str = r#"
if [ "$1" = --version ]; then echo "stand-in clang 1.0"; exit 0; fi
while [ $# -gt 0 ]; do case "$1" in -o) echo object > "$2"; shift;; esac; shift; done"#;

const LINKER: &str = r#"
if [ "$1" = --version ]; then echo "stand-in linker 2.0"; exit 0; fi
while [ $# -gt 0 ]; do case "$1" in -o) cp good.wasm "$2"; shift;; esac; shift; done"#;

/// Writes an executable script. A child process writes it: were it this one, a process that another
/// test starts meanwhile could hold the file open for writing, and it could not be executed.
fn tool(place: &Place, name: &str, script: &str) {
    let path = place.path("bin").join(name);
    std::fs::create_dir_all(place.path("bin")).expect("made");
    let mut child = Command::new("/bin/sh")
        .args(["-c", r#"cat > "$0" && chmod 755 "$0""#])
        .arg(&path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut pipe = child.stdin.take().expect("a pipe");
    write!(pipe, "#!/bin/sh\n{script}\n").expect("written");
    drop(pipe);
    assert!(child.wait().expect("ends").success());
}

/// The echo project, a profile for the C backend, and stand-ins for its programs.
fn tools() -> Place {
    let place = echo();
    place.run("build --project app/x07.json --out good.wasm --no-manifest --json").ok();
    place.write("c.json", crate::run::profile(&[("/codegen_backend", json!("c_toolchain_v1"))]));
    tool(&place, "x07", X07);
    tool(&place, "clang", CLANG);
    tool(&place, "wasm-ld", LINKER);
    place
}

fn run(place: &Place, emit: &str) -> Run {
    let args = format!("{} --wasm-profile-file c.json", build(emit));
    place.run_with(&args.split_whitespace().collect::<Vec<_>>(), |command| {
        command.env("PATH", format!("{}:/usr/bin:/bin", place.path("bin").display()));
    })
}

#[test]
fn a_module_of_the_c_backend_becomes_a_component() {
    let place = tools();
    for emit in ["cli", "cli-native"] {
        let report = run(&place, emit).ok();
        assert_eq!(report["meta"]["nondeterminism"]["uses_process"], true);
        let artifact = &report["result"]["artifacts"][0];
        assert_eq!(artifact["toolchain"]["clang"], "stand-in clang 1.0");
        assert_eq!(artifact["toolchain"]["wasm_ld"], "stand-in linker 2.0");
        assert_eq!(artifact["toolchain"]["x07"], "1.2.3");
        place.write("in", "hello");
        place.run("component run --component out/cli.component.wasm --stdin in --stdout-out o --json").ok();
        assert_eq!(place.read("o"), b"hello", "{emit}");
    }
    assert!(names(&place, "out/cli.core.emit").contains(&"program.c".to_owned()));
    let args = format!("{} --clean", build("solve"));
    place.run(&args).ok();
    assert!(!place.path("out/cli.core.emit").exists(), "intermediate files are cleaned, too");
}

#[test]
fn a_module_that_cannot_become_part_of_a_component_says_why() {
    let place = tools();
    let wasm = wat::parse_str(
        r#"(module (import "env" "puts" (func (param i32)))
            (memory (export "memory") 2048 2048)
            (global (export "__heap_base") i32 (i32.const 1024)) (global (export "__data_end") i32 (i32.const 1024))
            (func (export "x07_solve_v2") (param i32 i32 i32 i32 i32)))"#,
    )
    .expect("a module");
    place.write("good.wasm", wasm);
    for emit in ["solve", "http-native"] {
        let report = run(&place, emit).expect(1, "X07WASM_WASM_TOOLS_FAILED");
        let message = message(&report, "X07WASM_WASM_TOOLS_FAILED");
        assert!(message.contains("env.puts") && message.contains("native backend"), "{message}");
        assert_eq!(diagnostic(&report, "X07WASM_WASM_TOOLS_FAILED")["stage"], "link");
        assert!(names(&place, "out").iter().all(|name| name.ends_with(".emit")), "{emit}");
    }
}
