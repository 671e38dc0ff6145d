//! The reducer loop: core modules that answer HTTP requests.
//!
//! | module | promise |
//! |---|---|
//! | `serve` | canary and lines of standard input: responses, traces, failures, incidents |
//! | `effects` | every effect: what it gives, how it fails, what it may use |
//! | `limits` | every limit of a request and of a call |
//! | `listen` | the same behind a socket |
//! | `replay` | `http test`: traces of hosts and of files |
//! | `regress` | `http regress from-incident`: a test that runs |
//! | `contracts` | `http contracts validate`: schemas and fixtures |

mod contracts;
mod effects;
mod limits;
mod listen;
mod regress;
mod replay;
mod serve;

use crate::support::{Place, Run, root};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use x07_wasm::contract::ContractInfo;
use x07_wasm::contract::validate::violations;

/// A folder with the module of an example as `r.wasm`.
pub fn example(name: &str) -> Place {
    let name = format!("http_reducer_{name}");
    let place = Place::with_example(&name);
    build(&place, &name, "r.wasm");
    place
}

/// Builds a project of a place.
pub fn build(place: &Place, project: &str, out: &str) {
    place.run(&format!("build --project {project}/x07.json --out {out} --no-manifest --json")).ok();
}

/// A folder with a reducer `r.wasm` that asks for the effects in the body of the request and then
/// answers with their results.
pub fn scripted() -> Place {
    let solve = json!([
        "begin",
        ["let", "state", ["reducer.member", "input", ["bytes.view_lit", "state"]]],
        [
            "if",
            ["bytes.eq", "state", ["bytes.view_lit", "null"]],
            ["begin", ["let", "effects", ["main.script"]], ["return", ["reducer.ask", "effects"]]],
            0
        ],
        ["main.results"]
    ]);
    of_program(&[script(), results()], &solve)
}

/// A folder with a reducer `r.wasm` that returns the body of the request as it is.
pub fn raw() -> Place {
    of_program(&[script()], &json!(["main.script"]))
}

/// A folder with a reducer `r.wasm` that traps in the function `main.trap`.
pub fn trapping() -> Place {
    let trap = json!({"kind": "defn", "name": "main.trap", "params": [], "result": "bytes",
        "body": ["view.to_bytes", ["view.slice", "input", 100_000, 1]]});
    of_program(&[trap], &json!(["main.trap"]))
}

fn of_program(declarations: &[Value], solve: &Value) -> Place {
    let place = Place::new();
    let entry = json!({
        "schema_version": "x07.x07ast@0.5.0",
        "kind": "entry",
        "module_id": "main",
        "imports": ["reducer", "std.codec", "std.doc", "std.http.envelope"],
        "decls": declarations,
        "solve": solve,
    });
    place.project_of("app", &entry.to_string());
    let module = root().join("examples/http_reducer_kv/src/reducer.x07.json");
    place.write("app/src/reducer.x07.json", fs::read(module).expect("the module of the example"));
    build(&place, "app", "r.wasm");
    place
}

/// The bytes of the request's body.
fn script() -> Value {
    json!({"kind": "defn", "name": "main.script", "params": [], "result": "bytes", "body": ["begin",
        ["let", "quoted", ["reducer.member", "input", ["bytes.view_lit", "request.body.base64"]]],
        ["let", "text", ["bytes.subview", "quoted", 1, ["-", ["bytes.len", "quoted"], 2]]],
        ["let", "doc", ["std.codec.base64_decode_v1", "text"]],
        ["std.doc.payload_v1", "doc"]
    ]})
}

/// A frame whose response holds the results of the effects.
fn results() -> Value {
    let head = r#"{"v":1,"kind":"x07.http.frame","state":null,"effects":[],"telemetry":{},"response":"#;
    json!({"kind": "defn", "name": "main.results", "params": [], "result": "bytes", "body": ["begin",
        ["let", "results", ["reducer.member", "input", ["bytes.view_lit", "effect_results"]]],
        ["let", "coded", ["std.codec.base64_encode_v1", "results"]],
        ["let", "quoted", ["vec_u8.with_capacity", ["+", ["bytes.len", "coded"], 2]]],
        ["set", "quoted", ["vec_u8.push", "quoted", 34]],
        ["set", "quoted", ["vec_u8.extend_bytes", "quoted", "coded"]],
        ["set", "quoted", ["vec_u8.push", "quoted", 34]],
        ["let", "response", ["std.http.envelope.response_base64_canon_v1",
            ["reducer.member", "input", ["bytes.view_lit", "request.id"]],
            200,
            ["bytes.view_lit", "[]"],
            ["bytes.len", "results"],
            "quoted"]],
        ["let", "frame", ["vec_u8.with_capacity", ["+", ["bytes.len", "response"], 128]]],
        ["set", "frame", ["vec_u8.extend_bytes", "frame", ["bytes.view_lit", head]]],
        ["set", "frame", ["vec_u8.extend_bytes", "frame", "response"]],
        ["set", "frame", ["vec_u8.push", "frame", 125]],
        ["vec_u8.into_bytes", "frame"]
    ]})
}

/// A request with this body, as a line of standard input.
pub fn line(id: &str, body: &str) -> String {
    let envelope = json!({
        "schema_version": "x07.http.request.envelope@0.1.0",
        "id": id,
        "method": "POST",
        "path": "/",
        "headers": [],
        "body": { "bytes_len": body.len(), "base64": STANDARD.encode(body) },
    });
    format!("{envelope}\n")
}

/// Serves lines of standard input with `r.wasm`.
pub fn serve(place: &Place, arguments: &str, lines: &str) -> Run {
    serve_with(place, arguments, lines, &[])
}

/// The same with variables of the environment.
pub fn serve_with(place: &Place, arguments: &str, lines: &str, variables: &[(&str, &str)]) -> Run {
    let requests = place.write("requests.ndjson", lines);
    let words = format!("http serve --component r.wasm {arguments}");
    place.run_with(&words.split_whitespace().collect::<Vec<_>>(), |command| {
        command.env_remove("X07_WASM_HTTP_FETCH_ALLOW_HOSTS");
        command.stdin(File::open(requests).expect("the requests")).envs(variables.iter().copied());
    })
}

/// The bytes of a payload.
pub fn decoded(payload: &Value) -> Vec<u8> {
    STANDARD.decode(payload["base64"].as_str().expect("base64")).expect("base64")
}

/// The results that a scripted reducer got, from its only response on standard output.
#[track_caller]
pub fn results_of(run: &Run) -> Vec<Value> {
    let response: Value = serde_json::from_slice(&run.stdout).unwrap_or_else(|e| panic!("{e}: {run:?}"));
    assert_eq!(response["status"], 200, "{response:#}");
    serde_json::from_slice(&decoded(&response["body"])).expect("a list of results")
}

/// Reads a document and checks it against a contract.
#[track_caller]
pub fn document(place: &Place, path: &str, contract: &str) -> Value {
    let value: Value = serde_json::from_slice(&place.read(path)).expect("JSON");
    let contract = ContractInfo::find(contract).expect("a contract");
    assert_eq!(violations(contract, &value), [], "{value:#}");
    value
}

/// Reads the incident that a report names.
#[track_caller]
pub fn incident(place: &Place, folder: &Value) -> Value {
    let folder = folder.as_str().expect("the folder of an incident");
    let incident: Value = serde_json::from_slice(&place.read(format!("{folder}/incident.json"))).expect("JSON");
    assert_eq!((&incident["kind"], &incident["v"]), (&json!("x07.http.incident"), &json!(1)));
    let trace = ContractInfo::find("x07-http.trace").expect("a contract");
    assert_eq!(violations(trace, &incident["trace"]), [], "{incident:#}");
    incident
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The first diagnostic with this code.
#[track_caller]
pub fn diagnostic<'r>(report: &'r Value, code: &str) -> &'r Value {
    let list = report["diagnostics"].as_array().expect("a list");
    list.iter().find(|d| d["code"] == code).unwrap_or_else(|| panic!("no {code} in {report:#}"))
}
