//! Operations of the run-time library: their operands' words go to a function of the library.

use crate::compiler::ir::{Expr, LibraryOp, SiteId};

use super::function::{Emitter, Flow};

impl Emitter<'_> {
    /// Calls the function of an operation.
    pub(super) fn library_op(&mut self, op: LibraryOp, args: &[Expr], site: SiteId) -> Flow<()> {
        let _ = (args, site);
        match op {}
    }
}
