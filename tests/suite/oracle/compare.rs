//! One program, compiled and interpreted.

use std::sync::Arc;

use x07_wasm::compiler::{self, Options, ir};

use super::eval::{self, End, Ran};
use crate::language::program::{Compilation, Outcome, Place, Program};

/// Why a run says nothing about the compiler.
pub type NotCompared = &'static str;

/// Memory that a run needs beyond its buffers, whatever it does.
const OVERHEAD: usize = 64 << 10;

/// How many times the bytes of its buffers a run may take up.
const WASTE: usize = 16;

/// A program in both forms.
pub struct Pair {
    checked: Arc<ir::Program>,
    optimised: Arc<ir::Program>,
    compiled: Compilation,
}

impl Pair {
    /// Checks and compiles a program; `None` when it is refused.
    ///
    /// # Errors
    /// The checker and the compiler disagree.
    pub fn of(program: &Program, options: &Options) -> Result<Option<Self>, String> {
        let checked = compiler::check(program, options).program;
        let compiled = program.compile(options);
        match (checked, compiled.wasm) {
            (Some(checked), Some(wasm)) => {
                let mut optimised = checked.clone();
                compiler::optimise::optimise(&mut optimised);
                let (checked, optimised) = (Arc::new(checked), Arc::new(optimised));
                Ok(Some(Self { checked, optimised, compiled: Compilation::new(&wasm) }))
            }
            (None, None) => Ok(None),
            (Some(_), None) => {
                let problems = crate::language::program::list(&compiled.problems);
                Err(format!("it passes the checker and is not compiled:\n{problems}"))
            }
            (None, Some(_)) => Err("it is compiled but does not pass the checker".to_owned()),
        }
    }

    /// Interprets the optimised program and compares how it ends. The interpreter knows what the
    /// compiled program cannot show: that a check was left out which the operands need, or that
    /// memory is lost.
    fn run_optimised(&self, input: &[u8], arena: u32, wanted: &End) -> Result<(), String> {
        let Ran { end, estimated, .. } = eval::run(&self.optimised, input, arena as usize);
        let same = match (wanted, &end) {
            (_, End::Defect(what)) => return Err(format!("the optimised program is wrong: {what}")),
            // Inlined code has other limits.
            (_, End::Beyond(_)) | (End::Trapped { reason: "out_of_memory", .. }, _) => true,
            (End::Output(wanted), End::Output(found)) => wanted == found,
            // The function that a trap is reported in is known to the module's table only.
            (End::Trapped { reason, pointer, .. }, End::Trapped { reason: found, pointer: place, .. }) => {
                reason == found && pointer == place
            }
            _ => false,
        };
        if same || estimated {
            return Ok(());
        }
        Err(format!("optimised: {end:?}\ninterpreted: {wanted:?}"))
    }

    /// Runs both with an input and compares how they end. `Ok(Some(_))`: they cannot be compared.
    ///
    /// # Errors
    /// How they differ, or which rule the checked program breaks.
    pub fn run(&self, input: &[u8], arena: u32) -> Result<Option<NotCompared>, String> {
        let Ran { end, peak, estimated } = eval::run(&self.checked, input, arena as usize);
        match &end {
            End::Defect(what) => return Err(format!("the checked program is wrong: {what}")),
            // The compiled program may run for long: it is not even begun.
            End::Beyond(why) => return Ok(Some(*why)),
            End::Output(_) | End::Trapped { .. } => {}
        }
        self.run_optimised(input, arena, &end)?;
        let outcome = self.compiled.run(input, arena);
        if let Outcome::Trapped(Place { reason: "out_of_memory" | "arena_too_small", .. }) = &outcome {
            let asked_too_much = matches!(&end, End::Trapped { reason: "out_of_memory", .. });
            if !asked_too_much && peak.saturating_mul(WASTE).saturating_add(OVERHEAD) < arena as usize {
                return Err(format!("{peak} bytes of buffers use up an arena of {arena} bytes"));
            }
            return Ok(Some("it uses up the arena"));
        }
        let same = match (&end, &outcome) {
            (End::Trapped { reason: "out_of_memory", .. }, _) => return Ok(Some("it uses up the arena")),
            (End::Output(wanted), Outcome::Output(found)) => wanted == found,
            (End::Trapped { reason, function, module, pointer }, Outcome::Trapped(place)) => {
                *reason == place.reason
                    && *function == place.function
                    && *module == place.module
                    && *pointer == place.pointer
            }
            _ => false,
        };
        if !same && estimated {
            return Ok(Some("it counts memory or fuel"));
        }
        if same { Ok(None) } else { Err(format!("compiled: {}\ninterpreted: {end:?}", shown(&outcome))) }
    }
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Output(bytes) => format!("the output {bytes:?}"),
        other => format!("{other:?}"),
    }
}
