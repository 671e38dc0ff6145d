//! Paths that documents name.
//!
//! A path in a document is data from somebody else: it may only lead to plain names below the
//! folder that it is relative to, and through no symbolic link.

use std::path::{Component, Path, PathBuf};

/// Why a path was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsafePath {
    /// The empty path.
    #[error("the path is empty; name a file below the folder")]
    Empty,
    /// Starts at the root of a file system or drive.
    #[error("{0:?} is absolute; use a path relative to the folder")]
    Absolute(String),
    /// Has a component `.` or `..`, or a backslash that another system would take for a separator.
    #[error(
        "{0:?} has a component that is not a plain name (`.`, `..`, an empty one or one with `\\`); use plain names separated by `/`"
    )]
    NotPlain(String),
    /// An existing component is a symbolic link.
    #[error("{path:?} leads through the symbolic link {link:?}; copy the file instead of linking it")]
    Symlink {
        /// The path as written.
        path: String,
        /// The component that is a link.
        link: String,
    },
}

/// Joins a relative path from a document to the folder that it is relative to.
///
/// Missing components are allowed: whoever opens the file reports that it is missing.
///
/// # Errors
/// When the path is empty, absolute, has anything but plain names, or crosses a symbolic link.
pub fn safe_join(folder: &Path, relative: &str) -> Result<PathBuf, UnsafePath> {
    check_plain(relative)?;
    let mut joined = folder.to_path_buf();
    for name in relative.split('/') {
        joined.push(name);
        if std::fs::symlink_metadata(&joined).is_ok_and(|m| m.file_type().is_symlink()) {
            return Err(UnsafePath::Symlink { path: relative.to_owned(), link: name.to_owned() });
        }
    }
    Ok(joined)
}

/// Checks the text of a path only.
///
/// # Errors
/// As [`safe_join`], but for links.
pub fn check_plain(relative: &str) -> Result<(), UnsafePath> {
    if relative.is_empty() {
        return Err(UnsafePath::Empty);
    }
    let drive =
        relative.as_bytes().get(1) == Some(&b':') && relative.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    if relative.starts_with(['/', '\\']) || drive {
        return Err(UnsafePath::Absolute(relative.to_owned()));
    }
    let plain = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(['\\', '\0']);
    if !relative.split('/').all(plain) {
        return Err(UnsafePath::NotPlain(relative.to_owned()));
    }
    Ok(())
}

/// A relative path of a document without its `.` and empty components. Absolute paths stay as they
/// are, so that [`safe_join`] refuses them.
#[must_use]
pub fn normal_relative(path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let kept: Vec<&str> = path.split('/').filter(|c| !matches!(*c, "." | "")).collect();
    kept.join("/")
}

/// Whether two paths lead to one place, as far as that can be told before the files exist: the
/// longest part that exists is resolved, the rest is compared as text.
#[must_use]
pub fn same_file(a: &Path, b: &Path) -> bool {
    resolved(a) == resolved(b)
}

fn resolved(path: &Path) -> PathBuf {
    let mut rest = Vec::new();
    let mut at = without_dots(path);
    loop {
        if let Ok(real) = std::fs::canonicalize(&at) {
            return rest.iter().rev().fold(real, |real, name| real.join(name));
        }
        match (at.file_name().map(std::ffi::OsStr::to_owned), at.parent()) {
            (Some(name), Some(parent)) => {
                rest.push(name);
                at = if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_path_buf() };
            }
            _ => return without_dots(path),
        }
    }
}

/// Takes `.` components out of a path without touching the file system.
#[must_use]
pub fn without_dots(path: &Path) -> PathBuf {
    let kept: PathBuf = path.components().filter(|c| *c != Component::CurDir).collect();
    if kept.as_os_str().is_empty() { PathBuf::from(".") } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_below_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        for good in ["a", "a/b.json", "..a/b..", ".hidden"] {
            assert_eq!(safe_join(folder.path(), good), Ok(folder.path().join(good)));
        }
        for bad in ["", "/etc/passwd", "C:/x", "c:x", "\\x", "../x", "a/../b", "a//b", "./a", "a/.", "a\\..\\b", "a\0b"]
        {
            assert!(safe_join(folder.path(), bad).is_err(), "{bad:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_refused_wherever_they_stand() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("real")).expect("made");
        std::os::unix::fs::symlink("real", folder.path().join("link")).expect("made");
        assert!(matches!(safe_join(folder.path(), "link/file"), Err(UnsafePath::Symlink { .. })));
        assert!(matches!(safe_join(folder.path(), "link"), Err(UnsafePath::Symlink { .. })));
        assert!(safe_join(folder.path(), "real/file").is_ok());
    }
}
