//! What a core module says about itself, read without compiling it.

use std::ops::Range;

use wasmparser::{Encoding, MemoryType, Parser, Payload, TypeRef};

/// Bytes of a wasm page.
pub const PAGE_BYTES: u64 = 65_536;

/// Name of the custom section that relates code to source.
pub const SITES_SECTION: &str = "x07.sites";

/// Facts about a core module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Names of the exports of all kinds, sorted by bytes.
    pub exports: Vec<String>,
    /// Number of imports.
    pub imports: usize,
    /// The first memory, imported or defined.
    pub memory: Option<MemoryFacts>,
    /// Where the contents of the first custom section [`SITES_SECTION`] are, in bytes from the
    /// start of the module; its name is not part of the range.
    pub sites: Option<Range<u64>>,
    /// Where the payload of the code section starts, in bytes from the start of the module.
    pub code_start: Option<u64>,
}

impl Inspection {
    /// Whether something of any kind is exported under `name`.
    pub fn has_export(&self, name: &str) -> bool {
        self.exports.binary_search_by(|export| export.as_str().cmp(name)).is_ok()
    }
}

/// The size of a memory. Sizes that are no `u64` are given as its largest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryFacts {
    /// Bytes at the start.
    pub initial_bytes: u64,
    /// Bytes that it may grow to, if the module states a maximum.
    pub max_bytes: Option<u64>,
}

impl MemoryFacts {
    /// Whether the memory can become larger than it starts.
    pub fn growable(&self) -> bool {
        self.max_bytes.is_none_or(|max| max > self.initial_bytes)
    }

    /// The maximum as manifests and reports state it: the initial size if there is none.
    pub fn stated_max_bytes(&self) -> u64 {
        self.max_bytes.unwrap_or(self.initial_bytes)
    }
}

impl From<&MemoryType> for MemoryFacts {
    fn from(ty: &MemoryType) -> Self {
        let page = match ty.page_size_log2 {
            Some(log2) => 1u64.checked_shl(log2).unwrap_or(u64::MAX),
            None => PAGE_BYTES,
        };
        Self {
            initial_bytes: ty.initial.saturating_mul(page),
            max_bytes: ty.maximum.map(|pages| pages.saturating_mul(page)),
        }
    }
}

/// Bytes that are no core module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at offset {offset})")]
pub struct InspectError {
    /// The rule that is broken.
    pub message: String,
    /// Where, in bytes from the start.
    pub offset: u64,
}

impl From<wasmparser::BinaryReaderError> for InspectError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        // Some messages of the parser show values over several lines.
        let words: Vec<&str> = error.message().split_whitespace().collect();
        Self { message: words.join(" "), offset: error.offset() }
    }
}

/// Reads the facts about a module. Its structure is checked as far as it is read; function bodies
/// and types are left to the engine's validation.
///
/// # Errors
///
/// What is wrong and where, if the bytes are no module, a component, or cut off.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    let mut facts = Inspection::default();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { encoding: Encoding::Component, .. } => {
                return Err(InspectError { message: "a component, not a core module".to_owned(), offset: 0 });
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    facts.imports = facts.imports.saturating_add(1);
                    if let TypeRef::Memory(ty) = import?.ty {
                        facts.memory.get_or_insert_with(|| MemoryFacts::from(&ty));
                    }
                }
            }
            Payload::MemorySection(section) => {
                for ty in section {
                    let ty = ty?;
                    facts.memory.get_or_insert_with(|| MemoryFacts::from(&ty));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    facts.exports.push(export?.name.to_owned());
                }
            }
            Payload::CodeSectionStart { range, .. } => facts.code_start = Some(range.start),
            Payload::CustomSection(section) if section.name() == SITES_SECTION => {
                facts.sites.get_or_insert_with(|| section.data_range());
            }
            Payload::UnknownSection { id, range, .. } => {
                return Err(InspectError { message: format!("unknown section {id}"), offset: range.start });
            }
            _ => {}
        }
    }
    facts.exports.sort_unstable();
    Ok(facts)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn module(fields: &str) -> Vec<u8> {
        wat::parse_str(format!("(module {fields})")).unwrap()
    }

    fn sample() -> Vec<u8> {
        module(
            "(import \"a\" \"f\" (func))
             (import \"a\" \"g\" (global i32))
             (memory (export \"memory\") 2 2)
             (table (export \"a table\") 1 funcref)
             (global (export \"__heap_base\") i32 (i32.const 7))
             (func (export \"zero\") (unreachable))
             (data (i32.const 0) \"abc\")
             (@custom \"x07.sites\" \"sites\")",
        )
    }

    #[test]
    fn all_facts_are_found() {
        let bytes = sample();
        let facts = inspect(&bytes).unwrap();
        assert_eq!(facts.exports, ["__heap_base", "a table", "memory", "zero"]);
        assert!(facts.has_export("a table"));
        assert!(!facts.has_export("table"));
        assert_eq!(facts.imports, 2);
        assert_eq!(facts.memory, Some(MemoryFacts { initial_bytes: 131_072, max_bytes: Some(131_072) }));
        let sites = facts.sites.unwrap();
        let sites = usize::try_from(sites.start).unwrap()..usize::try_from(sites.end).unwrap();
        assert_eq!(&bytes[sites], b"sites");
        let code_start = usize::try_from(facts.code_start.unwrap()).unwrap();
        // One function: no locals, unreachable, end.
        assert_eq!(&bytes[code_start..code_start + 5], [1, 3, 0, 0, 11]);
    }

    #[test]
    fn an_empty_module_has_no_facts() {
        assert_eq!(inspect(&module("")).unwrap(), Inspection::default());
    }

    #[test]
    fn a_memory_is_growable_unless_its_maximum_is_its_start() {
        let memory = |fields: &str| inspect(&module(fields)).unwrap().memory.unwrap();
        assert!(memory("(memory 1)").growable());
        assert_eq!(memory("(memory 1)").stated_max_bytes(), PAGE_BYTES);
        assert!(memory("(memory 1 2)").growable());
        assert!(!memory("(memory 1 1)").growable());
        assert!(!memory("(memory 0 0)").growable());
        assert_eq!(memory("(memory 65536 65536)").initial_bytes, 1 << 32);
        assert_eq!(memory("(import \"a\" \"m\" (memory 3 4))").initial_bytes, 3 * PAGE_BYTES);
    }

    #[test]
    fn components_are_refused() {
        let error = inspect(&wat::parse_str("(component)").unwrap()).unwrap_err();
        assert_eq!(error, InspectError { message: "a component, not a core module".to_owned(), offset: 0 });
    }

    #[test]
    fn other_files_are_refused_with_a_place() {
        for bytes in [&b""[..], b"\0as", b"\0asm", b"\0asm\x01\0\0", b"\x7fELF....", b"(module)", b"\0asm\x02\0\0\0"] {
            let error = inspect(bytes).unwrap_err();
            assert!(!error.message.is_empty());
            assert!(error.offset <= 8, "{error}");
        }
    }

    #[test]
    fn declared_counts_are_not_believed() {
        // An export section of five bytes that claims four billion exports.
        let error = inspect(b"\0asm\x01\0\0\0\x07\x05\xff\xff\xff\xff\x0f").unwrap_err();
        assert!(error.offset >= 8, "{error}");
    }

    #[test]
    fn a_module_cut_inside_a_section_is_refused() {
        let bytes = sample();
        let whole = inspect(&bytes).unwrap();
        let mut refused = 0;
        for end in 0..bytes.len() {
            match inspect(&bytes[..end]) {
                // A cut between two sections leaves a module that says less.
                Ok(facts) => assert_ne!(facts, whole),
                Err(error) => {
                    assert!(error.offset <= u64::try_from(end).unwrap(), "{error} in {end} bytes");
                    refused += 1;
                }
            }
        }
        assert!(refused > bytes.len() / 2);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = inspect(&bytes);
            let mut module = b"\0asm\x01\0\0\0".to_vec();
            module.extend_from_slice(&bytes);
            let _ = inspect(&module);
        }

        #[test]
        fn changed_bytes_never_panic(changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..8)) {
            let mut bytes = sample();
            for (at, value) in changes {
                let at = usize::from(at) % bytes.len();
                bytes[at] = value;
            }
            let _ = inspect(&bytes);
        }
    }
}
