//! All tests of a command: their limits, their threads, and the end at the first surprise.

use super::manifest::Test;
use super::program::Build;
use super::verdict::{Outcome, Verdict};
use crate::engine::Runtime;
use crate::report::{Code, Diag};
use crate::solve::explain;
use crate::solve::limits::{Overrides, engine_config};
use crate::wasm_profile::Selected;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use x07_wasm_contracts::command_line::Limit;
use x07_wasm_contracts::types::{TestsManifestExpect as Expect, TestsManifestWorld as World};

/// How tests are run.
pub struct Plan<'a> {
    /// What all programs have in common.
    pub build: Build<'a>,
    /// The profile whose limits are in force.
    pub profile: &'a Selected,
    /// Fuel of tests that say nothing.
    pub max_fuel: Option<Limit>,
    /// Tests that run at the same time, at least one.
    pub jobs: usize,
    /// Whether the first surprise ends the run.
    pub fail_fast: bool,
    /// Told how many tests are done, whenever one is.
    pub progress: Option<&'a (dyn Fn(usize) + Sync)>,
}

/// A test and its input.
#[derive(Debug)]
pub struct Job<'a> {
    /// The test.
    pub test: &'a Test,
    /// Its input; empty for a property test.
    pub input: Vec<u8>,
}

/// Why a test is not run at all, whatever else happens.
#[must_use]
pub fn skipped(test: &Test) -> Option<String> {
    if test.world != World::SolvePure {
        return Some(format!("the world {} is not supported; only solve-pure compiles to wasm", test.world));
    }
    (test.expect == Expect::Skip).then(|| "the manifest says so".to_owned())
}

/// The limits in which two tests may differ: fuel and milliseconds.
type Key = (Option<u64>, Option<u64>);

fn key(test: &Test) -> Key {
    (test.fuel, test.timeout_ms)
}

impl Plan<'_> {
    /// Runs tests, which are sorted by id; yields a verdict for each, in the same order.
    ///
    /// With `fail_fast` the verdicts do not depend on the number of threads: every test before the
    /// first surprise was run, and none behind it counts as run.
    ///
    /// # Errors
    /// Why no engine can be set up.
    pub fn run(&self, jobs: &[Job<'_>], notices: &mut Vec<Diag>) -> Result<Vec<Verdict>, Vec<Diag>> {
        let runtimes = self.runtimes(jobs, notices)?;
        let next = AtomicUsize::new(0);
        let first_surprise = AtomicUsize::new(usize::MAX);
        let done = AtomicUsize::new(0);
        let verdicts: Vec<Mutex<Option<Verdict>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::SeqCst);
                let (Some(job), Some(slot)) = (jobs.get(at), verdicts.get(at)) else { break };
                if self.fail_fast && at > first_surprise.load(Ordering::SeqCst) {
                    break;
                }
                let verdict = self.one(&runtimes, job);
                if !verdict.as_expected(job.test.expect) {
                    first_surprise.fetch_min(at, Ordering::SeqCst);
                }
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
                let done = done.fetch_add(1, Ordering::SeqCst) + 1;
                if let Some(progress) = self.progress {
                    progress(done);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.jobs.min(jobs.len()) {
                scope.spawn(work);
            }
            work();
        });
        let last = if self.fail_fast { first_surprise.into_inner() } else { usize::MAX };
        let verdicts = verdicts.into_iter().enumerate().map(|(at, slot)| {
            let verdict = slot.into_inner().unwrap_or_else(PoisonError::into_inner);
            let not_run = || Verdict::of(Outcome::NotRun).because("an earlier test did not do what was expected");
            verdict.filter(|_| at <= last).unwrap_or_else(not_run)
        });
        Ok(verdicts.collect())
    }

    /// An engine for each pair of limits; most manifests need one.
    fn runtimes(&self, jobs: &[Job<'_>], notices: &mut Vec<Diag>) -> Result<BTreeMap<Key, Runtime>, Vec<Diag>> {
        let mut runtimes = BTreeMap::new();
        for job in jobs.iter().filter(|job| skipped(job.test).is_none()) {
            if runtimes.contains_key(&key(job.test)) {
                continue;
            }
            let overrides = Overrides {
                fuel: job.test.fuel.map(Limit::Max).or(self.max_fuel),
                wall_ms: job.test.timeout_ms.map(Limit::Max),
                ..Overrides::default()
            };
            let mut config = engine_config(&self.profile.profile.runtime, overrides, 0, self.profile.builtin)
                .map_err(|e| vec![Diag::new(Code::CliArgsInvalid, e.to_string()).data("stage", "limits")])?;
            config.concurrency = u32::try_from(self.jobs).unwrap_or(u32::MAX).min(crate::engine::MAX_CONCURRENCY);
            let (runtime, warnings) = Runtime::new(&config).map_err(|e| vec![explain::engine_error(&e)])?;
            // They are about the profile, so all engines have the same.
            if runtimes.is_empty() {
                notices.extend(warnings.iter().map(explain::engine_warning));
            }
            runtimes.insert(key(job.test), runtime);
        }
        Ok(runtimes)
    }

    fn one(&self, runtimes: &BTreeMap<Key, Runtime>, job: &Job<'_>) -> Verdict {
        match (skipped(job.test), runtimes.get(&key(job.test))) {
            (Some(reason), _) => Verdict::of(Outcome::Skip).because(reason),
            (None, Some(runtime)) => self.build.run(runtime, job.test, &job.input),
            // There is an engine for the limits of every test that is not skipped.
            (None, None) => Verdict::of(Outcome::Error).because("there is no engine for its limits"),
        }
    }
}
