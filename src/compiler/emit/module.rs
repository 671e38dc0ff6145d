//! The module: memory, data, globals, functions and custom sections, in their order.

use std::collections::btree_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet};

use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, DataSection, ExportKind, ExportSection, FunctionSection, GlobalSection,
    GlobalType, MemorySection, MemoryType, Module, NameMap, NameSection, ProducersField, ProducersSection, ValType,
};

use crate::compiler::ir::{FuncId, FunctionKind, Program, SiteId, Ty, Word};
use crate::compiler::runtime::code::Code;
use crate::compiler::runtime::layout::{DATA_END, HEAP_BASE, INPUT_LENGTH};
use crate::compiler::runtime::tasks::TaskHelper;
use crate::compiler::runtime::{Helper, counting};

use super::accounts::{self, Uses};
use super::function::Literal;
use super::sites::{self, Entry, FunctionEntries};
use super::types::Types;
use super::{EmitError, Target, async_body, entry, function};

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

/// The function indices of what runs and drops the frames of async functions, by their numbers.
#[derive(Default)]
struct Tasks {
    run: Vec<u32>,
    drop: Vec<u32>,
}

impl Tasks {
    /// The code of a helper, some of which depend on the module's async functions.
    fn code_of(&self, helper: Helper) -> Code {
        match helper {
            Helper::Task(TaskHelper::Run) if !self.run.is_empty() => async_body::dispatch(&self.run),
            Helper::Task(TaskHelper::DropFrame) if !self.drop.is_empty() => async_body::dispatch(&self.drop),
            helper => helper.code(),
        }
    }
}

/// Static data and where its parts lie.
struct Data {
    bytes: Vec<u8>,
    literals: Vec<Literal>,
    /// Address of the first byte.
    base: u32,
    /// First address behind them, padding included.
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
    let uses = accounts::uses(program);
    let mut bodies = Vec::new();
    let mut defined = define_program(program, &data, &mut types, &mut bodies, uses)?;
    let entry_index = index_of(defined.len())?;
    defined.push(define_entry(program, &mut types, uses)?);
    let mut tasks = Tasks::default();
    for (run, drop) in bodies {
        tasks.run.push(index_of(defined.len())?);
        defined.push(run);
        tasks.drop.push(index_of(defined.len())?);
        defined.push(drop);
    }

    let mut called: BTreeSet<Helper> = exported.iter().copied().collect();
    for function in &defined {
        called.extend(function.code.helpers());
    }
    let mut indices = BTreeMap::new();
    for (helper, code) in with_callees(called, &tasks, uses) {
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
    let code = finish_code(program, defined, &indices)?;

    let mut module = Module::new();
    module.section(&types.section());
    module.section(&functions);
    module.section(&memory(target));
    module.section(&globals(&data, uses));
    module.section(&exports);
    module.section(&code.section);
    if !data.bytes.is_empty() {
        let mut section = DataSection::new();
        section.active(0, &ConstExpr::i32_const(data.base.cast_signed()), data.bytes);
        module.section(&section);
    }
    if !target.strip {
        module.section(&names(&code.functions));
    }
    module.section(&producers(target));
    if !target.strip {
        let site_table = sites::write(program, &code.functions)
            .map_err(|reason| EmitError::Malformed { function: String::new(), reason: reason.to_owned() })?;
        module.section(&CustomSection { name: sites::SECTION.into(), data: site_table.as_slice().into() });
    }
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

/// Places the literals one after another from the base of the target. One that is the start or the end of another
/// lies in that one.
fn lay_out(program: &Program, target: &Target) -> Result<Data, EmitError> {
    let available = u64::from(target.initial_memory_bytes);
    let hosts = hosts(&program.data);
    let own = program.data.iter().zip(&hosts).filter(|(_, host)| host.is_none());
    let size: u64 = own.map(|(literal, _)| literal.len() as u64).sum();
    let base = u64::from(target.static_base).next_multiple_of(DATA_ALIGN);
    let needed = base + size.next_multiple_of(DATA_ALIGN);
    let too_large = EmitError::StaticDataTooLarge { needed, available };
    if needed > available {
        return Err(too_large);
    }
    let (Ok(end), Ok(first)) = (u32::try_from(needed), usize::try_from(base)) else { return Err(too_large) };
    let mut bytes = Vec::new();
    let mut addresses: Vec<usize> = vec![0; program.data.len()];
    for ((address, literal), host) in addresses.iter_mut().zip(&program.data).zip(&hosts) {
        if host.is_none() {
            *address = bytes.len();
            bytes.extend_from_slice(literal);
        }
    }
    let mut literals = Vec::with_capacity(program.data.len());
    for (index, literal) in program.data.iter().enumerate() {
        let mut at = index;
        let mut inside = 0;
        // A host is longer than its guest, so this ends.
        while let Some(Some((host, offset))) = hosts.get(at) {
            inside += offset;
            at = *host;
        }
        let address = first + addresses.get(at).map_or(0, |address| address + inside);
        // Both fit 32 bits, since the whole does. wasm writes them as signed numbers.
        literals.push(Literal { address: address as u32 as i32, length: literal.len() as u32 as i32 });
    }
    Ok(Data { bytes, literals, base: base as u32, end })
}

/// For each literal another, longer one that ends or starts with it, and where in that one it starts.
fn hosts(data: &[Vec<u8>]) -> Vec<Option<(usize, usize)>> {
    let mut hosts = vec![None; data.len()];
    let mut order: Vec<usize> = (0..data.len()).collect();
    // Sorted from the back, a literal that ends others stands right before one of them.
    order.sort_by(|a, b| data[*a].iter().rev().cmp(data[*b].iter().rev()).then(a.cmp(b)));
    for pair in order.windows(2) {
        let &[guest, host] = pair else { continue };
        let (short, long) = (&data[guest], &data[host]);
        if short.len() < long.len() && long.ends_with(short) {
            hosts[guest] = Some((host, long.len() - short.len()));
        }
    }
    order.retain(|index| hosts[*index].is_none());
    order.sort_by(|a, b| data[*a].cmp(&data[*b]).then(a.cmp(b)));
    for pair in order.windows(2) {
        let &[guest, host] = pair else { continue };
        if data[guest].len() < data[host].len() && data[host].starts_with(&data[guest]) {
            hosts[guest] = Some((host, 0));
        }
    }
    hosts
}

/// The functions of the program in their order; for async functions those that start a task, while
/// what runs its body and what drops its frame go to `bodies`.
fn define_program(
    program: &Program,
    data: &Data,
    types: &mut Types,
    bodies: &mut Vec<(Defined, Defined)>,
    uses: Uses,
) -> Result<Vec<Defined>, EmitError> {
    let mut defined = Vec::with_capacity(program.functions.len());
    for function in &program.functions {
        let params: Vec<Word> =
            function.locals.iter().take(function.params as usize).flat_map(|ty| ty.words().iter().copied()).collect();
        if params.len() > MAX_PARAM_WORDS {
            return Err(EmitError::TooLarge { what: "parameter list" });
        }
        if function.kind == FunctionKind::Async {
            let number = index_of(bodies.len())?;
            let made = async_body::emit(program, function, number, &data.literals, types, uses)?;
            let define = |name: &str, module: Option<u32>, type_index: u32, code: Code| Defined {
                symbol: format!("{}{name}", function.symbol),
                module,
                type_index,
                code,
            };
            defined.push(define(".start", None, types.intern(&params, &[Word::I32]), made.start));
            let run = define("", Some(function.module), types.intern(&[Word::I32], &[Word::I32]), made.run);
            let drop = define(".drop", None, types.intern(&[Word::I32], &[]), made.drop);
            bodies.push((run, drop));
            continue;
        }
        let type_index = types.intern(&params, function.result.words());
        let code = function::emit(program, function, &data.literals, types, uses)?;
        defined.push(Defined { symbol: function.symbol.clone(), module: Some(function.module), type_index, code });
    }
    Ok(defined)
}

fn define_entry(program: &Program, types: &mut Types, uses: Uses) -> Result<Defined, EmitError> {
    let malformed = |reason: &str| EmitError::Malformed { function: String::new(), reason: reason.to_owned() };
    let id: FuncId = program.entry.ok_or_else(|| malformed("the program has no entry"))?;
    let function =
        program.functions.get(id.0 as usize).ok_or_else(|| malformed("the program's entry does not exist"))?;
    if function.params != 0 || function.result != Ty::Bytes {
        return Err(malformed("the program's entry takes parameters or does not yield bytes"));
    }
    let type_index = types.intern(&entry::PARAMS, &[]);
    Ok(Defined { symbol: entry::NAME.to_owned(), module: None, type_index, code: entry::code(id, uses) })
}

/// The code of these helpers and of all that they call.
fn with_callees(called: BTreeSet<Helper>, tasks: &Tasks, uses: Uses) -> BTreeMap<Helper, Code> {
    let mut codes = BTreeMap::new();
    let mut open: Vec<Helper> = called.into_iter().collect();
    while let Some(helper) = open.pop() {
        if let MapEntry::Vacant(slot) = codes.entry(helper) {
            let mut code = tasks.code_of(helper);
            if uses.counters {
                counting::instrument(helper, &mut code);
            }
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
fn finish_code(
    program: &Program,
    defined: Vec<Defined>,
    indices: &BTreeMap<Helper, u32>,
) -> Result<CodePart, EmitError> {
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
            let origin = mark.site.and_then(|site| origin_of(program, site, &function.symbol));
            entries.push(Entry { offset, trap: mark.trap, site: mark.site, origin });
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

/// The function whose code a site is part of, unless it is the one with this symbol.
fn origin_of(program: &Program, site: SiteId, symbol: &str) -> Option<u32> {
    let number = *program.inlined.get(&site)?;
    let origin = program.origins.get(number as usize)?;
    (origin.symbol != symbol).then_some(number)
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
fn globals(data: &Data, uses: Uses) -> GlobalSection {
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
    if uses.fuel || uses.counters {
        let ty = GlobalType { val_type: ValType::F64, mutable: true, shared: false };
        section.global(ty, &ConstExpr::f64_const(f64::INFINITY.into()));
    }
    if uses.counters {
        for _ in 0..counting::GLOBALS {
            let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
            section.global(ty, &ConstExpr::i32_const(0));
        }
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
