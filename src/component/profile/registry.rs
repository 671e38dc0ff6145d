//! Reads the registry and the profiles that it names.

use super::{DEFAULT_INDEX, builtin};
use crate::contract::files::{Files, MAX_DOCUMENT_BYTES, shown};
use crate::contract::load::{self, DocumentProblem, LoadError, ProblemKind};
use crate::contract::path::safe_join;
use crate::report::registry::Carried;
use crate::report::{Code, Diag, DocumentCodes};
use std::path::Path;
use x07_wasm_contracts::types::{ArchWasmComponentIndex, IndexEntry, WasmComponentProfile};

/// A registry that was read.
#[derive(Debug)]
pub struct Registry {
    /// As given on the command line.
    pub path: String,
    /// The profiles, in order.
    pub entries: Vec<IndexEntry>,
    /// The id of the default profile, if the registry names one.
    pub default_id: Option<String>,
    /// Whether it is the one that the tool carries.
    pub builtin: bool,
}

impl Registry {
    /// The ids that it has, for messages.
    pub(crate) fn known(&self) -> String {
        let ids: Vec<&str> = self.entries.iter().map(|e| e.id.as_str()).collect();
        ids.join(", ")
    }
}

/// The codes under which problems of registry and profiles are reported.
#[derive(Clone, Copy, Debug)]
pub struct ProfileCodes {
    /// The registry itself.
    pub index: DocumentCodes,
    /// A profile.
    pub profile: DocumentCodes,
    /// A profile that satisfies its schema and breaks another rule.
    pub rule: Code,
    /// Whether methods that are not known have codes of their own.
    pub modes: bool,
}

impl ProfileCodes {
    /// For commands that use a profile.
    pub const USE: Self = Self {
        index: DocumentCodes::all(Code::ComponentProfileLoadFailed),
        profile: DocumentCodes::all(Code::ComponentProfileLoadFailed),
        rule: Code::ComponentProfileLoadFailed,
        modes: true,
    };
    /// For the command that checks them.
    pub const VALIDATE: Self = Self {
        index: DocumentCodes {
            read: Code::ComponentIndexReadFailed,
            json: Code::ComponentIndexReadFailed,
            schema: Code::SchemaInvalid,
        },
        profile: DocumentCodes {
            read: Code::ComponentProfileReadFailed,
            json: Code::ComponentProfileJsonInvalid,
            schema: Code::SchemaInvalid,
        },
        rule: Code::ComponentProfileParseFailed,
        modes: false,
    };
}

/// Reads the registry. When the default one is missing, the tool's own stands in for it, and
/// `notices` gets a diagnostic that says so.
///
/// # Errors
/// Every problem of the file.
pub fn open_index(
    files: &mut Files,
    path: &Path,
    codes: ProfileCodes,
    notices: &mut Vec<Diag>,
) -> Result<Registry, Vec<Diag>> {
    let carried = Carried {
        path: DEFAULT_INDEX,
        text: builtin::file(DEFAULT_INDEX).unwrap_or_default(),
        lists: "component profiles",
    };
    let (loaded, is_builtin) = carried.load::<ArchWasmComponentIndex>(files, path, notices);
    let document = loaded.map_err(|e| codes.index.diagnose("component profile registry", &e))?.document;
    Ok(Registry {
        path: shown(path),
        entries: document.profiles,
        default_id: document.defaults.and_then(|d| d.default_profile_id),
        builtin: is_builtin,
    })
}

/// Reads one profile of a registry; its path is relative to the current folder.
///
/// # Errors
/// Every problem of the file, or that its path is not safe.
pub fn read_profile(
    files: &mut Files,
    registry: &Registry,
    entry: &IndexEntry,
    codes: ProfileCodes,
) -> Result<WasmComponentProfile, Vec<Diag>> {
    if registry.builtin {
        let text = builtin::file(&entry.path).unwrap_or_default();
        files.record_builtin(&entry.path, text.as_bytes());
        return typed(&entry.path, text.as_bytes(), codes);
    }
    let here = safe_join(Path::new(""), &entry.path).map_err(|e| {
        let message = format!("the registry {} names the profile {:?} by an unsafe path: {e}", registry.path, entry.id);
        vec![Diag::new(codes.profile.read, message).data("path", entry.path.as_str())]
    })?;
    read_file(files, &here, codes)
}

/// Reads a profile.
///
/// # Errors
/// Every problem of the file.
pub fn read_file(files: &mut Files, path: &Path, codes: ProfileCodes) -> Result<WasmComponentProfile, Vec<Diag>> {
    let bytes = files.read(path, MAX_DOCUMENT_BYTES).map_err(|e| codes.profile.diagnose(WHAT, &LoadError::Read(e)))?;
    typed(&shown(path), &bytes, codes)
}

const WHAT: &str = "component profile";

fn typed(name: &str, bytes: &[u8], codes: ProfileCodes) -> Result<WasmComponentProfile, Vec<Diag>> {
    match load::from_bytes::<WasmComponentProfile>(name, bytes) {
        Ok(loaded) => Ok(loaded.document),
        Err(LoadError::Problems(problems)) => Err(problems
            .iter()
            .map(|problem| match special(codes, problem) {
                Some(code) => DocumentCodes::all(code).problem(WHAT, problem),
                None => codes.profile.problem(WHAT, problem),
            })
            .collect()),
        Err(error) => Err(codes.profile.diagnose(WHAT, &error)),
    }
}

/// The code of a problem that does not have that of its document.
fn special(codes: ProfileCodes, problem: &DocumentProblem) -> Option<Code> {
    if problem.kind != ProblemKind::Schema {
        return None;
    }
    // The schema is satisfied, and a number is larger than any that the tool can count to.
    if problem.schema_pointer.is_empty() {
        return Some(codes.rule);
    }
    let mode = match problem.pointer.as_str() {
        "/cfg/componentize/mode" => Code::ComponentizeModeUnsupported,
        "/cfg/native_targets/http/mode" => Code::NativeHttpModeUnsupported,
        "/cfg/native_targets/cli/mode" => Code::NativeCliModeUnsupported,
        _ => return None,
    };
    (codes.modes && problem.rule == "enum").then_some(mode)
}
