//! Operations on numbers, bytes, views, options and results.

use wasm_encoder::{BlockType, MemArg};

use crate::compiler::ir::{Expr, Op, SiteId, Trap, Ty, Unchecked};
use crate::compiler::runtime::Helper;
use crate::compiler::runtime::code::Scratch;

use super::function::{Emitter, Flow};
use super::operands::{Operand, Slot};

const LCG_FACTOR: i32 = 1_103_515_245;
const LCG_STEP: i32 = 12_345;

/// A byte at some offset from the address on the stack.
const fn byte_at(offset: u32) -> MemArg {
    MemArg { offset: offset as u64, align: 0, memory_index: 0 }
}

/// The value and count of a rotation to the left, written as two shifts of one variable whose
/// counts add up to 32.
fn rotation<'e>(op: Op, left: &'e Expr, right: &Expr) -> Option<(&'e Expr, i32)> {
    let shift = |expr: &Expr| match expr {
        Expr::Op { op: op @ (Op::Shl | Op::ShrU), args, .. } => match args.as_slice() {
            [Expr::Get(local), Expr::I32(count)] => Some((*op, *local, *count)),
            _ => None,
        },
        _ => None,
    };
    if !matches!(op, Op::Or | Op::Add | Op::Xor) {
        return None;
    }
    let (first_op, first, first_count) = shift(left)?;
    let (second_op, second, second_count) = shift(right)?;
    let in_range = (1..32).contains(&first_count) && (1..32).contains(&second_count);
    if first != second || first_op == second_op || !in_range || first_count + second_count != 32 {
        return None;
    }
    let Expr::Op { args, .. } = left else { return None };
    let count = if first_op == Op::Shl { first_count } else { second_count };
    args.first().map(|value| (value, count))
}

impl Emitter<'_> {
    /// Translates an operation.
    pub(super) fn op(&mut self, op: Op, args: &[Expr], site: SiteId) -> Flow<Ty> {
        match op {
            Op::DivU | Op::RemU => self.division(op, args)?,
            Op::Add
            | Op::Sub
            | Op::Mul
            | Op::And
            | Op::Or
            | Op::Xor
            | Op::Shl
            | Op::ShrU
            | Op::Eq
            | Op::Ne
            | Op::LtS
            | Op::LeS
            | Op::GtS
            | Op::GeS
            | Op::LtU
            | Op::LeU
            | Op::GtU
            | Op::GeU => self.binary(op, args)?,
            Op::ViewLen => {
                let [view] = self.exactly(args)?;
                let view = self.operand_of(Ty::View, view, &[])?;
                self.push(view.second());
            }
            Op::ViewGet => self.view_get(args, Some(site))?,
            Op::ViewSlice => self.view_slice(args, Some(site))?,
            Op::ViewToBytes => self.with_helper(Helper::Copy, &[Ty::View], args, site)?,
            Op::ViewEq => self.with_helper(Helper::Equal, &[Ty::View, Ty::View], args, site)?,
            Op::ViewCmpRange => {
                let types = [Ty::View, Ty::I32, Ty::I32, Ty::View, Ty::I32, Ty::I32];
                self.with_helper(Helper::CompareRanges, &types, args, site)?;
            }
            Op::BytesAlloc => {
                let [length] = self.exactly(args)?;
                let length = self.operand_of(Ty::I32, length, &[])?.first();
                self.push(length);
                self.code.call(Helper::AllocZeroed, Some(site));
                self.push(length);
            }
            Op::Bytes1 => self.fresh_number(args, 1, site)?,
            Op::WriteU32Le => self.fresh_number(args, 4, site)?,
            Op::BytesEmpty => {
                let [] = self.exactly(args)?;
                self.push_empty(Ty::Bytes.words());
            }
            Op::BytesConcat => self.concat(args, site)?,
            Op::BytesCopy => self.bytes_copy(args, site)?,
            Op::ReadU32Le => self.read_u32(args, Some(site))?,
            Op::FmtU32 => self.with_helper(Helper::FormatUnsigned, &[Ty::I32], args, site)?,
            Op::FmtS32 => self.with_helper(Helper::FormatSigned, &[Ty::I32], args, site)?,
            Op::ParseU32 => self.with_helper(Helper::ParseUnsigned, &[Ty::View], args, site)?,
            Op::ParseU32At => {
                let [view, offset] = self.exactly(args)?;
                let view = self.operand_of(Ty::View, view, &args[1..])?;
                let offset = self.operand_of(Ty::I32, offset, &[])?.first();
                self.push(offset);
                self.push(view.second());
                self.code.ins().i32_gt_u();
                self.code.trap_if(Trap::OutOfBounds, Some(site));
                self.push_sum(view.first(), offset);
                self.push(view.second());
                self.push(offset);
                self.code.ins().i32_sub();
                self.code.call(Helper::ParseUnsigned, Some(site));
            }
            Op::PrngLcgNext => {
                let [state] = self.exactly(args)?;
                self.value_of(Ty::I32, state)?;
                self.code.ins().i32_const(LCG_FACTOR).i32_mul().i32_const(LCG_STEP).i32_add();
            }
            Op::SetExitCode => {
                // Nothing outside can read the code, so the operand is all there is.
                let [code] = self.exactly(args)?;
                self.value_of(Ty::I32, code)?;
            }
            Op::DocIsErr => {
                let [doc] = self.exactly(args)?;
                let doc = self.operand_of(Ty::View, doc, &[])?;
                self.push(doc.second());
                let block = self.types.block(Ty::I32.words());
                self.code.ins().if_(block);
                self.push(doc.first());
                self.code.ins().i32_load8_u(byte_at(0)).i32_const(1).i32_ne();
                self.code.ins().else_().i32_const(1).end();
            }
            Op::OptionNone(ty) => {
                self.expect_option(ty)?;
                let [] = self.exactly(args)?;
                self.push_empty(ty.words());
            }
            Op::OptionSome(ty) => {
                self.expect_option(ty)?;
                let [payload] = self.exactly(args)?;
                self.code.ins().i32_const(1);
                self.value_of(ty.payload(), payload)?;
            }
            Op::ResultOk(ty) => {
                self.expect_result(ty)?;
                let [payload] = self.exactly(args)?;
                self.code.ins().i32_const(1);
                self.value_of(ty.payload(), payload)?;
            }
            Op::ResultErr(ty) => {
                self.expect_result(ty)?;
                let [code] = self.exactly(args)?;
                self.code.ins().i32_const(0);
                self.value_of(Ty::I32, code)?;
                self.push_empty(ty.words().get(2..).unwrap_or_default());
            }
            Op::OptionIsSome(ty) => {
                self.expect_option(ty)?;
                self.read_tag(ty, args)?;
            }
            Op::ResultIsOk(ty) => {
                self.expect_result(ty)?;
                self.read_tag(ty, args)?;
            }
            Op::ResultErrCode(ty) => {
                self.expect_result(ty)?;
                let [result] = self.exactly(args)?;
                let result = self.operand_of(ty, result, &[])?;
                self.code.ins().i32_const(0);
                self.push(result.second());
                self.push(result.first());
                self.code.ins().select();
                self.free_if_owned(&result);
            }
            Op::OptionUnwrapOr(ty) => {
                self.expect_option(ty)?;
                self.unwrap_or(ty, args)?;
            }
            Op::ResultUnwrapOr(ty) => {
                self.expect_result(ty)?;
                self.unwrap_or(ty, args)?;
            }
            Op::VecWithCapacity | Op::VecLen | Op::VecCap | Op::VecGet | Op::VecIntoBytes => {
                self.vec_op(op, args, site)?;
            }
            Op::BytesSet
            | Op::VecSet
            | Op::VecPush
            | Op::VecClear
            | Op::VecReserveExact
            | Op::VecExtendZeroes
            | Op::VecExtendView
            | Op::VecExtendRange
            | Op::BytesSetU32Le
            | Op::VecSetU32Le
            | Op::VecPushU32Le => self.mutate_value(op, args, site)?,
            Op::WordsToBytes => self.words_to_bytes(args, site)?,
            Op::F64OfI32
            | Op::F64ToI32
            | Op::F64FitsI32
            | Op::F64Add
            | Op::F64Sub
            | Op::F64Mul
            | Op::F64Div
            | Op::F64Min
            | Op::F64Max
            | Op::F64Sqrt
            | Op::F64Neg
            | Op::F64Abs
            | Op::F64Floor
            | Op::F64Ceil
            | Op::F64FromBytes
            | Op::F64ToBytes => self.float_op(op, args, site)?,
            Op::Library(op) => self.library_op(op, args, site)?,
            Op::Task(op) => self.task_op(op, args, site)?,
            Op::WordFits => {
                let [view, offset] = self.exactly(args)?;
                let view = self.operand_of(Ty::View, view, &args[1..])?;
                let offset = self.operand_of(Ty::I32, offset, &[])?.first();
                self.push_range_misfit(offset, Slot::Const(4), view.second());
                self.code.ins().i32_eqz();
            }
            Op::Unchecked(Unchecked::ViewGet) => self.view_get(args, None)?,
            Op::Unchecked(Unchecked::ViewSlice) => self.view_slice(args, None)?,
            Op::Unchecked(Unchecked::ReadU32Le) => self.read_u32(args, None)?,
            Op::Unchecked(Unchecked::VecGet) => self.vec_op(op, args, site)?,
            Op::Unchecked(
                Unchecked::BytesSet | Unchecked::VecSet | Unchecked::BytesSetU32Le | Unchecked::VecSetU32Le,
            ) => self.mutate_value(op, args, site)?,
            Op::Violate(clause) => self.violate(clause, args, site)?,
            Op::Counter(counter) => self.counter(counter, args)?,
            Op::FuelEnter => self.fuel_enter(args, site)?,
            Op::FuelLeave => self.fuel_leave(args)?,
        }
        Ok(op.result())
    }

    /// The operands, when there are as many as the operation has.
    pub(super) fn exactly<'e, const N: usize>(&self, args: &'e [Expr]) -> Flow<&'e [Expr; N]> {
        match <&[Expr; N]>::try_from(args) {
            Ok(args) => Ok(args),
            Err(_) => self.malformed(format!("an operation has {} operands instead of {N}", args.len())),
        }
    }

    fn expect_option(&self, ty: Ty) -> Flow<()> {
        match ty {
            Ty::OptionI32 | Ty::OptionBytes | Ty::OptionView => Ok(()),
            _ => self.malformed(format!("{ty:?} is not an option")),
        }
    }

    fn expect_result(&self, ty: Ty) -> Flow<()> {
        match ty {
            Ty::ResultI32 | Ty::ResultBytes | Ty::ResultView | Ty::ResultResultBytes => Ok(()),
            _ => self.malformed(format!("{ty:?} is not a result")),
        }
    }

    /// Evaluates operands onto the stack and calls a helper that takes exactly their words.
    fn with_helper(&mut self, helper: Helper, types: &[Ty], args: &[Expr], site: SiteId) -> Flow<()> {
        if types.len() != args.len() {
            return self.malformed(format!("an operation has {} operands instead of {}", args.len(), types.len()));
        }
        for (ty, arg) in types.iter().zip(args) {
            self.value_of(*ty, arg)?;
        }
        self.code.call(helper, Some(site));
        Ok(())
    }

    fn binary(&mut self, op: Op, args: &[Expr]) -> Flow<()> {
        let [left, right] = self.exactly(args)?;
        if let Some((value, count)) = rotation(op, left, right) {
            self.value_of(Ty::I32, value)?;
            self.code.ins().i32_const(count).i32_rotl();
            return Ok(());
        }
        self.value_of(Ty::I32, left)?;
        if op == Op::Eq && matches!(right, Expr::I32(0)) {
            self.code.ins().i32_eqz();
            return Ok(());
        }
        self.value_of(Ty::I32, right)?;
        self.number_instruction(op);
        Ok(())
    }

    /// The instruction for an operation on two numbers other than a division.
    pub(super) fn number_instruction(&mut self, op: Op) {
        let mut ins = self.code.ins();
        match op {
            Op::Add => ins.i32_add(),
            Op::Sub => ins.i32_sub(),
            Op::Mul => ins.i32_mul(),
            Op::And => ins.i32_and(),
            Op::Or => ins.i32_or(),
            Op::Xor => ins.i32_xor(),
            Op::Shl => ins.i32_shl(),
            Op::ShrU => ins.i32_shr_u(),
            Op::Eq => ins.i32_eq(),
            Op::Ne => ins.i32_ne(),
            Op::LtS => ins.i32_lt_s(),
            Op::LeS => ins.i32_le_s(),
            Op::GtS => ins.i32_gt_s(),
            Op::GeS => ins.i32_ge_s(),
            Op::LtU => ins.i32_lt_u(),
            Op::LeU => ins.i32_le_u(),
            Op::GtU => ins.i32_gt_u(),
            Op::GeU => ins.i32_ge_u(),
            // The callers pass nothing else.
            _ => ins.unreachable(),
        };
    }

    /// Unsigned quotient or remainder. wasm's instructions trap on 0, so a divisor that may be 0 is
    /// replaced by 1 (`d | (d == 0)`), and the result by the one the language wants.
    fn division(&mut self, op: Op, args: &[Expr]) -> Flow<()> {
        let [left, right] = self.exactly(args)?;
        if let Expr::I32(divisor) = right {
            self.value_of(Ty::I32, left)?;
            match (op, *divisor) {
                (Op::RemU, 0) => {}
                (_, 0) => {
                    self.code.ins().drop().i32_const(0);
                }
                (Op::RemU, divisor) => {
                    self.code.ins().i32_const(divisor).i32_rem_u();
                }
                (_, divisor) => {
                    self.code.ins().i32_const(divisor).i32_div_u();
                }
            }
            return Ok(());
        }
        if op == Op::RemU {
            let left = self.operand_of(Ty::I32, left, &args[1..])?.first();
            let right = self.operand_of(Ty::I32, right, &[])?.first();
            self.push(left);
            self.push_divisor(right);
            self.code.ins().i32_rem_u();
            self.push(left);
            self.push(right);
        } else {
            self.value_of(Ty::I32, left)?;
            let right = self.operand_of(Ty::I32, right, &[])?.first();
            self.push_divisor(right);
            self.code.ins().i32_div_u().i32_const(0);
            self.push(right);
        }
        self.code.ins().select();
        Ok(())
    }

    fn push_divisor(&mut self, divisor: Slot) {
        self.push(divisor);
        self.push(divisor);
        self.code.ins().i32_eqz().i32_or();
    }

    /// Pushes an address plus an offset.
    pub(super) fn push_sum(&mut self, address: Slot, offset: Slot) {
        self.push(address);
        if offset != Slot::Const(0) {
            self.push(offset);
            self.code.ins().i32_add();
        }
    }

    /// Pushes the address of a byte whose index was checked, and says how to access it.
    pub(super) fn push_byte_address(&mut self, address: Slot, index: Slot) -> MemArg {
        if let Slot::Const(index) = index {
            self.push(address);
            byte_at(index as u32)
        } else {
            self.push_sum(address, index);
            byte_at(0)
        }
    }

    /// Traps unless the index is below the length.
    pub(super) fn check_index(&mut self, index: Slot, length: Slot, site: SiteId) {
        self.push(index);
        self.push(length);
        self.code.ins().i32_ge_u();
        self.code.trap_if(Trap::OutOfBounds, Some(site));
    }

    /// Traps unless `count` bytes from `start` fit in `length`.
    pub(super) fn check_range(&mut self, start: Slot, count: Slot, length: Slot, site: SiteId) {
        self.push_range_misfit(start, count, length);
        self.code.trap_if(Trap::OutOfBounds, Some(site));
    }

    /// Pushes whether `count` bytes from `start` do not fit in `length`.
    fn push_range_misfit(&mut self, start: Slot, count: Slot, length: Slot) {
        if start == Slot::Const(0) {
            self.push(count);
            self.push(length);
            self.code.ins().i32_gt_u();
        } else if let Slot::Const(count) = count {
            // In 64 bits the sum cannot wrap around.
            self.push(start);
            self.code.ins().i64_extend_i32_u().i64_const(i64::from(count as u32)).i64_add();
            self.push(length);
            self.code.ins().i64_extend_i32_u().i64_gt_u();
        } else {
            self.push(start);
            self.push(length);
            self.code.ins().i32_gt_u();
            self.push(count);
            self.push(length);
            self.push(start);
            self.code.ins().i32_sub().i32_gt_u().i32_or();
        }
    }

    /// A byte of a view; checked when a place to trap at is given.
    fn view_get(&mut self, args: &[Expr], site: Option<SiteId>) -> Flow<()> {
        let [view, index] = self.exactly(args)?;
        let view = self.operand_of(Ty::View, view, &args[1..])?;
        let index = self.operand_of(Ty::I32, index, &[])?.first();
        if let Some(site) = site {
            self.check_index(index, view.second(), site);
        }
        let byte = self.push_byte_address(view.first(), index);
        self.code.ins().i32_load8_u(byte);
        Ok(())
    }

    /// A part of a view; checked when a place to trap at is given.
    fn view_slice(&mut self, args: &[Expr], site: Option<SiteId>) -> Flow<()> {
        let [view, start, count] = self.exactly(args)?;
        let view = self.operand_of(Ty::View, view, &args[1..])?;
        let start = self.operand_of(Ty::I32, start, &args[2..])?.first();
        let count = self.operand_of(Ty::I32, count, &[])?.first();
        if let Some(site) = site {
            self.check_range(start, count, view.second(), site);
        }
        self.push_sum(view.first(), start);
        self.push(count);
        Ok(())
    }

    /// A word of a view; checked when a place to trap at is given.
    fn read_u32(&mut self, args: &[Expr], site: Option<SiteId>) -> Flow<()> {
        let [view, offset] = self.exactly(args)?;
        let view = self.operand_of(Ty::View, view, &args[1..])?;
        let offset = self.operand_of(Ty::I32, offset, &[])?.first();
        if let Some(site) = site {
            self.check_range(offset, Slot::Const(4), view.second(), site);
        }
        let at = self.push_byte_address(view.first(), offset);
        self.code.ins().i32_load(at);
        Ok(())
    }

    /// Fresh bytes that hold the low `size` bytes of a number, 1 or 4.
    fn fresh_number(&mut self, args: &[Expr], size: i32, site: SiteId) -> Flow<()> {
        let [number] = self.exactly(args)?;
        let number = self.operand_of(Ty::I32, number, &[])?.first();
        let address = self.code.scratch(Scratch::I32);
        self.code.ins().i32_const(size);
        self.code.call(Helper::Alloc, Some(site));
        self.code.ins().local_tee(address);
        self.push(number);
        if size == 1 {
            self.code.ins().i32_store8(byte_at(0));
        } else {
            self.code.ins().i32_store(MemArg { offset: 0, align: 2, memory_index: 0 });
        }
        self.code.ins().local_get(address).i32_const(size);
        Ok(())
    }

    fn concat(&mut self, args: &[Expr], site: SiteId) -> Flow<()> {
        if args.len() < 2 {
            return self.malformed("a concatenation of fewer than two parts");
        }
        let mut parts: Vec<Operand> = Vec::with_capacity(args.len());
        for (index, arg) in args.iter().enumerate() {
            let part = self.operand(arg, &args[index + 1..])?;
            match part.ty {
                Ty::View => {}
                Ty::Bytes if part.owned => {}
                Ty::Bytes => return self.malformed("a concatenation consumes a variable that is only read"),
                other => return self.malformed(format!("{other:?} is not a part of a concatenation")),
            }
            parts.push(part);
        }
        let address = self.code.scratch(Scratch::I32);
        let total = self.code.scratch(Scratch::I32);
        let cursor = self.code.scratch(Scratch::I32);
        let wide = self.code.scratch(Scratch::I64);

        // In 64 bits the sum of all lengths cannot wrap around.
        let mut known: i64 = 0;
        for part in &parts {
            if let Slot::Const(length) = part.second() {
                known = known.saturating_add(i64::from(length as u32));
            }
        }
        self.code.ins().i64_const(known);
        for part in &parts {
            if !matches!(part.second(), Slot::Const(_)) {
                self.push(part.second());
                self.code.ins().i64_extend_i32_u().i64_add();
            }
        }
        self.code.ins().local_tee(wide).i64_const(i64::from(u32::MAX)).i64_gt_u();
        self.code.trap_if(Trap::OutOfMemory, Some(site));
        self.code.ins().local_get(wide).i32_wrap_i64().local_tee(total);
        self.code.call(Helper::Alloc, Some(site));
        self.code.ins().local_tee(address).local_set(cursor);
        self.count_copy(Slot::Local(total));
        for (index, part) in parts.iter().enumerate() {
            self.code.ins().local_get(cursor);
            self.push(part.first());
            self.push(part.second());
            self.code.ins().memory_copy(0, 0);
            if index + 1 < parts.len() {
                self.push_sum(Slot::Local(cursor), part.second());
                self.code.ins().local_set(cursor);
            }
        }
        for part in &parts {
            self.free_if_owned(part);
        }
        self.code.ins().local_get(address).local_get(total);
        Ok(())
    }

    fn bytes_copy(&mut self, args: &[Expr], site: SiteId) -> Flow<()> {
        let [source, target] = self.exactly(args)?;
        let source = self.consumed(Ty::Bytes, source, &args[1..])?;
        let target = self.consumed(Ty::Bytes, target, &[])?;
        self.check_range(Slot::Const(0), source.second(), target.second(), site);
        self.count_copy(source.second());
        self.push(target.first());
        self.push_all(&source);
        self.code.ins().memory_copy(0, 0);
        self.free(&source);
        self.push_all(&target);
        Ok(())
    }

    /// The tag of an option or result.
    fn read_tag(&mut self, ty: Ty, args: &[Expr]) -> Flow<()> {
        let [value] = self.exactly(args)?;
        let value = self.operand_of(ty, value, &[])?;
        self.push(value.first());
        self.free_if_owned(&value);
        Ok(())
    }

    /// The payload of an option or result, or the default. What is not chosen is freed; a missing
    /// payload owns nothing.
    fn unwrap_or(&mut self, ty: Ty, args: &[Expr]) -> Flow<()> {
        let [container, default] = self.exactly(args)?;
        let container = self.consumed(ty, container, &args[1..])?;
        let default = self.consumed(ty.payload(), default, &[])?;
        let tag = container.first();
        if ty.payload().is_owned() {
            self.push(tag);
            self.code.ins().if_(BlockType::Empty);
            self.free(&default);
            self.code.ins().end();
        }
        for (payload, other) in container.slots().iter().skip(1).zip(default.slots()) {
            self.push(*payload);
            self.push(*other);
            self.push(tag);
            self.code.ins().select();
        }
        Ok(())
    }
}
