//! Documents in: bytes → every problem with its place, or a typed value.

use super::files::ReadError;
use super::json::position::{LineIndex, Position};
use super::json::tree::{Limits, NodeId, Rule, Tree};
use super::{Contract, validate};
use serde_json::Value;

/// Problems of one document beyond this many are counted and not listed.
const MAX_PROBLEMS: usize = 100;

/// A document that satisfies its contract.
#[derive(Debug)]
pub struct Loaded<T> {
    /// The typed document.
    pub document: T,
    /// The same as JSON.
    pub value: Value,
}

/// A problem of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentProblem {
    /// The file as given.
    pub file: String,
    /// What kind of rule is broken.
    pub kind: ProblemKind,
    /// JSON pointer of the value.
    pub pointer: String,
    /// Schema keyword, or the JSON rule.
    pub rule: String,
    /// Pointer into the schema; empty for JSON problems.
    pub schema_pointer: String,
    /// What is wrong and what would be right.
    pub message: String,
    /// Where in the file; `None` when the text could not be read as characters.
    pub position: Option<Position>,
}

/// The kinds of [`DocumentProblem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON.
    Syntax,
    /// The same member name twice in one object.
    DuplicateKey,
    /// JSON that violates the schema.
    Schema,
}

/// Why a document could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It was read and is wrong.
    #[error("{}", first_message(.0))]
    Problems(Vec<DocumentProblem>),
}

fn first_message(problems: &[DocumentProblem]) -> String {
    problems.first().map_or_else(|| "the document is invalid".to_owned(), |p| format!("{}: {}", p.file, p.message))
}

/// Reads JSON strictly.
///
/// # Errors
/// Every problem of the text.
pub fn json_from_bytes(file: &str, bytes: &[u8]) -> Result<Value, Vec<DocumentProblem>> {
    let text = text(file, bytes)?;
    let tree = parse(file, text)?;
    Ok(tree.to_value(tree.root()))
}

/// Reads, validates and types a document.
///
/// # Errors
/// Every problem of the document.
pub fn from_bytes<T: Contract>(file: &str, bytes: &[u8]) -> Result<Loaded<T>, LoadError> {
    let text = text(file, bytes).map_err(LoadError::Problems)?;
    let tree = parse(file, text).map_err(LoadError::Problems)?;
    let value = tree.to_value(tree.root());
    let found = validate::violations(T::INFO, &value);
    if !found.is_empty() {
        let lines = LineIndex::new(text);
        let rest = found.len().saturating_sub(MAX_PROBLEMS);
        let problems = found.into_iter().take(MAX_PROBLEMS).map(|v| {
            let node = tree.resolve(&v.place).or_else(|| tree.resolve(&v.pointer));
            let offset = node.map(|n| {
                if v.rule == "additionalProperties" {
                    tree.key_offset(n).unwrap_or(tree.span(n).start)
                } else {
                    tree.span(n).start
                }
            });
            DocumentProblem {
                file: file.to_owned(),
                kind: ProblemKind::Schema,
                position: offset.map(|o| lines.position(o)),
                pointer: v.place,
                rule: v.rule,
                schema_pointer: v.schema_pointer,
                message: v.message,
            }
        });
        let mut problems: Vec<DocumentProblem> = problems.collect();
        if let Some(last) = problems.last_mut().filter(|_| rest > 0) {
            last.message = format!("{} ({rest} further problems are not listed)", last.message);
        }
        return Err(LoadError::Problems(problems));
    }
    let mut whole = value.clone();
    write_whole_numbers_plainly(&mut whole);
    match serde_json::from_value(whole) {
        Ok(document) => Ok(Loaded { document, value }),
        // The validator and the type agree (a test of every fixture says so); should they ever
        // not, the reader is told and nothing is guessed.
        Err(_) if !oversized(&tree).is_empty() => Err(LoadError::Problems(out_of_range(file, text, &tree))),
        Err(e) => Err(LoadError::Problems(vec![DocumentProblem {
            file: file.to_owned(),
            kind: ProblemKind::Schema,
            pointer: String::new(),
            rule: "type".to_owned(),
            schema_pointer: String::new(),
            message: format!("the document satisfies its schema but not the type made of it: {e}"),
            position: None,
        }])),
    }
}

/// JSON Schema counts `1.0` and `1e3` as integers; Rust types want them written plainly.
fn write_whole_numbers_plainly(value: &mut Value) {
    /// Floats are exact up to here.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() => {
            let whole = number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() <= EXACT);
            if let Some(n) = whole {
                // In range by the filter above.
                *number = (n as i64).into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_whole_numbers_plainly),
        Value::Object(members) => members.values_mut().for_each(write_whole_numbers_plainly),
        _ => {}
    }
}

/// Whole numbers that fit no 64-bit integer.
fn oversized(tree: &Tree<'_>) -> Vec<NodeId> {
    let fits = |text: &str| text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() || text.contains('.');
    tree.all().filter(|id| tree.number(*id).is_some_and(|n| !fits(n))).take(MAX_PROBLEMS).collect()
}

fn out_of_range(file: &str, text: &str, tree: &Tree<'_>) -> Vec<DocumentProblem> {
    let lines = LineIndex::new(text);
    let problem = |id: NodeId| DocumentProblem {
        file: file.to_owned(),
        kind: ProblemKind::Schema,
        pointer: tree.pointer(id),
        rule: "integer-range".to_owned(),
        schema_pointer: String::new(),
        message: format!(
            "{} is outside the range of 64-bit integers; give a smaller number",
            tree.number(id).unwrap_or_default()
        ),
        position: Some(lines.position(tree.span(id).start)),
    };
    oversized(tree).into_iter().map(problem).collect()
}

fn text<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str, Vec<DocumentProblem>> {
    std::str::from_utf8(bytes).map_err(|e| {
        let valid = bytes.get(..e.valid_up_to()).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default();
        vec![DocumentProblem {
            file: file.to_owned(),
            kind: ProblemKind::NotUtf8,
            pointer: String::new(),
            rule: "utf-8".to_owned(),
            schema_pointer: String::new(),
            message: format!("byte {} is not UTF-8; save the file as UTF-8", e.valid_up_to()),
            position: Some(LineIndex::new(valid).position(valid.len())),
        }]
    })
}

fn parse<'t>(file: &str, text: &'t str) -> Result<Tree<'t>, Vec<DocumentProblem>> {
    Tree::parse(text, Limits::DOCUMENT).map_err(|problems| {
        let lines = LineIndex::new(text);
        problems
            .into_iter()
            .map(|p| DocumentProblem {
                file: file.to_owned(),
                kind: if p.rule == Rule::DuplicateKey { ProblemKind::DuplicateKey } else { ProblemKind::Syntax },
                pointer: p.pointer,
                rule: match p.rule {
                    Rule::Syntax => "json",
                    Rule::DuplicateKey => "duplicate-key",
                    Rule::Depth => "depth",
                    Rule::Size => "size",
                }
                .to_owned(),
                schema_pointer: String::new(),
                message: p.message,
                position: Some(lines.position(p.offset)),
            })
            .collect()
    })
}
