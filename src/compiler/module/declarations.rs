//! The list of declarations: exports, records and enums; functions have a file of their own.

use std::collections::BTreeSet;

use super::names::{RESERVED_NAMES, is_local, starts_with_module};
use super::reader::Reader;
use super::{Expect, FunctionKind, Module, TypeDecl, TypePart, is_symbol, shorten};
use crate::contract::json::tree::NodeId;

impl Reader<'_> {
    /// Reads `decls`; yields the exported names with their places.
    pub(super) fn declarations(&mut self, root: NodeId, module: &mut Module) -> Vec<(String, NodeId)> {
        let mut exports: Option<Vec<(String, NodeId)>> = None;
        for node in self.list(root, "decls", true) {
            if !self.object(node, "a declaration") {
                continue;
            }
            let Some((kind, kind_node)) = self.text(node, "kind") else { continue };
            match &*kind {
                "export" => {
                    let names = self.export(node);
                    if names.is_empty() {
                        continue;
                    }
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

    /// Checks the exported names and keeps those that the file defines.
    pub(super) fn check_exports(
        &mut self,
        root: NodeId,
        exports: &[(String, NodeId)],
        module: &mut Module,
        expect: Expect<'_>,
    ) {
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
    pub(super) fn symbol(&mut self, node: NodeId, module: &str) -> Option<(String, NodeId)> {
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

    fn export(&mut self, node: NodeId) -> Vec<(String, NodeId)> {
        let names = self.list(node, "names", true);
        let mut out = Vec::new();
        for name in names {
            if let Some(text) = self.text_of(name, "names") {
                out.push((text.into_owned(), name));
            }
        }
        out
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
        let mut declared = Vec::with_capacity(parts.len());
        for part in parts {
            if !self.object(part, "each of them") {
                continue;
            }
            let member = if record { "ty" } else { "payload" };
            let number = self.tree.get(part, member);
            match number {
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
            declared.push(TypePart { name: name.into_owned(), number: number.is_some() });
        }
        if let Some((name, name_node)) = symbol {
            module.types.push(TypeDecl { name, name_node, record, parts: declared });
        }
    }
}
