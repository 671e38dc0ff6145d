//! Speed and size of the code that the compiler makes, against the same algorithms in C.
//!
//! Each program of `programs/` has a twin in `native/`, as a C programmer writes it: without checks
//! of indices. The twin is compiled for this machine with `cc -O2`; the module runs in the engine as
//! `run` runs it. Both get the same input and must yield the same number. Timed is the call alone,
//! the module's instantiation included; the best of several rounds in turn counts.

#![allow(missing_docs, clippy::unwrap_used)]

// Of which only the number of rounds is wanted here.
#[allow(dead_code)]
mod measure;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use x07_wasm::compiler::emit::Target;
use x07_wasm::compiler::source::{ModuleSource, ModuleText, SourceError};
use x07_wasm::compiler::{Options, compile};
use x07_wasm::engine::{EngineConfig, Runtime, SolveCall, SolveModule};

/// The programs, and how many bytes of input each gets.
const PROGRAMS: [(&str, usize); 8] = [
    ("base64", 48_000),
    ("distance", 6_000),
    ("histogram", 48_000),
    ("matrix", 48_000),
    ("mixing", 48_000),
    ("sieve", 0),
    ("sort", 0),
    ("tokens", 48_000),
];

const ARENA: u32 = 12 << 20;

/// A program in one entry.
struct Entry(String);

impl ModuleSource for Entry {
    fn entry(&self) -> Result<ModuleText, SourceError> {
        Ok(ModuleText { path: "main.x07.json".to_owned(), text: self.0.clone() })
    }

    fn module(&self, _: &str) -> Result<ModuleText, SourceError> {
        Err(SourceError::NotFound { searched: Vec::new() })
    }
}

/// Text with words, numbers, strings and marks.
fn input(length: usize) -> Vec<u8> {
    let mut text = Vec::new();
    let mut state: u32 = 1;
    while text.len() < length {
        for part in ["{\"id\": ", ", \"name\": \"item ", "\", \"tags\": [true, false, null], \"v\": ", "},\n"] {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            text.extend_from_slice(part.as_bytes());
            text.extend_from_slice((state >> 16).to_string().as_bytes());
        }
    }
    text.truncate(length);
    text
}

/// Compiles the twin of a program; `None` when this machine has no C compiler.
fn native(name: &str, folder: &Path) -> Option<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/native");
    let program = folder.join(name);
    let status = Command::new("cc")
        .args(["-O2", "-o"])
        .arg(&program)
        .arg(sources.join("main.c"))
        .arg(sources.join(format!("{name}.c")))
        .stdin(Stdio::null())
        .status()
        .ok()?;
    assert!(status.success(), "cc refuses {name}.c");
    Some(program)
}

/// One run of the twin: its result and its time.
fn run_native(program: &Path, input: &Path) -> (u32, Duration) {
    let output = Command::new(program).arg(input).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{} fails", program.display());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut numbers = text.split_whitespace().map(|number| number.parse::<u64>().unwrap());
    let result = u32::try_from(numbers.next().unwrap()).unwrap();
    (result, Duration::from_nanos(numbers.next().unwrap()))
}

/// One run of a module: its result and its time.
fn run_wasm(runtime: &Runtime, module: &SolveModule, input: &[u8]) -> (u32, Duration) {
    let call = SolveCall { input, arena_cap: ARENA, max_output: 1024 };
    let started = Instant::now();
    let output = module.solve(runtime, &call).unwrap();
    let time = started.elapsed();
    (u32::from_le_bytes(output.bytes.as_slice().try_into().unwrap()), time)
}

fn module(name: &str, strip: bool) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("benches/programs/{name}.x07.json"));
    let source = Entry(std::fs::read_to_string(path).unwrap());
    let memory = 16 << 20;
    let target = Target {
        initial_memory_bytes: memory,
        max_memory_bytes: memory,
        static_base: 0,
        producer: "bench 0".to_owned(),
        strip,
    };
    let made = compile(&source, &Options::default(), &target);
    made.wasm.unwrap_or_else(|| panic!("{name}: {:?}", made.problems.first()))
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let (runtime, _) = Runtime::new(&EngineConfig::default()).unwrap();
    println!("\ncode against cc -O2: best times, ratio, bytes of the stripped module");
    let mut logarithms = 0.0;
    for (name, length) in PROGRAMS {
        let Some(program) = native(name, folder.path()) else {
            println!("  no cc on this machine: nothing to compare with");
            return;
        };
        let input = input(length);
        let file = folder.path().join("input");
        std::fs::write(&file, &input).unwrap();
        let compiled = SolveModule::compile(&runtime, &module(name, false)).unwrap();
        let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
        for _ in 0..measure::rounds() {
            let (expected, time) = run_native(&program, &file);
            theirs = theirs.min(time);
            let (found, time) = run_wasm(&runtime, &compiled, &input);
            ours = ours.min(time);
            assert_eq!(found, expected, "{name}: the results differ");
        }
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64().max(1e-9);
        logarithms += ratio.ln();
        let (ours, theirs) = (ours.as_secs_f64() * 1e3, theirs.as_secs_f64() * 1e3);
        let size = module(name, true).len();
        println!("  {name:<12} wasm {ours:>9.3} ms   C {theirs:>9.3} ms   {ratio:>6.2} ×   {size:>6} bytes");
    }
    let mean = (logarithms / PROGRAMS.len() as f64).exp();
    println!("  geometric mean {mean:.2} ×");
}
