//! Small functions into their callers.
//!
//! Functions are visited callees first, so a callee is as small as it gets when its callers are.
//! What is put into a caller is a copy of the callee's body behind assignments of its parameters,
//! with locals of its own. A parameter that the callee never assigns is replaced by an argument that
//! is a constant or a variable. An owned argument that is a whole variable, `f(v, …)`, lets the
//! callee work on that variable: it is empty afterwards either way.
//!
//! The locals of a copy may serve several copies of the same callee, also round after round of a
//! loop, although locals start empty: owned ones are empty again at the callee's end, and a callee
//! that may read another local before it assigned it is not inlined.
//!
//! A trap keeps its site, and the program remembers which function such sites are from.

use std::collections::{BTreeMap, BTreeSet};

use super::look::{self, deep, take};
use super::{fold, prune, returns, words};
use crate::compiler::ir::{Expr, FuncId, Function, FunctionKind, Local, Op, Origin, Program, Site, SiteId, Ty};

/// Callees of at most this many nodes are inlined everywhere: they are hardly larger than a call.
const TINY: usize = 24;
/// The largest callee that is inlined in loops.
const SMALL: usize = 120;
/// The largest callee that is inlined when there is only one call of it.
const SINGLE: usize = 160;
/// What inlining may add to a function, as a multiple of its size, and at least.
const GROWTH: usize = 2;
const LEAST_GROWTH: usize = 600;
/// The most locals of a function that is given more of them by inlining.
const MOST_LOCALS: usize = 10_000;
/// How many nodes a question about an argument may look at.
const GLANCE: u32 = 32;

/// Inlines in all plain functions of a program.
pub(super) fn program(program: &mut Program) {
    let order = callees_first(&program.functions);
    let calls = count_calls(&program.functions);
    own_sites(program);
    let owners = owners(program);
    let mut candidates: Vec<Option<Candidate>> = vec![None; program.functions.len()];
    let mut inlined: BTreeSet<u32> = BTreeSet::new();
    for id in order {
        let index = id as usize;
        if program.functions[index].kind == FunctionKind::Plain {
            let mut body = take(&mut program.functions[index].body);
            let locals = std::mem::take(&mut program.functions[index].locals);
            let room = look::size(&body, usize::MAX).saturating_mul(GROWTH).max(LEAST_GROWTH);
            let mut inliner = Inliner {
                functions: &program.functions,
                candidates: &candidates,
                calls: &calls,
                locals,
                copies: BTreeMap::new(),
                levels: BTreeMap::new(),
                loops: 0,
                room,
                used: BTreeSet::new(),
            };
            inliner.walk(&mut body);
            let Inliner { locals, used, .. } = inliner;
            let function = &mut program.functions[index];
            function.body = body;
            function.locals = locals;
            if !used.is_empty() {
                fold::function(function);
                words::function(function);
                // What folding made unnecessary must not go on into every caller.
                prune::locals(function);
            }
            inlined.extend(used);
        }
        candidates[index] = candidate(&mut program.functions[index]);
    }
    remember(program, &inlined, &owners);
}

/// A function that may be inlined.
#[derive(Clone, Debug)]
struct Candidate {
    size: usize,
    /// Locals that the body may give another value.
    changed: BTreeSet<Local>,
}

/// Functions with every callee before its callers, as far as calls have no cycles.
fn callees_first(functions: &[Function]) -> Vec<u32> {
    let callees: Vec<Vec<u32>> = functions.iter().map(callees).collect();
    let mut seen = vec![false; functions.len()];
    let mut order = Vec::with_capacity(functions.len());
    for start in 0..functions.len() {
        if seen[start] {
            continue;
        }
        seen[start] = true;
        // Each with the number of its callees that were visited.
        let mut open: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((index, visited)) = open.last_mut() {
            let next = callees[*index].get(*visited).copied();
            *visited += 1;
            match next {
                Some(callee) => {
                    let callee = callee as usize;
                    if callee < functions.len() && !seen[callee] {
                        seen[callee] = true;
                        open.push((callee, 0));
                    }
                }
                None => {
                    order.push(u32::try_from(*index).unwrap_or(u32::MAX));
                    open.pop();
                }
            }
        }
    }
    order
}

fn callees(function: &Function) -> Vec<u32> {
    let mut found = Vec::new();
    look::any(&function.body, |node| {
        if let Expr::Call { func, .. } = node {
            found.push(func.0);
        }
        false
    });
    found
}

fn count_calls(functions: &[Function]) -> Vec<usize> {
    let mut counts = vec![0; functions.len()];
    for function in functions {
        look::any(&function.body, |node| {
            if let Expr::Call { func, .. } | Expr::Spawn { func, .. } = node
                && let Some(count) = counts.get_mut(func.0 as usize)
            {
                *count += 1;
            }
            false
        });
    }
    counts
}

/// The sites of bodies that several functions have: instances of one generic function.
fn shared_sites(functions: &[Function]) -> BTreeSet<SiteId> {
    let mut seen = BTreeSet::new();
    functions.iter().map(|function| function.site).filter(|site| !seen.insert(*site)).collect()
}

/// Whether and how a function can be inlined.
fn candidate(function: &mut Function) -> Option<Candidate> {
    if function.kind != FunctionKind::Plain || look::size(&function.body, SINGLE + 1) > SINGLE {
        return None;
    }
    let returns = |node: &Expr| matches!(node, Expr::Return { .. });
    if look::any(&function.body, returns) {
        returns::function(function);
        fold::function(function);
    }
    // Operations on task scopes belong to the function that runs.
    let stays = |node: &Expr| {
        matches!(
            node,
            Expr::Return { .. }
                | Expr::Try { .. }
                | Expr::Wait { .. }
                | Expr::Spawn { .. }
                | Expr::Op { op: Op::Task(_), .. }
        )
    };
    if look::any(&function.body, stays) || !reads_after_writes(function) {
        return None;
    }
    let mut changed = BTreeSet::new();
    look::any(&function.body, |node| {
        changed.extend(look::changed_local(node));
        false
    });
    Some(Candidate { size: look::size(&function.body, SINGLE + 1), changed })
}

/// Whether every local that owns nothing, but for parameters, is certainly assigned before it is read.
fn reads_after_writes(function: &Function) -> bool {
    let params = function.params as usize;
    let assigned = (0..).zip(&function.locals).map(|(index, ty)| index < params || ty.is_owned()).collect();
    let mut reads = Reads { assigned, fine: true };
    reads.walk(&function.body);
    reads.fine
}

/// The state of [`reads_after_writes`].
struct Reads {
    /// For each local, whether it certainly has a value.
    assigned: Vec<bool>,
    fine: bool,
}

impl Reads {
    fn walk(&mut self, expr: &Expr) {
        deep(|| match expr {
            Expr::Store { local, value, .. } => {
                self.walk(value);
                self.assign(*local);
            }
            Expr::For { var, start, end, body } => {
                self.walk(start);
                self.assign(*var);
                self.walk(end);
                self.maybe(body);
            }
            Expr::While { cond, body } => {
                self.walk(cond);
                self.maybe(body);
            }
            Expr::If { cond, then, otherwise, .. } => {
                self.walk(cond);
                self.arms(&[&**then, &**otherwise]);
            }
            Expr::Switch { value, arms, .. } => {
                self.walk(value);
                let arms: Vec<&Expr> = arms.iter().collect();
                self.arms(&arms);
            }
            other => {
                // An operation in place reads its local last.
                other.for_each_part(|part| self.walk(part));
                if let Some(local) = look::local_of(other)
                    && self.assigned.get(local.0 as usize) != Some(&true)
                {
                    self.fine = false;
                }
            }
        });
    }

    fn assign(&mut self, local: Local) {
        if let Some(assigned) = self.assigned.get_mut(local.0 as usize) {
            *assigned = true;
        }
    }

    /// A part that may not run.
    fn maybe(&mut self, expr: &Expr) {
        let before = self.assigned.clone();
        self.walk(expr);
        self.assigned = before;
    }

    /// Parts of which one runs.
    fn arms(&mut self, arms: &[&Expr]) {
        let before = self.assigned.clone();
        let mut all = vec![true; before.len()];
        for arm in arms {
            self.assigned.clone_from(&before);
            self.walk(arm);
            for (all, assigned) in all.iter_mut().zip(&self.assigned) {
                *all &= *assigned;
            }
        }
        self.assigned = all;
    }
}

/// Gives functions that share their sites, instances of one generic function, sites of their own, so
/// that a site tells the function.
fn own_sites(program: &mut Program) {
    let shared = shared_sites(&program.functions);
    let Program { functions, sites, .. } = program;
    for function in functions.iter_mut().filter(|function| shared.contains(&function.site)) {
        let mut copies: BTreeMap<SiteId, SiteId> = BTreeMap::new();
        look::each_mut(&mut function.body, &mut |node| {
            let Some(site) = look::site_of_mut(node) else { return };
            if let Some(copy) = copies.get(site) {
                *site = *copy;
                return;
            }
            let Some(original) = sites.get(site.0 as usize) else { return };
            let Ok(number) = u32::try_from(sites.len()) else { return };
            let twin = Site { parent: original.parent, step: original.step.clone() };
            sites.push(twin);
            copies.insert(*site, SiteId(number));
            *site = SiteId(number);
        });
    }
}

/// For each site, the function whose code has it.
fn owners(program: &mut Program) -> Vec<Option<u32>> {
    let mut owners = vec![None; program.sites.len()];
    for (id, function) in (0..).zip(&mut program.functions) {
        look::each_mut(&mut function.body, &mut |node| {
            if let Some(site) = look::site_of_mut(node)
                && let Some(owner) = owners.get_mut(site.0 as usize)
            {
                *owner = Some(id);
            }
        });
    }
    owners
}

/// Notes which functions the sites of inlined code belong to.
fn remember(program: &mut Program, inlined: &BTreeSet<u32>, owners: &[Option<u32>]) {
    let mut numbers: BTreeMap<u32, u32> = BTreeMap::new();
    for (number, id) in (0..).zip(inlined) {
        if let Some(function) = program.functions.get(*id as usize) {
            program.origins.push(Origin { symbol: function.symbol.clone(), module: function.module });
            numbers.insert(*id, number);
        }
    }
    for (site, owner) in (0..).zip(owners) {
        if let Some(number) = owner.and_then(|owner| numbers.get(&owner)) {
            program.inlined.insert(SiteId(site), *number);
        }
    }
}

/// What stands for a local of the callee.
#[derive(Clone, Debug)]
enum Stand {
    /// A local of the caller.
    Local(Local),
    /// An expression without effect.
    Value(Expr),
}

/// Inlining into one function.
struct Inliner<'p> {
    functions: &'p [Function],
    candidates: &'p [Option<Candidate>],
    calls: &'p [usize],
    locals: Vec<Ty>,
    /// For each callee, the first local of each of its sets of locals.
    copies: BTreeMap<u32, Vec<u32>>,
    /// For each callee, how many calls of it enclose the present place.
    levels: BTreeMap<u32, usize>,
    /// How many loops enclose the present place.
    loops: usize,
    /// How many nodes may still be added.
    room: usize,
    /// The callees that were inlined.
    used: BTreeSet<u32>,
}

impl Inliner<'_> {
    fn walk(&mut self, expr: &mut Expr) {
        deep(|| match expr {
            Expr::For { start, end, body, .. } => {
                self.walk(start);
                self.walk(end);
                self.loops += 1;
                self.walk(body);
                self.loops -= 1;
            }
            Expr::While { cond, body } => {
                self.loops += 1;
                self.walk(cond);
                self.walk(body);
                self.loops -= 1;
            }
            Expr::Call { func, args, site } => {
                let (func, site) = (*func, *site);
                if self.wants(func, args) {
                    *self.levels.entry(func.0).or_default() += 1;
                    for arg in args.iter_mut() {
                        self.walk(arg);
                    }
                    let args = std::mem::take(args);
                    let level = self.levels.entry(func.0).or_default();
                    *level -= 1;
                    let level = *level;
                    *expr = self.expand(func, args, site, level);
                } else {
                    for arg in args {
                        self.walk(arg);
                    }
                }
            }
            other => other.for_each_part_mut(|part| self.walk(part)),
        });
    }

    /// Whether a call becomes a copy of the callee; takes the room that it needs.
    fn wants(&mut self, func: FuncId, args: &[Expr]) -> bool {
        let index = func.0 as usize;
        let Some(Some(candidate)) = self.candidates.get(index) else { return false };
        let single = self.calls.get(index) == Some(&1);
        let limit = if single {
            SINGLE
        } else if self.loops > 0 {
            SMALL
        } else {
            TINY
        };
        let fits = self.functions.get(index).is_some_and(|callee| {
            callee.params as usize == args.len()
                && callee.locals.len() >= args.len()
                && callee.locals.len() <= MOST_LOCALS
        });
        if !fits || candidate.size > limit || self.locals.len() > MOST_LOCALS || self.may_be_lost(index, args) {
            return false;
        }
        // The only copy of a function adds nothing: the function itself goes.
        if !single && candidate.size > TINY {
            if candidate.size > self.room {
                return false;
            }
            self.room -= candidate.size;
        }
        true
    }

    /// Whether an owned argument waits while a later one may leave the function: what frees it then
    /// knows the operands of a call, but not the locals of an inlined body.
    fn may_be_lost(&self, callee: usize, args: &[Expr]) -> bool {
        let Some(callee) = self.functions.get(callee) else { return true };
        let owned = (0..).zip(args).position(|(number, _)| callee.local_ty(Local(number)).is_owned());
        let Some(owned) = owned else { return false };
        let mut budget = GLANCE;
        args.iter().skip(owned + 1).any(|arg| look::may_leave(arg, &mut budget))
    }

    /// The callee's body for these arguments.
    fn expand(&mut self, func: FuncId, args: Vec<Expr>, site: SiteId, level: usize) -> Expr {
        let functions = self.functions;
        let candidates = self.candidates;
        let index = func.0 as usize;
        let (Some(callee), Some(Some(candidate))) = (functions.get(index), candidates.get(index)) else {
            // Callers ask `wants` first, which found both.
            return Expr::Call { func, args, site };
        };
        self.used.insert(func.0);
        let first = self.locals_for(func, callee, level);
        let mut stands: Vec<Stand> =
            (first..).zip(&callee.locals).map(|(number, _)| Stand::Local(Local(number))).collect();
        let mut replaced = vec![false; args.len()];
        for (number, arg) in args.iter().enumerate() {
            let others = || args.iter().enumerate().filter(move |(other, _)| *other != number).map(|(_, arg)| arg);
            let param = Local(u32::try_from(number).unwrap_or(u32::MAX));
            let stand = match arg {
                Expr::I32(_) | Expr::ViewLit(_) | Expr::Input => Stand::Value(arg.clone()),
                Expr::Get(local) | Expr::ViewOf(local) if unchanged(*local, others()) => Stand::Value(arg.clone()),
                Expr::Take(local) if unmentioned(*local, others()) => Stand::Local(*local),
                _ => continue,
            };
            let fits = match stand {
                Stand::Local(_) => callee.local_ty(param).is_owned(),
                Stand::Value(_) => !callee.local_ty(param).is_owned() && !candidate.changed.contains(&param),
            };
            if !fits {
                continue;
            }
            // `wants` saw that the callee has a local for each argument.
            stands[number] = stand;
            replaced[number] = true;
        }
        let mut body = Vec::new();
        for (number, arg) in args.into_iter().enumerate() {
            if !replaced[number]
                && let Some(Stand::Local(local)) = stands.get(number)
            {
                body.push(Expr::Store { local: *local, value: Box::new(arg), drop_old: false });
            }
        }
        let mut value = callee.body.clone();
        look::each_mut(&mut value, &mut |node| rename(node, &stands));
        Expr::Block { body, value: Some(Box::new(value)), cleanup: Vec::new() }
    }

    /// The first local of the callee's set of locals for calls at this level.
    fn locals_for(&mut self, func: FuncId, callee: &Function, level: usize) -> u32 {
        let sets = self.copies.entry(func.0).or_default();
        while sets.len() <= level {
            sets.push(u32::try_from(self.locals.len()).unwrap_or(u32::MAX));
            self.locals.extend(&callee.locals);
        }
        sets[level]
    }
}

fn unchanged<'e>(local: Local, mut others: impl Iterator<Item = &'e Expr>) -> bool {
    let mut budget = GLANCE;
    others.all(|other| !look::changes(other, local, &mut budget))
}

fn unmentioned<'e>(local: Local, mut others: impl Iterator<Item = &'e Expr>) -> bool {
    let mut budget = GLANCE;
    others.all(|other| !look::mentions(other, local, &mut budget))
}

/// Puts the caller's locals and values in place of the callee's locals.
fn rename(node: &mut Expr, stands: &[Stand]) {
    let Some(local) = look::local_of(node) else { return };
    let Some(stand) = stands.get(local.0 as usize) else { return };
    match stand {
        Stand::Local(new) => {
            if let Some(place) = look::local_of_mut(node) {
                *place = *new;
            }
        }
        Stand::Value(value) => match node {
            Expr::Get(_) => *node = value.clone(),
            Expr::ViewOf(_) => {
                *node = match value {
                    Expr::Get(source) => Expr::ViewOf(*source),
                    other => other.clone(),
                };
            }
            // The callee never changes a parameter that a value stands for.
            _ => {}
        },
    }
}
