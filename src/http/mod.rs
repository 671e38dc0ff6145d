//! HTTP on the host's side: what X07 programs are called through and what they may call.
//!
//! What lives here: the server that every listening command uses ([`server`]), the client that
//! outgoing requests leave through ([`client`]) and the rules that it asks first ([`policy`]), and
//! the loop that runs a core module as a request handler ([`reducer`]).
//!
//! What may not: components and the engine's types, which [`crate::engine::component`] keeps, and
//! the documents that say what is allowed, which the capabilities read.
//!
//! [`client`] and [`policy`] use nothing of the project, so that the engine can use them.

pub mod client;
pub mod policy;
pub mod reducer;
pub mod server;
