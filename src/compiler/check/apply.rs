//! Lists that are no form: which head is what, and the built-in operations.

use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::builtins::{self, Builtin, Keeps, Shape};
use super::function::{Checker, Value};
use super::heads::{self, Refused};
use super::operands::{Info, Want};
use super::vars::{Root, Roots, VarId, union};
use crate::compiler::ir::{Expr, Op, Ty};
use crate::compiler::problem::Problem;
use crate::compiler::std_modules;
use crate::compiler::types::Brand;
use crate::contract::json::tree::{Kind, NodeId};

/// Most operands of one concatenation; nested ones up to this number become one.
const MOST_PARTS: usize = 16;

impl Checker<'_, '_> {
    /// A list whose head is not a form.
    pub(super) fn apply(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Value {
        if let Some(value) = self.record_form(node, head, args) {
            return value;
        }
        match head {
            "bytes.lit" => return self.bytes_literal(node, args),
            "bytes.view_lit" => return self.view_literal(node, args),
            "i32.lit" => return self.number_literal(node, args),
            "bytes.concat" => return self.concat(node, args),
            "bytes.view" | "std.brand.view_v1" => return self.whole_view(node, head, args, Ty::Bytes),
            "vec_u8.as_view" => return self.whole_view(node, head, args, Ty::Vec),
            "bytes.subview" => return self.part_view(node, head, args),
            "std.brand.erase_bytes_v1" => return self.erase_brand(node, head, args, Ty::Bytes),
            "std.brand.erase_view_v1" => return self.erase_brand(node, head, args, Ty::View),
            _ => {}
        }
        if let Some(function) = std_modules::function_of(head) {
            return match self.cx.index.functions.get(function) {
                Some(&target) => self.call_of(node, head, function, args, target),
                None => Value::poison(),
            };
        }
        if let Some(builtin) = builtins::find(head)
            && (self.is_standard() || !heads::is_internal(head))
        {
            return self.builtin(node, head, args, builtin);
        }
        if let Some(value) = self.generic_form(node, head, args) {
            return value;
        }
        if let Some(value) = self.brand_form(node, head, args) {
            return value;
        }
        if let Some(value) = self.float_form(node, head, args) {
            return value;
        }
        if let Some(value) = self.task_form(node, head, args) {
            return value;
        }
        if let Some(value) = self.budget_form(node, head, args) {
            return value;
        }
        if let Some(refused) = heads::reserved(head, self.is_standard()) {
            return self.refuse(node, args, refused);
        }
        if let Some(&target) = self.cx.index.functions.get(head) {
            return self.call(node, head, args, target);
        }
        if let Some(refused) = heads::family(head) {
            return self.refuse(node, args, refused);
        }
        self.unknown_head(node, head);
        self.arguments(args);
        Value::poison()
    }

    /// Whether the function belongs to a standard module.
    pub(super) fn is_standard(&self) -> bool {
        self.cx.loaded.modules.get(self.module).is_some_and(|module| std_modules::is_standard(&module.id))
    }

    pub(super) fn refuse(&mut self, node: NodeId, args: &[NodeId], refused: Refused) -> Value {
        self.report(node, refused.problem);
        if refused.plain_args {
            self.arguments(args);
        }
        Value::poison()
    }

    /// `["bytes.lit", text]`.
    fn bytes_literal(&mut self, node: NodeId, args: &[NodeId]) -> Value {
        match self.text_argument(node, "bytes.lit", args) {
            Some(text) => {
                let id = self.cx.literal(&text);
                let site = self.site(node);
                Value::new(Expr::BytesLit(id, site), Ty::Bytes)
            }
            None => Value::new(Expr::I32(0), Ty::Bytes),
        }
    }

    /// `["bytes.view_lit", text]`.
    fn view_literal(&mut self, node: NodeId, args: &[NodeId]) -> Value {
        match self.text_argument(node, "bytes.view_lit", args) {
            Some(text) => Value::new(Expr::ViewLit(self.cx.literal(&text)), Ty::View),
            None => Value::new(Expr::I32(0), Ty::View),
        }
    }

    fn text_argument(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Option<String> {
        let &[text] = args else {
            self.wrong_count(node, head, 1, args.len());
            return None;
        };
        let found = self.tree.string(text);
        if found.is_none() {
            let message = format!("`{head}` takes a text, not an expression");
            self.report(text, Problem::error(Code::X07TypeCall0002, Stage::Type, message).with_data("head", head));
        }
        found.map(|text| text.into_owned())
    }

    /// `["i32.lit", number]`.
    fn number_literal(&mut self, node: NodeId, args: &[NodeId]) -> Value {
        let number = match args {
            &[number] => match self.integer(number) {
                Some(value) => value,
                None => {
                    let message = "`i32.lit` takes a number, not an expression".to_owned();
                    self.report(number, Problem::error(Code::X07TypeCall0002, Stage::Type, message));
                    0
                }
            },
            _ => {
                self.wrong_count(node, "i32.lit", 1, args.len());
                0
            }
        };
        Value::new(Expr::I32(number), Ty::I32)
    }

    /// `["bytes.concat", a, b]`, with the concatenations among its operands.
    fn concat(&mut self, node: NodeId, args: &[NodeId]) -> Value {
        if args.len() != 2 {
            self.wrong_count(node, "bytes.concat", 2, args.len());
            self.arguments(args);
            return Value::new(Expr::I32(0), Ty::Bytes);
        }
        let parts = self.concat_parts(args);
        let wants = vec![Want::Part; parts.len()];
        let mut ready = self.operands("bytes.concat", &parts, &wants, false);
        let diverges = ready.diverges;
        let operands = std::mem::take(&mut ready.args);
        let expr = self.op(Op::BytesConcat, operands, node);
        let expr = self.finish(ready, expr);
        Value { diverges, ..Value::new(expr, Ty::Bytes) }
    }

    fn concat_parts(&self, args: &[NodeId]) -> Vec<NodeId> {
        let mut parts = args.to_vec();
        let mut at = 0;
        while parts.len() < MOST_PARTS
            && let Some(&part) = parts.get(at)
        {
            match self.split(part) {
                Some((head, inner)) if head == "bytes.concat" && inner.len() == 2 => {
                    drop(parts.splice(at..=at, inner));
                }
                _ => at += 1,
            }
        }
        parts
    }

    /// `["bytes.view", owner]` and its like: a view of all bytes of a variable.
    fn whole_view(&mut self, node: NodeId, head: &str, args: &[NodeId], owner: Ty) -> Value {
        let &[name] = args else {
            self.wrong_count(node, head, 1, args.len());
            self.arguments(args);
            return Value::new(Expr::I32(0), Ty::View);
        };
        self.owner_view(head, name, owner).unwrap_or_else(Value::poison)
    }

    /// `["bytes.subview", owner, start, length]`.
    fn part_view(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Value {
        let &[name, start, length] = args else {
            self.wrong_count(node, head, 3, args.len());
            self.arguments(args);
            return Value::new(Expr::I32(0), Ty::View);
        };
        let owner = self.owner_view(head, name, Ty::Bytes);
        let roots = owner.as_ref().map_or_else(Roots::new, |owner| owner.roots.clone());
        self.vars.hold(&roots);
        let number = Want::Value(Ty::I32);
        let mut ready = self.operands(head, &[start, length], &[number, number], false);
        self.vars.release(&roots);
        let diverges = ready.diverges;
        let Some(owner) = owner else {
            self.finish(ready, Expr::I32(0));
            return Value::poison();
        };
        let mut operands = vec![owner.expr];
        operands.append(&mut ready.args);
        let expr = self.op(Op::ViewSlice, operands, node);
        let expr = self.finish(ready, expr);
        Value { roots, diverges, ..Value::new(expr, Ty::View) }
    }

    /// A view of a variable of this owned type.
    fn owner_view(&mut self, head: &str, node: NodeId, owner: Ty) -> Option<Value> {
        if !self.is_identifier(node) {
            let message = format!("{head} requires an identifier owner (bind the value to a local with let first)");
            let problem = Problem::error(Code::X07Borrow0001, Stage::Lint, message)
                .with_note("a view may not outlive the value it points into, so that value needs a name");
            self.report(node, problem);
            self.arguments(&[node]);
            return None;
        }
        let id = self.variable_of(head, node, owner)?;
        if !self.usable(id, node) {
            return None;
        }
        let var = self.vars.get(id);
        let brand = if owner == Ty::Bytes { var.brand.clone() } else { Brand::None };
        let expr = Expr::ViewOf(var.local);
        Some(Value { brand, roots: vec![Root::Owner(id)], ..Value::new(expr, Ty::View) })
    }

    /// The variable of this type that a name means, for an operand that must be a variable.
    fn variable_of(&mut self, head: &str, node: NodeId, wanted: Ty) -> Option<VarId> {
        let name = self.tree.string(node)?;
        if name == "input" {
            self.wrong_operand(head, node, Want::Value(wanted), Ty::View);
            return None;
        }
        let id = self.variable(&name, node)?;
        let found = self.vars.get(id).ty;
        if found == wanted {
            return Some(id);
        }
        if found != Ty::Never {
            self.wrong_operand(head, node, Want::Value(wanted), found);
        }
        None
    }

    /// The same value without a brand.
    fn erase_brand(&mut self, node: NodeId, head: &str, args: &[NodeId], ty: Ty) -> Value {
        let &[operand] = args else {
            self.wrong_count(node, head, 1, args.len());
            self.arguments(args);
            return Value::new(Expr::I32(0), ty);
        };
        let value = self.value(operand);
        if value.ty == ty || value.ty == Ty::Never {
            return Value { brand: Brand::None, ..value };
        }
        self.expect_operand(head, operand, ty, value.ty);
        Value::poison()
    }

    /// A built-in operation on its operands.
    pub(super) fn builtin(&mut self, node: NodeId, head: &str, args: &[NodeId], builtin: Builtin) -> Value {
        if args.len() != builtin.wants.len() {
            if builtins::is_operator(head) {
                self.wrong_arity(node, Code::X07ArityBinop0001, head, &format!("[\"{head}\", A, B]"));
            } else {
                self.wrong_count(node, head, builtin.wants.len(), args.len());
            }
            self.arguments(args);
            return Value { brand: Brand::Any, ..Value::new(Expr::I32(0), builtin.result) };
        }
        self.check_comparison(node, head, args);
        if let Shape::InPlace(op) = builtin.shape
            && let Some((&first, rest)) = args.split_first()
            && self.is_identifier(first)
        {
            return self.in_place(node, head, first, rest, builtin, op);
        }
        let mut ready = self.operands(head, args, builtin.wants, false);
        let (brand, roots) = kept(builtin.keeps, &ready.infos);
        let diverges = ready.diverges;
        let operands = std::mem::take(&mut ready.args);
        let expr = match builtin.shape {
            Shape::Plain(op) | Shape::InPlace(op) => self.op(op, operands, node),
            Shape::SliceCopy => {
                let slice = self.op(Op::ViewSlice, operands, node);
                self.op(Op::ViewToBytes, vec![slice], node)
            }
            Shape::OpenReader => self.open_reader(&ready.infos, operands, node),
        };
        let expr = self.finish(ready, expr);
        Value { expr, ty: builtin.result, brand, roots, diverges }
    }

    /// An operation on the buffer of a variable, which the other operands may still read.
    fn in_place(&mut self, node: NodeId, head: &str, name: NodeId, rest: &[NodeId], builtin: Builtin, op: Op) -> Value {
        let (wanted, wants) = match builtin.wants.split_first() {
            Some((first, wants)) => (first.ty(), wants),
            None => return Value::poison(),
        };
        let target = self.variable_of(head, name, wanted);
        let mut ready = self.operands(head, rest, wants, false);
        let diverges = ready.diverges;
        let operands = std::mem::take(&mut ready.args);
        // Only now: the other operands may read the variable, but not keep a view of it.
        let taken = target.filter(|&id| self.take_out(id, name, head));
        let Some(id) = taken else {
            self.finish(ready, Expr::I32(0));
            return Value { diverges, ..Value::poison() };
        };
        let local = self.vars.get(id).local;
        let site = self.op_site(op, node);
        let expr = self.finish(ready, Expr::InPlace { op, local, args: operands, site });
        Value { diverges, ..Value::new(expr, builtin.result) }
    }

    /// An unsigned number is never below 0.
    fn check_comparison(&mut self, node: NodeId, head: &str, args: &[NodeId]) {
        let always = match head {
            "<u" => "false",
            ">=u" => "true",
            _ => return,
        };
        let zero =
            args.get(1).is_some_and(|&right| self.tree.kind(right) == Kind::Number && self.integer(right) == Some(0));
        if zero {
            let message = format!("semantic error: `{head}` with 0 is always {always} (unsigned comparison)");
            let problem = Problem::error(Code::X07cConstantComparison, Stage::Type, message)
                .with_note("compare with the signed `<` or `>=` to find negative numbers, or test before subtracting");
            self.report(node, problem);
        }
    }
}

/// What a result keeps of its operands.
fn kept(keeps: Keeps, infos: &[Info]) -> (Brand, Roots) {
    let first = infos.first();
    match keeps {
        Keeps::Nothing => (Brand::None, Roots::new()),
        Keeps::NoBytes => (Brand::Any, Roots::new()),
        Keeps::Source => (Brand::None, first.map_or_else(Roots::new, |info| info.roots.clone())),
        Keeps::First => first.map_or((Brand::None, Roots::new()), |info| (info.brand.clone(), info.roots.clone())),
        Keeps::All => infos.iter().fold((Brand::Any, Roots::new()), |(brand, roots), info| {
            (brand.join(&info.brand), union(&roots, &info.roots))
        }),
        Keeps::Last => (Brand::None, infos.last().map_or_else(Roots::new, |info| info.roots.clone())),
    }
}
