//! One entry of the registry against what lies in its folder.

use super::package::{self, Package};
use super::registry::{Entry, Kind, Registry};
use super::tree_digest::{Extent, Tree};
use crate::contract::files::Files;
use crate::contract::path::{normal_relative, safe_join};
use crate::report::{Code, Diag};
use std::path::{Path, PathBuf};

/// Whether an entry must have a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pins {
    /// A vendored package without one is an error, a local one gets a warning.
    Required,
    /// One that is there must fit.
    IfPresent,
}

/// What was found in the folder of an entry.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// The digest over its files, when they could be read.
    pub sha256_tree: Option<String>,
    /// What it declares and refers to, when it parses.
    pub package: Option<Package>,
    /// Errors and warnings.
    pub problems: Vec<Diag>,
    /// Whether one of them is an error, so that the package cannot be used.
    pub failed: bool,
}

impl Checked {
    /// The package, when nothing is wrong with it.
    pub fn usable(&self) -> Option<&Package> {
        self.package.as_ref().filter(|_| !self.failed)
    }

    fn error(&mut self, diag: Diag) {
        self.failed = true;
        self.problems.push(diag);
    }
}

/// Reads, compares and parses a registered package. A step is taken only when those before it found
/// nothing wrong.
pub(super) fn check(files: &mut Files, registry: &Registry, entry: &Entry, pins: Pins) -> Checked {
    let mut checked = Checked::default();
    let tree = match read(files, registry, entry) {
        Ok(tree) => tree,
        Err(diag) => {
            checked.error(diag);
            return checked;
        }
    };
    let found = tree.sha256();
    checked.sha256_tree = Some(found.clone());
    match &entry.sha256_tree {
        Some(pin) if *pin == found => {}
        Some(_) => checked.error(mismatch(registry, entry, &tree)),
        None if pins == Pins::IfPresent => {}
        None if entry.kind == Kind::Vendored => {
            checked.error(unpinned(Code::WitPackageSha256TreeMissing, registry, entry, &found));
        }
        None => checked.problems.push(unpinned(Code::WitPackageSha256TreeUnpinned, registry, entry, &found)),
    }
    if checked.failed {
        return checked;
    }
    match package::parse(&tree) {
        Ok(package) => {
            if package.id != entry.id {
                checked.error(other_id(registry, entry, &package));
            }
            checked.package = Some(package);
        }
        Err(problems) => {
            let what = format!("the WIT package {} does not parse", entry.id);
            let diags = problems.iter().map(|p| about(p.diagnose(Code::WitPackageParseFailed, &what), entry));
            diags.for_each(|diag| checked.error(diag));
        }
    }
    checked
}

/// The folder of an entry in the current folder.
///
/// # Errors
/// Why there is no such folder.
pub(super) fn folder(entry: &Entry) -> Result<PathBuf, String> {
    let folder = safe_join(Path::new(""), &normal_relative(&entry.path)).map_err(|e| e.to_string())?;
    match std::fs::metadata(&folder) {
        Ok(metadata) if metadata.is_dir() => Ok(folder),
        Ok(_) => Err("it is not a folder; name the folder that holds the .wit files".to_owned()),
        Err(error) => Err(format!("{error}; paths of the registry are relative to the current folder")),
    }
}

/// A diagnostic with the entry that it is about.
pub(super) fn about(diag: Diag, entry: &Entry) -> Diag {
    diag.data("package_id", entry.id.as_str()).data("path", entry.path.as_str())
}

/// The files are others than those that were pinned.
pub(super) fn mismatch(registry: &Registry, entry: &Entry, tree: &Tree) -> Diag {
    let (found, pin) = (tree.sha256(), entry.sha256_tree.clone().unwrap_or_default());
    let diag = Diag::new(
        Code::WitPackageSha256TreeMismatch,
        format!(
            "the files of {} in {} have the digest {found}, but {} pins {pin}; restore the files, or look at what \
             changed and pin the new digest",
            entry.id, entry.path, registry.path
        ),
    )
    .data("expected", pin.as_str())
    .data("found", found.as_str());
    let diag = if tree.has_crlf() {
        diag.note(
            "some of the files have the line ends of Windows (CRLF), perhaps because a checkout converted them; \
             `-text` in .gitattributes keeps line ends as they are",
        )
    } else {
        diag
    };
    about(diag, entry)
}

fn read(files: &mut Files, registry: &Registry, entry: &Entry) -> Result<Tree, Diag> {
    let no_folder = |why: &str| {
        let message = format!("{} lists {} at {:?}: {why}", registry.path, entry.id, entry.path);
        about(Diag::new(Code::WitPackagePathNotDir, message), entry)
    };
    if registry.builtin {
        return Tree::carried(files, &entry.path).ok_or_else(|| no_folder("the tool carries no such folder"));
    }
    let folder = folder(entry).map_err(|why| no_folder(&why))?;
    Tree::read(files, &folder, Extent::All).map_err(|error| {
        let message = format!("the digest over the files of {} cannot be computed: {error}", entry.id);
        about(Diag::new(Code::WitPackageSha256TreeFailed, message), entry)
    })
}

fn unpinned(code: Code, registry: &Registry, entry: &Entry, found: &str) -> Diag {
    let kind = entry.kind;
    let message = format!(
        "{} does not pin the {kind} package {}, so a change of its files would go unnoticed; add \
         \"sha256_tree\": \"{found}\" to its entry",
        registry.path, entry.id
    );
    about(Diag::new(code, message), entry).data("found", found)
}

fn other_id(registry: &Registry, entry: &Entry, package: &Package) -> Diag {
    let message = format!(
        "the files in {} declare the package {}, but {} lists them as {}; make both the same",
        entry.path, package.id, registry.path, entry.id
    );
    let diag = Diag::new(Code::WitPackageIdMismatch, message);
    about(diag, entry).data("expected", entry.id.as_str()).data("found", package.id.as_str())
}
