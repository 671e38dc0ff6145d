//! Helper functions written as expressions and statements instead of single instructions.
//!
//! The scheduler's helpers are mostly loads, stores, calls and choices on records in the arena.
//! [`Fun`] and [`Exp`] let them be written as such; what comes out is a [`Code`] as the other
//! helpers build it by hand.

use std::ops::{Add, BitAnd, Mul, Sub};

use wasm_encoder::{BlockType, InstructionSink, MemArg};

use super::Helper;
use super::code::{Code, Scratch};
use super::tasks::TaskHelper;
use crate::compiler::ir::Trap;

/// A parameter or local variable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Var(u32);

/// An expression that yields one word, of 32 bits unless it says otherwise.
#[derive(Clone, Debug)]
pub(super) enum Exp {
    /// A number.
    Num(i32),
    /// A variable of any width.
    Var(Var),
    /// A global.
    Global(u32),
    /// The word at an address plus an offset.
    Load(Box<Exp>, u32),
    /// The 64 bits at an address plus an offset.
    Load64(Box<Exp>, u32),
    /// An operation on two values.
    Two(Two, Box<Exp>, Box<Exp>),
    /// 1 for 0, else 0.
    IsZero(Box<Exp>),
    /// A word as an unsigned number of 64 bits.
    Wide(Box<Exp>),
    /// The call of a helper with one result.
    Call(Helper, Vec<Exp>),
}

/// An operation on two values; those whose name ends in 64 work on 64 bits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Two {
    Add,
    Sub,
    Mul,
    And,
    Shl,
    Shr,
    Equal,
    Differ,
    Less,
    Add64,
    Sub64,
    Less64,
    Equal64,
}

impl From<i32> for Exp {
    fn from(number: i32) -> Self {
        Self::Num(number)
    }
}

impl From<Var> for Exp {
    fn from(var: Var) -> Self {
        Self::Var(var)
    }
}

fn two(op: Two, left: impl Into<Exp>, right: impl Into<Exp>) -> Exp {
    Exp::Two(op, Box::new(left.into()), Box::new(right.into()))
}

impl<R: Into<Exp>> Add<R> for Exp {
    type Output = Self;

    fn add(self, right: R) -> Self {
        two(Two::Add, self, right)
    }
}

impl<R: Into<Exp>> Sub<R> for Exp {
    type Output = Self;

    fn sub(self, right: R) -> Self {
        two(Two::Sub, self, right)
    }
}

impl<R: Into<Exp>> Mul<R> for Exp {
    type Output = Self;

    fn mul(self, right: R) -> Self {
        two(Two::Mul, self, right)
    }
}

/// Bitwise; for conditions that are 0 or 1, both are evaluated.
impl<R: Into<Exp>> BitAnd<R> for Exp {
    type Output = Self;

    fn bitand(self, right: R) -> Self {
        two(Two::And, self, right)
    }
}

/// The expression of a variable or number.
pub(super) fn v(value: impl Into<Exp>) -> Exp {
    value.into()
}

/// The word at `address + offset`.
pub(super) fn load(address: impl Into<Exp>, offset: u32) -> Exp {
    Exp::Load(Box::new(address.into()), offset)
}

/// The 64 bits at `address + offset`.
pub(super) fn load64(address: impl Into<Exp>, offset: u32) -> Exp {
    Exp::Load64(Box::new(address.into()), offset)
}

/// Whether both are equal.
pub(super) fn equal(left: impl Into<Exp>, right: impl Into<Exp>) -> Exp {
    two(Two::Equal, left, right)
}

/// Whether they differ.
pub(super) fn differ(left: impl Into<Exp>, right: impl Into<Exp>) -> Exp {
    two(Two::Differ, left, right)
}

/// Whether the left one is smaller, both unsigned.
pub(super) fn less(left: impl Into<Exp>, right: impl Into<Exp>) -> Exp {
    two(Two::Less, left, right)
}

/// Whether the left one is smaller, both unsigned and of 64 bits.
pub(super) fn less64(left: impl Into<Exp>, right: impl Into<Exp>) -> Exp {
    two(Two::Less64, left, right)
}

/// Whether both are equal, of 64 bits.
pub(super) fn equal64(left: impl Into<Exp>, right: impl Into<Exp>) -> Exp {
    two(Two::Equal64, left, right)
}

/// A sum of 64 bits.
pub(super) fn add64(left: impl Into<Exp>, right: impl Into<Exp>) -> Exp {
    two(Two::Add64, left, right)
}

/// A difference of 64 bits.
pub(super) fn sub64(left: impl Into<Exp>, right: impl Into<Exp>) -> Exp {
    two(Two::Sub64, left, right)
}

/// `value << bits`.
pub(super) fn shl(value: impl Into<Exp>, bits: i32) -> Exp {
    two(Two::Shl, value, bits)
}

/// `value >> bits`, unsigned.
pub(super) fn shr(value: impl Into<Exp>, bits: i32) -> Exp {
    two(Two::Shr, value, bits)
}

/// 1 for 0, else 0.
pub(super) fn is_zero(value: impl Into<Exp>) -> Exp {
    Exp::IsZero(Box::new(value.into()))
}

/// A word as an unsigned number of 64 bits.
pub(super) fn wide(value: impl Into<Exp>) -> Exp {
    Exp::Wide(Box::new(value.into()))
}

/// A call of one of the scheduler's helpers with one result.
pub(super) fn task(helper: TaskHelper, args: Vec<Exp>) -> Exp {
    Exp::Call(Helper::Task(helper), args)
}

/// A call of any helper with one result.
pub(super) fn call(helper: Helper, args: Vec<Exp>) -> Exp {
    Exp::Call(helper, args)
}

/// A word at some offset from the address on the stack.
const fn word_at(offset: u32) -> MemArg {
    MemArg { offset: offset as u64, align: 2, memory_index: 0 }
}

/// Eight bytes at some offset from the address on the stack.
const fn eight_at(offset: u32) -> MemArg {
    MemArg { offset: offset as u64, align: 3, memory_index: 0 }
}

/// A function under construction.
pub(super) struct Fun {
    code: Code,
    next_param: u32,
}

impl Fun {
    /// A function with that many parameter words.
    pub(super) fn new(params: u32) -> Self {
        Self { code: Code::new(params), next_param: 0 }
    }

    /// The next parameter.
    pub(super) fn param(&mut self) -> Var {
        let var = Var(self.next_param);
        self.next_param += 1;
        var
    }

    /// A new variable.
    pub(super) fn local(&mut self) -> Var {
        Var(self.code.scratch(Scratch::I32))
    }

    /// A new variable of 64 bits.
    pub(super) fn local64(&mut self) -> Var {
        Var(self.code.scratch(Scratch::I64))
    }

    /// A new variable with a value.
    pub(super) fn bind(&mut self, value: impl Into<Exp>) -> Var {
        let var = self.local();
        self.set(var, value);
        var
    }

    fn ins(&mut self) -> InstructionSink<'_> {
        self.code.ins()
    }

    fn push(&mut self, exp: &Exp) {
        match exp {
            Exp::Num(number) => {
                self.ins().i32_const(*number);
            }
            Exp::Var(var) => {
                self.ins().local_get(var.0);
            }
            Exp::Global(index) => {
                self.ins().global_get(*index);
            }
            Exp::Load(address, offset) => {
                self.push(address);
                self.ins().i32_load(word_at(*offset));
            }
            Exp::Load64(address, offset) => {
                self.push(address);
                self.ins().i64_load(eight_at(*offset));
            }
            Exp::Two(op, left, right) => {
                self.push(left);
                self.push(right);
                self.instruction(*op);
            }
            Exp::IsZero(value) => {
                self.push(value);
                self.ins().i32_eqz();
            }
            Exp::Wide(value) => {
                self.push(value);
                self.ins().i64_extend_i32_u();
            }
            Exp::Call(helper, args) => self.call(*helper, args),
        }
    }

    fn instruction(&mut self, op: Two) {
        let mut ins = self.ins();
        match op {
            Two::Add => ins.i32_add(),
            Two::Sub => ins.i32_sub(),
            Two::Mul => ins.i32_mul(),
            Two::And => ins.i32_and(),
            Two::Shl => ins.i32_shl(),
            Two::Shr => ins.i32_shr_u(),
            Two::Equal => ins.i32_eq(),
            Two::Differ => ins.i32_ne(),
            Two::Less => ins.i32_lt_u(),
            Two::Add64 => ins.i64_add(),
            Two::Sub64 => ins.i64_sub(),
            Two::Less64 => ins.i64_lt_u(),
            Two::Equal64 => ins.i64_eq(),
        };
    }

    fn call(&mut self, helper: Helper, args: &[Exp]) {
        for arg in args {
            self.push(arg);
        }
        self.code.call(helper, None);
    }

    /// Assigns a variable.
    pub(super) fn set(&mut self, var: Var, value: impl Into<Exp>) {
        self.push(&value.into());
        self.ins().local_set(var.0);
    }

    /// Writes a word to `address + offset`.
    pub(super) fn store(&mut self, address: impl Into<Exp>, offset: u32, value: impl Into<Exp>) {
        self.push(&address.into());
        self.push(&value.into());
        self.ins().i32_store(word_at(offset));
    }

    /// Writes 64 bits to `address + offset`.
    pub(super) fn store64(&mut self, address: impl Into<Exp>, offset: u32, value: impl Into<Exp>) {
        self.push(&address.into());
        self.push(&value.into());
        self.ins().i64_store(eight_at(offset));
    }

    /// Adds a number to the word at `address + offset`.
    pub(super) fn bump(&mut self, address: Var, offset: u32, by: i32) {
        self.store(address, offset, load(address, offset) + by);
    }

    /// Calls one of the scheduler's helpers that has no result.
    pub(super) fn run(&mut self, helper: TaskHelper, args: Vec<Exp>) {
        self.call(Helper::Task(helper), &args);
    }

    /// Calls one of the scheduler's helpers and puts its results into variables.
    pub(super) fn take(&mut self, vars: &[Var], helper: TaskHelper, args: Vec<Exp>) {
        self.call(Helper::Task(helper), &args);
        for var in vars.iter().rev() {
            self.ins().local_set(var.0);
        }
    }

    /// Evaluates an expression for its effect.
    pub(super) fn ignore(&mut self, value: Exp) {
        self.push(&value);
        self.ins().drop();
    }

    /// Frees a block; address 0 is none.
    pub(super) fn free(&mut self, address: impl Into<Exp>) {
        let address = address.into();
        self.call(Helper::Free, &[address]);
    }

    /// Copies bytes between places that do not overlap.
    pub(super) fn copy(&mut self, to: Var, from: Var, length: Var) {
        self.ins().local_get(to.0).local_get(from.0).local_get(length.0).memory_copy(0, 0);
    }

    /// Runs a part when a condition is not 0.
    pub(super) fn when(&mut self, cond: impl Into<Exp>, then: impl FnOnce(&mut Self)) {
        self.push(&cond.into());
        self.ins().if_(BlockType::Empty);
        then(self);
        self.ins().end();
    }

    /// Runs one of two parts.
    pub(super) fn choose(
        &mut self,
        cond: impl Into<Exp>,
        then: impl FnOnce(&mut Self),
        otherwise: impl FnOnce(&mut Self),
    ) {
        self.push(&cond.into());
        self.ins().if_(BlockType::Empty);
        then(self);
        self.ins().else_();
        otherwise(self);
        self.ins().end();
    }

    /// Repeats a part while a condition is not 0.
    pub(super) fn while_(&mut self, cond: impl Into<Exp>, body: impl FnOnce(&mut Self)) {
        self.ins().block(BlockType::Empty).loop_(BlockType::Empty);
        self.push(&cond.into());
        self.ins().i32_eqz().br_if(1);
        body(self);
        self.ins().br(0).end().end();
    }

    /// Repeats a part until it returns from the function.
    pub(super) fn forever(&mut self, body: impl FnOnce(&mut Self)) {
        self.ins().loop_(BlockType::Empty);
        body(self);
        self.ins().br(0).end().unreachable();
    }

    /// Ends the program when a condition is not 0.
    pub(super) fn trap_if(&mut self, cond: impl Into<Exp>, trap: Trap) {
        self.push(&cond.into());
        self.code.trap_if(trap, None);
    }

    /// Returns these values.
    pub(super) fn give(&mut self, values: &[Exp]) {
        for value in values {
            self.push(value);
        }
        self.ins().return_();
    }

    /// The finished code of a function that returned everywhere, or has no results.
    pub(super) fn finish(mut self) -> Code {
        self.ins().end();
        self.code
    }
}
