//! Where a module keeps its state: the indices of its globals and the allocator's tables.
//!
//! The mutable globals are set anew by every call of the exported function, so nothing survives
//! from one call to the next.

/// Global: the first address that is free for the host. Exported, immutable.
pub const HEAP_BASE: u32 = 0;
/// Global: the end of static data. Exported, immutable.
pub const DATA_END: u32 = 1;
/// Global: the address of the allocator's tables, at the aligned start of the arena.
pub const TABLES: u32 = 2;
/// Global: the end of the last block; from here to [`END`] nothing was given out yet.
pub const TOP: u32 = 3;
/// Global: the end of the arena, a multiple of [`ALIGN`].
pub const END: u32 = 4;
/// Global: the last block before [`TOP`], always one in use; 0 when there is none.
pub const LAST: u32 = 5;
/// Global: one bit for each row of bins that has a free block.
pub const ROWS: u32 = 6;
/// Global: the address of the input.
pub const INPUT_ADDRESS: u32 = 7;
/// Global: the length of the input.
pub const INPUT_LENGTH: u32 = 8;

/// What every block starts at a multiple of.
pub const ALIGN: i32 = 8;
/// Bins in a row.
pub const BINS_PER_ROW: u32 = 8;
/// Rows: enough for a block that fills the whole address space.
pub const BIN_ROWS: u32 = 27;
/// Offset of the rows' bitmaps, one byte each, behind the bins' list heads, one word each.
pub const BITMAPS: u32 = BIN_ROWS * BINS_PER_ROW * 4;
/// Size of the allocator's tables in bytes, a multiple of 16.
pub const TABLES_SIZE: i32 = 896;
