//! Runs the binary in a folder of its own and looks at what came out.

use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use x07_wasm::contract::ContractInfo;
use x07_wasm::contract::json::canonical;
use x07_wasm::contract::validate::violations;

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether goldens are to be rewritten.
pub fn bless() -> bool {
    std::env::var_os("X07_BLESS").is_some_and(|v| v == "1")
}

/// A temporary folder in which the binary runs.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A folder with a copy of an example project under its own name.
    pub fn with_example(name: &str) -> Self {
        let place = Self::new();
        copy_tree(&root().join("examples").join(name), &place.path(name));
        place
    }

    /// A path in the folder.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Writes a file, with its folders.
    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("in the folder")).expect("made");
        fs::write(&path, content).expect("written");
        path
    }

    /// Writes a solve-pure project `name` with an entry that has these declarations, imports and body.
    pub fn project(&self, name: &str, solve: &Value) {
        let entry = serde_json::json!({ "schema_version": "x07.x07ast@0.8.0", "kind": "entry", "module_id": "main", "imports": [], "decls": [], "solve": solve });
        self.project_of(name, &entry.to_string());
    }

    /// Writes a solve-pure project `name` with this entry file.
    pub fn project_of(&self, name: &str, entry: &str) {
        let manifest = serde_json::json!({ "schema_version": "x07.project@0.3.0", "world": "solve-pure", "entry": "src/main.x07.json", "module_roots": ["src"], "dependencies": [], "lockfile": null });
        self.write(&format!("{name}/x07.json"), manifest.to_string());
        self.write(&format!("{name}/src/main.x07.json"), entry);
    }

    /// Reads a file.
    pub fn read(&self, relative: impl AsRef<Path>) -> Vec<u8> {
        fs::read(self.path(relative)).expect("the file is there")
    }

    /// Runs the binary; the arguments are separated by blanks.
    pub fn run(&self, args: &str) -> Run {
        self.run_args(&args.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs the binary.
    pub fn run_args<A: AsRef<OsStr>>(&self, args: &[A]) -> Run {
        self.run_with(args, |_| {})
    }

    /// Runs the binary after a change of the command: environment, standard input.
    pub fn run_with<A: AsRef<OsStr>>(&self, args: &[A], change: impl FnOnce(&mut Command)) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_x07-wasm"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null()).env_remove("X07_BLESS");
        change(&mut command);
        let started = Instant::now();
        let output = command.output().expect("the binary starts");
        Run {
            status: output.status.code().expect("the binary ends by itself"),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: started.elapsed(),
        }
    }
}

/// What a run of the binary gave.
#[derive(Debug)]
pub struct Run {
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub took: Duration,
}

impl Run {
    /// The report on standard output, after it was checked against its schema, the exit status and
    /// the canonical form.
    #[track_caller]
    pub fn report(&self) -> Value {
        let report = check_report(&self.stdout);
        assert_eq!(report["exit_code"], self.status, "{report:#}");
        report
    }

    /// The codes of the report's diagnostics, in order.
    #[track_caller]
    pub fn codes(&self) -> Vec<String> {
        codes(&self.report())
    }

    /// Asserts the exit status and that the report has a diagnostic with this code.
    #[track_caller]
    pub fn expect(&self, status: i32, code: &str) -> Value {
        let report = self.report();
        assert_eq!(self.status, status, "{report:#}\n{}", self.stderr);
        assert!(codes(&report).iter().any(|c| c == code), "no {code} in {report:#}");
        report
    }

    /// Asserts success; yields the report.
    #[track_caller]
    pub fn ok(&self) -> Value {
        let report = self.report();
        assert_eq!(self.status, 0, "{report:#}\n{}", self.stderr);
        assert_eq!(report["ok"], true);
        report
    }
}

/// The codes of a report's diagnostics.
pub fn codes(report: &Value) -> Vec<String> {
    let list = report["diagnostics"].as_array().expect("diagnostics");
    list.iter().map(|d| d["code"].as_str().expect("a code").to_owned()).collect()
}

/// Checks the bytes of a report: one canonical JSON document that satisfies its own schema.
#[track_caller]
pub fn check_report(bytes: &[u8]) -> Value {
    let report: Value = serde_json::from_slice(bytes)
        .unwrap_or_else(|e| panic!("not a report: {e}: {}", String::from_utf8_lossy(bytes)));
    let version = report["schema_version"].as_str().expect("a schema_version");
    let contract = ContractInfo::find(version).unwrap_or_else(|| panic!("no contract {version}"));
    assert_eq!(violations(contract, &report), [], "{report:#}");
    let canonical = [canonical::compact(&report), canonical::pretty(&report)];
    assert!(canonical.iter().any(|c| c == bytes), "the report is not canonical");
    report
}

/// Copies a folder.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}
