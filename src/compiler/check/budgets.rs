//! Budget scopes.

use super::function::{Checker, Value};
use crate::contract::json::tree::NodeId;

impl Checker<'_, '_> {
    /// `budget.…`; `None` for other heads.
    pub(super) fn budget_form(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Option<Value> {
        let _ = (node, head, args);
        None
    }
}
