//! The C backend, kept for profiles that ask for `c_toolchain_v1`, and the external compiler.
//!
//! An external `x07` makes C of the project, clang compiles it together with a small support file,
//! and wasm-ld links both. [`external_x07`] can also have `x07` emit the module itself; then the
//! other steps are not needed.

use super::probe::version_line;
use super::process::{COMPILER_TIMEOUT, Outcome, Request};
use crate::contract::files::{WriteError, write_atomic};
use crate::report::diagnostic::clip;
use crate::report::{Code, Diag};
use crate::wasm::LinkPlan;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// The support file: the functions of the C library that a program needs.
pub const SHIM: &str = include_str!("phase0_shim.c");

/// Characters of a program's standard error that an error carries.
const MAX_STDERR_CHARS: usize = 4096;

/// Everything that the steps need to know. Paths are as given, relative to the current folder.
#[derive(Clone, Debug)]
pub struct CBuild {
    /// Manifest of the project.
    pub project: PathBuf,
    /// Existing folder for intermediate files.
    pub emit_dir: PathBuf,
    /// The module to be made; its folder exists.
    pub wasm: PathBuf,
    /// The C compiler, a name or a path.
    pub cc: String,
    /// Its flags.
    pub cflags: Vec<String>,
    /// Target for the C compiler, used unless a flag names one.
    pub triple: String,
    /// The linker, a name or a path.
    pub linker: String,
    /// Its flags.
    pub ldflags: Vec<String>,
    /// The X07 compiler, a name or a path.
    pub x07: String,
}

impl CBuild {
    /// The C program that `x07` writes.
    #[must_use]
    pub fn program_c(&self) -> PathBuf {
        self.emit_dir.join("program.c")
    }

    /// The header that `x07` writes.
    #[must_use]
    pub fn header(&self) -> PathBuf {
        self.emit_dir.join("x07.h")
    }

    /// The support file.
    #[must_use]
    pub fn shim_c(&self) -> PathBuf {
        self.emit_dir.join("phase0_shim.c")
    }

    /// Every file that external tools make.
    #[must_use]
    pub fn made(&self) -> [PathBuf; 5] {
        [self.program_c(), self.header(), self.program_o(), self.shim_o(), self.wasm.clone()]
    }

    fn program_o(&self) -> PathBuf {
        self.emit_dir.join("program.o")
    }

    fn shim_o(&self) -> PathBuf {
        self.emit_dir.join("phase0_shim.o")
    }
}

/// The steps, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `x07 pkg lock`
    PkgLock,
    /// `x07 build`
    X07Build,
    /// clang, for the program.
    ClangProgram,
    /// clang, for the support file.
    ClangShim,
    /// wasm-ld
    Link,
}

impl Step {
    /// The code for a program that could not be started, or did not end in time.
    #[must_use]
    pub const fn spawn_code(self) -> Code {
        match self {
            Self::PkgLock => Code::X07PkgLockFailed,
            Self::X07Build => Code::X07BuildSpawnFailed,
            Self::ClangProgram => Code::ClangSpawnFailed,
            Self::ClangShim => Code::ClangShimSpawnFailed,
            Self::Link => Code::WasmLdSpawnFailed,
        }
    }

    /// The code for a program that ended with an error.
    #[must_use]
    pub const fn failure_code(self) -> Code {
        match self {
            Self::PkgLock => Code::X07PkgLockFailed,
            Self::X07Build => Code::X07BuildFailed,
            Self::ClangProgram => Code::ClangFailed,
            Self::ClangShim => Code::ClangShimFailed,
            Self::Link => Code::WasmLdFailed,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PkgLock => "locking the dependencies",
            Self::X07Build => "compiling the project",
            Self::ClangProgram => "compiling the C program",
            Self::ClangShim => "compiling the support file",
            Self::Link => "linking the module",
        })
    }
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum CBackendError {
    /// The program could not be started.
    #[error("{step}: {program:?} cannot be started: {cause}")]
    Spawn {
        /// The step.
        step: Step,
        /// The program, as given.
        program: String,
        /// What the system said.
        cause: String,
    },
    /// The program ran too long and was ended.
    #[error("{step}: {program:?} did not end within {} s", COMPILER_TIMEOUT.as_secs())]
    TimedOut {
        /// The step.
        step: Step,
        /// The program, as given.
        program: String,
    },
    /// The program reported an error.
    #[error("{step}: {program:?} ended with {}{}", status(*.code), first_line(.stderr))]
    Failed {
        /// The step.
        step: Step,
        /// The program, as given.
        program: String,
        /// Its exit status; `None` when a signal ended it.
        code: Option<i32>,
        /// What it wrote to standard error, at most 4096 characters.
        stderr: String,
    },
    /// The support file could not be written.
    #[error("the support file cannot be written: {0}")]
    Shim(#[from] WriteError),
}

impl CBackendError {
    /// The catalogue code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Spawn { step, .. } | Self::TimedOut { step, .. } => step.spawn_code(),
            Self::Failed { step, .. } => step.failure_code(),
            Self::Shim(_) => Code::ShimWriteFailed,
        }
    }

    /// As a diagnostic, with what the program printed in `data.stderr`.
    #[must_use]
    pub fn diagnose(&self) -> Diag {
        let diag = Diag::new(self.code(), self.to_string());
        match self {
            Self::Spawn { program, cause, .. } => {
                diag.data("program", program.as_str()).data("os_error", cause.as_str())
            }
            Self::TimedOut { program, .. } => diag.data("program", program.as_str()),
            Self::Failed { program, code, stderr, .. } => {
                diag.data("program", program.as_str()).data("exit_status", *code).data("stderr", stderr.as_str())
            }
            Self::Shim(error) => diag.data("error", error.to_string()),
        }
    }
}

fn status(code: Option<i32>) -> String {
    code.map_or_else(|| "a signal".to_owned(), |code| format!("exit status {code}"))
}

/// The first line that says something, to follow a message.
fn first_line(stderr: &str) -> String {
    stderr
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .map(|line| format!(": {}", clip(line.to_owned(), 300)))
        .unwrap_or_default()
}

/// What [`hydrate`] did.
#[derive(Debug)]
pub struct Hydration {
    /// Whether the network may have been used.
    pub uses_network: bool,
    /// Whether the dependencies are there now.
    pub outcome: Result<(), CBackendError>,
}

/// Makes sure that the dependencies of a project are there: first without network, and if they are
/// not, with it. To be called only for a project that has dependencies.
#[must_use]
pub fn hydrate(x07: &str, project: &Path) -> Hydration {
    let request = || Request::new(x07, COMPILER_TIMEOUT).args(["pkg", "lock", "--project"]).arg(project);
    match run(Step::PkgLock, x07, &request().args(["--check", "--offline"])) {
        Err(CBackendError::Failed { .. }) => {
            Hydration { uses_network: true, outcome: run(Step::PkgLock, x07, &request()) }
        }
        outcome => Hydration { uses_network: false, outcome },
    }
}

/// The arguments with which `x07` compiles the project; with `emit_wasm` it writes the module too.
#[must_use]
pub fn x07_build_args(build: &CBuild, emit_wasm: bool) -> Vec<OsString> {
    let mut args = vec![OsString::from("build")];
    args.extend(option("--project", &build.project));
    args.extend(option("--out", build.program_c()));
    args.extend(option("--emit-c-header", build.header()));
    // Without the last two the compiler would rewrite the program in place.
    args.extend(["--freestanding", "--repair", "off"].map(OsString::from));
    if emit_wasm {
        args.extend(option("--emit-wasm", &build.wasm));
        // Flags that cannot be understood are reported where the plan of the module is checked.
        let (plan, _) = LinkPlan::parse(&build.ldflags);
        if let Some(bytes) = plan.initial {
            args.extend(option("--wasm-initial-memory-bytes", bytes.to_string()));
        }
        if let Some(bytes) = plan.max {
            args.extend(option("--wasm-max-memory-bytes", bytes.to_string()));
        }
        if plan.no_growable {
            args.push(OsString::from("--wasm-no-growable-memory"));
        }
    }
    args
}

fn option(name: &str, value: impl Into<OsString>) -> [OsString; 2] {
    [OsString::from(name), value.into()]
}

/// Has the external compiler make C of the project, and with `emit_wasm` the module as well.
///
/// # Errors
/// When `x07` cannot be run or reports an error.
pub fn external_x07(build: &CBuild, emit_wasm: bool) -> Result<(), CBackendError> {
    run(Step::X07Build, &build.x07, &Request::new(&build.x07, COMPILER_TIMEOUT).args(x07_build_args(build, emit_wasm)))
}

/// Compiles and links what [`external_x07`] made: writes the support file, runs clang twice and
/// wasm-ld.
///
/// # Errors
/// The first step that fails.
pub fn compile_and_link(build: &CBuild) -> Result<(), CBackendError> {
    write_shim(build)?;
    clang_program(build)?;
    clang_shim(build)?;
    wasm_ld(build)
}

/// Writes the support file into the folder of intermediate files.
///
/// # Errors
/// What the system says.
pub fn write_shim(build: &CBuild) -> Result<(), CBackendError> {
    Ok(write_atomic(&build.shim_c(), SHIM.as_bytes())?)
}

/// Compiles the C program.
///
/// # Errors
/// When clang cannot be run or reports an error.
pub fn clang_program(build: &CBuild) -> Result<(), CBackendError> {
    clang(build, Step::ClangProgram, &build.program_c(), &build.program_o())
}

/// Compiles the support file.
///
/// # Errors
/// When clang cannot be run or reports an error.
pub fn clang_shim(build: &CBuild) -> Result<(), CBackendError> {
    clang(build, Step::ClangShim, &build.shim_c(), &build.shim_o())
}

fn clang(build: &CBuild, step: Step, source: &Path, object: &Path) -> Result<(), CBackendError> {
    run(step, &build.cc, &Request::new(&build.cc, COMPILER_TIMEOUT).args(clang_args(build, source, object)))
}

fn clang_args(build: &CBuild, source: &Path, object: &Path) -> Vec<OsString> {
    let mut args: Vec<OsString> = Vec::new();
    if !build.cflags.iter().any(|flag| flag.starts_with("--target=")) {
        args.push(OsString::from(format!("--target={}", build.triple)));
    }
    args.extend(build.cflags.iter().map(OsString::from));
    args.extend(option("-c", source));
    args.extend(option("-o", object));
    args
}

/// Links the module.
///
/// # Errors
/// When wasm-ld cannot be run or reports an error.
pub fn wasm_ld(build: &CBuild) -> Result<(), CBackendError> {
    run(Step::Link, &build.linker, &Request::new(&build.linker, COMPILER_TIMEOUT).args(wasm_ld_args(build)))
}

fn wasm_ld_args(build: &CBuild) -> Vec<OsString> {
    let mut args: Vec<OsString> = build.ldflags.iter().map(OsString::from).collect();
    args.push(build.program_o().into_os_string());
    args.push(build.shim_o().into_os_string());
    args.extend(option("-o", &build.wasm));
    args
}

/// The version of an external compiler: the second word of what `x07 --version` prints, if it is a
/// semantic version.
#[must_use]
pub fn x07_version(x07: &str) -> Option<String> {
    let line = version_line(x07).ok()?;
    version_word(&line).map(str::to_owned)
}

fn version_word(line: &str) -> Option<&str> {
    line.split_whitespace().nth(1).filter(|word| semver::Version::parse(word).is_ok())
}

fn run(step: Step, program: &str, request: &Request) -> Result<(), CBackendError> {
    let program = program.to_owned();
    match request.run() {
        Outcome::NotFound => Err(CBackendError::Spawn { step, program, cause: "no such program was found".to_owned() }),
        Outcome::SpawnFailed(error) => Err(CBackendError::Spawn { step, program, cause: error.to_string() }),
        Outcome::TimedOut => Err(CBackendError::TimedOut { step, program }),
        Outcome::Exited { code: Some(0), .. } => Ok(()),
        Outcome::Exited { code, stderr, .. } => {
            let stderr = clip(String::from_utf8_lossy(&stderr).into_owned(), MAX_STDERR_CHARS);
            Err(CBackendError::Failed { step, program, code, stderr })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(emit_dir: &Path) -> CBuild {
        CBuild {
            project: PathBuf::from("p/x07.json"),
            emit_dir: emit_dir.to_owned(),
            wasm: PathBuf::from("dist/p.wasm"),
            cc: "clang".to_owned(),
            cflags: vec!["-O3".to_owned()],
            triple: "wasm32-wasi".to_owned(),
            linker: "wasm-ld".to_owned(),
            ldflags: ["--no-entry", "--initial-memory=131072", "--max-memory=262144", "--no-growable-memory"]
                .map(str::to_owned)
                .to_vec(),
            x07: "x07-wasm-test-no-such-x07".to_owned(),
        }
    }

    fn words(args: &[OsString]) -> String {
        args.iter().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_compiler_gets_the_memory_of_the_linker_flags() {
        let build = build(Path::new("e"));
        let base = "build --project p/x07.json --out e/program.c --emit-c-header e/x07.h --freestanding --repair off";
        assert_eq!(words(&x07_build_args(&build, false)), base);
        assert_eq!(
            words(&x07_build_args(&build, true)),
            format!(
                "{base} --emit-wasm dist/p.wasm --wasm-initial-memory-bytes 131072 --wasm-max-memory-bytes 262144 --wasm-no-growable-memory"
            )
        );
        let plain = CBuild { ldflags: vec!["--no-entry".to_owned()], ..build };
        assert_eq!(words(&x07_build_args(&plain, true)), format!("{base} --emit-wasm dist/p.wasm"));
    }

    #[test]
    fn clang_gets_a_target_once() {
        let mut build = build(Path::new("e"));
        let args = |build: &CBuild| words(&clang_args(build, &build.program_c(), &build.program_o()));
        assert_eq!(args(&build), "--target=wasm32-wasi -O3 -c e/program.c -o e/program.o");
        build.cflags.push("--target=wasm32".to_owned());
        assert_eq!(args(&build), "-O3 --target=wasm32 -c e/program.c -o e/program.o");
        assert_eq!(
            words(&wasm_ld_args(&build)),
            "--no-entry --initial-memory=131072 --max-memory=262144 --no-growable-memory e/program.o e/phase0_shim.o -o dist/p.wasm"
        );
    }

    #[test]
    fn what_cannot_be_started_names_the_step() {
        let build = build(Path::new("e"));
        let error = external_x07(&build, false).expect_err("there is none");
        assert!(matches!(error, CBackendError::Spawn { step: Step::X07Build, .. }));
        assert_eq!(error.code(), Code::X07BuildSpawnFailed);
        let hydration = hydrate(&build.x07, &build.project);
        assert!(
            !hydration.uses_network
                && matches!(hydration.outcome, Err(CBackendError::Spawn { step: Step::PkgLock, .. }))
        );
        assert_eq!(x07_version(&build.x07), None);
    }

    #[test]
    fn the_version_is_the_second_word() {
        assert_eq!(version_word("x07 0.1.102 (abc)"), Some("0.1.102"));
        assert_eq!((version_word("x07"), version_word("x07 dev"), version_word("")), (None, None, None));
    }

    #[test]
    fn the_support_file_is_written_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let build = build(folder.path());
        write_shim(&build).expect("written");
        assert_eq!(std::fs::read_to_string(build.shim_c()).expect("there"), SHIM);
        let nowhere = CBuild { emit_dir: folder.path().join("none"), ..build };
        assert_eq!(write_shim(&nowhere).expect_err("no folder").code(), Code::ShimWriteFailed);
    }

    #[cfg(unix)]
    #[test]
    fn an_error_of_a_program_comes_with_what_it_printed() {
        let failed = run(
            Step::Link,
            "sh",
            &Request::new("/bin/sh", COMPILER_TIMEOUT).args(["-c", "echo 'cannot link' >&2; exit 7"]),
        );
        let diagnostic = failed.expect_err("it failed").diagnose().build();
        assert_eq!(diagnostic.code, "X07WASM_WASM_LD_FAILED");
        assert_eq!(diagnostic.message, "linking the module: \"sh\" ended with exit status 7: cannot link");
        assert_eq!(diagnostic.data.expect("data")["stderr"], "cannot link\n");
    }
}
