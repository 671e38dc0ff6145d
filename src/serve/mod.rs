//! `serve`: a component of the world `wasi:http/proxy` answers requests.
//!
//! | module | job |
//! |---|---|
//! | [`budgets`] | what a request may use, and the engine that goes with it |
//! | [`template`] | the request of the canary mode, from the command line |
//! | [`backend`] | one request → what the component made of it |
//! | [`classify`] | why there is no response: diagnostic and status |
//! | [`canary`] | requests of our own, without a socket |
//! | [`listen`] | requests of others, through [`crate::http::server`] |
//! | [`ledger`] | what the report says about many requests |
//! | [`envelope`] | requests and responses as documents |
//! | [`incident`] | what a failed request leaves behind |
//!
//! What may not live here: sockets, the engine's rules, and what capabilities mean.

pub mod backend;
pub mod budgets;
pub mod canary;
pub mod classify;
pub mod envelope;
pub mod incident;
pub mod ledger;
pub mod listen;
pub mod template;
