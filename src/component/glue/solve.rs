//! A program as a component of the world `x07:solve/solve`.

use super::frame::{Solver, frame, memory_bytes};
use super::{GlueError, SOLVE_HANDLER, SolveLimits};
use crate::component::link::Linker;

/// Makes the core module of a solve component. It imports nothing and exports `solve`, its
/// post-return function, `cabi_realloc` and `memory`.
///
/// # Errors
///
/// [`GlueError::Link`]: the program's module cannot be linked.
pub fn solve(core: &[u8], limits: SolveLimits) -> Result<Vec<u8>, GlueError> {
    let mut linker = Linker::new(&[]);
    let program = linker.add_program(core)?;
    let (frame, _) = frame(&mut linker, Solver::Native { program, limits }, &[]);
    let post_return = frame.post_return(&mut linker);
    linker.export(&format!("{SOLVE_HANDLER}#solve"), frame.call_solve);
    linker.export(&format!("cabi_post_{SOLVE_HANDLER}#solve"), post_return);
    let memory = memory_bytes(&linker, 0);
    Ok(linker.finish(memory)?)
}
