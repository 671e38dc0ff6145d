//! The report of a step that could be a command of its own, for commands that leave such reports
//! among their outputs.

use super::context::Context;
use x07_wasm_contracts::contract::{Envelope, Report};
use x07_wasm_contracts::types::{Diagnostic, FileDigest, Meta};

/// A step that succeeded.
#[derive(Debug)]
pub struct Step {
    /// The command line that does the same.
    pub argv: Vec<String>,
    /// What it read.
    pub inputs: Vec<FileDigest>,
    /// What it wrote, or will have written once the command is done.
    pub outputs: Vec<FileDigest>,
    /// What was remarked on the way; no errors.
    pub diagnostics: Vec<Diagnostic>,
}

/// The report of a step. It is an artifact: it says nothing about the time and the folder, so that the
/// same inputs give the same bytes.
#[must_use]
pub fn report<R: Report>(context: &Context, step: Step, result: R::Result) -> R {
    R::assemble(Envelope {
        ok: true,
        exit_code: 0,
        diagnostics: step.diagnostics,
        meta: Meta {
            argv: step.argv,
            cwd: ".".to_owned(),
            elapsed_ms: 0,
            inputs: step.inputs,
            outputs: step.outputs,
            nondeterminism: context.nondeterminism.clone(),
            tool: context.tool.clone(),
        },
        result,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{digest, files};
    use crate::report::emit;
    use std::time::Instant;
    use x07_wasm_contracts::types::ComponentComposeReport;

    #[test]
    fn a_step_has_a_valid_report_of_its_own() {
        let context = Context::new(vec!["x07-wasm".to_owned()], true, Instant::now());
        let step = Step {
            argv: vec!["x07-wasm".to_owned(), "component".to_owned(), "compose".to_owned()],
            inputs: vec![digest::of("solve.component.wasm", b"s")],
            outputs: vec![digest::of("out.wasm", b"o")],
            diagnostics: Vec::new(),
        };
        let report = report::<ComponentComposeReport>(&context, step, emit::placeholder::<ComponentComposeReport>());
        assert!(report.ok && report.meta.argv.len() == 3);
        assert!(files::encode(&report).is_ok());
    }
}
