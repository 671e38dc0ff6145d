//! What is built, under which names, and what a failure leaves behind.

use super::{build, built, echo, message, names, sha256};
use crate::support::{Place, check_report, codes};
use serde_json::{Value, json};
use std::fs;
use x07_wasm::contract::ContractInfo;
use x07_wasm::contract::validate::violations;

const SOLVE: [&str; 7] = [
    "solve.component.wasm",
    "solve.component.wasm.manifest.json",
    "solve.core.embedded.wasm",
    "solve.core.raw.wasm",
    "solve.core.raw.wasm.build.report.json",
    "solve.core.raw.wasm.manifest.json",
    "solve.core.wasm",
];

/// The names of a component and its manifest, with more names; sorted.
fn files(kinds: &[&str], more: &[&str]) -> Vec<String> {
    let own = kinds
        .iter()
        .flat_map(|kind| [format!("{kind}.component.wasm"), format!("{kind}.component.wasm.manifest.json")]);
    let mut files: Vec<String> = own.chain(more.iter().map(|name| (*name).to_owned())).collect();
    files.sort();
    files
}

fn kinds(report: &Value) -> Vec<&str> {
    let artifacts = report["result"]["artifacts"].as_array().expect("a list");
    artifacts.iter().map(|a| a["kind"].as_str().expect("text")).collect()
}

#[test]
fn all_makes_five_components_that_fit_their_worlds() {
    let place = echo();
    let report = place.run(&build("all")).ok();
    assert_eq!(kinds(&report), ["solve", "http-adapter", "http", "cli-adapter", "cli"]);
    assert_eq!(report["result"]["emit"], "all");
    assert_eq!(report["result"]["out_dir"], "out");
    assert_eq!(report["meta"]["nondeterminism"]["uses_process"], false);
    for (component, wit, world, status) in [
        ("http", "wit/deps/wasi/http/0.2.8/proxy.wit", "proxy", 0),
        ("cli", "wit/deps/wasi/cli/0.2.8/command.wit", "command", 0),
        ("http", "wit/deps/wasi/cli/0.2.8/command.wit", "command", 1),
        ("cli", "wit/deps/wasi/http/0.2.8/proxy.wit", "proxy", 1),
        ("solve", "wit/x07/solve/0.1.0/solve.wit", "solve", 0),
        ("http-adapter", "wit/x07/http_adapter/0.1.0/http-adapter.wit", "proxy-with-solve", 0),
        ("cli-adapter", "wit/x07/cli_adapter/0.1.0/cli-adapter.wit", "command-with-solve", 0),
    ] {
        let run = place.run(&format!(
            "component targets --component out/{component}.component.wasm --wit {wit} --world {world} --json"
        ));
        assert_eq!(run.status, status, "{component} {world}: {:#}", run.report());
    }
}

#[test]
fn every_value_of_emit_makes_exactly_its_files() {
    let http = "http.component.compose.report.json";
    let cli = "cli.component.compose.report.json";
    let with_solve = |kinds: &[&str], more: &[&str]| files(kinds, &[&SOLVE[..], more].concat());
    for (emit, expected) in [
        ("solve", with_solve(&[], &[])),
        ("http", with_solve(&["http-adapter", "http"], &[http])),
        ("http-state-doc", with_solve(&["http-state-doc-adapter", "http"], &[http])),
        ("cli", with_solve(&["cli-adapter", "cli"], &[cli])),
        ("http-native", files(&["http"], &["http.core.wasm"])),
        ("cli-native", files(&["cli"], &["cli.core.wasm"])),
        ("http-adapter", files(&["http-adapter"], &[])),
        ("cli-adapter", files(&["cli-adapter"], &[])),
        ("all", with_solve(&["http-adapter", "http", "cli-adapter", "cli"], &[http, cli])),
    ] {
        let place = echo();
        let report = place.run(&build(emit)).ok();
        assert_eq!(names(&place, "out"), expected, "{emit}");
        let mut written: Vec<String> = report["meta"]["outputs"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|o| o["path"].as_str().expect("text").trim_start_matches("out/").to_owned())
            .collect();
        written.sort();
        assert_eq!(written, expected, "{emit}: each output is in the report, once");
        let core = &report["result"]["solve_core_wasm"];
        assert_eq!(core.is_null(), !expected.contains(&"solve.core.wasm".to_owned()), "{emit}");
    }
}

#[test]
fn every_component_has_a_manifest_that_tells_what_it_is() {
    let place = echo();
    let report = place.run(&build("http-state-doc")).ok();
    let worlds = [
        ("solve", "x07:solve@0.1.0", "solve"),
        ("http-state-doc-adapter", "x07:http-state-doc-adapter@0.1.0", "proxy-with-solve"),
        ("http", "wasi:http@0.2.8", "proxy"),
    ];
    for (artifact, (kind, package, world)) in
        report["result"]["artifacts"].as_array().expect("a list").iter().zip(worlds)
    {
        let name = format!("out/{kind}.component.wasm");
        let bytes = place.read(&name);
        assert_eq!(artifact["component"], json!({ "path": name, "sha256": sha256(&bytes), "bytes_len": bytes.len() }));
        assert_eq!(artifact["artifact_id"], format!("{kind}-{}", &sha256(&bytes)[..16]));
        assert_eq!(artifact["wit"], json!({ "package": package, "world": world }));
        let stored: Value = serde_json::from_slice(&place.read(format!("{name}.manifest.json"))).expect("JSON");
        assert_eq!(stored, *artifact, "{kind}");
        let contract = ContractInfo::find("x07.wasm.component.artifact@0.1.0").expect("known");
        assert_eq!(violations(contract, &stored), []);
    }
    let solve = &report["result"]["artifacts"][0];
    assert_eq!(
        solve["profiles"],
        json!({ "component": { "id": "component_release", "v": 2 }, "wasm": { "id": "wasm_release", "v": 1 } })
    );
    assert_eq!(solve["toolchain"]["x07"], env!("CARGO_PKG_VERSION"));
    let core = place.read("out/solve.core.wasm");
    assert_eq!(report["result"]["solve_core_wasm"]["sha256"], sha256(&core));
}

#[test]
fn the_reports_of_the_steps_are_kept_and_valid() {
    let place = built("http");
    let report = check_report(&place.read("out/solve.core.raw.wasm.build.report.json"));
    assert_eq!((&report["command"], &report["ok"]), (&json!("x07-wasm.build"), &json!(true)));
    assert_eq!(report["result"]["wasm"]["sha256"], sha256(&place.read("out/solve.core.raw.wasm")));
    let inputs: Vec<&str> =
        report["meta"]["inputs"].as_array().expect("a list").iter().filter_map(|i| i["path"].as_str()).collect();
    for expected in ["builtin:arch/wasm/profiles/wasm_release.json", "app/x07.json", "app/src/main.x07.json"] {
        assert!(inputs.contains(&expected), "no {expected} in {inputs:?}");
    }
    let report = check_report(&place.read("out/http.component.compose.report.json"));
    assert_eq!(report["command"], "x07-wasm.component.compose");
    assert_eq!(report["result"]["out_component"]["sha256"], sha256(&place.read("out/http.component.wasm")));
    assert_eq!(report["result"]["targets_check"]["ok"], true);
}

#[test]
fn the_command_lines_in_the_reports_of_the_steps_do_the_same() {
    let place = built("cli");
    for (name, output) in [
        ("out/solve.core.raw.wasm.build.report.json", "out/solve.core.raw.wasm"),
        ("out/cli.component.compose.report.json", "out/cli.component.wasm"),
    ] {
        let report = check_report(&place.read(name));
        let argv: Vec<&str> =
            report["meta"]["argv"].as_array().expect("a list").iter().filter_map(|a| a.as_str()).collect();
        let before = place.read(output);
        fs::remove_file(place.path(output)).expect("removed");
        place.run_args(&argv[1..]).ok();
        assert!(place.read(output) == before, "{argv:?}");
    }
}

#[test]
fn the_same_project_gives_the_same_bytes_in_any_folder() {
    let (one, other) = (built("all"), built("all"));
    for emit in ["http-native", "cli-native"] {
        for place in [&one, &other] {
            place.run(&build(emit).replace("--out-dir out", &format!("--out-dir {emit}"))).ok();
        }
    }
    for folder in ["out", "http-native", "cli-native"] {
        let listed = names(&one, folder);
        assert_eq!(listed, names(&other, folder));
        // Reports say when and where they were made.
        for name in listed.iter().filter(|name| !name.ends_with(".report.json")) {
            let name = format!("{folder}/{name}");
            assert!(one.read(&name) == other.read(&name), "{name}");
        }
    }
}

#[test]
fn a_way_to_build_replaces_what_another_way_made() {
    let place = built("http");
    assert!(place.path("out/http.component.compose.report.json").exists());
    place.run(&build("http-native")).ok();
    assert!(!place.path("out/http.component.compose.report.json").exists(), "nothing was composed");
    assert!(place.path("out/solve.component.wasm").exists(), "what has another name stays");
}

#[test]
fn adapters_need_a_project_but_not_a_good_one() {
    let place = echo();
    place.project("app", &json!(["no.such.head"]));
    place.run(&build("http-adapter")).ok();
    place.run(&build("cli-adapter")).ok();
    let report = place
        .run("component build --project none.json --emit cli-adapter --out-dir out --json")
        .expect(3, "X07WASM_COMPONENT_BUILD_PROJECT_READ_FAILED");
    assert_eq!(report["result"]["project"]["bytes_len"], 0);
}

#[test]
fn what_is_wrong_with_a_program_is_told_as_by_build_and_leaves_nothing() {
    for emit in ["all", "http", "cli-native", "http-native"] {
        let place = built(emit);
        place.project("app", &json!(["no.such.head"]));
        let direct = place.run("build --project app/x07.json --out direct.wasm --json");
        let run = place.run(&build(emit));
        assert_eq!(run.status, direct.status);
        let errors = |report: &Value| {
            codes(report).into_iter().filter(|c| c != "X07WASM_REGISTRY_BUILTIN_USED").collect::<Vec<_>>()
        };
        assert_eq!(errors(&run.report()), errors(&direct.report()), "{emit}");
        assert_eq!(run.report()["result"]["artifacts"], json!([]));
        assert_eq!(names(&place, "out"), [""; 0], "{emit}");
    }
}

#[test]
fn a_failure_before_anything_is_made_leaves_nothing_either() {
    for (broken, code) in [
        ("--profile none", "X07WASM_COMPONENT_PROFILE_LOAD_FAILED"),
        ("--wasm-profile none", "X07WASM_WASM_PROFILE_LOAD_FAILED"),
    ] {
        let place = built("cli");
        place.run(&format!("{} {broken}", build("cli"))).expect(3, code);
        assert_eq!(names(&place, "out"), [""; 0], "{broken}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_reported() {
    let place = echo();
    place.write("out", "a file");
    place.run(&build("solve")).expect(1, "X07WASM_COMPONENT_BUILD_OUTDIR_CREATE_FAILED");
    assert_eq!(place.read("out"), b"a file");
}

#[test]
fn something_else_under_the_name_of_an_output_is_reported_and_stays() {
    let place = echo();
    place.write("out/solve.component.wasm/letter.txt", "dear reader");
    place.run(&build("solve")).expect(2, "X07WASM_COMPONENT_BUILD_IO_FAILED");
    assert_eq!(place.read("out/solve.component.wasm/letter.txt"), b"dear reader");
}

#[test]
fn an_input_is_not_replaced() {
    let place = echo();
    fs::copy(place.path("app/x07.json"), place.path("app/solve.core.wasm")).expect("copied");
    let args = "component build --project app/solve.core.wasm --emit solve --out-dir app --json";
    let before = place.read("app/solve.core.wasm");
    place.run(args).expect(3, "X07WASM_CLI_ARGS_INVALID");
    assert_eq!(place.read("app/solve.core.wasm"), before);
}

#[test]
fn clean_removes_what_builds_made_and_nothing_else() {
    let place = built("all");
    place.run(&format!("{} --clean", build("cli-native"))).ok();
    assert_eq!(names(&place, "out"), ["cli.component.wasm", "cli.component.wasm.manifest.json", "cli.core.wasm"]);

    place.write("out/letter.txt", "dear reader");
    let report = place.run(&format!("{} --clean", build("solve"))).expect(1, "X07WASM_COMPONENT_BUILD_CLEAN_FAILED");
    assert!(message(&report, "X07WASM_COMPONENT_BUILD_CLEAN_FAILED").contains("letter.txt"), "{report:#}");
    assert_eq!(
        names(&place, "out"),
        ["cli.component.wasm", "cli.component.wasm.manifest.json", "cli.core.wasm", "letter.txt"],
        "nothing was deleted"
    );
    // A folder that is not there is clean.
    place.run(&format!("{} --clean", build("solve").replace("--out-dir out", "--out-dir new"))).ok();
}

#[cfg(unix)]
#[test]
fn clean_does_not_follow_a_link() {
    let place = built("solve");
    fs::rename(place.path("out"), place.path("real")).expect("moved");
    std::os::unix::fs::symlink("real", place.path("out")).expect("made");
    for folder in ["out", "out/", "out//", "./out/."] {
        let args = build("solve").replace("--out-dir out", &format!("--out-dir {folder}"));
        place.run(&format!("{args} --clean")).expect(1, "X07WASM_COMPONENT_BUILD_CLEAN_FAILED");
    }
    assert!(place.path("real/solve.component.wasm").exists());
}

#[test]
fn the_default_folder_is_under_target() {
    let place = echo();
    let report = place.run("component build --project app/x07.json --emit cli-adapter --json").ok();
    assert_eq!(report["result"]["out_dir"], "target/x07-wasm/component");
    assert!(place.path("target/x07-wasm/component/cli-adapter.component.wasm").is_file());
}

#[test]
fn people_read_a_line_for_each_component() {
    let place = echo();
    let run = place.run("component build --project app/x07.json --emit cli --out-dir out");
    assert_eq!((run.status, run.stdout.len()), (0, 0), "{}", run.stderr);
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", run.stderr);
    for (line, kind) in lines.iter().zip(["solve", "cli-adapter", "cli"]) {
        let bytes = place.read(format!("out/{kind}.component.wasm")).len();
        assert_eq!(*line, format!("{kind}: out/{kind}.component.wasm ({bytes} bytes)"));
    }
}

#[test]
fn inputs_are_listed_once_with_the_project_first() {
    let place = echo();
    let report = place.run(&build("all")).ok();
    let inputs: Vec<&str> =
        report["meta"]["inputs"].as_array().expect("a list").iter().filter_map(|i| i["path"].as_str()).collect();
    assert_eq!(inputs[0], "app/x07.json");
    assert_eq!(inputs[1], "builtin:arch/wasm/component/profiles/component_release.json");
    let mut unique = inputs.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), inputs.len(), "{inputs:#?}");
}

#[test]
fn a_state_document_goes_with_the_adapter_that_carries_it() {
    let place = Place::new();
    place.project("app", &json!(["view.to_bytes", "input"]));
    place.run(&build("http")).ok();
    let plain = place.read("out/http.component.wasm");
    place.run(&build("http-state-doc")).ok();
    assert!(place.read("out/http.component.wasm") != plain);
    assert!(
        place.path("out/http-adapter.component.wasm").exists()
            && place.path("out/http-state-doc-adapter.component.wasm").exists()
    );
}
