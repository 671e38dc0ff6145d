//! `check`: every problem of a project's program, without building it.

use super::{Handler, ResultOf};
use crate::build::compile;
use crate::compiler::{self, Checked};
use crate::contract::digest;
use crate::contract::files::shown;
use crate::project::{self, ProjectSource, Purpose};
use crate::report::{Context, Severity, emit};
use std::collections::BTreeMap;
use x07_wasm_contracts::cli::CheckArgs;
use x07_wasm_contracts::types::{CheckReport, CheckReportModule};

impl Handler for CheckArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<CheckReport>();
        result.project = digest::unread(shown(&self.project));
        let before = context.files.inputs().len();
        let opened = project::open(&mut context.files, &self.project, Purpose::Program);
        if let Some(manifest) = context.files.inputs().get(before) {
            // The manifest is what is read first.
            result.project = manifest.clone();
        }
        let project = match opened {
            Ok(project) => project,
            Err(problems) => {
                context.extend(problems);
                result.errors = number(context.errors());
                return result;
            }
        };
        let source = ProjectSource::new(&project);
        let Checked { program, problems, modules } = compiler::check(&source, &compile::options());
        let read = source.into_read();
        let digests: BTreeMap<String, String> = read.iter().map(|d| (d.path.clone(), d.sha256.clone())).collect();
        result.modules = modules
            .into_iter()
            .map(|module| CheckReportModule {
                sha256: digests.get(&module.path).cloned(),
                id: module.id,
                path: module.path,
                bytes_len: number(module.bytes),
            })
            .collect();
        read.into_iter().for_each(|digest| context.files.record_input(digest));
        for problem in &problems {
            let diag = compile::diagnostic(problem);
            let raised = self.strict && problem.severity == Severity::Warning;
            context.push(if raised { diag.severity(Severity::Error) } else { diag });
        }
        result.errors = number(context.errors());
        result.warnings = number(context.diagnostics().filter(|d| d.severity == Severity::Warning).count());
        result.functions = program.map(|program| number(program.functions.len()));
        context.notes.push(summary(result.errors, result.warnings, result.modules.len(), result.functions));
        result
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// What people read last.
fn summary(errors: u64, warnings: u64, modules: usize, functions: Option<u64>) -> String {
    let many = |count: u64, noun: &str| if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") };
    let mut parts = vec![many(number(modules), "module")];
    parts.extend(functions.map(|count| many(count, "function")));
    if warnings > 0 {
        parts.push(many(warnings, "warning"));
    }
    if errors > 0 {
        format!("{} in {}", many(errors, "error"), parts.join(", "))
    } else {
        format!("ok: {}", parts.join(", "))
    }
}
