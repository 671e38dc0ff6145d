//! The forms with rules of their own: `begin`, `let`, `set`, `if`, `&&`, `||`, `return`, `try`,
//! `try_doc`. Loops are in `loops`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::json;
use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::exits::store;
use super::function::{Checker, Statement, Value, block, discard, is_nothing, nothing};
use super::tasks::converts;
use super::vars::{NewVar, Root, State, VarId, union};
use crate::compiler::ir::{Expr, Op, Ty};
use crate::compiler::module;
use crate::compiler::problem::{PatchOp, Problem};
use crate::compiler::types::{self, Brand};
use crate::contract::json::tree::{Kind, NodeId};

/// The states of variables that a branch changed, at its end.
type Ends = BTreeMap<VarId, State>;

/// A variable that was bound or assigned, with the code; or what is left of a broken form.
type Assigned = Result<(VarId, Statement), Statement>;

impl Checker<'_, '_> {
    /// A list in value position.
    pub(super) fn list(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Value {
        match head {
            "begin" => self.begin_value(node, args),
            "let" => self.let_value(node, args),
            "set" => self.set_value(node, args),
            "set0" => match self.assign(node, "set0", args) {
                Ok((_, store)) | Err(store) => Self::loop_value(store),
            },
            "if" => self.if_value(node, args),
            "for" => {
                let statement = self.for_loop(node, args);
                Self::loop_value(statement)
            }
            "while" => {
                let statement = self.while_loop(node, args);
                Self::loop_value(statement)
            }
            "return" => self.return_form(node, args),
            "try" => self.try_form(node, args),
            "try_doc" => self.try_doc(node, args),
            "&&" | "||" => self.logic(node, head, args),
            _ => self.apply(node, head, args),
        }
    }

    /// A list in statement position; `None` for those that are values thrown away.
    pub(super) fn form_statement(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Option<Statement> {
        match head {
            "begin" => Some(self.begin_statement(node, args)),
            "let" => Some(self.bind(node, args).map_or_else(|rest| rest, |(_, store)| store)),
            "set" | "set0" => Some(self.assign(node, head, args).map_or_else(|rest| rest, |(_, store)| store)),
            "if" => Some(self.if_statement(node, args)),
            "for" => Some(self.for_loop(node, args)),
            "while" => Some(self.while_loop(node, args)),
            "match" => Some(self.match_statement(node, args)),
            _ => None,
        }
    }

    /// Reports a form with a wrong number of arguments.
    pub(super) fn wrong_arity(&mut self, node: NodeId, code: Code, head: &str, form: &str) {
        let message = format!("`{head}` with a wrong number of arguments; write {form}");
        self.report(node, Problem::error(code, Stage::Lint, message).with_data("head", head));
    }

    /// Reports a name that its scope binds already.
    pub(super) fn duplicate_binding(&mut self, node: NodeId, name: &str) {
        let message = format!("`{}` is bound twice in one scope", module::shorten(name));
        let problem = Problem::error(Code::X07cDuplicateBinding, Stage::Type, message)
            .with_note("assign it with `set`, choose another name, or open an inner `begin`");
        self.report(node, problem);
    }

    /// Looks at the lists among the arguments of a broken form, for problems of their own.
    pub(super) fn arguments(&mut self, args: &[NodeId]) -> Statement {
        for &arg in args {
            if self.tree.kind(arg) == Kind::Array {
                let _ = self.statement(arg);
            }
        }
        Statement { expr: nothing(), diverges: false }
    }

    fn begin_value(&mut self, node: NodeId, args: &[NodeId]) -> Value {
        let Some((&last, before)) = args.split_last() else {
            self.wrong_arity(node, Code::X07ArityBegin0001, "begin", "[\"begin\", EXPR, …]");
            return Value::poison();
        };
        self.vars.open();
        let (body, diverges) = self.statements(before);
        let mut value = self.value(last);
        let cleanup = self.close_scope(node, Some(&mut value));
        let expr = block(body, Some(value.expr), cleanup);
        Value { expr, diverges: diverges || value.diverges, ..value }
    }

    fn begin_statement(&mut self, node: NodeId, args: &[NodeId]) -> Statement {
        if args.is_empty() {
            self.wrong_arity(node, Code::X07ArityBegin0001, "begin", "[\"begin\", EXPR, …]");
        }
        self.vars.open();
        let (body, diverges) = self.statements(args);
        let cleanup = self.close_scope(node, None);
        Statement { expr: block(body, None, cleanup), diverges }
    }

    fn statements(&mut self, nodes: &[NodeId]) -> (Vec<Expr>, bool) {
        let mut body = Vec::with_capacity(nodes.len());
        let mut diverges = false;
        for &node in nodes {
            let statement = self.statement(node);
            diverges |= statement.diverges;
            if !is_nothing(&statement.expr) {
                body.push(statement.expr);
            }
        }
        (body, diverges)
    }

    /// `["let", name, value]`.
    fn bind(&mut self, node: NodeId, args: &[NodeId]) -> Assigned {
        let &[name_node, init] = args else {
            self.wrong_arity(node, Code::X07ArityLet0001, "let", "[\"let\", NAME, VALUE]");
            return Err(self.arguments(args));
        };
        let Some(name) = self.tree.string(name_node) else {
            self.not_a_name(name_node, "let");
            return Err(self.statement(init));
        };
        self.check_scoped_let(init);
        let value = self.value(init);
        if self.vars.is_declared_here(&name) {
            self.duplicate_binding(name_node, &name);
        }
        let local = self.slots.take(if value.ty == Ty::Never { Ty::I32 } else { value.ty });
        let var = NewVar { name: Some(Rc::from(&*name)), ty: value.ty, brand: value.brand, local, declared: node };
        let id = self.vars.declare(var, value.roots, self.loops.len());
        if value.ty == Ty::Slot {
            let scopes = self.open_task_scopes();
            self.slot_scopes.insert(id, scopes);
        }
        let expr = Expr::Store { local, value: Box::new(value.expr), drop_old: false };
        Ok((id, Statement { expr, diverges: value.diverges }))
    }

    fn let_value(&mut self, node: NodeId, args: &[NodeId]) -> Value {
        let Ok((id, store)) = self.bind(node, args) else { return Value::poison() };
        if self.vars.get(id).ty.is_owned() {
            let name = self.name_of(id);
            let message = format!(
                "`let` cannot yield a value of the owned type `{}`; bind {name} as a statement, then use it",
                types::name(self.vars.get(id).ty)
            );
            self.report(node, Problem::error(Code::X07cLetOwnedValue, Stage::Type, message));
            return Value::poison();
        }
        self.stored_value(id, store)
    }

    /// The value of a variable right after it was assigned.
    fn stored_value(&mut self, id: VarId, store: Statement) -> Value {
        let var = self.vars.get(id);
        if var.ty == Ty::Never {
            return Value::poison();
        }
        Value {
            expr: block(vec![store.expr], Some(Expr::Get(var.local)), Vec::new()),
            ty: var.ty,
            brand: var.brand.clone(),
            roots: var.state().roots.clone(),
            diverges: store.diverges,
        }
    }

    fn not_a_name(&mut self, node: NodeId, head: &str) {
        let message = format!("the first argument of `{head}` is the name of a variable");
        self.report(node, Problem::error(Code::X07Ast0001, Stage::Lint, message));
    }

    /// `["set", name, value]` and `["set0", name, value]`.
    fn assign(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Assigned {
        let &[name_node, new] = args else {
            self.wrong_arity(node, Code::X07Arity0000, head, &format!("[\"{head}\", NAME, VALUE]"));
            return Err(self.arguments(args));
        };
        let Some(name) = self.tree.string(name_node) else {
            self.not_a_name(name_node, head);
            return Err(self.statement(new));
        };
        let before = self.vars.lookup(&name).map(|id| (id, self.vars.get(id).state().moved));
        let value = self.value(new);
        let Some(id) = self.vars.lookup(&name) else {
            self.unknown_target(name_node, head, &name);
            return Err(Statement { diverges: value.diverges, expr: discard(value) });
        };
        self.check_assigned(id, node, head, &value);
        let var = self.vars.get(id);
        let (local, owned) = (var.local, var.ty.is_owned());
        // In a loop, a variable from outside that is gone in this round may have a value in the next,
        // unless it is the new value that took the old one.
        let taken = before != Some((id, var.state().moved));
        let empty = var.is_gone() && (taken || var.loops == self.loops.len());
        if owned {
            self.replaced(id, node);
        }
        self.vars.set_state(id, State { roots: value.roots, ..State::default() });
        let expr = Expr::Store { local, value: Box::new(value.expr), drop_old: owned && !empty };
        Ok((id, Statement { expr, diverges: value.diverges }))
    }

    fn unknown_target(&mut self, node: NodeId, head: &str, name: &str) {
        let message = format!("`{head}` of the unknown variable `{}`", module::shorten(name));
        let mut problem = Problem::error(Code::X07TypeSet0001, Stage::Type, message).with_data("name", name);
        if name == "input" {
            problem = problem.with_note("`input` is the program's input and cannot be assigned");
        } else {
            problem =
                problem.with_note(format!("bind it first, in this or an enclosing `begin`: [\"let\", \"{name}\", …]"));
        }
        self.report(node, problem);
    }

    /// Checks type, brand and borrows of an assignment.
    fn check_assigned(&mut self, id: VarId, node: NodeId, head: &str, value: &Value) {
        let var = self.vars.get(id);
        let (ty, brand) = (var.ty, var.brand.clone());
        if ty == Ty::Never || value.ty == Ty::Never {
            return;
        }
        if value.ty != ty && !converts(ty, value.ty) {
            let name = self.name_of(id);
            let message =
                format!("{name} has the type `{}`, the new value is `{}`", types::name(ty), types::name(value.ty));
            self.mismatch(node, message);
            return;
        }
        if brand == Brand::Any {
            self.vars.set_brand(id, value.brand.clone());
        } else if !brand.accepts(&value.brand) {
            let name = self.name_of(id);
            let message = format!(
                "E_BRAND_MISMATCH: {name} is {}, the new value is {}",
                brand.describe(ty),
                value.brand.describe(ty)
            );
            self.report(node, Problem::error(Code::EBrandMismatch, Stage::Type, message));
        }
        if ty.is_owned() {
            self.unborrowed(id, node, head);
        }
    }

    fn set_value(&mut self, node: NodeId, args: &[NodeId]) -> Value {
        let Ok((id, store)) = self.assign(node, "set", args) else { return Value::poison() };
        let var = self.vars.get(id);
        if var.ty.is_owned() {
            let name = var.name.clone().unwrap_or_else(|| Rc::from(""));
            let message = format!(
                "`set` cannot yield a value of the owned type `{}`; use [\"begin\", [\"set\", …], \"{name}\"]",
                types::name(var.ty)
            );
            let mut problem = Problem::error(Code::X07cSetOwnedValue, Stage::Type, message);
            if !store.diverges {
                let value = json!(["begin", self.tree.to_value(node), &*name]);
                let patch = vec![PatchOp::Replace { path: self.tree.pointer(node), value }];
                problem = problem.with_fix("yield the variable after the assignment", patch);
            }
            self.report(node, problem);
            return Value::poison();
        }
        self.stored_value(id, store)
    }

    fn if_parts(&mut self, node: NodeId, args: &[NodeId]) -> Option<(Value, NodeId, NodeId)> {
        let &[cond, then, otherwise] = args else {
            self.wrong_arity(node, Code::X07ArityIf0001, "if", "[\"if\", CONDITION, THEN, ELSE]");
            self.arguments(args);
            return None;
        };
        let value = self.value(cond);
        self.expect_i32(&value, cond, "the condition of `if`");
        Some((value, then, otherwise))
    }

    fn if_value(&mut self, node: NodeId, args: &[NodeId]) -> Value {
        let Some((cond, then, otherwise)) = self.if_parts(node, args) else { return Value::poison() };
        let (a, a_ends) = self.branch_value(then);
        let (b, b_ends) = self.branch_value(otherwise);
        self.merge(node, (&a_ends, a.diverges), (&b_ends, b.diverges));
        let ty = match (a.ty, b.ty) {
            (Ty::Never, ty) | (ty, Ty::Never) => ty,
            (x, y) if x == y => x,
            (x, y) => {
                self.branches_differ(node, x, y);
                Ty::Never
            }
        };
        if !(a.diverges || b.diverges) {
            self.single_source(node, &a.roots, &b.roots);
        }
        let brand = match (a.ty, b.ty) {
            (Ty::Never, _) => b.brand,
            (_, Ty::Never) => a.brand,
            _ => a.brand.join(&b.brand),
        };
        let roots = if ty == Ty::Never { Vec::new() } else { union(&a.roots, &b.roots) };
        let diverges = cond.diverges || (a.diverges && b.diverges);
        let expr = Expr::If { cond: Box::new(cond.expr), then: Box::new(a.expr), otherwise: Box::new(b.expr), ty };
        Value { expr, ty, brand, roots, diverges }
    }

    fn branches_differ(&mut self, node: NodeId, then: Ty, otherwise: Ty) {
        let message = format!(
            "the branches of `if` must have the same type, found `{}` and `{}`",
            types::name(then),
            types::name(otherwise)
        );
        let problem = Problem::error(Code::X07TypeUnify0001, Stage::Type, message)
            .with_data("then", types::name(then))
            .with_data("else", types::name(otherwise))
            .with_note("when the value is not wanted, assign with [\"set0\", NAME, VALUE], which yields the i32 0, or end the branch with 0");
        self.report(node, problem);
    }

    fn if_statement(&mut self, node: NodeId, args: &[NodeId]) -> Statement {
        let Some((cond, then, otherwise)) = self.if_parts(node, args) else {
            return Statement { expr: nothing(), diverges: false };
        };
        let (a, a_ends) = self.branch_statement(then);
        let (b, b_ends) = self.branch_statement(otherwise);
        self.merge(node, (&a_ends, a.diverges), (&b_ends, b.diverges));
        let expr =
            Expr::If { cond: Box::new(cond.expr), then: Box::new(a.expr), otherwise: Box::new(b.expr), ty: Ty::Unit };
        Statement { expr, diverges: cond.diverges || (a.diverges && b.diverges) }
    }

    /// A value that may not be computed; variables are as before afterwards.
    fn branch_value(&mut self, node: NodeId) -> (Value, Ends) {
        let mark = self.vars.mark();
        let value = self.scoped_value(node);
        (value, self.vars.rollback(mark))
    }

    /// A statement that may not run; variables are as before afterwards.
    fn branch_statement(&mut self, node: NodeId) -> (Statement, Ends) {
        let mark = self.vars.mark();
        let statement = self.scoped_statement(node);
        (statement, self.vars.rollback(mark))
    }

    /// Joins the states at the ends of two branches; a branch that left the function has none.
    fn merge(&mut self, node: NodeId, a: (&Ends, bool), b: (&Ends, bool)) {
        let ((a, a_left), (b, b_left)) = (a, b);
        if a_left && b_left {
            return;
        }
        let changed: BTreeSet<VarId> = a.keys().chain(b.keys()).copied().collect();
        for id in changed {
            let before = self.vars.get(id).state();
            let (x, y) = (a.get(&id).unwrap_or(before), b.get(&id).unwrap_or(before));
            let (state, sources) = match (a_left, b_left) {
                (true, _) => (y.clone(), None),
                (_, true) => (x.clone(), None),
                _ => (x.join(y), Some((x.roots.clone(), y.roots.clone()))),
            };
            if let Some((x, y)) = sources {
                self.single_source(node, &x, &y);
            }
            self.vars.set_state(id, state);
        }
    }

    /// A view may point into one owner, whichever branch it comes from.
    pub(super) fn single_source(&mut self, node: NodeId, a: &[Root], b: &[Root]) {
        let owners = |roots: &[Root]| -> Vec<VarId> {
            roots
                .iter()
                .filter_map(|root| match root {
                    Root::Owner(id) => Some(*id),
                    Root::Param(_) | Root::Carried(..) => None,
                })
                .collect()
        };
        let (a, b) = (owners(a), owners(b));
        if a.is_empty() || b.is_empty() || a == b {
            return;
        }
        let names: Vec<String> = a.iter().chain(&b).map(|&id| self.name_of(id)).collect();
        let message = format!("a view must have a single borrow source across branches, found {}", names.join(" and "));
        let problem = Problem::error(Code::X07cBorrowSourceConflict, Stage::Type, message)
            .with_note("copy the bytes in both branches with `view.to_bytes` and bind the result");
        self.report(node, problem);
    }

    /// `["&&", a, b]` and `["||", a, b]`: the second operand is evaluated only if needed.
    fn logic(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Value {
        let &[a, b] = args else {
            self.wrong_arity(node, Code::X07ArityBinop0001, head, &format!("[\"{head}\", A, B]"));
            self.arguments(args);
            return Value::new(Expr::I32(0), Ty::I32);
        };
        let left = self.value(a);
        self.expect_operand(head, a, Ty::I32, left.ty);
        let (right, ends) = self.branch_value(b);
        self.expect_operand(head, b, Ty::I32, right.ty);
        self.merge(node, (&BTreeMap::new(), false), (&ends, right.diverges));
        let right = if right.ty == Ty::I32 { self.truth(right.expr, b) } else { right.expr };
        let (then, otherwise) = if head == "&&" { (right, Expr::I32(0)) } else { (Expr::I32(1), right) };
        let expr =
            Expr::If { cond: Box::new(left.expr), then: Box::new(then), otherwise: Box::new(otherwise), ty: Ty::I32 };
        Value { diverges: left.diverges, ..Value::new(expr, Ty::I32) }
    }

    /// 1 for every number but 0.
    fn truth(&mut self, expr: Expr, node: NodeId) -> Expr {
        match expr {
            Expr::I32(number) => Expr::I32(i32::from(number != 0)),
            expr if is_boolean(&expr) => expr,
            expr if self.suspends(node) => Expr::If {
                cond: Box::new(expr),
                then: Box::new(Expr::I32(1)),
                otherwise: Box::new(Expr::I32(0)),
                ty: Ty::I32,
            },
            expr => self.op(Op::Ne, vec![expr, Expr::I32(0)], node),
        }
    }

    /// `["return", value]`.
    fn return_form(&mut self, node: NodeId, args: &[NodeId]) -> Value {
        let &[operand] = args else {
            self.wrong_arity(node, Code::X07ArityReturn0001, "return", "[\"return\", VALUE]");
            self.arguments(args);
            return Value::poison();
        };
        let mark = self.vars.mark();
        let mut value = self.value(operand);
        self.result_value(&mut value, operand, Code::X07TypeRet0001);
        let expr = self.leave(value.expr, node);
        // Nothing that follows sees what the operand moved.
        self.vars.rollback(mark);
        Value { diverges: true, ..Value::new(expr, Ty::Never) }
    }

    /// `["try", result]`.
    fn try_form(&mut self, node: NodeId, args: &[NodeId]) -> Value {
        let &[operand] = args else {
            self.wrong_arity(node, Code::X07Arity0000, "try", "[\"try\", RESULT]");
            self.arguments(args);
            return Value::poison();
        };
        let value = self.value(operand);
        if value.ty == Ty::Never {
            return value;
        }
        if !matches!(value.ty, Ty::ResultI32 | Ty::ResultBytes | Ty::ResultView) {
            let message = format!(
                "`try` unwraps result_i32, result_bytes or result_bytes_view, found `{}`",
                types::name(value.ty)
            );
            self.mismatch(operand, message);
            return Value::poison();
        }
        if !types::is_result(self.result) {
            let message = format!(
                "`try` returns the error from the function, which must yield a result; `{}` yields `{}`",
                self.symbol,
                types::name(self.result)
            );
            let payload = types::name(value.ty.payload());
            let problem = Problem::error(Code::X07TypeUnify0001, Stage::Type, message).with_note(format!(
                "test it with `{0}.is_ok`, or take a default with `{0}.unwrap_or`, to get `{payload}`",
                types::name(value.ty)
            ));
            self.report(node, problem);
        }
        let ty = value.ty.payload();
        let expr = self.unwrap_or_leave(value.expr, value.ty, node);
        Value { expr, ty, brand: value.brand, roots: value.roots, diverges: value.diverges }
    }

    /// The payload of a result; an error leaves the function.
    fn unwrap_or_leave(&mut self, value: Expr, ty: Ty, node: NodeId) -> Expr {
        if self.scopes.is_empty() && !self.has_exit_checks() {
            let cleanup = self.exit_cleanup();
            return Expr::Try { value: Box::new(value), ty, cleanup };
        }
        let local = self.slots.take(ty);
        let code = self.op(Op::ResultErrCode(ty), vec![Expr::Get(local)], node);
        let error = self.op(Op::ResultErr(self.result), vec![code], node);
        let leaving = self.leave(error, node);
        let test = Expr::If {
            cond: Box::new(self.op(Op::ResultIsOk(ty), vec![Expr::Get(local)], node)),
            then: Box::new(nothing()),
            otherwise: Box::new(leaving),
            ty: Ty::Unit,
        };
        let result = self.stored(local);
        self.slots.give_back(local);
        // This one never fails.
        let payload = Expr::Try { value: Box::new(result), ty, cleanup: Vec::new() };
        block(vec![store(local, value), test], Some(payload), Vec::new())
    }

    /// `["try_doc", document]`: the payload of an ok document, or the function returns the document.
    fn try_doc(&mut self, node: NodeId, args: &[NodeId]) -> Value {
        let &[operand] = args else {
            self.wrong_arity(node, Code::X07Arity0000, "try_doc", "[\"try_doc\", DOCUMENT]");
            self.arguments(args);
            return Value::poison();
        };
        let value = self.value(operand);
        if value.ty == Ty::Never {
            return value;
        }
        if !matches!(value.ty, Ty::Bytes | Ty::View) {
            let message = format!("`try_doc` takes `bytes` or `bytes_view`, found `{}`", types::name(value.ty));
            self.report(operand, Problem::error(Code::X07TypeTrydoc0001, Stage::Type, message));
            return Value::poison();
        }
        if self.result != Ty::Bytes {
            let message = format!(
                "`try_doc` returns an error document from the function, which must yield `bytes`; `{}` yields `{}`",
                self.symbol,
                types::name(self.result)
            );
            self.report(node, Problem::error(Code::X07TypeTrydoc0001, Stage::Type, message));
        }
        let (ty, diverges) = (value.ty, value.diverges);
        // Not a variable yet: the exit below frees it itself, by returning it.
        let local = self.slots.take(ty);
        let view = || Expr::ViewOf(local);
        let returned = match ty {
            Ty::Bytes => Expr::Take(local),
            _ => self.op(Op::ViewToBytes, vec![view()], node),
        };
        let leaving = self.leave(returned, node);
        let test = Expr::If {
            cond: Box::new(self.op(Op::DocIsErr, vec![view()], node)),
            then: Box::new(leaving),
            otherwise: Box::new(nothing()),
            ty: Ty::Unit,
        };
        let length = self.op(Op::ViewLen, vec![view()], node);
        let rest = self.op(Op::Sub, vec![length, Expr::I32(1)], node);
        let payload = self.op(Op::ViewSlice, vec![view(), Expr::I32(1), rest], node);
        let copy = self.op(Op::ViewToBytes, vec![payload], node);
        let store = Expr::Store { local, value: Box::new(value.expr), drop_old: false };
        let cleanup = if ty.is_owned() { vec![Expr::Drop(local)] } else { Vec::new() };
        self.slots.give_back(local);
        Value { diverges, ..Value::new(block(vec![store, test], Some(copy), cleanup), Ty::Bytes) }
    }
}

/// Whether an expression yields nothing but 0 and 1.
fn is_boolean(expr: &Expr) -> bool {
    match expr {
        Expr::I32(number) => matches!(number, 0 | 1),
        Expr::Op { op, .. } => matches!(
            op,
            Op::Eq
                | Op::Ne
                | Op::LtS
                | Op::LeS
                | Op::GtS
                | Op::GeS
                | Op::LtU
                | Op::LeU
                | Op::GtU
                | Op::GeU
                | Op::ViewEq
                | Op::OptionIsSome(_)
                | Op::ResultIsOk(_)
        ),
        _ => false,
    }
}
