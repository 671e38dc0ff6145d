//! What is reported of an output that was refused, and what it leaves behind.

use super::super::support::{Host, Kind, errors, only_response};
use super::{INVALID, NO_BASE64, UNPARSED, output};
use crate::support::check_report;
use serde_json::{Value, json};
use std::fs;
use x07_wasm::contract::ContractInfo;
use x07_wasm::contract::digest::sha256_hex;
use x07_wasm::contract::validate::violations;

#[test]
fn a_refused_output_is_reported_and_leaves_an_incident() {
    let host = Host::of(Kind::Native.component());
    host.place().write("http.wasm.manifest.json", "{}\n");
    for (output, code, data) in [
        ("{} x".to_owned(), UNPARSED, json!({"offset": 3})),
        (output(&[("body", r#"{"bytes_len":1,"base64":"!"}"#)]), NO_BASE64, Value::Null),
        (output(&[("status", "42")]), INVALID, json!({"reason": "status is not a number from 200 to 599"})),
    ] {
        let run = host.canary_with(output.as_bytes(), &["--path", "/say?x", "--header", "a: b"]);
        let report = run.expect(1, code);
        assert_eq!(errors(&report), [code]);
        let diagnostics = report["diagnostics"].as_array().expect("a list");
        let found = diagnostics.iter().find(|d| d["code"] == code).expect("just seen");
        assert_eq!((&found["data"], &found["stage"]), (&data, &json!("run")));
        let (status, body) = only_response(&report);
        assert!(status == 500 && !body.is_empty() && report["result"]["responses"][0]["ok"] == false, "{report:#}");
        incident(&host, &report, output.as_bytes(), code);
    }
}

/// Checks the only incident of a report.
fn incident(host: &Host, report: &Value, output: &[u8], code: &str) {
    let folders = report["result"]["incidents"].as_array().expect("a list");
    assert_eq!(folders.len(), 1, "{report:#}");
    let folder = host.place().path(folders[0].as_str().expect("a path"));
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    let wanted = [
        "component.manifest.json",
        "incident.manifest.json",
        "request.body.bin",
        "request.body.sha256",
        "request.envelope.json",
        "response.envelope.json",
        "serve.report.json",
    ];
    assert_eq!(names, wanted);
    let read = |name: &str| fs::read(folder.join(name)).expect("readable");
    let document = |name: &str| {
        let value: Value = serde_json::from_slice(&read(name)).expect("JSON");
        let contract = ContractInfo::find(value["schema_version"].as_str().expect("a version")).expect("known");
        assert_eq!(violations(contract, &value), [], "{name}: {value:#}");
        value
    };
    let id = format!("{}:{}", sha256_hex(Kind::Native.component()), sha256_hex(&read("request.envelope.json")));
    assert!(folder.ends_with(&sha256_hex(id.as_bytes())[..32]), "{}", folder.display());
    assert_eq!(read("request.body.bin"), output);
    assert_eq!(read("request.body.sha256"), format!("{}\n", sha256_hex(output)).into_bytes());
    assert_eq!(read("component.manifest.json"), b"{}\n");
    let request = document("request.envelope.json");
    assert_eq!(
        (&request["path"], &request["query"], &request["method"]),
        (&json!("/say"), &json!("x"), &json!("POST"))
    );
    let response = document("response.envelope.json");
    assert_eq!(response["status"], 500);
    assert!(response["headers"].to_string().contains(code), "{response:#}");
    assert_eq!(document("incident.manifest.json")["request"]["envelope"], request);
    assert_eq!(check_report(&read("serve.report.json")), *report);
}
