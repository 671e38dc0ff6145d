//! Starting tasks, waiting for them, and the other operations of the scheduler.

use crate::compiler::ir::{Expr, FuncId, SiteId, TaskOp, Ty, WaitOp};
use crate::compiler::runtime::Helper;
use crate::compiler::runtime::tasks::TaskHelper;

use super::function::{Emitter, Flow};

/// The poll of an operation that may wait.
pub(super) const fn poll_of(op: WaitOp) -> TaskHelper {
    match op {
        WaitOp::JoinBytes => TaskHelper::JoinBytes,
        WaitOp::JoinResult => TaskHelper::JoinResult,
        WaitOp::Yield => TaskHelper::Yield,
        WaitOp::Sleep => TaskHelper::Sleep,
        WaitOp::ChanSend => TaskHelper::ChanSend,
        WaitOp::ChanRecv => TaskHelper::ChanRecv,
        WaitOp::SlotBytes => TaskHelper::SlotBytes,
        WaitOp::SlotResult => TaskHelper::SlotResult,
        WaitOp::ScopeWaitAll => TaskHelper::ScopeWaitAll,
        WaitOp::ScopeExit => TaskHelper::ScopeExit,
        WaitOp::Select => TaskHelper::Select,
    }
}

/// The result of operations whose poll yields nothing but whether they are done.
pub(super) const fn constant_result(op: WaitOp) -> Option<i32> {
    match op {
        WaitOp::Yield | WaitOp::Sleep | WaitOp::ScopeExit => Some(0),
        WaitOp::ChanSend => Some(1),
        WaitOp::JoinBytes
        | WaitOp::JoinResult
        | WaitOp::ChanRecv
        | WaitOp::SlotBytes
        | WaitOp::SlotResult
        | WaitOp::ScopeWaitAll
        | WaitOp::Select => None,
    }
}

/// The function of an operation that never waits.
const fn function_of(op: TaskOp) -> TaskHelper {
    match op {
        TaskOp::Check => TaskHelper::Check,
        TaskOp::TryJoinBytes => TaskHelper::TryJoinBytes,
        TaskOp::TryJoinResult => TaskHelper::TryJoinResult,
        TaskOp::IsFinished => TaskHelper::Finished,
        TaskOp::Cancel => TaskHelper::Cancel,
        TaskOp::ChanNew => TaskHelper::ChanNew,
        TaskOp::ChanTrySend => TaskHelper::ChanTrySend,
        TaskOp::ChanTryRecv => TaskHelper::ChanTryRecv,
        TaskOp::ChanClose => TaskHelper::ChanClose,
        TaskOp::ScopeEnter => TaskHelper::ScopeEnter,
        TaskOp::ScopeStart => TaskHelper::ScopeStart,
        TaskOp::ScopeCancelAll => TaskHelper::ScopeCancelAll,
        TaskOp::ScopeLet => TaskHelper::ScopeLet,
        TaskOp::TrySlotBytes => TaskHelper::SlotTryBytes,
        TaskOp::TrySlotResult => TaskHelper::SlotTryResult,
        TaskOp::SlotFinished => TaskHelper::SlotFinished,
        TaskOp::SelectBegin => TaskHelper::SelectBegin,
        TaskOp::SelectCase => TaskHelper::SelectCase,
        TaskOp::SelectTry => TaskHelper::SelectTry,
        TaskOp::EventTag => TaskHelper::EventTag,
        TaskOp::EventCase => TaskHelper::EventCase,
        TaskOp::EventSource => TaskHelper::EventSource,
        TaskOp::EventTake => TaskHelper::EventTake,
        TaskOp::EventDrop => TaskHelper::EventDrop,
    }
}

/// Whether a value of one type may stand for one of the other, as operands of tasks do: see
/// [`crate::compiler::ir::tasks`].
pub(super) const fn interchangeable(a: Ty, b: Ty) -> bool {
    const fn group(ty: Ty) -> u8 {
        match ty {
            Ty::I32 | Ty::TaskBytes | Ty::TaskResult | Ty::Slot | Ty::Event => 1,
            Ty::OptionI32 | Ty::OptionEvent => 2,
            _ => 0,
        }
    }
    group(a) != 0 && group(a) == group(b)
}

impl Emitter<'_> {
    /// Starts a task: the async function's own wasm function does that.
    pub(super) fn spawn(&mut self, func: FuncId, args: &[Expr], site: SiteId) -> Flow<Ty> {
        match self.call(func, args, site)? {
            Ty::Bytes => Ok(Ty::TaskBytes),
            Ty::ResultBytes => Ok(Ty::TaskResult),
            other => self.malformed(format!("a task that yields {other:?}")),
        }
    }

    /// An operation that may have to wait, outside tasks: its poll runs other tasks meanwhile.
    pub(super) fn wait(&mut self, op: WaitOp, args: &[Expr], site: SiteId) -> Flow<Ty> {
        if self.is_task() {
            return self.malformed("a wait that the frame does not know");
        }
        self.push_operands(op.params(), args)?;
        self.code.ins().i32_const(0);
        self.code.call(Helper::Task(poll_of(op)), Some(site));
        self.code.ins().drop();
        if let Some(number) = constant_result(op) {
            self.code.ins().i32_const(number);
        }
        Ok(op.result())
    }

    /// An operation of the scheduler that does not wait.
    pub(super) fn task_op(&mut self, op: TaskOp, args: &[Expr], site: SiteId) -> Flow<()> {
        self.push_operands(op.params(), args)?;
        self.code.call(Helper::Task(function_of(op)), Some(site));
        Ok(())
    }

    /// Evaluates operands onto the stack.
    fn push_operands(&mut self, params: &[Ty], args: &[Expr]) -> Flow<()> {
        if params.len() != args.len() {
            return self.malformed(format!("an operation has {} operands instead of {}", args.len(), params.len()));
        }
        for (param, arg) in params.iter().zip(args) {
            self.value_of(*param, arg)?;
        }
        Ok(())
    }
}
