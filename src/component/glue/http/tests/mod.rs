//! The HTTP modules at work: [`host`] plays the component's outside; `worlds` makes components of
//! them. What envelopes are like is tested with the codec.

mod calls;
mod host;
mod worlds;

use serde_json::json;

use super::{http_adapter, http_native};
use crate::component::glue::{HttpBudgets, SolveLimits, StateDoc};
use crate::component::link::tests::compiled;

/// What the programs of the tests may use.
const LIMITS: SolveLimits = SolveLimits { arena_cap: 4 << 20, max_output: 2 << 20 };

const BUDGETS: HttpBudgets = HttpBudgets {
    max_request_body_bytes: 100_000,
    max_response_body_bytes: 100_000,
    max_headers: 8,
    max_header_bytes_total: 1000,
    max_path_bytes: 100,
    max_query_bytes: 100,
    max_envelope_bytes: 200_000,
};

/// A response envelope with this body.
fn envelope(headers: &str, text: &str) -> String {
    format!(
        "{{\"schema_version\":\"x07.http.response.envelope@0.1.0\",\"request_id\":\"req0\",\"status\":201,\
         \"headers\":[{headers}],\"body\":{{\"bytes_len\":{},\"text\":\"{text}\"}}}}",
        text.len()
    )
}

/// A program that always returns this text.
fn constant(text: &str) -> Vec<u8> {
    compiled(&json!(["bytes.lit", text]))
}

/// A native component of a program that always returns this text.
fn native(text: &str, budgets: &HttpBudgets) -> host::Host {
    host::Host::new(&http_native(&constant(text), LIMITS, budgets, StateDoc::None).unwrap())
}

fn adapter(budgets: &HttpBudgets, state: StateDoc) -> host::Host {
    host::Host::new(&http_adapter(budgets, state).unwrap())
}
