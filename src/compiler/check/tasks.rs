//! Tasks, channels, task scopes and select.

use super::function::{Checker, Value};
use crate::contract::json::tree::NodeId;

impl Checker<'_, '_> {
    /// Operations of the scheduler and the forms of task scopes; `None` for other heads.
    pub(super) fn task_form(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Option<Value> {
        let _ = (node, head, args);
        None
    }
}
