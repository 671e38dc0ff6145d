//! Why there is no response: what the report says, and what the client is told.
//!
//! | what happened | code | status |
//! |---|---|---|
//! | fuel, memory, table, wasm stack, or a response that is too large | `BUDGET_EXCEEDED_…` | 500 |
//! | wall time | `BUDGET_EXCEEDED_WALLTIME` | 504 |
//! | trap, error, no response, anything else | `SERVE_REQUEST_FAILED` | 500 |
//!
//! The client learns no more than the status: the reason may tell about the inside of the component.

use crate::engine::component::CallError;
use crate::report::{Code, Diag};
use http::StatusCode;

/// A failure, explained.
#[derive(Debug)]
pub struct Explained {
    /// For the report.
    pub diag: Diag,
    /// For the client.
    pub status: StatusCode,
    /// Whether it is a limit that was hit. Other failures follow from what was reported before, if
    /// there was something.
    pub limit: bool,
}

/// Explains the end of a call.
#[must_use]
pub fn explain(error: &CallError) -> Explained {
    let limit = |code: Code, cure: &str| Explained {
        diag: Diag::new(code, format!("the component was stopped: {error}; {cure}")),
        status: StatusCode::INTERNAL_SERVER_ERROR,
        limit: true,
    };
    let failed = |what: &str, cure: &str| Explained {
        diag: Diag::new(Code::ServeRequestFailed, format!("{what}: {error}; {cure}")).data("error", error.to_string()),
        status: StatusCode::INTERNAL_SERVER_ERROR,
        limit: false,
    };
    match error {
        CallError::Fuel => limit(Code::BudgetExceededCpuFuel, "raise --max-fuel if a request needs more"),
        CallError::Memory { .. } => {
            limit(Code::BudgetExceededMemory, "raise --max-memory-bytes if a request needs more")
        }
        CallError::Table { .. } => {
            limit(Code::BudgetExceededTable, "raise --max-table-elements if a request needs more")
        }
        CallError::WasmStack => {
            limit(Code::BudgetExceededWasmStack, "raise --max-wasm-stack-bytes, or look for a recursion without end")
        }
        CallError::WallTime { .. } => Explained {
            status: StatusCode::GATEWAY_TIMEOUT,
            ..limit(Code::BudgetExceededWalltime, "raise --max-wall-ms-per-request if a request needs longer")
        },
        CallError::HeadersTooLarge { limit: bytes } => {
            let cure = "send fewer or shorter headers, or raise --max-response-header-bytes";
            let explained = limit(Code::BudgetExceededOutput, cure);
            Explained { diag: explained.diag.data("limit_bytes", *bytes), ..explained }
        }
        CallError::OutputTooLarge { limit: bytes } => {
            let explained =
                limit(Code::BudgetExceededOutput, "raise --max-response-bytes if a response may be that long");
            Explained { diag: explained.diag.data("limit_bytes", *bytes), ..explained }
        }
        CallError::Trap(_) => failed("the component trapped", "look at the request in the incident"),
        CallError::Guest { .. } | CallError::NoResponse => {
            failed("the component gave no response", "look at the request in the incident")
        }
        CallError::Instantiate { .. } => failed("the component could not be started", "build the component again"),
        CallError::Grant { .. } => failed("the component could not be started", "correct the capabilities"),
        CallError::Engine { .. } => {
            failed("the request could not be worked on", "please report this as a mistake of x07-wasm")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Trap;

    #[test]
    fn every_end_has_its_code_and_status() {
        let text = String::new;
        let trap = Trap { message: "wasm `unreachable` instruction executed".to_owned(), frames: vec![], record: None };
        let table = [
            (CallError::Fuel, "X07WASM_BUDGET_EXCEEDED_CPU_FUEL", 500),
            (CallError::Memory { wanted: 2, limit: 1 }, "X07WASM_BUDGET_EXCEEDED_MEMORY", 500),
            (CallError::Table { wanted: 2, limit: 1 }, "X07WASM_BUDGET_EXCEEDED_TABLE", 500),
            (CallError::WasmStack, "X07WASM_BUDGET_EXCEEDED_WASM_STACK", 500),
            (CallError::WallTime { ms: 1 }, "X07WASM_BUDGET_EXCEEDED_WALLTIME", 504),
            (CallError::OutputTooLarge { limit: 1 }, "X07WASM_BUDGET_EXCEEDED_OUTPUT", 500),
            (CallError::HeadersTooLarge { limit: 1 }, "X07WASM_BUDGET_EXCEEDED_OUTPUT", 500),
            (CallError::Trap(trap), "X07WASM_SERVE_REQUEST_FAILED", 500),
            (CallError::Instantiate { reason: text() }, "X07WASM_SERVE_REQUEST_FAILED", 500),
            (CallError::Guest { code: text() }, "X07WASM_SERVE_REQUEST_FAILED", 500),
            (CallError::NoResponse, "X07WASM_SERVE_REQUEST_FAILED", 500),
            (CallError::Grant { reason: text() }, "X07WASM_SERVE_REQUEST_FAILED", 500),
            (CallError::Engine { reason: text() }, "X07WASM_SERVE_REQUEST_FAILED", 500),
        ];
        for (error, code, status) in table {
            let explained = explain(&error);
            assert_eq!(explained.diag.clone().build().code, code, "{error:?}");
            assert_eq!(explained.status.as_u16(), status, "{error:?}");
            assert_eq!(explained.limit, code.contains("BUDGET"), "{error:?}");
        }
    }
}
