//! Start-up and small commands as whole processes. The peer is `true`, which does nothing: what is
//! above it is ours.

#![allow(missing_docs, clippy::unwrap_used)]

mod measure;

use measure::Thing;
use std::path::Path;
use std::process::{Command, Stdio};

fn process(name: &str, program: &str, folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Thing {
    let (program, folder) = (program.to_owned(), folder.to_owned());
    let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
    let env: Vec<(String, String)> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let thing = move || {
        let status = Command::new(&program)
            .args(&args)
            .envs(env.clone())
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{program} {args:?}");
    };
    (name.to_owned(), Box::new(thing))
}

fn main() {
    let tool = env!("CARGO_BIN_EXE_x07-wasm");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("echo.wasm");
    let out = out.to_str().unwrap();
    let cache = folder.path().join("cache");
    let home = [("HOME", cache.to_str().unwrap()), ("XDG_CACHE_HOME", cache.to_str().unwrap())];
    let echo = "examples/solve_pure_echo/x07.json";
    let mut things = vec![
        process("true", "true", root, &[], &[]),
        process("--version", tool, root, &["--version"], &[]),
        process("--cli-specrows", tool, root, &["--cli-specrows"], &[]),
        process("profile validate", tool, root, &["profile", "validate"], &[]),
        process("profile validate --json", tool, root, &["profile", "validate", "--json"], &[]),
        process("build (echo)", tool, root, &["build", "--project", echo, "--out", out], &[]),
        process("build --json (echo)", tool, root, &["build", "--project", echo, "--out", out, "--json"], &[]),
        process("run --wasm (echo, cold)", tool, root, &["run", "--wasm", out, "--input", "README.md"], &[]),
        process(
            "run --wasm (echo, cached)",
            tool,
            root,
            &["run", "--wasm", out, "--profile", "wasm_release_cached", "--input", "README.md"],
            &home,
        ),
        process(
            "run --project (word_count)",
            tool,
            root,
            &["run", "--project", "examples/word_count/x07.json", "--input", "README.md"],
            &[],
        ),
    ];
    // The module must exist before it is run.
    things[5].1();
    let rows = measure::medians(measure::rounds(), &mut things);
    measure::table("whole processes", &rows, "true");
}
