//! The types that a function writes for its parameters and its result.

use x07_wasm_contracts::diagnostics::Code;

use super::reader::Reader;
use super::{TypeParam, shorten};
use crate::compiler::types::{self, Misread, TypeExpr};
use crate::contract::json::tree::{Kind, NodeId};

impl Reader<'_> {
    /// Reads a type; `variables` are the type parameters in scope.
    pub(super) fn type_expr(&mut self, node: NodeId, variables: &[TypeParam]) -> Option<TypeExpr> {
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

    fn type_application(&mut self, root: NodeId, variables: &[TypeParam]) -> Option<TypeExpr> {
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
                    Some(name) if parts.len() == 2 && variables.iter().any(|variable| *name == variable.name) => {}
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
        if !sound {
            return None;
        }
        match types::read(self.tree, root) {
            Ok(ty) => Some(ty),
            Err(Misread::TooDeep) => {
                let message = format!("a type nests at most {} levels deep", types::MOST_LEVELS);
                self.problem_with(root, Code::X07cLimitExceeded, message);
                None
            }
            // Found and reported above.
            Err(Misread::Malformed) => None,
        }
    }
}
