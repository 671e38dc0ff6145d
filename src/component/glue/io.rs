//! Reading and writing the byte streams of `wasi:io`.
//!
//! The results of the imported methods lie in an area of [`AREA`] bytes that the caller names:
//!
//! | offset | content |
//! |---|---|
//! | 0 | one byte: 0 for success, 1 for failure |
//! | 4 | reading: address of the bytes; after a failure one byte: 0 for an error, 1 for the end of the stream |
//! | 8 | reading: number of bytes; after an error its handle |

use wasm_encoder::ValType;

use super::asm::Body;
use super::frame::{Frame, Imports};
use crate::component::link::{FunctionId, Linker};

const I32: ValType = ValType::I32;

/// The interface with the streams.
pub const STREAMS: &str = "wasi:io/streams@0.2.8";

/// The interface with the errors of streams.
pub const ERROR: &str = "wasi:io/error@0.2.8";

/// Bytes of a result area.
pub const AREA: u32 = 12;

/// The most that is asked of a stream at once, in bytes.
pub const READ_CHUNK: u32 = 64 * 1024;

/// The most that may be written and flushed at once, in bytes; the interface says so.
pub const WRITE_CHUNK: u32 = 4096;

/// What a reading function returns: the stream ended within the limit.
pub const READ_ALL: i32 = 0;

/// What a reading function returns: the stream failed.
pub const READ_FAILED: i32 = 1;

/// What a reading function returns: there is more than the limit.
pub const READ_TOO_MUCH: i32 = 2;

/// The imported operations of streams.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// `(stream, i64 length, area)`: waits for bytes.
    pub read: FunctionId,
    /// `(stream, ptr, len, area)`: writes up to [`WRITE_CHUNK`] bytes and flushes.
    pub write: FunctionId,
    /// Drops an input stream.
    pub drop_input: FunctionId,
    /// Drops an output stream.
    pub drop_output: FunctionId,
    /// Drops an error.
    pub drop_error: FunctionId,
}

impl Streams {
    /// Adds the imports.
    pub fn import(imports: &mut Imports) -> Self {
        Self {
            // func(self: borrow, len: u64) -> result<list<u8>, stream-error>: four flat results, so
            // they are stored.
            read: imports.function(STREAMS, "[method]input-stream.blocking-read", &[I32, ValType::I64, I32], &[]),
            // func(self: borrow, contents: list<u8>) -> result<_, stream-error>: three flat results.
            write: imports.function(
                STREAMS,
                "[method]output-stream.blocking-write-and-flush",
                &[I32, I32, I32, I32],
                &[],
            ),
            drop_input: imports.function(STREAMS, "[resource-drop]input-stream", &[I32], &[]),
            drop_output: imports.function(STREAMS, "[resource-drop]output-stream", &[I32], &[]),
            drop_error: imports.function(ERROR, "[resource-drop]error", &[I32], &[]),
        }
    }

    /// Adds a function `(stream, max) -> state` that reads a stream to its end, one of
    /// [`READ_ALL`], [`READ_FAILED`] and [`READ_TOO_MUCH`]. The bytes lie together from where the
    /// bump pointer was to where it is then. It reads at most one byte more than `max`.
    pub fn define_read(&self, linker: &mut Linker, frame: &Frame, area: u32) -> FunctionId {
        let id = linker.declare("read_stream", &[I32, I32], &[I32]);
        let (stream, max) = (0, 1);
        let mut body = Body::new(&[I32, I32]);
        let end = body.local(I32);
        let total = body.local(I32);
        let length = body.local(I32);
        let room = body.local(ValType::I64);

        body.global_get(frame.bump).set(end);
        body.loop_(|b| {
            b.get(max).get(total).sub().extend_u().i64(1).add64().set(room);
            b.get(stream);
            b.get(room).i64(i64::from(READ_CHUNK)).get(room).i64(i64::from(READ_CHUNK)).lt_u64().select();
            b.u32(area).call(self.read);
            b.u32(area).load8_u(0).if_(|b| {
                self.drop_failure(b, area);
                // 0 for an error, 1 for the end of the stream.
                b.i32(READ_FAILED).i32(READ_ALL).u32(area).load8_u(4).eqz().select().ret();
            });
            b.u32(area).load32(8).set(length);
            // The host allocated the bytes at the bump pointer, so they are in place already. The
            // copy is for one that allocates in another way.
            b.u32(area).load32(4).get(end).ne().if_(|b| {
                b.get(end).u32(area).load32(4).get(length).memory_copy();
            });
            b.get(end).get(length).add().tee(end).global_set(frame.bump);
            b.get(total).get(length).add().tee(total).get(max).gt_u().if_(|b| {
                b.i32(READ_TOO_MUCH).ret();
            });
            b.br(0);
        });
        body.unreachable();
        linker.define(id, body.finish());
        id
    }

    /// Adds a function `(stream, ptr, len) -> failed` that writes bytes piece by piece: 0 when all
    /// were taken, 1 when the stream failed or was closed.
    pub fn define_write(&self, linker: &mut Linker, area: u32) -> FunctionId {
        let id = linker.declare("write_stream", &[I32, I32, I32], &[I32]);
        let (stream, from, left) = (0, 1, 2);
        let mut body = Body::new(&[I32, I32, I32]);
        let piece = body.local(I32);

        body.block(|b| {
            b.loop_(|b| {
                b.get(left).eqz().br_if(1);
                b.get(left).u32(WRITE_CHUNK).get(left).u32(WRITE_CHUNK).lt_u().select().set(piece);
                b.get(stream).get(from).get(piece).u32(area).call(self.write);
                b.u32(area).load8_u(0).if_(|b| {
                    self.drop_failure(b, area);
                    b.i32(1).ret();
                });
                b.get(from).get(piece).add().set(from);
                b.get(left).get(piece).sub().set(left);
                b.br(0);
            });
        });
        body.i32(0);
        linker.define(id, body.finish());
        id
    }

    /// Drops the error of a failure, if it has one.
    fn drop_failure(&self, body: &mut Body, area: u32) {
        body.u32(area).load8_u(4).eqz().if_(|b| {
            b.u32(area).load32(8).call(self.drop_error);
        });
    }
}
