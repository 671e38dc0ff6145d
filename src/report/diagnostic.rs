//! Diagnostics: a catalogue code, a message, and as exact a place as is known.

use crate::contract::files::ReadError;
use crate::contract::json::position::Position as TextPosition;
use crate::contract::load::{DocumentProblem, LoadError, ProblemKind};
use serde_json::Value;
use x07_wasm_contracts::diagnostics::{Code, Severity, Stage};
use x07_wasm_contracts::types::{Diagnostic, LocText, LocX07ast, Location, PatchOp, Position, Quickfix, Span};

const MAX_MESSAGE: usize = 4096;
const MAX_NOTE: usize = 2048;
const MAX_POINTER: usize = 2048;

/// A diagnostic in the making; severity and stage come from the catalogue unless said otherwise.
#[derive(Clone, Debug)]
pub struct Diag(Box<Diagnostic>);

impl Diag {
    /// A diagnostic with the catalogue's severity and usual stage.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let info = code.info();
        Self(Box::new(Diagnostic {
            code: info.code.to_owned(),
            severity: info.severity,
            stage: info.stages.first().copied().unwrap_or(Stage::Run),
            message: message_text(message.into()),
            data: None,
            loc: None,
            notes: None,
            quickfix: None,
            related: None,
        }))
    }

    /// An error that a guest program raised, under a code that need not be in the catalogue. The
    /// code must be one that a report can carry.
    #[must_use]
    pub fn of_guest(code: &str, message: impl Into<String>) -> Self {
        Self(Box::new(Diagnostic {
            code: code.to_owned(),
            severity: Severity::Error,
            stage: Stage::Run,
            message: message_text(message.into()),
            data: None,
            loc: None,
            notes: None,
            quickfix: None,
            related: None,
        }))
    }

    /// In another stage than the usual one.
    #[must_use]
    pub fn stage(mut self, stage: Stage) -> Self {
        self.0.stage = stage;
        self
    }

    /// With another severity than the usual one.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.0.severity = severity;
        self
    }

    /// As an error if it is a warning and `strict` says that warnings count as errors.
    #[must_use]
    pub fn strictly(mut self, strict: bool) -> Self {
        if strict && self.0.severity == Severity::Warning {
            self.0.severity = Severity::Error;
        }
        self
    }

    /// With a member of `data`.
    #[must_use]
    pub fn data(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.data.get_or_insert_default().insert(key.to_owned(), value.into());
        self
    }

    /// With a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.0.notes.get_or_insert_default().push(clip(note.into(), MAX_NOTE));
        self
    }

    /// At a place in a text file.
    #[must_use]
    pub fn at_text(mut self, file: &str, position: TextPosition) -> Self {
        let place =
            Position { line: position.line.into(), col: position.column.into(), offset: Some(position.offset.into()) };
        let span = Span { file: Some(file.to_owned()), start: place.clone(), end: place };
        self.0.loc = Some(Location::Text(LocText { kind: "text".to_owned(), snippet: None, span }));
        self
    }

    /// At a node of a program. A pointer that is too long for a report is cut at a node above.
    #[must_use]
    pub fn at_node(mut self, pointer: &str) -> Self {
        let mut ptr = pointer;
        while ptr.chars().count() > MAX_POINTER {
            ptr = ptr.rsplit_once('/').map_or("", |(above, _)| above);
        }
        self.0.loc = Some(Location::X07ast(LocX07ast { kind: "x07ast".to_owned(), ptr: ptr.to_owned() }));
        self
    }

    /// With a mechanical repair of the program.
    #[must_use]
    pub fn fix(mut self, note: &str, patch: Vec<PatchOp>) -> Self {
        self.0.quickfix =
            Some(Quickfix { kind: "json_patch".to_owned(), note: Some(clip(note.to_owned(), 512)), patch });
        self
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        Code::find(&self.0.code)
    }

    /// The finished diagnostic.
    #[must_use]
    pub fn build(self) -> Diagnostic {
        *self.0
    }
}

/// A message must have 1 to 4096 characters.
fn message_text(message: String) -> String {
    if message.trim().is_empty() { "no message".to_owned() } else { clip(message, MAX_MESSAGE) }
}

/// Cuts a text to a number of characters.
#[must_use]
pub fn clip(text: String, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((at, _)) => text.get(..at).unwrap_or_default().to_owned(),
        None => text,
    }
}

/// The codes under which a command reports what is wrong with one kind of document.
#[derive(Clone, Copy, Debug)]
pub struct DocumentCodes {
    /// It cannot be read.
    pub read: Code,
    /// It is not JSON.
    pub json: Code,
    /// It violates its schema.
    pub schema: Code,
}

impl DocumentCodes {
    /// One code for everything.
    #[must_use]
    pub const fn all(code: Code) -> Self {
        Self { read: code, json: code, schema: code }
    }

    /// One diagnostic for each problem; `what` names the document, for example "wasm profile".
    #[must_use]
    pub fn diagnose(self, what: &str, error: &LoadError) -> Vec<Diag> {
        match error {
            LoadError::Read(error) => vec![unreadable(self.read, what, error)],
            LoadError::Problems(problems) => problems.iter().map(|p| self.problem(what, p)).collect(),
        }
    }

    /// One problem of a document.
    #[must_use]
    pub fn problem(self, what: &str, problem: &DocumentProblem) -> Diag {
        let code = if problem.kind == ProblemKind::Schema { self.schema } else { self.json };
        let place = if problem.pointer.is_empty() { String::new() } else { format!(" at {}", problem.pointer) };
        let diag = Diag::new(code, format!("{what} {}{place}: {}", problem.file, problem.message))
            .data("file", problem.file.as_str())
            .data("instance_path", problem.pointer.as_str())
            .data("rule", problem.rule.as_str());
        let diag = if problem.schema_pointer.is_empty() {
            diag
        } else {
            diag.data("schema_path", problem.schema_pointer.as_str())
        };
        match problem.position {
            Some(position) => diag.at_text(&problem.file, position),
            None => diag,
        }
    }
}

/// A file that cannot be read.
#[must_use]
pub fn unreadable(code: Code, what: &str, error: &ReadError) -> Diag {
    let cure = match error {
        ReadError::Io { .. } if error.is_missing() => "; check the path, which is relative to the current folder",
        _ => "",
    };
    let rule = match error {
        ReadError::Io { .. } => "readable",
        ReadError::NotRegular { .. } => "regular-file",
        ReadError::TooLarge { .. } => "size",
    };
    Diag::new(code, format!("{what} cannot be read: {error}{cure}")).data("error", error.to_string()).data("rule", rule)
}
