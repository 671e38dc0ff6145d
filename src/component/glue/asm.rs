//! Writing wasm functions by hand so that they can be read.
//!
//! A [`Body`] is a list of instructions in their order; methods are named after what they do to the
//! operand stack. Without a suffix they work on `i32`, with `64` on `i64`. Loads and stores take the
//! constant offset and are aligned naturally. Branch depths count from the inside: 0 is the closest
//! enclosing block, loop or if.

use wasm_encoder::{BlockType, Function, Instruction, MemArg, ValType};

use crate::component::link::FunctionId;

/// The code of a function.
#[derive(Clone, Debug)]
pub struct Body {
    params: u32,
    locals: Vec<ValType>,
    code: Vec<Instruction<'static>>,
}

/// Methods that append one instruction without operands of its own.
macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident => $instruction:ident;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&mut self) -> &mut Self {
                self.push(Instruction::$instruction)
            }
        )*
    };
}

/// Methods that append a load or store with a constant offset.
macro_rules! memory {
    ($($(#[$doc:meta])* $name:ident => $instruction:ident, $align:literal;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&mut self, offset: u32) -> &mut Self {
                self.push(Instruction::$instruction(MemArg { offset: u64::from(offset), align: $align, memory_index: 0 }))
            }
        )*
    };
}

impl Body {
    /// A function with these parameters, which are its first locals.
    #[must_use]
    pub fn new(params: &[ValType]) -> Self {
        let count = u32::try_from(params.len()).unwrap_or(u32::MAX);
        Self { params: count, locals: Vec::new(), code: Vec::new() }
    }

    /// A new local, zero at the start, by its index.
    pub fn local(&mut self, ty: ValType) -> u32 {
        let index = self.params.saturating_add(u32::try_from(self.locals.len()).unwrap_or(u32::MAX));
        self.locals.push(ty);
        index
    }

    /// The finished function. What lies on the operand stack at the end is its result.
    #[must_use]
    pub fn finish(self) -> Function {
        let mut function = Function::new_with_locals_types(self.locals);
        for instruction in &self.code {
            function.instruction(instruction);
        }
        function.instruction(&Instruction::End);
        function
    }

    /// Pushes the value of a local.
    pub fn get(&mut self, local: u32) -> &mut Self {
        self.push(Instruction::LocalGet(local))
    }

    /// Pops a value into a local.
    pub fn set(&mut self, local: u32) -> &mut Self {
        self.push(Instruction::LocalSet(local))
    }

    /// Copies the top of the stack into a local.
    pub fn tee(&mut self, local: u32) -> &mut Self {
        self.push(Instruction::LocalTee(local))
    }

    /// Pushes the value of a global.
    pub fn global_get(&mut self, global: u32) -> &mut Self {
        self.push(Instruction::GlobalGet(global))
    }

    /// Pops a value into a global.
    pub fn global_set(&mut self, global: u32) -> &mut Self {
        self.push(Instruction::GlobalSet(global))
    }

    /// Pushes a constant.
    pub fn i32(&mut self, value: i32) -> &mut Self {
        self.push(Instruction::I32Const(value))
    }

    /// Pushes an unsigned constant, such as an address or a length.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.i32(value.cast_signed())
    }

    /// Pushes a 64-bit constant.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.push(Instruction::I64Const(value))
    }

    /// Calls a function.
    pub fn call(&mut self, function: FunctionId) -> &mut Self {
        self.push(Instruction::Call(function.0))
    }

    memory! {
        /// Loads 32 bits.
        load32 => I32Load, 2;
        /// Loads 64 bits.
        load64 => I64Load, 3;
        /// Loads a byte, extended with zeroes.
        load8_u => I32Load8U, 0;
        /// Loads two bytes, extended with zeroes.
        load16_u => I32Load16U, 1;
        /// Stores 32 bits.
        store32 => I32Store, 2;
        /// Stores 64 bits.
        store64 => I64Store, 3;
        /// Stores the lowest byte.
        store8 => I32Store8, 0;
        /// Stores the two lowest bytes.
        store16 => I32Store16, 1;
    }

    plain! {
        /// `a + b`, which wraps.
        add => I32Add;
        /// `a - b`, which wraps.
        sub => I32Sub;
        /// `a * b`, which wraps.
        mul => I32Mul;
        /// The bits that both have.
        and => I32And;
        /// The bits that either has.
        or => I32Or;
        /// The bits that one of both has.
        xor => I32Xor;
        /// `a << b`.
        shl => I32Shl;
        /// `a >> b` without sign.
        shr_u => I32ShrU;
        /// Whether the top is zero.
        eqz => I32Eqz;
        /// Whether both are equal.
        eq => I32Eq;
        /// Whether both differ.
        ne => I32Ne;
        /// `a < b` without sign.
        lt_u => I32LtU;
        /// `a <= b` without sign.
        le_u => I32LeU;
        /// `a > b` without sign.
        gt_u => I32GtU;
        /// `a >= b` without sign.
        ge_u => I32GeU;
        /// `a < b` with sign.
        lt_s => I32LtS;
        /// `a + b` in 64 bits, which wraps.
        add64 => I64Add;
        /// `a - b` in 64 bits, which wraps.
        sub64 => I64Sub;
        /// The bits that both have, in 64 bits.
        and64 => I64And;
        /// The bits that either has, in 64 bits.
        or64 => I64Or;
        /// `a << b` in 64 bits.
        shl64 => I64Shl;
        /// Whether both are equal, in 64 bits.
        eq64 => I64Eq;
        /// `a < b` in 64 bits without sign.
        lt_u64 => I64LtU;
        /// `a > b` in 64 bits without sign.
        gt_u64 => I64GtU;
        /// An `i32` as `i64`, extended with zeroes.
        extend_u => I64ExtendI32U;
        /// The low half of an `i64`.
        wrap => I32WrapI64;
        /// Pops a condition and two values, and pushes the first if it holds, else the second.
        select => Select;
        /// Pops a value.
        drop_ => Drop;
        /// Leaves the function with what is on the stack.
        ret => Return;
        /// Traps.
        unreachable => Unreachable;
    }

    /// Pushes the size of the memory in pages of 65536 bytes.
    pub fn memory_size(&mut self) -> &mut Self {
        self.push(Instruction::MemorySize(0))
    }

    /// Pops target, source and length, and copies as if through a buffer.
    pub fn memory_copy(&mut self) -> &mut Self {
        self.push(Instruction::MemoryCopy { src_mem: 0, dst_mem: 0 })
    }

    /// Pops target, byte and length, and fills.
    pub fn memory_fill(&mut self) -> &mut Self {
        self.push(Instruction::MemoryFill(0))
    }

    /// Code that branches can leave.
    pub fn block(&mut self, inner: impl FnOnce(&mut Self)) -> &mut Self {
        self.nested(Instruction::Block(BlockType::Empty), inner)
    }

    /// Code that branches start again. Without a branch it runs once.
    pub fn loop_(&mut self, inner: impl FnOnce(&mut Self)) -> &mut Self {
        self.nested(Instruction::Loop(BlockType::Empty), inner)
    }

    /// Pops a condition; code for when it is not zero.
    pub fn if_(&mut self, then: impl FnOnce(&mut Self)) -> &mut Self {
        self.nested(Instruction::If(BlockType::Empty), then)
    }

    /// Pops a condition; code for when it is not zero, and for when it is.
    pub fn if_else(&mut self, then: impl FnOnce(&mut Self), other: impl FnOnce(&mut Self)) -> &mut Self {
        self.choice(BlockType::Empty, then, other)
    }

    /// As [`Body::if_else`], where either leaves one value on the stack.
    pub fn if_else_value(
        &mut self,
        ty: ValType,
        then: impl FnOnce(&mut Self),
        other: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.choice(BlockType::Result(ty), then, other)
    }

    /// Branches to the block, loop or if that is `depth` levels out.
    pub fn br(&mut self, depth: u32) -> &mut Self {
        self.push(Instruction::Br(depth))
    }

    /// Pops a condition and branches if it is not zero.
    pub fn br_if(&mut self, depth: u32) -> &mut Self {
        self.push(Instruction::BrIf(depth))
    }

    fn choice(&mut self, ty: BlockType, then: impl FnOnce(&mut Self), other: impl FnOnce(&mut Self)) -> &mut Self {
        self.nested(Instruction::If(ty), |body| {
            then(body);
            body.push(Instruction::Else);
            other(body);
        })
    }

    fn nested(&mut self, start: Instruction<'static>, inner: impl FnOnce(&mut Self)) -> &mut Self {
        self.push(start);
        inner(self);
        self.push(Instruction::End)
    }

    fn push(&mut self, instruction: Instruction<'static>) -> &mut Self {
        self.code.push(instruction);
        self
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::component::link::Linker;

    /// A program that a function can be linked to.
    const HOST: &str = "(module
        (memory (export \"memory\") 1 1)
        (global (export \"__heap_base\") i32 (i32.const 16))
        (func (export \"x07_solve_v2\") (param i32 i32 i32 i32 i32)))";

    fn linked(params: &[ValType], results: &[ValType], body: Body) -> Vec<u8> {
        let mut linker = Linker::new(&[]);
        linker.add_program(&wat::parse_str(HOST).unwrap()).unwrap();
        let id = linker.declare("made", params, results);
        linker.define(id, body.finish());
        linker.export("made", id);
        linker.finish(0).unwrap()
    }

    #[test]
    fn locals_follow_the_parameters() {
        let mut body = Body::new(&[ValType::I32, ValType::I64]);
        assert_eq!(body.local(ValType::I32), 2);
        assert_eq!(body.local(ValType::I64), 3);
        body.get(1).tee(3).wrap().set(2).get(0).get(2).add();
        linked(&[ValType::I32, ValType::I64], &[ValType::I32], body);
    }

    #[test]
    fn blocks_nest_and_close() {
        // The number of bytes up to the first zero, or a trap at the end of a limit.
        let mut body = Body::new(&[ValType::I32, ValType::I32]);
        let at = body.local(ValType::I32);
        body.get(0).set(at);
        body.block(|b| {
            b.loop_(|b| {
                b.get(at).load8_u(0).eqz().br_if(1);
                b.get(at).get(1).ge_u().if_(|b| {
                    b.unreachable();
                });
                b.get(at).i32(1).add().set(at).br(0);
            });
        });
        body.get(at).get(0).sub();
        let wasm = linked(&[ValType::I32, ValType::I32], &[ValType::I32], body);
        assert!(wasm.ends_with(b"made"));
    }

    #[test]
    fn a_choice_may_leave_a_value() {
        let mut body = Body::new(&[ValType::I32]);
        body.get(0).if_else_value(
            ValType::I32,
            |b| {
                b.u32(u32::MAX);
            },
            |b| {
                b.memory_size();
            },
        );
        linked(&[ValType::I32], &[ValType::I32], body);
    }

    #[test]
    fn memory_operations_are_accepted_with_their_alignment() {
        let mut body = Body::new(&[ValType::I32]);
        body.get(0).get(0).load32(4).store32(8);
        body.get(0).get(0).load64(8).store64(16);
        body.get(0).get(0).load16_u(2).store16(4);
        body.get(0).get(0).load8_u(1).store8(3);
        body.get(0).i32(0).i32(8).memory_fill();
        body.get(0).i32(64).i32(8).memory_copy();
        linked(&[ValType::I32], &[], body);
    }
}
