//! The contract compiler: what it makes is the same every time, and a mistake in `schemas/` stops it
//! with the file, the place and the cure.
//!
//! The compiler's own modules are compiled into this program. Most tests use a small copy of
//! `schemas/`, with one report and the definitions that it needs.

#[allow(dead_code)]
#[path = "../../contracts/build/mod.rs"]
pub mod compiler;

use crate::support::root;
use compiler::mistake::Mistake;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// The schemas of the small copy.
const FILES: [&str; 3] = ["common.schema.json", "x07-wasm.explain.report.schema.json", "x07diag.schema.json"];
const REPORT: &str = "x07-wasm.explain.report.schema.json";

/// A copy of `schemas/` in a temporary folder.
struct Schemas {
    folder: tempfile::TempDir,
}

impl Schemas {
    /// All of it.
    fn whole() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        crate::support::copy_tree(&root().join("schemas"), folder.path());
        Self { folder }
    }

    /// One report, its command, and a few codes.
    fn small() -> Self {
        let schemas = Self { folder: tempfile::tempdir().expect("a folder") };
        let from = root().join("schemas");
        for file in FILES {
            fs::copy(from.join(file), schemas.path(file)).expect("copied");
        }
        let read = |name: &str| -> Value {
            serde_json::from_slice(&fs::read(from.join(name)).expect("readable")).expect("JSON")
        };
        let mut index = read("index.json");
        let list = index["schemas"].as_array_mut().expect("a list");
        list.retain(|s| s["path"].as_str().is_some_and(|p| FILES.contains(&p)));
        schemas.write("index.json", &index);
        let mut commands = read("commands.json");
        let list = commands["commands"].as_array_mut().expect("a list");
        list.retain(|c| c["scope"] == "explain");
        list[0]["options"] = json!([
            {"long": "first", "kind": "flag", "help": "A flag."},
            {"long": "second", "kind": "opt", "value": "STR", "help": "A text."},
        ]);
        list[0]["groups"] = json!([{"name": "choice", "members": ["first", "second"]}]);
        schemas.write("commands.json", &commands);
        let mut catalogue = read("diagnostics.json");
        catalogue["diagnostics"].as_array_mut().expect("a list").truncate(4);
        schemas.write("diagnostics.json", &catalogue);
        schemas
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, value: &Value) {
        fs::write(self.path(name), value.to_string()).expect("written");
    }

    /// Changes a JSON file.
    fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) -> &Self {
        let bytes = fs::read(self.path(name)).expect("readable");
        let mut value: Value = serde_json::from_slice(&bytes).expect("JSON");
        change(&mut value);
        self.write(name, &value);
        self
    }

    /// The generated files, which must come out.
    #[track_caller]
    fn compiled(&self) -> Vec<(&'static str, String)> {
        match compiler::compile(self.folder.path()) {
            Ok(files) => files.0,
            Err(mistakes) => panic!("{:#?}", mistakes.0),
        }
    }

    /// The mistakes, of which there must be one at least, each complete.
    #[track_caller]
    fn mistakes(&self) -> Vec<Mistake> {
        let Err(mistakes) = compiler::compile(self.folder.path()) else { panic!("the mistake went through") };
        assert!(!mistakes.0.is_empty());
        for mistake in &mistakes.0 {
            assert!(!mistake.file.is_empty() && !mistake.message.is_empty() && !mistake.cure.is_empty(), "{mistake:?}");
            assert!(mistake.pointer.is_empty() || mistake.pointer.starts_with('/'), "{mistake:?}");
            let line = mistake.to_string();
            for part in [&mistake.file, &mistake.pointer, &mistake.message, &mistake.cure] {
                assert!(line.contains(part.as_str()), "{line} lacks {part:?}");
            }
        }
        mistakes.0
    }

    /// Asserts that there is exactly one mistake, at this place, with this in its message.
    #[track_caller]
    fn refused(&self, file: &str, pointer: &str, message: &str) {
        let found = self.mistakes();
        let [mistake] = found.as_slice() else { panic!("{found:#?}") };
        assert_eq!((mistake.file.as_str(), mistake.pointer.as_str()), (file, pointer), "{mistake}");
        assert!(mistake.message.contains(message), "{mistake} does not say {message:?}");
    }
}

/// Changes the report's schema and expects one mistake in it.
#[track_caller]
fn report_refused(change: impl FnOnce(&mut Value), pointer: &str, message: &str) {
    Schemas::small().edit(REPORT, change).refused(REPORT, pointer, message);
}

#[track_caller]
fn commands_refused(change: impl FnOnce(&mut Value), pointer: &str, message: &str) {
    Schemas::small().edit("commands.json", change).refused("commands.json", pointer, message);
}

#[track_caller]
fn diagnostics_refused(change: impl FnOnce(&mut Value), pointer: &str, message: &str) {
    Schemas::small().edit("diagnostics.json", change).refused("diagnostics.json", pointer, message);
}

#[test]
fn an_unmodified_copy_compiles_to_the_same_text_every_time() {
    let small = Schemas::small();
    let first = small.compiled();
    assert_eq!(
        first.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["types.rs", "contracts.rs", "cli.rs", "diagnostics.rs"]
    );
    assert!(first == small.compiled(), "a second run in the same folder");
    assert!(first == Schemas::small().compiled(), "a run in another folder");
    let whole = Schemas::whole().compiled();
    let folder = small.folder.path().display().to_string();
    for (name, text) in first.iter().chain(&whole) {
        assert!(text.starts_with("// Generated by "), "{name} does not say where it comes from");
        assert!(!text.contains(&folder), "{name} names the folder");
    }
    for (name, text) in &whole {
        let committed = fs::read_to_string(root().join("generated").join(name)).expect("readable");
        assert!(*text == committed, "{name} is not what is committed");
    }
}

#[test]
fn writing_touches_only_what_changed() {
    let small = Schemas::small();
    let files = compiler::Files(small.compiled());
    let out = small.path("out");
    assert!(files.write(&out).is_ok());
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    for (name, _) in &files.0 {
        let file = fs::OpenOptions::new().write(true).open(out.join(name)).expect("open");
        file.set_modified(old).expect("set");
    }
    fs::write(out.join("cli.rs"), "changed").expect("written");
    assert!(files.write(&out).is_ok());
    for (name, content) in &files.0 {
        assert_eq!(&fs::read_to_string(out.join(name)).expect("readable"), content, "{name}");
        let modified = fs::metadata(out.join(name)).expect("there").modified().expect("known");
        assert_eq!(modified == old, *name != "cli.rs", "{name}");
    }
}

#[test]
fn a_schema_that_is_not_listed() {
    let schemas = Schemas::small();
    fs::copy(schemas.path(REPORT), schemas.path("x07-new.schema.json")).expect("copied");
    schemas.refused("index.json", "/schemas", "x07-new.schema.json");
}

#[test]
fn a_schema_that_is_listed_and_missing() {
    let schemas = Schemas::small();
    schemas.edit("index.json", |index| {
        let entry = json!({"id": "https://x07.io/spec/x07-new.schema.json", "path": "x07-new.schema.json"});
        index["schemas"].as_array_mut().expect("a list").push(entry);
    });
    schemas.refused("x07-new.schema.json", "", "cannot be read");
}

#[test]
fn a_schema_that_is_listed_twice() {
    for at in [0, 1, 3] {
        let schemas = Schemas::small();
        schemas.edit("index.json", |index| {
            let list = index["schemas"].as_array_mut().expect("a list");
            let entry = list[0].clone();
            list.insert(at, entry);
        });
        schemas.refused("index.json", "/schemas", "twice");
    }
}

#[test]
fn an_entry_of_the_index_without_its_members() {
    for (member, value) in [("id", Value::Null), ("path", json!(3))] {
        let schemas = Schemas::small();
        schemas.edit("index.json", |index| index["schemas"][1][member] = value);
        let found = schemas.mistakes();
        assert!(found.iter().any(|m| m.file == "index.json" && m.pointer == "/schemas/1"), "{found:#?}");
    }
}

#[test]
fn an_id_that_is_not_the_one_of_the_index() {
    report_refused(
        |schema| schema["$id"] = json!("https://x07.io/spec/other.schema.json"),
        "/$id",
        "other.schema.json",
    );
}

#[test]
fn text_that_is_not_json() {
    for file in [REPORT, "index.json", "commands.json", "diagnostics.json"] {
        let schemas = Schemas::small();
        fs::write(schemas.path(file), "{\n  \"a\": ,\n}").expect("written");
        // The parser's message has line and column.
        schemas.refused(file, "", "line 2 column 8");
    }
    for file in ["index.json", "commands.json", "diagnostics.json"] {
        let schemas = Schemas::small();
        fs::remove_file(schemas.path(file)).expect("removed");
        schemas.refused(file, "", "cannot be read");
    }
}

#[test]
fn a_reference_to_nowhere() {
    for target in [
        json!("#/$defs/no_such_definition"),
        json!("#/properties/ok"),
        json!("https://x07.io/spec/no.such.schema.json"),
        json!("https://x07.io/spec/x07diag.schema.json#/$defs/no_such_definition"),
        json!("common.schema.json#/$defs/meta"),
        json!(7),
    ] {
        let text = target.to_string();
        report_refused(|schema| schema["properties"]["meta"] = json!({"$ref": target}), "/properties/meta/$ref", &text);
    }
}

#[test]
fn a_keyword_outside_the_dialect() {
    for keyword in ["patternProperties", "dependentRequired", "unevaluatedProperties", "contains", "requierd"] {
        report_refused(
            |schema| schema["properties"]["ok"][keyword] = json!({}),
            &format!("/properties/ok/{keyword}"),
            keyword,
        );
    }
    report_refused(|schema| schema["properties"]["ok"] = json!(3), "/properties/ok", "schema");
}

#[test]
fn an_object_with_members_and_without_a_name() {
    let object = json!({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "string"}}});
    let places = [
        ("/properties/result", object.clone()),
        ("/properties/result/items", json!({"type": "array", "items": object})),
        ("/properties/result/oneOf/1", json!({"oneOf": [{"type": "null"}, object]})),
        ("/properties/result/additionalProperties", json!({"type": "object", "additionalProperties": object})),
    ];
    for (pointer, value) in places {
        report_refused(|schema| schema["properties"]["result"] = value, pointer, "without a name");
    }
}

#[test]
fn a_required_member_that_is_not_declared() {
    let nope = |required: &mut Value| required.as_array_mut().expect("a list").push(json!("nope"));
    report_refused(|schema| nope(&mut schema["required"]), "/required", "nope");
    report_refused(|schema| nope(&mut schema["$defs"]["result"]["required"]), "/$defs/result/required", "nope");
}

#[test]
fn a_variant_with_a_member_that_its_base_lacks() {
    let define = |schema: &mut Value, more: Value| {
        schema["$defs"]["thing"] = json!({
            "type": "object", "additionalProperties": false,
            "required": ["a"], "properties": {"a": {"type": "string"}, "b": {"type": "boolean"}},
        });
        schema["$defs"]["thing.more"] = more;
    };
    let narrow = json!({
        "type": "object", "additionalProperties": false,
        "required": ["a", "b"], "properties": {"a": {"type": "string"}, "b": {"type": "boolean"}},
    });
    let schemas = Schemas::small();
    schemas.edit(REPORT, |schema| define(schema, narrow.clone()));
    schemas.compiled();
    let mut extra = narrow.clone();
    extra["properties"]["c"] = json!({"type": "integer", "minimum": 0});
    report_refused(|schema| define(schema, extra), "/$defs/thing.more", "\"c\"");
    let mut other = narrow.clone();
    other["properties"]["b"] = json!({"type": "string"});
    report_refused(|schema| define(schema, other), "/$defs/thing.more", "\"b\"");
    let mut loose = narrow;
    loose["required"] = json!([]);
    report_refused(|schema| define(schema, loose), "/$defs/thing.more", "required");
}

#[test]
fn two_definitions_of_one_rust_name() {
    let object = |ty: &str| json!({"type": "object", "additionalProperties": false, "properties": {"a": {"type": ty}}});
    let define = |schema: &mut Value, ty: &str| {
        schema["$defs"]["a-b"] = object("string");
        schema["$defs"]["a_b"] = object(ty);
    };
    report_refused(|schema| define(schema, "boolean"), "/$defs/a_b", "ExplainReportAB");
    // Of the same shape they are one type.
    let schemas = Schemas::small();
    schemas.edit(REPORT, |schema| define(schema, "string"));
    schemas.compiled();
}

#[test]
fn a_type_that_is_none() {
    let schemas = Schemas::small();
    schemas.edit(REPORT, |schema| schema["$defs"]["result"]["properties"]["known"] = json!({"type": "bool"}));
    schemas.refused(REPORT, "/$defs/result/properties/known", "bool");
}

#[test]
fn every_mistake_of_a_file_is_reported_in_one_go() {
    let schemas = Schemas::small();
    schemas.edit(REPORT, |schema| {
        schema["properties"]["ok"]["contains"] = json!({});
        schema["properties"]["meta"] = json!({"$ref": "#/nowhere"});
        schema["required"].as_array_mut().expect("a list").push(json!("nope"));
    });
    let mut pointers: Vec<String> = schemas.mistakes().into_iter().map(|m| m.pointer).collect();
    pointers.sort();
    assert_eq!(pointers, ["/properties/meta/$ref", "/properties/ok/contains", "/required"]);
}

#[test]
fn a_scope_that_is_used_twice_or_missing() {
    commands_refused(
        |commands| {
            let list = commands["commands"].as_array_mut().expect("a list");
            let again = list[0].clone();
            list.push(again);
        },
        "/commands/1/scope",
        "twice",
    );
    commands_refused(|commands| commands["commands"][0]["scope"] = Value::Null, "/commands/0/scope", "missing");
}

#[test]
fn a_report_that_is_none() {
    for id in [
        json!("https://x07.io/spec/no.such.schema.json"),
        // Definitions, but no report.
        json!("https://x07.io/spec/x07diag.schema.json"),
        Value::Null,
    ] {
        let text = id.to_string();
        commands_refused(|commands| commands["commands"][0]["report"] = id, "/commands/0/report", &text);
    }
}

#[test]
fn mistakes_of_a_command() {
    type Case = (fn(&mut Value), &'static str, &'static str);
    let cases: [Case; 11] = [
        (|c| c["path"] = json!([]), "/path", "empty"),
        (|c| c["options"][0]["help"] = json!(""), "/options/0/help", "missing"),
        (|c| c["options"][1]["help"] = Value::Null, "/options/1/help", "missing"),
        (|c| c["options"][0]["kind"] = json!("switch"), "/options/0/kind", "unknown"),
        (|c| c["options"][1]["value"] = json!("FLOAT"), "/options/1/value", "FLOAT"),
        (|c| c["options"][1]["value"] = Value::Null, "/options/1/value", "unknown"),
        (|c| c["options"][1]["value"] = json!("ENUM"), "/options/1/enum", "missing"),
        (|c| c["options"][0]["conflicts"] = json!(["third"]), "/options/0/conflicts", "third"),
        (|c| c["options"][0]["requires"] = json!(["third"]), "/options/0/requires", "third"),
        (|c| c["groups"][0]["members"] = json!(["first", "third"]), "/groups/0", "third"),
        (|c| c["options"][1]["long"] = json!(""), "/options/1/long", "missing"),
    ];
    for (change, pointer, message) in cases {
        let schemas = Schemas::small();
        schemas.edit("commands.json", |commands| change(&mut commands["commands"][0]));
        let found = schemas.mistakes();
        let at = format!("/commands/0{pointer}");
        let place = found.iter().find(|m| m.file == "commands.json" && m.pointer == at);
        let mistake = place.unwrap_or_else(|| panic!("nothing at {at}: {found:#?}"));
        assert!(mistake.message.contains(message), "{mistake}");
    }
    let schemas = Schemas::small();
    schemas.edit("commands.json", |commands| {
        let options = commands["commands"][0]["options"].as_array_mut().expect("a list");
        let again = options[0].clone();
        options.push(again);
    });
    let found = schemas.mistakes();
    assert!(found.iter().all(|m| m.pointer.ends_with("/long") && m.message.contains("twice")), "{found:#?}");
}

#[test]
fn a_code_out_of_order() {
    diagnostics_refused(
        |catalogue| catalogue["diagnostics"].as_array_mut().expect("a list").swap(0, 1),
        "/diagnostics/1/code",
        "does not come after",
    );
    diagnostics_refused(
        |catalogue| {
            let list = catalogue["diagnostics"].as_array_mut().expect("a list");
            let last = list[3].clone();
            list.push(last);
        },
        "/diagnostics/4/code",
        "does not come after",
    );
}

#[test]
fn mistakes_of_a_code() {
    let cases: [(&str, Value, &str); 9] = [
        ("cure", Value::Null, "cure"),
        ("cure", json!(""), "cure"),
        ("cause", Value::Null, "cause"),
        ("summary", json!(7), "summary"),
        ("severity", json!("fatal"), "severity"),
        ("severity", Value::Null, "severity"),
        ("stages", json!([]), "stages"),
        ("exit", json!(256), "exit"),
        ("exit", Value::Null, "exit"),
    ];
    for (member, value, place) in cases {
        diagnostics_refused(
            |catalogue| catalogue["diagnostics"][2][member] = value,
            &format!("/diagnostics/2/{place}"),
            "",
        );
    }
}

#[test]
fn a_stage_that_is_none() {
    for stage in [json!("fly"), json!(""), json!("1st"), json!(7)] {
        let schemas = Schemas::small();
        schemas.edit("diagnostics.json", |catalogue| catalogue["diagnostics"][2]["stages"] = json!([stage]));
        let found = schemas.mistakes();
        assert!(
            found.iter().all(|m| m.file == "diagnostics.json" && m.pointer.starts_with("/diagnostics/2/stages")),
            "{found:#?}"
        );
    }
}

#[test]
fn names_that_cannot_be_rust_names_are_mistakes_and_no_crash() {
    let codes: [fn(&mut Value); 3] = [
        |c| c["diagnostics"][3]["code"] = json!("X07WASM_1ST"),
        |c| c["diagnostics"][3]["code"] = json!("X9 b/c"),
        |c| c["diagnostics"][3]["code"] = json!("X_ß\u{1f600}"),
    ];
    for change in codes {
        let schemas = Schemas::small();
        schemas.edit("diagnostics.json", change);
        let found = schemas.mistakes();
        assert!(found.iter().all(|m| m.file == "diagnostics.json" && m.pointer == "/diagnostics/3/code"), "{found:#?}");
    }
    let commands: [fn(&mut Value); 5] = [
        |c| c["commands"][0]["scope"] = json!("1st"),
        |c| c["commands"][0]["scope"] = json!("a/b"),
        |c| c["commands"][0]["options"][0]["long"] = json!("9-lives"),
        |c| c["commands"][0]["options"][0]["long"] = json!("what?"),
        |c| {
            c["commands"][0]["options"][1]["value"] = json!("ENUM");
            c["commands"][0]["options"][1]["enum"] = json!(["ok", "1/2"]);
        },
    ];
    for change in commands {
        let schemas = Schemas::small();
        schemas.edit("commands.json", |commands| {
            commands["commands"][0]["groups"] = json!([]);
            change(commands);
        });
        let found = schemas.mistakes();
        assert!(found.iter().all(|m| m.file == "commands.json" && m.pointer.starts_with("/commands/0")), "{found:#?}");
    }
}

#[test]
fn names_that_become_one_rust_name_are_mistakes() {
    // Two codes of one variant.
    let schemas = Schemas::small();
    schemas.edit("diagnostics.json", |catalogue| {
        let list = catalogue["diagnostics"].as_array_mut().expect("a list");
        list.truncate(2);
        list[0]["code"] = json!("A_B");
        list[1]["code"] = json!("X07WASM_A_B");
    });
    let found = schemas.mistakes();
    assert!(found.iter().all(|m| m.pointer == "/diagnostics/1/code"), "{found:#?}");
    // Two options of one field, two values of one variant.
    let changes: [fn(&mut Value); 2] = [
        |c| {
            c["options"][0]["long"] = json!("a-b");
            c["options"][1]["long"] = json!("a_b");
        },
        |c| {
            c["options"][1]["value"] = json!("ENUM");
            c["options"][1]["enum"] = json!(["a-b", "a_b"]);
        },
    ];
    for change in changes {
        let schemas = Schemas::small();
        schemas.edit("commands.json", |commands| {
            commands["commands"][0]["groups"] = json!([]);
            change(&mut commands["commands"][0]);
        });
        let found = schemas.mistakes();
        assert!(found.iter().all(|m| m.pointer.starts_with("/commands/0/options/1")), "{found:#?}");
    }
}

#[test]
fn documents_of_another_shape_are_no_crash() {
    for file in ["index.json", "commands.json", "diagnostics.json", REPORT] {
        for value in [json!(null), json!([]), json!(7), json!("text"), json!({})] {
            let schemas = Schemas::small();
            schemas.write(file, &value);
            // Whatever it says: it says it, and names the file or what the file should have held.
            let _ = compiler::compile(schemas.folder.path()).map_err(|mistakes| {
                assert!(!mistakes.0.is_empty(), "{file}: {value}");
            });
        }
    }
}

#[test]
fn a_pattern_without_a_placeholder_asks_for_an_example() {
    let schemas = Schemas::small();
    schemas.edit(REPORT, |schema| {
        let result = &mut schema["$defs"]["result"];
        result["properties"]["digest"] = json!({"type": "string", "pattern": "^sha1:[0-9a-f]{40}$"});
        result["required"].as_array_mut().expect("a list").push(json!("digest"));
    });
    let found = schemas.mistakes();
    assert!(found.iter().all(|m| m.file == REPORT && m.cure.contains("examples")), "{found:#?}");
    schemas.edit(REPORT, |schema| {
        schema["$defs"]["result"]["properties"]["digest"]["examples"] = json!([format!("sha1:{}", "0".repeat(40))]);
    });
    schemas.compiled();
}
