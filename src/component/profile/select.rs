//! Which profile a command uses, and whether it keeps the promises of a component profile.

use super::DEFAULT_PROFILE;
use super::registry::{ProfileCodes, open_index, read_file, read_profile};
use super::rules::{contract_problems, unused_toolchain};
use crate::contract::files::{Files, shown};
use crate::report::{Code, Diag};
use std::path::{Path, PathBuf};
use x07_wasm_contracts::types::WasmComponentProfile;

/// What the command line says about the profile.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    /// An id of the registry.
    pub id: Option<&'a str>,
    /// A file, whatever the registry says.
    pub file: Option<&'a Path>,
    /// The registry.
    pub index: &'a Path,
}

/// The profile to use.
#[derive(Debug)]
pub struct Selected {
    /// The profile.
    pub profile: WasmComponentProfile,
    /// Where it came from, for messages.
    pub path: PathBuf,
    /// Whether it came out of the tool itself.
    pub builtin: bool,
}

/// Selects, reads and checks a profile. `notices` gets what does not keep it from being used.
///
/// # Errors
/// Every problem of the registry and the profile.
pub fn select(files: &mut Files, selection: &Selection<'_>, notices: &mut Vec<Diag>) -> Result<Selected, Vec<Diag>> {
    let selected = match selection.file {
        Some(file) => {
            let profile = read_file(files, file, ProfileCodes::USE)?;
            Selected { profile, path: file.to_owned(), builtin: false }
        }
        None => registered(files, selection, notices)?,
    };
    let path = shown(&selected.path);
    let problems = contract_problems(&selected.profile);
    if !problems.is_empty() {
        return Err(problems.into_iter().map(|p| failed(format!("component profile {path}: {p}"))).collect());
    }
    notices.extend(unused_toolchain(&selected.profile, &path));
    Ok(selected)
}

fn registered(files: &mut Files, selection: &Selection<'_>, notices: &mut Vec<Diag>) -> Result<Selected, Vec<Diag>> {
    let at = files.inputs().len();
    let registry = open_index(files, selection.index, ProfileCodes::USE, notices)?;
    let id = selection.id.or(registry.default_id.as_deref()).unwrap_or(DEFAULT_PROFILE);
    let Some(entry) = registry.entries.iter().find(|e| e.id == id) else {
        let message = format!("the registry {} has no profile {id:?}; it has {}", registry.path, registry.known());
        return Err(vec![failed(message).data("profile_id", id)]);
    };
    let profile = read_profile(files, &registry, entry, ProfileCodes::USE)?;
    files.record_later(at);
    if profile.id != entry.id {
        let message = format!(
            "the registry {} lists {} as profile {:?}, but the file says {:?}; make both the same",
            registry.path, entry.path, entry.id, profile.id
        );
        let diag = failed(message).data("expected", entry.id.as_str()).data("found", profile.id.as_str());
        return Err(vec![diag]);
    }
    Ok(Selected { profile, path: PathBuf::from(&entry.path), builtin: registry.builtin })
}

fn failed(message: String) -> Diag {
    Diag::new(Code::ComponentProfileLoadFailed, message)
}

#[cfg(test)]
mod tests {
    use super::super::{DEFAULT_INDEX, builtin};
    use super::*;
    use serde_json::{Value, json};

    /// The carried release profile after a change, as a file of its own.
    fn with(change: impl FnOnce(&mut Value)) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let text = builtin::file("arch/wasm/component/profiles/component_release.json").expect("carried");
        let mut profile: Value = serde_json::from_str(text).expect("JSON");
        change(&mut profile);
        let path = folder.path().join("p.json");
        std::fs::write(&path, profile.to_string()).expect("written");
        (folder, path)
    }

    /// The codes of diagnostics.
    fn codes(diags: &[Diag]) -> Vec<&'static str> {
        diags.iter().filter_map(Diag::code).map(Code::as_str).collect()
    }

    fn select_file(path: &Path) -> (Result<Selected, Vec<Diag>>, Vec<&'static str>) {
        let mut notices = Vec::new();
        let selection = Selection { id: None, file: Some(path), index: Path::new(DEFAULT_INDEX) };
        let result = select(&mut Files::default(), &selection, &mut notices);
        (result, codes(&notices))
    }

    #[test]
    fn each_method_that_is_not_known_has_its_code() {
        for (pointer, code) in [
            ("/cfg/componentize/mode", "X07WASM_COMPONENTIZE_MODE_UNSUPPORTED"),
            ("/cfg/native_targets/http/mode", "X07WASM_NATIVE_HTTP_MODE_UNSUPPORTED"),
            ("/cfg/native_targets/cli/mode", "X07WASM_NATIVE_CLI_MODE_UNSUPPORTED"),
            ("/cfg/compose/mode", "X07WASM_COMPONENT_PROFILE_LOAD_FAILED"),
        ] {
            let (_folder, path) = with(|p| *p.pointer_mut(pointer).expect("a member") = json!("other_v9"));
            let problems = select_file(&path).0.expect_err(pointer);
            assert_eq!(codes(&problems), [code], "{pointer}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_one_code() {
        let changes: [fn(&mut Value); 4] = [
            |p| p["cfg"]["toolchain"]["wac"]["cmd"] = json!(" "),
            |p| p["cfg"]["targets"]["http_world"] = json!(""),
            |p| p["v"] = json!(0),
            |p| p["extra"] = json!(1),
        ];
        for change in changes {
            let (_folder, path) = with(change);
            let problems = select_file(&path).0.expect_err("refused");
            assert!(
                codes(&problems).iter().all(|code| *code == "X07WASM_COMPONENT_PROFILE_LOAD_FAILED"),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn arguments_for_tools_that_are_not_started_are_told() {
        let (_folder, path) = with(|p| p["cfg"]["toolchain"]["wac"]["args"] = json!(["--verbose"]));
        let (result, notices) = select_file(&path);
        assert!(result.is_ok());
        assert_eq!(notices, ["X07WASM_COMPONENT_TOOLCHAIN_UNUSED"]);
        let (_folder, path) = with(|p| p["cfg"]["toolchain"]["wac"]["env"] = json!({}));
        assert!(select_file(&path).1.is_empty());
    }
}
