//! Black-box tests: the binary and the contracts as their users meet them.
//!
//! One program, so that the engine is linked once.
//!
//! | module | promise |
//! |---|---|
//! | `contracts` | every schema with its fixtures; validator and Rust type agree |
//! | `compiler_of_contracts` | mistakes in `schemas/` stop the build with place and cure |
//! | `catalogue` | codes, exit codes and documentation agree; every code is raised by a test |
//! | `machine` | flags, reports, exit codes, schemas, spec rows |
//! | `build` | `build`: outputs, manifests, failures, determinism, external compilers |
//! | `run` | `run`: inputs, outputs, limits, incidents, traps |
//! | `testing` | `check` and `test`: problems of programs, outcomes of their tests |
//! | `registries` | `profile validate`, `toolchain validate`, `doctor` |
//! | `language` | programs and what they print, and programs that are refused |
//! | `oracle` | compiled programs do what an interpreter of the checked program says |
//! | `hostile` | inputs that want to break the tool |
//! | `fuzz` | the compiler and changed texts of programs |
//! | `examples` | the example projects and their cases |
//! | `documentation` | the commands in README and docs |
//! | `other_hosts` | our components under hosts of others, where those are installed |
//! | `phases` | the commands of the phases, as they are written, with no other tool installed |
//! | `wit`, `component_*` | WIT packages, component profiles; components: built, composed, checked, run |
//! | `serve`, `http_reducer` | the HTTP hosts: of components, and of reducers in core modules |
//! | `capabilities` | what an ops profile allows |

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod build;
mod capabilities;
mod catalogue;
mod compiler_of_contracts;
mod component_commands;
mod component_glue;
mod component_http;
mod component_profiles;
mod contracts;
mod documentation;
mod examples;
mod fuzz;
mod hostile;
mod http_reducer;
mod language;
mod machine;
mod oracle;
mod other_hosts;
mod phases;
mod registries;
mod run;
mod serve;
mod support;
mod testing;
mod wit;
