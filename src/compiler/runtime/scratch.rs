//! Scratch buffers: of fixed capacity, written from start to end, cleared and written again.
//!
//! A dropped buffer's handle is given out again, the lowest first. The bytes of a buffer that was
//! never shown as a view are freed with it; others stay, because the view may still be read, and
//! serve the handle's next buffer if it is not larger.

use wasm_encoder::{BlockType, MemArg};

use super::Helper;
use super::code::{Code, Scratch};
use super::handles::{self, LOWEST_SCRATCH, SCRATCH, word};
use super::layout::TABLES;
use crate::compiler::ir::Trap;

/// In the record: the address of the bytes.
const BUFFER: MemArg = word(0);
/// In the record: how many bytes were written.
const LENGTH: MemArg = word(4);
/// In the record: how many bytes may be written.
const CAPACITY: MemArg = word(8);
/// In the record: 1, or 0 for a dropped buffer.
const ALIVE: MemArg = word(12);
/// In the record: how many bytes there are at the address.
const ROOM: MemArg = word(16);
/// In the record: 1 when a view of these bytes was given out.
const SHOWN: MemArg = word(20);

/// The error of a write that does not fit.
const NO_ROOM: i32 = 8;

/// A local for a word.
fn local(code: &mut Code) -> u32 {
    code.scratch(Scratch::I32)
}

/// Sets a word of a record to a number.
fn put(code: &mut Code, record: u32, what: MemArg, number: i32) {
    code.ins().local_get(record).i32_const(number).i32_store(what);
}

/// Finds the record of a buffer that is alive.
fn open(code: &mut Code, handle: u32) -> u32 {
    let record = local(code);
    handles::find(code, SCRATCH, handle, record);
    code.ins().local_get(record).i32_load(ALIVE).i32_eqz();
    code.trap_if(Trap::InvalidHandle, None);
    record
}

/// The code of [`Helper::ScratchNew`].
pub(super) fn new() -> Code {
    let mut code = Code::new(1);
    let capacity = 0;
    let index = local(&mut code);
    let handle = local(&mut code);
    let record = local(&mut code);

    // The lowest dropped one, or else a new one.
    code.ins().global_get(TABLES).i32_load(LOWEST_SCRATCH).local_set(index);
    code.ins().block(BlockType::Empty).block(BlockType::Empty).loop_(BlockType::Empty);
    code.ins().local_get(index);
    handles::push_count(&mut code, SCRATCH);
    code.ins().i32_ge_u().br_if(1);
    handles::push_record(&mut code, SCRATCH, index);
    code.ins().local_tee(record).i32_load(ALIVE).i32_eqz().br_if(2);
    code.ins().local_get(index).i32_const(1).i32_add().local_set(index);
    code.ins().br(0).end().end();
    handles::create(&mut code, SCRATCH, handle, record);
    put(&mut code, record, BUFFER, 0);
    put(&mut code, record, ROOM, 0);
    put(&mut code, record, SHOWN, 0);
    code.ins().end();

    code.ins().local_get(record).i32_load(ROOM).local_get(capacity).i32_lt_u().if_(BlockType::Empty);
    code.ins().local_get(record).local_get(capacity);
    code.call(Helper::Alloc, None);
    code.ins().i32_store(BUFFER);
    code.ins().local_get(record).local_get(capacity).i32_store(ROOM);
    put(&mut code, record, SHOWN, 0);
    code.ins().end();
    put(&mut code, record, LENGTH, 0);
    code.ins().local_get(record).local_get(capacity).i32_store(CAPACITY);
    put(&mut code, record, ALIVE, 1);
    code.ins().global_get(TABLES);
    code.ins().local_get(index).i32_const(1).i32_add().local_tee(index).i32_store(LOWEST_SCRATCH);
    code.ins().local_get(index).end();
    code
}

/// The code of [`Helper::ScratchClear`].
pub(super) fn clear() -> Code {
    let mut code = Code::new(1);
    let handle = 0;
    let record = open(&mut code, handle);
    put(&mut code, record, LENGTH, 0);
    code.ins().local_get(handle).end();
    code
}

/// The code of [`Helper::ScratchLength`].
pub(super) fn length() -> Code {
    let mut code = Code::new(1);
    let record = open(&mut code, 0);
    code.ins().local_get(record).i32_load(LENGTH).end();
    code
}

/// The code of [`Helper::ScratchCapacity`].
pub(super) fn capacity() -> Code {
    let mut code = Code::new(1);
    let record = open(&mut code, 0);
    code.ins().local_get(record).i32_load(CAPACITY).end();
    code
}

/// The code of [`Helper::ScratchView`].
pub(super) fn view() -> Code {
    let mut code = Code::new(1);
    let record = open(&mut code, 0);
    put(&mut code, record, SHOWN, 1);
    code.ins().local_get(record).i32_load(BUFFER).local_get(record).i32_load(LENGTH).end();
    code
}

/// The code of [`Helper::ScratchWrite`].
pub(super) fn write() -> Code {
    let mut code = Code::new(3);
    let (handle, address, count) = (0, 1, 2);
    let record = open(&mut code, handle);
    let used = local(&mut code);
    code.ins().local_get(count);
    code.ins().local_get(record).i32_load(CAPACITY).local_get(record).i32_load(LENGTH).local_tee(used).i32_sub();
    code.ins().i32_gt_u().if_(BlockType::Empty);
    code.ins().i32_const(0).i32_const(NO_ROOM).return_().end();
    code.ins().local_get(record).i32_load(BUFFER).local_get(used).i32_add();
    code.ins().local_get(address).local_get(count).memory_copy(0, 0);
    code.ins().local_get(record).local_get(used).local_get(count).i32_add().i32_store(LENGTH);
    code.ins().i32_const(1).local_get(count).end();
    code
}

/// The code of [`Helper::ScratchDrop`].
pub(super) fn drop_buffer() -> Code {
    let mut code = Code::new(1);
    let handle = 0;
    let index = local(&mut code);
    let record = local(&mut code);
    code.ins().local_get(handle).i32_const(1).i32_sub().local_tee(index);
    handles::push_count(&mut code, SCRATCH);
    code.ins().i32_ge_u().if_(BlockType::Empty).i32_const(0).return_().end();
    handles::push_record(&mut code, SCRATCH, index);
    code.ins().local_tee(record).i32_load(ALIVE).i32_eqz().if_(BlockType::Empty);
    code.ins().i32_const(0).return_().end();

    code.ins().local_get(record).i32_load(SHOWN).i32_eqz().if_(BlockType::Empty);
    code.ins().local_get(record).i32_load(BUFFER);
    code.call(Helper::Free, None);
    put(&mut code, record, BUFFER, 0);
    put(&mut code, record, ROOM, 0);
    code.ins().end();
    put(&mut code, record, ALIVE, 0);
    code.ins().local_get(index).global_get(TABLES).i32_load(LOWEST_SCRATCH).i32_lt_u().if_(BlockType::Empty);
    code.ins().global_get(TABLES).local_get(index).i32_store(LOWEST_SCRATCH).end();
    code.ins().i32_const(1).end();
    code
}
