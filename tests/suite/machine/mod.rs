//! The machine interface: flags, reports, exit codes, schemas, specification rows.
//!
//! | module | promise |
//! |---|---|
//! | `flags` | the machine flags, in any position and form; the report file |
//! | `failures` | command lines that cannot be understood: exit 3 and one report |
//! | `reports` | what every command's report has in common; standard output and error for people |
//! | `schemas` | `--json-schema`, `--json-schema-id`, `schema list`, `schema show` |
//! | `specrows` | `--cli-specrows` and `cli specrows check` |
//! | `process` | help, version, completions, pipes, the name `x07` |

mod failures;
mod flags;
mod process;
mod reports;
mod schemas;
mod specrows;

use crate::support::{Place, Run};
use serde_json::Value;
use std::ffi::OsStr;

/// A command that needs neither files nor other programs.
const QUICK: &str = "explain X07WASM_SCHEMA_INVALID";
/// The version of its report.
const QUICK_REPORT: &str = "x07.wasm.explain.report@0.1.0";

/// Runs the binary without any program on the search path.
fn bare<A: AsRef<OsStr>>(place: &Place, args: &[A]) -> Run {
    place.run_with(args, |command| {
        command.env("PATH", "");
    })
}

/// A report without what differs between two runs that were called differently.
fn without_call(mut report: Value) -> Value {
    report["meta"]["argv"] = Value::Null;
    report["meta"]["elapsed_ms"] = Value::Null;
    report
}
