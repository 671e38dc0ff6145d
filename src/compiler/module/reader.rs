//! What every reading step shares: values of a wanted form, and problems with their place.

use std::borrow::Cow;
use std::collections::BTreeMap;

use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::shorten;
use crate::compiler::problem::{Problem, Sink};
use crate::contract::json::tree::{Kind, NodeId, Tree};

/// Reads one file; every check reports where it fails and goes on.
pub(super) struct Reader<'a> {
    /// The text that is read.
    pub(super) tree: &'a Tree<'a>,
    /// The file's number in load order.
    pub(super) file: usize,
    /// The module's id, for messages.
    pub(super) id: &'a str,
    /// The file's path, for messages.
    pub(super) path: &'a str,
    /// The schema version's middle number.
    pub(super) minor: u32,
    /// Takes the problems.
    pub(super) sink: &'a mut Sink,
    /// The first expression with `ty.hash32`.
    pub(super) implicit: BTreeMap<&'static str, NodeId>,
}

impl<'a> Reader<'a> {
    /// Reports a problem of a value under a code of its own.
    pub(super) fn problem_with(&mut self, node: NodeId, code: Code, message: String) {
        let problem = Problem::error(code, Stage::Parse, message);
        let offset = self.tree.span(node).start;
        self.sink.push(self.file, offset, problem.placed(self.id, self.path, self.tree.pointer(node)));
    }

    /// Reports that a value breaks the structure of the language.
    pub(super) fn problem(&mut self, node: NodeId, message: String) {
        self.problem_with(node, Code::X07X07astParse0001, message);
    }

    /// What a value is, for messages.
    pub(super) fn describe(&self, node: NodeId) -> String {
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
    pub(super) fn text(&mut self, object: NodeId, name: &str) -> Option<(Cow<'a, str>, NodeId)> {
        let Some(node) = self.tree.get(object, name) else {
            self.problem(object, format!("the member `{name}` is missing"));
            return None;
        };
        self.text_of(node, name).map(|text| (text, node))
    }

    /// The content of a value that must be a string; `what` names it in the problem.
    pub(super) fn text_of(&mut self, node: NodeId, what: &str) -> Option<Cow<'a, str>> {
        let text = self.tree.string(node);
        if text.is_none() {
            let found = self.describe(node);
            self.problem(node, format!("`{what}` must be a string, found {found}"));
        }
        text
    }

    /// The elements of an array member. A missing member is a problem if it is `required`.
    pub(super) fn list(&mut self, object: NodeId, name: &str, required: bool) -> Vec<NodeId> {
        let Some(node) = self.tree.get(object, name) else {
            if required {
                self.problem(object, format!("the member `{name}` is missing; write an array, possibly empty"));
            }
            return Vec::new();
        };
        self.elements(node, name)
    }

    /// The elements of a value that must be an array; `what` names it in the problem.
    pub(super) fn elements(&mut self, node: NodeId, what: &str) -> Vec<NodeId> {
        if self.tree.kind(node) != Kind::Array {
            let found = self.describe(node);
            self.problem(node, format!("`{what}` must be an array, found {found}"));
            return Vec::new();
        }
        self.tree.children(node).collect()
    }

    /// Whether a value is an object; else a problem that calls it `what`.
    pub(super) fn object(&mut self, node: NodeId, what: &str) -> bool {
        let fits = self.tree.kind(node) == Kind::Object;
        if !fits {
            let found = self.describe(node);
            self.problem(node, format!("{what} must be an object, found {found}"));
        }
        fits
    }
}
