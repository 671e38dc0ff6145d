//! Where the operands of an operation are while the operation works on them.
//!
//! Most operations read their operands several times. An operand that is a constant, or a local
//! that the following operands leave alone, is read where it is; any other is evaluated once into
//! scratch locals.

use crate::compiler::ir::{Expr, Local, Ty, Word};
use crate::compiler::runtime::Helper;
use crate::compiler::runtime::code::Scratch;
use crate::compiler::runtime::layout::{INPUT_ADDRESS, INPUT_LENGTH};

use super::function::{Emitter, Flow};

/// The most words a value has.
pub(super) const MAX_WORDS: usize = 4;

/// How many nodes [`leaves_alone`] looks at before it gives up; a constant, so that translation
/// stays linear.
const GLANCE: u32 = 24;

/// One word of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// A wasm local.
    Local(u32),
    /// A wasm global that does not change while the program runs.
    Global(u32),
    /// A number.
    Const(i32),
}

/// An evaluated operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub(super) ty: Ty,
    /// As many as the type has words; the others are unused.
    pub(super) words: [Slot; MAX_WORDS],
    /// Whether the operation must free or pass on what the value owns.
    pub(super) owned: bool,
}

impl Operand {
    fn new(ty: Ty, words: &[Slot], owned: bool) -> Self {
        let mut all = [Slot::Const(0); MAX_WORDS];
        for (to, from) in all.iter_mut().zip(words) {
            *to = *from;
        }
        Self { ty, words: all, owned }
    }

    /// The words in use.
    pub(super) fn slots(&self) -> &[Slot] {
        // A type has at most `MAX_WORDS` words.
        &self.words[..self.ty.words().len().min(MAX_WORDS)]
    }

    /// The first word: an address, or a tag.
    pub(super) const fn first(&self) -> Slot {
        self.words[0]
    }

    /// The second word: a length, or the first word of a payload.
    pub(super) const fn second(&self) -> Slot {
        self.words[1]
    }
}

/// Whether evaluating the expression certainly does not change the local. `budget` is the number
/// of nodes that may still be looked at, which also bounds the recursion.
fn leaves_alone(expr: &Expr, local: Local, budget: &mut u32) -> bool {
    if *budget == 0 {
        return false;
    }
    *budget -= 1;
    match expr {
        Expr::I32(_)
        | Expr::ViewLit(_)
        | Expr::BytesLit(..)
        | Expr::Input
        | Expr::Get(_)
        | Expr::ViewOf(_)
        | Expr::Trap { .. } => true,
        Expr::Take(other) | Expr::Drop(other) => *other != local,
        Expr::Store { local: other, value, .. } => *other != local && leaves_alone(value, local, budget),
        Expr::Discard(value) => leaves_alone(value, local, budget),
        Expr::Block { body, value, cleanup } => {
            all_leave_alone(body, local, budget)
                && value.as_deref().is_none_or(|value| leaves_alone(value, local, budget))
                && all_leave_alone(cleanup, local, budget)
        }
        Expr::If { cond, then, otherwise, .. } => {
            leaves_alone(cond, local, budget)
                && leaves_alone(then, local, budget)
                && leaves_alone(otherwise, local, budget)
        }
        Expr::Switch { value, arms, .. } => leaves_alone(value, local, budget) && all_leave_alone(arms, local, budget),
        Expr::For { var, start, end, body } => {
            *var != local
                && leaves_alone(start, local, budget)
                && leaves_alone(end, local, budget)
                && leaves_alone(body, local, budget)
        }
        Expr::While { cond, body } => leaves_alone(cond, local, budget) && leaves_alone(body, local, budget),
        // Clean-up on the way out of the function is of no interest: nobody reads the local then.
        Expr::Return { value, .. } | Expr::Try { value, .. } => leaves_alone(value, local, budget),
        Expr::Call { args, .. } | Expr::Spawn { args, .. } | Expr::Wait { args, .. } | Expr::Op { args, .. } => {
            all_leave_alone(args, local, budget)
        }
        Expr::InPlace { local: other, args, .. } => *other != local && all_leave_alone(args, local, budget),
    }
}

/// Whether evaluating the expressions certainly does not change the local.
pub(super) fn leave_alone(exprs: &[Expr], local: Local) -> bool {
    let mut budget = GLANCE;
    all_leave_alone(exprs, local, &mut budget)
}

/// Whether [`leaves_alone`] holds for all expressions, together.
fn all_leave_alone(exprs: &[Expr], local: Local, budget: &mut u32) -> bool {
    exprs.iter().all(|expr| leaves_alone(expr, local, budget))
}

impl Emitter<'_> {
    /// Pushes one word.
    pub(super) fn push(&mut self, slot: Slot) {
        match slot {
            Slot::Local(index) => {
                self.code.ins().local_get(index);
            }
            Slot::Global(index) => {
                self.code.ins().global_get(index);
            }
            Slot::Const(number) => {
                self.code.ins().i32_const(number);
            }
        }
    }

    /// Pushes all words of an operand.
    pub(super) fn push_all(&mut self, operand: &Operand) {
        for slot in operand.slots() {
            self.push(*slot);
        }
    }

    /// Evaluates an operand; `rest` are the expressions evaluated between now and its use.
    pub(super) fn operand(&mut self, expr: &Expr, rest: &[Expr]) -> Flow<Operand> {
        if let Some(operand) = self.operand_in_place(expr, rest)? {
            return Ok(operand);
        }
        let ty = self.value(expr)?;
        Ok(self.spill(ty, true))
    }

    /// As [`Emitter::operand`], for an operand that must have a certain type.
    pub(super) fn operand_of(&mut self, ty: Ty, expr: &Expr, rest: &[Expr]) -> Flow<Operand> {
        let operand = self.operand(expr, rest)?;
        self.expect(ty, operand.ty)?;
        Ok(operand)
    }

    /// As [`Emitter::operand_of`], for an operand that the operation frees or passes on.
    pub(super) fn consumed(&mut self, ty: Ty, expr: &Expr, rest: &[Expr]) -> Flow<Operand> {
        if ty.is_owned() && matches!(expr, Expr::Get(_)) {
            return self.malformed("an operation consumes a variable that is only read");
        }
        self.operand_of(ty, expr, rest)
    }

    /// An operand that needs no evaluation.
    fn operand_in_place(&self, expr: &Expr, rest: &[Expr]) -> Flow<Option<Operand>> {
        let operand = match expr {
            Expr::I32(number) => Operand::new(Ty::I32, &[Slot::Const(*number)], false),
            Expr::ViewLit(data) => {
                let literal = self.literal(*data)?;
                let words = [Slot::Const(literal.address), Slot::Const(literal.length)];
                Operand::new(Ty::View, &words, false)
            }
            Expr::Input => Operand::new(Ty::View, &[Slot::Global(INPUT_ADDRESS), Slot::Global(INPUT_LENGTH)], false),
            Expr::Get(local) => {
                let operand = self.variable(*local)?;
                // An owned variable is read when the operation works on it: the operands between
                // may have given it another buffer, and the one it has now may be gone by then.
                let stays = operand.ty.is_owned() || leave_alone(rest, *local);
                if !stays {
                    return Ok(None);
                }
                operand
            }
            Expr::ViewOf(local) => {
                if !leave_alone(rest, *local) {
                    return Ok(None);
                }
                let owner = self.bytes_variable(*local)?;
                Operand::new(Ty::View, &[owner.first(), owner.second()], false)
            }
            _ => return Ok(None),
        };
        Ok(Some(operand))
    }

    /// A variable as an operand that is only read.
    pub(super) fn variable(&self, local: Local) -> Flow<Operand> {
        let (ty, first) = self.local(local)?;
        let mut words = [Slot::Const(0); MAX_WORDS];
        for (index, (slot, _)) in (first..).zip(words.iter_mut().zip(ty.words())) {
            *slot = Slot::Local(index);
        }
        Ok(Operand { ty, words, owned: false })
    }

    /// A variable whose first two words are the address and length of bytes.
    pub(super) fn bytes_variable(&self, local: Local) -> Flow<Operand> {
        let operand = self.variable(local)?;
        match operand.ty {
            Ty::Bytes | Ty::View | Ty::Vec => Ok(operand),
            _ => self.malformed("a view of a variable that holds no bytes"),
        }
    }

    /// Moves the value on the stack to scratch locals, which are held until the expression being
    /// translated is complete. With `owned`, an early exit meanwhile frees the value.
    pub(super) fn spill(&mut self, ty: Ty, owned: bool) -> Operand {
        let words = ty.words();
        let mut slots = [Slot::Const(0); MAX_WORDS];
        for (slot, word) in slots.iter_mut().zip(words).rev() {
            let kind = match word {
                Word::I32 => Scratch::I32,
                Word::F64 => Scratch::F64,
            };
            let index = self.code.scratch(kind);
            self.code.ins().local_set(index);
            *slot = Slot::Local(index);
        }
        let operand = Operand { ty, words: slots, owned: owned && ty.is_owned() };
        if operand.owned {
            self.pending.push(operand);
        }
        operand
    }

    /// Frees what a value of an owned type owns; other types own nothing.
    pub(super) fn free(&mut self, operand: &Operand) {
        let [first, second, third, _] = operand.words;
        match operand.ty {
            Ty::Bytes | Ty::Vec => self.push(first),
            // The address in `none` is 0.
            Ty::OptionBytes => self.push(second),
            // An error's code stands where the address would.
            Ty::ResultBytes => {
                self.push(second);
                self.code.ins().i32_const(0);
                self.push(first);
                self.code.ins().select();
            }
            Ty::ResultResultBytes => {
                self.push(third);
                self.code.ins().i32_const(0);
                self.push(first);
                self.push(second);
                self.code.ins().i32_and().select();
            }
            _ => return,
        }
        self.code.call(Helper::Free, None);
    }

    /// Frees a value that the operation owns; leaves a borrowed one alone.
    pub(super) fn free_if_owned(&mut self, operand: &Operand) {
        if operand.owned {
            self.free(operand);
        }
    }
}
