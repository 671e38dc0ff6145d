//! The compiler and changed texts of programs: whatever a text says, the compiler answers with a
//! module that is valid, or with problems.
//!
//! The folders in `tests/fuzz/corpus` hold texts, one for each target: `x07ast` modules with the id
//! `m`, `front_end` entries. Every text is tried as it stands, and changed in many ways: parts are
//! replaced, left out, doubled, exchanged, taken from other texts, and bytes are damaged. A text that
//! shows a mistake is added to the folder, so that it is tried ever after.
//!
//! `X07_FUZZ_SECONDS=60` tries changes for that long, with other choices every time, and also
//! compares what compiled programs do with what the interpreter says.
//!
//! | module | job |
//! |---|---|
//! | this one | targets and tests |
//! | `mutate` | changes of texts |

mod mutate;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmparser::Validator;
use x07_wasm::compiler::{self, Options};
use x07_wasm::report::Code;

use crate::language::program::{ARENA, Program, entry, is_error, list};
use crate::oracle::compare::Pair;
use crate::support::root;
use mutate::Mutator;

/// Changes of each target that every run of the tests tries.
const CHANGES: usize = 300;

/// No text may keep the compiler busy for longer, even on a slow machine.
const HANG: Duration = Duration::from_secs(60);

/// What is tried with a text.
struct Target {
    /// The folder of its texts.
    name: &'static str,
    /// Says what is wrong.
    attempt: fn(&str, bool) -> Result<(), String>,
}

/// Reading a module.
const X07AST: Target = Target { name: "x07ast", attempt: read_module };

/// The whole compiler.
const FRONT_END: Target = Target { name: "front_end", attempt: compile_entry };

/// The texts of a target by name, in order.
fn corpus(target: &Target) -> Vec<(String, String)> {
    let folder = root().join("tests/fuzz/corpus").join(target.name);
    let entries = fs::read_dir(&folder).expect("the corpus");
    let mut texts: Vec<(String, String)> = entries
        .map(|entry| {
            let path = entry.expect("readable").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
            (name, fs::read_to_string(&path).expect("a text"))
        })
        .collect();
    texts.sort();
    assert!(texts.len() >= 8, "{}: only {} texts", target.name, texts.len());
    texts
}

/// Checks a program that imports the module and uses nothing of it.
fn read_module(text: &str, _thorough: bool) -> Result<(), String> {
    let main = entry("x07.x07ast@0.9.0", r#"["m"]"#, "[]", r#"["view.to_bytes","input"]"#);
    let mut program = Program::of_entry(main);
    program.files.insert("m".to_owned(), text.to_owned());
    let checked = compiler::check(&program, &Options::default());
    let errors = checked.problems.iter().any(is_error);
    if checked.program.is_some() == errors {
        return Err(format!("there is a program exactly when there is no error:\n{}", list(&checked.problems)));
    }
    Ok(())
}

/// Compiles an entry; thorough attempts also run it.
fn compile_entry(text: &str, thorough: bool) -> Result<(), String> {
    let program = Program::of_entry(text);
    let compiled = program.compile(&Options::default());
    let problems = || list(&compiled.problems);
    if compiled.problems.iter().any(|problem| problem.code == Code::InternalError) {
        return Err(format!("the compiler contradicts itself:\n{}", problems()));
    }
    let Some(wasm) = &compiled.wasm else {
        let refused = compiled.problems.iter().any(is_error);
        return if refused { Ok(()) } else { Err(format!("there is neither module nor error:\n{}", problems())) };
    };
    if let Err(error) = Validator::new().validate_all(wasm) {
        return Err(format!("the module is not valid: {error}"));
    }
    if thorough && let Some(pair) = Pair::of(&program, &Options::default())? {
        for input in [&b""[..], b"0123456789"] {
            pair.run(input, ARENA)?;
        }
    }
    Ok(())
}

/// Tries a text; a panic, a hang or a wrong answer fails the test and shows the text.
#[track_caller]
fn attempt(target: &Target, what: &str, text: &str, thorough: bool) {
    let started = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.attempt)(text, thorough)));
    let took = started.elapsed();
    match outcome {
        Ok(Ok(())) => assert!(took < HANG, "{}, {what}: it took {took:?}\n{text}", target.name),
        Ok(Err(wrong)) => panic!("{}, {what}: {wrong}\n{text}", target.name),
        Err(_) => panic!("{}, {what}: the compiler panics\n{text}", target.name),
    }
}

/// Tries all texts of a target, then changes of them.
#[track_caller]
fn attempt_all(target: &Target) {
    let texts = corpus(target);
    for (name, text) in &texts {
        attempt(target, name, text, true);
    }
    let seconds = std::env::var("X07_FUZZ_SECONDS").ok().and_then(|text| text.parse::<u64>().ok());
    let seed = match seconds {
        None => 1,
        Some(_) => SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs()),
    };
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let bases: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
    let mut mutator = Mutator::new(seed, &bases);
    let mut number = 0_usize;
    while end.map_or(number < CHANGES, |end| Instant::now() < end) {
        let text = mutator.text();
        attempt(target, &format!("seed {seed}, change {number}"), &text, seconds.is_some());
        number += 1;
    }
}

#[test]
fn texts_of_modules_are_read_or_refused() {
    attempt_all(&X07AST);
}

#[test]
fn texts_of_entries_are_compiled_or_refused() {
    attempt_all(&FRONT_END);
}
