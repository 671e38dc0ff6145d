//! What a test did.

use super::property::Value;
use super::status::Details;
use crate::report::Diag;
use crate::solve::violation::Violation;
use x07_wasm_contracts::types::{FileDigest, TestsManifestExpect as Expect};

/// The outcome of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It says that it passed.
    Pass,
    /// It says that it failed.
    Fail,
    /// It was skipped, by its own word or by that of the manifest.
    Skip,
    /// It trapped.
    Trap,
    /// It hit a limit.
    Limit,
    /// It could not be compiled or run, gave no valid status record, or did not do the same twice.
    Error,
    /// An earlier test did not do what was expected.
    NotRun,
    /// It was only listed.
    Listed,
}

/// What a test did, with everything that is known about it.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The outcome.
    pub outcome: Outcome,
    /// The code of a failure.
    pub code: Option<u32>,
    /// Why it was skipped, could not be run or trapped.
    pub reason: Option<String>,
    /// The operands of a failed comparison.
    pub details: Option<Details>,
    /// Where it trapped.
    pub trap: Option<TrapPlace>,
    /// The contract that was violated.
    pub violation: Option<Violation>,
    /// Arguments for which a property does not hold.
    pub counterexample: Option<Counterexample>,
    /// Fuel of the last call, where it was measured.
    pub fuel_used: Option<u64>,
    /// How often the function was called.
    pub runs: u32,
    /// What is to be said about the outcome, when it is not the expected one.
    pub diags: Vec<Diag>,
    /// What the compiler said.
    pub problems: Vec<Diag>,
    /// Files of modules that were read, in order.
    pub reads: Vec<FileDigest>,
}

/// A trap and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrapPlace {
    /// What happened, and where as far as that is known.
    pub message: String,
    /// The reason as a word.
    pub cause: Option<String>,
    /// The function.
    pub function: Option<String>,
    /// Its module.
    pub module: Option<String>,
    /// The JSON pointer of the expression.
    pub ptr: Option<String>,
}

/// Arguments for which a property does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// The number of the case, from 0.
    pub case: u32,
    /// How often smaller arguments were found.
    pub shrinks: u32,
    /// The arguments.
    pub values: Vec<Value>,
}

impl Verdict {
    /// A verdict that says nothing but the outcome.
    #[must_use]
    pub fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            code: None,
            reason: None,
            details: None,
            trap: None,
            violation: None,
            counterexample: None,
            fuel_used: None,
            runs: 0,
            diags: Vec::new(),
            problems: Vec::new(),
            reads: Vec::new(),
        }
    }

    /// The same with a reason.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Whether the manifest expects this. A trap is a failure: it is the only way in which a
    /// violated contract, or an index outside its buffer, can show. Limits and errors never are.
    #[must_use]
    pub fn as_expected(&self, expect: Expect) -> bool {
        match self.outcome {
            Outcome::Skip | Outcome::Listed => true,
            Outcome::Pass => expect == Expect::Pass,
            Outcome::Fail | Outcome::Trap => expect == Expect::Fail,
            Outcome::Limit | Outcome::Error | Outcome::NotRun => false,
        }
    }

    /// Whether two calls did the same. Fuel is not compared: it is not part of what a program does.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.outcome == other.outcome
            && self.code == other.code
            && self.reason == other.reason
            && self.details == other.details
            && self.trap == other.trap
            && self.violation == other.violation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected() {
        let expected = |outcome, expect| Verdict::of(outcome).as_expected(expect);
        assert!(expected(Outcome::Pass, Expect::Pass) && !expected(Outcome::Pass, Expect::Fail));
        for failure in [Outcome::Fail, Outcome::Trap] {
            assert!(expected(failure, Expect::Fail) && !expected(failure, Expect::Pass));
        }
        for expect in [Expect::Pass, Expect::Fail, Expect::Skip] {
            assert!(expected(Outcome::Skip, expect) && expected(Outcome::Listed, expect));
            for never in [Outcome::Limit, Outcome::Error, Outcome::NotRun] {
                assert!(!expected(never, expect));
            }
        }
    }
}
