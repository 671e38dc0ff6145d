//! Operations on 64-bit floats.

use wasm_encoder::MemArg;

use crate::compiler::ir::{Expr, Op, SiteId, Trap, Ty};
use crate::compiler::runtime::Helper;
use crate::compiler::runtime::code::Scratch;

use super::function::{Emitter, Flow};
use super::operands::Slot;

/// A float at any address.
const FLOAT: MemArg = MemArg { offset: 0, align: 0, memory_index: 0 };
/// Bytes of a float.
const SIZE: i32 = 8;

impl Emitter<'_> {
    /// Translates an operation on floats.
    pub(super) fn float_op(&mut self, op: Op, args: &[Expr], site: SiteId) -> Flow<()> {
        match op {
            Op::F64OfI32 => {
                let [number] = self.exactly(args)?;
                self.value_of(Ty::I32, number)?;
                self.code.ins().f64_convert_i32_s();
            }
            Op::F64ToI32 => self.truncate(args)?,
            Op::F64FitsI32 => {
                let [number] = self.exactly(args)?;
                self.value_of(Ty::F64, number)?;
                let number = self.code.scratch(Scratch::F64);
                self.code.ins().local_tee(number).f64_const((-2_147_483_649.0).into()).f64_gt();
                self.code.ins().local_get(number).f64_const(2_147_483_648.0.into()).f64_lt().i32_and();
            }
            Op::F64FromBytes => {
                let [bytes] = self.exactly(args)?;
                let bytes = self.operand_of(Ty::View, bytes, &[])?;
                self.push(bytes.second());
                self.code.ins().i32_const(SIZE).i32_ne();
                self.code.trap_if(Trap::BadNumber, Some(site));
                self.push(bytes.first());
                self.code.ins().f64_load(FLOAT);
            }
            Op::F64ToBytes => {
                let [number] = self.exactly(args)?;
                self.value_of(Ty::F64, number)?;
                let number = self.code.scratch(Scratch::F64);
                let address = self.code.scratch(Scratch::I32);
                self.code.ins().local_set(number).i32_const(SIZE);
                self.code.call(Helper::Alloc, Some(site));
                self.code.ins().local_tee(address).local_get(number).f64_store(FLOAT);
                self.code.ins().local_get(address).i32_const(SIZE);
            }
            Op::F64Sqrt | Op::F64Neg | Op::F64Abs | Op::F64Floor | Op::F64Ceil => {
                let [number] = self.exactly(args)?;
                self.value_of(Ty::F64, number)?;
                let mut ins = self.code.ins();
                match op {
                    Op::F64Sqrt => ins.f64_sqrt(),
                    Op::F64Neg => ins.f64_neg(),
                    Op::F64Abs => ins.f64_abs(),
                    Op::F64Floor => ins.f64_floor(),
                    _ => ins.f64_ceil(),
                };
            }
            Op::F64Min | Op::F64Max => {
                let [left, right] = self.exactly(args)?;
                self.value_of(Ty::F64, left)?;
                self.value_of(Ty::F64, right)?;
                let right = self.code.scratch(Scratch::F64);
                let left = self.code.scratch(Scratch::F64);
                self.code.ins().local_set(right).local_set(left);
                // wasm yields no number when one operand is none: then the other is taken.
                let mut ins = self.code.ins();
                ins.local_get(left).local_get(right);
                if op == Op::F64Min {
                    ins.f64_min()
                } else {
                    ins.f64_max()
                };
                ins.local_get(left).local_get(right).local_get(right).f64_eq().select();
                ins.local_get(right).local_get(left).local_get(left).f64_eq().select();
            }
            Op::F64Add | Op::F64Sub | Op::F64Mul | Op::F64Div => {
                let [left, right] = self.exactly(args)?;
                self.value_of(Ty::F64, left)?;
                self.value_of(Ty::F64, right)?;
                let mut ins = self.code.ins();
                match op {
                    Op::F64Add => ins.f64_add(),
                    Op::F64Sub => ins.f64_sub(),
                    Op::F64Mul => ins.f64_mul(),
                    _ => ins.f64_div(),
                };
            }
            _ => return self.malformed(format!("{op:?} is not an operation on floats")),
        }
        Ok(())
    }

    /// Toward zero, saturating. wasm's plain instruction traps outside the range, and its saturating
    /// one is no part of the first version that all consumers accept.
    fn truncate(&mut self, args: &[Expr]) -> Flow<()> {
        let [number] = self.exactly(args)?;
        self.value_of(Ty::F64, number)?;
        let number = self.code.scratch(Scratch::F64);
        let block = self.types.block(Ty::I32.words());
        self.code.ins().local_set(number);
        self.code.ins().local_get(number).f64_const(2_147_483_648.0.into()).f64_lt();
        self.code.ins().local_get(number).f64_const((-2_147_483_649.0).into()).f64_gt().i32_and();
        self.code.ins().if_(block).local_get(number).i32_trunc_f64_s().else_();
        // Too large, too small, or no number at all.
        self.code.ins().i32_const(i32::MAX).i32_const(i32::MIN);
        self.code.ins().local_get(number).f64_const(0.0.into()).f64_gt().select();
        self.code.ins().i32_const(0).local_get(number).local_get(number).f64_eq().select().end();
        Ok(())
    }

    /// Fresh bytes that hold words, little endian.
    pub(super) fn words_to_bytes(&mut self, args: &[Expr], site: SiteId) -> Flow<()> {
        let mut words: Vec<Slot> = Vec::with_capacity(args.len());
        for (index, arg) in args.iter().enumerate() {
            words.push(self.operand_of(Ty::I32, arg, &args[index + 1..])?.first());
        }
        let Ok(size) = i32::try_from(words.len() * 4) else { return self.malformed("too many words") };
        let address = self.code.scratch(Scratch::I32);
        self.code.ins().i32_const(size);
        self.code.call(Helper::Alloc, Some(site));
        self.code.ins().local_set(address);
        for (offset, word) in (0..).step_by(4).zip(&words) {
            self.code.ins().local_get(address);
            self.push(*word);
            self.code.ins().i32_store(MemArg { offset, align: 2, memory_index: 0 });
        }
        self.code.ins().local_get(address).i32_const(size);
        Ok(())
    }
}
