//! Maps and sets of numbers with a fixed capacity.
//!
//! A table of slots, each a key and a value; the key -1 marks a free slot. The capacity is a power
//! of two. A key's search begins at its product with a constant, modulo the capacity, and goes on
//! slot by slot, around the end. Slots are reckoned in bytes, so that no step needs a shift. A set
//! is a map whose values nobody reads.

use wasm_encoder::{BlockType, MemArg};

use super::Helper;
use super::code::{Code, Scratch};
use super::handles::{self, MAP_U32, word};
use crate::compiler::ir::Trap;

/// In the record: the address of the slots.
const SLOTS: MemArg = word(0);
/// In the record: the offset of the last slot, which is also the mask of offsets.
const MASK: MemArg = word(4);
/// In the record: how many slots are taken.
const LENGTH: MemArg = word(8);

/// In a slot: the key.
const KEY: MemArg = word(0);
/// In a slot: the value.
const VALUE: MemArg = word(4);

/// Bytes of a slot.
const SLOT: i32 = 8;
/// Turns a number of slots into their size.
const SLOT_SHIFT: i32 = 3;
/// The key of a free slot.
const FREE: i32 = -1;
/// The largest capacity whose size fits a word.
const MOST_SLOTS: i32 = 1 << 28;
/// What keys are multiplied with: 2654435769.
const FACTOR: i32 = 0x9e37_79b9_u32 as i32;

/// Where a search is.
struct Search {
    record: u32,
    slots: u32,
    mask: u32,
    /// The offset of the slot where it began.
    start: u32,
    /// The offset of the present slot.
    offset: u32,
    /// The address of the present slot.
    slot: u32,
    /// The key in it.
    seen: u32,
}

/// Pushes the offset of the slot where the search for a key begins.
fn push_start(code: &mut Code, key: u32, mask: u32) {
    code.ins().local_get(key).i32_const(FACTOR).i32_mul().i32_const(SLOT_SHIFT).i32_shl();
    code.ins().local_get(mask).i32_and();
}

/// Pushes the offset of the slot behind the one at an offset.
fn push_next(code: &mut Code, offset: u32, mask: u32) {
    code.ins().local_get(offset).i32_const(SLOT).i32_add().local_get(mask).i32_and();
}

/// Finds the table and where the search for the key begins; traps on a wrong handle or key.
fn open(code: &mut Code, handle: u32, key: u32) -> Search {
    let search = Search {
        record: code.scratch(Scratch::I32),
        slots: code.scratch(Scratch::I32),
        mask: code.scratch(Scratch::I32),
        start: code.scratch(Scratch::I32),
        offset: code.scratch(Scratch::I32),
        slot: code.scratch(Scratch::I32),
        seen: code.scratch(Scratch::I32),
    };
    handles::find(code, MAP_U32, handle, search.record);
    code.ins().local_get(key).i32_const(FREE).i32_eq();
    code.trap_if(Trap::InvalidKey, None);
    code.ins().local_get(search.record).i32_load(SLOTS).local_set(search.slots);
    code.ins().local_get(search.record).i32_load(MASK).local_set(search.mask);
    push_start(code, key, search.mask);
    code.ins().local_tee(search.start).local_set(search.offset);
    search
}

/// Goes through the slots where the key may be. `present` is the code for the slot that has it,
/// `absent` for the first free one; both return from the function. What follows runs when every
/// slot has another key.
fn walk(code: &mut Code, search: &Search, key: u32, present: impl FnOnce(&mut Code), absent: impl FnOnce(&mut Code)) {
    code.ins().loop_(BlockType::Empty);
    code.ins().local_get(search.slots).local_get(search.offset).i32_add().local_tee(search.slot);
    code.ins().i32_load(KEY).local_tee(search.seen).local_get(key).i32_eq().if_(BlockType::Empty);
    present(code);
    code.ins().end();
    code.ins().local_get(search.seen).i32_const(FREE).i32_eq().if_(BlockType::Empty);
    absent(code);
    code.ins().end();
    push_next(code, search.offset, search.mask);
    code.ins().local_tee(search.offset).local_get(search.start).i32_ne().br_if(0).end();
}

/// Returns a number from the function.
fn return_number(code: &mut Code, number: i32) {
    code.ins().i32_const(number).return_();
}

/// Adds to the number of taken slots.
fn count(code: &mut Code, record: u32, by: i32) {
    code.ins().local_get(record).local_get(record).i32_load(LENGTH).i32_const(by).i32_add().i32_store(LENGTH);
}

/// The code of [`Helper::MapU32New`].
pub(super) fn new() -> Code {
    let mut code = Code::new(1);
    let capacity = 0;
    let size = code.scratch(Scratch::I32);
    let slots = code.scratch(Scratch::I32);
    let handle = code.scratch(Scratch::I32);
    let record = code.scratch(Scratch::I32);

    code.ins().local_get(capacity).i32_popcnt().i32_const(1).i32_ne();
    code.trap_if(Trap::InvalidCapacity, None);
    code.ins().local_get(capacity).i32_const(MOST_SLOTS).i32_gt_u();
    code.trap_if(Trap::OutOfMemory, None);
    code.ins().local_get(capacity).i32_const(SLOT_SHIFT).i32_shl().local_tee(size);
    code.call(Helper::Alloc, None);
    // Every key becomes -1.
    code.ins().local_tee(slots).i32_const(0xff).local_get(size).memory_fill(0);

    handles::create(&mut code, MAP_U32, handle, record);
    code.ins().local_get(record).local_get(slots).i32_store(SLOTS);
    code.ins().local_get(record).local_get(size).i32_const(SLOT).i32_sub().i32_store(MASK);
    code.ins().local_get(record).i32_const(0).i32_store(LENGTH);
    code.ins().local_get(handle).end();
    code
}

/// The code of [`Helper::MapU32Length`].
pub(super) fn length() -> Code {
    let mut code = Code::new(1);
    let handle = 0;
    let record = code.scratch(Scratch::I32);
    handles::find(&mut code, MAP_U32, handle, record);
    code.ins().local_get(record).i32_load(LENGTH).end();
    code
}

/// The code of [`Helper::MapU32Get`].
pub(super) fn get() -> Code {
    let mut code = Code::new(3);
    let (handle, key, default) = (0, 1, 2);
    let search = open(&mut code, handle, key);
    let present = |code: &mut Code| {
        code.ins().local_get(search.slot).i32_load(VALUE).return_();
    };
    let absent = |code: &mut Code| {
        code.ins().local_get(default).return_();
    };
    walk(&mut code, &search, key, present, absent);
    code.ins().local_get(default).end();
    code
}

/// The code of [`Helper::MapU32Contains`].
pub(super) fn contains() -> Code {
    let mut code = Code::new(2);
    let (handle, key) = (0, 1);
    let search = open(&mut code, handle, key);
    walk(&mut code, &search, key, |code| return_number(code, 1), |code| return_number(code, 0));
    code.ins().i32_const(0).end();
    code
}

/// The code of [`Helper::MapU32Set`].
pub(super) fn set() -> Code {
    let mut code = Code::new(3);
    let (handle, key, value) = (0, 1, 2);
    let search = open(&mut code, handle, key);
    let present = |code: &mut Code| {
        code.ins().local_get(search.slot).local_get(value).i32_store(VALUE);
        return_number(code, 0);
    };
    let absent = |code: &mut Code| {
        code.ins().local_get(search.slot).local_get(key).i32_store(KEY);
        code.ins().local_get(search.slot).local_get(value).i32_store(VALUE);
        count(code, search.record, 1);
        return_number(code, 1);
    };
    walk(&mut code, &search, key, present, absent);
    code.trap(Trap::MapFull, None);
    code.ins().end();
    code
}

/// The code of [`Helper::MapU32Remove`].
pub(super) fn remove() -> Code {
    let mut code = Code::new(2);
    let (handle, key) = (0, 1);
    let search = open(&mut code, handle, key);
    let present = |code: &mut Code| {
        code.ins().local_get(search.slot).i32_const(FREE).i32_store(KEY);
        count(code, search.record, -1);
        close_gap(code, &search);
    };
    walk(&mut code, &search, key, present, |code| return_number(code, 0));
    code.ins().i32_const(0).end();
    code
}

/// Takes the run of keys behind a slot that became free out of the table one after another and puts
/// each in again; then returns 1.
fn close_gap(code: &mut Code, search: &Search) {
    let value = code.scratch(Scratch::I32);
    let target = code.scratch(Scratch::I32);
    code.ins().loop_(BlockType::Empty);
    push_next(code, search.offset, search.mask);
    code.ins().local_tee(search.offset).local_get(search.slots).i32_add().local_tee(search.slot);
    code.ins().i32_load(KEY).local_tee(search.seen).i32_const(FREE).i32_eq().if_(BlockType::Empty);
    return_number(code, 1);
    code.ins().end();
    code.ins().local_get(search.slot).i32_load(VALUE).local_set(value);
    code.ins().local_get(search.slot).i32_const(FREE).i32_store(KEY);

    // There is a free slot: the one just left.
    push_start(code, search.seen, search.mask);
    code.ins().local_set(target);
    code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
    code.ins().local_get(search.slots).local_get(target).i32_add().local_tee(search.slot);
    code.ins().i32_load(KEY).i32_const(FREE).i32_eq().br_if(1);
    push_next(code, target, search.mask);
    code.ins().local_set(target).br(0).end().end();
    code.ins().local_get(search.slot).local_get(search.seen).i32_store(KEY);
    code.ins().local_get(search.slot).local_get(value).i32_store(VALUE);
    code.ins().br(0).end();
}

/// The code of [`Helper::MapU32Dump`].
pub(super) fn dump() -> Code {
    let mut code = Code::new(2);
    let (handle, size) = (0, 1);
    let record = code.scratch(Scratch::I32);
    let slot = code.scratch(Scratch::I32);
    let end = code.scratch(Scratch::I32);
    let address = code.scratch(Scratch::I32);
    let length = code.scratch(Scratch::I32);
    let cursor = code.scratch(Scratch::I32);

    handles::find(&mut code, MAP_U32, handle, record);
    code.ins().local_get(record).i32_load(SLOTS).local_tee(slot);
    code.ins().local_get(record).i32_load(MASK).i32_add().i32_const(SLOT).i32_add().local_set(end);
    code.ins().local_get(record).i32_load(LENGTH).local_get(size).i32_mul().local_tee(length);
    code.call(Helper::Alloc, None);
    code.ins().local_tee(address).local_set(cursor);

    code.ins().loop_(BlockType::Empty);
    code.ins().local_get(slot).i32_load(KEY).i32_const(FREE).i32_ne().if_(BlockType::Empty);
    code.ins().local_get(cursor).local_get(slot).i32_load(KEY).i32_store(KEY);
    code.ins().local_get(size).i32_const(SLOT).i32_eq().if_(BlockType::Empty);
    code.ins().local_get(cursor).local_get(slot).i32_load(VALUE).i32_store(VALUE).end();
    code.ins().local_get(cursor).local_get(size).i32_add().local_set(cursor).end();
    code.ins().local_get(slot).i32_const(SLOT).i32_add().local_tee(slot);
    code.ins().local_get(end).i32_ne().br_if(0).end();
    code.ins().local_get(address).local_get(length).end();
    code
}
