//! Generic functions: what type arguments are, which of them a type parameter admits, and how the
//! specialisations of a function are named.
//!
//! A specialisation is a generic function with a list of type arguments. Nothing is rewritten: the
//! nodes of the declaration are looked at once for each specialisation, with other [`Bindings`].
//! Which specialisations there are is found out in `resolve`; what they mean, in `check`.

use std::borrow::Cow;
use std::rc::Rc;

use super::ir::Ty;
use super::module::{TypeParam, shorten};
use super::types::{self, Misread, TypeExpr};
use crate::contract::digest::sha256_hex;
use crate::contract::json::tree::{Kind, NodeId, Tree};

/// Most specialisations of a program.
pub(super) const MOST_SPECIALISATIONS: usize = 4096;

/// Most bytes of the text of a type argument. Types that double with each call of a function would
/// outgrow the memory long before they are too deep.
pub(super) const MOST_TEXT: usize = 4096;

/// The intrinsic that needs functions of [`HASH_MODULE`].
pub(super) const HASH: &str = "ty.hash32";

/// The standard module that [`HASH`] calls; nobody has to import it for that.
pub(super) const HASH_MODULE: &str = "std.hash";

/// The function that hashes a number.
pub(super) const HASH_NUMBER: &str = "std.hash.mix32";

/// The function that hashes the content of bytes, to a number that [`HASH_NUMBER`] takes.
pub(super) const HASH_CONTENT: &str = "std.hash.fnv1a32_view";

/// A type argument: a type without type parameters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GroundType {
    /// A type with a representation, other than `u32`.
    Plain(Ty),
    /// `u32`.
    U32,
    /// An application that no value can have as its type. A function may have such an argument as
    /// long as it does not use it.
    Other {
        /// Its canonical JSON.
        text: Rc<str>,
        /// How many levels it has.
        levels: usize,
    },
}

impl GroundType {
    /// How values of the type are represented.
    pub(super) fn ty(&self) -> Option<Ty> {
        match self {
            Self::Plain(ty) => Some(*ty),
            Self::U32 => Some(Ty::I32),
            Self::Other { .. } => None,
        }
    }

    /// Which of the four types of generic operations it is.
    pub(super) fn value(&self) -> Option<ValueType> {
        match self {
            Self::Plain(Ty::I32) => Some(ValueType::I32),
            Self::U32 => Some(ValueType::U32),
            Self::Plain(Ty::Bytes) => Some(ValueType::Bytes),
            Self::Plain(Ty::View) => Some(ValueType::View),
            Self::Plain(_) | Self::Other { .. } => None,
        }
    }

    /// How programs write the type.
    pub(super) fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Plain(ty) => Cow::Borrowed(types::name(*ty)),
            Self::U32 => Cow::Borrowed("u32"),
            Self::Other { text, .. } => shorten(text),
        }
    }

    fn json(&self) -> Cow<'_, str> {
        match self {
            Self::Plain(_) | Self::U32 => Cow::Owned(format!("\"{}\"", self.name())),
            Self::Other { text, .. } => Cow::Borrowed(&**text),
        }
    }

    fn levels(&self) -> usize {
        match self {
            Self::Plain(_) | Self::U32 => 1,
            Self::Other { levels, .. } => *levels,
        }
    }

    /// `[head, args…]`.
    fn applied(head: &str, args: &[Self]) -> Result<Self, Fault> {
        if let [inner] = args
            && let Some(ty) = inner.ty().and_then(|inner| types::applied(head, inner))
        {
            return Ok(Self::Plain(ty));
        }
        let levels = 1 + args.iter().map(Self::levels).max().unwrap_or(0);
        let mut text = format!("[{}", serde_json::Value::from(head));
        for arg in args {
            text.push(',');
            text.push_str(&arg.json());
            if text.len() > MOST_TEXT {
                return Err(Fault::TooLarge);
            }
        }
        text.push(']');
        if levels > types::MOST_LEVELS {
            return Err(Fault::TooLarge);
        }
        Ok(Self::Other { text: Rc::from(text), levels })
    }
}

/// The types that generic operations and containers know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueType {
    /// `i32`
    I32,
    /// `u32`
    U32,
    /// `bytes`
    Bytes,
    /// `bytes_view`
    View,
}

impl ValueType {
    /// Whether its values are numbers.
    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::I32 | Self::U32)
    }

    /// How values are represented.
    pub(super) fn ty(self) -> Ty {
        match self {
            Self::I32 | Self::U32 => Ty::I32,
            Self::Bytes => Ty::Bytes,
            Self::View => Ty::View,
        }
    }

    /// The number by which containers know the type.
    pub(super) fn id(self) -> i32 {
        match self {
            Self::I32 => 1,
            Self::U32 => 2,
            Self::Bytes => 3,
            Self::View => 4,
        }
    }
}

/// Which types a type parameter admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// All types.
    Any,
    /// Bytes, owned or borrowed.
    BytesLike,
    /// Numbers.
    NumLike,
    /// Types whose values can be stored, hashed or ordered, by the name that was written.
    Value(&'static str),
    /// A bound that does not exist.
    Unknown(String),
}

impl Bound {
    /// The bound with this name.
    pub(super) fn from_name(name: &str) -> Self {
        match name {
            "any" => Self::Any,
            "bytes_like" => Self::BytesLike,
            "num_like" => Self::NumLike,
            "value" => Self::Value("value"),
            "hashable" => Self::Value("hashable"),
            "orderable" => Self::Value("orderable"),
            _ => Self::Unknown(name.to_owned()),
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Any => "any",
            Self::BytesLike => "bytes_like",
            Self::NumLike => "num_like",
            Self::Value(name) => name,
            Self::Unknown(name) => name,
        }
    }

    /// The types that it admits, for messages.
    pub(super) fn admitted(&self) -> &'static str {
        match self {
            Self::Any | Self::Unknown(_) => "all types",
            Self::BytesLike => "bytes and bytes_view",
            Self::NumLike => "i32 and u32",
            Self::Value(_) => "i32, u32, bytes and bytes_view",
        }
    }

    /// Whether it admits a type. A bound that does not exist does: it is reported by itself.
    pub(super) fn admits(&self, ty: &GroundType) -> bool {
        match self {
            Self::Any | Self::Unknown(_) => true,
            Self::BytesLike => matches!(ty.value(), Some(ValueType::Bytes | ValueType::View)),
            Self::NumLike => ty.value().is_some_and(ValueType::is_number),
            Self::Value(_) => ty.value().is_some(),
        }
    }
}

/// What is wrong with a type argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is no type.
    Malformed,
    /// It is too deep, or too long.
    TooLarge,
    /// No type has this name.
    Unknown(String),
    /// It is a type parameter that the function does not have.
    Unbound(String),
    /// It is a raw pointer.
    Pointer(String),
    /// The bound of a type parameter does not admit it.
    Refused {
        /// The type parameter's number.
        param: usize,
        /// The type.
        found: String,
    },
}

/// What the type parameters of a function stand for.
#[derive(Clone, Copy)]
pub(super) struct Bindings<'b> {
    /// The type parameters.
    pub params: &'b [TypeParam],
    /// The type arguments, one for each.
    pub args: &'b [GroundType],
}

impl<'b> Bindings<'b> {
    /// The type that a type parameter stands for.
    fn get(&self, name: &str) -> Option<&'b GroundType> {
        let at = self.params.iter().position(|param| param.name == name)?;
        self.args.get(at)
    }

    /// Puts types in the place of type parameters.
    pub(super) fn ground(&self, ty: &TypeExpr) -> Result<GroundType, Fault> {
        match ty {
            TypeExpr::Concrete(ty) => Ok(GroundType::Plain(*ty)),
            TypeExpr::U32 => Ok(GroundType::U32),
            TypeExpr::Pointer(name) => Err(Fault::Pointer(name.clone())),
            TypeExpr::Variable(name) => self.get(name).cloned().ok_or_else(|| Fault::Unbound(name.clone())),
            TypeExpr::Apply(head, args) if args.is_empty() => Err(Fault::Unknown(head.clone())),
            TypeExpr::Apply(head, args) => {
                let args = args.iter().map(|arg| self.ground(arg)).collect::<Result<Vec<_>, _>>()?;
                GroundType::applied(head, &args)
            }
            TypeExpr::Void => Err(Fault::Unknown("void".to_owned())),
        }
    }

    /// The type at a node of a function's body.
    pub(super) fn read(&self, tree: &Tree<'_>, node: NodeId) -> Result<GroundType, Fault> {
        match types::read(tree, node) {
            Ok(ty) => self.ground(&ty),
            Err(Misread::Malformed) => Err(Fault::Malformed),
            Err(Misread::TooDeep) => Err(Fault::TooLarge),
        }
    }

    /// The types at some nodes as arguments for the type parameters of a function, of which there
    /// are as many; or what is wrong with which of them.
    pub(super) fn arguments(
        &self,
        tree: &Tree<'_>,
        nodes: &[NodeId],
        params: &[TypeParam],
    ) -> Result<Vec<GroundType>, Vec<(NodeId, Fault)>> {
        let mut args = Vec::with_capacity(nodes.len());
        let mut faults = Vec::new();
        for (number, (&node, param)) in nodes.iter().zip(params).enumerate() {
            match self.read(tree, node) {
                Ok(ty) if param.bound.admits(&ty) => args.push(ty),
                Ok(ty) => faults.push((node, Fault::Refused { param: number, found: ty.name().into_owned() })),
                Err(fault) => faults.push((node, fault)),
            }
        }
        if faults.is_empty() { Ok(args) } else { Err(faults) }
    }
}

/// The nodes of the types and of the values in what follows the callee of a `tapp`: a list of types
/// that starts with `tys`, or as many types as the callee has type parameters.
pub(super) fn split<'n>(tree: &Tree<'_>, rest: &'n [NodeId], arity: usize) -> (Vec<NodeId>, &'n [NodeId]) {
    if let Some((&first, values)) = rest.split_first()
        && tree.kind(first) == Kind::Array
    {
        let mut parts = tree.children(first);
        if parts.next().and_then(|head| tree.string(head)).as_deref() == Some("tys") {
            return (parts.collect(), values);
        }
    }
    let (types, values) = rest.split_at(arity.min(rest.len()));
    (types.to_vec(), values)
}

/// The symbol of a specialisation. No two have the same: the names of types cannot be confused, and
/// where a type has none the whole digest stands.
pub(super) fn symbol(generic: &str, args: &[GroundType]) -> String {
    let all: Vec<Cow<'_, str>> = args.iter().map(GroundType::json).collect();
    let digest = sha256_hex(format!("[{}]", all.join(",")).as_bytes());
    let named = args.iter().all(|arg| arg.ty().is_some());
    let names: Vec<String> = args.iter().map(readable).collect();
    let hash = if named { digest.get(..8).unwrap_or_default() } else { digest.as_str() };
    format!("{generic}__x07_mono_v1__{}__h{hash}", names.join("_"))
}

/// A type as a part of a symbol.
fn readable(ty: &GroundType) -> String {
    ty.name().replace(',', "_").chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// How messages name a specialisation.
pub(super) fn describe(generic: &str, args: &[GroundType]) -> String {
    let names: Vec<Cow<'_, str>> = args.iter().map(GroundType::name).collect();
    format!("{generic}<{}>", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::json::tree::Limits;

    fn ground(text: &str, args: &[GroundType]) -> Result<GroundType, Fault> {
        let tree = Tree::parse(text, Limits::PROGRAM).expect("JSON");
        let root = tree.root();
        let params = [TypeParam { name: "A".to_owned(), bound: Bound::Any, node: root }];
        Bindings { params: &params, args }.read(&tree, root)
    }

    #[test]
    fn types_are_substituted() {
        let u32 = [GroundType::U32];
        assert_eq!(ground("[\"t\", \"A\"]", &u32), Ok(GroundType::U32));
        assert_eq!(ground("[\"option\", [\"t\", \"A\"]]", &u32), Ok(GroundType::Plain(Ty::OptionI32)));
        assert_eq!(ground("[\"t\", \"B\"]", &u32), Err(Fault::Unbound("B".to_owned())));
        assert_eq!(ground("\"text\"", &u32), Err(Fault::Unknown("text".to_owned())));
        assert_eq!(ground("\"ptr_mut_u8\"", &u32), Err(Fault::Pointer("ptr_mut_u8".to_owned())));
        assert_eq!(ground("[\"option\", 1]", &u32), Err(Fault::Malformed));
        let pair = ground("[\"pair\", [\"t\", \"A\"], \"bytes\"]", &u32).expect("a type");
        assert_eq!((&*pair.name(), pair.levels(), pair.ty()), ("[\"pair\",\"u32\",\"bytes\"]", 2, None));
    }

    #[test]
    fn types_that_grow_come_to_an_end() {
        for text in ["[\"option\", [\"t\", \"A\"]]", "[\"pair\", [\"t\", \"A\"], [\"t\", \"A\"]]"] {
            let mut args = vec![GroundType::Plain(Ty::I32)];
            let fault = (0..100).find_map(|_| match ground(text, &args) {
                Ok(ty) => {
                    args = vec![ty];
                    None
                }
                Err(fault) => Some(fault),
            });
            assert_eq!(fault, Some(Fault::TooLarge), "{text}");
        }
    }

    #[test]
    fn bounds_admit() {
        let all =
            [GroundType::Plain(Ty::I32), GroundType::U32, GroundType::Plain(Ty::Bytes), GroundType::Plain(Ty::View)];
        let vec = GroundType::Plain(Ty::Vec);
        for (name, admitted) in [
            ("any", [true; 4]),
            ("bytes_like", [false, false, true, true]),
            ("num_like", [true, true, false, false]),
            ("value", [true; 4]),
            ("hashable", [true; 4]),
            ("orderable", [true; 4]),
        ] {
            let bound = Bound::from_name(name);
            assert_eq!(bound.name(), name);
            assert_eq!(all.each_ref().map(|ty| bound.admits(ty)), admitted, "{name}");
            assert_eq!(bound.admits(&vec), name == "any", "{name}");
        }
    }

    #[test]
    fn symbols() {
        let bytes = [GroundType::Plain(Ty::Bytes)];
        assert_eq!(symbol("main.p", &bytes), "main.p__x07_mono_v1__bytes__hd72b15d3");
        assert_ne!(symbol("main.p", &[GroundType::U32]), symbol("main.p", &[GroundType::Plain(Ty::I32)]));
        assert_eq!(describe("main.p", &[GroundType::U32, GroundType::Plain(Ty::View)]), "main.p<u32, bytes_view>");
    }
}
