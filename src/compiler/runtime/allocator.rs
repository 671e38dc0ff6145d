//! The allocator: two-level segregated fit inside the arena.
//!
//! The arena starts with the tables (list heads and bitmaps of the bins, see `layout`), then come
//! blocks without gaps up to `TOP`; the rest was never given out. A block has a header of two
//! words: its size in bytes, a multiple of 8, with bit 0 set when it is free; and the address of
//! the block before it, 0 for the first. A free block's next two words link it into its bin.
//!
//! Two free blocks never touch, and no free block touches `TOP`: freeing merges at once. So both
//! operations take constant time, and an arena whose blocks were all freed is as good as new.
//!
//! Bins are eight to a power of two. A block is looked for in the first bin all of whose blocks are
//! large enough, then above `TOP`, and only when that fails in the one bin that may hold blocks of
//! either kind, by walking it: a program then still gets memory where it would otherwise end.

use wasm_encoder::{BlockType, MemArg};

use super::Helper;
use super::code::{Code, Scratch};
use super::layout::{BITMAPS, END, LAST, ROWS, TABLES, TOP};
use crate::compiler::ir::Trap;

/// Size and free bit of a block.
const SIZE: MemArg = word(0);
/// The block before.
const BEFORE: MemArg = word(4);
/// The next block of the same bin.
const NEXT: MemArg = word(8);
/// The previous block of the same bin.
const PREVIOUS: MemArg = word(12);
/// The list head of a bin, at its index times four.
const HEAD: MemArg = word(0);
/// The bitmap of a row, at its index.
const BITMAP: MemArg = MemArg { offset: BITMAPS as u64, align: 0, memory_index: 0 };

/// Bytes of a block's header.
const HEADER: i32 = 8;
/// The smallest block: a header and room for the two links.
const MIN_BLOCK: i32 = 16;
/// Clears the low bits of a size.
const SIZE_MASK: i32 = -8;
/// The largest request whose block size still fits a word.
const MAX_REQUEST: i32 = -24;

const fn word(offset: u64) -> MemArg {
    MemArg { offset, align: 2, memory_index: 0 }
}

/// Pushes the bin index of a block size; `unit` and `shift` are overwritten.
///
/// In units of 8 bytes, sizes below 8 have a bin each; above, the bin follows from the position of
/// the highest bit and the three bits below it.
fn push_bin(code: &mut Code, size: u32, unit: u32, shift: u32) {
    code.ins().local_get(size).i32_const(3).i32_shr_u().local_set(unit);
    push_bin_of_unit(code, unit, shift);
}

/// As [`push_bin`], for a size already divided by 8.
fn push_bin_of_unit(code: &mut Code, unit: u32, shift: u32) {
    push_shift(code, unit);
    code.ins().local_tee(shift).i32_const(3).i32_shl();
    code.ins().local_get(unit).local_get(shift).i32_shr_u().i32_add();
}

/// Pushes by how much a unit is shifted so that at most four bits remain.
fn push_shift(code: &mut Code, unit: u32) {
    code.ins().i32_const(28).local_get(unit).i32_const(8).i32_or().i32_clz().i32_sub();
}

/// Pushes the address of the tables plus four times a local.
fn push_head_slot(code: &mut Code, index: u32) {
    code.ins().global_get(TABLES).local_get(index).i32_const(2).i32_shl().i32_add();
}

/// Pushes the block size for a request in a local and traps when it is too large for any block.
fn push_block_size(code: &mut Code, request: u32) {
    code.ins().local_get(request).i32_const(MAX_REQUEST).i32_gt_u();
    code.trap_if(Trap::OutOfMemory, None);
    code.ins().local_get(request).i32_const(HEADER + 7).i32_add().i32_const(SIZE_MASK).i32_and();
}

/// The code of [`Helper::Alloc`].
pub(super) fn alloc() -> Code {
    let mut code = Code::new(1);
    let request = 0;
    let size = code.scratch(Scratch::I32);
    let block = code.scratch(Scratch::I32);
    let row = code.scratch(Scratch::I32);
    let bits = code.scratch(Scratch::I32);
    let unit = code.scratch(Scratch::I32);
    let shift = code.scratch(Scratch::I32);

    code.ins().local_get(request).i32_eqz().if_(BlockType::Empty).i32_const(0).return_().end();
    push_block_size(&mut code, request);
    code.ins().local_set(size);

    // The first bin that holds no block below `size`: that of `size` rounded up to a bin's start.
    code.ins().local_get(size).i32_const(3).i32_shr_u().local_set(unit);
    push_shift(&mut code, unit);
    code.ins().local_set(shift);
    code.ins().local_get(unit).i32_const(1).local_get(shift).i32_shl().i32_add();
    code.ins().i32_const(1).i32_sub().local_set(unit);
    push_bin_of_unit(&mut code, unit, shift);
    code.ins().local_tee(block).i32_const(3).i32_shr_u().local_set(row);

    // The bins of that row from there on, or else the lowest bin of any higher row.
    code.ins().global_get(TABLES).local_get(row).i32_add().i32_load8_u(BITMAP);
    code.ins().i32_const(-1).local_get(block).i32_const(7).i32_and().i32_shl().i32_and();
    code.ins().local_tee(bits).i32_eqz().if_(BlockType::Empty);
    code.ins().global_get(ROWS).i32_const(-2).local_get(row).i32_shl().i32_and().local_tee(bits);
    code.ins().if_(BlockType::Empty);
    code.ins().local_get(bits).i32_ctz().local_set(row);
    code.ins().global_get(TABLES).local_get(row).i32_add().i32_load8_u(BITMAP).local_set(bits);
    code.ins().end().end();

    code.ins().local_get(bits).if_(BlockType::Empty);
    code.ins().local_get(row).i32_const(3).i32_shl().local_get(bits).i32_ctz().i32_add().local_set(block);
    push_head_slot(&mut code, block);
    code.ins().i32_load(HEAD).local_set(block);
    code.ins().else_();

    // No such bin: take from above the last block.
    code.ins().global_get(END).global_get(TOP).i32_sub().local_get(size).i32_ge_u();
    code.ins().if_(BlockType::Empty);
    code.ins().global_get(TOP).local_tee(block).local_get(size).i32_store(SIZE);
    code.ins().local_get(block).global_get(LAST).i32_store(BEFORE);
    code.ins().local_get(block).global_set(LAST);
    code.ins().local_get(block).local_get(size).i32_add().global_set(TOP);
    code.ins().local_get(block).i32_const(HEADER).i32_add().return_();
    code.ins().end();

    // Last resort: a block of the request's own bin that happens to be large enough. The free bit
    // does not disturb the comparison, since sizes are multiples of 8.
    push_bin(&mut code, size, unit, shift);
    code.ins().local_set(block);
    push_head_slot(&mut code, block);
    code.ins().i32_load(HEAD).local_set(block);
    code.ins().loop_(BlockType::Empty);
    code.ins().local_get(block).i32_eqz();
    code.trap_if(Trap::OutOfMemory, None);
    code.ins().local_get(block).i32_load(SIZE).local_get(size).i32_lt_u().if_(BlockType::Empty);
    code.ins().local_get(block).i32_load(NEXT).local_set(block).br(1);
    code.ins().end().end();
    code.ins().end();

    code.ins().local_get(block);
    code.call(Helper::Unlink, None);
    code.ins().local_get(block).local_get(size);
    code.ins().local_get(block).i32_load(SIZE).i32_const(SIZE_MASK).i32_and();
    code.call(Helper::Carve, None);
    code.ins().local_get(block).i32_const(HEADER).i32_add().end();
    code
}

/// The code of [`Helper::AllocZeroed`].
pub(super) fn alloc_zeroed() -> Code {
    let mut code = Code::new(1);
    let size = 0;
    let address = code.scratch(Scratch::I32);
    code.ins().local_get(size);
    code.call(Helper::Alloc, None);
    code.ins().local_tee(address).i32_const(0).local_get(size).memory_fill(0);
    code.ins().local_get(address).end();
    code
}

/// The code of [`Helper::Free`].
pub(super) fn free() -> Code {
    let mut code = Code::new(1);
    let address = 0;
    let block = code.scratch(Scratch::I32);
    let size = code.scratch(Scratch::I32);
    let before = code.scratch(Scratch::I32);
    let after = code.scratch(Scratch::I32);

    code.ins().local_get(address).i32_eqz().if_(BlockType::Empty).return_().end();
    code.ins().local_get(address).i32_const(HEADER).i32_sub().local_tee(block);
    code.ins().i32_load(SIZE).local_tee(size).local_get(block).i32_add().local_set(after);

    // Merge with the block before.
    code.ins().local_get(block).i32_load(BEFORE).local_tee(before).if_(BlockType::Empty);
    code.ins().local_get(before).i32_load(SIZE).i32_const(1).i32_and().if_(BlockType::Empty);
    code.ins().local_get(before);
    code.call(Helper::Unlink, None);
    code.ins().local_get(before).i32_load(SIZE).i32_const(SIZE_MASK).i32_and();
    code.ins().local_get(size).i32_add().local_set(size);
    code.ins().local_get(before).local_set(block);
    code.ins().end().end();

    // The last block goes back to what was never given out.
    code.ins().local_get(after).global_get(TOP).i32_eq().if_(BlockType::Empty);
    code.ins().local_get(block).global_set(TOP);
    code.ins().local_get(block).i32_load(BEFORE).global_set(LAST).return_();
    code.ins().end();

    // Merge with the block after.
    code.ins().local_get(after).i32_load(SIZE).i32_const(1).i32_and().if_(BlockType::Empty);
    code.ins().local_get(after);
    code.call(Helper::Unlink, None);
    code.ins().local_get(after).i32_load(SIZE).i32_const(SIZE_MASK).i32_and();
    code.ins().local_get(size).i32_add().local_set(size);
    code.ins().end();

    code.ins().local_get(block).local_get(size).i32_const(1).i32_or().i32_store(SIZE);
    code.ins().local_get(block).local_get(size).i32_add().local_get(block).i32_store(BEFORE);
    code.ins().local_get(block);
    code.call(Helper::Link, None);
    code.ins().end();
    code
}

/// The code of [`Helper::Realloc`].
pub(super) fn realloc() -> Code {
    let mut code = Code::new(3);
    let (address, keep, request) = (0, 1, 2);
    let block = code.scratch(Scratch::I32);
    let size = code.scratch(Scratch::I32);
    let have = code.scratch(Scratch::I32);
    let after = code.scratch(Scratch::I32);

    code.ins().local_get(address).i32_eqz().if_(BlockType::Empty);
    code.ins().local_get(request);
    code.call(Helper::Alloc, None);
    code.ins().return_().end();

    push_block_size(&mut code, request);
    code.ins().local_set(size);
    code.ins().local_get(address).i32_const(HEADER).i32_sub().local_tee(block);
    code.ins().i32_load(SIZE).local_tee(have).local_get(size).i32_ge_u().if_(BlockType::Empty);
    code.ins().local_get(address).return_().end();

    code.ins().local_get(block).local_get(have).i32_add().local_tee(after);
    code.ins().global_get(TOP).i32_eq().if_(BlockType::Empty);
    // The last block grows into what was never given out.
    code.ins().global_get(END).local_get(block).i32_sub().local_get(size).i32_ge_u().if_(BlockType::Empty);
    code.ins().local_get(block).local_get(size).i32_store(SIZE);
    code.ins().local_get(block).local_get(size).i32_add().global_set(TOP);
    code.ins().local_get(address).return_();
    code.ins().end();
    code.ins().else_();
    // Another block grows into a free one behind it.
    code.ins().local_get(after).i32_load(SIZE).i32_const(1).i32_and().if_(BlockType::Empty);
    code.ins().local_get(after).i32_load(SIZE).i32_const(SIZE_MASK).i32_and();
    code.ins().local_get(have).i32_add().local_tee(have);
    code.ins().local_get(size).i32_ge_u().if_(BlockType::Empty);
    code.ins().local_get(after);
    code.call(Helper::Unlink, None);
    code.ins().local_get(block).local_get(size).local_get(have);
    code.call(Helper::Carve, None);
    code.ins().local_get(address).return_();
    code.ins().end().end().end();

    // Otherwise it moves.
    code.ins().local_get(request);
    code.call(Helper::Alloc, None);
    code.ins().local_tee(block).local_get(address).local_get(keep).memory_copy(0, 0);
    code.ins().local_get(address);
    code.call(Helper::Free, None);
    code.ins().local_get(block).end();
    code
}

/// The code of [`Helper::Carve`].
pub(super) fn carve() -> Code {
    let mut code = Code::new(3);
    let (block, size, total) = (0, 1, 2);
    let rest = code.scratch(Scratch::I32);
    let tail = code.scratch(Scratch::I32);

    code.ins().local_get(total).local_get(size).i32_sub().local_tee(rest);
    code.ins().i32_const(MIN_BLOCK).i32_ge_u().if_(BlockType::Empty);
    code.ins().local_get(block).local_get(size).i32_store(SIZE);
    code.ins().local_get(block).local_get(size).i32_add().local_tee(tail);
    code.ins().local_get(rest).i32_const(1).i32_or().i32_store(SIZE);
    code.ins().local_get(tail).local_get(block).i32_store(BEFORE);
    code.ins().local_get(tail).local_get(rest).i32_add().local_get(tail).i32_store(BEFORE);
    code.ins().local_get(tail);
    code.call(Helper::Link, None);
    code.ins().else_();
    code.ins().local_get(block).local_get(total).i32_store(SIZE);
    code.ins().local_get(block).local_get(total).i32_add().local_get(block).i32_store(BEFORE);
    code.ins().end().end();
    code
}

/// The code of [`Helper::Link`].
pub(super) fn link() -> Code {
    let mut code = Code::new(1);
    let block = 0;
    let index = code.scratch(Scratch::I32);
    let slot = code.scratch(Scratch::I32);
    let head = code.scratch(Scratch::I32);
    let row = code.scratch(Scratch::I32);
    let unit = code.scratch(Scratch::I32);
    let shift = code.scratch(Scratch::I32);

    code.ins().local_get(block).i32_load(SIZE).local_set(unit);
    push_bin(&mut code, unit, unit, shift);
    code.ins().local_set(index);
    push_head_slot(&mut code, index);
    code.ins().local_tee(slot).i32_load(HEAD).local_set(head);
    code.ins().local_get(block).local_get(head).i32_store(NEXT);
    code.ins().local_get(block).i32_const(0).i32_store(PREVIOUS);
    code.ins().local_get(slot).local_get(block).i32_store(HEAD);
    code.ins().local_get(head).if_(BlockType::Empty);
    code.ins().local_get(head).local_get(block).i32_store(PREVIOUS);
    code.ins().else_();
    // The bin was empty: mark it and its row.
    code.ins().i32_const(1).local_get(index).i32_const(3).i32_shr_u().local_tee(row).i32_shl();
    code.ins().global_get(ROWS).i32_or().global_set(ROWS);
    code.ins().global_get(TABLES).local_get(row).i32_add().local_tee(row);
    code.ins().local_get(row).i32_load8_u(BITMAP);
    code.ins().i32_const(1).local_get(index).i32_const(7).i32_and().i32_shl().i32_or();
    code.ins().i32_store8(BITMAP);
    code.ins().end().end();
    code
}

/// The code of [`Helper::Unlink`].
pub(super) fn unlink() -> Code {
    let mut code = Code::new(1);
    let block = 0;
    let next = code.scratch(Scratch::I32);
    let previous = code.scratch(Scratch::I32);
    let index = code.scratch(Scratch::I32);
    let row = code.scratch(Scratch::I32);
    let bits = code.scratch(Scratch::I32);
    let unit = code.scratch(Scratch::I32);
    let shift = code.scratch(Scratch::I32);

    code.ins().local_get(block).i32_load(NEXT).local_tee(next).if_(BlockType::Empty);
    code.ins().local_get(next).local_get(block).i32_load(PREVIOUS).i32_store(PREVIOUS);
    code.ins().end();
    code.ins().local_get(block).i32_load(PREVIOUS).local_tee(previous).if_(BlockType::Empty);
    code.ins().local_get(previous).local_get(next).i32_store(NEXT).return_();
    code.ins().end();

    // It was the first of its bin.
    code.ins().local_get(block).i32_load(SIZE).local_set(unit);
    push_bin(&mut code, unit, unit, shift);
    code.ins().local_set(index);
    push_head_slot(&mut code, index);
    code.ins().local_get(next).i32_store(HEAD);
    code.ins().local_get(next).if_(BlockType::Empty).return_().end();

    // It was also the last: clear the bin's bit, and the row's when no bin of it is left.
    code.ins().global_get(TABLES).local_get(index).i32_const(3).i32_shr_u().local_tee(row).i32_add();
    code.ins().global_get(TABLES).local_get(row).i32_add().i32_load8_u(BITMAP);
    code.ins().i32_const(1).local_get(index).i32_const(7).i32_and().i32_shl().i32_xor();
    code.ins().local_tee(bits).i32_store8(BITMAP);
    code.ins().local_get(bits).i32_eqz().if_(BlockType::Empty);
    code.ins().global_get(ROWS).i32_const(1).local_get(row).i32_shl().i32_xor().global_set(ROWS);
    code.ins().end().end();
    code
}

// The tables hold a head for every bin and a bitmap for every row.
const _: () = assert!(BITMAPS + super::layout::BIN_ROWS <= super::layout::HANDLES);
