//! The compilation cache and its configuration.
//!
//! wasmtime reads a TOML file with a table `[cache]`. Older releases demanded the member `enabled`
//! in it, current ones refuse it; profiles in the field name files of the old form, so the member
//! is honoured here and hidden from wasmtime.
//!
//! # What is trusted
//!
//! Compiled code is machine code: what is found in a cache is run as it is, with all rights of the
//! process, and nothing in it can be checked that an attacker could not also write. Whoever can
//! write to the cache can run programs as the user. Hence
//!
//! * a file that came with a project may not choose the folder;
//! * the folder is the user's own, made by the tool for nobody else, and a folder that belongs to
//!   somebody else or that others can write to is not used, with a warning and no other effect;
//! * there is no way to hand compiled code to the tool: no option, no file beside a module. Code
//!   is only read from the folder, under a name that is made of the engine, its settings and the
//!   module's bytes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use wasmtime::{Cache, CacheConfig};

use super::config::CacheSource;
use super::trap::{describe_root, one_line};

/// Largest configuration file that is read, in bytes.
const MAX_CONFIG_BYTES: u64 = 64 * 1024;

/// Opens a cache; `None` if its configuration switches it off.
///
/// # Errors
///
/// Why the cache cannot be used, in one line without paths that change from run to run.
pub(super) fn open(source: &CacheSource) -> Result<Option<Cache>, String> {
    match source {
        CacheSource::UserDefault => in_folder(&user_folder()?).map(Some),
        CacheSource::Directory(directory) => in_folder(directory).map(Some),
        CacheSource::ProjectFile(path) => match settings(&read(path)?)? {
            Settings::Off => Ok(None),
            Settings::On(settings) => with_settings(settings).map(Some),
        },
    }
}

fn in_folder(folder: &Path) -> Result<Cache, String> {
    let folder = std::path::absolute(folder).map_err(|error| one_line(&error.to_string()))?;
    own(&folder)?;
    let mut config = CacheConfig::new();
    config.with_directory(folder);
    Cache::new(config).map_err(|error| describe_root(&error))
}

/// The folder of the user who runs the tool.
fn user_folder() -> Result<PathBuf, String> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library").join("Caches"))
    } else {
        variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")))
    };
    match base {
        Some(base) => Ok(base.join("x07-wasm").join("code")),
        None => Err("the environment names no folder of the user".to_owned()),
    }
}

/// Makes a folder that only the user can get into, or refuses one that others could have written
/// to. The modules are one level below, in a folder that wasmtime makes with the process's mask.
#[cfg(unix)]
fn own(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};

    let failed = |error: std::io::Error| one_line(&error.to_string());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let user = rustix::process::geteuid().as_raw();
    for path in [folder.to_path_buf(), folder.join("modules")] {
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        if metadata.uid() != user {
            return Err("the folder belongs to another user; use one of your own".to_owned());
        }
        if metadata.mode() & 0o022 != 0 {
            return Err("others can write to the folder; remove it, or `chmod go-w` it if you trust them".to_owned());
        }
        if metadata.mode() & 0o011 == 0 {
            // Nobody else gets to what is inside.
            break;
        }
    }
    Ok(())
}

/// Makes a folder. Its rights are those of the folder that it is in, the user's own.
#[cfg(not(unix))]
fn own(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| one_line(&error.to_string()))
}

/// Reads a configuration file, refusing what is no regular file or too large.
fn read(path: &Path) -> Result<String, String> {
    let metadata = fs::metadata(path).map_err(|error| one_line(&error.to_string()))?;
    if !metadata.is_file() {
        return Err("not a regular file".to_owned());
    }
    if metadata.len() > MAX_CONFIG_BYTES {
        return Err(format!("larger than {MAX_CONFIG_BYTES} bytes"));
    }
    fs::read_to_string(path).map_err(|error| one_line(&error.to_string()))
}

/// Opens the user's cache with the settings of a project. wasmtime only takes settings from files,
/// so they become one.
fn with_settings(mut settings: toml::Table) -> Result<Cache, String> {
    let folder = user_folder()?;
    let Some(path) = folder.to_str() else {
        return Err("the path of the user's folder is not text".to_owned());
    };
    own(&folder)?;
    settings.insert("directory".to_owned(), toml::Value::String(path.to_owned()));
    let document = toml::Table::from_iter([("cache".to_owned(), toml::Value::Table(settings))]);
    let mut file = tempfile::NamedTempFile::new().map_err(|error| one_line(&error.to_string()))?;
    file.write_all(document.to_string().as_bytes()).map_err(|error| one_line(&error.to_string()))?;
    Cache::from_file(Some(file.path())).map_err(|error| describe_root(&error))
}

/// What a project's configuration file says.
#[derive(Debug, PartialEq)]
enum Settings {
    /// `enabled = false`.
    Off,
    /// The members of the table for wasmtime, without the switch.
    On(toml::Table),
}

/// Takes the switch out of a configuration text and refuses what a project may not decide.
fn settings(text: &str) -> Result<Settings, String> {
    let mut document: toml::Table = text.parse().map_err(|error: toml::de::Error| one_line(error.message()))?;
    let Some(toml::Value::Table(mut cache)) = document.remove("cache") else {
        return Err("there is no table [cache]".to_owned());
    };
    if let Some(other) = document.keys().next() {
        return Err(format!("`{other}` is not known; the one table is [cache]"));
    }
    if cache.contains_key("directory") {
        return Err(
            "a project may not choose the cache's directory, because code found there is run; remove `directory`"
                .to_owned(),
        );
    }
    match cache.remove("enabled") {
        None | Some(toml::Value::Boolean(true)) => Ok(Settings::On(cache)),
        Some(toml::Value::Boolean(false)) => Ok(Settings::Off),
        Some(_) => Err("`enabled` must be true or false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn the_switch_is_honoured_and_hidden() {
        assert_eq!(settings("# ours\n[cache]\nenabled = true # on\n"), Ok(Settings::On(toml::Table::new())));
        assert_eq!(settings("[cache]\nenabled=false\n"), Ok(Settings::Off));
        assert_eq!(settings("[cache]\n"), Ok(Settings::On(toml::Table::new())));
        let interval = ("cleanup-interval".to_owned(), toml::Value::String("1d".to_owned()));
        assert_eq!(
            settings("cache = { enabled = true, cleanup-interval = '1d' }"),
            Ok(Settings::On(toml::Table::from_iter([interval])))
        );
        for wrong in ["", "[cache", "[cache]\nenabled = 1\n", "cache = 3", "[cache]\n[other]\n"] {
            assert!(settings(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_project_cannot_choose_where_code_comes_from() {
        for text in [
            "[cache]\ndirectory = '/x'\n",
            "cache.directory = '/x'",
            "cache = { 'directory' = '/x' }",
            "[ cache ]\n\"directory\" = '/x'",
        ] {
            assert!(settings(text).is_err_and(|why| why.contains("directory")), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_is_made_for_the_user_alone_and_refused_if_others_can_write() {
        use std::os::unix::fs::PermissionsExt;

        let place = tempfile::tempdir().expect("a place");
        let folder = place.path().join("a").join("code");
        assert_eq!(own(&folder), Ok(()));
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(own(&folder), Ok(()), "the second time, too");

        let set = |path: &Path, mode: u32| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
        };
        for open in [0o770, 0o702] {
            set(&folder, open);
            assert!(own(&folder).is_err_and(|why| why.contains("others can write")), "{open:o}");
        }
        let modules = folder.join("modules");
        fs::create_dir(&modules).expect("made");
        set(&modules, 0o775);
        set(&folder, 0o755);
        assert!(own(&folder).is_err_and(|why| why.contains("others can write")), "what is inside counts");
        set(&folder, 0o700);
        assert_eq!(own(&folder), Ok(()), "unless nobody gets there");
    }
}
