//! Lowers schemas to the subset that typify understands.
//!
//! Keywords that only restrict values are dropped: they stay with the validator. What remains
//! decides the Rust type: members and whether they are required, items, alternatives, integer
//! widths. Scalars are inlined, so that a sha256 is a `String` and not a type of its own.

use super::bundle::{Bundle, Doc, Role};
use super::mistake::{Mistake, Mistakes};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The lowered definitions and what typify cannot be told.
pub struct Lowered {
    /// Type name → schema with `#/definitions/Name` references.
    pub definitions: BTreeMap<String, Value>,
    /// (type, member): optional members whose value may also be null.
    pub nullable_options: BTreeSet<(String, String)>,
}

/// Lowers a whole bundle.
pub fn lower(bundle: &Bundle) -> Result<Lowered, Mistakes> {
    let mut state = State {
        bundle,
        definitions: BTreeMap::new(),
        origin: BTreeMap::new(),
        nullable_options: BTreeSet::new(),
        mistakes: Mistakes::default(),
    };
    for doc in bundle.docs.values() {
        if doc.role() != Role::Definitions {
            state.define(doc, None, &doc.value);
        }
        for (name, schema) in doc.value["$defs"].as_object().into_iter().flatten() {
            if is_named_type(schema) {
                state.define(doc, Some(name), schema);
            }
        }
    }
    state.mistakes.check()?;
    Ok(Lowered { definitions: state.definitions, nullable_options: state.nullable_options })
}

/// Whether a definition becomes a Rust type of its own.
fn is_named_type(schema: &Value) -> bool {
    schema.get("properties").is_some()
        || schema["enum"].as_array().is_some_and(|e| e.iter().all(Value::is_string))
        || alternatives(schema).is_some_and(|a| a.iter().all(|v| v.get("$ref").is_some()))
        || schema["allOf"].as_array().is_some_and(|a| a.iter().any(|v| v.get("$ref").is_some()))
}

fn alternatives(schema: &Value) -> Option<&Vec<Value>> {
    schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array)
}

struct State<'a> {
    bundle: &'a Bundle,
    definitions: BTreeMap<String, Value>,
    /// Which definition gave a type its shape: (variant suffix present, file, pointer).
    origin: BTreeMap<String, (bool, String, String)>,
    nullable_options: BTreeSet<(String, String)>,
    mistakes: Mistakes,
}

impl State<'_> {
    fn define(&mut self, doc: &Doc, def: Option<&str>, schema: &Value) {
        let name = self.bundle.type_name(doc, def);
        let pointer = def.map_or(String::new(), |d| format!("/$defs/{d}"));
        let variant = def.is_some_and(|d| d.contains('.'));
        let lowered = self.schema(doc, schema, &name, true);
        match (self.definitions.get(&name), self.origin.get(&name)) {
            (Some(old), Some((old_variant, file, at))) => {
                let (wide, narrow) = if *old_variant && !variant { (&lowered, old) } else { (old, &lowered) };
                if let Err(why) = includes(wide, narrow) {
                    let cure = if variant || *old_variant {
                        "a variant `base.name` may have no member that its base lacks"
                    } else {
                        "give one of them another name"
                    };
                    self.mistakes.0.push(Mistake::new(
                        &doc.file,
                        pointer,
                        format!("becomes the Rust type {name}, as does schemas/{file}#{at}, but {why}"),
                        cure,
                    ));
                } else if *old_variant && !variant {
                    self.definitions.insert(name.clone(), lowered);
                    self.origin.insert(name, (variant, doc.file.clone(), pointer));
                }
            }
            _ => {
                self.definitions.insert(name.clone(), lowered);
                self.origin.insert(name, (variant, doc.file.clone(), pointer));
            }
        }
    }

    /// One schema. `owner` names the type whose member this is; `top` marks the definition itself.
    fn schema(&mut self, doc: &Doc, schema: &Value, owner: &str, top: bool) -> Value {
        let Some(object) = schema.as_object() else { return json!(true) };
        let mut out = Map::new();
        if let Some(text) = object.get("description") {
            out.insert("description".to_owned(), text.clone());
        }
        if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
            let Some(target) = self.bundle.target(doc, reference) else { return json!(true) };
            if target.def.is_none() || is_named_type(target.schema) {
                let name = self.bundle.type_name(target.doc, target.def.as_deref());
                let link = json!({ "$ref": format!("#/definitions/{name}") });
                if out.is_empty() {
                    return link;
                }
                out.insert("allOf".to_owned(), json!([link]));
                return Value::Object(out);
            }
            let mut inlined = self.schema(target.doc, target.schema, owner, false);
            if let (Some(inner), Some(text)) = (inlined.as_object_mut(), out.remove("description")) {
                inner.insert("description".to_owned(), text);
            }
            return inlined;
        }
        if let Some(all) = object.get("allOf").and_then(Value::as_array)
            && all.iter().any(|v| v.get("$ref").is_some())
        {
            let merged = self.merge(doc, object, all);
            return self.schema(doc, &merged, owner, top);
        }
        if object.get("properties").is_none()
            && let Some(any) = alternatives(schema)
        {
            let values: Vec<&Value> = any.iter().filter(|v| v["type"] != "null").collect();
            if let [only] = values.as_slice()
                && any.len() == 2
            {
                let inner = self.schema(doc, only, owner, false);
                out.insert("oneOf".to_owned(), json!([{ "type": "null" }, inner]));
            } else if any.iter().all(|v| v.get("$ref").is_some()) {
                let inner: Vec<Value> = any.iter().map(|v| self.schema(doc, v, owner, false)).collect();
                out.insert("oneOf".to_owned(), Value::Array(inner));
            }
            // Any other mixture of types is a `serde_json::Value`.
            return Value::Object(out);
        }
        match object.get("type") {
            Some(Value::Array(types)) => {
                let named: Vec<&Value> = types.iter().filter(|t| *t != "null").collect();
                if let [only] = named.as_slice() {
                    let mut inner = object.clone();
                    inner.insert("type".to_owned(), (*only).clone());
                    inner.remove("description");
                    let inner = self.schema(doc, &Value::Object(inner), owner, false);
                    out.insert("oneOf".to_owned(), json!([{ "type": "null" }, inner]));
                }
            }
            Some(Value::String(kind)) => self.typed(doc, object, kind, owner, top, &mut out),
            _ if object.contains_key("properties") => self.typed(doc, object, "object", owner, top, &mut out),
            _ => match object.get("const").or_else(|| object.get("enum").and_then(|e| e.get(0))) {
                Some(Value::String(_)) => self.typed(doc, object, "string", owner, top, &mut out),
                Some(Value::Number(_)) => self.typed(doc, object, "integer", owner, top, &mut out),
                Some(Value::Bool(_)) => self.typed(doc, object, "boolean", owner, top, &mut out),
                _ => {}
            },
        }
        Value::Object(out)
    }

    fn typed(
        &mut self,
        doc: &Doc,
        object: &Map<String, Value>,
        kind: &str,
        owner: &str,
        top: bool,
        out: &mut Map<String, Value>,
    ) {
        match kind {
            "string" => {
                out.insert("type".to_owned(), json!("string"));
                // A `const` is left to the validator unless the definition is an enum of one.
                if let Some(values) = object.get("enum").filter(|v| v.as_array().is_some_and(|a| a.len() > 1 || top)) {
                    out.insert("enum".to_owned(), values.clone());
                }
            }
            "integer" => {
                let least = object.get("minimum").and_then(Value::as_i64);
                let most = object.get("maximum").and_then(Value::as_u64);
                let format = match (least, most) {
                    (Some(0..), Some(0..=0xff)) => "uint8",
                    (Some(0..), Some(0x100..=0xffff)) => "uint16",
                    (Some(0..), Some(0x1_0000..=0xffff_ffff)) => "uint32",
                    (Some(0..), _) => "uint64",
                    _ => "int64",
                };
                out.insert("type".to_owned(), json!("integer"));
                out.insert("format".to_owned(), json!(format));
            }
            "number" => {
                out.insert("type".to_owned(), json!("number"));
            }
            "array" => {
                out.insert("type".to_owned(), json!("array"));
                let items = match object.get("items") {
                    Some(items) if object.get("prefixItems").is_none() => self.schema(doc, items, owner, false),
                    _ => json!(true),
                };
                out.insert("items".to_owned(), items);
            }
            "object" => {
                out.insert("type".to_owned(), json!("object"));
                let closed = object.get("additionalProperties") == Some(&Value::Bool(false));
                let Some(members) = object.get("properties").and_then(Value::as_object) else {
                    if let Some(values) = object.get("additionalProperties").filter(|v| v.is_object()) {
                        let values = self.schema(doc, values, owner, false);
                        out.insert("additionalProperties".to_owned(), values);
                    }
                    return;
                };
                let required: Vec<&str> = object
                    .get("required")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                let mut lowered = Map::new();
                for (name, member) in members {
                    let inner = self.schema(doc, member, owner, false);
                    if !required.contains(&name.as_str()) && is_nullable(&inner) {
                        self.nullable_options.insert((owner.to_owned(), name.clone()));
                    }
                    lowered.insert(name.clone(), inner);
                }
                out.insert("properties".to_owned(), Value::Object(lowered));
                out.insert("required".to_owned(), json!(required));
                // An open object keeps the members that it does not know.
                out.insert("additionalProperties".to_owned(), if closed { json!(false) } else { json!({}) });
            }
            "boolean" | "null" => {
                out.insert("type".to_owned(), json!(kind));
            }
            other => self.mistakes.0.push(Mistake::new(
                &doc.file,
                "",
                format!("the type {other:?} is unknown (in {owner})"),
                "use a JSON Schema type",
            )),
        }
    }

    /// Joins the members of an `allOf` of objects; later members win.
    fn merge(&mut self, doc: &Doc, object: &Map<String, Value>, all: &[Value]) -> Value {
        let mut properties = Map::new();
        let mut required: Vec<Value> = Vec::new();
        let mut closed = object.get("additionalProperties").cloned();
        let own =
            Value::Object(object.iter().filter(|(k, _)| *k != "allOf").map(|(k, v)| (k.clone(), v.clone())).collect());
        for part in all.iter().chain([&own]) {
            let target = part.get("$ref").and_then(Value::as_str).and_then(|r| self.bundle.target(doc, r));
            let (from, part) = target.map_or((doc, part), |t| (t.doc, t.schema));
            for (name, member) in part["properties"].as_object().into_iter().flatten() {
                let mut member = member.clone();
                absolute(&mut member, from);
                // A part that only narrows keeps the type of the part that declares.
                let narrows = member.get("type").is_none()
                    && member.get("$ref").is_none()
                    && member.get("const").is_none()
                    && member.get("enum").is_none();
                if !narrows || !properties.contains_key(name) {
                    properties.insert(name.clone(), member);
                }
            }
            for name in part["required"].as_array().into_iter().flatten() {
                if !required.contains(name) {
                    required.push(name.clone());
                }
            }
            if closed.is_none() {
                closed = part.get("additionalProperties").cloned();
            }
        }
        let mut merged = json!({ "type": "object", "properties": properties, "required": required });
        if let Some(closed) = closed {
            merged["additionalProperties"] = closed;
        }
        if let Some(text) = object.get("description") {
            merged["description"] = text.clone();
        }
        merged
    }
}

/// Makes local references of a schema absolute, so that it can stand in another document.
fn absolute(schema: &mut Value, doc: &Doc) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(text) if key == "$ref" && text.starts_with('#') => {
                        *text = format!("{}{text}", doc.id)
                    }
                    other => absolute(other, doc),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|v| absolute(v, doc)),
        _ => {}
    }
}

fn is_nullable(lowered: &Value) -> bool {
    lowered["oneOf"].as_array().is_some_and(|a| a.first() == Some(&json!({ "type": "null" })))
}

/// Whether every value of `narrow` is a value of the Rust type of `wide`.
fn includes(wide: &Value, narrow: &Value) -> Result<(), String> {
    let strip = |v: &Value| {
        let mut v = v.clone();
        strip_descriptions(&mut v);
        v
    };
    let (wide, narrow) = (strip(wide), strip(narrow));
    let (Some(members), Some(others)) = (wide["properties"].as_object(), narrow["properties"].as_object()) else {
        return if wide == narrow { Ok(()) } else { Err("their shapes differ".to_owned()) };
    };
    for (name, other) in others {
        match members.get(name) {
            None => return Err(format!("only one has the member {name:?}")),
            Some(member) if member != other => return Err(format!("the member {name:?} differs")),
            Some(_) => {}
        }
    }
    for name in wide["required"].as_array().into_iter().flatten() {
        if !narrow["required"].as_array().is_some_and(|r| r.contains(name)) {
            return Err(format!("{name} is required in one and not in the other"));
        }
    }
    Ok(())
}

fn strip_descriptions(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("description").is_some_and(Value::is_string) {
                object.remove("description");
            }
            if let Some([only]) = object.get("allOf").and_then(Value::as_array).map(Vec::as_slice)
                && object.len() == 1
            {
                *value = only.clone();
                return;
            }
            object.values_mut().for_each(strip_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_descriptions),
        _ => {}
    }
}
