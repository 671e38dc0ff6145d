//! The reducer loop: a core module that answers HTTP requests, one step after the other, and asks its
//! host for what it cannot do itself.
//!
//! | module | job |
//! |---|---|
//! | [`runner`] | a module that is ready to be called |
//! | [`frame`] | what a call is given, and what it returns |
//! | [`steps`] | the loop: calls and effects until there is a response |
//! | [`effects`] | what may be asked of the host; [`kv`] and [`fetch`] do the larger part of it |
//! | [`payload`], [`headers`], [`envelope`] | between HTTP and documents |
//! | [`stdin`], [`listen`] | where requests come from |
//! | [`until`] | how long a request is worked on |
//! | [`kept`], [`size`] | the steps that are kept of a request, and what they take |
//! | [`session`], [`findings`] | what a command remembers of them |
//! | [`trace`], [`replay`], [`consistency`] | recorded calls: writing, repeating, checking them |
//! | [`incident`], [`regress`] | what a failure leaves behind, and a test made of it |
//!
//! Every call runs in a fresh instance, so what a reducer returns depends on its dispatch alone, and a
//! trace can be replayed anywhere.
//!
//! What may not live here: reports, arguments of commands, and components, which have a host of their
//! own.

pub mod consistency;
pub mod effects;
pub mod envelope;
pub mod fetch;
pub mod findings;
pub mod frame;
pub mod headers;
pub mod incident;
pub mod kept;
pub mod kv;
pub mod listen;
pub mod payload;
pub mod regress;
pub mod replay;
pub mod runner;
pub mod session;
pub mod size;
pub mod stdin;
pub mod steps;
pub mod trace;
pub mod until;
