//! Contracts and budgets: the record of a violated clause, counters, fuel.

use wasm_encoder::MemArg;

use crate::compiler::ir::{ClauseId, Counter, Expr, SiteId, Trap, Ty};
use crate::compiler::runtime::Helper;
use crate::compiler::runtime::code::Scratch;
use crate::compiler::runtime::counting;
use crate::compiler::runtime::layout::{FUEL, TABLES};
use crate::compiler::runtime::tasks::TaskHelper;

use super::function::{Emitter, Flow};
use super::operands::{Operand, Slot};

/// The first word of a record, so that it is not taken for something else.
pub const RECORD_MARK: i32 = 0x7807_c0de;
/// Words of a record at most; it takes the place of the allocator's tables, which nobody needs any more.
const MOST_WORDS: usize = 200;

/// What a word of a record announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum RecordTag {
    /// The record ends.
    End = 0,
    /// A number follows.
    I32 = 1,
    /// Address and length of owned bytes follow.
    Bytes = 2,
    /// Address and length of a view follow.
    View = 3,
    /// Tag, then code or number: a `result_i32`.
    ResultI32 = 4,
    /// Tag, then code or address, then length: a `result_bytes`.
    ResultBytes = 5,
    /// The same for a `result_bytes_view`.
    ResultView = 6,
}

impl RecordTag {
    const fn of(ty: Ty) -> Option<Self> {
        match ty {
            Ty::I32 => Some(Self::I32),
            Ty::Bytes => Some(Self::Bytes),
            Ty::View => Some(Self::View),
            Ty::ResultI32 => Some(Self::ResultI32),
            Ty::ResultBytes => Some(Self::ResultBytes),
            Ty::ResultView => Some(Self::ResultView),
            _ => None,
        }
    }
}

impl Emitter<'_> {
    /// Writes the record of a violated clause where the host finds it, at the arena's aligned start,
    /// and ends the program. The record is: mark, clause, then for each witness its tag and words,
    /// then the end.
    pub(super) fn violate(&mut self, clause: ClauseId, witnesses: &[Expr], site: SiteId) -> Flow<()> {
        let mut operands: Vec<(RecordTag, Operand)> = Vec::with_capacity(witnesses.len());
        for (index, witness) in witnesses.iter().enumerate() {
            let operand = self.operand(witness, &witnesses[index + 1..])?;
            let Some(tag) = RecordTag::of(operand.ty) else {
                return self.malformed(format!("{:?} cannot be shown", operand.ty));
            };
            operands.push((tag, operand));
        }
        let base = self.code.scratch(Scratch::I32);
        self.code.ins().global_get(TABLES).local_set(base);
        let mut words = vec![Slot::Const(RECORD_MARK), Slot::Const(clause.0.cast_signed())];
        for (tag, operand) in &operands {
            let slots = operand.slots();
            if words.len() + slots.len() + 2 > MOST_WORDS {
                break;
            }
            words.push(Slot::Const(*tag as i32));
            words.extend_from_slice(slots);
        }
        words.push(Slot::Const(RecordTag::End as i32));
        for (offset, word) in (0..).step_by(4).zip(&words) {
            self.code.ins().local_get(base);
            self.push(*word);
            self.code.ins().i32_store(MemArg { offset, align: 2, memory_index: 0 });
        }
        self.code.trap(Trap::Contract, Some(site));
        Ok(())
    }

    /// Pushes a counter.
    pub(super) fn counter(&mut self, counter: Counter, args: &[Expr]) -> Flow<()> {
        let [] = self.exactly(args)?;
        if counter == Counter::SchedTicks {
            self.code.call(Helper::Task(TaskHelper::Ticks), None);
        } else {
            counting::push(&mut self.code, counter);
        }
        Ok(())
    }

    /// Counts copied bytes, if the program counts.
    pub(super) fn count_copy(&mut self, bytes: Slot) {
        if self.counted {
            self.push(bytes);
            counting::add(&mut self.code, Counter::MemcpyBytes);
        }
    }

    /// Lowers the fuel that is left to a limit; pushes what was left.
    pub(super) fn fuel_enter(&mut self, args: &[Expr], site: SiteId) -> Flow<()> {
        let [limit] = self.exactly(args)?;
        self.value_of(Ty::I32, limit)?;
        let left = self.code.scratch(Scratch::F64);
        self.code.ins().f64_convert_i32_u().global_get(FUEL).local_tee(left).f64_min().global_set(FUEL);
        // The scope itself is an expression, too.
        self.burn(1, Some(site));
        self.code.ins().local_get(left);
        Ok(())
    }

    /// Gives the fuel back that is left of a limit.
    pub(super) fn fuel_leave(&mut self, args: &[Expr]) -> Flow<()> {
        let [left, limit] = self.exactly(args)?;
        self.value_of(Ty::F64, left)?;
        let before = self.code.scratch(Scratch::F64);
        self.code.ins().local_set(before);
        self.value_of(Ty::I32, limit)?;
        let given = self.code.scratch(Scratch::F64);
        self.code.ins().f64_convert_i32_u().local_get(before).f64_min().local_set(given);
        self.code.ins().local_get(before).local_get(given).global_get(FUEL).f64_sub().f64_sub().global_set(FUEL);
        Ok(())
    }

    /// Uses fuel for so many expressions, if the program limits fuel anywhere.
    pub(super) fn burn(&mut self, expressions: u32, site: Option<SiteId>) {
        if !self.metered || expressions == 0 {
            return;
        }
        self.code.ins().global_get(FUEL).f64_const(f64::from(expressions).into()).f64_sub().global_set(FUEL);
        self.code.ins().global_get(FUEL).f64_const(0.0.into()).f64_lt();
        self.code.trap_if(Trap::BudgetFuel, site);
    }

    /// Uses fuel for the expressions of a part that run whenever the part does: not those of its
    /// arms and loop bodies, which do that themselves.
    pub(super) fn burn_part(&mut self, part: &Expr) {
        if self.metered {
            let expressions = weight(part);
            let site = self.function_site();
            self.burn(expressions, Some(site));
        }
    }
}

/// How many expressions of a part run whenever it does. Reads of variables inside operations count
/// like any expression.
fn weight(part: &Expr) -> u32 {
    let mut total: u32 = 0;
    let mut open = vec![part];
    while let Some(expr) = open.pop() {
        match expr {
            // What the compiler added is free.
            Expr::Block { .. } | Expr::Drop(_) | Expr::Discard(_) => {}
            _ => total = total.saturating_add(1),
        }
        match expr {
            Expr::If { cond, .. } => open.push(cond),
            Expr::Switch { value, .. } => open.push(value),
            Expr::For { start, end, .. } => {
                open.push(start);
                open.push(end);
            }
            Expr::While { .. } => {}
            _ => expr.for_each_part(|inner| open.push(inner)),
        }
    }
    total
}

/// Whether any function counts, or limits fuel.
pub(super) fn uses(program: &crate::compiler::ir::Program) -> Uses {
    use crate::compiler::ir::Op;
    let mut uses = Uses::default();
    let mut open: Vec<&Expr> = program.functions.iter().map(|function| &function.body).collect();
    while let Some(expr) = open.pop() {
        if let Expr::Op { op, .. } = expr {
            uses.counters |= matches!(op, Op::Counter(_));
            uses.fuel |= matches!(op, Op::FuelEnter);
        }
        expr.for_each_part(|part| open.push(part));
    }
    uses
}

/// What of the accounts a program needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// Counters of allocations and copies.
    pub(super) counters: bool,
    /// The fuel that is left.
    pub(super) fuel: bool,
}
