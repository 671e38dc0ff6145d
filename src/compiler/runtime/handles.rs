//! Handles: the numbers by which programs know containers, buffers and readers.
//!
//! Every kind of thing has a table of records in the arena. The record of handle `h` is number
//! `h - 1`; records are made in order and never go away before the run ends. A table's root, its
//! address and the number of its records, stands behind the allocator's tables and is zero when a
//! run begins. A table moves when it grows, so no address of a record outlives a helper's call.

use wasm_encoder::{BlockType, MemArg};

use super::Helper;
use super::code::Code;
use super::layout::{HANDLES, SCHEDULER, TABLES};
use crate::compiler::ir::Trap;

/// Bytes of a table's root: address, count.
const ROOT: u32 = 8;
/// From this many records on a table may not grow, so that its size fits a word.
const MOST_RECORDS: i32 = 1 << 26;
/// The largest record for which that holds.
const MOST_RECORD_BYTES: i32 = 24;

/// A kind of thing that has handles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// Offset of the root from the start of the tables.
    root: u32,
    /// Bytes of a record.
    record: i32,
}

/// Maps and sets of numbers.
pub(super) const MAP_U32: Kind = kind(0, 12);
/// Vectors of values.
pub(super) const VEC_VALUE: Kind = kind(1, 16);
/// Maps of values.
pub(super) const MAP_VALUE: Kind = kind(2, 16);
/// Scratch buffers.
pub(super) const SCRATCH: Kind = kind(3, 24);
/// Readers.
pub(super) const READER: Kind = kind(4, 8);
/// Buffered readers.
pub(super) const BUFFERED: Kind = kind(5, 16);
/// How many kinds there are.
const KINDS: u32 = 6;

/// A word behind the roots: below this index every scratch buffer is alive.
pub(super) const LOWEST_SCRATCH: MemArg = word(HANDLES + KINDS * ROOT);

const _: () = assert!(HANDLES + KINDS * ROOT + 4 <= SCHEDULER);

const fn kind(number: u32, record: i32) -> Kind {
    assert!(number < KINDS && record <= MOST_RECORD_BYTES);
    Kind { root: HANDLES + number * ROOT, record }
}

/// A word at some offset from the address on the stack.
pub(super) const fn word(offset: u32) -> MemArg {
    MemArg { offset: offset as u64, align: 2, memory_index: 0 }
}

impl Kind {
    /// The table's address, in the root.
    const fn table(self) -> MemArg {
        word(self.root)
    }

    /// The number of records, in the root.
    const fn count(self) -> MemArg {
        word(self.root + 4)
    }
}

/// Pushes how many handles there are.
pub(super) fn push_count(code: &mut Code, kind: Kind) {
    code.ins().global_get(TABLES).i32_load(kind.count());
}

/// Pushes the address of the record with the index in a local.
pub(super) fn push_record(code: &mut Code, kind: Kind, index: u32) {
    code.ins().global_get(TABLES).i32_load(kind.table());
    code.ins().local_get(index).i32_const(kind.record).i32_mul().i32_add();
}

/// Sets `record` to the address of a handle's record; traps when nothing has the handle.
pub(super) fn find(code: &mut Code, kind: Kind, handle: u32, record: u32) {
    // Handle 0 becomes the largest index.
    code.ins().local_get(handle).i32_const(1).i32_sub().local_tee(record);
    push_count(code, kind);
    code.ins().i32_ge_u();
    code.trap_if(Trap::InvalidHandle, None);
    push_record(code, kind, record);
    code.ins().local_set(record);
}

/// Makes a record for a new handle: sets `handle`, and `record` to its address. What the record
/// holds is undefined.
pub(super) fn create(code: &mut Code, kind: Kind, handle: u32, record: u32) {
    // A table with no record, or as many as a power of two, gets room for as many again and one.
    push_count(code, kind);
    code.ins().local_tee(handle).i32_popcnt().i32_const(2).i32_lt_u().if_(BlockType::Empty);
    code.ins().local_get(handle).i32_const(MOST_RECORDS).i32_gt_u();
    code.trap_if(Trap::OutOfMemory, None);
    code.ins().global_get(TABLES);
    code.ins().global_get(TABLES).i32_load(kind.table());
    code.ins().local_get(handle).i32_const(kind.record).i32_mul();
    code.ins().local_get(handle).i32_const(1).i32_shl().i32_const(1).i32_add();
    code.ins().i32_const(kind.record).i32_mul();
    code.call(Helper::Realloc, None);
    code.ins().i32_store(kind.table()).end();

    push_record(code, kind, handle);
    code.ins().local_set(record);
    code.ins().global_get(TABLES);
    code.ins().local_get(handle).i32_const(1).i32_add().local_tee(handle);
    code.ins().i32_store(kind.count());
}
