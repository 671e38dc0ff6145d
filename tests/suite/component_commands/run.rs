//! Commands: what goes in, what comes out, how they end, and what a failure leaves behind.

use super::{built, command, complaining, component_of, diagnostic, message, names, sha256};
use crate::support::{Place, check_report, codes};
use serde_json::{Value, json};
use std::fs;
use x07_wasm::contract::ContractInfo;
use x07_wasm::contract::validate::violations;

const RUN: &str = "component run --component out/cli.component.wasm";

/// The folder of the only incident, relative to the place.
#[track_caller]
fn incident(place: &Place) -> String {
    let dates = names(place, ".x07-wasm/incidents");
    assert_eq!(dates.len(), 1, "{dates:?}");
    let ids = names(place, &format!(".x07-wasm/incidents/{}", dates[0]));
    assert_eq!(ids.len(), 1, "{ids:?}");
    format!(".x07-wasm/incidents/{}/{}", dates[0], ids[0])
}

/// A folder with a component `c.wasm`.
fn with(component: Vec<u8>) -> Place {
    let place = Place::new();
    place.write("c.wasm", component);
    place
}

#[test]
fn bytes_go_through_unchanged_and_the_report_knows_them() {
    let place = built("cli-native");
    for bytes in [&b""[..], b"text\n", &[0, 255, 10, 13, 0]] {
        place.write("in.bin", bytes);
        let report = place.run(&format!("{RUN} --stdin in.bin --stdout-out o.bin --stderr-out e.bin --json")).ok();
        assert_eq!(place.read("o.bin"), bytes);
        assert_eq!(place.read("e.bin"), b"");
        let result = &report["result"];
        assert_eq!(result["run"], json!({ "outcome": "ok" }));
        assert_eq!(result["incident_dir"], Value::Null);
        let blob = |path: &str| json!({ "bytes_len": bytes.len(), "sha256": sha256(bytes), "path": path });
        assert_eq!((&result["stdin"], &result["stdout"]), (&blob("in.bin"), &blob("o.bin")));
        assert_eq!(result["stderr"], json!({ "bytes_len": 0, "sha256": sha256(b""), "path": "e.bin" }));
        let paths = |list: &str| -> Vec<String> {
            let list = report["meta"][list].as_array().expect("a list");
            list.iter().map(|f| f["path"].as_str().expect("text").to_owned()).collect()
        };
        assert_eq!(paths("outputs"), ["o.bin", "e.bin"]);
        assert_eq!(
            paths("inputs"),
            [
                "out/cli.component.wasm",
                "in.bin",
                "builtin:arch/wasm/profiles/wasm_release.json",
                "builtin:arch/wasm/index.x07wasm.json"
            ]
        );
    }
    assert!(!place.path(".x07-wasm").exists());
}

#[test]
fn standard_input_can_be_given_in_four_ways() {
    let place = built("cli-native");
    place.write("in.bin", "hello");
    for (args, expected) in [
        ("", &b""[..]),
        ("--stdin in.bin", &b"hello"[..]),
        ("--stdin @in.bin", &b"hello"[..]),
        ("--stdin-b64 aGVsbG8=", &b"hello"[..]),
    ] {
        let run = place.run(&format!("{RUN} {args}"));
        assert_eq!((run.status, run.stdout.as_slice()), (0, expected), "{args}: {}", run.stderr);
    }
    // A file that is really called so is that file.
    place.write("@in.bin", "marked");
    assert_eq!(place.run(&format!("{RUN} --stdin @in.bin")).stdout, b"marked");
}

#[test]
fn inputs_that_cannot_be_used_are_all_told_at_once() {
    let place = built("cli-native");
    let args = ["component", "run", "--component", "none.wasm", "--args-json", "{}", "--stdin", "none.bin", "--json"];
    let report = place.run_args(&args).expect(3, "X07WASM_COMPONENT_RUN_COMPONENT_READ_FAILED");
    assert_eq!(
        codes(&report),
        [
            "X07WASM_COMPONENT_RUN_ARGS_JSON_INVALID",
            "X07WASM_COMPONENT_RUN_COMPONENT_READ_FAILED",
            "X07WASM_COMPONENT_RUN_STDIN_READ_FAILED"
        ]
    );
    assert_ne!(report["result"]["run"]["outcome"], "ok", "it did not run");
    place.run(&format!("{RUN} --stdin-b64 aGVsbG8 --json")).expect(3, "X07WASM_COMPONENT_RUN_STDIN_BASE64_INVALID");
    for args in ["[1]", "[", "\"a\"", "[\"a\",null]"] {
        let args = ["component", "run", "--component", "out/cli.component.wasm", "--args-json", args, "--json"];
        place.run_args(&args).expect(3, "X07WASM_COMPONENT_RUN_ARGS_JSON_INVALID");
    }
    let run = place.run(&format!("{RUN} --stdin a --stdin-b64 aGVsbG8= --json"));
    assert_eq!(run.status, 3, "one input at most");
    assert!(!place.path(".x07-wasm").exists(), "nothing ran");
}

#[test]
fn arguments_reach_the_component_exactly() {
    // get-arguments leaves address and length of a list of strings at 0; the first string's address
    // and length stand where the list begins. It is written to standard output.
    let front = r#"(import "wasi:cli/environment@0.2.8" "get-arguments" (func $arguments (param i32)))
        (import "wasi:cli/stdout@0.2.8" "get-stdout" (func $stdout (result i32)))
        (import "wasi:io/streams@0.2.8" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
        (memory (export "memory") 1)
        (global $free (mut i32) (i32.const 4096))"#;
    let core = format!(
        r#"(module {front}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local i32)
                (local.set 4 (global.get $free))
                (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get 3)) (i32.const 7)) (i32.const -8)))
                (local.get 4))
            (func (export "wasi:cli/run@0.2.8#run") (result i32) (local $at i32) (local $left i32)
                (call $arguments (i32.const 0))
                (local.set $at (i32.load (i32.const 0)))
                (local.set $left (i32.load (i32.const 4)))
                (block $done (loop $next
                    (br_if $done (i32.eqz (local.get $left)))
                    (call $write (call $stdout) (i32.load (local.get $at)) (i32.load offset=4 (local.get $at)) (i32.const 64))
                    (call $write (call $stdout) (i32.const 2048) (i32.const 1) (i32.const 64))
                    (local.set $at (i32.add (local.get $at) (i32.const 8)))
                    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                    (br $next)))
                (i32.const 0))
            (data (i32.const 2048) "|"))"#
    );
    let wit = std::path::Path::new("wit/deps/wasi/cli/0.2.8/command.wit");
    let place = with(component_of(&core, wit, "command"));
    for (args, expected) in [("[]", ""), (r#"["one"]"#, "one|"), (r#"["x","","zwölf"]"#, "x||zwölf|")] {
        let run = place.run_args(&["component", "run", "--component", "c.wasm", "--args-json", args]);
        assert_eq!(
            (run.status, String::from_utf8(run.stdout).expect("text").as_str()),
            (0, expected),
            "{}",
            run.stderr
        );
        let report = place.run_args(&["component", "run", "--component", "c.wasm", "--args-json", args, "--json"]).ok();
        assert_eq!(report["result"]["args"], serde_json::from_str::<Value>(args).expect("JSON"));
    }
}

#[test]
fn a_component_ends_in_one_of_these_ways() {
    let exit = r#"(import "wasi:cli/exit@0.2.8" "exit" (func $exit (param i32)))"#;
    for (front, run, status, outcome, code) in [
        ("", "i32.const 0", 0, "ok", None),
        ("", "i32.const 1", 1, "err", Some("X07WASM_COMPONENT_RUN_EXIT_FAILURE")),
        (exit, "(call $exit (i32.const 0)) unreachable", 0, "ok", None),
        (exit, "(call $exit (i32.const 1)) unreachable", 1, "err", Some("X07WASM_COMPONENT_RUN_EXIT_FAILURE")),
        ("", "unreachable", 1, "trap", Some("X07WASM_COMPONENT_RUN_TRAP")),
        ("", "i32.const 2", 1, "trap", Some("X07WASM_COMPONENT_RUN_TRAP")),
    ] {
        let place = with(command(front, run));
        let ran = place.run("component run --component c.wasm --json");
        let report = ran.report();
        assert_eq!((ran.status, &report["result"]["run"]["outcome"]), (status, &json!(outcome)), "{run}: {report:#}");
        if let Some(code) = code {
            ran.expect(status, code);
        }
        assert_eq!(report["result"]["run"]["trap"].is_string(), outcome == "trap", "{run}");
    }
}

#[test]
fn what_was_written_before_a_trap_is_there() {
    let place = with(complaining(b"last words\n", "unreachable"));
    let report =
        place.run("component run --component c.wasm --stderr-out e --json").expect(1, "X07WASM_COMPONENT_RUN_TRAP");
    assert_eq!(place.read("e"), b"last words\n");
    assert_eq!(report["result"]["stderr"]["bytes_len"], 11);
    let trap = report["result"]["run"]["trap"].as_str().expect("text").to_owned();
    assert!(message(&report, "X07WASM_COMPONENT_RUN_TRAP").contains(&trap), "{report:#}");
    assert_eq!(place.read(format!("{}/stderr.bin", incident(&place))), b"last words\n");
}

#[test]
fn people_get_both_streams() {
    let place = with(complaining(b"careful \x1b[2J\n", "i32.const 0"));
    let run = place.run("component run --component c.wasm");
    assert_eq!((run.status, run.stdout.as_slice()), (0, &b""[..]));
    assert_eq!(run.stderr, "careful \\u{1b}[2J\n", "what would steer a terminal is shown");
    let run = place.run("component run --component c.wasm --stderr-out e");
    assert_eq!(run.stderr, "");
    let place = built("cli-native");
    place.write("in", "hello");
    let run = place.run(&format!("{RUN} --stdin in --stdout-out o"));
    assert_eq!((run.status, run.stdout.len(), place.read("o")), (0, 0, b"hello".to_vec()));
}

#[test]
fn a_failure_leaves_a_bundle_behind() {
    let place = built("cli-native");
    place.write("in.bin", vec![b'x'; (1 << 20) + 1]);
    let run = place.run(&format!("{RUN} --stdin in.bin --args-json [\"a\"] --json"));
    let report = run.expect(4, "X07WASM_BUDGET_EXCEEDED_CLI_STDIN");
    let folder = incident(&place);
    assert_eq!(report["result"]["incident_dir"], folder);
    assert_eq!(report["meta"]["nondeterminism"]["uses_os_time"], true);
    let component = sha256(&place.read("out/cli.component.wasm"));
    let stdin = place.read("in.bin");
    let id = sha256(format!("{component}:{}", sha256(&stdin)).as_bytes());
    assert!(folder.ends_with(&id[..32]), "{folder}");
    assert_eq!(
        names(&place, &folder),
        [
            "component.manifest.json",
            "component.run.report.json",
            "incident.manifest.json",
            "stderr.bin",
            "stderr.txt",
            "stdin.bin"
        ]
    );
    assert!(place.read(format!("{folder}/stdin.bin")) == stdin);
    assert_eq!(place.read(format!("{folder}/stderr.bin")), b"x07-diag-code: X07WASM_BUDGET_EXCEEDED_CLI_STDIN\n");
    assert_eq!(
        place.read(format!("{folder}/component.manifest.json")),
        place.read("out/cli.component.wasm.manifest.json")
    );
    assert_eq!(check_report(&place.read(format!("{folder}/component.run.report.json"))), report);
    let manifest: Value =
        serde_json::from_slice(&place.read(format!("{folder}/incident.manifest.json"))).expect("JSON");
    let contract = ContractInfo::find("x07.wasm.incident.manifest@0.1.0").expect("known");
    assert_eq!(violations(contract, &manifest), []);
    assert_eq!((&manifest["kind"], &manifest["args"]), (&json!("component-run"), &json!(["a"])));
    assert_eq!(manifest["component"], json!({ "path": "out/cli.component.wasm", "sha256": component }));
}

#[test]
fn a_bundle_that_cannot_be_written_is_a_warning() {
    let place = with(command("", "unreachable"));
    place.write("inc", "a file");
    let report = place
        .run("component run --component c.wasm --incidents-dir inc --json")
        .expect(1, "X07WASM_COMPONENT_RUN_TRAP");
    assert_eq!(diagnostic(&report, "X07WASM_INCIDENT_BUNDLE_WRITE_FAILED")["severity"], "warning");
    assert_eq!(report["result"]["incident_dir"], Value::Null);
}

#[test]
fn what_is_no_component_is_not_compiled() {
    let place = built("cli-native");
    place.write("text.wasm", "(component)");
    let whole = place.read("out/cli.component.wasm");
    place.write("cut.wasm", &whole[..whole.len() / 2]);
    for name in ["text.wasm", "cut.wasm", "out/cli.core.wasm"] {
        let report = place
            .run(&format!("component run --component {name} --json"))
            .expect(1, "X07WASM_COMPONENT_RUN_COMPONENT_COMPILE_FAILED");
        assert_eq!(report["result"]["run"]["outcome"], "component_compile_failed", "{name}");
    }
    let report = place.run("component run --component out/cli.core.wasm --json").report();
    let message = message(&report, "X07WASM_COMPONENT_RUN_COMPONENT_COMPILE_FAILED");
    assert!(message.contains("core module") && message.contains("component build"), "{message}");
}

#[test]
fn a_component_of_another_world_is_not_linked() {
    let place = built("solve");
    let report = place
        .run("component run --component out/solve.component.wasm --json")
        .expect(1, "X07WASM_COMPONENT_RUN_LINKER_FAILED");
    assert_eq!(report["result"]["run"]["outcome"], "linker_failed");
    let text = r#"(component (import "acme:clock/now@1.0.0" (instance (export "now" (func)))))"#;
    place.write("asks.wasm", wat::parse_str(text).expect("a component"));
    let report =
        place.run("component run --component asks.wasm --json").expect(1, "X07WASM_COMPONENT_RUN_LINKER_FAILED");
    assert!(message(&report, "X07WASM_COMPONENT_RUN_LINKER_FAILED").contains("acme:clock/now@1.0.0"), "{report:#}");
}

#[test]
fn an_output_never_replaces_an_input_or_the_other_output() {
    let place = built("cli-native");
    place.write("in.bin", "hello");
    let component = place.read("out/cli.component.wasm");
    for more in [
        "--stdin in.bin --stdout-out in.bin",
        "--stdin @in.bin --stderr-out ./in.bin",
        "--stdout-out out/cli.component.wasm",
        "--stdout-out o --stderr-out o",
    ] {
        place.run(&format!("{RUN} {more} --json")).expect(3, "X07WASM_CLI_ARGS_INVALID");
    }
    assert_eq!(place.read("in.bin"), b"hello");
    assert!(place.read("out/cli.component.wasm") == component);
}

#[test]
fn outputs_that_cannot_be_written_are_reported() {
    let place = built("cli-native");
    place.write("file", "x");
    fs::create_dir(place.path("folder")).expect("made");
    for path in ["file/o", "folder"] {
        place.run(&format!("{RUN} --stdout-out {path} --json")).expect(2, "X07WASM_COMPONENT_RUN_STDOUT_WRITE_FAILED");
        place.run(&format!("{RUN} --stderr-out {path} --json")).expect(2, "X07WASM_COMPONENT_RUN_STDERR_WRITE_FAILED");
    }
    place.run(&format!("{RUN} --stdout-out new/folder/o --json")).ok();
}

#[test]
fn nothing_is_let_out() {
    // A request for http://example.com/ is handed to the host, which refuses it.
    let wit = "package t:t@1.0.0;
        world asks {
            include wasi:cli/command@0.2.8;
            import wasi:http/types@0.2.8;
            import wasi:http/outgoing-handler@0.2.8;
        }";
    let place = Place::new();
    let file = place.write("wit/t.wit", wit);
    let core = r#"(module
        (import "wasi:http/types@0.2.8" "[constructor]fields" (func $fields (result i32)))
        (import "wasi:http/types@0.2.8" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
        (import "wasi:http/types@0.2.8" "[method]outgoing-request.set-authority" (func $authority (param i32 i32 i32 i32) (result i32)))
        (import "wasi:http/outgoing-handler@0.2.8" "handle" (func $handle (param i32 i32 i32 i32)))
        (memory (export "memory") 1)
        (data (i32.const 1024) "example.com")
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 512)
        (func (export "wasi:cli/run@0.2.8#run") (result i32) (local $r i32)
            (local.set $r (call $request (call $fields)))
            (drop (call $authority (local.get $r) (i32.const 1) (i32.const 1024) (i32.const 11)))
            (call $handle (local.get $r) (i32.const 0) (i32.const 0) (i32.const 0))
            (i32.const 0)))"#;
    place.write("c.wasm", component_of(core, &file, "asks"));
    let report = place.run("component run --component c.wasm --json").expect(1, "X07WASM_CAPS_NET_DENIED");
    let found = diagnostic(&report, "X07WASM_CAPS_NET_DENIED");
    assert_eq!((&found["data"]["host"], &found["stage"]), (&json!("example.com"), &json!("run")));
    assert_eq!(report["result"]["run"]["outcome"], "ok", "the component itself ended well");
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], false);
}
