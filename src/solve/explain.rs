//! What an engine failure means: a coded diagnostic, and for a trap the place in the program.

use super::violation::{self, Violation};
use crate::compiler::emit::sites::SiteTable;
use crate::compiler::ir::Trap as Reason;
use crate::engine::{EngineError, EngineWarning, ExportError, SolveError, Trap};
use crate::report::{Code, Diag};

/// The diagnostic of a module or engine that cannot be used.
#[must_use]
pub fn engine_error(error: &EngineError) -> Diag {
    let (code, cure) = match error {
        EngineError::Config { .. } | EngineError::PoolingNeedsLimits { .. } => {
            (Code::WasmtimeEngineFailed, "; correct the limits of the profile or the options")
        }
        EngineError::Invalid { .. } => (Code::WasmInvalid, "; build the module again"),
        EngineError::Compile { .. } => (Code::WasmCompileFailed, "; build the module again"),
        EngineError::Imports { .. } => (Code::WasmImportsUnsupported, "; a solve module imports nothing"),
        EngineError::Export(error) => {
            (export_code(error), "; a solve module exports x07_solve_v2, memory, __heap_base and __data_end")
        }
        EngineError::MemoryLimit { .. } => (Code::BudgetExceededMemory, "; raise --max-memory-bytes"),
        EngineError::TableLimit { .. } => (Code::BudgetExceededTable, "; raise --max-table-elements"),
    };
    Diag::new(code, format!("{error}{cure}")).data("error", error.to_string())
}

/// The diagnostic of something that only costs speed.
#[must_use]
pub fn engine_warning(warning: &EngineWarning) -> Diag {
    Diag::new(Code::CacheConfigIgnored, warning.to_string())
}

const fn export_code(error: &ExportError) -> Code {
    match error {
        ExportError::MissingMemory => Code::ExportMissingMemory,
        ExportError::SolveType => Code::ExportInvalidX07SolveV2,
        ExportError::HeapBase => Code::ExportMissingHeapBase,
        ExportError::DataEnd => Code::ExportMissingDataEnd,
    }
}

/// Who sets the limits of a run, and so who can raise them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitsOf {
    /// The options of a command.
    Options,
    /// A test of a manifest.
    Test,
}

impl LimitsOf {
    const fn fuel(self) -> &'static str {
        match self {
            Self::Options => "raise --max-fuel if the program needs more",
            Self::Test => "raise `solve_fuel` of the test, or --max-fuel where it has none",
        }
    }

    const fn memory(self) -> &'static str {
        match self {
            Self::Options => "raise --max-memory-bytes if the program needs more",
            Self::Test => "let the test use less, or raise the limit in the default wasm profile",
        }
    }

    const fn table(self) -> &'static str {
        match self {
            Self::Options => "raise --max-table-elements if the program needs more",
            Self::Test => "raise the limit in the default wasm profile",
        }
    }

    const fn wasm_stack(self) -> &'static str {
        match self {
            Self::Options => "raise --max-wasm-stack-bytes, or look for a recursion without end",
            Self::Test => "look for a recursion without end, or raise the limit in the default wasm profile",
        }
    }

    const fn wall_time(self) -> &'static str {
        match self {
            Self::Options => "raise --max-wall-ms if the program needs longer",
            Self::Test => "raise `timeout_ms` of the test if it needs longer",
        }
    }
}

/// A failure of a call, explained.
#[derive(Debug)]
pub struct Explained {
    /// The diagnostic.
    pub diag: Diag,
    /// The trap's text, when the guest trapped or hit a limit that traps.
    pub trap: Option<String>,
    /// The contract clause that did not hold, when that is why.
    pub violation: Option<Violation>,
}

/// Explains why a call gave no output. `sites` is the module's table of source places, if it has one.
#[must_use]
pub fn solve_error(error: &SolveError, sites: Option<&SiteTable>, limits: LimitsOf) -> Explained {
    let text = error.to_string();
    let limit = |code, cure: &str| Explained {
        diag: Diag::new(code, format!("the program was stopped: {text}; {cure}")),
        trap: Some(text.clone()),
        violation: None,
    };
    let refused =
        |code, cure: &str| Explained { diag: Diag::new(code, format!("{text}; {cure}")), trap: None, violation: None };
    match error {
        SolveError::Fuel => limit(Code::BudgetExceededCpuFuel, limits.fuel()),
        SolveError::Memory { .. } => limit(Code::BudgetExceededMemory, limits.memory()),
        SolveError::Table { .. } => limit(Code::BudgetExceededTable, limits.table()),
        SolveError::WasmStack => limit(Code::BudgetExceededWasmStack, limits.wasm_stack()),
        SolveError::WallTime { .. } => limit(Code::BudgetExceededWalltime, limits.wall_time()),
        SolveError::ArenaDoesNotFit { need_bytes, have_bytes } => {
            let mut explained = refused(
                Code::BudgetExceededMemory,
                "lower --arena-cap-bytes, shorten the input, or build with a larger --initial-memory",
            );
            explained.diag = explained.diag.data("need_bytes", *need_bytes).data("have_bytes", *have_bytes);
            explained
        }
        SolveError::OutputTooLarge { out_len, max_output_bytes } => {
            let mut explained =
                refused(Code::BudgetExceededOutput, "raise --max-output-bytes if the output may be that long");
            explained.diag = explained.diag.data("out_len", *out_len).data("max_output_bytes", *max_output_bytes);
            explained
        }
        SolveError::OutputOutsideArena { .. }
        | SolveError::OutputOutsideMemory { .. }
        | SolveError::LayoutOverflow { .. } => {
            refused(Code::RunFailed, "the module breaks the solve ABI; build it again")
        }
        SolveError::Trap(trap) => self::trap(trap, sites),
        SolveError::Instantiate { .. } => refused(Code::WasmInstantiateFailed, "build the module again"),
        SolveError::Export(error) => refused(export_code(error), "build the module again"),
        SolveError::Engine { .. } => refused(Code::RunFailed, "please report this as a mistake of x07-wasm"),
    }
}

/// A trap of the guest. The reason stands in the innermost frame, which may be a run-time function;
/// the place is that of the first frame that has one.
fn trap(trap: &Trap, sites: Option<&SiteTable>) -> Explained {
    let places: Vec<_> =
        trap.frames.iter().map(|f| sites.and_then(|s| f.code_offset.and_then(|o| s.lookup(o)))).collect();
    let reason = places.iter().flatten().find_map(|p| p.trap);
    let what = match reason {
        Some(reason) => reason.text(),
        None => trap.message.as_str(),
    };
    let place = places.iter().flatten().find(|p| !p.module.is_empty());
    let named = trap
        .frames
        .iter()
        .find_map(|f| sites.and_then(|s| s.function(f.function_index)).filter(|p| !p.module.is_empty()));
    let mut text = what.to_owned();
    if let Some(place) = place {
        text = format!("{text} in {} at {}", place.symbol, if place.pointer.is_empty() { "/" } else { &place.pointer });
    } else if let Some(function) =
        named.map(|p| p.symbol.clone()).or_else(|| trap.frames.iter().find_map(|f| f.function_name.clone()))
    {
        text = format!("{text} in {function}");
    }
    let mut diag =
        Diag::new(Code::RunFailed, format!("the program trapped: {text}")).data("trap", trap.message.as_str());
    if let Some(reason) = reason {
        diag = diag.data("reason", reason.key());
    }
    if let Some(place) = place {
        diag =
            diag.data("function", place.symbol.as_str()).data("module", place.module.as_str()).at_node(&place.pointer);
    }
    let calls: Vec<serde_json::Value> = places
        .iter()
        .flatten()
        .filter(|p| !p.module.is_empty())
        .map(|p| serde_json::json!({ "function": p.symbol, "module": p.module, "ptr": p.pointer }))
        .collect();
    if calls.len() > 1 {
        diag = diag.data("calls", calls);
    }
    let violation = match (reason, &trap.record, sites) {
        (Some(Reason::Contract), Some(record), Some(sites)) => violation::of(record, sites),
        _ => None,
    };
    if let Some(violation) = &violation {
        text = format!("{text}: {} `{}` of {}", violation.kind, violation.clause_id, violation.function);
        diag = diag.data("contract", violation.to_value());
    }
    Explained { diag, trap: Some(text), violation }
}
