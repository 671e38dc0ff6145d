//! Large, deep and long-running programs; the same program always gives the same module.

use std::time::{Duration, Instant};

use x07_wasm::compiler::{self, Options};

use super::program::{ARENA, Compilation, MEMORY, Outcome, Program, entry, is_error, list, target};

/// The arena of the default profile, in bytes, and a memory that has room for it.
const DEFAULT_ARENA: u32 = 64 << 20;
const DEFAULT_MEMORY: u32 = 128 << 20;

/// Far more than any of these tests needs: a guard against work that does not end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Options for entries that are larger than a person would write.
fn large() -> Options {
    Options { max_entry_bytes: 16 << 20, ..Options::default() }
}

/// Runs an expression in the default arena.
#[track_caller]
fn run_large(decls: &str, solve: &str) -> Vec<u8> {
    let started = Instant::now();
    let wasm = Program::of(decls, solve).wasm(&large(), DEFAULT_MEMORY);
    let outcome = Compilation::new(&wasm).run(b"", DEFAULT_ARENA);
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    match outcome {
        Outcome::Output(bytes) => bytes,
        other => panic!("no output: {other:?}"),
    }
}

/// Runs an expression in the default arena; the output is a text.
#[track_caller]
fn text_of(decls: &str, solve: &str) -> String {
    String::from_utf8(run_large(decls, solve)).expect("a text")
}

/// `open` as often as `depth` says, around `leaf`.
fn nested(open: &str, leaf: &str, close: &str, depth: usize) -> String {
    format!("{}{leaf}{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn a_megabyte_is_allocated_and_dropped_ten_thousand_times() {
    let solve = r#"["begin",
        ["let", "n", 0],
        ["for", "i", 0, 10000, ["begin",
            ["let", "v", ["vec_u8.with_capacity", 1048576]],
            ["set", "v", ["vec_u8.push", "v", "i"]],
            ["set", "n", ["+", "n", ["vec_u8.get", "v", 0]]]]],
        ["fmt.u32_to_dec", "n"]]"#;
    let expected: u32 = (0..10_000).map(|i| i % 256).sum();
    assert_eq!(text_of("[]", solve), expected.to_string());
}

#[test]
fn a_megabyte_of_zeroes_is_zero_each_time() {
    let solve = r#"["begin",
        ["let", "n", 0],
        ["for", "i", 1, 1001, ["begin",
            ["let", "b", ["bytes.alloc", 1048576]],
            ["set", "n", ["+", "n", ["+", ["bytes.get_u8", "b", 0], ["bytes.get_u8", "b", 1048575]]]],
            ["set", "b", ["bytes.set_u8", "b", 0, 255]],
            ["set", "b", ["bytes.set_u8", "b", 1048575, 255]]]],
        ["fmt.u32_to_dec", "n"]]"#;
    assert_eq!(text_of("[]", solve), "0");
}

#[test]
fn a_vector_grows_byte_by_byte_to_a_megabyte() {
    let solve = r#"["begin",
        ["let", "v", ["vec_u8.with_capacity", 0]],
        ["for", "i", 0, 1048576, ["set", "v", ["vec_u8.push", "v", ["^", "i", [">>u", "i", 8]]]]],
        ["vec_u8.into_bytes", "v"]]"#;
    let expected: Vec<u8> = (0..1_048_576_u32).map(|i| (i ^ (i >> 8)).to_le_bytes()[0]).collect();
    assert!(run_large("[]", solve) == expected, "the bytes differ");
}

#[test]
fn a_text_grows_by_concatenation() {
    let solve = r#"["begin",
        ["let", "b", ["bytes.empty"]],
        ["for", "i", 0, 5000, ["set", "b", ["bytes.concat", "b", ["fmt.u32_to_dec", "i"]]]],
        "b"]"#;
    let expected: String = (0..5000).map(|i: u32| i.to_string()).collect();
    assert_eq!(text_of("[]", solve), expected);
}

#[test]
fn five_thousand_nested_concatenations() {
    let right = nested(r#"["bytes.concat",["bytes.lit","x"],"#, r#"["bytes.lit","!"]"#, "]", 5000);
    assert_eq!(text_of("[]", &right), format!("{}!", "x".repeat(5000)));
    let left = nested(r#"["bytes.concat","#, r#"["bytes.lit","!"]"#, r#",["bytes.lit","x"]]"#, 5000);
    assert_eq!(text_of("[]", &left), format!("!{}", "x".repeat(5000)));
    let made = nested(r#"["bytes.concat",["bytes1",97],"#, r#"["bytes.empty"]"#, "]", 1000);
    assert_eq!(text_of("[]", &made), "a".repeat(1000));
}

#[test]
fn expressions_nested_nine_thousand_deep() {
    let in_number = |text: String| format!(r#"["fmt.s32_to_dec",{text}]"#);
    assert_eq!(text_of("[]", &in_number(nested(r#"["+",1,"#, "0", "]", 9000))), "9000");
    assert_eq!(text_of("[]", &in_number(nested(r#"["-","#, "0", ",1]", 9000))), "-9000");
    assert_eq!(text_of("[]", &in_number(nested(r#"["&&",1,"#, "7", "]", 9000))), "1");
    let lit = r#"["bytes.lit","x"]"#;
    assert_eq!(text_of("[]", &nested(r#"["begin","#, lit, "]", 9000)), "x");
    assert_eq!(text_of("[]", &nested(r#"["begin",["let","x",1],"#, lit, "]", 9000)), "x");
    assert_eq!(text_of("[]", &nested(r#"["if",1,"#, lit, r#",["bytes.lit","y"]]"#, 9000)), "x");
    assert_eq!(text_of("[]", &nested(r#"["if",0,["bytes.lit","y"],"#, lit, "]", 9000)), "x");
    let statement = nested(r#"["if",1,"#, r#"["set","n",5]"#, ",0]", 9000);
    assert_eq!(text_of("[]", &format!(r#"["begin",["let","n",1],{statement},["fmt.u32_to_dec","n"]]"#)), "5");
}

#[test]
fn expressions_nested_beyond_the_limit_are_refused() {
    let solve = nested(r#"["begin","#, r#"["bytes.empty"]"#, "]", 10_100);
    let compiled = Program::of_solve(&solve).compile(&large());
    assert!(compiled.wasm.is_none());
    assert!(compiled.problems.iter().any(|problem| problem.code.as_str() == "X07-JSON-PARSE-0001"));
}

#[test]
fn loops_nested_a_hundred_deep() {
    let inner = nested(r#"["for","i",0,2,["for","j",0,2,"#, r#"["set","n",["+","n",1]]"#, "]]", 50);
    let solve = format!(r#"["begin",["let","i",0],["let","j",0],["let","n",0],{inner},["fmt.u32_to_dec","n"]]"#);
    // The loops share two counters, so that the innermost ones end all others.
    let found = text_of("[]", &solve);
    assert_eq!(found, shared_counters().to_string());
}

/// What a hundred loops over two shared counters count.
fn shared_counters() -> u32 {
    fn round(depth: usize, i: &mut u32, j: &mut u32, n: &mut u32) {
        if depth == 50 {
            *n += 1;
            return;
        }
        *i = 0;
        while *i < 2 {
            *j = 0;
            while *j < 2 {
                round(depth + 1, i, j, n);
                *j += 1;
            }
            *i += 1;
        }
    }
    let (mut i, mut j, mut n) = (0, 0, 0);
    round(0, &mut i, &mut j, &mut n);
    n
}

/// A program of `functions` functions with about 1 800 JSON values each, and what it prints.
fn many_functions(functions: usize) -> (String, String, u32) {
    let body = nested(r#"["+","x","#, "1", "]", 600);
    let decls: Vec<String> = (0..functions)
        .map(|i| {
            format!(
                r#"{{"kind":"defn","name":"main.f{i}","params":[{{"name":"x","ty":"i32"}}],"result":"i32","body":{body}}}"#
            )
        })
        .collect();
    let calls: Vec<String> = (0..functions).map(|i| format!(r#"["set","n",["+","n",["main.f{i}",{i}]]]"#)).collect();
    let solve = format!(r#"["begin",["let","n",0],{},["fmt.u32_to_dec","n"]]"#, calls.join(","));
    let sum = (0..functions).map(|i| u32::try_from(i).expect("small") * 600 + 1).sum();
    (format!("[{}]", decls.join(",")), solve, sum)
}

#[test]
fn a_program_of_two_hundred_thousand_nodes() {
    let (decls, solve, sum) = many_functions(111);
    assert_eq!(text_of(&decls, &solve), sum.to_string());
}

#[test]
fn a_program_of_more_nodes_than_allowed_is_refused() {
    let (decls, solve, _) = many_functions(145);
    let compiled = Program::of(&decls, &solve).compile(&large());
    let codes: Vec<&str> = compiled.problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(codes, ["X07C_LIMIT_EXCEEDED"]);
    let more = Options { max_ast_nodes: 1_000_000, ..large() };
    assert!(Program::of(&decls, &solve).compile(&more).wasm.is_some());
}

#[test]
fn the_entry_has_at_most_65536_bytes() {
    let text = entry("x07.x07ast@0.9.0", "[]", "[]", r#"["bytes.empty"]"#);
    let padded = |size: usize| Program::of_entry(format!("{text}{}", " ".repeat(size - text.len())));
    assert!(padded(65_536).compile(&Options::default()).wasm.is_some());
    let compiled = padded(65_537).compile(&Options::default());
    let places: Vec<(&str, &str)> =
        compiled.problems.iter().map(|problem| (problem.code.as_str(), problem.pointer.as_str())).collect();
    assert_eq!(places, [("X07C_LIMIT_EXCEEDED", "")]);
}

#[test]
fn a_thousand_variables_in_one_function() {
    let lets: Vec<String> = (0..1000).map(|i| format!(r#"["let","v{i}",["bytes1",{i}]]"#)).collect();
    let sum: Vec<String> = (0..1000).map(|i| format!(r#"["set","n",["+","n",["bytes.get_u8","v{i}",0]]]"#)).collect();
    let solve = format!(r#"["begin",["let","n",0],{},{},["fmt.u32_to_dec","n"]]"#, lets.join(","), sum.join(","));
    let expected: u32 = (0..1000).map(|i| i % 256).sum();
    assert_eq!(text_of("[]", &solve), expected.to_string());
}

#[test]
fn a_function_with_many_parameters() {
    let params: Vec<String> = (0..60).map(|i| format!(r#"{{"name":"p{i}","ty":"bytes_view"}}"#)).collect();
    let lengths = (0..60).fold("0".to_owned(), |sum, i| format!(r#"["+",{sum},["*",{i},["view.len","p{i}"]]]"#));
    let decls = format!(
        r#"[{{"kind":"defn","name":"main.f","params":[{}],"result":"i32","body":{lengths}}}]"#,
        params.join(",")
    );
    let args: Vec<String> = (0..60).map(|i| format!(r#"["bytes.alloc",{i}]"#)).collect();
    let solve = format!(r#"["fmt.u32_to_dec",["main.f",{}]]"#, args.join(","));
    let expected: u32 = (0..60).map(|i| i * i).sum();
    assert_eq!(text_of(&decls, &solve), expected.to_string());
}

#[test]
fn large_literals_lie_in_the_module() {
    let long = "0123456789abcdef".repeat(6000);
    let solve = format!(
        r#"["bytes.concat",["fmt.u32_to_dec",["view.len",["bytes.view_lit","{long}"]]],["bytes.slice",["bytes.lit","{long}"],95999,1]]"#
    );
    assert_eq!(text_of("[]", &solve), "96000f");
}

#[test]
fn literals_that_do_not_fit_the_memory_are_refused() {
    let long = "x".repeat(200_000);
    let program = Program::of_solve(&format!(r#"["bytes.lit","{long}"]"#));
    let compiled = compiler::compile(&program, &large(), &target(131_072));
    let codes: Vec<&str> = compiled.problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(codes, ["X07C_LIMIT_EXCEEDED"], "{}", list(&compiled.problems));
    assert!(compiled.wasm.is_none());
}

#[test]
fn recursion_without_end_is_an_error_of_the_engine_and_not_a_crash() {
    let decls = r#"[{"kind":"defn","name":"main.f","params":[{"name":"x","ty":"i32"}],"result":"i32",
        "body":["+",1,["main.f",["+","x",1]]]}]"#;
    let wasm = Program::of(decls, r#"["fmt.s32_to_dec",["main.f",0]]"#).wasm(&Options::default(), MEMORY);
    let outcome = Compilation::new(&wasm).run(b"", ARENA);
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    let (decls, solve, _) = many_functions(3);
    let module = r#"{"schema_version":"x07.x07ast@0.5.0","kind":"module","module_id":"app.text","imports":[],"decls":[
        {"kind":"export","names":["app.text.twice","app.text.size"]},
        {"kind":"defn","name":"app.text.twice","params":[{"name":"v","ty":"bytes_view"}],"result":"bytes",
         "body":["bytes.concat",["view.to_bytes","v"],["view.to_bytes","v"]]},
        {"kind":"defn","name":"app.text.size","params":[{"name":"v","ty":"bytes_view"}],"result":"i32",
         "body":["view.len","v"]}]}"#;
    let solve = format!(
        r#"["begin",["let","s",["app.text.size",{solve}]],["bytes.concat",["app.text.twice","input"],["fmt.u32_to_dec","s"]]]"#
    );
    let mut program = Program::of_entry(entry("x07.x07ast@0.9.0", r#"["app.text"]"#, &decls, &solve));
    program.files.insert("app.text".to_owned(), module.to_owned());
    let first = program.wasm(&Options::default(), MEMORY);
    for _ in 0..3 {
        assert!(program.wasm(&Options::default(), MEMORY) == first, "the bytes differ");
    }
    let others: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(|| program.wasm(&Options::default(), MEMORY))).collect();
        threads.into_iter().map(|thread| thread.join().expect("compiled")).collect()
    });
    assert!(others.iter().all(|other| *other == first), "the bytes differ between threads");
}

#[test]
fn the_same_program_has_the_same_problems() {
    let solve = r#"["begin",["f.a"],["f.b"],["set","x",1],["let","y",["+","z",["bytes.empty"]]],["main.g"],3]"#;
    let decls = r#"[{"kind":"defn","name":"main.g","params":[],"result":"i32","body":["if",1,"q",["bytes.empty"]]}]"#;
    let first = Program::of(decls, solve).compile(&Options::default());
    assert!(first.problems.iter().any(is_error));
    for _ in 0..3 {
        assert_eq!(Program::of(decls, solve).compile(&Options::default()).problems, first.problems);
    }
}
