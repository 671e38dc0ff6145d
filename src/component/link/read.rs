//! Takes a module apart, and refuses what cannot be merged.

use wasmparser::{
    CompositeInnerType, ConstExpr, Data, DataKind, Encoding, ExternalKind, FuncType, FunctionBody, Global, KnownCustom,
    MemoryType, Name, NameSectionReader, Operator, Parser, Payload, RecGroup, ValType, Validator,
};

use super::LinkError;
use crate::wasm::{DATA_END_EXPORT, HEAP_BASE_EXPORT, MEMORY_EXPORT, PAGE_BYTES, SOLVE_EXPORT};

/// How the exports of the solve ABI must be, as messages say it.
const SOLVE_EXPECTED: &str = "a function of five i32 without result";
const MEMORY_EXPECTED: &str = "its memory";
const HEAP_BASE_EXPECTED: &str = "an i32 global with a constant value";

/// The parts of a module that is valid and has nothing that cannot be merged. Indices are those of
/// the module itself.
#[derive(Default)]
pub(super) struct Parts<'a> {
    pub types: Vec<FuncType>,
    /// The type of each function.
    pub functions: Vec<u32>,
    pub bodies: Vec<FunctionBody<'a>>,
    pub globals: Vec<Global<'a>>,
    pub segments: Vec<Segment<'a>>,
    /// Whether it states the number of its segments, as modules must that refer to them in code.
    pub counts_data: bool,
    /// Names of functions, by their indices.
    pub names: Vec<(u32, &'a str)>,
    /// Names of all exports but the memory.
    pub exports: Vec<&'a str>,
    /// The exported `x07_solve_v2`.
    pub solve: u32,
    pub heap_base: u32,
    pub data_end: u32,
    pub memory_bytes: u64,
}

/// Static bytes, at an address or for `memory.init`.
pub(super) struct Segment<'a> {
    pub address: Option<u32>,
    pub bytes: &'a [u8],
}

impl Segment<'_> {
    /// The first address behind it.
    pub(super) fn end(&self) -> u64 {
        self.address.map_or(0, |address| u64::from(address) + self.bytes.len() as u64)
    }
}

/// An export: its name, kind and index.
type Export<'a> = (&'a str, ExternalKind, u32);

/// Reads and checks a module.
pub(super) fn read(wasm: &[u8]) -> Result<Parts<'_>, LinkError> {
    let mut parts = Parts::default();
    let mut exports = Vec::new();
    let mut memories = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::Version { encoding: Encoding::Component, .. } => return Err(LinkError::Component),
            Payload::ImportSection(section) => {
                if let Some(import) = section.into_imports().next() {
                    let import = import?;
                    return Err(LinkError::Import { module: import.module.to_owned(), name: import.name.to_owned() });
                }
            }
            Payload::TypeSection(section) => {
                for group in section {
                    parts.types.push(function_type(group?)?);
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    parts.functions.push(ty?);
                }
            }
            Payload::MemorySection(section) => {
                for ty in section {
                    parts.memory_bytes = memory_bytes(&ty?)?;
                    memories += 1;
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    // Its value may be valid only through an export, and exports are dropped.
                    if matches!(global.ty.content_type, ValType::Ref(_)) {
                        return Err(LinkError::Unsupported { what: "a global that holds a reference" });
                    }
                    parts.globals.push(global);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    exports.push((export.name, export.kind, export.index));
                }
            }
            Payload::DataCountSection { .. } => parts.counts_data = true,
            Payload::CodeSectionEntry(body) => parts.bodies.push(body),
            Payload::DataSection(section) => {
                for data in section {
                    parts.segments.push(segment(&data?)?);
                }
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    parts.names = function_names(names);
                }
            }
            other => refuse(&other)?,
        }
    }
    if memories > 1 {
        return Err(LinkError::Unsupported { what: "several memories" });
    }
    Validator::new().validate_all(wasm)?;
    look_up_exports(&mut parts, &exports)?;
    Ok(parts)
}

/// Refuses the sections that cannot be merged.
fn refuse(payload: &Payload<'_>) -> Result<(), LinkError> {
    let what = match payload {
        Payload::TableSection(section) if section.count() > 0 => "a table",
        Payload::ElementSection(section) if section.count() > 0 => "elements of a table",
        Payload::TagSection(section) if section.count() > 0 => "tags of exceptions",
        Payload::StartSection { .. } => "a start function",
        Payload::UnknownSection { .. } => "a section of an unknown kind",
        _ => return Ok(()),
    };
    Err(LinkError::Unsupported { what })
}

/// The one function type of a group.
fn function_type(group: RecGroup) -> Result<FuncType, LinkError> {
    const OTHER: LinkError = LinkError::Unsupported { what: "types other than those of functions" };
    if group.is_explicit_rec_group() {
        return Err(OTHER);
    }
    let ty = group.into_types().next().ok_or(OTHER)?;
    let plain = ty.is_final && ty.supertype_idx.is_none() && !ty.composite_type.shared;
    match ty.composite_type.inner {
        CompositeInnerType::Func(function) if plain => Ok(function),
        _ => Err(OTHER),
    }
}

/// The bytes that a memory starts with.
fn memory_bytes(ty: &MemoryType) -> Result<u64, LinkError> {
    let what = if ty.memory64 {
        "a memory with 64-bit addresses"
    } else if ty.shared {
        "a shared memory"
    } else if ty.page_size_log2.is_some() {
        "a memory with pages of an unusual size"
    } else {
        return Ok(ty.initial.saturating_mul(PAGE_BYTES));
    };
    Err(LinkError::Unsupported { what })
}

fn segment<'a>(data: &Data<'a>) -> Result<Segment<'a>, LinkError> {
    let address = match &data.kind {
        DataKind::Passive => None,
        DataKind::Active { offset_expr, .. } => {
            let what = "static data at an address that is no constant";
            Some(constant(offset_expr).ok_or(LinkError::Unsupported { what })?)
        }
    };
    Ok(Segment { address, bytes: data.data })
}

/// The value of an expression that is one constant, as an address.
fn constant(expression: &ConstExpr<'_>) -> Option<u32> {
    let mut operators = expression.get_operators_reader();
    let Ok(Operator::I32Const { value }) = operators.read() else { return None };
    operators.is_end_then_eof().then_some(value.cast_unsigned())
}

/// The names of functions. What comes after a mistake is ignored: names decide nothing.
fn function_names(section: NameSectionReader<'_>) -> Vec<(u32, &str)> {
    let mut names = Vec::new();
    for part in section {
        let Ok(part) = part else { break };
        if let Name::Function(map) = part {
            names.extend(map.into_iter().map_while(Result::ok).map(|naming| (naming.index, naming.name)));
        }
    }
    names
}

/// Finds what the solve ABI asks for in a module that is valid.
fn look_up_exports<'a>(parts: &mut Parts<'a>, exports: &[Export<'a>]) -> Result<(), LinkError> {
    let find = |wanted: &str| exports.iter().find(|(name, ..)| *name == wanted);
    let missing = |name, expected| LinkError::MissingExport { name, expected };

    match find(MEMORY_EXPORT) {
        Some((_, ExternalKind::Memory, _)) => {}
        _ => return Err(missing(MEMORY_EXPORT, MEMORY_EXPECTED)),
    }
    parts.solve = match find(SOLVE_EXPORT) {
        Some((_, ExternalKind::Func, index)) if is_solve(parts, *index) => *index,
        _ => return Err(missing(SOLVE_EXPORT, SOLVE_EXPECTED)),
    };
    parts.heap_base = find(HEAP_BASE_EXPORT)
        .and_then(|export| global_value(parts, export))
        .ok_or(missing(HEAP_BASE_EXPORT, HEAP_BASE_EXPECTED))?;
    let last = parts.segments.iter().map(Segment::end).max().unwrap_or(0);
    parts.data_end = find(DATA_END_EXPORT)
        .and_then(|export| global_value(parts, export))
        .unwrap_or(u32::try_from(last).unwrap_or(u32::MAX));
    parts.exports = exports.iter().map(|(name, ..)| *name).filter(|name| *name != MEMORY_EXPORT).collect();
    Ok(())
}

/// Whether a function has the type of the solve ABI.
fn is_solve(parts: &Parts<'_>, function: u32) -> bool {
    let ty = parts.functions.get(function as usize).and_then(|ty| parts.types.get(*ty as usize));
    ty.is_some_and(|ty| ty.params() == [ValType::I32; 5] && ty.results().is_empty())
}

/// The value that an exported global starts with.
fn global_value(parts: &Parts<'_>, export: &Export<'_>) -> Option<u32> {
    let (_, ExternalKind::Global, index) = export else { return None };
    let global = parts.globals.get(*index as usize)?;
    constant(&global.init_expr)
}
