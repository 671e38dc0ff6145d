//! The file as a whole: its head, its imports, and the entry's expression.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::Reader;
use super::{Expect, Import, Module, is_symbol, shorten};
use crate::contract::json::tree::NodeId;

impl Reader<'_> {
    /// Reads the file; `None` when it is not an object.
    pub(super) fn document(&mut self, expect: Expect<'_>) -> Option<Module> {
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
            implicit: BTreeMap::new(),
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
        module.implicit = std::mem::take(&mut self.implicit);
        Some(module)
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
}
