//! One file: from JSON to declarations.
//!
//! Every structural rule of the language is checked here, for expressions too, so that what comes
//! after may rely on it: a [`Module`] that was read without a problem has well-formed names,
//! types and expressions. All problems of a file are reported, not only the first.
//!
//! | file | job |
//! |---|---|
//! | `document` | the file as a whole: head, imports, the entry's expression |
//! | `versions` | schema versions and the features they bring |
//! | `declarations` | exports, records and enums |
//! | `functions` | signatures, brands, bodies, contract clauses |
//! | `type_expr` | types as functions write them |
//! | `expressions` | the form of expressions |
//! | `names` | which texts may name what |
//! | `reader` | values of a wanted form, problems with their place |
//!
//! Nothing here looks at a second file, and no name or type is looked up: that is the work of
//! `resolve` and `check`.

mod declarations;
mod document;
mod expressions;
mod functions;
mod names;
mod reader;
#[cfg(test)]
mod tests;
mod type_expr;
mod versions;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use x07_wasm_contracts::diagnostics::{Code, Stage};

use reader::Reader;
use versions::NEWEST;

use super::generic::Bound;
use super::problem::{Problem, Sink};
use super::types::TypeExpr;
use crate::contract::json::tree::{Limits, NodeId, Tree};

pub(super) use expressions::integer;
pub(super) use names::is_symbol;

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
    /// Standard modules that expressions need although nothing imports them, each with the first such
    /// expression.
    pub implicit: BTreeMap<&'static str, NodeId>,
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
    /// Its type parameters in order; a function that has some is generic.
    pub type_params: Vec<TypeParam>,
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

impl FunctionDecl {
    /// Whether it has type parameters.
    pub(super) fn is_generic(&self) -> bool {
        !self.type_params.is_empty()
    }
}

/// A type parameter.
pub(super) struct TypeParam {
    /// Its name.
    pub name: String,
    /// Which types it admits.
    pub bound: Bound,
    /// The type parameter object.
    pub node: NodeId,
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
    /// Whether it is a record.
    pub record: bool,
    /// The fields of a record, or the variants of an enum, in order.
    pub parts: Vec<TypePart>,
}

/// A field of a record, or a variant of an enum.
pub(super) struct TypePart {
    /// Its name.
    pub name: String,
    /// Whether values carry a number for it: a field always does, a variant when it has a payload.
    pub number: bool,
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
    let mut reader = Reader { tree: &tree, file, id, path, minor: NEWEST, sink, implicit: BTreeMap::new() };
    reader.document(expect)
}

/// A text short enough for a message.
pub(super) fn shorten(text: &str) -> Cow<'_, str> {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}
