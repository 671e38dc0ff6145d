//! The custom section `x07.sites`: what stands at which instruction, so that a trap can be told in
//! terms of the source.
//!
//! # Format
//!
//! All numbers are unsigned LEB128 unless said otherwise; a text is its length in bytes and UTF-8.
//!
//! | part | contents |
//! |---|---|
//! | version | one byte, 2 |
//! | modules | count, then a text each |
//! | member names | count, then a text each |
//! | nodes | count, then for each: distance back to the parent (0: none), a tag byte, and for tag 1 the index of a member name, for tag 2 an array index |
//! | functions | count, then for each, in order of the wasm function index: symbol (text), module index plus 1 (0: none), count of entries, entries |
//! | clauses | count, then for each contract clause: kind (one byte), function (text), id (text), index, pointer (text) |
//! | origins | count, then for each: symbol (text), module index plus 1 (0: none) |
//! | entry | distance from the previous entry of the whole section, trap (one byte, 0: none, plus 128 when an origin follows), index of the origin if there is one, node index plus 1 (0: none) |
//!
//! An entry's origin is the function that the program's text has this code in, when it is not the
//! one that the code stands in: the optimiser puts small functions into their callers.
//!
//! A node's parent comes before it, so the tree cannot have cycles. Entry offsets count from the
//! start of the code section's contents and ascend strictly.
//!
//! An entry with a trap is an `unreachable`, or the `if` around one, which is the place that an
//! engine reports when it makes one conditional trap of the two. An entry without a trap is a `call`
//! whose callee has the entry that says why. Entries of the run-time library have a trap but no node, and its functions have
//! no module.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use wasm_encoder::Encode;

use crate::compiler::ir::{ClauseKind, Program, SiteId, Step, Trap};

/// The section's name.
pub const SECTION: &str = "x07.sites";

const VERSION: u8 = 2;
const TAG_ROOT: u8 = 0;
const TAG_MEMBER: u8 = 1;
const TAG_INDEX: u8 = 2;
/// Added to an entry's trap when an origin follows.
const HAS_ORIGIN: u8 = 128;

/// Pointers longer than this many bytes end at the last step that fits.
const MAX_POINTER: usize = 1 << 20;

/// Why a section cannot be read. It is the module's fault: the section is damaged or foreign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteTableError {
    /// The first byte names another version of the format.
    #[error("version {0} of the site table is not known")]
    Version(u8),
    /// The section ends in the middle of something, or claims more items than it can hold.
    #[error("the site table is cut short")]
    Truncated,
    /// A number does not fit 32 bits.
    #[error("the site table holds a number that is too large")]
    Number,
    /// A text is not UTF-8.
    #[error("the site table holds a text that is not UTF-8")]
    Text,
    /// Something refers to an item that does not exist or may not be referred to.
    #[error("the site table refers to a {0} that does not exist")]
    Reference(&'static str),
    /// Bytes follow the end.
    #[error("the site table has bytes after its end")]
    Trailing,
}

/// What stands at an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Why the instruction ends the program; `None` for a call, whose callee has the reason.
    pub trap: Option<Trap>,
    /// The function, for example `app.text.count`, or a name of the run-time library.
    pub symbol: String,
    /// The module whose document `pointer` refers to; empty in the run-time library, which has no
    /// source.
    pub module: String,
    /// A JSON pointer into that document; empty for the document itself.
    pub pointer: String,
}

/// A function of the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionPlace {
    /// Its fully qualified name.
    pub symbol: String,
    /// The module that declares it; empty for the run-time library.
    pub module: Arc<str>,
}

/// A contract clause that the module checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClausePlace {
    /// When it is checked.
    pub kind: ClauseKind,
    /// The symbol of the function whose contract it is.
    pub function: String,
    /// Its id.
    pub id: String,
    /// Its position in its list, from 0.
    pub index: u32,
    /// The JSON pointer of its expression in the file of the function's module.
    pub pointer: String,
}

/// A site table that was read and checked.
#[derive(Debug, Clone)]
pub struct SiteTable {
    functions: Vec<FunctionPlace>,
    origins: Vec<FunctionPlace>,
    names: Vec<String>,
    nodes: Vec<Node>,
    /// Ascending by offset.
    entries: Vec<TableEntry>,
    clauses: Vec<ClausePlace>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    /// Less than the node's own index.
    parent: Option<u32>,
    step: NodeStep,
}

#[derive(Debug, Clone, Copy)]
enum NodeStep {
    Root,
    /// An index into the member names.
    Member(u32),
    Index(u32),
}

#[derive(Debug, Clone, Copy)]
struct TableEntry {
    offset: u32,
    trap: Option<Trap>,
    node: Option<u32>,
    function: u32,
    origin: Option<u32>,
}

impl SiteTable {
    /// Reads the contents of a section. Memory use is bounded by a multiple of the section's size.
    ///
    /// # Errors
    ///
    /// [`SiteTableError`] when the contents do not follow the format.
    pub fn read(section: &[u8]) -> Result<Self, SiteTableError> {
        let mut reader = Reader { rest: section };
        let version = reader.byte()?;
        if version != VERSION {
            return Err(SiteTableError::Version(version));
        }
        // Shared, since any number of functions may name the same module.
        let modules: Vec<Arc<str>> = reader.texts()?.into_iter().map(Arc::from).collect();
        let no_module: Arc<str> = Arc::from("");
        let names = reader.texts()?;
        let nodes = read_nodes(&mut reader, names.len())?;
        let mut functions = Vec::new();
        let mut entries: Vec<TableEntry> = Vec::new();
        let count = reader.number()?;
        for index in 0..count {
            let symbol = reader.text()?;
            let module = match reader.number()?.checked_sub(1) {
                None => Arc::clone(&no_module),
                Some(module) => Arc::clone(modules.get(module as usize).ok_or(SiteTableError::Reference("module"))?),
            };
            functions.push(FunctionPlace { symbol, module });
            let entry_count = reader.number()?;
            for _ in 0..entry_count {
                let entry = read_entry(&mut reader, entries.last().copied(), index, nodes.len())?;
                entries.push(entry);
            }
        }
        let mut origins = Vec::new();
        for _ in 0..reader.number()? {
            let symbol = reader.text()?;
            let module = match reader.number()?.checked_sub(1) {
                None => Arc::clone(&no_module),
                Some(module) => Arc::clone(modules.get(module as usize).ok_or(SiteTableError::Reference("module"))?),
            };
            origins.push(FunctionPlace { symbol, module });
        }
        if entries.iter().filter_map(|entry| entry.origin).any(|origin| origin as usize >= origins.len()) {
            return Err(SiteTableError::Reference("function"));
        }
        let clauses = read_clauses(&mut reader)?;
        if !reader.rest.is_empty() {
            return Err(SiteTableError::Trailing);
        }
        Ok(Self { functions, origins, names, nodes, entries, clauses })
    }

    /// What stands at an offset from the start of the code section's contents: that of an
    /// instruction which trapped, or of a call that is under way. `None` when the table has no
    /// entry at exactly this offset.
    #[must_use]
    pub fn lookup(&self, code_offset: u32) -> Option<Place> {
        let at = self.entries.binary_search_by_key(&code_offset, |entry| entry.offset).ok()?;
        let entry = self.entries.get(at)?;
        let function = match entry.origin {
            Some(origin) => self.origins.get(origin as usize)?,
            None => self.function(entry.function)?,
        };
        Some(Place {
            trap: entry.trap,
            symbol: function.symbol.clone(),
            module: function.module.to_string(),
            pointer: entry.node.map(|node| self.pointer(node)).unwrap_or_default(),
        })
    }

    /// A function of the module by its wasm index, whether of the program or of the run-time
    /// library.
    #[must_use]
    pub fn function(&self, wasm_function_index: u32) -> Option<&FunctionPlace> {
        self.functions.get(wasm_function_index as usize)
    }

    /// A contract clause by its number.
    #[must_use]
    pub fn clause(&self, number: u32) -> Option<&ClausePlace> {
        self.clauses.get(number as usize)
    }

    /// The JSON pointer of a node.
    fn pointer(&self, node: u32) -> String {
        let mut path = Vec::new();
        let mut next = Some(node);
        while let Some(index) = next {
            let Some(node) = self.nodes.get(index as usize) else { break };
            path.push(node.step);
            next = node.parent;
        }
        let mut pointer = String::new();
        for step in path.into_iter().rev() {
            let before = pointer.len();
            match step {
                NodeStep::Root => {}
                NodeStep::Index(index) => {
                    // Writing to a string cannot fail.
                    let _ = write!(pointer, "/{index}");
                }
                NodeStep::Member(name) => {
                    pointer.push('/');
                    push_escaped(&mut pointer, self.names.get(name as usize).map_or("", String::as_str));
                }
            }
            if pointer.len() > MAX_POINTER {
                pointer.truncate(before);
                break;
            }
        }
        pointer
    }
}

/// Appends a reference token of a JSON pointer (RFC 6901).
fn push_escaped(pointer: &mut String, name: &str) {
    for character in name.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

fn read_nodes(reader: &mut Reader<'_>, names: usize) -> Result<Vec<Node>, SiteTableError> {
    let count = reader.number()?;
    let mut nodes = Vec::new();
    for index in 0..count {
        let parent = match reader.number()? {
            0 => None,
            distance => Some(index.checked_sub(distance).ok_or(SiteTableError::Reference("parent node"))?),
        };
        let step = match reader.byte()? {
            TAG_ROOT => NodeStep::Root,
            TAG_MEMBER => {
                let name = reader.number()?;
                if name as usize >= names {
                    return Err(SiteTableError::Reference("member name"));
                }
                NodeStep::Member(name)
            }
            TAG_INDEX => NodeStep::Index(reader.number()?),
            _ => return Err(SiteTableError::Reference("kind of step")),
        };
        nodes.push(Node { parent, step });
    }
    Ok(nodes)
}

fn read_entry(
    reader: &mut Reader<'_>,
    last: Option<TableEntry>,
    function: u32,
    nodes: usize,
) -> Result<TableEntry, SiteTableError> {
    let distance = reader.number()?;
    let offset = match last {
        None => distance,
        Some(_) if distance == 0 => return Err(SiteTableError::Reference("later instruction")),
        Some(last) => last.offset.checked_add(distance).ok_or(SiteTableError::Number)?,
    };
    let kind = reader.byte()?;
    let trap = match kind & !HAS_ORIGIN {
        0 => None,
        number => Some(Trap::from_number(number).ok_or(SiteTableError::Reference("kind of trap"))?),
    };
    let origin = if kind & HAS_ORIGIN == 0 { None } else { Some(reader.number()?) };
    let node = reader.number()?.checked_sub(1);
    if node.is_some_and(|node| node as usize >= nodes) {
        return Err(SiteTableError::Reference("node"));
    }
    Ok(TableEntry { offset, trap, node, function, origin })
}

fn read_clauses(reader: &mut Reader<'_>) -> Result<Vec<ClausePlace>, SiteTableError> {
    let count = reader.number()?;
    let mut clauses = Vec::new();
    for _ in 0..count {
        let kind = usize::from(reader.byte()?);
        let kind = *ClauseKind::ALL.get(kind).ok_or(SiteTableError::Reference("kind of clause"))?;
        let (function, id) = (reader.text()?, reader.text()?);
        clauses.push(ClausePlace { kind, function, id, index: reader.number()?, pointer: reader.text()? });
    }
    Ok(clauses)
}

/// What is left of a section.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, SiteTableError> {
        let (first, rest) = self.rest.split_first().ok_or(SiteTableError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u32, SiteTableError> {
        let mut value: u64 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_| SiteTableError::Number);
            }
        }
        Err(SiteTableError::Number)
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], SiteTableError> {
        let (head, rest) = self.rest.split_at_checked(length as usize).ok_or(SiteTableError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    fn text(&mut self) -> Result<String, SiteTableError> {
        let length = self.number()?;
        let bytes = self.take(length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| SiteTableError::Text)?;
        Ok(text.to_owned())
    }

    fn texts(&mut self) -> Result<Vec<String>, SiteTableError> {
        let count = self.number()?;
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.text()?);
        }
        Ok(texts)
    }
}

/// An instruction to record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// From the start of the code section's contents.
    pub(super) offset: u32,
    pub(super) trap: Option<Trap>,
    pub(super) site: Option<SiteId>,
    /// The function that the code is from, an index in [`Program::origins`]; `None` when that is
    /// the one it stands in.
    pub(super) origin: Option<u32>,
}

/// A function to record.
#[derive(Debug, Clone)]
pub(super) struct FunctionEntries {
    pub(super) symbol: String,
    /// Index into the program's modules; `None` for the run-time library.
    pub(super) module: Option<u32>,
    /// Ascending by offset, all after those of the functions before.
    pub(super) entries: Vec<Entry>,
}

/// The section's contents, or what is wrong with the program's site tree.
///
/// Only nodes on the way to a used site are written, and each once, so the section is linear in
/// the size of the program.
pub(super) fn write(program: &Program, functions: &[FunctionEntries]) -> Result<Vec<u8>, &'static str> {
    let mut numbering = Numbering::new(program);
    let mut records = Vec::new();
    let mut last = 0;
    encode_count(&mut records, functions.len());
    for function in functions {
        function.symbol.as_str().encode(&mut records);
        match function.module {
            None => 0u32.encode(&mut records),
            Some(module) if (module as usize) < program.modules.len() => (module + 1).encode(&mut records),
            Some(_) => return Err("a function of a module that does not exist"),
        }
        encode_count(&mut records, function.entries.len());
        for entry in &function.entries {
            entry.offset.saturating_sub(last).encode(&mut records);
            last = entry.offset;
            let trap = entry.trap.map_or(0, |trap| trap as u8);
            match entry.origin {
                None => records.push(trap),
                Some(origin) => {
                    records.push(trap | HAS_ORIGIN);
                    origin.encode(&mut records);
                }
            }
            match entry.site {
                None => 0u32.encode(&mut records),
                Some(site) => (numbering.number(site)? + 1).encode(&mut records),
            }
        }
    }

    encode_count(&mut records, program.origins.len());
    for origin in &program.origins {
        origin.symbol.as_str().encode(&mut records);
        if origin.module as usize >= program.modules.len() {
            return Err("a function of a module that does not exist");
        }
        (origin.module + 1).encode(&mut records);
    }

    let mut section = vec![VERSION];
    encode_count(&mut section, program.modules.len());
    for module in &program.modules {
        module.as_str().encode(&mut section);
    }
    let nodes = numbering.encode(&mut section)?;
    section.extend_from_slice(&nodes);
    section.extend_from_slice(&records);
    encode_count(&mut section, program.clauses.len());
    for clause in &program.clauses {
        section.push(clause.kind as u8);
        clause.function.as_str().encode(&mut section);
        clause.id.as_str().encode(&mut section);
        clause.index.encode(&mut section);
        clause.pointer.as_str().encode(&mut section);
    }
    Ok(section)
}

/// Writes how many items follow. Nothing that fits a wasm module has more than 2^32 of anything.
fn encode_count(sink: &mut Vec<u8>, count: usize) {
    u32::try_from(count).unwrap_or(u32::MAX).encode(sink);
}

/// Gives used sites consecutive numbers, parents first.
struct Numbering<'a> {
    program: &'a Program,
    /// By site.
    state: Vec<Numbered>,
    /// By number.
    order: Vec<SiteId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbered {
    Unused,
    /// On the path that is being numbered; meeting it again means a cycle.
    Waiting,
    As(u32),
}

impl<'a> Numbering<'a> {
    fn new(program: &'a Program) -> Self {
        Self { program, state: vec![Numbered::Unused; program.sites.len()], order: Vec::new() }
    }

    /// The number of a site, and of all its ancestors before it.
    fn number(&mut self, site: SiteId) -> Result<u32, &'static str> {
        let mut path = Vec::new();
        let mut next = Some(site);
        while let Some(site) = next {
            let state = self.state.get_mut(site.0 as usize).ok_or("a site that does not exist")?;
            match *state {
                Numbered::As(_) => break,
                Numbered::Waiting => return Err("a site that is its own ancestor"),
                Numbered::Unused => *state = Numbered::Waiting,
            }
            path.push(site);
            next = self.program.sites.get(site.0 as usize).and_then(|node| node.parent);
        }
        for site in path.into_iter().rev() {
            let number = u32::try_from(self.order.len()).map_err(|_| "more sites than can be numbered")?;
            self.order.push(site);
            self.state[site.0 as usize] = Numbered::As(number);
        }
        self.known(site)
    }

    fn known(&self, site: SiteId) -> Result<u32, &'static str> {
        match self.state.get(site.0 as usize) {
            Some(Numbered::As(number)) => Ok(*number),
            _ => Err("a site that does not exist"),
        }
    }

    /// Writes the member names to `section` and returns the nodes, which follow them.
    fn encode(&self, section: &mut Vec<u8>) -> Result<Vec<u8>, &'static str> {
        let mut names: Vec<&str> = Vec::new();
        let mut name_indices: BTreeMap<&str, u32> = BTreeMap::new();
        let mut nodes = Vec::new();
        encode_count(&mut nodes, self.order.len());
        for id in &self.order {
            let site = self.program.sites.get(id.0 as usize).ok_or("a site that does not exist")?;
            let distance = match site.parent {
                None => 0,
                Some(parent) => self.known(*id)?.saturating_sub(self.known(parent)?),
            };
            distance.encode(&mut nodes);
            match &site.step {
                Step::Root => nodes.push(TAG_ROOT),
                Step::Index(index) => {
                    nodes.push(TAG_INDEX);
                    index.encode(&mut nodes);
                }
                Step::Member(name) => {
                    nodes.push(TAG_MEMBER);
                    let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
                    let index = *name_indices.entry(name.as_str()).or_insert(next);
                    if index == next {
                        names.push(name.as_str());
                    }
                    index.encode(&mut nodes);
                }
            }
        }
        encode_count(section, names.len());
        for name in names {
            name.encode(section);
        }
        Ok(nodes)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::compiler::ir::{Origin, Site};

    fn site(parent: Option<u32>, step: Step) -> Site {
        Site { parent: parent.map(SiteId), step }
    }

    fn sample() -> Vec<u8> {
        let program = Program {
            sites: vec![
                // The parent of this one comes later, which is allowed.
                site(Some(1), Step::Index(3)),
                site(Some(2), Step::Member("a/b~c".to_owned())),
                site(None, Step::Root),
                site(Some(2), Step::Member("unused".to_owned())),
            ],
            modules: vec!["app".to_owned()],
            origins: vec![Origin { symbol: "app.inner".to_owned(), module: 0 }],
            ..Program::default()
        };
        let functions = [
            FunctionEntries {
                symbol: "app.f".to_owned(),
                module: Some(0),
                entries: vec![
                    Entry { offset: 5, trap: Some(Trap::OutOfBounds), site: Some(SiteId(0)), origin: None },
                    Entry { offset: 300, trap: None, site: Some(SiteId(2)), origin: None },
                    Entry { offset: 301, trap: Some(Trap::MapFull), site: Some(SiteId(2)), origin: Some(0) },
                ],
            },
            FunctionEntries {
                symbol: "x07.rt.alloc".to_owned(),
                module: None,
                entries: vec![Entry { offset: 70000, trap: Some(Trap::OutOfMemory), site: None, origin: None }],
            },
        ];
        write(&program, &functions).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let section = sample();
        let table = SiteTable::read(&section).unwrap();
        assert_eq!(
            table.lookup(5),
            Some(Place {
                trap: Some(Trap::OutOfBounds),
                symbol: "app.f".to_owned(),
                module: "app".to_owned(),
                pointer: "/a~1b~0c/3".to_owned(),
            })
        );
        assert_eq!(table.lookup(300).unwrap().pointer, "");
        assert_eq!(table.lookup(300).unwrap().trap, None);
        let inlined = table.lookup(301).unwrap();
        assert_eq!((inlined.symbol.as_str(), inlined.module.as_str()), ("app.inner", "app"));
        assert_eq!(inlined.trap, Some(Trap::MapFull));
        let runtime = table.lookup(70000).unwrap();
        assert_eq!((runtime.trap, runtime.module.as_str()), (Some(Trap::OutOfMemory), ""));
        assert_eq!(table.lookup(6), None);
        assert_eq!(table.function(1).unwrap().symbol, "x07.rt.alloc");
        assert_eq!(table.function(2), None);
        assert!(!String::from_utf8_lossy(&section).contains("unused"));
    }

    #[test]
    fn damaged_sections_are_refused_or_read_but_never_panic() {
        let section = sample();
        for length in 0..section.len() {
            assert!(SiteTable::read(&section[..length]).is_err(), "cut at {length}");
        }
        for at in 0..section.len() {
            for value in [0, 1, 2, 3, 0x7f, 0x80, 0xff] {
                let mut damaged = section.clone();
                damaged[at] = value;
                if let Ok(table) = SiteTable::read(&damaged) {
                    for offset in [0, 5, 300, 70000] {
                        let _ = table.lookup(offset);
                    }
                }
            }
        }
        let mut longer = section.clone();
        longer.push(0);
        assert_eq!(SiteTable::read(&longer).unwrap_err(), SiteTableError::Trailing);
        assert_eq!(SiteTable::read(&[VERSION + 1]).unwrap_err(), SiteTableError::Version(VERSION + 1));
        assert_eq!(SiteTable::read(&[]).unwrap_err(), SiteTableError::Truncated);
        // A count far beyond the section's size.
        assert_eq!(SiteTable::read(&[VERSION, 0xff, 0xff, 0xff, 0xff, 0x0f]).unwrap_err(), SiteTableError::Truncated);
        // A number beyond 32 bits.
        assert_eq!(SiteTable::read(&[VERSION, 0xff, 0xff, 0xff, 0xff, 0x1f]).unwrap_err(), SiteTableError::Number);
    }

    #[test]
    fn every_trap_has_its_number() {
        let all = Trap::ALL;
        for trap in all {
            assert_eq!(Trap::from_number(trap as u8), Some(trap));
        }
        assert_eq!(Trap::from_number(0), None);
        assert_eq!(Trap::from_number(200), None);
    }

    #[test]
    fn a_cyclic_tree_is_an_error() {
        let program =
            Program { sites: vec![site(Some(1), Step::Index(0)), site(Some(0), Step::Index(1))], ..Program::default() };
        let functions = [FunctionEntries {
            symbol: "f".to_owned(),
            module: None,
            entries: vec![Entry { offset: 1, trap: None, site: Some(SiteId(0)), origin: None }],
        }];
        assert!(write(&program, &functions).is_err());
    }

    #[test]
    fn long_pointers_are_cut_between_steps() {
        let name = "n".repeat(1 << 19);
        let mut sites = vec![site(None, Step::Root)];
        for parent in 0..5 {
            sites.push(site(Some(parent), Step::Member(name.clone())));
        }
        let program = Program { sites, ..Program::default() };
        let functions = [FunctionEntries {
            symbol: "f".to_owned(),
            module: None,
            entries: vec![Entry { offset: 1, trap: None, site: Some(SiteId(5)), origin: None }],
        }];
        let table = SiteTable::read(&write(&program, &functions).unwrap()).unwrap();
        assert_eq!(table.lookup(1).unwrap().pointer.len(), (1 << 19) + 1);
    }
}
