//! Programs between requests and responses: the world `wasi:http/proxy`.
//!
//! `handle` moves bytes between the host, the [codec](mod@crate::component::codec) and the program;
//! what envelopes are like, which requests are refused and what failures look like is the codec's
//! matter. In order:
//!
//! 1. What stands before the body is laid out; the codec may refuse the request.
//! 2. The body is read behind it, up to one byte more than its limit; the codec makes the input of
//!    the program, or a refusal.
//! 3. The program is called with it; the codec makes the response of its output.
//! 4. The response is sent. One that the host does not take is replaced by one that says so.
//!
//! Inputs of the codec lie in the bump region, its outputs in an arena of its own, so that the
//! input of the program stays where it is while the program runs.

mod host;
mod request;
mod response;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

use wasm_encoder::ValType;

use self::host::{AREA, Host, INTERNAL_ERROR};
use super::asm::Body;
use super::frame::{Frame, Imports, Solver, frame, memory_bytes};
use super::io::{READ_CHUNK, READ_FAILED};
use super::{GlueError, HttpBudgets, SolveLimits, StateDoc};
use crate::component::codec::framing::{self, HostFailure, Operation, PREFIX};
use crate::component::codec::{self, CodecError};
use crate::component::link::{FunctionId, Linker, Program};

const I32: ValType = ValType::I32;

/// Bytes that an adapter has for an output: what programs may put out by default.
const OUTPUT_REGION: u64 = 16 << 20;

/// Bytes for what hosts hand over before the codec says that it is too much.
const HEAD_REGION: u64 = 4 << 20;

/// Bytes of a codec's input that tells of a failure of the host.
const FAILURE: i32 = 2;

/// Makes the core module of a program as a component for requests.
///
/// # Errors
///
/// [`GlueError::Link`]: the program's module cannot be linked, or the budgets pass what a memory can
/// hold. [`GlueError::Codec`]: a mistake of the tool.
pub fn http_native(
    core: &[u8],
    limits: SolveLimits,
    budgets: &HttpBudgets,
    state: StateDoc,
) -> Result<Vec<u8>, GlueError> {
    let mut imports = Imports::new();
    let host = Host::import(&mut imports);
    let mut linker = imports.linker();
    let program = linker.add_program(core)?;
    proxy(linker, host, Solver::Native { program, limits }, budgets, state, u64::from(limits.max_output))
}

/// Makes the core module of an adapter between requests and an imported `solve`.
///
/// # Errors
///
/// [`GlueError::Link`]: the budgets pass what a memory can hold. [`GlueError::Codec`]: a mistake of
/// the tool.
pub fn http_adapter(budgets: &HttpBudgets, state: StateDoc) -> Result<Vec<u8>, GlueError> {
    let mut imports = Imports::new();
    let host = Host::import(&mut imports);
    let function = imports.solve();
    let linker = imports.adapter();
    proxy(linker, host, Solver::Imported { function }, budgets, state, OUTPUT_REGION)
}

impl From<CodecError> for GlueError {
    fn from(error: CodecError) -> Self {
        Self::Codec { reason: error.reason }
    }
}

/// What the functions of the glue share.
struct Parts {
    host: Host,
    frame: Frame,
    /// `(input, length) -> kind`: calls the codec. 0 when the request goes on, 1 for a response.
    codec: FunctionId,
    /// Where the codec leaves address and length of its output.
    result: u32,
    /// Where the host leaves results.
    area: u32,
}

impl Parts {
    /// Frees the bump region.
    fn free(&self, body: &mut Body) {
        body.global_get(self.frame.heap).global_set(self.frame.bump);
    }
}

/// Addresses of static inputs of the codec, and of the starts of others.
struct Inputs {
    check: u32,
    decode: u32,
    unread: u32,
    refused: u32,
}

impl Inputs {
    fn place(linker: &mut Linker, budgets: &HttpBudgets, state: StateDoc) -> Self {
        Self {
            check: linker.data(&framing::prefix(Operation::Check, budgets, state)),
            decode: linker.data(&framing::prefix(Operation::Decode, budgets, state)),
            unread: linker.data(&framing::failure(HostFailure::BodyUnread)),
            refused: linker.data(&framing::failure(HostFailure::ResponseRefused)),
        }
    }
}

/// Adds everything else and writes the module. `output` is how many bytes the program may put out.
fn proxy(
    mut linker: Linker,
    host: Host,
    solver: Solver,
    budgets: &HttpBudgets,
    state: StateDoc,
    output: u64,
) -> Result<Vec<u8>, GlueError> {
    let program = add_codec(&mut linker)?;
    let inputs = Inputs::place(&mut linker, budgets, state);
    let arena_bytes = codec::arena_bytes(budgets);
    let (frame, regions) = frame(&mut linker, solver, &[AREA, 8, arena_bytes]);
    let [area, result, arena] = <[u32; 3]>::try_from(regions).unwrap_or_default();
    let codec = define_codec(&mut linker, program.solve, result, arena, arena_bytes);
    let parts = Parts { host, frame, codec, result, area };
    let handle = define_handle(&mut linker, &parts, &inputs, bounded(budgets.max_request_body_bytes));
    linker.export("wasi:http/incoming-handler@0.2.8#handle", handle);
    let memory = memory_bytes(&linker, region(budgets, state, output));
    Ok(linker.finish(memory)?)
}

/// Compiles the codec for the place above the program, and adds it.
fn add_codec(linker: &mut Linker) -> Result<Program, GlueError> {
    let base = linker.static_end();
    if base > codec::MAX_BASE {
        // What the codec takes at least, which is more than there is.
        let bytes = u64::from(base) + u64::from(u32::MAX - codec::MAX_BASE) + 1;
        return Err(linker.too_large(bytes).into());
    }
    let wasm = codec::compile(base)?;
    Ok(linker.add_module(&wasm)?)
}

/// The size of the bump region: what a request takes, once as the host hands it over and once as
/// the codec gets it, or an output of the program.
fn region(budgets: &HttpBudgets, state: StateDoc, output: u64) -> u64 {
    let texts = budgets
        .max_path_bytes
        .saturating_add(budgets.max_query_bytes)
        .saturating_add(budgets.max_header_bytes_total)
        .saturating_mul(2)
        .saturating_add(u64::from(budgets.max_headers).saturating_mul(64));
    let state = match state {
        StateDoc::None => 0,
        // In base64, twice.
        StateDoc::Header => budgets.max_envelope_bytes.saturating_mul(3),
    };
    let request = HEAD_REGION
        .saturating_add(texts)
        .saturating_add(state)
        .saturating_add(budgets.max_request_body_bytes)
        .saturating_add(u64::from(READ_CHUNK));
    request.max(output.saturating_add(u64::from(READ_CHUNK)))
}

/// Adds a function `(input, length) -> kind` that calls the codec.
fn define_codec(linker: &mut Linker, solve: FunctionId, result: u32, arena: u32, arena_bytes: u32) -> FunctionId {
    let id = linker.declare("http_codec", &[I32, I32], &[I32]);
    let mut body = Body::new(&[I32, I32]);
    body.u32(result).u32(arena).u32(arena_bytes).get(0).get(1).call(solve);
    body.u32(result).load32(0).load8_u(0);
    linker.define(id, body.finish());
    id
}

/// Adds `handle`: `(request, outparam)`. Every handle is dropped or given away on every path.
fn define_handle(linker: &mut Linker, parts: &Parts, inputs: &Inputs, max_body: u32) -> FunctionId {
    let head = request::define_head(linker, parts, inputs.check);
    let read_body = request::define_body(linker, parts);
    let solve = define_solve(linker, parts, inputs.decode);
    let answer = response::define_answer(linker, parts);
    let id = linker.declare("handle", &[I32, I32], &[]);
    let (request, outparam) = (0, 1);
    let mut body = Body::new(&[I32, I32]);
    let input = body.local(I32);
    let answered = body.local(I32);
    let translate = |b: &mut Body| {
        b.get(input).global_get(parts.frame.bump).get(input).sub().call(parts.codec).set(answered);
    };

    // What an earlier call left there is not needed any more, however it ended.
    parts.free(&mut body);
    body.get(request).call(head).set(input);
    translate(&mut body);
    body.get(answered).eqz().if_(|b| {
        b.get(request).u32(max_body).call(read_body).i32(READ_FAILED).eq().if_else(
            |b| {
                b.u32(inputs.unread).i32(FAILURE).call(parts.codec).set(answered);
            },
            |b| {
                b.get(input).i32(Operation::Encode as i32).store8(0);
                translate(b);
            },
        );
    });
    body.get(request).call(parts.host.drop_request);
    body.get(answered).eqz().if_(|b| {
        b.call(solve);
    });

    parts.free(&mut body);
    body.get(outparam).call(answer).eqz().if_(|b| {
        b.u32(inputs.refused).i32(FAILURE).call(parts.codec).drop_();
        parts.free(b);
        b.get(outparam).call(answer).eqz().if_(|b| {
            // Not even that response: the host makes one of its own.
            b.get(outparam).i32(1).i32(INTERNAL_ERROR);
            b.i32(0).i64(0).i32(0).i32(0).i32(0).i32(0).call(parts.host.set);
        });
    });
    parts.free(&mut body);
    linker.define(id, body.finish());
    id
}

/// Adds a function `()` that calls the program with what the codec made last, and the codec with
/// what the program returns. `prefix` is the address of the codec's prefix for that.
fn define_solve(linker: &mut Linker, parts: &Parts, prefix: u32) -> FunctionId {
    const PREFIX_BYTES: u32 = PREFIX as u32;
    let id = linker.declare("http_solve", &[], &[]);
    let mut body = Body::new(&[]);
    let input = body.local(I32);
    let output = body.local(I32);
    let from = body.local(I32);
    let size = body.local(I32);

    // Nobody needs the request any more.
    parts.free(&mut body);
    body.i32(0).i32(0).i32(1).u32(PREFIX_BYTES).call(parts.frame.realloc);
    body.tee(input).u32(prefix).u32(PREFIX_BYTES).memory_copy();
    body.get(input).u32(PREFIX_BYTES).add().set(output);

    // The first byte of the codec's output says that a request follows.
    body.u32(parts.result).load32(0).i32(1).add();
    body.u32(parts.result).load32(4).i32(1).sub();
    body.call(parts.frame.call_solve).tee(from).load32(4).set(size);
    body.get(from).load32(0).set(from);

    // An imported program's output lies behind the prefix already, since it was allocated there.
    body.get(from).get(output).ne().if_(|b| {
        b.get(output).global_set(parts.frame.bump);
        b.i32(0).i32(0).i32(1).get(size).call(parts.frame.realloc).drop_();
        b.get(output).get(from).get(size).memory_copy();
    });
    body.get(input).get(size).u32(PREFIX_BYTES).add().call(parts.codec).drop_();
    linker.define(id, body.finish());
    id
}

/// A budget as a length in the memory; there is no more than that anyway.
fn bounded(budget: u64) -> u32 {
    u32::try_from(budget).unwrap_or(u32::MAX)
}
