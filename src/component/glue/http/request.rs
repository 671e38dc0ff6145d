//! Requests, as far as the glue looks at them: what stands before the body is laid out for the
//! codec, and the body is read behind it.

use wasm_encoder::ValType;

use super::Parts;
use super::host::METHODS;
use crate::component::codec::framing::PREFIX;
use crate::component::glue::asm::Body;
use crate::component::glue::io::READ_FAILED;
use crate::component::link::{FunctionId, Linker};

const I32: ValType = ValType::I32;

/// Bytes of an entry in a table of texts: address and length.
const TEXT: u32 = 8;

/// Bytes of a header in the list of the host: address and length of name and value.
const HEADER: u32 = 16;

/// [`PREFIX`] as a length in the memory.
const PREFIX_BYTES: u32 = PREFIX as u32;

/// Adds a function `(request) -> input` that lays out what stands before the body: from `input` to
/// the bump pointer. `prefix` is the address of the codec's prefix.
pub(super) fn define_head(linker: &mut Linker, parts: &Parts, prefix: u32) -> FunctionId {
    let methods = place_methods(linker);
    let push = define_push(linker, parts);
    let id = linker.declare("http_head", &[I32], &[I32]);
    let request = 0;
    let mut body = Body::new(&[I32]);
    let [method, method_size, target, target_size, fields, entry, left, input] = [(); 8].map(|()| body.local(I32));
    let (host, area) = (&parts.host, parts.area);

    body.get(request).u32(area).call(host.method);
    // The case; then the entry of its name. `other` has the entry itself in the area.
    body.u32(area).load8_u(0).u32(TEXT).mul().u32(methods).add().u32(area + 4);
    body.u32(area).load8_u(0).u32(METHODS.len() as u32).lt_u().select().set(entry);
    body.get(entry).load32(0).set(method);
    body.get(entry).load32(4).set(method_size);

    body.get(request).u32(area).call(host.path_with_query);
    body.u32(area).load8_u(0).if_(|b| {
        b.u32(area).load32(4).set(target);
        b.u32(area).load32(8).set(target_size);
    });

    body.get(request).call(host.headers).tee(fields).u32(area).call(host.entries);
    body.get(fields).call(host.drop_fields);
    body.u32(area).load32(0).set(entry);
    body.u32(area).load32(4).set(left);

    // From here on the host allocates nothing, so the pieces lie together.
    allocate(&mut body, parts, |b| {
        b.u32(PREFIX_BYTES);
    });
    body.tee(input).u32(prefix).u32(PREFIX_BYTES).memory_copy();
    body.get(method).get(method_size).call(push);
    body.get(target).get(target_size).call(push);
    allocate(&mut body, parts, |b| {
        b.u32(4);
    });
    body.get(left).store32(0);
    body.block(|b| {
        b.loop_(|b| {
            b.get(left).eqz().br_if(1);
            b.get(entry).load32(0).get(entry).load32(4).call(push);
            b.get(entry).load32(8).get(entry).load32(12).call(push);
            b.get(entry).u32(HEADER).add().set(entry);
            b.get(left).i32(1).sub().set(left);
            b.br(0);
        });
    });
    body.get(input);
    linker.define(id, body.finish());
    id
}

/// Adds a function `(request, max) -> state` that reads the body to where the bump pointer is; see
/// [`crate::component::glue::io::Streams::define_read`] for the state.
pub(super) fn define_body(linker: &mut Linker, parts: &Parts) -> FunctionId {
    let read = parts.host.streams.define_read(linker, &parts.frame, parts.area);
    let id = linker.declare("http_body", &[I32, I32], &[I32]);
    let (request, max) = (0, 1);
    let mut body = Body::new(&[I32, I32]);
    let [incoming, stream, state] = [(); 3].map(|()| body.local(I32));
    let (host, area) = (&parts.host, parts.area);

    body.get(request).u32(area).call(host.consume);
    body.u32(area).load8_u(0).if_(|b| {
        b.i32(READ_FAILED).ret();
    });
    body.u32(area).load32(4).tee(incoming).u32(area).call(host.stream);
    body.u32(area).load8_u(0).if_(|b| {
        b.get(incoming).call(host.drop_incoming);
        b.i32(READ_FAILED).ret();
    });
    body.u32(area).load32(4).tee(stream).get(max).call(read).set(state);
    body.get(stream).call(host.streams.drop_input);
    body.get(incoming).call(host.drop_incoming);
    body.get(state);
    linker.define(id, body.finish());
    id
}

/// Places the names of methods and a table of them, and gives its address.
fn place_methods(linker: &mut Linker) -> u32 {
    let mut table: Vec<u8> = Vec::new();
    for name in METHODS {
        table.extend(linker.data(name.as_bytes()).to_le_bytes());
        table.extend((name.len() as u32).to_le_bytes());
    }
    linker.data(&table)
}

/// Adds a function `(ptr, len)` that appends a text behind its length.
fn define_push(linker: &mut Linker, parts: &Parts) -> FunctionId {
    let id = linker.declare("http_push", &[I32, I32], &[]);
    let (text, size) = (0, 1);
    let mut body = Body::new(&[I32, I32]);
    let at = body.local(I32);
    allocate(&mut body, parts, |b| {
        b.get(size).i32(4).add();
    });
    body.tee(at).get(size).store32(0);
    body.get(at).i32(4).add().get(text).get(size).memory_copy();
    linker.define(id, body.finish());
    id
}

/// Pushes the address of new bytes right at the bump pointer; `size` pushes their number, which is
/// not 0.
fn allocate(body: &mut Body, parts: &Parts, size: impl FnOnce(&mut Body)) {
    body.i32(0).i32(0).i32(1);
    size(body);
    body.call(parts.frame.realloc);
}
