//! The lockfile: which packages a project uses, byte for byte.
//!
//! The expected state is computed anew from the manifest and from the packages on disk and
//! compared with what the lockfile says. A project without dependencies needs no lockfile.
//!
//! For a package whose folder does not exist, the copy that the tool carries is compared and used.

use super::manifest::{resolve, unsafe_path};
use super::snapshots::{self, Snapshot};
use crate::contract::digest::sha256_hex;
use crate::contract::files::{Files, MAX_DOCUMENT_BYTES, ReadError, read_bounded, shown};
use crate::contract::load::{self, LoadError};
use crate::contract::path::{normal_relative, safe_join};
use crate::report::{Code, Diag, DocumentCodes};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::types::{Lock, LockDependency, Package, Project as Manifest};

/// Largest module of a package: 16 MiB.
pub const MAX_MODULE_BYTES: u64 = 16 << 20;

/// A package whose files are the locked ones.
#[derive(Debug)]
pub struct LockedPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The folder of its modules; that of a package that the tool carries is nowhere on disk.
    pub module_folder: PathBuf,
    /// Module id → SHA-256 of the module's file.
    pub modules: BTreeMap<String, String>,
    /// The copy that the tool carries, when the package is not on disk.
    pub snapshot: Option<&'static Snapshot>,
}

/// A dependency after the manifest's patches.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    name: String,
    version: String,
    path: String,
    /// Where the manifest asks for it.
    pointer: String,
}

/// Checks the lockfile of a project.
///
/// # Errors
/// Every difference between manifest, lockfile and disk.
pub fn verify(
    files: &mut Files,
    manifest_path: &Path,
    folder: &Path,
    manifest: &Manifest,
) -> Result<Vec<LockedPackage>, Vec<Diag>> {
    let wanted = wanted(manifest);
    let name = manifest.lockfile.as_ref().and_then(|l| l.as_deref()).map_or("x07.lock.json", str::trim);
    let path = safe_join(folder, &normal_relative(name))
        .map_err(|e| vec![unsafe_path(manifest_path, "/lockfile", name, &e.to_string())])?;
    let lock = match files.load::<Lock>(&path) {
        Ok(loaded) => loaded.document,
        Err(LoadError::Read(error)) if error.is_missing() && wanted.is_empty() => return Ok(Vec::new()),
        Err(LoadError::Read(error)) if error.is_missing() => {
            return Err(vec![missing_lockfile(&path, manifest_path, folder, &wanted)]);
        }
        Err(error) => return Err(DocumentCodes::all(Code::ProjectLockInvalid).diagnose("lockfile", &error)),
    };
    let mut problems = Vec::new();
    if lock.dependencies.len() != wanted.len() {
        problems.push(invalid(
            &path,
            format!(
                "locks {} packages, but the project has {} dependencies; lock the project again",
                lock.dependencies.len(),
                wanted.len()
            ),
        ));
    }
    for (i, want) in wanted.iter().enumerate() {
        if wanted.iter().take(i).any(|w| w.name == want.name) {
            problems.push(
                Diag::new(
                    Code::ProjectParseFailed,
                    format!("{} asks for the package {:?} twice; remove one entry", shown(manifest_path), want.name),
                )
                .data("instance_path", want.pointer.as_str()),
            );
        }
    }
    for locked in &lock.dependencies {
        if !wanted.iter().any(|w| w.name == locked.name.trim()) {
            problems.push(invalid(
                &path,
                format!(
                    "locks the package {:?}, which the project does not ask for; lock the project again",
                    locked.name
                ),
            ));
        }
    }
    let mut packages = Vec::new();
    for want in &wanted {
        let Some(locked) = lock.dependencies.iter().find(|d| d.name.trim() == want.name) else {
            problems.push(not_locked(&path, folder, want));
            continue;
        };
        match package(files, &path, manifest_path, folder, want, locked) {
            Ok(package) => packages.push(package),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(packages) } else { Err(problems) }
}

fn wanted(manifest: &Manifest) -> Vec<Wanted> {
    let patches = manifest.patch.as_ref();
    let list = manifest.dependencies.iter().flatten().enumerate();
    list.map(|(i, d)| {
        let patch = patches.and_then(|p| p.get(d.name.trim()));
        let version = patch.map_or(d.version.as_str(), |p| p.version.as_str());
        let path = patch.and_then(|p| p.path.as_ref()).and_then(|p| p.as_deref()).unwrap_or(&d.path);
        Wanted {
            name: d.name.trim().to_owned(),
            version: version.trim().to_owned(),
            path: path.trim().to_owned(),
            pointer: format!("/dependencies/{i}"),
        }
    })
    .collect()
}

/// Checks one package against its lock entry.
fn package(
    files: &mut Files,
    lock_path: &Path,
    manifest_path: &Path,
    folder: &Path,
    want: &Wanted,
    locked: &LockDependency,
) -> Result<LockedPackage, Vec<Diag>> {
    let package_folder = resolve(folder, &want.path)
        .map_err(|e| vec![unsafe_path(manifest_path, &format!("{}/path", want.pointer), &want.path, &e)])?;
    if let Some(snapshot) = stand_in(want, &package_folder) {
        files.record_builtin(&snapshot.manifest_path(), snapshot.manifest.as_bytes());
        return carried(lock_path, manifest_path, &package_folder, want, locked, snapshot);
    }
    let mut problems = Vec::new();
    let mut differs = |what: &str, lock: &str, found: &str| {
        if lock != found {
            problems.push(
                invalid(lock_path, format!("locks {what} {lock:?} of the package {:?}, but found {found:?}; lock the project again if the change is meant", want.name))
                    .data("package", want.name.as_str())
                    .data("expected", lock)
                    .data("found", found),
            );
        }
    };
    differs("version", locked.version.trim(), &want.version);
    differs("path", locked.path.trim(), &want.path);
    let package_file = package_folder.join("x07-package.json");
    let bytes = match files.read(&package_file, MAX_DOCUMENT_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.is_missing() => {
            problems.push(missing_package(want, &package_folder, manifest_path));
            return Err(problems);
        }
        Err(error) => return Err(vec![unreadable(&want.name, &error)]),
    };
    differs("manifest digest", &locked.package_manifest_sha256, &sha256_hex(&bytes));
    let manifest = load::from_bytes::<Package>(&shown(&package_file), &bytes)
        .map_err(|e| DocumentCodes::all(Code::ProjectLockInvalid).diagnose("package manifest", &e))?
        .document;
    differs("module root", locked.module_root.trim(), manifest.module_root.trim());
    differs("manifest name", &want.name, manifest.name.trim());
    differs("manifest version", locked.version.trim(), manifest.version.trim());
    let module_folder = resolve(&package_folder, manifest.module_root.trim())
        .map_err(|e| vec![unsafe_path(&package_file, "/module_root", &manifest.module_root, &e)])?;
    for id in &manifest.modules {
        if !locked.modules_sha256.contains_key(id) {
            differs("modules", "(nothing)", id);
        }
    }
    for (id, expected) in &locked.modules_sha256 {
        if !manifest.modules.contains(id) {
            differs("module", id, "(nothing)");
            continue;
        }
        let relative = format!("{}.x07.json", id.replace('.', "/"));
        let found = safe_join(&module_folder, &relative)
            .map_err(|e| e.to_string())
            .and_then(|p| read_bounded(&p, MAX_MODULE_BYTES).map_err(|e| e.to_string()));
        match found {
            Ok(bytes) => differs(&format!("digest of the module {id}"), expected, &sha256_hex(&bytes)),
            Err(why) => differs(&format!("module {id}"), expected, &why),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(LockedPackage {
        name: want.name.clone(),
        version: want.version.clone(),
        module_folder,
        modules: locked.modules_sha256.clone(),
        snapshot: None,
    })
}

/// The package that the tool carries, when there is nothing at the folder of the wanted one.
fn stand_in(want: &Wanted, package_folder: &Path) -> Option<&'static Snapshot> {
    let missing = std::fs::symlink_metadata(package_folder).is_err_and(|e| e.kind() == ErrorKind::NotFound);
    if missing { snapshots::find(&want.name, &want.version) } else { None }
}

/// The entry that locks a package as the tool carries it, when that is what would be used.
fn entry_of_stand_in(folder: &Path, want: &Wanted) -> Option<Value> {
    let package_folder = resolve(folder, &want.path).ok()?;
    stand_in(want, &package_folder).map(|snapshot| snapshot.lock_entry_json(&want.path))
}

/// Checks a package that the tool carries against its lock entry.
fn carried(
    lock_path: &Path,
    manifest_path: &Path,
    package_folder: &Path,
    want: &Wanted,
    locked: &LockDependency,
    snapshot: &'static Snapshot,
) -> Result<LockedPackage, Vec<Diag>> {
    let carried = snapshot.lock_entry(&want.path);
    let differences = differences(locked, &carried);
    if !differences.is_empty() {
        let message = format!(
            "locks the package {:?} {} otherwise than this tool carries it ({}), and {} does not exist; to use what is locked, put the package there with `x07 pkg lock --project {}`; to use what the tool carries, replace the entry of the package in the lockfile by `data.lock_entry` of this diagnostic in the report (`--json`)",
            want.name,
            want.version,
            list(&differences),
            shown(package_folder),
            shown(manifest_path)
        );
        let problem = invalid(lock_path, message)
            .data("package", want.name.as_str())
            .data("version", want.version.as_str())
            .data("differences", differences)
            .data("lock_entry", snapshot.lock_entry_json(&want.path));
        return Err(vec![problem]);
    }
    Ok(LockedPackage {
        name: want.name.clone(),
        version: want.version.clone(),
        module_folder: PathBuf::from(snapshot.module_folder()),
        modules: carried.modules_sha256,
        snapshot: Some(snapshot),
    })
}

/// In what a lock entry differs from the one that is right: what, the locked value, the right one.
fn differences(locked: &LockDependency, right: &LockDependency) -> Vec<Value> {
    let mut found = Vec::new();
    let mut compare = |what: String, lock: Option<&str>, here: Option<&str>| {
        if lock != here {
            found.push(json!({ "what": what, "expected": lock, "found": here }));
        }
    };
    for (what, lock, here) in [
        ("version", &locked.version, &right.version),
        ("path", &locked.path, &right.path),
        ("manifest digest", &locked.package_manifest_sha256, &right.package_manifest_sha256),
        ("module root", &locked.module_root, &right.module_root),
    ] {
        compare(what.to_owned(), Some(lock.trim()), Some(here.as_str()));
    }
    let ids: BTreeSet<&String> = locked.modules_sha256.keys().chain(right.modules_sha256.keys()).collect();
    for id in ids {
        let digest = |entry: &LockDependency| entry.modules_sha256.get(id).cloned();
        compare(format!("digest of the module {id}"), digest(locked).as_deref(), digest(right).as_deref());
    }
    found
}

/// The first difference, and how many more there are.
fn list(differences: &[Value]) -> String {
    let first = differences.first().and_then(|d| d.get("what")).and_then(Value::as_str).unwrap_or_default();
    match differences.len() {
        0 | 1 => first.to_owned(),
        2 => format!("{first} and 1 more difference"),
        n => format!("{first} and {} more differences", n - 1),
    }
}

fn missing_lockfile(path: &Path, manifest: &Path, folder: &Path, wanted: &[Wanted]) -> Diag {
    let problem = invalid(
        path,
        format!(
            "does not exist, but the project has {} dependencies; run `x07 pkg lock --project {}`",
            wanted.len(),
            shown(manifest)
        ),
    );
    let entries: Vec<Value> = wanted.iter().filter_map(|want| entry_of_stand_in(folder, want)).collect();
    if entries.is_empty() {
        return problem;
    }
    let note = "the tool carries packages that the project asks for; `data.lock_entries` in the report (`--json`) holds the entries that lock them";
    problem.note(note).data("lock_entries", entries)
}

fn not_locked(path: &Path, folder: &Path, want: &Wanted) -> Diag {
    let problem = invalid(path, format!("does not lock the package {:?}; lock the project again", want.name))
        .data("package", want.name.as_str());
    match entry_of_stand_in(folder, want) {
        None => problem,
        Some(entry) => {
            let note =
                "the tool carries this package; `data.lock_entry` in the report (`--json`) is the entry that locks it";
            problem.note(note).data("lock_entry", entry)
        }
    }
}

fn missing_package(want: &Wanted, folder: &Path, manifest: &Path) -> Diag {
    let message = format!(
        "the package {} {} is not at {}; fetch it with `x07 pkg lock --project {}`, or put its folder there",
        want.name,
        want.version,
        shown(folder),
        shown(manifest)
    );
    let problem = Diag::new(Code::ProjectDependencyMissing, message)
        .data("package", want.name.as_str())
        .data("version", want.version.as_str())
        .data("path", shown(folder));
    let versions = snapshots::versions(&want.name);
    if versions.is_empty() {
        return problem;
    }
    problem.note(if versions.contains(&want.version.as_str()) {
        "the tool carries this package; remove the folder to use what is carried".to_owned()
    } else {
        format!("of this package, the tool itself carries {}", versions.join(" and "))
    })
}

fn unreadable(name: &str, error: &ReadError) -> Diag {
    Diag::new(Code::ProjectDependencyMissing, format!("the manifest of the package {name} cannot be read: {error}"))
        .data("package", name)
}

fn invalid(path: &Path, message: String) -> Diag {
    Diag::new(Code::ProjectLockInvalid, format!("the lockfile {} {message}", shown(path))).data("path", shown(path))
}
