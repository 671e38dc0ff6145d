//! What all glued modules have: a layout of the memory, `cabi_realloc`, and the call of `solve`.
//!
//! The memory, from the bottom: static data of the program and of the glue, the place where `solve`
//! leaves its answer, further fixed regions, the arena of the program, and up to the end the *bump
//! region*. All lists that come into the module lie in the bump region, one behind the other. A
//! call ends by setting the bump pointer back to the region's start, so an instance can be called
//! any number of times.

use wasm_encoder::ValType;

use super::asm::Body;
use super::{SOLVE_HANDLER, SolveLimits};
use crate::component::link::{FunctionId, Import, Linker, Program};

const I32: ValType = ValType::I32;

/// The smallest bump region in bytes: room for requests and inputs as large as servers usually
/// accept.
pub const MIN_REGION: u64 = 8 << 20;

/// How `solve` is reached.
#[derive(Clone, Copy, Debug)]
pub enum Solver {
    /// It is part of the module.
    Native {
        /// The program.
        program: Program,
        /// What it may use.
        limits: SolveLimits,
    },
    /// It is imported: see [`Imports::solve`].
    Imported {
        /// The import.
        function: FunctionId,
    },
}

/// The common functions and globals of a glued module.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// `cabi_realloc`. It is exported already.
    pub realloc: FunctionId,
    /// A mutable global: the first free address of the bump region.
    pub bump: u32,
    /// An immutable global: where the bump region starts.
    pub heap: u32,
    /// `(ptr, len) -> area`: solves the input at `ptr`. At `area` are then address and length of
    /// the output, two words, valid until the next call. It traps when the program breaks its
    /// limits.
    pub call_solve: FunctionId,
}

impl Frame {
    /// Adds a function `(area) -> ()` that frees the bump region: what is called when the result of
    /// an export was taken over.
    pub fn post_return(&self, linker: &mut Linker) -> FunctionId {
        let id = linker.declare("post_return", &[I32], &[]);
        let mut body = Body::new(&[I32]);
        body.global_get(self.heap).global_set(self.bump);
        linker.define(id, body.finish());
        id
    }
}

/// Collects the imports of a module before it is linked.
#[derive(Clone, Debug, Default)]
pub struct Imports {
    list: Vec<Import>,
}

impl Imports {
    /// No imports.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an import and gives its index.
    pub fn function(&mut self, module: &str, name: &str, params: &[ValType], results: &[ValType]) -> FunctionId {
        let id = FunctionId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        self.list.push(Import::new(module, name, params, results));
        id
    }

    /// Adds the import of `solve`: `func(input: list<u8>) -> list<u8>`, lowered to
    /// `(ptr, len, area)`.
    pub fn solve(&mut self) -> FunctionId {
        self.function(SOLVE_HANDLER, "solve", &[I32, I32, I32], &[])
    }

    /// A linker that has these imports. When no program is to be added, call [`Imports::adapter`].
    #[must_use]
    pub fn linker(&self) -> Linker {
        Linker::new(&self.list)
    }

    /// A linker for a module without a program. Nothing lies at address 0, so that no list does.
    #[must_use]
    pub fn adapter(&self) -> Linker {
        let mut linker = self.linker();
        linker.reserve(16);
        linker
    }
}

/// Adds the common part. `reserve` are the sizes of further fixed regions, in bytes; the result has
/// their addresses in the same order, multiples of sixteen.
pub fn frame(linker: &mut Linker, solver: Solver, reserve: &[u32]) -> (Frame, Vec<u32>) {
    let area = linker.reserve(8);
    let regions = reserve.iter().map(|bytes| linker.reserve(*bytes)).collect();
    let call_solve = match solver {
        Solver::Native { program, limits } => call_native(linker, program.solve, limits, area),
        Solver::Imported { function } => call_imported(linker, function, area),
    };
    let bump = linker.global_static_end(true);
    let heap = linker.global_static_end(false);
    let realloc = realloc(linker, bump);
    linker.export("cabi_realloc", realloc);
    (Frame { realloc, bump, heap, call_solve }, regions)
}

/// The bytes of memory that a module needs for a bump region of `region` bytes, and at least
/// [`MIN_REGION`]: for [`Linker::finish`], when everything was added.
#[must_use]
pub fn memory_bytes(linker: &Linker, region: u64) -> u64 {
    u64::from(linker.static_end()).saturating_add(region.max(MIN_REGION))
}

/// Calls a program that is part of the module, and checks what it returns.
fn call_native(linker: &mut Linker, solve: FunctionId, limits: SolveLimits, area: u32) -> FunctionId {
    let arena = linker.reserve(limits.arena_cap);
    let id = linker.declare("call_solve", &[I32, I32], &[I32]);
    let (input, length) = (0, 1);
    let mut body = Body::new(&[I32, I32]);
    let output = body.local(I32);
    let size = body.local(I32);

    // Programs count in i32.
    body.get(length).i32(0).lt_s();
    trap_if(&mut body);
    body.u32(area).i64(0).store64(0);
    body.u32(area).u32(arena).u32(limits.arena_cap).get(input).get(length).call(solve);
    body.u32(area).load32(0).set(output);
    body.u32(area).load32(4).set(size);

    body.get(size).u32(limits.max_output).gt_u();
    trap_if(&mut body);
    body.get(output).u32(arena).lt_u();
    trap_if(&mut body);
    let arena_end = u64::from(arena) + u64::from(limits.arena_cap);
    body.get(output).extend_u().get(size).extend_u().add64().i64(arena_end.cast_signed()).gt_u64();
    trap_if(&mut body);
    body.u32(area);
    linker.define(id, body.finish());
    id
}

/// Calls a program that is another component. What it returns was checked and copied to here.
fn call_imported(linker: &mut Linker, solve: FunctionId, area: u32) -> FunctionId {
    let id = linker.declare("call_solve", &[I32, I32], &[I32]);
    let mut body = Body::new(&[I32, I32]);
    body.get(0).get(1).u32(area).call(solve).u32(area);
    linker.define(id, body.finish());
    id
}

/// `cabi_realloc`: `(old_ptr, old_size, align, new_size) -> ptr`.
///
/// The last block grows where it is. Everything is computed in 64 bits and checked before anything
/// is changed, so a request that does not fit traps and leaves no trace.
fn realloc(linker: &mut Linker, bump: u32) -> FunctionId {
    let id = linker.declare("cabi_realloc", &[I32; 4], &[I32]);
    let (old, old_size, align, new_size) = (0, 1, 2, 3);
    let mut body = Body::new(&[I32; 4]);
    let start = body.local(I32);
    let end = body.local(ValType::I64);

    // An empty block lies nowhere in particular, but at a multiple of its alignment.
    body.get(new_size).eqz().if_(|b| {
        b.get(align).ret();
    });
    body.get(align).eqz().get(align).get(align).i32(1).sub().and().or();
    trap_if(&mut body);

    body.get(old_size).eqz().eqz();
    body.get(old).get(old_size).add().global_get(bump).eq().and();
    body.get(old).get(align).i32(1).sub().and().eqz().and();
    body.if_else(
        |b| {
            b.get(old).extend_u().set(end);
        },
        |b| {
            b.global_get(bump).extend_u().get(align).extend_u().add64().i64(1).sub64();
            b.i64(0).get(align).extend_u().sub64().and64().set(end);
        },
    );
    // So far `end` is where the block starts. If that is no address, neither is the end, and the
    // check below traps before the start is used.
    body.get(end).wrap().set(start);
    body.get(end).get(new_size).extend_u().add64().tee(end);
    body.memory_size().extend_u().i64(16).shl64().gt_u64();
    // The bump pointer itself must be an address.
    body.get(end).i64(i64::from(u32::MAX)).gt_u64().or();
    trap_if(&mut body);

    body.get(old_size).eqz().eqz().get(start).get(old).ne().and().if_(|b| {
        b.get(start).get(old);
        b.get(old_size).get(new_size).get(old_size).get(new_size).lt_u().select();
        b.memory_copy();
    });
    body.get(end).wrap().global_set(bump);
    body.get(start);
    linker.define(id, body.finish());
    id
}

/// Pops a condition and traps if it holds.
fn trap_if(body: &mut Body) {
    body.if_(|b| {
        b.unreachable();
    });
}
