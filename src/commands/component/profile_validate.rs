//! `component profile validate`: the registry of component profiles and the profiles it names.

use crate::commands::{Handler, ResultOf};
use crate::component::build::part::Part;
use crate::component::build::{supported, wit_index};
use crate::component::profile::{
    ProfileCodes, Registry, contract_problems, open_index, read_profile, unused_toolchain,
};
use crate::contract::digest;
use crate::contract::files::shown;
use crate::report::{Code, Context, Diag, emit};
use x07_wasm_contracts::cli::ComponentProfileValidateArgs;
use x07_wasm_contracts::types::{
    ComponentProfileValidateReport, ComponentProfileValidateReportProfileSummary as Summary, IndexEntry, ProfileRef,
};

const CODES: ProfileCodes = ProfileCodes::VALIDATE;

impl Handler for ComponentProfileValidateArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<ComponentProfileValidateReport>();
        result.strict = self.strict;
        result.index = digest::unread(shown(&self.index));
        let (before, mut notices) = (context.files.inputs().len(), Vec::new());
        let opened = open_index(&mut context.files, &self.index, CODES, &mut notices);
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
        context.extend(problems_of(&registry));
        context.extend(unknown(&registry, &self.profile));
        let wanted = registry.entries.iter().filter(|e| self.profile.is_empty() || self.profile.contains(&e.id));
        result.profiles = wanted.map(|entry| check(context, &registry, entry, self.strict)).collect();
        let count = |ok: bool| number(result.profiles.iter().filter(|p| p.ok == ok).count());
        (result.profiles_ok, result.profiles_failed) = (count(true), count(false));
        result.profiles_total = number(result.profiles.len());
        for profile in &result.profiles {
            let state = if profile.ok { "ok" } else { "failed" };
            context.notes.push(format!("{state}: {} ({})", profile.ref_.id, profile.path));
        }
        result
    }
}

/// Checks the registry itself: ids unique, default listed.
fn problems_of(registry: &Registry) -> Vec<Diag> {
    let mut problems = Vec::new();
    for (i, entry) in registry.entries.iter().enumerate() {
        if registry.entries.iter().take(i).any(|e| e.id == entry.id) {
            let message = format!("the registry {} lists {:?} twice; remove one entry", registry.path, entry.id);
            let diag = Diag::new(Code::ComponentIndexDuplicateProfileId, message);
            problems.push(diag.data("instance_path", format!("/profiles/{i}/id")));
        }
    }
    if let Some(id) = registry.default_id.as_deref().filter(|id| registry.entries.iter().all(|e| e.id != *id)) {
        let message = format!(
            "the default profile {id:?} is not in the registry {}; list it or name another default",
            registry.path
        );
        let diag = Diag::new(Code::ComponentIndexDefaultProfileNotFound, message);
        problems.push(diag.data("instance_path", "/defaults/default_profile_id"));
    }
    problems
}

/// Each id of the command line that the registry lacks.
fn unknown(registry: &Registry, wanted: &[String]) -> Vec<Diag> {
    let lacking = wanted.iter().filter(|id| registry.entries.iter().all(|e| e.id != **id));
    lacking
        .map(|id| {
            let message = format!("the registry {} has no profile {id:?}; it has {}", registry.path, registry.known());
            Diag::new(Code::ComponentIndexProfileNotFound, message).data("profile_id", id.as_str())
        })
        .collect()
}

fn check(context: &mut Context, registry: &Registry, entry: &IndexEntry, strict: bool) -> Summary {
    let mut summary = Summary {
        ref_: ProfileRef { id: entry.id.clone(), v: 1 },
        path: entry.path.clone(),
        ok: false,
        schema_valid: false,
        id_matches_index: false,
    };
    let before = context.errors();
    match read_profile(&mut context.files, registry, entry, CODES) {
        Ok(profile) => {
            summary.ref_.v = profile.v;
            summary.schema_valid = true;
            summary.id_matches_index = profile.id == entry.id;
            if !summary.id_matches_index {
                let message = format!(
                    "{} says that its id is {:?}, but the registry lists it as {:?}; make both the same",
                    entry.path, profile.id, entry.id
                );
                let diag = Diag::new(Code::ComponentProfileIdMismatch, message);
                context.push(diag.data("expected", entry.id.as_str()).data("found", profile.id.as_str()));
            }
            context.extend(contract_problems(&profile).into_iter().map(|problem| {
                let message = format!("component profile {}: {problem}", entry.path);
                Diag::new(CODES.rule, message).data("path", entry.path.as_str())
            }));
            // What a build of any part would refuse.
            context.extend(supported(&profile, &Part::ALL, CODES.rule).err().into_iter().flatten());
            context.extend(wit_index(&profile, CODES.rule).err().into_iter().flatten());
            context.extend(unused_toolchain(&profile, &entry.path).map(|diag| diag.strictly(strict)));
        }
        Err(problems) => context.extend(problems),
    }
    summary.ok = context.errors() == before;
    summary
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
