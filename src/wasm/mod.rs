//! Core modules as data: what their bytes say, and whether that is what was asked for.
//!
//! What lives here: inspection without execution ([`inspect`]), the memory that linker flags ask
//! for against the memory that a module has ([`LinkPlan`]), the solve ABI as far as it can be read
//! off a module ([`missing_exports`]).
//!
//! What may not: files, engines, reports, diagnostic codes. Everything is a function from bytes or
//! words to facts.

mod abi;
mod inspect;
mod memory_plan;

pub use abi::{
    C_SIGNATURE, DATA_END_EXPORT, HEAP_BASE_EXPORT, MEMORY_EXPORT, REQUIRED_EXPORTS, SOLVE_EXPORT, missing_exports,
};
pub use inspect::{InspectError, Inspection, MemoryFacts, PAGE_BYTES, SITES_SECTION, inspect};
pub use memory_plan::{FlagProblem, LinkPlan, PlanMismatch, check};
