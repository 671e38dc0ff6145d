//! The solve ABI: one input in, one output out, everything about the guest in doubt.

use std::fmt;
use std::time::{Duration, Instant};

use wasmtime::{Engine, ExternType, Instance, Memory, Module, Store, UpdateDeadline, Val};

use super::abi::{DATA_END_EXPORT, HEAP_BASE_EXPORT, MEMORY_EXPORT, SOLVE_EXPORT};
use super::error::{EngineError, ExportError, SolveError, SolveFailure};
use super::limiter::{HostState, WallTimeElapsed};
use super::record;
use super::runtime::Runtime;
use super::shape;
use super::trap::{classify, describe, limit_hit};

/// Native stack beyond the wasm frames that must be free when a call starts: for entering the
/// guest and for the engine's own functions that the guest calls.
const HOST_STACK_MARGIN: usize = 256 * 1024;

/// Native stack beyond the wasm frames of a stack that is allocated for a call.
const HOST_STACK_SIZE: usize = 1024 * 1024;

/// Parameters of the exported function: retptr, arena_ptr, arena_cap, input_ptr, input_len.
type SolveParams = (u32, u32, u32, u32, u32);

/// A compiled module that follows the solve ABI. Each call runs in a fresh instance, so calls
/// cannot influence each other.
pub struct SolveModule {
    module: Module,
    code_start: Option<u64>,
}

/// One input and what it may use of the module's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SolveCall<'a> {
    /// The input.
    pub input: &'a [u8],
    /// Bytes of working memory that the module is given, its output included.
    pub arena_cap: u32,
    /// Bytes that the output may have.
    pub max_output: u32,
}

/// Where a call placed things in the module's memory. All are byte addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The module's `__heap_base`.
    pub heap_base: u32,
    /// The module's `__data_end`.
    pub data_end: u32,
    /// Eight bytes for pointer and length of the output.
    pub retptr: u32,
    /// The input.
    pub input_ptr: u32,
    /// The arena.
    pub arena_ptr: u32,
}

/// The result of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SolveOutput {
    /// The output.
    pub bytes: Vec<u8>,
    /// Where things were placed.
    pub layout: Layout,
    /// Fuel that instantiation and call consumed, if fuel is limited.
    pub fuel_used: Option<u64>,
}

impl SolveModule {
    /// Validates and compiles a module and checks that it follows the ABI.
    ///
    /// # Errors
    ///
    /// [`EngineError::Invalid`], [`EngineError::Imports`], [`EngineError::MemoryLimit`],
    /// [`EngineError::TableLimit`], [`EngineError::Compile`] or [`EngineError::Export`], the first
    /// that applies in this order.
    pub fn compile(runtime: &Runtime, wasm: &[u8]) -> Result<Self, EngineError> {
        let shape = shape::read(wasm, &runtime.limits)?;
        let module = Module::from_binary(&runtime.engine, wasm)
            .map_err(|error| EngineError::Compile { reason: describe(&error) })?;
        check_exports(&module)?;
        Ok(Self { module, code_start: shape.code_start })
    }

    /// Solves one input in a fresh instance.
    ///
    /// # Errors
    ///
    /// What went wrong and, if it got so far, where things were placed in memory. A module that
    /// was compiled by another runtime is [`SolveError::Engine`].
    pub fn solve(&self, runtime: &Runtime, call: &SolveCall<'_>) -> Result<SolveOutput, SolveFailure> {
        if !Engine::same(self.module.engine(), &runtime.engine) {
            let reason = "the module was compiled by another runtime".to_owned();
            return Err(SolveFailure::early(SolveError::Engine { reason }));
        }
        // The engine lets wasm use its full stack allowance without asking whether the thread has
        // that much left; running out of it would end the process.
        let wasm_stack = runtime.wasm_stack_bytes();
        stacker::maybe_grow(
            wasm_stack.saturating_add(HOST_STACK_MARGIN),
            wasm_stack.saturating_add(HOST_STACK_SIZE),
            || self.solve_on_this_stack(runtime, call),
        )
    }

    /// [`SolveModule::solve`], given enough stack.
    fn solve_on_this_stack(&self, runtime: &Runtime, call: &SolveCall<'_>) -> Result<SolveOutput, SolveFailure> {
        let mut store = new_store(runtime)?;
        let instance = Instance::new(&mut store, &self.module, &[]).map_err(|error| {
            let kind = limit_hit(&error).unwrap_or_else(|| SolveError::Instantiate { reason: describe(&error) });
            SolveFailure::early(kind)
        })?;
        let memory = instance
            .get_memory(&mut store, MEMORY_EXPORT)
            .ok_or_else(|| SolveFailure::early(ExportError::MissingMemory.into()))?;
        let solve = instance
            .get_typed_func::<SolveParams, ()>(&mut store, SOLVE_EXPORT)
            .map_err(|_| SolveFailure::early(ExportError::SolveType.into()))?;
        let heap_base = global(&instance, &mut store, HEAP_BASE_EXPORT, ExportError::HeapBase)?;
        let data_end = global(&instance, &mut store, DATA_END_EXPORT, ExportError::DataEnd)?;

        let memory_bytes = u64::try_from(memory.data_size(&store)).unwrap_or(u64::MAX);
        let placement = Placement::new(heap_base.max(data_end), call.input.len(), call.arena_cap);
        let layout = placement.layout(heap_base, data_end);
        let fail = |kind: SolveError| SolveFailure { kind, layout };
        if placement.arena_end > memory_bytes {
            return Err(fail(SolveError::ArenaDoesNotFit {
                need_bytes: placement.arena_end,
                have_bytes: memory_bytes,
            }));
        }
        // Only a memory of 4 GiB with an empty arena at its very end can still fail here.
        let (Some(placed), Ok(input_len)) = (layout, u32::try_from(call.input.len())) else {
            return Err(fail(SolveError::LayoutOverflow { base: heap_base.max(data_end) }));
        };

        write(&memory, &mut store, placed.retptr, &[0; 8]).map_err(fail)?;
        write(&memory, &mut store, placed.input_ptr, call.input).map_err(fail)?;
        solve
            .call(&mut store, (placed.retptr, placed.arena_ptr, call.arena_cap, placed.input_ptr, input_len))
            .map_err(|error| {
                let mut kind = classify(&error, self.code_start);
                if let SolveError::Trap(trap) = &mut kind {
                    trap.record = record::read(&memory, &store, placed.arena_ptr);
                }
                fail(kind)
            })?;
        let fuel_used = match (runtime.limits.fuel, store.get_fuel()) {
            (Some(given), Ok(left)) => Some(given.saturating_sub(left)),
            _ => None,
        };

        let mut pair = [0; 8];
        read(&memory, &store, placed.retptr, &mut pair).map_err(fail)?;
        let [p0, p1, p2, p3, l0, l1, l2, l3] = pair;
        let ptr = u32::from_le_bytes([p0, p1, p2, p3]);
        let len = u32::from_le_bytes([l0, l1, l2, l3]);
        check_output(ptr, len, placed.arena_ptr, call, memory_bytes).map_err(fail)?;

        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        read(&memory, &store, ptr, &mut bytes).map_err(fail)?;
        Ok(SolveOutput { bytes, layout: placed, fuel_used })
    }
}

impl fmt::Debug for SolveModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SolveModule").field("code_start", &self.code_start).finish_non_exhaustive()
    }
}

/// The places of retptr, input and arena, in 64 bits so that no sum can wrap.
struct Placement {
    retptr: u64,
    input_ptr: u64,
    arena_ptr: u64,
    arena_end: u64,
}

impl Placement {
    /// Places everything above `base`, each aligned to eight bytes.
    fn new(base: u32, input_len: usize, arena_cap: u32) -> Self {
        let input_len = u64::try_from(input_len).unwrap_or(u64::MAX);
        let retptr = align8(u64::from(base));
        let input_ptr = align8(retptr.saturating_add(8));
        let arena_ptr = align8(input_ptr.saturating_add(input_len));
        let arena_end = arena_ptr.saturating_add(u64::from(arena_cap));
        Self { retptr, input_ptr, arena_ptr, arena_end }
    }

    /// The addresses as the module gets them, if each of them is one.
    fn layout(&self, heap_base: u32, data_end: u32) -> Option<Layout> {
        Some(Layout {
            heap_base,
            data_end,
            retptr: u32::try_from(self.retptr).ok()?,
            input_ptr: u32::try_from(self.input_ptr).ok()?,
            arena_ptr: u32::try_from(self.arena_ptr).ok()?,
        })
    }
}

/// The next multiple of eight.
fn align8(address: u64) -> u64 {
    address.saturating_add(7) & !7
}

/// Judges what a module returned. The length comes first: a program that produces too much has
/// hit a limit, wherever it put it.
fn check_output(ptr: u32, len: u32, arena_ptr: u32, call: &SolveCall<'_>, memory_bytes: u64) -> Result<(), SolveError> {
    if len > call.max_output {
        return Err(SolveError::OutputTooLarge { out_len: len, max_output_bytes: call.max_output });
    }
    let end = u64::from(ptr) + u64::from(len);
    if end > memory_bytes {
        return Err(SolveError::OutputOutsideMemory { ptr, len, memory_bytes });
    }
    let arena_end = u64::from(arena_ptr) + u64::from(call.arena_cap);
    if ptr < arena_ptr || end > arena_end {
        return Err(SolveError::OutputOutsideArena { ptr, len, arena_ptr, arena_cap: call.arena_cap });
    }
    Ok(())
}

/// A store with the runtime's limits in force from the first instruction on.
fn new_store(runtime: &Runtime) -> Result<Store<HostState>, SolveFailure> {
    let mut store = Store::new(&runtime.engine, HostState::new(&runtime.limits));
    store.limiter(|state| &mut state.limiter);
    if let Some(fuel) = runtime.limits.fuel {
        store.set_fuel(fuel).map_err(|error| SolveFailure::early(SolveError::Engine { reason: describe(&error) }))?;
    }
    if let Some(ms) = runtime.limits.wall_ms {
        let allowed = Duration::from_millis(ms);
        let started = Instant::now();
        store.epoch_deadline_callback(move |_context| {
            if started.elapsed() >= allowed {
                Err(wasmtime::Error::new(WallTimeElapsed { ms }))
            } else {
                Ok(UpdateDeadline::Continue(1))
            }
        });
        store.set_epoch_deadline(1);
    }
    Ok(store)
}

/// The value of an exported `i32` global as an address.
fn global(
    instance: &Instance,
    store: &mut Store<HostState>,
    name: &str,
    missing: ExportError,
) -> Result<u32, SolveFailure> {
    let global = instance.get_global(&mut *store, name);
    match global.map(|global| global.get(&mut *store)) {
        Some(Val::I32(value)) => Ok(value.cast_unsigned()),
        _ => Err(SolveFailure::early(missing.into())),
    }
}

/// Writes to a place that was checked to be inside the memory.
fn write(memory: &Memory, store: &mut Store<HostState>, address: u32, bytes: &[u8]) -> Result<(), SolveError> {
    memory
        .write(store, usize::try_from(address).unwrap_or(usize::MAX), bytes)
        .map_err(|error| SolveError::Engine { reason: error.to_string() })
}

/// Reads from a place that was checked to be inside the memory.
fn read(memory: &Memory, store: &Store<HostState>, address: u32, bytes: &mut [u8]) -> Result<(), SolveError> {
    memory
        .read(store, usize::try_from(address).unwrap_or(usize::MAX), bytes)
        .map_err(|error| SolveError::Engine { reason: error.to_string() })
}

/// Checks presence and type of the four exports of the ABI.
fn check_exports(module: &Module) -> Result<(), ExportError> {
    if !matches!(module.get_export(MEMORY_EXPORT), Some(ExternType::Memory(_))) {
        return Err(ExportError::MissingMemory);
    }
    match module.get_export(SOLVE_EXPORT) {
        Some(ExternType::Func(ty))
            if ty.params().len() == 5 && ty.params().all(|param| param.is_i32()) && ty.results().len() == 0 => {}
        _ => return Err(ExportError::SolveType),
    }
    for (name, missing) in [(HEAP_BASE_EXPORT, ExportError::HeapBase), (DATA_END_EXPORT, ExportError::DataEnd)] {
        match module.get_export(name) {
            Some(ExternType::Global(ty)) if ty.content().is_i32() => {}
            _ => return Err(missing),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placement_is_aligned_and_never_wraps() {
        let placement = Placement::new(1025, 3, 16);
        assert_eq!(placement.retptr, 1032);
        assert_eq!(placement.input_ptr, 1040);
        assert_eq!(placement.arena_ptr, 1048);
        assert_eq!(placement.arena_end, 1064);
        assert!(placement.layout(1025, 0).is_some());

        let placement = Placement::new(u32::MAX, usize::MAX, u32::MAX);
        assert_eq!(placement.retptr, 1 << 32);
        assert!(placement.layout(u32::MAX, 0).is_none());
    }

    #[test]
    fn an_output_is_judged_by_length_then_memory_then_arena() {
        let call = SolveCall { input: b"", arena_cap: 64, max_output: 32 };
        let judge = |ptr: u32, len: u32| check_output(ptr, len, 1000, &call, 65_536);
        assert_eq!(judge(1000, 0), Ok(()));
        assert_eq!(judge(1064, 0), Ok(()));
        assert_eq!(judge(1032, 32), Ok(()));
        assert!(matches!(judge(u32::MAX, 33), Err(SolveError::OutputTooLarge { out_len: 33, max_output_bytes: 32 })));
        assert!(matches!(judge(u32::MAX, 32), Err(SolveError::OutputOutsideMemory { .. })));
        assert!(matches!(judge(999, 0), Err(SolveError::OutputOutsideArena { .. })));
        assert!(matches!(judge(1065, 0), Err(SolveError::OutputOutsideArena { .. })));
        assert!(matches!(judge(1033, 32), Err(SolveError::OutputOutsideArena { .. })));
    }
}
