//! Where the modules of tests are looked up.

use crate::contract::files::{Files, is_regular, shown};
use crate::contract::path::same_file;
use crate::project::manifest::ModuleRoot;
use crate::project::{self, Project, Purpose};
use crate::report::{Code, Diag};
use std::path::{Component, Path, PathBuf};

/// The name of a project's manifest.
const MANIFEST: &str = "x07.json";
/// Folders above the tests in which a project is looked for.
const MAX_FOLDERS: usize = 128;

/// The roots of the tests in `folder`, as a project: those that were told; else those of the
/// project that was told or is found, with its folder and `folder` behind them; else `folder`.
///
/// # Errors
/// Every problem of the project, or the roots that are no folders.
pub fn find(
    files: &mut Files,
    folder: &Path,
    told_project: Option<&Path>,
    told_roots: &[PathBuf],
) -> Result<Project, Vec<Diag>> {
    if !told_roots.is_empty() {
        let missing: Vec<Diag> = told_roots.iter().filter(|root| !root.is_dir()).map(|root| no_folder(root)).collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let mut roots = Vec::new();
        told_roots.iter().for_each(|root| add(&mut roots, root));
        return Ok(without_manifest(folder, roots));
    }
    match told_project.map(Path::to_path_buf).or_else(|| above(folder)) {
        Some(manifest) => {
            let mut project = project::open(files, &manifest, Purpose::Modules)?;
            let own = project.folder.clone();
            add(&mut project.roots, &own);
            add(&mut project.roots, folder);
            Ok(project)
        }
        None => {
            let mut roots = Vec::new();
            add(&mut roots, folder);
            Ok(without_manifest(folder, roots))
        }
    }
}

fn no_folder(root: &Path) -> Diag {
    Diag::new(Code::CliArgsInvalid, format!("the module root {} is no folder; correct --module-root", shown(root)))
        .data("stage", "module-root")
        .data("path", shown(root))
}

/// Adds a folder unless it is one of the roots.
fn add(roots: &mut Vec<ModuleRoot>, folder: &Path) {
    if !roots.iter().any(|root| same_file(&root.folder, folder)) {
        roots.push(ModuleRoot { folder: folder.to_path_buf(), package: None });
    }
}

/// Roots that belong to no project. Nobody asks for its entry: a test has an entry of its own.
fn without_manifest(folder: &Path, roots: Vec<ModuleRoot>) -> Project {
    Project {
        manifest_path: PathBuf::new(),
        folder: folder.to_path_buf(),
        name: "tests".to_owned(),
        entry: PathBuf::new(),
        roots,
        dependencies: 0,
    }
}

/// The nearest manifest of a project in a folder or above it, as a path relative to what the
/// folder is relative to.
fn above(folder: &Path) -> Option<PathBuf> {
    let mut at = folder.to_path_buf();
    for _ in 0..MAX_FOLDERS {
        let manifest = at.join(MANIFEST);
        if is_regular(&manifest) {
            return Some(manifest);
        }
        let here = if at.as_os_str().is_empty() { Path::new(".") } else { at.as_path() };
        // The root of the file system has no parent.
        std::fs::canonicalize(here).ok()?.parent()?;
        at = parent(&at);
    }
    None
}

/// The folder that holds `folder`, without asking what `..` and links lead to.
fn parent(folder: &Path) -> PathBuf {
    match folder.components().next_back() {
        Some(Component::Normal(_)) => folder.parent().map(Path::to_path_buf).unwrap_or_default(),
        None | Some(Component::CurDir) => PathBuf::from(".."),
        Some(_) => folder.join(".."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_without_the_file_system() {
        for (folder, above) in [("a/b", "a"), ("a", ""), ("", ".."), (".", ".."), ("..", "../.."), ("/a", "/")] {
            assert_eq!(parent(Path::new(folder)), PathBuf::from(above), "{folder:?}");
        }
    }

    #[test]
    fn the_nearest_manifest_is_found() {
        let place = tempfile::tempdir().expect("a folder");
        let deep = place.path().join("a/b/c");
        std::fs::create_dir_all(&deep).expect("made");
        std::fs::write(place.path().join("a/x07.json"), "{}").expect("written");
        assert_eq!(above(&deep), Some(place.path().join("a/x07.json")));
        std::fs::write(deep.join("x07.json"), "{}").expect("written");
        assert_eq!(above(&deep), Some(deep.join("x07.json")));
        assert_eq!(above(&place.path().join("no/such/folder")), None);
    }

    #[test]
    fn a_root_is_added_once() {
        let mut roots = Vec::new();
        for folder in ["src", "./src", "src/.", "tests"] {
            add(&mut roots, Path::new(folder));
        }
        let folders: Vec<String> = roots.iter().map(|r| shown(&r.folder)).collect();
        assert_eq!(folders, ["src", "tests"]);
    }
}
