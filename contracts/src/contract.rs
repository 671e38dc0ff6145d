//! What every contract offers.

use crate::diagnostics::{CODES, Code};
use crate::registry::CONTRACTS;
use crate::types::{Diagnostic, Meta, Severity, Stage};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What the documents of a contract are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Emitted by a command.
    Report,
    /// A file or message that commands read or write.
    Document,
    /// Only definitions that other schemas use.
    Definitions,
}

/// One schema of `schemas/`.
#[derive(Debug)]
pub struct ContractInfo {
    /// The schema's `$id`.
    pub id: &'static str,
    /// File name under `schemas/`.
    pub file: &'static str,
    /// The `schema_version` of its documents, when they carry exactly one.
    pub schema_version: Option<&'static str>,
    /// Every `schema_version` that its documents may carry.
    pub schema_versions: &'static [&'static str],
    /// What its documents are for.
    pub role: Role,
    /// The schema file, byte for byte.
    pub text: &'static str,
}

impl ContractInfo {
    /// Finds a contract by `$id`, by `schema_version`, or by file name with or without
    /// `.schema.json`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        CONTRACTS.iter().find(|c| {
            c.id == name
                || c.schema_versions.contains(&name)
                || c.file == name
                || c.file.strip_suffix(".schema.json") == Some(name)
        })
    }
}

/// A Rust type that is a whole document of a contract.
pub trait Contract: Serialize + DeserializeOwned {
    /// Its schema.
    const INFO: &'static ContractInfo;
}

/// What every report wraps around its result.
#[derive(Debug)]
pub struct Envelope<R> {
    /// Whether the command succeeded.
    pub ok: bool,
    /// The exit code of the process.
    pub exit_code: u8,
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
    /// Who ran, with which arguments, over which files.
    pub meta: Meta,
    /// The command's own part.
    pub result: R,
}

/// A document that a command emits.
pub trait Report: Contract {
    /// The `command` member.
    const COMMAND: &'static str;
    /// The `schema_version` member.
    const SCHEMA_VERSION: &'static str;
    /// The least valid result, as JSON: what is emitted where a command failed early.
    const RESULT_PLACEHOLDER: &'static str;
    /// The type of the `result` member.
    type Result: Serialize + DeserializeOwned;

    /// Builds the report.
    fn assemble(envelope: Envelope<Self::Result>) -> Self;
}

/// An entry of the diagnostics catalogue.
#[derive(Debug)]
pub struct CodeInfo {
    /// The code as it stands in reports.
    pub code: &'static str,
    /// Its usual severity.
    pub severity: Severity,
    /// The stages in which it is raised, the usual one first.
    pub stages: &'static [Stage],
    /// The exit code that it causes alone.
    pub exit: u8,
    /// The commands that raise it.
    pub raised_by: &'static [&'static str],
    /// One line: what it says.
    pub summary: &'static str,
    /// How it comes about.
    pub cause: &'static str,
    /// What to do.
    pub cure: &'static str,
}

impl Code {
    /// The catalogue entry.
    #[must_use]
    pub const fn info(self) -> &'static CodeInfo {
        &CODES[self as usize]
    }

    /// The code as it stands in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.info().code
    }

    /// Finds a code by its text.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        CODES.binary_search_by(|info| info.code.cmp(text)).ok().and_then(|i| crate::diagnostics::ALL.get(i)).copied()
    }
}
