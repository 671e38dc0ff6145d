use super::{Loaded, Purpose, load};
use crate::caps::{ClocksMode, RandomMode};
use crate::contract::digest::sha256_hex;
use crate::contract::files::Files;
use crate::report::{Diag, Severity, Stage};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Codes without their prefix, in order.
fn codes(loaded: &Loaded) -> Vec<String> {
    let built = loaded.diags.iter().cloned().map(Diag::build);
    built
        .inspect(|d| assert_eq!(d.stage, Stage::Parse, "{}", d.code))
        .map(|d| d.code.trim_start_matches("X07WASM_").to_owned())
        .collect()
}

/// A profile of this project after a change; its references lead to the files of this project, since
/// tests run in its root.
fn changed(change: impl FnOnce(&mut Value)) -> Loaded {
    loaded(&changed_text(change), Purpose::Inspect)
}

fn changed_text(change: impl FnOnce(&mut Value)) -> String {
    let text = fs::read_to_string("arch/app/ops/ops_release_policy_warn.json").expect("there");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    change(&mut value);
    value.to_string()
}

fn loaded(text: &str, purpose: Purpose) -> Loaded {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ops.json");
    fs::write(&path, text).expect("written");
    load(&mut Files::default(), &path, purpose)
}

#[test]
fn the_profiles_of_this_project_are_valid() {
    let mut seen = 0;
    for entry in fs::read_dir("arch/app/ops").expect("there") {
        let path = entry.expect("readable").path();
        if !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("ops_")) {
            continue;
        }
        let loaded = load(&mut Files::default(), &path, Purpose::Inspect);
        assert_eq!(codes(&loaded), Vec::<String>::new(), "{}", path.display());
        assert!(loaded.profile.is_some() && loaded.capabilities.is_some() && !loaded.failed());
        seen += 1;
    }
    assert!(seen >= 9, "{seen}");
    let recording =
        load(&mut Files::default(), Path::new("arch/app/ops/ops_time_random_record.json"), Purpose::Inspect);
    let caps = recording.capabilities.expect("capabilities");
    assert_eq!((caps.clocks_mode(), caps.random_mode()), (ClocksMode::Record, RandomMode::Record));
}

#[test]
fn everything_that_is_read_is_on_the_record() {
    let mut files = Files::default();
    let loaded = load(&mut files, Path::new("arch/app/ops/ops_release_policy_warn.json"), Purpose::Inspect);
    assert!(!loaded.failed());
    let read: Vec<&str> = files.inputs().iter().map(|i| i.path.as_str()).collect();
    assert_eq!(
        read,
        [
            "arch/app/ops/ops_release_policy_warn.json",
            "arch/app/ops/caps_release.json",
            "arch/app/ops/policy_deploy_warn_blue_green.json",
            "arch/slo/slo_min.json"
        ]
    );
}

#[test]
fn a_profile_that_is_not_there_ends_it() {
    let loaded = load(&mut Files::default(), Path::new("no/such/ops.json"), Purpose::Serve);
    assert_eq!(codes(&loaded), ["OPS_PROFILE_READ_FAILED"]);
    assert!(loaded.failed() && loaded.profile.is_none() && loaded.capabilities.is_none());
}

#[test]
fn texts_that_are_no_profiles() {
    for text in ["", "{", "[]", "{}", "null"] {
        let loaded = loaded(text, Purpose::Inspect);
        assert!(loaded.failed() && loaded.profile.is_none(), "{text}");
        assert!(codes(&loaded).iter().all(|c| c == "OPS_PROFILE_SCHEMA_INVALID"), "{text}");
    }
}

#[test]
fn an_invalid_profile_is_followed_all_the_same() {
    let loaded = changed(|p| {
        p["v"] = json!(0);
        p["capabilities"]["path"] = json!("arch/app/ops/none.json");
        p["policy_cards"] = json!([{"path": "arch/app/ops/caps_dev.json"}, {"path": ""}, {"path": "../x"}]);
        p["slo"] = Value::Null;
    });
    let found = codes(&loaded);
    let count = |code: &str| found.iter().filter(|c| *c == code).count();
    assert!(count("OPS_PROFILE_SCHEMA_INVALID") >= 3, "v, and two paths: {found:?}");
    assert_eq!(count("OPS_REF_MISSING"), 2, "{found:?}");
    assert!(count("OPS_REF_SCHEMA_INVALID") >= 2, "{found:?}");
    assert_eq!(count("OPS_DEPLOY_STRATEGY_INVALID"), 1, "{found:?}");
    // In the order of the documents.
    let at = |code: &str| found.iter().position(|c| c == code);
    assert!(at("OPS_PROFILE_SCHEMA_INVALID") < at("OPS_REF_MISSING"));
    assert!(at("OPS_REF_MISSING") < at("OPS_REF_SCHEMA_INVALID"));
}

#[test]
fn pins_are_compared() {
    let caps = fs::read("arch/app/ops/caps_release.json").expect("there");
    let right = sha256_hex(&caps);
    assert_eq!(codes(&changed(|p| p["capabilities"]["sha256"] = json!(right))), Vec::<String>::new());
    let wrong = "0".repeat(64);
    let loaded = changed(|p| p["capabilities"]["sha256"] = json!(wrong));
    assert_eq!(codes(&loaded), ["OPS_REF_DIGEST_MISMATCH"]);
    let data = loaded.diags.into_iter().next().map(Diag::build).and_then(|d| d.data).expect("data");
    assert_eq!(
        (data["expected_sha256"].as_str(), data["actual_sha256"].as_str()),
        (Some(wrong.as_str()), Some(right.as_str()))
    );
}

#[test]
fn analysis_needs_service_levels_in_a_canary_rollout() {
    assert_eq!(codes(&changed(|p| p["slo"] = Value::Null)), ["OPS_DEPLOY_STRATEGY_INVALID"]);
    let loaded = changed(|p| {
        p["slo"] = Value::Null;
        p["deploy"]["strategy"] = json!("blue_green");
    });
    assert_eq!(codes(&loaded), Vec::<String>::new(), "the steps of another strategy do not count");
    let loaded = changed(|p| {
        p["slo"] = Value::Null;
        p["deploy"]["canary"] = Value::Null;
    });
    assert_eq!(codes(&loaded), Vec::<String>::new());
}

#[test]
fn provenance_is_checked_as_far_as_it_can_be() {
    let found = codes(&changed(|p| p["provenance"]["predicate_type"] = json!("https://example.com/other")));
    assert_eq!(found, ["OPS_PROFILE_SCHEMA_INVALID", "OPS_PROVENANCE_REQUIREMENTS_INVALID"]);
    let served = loaded(&changed_text(|_| {}), Purpose::Serve);
    assert_eq!(codes(&served), ["OPS_PROVENANCE_NOT_ENFORCED"]);
    assert!(!served.failed());
    let warning = served.diags.into_iter().next().map(Diag::build).expect("one");
    assert_eq!((warning.code.as_str(), warning.severity), ("X07WASM_OPS_PROVENANCE_NOT_ENFORCED", Severity::Warning));
    let text = changed_text(|p| p["provenance"]["verify_on_serve"] = json!(false));
    assert_eq!(codes(&loaded(&text, Purpose::Serve)), Vec::<String>::new());
}
