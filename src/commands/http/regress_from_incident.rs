//! `http regress from-incident`: a trace and a script out of an incident of the reducer loop.

use crate::commands::{Handler, ResultOf};
use crate::contract::Contract;
use crate::contract::files::{create_folder, read_bounded, shown};
use crate::contract::{load, validate};
use crate::http::reducer::incident::FILE_NAME;
use crate::http::reducer::regress::{DEFAULT_COMPONENT, Regression};
use crate::http::reducer::trace::MAX_TRACE_BYTES;
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Context, Diag, DocumentCodes, emit};
use serde_json::Value;
use std::path::Path;
use x07_wasm_contracts::cli::HttpRegressFromIncidentArgs;
use x07_wasm_contracts::types::{FileDigest, HttpIncident, HttpRegressFromIncidentReport, HttpTrace};

/// Violations of the trace that are reported.
const MAX_PROBLEMS: usize = 20;

impl Handler for HttpRegressFromIncidentArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<HttpRegressFromIncidentReport>();
        result.incident_dir = shown(&self.incident_dir);
        result.updated_files.clear();
        let (incident, trace) = match read(context, &self.incident_dir.join(FILE_NAME)) {
            Ok(read) => read,
            Err(problems) => {
                context.extend(problems);
                return result;
            }
        };
        context.extend(gap(&incident, &trace));
        let component = incident.inputs.as_ref().map(|inputs| inputs.component.path.as_str());
        let component = component.filter(|path| !path.is_empty()).unwrap_or(DEFAULT_COMPONENT);
        let regression = Regression::new(&trace, component, &self.out_dir);
        match write(context, &regression, &self.out_dir) {
            Ok(written) => {
                result.generated_fixture = written.trace;
                result.generated_test = written.script.clone();
                result.updated_files.extend(written.replaced.then_some(written.script));
                context.notes.push(format!("ok: {} and {}", result.generated_fixture.path, result.generated_test.path));
            }
            Err(problem) => context.push(problem),
        }
        result
    }
}

/// The step that failed, if the trace does not have it: a replay ends before it then.
fn gap(incident: &HttpIncident, trace: &Value) -> Option<Diag> {
    let steps = trace.get("steps").and_then(Value::as_array).map_or(0, Vec::len);
    if steps == 0 {
        let message = "the trace of the incident has no steps: the reducer returned no frame before it failed, or its frames were too large to be kept; the test replays nothing, so add the step by hand";
        return Some(Diag::new(Code::HttpIncidentTraceEmpty, message));
    }
    let failed = incident.failed.as_ref()?.step;
    let there = usize::try_from(failed).is_ok_and(|failed| failed < steps);
    (!there).then(|| {
        let message = format!(
            "the trace of the incident has {steps} steps, and the one that failed, /steps/{failed}, is not among them, so the test passes without it; add the step with /failed/env and the frame that it should give"
        );
        Diag::new(Code::HttpIncidentStepMissing, message).data("step", failed).data("steps", steps)
    })
}

/// The incident, and its trace as it is written there, which is valid as well: a replay compares
/// numbers by their text.
fn read(context: &mut Context, path: &Path) -> Result<(HttpIncident, Value), Vec<Diag>> {
    const CODES: DocumentCodes = DocumentCodes {
        read: Code::HttpIncidentReadFailed,
        json: Code::HttpIncidentJsonInvalid,
        schema: Code::HttpIncidentKindInvalid,
    };
    let bytes = context
        .files
        .read(path, MAX_TRACE_BYTES)
        .map_err(|error| vec![unreadable(CODES.read, "the incident", &error)])?;
    let file = shown(path);
    let loaded =
        load::from_bytes::<HttpIncident>(&file, &bytes).map_err(|error| CODES.diagnose("the incident", &error))?;
    let trace = loaded.value.get("trace").cloned().unwrap_or_default();
    let violations = validate::violations(HttpTrace::INFO, &trace);
    let problem = |violation: validate::Violation| {
        let message = format!(
            "the trace of the incident {file} is not valid at /trace{}: {}",
            violation.place, violation.message
        );
        Diag::new(Code::HttpIncidentKindInvalid, message)
            .data("file", file.as_str())
            .data("instance_path", format!("/trace{}", violation.place))
            .data("rule", violation.rule)
    };
    if violations.is_empty() {
        Ok((loaded.document, trace))
    } else {
        Err(violations.into_iter().take(MAX_PROBLEMS).map(problem).collect())
    }
}

/// The files that were written.
struct Written {
    trace: FileDigest,
    script: FileDigest,
    /// Whether an older script was replaced by a different one.
    replaced: bool,
}

fn write(context: &mut Context, regression: &Regression, out_dir: &Path) -> Result<Written, Diag> {
    create_folder(out_dir).map_err(|error| {
        Diag::new(Code::HttpRegressOutdirCreateFailed, format!("the folder for the test cannot be created: {error}"))
            .data("path", shown(out_dir))
    })?;
    let trace_path = out_dir.join(regression.trace_name());
    let script_path = out_dir.join(regression.script_name());
    // Both are looked at before either is written.
    standing(&trace_path, |content| content == regression.trace)?;
    let older = standing(&script_path, Regression::is_script)?;
    let failed = |error: &dyn std::fmt::Display| {
        Diag::new(Code::HttpRegressWriteFailed, format!("the regression test cannot be written: {error}"))
    };
    let trace = context.files.write(&trace_path, &regression.trace).map_err(|error| failed(&error))?;
    let script = context.files.write(&script_path, &regression.script).map_err(|error| failed(&error))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&script_path, std::fs::Permissions::from_mode(0o755))
            .map_err(|error| failed(&format!("{}: {error}", shown(&script_path))))?;
    }
    Ok(Written { trace, script, replaced: older.is_some_and(|content| content != regression.script) })
}

/// What stands under a name already, provided that it is one of ours.
fn standing(path: &Path, is_ours: impl Fn(&[u8]) -> bool) -> Result<Option<Vec<u8>>, Diag> {
    let refuse = |why: &str| {
        let message = format!(
            "{} {why}, and a file of somebody else is not replaced; move it away, or give another --out-dir",
            shown(path)
        );
        Diag::new(Code::HttpRegressWriteFailed, message).data("path", shown(path))
    };
    match read_bounded(path, MAX_TRACE_BYTES) {
        Ok(content) if is_ours(&content) => Ok(Some(content)),
        Ok(_) => Err(refuse("has another content than this command writes")),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(refuse(&format!("cannot be looked at ({error})"))),
    }
}
