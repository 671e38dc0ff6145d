//! Programs and adapters that are composed by themselves.

use super::{build, built, diagnostic, echo, message, names, sha256};
use crate::support::{Place, codes};
use serde_json::{Value, json};
use std::fs;

const SOLVE: &str = "--solve out/solve.component.wasm";

/// A component in wat.
fn wat(place: &Place, path: &str, text: &str) {
    place.write(path, wat::parse_str(text).expect("a component"));
}

/// An adapter that imports this besides the program, and exports the program under the name of what
/// servers call.
fn adapter(import: &str) -> String {
    format!(
        r#"(component {import}
            (import "x07:solve/handler@0.1.0" (instance $solve (export "solve" (func (param "input" (list u8)) (result (list u8))))))
            (export "wasi:http/incoming-handler@0.2.8" (instance $solve)))"#
    )
}

#[test]
fn it_makes_what_build_makes() {
    for (emit, adapter, world) in
        [("http", "http", "proxy"), ("http-state-doc", "http-state-doc", "proxy"), ("cli", "cli", "command")]
    {
        let place = built(emit);
        let kind = if emit == "cli" { "cli" } else { "http" };
        let report = place
            .run(&format!(
                "component compose --adapter {adapter} {SOLVE} --adapter-component out/{adapter}-adapter.component.wasm \
                 --out dist/c.wasm --targets-check --json"
            ))
            .ok();
        let bytes = place.read("dist/c.wasm");
        assert!(bytes == place.read(format!("out/{kind}.component.wasm")), "{emit}");
        let result = &report["result"];
        assert_eq!(result["adapter_kind"], kind);
        assert_eq!(
            result["out_component"],
            json!({ "path": "dist/c.wasm", "sha256": sha256(&bytes), "bytes_len": bytes.len() })
        );
        assert_eq!(result["solve_component"]["path"], "out/solve.component.wasm");
        assert_eq!(result["adapter_component"]["path"], format!("out/{adapter}-adapter.component.wasm"));
        assert_eq!(
            result["targets_check"],
            json!({ "attempted": true, "ok": true, "exit_code": 0, "stdout": "", "stderr": "" })
        );
        let stored: Value = serde_json::from_slice(&place.read("dist/c.wasm.manifest.json")).expect("JSON");
        assert_eq!(stored, result["artifact"]);
        assert_eq!((&stored["kind"], &stored["wit"]["world"]), (&json!(kind), &json!(world)));
        assert_eq!(stored["profiles"], json!({}));
    }
}

#[test]
fn without_an_adapter_that_was_built_the_tools_own_is_used() {
    let place = built("http");
    let run = place.run(&format!("component compose --adapter http {SOLVE} --out c.wasm --json"));
    let report = run.ok();
    assert!(codes(&report).iter().any(|c| c == "X07WASM_REGISTRY_BUILTIN_USED"));
    assert!(place.read("c.wasm") == place.read("out/http.component.wasm"));
    let inputs = report["meta"]["inputs"].as_array().expect("a list");
    let digest = sha256(&place.read("out/http-adapter.component.wasm"));
    let own = inputs.iter().find(|i| i["path"] == "builtin:http-adapter.component.wasm").expect("recorded");
    assert_eq!(own["sha256"], digest);
    assert_eq!(report["result"]["adapter_component"], *own);
    assert_eq!(report["result"]["targets_check"]["attempted"], false);
}

#[test]
fn an_adapter_in_the_default_folder_is_found() {
    let place = echo();
    place.run("component build --project app/x07.json --emit cli --json").ok();
    let folder = "target/x07-wasm/component";
    let args = format!("component compose --target cli --solve {folder}/solve.component.wasm --out c.wasm --json");
    let report = place.run(&args).ok();
    assert_eq!(report["result"]["adapter_component"]["path"], format!("{folder}/cli-adapter.component.wasm"));
    assert_eq!(report["result"]["adapter_kind"], "cli");
}

#[test]
fn inputs_that_cannot_be_read_are_all_reported() {
    let place = built("solve");
    place
        .run("component compose --adapter cli --solve none.wasm --out c.wasm --json")
        .expect(3, "X07WASM_COMPONENT_COMPOSE_INPUT_READ_FAILED");
    let both = "component compose --adapter cli --solve none.wasm --adapter-component neither.wasm --out c.wasm --json";
    let report = place.run(both).expect(3, "X07WASM_COMPONENT_COMPOSE_INPUT_READ_FAILED");
    assert_eq!(codes(&report).len(), 2, "{report:#}");
    // An adapter that was named is not replaced by another one.
    let named = format!("component compose --adapter cli {SOLVE} --adapter-component neither.wasm --out c.wasm --json");
    place.run(&named).expect(3, "X07WASM_COMPONENT_COMPOSE_INPUT_READ_FAILED");
    assert!(!place.path("c.wasm").exists());
}

#[test]
fn what_does_not_fit_is_told_in_words() {
    let place = built("cli");
    place.write("text.wasm", "(component)");
    wat(&place, "empty.wasm", "(component)");
    wat(
        &place,
        "other.wasm",
        r#"(component
            (core module $m (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
                (func (export "solve") (param i32 i32) (result i32) i32.const 0))
            (core instance $i (instantiate $m))
            (func $solve (param "input" string) (result u32)
                (canon lift (core func $i "solve") (memory $i "memory") (realloc (func $i "realloc"))))
            (instance $handler (export "solve" (func $solve)))
            (export "x07:solve/handler@0.1.0" (instance $handler)))"#,
    );
    let cli = "out/cli-adapter.component.wasm";
    for (solve, adapter, parts) in [
        ("out/solve.core.wasm", cli, &["core module", "component build"][..]),
        ("text.wasm", cli, &["not WebAssembly"][..]),
        ("empty.wasm", cli, &["the adapter imports x07:solve/handler@0.1.0", "the program exports nothing"][..]),
        ("out/cli.component.wasm", cli, &["the program exports wasi:cli/run@0.2.8"][..]),
        ("out/solve.component.wasm", "out/solve.core.wasm", &["adapter component", "core module"][..]),
        ("out/solve.component.wasm", "out/cli.component.wasm", &["the adapter imports nothing"][..]),
        (
            "other.wasm",
            cli,
            &[
                "x07:solve/handler@0.1.0",
                "`solve: func(input: string) -> u32`",
                "the adapter has `solve: func(input: list<u8>) -> list<u8>`",
            ][..],
        ),
    ] {
        place.write("c.wasm", "of an earlier run");
        let args = format!(
            "component compose --adapter cli --solve {solve} --adapter-component {adapter} --out c.wasm --json"
        );
        let report = place.run(&args).expect(1, "X07WASM_WAC_PLUG_FAILED");
        let message = message(&report, "X07WASM_WAC_PLUG_FAILED");
        for part in parts {
            assert!(message.contains(part), "no {part:?} in {message}");
        }
        assert!(diagnostic(&report, "X07WASM_WAC_PLUG_FAILED")["data"]["error"].is_string());
        assert!(!place.path("c.wasm").exists(), "{solve}: what an earlier run made is gone");
    }
}

#[test]
fn a_result_that_does_not_fit_its_world_is_not_written() {
    let place = built("solve");
    wat(&place, "adapter.wasm", &adapter(r#"(import "acme:clock/now@1.0.0" (instance))"#));
    let args = format!("component compose --adapter http {SOLVE} --adapter-component adapter.wasm --out c.wasm --json");
    // Unless somebody asks, only the name of what it exports matters.
    place.run(&args).ok();
    let report = place.run(&format!("{args} --targets-check")).expect(1, "X07WASM_WAC_TARGETS_FAILED");
    let check = &report["result"]["targets_check"];
    assert_eq!((&check["attempted"], &check["ok"], &check["exit_code"]), (&json!(true), &json!(false), &json!(1)));
    let text = check["stderr"].as_str().expect("text");
    for part in ["imports acme:clock/now@1.0.0", "exports wasi:http/incoming-handler@0.2.8 without"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(!place.path("c.wasm").exists() && !place.path("c.wasm.manifest.json").exists());
}

#[test]
fn an_adapter_of_another_kind_is_refused() {
    let place = built("all");
    for (kind, adapter, wanted, given) in [
        ("cli", "http", "wasi:cli/run@0.2.8", "wasi:http/incoming-handler@0.2.8"),
        ("http", "cli", "wasi:http/incoming-handler@0.2.8", "wasi:cli/run@0.2.8"),
        ("http-state-doc", "cli", "wasi:http/incoming-handler@0.2.8", "wasi:cli/run@0.2.8"),
    ] {
        let args = format!(
            "component compose --adapter {kind} {SOLVE} --adapter-component out/{adapter}-adapter.component.wasm --out c.wasm --json"
        );
        let report = place.run(&args).expect(1, "X07WASM_WAC_PLUG_FAILED");
        let message = message(&report, "X07WASM_WAC_PLUG_FAILED");
        assert!(message.contains(&format!("the adapter exports {given}, and not {wanted}")), "{message}");
        assert!(!place.path("c.wasm").exists() && !place.path("c.wasm.manifest.json").exists());
    }
}

#[test]
fn an_output_never_replaces_an_input_or_a_stranger() {
    let place = built("cli");
    let before = place.read("out/solve.component.wasm");
    place.write("letter.txt", "dear reader");
    for more in [
        "--out out/solve.component.wasm",
        "--out ./out/../out/solve.component.wasm",
        "--out c.wasm --artifact-out out/solve.component.wasm",
        "--out c.wasm --artifact-out c.wasm",
        "--out letter.txt",
        "--out app/x07.json",
        "--adapter-component out/cli-adapter.component.wasm --out out/cli-adapter.component.wasm",
    ] {
        place
            .run(&format!("component compose --adapter cli {SOLVE} {more} --json"))
            .expect(3, "X07WASM_CLI_ARGS_INVALID");
    }
    assert!(place.read("out/solve.component.wasm") == before);
    assert_eq!(place.read("letter.txt"), b"dear reader");
    assert!(place.path("out/cli-adapter.component.wasm").is_file());
}

#[test]
fn a_place_that_cannot_be_written_is_reported() {
    let place = built("solve");
    place.write("file", "x");
    place
        .run(&format!("component compose --adapter cli {SOLVE} --out file/c.wasm --json"))
        .expect(1, "X07WASM_COMPONENT_COMPOSE_OUTDIR_CREATE_FAILED");
    // No file system has names of that length, which only shows when the file is made.
    let long = "n".repeat(300);
    let report = place
        .run(&format!("component compose --adapter cli {SOLVE} --out {long}.wasm --json"))
        .expect(2, "X07WASM_COMPONENT_ARTIFACT_WRITE_FAILED");
    assert_eq!(report["meta"]["outputs"], json!([]));
    // Neither of the two is left alone.
    place
        .run(&format!(
            "component compose --adapter cli {SOLVE} --out d.wasm --artifact-out {long}.manifest.json --json"
        ))
        .expect(2, "X07WASM_COMPONENT_ARTIFACT_WRITE_FAILED");
    assert!(!place.path("d.wasm").exists());
}

#[test]
fn a_folder_is_no_place_for_an_output() {
    let place = built("solve");
    for folder in ["c.wasm", "d.wasm.manifest.json"] {
        fs::create_dir(place.path(folder)).expect("made");
    }
    for out in ["c.wasm", "d.wasm", "new/", "new/deeper/", "d.wasm/"] {
        let run = place.run(&format!("component compose --adapter cli {SOLVE} --out {out} --json"));
        let report = run.expect(3, "X07WASM_CLI_ARGS_INVALID");
        assert_eq!(codes(&report), ["X07WASM_CLI_ARGS_INVALID"], "{out}: it is told once");
        assert!(message(&report, "X07WASM_CLI_ARGS_INVALID").contains("names a folder"), "{report:#}");
    }
    assert!(!place.path("new").exists() && !place.path("d.wasm").exists());
}

#[test]
fn a_manifest_can_be_placed_and_people_read_one_line() {
    let place = built("solve");
    let run = place.run(&format!("component compose --adapter cli {SOLVE} --out d/c.wasm --artifact-out m/c.json"));
    assert_eq!(run.status, 0, "{}", run.stderr);
    let bytes = place.read("d/c.wasm").len();
    assert_eq!(run.stderr, format!("cli: d/c.wasm ({bytes} bytes)\n"));
    assert_eq!(names(&place, "m"), ["c.json"]);
    assert_eq!(names(&place, "d"), ["c.wasm"]);
    // It may be replaced by the next one.
    place.run(&format!("component compose --adapter cli {SOLVE} --out d/c.wasm --artifact-out m/c.json --json")).ok();
}

#[test]
fn one_of_adapter_and_target_is_needed() {
    let place = built("solve");
    let run = place.run(&format!("component compose {SOLVE} --out c.wasm --json"));
    assert_eq!(run.status, 3);
    let run = place.run(&format!("component compose --adapter cli --target cli {SOLVE} --out c.wasm --json"));
    assert_eq!(run.status, 3);
    // The command is also found by its one-word name.
    place.run(&format!("component-compose --adapter cli {SOLVE} --out c.wasm --json")).ok();
    place.run(&build("solve")).ok();
}
