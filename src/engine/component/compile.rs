//! From the bytes of a component to machine code.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use wasmparser::{Parser, Payload, Validator};
use wasmtime::component::Component as Compiled;

use crate::engine::config::{Guests, Limits, parser_features};
use crate::engine::error::EngineError;
use crate::engine::runtime::Runtime;
use crate::engine::shape::{MAX_MODULE_BYTES, invalid};
use crate::engine::trap::describe;

/// A compiled component. It belongs to the runtime that compiled it, and is cheap to clone.
#[derive(Clone)]
pub struct Component {
    pub(super) compiled: Compiled,
    pub(super) code: CodeMap,
}

impl Component {
    /// Validates and compiles a component.
    ///
    /// # Errors
    ///
    /// [`EngineError::Config`] if the runtime is for solve modules, then [`EngineError::Invalid`],
    /// [`EngineError::MemoryLimit`], [`EngineError::TableLimit`] or [`EngineError::Compile`], the
    /// first that applies in this order. The last three are about any module in the component,
    /// used or not.
    pub fn compile(runtime: &Runtime, bytes: &[u8]) -> Result<Self, EngineError> {
        if runtime.guests != Guests::Components {
            return Err(EngineError::Config { reason: "it was made for solve modules, not for components".to_owned() });
        }
        let code = read(bytes, runtime.limits())?;
        let compiled = Compiled::from_binary(&runtime.engine, bytes)
            .map_err(|error| EngineError::Compile { reason: describe(&error) })?;
        Ok(Self { compiled, code })
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component").field("code", &self.code).finish_non_exhaustive()
    }
}

/// Where the payloads of a component's code sections are, in bytes from its start.
#[derive(Clone, Debug)]
pub(super) struct CodeMap(Arc<[Range<u64>]>);

impl CodeMap {
    /// The start of the payload that holds `offset`.
    pub(super) fn start_of(&self, offset: u64) -> Option<u64> {
        self.0.iter().find(|range| range.contains(&offset)).map(|range| range.start)
    }
}

/// Validates a component, and refuses modules that start with more than they may have. That is
/// checked here rather than when they are instantiated, so that both allocators refuse alike.
fn read(bytes: &[u8], limits: &Limits) -> Result<CodeMap, EngineError> {
    let refuse = |reason: String| Err(EngineError::Invalid { reason, offset: None });
    if bytes.len() > MAX_MODULE_BYTES {
        return refuse(format!("{} bytes are too many for a component, at most {MAX_MODULE_BYTES}", bytes.len()));
    }
    if Parser::is_core_wasm(bytes) {
        return refuse(
            "this is a core module, not a component; `x07-wasm component build` makes components".to_owned(),
        );
    }
    let features = parser_features(Guests::Components);
    Validator::new_with_features(features).validate_all(bytes).map_err(|error| invalid(&error))?;

    let mut code = Vec::new();
    let mut memory_bytes = 0u64;
    let mut table_elements = 0u64;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| invalid(&error))? {
            Payload::CodeSectionStart { range, .. } => code.push(range),
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
            _ => {}
        }
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
    Ok(CodeMap(code.into()))
}
