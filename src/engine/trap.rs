//! From wasmtime's errors to ours.

use std::error::Error as StdError;

use wasmtime::{Trap as WasmTrap, WasmBacktrace};

use super::error::{SolveError, Trap, TrapFrame};
use super::limiter::{MemoryRefused, TableRefused, WallTimeElapsed};

/// The limit that an error is about, wherever in its chain of causes that is said.
pub(super) fn limit_hit(error: &wasmtime::Error) -> Option<SolveError> {
    if let Some(refused) = find::<MemoryRefused>(error) {
        return Some(SolveError::Memory { wanted: Some(refused.wanted), limit: Some(refused.limit) });
    }
    if let Some(refused) = find::<TableRefused>(error) {
        return Some(SolveError::Table { wanted: refused.wanted, limit: refused.limit });
    }
    if let Some(elapsed) = find::<WallTimeElapsed>(error) {
        return Some(SolveError::WallTime { ms: elapsed.ms });
    }
    match find::<WasmTrap>(error) {
        Some(WasmTrap::OutOfFuel) => Some(SolveError::Fuel),
        Some(WasmTrap::StackOverflow) => Some(SolveError::WasmStack),
        _ => None,
    }
}

/// What the error of a call means. `code_start` is the offset of the code section's payload.
pub(super) fn classify(error: &wasmtime::Error, code_start: Option<u64>) -> SolveError {
    if let Some(limit) = limit_hit(error) {
        return limit;
    }
    match find::<WasmTrap>(error) {
        Some(trap) => SolveError::Trap(Trap {
            message: one_line(&trap.to_string()),
            frames: frames(error, |_| code_start),
            record: None,
        }),
        None => SolveError::Engine { reason: describe(error) },
    }
}

/// The error and its causes in one line, outermost first.
pub(super) fn describe(error: &wasmtime::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // A backtrace is attached as if it were a cause; frames are reported by other means.
        if text.starts_with("error while executing at wasm backtrace") {
            continue;
        }
        let text = one_line(&text);
        if parts.last() != Some(&text) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

/// The innermost cause in one line. Outer ones may name temporary files.
pub(super) fn describe_root(error: &wasmtime::Error) -> String {
    one_line(&error.root_cause().to_string())
}

/// A text with every run of white space, line ends included, as one space.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first `T` among an error, its contexts and its causes.
pub(super) fn find<T>(error: &wasmtime::Error) -> Option<&T>
where
    T: StdError + Send + Sync + 'static,
{
    error.downcast_ref::<T>().or_else(|| error.chain().find_map(|cause| cause.downcast_ref::<T>()))
}

/// The calls that led to a trap, innermost first. `code_start` tells where the payload of the code
/// section begins that holds an offset.
pub(super) fn frames(error: &wasmtime::Error, code_start: impl Fn(u64) -> Option<u64>) -> Vec<TrapFrame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let mut out = Vec::with_capacity(backtrace.frames().len());
    for frame in backtrace.frames() {
        let module_offset = frame.module_offset().and_then(|offset| u64::try_from(offset).ok());
        let code_offset = module_offset.and_then(|offset| {
            let start = code_start(offset)?;
            u32::try_from(offset.checked_sub(start)?).ok()
        });
        out.push(TrapFrame {
            function_index: frame.func_index(),
            function_name: frame.func_name().map(str::to_owned),
            module_offset,
            code_offset,
        });
    }
    out
}
