//! One file: from JSON to declarations.
//!
//! Every structural rule of the language is checked here, for expressions too, so that what comes
//! after may rely on it: a [`Module`] that was read without a problem has well-formed names,
//! types and expressions. All problems of a file are reported, not only the first.

use std::borrow::Cow;
use std::collections::BTreeSet;

use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::problem::{Problem, Sink};
use super::types::{self, TypeExpr};
use crate::contract::json::tree::{Kind, Limits, NodeId, Tree};

/// What a file declares.
pub(super) struct Module {
    /// The module's id.
    pub id: String,
    /// Imported modules by id, each once.
    pub imports: Vec<Import>,
    /// Exported symbols.
    pub exports: BTreeSet<String>,
    /// Functions of all kinds, in order of declaration.
    pub functions: Vec<FunctionDecl>,
    /// Records and enums, in order of declaration.
    pub types: Vec<TypeDecl>,
    /// The entry's expression.
    pub solve: Option<NodeId>,
}

/// An import.
#[derive(Clone)]
pub(super) struct Import {
    /// The imported module.
    pub id: String,
    /// Where it is imported.
    pub node: NodeId,
}

/// What a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FunctionKind {
    /// An ordinary function.
    Defn,
    /// A function that runs as a task.
    Defasync,
    /// A foreign function.
    Extern,
}

/// A function.
pub(super) struct FunctionDecl {
    /// Its fully qualified symbol.
    pub name: String,
    /// The declaration.
    pub node: NodeId,
    /// The node of its name.
    pub name_node: NodeId,
    /// What it is.
    pub kind: FunctionKind,
    /// Whether it has type parameters.
    pub generic: bool,
    /// Its parameters in order.
    pub params: Vec<ParamDecl>,
    /// Its result type.
    pub result: TypeExpr,
    /// The node of the result type.
    pub result_node: NodeId,
    /// The brand of the result.
    pub result_brand: Option<String>,
    /// What it computes; none for foreign functions.
    pub body: Option<NodeId>,
    /// Its contract clauses.
    pub clauses: Vec<Clause>,
}

/// A contract clause.
pub(super) struct Clause {
    /// `requires`, `ensures` or `invariant`.
    pub kind: &'static str,
    /// The clause object.
    pub node: NodeId,
    /// Its condition and witnesses.
    pub expressions: Vec<NodeId>,
}

/// A parameter.
pub(super) struct ParamDecl {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: TypeExpr,
    /// The node of the type.
    pub ty_node: NodeId,
    /// The brand that arguments need.
    pub brand: Option<String>,
    /// The parameter object.
    pub node: NodeId,
}

/// A record or an enum.
pub(super) struct TypeDecl {
    /// Its symbol.
    pub name: String,
    /// The node of its name.
    pub name_node: NodeId,
    /// The heads that it defines: constructors and accessors.
    pub heads: Vec<String>,
}

/// What kind of file is wanted.
#[derive(Clone, Copy)]
pub(super) enum Expect<'e> {
    /// The program's entry.
    Entry,
    /// The module with this id.
    Module(&'e str),
}

/// Reads a file. `file` is its number in load order, `id` and `path` name it in messages. `None`
/// when it is not JSON or not an object; other problems leave a module with what was readable.
pub(super) fn read(
    file: usize,
    id: &str,
    path: &str,
    text: &str,
    expect: Expect<'_>,
    sink: &mut Sink,
) -> Option<Module> {
    let tree = match Tree::parse(text, Limits::PROGRAM) {
        Ok(tree) => tree,
        Err(problems) => {
            for found in problems {
                let problem = Problem::error(Code::X07JsonParse0001, Stage::Parse, found.message);
                sink.push(file, found.offset, problem.placed(id, path, found.pointer));
            }
            return None;
        }
    };
    let mut reader = Reader { tree: &tree, file, id, path, minor: NEWEST, sink };
    reader.document(expect)
}

/// Whether a text may name a module, a function, a type or a brand: segments between dots.
pub(super) fn is_symbol(text: &str) -> bool {
    text.split('.').all(|segment| {
        let mut chars = segment.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    })
}

/// Whether a text may name a parameter.
fn is_local(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a text may name a field, a variant or a bound.
fn is_type_name(text: &str) -> bool {
    is_local(text) && !text.starts_with('_')
}

/// Oldest and newest schema version that is read: `x07.x07ast@0.N.0`.
const OLDEST: u32 = 3;
const NEWEST: u32 = 9;

/// Parts of names that the compiler keeps for functions that it makes itself.
static RESERVED_NAMES: [&str; 2] = [".__std_stream_pipe_v1_", "__x07_mono_v1__"];

struct Reader<'a> {
    tree: &'a Tree<'a>,
    file: usize,
    id: &'a str,
    path: &'a str,
    /// The schema version's middle number.
    minor: u32,
    sink: &'a mut Sink,
}

impl<'a> Reader<'a> {
    fn problem_with(&mut self, node: NodeId, code: Code, message: String) {
        let problem = Problem::error(code, Stage::Parse, message);
        let offset = self.tree.span(node).start;
        self.sink.push(self.file, offset, problem.placed(self.id, self.path, self.tree.pointer(node)));
    }

    fn problem(&mut self, node: NodeId, message: String) {
        self.problem_with(node, Code::X07X07astParse0001, message);
    }

    /// What a value is, for messages.
    fn describe(&self, node: NodeId) -> String {
        match self.tree.kind(node) {
            Kind::Null => "null".to_owned(),
            Kind::Bool(value) => value.to_string(),
            Kind::Number => format!("the number {}", self.tree.number(node).unwrap_or_default()),
            Kind::String => format!("the string {:?}", shorten(&self.tree.string(node).unwrap_or_default())),
            Kind::Array => "an array".to_owned(),
            Kind::Object => "an object".to_owned(),
        }
    }

    /// A string member; its absence or another type is a problem.
    fn text(&mut self, object: NodeId, name: &str) -> Option<(Cow<'a, str>, NodeId)> {
        let Some(node) = self.tree.get(object, name) else {
            self.problem(object, format!("the member `{name}` is missing"));
            return None;
        };
        self.text_of(node, name).map(|text| (text, node))
    }

    fn text_of(&mut self, node: NodeId, what: &str) -> Option<Cow<'a, str>> {
        let text = self.tree.string(node);
        if text.is_none() {
            let found = self.describe(node);
            self.problem(node, format!("`{what}` must be a string, found {found}"));
        }
        text
    }

    /// The elements of an array member. A missing member is a problem if it is `required`.
    fn list(&mut self, object: NodeId, name: &str, required: bool) -> Vec<NodeId> {
        let Some(node) = self.tree.get(object, name) else {
            if required {
                self.problem(object, format!("the member `{name}` is missing; write an array, possibly empty"));
            }
            return Vec::new();
        };
        self.elements(node, name)
    }

    fn elements(&mut self, node: NodeId, what: &str) -> Vec<NodeId> {
        if self.tree.kind(node) != Kind::Array {
            let found = self.describe(node);
            self.problem(node, format!("`{what}` must be an array, found {found}"));
            return Vec::new();
        }
        self.tree.children(node).collect()
    }

    fn object(&mut self, node: NodeId, what: &str) -> bool {
        let fits = self.tree.kind(node) == Kind::Object;
        if !fits {
            let found = self.describe(node);
            self.problem(node, format!("{what} must be an object, found {found}"));
        }
        fits
    }

    fn document(&mut self, expect: Expect<'_>) -> Option<Module> {
        let root = self.tree.root();
        if !self.object(root, "an x07AST file") {
            return None;
        }
        self.version(root);
        self.kind_of_file(root, expect);
        let id = self.module_id(root, expect);
        let mut module = Module {
            id,
            imports: Vec::new(),
            exports: BTreeSet::new(),
            functions: Vec::new(),
            types: Vec::new(),
            solve: None,
        };
        self.imports(root, &mut module);
        if let Some(meta) = self.tree.get(root, "meta") {
            self.object(meta, "`meta`");
        }
        let exports = self.declarations(root, &mut module);
        self.check_exports(root, &exports, &mut module, expect);
        if matches!(expect, Expect::Entry) {
            match self.tree.get(root, "solve") {
                Some(node) => {
                    self.expression(node);
                    module.solve = Some(node);
                }
                None => self
                    .problem(root, "an entry file needs `solve`, the expression that computes the output".to_owned()),
            }
        }
        Some(module)
    }

    fn version(&mut self, root: NodeId) {
        let Some((text, node)) = self.text(root, "schema_version") else { return };
        match minor_version(&text) {
            Some(minor) if (OLDEST..=NEWEST).contains(&minor) => self.minor = minor,
            found => {
                let advice = match found {
                    Some(minor) if minor < OLDEST => "the file is too old; upgrade it or the package it comes from",
                    Some(_) => "the file is newer than this compiler; update the toolchain",
                    None if text.starts_with("x07.x07ast@") => {
                        "this version is not known; update the toolchain if it is newer, else upgrade the file"
                    }
                    None => "the file is not x07AST",
                };
                let message = format!(
                    "schema version {:?}: {advice} (read are x07.x07ast@0.{OLDEST}.0 to x07.x07ast@0.{NEWEST}.0)",
                    shorten(&text)
                );
                self.problem(node, message);
            }
        }
    }

    fn kind_of_file(&mut self, root: NodeId, expect: Expect<'_>) {
        let Some((text, node)) = self.text(root, "kind") else { return };
        let wanted = match expect {
            Expect::Entry => "entry",
            Expect::Module(_) => "module",
        };
        if text != wanted {
            self.problem(node, format!("the file's kind is {:?}, it must be \"{wanted}\"", shorten(&text)));
        }
    }

    fn module_id(&mut self, root: NodeId, expect: Expect<'_>) -> String {
        let wanted = match expect {
            Expect::Entry => "main",
            Expect::Module(id) => id,
        };
        if let Some((text, node)) = self.text(root, "module_id")
            && text != wanted
        {
            let why = match expect {
                Expect::Entry => "the entry's id is always \"main\"".to_owned(),
                Expect::Module(_) => format!("this file was looked up as \"{wanted}\""),
            };
            self.problem(node, format!("the module id is {:?}, but {why}", shorten(&text)));
        }
        wanted.to_owned()
    }

    fn imports(&mut self, root: NodeId, module: &mut Module) {
        for node in self.list(root, "imports", true) {
            let Some(id) = self.text_of(node, "imports") else { continue };
            if is_symbol(&id) {
                module.imports.push(Import { id: id.into_owned(), node });
            } else {
                self.problem(node, format!("{:?} is not a module id such as \"app.text\"", shorten(&id)));
            }
        }
        module.imports.sort_by(|a, b| a.id.cmp(&b.id));
        module.imports.dedup_by(|a, b| a.id == b.id);
    }

    /// Reads `decls`; yields the exported names with their places.
    fn declarations(&mut self, root: NodeId, module: &mut Module) -> Vec<(String, NodeId)> {
        let mut exports: Option<Vec<(String, NodeId)>> = None;
        for node in self.list(root, "decls", true) {
            if !self.object(node, "a declaration") {
                continue;
            }
            let Some((kind, kind_node)) = self.text(node, "kind") else { continue };
            match &*kind {
                "export" => {
                    let names = self.export(node);
                    if exports.is_some() {
                        self.problem(node, "a second export declaration; put all names into one".to_owned());
                    } else {
                        exports = Some(names);
                    }
                }
                "defn" => self.function(node, FunctionKind::Defn, module),
                "defasync" => self.function(node, FunctionKind::Defasync, module),
                "extern" => self.function(node, FunctionKind::Extern, module),
                "defrecord" => self.type_declaration(node, kind_node, true, module),
                "defenum" => self.type_declaration(node, kind_node, false, module),
                other => {
                    let message = format!(
                        "unknown declaration kind {:?}; known are export, defn, defasync, extern, defrecord, defenum",
                        shorten(other)
                    );
                    self.problem(kind_node, message);
                }
            }
        }
        exports.unwrap_or_default()
    }

    fn export(&mut self, node: NodeId) -> Vec<(String, NodeId)> {
        let names = self.list(node, "names", true);
        if names.is_empty() {
            self.problem(node, "an export declaration names at least one function".to_owned());
        }
        let mut out = Vec::new();
        for name in names {
            if let Some(text) = self.text_of(name, "names") {
                out.push((text.into_owned(), name));
            }
        }
        out
    }

    fn check_exports(&mut self, root: NodeId, exports: &[(String, NodeId)], module: &mut Module, expect: Expect<'_>) {
        if exports.is_empty() && matches!(expect, Expect::Module(_)) {
            let node = self.tree.get(root, "decls").unwrap_or(root);
            self.problem(node, "a module exports at least one function; add an export declaration".to_owned());
        }
        let defined: BTreeSet<&str> = module.functions.iter().map(|function| function.name.as_str()).collect();
        let mut exported = BTreeSet::new();
        for (name, node) in exports {
            if !starts_with_module(name, &module.id) {
                let message = format!("the exported name {:?} must start with \"{}.\"", shorten(name), module.id);
                self.problem(*node, message);
            } else if !defined.contains(name.as_str()) {
                let message = format!("the exported name {:?} is not a function that this file defines", shorten(name));
                self.problem(*node, message);
            } else {
                exported.insert(name.clone());
            }
        }
        module.exports = exported;
    }

    /// The symbol of a declaration: syntax, prefix, reserved parts.
    fn symbol(&mut self, node: NodeId, module: &str) -> Option<(String, NodeId)> {
        let (name, name_node) = self.text(node, "name")?;
        if !is_symbol(&name) || !starts_with_module(&name, module) {
            let message = format!(
                "{:?} is not a symbol of this module; write \"{module}.\" and then a name of letters, digits, `_` and `-`",
                shorten(&name)
            );
            self.problem(name_node, message);
            return None;
        }
        if let Some(part) = RESERVED_NAMES.iter().find(|part| name.contains(*part)) {
            self.problem(name_node, format!("names that contain `{part}` belong to the compiler; rename the function"));
        }
        Some((name.into_owned(), name_node))
    }

    fn function(&mut self, node: NodeId, kind: FunctionKind, module: &mut Module) {
        let symbol = self.symbol(node, &module.id);
        let variables = self.type_params(node, kind);
        let params = self.params(node, &variables);
        let result = self.result(node, kind, &variables);
        let result_brand = self.brand(node, "result_brand", result.as_ref().map(|(ty, _)| ty));
        if let Some(doc) = self.tree.get(node, "doc") {
            self.text_of(doc, "doc");
        }
        let body = self.body(node, kind);
        let clauses = self.clauses(node);
        self.proof_members(node, kind);
        let (Some((name, name_node)), Some((result, result_node))) = (symbol, result) else { return };
        module.functions.push(FunctionDecl {
            name,
            node,
            name_node,
            kind,
            generic: !variables.is_empty(),
            params,
            result,
            result_node,
            result_brand,
            body,
            clauses,
        });
    }

    fn type_params(&mut self, node: NodeId, kind: FunctionKind) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let Some(list) = self.tree.get(node, "type_params") else { return names };
        if kind == FunctionKind::Extern {
            self.problem(list, "a foreign function has no type parameters".to_owned());
        }
        for param in self.elements(list, "type_params") {
            if !self.object(param, "a type parameter") {
                continue;
            }
            if let Some(bound) = self.tree.get(param, "bound")
                && let Some(text) = self.text_of(bound, "bound")
                && !is_type_name(&text)
            {
                self.problem(bound, format!("{:?} is not the name of a bound", shorten(&text)));
            }
            let Some((name, name_node)) = self.text(param, "name") else { continue };
            if !is_local(&name) {
                self.problem(name_node, format!("{:?} is not a name of letters, digits and `_`", shorten(&name)));
            } else if !names.insert(name.clone().into_owned()) {
                self.problem(name_node, format!("the type parameter `{name}` stands twice in the list"));
            }
        }
        names
    }

    fn params(&mut self, node: NodeId, variables: &BTreeSet<String>) -> Vec<ParamDecl> {
        let mut params: Vec<ParamDecl> = Vec::new();
        for param in self.list(node, "params", true) {
            if !self.object(param, "a parameter") {
                continue;
            }
            let name = self.text(param, "name");
            let ty = match self.tree.get(param, "ty") {
                Some(ty_node) => self.type_expr(ty_node, variables).map(|ty| (ty, ty_node)),
                None => {
                    self.problem(param, "the member `ty` is missing".to_owned());
                    None
                }
            };
            let brand = self.brand(param, "brand", ty.as_ref().map(|(ty, _)| ty));
            let Some((name, name_node)) = name else { continue };
            if !is_local(&name) {
                self.problem(name_node, format!("{:?} is not a name of letters, digits and `_`", shorten(&name)));
            } else if name == "input" || name == "__result" {
                self.problem(name_node, format!("`{name}` is reserved; rename the parameter"));
            } else if params.iter().any(|earlier| earlier.name == *name) {
                self.problem(name_node, format!("the parameter `{name}` stands twice in the list"));
            }
            if let Some((ty, ty_node)) = ty {
                params.push(ParamDecl { name: name.into_owned(), ty, ty_node, brand, node: param });
            }
        }
        params
    }

    fn result(&mut self, node: NodeId, kind: FunctionKind, variables: &BTreeSet<String>) -> Option<(TypeExpr, NodeId)> {
        let Some(result) = self.tree.get(node, "result") else {
            self.problem(node, "the member `result` is missing".to_owned());
            return None;
        };
        if kind == FunctionKind::Extern && self.tree.string(result).as_deref() == Some("void") {
            return Some((TypeExpr::Void, result));
        }
        let ty = self.type_expr(result, variables)?;
        if kind == FunctionKind::Defasync
            && let TypeExpr::Concrete(concrete) = ty
            && !matches!(concrete, super::ir::Ty::Bytes | super::ir::Ty::ResultBytes)
        {
            let message =
                format!("an async function yields `bytes` or `result_bytes`, found `{}`", types::name(concrete));
            self.problem(result, message);
        }
        Some((ty, result))
    }

    /// A brand member, which only some types admit.
    fn brand(&mut self, object: NodeId, name: &str, ty: Option<&TypeExpr>) -> Option<String> {
        let node = self.tree.get(object, name)?;
        let text = self.text_of(node, name)?;
        if !is_symbol(&text) {
            self.problem(node, format!("{:?} is not a brand such as \"app.id_v1\"", shorten(&text)));
            return None;
        }
        match ty {
            Some(TypeExpr::Concrete(ty)) if !types::can_be_branded(*ty) => {
                let message = format!(
                    "`{}` carries no brand; bytes, bytes_view and options and results of them do",
                    types::name(*ty)
                );
                self.problem_with(node, Code::EBrandBadTy, message);
                None
            }
            Some(TypeExpr::Pointer(_) | TypeExpr::Void) => {
                let message = "this type carries no brand; bytes, bytes_view and options and results of them do";
                self.problem_with(node, Code::EBrandBadTy, message.to_owned());
                None
            }
            _ => Some(text.into_owned()),
        }
    }

    fn body(&mut self, node: NodeId, kind: FunctionKind) -> Option<NodeId> {
        if kind == FunctionKind::Extern {
            let abi = self.text(node, "abi");
            if let Some((abi, abi_node)) = abi
                && abi != "C"
            {
                self.problem(abi_node, format!("the ABI of a foreign function is \"C\", found {:?}", shorten(&abi)));
            }
            if let Some(link_name) = self.tree.get(node, "link_name")
                && self.tree.kind(link_name) != Kind::Null
            {
                self.text_of(link_name, "link_name");
            }
            return None;
        }
        let body = self.tree.get(node, "body");
        match body {
            Some(body) => self.expression(body),
            None => self.problem(node, "the member `body` is missing".to_owned()),
        }
        body
    }

    fn clauses(&mut self, node: NodeId) -> Vec<Clause> {
        let mut clauses = Vec::new();
        for kind in ["requires", "ensures", "invariant"] {
            let Some(list) = self.tree.get(node, kind) else { continue };
            if !self.since(list, kind, 5) {
                continue;
            }
            for clause in self.elements(list, kind) {
                if let Some(expressions) = self.clause(clause) {
                    clauses.push(Clause { kind, node: clause, expressions });
                }
            }
        }
        clauses
    }

    fn clause(&mut self, clause: NodeId) -> Option<Vec<NodeId>> {
        if !self.object(clause, "a contract clause") {
            return None;
        }
        if let Some(id) = self.tree.get(clause, "id") {
            self.text_of(id, "id");
        }
        let mut expressions = Vec::new();
        match self.tree.get(clause, "expr") {
            Some(expr) => {
                self.expression(expr);
                expressions.push(expr);
            }
            None => self.problem(clause, "the member `expr` is missing".to_owned()),
        }
        for witness in self.list(clause, "witness", false) {
            self.expression(witness);
            expressions.push(witness);
        }
        Some(expressions)
    }

    /// Members that only matter to proofs: they have no effect on the compiled program.
    fn proof_members(&mut self, node: NodeId, kind: FunctionKind) {
        if let Some(list) = self.tree.get(node, "loop_contracts")
            && self.since(list, "loop_contracts", 6)
        {
            for contract in self.elements(list, "loop_contracts") {
                self.object(contract, "a loop contract");
            }
        }
        if let Some(list) = self.tree.get(node, "decreases")
            && self.since(list, "decreases", 8)
        {
            if kind == FunctionKind::Defn {
                self.elements(list, "decreases");
            } else {
                self.problem(list, "`decreases` belongs to a `defn`".to_owned());
            }
        }
        if let Some(protocol) = self.tree.get(node, "protocol")
            && self.since(protocol, "protocol", 7)
        {
            if kind != FunctionKind::Defasync {
                self.problem(protocol, "`protocol` belongs to a `defasync`".to_owned());
            } else if self.object(protocol, "`protocol`") {
                for name in ["await_invariant", "scope_invariant", "cancellation_ensures"] {
                    for clause in self.list(protocol, name, false) {
                        self.clause(clause);
                    }
                }
            }
        }
    }

    /// Whether the file's version has a feature; else a problem.
    fn since(&mut self, node: NodeId, feature: &str, minor: u32) -> bool {
        if self.minor >= minor {
            return true;
        }
        let message = format!(
            "`{feature}` needs schema version x07.x07ast@0.{minor}.0 or newer, the file is x07.x07ast@0.{}.0",
            self.minor
        );
        self.problem(node, message);
        false
    }

    fn type_declaration(&mut self, node: NodeId, kind_node: NodeId, record: bool, module: &mut Module) {
        let (kind, list) = if record { ("defrecord", "fields") } else { ("defenum", "variants") };
        if !self.since(kind_node, kind, 9) {
            return;
        }
        let symbol = self.symbol(node, &module.id);
        let parts = self.list(node, list, true);
        if parts.is_empty() {
            self.problem(node, format!("a {kind} has at least one of `{list}`"));
        }
        let mut names = BTreeSet::new();
        for part in parts {
            if !self.object(part, "each of them") {
                continue;
            }
            let member = if record { "ty" } else { "payload" };
            match self.tree.get(part, member) {
                Some(ty) => {
                    let text = self.tree.string(ty);
                    if !matches!(text.as_deref(), Some("i32" | "u32")) {
                        let found = self.describe(ty);
                        self.problem(ty, format!("`{member}` is \"i32\" or \"u32\", found {found}"));
                    }
                }
                None if record => self.problem(part, "the member `ty` is missing".to_owned()),
                None => {}
            }
            let Some((name, name_node)) = self.text(part, "name") else { continue };
            if !is_local(&name) {
                self.problem(name_node, format!("{:?} is not a name of letters, digits and `_`", shorten(&name)));
            } else if !names.insert(name.clone().into_owned()) {
                self.problem(name_node, format!("`{name}` stands twice in the list"));
            }
        }
        if let Some((name, name_node)) = symbol {
            let mut heads: Vec<String> = names.iter().map(|part| format!("{name}.{part}")).collect();
            if record {
                heads.push(format!("{name}.make"));
            }
            module.types.push(TypeDecl { name, name_node, heads });
        }
    }

    fn type_expr(&mut self, node: NodeId, variables: &BTreeSet<String>) -> Option<TypeExpr> {
        if let Some(name) = self.tree.string(node) {
            let ty = types::from_name(&name);
            if ty.is_none() {
                let message = format!(
                    "unknown type {:?}; types are i32, u32, f64, bytes, bytes_view, vec_u8, option_i32, option_bytes, \
                     option_bytes_view, result_i32, result_bytes, result_bytes_view, result_result_bytes, iface",
                    shorten(&name)
                );
                self.problem(node, message);
            }
            return ty;
        }
        if self.tree.kind(node) != Kind::Array {
            let found = self.describe(node);
            self.problem(node, format!("a type is a name or an array such as [\"option\", \"i32\"], found {found}"));
            return None;
        }
        self.type_application(node, variables)
    }

    fn type_application(&mut self, root: NodeId, variables: &BTreeSet<String>) -> Option<TypeExpr> {
        // Types nest: `work` holds the applications still to look at, the outermost first.
        let mut work = vec![root];
        let mut sound = true;
        while let Some(node) = work.pop() {
            let parts: Vec<NodeId> = self.tree.children(node).collect();
            let head = parts.first().and_then(|&first| self.tree.string(first));
            let Some(head) = head else {
                self.problem(node, "a type application is an array that starts with a name".to_owned());
                sound = false;
                continue;
            };
            if head == "t" {
                let name = parts.get(1).and_then(|&part| self.tree.string(part));
                match name {
                    Some(name) if parts.len() == 2 && variables.contains(&*name) => {}
                    _ => {
                        let message = "[\"t\", NAME] names a type parameter of the function; this one is not declared";
                        self.problem(node, message.to_owned());
                        sound = false;
                    }
                }
                continue;
            }
            for &part in parts.iter().skip(1) {
                match self.tree.kind(part) {
                    Kind::Array => work.push(part),
                    Kind::String => {}
                    _ => {
                        let found = self.describe(part);
                        self.problem(part, format!("a type is a name or an array, found {found}"));
                        sound = false;
                    }
                }
            }
        }
        sound.then(|| self.simple_application(root).unwrap_or(TypeExpr::Generic))
    }

    /// `["option", T]` and `["result", T]` of plain types.
    fn simple_application(&self, node: NodeId) -> Option<TypeExpr> {
        let parts: Vec<NodeId> = self.tree.children(node).collect();
        let [head, inner] = parts.as_slice() else { return None };
        let TypeExpr::Concrete(inner) = types::from_name(&self.tree.string(*inner)?)? else { return None };
        let ty = match &*self.tree.string(*head)? {
            "option" => types::option_of(inner),
            "result" => types::result_of(inner),
            _ => None,
        };
        ty.map(TypeExpr::Concrete)
    }

    /// Checks the form of an expression and of all its parts.
    fn expression(&mut self, root: NodeId) {
        let mut work = vec![root];
        while let Some(node) = work.pop() {
            match self.tree.kind(node) {
                Kind::Number => self.number(node),
                Kind::String => {
                    let atom = self.tree.string(node).unwrap_or_default();
                    if atom.contains(char::is_whitespace) {
                        let message = format!(
                            "the identifier {:?} contains a space; write [\"bytes.lit\", …] for a text",
                            shorten(&atom)
                        );
                        self.problem(node, message);
                    }
                }
                Kind::Array => {
                    let items: Vec<NodeId> = self.tree.children(node).collect();
                    let Some((&first, rest)) = items.split_first() else {
                        self.problem(node, "an empty list; a list starts with the name of a form".to_owned());
                        continue;
                    };
                    let head = self.tree.string(first);
                    match &head {
                        None => {
                            let found = self.describe(first);
                            self.problem(first, format!("a list starts with a name, found {found}"));
                        }
                        Some(name) if name.contains(char::is_whitespace) => {
                            let message =
                                format!("the name {:?} at the start of a list contains a space", shorten(name));
                            self.problem(first, message);
                        }
                        Some(_) => {}
                    }
                    let literal = matches!(head.as_deref(), Some("bytes.lit" | "bytes.view_lit"));
                    for (i, &item) in rest.iter().enumerate() {
                        // The text of a literal is any string.
                        if !(literal && i == 0 && self.tree.kind(item) == Kind::String) {
                            work.push(item);
                        }
                    }
                }
                Kind::Null | Kind::Bool(_) | Kind::Object => {
                    let found = self.describe(node);
                    self.problem(node, format!("an expression is a number, a name or a list, found {found}"));
                }
            }
        }
    }

    fn number(&mut self, node: NodeId) {
        let text = self.tree.number(node).unwrap_or_default();
        if integer(text).is_none() {
            let message = if text.contains(['.', 'e', 'E']) {
                format!("the number {} is not written as an integer", shorten(text))
            } else {
                format!("the number {} is outside -2147483648..2147483647", shorten(text))
            };
            self.problem(node, message);
        }
    }
}

/// The value of an integer literal; `None` when it is not written as an `i32`.
pub(super) fn integer(text: &str) -> Option<i32> {
    text.parse::<i32>().ok()
}

fn starts_with_module(name: &str, module: &str) -> bool {
    name.strip_prefix(module).is_some_and(|rest| rest.starts_with('.'))
}

/// The `N` of `x07.x07ast@0.N.0`.
fn minor_version(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("x07.x07ast@0.")?.strip_suffix(".0")?;
    let minor: u32 = digits.parse().ok()?;
    (minor.to_string() == digits).then_some(minor)
}

/// A text short enough for a message.
pub(super) fn shorten(text: &str) -> Cow<'_, str> {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(document: &Value, expect: Expect<'_>) -> Vec<(Code, String)> {
        let text = document.to_string();
        let mut sink = Sink::default();
        let _ = read(0, "main", "main.x07.json", &text, expect, &mut sink);
        sink.finish(&[&text]).into_iter().map(|problem| (problem.code, problem.pointer)).collect()
    }

    fn entry(version: &str, decls: Value, solve: Value) -> Value {
        json!({"schema_version": version, "kind": "entry", "module_id": "main", "imports": [], "decls": decls, "solve": solve})
    }

    fn pointers(decls: Value, solve: Value) -> Vec<String> {
        let found = found(&entry("x07.x07ast@0.9.0", decls, solve), Expect::Entry);
        assert!(found.iter().all(|(code, _)| *code == Code::X07X07astParse0001), "{found:?}");
        found.into_iter().map(|(_, pointer)| pointer).collect()
    }

    #[test]
    fn well_formed_entry() {
        let decls = json!([{"kind": "defn", "name": "main.f", "params": [{"name": "x", "ty": "i32"}], "result": ["option", "i32"],
            "body": ["bytes.lit", "any text\n"]}]);
        assert!(pointers(decls, json!(["main.f", -2147483648])).is_empty());
    }

    #[test]
    fn expressions() {
        let solve = json!([
            "f",
            1.5,
            2147483648u32,
            "a b",
            [],
            [1],
            ["g h"],
            null,
            true,
            {},
            ["bytes.lit", ""],
            ["bytes.view_lit", "a b"]
        ]);
        assert_eq!(
            pointers(json!([]), solve),
            [
                "/solve/1",
                "/solve/2",
                "/solve/3",
                "/solve/4",
                "/solve/5/0",
                "/solve/6/0",
                "/solve/7",
                "/solve/8",
                "/solve/9"
            ]
        );
    }

    #[test]
    fn parameters_and_types() {
        let decls = json!([{"kind": "defn", "name": "main.f", "params": [
            {"name": "input", "ty": "i32"}, {"name": "a", "ty": "string"}, {"name": "b", "ty": "i32"}, {"name": "b", "ty": "i32"},
            {"name": "c-d", "ty": "i32"}, {"name": "e", "ty": ["t", "A"]}, {"ty": "i32"}], "result": "i32", "body": 0}]);
        assert_eq!(
            pointers(decls, json!(0)),
            [
                "/decls/0/params/0/name",
                "/decls/0/params/1/ty",
                "/decls/0/params/3/name",
                "/decls/0/params/4/name",
                "/decls/0/params/5/ty",
                "/decls/0/params/6"
            ]
        );
    }

    #[test]
    fn versions_gate_features() {
        let clause = json!([{"kind": "defn", "name": "main.f", "params": [], "result": "i32", "body": 0, "requires": [{"expr": 1}]}]);
        let old = entry("x07.x07ast@0.4.0", clause.clone(), json!(0));
        assert_eq!(found(&old, Expect::Entry), [(Code::X07X07astParse0001, "/decls/0/requires".to_owned())]);
        assert!(found(&entry("x07.x07ast@0.5.0", clause, json!(0)), Expect::Entry).is_empty());
        let record = json!([{"kind": "defrecord", "name": "main.R", "fields": [{"name": "x", "ty": "i32"}]}]);
        let old = entry("x07.x07ast@0.8.0", record, json!(0));
        assert_eq!(found(&old, Expect::Entry), [(Code::X07X07astParse0001, "/decls/0/kind".to_owned())]);
        let newer = entry("x07.x07ast@0.10.0", json!([]), json!(0));
        assert_eq!(found(&newer, Expect::Entry), [(Code::X07X07astParse0001, "/schema_version".to_owned())]);
    }

    #[test]
    fn brands_need_a_type_that_carries_them() {
        let decls = json!([{"kind": "defn", "name": "main.f", "params": [{"name": "x", "ty": "i32", "brand": "a.b"}],
            "result": "bytes", "result_brand": "a.b", "body": ["bytes.empty"]}]);
        let found = found(&entry("x07.x07ast@0.9.0", decls, json!(0)), Expect::Entry);
        assert_eq!(found, [(Code::EBrandBadTy, "/decls/0/params/0/brand".to_owned())]);
    }

    #[test]
    fn modules_export_what_they_define() {
        let module = |decls: Value| json!({"schema_version": "x07.x07ast@0.9.0", "kind": "module", "module_id": "a.b", "imports": [], "decls": decls});
        let defn = json!({"kind": "defn", "name": "a.b.f", "params": [], "result": "i32", "body": 0});
        let fine = module(json!([{"kind": "export", "names": ["a.b.f"]}, defn]));
        assert!(found(&fine, Expect::Module("a.b")).is_empty());
        let wrong = module(
            json!([{"kind": "export", "names": ["a.b.g", "c.f"]}, {"kind": "export", "names": ["a.b.f"]}, defn]),
        );
        let wrong = found(&wrong, Expect::Module("a.b"));
        assert_eq!(
            wrong.iter().map(|(_, p)| p.as_str()).collect::<Vec<_>>(),
            ["/decls/0/names/0", "/decls/0/names/1", "/decls/1"]
        );
        assert_eq!(found(&module(json!([defn])), Expect::Module("a.b")).len(), 1);
        assert!(found(&fine, Expect::Module("a.c")).iter().any(|(_, pointer)| pointer == "/module_id"));
    }

    #[test]
    fn names() {
        assert!(is_symbol("std.regex-lite.find_1") && is_symbol("_a"));
        for wrong in ["", ".", "a.", ".a", "a..b", "1a", "a.1", "a/b", "a b", "é"] {
            assert!(!is_symbol(wrong), "{wrong}");
        }
    }
}
