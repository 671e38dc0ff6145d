//! The manifest of a project.

use super::lock::{self, LockedPackage};
use super::snapshots::Snapshot;
use crate::contract::files::{Files, is_regular, shown};
use crate::contract::path::{UnsafePath, normal_relative, safe_join};
use crate::report::{Code, Diag, DocumentCodes};
use std::path::{Path, PathBuf};
use x07_wasm_contracts::types::{Project as Manifest, ProjectWorld};

const CODES: DocumentCodes =
    DocumentCodes { read: Code::ProjectReadFailed, json: Code::ProjectParseFailed, schema: Code::ProjectParseFailed };

/// An opened project: everything that decides which files are part of it.
#[derive(Debug)]
pub struct Project {
    /// The manifest's path as given.
    pub manifest_path: PathBuf,
    /// The folder that paths in the manifest are relative to.
    pub folder: PathBuf,
    /// The last component of the folder as written, or `app`.
    pub name: String,
    /// The entry file.
    pub entry: PathBuf,
    /// Where modules are looked up, in order.
    pub roots: Vec<ModuleRoot>,
    /// How many packages the manifest asks for.
    pub dependencies: usize,
}

/// A folder in which modules are looked up.
#[derive(Debug)]
pub struct ModuleRoot {
    /// The folder; that of a package that the tool carries is nowhere on disk.
    pub folder: PathBuf,
    /// The package that it belongs to, with the digests that its modules must have.
    pub package: Option<LockedPackage>,
}

impl ModuleRoot {
    /// The package that the tool carries, when the modules come from there.
    #[must_use]
    pub fn snapshot(&self) -> Option<&'static Snapshot> {
        self.package.as_ref().and_then(|package| package.snapshot)
    }
}

/// What a project is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Its program: the entry must be there, and the world be one that compiles to wasm.
    Program,
    /// The modules in its roots only.
    Modules,
}

/// Opens a project: reads and checks the manifest and the lockfile.
///
/// # Errors
/// Every problem found.
pub fn open(files: &mut Files, path: &Path, purpose: Purpose) -> Result<Project, Vec<Diag>> {
    let manifest = files.load::<Manifest>(path).map_err(|e| CODES.diagnose("project manifest", &e))?.document;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut problems = Vec::new();
    if purpose == Purpose::Program && manifest.world != ProjectWorld::SolvePure {
        problems.push(
            Diag::new(
                Code::ProjectParseFailed,
                format!(
                    "{}: the world {} does not compile to wasm; set \"world\" to \"solve-pure\"",
                    shown(path),
                    manifest.world
                ),
            )
            .data("instance_path", "/world"),
        );
    }
    let entry = match purpose {
        Purpose::Program => entry(&folder, manifest.entry.trim(), &mut problems),
        // Nobody asks for it.
        Purpose::Modules => Some(folder.join(manifest.entry.trim())),
    };
    let mut roots = Vec::new();
    for (i, root) in manifest.module_roots.iter().enumerate() {
        match resolve(&folder, root.trim()) {
            Ok(found) if roots.iter().any(|r: &ModuleRoot| r.folder == found) => {}
            Ok(found) => roots.push(ModuleRoot { folder: found, package: None }),
            Err(why) => problems.push(unsafe_path(path, &format!("/module_roots/{i}"), root, &why)),
        }
    }
    let dependencies = manifest.dependencies.as_deref().unwrap_or_default();
    match lock::verify(files, path, &folder, &manifest) {
        Ok(packages) => {
            for package in packages {
                if !roots.iter().any(|r| r.folder == package.module_folder) {
                    roots.push(ModuleRoot { folder: package.module_folder.clone(), package: Some(package) });
                }
            }
        }
        Err(found) => problems.extend(found),
    }
    match entry {
        Some(entry) if problems.is_empty() => Ok(Project {
            manifest_path: path.to_owned(),
            name: name(&folder),
            folder,
            entry,
            roots,
            dependencies: dependencies.len(),
        }),
        _ => Err(problems),
    }
}

/// The last component of the manifest's folder as it was written.
fn name(folder: &Path) -> String {
    folder.file_name().map_or_else(|| "app".to_owned(), |n| n.to_string_lossy().into_owned())
}

fn entry(folder: &Path, entry: &str, problems: &mut Vec<Diag>) -> Option<PathBuf> {
    if !entry.ends_with(".x07.json") {
        problems.push(
            Diag::new(
                Code::ProjectParseFailed,
                format!("the entry {entry:?} is not a module file; its name must end in .x07.json"),
            )
            .data("instance_path", "/entry"),
        );
        return None;
    }
    match safe_join(folder, &normal_relative(entry)) {
        Ok(path) if is_regular(&path) => Some(path),
        Ok(path) if path.exists() => {
            problems.push(
                Diag::new(
                    Code::ProjectEntryReadFailed,
                    format!("the entry {} is not a regular file; give the path of a module file", shown(&path)),
                )
                .data("path", shown(&path)),
            );
            None
        }
        Ok(path) => {
            problems.push(
                Diag::new(
                    Code::ProjectEntryMissing,
                    format!(
                        "the entry {} does not exist; create it or correct \"entry\" in the manifest",
                        shown(&path)
                    ),
                )
                .data("path", shown(&path)),
            );
            None
        }
        Err(why) => {
            problems.push(
                Diag::new(Code::PathUnsafe, format!("the entry is not safe: {why}")).data("instance_path", "/entry"),
            );
            None
        }
    }
}

/// Resolves a folder of the manifest: relative to the project, or to the workspace when it begins
/// with `$workspace`. Components `.` are left out.
///
/// # Errors
/// Why the path is refused.
pub fn resolve(folder: &Path, path: &str) -> Result<PathBuf, String> {
    let (base, rest) = match path.strip_prefix("$workspace") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => (workspace(folder)?, rest.trim_start_matches('/')),
        _ => (folder.to_path_buf(), path),
    };
    if rest.starts_with('/') {
        return Err(UnsafePath::Absolute(path.to_owned()).to_string());
    }
    let plain = normal_relative(rest);
    if plain.is_empty() {
        return Ok(base);
    }
    safe_join(&base, &plain).map_err(|e| e.to_string())
}

/// The workspace of a project: `X07_WORKSPACE_ROOT`, or the nearest folder above that holds `.git`.
fn workspace(folder: &Path) -> Result<PathBuf, String> {
    if let Some(root) = std::env::var_os("X07_WORKSPACE_ROOT").filter(|r| !r.is_empty()) {
        return Ok(PathBuf::from(root));
    }
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let absolute = std::fs::canonicalize(here).map_err(|e| format!("the project's folder cannot be resolved: {e}"))?;
    let root = absolute.ancestors().find(|a| a.join(".git").exists()).map(Path::to_path_buf);
    root.ok_or_else(|| "`$workspace` needs a folder with `.git` above the project, or X07_WORKSPACE_ROOT".to_owned())
}

/// The diagnostic for a path that a manifest may not name.
#[must_use]
pub fn unsafe_path(manifest: &Path, pointer: &str, path: &str, why: &str) -> Diag {
    Diag::new(
        Code::PathUnsafe,
        format!("{} names the path {path:?} at {pointer}, which is refused: {why}", shown(manifest)),
    )
    .data("instance_path", pointer)
    .data("path", path)
}
