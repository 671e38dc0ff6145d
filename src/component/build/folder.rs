//! The output folder: what an earlier build left in it, and how a build fills it.

use super::part::{EMITTED, Part};
use crate::contract::digest;
use crate::contract::files::{Files, WriteError, remove_stale, shown};
use crate::report::{Code, Diag};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::types::FileDigest;

/// Foreign files that a message lists.
const MAX_LISTED: usize = 20;

/// Removes the files that the parts are about to make, and those of other ways to make them: a
/// failed build leaves nothing that looks finished.
///
/// # Errors
/// The first file that is there and cannot be removed.
pub fn remove_stale_of(parts: &[Part], folder: &Path) -> Result<(), Diag> {
    if !folder.is_dir() {
        return Ok(());
    }
    for name in parts.iter().flat_map(|part| part.files()) {
        remove_stale(&folder.join(name)).map_err(|error| {
            Diag::new(Code::ComponentBuildIoFailed, format!("a file of an earlier build cannot be removed: {error}"))
        })?;
    }
    Ok(())
}

/// Removes everything that builds leave in the folder, if there is nothing else in it. The folder
/// itself stays.
///
/// # Errors
/// What else is in it, or what cannot be removed.
pub fn clean(folder: &Path) -> Result<(), Diag> {
    let refuse = |reason: String| {
        Diag::new(Code::ComponentBuildCleanFailed, format!("{} was not cleaned: {reason}", shown(folder)))
    };
    // With a slash at the end the name of a link would stand for the folder that it leads to.
    let named: PathBuf = folder.components().collect();
    match fs::symlink_metadata(&named) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(metadata) if metadata.file_type().is_symlink() => {
            return Err(refuse("it is a symbolic link; give the folder that it leads to".to_owned()));
        }
        // What stands there instead is found out when the folder is created.
        Ok(metadata) if !metadata.is_dir() => return Ok(()),
        _ => {}
    }
    let content = Content::of(folder).map_err(|error| refuse(error.to_string()))?;
    if !content.foreign.is_empty() {
        let listed: Vec<String> = content.foreign.iter().take(MAX_LISTED).cloned().collect();
        let more = content.foreign.len() - listed.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        return Err(refuse(format!(
            "it holds what no build made, and nothing was deleted: {}{more}; remove that, or give another --out-dir",
            listed.join(", ")
        ))
        .data("foreign", listed));
    }
    let gone = |path: &Path, done: io::Result<()>| done.map_err(|error| refuse(format!("{}: {error}", shown(path))));
    for file in &content.files {
        gone(file, fs::remove_file(file))?;
    }
    for folder in &content.folders {
        gone(folder, fs::remove_dir(folder))?;
    }
    Ok(())
}

/// What is in an output folder.
#[derive(Default)]
struct Content {
    /// Files that builds make.
    files: Vec<PathBuf>,
    /// Folders that builds make, with nothing else in them.
    folders: Vec<PathBuf>,
    /// Everything else, by names relative to the folder.
    foreign: BTreeSet<String>,
}

impl Content {
    fn of(folder: &Path) -> io::Result<Self> {
        let files: BTreeSet<String> = Part::ALL.iter().flat_map(|part| part.files()).collect();
        let folders: BTreeSet<String> = Part::ALL.iter().map(|part| part.emit_dir()).collect();
        let mut content = Self::default();
        for (name, path, kind) in entries(folder)? {
            if kind.is_file() && (files.contains(&name) || temporary(&name)) {
                content.files.push(path);
            } else if kind.is_dir() && folders.contains(&name) {
                for (inner, path, kind) in entries(&path)? {
                    if kind.is_file() && (EMITTED.contains(&inner.as_str()) || temporary(&inner)) {
                        content.files.push(path);
                    } else {
                        content.foreign.insert(format!("{name}/{inner}"));
                    }
                }
                content.folders.push(path);
            } else {
                content.foreign.insert(name);
            }
        }
        Ok(content)
    }
}

/// A file that was being written when the process was killed.
fn temporary(name: &str) -> bool {
    name.starts_with(".x07-wasm.") && name.ends_with(".tmp")
}

fn entries(folder: &Path) -> io::Result<Vec<(String, PathBuf, fs::FileType)>> {
    fs::read_dir(folder)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), entry.path(), entry.file_type()?))
        })
        .collect()
}

/// Files in the making. They are written when all of them are there, so that there is never half a
/// set.
#[derive(Debug, Default)]
pub struct Outputs(Vec<Output>);

#[derive(Debug)]
struct Output {
    path: PathBuf,
    bytes: Vec<u8>,
    /// The code under which it is reported that it cannot be written.
    code: Code,
}

impl Outputs {
    /// Adds a file; yields the digest that it will have.
    pub fn add(&mut self, path: PathBuf, bytes: Vec<u8>, code: Code) -> FileDigest {
        let digest = digest::of(shown(&path), &bytes);
        self.0.push(Output { path, bytes, code });
        digest
    }

    /// Writes all files, or none.
    ///
    /// # Errors
    /// The first file that cannot be written; those before it are removed again.
    pub fn write(self, files: &mut Files) -> Result<(), Diag> {
        let before = files.outputs_so_far();
        for (i, output) in self.0.iter().enumerate() {
            if let Err(error) = files.write(&output.path, &output.bytes) {
                files.retract_outputs_after(before);
                let left = self.0.iter().take(i).filter_map(|written| remove_stale(&written.path).err());
                return Err(cannot_write(output, &error, left));
            }
        }
        Ok(())
    }
}

fn cannot_write(output: &Output, error: &WriteError, left: impl Iterator<Item = WriteError>) -> Diag {
    let diag = Diag::new(output.code, format!("{} cannot be written: {}", shown(&output.path), error.source));
    left.fold(diag, |diag, error| diag.note(format!("it could not be taken back: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = entries(folder).expect("readable").into_iter().map(|(name, _, _)| name).collect();
        names.sort();
        names
    }

    #[test]
    fn cleaning_removes_what_builds_made_and_leaves_the_folder() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path();
        for name in ["solve.core.wasm", "http.component.wasm.manifest.json", ".x07-wasm.abc.tmp"] {
            fs::write(folder.join(name), "x").expect("written");
        }
        fs::create_dir(folder.join("solve.core.emit")).expect("made");
        fs::write(folder.join("solve.core.emit/program.c"), "x").expect("written");
        clean(folder).expect("cleaned");
        assert_eq!(names(folder), [""; 0]);
        clean(&folder.join("none")).expect("nothing to clean");
    }

    #[test]
    fn cleaning_deletes_nothing_where_something_else_lies() {
        for foreign in ["letter.txt", "solve.core.wasm.bak", "solve.core.emit/notes.txt"] {
            let place = tempfile::tempdir().expect("a folder");
            let folder = place.path();
            fs::write(folder.join("solve.core.wasm"), "x").expect("written");
            fs::create_dir(folder.join("solve.core.emit")).expect("made");
            fs::write(folder.join(foreign), "dear reader").expect("written");
            let diagnostic = clean(folder).expect_err("refused").build();
            assert_eq!(diagnostic.code, "X07WASM_COMPONENT_BUILD_CLEAN_FAILED");
            assert!(diagnostic.message.contains(foreign), "{}", diagnostic.message);
            assert!(folder.join("solve.core.wasm").exists() && folder.join(foreign).exists());
        }
    }

    #[test]
    fn a_folder_under_the_name_of_a_file_is_foreign() {
        let place = tempfile::tempdir().expect("a folder");
        fs::create_dir(place.path().join("solve.core.wasm")).expect("made");
        assert!(clean(place.path()).is_err());
        assert!(remove_stale_of(&[Part::Solve], place.path()).is_err());
    }

    #[test]
    fn stale_files_of_other_ways_are_removed_too_and_others_stay() {
        let place = tempfile::tempdir().expect("a folder");
        for name in ["http.component.compose.report.json", "http.component.wasm", "cli.component.wasm", "x07.json"] {
            fs::write(place.path().join(name), "x").expect("written");
        }
        remove_stale_of(&[Part::HttpNative], place.path()).expect("removed");
        assert_eq!(names(place.path()), ["cli.component.wasm", "x07.json"]);
        remove_stale_of(&[Part::HttpNative], &place.path().join("x07.json")).expect("no folder, nothing to do");
    }

    #[test]
    fn outputs_are_written_all_or_not_at_all() {
        let place = tempfile::tempdir().expect("a folder");
        let mut outputs = Outputs::default();
        let digest = outputs.add(place.path().join("a"), b"abc".to_vec(), Code::ComponentArtifactWriteFailed);
        assert_eq!(digest.bytes_len, 3);
        outputs.add(place.path().join("none/b"), Vec::new(), Code::AdapterComponentCopyFailed);
        let mut files = Files::default();
        let diagnostic = outputs.write(&mut files).expect_err("no such folder").build();
        assert_eq!(diagnostic.code, "X07WASM_ADAPTER_COMPONENT_COPY_FAILED");
        assert_eq!((names(place.path()), files.outputs_so_far()), (Vec::new(), 0));
    }
}
