//! `profile validate`: the registry of wasm profiles and the profiles it names.

use super::{Handler, ResultOf};
use crate::contract::files::{MAX_DOCUMENT_BYTES, read_bounded, shown};
use crate::contract::load;
use crate::report::{Code, Context, Diag, DocumentCodes, emit};
use crate::wasm_profile::{
    IndexEntry, Registry, RegistryCodes, contract_problems, open_index, pooling_problems, read_profile,
};
use std::path::Path;
use x07_wasm_contracts::cli::ProfileValidateArgs;
use x07_wasm_contracts::types::{
    IndexSummary, ProfileRef, ProfileStatus, ProfileValidateReport, ProfileValidateReportResultMode as Mode,
    WasmProfile,
};

const CODES: RegistryCodes = RegistryCodes {
    index: DocumentCodes {
        read: Code::WasmIndexReadFailed,
        json: Code::WasmIndexJsonInvalid,
        schema: Code::SchemaInvalid,
    },
    profile: DocumentCodes {
        read: Code::ProfileReadFailed,
        json: Code::ProfileJsonInvalid,
        schema: Code::SchemaInvalid,
    },
};

impl Handler for ProfileValidateArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<ProfileValidateReport>();
        result.profiles.clear();
        if let Some(file) = &self.profile_file {
            result.mode = Mode::ProfileFileV1;
            result.profiles.push(file_status(context, file));
            return result;
        }
        result.mode = if self.profile.is_some() { Mode::ProfileIdV1 } else { Mode::IndexV1 };
        let mut notices = Vec::new();
        let opened = open_index(&mut context.files, &self.index, CODES, &mut notices);
        context.extend(notices);
        let registry = match opened {
            Ok(registry) => registry,
            Err(problems) => {
                context.extend(problems);
                result.index = Some(IndexSummary {
                    path: shown(&self.index),
                    ok: false,
                    profiles_count: 0,
                    default_profile_id: None,
                    default_profile_found: false,
                });
                return result;
            }
        };
        result.index = Some(summary(context, &registry));
        let wanted = |entry: &&IndexEntry| self.profile.as_deref().is_none_or(|id| entry.id == id);
        let selected: Vec<&IndexEntry> = registry.entries.iter().filter(wanted).collect();
        if let (Some(id), true) = (&self.profile, selected.is_empty()) {
            let known: Vec<&str> = registry.entries.iter().map(|e| e.id.as_str()).collect();
            context.push(
                Diag::new(
                    Code::WasmIndexProfileNotFound,
                    format!("the registry {} has no profile {id:?}; it has {}", registry.path, known.join(", ")),
                )
                .data("profile_id", id.as_str()),
            );
        }
        for entry in selected {
            let status = entry_status(context, &registry, entry);
            result.profiles.push(status);
        }
        if !context.failed() {
            context.notes.push(format!("ok: {} profiles", result.profiles.len()));
        }
        result
    }
}

/// Checks the registry itself: ids unique, default listed.
fn summary(context: &mut Context, registry: &Registry) -> IndexSummary {
    let before = context.errors();
    for (i, entry) in registry.entries.iter().enumerate() {
        if registry.entries.iter().take(i).any(|e| e.id == entry.id) {
            context.push(
                Diag::new(
                    Code::WasmIndexDuplicateProfileId,
                    format!("the registry {} lists {:?} twice; remove one entry", registry.path, entry.id),
                )
                .data("instance_path", format!("/profiles/{i}/id")),
            );
        }
    }
    let found = registry.entries.iter().any(|e| e.id == registry.default_id);
    if !found {
        context.push(
            Diag::new(
                Code::WasmIndexDefaultProfileMissing,
                format!(
                    "the default profile {:?} is not in the registry {}; list it or name another default",
                    registry.default_id, registry.path
                ),
            )
            .data("instance_path", "/defaults/default_profile_id"),
        );
    }
    IndexSummary {
        path: registry.path.clone(),
        ok: context.errors() == before,
        profiles_count: registry.entries.len() as u64,
        default_profile_id: Some(registry.default_id.clone()),
        default_profile_found: found,
    }
}

fn entry_status(context: &mut Context, registry: &Registry, entry: &IndexEntry) -> ProfileStatus {
    let mut status = ProfileStatus {
        ref_: ProfileRef { id: entry.id.clone(), v: 1 },
        path: entry.path.clone(),
        ok: false,
        schema_version: None,
        schema_valid: false,
        id_matches_index: false,
    };
    match read_profile(&mut context.files, registry, entry, CODES) {
        Ok(loaded) => {
            let before = context.errors();
            let profile = loaded.document;
            fill(&mut status, &profile);
            status.ref_.id.clone_from(&entry.id);
            status.id_matches_index = profile.id == entry.id;
            if !status.id_matches_index {
                context.push(
                    Diag::new(
                        Code::ProfileIdMismatch,
                        format!(
                            "{} says that its id is {:?}, but the registry lists it as {:?}; make both the same",
                            entry.path, profile.id, entry.id
                        ),
                    )
                    .data("expected", entry.id.as_str())
                    .data("found", profile.id.as_str()),
                );
            }
            check_contract(context, &entry.path, &profile);
            status.ok = context.errors() == before;
        }
        Err(problems) => context.extend(problems),
    }
    status
}

fn file_status(context: &mut Context, path: &Path) -> ProfileStatus {
    let mut status = ProfileStatus {
        ref_: ProfileRef { id: "unknown".to_owned(), v: 1 },
        path: shown(path),
        ok: false,
        schema_version: None,
        schema_valid: false,
        id_matches_index: true,
    };
    match context.files.load::<WasmProfile>(path) {
        Ok(loaded) => {
            fill(&mut status, &loaded.document);
            check_contract(context, &shown(path), &loaded.document);
            status.ok = !context.failed();
            if status.ok {
                context.notes.push("ok: 1 profile".to_owned());
            }
        }
        Err(error) => {
            if let Some(id) = id_of(path) {
                status.ref_.id = id;
            }
            context.extend(CODES.profile.diagnose("wasm profile", &error));
        }
    }
    status
}

/// The id that an invalid profile gives itself, if at least that is well-formed.
fn id_of(path: &Path) -> Option<String> {
    let bytes = read_bounded(path, MAX_DOCUMENT_BYTES).ok()?;
    let document = load::json_from_bytes(&shown(path), &bytes).ok()?;
    let id = document.get("id")?.as_str()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let good = id.len() <= 128 && id.starts_with(|c: char| c.is_ascii_alphanumeric()) && id.chars().all(plain);
    good.then(|| id.to_owned())
}

fn fill(status: &mut ProfileStatus, profile: &WasmProfile) {
    status.ref_ = ProfileRef { id: profile.id.clone(), v: profile.v };
    status.schema_version = Some(profile.schema_version.clone());
    status.schema_valid = true;
}

fn check_contract(context: &mut Context, path: &str, profile: &WasmProfile) {
    for problem in contract_problems(profile).into_iter().chain(pooling_problems(profile)) {
        context.push(Diag::new(Code::ProfileLoadFailed, format!("wasm profile {path}: {problem}")).data("path", path));
    }
}
