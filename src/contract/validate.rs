//! Schema validation, with messages that say what would be right.
//!
//! A validator is compiled when a contract is first used in a process, from that contract's schema
//! and those that it refers to, and kept.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Registry, ValidationError, Validator};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};
use x07_wasm_contracts::contract::ContractInfo;
use x07_wasm_contracts::registry::CONTRACTS;

/// One way in which a document breaks its schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// JSON pointer of the value that is wrong.
    pub pointer: String,
    /// The schema keyword that it breaks.
    pub rule: String,
    /// What is wrong and what would be right.
    pub message: String,
    /// Pointer into the schema.
    pub schema_pointer: String,
    /// Pointer of the most telling place: an unknown member rather than the object that holds it.
    pub place: String,
}

/// Every violation, sorted by place.
#[must_use]
pub fn violations(contract: &ContractInfo, document: &Value) -> Vec<Violation> {
    let Some(validator) = validator(contract) else {
        // A test compiles every contract, so this is not reached by a released tool.
        return vec![Violation {
            pointer: String::new(),
            rule: "$schema".to_owned(),
            message: format!("the schema {} of this tool does not compile", contract.file),
            schema_pointer: String::new(),
            place: String::new(),
        }];
    };
    if validator.is_valid(document) {
        return Vec::new();
    }
    let mut found: Vec<Violation> = validator.iter_errors(document).map(|e| violation(&e)).collect();
    found.sort();
    found.dedup();
    found
}

/// The compiled validator of a contract; `None` when its schema is broken.
#[must_use]
pub fn validator(contract: &ContractInfo) -> Option<&'static Validator> {
    static COMPILED: LazyLock<Vec<OnceLock<Option<Validator>>>> =
        LazyLock::new(|| CONTRACTS.iter().map(|_| OnceLock::new()).collect());
    let index = CONTRACTS.iter().position(|c| c.id == contract.id)?;
    COMPILED.get(index)?.get_or_init(|| compile(contract).ok()).as_ref()
}

/// Compiles a contract's schema.
///
/// # Errors
/// What is wrong with it.
pub fn compile(contract: &ContractInfo) -> Result<Validator, String> {
    let mut schemas = BTreeMap::new();
    collect(contract, &mut schemas)?;
    let root = schemas.remove(contract.id).unwrap_or(Value::Null);
    let mut registry = Registry::new();
    for (id, schema) in schemas {
        registry = registry.add(id, schema).map_err(|e| e.to_string())?;
    }
    let registry = registry.prepare().map_err(|e| e.to_string())?;
    jsonschema::options().with_registry(&registry).build(&root).map_err(|e| e.to_string())
}

/// Gathers a schema and all that it refers to.
fn collect(contract: &ContractInfo, into: &mut BTreeMap<&'static str, Value>) -> Result<(), String> {
    let Some(contract) = CONTRACTS.iter().find(|c| c.id == contract.id) else { return Ok(()) };
    if into.contains_key(contract.id) {
        return Ok(());
    }
    let schema: Value = serde_json::from_str(contract.text).map_err(|e| e.to_string())?;
    let mut references = Vec::new();
    find_references(&schema, &mut references);
    into.insert(contract.id, schema);
    for reference in references {
        let id = reference.split('#').next().unwrap_or_default();
        if let Some(other) = CONTRACTS.iter().find(|c| c.id == id) {
            collect(other, into)?;
        }
    }
    Ok(())
}

fn find_references(schema: &Value, into: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(text) if key == "$ref" => into.push(text.clone()),
                    other => find_references(other, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|v| find_references(v, into)),
        _ => {}
    }
}

fn violation(error: &ValidationError<'_>) -> Violation {
    let pointer = error.instance_path().to_string();
    let place = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            unexpected.first().map(|name| format!("{pointer}/{}", super::json::pointer::escape(name)))
        }
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            closest(context).and_then(|branch| branch.first()).map(|e| e.instance_path().to_string())
        }
        _ => None,
    };
    Violation {
        place: place.unwrap_or_else(|| pointer.clone()),
        pointer,
        rule: error.kind().keyword().to_owned(),
        message: message(error),
        schema_pointer: error.schema_path().to_string(),
    }
}

/// The alternative that a document most probably meant: the one with the fewest violations that
/// does not already fail at a fixed member such as `kind`.
fn closest<'c, 'e>(context: &'c [Vec<ValidationError<'e>>]) -> Option<&'c Vec<ValidationError<'e>>> {
    let wrong_tag = |branch: &&Vec<ValidationError<'_>>| {
        branch.iter().any(|e| {
            matches!(
                e.kind(),
                ValidationErrorKind::Constant { .. }
                    | ValidationErrorKind::Enum { .. }
                    | ValidationErrorKind::Type { .. }
            )
        })
    };
    context.iter().filter(|b| !b.is_empty()).min_by_key(|b| (wrong_tag(b), b.len()))
}

fn message(error: &ValidationError<'_>) -> String {
    let found = || short(error.instance());
    match error.kind() {
        ValidationErrorKind::Required { property } => format!("the member {property} is missing; add it"),
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let names: Vec<String> = unexpected.iter().map(|n| format!("{n:?}")).collect();
            format!("unknown member {}; remove it or correct its name", names.join(", "))
        }
        ValidationErrorKind::Constant { expected_value } => format!("{} must be {}", found(), short(expected_value)),
        ValidationErrorKind::Enum { options } => {
            let values: Vec<String> = options.as_array().into_iter().flatten().map(short).collect();
            format!("{} must be one of {}", found(), values.join(", "))
        }
        ValidationErrorKind::Type { .. } => {
            let text = error.to_string();
            let wanted =
                text.rsplit("is not of type").next().or(text.rsplit("is not of types").next()).unwrap_or_default();
            format!(
                "{} has the wrong type; give {}",
                found(),
                wanted.trim().trim_start_matches('s').replace('"', "").trim()
            )
        }
        ValidationErrorKind::Pattern { pattern } => format!("{} does not match the pattern {pattern}", found()),
        ValidationErrorKind::Minimum { limit } => format!("{} must be at least {limit}", found()),
        ValidationErrorKind::Maximum { limit } => format!("{} must be at most {limit}", found()),
        ValidationErrorKind::MinLength { limit } => format!("{} must have at least {limit} characters", found()),
        ValidationErrorKind::MaxLength { limit } => format!("the text must have at most {limit} characters"),
        ValidationErrorKind::MinItems { limit } => format!("the list must have at least {limit} items"),
        ValidationErrorKind::MaxItems { limit } => format!("the list must have at most {limit} items"),
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            match closest(context).and_then(|b| b.first()) {
                Some(inner) => format!(
                    "fits none of the allowed forms; the closest one fails at {}: {}",
                    place(inner),
                    message(inner)
                ),
                None => format!("{} fits none of the allowed forms", found()),
            }
        }
        _ => clip(&error.to_string(), 300),
    }
}

fn place(error: &ValidationError<'_>) -> String {
    let pointer = error.instance_path().to_string();
    if pointer.is_empty() { "the whole document".to_owned() } else { pointer }
}

fn short(value: &Value) -> String {
    clip(&value.to_string(), 80)
}

fn clip(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        text.to_owned()
    } else {
        text.chars().take(limit).chain("…".chars()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_contract_compiles() {
        for contract in &CONTRACTS {
            assert!(compile(contract).is_ok(), "{}: {:?}", contract.file, compile(contract).err());
        }
    }

    #[test]
    fn all_violations_with_place_rule_and_cure() {
        let contract = ContractInfo::find("x07.arch.wasm.index@0.1.0").expect("listed");
        let document =
            json!({"schema_version":"x07.arch.wasm.index@0.1.0","profiles":[{"id":"a b","path":3}],"extra":1});
        let found: Vec<(String, String)> =
            violations(contract, &document).into_iter().map(|v| (v.place, v.message)).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(
            found[0],
            ("/extra".to_owned(), "unknown member \"extra\"; remove it or correct its name".to_owned())
        );
        assert!(found[1].0 == "/profiles/0/id" && found[1].1.contains("does not match the pattern"));
        assert_eq!(found[2], ("/profiles/0/path".to_owned(), "3 has the wrong type; give string".to_owned()));
    }
}
