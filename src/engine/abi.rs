//! The names of the solve ABI that the engine looks up in a module.

/// The exported function that solves one input: `(retptr, arena_ptr, arena_cap, input_ptr,
/// input_len)`, all `i32`, no result. It stores pointer and length of the output, two
/// little-endian `u32`, at `retptr`.
pub const SOLVE_EXPORT: &str = "x07_solve_v2";

/// The exported linear memory through which input and output pass.
pub const MEMORY_EXPORT: &str = "memory";

/// The exported `i32` global holding the first address above the module's static data and stack.
pub const HEAP_BASE_EXPORT: &str = "__heap_base";

/// The exported `i32` global holding the first address above the module's static data.
pub const DATA_END_EXPORT: &str = "__data_end";
