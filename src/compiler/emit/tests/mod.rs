//! Programs built by hand, emitted, validated and run.
//!
//! `harness` builds and runs; the other files hold the tests: of operations that yield values, of
//! vectors, of control flow, of the allocator, of the run-time library, and of the module's form and
//! its site table.

mod arena;
mod control;
mod form;
mod harness;
mod library;
mod shapes;
mod values;
mod vectors;
