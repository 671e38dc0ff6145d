//! Reads `schemas/`, resolves references and checks the dialect.

use super::mistake::{Mistake, Mistakes};
use super::pascal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Definitions of these files are shared: their Rust names carry no document prefix.
const SHARED: [&str; 2] = ["common.schema.json", "x07diag.schema.json"];

const KEYWORDS: [&str; 39] = [
    "$schema",
    "$id",
    "$ref",
    "$defs",
    "$comment",
    "title",
    "description",
    "examples",
    "default",
    "deprecated",
    "type",
    "const",
    "enum",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "uniqueItems",
    "properties",
    "required",
    "additionalProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "oneOf",
    "anyOf",
    "allOf",
    "if",
    "then",
    "else",
];

const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// One schema file.
pub struct Doc {
    pub id: String,
    pub file: String,
    pub value: Value,
}

/// All schema files by `$id`.
pub struct Bundle {
    pub folder: PathBuf,
    pub docs: BTreeMap<String, Doc>,
}

/// Where a `$ref` leads.
pub struct Target<'a> {
    pub doc: &'a Doc,
    /// The definition's name; `None` for the document itself.
    pub def: Option<String>,
    pub schema: &'a Value,
}

impl Bundle {
    /// Reads the folder: `index.json` and every file that it lists.
    pub fn read(folder: &Path) -> Result<Self, Mistakes> {
        let mut bundle = Self { folder: folder.to_owned(), docs: BTreeMap::new() };
        let index = bundle.json("index.json")?;
        let mut mistakes = Mistakes::default();
        let mut listed = Vec::new();
        for (i, entry) in index["schemas"].as_array().into_iter().flatten().enumerate() {
            let at = format!("/schemas/{i}");
            let (Some(id), Some(path)) = (entry["id"].as_str(), entry["path"].as_str()) else {
                mistakes.0.push(Mistake::new(
                    "index.json",
                    at,
                    "an entry without `id` or `path`",
                    "give both as strings",
                ));
                continue;
            };
            listed.push(path.to_owned());
            let value = match bundle.json(path) {
                Ok(read) => read,
                Err(found) => {
                    mistakes.0.extend(found.0);
                    continue;
                }
            };
            if value["$id"].as_str() != Some(id) {
                mistakes.0.push(Mistake::new(
                    path,
                    "/$id",
                    format!("is {} but the index says {id:?}", value["$id"]),
                    "make both the same",
                ));
            }
            bundle.docs.insert(id.to_owned(), Doc { id: id.to_owned(), file: path.to_owned(), value });
        }
        let mut on_disk: Vec<String> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .filter(|n| n.ends_with(".schema.json"))
            .collect();
        on_disk.sort();
        for file in on_disk {
            if !listed.contains(&file) {
                mistakes.0.push(Mistake::new(
                    "index.json",
                    "/schemas",
                    format!("{file} is not listed"),
                    "add its `id` and `path`",
                ));
            }
        }
        let mut sorted = listed.clone();
        sorted.sort();
        sorted.dedup();
        if (sorted.len() != listed.len() || bundle.docs.len() != listed.len()) && mistakes.0.is_empty() {
            mistakes.0.push(Mistake::new(
                "index.json",
                "/schemas",
                "an id or a file is listed twice",
                "keep one entry for each file",
            ));
        }
        mistakes.check()?;
        let mut mistakes = Mistakes::default();
        for doc in bundle.docs.values() {
            bundle.check(doc, &doc.value, "", Place::Named, &mut mistakes);
        }
        mistakes.check()?;
        Ok(bundle)
    }

    /// Reads one JSON file of the folder.
    pub fn json(&self, name: &str) -> Result<Value, Mistakes> {
        let text = std::fs::read_to_string(self.folder.join(name)).map_err(|e| {
            Mistakes::one(Mistake::new(
                name,
                "",
                format!("cannot be read: {e}"),
                "create it, or take it out of the index",
            ))
        })?;
        serde_json::from_str(&text).map_err(|e| {
            Mistakes::one(Mistake::new(name, "", format!("is not JSON: {e}"), "mend the syntax at that place"))
        })
    }

    /// Follows a reference that stands in `doc`.
    pub fn target(&self, doc: &Doc, reference: &str) -> Option<Target<'_>> {
        let (id, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let doc = self.docs.get(if id.is_empty() { doc.id.as_str() } else { id })?;
        if fragment.is_empty() {
            return Some(Target { doc, def: None, schema: &doc.value });
        }
        let def = fragment.strip_prefix("/$defs/")?;
        Some(Target { doc, def: Some(def.to_owned()), schema: doc.value["$defs"].get(def)? })
    }

    /// Checks keywords, references and the rule that every object with members has a name.
    fn check(&self, doc: &Doc, schema: &Value, at: &str, place: Place, mistakes: &mut Mistakes) {
        let Some(object) = schema.as_object() else {
            if !schema.is_boolean() {
                mistakes.0.push(Mistake::new(
                    &doc.file,
                    at,
                    "a schema must be an object or a boolean",
                    "write `{}` for anything",
                ));
            }
            return;
        };
        for key in object.keys() {
            if !KEYWORDS.contains(&key.as_str()) && key != "not" {
                mistakes.0.push(Mistake::new(
                    &doc.file,
                    format!("{at}/{key}"),
                    format!("the keyword `{key}` is not part of the dialect"),
                    "see docs/contracts.md for the keywords that the contract compiler knows",
                ));
            }
        }
        for kind in
            object.get("type").into_iter().flat_map(|t| t.as_array().cloned().unwrap_or_else(|| vec![t.clone()]))
        {
            if !kind.as_str().is_some_and(|k| TYPES.contains(&k)) {
                mistakes.0.push(Mistake::new(
                    &doc.file,
                    at,
                    format!("the type {kind} is unknown"),
                    "use a JSON Schema type",
                ));
            }
        }
        for name in object.get("$defs").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name) {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(plain) {
                mistakes.0.push(Mistake::new(
                    &doc.file,
                    format!("{at}/$defs/{name}"),
                    "the name cannot become a Rust name",
                    "begin with a letter and use letters, digits and `_`",
                ));
            }
        }
        if let Some(reference) = object.get("$ref") {
            let ok = reference.as_str().is_some_and(|r| self.target(doc, r).is_some());
            if !ok {
                mistakes.0.push(Mistake::new(
                    &doc.file,
                    format!("{at}/$ref"),
                    format!("{reference} leads nowhere"),
                    "use `#/$defs/name`, or `<$id>#/$defs/name` with an id of the index",
                ));
            }
        }
        if object.contains_key("properties") && object.get("type").is_some() && place == Place::Member {
            mistakes.0.push(Mistake::new(
                &doc.file,
                at,
                "an object with members but without a name",
                "move it under `$defs` and refer to it",
            ));
        }
        let members = object.get("properties").and_then(Value::as_object);
        for required in object.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            if place == Place::Named
                && members.is_some_and(|m| !m.contains_key(required))
                && !object.contains_key("allOf")
                && object.get("type").is_some()
            {
                mistakes.0.push(Mistake::new(
                    &doc.file,
                    format!("{at}/required"),
                    format!("{required:?} is required but not among the properties"),
                    "declare it under `properties`",
                ));
            }
        }
        for key in ["properties", "$defs"] {
            for (name, inner) in object.get(key).and_then(Value::as_object).into_iter().flatten() {
                let inner_place = if key == "$defs" { Place::Named } else { place.member() };
                self.check(doc, inner, &format!("{at}/{key}/{name}"), inner_place, mistakes);
            }
        }
        for key in ["items", "additionalProperties", "propertyNames"] {
            if let Some(inner) = object.get(key) {
                self.check(doc, inner, &format!("{at}/{key}"), place.member(), mistakes);
            }
        }
        for key in ["if", "then", "else", "not"] {
            if let Some(inner) = object.get(key) {
                self.check(doc, inner, &format!("{at}/{key}"), Place::Condition, mistakes);
            }
        }
        for key in ["oneOf", "anyOf", "allOf", "prefixItems"] {
            for (i, inner) in object.get(key).and_then(Value::as_array).into_iter().flatten().enumerate() {
                let inner_place = if key == "allOf" { Place::Condition } else { place.member() };
                self.check(doc, inner, &format!("{at}/{key}/{i}"), inner_place, mistakes);
            }
        }
    }

    /// The Rust name of a document or definition. `base.variant` shares the type of `base`.
    pub fn type_name(&self, doc: &Doc, def: Option<&str>) -> String {
        let base = def.map(|d| d.split('.').next().unwrap_or(d));
        match base {
            Some(base) if SHARED.contains(&doc.file.as_str()) => pascal(base),
            Some(base) => format!("{}{}", doc_type(&doc.file), pascal(base)),
            None => doc_type(&doc.file),
        }
    }
}

/// `x07-wasm.run.report.schema.json` → `RunReport`; other documents keep their family word.
pub fn doc_type(file: &str) -> String {
    let stem = file.trim_end_matches(".schema.json");
    let stem = stem.strip_prefix("x07-").unwrap_or(stem);
    let stem = if stem.ends_with(".report") { stem.strip_prefix("wasm.").unwrap_or(stem) } else { stem };
    pascal(stem)
}

/// Where a schema stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A document or a definition: an object here becomes a Rust type.
    Named,
    /// Inside one: an object with members must be a definition.
    Member,
    /// A condition on a value whose type is declared elsewhere.
    Condition,
}

impl Place {
    /// The place of what this schema holds.
    fn member(self) -> Self {
        if self == Self::Condition { self } else { Self::Member }
    }
}

/// What a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Emitted by a command.
    Report,
    /// Read or written as a file or message.
    Document,
    /// Shared definitions only.
    Definitions,
}

impl Doc {
    pub fn role(&self) -> Role {
        if self.file.ends_with(".report.schema.json") {
            Role::Report
        } else if self.value.get("type").is_none()
            && self.value.get("oneOf").is_none()
            && self.value.get("$ref").is_none()
        {
            Role::Definitions
        } else {
            Role::Document
        }
    }

    /// The `schema_version` that documents of this contract carry, if exactly one.
    pub fn schema_version(&self) -> Option<&str> {
        match self.schema_versions().as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Every `schema_version` that documents of this contract may carry.
    pub fn schema_versions(&self) -> Vec<&str> {
        let own = |schema| versions(schema);
        let branches = self.value["oneOf"].as_array().into_iter().flatten();
        let named = branches
            .filter_map(|b| b["$ref"].as_str()?.strip_prefix("#/$defs/"))
            .map(|name| &self.value["$defs"][name]);
        let mut all: Vec<&str> = own(&self.value).into_iter().chain(named.flat_map(own)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn versions(schema: &Value) -> Vec<&str> {
    let property = &schema["properties"]["schema_version"];
    let values = property["enum"].as_array().into_iter().flatten();
    property["const"].as_str().into_iter().chain(values.filter_map(Value::as_str)).collect()
}
