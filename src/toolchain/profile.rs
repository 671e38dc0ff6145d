//! Toolchain registry and profiles: which versions of which tools a project accepts.
//!
//! A project's own registry is [`DEFAULT_INDEX`]. Where it does not exist, the same files as
//! embedded in the tool stand in for it, and a diagnostic says so.

use super::linked::Linked;
use crate::contract::files::{Files, MAX_DOCUMENT_BYTES, shown};
use crate::contract::load;
use crate::contract::path::safe_join;
use crate::report::diagnostic::unreadable;
use crate::report::registry::Carried;
use crate::report::{Code, Diag, DocumentCodes};
use regex::{Regex, RegexBuilder};
use semver::VersionReq;
use serde_json::Value;
use std::path::Path;
pub use x07_wasm_contracts::types::ToolchainValidateReportToolId as ToolId;
pub use x07_wasm_contracts::types::WasmToolchainProfileVersionProbeSource as Source;
use x07_wasm_contracts::types::{
    ArchWasmToolchainIndex, IndexEntry, IndexSummary, ProfileRef, ProfileStatus, WasmToolchainProfile,
    WasmToolchainProfileToolReq, WasmToolchainProfileTools,
};

/// Where a project keeps its toolchain registry.
pub const DEFAULT_INDEX: &str = "arch/wasm/toolchain/index.x07wasm.toolchain.json";

/// The `cmd` that stands for the linked library in place of an external tool.
pub const BUILTIN: &str = "builtin";

/// The tools of a profile, in the order in which they are asked.
pub const TOOLS: [ToolId; 8] = [
    ToolId::X07,
    ToolId::Clang,
    ToolId::WasmLd,
    ToolId::Wasmtime,
    ToolId::WasmTools,
    ToolId::WitBindgen,
    ToolId::Wac,
    ToolId::Jco,
];

/// Bytes that a compiled expression of a profile may take.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// The registry that the tool carries.
const CARRIED_INDEX: &str = include_str!("../../arch/wasm/toolchain/index.x07wasm.toolchain.json");
/// The profiles that it names: path and content.
const CARRIED_PROFILES: [(&str, &str); 2] = [
    (
        "arch/wasm/toolchain/profiles/toolchain_ci.json",
        include_str!("../../arch/wasm/toolchain/profiles/toolchain_ci.json"),
    ),
    (
        "arch/wasm/toolchain/profiles/toolchain_local.json",
        include_str!("../../arch/wasm/toolchain/profiles/toolchain_local.json"),
    ),
];

const INDEX_CODES: DocumentCodes = DocumentCodes {
    read: Code::ToolchainIndexReadFailed,
    json: Code::ToolchainIndexSchemaInvalid,
    schema: Code::ToolchainIndexSchemaInvalid,
};
const PROFILE_CODES: DocumentCodes = DocumentCodes {
    read: Code::ToolchainProfileReadFailed,
    json: Code::ToolchainProfileSchemaInvalid,
    schema: Code::ToolchainProfileSchemaInvalid,
};

/// Which profile is wanted.
#[derive(Clone, Copy, Debug)]
pub enum Choice<'a> {
    /// This file, whatever the registry says.
    File(&'a Path),
    /// The one with this id.
    Id {
        /// The registry.
        index: &'a Path,
        /// The id.
        id: &'a str,
    },
    /// The default of the registry.
    Default {
        /// The registry.
        index: &'a Path,
    },
}

/// What became of a [`Choice`].
#[derive(Debug)]
pub struct Selected {
    /// The registry; `None` when none was read.
    pub index: Option<IndexSummary>,
    /// The profile; its `ok` says whether `requirements` can be used.
    pub profile: ProfileStatus,
    /// What the profile asks of each tool, in the order of [`TOOLS`]; empty when it is not usable.
    pub requirements: Vec<Requirement>,
    /// Everything that is wrong, and notices.
    pub diagnostics: Vec<Diag>,
}

/// What a profile asks of one tool.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// The tool.
    pub tool: ToolId,
    /// Where the version comes from.
    pub command: ToolCommand,
    /// Arguments that make the tool tell its version.
    pub argv: Vec<String>,
    /// Finds the version in the output.
    pub regex: Regex,
    /// The group of the expression that holds the version.
    pub group: usize,
    /// The stream to search.
    pub source: Source,
    /// The accepted versions as written.
    pub constraint: String,
    /// The accepted versions.
    pub accepted: VersionReq,
    /// Whether the project cannot do without the tool.
    pub required: bool,
}

/// Where the version of a tool comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolCommand {
    /// From the linked library.
    Linked(Linked),
    /// From a program of this name or path.
    External(String),
}

/// The name under which a tool is called when a profile names no other.
#[must_use]
pub const fn executable(tool: ToolId) -> &'static str {
    match tool {
        ToolId::X07 => "x07",
        ToolId::Clang => "clang",
        ToolId::WasmLd => "wasm-ld",
        ToolId::Wasmtime => "wasmtime",
        ToolId::WasmTools => "wasm-tools",
        ToolId::WitBindgen => "wit-bindgen",
        ToolId::Wac => "wac",
        ToolId::Jco => "jco",
    }
}

/// The linked library that does the work of a tool, if there is one.
#[must_use]
pub const fn linked(tool: ToolId) -> Option<Linked> {
    match tool {
        ToolId::X07 => Some(Linked::X07),
        ToolId::Wasmtime => Some(Linked::WASMTIME),
        ToolId::WasmTools => Some(Linked::WASM_TOOLS),
        ToolId::WitBindgen => Some(Linked::WIT_BINDGEN),
        ToolId::Wac => Some(Linked::WAC),
        ToolId::Clang | ToolId::WasmLd | ToolId::Jco => None,
    }
}

/// Reads the registry, if the choice needs it, and the profile, and checks both.
#[must_use]
pub fn select(files: &mut Files, choice: Choice<'_>) -> Selected {
    let mut diagnostics = Vec::new();
    match choice {
        Choice::File(path) => {
            let name = shown(path);
            let bytes = match files.read(path, MAX_DOCUMENT_BYTES) {
                Ok(bytes) => bytes,
                Err(error) => {
                    diagnostics.push(unreadable(Code::ToolchainProfileReadFailed, "toolchain profile", &error));
                    return Selected {
                        index: None,
                        profile: unusable(None, &name),
                        requirements: Vec::new(),
                        diagnostics,
                    };
                }
            };
            let (profile, requirements) = check(&name, &bytes, None, &mut diagnostics);
            Selected { index: None, profile, requirements, diagnostics }
        }
        Choice::Id { index, id } => from_registry(files, index, Some(id), diagnostics),
        Choice::Default { index } => from_registry(files, index, None, diagnostics),
    }
}

fn from_registry(files: &mut Files, index: &Path, id: Option<&str>, mut diagnostics: Vec<Diag>) -> Selected {
    let path = shown(index);
    let carried = Carried { path: DEFAULT_INDEX, text: CARRIED_INDEX, lists: "toolchain profiles" };
    let (loaded, carried) = carried.load::<ArchWasmToolchainIndex>(files, index, &mut diagnostics);
    let document = match loaded {
        Ok(loaded) => loaded.document,
        Err(error) => {
            diagnostics.extend(INDEX_CODES.diagnose("toolchain registry", &error));
            let summary = IndexSummary {
                path,
                ok: false,
                profiles_count: 0,
                default_profile_id: None,
                default_profile_found: false,
            };
            return Selected { index: Some(summary), profile: unusable(id, ""), requirements: Vec::new(), diagnostics };
        }
    };
    let default_id = document.defaults.and_then(|d| d.default_profile_id);
    let duplicates = duplicate_ids(&document.profiles);
    for id in &duplicates {
        diagnostics.push(
            Diag::new(
                Code::ToolchainIndexSchemaInvalid,
                format!(
                    "toolchain registry {path}: the profile id {id:?} is listed more than once; keep one of the entries"
                ),
            )
            .data("file", path.as_str())
            .data("profile_id", *id),
        );
    }
    let summary = IndexSummary {
        ok: duplicates.is_empty(),
        profiles_count: document.profiles.len() as u64,
        default_profile_found: default_id.as_ref().is_some_and(|id| document.profiles.iter().any(|p| p.id == *id)),
        default_profile_id: default_id.clone(),
        path: path.clone(),
    };
    let wanted = id.map(str::to_owned).or(default_id);
    let entry = wanted.as_deref().and_then(|id| document.profiles.iter().find(|p| p.id == id));
    let Some(entry) = entry else {
        diagnostics.push(not_listed(&path, wanted.as_deref(), &document.profiles));
        return Selected {
            index: Some(summary),
            profile: unusable(wanted.as_deref(), ""),
            requirements: Vec::new(),
            diagnostics,
        };
    };
    let (profile, requirements) = match read_entry(files, &path, entry, carried) {
        Ok(bytes) => check(&entry.path, &bytes, Some(&entry.id), &mut diagnostics),
        Err(diag) => {
            diagnostics.push(diag);
            (unusable(Some(&entry.id), &entry.path), Vec::new())
        }
    };
    Selected { index: Some(summary), profile, requirements, diagnostics }
}

/// The bytes of the profile that an entry names; its path is relative to the current folder.
fn read_entry(files: &mut Files, registry: &str, entry: &IndexEntry, carried: bool) -> Result<Vec<u8>, Diag> {
    if carried {
        // A test reads every entry of the carried registry.
        let text = CARRIED_PROFILES.iter().find(|(path, _)| *path == entry.path).map_or("", |(_, text)| *text);
        files.record_builtin(&entry.path, text.as_bytes());
        return Ok(text.as_bytes().to_vec());
    }
    let path = safe_join(Path::new(""), &entry.path).map_err(|error| {
        Diag::new(
            Code::PathUnsafe,
            format!("the registry {registry} names the profile {:?} by a path that is not followed: {error}", entry.id),
        )
        .data("file", registry)
        .data("path", entry.path.as_str())
    })?;
    files
        .read(&path, MAX_DOCUMENT_BYTES)
        .map_err(|error| unreadable(Code::ToolchainProfileReadFailed, "toolchain profile", &error))
}

fn duplicate_ids(entries: &[IndexEntry]) -> Vec<&str> {
    let again = |at: usize, id: &str| entries.iter().take(at).filter(|e| e.id == id).count() == 1;
    entries.iter().enumerate().filter(|(at, e)| again(*at, &e.id)).map(|(_, e)| e.id.as_str()).collect()
}

fn not_listed(registry: &str, wanted: Option<&str>, entries: &[IndexEntry]) -> Diag {
    let known: Vec<&str> = entries.iter().map(|e| e.id.as_str()).collect();
    let message = match wanted {
        Some(id) => format!("the toolchain registry {registry} has no profile {id:?}; it has {}", known.join(", ")),
        None => format!(
            "the toolchain registry {registry} names no default profile; set `defaults.default_profile_id`, or give --profile-id with one of {}",
            known.join(", ")
        ),
    };
    let diag = Diag::new(Code::ToolchainProfileReadFailed, message);
    match wanted {
        Some(id) => diag.data("profile_id", id),
        None => diag,
    }
}

/// Checks the bytes of a profile, down to its expressions and version requirements.
fn check(
    path: &str,
    bytes: &[u8],
    listed_as: Option<&str>,
    diagnostics: &mut Vec<Diag>,
) -> (ProfileStatus, Vec<Requirement>) {
    let mut status = unusable(listed_as, path);
    let document = match load::from_bytes::<WasmToolchainProfile>(path, bytes) {
        Ok(loaded) => loaded.document,
        Err(error) => {
            diagnostics.extend(PROFILE_CODES.diagnose("toolchain profile", &error));
            if let Ok(value) = load::json_from_bytes(path, bytes) {
                describe(&mut status, &value, listed_as);
            }
            return (status, Vec::new());
        }
    };
    status.schema_version = Some(document.schema_version.clone());
    status.schema_valid = true;
    status.ref_ = ProfileRef { id: listed_as.unwrap_or(&document.id).to_owned(), v: document.v };
    status.id_matches_index = listed_as.is_none_or(|id| id == document.id);
    let before = diagnostics.len();
    if let Some(id) = listed_as.filter(|id| *id != document.id) {
        diagnostics.push(
            Diag::new(
                Code::ToolchainProfileSchemaInvalid,
                format!(
                    "toolchain profile {path}: the registry lists it as {id:?}, but its id is {:?}; make both the same",
                    document.id
                ),
            )
            .data("file", path)
            .data("expected", id)
            .data("found", document.id.as_str()),
        );
    }
    let mut requirements = Vec::with_capacity(TOOLS.len());
    for tool in TOOLS {
        match requirement(path, tool, of_tool(&document.tools, tool)) {
            Ok(requirement) => requirements.push(requirement),
            Err(found) => diagnostics.extend(found),
        }
    }
    status.ok = diagnostics.len() == before;
    if !status.ok {
        requirements.clear();
    }
    (status, requirements)
}

/// What can be said about a profile that violates its schema.
fn describe(status: &mut ProfileStatus, value: &Value, listed_as: Option<&str>) {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    status.schema_version = text("schema_version").map(str::to_owned);
    if let Some(v) = value.get("v").and_then(Value::as_u64).filter(|v| *v >= 1) {
        status.ref_.v = v;
    }
    match (listed_as, text("id")) {
        (Some(expected), found) => status.id_matches_index = found == Some(expected),
        (None, Some(found)) if is_id(found) => status.ref_.id = found.to_owned(),
        (None, _) => {}
    }
}

/// The status of a profile of which nothing is known but, perhaps, its id and path.
fn unusable(id: Option<&str>, path: &str) -> ProfileStatus {
    let id = id.filter(|id| is_id(id)).unwrap_or("unknown");
    ProfileStatus {
        ref_: ProfileRef { id: id.to_owned(), v: 1 },
        path: path.to_owned(),
        ok: false,
        schema_version: None,
        schema_valid: false,
        id_matches_index: false,
    }
}

/// Whether a text can stand as an id in a report.
fn is_id(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

const fn of_tool(tools: &WasmToolchainProfileTools, tool: ToolId) -> &WasmToolchainProfileToolReq {
    match tool {
        ToolId::X07 => &tools.x07,
        ToolId::Clang => &tools.clang,
        ToolId::WasmLd => &tools.wasm_ld,
        ToolId::Wasmtime => &tools.wasmtime,
        ToolId::WasmTools => &tools.wasm_tools,
        ToolId::WitBindgen => &tools.wit_bindgen,
        ToolId::Wac => &tools.wac,
        ToolId::Jco => &tools.jco,
    }
}

/// What a profile asks of a tool, or everything in it that cannot be understood.
fn requirement(path: &str, tool: ToolId, asked: &WasmToolchainProfileToolReq) -> Result<Requirement, Vec<Diag>> {
    let mut problems = Vec::new();
    let mut problem = |member: &str, message: String| {
        problems.push(
            Diag::new(
                Code::ToolchainProfileSchemaInvalid,
                format!("toolchain profile {path} at /tools/{tool}/{member}: {message}"),
            )
            .data("file", path)
            .data("instance_path", format!("/tools/{tool}/{member}"))
            .data("tool_id", tool.to_string()),
        );
    };
    let command = match asked.cmd.as_deref().filter(|cmd| !cmd.is_empty()) {
        None => Some(ToolCommand::External(executable(tool).to_owned())),
        Some(BUILTIN) => {
            let found = linked(tool).map(ToolCommand::Linked);
            if found.is_none() {
                problem(
                    "cmd",
                    format!(
                        "no linked library stands in for {}; give the name of a program, or null",
                        executable(tool)
                    ),
                );
            }
            found
        }
        Some(cmd) => Some(ToolCommand::External(cmd.to_owned())),
    };
    let group = usize::from(asked.version.group);
    let regex = match RegexBuilder::new(&asked.version.regex).size_limit(MAX_REGEX_BYTES).build() {
        Ok(regex) if group < regex.captures_len() => Some(regex),
        Ok(regex) => {
            problem(
                "version/group",
                format!("the expression has {} groups, so there is no group {group}", regex.captures_len() - 1),
            );
            None
        }
        Err(error) => {
            problem("version/regex", format!("the expression cannot be understood: {error}"));
            None
        }
    };
    let accepted = match VersionReq::parse(&asked.constraint) {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            problem(
                "constraint",
                format!(
                    "{:?} is no version requirement: {error}; write one as in Cargo, for example \">=1.2.0,<2.0.0\"",
                    asked.constraint
                ),
            );
            None
        }
    };
    match (command, regex, accepted) {
        (Some(command), Some(regex), Some(accepted)) => Ok(Requirement {
            tool,
            command,
            argv: asked.version.argv.clone(),
            regex,
            group,
            source: asked.version.source,
            constraint: asked.constraint.clone(),
            accepted,
            required: asked.required,
        }),
        _ => Err(problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use x07_wasm_contracts::types::Severity;

    fn codes(selected: &Selected) -> Vec<String> {
        selected.diagnostics.iter().map(|d| d.clone().build().code).collect()
    }

    fn ci() -> Value {
        serde_json::from_str(CARRIED_PROFILES[0].1).expect("JSON")
    }

    /// Checks a profile after a change to its JSON.
    fn checked(change: impl FnOnce(&mut Value)) -> (ProfileStatus, Vec<Requirement>, Vec<String>) {
        let mut profile = ci();
        change(&mut profile);
        let mut diagnostics = Vec::new();
        let (status, requirements) =
            check("p.json", profile.to_string().as_bytes(), Some("toolchain_ci"), &mut diagnostics);
        (status, requirements, diagnostics.into_iter().map(|d| d.build().message).collect())
    }

    #[test]
    fn the_carried_registry_is_complete_and_names_what_is_linked() {
        let index =
            load::from_bytes::<ArchWasmToolchainIndex>("index", CARRIED_INDEX.as_bytes()).expect("valid").document;
        assert_eq!(index.profiles.len(), CARRIED_PROFILES.len());
        for entry in &index.profiles {
            let (_, text) = CARRIED_PROFILES.iter().find(|(path, _)| *path == entry.path).expect("carried");
            let mut diagnostics = Vec::new();
            let (status, requirements) = check(&entry.path, text.as_bytes(), Some(&entry.id), &mut diagnostics);
            assert!(status.ok && diagnostics.is_empty(), "{diagnostics:?}");
            assert_eq!(requirements.iter().map(|r| r.tool).collect::<Vec<_>>(), TOOLS);
            for requirement in requirements {
                match requirement.command {
                    ToolCommand::Linked(library) => {
                        let version = semver::Version::parse(library.version).expect("a version");
                        assert!(
                            requirement.required && requirement.accepted.matches(&version),
                            "{} {}",
                            requirement.tool,
                            requirement.constraint
                        );
                    }
                    ToolCommand::External(_) => assert!(!requirement.required, "{}", requirement.tool),
                }
            }
            let value: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(
                crate::contract::json::canonical::pretty(&value),
                text.as_bytes(),
                "{} is canonical",
                entry.path
            );
        }
    }

    #[test]
    fn mistakes_that_the_schema_cannot_see() {
        assert!(checked(|_| {}).0.ok);
        let (status, requirements, found) = checked(|p| {
            p["tools"]["clang"]["cmd"] = json!("builtin");
            p["tools"]["wac"]["constraint"] = json!("newest");
            p["tools"]["jco"]["version"]["regex"] = json!("([0-9]+");
            p["tools"]["x07"]["version"]["group"] = json!(9);
        });
        assert!(status.schema_valid && !status.ok && requirements.is_empty());
        assert_eq!(found.len(), 4, "{found:?}");
        for (place, message) in
            ["/tools/x07/version/group", "/tools/clang/cmd", "/tools/wac/constraint", "/tools/jco/version/regex"]
                .iter()
                .zip(&found)
        {
            assert!(message.contains(place), "{place}: {message}");
        }
        // An expression that would take too much memory.
        assert!(!checked(|p| p["tools"]["x07"]["version"]["regex"] = json!("((a{1000}){1000})")).0.ok);
    }

    #[test]
    fn another_id_than_in_the_registry() {
        let (status, _, found) = checked(|p| p["id"] = json!("other"));
        assert!(!status.ok && !status.id_matches_index && status.schema_valid);
        assert_eq!((status.ref_.id.as_str(), found.len()), ("toolchain_ci", 1));
    }

    #[test]
    fn violations_are_all_reported_and_the_rest_is_described() {
        let (status, _, found) = checked(|p| {
            p["v"] = json!(0);
            p["extra"] = json!(1);
        });
        assert_eq!((status.schema_valid, status.id_matches_index, found.len()), (false, true, 2), "{found:?}");
        assert_eq!(status.schema_version.as_deref(), Some("x07.wasm.toolchain.profile@0.2.0"));
    }

    #[test]
    fn a_file_needs_no_registry() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("p.json");
        let mut files = Files::default();
        let missing = select(&mut files, Choice::File(&path));
        assert_eq!(
            (codes(&missing), missing.profile.ref_.id.as_str()),
            (vec!["X07WASM_TOOLCHAIN_PROFILE_READ_FAILED".to_owned()], "unknown")
        );
        std::fs::write(&path, CARRIED_PROFILES[1].1).expect("written");
        let selected = select(&mut files, Choice::File(&path));
        assert!(selected.index.is_none() && selected.profile.ok && selected.diagnostics.is_empty());
        assert_eq!((selected.profile.ref_.id.as_str(), selected.requirements.len()), ("toolchain_local", 8));
    }

    #[test]
    fn registries_that_lead_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("index.json");
        let mut files = Files::default();
        let missing = select(&mut files, Choice::Default { index: &path });
        assert_eq!(codes(&missing), ["X07WASM_TOOLCHAIN_INDEX_READ_FAILED"]);
        assert!(missing.index.is_some_and(|i| !i.ok));
        let mut with = |profiles: Value, defaults: Value, id: Option<&str>| {
            let index = json!({"schema_version": "x07.arch.wasm.toolchain.index@0.1.0", "profiles": profiles, "defaults": defaults});
            std::fs::write(&path, index.to_string()).expect("written");
            let selected = match id {
                Some(id) => select(&mut files, Choice::Id { index: &path, id }),
                None => select(&mut files, Choice::Default { index: &path }),
            };
            codes(&selected)
        };
        let one = || json!([{"id": "a", "path": "no/such/file.json"}]);
        assert_eq!(with(json!([]), json!({}), None), ["X07WASM_TOOLCHAIN_INDEX_SCHEMA_INVALID"]);
        assert_eq!(with(one(), json!({}), None), ["X07WASM_TOOLCHAIN_PROFILE_READ_FAILED"], "no default");
        assert_eq!(
            with(one(), json!({"default_profile_id": "b"}), None),
            ["X07WASM_TOOLCHAIN_PROFILE_READ_FAILED"],
            "not listed"
        );
        assert_eq!(with(one(), json!({}), Some("../x")), ["X07WASM_TOOLCHAIN_PROFILE_READ_FAILED"], "not an id");
        assert_eq!(with(one(), json!({}), Some("a")), ["X07WASM_TOOLCHAIN_PROFILE_READ_FAILED"], "no file");
        assert_eq!(with(json!([{"id": "a", "path": "x/./y"}]), json!({}), Some("a")), ["X07WASM_PATH_UNSAFE"]);
        let twice =
            json!([{"id": "a", "path": "no/such/file.json"}, {"id": "a", "path": "b"}, {"id": "a", "path": "c"}]);
        assert_eq!(
            with(twice, json!({}), Some("a")),
            ["X07WASM_TOOLCHAIN_INDEX_SCHEMA_INVALID", "X07WASM_TOOLCHAIN_PROFILE_READ_FAILED"]
        );
    }

    #[test]
    fn the_default_registry_can_be_used_as_it_is() {
        // In the root of this project its own registry is read, elsewhere the carried one; they are
        // the same files.
        let selected = select(&mut Files::default(), Choice::Default { index: Path::new(DEFAULT_INDEX) });
        assert!(selected.profile.ok, "{:?}", selected.diagnostics);
        assert!(selected.diagnostics.iter().all(|d| d.clone().build().severity == Severity::Info));
    }
}
