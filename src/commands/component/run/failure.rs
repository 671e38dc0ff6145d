//! Why a component did not end by itself: the outcome, the diagnostic and the text of the trap.

use crate::engine::component::CallError;
use crate::report::{Code, Diag};
use x07_wasm_contracts::types::ComponentRunReportRunOutcomeOutcome as Outcome;

/// A failure of a call, explained.
#[derive(Debug)]
pub struct Explained {
    /// How the run ended.
    pub outcome: Outcome,
    /// The diagnostic.
    pub diag: Diag,
    /// The text of the trap, unless time ran out.
    pub trap: Option<String>,
    /// The time limit that was hit.
    pub max_wall_ms: Option<u64>,
}

/// Explains a failure; the cures name the options of `component run`.
#[must_use]
pub fn explain(error: &CallError) -> Explained {
    let text = error.to_string();
    let stopped = |code: Code, cure: &str| {
        trapped(Diag::new(code, format!("the component was stopped: {text}; {cure}")), text.clone())
    };
    match error {
        CallError::Fuel => stopped(Code::BudgetExceededCpuFuel, "raise --max-fuel if it needs more"),
        CallError::Memory { wanted, limit } => {
            let explained = stopped(Code::BudgetExceededMemory, "raise --max-memory-bytes if it needs more");
            Explained { diag: explained.diag.data("wanted", *wanted).data("limit", *limit), ..explained }
        }
        CallError::Table { wanted, limit } => {
            let explained = stopped(Code::BudgetExceededTable, "raise --max-table-elements if it needs more");
            Explained { diag: explained.diag.data("wanted", *wanted).data("limit", *limit), ..explained }
        }
        CallError::WasmStack => {
            stopped(Code::BudgetExceededWasmStack, "raise --max-wasm-stack-bytes, or look for a recursion without end")
        }
        CallError::OutputTooLarge { limit } => {
            let explained = stopped(Code::BudgetExceededOutput, "raise --max-output-bytes if it may write that much");
            Explained { diag: explained.diag.data("max_output_bytes", *limit), ..explained }
        }
        CallError::WallTime { ms } => {
            let explained = stopped(Code::BudgetExceededWalltime, "raise --max-wall-ms if it needs longer");
            let diag = explained.diag.data("max_wall_ms", *ms);
            Explained { outcome: Outcome::Timeout, diag, trap: None, max_wall_ms: Some(*ms) }
        }
        CallError::Trap(trap) => {
            let place = trap.frames.iter().find_map(|frame| frame.function_name.as_deref());
            let text = place.map_or_else(|| text.clone(), |name| format!("{text} in {name}"));
            let message = format!("the component trapped: {text}; correct the program");
            trapped(Diag::new(Code::ComponentRunTrap, message).data("trap", trap.message.as_str()), text)
        }
        CallError::Instantiate { .. } => {
            let message = format!("{text}; build the component again");
            trapped(Diag::new(Code::ComponentRunTrap, message).data("trap", text.as_str()), text.clone())
        }
        // A command is neither granted anything nor asked for a response.
        CallError::Guest { .. }
        | CallError::HeadersTooLarge { .. }
        | CallError::NoResponse
        | CallError::Grant { .. }
        | CallError::Engine { .. } => {
            let message = format!("{text}; please report this as a mistake of x07-wasm");
            trapped(Diag::new(Code::ComponentRunTrap, message).data("trap", text.as_str()), text.clone())
        }
    }
}

fn trapped(diag: Diag, trap: String) -> Explained {
    Explained { outcome: Outcome::Trap, diag, trap: Some(trap), max_wall_ms: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Trap, TrapFrame};

    #[test]
    fn every_end_has_its_code_and_outcome() {
        let reason = || "because".to_owned();
        let trap = Trap { message: "unreachable".to_owned(), frames: Vec::new(), record: None };
        let table = [
            (CallError::Fuel, "BUDGET_EXCEEDED_CPU_FUEL", Outcome::Trap),
            (CallError::Memory { wanted: 2, limit: 1 }, "BUDGET_EXCEEDED_MEMORY", Outcome::Trap),
            (CallError::Table { wanted: 2, limit: 1 }, "BUDGET_EXCEEDED_TABLE", Outcome::Trap),
            (CallError::WasmStack, "BUDGET_EXCEEDED_WASM_STACK", Outcome::Trap),
            (CallError::WallTime { ms: 5 }, "BUDGET_EXCEEDED_WALLTIME", Outcome::Timeout),
            (CallError::OutputTooLarge { limit: 1 }, "BUDGET_EXCEEDED_OUTPUT", Outcome::Trap),
            (CallError::Trap(trap), "COMPONENT_RUN_TRAP", Outcome::Trap),
            (CallError::Instantiate { reason: reason() }, "COMPONENT_RUN_TRAP", Outcome::Trap),
            (CallError::Engine { reason: reason() }, "COMPONENT_RUN_TRAP", Outcome::Trap),
        ];
        for (error, code, outcome) in table {
            let explained = explain(&error);
            assert_eq!(explained.outcome, outcome, "{error}");
            assert_eq!(explained.trap.is_some(), outcome == Outcome::Trap, "{error}");
            assert_eq!(explained.max_wall_ms.is_some(), outcome == Outcome::Timeout, "{error}");
            assert_eq!(explained.diag.build().code, format!("X07WASM_{code}"));
        }
    }

    #[test]
    fn a_trap_names_the_function() {
        let frame = |name: Option<&str>| TrapFrame {
            function_index: 1,
            function_name: name.map(str::to_owned),
            module_offset: None,
            code_offset: None,
        };
        let trap = Trap {
            message: "integer divide by zero".to_owned(),
            frames: vec![frame(None), frame(Some("main.half"))],
            record: None,
        };
        let explained = explain(&CallError::Trap(trap));
        assert_eq!(explained.trap.as_deref(), Some("integer divide by zero in main.half"));
    }
}
