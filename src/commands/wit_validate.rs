//! `wit validate`: the registry of WIT packages and the packages it names.

use super::{Handler, ResultOf};
use crate::contract::digest;
use crate::contract::files::shown;
use crate::report::{Code, Context, Diag, emit};
use crate::wit::{self, Entry, Kind, Registry, RegistryCodes, Validated};
use x07_wasm_contracts::cli::WitValidateArgs;
use x07_wasm_contracts::types::{
    WitValidateReport, WitValidateReportPackageSummary as Summary, WitValidateReportPackageSummaryKind as SummaryKind,
    WitValidateReportResultMode as Mode,
};

impl Handler for WitValidateArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<WitValidateReport>();
        result.mode = if self.list { Mode::List } else { Mode::Validate };
        result.strict = self.strict;
        result.index = digest::unread(shown(&self.index));
        let (before, mut notices) = (context.files.inputs().len(), Vec::new());
        let opened = wit::open_with(&mut context.files, &self.index, RegistryCodes::VALIDATE, &mut notices);
        if let Some(index) = context.files.inputs().get(before) {
            // The registry is what is read first.
            result.index = index.clone();
        }
        context.extend(notices);
        let registry = match opened {
            Ok(registry) => registry,
            Err(problems) => {
                context.extend(problems);
                return result;
            }
        };
        context.extend(duplicates(&registry));
        context.extend(unknown(&registry, &self.package));
        let wanted = |entry: &Entry| self.package.is_empty() || self.package.contains(&entry.id);
        let validated = wit::validate(&mut context.files, &registry, wanted);
        result.packages = validated.into_iter().map(|found| summary(context, found, self.strict)).collect();
        let count = |ok: bool| number(result.packages.iter().filter(|p| p.ok == ok).count());
        (result.packages_ok, result.packages_failed) = (count(true), count(false));
        result.packages_total = number(result.packages.len());
        for package in &result.packages {
            if self.list {
                context.stdout.extend_from_slice(listed(package).as_bytes());
            } else {
                context.notes.push(noted(package));
            }
        }
        result
    }
}

/// Each id that stands in the registry more than once, at each place but the first.
fn duplicates(registry: &Registry) -> Vec<Diag> {
    let again = registry.entries.iter().enumerate().filter(|(i, entry)| registry.position(&entry.id) != Some(*i));
    again
        .map(|(i, entry)| {
            let message = format!("{} lists {} twice; remove one entry", registry.path, entry.id);
            Diag::new(Code::WitIndexDuplicatePackageId, message)
                .data("package_id", entry.id.as_str())
                .data("instance_path", format!("/packages/{i}/id"))
        })
        .collect()
}

/// Each id of the command line that the registry lacks.
fn unknown(registry: &Registry, wanted: &[String]) -> Vec<Diag> {
    let lacking = wanted.iter().filter(|id| registry.find(id).is_none());
    lacking
        .map(|id| {
            let message = format!("{} has no package {id:?}; it has {}", registry.path, registry.known());
            Diag::new(Code::WitPackageNotFound, message).data("package_id", id.as_str())
        })
        .collect()
}

/// Reports the problems of a package, and says what it is.
fn summary(context: &mut Context, found: Validated<'_>, strict: bool) -> Summary {
    let Validated { entry, sha256_tree, worlds, dependencies, problems } = found;
    let before = context.errors();
    context.extend(problems.into_iter().map(|diag| diag.strictly(strict)));
    Summary {
        id: entry.id.clone(),
        path: entry.path.clone(),
        kind: match entry.kind {
            Kind::Local => SummaryKind::Local,
            Kind::Vendored => SummaryKind::Vendored,
        },
        ok: context.errors() == before,
        sha256_tree,
        worlds,
        dependencies,
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A line of `--list`, on standard output.
fn listed(package: &Summary) -> String {
    format!("{}  {}  {}  {}\n", package.id, package.kind, package.path, package.worlds.join(","))
}

/// What people read about a package.
fn noted(package: &Summary) -> String {
    let state = if package.ok { "ok" } else { "failed" };
    let worlds = if package.worlds.is_empty() { "no worlds".to_owned() } else { package.worlds.join(", ") };
    format!("{state}: {} ({}): {worlds}", package.id, package.kind)
}
