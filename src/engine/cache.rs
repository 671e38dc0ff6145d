//! The compilation cache and its configuration.
//!
//! wasmtime reads a TOML file with a table `[cache]`. Older releases demanded the member `enabled`
//! in it, current ones refuse it; profiles in the field name files of the old form, so the member
//! is honoured here and hidden from wasmtime.
//!
//! Compiled code that is found in a cache is run without another check. A file that came with a
//! project therefore may not choose the cache's folder: only the folder of the user who runs the
//! tool is used.

use std::fs;
use std::io::Write;
use std::path::Path;

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
        CacheSource::UserDefault => new(CacheConfig::new()).map(Some),
        CacheSource::Directory(directory) => {
            let mut config = CacheConfig::new();
            config.with_directory(directory);
            new(config).map(Some)
        }
        CacheSource::ProjectFile(path) => match settings(&read(path)?)? {
            Settings::Off => Ok(None),
            Settings::On(text) if text.is_empty() => new(CacheConfig::new()).map(Some),
            Settings::On(text) => open_text(&text).map(Some),
        },
    }
}

fn new(config: CacheConfig) -> Result<Cache, String> {
    Cache::new(config).map_err(|error| describe_root(&error))
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

/// Opens a cache from configuration text. wasmtime only takes files, so the text becomes one.
fn open_text(text: &str) -> Result<Cache, String> {
    let mut file = tempfile::NamedTempFile::new().map_err(|error| one_line(&error.to_string()))?;
    file.write_all(text.as_bytes()).map_err(|error| one_line(&error.to_string()))?;
    Cache::from_file(Some(file.path())).map_err(|error| describe_root(&error))
}

/// What a project's configuration file says.
#[derive(Debug, PartialEq, Eq)]
enum Settings {
    /// `enabled = false`.
    Off,
    /// The rest of the file for wasmtime; empty when there is nothing but the switch.
    On(String),
}

/// Takes the switch out of a configuration text and refuses what a project may not decide.
fn settings(text: &str) -> Result<Settings, String> {
    let mut document: toml::Table = text.parse().map_err(|error: toml::de::Error| one_line(error.message()))?;
    let Some(toml::Value::Table(cache)) = document.get_mut("cache") else {
        return Err("there is no table [cache]".to_owned());
    };
    if cache.contains_key("directory") {
        return Err(
            "a project may not choose the cache's directory, because code found there is run; remove `directory`"
                .to_owned(),
        );
    }
    match cache.remove("enabled") {
        None | Some(toml::Value::Boolean(true)) => {}
        Some(toml::Value::Boolean(false)) => return Ok(Settings::Off),
        Some(_) => return Err("`enabled` must be true or false".to_owned()),
    }
    let only_switch = cache.is_empty() && document.len() == 1;
    Ok(Settings::On(if only_switch { String::new() } else { document.to_string() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_is_honoured_and_hidden() {
        assert_eq!(settings("# ours\n[cache]\nenabled = true # on\n"), Ok(Settings::On(String::new())));
        assert_eq!(settings("[cache]\nenabled=false\n"), Ok(Settings::Off));
        assert_eq!(settings("[cache]\n"), Ok(Settings::On(String::new())));
        assert_eq!(
            settings("cache = { enabled = true, cleanup-interval = '1d' }"),
            Ok(Settings::On("[cache]\ncleanup-interval = \"1d\"\n".to_owned()))
        );
        for wrong in ["", "[cache", "[cache]\nenabled = 1\n", "cache = 3"] {
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
}
