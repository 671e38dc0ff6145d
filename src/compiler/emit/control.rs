//! Choices and loops: conditions, jumps, `if`, `switch`, `for`, `while`.
//!
//! Where a condition is only asked for a jump it never becomes a number.

use wasm_encoder::BlockType;

use crate::compiler::ir::{Expr, Local, Op, Ty};
use crate::compiler::runtime::code::Scratch;

use super::function::{Emitter, Flow, STACK_RESERVE, STACK_SEGMENT, Stop, is_nothing};
use super::operands::Slot;

/// How many nodes of a choice are computed whether they are wanted or not.
const BOTH: u32 = 28;
/// How many nodes of a loop's condition are written twice, before the loop and at its end.
const TWICE: u32 = 40;

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
                || op.inverse().is_some();
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

impl Emitter<'_> {
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
            && let Some(inverse) = op.inverse()
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

    pub(super) fn choice(&mut self, cond: &Expr, then: &Expr, otherwise: &Expr, ty: Ty) -> Flow<Ty> {
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
    pub(super) fn switch(&mut self, value: &Expr, arms: &[Expr], ty: Ty) -> Flow<Ty> {
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

    pub(super) fn for_loop(&mut self, var: Local, start: &Expr, end: &Expr, body: &Expr) -> Flow<Ty> {
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

    pub(super) fn while_loop(&mut self, cond: &Expr, body: &Expr) -> Flow<Ty> {
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
}
