//! Programs between standard input and standard output: the world `wasi:cli/command`.
//!
//! `run` reads standard input to its end, solves it, and writes the output to standard output. A
//! failure is one line on standard error that names a diagnostic code, and the error case of `run`.
//! Arguments and environment are not looked at, so they are not imported.

use wasm_encoder::ValType;

use super::asm::Body;
use super::frame::{Frame, Imports, Solver, frame, memory_bytes};
use super::io::{AREA, READ_CHUNK, READ_FAILED, READ_TOO_MUCH, Streams};
use super::{CliBudgets, GlueError, SolveLimits};
use crate::component::link::{FunctionId, Linker};
use crate::report::Code;

const I32: ValType = ValType::I32;

/// Bytes that an adapter has for an output at the least, even if its budget is lower: what programs
/// may put out by default. An output that passes the budget is then reported as such.
const ANSWER_REGION: u64 = 16 << 20;

/// Makes the core module of a program as a command.
///
/// # Errors
///
/// [`GlueError::Link`]: the program's module cannot be linked.
pub fn cli_native(core: &[u8], limits: SolveLimits, budgets: &CliBudgets) -> Result<Vec<u8>, GlueError> {
    let mut imports = Imports::new();
    let host = Host::import(&mut imports);
    let mut linker = imports.linker();
    let program = linker.add_program(core)?;
    let region = input_region(budgets);
    command(linker, &host, Solver::Native { program, limits }, budgets, region)
}

/// Makes the core module of an adapter between a command and an imported `solve`.
///
/// # Errors
///
/// [`GlueError::Link`]: the budgets pass what a memory can hold.
pub fn cli_adapter(budgets: &CliBudgets) -> Result<Vec<u8>, GlueError> {
    let mut imports = Imports::new();
    let host = Host::import(&mut imports);
    let function = imports.solve();
    let linker = imports.adapter();
    let region = input_region(budgets).saturating_add(budgets.max_stdout_bytes.max(ANSWER_REGION));
    command(linker, &host, Solver::Imported { function }, budgets, region)
}

/// The imported functions of a command.
struct Host {
    stdin: FunctionId,
    stdout: FunctionId,
    stderr: FunctionId,
    streams: Streams,
}

impl Host {
    fn import(imports: &mut Imports) -> Self {
        Self {
            stdin: imports.function("wasi:cli/stdin@0.2.8", "get-stdin", &[], &[I32]),
            stdout: imports.function("wasi:cli/stdout@0.2.8", "get-stdout", &[], &[I32]),
            stderr: imports.function("wasi:cli/stderr@0.2.8", "get-stderr", &[], &[I32]),
            streams: Streams::import(imports),
        }
    }
}

/// The functions that `run` calls, other than imported ones.
struct Parts {
    frame: Frame,
    read: FunctionId,
    write: FunctionId,
    fail: FunctionId,
}

/// Bytes for standard input, up to the byte that is too much.
fn input_region(budgets: &CliBudgets) -> u64 {
    budgets.max_stdin_bytes.saturating_add(u64::from(READ_CHUNK))
}

/// Adds everything else and writes the module.
fn command(
    mut linker: Linker,
    host: &Host,
    solver: Solver,
    budgets: &CliBudgets,
    region: u64,
) -> Result<Vec<u8>, GlueError> {
    let lines = Lines::place(&mut linker, budgets.max_stderr_bytes);
    let (frame, areas) = frame(&mut linker, solver, &[AREA]);
    let area = areas.first().copied().unwrap_or_default();
    let read = host.streams.define_read(&mut linker, &frame, area);
    let write = host.streams.define_write(&mut linker, area);
    let fail = define_fail(&mut linker, host, write);
    let run = define_run(&mut linker, host, &Parts { frame, read, write, fail }, &lines, budgets);
    linker.export("wasi:cli/run@0.2.8#run", run);
    let memory = memory_bytes(&linker, region);
    Ok(linker.finish(memory)?)
}

/// A line of standard error in static data.
#[derive(Clone, Copy)]
struct Line {
    address: u32,
    length: u32,
}

/// The lines of the failures.
struct Lines {
    read_failed: Line,
    input_too_large: Line,
    output_too_large: Line,
}

impl Lines {
    /// Places the lines. One of more than `max` bytes is left out: part of a code would be another.
    fn place(linker: &mut Linker, max: u64) -> Self {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let mut place = |code: Code| {
            let mut line = format!("x07-diag-code: {}\n", code.as_str()).into_bytes();
            if line.len() > max {
                line.clear();
            }
            Line { address: linker.data(&line), length: u32::try_from(line.len()).unwrap_or(u32::MAX) }
        };
        Self {
            read_failed: place(Code::ComponentRunStdinReadFailed),
            input_too_large: place(Code::BudgetExceededCliStdin),
            output_too_large: place(Code::BudgetExceededCliStdout),
        }
    }
}

/// `(ptr, len) -> 1`: writes a line to standard error. That it cannot be written changes nothing.
fn define_fail(linker: &mut Linker, host: &Host, write: FunctionId) -> FunctionId {
    let id = linker.declare("fail", &[I32, I32], &[I32]);
    let mut body = Body::new(&[I32, I32]);
    let stream = body.local(I32);
    body.call(host.stderr).tee(stream).get(0).get(1).call(write).drop_();
    body.get(stream).call(host.streams.drop_output);
    body.i32(1);
    linker.define(id, body.finish());
    id
}

/// `() -> result`: 0 for success, 1 for failure.
fn define_run(linker: &mut Linker, host: &Host, parts: &Parts, lines: &Lines, budgets: &CliBudgets) -> FunctionId {
    let id = linker.declare("run", &[], &[I32]);
    let mut body = Body::new(&[]);
    let stream = body.local(I32);
    let state = body.local(I32);
    let output = body.local(I32);
    let size = body.local(I32);
    let fail = |b: &mut Body, line: Line| {
        b.u32(line.address).u32(line.length).call(parts.fail).ret();
    };

    // What an earlier call left in the bump region is not needed any more, however it ended.
    body.global_get(parts.frame.heap).global_set(parts.frame.bump);
    body.call(host.stdin).tee(stream).u32(bounded(budgets.max_stdin_bytes)).call(parts.read).set(state);
    body.get(stream).call(host.streams.drop_input);
    body.get(state).i32(READ_FAILED).eq().if_(|b| fail(b, lines.read_failed));
    body.get(state).i32(READ_TOO_MUCH).eq().if_(|b| fail(b, lines.input_too_large));

    body.global_get(parts.frame.heap);
    body.global_get(parts.frame.bump).global_get(parts.frame.heap).sub();
    body.call(parts.frame.call_solve).tee(output).load32(4).set(size);
    body.get(output).load32(0).set(output);
    body.get(size).u32(bounded(budgets.max_stdout_bytes)).gt_u().if_(|b| fail(b, lines.output_too_large));

    body.call(host.stdout).tee(stream).get(output).get(size).call(parts.write).set(state);
    body.get(stream).call(host.streams.drop_output);
    body.get(state).if_(|b| fail(b, lines.output_too_large));
    body.i32(0);
    linker.define(id, body.finish());
    id
}

/// A budget as a length in the memory; there is no more than that anyway.
fn bounded(budget: u64) -> u32 {
    u32::try_from(budget).unwrap_or(u32::MAX)
}
