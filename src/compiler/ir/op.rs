//! Primitive operations.

use super::{ClauseId, Counter, LibraryOp, TaskOp, Ty};

/// Primitive operations: `(operand types) -> result type`.
///
/// Sizes and offsets are `i32` read as unsigned. *traps* means: ends the program with the given
/// [`Trap`] at the operation's site. "frees x" means that the operation consumes the owned operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    // --- i32: (I32, I32) -> I32, wrapping
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Unsigned quotient; `x / 0 = 0`.
    DivU,
    /// Unsigned remainder; `x % 0 = x`.
    RemU,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Shift left by `b & 31`.
    Shl,
    /// Logical shift right by `b & 31`.
    ShrU,
    /// 1 when equal, else 0.
    Eq,
    /// 1 when different.
    Ne,
    /// Signed less.
    LtS,
    /// Signed less or equal.
    LeS,
    /// Signed greater.
    GtS,
    /// Signed greater or equal.
    GeS,
    /// Unsigned less.
    LtU,
    /// Unsigned less or equal.
    LeU,
    /// Unsigned greater.
    GtU,
    /// Unsigned greater or equal.
    GeU,

    // --- bytes and views
    /// `(View) -> I32` length in bytes.
    ViewLen,
    /// `(View, I32 index) -> I32`; traps [`Trap::OutOfBounds`] when index >= length.
    ViewGet,
    /// `(View, I32 start, I32 len) -> View`; traps `OutOfBounds` when start > length or
    /// len > length - start.
    ViewSlice,
    /// `(View) -> Bytes` a fresh copy; traps [`Trap::OutOfMemory`].
    ViewToBytes,
    /// `(View, View) -> I32` 1 when equal length and content.
    ViewEq,
    /// `(View, I32 off, I32 len, View, I32 off, I32 len) -> I32` -1, 0 or 1: lexicographic
    /// unsigned bytes, then length; traps `OutOfBounds` when a range does not fit.
    ViewCmpRange,
    /// `(I32 n) -> Bytes` n zero bytes; traps `OutOfMemory`.
    BytesAlloc,
    /// `(I32 x) -> Bytes` one byte, `x & 255`.
    Bytes1,
    /// `() -> Bytes` empty.
    BytesEmpty,
    /// *in place* `(Bytes, I32 index, I32 value) -> Bytes` the same buffer with one byte set to
    /// `value & 255`; traps `OutOfBounds`.
    BytesSet,
    /// `(part, part, …) -> Bytes`, two or more operands, each [`Ty::Bytes`] (freed) or
    /// [`Ty::View`]: a fresh buffer with all parts in order; traps `OutOfMemory` (also when the
    /// total exceeds 2^32 - 1).
    BytesConcat,
    /// `(Bytes src, Bytes dst) -> Bytes` writes src over the start of dst, frees src, yields dst;
    /// traps `OutOfBounds` when dst is shorter than src.
    BytesCopy,

    // --- codec, fmt, parse, prng
    /// `(View, I32 off) -> I32` little endian; traps `OutOfBounds` unless 4 bytes fit.
    ReadU32Le,
    /// `(I32) -> Bytes` 4 bytes, little endian.
    WriteU32Le,
    /// `(I32) -> Bytes` unsigned decimal.
    FmtU32,
    /// `(I32) -> Bytes` signed decimal.
    FmtS32,
    /// `(View) -> I32` the whole view is an unsigned decimal; traps [`Trap::ParseFailed`] on an
    /// empty view, another character, or overflow.
    ParseU32,
    /// `(View, I32 off) -> I32` the same on the rest from `off`; traps `OutOfBounds` when off > length.
    ParseU32At,
    /// `(I32 state) -> I32` `state * 1103515245 + 12345`.
    PrngLcgNext,
    /// `(I32) -> I32` records an exit code that nothing can read under wasm; yields its operand.
    SetExitCode,

    // --- vec_u8
    /// `(I32 cap) -> Vec` of length 0; traps `OutOfMemory`.
    VecWithCapacity,
    /// `(Vec) -> I32`; the operand is an [`Expr::Get`] (borrow) or an owned value (freed).
    VecLen,
    /// `(Vec) -> I32` capacity; operand as for `VecLen`.
    VecCap,
    /// `(Vec, I32 index) -> I32`; operand as for `VecLen`; traps `OutOfBounds`.
    VecGet,
    /// *in place* `(Vec, I32 index, I32 value) -> Vec`; traps `OutOfBounds`.
    VecSet,
    /// *in place* `(Vec, I32 value) -> Vec` appends `value & 255`; a full vector's capacity
    /// doubles (0 becomes 1); traps `OutOfMemory`.
    VecPush,
    /// *in place* `(Vec) -> Vec` length 0, capacity kept.
    VecClear,
    /// *in place* `(Vec, I32 n) -> Vec` capacity at least length + n, exactly that when it grows;
    /// traps `OutOfMemory` (also on overflow).
    VecReserveExact,
    /// *in place* `(Vec, I32 n) -> Vec` appends n zero bytes. Growth of the `Extend` operations:
    /// from the capacity (or 1) doubled until it fits; when that passes 2^31, exactly what is needed.
    VecExtendZeroes,
    /// *in place* `(Vec, View) -> Vec` appends the view's bytes.
    VecExtendView,
    /// *in place* `(Vec, View, I32 start, I32 len) -> Vec` appends a range; traps `OutOfBounds`.
    VecExtendRange,
    /// *in place* `(Vec) -> Bytes` without a copy.
    VecIntoBytes,

    // --- option and result; (T) is the payload type of `ty`
    /// `() -> ty`, ty one of the `Option*` types.
    OptionNone(Ty),
    /// `(payload) -> ty`.
    OptionSome(Ty),
    /// `(ty) -> I32`; the operand is an [`Expr::Get`] (borrow) or an owned value (freed).
    OptionIsSome(Ty),
    /// `(ty, payload default) -> payload`; frees the default or the empty option.
    OptionUnwrapOr(Ty),
    /// `(payload) -> ty`, ty one of the `Result*` types.
    ResultOk(Ty),
    /// `(I32 code) -> ty`.
    ResultErr(Ty),
    /// `(ty) -> I32`; operand as for `OptionIsSome`.
    ResultIsOk(Ty),
    /// `(ty) -> I32` the error code, 0 for ok; operand as for `OptionIsSome`.
    ResultErrCode(Ty),
    /// `(ty, payload default) -> payload`; frees the unused one.
    ResultUnwrapOr(Ty),
    /// `(View doc) -> I32`: 1 when the document is empty or its first byte is not 1.
    DocIsErr,

    // --- words in bytes
    /// `(I32, …) -> Bytes`: fresh bytes that hold all operands, little endian, 4 bytes each.
    WordsToBytes,
    /// *in place* `(Bytes, I32 off, I32 value) -> Bytes`: the same buffer with four bytes set, little
    /// endian; traps `OutOfBounds` unless they fit.
    BytesSetU32Le,
    /// *in place* `(Vec, I32 off, I32 value) -> Vec`: the same within a vector's length.
    VecSetU32Le,
    /// *in place* `(Vec, I32 value) -> Vec`: appends four bytes, little endian; grows as the
    /// `Extend` operations do.
    VecPushU32Le,

    // --- f64
    /// `(I32) -> F64` the signed number.
    F64OfI32,
    /// `(F64) -> I32` toward zero, saturating; NaN gives 0.
    F64ToI32,
    /// `(F64) -> I32` 1 when [`Op::F64ToI32`] is exact but for the fraction: finite and in range.
    F64FitsI32,
    /// `(F64, F64) -> F64`.
    F64Add,
    /// `(F64, F64) -> F64`.
    F64Sub,
    /// `(F64, F64) -> F64`.
    F64Mul,
    /// `(F64, F64) -> F64`.
    F64Div,
    /// `(F64, F64) -> F64` the smaller; when one is not a number, the other.
    F64Min,
    /// `(F64, F64) -> F64` the larger; when one is not a number, the other.
    F64Max,
    /// `(F64) -> F64` square root.
    F64Sqrt,
    /// `(F64) -> F64` the other sign.
    F64Neg,
    /// `(F64) -> F64` without sign.
    F64Abs,
    /// `(F64) -> F64` toward minus infinity.
    F64Floor,
    /// `(F64) -> F64` toward plus infinity.
    F64Ceil,
    /// `(View) -> F64` from its 8 bytes, little endian; traps [`Trap::BadNumber`] on another length.
    F64FromBytes,
    /// `(F64) -> Bytes` its 8 bytes, little endian.
    F64ToBytes,

    /// An operation of the run-time library: operands and result as [`LibraryOp`] says.
    Library(LibraryOp),
    /// An operation of the scheduler that does not wait: operands and result as [`TaskOp`] says.
    Task(TaskOp),

    // --- contracts and budgets
    /// `(witness, …) -> Never`: ends the program with [`Trap::Contract`] because the clause does not
    /// hold, leaving the witnesses for the host. Owned witnesses are [`Expr::Get`] (borrowed).
    Violate(ClauseId),
    /// `() -> I32`: a counter's present value.
    Counter(Counter),
    /// `(I32 limit) -> F64`: lets no more than this much fuel be used from here on, and yields what
    /// was left; that is infinite outside all scopes that limit fuel. Without fuel the program ends
    /// with [`Trap::BudgetFuel`].
    FuelEnter,
    /// `(F64 left, I32 limit) -> Unit`: what was left when [`Op::FuelEnter`] ran is left again, less
    /// what was used since.
    FuelLeave,

    // --- what only the optimiser makes
    /// `(View, I32 off) -> I32` 1 when 4 bytes fit from the offset on, else 0.
    WordFits,
    /// An operation whose check is known to hold.
    Unchecked(Unchecked),
}

/// Operations without their check: as the [`Op`] of the same name, but for operands that this one
/// would trap on, with which they never run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unchecked {
    /// [`Op::ViewGet`].
    ViewGet,
    /// [`Op::ViewSlice`].
    ViewSlice,
    /// [`Op::ReadU32Le`].
    ReadU32Le,
    /// [`Op::VecGet`].
    VecGet,
    /// [`Op::BytesSet`].
    BytesSet,
    /// [`Op::VecSet`].
    VecSet,
    /// [`Op::BytesSetU32Le`].
    BytesSetU32Le,
    /// [`Op::VecSetU32Le`].
    VecSetU32Le,
}

impl Unchecked {
    /// The operation with its check.
    #[must_use]
    pub const fn checked(self) -> Op {
        match self {
            Self::ViewGet => Op::ViewGet,
            Self::ViewSlice => Op::ViewSlice,
            Self::ReadU32Le => Op::ReadU32Le,
            Self::VecGet => Op::VecGet,
            Self::BytesSet => Op::BytesSet,
            Self::VecSet => Op::VecSet,
            Self::BytesSetU32Le => Op::BytesSetU32Le,
            Self::VecSetU32Le => Op::VecSetU32Le,
        }
    }
}

impl Op {
    /// The result type, given the operand types.
    #[must_use]
    pub fn result(self) -> Ty {
        match self {
            Self::Add
            | Self::Sub
            | Self::Mul
            | Self::DivU
            | Self::RemU
            | Self::And
            | Self::Or
            | Self::Xor
            | Self::Shl
            | Self::ShrU
            | Self::Eq
            | Self::Ne
            | Self::LtS
            | Self::LeS
            | Self::GtS
            | Self::GeS
            | Self::LtU
            | Self::LeU
            | Self::GtU
            | Self::GeU
            | Self::ViewLen
            | Self::ViewGet
            | Self::ViewEq
            | Self::ViewCmpRange
            | Self::ReadU32Le
            | Self::ParseU32
            | Self::ParseU32At
            | Self::PrngLcgNext
            | Self::SetExitCode
            | Self::VecLen
            | Self::VecCap
            | Self::VecGet
            | Self::OptionIsSome(_)
            | Self::ResultIsOk(_)
            | Self::ResultErrCode(_)
            | Self::DocIsErr
            | Self::F64ToI32
            | Self::F64FitsI32
            | Self::Counter(_) => Ty::I32,
            Self::F64OfI32
            | Self::F64Add
            | Self::F64Sub
            | Self::F64Mul
            | Self::F64Div
            | Self::F64Min
            | Self::F64Max
            | Self::F64Sqrt
            | Self::F64Neg
            | Self::F64Abs
            | Self::F64Floor
            | Self::F64Ceil
            | Self::F64FromBytes => Ty::F64,
            Self::FuelEnter => Ty::F64,
            Self::FuelLeave => Ty::Unit,
            Self::Violate(_) => Ty::Never,
            Self::Library(op) => op.result(),
            Self::Task(op) => op.result(),
            Self::WordFits => Ty::I32,
            Self::Unchecked(op) => op.checked().result(),
            Self::ViewSlice => Ty::View,
            Self::ViewToBytes
            | Self::BytesAlloc
            | Self::Bytes1
            | Self::BytesEmpty
            | Self::BytesSet
            | Self::BytesConcat
            | Self::BytesCopy
            | Self::WriteU32Le
            | Self::FmtU32
            | Self::FmtS32
            | Self::WordsToBytes
            | Self::BytesSetU32Le
            | Self::F64ToBytes
            | Self::VecIntoBytes => Ty::Bytes,
            Self::VecWithCapacity
            | Self::VecSet
            | Self::VecPush
            | Self::VecClear
            | Self::VecReserveExact
            | Self::VecExtendZeroes
            | Self::VecExtendView
            | Self::VecExtendRange
            | Self::VecSetU32Le
            | Self::VecPushU32Le => Ty::Vec,
            Self::OptionNone(ty) | Self::OptionSome(ty) | Self::ResultOk(ty) | Self::ResultErr(ty) => ty,
            Self::OptionUnwrapOr(ty) | Self::ResultUnwrapOr(ty) => ty.payload(),
        }
    }
}

impl Op {
    /// Whether it is an operator on two numbers: both operands and the result are [`Ty::I32`], and it
    /// never traps.
    #[must_use]
    pub const fn is_operator(self) -> bool {
        matches!(
            self,
            Self::Add
                | Self::Sub
                | Self::Mul
                | Self::DivU
                | Self::RemU
                | Self::And
                | Self::Or
                | Self::Xor
                | Self::Shl
                | Self::ShrU
        ) || self.inverse().is_some()
    }

    /// The comparison that holds exactly when this one does not; `None` for what is no comparison of
    /// two numbers.
    #[must_use]
    pub const fn inverse(self) -> Option<Self> {
        let inverse = match self {
            Self::Eq => Self::Ne,
            Self::Ne => Self::Eq,
            Self::LtS => Self::GeS,
            Self::LeS => Self::GtS,
            Self::GtS => Self::LeS,
            Self::GeS => Self::LtS,
            Self::LtU => Self::GeU,
            Self::LeU => Self::GtU,
            Self::GtU => Self::LeU,
            Self::GeU => Self::LtU,
            _ => return None,
        };
        Some(inverse)
    }

    /// Whether it can end the program.
    #[must_use]
    pub const fn can_trap(self) -> bool {
        match self {
            Self::Add
            | Self::Sub
            | Self::Mul
            | Self::DivU
            | Self::RemU
            | Self::And
            | Self::Or
            | Self::Xor
            | Self::Shl
            | Self::ShrU
            | Self::Eq
            | Self::Ne
            | Self::LtS
            | Self::LeS
            | Self::GtS
            | Self::GeS
            | Self::LtU
            | Self::LeU
            | Self::GtU
            | Self::GeU
            | Self::ViewLen
            | Self::ViewEq
            | Self::BytesEmpty
            | Self::PrngLcgNext
            | Self::SetExitCode
            | Self::VecLen
            | Self::VecCap
            | Self::VecClear
            | Self::VecIntoBytes
            | Self::OptionNone(_)
            | Self::OptionSome(_)
            | Self::OptionIsSome(_)
            | Self::OptionUnwrapOr(_)
            | Self::ResultOk(_)
            | Self::ResultErr(_)
            | Self::ResultIsOk(_)
            | Self::ResultErrCode(_)
            | Self::ResultUnwrapOr(_)
            | Self::DocIsErr
            | Self::F64OfI32
            | Self::F64ToI32
            | Self::F64FitsI32
            | Self::F64Add
            | Self::F64Sub
            | Self::F64Mul
            | Self::F64Div
            | Self::F64Min
            | Self::F64Max
            | Self::F64Sqrt
            | Self::F64Neg
            | Self::F64Abs
            | Self::F64Floor
            | Self::F64Ceil
            | Self::Counter(_)
            | Self::FuelLeave
            | Self::WordFits
            | Self::Unchecked(_) => false,
            Self::ViewGet
            | Self::ViewSlice
            | Self::ViewToBytes
            | Self::ViewCmpRange
            | Self::BytesAlloc
            | Self::Bytes1
            | Self::BytesSet
            | Self::BytesConcat
            | Self::BytesCopy
            | Self::ReadU32Le
            | Self::WriteU32Le
            | Self::FmtU32
            | Self::FmtS32
            | Self::ParseU32
            | Self::ParseU32At
            | Self::VecWithCapacity
            | Self::VecGet
            | Self::VecSet
            | Self::VecPush
            | Self::VecReserveExact
            | Self::VecExtendZeroes
            | Self::VecExtendView
            | Self::VecExtendRange
            | Self::WordsToBytes
            | Self::BytesSetU32Le
            | Self::VecSetU32Le
            | Self::VecPushU32Le
            | Self::F64FromBytes
            | Self::F64ToBytes
            | Self::Library(_)
            | Self::Task(_)
            | Self::Violate(_)
            | Self::FuelEnter => true,
        }
    }
}
