//! Traces: what a reducer was given and what it returned, call by call, for replay.

use super::kept::{MOST, Steps};
use super::size::Size;
use super::steps::Step;
use crate::contract::json::{canonical, pointer};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Largest trace that is read or written: 64 MiB.
pub const MAX_TRACE_BYTES: u64 = 64 << 20;
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
    size: Size,
    left_out: u64,
}

impl Recording {
    /// Records the steps of the `index`-th request, or counts it as left out when some of them were
    /// not kept or the trace would become too large.
    pub fn add(&mut self, index: u64, steps: Steps) {
        let size = self.size.and(steps.size());
        if steps.left_out() > 0 || !size.fits(MOST) {
            self.left_out += 1;
            return;
        }
        self.size = size;
        self.requests.insert(index, steps.into_kept());
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

    fn steps(list: impl IntoIterator<Item = Step>) -> Steps {
        let mut steps = Steps::default();
        list.into_iter().for_each(|step| steps.push(step));
        steps
    }

    #[test]
    fn a_trace_is_valid_and_in_the_order_of_requests() {
        let mut recording = Recording::default();
        recording.add(1, steps([step("second", ""), step("second", "")]));
        recording.add(0, steps([step("first", "")]));
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
        recording.add(0, steps([step("a", &large)]));
        recording.add(1, steps([step("b", &large)]));
        recording.add(2, steps([step("c", "")]));
        assert_eq!(recording.left_out(), 1);
        assert_eq!(recording.document()["steps"].as_array().map(Vec::len), Some(2));
        // A request that is not whole is not there at all.
        recording.add(3, steps([step("d", ""), step("d", &large), step("d", &large)]));
        assert_eq!(recording.left_out(), 2);
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
