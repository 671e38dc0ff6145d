//! How a text becomes a tree: the grammar of RFC 8259, its limits, and what breaks them.

use std::borrow::Cow;
use std::collections::HashSet;

use super::tree::{self, Kind, NONE, Node, Tree, decode_string};

/// What a reader accepts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Deepest nesting of arrays and objects.
    pub max_depth: u32,
    /// Most values in one text. It bounds the memory that a text can cost, whatever its bytes.
    pub max_values: u32,
}

impl Limits {
    /// For documents that people and tools exchange.
    pub const DOCUMENT: Self = Self { max_depth: 256, max_values: 400_000 };
    /// For programs, which generators nest deeply.
    pub const PROGRAM: Self = Self { max_depth: 10_000, max_values: 2_000_000 };
}

/// A problem of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Byte offset in the text.
    pub offset: usize,
    /// JSON pointer of the value that was being read.
    pub pointer: String,
    /// Which rule was broken.
    pub rule: Rule,
    /// What was found and what would be right.
    pub message: String,
}

/// The rule that a [`Problem`] breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// RFC 8259 grammar.
    Syntax,
    /// One object holds the same member name twice.
    DuplicateKey,
    /// Nesting deeper than [`Limits::max_depth`].
    Depth,
    /// Longer than 4 GiB or too many nodes for this reader.
    Size,
}

/// Duplicate names beyond this many are not listed one by one.
const MAX_PROBLEMS: usize = 100;

/// One pass over one text.
pub(super) struct Parser<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    nodes: Vec<Node>,
    limits: Limits,
    problems: Vec<Problem>,
}

/// An open array or object.
struct Open<'t> {
    node: u32,
    last_child: u32,
    names: HashSet<Cow<'t, str>>,
}

/// Ends the parse; the problem was recorded.
struct Stop;

impl<'t> Parser<'t> {
    /// A parser at the start of a text.
    pub(super) fn new(text: &'t str, limits: Limits) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, nodes: Vec::new(), limits, problems: Vec::new() }
    }

    /// Reads the whole text.
    pub(super) fn run(mut self) -> Result<Tree<'t>, Vec<Problem>> {
        // Offsets are u32 with one value reserved.
        if self.bytes.len() >= NONE as usize {
            self.problem(Rule::Size, 0, "the text is longer than 4 GiB; split the document".to_owned(), NONE);
            return Err(self.problems);
        }
        let outcome = self.document();
        if outcome.is_err() || !self.problems.is_empty() {
            return Err(self.problems);
        }
        Ok(Tree { text: self.text, nodes: self.nodes })
    }

    fn document(&mut self) -> Result<(), Stop> {
        let mut open: Vec<Open<'t>> = Vec::new();
        let mut key = NONE;
        loop {
            // One value starts here.
            self.space();
            let id = self.start_value(&open, key)?;
            if let Some(parent) = open.last_mut() {
                if parent.last_child == NONE {
                    self.nodes[parent.node as usize].first_child = id;
                } else {
                    self.nodes[parent.last_child as usize].next = id;
                }
                parent.last_child = id;
                self.nodes[parent.node as usize].children += 1;
            }
            key = NONE;
            let kind = self.nodes[id as usize].kind;
            if matches!(kind, Kind::Array | Kind::Object) {
                if open.len() >= self.limits.max_depth as usize {
                    let message = format!("nested deeper than {} levels; flatten the value", self.limits.max_depth);
                    return self.fail(Rule::Depth, self.at - 1, message, id);
                }
                open.push(Open { node: id, last_child: NONE, names: HashSet::new() });
                self.space();
                let close = if kind == Kind::Array { b']' } else { b'}' };
                if self.peek() == Some(close) {
                    self.at += 1;
                    self.close(&mut open);
                } else {
                    if kind == Kind::Object {
                        key = self.member_name(&mut open)?;
                    }
                    continue;
                }
            }
            // After a complete value: close containers, or go on to the next element.
            loop {
                let Some(top) = open.last() else {
                    self.space();
                    if self.at < self.bytes.len() {
                        return self.fail(
                            Rule::Syntax,
                            self.at,
                            format!(
                                "expected the end of the text, found {}; remove what follows the value",
                                self.found()
                            ),
                            0,
                        );
                    }
                    return Ok(());
                };
                let node = top.node;
                let object = self.nodes[node as usize].kind == Kind::Object;
                self.space();
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.space();
                        if object {
                            key = self.member_name(&mut open)?;
                        } else if self.peek() == Some(b']') {
                            return self.fail(Rule::Syntax, self.at, "a comma before `]`; remove it".to_owned(), node);
                        }
                        break;
                    }
                    Some(b'}') if object => self.at += 1,
                    Some(b']') if !object => self.at += 1,
                    _ => {
                        let want = if object { "`,` or `}`" } else { "`,` or `]`" };
                        return self.fail(
                            Rule::Syntax,
                            self.at,
                            format!("expected {want}, found {}", self.found()),
                            node,
                        );
                    }
                }
                self.close(&mut open);
            }
        }
    }

    fn close(&mut self, open: &mut Vec<Open<'t>>) {
        if let Some(done) = open.pop() {
            self.nodes[done.node as usize].end = self.at as u32;
        }
    }

    /// Reads `"name" :`; yields the offset of the name.
    fn member_name(&mut self, open: &mut [Open<'t>]) -> Result<u32, Stop> {
        let node = open.last().map_or(0, |o| o.node);
        if self.peek() != Some(b'"') {
            let what = if self.peek() == Some(b'}') {
                "a comma before `}`; remove it".to_owned()
            } else {
                format!("expected a member name in double quotes, found {}", self.found())
            };
            return self.fail(Rule::Syntax, self.at, what, node);
        }
        let start = self.at;
        self.string(node)?;
        let name = decode_string(self.text, start);
        if let Some(top) = open.last_mut()
            && !top.names.insert(name.clone())
            && self.problems.len() < MAX_PROBLEMS
        {
            let message = format!("the member name {name:?} stands twice in one object; remove one of the two");
            let mut pointer = self.pointer(node);
            pointer.push('/');
            pointer.push_str(&super::pointer::escape(&name));
            self.problems.push(Problem { offset: start, pointer, rule: Rule::DuplicateKey, message });
        }
        self.space();
        if self.peek() != Some(b':') {
            return self.fail(
                Rule::Syntax,
                self.at,
                format!("expected `:` after the member name, found {}", self.found()),
                node,
            );
        }
        self.at += 1;
        Ok(start as u32)
    }

    /// Reads a scalar, or the opening bracket of a container; yields the new node.
    fn start_value(&mut self, open: &[Open<'t>], key: u32) -> Result<u32, Stop> {
        if self.nodes.len() >= self.limits.max_values as usize {
            let message = format!("more than {} values in one text; split it", self.limits.max_values);
            return self.fail(Rule::Size, self.at, message, open.last().map_or(0, |o| o.node));
        }
        let id = self.nodes.len() as u32;
        let (parent, index) = open.last().map_or((NONE, 0), |o| (o.node, self.nodes[o.node as usize].children));
        let start = self.at;
        self.nodes.push(Node {
            kind: Kind::Null,
            start: start as u32,
            end: start as u32,
            parent,
            index,
            first_child: NONE,
            next: NONE,
            children: 0,
            key,
        });
        let kind = match self.peek() {
            Some(b'{') => {
                self.at += 1;
                Kind::Object
            }
            Some(b'[') => {
                self.at += 1;
                Kind::Array
            }
            Some(b'"') => {
                self.string(id)?;
                Kind::String
            }
            Some(b't') if self.word(b"true") => Kind::Bool(true),
            Some(b'f') if self.word(b"false") => Kind::Bool(false),
            Some(b'n') if self.word(b"null") => Kind::Null,
            Some(b'-' | b'0'..=b'9') => {
                self.number(id)?;
                Kind::Number
            }
            _ => return self.fail(Rule::Syntax, start, format!("expected a JSON value, found {}", self.found()), id),
        };
        let node = &mut self.nodes[id as usize];
        node.kind = kind;
        node.end = self.at as u32;
        Ok(id)
    }

    fn word(&mut self, word: &[u8]) -> bool {
        let hit = self.bytes[self.at..].starts_with(word);
        if hit {
            self.at += word.len();
        }
        hit
    }

    fn number(&mut self, id: u32) -> Result<(), Stop> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => {
                self.at += 1;
                if matches!(self.peek(), Some(b'0'..=b'9')) {
                    return self.fail(
                        Rule::Syntax,
                        start,
                        "a number with a leading zero; remove the zero".to_owned(),
                        id,
                    );
                }
            }
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.fail(Rule::Syntax, self.at, format!("expected a digit, found {}", self.found()), id),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.fail(
                    Rule::Syntax,
                    self.at,
                    format!("expected a digit after the decimal point, found {}", self.found()),
                    id,
                );
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.fail(
                    Rule::Syntax,
                    self.at,
                    format!("expected a digit in the exponent, found {}", self.found()),
                    id,
                );
            }
            self.digits();
        }
        // Doubles end at 1.8e308: a number that no reader can hold is refused here, not rounded to infinity.
        if self.text.get(start..self.at).and_then(|t| t.parse::<f64>().ok()).is_none_or(f64::is_infinite) {
            return self.fail(Rule::Syntax, start, "a number too large for a 64-bit float".to_owned(), id);
        }
        Ok(())
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    /// Passes over a string literal and checks it.
    fn string(&mut self, id: u32) -> Result<(), Stop> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return self.fail(Rule::Syntax, start, "a string without its closing quote".to_owned(), id),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape(id)?,
                Some(b) if b < 0x20 => {
                    return self.fail(
                        Rule::Syntax,
                        self.at,
                        format!("control character U+{b:04X} in a string; write it as \\u{b:04x}"),
                        id,
                    );
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self, id: u32) -> Result<(), Stop> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                let unit = self.unit(id)?;
                match unit {
                    0xD800..=0xDBFF => {
                        let low = if self.word(b"\\u") { self.unit(id)? } else { 0 };
                        if (0xDC00..=0xDFFF).contains(&low) {
                            Ok(())
                        } else {
                            self.fail(Rule::Syntax, start, "a high surrogate without its low surrogate".to_owned(), id)
                        }
                    }
                    0xDC00..=0xDFFF => {
                        self.fail(Rule::Syntax, start, "a low surrogate without its high surrogate".to_owned(), id)
                    }
                    _ => Ok(()),
                }
            }
            _ => self.fail(
                Rule::Syntax,
                start,
                "an unknown escape; JSON knows \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX".to_owned(),
                id,
            ),
        }
    }

    fn unit(&mut self, id: u32) -> Result<u32, Stop> {
        let mut unit = 0;
        for _ in 0..4 {
            match self.peek().and_then(|b| char::from(b).to_digit(16)) {
                Some(d) => {
                    unit = unit * 16 + d;
                    self.at += 1;
                }
                None => {
                    return self.fail(
                        Rule::Syntax,
                        self.at,
                        "a \\u escape needs four hexadecimal digits".to_owned(),
                        id,
                    );
                }
            }
        }
        Ok(unit)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// What stands at the current place, for a message.
    fn found(&self) -> String {
        if self.at == 0 && self.text.starts_with('\u{feff}') {
            return "a byte-order mark (save the file without one)".to_owned();
        }
        match self.text.get(self.at..).and_then(|t| t.chars().next()) {
            None => "the end of the text".to_owned(),
            Some(c) => format!("{c:?}"),
        }
    }

    fn fail<T>(&mut self, rule: Rule, offset: usize, message: String, node: u32) -> Result<T, Stop> {
        self.problem(rule, offset, message, node);
        Err(Stop)
    }

    fn problem(&mut self, rule: Rule, offset: usize, message: String, node: u32) {
        let pointer = self.pointer(node);
        self.problems.push(Problem { offset, pointer, rule, message });
    }

    fn pointer(&self, node: u32) -> String {
        tree::pointer(self.text, &self.nodes, node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<(usize, String, Rule)> {
        let found = Tree::parse(text, Limits::DOCUMENT).err().unwrap_or_default();
        found.into_iter().map(|p| (p.offset, p.pointer, p.rule)).collect()
    }

    #[test]
    fn duplicates_are_all_reported() {
        let found = problems(r#"{"a":1,"a":2,"b":{"c":1,"\u0063":2}}"#);
        assert_eq!(found, [(7, "/a".to_owned(), Rule::DuplicateKey), (24, "/b/c".to_owned(), Rule::DuplicateKey)]);
    }

    #[test]
    fn syntax_errors_have_a_place() {
        for (text, offset, pointer) in [
            ("", 0, ""),
            ("{", 1, ""),
            ("[1,]", 3, ""),
            ("[1 2]", 3, ""),
            ("{\"a\":}", 5, "/a"),
            ("{\"a\" 1}", 5, ""),
            ("[\"\\x\"]", 2, "/0"),
            ("[\"a", 1, "/0"),
            ("01", 0, ""),
            ("1.", 2, ""),
            ("1e", 2, ""),
            ("nul", 0, ""),
            ("1 1", 2, ""),
            ("[1e999]", 1, "/0"),
            ("[\"\\ud800\"]", 2, "/0"),
            ("[\"\n\"]", 2, "/0"),
            ("{\"a\":1,}", 7, ""),
        ] {
            assert_eq!(problems(text), [(offset, pointer.to_owned(), Rule::Syntax)], "{text:?}");
        }
    }

    #[test]
    fn values_and_listed_problems_are_limited() {
        let many = format!("[{}0]", "0,".repeat(400_000));
        assert_eq!(problems(&many).last().map(|p| p.2), Some(Rule::Size));
        let twins = format!("{{{}\"a\":0}}", "\"a\":0,".repeat(100_000));
        assert_eq!(problems(&twins).len(), 100);
    }

    #[test]
    fn depth_is_limited_without_recursion() {
        let deep = "[".repeat(1_000_000);
        let found = problems(&deep);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].2, Rule::Depth);
        let fits = format!("{}{}", "[".repeat(256), "]".repeat(256));
        assert!(Tree::parse(&fits, Limits::DOCUMENT).is_ok());
    }
}
