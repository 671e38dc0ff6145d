//! External compilers: the arguments that they get, and what becomes of every way in which they fail.
//!
//! The programs are stand-ins, short shell scripts that keep a log of their arguments.
#![cfg(unix)]

use super::{app, echo, manifest, paths, profile};
use crate::support::{Place, Run};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Keeps the arguments of every call, one a line, calls separated by a line `--`.
const LOG: &str = r#"for a in "$@"; do printf '%s\n' "$a"; done >> "$0.log"; echo -- >> "$0.log""#;

/// A compiler that writes what it is asked for; the module is a copy of `good.wasm`.
const X07: &str = r#"
if [ "$1" = --version ]; then echo "x07 1.2.3"; exit 0; fi
while [ $# -gt 0 ]; do
  case "$1" in
    --out) echo "int x;" > "$2"; shift;;
    --emit-c-header) echo "int y;" > "$2"; shift;;
    --emit-wasm) cp good.wasm "$2"; shift;;
  esac
  shift
done"#;

/// A C compiler that writes what it is asked for.
const CLANG: &str = r#"
if [ "$1" = --version ]; then echo "stand-in clang 1.0"; echo "more"; exit 0; fi
while [ $# -gt 0 ]; do case "$1" in -o) echo object > "$2"; shift;; esac; shift; done"#;

/// A linker whose module is a copy of `good.wasm`.
const LINKER: &str = r#"
if [ "$1" = --version ]; then echo "stand-in linker 2.0"; exit 0; fi
while [ $# -gt 0 ]; do case "$1" in -o) cp good.wasm "$2"; shift;; esac; shift; done"#;

const NATIVE: [&str; 6] = ["build", "--project", "app/x07.json", "--x07", "bin/x07", "--json"];
const C: [&str; 6] = ["build", "--project", "app/x07.json", "--codegen-backend", "c_toolchain_v1", "--json"];
const EMIT: &str = "app/build/wasm/wasm_release";

/// Writes an executable script.
///
/// A child process writes it: were it this one, a process that another test starts meanwhile could
/// hold the file open for writing, and it could not be executed.
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
    write!(pipe, "#!/bin/sh\n{LOG}\n{script}\n").expect("written");
    drop(pipe);
    assert!(child.wait().expect("ends").success());
}

/// The echo project, a good module, and stand-ins for all programs.
fn tools() -> Place {
    let place = app();
    place.run("build --project app/x07.json --out good.wasm --no-manifest --json").ok();
    tool(&place, "x07", X07);
    tool(&place, "clang", CLANG);
    tool(&place, "wasm-ld", LINKER);
    place
}

/// Runs with the stand-ins first on the search path.
fn run(place: &Place, args: &[&str]) -> Run {
    place.run_with(args, |command| {
        command.env("PATH", format!("{}:/usr/bin:/bin", place.path("bin").display()));
    })
}

/// Runs with nothing but the system's own folders on the search path.
fn run_bare(place: &Place, args: &[&str]) -> Run {
    place.run_with(args, |command| {
        command.env("PATH", place.path("none"));
    })
}

/// The calls of a stand-in, each with its arguments.
fn calls(place: &Place, name: &str) -> Vec<Vec<String>> {
    let text = String::from_utf8(place.read(format!("bin/{name}.log"))).expect("UTF-8");
    let mut calls = vec![Vec::new()];
    for line in text.lines() {
        if line == "--" {
            calls.push(Vec::new());
        } else if let Some(call) = calls.last_mut() {
            call.push(line.to_owned());
        }
    }
    calls.pop();
    calls
}

/// The words of a text.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The linker flags of the built-in release profile.
fn ldflags() -> Vec<String> {
    let document: Value = serde_json::from_str(&profile(&[])).expect("JSON");
    let flags = document["wasm_ld"]["ldflags"].as_array().expect("flags");
    flags.iter().map(|f| f.as_str().expect("text").to_owned()).collect()
}

#[track_caller]
fn assert_no_output(place: &Place) {
    assert!(!place.path("app/dist/app.wasm").exists(), "a module is left");
    assert!(!place.path("app/dist/app.wasm.manifest.json").exists(), "a manifest is left");
}

#[test]
fn an_external_compiler_gets_paths_and_memory_and_must_not_repair() {
    let place = tools();
    let report = run(&place, &NATIVE).ok();
    let expected = format!(
        "build --project app/x07.json --out {EMIT}/program.c --emit-c-header {EMIT}/x07.h --freestanding --repair off --emit-wasm app/dist/app.wasm --wasm-initial-memory-bytes 134217728 --wasm-no-growable-memory"
    );
    assert_eq!(calls(&place, "x07"), [words(&expected), words("--version")]);
    let artifact = &report["result"]["artifact"];
    assert_eq!(artifact["repro"]["x07_build_args"], json!(words(&expected)));
    assert_eq!(artifact["toolchain"]["x07"], "1.2.3");
    assert_eq!(artifact["codegen_backend"], "native_x07_wasm_v1");
    assert_eq!(report["meta"]["nondeterminism"]["uses_process"], true);
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], false);
    assert_eq!(report["result"]["emit"]["c_path"], format!("{EMIT}/program.c"));
    assert_eq!(report["result"]["emit"]["h_path"], format!("{EMIT}/x07.h"));
    let expected = [
        format!("{EMIT}/program.c"),
        format!("{EMIT}/x07.h"),
        "app/dist/app.wasm".to_owned(),
        "app/dist/app.wasm.manifest.json".to_owned(),
    ];
    assert_eq!(paths(&report, "outputs"), expected);
    assert_eq!(place.read("app/dist/app.wasm"), place.read("good.wasm"));
}

#[test]
fn an_external_compiler_gets_the_largest_memory_only_if_the_profile_states_it() {
    let place = tools();
    let flags = json!(["--initial-memory=65536", "--max-memory=131072"]);
    place.write("p.json", profile(&[("/wasm_ld/ldflags", flags)]));
    // The stand-in's module has another memory, so the build fails; the arguments are what counts.
    let mut args = NATIVE.to_vec();
    args.extend(["--profile-file", "p.json"]);
    run(&place, &args).expect(1, "X07WASM_MEMORY_INITIAL_MISMATCH");
    let call = calls(&place, "x07").remove(0).join(" ");
    assert!(call.ends_with("--wasm-initial-memory-bytes 65536 --wasm-max-memory-bytes 131072"), "{call}");
    assert_no_output(&place);
}

#[test]
fn a_version_that_is_none_becomes_zeros() {
    let place = tools();
    tool(&place, "x07", &X07.replace("x07 1.2.3", "x07 from today"));
    let report = run(&place, &NATIVE).ok();
    assert_eq!(report["result"]["artifact"]["toolchain"]["x07"], "0.0.0");
}

#[test]
fn an_external_compiler_that_is_not_there_is_reported() {
    let place = tools();
    std::fs::remove_file(place.path("bin/x07")).expect("removed");
    place.write("app/dist/app.wasm", b"old");
    run(&place, &NATIVE).expect(2, "X07WASM_X07_BUILD_SPAWN_FAILED");
    assert_no_output(&place);
}

#[test]
fn an_external_compiler_that_may_not_be_executed_is_reported() {
    use std::os::unix::fs::PermissionsExt;
    let place = tools();
    std::fs::set_permissions(place.path("bin/x07"), std::fs::Permissions::from_mode(0o644)).expect("changed");
    run(&place, &NATIVE).expect(2, "X07WASM_X07_BUILD_SPAWN_FAILED");
}

#[test]
fn the_words_of_a_compiler_that_fails_are_in_the_report() {
    let place = tools();
    tool(&place, "x07", "echo this program is wrong >&2; exit 7");
    place.write("app/dist/app.wasm", b"old");
    let report = run(&place, &NATIVE).expect(1, "X07WASM_X07_BUILD_FAILED");
    let found = report["diagnostics"].as_array().expect("a list");
    let problem = found.iter().find(|d| d["code"] == "X07WASM_X07_BUILD_FAILED").expect("there");
    assert_eq!(problem["data"]["stderr"], "this program is wrong\n");
    assert_eq!(problem["data"]["exit_status"], 7);
    assert_no_output(&place);
}

#[test]
fn the_words_of_a_compiler_are_bounded_and_need_not_be_text() {
    let place = tools();
    tool(&place, "x07", "head -c 5000000 /dev/zero >&2; printf '\\377\\376' >&2; exit 1");
    let run = run(&place, &NATIVE);
    run.expect(1, "X07WASM_X07_BUILD_FAILED");
    assert!(run.stdout.len() < 200_000, "a report of {} bytes", run.stdout.len());
}

#[test]
fn a_module_of_a_compiler_that_fails_afterwards_is_removed() {
    let place = tools();
    tool(&place, "x07", &format!("{X07}\nexit 1"));
    run(&place, &NATIVE).expect(1, "X07WASM_X07_BUILD_FAILED");
    assert_no_output(&place);
    let place = tools();
    tool(&place, "wasm-ld", &format!("{LINKER}\nexit 1"));
    run(&place, &C).expect(1, "X07WASM_WASM_LD_FAILED");
    assert_no_output(&place);
}

#[test]
fn a_compiler_that_a_signal_ends_has_failed() {
    let place = tools();
    tool(&place, "x07", "kill -9 $$");
    run(&place, &NATIVE).expect(1, "X07WASM_X07_BUILD_FAILED");
}

#[test]
fn a_compiler_that_writes_no_module_is_reported() {
    let place = tools();
    tool(&place, "x07", &X07.replace("cp good.wasm \"$2\"", ":"));
    place.write("app/dist/app.wasm", b"old");
    run(&place, &NATIVE).expect(1, "X07WASM_NATIVE_BACKEND_WASM_MISSING");
    assert_no_output(&place);
}

#[test]
fn a_compiler_that_writes_no_c_is_reported() {
    let place = tools();
    tool(&place, "x07", &X07.replace("echo \"int x;\" > \"$2\"", ":"));
    run(&place, &NATIVE).expect(2, "X07WASM_BUILD_OUTPUT_IO_FAILED");
    assert_no_output(&place);
    run(&place, &C).expect(2, "X07WASM_BUILD_OUTPUT_IO_FAILED");
}

#[test]
fn a_compiler_that_writes_junk_is_reported() {
    let place = tools();
    tool(&place, "x07", &X07.replace("cp good.wasm", "echo junk >"));
    run(&place, &NATIVE).expect(1, "X07WASM_NATIVE_BACKEND_WASM_INVALID");
    assert_no_output(&place);
}

#[test]
fn a_foreign_module_without_exports_is_refused_unless_told_otherwise() {
    let place = tools();
    let wasm = wat::parse_str("(module (memory (export \"memory\") 2048 2048))").expect("a module");
    place.write("good.wasm", wasm);
    let report = run(&place, &NATIVE).expect(1, "X07WASM_EXPORTS_MISSING");
    let missing: Vec<&Value> = report["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|d| d["code"] == "X07WASM_EXPORTS_MISSING")
        .collect();
    assert_eq!(missing.len(), 3, "one for each name: {missing:#?}");
    assert_eq!(report["result"]["exports"]["missing"], json!(["x07_solve_v2", "__heap_base", "__data_end"]));
    assert_eq!(report["result"]["exports"]["found"], json!(["memory"]));
    assert_no_output(&place);
    let mut args = NATIVE.to_vec();
    args.extend(["--check-exports", "false"]);
    run(&place, &args).ok();
    place.write("good.wasm", wat::parse_str("(module)").expect("a module"));
    run(&place, &args).expect(1, "X07WASM_WASM_NO_MEMORY");
}

#[test]
fn a_foreign_module_with_another_memory_is_refused() {
    for (memory, code) in [
        ("1 2048", "X07WASM_MEMORY_INITIAL_MISMATCH"),
        ("2048 4096", "X07WASM_MEMORY_GROWABLE"),
        ("2048", "X07WASM_MEMORY_GROWABLE"),
    ] {
        let place = tools();
        place.write(
            "good.wasm",
            wat::parse_str(format!("(module (memory (export \"memory\") {memory}))")).expect("a module"),
        );
        run(&place, &NATIVE).expect(1, code);
        assert_no_output(&place);
    }
}

#[test]
fn the_c_backend_runs_x07_clang_twice_and_the_linker() {
    let place = tools();
    let report = run(&place, &C).ok();
    let x07 = format!(
        "build --project app/x07.json --out {EMIT}/program.c --emit-c-header {EMIT}/x07.h --freestanding --repair off"
    );
    assert_eq!(calls(&place, "x07"), [words(&x07), words("--version")]);
    let cflags = "--target=wasm32-wasi -O3 -DNDEBUG -std=c11 -ffunction-sections -fdata-sections -fvisibility=hidden";
    let clang = |name: &str| words(&format!("{cflags} -c {EMIT}/{name}.c -o {EMIT}/{name}.o"));
    assert_eq!(calls(&place, "clang"), [clang("program"), clang("phase0_shim"), words("--version")]);
    let mut link = ldflags();
    link.extend(words(&format!("{EMIT}/program.o {EMIT}/phase0_shim.o -o app/dist/app.wasm")));
    assert_eq!(calls(&place, "wasm-ld"), [link, words("--version")]);
    let artifact = &report["result"]["artifact"];
    assert_eq!(artifact["codegen_backend"], "c_toolchain_v1");
    assert_eq!(artifact["toolchain"]["clang"], "stand-in clang 1.0");
    assert_eq!(artifact["toolchain"]["wasm_ld"], "stand-in linker 2.0");
    assert_eq!(report["meta"]["tool"]["clang"], "stand-in clang 1.0");
    assert_eq!(report["meta"]["tool"]["wasm_ld"], "stand-in linker 2.0");
    assert_eq!(artifact["repro"]["clang_args"], json!(words(cflags)));
    assert_eq!(report["result"]["flags"]["clang"], json!(words(cflags)));
    assert_eq!(report["result"]["flags"]["codegen_backend"], "c_toolchain_v1");
    assert!(paths(&report, "outputs").contains(&format!("{EMIT}/phase0_shim.c")));
    assert_eq!(report["meta"]["nondeterminism"]["uses_process"], true);
}

#[test]
fn a_profile_can_choose_the_c_backend_and_its_programs() {
    let place = tools();
    for (old, new) in [("clang", "my-cc"), ("wasm-ld", "my-ld")] {
        std::fs::rename(place.path(format!("bin/{old}")), place.path(format!("bin/{new}"))).expect("renamed");
    }
    let mut document: Value = serde_json::from_str(&profile(&[])).expect("JSON");
    document["codegen_backend"] = json!("c_toolchain_v1");
    document["clang"] = json!({ "cc": "my-cc", "cflags": ["-O0"] });
    document["wasm_ld"]["linker"] = json!("my-ld");
    place.write("p.json", document.to_string());
    let args = ["build", "--project", "app/x07.json", "--profile-file", "p.json", "--json"];
    run(&place, &args).ok();
    let call = calls(&place, "my-cc").remove(0).join(" ");
    assert!(call.starts_with("--target=wasm32-wasi -O0 -c "), "the target is added when no flag has it: {call}");
    // The command line wins over the profile.
    let mut args = args.to_vec();
    args.extend(["--codegen-backend", "native_x07_wasm_v1"]);
    let report = run_bare(&place, &args).ok();
    assert_eq!(report["meta"]["nondeterminism"]["uses_process"], false);
}

#[test]
fn an_unknown_backend_is_refused() {
    let place = app();
    place.run("build --project app/x07.json --codegen-backend llvm --json").expect(3, "X07WASM_CLI_ARGS_INVALID");
}

#[test]
fn without_its_programs_the_c_backend_says_which_one_is_missing() {
    let place = tools();
    run_bare(&place, &C).expect(2, "X07WASM_X07_BUILD_SPAWN_FAILED");
    for (name, code) in [("clang", "X07WASM_CLANG_SPAWN_FAILED"), ("wasm-ld", "X07WASM_WASM_LD_SPAWN_FAILED")] {
        let place = tools();
        // The folders of the system might have the real ones.
        std::fs::remove_file(place.path("bin").join(name)).expect("removed");
        let command = place.run_with(&C, |command| {
            std::fs::create_dir_all(place.path("cp")).expect("made");
            std::os::unix::fs::symlink("/bin/cp", place.path("cp/cp")).expect("linked");
            command.env("PATH", format!("{}:{}", place.path("bin").display(), place.path("cp").display()));
        });
        command.expect(2, code);
        assert_no_output(&place);
    }
}

#[test]
fn every_step_of_the_c_backend_can_fail() {
    let steps = [
        ("x07", "echo no >&2; exit 1", 1, "X07WASM_X07_BUILD_FAILED"),
        ("clang", "echo no >&2; exit 1", 1, "X07WASM_CLANG_FAILED"),
        ("clang", "case \"$*\" in *phase0_shim.c*) exit 1;; esac", 1, "X07WASM_CLANG_SHIM_FAILED"),
        ("wasm-ld", "echo no >&2; exit 1", 1, "X07WASM_WASM_LD_FAILED"),
        (
            "wasm-ld",
            "while [ $# -gt 0 ]; do case \"$1\" in -o) echo junk > \"$2\"; shift;; esac; shift; done",
            1,
            "X07WASM_WASM_INSPECT_FAILED",
        ),
        ("wasm-ld", "exit 0", 2, "X07WASM_BUILD_OUTPUT_IO_FAILED"),
    ];
    for (name, script, status, code) in steps {
        let place = tools();
        tool(&place, name, script);
        place.write("app/dist/app.wasm", b"old");
        run(&place, &C).expect(status, code);
        assert_no_output(&place);
    }
}

#[test]
fn a_compiler_that_disappears_between_two_calls_is_reported() {
    let place = tools();
    tool(&place, "clang", "rm \"$0\"");
    let command = place.run_with(&C, |command| {
        std::fs::create_dir_all(place.path("rm")).expect("made");
        std::os::unix::fs::symlink("/bin/rm", place.path("rm/rm")).expect("linked");
        command.env("PATH", format!("{}:{}", place.path("bin").display(), place.path("rm").display()));
    });
    command.expect(2, "X07WASM_CLANG_SHIM_SPAWN_FAILED");
}

#[test]
fn a_support_file_that_cannot_be_written_is_reported() {
    let place = tools();
    place.write(&format!("{EMIT}/phase0_shim.c/file"), b"");
    run(&place, &C).expect(2, "X07WASM_SHIM_WRITE_FAILED");
}

#[test]
fn an_emit_folder_that_is_a_file_is_reported() {
    let place = tools();
    place.write("file", b"");
    let mut args = C.to_vec();
    args.extend(["--emit-dir", "file"]);
    run(&place, &args).expect(2, "X07WASM_BUILD_IO_FAILED");
}

#[test]
fn intermediate_files_of_an_earlier_build_are_not_taken_for_new_ones() {
    let place = tools();
    run(&place, &C).ok();
    // Now the compiler writes nothing, and says that all is well.
    tool(&place, "x07", "exit 0");
    let second = run(&place, &C);
    assert_ne!(second.status, 0, "the old C program was compiled again: {:#}", second.report());
    assert_no_output(&place);
}

#[test]
fn run_can_use_the_c_backend_and_leaves_nothing_behind() {
    let place = tools();
    let args =
        ["run", "--project", "app/x07.json", "--codegen-backend", "c_toolchain_v1", "--input-hex", "6869", "--json"];
    let report = run(&place, &args).ok();
    assert_eq!(report["result"]["output"]["base64"], "aGk=");
    assert_eq!(report["meta"]["nondeterminism"]["uses_process"], true);
    let args = ["run", "--project", "app/x07.json", "--x07", "bin/x07", "--input-hex", "6869", "--json"];
    run(&place, &args).ok();
    assert!(!place.path("app/dist").exists() && !place.path("app/build").exists(), "files were left in the project");
}

/// A project that depends on a package that is not there, and a package manager that can bring it.
fn unhydrated(script: &str) -> Place {
    use sha2::{Digest, Sha256};
    let place = tools();
    let package = json!({ "schema_version": "x07.package@0.1.0", "name": "lib", "version": "1.0.0", "module_root": ".", "modules": [] }).to_string();
    place.write("vendor/x07-package.json", &package);
    place.project("app", &echo());
    manifest(&place, "app", json!({ "dependencies": [{ "name": "lib", "version": "1.0.0", "path": "lib" }] }));
    let lock = json!({ "schema_version": "x07.lock@0.3.0", "dependencies": [{
        "name": "lib", "version": "1.0.0", "path": "lib", "module_root": ".", "modules_sha256": {},
        "package_manifest_sha256": hex::encode(Sha256::digest(&package)),
    }] });
    place.write("app/x07.lock.json", lock.to_string());
    tool(&place, "x07", &format!("if [ \"$1\" = pkg ]; then\n{script}\nfi\n{X07}"));
    place
}

#[test]
fn missing_packages_are_fetched_by_an_external_x07() {
    let place =
        unhydrated("case \"$*\" in *--offline*) [ -d app/lib ] && exit 0; exit 1;; esac; cp -r vendor app/lib; exit 0");
    let report = run(&place, &NATIVE).ok();
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], true);
    let made = calls(&place, "x07");
    assert_eq!(made[0], words("pkg lock --project app/x07.json --check --offline"));
    assert_eq!(made[1], words("pkg lock --project app/x07.json"));
    assert_eq!(made[2][0], "build");
    // Now they are there, and nothing is fetched.
    let report = run(&place, &NATIVE).ok();
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], false);
}

#[test]
fn the_built_in_compiler_fetches_nothing() {
    let place = unhydrated("exit 0");
    let args = ["build", "--project", "app/x07.json", "--json"];
    let report = run(&place, &args).expect(3, "X07WASM_PROJECT_DEPENDENCY_MISSING");
    assert_eq!(report["meta"]["nondeterminism"]["uses_process"], false);
    assert!(!place.path("bin/x07.log").exists(), "x07 was started");
}

#[test]
fn packages_that_cannot_be_fetched_are_reported() {
    let place = unhydrated("echo no network >&2; exit 3");
    let report = run(&place, &NATIVE).expect(1, "X07WASM_X07_PKG_LOCK_FAILED");
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], true);
    assert!(report["diagnostics"].to_string().contains("no network"));
    assert_no_output(&place);
}

#[test]
fn a_package_manager_that_lies_is_found_out() {
    let place = unhydrated("exit 0");
    run(&place, &NATIVE).expect(3, "X07WASM_PROJECT_DEPENDENCY_MISSING");
    let place = unhydrated(
        "case \"$*\" in *--offline*) exit 1;; esac; cp -r vendor app/lib; echo >> app/lib/x07-package.json; exit 0",
    );
    run(&place, &NATIVE).expect(3, "X07WASM_PROJECT_LOCK_INVALID");
    assert_no_output(&place);
}

#[test]
fn a_project_without_dependencies_needs_no_package_manager() {
    let place = tools();
    tool(&place, "x07", &format!("[ \"$1\" = pkg ] && exit 9\n{X07}"));
    run(&place, &NATIVE).ok();
    assert_eq!(calls(&place, "x07")[0][0], "build");
}
