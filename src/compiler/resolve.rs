//! All files of a program: loading along imports, which symbol is whose, what is reachable.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::Options;
use super::generic::{self, Bindings, GroundType, ValueType};
use super::module::{self, Expect, FunctionDecl, Import, Module, TypeParam};
use super::problem::{Problem, Sink};
use super::source::{ModuleSource, ModuleText, SourceError};
use super::std_modules;
use crate::contract::json::tree::{Kind, Limits, NodeId, Tree};

/// The id of the entry.
pub(super) const ENTRY_ID: &str = "main";

/// The symbol of the entry's expression.
pub(super) const SOLVE: &str = "solve";

/// A file that was read.
pub(super) struct File {
    /// The module's id.
    pub id: String,
    /// Its path in messages.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// All files of a program.
pub(super) struct Loaded {
    /// The files in load order, the entry first.
    pub files: Vec<File>,
    /// What they declare. As long as `files` unless `broken`.
    pub modules: Vec<Module>,
    /// Modules that are imported but could not be loaded; the reason was reported.
    pub missing: BTreeSet<String>,
    /// Whether some file breaks a structural rule, so that checking makes no sense.
    pub broken: bool,
}

/// How far the loading of a module is.
enum Progress {
    /// Its imports are being loaded.
    Open,
    /// Nothing more to do, or the failure was reported.
    Done,
}

/// A module whose imports are being loaded.
struct Frame {
    file: usize,
    /// How many of its imports were looked at.
    next: usize,
}

/// Loads the entry and, depth first in the order of their ids, all that it imports.
pub(super) fn load(source: &dyn ModuleSource, options: &Options, sink: &mut Sink) -> Loaded {
    let mut loader = Loader {
        source,
        sink,
        files: Vec::new(),
        modules: Vec::new(),
        progress: BTreeMap::new(),
        missing: BTreeSet::new(),
        broken: false,
    };
    loader.entry(options.max_entry_bytes);
    if !loader.files.is_empty() {
        loader.imports(0);
    }
    loader.implicit_imports();
    Loaded {
        files: loader.files,
        modules: loader.modules.into_iter().flatten().collect(),
        missing: loader.missing,
        broken: loader.broken,
    }
}

struct Loader<'l> {
    source: &'l dyn ModuleSource,
    sink: &'l mut Sink,
    files: Vec<File>,
    /// `None` for a file that could not be read at all.
    modules: Vec<Option<Module>>,
    progress: BTreeMap<String, Progress>,
    missing: BTreeSet<String>,
    broken: bool,
}

impl Loader<'_> {
    fn entry(&mut self, max_bytes: usize) {
        match self.source.entry() {
            Ok(text) if text.text.len() > max_bytes => {
                let message = format!(
                    "the entry file has {} bytes, at most {max_bytes} are allowed; move functions into modules",
                    text.text.len()
                );
                let problem = Problem::error(Code::X07cLimitExceeded, Stage::Parse, message);
                self.sink.push(0, 0, problem.placed(ENTRY_ID, &text.path, String::new()));
                self.files.push(File { id: ENTRY_ID.to_owned(), path: text.path, text: text.text });
                self.modules.push(None);
                self.broken = true;
            }
            Ok(text) => self.read(ENTRY_ID, text, Expect::Entry),
            Err(error) => {
                let mut problem = explain(&error, "the entry file");
                problem.file = path_of(&error);
                self.sink.push(0, 0, problem);
                self.broken = true;
            }
        }
    }

    fn read(&mut self, id: &str, text: ModuleText, expect: Expect<'_>) {
        let file = self.files.len();
        let errors = self.sink.errors();
        let module = module::read(file, id, &text.path, &text.text, expect, self.sink);
        self.broken |= self.sink.errors() > errors;
        self.files.push(File { id: id.to_owned(), path: text.path, text: text.text });
        self.modules.push(module);
        self.progress.insert(id.to_owned(), Progress::Open);
    }

    /// Loads what a file imports.
    fn imports(&mut self, file: usize) {
        let mut open = vec![Frame { file, next: 0 }];
        while let Some(frame) = open.last_mut() {
            let file = frame.file;
            let next = frame.next;
            frame.next += 1;
            let import = self.modules.get(file).and_then(Option::as_ref).and_then(|module| module.imports.get(next));
            let Some(import) = import.cloned() else {
                open.pop();
                if let Some(file) = self.files.get(file) {
                    self.progress.insert(file.id.clone(), Progress::Done);
                }
                continue;
            };
            match self.progress.get(&import.id) {
                Some(Progress::Done) => {}
                Some(Progress::Open) => self.cycle(&open, file, &import),
                None => {
                    if self.module(file, &import) {
                        open.push(Frame { file: self.files.len() - 1, next: 0 });
                    }
                }
            }
        }
    }

    /// Loads standard modules that some module uses without naming them.
    fn implicit_imports(&mut self) {
        // What is loaded here may use further ones: the list grows while it is walked.
        let mut user = 0;
        while let Some(module) = self.modules.get(user) {
            let wanted: Vec<(&str, NodeId)> =
                module.iter().flat_map(|module| &module.implicit).map(|(id, node)| (*id, *node)).collect();
            for (id, node) in wanted {
                if !self.progress.contains_key(id) && self.module(user, &Import { id: id.to_owned(), node }) {
                    self.imports(self.files.len() - 1);
                }
            }
            user += 1;
        }
    }

    /// Loads an imported module; whether there is a file now.
    fn module(&mut self, importer: usize, import: &Import) -> bool {
        let standard = std_modules::is_standard(&import.id);
        let text = match std_modules::source(&import.id) {
            Some(text) => Ok(ModuleText { path: format!("{}.x07.json", import.id), text: text.to_owned() }),
            // An import alone is harmless: only a use of what is not there is an error.
            None if standard => {
                self.missing.insert(import.id.clone());
                self.progress.insert(import.id.clone(), Progress::Done);
                return false;
            }
            None if import.id == "std.brand" => Err(no_brand_module()),
            None => {
                let found = self.source.module(&import.id);
                found.map_err(|error| explain(&error, &format!("the module `{}`", import.id)))
            }
        };
        match text {
            Ok(text) => {
                self.read(&import.id, text, Expect::Module(&import.id));
                true
            }
            Err(problem) => {
                self.report(importer, import.node, problem.with_data("module", import.id.as_str()));
                self.missing.insert(import.id.clone());
                self.progress.insert(import.id.clone(), Progress::Done);
                false
            }
        }
    }

    fn cycle(&mut self, open: &[Frame], importer: usize, import: &Import) {
        let mut chain: Vec<&str> =
            open.iter().filter_map(|frame| self.files.get(frame.file)).map(|file| file.id.as_str()).collect();
        let start = chain.iter().position(|id| *id == import.id).unwrap_or(0);
        chain.drain(..start);
        chain.push(&import.id);
        let message = format!("modules import each other in a circle: {}", chain.join(" → "));
        let problem = Problem::error(Code::X07cImportCycle, Stage::Parse, message)
            .with_note("move what both sides need into a third module");
        self.report(importer, import.node, problem);
    }

    /// Reports a problem at a node of a file that was read.
    fn report(&mut self, file: usize, node: NodeId, problem: Problem) {
        let Some(read) = self.files.get(file) else { return };
        // Only for problems: the text is read again to find the node's place.
        let (offset, pointer) = match Tree::parse(&read.text, Limits::PROGRAM) {
            Ok(tree) => (tree.span(node).start, tree.pointer(node)),
            Err(_) => (0, String::new()),
        };
        self.sink.push(file, offset, problem.placed(&read.id, &read.path, pointer));
    }
}

/// The file that a source error is about.
fn path_of(error: &SourceError) -> Option<String> {
    match error {
        SourceError::NotFound { .. } | SourceError::Ambiguous { .. } => None,
        SourceError::TextForm { path }
        | SourceError::Unreadable { path, .. }
        | SourceError::TooLarge { path, .. }
        | SourceError::NotUtf8 { path, .. }
        | SourceError::DigestMismatch { path, .. } => Some(path.clone()),
    }
}

fn no_brand_module() -> Problem {
    let message = "`std.brand` is not a module: its operations are part of the language".to_owned();
    Problem::error(Code::X07Import0002, Stage::Lint, message)
        .with_note("remove the import; calls of `std.brand.…` need none")
}

/// A use of a standard module that this compiler does not carry.
pub(super) fn unavailable(id: &str) -> Problem {
    let message = format!("the standard module `{id}` is part of the language, but this compiler does not carry it");
    Problem::error(Code::X07cStdModuleUnavailable, Stage::Lower, message)
        .with_note("call the built-in operations (`bytes.…`, `view.…`, `vec_u8.…`, `fmt.…`, `parse.…`) instead")
        .with_data("module", id)
}

fn explain(error: &SourceError, what: &str) -> Problem {
    let code = match error {
        SourceError::NotFound { .. } => Code::X07cModuleNotFound,
        SourceError::Ambiguous { .. } => Code::X07cModuleAmbiguous,
        SourceError::TextForm { .. } => Code::X07cTextSourceUnsupported,
        SourceError::Unreadable { .. } => Code::X07cModuleUnreadable,
        SourceError::TooLarge { .. } => Code::X07cLimitExceeded,
        SourceError::NotUtf8 { .. } => Code::X07cNotUtf8,
        SourceError::DigestMismatch { .. } => Code::X07cModuleDigestMismatch,
    };
    let mut problem = Problem::error(code, Stage::Parse, format!("{what}: {error}"));
    match error {
        SourceError::NotFound { searched } => {
            problem.notes.extend(searched.iter().map(|path| format!("searched: {path}")));
            problem = problem.with_data("searched", searched.clone());
        }
        SourceError::Ambiguous { found } => {
            problem.notes.extend(found.iter().map(|path| format!("found: {path}")));
            problem = problem.with_note("keep one of them, or remove a module root").with_data("found", found.clone());
        }
        SourceError::TextForm { .. } => {
            problem = problem.with_note("convert the file to its JSON form");
        }
        SourceError::DigestMismatch { .. } => {
            problem = problem.with_note("restore the locked file, or lock the dependency again");
        }
        SourceError::Unreadable { .. } | SourceError::TooLarge { .. } | SourceError::NotUtf8 { .. } => {}
    }
    problem
}

/// A declared function: the module's number and the declaration's position in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FunctionRef {
    /// Index into the modules.
    pub module: usize,
    /// Index into the module's functions.
    pub decl: usize,
}

/// Whose a symbol is.
pub(super) struct Index {
    /// All functions of all modules.
    pub functions: BTreeMap<String, FunctionRef>,
    /// Heads that records and enums define.
    pub type_heads: BTreeMap<String, TypeHead>,
    /// All records and enums by name.
    pub types: BTreeMap<String, TypeRef>,
}

/// A declared record or enum: the module's number and the declaration's position in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TypeRef {
    /// Index into the modules.
    pub module: usize,
    /// Index into the module's types.
    pub decl: usize,
}

/// What a head that a record or an enum defines does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypeHead {
    /// Makes a record.
    Make(TypeRef),
    /// Reads the field with this number.
    Field(TypeRef, usize),
    /// Makes a value of the variant with this number.
    Variant(TypeRef, usize),
}

/// Indexes the symbols of all modules; reports those that are defined twice.
pub(super) fn index(loaded: &Loaded, trees: &[Tree<'_>], sink: &mut Sink) -> Index {
    let mut index = Index { functions: BTreeMap::new(), type_heads: BTreeMap::new(), types: BTreeMap::new() };
    for (number, module) in loaded.modules.iter().enumerate() {
        let Some(tree) = trees.get(number) else { continue };
        let mut duplicate = |node: NodeId, name: &str| {
            let message = format!("`{name}` is defined twice in the program; rename one of the two");
            let problem = Problem::error(Code::X07cDuplicateSymbol, Stage::Parse, message);
            let path = loaded.files.get(number).map_or("", |file| file.path.as_str());
            sink.push(number, tree.span(node).start, problem.placed(&module.id, path, tree.pointer(node)));
        };
        for (decl, function) in module.functions.iter().enumerate() {
            if index.functions.contains_key(&function.name) {
                duplicate(function.name_node, &function.name);
            } else {
                index.functions.insert(function.name.clone(), FunctionRef { module: number, decl });
            }
        }
        for (decl, ty) in module.types.iter().enumerate() {
            let at = TypeRef { module: number, decl };
            if index.types.contains_key(&ty.name) {
                duplicate(ty.name_node, &ty.name);
                continue;
            }
            index.types.insert(ty.name.clone(), at);
            for (part, declared) in ty.parts.iter().enumerate() {
                let head = if ty.record { TypeHead::Field(at, part) } else { TypeHead::Variant(at, part) };
                index.type_heads.insert(format!("{}.{}", ty.name, declared.name), head);
            }
            // A field of this name is out of reach.
            if ty.record {
                index.type_heads.insert(format!("{}.make", ty.name), TypeHead::Make(at));
            }
        }
    }
    index
}

/// Where things stand in a file that a parent needs to know before it looks at its parts.
#[derive(Default)]
pub(super) struct Facts {
    /// Nodes that contain, or are, an expression that may leave the function.
    pub exits: HashSet<NodeId>,
    /// Nodes that contain, or are, an assignment to a variable.
    pub writes: HashSet<NodeId>,
    /// Nodes that contain, or are, an operation that may wait for other tasks.
    pub waits: HashSet<NodeId>,
}

/// A function that is used: an ordinary one, or a specialisation of a generic one.
pub(super) struct Instance {
    /// How messages name it.
    pub name: String,
    /// Its declaration; none for the entry's expression.
    pub owner: Option<FunctionRef>,
    /// Its type arguments.
    pub args: Vec<GroundType>,
}

/// Heads of what may wait for other tasks, sorted. Leaving a task scope does as well.
static WAITING: [&str; 14] = [
    "await",
    "budget.scope_from_arch_v1",
    "budget.scope_v1",
    "chan.bytes.recv",
    "chan.bytes.send",
    "task.join.bytes",
    "task.join.result_bytes",
    "task.scope.await_slot_bytes_v1",
    "task.scope.await_slot_result_bytes_v1",
    "task.scope.select_v1",
    "task.scope.wait_all_v1",
    "task.scope_v1",
    "task.sleep",
    "task.yield",
];

/// What the program uses.
pub(super) struct Reach {
    /// All reachable functions by symbol; `solve` is one of them.
    pub instances: BTreeMap<String, Instance>,
    /// For each module, facts about the bodies of its reachable functions.
    pub facts: Vec<Facts>,
}

/// Finds what is reachable from the entry's expression: a function is when its name is the head of
/// some list there, or what such a list names in the place of a function. `None` when that is more
/// than is allowed, which was reported.
pub(super) fn reach(
    loaded: &Loaded,
    trees: &[Tree<'_>],
    index: &Index,
    options: &Options,
    sink: &mut Sink,
) -> Option<Reach> {
    let mut walk = Walk {
        modules: &loaded.modules,
        trees,
        index,
        reach: Reach { instances: BTreeMap::new(), facts: loaded.modules.iter().map(|_| Facts::default()).collect() },
        open: Vec::new(),
        nodes: 0,
        specialisations: 0,
    };
    let Err((module, node, problem)) = walk.run(options.max_ast_nodes) else { return Some(walk.reach) };
    if let (Some(file), Some(tree)) = (loaded.files.get(module), trees.get(module)) {
        let problem = problem.placed(&file.id, &file.path, tree.pointer(node));
        sink.push(module, tree.span(node).start, problem);
    }
    None
}

/// A function whose expressions were not looked at yet.
struct Unit<'m> {
    module: usize,
    /// How messages name it.
    name: String,
    params: &'m [TypeParam],
    args: Vec<GroundType>,
    expressions: Vec<NodeId>,
}

/// A limit that is exceeded, and where: module, node, problem.
type Exceeded = (usize, NodeId, Box<Problem>);

/// The search for what is reachable.
struct Walk<'m> {
    modules: &'m [Module],
    trees: &'m [Tree<'m>],
    index: &'m Index,
    reach: Reach,
    open: Vec<Unit<'m>>,
    /// How many nodes the expressions have that were looked at.
    nodes: usize,
    specialisations: usize,
}

impl<'m> Walk<'m> {
    fn run(&mut self, most_nodes: usize) -> Result<(), Exceeded> {
        let solve = Instance { name: SOLVE.to_owned(), owner: None, args: Vec::new() };
        self.reach.instances.insert(SOLVE.to_owned(), solve);
        let expressions = self.modules.first().and_then(|module| module.solve).into_iter().collect();
        self.open.push(Unit { module: 0, name: SOLVE.to_owned(), params: &[], args: Vec::new(), expressions });
        while let Some(unit) = self.open.pop() {
            self.unit(&unit, most_nodes)?;
        }
        Ok(())
    }

    fn count_node(&mut self, node: NodeId, most_nodes: usize) -> Result<(), Exceeded> {
        self.nodes += 1;
        if self.nodes <= most_nodes {
            return Ok(());
        }
        let message = format!(
            "the program's reachable functions have more than {most_nodes} nodes, which is the limit; split or simplify it"
        );
        let problem = Problem::error(Code::X07cLimitExceeded, Stage::Lower, message);
        Err((0, self.trees.first().map_or(node, Tree::root), Box::new(problem)))
    }

    fn unit(&mut self, unit: &Unit<'m>, most_nodes: usize) -> Result<(), Exceeded> {
        let trees = self.trees;
        let Some(tree) = trees.get(unit.module) else { return Ok(()) };
        let mut work = unit.expressions.clone();
        while let Some(node) = work.pop() {
            self.count_node(node, most_nodes)?;
            if tree.kind(node) != Kind::Array {
                continue;
            }
            let mut children = tree.children(node);
            let Some(head) = children.next() else { continue };
            self.count_node(head, most_nodes)?;
            if let Some(head) = tree.string(head) {
                if let Some(facts) = self.reach.facts.get_mut(unit.module) {
                    match &*head {
                        "return" | "try" | "try_doc" => mark(tree, node, &mut facts.exits),
                        "set" | "set0" | "for" => mark(tree, node, &mut facts.writes),
                        name if WAITING.binary_search(&name).is_ok() => mark(tree, node, &mut facts.waits),
                        _ => {}
                    }
                }
                self.uses(unit, tree, node, &head)?;
            }
            work.extend(children);
        }
        Ok(())
    }

    /// Opens the functions that a list with this head uses.
    fn uses(&mut self, unit: &Unit<'m>, tree: &Tree<'_>, node: NodeId, head: &str) -> Result<(), Exceeded> {
        match head {
            "tapp" => return self.specialisation(unit, tree, node),
            generic::HASH => {
                let bindings = Bindings { params: unit.params, args: &unit.args };
                let ty = tree.children(node).nth(1).and_then(|ty| bindings.read(tree, ty).ok());
                if !ty.and_then(|ty| ty.value()).is_some_and(ValueType::is_number) {
                    self.function(generic::HASH_CONTENT);
                }
                self.function(generic::HASH_NUMBER);
            }
            "std.brand.cast_bytes_v1" | "std.brand.cast_view_v1" | "std.brand.cast_view_copy_v1" => {
                if let Some(validator) = tree.children(node).nth(2).and_then(|name| tree.string(name)) {
                    self.function(&validator);
                }
            }
            name => self.function(std_modules::function_of(name).unwrap_or(name)),
        }
        Ok(())
    }

    /// Opens the function with this name; a generic one is only used through `tapp`.
    fn function(&mut self, name: &str) {
        if let Some(&target) = self.index.functions.get(name)
            && let Some(decl) = self.decl(target)
            && !decl.is_generic()
            && !self.reach.instances.contains_key(name)
        {
            self.add(name.to_owned(), name.to_owned(), target, decl, Vec::new());
        }
    }

    /// Opens the specialisation that a `tapp` calls. What is wrong with the list is found when the
    /// function is checked that it stands in.
    fn specialisation(&mut self, unit: &Unit<'m>, tree: &Tree<'_>, node: NodeId) -> Result<(), Exceeded> {
        let parts: Vec<NodeId> = tree.children(node).skip(1).collect();
        let Some((&callee, rest)) = parts.split_first() else { return Ok(()) };
        let Some(callee) = tree.string(callee) else { return Ok(()) };
        let Some(&target) = self.index.functions.get(&*callee) else { return Ok(()) };
        let Some(decl) = self.decl(target).filter(|decl| decl.is_generic()) else { return Ok(()) };
        let (types, _) = generic::split(tree, rest, decl.type_params.len());
        if types.len() != decl.type_params.len() {
            return Ok(());
        }
        let bindings = Bindings { params: unit.params, args: &unit.args };
        let Ok(args) = bindings.arguments(tree, &types, &decl.type_params) else { return Ok(()) };
        let symbol = generic::symbol(&callee, &args);
        if self.reach.instances.contains_key(&symbol) {
            return Ok(());
        }
        let name = generic::describe(&callee, &args);
        self.specialisations += 1;
        if self.specialisations > generic::MOST_SPECIALISATIONS {
            let message = format!(
                "the program needs more than {} specialisations of generic functions, which is the limit; `{}` is one too many",
                generic::MOST_SPECIALISATIONS,
                module::shorten(&name)
            );
            let mut problem = Problem::error(Code::X07cLimitExceeded, Stage::Lower, message)
                .with_note("a generic function that calls itself with ever more types has no end");
            problem.function = Some(unit.name.clone());
            return Err((unit.module, node, Box::new(problem)));
        }
        self.add(symbol, name, target, decl, args);
        Ok(())
    }

    fn decl(&self, target: FunctionRef) -> Option<&'m FunctionDecl> {
        let modules = self.modules;
        modules.get(target.module).and_then(|module| module.functions.get(target.decl))
    }

    fn add(
        &mut self,
        symbol: String,
        name: String,
        target: FunctionRef,
        decl: &'m FunctionDecl,
        args: Vec<GroundType>,
    ) {
        let mut expressions: Vec<NodeId> = decl.body.into_iter().collect();
        expressions.extend(decl.clauses.iter().flat_map(|clause| &clause.expressions).copied());
        let params = decl.type_params.as_slice();
        let unit = Unit { module: target.module, name: name.clone(), params, args: args.clone(), expressions };
        self.open.push(unit);
        self.reach.instances.insert(symbol, Instance { name, owner: Some(target), args });
    }
}

/// Marks a node and all that it stands in.
fn mark(tree: &Tree<'_>, node: NodeId, set: &mut HashSet<NodeId>) {
    let mut at = Some(node);
    while let Some(node) = at {
        if !set.insert(node) {
            return;
        }
        at = tree.parent(node);
    }
}
