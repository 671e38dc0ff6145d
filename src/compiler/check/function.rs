//! The check of one function: reading variables, scopes, results, reporting. The forms and
//! operations are in the other files of this folder, as further methods of [`Checker`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::contracts::Contract;
use super::exits::OpenScope;
use super::heads;
use super::loops::LoopFrame;
use super::vars::{NewVar, Root, Roots, Slots, VarId, Vars};
use super::{Context, Signature};
use crate::compiler::generic::Bindings;
use crate::compiler::ir::{Expr, Function, FunctionKind, Local, Op, SiteId, Ty};
use crate::compiler::module;
use crate::compiler::problem::Problem;
use crate::compiler::resolve::{Facts, Reach};
use crate::compiler::types::{self, Brand};
use crate::contract::json::tree::{Kind, NodeId, Tree};

/// Stack that must be left before a nested expression is looked at, and how much is added then.
const RED_ZONE: usize = 128 * 1024;
const STACK: usize = 4 * 1024 * 1024;

/// What an expression turned into.
pub(super) struct Value {
    /// The code.
    pub(super) expr: Expr,
    /// Its type; [`Ty::Never`] also for expressions with a problem, so that they fit everywhere.
    pub(super) ty: Ty,
    /// The brand of the value.
    pub(super) brand: Brand,
    /// What the value points into, if it is a view.
    pub(super) roots: Roots,
    /// Whether the expression certainly leaves the function.
    pub(super) diverges: bool,
}

impl Value {
    /// A value of this type without brand and roots.
    pub(super) fn new(expr: Expr, ty: Ty) -> Self {
        Self { expr, ty, brand: Brand::None, roots: Roots::new(), diverges: false }
    }

    /// Stands for an expression whose problem was reported.
    pub(super) fn poison() -> Self {
        Self::new(Expr::I32(0), Ty::Never)
    }
}

/// What an expression in statement position turned into.
pub(super) struct Statement {
    /// The code; yields nothing.
    pub(super) expr: Expr,
    /// Whether it certainly leaves the function.
    pub(super) diverges: bool,
}

/// The check of one function.
pub(super) struct Checker<'c, 'a> {
    pub(super) cx: &'c mut Context<'a>,
    /// The function's number.
    pub(super) id: usize,
    /// What its type parameters stand for.
    pub(super) types: Bindings<'a>,
    /// The module's number.
    pub(super) module: usize,
    pub(super) tree: &'a Tree<'a>,
    pub(super) facts: &'a Facts,
    /// How messages name the function.
    pub(super) symbol: &'a str,
    pub(super) body: NodeId,
    pub(super) result: Ty,
    pub(super) result_brand: Brand,
    pub(super) vars: Vars,
    pub(super) slots: Slots,
    /// Open loops, the innermost last.
    pub(super) loops: Vec<LoopFrame>,
    /// How many loops were entered so far.
    pub(super) loops_so_far: u32,
    /// The parameters that a returned view may point into.
    pub(super) views: BTreeSet<u32>,
    /// Open scopes that do something when the function is left through them, the innermost last.
    pub(super) scopes: Vec<OpenScope>,
    pub(super) contract: Contract<'a>,
    /// For each variable that holds a slot, how many task scopes were open where it was bound.
    pub(super) slot_scopes: BTreeMap<VarId, usize>,
    /// Whether the function is the body of a task.
    pub(super) is_task: bool,
    /// Whether operations that wait may stand in it.
    pub(super) may_wait: bool,
    /// The site of operations that cannot trap.
    quiet: SiteId,
}

/// The check of a function, before anything was looked at; with its signature.
fn start<'c, 'a>(cx: &'c mut Context<'a>, id: usize) -> Option<(Checker<'c, 'a>, Rc<Signature>)> {
    let entry = cx.entries.get(id)?;
    let (name, owner, types) = (entry.name, entry.owner, entry.types);
    let signature = Rc::clone(entry.signature.as_ref()?);
    let module = owner.map_or(0, |owner| owner.module);
    let body = match owner {
        Some(owner) => cx.decl(owner)?.body?,
        None => cx.loaded.modules.first()?.solve?,
    };
    let trees: &'a [Tree<'a>] = cx.trees;
    let reach: &'a Reach = cx.reach;
    let tree = trees.get(module)?;
    let facts = reach.facts.get(module)?;
    let quiet = cx.site(module, body);
    let decl = owner.and_then(|owner| cx.decl(owner));
    let checker = Checker {
        cx,
        id,
        types,
        module,
        tree,
        facts,
        symbol: name,
        body,
        result: signature.result,
        result_brand: signature.brand.clone(),
        vars: Vars::default(),
        slots: Slots::default(),
        loops: Vec::new(),
        loops_so_far: 0,
        views: BTreeSet::new(),
        scopes: Vec::new(),
        contract: Contract::of(decl),
        slot_scopes: BTreeMap::new(),
        is_task: signature.is_task,
        may_wait: signature.is_task || owner.is_none(),
        quiet,
    };
    Some((checker, signature))
}

/// Checks what a function requires, ensures and keeps, but not what it does.
pub(super) fn check_contract(cx: &mut Context<'_>, id: usize) {
    let Some((mut checker, signature)) = start(cx, id) else { return };
    checker.vars.open();
    checker.parameters(&signature);
    checker.contract.params = checker.vars.count();
    checker.entry_checks();
    let result = checker.slots.take(signature.result);
    checker.exit_checks(result);
}

/// Checks a function; yields it with the parameters that a returned view may point into.
pub(super) fn check(cx: &mut Context<'_>, id: usize) -> Option<(Function, Vec<u32>)> {
    let (symbol, owner) = cx.entries.get(id).map(|entry| (entry.symbol, entry.owner))?;
    let module = owner.map_or(0, |owner| owner.module);
    let (mut checker, signature) = start(cx, id)?;
    let (body, quiet) = (checker.body, checker.quiet);
    checker.vars.open();
    let prelude = checker.parameters(&signature);
    checker.contract.params = checker.vars.count();
    let entry_checks = checker.entry_checks();
    let mut value = checker.value(body);
    // The entry's own type error has the code that a mismatch in any other place has.
    let code = if owner.is_none() { Code::X07TypeUnify0001 } else { Code::X07TypeRet0001 };
    checker.result_value(&mut value, body, code);
    let mut value = checker.with_contract(entry_checks, value);
    let cleanup = checker.close_scope(body, Some(&mut value));
    checker.check_views();
    checker.check_locals();
    let expr = block(prelude, Some(value.expr), cleanup);
    let function = Function {
        symbol: symbol.to_owned(),
        module: checker.cx.module_ids.get(&module).copied().unwrap_or(0),
        site: quiet,
        kind: if signature.is_task { FunctionKind::Async } else { FunctionKind::Plain },
        params: u32::try_from(signature.params.len()).unwrap_or(u32::MAX),
        result: signature.result,
        locals: checker.slots.types().to_vec(),
        body: expr,
    };
    Some((function, checker.views.into_iter().collect()))
}

impl<'a> Checker<'_, 'a> {
    /// Declares the parameters; yields what runs before the body.
    ///
    /// A task may outlive what a view points into, so it gets bytes of its own for the view to point
    /// into.
    fn parameters(&mut self, signature: &Signature) -> Vec<Expr> {
        let copied = |ty: Ty| signature.is_task && ty == Ty::View;
        let locals: Vec<Local> = signature
            .params
            .iter()
            .map(|param| self.slots.take(if copied(param.ty) { Ty::Bytes } else { param.ty }))
            .collect();
        let mut prelude = Vec::new();
        for ((number, param), local) in (0..).zip(&signature.params).zip(locals) {
            let (local, roots) = if copied(param.ty) {
                let (brand, declared) = (param.brand.clone(), param.node);
                let owner = NewVar { name: None, ty: Ty::Bytes, brand, local, declared };
                let owner = self.vars.declare(owner, Roots::new(), 0);
                let view = self.slots.take(Ty::View);
                prelude.push(Expr::Store { local: view, value: Box::new(Expr::ViewOf(local)), drop_old: false });
                (view, vec![Root::Owner(owner)])
            } else if param.ty.is_borrowed() {
                (local, vec![Root::Param(number)])
            } else {
                (local, Roots::new())
            };
            let var = NewVar {
                name: Some(Rc::clone(&param.name)),
                ty: param.ty,
                brand: param.brand.clone(),
                local,
                declared: param.node,
            };
            self.vars.declare(var, roots, 0);
        }
        prelude
    }

    /// An expression in value position.
    pub(super) fn value(&mut self, node: NodeId) -> Value {
        stacker::maybe_grow(RED_ZONE, STACK, || match self.tree.kind(node) {
            Kind::Number => match self.integer(node) {
                Some(number) => Value::new(Expr::I32(number), Ty::I32),
                None => Value::poison(),
            },
            Kind::String => self.identifier(node),
            Kind::Array => match self.split(node) {
                Some((head, args)) => self.list(node, &head, &args),
                None => Value::poison(),
            },
            // Refused when the file was read.
            Kind::Null | Kind::Bool(_) | Kind::Object => Value::poison(),
        })
    }

    /// An expression whose value is not wanted.
    pub(super) fn statement(&mut self, node: NodeId) -> Statement {
        stacker::maybe_grow(RED_ZONE, STACK, || {
            if let Some((head, args)) = self.split(node)
                && let Some(statement) = self.form_statement(node, &head, &args)
            {
                return statement;
            }
            let value = self.value(node);
            Statement { diverges: value.diverges, expr: discard(value) }
        })
    }

    /// A statement in a scope of its own.
    pub(super) fn scoped_statement(&mut self, node: NodeId) -> Statement {
        self.vars.open();
        let statement = self.statement(node);
        let cleanup = self.close_scope(node, None);
        if cleanup.is_empty() {
            return statement;
        }
        Statement { expr: block(vec![statement.expr], None, cleanup), diverges: statement.diverges }
    }

    /// A value in a scope of its own.
    pub(super) fn scoped_value(&mut self, node: NodeId) -> Value {
        self.vars.open();
        let mut value = self.value(node);
        let cleanup = self.close_scope(node, Some(&mut value));
        Value { expr: block(Vec::new(), Some(value.expr), cleanup), ..value }
    }

    /// The head and the arguments of a list.
    pub(super) fn split(&self, node: NodeId) -> Option<(Cow<'a, str>, Vec<NodeId>)> {
        let tree = self.tree;
        if tree.kind(node) != Kind::Array {
            return None;
        }
        let mut children = tree.children(node);
        let head = tree.string(children.next()?)?;
        Some((head, children.collect()))
    }

    /// The value of a number node, or of `["i32.lit", number]`.
    pub(super) fn integer(&self, node: NodeId) -> Option<i32> {
        let number = match self.split(node) {
            Some((head, args)) if head == "i32.lit" && args.len() == 1 => args.first().copied()?,
            _ => node,
        };
        self.tree.number(number).and_then(module::integer)
    }

    /// Whether a node is a plain name.
    pub(super) fn is_identifier(&self, node: NodeId) -> bool {
        self.tree.kind(node) == Kind::String
    }

    /// A name in value position: reads the variable, and moves its value if the type is owned.
    fn identifier(&mut self, node: NodeId) -> Value {
        let name = self.tree.string(node).unwrap_or_default();
        if name == "input" {
            return Value::new(Expr::Input, Ty::View);
        }
        let Some(id) = self.variable(&name, node) else { return Value::poison() };
        let var = self.vars.get(id);
        let (ty, local, brand) = (var.ty, var.local, var.brand.clone());
        let roots = var.state().roots.clone();
        if ty == Ty::Never {
            return Value::poison();
        }
        if ty == Ty::Slot {
            self.check_slot_scope(id, node);
        }
        if !ty.is_owned() {
            for stale in self.vars.get(id).state().stale.clone() {
                self.used_stale(stale);
            }
            return Value { roots, brand, ..Value::new(Expr::Get(local), ty) };
        }
        if self.contract.in_clause {
            if !self.usable(id, node) {
                return Value::poison();
            }
            return Value { brand, ..self.read_in_clause(node, ty, local) };
        }
        if !self.take_out(id, node, "move") {
            return Value::poison();
        }
        Value { brand, ..Value::new(Expr::Take(local), ty) }
    }

    /// The variable that a name means; reports a name that means none.
    pub(super) fn variable(&mut self, name: &str, node: NodeId) -> Option<VarId> {
        let found = self.vars.lookup(name);
        if found.is_none() {
            let message = format!("there is no variable `{}` here", module::shorten(name));
            let mut problem = Problem::error(Code::X07Type0001, Stage::Type, message).with_data("name", name);
            if let Some(near) = self.near_variable(name) {
                problem = problem.with_note(format!("did you mean `{near}`?"));
            } else if self.cx.ids.contains_key(name) || self.cx.index.functions.contains_key(name) {
                problem = problem.with_note(format!("a function is called in a list: [\"{name}\", …]"));
            }
            problem = problem.with_note(
                "variables are parameters, `input`, and what `let` or `for` bound in this or an enclosing `begin`",
            );
            self.report(node, problem);
        }
        found
    }

    fn near_variable(&mut self, name: &str) -> Option<String> {
        if !self.cx.may_suggest() {
            return None;
        }
        let names = self.vars.live_names();
        heads::nearest(name, names.iter().map(|name| &**name).chain(["input"]))
    }

    /// Reports a variable whose value is gone; whether it is usable.
    pub(super) fn usable(&mut self, id: VarId, node: NodeId) -> bool {
        let var = self.vars.get(id);
        let Some(moved) = var.state().moved else { return true };
        let name = self.name_of(id);
        let pointer = self.tree.pointer(moved.at);
        let twice = self.tree.parent(moved.at).is_some_and(|list| {
            self.tree.parent(node) == Some(list) && self.split(list).is_some_and(|(head, _)| head == "bytes.concat")
        });
        let problem = if twice {
            let message = format!("use after move: `bytes.concat` consumes {name} twice");
            Problem::error(Code::X07Move0001, Stage::Lint, message)
        } else {
            let message = format!("use after move: the value of {name} was moved at {pointer}");
            Problem::error(Code::X07Move0901, Stage::Type, message)
        };
        let problem = problem.with_data("moved_ptr", pointer).with_note(
            "copy the bytes before the move (`view.to_bytes` of a `bytes.view`), or assign the variable again with `set`",
        );
        self.report(node, problem);
        false
    }

    /// Reports a variable into which a view points; whether there is none.
    pub(super) fn unborrowed(&mut self, id: VarId, node: NodeId, what: &str) -> bool {
        if !self.vars.get(id).is_borrowed() {
            return true;
        }
        let name = self.name_of(id);
        let mut problem =
            Problem::error(Code::X07Move0902, Stage::Type, format!("{what} while borrowed: a view points into {name}"));
        let by = self.vars.borrower(id).map(|view| (view.name.clone(), view.declared));
        if let Some((Some(view), declared)) = by {
            let pointer = self.tree.pointer(declared);
            problem = problem
                .with_data("borrowed_by", &*view)
                .with_note(format!("the view `{view}` is declared at {pointer} and lives to the end of its `begin`"))
                .with_note(
                    "put the view and its uses into an inner `begin`, or copy what it shows with `view.to_bytes`",
                )
                .with_data("borrowed_ptr", pointer);
        }
        self.report(node, problem);
        false
    }

    /// Moves the value out of a variable; reports when that is not possible.
    pub(super) fn take_out(&mut self, id: VarId, node: NodeId, what: &str) -> bool {
        if !self.usable(id, node) || !self.unborrowed(id, node, what) {
            return false;
        }
        self.vars.set_moved(id, node);
        self.replaced(id, node);
        true
    }

    /// How messages name a variable.
    pub(super) fn name_of(&self, id: VarId) -> String {
        match &self.vars.get(id).name {
            Some(name) => format!("`{}`", module::shorten(name)),
            None => "a temporary value".to_owned(),
        }
    }

    /// Declares a temporary of the innermost scope; yields it with a new slot.
    pub(super) fn hidden(&mut self, ty: Ty, node: NodeId) -> (VarId, Local) {
        let local = self.slots.take(ty);
        let var = NewVar { name: None, ty, brand: Brand::None, local, declared: node };
        (self.vars.declare(var, Roots::new(), self.loops.len()), local)
    }

    /// Ends a temporary before its scope ends; the slot must be empty by then.
    pub(super) fn end_hidden(&mut self, id: VarId) {
        let local = self.vars.get(id).local;
        self.vars.kill(id);
        self.slots.give_back(local);
    }

    /// Closes the innermost scope; yields what frees its owned variables. `value` is what leaves
    /// the scope: it may not point into it.
    pub(super) fn close_scope(&mut self, node: NodeId, value: Option<&mut Value>) -> Vec<Expr> {
        let ids = self.vars.close();
        let mut cleanup = Vec::new();
        let mut escaping = Vec::new();
        for &id in ids.iter().rev() {
            let var = self.vars.get(id);
            let (ty, local, gone, borrowed) = (var.ty, var.local, var.is_gone(), var.is_borrowed());
            if ty.is_owned() {
                if value.as_ref().is_some_and(|value| value.roots.contains(&Root::Owner(id))) {
                    escaping.push(id);
                } else if borrowed {
                    self.outlived(id, node);
                }
                if !gone {
                    cleanup.push(Expr::Drop(local));
                }
            }
            self.slots.give_back(local);
        }
        if let Some(value) = value {
            for id in escaping {
                value.roots.retain(|root| *root != Root::Owner(id));
                self.escapes(id, node);
            }
        }
        cleanup
    }

    /// A view variable of an outer scope still points into an owner whose scope ends.
    fn outlived(&mut self, id: VarId, node: NodeId) {
        let name = self.name_of(id);
        let view = self.vars.borrower(id).and_then(|view| view.name.clone());
        let view = view.map_or_else(|| "a view".to_owned(), |view| format!("the view `{view}`"));
        let message = format!("drop while borrowed: {view} still points into {name}, which is freed here");
        let problem = Problem::error(Code::X07cDropWhileBorrowed, Stage::Type, message)
            .with_note("bind the owner with `let` in the scope of the view, or outside it");
        self.report(node, problem);
    }

    /// The value of a scope points into one of its variables.
    fn escapes(&mut self, id: VarId, node: NodeId) {
        if self.is_returned(node) {
            self.returns_local(id, node);
            return;
        }
        let name = self.name_of(id);
        let message =
            format!("drop while borrowed: the value points into {name}, which is freed at the end of this scope");
        let problem = Problem::error(Code::X07cDropWhileBorrowed, Stage::Type, message)
            .with_note("copy the bytes with `view.to_bytes`, or bind the owner in an enclosing `begin`");
        self.report(node, problem);
    }

    fn returns_local(&mut self, id: VarId, node: NodeId) {
        let name = self.name_of(id);
        let message =
            format!("`{}` returns a view that points into {name}, which is freed when the function ends", self.symbol);
        let problem = Problem::error(Code::X07Borrow0002, Stage::Lint, message)
            .with_note("return `bytes` instead of a view, or a part of a view parameter");
        self.report(node, problem);
    }

    /// Whether the value of a node is the function's result.
    fn is_returned(&self, node: NodeId) -> bool {
        let mut at = node;
        loop {
            if at == self.body {
                return true;
            }
            let Some(list) = self.tree.parent(at) else { return false };
            let Some((head, args)) = self.split(list) else { return false };
            let passes = match &*head {
                "return" => return true,
                "begin" => args.last() == Some(&at),
                "if" => args.first() != Some(&at),
                _ => false,
            };
            if !passes {
                return false;
            }
            at = list;
        }
    }

    /// Frees what lives in all open scopes, for an exit from the function.
    pub(super) fn exit_cleanup(&self) -> Vec<Expr> {
        let loops = self.loops.len();
        self.vars
            .live()
            // In a loop, a variable from outside that is gone in this round may have a value in the next.
            .filter(|var| var.ty.is_owned() && !(var.is_gone() && var.loops == loops))
            .map(|var| Expr::Drop(var.local))
            .collect()
    }

    /// Checks that a value can be the function's result, and notes what it points into.
    pub(super) fn result_value(&mut self, value: &mut Value, node: NodeId, code: Code) {
        if value.ty == Ty::Never {
            return;
        }
        if value.ty != self.result {
            let message = format!(
                "`{}` must yield `{}`, found `{}`",
                self.symbol,
                types::name(self.result),
                types::name(value.ty)
            );
            let problem = Problem::error(code, Stage::Type, message)
                .with_data("expected", types::name(self.result))
                .with_data("found", types::name(value.ty));
            self.report(node, problem);
            value.roots.clear();
            return;
        }
        if !self.result_brand.accepts(&value.brand) {
            let message = format!(
                "E_BRAND_MISMATCH: `{}` must yield {}, found {}",
                self.symbol,
                self.result_brand.describe(self.result),
                value.brand.describe(value.ty)
            );
            self.report(node, Problem::error(Code::EBrandMismatch, Stage::Type, message));
        }
        let roots = std::mem::take(&mut value.roots);
        self.returned_roots(&roots, node);
    }

    /// Notes what a returned view points into.
    pub(super) fn returned_roots(&mut self, roots: &[Root], node: NodeId) {
        for root in roots {
            match *root {
                Root::Owner(id) => self.returns_local(id, node),
                Root::Param(number) => {
                    self.views.insert(number);
                }
                Root::Carried(view, of) => self.returned_carried(view, of, node),
            }
        }
    }

    /// A returned view must come from one parameter, so that callers know what it borrows.
    fn check_views(&mut self) {
        if self.views.len() > 1 {
            let message = format!("`{}` returns a view that may point into one of several parameters", self.symbol);
            let problem = Problem::error(Code::X07cViewSourceUnknown, Stage::Type, message)
                .with_note("return parts of one view parameter only, or return `bytes`");
            self.report(self.body, problem);
        }
    }

    fn check_locals(&mut self) {
        let (count, most) = (self.slots.types().len(), self.cx.options.max_locals);
        if count > most {
            let message =
                format!("`{}` has {count} local variables, at most {most} are allowed; split it", self.symbol);
            self.report(self.body, Problem::error(Code::X07cLimitExceeded, Stage::Lower, message));
        }
    }

    /// Notes that an owned variable's value is moved, replaced or changed.
    pub(super) fn replaced(&mut self, owner: VarId, at: NodeId) {
        for stale in self.vars.replaced(owner, at) {
            self.used_stale(stale);
        }
    }

    /// Reports a problem at a node.
    pub(super) fn report(&mut self, node: NodeId, problem: Problem) {
        if self.contract.is_new(node, problem.code) {
            self.cx.report_of(self.id, node, problem);
        }
    }

    /// Reports an error of a form's types.
    pub(super) fn mismatch(&mut self, node: NodeId, message: String) {
        self.report(node, Problem::error(Code::X07TypeUnify0001, Stage::Type, message));
    }

    /// Checks that a value is an `i32`.
    pub(super) fn expect_i32(&mut self, value: &Value, node: NodeId, what: &str) {
        if !matches!(value.ty, Ty::I32 | Ty::Never) {
            self.mismatch(node, format!("{what} must be `i32`, found `{}`", types::name(value.ty)));
        }
    }

    /// The site of a node.
    pub(super) fn site(&mut self, node: NodeId) -> SiteId {
        self.cx.site(self.module, node)
    }

    /// An operation of a node. Only operations that can trap get a site of their own.
    pub(super) fn op(&mut self, op: Op, args: Vec<Expr>, node: NodeId) -> Expr {
        let site = self.op_site(op, node);
        Expr::Op { op, args, site }
    }

    /// The site for an operation of a node.
    pub(super) fn op_site(&mut self, op: Op, node: NodeId) -> SiteId {
        if op.can_trap() { self.site(node) } else { self.quiet }
    }
}

/// Statements, a value and clean-ups as one expression.
pub(super) fn block(body: Vec<Expr>, value: Option<Expr>, cleanup: Vec<Expr>) -> Expr {
    match value {
        Some(value) if body.is_empty() && cleanup.is_empty() => value,
        value => Expr::Block { body, value: value.map(Box::new), cleanup },
    }
}

/// The statement that does nothing.
pub(super) fn nothing() -> Expr {
    Expr::Block { body: Vec::new(), value: None, cleanup: Vec::new() }
}

/// Whether an expression is [`nothing`].
pub(super) fn is_nothing(expr: &Expr) -> bool {
    matches!(expr, Expr::Block { body, value: None, cleanup } if body.is_empty() && cleanup.is_empty())
}

/// Throws a value away.
pub(super) fn discard(value: Value) -> Expr {
    match value.expr {
        Expr::I32(_) | Expr::Get(_) | Expr::ViewOf(_) | Expr::ViewLit(_) | Expr::Input => nothing(),
        expr if matches!(value.ty, Ty::Unit | Ty::Never) => expr,
        expr => Expr::Discard(Box::new(expr)),
    }
}
