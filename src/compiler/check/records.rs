//! Records and enums: constructors, accessors, `match`.
//!
//! Their values are bytes with the type's name as brand: the fields of a record, or the number of a
//! variant and its payload, as little-endian words.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::function::{Checker, Statement, Value, block};
use super::operands::Want;
use super::vars::{NewVar, Roots, State, VarId, union};
use crate::compiler::ir::{Expr, Local, Op, Ty};
use crate::compiler::module::{self, TypeDecl};
use crate::compiler::problem::Problem;
use crate::compiler::resolve::{TypeHead, TypeRef};
use crate::compiler::types::{self, Brand};
use crate::contract::json::tree::NodeId;

/// Bytes of a word.
const WORD: usize = 4;

/// What an arm of a `match` stands for.
struct Arm {
    /// The variant's number.
    variant: usize,
    /// The name for the payload.
    payload: Option<NodeId>,
    body: NodeId,
}

/// An arm that was checked.
struct Checked {
    variant: usize,
    value: Value,
    /// What it changed, unless it left the function.
    ends: BTreeMap<VarId, State>,
}

/// The subject of a `match`.
struct Subject {
    /// Computes the subject and stores a view of it.
    store: Expr,
    view: Local,
    ty: TypeRef,
    /// Whether computing it certainly leaves the function.
    diverges: bool,
}

impl Checker<'_, '_> {
    /// `match` and the heads that records and enums define; `None` for other heads.
    pub(super) fn record_form(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Option<Value> {
        if head == "match" {
            return Some(self.match_form(node, args, false));
        }
        let index = self.cx.index;
        let value = match *index.type_heads.get(head)? {
            TypeHead::Make(ty) => self.record(node, head, args, ty),
            TypeHead::Field(ty, field) => self.field(node, head, args, ty, field),
            TypeHead::Variant(ty, variant) => self.variant(node, head, args, ty, variant),
        };
        Some(value)
    }

    /// `match` in statement position: the values of the arms are not wanted.
    pub(super) fn match_statement(&mut self, node: NodeId, args: &[NodeId]) -> Statement {
        let value = self.match_form(node, args, true);
        Statement { diverges: value.diverges, expr: value.expr }
    }

    fn type_decl(&self, ty: TypeRef) -> Option<&TypeDecl> {
        self.cx.loaded.modules.get(ty.module).and_then(|module| module.types.get(ty.decl))
    }

    fn brand_of(&self, ty: TypeRef) -> Brand {
        Brand::named(self.type_decl(ty).map(|decl| decl.name.as_str()))
    }

    /// `["R.make", field, …]`.
    fn record(&mut self, node: NodeId, head: &str, args: &[NodeId], ty: TypeRef) -> Value {
        let fields = self.type_decl(ty).map_or(0, |decl| decl.parts.len());
        self.words(node, head, args, fields, None, ty)
    }

    /// `["E.V"]` and `["E.V", payload]`.
    fn variant(&mut self, node: NodeId, head: &str, args: &[NodeId], ty: TypeRef, variant: usize) -> Value {
        let payload = self.type_decl(ty).and_then(|decl| decl.parts.get(variant)).is_some_and(|part| part.number);
        self.words(node, head, args, usize::from(payload), Some(number_of(variant)), ty)
    }

    /// Bytes that hold a tag, if there is one, and the operands.
    fn words(
        &mut self,
        node: NodeId,
        head: &str,
        args: &[NodeId],
        count: usize,
        tag: Option<i32>,
        ty: TypeRef,
    ) -> Value {
        let brand = self.brand_of(ty);
        if args.len() != count {
            self.wrong_count(node, head, count, args.len());
            self.arguments(args);
            return Value { brand, ..Value::new(Expr::I32(0), Ty::Bytes) };
        }
        let wants = vec![Want::Value(Ty::I32); count];
        let mut ready = self.operands(head, args, &wants, false);
        let diverges = ready.diverges;
        let mut words: Vec<Expr> = tag.map(Expr::I32).into_iter().collect();
        words.append(&mut ready.args);
        let expr = self.op(Op::WordsToBytes, words, node);
        let expr = self.finish(ready, expr);
        Value { brand, diverges, ..Value::new(expr, Ty::Bytes) }
    }

    /// `["R.field", record]`.
    fn field(&mut self, node: NodeId, head: &str, args: &[NodeId], ty: TypeRef, field: usize) -> Value {
        if args.len() != 1 {
            self.wrong_count(node, head, 1, args.len());
            self.arguments(args);
            return Value::new(Expr::I32(0), Ty::I32);
        }
        let mut ready = self.operands(head, args, &[Want::Borrow { vec: false }], false);
        let diverges = ready.diverges;
        if let Some(info) = ready.infos.first() {
            let (found, found_ty, at) = (info.brand.clone(), info.ty, info.node);
            let wanted = self.brand_of(ty);
            if found_ty != Ty::Never && !wanted.accepts(&found) {
                let message = format!(
                    "E_BRAND_MISMATCH: `{}` reads {}, found {}",
                    module::shorten(head),
                    wanted.describe(found_ty),
                    found.describe(found_ty)
                );
                self.report(at, Problem::error(Code::EBrandMismatch, Stage::Type, message));
            }
        }
        let mut operands = std::mem::take(&mut ready.args);
        operands.push(Expr::I32(number_of(field * WORD)));
        let expr = self.op(Op::ReadU32Le, operands, node);
        let expr = self.finish(ready, expr);
        Value { diverges, ..Value::new(expr, Ty::I32) }
    }

    /// `["match", subject, arm, …]`.
    fn match_form(&mut self, node: NodeId, args: &[NodeId], statement: bool) -> Value {
        let Some((&subject, arms)) = args.split_first() else {
            self.wrong_arity(node, Code::X07Arity0000, "match", "[\"match\", SUBJECT, [VARIANT, …, BODY], …]");
            return Value::poison();
        };
        // What the subject borrows, and a temporary subject, live as long as the arms.
        self.vars.open();
        let mut value = match self.subject(subject) {
            Ok(found) => self.arms(node, found, arms, statement),
            Err(value) => {
                self.bodies(arms);
                value
            }
        };
        let cleanup = self.close_scope(node, Some(&mut value));
        let expr = if statement && value.ty == Ty::Unit {
            block(vec![value.expr], None, cleanup)
        } else {
            block(Vec::new(), Some(value.expr), cleanup)
        };
        Value { expr, ..value }
    }

    /// The subject, or a value of type [`Ty::Never`] when there is nothing to choose by.
    fn subject(&mut self, node: NodeId) -> Result<Subject, Value> {
        let mut ready = self.operands("match", &[node], &[Want::Borrow { vec: false }], true);
        let info = ready.infos.first().map(|info| (info.ty, info.brand.clone()));
        let diverges = ready.diverges;
        let operand = ready.args.pop();
        let expr = self.finish(ready, operand.unwrap_or(Expr::I32(0)));
        let Some((ty, brand)) = info.filter(|(ty, _)| *ty != Ty::Never) else {
            return Err(Value { diverges, ..Value::new(expr, Ty::Never) });
        };
        let declared = match &brand {
            Brand::Named(name) => self.cx.index.types.get(&**name).copied(),
            Brand::None | Brand::Any => None,
        };
        let Some(found) = declared.filter(|&found| self.type_decl(found).is_some_and(|decl| !decl.record)) else {
            let message = format!("`match` takes a value of an enum, found {}", brand.describe(ty));
            let problem = Problem::error(Code::X07cMatchSubject, Stage::Type, message).with_note(
                "make values with the enum's constructors, and name the enum as brand of parameters and results",
            );
            self.report(node, problem);
            return Err(Value::poison());
        };
        let (_, view) = self.hidden(Ty::View, node);
        let store = Expr::Store { local: view, value: Box::new(expr), drop_old: false };
        Ok(Subject { store, view, ty: found, diverges })
    }

    /// Looks at the bodies of arms whose subject is not known, for problems of their own.
    fn bodies(&mut self, arms: &[NodeId]) {
        for &arm in arms {
            let parts: Vec<NodeId> = self.tree.children(arm).collect();
            // The payload's name would be unknown.
            if let &[_, body] = parts.as_slice() {
                self.arguments(&[body]);
            }
        }
    }

    fn arms(&mut self, node: NodeId, subject: Subject, nodes: &[NodeId], statement: bool) -> Value {
        let arms = self.read_arms(node, subject.ty, nodes);
        let mut checked: Vec<Checked> = Vec::with_capacity(arms.len());
        for arm in &arms {
            checked.push(self.arm(arm, subject.view, statement));
        }
        self.merge_arms(node, &checked);
        let mut ty = Ty::Never;
        let mut brand = Brand::Any;
        let mut roots = Roots::new();
        for arm in &checked {
            if arm.value.ty == Ty::Never {
                continue;
            }
            if ty != Ty::Never && ty != arm.value.ty {
                let message = format!(
                    "the arms of `match` must have the same type, found `{}` and `{}`",
                    types::name(ty),
                    types::name(arm.value.ty)
                );
                self.report(node, Problem::error(Code::X07TypeUnify0001, Stage::Type, message));
                return Value::poison();
            }
            self.single_source(node, &roots, &arm.value.roots);
            ty = arm.value.ty;
            brand = brand.join(&arm.value.brand);
            roots = union(&roots, &arm.value.roots);
        }
        let all_leave = !checked.is_empty() && checked.iter().all(|arm| arm.value.diverges);
        if statement && ty == Ty::Never {
            ty = Ty::Unit;
        }
        checked.sort_by_key(|arm| arm.variant);
        let mut bodies: Vec<Expr> = checked.into_iter().map(|arm| arm.value.expr).collect();
        if bodies.is_empty() {
            return Value::poison();
        }
        let tag = self.op(Op::ReadU32Le, vec![Expr::Get(subject.view), Expr::I32(0)], node);
        let choice = if bodies.len() == 1 {
            // The tag is read all the same: a value too short for one is none.
            block(vec![Expr::Discard(Box::new(tag))], bodies.pop(), Vec::new())
        } else {
            Expr::Switch { value: Box::new(tag), arms: bodies, ty }
        };
        let expr = if ty == Ty::Unit {
            block(vec![subject.store, choice], None, Vec::new())
        } else {
            block(vec![subject.store], Some(choice), Vec::new())
        };
        Value { expr, ty, brand, roots, diverges: subject.diverges || all_leave }
    }

    /// Reads the arms and checks that each variant has exactly one.
    fn read_arms(&mut self, node: NodeId, ty: TypeRef, nodes: &[NodeId]) -> Vec<Arm> {
        let mut arms = Vec::with_capacity(nodes.len());
        let mut seen = BTreeSet::new();
        for &arm_node in nodes {
            if let Some(arm) = self.read_arm(arm_node, ty) {
                if seen.insert(arm.variant) {
                    arms.push(arm);
                } else {
                    let message = "duplicate match arm: the variant has an arm already".to_owned();
                    self.report(arm_node, Problem::error(Code::X07cMatchArm, Stage::Type, message));
                }
            }
        }
        let Some(decl) = self.type_decl(ty) else { return arms };
        let missing: Vec<&str> = (0..)
            .zip(&decl.parts)
            .filter(|(number, _)| !seen.contains(number))
            .map(|(_, part)| part.name.as_str())
            .collect();
        // Arms that could not be read may be those that are missing.
        if !missing.is_empty() && seen.len() == nodes.len() {
            let message = format!("non-exhaustive match on enum {}; missing arm(s): {}", decl.name, missing.join(", "));
            let problem = Problem::error(Code::X07cMatchNotExhaustive, Stage::Type, message)
                .with_data("missing", missing.iter().map(|name| format!("{}.{name}", decl.name)).collect::<Vec<_>>())
                .with_note("an arm is [VARIANT, BODY], or [VARIANT, NAME, BODY] for a variant with a payload");
            self.report(node, problem);
        }
        arms
    }

    fn read_arm(&mut self, node: NodeId, ty: TypeRef) -> Option<Arm> {
        let wrong = |checker: &mut Self, at: NodeId, message: String| {
            checker.report(at, Problem::error(Code::X07cMatchArm, Stage::Type, message));
            None
        };
        let parts: Vec<NodeId> = self.tree.children(node).collect();
        let name = parts.first().and_then(|&name| self.tree.string(name));
        let (Some(name), Some(decl)) = (name, self.type_decl(ty)) else {
            return wrong(self, node, "an arm is a list that starts with the name of a variant".to_owned());
        };
        let enum_name = decl.name.clone();
        let found = self.cx.index.type_heads.get(&*name);
        let Some(&TypeHead::Variant(_, variant)) =
            found.filter(|head| matches!(head, TypeHead::Variant(of, _) if *of == ty))
        else {
            let message = format!("`{}` is not a variant of the enum `{enum_name}`", module::shorten(&name));
            return wrong(self, node, message);
        };
        let payload = decl.parts.get(variant).is_some_and(|part| part.number);
        match (payload, parts.as_slice()) {
            (false, &[_, body]) => Some(Arm { variant, payload: None, body }),
            (true, &[_, payload, body]) if self.is_identifier(payload) => {
                Some(Arm { variant, payload: Some(payload), body })
            }
            (false, _) => wrong(self, node, format!("`{name}` has no payload; write [\"{name}\", BODY]")),
            (true, _) => wrong(self, node, format!("`{name}` has a payload; write [\"{name}\", NAME, BODY]")),
        }
    }

    fn arm(&mut self, arm: &Arm, view: Local, statement: bool) -> Checked {
        let mark = self.vars.mark();
        self.vars.open();
        let mut body = Vec::new();
        if let Some(name_node) = arm.payload {
            let name = self.tree.string(name_node).unwrap_or_default();
            let local = self.slots.take(Ty::I32);
            let number = number_of(WORD);
            let value = self.op(Op::ReadU32Le, vec![Expr::Get(view), Expr::I32(number)], name_node);
            body.push(Expr::Store { local, value: Box::new(value), drop_old: false });
            let name = Some(Rc::from(&*name));
            let var = NewVar { name, ty: Ty::I32, brand: Brand::None, local, declared: name_node };
            self.vars.declare(var, Roots::new(), self.loops.len());
        }
        let mut value = if statement {
            let statement = self.statement(arm.body);
            Value { diverges: statement.diverges, ..Value::new(statement.expr, Ty::Unit) }
        } else {
            self.value(arm.body)
        };
        let cleanup = self.close_scope(arm.body, Some(&mut value));
        let expr = std::mem::replace(&mut value.expr, Expr::I32(0));
        value.expr = if value.ty == Ty::Unit {
            body.push(expr);
            block(body, None, cleanup)
        } else {
            block(body, Some(expr), cleanup)
        };
        Checked { variant: arm.variant, value, ends: self.vars.rollback(mark) }
    }

    /// Joins the states at the ends of the arms; an arm that left the function has none.
    fn merge_arms(&mut self, node: NodeId, arms: &[Checked]) {
        let staying: Vec<&Checked> = arms.iter().filter(|arm| !arm.value.diverges).collect();
        let changed: BTreeSet<VarId> = staying.iter().flat_map(|arm| arm.ends.keys().copied()).collect();
        for id in changed {
            let before = self.vars.get(id).state().clone();
            let mut joined: Option<State> = None;
            for arm in &staying {
                let state = arm.ends.get(&id).unwrap_or(&before);
                joined = Some(match joined {
                    None => state.clone(),
                    Some(all) => {
                        self.single_source(node, &all.roots, &state.roots);
                        all.join(state)
                    }
                });
            }
            if let Some(state) = joined {
                self.vars.set_state(id, state);
            }
        }
    }
}

/// A small number of the declaration as a constant; texts are not long enough for others.
fn number_of(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
