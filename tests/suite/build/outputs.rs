//! What `build` writes, where, and what it leaves behind when it fails.

use super::{app, echo, manifest, paths};
use crate::support::Place;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use x07_wasm::contract::ContractInfo;
use x07_wasm::contract::json::canonical;
use x07_wasm::contract::validate::violations;

const BUILD: &str = "build --project app/x07.json --json";

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Asserts that a digest is that of a file.
#[track_caller]
fn assert_digest(place: &Place, digest: &Value, path: &str) {
    let bytes = place.read(path);
    let expected = json!({ "path": path, "sha256": sha256(&bytes), "bytes_len": bytes.len() });
    assert_eq!(digest, &expected);
}

#[test]
fn the_default_paths_lie_in_the_project() {
    let place = app();
    let report = place.run(BUILD).ok();
    assert_eq!(paths(&report, "outputs"), ["app/dist/app.wasm", "app/dist/app.wasm.manifest.json"]);
    assert_eq!(report["result"]["emit"]["emit_dir"], "app/build/wasm/wasm_release");
    assert_digest(&place, &report["result"]["wasm"], "app/dist/app.wasm");
    for (output, path) in [(0, "app/dist/app.wasm"), (1, "app/dist/app.wasm.manifest.json")] {
        assert_digest(&place, &report["meta"]["outputs"][output], path);
    }
}

#[test]
fn the_inputs_of_the_report_are_all_files_that_were_read_in_order() {
    let report = app().run(BUILD).ok();
    let expected = [
        "builtin:arch/wasm/index.x07wasm.json",
        "builtin:arch/wasm/profiles/wasm_release.json",
        "app/x07.json",
        "app/src/main.x07.json",
    ];
    let mut read = paths(&report, "inputs");
    // The specification asks for profile before registry, the order of reading is registry first.
    read[..2].sort();
    assert_eq!(read, expected);
}

#[test]
fn a_manifest_without_a_folder_is_the_project_app() {
    let place = Place::new();
    place.project("any name", &echo());
    let run = place.run_with(&["build", "--json"], |command| {
        command.current_dir(place.path("any name"));
    });
    let report = run.ok();
    assert_eq!(report["result"]["wasm"]["path"], "dist/app.wasm");
    assert_eq!(report["result"]["emit"]["emit_dir"], "build/wasm/wasm_release");
    let id = report["result"]["artifact"]["artifact_id"].as_str().expect("an id");
    assert!(id.starts_with("app-"), "{id}");
    assert!(place.path("any name/dist/app.wasm").is_file());
}

#[test]
fn the_projects_name_is_its_folder_as_written() {
    let place = app();
    place.project("deep/er", &echo());
    for (project, name) in [("deep/er/x07.json", "er"), ("./app/x07.json", "app")] {
        let report = place.run(&format!("build --project {project} --out o/{name}.wasm --json")).ok();
        let digest = sha256(&place.read(format!("o/{name}.wasm")));
        assert_eq!(report["result"]["artifact"]["artifact_id"], format!("{name}-{}", &digest[..16]));
    }
}

#[test]
fn every_output_can_be_placed_and_folders_are_made() {
    let place = app();
    let report = place.run(&format!("{BUILD} --out new/a.wasm --artifact-out other/m.json --emit-dir e/f")).ok();
    assert_eq!(paths(&report, "outputs"), ["new/a.wasm", "other/m.json"]);
    assert_eq!(report["result"]["emit"]["emit_dir"], "e/f");
    assert!(place.path("new/a.wasm").is_file() && place.path("other/m.json").is_file());
    assert!(!place.path("app/dist").exists(), "nothing goes to the default place");
    assert!(!place.path("new/a.wasm.manifest.json").exists());
}

#[test]
fn no_manifest_writes_the_module_only() {
    let place = app();
    let report = place.run(&format!("{BUILD} --out o/a.wasm --no-manifest")).ok();
    assert_eq!(paths(&report, "outputs"), ["o/a.wasm"]);
    assert!(!place.path("o/a.wasm.manifest.json").exists());
    assert_eq!(report["result"]["artifact"]["wasm"], report["result"]["wasm"]);
}

#[test]
fn no_manifest_removes_the_manifest_of_an_earlier_build() {
    let place = app();
    place.run(BUILD).ok();
    place.project("app", &json!(["begin", ["bytes.lit", "other"]]));
    place.run(&format!("{BUILD} --no-manifest")).ok();
    assert!(!place.path("app/dist/app.wasm.manifest.json").exists(), "it described another module");
}

#[test]
fn the_manifest_follows_its_contract_and_describes_the_file() {
    let place = app();
    let report = place.run(BUILD).ok();
    let bytes = place.read("app/dist/app.wasm.manifest.json");
    let document: Value = serde_json::from_slice(&bytes).expect("JSON");
    let contract = ContractInfo::find("x07.wasm.artifact@0.2.0").expect("known");
    assert_eq!(violations(contract, &document), []);
    assert_eq!(bytes, canonical::compact(&document), "the manifest is canonical");
    assert_eq!(document, report["result"]["artifact"]);
    assert_digest(&place, &document["wasm"], "app/dist/app.wasm");
    assert_eq!(document["codegen_backend"], "native_x07_wasm_v1");
    assert_eq!(document["profile"], json!({ "id": "wasm_release", "v": 1 }));
    assert_eq!(document["memory"], report["result"]["memory"]);
    assert_eq!(
        document["memory"],
        json!({
            "stack_first": true, "stack_size_bytes": 1_048_576, "initial_memory_bytes": 134_217_728,
            "max_memory_bytes": 134_217_728, "growable_memory": false,
        })
    );
    assert_eq!(
        document["exports"],
        json!({ "solve": "x07_solve_v2", "memory": "memory", "heap_base": "__heap_base", "data_end": "__data_end", "optional": {} })
    );
    assert_eq!(document["abi"]["kind"], "x07_solve_v2");
    assert_eq!(document["abi"]["wasm_c_abi"], json!({ "kind": "basic_c_abi", "v": 1 }));
    assert_eq!(document["abi"]["calling_convention"]["kind"], "sret_v1");
    let params = document["abi"]["params"].as_array().expect("params");
    let roles: Vec<&str> = params.iter().filter_map(|p| p["role"].as_str()).collect();
    assert_eq!(roles, ["sret_ptr", "arena_ptr", "arena_cap", "input_ptr", "input_len"]);
    assert!(params.iter().enumerate().all(|(i, p)| p["index"] == i && p["type"] == "i32"), "{params:?}");
    assert_eq!(document["repro"]["clang_args"], json!([]));
    let version = document["toolchain"]["x07"].as_str().expect("a version");
    assert!(semver::Version::parse(version).is_ok(), "{version}");
}

#[test]
fn the_report_lists_the_linker_flags_and_no_flags_of_clang() {
    let report = app().run(BUILD).ok();
    let flags = report["result"]["flags"]["wasm_ld"].as_array().expect("flags");
    for flag in ["--no-entry", "--no-growable-memory"] {
        assert!(flags.iter().any(|f| f == flag), "{flag}: {flags:?}");
    }
    assert_eq!(report["result"]["flags"]["clang"], json!([]));
    assert_eq!(report["result"]["flags"]["codegen_backend"], "native_x07_wasm_v1");
    assert_eq!(report["result"]["artifact"]["repro"]["wasm_ld_args"], report["result"]["flags"]["wasm_ld"]);
}

#[test]
fn the_module_has_the_exports_of_the_abi_and_no_imports() {
    let place = app();
    let report = place.run(BUILD).ok();
    assert_eq!(report["result"]["exports"]["missing"], json!([]));
    assert_eq!(report["result"]["exports"]["required"], json!(["x07_solve_v2", "memory", "__heap_base", "__data_end"]));
    let wasm = place.read("app/dist/app.wasm");
    for payload in wasmparser::Parser::new(0).parse_all(&wasm) {
        match payload.expect("a valid module") {
            wasmparser::Payload::ImportSection(_) => panic!("the module has imports"),
            wasmparser::Payload::StartSection { .. } => panic!("the module has a start function"),
            _ => {}
        }
    }
}

#[test]
fn the_same_sources_give_the_same_bytes_twice_and_anywhere() {
    let (first, second) = (Place::with_example("json_field"), Place::new());
    crate::support::copy_tree(&first.path("json_field"), &second.path("elsewhere/json_field"));
    first.run("build --project json_field/x07.json --json").ok();
    let wasm = first.read("json_field/dist/json_field.wasm");
    let manifest = first.read("json_field/dist/json_field.wasm.manifest.json");
    first.run("build --project json_field/x07.json --json").ok();
    assert_eq!(first.read("json_field/dist/json_field.wasm"), wasm, "the second build differs");
    assert_eq!(first.read("json_field/dist/json_field.wasm.manifest.json"), manifest);
    second.run("build --project elsewhere/json_field/x07.json --json").ok();
    assert_eq!(second.read("elsewhere/json_field/dist/json_field.wasm"), wasm, "another folder gives another module");
    let run = second.run_with(&["build", "--json"], |command| {
        command.current_dir(second.path("elsewhere/json_field"));
    });
    run.ok();
    assert_eq!(second.read("elsewhere/json_field/dist/app.wasm"), wasm, "another name gives another module");
}

#[test]
fn two_reports_of_a_build_differ_in_the_time_only() {
    let place = app();
    let mut reports = [place.run(BUILD).ok(), place.run(BUILD).ok()];
    for report in &mut reports {
        report["meta"]["elapsed_ms"] = json!(0);
    }
    assert_eq!(reports[0], reports[1]);
}

#[test]
fn without_json_success_is_one_word_on_standard_error() {
    let run = app().run("build --project app/x07.json");
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stdout.is_empty());
    assert!(run.stderr.lines().any(|line| line == "ok"), "{}", run.stderr);
}

#[test]
fn the_built_in_compiler_needs_no_program_and_no_network() {
    let run = app().run_with(&["build", "--project", "app/x07.json", "--json"], |command| {
        command.env("PATH", "");
    });
    let report = run.ok();
    assert_eq!(
        report["meta"]["nondeterminism"],
        json!({ "uses_network": false, "uses_os_time": false, "uses_process": false })
    );
}

/// Asserts that a failing build removed what an earlier one had made.
#[track_caller]
fn assert_removed(place: &Place, args: &str, status: i32) {
    place.write("o/a.wasm", b"old module");
    place.write("o/m.manifest.json", b"old manifest");
    let run = place.run(&format!("{BUILD} --out o/a.wasm --artifact-out o/m.manifest.json {args}"));
    let report = run.report();
    assert_eq!(run.status, status, "{report:#}");
    assert!(!place.path("o/a.wasm").exists(), "the old module is still there: {report:#}");
    assert!(!place.path("o/m.manifest.json").exists(), "the old manifest is still there: {report:#}");
    assert_eq!(report["meta"]["outputs"], json!([]));
}

#[test]
fn a_program_that_does_not_compile_leaves_no_module() {
    let place = app();
    place.project("app", &json!(["no.such.function", "input"]));
    assert_removed(&place, "", 1);
}

#[test]
fn a_source_that_is_no_json_leaves_no_module() {
    let place = app();
    place.project_of("app", "{");
    assert_removed(&place, "", 3);
}

#[test]
fn an_invalid_manifest_leaves_no_module() {
    let place = app();
    manifest(&place, "app", json!({ "world": "run-os" }));
    assert_removed(&place, "", 3);
}

#[test]
fn a_profile_that_cannot_be_loaded_leaves_no_module() {
    assert_removed(&app(), "--profile no_such_profile", 3);
}

#[test]
fn a_memory_that_does_not_fit_the_profile_leaves_no_module() {
    let place = app();
    let flags = json!(["--initial-memory=65536", "--max-memory=131072", "--no-growable-memory"]);
    place.write("p.json", super::profile(&[("/wasm_ld/ldflags", flags)]));
    assert_removed(&place, "--profile-file p.json", 3);
}

#[test]
fn an_old_output_that_cannot_be_removed_is_reported() {
    let place = app();
    place.write("o/a.wasm/file", b"");
    place.run(&format!("{BUILD} --out o/a.wasm")).expect(2, "X07WASM_BUILD_STALE_OUTPUT_IO_FAILED");
    place.write("o/m.manifest.json/file", b"");
    let run = place.run(&format!("{BUILD} --out o/b.wasm --artifact-out o/m.manifest.json"));
    run.expect(2, "X07WASM_BUILD_STALE_OUTPUT_IO_FAILED");
    assert!(!place.path("o/b.wasm").exists());
}

#[test]
fn an_output_folder_that_is_a_file_is_reported() {
    let place = app();
    place.write("file", b"x");
    let run = place.run(&format!("{BUILD} --out file/deeper/a.wasm"));
    assert_eq!(run.status, 2);
    assert!(run.codes().iter().any(|c| c.ends_with("_IO_FAILED")), "{:?}", run.codes());
    assert_eq!(place.read("file"), b"x");
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_reported() {
    let place = app();
    // Nobody, not even root, may make files there.
    place.run(&format!("{BUILD} --out /proc/x07/a.wasm")).expect(2, "X07WASM_BUILD_IO_FAILED");
    place.run(&format!("{BUILD} --out /proc/x07.wasm --no-manifest")).expect(2, "X07WASM_BUILD_IO_FAILED");
    let run = place.run(&format!("{BUILD} --out o/a.wasm --artifact-out /proc/x07.json"));
    let report = run.expect(2, "X07WASM_MANIFEST_WRITE_FAILED");
    assert!(!place.path("o/a.wasm").exists(), "a module without its manifest looks like a finished build");
    assert_eq!(report["meta"]["outputs"], json!([]));
}

#[test]
fn an_output_never_replaces_a_file_of_the_project() {
    for (option, target) in [
        ("--out", "app/x07.json"),
        ("--out", "app/src/main.x07.json"),
        ("--artifact-out", "app/x07.json"),
        ("--artifact-out", "app/src/main.x07.json"),
    ] {
        let place = app();
        let before = place.read(target);
        let run = place.run(&format!("{BUILD} {option} {target}"));
        let report = run.report();
        assert_ne!(run.status, 0, "{option} {target}: {report:#}");
        assert!(place.path(target).is_file(), "{option} {target} removed the file: {report:#}");
        assert_eq!(place.read(target), before, "{option} {target} changed the file");
    }
}

#[test]
fn the_module_and_its_manifest_cannot_be_one_file() {
    let place = app();
    let run = place.run(&format!("{BUILD} --out o/a.wasm --artifact-out o/a.wasm"));
    assert_ne!(run.status, 0, "{:#}", run.report());
    assert!(!place.path("o/a.wasm").exists());
}

#[test]
fn nothing_but_the_outputs_is_left_in_the_folders() {
    let place = app();
    place.run(BUILD).ok();
    let mut names: Vec<String> = fs::read_dir(place.path("app/dist"))
        .expect("readable")
        .map(|e| e.expect("readable").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(names, ["app.wasm", "app.wasm.manifest.json"]);
    assert!(!place.path("app/build").exists(), "the built-in compiler needs no intermediate files");
}

#[test]
fn a_failed_build_reports_a_placeholder_artifact() {
    let place = app();
    place.project("app", &json!(["no.such.function", "input"]));
    let report = place.run(BUILD).report();
    let wasm = &report["result"]["wasm"];
    assert_eq!(wasm["bytes_len"], 0);
    assert_eq!(wasm["sha256"], "0".repeat(64));
    assert!(report["result"]["artifact"].is_object());
}

#[test]
fn all_problems_of_a_program_come_in_one_report() {
    let place = app();
    place.project(
        "app",
        &json!(["begin", ["no.such.a", "input"], ["no.such.b", "input"], ["view.to_bytes", "missing"]]),
    );
    let run = place.run(BUILD);
    let report = run.report();
    assert_eq!(run.status, 1, "{report:#}");
    let errors: Vec<&Value> =
        report["diagnostics"].as_array().expect("a list").iter().filter(|d| d["severity"] == "error").collect();
    assert!(errors.len() >= 3, "{errors:#?}");
    for error in errors {
        assert_eq!(error["data"]["file"], "app/src/main.x07.json", "{error:#}");
        assert!(error["data"]["line"].is_u64() && error["data"]["column"].is_u64(), "{error:#}");
        assert_eq!(error["loc"]["kind"], "x07ast", "{error:#}");
        assert!(error["loc"]["ptr"].as_str().is_some_and(|p| p.starts_with("/solve")), "{error:#}");
    }
}

#[test]
fn exports_need_not_be_checked() {
    let place = app();
    place.run(&format!("{BUILD} --check-exports false")).ok();
    place.run(&format!("{BUILD} --check-exports true")).ok();
    place.run(&format!("{BUILD} --check-exports maybe")).expect(3, "X07WASM_CLI_ARGS_INVALID");
}
