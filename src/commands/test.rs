//! `test`: the tests of a project, each compiled to a module and run within limits.

use super::{Handler, ResultOf};
use crate::build::compile;
use crate::contract::digest;
use crate::contract::files::{MAX_ARTIFACT_BYTES, shown};
use crate::project::Project;
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Context, Diag, emit};
use crate::testing::manifest::{self, InputSource, Test};
use crate::testing::program::Build;
use crate::testing::runner::{Job, Plan, skipped};
use crate::testing::select::{Kinds, Selection};
use crate::testing::verdict::{Outcome, Verdict};
use crate::testing::{present, roots};
use crate::wasm_profile::{self, DEFAULT_INDEX, Selected};
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;
use x07_wasm_contracts::cli::TestArgs;
use x07_wasm_contracts::types::{ProfileRef, TestReport, TestReportResult};

/// Most threads that run tests.
const MAX_JOBS: usize = 256;

impl Handler for TestArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<TestReport>();
        result.listed = self.list;
        if let Err(problems) = tests(&self, context, &mut result) {
            context.extend(problems);
        }
        result
    }
}

/// Where the manifest of the tests is: as told, else in the project's folder.
fn manifest_path(args: &TestArgs) -> PathBuf {
    let folder = args.project.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    args.manifest.clone().unwrap_or_else(|| folder.join("tests").join("tests.json"))
}

/// Does the work of the command; problems that end it are handed back.
fn tests(args: &TestArgs, context: &mut Context, result: &mut TestReportResult) -> Result<(), Vec<Diag>> {
    let at_least_one = |option: &str, given: Option<u32>| {
        let message = format!("{option} 0 runs nothing; give at least 1");
        if given == Some(0) {
            Err(vec![Diag::new(Code::CliArgsInvalid, message).data("stage", "limits")])
        } else {
            Ok(())
        }
    };
    at_least_one("--jobs", args.jobs)?;
    at_least_one("--repeat", Some(args.repeat))?;
    let path = manifest_path(args);
    result.manifest = digest::unread(shown(&path));
    let manifest = manifest::read(&mut context.files, &path)?;
    result.manifest = manifest.digest.clone();
    let kinds = if args.all {
        Kinds::All
    } else if args.pbt {
        Kinds::Property
    } else {
        Kinds::Single
    };
    let selection = Selection { filter: args.filter.as_deref(), exact: args.exact, kinds };
    let selected = selection.of(&manifest);
    result.summary = present::summary(manifest.tests.len(), &[]);
    if selected.is_empty() && !args.allow_empty {
        return Err(vec![none_selected(&path, manifest.tests.len(), args)]);
    }
    let verdicts: Vec<Verdict> = if args.list {
        selected.iter().map(|_| Verdict::of(Outcome::Listed)).collect()
    } else {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let project = roots::find(&mut context.files, &folder, args.project.as_deref(), &args.module_root)?;
        result.module_roots = project.roots.iter().map(|root| root_name(&root.folder)).collect();
        run(args, context, result, &project, &selected)?
    };
    result.tests = selected.iter().zip(&verdicts).map(|(test, verdict)| present::test(test, verdict)).collect();
    result.summary = present::summary(manifest.tests.len(), &result.tests);
    let mut lines: Vec<String> =
        selected.iter().zip(&verdicts).map(|(test, verdict)| present::line(test, verdict)).collect();
    if !args.list {
        lines.push(present::summary_line(&result.summary));
    }
    context.stdout = lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes();
    tell(context, verdicts);
    Ok(())
}

/// A folder as reports name it.
fn root_name(folder: &Path) -> String {
    if folder.as_os_str().is_empty() { ".".to_owned() } else { shown(folder) }
}

fn none_selected(path: &Path, total: usize, args: &TestArgs) -> Diag {
    let hint = if args.filter.is_some() {
        "correct --filter"
    } else if args.pbt {
        "leave out --pbt"
    } else if total > 0 {
        "add --all, for all of them are property tests"
    } else {
        "add tests"
    };
    let message = format!(
        "none of the {total} tests of {} is selected; {hint}, or say --allow-empty if that is meant",
        shown(path)
    );
    Diag::new(Code::TestNoneSelected, message).data("total", total)
}

/// Runs the selected tests.
fn run(
    args: &TestArgs,
    context: &mut Context,
    result: &mut TestReportResult,
    project: &Project,
    selected: &[&Test],
) -> Result<Vec<Verdict>, Vec<Diag>> {
    let profile = profile(context)?;
    result.profile = ProfileRef { id: profile.profile.id.clone(), v: profile.profile.v };
    let jobs = jobs(context, selected)?;
    let defaults = &profile.profile.defaults;
    let build = Build {
        project,
        options: compile::options(),
        target: compile::target(&profile.profile)?,
        arena_cap: u32::try_from(defaults.arena_cap_bytes).unwrap_or(u32::MAX),
        max_output: u32::try_from(defaults.max_output_bytes).unwrap_or(u32::MAX),
        repeat: args.repeat,
    };
    let total = selected.len();
    let show = move |done: usize| progress(done, total);
    let show: &(dyn Fn(usize) + Sync) = &show;
    // Progress is for somebody who waits before a terminal.
    let watched = !context.json && io::stderr().is_terminal();
    let plan = Plan {
        build,
        profile: &profile,
        max_fuel: args.max_fuel,
        jobs: threads(args.jobs),
        fail_fast: !args.no_fail_fast,
        progress: watched.then_some(show),
    };
    let mut notices = Vec::new();
    let verdicts = plan.run(&jobs, &mut notices);
    if watched {
        clear_progress();
    }
    context.extend(notices);
    verdicts
}

/// The default profile of the registry, whose memory and limits tests have.
fn profile(context: &mut Context) -> Result<Selected, Vec<Diag>> {
    let selection = wasm_profile::Selection { id: None, file: None, index: Path::new(DEFAULT_INDEX) };
    let mut notices = Vec::new();
    let selected = wasm_profile::select(&mut context.files, &selection, Code::ProfileLoadFailed, &mut notices);
    context.extend(notices);
    selected
}

/// The tests with their inputs; every file that cannot be read is a problem.
fn jobs<'t>(context: &mut Context, selected: &[&'t Test]) -> Result<Vec<Job<'t>>, Vec<Diag>> {
    let (mut jobs, mut problems) = (Vec::new(), Vec::new());
    for &test in selected {
        let input = match &test.input {
            InputSource::Bytes(bytes) => bytes.clone(),
            InputSource::File(_) if skipped(test).is_some() => Vec::new(),
            InputSource::File(path) => match context.files.read(path, MAX_ARTIFACT_BYTES) {
                Ok(bytes) => bytes,
                Err(error) => {
                    let what = format!("the input of the test {}", test.id);
                    problems.push(unreadable(Code::TestInputReadFailed, &what, &error).data("test", test.id.as_str()));
                    continue;
                }
            },
        };
        jobs.push(Job { test, input });
    }
    if problems.is_empty() { Ok(jobs) } else { Err(problems) }
}

/// How many tests run at the same time.
fn threads(told: Option<u32>) -> usize {
    let told = told.map(|n| usize::try_from(n).unwrap_or(MAX_JOBS));
    told.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get)).clamp(1, MAX_JOBS)
}

/// Files that were read and what is to be said, each once: tests share modules and their problems.
fn tell(context: &mut Context, verdicts: Vec<Verdict>) {
    let (mut files, mut said) = (BTreeSet::new(), BTreeSet::new());
    for verdict in verdicts {
        for digest in verdict.reads {
            if files.insert((digest.path.clone(), digest.sha256.clone())) {
                context.files.record_input(digest);
            }
        }
        for diag in verdict.problems.into_iter().chain(verdict.diags) {
            // As text, because a diagnostic has no order.
            if said.insert(serde_json::to_string(&diag.clone().build()).unwrap_or_default()) {
                context.push(diag);
            }
        }
    }
}

fn progress(done: usize, total: usize) {
    let mut stream = io::stderr().lock();
    // A closed stream is nobody's problem.
    let _ = write!(stream, "\r{done} of {total} tests").and_then(|()| stream.flush());
}

/// Takes the line of the progress away.
fn clear_progress() {
    let mut stream = io::stderr().lock();
    let _ = write!(stream, "\r{:32}\r", "").and_then(|()| stream.flush());
}
