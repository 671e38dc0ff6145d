//! The direct parts of an expression, for passes that treat most expressions alike.

use super::Expr;

impl Expr {
    /// Calls `visit` with each direct part, in the order of evaluation as far as there is one.
    pub fn for_each_part<'e>(&'e self, mut visit: impl FnMut(&'e Self)) {
        match self {
            Self::I32(_)
            | Self::ViewLit(_)
            | Self::BytesLit(..)
            | Self::Input
            | Self::Get(_)
            | Self::Take(_)
            | Self::ViewOf(_)
            | Self::Drop(_)
            | Self::Trap { .. } => {}
            Self::Store { value, .. } | Self::Discard(value) => visit(value),
            Self::Block { body, value, cleanup } => {
                body.iter().for_each(&mut visit);
                value.as_deref().into_iter().for_each(&mut visit);
                cleanup.iter().for_each(&mut visit);
            }
            Self::If { cond, then, otherwise, .. } => {
                visit(cond);
                visit(then);
                visit(otherwise);
            }
            Self::Switch { value, arms, .. } => {
                visit(value);
                arms.iter().for_each(&mut visit);
            }
            Self::For { start, end, body, .. } => {
                visit(start);
                visit(end);
                visit(body);
            }
            Self::While { cond, body } => {
                visit(cond);
                visit(body);
            }
            Self::Return { value, cleanup } | Self::Try { value, cleanup, .. } => {
                visit(value);
                cleanup.iter().for_each(&mut visit);
            }
            Self::Call { args, .. }
            | Self::Spawn { args, .. }
            | Self::Wait { args, .. }
            | Self::Op { args, .. }
            | Self::InPlace { args, .. } => args.iter().for_each(&mut visit),
        }
    }

    /// As [`Expr::for_each_part`], for changes.
    pub fn for_each_part_mut(&mut self, mut visit: impl FnMut(&mut Self)) {
        match self {
            Self::I32(_)
            | Self::ViewLit(_)
            | Self::BytesLit(..)
            | Self::Input
            | Self::Get(_)
            | Self::Take(_)
            | Self::ViewOf(_)
            | Self::Drop(_)
            | Self::Trap { .. } => {}
            Self::Store { value, .. } | Self::Discard(value) => visit(value),
            Self::Block { body, value, cleanup } => {
                body.iter_mut().for_each(&mut visit);
                value.as_deref_mut().into_iter().for_each(&mut visit);
                cleanup.iter_mut().for_each(&mut visit);
            }
            Self::If { cond, then, otherwise, .. } => {
                visit(cond);
                visit(then);
                visit(otherwise);
            }
            Self::Switch { value, arms, .. } => {
                visit(value);
                arms.iter_mut().for_each(&mut visit);
            }
            Self::For { start, end, body, .. } => {
                visit(start);
                visit(end);
                visit(body);
            }
            Self::While { cond, body } => {
                visit(cond);
                visit(body);
            }
            Self::Return { value, cleanup } | Self::Try { value, cleanup, .. } => {
                visit(value);
                cleanup.iter_mut().for_each(&mut visit);
            }
            Self::Call { args, .. }
            | Self::Spawn { args, .. }
            | Self::Wait { args, .. }
            | Self::Op { args, .. }
            | Self::InPlace { args, .. } => args.iter_mut().for_each(&mut visit),
        }
    }
}
