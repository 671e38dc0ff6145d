//! The table of built-in operations: operands, result, lowering.

use super::operands::Want;
use super::{library, tasks};
use crate::compiler::ir::{Op, Ty};

/// How an operation becomes code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The primitive operation on the operands.
    Plain(Op),
    /// The same, but a first operand that is a variable is taken after the others were evaluated.
    InPlace(Op),
    /// A fresh copy of a slice.
    SliceCopy,
    /// A reader over the operand.
    OpenReader,
}

/// What the result of an operation keeps of its operands: brand, and for views what they point into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    /// Nothing.
    Nothing,
    /// No bytes at all: any brand fits.
    NoBytes,
    /// What the first operand points into.
    Source,
    /// Brand and source of the first operand.
    First,
    /// What all operands have in common.
    All,
    /// What the last operand points into.
    Last,
}

/// A built-in operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Builtin {
    /// Its operands.
    pub(super) wants: &'static [Want],
    /// The type of its result.
    pub(super) result: Ty,
    /// How it becomes code.
    pub(super) shape: Shape,
    /// What its result keeps.
    pub(super) keeps: Keeps,
}

const I: Want = Want::Value(Ty::I32);
const F64: Want = Want::Value(Ty::F64);
const VIEW: Want = Want::Value(Ty::View);
const BYTES: Want = Want::Value(Ty::Bytes);
const VEC: Want = Want::Value(Ty::Vec);
/// `bytes` or `bytes_view`, borrowed.
const V: Want = Want::Borrow { vec: false };
/// A vector, borrowed if it is a variable.
const PEEK_VEC: Want = Want::Peek(Ty::Vec);

const OPTION_I32: Want = Want::Value(Ty::OptionI32);
const OPTION_BYTES: Want = Want::Value(Ty::OptionBytes);
const OPTION_VIEW: Want = Want::Value(Ty::OptionView);
const RESULT_I32: Want = Want::Value(Ty::ResultI32);
const RESULT_BYTES: Want = Want::Value(Ty::ResultBytes);
const RESULT_VIEW: Want = Want::Value(Ty::ResultView);
const RESULT_RESULT: Want = Want::Value(Ty::ResultResultBytes);
const PEEK_OPTION: Want = Want::Peek(Ty::OptionBytes);
const PEEK_RESULT: Want = Want::Peek(Ty::ResultBytes);
const PEEK_RESULT_RESULT: Want = Want::Peek(Ty::ResultResultBytes);

/// An operation that keeps nothing.
pub(super) const fn plain(wants: &'static [Want], result: Ty, op: Op) -> Builtin {
    Builtin { wants, result, shape: Shape::Plain(op), keeps: Keeps::Nothing }
}

/// An operation that keeps something.
pub(super) const fn keeping(wants: &'static [Want], result: Ty, op: Op, keeps: Keeps) -> Builtin {
    Builtin { wants, result, shape: Shape::Plain(op), keeps }
}

/// An operation on a buffer that is handed through.
pub(super) const fn in_place(wants: &'static [Want], result: Ty, op: Op) -> Builtin {
    Builtin { wants, result, shape: Shape::InPlace(op), keeps: Keeps::Nothing }
}

/// An operation on two numbers.
const fn binary(op: Op) -> Builtin {
    plain(&[I, I], Ty::I32, op)
}

/// Built-in operations that are no entries of the table: forms and literals.
pub(super) static FORMS: [&str; 25] = [
    "begin",
    "bytes.concat",
    "bytes.lit",
    "bytes.subview",
    "bytes.view",
    "bytes.view_lit",
    "for",
    "i32.lit",
    "if",
    "let",
    "match",
    "return",
    "set",
    "set0",
    "std.brand.erase_bytes_v1",
    "std.brand.erase_view_v1",
    "std.brand.view_v1",
    "tapp",
    "try",
    "try_doc",
    "unsafe",
    "vec_u8.as_view",
    "while",
    "&&",
    "||",
];

/// Whether a head is an operator on two numbers.
pub(super) fn is_operator(head: &str) -> bool {
    OPERATORS.iter().any(|(name, _)| *name == head)
}

/// The operation with this head.
pub(super) fn find(head: &str) -> Option<Builtin> {
    TABLE
        .iter()
        .find(|(name, _)| *name == head)
        .map(|(_, builtin)| *builtin)
        .or_else(|| OPERATORS.iter().find(|(name, _)| *name == head).map(|(_, op)| binary(*op)))
        .or_else(|| library::find(head))
}

/// All heads that a program can use.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let tables = TABLE.iter().map(|(name, _)| *name).chain(OPERATORS.iter().map(|(name, _)| *name));
    FORMS.iter().copied().chain(tables).chain(library::names()).chain(tasks::names())
}

static OPERATORS: [(&str, Op); 20] = [
    ("+", Op::Add),
    ("-", Op::Sub),
    ("*", Op::Mul),
    ("/", Op::DivU),
    ("%", Op::RemU),
    ("&", Op::And),
    ("|", Op::Or),
    ("^", Op::Xor),
    ("<<u", Op::Shl),
    (">>u", Op::ShrU),
    ("=", Op::Eq),
    ("!=", Op::Ne),
    ("<", Op::LtS),
    ("<=", Op::LeS),
    (">", Op::GtS),
    (">=", Op::GeS),
    ("<u", Op::LtU),
    ("<=u", Op::LeU),
    (">u", Op::GtU),
    (">=u", Op::GeU),
];

static TABLE: &[(&str, Builtin)] = &[
    // --- bytes
    ("bytes.alloc", plain(&[I], Ty::Bytes, Op::BytesAlloc)),
    ("bytes.empty", plain(&[], Ty::Bytes, Op::BytesEmpty)),
    ("bytes1", plain(&[I], Ty::Bytes, Op::Bytes1)),
    ("bytes.len", plain(&[V], Ty::I32, Op::ViewLen)),
    ("bytes.get_u8", plain(&[V, I], Ty::I32, Op::ViewGet)),
    ("bytes.set_u8", in_place(&[BYTES, I, I], Ty::Bytes, Op::BytesSet)),
    ("bytes.slice", Builtin { wants: &[V, I, I], result: Ty::Bytes, shape: Shape::SliceCopy, keeps: Keeps::Nothing }),
    ("bytes.copy", plain(&[BYTES, BYTES], Ty::Bytes, Op::BytesCopy)),
    ("bytes.eq", plain(&[V, V], Ty::I32, Op::ViewEq)),
    ("bytes.cmp_range", plain(&[V, I, I, V, I, I], Ty::I32, Op::ViewCmpRange)),
    // --- view
    ("view.len", plain(&[VIEW], Ty::I32, Op::ViewLen)),
    ("view.get_u8", plain(&[VIEW, I], Ty::I32, Op::ViewGet)),
    ("view.slice", keeping(&[VIEW, I, I], Ty::View, Op::ViewSlice, Keeps::Source)),
    ("view.to_bytes", plain(&[VIEW], Ty::Bytes, Op::ViewToBytes)),
    ("view.eq", plain(&[VIEW, VIEW], Ty::I32, Op::ViewEq)),
    ("view.cmp_range", plain(&[VIEW, I, I, VIEW, I, I], Ty::I32, Op::ViewCmpRange)),
    // --- codec, fmt, parse, prng, process
    ("codec.read_u32_le", plain(&[V, I], Ty::I32, Op::ReadU32Le)),
    ("codec.write_u32_le", plain(&[I], Ty::Bytes, Op::WriteU32Le)),
    ("fmt.u32_to_dec", plain(&[I], Ty::Bytes, Op::FmtU32)),
    ("fmt.s32_to_dec", plain(&[I], Ty::Bytes, Op::FmtS32)),
    ("parse.u32_dec", plain(&[VIEW], Ty::I32, Op::ParseU32)),
    ("parse.u32_dec_at", plain(&[VIEW, I], Ty::I32, Op::ParseU32At)),
    ("prng.lcg_next_u32", plain(&[I], Ty::I32, Op::PrngLcgNext)),
    ("process.set_exit_code_v1", plain(&[I], Ty::I32, Op::SetExitCode)),
    // --- vec_u8
    ("vec_u8.with_capacity", plain(&[I], Ty::Vec, Op::VecWithCapacity)),
    ("vec_u8.len", plain(&[PEEK_VEC], Ty::I32, Op::VecLen)),
    ("vec_u8.cap", plain(&[PEEK_VEC], Ty::I32, Op::VecCap)),
    ("vec_u8.get", plain(&[PEEK_VEC, I], Ty::I32, Op::VecGet)),
    ("vec_u8.set", in_place(&[VEC, I, I], Ty::Vec, Op::VecSet)),
    ("vec_u8.push", in_place(&[VEC, I], Ty::Vec, Op::VecPush)),
    ("vec_u8.clear", in_place(&[VEC], Ty::Vec, Op::VecClear)),
    ("vec_u8.reserve_exact", in_place(&[VEC, I], Ty::Vec, Op::VecReserveExact)),
    ("vec_u8.extend_zeroes", in_place(&[VEC, I], Ty::Vec, Op::VecExtendZeroes)),
    ("vec_u8.extend_bytes", in_place(&[VEC, V], Ty::Vec, Op::VecExtendView)),
    ("vec_u8.extend_bytes_range", in_place(&[VEC, V, I, I], Ty::Vec, Op::VecExtendRange)),
    ("vec_u8.into_bytes", in_place(&[VEC], Ty::Bytes, Op::VecIntoBytes)),
    // --- words in bytes, for standard modules
    ("__internal.bytes.write_u32_le_v1", in_place(&[BYTES, I, I], Ty::Bytes, Op::BytesSetU32Le)),
    ("__internal.vec_u8.write_u32_le_v1", in_place(&[VEC, I, I], Ty::Vec, Op::VecSetU32Le)),
    ("__internal.vec_u8.push_u32_le_v1", in_place(&[VEC, I], Ty::Vec, Op::VecPushU32Le)),
    // --- f64
    ("f64.of_i32", plain(&[I], Ty::F64, Op::F64OfI32)),
    ("f64.to_i32_trunc", plain(&[F64], Ty::I32, Op::F64ToI32)),
    ("f64.add", plain(&[F64, F64], Ty::F64, Op::F64Add)),
    ("f64.sub", plain(&[F64, F64], Ty::F64, Op::F64Sub)),
    ("f64.mul", plain(&[F64, F64], Ty::F64, Op::F64Mul)),
    ("f64.div", plain(&[F64, F64], Ty::F64, Op::F64Div)),
    // --- option
    ("option_i32.none", plain(&[], Ty::OptionI32, Op::OptionNone(Ty::OptionI32))),
    ("option_i32.some", plain(&[I], Ty::OptionI32, Op::OptionSome(Ty::OptionI32))),
    ("option_i32.is_some", plain(&[OPTION_I32], Ty::I32, Op::OptionIsSome(Ty::OptionI32))),
    ("option_i32.unwrap_or", plain(&[OPTION_I32, I], Ty::I32, Op::OptionUnwrapOr(Ty::OptionI32))),
    ("option_bytes.none", keeping(&[], Ty::OptionBytes, Op::OptionNone(Ty::OptionBytes), Keeps::NoBytes)),
    ("option_bytes.some", keeping(&[BYTES], Ty::OptionBytes, Op::OptionSome(Ty::OptionBytes), Keeps::First)),
    ("option_bytes.is_some", plain(&[PEEK_OPTION], Ty::I32, Op::OptionIsSome(Ty::OptionBytes))),
    (
        "option_bytes.unwrap_or",
        keeping(&[OPTION_BYTES, BYTES], Ty::Bytes, Op::OptionUnwrapOr(Ty::OptionBytes), Keeps::All),
    ),
    ("option_bytes_view.none", keeping(&[], Ty::OptionView, Op::OptionNone(Ty::OptionView), Keeps::NoBytes)),
    ("option_bytes_view.some", keeping(&[VIEW], Ty::OptionView, Op::OptionSome(Ty::OptionView), Keeps::First)),
    ("option_bytes_view.is_some", plain(&[OPTION_VIEW], Ty::I32, Op::OptionIsSome(Ty::OptionView))),
    (
        "option_bytes_view.unwrap_or",
        keeping(&[OPTION_VIEW, VIEW], Ty::View, Op::OptionUnwrapOr(Ty::OptionView), Keeps::All),
    ),
    // --- result
    ("result_i32.ok", plain(&[I], Ty::ResultI32, Op::ResultOk(Ty::ResultI32))),
    ("result_i32.err", plain(&[I], Ty::ResultI32, Op::ResultErr(Ty::ResultI32))),
    ("result_i32.is_ok", plain(&[RESULT_I32], Ty::I32, Op::ResultIsOk(Ty::ResultI32))),
    ("result_i32.err_code", plain(&[RESULT_I32], Ty::I32, Op::ResultErrCode(Ty::ResultI32))),
    ("result_i32.unwrap_or", plain(&[RESULT_I32, I], Ty::I32, Op::ResultUnwrapOr(Ty::ResultI32))),
    ("result_bytes.ok", keeping(&[BYTES], Ty::ResultBytes, Op::ResultOk(Ty::ResultBytes), Keeps::First)),
    ("result_bytes.err", keeping(&[I], Ty::ResultBytes, Op::ResultErr(Ty::ResultBytes), Keeps::NoBytes)),
    ("result_bytes.is_ok", plain(&[PEEK_RESULT], Ty::I32, Op::ResultIsOk(Ty::ResultBytes))),
    ("result_bytes.err_code", plain(&[PEEK_RESULT], Ty::I32, Op::ResultErrCode(Ty::ResultBytes))),
    (
        "result_bytes.unwrap_or",
        keeping(&[RESULT_BYTES, BYTES], Ty::Bytes, Op::ResultUnwrapOr(Ty::ResultBytes), Keeps::All),
    ),
    ("result_bytes_view.ok", keeping(&[VIEW], Ty::ResultView, Op::ResultOk(Ty::ResultView), Keeps::First)),
    ("result_bytes_view.err", keeping(&[I], Ty::ResultView, Op::ResultErr(Ty::ResultView), Keeps::NoBytes)),
    ("result_bytes_view.is_ok", plain(&[RESULT_VIEW], Ty::I32, Op::ResultIsOk(Ty::ResultView))),
    ("result_bytes_view.err_code", plain(&[RESULT_VIEW], Ty::I32, Op::ResultErrCode(Ty::ResultView))),
    (
        "result_bytes_view.unwrap_or",
        keeping(&[RESULT_VIEW, VIEW], Ty::View, Op::ResultUnwrapOr(Ty::ResultView), Keeps::All),
    ),
    ("result_result_bytes.is_ok", plain(&[PEEK_RESULT_RESULT], Ty::I32, Op::ResultIsOk(Ty::ResultResultBytes))),
    ("result_result_bytes.err_code", plain(&[PEEK_RESULT_RESULT], Ty::I32, Op::ResultErrCode(Ty::ResultResultBytes))),
    (
        "result_result_bytes.unwrap_or",
        keeping(&[RESULT_RESULT, RESULT_BYTES], Ty::ResultBytes, Op::ResultUnwrapOr(Ty::ResultResultBytes), Keeps::All),
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let all: Vec<&str> = names().collect();
        let unique: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(all.len(), unique.len());
        for (name, builtin) in TABLE {
            assert_eq!(find(name).map(|found| found.result), Some(builtin.result), "{name}");
        }
    }

    #[test]
    fn results_agree_with_the_operations() {
        for (name, builtin) in TABLE {
            match builtin.shape {
                Shape::Plain(op) | Shape::InPlace(op) => assert_eq!(op.result(), builtin.result, "{name}"),
                Shape::SliceCopy => assert_eq!(builtin.result, Ty::Bytes),
                Shape::OpenReader => assert_eq!(builtin.result, Ty::Iface),
            }
        }
    }
}
