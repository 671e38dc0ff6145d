//! How far the interpreter goes along with a run.

use super::values::{Flow, Stop};

/// The most expressions that a run evaluates.
const MOST_STEPS: u64 = 5_000_000;

/// The most calls that are open at a time.
const MOST_CALLS: usize = 3_000;

/// What a run has used up.
#[derive(Default)]
pub struct Account {
    steps: u64,
}

impl Account {
    /// Counts an expression.
    pub fn step(&mut self) -> Flow<()> {
        self.steps += 1;
        if self.steps > MOST_STEPS { Err(Stop::Beyond("it takes too long")) } else { Ok(()) }
    }

    /// Notes a call at this depth.
    pub fn enter(&self, depth: usize) -> Flow<()> {
        if depth >= MOST_CALLS { Err(Stop::Beyond("its calls are too deep")) } else { Ok(()) }
    }
}
