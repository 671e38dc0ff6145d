//! The form of expressions; what they mean is checked later.

use super::reader::Reader;
use super::shorten;
use crate::compiler::std_modules;
use crate::contract::json::tree::{Kind, NodeId};

impl Reader<'_> {
    /// Checks the form of an expression and of all its parts.
    pub(super) fn expression(&mut self, root: NodeId) {
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
                    if let Some(module) = head.as_deref().and_then(std_modules::module_of) {
                        self.implicit.entry(module).or_insert(node);
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
pub(in crate::compiler) fn integer(text: &str) -> Option<i32> {
    text.parse::<i32>().ok()
}
