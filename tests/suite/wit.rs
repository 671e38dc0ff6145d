//! `wit validate`: the registry of WIT packages, their files, digests, text and dependencies.

use crate::support::{Place, Run, codes, copy_tree, root};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use x07_wasm::contract::digest::sha256_hex;

const INDEX: &str = "arch/wit/index.x07wit.json";
const COUNT: usize = 13;

/// A place with the committed registry and packages.
fn committed() -> Place {
    let place = Place::new();
    copy_tree(&root().join("wit"), &place.path("wit"));
    copy_tree(&root().join("arch/wit"), &place.path("arch/wit"));
    place
}

/// An entry without a pin.
fn entry(id: &str, path: &str, kind: &str) -> Value {
    json!({"id": id, "path": path, "kind": kind})
}

fn write_index(place: &Place, packages: &[Value]) {
    place.write(INDEX, json!({"schema_version": "x07.arch.wit.index@0.1.0", "packages": packages}).to_string());
}

/// A place with one local package `mine:p@1.0.0` of one file, without a pin.
fn own(text: impl AsRef<[u8]>) -> Place {
    let place = Place::new();
    place.write("own/p.wit", text);
    write_index(&place, &[entry("mine:p@1.0.0", "own", "local")]);
    place
}

fn validate(place: &Place) -> Run {
    place.run("wit validate --json")
}

/// The digest over the WIT files below a folder, computed as the registry describes it.
fn tree(folder: &Path) -> String {
    fn collect(folder: &Path, below: &str, into: &mut BTreeMap<Vec<u8>, String>) {
        for entry in fs::read_dir(folder).expect("readable") {
            let entry = entry.expect("readable");
            let name = format!("{below}{}", entry.file_name().to_str().expect("text"));
            if entry.file_type().expect("known").is_dir() {
                collect(&entry.path(), &format!("{name}/"), into);
            } else if name.ends_with(".wit") {
                let digest = sha256_hex(&fs::read(entry.path()).expect("readable"));
                into.insert(name.clone().into_bytes(), format!("{digest}  {name}\n"));
            }
        }
    }
    let mut lines = BTreeMap::new();
    collect(folder, "", &mut lines);
    sha256_hex(lines.into_values().collect::<String>().as_bytes())
}

fn packages(report: &Value) -> &Vec<Value> {
    report["result"]["packages"].as_array().expect("a list")
}

fn package<'r>(report: &'r Value, id: &str) -> &'r Value {
    packages(report).iter().find(|p| p["id"] == id).unwrap_or_else(|| panic!("no {id} in {report:#}"))
}

fn diagnostic<'r>(report: &'r Value, code: &str) -> &'r Value {
    let list = report["diagnostics"].as_array().expect("a list");
    list.iter().find(|d| d["code"] == code).unwrap_or_else(|| panic!("no {code} in {report:#}"))
}

#[test]
fn the_packages_of_the_tool_stand_in_for_a_missing_registry() {
    let place = Place::new();
    let report = place.run("wit validate --strict --json").ok();
    assert_eq!(codes(&report), ["X07WASM_REGISTRY_BUILTIN_USED"]);
    let result = &report["result"];
    assert_eq!((&result["mode"], &result["strict"]), (&json!("validate"), &json!(true)));
    assert_eq!(result["index"]["path"], format!("builtin:{INDEX}"));
    assert_eq!(result["packages_total"], COUNT);
    assert_eq!((&result["packages_ok"], &result["packages_failed"]), (&json!(COUNT), &json!(0)));
    let inputs = report["meta"]["inputs"].as_array().expect("a list");
    assert!(inputs.iter().all(|i| i["path"].as_str().is_some_and(|p| p.starts_with("builtin:"))));
    assert!(inputs.iter().any(|i| i["path"] == "builtin:wit/deps/wasi/http/0.2.8/proxy.wit"));
    // Another registry that is missing is not replaced.
    let report = place.run("wit validate --index other.json --json").expect(3, "X07WASM_WIT_INDEX_READ_FAILED");
    assert_eq!(report["result"]["index"]["path"], "other.json");
    assert_eq!(report["result"]["packages_total"], 0);
}

#[test]
fn the_committed_registry_pins_what_is_there_and_what_is_carried() {
    let carried = Place::new().run("wit validate --json").ok();
    let place = committed();
    let report = place.run("wit validate --strict --json").ok();
    assert_eq!(report["diagnostics"], json!([]));
    assert_eq!(report["result"]["packages"], carried["result"]["packages"]);
    assert_eq!(packages(&report).len(), COUNT);
    for package in packages(&report) {
        let path = package["path"].as_str().expect("a path");
        assert_eq!(package["sha256_tree"], tree(&root().join(path)), "{path}");
    }
    let inputs = report["meta"]["inputs"].as_array().expect("a list");
    assert_eq!(inputs[0]["path"], INDEX);
    assert!(inputs.iter().any(|i| i["path"] == "wit/deps/wasi/cli/0.2.8/command.wit"));
}

#[test]
fn worlds_and_dependencies_are_told() {
    let report = Place::new().run("wit validate --json").ok();
    let expected: [(&str, &str, &[&str], &[&str]); COUNT] = [
        ("x07:solve@0.1.0", "local", &["solve"], &[]),
        ("x07:web-ui@0.2.0", "local", &["web-ui-app"], &[]),
        ("x07:web-ui-adapter@0.1.0", "local", &["web-ui-app-with-solve"], &["x07:solve@0.1.0", "x07:web-ui@0.2.0"]),
        ("x07:cli-adapter@0.1.0", "local", &["command-with-solve"], &["wasi:cli@0.2.8", "x07:solve@0.1.0"]),
        ("x07:http-adapter@0.1.0", "local", &["proxy-with-solve"], &["wasi:http@0.2.8", "x07:solve@0.1.0"]),
        ("x07:http-state-doc-adapter@0.1.0", "local", &["proxy-with-solve"], &["wasi:http@0.2.8", "x07:solve@0.1.0"]),
        (
            "wasi:cli@0.2.8",
            "vendored",
            &["command", "imports"],
            &["wasi:clocks@0.2.8", "wasi:filesystem@0.2.8", "wasi:io@0.2.8", "wasi:random@0.2.8", "wasi:sockets@0.2.8"],
        ),
        ("wasi:clocks@0.2.8", "vendored", &["imports"], &["wasi:io@0.2.8"]),
        ("wasi:filesystem@0.2.8", "vendored", &["imports"], &["wasi:clocks@0.2.8", "wasi:io@0.2.8"]),
        (
            "wasi:http@0.2.8",
            "vendored",
            &["imports", "proxy"],
            &["wasi:cli@0.2.8", "wasi:clocks@0.2.8", "wasi:io@0.2.8", "wasi:random@0.2.8"],
        ),
        ("wasi:io@0.2.8", "vendored", &["imports"], &[]),
        ("wasi:random@0.2.8", "vendored", &["imports"], &[]),
        ("wasi:sockets@0.2.8", "vendored", &["imports"], &["wasi:clocks@0.2.8", "wasi:io@0.2.8"]),
    ];
    for (found, (id, kind, worlds, dependencies)) in packages(&report).iter().zip(expected) {
        assert_eq!((&found["id"], &found["kind"]), (&json!(id), &json!(kind)));
        assert_eq!((&found["worlds"], &found["dependencies"]), (&json!(worlds), &json!(dependencies)), "{id}");
    }
}

#[test]
fn packages_are_chosen_by_id_and_reported_in_the_order_of_the_registry() {
    let place = committed();
    let line = "wit validate --package wasi:http@0.2.8 --package x07:solve@0.1.0 --list --json";
    let report = place.run(line).ok();
    assert_eq!(report["result"]["mode"], "list");
    let ids: Vec<&Value> = packages(&report).iter().map(|p| &p["id"]).collect();
    assert_eq!(ids, ["x07:solve@0.1.0", "wasi:http@0.2.8"]);
    assert_eq!(report["result"]["packages_total"], 2);
    assert_eq!(place.run("wit-validate --json").ok()["command"], "x07-wasm.wit.validate");
    // What is not chosen and not needed is not looked at.
    place.write("wit/deps/wasi/random/0.2.8/random.wit", "broken");
    place.run("wit validate --package wasi:sockets@0.2.8 --json").ok();
}

#[test]
fn an_id_that_is_not_registered_is_refused_with_those_that_are() {
    let line = "wit validate --package x07:solve@0.1.0 --package x07:solve@9.9.9 --json";
    let report = committed().run(line).expect(3, "X07WASM_WIT_PACKAGE_NOT_FOUND");
    let found = diagnostic(&report, "X07WASM_WIT_PACKAGE_NOT_FOUND");
    assert_eq!(found["data"]["package_id"], "x07:solve@9.9.9");
    assert!(found["message"].as_str().is_some_and(|m| m.contains("x07:solve@0.1.0") && m.contains(INDEX)));
    assert_eq!(packages(&report).len(), 1, "what is registered is checked all the same");
}

#[test]
fn a_changed_byte_in_a_vendored_file_is_found() {
    let place = committed();
    let path = "wit/deps/wasi/io/0.2.8/poll.wit";
    let mut bytes = place.read(path);
    let at = bytes.iter().position(|b| *b == b'p').expect("a letter");
    bytes[at] = b'q';
    place.write(path, bytes);
    let run = validate(&place);
    let report = run.expect(1, "X07WASM_WIT_PACKAGE_SHA256_TREE_MISMATCH");
    assert_eq!(run.codes().len(), 1, "one change, one error: {report:#}");
    let found = diagnostic(&report, "X07WASM_WIT_PACKAGE_SHA256_TREE_MISMATCH");
    assert_eq!((&found["severity"], &found["stage"]), (&json!("error"), &json!("run")));
    let digest = tree(&place.path("wit/deps/wasi/io/0.2.8"));
    assert_eq!((&found["data"]["found"], &found["data"]["package_id"]), (&json!(digest), &json!("wasi:io@0.2.8")));
    assert!(found["message"].as_str().is_some_and(|m| m.contains(&digest)), "the digest to pin is shown");
    let summary = package(&report, "wasi:io@0.2.8");
    assert_eq!((&summary["ok"], &summary["worlds"]), (&json!(false), &json!([])));
    assert_eq!(summary["sha256_tree"], digest);
    assert_eq!(report["result"]["packages_failed"], 1);
}

#[test]
fn converted_line_ends_are_found_and_named() {
    let place = committed();
    let path = "wit/x07/solve/0.1.0/solve.wit";
    let text = String::from_utf8(place.read(path)).expect("text");
    assert!(!text.contains('\r'));
    place.write(path, text.replace('\n', "\r\n"));
    let report = validate(&place).expect(1, "X07WASM_WIT_PACKAGE_SHA256_TREE_MISMATCH");
    let found = diagnostic(&report, "X07WASM_WIT_PACKAGE_SHA256_TREE_MISMATCH");
    assert!(found["notes"][0].as_str().is_some_and(|n| n.contains("CRLF")), "{found:#}");
    // With the digest of the new files it is a package like any other.
    let mut index: Value = serde_json::from_slice(&place.read(INDEX)).expect("JSON");
    index["packages"][0]["sha256_tree"] = json!(tree(&place.path("wit/x07/solve/0.1.0")));
    place.write(INDEX, index.to_string());
    place.run("wit validate --strict --json").ok();
}

#[test]
fn a_pin_is_wanted_and_must_be_there_for_what_is_vendored() {
    let place = committed();
    let mut index: Value = serde_json::from_slice(&place.read(INDEX)).expect("JSON");
    let list = index["packages"].as_array_mut().expect("a list");
    for package in list.iter_mut().filter(|p| p["id"] == "wasi:io@0.2.8" || p["id"] == "x07:solve@0.1.0") {
        package.as_object_mut().expect("an object").remove("sha256_tree");
    }
    place.write(INDEX, index.to_string());
    let run = validate(&place);
    let report = run.expect(3, "X07WASM_WIT_PACKAGE_SHA256_TREE_MISSING");
    assert_eq!(
        run.codes(),
        ["X07WASM_WIT_PACKAGE_SHA256_TREE_UNPINNED", "X07WASM_WIT_PACKAGE_SHA256_TREE_MISSING"],
        "{report:#}"
    );
    let missing = diagnostic(&report, "X07WASM_WIT_PACKAGE_SHA256_TREE_MISSING");
    let digest = tree(&place.path("wit/deps/wasi/io/0.2.8"));
    assert!(missing["message"].as_str().is_some_and(|m| m.contains(&digest)), "the digest to pin is shown");

    let line = "wit validate --package x07:solve@0.1.0 --json";
    let report = place.run(line).ok();
    let unpinned = diagnostic(&report, "X07WASM_WIT_PACKAGE_SHA256_TREE_UNPINNED");
    assert_eq!((&unpinned["severity"], &unpinned["stage"]), (&json!("warning"), &json!("parse")));
    assert_eq!(package(&report, "x07:solve@0.1.0")["ok"], true);
    let line = "wit validate --package x07:solve@0.1.0 --strict --json";
    let report = place.run(line).expect(3, "X07WASM_WIT_PACKAGE_SHA256_TREE_UNPINNED");
    assert_eq!(package(&report, "x07:solve@0.1.0")["ok"], false);
}

#[test]
fn a_package_is_what_it_declares_to_be() {
    for text in ["package mine:q@1.0.0;", "package mine:p@1.0.1;", "package mine:p;"] {
        let report = validate(&own(text)).expect(3, "X07WASM_WIT_PACKAGE_ID_MISMATCH");
        let found = diagnostic(&report, "X07WASM_WIT_PACKAGE_ID_MISMATCH");
        assert_eq!(found["data"]["expected"], "mine:p@1.0.0", "{text}");
        assert_eq!(package(&report, "mine:p@1.0.0")["ok"], false);
    }
    validate(&own("package mine:p@1.0.0;")).ok();
}

#[test]
fn an_id_that_is_registered_twice_is_reported_where_it_stands() {
    let place = own("package mine:p@1.0.0;");
    write_index(&place, &[entry("mine:p@1.0.0", "own", "local"), entry("mine:p@1.0.0", "own", "local")]);
    let report = validate(&place).expect(3, "X07WASM_WIT_INDEX_DUPLICATE_PACKAGE_ID");
    let found = diagnostic(&report, "X07WASM_WIT_INDEX_DUPLICATE_PACKAGE_ID");
    assert_eq!(found["data"]["instance_path"], "/packages/1/id");
    assert_eq!(report["result"]["packages_total"], 2);
}

#[test]
fn a_path_must_lead_to_a_folder_here() {
    let place = own("package mine:p@1.0.0;");
    let paths = ["nowhere", "own/p.wit", "own\\p", "own//p", "."];
    for path in paths {
        write_index(&place, &[entry("mine:p@1.0.0", path, "local")]);
        let report = validate(&place).expect(3, "X07WASM_WIT_PACKAGE_PATH_NOT_DIR");
        let found = diagnostic(&report, "X07WASM_WIT_PACKAGE_PATH_NOT_DIR");
        assert_eq!((&found["data"]["path"], &found["stage"]), (&json!(path), &json!("parse")));
    }
    write_index(&place, &[entry("mine:p@1.0.0", "./own/", "local")]);
    validate(&place).ok();
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let place = own("package mine:p@1.0.0;");
    let before = validate(&place).ok();
    let outside = Place::new();
    outside.write("more.wit", "package mine:p@1.0.0; interface more {}");
    symlink(outside.path("more.wit"), place.path("own/more.wit")).expect("linked");
    symlink(outside.path(""), place.path("own/deeper")).expect("linked");
    let after = validate(&place).ok();
    assert_eq!(before["result"]["packages"], after["result"]["packages"]);
    // Nor when the package itself is one.
    symlink(place.path("own"), place.path("linked")).expect("linked");
    write_index(&place, &[entry("mine:p@1.0.0", "linked", "local")]);
    validate(&place).expect(3, "X07WASM_WIT_PACKAGE_PATH_NOT_DIR");
}

#[test]
fn each_problem_of_the_registry_has_its_code() {
    let place = own("package mine:p@1.0.0;");
    let listed = |package: Value| json!({"schema_version": "x07.arch.wit.index@0.1.0", "packages": [package]});
    let cases = [
        ("{".to_owned(), "X07WASM_WIT_INDEX_READ_FAILED"),
        (String::new(), "X07WASM_WIT_INDEX_READ_FAILED"),
        ("{\"packages\":[],\"packages\":[]}".to_owned(), "X07WASM_WIT_INDEX_READ_FAILED"),
        ("{}".to_owned(), "X07WASM_SCHEMA_INVALID"),
        ("[]".to_owned(), "X07WASM_SCHEMA_INVALID"),
        (listed(entry("mine:p", "own", "local")).to_string(), "X07WASM_SCHEMA_INVALID"),
        (listed(entry("mine:p@1.0.0", "../own", "local")).to_string(), "X07WASM_SCHEMA_INVALID"),
        (listed(entry("mine:p@1.0.0", "/own", "local")).to_string(), "X07WASM_SCHEMA_INVALID"),
        (listed(entry("mine:p@1.0.0", "own", "borrowed")).to_string(), "X07WASM_WIT_PACKAGE_KIND_UNKNOWN"),
    ];
    for (text, code) in cases {
        place.write(INDEX, &text);
        let run = validate(&place);
        let report = run.expect(3, code);
        assert!(run.codes().iter().all(|c| c == code), "{text}: {:?}", run.codes());
        assert_eq!(report["result"]["index"]["sha256"], sha256_hex(text.as_bytes()), "it was read");
        assert!(packages(&report).is_empty(), "{text}");
    }
    fs::remove_file(place.path(INDEX)).expect("removed");
    fs::create_dir(place.path(INDEX)).expect("made");
    validate(&place).expect(3, "X07WASM_WIT_INDEX_READ_FAILED");
}

#[test]
fn a_mistake_in_the_text_is_reported_at_its_place() {
    for (text, line, column) in [
        ("package mine:p@1.0.0;\n\ninterface i {\n  f: func(x: nothing);\n}\n", 4, 14),
        ("package mine:p@1.0.0;\nworld w {\n  import nowhere;\n}\n", 3, 10),
        ("package mine:p@1.0.0;\ninterface i {", 2, 14),
        ("package mine:p@1.0.0;\n\u{7}", 2, 1),
    ] {
        let report = validate(&own(text)).expect(3, "X07WASM_WIT_PACKAGE_PARSE_FAILED");
        let found = diagnostic(&report, "X07WASM_WIT_PACKAGE_PARSE_FAILED");
        assert_eq!(found["data"]["file"], "own/p.wit");
        let start = &found["loc"]["span"]["start"];
        assert_eq!((&start["line"], &start["col"]), (&json!(line), &json!(column)), "{text}: {found:#}");
    }
    let report = validate(&own(b"package mine:p@1.0.0;\n\xff")).expect(3, "X07WASM_WIT_PACKAGE_PARSE_FAILED");
    assert_eq!(diagnostic(&report, "X07WASM_WIT_PACKAGE_PARSE_FAILED")["loc"]["span"]["start"]["line"], 2);
    // Nothing to point at.
    for text in ["", "interface i {}"] {
        validate(&own(text)).expect(3, "X07WASM_WIT_PACKAGE_PARSE_FAILED");
    }
}

#[test]
fn references_to_other_packages_are_resolved() {
    let place = committed();
    let mut index: Value = serde_json::from_slice(&place.read(INDEX)).expect("JSON");
    let list = index["packages"].as_array_mut().expect("a list");
    list.push(entry("mine:p@1.0.0", "own", "local"));
    place.write(INDEX, index.to_string());
    let line = "wit validate --package mine:p@1.0.0 --json";

    place.write("own/p.wit", "package mine:p@1.0.0;\nworld w { include wasi:http/proxy@0.2.8; }");
    assert_eq!(package(&place.run(line).ok(), "mine:p@1.0.0")["dependencies"], json!(["wasi:http@0.2.8"]));

    for (text, line_number, name) in [
        ("package mine:p@1.0.0;\nworld w { import wasi:io/nothing@0.2.8; }", 2, "nothing"),
        ("package mine:p@1.0.0;\n\nworld w { include wasi:http/elsewhere@0.2.8; }", 3, "elsewhere"),
        ("package mine:p@1.0.0;\ninterface i { use wasi:io/poll@0.2.8.{pebble}; }", 2, "pebble"),
    ] {
        place.write("own/p.wit", text);
        let report = place.run(line).expect(3, "X07WASM_WIT_PACKAGE_PARSE_FAILED");
        let found = diagnostic(&report, "X07WASM_WIT_PACKAGE_PARSE_FAILED");
        assert!(found["message"].as_str().is_some_and(|m| m.contains(name)), "{found:#}");
        assert_eq!(found["loc"]["span"]["start"]["line"], line_number, "{found:#}");
        assert_eq!(package(&report, "mine:p@1.0.0")["ok"], false);
    }

    // A package that is needed must be what is pinned, also when it was not asked for.
    place.write("own/p.wit", "package mine:p@1.0.0;\nworld w { include wasi:http/proxy@0.2.8; }");
    place.write("wit/deps/wasi/io/0.2.8/more.wit", "package wasi:io@0.2.8;");
    let report = place.run(line).expect(1, "X07WASM_WIT_PACKAGE_SHA256_TREE_MISMATCH");
    assert_eq!(package(&report, "mine:p@1.0.0")["ok"], false);
    assert_eq!(packages(&report).len(), 1);
}

#[test]
fn a_dependency_that_is_not_registered_is_a_warning() {
    let place = own("package mine:p@1.0.0;\nworld w { import mine:q/i@1.0.0; import mine:r/i; }");
    let run = validate(&place);
    let report = run.ok();
    let missing: Vec<String> = run.codes().into_iter().filter(|c| c.ends_with("DEP_MISSING")).collect();
    assert_eq!(missing, ["X07WASM_WIT_PACKAGE_DEP_MISSING", "X07WASM_WIT_PACKAGE_DEP_MISSING"]);
    let found = diagnostic(&report, "X07WASM_WIT_PACKAGE_DEP_MISSING");
    assert_eq!((&found["severity"], &found["stage"]), (&json!("warning"), &json!("parse")));
    // Reports name packages by version.
    assert_eq!(package(&report, "mine:p@1.0.0")["dependencies"], json!(["mine:q@1.0.0"]));
    let report = place.run("wit validate --strict --json").expect(3, "X07WASM_WIT_PACKAGE_DEP_MISSING");
    assert_eq!(report["result"]["packages_failed"], 1);
}

#[test]
fn packages_that_need_one_another_are_refused() {
    let place = Place::new();
    place.write("a/a.wit", "package mine:a@1.0.0;\ninterface i { use mine:b/i@1.0.0.{t}; }");
    place.write("b/b.wit", "package mine:b@1.0.0;\ninterface i { type t = u8; use mine:a/i@1.0.0.{t as u}; }");
    write_index(&place, &[entry("mine:a@1.0.0", "a", "local"), entry("mine:b@1.0.0", "b", "local")]);
    let report = validate(&place).expect(3, "X07WASM_WIT_PACKAGE_PARSE_FAILED");
    assert_eq!(report["result"]["packages_failed"], 2);
    let found = diagnostic(&report, "X07WASM_WIT_PACKAGE_PARSE_FAILED");
    assert!(found["message"].as_str().is_some_and(|m| m.contains("cycle")), "{found:#}");
}

#[test]
fn a_package_that_is_too_large_has_no_digest() {
    let place = own("package mine:p@1.0.0;");
    place.write("own/deep/large.wit", vec![b'\n'; 2 << 20]);
    let report = validate(&place).expect(1, "X07WASM_WIT_PACKAGE_SHA256_TREE_FAILED");
    let summary = package(&report, "mine:p@1.0.0");
    assert_eq!((&summary["ok"], &summary["sha256_tree"]), (&json!(false), &Value::Null));
}

#[test]
fn what_the_parser_cannot_stand_is_a_diagnostic() {
    let deep = format!(
        "package mine:p@1.0.0;\ninterface i {{ type t = {}u8{}; }}",
        "list<".repeat(20_000),
        ">".repeat(20_000)
    );
    let mut chain = "package mine:p@1.0.0;\ninterface i { type t0 = u8;".to_owned();
    (0..20_000).for_each(|i| chain.push_str(&format!(" type t{} = t{i};", i + 1)));
    chain.push('}');
    let twice = "package mine:p@1.0.0;\ninterface i {\n  @since(version = 1.0.0)\n  @since(version = 1.0.0)\n  use mine:q/i@1.0.0.{t};\n}";
    for text in [deep.as_str(), chain.as_str(), twice, "package mine:p@99999999999999999999.0.0;", "/*/*/*"] {
        let run = validate(&own(text));
        assert_eq!(run.status, 3, "{}", run.stderr);
        run.expect(3, "X07WASM_WIT_PACKAGE_PARSE_FAILED");
    }
}

#[test]
fn people_get_one_line_for_each_package() {
    let place = committed();
    let run = place.run("wit validate");
    assert_eq!((run.status, run.stdout.as_slice()), (0, &b""[..]));
    assert_eq!(run.stderr.lines().count(), COUNT, "{}", run.stderr);
    assert!(run.stderr.lines().all(|line| line.starts_with("ok: ")), "{}", run.stderr);
    assert!(run.stderr.contains("ok: wasi:http@0.2.8 (vendored): imports, proxy"), "{}", run.stderr);

    let run = place.run("wit validate --list");
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let text = String::from_utf8(run.stdout).expect("text");
    assert_eq!(text.lines().count(), COUNT);
    assert!(text.contains("x07:solve@0.1.0  local  wit/x07/solve/0.1.0  solve\n"), "{text}");

    place.write("wit/x07/solve/0.1.0/solve.wit", "package x07:solve@0.1.0;");
    let run = place.run("wit validate");
    assert_eq!(run.status, 1);
    assert!(run.stderr.contains("error[X07WASM_WIT_PACKAGE_SHA256_TREE_MISMATCH]"), "{}", run.stderr);
    assert!(run.stderr.lines().any(|line| line.starts_with("failed: x07:solve@0.1.0")), "{}", run.stderr);
}

#[test]
fn a_broken_registry_keeps_components_from_being_compared() {
    let place = Place::new();
    place.write("empty.wasm", b"\0asm\x0d\0\x01\0");
    place.write(INDEX, "{");
    let line = "component targets --component empty.wasm --wit wit/x07/solve/0.1.0/solve.wit --world solve --json";
    place.run(line).expect(3, "X07WASM_WIT_BUNDLE_INDEX_READ_FAILED");
}
