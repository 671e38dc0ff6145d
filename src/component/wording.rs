//! What does not fit between a component and what it is meant for, one line a difference.
//!
//! Whatever is imported must be given, and whatever is promised must be exported. In both cases one
//! side *wants* an item and the other *gives* it; a line names the interface, the item and what the
//! two sides have, as WIT.

use super::packages::one_line;
use super::wit_text::Printer;
use std::collections::{BTreeSet, HashSet};
use wac_types::{
    ExternKind, ItemKind, NameMap, NameMapNoIntern, SubtypeChecker, TargetValidationReport, Type, Types, WorldId,
};

/// Functions of a missing interface that are named.
const MAX_NAMED: usize = 4;

/// What messages call the two sides.
#[derive(Clone, Copy, Debug)]
pub struct Parties {
    /// The component that is looked at.
    pub component: &'static str,
    /// What it has to fit.
    pub other: &'static str,
}

impl Parties {
    /// A component and a world.
    pub const TARGET: Self = Self { component: "the component", other: "the world" };
    /// A program and the adapter that it is plugged into.
    pub const PLUG: Self = Self { component: "the program", other: "the adapter" };
}

/// The lines for a component that does not conform to a world, sorted.
#[must_use]
pub fn of_report(types: &Types, world: WorldId, component: WorldId, report: &TargetValidationReport) -> Vec<String> {
    let parties = Parties::TARGET;
    let mut lines = BTreeSet::new();
    let (this, target) = (&types[component], &types[world]);
    for name in report.imports_not_in_target() {
        lines.insert(format!(
            "{} imports {name}, which {} does not have{}",
            parties.component,
            parties.other,
            other_version(name, target.imports.keys())
        ));
    }
    for (name, kind) in report.missing_exports() {
        lines.insert(format!(
            "{} does not export {}{}",
            parties.component,
            missing(types, name, kind.promote()),
            other_version(name, this.exports.keys())
        ));
    }
    let imports = all_imports(types, world);
    let exports = by_name(this.exports.iter().map(|(name, kind)| (name.as_str(), *kind)));
    for (name, kind, error) in report.mismatched_types() {
        let (wanted, given) = match kind {
            ExternKind::Import => (this.imports.get(name), imports.get(name, &NameMapNoIntern)),
            ExternKind::Export => (target.exports.get(name), exports.get(name, &NameMapNoIntern)),
        };
        let found = wanted.zip(given).map(|(wanted, given)| {
            let pair = Pair { wanted: wanted.promote(), given: given.promote() };
            differences(types, parties, *kind, name, pair)
        });
        lines.extend(
            found.filter(|f| !f.is_empty()).unwrap_or_else(|| vec![unlike(parties, *kind, name, &reason(error))]),
        );
    }
    lines.into_iter().collect()
}

/// An item that one side wants and the other gives.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// As it is wanted.
    pub wanted: ItemKind,
    /// As it is given.
    pub given: ItemKind,
}

/// How a given import or export is not what is wanted under that name; nothing when it is.
///
/// With [`ExternKind::Import`] the component wants, with [`ExternKind::Export`] it gives.
#[must_use]
pub fn differences(types: &Types, parties: Parties, kind: ExternKind, name: &str, pair: Pair) -> Vec<String> {
    let Some(error) = mismatch(types, pair) else { return Vec::new() };
    let (ItemKind::Instance(wanted), ItemKind::Instance(given)) = (pair.wanted, pair.given) else {
        return vec![differs(types, parties, kind, None, name, pair, &error)];
    };
    let mut lines = Vec::new();
    let mut same_text = Vec::new();
    for (item, wanted) in &types[wanted].exports {
        let Some(given) = types[given].exports.get(item) else {
            lines.push(lacks(types, parties, kind, name, item, *wanted, pair.wanted));
            continue;
        };
        let inner = Pair { wanted: *wanted, given: *given };
        if let Some(error) = mismatch(types, inner) {
            let line = differs(types, parties, kind, Some((name, pair)), item, inner, &error);
            if texts(types, Some(pair), item, inner).same() { same_text.push(line) } else { lines.push(line) }
        }
    }
    // Two functions that read the same differ in a type that has a line of its own.
    if lines.is_empty() {
        lines = same_text;
    }
    if lines.is_empty() {
        lines.push(unlike(parties, kind, name, &error));
    }
    lines
}

/// Where the difference cannot be shown by items.
fn unlike(parties: Parties, kind: ExternKind, name: &str, reason: &str) -> String {
    format!("{} {} {name} with another type than {} has: {reason}", parties.component, verb(kind), parties.other)
}

/// Why what is given is not what is wanted.
fn mismatch(types: &Types, pair: Pair) -> Option<String> {
    let mut cache = HashSet::new();
    SubtypeChecker::new(&mut cache).is_subtype(pair.given, types, pair.wanted, types).err().map(|e| reason(&e))
}

/// An error and its causes in one line.
fn reason(error: &impl std::fmt::Display) -> String {
    // The alternate form of these errors has the causes, too.
    one_line(&format!("{error:#}"))
}

const fn verb(kind: ExternKind) -> &'static str {
    match kind {
        ExternKind::Import => "imports",
        ExternKind::Export => "exports",
    }
}

/// An item of an interface that the giving side does not have.
fn lacks(
    types: &Types,
    parties: Parties,
    kind: ExternKind,
    interface: &str,
    item: &str,
    wanted: ItemKind,
    owner: ItemKind,
) -> String {
    let text = Printer::for_items_of(types, owner).item(item, wanted);
    let Parties { component, other } = parties;
    match kind {
        ExternKind::Import => format!("{component} imports {interface} with {text}, which {other} does not have"),
        ExternKind::Export => format!("{component} exports {interface} without {text}, which {other} asks for"),
    }
}

/// An item that both sides have and that is not the same; `within` is the interface that it is in.
fn differs(
    types: &Types,
    parties: Parties,
    kind: ExternKind,
    within: Option<(&str, Pair)>,
    item: &str,
    pair: Pair,
    error: &str,
) -> String {
    let texts = texts(types, within.map(|(_, owner)| owner), item, pair);
    let (of_component, of_other) = match kind {
        ExternKind::Import => (&texts.wanted, &texts.given),
        ExternKind::Export => (&texts.given, &texts.wanted),
    };
    let verb = verb(kind);
    let Parties { component, other } = parties;
    let place = within.map(|(interface, _)| format!("{interface} with ")).unwrap_or_default();
    if texts.same() {
        format!("{component} {verb} {place}{of_component}, but not with the types of {other}: {error}")
    } else {
        format!("{component} {verb} {place}{of_component}, but {other} has {of_other}")
    }
}

/// What both sides have, as text.
struct Texts {
    wanted: String,
    given: String,
}

impl Texts {
    fn same(&self) -> bool {
        self.wanted == self.given
    }
}

fn texts(types: &Types, owner: Option<Pair>, item: &str, pair: Pair) -> Texts {
    let printer = |owner: Option<ItemKind>| {
        owner.map_or_else(|| Printer::new(types), |owner| Printer::for_items_of(types, owner))
    };
    Texts {
        wanted: printer(owner.map(|o| o.wanted)).item(item, pair.wanted),
        given: printer(owner.map(|o| o.given)).item(item, pair.given),
    }
}

/// A missing export, and what it would have to be.
fn missing(types: &Types, name: &str, kind: ItemKind) -> String {
    match kind {
        ItemKind::Instance(id) => {
            let functions: Vec<_> =
                types[id].exports.iter().filter(|(_, kind)| matches!(kind, ItemKind::Func(_))).collect();
            let mut named: Vec<String> = functions
                .iter()
                .take(MAX_NAMED)
                .map(|(name, item)| Printer::for_items_of(types, kind).item(name, **item))
                .collect();
            if functions.len() > MAX_NAMED {
                named.push(format!("{} more", functions.len() - MAX_NAMED));
            }
            if named.is_empty() { name.to_owned() } else { format!("{name} with {}", named.join(", ")) }
        }
        other => Printer::new(types).item(name, other),
    }
}

/// Points out the same interface in another version, which is what people mostly got wrong.
fn other_version<'n>(name: &str, known: impl Iterator<Item = &'n String>) -> String {
    let Some((plain, _)) = name.split_once('@') else { return String::new() };
    let same: Vec<&str> =
        known.map(String::as_str).filter(|k| k.split_once('@').is_some_and(|(other, _)| other == plain)).collect();
    if same.is_empty() { String::new() } else { format!("; there is {}", same.join(", ")) }
}

/// The imports of a world by name, those that its interfaces use included; versions that are
/// compatible find each other.
fn all_imports(types: &Types, world: WorldId) -> NameMap<String, ItemKind> {
    let world = &types[world];
    let implicit = world.implicit_imported_interfaces(types);
    by_name(implicit.into_iter().chain(world.imports.iter().map(|(name, kind)| (name.as_str(), *kind))))
}

fn by_name<'n>(items: impl Iterator<Item = (&'n str, ItemKind)>) -> NameMap<String, ItemKind> {
    let mut map = NameMap::default();
    for (name, kind) in items {
        // With shadowing allowed nothing is refused.
        let _ = map.insert(name, &mut NameMapNoIntern, true, kind);
    }
    map
}

/// The interfaces and functions that a set of items offers or asks for, for messages.
#[must_use]
pub fn names<'n>(items: impl Iterator<Item = (&'n String, &'n ItemKind)>) -> Vec<String> {
    let visible = |kind: &ItemKind| !matches!(kind, ItemKind::Type(Type::Resource(_) | Type::Value(_)));
    items.filter(|(_, kind)| visible(kind)).map(|(name, _)| name.clone()).collect()
}
