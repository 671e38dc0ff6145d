//! A strict JSON reader that remembers where everything stood.
//!
//! It accepts exactly RFC 8259, in one pass and without recursion: nesting is limited by
//! [`Limits::max_depth`] and not by the stack. Duplicate member names are refused, because two
//! readers that choose differently among them see two different documents. Every problem carries
//! the offset and the JSON pointer of its place; reading stops at the first syntax error, but all
//! duplicate names up to there are reported.

use std::borrow::Cow;

use super::parser::Parser;
pub use super::parser::{Limits, Problem, Rule};

/// A value in a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number; see [`Tree::number`].
    Number,
    /// A string; see [`Tree::string`].
    String,
    /// An array; see [`Tree::children`].
    Array,
    /// An object; see [`Tree::members`].
    Object,
}

/// Stands for no node and for no member name.
pub(super) const NONE: u32 = u32::MAX;

/// One value as the parser leaves it; nodes name each other by their place in the list.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) parent: u32,
    /// Position among the parent's children.
    pub(super) index: u32,
    pub(super) first_child: u32,
    pub(super) next: u32,
    pub(super) children: u32,
    /// Offset of the opening quote of the member name, when the parent is an object.
    pub(super) key: u32,
}

/// A parsed text. Ids belong to the tree that gave them; with another tree's id the accessors
/// answer as for `null`.
pub struct Tree<'t> {
    pub(super) text: &'t str,
    pub(super) nodes: Vec<Node>,
}

impl std::fmt::Debug for Tree<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree").field("values", &self.nodes.len()).finish_non_exhaustive()
    }
}

impl<'t> Tree<'t> {
    /// Reads a whole text.
    ///
    /// # Errors
    /// All problems found, at least one.
    pub fn parse(text: &'t str, limits: Limits) -> Result<Self, Vec<Problem>> {
        Parser::new(text, limits).run()
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> NodeId {
        NodeId(0)
    }

    /// Every value, in the order of the text.
    pub fn all(&self) -> impl Iterator<Item = NodeId> + use<> {
        // The parser refuses texts with more values than a `u32` counts.
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(NodeId)
    }

    /// The number of values in the tree.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the tree holds no value; never true for a parsed text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The text that was parsed.
    #[must_use]
    pub fn text(&self) -> &'t str {
        self.text
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    /// What the value is.
    #[must_use]
    pub fn kind(&self, id: NodeId) -> Kind {
        self.node(id).map_or(Kind::Null, |n| n.kind)
    }

    /// The value's place in the text, as byte offsets.
    #[must_use]
    pub fn span(&self, id: NodeId) -> std::ops::Range<usize> {
        self.node(id).map_or(0..0, |n| n.start as usize..n.end as usize)
    }

    /// The array or object that holds the value.
    #[must_use]
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).filter(|n| n.parent != NONE).map(|n| NodeId(n.parent))
    }

    /// The value's position among its parent's children.
    #[must_use]
    pub fn index(&self, id: NodeId) -> usize {
        self.node(id).map_or(0, |n| n.index as usize)
    }

    /// How many elements or members an array or object has.
    #[must_use]
    pub fn child_count(&self, id: NodeId) -> usize {
        self.node(id).map_or(0, |n| n.children as usize)
    }

    /// The elements of an array, or the values of an object, in order.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let mut next = self.node(id).map_or(NONE, |n| n.first_child);
        std::iter::from_fn(move || {
            let id = (next != NONE).then_some(NodeId(next))?;
            next = self.node(id).map_or(NONE, |n| n.next);
            Some(id)
        })
    }

    /// The members of an object, in order; nothing for other values.
    pub fn members(&self, id: NodeId) -> impl Iterator<Item = (Cow<'t, str>, NodeId)> + '_ {
        let object = self.kind(id) == Kind::Object;
        self.children(id).filter_map(move |c| if object { Some((self.key(c)?, c)) } else { None })
    }

    /// The member of an object with this name.
    #[must_use]
    pub fn get(&self, id: NodeId, name: &str) -> Option<NodeId> {
        self.members(id).find(|(k, _)| k == name).map(|(_, v)| v)
    }

    /// The name under which an object holds this value.
    #[must_use]
    pub fn key(&self, id: NodeId) -> Option<Cow<'t, str>> {
        let key = self.node(id)?.key;
        (key != NONE).then(|| decode_string(self.text, key as usize))
    }

    /// The byte offset of the name of this member (of its opening quote).
    #[must_use]
    pub fn key_offset(&self, id: NodeId) -> Option<usize> {
        self.node(id).map(|n| n.key).filter(|&k| k != NONE).map(|k| k as usize)
    }

    /// The content of a string.
    #[must_use]
    pub fn string(&self, id: NodeId) -> Option<Cow<'t, str>> {
        let node = self.node(id).filter(|n| n.kind == Kind::String)?;
        Some(decode_string(self.text, node.start as usize))
    }

    /// The digits of a number, as written.
    #[must_use]
    pub fn number(&self, id: NodeId) -> Option<&'t str> {
        let node = self.node(id).filter(|n| n.kind == Kind::Number)?;
        self.text.get(node.start as usize..node.end as usize)
    }

    /// The RFC 6901 pointer of the value.
    #[must_use]
    pub fn pointer(&self, id: NodeId) -> String {
        pointer(self.text, &self.nodes, id.0)
    }

    /// The value at an RFC 6901 pointer.
    #[must_use]
    pub fn resolve(&self, pointer: &str) -> Option<NodeId> {
        let mut at = self.root();
        for step in pointer.split('/').skip(1) {
            let step = super::pointer::unescape(step);
            at = match self.kind(at) {
                Kind::Object => self.get(at, &step)?,
                Kind::Array => self.children(at).nth(step.parse().ok()?)?,
                _ => return None,
            };
        }
        Some(at)
    }

    /// The value as `serde_json` sees it. Integers outside the 64-bit ranges become floats.
    #[must_use]
    pub fn to_value(&self, id: NodeId) -> serde_json::Value {
        use serde_json::Value;
        match self.kind(id) {
            Kind::Null => Value::Null,
            Kind::Bool(b) => Value::Bool(b),
            Kind::Number => self.number(id).and_then(|n| serde_json::from_str(n).ok()).unwrap_or(Value::Null),
            Kind::String => Value::String(self.string(id).unwrap_or_default().into_owned()),
            Kind::Array => stacker::maybe_grow(64 * 1024, 1024 * 1024, || {
                Value::Array(self.children(id).map(|c| self.to_value(c)).collect())
            }),
            Kind::Object => stacker::maybe_grow(64 * 1024, 1024 * 1024, || {
                Value::Object(self.members(id).map(|(k, c)| (k.into_owned(), self.to_value(c))).collect())
            }),
        }
    }
}

/// The pointer of a node among nodes that may still be growing: parents come before children.
pub(super) fn pointer(text: &str, nodes: &[Node], id: u32) -> String {
    let mut steps = Vec::new();
    let mut at = nodes.get(id as usize);
    while let Some(node) = at {
        if node.parent != NONE {
            steps.push(if node.key == NONE {
                node.index.to_string()
            } else {
                super::pointer::escape(&decode_string(text, node.key as usize)).into_owned()
            });
        }
        at = nodes.get(node.parent as usize);
    }
    let mut out = String::new();
    for step in steps.iter().rev() {
        out.push('/');
        out.push_str(step);
    }
    out
}

/// Decodes the string literal whose opening quote stands at `start`; the text was checked before.
pub(super) fn decode_string(text: &str, start: usize) -> Cow<'_, str> {
    let body = text.get(start + 1..).unwrap_or("");
    let end = body.bytes().position(|b| b == b'"' || b == b'\\').unwrap_or(body.len());
    if body.as_bytes().get(end) != Some(&b'\\') {
        return Cow::Borrowed(body.get(..end).unwrap_or(""));
    }
    let mut out = String::new();
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('b') => out.push('\u{8}'),
                Some('f') => out.push('\u{c}'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('u') => {
                    let unit = hex4(&mut chars);
                    let code = if (0xD800..0xDC00).contains(&unit) {
                        chars.next();
                        chars.next();
                        0x10000 + ((unit - 0xD800) << 10) + (hex4(&mut chars).wrapping_sub(0xDC00) & 0x3FF)
                    } else {
                        unit
                    };
                    out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                Some(other) => out.push(other),
                None => break,
            },
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn hex4(chars: &mut std::str::Chars<'_>) -> u32 {
    (0..4).fold(0, |n, _| n * 16 + chars.next().and_then(|c| c.to_digit(16)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_members_and_places() {
        let text = r#"{"a":[1,-2.5e3,"x\u00e9\ud83d\ude00"],"b":{},"c":[],"d":null,"e/f~":true}"#;
        let tree = Tree::parse(text, Limits::DOCUMENT).expect("valid");
        let expected: serde_json::Value = serde_json::from_str(text).expect("valid");
        assert_eq!(tree.to_value(tree.root()), expected);
        let last = tree.get(tree.root(), "e/f~").expect("there");
        assert_eq!(tree.pointer(last), "/e~1f~0");
        assert_eq!(tree.resolve("/e~1f~0"), Some(last));
        let second = tree.resolve("/a/1").expect("there");
        assert_eq!(tree.number(second), Some("-2.5e3"));
        assert_eq!(&text[tree.span(tree.resolve("/a").expect("there"))], r#"[1,-2.5e3,"x\u00e9\ud83d\ude00"]"#);
    }
}
