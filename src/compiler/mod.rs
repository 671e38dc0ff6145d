//! The compiler: x07AST in, a core WebAssembly module out.
//!
//! | module | job |
//! |---|---|
//! | [`source`] | where texts come from; the compiler opens no file itself |
//! | [`problem`] | what the compiler reports |
//! | `module` | one file: JSON → declarations, every structural rule |
//! | `resolve` | all files: imports, visibility, what is reachable |
//! | `types` | the types and brands that programs write |
//! | `generic` | type arguments, bounds, specialisations of generic functions |
//! | `check` | one function: types, moves, borrows; builds the intermediate representation |
//! | [`ir`] | the intermediate representation |
//! | [`optimise`] | intermediate representation → better intermediate representation |
//! | [`emit`] | intermediate representation → wasm |
//! | [`runtime`] | wasm functions that emitted code calls |
//! | [`std_modules`] | the standard modules |
//!
//! Nothing here knows files, reports, commands or a wasm engine.

mod check;
pub mod emit;
mod generic;
pub mod ir;
mod module;
pub mod optimise;
pub mod problem;
mod resolve;
pub mod runtime;
pub mod source;
// Not called `std`: that would hide the crate of this name.
#[path = "std/mod.rs"]
pub mod std_modules;
mod types;

use x07_wasm_contracts::diagnostics::{Code, Stage};

use crate::contract::json::tree::{Limits, Tree};
use problem::{Problem, Sink};
use source::ModuleSource;

/// Limits of what the compiler accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Largest entry file in bytes. Default 65 536.
    pub max_entry_bytes: usize,
    /// Most JSON values in the expressions of all reachable functions together. Default 250 000.
    pub max_ast_nodes: usize,
    /// Most local variables of one function, hidden ones included. Default 20 000.
    pub max_locals: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_entry_bytes: 65_536, max_ast_nodes: 250_000, max_locals: 20_000 }
    }
}

/// What [`check`] found.
#[derive(Debug)]
pub struct Checked {
    /// The checked program; `None` exactly when some problem is an error.
    pub program: Option<ir::Program>,
    /// All problems: by file in load order, then by place.
    pub problems: Vec<Problem>,
    /// The files that were read, the entry first.
    pub modules: Vec<LoadedModule>,
}

/// What [`compile`] made.
#[derive(Debug)]
pub struct Compiled {
    /// The module; `None` exactly when some problem is an error.
    pub wasm: Option<Vec<u8>>,
    /// All problems: by file in load order, then by place; those of the emitter last.
    pub problems: Vec<Problem>,
    /// The files that were read, the entry first.
    pub modules: Vec<LoadedModule>,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedModule {
    /// The module's id; `main` for the entry.
    pub id: String,
    /// Its path, as the source gave it.
    pub path: String,
    /// Its size in bytes.
    pub bytes: usize,
}

/// Parses, resolves and checks a program.
pub fn check(source: &dyn ModuleSource, options: &Options) -> Checked {
    with_deep_stack(|| check_here(source, options))
}

/// Checks a program and emits its module.
pub fn compile(source: &dyn ModuleSource, options: &Options, target: &emit::Target) -> Compiled {
    with_deep_stack(|| {
        let Checked { program, mut problems, modules } = check_here(source, options);
        let optimised = program.map(|mut program| {
            optimise::optimise(&mut program);
            program
        });
        let wasm = optimised.and_then(|program| match emit::emit(&program, target) {
            Ok(wasm) => Some(wasm),
            Err(error) => {
                // A program that passed the checker and contradicts itself is our mistake.
                let ours = matches!(error, emit::EmitError::Malformed { .. });
                let code = if ours { Code::InternalError } else { Code::X07cLimitExceeded };
                problems.push(Problem::error(code, Stage::Codegen, error.to_string()));
                None
            }
        });
        Compiled { wasm, problems, modules }
    })
}

/// Runs `work` where expressions as deep as the reader admits can be dropped: dropping a tree
/// recurses, and nothing but the size of the stack limits that.
fn with_deep_stack<R>(work: impl FnOnce() -> R) -> R {
    const NEEDED: usize = 60 << 20;
    stacker::maybe_grow(NEEDED, NEEDED + (4 << 20), work)
}

fn check_here(source: &dyn ModuleSource, options: &Options) -> Checked {
    let mut sink = Sink::default();
    let loaded = resolve::load(source, options, &mut sink);
    let program = if loaded.broken { None } else { check_modules(source, &loaded, options, &mut sink) };
    let program = program.filter(|_| sink.errors() == 0);
    let texts: Vec<&str> = loaded.files.iter().map(|file| file.text.as_str()).collect();
    let problems = sink.finish(&texts);
    let modules = loaded
        .files
        .iter()
        .map(|file| LoadedModule { id: file.id.clone(), path: file.path.clone(), bytes: file.text.len() })
        .collect();
    Checked { program, problems, modules }
}

fn check_modules(
    source: &dyn ModuleSource,
    loaded: &resolve::Loaded,
    options: &Options,
    sink: &mut Sink,
) -> Option<ir::Program> {
    // Every text was read once already; a second reading gives the same nodes the same ids.
    let trees: Vec<Tree<'_>> =
        loaded.files.iter().filter_map(|file| Tree::parse(&file.text, Limits::PROGRAM).ok()).collect();
    if trees.len() != loaded.modules.len() {
        return None;
    }
    let index = resolve::index(loaded, &trees, sink);
    let reach = resolve::reach(loaded, &trees, &index, options, sink)?;
    check::program(source, loaded, &trees, &index, &reach, options, sink)
}
