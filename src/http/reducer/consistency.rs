//! What a schema cannot say about a trace or its parts: that the parts fit together.
//!
//! A trace that does not fit can be replayed, but no host would record it; a mistake in a fixture that
//! was written by hand shows up here.

use super::payload;
use serde_json::Value;
use x07_wasm_contracts::types::StreamPayload;

/// A part that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inconsistency {
    /// JSON pointer of the part.
    pub pointer: String,
    /// What does not fit, and what would.
    pub message: String,
}

/// Everything that does not fit in a valid dispatch, frame or trace.
#[must_use]
pub fn of(document: &Value) -> Vec<Inconsistency> {
    let mut found = Vec::new();
    payloads(document, String::new(), &mut found);
    let steps: Vec<&Value> = document.get("steps").and_then(Value::as_array).into_iter().flatten().collect();
    for (at, step) in steps.iter().enumerate() {
        response(at, step, &mut found);
        if let Some(next) = steps.get(at + 1).filter(|next| same_request(step, next)) {
            chain(at + 1, step, next, &mut found);
        }
    }
    found
}

/// Every payload in a document: its length and its content.
fn payloads(value: &Value, at: String, found: &mut Vec<Inconsistency>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                payloads(item, format!("{at}/{index}"), found);
            }
        }
        Value::Object(members) if members.contains_key("bytes_len") => {
            // What a program keeps in its state may look like a payload without being one.
            let Ok(read) = serde_json::from_value::<StreamPayload>(value.clone()) else { return };
            if let Err(error) = payload::decode(&read) {
                found.push(Inconsistency { pointer: at, message: error.to_string() });
            }
        }
        Value::Object(members) => {
            // States, fields of logs and telemetry are the program's own.
            for (name, member) in members.iter().filter(|(name, _)| !is_free(name)) {
                payloads(member, format!("{at}/{name}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_free(member: &str) -> bool {
    matches!(member, "state" | "fields" | "telemetry" | "meta")
}

fn same_request(step: &Value, next: &Value) -> bool {
    let open = step.pointer("/frame/response").is_none_or(Value::is_null);
    open && step.pointer("/env/request") == next.pointer("/env/request")
}

/// A response names the request that it answers.
fn response(at: usize, step: &Value, found: &mut Vec<Inconsistency>) {
    let asked = step.pointer("/env/request/id").and_then(Value::as_str);
    let answered = step.pointer("/frame/response/request_id").and_then(Value::as_str);
    if let (Some(asked), Some(answered)) = (asked, answered)
        && asked != answered
    {
        found.push(Inconsistency {
            pointer: format!("/steps/{at}/frame/response/request_id"),
            message: format!("the response answers {answered:?}, but the request is {asked:?}"),
        });
    }
}

/// A step of the same request goes on from the one before.
fn chain(at: usize, before: &Value, step: &Value, found: &mut Vec<Inconsistency>) {
    if before.pointer("/frame/state") != step.pointer("/env/state") {
        found.push(Inconsistency {
            pointer: format!("/steps/{at}/env/state"),
            message: "the state is not the one that the step before returned".to_owned(),
        });
    }
    let list = |value: Option<&Value>| -> Vec<(String, String)> {
        let name =
            |effect: &Value, member: &str| effect.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
        let items = value.and_then(Value::as_array).into_iter().flatten();
        items.map(|effect| (name(effect, "id"), name(effect, "type"))).collect()
    };
    let asked = list(before.pointer("/frame/effects"));
    let given = list(step.pointer("/env/effect_results"));
    if asked != given {
        let shown = |list: &[(String, String)]| {
            let names: Vec<String> = list.iter().map(|(id, type_)| format!("{id} ({type_})")).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        found.push(Inconsistency {
            pointer: format!("/steps/{at}/env/effect_results"),
            message: format!(
                "the step before asked for {}, and the results are for {}; give one result for each effect, in order",
                shown(&asked),
                shown(&given)
            ),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn step(id: &str, state: Value, results: Value, frame: Value) -> Value {
        json!({"env": {"state": state, "request": {"id": id, "body": {"bytes_len": 0}}, "effect_results": results}, "frame": frame})
    }

    fn pointers(document: &Value) -> Vec<String> {
        of(document).into_iter().map(|i| i.pointer).collect()
    }

    #[test]
    fn a_trace_of_a_host_fits() {
        let ask = json!({"response": null, "state": {"n": 1}, "effects": [{"id": "a", "type": "time.now"}]});
        let reply = json!({"response": {"request_id": "r", "body": {"bytes_len": 2, "text": "ok"}}, "state": null, "effects": []});
        let trace = json!({"steps": [
            step("r", Value::Null, json!([]), ask),
            step("r", json!({"n": 1}), json!([{"id": "a", "type": "time.now", "unix_ms": 1}]), reply.clone()),
            // Another request begins anew, even with the same id.
            step("r", Value::Null, json!([]), reply),
        ]});
        assert_eq!(pointers(&trace), Vec::<String>::new());
    }

    #[test]
    fn what_does_not_fit_is_found() {
        let ask = json!({"response": null, "state": {"n": 1}, "effects": [{"id": "a", "type": "time.now"}]});
        let reply = json!({"response": {"request_id": "other", "body": {"bytes_len": 3, "text": "ok"}}, "state": null, "effects": []});
        let trace = json!({"steps": [
            step("r", Value::Null, json!([]), ask),
            step("r", json!({"n": 2}), json!([{"id": "b", "type": "time.now"}]), reply),
        ]});
        let mut found = pointers(&trace);
        found.sort();
        assert_eq!(
            found,
            [
                "/steps/1/env/effect_results",
                "/steps/1/env/state",
                "/steps/1/frame/response/body",
                "/steps/1/frame/response/request_id"
            ]
        );
    }

    #[test]
    fn what_belongs_to_the_program_is_left_alone() {
        let frame =
            json!({"state": {"bytes_len": 7}, "telemetry": {"x": {"bytes_len": 7}}, "effects": [], "response": null});
        assert_eq!(pointers(&frame), Vec::<String>::new());
        let put = json!({"effects": [{"id": "p", "type": "kv.put", "value": {"bytes_len": 7}}]});
        assert_eq!(pointers(&put), ["/effects/0/value"]);
    }
}
