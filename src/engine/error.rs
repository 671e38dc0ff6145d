//! Everything that can go wrong, by whose fault it is.

use std::fmt;
use std::path::PathBuf;

use super::abi::{DATA_END_EXPORT, HEAP_BASE_EXPORT, MEMORY_EXPORT, SOLVE_EXPORT};
use super::record::ClauseRecord;
use super::solve::Layout;

/// Why an engine could not be set up or a module not be made ready to run. No guest code has run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The configuration, or this host, does not allow an engine to be created.
    #[error("the engine cannot be set up: {reason}")]
    Config {
        /// What is not possible.
        reason: String,
    },
    /// The pooling allocator was asked for without the limits that size its pool.
    #[error("the pooling allocator needs a nonzero {}", .missing.join(" and a nonzero "))]
    PoolingNeedsLimits {
        /// Names of the absent limits, as profiles spell them.
        missing: Vec<&'static str>,
    },
    /// The bytes are not a valid module or component, whichever was asked for, or use a proposal
    /// that is not accepted.
    #[error("invalid WebAssembly: {reason}")]
    Invalid {
        /// The rule that is broken.
        reason: String,
        /// Where, in bytes from the start of the file, if known.
        offset: Option<u64>,
    },
    /// The bytes are valid, but the compiler failed on them.
    #[error("the WebAssembly cannot be compiled: {reason}")]
    Compile {
        /// What the compiler said.
        reason: String,
    },
    /// The module wants something from its host; solve modules are pure.
    #[error("the module imports `{first}` ({count} in all), but nothing is provided")]
    Imports {
        /// The first import, as `module.name`.
        first: String,
        /// Number of imports.
        count: usize,
    },
    /// A limit: the module, or one of a component's modules, asks for more linear memory at its
    /// start than it may have.
    #[error("a module starts with a memory of {wanted} bytes, the limit is {limit}")]
    MemoryLimit {
        /// Bytes that the module starts with.
        wanted: u64,
        /// Bytes that each memory may have.
        limit: u64,
    },
    /// A limit: the module, or one of a component's modules, asks for a larger table at its start
    /// than it may have.
    #[error("a module starts with a table of {wanted} elements, the limit is {limit}")]
    TableLimit {
        /// Elements that the module starts with.
        wanted: u64,
        /// Elements that each table may have.
        limit: u64,
    },
    /// An export of the solve ABI is absent or of another type.
    #[error(transparent)]
    Export(#[from] ExportError),
}

/// An export of the solve ABI that is absent or of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// No memory of that name.
    #[error("`{}` is not an exported memory", MEMORY_EXPORT)]
    MissingMemory,
    /// No function of that name and type.
    #[error("`{}` is not an exported function of type (i32, i32, i32, i32, i32) -> ()", SOLVE_EXPORT)]
    SolveType,
    /// No `i32` global of that name.
    #[error("`{}` is not an exported i32 global", HEAP_BASE_EXPORT)]
    HeapBase,
    /// No `i32` global of that name.
    #[error("`{}` is not an exported i32 global", DATA_END_EXPORT)]
    DataEnd,
}

/// Something that is worth telling, although the engine works without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineWarning {
    /// The compilation cache cannot be used; modules are compiled each time.
    #[error("the cache configuration {} is ignored: {reason}", .path.display())]
    CacheIgnored {
        /// The configuration file, as it was given.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
}

/// A call that gave no output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct SolveFailure {
    /// What happened.
    pub kind: SolveError,
    /// Where things were placed in memory, once that was decided.
    pub layout: Option<Layout>,
}

impl SolveFailure {
    /// A failure before anything was placed.
    pub(super) fn early(kind: SolveError) -> Self {
        Self { kind, layout: None }
    }
}

/// How a call can end without an output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SolveError {
    /// A limit: the fuel was used up.
    #[error("all fuel was consumed")]
    Fuel,
    /// A limit: a linear memory would have become too large.
    #[error("a memory {}was refused{}", bytes_text(*.wanted), limit_text(*.limit))]
    Memory {
        /// Bytes that the memory would have had, if known.
        wanted: Option<u64>,
        /// Bytes that each memory may have, if known.
        limit: Option<u64>,
    },
    /// A limit: a table would have become too large.
    #[error("a table of {wanted} elements was refused, the limit is {limit}")]
    Table {
        /// Elements that the table would have had.
        wanted: u64,
        /// Elements that each table may have.
        limit: u64,
    },
    /// A limit: calls were nested too deeply.
    #[error("the wasm stack is exhausted")]
    WasmStack,
    /// A limit: the call took too long.
    #[error("the wall-clock limit of {ms} ms was reached")]
    WallTime {
        /// The limit in milliseconds.
        ms: u64,
    },
    /// A limit: input and arena do not fit into the module's memory, which is never grown.
    #[error("input and arena need {need_bytes} bytes of memory, the module has {have_bytes}")]
    ArenaDoesNotFit {
        /// First address above the arena.
        need_bytes: u64,
        /// Size of the memory.
        have_bytes: u64,
    },
    /// A limit: the output is longer than allowed.
    #[error("the output has {out_len} bytes, the limit is {max_output_bytes}")]
    OutputTooLarge {
        /// Length that the module returned.
        out_len: u32,
        /// Length that is allowed.
        max_output_bytes: u32,
    },
    /// The module lies: its output is not in the arena that it was given.
    #[error("the output at {ptr}, {len} bytes, is not inside the arena at {arena_ptr}, {arena_cap} bytes")]
    OutputOutsideArena {
        /// Address that the module returned.
        ptr: u32,
        /// Length that the module returned.
        len: u32,
        /// Address of the arena.
        arena_ptr: u32,
        /// Size of the arena in bytes.
        arena_cap: u32,
    },
    /// The module lies: its output is not in its memory.
    #[error("the output at {ptr}, {len} bytes, is not inside the memory of {memory_bytes} bytes")]
    OutputOutsideMemory {
        /// Address that the module returned.
        ptr: u32,
        /// Length that the module returned.
        len: u32,
        /// Size of the memory before the call.
        memory_bytes: u64,
    },
    /// The module lies: its heap starts so high that an address would not be a `u32`.
    #[error("the heap starts at {base}, which leaves no addresses for input and arena")]
    LayoutOverflow {
        /// The higher of the module's two heap bounds.
        base: u32,
    },
    /// The module trapped.
    #[error("{0}")]
    Trap(Trap),
    /// The instance could not be created, for another reason than a limit.
    #[error("the module cannot be instantiated: {reason}")]
    Instantiate {
        /// What happened.
        reason: String,
    },
    /// An export of the solve ABI is absent or of another type.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The engine itself failed; neither the module nor its input is to blame.
    #[error("the engine failed: {reason}")]
    Engine {
        /// What happened.
        reason: String,
    },
}

/// `of N bytes ` or nothing.
fn bytes_text(wanted: Option<u64>) -> String {
    wanted.map(|bytes| format!("of {bytes} bytes ")).unwrap_or_default()
}

/// `, the limit is N` or nothing.
fn limit_text(limit: Option<u64>) -> String {
    limit.map(|bytes| format!(", the limit is {bytes}")).unwrap_or_default()
}

/// A trap that is no limit: the guest did something that wasm forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    /// What was forbidden, in a few words and without addresses: the same trap always has the
    /// same text.
    pub message: String,
    /// The calls that led there, innermost first; at most 32.
    pub frames: Vec<TrapFrame>,
    /// What the guest says about a contract that does not hold. It means something only when that
    /// is the reason of the trap.
    pub record: Option<ClauseRecord>,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// One call on the way to a trap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrapFrame {
    /// Index of the function in the module.
    pub function_index: u32,
    /// Its name, if the module has a name section.
    pub function_name: Option<String>,
    /// Bytes from the start of the module to the instruction.
    pub module_offset: Option<u64>,
    /// Bytes from the start of the code section's payload to the instruction. Unlike
    /// `module_offset` it does not change when sections in front of the code do.
    pub code_offset: Option<u32>,
}
