//! Runs the in-process compiler on a project.

use crate::compiler::emit::Target;
use crate::compiler::problem::{PatchOp as CompilerPatch, Problem};
use crate::compiler::{self, Options};
use crate::contract::files::Files;
use crate::project::{Project, ProjectSource};
use crate::report::{Code, Diag};
use crate::wasm::{LinkPlan, PAGE_BYTES};
use serde_json::Value;
use x07_wasm_contracts::types::{PatchAdd, PatchOp, PatchRemove, PatchReplace, WasmProfile};

/// Memory of a module whose profile says nothing: 16 MiB.
const DEFAULT_MEMORY_BYTES: u64 = 16 << 20;

/// Compiles a project in memory. The files that it read are recorded.
///
/// # Errors
/// Every error of the program; warnings come with success, too.
pub fn project(
    files: &mut Files,
    project: &Project,
    profile: &WasmProfile,
    notices: &mut Vec<Diag>,
) -> Result<Vec<u8>, Vec<Diag>> {
    let target = target(profile).map_err(|problem| vec![problem])?;
    let source = ProjectSource::new(project);
    let compiled = compiler::compile(&source, &options(), &target);
    source.into_read().into_iter().for_each(|digest| files.record_input(digest));
    let diagnostics: Vec<Diag> = compiled.problems.iter().map(diagnostic).collect();
    match compiled.wasm {
        Some(wasm) => {
            notices.extend(diagnostics);
            Ok(wasm)
        }
        None => Err(diagnostics),
    }
}

/// The compiler's limits, with the documented environment variables applied. A variable that is
/// not a positive number counts as absent.
fn options() -> Options {
    let limit = |name: &str, default: usize| {
        std::env::var(name).ok().and_then(|v| v.trim().parse().ok()).filter(|n| *n > 0).unwrap_or(default)
    };
    let default = Options::default();
    Options {
        max_entry_bytes: limit("X07_MAX_ENTRY_BYTES", default.max_entry_bytes),
        max_ast_nodes: limit("X07_MAX_AST_NODES", default.max_ast_nodes),
        max_locals: limit("X07_MAX_LOCALS", default.max_locals),
    }
}

/// The memory that a profile's linker flags ask for, as the compiler wants it.
///
/// # Errors
/// Why no module can have that memory.
fn target(profile: &WasmProfile) -> Result<Target, Diag> {
    let (plan, problems) = LinkPlan::parse(&profile.wasm_ld.ldflags);
    let wrong = |text: String| Diag::new(Code::ProfileLoadFailed, format!("wasm profile {}: {text}", profile.id));
    if let Some(problem) = problems.first() {
        return Err(wrong(problem.to_string()));
    }
    let initial = plan.initial.unwrap_or(DEFAULT_MEMORY_BYTES);
    let max = if plan.no_growable { plan.max.unwrap_or(initial).min(initial) } else { plan.max.unwrap_or(initial) };
    for (flag, bytes) in [("--initial-memory", initial), ("--max-memory", max)] {
        if bytes % PAGE_BYTES != 0 {
            return Err(wrong(format!("{flag}={bytes} is not a multiple of {PAGE_BYTES}")));
        }
    }
    if max < initial {
        return Err(wrong(format!("--max-memory={max} is less than the initial memory of {initial} bytes")));
    }
    match (u32::try_from(initial), u32::try_from(max)) {
        (Ok(initial_memory_bytes), Ok(max_memory_bytes)) => Ok(Target {
            initial_memory_bytes,
            max_memory_bytes,
            producer: format!("x07-wasm {}", env!("CARGO_PKG_VERSION")),
        }),
        _ => Err(wrong(format!("a memory of {max} bytes is more than a 32-bit module can have"))),
    }
}

/// A problem of a program as a diagnostic.
#[must_use]
pub fn diagnostic(problem: &Problem) -> Diag {
    let mut diag = Diag::new(problem.code, problem.message.clone()).severity(problem.severity).stage(problem.stage);
    for note in &problem.notes {
        diag = diag.note(note.clone());
    }
    for (key, value) in &problem.data {
        diag = diag.data(key, value.clone());
    }
    let text = |text: &Option<String>| text.as_ref().map(|t| Value::from(t.as_str()));
    for (key, value) in
        [("module", text(&problem.module)), ("function", text(&problem.function)), ("file", text(&problem.file))]
    {
        if let Some(value) = value {
            diag = diag.data(key, value);
        }
    }
    if let Some(position) = problem.position {
        diag = diag.data("line", position.line).data("column", position.column).data("offset", position.offset);
    }
    if let Some(fix) = &problem.fix {
        diag = diag.fix(&fix.note, fix.patch.iter().map(patch).collect());
    }
    if problem.file.is_some() { diag.at_node(&problem.pointer) } else { diag }
}

fn patch(op: &CompilerPatch) -> PatchOp {
    match op.clone() {
        CompilerPatch::Add { path, value } => PatchAdd { op: "add".to_owned(), path, value }.into(),
        CompilerPatch::Replace { path, value } => PatchReplace { op: "replace".to_owned(), path, value }.into(),
        CompilerPatch::Remove { path } => PatchRemove { op: "remove".to_owned(), path }.into(),
    }
}
