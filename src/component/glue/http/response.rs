//! Responses: from the form that the codec gives them to the host.

use wasm_encoder::ValType;

use super::Parts;
use crate::component::glue::asm::Body;
use crate::component::link::{FunctionId, Linker};

const I32: ValType = ValType::I32;

/// Bytes of a header in the list for the host: address and length of name and value.
const HEADER: u32 = 16;

/// Where in the codec's response the status is, the number of headers, and the first header.
const STATUS: u32 = 1;
const COUNT: u32 = 5;
const HEADERS: u32 = 9;

/// Adds a function `(outparam) -> sent` that sends the response which the codec made last. 0 when
/// the host does not take its headers or its status; the outparam is still there then. A client
/// that goes away before it has the whole body changes nothing.
pub(super) fn define_answer(linker: &mut Linker, parts: &Parts) -> FunctionId {
    let header = define_header(linker);
    let send_body = define_send_body(linker, parts);
    let id = linker.declare("http_answer", &[I32], &[I32]);
    let outparam = 0;
    let mut body = Body::new(&[I32]);
    let [start, end, at, left, list, entry, response, outgoing] = [(); 8].map(|()| body.local(I32));
    let (host, area) = (&parts.host, parts.area);

    body.u32(parts.result).load32(0).tee(start).u32(parts.result).load32(4).add().set(end);
    body.get(start).load32(COUNT).set(left);
    body.i32(0).i32(0).i32(4).get(left).u32(HEADER).mul().call(parts.frame.realloc).tee(list).set(entry);
    body.get(start).u32(HEADERS).add().set(at);
    body.block(|b| {
        b.loop_(|b| {
            b.get(left).eqz().br_if(1);
            b.get(at).get(entry).call(header).set(at);
            b.get(at).get(entry).i32(8).add().call(header).set(at);
            b.get(entry).u32(HEADER).add().set(entry);
            b.get(left).i32(1).sub().set(left);
            b.br(0);
        });
    });

    body.get(list).get(start).load32(COUNT).u32(area).call(host.from_list);
    body.u32(area).load8_u(0).if_(|b| {
        b.i32(0).ret();
    });
    body.u32(area).load32(4).call(host.new_response).tee(response);
    body.get(start).load32(STATUS).call(host.set_status).if_(|b| {
        b.get(response).call(host.drop_response);
        b.i32(0).ret();
    });
    body.get(response).u32(area).call(host.body);
    body.u32(area).load8_u(0).if_(|b| {
        b.get(response).call(host.drop_response);
        b.i32(0).ret();
    });
    body.u32(area).load32(4).set(outgoing);

    // The host must have the response before its body is written: it takes the body as it comes.
    body.get(outparam).i32(0).get(response).i32(0).i64(0).i32(0).i32(0).i32(0).i32(0).call(host.set);
    body.get(outgoing).get(at).get(end).get(at).sub().call(send_body);
    body.i32(1);
    linker.define(id, body.finish());
    id
}

/// Adds a function `(at, entry) -> end` that stores address and length of the text whose length is
/// at `at`, and gives the end of the text.
fn define_header(linker: &mut Linker) -> FunctionId {
    let id = linker.declare("http_header_part", &[I32, I32], &[I32]);
    let (at, entry) = (0, 1);
    let mut body = Body::new(&[I32, I32]);
    body.get(entry).get(at).i32(4).add().store32(0);
    body.get(entry).get(at).load32(0).store32(4);
    body.get(at).i32(4).add().get(at).load32(0).add();
    linker.define(id, body.finish());
    id
}

/// Adds a function `(outgoing-body, ptr, len)` that writes a body and finishes it.
fn define_send_body(linker: &mut Linker, parts: &Parts) -> FunctionId {
    let write = parts.host.streams.define_write(linker, parts.area);
    let id = linker.declare("http_send_body", &[I32, I32, I32], &[]);
    let (outgoing, bytes, size) = (0, 1, 2);
    let mut body = Body::new(&[I32; 3]);
    let [stream, failed] = [(); 2].map(|()| body.local(I32));
    let (host, area) = (&parts.host, parts.area);

    body.get(size).if_(|b| {
        b.get(outgoing).u32(area).call(host.write);
        b.u32(area).load8_u(0).tee(failed).eqz().if_(|b| {
            b.u32(area).load32(4).tee(stream).get(bytes).get(size).call(write).set(failed);
            b.get(stream).call(host.streams.drop_output);
        });
    });
    body.get(failed).if_else(
        |b| {
            b.get(outgoing).call(host.drop_outgoing);
        },
        |b| {
            // Whether that works is of no use to anybody here.
            b.get(outgoing).i32(0).i32(0).u32(area).call(host.finish);
        },
    );
    linker.define(id, body.finish());
    id
}
