//! `http contracts validate`: the schemas of the reducer loop, and the fixtures of a project.

use crate::commands::{Handler, ResultOf};
use crate::contract::files::{MAX_DOCUMENT_BYTES, shown};
use crate::contract::load::{self, LoadError};
use crate::contract::{Contract, ContractInfo, validate};
use crate::http::reducer::consistency;
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Context, Diag, DocumentCodes, Severity, emit};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::cli::HttpContractsValidateArgs;
use x07_wasm_contracts::types::{
    FixtureCheck, HttpContractsValidateReport, HttpDispatch, HttpFrame, HttpTrace, SchemaCheck,
};

/// Where a project keeps its fixtures.
const FIXTURES: &str = "spec/fixtures/http";

/// The schemas that the loop and its commands need.
const SCHEMAS: [&str; 10] = [
    "https://x07.io/spec/x07-http.request.envelope.schema.json",
    "https://x07.io/spec/x07-http.response.envelope.schema.json",
    "https://x07.io/spec/x07-http.effect.schema.json",
    "https://x07.io/spec/x07-http.dispatch.schema.json",
    "https://x07.io/spec/x07-http.frame.schema.json",
    "https://x07.io/spec/x07-http.trace.schema.json",
    "https://x07.io/spec/x07-wasm.http.contracts.validate.report.schema.json",
    "https://x07.io/spec/x07-wasm.http.serve.report.schema.json",
    "https://x07.io/spec/x07-wasm.http.test.report.schema.json",
    "https://x07.io/spec/x07-wasm.http.regress.from.incident.report.schema.json",
];

const CODES: DocumentCodes = DocumentCodes {
    read: Code::HttpFixtureValidateFailed,
    json: Code::HttpFixtureValidateFailed,
    schema: Code::SchemaInvalid,
};

impl Handler for HttpContractsValidateArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<HttpContractsValidateReport>();
        let (schemas, missing) = check_schemas(&SCHEMAS);
        result.schemas = schemas;
        context.extend(missing);
        result.fixtures.clear();
        let fixtures = match fixtures(Path::new(FIXTURES)) {
            Ok(fixtures) => fixtures,
            Err(error) => {
                let message = format!("the fixtures in {FIXTURES} cannot be listed: {error}; make it a folder");
                context.push(Diag::new(Code::HttpFixtureValidateFailed, message).data("path", FIXTURES));
                return result;
            }
        };
        for path in fixtures {
            let before = context.errors();
            check_fixture(context, &path, self.strict);
            result.fixtures.push(FixtureCheck { path: shown(&path), ok: context.errors() == before });
        }
        if !context.failed() {
            context.notes.push(format!("ok: {} schemas, {} fixtures", result.schemas.len(), result.fixtures.len()));
        }
        result
    }
}

/// Whether each schema is built in and can be used.
fn check_schemas(ids: &[&str]) -> (Vec<SchemaCheck>, Vec<Diag>) {
    let (mut checks, mut missing) = (Vec::new(), Vec::new());
    for &id in ids {
        let ok = ContractInfo::find(id).and_then(validate::validator).is_some();
        if !ok {
            let message =
                format!("the schema {id} is not built into this tool; please report this as a mistake of x07-wasm");
            missing.push(Diag::new(Code::HttpSchemaMissing, message).data("schema_id", id));
        }
        checks.push(SchemaCheck { id: id.to_owned(), ok });
    }
    (checks, missing)
}

/// The JSON files of a folder, sorted; none when there is no such folder.
fn fixtures(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn check_fixture(context: &mut Context, path: &Path, strict: bool) {
    let file = shown(path);
    let bytes = match context.files.read(path, MAX_DOCUMENT_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            context.push(unreadable(CODES.read, "the fixture", &error));
            return;
        }
    };
    let value = match load::json_from_bytes(&file, &bytes) {
        Ok(value) => value,
        Err(problems) => {
            context.extend(problems.iter().map(|problem| CODES.problem("the fixture", problem)));
            return;
        }
    };
    let checked = match value.get("kind").and_then(|kind| kind.as_str()) {
        Some("x07.http.dispatch") => check::<HttpDispatch>(&file, &bytes),
        Some("x07.http.frame") => check::<HttpFrame>(&file, &bytes),
        Some("x07.http.trace") => check::<HttpTrace>(&file, &bytes),
        other => {
            let found = other.map_or_else(|| "missing".to_owned(), |kind| format!("{kind:?}"));
            let message = format!(
                "the fixture {file} is of no known kind: `kind` is {found}; make it x07.http.dispatch, x07.http.frame or x07.http.trace"
            );
            context.push(Diag::new(Code::HttpFixtureSchemaUnknown, message).data("file", file.as_str()));
            return;
        }
    };
    if let Err(error) = checked {
        context.extend(CODES.diagnose("the fixture", &error));
        return;
    }
    for inconsistency in consistency::of(&value) {
        let message = format!("the fixture {file} at {}: {}", inconsistency.pointer, inconsistency.message);
        let diag = Diag::new(Code::HttpFixtureInconsistent, message)
            .data("file", file.as_str())
            .data("instance_path", inconsistency.pointer);
        context.push(if strict { diag.severity(Severity::Error) } else { diag });
    }
}

fn check<T: Contract>(file: &str, bytes: &[u8]) -> Result<(), LoadError> {
    load::from_bytes::<T>(file, bytes).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_schemas_are_there_and_a_missing_one_would_be_told() {
        let (checks, missing) = check_schemas(&SCHEMAS);
        assert!(checks.iter().all(|check| check.ok) && missing.is_empty());
        let (checks, missing) = check_schemas(&["https://x07.io/spec/none.schema.json"]);
        assert!(!checks[0].ok);
        let codes: Vec<_> = missing.into_iter().map(|diag| diag.build().code).collect();
        assert_eq!(codes, ["X07WASM_HTTP_SCHEMA_MISSING"]);
    }
}
