//! Growable vectors of values: of numbers, of bytes that the vector owns, or of views.
//!
//! A number takes one word, bytes and views take two, address and length.

use wasm_encoder::{BlockType, MemArg};

use super::Helper;
use super::code::{Code, Scratch};
use super::elements::{self, BYTES, NUMBER, VIEW};
use super::handles::{self, VEC_VALUE, word};
use crate::compiler::ir::Trap;

/// In the record: the address of the elements, 0 when there is no room for any.
const DATA: MemArg = word(0);
/// In the record: how many elements there are.
const LENGTH: MemArg = word(4);
/// In the record: how many there is room for.
const CAPACITY: MemArg = word(8);
/// In the record: the kind of the elements.
const KIND: MemArg = word(12);

/// In an element: a number, or an address.
const FIRST: MemArg = word(0);
/// In an element: a length.
const SECOND: MemArg = word(4);

/// Turns a number of numbers into their size.
const NUMBER_SHIFT: i32 = 2;
/// Turns a number of addresses with lengths into their size.
const PAIR_SHIFT: i32 = 3;
/// Bytes of an address with length.
const PAIR: i32 = 8;
/// The most elements whose size fits a word.
const MOST_ELEMENTS: i32 = 1 << 28;
/// A vector that was made without room first gets room for 2 to this power.
const FIRST_CAPACITY_SHIFT: i32 = 2;

/// Pushes what a number of elements of the kind on the stack is shifted by to get their size.
fn push_shift(code: &mut Code) {
    code.ins().i32_const(NUMBER).i32_ne().i32_const(NUMBER_SHIFT).i32_add();
}

/// Finds the record of a vector of numbers.
fn open_numbers(code: &mut Code, handle: u32) -> u32 {
    let record = code.scratch(Scratch::I32);
    handles::find(code, VEC_VALUE, handle, record);
    code.ins().local_get(record).i32_load(KIND).i32_const(NUMBER).i32_ne();
    code.trap_if(Trap::TypeMismatch, None);
    record
}

/// Finds the record of a vector of the kind in a local.
fn open_pairs(code: &mut Code, handle: u32, kind: u32) -> u32 {
    let record = code.scratch(Scratch::I32);
    handles::find(code, VEC_VALUE, handle, record);
    code.ins().local_get(record).i32_load(KIND).local_get(kind).i32_ne();
    code.trap_if(Trap::TypeMismatch, None);
    record
}

/// Pushes whether an index is outside the vector.
fn push_is_outside(code: &mut Code, record: u32, index: u32) {
    code.ins().local_get(index).local_get(record).i32_load(LENGTH).i32_ge_u();
}

/// Pushes the address of an element.
fn push_element(code: &mut Code, record: u32, index: u32, shift: i32) {
    code.ins().local_get(record).i32_load(DATA);
    code.ins().local_get(index).i32_const(shift).i32_shl().i32_add();
}

/// Gives the elements a block for `capacity` of them; `length` of them stay. `shift` pushes by what
/// either is shifted. Traps when the size does not fit a word.
fn resize(code: &mut Code, record: u32, length: u32, capacity: u32, shift: impl Fn(&mut Code)) {
    code.ins().local_get(capacity).i32_const(MOST_ELEMENTS).i32_gt_u();
    code.trap_if(Trap::OutOfMemory, None);
    code.ins().local_get(record);
    code.ins().local_get(record).i32_load(DATA);
    code.ins().local_get(length);
    shift(code);
    code.ins().i32_shl().local_get(capacity);
    shift(code);
    code.ins().i32_shl();
    code.call(Helper::Realloc, None);
    code.ins().i32_store(DATA);
    code.ins().local_get(record).local_get(capacity).i32_store(CAPACITY);
}

/// Makes room for one more element; yields the local that holds the length.
fn make_room(code: &mut Code, record: u32, shift: i32) -> u32 {
    let length = code.scratch(Scratch::I32);
    let capacity = code.scratch(Scratch::I32);
    code.ins().local_get(record).i32_load(LENGTH).local_tee(length);
    code.ins().local_get(record).i32_load(CAPACITY).i32_eq().if_(BlockType::Empty);
    code.ins().local_get(length).i32_const(1).i32_shl();
    code.ins().local_get(length).i32_eqz().i32_const(FIRST_CAPACITY_SHIFT).i32_shl();
    code.ins().i32_or().local_set(capacity);
    resize(code, record, length, capacity, |code| {
        code.ins().i32_const(shift);
    });
    code.ins().end();
    length
}

/// Counts the element behind the last, and returns the handle.
fn count_and_return(code: &mut Code, record: u32, length: u32, handle: u32) {
    code.ins().local_get(record).local_get(length).i32_const(1).i32_add().i32_store(LENGTH);
    code.ins().local_get(handle).end();
}

/// The code of [`Helper::VecValueNew`].
pub(super) fn new() -> Code {
    let mut code = Code::new(2);
    let (kind, capacity) = (0, 1);
    let data = code.scratch(Scratch::I32);
    let handle = code.scratch(Scratch::I32);
    let record = code.scratch(Scratch::I32);

    elements::check_type(&mut code, kind);
    code.ins().local_get(capacity).i32_const(MOST_ELEMENTS).i32_gt_u();
    code.trap_if(Trap::OutOfMemory, None);
    code.ins().local_get(capacity).local_get(kind);
    push_shift(&mut code);
    code.ins().i32_shl();
    code.call(Helper::Alloc, None);
    code.ins().local_set(data);

    handles::create(&mut code, VEC_VALUE, handle, record);
    code.ins().local_get(record).local_get(data).i32_store(DATA);
    code.ins().local_get(record).i32_const(0).i32_store(LENGTH);
    code.ins().local_get(record).local_get(capacity).i32_store(CAPACITY);
    code.ins().local_get(record).local_get(kind).i32_store(KIND);
    code.ins().local_get(handle).end();
    code
}

/// The code of [`Helper::VecValueLength`].
pub(super) fn length() -> Code {
    let mut code = Code::new(1);
    let handle = 0;
    let record = code.scratch(Scratch::I32);
    handles::find(&mut code, VEC_VALUE, handle, record);
    code.ins().local_get(record).i32_load(LENGTH).end();
    code
}

/// The code of [`Helper::VecValueReserve`].
pub(super) fn reserve() -> Code {
    let mut code = Code::new(2);
    let (handle, more) = (0, 1);
    let record = code.scratch(Scratch::I32);
    let length = code.scratch(Scratch::I32);
    let need = code.scratch(Scratch::I32);

    handles::find(&mut code, VEC_VALUE, handle, record);
    code.ins().local_get(record).i32_load(LENGTH).local_tee(length);
    code.ins().local_get(more).i32_add().local_tee(need).local_get(length).i32_lt_u();
    code.trap_if(Trap::OutOfMemory, None);
    code.ins().local_get(need).local_get(record).i32_load(CAPACITY).i32_gt_u().if_(BlockType::Empty);
    resize(&mut code, record, length, need, |code| {
        code.ins().local_get(record).i32_load(KIND);
        push_shift(code);
    });
    code.ins().end();
    code.ins().local_get(handle).end();
    code
}

/// The code of [`Helper::VecValuePushNumber`].
pub(super) fn push_number() -> Code {
    let mut code = Code::new(2);
    let (handle, number) = (0, 1);
    let record = open_numbers(&mut code, handle);
    let length = make_room(&mut code, record, NUMBER_SHIFT);
    push_element(&mut code, record, length, NUMBER_SHIFT);
    code.ins().local_get(number).i32_store(FIRST);
    count_and_return(&mut code, record, length, handle);
    code
}

/// The code of [`Helper::VecValuePushBytes`].
pub(super) fn push_bytes() -> Code {
    let mut code = Code::new(4);
    let (handle, address, size, kind) = (0, 1, 2, 3);
    let element = code.scratch(Scratch::I32);
    let record = open_pairs(&mut code, handle, kind);
    keep_views(&mut code, kind, address, size);
    let length = make_room(&mut code, record, PAIR_SHIFT);
    push_element(&mut code, record, length, PAIR_SHIFT);
    code.ins().local_tee(element).local_get(address).i32_store(FIRST);
    code.ins().local_get(element).local_get(size).i32_store(SECOND);
    count_and_return(&mut code, record, length, handle);
    code
}

/// Replaces the address of a view by one that stays; leaves that of bytes alone.
fn keep_views(code: &mut Code, kind: u32, address: u32, size: u32) {
    code.ins().local_get(kind).i32_const(VIEW).i32_eq().if_(BlockType::Empty);
    code.ins().local_get(address).local_get(size);
    code.call(Helper::KeepView, None);
    code.ins().local_set(address).end();
}

/// The code of [`Helper::VecValueGetNumber`].
pub(super) fn get_number() -> Code {
    let mut code = Code::new(3);
    let (handle, index, default) = (0, 1, 2);
    let record = open_numbers(&mut code, handle);
    push_is_outside(&mut code, record, index);
    code.ins().if_(BlockType::Empty).local_get(default).return_().end();
    push_element(&mut code, record, index, NUMBER_SHIFT);
    code.ins().i32_load(FIRST).end();
    code
}

/// The code of [`Helper::VecValueGetBytes`].
pub(super) fn get_bytes() -> Code {
    let mut code = Code::new(5);
    let (handle, index, default, default_size, kind) = (0, 1, 2, 3, 4);
    let element = code.scratch(Scratch::I32);
    let record = open_pairs(&mut code, handle, kind);
    push_is_outside(&mut code, record, index);
    code.ins().if_(BlockType::Empty).local_get(default).local_get(default_size).return_().end();
    push_element(&mut code, record, index, PAIR_SHIFT);
    code.ins().local_set(element);

    code.ins().local_get(kind).i32_const(BYTES).i32_eq().if_(BlockType::Empty);
    code.ins().local_get(default);
    code.call(Helper::Free, None);
    code.ins().local_get(element).i32_load(FIRST).local_get(element).i32_load(SECOND);
    code.call(Helper::Copy, None);
    code.ins().return_().end();
    code.ins().local_get(element).i32_load(FIRST).local_get(element).i32_load(SECOND).end();
    code
}

/// The code of [`Helper::VecValueSetNumber`].
pub(super) fn set_number() -> Code {
    let mut code = Code::new(3);
    let (handle, index, number) = (0, 1, 2);
    let record = open_numbers(&mut code, handle);
    push_is_outside(&mut code, record, index);
    code.trap_if(Trap::OutOfBounds, None);
    push_element(&mut code, record, index, NUMBER_SHIFT);
    code.ins().local_get(number).i32_store(FIRST);
    code.ins().local_get(handle).end();
    code
}

/// The code of [`Helper::VecValueSetBytes`].
pub(super) fn set_bytes() -> Code {
    let mut code = Code::new(5);
    let (handle, index, address, size, kind) = (0, 1, 2, 3, 4);
    let element = code.scratch(Scratch::I32);
    let record = open_pairs(&mut code, handle, kind);
    push_is_outside(&mut code, record, index);
    code.trap_if(Trap::OutOfBounds, None);
    keep_views(&mut code, kind, address, size);
    push_element(&mut code, record, index, PAIR_SHIFT);
    code.ins().local_set(element);
    code.ins().local_get(kind).i32_const(BYTES).i32_eq().if_(BlockType::Empty);
    code.ins().local_get(element).i32_load(FIRST);
    code.call(Helper::Free, None);
    code.ins().end();
    code.ins().local_get(element).local_get(address).i32_store(FIRST);
    code.ins().local_get(element).local_get(size).i32_store(SECOND);
    code.ins().local_get(handle).end();
    code
}

/// The code of [`Helper::VecValuePop`].
pub(super) fn pop() -> Code {
    let mut code = Code::new(1);
    let handle = 0;
    let record = code.scratch(Scratch::I32);
    let length = code.scratch(Scratch::I32);
    handles::find(&mut code, VEC_VALUE, handle, record);
    code.ins().local_get(record).i32_load(LENGTH).local_tee(length).if_(BlockType::Empty);
    code.ins().local_get(length).i32_const(1).i32_sub().local_set(length);
    code.ins().local_get(record).i32_load(KIND).i32_const(BYTES).i32_eq().if_(BlockType::Empty);
    push_element(&mut code, record, length, PAIR_SHIFT);
    code.ins().i32_load(FIRST);
    code.call(Helper::Free, None);
    code.ins().end();
    code.ins().local_get(record).local_get(length).i32_store(LENGTH).end();
    code.ins().local_get(handle).end();
    code
}

/// The code of [`Helper::VecValueClear`].
pub(super) fn clear() -> Code {
    let mut code = Code::new(1);
    let handle = 0;
    let record = code.scratch(Scratch::I32);
    let element = code.scratch(Scratch::I32);
    let end = code.scratch(Scratch::I32);
    handles::find(&mut code, VEC_VALUE, handle, record);
    code.ins().local_get(record).i32_load(KIND).i32_const(BYTES).i32_eq().if_(BlockType::Empty);
    code.ins().local_get(record).i32_load(DATA).local_tee(element);
    code.ins().local_get(record).i32_load(LENGTH).i32_const(PAIR_SHIFT).i32_shl().i32_add().local_set(end);
    code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
    code.ins().local_get(element).local_get(end).i32_eq().br_if(1);
    code.ins().local_get(element).i32_load(FIRST);
    code.call(Helper::Free, None);
    code.ins().local_get(element).i32_const(PAIR).i32_add().local_set(element);
    code.ins().br(0).end().end().end();
    code.ins().local_get(record).i32_const(0).i32_store(LENGTH);
    code.ins().local_get(handle).end();
    code
}
