//! The lockfile: which packages a project uses, byte for byte.
//!
//! The expected state is computed anew from the manifest and from the packages on disk and
//! compared with what the lockfile says. A project without dependencies needs no lockfile.

use super::manifest::{resolve, unsafe_path};
use crate::contract::digest::sha256_hex;
use crate::contract::files::{Files, MAX_DOCUMENT_BYTES, ReadError, read_bounded, shown};
use crate::contract::load::{self, LoadError};
use crate::contract::path::{normal_relative, safe_join};
use crate::report::{Code, Diag, DocumentCodes};
use std::collections::BTreeMap;
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
    /// The folder of its modules.
    pub module_folder: PathBuf,
    /// Module id → SHA-256 of the module's file.
    pub modules: BTreeMap<String, String>,
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
            return Err(vec![invalid(
                &path,
                format!(
                    "does not exist, but the project has {} dependencies; run `x07 pkg lock --project {}`",
                    wanted.len(),
                    shown(manifest_path)
                ),
            )]);
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
            problems.push(invalid(&path, format!("does not lock the package {:?}; lock the project again", want.name)));
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
    let package_folder = resolve(folder, &want.path)
        .map_err(|e| vec![unsafe_path(manifest_path, &format!("{}/path", want.pointer), &want.path, &e)])?;
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
    })
}

fn missing_package(want: &Wanted, folder: &Path, manifest: &Path) -> Diag {
    let message = format!(
        "the package {} {} is not at {}; fetch it with `x07 pkg lock --project {}`, or put its folder there",
        want.name,
        want.version,
        shown(folder),
        shown(manifest)
    );
    Diag::new(Code::ProjectDependencyMissing, message)
        .data("package", want.name.as_str())
        .data("version", want.version.as_str())
        .data("path", shown(folder))
}

fn unreadable(name: &str, error: &ReadError) -> Diag {
    Diag::new(Code::ProjectDependencyMissing, format!("the manifest of the package {name} cannot be read: {error}"))
        .data("package", name)
}

fn invalid(path: &Path, message: String) -> Diag {
    Diag::new(Code::ProjectLockInvalid, format!("the lockfile {} {message}", shown(path))).data("path", shown(path))
}
