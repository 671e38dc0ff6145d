//! Applies the edits that the compiler offers, as RFC 6902 says.

use serde_json::Value;
use x07_wasm::compiler::problem::PatchOp;

/// Applies a patch to a document.
///
/// # Errors
/// The operation that does not fit the document.
pub fn apply(document: &mut Value, patch: &[PatchOp]) -> Result<(), String> {
    for op in patch {
        match op {
            PatchOp::Add { path, value } => add(document, path, value.clone())?,
            PatchOp::Replace { path, value } => {
                *document.pointer_mut(path).ok_or_else(|| format!("replace {path}: nothing is there"))? = value.clone();
            }
            PatchOp::Remove { path } => {
                take(document, path)?;
            }
        }
    }
    Ok(())
}

fn add(document: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let (holder, last) = holder(document, path)?;
    match holder {
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let at: usize = last.parse().map_err(|_| format!("add {path}: not an index"))?;
            if at > items.len() {
                return Err(format!("add {path}: beyond the end"));
            }
            items.insert(at, value);
        }
        Value::Object(members) => {
            members.insert(last, value);
        }
        _ => return Err(format!("add {path}: nothing can be added there")),
    }
    Ok(())
}

fn take(document: &mut Value, path: &str) -> Result<Value, String> {
    let (holder, last) = holder(document, path)?;
    let taken = match holder {
        Value::Array(items) => match last.parse::<usize>() {
            Ok(at) if at < items.len() => Some(items.remove(at)),
            _ => None,
        },
        Value::Object(members) => members.remove(&last),
        _ => None,
    };
    taken.ok_or_else(|| format!("remove {path}: nothing is there"))
}

/// The array or object that holds a place, and the last step to it.
fn holder<'d>(document: &'d mut Value, path: &str) -> Result<(&'d mut Value, String), String> {
    let (parent, last) = path.rsplit_once('/').ok_or_else(|| format!("{path} names no part of a document"))?;
    let holder = document.pointer_mut(parent).ok_or_else(|| format!("{parent} does not exist"))?;
    Ok((holder, last.replace("~1", "/").replace("~0", "~")))
}
