//! Helpers that turn numbers into decimal text and back.

use wasm_encoder::{BlockType, MemArg};

use super::Helper;
use super::code::{Code, Scratch};
use crate::compiler::ir::Trap;

const BYTE: MemArg = MemArg { offset: 0, align: 0, memory_index: 0 };
const ZERO: i32 = 0x30;
const MINUS: i32 = 0x2d;

/// The code of [`Helper::FormatUnsigned`].
pub(super) fn format_unsigned() -> Code {
    format(false)
}

/// The code of [`Helper::FormatSigned`].
pub(super) fn format_signed() -> Code {
    format(true)
}

fn format(signed: bool) -> Code {
    let mut code = Code::new(1);
    let number = 0;
    let negative = code.scratch(Scratch::I32);
    let rest = code.scratch(Scratch::I32);
    let length = code.scratch(Scratch::I32);
    let address = code.scratch(Scratch::I32);
    let cursor = code.scratch(Scratch::I32);

    if signed {
        // The magnitude of the least number is 2^31 when read as unsigned.
        code.ins().local_get(number).i32_const(0).i32_lt_s().local_tee(negative).if_(BlockType::Empty);
        code.ins().i32_const(0).local_get(number).i32_sub().local_set(number).end();
        code.ins().local_get(negative).i32_const(1).i32_add().local_set(length);
    } else {
        code.ins().i32_const(1).local_set(length);
    }

    // Count digits, allocate exactly that, write from the end.
    code.ins().local_get(number).local_set(rest);
    code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
    code.ins().local_get(rest).i32_const(10).i32_lt_u().br_if(1);
    code.ins().local_get(rest).i32_const(10).i32_div_u().local_set(rest);
    code.ins().local_get(length).i32_const(1).i32_add().local_set(length);
    code.ins().br(0).end().end();

    code.ins().local_get(length);
    code.call(Helper::Alloc, None);
    code.ins().local_tee(address).local_get(length).i32_add().local_set(cursor);
    code.ins().loop_(BlockType::Empty);
    code.ins().local_get(cursor).i32_const(1).i32_sub().local_tee(cursor);
    code.ins().local_get(number).i32_const(10).i32_rem_u().i32_const(ZERO).i32_add().i32_store8(BYTE);
    code.ins().local_get(number).i32_const(10).i32_div_u().local_tee(number).br_if(0).end();
    if signed {
        code.ins().local_get(negative).if_(BlockType::Empty);
        code.ins().local_get(address).i32_const(MINUS).i32_store8(BYTE).end();
    }
    code.ins().local_get(address).local_get(length).end();
    code
}

/// The code of [`Helper::ParseUnsigned`].
pub(super) fn parse_unsigned() -> Code {
    let mut code = Code::new(2);
    let (cursor, length) = (0, 1);
    let digit = code.scratch(Scratch::I32);
    let end = code.scratch(Scratch::I32);
    let value = code.scratch(Scratch::I64);

    code.ins().local_get(length).i32_eqz();
    code.trap_if(Trap::ParseFailed, None);
    code.ins().local_get(cursor).local_get(length).i32_add().local_set(end);
    code.ins().i64_const(0).local_set(value);
    code.ins().loop_(BlockType::Empty);
    code.ins().local_get(cursor).i32_load8_u(BYTE).i32_const(ZERO).i32_sub().local_tee(digit);
    code.ins().i32_const(9).i32_gt_u();
    code.trap_if(Trap::ParseFailed, None);
    code.ins().local_get(value).i64_const(10).i64_mul();
    code.ins().local_get(digit).i64_extend_i32_u().i64_add().local_tee(value);
    code.ins().i64_const(i64::from(u32::MAX)).i64_gt_u();
    code.trap_if(Trap::ParseFailed, None);
    code.ins().local_get(cursor).i32_const(1).i32_add().local_tee(cursor);
    code.ins().local_get(end).i32_ne().br_if(0).end();
    code.ins().local_get(value).i32_wrap_i64().end();
    code
}
