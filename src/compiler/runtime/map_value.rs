//! Growing maps from values to values: numbers, bytes that the map owns, or views.
//!
//! A table of slots with open addressing. A slot starts with a mark: 0 when it is free, else the
//! key's hash with the highest bit set. Then come the words of the key and of the value, two each,
//! the second 0 for numbers. A search begins at the hash modulo the number of slots, a power of two,
//! and ends at a free slot, of which there is always one. Removing moves later slots of the run into
//! the gap, so that no slot needs a mark for what was there.

use wasm_encoder::{BlockType, MemArg, ValType};

use super::Helper;
use super::code::{Code, Scratch};
use super::elements::{self, BYTES, NUMBER, VIEW};
use super::handles::{self, MAP_VALUE, word};
use crate::compiler::ir::Trap;

/// In the record: the address of the slots, 0 when there are none.
const SLOTS: MemArg = word(0);
/// In the record: the number of slots minus 1.
const MASK: MemArg = word(4);
/// In the record: the number of keys.
const LENGTH: MemArg = word(8);
/// In the record: the kind of keys, and that of values shifted by [`VALUE_SHIFT`].
const KINDS: MemArg = word(12);

/// In a slot: the mark.
const MARK: MemArg = word(0);
/// In a slot: a number, or the address of a key.
const KEY: MemArg = word(4);
/// In a slot: the length of a key.
const KEY_LENGTH: MemArg = word(8);
/// In a slot: a number, or the address of a value.
const VALUE: MemArg = word(12);
/// In a slot: the length of a value.
const VALUE_LENGTH: MemArg = word(16);

/// Bytes of a slot.
const SLOT: i32 = 20;
/// The most slots whose size fits a word.
const MOST_SLOTS: i32 = 1 << 27;
/// The first number of slots is 2 to this power.
const FIRST_SLOTS_SHIFT: i32 = 3;
/// The bit that tells a mark from 0.
const TAKEN: i32 = i32::MIN;
/// The bits of the kind of keys.
const KEY_MASK: i32 = 0xff;
/// What the kind of values is shifted by.
pub const VALUE_SHIFT: i32 = 8;
/// An odd number whose bits look random.
const FACTOR: i64 = 0x9e37_79b9_7f4a_7c15_u64 as i64;

const BYTE: MemArg = MemArg { offset: 0, align: 0, memory_index: 0 };
/// Eight bytes at any address.
const EIGHT: MemArg = MemArg { offset: 0, align: 0, memory_index: 0 };

/// Pushes the kind of keys from the kinds in a local.
fn push_key_kind(code: &mut Code, kinds: u32) {
    code.ins().local_get(kinds).i32_const(KEY_MASK).i32_and();
}

/// Begins code for maps whose keys have a certain kind.
fn if_keys_are(code: &mut Code, kinds: u32, kind: i32) {
    push_key_kind(code, kinds);
    code.ins().i32_const(kind).i32_eq().if_(BlockType::Empty);
}

/// Begins code for maps whose values have a certain kind.
fn if_values_are(code: &mut Code, kinds: u32, kind: i32) {
    code.ins().local_get(kinds).i32_const(VALUE_SHIFT).i32_shr_u();
    code.ins().i32_const(kind).i32_eq().if_(BlockType::Empty);
}

/// Frees the block with the address in a local.
fn free(code: &mut Code, address: u32) {
    code.ins().local_get(address);
    code.call(Helper::Free, None);
}

/// Frees the block with the address at an address.
fn free_at(code: &mut Code, slot: u32, what: MemArg) {
    code.ins().local_get(slot).i32_load(what);
    code.call(Helper::Free, None);
}

/// Replaces the address of a view by one that stays.
fn keep(code: &mut Code, address: u32, length: u32) {
    code.ins().local_get(address).local_get(length);
    code.call(Helper::KeepView, None);
    code.ins().local_set(address);
}

/// Reduces `index` to that of a slot and sets `slot` to the slot's address.
fn go_to(code: &mut Code, slots: u32, mask: u32, index: u32, slot: u32) {
    code.ins().local_get(index).local_get(mask).i32_and().local_tee(index);
    code.ins().i32_const(SLOT).i32_mul().local_get(slots).i32_add().local_set(slot);
}

/// Adds 1 to a local.
fn advance(code: &mut Code, index: u32) {
    code.ins().local_get(index).i32_const(1).i32_add().local_set(index);
}

/// Adds to the number of keys.
fn count(code: &mut Code, record: u32, by: i32) {
    code.ins().local_get(record).local_get(record).i32_load(LENGTH).i32_const(by).i32_add().i32_store(LENGTH);
}

/// Sets `slot` to the first free slot from `index` on.
fn find_free(code: &mut Code, slots: u32, mask: u32, index: u32, slot: u32) {
    code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
    go_to(code, slots, mask, index, slot);
    code.ins().local_get(slot).i32_load(MARK).i32_eqz().br_if(1);
    advance(code, index);
    code.ins().br(0).end().end();
}

/// Finds the record of a map; traps when its keys have another kind than a local says.
fn open_by_key(code: &mut Code, handle: u32, kind: u32, record: u32) {
    handles::find(code, MAP_VALUE, handle, record);
    code.ins().local_get(record).i32_load(KINDS).i32_const(KEY_MASK).i32_and().local_get(kind).i32_ne();
    code.trap_if(Trap::TypeMismatch, None);
}

/// Finds the record of a map; traps when it has other kinds than a local says.
fn open(code: &mut Code, handle: u32, kinds: u32, record: u32) {
    handles::find(code, MAP_VALUE, handle, record);
    code.ins().local_get(record).i32_load(KINDS).local_get(kinds).i32_ne();
    code.trap_if(Trap::TypeMismatch, None);
}

/// Sets `slot` to the address of a key's slot, or 0, and frees the key if it is owned.
fn find_and_free_key(code: &mut Code, record: u32, kinds: u32, key: u32, key_length: u32, slot: u32) {
    code.ins().local_get(record);
    push_key_kind(code, kinds);
    code.ins().local_get(key).local_get(key_length);
    code.call(Helper::MapValueHash, None);
    code.ins().local_get(key).local_get(key_length);
    code.call(Helper::MapValueFind, None);
    code.ins().local_set(slot);
    if_keys_are(code, kinds, BYTES);
    free(code, key);
    code.ins().end();
}

/// The code of [`Helper::MapValueNew`].
pub(super) fn new() -> Code {
    let mut code = Code::new(3);
    let (key, value, capacity) = (0, 1, 2);
    let handle = code.scratch(Scratch::I32);
    let record = code.scratch(Scratch::I32);
    elements::check_type(&mut code, key);
    elements::check_type(&mut code, value);
    code.ins().local_get(capacity).i32_popcnt().i32_const(1).i32_ne();
    code.trap_if(Trap::InvalidCapacity, None);

    handles::create(&mut code, MAP_VALUE, handle, record);
    make_empty(&mut code, record);
    code.ins().local_get(record).local_get(key);
    code.ins().local_get(value).i32_const(VALUE_SHIFT).i32_shl().i32_or().i32_store(KINDS);
    code.ins().local_get(handle).end();
    code
}

/// Gives a map no slots.
fn make_empty(code: &mut Code, record: u32) {
    code.ins().local_get(record).i32_const(0).i32_store(SLOTS);
    code.ins().local_get(record).i32_const(-1).i32_store(MASK);
    code.ins().local_get(record).i32_const(0).i32_store(LENGTH);
}

/// The code of [`Helper::MapValueLength`].
pub(super) fn length() -> Code {
    let mut code = Code::new(1);
    let handle = 0;
    let record = code.scratch(Scratch::I32);
    handles::find(&mut code, MAP_VALUE, handle, record);
    code.ins().local_get(record).i32_load(LENGTH).end();
    code
}

/// The code of [`Helper::MapValueClear`].
pub(super) fn clear() -> Code {
    let mut code = Code::new(1);
    let handle = 0;
    let record = code.scratch(Scratch::I32);
    let kinds = code.scratch(Scratch::I32);
    let slot = code.scratch(Scratch::I32);
    let end = code.scratch(Scratch::I32);

    handles::find(&mut code, MAP_VALUE, handle, record);
    code.ins().local_get(record).i32_load(KINDS).local_set(kinds);
    code.ins().local_get(record).i32_load(SLOTS).local_tee(slot);
    code.ins().local_get(record).i32_load(MASK).i32_const(1).i32_add();
    code.ins().i32_const(SLOT).i32_mul().i32_add().local_set(end);
    code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
    code.ins().local_get(slot).local_get(end).i32_eq().br_if(1);
    code.ins().local_get(slot).i32_load(MARK).if_(BlockType::Empty);
    free_contents(&mut code, kinds, slot);
    code.ins().end();
    code.ins().local_get(slot).i32_const(SLOT).i32_add().local_set(slot);
    code.ins().br(0).end().end();
    free_at(&mut code, record, SLOTS);
    make_empty(&mut code, record);
    code.ins().local_get(handle).end();
    code
}

/// Frees what a slot owns.
fn free_contents(code: &mut Code, kinds: u32, slot: u32) {
    if_keys_are(code, kinds, BYTES);
    free_at(code, slot, KEY);
    code.ins().end();
    if_values_are(code, kinds, BYTES);
    free_at(code, slot, VALUE);
    code.ins().end();
}

/// The code of [`Helper::MapValueContains`].
pub(super) fn contains() -> Code {
    let mut code = Code::new(4);
    let (handle, key, key_length, kind) = (0, 1, 2, 3);
    let record = code.scratch(Scratch::I32);
    let slot = code.scratch(Scratch::I32);
    open_by_key(&mut code, handle, kind, record);
    find_and_free_key(&mut code, record, kind, key, key_length, slot);
    code.ins().local_get(slot).i32_const(0).i32_ne().end();
    code
}

/// The code of [`Helper::MapValueRemove`].
pub(super) fn remove() -> Code {
    let mut code = Code::new(4);
    let (handle, key, key_length, kind) = (0, 1, 2, 3);
    let record = code.scratch(Scratch::I32);
    let kinds = code.scratch(Scratch::I32);
    // The free slot to fill, and its index.
    let gap = code.scratch(Scratch::I32);
    let gap_index = code.scratch(Scratch::I32);
    let slot = code.scratch(Scratch::I32);
    let index = code.scratch(Scratch::I32);
    let slots = code.scratch(Scratch::I32);
    let mask = code.scratch(Scratch::I32);
    let mark = code.scratch(Scratch::I32);

    open_by_key(&mut code, handle, kind, record);
    find_and_free_key(&mut code, record, kind, key, key_length, gap);
    code.ins().local_get(gap).i32_eqz().if_(BlockType::Empty).local_get(handle).return_().end();
    code.ins().local_get(record).i32_load(KINDS).local_set(kinds);
    free_contents(&mut code, kinds, gap);
    count(&mut code, record, -1);

    code.ins().local_get(record).i32_load(MASK).local_set(mask);
    code.ins().local_get(gap).local_get(record).i32_load(SLOTS).local_tee(slots).i32_sub();
    code.ins().i32_const(SLOT).i32_div_u().local_tee(gap_index).local_set(index);
    code.ins().loop_(BlockType::Empty);
    advance(&mut code, index);
    go_to(&mut code, slots, mask, index, slot);
    code.ins().local_get(slot).i32_load(MARK).local_tee(mark).i32_eqz().if_(BlockType::Empty);
    code.ins().local_get(gap).i32_const(0).i32_store(MARK);
    code.ins().local_get(handle).return_().end();
    // A slot may move back unless that takes it to before where its search begins.
    code.ins().local_get(index).local_get(mark).i32_sub().local_get(mask).i32_and();
    code.ins().local_get(index).local_get(gap_index).i32_sub().local_get(mask).i32_and();
    code.ins().i32_ge_u().if_(BlockType::Empty);
    code.ins().local_get(gap).local_get(slot).i32_const(SLOT).memory_copy(0, 0);
    code.ins().local_get(slot).local_set(gap);
    code.ins().local_get(index).local_set(gap_index).end();
    code.ins().br(0).end();
    code.ins().local_get(handle).end();
    code
}

/// The code of [`Helper::MapValueGet`].
pub(super) fn get() -> Code {
    let mut code = Code::new(6);
    let (handle, key, key_length, default, default_length, kinds) = (0, 1, 2, 3, 4, 5);
    let record = code.scratch(Scratch::I32);
    let slot = code.scratch(Scratch::I32);
    open(&mut code, handle, kinds, record);
    find_and_free_key(&mut code, record, kinds, key, key_length, slot);
    code.ins().local_get(slot).i32_eqz().if_(BlockType::Empty);
    code.ins().local_get(default).local_get(default_length).return_().end();

    if_values_are(&mut code, kinds, BYTES);
    free(&mut code, default);
    code.ins().local_get(slot).i32_load(VALUE).local_get(slot).i32_load(VALUE_LENGTH);
    code.call(Helper::Copy, None);
    code.ins().return_().end();
    code.ins().local_get(slot).i32_load(VALUE).local_get(slot).i32_load(VALUE_LENGTH).end();
    code
}

/// The code of [`Helper::MapValueSet`].
pub(super) fn set() -> Code {
    let mut code = Code::new(6);
    let (handle, key, key_length, value, value_length, kinds) = (0, 1, 2, 3, 4, 5);
    let record = code.scratch(Scratch::I32);
    let mark = code.scratch(Scratch::I32);
    let slot = code.scratch(Scratch::I32);
    let slots = code.scratch(Scratch::I32);
    let mask = code.scratch(Scratch::I32);
    let index = code.scratch(Scratch::I32);

    open(&mut code, handle, kinds, record);
    if_values_are(&mut code, kinds, VIEW);
    keep(&mut code, value, value_length);
    code.ins().end();
    push_key_kind(&mut code, kinds);
    code.ins().local_get(key).local_get(key_length);
    code.call(Helper::MapValueHash, None);
    code.ins().local_set(mark);
    code.ins().local_get(record).local_get(mark).local_get(key).local_get(key_length);
    code.call(Helper::MapValueFind, None);

    // A key that is there stays; its value is replaced.
    code.ins().local_tee(slot).if_(BlockType::Empty);
    if_values_are(&mut code, kinds, BYTES);
    free_at(&mut code, slot, VALUE);
    code.ins().end();
    code.ins().local_get(slot).local_get(value).i32_store(VALUE);
    code.ins().local_get(slot).local_get(value_length).i32_store(VALUE_LENGTH);
    if_keys_are(&mut code, kinds, BYTES);
    free(&mut code, key);
    code.ins().end();
    code.ins().local_get(handle).return_().end();

    if_keys_are(&mut code, kinds, VIEW);
    keep(&mut code, key, key_length);
    code.ins().end();
    // At most three quarters of the slots are taken; without slots, that is none.
    code.ins().local_get(record).i32_load(LENGTH);
    code.ins().local_get(record).i32_load(MASK).i32_const(1).i32_add().i32_const(2).i32_shr_u();
    code.ins().i32_const(3).i32_mul().i32_ge_u().if_(BlockType::Empty);
    code.ins().local_get(record);
    code.call(Helper::MapValueGrow, None);
    code.ins().end();

    code.ins().local_get(record).i32_load(SLOTS).local_set(slots);
    code.ins().local_get(record).i32_load(MASK).local_set(mask);
    code.ins().local_get(mark).local_set(index);
    find_free(&mut code, slots, mask, index, slot);
    code.ins().local_get(slot).local_get(mark).i32_store(MARK);
    code.ins().local_get(slot).local_get(key).i32_store(KEY);
    code.ins().local_get(slot).local_get(key_length).i32_store(KEY_LENGTH);
    code.ins().local_get(slot).local_get(value).i32_store(VALUE);
    code.ins().local_get(slot).local_get(value_length).i32_store(VALUE_LENGTH);
    count(&mut code, record, 1);
    code.ins().local_get(handle).end();
    code
}

/// Mixes the number on the stack, an `i64`, into a hash: the higher half of the product changes
/// the lower one.
fn mix(code: &mut Code, hash: u32) {
    code.ins().local_get(hash).i64_xor().i64_const(FACTOR).i64_mul().local_tee(hash);
    code.ins().local_get(hash).i64_const(32).i64_shr_u().i64_xor().local_set(hash);
}

/// The code of [`Helper::MapValueHash`].
pub(super) fn hash() -> Code {
    let mut code = Code::new(3);
    let (kind, word, rest) = (0, 1, 2);
    let hash = code.scratch(Scratch::I64);
    // For bytes the length comes first, so that no bytes begin like others and then end.
    code.ins().i64_const(0).local_set(hash);
    code.ins().local_get(kind).i32_const(NUMBER).i32_eq().if_(BlockType::Empty);
    code.ins().local_get(word).i64_extend_i32_u();
    mix(&mut code, hash);
    code.ins().else_();
    code.ins().local_get(rest).i64_extend_i32_u();
    mix(&mut code, hash);
    code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
    code.ins().local_get(rest).i32_const(8).i32_lt_u().br_if(1);
    code.ins().local_get(word).i64_load(EIGHT);
    mix(&mut code, hash);
    code.ins().local_get(word).i32_const(8).i32_add().local_set(word);
    code.ins().local_get(rest).i32_const(8).i32_sub().local_set(rest);
    code.ins().br(0).end().end();
    code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
    code.ins().local_get(rest).i32_eqz().br_if(1);
    code.ins().local_get(word).i64_load8_u(BYTE);
    mix(&mut code, hash);
    advance(&mut code, word);
    code.ins().local_get(rest).i32_const(1).i32_sub().local_set(rest);
    code.ins().br(0).end().end();
    code.ins().end();
    code.ins().local_get(hash).i32_wrap_i64().i32_const(TAKEN).i32_or().end();
    code
}

/// The code of [`Helper::MapValueFind`].
pub(super) fn find() -> Code {
    let mut code = Code::new(4);
    let (record, mark, key, key_length) = (0, 1, 2, 3);
    let slots = code.scratch(Scratch::I32);
    let mask = code.scratch(Scratch::I32);
    let index = code.scratch(Scratch::I32);
    let slot = code.scratch(Scratch::I32);
    let seen = code.scratch(Scratch::I32);

    code.ins().local_get(record).i32_load(SLOTS).local_tee(slots).i32_eqz().if_(BlockType::Empty);
    code.ins().i32_const(0).return_().end();
    code.ins().local_get(record).i32_load(MASK).local_set(mask);
    code.ins().local_get(mark).local_set(index);
    code.ins().loop_(BlockType::Empty);
    go_to(&mut code, slots, mask, index, slot);
    code.ins().local_get(slot).i32_load(MARK).local_tee(seen).i32_eqz().if_(BlockType::Empty);
    code.ins().i32_const(0).return_().end();

    code.ins().local_get(seen).local_get(mark).i32_eq().if_(BlockType::Empty);
    code.ins().local_get(record).i32_load(KINDS).i32_const(KEY_MASK).i32_and().i32_const(NUMBER).i32_eq();
    code.ins().if_(BlockType::Result(ValType::I32));
    code.ins().local_get(slot).i32_load(KEY).local_get(key).i32_eq();
    code.ins().else_();
    code.ins().local_get(slot).i32_load(KEY).local_get(slot).i32_load(KEY_LENGTH);
    code.ins().local_get(key).local_get(key_length);
    code.call(Helper::Equal, None);
    code.ins().end();
    code.ins().if_(BlockType::Empty).local_get(slot).return_().end();
    code.ins().end();
    advance(&mut code, index);
    code.ins().br(0).end();
    code.ins().i32_const(0).end();
    code
}

/// The code of [`Helper::MapValueGrow`].
pub(super) fn grow() -> Code {
    let mut code = Code::new(1);
    let record = 0;
    let old = code.scratch(Scratch::I32);
    let end = code.scratch(Scratch::I32);
    let from = code.scratch(Scratch::I32);
    let number = code.scratch(Scratch::I32);
    let slots = code.scratch(Scratch::I32);
    let mask = code.scratch(Scratch::I32);
    let index = code.scratch(Scratch::I32);
    let slot = code.scratch(Scratch::I32);

    code.ins().local_get(record).i32_load(SLOTS).local_tee(old).local_tee(from);
    code.ins().local_get(record).i32_load(MASK).i32_const(1).i32_add().local_tee(number);
    code.ins().i32_const(SLOT).i32_mul().i32_add().local_set(end);
    code.ins().local_get(number).i32_const(1).i32_shl();
    code.ins().local_get(number).i32_eqz().i32_const(FIRST_SLOTS_SHIFT).i32_shl();
    code.ins().i32_or().local_tee(number).i32_const(MOST_SLOTS).i32_gt_u();
    code.trap_if(Trap::OutOfMemory, None);
    code.ins().local_get(number).i32_const(SLOT).i32_mul();
    code.call(Helper::AllocZeroed, None);
    code.ins().local_set(slots);
    code.ins().local_get(number).i32_const(1).i32_sub().local_set(mask);
    code.ins().local_get(record).local_get(slots).i32_store(SLOTS);
    code.ins().local_get(record).local_get(mask).i32_store(MASK);

    code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
    code.ins().local_get(from).local_get(end).i32_eq().br_if(1);
    code.ins().local_get(from).i32_load(MARK).local_tee(index).if_(BlockType::Empty);
    find_free(&mut code, slots, mask, index, slot);
    code.ins().local_get(slot).local_get(from).i32_const(SLOT).memory_copy(0, 0);
    code.ins().end();
    code.ins().local_get(from).i32_const(SLOT).i32_add().local_set(from);
    code.ins().br(0).end().end();
    free(&mut code, old);
    code.ins().end();
    code
}
