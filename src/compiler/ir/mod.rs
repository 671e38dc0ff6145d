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
//! | this one | types, programs, expressions |
//! | [`accounts`] | contract clauses, and the numbers that budget scopes limit |
//! | [`op`] | primitive operations |
//! | [`library`] | operations that are functions of the run-time library: containers, buffers, readers |
//! | [`tasks`] | what async functions add: operations that wait, and the scheduler's other operations |
//! | [`trap`] | why a program ends early |
//! | [`walk`] | the direct parts of an expression |

use std::collections::BTreeMap;

pub mod accounts;
pub mod library;
pub mod op;
pub mod tasks;
pub mod trap;
pub mod walk;

pub use accounts::{Clause, ClauseId, ClauseKind, Counter};
pub use library::LibraryOp;
pub use op::{Op, Unchecked};
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
