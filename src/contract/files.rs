//! Reading and writing files: bounded, regular files only, atomic, and on the record.

use super::json::canonical;
use super::load::{self, LoadError, Loaded};
use super::{Contract, digest};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use x07_wasm_contracts::types::FileDigest;

/// Largest document that is read: 8 MiB.
pub const MAX_DOCUMENT_BYTES: u64 = 8 << 20;
/// Largest artifact or program input that is read: 256 MiB.
pub const MAX_ARTIFACT_BYTES: u64 = 256 << 20;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not there, no permission, a device error.
    #[error("{path}: {source}")]
    Io {
        /// As given.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A folder, FIFO, socket or device.
    #[error("{path}: is a {what}, and only regular files are read; give the path of a file")]
    NotRegular {
        /// As given.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// Above the limit.
    #[error("{path}: is larger than the limit of {limit} bytes; make it smaller or split it")]
    TooLarge {
        /// As given.
        path: String,
        /// The limit.
        limit: u64,
    },
}

impl ReadError {
    /// Whether the file does not exist.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct WriteError {
    /// As given.
    pub path: String,
    /// What the system said.
    pub source: io::Error,
}

/// Reads a file of at most `limit` bytes.
///
/// The file is opened without waiting, so a FIFO cannot hold the process up, and checked after
/// opening, so it cannot be exchanged in between.
///
/// # Errors
/// When it cannot be opened or read, is not a regular file, or is larger than `limit`.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let shown = || path.display().to_string();
    let io = |source| ReadError::Io { path: shown(), source };
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(ReadError::NotRegular { path: shown(), what: kind(&metadata) });
    }
    if metadata.len() > limit {
        return Err(ReadError::TooLarge { path: shown(), limit });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge { path: shown(), limit });
    }
    Ok(bytes)
}

fn kind(metadata: &fs::Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return "named pipe";
        }
        if kind.is_socket() {
            return "socket";
        }
        if kind.is_block_device() || kind.is_char_device() {
            return "device";
        }
    }
    if metadata.is_dir() { "folder" } else { "special file" }
}

/// Writes a file so that its name never stands for half of it: a temporary file beside it, then a
/// rename.
///
/// # Errors
/// When the folder is missing or not writable, or the target is a folder.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let error = |source| WriteError { path: path.display().to_string(), source };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() {
        return Err(error(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".x07-wasm.").suffix(".tmp");
    #[cfg(unix)]
    {
        // As a file that was created in the usual way; the process mask applies.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    // The message of the library names the temporary file, whose name is another one each time.
    let mut file = builder.tempfile_in(folder).map_err(|e| error(io::Error::from(e.kind())))?;
    file.write_all(bytes).map_err(error)?;
    file.persist(path).map_err(|e| error(e.error))?;
    Ok(())
}

/// Creates a folder and its parents.
///
/// # Errors
/// What the system says.
pub fn create_folder(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(|source| WriteError { path: path.display().to_string(), source })
}

/// Removes a file if it is there.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove_stale(path: &Path) -> Result<(), WriteError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(WriteError { path: path.display().to_string(), source })
        }
        _ => Ok(()),
    }
}

/// The files of one command: every read and write through it is recorded for `meta.inputs` and
/// `meta.outputs`, in order.
#[derive(Debug, Default)]
pub struct Files {
    inputs: Vec<FileDigest>,
    outputs: Vec<FileDigest>,
}

impl Files {
    /// Reads a file and records it.
    ///
    /// # Errors
    /// See [`read_bounded`].
    pub fn read(&mut self, path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
        let bytes = read_bounded(path, limit)?;
        self.inputs.push(digest::of(path.display().to_string(), &bytes));
        Ok(bytes)
    }

    /// Reads, checks and types a document, and records it once it was read.
    ///
    /// # Errors
    /// Every problem of the document, or why it could not be read.
    pub fn load<T: Contract>(&mut self, path: &Path) -> Result<Loaded<T>, LoadError> {
        let bytes = self.read(path, MAX_DOCUMENT_BYTES)?;
        load::from_bytes(&path.display().to_string(), &bytes)
    }

    /// Records bytes that are part of the tool itself.
    pub fn record_builtin(&mut self, name: &str, bytes: &[u8]) {
        self.inputs.push(digest::of(format!("builtin:{name}"), bytes));
    }

    /// Records an input that came by another way than a file of its own name.
    pub fn record_input(&mut self, digest: FileDigest) {
        self.inputs.push(digest);
    }

    /// Writes bytes atomically and records them.
    ///
    /// # Errors
    /// See [`write_atomic`].
    pub fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<FileDigest, WriteError> {
        write_atomic(path, bytes)?;
        let digest = digest::of(path.display().to_string(), bytes);
        self.outputs.push(digest.clone());
        Ok(digest)
    }

    /// Validates a document, writes its canonical form atomically and records it.
    ///
    /// # Errors
    /// When it violates its own schema or cannot be written.
    pub fn store<T: Contract>(&mut self, path: &Path, document: &T) -> Result<FileDigest, StoreError> {
        let bytes = encode(document)?;
        Ok(self.write(path, &bytes)?)
    }

    /// Records a file that another program wrote.
    pub fn record_output(&mut self, digest: FileDigest) {
        self.outputs.push(digest);
    }

    /// Moves an input to the end of the record: reports name a registry after the profile that was
    /// found through it.
    pub fn record_later(&mut self, position: usize) {
        if position < self.inputs.len() {
            let input = self.inputs.remove(position);
            self.inputs.push(input);
        }
    }

    /// Lists every input once, where it was read first: a command of several steps may read a file
    /// in each of them.
    pub fn list_inputs_once(&mut self) {
        let mut seen = std::collections::HashSet::new();
        self.inputs.retain(|input| seen.insert((input.path.clone(), input.sha256.clone())));
    }

    /// How many outputs there are, for [`Files::retract_outputs_after`].
    #[must_use]
    pub fn outputs_so_far(&self) -> usize {
        self.outputs.len()
    }

    /// Forgets later outputs: they were taken back.
    pub fn retract_outputs_after(&mut self, count: usize) {
        self.outputs.truncate(count);
    }

    /// What was read so far.
    #[must_use]
    pub fn inputs(&self) -> &[FileDigest] {
        &self.inputs
    }

    /// What was read and what was written.
    #[must_use]
    pub fn into_parts(self) -> (Vec<FileDigest>, Vec<FileDigest>) {
        (self.inputs, self.outputs)
    }
}

/// Why a document could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A mistake of ours: what we made is not valid.
    #[error("the document violates its own contract: {0}")]
    Invalid(String),
    /// The file system.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The canonical bytes of a document that satisfies its schema.
///
/// # Errors
/// [`StoreError::Invalid`] when it does not.
pub fn encode<T: Contract>(document: &T) -> Result<Vec<u8>, StoreError> {
    Ok(canonical::compact(&valid(document)?))
}

/// The same for people: indented.
///
/// # Errors
/// As [`encode`].
pub fn encode_pretty<T: Contract>(document: &T) -> Result<Vec<u8>, StoreError> {
    Ok(canonical::pretty(&valid(document)?))
}

/// A document as JSON that satisfies its schema.
fn valid<T: Contract>(document: &T) -> Result<serde_json::Value, StoreError> {
    let value = serde_json::to_value(document).map_err(|e| StoreError::Invalid(e.to_string()))?;
    let violations = super::validate::violations(T::INFO, &value);
    match violations.first() {
        None => Ok(value),
        Some(first) => Err(StoreError::Invalid(format!("{}: {}", first.pointer, first.message))),
    }
}

/// A path as it stands in a report or message.
#[must_use]
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// `<path><suffix>`, for sidecar files.
#[must_use]
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens nothing, but says whether a path leads to a regular file.
#[must_use]
pub fn is_regular(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_file())
}

/// Reads standard input up to a limit.
///
/// # Errors
/// [`ReadError::TooLarge`], or what the system says.
pub fn read_stdin(limit: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| ReadError::Io { path: "<stdin>".to_owned(), source })?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge { path: "<stdin>".to_owned(), limit });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_bounded_and_regular() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("f");
        fs::write(&file, b"12345").expect("written");
        assert_eq!(read_bounded(&file, 5).expect("fits"), b"12345");
        assert!(matches!(read_bounded(&file, 4), Err(ReadError::TooLarge { limit: 4, .. })));
        assert!(matches!(read_bounded(folder.path(), 5), Err(ReadError::NotRegular { what: "folder", .. })));
        assert!(read_bounded(&folder.path().join("none"), 5).is_err_and(|e| e.is_missing()));
    }

    #[test]
    fn an_input_is_listed_once_where_it_came_first() {
        let mut files = Files::default();
        for (path, bytes) in [("a", "1"), ("b", "2"), ("a", "1"), ("a", "3")] {
            files.record_input(digest::of(path, bytes.as_bytes()));
        }
        files.list_inputs_once();
        let listed: Vec<(&str, u64)> = files.inputs().iter().map(|i| (i.path.as_str(), i.bytes_len)).collect();
        // A file that changed in between is two inputs.
        assert_eq!(listed, [("a", 1), ("b", 1), ("a", 1)]);
    }

    #[test]
    fn writes_leave_no_other_file_and_replace_the_old_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("out");
        let mut files = Files::default();
        files.write(&file, b"one").expect("written");
        files.write(&file, b"two").expect("written");
        assert_eq!(fs::read(&file).expect("there"), b"two");
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 1);
        assert!(files.write(folder.path(), b"x").is_err());
        assert!(files.write(&folder.path().join("none/out"), b"x").is_err());
        let (inputs, outputs) = files.into_parts();
        assert!(inputs.is_empty());
        assert_eq!(outputs.iter().map(|o| o.bytes_len).collect::<Vec<_>>(), [3, 3]);
    }
}
