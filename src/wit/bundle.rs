//! Bundles for building and comparing components: of a registered package, or of a file.

use super::package::{self as text, Package};
use super::registered::{self, Pins, about};
use super::registry::{self, Registry, RegistryCodes};
use super::resolve::{self, Bundle};
use super::tree_digest::{Extent, Tree};
use super::{DEFAULT_INDEX, builtin};
use crate::contract::files::{Files, shown};
use crate::contract::path::same_file;
use crate::report::{Code, Diag, Severity};
use std::collections::{BTreeSet, VecDeque};
use std::path::{Component, Path, PathBuf};

/// A registered package with its dependencies. Whatever is pinned has the digest that it is pinned to.
///
/// # Errors
/// Every problem of the package and of those that it depends on.
pub fn package(files: &mut Files, registry: &Registry, id: &str) -> Result<Bundle, Vec<Diag>> {
    let Some(entry) = registry.find(id) else {
        let message = format!("the WIT package {id:?} is not in {}; it has {}", registry.path, registry.known());
        let diag = Diag::new(Code::WitBundleMainNotInIndex, message).severity(Severity::Error);
        return Err(vec![diag.data("package_id", id)]);
    };
    let checked = registered::check(files, registry, entry, Pins::IfPresent);
    let Some(main) = checked.usable() else { return Err(checked.problems) };
    let Needed { packages, absent, mut problems } = needed(files, registry, main);
    problems.extend(absent.into_iter().map(|diag| diag.severity(Severity::Error)));
    if problems.is_empty() { connect(main, &packages) } else { Err(problems) }
}

/// The package that a `.wit` file belongs to, which is all `.wit` files of its folder, or that lies in a
/// folder, with its dependencies out of the registry. A path that is not there but that the tool
/// carries stands for the carried package.
///
/// What is not registered is told in `notices`: as warnings, or with `strict` as errors, which do not
/// keep a bundle from being made.
///
/// # Errors
/// Every problem of the path, the package and those that it depends on.
pub fn bundle_of_file(
    files: &mut Files,
    registry: &Registry,
    wit_file: &Path,
    strict: bool,
    notices: &mut Vec<Diag>,
) -> Result<Bundle, Vec<Diag>> {
    let tell = |diag: Diag| diag.strictly(strict);
    let (tree, folder) = match place(wit_file).map_err(|diag| vec![diag])? {
        Place::Folder(folder) => {
            let tree = Tree::read(files, &folder, Extent::Top).map_err(|error| {
                let message = format!("the WIT package of {} cannot be read: {error}", shown(wit_file));
                vec![Diag::new(Code::WitBundleMainParseFailed, message).data("path", shown(wit_file))]
            })?;
            (tree, Some(folder))
        }
        Place::Carried(folder) => {
            notices.push(carried_notice(wit_file));
            (Tree::carried(files, &folder).ok_or_else(|| vec![missing(wit_file, "it does not exist")])?, None)
        }
    };
    // What the tool carries depends on what the tool carries, whatever the project registered.
    let own = match folder {
        None if !registry.builtin => Some(registry::carried(files, RegistryCodes::USE)?),
        _ => None,
    };
    let registry = own.as_ref().unwrap_or(registry);
    let main = text::parse(&tree).map_err(|problems| {
        let what = format!("the WIT package of {} does not parse", shown(wit_file));
        problems.iter().map(|p| p.diagnose(Code::WitBundleMainParseFailed, &what)).collect::<Vec<_>>()
    })?;
    if let Some(folder) = folder {
        notices.extend(compare(registry, &main, &folder).map_err(|diag| vec![diag])?.map(tell));
    }
    let Needed { packages, absent, mut problems } = needed(files, registry, &main);
    if !absent.is_empty() {
        problems.push(Diag::new(
            Code::WitBundleFailed,
            format!(
                "the WIT package {} cannot be resolved, because packages that it needs are missing: {} of them",
                main.id,
                absent.len()
            ),
        ));
    }
    notices.extend(absent.into_iter().map(tell));
    if problems.is_empty() { connect(&main, &packages) } else { Err(problems) }
}

/// Where a package lies.
enum Place {
    /// In a folder of the file system.
    Folder(PathBuf),
    /// In a folder of those that the tool carries.
    Carried(String),
}

fn place(wit_file: &Path) -> Result<Place, Diag> {
    let invalid = |why: &str| {
        let message = format!("{}: {why}; give a .wit file in the folder of its package", shown(wit_file));
        Diag::new(Code::WitBundleWitPathInvalid, message).data("path", shown(wit_file))
    };
    let is_wit = wit_file.extension().is_some_and(|e| e == "wit");
    match std::fs::metadata(wit_file) {
        Ok(metadata) if metadata.is_dir() => Ok(Place::Folder(wit_file.to_owned())),
        Ok(metadata) if metadata.is_file() && is_wit => match wit_file.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Ok(Place::Folder(PathBuf::from("."))),
            Some(folder) => Ok(Place::Folder(folder.to_owned())),
            None => Err(invalid("there is no folder above it")),
        },
        Ok(metadata) if metadata.is_file() => Err(invalid("its name does not end in .wit")),
        Ok(_) => Err(invalid("it is neither a file nor a folder")),
        Err(_) if wit_file.file_name().is_none() => Err(invalid("it names no file")),
        Err(error) => carried_folder(wit_file).map(Place::Carried).ok_or_else(|| missing(wit_file, &error.to_string())),
    }
}

/// The carried folder that a path means: the folder of a carried file, or one that holds carried files.
fn carried_folder(path: &Path) -> Option<String> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => names.push(name.to_str()?),
            _ => return None,
        }
    }
    let name = names.join("/");
    if builtin::file(&name).is_some() && name.ends_with(".wit") {
        return name.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    }
    let carried = builtin::files_below(&name).any(|(below, _)| below.ends_with(".wit") && !below.contains('/'));
    carried.then_some(name)
}

fn carried_notice(wit_file: &Path) -> Diag {
    let message = format!("there is no {}, so the WIT package built into x07-wasm is used", shown(wit_file));
    Diag::new(Code::RegistryBuiltinUsed, message).data("index", format!("builtin:{DEFAULT_INDEX}"))
}

fn missing(wit_file: &Path, why: &str) -> Diag {
    let message = format!(
        "the WIT file {} is not there: {why}; correct the path, which is relative to the current folder, or name a \
         file that the tool carries, as wit/deps/wasi/http/0.2.8/proxy.wit",
        shown(wit_file)
    );
    Diag::new(Code::WitBundleWitPathMissing, message).data("path", shown(wit_file))
}

/// Whether the registry knows this package; the diagnostic says in which way it does not.
///
/// # Errors
/// When it is registered from this very folder with other content.
fn compare(registry: &Registry, main: &Package, folder: &Path) -> Result<Option<Diag>, Diag> {
    let unknown =
        |message: String| Diag::new(Code::WitBundleMainNotInIndex, message).data("package_id", main.id.as_str());
    let Some(entry) = registry.find(&main.id) else {
        let message = format!("the WIT package {} is not in {}; register it there", main.id, registry.path);
        return Ok(Some(unknown(message)));
    };
    // The digest is over more than the text. Those files are on record already that mean something here.
    let tree = Tree::read(&mut Files::default(), folder, Extent::All).ok();
    let equal = tree.as_ref().is_some_and(|tree| Some(tree.sha256()) == entry.sha256_tree);
    let here = !registry.builtin && registered::folder(entry).is_ok_and(|registered| same_file(&registered, folder));
    if equal || (here && entry.sha256_tree.is_none()) {
        return Ok(None);
    }
    if let (true, Some(tree)) = (here, &tree) {
        return Err(registered::mismatch(registry, entry, tree));
    }
    let message = format!(
        "{} lists {} at {}, and the files in {} are others; the latter are used",
        registry.path,
        main.id,
        entry.path,
        shown(folder)
    );
    Ok(Some(unknown(message)))
}

/// What a package depends on.
struct Needed {
    packages: Vec<Package>,
    /// What is not registered or not there, as warnings.
    absent: Vec<Diag>,
    /// What is there and cannot be used.
    problems: Vec<Diag>,
}

/// All that a package depends on, directly or not.
fn needed(files: &mut Files, registry: &Registry, main: &Package) -> Needed {
    let mut needed = Needed { packages: Vec::new(), absent: Vec::new(), problems: Vec::new() };
    let mut seen = BTreeSet::from([main.id.clone()]);
    let wants = |package: &Package| -> Vec<(String, String)> {
        package.dependencies.iter().map(|id| (id.clone(), package.id.clone())).collect()
    };
    let mut queue = VecDeque::from(wants(main));
    while let Some((id, wanted_by)) = queue.pop_front() {
        if !seen.insert(id.clone()) {
            continue;
        }
        let Some(entry) = registry.find(&id) else {
            let message = format!("{wanted_by} depends on {id}, which is not in {}; register it there", registry.path);
            let diag = Diag::new(Code::WitBundleDepNotInIndex, message);
            needed.absent.push(diag.data("package_id", wanted_by).data("dependency", id));
            continue;
        };
        if let (false, Err(why)) = (registry.builtin, registered::folder(entry)) {
            let message =
                format!("{wanted_by} depends on {id}, which {} lists at {}: {why}", registry.path, entry.path);
            needed.absent.push(about(Diag::new(Code::WitBundleDepDirMissing, message), entry));
            continue;
        }
        let checked = registered::check(files, registry, entry, Pins::IfPresent);
        match checked.package {
            Some(package) if !checked.failed => {
                queue.extend(wants(&package));
                needed.packages.push(package);
            }
            _ => needed.problems.extend(checked.problems),
        }
    }
    needed
}

fn connect(main: &Package, packages: &[Package]) -> Result<Bundle, Vec<Diag>> {
    let packages: Vec<&Package> = packages.iter().collect();
    resolve::resolve(main, &packages).map_err(|problem| {
        let what = format!("the WIT package {} does not resolve", main.id);
        vec![problem.diagnose(Code::WitBundleFailed, &what)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wit_parser::{Resolve, WorldId, WorldItem};

    /// The codes of diagnostics.
    fn codes(diags: &[Diag]) -> Vec<&'static str> {
        diags.iter().filter_map(Diag::code).map(Code::as_str).collect()
    }

    fn registry() -> Registry {
        registry::carried(&mut Files::default(), RegistryCodes::USE).expect("valid")
    }

    fn names<'r>(
        resolve: &'r Resolve,
        items: impl Iterator<Item = (&'r wit_parser::WorldKey, &'r WorldItem)>,
    ) -> Vec<String> {
        items.map(|(key, _)| resolve.name_world_key(key)).collect()
    }

    fn imports(bundle: &Bundle, world: WorldId) -> Vec<String> {
        names(&bundle.resolve, bundle.resolve.worlds[world].imports.iter())
    }

    fn exports(bundle: &Bundle, world: WorldId) -> Vec<String> {
        names(&bundle.resolve, bundle.resolve.worlds[world].exports.iter())
    }

    #[test]
    fn every_carried_package_resolves_with_what_is_pinned() {
        let registry = registry();
        for entry in &registry.entries {
            let bundle = package(&mut Files::default(), &registry, &entry.id)
                .unwrap_or_else(|problems| panic!("{}: {problems:?}", entry.id));
            assert_eq!(bundle.id, entry.id);
            assert!(!bundle.worlds().is_empty(), "{}", entry.id);
        }
    }

    #[test]
    fn the_worlds_of_components_have_what_they_promise() {
        let registry = registry();
        let bundle = |id: &str| package(&mut Files::default(), &registry, id).expect("valid");
        let solve = bundle("x07:solve@0.1.0");
        let world = solve.world("solve").expect("there");
        assert_eq!(
            (imports(&solve, world), exports(&solve, world)),
            (vec![], vec!["x07:solve/handler@0.1.0".to_owned()])
        );
        assert_eq!(solve.world("other"), None);

        let http = bundle("x07:http-state-doc-adapter@0.1.0");
        let world = http.world("proxy-with-solve").expect("there");
        assert_eq!(exports(&http, world), ["wasi:http/incoming-handler@0.2.8"]);
        assert!(imports(&http, world).contains(&"x07:solve/handler@0.1.0".to_owned()));
        assert!(imports(&http, world).contains(&"wasi:http/types@0.2.8".to_owned()));

        let cli = bundle("x07:cli-adapter@0.1.0");
        let world = cli.world("command-with-solve").expect("there");
        assert_eq!(exports(&cli, world), ["wasi:cli/run@0.2.8"]);
        let unstable = imports(&cli, world).into_iter().find(|name| name.contains("timezone"));
        assert_eq!(unstable, None, "unstable features are off");

        let ui = bundle("x07:web-ui-adapter@0.1.0");
        let world = ui.world("web-ui-app-with-solve").expect("there");
        assert_eq!(
            (imports(&ui, world), exports(&ui, world)),
            (vec!["x07:solve/handler@0.1.0".to_owned()], vec!["init".to_owned(), "step".to_owned()])
        );
    }

    #[test]
    fn a_carried_path_stands_for_its_package() {
        for path in ["wit/x07/solve/0.1.0/solve.wit", "./wit/x07/solve/0.1.0/solve.wit"] {
            assert_eq!(carried_folder(Path::new(path)).as_deref(), Some("wit/x07/solve/0.1.0"));
        }
        assert_eq!(carried_folder(Path::new("wit/deps/wasi/io/0.2.8")).as_deref(), Some("wit/deps/wasi/io/0.2.8"));
        for path in [
            "wit",
            "wit/deps/wasi/io",
            "/wit/x07/solve/0.1.0/solve.wit",
            "../wit/x07/solve/0.1.0",
            "arch/wit/index.x07wit.json",
            "",
        ] {
            assert_eq!(carried_folder(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn the_package_of_a_file_is_its_folder() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (registry, mut notices) = (registry(), Vec::new());
        for path in ["wit/deps/wasi/http/0.2.8/proxy.wit", "wit/deps/wasi/http/0.2.8"] {
            let mut files = Files::default();
            let bundle = bundle_of_file(&mut files, &registry, &root.join(path), true, &mut notices).expect("valid");
            assert_eq!(bundle.id, "wasi:http@0.2.8");
            assert!(bundle.world("proxy").is_some());
        }
        assert!(notices.is_empty(), "{notices:?}");
    }

    #[test]
    fn a_package_of_ones_own_is_told_and_made() {
        let place = tempfile::tempdir().expect("a folder");
        let file = place.path().join("own.wit");
        std::fs::write(&file, "package mine:p@1.0.0; world w { import wasi:io/poll@0.2.8; }").expect("written");
        for (strict, severity) in [(false, Severity::Warning), (true, Severity::Error)] {
            let mut notices = Vec::new();
            let bundle = bundle_of_file(&mut Files::default(), &registry(), &file, strict, &mut notices).expect("made");
            assert!(bundle.world("w").is_some());
            let told: Vec<_> = notices.into_iter().map(Diag::build).map(|d| (d.code, d.severity)).collect();
            assert_eq!(told, [("X07WASM_WIT_BUNDLE_MAIN_NOT_IN_INDEX".to_owned(), severity)]);
        }
        // Another text under the id of a registered package.
        std::fs::write(&file, "package x07:solve@0.1.0; world solve {}").expect("written");
        let mut notices = Vec::new();
        let bundle = bundle_of_file(&mut Files::default(), &registry(), &file, false, &mut notices).expect("made");
        let world = bundle.world("solve").expect("there");
        assert_eq!((exports(&bundle, world).len(), notices.len()), (0, 1));
    }

    #[test]
    fn what_is_missing_is_told_and_ends_it() {
        let place = tempfile::tempdir().expect("a folder");
        let file = place.path().join("own.wit");
        std::fs::write(&file, "package mine:p@1.0.0; world w { import mine:q/i@1.0.0; }").expect("written");
        let mut notices = Vec::new();
        let problems =
            bundle_of_file(&mut Files::default(), &registry(), &file, false, &mut notices).expect_err("incomplete");
        assert_eq!(codes(&problems), ["X07WASM_WIT_BUNDLE_FAILED"]);
        assert_eq!(codes(&notices), ["X07WASM_WIT_BUNDLE_MAIN_NOT_IN_INDEX", "X07WASM_WIT_BUNDLE_DEP_NOT_IN_INDEX"]);
        let mut registry = registry();
        registry.builtin = false;
        registry.entries.iter_mut().for_each(|e| e.path = "no/such/folder".to_owned());
        std::fs::write(&file, "package mine:p@1.0.0; world w { import wasi:io/poll@0.2.8; }").expect("written");
        let mut notices = Vec::new();
        let result = bundle_of_file(&mut Files::default(), &registry, &file, true, &mut notices);
        assert!(result.is_err());
        assert!(codes(&notices).contains(&"X07WASM_WIT_BUNDLE_DEP_DIR_MISSING"), "{notices:?}");
    }

    #[test]
    fn each_wrong_path_has_its_code() {
        let place = tempfile::tempdir().expect("a folder");
        let other = place.path().join("a.txt");
        std::fs::write(&other, "package a:b;").expect("written");
        let wrong = place.path().join("wrong");
        std::fs::create_dir(&wrong).expect("made");
        std::fs::write(wrong.join("a.wit"), "package").expect("written");
        for (path, code) in [
            (place.path().join("none.wit"), "X07WASM_WIT_BUNDLE_WIT_PATH_MISSING"),
            (PathBuf::new(), "X07WASM_WIT_BUNDLE_WIT_PATH_INVALID"),
            (other, "X07WASM_WIT_BUNDLE_WIT_PATH_INVALID"),
            (wrong.join("a.wit"), "X07WASM_WIT_BUNDLE_MAIN_PARSE_FAILED"),
            (place.path().to_owned(), "X07WASM_WIT_BUNDLE_MAIN_PARSE_FAILED"),
        ] {
            let result = bundle_of_file(&mut Files::default(), &registry(), &path, false, &mut Vec::new());
            assert_eq!(codes(&result.expect_err("wrong")), [code], "{}", path.display());
        }
    }

    #[test]
    fn an_id_that_is_not_registered_is_refused_with_those_that_are() {
        let problems = package(&mut Files::default(), &registry(), "x07:solve@9.0.0").expect_err("unknown");
        let diagnostic = problems.into_iter().next().expect("one").build();
        assert_eq!(diagnostic.severity, Severity::Error);
        assert!(diagnostic.message.contains("x07:solve@0.1.0"), "{}", diagnostic.message);
    }

    #[test]
    fn files_that_are_not_those_that_are_pinned_are_refused() {
        let mut registry = registry();
        let io = registry.position("wasi:io@0.2.8").expect("registered");
        registry.entries[io].sha256_tree = Some("0".repeat(64));
        // The package itself, and one that depends on it.
        for id in ["wasi:io@0.2.8", "x07:http-adapter@0.1.0"] {
            let problems = package(&mut Files::default(), &registry, id).expect_err("not what is pinned");
            assert_eq!(codes(&problems), ["X07WASM_WIT_PACKAGE_SHA256_TREE_MISMATCH"], "{id}");
        }
        assert!(package(&mut Files::default(), &registry, "x07:web-ui-adapter@0.1.0").is_ok());
    }
}
