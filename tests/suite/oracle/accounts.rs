//! How far the interpreter goes along with a run; contracts, and what budget scopes count.

use x07_wasm::compiler::ir::{Counter, Op, Trap};

use super::eval::{At, World};
use super::ops::Operands;
use super::values::{Flow, Stop, Value};

/// The most expressions that a run evaluates.
const MOST_STEPS: u64 = 5_000_000;

/// The most calls that are open at a time.
const MOST_CALLS: usize = 3_000;

/// What a run has used up.
#[derive(Default)]
pub struct Account {
    steps: u64,
    /// Whether the program looked at something that the interpreter does not count as exactly.
    pub estimated: bool,
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

impl World {
    /// Contracts and budgets. Fuel is taken to be enough, and memory is counted roughly.
    pub fn account_op(&mut self, op: Op, args: &mut Operands, at: At) -> Flow<Option<Value>> {
        Ok(Some(match op {
            Op::Violate(_) => return Err(at.trap(Trap::Contract)),
            // The clock is what it is; the other counters depend on what the emitter makes of a program.
            Op::Counter(Counter::SchedTicks) => Value::Number(self.scheduler.clock as u32 as i32),
            Op::Counter(counter) => {
                self.account.estimated = true;
                let (bytes, calls) = self.store.allocated();
                Value::Number(match counter {
                    Counter::AllocBytes => bytes,
                    Counter::AllocCalls => calls,
                    _ => 0,
                })
            }
            Op::FuelEnter => {
                args.number()?;
                self.account.estimated = true;
                Value::Float(f64::INFINITY)
            }
            Op::FuelLeave => {
                args.float()?;
                args.number()?;
                Value::Unit
            }
            _ => return Ok(None),
        }))
    }
}
