//! The exported function: sets up the arena, calls the program, hands out its result.

use wasm_encoder::MemArg;

use crate::compiler::ir::{FuncId, Trap, Word};
use crate::compiler::runtime::code::{Code, Scratch};
use crate::compiler::runtime::layout::{
    ALIGN, END, FUEL, INPUT_ADDRESS, INPUT_LENGTH, LAST, ROWS, TABLES, TABLES_SIZE, TOP,
};

use super::accounts::Uses;

/// The name under which the function is exported.
pub(super) const NAME: &str = "x07_solve_v2";

/// Result address, arena address and size, input address and length.
pub(super) const PARAMS: [Word; 5] = [Word::I32; 5];

/// The function's code.
///
/// Everything mutable is set anew, so an instance can be called any number of times. The result is
/// written as address and length; an empty one gets the arena's own address, because the host
/// checks that results lie in the arena.
#[must_use]
pub(super) fn code(entry: FuncId, uses: Uses) -> Code {
    let (result, arena, capacity, input, input_length) = (0, 1, 2, 3, 4);
    let mut code = Code::new(5);
    let base = code.scratch(Scratch::I32);
    let address = code.scratch(Scratch::I32);
    let length = code.scratch(Scratch::I32);

    // The arena must not wrap around and must hold the tables after its start was aligned.
    code.ins().local_get(arena).local_get(capacity).i32_add().local_get(arena).i32_lt_u();
    code.ins().i32_const(0).local_get(arena).i32_sub().i32_const(ALIGN - 1).i32_and();
    code.ins().i32_const(TABLES_SIZE).i32_add().local_get(capacity).i32_gt_u().i32_or();
    code.trap_if(Trap::ArenaTooSmall, None);

    code.ins().local_get(arena).i32_const(ALIGN - 1).i32_add().i32_const(-ALIGN).i32_and().local_tee(base);
    code.ins().global_set(TABLES);
    code.ins().local_get(base).i32_const(0).i32_const(TABLES_SIZE).memory_fill(0);
    code.ins().local_get(base).i32_const(TABLES_SIZE).i32_add().global_set(TOP);
    code.ins().local_get(arena).local_get(capacity).i32_add().i32_const(-ALIGN).i32_and().global_set(END);
    code.ins().i32_const(0).global_set(LAST);
    code.ins().i32_const(0).global_set(ROWS);
    code.ins().local_get(input).global_set(INPUT_ADDRESS);
    code.ins().local_get(input_length).global_set(INPUT_LENGTH);

    // A scope that a trap ended must not limit the next call.
    if uses.fuel {
        code.ins().f64_const(f64::INFINITY.into()).global_set(FUEL);
    }

    code.call_function(entry.0, None);
    code.ins().local_set(length).local_set(address);
    code.ins().local_get(result);
    code.ins().local_get(address).local_get(arena).local_get(length).select();
    code.ins().i32_store(MemArg { offset: 0, align: 2, memory_index: 0 });
    code.ins().local_get(result).local_get(length);
    code.ins().i32_store(MemArg { offset: 4, align: 2, memory_index: 0 });
    code.ins().end();
    code
}
