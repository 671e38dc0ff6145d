//! A module of a project that passed its checks, and what a report and a manifest say of it: what
//! `build` and `component build` share.

use super::checks::{self, Rules};
use super::manifest::{self, Made};
use super::produce::{self, Backend, Produced, Request};
use crate::contract::files::shown;
use crate::report::{Code, Context, Diag, Stage};
use crate::wasm::REQUIRED_EXPORTS;
use crate::wasm_profile::Selected;
use std::path::Path;
use x07_wasm_contracts::types::{
    BuildReportFlagsCodegenBackend, BuildReportResult, FileDigest, MemoryPlan, ProfileRef, WasmArtifact,
    WasmProfileCodegenBackend,
};

/// A module that passed its checks and is not yet on disk under its own name.
#[derive(Debug)]
pub struct Checked {
    /// The module, and how it was made.
    pub produced: Produced,
    backend: Backend,
    profile: ProfileRef,
}

/// The code generator that a profile asks for.
#[must_use]
pub fn backend_of(selected: &Selected) -> Backend {
    match selected.profile.codegen_backend {
        WasmProfileCodegenBackend::CToolchainV1 => Backend::C,
        WasmProfileCodegenBackend::NativeX07WasmV1 => Backend::Native,
    }
}

/// Fills the result with what is known before anything is made.
pub fn describe(result: &mut BuildReportResult, selected: &Selected, backend: Backend, emit_dir: &Path) {
    result.exports.required = REQUIRED_EXPORTS.map(str::to_owned).to_vec();
    result.profile = ProfileRef { id: selected.profile.id.clone(), v: selected.profile.v };
    result.emit.emit_dir = shown(emit_dir);
    result.flags.codegen_backend = match backend {
        Backend::Native => BuildReportFlagsCodegenBackend::NativeX07WasmV1,
        Backend::C => BuildReportFlagsCodegenBackend::CToolchainV1,
    };
    result.flags.clang = Some(if backend == Backend::C { selected.profile.clang.cflags.clone() } else { Vec::new() });
    result.flags.wasm_ld = Some(selected.profile.wasm_ld.ldflags.clone());
}

/// Makes a module and checks it; what is found out about it goes into the result, problems into the
/// context. With `exports`, a missing export is an error.
pub fn make(
    context: &mut Context,
    request: &Request<'_>,
    exports: bool,
    result: &mut BuildReportResult,
) -> Option<Checked> {
    let produced = produce::produce(context, request)?;
    result.emit.c_path = produced.c_path.as_deref().map(shown).unwrap_or_default();
    result.emit.h_path = produced.h_path.as_deref().map(shown);
    let unparsable = match request.backend {
        Backend::Native => Code::NativeBackendWasmInvalid,
        Backend::C => Code::WasmInspectFailed,
    };
    let rules = Rules { stage: Stage::Link, unparsable, exports };
    let mut problems = Vec::new();
    let before = context.errors();
    let checked =
        checks::module(&produced.wasm, &shown(request.wasm), &request.profile.wasm_ld.ldflags, rules, &mut problems);
    match checked {
        Ok(facts) => {
            result.memory = facts.memory;
            result.exports.found = facts.found;
            result.exports.missing = facts.missing.into_iter().map(str::to_owned).collect();
        }
        Err(problem) if request.backend == Backend::Native => context.push(problem.stage(Stage::Codegen)),
        Err(problem) => context.push(problem),
    }
    context.extend(problems);
    if context.errors() > before {
        return None;
    }
    let profile = ProfileRef { id: request.profile.id.clone(), v: request.profile.v };
    Some(Checked { produced, backend: request.backend, profile })
}

impl Checked {
    /// The artifact manifest of the module at its place.
    ///
    /// # Errors
    /// A mistake of ours: it does not fit the contract.
    pub fn artifact(&self, wasm: FileDigest, memory: MemoryPlan) -> Result<WasmArtifact, Diag> {
        let made = Made {
            name: self.produced.name.clone(),
            backend: self.backend.as_str(),
            profile: self.profile.clone(),
            wasm,
            memory,
            toolchain: self.produced.toolchain.clone(),
            repro: self.produced.repro.clone(),
        };
        manifest::artifact(made)
            .map_err(|e| Diag::new(Code::InternalError, format!("the artifact manifest cannot be built: {e}")))
    }
}
