//! Depth, size, numbers and encodings of JSON.

use super::{app, entry, refused, survived};
use crate::support::{Place, Run};

const JSON: &str = "X07-JSON-PARSE-0001";
const AST: &str = "X07-X07AST-PARSE-0001";

/// Builds and runs a project with this entry; the limit of its size is raised.
fn run(text: impl AsRef<[u8]>) -> Run {
    let place = app();
    place.write("app/src/main.x07.json", text);
    let args = ["run", "--project", "app/x07.json", "--input-hex", "00", "--incidents-dir", "inc", "--json"];
    place.run_with(&args, |command| {
        command.env("X07_MAX_ENTRY_BYTES", "16000000");
    })
}

/// `open`, `count` times, then `inner`, then `close` as often.
fn nested(open: &str, inner: &str, close: &str, count: usize) -> String {
    format!("{}{inner}{}", open.repeat(count), close.repeat(count))
}

#[test]
fn deep_arrays_in_a_program_are_refused() {
    for depth in [300, 9_000, 10_001, 100_000, 1_000_000] {
        refused(&run(entry(&nested("[", "", "]", depth))), 3, &[JSON, AST]);
    }
}

#[test]
fn deep_objects_in_a_program_are_refused() {
    refused(&run(nested("{\"a\":", "1", "}", 100_000)), 3, &[JSON]);
    refused(&run("{\"a\":".repeat(100_000)), 3, &[JSON]);
    refused(&run("[".repeat(1_000_000)), 3, &[JSON, AST]);
    refused(&run("[{\"a\":".repeat(100_000)), 3, &[JSON, AST]);
}

#[test]
fn deep_programs_that_are_right_compile_and_run() {
    for (open, inner, close) in [
        ("[\"begin\",", "[\"view.to_bytes\",\"input\"]", "]"),
        ("[\"if\",1,", "[\"view.to_bytes\",\"input\"]", ",[\"view.to_bytes\",\"input\"]]"),
    ] {
        let run = run(entry(&nested(open, inner, close, 5_000)));
        assert_eq!(run.status, 0, "{:#}", survived(&run, open));
    }
    let sum = format!("[\"fmt.u32_to_dec\",{}]", nested("[\"+\",1,", "1", "]", 5_000));
    let run = run(entry(&sum));
    assert_eq!(survived(&run, "sum")["result"]["output"]["bytes_len"], 4);
}

#[test]
fn deep_programs_that_are_wrong_are_refused() {
    for (open, inner, close) in [
        ("[\"begin\",", "\"nothing\"", "]"),
        ("[\"no.such.function\",", "1", "]"),
        ("[\"view.to_bytes\",", "\"input\"", "]"),
        ("[\"let\",\"a\",", "1", "]"),
        ("[\"while\",1,", "0", "]"),
        ("[\"return\",", "0", "]"),
        ("[\"bytes.view\",", "\"input\"", "]"),
    ] {
        let run = run(entry(&nested(open, inner, close, 2_000)));
        survived(&run, open);
        assert_ne!(run.status, 0, "{open}");
    }
}

#[test]
fn a_program_with_very_many_problems_gives_a_bounded_report() {
    let bad = "[\"no.such\",\"input\"],".repeat(50_000);
    let run = run(entry(&format!("[\"begin\",{bad}[\"view.to_bytes\",\"input\"]]")));
    survived(&run, "many problems");
    assert_eq!(run.status, 1);
    assert!(run.stdout.len() < 4 << 20, "a report of {} bytes", run.stdout.len());
}

#[test]
fn names_of_a_mebibyte_are_handled() {
    let long = "a".repeat(1 << 20);
    for solve in [
        format!("[\"{long}\",\"input\"]"),
        format!("[\"view.to_bytes\",\"{long}\"]"),
        format!("[\"begin\",[\"let\",\"{long}\",1],[\"view.to_bytes\",\"input\"]]"),
        format!("[\"bytes.lit\",\"{long}\"]"),
        format!("[\"set\",\"{long}\",1]"),
    ] {
        let run = run(entry(&solve));
        survived(&run, &solve[..20]);
    }
}

#[test]
fn long_names_do_not_make_long_reports() {
    let long = "a".repeat(1 << 20);
    for solve in [format!("[\"{long}\",\"input\"]"), format!("[\"view.to_bytes\",\"{long}\"]")] {
        let run = run(entry(&solve));
        survived(&run, "a long name");
        assert!(run.stdout.len() < 100_000, "a report of {} bytes", run.stdout.len());
    }
}

#[test]
fn long_names_in_declarations_are_handled() {
    let long = "a".repeat(1 << 18);
    let text = |imports: &str, decls: &str| {
        format!(
            r#"{{"schema_version":"x07.x07ast@0.8.0","kind":"entry","module_id":"main","imports":[{imports}],"decls":[{decls}],"solve":["view.to_bytes","input"]}}"#
        )
    };
    for (imports, decls) in [
        (format!("\"{long}\""), String::new()),
        (format!("\"{}\"", "a.".repeat(1 << 17) + "a"), String::new()),
        (String::new(), format!(r#"{{"kind":"defn","name":"main.{long}","params":[],"result":"i32","body":0}}"#)),
        (String::new(), format!(r#"{{"kind":"{long}"}}"#)),
        (String::new(), format!(r#"{{"kind":"defn","name":"main.f","params":[],"result":"{long}","body":0}}"#)),
        (
            String::new(),
            format!(
                r#"{{"kind":"defn","name":"main.f","params":[{{"name":"{long}","ty":"i32"}}],"result":"i32","body":0}}"#
            ),
        ),
        (String::new(), format!(r#"{{"{long}":1}}"#)),
    ] {
        survived(&run(text(&imports, &decls)), "a long name in a declaration");
    }
}

#[test]
fn numbers_that_no_i32_holds_are_refused() {
    let digits = "1".repeat(100_000);
    let fraction = format!("0.{digits}");
    for number in [
        "2147483648",
        "-2147483649",
        "4294967295",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "99999999999999999999999999999999",
        "1e5",
        "1E400",
        "-1e400",
        "1e-400",
        "1.0",
        "0.5",
        "1e99999999999999999999",
        digits.as_str(),
        fraction.as_str(),
    ] {
        refused(&run(entry(&format!("[\"fmt.u32_to_dec\",{number}]"))), 3, &[JSON, AST]);
    }
}

#[test]
fn what_is_no_number_in_json_is_refused() {
    for number in
        ["01", "+1", ".5", "1.", "1e", "1e+", "-", "--1", "0x10", "NaN", "Infinity", "-Infinity", "1_000", "1,5"]
    {
        let run = run(entry(&format!("[\"fmt.u32_to_dec\",{number}]")));
        survived(&run, number);
        assert_ne!(run.status, 0, "{number}");
    }
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    let good = entry(r#"["view.to_bytes","input"]"#);
    for text in [
        String::new(),
        " \n\t".to_owned(),
        "{".to_owned(),
        "{}}".to_owned(),
        "\0\0\0".to_owned(),
        format!("{good}x"),
        format!("{good}{good}"),
        format!("// a comment\n{good}"),
        good.replace("\"input\"]", "\"input\",]"),
        good.replace('"', "'"),
        good.replace("view", "vi\new"),
        good.replace("view", "vi\u{1}ew"),
        good.replace("view", "\\x"),
        good.replace("view", "\\ud800"),
        good.replace("view", "\\udc00\\ud800"),
        good.replace("view", "\\u12"),
        format!("\u{feff}{good}"),
        good[..good.len() / 2].to_owned(),
    ] {
        let report = refused(&run(&text), 3, &[JSON]);
        let found =
            report["diagnostics"].as_array().expect("a list").iter().find(|d| d["code"] == JSON).expect("there");
        assert!(found["data"]["line"].is_u64() && found["data"]["column"].is_u64(), "{found:#}");
        assert_eq!(found["data"]["file"], "app/src/main.x07.json");
    }
}

#[test]
fn every_prefix_of_a_program_is_refused() {
    let good = entry(r#"["begin",["let","a",-1],["view.to_bytes","input"]]"#);
    run(&good).ok();
    let place = app();
    for end in 0..good.len() {
        place.write("app/src/main.x07.json", &good[..end]);
        let run = place.run("build --project app/x07.json --json");
        refused(&run, 3, &[JSON]);
    }
}

#[test]
fn bytes_that_are_no_utf8_are_refused() {
    let good = entry(r#"["view.to_bytes","input"]"#).into_bytes();
    let mut cut = good.clone();
    cut[10] = 0xff;
    let utf16: Vec<u8> = entry("1").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut surrogate = good.clone();
    drop(surrogate.splice(2..2, [0xed, 0xa0, 0x80]));
    for bytes in [vec![0xff, 0xfe], cut, utf16, surrogate, vec![0xc0, 0x80]] {
        refused(&run(&bytes), 3, &["X07C_NOT_UTF8", JSON]);
    }
}

#[test]
fn duplicate_members_are_refused_at_every_level() {
    let good = entry(r#"["view.to_bytes","input"]"#);
    for text in [
        good.replacen("{", "{\"solve\":1,", 1),
        good.replacen("{", "{\"x\":1,\"x\":1,", 1),
        good.replace("\"decls\":[]", r#""decls":[{"kind":"defn","kind":"defn"}]"#),
        good.replacen("{", "{\"\\u006bind\":\"entry\",", 1),
    ] {
        refused(&run(text), 3, &[JSON]);
    }
}

/// Every command that reads a document, and how it is told which.
fn readers() -> [(&'static str, &'static [&'static str]); 6] {
    [
        ("build --project d.json --json", &["X07WASM_PROJECT_PARSE_FAILED"]),
        ("build --project app/x07.json --profile-file d.json --json", &["X07WASM_PROFILE_LOAD_FAILED"]),
        ("build --project app/x07.json --index d.json --json", &["X07WASM_PROFILE_LOAD_FAILED"]),
        ("profile validate --index d.json --json", &["X07WASM_WASM_INDEX_JSON_INVALID", "X07WASM_SCHEMA_INVALID"]),
        (
            "toolchain validate --index d.json --json",
            &["X07WASM_TOOLCHAIN_INDEX_READ_FAILED", "X07WASM_TOOLCHAIN_INDEX_SCHEMA_INVALID"],
        ),
        (
            "cli specrows check --in d.json --json",
            &["X07WASM_SPECROWS_PARSE_FAILED", "X07WASM_SPECROWS_INPUT_READ_FAILED", "X07WASM_SCHEMA_INVALID"],
        ),
    ]
}

fn every_reader_refuses(place: &Place, text: &[u8]) {
    place.write("d.json", text);
    for (args, codes) in readers() {
        refused(&place.run(args), 3, codes);
    }
    place.write("app/x07.lock.json", text);
    refused(&place.run("build --project app/x07.json --json"), 3, &["X07WASM_PROJECT_LOCK_INVALID"]);
    std::fs::remove_file(place.path("app/x07.lock.json")).expect("removed");
}

#[test]
fn deep_documents_are_refused() {
    let place = app();
    for depth in [257, 10_000, 1_000_000] {
        every_reader_refuses(&place, nested("[", "", "]", depth).as_bytes());
        every_reader_refuses(&place, nested("{\"a\":", "1", "}", depth.min(100_000)).as_bytes());
    }
}

#[test]
fn documents_that_are_no_json_are_refused() {
    let place = app();
    for text in
        [&b""[..], b"{", b"\xff", b"\xef\xbb\xbf{}", b"{\"a\":1,\"a\":1}", b"nul", b"[1e999]", b"\"\\ud800\"", b"{}{}"]
    {
        every_reader_refuses(&place, text);
    }
}

#[test]
fn documents_of_another_shape_are_refused() {
    let place = app();
    for text in
        ["null", "true", "0", "\"\"", "[]", "{}", "[[]]", "{\"schema_version\":[]}", "{\"schema_version\":\"x\"}"]
    {
        every_reader_refuses(&place, text.as_bytes());
    }
}

#[test]
fn texts_of_a_program_cannot_control_a_terminal() {
    let place = app();
    place.write("app/src/main.x07.json", entry("[\"\\u001b]0;owned\\u0007\\u001b[2Jf\",\"input\"]"));
    let run = place.run("build --project app/x07.json");
    assert_eq!(run.status, 1, "{}", run.stderr);
    let raw: Vec<char> = run.stderr.chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert!(raw.is_empty(), "control characters on standard error: {raw:?}");
}
