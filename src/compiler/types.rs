//! The types that programs write, and brands.

use std::rc::Rc;

use super::ir::Ty;
use crate::contract::json::tree::{Kind, NodeId, Tree};

/// How many levels a type may have: a name has one, an application one more than its deepest part.
pub(super) const MOST_LEVELS: usize = 64;

/// A type as a signature or a type argument writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TypeExpr {
    /// A type with a fixed representation, other than `u32`.
    Concrete(Ty),
    /// `u32`: represented as `i32` is, but another type for generic functions.
    U32,
    /// A raw pointer, by its name; no program of the pure world may use one.
    Pointer(String),
    /// A type parameter of the function.
    Variable(String),
    /// What is no type by itself: an application to types, or a name that no type has.
    Apply(String, Vec<TypeExpr>),
    /// No value: the result of some external functions.
    Void,
}

impl TypeExpr {
    /// The representation, where it does not depend on type parameters.
    pub(super) fn fixed(&self) -> Option<Ty> {
        match self {
            Self::Concrete(ty) => Some(*ty),
            Self::U32 => Some(Ty::I32),
            Self::Pointer(_) | Self::Variable(_) | Self::Apply(..) | Self::Void => None,
        }
    }
}

/// Why a node is no type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misread {
    /// It is neither a name nor an application.
    Malformed,
    /// It has more than [`MOST_LEVELS`] levels.
    TooDeep,
}

/// Reads the type at a node. Which type parameters there are is not looked at.
pub(super) fn read(tree: &Tree<'_>, node: NodeId) -> Result<TypeExpr, Misread> {
    read_below(tree, node, 1)
}

fn read_below(tree: &Tree<'_>, node: NodeId, level: usize) -> Result<TypeExpr, Misread> {
    if level > MOST_LEVELS {
        return Err(Misread::TooDeep);
    }
    if let Some(name) = tree.string(node) {
        return Ok(from_name(&name).unwrap_or_else(|| TypeExpr::Apply(name.into_owned(), Vec::new())));
    }
    if tree.kind(node) != Kind::Array {
        return Err(Misread::Malformed);
    }
    let mut parts = tree.children(node);
    let head = parts.next().and_then(|head| tree.string(head)).ok_or(Misread::Malformed)?;
    if head == "t" {
        let name = parts.next().and_then(|name| tree.string(name)).ok_or(Misread::Malformed)?;
        return if parts.next().is_none() {
            Ok(TypeExpr::Variable(name.into_owned()))
        } else {
            Err(Misread::Malformed)
        };
    }
    let args = parts.map(|part| read_below(tree, part, level + 1)).collect::<Result<Vec<_>, _>>()?;
    let fixed = match args.as_slice() {
        [inner] => inner.fixed().and_then(|inner| applied(&head, inner)),
        _ => None,
    };
    Ok(fixed.map_or_else(|| TypeExpr::Apply(head.into_owned(), args), TypeExpr::Concrete))
}

/// The type `[head, T]` for a concrete `T`.
pub(super) fn applied(head: &str, ty: Ty) -> Option<Ty> {
    match head {
        "option" => option_of(ty),
        "result" => result_of(ty),
        _ => None,
    }
}

/// The type with this name.
pub(super) fn from_name(name: &str) -> Option<TypeExpr> {
    let ty = match name {
        "i32" => Ty::I32,
        "u32" => return Some(TypeExpr::U32),
        "f64" => Ty::F64,
        "bytes" => Ty::Bytes,
        "bytes_view" => Ty::View,
        "vec_u8" => Ty::Vec,
        "option_i32" => Ty::OptionI32,
        "option_bytes" => Ty::OptionBytes,
        "option_bytes_view" => Ty::OptionView,
        "result_i32" => Ty::ResultI32,
        "result_bytes" => Ty::ResultBytes,
        "result_bytes_view" => Ty::ResultView,
        "result_result_bytes" => Ty::ResultResultBytes,
        "iface" => Ty::Iface,
        "ptr_const_u8" | "ptr_mut_u8" | "ptr_const_void" | "ptr_mut_void" | "ptr_const_i32" | "ptr_mut_i32" => {
            return Some(TypeExpr::Pointer(name.to_owned()));
        }
        _ => return None,
    };
    Some(TypeExpr::Concrete(ty))
}

/// `["option", T]` for a concrete `T`.
fn option_of(ty: Ty) -> Option<Ty> {
    match ty {
        Ty::I32 => Some(Ty::OptionI32),
        Ty::Bytes => Some(Ty::OptionBytes),
        Ty::View => Some(Ty::OptionView),
        _ => None,
    }
}

/// `["result", T]` for a concrete `T`.
fn result_of(ty: Ty) -> Option<Ty> {
    match ty {
        Ty::I32 => Some(Ty::ResultI32),
        Ty::Bytes => Some(Ty::ResultBytes),
        Ty::View => Some(Ty::ResultView),
        Ty::ResultBytes => Some(Ty::ResultResultBytes),
        _ => None,
    }
}

/// How programs write the type.
pub(super) fn name(ty: Ty) -> &'static str {
    match ty {
        Ty::Unit => "no value",
        Ty::Never => "never",
        Ty::I32 => "i32",
        Ty::F64 => "f64",
        Ty::Bytes => "bytes",
        Ty::View => "bytes_view",
        Ty::Vec => "vec_u8",
        Ty::OptionI32 => "option_i32",
        Ty::OptionBytes => "option_bytes",
        Ty::OptionView => "option_bytes_view",
        Ty::ResultI32 => "result_i32",
        Ty::ResultBytes => "result_bytes",
        Ty::ResultView => "result_bytes_view",
        Ty::ResultResultBytes => "result_result_bytes",
        Ty::Iface => "iface",
        Ty::TaskBytes => "task handle of bytes",
        Ty::TaskResult => "task handle of result_bytes",
        Ty::Slot => "task slot",
        Ty::Event => "select event",
        Ty::OptionEvent => "option of a select event",
    }
}

/// Whether values of the type can carry a brand.
pub(super) fn can_be_branded(ty: Ty) -> bool {
    matches!(
        ty,
        Ty::Bytes
            | Ty::View
            | Ty::OptionBytes
            | Ty::OptionView
            | Ty::ResultBytes
            | Ty::ResultView
            | Ty::ResultResultBytes
    )
}

/// The message about a brand on a type that has none.
pub(super) fn no_brand(what: &str) -> String {
    format!("{what} carries no brand; bytes, bytes_view and options and results of them do")
}

/// Whether a value of the type is the outcome of something that may fail.
pub(super) fn is_result(ty: Ty) -> bool {
    matches!(ty, Ty::ResultI32 | Ty::ResultBytes | Ty::ResultView | Ty::ResultResultBytes)
}

/// What is known about the validity of bytes beyond their type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Brand {
    /// Nothing.
    None,
    /// There are no bytes that could lack the brand (`none`, `err`): any brand fits.
    Any,
    /// The bytes were validated for this brand.
    Named(Rc<str>),
}

impl Brand {
    /// The brand with this name, or none.
    pub(super) fn named(name: Option<&str>) -> Self {
        name.map_or(Self::None, |name| Self::Named(Rc::from(name)))
    }

    /// Whether a value with the brand `given` may stand where this brand is wanted.
    pub(super) fn accepts(&self, given: &Self) -> bool {
        match self {
            Self::None | Self::Any => true,
            Self::Named(_) => self == given || *given == Self::Any,
        }
    }

    /// The brand of a value that has one of two brands.
    pub(super) fn join(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Any, brand) | (brand, Self::Any) => brand.clone(),
            (a, b) if a == b => a.clone(),
            _ => Self::None,
        }
    }

    /// For messages: `bytes`, or `bytes with the brand app.id`.
    pub(super) fn describe(&self, ty: Ty) -> String {
        match self {
            Self::Named(brand) => format!("`{}` with the brand `{brand}`", name(ty)),
            Self::None | Self::Any => format!("`{}` without a brand", name(ty)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::json::tree::Limits;

    #[test]
    fn names_and_types_correspond() {
        for text in [
            "i32",
            "f64",
            "bytes",
            "bytes_view",
            "vec_u8",
            "option_i32",
            "option_bytes",
            "option_bytes_view",
            "result_i32",
            "result_bytes",
            "result_bytes_view",
            "result_result_bytes",
            "iface",
        ] {
            let Some(TypeExpr::Concrete(ty)) = from_name(text) else { panic!("{text}") };
            assert_eq!(name(ty), text);
        }
        assert_eq!(from_name("u32"), Some(TypeExpr::U32));
        assert_eq!(from_name("string"), None);
    }

    #[test]
    fn types_are_read() {
        let read = |text: &str| {
            let tree = Tree::parse(text, Limits::PROGRAM).expect("JSON");
            read(&tree, tree.root())
        };
        assert_eq!(read("\"bytes\""), Ok(TypeExpr::Concrete(Ty::Bytes)));
        assert_eq!(read("[\"option\", \"u32\"]"), Ok(TypeExpr::Concrete(Ty::OptionI32)));
        assert_eq!(read("[\"result\", \"result_bytes\"]"), Ok(TypeExpr::Concrete(Ty::ResultResultBytes)));
        let variable = TypeExpr::Variable("A".to_owned());
        assert_eq!(read("[\"t\", \"A\"]"), Ok(variable.clone()));
        assert_eq!(read("[\"option\", [\"t\", \"A\"]]"), Ok(TypeExpr::Apply("option".to_owned(), vec![variable])));
        assert_eq!(read("\"string\""), Ok(TypeExpr::Apply("string".to_owned(), Vec::new())));
        for text in ["1", "[]", "[1]", "[\"t\"]", "[\"t\", \"A\", \"B\"]", "[\"t\", 1]", "[\"option\", 1]"] {
            assert_eq!(read(text), Err(Misread::Malformed), "{text}");
        }
        let nested = |levels: usize| format!("{}\"x\"{}", "[\"v\",".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(read(&nested(MOST_LEVELS)).is_ok());
        assert_eq!(read(&nested(MOST_LEVELS + 1)), Err(Misread::TooDeep));
    }

    #[test]
    fn brands_are_lost_but_never_invented() {
        let (a, b) = (Brand::named(Some("a")), Brand::named(Some("b")));
        assert!(Brand::None.accepts(&a) && a.accepts(&a) && a.accepts(&Brand::Any));
        assert!(!a.accepts(&b) && !a.accepts(&Brand::None));
        assert_eq!(a.join(&b), Brand::None);
        assert_eq!(a.join(&Brand::Any), a);
        assert_eq!(Brand::None.join(&Brand::Any), Brand::None);
    }
}
