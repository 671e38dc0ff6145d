//! The operations of the run-time library as built-in operations.

use super::builtins::{Builtin, Keeps, Shape, keeping, plain};
use super::function::Checker;
use super::operands::{Info, Want};
use crate::compiler::ir::library::Element;
use crate::compiler::ir::{Expr, LibraryOp, Op, Ty};
use crate::contract::json::tree::NodeId;

/// What the heads of all of them begin with, up to the first point.
const FAMILIES: [&str; 8] =
    ["bufread", "iface", "io", "map_u32", "map_value", "scratch_u8_fixed_v1", "set_u32", "vec_value"];

/// The operation with this head.
pub(super) fn find(head: &str) -> Option<Builtin> {
    let (family, _) = head.split_once('.')?;
    if !FAMILIES.contains(&family) {
        return None;
    }
    TABLE.iter().find(|(name, _)| *name == head).map(|(_, builtin)| *builtin)
}

/// The heads of all of them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

impl Checker<'_, '_> {
    /// A reader over whatever bytes the operand is: `bytes` and vectors are moved into it.
    pub(super) fn open_reader(&mut self, infos: &[Info], mut operands: Vec<Expr>, node: NodeId) -> Expr {
        let op = match infos.first().map(|info| info.ty) {
            Some(Ty::Bytes) => LibraryOp::ReaderOpen,
            Some(Ty::Vec) => {
                operands = vec![self.op(Op::VecIntoBytes, operands, node)];
                LibraryOp::ReaderOpen
            }
            _ => LibraryOp::ReaderOpenView,
        };
        self.op(Op::Library(op), operands, node)
    }
}

const I: Want = Want::Value(Ty::I32);
const BYTES: Want = Want::Value(Ty::Bytes);
const VIEW: Want = Want::Value(Ty::View);
const IFACE: Want = Want::Value(Ty::Iface);
/// `bytes` or `bytes_view`, borrowed.
const V: Want = Want::Borrow { vec: false };

/// An operation that yields no view, or one of run-time storage, which stays.
const fn op(wants: &'static [Want], op: LibraryOp) -> Builtin {
    plain(wants, op.result(), Op::Library(op))
}

/// An operation that yields a view of run-time storage, or else its last operand.
const fn view(wants: &'static [Want], op: LibraryOp) -> Builtin {
    keeping(wants, op.result(), Op::Library(op), Keeps::Last)
}

/// The operation depends on what the operand is.
const READER_OPEN: Builtin =
    Builtin { wants: &[Want::Whole], result: Ty::Iface, shape: Shape::OpenReader, keeps: Keeps::Nothing };

static TABLE: &[(&str, Builtin)] = &[
    // --- maps and sets of numbers
    ("map_u32.new", op(&[I], LibraryOp::MapU32New)),
    ("map_u32.len", op(&[I], LibraryOp::MapU32Len)),
    ("map_u32.get", op(&[I, I, I], LibraryOp::MapU32Get)),
    ("map_u32.set", op(&[I, I, I], LibraryOp::MapU32Set)),
    ("map_u32.contains", op(&[I, I], LibraryOp::MapU32Contains)),
    ("map_u32.remove", op(&[I, I], LibraryOp::MapU32Remove)),
    ("map_u32.dump_kv_u32le_u32le", op(&[I], LibraryOp::MapU32Dump)),
    ("set_u32.new", op(&[I], LibraryOp::MapU32New)),
    ("set_u32.add", op(&[I, I], LibraryOp::SetU32Add)),
    ("set_u32.contains", op(&[I, I], LibraryOp::MapU32Contains)),
    ("set_u32.remove", op(&[I, I], LibraryOp::MapU32Remove)),
    ("set_u32.dump_u32le", op(&[I], LibraryOp::SetU32Dump)),
    // --- vectors of values
    ("vec_value.with_capacity_v1", op(&[I, I], LibraryOp::VecValueNew)),
    ("vec_value.len", op(&[I], LibraryOp::VecValueLen)),
    ("vec_value.reserve_exact", op(&[I, I], LibraryOp::VecValueReserve)),
    ("vec_value.pop", op(&[I], LibraryOp::VecValuePop)),
    ("vec_value.clear", op(&[I], LibraryOp::VecValueClear)),
    ("vec_value.push_i32_v1", op(&[I, I], LibraryOp::VecValuePush(Element::Number))),
    ("vec_value.get_i32_v1", op(&[I, I, I], LibraryOp::VecValueGet(Element::Number))),
    ("vec_value.set_i32_v1", op(&[I, I, I], LibraryOp::VecValueSet(Element::Number))),
    ("vec_value.push_bytes_v1", op(&[I, BYTES], LibraryOp::VecValuePush(Element::Bytes))),
    ("vec_value.get_bytes_v1", op(&[I, I, BYTES], LibraryOp::VecValueGet(Element::Bytes))),
    ("vec_value.set_bytes_v1", op(&[I, I, BYTES], LibraryOp::VecValueSet(Element::Bytes))),
    ("vec_value.push_bytes_view_v1", op(&[I, VIEW], LibraryOp::VecValuePush(Element::View))),
    ("vec_value.get_bytes_view_v1", view(&[I, I, VIEW], LibraryOp::VecValueGet(Element::View))),
    ("vec_value.set_bytes_view_v1", op(&[I, I, VIEW], LibraryOp::VecValueSet(Element::View))),
    // --- maps of values
    ("map_value.new_v1", op(&[I, I, I], LibraryOp::MapValueNew)),
    ("map_value.len", op(&[I], LibraryOp::MapValueLen)),
    ("map_value.clear", op(&[I], LibraryOp::MapValueClear)),
    ("map_value.contains_i32_v1", op(&[I, I], LibraryOp::MapValueContains(Element::Number))),
    ("map_value.remove_i32_v1", op(&[I, I], LibraryOp::MapValueRemove(Element::Number))),
    ("map_value.contains_bytes_v1", op(&[I, BYTES], LibraryOp::MapValueContains(Element::Bytes))),
    ("map_value.remove_bytes_v1", op(&[I, BYTES], LibraryOp::MapValueRemove(Element::Bytes))),
    ("map_value.contains_bytes_view_v1", op(&[I, VIEW], LibraryOp::MapValueContains(Element::View))),
    ("map_value.remove_bytes_view_v1", op(&[I, VIEW], LibraryOp::MapValueRemove(Element::View))),
    ("map_value.get_i32_i32_v1", op(&[I, I, I], LibraryOp::MapValueGet(Element::Number, Element::Number))),
    ("map_value.set_i32_i32_v1", op(&[I, I, I], LibraryOp::MapValueSet(Element::Number, Element::Number))),
    ("map_value.get_i32_bytes_v1", op(&[I, I, BYTES], LibraryOp::MapValueGet(Element::Number, Element::Bytes))),
    ("map_value.set_i32_bytes_v1", op(&[I, I, BYTES], LibraryOp::MapValueSet(Element::Number, Element::Bytes))),
    ("map_value.get_i32_bytes_view_v1", view(&[I, I, VIEW], LibraryOp::MapValueGet(Element::Number, Element::View))),
    ("map_value.set_i32_bytes_view_v1", op(&[I, I, VIEW], LibraryOp::MapValueSet(Element::Number, Element::View))),
    ("map_value.get_bytes_i32_v1", op(&[I, BYTES, I], LibraryOp::MapValueGet(Element::Bytes, Element::Number))),
    ("map_value.set_bytes_i32_v1", op(&[I, BYTES, I], LibraryOp::MapValueSet(Element::Bytes, Element::Number))),
    ("map_value.get_bytes_bytes_v1", op(&[I, BYTES, BYTES], LibraryOp::MapValueGet(Element::Bytes, Element::Bytes))),
    ("map_value.set_bytes_bytes_v1", op(&[I, BYTES, BYTES], LibraryOp::MapValueSet(Element::Bytes, Element::Bytes))),
    (
        "map_value.get_bytes_bytes_view_v1",
        view(&[I, BYTES, VIEW], LibraryOp::MapValueGet(Element::Bytes, Element::View)),
    ),
    ("map_value.set_bytes_bytes_view_v1", op(&[I, BYTES, VIEW], LibraryOp::MapValueSet(Element::Bytes, Element::View))),
    ("map_value.get_bytes_view_i32_v1", op(&[I, VIEW, I], LibraryOp::MapValueGet(Element::View, Element::Number))),
    ("map_value.set_bytes_view_i32_v1", op(&[I, VIEW, I], LibraryOp::MapValueSet(Element::View, Element::Number))),
    ("map_value.get_bytes_view_bytes_v1", op(&[I, VIEW, BYTES], LibraryOp::MapValueGet(Element::View, Element::Bytes))),
    ("map_value.set_bytes_view_bytes_v1", op(&[I, VIEW, BYTES], LibraryOp::MapValueSet(Element::View, Element::Bytes))),
    (
        "map_value.get_bytes_view_bytes_view_v1",
        view(&[I, VIEW, VIEW], LibraryOp::MapValueGet(Element::View, Element::View)),
    ),
    (
        "map_value.set_bytes_view_bytes_view_v1",
        op(&[I, VIEW, VIEW], LibraryOp::MapValueSet(Element::View, Element::View)),
    ),
    // --- scratch buffers
    ("scratch_u8_fixed_v1.new", op(&[I], LibraryOp::ScratchNew)),
    ("scratch_u8_fixed_v1.clear", op(&[I], LibraryOp::ScratchClear)),
    ("scratch_u8_fixed_v1.len", op(&[I], LibraryOp::ScratchLen)),
    ("scratch_u8_fixed_v1.cap", op(&[I], LibraryOp::ScratchCap)),
    ("scratch_u8_fixed_v1.as_view", op(&[I], LibraryOp::ScratchAsView)),
    ("scratch_u8_fixed_v1.try_write", op(&[I, V], LibraryOp::ScratchTryWrite)),
    ("scratch_u8_fixed_v1.drop", op(&[I], LibraryOp::ScratchDrop)),
    // --- readers
    ("io.open_read_bytes", READER_OPEN),
    ("io.read", op(&[IFACE, I], LibraryOp::ReaderRead)),
    ("iface.make_v1", op(&[I, I], LibraryOp::IfaceMake)),
    ("bufread.new", op(&[IFACE, I], LibraryOp::BufferedNew)),
    ("bufread.fill", op(&[I], LibraryOp::BufferedFill)),
    ("bufread.consume", op(&[I, I], LibraryOp::BufferedConsume)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_head_is_found() {
        for (name, builtin) in TABLE {
            assert_eq!(find(name).map(|found| found.shape), Some(builtin.shape), "{name}");
        }
        assert!(find("map_u32").is_none() && find("io.write").is_none());
    }

    #[test]
    fn operands_and_results_agree_with_the_operations() {
        for (name, builtin) in TABLE {
            let Shape::Plain(Op::Library(op)) = builtin.shape else {
                assert_eq!(builtin.shape, Shape::OpenReader, "{name}");
                continue;
            };
            let wants: Vec<Ty> = builtin.wants.iter().map(|want| want.ty()).collect();
            assert_eq!(wants, op.params(), "{name}");
            assert_eq!(builtin.result, op.result(), "{name}");
        }
    }

    #[test]
    fn a_default_view_keeps_what_it_points_into() {
        for (name, builtin) in TABLE {
            let has_default = name.contains(".get_") && builtin.result == Ty::View;
            assert_eq!(builtin.keeps, if has_default { Keeps::Last } else { Keeps::Nothing }, "{name}");
        }
    }
}
