//! Capabilities → what the engine gives to one call.

use super::capabilities::{Capabilities, Folder};
use super::evidence::Evidence;
use super::secrets::{self, Environment};
use crate::contract::path::{UnsafePath, normal_relative, safe_join};
use crate::engine::component::{Grant, Preopen};
use crate::report::{Code, Diag, Stage};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use x07_wasm_contracts::types::WasmCapsEvidenceSecretProvided as Provided;

/// Makes the grant for one call. `base` is the folder that paths of the capabilities are relative
/// to; the empty path is the current folder. The clocks and random numbers of `evidence` become part
/// of the grant, and `evidence` learns which secrets were given.
///
/// Files are read each time, so a secret that was replaced is given in its new form.
///
/// # Errors
/// Everything that cannot be given: folders (`CAPS_FS_DENIED`), secrets (`CAPS_SECRET_MISSING`,
/// `CAPS_PROFILE_READ_FAILED`), and evidence that the capabilities ask for and that nobody collects
/// (`POLICY_OBLIGATION_UNSATISFIED`). The call must not be made then.
pub fn grant(caps: &Arc<Capabilities>, base: &Path, evidence: &mut Evidence) -> Result<Grant, Vec<Diag>> {
    grant_among(caps, base, evidence, &of_this_process)
}

/// What can be given and should not be left as it is: files of secrets that others can read.
#[must_use]
pub fn warnings(caps: &Capabilities, base: &Path) -> Vec<Diag> {
    secrets::exposed(caps.secrets(), base, &of_this_process)
}

fn of_this_process(variable: &str) -> Option<OsString> {
    std::env::var_os(variable)
}

fn grant_among(
    caps: &Arc<Capabilities>,
    base: &Path,
    evidence: &mut Evidence,
    environment: Environment<'_>,
) -> Result<Grant, Vec<Diag>> {
    let mut problems = Vec::new();
    let mut preopens = Vec::with_capacity(caps.folders().len());
    for folder in caps.folders() {
        match preopen(folder, base) {
            Ok(opened) => preopens.push(opened),
            Err(problem) => problems.push(problem),
        }
    }
    let found = secrets::find(caps.secrets(), base, environment).unwrap_or_else(|found| {
        problems.extend(found);
        Vec::new()
    });
    let sources = evidence.sources(caps.clocks_mode(), caps.random_mode());
    let (clocks, random) = match sources {
        Ok(sources) if problems.is_empty() => sources,
        Ok(_) => return Err(problems),
        Err(problem) => {
            problems.push(problem);
            return Err(problems);
        }
    };
    evidence.gave(found.iter().map(|s| Provided { id: s.id.clone(), source: s.source }).collect());
    let set = |name: &String| Some((name.clone(), environment(name)?.into_string().ok()?));
    let mut env: Vec<(String, String)> = caps.variables().iter().filter_map(set).collect();
    env.extend(found.into_iter().map(|s| (secrets::variable(&s.id), s.value)));
    let mut grant = Grant::nothing();
    grant.preopens = preopens;
    grant.env = env;
    grant.sockets = caps.network().sockets();
    grant.clocks = clocks;
    grant.random = random;
    grant.outgoing = caps.policy();
    Ok(grant)
}

/// Finds the folder on the host. The guest sees it under the name that the capabilities give it.
fn preopen(folder: &Folder, base: &Path) -> Result<Preopen, Diag> {
    let denied = |reason: String| {
        let message = format!("the folder {:?} of the capabilities cannot be opened: {reason}", folder.path);
        Diag::new(Code::CapsFsDenied, message).data("path", folder.path.as_str()).stage(Stage::Parse)
    };
    let refused = |error: UnsafePath| match error {
        UnsafePath::Symlink { link, .. } => denied(format!(
            "{link:?} in it is a symbolic link, which is not followed; name the folder that it leads to in fs.preopens, or move that folder here"
        )),
        other => denied(format!("{other}; correct fs.preopens")),
    };
    let relative = normal_relative(&folder.path);
    let host = if relative.is_empty() {
        // The base itself, written as `.`.
        base.to_path_buf()
    } else {
        safe_join(base, &relative).map_err(refused)?
    };
    let host = if host.as_os_str().is_empty() { PathBuf::from(".") } else { host };
    // Listing a folder needs the same right as opening it.
    fs::read_dir(&host)
        .map_err(|error| denied(format!("{}: {error}; create it, or correct fs.preopens", host.display())))?;
    Ok(Preopen { host, guest: folder.path.clone(), writable: folder.writable })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::tests::capabilities;
    use crate::engine::component::{Clocks, DenialReason, Randomness, Target};
    use serde_json::json;

    fn bare(_: &str) -> Option<OsString> {
        None
    }

    fn codes(result: Result<Grant, Vec<Diag>>) -> Vec<(String, Stage)> {
        let found = result.err().unwrap_or_default();
        found.into_iter().map(Diag::build).map(|d| (d.code, d.stage)).collect()
    }

    #[test]
    fn what_denies_everything_gives_nothing() {
        let base = tempfile::tempdir().expect("a folder");
        let environment = |_: &str| Some(OsString::from("value"));
        let grant = grant_among(&capabilities(|_| {}), base.path(), &mut Evidence::None, &environment);
        let grant = grant.expect("a grant");
        assert!(grant.preopens.is_empty() && grant.env.is_empty() && grant.sockets.is_empty());
        assert!(matches!(grant.clocks, Clocks::Zero) && matches!(grant.random, Randomness::Zero));
        let target = Target { scheme: "http".to_owned(), host: "localhost".to_owned(), port: 80 };
        assert!(matches!(grant.outgoing.check(&target), Err(DenialReason::NotGranted)));
    }

    #[test]
    fn what_is_listed_is_given() {
        let base = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(base.path().join("data/in")).expect("made");
        fs::create_dir_all(base.path().join(".x07/secrets")).expect("made");
        fs::write(base.path().join(".x07/secrets/api_key"), "hunter2\n").expect("written");
        let caps = capabilities(|d| {
            d["fs"]["preopens"] = json!([{"path": "./data//in", "mode": "ro"}, {"path": ".", "mode": "rw"}]);
            d["env"]["allow"] = json!(["HOME", "LANG"]);
            d["secrets"]["allow"] = json!(["api_key"]);
            d["clocks"]["mode"] = json!("allow");
            d["random"]["mode"] = json!("allow");
        });
        let environment = |name: &str| (name == "LANG").then(|| OsString::from("C"));
        let grant = grant_among(&caps, base.path(), &mut Evidence::None, &environment).expect("a grant");
        let opened: Vec<_> = grant.preopens.iter().map(|p| (p.host.as_path(), p.guest.as_str(), p.writable)).collect();
        assert_eq!(opened, [(base.path().join("data/in").as_path(), "./data//in", false), (base.path(), ".", true)]);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(grant.env, [pair("LANG", "C"), pair("X07_SECRET_API_KEY", "hunter2")]);
        assert!(matches!(grant.clocks, Clocks::Real) && matches!(grant.random, Randomness::Real));
    }

    #[test]
    fn everything_that_cannot_be_given_is_told_at_once() {
        let base = tempfile::tempdir().expect("a folder");
        fs::write(base.path().join("file"), "").expect("written");
        let caps = capabilities(|d| {
            d["fs"]["preopens"] = json!([{"path": "none", "mode": "ro"}, {"path": "file", "mode": "ro"}]);
            d["secrets"]["allow"] = json!(["api_key"]);
            d["clocks"]["mode"] = json!("record");
        });
        let found = codes(grant_among(&caps, base.path(), &mut Evidence::None, &bare));
        let expected = [
            "X07WASM_CAPS_FS_DENIED",
            "X07WASM_CAPS_FS_DENIED",
            "X07WASM_CAPS_SECRET_MISSING",
            "X07WASM_POLICY_OBLIGATION_UNSATISFIED",
        ];
        assert_eq!(found, expected.map(|code| (code.to_owned(), Stage::Parse)));
    }

    #[cfg(unix)]
    #[test]
    fn folders_behind_links_are_not_opened() {
        let base = tempfile::tempdir().expect("a folder");
        fs::create_dir(base.path().join("real")).expect("made");
        std::os::unix::fs::symlink("real", base.path().join("link")).expect("made");
        let caps = capabilities(|d| d["fs"]["preopens"] = json!([{"path": "link", "mode": "ro"}]));
        let refused = grant_among(&caps, base.path(), &mut Evidence::None, &bare).err().unwrap_or_default();
        let message = refused.first().cloned().map(|d| d.build().message).unwrap_or_default();
        assert!(message.contains("symbolic link") && !message.contains("copy the file"), "{message}");
        assert_eq!(codes(Err(refused)), [("X07WASM_CAPS_FS_DENIED".to_owned(), Stage::Parse)]);
    }

    #[test]
    fn the_record_says_which_secrets_were_given() {
        let caps = capabilities(|d| d["secrets"]["allow"] = json!(["a", "b"]));
        let base = tempfile::tempdir().expect("a folder");
        let environment = |name: &str| name.starts_with("X07_SECRET_").then(|| OsString::from("hunter2"));
        let mut evidence = Evidence::record();
        grant_among(&caps, base.path(), &mut evidence, &environment).expect("a grant");
        let (document, diags) = evidence.finish();
        let document = document.expect("a record");
        assert!(diags.is_empty());
        let given: Vec<String> = document.secrets.provided.iter().map(|p| format!("{} {}", p.id, p.source)).collect();
        assert_eq!(given, ["a env", "b env"]);
        assert!(!serde_json::to_string(&document).expect("JSON").contains("hunter2"));
    }
}
