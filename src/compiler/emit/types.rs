//! The module's function types, each once, in order of first use.

use std::collections::BTreeMap;

use wasm_encoder::{BlockType, TypeSection, ValType};

use crate::compiler::ir::Word;

/// Parameters and results of a function or block.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Signature {
    params: Vec<Word>,
    results: Vec<Word>,
}

/// The types that a module needs so far.
#[derive(Debug, Default)]
pub struct Types {
    list: Vec<Signature>,
    indices: BTreeMap<Signature, u32>,
}

/// The wasm type of a word.
#[must_use]
pub const fn val_type(word: Word) -> ValType {
    match word {
        Word::I32 => ValType::I32,
        Word::F64 => ValType::F64,
    }
}

impl Types {
    /// The index of a function type, added if it is new.
    pub fn intern(&mut self, params: &[Word], results: &[Word]) -> u32 {
        let signature = Signature { params: params.to_vec(), results: results.to_vec() };
        if let Some(index) = self.indices.get(&signature) {
            return *index;
        }
        let index = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(signature.clone());
        self.indices.insert(signature, index);
        index
    }

    /// The type of a block that yields these words.
    pub fn block(&mut self, results: &[Word]) -> BlockType {
        match results {
            [] => BlockType::Empty,
            [word] => BlockType::Result(val_type(*word)),
            _ => BlockType::FunctionType(self.intern(&[], results)),
        }
    }

    /// The module's type section.
    #[must_use]
    pub fn section(&self) -> TypeSection {
        let mut section = TypeSection::new();
        for signature in &self.list {
            let params = signature.params.iter().copied().map(val_type);
            let results = signature.results.iter().copied().map(val_type);
            section.ty().function(params, results);
        }
        section
    }
}
