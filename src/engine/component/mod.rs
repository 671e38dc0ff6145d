//! Components: how they are compiled, linked against WASI, and called under limits.
//!
//! What lives here: [`Component`], the two worlds that can be called ([`HttpService`] for
//! `wasi:http/proxy`, [`CommandService`] for `wasi:cli/command`), what a call is granted
//! ([`Grant`]) and every way in which it can end ([`CallError`]).
//!
//! What may not: as in the rest of the engine, reports, profiles and files, except the directories
//! that a grant names. Outgoing requests leave through [`crate::http::client`].
//!
//! Every call gets a fresh store and instance, so calls cannot influence each other. A call is a
//! future: dropping it stops the guest wherever it is. A busy guest yields at every tick of the
//! engine's clock, so it holds no thread for longer than that, and it ends when its time is used
//! up, running or waiting.

mod clocks;
mod codes;
mod command;
mod compile;
mod error;
mod grant;
mod http;
mod linker;
mod outgoing;
mod random;
mod run;
mod state;

#[cfg(test)]
mod tests;

pub use self::command::{CommandCall, CommandOutcome, CommandService, Exit};
pub use self::compile::Component;
pub use self::error::{CallError, PrepareError};
pub use self::grant::{ClockSource, Clocks, Grant, Preopen, RandomSource, Randomness};
pub use self::http::{HttpCall, HttpOutcome, HttpService, MAX_RESPONSE_HEADER_BYTES};
pub use self::run::block_on;
pub use crate::http::policy::{Denial, DenialReason, DenyAll, OutgoingPolicy, Target};
