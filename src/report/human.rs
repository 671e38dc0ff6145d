//! Diagnostics for people.

use std::fmt::Write as _;
use x07_wasm_contracts::types::{Diagnostic, Location, Severity};

/// One diagnostic: severity, code, place and message; notes below it.
#[must_use]
pub fn diagnostic(diagnostic: &Diagnostic) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
        Severity::Hint => "hint",
    };
    let mut out = format!("{severity}[{}]: ", diagnostic.code);
    let place = place(diagnostic);
    if !place.is_empty() && !diagnostic.message.starts_with(&place) {
        let _ = write!(out, "{}: ", plain(&place));
    }
    out.push_str(&plain(diagnostic.message.trim_end()));
    for note in diagnostic.notes.iter().flatten() {
        let _ = write!(out, "\n  note: {}", plain(note));
    }
    if let Some(note) = diagnostic.quickfix.as_ref().and_then(|q| q.note.as_ref()) {
        let _ = write!(out, "\n  fix: {}", plain(note));
    }
    out
}

/// Texts come from files of others: what would steer a terminal is shown instead of sent.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

fn place(diagnostic: &Diagnostic) -> String {
    let text = |key: &str| diagnostic.data.as_ref().and_then(|d| d.get(key));
    match &diagnostic.loc {
        Some(Location::Text(at)) => {
            let file = at.span.file.as_deref().unwrap_or_default();
            format!("{file}:{}:{}", at.span.start.line, at.span.start.col)
        }
        Some(Location::X07ast(at)) => {
            // A trap has no file; its message names the place.
            let Some(file) = text("file").and_then(|v| v.as_str()) else { return String::new() };
            let line = text("line").map(|v| format!(":{v}")).unwrap_or_default();
            let column = text("column").map(|v| format!(":{v}")).unwrap_or_default();
            format!("{file}{line}{column} {}", at.ptr).trim().to_owned()
        }
        None => String::new(),
    }
}
