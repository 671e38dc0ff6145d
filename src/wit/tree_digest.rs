//! The files of a package, read once, and the digest over them.
//!
//! The digest is the SHA-256 of a list with a line `<sha256>  <path>` for each file `*.wit` below the
//! folder, sorted by path. Other files and links do not count, so notes may lie beside a package, and
//! nothing outside of its folder can change it.

use super::builtin;
use crate::contract::digest::sha256_hex;
use crate::contract::files::{Files, ReadError, shown};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Largest sum of the files of a package: 1 MiB. The largest one of WASI has a twentieth of it.
const MAX_BYTES: u64 = 1 << 20;
/// Most files of a package.
const MAX_FILES: usize = 512;
/// Most entries that are looked at in the folder of a package, whatever they are.
const MAX_ENTRIES: usize = 8192;
/// Deepest folder below a package.
const MAX_DEPTH: usize = 16;

/// Why the files of a package could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A folder cannot be listed.
    #[error("{path}: {source}")]
    Folder {
        /// As given.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A name that no list can hold.
    #[error("{path}: the name is not UTF-8; rename the file")]
    Name {
        /// As far as it can be shown.
        path: String,
    },
    /// More than a package may have.
    #[error("{path}: {what}; name a folder that holds one package only")]
    TooLarge {
        /// The folder.
        path: String,
        /// Of what there is too much.
        what: String,
    },
}

/// Which files to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All below the folder, as the digest wants.
    All,
    /// Those directly in the folder, which are the text of the package. The folder may hold anything else.
    Top,
}

/// One file of a package.
#[derive(Clone, Debug)]
struct TreeFile {
    /// Path below the folder, with `/`.
    relative: String,
    /// Path for messages.
    shown: String,
    bytes: Vec<u8>,
}

/// The files of a package, sorted by path.
#[derive(Clone, Debug)]
pub struct Tree {
    files: Vec<TreeFile>,
}

impl Tree {
    /// Reads the files of a folder and records each.
    ///
    /// # Errors
    /// When the folder or a file cannot be read, or there is more than a package may have.
    pub fn read(files: &mut Files, folder: &Path, extent: Extent) -> Result<Self, TreeError> {
        let mut walk = Walk { root: folder, extent, entries: 0, found: Vec::new() };
        walk.folder(Path::new(""), 0)?;
        let mut found = walk.found;
        found.sort();
        let mut tree = Self { files: Vec::with_capacity(found.len()) };
        let mut total = 0_u64;
        for (relative, path) in found {
            let bytes = files.read(&path, MAX_BYTES)?;
            total = total.saturating_add(bytes.len() as u64);
            if total > MAX_BYTES {
                let what = format!("its .wit files have more than {MAX_BYTES} bytes together");
                return Err(TreeError::TooLarge { path: shown(folder), what });
            }
            tree.files.push(TreeFile { relative, shown: shown(&path), bytes });
        }
        Ok(tree)
    }

    /// The files that the tool carries below a folder, recorded as such; `None` when there are none.
    pub fn carried(files: &mut Files, folder: &str) -> Option<Self> {
        let mut tree = Self { files: Vec::new() };
        for (relative, text) in builtin::files_below(folder) {
            let path = format!("{folder}/{relative}");
            files.record_builtin(&path, text.as_bytes());
            tree.files.push(TreeFile {
                relative: relative.to_owned(),
                shown: format!("builtin:{path}"),
                bytes: text.as_bytes().to_vec(),
            });
        }
        (!tree.files.is_empty()).then_some(tree)
    }

    /// The digest over the files, in lower-case hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        let lines: String =
            self.files.iter().map(|file| format!("{}  {}\n", sha256_hex(&file.bytes), file.relative)).collect();
        sha256_hex(lines.as_bytes())
    }

    /// The files that are the text of the package, by their names for messages: those directly in the
    /// folder. What lies deeper counts for the digest only.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().filter(|f| !f.relative.contains('/')).map(|f| (f.shown.as_str(), f.bytes.as_slice()))
    }

    /// Whether some file has the line ends of Windows, which change the digest.
    #[must_use]
    pub fn has_crlf(&self) -> bool {
        self.files.iter().any(|file| file.bytes.windows(2).any(|pair| pair == b"\r\n"))
    }
}

/// The search for files.
struct Walk<'a> {
    root: &'a Path,
    extent: Extent,
    entries: usize,
    /// Path below the root, and path to open.
    found: Vec<(String, PathBuf)>,
}

impl Walk<'_> {
    fn folder(&mut self, below: &Path, depth: usize) -> Result<(), TreeError> {
        let folder = if below.as_os_str().is_empty() { self.root.to_path_buf() } else { self.root.join(below) };
        let failed = |source| TreeError::Folder { path: shown(&folder), source };
        if depth > MAX_DEPTH {
            let what = format!("folders are nested more than {MAX_DEPTH} deep");
            return Err(TreeError::TooLarge { path: shown(&folder), what });
        }
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                let what = format!("there are more than {MAX_ENTRIES} files and folders");
                return Err(TreeError::TooLarge { path: shown(self.root), what });
            }
            let path = below.join(entry.file_name());
            // The type of the entry itself: links are neither.
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() && self.extent == Extent::Top {
                continue;
            }
            if kind.is_dir() {
                self.folder(&path, depth + 1)?;
            } else if kind.is_file() && path.extension().is_some_and(|e| e == "wit") {
                self.file(&path)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, below: &Path) -> Result<(), TreeError> {
        let path = self.root.join(below);
        let names: Option<Vec<&str>> = below.iter().map(|name| name.to_str()).collect();
        let Some(names) = names else { return Err(TreeError::Name { path: shown(&path) }) };
        if self.found.len() == MAX_FILES {
            let what = format!("there are more than {MAX_FILES} .wit files");
            return Err(TreeError::TooLarge { path: shown(self.root), what });
        }
        self.found.push((names.join("/"), path));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(folder: &Path) -> String {
        Tree::read(&mut Files::default(), folder, Extent::All).expect("read").sha256()
    }

    #[test]
    fn the_digest_is_that_of_the_sorted_list() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("a")).expect("made");
        // In byte order `a-b.wit` comes before `a/b.wit`, and both before `b.wit`.
        for (name, text) in [("b.wit", "2"), ("a/b.wit", "1"), ("a-b.wit", "0")] {
            fs::write(folder.path().join(name), text).expect("written");
        }
        let list = [("0", "a-b.wit"), ("1", "a/b.wit"), ("2", "b.wit")]
            .map(|(text, name)| format!("{}  {name}\n", sha256_hex(text.as_bytes())))
            .concat();
        let before = digest(folder.path());
        assert_eq!(before, sha256_hex(list.as_bytes()));
        // What is not WIT does not count.
        fs::write(folder.path().join("README.md"), "x").expect("written");
        fs::write(folder.path().join("c.WIT"), "x").expect("written");
        fs::create_dir(folder.path().join("d.wit")).expect("made");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("b.wit", folder.path().join("link.wit")).expect("linked");
            std::os::unix::fs::symlink("a", folder.path().join("link")).expect("linked");
        }
        assert_eq!(digest(folder.path()), before);
        fs::rename(folder.path().join("b.wit"), folder.path().join("c.wit")).expect("renamed");
        assert_ne!(digest(folder.path()), before, "a name counts");
    }

    #[test]
    fn a_package_without_files_has_the_digest_of_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(digest(folder.path()), sha256_hex(b""));
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let half = vec![b' '; usize::try_from(MAX_BYTES / 2 + 1).expect("small")];
        fs::write(folder.path().join("a.wit"), &half).expect("written");
        assert!(Tree::read(&mut Files::default(), folder.path(), Extent::All).is_ok());
        fs::write(folder.path().join("b.wit"), &half).expect("written");
        let error = Tree::read(&mut Files::default(), folder.path(), Extent::All).expect_err("too large");
        assert!(matches!(error, TreeError::TooLarge { .. }), "{error}");

        let deep = tempfile::tempdir().expect("a folder");
        let mut path = deep.path().to_path_buf();
        (0..=MAX_DEPTH).for_each(|_| path.push("d"));
        fs::create_dir_all(&path).expect("made");
        let all = Tree::read(&mut Files::default(), deep.path(), Extent::All);
        assert!(all.is_err_and(|e| e.to_string().contains("nested")));
        assert!(Tree::read(&mut Files::default(), deep.path(), Extent::Top).is_ok());
    }

    #[test]
    fn carried_files_are_those_of_the_repository() {
        let folder = "wit/deps/wasi/http/0.2.8";
        let mut files = Files::default();
        let tree = Tree::carried(&mut files, folder).expect("carried");
        assert_eq!(tree.sha256(), digest(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)));
        assert_eq!(files.inputs()[0].path, "builtin:wit/deps/wasi/http/0.2.8/handler.wit");
        assert!(Tree::carried(&mut files, "wit/nowhere").is_none());
        assert!(!tree.has_crlf());
    }
}
