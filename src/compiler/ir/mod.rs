//! The intermediate representation between the checker and the wasm emitter.
//!
//! A tree of typed expressions in which everything the language leaves implicit is explicit:
//! every move ([`Expr::Take`]), every borrow ([`Expr::Get`], [`Expr::ViewOf`]), every drop
//! ([`Expr::Drop`]) and every clean-up on an early exit. The checker builds it, the emitter
//! translates it without asking any question about names, scopes or ownership.
//!
//! # Values and words
//!
//! A value of type [`Ty`] is a fixed sequence of wasm words ([`Ty::words`]). The *empty* value of
//! every type is all words zero: bytes of length 0, a vector of capacity 0, `none`, `err(0)`. An
//! owned pointer of 0 means "nothing to free", so dropping an empty value does nothing.
//!
//! # Ownership
//!
//! * An expression of an owned type yields a value that its consumer must store, consume or free.
//!   The one exception is [`Expr::Get`] on a local of owned type: it only reads the words, and its
//!   consumer must not free them.
//! * [`Expr::Take`] reads a local and leaves the empty value in it; so does [`Expr::Drop`] after
//!   freeing. A local can therefore be dropped any number of times.
//! * All locals other than parameters start empty. Locals are reused for several variables once
//!   the earlier one was dropped.
//!
//! | module | job |
//! |---|---|
//! | this one | types, programs, expressions, primitive operations |
//! | [`accounts`] | contract clauses, and the numbers that budget scopes limit |
//! | [`library`] | operations that are functions of the run-time library: containers, buffers, readers |
//! | [`tasks`] | what async functions add: operations that wait, and the scheduler's other operations |
//! | [`trap`] | why a program ends early |
//! | [`walk`] | the direct parts of an expression |

use std::collections::BTreeMap;

pub mod accounts;
pub mod library;
pub mod tasks;
pub mod trap;
pub mod walk;

pub use accounts::{Clause, ClauseId, ClauseKind, Counter};
pub use library::LibraryOp;
pub use tasks::{TaskOp, WaitOp};
pub use trap::Trap;

/// The type of a value in the intermediate representation. Brands are gone, `u32` is `i32`, and
/// every handle (task, channel, map) is an `i32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ty {
    /// No words: a statement.
    Unit,
    /// An expression that never yields (`return`): it may stand where any type is wanted.
    Never,
    /// One `i32` word.
    I32,
    /// One `f64` word.
    F64,
    /// Owned bytes: pointer, length.
    Bytes,
    /// Borrowed bytes: pointer, length.
    View,
    /// Owned growable bytes: pointer, length, capacity.
    Vec,
    /// Tag (0 none, 1 some), value.
    OptionI32,
    /// Tag, pointer, length; owned.
    OptionBytes,
    /// Tag, pointer, length; borrowed.
    OptionView,
    /// Tag (0 err, 1 ok), error code or value.
    ResultI32,
    /// Tag, then pointer and length (ok) or error code and 0 (err); owned.
    ResultBytes,
    /// The same, borrowed.
    ResultView,
    /// Outer tag, then inner tag, pointer or code, length (ok) or code, 0, 0 (err); owned.
    ResultResultBytes,
    /// Data, vtable.
    Iface,
    /// The handle of a task that yields bytes: one word.
    TaskBytes,
    /// The handle of a task that yields a result of bytes: one word.
    TaskResult,
    /// A slot of a task scope: one word.
    Slot,
    /// An event of a select: one word.
    Event,
    /// Tag, event.
    OptionEvent,
}

/// The wasm type of one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Word {
    /// A 32-bit integer: number, pointer, length, tag.
    I32,
    /// A 64-bit float.
    F64,
}

impl Ty {
    /// The words that carry a value of this type, in order.
    #[must_use]
    pub const fn words(self) -> &'static [Word] {
        const I: Word = Word::I32;
        match self {
            Self::Unit | Self::Never => &[],
            Self::I32 | Self::TaskBytes | Self::TaskResult | Self::Slot | Self::Event => &[I],
            Self::F64 => &[Word::F64],
            Self::Bytes | Self::View | Self::OptionI32 | Self::ResultI32 | Self::Iface | Self::OptionEvent => &[I, I],
            Self::Vec | Self::OptionBytes | Self::OptionView | Self::ResultBytes | Self::ResultView => &[I, I, I],
            Self::ResultResultBytes => &[I, I, I, I],
        }
    }

    /// Whether values of this type own memory that somebody must free.
    #[must_use]
    pub const fn is_owned(self) -> bool {
        matches!(self, Self::Bytes | Self::Vec | Self::OptionBytes | Self::ResultBytes | Self::ResultResultBytes)
    }

    /// Whether values of this type may point into memory that something else owns.
    #[must_use]
    pub const fn is_borrowed(self) -> bool {
        matches!(self, Self::View | Self::OptionView | Self::ResultView)
    }
}

/// A local variable or parameter of a [`Function`]; parameters come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Local(pub u32);

/// A function of a [`Program`], by its index in [`Program::functions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FuncId(pub u32);

/// A literal in [`Program::data`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataId(pub u32);

/// A place in the source, by its index in [`Program::sites`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteId(pub u32);

/// A whole checked program: only functions reachable from `solve`.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// All functions, sorted by symbol; `solve` has the symbol `solve`.
    pub functions: Vec<Function>,
    /// The function that computes the program's output: no parameters, result [`Ty::Bytes`].
    pub entry: Option<FuncId>,
    /// Literals, without duplicates, in order of first use.
    pub data: Vec<Vec<u8>>,
    /// Source places that expressions refer to.
    pub sites: Vec<Site>,
    /// The ids of the modules that functions come from.
    pub modules: Vec<String>,
    /// Contract clauses that [`Op::Violate`] refers to.
    pub clauses: Vec<Clause>,
    /// Functions whose code may stand in other functions.
    pub origins: Vec<Origin>,
    /// For the sites of such code: the index in [`Program::origins`] of the function it is from.
    pub inlined: BTreeMap<SiteId, u32>,
}

/// A function whose code the optimiser put into its callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its fully qualified name.
    pub symbol: String,
    /// Index into [`Program::modules`].
    pub module: u32,
}

/// A node of the source tree: the path from a document's root is found by following `parent`.
#[derive(Clone, Debug)]
pub struct Site {
    /// The enclosing node; `None` for a document's root.
    pub parent: Option<SiteId>,
    /// The member name or index by which the parent holds this node.
    pub step: Step,
}

/// One step of a JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The document itself.
    Root,
    /// An object member.
    Member(String),
    /// An array element.
    Index(u32),
}

/// How a function runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FunctionKind {
    /// A call runs it to its end.
    #[default]
    Plain,
    /// It is the body of a task: [`Expr::Spawn`] starts one, the scheduler runs it, and it may wait.
    /// Its result, [`Ty::Bytes`] or [`Ty::ResultBytes`], is what the task yields.
    Async,
}

/// One function.
#[derive(Clone, Debug)]
pub struct Function {
    /// The fully qualified name, for example `app.text.count`, or `solve`.
    pub symbol: String,
    /// Index into [`Program::modules`].
    pub module: u32,
    /// Where its body stands in that module's document.
    pub site: SiteId,
    /// Whether calls run it at once, or start a task.
    pub kind: FunctionKind,
    /// How many of [`Function::locals`] are parameters.
    pub params: u32,
    /// The result type; never [`Ty::Unit`] or [`Ty::Never`].
    pub result: Ty,
    /// Types of parameters, then of local variables.
    pub locals: Vec<Ty>,
    /// Yields the result; its type is `result` or [`Ty::Never`].
    pub body: Expr,
}

/// An expression. Operands are evaluated left to right, each exactly once, before the operation.
#[derive(Clone, Debug)]
pub enum Expr {
    /// An `i32` constant.
    I32(i32),
    /// A view of static data. Yields [`Ty::View`].
    ViewLit(DataId),
    /// A fresh owned copy of static data. Yields [`Ty::Bytes`].
    BytesLit(DataId, SiteId),
    /// The program's input. Yields [`Ty::View`].
    Input,
    /// Reads a local's words; moves nothing.
    Get(Local),
    /// Reads a local's words and leaves the empty value in it.
    Take(Local),
    /// The bytes of a local of type `Bytes`, `View` or `Vec` as [`Ty::View`] (its first two words).
    ViewOf(Local),
    /// Assigns; yields [`Ty::Unit`]. `drop_old`: free the old value (after `value` was evaluated).
    Store {
        /// The variable.
        local: Local,
        /// The new value, of the local's type or [`Ty::Never`].
        value: Box<Expr>,
        /// Whether the local may hold an owned value that must be freed first.
        drop_old: bool,
    },
    /// Frees what the local owns and leaves the empty value in it; yields [`Ty::Unit`].
    /// On a local of a type without ownership it does nothing.
    Drop(Local),
    /// Evaluates and throws the value away, freeing what it owns; yields [`Ty::Unit`].
    Discard(Box<Expr>),
    /// Statements, then a value, then clean-up while the value waits.
    Block {
        /// Each yields [`Ty::Unit`] or [`Ty::Never`].
        body: Vec<Expr>,
        /// The block's value; `None` yields [`Ty::Unit`].
        value: Option<Box<Expr>>,
        /// Run after the value was computed, in order; each yields [`Ty::Unit`].
        cleanup: Vec<Expr>,
    },
    /// A choice; both arms yield `ty` or [`Ty::Never`] (`ty` may be [`Ty::Unit`]).
    If {
        /// An `i32`; non-zero is true.
        cond: Box<Expr>,
        /// When true.
        then: Box<Expr>,
        /// When false.
        otherwise: Box<Expr>,
        /// The type of the whole.
        ty: Ty,
    },
    /// A choice among many; all arms yield `ty` or [`Ty::Never`] (`ty` may be [`Ty::Unit`]).
    Switch {
        /// An `i32`, read unsigned: the number of the arm to take; too large a number takes the last.
        value: Box<Expr>,
        /// At least one.
        arms: Vec<Expr>,
        /// The type of the whole.
        ty: Ty,
    },
    /// Ends the program; yields [`Ty::Never`].
    Trap {
        /// Why.
        trap: Trap,
        /// Where.
        site: SiteId,
    },
    /// `var = start; limit = end; while var <u limit { body; var += 1 }`; yields [`Ty::Unit`].
    /// `start` is stored before `end` is evaluated; `end` is evaluated once.
    For {
        /// The counter, an `i32` local that `body` may assign.
        var: Local,
        /// First value.
        start: Box<Expr>,
        /// Exclusive limit, compared unsigned.
        end: Box<Expr>,
        /// Yields [`Ty::Unit`] or [`Ty::Never`].
        body: Box<Expr>,
    },
    /// Repeats `body` while `cond` is non-zero; yields [`Ty::Unit`].
    While {
        /// An `i32`.
        cond: Box<Expr>,
        /// Yields [`Ty::Unit`] or [`Ty::Never`].
        body: Box<Expr>,
    },
    /// Leaves the function; yields [`Ty::Never`].
    Return {
        /// Of the function's result type.
        value: Box<Expr>,
        /// Run after the value was computed, in order.
        cleanup: Vec<Expr>,
    },
    /// Unwraps a result. Ok: yields the payload ([`Ty::I32`], [`Ty::Bytes`] or [`Ty::View`]).
    /// Err: runs `cleanup` and returns the function's error value with the same code. The
    /// function's result type is one of the `Result*` types.
    Try {
        /// A [`Ty::ResultI32`], [`Ty::ResultBytes`] or [`Ty::ResultView`]; consumed.
        value: Box<Expr>,
        /// The type of `value`.
        ty: Ty,
        /// Run on the error path before returning, in order.
        cleanup: Vec<Expr>,
    },
    /// Calls a function. Owned arguments pass ownership to the callee, which drops them.
    Call {
        /// The callee.
        func: FuncId,
        /// One for each parameter.
        args: Vec<Expr>,
        /// The call's place.
        site: SiteId,
    },
    /// Starts a task that runs an async function with these arguments; yields [`Ty::TaskBytes`] or
    /// [`Ty::TaskResult`], as the function's result says. Owned arguments pass to the task.
    Spawn {
        /// The function; its kind is [`FunctionKind::Async`].
        func: FuncId,
        /// One for each parameter.
        args: Vec<Expr>,
        /// Where a trap is reported.
        site: SiteId,
    },
    /// An operation that may have to wait for other tasks. In an async function the task is
    /// suspended meanwhile; in a plain one, `solve`, other tasks run until the wait is over.
    ///
    /// In an async function nothing waits on the operand stack: a `Wait` stands only where a
    /// [`Expr::Block`] statement or value, a [`Expr::Store`] or [`Expr::Discard`] value, a
    /// [`Expr::Return`] value, a `Try` value or the arm or condition of a control structure stands,
    /// all the way up to the body; and its operands are constants and locals. Clean-up never waits.
    Wait {
        /// Which.
        op: WaitOp,
        /// Its operands, as [`WaitOp`] says.
        args: Vec<Expr>,
        /// Where a trap is reported.
        site: SiteId,
    },
    /// A primitive operation.
    Op {
        /// Which.
        op: Op,
        /// Its operands, as [`Op`] says.
        args: Vec<Expr>,
        /// Where a trap is reported.
        site: SiteId,
    },
    /// An operation whose first operand is moved out of `local` *after* the other operands were
    /// evaluated (they may still read it). Equals `Op { op, args: [Take(local), args…] }` but for
    /// that order. Only [`Op`]s marked *in place* occur here.
    InPlace {
        /// Which.
        op: Op,
        /// The variable that holds the first operand.
        local: Local,
        /// The other operands.
        args: Vec<Expr>,
        /// Where a trap is reported.
        site: SiteId,
    },
}

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

impl Ty {
    /// What an option or result of this type carries when it is some or ok; [`Ty::Unit`] for
    /// other types.
    #[must_use]
    pub const fn payload(self) -> Self {
        match self {
            Self::OptionI32 | Self::ResultI32 => Self::I32,
            Self::OptionBytes | Self::ResultBytes => Self::Bytes,
            Self::OptionView | Self::ResultView => Self::View,
            Self::ResultResultBytes => Self::ResultBytes,
            Self::OptionEvent => Self::Event,
            _ => Self::Unit,
        }
    }
}

impl Function {
    /// The type of a local of this function; [`Ty::Unit`] for one that does not exist.
    #[must_use]
    pub fn local_ty(&self, local: Local) -> Ty {
        self.locals.get(local.0 as usize).copied().unwrap_or(Ty::Unit)
    }
}
