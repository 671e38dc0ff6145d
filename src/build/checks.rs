//! A module against the solve ABI and against the memory that a profile asks for.

use crate::report::{Code, Diag, Stage};
use crate::wasm::{self, Inspection, LinkPlan, PlanMismatch, REQUIRED_EXPORTS};
use x07_wasm_contracts::types::MemoryPlan;

/// What a module was found to be.
#[derive(Debug)]
pub struct Facts {
    /// The exports it has, sorted.
    pub found: Vec<String>,
    /// The exports it lacks.
    pub missing: Vec<&'static str>,
    /// Its memory, and the stack that the flags ask for.
    pub memory: MemoryPlan,
}

/// How strictly to look.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The stage that diagnostics name.
    pub stage: Stage,
    /// The code for a module that cannot be parsed.
    pub unparsable: Code,
    /// Whether missing exports are errors.
    pub exports: bool,
}

/// Inspects a module and compares it with the ABI and the linker flags of a profile.
///
/// # Errors
/// The diagnostic of a module that cannot be parsed.
pub fn module(
    bytes: &[u8],
    path: &str,
    ldflags: &[String],
    rules: Rules,
    problems: &mut Vec<Diag>,
) -> Result<Facts, Diag> {
    let inspection = wasm::inspect(bytes).map_err(|e| {
        Diag::new(rules.unparsable, format!("{path} is not a wasm module that can be used: {e}"))
            .stage(rules.stage)
            .data("error", e.to_string())
            .data("path", path)
    })?;
    let (plan, _) = LinkPlan::parse(ldflags);
    let missing = wasm::missing_exports(&inspection);
    if rules.exports {
        for name in &missing {
            problems.push(
                Diag::new(
                    Code::ExportsMissing,
                    format!("{path} does not export {name}; a solve module exports {}", REQUIRED_EXPORTS.join(", ")),
                )
                .stage(rules.stage)
                .data("export", *name),
            );
        }
    }
    for mismatch in wasm::check(&plan, &inspection) {
        let code = match mismatch {
            PlanMismatch::NoMemory => Code::WasmNoMemory,
            PlanMismatch::InitialMismatch { .. } => Code::MemoryInitialMismatch,
            PlanMismatch::MaxMismatch { .. } => Code::MemoryMaxMismatch,
            PlanMismatch::Growable { .. } => Code::MemoryGrowable,
        };
        let cure = if code == Code::WasmNoMemory {
            "build it again"
        } else {
            "name the profile that it was built with, or build it again"
        };
        problems.push(Diag::new(code, format!("{path}: {mismatch}; {cure}")).stage(rules.stage));
    }
    Ok(Facts { memory: memory(&plan, &inspection), found: inspection.exports, missing })
}

/// The memory plan of a report: what the module has, and the stack that the flags ask for.
fn memory(plan: &LinkPlan, inspection: &Inspection) -> MemoryPlan {
    let facts = inspection.memory;
    MemoryPlan {
        stack_first: plan.stack_first,
        stack_size_bytes: plan.stack_size_bytes,
        initial_memory_bytes: facts.map_or(0, |m| m.initial_bytes),
        max_memory_bytes: facts.map_or(0, |m| m.stated_max_bytes()),
        growable_memory: facts.is_some_and(|m| m.growable()),
    }
}
