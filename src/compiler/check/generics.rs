//! Generic functions: `tapp` and the `ty.*` intrinsics.

use super::function::{Checker, Value};
use crate::contract::json::tree::NodeId;

impl Checker<'_, '_> {
    /// `tapp` and `ty.…`; `None` for other heads.
    pub(super) fn generic_form(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Option<Value> {
        let _ = (node, head, args);
        None
    }
}
