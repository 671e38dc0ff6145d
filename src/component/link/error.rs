//! Why modules cannot be linked.

use super::ADDRESS_SPACE;

/// Why a module was not added, or the linked module was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The bytes are no module that follows the rules of wasm.
    #[error("not a valid wasm module: {reason}")]
    Invalid {
        /// The rule that is broken, and where.
        reason: String,
    },
    /// The bytes are a component already.
    #[error("a component, not a core module; link the core module that it was made from")]
    Component,
    /// The module needs something from outside.
    #[error("the module imports {module}.{name}; a program that becomes a component imports nothing")]
    Import {
        /// The module part of the import's name.
        module: String,
        /// The other part.
        name: String,
    },
    /// The module has something that programs do without and that cannot be merged.
    #[error("the module has {what}, which a program that becomes a component must do without")]
    Unsupported {
        /// What it is.
        what: &'static str,
    },
    /// The module does not follow the solve ABI.
    #[error("the module does not export {name} as {expected}")]
    MissingExport {
        /// The export.
        name: &'static str,
        /// Its kind and type.
        expected: &'static str,
    },
    /// The module exports what the linked module is to export.
    #[error("the module exports {name} already; leave that name to the component's own code")]
    ExportPresent {
        /// The export.
        name: String,
    },
    /// A module that was to lie above the others does not.
    #[error("the module's static data starts at {start}, below {free}, where the space of others ends")]
    Overlap {
        /// Its lowest address.
        start: u32,
        /// The first address that it may use.
        free: u32,
    },
    /// No memory can be as large as the module needs.
    #[error(
        "the module needs {bytes} bytes of memory, {program} of them below the heap base of the program; no more than 4294967296 can be had"
    )]
    MemoryTooLarge {
        /// What it needs, in bytes.
        bytes: u64,
        /// What of that is static data and stack of the program.
        program: u64,
    },
    /// A declared function was not defined: a mistake of the tool.
    #[error("internal error: the function {name} has no code")]
    Undefined {
        /// Its name.
        name: String,
    },
    /// The linked module is not valid: a mistake of the tool.
    #[error("internal error: the linked module is not valid wasm: {reason}")]
    Linked {
        /// The rule that is broken, and where.
        reason: String,
    },
}

impl LinkError {
    /// Whether the module that was added is at fault, and not the tool or what else the memory has
    /// to hold.
    #[must_use]
    pub const fn is_of_module(&self) -> bool {
        match self {
            Self::Invalid { .. }
            | Self::Component
            | Self::Import { .. }
            | Self::Unsupported { .. }
            | Self::MissingExport { .. }
            | Self::ExportPresent { .. } => true,
            // It takes more than half of what there is, and there would be room without it.
            Self::MemoryTooLarge { bytes, program } => {
                *program > ADDRESS_SPACE / 2 && bytes.saturating_sub(*program) <= ADDRESS_SPACE
            }
            Self::Overlap { .. } | Self::Undefined { .. } | Self::Linked { .. } => false,
        }
    }
}

impl From<wasmparser::Error> for LinkError {
    fn from(error: wasmparser::Error) -> Self {
        // Some messages of the parser show values over several lines.
        let words: Vec<&str> = error.message().split_whitespace().collect();
        Self::Invalid { reason: format!("{} (at offset {})", words.join(" "), error.offset()) }
    }
}

impl From<wasm_encoder::reencode::Error<Self>> for LinkError {
    fn from(error: wasm_encoder::reencode::Error<Self>) -> Self {
        match error {
            wasm_encoder::reencode::Error::ParseError(error) => error.into(),
            wasm_encoder::reencode::Error::UserError(error) => error,
            other => Self::Invalid { reason: other.to_string() },
        }
    }
}
