//! The run-time library of compiled programs: wasm functions that emitted code calls.
//!
//! Here live the builder for a function's code ([`code`]), the layout of a module's globals and of
//! the allocator's tables ([`layout`]), and one file for each group of helper functions. A helper
//! works on plain words and knows nothing about expressions, types or ownership; what translates
//! those lives in `emit`, which also decides which helpers a module needs.

pub mod allocator;
pub mod bytes;
pub mod code;
pub mod counting;
pub mod elements;
mod handles;
pub mod layout;
pub mod map_u32;
pub mod map_value;
pub mod number;
pub mod reader;
pub mod scratch;
mod structured;
pub mod tasks;
pub mod vec_value;
pub mod vector;

use crate::compiler::ir::Word;
use code::Code;
use tasks::TaskHelper;

/// A function of the run-time library. Sizes, addresses and lengths are unsigned 32-bit words.
///
/// The order of the variants is the order of the functions in a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Helper {
    /// `(size) -> address` of a block of at least `size` bytes, aligned to 8, contents undefined;
    /// 0 when `size` is 0. Traps when the arena has no room.
    Alloc,
    /// As [`Helper::Alloc`], but no counter counts it.
    AllocUncounted,
    /// `(size) -> address`: as [`Helper::Alloc`], filled with zeroes.
    AllocZeroed,
    /// `(address)`: gives a block back; 0 is ignored.
    Free,
    /// `(address, keep, size) -> address` of a block of at least `size` bytes that starts with the
    /// old block's first `keep` bytes; the old block is gone. Address 0 stands for an empty block.
    Realloc,
    /// `(block)`: puts a free block into its bin. The allocator's own.
    Link,
    /// `(block)`: takes a free block out of its bin. The allocator's own.
    Unlink,
    /// `(block, size, total)`: makes a block of `total` bytes one of `size` bytes in use and frees
    /// what remains when that is a block of its own. The allocator's own.
    Carve,
    /// `(address, length) -> (address, length)` of a fresh copy.
    Copy,
    /// `(address, length, address, length) -> 1 or 0`: whether the bytes are the same.
    Equal,
    /// `(address, length, offset, count, address, length, offset, count) -> -1, 0 or 1`: compares
    /// two ranges; traps when one does not fit.
    CompareRanges,
    /// `(number) -> (address, length)` of its unsigned decimal text.
    FormatUnsigned,
    /// `(number) -> (address, length)` of its signed decimal text.
    FormatSigned,
    /// `(address, length) -> number`: reads unsigned decimal text; traps on anything else.
    ParseUnsigned,
    /// `(address, length, capacity) -> (address, capacity)` with the capacity doubled, 0 becomes 1.
    VecDouble,
    /// `(address, length, capacity, more) -> (address, capacity)` with room for exactly `more`
    /// further bytes if there was less.
    VecReserve,
    /// `(address, length, capacity, more) -> (address, capacity)` with room for `more` further
    /// bytes, growing by doubling.
    VecRoom,
    /// `(address, length, capacity, source, count) -> (address, capacity)`: makes room and copies
    /// `count` bytes behind the first `length`. The source may lie in the vector itself.
    VecAppend,
    /// `(address, length) -> address` of the same bytes where they stay until the run ends: the same
    /// address for literals and the input, else that of a copy.
    KeepView,
    /// `(capacity) -> handle` of an empty map or set of numbers; traps unless the capacity is a power
    /// of two.
    MapU32New,
    /// `(handle) -> count` of keys. This and all that takes a handle traps when nothing has it.
    MapU32Length,
    /// `(handle, key, default) -> value`. Operations on a key trap for the key -1.
    MapU32Get,
    /// `(handle, key, value) -> 1 or 0`: whether the key is new; traps when there is no room for it.
    MapU32Set,
    /// `(handle, key) -> 1 or 0`.
    MapU32Contains,
    /// `(handle, key) -> 1 or 0`: whether the key was there.
    MapU32Remove,
    /// `(handle, size) -> (address, length)` of fresh bytes: the first `size` bytes, 4 or 8, of every
    /// entry (key, value) in the order of the table.
    MapU32Dump,
    /// `(type id, capacity) -> handle` of an empty vector of values; traps when there is no such type.
    VecValueNew,
    /// `(handle) -> count`.
    VecValueLength,
    /// `(handle, more) -> handle` with room for exactly `more` further elements if there was less.
    VecValueReserve,
    /// `(handle, number) -> handle`. This and all that names a kind of elements traps when the
    /// container has another.
    VecValuePushNumber,
    /// `(handle, address, length, kind) -> handle`: takes over bytes, or keeps a view.
    VecValuePushBytes,
    /// `(handle, index, default) -> number`.
    VecValueGetNumber,
    /// `(handle, index, default address, length, kind) -> (address, length)`: a copy of bytes, and then
    /// the default is freed; or a view.
    VecValueGetBytes,
    /// `(handle, index, number) -> handle`; traps outside the vector.
    VecValueSetNumber,
    /// `(handle, index, address, length, kind) -> handle`; traps outside the vector.
    VecValueSetBytes,
    /// `(handle) -> handle` without the last element, if there is one.
    VecValuePop,
    /// `(handle) -> handle` without elements.
    VecValueClear,
    /// `(type id of keys, of values, capacity) -> handle` of an empty map; traps when there is no such
    /// type, and unless the capacity is a power of two.
    MapValueNew,
    /// `(handle) -> count` of keys.
    MapValueLength,
    /// `(handle) -> handle` without keys.
    MapValueClear,
    /// `(handle, key, key length, kind) -> 1 or 0`. A key of bytes is consumed, by all operations.
    MapValueContains,
    /// `(handle, key, key length, kind) -> handle` without the key.
    MapValueRemove,
    /// `(handle, key, key length, default, default length, kinds) -> (value, length)`: a copy of bytes,
    /// and then the default is freed; or a number or view.
    MapValueGet,
    /// `(handle, key, key length, value, value length, kinds) -> handle`: takes over bytes, keeps views.
    MapValueSet,
    /// `(kind, key, key length) -> mark` of a key, never 0. Of maps of values alone.
    MapValueHash,
    /// `(record, mark, key, key length) -> slot` of the key, or 0. Of maps of values alone.
    MapValueFind,
    /// `(record)`: doubles the number of slots. Of maps of values alone.
    MapValueGrow,
    /// `(capacity) -> handle` of an empty scratch buffer.
    ScratchNew,
    /// `(handle) -> handle`, with nothing written.
    ScratchClear,
    /// `(handle) -> count` of bytes written.
    ScratchLength,
    /// `(handle) -> capacity`.
    ScratchCapacity,
    /// `(handle) -> (address, length)` of what was written; it stays until the run ends.
    ScratchView,
    /// `(handle, address, length) -> (1, length)`, or `(0, 8)` when there is no room.
    ScratchWrite,
    /// `(handle) -> 1`, or 0 when no buffer that is alive has the handle.
    ScratchDrop,
    /// `(address, length) -> handle` of a reader that takes over the bytes.
    ReaderOpen,
    /// `(address, length) -> handle` of a reader over the bytes of a view.
    ReaderOpenView,
    /// `(data, functions, most) -> (address, length)` of fresh bytes with what comes next; traps on an
    /// interface of another kind of reader.
    ReaderRead,
    /// `(data, functions, capacity) -> handle` of a buffered reader; traps when the capacity is 0.
    BufferedNew,
    /// `(handle) -> (address, length)` of the window: what was not consumed, or else what comes next.
    BufferedFill,
    /// `(handle, count) -> 0`; traps when the window is smaller.
    BufferedConsume,
    /// A function of the scheduler.
    Task(TaskHelper),
}

static WORDS: [Word; 8] = [Word::I32; 8];

impl Helper {
    /// The name in the module's name section and in explanations of traps.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Alloc => "x07.rt.alloc",
            Self::AllocUncounted => "x07.rt.alloc_uncounted",
            Self::AllocZeroed => "x07.rt.alloc_zeroed",
            Self::Free => "x07.rt.free",
            Self::Realloc => "x07.rt.realloc",
            Self::Link => "x07.rt.link",
            Self::Unlink => "x07.rt.unlink",
            Self::Carve => "x07.rt.carve",
            Self::Copy => "x07.rt.copy",
            Self::Equal => "x07.rt.equal",
            Self::CompareRanges => "x07.rt.compare_ranges",
            Self::FormatUnsigned => "x07.rt.format_unsigned",
            Self::FormatSigned => "x07.rt.format_signed",
            Self::ParseUnsigned => "x07.rt.parse_unsigned",
            Self::VecDouble => "x07.rt.vec_double",
            Self::VecReserve => "x07.rt.vec_reserve",
            Self::VecRoom => "x07.rt.vec_room",
            Self::VecAppend => "x07.rt.vec_append",
            Self::KeepView => "x07.rt.keep_view",
            Self::MapU32New => "x07.rt.map_u32_new",
            Self::MapU32Length => "x07.rt.map_u32_length",
            Self::MapU32Get => "x07.rt.map_u32_get",
            Self::MapU32Set => "x07.rt.map_u32_set",
            Self::MapU32Contains => "x07.rt.map_u32_contains",
            Self::MapU32Remove => "x07.rt.map_u32_remove",
            Self::MapU32Dump => "x07.rt.map_u32_dump",
            Self::VecValueNew => "x07.rt.vec_value_new",
            Self::VecValueLength => "x07.rt.vec_value_length",
            Self::VecValueReserve => "x07.rt.vec_value_reserve",
            Self::VecValuePushNumber => "x07.rt.vec_value_push_number",
            Self::VecValuePushBytes => "x07.rt.vec_value_push_bytes",
            Self::VecValueGetNumber => "x07.rt.vec_value_get_number",
            Self::VecValueGetBytes => "x07.rt.vec_value_get_bytes",
            Self::VecValueSetNumber => "x07.rt.vec_value_set_number",
            Self::VecValueSetBytes => "x07.rt.vec_value_set_bytes",
            Self::VecValuePop => "x07.rt.vec_value_pop",
            Self::VecValueClear => "x07.rt.vec_value_clear",
            Self::MapValueNew => "x07.rt.map_value_new",
            Self::MapValueLength => "x07.rt.map_value_length",
            Self::MapValueClear => "x07.rt.map_value_clear",
            Self::MapValueContains => "x07.rt.map_value_contains",
            Self::MapValueRemove => "x07.rt.map_value_remove",
            Self::MapValueGet => "x07.rt.map_value_get",
            Self::MapValueSet => "x07.rt.map_value_set",
            Self::MapValueHash => "x07.rt.map_value_hash",
            Self::MapValueFind => "x07.rt.map_value_find",
            Self::MapValueGrow => "x07.rt.map_value_grow",
            Self::ScratchNew => "x07.rt.scratch_new",
            Self::ScratchClear => "x07.rt.scratch_clear",
            Self::ScratchLength => "x07.rt.scratch_length",
            Self::ScratchCapacity => "x07.rt.scratch_capacity",
            Self::ScratchView => "x07.rt.scratch_view",
            Self::ScratchWrite => "x07.rt.scratch_write",
            Self::ScratchDrop => "x07.rt.scratch_drop",
            Self::ReaderOpen => "x07.rt.reader_open",
            Self::ReaderOpenView => "x07.rt.reader_open_view",
            Self::ReaderRead => "x07.rt.reader_read",
            Self::BufferedNew => "x07.rt.buffered_new",
            Self::BufferedFill => "x07.rt.buffered_fill",
            Self::BufferedConsume => "x07.rt.buffered_consume",
            Self::Task(helper) => helper.symbol(),
        }
    }

    /// The parameter words.
    #[must_use]
    pub fn params(self) -> &'static [Word] {
        &WORDS[..self.arity().0]
    }

    /// The result words.
    #[must_use]
    pub fn results(self) -> &'static [Word] {
        &WORDS[..self.arity().1]
    }

    /// How many words go in and come out; neither exceeds the length of [`WORDS`].
    const fn arity(self) -> (usize, usize) {
        match self {
            Self::Alloc | Self::AllocUncounted | Self::AllocZeroed => (1, 1),
            Self::Free | Self::Link | Self::Unlink => (1, 0),
            Self::Realloc => (3, 1),
            Self::Carve => (3, 0),
            Self::Copy => (2, 2),
            Self::Equal => (4, 1),
            Self::CompareRanges => (8, 1),
            Self::FormatUnsigned | Self::FormatSigned => (1, 2),
            Self::ParseUnsigned => (2, 1),
            Self::VecDouble => (3, 2),
            Self::VecReserve | Self::VecRoom => (4, 2),
            Self::VecAppend => (5, 2),
            Self::KeepView
            | Self::MapU32Contains
            | Self::MapU32Remove
            | Self::VecValueNew
            | Self::VecValueReserve
            | Self::VecValuePushNumber
            | Self::ReaderOpen
            | Self::ReaderOpenView
            | Self::BufferedConsume => (2, 1),
            Self::MapU32New
            | Self::MapU32Length
            | Self::VecValueLength
            | Self::VecValuePop
            | Self::VecValueClear
            | Self::MapValueLength
            | Self::MapValueClear
            | Self::ScratchNew
            | Self::ScratchClear
            | Self::ScratchLength
            | Self::ScratchCapacity
            | Self::ScratchDrop => (1, 1),
            Self::MapU32Get
            | Self::MapU32Set
            | Self::VecValueGetNumber
            | Self::VecValueSetNumber
            | Self::MapValueNew
            | Self::MapValueHash
            | Self::BufferedNew => (3, 1),
            Self::MapU32Dump => (2, 2),
            Self::VecValuePushBytes | Self::MapValueContains | Self::MapValueRemove | Self::MapValueFind => (4, 1),
            Self::VecValueGetBytes => (5, 2),
            Self::VecValueSetBytes => (5, 1),
            Self::MapValueGet => (6, 2),
            Self::MapValueSet => (6, 1),
            Self::MapValueGrow => (1, 0),
            Self::ScratchView | Self::BufferedFill => (1, 2),
            Self::ScratchWrite | Self::ReaderRead => (3, 2),
            Self::Task(helper) => helper.arity(),
        }
    }

    /// The function's code, complete with its final `end`.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::Alloc | Self::AllocUncounted => allocator::alloc(),
            Self::AllocZeroed => allocator::alloc_zeroed(),
            Self::Free => allocator::free(),
            Self::Realloc => allocator::realloc(),
            Self::Link => allocator::link(),
            Self::Unlink => allocator::unlink(),
            Self::Carve => allocator::carve(),
            Self::Copy => bytes::copy(),
            Self::Equal => bytes::equal(),
            Self::CompareRanges => bytes::compare_ranges(),
            Self::FormatUnsigned => number::format_unsigned(),
            Self::FormatSigned => number::format_signed(),
            Self::ParseUnsigned => number::parse_unsigned(),
            Self::VecDouble => vector::double(),
            Self::VecReserve => vector::reserve(),
            Self::VecRoom => vector::room(),
            Self::VecAppend => vector::append(),
            Self::KeepView => elements::keep_view(),
            Self::MapU32New => map_u32::new(),
            Self::MapU32Length => map_u32::length(),
            Self::MapU32Get => map_u32::get(),
            Self::MapU32Set => map_u32::set(),
            Self::MapU32Contains => map_u32::contains(),
            Self::MapU32Remove => map_u32::remove(),
            Self::MapU32Dump => map_u32::dump(),
            Self::VecValueNew => vec_value::new(),
            Self::VecValueLength => vec_value::length(),
            Self::VecValueReserve => vec_value::reserve(),
            Self::VecValuePushNumber => vec_value::push_number(),
            Self::VecValuePushBytes => vec_value::push_bytes(),
            Self::VecValueGetNumber => vec_value::get_number(),
            Self::VecValueGetBytes => vec_value::get_bytes(),
            Self::VecValueSetNumber => vec_value::set_number(),
            Self::VecValueSetBytes => vec_value::set_bytes(),
            Self::VecValuePop => vec_value::pop(),
            Self::VecValueClear => vec_value::clear(),
            Self::MapValueNew => map_value::new(),
            Self::MapValueLength => map_value::length(),
            Self::MapValueClear => map_value::clear(),
            Self::MapValueContains => map_value::contains(),
            Self::MapValueRemove => map_value::remove(),
            Self::MapValueGet => map_value::get(),
            Self::MapValueSet => map_value::set(),
            Self::MapValueHash => map_value::hash(),
            Self::MapValueFind => map_value::find(),
            Self::MapValueGrow => map_value::grow(),
            Self::ScratchNew => scratch::new(),
            Self::ScratchClear => scratch::clear(),
            Self::ScratchLength => scratch::length(),
            Self::ScratchCapacity => scratch::capacity(),
            Self::ScratchView => scratch::view(),
            Self::ScratchWrite => scratch::write(),
            Self::ScratchDrop => scratch::drop_buffer(),
            Self::ReaderOpen => reader::open_bytes(),
            Self::ReaderOpenView => reader::open_view(),
            Self::ReaderRead => reader::read(),
            Self::BufferedNew => reader::new_buffered(),
            Self::BufferedFill => reader::fill(),
            Self::BufferedConsume => reader::consume(),
            Self::Task(helper) => helper.code(),
        }
    }
}
