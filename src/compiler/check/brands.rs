//! Operations that give, check or drop brands.

use super::function::{Checker, Value};
use crate::contract::json::tree::NodeId;

impl Checker<'_, '_> {
    /// `std.brand.…` and the internal brand operations; `None` for other heads.
    pub(super) fn brand_form(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Option<Value> {
        let _ = (node, head, args);
        None
    }
}
