//! Helpers that make room in a vector.
//!
//! A vector's capacity is what the language says, not what its block could hold; slack in a block
//! only lets it grow without moving.

use wasm_encoder::BlockType;

use super::Helper;
use super::code::{Code, Scratch};
use crate::compiler::ir::Trap;

/// Doubling stops above this capacity; from there a vector gets exactly what it needs.
const LAST_DOUBLED: i32 = 1 << 30;

/// The code of [`Helper::VecDouble`].
pub(super) fn double() -> Code {
    let mut code = Code::new(3);
    let (address, length, capacity) = (0, 1, 2);
    code.ins().local_get(capacity).i32_const(0).i32_lt_s();
    code.trap_if(Trap::OutOfMemory, None);
    code.ins().local_get(capacity).i32_const(1).i32_shl().i32_const(1).local_get(capacity).select();
    code.ins().local_set(capacity);
    code.ins().local_get(address).local_get(length).local_get(capacity);
    code.call(Helper::Realloc, None);
    code.ins().local_get(capacity).end();
    code
}

/// Sets `need` to the sum of two lengths and returns address and capacity as they are when that
/// fits already. Traps when the sum passes 2^32 - 1.
fn return_if_it_fits(code: &mut Code, address: u32, length: u32, capacity: u32, more: u32, need: u32) {
    code.ins().local_get(length).local_get(more).i32_add().local_tee(need);
    code.ins().local_get(length).i32_lt_u();
    code.trap_if(Trap::OutOfMemory, None);
    code.ins().local_get(need).local_get(capacity).i32_le_u().if_(BlockType::Empty);
    code.ins().local_get(address).local_get(capacity).return_().end();
}

/// The code of [`Helper::VecReserve`].
pub(super) fn reserve() -> Code {
    let mut code = Code::new(4);
    let (address, length, capacity, more) = (0, 1, 2, 3);
    let need = code.scratch(Scratch::I32);
    return_if_it_fits(&mut code, address, length, capacity, more, need);
    code.ins().local_get(address).local_get(length).local_get(need);
    code.call(Helper::Realloc, None);
    code.ins().local_get(need).end();
    code
}

/// The code of [`Helper::VecRoom`].
pub(super) fn room() -> Code {
    let mut code = Code::new(4);
    let (address, length, capacity, more) = (0, 1, 2, 3);
    let need = code.scratch(Scratch::I32);
    return_if_it_fits(&mut code, address, length, capacity, more, need);

    code.ins().local_get(capacity).local_get(capacity).i32_eqz().i32_or().local_set(capacity);
    code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
    code.ins().local_get(capacity).local_get(need).i32_ge_u().br_if(1);
    code.ins().local_get(capacity).i32_const(LAST_DOUBLED).i32_gt_u().if_(BlockType::Empty);
    code.ins().local_get(need).local_set(capacity).br(2).end();
    code.ins().local_get(capacity).i32_const(1).i32_shl().local_set(capacity);
    code.ins().br(0).end().end();

    code.ins().local_get(address).local_get(length).local_get(capacity);
    code.call(Helper::Realloc, None);
    code.ins().local_get(capacity).end();
    code
}

/// The code of [`Helper::VecAppend`].
pub(super) fn append() -> Code {
    let mut code = Code::new(5);
    let (address, length, capacity, source, count) = (0, 1, 2, 3, 4);
    let old_address = code.scratch(Scratch::I32);
    let old_capacity = code.scratch(Scratch::I32);
    code.ins().local_get(address).local_set(old_address);
    code.ins().local_get(capacity).local_set(old_capacity);
    code.ins().local_get(address).local_get(length).local_get(capacity).local_get(count);
    code.call(Helper::VecRoom, None);
    code.ins().local_set(capacity).local_set(address);

    // A source inside the vector moved with it.
    code.ins().local_get(source).local_get(old_address).i32_sub();
    code.ins().local_get(old_capacity).i32_lt_u().if_(BlockType::Empty);
    code.ins().local_get(source).local_get(address).i32_add().local_get(old_address).i32_sub();
    code.ins().local_set(source).end();

    code.ins().local_get(address).local_get(length).i32_add();
    code.ins().local_get(source).local_get(count).memory_copy(0, 0);
    code.ins().local_get(address).local_get(capacity).end();
    code
}
