//! The expressions of one function; choices and loops are in `control`.
//!
//! Every expression leaves its words on the wasm stack. Its scratch locals are given back when it
//! is complete, so that a function needs only as many as its deepest expression. An expression that
//! never yields ends the translation of everything around it up to the next arm or loop body: what
//! would follow can never run.

use wasm_encoder::{BlockType, Ieee64};

use crate::compiler::ir::{DataId, Expr, FuncId, Function, FunctionKind, Local, Program, SiteId, Ty, Word};
use crate::compiler::runtime::Helper;
use crate::compiler::runtime::code::Code;
use crate::compiler::runtime::layout::{INPUT_ADDRESS, INPUT_LENGTH};

use super::EmitError;
use super::accounts::Uses;
use super::async_body::Frame;
use super::operands::{Operand, leave_alone};
use super::tasks::interchangeable;
use super::types::{Types, val_type};

/// The most parameters and locals that engines accept in a function.
pub(super) const MAX_LOCALS: u32 = 50_000;

/// Stack kept free below a step of the recursion, and stack added when there is less.
pub(super) const STACK_RESERVE: usize = 64 * 1024;
pub(super) const STACK_SEGMENT: usize = 4 * 1024 * 1024;

/// Where a literal lies in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Literal {
    /// Its address, as wasm writes it.
    pub(super) address: i32,
    /// Its length in bytes.
    pub(super) length: i32,
}

/// Why the translation of an expression ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The code so far never gets here.
    Never,
    /// There is no translation.
    Error(EmitError),
}

impl From<EmitError> for Stop {
    fn from(error: EmitError) -> Self {
        Self::Error(error)
    }
}

/// A translation step.
pub(super) type Flow<T> = Result<T, Stop>;

/// A function under translation.
pub(super) struct Emitter<'a> {
    program: &'a Program,
    pub(super) function: &'a Function,
    literals: &'a [Literal],
    pub(super) types: &'a mut Types,
    pub(super) code: Code,
    /// What an async function needs to be suspended.
    pub(super) frame: Option<Frame>,
    /// The first wasm local of each local.
    slots: Vec<u32>,
    /// Owned values in scratch locals that an early exit must free.
    pub(super) pending: Vec<Operand>,
    /// Whether the function has any early exit.
    leaves_early: bool,
    /// Whether the program limits fuel anywhere, so that expressions use it.
    pub(super) metered: bool,
    /// Whether the program counts copied bytes.
    pub(super) counted: bool,
}

/// Translates a function.
pub(super) fn emit(
    program: &Program,
    function: &Function,
    literals: &[Literal],
    types: &mut Types,
    uses: Uses,
) -> Result<Code, EmitError> {
    let mut emitter = Emitter::new(program, function, literals, types)?;
    emitter.metered = uses.fuel;
    emitter.counted = uses.counters;
    emitter.burn_part(&function.body);
    let ty = emitter.expr(&function.body)?;
    if ty != Ty::Never && ty != function.result && !interchangeable(ty, function.result) {
        return Err(EmitError::Malformed {
            function: function.symbol.clone(),
            reason: format!("the body yields {ty:?}, not {:?}", function.result),
        });
    }
    emitter.code.ins().end();
    if emitter.code.local_count() > MAX_LOCALS {
        return Err(EmitError::TooManyLocals { function: function.symbol.clone() });
    }
    Ok(emitter.code)
}

/// Whether a function may be left anywhere but at its end.
fn leaves_early(body: &Expr) -> bool {
    let mut open = vec![body];
    while let Some(expr) = open.pop() {
        if matches!(expr, Expr::Return { .. } | Expr::Try { .. }) {
            return true;
        }
        expr.for_each_part(|part| open.push(part));
    }
    false
}

/// Whether evaluating the expression certainly does not leave the function.
const fn stays(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::I32(_)
            | Expr::ViewLit(_)
            | Expr::BytesLit(..)
            | Expr::Input
            | Expr::Get(_)
            | Expr::Take(_)
            | Expr::ViewOf(_)
    )
}

/// Whether the expression is an empty block.
pub(super) fn is_nothing(expr: &Expr) -> bool {
    match expr {
        Expr::Block { body, value, cleanup } => body.is_empty() && value.is_none() && cleanup.is_empty(),
        _ => false,
    }
}

/// How many wasm locals a type takes.
fn width(ty: Ty) -> u32 {
    // A type has at most four words.
    ty.words().len() as u32
}

impl<'a> Emitter<'a> {
    /// A translation that is about to begin. The parameters are wasm parameters; those of an async
    /// function are locals, behind a wasm parameter for its frame.
    pub(super) fn new(
        program: &'a Program,
        function: &'a Function,
        literals: &'a [Literal],
        types: &'a mut Types,
    ) -> Result<Self, EmitError> {
        let is_task = function.kind == FunctionKind::Async;
        let params = if is_task { 0 } else { function.params as usize };
        let Some(params) = function.locals.get(..params) else {
            return Err(EmitError::Malformed {
                function: function.symbol.clone(),
                reason: "more parameters than locals".to_owned(),
            });
        };
        let words: usize = function.locals.iter().map(|ty| ty.words().len()).sum();
        if words > MAX_LOCALS as usize {
            return Err(EmitError::TooManyLocals { function: function.symbol.clone() });
        }
        let mut slots = Vec::with_capacity(function.locals.len());
        let mut next = u32::from(is_task);
        for ty in params {
            slots.push(next);
            next += width(*ty);
        }
        let mut code = Code::new(next);
        for ty in &function.locals[params.len()..] {
            slots.push(code.next_local());
            for word in ty.words() {
                code.declare(val_type(*word));
            }
        }
        let leaves_early = leaves_early(&function.body);
        Ok(Self {
            program,
            function,
            literals,
            types,
            code,
            frame: None,
            slots,
            pending: Vec::new(),
            leaves_early,
            metered: false,
            counted: false,
        })
    }

    /// Translates an expression: its words are on the stack, unless it yields [`Ty::Never`], after
    /// which nothing may follow but the end of an arm, loop body or function.
    pub(super) fn expr(&mut self, expr: &Expr) -> Result<Ty, EmitError> {
        stacker::maybe_grow(STACK_RESERVE, STACK_SEGMENT, || {
            let held = self.code.held();
            let pending = self.pending.len();
            let outcome = self.expr_here(expr);
            self.code.release(held);
            self.pending.truncate(pending);
            match outcome {
                Ok(ty) => Ok(ty),
                Err(Stop::Never) => Ok(Ty::Never),
                Err(Stop::Error(error)) => Err(error),
            }
        })
    }

    /// Translates an expression that something else needs the value of.
    pub(super) fn value(&mut self, expr: &Expr) -> Flow<Ty> {
        match self.expr(expr)? {
            Ty::Never => Err(Stop::Never),
            ty => Ok(ty),
        }
    }

    /// As [`Emitter::value`], for a value of a certain type.
    pub(super) fn value_of(&mut self, ty: Ty, expr: &Expr) -> Flow<()> {
        let found = self.value(expr)?;
        self.expect(ty, found)
    }

    /// A statement; nothing is on the stack after it.
    pub(super) fn statement(&mut self, expr: &Expr) -> Flow<()> {
        self.value_of(Ty::Unit, expr)
    }

    /// The end of a control structure's branch: true when it never yields.
    pub(super) fn arm(&mut self, ty: Ty, expr: &Expr) -> Flow<bool> {
        self.burn_part(expr);
        let found = self.expr(expr)?;
        if found == Ty::Never {
            return Ok(true);
        }
        self.expect(ty, found)?;
        Ok(false)
    }

    /// Refuses a value of another type.
    pub(super) fn expect(&self, ty: Ty, found: Ty) -> Flow<()> {
        if ty == found || interchangeable(ty, found) {
            return Ok(());
        }
        self.malformed(format!("{found:?} where {ty:?} is wanted"))
    }

    /// The error for an expression that contradicts itself.
    pub(super) fn malformed<T>(&self, reason: impl Into<String>) -> Flow<T> {
        let function = self.function.symbol.clone();
        Err(Stop::Error(EmitError::Malformed { function, reason: reason.into() }))
    }

    /// Where the function's body stands.
    pub(super) fn function_site(&self) -> SiteId {
        self.function.site
    }

    /// A local's type and first wasm local.
    pub(super) fn local(&self, local: Local) -> Flow<(Ty, u32)> {
        let index = local.0 as usize;
        match (self.function.locals.get(index), self.slots.get(index)) {
            (Some(ty), Some(first)) => Ok((*ty, *first)),
            _ => self.malformed(format!("local {} does not exist", local.0)),
        }
    }

    /// Where a literal lies.
    pub(super) fn literal(&self, data: DataId) -> Flow<Literal> {
        match self.literals.get(data.0 as usize) {
            Some(literal) => Ok(*literal),
            None => self.malformed(format!("literal {} does not exist", data.0)),
        }
    }

    /// Moves the words on the stack to a local.
    fn set(&mut self, ty: Ty, first: u32) {
        for offset in (0..width(ty)).rev() {
            self.code.ins().local_set(first + offset);
        }
    }

    /// Pushes the empty value.
    pub(super) fn push_empty(&mut self, words: &[Word]) {
        for word in words {
            match word {
                Word::I32 => {
                    self.code.ins().i32_const(0);
                }
                Word::F64 => {
                    self.code.ins().f64_const(Ieee64::from(0.0_f64));
                }
            }
        }
    }

    /// Leaves the empty value in a local.
    pub(super) fn clear(&mut self, ty: Ty, first: u32) {
        for (index, word) in (first..).zip(ty.words()) {
            self.push_empty(std::slice::from_ref(word));
            self.code.ins().local_set(index);
        }
    }

    fn expr_here(&mut self, expr: &Expr) -> Flow<Ty> {
        if let Some(outcome) = self.suspendable(expr) {
            return outcome;
        }
        match expr {
            Expr::I32(number) => {
                self.code.ins().i32_const(*number);
                Ok(Ty::I32)
            }
            Expr::ViewLit(data) => {
                let literal = self.literal(*data)?;
                self.code.ins().i32_const(literal.address).i32_const(literal.length);
                Ok(Ty::View)
            }
            Expr::BytesLit(data, site) => {
                let literal = self.literal(*data)?;
                if literal.length == 0 {
                    self.push_empty(Ty::Bytes.words());
                } else {
                    self.code.ins().i32_const(literal.address).i32_const(literal.length);
                    self.code.call(Helper::Copy, Some(*site));
                }
                Ok(Ty::Bytes)
            }
            Expr::Input => {
                self.code.ins().global_get(INPUT_ADDRESS).global_get(INPUT_LENGTH);
                Ok(Ty::View)
            }
            Expr::Get(local) => {
                let variable = self.variable(*local)?;
                self.push_all(&variable);
                Ok(variable.ty)
            }
            Expr::Take(local) => {
                let variable = self.variable(*local)?;
                self.push_all(&variable);
                let (ty, first) = self.local(*local)?;
                self.clear(ty, first);
                Ok(ty)
            }
            Expr::ViewOf(local) => {
                let owner = self.bytes_variable(*local)?;
                self.push(owner.first());
                self.push(owner.second());
                Ok(Ty::View)
            }
            Expr::Store { local, value, drop_old } => self.store(*local, value, *drop_old),
            Expr::Drop(local) => {
                let (ty, first) = self.local(*local)?;
                if ty.is_owned() {
                    let variable = self.variable(*local)?;
                    self.free(&variable);
                    self.clear(ty, first);
                }
                Ok(Ty::Unit)
            }
            Expr::Discard(value) => self.discard(value),
            Expr::Block { body, value, cleanup } => {
                for expr in body {
                    self.statement(expr)?;
                }
                let ty = match value {
                    Some(value) => self.value(value)?,
                    None => Ty::Unit,
                };
                for expr in cleanup {
                    self.statement(expr)?;
                }
                Ok(ty)
            }
            Expr::If { cond, then, otherwise, ty } => self.choice(cond, then, otherwise, *ty),
            Expr::Switch { value, arms, ty } => self.switch(value, arms, *ty),
            Expr::Trap { trap, site } => {
                self.code.trap(*trap, Some(*site));
                Err(Stop::Never)
            }
            Expr::For { var, start, end, body } => self.for_loop(*var, start, end, body),
            Expr::While { cond, body } => self.while_loop(cond, body),
            Expr::Return { value, cleanup } => {
                self.value_of(self.function.result, value)?;
                self.leave(cleanup)?;
                Err(Stop::Never)
            }
            Expr::Try { value, ty, cleanup } => self.unwrap(value, *ty, cleanup),
            Expr::Call { func, args, site } => self.call(*func, args, *site),
            Expr::Spawn { func, args, site } => self.spawn(*func, args, *site),
            Expr::Wait { op, args, site } => self.wait(*op, args, *site),
            Expr::Op { op, args, site } => self.op(*op, args, *site),
            Expr::InPlace { op, local, args, site } => self.in_place(*op, *local, args, *site),
        }
    }

    fn store(&mut self, local: Local, value: &Expr, drop_old: bool) -> Flow<Ty> {
        let (ty, first) = self.local(local)?;
        let (before, inner, after): (&[Expr], &Expr, &[Expr]) = match value {
            Expr::Block { body, value: Some(inner), cleanup } => (body.as_slice(), &**inner, cleanup.as_slice()),
            other => (&[], other, &[]),
        };
        if !self.suspends(value)
            && let Expr::InPlace { op, local: source, args, site } = inner
            && *source == local
            && op.result() == ty
            && leave_alone(after, local)
        {
            // The variable's own words are worked on; nothing moves.
            for expr in before {
                self.statement(expr)?;
            }
            let variable = self.variable(local)?;
            self.mutate(*op, &variable, args, *site)?;
            for expr in after {
                self.statement(expr)?;
            }
            return Ok(Ty::Unit);
        }
        self.value_of(ty, value)?;
        if drop_old {
            let variable = self.variable(local)?;
            self.free(&variable);
        }
        self.set(ty, first);
        Ok(Ty::Unit)
    }

    fn discard(&mut self, value: &Expr) -> Flow<Ty> {
        let ty = self.value(value)?;
        if ty.is_owned() && !matches!(value, Expr::Get(_)) {
            let operand = self.spill(ty, false);
            self.free(&operand);
        } else {
            for _ in ty.words() {
                self.code.ins().drop();
            }
        }
        Ok(Ty::Unit)
    }

    /// Leaves the function with the result that is on the stack.
    fn leave(&mut self, cleanup: &[Expr]) -> Flow<()> {
        for expr in cleanup {
            if self.arm(Ty::Unit, expr)? {
                return self.malformed("clean-up that never ends");
            }
        }
        for index in 0..self.pending.len() {
            let operand = self.pending[index];
            self.free(&operand);
        }
        if self.is_task() {
            self.end_task();
        } else {
            self.code.ins().return_();
        }
        Ok(())
    }

    fn unwrap(&mut self, value: &Expr, ty: Ty, cleanup: &[Expr]) -> Flow<Ty> {
        if !matches!(ty, Ty::ResultI32 | Ty::ResultBytes | Ty::ResultView | Ty::ResultResultBytes) {
            return self.malformed(format!("{ty:?} cannot be unwrapped"));
        }
        let result = self.function.result;
        if !matches!(result, Ty::ResultI32 | Ty::ResultBytes | Ty::ResultView | Ty::ResultResultBytes) {
            return self.malformed(format!("an error cannot leave a function that yields {result:?}"));
        }
        self.value_of(ty, value)?;
        // An error owns nothing, so the value need not be freed on that path.
        let operand = self.spill(ty, false);
        self.push(operand.first());
        self.code.ins().i32_eqz().if_(BlockType::Empty);
        self.code.ins().i32_const(0);
        self.push(operand.second());
        self.push_empty(result.words().get(2..).unwrap_or_default());
        self.leave(cleanup)?;
        self.code.ins().end();
        for slot in operand.slots().iter().skip(1) {
            self.push(*slot);
        }
        Ok(ty.payload())
    }

    pub(super) fn call(&mut self, func: FuncId, args: &[Expr], site: SiteId) -> Flow<Ty> {
        let program = self.program;
        let Some(callee) = program.functions.get(func.0 as usize) else {
            return self.malformed(format!("function {} does not exist", func.0));
        };
        let Some(params) = callee.locals.get(..callee.params as usize) else {
            return self.malformed(format!("{} has more parameters than locals", callee.symbol));
        };
        if params.len() != args.len() {
            return self.malformed(format!("{} is called with {} arguments", callee.symbol, args.len()));
        }
        let settled = if self.leaves_early { settled(params, args) } else { 0 };
        let mut operands = Vec::with_capacity(settled);
        for (index, (arg, ty)) in args.iter().zip(params).enumerate().take(settled) {
            operands.push(self.consumed(*ty, arg, &args[index + 1..settled])?);
        }
        for operand in &operands {
            self.push_all(operand);
        }
        for (arg, ty) in args.iter().zip(params).skip(settled) {
            if ty.is_owned() && matches!(arg, Expr::Get(_)) {
                return self.malformed("an argument passes on a variable that is only read");
            }
            self.value_of(*ty, arg)?;
        }
        self.code.call_function(func.0, Some(site));
        Ok(callee.result)
    }
}

/// How many arguments are evaluated into scratch locals before any is pushed: up to the last that
/// may leave the function, if an owned one waits for it. On the stack it could not be freed then.
fn settled(params: &[Ty], args: &[Expr]) -> usize {
    let first_owned = params.iter().position(|ty| ty.is_owned());
    let last_leaving = args.iter().rposition(|arg| !stays(arg));
    match (first_owned, last_leaving) {
        (Some(owned), Some(leaving)) if owned < leaving => leaving + 1,
        _ => 0,
    }
}
