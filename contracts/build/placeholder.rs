//! The least valid value of a schema: what a report holds where a command failed before it knew
//! better.
//!
//! Strings with a pattern take the first entry of `examples`, or the value known for the pattern.

use super::bundle::{Bundle, Doc};
use super::mistake::{Mistake, Mistakes};
use serde_json::{Map, Value, json};

/// The least value that satisfies `schema`, which stands in `doc`.
pub fn least(bundle: &Bundle, doc: &Doc, schema: &Value, at: &str) -> Result<Value, Mistakes> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = bundle.target(doc, reference).ok_or_else(|| mistake(doc, at, "the reference leads nowhere"))?;
        return least(bundle, target.doc, target.schema, at);
    }
    if let Some(value) = schema.get("const") {
        return Ok(value.clone());
    }
    if let Some(value) = schema["examples"].get(0) {
        return Ok(value.clone());
    }
    if let Some(value) = schema["enum"].get(0) {
        return Ok(value.clone());
    }
    if schema.get("properties").is_none()
        && let Some(any) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array)
    {
        if any.iter().any(|v| v["type"] == "null") {
            return Ok(Value::Null);
        }
        let first = any.first().ok_or_else(|| mistake(doc, at, "no alternative"))?;
        return least(bundle, doc, first, at);
    }
    let kind = match schema.get("type") {
        Some(Value::Array(types)) if types.iter().any(|t| t == "null") => "null",
        Some(Value::Array(types)) => types.first().and_then(Value::as_str).unwrap_or("null"),
        Some(Value::String(kind)) => kind,
        _ if schema.get("properties").is_some() => "object",
        _ => "null",
    };
    Ok(match kind {
        "string" => {
            Value::String(string(schema).ok_or_else(|| mistake(doc, at, "no placeholder is known for this pattern"))?)
        }
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(0)),
        "boolean" => json!(false),
        "array" => {
            let count = schema["minItems"].as_u64().unwrap_or(0);
            let mut items = Vec::new();
            for i in 0..count {
                let item =
                    schema["prefixItems"].get(usize::try_from(i).unwrap_or(usize::MAX)).unwrap_or(&schema["items"]);
                items.push(least(bundle, doc, item, &format!("{at}/{i}"))?);
            }
            Value::Array(items)
        }
        "object" => {
            let mut object = Map::new();
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                object
                    .insert(name.to_owned(), least(bundle, doc, &schema["properties"][name], &format!("{at}/{name}"))?);
            }
            Value::Object(object)
        }
        _ => Value::Null,
    })
}

fn string(schema: &Value) -> Option<String> {
    let least = usize::try_from(schema["minLength"].as_u64().unwrap_or(0)).unwrap_or(0);
    match schema["pattern"].as_str() {
        None if least <= 7 => Some(if least == 0 { String::new() } else { "unknown".to_owned() }),
        None => Some("0".repeat(least)),
        Some("^[0-9a-f]{64}$") => Some("0".repeat(64)),
        Some(pattern) if pattern.starts_with("^[0-9]+\\.[0-9]+") || pattern.starts_with("^(0|[1-9]\\d*)\\.") => {
            Some("0.0.0".to_owned())
        }
        Some(pattern) if pattern.starts_with("^/") => Some("/".to_owned()),
        Some(pattern) if pattern.contains("@[0-9]+") => Some("unknown:unknown@0.0.0".to_owned()),
        Some(pattern) if pattern.starts_with("^x07.") || pattern.contains('@') => None,
        Some(pattern) if pattern.starts_with("^[A-Z][A-Z") => Some("UNKNOWN".to_owned()),
        Some(pattern) if pattern.contains("[0-9a-f]{") => None,
        // The remaining patterns are names and relative paths.
        Some(_) => Some("unknown".to_owned()),
    }
}

fn mistake(doc: &Doc, at: &str, message: &str) -> Mistakes {
    Mistakes::one(Mistake::new(&doc.file, at, message, "give the definition an `examples` entry"))
}
