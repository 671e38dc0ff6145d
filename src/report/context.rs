//! What a command collects while it works.

use super::diagnostic::Diag;
use super::exit::{self, Origin};
use super::incident::Incident;
use crate::contract::files::Files;
use std::path::PathBuf;
use std::time::Instant;
use x07_wasm_contracts::types::{Diagnostic, Nondeterminism, Severity, ToolMeta};

/// The working state of one command. Domain code gets the parts it needs; the report is made of
/// what is left here when the command returns.
#[derive(Debug)]
pub struct Context {
    /// Reads and writes; becomes `meta.inputs` and `meta.outputs`.
    pub files: Files,
    /// What makes two runs differ.
    pub nondeterminism: Nondeterminism,
    /// Versions of the tools that took part.
    pub tool: ToolMeta,
    /// Whether a report was asked for.
    pub json: bool,
    /// Bytes for standard output when no report was asked for.
    pub stdout: Vec<u8>,
    /// Lines for standard error when no report was asked for.
    pub notes: Vec<String>,
    /// What to leave behind if the command fails.
    pub incident: Option<Incident>,
    /// Files that get the report, too, if the command fails: it belongs to bundles that were written
    /// while the command went on.
    pub report_copies: Vec<PathBuf>,
    diagnostics: Vec<(Diagnostic, Origin)>,
    argv: Vec<String>,
    started: Instant,
}

impl Context {
    /// A fresh context; `argv` becomes `meta.argv`.
    #[must_use]
    pub fn new(argv: Vec<String>, json: bool, started: Instant) -> Self {
        Self {
            files: Files::default(),
            nondeterminism: Nondeterminism { uses_network: false, uses_os_time: false, uses_process: false },
            tool: tool_meta(),
            json,
            stdout: Vec::new(),
            notes: Vec::new(),
            incident: None,
            report_copies: Vec::new(),
            diagnostics: Vec::new(),
            argv,
            started,
        }
    }

    /// Adds a diagnostic of ours.
    pub fn push(&mut self, diag: Diag) {
        self.diagnostics.push((diag.build(), Origin::Host));
    }

    /// Adds several.
    pub fn extend(&mut self, diags: impl IntoIterator<Item = Diag>) {
        diags.into_iter().for_each(|d| self.push(d));
    }

    /// Adds a diagnostic that a guest program raised.
    pub fn push_guest(&mut self, diag: Diag) {
        self.diagnostics.push((diag.build(), Origin::Guest));
    }

    /// Whether some diagnostic is an error.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.diagnostics.iter().any(|(d, _)| d.severity == Severity::Error)
    }

    /// How many errors there are; to see whether a step added one.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|(d, _)| d.severity == Severity::Error).count()
    }

    /// All diagnostics so far.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().map(|(d, _)| d)
    }

    /// The exit code that the diagnostics so far give.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        exit::code(self.diagnostics.iter().map(|(d, o)| (d, *o)))
    }

    /// The arguments of the process.
    #[must_use]
    pub fn argv(&self) -> &[String] {
        &self.argv
    }

    /// Milliseconds since the process began its work.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Name and version of this tool.
#[must_use]
pub fn tool_meta() -> ToolMeta {
    ToolMeta {
        name: "x07-wasm".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        clang: None,
        git_sha: None,
        jco: None,
        rustc: None,
        wac: None,
        wasm_ld: None,
        wasm_tools: None,
        wasmtime: None,
        wit_bindgen: None,
        x07: None,
    }
}
