//! Types of components as people write them in WIT.

use std::collections::HashMap;
use wac_types::{DefinedType, DefinedTypeId, FuncType, ItemKind, ResourceId, Type, Types, ValueType};

/// Characters after which a text is cut: a type may be a million items large.
const MAX_CHARS: usize = 400;

/// Writes the items of one interface.
pub struct Printer<'t> {
    types: &'t Types,
    /// Types that the interface names are written by their names.
    names: HashMap<DefinedTypeId, &'t str>,
    out: String,
}

impl<'t> Printer<'t> {
    /// A printer for items that stand on their own.
    #[must_use]
    pub fn new(types: &'t Types) -> Self {
        Self { types, names: HashMap::new(), out: String::new() }
    }

    /// A printer for the items of an instance; for anything else as [`Printer::new`].
    #[must_use]
    pub fn for_items_of(types: &'t Types, owner: ItemKind) -> Self {
        let mut printer = Self::new(types);
        if let ItemKind::Instance(id) = owner {
            for (name, kind) in &types[id].exports {
                if let ItemKind::Type(Type::Value(ValueType::Defined(id))) = kind {
                    printer.names.entry(*id).or_insert(name);
                }
            }
        }
        printer
    }

    /// An item as a line of WIT, or in words where WIT has none for it.
    #[must_use]
    pub fn item(mut self, name: &str, kind: ItemKind) -> String {
        let types = self.types;
        match kind {
            ItemKind::Func(id) | ItemKind::Type(Type::Func(id)) => {
                self.function(name, &types[id]);
                self.quoted()
            }
            ItemKind::Type(Type::Value(ty)) => {
                self.out.push_str("type ");
                self.out.push_str(name);
                self.out.push_str(" = ");
                self.top_level(ty);
                self.quoted()
            }
            ItemKind::Type(Type::Resource(_)) => {
                self.out.push_str("resource ");
                self.out.push_str(name);
                self.quoted()
            }
            ItemKind::Instance(_) | ItemKind::Type(Type::Interface(_)) => format!("the interface {name}"),
            ItemKind::Component(_) | ItemKind::Type(Type::World(_)) => format!("the component {name}"),
            ItemKind::Module(_) | ItemKind::Type(Type::Module(_)) => format!("the core module {name}"),
            ItemKind::Value(_) => format!("the value {name}"),
        }
    }

    fn quoted(self) -> String {
        match self.out.char_indices().nth(MAX_CHARS) {
            Some((at, _)) => format!("`{}…`", self.out.get(..at).unwrap_or_default()),
            None => format!("`{}`", self.out),
        }
    }

    /// Whether what was written is already more than is shown.
    fn full(&self) -> bool {
        self.out.len() > 4 * MAX_CHARS
    }

    fn function(&mut self, name: &str, function: &FuncType) {
        // A name is either plain, or a kind in brackets and then `resource.item` or `resource`.
        let (kind, plain) = match name.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((kind, plain)) => (kind, plain),
            None => ("", name),
        };
        self.out.push_str(plain);
        self.out.push_str(": ");
        if kind.ends_with("static") {
            self.out.push_str("static ");
        }
        if function.is_async {
            self.out.push_str("async ");
        }
        let constructor = kind == "constructor";
        self.out.push_str(if constructor { "constructor(" } else { "func(" });
        let skipped = usize::from(kind.ends_with("method"));
        for (i, (name, ty)) in function.params.iter().skip(skipped).enumerate() {
            self.separated(i);
            self.out.push_str(name);
            self.out.push_str(": ");
            self.value(*ty);
        }
        self.out.push(')');
        if let (Some(result), false) = (function.result, constructor) {
            self.out.push_str(" -> ");
            self.value(result);
        }
    }

    fn separated(&mut self, position: usize) {
        if position > 0 {
            self.out.push_str(", ");
        }
    }

    /// A named type by what it is and not by its own name.
    fn top_level(&mut self, ty: ValueType) {
        match ty {
            ValueType::Defined(id) => self.defined(id),
            other => self.value(other),
        }
    }

    fn value(&mut self, ty: ValueType) {
        match ty {
            ValueType::Primitive(primitive) => self.out.push_str(primitive.desc()),
            ValueType::Own(id) => self.resource(id),
            ValueType::Borrow(id) => {
                self.out.push_str("borrow<");
                self.resource(id);
                self.out.push('>');
            }
            ValueType::Defined(id) => match self.names.get(&id).copied() {
                Some(name) => self.out.push_str(name),
                None => self.defined(id),
            },
        }
    }

    fn resource(&mut self, id: ResourceId) {
        self.out.push_str(&self.types[id].name);
    }

    fn defined(&mut self, id: DefinedTypeId) {
        if self.full() {
            return;
        }
        let types = self.types;
        match &types[id] {
            DefinedType::Alias(ty) => self.value(*ty),
            DefinedType::List(ty) => self.generic("list", &[Some(*ty)]),
            DefinedType::Option(ty) => self.generic("option", &[Some(*ty)]),
            DefinedType::Map(key, value) => self.generic("map", &[Some(*key), Some(*value)]),
            DefinedType::Tuple(items) => {
                let items: Vec<_> = items.iter().copied().map(Some).collect();
                self.generic("tuple", &items);
            }
            DefinedType::Result { ok, err: None } => self.generic("result", &[*ok]),
            DefinedType::Result { ok, err } => self.generic("result", &[*ok, *err]),
            DefinedType::Stream(ty) => self.generic("stream", &[*ty]),
            DefinedType::Future(ty) => self.generic("future", &[*ty]),
            DefinedType::FixedSizeList(ty, length) => {
                self.out.push_str("list<");
                self.value(*ty);
                self.out.push_str(&format!(", {length}>"));
            }
            DefinedType::Record(record) => {
                self.block("record", record.fields.iter().map(|(name, ty)| (name.as_str(), Some((": ", *ty, "")))));
            }
            DefinedType::Variant(variant) => {
                self.block(
                    "variant",
                    variant.cases.iter().map(|(name, ty)| (name.as_str(), ty.map(|ty| ("(", ty, ")")))),
                );
            }
            DefinedType::Flags(flags) => self.block("flags", flags.0.iter().map(|name| (name.as_str(), None))),
            DefinedType::Enum(cases) => self.block("enum", cases.0.iter().map(|name| (name.as_str(), None))),
        }
    }

    /// `name<a, b>`; an absent argument is `_`, and none at all are left out.
    fn generic(&mut self, name: &str, arguments: &[Option<ValueType>]) {
        self.out.push_str(name);
        if arguments.iter().all(Option::is_none) {
            return;
        }
        self.out.push('<');
        for (i, argument) in arguments.iter().enumerate() {
            if self.full() {
                return;
            }
            self.separated(i);
            match argument {
                Some(ty) => self.value(*ty),
                None => self.out.push('_'),
            }
        }
        self.out.push('>');
    }

    /// `keyword { name, name }`, each name with its type between two marks where it has one.
    fn block<'n>(
        &mut self,
        keyword: &str,
        entries: impl Iterator<Item = (&'n str, Option<(&'static str, ValueType, &'static str)>)>,
    ) {
        self.out.push_str(keyword);
        self.out.push_str(" { ");
        for (i, (name, ty)) in entries.enumerate() {
            if self.full() {
                return;
            }
            self.separated(i);
            self.out.push_str(name);
            if let Some((open, ty, close)) = ty {
                self.out.push_str(open);
                self.value(ty);
                self.out.push_str(close);
            }
        }
        self.out.push_str(" }");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::packages;
    use wit_parser::Resolve;

    /// The items of the only interface of a WIT text, each as it is printed.
    fn printed(interface: &str) -> Vec<String> {
        let text = format!("package t:t@1.0.0;\ninterface i {{ {interface} }}\nworld w {{ import i; }}\n");
        let mut resolve = Resolve::default();
        let package = resolve.push_str("t.wit", &text).expect("valid WIT");
        let bytes = wit_component::encode(&resolve, package).expect("encodes");
        let mut types = Types::new();
        let package = packages::read("t", &bytes, &mut types).expect("a component");
        let ItemKind::Type(Type::World(outer)) = types[package.ty()].exports["w"] else { panic!("no world") };
        let ItemKind::Component(world) = types[outer].exports[0] else { panic!("no component") };
        let owner = types[world].imports["t:t/i@1.0.0"];
        let ItemKind::Instance(id) = owner else { panic!("no interface") };
        types[id].exports.iter().map(|(name, kind)| Printer::for_items_of(&types, owner).item(name, *kind)).collect()
    }

    #[test]
    fn functions_are_written_as_in_wit() {
        assert_eq!(printed("f: func();"), ["`f: func()`"]);
        assert_eq!(
            printed("f: func(a: u8, b: list<string>) -> tuple<bool, char>;"),
            ["`f: func(a: u8, b: list<string>) -> tuple<bool, char>`"]
        );
        for result in
            ["result", "result<u8>", "result<_, string>", "result<u8, string>", "option<f64>", "list<option<s8>>"]
        {
            assert_eq!(printed(&format!("f: func() -> {result};")), [format!("`f: func() -> {result}`")]);
        }
    }

    #[test]
    fn named_types_are_written_by_name_and_in_full_where_they_are_defined() {
        let items = printed("record r { a: u8, b: string }  f: func(x: r) -> list<r>;");
        assert_eq!(items, ["`type r = record { a: u8, b: string }`", "`f: func(x: r) -> list<r>`"]);
        assert_eq!(printed("variant v { a, b(u8) }"), ["`type v = variant { a, b(u8) }`"]);
        assert_eq!(printed("enum e { a, b }"), ["`type e = enum { a, b }`"]);
        assert_eq!(printed("flags g { a, b }"), ["`type g = flags { a, b }`"]);
        assert_eq!(printed("type t = u32;"), ["`type t = u32`"]);
    }

    #[test]
    fn items_of_resources_are_written_as_in_wit() {
        let items = printed(
            "resource r { constructor(a: u8); m: func(b: u8) -> u8; s: static func() -> r; }  f: func(x: borrow<r>);",
        );
        for expected in [
            "`resource r`",
            "`r: constructor(a: u8)`",
            "`r.m: func(b: u8) -> u8`",
            "`r.s: static func() -> r`",
            "`f: func(x: borrow<r>)`",
        ] {
            assert!(items.iter().any(|i| i == expected), "no {expected} in {items:#?}");
        }
    }

    #[test]
    fn long_types_are_cut() {
        let cases: Vec<String> = (0..200).map(|i| format!("case-number-{i}")).collect();
        let items = printed(&format!("enum e {{ {} }}", cases.join(", ")));
        assert_eq!(items[0].chars().count(), MAX_CHARS + 3, "two marks and the sign of the cut");
        assert!(items[0].ends_with("…`"), "{}", items[0]);
    }
}
