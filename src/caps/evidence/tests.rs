use super::record::MAX_READINGS;
use super::*;
use crate::report::Severity;
use serde_json::{Value, json};
use std::path::PathBuf;
use x07_wasm_contracts::types::WasmCapsEvidenceSecretProvidedSource as Source;

const UNSATISFIED: &str = "X07WASM_POLICY_OBLIGATION_UNSATISFIED";

fn document(change: impl FnOnce(&mut Value)) -> Value {
    let mut value = json!({
        "schema_version": "x07.wasm.caps.evidence@0.1.0", "v": 1,
        "clocks": {"wall_clock_now_ns": [], "monotonic_clock_now_ns": []},
        "random": {"secure_random_bytes_b64": "", "insecure_random_bytes_b64": "", "insecure_seed_u128": ""},
        "secrets": {"provided": []},
    });
    change(&mut value);
    value
}

fn open(text: &str) -> Result<Evidence, Vec<Diag>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("evidence.json");
    std::fs::write(&path, text).expect("written");
    Evidence::open(&mut Files::default(), Some(&path), None)
}

fn replay(change: impl FnOnce(&mut Value)) -> Evidence {
    open(&document(change).to_string()).expect("valid evidence")
}

fn recorded(evidence: &mut Evidence) -> (Clocks, Randomness) {
    evidence.sources(ClocksMode::Record, RandomMode::Record).expect("sources")
}

/// Four wall readings, two monotonic ones, some random bytes, and the seed.
fn read(clocks: &Clocks, random: &Randomness) -> (Vec<u64>, Vec<u8>, u128) {
    let (Clocks::Source(clocks), Randomness::Source(random)) = (clocks, random) else { panic!("no sources") };
    let times =
        vec![clocks.wall_ns(), clocks.wall_ns(), clocks.monotonic_ns(), clocks.wall_ns(), clocks.monotonic_ns()];
    let (mut secure, mut insecure, mut large) = ([0; 8], [0; 5], vec![0; 5000]);
    random.secure(&mut secure);
    random.insecure(&mut insecure);
    random.secure(&mut large);
    random.secure(&mut secure[..4]);
    (times, [&secure[..], &insecure, &large].concat(), random.insecure_seed())
}

fn told(diags: &[Diag]) -> Vec<(String, Severity, Stage)> {
    diags.iter().cloned().map(Diag::build).map(|d| (d.code, d.severity, d.stage)).collect()
}

#[test]
fn what_was_recorded_is_played_back() {
    let mut evidence = Evidence::record();
    let (clocks, random) = recorded(&mut evidence);
    let first = read(&clocks, &random);
    assert!(first.1.iter().any(|byte| *byte != 0), "random bytes");
    let (record, diags) = evidence.finish();
    assert!(diags.is_empty());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new/evidence.json");
    let mut files = Files::default();
    store(&mut files, &path, &record.expect("a record")).expect("written");
    let bytes = std::fs::read(&path).expect("there");
    let value: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(canonical::pretty(&value), bytes, "canonical and pretty");
    assert_eq!(value["clocks"]["wall_clock_now_ns"].as_array().map(Vec::len), Some(3));
    assert_eq!(value["random"]["insecure_seed_u128"], first.2.to_string());

    let mut evidence = Evidence::open(&mut files, Some(&path), None).expect("valid");
    let (clocks, random) = recorded(&mut evidence);
    assert_eq!(read(&clocks, &random), first);
    assert_eq!(told(&evidence.finish().1), []);
    let (inputs, outputs) = files.into_parts();
    assert_eq!((inputs.len(), &inputs), (1, &outputs));
}

#[test]
fn modes_that_do_not_record_leave_empty_lists() {
    let evidence = Evidence::record();
    let (clocks, random) = evidence.sources(ClocksMode::Allow, RandomMode::Deny).expect("sources");
    assert!(matches!((clocks, random), (Clocks::Real, Randomness::Zero)));
    let record = evidence.finish().0.expect("a record");
    assert_eq!(
        serde_json::to_value(record).expect("JSON"),
        document(|d| d["random"]["insecure_seed_u128"] = json!("0"))
    );
}

#[test]
fn recording_needs_somebody_who_records() {
    for (clocks, random) in [(ClocksMode::Record, RandomMode::Deny), (ClocksMode::Allow, RandomMode::Record)] {
        let Err(problem) = Evidence::None.sources(clocks, random) else { panic!("sources for nobody") };
        let problem = problem.build();
        assert_eq!((problem.code.as_str(), problem.stage), (UNSATISFIED, Stage::Parse));
    }
    assert!(Evidence::None.sources(ClocksMode::Deny, RandomMode::Allow).is_ok());
    let opened = |out: Option<&Path>| Evidence::open(&mut Files::default(), None, out);
    assert!(matches!(opened(None), Ok(Evidence::None)));
    assert!(matches!(opened(Some(Path::new("out"))), Ok(Evidence::Record(_))));
}

#[test]
fn what_was_not_recorded_is_zero_and_an_error() {
    let mut evidence = replay(|d| {
        d["clocks"]["wall_clock_now_ns"] = json!([u64::MAX]);
        d["random"]["secure_random_bytes_b64"] = json!("AQID");
        d["random"]["insecure_seed_u128"] = json!(u128::MAX.to_string());
    });
    let (clocks, random) = recorded(&mut evidence);
    let (Clocks::Source(clocks), Randomness::Source(random)) = (clocks, random) else { panic!("no sources") };
    assert_eq!((clocks.wall_ns(), clocks.wall_ns(), clocks.wall_ns()), (u64::MAX, 0, 0));
    assert_eq!(clocks.monotonic_ns(), 0);
    // A draw that is too large takes nothing of what is left.
    let mut bytes = [9; 4];
    random.secure(&mut bytes);
    assert_eq!(bytes, [0; 4]);
    random.secure(&mut bytes[..3]);
    assert_eq!(bytes, [1, 2, 3, 0]);
    assert_eq!(random.insecure_seed(), u128::MAX);
    let (record, diags) = evidence.finish();
    assert!(record.is_none());
    assert_eq!(told(&diags), [(UNSATISFIED.to_owned(), Severity::Error, Stage::Run)]);
    let data = diags.into_iter().next().map(Diag::build).and_then(|d| d.data).expect("data");
    assert_eq!(
        data["replay_errors"],
        json!(["missing wall clock evidence", "missing monotonic clock evidence", "missing secure random evidence"])
    );
    assert_eq!(
        data["missing_reads"],
        json!({"wall_clock_now_ns": 2, "monotonic_clock_now_ns": 1, "secure_random_bytes": 1})
    );
}

#[test]
fn what_was_recorded_and_not_read_is_a_warning() {
    let mut evidence = replay(|d| {
        d["clocks"]["monotonic_clock_now_ns"] = json!([1, 2, 3]);
        d["random"]["insecure_random_bytes_b64"] = json!("AAAA");
    });
    let (clocks, _) = recorded(&mut evidence);
    let Clocks::Source(clocks) = clocks else { panic!("no source") };
    assert_eq!(clocks.monotonic_ns(), 1);
    let diags = evidence.finish().1;
    assert_eq!(told(&diags), [("X07WASM_CAPS_EVIDENCE_UNUSED".to_owned(), Severity::Warning, Stage::Run)]);
    let data = diags.into_iter().next().map(Diag::build).and_then(|d| d.data).expect("data");
    assert_eq!(data["unused"], json!({"monotonic_clock_now_ns": 2, "insecure_random_bytes": 3}));
}

#[test]
fn other_secrets_than_recorded_are_a_warning() {
    let given = |id: &str, source| Provided { id: id.to_owned(), source };
    let with = |secrets: Vec<Provided>| {
        let mut evidence = replay(|d| d["secrets"]["provided"] = json!([{"id": "a", "source": "file"}]));
        evidence.gave(secrets);
        told(&evidence.finish().1)
    };
    assert_eq!(with(vec![given("a", Source::File)]), []);
    for other in [vec![], vec![given("a", Source::Env)], vec![given("a", Source::File), given("b", Source::File)]] {
        assert_eq!(with(other), [(UNSATISFIED.to_owned(), Severity::Warning, Stage::Run)]);
    }
}

#[test]
fn evidence_that_cannot_be_understood_is_refused() {
    let mut texts = vec!["{".to_owned(), "{}".to_owned(), "[]".to_owned()];
    for (pointer, value) in [
        ("/random/secure_random_bytes_b64", json!("A")),
        ("/random/insecure_random_bytes_b64", json!("_-==")),
        ("/random/insecure_seed_u128", json!("-1")),
        ("/random/insecure_seed_u128", json!("340282366920938463463374607431768211456")),
        ("/clocks/wall_clock_now_ns", json!([-1])),
        ("/clocks/wall_clock_now_ns", json!([1.5])),
        ("/secrets/provided", json!([{"id": "a", "source": "file", "value": "hunter2"}])),
    ] {
        texts.push(document(|d| *d.pointer_mut(pointer).expect("there") = value).to_string());
    }
    for text in &texts {
        let found = told(&open(text).err().unwrap_or_default());
        assert!(!found.is_empty(), "{text}");
        assert!(
            found.iter().all(|d| *d == (UNSATISFIED.to_owned(), Severity::Error, Stage::Parse)),
            "{text}: {found:?}"
        );
    }
    let missing = Evidence::open(&mut Files::default(), Some(Path::new("no/such/evidence.json")), None);
    assert_eq!(told(&missing.err().unwrap_or_default()), [(UNSATISFIED.to_owned(), Severity::Error, Stage::Parse)]);
}

#[test]
fn a_record_has_an_end() {
    let mut evidence = Evidence::record();
    let (clocks, _) = recorded(&mut evidence);
    let Clocks::Source(clocks) = clocks else { panic!("no source") };
    for _ in 0..=MAX_READINGS {
        clocks.wall_ns();
    }
    let (record, diags) = evidence.finish();
    assert!(record.is_none());
    assert_eq!(told(&diags), [(UNSATISFIED.to_owned(), Severity::Error, Stage::Run)]);
}

#[test]
fn options_need_what_they_need() {
    let path = PathBuf::from("e.json");
    let some = Some(path.as_path());
    assert_eq!(told(&check_flags(false, false, 5, None, None)), []);
    assert_eq!(told(&check_flags(true, true, 1, some, None)), []);
    assert_eq!(told(&check_flags(true, true, 1, None, some)), []);
    for (ops, canary, stop_after, count, part) in [
        (false, true, 1, 1, "--ops"),
        (true, false, 1, 1, "--mode canary"),
        (true, true, 0, 1, "--stop-after 1"),
        (true, true, 2, 1, "--stop-after 1"),
        (false, false, 0, 3, "--evidence-out needs --ops"),
    ] {
        let found = check_flags(ops, canary, stop_after, None, some);
        assert_eq!(told(&found), vec![(UNSATISFIED.to_owned(), Severity::Error, Stage::Parse); count]);
        let message = found.into_iter().next().map(|d| d.build().message).expect("one");
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(check_flags(true, true, 1, some, some).len(), 1);
}

#[test]
fn a_record_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file"), "").expect("written");
    let record = Evidence::record().finish().0.expect("a record");
    for path in [folder.path().to_owned(), folder.path().join("file/evidence.json")] {
        let problem = store(&mut Files::default(), &path, &record).expect_err("not written").build();
        assert_eq!((problem.code.as_str(), problem.stage), (UNSATISFIED, Stage::Run));
    }
}

#[test]
fn a_record_replaces_nothing_that_was_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("guest.wasm");
    std::fs::write(&path, "precious").expect("written");
    let mut files = Files::default();
    files.read(&path, 100).expect("read");
    let record = Evidence::record().finish().0.expect("a record");
    for spelling in [path.clone(), folder.path().join("./guest.wasm")] {
        let problem = store(&mut files, &spelling, &record).expect_err("refused").build();
        assert_eq!((problem.code.as_str(), problem.stage), (UNSATISFIED, Stage::Run));
        assert!(problem.message.contains("guest.wasm") && problem.message.contains("--evidence-out"));
        let early = check_target(&files, &spelling).expect_err("refused");
        assert_eq!(told(&[early]), [(UNSATISFIED.to_owned(), Severity::Error, Stage::Parse)]);
    }
    assert_eq!(std::fs::read(&path).expect("there"), b"precious");
    assert!(check_target(&files, &folder.path().join("new.json")).is_ok());
}

#[test]
fn monotonic_time_begins_with_the_call() {
    let mut evidence = Evidence::record();
    let (clocks, _) = recorded(&mut evidence);
    let (again, _) = recorded(&mut evidence);
    let (Clocks::Source(clocks), Clocks::Source(again)) = (clocks, again) else { panic!("no sources") };
    let first = clocks.monotonic_ns();
    assert!(again.monotonic_ns() >= first, "it goes on, whoever asks");
}
