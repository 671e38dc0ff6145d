//! Reads the registry and the profiles that it names.

use super::{DEFAULT_INDEX, DEFAULT_PROFILE, builtin};
use crate::contract::files::{Files, MAX_DOCUMENT_BYTES, shown};
use crate::contract::load::{self, LoadError, Loaded};
use crate::contract::path::safe_join;
use crate::report::registry::Carried;
use crate::report::{Diag, DocumentCodes};
use std::path::Path;
pub use x07_wasm_contracts::types::IndexEntry;
use x07_wasm_contracts::types::{ArchWasmIndex, WasmProfile};

/// A registry that was read.
#[derive(Debug)]
pub struct Registry {
    /// As given on the command line.
    pub path: String,
    /// The profiles, in order.
    pub entries: Vec<IndexEntry>,
    /// The id of the default profile.
    pub default_id: String,
    /// Whether it is the one that the tool carries.
    pub builtin: bool,
}

/// The codes under which registry problems are reported.
#[derive(Clone, Copy, Debug)]
pub struct RegistryCodes {
    /// The registry itself.
    pub index: DocumentCodes,
    /// A profile.
    pub profile: DocumentCodes,
}

/// Reads the registry. When the default one is missing, the tool's own stands in for it, and
/// `notices` gets a diagnostic that says so.
///
/// # Errors
/// Every problem of the file.
pub fn open_index(
    files: &mut Files,
    path: &Path,
    codes: RegistryCodes,
    notices: &mut Vec<Diag>,
) -> Result<Registry, Vec<Diag>> {
    let carried =
        Carried { path: DEFAULT_INDEX, text: builtin::file(DEFAULT_INDEX).unwrap_or_default(), lists: "profiles" };
    let (loaded, is_builtin) = carried.load::<ArchWasmIndex>(files, path, notices);
    let document = loaded.map_err(|e| codes.index.diagnose("wasm profile registry", &e))?.document;
    let default_id = document.defaults.and_then(|d| d.default_profile_id).unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
    Ok(Registry { path: shown(path), entries: document.profiles, default_id, builtin: is_builtin })
}

/// Reads one profile of a registry; its path is relative to the current folder.
///
/// # Errors
/// Every problem of the file, or that its path is not safe.
pub fn read_profile(
    files: &mut Files,
    registry: &Registry,
    entry: &IndexEntry,
    codes: RegistryCodes,
) -> Result<Loaded<WasmProfile>, Vec<Diag>> {
    let loaded = if registry.builtin {
        let text = builtin::file(&entry.path).unwrap_or_default();
        files.record_builtin(&entry.path, text.as_bytes());
        load::from_bytes::<WasmProfile>(&entry.path, text.as_bytes())
    } else {
        let here = safe_join(Path::new(""), &entry.path).map_err(|e| {
            vec![
                Diag::new(
                    codes.profile.read,
                    format!("the registry {} names the profile {:?} by an unsafe path: {e}", registry.path, entry.id),
                )
                .data("path", entry.path.as_str()),
            ]
        })?;
        read_document(files, &here)
    };
    loaded.map_err(|e| codes.profile.diagnose("wasm profile", &e))
}

fn read_document(files: &mut Files, path: &Path) -> Result<Loaded<WasmProfile>, LoadError> {
    let bytes = files.read(path, MAX_DOCUMENT_BYTES)?;
    load::from_bytes(&shown(path), &bytes)
}
