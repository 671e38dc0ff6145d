//! Linking core modules: one module with one memory out of a program's module, possibly a second
//! module made to lie above the first in memory, and functions of ours.
//!
//! | module | job |
//! |---|---|
//! | [`Linker`] (here) | the module that grows: indices, addresses, exports, the final bytes |
//! | `read` | takes a module apart and refuses what cannot be merged |
//! | `merge` | renumbers what a module refers to |
//! | `error` | why a module is not accepted |
//!
//! Imports come first and are known up front; functions, globals and data follow in the order in
//! which they are added. So every index and address that this gives out is final at once. The same
//! calls give the same bytes.
//!
//! What may not live here: what the added functions do, files, components, reports.

mod error;
mod merge;
mod read;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(super) mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, EntityType, ExportKind, ExportSection, FuncType, Function,
    FunctionSection, GlobalSection, GlobalType, ImportSection, MemorySection, MemoryType, Module, NameMap, NameSection,
    TypeSection, ValType,
};

pub use error::LinkError;

use crate::wasm::{MEMORY_EXPORT, PAGE_BYTES};

/// The address space of a memory with 32-bit addresses.
const ADDRESS_SPACE: u64 = 1 << 32;

/// The index of a function in the linked module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(pub u32);

/// A function that the linked module imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The module part of its name.
    pub module: String,
    /// The other part of its name.
    pub name: String,
    /// Types of its parameters.
    pub params: Vec<ValType>,
    /// Types of its results.
    pub results: Vec<ValType>,
}

impl Import {
    /// An import by its two names and its type.
    #[must_use]
    pub fn new(module: &str, name: &str, params: &[ValType], results: &[ValType]) -> Self {
        Self { module: module.to_owned(), name: name.to_owned(), params: params.to_vec(), results: results.to_vec() }
    }
}

/// What is known of a module that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its `x07_solve_v2`.
    pub solve: FunctionId,
    /// The value of its `__heap_base`: the first address above its static data and stack.
    pub heap_base: u32,
    /// The value of its `__data_end`, or the end of its last data segment if it exports none.
    pub data_end: u32,
    /// The bytes of memory that it starts with.
    pub memory_bytes: u64,
}

/// A function other than an imported one.
struct Defined {
    ty: u32,
    body: Option<Function>,
}

/// The start value of a global.
enum Initial {
    Value(ConstExpr),
    /// What [`Linker::static_end`] says when everything was added.
    StaticEnd,
}

/// Static bytes, at an address or for `memory.init`.
struct Segment {
    address: Option<u32>,
    bytes: Vec<u8>,
}

/// A module in the making.
pub struct Linker {
    imports: Vec<(Import, u32)>,
    types: Vec<FuncType>,
    /// Only looked up, never walked: its order is not that of the module.
    type_indices: HashMap<FuncType, u32>,
    functions: Vec<Defined>,
    globals: Vec<(GlobalType, Initial)>,
    segments: Vec<Segment>,
    counts_data: bool,
    names: BTreeMap<u32, String>,
    exports: Vec<(String, FunctionId)>,
    /// Names that added modules export.
    foreign_exports: BTreeSet<String>,
    /// The first byte above everything that has an address. May pass the address space; `finish`
    /// finds that.
    free: u64,
    /// The largest memory that an added module asks for.
    wanted: u64,
    /// Where static data and stack of the program end.
    program: u64,
}

impl Linker {
    /// A module without anything but imports. Import `i` has the index `i`.
    #[must_use]
    pub fn new(imports: &[Import]) -> Self {
        let mut linker = Self {
            imports: Vec::new(),
            types: Vec::new(),
            type_indices: HashMap::new(),
            functions: Vec::new(),
            globals: Vec::new(),
            segments: Vec::new(),
            counts_data: false,
            names: BTreeMap::new(),
            exports: Vec::new(),
            foreign_exports: BTreeSet::new(),
            free: 0,
            wanted: 0,
            program: 0,
        };
        for import in imports {
            let ty = linker.intern(FuncType::new(import.params.clone(), import.results.clone()));
            linker.imports.push((import.clone(), ty));
        }
        linker
    }

    /// Adds a program's module: its functions, globals, data and function names. Its exports are
    /// dropped; its memory becomes the memory.
    ///
    /// # Errors
    ///
    /// What the module is or has that cannot be linked; see [`LinkError`]. No function, global or
    /// data was added then.
    pub fn add_program(&mut self, wasm: &[u8]) -> Result<Program, LinkError> {
        let program = self.add(wasm)?;
        self.program = self.free;
        Ok(program)
    }

    /// Adds a module that was compiled for a place above what is there: its data and its heap base
    /// lie at or above [`Linker::static_end`]. It shares the memory.
    ///
    /// # Errors
    ///
    /// As [`Linker::add_program`], and [`LinkError::Overlap`].
    pub fn add_module(&mut self, wasm: &[u8]) -> Result<Program, LinkError> {
        self.add(wasm)
    }

    /// Makes room for a function that is defined later. Its name explains traps.
    pub fn declare(&mut self, name: &str, params: &[ValType], results: &[ValType]) -> FunctionId {
        let ty = self.intern(FuncType::new(params.to_vec(), results.to_vec()));
        let id = FunctionId(self.next_function());
        self.functions.push(Defined { ty, body: None });
        self.names.insert(id.0, name.to_owned());
        id
    }

    /// Gives a declared function its code. An id that [`Linker::declare`] did not give is ignored;
    /// the function that it should have been is missing in [`Linker::finish`].
    pub fn define(&mut self, id: FunctionId, function: Function) {
        let slot = (id.0 as usize).checked_sub(self.imports.len()).and_then(|index| self.functions.get_mut(index));
        if let Some(slot) = slot {
            slot.body = Some(function);
        }
    }

    /// Adds a mutable global and gives its index.
    pub fn global_i32(&mut self, initial: i32) -> u32 {
        self.global(true, Initial::Value(ConstExpr::i32_const(initial)))
    }

    /// Adds a global that starts with the final value of [`Linker::static_end`], and gives its
    /// index. Data may be added after it.
    pub fn global_static_end(&mut self, mutable: bool) -> u32 {
        self.global(mutable, Initial::StaticEnd)
    }

    /// Places bytes above everything so far, at a multiple of eight, and gives their address.
    pub fn data(&mut self, bytes: &[u8]) -> u32 {
        let address = self.place(8, bytes.len() as u64);
        if !bytes.is_empty() {
            self.segments.push(Segment { address: Some(address), bytes: bytes.to_vec() });
        }
        address
    }

    /// Keeps bytes free above everything so far, zero at the start, at a multiple of sixteen, and
    /// gives their address.
    pub fn reserve(&mut self, bytes: u32) -> u32 {
        self.place(16, u64::from(bytes))
    }

    /// The first address above all static data, reserved bytes and heap bases so far, a multiple of
    /// sixteen.
    #[must_use]
    pub fn static_end(&self) -> u32 {
        clamp(self.free.next_multiple_of(16))
    }

    /// The error of a module that would need so many bytes of memory.
    #[must_use]
    pub const fn too_large(&self, bytes: u64) -> LinkError {
        LinkError::MemoryTooLarge { bytes, program: self.program }
    }

    /// Exports a function.
    pub fn export(&mut self, name: &str, id: FunctionId) {
        self.exports.push((name.to_owned(), id));
    }

    /// Writes the module. Its memory has at least `memory_bytes`, what an added module asked for,
    /// and room for everything placed; it cannot grow, and is exported as `memory`.
    ///
    /// # Errors
    ///
    /// [`LinkError::ExportPresent`], which is the added modules' fault, [`LinkError::MemoryTooLarge`],
    /// which may be ([`LinkError::is_of_module`] tells); [`LinkError::Undefined`] and [`LinkError::Linked`], which are the caller's.
    pub fn finish(self, memory_bytes: u64) -> Result<Vec<u8>, LinkError> {
        if let Some((name, _)) = self.exports.iter().find(|(name, _)| self.foreign_exports.contains(name)) {
            return Err(LinkError::ExportPresent { name: name.clone() });
        }
        let bytes = memory_bytes.max(self.wanted).max(self.free.next_multiple_of(16));
        if bytes > ADDRESS_SPACE {
            return Err(self.too_large(bytes));
        }
        let wasm = self.encode(bytes.div_ceil(PAGE_BYTES))?;
        match wasmparser::Validator::new().validate_all(&wasm) {
            Ok(_) => Ok(wasm),
            Err(error) => Err(LinkError::Linked { reason: error.to_string() }),
        }
    }

    /// The sections in their order.
    fn encode(&self, pages: u64) -> Result<Vec<u8>, LinkError> {
        let mut types = TypeSection::new();
        for ty in &self.types {
            types.ty().func_type(ty);
        }
        let mut imports = ImportSection::new();
        for (import, ty) in &self.imports {
            imports.import(&import.module, &import.name, EntityType::Function(*ty));
        }
        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        for (index, function) in (self.imports.len()..).zip(&self.functions) {
            functions.function(function.ty);
            let Some(body) = &function.body else {
                let name = u32::try_from(index).ok().and_then(|index| self.names.get(&index));
                return Err(LinkError::Undefined { name: name.cloned().unwrap_or_default() });
            };
            code.function(body);
        }

        let mut module = Module::new();
        module.section(&types);
        if !imports.is_empty() {
            module.section(&imports);
        }
        module.section(&functions);
        module.section(&memory(pages));
        if !self.globals.is_empty() {
            module.section(&self.global_section());
        }
        module.section(&self.export_section());
        if self.counts_data {
            module.section(&DataCountSection { count: clamp(self.segments.len() as u64) });
        }
        module.section(&code);
        if !self.segments.is_empty() {
            module.section(&self.data_section());
        }
        module.section(&self.name_section());
        Ok(module.finish())
    }

    fn global_section(&self) -> GlobalSection {
        let mut section = GlobalSection::new();
        for (ty, initial) in &self.globals {
            match initial {
                Initial::Value(value) => section.global(*ty, value),
                Initial::StaticEnd => section.global(*ty, &ConstExpr::i32_const(self.static_end().cast_signed())),
            };
        }
        section
    }

    fn export_section(&self) -> ExportSection {
        let mut section = ExportSection::new();
        section.export(MEMORY_EXPORT, ExportKind::Memory, 0);
        for (name, id) in &self.exports {
            section.export(name, ExportKind::Func, id.0);
        }
        section
    }

    fn data_section(&self) -> DataSection {
        let mut section = DataSection::new();
        for segment in &self.segments {
            let bytes = segment.bytes.iter().copied();
            match segment.address {
                Some(address) => section.active(0, &ConstExpr::i32_const(address.cast_signed()), bytes),
                None => section.passive(bytes),
            };
        }
        section
    }

    fn name_section(&self) -> NameSection {
        let mut map = NameMap::new();
        for (index, name) in &self.names {
            map.append(*index, name);
        }
        let mut section = NameSection::new();
        section.module("x07");
        section.functions(&map);
        section
    }

    fn global(&mut self, mutable: bool, initial: Initial) -> u32 {
        let index = clamp(self.globals.len() as u64);
        self.globals.push((GlobalType { val_type: ValType::I32, mutable, shared: false }, initial));
        index
    }

    /// Takes `bytes` above everything so far.
    fn place(&mut self, align: u64, bytes: u64) -> u32 {
        let address = self.free.next_multiple_of(align);
        self.free = address.saturating_add(bytes);
        clamp(address)
    }

    fn next_function(&self) -> u32 {
        clamp(self.imports.len() as u64 + self.functions.len() as u64)
    }

    /// The index of a function type.
    fn intern(&mut self, ty: FuncType) -> u32 {
        if let Some(index) = self.type_indices.get(&ty) {
            return *index;
        }
        let index = clamp(self.types.len() as u64);
        self.types.push(ty.clone());
        self.type_indices.insert(ty, index);
        index
    }
}

/// A memory of a fixed size.
fn memory(pages: u64) -> MemorySection {
    let mut section = MemorySection::new();
    section.memory(MemoryType {
        minimum: pages,
        maximum: Some(pages),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    section
}

/// A number as an index or address. One that is too large is refused elsewhere: counts by the
/// validation of the result, addresses by the size of the memory.
fn clamp(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
