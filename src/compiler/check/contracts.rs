//! Contracts: what a function requires, ensures and keeps, checked when the program runs.
//!
//! A clause is an expression without effects. When it yields 0, the values that it shows are left
//! for the host, and the program ends. In a clause, reading an owned variable copies it: a contract
//! moves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sha2::{Digest, Sha256};
use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::builtins;
use super::exits::store;
use super::function::{Checker, Value, block, nothing};
use super::vars::{NewVar, Roots};
use crate::compiler::ir::{self, ClauseId, ClauseKind, Counter, Expr, Local, Op, Trap, Ty};
use crate::compiler::module::{Clause, FunctionDecl};
use crate::compiler::problem::Problem;
use crate::compiler::types;
use crate::contract::json::canonical;
use crate::contract::json::tree::{Kind, NodeId};

/// Most bytes that a clause may allocate.
const MOST_BYTES: i32 = 1 << 20;

/// The contract of the function that is being checked.
#[derive(Default)]
pub(super) struct Contract<'a> {
    decl: Option<&'a FunctionDecl>,
    /// How many variables are parameters, those included that the compiler made for them.
    pub(super) params: usize,
    /// How many expressions all clauses have.
    size: usize,
    /// Whether the present expression belongs to a clause.
    pub(super) in_clause: bool,
    /// Clauses that are not to be evaluated, because of what was reported about them.
    broken: BTreeSet<NodeId>,
    /// Problems in clauses, which are looked at once for each exit.
    reported: BTreeSet<(NodeId, &'static str)>,
    ids: BTreeMap<(NodeId, ClauseKind), ClauseId>,
}

impl<'a> Contract<'a> {
    /// The contract of a function.
    pub(super) fn of(decl: Option<&'a FunctionDecl>) -> Self {
        Self { decl: decl.filter(|decl| !decl.clauses.is_empty()), ..Self::default() }
    }

    /// Whether a problem of a clause is reported for the first time.
    pub(super) fn is_new(&mut self, node: NodeId, code: Code) -> bool {
        !self.in_clause || self.reported.insert((node, code.as_str()))
    }

    /// The clauses of a kind with their positions.
    fn clauses(&self, kind: &str) -> Vec<(u32, &'a Clause)> {
        let all = self.decl.map_or(&[][..], |decl| &decl.clauses);
        (0..).zip(all.iter().filter(|clause| clause.kind == kind)).collect()
    }
}

impl Checker<'_, '_> {
    /// Whether something is checked at the function's exits.
    pub(super) fn has_exit_checks(&self) -> bool {
        self.contract.decl.is_some_and(|decl| decl.clauses.iter().any(|clause| clause.kind != "requires"))
    }

    /// What is checked when the function is entered. Looks at all clauses for what no clause may do.
    pub(super) fn entry_checks(&mut self) -> Vec<Expr> {
        let Some(decl) = self.contract.decl else { return Vec::new() };
        for clause in &decl.clauses {
            self.contract.size += self.check_clause_form(clause);
        }
        let mut body = Vec::new();
        for (index, clause) in self.contract.clauses("requires") {
            body.push(self.clause(clause, index, ClauseKind::Requires, None));
        }
        for (index, clause) in self.contract.clauses("invariant") {
            body.push(self.clause(clause, index, ClauseKind::InvariantEntry, None));
        }
        body
    }

    /// What is checked at an exit; `result` holds the function's result.
    pub(super) fn exit_checks(&mut self, result: Local) -> Vec<Expr> {
        let mut body = Vec::new();
        if !self.may_copy(self.contract.size) {
            return body;
        }
        for (index, clause) in self.contract.clauses("ensures") {
            body.push(self.clause(clause, index, ClauseKind::Ensures, Some(result)));
        }
        for (index, clause) in self.contract.clauses("invariant") {
            body.push(self.clause(clause, index, ClauseKind::InvariantExit, None));
        }
        body
    }

    /// The function's body with its contract: checks before it, and after it when its end is reached.
    pub(super) fn with_contract(&mut self, entry: Vec<Expr>, value: Value) -> Value {
        if value.ty == Ty::Never || !self.has_exit_checks() {
            return Value { expr: block(entry, Some(value.expr), Vec::new()), ..value };
        }
        let result = self.slots.take(self.result);
        let mut body = entry;
        body.push(store(result, value.expr));
        body.extend(self.exit_checks(result));
        let result_value = self.stored(result);
        self.slots.give_back(result);
        Value { expr: block(body, Some(result_value), Vec::new()), ..value }
    }

    /// Reports what no clause may do; yields how many expressions the clause has.
    fn check_clause_form(&mut self, clause: &Clause) -> usize {
        let mut sound = true;
        let mut size = 0;
        for &root in &clause.expressions {
            let mut work = vec![root];
            while let Some(node) = work.pop() {
                size += 1;
                if self.tree.kind(node) == Kind::String {
                    let reserved = self.tree.string(node).is_some_and(|name| name == "__result");
                    if reserved && clause.kind != "ensures" {
                        let message = "`__result` is the function's result, which only an `ensures` clause knows";
                        self.report(node, Problem::error(Code::X07Contract0004, Stage::Type, message.to_owned()));
                        sound = false;
                    }
                    continue;
                }
                let Some((head, args)) = self.split(node) else { continue };
                if !is_pure(&head) {
                    let message = format!("contract expression is not pure: disallowed call {head:?}");
                    let problem = Problem::error(Code::X07Contract0002, Stage::Type, message).with_note(
                        "a clause uses begin, let, if, operators, literals, views of bytes, and the heads of options and results",
                    );
                    self.report(root, problem.with_data("head", &*head));
                    sound = false;
                    continue;
                }
                let literal = matches!(&*head, "bytes.lit" | "bytes.view_lit");
                work.extend(args.iter().copied().filter(|_| !literal));
            }
        }
        if !sound {
            self.contract.broken.insert(clause.node);
        }
        size
    }

    /// Whether so many expressions may be checked once more, at a further exit of the function. All
    /// such copies together are limited as the program itself is.
    pub(super) fn may_copy(&mut self, size: usize) -> bool {
        let most = self.cx.options.max_ast_nodes;
        let before = self.cx.copied;
        self.cx.copied = before.saturating_add(size);
        if self.cx.copied <= most {
            return true;
        }
        if before <= most {
            let message = format!(
                "what is checked at every exit amounts to more than {most} expressions in the whole program; leave functions with contracts or budget scopes in fewer places"
            );
            self.report(self.body, Problem::error(Code::X07cLimitExceeded, Stage::Lower, message));
        }
        false
    }

    /// Checks a clause and ends the program when it does not hold.
    fn clause(&mut self, clause: &Clause, index: u32, kind: ClauseKind, result: Option<Local>) -> Expr {
        let Some((&expr, witnesses)) = clause.expressions.split_first() else { return nothing() };
        if self.contract.broken.contains(&clause.node) {
            return nothing();
        }
        self.contract.in_clause = true;
        let hidden = self.vars.hide(self.contract.params);
        self.vars.open();
        let bound = result.map(|local| {
            let var = NewVar {
                name: Some(Rc::from("__result")),
                ty: self.result,
                brand: self.result_brand.clone(),
                local,
                declared: self.body,
            };
            self.vars.declare(var, Roots::new(), self.loops.len())
        });
        let holds = self.value(expr);
        if !matches!(holds.ty, Ty::I32 | Ty::Never) {
            let message = format!("a contract clause yields an i32, found `{}`", types::name(holds.ty));
            self.report(expr, Problem::error(Code::X07Contract0001, Stage::Type, message));
        }
        let mut shown = Vec::with_capacity(witnesses.len());
        let mut shown_types = Vec::with_capacity(witnesses.len());
        for &witness in witnesses {
            let value = self.witness(witness);
            if value.ty != Ty::Never {
                shown_types.push(value.ty);
                shown.push(value.expr);
            }
        }
        let id = self.clause_id(clause, expr, index, kind, shown_types);
        let op = Op::Violate(id);
        let violated = self.op(op, shown, expr);
        let check = Expr::If {
            cond: Box::new(holds.expr),
            then: Box::new(nothing()),
            otherwise: Box::new(violated),
            ty: Ty::Unit,
        };
        // The result stays where it is.
        if let Some(bound) = bound {
            self.vars.kill(bound);
        }
        let drops = self.close_scope(expr, None);
        self.contract.in_clause = false;
        self.vars.show(hidden);
        let mut body = vec![check];
        body.extend(drops);
        if self.allocates(expr) {
            body = self.limited(body, expr);
        }
        block(body, None, Vec::new())
    }

    /// A value that a clause shows.
    fn witness(&mut self, node: NodeId) -> Value {
        // A variable is shown without a copy, whatever it owns.
        if let Some(name) = self.tree.string(node)
            && let Some(id) = self.vars.lookup(&name)
        {
            if !self.usable(id, node) {
                return Value::poison();
            }
            let var = self.vars.get(id);
            let value = Value::new(Expr::Get(var.local), var.ty);
            return self.shown(node, value);
        }
        let value = self.value(node);
        self.shown(node, value)
    }

    fn shown(&mut self, node: NodeId, value: Value) -> Value {
        let fits = matches!(
            value.ty,
            Ty::I32 | Ty::Bytes | Ty::View | Ty::ResultI32 | Ty::ResultBytes | Ty::ResultView | Ty::Never
        );
        if fits {
            return value;
        }
        let message = format!("a witness is an i32, bytes, a view or a result, found `{}`", types::name(value.ty));
        self.report(node, Problem::error(Code::X07Contract0005, Stage::Type, message));
        Value::poison()
    }

    /// An owned variable that a clause reads: a copy, where the type allows one.
    pub(super) fn read_in_clause(&mut self, node: NodeId, ty: Ty, local: Local) -> Value {
        if ty == Ty::Bytes {
            let copy = self.op(Op::ViewToBytes, vec![Expr::ViewOf(local)], node);
            return Value::new(copy, ty);
        }
        let message =
            format!("a contract clause cannot take a value of type `{}` out of its variable", types::name(ty));
        let problem = Problem::error(Code::X07Contract0003, Stage::Type, message)
            .with_note("ask with `.is_ok`, `.is_some` or `.err_code`, or show the variable as a witness");
        self.report(node, problem);
        Value::poison()
    }

    /// Whether a clause makes bytes.
    fn allocates(&self, root: NodeId) -> bool {
        let mut work = vec![root];
        while let Some(node) = work.pop() {
            let Some((head, args)) = self.split(node) else { continue };
            if matches!(&*head, "view.to_bytes" | "bytes.lit") {
                return true;
            }
            work.extend(args);
        }
        false
    }

    /// A clause that may not allocate without end.
    fn limited(&mut self, clause: Vec<Expr>, node: NodeId) -> Vec<Expr> {
        let start = self.slots.take(Ty::I32);
        let now = self.op(Op::Counter(Counter::AllocBytes), Vec::new(), node);
        let mut body = vec![store(start, now)];
        body.extend(clause);
        let now = self.op(Op::Counter(Counter::AllocBytes), Vec::new(), node);
        let used = self.op(Op::Sub, vec![now, Expr::Get(start)], node);
        let passed = self.op(Op::GtU, vec![used, Expr::I32(MOST_BYTES)], node);
        let site = self.site(node);
        body.push(Expr::If {
            cond: Box::new(passed),
            then: Box::new(Expr::Trap { trap: Trap::BudgetAllocBytes, site }),
            otherwise: Box::new(nothing()),
            ty: Ty::Unit,
        });
        self.slots.give_back(start);
        body
    }

    fn clause_id(
        &mut self,
        clause: &Clause,
        expr: NodeId,
        index: u32,
        kind: ClauseKind,
        witnesses: Vec<Ty>,
    ) -> ClauseId {
        if let Some(&id) = self.contract.ids.get(&(clause.node, kind)) {
            return id;
        }
        let function = self.contract.decl.map_or_else(String::new, |decl| decl.name.clone());
        let given = self.tree.get(clause.node, "id").and_then(|id| self.tree.string(id));
        let id = match given {
            Some(id) => id.into_owned(),
            None => self.derived_id(&function, clause, expr, index),
        };
        let number = ClauseId(u32::try_from(self.cx.clauses.len()).unwrap_or(u32::MAX));
        let pointer = self.tree.pointer(expr);
        self.cx.clauses.push(ir::Clause { kind, function, id, index, pointer, witnesses });
        self.contract.ids.insert((clause.node, kind), number);
        number
    }

    /// The id of a clause that has none: it depends on function, kind, position and expression.
    fn derived_id(&self, function: &str, clause: &Clause, expr: NodeId, index: u32) -> String {
        let mut hash = Sha256::new();
        for part in ["x07.contract.id.v1", function, clause.kind] {
            hash.update(part);
            hash.update([0]);
        }
        hash.update(u64::from(index).to_le_bytes());
        // Without the line feed that ends a document.
        let text = canonical::compact(&self.tree.to_value(expr));
        hash.update(text.strip_suffix(b"\n").unwrap_or(&text));
        let digest = hex::encode(hash.finalize());
        format!("c_{}", digest.get(..16).unwrap_or_default())
    }
}

/// Whether a clause may use a head.
fn is_pure(head: &str) -> bool {
    const PURE: [&str; 18] = [
        "begin",
        "let",
        "if",
        "&&",
        "||",
        "bytes.lit",
        "bytes.view_lit",
        "i32.lit",
        "bytes.view",
        "bytes.subview",
        "bytes.len",
        "bytes.get_u8",
        "bytes.eq",
        "bytes.cmp_range",
        "view.len",
        "view.get_u8",
        "view.slice",
        "view.to_bytes",
    ];
    PURE.contains(&head) || builtins::is_operator(head) || head.starts_with("option_") || head.starts_with("result_")
}
