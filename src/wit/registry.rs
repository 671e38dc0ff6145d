//! Reads the registry of WIT packages.

use super::{DEFAULT_INDEX, builtin};
use crate::contract::files::{Files, shown};
use crate::contract::load::{self, DocumentProblem, LoadError, ProblemKind};
use crate::report::registry::Carried;
use crate::report::{Code, Diag, DocumentCodes};
use std::path::Path;
use x07_wasm_contracts::types::ArchWitIndex;
pub use x07_wasm_contracts::types::{ArchWitIndexPackage as Entry, ArchWitIndexPackageKind as Kind};

/// A registry that was read.
#[derive(Clone, Debug)]
pub struct Registry {
    /// As given on the command line or in a profile.
    pub path: String,
    /// The packages, in order.
    pub entries: Vec<Entry>,
    /// Whether it is the one that the tool carries; its packages are carried too.
    pub builtin: bool,
}

impl Registry {
    /// The position of the first entry with an id.
    #[must_use]
    pub fn position(&self, id: &str) -> Option<usize> {
        self.entries.iter().position(|e| e.id == id)
    }

    /// The first entry with an id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.id == id)
    }

    /// The ids that it has, for messages.
    pub(crate) fn known(&self) -> String {
        let ids: Vec<&str> = self.entries.iter().map(|e| e.id.as_str()).collect();
        ids.join(", ")
    }
}

/// The codes under which problems of a registry are reported.
#[derive(Clone, Copy, Debug)]
pub struct RegistryCodes {
    /// The document.
    pub document: DocumentCodes,
    /// A package of an unknown kind.
    pub kind: Code,
}

impl RegistryCodes {
    /// For commands that use packages.
    pub const USE: Self =
        Self { document: DocumentCodes::all(Code::WitBundleIndexReadFailed), kind: Code::WitBundleIndexReadFailed };
    /// For the command that checks them.
    pub const VALIDATE: Self = Self {
        document: DocumentCodes {
            read: Code::WitIndexReadFailed,
            json: Code::WitIndexReadFailed,
            schema: Code::SchemaInvalid,
        },
        kind: Code::WitPackageKindUnknown,
    };
}

/// Reads the registry for a command that uses packages; see [`open_with`].
///
/// # Errors
/// Every problem of the file.
pub fn open(files: &mut Files, index: &Path, notices: &mut Vec<Diag>) -> Result<Registry, Vec<Diag>> {
    open_with(files, index, RegistryCodes::USE, notices)
}

/// Reads the registry. When the default one is missing, the tool's own stands in for it, and
/// `notices` gets a diagnostic that says so.
///
/// # Errors
/// Every problem of the file.
pub fn open_with(
    files: &mut Files,
    index: &Path,
    codes: RegistryCodes,
    notices: &mut Vec<Diag>,
) -> Result<Registry, Vec<Diag>> {
    let carried = Carried { path: DEFAULT_INDEX, text: carried_text(), lists: "WIT packages" };
    let (loaded, builtin) = carried.load::<ArchWitIndex>(files, index, notices);
    let entries = loaded.map_err(|error| diagnose(codes, &error))?.document.packages;
    let path = if builtin { format!("builtin:{DEFAULT_INDEX}") } else { shown(index) };
    Ok(Registry { path, entries, builtin })
}

/// The registry that the tool carries.
///
/// # Errors
/// None in a released tool: a test reads it.
pub(super) fn carried(files: &mut Files, codes: RegistryCodes) -> Result<Registry, Vec<Diag>> {
    let text = carried_text();
    files.record_builtin(DEFAULT_INDEX, text.as_bytes());
    let loaded = load::from_bytes::<ArchWitIndex>(DEFAULT_INDEX, text.as_bytes()).map_err(|e| diagnose(codes, &e))?;
    Ok(Registry { path: format!("builtin:{DEFAULT_INDEX}"), entries: loaded.document.packages, builtin: true })
}

fn carried_text() -> &'static str {
    builtin::file(DEFAULT_INDEX).unwrap_or_default()
}

fn diagnose(codes: RegistryCodes, error: &LoadError) -> Vec<Diag> {
    const WHAT: &str = "WIT registry";
    match error {
        LoadError::Read(_) => codes.document.diagnose(WHAT, error),
        LoadError::Problems(problems) => problems
            .iter()
            .map(|problem| {
                let of_kind = is_unknown_kind(problem);
                let codes = if of_kind { DocumentCodes::all(codes.kind) } else { codes.document };
                codes.problem(WHAT, problem)
            })
            .collect(),
    }
}

fn is_unknown_kind(problem: &DocumentProblem) -> bool {
    problem.kind == ProblemKind::Schema
        && problem.rule == "enum"
        && problem.pointer.starts_with("/packages/")
        && problem.pointer.ends_with("/kind")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_carried_registry_pins_every_carried_package() {
        let registry = carried(&mut Files::default(), RegistryCodes::USE).expect("valid");
        assert_eq!(registry.entries.len(), 13);
        let ids: BTreeSet<&str> = registry.entries.iter().map(|e| e.id.as_str()).collect();
        assert_eq!(ids.len(), 13);
        assert!(registry.entries.iter().all(|e| e.sha256_tree.is_some()));
        let vendored = registry.entries.iter().filter(|e| e.kind == Kind::Vendored);
        assert!(vendored.clone().all(|e| e.id.starts_with("wasi:") && e.id.ends_with("@0.2.8")));
        assert_eq!(vendored.count(), 7);
        assert_eq!(registry.position("x07:solve@0.1.0"), Some(0));
        assert!(registry.find("x07:http-state-doc-adapter@0.1.0").is_some());
        assert!(registry.find("x07:solve@9.9.9").is_none());
    }
}
