//! `math.f64.…`: floats that programs carry as eight bytes, little endian.
//!
//! The operations that wasm has are instructions; the others would need a mathematical library
//! and are refused.

use super::function::{Checker, Value, block};
use super::operands::Want;
use super::{Unsupported, unsupported};
use crate::compiler::ir::{Expr, Op, Ty};
use crate::contract::json::tree::NodeId;

/// The error code of a number that no `i32` can hold.
const OUT_OF_RANGE: i32 = 1;

/// Operations that wasm does not have.
const UNSUPPORTED: [&str; 8] = ["pow", "atan2", "sin", "cos", "tan", "exp", "log", "ln"];

/// Operations on one or two floats.
static OPERATIONS: [(&str, Op, usize); 11] = [
    ("add", Op::F64Add, 2),
    ("sub", Op::F64Sub, 2),
    ("mul", Op::F64Mul, 2),
    ("div", Op::F64Div, 2),
    ("min", Op::F64Min, 2),
    ("max", Op::F64Max, 2),
    ("sqrt", Op::F64Sqrt, 1),
    ("neg", Op::F64Neg, 1),
    ("abs", Op::F64Abs, 1),
    ("floor", Op::F64Floor, 1),
    ("ceil", Op::F64Ceil, 1),
];

const V: Want = Want::Borrow { vec: false };

impl Checker<'_, '_> {
    /// `math.f64.…`; `None` for other heads, and for those that are functions of a module.
    pub(super) fn float_form(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Option<Value> {
        let name = head.strip_prefix("math.f64.")?.strip_suffix("_v1")?;
        if UNSUPPORTED.contains(&name) {
            self.report(node, unsupported(Unsupported::Builtin, head, "NativeLibrariesV1"));
            self.arguments(args);
            return Some(Value::poison());
        }
        if let Some(&(_, op, count)) = OPERATIONS.iter().find(|(known, ..)| *known == name) {
            return Some(self.on_floats(node, head, args, &vec![V; count], Ty::Bytes, |checker, operands| {
                let operands = operands.into_iter().map(|bytes| checker.float(bytes, node)).collect();
                let result = checker.op(op, operands, node);
                checker.op(Op::F64ToBytes, vec![result], node)
            }));
        }
        match name {
            "from_i32" => {
                Some(self.on_floats(node, head, args, &[Want::Value(Ty::I32)], Ty::Bytes, |checker, operands| {
                    let number = checker.op(Op::F64OfI32, operands, node);
                    checker.op(Op::F64ToBytes, vec![number], node)
                }))
            }
            // Floats are their own bits; what is no float is refused.
            "to_bits_u64le" => Some(self.on_floats(node, head, args, &[V], Ty::Bytes, |checker, operands| {
                let numbers = operands.into_iter().map(|bytes| checker.float(bytes, node)).collect();
                checker.op(Op::F64ToBytes, numbers, node)
            })),
            "to_i32_trunc" => Some(self.on_floats(node, head, args, &[V], Ty::ResultI32, |checker, mut operands| {
                let bytes = operands.pop().unwrap_or(Expr::I32(0));
                checker.truncated(bytes, node)
            })),
            _ => None,
        }
    }

    /// An operation on operands that was checked.
    fn on_floats(
        &mut self,
        node: NodeId,
        head: &str,
        args: &[NodeId],
        wants: &[Want],
        result: Ty,
        operation: impl FnOnce(&mut Self, Vec<Expr>) -> Expr,
    ) -> Value {
        if args.len() != wants.len() {
            self.wrong_count(node, head, wants.len(), args.len());
            self.arguments(args);
            return Value::new(Expr::I32(0), result);
        }
        let mut ready = self.operands(head, args, wants, false);
        let diverges = ready.diverges;
        let operands = std::mem::take(&mut ready.args);
        let expr = operation(self, operands);
        let expr = self.finish(ready, expr);
        Value { diverges, ..Value::new(expr, result) }
    }

    fn float(&mut self, bytes: Expr, node: NodeId) -> Expr {
        self.op(Op::F64FromBytes, vec![bytes], node)
    }

    /// The number toward zero, or an error when it does not fit.
    fn truncated(&mut self, bytes: Expr, node: NodeId) -> Expr {
        let (id, local) = self.hidden(Ty::F64, node);
        let number = self.float(bytes, node);
        let store = Expr::Store { local, value: Box::new(number), drop_old: false };
        let fits = self.op(Op::F64FitsI32, vec![Expr::Get(local)], node);
        let whole = self.op(Op::F64ToI32, vec![Expr::Get(local)], node);
        let ok = self.op(Op::ResultOk(Ty::ResultI32), vec![whole], node);
        let error = self.op(Op::ResultErr(Ty::ResultI32), vec![Expr::I32(OUT_OF_RANGE)], node);
        let choice =
            Expr::If { cond: Box::new(fits), then: Box::new(ok), otherwise: Box::new(error), ty: Ty::ResultI32 };
        self.end_hidden(id);
        block(vec![store], Some(choice), Vec::new())
    }
}
