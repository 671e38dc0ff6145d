//! The glued modules at work: [`host`] plays the component's outside, so that what they do with
//! lists, streams and handles can be seen; `worlds` makes components of them.

mod cli;
mod host;
mod solve;
mod worlds;

use super::SolveLimits;

/// What the programs of the tests may use.
const LIMITS: SolveLimits = SolveLimits { arena_cap: 4 << 20, max_output: 2 << 20 };

/// Bytes that show when some of them are missing or swapped.
fn pattern(length: usize) -> Vec<u8> {
    (0u32..).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).take(length).collect()
}
