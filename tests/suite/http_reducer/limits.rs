//! Every limit of a request and of a call.

use super::{build, diagnostic, example, incident, line, scripted, serve, serve_with};
use crate::support::Place;
use serde_json::{Value, json};
use std::net::TcpListener;

/// Runs the canary of `r.wasm` and expects a limit.
#[track_caller]
fn canary(place: &Place, arguments: &str, code: &str) -> Value {
    let report = place.run(&format!("http serve --component r.wasm --mode canary {arguments} --json")).expect(4, code);
    assert_eq!(
        report["result"]["responses"].as_array().map(Vec::len),
        report["result"]["requests"].as_u64().map(|n| n as usize)
    );
    report
}

#[test]
fn a_request_has_a_number_of_calls() {
    let place = example("kv");
    let code = "X07WASM_BUDGET_EXCEEDED_HTTP_EFFECTS_LOOPS";
    let report = canary(&place, "--max-effect-steps 1", code);
    assert_eq!(diagnostic(&report, code)["data"]["max_effect_steps"], 1);
    assert_eq!(report["result"]["responses"], json!([{"status": 500, "headers_count": 0, "body_bytes": 0}]));
    let incident = incident(&place, &report["result"]["incident_dir"]);
    assert_eq!(incident["trace"]["steps"].as_array().map(Vec::len), Some(1));
    assert_eq!(incident["failed"]["actual_frame"]["effects"][0]["id"], "put");
    canary(&place, "--max-effect-steps 0", code);
    place.run("http serve --component r.wasm --mode canary --max-effect-steps 2 --json").ok();
}

#[test]
fn results_of_effects_have_a_size() {
    let place = scripted();
    let code = "X07WASM_BUDGET_EXCEEDED_HTTP_EFFECT_RESULT_BYTES";
    let effects = json!([
        {"id": "p", "type": "kv.put", "key": "k", "value": {"bytes_len": 10, "text": "0123456789"}},
        {"id": "a", "type": "kv.get", "key": "k"},
        {"id": "b", "type": "kv.get", "key": "none"},
        {"id": "c", "type": "kv.get", "key": "k"},
    ]);
    let lines = line("req0", &effects.to_string());
    serve(&place, "--max-effect-results-bytes 20 --json", &lines).ok();
    let report = serve(&place, "--max-effect-results-bytes 19 --json", &lines).expect(4, code);
    assert_eq!(diagnostic(&report, code)["data"]["result_bytes"], 20);
    assert_eq!(report["result"]["responses"][0]["status"], 500);
    let report = serve(&place, "--max-effect-results-bytes 0 --json", &lines).expect(4, code);
    assert_eq!(diagnostic(&report, code)["data"]["result_bytes"], 10, "the first value is too much already");
}

#[test]
fn each_request_has_its_own_share() {
    let place = scripted();
    let put = json!([{"id": "p", "type": "kv.put", "key": "k", "value": {"bytes_len": 10, "text": "0123456789"}}, {"id": "g", "type": "kv.get", "key": "k"}]);
    let get = json!([{"id": "g", "type": "kv.get", "key": "k"}]);
    let lines = line("a", &put.to_string()) + &line("b", &get.to_string());
    serve(&place, "--max-effect-results-bytes 10 --json", &lines).ok();
}

#[test]
fn a_call_has_fuel_time_output_and_memory() {
    let place = example("hello");
    canary(&place, "--max-fuel 100", "X07WASM_BUDGET_EXCEEDED_CPU_FUEL");
    canary(&place, "--max-output-bytes 10", "X07WASM_BUDGET_EXCEEDED_OUTPUT");
    canary(&place, "--arena-cap-bytes 4294967295", "X07WASM_BUDGET_EXCEEDED_MEMORY");
    let report = place.run("http serve --component r.wasm --mode canary --max-memory-bytes 65536 --json");
    report.expect(4, "X07WASM_BUDGET_EXCEEDED_MEMORY");
    let spin = Place::with_example("spin");
    build(&spin, "spin", "r.wasm");
    canary(&spin, "--max-fuel none --max-wall-ms 50", "X07WASM_BUDGET_EXCEEDED_WALLTIME");
}

#[test]
fn a_request_has_a_time_for_its_calls_and_its_effects() {
    let code = "X07WASM_BUDGET_EXCEEDED_WALLTIME";
    let spin = Place::with_example("spin");
    build(&spin, "spin", "r.wasm");
    let report = canary(&spin, "--max-fuel none --max-wall-ms none --max-wall-ms-per-request 50", code);
    let notes = diagnostic(&report, code)["notes"].to_string();
    assert!(notes.contains("--max-wall-ms-per-request"), "{notes}");
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", silent.local_addr().expect("an address"));
    let fetch = |id: &str| json!({"id": id, "type": "http.fetch", "method": "GET", "url": url, "headers": [], "body": {"bytes_len": 0}});
    let lines = line("a", &json!([fetch("f"), fetch("g")]).to_string()) + &line("b", "[]");
    let place = scripted();
    let run = serve_with(
        &place,
        "--max-wall-ms-per-request 3000 --json",
        &lines,
        &[("X07_WASM_HTTP_FETCH_ALLOW_HOSTS", "127.0.0.1")],
    );
    let report = run.expect(4, code);
    assert_eq!(run.codes().iter().filter(|c| c.starts_with("X07WASM_HTTP_EFFECT")).count(), 0, "one reason is enough");
    let problem = diagnostic(&report, code);
    assert_eq!((&problem["data"]["request_id"], &problem["data"]["step"]), (&json!("a"), &json!(0)));
    assert!(problem["message"].as_str().is_some_and(|m| m.contains("--max-wall-ms-per-request")), "{problem}");
    assert_eq!(report["result"]["responses"][0]["status"], 500);
    assert_eq!(report["result"]["responses"][1]["status"], 200, "each request has its own time");
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], true);
}

#[test]
fn a_call_has_a_stack_and_tables() {
    let place = Place::new();
    let module = |more: &str, body: &str| {
        let text = format!(
            r#"(module
                (memory (export "memory") 2 2)
                (global (export "__heap_base") i32 (i32.const 1024))
                (global (export "__data_end") i32 (i32.const 1024))
                {more}
                (func $solve (export "x07_solve_v2") (param i32 i32 i32 i32 i32) {body}))"#
        );
        wat::parse_str(text).expect("a module")
    };
    let deeper = "(call $solve (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4))";
    place.write("r.wasm", module("", deeper));
    canary(&place, "--arena-cap-bytes 4096 --max-fuel none", "X07WASM_BUDGET_EXCEEDED_WASM_STACK");
    place.write("r.wasm", module("(table 100 100 funcref)", ""));
    let run =
        place.run("http serve --component r.wasm --mode canary --arena-cap-bytes 4096 --max-table-elements 99 --json");
    run.expect(4, "X07WASM_BUDGET_EXCEEDED_TABLE");
}

#[test]
fn limits_that_no_engine_can_have_are_refused() {
    let place = example("hello");
    let run = place.run("http serve --component r.wasm --mode canary --max-wasm-stack-bytes 3000000 --json");
    run.expect(1, "X07WASM_WASMTIME_ENGINE_FAILED");
    let run = place.run("http serve --component r.wasm --mode canary --max-table-elements 4294967296 --json");
    run.expect(3, "X07WASM_CLI_ARGS_INVALID");
}

#[test]
fn the_limits_in_force_are_reported() {
    let place = example("hello");
    let report = place
        .run("http serve --component r.wasm --mode canary --max-fuel none --max-wasm-stack-bytes 262144 --max-table-elements 5 --json")
        .ok();
    let limits = &report["result"]["runtime_limits"];
    assert_eq!((&limits["max_fuel"], &limits["max_table_elements"]), (&Value::Null, &json!(5)));
    assert_eq!(
        (&limits["max_wasm_stack_bytes"], &limits["instance_allocator"]),
        (&json!(262_144), &json!("on_demand"))
    );
}
