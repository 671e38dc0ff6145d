//! The two documents of a call: what a reducer is given, and what it returns.

use super::size::Size;
use crate::contract::Contract;
use crate::contract::load::{self, LoadError};
use crate::contract::validate;
use crate::report::{Code, Diag, DocumentCodes};
use serde_json::{Value, json};
use x07_wasm_contracts::types::{HttpDispatch, HttpFrame};

/// The effects that exist.
const EFFECT_TYPES: [&str; 5] = ["http.fetch", "kv.get", "kv.put", "log.emit", "time.now"];
/// Problems of one document that are reported.
const MAX_PROBLEMS: usize = 20;
/// Levels of lists and objects in a frame. Its state becomes part of the next dispatch, which becomes
/// part of traces and incidents, and those are read with 256 levels at most.
const MAX_LEVELS: u64 = 250;

/// What a reducer is given for a call.
#[must_use]
pub fn dispatch(state: Value, request: Value, effect_results: Vec<Value>) -> Value {
    json!({
        "v": 1,
        "kind": "x07.http.dispatch",
        "state": state,
        "request": request,
        "effect_results": effect_results,
    })
}

/// Every way in which a dispatch violates its contract; `name` says which dispatch it is.
#[must_use]
pub fn dispatch_problems(name: &str, dispatch: &Value) -> Vec<Diag> {
    let found = validate::violations(HttpDispatch::INFO, dispatch);
    let problem = |violation: validate::Violation| {
        let place = if violation.place.is_empty() { String::new() } else { format!(" at {}", violation.place) };
        Diag::new(
            Code::HttpDispatchSchemaInvalid,
            format!("the dispatch of {name} violates its contract{place}: {}", violation.message),
        )
        .data("instance_path", violation.place)
        .data("rule", violation.rule)
        .data("schema_path", violation.schema_pointer)
    };
    found.into_iter().take(MAX_PROBLEMS).map(problem).collect()
}

/// What a reducer returned.
#[derive(Debug)]
pub struct Frame {
    /// As a typed document.
    pub document: HttpFrame,
    /// The same as it was written.
    pub value: Value,
}

/// An output that is no frame.
#[derive(Debug)]
pub struct NoFrame {
    /// What is wrong with it.
    pub problems: Vec<Diag>,
    /// The output, if it is JSON at least.
    pub value: Option<Value>,
}

/// Reads the output of a call; `name` says which call it was.
///
/// # Errors
/// Every problem of the output.
pub fn read(name: &str, output: &[u8]) -> Result<Frame, NoFrame> {
    let error = match load::from_bytes::<HttpFrame>(name, output) {
        Ok(loaded) if Size::of(&loaded.value, 0).levels > MAX_LEVELS => {
            // No value: what quotes it could not be read.
            return Err(NoFrame { problems: vec![too_deep(name)], value: None });
        }
        Ok(loaded) => return Ok(Frame { document: loaded.document, value: loaded.value }),
        Err(error) => error,
    };
    let value = load::json_from_bytes(name, output).ok();
    let mut problems: Vec<Diag> = match &error {
        LoadError::Problems(list) => list.iter().take(MAX_PROBLEMS).map(|p| CODES.problem("the frame of", p)).collect(),
        other @ LoadError::Read(_) => CODES.diagnose("the frame of", other),
    };
    problems.extend(value.iter().flat_map(|value| unknown_effects(name, value)).take(MAX_PROBLEMS));
    Err(NoFrame { problems, value })
}

const CODES: DocumentCodes = DocumentCodes::all(Code::HttpFrameSchemaInvalid);

fn too_deep(name: &str) -> Diag {
    let message = format!(
        "the frame of {name} is nested deeper than {MAX_LEVELS} levels, so that no trace could hold it; keep the state flatter"
    );
    Diag::new(Code::HttpFrameSchemaInvalid, message).data("instance_path", "").data("rule", "depth")
}

/// Effects of a type that does not exist. The schema only says that they fit none of its forms.
fn unknown_effects(name: &str, frame: &Value) -> Vec<Diag> {
    let effects = frame.get("effects").and_then(Value::as_array).into_iter().flatten().enumerate();
    let types = effects.filter_map(|(at, effect)| Some((at, effect.get("type")?.as_str()?)));
    types
        .filter(|(_, type_)| !EFFECT_TYPES.contains(type_))
        .map(|(at, type_)| {
            Diag::new(
                Code::HttpEffectSchemaInvalid,
                format!(
                    "the frame of {name} asks for the effect {type_:?}, which does not exist; there are {}",
                    EFFECT_TYPES.join(", ")
                ),
            )
            .data("instance_path", format!("/effects/{at}/type"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::json::canonical;

    fn frame(effects: Value) -> Value {
        json!({"v": 1, "kind": "x07.http.frame", "state": {"n": 1.0}, "response": null, "effects": effects, "telemetry": {}})
    }

    fn codes(output: &[u8]) -> Vec<&'static str> {
        let problems = read("call 1 of request req0", output).expect_err("no frame").problems;
        problems.iter().filter_map(Diag::code).map(Code::as_str).collect()
    }

    #[test]
    fn a_frame_keeps_the_numbers_as_written() {
        let written = frame(json!([]));
        let read = read("call 1", &canonical::compact(&written)).expect("a frame");
        assert_eq!(canonical::compact(&read.value), canonical::compact(&written));
    }

    #[test]
    fn a_frame_is_no_deeper_than_a_trace_can_hold() {
        let nested = |levels: usize| {
            // The frame and its state are two levels of their own.
            let inner = (2..levels).fold(Value::Null, |inner, _| json!([inner]));
            let mut deep = frame(json!([]));
            deep["state"] = json!({ "n": inner });
            canonical::compact(&deep)
        };
        assert!(read("call 1", &nested(250)).is_ok());
        let refused = read("call 1", &nested(251)).expect_err("no frame");
        assert!(refused.value.is_none());
        assert_eq!(codes(&nested(251)), ["X07WASM_HTTP_FRAME_SCHEMA_INVALID"]);
        assert!(codes(&nested(300)).iter().all(|c| *c == "X07WASM_HTTP_FRAME_SCHEMA_INVALID"));
    }

    #[test]
    fn an_output_that_is_no_frame_is_explained() {
        assert_eq!(codes(b""), ["X07WASM_HTTP_FRAME_SCHEMA_INVALID"]);
        assert_eq!(codes(b"\xff"), ["X07WASM_HTTP_FRAME_SCHEMA_INVALID"]);
        assert!(codes(b"{}").iter().all(|c| *c == "X07WASM_HTTP_FRAME_SCHEMA_INVALID"));
        let unknown = frame(json!([{"id": "a", "type": "time.now"}, {"id": "b", "type": "kv.delete", "key": "k"}]));
        let found = read("call 1 of request req0", &canonical::compact(&unknown)).expect_err("no frame");
        let last = found.problems.last().cloned().expect("a problem").build();
        assert_eq!(last.code, "X07WASM_HTTP_EFFECT_SCHEMA_INVALID");
        assert!(last.message.contains("kv.delete") && last.message.contains("kv.put"), "{}", last.message);
        assert!(codes(&canonical::compact(&unknown)).contains(&"X07WASM_HTTP_FRAME_SCHEMA_INVALID"));
        assert_eq!(found.value, Some(unknown));
    }

    #[test]
    fn a_dispatch_is_checked_member_by_member() {
        let request = json!({"schema_version": "x07.http.request.envelope@0.1.0", "id": "req0", "method": "GET", "path": "/", "headers": [], "body": {"bytes_len": 0}});
        assert_eq!(dispatch_problems("call 1", &dispatch(Value::Null, request.clone(), Vec::new())).len(), 0);
        let problems = dispatch_problems("call 1", &dispatch(json!(7), request, Vec::new()));
        let first = problems.first().cloned().expect("a problem").build();
        assert_eq!(first.code, "X07WASM_HTTP_DISPATCH_SCHEMA_INVALID");
        assert!(first.message.contains("/state"), "{}", first.message);
    }
}
