//! Where a module keeps its state: the indices of its globals, and the tables at the start of the
//! arena: those of the allocator, and the roots of the handle tables.
//!
//! Globals and tables are set anew by every call of the exported function, so nothing survives
//! from one call to the next.

/// Global: the first address that is free for the host. Exported, immutable.
pub const HEAP_BASE: u32 = 0;
/// Global: the end of static data. Exported, immutable.
pub const DATA_END: u32 = 1;
/// Global: the address of the tables, at the aligned start of the arena.
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
/// Global, 64-bit float: the fuel that is left; infinite outside all scopes that limit it.
pub const FUEL: u32 = 9;
/// Globals: the counters of budget scopes, in the order of [`crate::compiler::ir::Counter`] without
/// the last, which is the scheduler's clock.
pub const COUNTERS: u32 = 10;

/// What every block starts at a multiple of.
pub const ALIGN: i32 = 8;
/// Bins in a row.
pub const BINS_PER_ROW: u32 = 8;
/// Rows: enough for a block that fills the whole address space.
pub const BIN_ROWS: u32 = 27;
/// Offset of the rows' bitmaps, one byte each, behind the bins' list heads, one word each.
pub const BITMAPS: u32 = BIN_ROWS * BINS_PER_ROW * 4;
/// Offset of the roots of the handle tables (see `handles`), behind the bitmaps.
pub const HANDLES: u32 = BITMAPS + BIN_ROWS.next_multiple_of(4);
/// Offset of the address of the scheduler's record, 0 when there is none yet (see `tasks`); behind
/// what `handles` has.
pub const SCHEDULER: u32 = 944;
/// Size of all tables in bytes, a multiple of 16. The exported function fills them with zeroes.
pub const TABLES_SIZE: i32 = 960;
