//! Gives the compiler the text of a project's entry and modules.

use super::lock::MAX_MODULE_BYTES;
use super::manifest::Project;
use super::snapshots::Snapshot;
use crate::compiler::source::{ModuleSource, ModuleText, SourceError};
use crate::contract::digest::{self, sha256_hex};
use crate::contract::files::{ReadError, is_regular, read_bounded, shown};
use crate::contract::path::safe_join;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::types::FileDigest;

/// Where a project keeps its budget profiles.
const BUDGET_PROFILES: &str = "arch/budgets/profiles";

/// The modules of an opened project. What is read is remembered for the report.
#[derive(Debug)]
pub struct ProjectSource<'p> {
    project: &'p Project,
    read: RefCell<Vec<FileDigest>>,
}

impl<'p> ProjectSource<'p> {
    /// The modules of `project`.
    #[must_use]
    pub fn new(project: &'p Project) -> Self {
        Self { project, read: RefCell::new(Vec::new()) }
    }

    /// The files that were read, in order.
    #[must_use]
    pub fn into_read(self) -> Vec<FileDigest> {
        self.read.into_inner()
    }

    fn text(&self, path: &Path, expected: Option<&str>) -> Result<ModuleText, SourceError> {
        let name = shown(path);
        let bytes = read_bounded(path, MAX_MODULE_BYTES).map_err(|e| match e {
            ReadError::TooLarge { limit, .. } => SourceError::TooLarge { path: name.clone(), limit },
            other => SourceError::Unreadable { path: name.clone(), reason: other.to_string() },
        })?;
        if let Some(expected) = expected {
            // Checked again although the lockfile was verified: the file may have changed since.
            let found = sha256_hex(&bytes);
            if found != expected {
                return Err(SourceError::DigestMismatch { path: name, expected: expected.to_owned(), found });
            }
        }
        self.read.borrow_mut().push(digest::of(name.clone(), &bytes));
        let text = String::from_utf8(bytes)
            .map_err(|e| SourceError::NotUtf8 { path: name.clone(), offset: e.utf8_error().valid_up_to() })?;
        Ok(ModuleText { path: name, text })
    }

    /// A module of a package that the tool carries, and that was compared with the lockfile when the
    /// project was opened.
    fn carried(&self, snapshot: &Snapshot, id: &str) -> Result<ModuleText, SourceError> {
        let path = snapshot.module_path(id);
        let Some(text) = snapshot.module(id) else {
            return Err(SourceError::NotFound { searched: vec![path] });
        };
        self.read.borrow_mut().push(digest::of(path.clone(), text.as_bytes()));
        Ok(ModuleText { path, text: text.to_owned() })
    }
}

impl ModuleSource for ProjectSource<'_> {
    fn entry(&self) -> Result<ModuleText, SourceError> {
        self.text(&self.project.entry, None)
    }

    fn module(&self, id: &str) -> Result<ModuleText, SourceError> {
        let stem = id.replace('.', "/");
        let (mut searched, mut found) = (Vec::new(), Vec::new());
        for root in &self.project.roots {
            if let Some(snapshot) = root.snapshot() {
                let path = snapshot.module_path(id);
                if snapshot.module(id).is_some() {
                    found.push((root, PathBuf::from(path)));
                } else {
                    searched.push(path);
                }
                continue;
            }
            let relative = format!("{stem}.x07.json");
            match safe_join(&root.folder, &relative) {
                // A package consists of the modules that it lists and the lockfile pins.
                Ok(path) if root.package.as_ref().is_some_and(|p| !p.modules.contains_key(id)) => {
                    searched.push(shown(&path))
                }
                // What is there but is no regular file is found, too, and refused when it is read.
                Ok(path) if path.exists() => found.push((root, path)),
                Ok(path) => searched.push(shown(&path)),
                Err(why) => {
                    return Err(SourceError::Unreadable {
                        path: shown(&root.folder.join(&relative)),
                        reason: why.to_string(),
                    });
                }
            }
        }
        match found.as_slice() {
            [(root, path)] => match root.snapshot() {
                Some(snapshot) => self.carried(snapshot, id),
                None => {
                    let expected = root.package.as_ref().and_then(|p| p.modules.get(id)).map(String::as_str);
                    self.text(path, expected)
                }
            },
            [] => {
                let folders = self.project.roots.iter().filter(|r| r.snapshot().is_none()).map(|r| &r.folder);
                let text_form = folders.map(|f| f.join(format!("{stem}.x07t"))).find(|p| is_regular(p));
                Err(match text_form {
                    Some(path) => SourceError::TextForm { path: shown(&path) },
                    None => SourceError::NotFound { searched },
                })
            }
            several => Err(SourceError::Ambiguous { found: several.iter().map(|(_, p)| shown(p)).collect() }),
        }
    }

    fn budget_profile(&self, id: &str) -> Result<ModuleText, SourceError> {
        let relative = format!("{BUDGET_PROFILES}/{id}.budget.json");
        match safe_join(&self.project.folder, &relative) {
            Ok(path) if path.exists() => self.text(&path, None),
            Ok(path) => Err(SourceError::NotFound { searched: vec![shown(&path)] }),
            Err(why) => Err(SourceError::Unreadable {
                path: shown(&self.project.folder.join(&relative)),
                reason: why.to_string(),
            }),
        }
    }
}
