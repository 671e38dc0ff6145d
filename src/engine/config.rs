//! What a caller may choose about execution, and its translation into wasmtime's configuration.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use wasmtime::{
    Cache, Config, Enabled, Inlining, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails, WasmFeatures,
};

use super::error::EngineError;

/// Largest wasm stack that can be asked for, in bytes.
pub const MAX_WASM_STACK_BYTES: u32 = 2 * 1024 * 1024;

/// Largest number of concurrent instances that a pooling engine can be made for. Each reserves
/// sixteen memories' worth of address space, so more could not be created on common hosts.
pub const MAX_CONCURRENCY: u32 = 1024;

/// Native stack for wasm frames if no limit is given: wasmtime's own default.
pub(super) const DEFAULT_WASM_STACK_BYTES: u32 = 512 * 1024;

/// Native stack beyond the wasm frames of a stack that a component runs on: for the host's
/// functions that it calls.
const HOST_STACK_BYTES: u32 = 1024 * 1024;

/// Frames of a trap that are kept, innermost first.
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(31);

/// Pool slots for each unit of concurrency. A composed component instantiates several core
/// modules, and all of an engine's users share its pool.
const POOL_SLOTS_PER_INSTANCE: u32 = 16;

/// Bytes of each pooled memory that are reset in place after a call instead of being given back to
/// the system, which would cost an interrupt of every core and page faults in the next call. Where
/// the system cannot tell which pages were written (Linux before 6.7), all of them are written
/// again, so more would cost more than it saves.
const MEMORY_KEEP_RESIDENT_BYTES: usize = 128 * 1024;

/// The same for each pooled table.
const TABLE_KEEP_RESIDENT_BYTES: usize = 8 * 1024;

/// Address space reserved for each linear memory on 64-bit hosts: all that a 32-bit memory can
/// address. Only addresses are reserved, not pages, so the size costs nothing at start.
#[cfg(target_pointer_width = "64")]
const MEMORY_RESERVATION_BYTES: u64 = 1 << 32;

/// What one execution may use. `None` means unlimited, or the host's default where one exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Fuel for one instance, about one unit an instruction. Default: unlimited. Fuel is the
    /// deterministic limit: the same module and input always stop at the same instruction.
    pub fuel: Option<u64>,
    /// Bytes that each linear memory may reach, at start and by growing. Default: unlimited; 0
    /// also means unlimited. The pooling allocator needs a nonzero value, because it reserves
    /// room in advance.
    pub memory_bytes: Option<u64>,
    /// Elements that each table may reach. Default: unlimited; 0 also means unlimited. The
    /// pooling allocator needs a nonzero value.
    pub table_elements: Option<u32>,
    /// Bytes of native stack for wasm frames, 1 to [`MAX_WASM_STACK_BYTES`]. Default: 512 KiB.
    /// Calls run on a stack that is large enough for the value, whatever the calling thread has.
    pub wasm_stack_bytes: Option<u32>,
    /// Milliseconds of wall time for one call, instantiation included. Default: unlimited. Guests
    /// are interrupted in the middle of a busy loop; a limit costs a check at every loop and
    /// function entry. The outcome depends on the host's speed, so fuel is the better choice
    /// where results must be reproducible.
    pub wall_ms: Option<u64>,
}

impl Limits {
    /// The memory limit in bytes, `None` if there is none.
    pub(super) fn memory_cap(&self) -> Option<u64> {
        self.memory_bytes.filter(|bytes| *bytes > 0)
    }

    /// The table limit in elements, `None` if there is none.
    pub(super) fn table_cap(&self) -> Option<u32> {
        self.table_elements.filter(|elements| *elements > 0)
    }
}

/// Where instances get their memories and tables from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Allocator {
    /// Mapped when an instance is created, unmapped when it is gone. The default: nothing is
    /// reserved for instances that never come.
    #[default]
    OnDemand,
    /// Taken from a pool that is reserved when the engine starts. Faster for servers that create
    /// an instance for each request.
    Pooling,
}

/// What an engine is for. It decides which proposals are accepted and how calls are interrupted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Guests {
    /// Core modules of the solve ABI, which run to their end on the calling thread.
    #[default]
    Solve,
    /// Components, which are futures: they wait in host functions without holding a thread, and a
    /// busy one yields at every tick.
    Components,
}

/// Where compiled code is kept between runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheSource {
    /// The cache folder of the user who runs the tool.
    UserDefault,
    /// This folder, which the user chose.
    Directory(PathBuf),
    /// As a TOML file of a project says, but always in the user's cache folder.
    ProjectFile(PathBuf),
}

impl CacheSource {
    /// What messages call it.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::UserDefault => PathBuf::from("(user default)"),
            Self::Directory(path) | Self::ProjectFile(path) => path.clone(),
        }
    }
}

/// How to set up an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// What the engine is for. Default: solve modules.
    pub guests: Guests,
    /// What guests may use. Default: no limits.
    pub limits: Limits,
    /// Where instances get their memories from. Default: on demand.
    pub allocator: Allocator,
    /// Where compiled code is kept between runs. Default: nowhere. A cache that cannot be used is
    /// a warning, never an error: it changes nothing but speed.
    pub cache: Option<CacheSource>,
    /// Number of executions that may be alive at once, 1 to [`MAX_CONCURRENCY`]; 0 counts as 1.
    /// Default: 1. It sizes the pool of the pooling allocator and means nothing otherwise.
    pub concurrency: u32,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            guests: Guests::Solve,
            limits: Limits::default(),
            allocator: Allocator::OnDemand,
            cache: None,
            concurrency: 1,
        }
    }
}

impl EngineConfig {
    /// With the cache folder of the user where `wanted`, whatever the profile says; else as it is.
    #[must_use]
    pub fn with_user_cache(self, wanted: bool) -> Self {
        if wanted { Self { cache: Some(CacheSource::UserDefault), ..self } } else { self }
    }

    /// Whether the engine needs ticks: for wall limits, and for components always, because a busy
    /// one must not keep its thread.
    pub(super) fn ticks(&self) -> bool {
        self.limits.wall_ms.is_some() || self.guests == Guests::Components
    }
}

/// The proposals beyond the first version of WebAssembly that guests may use.
///
/// For solve modules: what our compiler and clang emit, and every current browser runs. Anything
/// else is refused, so that a module that runs here also runs in a page. For components: in
/// addition what toolchains of WASI 0.2 emit. Neither threads nor anything with a garbage
/// collector, whose memory no limit of ours would cover.
fn engine_features(guests: Guests) -> WasmFeatures {
    let solve = WasmFeatures::FLOATS
        | WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        // clang writes the table index of call_indirect as a padded number.
        | WasmFeatures::CALL_INDIRECT_OVERLONG;
    match guests {
        Guests::Solve => solve,
        Guests::Components => {
            solve
                | WasmFeatures::REFERENCE_TYPES
                | WasmFeatures::SIMD
                | WasmFeatures::TAIL_CALL
                | WasmFeatures::EXTENDED_CONST
                | WasmFeatures::COMPONENT_MODEL
                // For the modules that wasmtime itself makes to pass values between components,
                // which see the memories of both. Guests cannot use it: our parser looks first.
                | WasmFeatures::MULTI_MEMORY
        }
    }
}

/// The same set for the parser that validates everything before the engine sees it, except what
/// only the engine's own modules need. The engine carries a parser of its own, of another version,
/// so the set has to be named twice; a test compares the two.
pub(super) fn parser_features(guests: Guests) -> wasmparser::WasmFeatures {
    let solve = wasmparser::WasmFeatures::FLOATS
        | wasmparser::WasmFeatures::MUTABLE_GLOBAL
        | wasmparser::WasmFeatures::SATURATING_FLOAT_TO_INT
        | wasmparser::WasmFeatures::SIGN_EXTENSION
        | wasmparser::WasmFeatures::MULTI_VALUE
        | wasmparser::WasmFeatures::BULK_MEMORY
        | wasmparser::WasmFeatures::CALL_INDIRECT_OVERLONG;
    match guests {
        Guests::Solve => solve,
        Guests::Components => {
            solve
                | wasmparser::WasmFeatures::REFERENCE_TYPES
                | wasmparser::WasmFeatures::SIMD
                | wasmparser::WasmFeatures::TAIL_CALL
                | wasmparser::WasmFeatures::EXTENDED_CONST
                | wasmparser::WasmFeatures::COMPONENT_MODEL
        }
    }
}

/// Refuses values that no engine can be made from.
pub(super) fn check(config: &EngineConfig) -> Result<(), EngineError> {
    if let Some(bytes) = config.limits.wasm_stack_bytes
        && (bytes == 0 || bytes > MAX_WASM_STACK_BYTES)
    {
        return Err(EngineError::Config {
            reason: format!("a wasm stack of {bytes} bytes is not possible, it must be 1 to {MAX_WASM_STACK_BYTES}"),
        });
    }
    if config.concurrency > MAX_CONCURRENCY {
        return Err(EngineError::Config {
            reason: format!("{} concurrent instances are too many, at most {MAX_CONCURRENCY}", config.concurrency),
        });
    }
    if config.allocator == Allocator::Pooling {
        let mut missing = Vec::new();
        if config.limits.memory_cap().is_none() {
            missing.push("max_memory_bytes");
        }
        if config.limits.table_cap().is_none() {
            missing.push("max_table_elements");
        }
        if !missing.is_empty() {
            return Err(EngineError::PoolingNeedsLimits { missing });
        }
    }
    Ok(())
}

/// Translates a configuration that passed [`check`].
pub(super) fn wasmtime_config(config: &EngineConfig, cache: Option<Cache>) -> Config {
    let mut out = Config::new();

    out.wasm_features(WasmFeatures::all(), false);
    out.wasm_features(engine_features(config.guests), true);

    out.strategy(Strategy::Cranelift);
    out.cranelift_opt_level(OptLevel::Speed);
    // The bits of a NaN are the one result of wasm arithmetic that may differ between hosts.
    out.cranelift_nan_canonicalization(true);
    // Inlining would remove frames from the traps that are shown to users.
    out.compiler_inlining(Inlining::No);
    out.cache(cache);

    out.consume_fuel(config.limits.fuel.is_some());
    out.epoch_interruption(config.ticks());
    let wasm_stack = config.limits.wasm_stack_bytes.unwrap_or(DEFAULT_WASM_STACK_BYTES);
    out.max_wasm_stack(size(wasm_stack));
    if config.guests == Guests::Components {
        out.async_stack_size(size(wasm_stack.saturating_add(HOST_STACK_BYTES)));
    }

    // Frames of a trap are mapped back to offsets in the module; native debuggers are not served.
    out.generate_address_map(true);
    out.wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES));
    out.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    if !cfg!(windows) {
        out.native_unwind_info(false);
    }

    // Initial data is mapped, not copied. With the whole address range reserved, a memory never
    // moves and needs no bounds checks, at the price of one mapping a memory.
    out.memory_init_cow(true);
    #[cfg(target_pointer_width = "64")]
    {
        out.memory_reservation(MEMORY_RESERVATION_BYTES);
        out.memory_may_move(false);
    }

    if config.allocator == Allocator::Pooling {
        out.allocation_strategy(InstanceAllocationStrategy::Pooling(pool_config(config)));
    }
    out
}

/// Sizes the pool for `concurrency` executions within the limits.
fn pool_config(config: &EngineConfig) -> PoolingAllocationConfig {
    let instances = config.concurrency.max(1);
    let slots = instances.saturating_mul(POOL_SLOTS_PER_INSTANCE);
    // A 32-bit memory cannot pass 4 GiB, and the pool refuses to be asked for more.
    let memory_bytes = config.limits.memory_cap().unwrap_or(u64::MAX).min(1 << 32);
    let table_elements = config.limits.table_cap().unwrap_or(u32::MAX);

    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances);
    pool.total_core_instances(slots);
    pool.total_memories(slots);
    pool.total_tables(slots);
    pool.max_memories_per_module(1);
    pool.max_tables_per_module(1);
    pool.max_memory_size(usize::try_from(memory_bytes).unwrap_or(usize::MAX));
    pool.table_elements(size(table_elements));
    if config.guests == Guests::Components {
        // A call runs on one stack from its start to its end.
        pool.total_stacks(instances);
        pool.linear_memory_keep_resident(MEMORY_KEEP_RESIDENT_BYTES);
        pool.table_keep_resident(TABLE_KEEP_RESIDENT_BYTES);
        pool.pagemap_scan(Enabled::Auto);
    }
    pool
}

fn size(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parsers_accept_the_same_proposals() {
        let names = |flags: Vec<&'static str>| {
            let mut flags = flags;
            flags.sort_unstable();
            flags
        };
        for (guests, own) in [(Guests::Solve, WasmFeatures::empty()), (Guests::Components, WasmFeatures::MULTI_MEMORY)]
        {
            let engine = engine_features(guests).difference(own);
            let engine = names(engine.iter_names().map(|(name, _)| name).collect());
            let parser = names(parser_features(guests).iter_names().map(|(name, _)| name).collect());
            assert_eq!(engine, parser);
        }
    }

    #[test]
    fn zero_means_no_limit() {
        let limits = Limits { memory_bytes: Some(0), table_elements: Some(0), ..Limits::default() };
        assert_eq!(limits.memory_cap(), None);
        assert_eq!(limits.table_cap(), None);
    }

    #[test]
    fn impossible_stacks_and_pools_are_refused() {
        for bytes in [0, MAX_WASM_STACK_BYTES + 1, u32::MAX] {
            let limits = Limits { wasm_stack_bytes: Some(bytes), ..Limits::default() };
            let config = EngineConfig { limits, ..EngineConfig::default() };
            assert!(matches!(check(&config), Err(EngineError::Config { .. })), "{bytes}");
        }
        let config = EngineConfig { concurrency: MAX_CONCURRENCY + 1, ..EngineConfig::default() };
        assert!(matches!(check(&config), Err(EngineError::Config { .. })));
        let config = EngineConfig { allocator: Allocator::Pooling, ..EngineConfig::default() };
        assert_eq!(
            check(&config),
            Err(EngineError::PoolingNeedsLimits { missing: vec!["max_memory_bytes", "max_table_elements"] })
        );
    }
}
