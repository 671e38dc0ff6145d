//! Starting tasks and waiting for them.

use crate::compiler::ir::{Expr, FuncId, SiteId, TaskOp, Ty, WaitOp};

use super::function::{Emitter, Flow};

impl Emitter<'_> {
    /// Starts a task.
    pub(super) fn spawn(&mut self, func: FuncId, args: &[Expr], site: SiteId) -> Flow<Ty> {
        let _ = (func, args, site);
        self.malformed("tasks")
    }

    /// An operation that may have to wait.
    pub(super) fn wait(&mut self, op: WaitOp, args: &[Expr], site: SiteId) -> Flow<Ty> {
        let _ = (args, site);
        match op {}
    }

    /// An operation of the scheduler that does not wait.
    pub(super) fn task_op(&mut self, op: TaskOp, args: &[Expr], site: SiteId) -> Flow<()> {
        let _ = (args, site);
        match op {}
    }
}
