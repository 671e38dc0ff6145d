//! Expressions and control flow of one function.
//!
//! Every expression leaves its words on the wasm stack. Its scratch locals are given back when it
//! is complete, so that a function needs only as many as its deepest expression. An expression that
//! never yields ends the translation of everything around it up to the next arm or loop body: what
//! would follow can never run.

use wasm_encoder::{BlockType, Ieee64};

use crate::compiler::ir::{DataId, Expr, FuncId, Function, FunctionKind, Local, Op, Program, SiteId, Ty, Word};
use crate::compiler::runtime::Helper;
use crate::compiler::runtime::code::{Code, Scratch};
use crate::compiler::runtime::layout::{INPUT_ADDRESS, INPUT_LENGTH};

use super::EmitError;
use super::accounts::Uses;
use super::async_body::Frame;
use super::operands::{Operand, Slot, leave_alone};
use super::tasks::interchangeable;
use super::types::{Types, val_type};

/// The most parameters and locals that engines accept in a function.
pub(super) const MAX_LOCALS: u32 = 50_000;

/// Stack kept free below a step of the recursion, and stack added when there is less.
const STACK_RESERVE: usize = 64 * 1024;
const STACK_SEGMENT: usize = 4 * 1024 * 1024;

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

/// How many nodes of a loop's condition are written twice, before the loop and at its end.
const TWICE: u32 = 40;
/// How many nodes of a choice are computed whether they are wanted or not.
const BOTH: u32 = 28;

/// Whether an expression has few nodes, and neither loops nor waits.
fn is_short(expr: &Expr, budget: &mut u32) -> bool {
    if *budget == 0 || matches!(expr, Expr::For { .. } | Expr::While { .. } | Expr::Wait { .. }) {
        return false;
    }
    *budget -= 1;
    let mut short = true;
    expr.for_each_part(|part| short = short && is_short(part, budget));
    short
}

/// Whether an expression has few nodes, no effect, cannot trap and reads no memory.
fn is_cheap(expr: &Expr, budget: &mut u32) -> bool {
    if *budget == 0 {
        return false;
    }
    *budget -= 1;
    match expr {
        Expr::I32(_) | Expr::Get(_) | Expr::ViewOf(_) | Expr::ViewLit(_) | Expr::Input => true,
        Expr::Op { op, args, .. } => {
            let plain = matches!(op, Op::Add | Op::Sub | Op::And | Op::Or | Op::Xor | Op::Shl | Op::ShrU | Op::ViewLen)
                || inverse(*op).is_some();
            plain && args.iter().all(|arg| is_cheap(arg, budget))
        }
        Expr::If { cond, then, otherwise, ty: Ty::I32 } => {
            is_cheap(cond, budget) && is_cheap(then, budget) && is_cheap(otherwise, budget)
        }
        _ => false,
    }
}

/// Whether a condition is better decided by several jumps than by one number: a conjunction, a
/// disjunction, or a block before one.
fn is_composite(cond: &Expr) -> bool {
    match cond {
        Expr::Op { op: Op::Eq | Op::Ne, args, .. } => match args.as_slice() {
            [inner, Expr::I32(0)] => is_composite(inner),
            _ => false,
        },
        Expr::If { then, otherwise, .. } => {
            matches!(**otherwise, Expr::I32(0)) || matches!(**then, Expr::I32(number) if number != 0)
        }
        Expr::Block { value: Some(value), cleanup, .. } => cleanup.is_empty() && is_composite(value),
        _ => false,
    }
}

/// Whether the expression is an empty block.
fn is_nothing(expr: &Expr) -> bool {
    match expr {
        Expr::Block { body, value, cleanup } => body.is_empty() && value.is_none() && cleanup.is_empty(),
        _ => false,
    }
}

/// The comparison that holds exactly when this one does not.
const fn inverse(op: Op) -> Option<Op> {
    let inverse = match op {
        Op::Eq => Op::Ne,
        Op::Ne => Op::Eq,
        Op::LtS => Op::GeS,
        Op::LeS => Op::GtS,
        Op::GtS => Op::LeS,
        Op::GeS => Op::LtS,
        Op::LtU => Op::GeU,
        Op::LeU => Op::GtU,
        Op::GtU => Op::LeU,
        Op::GeU => Op::LtU,
        _ => return None,
    };
    Some(inverse)
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

    /// Leaves a condition on the stack: non-zero when `cond` is non-zero, or when it is zero if
    /// `negate`.
    fn condition(&mut self, cond: &Expr, negate: bool) -> Flow<()> {
        let mut cond = cond;
        let mut negate = negate;
        // Comparisons with zero only negate, or say nothing at all.
        while let Expr::Op { op, args, .. } = cond {
            match (op, args.as_slice()) {
                (Op::Eq, [inner, Expr::I32(0)]) => {
                    cond = inner;
                    negate = !negate;
                }
                (Op::Ne, [inner, Expr::I32(0)]) => cond = inner,
                _ => break,
            }
        }
        if negate
            && let Expr::Op { op, args, .. } = cond
            && let Some(inverse) = inverse(*op)
            && let [left, right] = args.as_slice()
        {
            self.value_of(Ty::I32, left)?;
            self.value_of(Ty::I32, right)?;
            self.number_instruction(inverse);
            return Ok(());
        }
        self.value_of(Ty::I32, cond)?;
        if negate {
            self.code.ins().i32_eqz();
        }
        Ok(())
    }

    fn choice(&mut self, cond: &Expr, then: &Expr, otherwise: &Expr, ty: Ty) -> Flow<Ty> {
        if let Expr::I32(number) = cond {
            let arm = if *number == 0 { otherwise } else { then };
            return if self.arm(ty, arm)? { Err(Stop::Never) } else { Ok(ty) };
        }
        if ty == Ty::I32 && !self.metered {
            let mut budget = BOTH;
            if is_cheap(cond, &mut budget) && is_cheap(then, &mut budget) && is_cheap(otherwise, &mut budget) {
                self.value_of(ty, then)?;
                self.value_of(ty, otherwise)?;
                self.condition(cond, false)?;
                self.code.ins().select();
                return Ok(ty);
            }
        }
        if !self.metered && is_composite(cond) {
            return self.choice_by_jumps(cond, then, otherwise, ty);
        }
        let swap = ty == Ty::Unit && is_nothing(then);
        let (then, otherwise) = if swap { (otherwise, then) } else { (then, otherwise) };
        self.condition(cond, swap)?;
        let block = self.types.block(ty.words());
        self.code.ins().if_(block);
        let mut never = self.arm(ty, then)?;
        if ty == Ty::Unit && is_nothing(otherwise) {
            never = false;
        } else {
            self.code.ins().else_();
            never &= self.arm(ty, otherwise)?;
        }
        self.code.ins().end();
        if never {
            self.code.ins().unreachable();
            return Err(Stop::Never);
        }
        Ok(ty)
    }

    /// A choice whose condition is a conjunction or disjunction.
    fn choice_by_jumps(&mut self, cond: &Expr, then: &Expr, otherwise: &Expr, ty: Ty) -> Flow<Ty> {
        let alone = ty == Ty::Unit && is_nothing(otherwise);
        if !alone {
            let block = self.types.block(ty.words());
            self.code.ins().block(block);
        }
        self.code.ins().block(BlockType::Empty);
        let decided = self.jump(cond, false, 0);
        if let Err(Stop::Error(error)) = decided {
            return Err(Stop::Error(error));
        }
        let mut never = decided.is_err();
        if !never {
            never = self.arm(ty, then)?;
            if !never && !alone {
                self.code.ins().br(1);
            }
        }
        self.code.ins().end();
        if decided.is_err() {
            // The condition itself never yields.
            self.code.ins().unreachable();
        } else if alone {
            never = false;
        } else {
            never &= self.arm(ty, otherwise)?;
        }
        if !alone {
            self.code.ins().end();
        }
        if never {
            self.code.ins().unreachable();
            return Err(Stop::Never);
        }
        Ok(ty)
    }

    /// Leaves for a label when the condition is what `when` says, else goes on.
    fn jump(&mut self, cond: &Expr, when: bool, label: u32) -> Flow<()> {
        stacker::maybe_grow(STACK_RESERVE, STACK_SEGMENT, || self.jump_here(cond, when, label))
    }

    fn jump_here(&mut self, cond: &Expr, when: bool, label: u32) -> Flow<()> {
        match cond {
            Expr::Op { op: op @ (Op::Eq | Op::Ne), args, .. } => {
                if let [inner, Expr::I32(0)] = args.as_slice() {
                    return self.jump(inner, when == (*op == Op::Ne), label);
                }
            }
            Expr::If { cond: first, then, otherwise, .. } => match (&**then, &**otherwise) {
                (second, Expr::I32(0)) => return self.jump_both(first, second, true, when, label),
                (Expr::I32(number), second) if *number != 0 => {
                    return self.jump_both(first, second, false, when, label);
                }
                _ => {}
            },
            Expr::Block { body, value: Some(value), cleanup } if cleanup.is_empty() => {
                for expr in body {
                    self.statement(expr)?;
                }
                return self.jump(value, when, label);
            }
            _ => {}
        }
        self.condition(cond, !when)?;
        self.code.ins().br_if(label);
        Ok(())
    }

    /// As [`Emitter::jump`], when both conditions hold (`conjunction`) or one does.
    fn jump_both(&mut self, first: &Expr, second: &Expr, conjunction: bool, when: bool, label: u32) -> Flow<()> {
        if conjunction != when {
            // Either of them decides.
            self.jump(first, when, label)?;
            return match self.jump(second, when, label) {
                // Where the second never yields, the first may have left.
                Err(Stop::Never) => {
                    self.code.ins().unreachable();
                    Ok(())
                }
                other => other,
            };
        }
        // The first alone may decide that there is no jump.
        self.code.ins().block(BlockType::Empty);
        let outcome = match self.jump(first, !when, 0) {
            Ok(()) => match self.jump(second, when, label + 1) {
                Err(Stop::Never) => Ok(()),
                other => other,
            },
            never => never,
        };
        self.code.ins().end();
        outcome
    }

    /// A choice among many, as a jump table: the arms stand one behind the other, each in front of
    /// the end of a block that the table leads to.
    fn switch(&mut self, value: &Expr, arms: &[Expr], ty: Ty) -> Flow<Ty> {
        let Some((last, others)) = arms.split_last() else { return self.malformed("a choice without arms") };
        let Ok(count) = u32::try_from(others.len()) else { return self.malformed("a choice with too many arms") };
        if others.is_empty() {
            let value = self.operand_of(Ty::I32, value, &[])?;
            self.free_if_owned(&value);
            return if self.arm(ty, last)? { Err(Stop::Never) } else { Ok(ty) };
        }
        let number = self.operand_of(Ty::I32, value, arms)?.first();
        let block = self.types.block(ty.words());
        self.code.ins().block(block);
        for _ in 0..=count {
            self.code.ins().block(BlockType::Empty);
        }
        self.push(number);
        let targets: Vec<u32> = (0..count).collect();
        self.code.ins().br_table(targets, count).end();
        let mut never = true;
        for (arm, rest) in others.iter().zip((1..=count).rev()) {
            if !self.arm(ty, arm)? {
                never = false;
                self.code.ins().br(rest);
            }
            self.code.ins().end();
        }
        never &= self.arm(ty, last)?;
        self.code.ins().end();
        if never {
            self.code.ins().unreachable();
            return Err(Stop::Never);
        }
        Ok(ty)
    }

    fn for_loop(&mut self, var: Local, start: &Expr, end: &Expr, body: &Expr) -> Flow<Ty> {
        let (ty, counter) = self.local(var)?;
        self.expect(Ty::I32, ty)?;
        self.value_of(Ty::I32, start)?;
        self.code.ins().local_set(counter);
        // The limit is evaluated once: it may be read where it is only if the body, and counting,
        // leave it alone.
        let mut limit = self.operand_of(Ty::I32, end, std::slice::from_ref(body))?.first();
        if limit == Slot::Local(counter) {
            let copy = self.code.scratch(Scratch::I32);
            self.code.ins().local_get(counter).local_set(copy);
            limit = Slot::Local(copy);
        }
        self.code.ins().block(BlockType::Empty).local_get(counter);
        self.push(limit);
        self.code.ins().i32_ge_u().br_if(0);
        self.code.ins().loop_(BlockType::Empty);
        // Counting is an expression of each round.
        self.burn(1, None);
        if !self.arm(Ty::Unit, body)? {
            self.code.ins().local_get(counter).i32_const(1).i32_add().local_tee(counter);
            self.push(limit);
            self.code.ins().i32_lt_u().br_if(0);
        }
        self.code.ins().end().end();
        Ok(Ty::Unit)
    }

    fn while_loop(&mut self, cond: &Expr, body: &Expr) -> Flow<Ty> {
        let mut budget = TWICE;
        if !self.metered && is_short(cond, &mut budget) {
            return self.while_loop_tested_last(cond, body);
        }
        self.code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
        let outcome = self.while_turn(cond, body);
        if let Err(Stop::Error(error)) = outcome {
            return Err(Stop::Error(error));
        }
        self.code.ins().end().end();
        if outcome.is_err() {
            // The condition itself never yields.
            self.code.ins().unreachable();
            return Err(Stop::Never);
        }
        Ok(Ty::Unit)
    }

    fn while_turn(&mut self, cond: &Expr, body: &Expr) -> Flow<()> {
        self.burn_part(cond);
        self.jump(cond, false, 1)?;
        if !self.arm(Ty::Unit, body)? {
            self.code.ins().br(0);
        }
        Ok(())
    }

    /// A loop with its condition once before it and once at the end of each round, so that a round
    /// has one jump.
    fn while_loop_tested_last(&mut self, cond: &Expr, body: &Expr) -> Flow<Ty> {
        self.code.ins().block(BlockType::Empty);
        let entered = self.jump(cond, false, 0);
        if let Err(Stop::Error(error)) = entered {
            return Err(Stop::Error(error));
        }
        if entered.is_err() {
            // The condition itself never yields.
            self.code.ins().end().unreachable();
            return Err(Stop::Never);
        }
        self.code.ins().loop_(BlockType::Empty);
        if !self.arm(Ty::Unit, body)? {
            self.jump(cond, true, 0)?;
        }
        self.code.ins().end().end();
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
