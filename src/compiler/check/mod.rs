//! Checks reachable functions and builds the intermediate representation of them.
//!
//! | module | job |
//! |---|---|
//! | this one | the program: signatures, order, what functions share (literals, sites) |
//! | `function` | one function: reading variables, scopes, results, reporting |
//! | `forms` | `begin`, `let`, `set`, `if`, `return`, `try` |
//! | `loops` | `for`, `while` |
//! | `apply` | all other lists: which head is what, built-in operations |
//! | `builtins` | the table of built-in operations |
//! | `library` | the operations of the run-time library among them |
//! | `call` | calls of functions |
//! | `generics` | `tapp` and the `ty.…` intrinsics |
//! | `records` | records and enums, `match` |
//! | `brands` | operations on brands |
//! | `floats` | `math.f64.…` |
//! | `tasks` | tasks, channels, task scopes, select |
//! | `budgets` | budget scopes |
//! | `contracts` | requires, ensures, invariant |
//! | `exits` | leaving a function |
//! | `operands` | evaluation order, borrowed temporaries, values that wait for later operands |
//! | `heads` | heads that are known but not allowed or not supported; suggestions |
//! | `vars` | variables, moves, borrows, local slots |
//!
//! A function's body is visited once: the visit checks types, moves and borrows and yields the
//! expression tree. After a problem it goes on with a value of type [`Ty::Never`], which fits
//! everywhere, so that one mistake is reported once. Nothing here reads files or emits wasm.

mod apply;
mod brands;
mod budgets;
mod builtins;
mod call;
mod contracts;
mod exits;
mod floats;
mod forms;
mod function;
mod generics;
mod heads;
mod library;
mod loops;
mod operands;
mod records;
mod tasks;
#[cfg(test)]
mod tests;
mod vars;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::Options;
use super::generic::{Bindings, Bound};
use super::ir::{Clause, DataId, FuncId, Function, Program, Site, SiteId, Step, Ty};
use super::module::{self, FunctionDecl, FunctionKind};
use super::problem::{Problem, Sink};
use super::resolve::{FunctionRef, Index, Loaded, Reach, SOLVE};
use super::source::ModuleSource;
use super::types::{self, Brand, TypeExpr};
use crate::contract::json::tree::{Kind, NodeId, Tree};

/// Checks all reachable functions. `None` when the program has no entry; when there are problems
/// the program is not to be used.
pub(super) fn program<'a>(
    source: &'a dyn ModuleSource,
    loaded: &'a Loaded,
    trees: &'a [Tree<'a>],
    index: &'a Index,
    reach: &'a Reach,
    options: &'a Options,
    sink: &'a mut Sink,
) -> Option<Program> {
    let mut cx = Context::new(source, loaded, trees, index, reach, options, sink);
    for id in 0..cx.entries.len() {
        cx.declare(id);
    }
    for id in 0..cx.entries.len() {
        cx.ensure(id);
    }
    cx.check_unused_contracts();
    cx.finish()
}

/// The types of a function's parameters and result.
struct Signature {
    /// Whether a call starts a task; the result is then what the task yields.
    is_task: bool,
    params: Vec<Param>,
    result: Ty,
    brand: Brand,
}

/// A parameter.
struct Param {
    name: Rc<str>,
    ty: Ty,
    brand: Brand,
    /// Where it is declared.
    node: NodeId,
}

/// How far the check of a function is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Waiting,
    Running,
    Done,
}

/// A reachable function, or a reachable specialisation of a generic one.
struct Entry<'a> {
    symbol: &'a str,
    /// How messages name it.
    name: &'a str,
    /// Its declaration; none for the entry's expression.
    owner: Option<FunctionRef>,
    /// Its type arguments.
    types: Bindings<'a>,
    /// None for functions that cannot be called; the reason was reported, or is at each call.
    signature: Option<Rc<Signature>>,
    progress: Progress,
    /// The parameters that a returned view may point into.
    views: Vec<u32>,
    function: Option<Function>,
}

/// What the functions of a program share.
struct Context<'a> {
    source: &'a dyn ModuleSource,
    loaded: &'a Loaded,
    trees: &'a [Tree<'a>],
    index: &'a Index,
    reach: &'a Reach,
    options: &'a Options,
    sink: &'a mut Sink,
    /// Sorted by symbol; the position is the function's [`FuncId`].
    entries: Vec<Entry<'a>>,
    ids: HashMap<&'a str, usize>,
    data: Vec<Vec<u8>>,
    data_ids: HashMap<Vec<u8>, DataId>,
    sites: Vec<Site>,
    /// For each module, the sites that were made.
    site_ids: Vec<HashMap<NodeId, SiteId>>,
    /// For each module, its number in the program, if a function comes from it.
    module_ids: BTreeMap<usize, u32>,
    /// How many more unknown names get a suggestion; looking for one is slow.
    suggestions: u32,
    /// What was reported of generic functions, and of which of their specialisations.
    reported: HashMap<(usize, NodeId, Code), usize>,
    clauses: Vec<Clause>,
    /// How many expressions stand at exits besides where they are written.
    copied: usize,
}

impl<'a> Context<'a> {
    fn new(
        source: &'a dyn ModuleSource,
        loaded: &'a Loaded,
        trees: &'a [Tree<'a>],
        index: &'a Index,
        reach: &'a Reach,
        options: &'a Options,
        sink: &'a mut Sink,
    ) -> Self {
        let mut entries = Vec::with_capacity(reach.instances.len());
        let mut ids = HashMap::with_capacity(reach.instances.len());
        let mut module_ids = BTreeMap::new();
        for (symbol, instance) in &reach.instances {
            let owner = instance.owner;
            module_ids.insert(owner.map_or(0, |owner| owner.module), 0);
            ids.insert(symbol.as_str(), entries.len());
            let decl = owner.and_then(|owner| loaded.modules.get(owner.module)?.functions.get(owner.decl));
            let params = decl.map(|decl| decl.type_params.as_slice()).unwrap_or_default();
            entries.push(Entry {
                symbol: symbol.as_str(),
                name: instance.name.as_str(),
                owner,
                types: Bindings { params, args: &instance.args },
                signature: None,
                progress: Progress::Waiting,
                views: Vec::new(),
                function: None,
            });
        }
        for (id, number) in module_ids.values_mut().zip(0..) {
            *id = number;
        }
        Self {
            source,
            loaded,
            trees,
            index,
            reach,
            options,
            sink,
            entries,
            ids,
            data: Vec::new(),
            data_ids: HashMap::new(),
            sites: Vec::new(),
            site_ids: loaded.modules.iter().map(|_| HashMap::new()).collect(),
            module_ids,
            suggestions: 200,
            reported: HashMap::new(),
            clauses: Vec::new(),
            copied: 0,
        }
    }

    /// The declaration of a function.
    fn decl(&self, owner: FunctionRef) -> Option<&'a FunctionDecl> {
        let loaded: &'a Loaded = self.loaded;
        loaded.modules.get(owner.module).and_then(|module| module.functions.get(owner.decl))
    }

    /// Works out a function's signature and reports what makes the function unusable.
    fn declare(&mut self, id: usize) {
        let Some(entry) = self.entries.get(id) else { return };
        let owner = entry.owner;
        let signature = match owner {
            None => Some(Signature { is_task: false, params: Vec::new(), result: Ty::Bytes, brand: Brand::None }),
            Some(owner) => self.decl(owner).and_then(|decl| self.signature(id, decl)),
        };
        if let Some(entry) = self.entries.get_mut(id) {
            entry.signature = signature.map(Rc::new);
        }
    }

    fn signature(&mut self, id: usize, decl: &FunctionDecl) -> Option<Signature> {
        let types = self.entries.get(id)?.types;
        let refuse = |cx: &mut Self, node: NodeId, problem: Problem| cx.report_of(id, node, problem);
        match decl.kind {
            FunctionKind::Extern => {
                let symbol = &decl.name;
                let message = format!("`{symbol}` is a foreign function; the world solve-pure has none");
                let problem = Problem::error(Code::X07WorldFfi0001, Stage::Lint, message)
                    .with_note("write the function in X07, or compile for run-os");
                refuse(self, decl.node, problem);
                return None;
            }
            FunctionKind::Defn | FunctionKind::Defasync => {}
        }
        for param in &decl.type_params {
            if let Bound::Unknown(bound) = &param.bound {
                refuse(self, param.node, generics::unknown_bound(bound));
            }
        }
        let mut params = Vec::with_capacity(decl.params.len());
        for param in &decl.params {
            match plain_type(&param.ty, types, param.brand.as_deref()) {
                Ok(ty) => params.push(Param {
                    name: Rc::from(param.name.as_str()),
                    ty,
                    brand: Brand::named(param.brand.as_deref()),
                    node: param.node,
                }),
                Err(problem) => refuse(self, param.ty_node, *problem),
            }
        }
        let result = match plain_type(&decl.result, types, decl.result_brand.as_deref()) {
            Ok(ty) if decl.kind == FunctionKind::Defasync && !matches!(ty, Ty::Bytes | Ty::ResultBytes) => {
                let message =
                    format!("an async function yields `bytes` or `result_bytes`, found `{}`", types::name(ty));
                refuse(self, decl.result_node, Problem::error(Code::X07TypeRet0001, Stage::Type, message));
                return None;
            }
            Ok(ty) => ty,
            Err(problem) => {
                refuse(self, decl.result_node, *problem);
                return None;
            }
        };
        if params.len() < decl.params.len() {
            return None;
        }
        let is_task = decl.kind == FunctionKind::Defasync;
        Some(Signature { is_task, params, result, brand: Brand::named(decl.result_brand.as_deref()) })
    }

    /// Checks a function unless that was done or is being done.
    fn ensure(&mut self, id: usize) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if entry.progress != Progress::Waiting {
            return;
        }
        entry.progress = Progress::Running;
        let outcome = function::check(self, id);
        if let Some(entry) = self.entries.get_mut(id) {
            entry.progress = Progress::Done;
            if let Some((function, views)) = outcome {
                entry.function = Some(function);
                entry.views = views;
            }
        }
    }

    /// Checks the contracts of those functions of the entry file that nothing reaches; their bodies are
    /// not looked at.
    fn check_unused_contracts(&mut self) {
        let loaded: &'a Loaded = self.loaded;
        let functions = loaded.modules.first().map_or(&[][..], |module| &module.functions);
        for (decl, function) in functions.iter().enumerate() {
            let plain = function.kind == FunctionKind::Defn && !function.is_generic();
            if !plain || function.clauses.is_empty() || self.ids.contains_key(function.name.as_str()) {
                continue;
            }
            // Behind all functions of the program, which it does not belong to.
            let id = self.entries.len();
            self.entries.push(Entry {
                symbol: &function.name,
                name: &function.name,
                owner: Some(FunctionRef { module: 0, decl }),
                types: Bindings { params: &[], args: &[] },
                signature: None,
                progress: Progress::Done,
                views: Vec::new(),
                function: None,
            });
            let (clauses, literals) = (self.clauses.len(), self.data.len());
            self.declare(id);
            function::check_contract(self, id);
            // Nothing of it is in the program.
            self.clauses.truncate(clauses);
            self.data.truncate(literals);
            self.data_ids.retain(|_, id| (id.0 as usize) < literals);
            self.entries.truncate(id);
        }
    }

    /// The parameters that a view returned by this function may point into; `None` while the
    /// function is being checked.
    fn returned_views(&mut self, id: usize) -> Option<Vec<u32>> {
        self.ensure(id);
        self.entries.get(id).filter(|entry| entry.progress == Progress::Done).map(|entry| entry.views.clone())
    }

    fn finish(self) -> Option<Program> {
        let entry = self.ids.get(SOLVE).and_then(|&id| u32::try_from(id).ok()).map(FuncId)?;
        let modules = self.module_ids.keys().filter_map(|&number| self.loaded.modules.get(number));
        let modules = modules.map(|module| module.id.clone()).collect();
        // A function without a result was refused with a problem, and then nobody uses the program.
        let functions = self.entries.into_iter().filter_map(|entry| entry.function).collect();
        let (data, sites, clauses) = (self.data, self.sites, self.clauses);
        Some(Program { functions, entry: Some(entry), data, sites, modules, clauses, ..Program::default() })
    }

    /// Reports a problem at a node of a function. Of what several specialisations of one generic
    /// function share, only the first is reported.
    fn report_of(&mut self, id: usize, node: NodeId, mut problem: Problem) {
        let Some(entry) = self.entries.get(id) else { return };
        let (name, module) = (entry.name, entry.owner.map_or(0, |owner| owner.module));
        if !entry.types.args.is_empty() {
            if *self.reported.entry((module, node, problem.code)).or_insert(id) != id {
                return;
            }
            problem = problem.with_note(format!("found in the specialisation `{}`", module::shorten(name)));
        }
        problem.function = Some(name.to_owned());
        self.report(module, node, problem);
    }

    /// Reports a problem at a node of a module.
    fn report(&mut self, module: usize, node: NodeId, problem: Problem) {
        let (Some(tree), Some(file)) = (self.trees.get(module), self.loaded.files.get(module)) else { return };
        let problem = problem.placed(&file.id, &file.path, tree.pointer(node));
        self.sink.push(module, tree.span(node).start, problem);
    }

    /// The budget with an id from the project's registry; the error says why there is none.
    fn budget_profile(&mut self, id: &str) -> Result<budgets::Budget, String> {
        budgets::read_profile(self.source, id)
    }

    /// Whether another unknown name may get a suggestion.
    fn may_suggest(&mut self) -> bool {
        let left = self.suggestions;
        self.suggestions = left.saturating_sub(1);
        left > 0
    }

    /// The number of a literal.
    fn literal(&mut self, text: &str) -> DataId {
        if let Some(&id) = self.data_ids.get(text.as_bytes()) {
            return id;
        }
        let id = DataId(u32::try_from(self.data.len()).unwrap_or(u32::MAX));
        self.data.push(text.as_bytes().to_vec());
        self.data_ids.insert(text.as_bytes().to_vec(), id);
        id
    }

    /// The site of a node; makes those of the nodes around it.
    fn site(&mut self, module: usize, node: NodeId) -> SiteId {
        let (Some(tree), Some(known)) = (self.trees.get(module), self.site_ids.get_mut(module)) else {
            return SiteId(0);
        };
        let mut missing = Vec::new();
        let mut at = Some(node);
        let mut parent = None;
        while let Some(node) = at {
            if let Some(&site) = known.get(&node) {
                parent = Some(site);
                break;
            }
            missing.push(node);
            at = tree.parent(node);
        }
        for &node in missing.iter().rev() {
            let step = match tree.parent(node) {
                None => Step::Root,
                Some(holder) if tree.kind(holder) == Kind::Object => {
                    Step::Member(tree.key(node).unwrap_or_default().into_owned())
                }
                Some(_) => Step::Index(u32::try_from(tree.index(node)).unwrap_or(u32::MAX)),
            };
            let site = SiteId(u32::try_from(self.sites.len()).unwrap_or(u32::MAX));
            self.sites.push(Site { parent, step });
            known.insert(node, site);
            parent = Some(site);
        }
        parent.unwrap_or(SiteId(0))
    }
}

/// What kind of thing is not supported.
#[derive(Clone, Copy)]
enum Unsupported {
    Form,
    Builtin,
    Type,
}

/// The problem of something that the language has and this compiler does not.
fn unsupported(what: Unsupported, name: &str, feature: &str) -> Problem {
    let (kind, code) = match what {
        Unsupported::Form => ("form", Code::X07cWasmBackendUnsupportedForm),
        Unsupported::Builtin => ("builtin", Code::X07cWasmBackendUnsupportedBuiltin),
        Unsupported::Type => ("type", Code::X07cWasmBackendUnsupportedType),
    };
    let message = format!("wasm backend unsupported {kind}: {name} (requires feature {feature})");
    Problem::error(code, Stage::Codegen, message)
        .with_data("kind", kind)
        .with_data("name", name)
        .with_data("requires_feature", feature)
}

/// The representation of a type in a signature.
fn plain_type(ty: &TypeExpr, types: Bindings<'_>, brand: Option<&str>) -> Result<Ty, Box<Problem>> {
    let ground = types.ground(ty).map_err(|fault| Box::new(generics::wrong_type(&fault)))?;
    match ground.ty() {
        Some(ty) if brand.is_some() && !types::can_be_branded(ty) => {
            let message = types::no_brand(&format!("`{}`", types::name(ty)));
            Err(Box::new(Problem::error(Code::EBrandBadTy, Stage::Parse, message)))
        }
        Some(ty) => Ok(ty),
        None => Err(Box::new(unsupported(Unsupported::Type, &ground.name(), "TypeApplicationsV1"))),
    }
}
