//! Connects a package with those that it depends on.

use super::package::{self, MAX_ITEMS, Package};
use super::problem::WitProblem;
use wit_parser::{PackageId, Resolve, WorldId};

/// A package and everything it depends on, connected and checked.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// All packages. Items that WASI marks as unstable are left out.
    pub resolve: Resolve,
    /// The package in question.
    pub package: PackageId,
    /// Its id: namespace, name and version.
    pub id: String,
}

impl Bundle {
    /// A world of the package by its name.
    #[must_use]
    pub fn world(&self, name: &str) -> Option<WorldId> {
        self.resolve.packages.get(self.package)?.worlds.get(name).copied()
    }

    /// The names of the package's worlds, sorted; for messages.
    #[must_use]
    pub fn worlds(&self) -> Vec<&str> {
        let package = self.resolve.packages.get(self.package);
        let mut names: Vec<&str> = package.into_iter().flat_map(|p| p.worlds.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

/// Resolves a package with its dependencies, direct and indirect, in any order.
///
/// # Errors
/// The first reference that leads nowhere, to something else than it needs, or in a circle.
pub(super) fn resolve(main: &Package, dependencies: &[&Package]) -> Result<Bundle, WitProblem> {
    let items = main.items() + dependencies.iter().map(|p| p.items()).sum::<usize>();
    if items > MAX_ITEMS {
        return Err(WitProblem::of_package(format!(
            "the package and what it depends on have {items} types, interfaces and worlds, at most {MAX_ITEMS} are \
             accepted; depend on fewer packages"
        )));
    }
    let group = main.group.clone();
    let others = dependencies.iter().map(|p| p.group.clone()).collect();
    let outcome = package::guarded(move || {
        let mut resolve = Resolve::new();
        let pushed = resolve.push_groups(group, others);
        (resolve, pushed)
    });
    match outcome {
        Some((resolve, Ok(package))) => Ok(Bundle { resolve, package, id: main.id.clone() }),
        Some((resolve, Err(error))) => {
            let texts = main.texts.iter().chain(dependencies.iter().flat_map(|p| &p.texts));
            Err(WitProblem::found(&resolve.source_map, texts, error.kind().span(), &error.to_string()))
        }
        None => Err(package::gave_up()),
    }
}
