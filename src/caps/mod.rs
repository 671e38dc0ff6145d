//! Capabilities: what a component may reach while it serves, and the record of what it was given.
//!
//! | module | job |
//! |---|---|
//! | [`capabilities`] | the document, read once into a value that keeps its own rules |
//! | [`network`] | which outgoing requests are allowed, by name and by address |
//! | [`cidr`] | ranges of addresses, and which addresses are private or reserved |
//! | [`secrets`] | where secrets are looked for, and under which variable they are given |
//! | [`grant`] | capabilities → what the engine gives to one call |
//! | [`evidence`] | clocks and randomness that are recorded, and played back |
//!
//! Whatever a document does not list is denied. What may not live here: running a component, opening
//! a socket, and the ops profile that names the document; see `ops`.

pub mod capabilities;
pub mod cidr;
pub mod evidence;
pub mod grant;
pub mod network;
pub mod secrets;

#[cfg(test)]
mod tests;

pub use capabilities::{Capabilities, ClocksMode, RandomMode};
pub use evidence::Evidence;
pub use grant::{grant, warnings};
pub use network::{denial_diag, refusal_code};
