//! Ways to give an input and to take an output.

use super::echo;
use crate::support::Place;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Runs `echo.wasm` with these arguments and asks for a report.
fn run(place: &Place, args: &[&str]) -> crate::support::Run {
    let mut all = vec!["run", "--wasm", "echo.wasm"];
    all.extend(args);
    all.push("--json");
    place.run_args(&all)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[test]
fn empty_text_and_binary_inputs_come_back_unchanged() {
    let place = echo();
    let every: Vec<u8> = (0..=255).collect();
    for input in [&b""[..], b"text\n", b"\0", b"\xff\xfe\0\r\n", every.as_slice()] {
        place.write("in", input);
        let (digits, text) = (hex::encode(input), STANDARD.encode(input));
        for args in [["--input", "in"], ["--input-hex", digits.as_str()], ["--input-base64", text.as_str()]] {
            let raw = place.run_args(&["run", "--wasm", "echo.wasm", args[0], args[1]]);
            assert_eq!(raw.status, 0, "{args:?}: {}", raw.stderr);
            assert_eq!(raw.stdout, input, "{args:?}");
            let report = run(&place, &args).ok();
            assert_eq!(report["result"]["output"]["base64"], text, "{args:?}");
            assert_eq!(report["result"]["output"]["sha256"], sha256(input));
            assert_eq!(report["result"]["output"]["bytes_len"], input.len());
        }
    }
}

#[test]
fn the_report_shows_an_input_by_where_it_came_from() {
    let place = echo();
    place.write("in", "hi");
    let digest = sha256(b"hi");
    let report = run(&place, &["--input", "in"]).ok();
    assert_eq!(report["result"]["input"], json!({ "bytes_len": 2, "sha256": digest, "path": "in" }));
    let inputs = report["meta"]["inputs"].as_array().expect("a list");
    assert!(inputs.contains(&json!({ "bytes_len": 2, "sha256": digest, "path": "in" })), "{inputs:?}");
    let report = run(&place, &["--input-hex", "6869"]).ok();
    assert_eq!(report["result"]["input"], json!({ "bytes_len": 2, "sha256": digest }));
    let report = run(&place, &["--input-base64", "aGk="]).ok();
    assert_eq!(report["result"]["input"], json!({ "bytes_len": 2, "sha256": digest, "base64": "aGk=" }));
}

#[test]
fn digits_and_base64_are_trimmed() {
    let place = echo();
    for args in [["--input-hex", " 6869\n"], ["--input-hex", "\t6869 "], ["--input-base64", " aGk=\n"]] {
        let report = run(&place, &args).ok();
        assert_eq!(report["result"]["output"]["base64"], "aGk=", "{args:?}");
    }
    for args in [["--input-hex", " "], ["--input-base64", "\n"]] {
        assert_eq!(run(&place, &args).ok()["result"]["input"]["bytes_len"], 0, "{args:?}");
    }
    assert_eq!(run(&place, &["--input-hex", "aAfF"]).ok()["result"]["output"]["base64"], STANDARD.encode([0xaa, 0xff]));
}

#[test]
fn what_is_no_hexadecimal_is_refused() {
    let place = echo();
    for digits in ["6", "zz", "0x68", "68 69", "6 8", "６８"] {
        run(&place, &["--input-hex", digits]).expect(3, "X07WASM_INPUT_HEX_INVALID");
    }
}

#[test]
fn what_is_no_base64_is_refused() {
    let place = echo();
    for text in ["aGk", "aGk==", "a", "!!!!", "aG k=", "a-_=", "aGl="] {
        run(&place, &["--input-base64", text]).expect(3, "X07WASM_INPUT_BASE64_INVALID");
    }
}

#[test]
fn exactly_one_input_is_needed() {
    let place = echo();
    run(&place, &[]).expect(3, "X07WASM_INPUT_MISSING");
    place.write("in", "x");
    for args in [
        ["--input", "in", "--input-hex", "00"],
        ["--input-base64", "", "--input-hex", "00"],
        ["--input", "in", "--input-base64", ""],
    ] {
        run(&place, &args).expect(3, "X07WASM_CLI_ARGS_INVALID");
    }
}

#[test]
fn an_input_that_cannot_be_read_is_reported() {
    let place = echo();
    run(&place, &["--input", "none"]).expect(3, "X07WASM_INPUT_READ_FAILED");
    run(&place, &["--input", "app"]).expect(3, "X07WASM_INPUT_READ_FAILED");
}

#[test]
fn exactly_one_of_module_and_project_is_needed() {
    let place = echo();
    place.run("run --input-hex 00 --json").expect(3, "X07WASM_CLI_ARGS_INVALID");
    let both = "run --wasm echo.wasm --project app/x07.json --input-hex 00 --json";
    place.run(both).expect(3, "X07WASM_CLI_ARGS_INVALID");
}

#[test]
fn a_module_that_cannot_be_read_is_reported() {
    let place = echo();
    for wasm in ["none.wasm", "app"] {
        place.run(&format!("run --wasm {wasm} --input-hex 00 --json")).expect(3, "X07WASM_WASM_READ_FAILED");
    }
}

#[test]
fn the_output_goes_to_a_file_whose_folder_is_made() {
    let place = echo();
    let report = run(&place, &["--input-hex", "00ff", "--output-out", "new/folder/out.bin"]).ok();
    assert_eq!(place.read("new/folder/out.bin"), b"\x00\xff");
    let digest = sha256(b"\x00\xff");
    assert_eq!(report["result"]["output"], json!({ "bytes_len": 2, "sha256": digest, "path": "new/folder/out.bin" }));
    let expected = json!([{ "bytes_len": 2, "sha256": digest, "path": "new/folder/out.bin" }]);
    assert_eq!(report["meta"]["outputs"], expected);
    let raw = place.run("run --wasm echo.wasm --input-hex 00ff --output-out other.bin");
    assert_eq!((raw.status, raw.stdout.len()), (0, 0), "nothing is printed when there is a file");
    assert_eq!(place.read("other.bin"), b"\x00\xff");
}

#[test]
fn an_output_file_that_cannot_be_written_is_reported_and_the_output_is_kept() {
    let place = echo();
    place.write("file", "x");
    for (target, code) in [("file/out", "X07WASM_OUTPUT_IO_FAILED"), ("app", "X07WASM_OUTPUT_WRITE_FAILED")] {
        let report = run(&place, &["--input-hex", "6869", "--output-out", target]).expect(2, code);
        assert_eq!(report["result"]["output"]["base64"], "aGk=", "the output went nowhere else: {report:#}");
        assert_eq!(report["meta"]["outputs"], json!([]));
    }
    assert_eq!(place.read("file"), b"x");
}

#[test]
fn an_output_folder_that_is_a_file_stays_as_it_is() {
    let place = echo();
    let before = place.read("echo.wasm");
    let failed = run(&place, &["--input-hex", "00", "--output-out", "echo.wasm/x"]);
    assert_eq!(failed.status, 2);
    assert_eq!(place.read("echo.wasm"), before);
}

#[test]
fn outputs_up_to_4096_bytes_are_in_the_report() {
    let place = echo();
    place.write("in", vec![b'x'; 4096]);
    let report = run(&place, &["--input", "in"]).ok();
    assert_eq!(report["result"]["output"]["base64"], STANDARD.encode([b'x'; 4096]));
    place.write("in", vec![b'x'; 4097]);
    let report = run(&place, &["--input", "in"]).ok();
    assert_eq!(report["result"]["output"]["base64"], Value::Null);
    assert_eq!(report["result"]["output"]["bytes_len"], 4097);
}

#[test]
fn a_large_input_passes_through() {
    let place = echo();
    let input: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    place.write("in", &input);
    let raw = place.run("run --wasm echo.wasm --input in");
    assert_eq!(raw.status, 0, "{}", raw.stderr);
    assert!(raw.stdout == input, "the output differs");
}

#[test]
fn a_failed_run_prints_nothing_on_standard_output() {
    let raw = echo().run("run --wasm echo.wasm --input-hex 6869 --max-output-bytes 1");
    assert_eq!((raw.status, raw.stdout.len()), (4, 0));
    assert!(raw.stderr.contains("X07WASM_BUDGET_EXCEEDED_OUTPUT"), "{}", raw.stderr);
}

#[test]
fn a_project_runs_without_leaving_a_file() {
    let place = Place::with_example("word_count");
    let run = place.run("run --project word_count/x07.json --input-hex 61206220630a --json");
    let report = run.ok();
    assert_eq!(report["result"]["output"]["base64"], STANDARD.encode("1 3 6\n"));
    assert_eq!(report["meta"]["outputs"], json!([]));
    for made in ["word_count/dist", "word_count/build", ".x07-wasm", "dist", "build"] {
        assert!(!place.path(made).exists(), "{made} was made");
    }
}

#[test]
fn a_project_and_its_module_give_the_same() {
    let place = Place::with_example("json_field");
    place.run("build --project json_field/x07.json --json").ok();
    let input = "json_field/tests/cases/array.in";
    let direct = place.run(&format!("run --project json_field/x07.json --input {input} --json")).ok();
    let built = place.run(&format!("run --wasm json_field/dist/json_field.wasm --input {input} --json")).ok();
    assert_eq!(direct["result"]["wasm"]["sha256"], built["result"]["wasm"]["sha256"], "the module is the same");
    assert_eq!(direct["result"]["output"], built["result"]["output"]);
}

#[test]
fn a_project_that_does_not_compile_is_reported_as_by_build_and_leaves_no_incident() {
    let place = Place::new();
    place.project("app", &json!(["no.such", "input"]));
    let built = place.run("build --project app/x07.json --json");
    let run = place.run("run --project app/x07.json --input-hex 00 --json");
    assert_eq!((run.status, run.codes()), (built.status, built.codes()));
    assert!(!place.path(".x07-wasm").exists());
}

#[test]
fn a_run_needs_no_program_no_network_and_no_clock() {
    let place = echo();
    for args in [["--wasm", "echo.wasm"], ["--project", "app/x07.json"]] {
        let run = place.run_with(&["run", args[0], args[1], "--input-hex", "6869", "--json"], |command| {
            command.env("PATH", "");
        });
        let report = run.ok();
        assert_eq!(
            report["meta"]["nondeterminism"],
            json!({ "uses_network": false, "uses_os_time": false, "uses_process": false })
        );
        assert_eq!(report["result"]["engine"]["name"], "wasmtime");
        assert!(report["result"]["engine"]["version"].is_string());
    }
}

#[test]
fn two_reports_of_a_run_differ_in_the_time_only() {
    let place = echo();
    let mut reports = [run(&place, &["--input-hex", "00"]).ok(), run(&place, &["--input-hex", "00"]).ok()];
    for report in &mut reports {
        report["meta"]["elapsed_ms"] = json!(0);
    }
    assert_eq!(reports[0], reports[1]);
}

#[test]
fn the_report_says_where_things_were_placed() {
    let report = run(&echo(), &["--input-hex", "0001020304"]).ok();
    let memory = &report["result"]["memory"];
    let at = |name: &str| memory[name].as_u64().unwrap_or_else(|| panic!("no {name} in {memory:#}"));
    let align8 = |n: u64| n.div_ceil(8) * 8;
    let base = at("heap_base").max(at("data_end"));
    assert_eq!(at("retptr"), align8(base));
    assert_eq!(at("input_ptr"), align8(at("retptr") + 8));
    assert_eq!(at("arena_ptr"), align8(at("input_ptr") + 5));
    assert!(memory["plan"].is_object());
    assert_eq!(report["result"]["trap"], Value::Null);
}
