//! Verdicts as parts of the report, and as lines for people.

use super::manifest::Test;
use super::property::{Kind, Property, Value, encode};
use super::status::{Details, Excerpt};
use super::verdict::{Counterexample, Outcome, TrapPlace, Verdict};
use crate::solve::violation::{Violation, Witness};
use x07_wasm_contracts::types::{
    TestReportArgument, TestReportCounterexample, TestReportDetails, TestReportExcerpt, TestReportSummary,
    TestReportTest, TestReportTestOutcome, TestReportTrap, TestReportViolation, TestReportViolationKind,
    TestReportWitness, TestReportWitnessBytes, TestReportWitnessValue, TestsManifestExpect as Expect,
    TestsManifestParamKind,
};

/// A test and its verdict in the report.
#[must_use]
pub fn test(test: &Test, verdict: &Verdict) -> TestReportTest {
    let counterexample = match (&test.property, &verdict.counterexample) {
        (Some(property), Some(example)) => Some(counterexample(property, example)),
        _ => None,
    };
    TestReportTest {
        id: test.id.clone(),
        entry: test.entry.clone(),
        world: test.world,
        expect: test.expect,
        returns: test.returns,
        property: test.property.is_some(),
        outcome: outcome(verdict.outcome),
        as_expected: verdict.as_expected(test.expect),
        runs: verdict.runs,
        code: verdict.code,
        reason: verdict.reason.clone(),
        details: verdict.details.as_ref().map(details),
        trap: verdict.trap.as_ref().map(trap),
        violation: verdict.violation.as_ref().and_then(violation),
        counterexample,
        fuel_used: verdict.fuel_used,
    }
}

/// The numbers of a run.
#[must_use]
pub fn summary(total: usize, tests: &[TestReportTest]) -> TestReportSummary {
    let count = |counts: &dyn Fn(&TestReportTest) -> bool| number(tests.iter().filter(|test| counts(test)).count());
    let ran = |test: &TestReportTest| {
        !matches!(
            test.outcome,
            TestReportTestOutcome::Skip | TestReportTestOutcome::NotRun | TestReportTestOutcome::Listed
        )
    };
    TestReportSummary {
        total: number(total),
        selected: number(tests.len()),
        as_expected: count(&|test: &TestReportTest| ran(test) && test.as_expected),
        unexpected: count(&|test: &TestReportTest| ran(test) && !test.as_expected),
        skipped: count(&|test: &TestReportTest| test.outcome == TestReportTestOutcome::Skip),
        not_run: count(&|test: &TestReportTest| test.outcome == TestReportTestOutcome::NotRun),
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

const fn outcome(outcome: Outcome) -> TestReportTestOutcome {
    match outcome {
        Outcome::Pass => TestReportTestOutcome::Pass,
        Outcome::Fail => TestReportTestOutcome::Fail,
        Outcome::Skip => TestReportTestOutcome::Skip,
        Outcome::Trap => TestReportTestOutcome::Trap,
        Outcome::Limit => TestReportTestOutcome::Limit,
        Outcome::Error => TestReportTestOutcome::Error,
        Outcome::NotRun => TestReportTestOutcome::NotRun,
        Outcome::Listed => TestReportTestOutcome::Listed,
    }
}

fn details(details: &Details) -> TestReportDetails {
    TestReportDetails {
        got: excerpt(&details.got),
        expected: excerpt(&details.expected),
        prefix_limit: details.prefix_limit,
    }
}

fn excerpt(excerpt: &Excerpt) -> TestReportExcerpt {
    TestReportExcerpt {
        bytes_len: excerpt.len,
        hex: hex::encode(&excerpt.prefix),
        text: String::from_utf8_lossy(&excerpt.prefix).into_owned(),
    }
}

fn trap(trap: &TrapPlace) -> TestReportTrap {
    TestReportTrap {
        message: trap.message.clone(),
        cause: trap.cause.clone(),
        function: trap.function.clone(),
        module: trap.module.clone(),
        ptr: trap.ptr.clone(),
    }
}

/// A violation; `None` for one of a kind that there is not.
fn violation(violation: &Violation) -> Option<TestReportViolation> {
    let kind = match violation.kind.as_str() {
        "requires" => TestReportViolationKind::Requires,
        "ensures" => TestReportViolationKind::Ensures,
        "invariant_entry" => TestReportViolationKind::InvariantEntry,
        "invariant_exit" => TestReportViolationKind::InvariantExit,
        _ => return None,
    };
    Some(TestReportViolation {
        kind,
        function: violation.function.clone(),
        clause_id: violation.clause_id.clone(),
        clause_index: violation.clause_index,
        clause_ptr: violation.clause_ptr.clone(),
        witnesses: violation.witnesses.iter().map(witness).collect(),
    })
}

fn witness(witness: &Witness) -> TestReportWitness {
    let mut out = TestReportWitness {
        ty: type_name(witness).to_owned(),
        value_i32: None,
        len: None,
        hex: None,
        truncated: None,
        tag: None,
        ok_i32: None,
        ok: None,
        err_code_u32: None,
    };
    match witness {
        Witness::I32(n) => out.value_i32 = Some(i64::from(*n)),
        Witness::Bytes { len, prefix } | Witness::BytesView { len, prefix } => {
            out.len = Some(*len);
            out.hex = Some(hex::encode(prefix));
            out.truncated = Some(is_cut(*len, prefix));
        }
        Witness::Result { ok, err_code, value, .. } => {
            out.tag = Some(tag(*ok));
            match value.as_deref() {
                _ if !*ok => out.err_code_u32 = Some(*err_code),
                Some(Witness::I32(n)) => out.ok_i32 = Some(i64::from(*n)),
                Some(inner) => out.ok = Some(witness_value(inner)),
                None => {}
            }
        }
    }
    out
}

fn witness_value(witness: &Witness) -> TestReportWitnessValue {
    let mut out = TestReportWitnessValue {
        ty: type_name(witness).to_owned(),
        len: None,
        hex: None,
        truncated: None,
        tag: None,
        ok: None,
        err_code_u32: None,
    };
    match witness {
        Witness::I32(_) => {}
        Witness::Bytes { len, prefix } | Witness::BytesView { len, prefix } => {
            out.len = Some(*len);
            out.hex = Some(hex::encode(prefix));
            out.truncated = Some(is_cut(*len, prefix));
        }
        Witness::Result { ok, err_code, value, .. } => {
            out.tag = Some(tag(*ok));
            match value.as_deref() {
                _ if !*ok => out.err_code_u32 = Some(*err_code),
                Some(inner @ (Witness::Bytes { len, prefix } | Witness::BytesView { len, prefix })) => {
                    out.ok = Some(TestReportWitnessBytes {
                        ty: type_name(inner).to_owned(),
                        len: *len,
                        hex: hex::encode(prefix),
                        truncated: is_cut(*len, prefix),
                    });
                }
                // Types nest no deeper.
                _ => {}
            }
        }
    }
    out
}

fn type_name(witness: &Witness) -> &str {
    match witness {
        Witness::I32(_) => "i32",
        Witness::Bytes { .. } => "bytes",
        Witness::BytesView { .. } => "bytes_view",
        Witness::Result { ty, .. } => ty,
    }
}

fn is_cut(len: u32, prefix: &[u8]) -> bool {
    usize::try_from(len).is_ok_and(|len| len > prefix.len())
}

fn tag(ok: bool) -> String {
    if ok { "ok" } else { "err" }.to_owned()
}

fn counterexample(property: &Property, example: &Counterexample) -> TestReportCounterexample {
    let arguments = property.params.iter().zip(&example.values).map(|(param, value)| TestReportArgument {
        name: param.name.clone(),
        kind: match param.kind {
            Kind::I32 { .. } => TestsManifestParamKind::I32,
            Kind::Bytes { .. } => TestsManifestParamKind::Bytes,
        },
        value_i32: match value {
            Value::I32(n) => Some(i64::from(*n)),
            Value::Bytes(_) => None,
        },
        hex: match value {
            Value::I32(_) => None,
            Value::Bytes(bytes) => Some(hex::encode(bytes)),
        },
    });
    TestReportCounterexample {
        seed: property.seed,
        case: example.case,
        shrinks: example.shrinks,
        input_hex: hex::encode(encode(&example.values)),
        arguments: arguments.collect(),
    }
}

/// A test as a line: `ok`, `FAILED` or `skipped`, its id, and what is to be said.
#[must_use]
pub fn line(test: &Test, verdict: &Verdict) -> String {
    let word = match verdict.outcome {
        Outcome::Listed => return test.id.clone(),
        Outcome::Skip => "skipped",
        Outcome::NotRun => "not run",
        _ if verdict.as_expected(test.expect) => "ok",
        _ => "FAILED",
    };
    let mut said = Vec::new();
    match verdict.outcome {
        Outcome::Pass if test.expect == Expect::Fail => said.push("passed, but is expected to fail".to_owned()),
        Outcome::Pass | Outcome::NotRun | Outcome::Listed => {}
        Outcome::Fail => {
            said.push(format!("code {}", verdict.code.unwrap_or_default()));
            if let Some(details) = &verdict.details {
                said.push(format!("got {}", operand(&details.got)));
                said.push(format!("expected {}", operand(&details.expected)));
            }
        }
        Outcome::Trap => said.push(format!("trap: {}", verdict.reason.as_deref().unwrap_or("no reason"))),
        Outcome::Skip | Outcome::Limit | Outcome::Error => said.extend(verdict.reason.clone()),
    }
    if let Some(violation) = &verdict.violation {
        said.push(format!("{} clause {} of {}", violation.kind, violation.clause_id, violation.function));
    }
    if let (Some(property), Some(example)) = (&test.property, &verdict.counterexample) {
        said.push(format!("for {}", property.describe(&example.values)));
    }
    if said.is_empty() {
        format!("{word:<7} {}", test.id)
    } else {
        format!("{word:<7} {}: {}", test.id, said.join("; "))
    }
}

/// An operand for people.
fn operand(excerpt: &Excerpt) -> String {
    let more = if is_cut(excerpt.len, &excerpt.prefix) { "…" } else { "" };
    format!("{} bytes {:?}{more}", excerpt.len, String::from_utf8_lossy(&excerpt.prefix))
}

/// The last line of a run.
#[must_use]
pub fn summary_line(summary: &TestReportSummary) -> String {
    let mut parts = vec![format!("{} ok", summary.as_expected), format!("{} failed", summary.unexpected)];
    if summary.skipped > 0 {
        parts.push(format!("{} skipped", summary.skipped));
    }
    if summary.not_run > 0 {
        parts.push(format!("{} not run", summary.not_run));
    }
    let noun = if summary.selected == 1 { "test" } else { "tests" };
    format!("{} {noun}: {}", summary.selected, parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn witnesses_keep_what_their_types_hold() {
        let long = Witness::BytesView { len: 300, prefix: vec![7; 256] };
        let shown = witness(&long);
        assert_eq!((shown.ty.as_str(), shown.len, shown.truncated), ("bytes_view", Some(300), Some(true)));
        let value = Some(Box::new(Witness::I32(-4)));
        let shown = witness(&Witness::Result { ty: "result_i32".to_owned(), ok: true, err_code: 0, value });
        assert_eq!((shown.tag.as_deref(), shown.ok_i32, shown.err_code_u32), (Some("ok"), Some(-4), None));
        let bytes = Some(Box::new(Witness::Bytes { len: 2, prefix: vec![1, 2] }));
        let inner = Witness::Result { ty: "result_bytes".to_owned(), ok: true, err_code: 0, value: bytes };
        let outer = Witness::Result {
            ty: "result_result_bytes".to_owned(),
            ok: true,
            err_code: 0,
            value: Some(Box::new(inner)),
        };
        let shown = witness(&outer).ok.expect("a value");
        assert_eq!((shown.ty.as_str(), shown.ok.map(|b| b.hex)), ("result_bytes", Some("0102".to_owned())));
        let failed = witness(&Witness::Result { ty: "result_bytes".to_owned(), ok: false, err_code: 9, value: None });
        assert_eq!((failed.tag.as_deref(), failed.err_code_u32, failed.ok), (Some("err"), Some(9), None));
    }
}
