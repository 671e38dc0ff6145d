//! Helpers that copy and compare bytes.

use wasm_encoder::{BlockType, MemArg};

use super::Helper;
use super::code::{Code, Scratch};
use crate::compiler::ir::Trap;

const BYTE: MemArg = MemArg { offset: 0, align: 0, memory_index: 0 };
/// Eight bytes at any address.
const EIGHT: MemArg = MemArg { offset: 0, align: 0, memory_index: 0 };

/// The code of [`Helper::Copy`].
pub(super) fn copy() -> Code {
    let mut code = Code::new(2);
    let (source, length) = (0, 1);
    let address = code.scratch(Scratch::I32);
    code.ins().local_get(length);
    code.call(Helper::Alloc, None);
    code.ins().local_tee(address).local_get(source).local_get(length).memory_copy(0, 0);
    code.ins().local_get(address).local_get(length).end();
    code
}

/// Adds a constant to a local.
fn step(code: &mut Code, local: u32, by: i32) {
    code.ins().local_get(local).i32_const(by).i32_add().local_set(local);
}

/// The code of [`Helper::Equal`].
pub(super) fn equal() -> Code {
    let mut code = Code::new(4);
    let (left, length, right, other) = (0, 1, 2, 3);
    code.ins().local_get(length).local_get(other).i32_ne().if_(BlockType::Empty);
    code.ins().i32_const(0).return_().end();

    // Eight bytes at a time.
    code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
    code.ins().local_get(length).i32_const(8).i32_lt_u().br_if(1);
    code.ins().local_get(left).i64_load(EIGHT).local_get(right).i64_load(EIGHT).i64_ne();
    code.ins().if_(BlockType::Empty).i32_const(0).return_().end();
    step(&mut code, left, 8);
    step(&mut code, right, 8);
    step(&mut code, length, -8);
    code.ins().br(0).end().end();

    // The rest.
    code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
    code.ins().local_get(length).i32_eqz().br_if(1);
    code.ins().local_get(left).i32_load8_u(BYTE).local_get(right).i32_load8_u(BYTE).i32_ne();
    code.ins().if_(BlockType::Empty).i32_const(0).return_().end();
    step(&mut code, left, 1);
    step(&mut code, right, 1);
    step(&mut code, length, -1);
    code.ins().br(0).end().end();
    code.ins().i32_const(1).end();
    code
}

/// Traps unless `count` bytes from `offset` fit in `length`.
fn check_range(code: &mut Code, length: u32, offset: u32, count: u32) {
    code.ins().local_get(offset).local_get(length).i32_gt_u();
    code.ins().local_get(count).local_get(length).local_get(offset).i32_sub().i32_gt_u().i32_or();
    code.trap_if(Trap::OutOfBounds, None);
}

/// The code of [`Helper::CompareRanges`].
pub(super) fn compare_ranges() -> Code {
    let mut code = Code::new(8);
    let (left, left_length, left_offset, left_count) = (0, 1, 2, 3);
    let (right, right_length, right_offset, right_count) = (4, 5, 6, 7);
    let common = code.scratch(Scratch::I32);
    let a = code.scratch(Scratch::I32);
    let b = code.scratch(Scratch::I32);

    check_range(&mut code, left_length, left_offset, left_count);
    check_range(&mut code, right_length, right_offset, right_count);
    code.ins().local_get(left).local_get(left_offset).i32_add().local_set(left);
    code.ins().local_get(right).local_get(right_offset).i32_add().local_set(right);
    code.ins().local_get(left_count).local_get(right_count);
    code.ins().local_get(left_count).local_get(right_count).i32_lt_u().select().local_set(common);

    // Skip what is equal, eight bytes at a time.
    code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
    code.ins().local_get(common).i32_const(8).i32_lt_u().br_if(1);
    code.ins().local_get(left).i64_load(EIGHT).local_get(right).i64_load(EIGHT).i64_ne().br_if(1);
    step(&mut code, left, 8);
    step(&mut code, right, 8);
    step(&mut code, common, -8);
    code.ins().br(0).end().end();

    // The first byte that differs decides.
    code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
    code.ins().local_get(common).i32_eqz().br_if(1);
    code.ins().local_get(left).i32_load8_u(BYTE).local_tee(a);
    code.ins().local_get(right).i32_load8_u(BYTE).local_tee(b).i32_ne().if_(BlockType::Empty);
    code.ins().i32_const(-1).i32_const(1).local_get(a).local_get(b).i32_lt_u().select().return_();
    code.ins().end();
    step(&mut code, left, 1);
    step(&mut code, right, 1);
    step(&mut code, common, -1);
    code.ins().br(0).end().end();

    // Then the length.
    code.ins().local_get(left_count).local_get(right_count).i32_gt_u();
    code.ins().local_get(left_count).local_get(right_count).i32_lt_u().i32_sub().end();
    code
}
