//! Secrets: where they are looked for, and under which variable they are given.
//!
//! A secret is a file of its id in a folder, or an environment variable. Its value goes to the guest
//! and nowhere else: no message, no report and no type here that can be printed holds one.

use crate::contract::path::safe_join;
use crate::report::{Code, Diag};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
pub use x07_wasm_contracts::types::WasmCapsEvidenceSecretProvidedSource as Source;

/// Variable that names the folder of the secrets.
pub const FOLDER_VARIABLE: &str = "X07_SECRETS_DIR";
/// The folder where the variable names none, below the current folder or the base folder.
pub const DEFAULT_FOLDER: &str = ".x07/secrets";
/// Largest secret: 64 KiB, which is more than a guest can be given comfortably.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// The environment variable of a secret, on the host as for the guest.
#[must_use]
pub fn variable(id: &str) -> String {
    let mapped = id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    "X07_SECRET_".chars().chain(mapped).collect()
}

/// How environment variables are read; a function so that tests need not change those of the
/// process.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// A secret that was found. It cannot be printed.
pub struct Found {
    /// Its id.
    pub id: String,
    /// Its value.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

/// Finds every secret: its file first, its variable second.
///
/// # Errors
/// One diagnostic for each that is missing or cannot be read.
pub fn find(ids: &[String], base: &Path, environment: Environment<'_>) -> Result<Vec<Found>, Vec<Diag>> {
    let places = places(base, environment);
    let (mut found, mut problems) = (Vec::with_capacity(ids.len()), Vec::new());
    for id in ids {
        match find_one(id, &places, environment) {
            Ok(secret) => found.push(secret),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

/// A warning for each secret whose file other users of the machine can get at.
#[must_use]
pub fn exposed(ids: &[String], base: &Path, environment: Environment<'_>) -> Vec<Diag> {
    let places = places(base, environment);
    ids.iter()
        .filter_map(|id| Some((id, places.iter().find_map(|place| place.open(id).ok().flatten())?)))
        .filter(|(_, opened)| opened.exposed)
        .map(|(id, opened)| {
            let path = opened.path.display().to_string();
            Diag::new(
                Code::CapsSecretPermissions,
                format!(
                    "other users of this machine can get at the file {path} of the secret {id:?}; give it mode 600"
                ),
            )
            .data("secret", id.as_str())
            .data("file", path)
        })
        .collect()
}

/// A folder in which secrets are looked for.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// The operator named it: it may be reached through links.
    Named(PathBuf),
    /// The usual one below a folder, in which no link is followed.
    Usual(PathBuf),
}

/// The folders in the order in which they are searched. What is beside the command comes before what
/// is beside a bundle that somebody else made.
fn places(base: &Path, environment: Environment<'_>) -> Vec<Place> {
    let mut roots = vec![PathBuf::new()];
    if !base.as_os_str().is_empty() && base != Path::new(".") {
        roots.push(base.to_path_buf());
    }
    match environment(FOLDER_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from) {
        Some(folder) if folder.is_absolute() => vec![Place::Named(folder)],
        Some(folder) => roots.iter().map(|root| Place::Named(root.join(&folder))).collect(),
        None => roots.into_iter().map(Place::Usual).collect(),
    }
}

/// A file of a secret, open.
struct Opened {
    path: PathBuf,
    file: File,
    /// Whether its mode gives rights to others than its owner.
    exposed: bool,
}

impl Place {
    /// Opens the file of a secret; `None` where there is none.
    fn open(&self, id: &str) -> Result<Option<Opened>, String> {
        let path = match self {
            Self::Named(folder) => folder.join(id),
            Self::Usual(root) => {
                safe_join(root, &format!("{DEFAULT_FOLDER}/{id}")).map_err(|error| error.to_string())?
            }
        };
        match open(&path) {
            Ok((file, exposed)) => Ok(Some(Opened { path, file, exposed })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }
}

/// Opens a regular file without following a link at its end, and without waiting for a pipe.
fn open(path: &Path) -> io::Result<(File, bool)> {
    if fs::symlink_metadata(path)?.file_type().is_symlink() {
        return Err(io::Error::other("it is a symbolic link, which is not followed; copy the file in its place"));
    }
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        // The file could become a link after it was looked at.
        options.custom_flags(OFlags::NONBLOCK.union(OFlags::NOFOLLOW).bits().cast_signed());
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file; put the value of the secret in a file"));
    }
    Ok((file, is_exposed(&metadata)))
}

#[cfg(unix)]
fn is_exposed(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_exposed(_: &fs::Metadata) -> bool {
    false
}

fn find_one(id: &str, places: &[Place], environment: Environment<'_>) -> Result<Found, Diag> {
    for place in places {
        let opened = place.open(id).map_err(|reason| unusable(id, &reason))?;
        if let Some(opened) = opened {
            let value = text(&opened.path, opened.file).map_err(|reason| unusable(id, &reason))?;
            return Ok(Found { id: id.to_owned(), value, source: Source::File });
        }
    }
    let variable = variable(id);
    match environment(&variable).map(OsString::into_string) {
        Some(Ok(value)) => Ok(Found { id: id.to_owned(), value, source: Source::Env }),
        Some(Err(_)) => Err(unusable(id, &format!("the environment variable {variable} is not Unicode"))),
        None => Err(missing(id, &variable, places)),
    }
}

/// The value in a file, without the line ends after it.
fn text(path: &Path, file: File) -> Result<String, String> {
    let mut bytes = Vec::new();
    file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        return Err(format!("{}: it is larger than the limit of {MAX_SECRET_BYTES} bytes", path.display()));
    }
    let mut value = String::from_utf8(bytes).map_err(|error| {
        // The error itself holds the bytes.
        format!("{}: byte {} is not UTF-8; save the file as UTF-8", path.display(), error.utf8_error().valid_up_to())
    })?;
    value.truncate(value.trim_end_matches(['\r', '\n']).len());
    Ok(value)
}

fn unusable(id: &str, reason: &str) -> Diag {
    Diag::new(Code::CapsProfileReadFailed, format!("the secret {id:?} cannot be read: {reason}")).data("secret", id)
}

fn missing(id: &str, variable: &str, places: &[Place]) -> Diag {
    let folders: Vec<String> = places
        .iter()
        .map(|place| match place {
            Place::Named(folder) => folder.display().to_string(),
            Place::Usual(root) => root.join(DEFAULT_FOLDER).display().to_string(),
        })
        .collect();
    let message = format!(
        "the secret {id:?} is allowed, but it is not there; write it to the file {id} in {}, or set the environment variable {variable}",
        folders.join(" or ")
    );
    Diag::new(Code::CapsSecretMissing, message).data("secret", id).data("folders", folders).data("variable", variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variables and where they are from, or codes and messages.
    type Looked = Result<Vec<(String, Source)>, Vec<(String, String)>>;

    /// No variable at all.
    fn bare(_: &str) -> Option<OsString> {
        None
    }

    fn ids(list: &[&str]) -> Vec<String> {
        list.iter().map(|id| (*id).to_owned()).collect()
    }

    fn write(folder: &Path, relative: &str, content: &[u8]) {
        let path = folder.join(relative);
        fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
        fs::write(path, content).expect("written");
    }

    /// The values with their sources, or the codes with the messages.
    fn look(base: &Path, list: &[&str], environment: Environment<'_>) -> Looked {
        match find(&ids(list), base, environment) {
            Ok(found) => Ok(found.into_iter().map(|s| (s.value, s.source)).collect()),
            Err(problems) => Err(problems.into_iter().map(Diag::build).map(|d| (d.code, d.message)).collect()),
        }
    }

    #[test]
    fn the_variable_of_a_secret() {
        assert_eq!(variable("api_key"), "X07_SECRET_API_KEY");
        assert_eq!(variable("db.main-1"), "X07_SECRET_DB_MAIN_1");
    }

    #[test]
    fn files_come_before_variables_and_lose_their_line_ends() {
        let base = tempfile::tempdir().expect("a folder");
        write(base.path(), ".x07/secrets/a", b"one\r\n\n");
        write(base.path(), ".x07/secrets/b", b" two \nlines");
        write(base.path(), ".x07/secrets/empty", b"");
        let environment = |name: &str| match name {
            "X07_SECRET_A" => Some(OsString::from("other")),
            "X07_SECRET_C" => Some(OsString::from("three\n")),
            _ => None,
        };
        let value = |text: &str, source| (text.to_owned(), source);
        assert_eq!(
            look(base.path(), &["a", "b", "c", "empty"], &environment),
            Ok(vec![
                value("one", Source::File),
                value(" two \nlines", Source::File),
                value("three\n", Source::Env),
                value("", Source::File),
            ])
        );
    }

    #[test]
    fn the_variable_names_another_folder() {
        let base = tempfile::tempdir().expect("a folder");
        write(base.path(), ".x07/secrets/a", b"usual");
        write(base.path(), "elsewhere/a", b"named");
        let absolute = base.path().join("elsewhere").into_os_string();
        for name in [absolute, OsString::from("elsewhere")] {
            let environment = |asked: &str| (asked == FOLDER_VARIABLE).then(|| name.clone());
            assert_eq!(look(base.path(), &["a"], &environment), Ok(vec![("named".to_owned(), Source::File)]));
        }
        // An empty folder hides the usual one.
        let empty = base.path().join("empty");
        fs::create_dir(&empty).expect("made");
        let environment = |asked: &str| (asked == FOLDER_VARIABLE).then(|| empty.clone().into_os_string());
        let problems = look(base.path(), &["a"], &environment).expect_err("missing");
        assert_eq!(problems[0].0, "X07WASM_CAPS_SECRET_MISSING");
    }

    #[test]
    fn the_current_folder_comes_before_the_base() {
        let usual = |root: &str| Place::Usual(PathBuf::from(root));
        assert_eq!(places(Path::new(""), &bare), [usual("")]);
        assert_eq!(places(Path::new("."), &bare), [usual("")]);
        assert_eq!(places(Path::new("dist"), &bare), [usual(""), usual("dist")]);
        let named = |asked: &str| (asked == FOLDER_VARIABLE).then(|| OsString::from("s"));
        assert_eq!(places(Path::new("dist"), &named), [Place::Named("s".into()), Place::Named("dist/s".into())]);
    }

    #[test]
    fn every_secret_that_is_missing_is_named_with_its_cure() {
        let base = tempfile::tempdir().expect("a folder");
        let problems = look(base.path(), &["a", "b.c"], &bare).expect_err("missing");
        assert_eq!(problems.len(), 2);
        assert!(problems.iter().all(|(code, _)| code == "X07WASM_CAPS_SECRET_MISSING"));
        assert!(problems[1].1.contains(".x07/secrets") && problems[1].1.contains("X07_SECRET_B_C"), "{problems:?}");
    }

    #[test]
    fn what_is_there_and_unfit_is_refused_without_showing_it() {
        let base = tempfile::tempdir().expect("a folder");
        write(base.path(), ".x07/secrets/binary", b"hidden\xff\xfe");
        write(base.path(), ".x07/secrets/large", &vec![b'x'; 65_537]);
        write(base.path(), ".x07/secrets/folder/file", b"");
        write(base.path(), ".x07/secrets/limit", &vec![b'x'; 65_536]);
        let problems = look(base.path(), &["binary", "large", "folder", "limit"], &bare).expect_err("unfit");
        assert_eq!(problems.len(), 3, "{problems:?}");
        for (code, message) in &problems {
            assert_eq!(code, "X07WASM_CAPS_PROFILE_READ_FAILED");
            assert!(!message.contains("hidden") && !message.contains("xxx"), "{message}");
        }
        assert!(problems[0].1.contains("byte 6"), "{}", problems[0].1);
    }

    #[cfg(unix)]
    mod on_unix {
        use super::*;
        use std::os::unix::ffi::OsStringExt;
        use std::os::unix::fs::{PermissionsExt, symlink};

        #[test]
        fn links_are_not_followed() {
            let base = tempfile::tempdir().expect("a folder");
            write(base.path(), "target/a", b"value");
            fs::create_dir_all(base.path().join(".x07/secrets")).expect("made");
            symlink("../../target/a", base.path().join(".x07/secrets/a")).expect("made");
            assert_eq!(look(base.path(), &["a"], &bare).expect_err("a link")[0].0, "X07WASM_CAPS_PROFILE_READ_FAILED");
            // Nor does a folder that leads elsewhere count, unless the operator named it.
            let other = tempfile::tempdir().expect("a folder");
            symlink(base.path().join("target"), other.path().join("linked")).expect("made");
            fs::create_dir(other.path().join(".x07")).expect("made");
            symlink("../linked", other.path().join(".x07/secrets")).expect("made");
            assert_eq!(look(other.path(), &["a"], &bare).expect_err("a link")[0].0, "X07WASM_CAPS_PROFILE_READ_FAILED");
            let named = |asked: &str| (asked == FOLDER_VARIABLE).then(|| OsString::from("linked"));
            assert_eq!(look(other.path(), &["a"], &named), Ok(vec![("value".to_owned(), Source::File)]));
            symlink(base.path().join("target/a"), base.path().join("target/b")).expect("made");
            let problems = look(other.path(), &["b"], &named).expect_err("a link");
            assert!(problems[0].1.contains("symbolic link"), "{problems:?}");
        }

        #[test]
        fn a_variable_that_is_not_unicode_is_refused() {
            let base = tempfile::tempdir().expect("a folder");
            let environment = |name: &str| (name == "X07_SECRET_A").then(|| OsString::from_vec(vec![0xff]));
            let problems = look(base.path(), &["a"], &environment).expect_err("not Unicode");
            assert_eq!(problems[0].0, "X07WASM_CAPS_PROFILE_READ_FAILED");
        }

        #[test]
        fn files_that_others_can_read_are_warned_of() {
            let base = tempfile::tempdir().expect("a folder");
            for (id, mode) in [("private", 0o600), ("group", 0o640), ("world", 0o604)] {
                let name = format!(".x07/secrets/{id}");
                write(base.path(), &name, b"value");
                fs::set_permissions(base.path().join(name), fs::Permissions::from_mode(mode)).expect("set");
            }
            let found: Vec<String> = exposed(&ids(&["private", "group", "world", "none"]), base.path(), &bare)
                .into_iter()
                .map(Diag::build)
                .inspect(|d| assert_eq!(d.code, "X07WASM_CAPS_SECRET_PERMISSIONS"))
                .map(|d| d.data.expect("data")["secret"].as_str().expect("text").to_owned())
                .collect();
            assert_eq!(found, ["group", "world"]);
        }
    }
}
