//! What a component wrote: into files, into the report, or on to the streams of this process.

use super::inputs::without_mark;
use crate::contract::files::{WriteError, create_folder, shown};
use crate::contract::path::same_file;
use crate::engine::component::CommandOutcome;
use crate::report::{Code, Context, Diag};
use crate::solve::input::blob;
use std::path::Path;
use x07_wasm_contracts::cli::ComponentRunArgs;
use x07_wasm_contracts::types::{BlobRef, ComponentRunReportResult};

/// Outputs replace what stands in their place, so they must not stand in the place of an input or
/// of each other.
///
/// # Errors
/// The output that does.
pub fn check(args: &ComponentRunArgs) -> Result<(), Diag> {
    let stdin = args.stdin.as_deref().map(without_mark);
    let inputs = [Some(args.component.as_path()), stdin.as_deref()];
    let outputs = [("--stdout-out", args.stdout_out.as_deref()), ("--stderr-out", args.stderr_out.as_deref())];
    let wrong = |message: String| Err(Diag::new(Code::CliArgsInvalid, message).data("stage", "outputs"));
    for (option, path) in outputs {
        let Some(path) = path else { continue };
        if inputs.into_iter().flatten().any(|input| same_file(path, input)) {
            return wrong(format!("{option} would replace {}, which is an input; give another path", shown(path)));
        }
    }
    match (&args.stdout_out, &args.stderr_out) {
        (Some(one), Some(other)) if same_file(one, other) => {
            wrong(format!("--stdout-out and --stderr-out are both {}; give two paths", shown(one)))
        }
        _ => Ok(()),
    }
}

/// Hands over what was written, however the run ended.
pub fn hand_over(
    args: &ComponentRunArgs,
    context: &mut Context,
    ended: &CommandOutcome,
    result: &mut ComponentRunReportResult,
) {
    result.stdout = blob(&ended.stdout);
    result.stderr = blob(&ended.stderr);
    let written = keep(context, args.stdout_out.as_deref(), &ended.stdout, &mut result.stdout);
    let written = written.map_err(|e| (Code::ComponentRunStdoutWriteFailed, "standard output", e));
    let other = keep(context, args.stderr_out.as_deref(), &ended.stderr, &mut result.stderr);
    let other = other.map_err(|e| (Code::ComponentRunStderrWriteFailed, "standard error", e));
    for (code, what, error) in [written.err(), other.err()].into_iter().flatten() {
        let message = format!("the bytes of {what} cannot be written: {error}; give another path");
        context.push(Diag::new(code, message));
    }
    if context.json {
        return;
    }
    if args.stdout_out.is_none() {
        context.stdout.clone_from(&ended.stdout);
    }
    if args.stderr_out.is_none() && !ended.stderr.is_empty() {
        context.notes.push(visible(&ended.stderr));
    }
}

fn keep(context: &mut Context, path: Option<&Path>, bytes: &[u8], blob: &mut BlobRef) -> Result<(), WriteError> {
    let Some(path) = path else { return Ok(()) };
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        create_folder(folder)?;
    }
    context.files.write(path, bytes)?;
    blob.path = Some(shown(path));
    Ok(())
}

/// Text of a guest for a terminal: what would steer it is shown instead of sent.
fn visible(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for c in String::from_utf8_lossy(bytes).trim_end_matches('\n').chars() {
        if c.is_control() && !matches!(c, '\n' | '\t') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_shown() {
        assert_eq!(visible(b"one\n\ttwo\n\n"), "one\n\ttwo");
        assert_eq!(visible(b"\x1b[2J\r\x07"), "\\u{1b}[2J\\r\\u{7}");
        assert_eq!(visible(b"\xff"), "\u{fffd}");
    }
}
