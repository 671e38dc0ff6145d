//! Runs the in-process compiler on a project.

use crate::compiler::emit::Target;
use crate::compiler::problem::{PatchOp as CompilerPatch, Problem};
use crate::compiler::{self, Options};
use crate::contract::files::Files;
use crate::project::{Project, ProjectSource};
use crate::report::diagnostic::clip;
use crate::report::{Code, Diag};
use crate::wasm_profile::memory_sizes;
use serde_json::Value;
use x07_wasm_contracts::types::{PatchAdd, PatchOp, PatchRemove, PatchReplace, WasmProfile};

/// Compiles a project in memory; with `strip`, without what only explains the module. The files
/// that it read are recorded.
///
/// # Errors
/// Every error of the program; warnings come with success, too.
pub fn project(
    files: &mut Files,
    project: &Project,
    profile: &WasmProfile,
    strip: bool,
    notices: &mut Vec<Diag>,
) -> Result<Vec<u8>, Vec<Diag>> {
    let target = Target { strip, ..target(profile)? };
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
#[must_use]
pub fn options() -> Options {
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
/// Why no module can have that memory; a profile that was selected has been checked for it.
pub fn target(profile: &WasmProfile) -> Result<Target, Vec<Diag>> {
    let wrong = |text: &String| Diag::new(Code::ProfileLoadFailed, format!("wasm profile {}: {text}", profile.id));
    let sizes = memory_sizes(profile).map_err(|problems| problems.iter().map(wrong).collect::<Vec<_>>())?;
    let producer = format!("x07-wasm {}", env!("CARGO_PKG_VERSION"));
    Ok(Target {
        initial_memory_bytes: sizes.initial,
        max_memory_bytes: sizes.max,
        static_base: 0,
        producer,
        strip: false,
    })
}

/// A problem of a program as a diagnostic.
#[must_use]
pub fn diagnostic(problem: &Problem) -> Diag {
    let mut diag = Diag::new(problem.code, problem.message.clone()).severity(problem.severity).stage(problem.stage);
    for note in &problem.notes {
        diag = diag.note(note.clone());
    }
    let text = |text: &Option<String>| text.as_ref().map(|t| short(Value::from(t.as_str())));
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
    // Last, because a fact of the rule (the module that is missing) says more than the place does.
    for (key, value) in &problem.data {
        diag = diag.data(key, short(value.clone()));
    }
    if let Some(fix) = &problem.fix {
        diag = diag.fix(&fix.note, fix.patch.iter().map(patch).collect());
    }
    if problem.file.is_some() { diag.at_node(&problem.pointer) } else { diag }
}

/// Names of programs may be as long as their files; a report is to be read.
fn short(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(clip(text, 512)),
        Value::Array(items) => Value::Array(items.into_iter().map(short).collect()),
        other => other,
    }
}

fn patch(op: &CompilerPatch) -> PatchOp {
    match op.clone() {
        CompilerPatch::Add { path, value } => PatchAdd { op: "add".to_owned(), path, value }.into(),
        CompilerPatch::Replace { path, value } => PatchReplace { op: "replace".to_owned(), path, value }.into(),
        CompilerPatch::Remove { path } => PatchRemove { op: "remove".to_owned(), path }.into(),
    }
}
