//! The module: memory, data, globals, functions and custom sections, in their order.

use std::collections::btree_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet};

use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, DataSection, ExportKind, ExportSection, FunctionSection, GlobalSection,
    GlobalType, MemorySection, MemoryType, Module, NameMap, NameSection, ProducersField, ProducersSection, ValType,
};

use crate::compiler::ir::{FuncId, Program, Ty, Word};
use crate::compiler::runtime::Helper;
use crate::compiler::runtime::code::Code;
use crate::compiler::runtime::layout::{DATA_END, HEAP_BASE, INPUT_LENGTH};

use super::function::Literal;
use super::sites::{self, Entry, FunctionEntries};
use super::types::Types;
use super::{EmitError, Target, entry, function};

/// Bytes in a page of memory.
const PAGE: u32 = 65_536;
/// Static data is padded to a multiple of this, and the host's part starts there at the earliest.
const DATA_ALIGN: u64 = 16;
/// Limits that engines set.
const MAX_FUNCTIONS: usize = 1_000_000;
const MAX_PARAM_WORDS: usize = 1_000;
const MAX_BODY: usize = 7_654_321;

/// A function of the module, before helper indices are known.
struct Defined {
    symbol: String,
    /// Index into the program's modules.
    module: Option<u32>,
    type_index: u32,
    code: Code,
}

/// Static data and where its parts lie.
struct Data {
    bytes: Vec<u8>,
    literals: Vec<Literal>,
    /// The padded size.
    end: u32,
}

/// The code section and the entries of the site table.
struct CodePart {
    section: CodeSection,
    functions: Vec<FunctionEntries>,
}

/// Builds the module. `exported` helpers are part of it even when nothing calls them, and are
/// exported under their symbols.
pub(super) fn assemble(program: &Program, target: &Target, exported: &[Helper]) -> Result<Vec<u8>, EmitError> {
    check_memory(target)?;
    let data = lay_out(program, target)?;
    let mut types = Types::default();
    let mut defined = define_program(program, &data, &mut types)?;
    let entry_index = index_of(defined.len())?;
    defined.push(define_entry(program, &mut types)?);

    let mut called: BTreeSet<Helper> = exported.iter().copied().collect();
    for function in &defined {
        called.extend(function.code.helpers());
    }
    let mut indices = BTreeMap::new();
    for (helper, code) in with_callees(called) {
        indices.insert(helper, index_of(defined.len())?);
        let type_index = types.intern(helper.params(), helper.results());
        defined.push(Defined { symbol: helper.symbol().to_owned(), module: None, type_index, code });
    }
    if defined.len() > MAX_FUNCTIONS {
        return Err(EmitError::TooLarge { what: "number of functions" });
    }

    let mut functions = FunctionSection::new();
    for function in &defined {
        functions.function(function.type_index);
    }
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export(entry::NAME, ExportKind::Func, entry_index);
    exports.export("__heap_base", ExportKind::Global, HEAP_BASE);
    exports.export("__data_end", ExportKind::Global, DATA_END);
    for helper in exported {
        if let Some(index) = indices.get(helper) {
            exports.export(helper.symbol(), ExportKind::Func, *index);
        }
    }
    let code = finish_code(defined, &indices)?;
    let site_table = sites::write(program, &code.functions)
        .map_err(|reason| EmitError::Malformed { function: String::new(), reason: reason.to_owned() })?;

    let mut module = Module::new();
    module.section(&types.section());
    module.section(&functions);
    module.section(&memory(target));
    module.section(&globals(&data));
    module.section(&exports);
    module.section(&code.section);
    if !data.bytes.is_empty() {
        let mut section = DataSection::new();
        section.active(0, &ConstExpr::i32_const(0), data.bytes);
        module.section(&section);
    }
    module.section(&names(&code.functions));
    module.section(&producers(target));
    module.section(&CustomSection { name: sites::SECTION.into(), data: site_table.as_slice().into() });
    Ok(module.finish())
}

fn check_memory(target: &Target) -> Result<(), EmitError> {
    let (initial, max) = (target.initial_memory_bytes, target.max_memory_bytes);
    let problem = if !initial.is_multiple_of(PAGE) {
        format!("the initial size of {initial} bytes is not a multiple of {PAGE}")
    } else if !max.is_multiple_of(PAGE) {
        format!("the maximum size of {max} bytes is not a multiple of {PAGE}")
    } else if max < initial {
        format!("the maximum size of {max} bytes is below the initial size of {initial} bytes")
    } else {
        return Ok(());
    };
    Err(EmitError::Memory { reason: problem })
}

/// Places the literals one after another from address 0.
fn lay_out(program: &Program, target: &Target) -> Result<Data, EmitError> {
    let available = u64::from(target.initial_memory_bytes);
    let size: u64 = program.data.iter().map(|literal| literal.len() as u64).sum();
    let needed = size.next_multiple_of(DATA_ALIGN);
    let too_large = EmitError::StaticDataTooLarge { needed, available };
    if needed > available {
        return Err(too_large);
    }
    let Ok(end) = u32::try_from(needed) else { return Err(too_large) };
    let mut bytes = Vec::new();
    let mut literals = Vec::with_capacity(program.data.len());
    for literal in &program.data {
        // Both fit 32 bits, since the whole does. wasm writes them as signed numbers.
        literals.push(Literal { address: bytes.len() as u32 as i32, length: literal.len() as u32 as i32 });
        bytes.extend_from_slice(literal);
    }
    Ok(Data { bytes, literals, end })
}

fn define_program(program: &Program, data: &Data, types: &mut Types) -> Result<Vec<Defined>, EmitError> {
    let mut defined = Vec::with_capacity(program.functions.len());
    for function in &program.functions {
        let params: Vec<Word> =
            function.locals.iter().take(function.params as usize).flat_map(|ty| ty.words().iter().copied()).collect();
        if params.len() > MAX_PARAM_WORDS {
            return Err(EmitError::TooLarge { what: "parameter list" });
        }
        let type_index = types.intern(&params, function.result.words());
        let code = function::emit(program, function, &data.literals, types)?;
        defined.push(Defined { symbol: function.symbol.clone(), module: Some(function.module), type_index, code });
    }
    Ok(defined)
}

fn define_entry(program: &Program, types: &mut Types) -> Result<Defined, EmitError> {
    let malformed = |reason: &str| EmitError::Malformed { function: String::new(), reason: reason.to_owned() };
    let id: FuncId = program.entry.ok_or_else(|| malformed("the program has no entry"))?;
    let function =
        program.functions.get(id.0 as usize).ok_or_else(|| malformed("the program's entry does not exist"))?;
    if function.params != 0 || function.result != Ty::Bytes {
        return Err(malformed("the program's entry takes parameters or does not yield bytes"));
    }
    let type_index = types.intern(&entry::PARAMS, &[]);
    Ok(Defined { symbol: entry::NAME.to_owned(), module: None, type_index, code: entry::code(id) })
}

/// The code of these helpers and of all that they call.
fn with_callees(called: BTreeSet<Helper>) -> BTreeMap<Helper, Code> {
    let mut codes = BTreeMap::new();
    let mut open: Vec<Helper> = called.into_iter().collect();
    while let Some(helper) = open.pop() {
        if let MapEntry::Vacant(slot) = codes.entry(helper) {
            let code = helper.code();
            open.extend(code.helpers());
            slot.insert(code);
        }
    }
    codes
}

/// A function index.
fn index_of(index: usize) -> Result<u32, EmitError> {
    u32::try_from(index).map_err(|_| EmitError::TooLarge { what: "number of functions" })
}

/// Fills in helper indices and finds out where in the code section everything stands.
fn finish_code(defined: Vec<Defined>, indices: &BTreeMap<Helper, u32>) -> Result<CodePart, EmitError> {
    const TOO_LARGE: EmitError = EmitError::TooLarge { what: "code section" };
    let mut section = CodeSection::new();
    let mut functions = Vec::with_capacity(defined.len());
    // The section's contents start with the number of functions; each body follows its size.
    let mut position = leb_size(defined.len());
    for function in defined {
        let body = function.code.finish(indices);
        if body.bytes.len() > MAX_BODY {
            return Err(EmitError::TooLarge { what: "function" });
        }
        position += leb_size(body.bytes.len());
        let mut entries = Vec::with_capacity(body.marks.len());
        for mark in &body.marks {
            let offset = u32::try_from(position + mark.offset).map_err(|_| TOO_LARGE)?;
            entries.push(Entry { offset, trap: mark.trap, site: mark.site });
        }
        position += body.bytes.len();
        if u32::try_from(position).is_err() {
            return Err(TOO_LARGE);
        }
        section.raw(&body.bytes);
        functions.push(FunctionEntries { symbol: function.symbol, module: function.module, entries });
    }
    Ok(CodePart { section, functions })
}

/// How many bytes a number takes as unsigned LEB128.
const fn leb_size(number: usize) -> usize {
    let mut rest = number >> 7;
    let mut size = 1;
    while rest != 0 {
        rest >>= 7;
        size += 1;
    }
    size
}

fn memory(target: &Target) -> MemorySection {
    let mut section = MemorySection::new();
    section.memory(MemoryType {
        minimum: u64::from(target.initial_memory_bytes / PAGE),
        maximum: Some(u64::from(target.max_memory_bytes / PAGE)),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    section
}

/// The globals in the order of their indices: see the layout of the run-time library.
fn globals(data: &Data) -> GlobalSection {
    let mut section = GlobalSection::new();
    let heap_base = data.end.max(DATA_ALIGN as u32);
    for value in [heap_base, data.end] {
        let ty = GlobalType { val_type: ValType::I32, mutable: false, shared: false };
        section.global(ty, &ConstExpr::i32_const(value as i32));
    }
    for _ in DATA_END + 1..=INPUT_LENGTH {
        let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        section.global(ty, &ConstExpr::i32_const(0));
    }
    section
}

fn names(functions: &[FunctionEntries]) -> NameSection {
    let mut map = NameMap::new();
    for (index, function) in (0u32..).zip(functions) {
        map.append(index, &function.symbol);
    }
    let mut section = NameSection::new();
    section.module("x07");
    section.functions(&map);
    section
}

fn producers(target: &Target) -> ProducersSection {
    let (name, version) = target.producer.split_once(' ').unwrap_or((target.producer.as_str(), ""));
    let mut language = ProducersField::new();
    language.value("X07", "");
    let mut tool = ProducersField::new();
    tool.value(name, version);
    let mut section = ProducersSection::new();
    section.field("language", &language);
    section.field("processed-by", &tool);
    section
}
