//! Tools outside this process, and the libraries in it that stand in for some of them.
//!
//! | module | job |
//! |---|---|
//! | [`process`] | runs a program: no shell, bounded output, bounded time |
//! | [`linked`] | versions of the libraries that are linked in |
//! | [`profile`] | toolchain registry and profiles: which versions a project accepts |
//! | [`probe`] | asks a tool for its version and compares |
//! | [`c_backend`] | the C backend: external compiler, clang, wasm-ld |
//!
//! Nothing here builds reports or knows a command; only [`process`] starts programs.

pub mod c_backend;
pub mod linked;
pub mod probe;
pub mod process;
pub mod profile;
