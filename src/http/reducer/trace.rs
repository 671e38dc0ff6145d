//! Traces: what a reducer was given and what it returned, call by call, for replay.

use super::steps::Step;
use crate::contract::json::{canonical, pointer};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Largest trace that is read or written: 64 MiB.
pub const MAX_TRACE_BYTES: u64 = 64 << 20;
/// Bytes that are recorded at most. A trace is written with indentation, which takes room, too.
const MAX_RECORDED_BYTES: u64 = 16 << 20;
/// JSON values that are recorded at most: the reader of documents takes 400 000.
const MAX_RECORDED_VALUES: u64 = 300_000;

/// A trace of these steps.
#[must_use]
pub fn document<'s>(steps: impl IntoIterator<Item = &'s Step>) -> Value {
    let steps: Vec<Value> = steps.into_iter().map(|step| json!({ "env": step.env, "frame": step.frame })).collect();
    json!({ "v": 1, "kind": "x07.http.trace", "steps": steps })
}

/// The traces of several requests, as one: the steps of a request stand together, and requests in
/// the order in which they came in, whichever was answered first.
#[derive(Debug, Default)]
pub struct Recording {
    requests: BTreeMap<u64, Vec<Step>>,
    bytes: u64,
    values: u64,
    left_out: u64,
}

impl Recording {
    /// Records the steps of the `index`-th request, or counts it as left out when the trace would
    /// become too large.
    pub fn add(&mut self, index: u64, steps: &[Step]) {
        let (mut bytes, mut values) = (self.bytes, self.values);
        for step in steps {
            measure(&step.env, &mut bytes, &mut values);
            measure(&step.frame, &mut bytes, &mut values);
        }
        if bytes > MAX_RECORDED_BYTES || values > MAX_RECORDED_VALUES {
            self.left_out += 1;
            return;
        }
        (self.bytes, self.values) = (bytes, values);
        self.requests.insert(index, steps.to_vec());
    }

    /// Requests that did not fit.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The trace.
    #[must_use]
    pub fn document(&self) -> Value {
        document(self.requests.values().flatten())
    }
}

/// Adds about the bytes and exactly the JSON values that a value takes.
fn measure(value: &Value, bytes: &mut u64, values: &mut u64) {
    // Documents that come from outside are at most 256 levels deep.
    *values += 1;
    *bytes += 8;
    match value {
        Value::String(text) => *bytes += text.len() as u64,
        Value::Array(items) => items.iter().for_each(|item| measure(item, bytes, values)),
        Value::Object(members) => {
            for (name, member) in members {
                *bytes += name.len() as u64;
                measure(member, bytes, values);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The first place at which two documents differ, as a JSON pointer; `None` when they are the same.
#[must_use]
pub fn first_difference(a: &Value, b: &Value) -> Option<String> {
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            let mut names = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name)));
            names.find_map(|name| {
                let inner = match (left.get(name), right.get(name)) {
                    (Some(a), Some(b)) => first_difference(a, b)?,
                    _ => String::new(),
                };
                Some(format!("/{}{inner}", pointer::escape(name)))
            })
        }
        (Value::Array(left), Value::Array(right)) => {
            let mut common = left.iter().zip(right).enumerate();
            let differs = common.find_map(|(at, (a, b))| Some(format!("/{at}{}", first_difference(a, b)?)));
            let rest = (left.len() != right.len()).then(|| format!("/{}", left.len().min(right.len())));
            differs.or(rest)
        }
        // Numbers are compared as they are written: 1 and 1.0 are two texts.
        _ => (canonical::compact(a) != canonical::compact(b)).then(String::new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Contract;
    use crate::contract::validate::violations;
    use x07_wasm_contracts::types::HttpTrace;

    fn step(id: &str, text: &str) -> Step {
        let request = json!({"schema_version": "x07.http.request.envelope@0.1.0", "id": id, "method": "POST", "path": "/", "headers": [], "body": {"bytes_len": text.len(), "text": text}});
        Step {
            env: crate::http::reducer::frame::dispatch(Value::Null, request, Vec::new()),
            frame: json!({"v": 1, "kind": "x07.http.frame", "state": null, "response": null, "effects": [], "telemetry": {}}),
        }
    }

    #[test]
    fn a_trace_is_valid_and_in_the_order_of_requests() {
        let mut recording = Recording::default();
        recording.add(1, &[step("second", ""), step("second", "")]);
        recording.add(0, &[step("first", "")]);
        let trace = recording.document();
        assert_eq!(violations(HttpTrace::INFO, &trace), []);
        let ids: Vec<&str> = trace["steps"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|s| s["env"]["request"]["id"].as_str())
            .collect();
        assert_eq!((ids, recording.left_out()), (vec!["first", "second", "second"], 0));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut recording = Recording::default();
        let large = "x".repeat(10 << 20);
        recording.add(0, &[step("a", &large)]);
        recording.add(1, &[step("b", &large)]);
        recording.add(2, &[step("c", "")]);
        assert_eq!(recording.left_out(), 1);
        assert_eq!(recording.document()["steps"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn the_first_difference_is_found() {
        let differs = |a: Value, b: Value| first_difference(&a, &b);
        assert_eq!(differs(json!({"a": [1, {"b": null}]}), json!({"a": [1, {"b": null}]})), None);
        assert_eq!(differs(json!({"a": [1, {"b/c": 1}]}), json!({"a": [1, {"b/c": 2}]})).as_deref(), Some("/a/1/b~1c"));
        assert_eq!(differs(json!([1, 2]), json!([1])).as_deref(), Some("/1"));
        assert_eq!(differs(json!({}), json!({"x": 1})).as_deref(), Some("/x"));
        assert_eq!(differs(json!(1), json!(1.0)).as_deref(), Some(""));
        assert_eq!(differs(json!([]), json!({})).as_deref(), Some(""));
    }
}
