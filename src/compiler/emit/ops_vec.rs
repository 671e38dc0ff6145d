//! Operations on vectors, and those that change bytes or a vector in place.

use wasm_encoder::BlockType;

use crate::compiler::ir::{Expr, Local, Op, SiteId, Ty, Unchecked};
use crate::compiler::runtime::Helper;

use super::function::{Emitter, Flow};
use super::operands::{Operand, Slot};

impl Emitter<'_> {
    /// Operations on vectors that change none.
    pub(super) fn vec_op(&mut self, op: Op, args: &[Expr], site: SiteId) -> Flow<()> {
        match op {
            Op::VecWithCapacity => {
                let [capacity] = self.exactly(args)?;
                let capacity = self.operand_of(Ty::I32, capacity, &[])?.first();
                self.push(capacity);
                self.code.call(Helper::Alloc, Some(site));
                self.code.ins().i32_const(0);
                self.push(capacity);
            }
            Op::VecLen => {
                let [vec] = self.exactly(args)?;
                let vec = self.operand_of(Ty::Vec, vec, &[])?;
                self.push(vec.second());
                self.free_if_owned(&vec);
            }
            Op::VecCap => {
                let [vec] = self.exactly(args)?;
                let vec = self.operand_of(Ty::Vec, vec, &[])?;
                self.push(vec.words[2]);
                self.free_if_owned(&vec);
            }
            Op::VecGet | Op::Unchecked(Unchecked::VecGet) => {
                let [vec, index] = self.exactly(args)?;
                let vec = self.operand_of(Ty::Vec, vec, &args[1..])?;
                let index = self.operand_of(Ty::I32, index, &[])?.first();
                if op == Op::VecGet {
                    self.check_index(index, vec.second(), site);
                }
                let byte = self.push_byte_address(vec.first(), index);
                self.code.ins().i32_load8_u(byte);
                self.free_if_owned(&vec);
            }
            Op::VecIntoBytes => {
                let [vec] = self.exactly(args)?;
                let vec = self.consumed(Ty::Vec, vec, &[])?;
                self.push(vec.first());
                self.push(vec.second());
            }
            _ => return self.malformed(format!("{op:?} is not an operation on vectors")),
        }
        Ok(())
    }

    /// An operation whose first operand is the variable itself, after the others.
    pub(super) fn in_place(&mut self, op: Op, local: Local, args: &[Expr], site: SiteId) -> Flow<Ty> {
        let (ty, first) = self.local(local)?;
        let variable = self.variable(local)?;
        if op == Op::VecIntoBytes {
            self.expect(Ty::Vec, ty)?;
            let [] = self.exactly(args)?;
            self.push(variable.first());
            self.push(variable.second());
        } else {
            self.mutate(op, &variable, args, site)?;
            self.push_all(&variable);
        }
        self.clear(ty, first);
        Ok(op.result())
    }

    /// An operation whose first operand is a value.
    pub(super) fn mutate_value(&mut self, op: Op, args: &[Expr], site: SiteId) -> Flow<()> {
        let Some((value, rest)) = args.split_first() else {
            return self.malformed("an operation without operands");
        };
        if matches!(value, Expr::Get(_)) {
            return self.malformed("an operation changes a variable that is only read");
        }
        let ty = op.result();
        self.value_of(ty, value)?;
        let value = self.spill(ty, true);
        self.mutate(op, &value, rest, site)?;
        self.push_all(&value);
        Ok(())
    }

    /// Changes bytes or a vector whose words are in locals.
    pub(super) fn mutate(&mut self, op: Op, target: &Operand, args: &[Expr], site: SiteId) -> Flow<()> {
        let (op, checked) = match op {
            Op::Unchecked(op) => (op.checked(), false),
            op => (op, true),
        };
        let wanted = if matches!(op, Op::BytesSet | Op::BytesSetU32Le) { Ty::Bytes } else { Ty::Vec };
        self.expect(wanted, target.ty)?;
        let [address, length, capacity, _] = target.words;
        match op {
            Op::BytesSet | Op::VecSet => {
                let [index, value] = self.exactly(args)?;
                let index = self.operand_of(Ty::I32, index, &args[1..])?.first();
                let value = self.operand_of(Ty::I32, value, &[])?.first();
                if checked {
                    self.check_index(index, length, site);
                }
                let byte = self.push_byte_address(address, index);
                self.push(value);
                self.code.ins().i32_store8(byte);
            }
            Op::BytesSetU32Le | Op::VecSetU32Le => {
                let [offset, value] = self.exactly(args)?;
                let offset = self.operand_of(Ty::I32, offset, &args[1..])?.first();
                let value = self.operand_of(Ty::I32, value, &[])?.first();
                if checked {
                    self.check_range(offset, Slot::Const(4), length, site);
                }
                let word = self.push_byte_address(address, offset);
                self.push(value);
                self.code.ins().i32_store(word);
            }
            Op::VecPushU32Le => {
                let [value] = self.exactly(args)?;
                let value = self.operand_of(Ty::I32, value, &[])?.first();
                // A full vector has no room for four bytes, and one with less than that rarely.
                self.push(capacity);
                self.push(length);
                self.code.ins().i32_sub().i32_const(4).i32_lt_u().if_(BlockType::Empty);
                self.grow(target, Helper::VecRoom, Some(Slot::Const(4)), site);
                self.code.ins().end();
                let word = self.push_byte_address(address, length);
                self.push(value);
                self.code.ins().i32_store(word);
                self.lengthen(length, Slot::Const(4));
            }
            Op::VecPush => {
                let [value] = self.exactly(args)?;
                let value = self.operand_of(Ty::I32, value, &[])?.first();
                self.push(length);
                self.push(capacity);
                self.code.ins().i32_eq().if_(BlockType::Empty);
                self.grow(target, Helper::VecDouble, None, site);
                self.code.ins().end();
                let byte = self.push_byte_address(address, length);
                self.push(value);
                self.code.ins().i32_store8(byte);
                self.lengthen(length, Slot::Const(1));
            }
            Op::VecClear => {
                let [] = self.exactly(args)?;
                self.push(Slot::Const(0));
                self.set_slot(length);
            }
            Op::VecReserveExact => {
                let [more] = self.exactly(args)?;
                let more = self.operand_of(Ty::I32, more, &[])?.first();
                self.grow(target, Helper::VecReserve, Some(more), site);
            }
            Op::VecExtendZeroes => {
                let [more] = self.exactly(args)?;
                let more = self.operand_of(Ty::I32, more, &[])?.first();
                self.grow(target, Helper::VecRoom, Some(more), site);
                self.push_sum(address, length);
                self.code.ins().i32_const(0);
                self.push(more);
                self.code.ins().memory_fill(0);
                self.lengthen(length, more);
            }
            Op::VecExtendView => {
                let [view] = self.exactly(args)?;
                let view = self.operand_of(Ty::View, view, &[])?;
                self.append(target, view.first(), Slot::Const(0), view.second(), site);
            }
            Op::VecExtendRange => {
                let [view, start, count] = self.exactly(args)?;
                let view = self.operand_of(Ty::View, view, &args[1..])?;
                let start = self.operand_of(Ty::I32, start, &args[2..])?.first();
                let count = self.operand_of(Ty::I32, count, &[])?.first();
                self.check_range(start, count, view.second(), site);
                self.append(target, view.first(), start, count, site);
            }
            _ => return self.malformed(format!("{op:?} does not work in place")),
        }
        Ok(())
    }

    /// Appends bytes from an address plus an offset.
    fn append(&mut self, target: &Operand, from: Slot, start: Slot, count: Slot, site: SiteId) {
        let [address, length, capacity, _] = target.words;
        self.push_all(target);
        self.push_sum(from, start);
        self.push(count);
        self.code.call(Helper::VecAppend, Some(site));
        self.set_slot(capacity);
        self.set_slot(address);
        self.lengthen(length, count);
    }

    /// Calls a helper that may move the vector, with one operand of its own or none.
    fn grow(&mut self, target: &Operand, helper: Helper, operand: Option<Slot>, site: SiteId) {
        let [address, _, capacity, _] = target.words;
        self.push_all(target);
        if let Some(operand) = operand {
            self.push(operand);
        }
        self.code.call(helper, Some(site));
        self.set_slot(capacity);
        self.set_slot(address);
    }

    /// Adds to the length.
    fn lengthen(&mut self, length: Slot, by: Slot) {
        self.push_sum(length, by);
        self.set_slot(length);
    }

    /// Moves the word on the stack to a local.
    fn set_slot(&mut self, slot: Slot) {
        match slot {
            Slot::Local(index) => {
                self.code.ins().local_set(index);
            }
            // The words of a vector or of bytes that are changed are always in locals. Were one
            // not, the module would be invalid rather than wrong.
            Slot::Global(_) | Slot::Const(_) => {
                self.code.ins().unreachable();
            }
        }
    }
}
