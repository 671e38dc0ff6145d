//! Operations that give, check or drop brands.

use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::function::{Checker, Value, block};
use super::operands::Want;
use super::vars::Root;
use crate::compiler::ir::{Expr, FuncId, Local, Op, Ty};
use crate::compiler::module;
use crate::compiler::problem::Problem;
use crate::compiler::types::Brand;
use crate::contract::json::tree::NodeId;

impl Checker<'_, '_> {
    /// `std.brand.…` and the internal brand operations; `None` for other heads.
    pub(super) fn brand_form(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Option<Value> {
        let value = match head {
            "std.brand.cast_bytes_v1" => self.brand_cast(node, head, args, Ty::Bytes, Ty::ResultBytes),
            "std.brand.cast_view_v1" => self.brand_cast(node, head, args, Ty::View, Ty::ResultView),
            "std.brand.cast_view_copy_v1" => self.brand_cast(node, head, args, Ty::View, Ty::ResultBytes),
            // A view of a part never has a brand, so a brand says that the view is whole.
            "std.brand.to_bytes_preserve_if_full_v1" => self.branded_copy(node, head, args),
            "std.brand.assume_bytes_v1" => {
                let message = format!("{head} requires unsafe capability, which the world solve-pure does not give");
                let problem = Problem::error(Code::X07WorldUnsafe0002, Stage::Lint, message)
                    .with_note("let a validator check the bytes: `std.brand.cast_bytes_v1`");
                self.report(node, problem);
                Value::poison()
            }
            "__internal.brand.assume_view_v1" if self.is_standard() => self.assume_view(node, head, args),
            "__internal.brand.view_to_bytes_preserve_brand_v1" if self.is_standard() => {
                self.branded_copy(node, head, args)
            }
            "__internal.result_bytes.unwrap_ok_v1" if self.is_standard() => self.unwrap_ok(node, head, args),
            _ => return None,
        };
        Some(value)
    }

    /// The name that an operand is.
    fn symbol_argument(&mut self, node: NodeId, what: &str) -> Option<String> {
        let found = self.tree.string(node).filter(|text| module::is_symbol(text)).map(|text| text.into_owned());
        if found.is_none() {
            let message = format!("{what} is a plain name such as \"app.id_v1\"");
            self.report(node, Problem::error(Code::X07Ast0001, Stage::Lint, message));
        }
        found
    }

    /// `["std.brand.cast_…", brand, validator, value]`: the value with the brand if the validator
    /// accepts it, else the validator's error.
    fn brand_cast(&mut self, node: NodeId, head: &str, args: &[NodeId], from: Ty, to: Ty) -> Value {
        let &[brand, validator, operand] = args else {
            self.wrong_count(node, head, 3, args.len());
            return Value { brand: Brand::Any, ..Value::new(Expr::I32(0), to) };
        };
        let brand_name = self.symbol_argument(brand, "a brand");
        let function = self.symbol_argument(validator, "a validator").and_then(|name| self.validator(validator, &name));
        let mut ready = self.operands(head, &[operand], &[Want::Value(from)], false);
        let diverges = ready.diverges;
        let roots = ready.infos.first().map(|info| info.roots.clone()).unwrap_or_default();
        let value = ready.args.pop().unwrap_or(Expr::I32(0));
        let value = self.finish(ready, value);
        let (Some(brand_name), Some(function)) = (brand_name, function) else { return Value::poison() };

        let (value_id, local) = self.hidden(from, operand);
        let (outcome_id, outcome) = self.hidden(Ty::ResultI32, validator);
        let view = if from == Ty::View { Expr::Get(local) } else { Expr::ViewOf(local) };
        let site = self.site(node);
        let call = Expr::Call { func: function, args: vec![view], site };
        let body = vec![store(local, value), store(outcome, call)];
        let payload = match (from, to) {
            (Ty::Bytes, _) => Expr::Take(local),
            (_, Ty::ResultBytes) => self.op(Op::ViewToBytes, vec![Expr::Get(local)], node),
            _ => Expr::Get(local),
        };
        let code = self.op(Op::ResultErrCode(Ty::ResultI32), vec![Expr::Get(outcome)], node);
        let error = self.op(Op::ResultErr(to), vec![code], node);
        let choice = Expr::If {
            cond: Box::new(self.op(Op::ResultIsOk(Ty::ResultI32), vec![Expr::Get(outcome)], node)),
            then: Box::new(self.op(Op::ResultOk(to), vec![payload], node)),
            otherwise: Box::new(error),
            ty: to,
        };
        self.end_hidden(outcome_id);
        self.end_hidden(value_id);
        let cleanup = if from.is_owned() { vec![Expr::Drop(local)] } else { Vec::new() };
        let roots = if to == Ty::ResultView { roots } else { Vec::<Root>::new() };
        let expr = block(body, Some(choice), cleanup);
        Value { roots, diverges, brand: Brand::named(Some(&brand_name)), ..Value::new(expr, to) }
    }

    /// The function of this name, which checks bytes.
    fn validator(&mut self, node: NodeId, name: &str) -> Option<FuncId> {
        let id = self.cx.ids.get(name).copied();
        let signature = id.and_then(|id| self.cx.entries.get(id)).and_then(|entry| entry.signature.clone());
        let fits = signature.is_some_and(|signature| {
            signature.result == Ty::ResultI32
                && matches!(signature.params.as_slice(), [param] if param.ty == Ty::View && param.brand == Brand::None)
        });
        if !fits {
            let message = format!(
                "the validator `{}` must be a function of the program that takes one bytes_view and yields result_i32",
                module::shorten(name)
            );
            self.report(node, Problem::error(Code::X07TypeCall0002, Stage::Type, message).with_data("head", name));
            return None;
        }
        id.and_then(|id| u32::try_from(id).ok()).map(FuncId)
    }

    /// A copy of a view's bytes that keeps the brand.
    fn branded_copy(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Value {
        if args.len() != 1 {
            self.wrong_count(node, head, 1, args.len());
            self.arguments(args);
            return Value { brand: Brand::Any, ..Value::new(Expr::I32(0), Ty::Bytes) };
        }
        let mut ready = self.operands(head, args, &[Want::Value(Ty::View)], false);
        let diverges = ready.diverges;
        let brand = ready.infos.first().map_or(Brand::None, |info| info.brand.clone());
        let operands = std::mem::take(&mut ready.args);
        let expr = self.op(Op::ViewToBytes, operands, node);
        let expr = self.finish(ready, expr);
        Value { brand, diverges, ..Value::new(expr, Ty::Bytes) }
    }

    /// `["__internal.brand.assume_view_v1", brand, view]`.
    fn assume_view(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Value {
        let &[brand, view] = args else {
            self.wrong_count(node, head, 2, args.len());
            return Value::poison();
        };
        let brand = self.symbol_argument(brand, "a brand");
        let value = self.value(view);
        self.expect_operand(head, view, Ty::View, value.ty);
        Value { brand: Brand::named(brand.as_deref()), ..value }
    }

    /// `["__internal.result_bytes.unwrap_ok_v1", result]`: the bytes of a result that is ok.
    fn unwrap_ok(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Value {
        if args.len() != 1 {
            self.wrong_count(node, head, 1, args.len());
            return Value::poison();
        }
        let mut ready = self.operands(head, args, &[Want::Value(Ty::ResultBytes)], false);
        let diverges = ready.diverges;
        let brand = ready.infos.first().map_or(Brand::None, |info| info.brand.clone());
        let mut operands = std::mem::take(&mut ready.args);
        operands.push(self.op(Op::BytesEmpty, Vec::new(), node));
        let expr = self.op(Op::ResultUnwrapOr(Ty::ResultBytes), operands, node);
        let expr = self.finish(ready, expr);
        Value { brand, diverges, ..Value::new(expr, Ty::Bytes) }
    }
}

fn store(local: Local, value: Expr) -> Expr {
    Expr::Store { local, value: Box::new(value), drop_old: false }
}
