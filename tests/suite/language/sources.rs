//! Sources that cannot be had, and what the binary says about programs.

use serde_json::{Value, json};
use x07_wasm::compiler::problem::Problem;
use x07_wasm::compiler::source::{ModuleSource, ModuleText, SourceError};
use x07_wasm::compiler::{self, Options};

use super::program::{MEMORY, entry, list, target};
use crate::support::Place;

/// The codes that only the tests of this file raise.
pub const CODES: [&str; 5] = [
    "X07C_MODULE_AMBIGUOUS",
    "X07C_MODULE_DIGEST_MISMATCH",
    "X07C_MODULE_UNREADABLE",
    "X07C_NOT_UTF8",
    "X07C_TEXT_SOURCE_UNSUPPORTED",
];

/// A source whose entry, or else whose module `m`, cannot be had.
struct Broken {
    entry: bool,
    error: SourceError,
}

impl ModuleSource for Broken {
    fn entry(&self) -> Result<ModuleText, SourceError> {
        if self.entry {
            return Err(self.error.clone());
        }
        let text = entry("x07.x07ast@0.9.0", r#"["m"]"#, "[]", r#"["fmt.s32_to_dec",["m.f"]]"#);
        Ok(ModuleText { path: "src/main.x07.json".to_owned(), text })
    }

    fn module(&self, _id: &str) -> Result<ModuleText, SourceError> {
        Err(self.error.clone())
    }
}

fn problems(entry: bool, error: &SourceError) -> Vec<Problem> {
    let source = Broken { entry, error: error.clone() };
    let compiled = compiler::compile(&source, &Options::default(), &target(MEMORY));
    assert!(compiled.wasm.is_none());
    compiled.problems
}

/// Every reason why there is no text, its code, and what the message must say.
fn reasons() -> Vec<(SourceError, &'static str, &'static str)> {
    let path = || "src/m.x07.json".to_owned();
    vec![
        (SourceError::NotFound { searched: vec![path()] }, "X07C_MODULE_NOT_FOUND", "src/m.x07.json"),
        (
            SourceError::Ambiguous { found: vec![path(), "lib/m.x07.json".to_owned()] },
            "X07C_MODULE_AMBIGUOUS",
            "lib/m.x07.json",
        ),
        (SourceError::TextForm { path: path() }, "X07C_TEXT_SOURCE_UNSUPPORTED", "src/m.x07.json"),
        (
            SourceError::Unreadable { path: path(), reason: "is on fire".to_owned() },
            "X07C_MODULE_UNREADABLE",
            "is on fire",
        ),
        (SourceError::TooLarge { path: path(), limit: 4321 }, "X07C_LIMIT_EXCEEDED", "4321"),
        (SourceError::NotUtf8 { path: path(), offset: 77 }, "X07C_NOT_UTF8", "77"),
        (
            SourceError::DigestMismatch { path: path(), expected: "aa11".to_owned(), found: "bb22".to_owned() },
            "X07C_MODULE_DIGEST_MISMATCH",
            "bb22",
        ),
    ]
}

#[test]
fn a_module_that_cannot_be_had_is_reported_at_its_import_and_nowhere_else() {
    for (error, code, said) in reasons() {
        let problems = problems(false, &error);
        let [problem] = problems.as_slice() else { panic!("{error:?}:\n{}", list(&problems)) };
        assert_eq!((problem.code.as_str(), problem.pointer.as_str()), (code, "/imports/0"));
        assert_eq!(problem.module.as_deref(), Some("main"));
        assert!(problem.position.is_some());
        let whole = format!("{} {:?}", problem.message, problem.notes);
        assert!(whole.contains(said), "{whole}");
    }
}

#[test]
fn an_entry_that_cannot_be_had_is_one_problem() {
    for (error, code, said) in reasons() {
        let problems = problems(true, &error);
        let [problem] = problems.as_slice() else { panic!("{error:?}:\n{}", list(&problems)) };
        assert_eq!(problem.code.as_str(), code);
        let whole = format!("{} {:?}", problem.message, problem.notes);
        assert!(whole.contains(said), "{whole}");
    }
}

const RUN: &str = "run --project app/x07.json --input-hex 616263 --json";

/// A module file with one function `<id>.f` that yields a number.
fn module(id: &str, imports: &[&str], body: Value) -> String {
    let name = format!("{id}.f");
    json!({
        "schema_version": "x07.x07ast@0.9.0", "kind": "module", "module_id": id, "imports": imports,
        "decls": [
            { "kind": "export", "names": [name] },
            { "kind": "defn", "name": name, "params": [], "result": "i32", "body": body },
        ],
    })
    .to_string()
}

/// A project whose entry calls `m.f` and that has two module roots.
fn two_roots() -> Place {
    let place = Place::new();
    let solve = r#"["fmt.s32_to_dec",["m.f"]]"#;
    place.project_of("app", &entry("x07.x07ast@0.9.0", r#"["m"]"#, "[]", solve));
    let manifest = json!({
        "schema_version": "x07.project@0.3.0", "world": "solve-pure", "entry": "src/main.x07.json",
        "module_roots": ["src", "lib"], "dependencies": [], "lockfile": null,
    });
    place.write("app/x07.json", manifest.to_string());
    place
}

/// The diagnostic with this code.
#[track_caller]
fn found(report: &Value, code: &str) -> Value {
    let list = report["diagnostics"].as_array().expect("diagnostics");
    list.iter().find(|d| d["code"] == code).unwrap_or_else(|| panic!("no {code} in {report:#}")).clone()
}

#[test]
fn a_module_is_found_in_any_root_but_only_in_one() {
    let place = two_roots();
    place.write("app/lib/m.x07.json", module("m", &[], json!(7)));
    place.run(RUN).ok();
    place.write("app/src/m.x07.json", module("m", &[], json!(7)));
    let diagnostic = found(&place.run(RUN).expect(3, "X07C_MODULE_AMBIGUOUS"), "X07C_MODULE_AMBIGUOUS");
    assert_eq!(diagnostic["loc"]["ptr"], "/imports/0", "{diagnostic:#}");
    let text = diagnostic.to_string();
    assert!(text.contains("lib/m.x07.json") && text.contains("src/m.x07.json"), "{text}");
}

#[test]
fn a_module_that_is_nowhere_lists_where_it_was_looked_for() {
    let place = two_roots();
    let diagnostic = found(&place.run(RUN).expect(3, "X07C_MODULE_NOT_FOUND"), "X07C_MODULE_NOT_FOUND");
    let text = diagnostic.to_string();
    assert!(text.contains("lib/m.x07.json") && text.contains("src/m.x07.json"), "{text}");
}

#[test]
fn the_text_form_of_a_module_is_recognised() {
    let place = two_roots();
    place.write("app/lib/m.x07t", "(module m)");
    place.run(RUN).expect(3, "X07C_TEXT_SOURCE_UNSUPPORTED");
}

#[test]
fn sources_are_utf8() {
    let place = two_roots();
    place.write("app/src/m.x07.json", b"{\"schema_version\": \"\xff\"}");
    place.run(RUN).expect(3, "X07C_NOT_UTF8");
    place.write("app/src/main.x07.json", b"{\"schema_version\": \"\xc3\"}");
    place.run(RUN).expect(3, "X07C_NOT_UTF8");
}

#[test]
fn a_program_runs_from_the_command_line() {
    let place = Place::new();
    place.project("app", &json!(["bytes.concat", ["view.to_bytes", "input"], ["bytes.lit", "!"]]));
    let run = place.run("run --project app/x07.json --input-hex 616263");
    assert_eq!((run.status, run.stdout.as_slice()), (0, &b"abc!"[..]), "{}", run.stderr);
    let report = place.run(RUN).ok();
    assert_eq!(report["result"]["output"]["bytes_len"], 4);
}

#[test]
fn a_trap_is_reported_with_function_reason_and_place() {
    let place = Place::new();
    place.project("app", &json!(["bytes1", ["view.get_u8", "input", 3]]));
    let diagnostic = found(&place.run(RUN).expect(1, "X07WASM_RUN_FAILED"), "X07WASM_RUN_FAILED");
    assert_eq!(diagnostic["loc"], json!({ "kind": "x07ast", "ptr": "/solve/1" }));
    assert_eq!(diagnostic["data"]["reason"], "out_of_bounds");
    assert_eq!(diagnostic["data"]["function"], "solve");
    assert_eq!(diagnostic["data"]["module"], "main");
}

#[test]
fn a_problem_is_reported_with_file_line_and_pointer() {
    let place = Place::new();
    let text = "{\"schema_version\":\"x07.x07ast@0.9.0\",\"kind\":\"entry\",\"module_id\":\"main\",\n\
                \"imports\":[],\"decls\":[],\n\"solve\":[\"fmt.s32_to_dec\",\n  \"countr\"]}";
    place.project_of("app", text);
    let diagnostic = found(&place.run(RUN).expect(1, "X07-TYPE-0001"), "X07-TYPE-0001");
    assert_eq!(diagnostic["severity"], "error");
    assert_eq!(diagnostic["loc"]["ptr"], "/solve/1", "{diagnostic:#}");
    assert_eq!(diagnostic["data"]["line"], 4, "{diagnostic:#}");
    assert_eq!(diagnostic["data"]["column"], 3, "{diagnostic:#}");
    assert!(diagnostic["data"]["file"].as_str().is_some_and(|file| file.ends_with("src/main.x07.json")));
}

#[test]
fn warnings_do_not_keep_a_program_from_running() {
    let place = Place::new();
    let solve =
        json!(["begin", ["let", "b", ["bytes.lit", "x"]], ["for", "i", 0, 2, ["let", "c", "b"]], ["bytes.lit", "ok"]]);
    place.project("app", &solve);
    let report = place.run(RUN).ok();
    assert_eq!(found(&report, "X07C_MOVE_IN_LOOP")["severity"], "warning");
    assert_eq!(report["result"]["output"]["bytes_len"], 2);
}

#[test]
fn a_quickfix_is_a_json_patch_of_the_file() {
    let place = Place::new();
    place.project("app", &json!(["begin", ["let", "b", ["bytes.lit", "x"]], ["set", "b", ["bytes.lit", "y"]]]));
    let diagnostic = found(&place.run(RUN).expect(1, "X07C_SET_OWNED_VALUE"), "X07C_SET_OWNED_VALUE");
    let quickfix = &diagnostic["quickfix"];
    assert_eq!(quickfix["kind"], "json_patch", "{diagnostic:#}");
    assert!(quickfix["note"].as_str().is_some_and(|note| !note.is_empty()));
    let fixed = json!(["begin", ["set", "b", ["bytes.lit", "y"]], "b"]);
    assert_eq!(quickfix["patch"], json!([{ "op": "replace", "path": "/solve/2", "value": fixed }]));
}

#[test]
fn a_missing_import_is_named_with_the_module_it_needs() {
    let place = Place::new();
    let solve = r#"["fmt.s32_to_dec",["+",["a.f"],["m.f"]]]"#;
    place.project_of("app", &entry("x07.x07ast@0.9.0", r#"["a"]"#, "[]", solve));
    place.write("app/src/m.x07.json", module("m", &[], json!(7)));
    place.write("app/src/a.x07.json", module("a", &["m"], json!(["m.f"])));
    let diagnostic = found(&place.run(RUN).expect(1, "X07C_NOT_IMPORTED"), "X07C_NOT_IMPORTED");
    assert_eq!(diagnostic["quickfix"]["patch"], json!([{ "op": "add", "path": "/imports/-", "value": "m" }]));
}
