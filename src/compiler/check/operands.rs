//! The operands of an operation or call: types, borrows, and the order of evaluation.
//!
//! Operands are evaluated from left to right. Most stay where wasm wants them, on its stack. Three
//! kinds are stored in a hidden local first: an owned temporary of which the operation only takes
//! a view, so that it can be freed afterwards; and an owned value that waits while a later operand
//! may leave the function, so that the exit can free it; and, in the body of a task, whatever may
//! have to wait for other tasks. When an operand is stored, all operands
//! before it are stored too, or need not be because nothing in between changes what they read.

use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::function::{Checker, Value, block};
use super::tasks::converts;
use super::vars::{Root, Roots, VarId};
use crate::compiler::ir::{Expr, Local, Ty};
use crate::compiler::module;
use crate::compiler::problem::{PatchOp, Problem};
use crate::compiler::types::{self, Brand};
use crate::contract::json::tree::{Kind, NodeId};

/// What an operand must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// A value of exactly this type; an owned one is consumed.
    Value(Ty),
    /// A view, or something whose bytes can be borrowed: `bytes`, and `vec_u8` if allowed.
    Borrow {
        /// Whether a `vec_u8` will do.
        vec: bool,
    },
    /// A value of this owned type: borrowed if it is a variable, else consumed.
    Peek(Ty),
    /// `bytes`, consumed; the text of a literal is not copied first.
    Part,
    /// `bytes` or `vec_u8`, consumed, or a view.
    Whole,
}

impl Want {
    /// The type of the operand as the operation gets it.
    pub(super) fn ty(self) -> Ty {
        match self {
            Self::Value(ty) | Self::Peek(ty) => ty,
            Self::Borrow { .. } | Self::Whole => Ty::View,
            Self::Part => Ty::Bytes,
        }
    }

    /// How messages describe what is wanted.
    fn describe(self) -> String {
        match self {
            Self::Value(ty) | Self::Peek(ty) => format!("`{}`", types::name(ty)),
            Self::Borrow { vec: false } => "`bytes_view` or `bytes`".to_owned(),
            Self::Borrow { vec: true } | Self::Whole => "`bytes_view`, `bytes` or `vec_u8`".to_owned(),
            Self::Part => "`bytes`".to_owned(),
        }
    }
}

/// An operand after its evaluation.
struct Operand {
    value: Value,
    /// The value is owned and the operation gets a view of it.
    lent: bool,
}

/// What is known about an operand.
pub(super) struct Info {
    /// Its node.
    pub(super) node: NodeId,
    /// Its type before any borrowing; [`Ty::Never`] after a problem.
    pub(super) ty: Ty,
    /// Its brand.
    pub(super) brand: Brand,
    /// What it points into.
    pub(super) roots: Roots,
}

/// Operands that are ready for their operation. What they point into stays borrowed until
/// [`Checker::finish`].
pub(super) struct Operands {
    /// Stores to run first.
    prelude: Vec<Expr>,
    /// One for each operand.
    pub(super) args: Vec<Expr>,
    /// What is known about each.
    pub(super) infos: Vec<Info>,
    /// Whether one of them certainly leaves the function.
    pub(super) diverges: bool,
    /// Temporaries that end with the operation.
    temporaries: Vec<VarId>,
    /// Those of them that still own something then, in order.
    drops: Vec<Local>,
    /// Slots that the operands occupy.
    slots: Vec<Local>,
}

/// Where an operand waits for the operation.
enum Place {
    /// On the stack; `slot` is kept for it in case a later operand is stored.
    Stack { expr: Expr, ty: Ty, slot: Option<Local> },
    /// In a local.
    Stored { store: Expr, arg: Expr },
}

impl Checker<'_, '_> {
    /// Evaluates the operands of `head`. With `keep`, borrowed temporaries live to the end of the
    /// scope, because the result may point into them; else they end with the operation.
    pub(super) fn operands(&mut self, head: &str, nodes: &[NodeId], wants: &[Want], keep: bool) -> Operands {
        self.placed_operands(head, nodes, wants, keep, false)
    }

    /// Operands that are constants and locals when all were evaluated.
    pub(super) fn settled_operands(&mut self, head: &str, nodes: &[NodeId], wants: &[Want]) -> Operands {
        self.placed_operands(head, nodes, wants, false, true)
    }

    fn placed_operands(&mut self, head: &str, nodes: &[NodeId], wants: &[Want], keep: bool, settle: bool) -> Operands {
        let later = self.what_follows(nodes, wants, settle);
        let mut ready = Operands {
            prelude: Vec::new(),
            args: Vec::with_capacity(nodes.len()),
            infos: Vec::with_capacity(nodes.len()),
            diverges: false,
            temporaries: Vec::new(),
            drops: Vec::new(),
            slots: Vec::new(),
        };
        let mut places = Vec::with_capacity(nodes.len());
        for ((&node, &want), later) in nodes.iter().zip(wants).zip(later) {
            let operand = self.operand(head, node, want);
            let (place, info) = self.place(operand, node, want, later, keep, &mut ready);
            self.vars.hold(&info.roots);
            places.push(place);
            ready.infos.push(info);
        }
        let last = places.iter().rposition(|place| matches!(place, Place::Stored { .. }));
        for (number, place) in places.into_iter().enumerate() {
            match place {
                Place::Stored { store, arg } => {
                    ready.prelude.push(store);
                    ready.args.push(arg);
                }
                Place::Stack { expr, ty, slot } => {
                    ready.slots.extend(slot);
                    let between = last.and_then(|last| nodes.get(number + 1..=last)).unwrap_or_default();
                    if last.is_none_or(|last| last < number) || self.may_wait(&expr, between) {
                        ready.args.push(expr);
                    } else if ty == Ty::Never {
                        // What follows never runs; the operand needs some value of its type.
                        ready.prelude.push(expr);
                        let want = wants.get(number).map_or(Ty::I32, |want| want.ty());
                        let local = self.slots.take(want);
                        ready.slots.push(local);
                        ready.args.push(Expr::Get(local));
                    } else {
                        let local = slot.unwrap_or_else(|| {
                            let local = self.slots.take(ty);
                            ready.slots.push(local);
                            local
                        });
                        ready.prelude.push(Expr::Store { local, value: Box::new(expr), drop_old: false });
                        ready.args.push(if ty.is_owned() { Expr::Take(local) } else { Expr::Get(local) });
                    }
                }
            }
        }
        ready
    }

    /// Puts an operation behind its operands: stores before it, clean-up after it. Ends borrows
    /// and temporaries.
    pub(super) fn finish(&mut self, ready: Operands, operation: Expr) -> Expr {
        for info in &ready.infos {
            self.vars.release(&info.roots);
        }
        for &id in ready.temporaries.iter().rev() {
            self.end_hidden(id);
        }
        for &slot in ready.slots.iter().rev() {
            self.slots.give_back(slot);
        }
        let cleanup = ready.drops.iter().rev().map(|&local| Expr::Drop(local)).collect();
        block(ready.prelude, Some(operation), cleanup)
    }

    /// For each operand, what the later ones may do.
    fn what_follows(&self, nodes: &[NodeId], wants: &[Want], settle: bool) -> Vec<Later> {
        let mut all = Vec::with_capacity(nodes.len());
        let mut later = Later { exits: false, stores: false, lists: false, settle };
        for (&node, &want) in nodes.iter().zip(wants).rev() {
            all.push(later);
            let lent = matches!(want, Want::Borrow { .. }) && self.tree.kind(node) == Kind::Array;
            later.stores = later.stores || lent || later.exits || settle || self.suspends(node);
            later.exits = later.exits || self.facts.exits.contains(&node);
            later.lists = later.lists || self.tree.kind(node) == Kind::Array;
        }
        all.reverse();
        all
    }

    /// Decides where an operand waits.
    fn place(
        &mut self,
        operand: Operand,
        node: NodeId,
        want: Want,
        later: Later,
        keep: bool,
        ready: &mut Operands,
    ) -> (Place, Info) {
        let Operand { value, lent } = operand;
        let Value { expr, ty, brand, mut roots, diverges } = value;
        ready.diverges |= diverges;
        // A task must not be suspended while something waits on the stack.
        let stored = self.suspends(node) || (later.settle && !is_settled(&expr, later.lists));
        let place = if lent {
            let (id, local) = self.hidden(ty, node);
            roots = vec![Root::Owner(id)];
            if !keep {
                ready.temporaries.push(id);
                ready.drops.push(local);
            }
            let store = Expr::Store { local, value: Box::new(expr), drop_old: false };
            Place::Stored { store, arg: Expr::ViewOf(local) }
        } else if stored && ty == Ty::Never {
            let local = self.slots.take(want.ty());
            ready.slots.push(local);
            Place::Stored { store: expr, arg: Expr::Get(local) }
        } else if stored && !ty.is_owned() {
            let local = self.slots.take(ty);
            ready.slots.push(local);
            let store = Expr::Store { local, value: Box::new(expr), drop_old: false };
            Place::Stored { store, arg: Expr::Get(local) }
        } else if ty.is_owned() && (later.exits || stored) && !matches!(expr, Expr::Get(_)) {
            let (id, local) = self.hidden(ty, node);
            ready.temporaries.push(id);
            let store = Expr::Store { local, value: Box::new(expr), drop_old: false };
            Place::Stored { store, arg: Expr::Take(local) }
        } else {
            let wanted = later.stores && ty != Ty::Never && !is_constant(&expr);
            let slot = wanted.then(|| self.slots.take(ty));
            Place::Stack { expr, ty, slot }
        };
        (place, Info { node, ty, brand, roots })
    }

    /// Whether an expression has the same value, and the same effects, after `between` ran.
    fn may_wait(&self, expr: &Expr, between: &[NodeId]) -> bool {
        match expr {
            Expr::Get(local) | Expr::ViewOf(local) => {
                // A borrowed owner cannot change: that would be reported as a problem.
                let owned = self.slots.types().get(local.0 as usize).is_some_and(|ty| ty.is_owned());
                owned || !between.iter().any(|node| self.facts.writes.contains(node))
            }
            expr => is_constant(expr),
        }
    }

    fn operand(&mut self, head: &str, node: NodeId, want: Want) -> Operand {
        if let Some(value) = self.borrowed(head, node, want) {
            return Operand { value, lent: false };
        }
        let value = self.value(node);
        let (fits, lent) = match (want, value.ty) {
            (_, Ty::Never) => (true, false),
            (Want::Value(wanted) | Want::Peek(wanted), found) => (wanted == found || converts(wanted, found), false),
            (Want::Part, found) => (found == Ty::Bytes, false),
            (Want::Whole, found) => (matches!(found, Ty::Bytes | Ty::Vec | Ty::View), false),
            (Want::Borrow { .. }, Ty::View) => (true, false),
            (Want::Borrow { .. }, Ty::Bytes) | (Want::Borrow { vec: true }, Ty::Vec) => (true, true),
            (Want::Borrow { .. }, _) => (false, false),
        };
        if fits {
            // A vector's bytes have no brand.
            let brand = if value.ty == Ty::Vec { Brand::None } else { value.brand.clone() };
            return Operand { value: Value { brand, ..value }, lent };
        }
        self.wrong_operand(head, node, want, value.ty);
        Operand { value: Value { diverges: value.diverges, ..Value::poison() }, lent: false }
    }

    /// An operand that is borrowed without being evaluated into a temporary: a variable of an
    /// owned type, or a literal.
    fn borrowed(&mut self, head: &str, node: NodeId, want: Want) -> Option<Value> {
        if matches!(want, Want::Borrow { .. } | Want::Part)
            && let Some(text) = self.literal_text(node)
        {
            let id = self.cx.literal(&text);
            return Some(Value::new(Expr::ViewLit(id), Ty::View));
        }
        let name = self.tree.string(node)?;
        if name == "input" {
            return None;
        }
        let id = self.vars.lookup(&name)?;
        let var = self.vars.get(id);
        let (ty, local, brand) = (var.ty, var.local, var.brand.clone());
        let fits = match want {
            Want::Borrow { vec } => ty == Ty::Bytes || (vec && ty == Ty::Vec),
            Want::Peek(wanted) => ty == wanted && ty.is_owned(),
            Want::Value(_) | Want::Part | Want::Whole => return self.wrong_variable(head, node, want, id),
        };
        if !fits {
            return self.wrong_variable(head, node, want, id);
        }
        if !self.usable(id, node) {
            return Some(Value::poison());
        }
        let roots = vec![Root::Owner(id)];
        Some(match want {
            Want::Borrow { .. } => {
                let brand = if ty == Ty::Vec { Brand::None } else { brand };
                Value { roots, brand, ..Value::new(Expr::ViewOf(local), Ty::View) }
            }
            _ => Value { roots, brand, ..Value::new(Expr::Get(local), ty) },
        })
    }

    /// A variable of a type that does not fit is reported without being moved.
    fn wrong_variable(&mut self, head: &str, node: NodeId, want: Want, id: VarId) -> Option<Value> {
        let found = self.vars.get(id).ty;
        let fits = match want {
            Want::Value(ty) | Want::Peek(ty) => ty == found || converts(ty, found),
            Want::Borrow { .. } => found == Ty::View,
            Want::Part => found == Ty::Bytes,
            Want::Whole => matches!(found, Ty::Bytes | Ty::Vec | Ty::View),
        };
        if fits || found == Ty::Never {
            return None;
        }
        self.wrong_operand(head, node, want, found);
        Some(Value::poison())
    }

    /// The text of `["bytes.lit", text]`.
    pub(super) fn literal_text(&self, node: NodeId) -> Option<String> {
        if self.tree.kind(node) != Kind::Array {
            return None;
        }
        let (head, args) = self.split(node)?;
        let &[text] = args.as_slice() else { return None };
        if head == "bytes.lit" { self.tree.string(text).map(|text| text.into_owned()) } else { None }
    }

    /// Checks the type of an operand.
    pub(super) fn expect_operand(&mut self, head: &str, node: NodeId, wanted: Ty, found: Ty) {
        if found != wanted && found != Ty::Never {
            self.wrong_operand(head, node, Want::Value(wanted), found);
        }
    }

    pub(super) fn wrong_operand(&mut self, head: &str, node: NodeId, want: Want, found: Ty) {
        let number = self.argument_number(node);
        let message = format!(
            "argument {number} of `{}` must be {}, found `{}`",
            module::shorten(head),
            want.describe(),
            types::name(found)
        );
        let mut problem = Problem::error(Code::X07TypeCall0002, Stage::Type, message)
            .with_data("head", head)
            .with_data("argument", number)
            .with_data("expected", types::name(want.ty()))
            .with_data("found", types::name(found));
        match (want, found) {
            (Want::Value(Ty::View), Ty::Bytes | Ty::Vec) => {
                let borrow = if found == Ty::Vec { "vec_u8.as_view" } else { "bytes.view" };
                if let Some(name) = self.tree.string(node) {
                    let patch = vec![PatchOp::Replace {
                        path: self.tree.pointer(node),
                        value: serde_json::json!([borrow, &*name]),
                    }];
                    problem = problem
                        .with_note(format!("borrow it: [\"{borrow}\", \"{}\"]", module::shorten(&name)))
                        .with_fix("borrow the value", patch);
                } else {
                    problem = problem.with_note(format!("bind the value with `let`, then borrow it with `{borrow}`"));
                }
            }
            (Want::Value(Ty::Bytes) | Want::Part, Ty::View) => {
                problem = problem.with_note("copy the view: [\"view.to_bytes\", VIEW]");
            }
            (Want::Value(Ty::Bytes) | Want::Part, Ty::Vec) => {
                problem = problem.with_note("turn the vector into bytes: [\"vec_u8.into_bytes\", VECTOR]");
            }
            _ => {}
        }
        self.report(node, problem);
    }
}

/// What the operands after one may do.
#[derive(Clone, Copy)]
struct Later {
    /// Leave the function.
    exits: bool,
    /// Be stored before the operation.
    stores: bool,
    /// Be evaluated at all: one of them is a list.
    lists: bool,
    /// All operands end up in locals.
    settle: bool,
}

/// Whether an operand is a constant, or a local that no later list can change.
fn is_settled(expr: &Expr, later_lists: bool) -> bool {
    let local = matches!(expr, Expr::Get(_) | Expr::Take(_) | Expr::ViewOf(_));
    is_constant(expr) || (local && !later_lists)
}

/// Whether an expression always has the same value and no effect.
fn is_constant(expr: &Expr) -> bool {
    matches!(expr, Expr::I32(_) | Expr::ViewLit(_) | Expr::Input)
}
