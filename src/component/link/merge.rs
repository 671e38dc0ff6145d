//! Renumbers what a module refers to, and takes its parts over.

use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{Function, Instruction};

use super::read::{self, Parts};
use super::{Defined, FunctionId, Initial, LinkError, Linker, Program, Segment, clamp};

/// Where the parts of one module go.
struct Renumber {
    /// The new index of each type.
    types: Vec<u32>,
    /// What is added to the indices of functions, globals and data segments.
    functions: u32,
    globals: u32,
    segments: u32,
}

impl Reencode for Renumber {
    type Error = LinkError;

    fn type_index(&mut self, ty: u32) -> Result<u32, Error<LinkError>> {
        let unknown = || LinkError::Invalid { reason: format!("type {ty} is used before it is defined") };
        self.types.get(ty as usize).copied().ok_or_else(|| Error::UserError(unknown()))
    }

    fn function_index(&mut self, function: u32) -> Result<u32, Error<LinkError>> {
        Ok(self.functions.saturating_add(function))
    }

    fn global_index(&mut self, global: u32) -> Result<u32, Error<LinkError>> {
        Ok(self.globals.saturating_add(global))
    }

    fn data_index(&mut self, segment: u32) -> Result<u32, Error<LinkError>> {
        Ok(self.segments.saturating_add(segment))
    }
}

impl Linker {
    /// Adds a module above what is there. Everything that can fail comes first.
    pub(super) fn add(&mut self, wasm: &[u8]) -> Result<Program, LinkError> {
        let parts = read::read(wasm)?;
        self.check_place(&parts)?;
        let mut renumber = Renumber {
            types: Vec::with_capacity(parts.types.len()),
            functions: self.next_function(),
            globals: clamp(self.globals.len() as u64),
            segments: clamp(self.segments.len() as u64),
        };
        for ty in &parts.types {
            let ty = renumber.func_type(ty.clone())?;
            renumber.types.push(self.intern(ty));
        }
        let functions = functions(&parts, &mut renumber)?;
        let mut globals = Vec::with_capacity(parts.globals.len());
        for global in &parts.globals {
            let ty = renumber.global_type(global.ty)?;
            globals.push((ty, Initial::Value(renumber.const_expr(global.init_expr.clone())?)));
        }

        let solve = FunctionId(renumber.functions.saturating_add(parts.solve));
        self.functions.extend(functions);
        self.globals.extend(globals);
        self.take_data(&parts);
        self.take_names(&parts, renumber.functions);
        Ok(Program { solve, heap_base: parts.heap_base, data_end: parts.data_end, memory_bytes: parts.memory_bytes })
    }

    /// Checks that nothing of the module lies where something is already.
    fn check_place(&self, parts: &Parts<'_>) -> Result<(), LinkError> {
        let lowest = parts.segments.iter().filter(|segment| !segment.bytes.is_empty()).filter_map(|s| s.address).min();
        let start = lowest.unwrap_or(u32::MAX).min(parts.heap_base);
        let free = clamp(self.free);
        if start < free { Err(LinkError::Overlap { start, free }) } else { Ok(()) }
    }

    fn take_data(&mut self, parts: &Parts<'_>) {
        for segment in &parts.segments {
            // Every segment is kept, so that the indices of the others stay what they are.
            self.segments.push(Segment { address: segment.address, bytes: segment.bytes.to_vec() });
            self.free = self.free.max(segment.end());
        }
        self.free = self.free.max(u64::from(parts.heap_base)).max(u64::from(parts.data_end));
        self.wanted = self.wanted.max(parts.memory_bytes);
        self.counts_data |= parts.counts_data;
    }

    fn take_names(&mut self, parts: &Parts<'_>, base: u32) {
        for (index, name) in &parts.names {
            if (*index as usize) < parts.functions.len() {
                self.names.insert(base.saturating_add(*index), (*name).to_owned());
            }
        }
        self.foreign_exports.extend(parts.exports.iter().map(|name| (*name).to_owned()));
    }
}

/// The functions of a module with everything in them renumbered.
fn functions(parts: &Parts<'_>, renumber: &mut Renumber) -> Result<Vec<Defined>, LinkError> {
    let mut functions = Vec::with_capacity(parts.bodies.len());
    for (ty, body) in parts.functions.iter().zip(&parts.bodies) {
        let ty = renumber.type_index(*ty)?;
        let mut function: Function = renumber.new_function_with_parsed_locals(body)?;
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let instruction = renumber.parse_instruction(&mut operators)?;
            // Valid only for functions that are exported, and exports are dropped.
            if matches!(instruction, Instruction::RefFunc(_)) {
                return Err(LinkError::Unsupported { what: "references to functions" });
            }
            function.instruction(&instruction);
        }
        functions.push(Defined { ty, body: Some(function) });
    }
    Ok(functions)
}
