//! `http test`: traces of a reducer, replayed.

use crate::commands::{Handler, ResultOf};
use crate::contract::files::shown;
use crate::http::reducer::incident::{self, Incident, Written};
use crate::http::reducer::replay::{self, Case, Verdict};
use crate::http::reducer::runner::{Module, Runner, RunnerCodes, Settings};
use crate::report::{Code, Context, Diag, emit};
use crate::solve::limits::Overrides;
use crate::wasm_profile::Selection;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::cli::HttpTestArgs;
use x07_wasm_contracts::types::{FileDigest, HttpTestReport, HttpTestReportCaseResult, HttpTestReportResult};

const CODES: RunnerCodes = RunnerCodes {
    read: Code::HttpTestComponentReadFailed,
    load: Code::HttpTestComponentLoadFailed,
    call: Code::HttpTestCallFailed,
};

impl Handler for HttpTestArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<HttpTestReport>();
        result.cases.clear();
        if self.trace.is_empty() {
            let message = "there is nothing to replay; give at least one --trace";
            context.push(Diag::new(Code::HttpTestTraceMissing, message));
        }
        let Some(runner) = runner(&self, context, &mut result) else { return result };
        let mut traces: Vec<&PathBuf> = self.trace.iter().collect();
        traces.sort();
        traces.dedup();
        for path in traces {
            let case = case(&self, context, &runner, path, &result.component);
            if case.ok {
                result.cases_ok += 1;
            } else {
                result.cases_failed += 1;
            }
            let word = if case.ok { "ok    " } else { "failed" };
            context.stdout.extend(format!("{word}  {}\n", case.name).into_bytes());
            result.cases.push(case);
        }
        let noun = if result.cases.len() == 1 { "case" } else { "cases" };
        let summary =
            format!("{} {noun}: {} ok, {} failed\n", result.cases.len(), result.cases_ok, result.cases_failed);
        context.stdout.extend(summary.into_bytes());
        result
    }
}

fn runner(args: &HttpTestArgs, context: &mut Context, result: &mut HttpTestReportResult) -> Option<Runner> {
    let mut problems = Vec::new();
    let module = Module::read(&mut context.files, &args.component, CODES, &mut problems);
    result.component = module.digest.clone();
    context.extend(problems);
    let settings = Settings {
        overrides: Overrides {
            fuel: args.max_fuel,
            memory_bytes: args.max_memory_bytes,
            table_elements: args.max_table_elements,
            wasm_stack_bytes: args.max_wasm_stack_bytes,
            wall_ms: Some(args.max_wall_ms),
        },
        arena_cap_bytes: args.arena_cap_bytes,
        max_output_bytes: args.max_output_bytes,
        code_cache: args.code_cache,
        concurrency: 1,
        request_ms: None,
    };
    let selection = Selection { id: args.profile.as_deref(), file: args.profile_file.as_deref(), index: &args.index };
    let prepared = Runner::prepare(&mut context.files, &module, &selection, &settings, CODES);
    if let Some(limits) = prepared.limits {
        result.runtime_limits = limits;
    }
    context.extend(prepared.diags);
    prepared.runner.filter(|_| !context.failed())
}

fn case(
    args: &HttpTestArgs,
    context: &mut Context,
    runner: &Runner,
    path: &Path,
    component: &FileDigest,
) -> HttpTestReportCaseResult {
    let mut report = HttpTestReportCaseResult {
        name: replay::name(path),
        ok: false,
        trace_path: Some(shown(path)),
        incident_dir: None,
    };
    let mut problems = Vec::new();
    let case = match replay::open(&mut context.files, path, &mut problems) {
        Ok(case) => case,
        Err(found) => {
            context.extend(found);
            return report;
        }
    };
    let valid = problems.is_empty();
    context.extend(problems);
    let verdict = case.replay(runner);
    report.ok = valid && verdict.problems.is_empty();
    report.incident_dir = incident(args, context, component, &case, &verdict);
    context.extend(verdict.problems);
    report
}

/// Leaves an incident behind if a step failed; yields its folder.
fn incident(
    args: &HttpTestArgs,
    context: &mut Context,
    component: &FileDigest,
    case: &Case,
    verdict: &Verdict,
) -> Option<String> {
    let (failure, expected) = verdict.failed.as_ref()?;
    let made = Incident {
        component,
        case: &case.name,
        trace: case.trace.clone(),
        steps_left_out: 0,
        failure,
        expected_frame: Some(expected),
    };
    let id = incident::id("http-test", &case.sha256, &failure.step.to_string());
    let folder = args.incidents_dir.join("http-test").join(id);
    match made.write(&folder, Code::HttpTestIncidentDirCreateFailed) {
        Ok(Written { folder, file }) => {
            context.files.record_output(file);
            context.notes.push(format!("incident: {}", folder.display()));
            Some(shown(&folder))
        }
        Err(lost) => {
            context.push(lost);
            None
        }
    }
}
