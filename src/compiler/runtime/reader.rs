//! Readers over bytes, and buffered readers that show a window of a reader.
//!
//! What a reader reads from stays until the run ends. So a window is a view of it, and nothing is
//! copied into a buffer.

use wasm_encoder::{BlockType, MemArg};

use super::Helper;
use super::code::{Code, Scratch};
use super::handles::{self, BUFFERED, READER, word};
use crate::compiler::ir::Trap;

/// The table of functions of readers over bytes, the second word of an interface.
pub const BYTES_READER: i32 = 1;

/// In a reader's record: the address of what was not read yet.
const REST: MemArg = word(0);
/// In a reader's record: how many bytes that is.
const LEFT: MemArg = word(4);

/// In a buffered reader's record: the reader's handle.
const SOURCE: MemArg = word(0);
/// In a buffered reader's record: the largest window.
const CAPACITY: MemArg = word(4);
/// In a buffered reader's record: the address of what was not consumed yet.
const WINDOW: MemArg = word(8);
/// In a buffered reader's record: how many bytes that is.
const AVAILABLE: MemArg = word(12);

/// Finds the record of an interface's reader; traps on an interface of another kind.
fn open(code: &mut Code, data: u32, functions: u32, record: u32) {
    code.ins().local_get(functions).i32_const(BYTES_READER).i32_ne();
    code.trap_if(Trap::ReaderUnsupported, None);
    handles::find(code, READER, data, record);
}

/// Takes at most `most` bytes from a reader: sets `start` and `count`.
fn take(code: &mut Code, record: u32, most: u32, start: u32, count: u32) {
    code.ins().local_get(record).i32_load(LEFT).local_tee(count);
    code.ins().local_get(most).local_get(count).local_get(most).i32_lt_u().select().local_set(count);
    code.ins().local_get(record).i32_load(REST).local_set(start);
    code.ins().local_get(record).local_get(start).local_get(count).i32_add().i32_store(REST);
    code.ins().local_get(record).local_get(record).i32_load(LEFT).local_get(count).i32_sub().i32_store(LEFT);
}

/// The code of [`Helper::ReaderOpen`].
pub(super) fn open_bytes() -> Code {
    let mut code = Code::new(2);
    let (address, length) = (0, 1);
    let handle = code.scratch(Scratch::I32);
    let record = code.scratch(Scratch::I32);
    handles::create(&mut code, READER, handle, record);
    code.ins().local_get(record).local_get(address).i32_store(REST);
    code.ins().local_get(record).local_get(length).i32_store(LEFT);
    code.ins().local_get(handle).end();
    code
}

/// The code of [`Helper::ReaderOpenView`].
pub(super) fn open_view() -> Code {
    let mut code = Code::new(2);
    let (address, length) = (0, 1);
    code.ins().local_get(address).local_get(length);
    code.call(Helper::KeepView, None);
    code.ins().local_get(length);
    code.call(Helper::ReaderOpen, None);
    code.ins().end();
    code
}

/// The code of [`Helper::ReaderRead`].
pub(super) fn read() -> Code {
    let mut code = Code::new(3);
    let (data, functions, most) = (0, 1, 2);
    let record = code.scratch(Scratch::I32);
    let start = code.scratch(Scratch::I32);
    let count = code.scratch(Scratch::I32);
    open(&mut code, data, functions, record);
    take(&mut code, record, most, start, count);
    code.ins().local_get(start).local_get(count);
    code.call(Helper::Copy, None);
    code.ins().end();
    code
}

/// The code of [`Helper::BufferedNew`].
pub(super) fn new_buffered() -> Code {
    let mut code = Code::new(3);
    let (data, functions, capacity) = (0, 1, 2);
    let handle = code.scratch(Scratch::I32);
    let record = code.scratch(Scratch::I32);
    code.ins().local_get(capacity).i32_eqz();
    code.trap_if(Trap::InvalidCapacity, None);
    open(&mut code, data, functions, record);
    handles::create(&mut code, BUFFERED, handle, record);
    code.ins().local_get(record).local_get(data).i32_store(SOURCE);
    code.ins().local_get(record).local_get(capacity).i32_store(CAPACITY);
    code.ins().local_get(record).i32_const(0).i32_store(WINDOW);
    code.ins().local_get(record).i32_const(0).i32_store(AVAILABLE);
    code.ins().local_get(handle).end();
    code
}

/// The code of [`Helper::BufferedFill`].
pub(super) fn fill() -> Code {
    let mut code = Code::new(1);
    let handle = 0;
    let record = code.scratch(Scratch::I32);
    let source = code.scratch(Scratch::I32);
    let reader = code.scratch(Scratch::I32);
    let capacity = code.scratch(Scratch::I32);
    let start = code.scratch(Scratch::I32);
    let count = code.scratch(Scratch::I32);

    handles::find(&mut code, BUFFERED, handle, record);
    code.ins().local_get(record).i32_load(AVAILABLE).local_tee(count).if_(BlockType::Empty);
    code.ins().local_get(record).i32_load(WINDOW).local_get(count).return_().end();
    code.ins().local_get(record).i32_load(SOURCE).local_set(source);
    code.ins().local_get(record).i32_load(CAPACITY).local_set(capacity);
    handles::find(&mut code, READER, source, reader);
    take(&mut code, reader, capacity, start, count);
    code.ins().local_get(record).local_get(start).i32_store(WINDOW);
    code.ins().local_get(record).local_get(count).i32_store(AVAILABLE);
    code.ins().local_get(start).local_get(count).end();
    code
}

/// The code of [`Helper::BufferedConsume`].
pub(super) fn consume() -> Code {
    let mut code = Code::new(2);
    let (handle, count) = (0, 1);
    let record = code.scratch(Scratch::I32);
    let available = code.scratch(Scratch::I32);
    handles::find(&mut code, BUFFERED, handle, record);
    code.ins().local_get(count).local_get(record).i32_load(AVAILABLE).local_tee(available).i32_gt_u();
    code.trap_if(Trap::OutOfBounds, None);
    code.ins().local_get(record).local_get(record).i32_load(WINDOW).local_get(count).i32_add().i32_store(WINDOW);
    code.ins().local_get(record).local_get(available).local_get(count).i32_sub().i32_store(AVAILABLE);
    code.ins().i32_const(0).end();
    code
}
