//! A reducer that is ready to be called: module, engine and limits.

use crate::compiler::emit::sites::SiteTable;
use crate::contract::digest;
use crate::contract::files::{Files, MAX_ARTIFACT_BYTES, shown};
use crate::engine::{MAX_CONCURRENCY, Runtime, SolveCall, SolveModule};
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Diag};
use crate::solve::explain::{self, LimitsOf};
use crate::solve::limits::{Overrides, engine_config};
use crate::solve::sites::site_table;
use crate::wasm_profile::{Selection, select};
use std::path::Path;
use x07_wasm_contracts::types::WasmRuntimeLimitsInstanceAllocator as Allocator;
use x07_wasm_contracts::types::{FileDigest, Location, WasmProfile, WasmRuntimeLimits};

/// Stack for wasm frames where the profile leaves it to the host: 2 MiB.
const DEFAULT_STACK_BYTES: u64 = 2 << 20;

/// How a reducer is to be run. Limits that are not given are those of the wasm profile.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Limits of the engine.
    pub overrides: Overrides,
    /// Bytes of the arena.
    pub arena_cap_bytes: Option<u64>,
    /// Bytes that a call may return.
    pub max_output_bytes: Option<u64>,
    /// Whether compiled code is kept for the next start.
    pub code_cache: bool,
    /// Calls that may be under way at a time.
    pub concurrency: u32,
    /// Milliseconds that a request may take, and so each of its calls, whatever their own limit is.
    pub request_ms: Option<u64>,
}

/// The codes under which a command reports what keeps a reducer from being called.
#[derive(Clone, Copy, Debug)]
pub struct RunnerCodes {
    /// The module cannot be read.
    pub read: Code,
    /// The module cannot be used.
    pub load: Code,
    /// A call failed, and no limit is the reason.
    pub call: Code,
}

/// A module that was read, and its digest even where it was not.
#[derive(Debug)]
pub struct Module {
    /// What the report says about it.
    pub digest: FileDigest,
    bytes: Option<Vec<u8>>,
}

impl Module {
    /// Reads a module; a problem goes to `problems`.
    pub fn read(files: &mut Files, path: &Path, codes: RunnerCodes, problems: &mut Vec<Diag>) -> Self {
        match files.read(path, MAX_ARTIFACT_BYTES) {
            Ok(bytes) => Self { digest: digest::of(shown(path), &bytes), bytes: Some(bytes) },
            Err(error) => {
                problems.push(unreadable(codes.read, "the reducer", &error));
                Self { digest: digest::unread(shown(path)), bytes: None }
            }
        }
    }
}

/// A reducer that can be called, from several threads at a time. Every call runs in a fresh instance,
/// so that it depends on its dispatch and on nothing else.
#[derive(Debug)]
pub struct Runner {
    runtime: Runtime,
    module: SolveModule,
    sites: Option<SiteTable>,
    arena_cap: u32,
    max_output: u32,
    /// Milliseconds for a call, where the limit of a request is the lower one.
    request_ms: Option<u64>,
    failed: Code,
}

/// What became of the attempt to make a reducer ready.
#[derive(Debug)]
pub struct Prepared {
    /// The reducer, unless there were errors.
    pub runner: Option<Runner>,
    /// The limits in force, once they are known.
    pub limits: Option<WasmRuntimeLimits>,
    /// Warnings and errors.
    pub diags: Vec<Diag>,
}

impl Runner {
    /// Selects the profile, sets up an engine and compiles the module.
    #[must_use]
    pub fn prepare(
        files: &mut Files,
        module: &Module,
        selection: &Selection<'_>,
        settings: &Settings,
        codes: RunnerCodes,
    ) -> Prepared {
        let mut prepared = Prepared { runner: None, limits: None, diags: Vec::new() };
        match Self::make(files, module, selection, settings, codes, &mut prepared) {
            Ok(runner) => prepared.runner = runner,
            Err(problems) => prepared.diags.extend(problems),
        }
        prepared
    }

    fn make(
        files: &mut Files,
        module: &Module,
        selection: &Selection<'_>,
        settings: &Settings,
        codes: RunnerCodes,
        prepared: &mut Prepared,
    ) -> Result<Option<Self>, Vec<Diag>> {
        let selected = select(files, selection, Code::WasmProfileLoadFailed, &mut prepared.diags)?;
        let profile = &selected.profile;
        let mut config = engine_config(&profile.runtime, settings.overrides, DEFAULT_STACK_BYTES, selected.builtin)
            .map_err(|e| vec![Diag::new(Code::CliArgsInvalid, e.to_string()).data("stage", "limits")])?
            .with_user_cache(settings.code_cache);
        config.concurrency = settings.concurrency.clamp(1, MAX_CONCURRENCY);
        let own = config.limits.wall_ms;
        let request_ms = settings.request_ms.filter(|ms| own.is_none_or(|own| own > *ms));
        config.limits.wall_ms = request_ms.or(own);
        prepared.limits = Some(WasmRuntimeLimits {
            max_fuel: config.limits.fuel,
            max_memory_bytes: config.limits.memory_bytes,
            max_table_elements: config.limits.table_elements,
            max_wasm_stack_bytes: config.limits.wasm_stack_bytes,
            instance_allocator: Some(profile.runtime.instance_allocator.unwrap_or(Allocator::OnDemand)),
            ..profile.runtime.clone()
        });
        let (arena_cap, max_output) = caps(profile, settings)?;
        let Some(bytes) = &module.bytes else { return Ok(None) };
        let (runtime, warnings) = Runtime::new(&config).map_err(|e| vec![explain::engine_error(&e)])?;
        prepared.diags.extend(warnings.iter().map(explain::engine_warning));
        let compiled = SolveModule::compile(&runtime, bytes)
            .map_err(|error| vec![limit_or(explain::engine_error(&error), codes.load)])?;
        Ok(Some(Self {
            runtime,
            module: compiled,
            sites: site_table(bytes),
            arena_cap,
            max_output,
            request_ms,
            failed: codes.call,
        }))
    }

    /// Calls the reducer.
    ///
    /// # Errors
    /// The diagnostic of the limit that was hit, or of whatever else kept the call from returning.
    pub fn call(&self, input: &[u8]) -> Result<Vec<u8>, Diag> {
        let call = SolveCall { input, arena_cap: self.arena_cap, max_output: self.max_output };
        match self.module.solve(&self.runtime, &call) {
            Ok(output) => Ok(output.bytes),
            Err(failure) => {
                let explained = explain::solve_error(&failure.kind, self.sites.as_ref(), LimitsOf::Options);
                let diag = limit_or(explained.diag, self.failed);
                Err(match self.request_ms {
                    Some(ms) if diag.code() == Some(Code::BudgetExceededWalltime) => diag.note(format!(
                        "the whole request has {ms} ms, and so has this call; --max-wall-ms-per-request sets that limit"
                    )),
                    _ => diag,
                })
            }
        }
    }
}

/// Bytes of arena and output of a call.
fn caps(profile: &WasmProfile, settings: &Settings) -> Result<(u32, u32), Vec<Diag>> {
    let arena_cap = settings.arena_cap_bytes.unwrap_or(profile.defaults.arena_cap_bytes);
    let max_output = settings.max_output_bytes.unwrap_or(profile.defaults.max_output_bytes);
    let Ok(arena_cap) = u32::try_from(arena_cap) else {
        let message = format!(
            "an arena of {arena_cap} bytes is more than a 32-bit module can address; give at most {}",
            u32::MAX
        );
        return Err(vec![Diag::new(Code::ArenaCapTooLarge, message)]);
    };
    Ok((arena_cap, u32::try_from(max_output).unwrap_or(u32::MAX)))
}

/// A diagnostic under the code of a command, unless it tells of a limit: limits have codes of their
/// own, which decide the exit code.
fn limit_or(diag: Diag, code: Code) -> Diag {
    let own =
        |known: Code| known == Code::WasmtimeEngineFailed || known.as_str().starts_with("X07WASM_BUDGET_EXCEEDED_");
    if diag.code().is_some_and(own) {
        return diag;
    }
    let old = diag.build();
    let mut renamed = Diag::new(code, old.message);
    for (key, value) in old.data.into_iter().flatten() {
        renamed = renamed.data(&key, value);
    }
    for note in old.notes.into_iter().flatten() {
        renamed = renamed.note(note);
    }
    if let Some(Location::X07ast(place)) = &old.loc {
        renamed = renamed.at_node(&place.ptr);
    }
    renamed.data("cause", old.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_keep_their_codes_and_all_else_gets_that_of_the_command() {
        let kept = limit_or(Diag::new(Code::BudgetExceededCpuFuel, "m"), Code::HttpReducerCallFailed);
        assert_eq!(kept.code(), Some(Code::BudgetExceededCpuFuel));
        let trap = Diag::new(Code::RunFailed, "trapped").data("trap", "t").at_node("/solve").note("n");
        let renamed = limit_or(trap, Code::HttpReducerCallFailed).build();
        assert_eq!((renamed.code.as_str(), renamed.message.as_str()), ("X07WASM_HTTP_REDUCER_CALL_FAILED", "trapped"));
        let data = renamed.data.expect("data");
        assert_eq!((data["trap"].as_str(), data["cause"].as_str()), (Some("t"), Some("X07WASM_RUN_FAILED")));
        assert!(matches!(renamed.loc, Some(Location::X07ast(place)) if place.ptr == "/solve"));
        assert_eq!(renamed.notes.map(|notes| notes.len()), Some(1));
    }
}
