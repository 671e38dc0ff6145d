//! Records and enums: constructors, accessors, `match`.

use super::function::{Checker, Value};
use super::heads::Refused;
use super::{Unsupported, unsupported};
use crate::contract::json::tree::NodeId;

impl Checker<'_, '_> {
    /// `match` and the heads that records and enums define; `None` for other heads.
    pub(super) fn record_form(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Option<Value> {
        if !self.cx.index.type_heads.contains(head) {
            return None;
        }
        let problem = unsupported(Unsupported::Form, head, "RecordsV1");
        Some(self.refuse(node, args, Refused { problem, plain_args: true }))
    }
}
