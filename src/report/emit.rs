//! Result and context → one schema-valid report.

use super::context::Context;
use super::diagnostic::Diag;
use super::human;
use crate::contract::files::{WriteError, write_atomic};
use crate::contract::json::canonical;
use crate::contract::validate;
use serde_json::Value;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::contract::{Envelope, Report};
use x07_wasm_contracts::diagnostics::Code;
use x07_wasm_contracts::types::{Meta, Severity};

/// The form of a report on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One line.
    Compact,
    /// Indented.
    Pretty,
}

impl Form {
    /// The bytes of a value in this form.
    #[must_use]
    pub fn bytes(self, value: &Value) -> Vec<u8> {
        match self {
            Self::Compact => canonical::compact(value),
            Self::Pretty => canonical::pretty(value),
        }
    }
}

/// A finished command.
#[derive(Debug)]
pub struct Finished {
    /// The report; `None` when none was asked for.
    pub report: Option<Value>,
    /// The exit code, the same as in the report.
    pub exit_code: u8,
    /// For standard output when no report was asked for.
    pub stdout: Vec<u8>,
    /// For standard error when no report was asked for.
    pub stderr: Vec<String>,
}

/// The result that stands in a report when a command failed before it knew better.
#[must_use]
pub fn placeholder<R: Report>() -> R::Result {
    match serde_json::from_str(R::RESULT_PLACEHOLDER) {
        Ok(result) => result,
        // The contract compiler made the text from the same schema as the type, and a test reads
        // every placeholder: no released tool gets here.
        Err(e) => unreachable!("the placeholder of {} does not fit its type: {e}", R::COMMAND),
    }
}

/// Builds the report, checks it against its own schema, and writes the incident if there is one.
#[must_use]
pub fn finish<R: Report>(mut context: Context, result: R::Result) -> Finished {
    let stdout = std::mem::take(&mut context.stdout);
    let mut notes = std::mem::take(&mut context.notes);
    let incident = context.incident.take().filter(|_| context.failed());
    let copies = if context.failed() { std::mem::take(&mut context.report_copies) } else { Vec::new() };
    if incident.is_some() {
        // The folder of the bundle carries today's date.
        context.nondeterminism.uses_os_time = true;
    }
    let parts = Parts::of(context);
    let mut diagnostics = parts.diagnostics.clone();
    let mut exit_code = parts.exit_code;
    let needs_value = parts.json || incident.is_some() || !copies.is_empty();
    let mut value = if needs_value { serde_json::to_value(R::assemble(parts.envelope(result))).ok() } else { None };
    if let (Some(incident), Some(report)) = (&incident, &mut value) {
        let messages: Vec<String> = diagnostics.iter().map(|d| d.message.clone()).collect();
        let folder = incident.folder();
        let named = name_incident(report, &folder);
        match incident.write_to(&folder, &canonical::compact(report), &messages) {
            Ok(()) => notes.push(format!("incident: {}", folder.display())),
            Err(error) => {
                if named && let Some(place) = report.pointer_mut(INCIDENT_DIR) {
                    *place = Value::Null;
                }
                let message = format!(
                    "the incident bundle cannot be written: {error}; the report is complete, but the run cannot be looked at later"
                );
                let warning = Diag::new(Code::IncidentBundleWriteFailed, message).build();
                let list = report.get_mut("diagnostics");
                if let (Some(Value::Array(list)), Ok(entry)) = (list, serde_json::to_value(&warning)) {
                    list.push(entry);
                }
                diagnostics.push(warning);
            }
        }
    }
    if let Some(report) = &mut value
        && let Some(error) = copy_report(report, &copies)
    {
        let message =
            format!("the report cannot be added to an incident bundle: {error}; the rest of the bundle is there");
        let warning = Diag::new(Code::IncidentBundleWriteFailed, message).build();
        if let (Some(Value::Array(list)), Ok(entry)) = (report.get_mut("diagnostics"), serde_json::to_value(&warning)) {
            list.push(entry);
        }
        diagnostics.push(warning);
    }
    if parts.json {
        let violations = value.as_ref().map(|v| validate::violations(R::INFO, v)).unwrap_or_default();
        if value.is_none() || !violations.is_empty() {
            let what = violations
                .first()
                .map_or_else(|| "it cannot be written as JSON".to_owned(), |v| format!("{}: {}", v.pointer, v.message));
            let diag = Diag::new(
                Code::InternalReportInvalid,
                format!(
                    "the report of {} violates its own contract ({what}); please report this as a mistake of x07-wasm",
                    R::COMMAND
                ),
            )
            .build();
            exit_code = 2;
            let minimal = R::assemble(Envelope {
                ok: false,
                exit_code,
                diagnostics: vec![diag.clone()],
                meta: parts.meta,
                result: placeholder::<R>(),
            });
            value = serde_json::to_value(minimal).ok();
            diagnostics.push(diag);
        }
    }
    // What is only for the record would be noise on a terminal.
    let told = diagnostics.iter().filter(|d| matches!(d.severity, Severity::Error | Severity::Warning));
    let stderr = if parts.json { Vec::new() } else { told.map(human::diagnostic).chain(notes).collect() };
    Finished {
        report: value.filter(|_| parts.json),
        exit_code,
        stdout: if parts.json { Vec::new() } else { stdout },
        stderr,
    }
}

/// Writes the report to all of these files; yields the first failure.
fn copy_report(report: &Value, copies: &[PathBuf]) -> Option<WriteError> {
    if copies.is_empty() {
        return None;
    }
    let bytes = canonical::compact(report);
    copies.iter().map(|path| write_atomic(path, &bytes).err()).fold(None, Option::or)
}

/// Where a report names the folder of its incident, if its contract has a place for it.
const INCIDENT_DIR: &str = "/result/incident_dir";

/// Fills that place unless the command did; says whether it was filled.
fn name_incident(report: &mut Value, folder: &Path) -> bool {
    match report.pointer_mut(INCIDENT_DIR) {
        Some(place) if place.is_null() => {
            *place = Value::String(folder.display().to_string());
            true
        }
        _ => false,
    }
}

/// A context taken apart.
struct Parts {
    json: bool,
    exit_code: u8,
    diagnostics: Vec<x07_wasm_contracts::types::Diagnostic>,
    meta: Meta,
}

impl Parts {
    fn of(context: Context) -> Self {
        let exit_code = context.exit_code();
        let diagnostics: Vec<_> = context.diagnostics().cloned().collect();
        let cwd = std::env::current_dir().map(|d| d.display().to_string()).unwrap_or_default();
        let (argv, elapsed_ms, json) = (context.argv().to_vec(), context.elapsed_ms(), context.json);
        let (inputs, outputs) = context.files.into_parts();
        let meta =
            Meta { argv, cwd, elapsed_ms, inputs, outputs, nondeterminism: context.nondeterminism, tool: context.tool };
        Self { json, exit_code, diagnostics, meta }
    }

    fn envelope<T>(&self, result: T) -> Envelope<T> {
        Envelope {
            ok: self.exit_code == 0,
            exit_code: self.exit_code,
            diagnostics: self.diagnostics.clone(),
            meta: self.meta.clone(),
            result,
        }
    }
}
