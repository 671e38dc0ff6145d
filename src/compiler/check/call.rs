//! Calls of functions.

use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::function::{Checker, Value};
use super::operands::{Info, Operands, Want};
use super::vars::{Roots, union};
use super::{Param, Signature, builtins, heads};
use crate::compiler::ir::{Expr, FuncId, Op, Ty};
use crate::compiler::module;
use crate::compiler::problem::{PatchOp, Problem};
use crate::compiler::resolve::{self, FunctionRef};
use crate::compiler::std_modules;
use crate::contract::json::tree::NodeId;

impl Checker<'_, '_> {
    /// A list whose head is a function of the program.
    pub(super) fn call(&mut self, node: NodeId, head: &str, args: &[NodeId], target: FunctionRef) -> Value {
        if !self.is_visible(node, head, target) {
            self.arguments(args);
            return Value::poison();
        }
        self.call_of(node, head, head, args, target)
    }

    /// A call of the function with this symbol, which may be used here and which messages call
    /// `head`.
    pub(super) fn call_of(
        &mut self,
        node: NodeId,
        head: &str,
        symbol: &str,
        args: &[NodeId],
        target: FunctionRef,
    ) -> Value {
        let entry = self.cx.ids.get(symbol).copied();
        let signature = entry.and_then(|id| self.cx.entries.get(id)).and_then(|entry| entry.signature.clone());
        let (Some(id), Some(signature)) = (entry, signature) else {
            self.not_callable(node, symbol, target);
            self.arguments(args);
            return Value::poison();
        };
        if args.len() != signature.params.len() {
            self.wrong_count(node, head, signature.params.len(), args.len());
            self.arguments(args);
            if signature.is_task {
                return Value::poison();
            }
            return Value { brand: signature.brand.clone(), ..Value::new(Expr::I32(0), signature.result) };
        }
        let wants: Vec<Want> = signature.params.iter().map(want_of).collect();
        let keep = signature.result.is_borrowed();
        let mut ready = self.operands(head, args, &wants, keep);
        for (info, param) in ready.infos.iter().zip(&signature.params) {
            self.check_brand(head, info, param);
        }
        if signature.is_task {
            return self.start_task(node, head, id, &signature, ready);
        }
        let roots = if keep { self.result_roots(node, head, id, &ready.infos) } else { Some(Roots::new()) };
        let site = self.site(node);
        let diverges = ready.diverges;
        let func = FuncId(u32::try_from(id).unwrap_or(u32::MAX));
        let expr = Expr::Call { func, args: std::mem::take(&mut ready.args), site };
        let expr = self.finish(ready, expr);
        match roots {
            Some(roots) => {
                Value { roots, brand: signature.brand.clone(), diverges, ..Value::new(expr, signature.result) }
            }
            None => Value::poison(),
        }
    }

    /// A call of an async function: the arguments go to a new task. Views among them are copied, for
    /// the task may live longer than what they point into.
    fn start_task(&mut self, node: NodeId, head: &str, id: usize, signature: &Signature, mut ready: Operands) -> Value {
        for (info, param) in ready.infos.iter().zip(&signature.params) {
            if matches!(param.ty, Ty::OptionView | Ty::ResultView) && !info.roots.is_empty() {
                let message = format!(
                    "drop while borrowed: the task of `{}` may live longer than what the view points into",
                    module::shorten(head)
                );
                let problem = Problem::error(Code::X07cDropWhileBorrowed, Stage::Type, message)
                    .with_note("pass `bytes`, or a plain `bytes_view`, which the task gets a copy of");
                self.report(info.node, problem);
            }
        }
        let mut args = Vec::with_capacity(ready.args.len());
        for (arg, param) in std::mem::take(&mut ready.args).into_iter().zip(&signature.params) {
            args.push(if param.ty == Ty::View { self.op(Op::ViewToBytes, vec![arg], node) } else { arg });
        }
        let ty = if signature.result == Ty::Bytes { Ty::TaskBytes } else { Ty::TaskResult };
        let site = self.site(node);
        let diverges = ready.diverges;
        let func = FuncId(u32::try_from(id).unwrap_or(u32::MAX));
        let expr = self.finish(ready, Expr::Spawn { func, args, site });
        Value { diverges, ..Value::new(expr, ty) }
    }

    /// What a returned view points into: what the arguments do that the callee returns parts of.
    fn result_roots(&mut self, node: NodeId, head: &str, id: usize, infos: &[Info]) -> Option<Roots> {
        let Some(params) = self.cx.returned_views(id) else {
            let message = format!(
                "`{}` returns a view and calls itself to get it, so what the view borrows from cannot be inferred",
                module::shorten(head)
            );
            let problem = Problem::error(Code::X07cViewSourceUnknown, Stage::Type, message)
                .with_note("use a loop, or return `bytes`, or return start and length as numbers");
            self.report(node, problem);
            return None;
        };
        let mut roots = Roots::new();
        for param in params {
            if let Some(info) = infos.get(param as usize) {
                roots = union(&roots, &info.roots);
            }
        }
        Some(roots)
    }

    fn check_brand(&mut self, head: &str, info: &Info, param: &Param) {
        if info.ty == Ty::Never || param.brand.accepts(&info.brand) {
            return;
        }
        let message = format!(
            "E_BRAND_MISMATCH: argument {} of `{}` must be {}, found {}",
            self.argument_number(info.node),
            module::shorten(head),
            param.brand.describe(param.ty),
            info.brand.describe(info.ty)
        );
        self.report(info.node, Problem::error(Code::EBrandMismatch, Stage::Type, message));
    }

    /// Reports a wrong number of arguments.
    pub(super) fn wrong_count(&mut self, node: NodeId, head: &str, wanted: usize, found: usize) {
        let message = format!("`{}` takes {wanted} arguments, found {found}", module::shorten(head));
        let problem = Problem::error(Code::X07TypeCall0003, Stage::Type, message)
            .with_data("head", head)
            .with_data("expected", wanted)
            .with_data("found", found);
        self.report(node, problem);
    }

    /// Whether this module may call a function: it imports the function's module, which exports it.
    pub(super) fn is_visible(&mut self, node: NodeId, head: &str, target: FunctionRef) -> bool {
        if target.module == self.module {
            return true;
        }
        let loaded = self.cx.loaded;
        let (Some(here), Some(there)) = (loaded.modules.get(self.module), loaded.modules.get(target.module)) else {
            return false;
        };
        if !here.imports.iter().any(|import| import.id == there.id) {
            let message = format!(
                "`{}` belongs to the module `{}`, which this file does not import",
                module::shorten(head),
                there.id
            );
            let patch = vec![PatchOp::Add { path: "/imports/-".to_owned(), value: there.id.as_str().into() }];
            let problem = Problem::error(Code::X07cNotImported, Stage::Type, message)
                .with_data("module", there.id.as_str())
                .with_fix("import the module", patch);
            self.report(node, problem);
            return false;
        }
        if !there.exports.contains(head) {
            let message = format!("`{}` is not exported by its module `{}`", module::shorten(head), there.id);
            let problem = Problem::error(Code::X07cNotExported, Stage::Type, message)
                .with_data("module", there.id.as_str())
                .with_note(format!("exported are: {}", list(there.exports.iter().map(String::as_str))));
            self.report(node, problem);
            return false;
        }
        true
    }

    /// A function without a usable signature. The reason was reported where it is declared, but for
    /// generic functions that are called by their own name, for which it is the call.
    fn not_callable(&mut self, node: NodeId, symbol: &str, target: FunctionRef) {
        let Some(decl) = self.cx.decl(target) else { return };
        let head = decl.name.as_str();
        if decl.is_generic() && symbol == head {
            let message = format!("the generic function `{}` is called without type arguments", module::shorten(head));
            let problem = Problem::error(Code::X07Ty0108, Stage::Type, message)
                .with_note(format!("write [\"tapp\", \"{}\", [\"tys\", TYPE, …], …]", module::shorten(head)));
            self.report(node, problem);
        }
    }

    /// Reports a head that nothing defines, unless it belongs to a module that could not be loaded.
    pub(super) fn unknown_head(&mut self, node: NodeId, head: &str) {
        self.unknown_function(node, head, Code::X07TypeCall0001);
    }

    /// Reports a name in the place of a function that nothing defines, unless it belongs to a module
    /// that could not be loaded.
    pub(super) fn unknown_function(&mut self, node: NodeId, head: &str, code: Code) {
        let prefix = head.rsplit_once('.').map(|(prefix, _)| prefix);
        let loaded = self.cx.loaded;
        let here = loaded.modules.get(self.module);
        if let (Some(prefix), Some(here)) = (prefix, here) {
            let imported = here.imports.iter().any(|import| import.id == prefix);
            if imported && loaded.missing.contains(prefix) {
                if std_modules::is_standard(prefix) {
                    self.report(node, resolve::unavailable(prefix).with_data("head", head));
                }
                return;
            }
        }
        let message = format!("unknown function or operation `{}`", module::shorten(head));
        let mut problem = Problem::error(code, Stage::Type, message).with_data("head", head);
        if let Some(near) = self.near_head(head) {
            problem = problem.with_note(format!("did you mean `{near}`?"));
        }
        if let (Some(prefix), Some(here)) = (prefix, here) {
            if prefix == here.id {
                problem = problem.with_note("this module does not define it");
            } else if here.imports.iter().any(|import| import.id == prefix) {
                problem = problem.with_note(format!("the module `{prefix}` is imported but does not define it"));
            } else if std_modules::is_standard(prefix) {
                let patch = vec![PatchOp::Add { path: "/imports/-".to_owned(), value: prefix.into() }];
                problem = problem
                    .with_note(format!("`{prefix}` is a standard module; add it to `imports`"))
                    .with_fix("import the module", patch);
            } else if !builtins::names().any(|name| name.starts_with(prefix)) {
                problem = problem.with_note(format!("if it belongs to a module `{prefix}`, add that to `imports`"));
            }
        }
        self.report(node, problem);
    }

    fn near_head(&mut self, head: &str) -> Option<String> {
        if !self.cx.may_suggest() {
            return None;
        }
        let mut candidates: Vec<&str> = builtins::names().collect();
        candidates.extend(self.cx.index.functions.keys().map(String::as_str));
        heads::nearest(head, candidates.into_iter())
    }
}

/// What an argument for a parameter must be.
fn want_of(param: &Param) -> Want {
    match param.ty {
        Ty::View => Want::Borrow { vec: true },
        ty => Want::Value(ty),
    }
}

/// Some names for a message.
fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const MOST: usize = 12;
    let names: Vec<&str> = names.collect();
    let shown: Vec<String> = names.iter().take(MOST).map(|name| format!("`{}`", module::shorten(name))).collect();
    let more = if names.len() > MOST { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}
