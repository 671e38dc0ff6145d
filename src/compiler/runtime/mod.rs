//! The run-time library of compiled programs: wasm functions that emitted code calls.
//!
//! Here live the builder for a function's code ([`code`]), the layout of a module's globals and of
//! the allocator's tables ([`layout`]), and one file for each group of helper functions. A helper
//! works on plain words and knows nothing about expressions, types or ownership; what translates
//! those lives in `emit`, which also decides which helpers a module needs.

pub mod allocator;
pub mod bytes;
pub mod code;
pub mod layout;
pub mod number;
pub mod vector;

use crate::compiler::ir::Word;
use code::Code;

/// A function of the run-time library. Sizes, addresses and lengths are unsigned 32-bit words.
///
/// The order of the variants is the order of the functions in a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Helper {
    /// `(size) -> address` of a block of at least `size` bytes, aligned to 8, contents undefined;
    /// 0 when `size` is 0. Traps when the arena has no room.
    Alloc,
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
}

static WORDS: [Word; 8] = [Word::I32; 8];

impl Helper {
    /// The name in the module's name section and in explanations of traps.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Alloc => "x07.rt.alloc",
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
            Self::Alloc | Self::AllocZeroed => (1, 1),
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
        }
    }

    /// The function's code, complete with its final `end`.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::Alloc => allocator::alloc(),
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
        }
    }
}
