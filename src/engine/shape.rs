//! What has to be known about a module before it is compiled.

use wasmparser::{Parser, Payload, Validator};

use super::config::{Guests, Limits, parser_features};
use super::error::EngineError;
use super::trap::one_line;

/// Largest module that is accepted, in bytes: 256 MiB. Compilation takes time and memory in
/// proportion, and no program of ours comes near.
pub const MAX_MODULE_BYTES: usize = 256 * 1024 * 1024;

/// Facts that the compiled module does not tell.
pub(super) struct Shape {
    /// Offset of the code section's payload, if there is code.
    pub(super) code_start: Option<u64>,
}

/// Validates a module and refuses what cannot run: imports, and memories or tables that start
/// over the limits. The last are checked here rather than when memories are created, so that both
/// allocators refuse alike.
pub(super) fn read(wasm: &[u8], limits: &Limits) -> Result<Shape, EngineError> {
    if wasm.len() > MAX_MODULE_BYTES {
        return Err(EngineError::Invalid {
            reason: format!("{} bytes are too many for a module, at most {MAX_MODULE_BYTES}", wasm.len()),
            offset: None,
        });
    }
    Validator::new_with_features(parser_features(Guests::Solve)).validate_all(wasm).map_err(|error| invalid(&error))?;

    let mut shape = Shape { code_start: None };
    let mut first_import: Option<String> = None;
    let mut imports = 0usize;
    let mut memory_bytes = 0u64;
    let mut table_elements = 0u64;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|error| invalid(&error))? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(|error| invalid(&error))?;
                    if first_import.is_none() {
                        first_import = Some(format!("{}.{}", import.module, import.name));
                    }
                    imports = imports.saturating_add(1);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory.map_err(|error| invalid(&error))?;
                    memory_bytes = memory_bytes.max(memory.initial.saturating_mul(65_536));
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table.map_err(|error| invalid(&error))?;
                    table_elements = table_elements.max(table.ty.initial);
                }
            }
            Payload::CodeSectionStart { range, .. } => shape.code_start = Some(range.start),
            _ => {}
        }
    }

    if let Some(first) = first_import {
        return Err(EngineError::Imports { first, count: imports });
    }
    if let Some(limit) = limits.memory_cap()
        && memory_bytes > limit
    {
        return Err(EngineError::MemoryLimit { wanted: memory_bytes, limit });
    }
    if let Some(limit) = limits.table_cap().map(u64::from)
        && table_elements > limit
    {
        return Err(EngineError::TableLimit { wanted: table_elements, limit });
    }
    Ok(shape)
}

/// The parser's complaint, with its place apart from its text.
pub(super) fn invalid(error: &wasmparser::BinaryReaderError) -> EngineError {
    EngineError::Invalid { reason: one_line(error.message()), offset: Some(error.offset()) }
}
