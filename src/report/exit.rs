//! Diagnostics → exit code.
//!
//! | exit | when some error … | meaning |
//! |---|---|---|
//! | 0 | does not exist | success |
//! | 2 | has a code of ours that ends in `_SPAWN_FAILED`, `_WRITE_FAILED`, `_IO_FAILED` or starts with `X07WASM_INTERNAL_` | the tool or its environment failed |
//! | 3 | has stage `parse` | invalid input |
//! | 4 | has a code that starts with `X07WASM_BUDGET_EXCEEDED_` | a limit was hit |
//! | 1 | otherwise | the operation ran and failed |
//!
//! The first matching row wins. A diagnostic that a guest program raised never matches the row of 2:
//! a guest cannot say that the host failed.

use x07_wasm_contracts::types::{Diagnostic, Severity, Stage};

/// Who raised a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This tool.
    Host,
    /// A program that it ran.
    Guest,
}

/// The exit code of a report.
pub fn code<'d>(diagnostics: impl Iterator<Item = (&'d Diagnostic, Origin)>) -> u8 {
    let rank = |exit: u8| [2, 3, 4, 1].iter().position(|e| *e == exit).unwrap_or(usize::MAX);
    diagnostics
        .filter(|(d, _)| d.severity == Severity::Error)
        .map(|(d, origin)| of_error(d, origin))
        .min_by_key(|e| rank(*e))
        .unwrap_or(0)
}

fn of_error(diagnostic: &Diagnostic, origin: Origin) -> u8 {
    let code = diagnostic.code.as_str();
    let environment = ["_SPAWN_FAILED", "_WRITE_FAILED", "_IO_FAILED"].iter().any(|s| code.ends_with(s))
        || code.starts_with("X07WASM_INTERNAL_");
    if origin == Origin::Host && environment {
        2
    } else if diagnostic.stage == Stage::Parse {
        3
    } else if code.starts_with("X07WASM_BUDGET_EXCEEDED_") {
        4
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(list: &[(&str, Severity, Stage, Origin)]) -> u8 {
        let made: Vec<(Diagnostic, Origin)> = list
            .iter()
            .map(|(c, severity, stage, origin)| {
                let diagnostic = Diagnostic {
                    code: (*c).to_owned(),
                    severity: *severity,
                    stage: *stage,
                    message: "m".to_owned(),
                    data: None,
                    loc: None,
                    notes: None,
                    quickfix: None,
                    related: None,
                };
                (diagnostic, *origin)
            })
            .collect();
        code(made.iter().map(|(d, o)| (d, *o)))
    }

    #[test]
    fn two_over_three_over_four_over_one() {
        use Origin::{Guest, Host};
        use Severity::{Error, Hint, Info, Warning};
        use Stage::{Codegen, Parse, Run};
        let one = ("X07WASM_RUN_FAILED", Error, Run, Host);
        let four = ("X07WASM_BUDGET_EXCEEDED_OUTPUT", Error, Run, Host);
        let three = ("X07WASM_SCHEMA_INVALID", Error, Parse, Host);
        let two = ("X07WASM_OUTPUT_WRITE_FAILED", Error, Run, Host);
        assert_eq!(exit(&[]), 0);
        assert_eq!(exit(&[one]), 1);
        assert_eq!(exit(&[one, four]), 4);
        assert_eq!(exit(&[one, four, three]), 3);
        assert_eq!(exit(&[one, four, three, two]), 2);
        assert_eq!(exit(&[two, three, four, one]), 2);
        assert_eq!(exit(&[("X07WASM_INTERNAL_PANIC", Error, Run, Host), three]), 2);
        assert_eq!(exit(&[("X07WASM_X07_BUILD_SPAWN_FAILED", Error, Codegen, Host)]), 2);
        assert_eq!(exit(&[("FOO_IO_FAILED", Error, Run, Guest)]), 1);
        assert_eq!(exit(&[("X07WASM_BUDGET_EXCEEDED_CLI_STDIN", Error, Run, Guest)]), 4);
        for quiet in [Warning, Info, Hint] {
            assert_eq!(exit(&[("X07WASM_OUTPUT_WRITE_FAILED", quiet, Parse, Host)]), 0);
        }
    }
}
