//! Elements of the containers that hold values: numbers, bytes that the container owns, and views.
//!
//! Nothing says how long what a view points into lives, so a container keeps a copy of it, which
//! stays until the run ends: views that are read from containers point into it. What stays anyway,
//! literals and the input, is not copied.

use wasm_encoder::BlockType;

use super::Helper;
use super::code::{Code, Scratch};
use super::layout::{DATA_END, INPUT_ADDRESS, INPUT_LENGTH};
use crate::compiler::ir::Trap;

/// The kind of numbers; also the type id of `i32`.
pub const NUMBER: i32 = 1;
/// The type id of `u32`; its kind is [`NUMBER`].
const UNSIGNED: i32 = 2;
/// Kind and type id of `bytes`.
pub const BYTES: i32 = 3;
/// Kind and type id of `bytes_view`.
pub const VIEW: i32 = 4;

/// Turns the type id in a local into a kind; traps when there is no such type.
pub(super) fn check_type(code: &mut Code, id: u32) {
    code.ins().local_get(id).i32_const(1).i32_sub().i32_const(VIEW).i32_ge_u();
    code.trap_if(Trap::TypeMismatch, None);
    code.ins().local_get(id).local_get(id).i32_const(UNSIGNED).i32_eq().i32_sub().local_set(id);
}

/// The code of [`Helper::KeepView`].
pub(super) fn keep_view() -> Code {
    let mut code = Code::new(2);
    let (address, length) = (0, 1);
    let rest = code.scratch(Scratch::I32);
    code.ins().local_get(address).global_get(DATA_END).i32_lt_u();
    code.ins().local_get(address).global_get(INPUT_ADDRESS).i32_sub().global_get(INPUT_LENGTH).i32_lt_u();
    code.ins().i32_or().if_(BlockType::Empty);
    code.ins().local_get(address).return_().end();
    code.ins().local_get(address).local_get(length);
    code.call(Helper::Copy, None);
    // The length is known.
    code.ins().local_set(rest).end();
    code
}
