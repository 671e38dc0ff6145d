//! What the compiler reports: coded problems with a place in the sources.

use std::collections::BTreeMap;

use serde_json::Value;
use x07_wasm_contracts::diagnostics::{Code, Severity, Stage};

use crate::contract::json::position::LineIndex;
pub use crate::contract::json::position::Position;

/// One problem of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Which rule.
    pub code: Code,
    /// Whether it prevents compilation.
    pub severity: Severity,
    /// The step of the compiler that found it.
    pub stage: Stage,
    /// What was found and what would be right.
    pub message: String,
    /// The id of the module.
    pub module: Option<String>,
    /// The symbol of the function; `solve` for the entry's expression.
    pub function: Option<String>,
    /// The path of the file, as its source gave it.
    pub file: Option<String>,
    /// JSON pointer of the node in that file.
    pub pointer: String,
    /// Where the node starts in the text.
    pub position: Option<Position>,
    /// Further help.
    pub notes: Vec<String>,
    /// Facts for programs.
    pub data: BTreeMap<String, Value>,
    /// An edit that solves the problem, when there is an obvious one.
    pub fix: Option<Fix>,
}

/// An edit of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    /// What the edit does.
    pub note: String,
    /// The edit, an RFC 6902 patch of the problem's file.
    pub patch: Vec<PatchOp>,
}

/// One operation of an RFC 6902 patch.
#[derive(Clone, Debug, PartialEq)]
pub enum PatchOp {
    /// Inserts a value.
    Add {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Puts a value in the place of another.
    Replace {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Removes a value.
    Remove {
        /// Where.
        path: String,
    },
}

impl Problem {
    /// An error without a place.
    pub(super) fn error(code: Code, stage: Stage, message: String) -> Self {
        Self {
            code,
            severity: Severity::Error,
            stage,
            message,
            module: None,
            function: None,
            file: None,
            pointer: String::new(),
            position: None,
            notes: Vec::new(),
            data: BTreeMap::new(),
            fix: None,
        }
    }

    /// Gives the problem its place, but for the position, which [`Sink::finish`] adds.
    pub(super) fn placed(mut self, module: &str, file: &str, pointer: String) -> Self {
        self.module = Some(module.to_owned());
        self.file = Some(file.to_owned());
        self.pointer = pointer;
        self
    }

    /// Adds help.
    pub(super) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a fact.
    pub(super) fn with_data(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }

    /// Adds an edit.
    pub(super) fn with_fix(mut self, note: &str, patch: Vec<PatchOp>) -> Self {
        self.fix = Some(Fix { note: note.to_owned(), patch });
        self
    }
}

/// Problems of one program beyond this many are counted and not listed.
const MAX_PROBLEMS: usize = 500;

/// Collects problems in any order and gives them back in the order of the sources.
#[derive(Default)]
pub(super) struct Sink {
    found: Vec<Found>,
    errors: usize,
    unlisted: usize,
}

struct Found {
    /// The file's position in load order.
    file: usize,
    offset: usize,
    problem: Problem,
}

impl Sink {
    /// Adds a problem that stands at a byte offset of a file, files being numbered in load order.
    pub(super) fn push(&mut self, file: usize, offset: usize, problem: Problem) {
        if problem.severity == Severity::Error {
            self.errors += 1;
        }
        if self.found.len() >= MAX_PROBLEMS {
            self.unlisted += 1;
            return;
        }
        self.found.push(Found { file, offset, problem });
    }

    /// How many errors there are so far.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// All problems by file, place and code, with line and column; `texts` are the files in load
    /// order.
    pub(super) fn finish(mut self, texts: &[&str]) -> Vec<Problem> {
        self.found.sort_by(|a, b| {
            let left = (a.file, a.offset, a.problem.code, &a.problem.message);
            left.cmp(&(b.file, b.offset, b.problem.code, &b.problem.message))
        });
        let mut out: Vec<Problem> = Vec::with_capacity(self.found.len());
        let mut index: Option<(usize, LineIndex<'_>)> = None;
        for found in self.found {
            let mut problem = found.problem;
            if let Some(text) = texts.get(found.file) {
                let lines = match index.take() {
                    Some((file, lines)) if file == found.file => lines,
                    _ => LineIndex::new(text),
                };
                problem.position = Some(lines.position(found.offset));
                index = Some((found.file, lines));
            }
            if out.last() != Some(&problem) {
                out.push(problem);
            }
        }
        if let Some(last) = out.last_mut().filter(|_| self.unlisted > 0) {
            last.notes.push(format!("{} further problems are not listed", self.unlisted));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_come_out_in_source_order_with_positions() {
        let text = "{\n  \"é\": 1\n}";
        let mut sink = Sink::default();
        sink.push(0, 9, Problem::error(Code::X07Type0001, Stage::Type, "later".to_owned()));
        sink.push(0, 0, Problem::error(Code::X07Type0001, Stage::Type, "first".to_owned()));
        sink.push(0, 0, Problem::error(Code::X07Type0001, Stage::Type, "first".to_owned()));
        assert_eq!(sink.errors(), 3);
        let problems = sink.finish(&[text]);
        assert_eq!(problems.len(), 2);
        assert_eq!(problems[0].position, Some(Position { line: 1, column: 1, offset: 0 }));
        assert_eq!(problems[1].position, Some(Position { line: 2, column: 7, offset: 9 }));
    }
}
