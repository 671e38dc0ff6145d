//! Documents for the tests of this folder.

use super::Capabilities;
use crate::contract::load;
use serde_json::{Value, json};
use std::sync::Arc;
use x07_wasm_contracts::types::AppCapabilities;

/// A document that denies everything, after a change.
pub(super) fn document(change: impl FnOnce(&mut Value)) -> AppCapabilities {
    let mut value = json!({
        "schema_version": "x07.app.capabilities@0.2.0", "id": "c", "v": 1,
        "fs": {"preopens": []}, "env": {"allow": []}, "secrets": {"allow": []},
        "network": {
            "mode": "deny", "allowlist": [],
            "hardening": {"deny_ip_literals": true, "deny_private_ips": true, "allow_ip_cidrs": []},
        },
        "clocks": {"mode": "deny"}, "random": {"mode": "deny"},
    });
    change(&mut value);
    load::from_bytes::<AppCapabilities>("c.json", value.to_string().as_bytes()).expect("valid").document
}

/// The capabilities of such a document.
pub(super) fn capabilities(change: impl FnOnce(&mut Value)) -> Arc<Capabilities> {
    Arc::new(Capabilities::parse(document(change)).expect("no problem"))
}
