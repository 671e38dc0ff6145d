//! Operations of the run-time library: their operands' words go to a function of the library.

use crate::compiler::ir::library::Element;
use crate::compiler::ir::{Expr, LibraryOp, SiteId, Ty};
use crate::compiler::runtime::map_value::VALUE_SHIFT;
use crate::compiler::runtime::{Helper, elements, reader};

use super::function::{Emitter, Flow};

/// The kind by which the run-time library knows elements.
const fn kind(element: Element) -> i32 {
    match element {
        Element::Number => elements::NUMBER,
        Element::Bytes => elements::BYTES,
        Element::View => elements::VIEW,
    }
}

/// The kinds of a map's keys and values in one word.
const fn kinds(key: Element, value: Element) -> i32 {
    kind(key) | (kind(value) << VALUE_SHIFT)
}

/// Bytes of a number in a dump.
const NUMBER_BYTES: i32 = 4;

/// The function of an operation, and the word that it takes behind those of the operands, if any.
/// The one operation without a function yields its operands' words.
const fn function(op: LibraryOp) -> Option<(Helper, Option<i32>)> {
    let function = match op {
        LibraryOp::MapU32New => (Helper::MapU32New, None),
        LibraryOp::MapU32Len => (Helper::MapU32Length, None),
        LibraryOp::MapU32Get => (Helper::MapU32Get, None),
        LibraryOp::MapU32Set => (Helper::MapU32Set, None),
        LibraryOp::MapU32Contains => (Helper::MapU32Contains, None),
        LibraryOp::MapU32Remove => (Helper::MapU32Remove, None),
        // A set is a map to a number that nobody reads.
        LibraryOp::SetU32Add => (Helper::MapU32Set, Some(1)),
        LibraryOp::MapU32Dump => (Helper::MapU32Dump, Some(2 * NUMBER_BYTES)),
        LibraryOp::SetU32Dump => (Helper::MapU32Dump, Some(NUMBER_BYTES)),
        LibraryOp::VecValueNew => (Helper::VecValueNew, None),
        LibraryOp::VecValueLen => (Helper::VecValueLength, None),
        LibraryOp::VecValueReserve => (Helper::VecValueReserve, None),
        LibraryOp::VecValuePush(Element::Number) => (Helper::VecValuePushNumber, None),
        LibraryOp::VecValuePush(element) => (Helper::VecValuePushBytes, Some(kind(element))),
        LibraryOp::VecValueGet(Element::Number) => (Helper::VecValueGetNumber, None),
        LibraryOp::VecValueGet(element) => (Helper::VecValueGetBytes, Some(kind(element))),
        LibraryOp::VecValueSet(Element::Number) => (Helper::VecValueSetNumber, None),
        LibraryOp::VecValueSet(element) => (Helper::VecValueSetBytes, Some(kind(element))),
        LibraryOp::VecValuePop => (Helper::VecValuePop, None),
        LibraryOp::VecValueClear => (Helper::VecValueClear, None),
        LibraryOp::MapValueNew => (Helper::MapValueNew, None),
        LibraryOp::MapValueLen => (Helper::MapValueLength, None),
        LibraryOp::MapValueClear => (Helper::MapValueClear, None),
        LibraryOp::MapValueContains(key) => (Helper::MapValueContains, Some(kind(key))),
        LibraryOp::MapValueRemove(key) => (Helper::MapValueRemove, Some(kind(key))),
        LibraryOp::MapValueGet(key, value) => (Helper::MapValueGet, Some(kinds(key, value))),
        LibraryOp::MapValueSet(key, value) => (Helper::MapValueSet, Some(kinds(key, value))),
        LibraryOp::ScratchNew => (Helper::ScratchNew, None),
        LibraryOp::ScratchClear => (Helper::ScratchClear, None),
        LibraryOp::ScratchLen => (Helper::ScratchLength, None),
        LibraryOp::ScratchCap => (Helper::ScratchCapacity, None),
        LibraryOp::ScratchAsView => (Helper::ScratchView, None),
        LibraryOp::ScratchTryWrite => (Helper::ScratchWrite, None),
        LibraryOp::ScratchDrop => (Helper::ScratchDrop, None),
        LibraryOp::IfaceMake => return None,
        LibraryOp::ReaderOpen => (Helper::ReaderOpen, None),
        LibraryOp::ReaderOpenView => (Helper::ReaderOpenView, None),
        LibraryOp::ReaderRead => (Helper::ReaderRead, None),
        LibraryOp::BufferedNew => (Helper::BufferedNew, None),
        LibraryOp::BufferedFill => (Helper::BufferedFill, None),
        LibraryOp::BufferedConsume => (Helper::BufferedConsume, None),
    };
    Some(function)
}

/// Whether keys and values of the operation take two words each, numbers too.
const fn is_widened(op: LibraryOp) -> bool {
    matches!(
        op,
        LibraryOp::MapValueContains(_)
            | LibraryOp::MapValueRemove(_)
            | LibraryOp::MapValueGet(..)
            | LibraryOp::MapValueSet(..)
    )
}

impl Emitter<'_> {
    /// Calls the function of an operation.
    pub(super) fn library_op(&mut self, op: LibraryOp, args: &[Expr], site: SiteId) -> Flow<()> {
        self.library_operands(op, args)?;
        let Some((helper, constant)) = function(op) else { return Ok(()) };
        if let Some(constant) = constant {
            self.code.ins().i32_const(constant);
        }
        self.code.call(helper, Some(site));
        match op {
            LibraryOp::MapValueGet(_, Element::Number) => {
                self.code.ins().drop();
            }
            LibraryOp::ReaderOpen | LibraryOp::ReaderOpenView => {
                self.code.ins().i32_const(reader::BYTES_READER);
            }
            _ => {}
        }
        Ok(())
    }

    /// Pushes the words of the operands.
    fn library_operands(&mut self, op: LibraryOp, args: &[Expr]) -> Flow<()> {
        let params = op.params();
        if params.len() != args.len() {
            return self.malformed(format!("{op:?} has {} operands instead of {}", args.len(), params.len()));
        }
        // An owned value does not wait on the stack: an operand behind it might leave the function.
        let owned = params.iter().position(|ty| ty.is_owned());
        let spilled = if owned.is_some_and(|first| first + 1 < params.len()) { params.len() } else { 0 };
        let mut operands = Vec::with_capacity(spilled);
        for (index, (ty, arg)) in params.iter().zip(args).enumerate().take(spilled) {
            operands.push(self.consumed(*ty, arg, &args[index + 1..])?);
        }
        for (index, (ty, arg)) in params.iter().zip(args).enumerate() {
            match operands.get(index) {
                Some(operand) => self.push_all(operand),
                None if ty.is_owned() && matches!(arg, Expr::Get(_)) => {
                    return self.malformed("an operation consumes a variable that is only read");
                }
                None => self.value_of(*ty, arg)?,
            }
            if index > 0 && *ty == Ty::I32 && is_widened(op) {
                self.code.ins().i32_const(0);
            }
        }
        Ok(())
    }
}
