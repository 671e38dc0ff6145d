//! `component targets`: whether a component fits a world.

use crate::commands::{Handler, ResultOf};
use crate::component::targets;
use crate::contract::digest;
use crate::contract::files::{MAX_ARTIFACT_BYTES, MAX_DOCUMENT_BYTES, shown};
use crate::contract::path::without_dots;
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Context, Diag, emit};
use crate::wit::{self, Bundle};
use std::path::Path;
use x07_wasm_contracts::cli::ComponentTargetsArgs;
use x07_wasm_contracts::types::{ComponentTargetsReport, ComponentTargetsReportResult};

/// Longest name of a world that a report can carry, in characters.
const MAX_WORLD: usize = 128;
/// Differences that a diagnostic lists; the report has all of them.
const MAX_NOTES: usize = 50;

impl Handler for ComponentTargetsArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<ComponentTargetsReport>();
        result.component = digest::unread(shown(&self.component));
        result.wit = digest::unread(shown(&self.wit));
        result.wac_exit_code = 1;
        let length = self.world.chars().count();
        if length == 0 || length > MAX_WORLD {
            let message = format!("--world must have 1 to {MAX_WORLD} characters, and it has {length}; give its name");
            context.push(Diag::new(Code::CliArgsInvalid, message).data("stage", "world"));
            return result;
        }
        result.world.clone_from(&self.world);
        compare(&self, context, &mut result);
        context.files.list_inputs_once();
        result
    }
}

fn compare(args: &ComponentTargetsArgs, context: &mut Context, result: &mut ComponentTargetsReportResult) {
    let component = match context.files.read(&args.component, MAX_ARTIFACT_BYTES) {
        Ok(component) => component,
        Err(error) => {
            context.push(unreadable(Code::ComponentTargetsComponentReadFailed, "the component", &error));
            return;
        }
    };
    result.component = digest::of(shown(&args.component), &component);
    let Some(bundle) = bundle(args, context, result) else { return };
    match targets::check(&component, &bundle, &args.world) {
        Ok(lines) if lines.is_empty() => {
            result.wac_exit_code = 0;
            context.notes.push(format!("ok: {} fits {}/{}", shown(&args.component), bundle.id, args.world));
        }
        Ok(lines) => {
            result.stderr = text(&lines);
            context.push(different(&args.component, &bundle, &args.world, &lines));
        }
        Err(error) => {
            let message =
                format!("{} cannot be checked against {}/{}: {error}", shown(&args.component), bundle.id, args.world);
            result.stderr = text(std::slice::from_ref(&message));
            context.push(Diag::new(Code::WacTargetsFailed, message).data("error", error.to_string()));
        }
    }
}

/// The package that has the world, with what it depends on.
fn bundle(
    args: &ComponentTargetsArgs,
    context: &mut Context,
    result: &mut ComponentTargetsReportResult,
) -> Option<Bundle> {
    // A path that does not exist may be one of the packages that the tool carries.
    if args.wit.exists() {
        match context.files.read(&args.wit, MAX_DOCUMENT_BYTES) {
            Ok(bytes) => result.wit = digest::of(shown(&args.wit), &bytes),
            Err(error) => {
                context.push(unreadable(Code::ComponentTargetsWitReadFailed, "the WIT file", &error));
                return None;
            }
        }
    }
    let mut notices = Vec::new();
    let opened = wit::open(&mut context.files, Path::new(wit::DEFAULT_INDEX), &mut notices);
    let bundle = opened
        .and_then(|registry| wit::bundle_of_file(&mut context.files, &registry, &args.wit, args.strict, &mut notices));
    context.extend(notices);
    let carried = format!("builtin:{}", shown(&without_dots(&args.wit)));
    if let Some(digest) = context.files.inputs().iter().find(|input| input.path == carried) {
        result.wit = digest.clone();
    }
    bundle.map_err(|problems| context.extend(problems)).ok()
}

/// The diagnostic of a component that does not fit.
fn different(component: &Path, bundle: &Bundle, world: &str, lines: &[String]) -> Diag {
    let first = lines.first().map(String::as_str).unwrap_or_default();
    let more = if lines.len() > 1 { format!(" ({} more)", lines.len() - 1) } else { String::new() };
    let message = format!("{} does not fit {}/{world}: {first}{more}", shown(component), bundle.id);
    let diag = Diag::new(Code::WacTargetsFailed, message).data("error", text(lines));
    lines.iter().skip(1).take(MAX_NOTES).fold(diag, |diag, line| diag.note(line.clone()))
}

/// Lines as a tool would print them.
fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}
