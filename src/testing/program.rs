//! One test: compiling it, calling it, judging what it returned.

use super::manifest::Test;
use super::property::{Property, Value, encode};
use super::source::TestSource;
use super::status::{self, Status};
use super::verdict::{Counterexample, Outcome, TrapPlace, Verdict};
use crate::build::compile;
use crate::compiler::emit::Target;
use crate::compiler::emit::sites::SiteTable;
use crate::compiler::{self, Options};
use crate::engine::{Runtime, SolveCall, SolveModule, SolveOutput};
use crate::project::Project;
use crate::report::{Code, Diag};
use crate::solve::explain::{self, Explained};
use crate::solve::sites::site_table;
use serde_json::Value as Json;
use x07_wasm_contracts::types::{Diagnostic, Location, TestsManifestExpect as Expect};

/// What all tests of a command have in common.
#[derive(Debug)]
pub struct Build<'a> {
    /// Where modules are looked up.
    pub project: &'a Project,
    /// Limits of the compiler.
    pub options: Options,
    /// What modules are made for.
    pub target: Target,
    /// Bytes of working memory of a call.
    pub arena_cap: u32,
    /// Bytes that a call may return.
    pub max_output: u32,
    /// How often each input is tried.
    pub repeat: u32,
}

impl Build<'_> {
    /// Compiles and runs a test on an input, or a property test on its own inputs.
    #[must_use]
    pub fn run(&self, runtime: &Runtime, test: &Test, input: &[u8]) -> Verdict {
        let source = TestSource::new(self.project, test);
        let compiled = compiler::compile(&source, &self.options, &self.target);
        let reads = source.into_read();
        let problems: Vec<Diag> = compiled.problems.iter().map(compile::diagnostic).collect();
        let mut verdict = match compiled.wasm {
            Some(wasm) => match SolveModule::compile(runtime, &wasm) {
                Ok(module) => {
                    let sites = site_table(&wasm);
                    let program = Program { build: self, runtime, test, module, sites };
                    match &test.property {
                        Some(property) => program.property(property),
                        None => program.repeated(input),
                    }
                }
                Err(error) => {
                    let mut verdict = Verdict::of(Outcome::Error).because("its module cannot be used");
                    verdict.diags.push(about(test, explain::engine_error(&error)));
                    verdict
                }
            },
            None => not_compiled(test, problems.len()),
        };
        verdict.problems = problems;
        verdict.reads = reads;
        verdict
    }
}

/// Relates a diagnostic to a test.
fn about(test: &Test, diag: Diag) -> Diag {
    diag.data("test", test.id.as_str()).note(format!("in the test {}", test.id))
}

fn not_compiled(test: &Test, problems: usize) -> Verdict {
    let mut verdict = Verdict::of(Outcome::Error).because("it does not compile");
    let message = format!(
        "the test {} does not compile ({problems} problems are listed); correct its modules, or `entry` of the test",
        test.id
    );
    verdict.diags.push(Diag::new(Code::TestNotCompiled, message).data("test", test.id.as_str()));
    verdict
}

/// A test that was compiled.
struct Program<'a> {
    build: &'a Build<'a>,
    runtime: &'a Runtime,
    test: &'a Test,
    module: SolveModule,
    sites: Option<SiteTable>,
}

impl Program<'_> {
    /// Calls the function as often as was told; it must do the same each time.
    fn repeated(&self, input: &[u8]) -> Verdict {
        let (mut first, output) = self.call(input);
        for _ in 1..self.build.repeat {
            let (again, other) = self.call(input);
            first.runs = first.runs.saturating_add(1);
            if again.same(&first) && other == output {
                first.fuel_used = again.fuel_used;
                continue;
            }
            let mut verdict = Verdict::of(Outcome::Error).because("it did not do the same each time");
            verdict.runs = first.runs;
            let message = format!(
                "the test {} did not do the same in call {} as in the first; a solve-pure program depends on nothing but its input, so look at its limits",
                self.test.id, first.runs
            );
            verdict.diags.push(Diag::new(Code::TestNotRepeatable, message).data("test", self.test.id.as_str()));
            return verdict;
        }
        first
    }

    /// One call: the verdict and the output.
    fn call(&self, input: &[u8]) -> (Verdict, Vec<u8>) {
        let call = SolveCall { input, arena_cap: self.build.arena_cap, max_output: self.build.max_output };
        let (mut verdict, output) = match self.module.solve(self.runtime, &call) {
            Ok(SolveOutput { bytes, fuel_used, .. }) => {
                let mut verdict = self.returned(&bytes);
                verdict.fuel_used = fuel_used;
                (verdict, bytes)
            }
            Err(failure) => (
                self.stopped(explain::solve_error(&failure.kind, self.sites.as_ref(), explain::LimitsOf::Test)),
                Vec::new(),
            ),
        };
        verdict.runs = 1;
        (verdict, output)
    }

    /// Judges a status record.
    fn returned(&self, bytes: &[u8]) -> Verdict {
        let test = self.test;
        let mut verdict = match status::read(bytes) {
            Ok(Status::Pass) => Verdict::of(Outcome::Pass),
            Ok(Status::Skip) => Verdict::of(Outcome::Skip).because("it says that it does not apply"),
            Ok(Status::Fail { code, details }) => {
                let mut verdict = Verdict::of(Outcome::Fail);
                verdict.code = Some(code);
                verdict.details = details;
                verdict
            }
            Err(why) => {
                let mut verdict = Verdict::of(Outcome::Error).because(why.clone());
                let diag = Diag::new(Code::TestResultInvalid, format!("the test {} {why}", test.id));
                verdict.diags.push(diag.data("test", test.id.as_str()));
                verdict
            }
        };
        let surprise = match (verdict.outcome, test.expect) {
            (Outcome::Fail, Expect::Pass | Expect::Skip) => {
                Some(format!("the test {} failed with code {}", test.id, verdict.code.unwrap_or_default()))
            }
            (Outcome::Pass, Expect::Fail) => Some(format!(
                "the test {} passed, but the manifest expects it to fail; correct the program or `expect`",
                test.id
            )),
            _ => None,
        };
        if let Some(message) = surprise {
            let mut diag = Diag::new(Code::TestFailed, message)
                .data("test", test.id.as_str())
                .data("entry", test.entry.as_str())
                .data("expect", test.expect.to_string());
            if let Some(code) = verdict.code {
                diag = diag.data("code", code);
            }
            if let Some(details) = &verdict.details {
                diag = diag.note(format!(
                    "got {} bytes beginning {:?}, expected {} bytes beginning {:?}",
                    details.got.len,
                    String::from_utf8_lossy(&details.got.prefix),
                    details.expected.len,
                    String::from_utf8_lossy(&details.expected.prefix)
                ));
            }
            verdict.diags.push(diag);
        }
        verdict
    }

    /// Judges a call that returned nothing.
    fn stopped(&self, explained: Explained) -> Verdict {
        let test = self.test;
        let code = explained.diag.code();
        let Diagnostic { message, data, loc, .. } = explained.diag.clone().build();
        let limit = code.is_some_and(|c| c.as_str().starts_with("X07WASM_BUDGET_EXCEEDED_"));
        let outcome = match &explained.trap {
            _ if limit => Outcome::Limit,
            Some(_) => Outcome::Trap,
            None => Outcome::Error,
        };
        let mut verdict = Verdict::of(outcome).because(explained.trap.clone().unwrap_or(message));
        if let (Outcome::Trap, Some(text)) = (outcome, explained.trap) {
            let fact = |key: &str| data.as_ref().and_then(|d| d.get(key)).and_then(Json::as_str).map(str::to_owned);
            verdict.trap = Some(TrapPlace {
                message: text,
                cause: fact("reason"),
                function: fact("function"),
                module: fact("module"),
                ptr: match loc {
                    Some(Location::X07ast(at)) => Some(at.ptr),
                    _ => None,
                },
            });
        }
        verdict.violation = explained.violation;
        if !verdict.as_expected(test.expect) {
            verdict.diags.push(about(test, explained.diag));
        }
        verdict
    }

    /// Looks for an input for which the property does not hold.
    fn property(&self, property: &Property) -> Verdict {
        let (mut runs, mut skipped, mut fuel_used) = (0_u32, 0_u32, None);
        for case in 0..property.cases {
            let values = property.case(case);
            let mut verdict = self.repeated(&encode(&values));
            runs = runs.saturating_add(verdict.runs);
            fuel_used = verdict.fuel_used.or(fuel_used);
            match verdict.outcome {
                Outcome::Pass => {}
                Outcome::Skip => skipped += 1,
                Outcome::Fail | Outcome::Trap => {
                    verdict.runs = runs;
                    return self.shrunk(property, case, values, verdict);
                }
                _ => {
                    verdict.runs = runs;
                    verdict.counterexample = Some(Counterexample { case, shrinks: 0, values });
                    return verdict;
                }
            }
        }
        let mut verdict = if skipped > 0 && skipped == property.cases {
            Verdict::of(Outcome::Skip).because("it says that it does not apply to any case")
        } else {
            // Judged once more as a whole: passing may be a surprise.
            self.returned(&[1, 0, 0, 0, 0])
        };
        verdict.runs = runs;
        verdict.fuel_used = fuel_used;
        verdict
    }

    /// Looks for the smallest arguments that fail in the same way.
    fn shrunk(&self, property: &Property, case: u32, mut values: Vec<Value>, mut worst: Verdict) -> Verdict {
        let (mut left, mut shrinks) = (property.max_shrinks, 0_u32);
        'smaller: loop {
            for candidate in property.smaller(&values) {
                if left == 0 {
                    break 'smaller;
                }
                left -= 1;
                let mut verdict = self.repeated(&encode(&candidate));
                worst.runs = worst.runs.saturating_add(verdict.runs);
                if verdict.outcome == worst.outcome {
                    verdict.runs = worst.runs;
                    worst = verdict;
                    values = candidate;
                    shrinks = shrinks.saturating_add(1);
                    continue 'smaller;
                }
            }
            break;
        }
        let note = format!("the property does not hold for {}", property.describe(&values));
        worst.diags = worst.diags.into_iter().map(|diag| diag.note(note.clone())).collect();
        worst.counterexample = Some(Counterexample { case, shrinks, values });
        worst
    }
}
