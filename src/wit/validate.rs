//! Every package of a registry: its own text, and whether it fits those that it depends on.

use super::package::Package;
use super::registered::{self, Checked, Pins, about};
use super::registry::{Entry, Registry};
use super::resolve;
use crate::contract::files::Files;
use crate::report::{Code, Diag};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What was found about one package.
#[derive(Debug)]
pub struct Validated<'r> {
    /// Its entry.
    pub entry: &'r Entry,
    /// The digest over its files, when they could be read.
    pub sha256_tree: Option<String>,
    /// The names of its worlds, sorted; empty when the package could not be parsed.
    pub worlds: Vec<String>,
    /// The packages that it refers to and that a registry can name, sorted.
    pub dependencies: Vec<String>,
    /// Errors and warnings.
    pub problems: Vec<Diag>,
}

/// Checks the packages that are wanted, in the order of the registry.
///
/// Errors of other packages that a wanted one needs are among the problems of the first that needs
/// them.
pub fn validate<'r>(files: &mut Files, registry: &'r Registry, wanted: impl Fn(&Entry) -> bool) -> Vec<Validated<'r>> {
    let mut checked = BTreeMap::new();
    for (position, entry) in registry.entries.iter().enumerate().filter(|(_, entry)| wanted(entry)) {
        checked.insert(position, registered::check(files, registry, entry, Pins::Required));
    }
    let selected: BTreeSet<usize> = checked.keys().copied().collect();
    let mut relations = Relations { files, registry, selected: &selected, checked };
    let related: Vec<Vec<Diag>> = selected.iter().map(|position| relations.of(*position)).collect();
    let mut checked = relations.checked;
    let mut validated = Vec::with_capacity(selected.len());
    for (position, related) in selected.iter().zip(related) {
        let (Some(entry), Some(found)) = (registry.entries.get(*position), checked.remove(position)) else { continue };
        let Checked { sha256_tree, package, mut problems, .. } = found;
        problems.extend(related);
        let (worlds, dependencies) = package.map(|p| (p.worlds, p.dependencies)).unwrap_or_default();
        let dependencies = dependencies.into_iter().filter(|id| is_registrable(id)).collect();
        validated.push(Validated { entry, sha256_tree, worlds, dependencies, problems });
    }
    validated
}

/// How packages depend on one another.
struct Relations<'a> {
    files: &'a mut Files,
    registry: &'a Registry,
    /// The positions of the packages that are wanted.
    selected: &'a BTreeSet<usize>,
    /// What is known, by position.
    checked: BTreeMap<usize, Checked>,
}

impl Relations<'_> {
    /// The problems of a wanted package with those that it depends on.
    fn of(&mut self, main: usize) -> Vec<Diag> {
        let (mut problems, mut complete) = (Vec::new(), true);
        let Some(package) = self.checked.get(&main).and_then(Checked::usable) else { return problems };
        let mut seen = BTreeSet::from([package.id.clone()]);
        let mut queue = wants(package, main);
        let mut needed = Vec::new();
        while let Some((id, by)) = queue.pop_front() {
            if !seen.insert(id.clone()) {
                continue;
            }
            let Some(position) = self.registry.position(&id) else {
                complete = false;
                // A wanted package says for itself what it lacks.
                if by == main || !self.selected.contains(&by) {
                    problems.extend(self.registry.entries.get(by).map(|entry| unregistered(self.registry, entry, &id)));
                }
                continue;
            };
            problems.extend(self.look_at(position));
            match self.checked.get(&position).and_then(Checked::usable) {
                Some(package) => {
                    needed.push(position);
                    queue.extend(wants(package, position));
                }
                None => complete = false,
            }
        }
        // Without all of its parts, resolving would only say again what is missing.
        if complete {
            problems.extend(self.resolve(main, &needed));
        }
        problems
    }

    /// Checks a package that is needed and not wanted; yields its errors the first time.
    fn look_at(&mut self, position: usize) -> Vec<Diag> {
        if self.checked.contains_key(&position) {
            return Vec::new();
        }
        let Some(entry) = self.registry.entries.get(position) else { return Vec::new() };
        let mut checked = registered::check(self.files, self.registry, entry, Pins::IfPresent);
        let problems = std::mem::take(&mut checked.problems);
        self.checked.insert(position, checked);
        problems
    }

    fn resolve(&self, main: usize, needed: &[usize]) -> Option<Diag> {
        let entry = self.registry.entries.get(main)?;
        let package = self.checked.get(&main).and_then(Checked::usable)?;
        let needed: Vec<&Package> =
            needed.iter().filter_map(|position| self.checked.get(position).and_then(Checked::usable)).collect();
        let problem = resolve::resolve(package, &needed).err()?;
        let what = format!("the WIT package {} does not resolve with the packages that it depends on", entry.id);
        Some(about(problem.diagnose(Code::WitPackageParseFailed, &what), entry))
    }
}

/// The packages that one wants, with the position of the one that wants them.
fn wants(package: &Package, position: usize) -> VecDeque<(String, usize)> {
    package.dependencies.iter().map(|id| (id.clone(), position)).collect()
}

fn unregistered(registry: &Registry, entry: &Entry, dependency: &str) -> Diag {
    let cure = if is_registrable(dependency) {
        "register it there"
    } else {
        "name it by a lower-case namespace and name and a version, as registries do"
    };
    let message = format!("{} depends on {dependency}, which is not in {}; {cure}", entry.id, registry.path);
    about(Diag::new(Code::WitPackageDepMissing, message), entry).data("dependency", dependency)
}

/// Whether registries and reports can name a package: they want a version and short names.
fn is_registrable(id: &str) -> bool {
    let Some((name, version)) = id.split_once('@') else { return false };
    let Some((namespace, name)) = name.split_once(':') else { return false };
    let word = |text: &str, limit: usize| {
        text.len() <= limit
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
    };
    // A version with both a pre-release and a build part is more than they know.
    let plain = !(version.contains('+') && version.split('+').next().is_some_and(|v| v.contains('-')));
    id.len() <= 128 && word(namespace, 32) && word(name, 64) && plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_name_what_registries_can_name() {
        for good in ["wasi:http@0.2.8", "a:b@1.0.0-rc.1", "a:b@1.0.0+build"] {
            assert!(is_registrable(good), "{good}");
        }
        let long = format!("a:{}@1.0.0", "b".repeat(65));
        for bad in ["wasi:http", "a:B@1.0.0", "A:b@1.0.0", "a:b@1.0.0-rc.1+build", &long] {
            assert!(!is_registrable(bad), "{bad}");
        }
    }
}
