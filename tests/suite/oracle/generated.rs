//! Random programs: what the compiled program does is what the interpreter says.

use serde_json::json;
use x07_wasm::compiler::Options;

use super::compare::Pair;
use super::declarations;
use super::eval::{self, End};
use super::kinds::Features;
use super::random::{shrink, tape};
use crate::language::program::{ARENA, Program};

/// Programs of each kind in every run of the tests, and in a long one.
const FEW: u64 = 150;
const MANY: u64 = 10_000;

/// Numbers on the tape of a program.
const TAPE: usize = 700;

/// Tries to make a program that shows a difference simpler.
const TRIES: usize = 400;

const INPUTS: [&[u8]; 3] = [b"", b"7", b"0123456789abcdef"];

/// Whether the long tests are asked for.
pub fn long() -> bool {
    std::env::var_os("X07_LONG").is_some_and(|value| value == "1")
}

/// What comparing a program said.
#[derive(Default)]
struct Said {
    refused: bool,
    not_compared: usize,
}

fn options() -> Options {
    Options { max_entry_bytes: 1 << 24, ..Options::default() }
}

/// Compares a program on all inputs.
fn compare(program: &Program) -> Result<Said, String> {
    let Some(pair) = Pair::of(program, &options())? else {
        return Ok(Said { refused: true, ..Said::default() });
    };
    let mut said = Said::default();
    for input in INPUTS {
        match pair.run(input, ARENA) {
            Ok(None) => {}
            Ok(Some(_)) => said.not_compared += 1,
            Err(difference) => return Err(format!("for the input {:?}: {difference}", String::from_utf8_lossy(input))),
        }
    }
    Ok(said)
}

/// Compares many programs; the first difference is shown with as small a program as was found.
#[track_caller]
fn compare_many(first_seed: u64, features: Features) {
    let count = if long() { MANY } else { FEW };
    let (mut refused, mut not_compared) = (0, 0);
    let mut example = String::new();
    for seed in first_seed..first_seed + count {
        let tape = tape(seed, TAPE);
        let program = declarations::program(&tape, features);
        match compare(&program) {
            Ok(said) => {
                if said.refused && example.is_empty() {
                    let problems = program.compile(&options()).problems;
                    example = format!("{}\n{}", crate::language::program::list(&problems), program.files["main"]);
                }
                refused += u64::from(said.refused);
                not_compared += said.not_compared as u64;
            }
            Err(_) => {
                let small = shrink(&tape, TRIES, |tape| compare(&declarations::program(tape, features)).is_err());
                let program = declarations::program(&small, features);
                let difference = compare(&program).err().unwrap_or_default();
                panic!("seed {seed}: {difference}\n{}", program.files["main"]);
            }
        }
    }
    assert!(refused * 5 < count, "{refused} of {count} programs are refused, the first:\n{example}");
    let runs = count * INPUTS.len() as u64;
    assert!(not_compared * 4 < runs, "{not_compared} of {runs} runs say nothing");
}

#[test]
fn programs_of_forms_and_buffers() {
    compare_many(1_000_000, Features::default());
}

#[test]
fn programs_with_the_library() {
    compare_many(2_000_000, Features { library: true, tasks: false });
}

#[test]
fn programs_with_tasks() {
    compare_many(3_000_000, Features { library: false, tasks: true });
}

#[test]
fn programs_with_everything() {
    compare_many(4_000_000, Features { library: true, tasks: true });
}

/// All operators on numbers that are apt to break them, on random ones, and on none that are
/// known when the program is compiled.
#[test]
fn operators_on_numbers() {
    let heads = [
        "+", "-", "*", "/", "%", "&", "|", "^", "<<u", ">>u", "=", "!=", "<", "<=", ">", ">=", "<u", "<=u", ">u", ">=u",
    ];
    let mut numbers = vec![0, 1, -1, 2, 3, 31, 32, 33, 255, 256, 65_535, i32::MAX, i32::MIN, i32::MIN + 1];
    numbers.extend(tape(5, 30).into_iter().map(u32::cast_signed));
    let all = |a: &serde_json::Value, b: &serde_json::Value| {
        let parts = heads.iter().map(|head| json!(["codec.write_u32_le", [head, a, b]]));
        parts.reduce(|all, part| json!(["bytes.concat", all, part])).expect("an operator")
    };
    let read = |offset: i32| json!(["codec.read_u32_le", "input", offset]);
    let unknown = Program::of_solve(&all(&read(0), &read(4)).to_string());
    let unknown = Pair::of(&unknown, &options()).expect("alike").expect("a program");
    for (place, a) in numbers.iter().enumerate() {
        for b in numbers.iter().skip(place % 3).step_by(3) {
            let input = [a.to_le_bytes(), b.to_le_bytes()].concat();
            assert_eq!(unknown.run(&input, ARENA), Ok(None), "{a} {b}");
        }
        let b = numbers[(place * 7 + 3) % numbers.len()];
        let known = json!(["begin", ["let", "a", a], ["let", "b", b], all(&json!("a"), &json!("b"))]);
        let known = Pair::of(&Program::of_solve(&known.to_string()), &options()).expect("alike").expect("a program");
        assert_eq!(known.run(b"", ARENA), Ok(None), "{a} {b}");
    }
}

/// What the interpreter says of programs whose outcome is known.
#[test]
fn the_interpreter_itself() {
    let run = |solve: serde_json::Value, input: &[u8]| {
        let checked = x07_wasm::compiler::check(&Program::of_solve(&solve.to_string()), &options());
        eval::run(&std::sync::Arc::new(checked.program.expect("no errors")), input, 1 << 20).end
    };
    let growing = json!([
        "begin",
        ["let", "v", ["vec_u8.with_capacity", 0]],
        ["for", "i", 0, 3, ["set", "v", ["vec_u8.push", "v", ["+", 65, "i"]]]],
        ["let", "c", ["fmt.u32_to_dec", ["vec_u8.cap", "v"]]],
        ["bytes.concat", ["vec_u8.into_bytes", "v"], "c"]
    ]);
    assert_eq!(run(growing, b""), End::Output(b"ABC4".to_vec()));
    assert_eq!(run(json!(["fmt.s32_to_dec", ["/", -1, 2]]), b""), End::Output(b"2147483647".to_vec()));
    let beyond = End::Trapped {
        reason: "out_of_bounds",
        function: "solve".to_owned(),
        module: "main".to_owned(),
        pointer: "/solve/1".to_owned(),
    };
    assert_eq!(run(json!(["bytes1", ["view.get_u8", "input", 2]]), b"ab"), beyond);
}
