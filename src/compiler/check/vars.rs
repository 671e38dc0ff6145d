//! The variables of one function: names, scopes, what was moved, what borrows from what.
//!
//! Every change of a variable's state goes through [`Vars::set_state`], which remembers the old
//! state, so that the two branches of an `if` can start from the same one ([`Vars::mark`],
//! [`Vars::rollback`]). It also counts for each owner how many live views borrow from it.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::compiler::ir::{Local, Ty};
use crate::compiler::types::Brand;
use crate::contract::json::tree::NodeId;

/// A variable, named or hidden. Only [`Vars::declare`] makes ids, so every id is valid in the
/// table that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct VarId(usize);

/// What a view points into. Views of literals and of the input have no root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Root {
    /// The value of an owned variable.
    Owner(VarId),
    /// What the view given for this parameter points into.
    Param(u32),
    /// What this view variable points into at the end of a round of this loop, in which the value
    /// is used. What that is becomes known when the loop was looked at as a whole.
    Carried(VarId, LoopId),
}

/// A loop of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LoopId(pub(super) u32);

/// A view that is of no use any more if, at the end of a round of a loop, `view` points into
/// `owner`: the owner was given another value after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stale {
    /// The variable that carried the view from one round to the next.
    pub view: VarId,
    /// The loop.
    pub of: LoopId,
    /// What was moved, replaced or changed.
    pub owner: VarId,
    /// Where.
    pub at: NodeId,
}

/// The roots of a value, sorted, without duplicates; empty for values that are not views.
pub(super) type Roots = Vec<Root>;

/// Both roots.
pub(super) fn union(a: &[Root], b: &[Root]) -> Roots {
    let mut all: Roots = a.iter().chain(b).copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A move out of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    /// The expression that took the value.
    pub at: NodeId,
    /// Whether it happened on every path.
    pub definite: bool,
}

/// What changes about a variable as the program runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Whether its value may be gone.
    pub moved: Option<Moved>,
    /// For a view: what it points into.
    pub roots: Roots,
    /// For a view: why it may be of no use.
    pub stale: Vec<Stale>,
}

impl State {
    /// The state where two paths with these states meet.
    pub(super) fn join(&self, other: &Self) -> Self {
        let moved = match (self.moved, other.moved) {
            (Some(a), Some(b)) => Some(Moved { at: a.at, definite: a.definite && b.definite }),
            (Some(one), None) | (None, Some(one)) => Some(Moved { at: one.at, definite: false }),
            (None, None) => None,
        };
        let mut stale: Vec<Stale> = self.stale.iter().chain(&other.stale).copied().collect();
        stale.sort_unstable();
        stale.dedup();
        Self { moved, roots: union(&self.roots, &other.roots), stale }
    }
}

/// A variable.
#[derive(Clone, Debug)]
pub(super) struct Var {
    /// Its name; none for a temporary that the compiler made.
    pub name: Option<Rc<str>>,
    /// Its type; [`Ty::Never`] when an earlier problem hides it.
    pub ty: Ty,
    /// Its brand.
    pub brand: Brand,
    /// The local that holds it.
    pub local: Local,
    /// Where it is declared.
    pub declared: NodeId,
    /// How many loops enclose its declaration.
    pub loops: usize,
    /// How many scopes enclose its declaration.
    scope: usize,
    /// Whether its scope is still open.
    alive: bool,
    state: State,
    /// How many live views and held values point into it.
    borrows: usize,
}

impl Var {
    /// Its state.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Whether something alive points into it.
    pub(super) fn is_borrowed(&self) -> bool {
        self.borrows > 0
    }

    /// Whether its value is gone on every path.
    pub(super) fn is_gone(&self) -> bool {
        self.state.moved.is_some_and(|moved| moved.definite)
    }
}

/// The variables of a function.
#[derive(Default)]
pub(super) struct Vars {
    vars: Vec<Var>,
    /// Open scopes, the innermost last, each with its variables in order of declaration.
    scopes: Vec<Vec<VarId>>,
    /// Live variables of each name, the innermost last.
    names: HashMap<Rc<str>, Vec<VarId>>,
    /// Old states, the newest last.
    trail: Vec<(VarId, State)>,
    /// How many live variables and held values have a [`Root::Carried`].
    carried: BTreeMap<(VarId, LoopId), usize>,
    /// Which variables names mean, when not all.
    window: Option<Window>,
}

/// A part of the variables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// The first variables, by number.
    params: usize,
    /// The first scope whose variables belong to it as well.
    scope: usize,
}

impl Vars {
    /// Opens a scope.
    pub(super) fn open(&mut self) {
        self.scopes.push(Vec::new());
    }

    /// Closes the innermost scope: its variables die. Yields those that were alive, in order of
    /// declaration.
    pub(super) fn close(&mut self) -> Vec<VarId> {
        let mut ids = self.scopes.pop().unwrap_or_default();
        ids.retain(|&id| self.get(id).alive);
        for &id in ids.iter().rev() {
            self.kill(id);
        }
        ids
    }

    /// Declares a variable in the innermost scope.
    pub(super) fn declare(&mut self, var: NewVar, roots: Roots, loops: usize) -> VarId {
        let id = VarId(self.vars.len());
        self.hold(&roots);
        if let Some(name) = &var.name {
            self.names.entry(Rc::clone(name)).or_default().push(id);
        }
        self.vars.push(Var {
            name: var.name,
            ty: var.ty,
            brand: var.brand,
            local: var.local,
            declared: var.declared,
            loops,
            scope: self.scopes.len(),
            alive: true,
            state: State { roots, ..State::default() },
            borrows: 0,
        });
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(id);
        }
        id
    }

    /// Ends a variable's life: it borrows nothing any more and its name is free.
    pub(super) fn kill(&mut self, id: VarId) {
        let var = self.get_mut(id);
        if !var.alive {
            return;
        }
        var.alive = false;
        let roots = var.state.roots.clone();
        let name = var.name.clone();
        self.release(&roots);
        if let Some(name) = name
            && let Some(stack) = self.names.get_mut(&name)
            && let Some(at) = stack.iter().rposition(|&other| other == id)
        {
            stack.remove(at);
        }
    }

    /// The innermost live variable of this name.
    pub(super) fn lookup(&self, name: &str) -> Option<VarId> {
        let stack = self.names.get(name)?;
        match self.window {
            None => stack.last().copied(),
            Some(Window { params, scope }) => {
                stack.iter().rev().find(|id| id.0 < params || self.get(**id).scope >= scope).copied()
            }
        }
    }

    /// How many variables were declared so far.
    pub(super) fn count(&self) -> usize {
        self.vars.len()
    }

    /// Hides all variables but the first `params`, which are the parameters, and those of scopes that
    /// are opened from now on; yields what was hidden before, for [`Vars::show`].
    pub(super) fn hide(&mut self, params: usize) -> Option<Window> {
        self.window.replace(Window { params, scope: self.scopes.len() + 1 })
    }

    /// Takes back [`Vars::hide`].
    pub(super) fn show(&mut self, before: Option<Window>) {
        self.window = before;
    }

    /// Whether the innermost scope declares this name.
    pub(super) fn is_declared_here(&self, name: &str) -> bool {
        self.lookup(name).is_some_and(|id| self.get(id).scope == self.scopes.len())
    }

    /// Names of live variables, sorted.
    pub(super) fn live_names(&self) -> Vec<Rc<str>> {
        let mut names: Vec<Rc<str>> =
            self.names.iter().filter(|(_, stack)| !stack.is_empty()).map(|(name, _)| Rc::clone(name)).collect();
        names.sort();
        names
    }

    /// A variable.
    pub(super) fn get(&self, id: VarId) -> &Var {
        // Ids come from `declare`, which added the variable to this table; none is ever removed.
        &self.vars[id.0]
    }

    fn get_mut(&mut self, id: VarId) -> &mut Var {
        // As in `get`.
        &mut self.vars[id.0]
    }

    /// Fixes the brand of a variable that was declared with [`Brand::Any`].
    pub(super) fn set_brand(&mut self, id: VarId, brand: Brand) {
        self.get_mut(id).brand = brand;
    }

    /// Changes a variable's state.
    pub(super) fn set_state(&mut self, id: VarId, state: State) {
        self.hold(&state.roots);
        let old = std::mem::replace(&mut self.get_mut(id).state, state);
        self.release(&old.roots);
        self.trail.push((id, old));
    }

    /// Marks a variable's value as gone.
    pub(super) fn set_moved(&mut self, id: VarId, at: NodeId) {
        let state = State { moved: Some(Moved { at, definite: true }), ..self.get(id).state.clone() };
        self.set_state(id, state);
    }

    /// Counts a value that points into these roots as alive.
    pub(super) fn hold(&mut self, roots: &[Root]) {
        for root in roots {
            match *root {
                Root::Owner(id) => self.get_mut(id).borrows += 1,
                Root::Carried(view, of) => *self.carried.entry((view, of)).or_default() += 1,
                Root::Param(_) => {}
            }
        }
    }

    /// Takes back what [`Vars::hold`] counted.
    pub(super) fn release(&mut self, roots: &[Root]) {
        for root in roots {
            match *root {
                Root::Owner(id) => {
                    let var = self.get_mut(id);
                    var.borrows = var.borrows.saturating_sub(1);
                }
                Root::Carried(view, of) => {
                    let left = self.carried.get_mut(&(view, of)).map_or(0, |count| {
                        *count = count.saturating_sub(1);
                        *count
                    });
                    if left == 0 {
                        self.carried.remove(&(view, of));
                    }
                }
                Root::Param(_) => {}
            }
        }
    }

    /// An owner gets another value: marks the variables that may point into its present one since an
    /// earlier round of a loop. Yields what waiting values would be of no use likewise.
    pub(super) fn replaced(&mut self, owner: VarId, at: NodeId) -> Vec<Stale> {
        if self.carried.is_empty() {
            return Vec::new();
        }
        let mut waiting = self.carried.clone();
        let mut marks: Vec<(VarId, State)> = Vec::new();
        for &id in self.scopes.iter().flatten() {
            let var = self.get(id);
            if !var.alive {
                continue;
            }
            let mut state: Option<State> = None;
            for root in &var.state.roots {
                let Root::Carried(view, of) = *root else { continue };
                if let Some(count) = waiting.get_mut(&(view, of)) {
                    *count = count.saturating_sub(1);
                }
                // What happened first explains it.
                let known = |old: &Stale| (old.view, old.of, old.owner) == (view, of, owner);
                if !var.state.stale.iter().any(known) {
                    state.get_or_insert_with(|| var.state.clone()).stale.push(Stale { view, of, owner, at });
                }
            }
            marks.extend(state.map(|state| (id, state)));
        }
        for (id, mut state) in marks {
            state.stale.sort_unstable();
            state.stale.dedup();
            self.set_state(id, state);
        }
        let waiting = waiting.into_iter().filter(|(_, count)| *count > 0);
        waiting.map(|((view, of), _)| Stale { view, of, owner, at }).collect()
    }

    /// The present moment, for [`Vars::rollback`].
    pub(super) fn mark(&self) -> usize {
        self.trail.len()
    }

    /// Takes back all changes since `mark`; yields the states that changed variables had.
    pub(super) fn rollback(&mut self, mark: usize) -> BTreeMap<VarId, State> {
        let mut ends = BTreeMap::new();
        while self.trail.len() > mark {
            let Some((id, old)) = self.trail.pop() else { break };
            if !self.get(id).alive {
                continue;
            }
            self.hold(&old.roots);
            let new = std::mem::replace(&mut self.get_mut(id).state, old);
            self.release(&new.roots);
            // The newest change comes first: it is the state at the end.
            ends.entry(id).or_insert(new);
        }
        ends
    }

    /// Live variables, the innermost scope first, in each the newest first.
    pub(super) fn live(&self) -> impl Iterator<Item = &Var> {
        self.scopes
            .iter()
            .rev()
            .flat_map(|scope| scope.iter().rev())
            .map(move |&id| self.get(id))
            .filter(|var| var.alive)
    }

    /// The name of a live view variable that points into an owner, for messages.
    pub(super) fn borrower(&self, owner: VarId) -> Option<&Var> {
        self.live().find(|var| var.name.is_some() && var.state.roots.contains(&Root::Owner(owner)))
    }
}

/// What [`Vars::declare`] needs to know.
pub(super) struct NewVar {
    /// Its name; none for a temporary.
    pub name: Option<Rc<str>>,
    /// Its type.
    pub ty: Ty,
    /// Its brand.
    pub brand: Brand,
    /// The local that holds it.
    pub local: Local,
    /// Where it is declared.
    pub declared: NodeId,
}

/// The local slots of a function. A slot is used again once its variable is gone; the slots of
/// owned types are empty then.
#[derive(Default)]
pub(super) struct Slots {
    types: Vec<Ty>,
    free: BTreeMap<Ty, Vec<Local>>,
}

impl Slots {
    /// A slot of this type that nothing else uses.
    pub(super) fn take(&mut self, ty: Ty) -> Local {
        if let Some(local) = self.free.get_mut(&ty).and_then(Vec::pop) {
            return local;
        }
        let local = Local(u32::try_from(self.types.len()).unwrap_or(u32::MAX));
        self.types.push(ty);
        local
    }

    /// Lets a slot be used again.
    pub(super) fn give_back(&mut self, local: Local) {
        if let Some(&ty) = self.types.get(local.0 as usize) {
            self.free.entry(ty).or_default().push(local);
        }
    }

    /// The types of all slots.
    pub(super) fn types(&self) -> &[Ty] {
        &self.types
    }
}
