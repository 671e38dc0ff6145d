//! Which profile a build uses, and what a profile may ask for.

use super::{app, paths, profile};
use crate::support::Place;
use serde_json::{Value, json};

const BUILD: &str = "build --project app/x07.json --json";
const FAILED: &str = "X07WASM_PROFILE_LOAD_FAILED";

/// Writes a registry with these profiles.
fn registry(place: &Place, profiles: &Value) {
    let document = json!({ "schema_version": "x07.arch.wasm.index@0.1.0", "profiles": profiles });
    place.write("arch/wasm/index.x07wasm.json", document.to_string());
}

/// Builds the echo project with a profile that has these linker flags.
fn with_flags(flags: &[&str]) -> crate::support::Run {
    let place = app();
    place.write("p.json", profile(&[("/wasm_ld/ldflags", json!(flags))]));
    place.run(&format!("{BUILD} --profile-file p.json"))
}

#[test]
fn without_a_registry_the_built_in_one_is_used_and_says_so() {
    let report = app().run(BUILD).ok();
    let codes = crate::support::codes(&report);
    assert_eq!(codes, ["X07WASM_REGISTRY_BUILTIN_USED"]);
    assert_eq!(report["result"]["profile"], json!({ "id": "wasm_release", "v": 1 }));
}

#[test]
fn every_built_in_profile_builds() {
    for (id, memory, stack) in [
        ("wasm_release", 134_217_728, 1_048_576),
        ("wasm_release_cached", 134_217_728, 1_048_576),
        ("wasm_release_pooling", 134_217_728, 1_048_576),
        ("wasm_debug", 268_435_456, 2_097_152),
        ("wasm_web_ui_release", 67_108_864, 1_048_576),
        ("wasm_web_ui_release_cached", 67_108_864, 1_048_576),
        ("wasm_web_ui_release_pooling", 67_108_864, 1_048_576),
        ("wasm_web_ui_debug", 67_108_864, 1_048_576),
    ] {
        let place = app();
        let report = place.run(&format!("{BUILD} --profile {id}")).ok();
        assert_eq!(report["result"]["profile"]["id"], id);
        assert_eq!(report["result"]["memory"]["initial_memory_bytes"], memory, "{id}");
        assert_eq!(report["result"]["memory"]["max_memory_bytes"], memory, "{id}");
        assert_eq!(report["result"]["memory"]["stack_size_bytes"], stack, "{id}");
        assert_eq!(report["result"]["emit"]["emit_dir"], format!("app/build/wasm/{id}"));
    }
}

#[test]
fn a_registry_in_the_current_folder_is_preferred() {
    let place = app();
    registry(&place, &json!([{ "id": "mine", "path": "p.json" }]));
    place.write("p.json", profile(&[("/wasm_ld/ldflags", json!(["--initial-memory=65536"]))]));
    let report = place.run(&format!("{BUILD} --profile mine")).ok();
    assert_eq!(report["result"]["memory"]["initial_memory_bytes"], 65536);
    assert_eq!(crate::support::codes(&report), [""; 0]);
    let read = paths(&report, "inputs");
    assert!(
        read.contains(&"arch/wasm/index.x07wasm.json".to_owned()) && read.contains(&"p.json".to_owned()),
        "{read:?}"
    );
    // Its default is the usual one, which it does not have.
    place.run(BUILD).expect(3, FAILED);
    let document = json!({ "schema_version": "x07.arch.wasm.index@0.1.0", "profiles": [{ "id": "mine", "path": "p.json" }], "defaults": { "default_profile_id": "mine" } });
    place.write("own.json", document.to_string());
    let report = place.run(&format!("{BUILD} --index own.json")).ok();
    assert_eq!(report["result"]["profile"]["id"], "mine");
}

#[test]
fn a_profile_file_needs_no_registry() {
    let place = app();
    place.write("arch/wasm/index.x07wasm.json", "this is not read");
    place.write("p.json", profile(&[]));
    let report = place.run(&format!("{BUILD} --profile-file p.json")).ok();
    assert_eq!(report["result"]["profile"], json!({ "id": "mine", "v": 1 }));
    assert_eq!(report["result"]["emit"]["emit_dir"], "app/build/wasm/mine");
}

#[test]
fn profile_and_profile_file_exclude_each_other() {
    let place = app();
    place.write("p.json", profile(&[]));
    place.run(&format!("{BUILD} --profile mine --profile-file p.json")).expect(3, "X07WASM_CLI_ARGS_INVALID");
}

#[test]
fn a_profile_that_cannot_be_found_is_reported_with_those_that_can() {
    let report = app().run(&format!("{BUILD} --profile nothing")).expect(3, FAILED);
    let text = report["diagnostics"].to_string();
    assert!(text.contains("nothing") && text.contains("wasm_release") && text.contains("wasm_debug"), "{text}");
}

#[test]
fn a_registry_or_profile_that_cannot_be_read_is_reported() {
    let place = app();
    place.run(&format!("{BUILD} --profile-file none.json")).expect(3, FAILED);
    place.run(&format!("{BUILD} --index none.json")).expect(3, FAILED);
    registry(&place, &json!([{ "id": "wasm_release", "path": "none.json" }]));
    place.run(BUILD).expect(3, FAILED);
    place.write("none.json", "{}");
    place.run(BUILD).expect(3, FAILED);
    place.write("arch/wasm/index.x07wasm.json", "{");
    place.run(BUILD).expect(3, FAILED);
}

#[test]
fn a_profile_with_another_id_than_its_entry_is_refused() {
    let place = app();
    registry(&place, &json!([{ "id": "wasm_release", "path": "p.json" }]));
    place.write("p.json", profile(&[]));
    place.run(BUILD).expect(3, FAILED);
}

#[test]
fn a_registry_leads_to_files_below_the_current_folder_only() {
    for path in ["../p.json", "/etc/passwd", "a/../p.json", "C:/p.json"] {
        let place = app();
        registry(&place, &json!([{ "id": "wasm_release", "path": path }]));
        place.write("p.json", profile(&[]));
        place.run(BUILD).expect(3, FAILED);
    }
}

#[test]
fn what_the_host_relies_on_must_be_promised() {
    for (pointer, value) in [
        ("/target/wasm_c_abi", json!("basic_c_abi@2")),
        ("/target/entry_export", json!("main")),
        ("/x07_build/freestanding", json!(false)),
        ("/x07_build/emit_c_header", json!(false)),
        ("/codegen_backend", json!("other")),
        ("/defaults/arena_cap_bytes", json!(-1)),
        ("/runtime/max_fuel", json!("many")),
        ("/v", json!(0)),
    ] {
        let place = app();
        place.write("p.json", profile(&[(pointer, value)]));
        place.run(&format!("{BUILD} --profile-file p.json")).expect(3, FAILED);
    }
}

#[test]
fn the_memory_of_the_flags_is_the_memory_of_the_module() {
    let cases: [(&[&str], u64, u64); 6] = [
        (&["--no-entry"], 16 << 20, 16 << 20),
        (&["--initial-memory=65536"], 65536, 65536),
        (&["--initial-memory=65536", "--max-memory=131072"], 65536, 131_072),
        (&["--max-memory=33554432"], 16 << 20, 33_554_432),
        (&["--initial-memory=131072", "--max-memory=131072", "--no-growable-memory"], 131_072, 131_072),
        (&["--initial-memory=131072", "--initial-memory=65536"], 65536, 65536),
    ];
    for (flags, initial, max) in cases {
        let report = with_flags(flags).ok();
        let memory = &report["result"]["memory"];
        assert_eq!(memory["initial_memory_bytes"], initial, "{flags:?}");
        assert_eq!(memory["max_memory_bytes"], max, "{flags:?}");
        assert_eq!(memory["growable_memory"], max > initial, "{flags:?}");
    }
}

#[test]
fn flags_that_no_module_can_follow_are_refused() {
    for flags in [
        &["--initial-memory=65537"][..],
        &["--initial-memory=65536", "--max-memory=65537"],
        &["--initial-memory=131072", "--max-memory=65536"],
        &["--initial-memory=64k"],
        &["--initial-memory="],
        &["--initial-memory=-65536"],
        &["--initial-memory=4294967296"],
        &["--initial-memory=18446744073709551615"],
        &["--initial-memory=99999999999999999999999999"],
        &["--max-memory=65536"],
        &["-z", "stack-size=lots"],
    ] {
        let run = with_flags(flags);
        assert_eq!(run.status, 3, "{flags:?}: {:#}", run.report());
        assert!(run.codes().contains(&FAILED.to_owned()), "{flags:?}");
    }
}

#[test]
fn contradicting_flags_are_found_in_the_profile() {
    let run = with_flags(&["--initial-memory=65536", "--max-memory=131072", "--no-growable-memory"]);
    run.expect(3, FAILED);
}

#[test]
fn static_data_that_does_not_fit_the_memory_is_refused() {
    let place = app();
    place.project("app", &json!(["bytes.lit", "x".repeat(60_000)]));
    place.write("p.json", profile(&[("/wasm_ld/ldflags", json!(["--initial-memory=0"]))]));
    let run = place.run(&format!("{BUILD} --profile-file p.json"));
    assert!([1, 3].contains(&run.status), "{:#}", run.report());
    assert!(!place.path("app/dist/app.wasm").exists());
}
