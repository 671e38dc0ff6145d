//! What a program leaves at the start of its arena when a contract does not hold.
//!
//! The record is a sequence of little-endian words: a mark, the clause's number, then for each value
//! that the clause shows a tag and its words, then 0. Everything in it is the guest's and in doubt.

use wasmtime::{Memory, Store};

use super::limiter::HostState;
use crate::compiler::emit::accounts::{RECORD_MARK, RecordTag};

/// Longest record that is read, in words.
const MOST_WORDS: usize = 224;
/// Most bytes of a value that are shown.
const MOST_BYTES: u32 = 256;

/// A contract clause that did not hold, as the guest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClauseRecord {
    /// The clause's number in the module's table of clauses.
    pub clause: u32,
    /// The values that the clause shows.
    pub values: Vec<RecordValue>,
}

/// A value in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordValue {
    /// A number.
    I32(i32),
    /// Bytes.
    Bytes {
        /// Whether they are a view.
        view: bool,
        /// Their number.
        len: u32,
        /// The first of them, at most 256.
        prefix: Vec<u8>,
    },
    /// A result: its type's name, then the value or the error's code.
    Result(&'static str, Result<Box<RecordValue>, u32>),
}

/// Reads the record at the arena's aligned start, if there is one.
pub(super) fn read(memory: &Memory, store: &Store<HostState>, arena: u32) -> Option<ClauseRecord> {
    let mut reader =
        Reader { data: memory.data(store), at: usize::try_from(arena.checked_add(7)? & !7).ok()?, left: MOST_WORDS };
    if reader.word()? != RECORD_MARK.cast_unsigned() {
        return None;
    }
    let clause = reader.word()?;
    let mut values = Vec::new();
    loop {
        let tag = reader.word()?.cast_signed();
        if tag == RecordTag::End as i32 {
            return Some(ClauseRecord { clause, values });
        }
        values.push(reader.value(tag)?);
    }
}

struct Reader<'m> {
    data: &'m [u8],
    at: usize,
    left: usize,
}

impl Reader<'_> {
    fn word(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        let bytes = self.data.get(self.at..self.at.checked_add(4)?)?;
        self.at += 4;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    fn value(&mut self, tag: i32) -> Option<RecordValue> {
        const I32: i32 = RecordTag::I32 as i32;
        const BYTES: i32 = RecordTag::Bytes as i32;
        const VIEW: i32 = RecordTag::View as i32;
        const RESULT_I32: i32 = RecordTag::ResultI32 as i32;
        const RESULT_BYTES: i32 = RecordTag::ResultBytes as i32;
        const RESULT_VIEW: i32 = RecordTag::ResultView as i32;
        match tag {
            I32 => Some(RecordValue::I32(self.word()?.cast_signed())),
            BYTES => self.bytes(false),
            VIEW => self.bytes(true),
            RESULT_I32 => {
                let (ok, word) = (self.word()?, self.word()?);
                let value = if ok == 0 { Err(word) } else { Ok(Box::new(RecordValue::I32(word.cast_signed()))) };
                Some(RecordValue::Result("result_i32", value))
            }
            RESULT_BYTES => self.result_of_bytes("result_bytes", false),
            RESULT_VIEW => self.result_of_bytes("result_bytes_view", true),
            _ => None,
        }
    }

    fn result_of_bytes(&mut self, name: &'static str, view: bool) -> Option<RecordValue> {
        let ok = self.word()?;
        if ok == 0 {
            let code = self.word()?;
            self.word()?;
            return Some(RecordValue::Result(name, Err(code)));
        }
        Some(RecordValue::Result(name, Ok(Box::new(self.bytes(view)?))))
    }

    fn bytes(&mut self, view: bool) -> Option<RecordValue> {
        let (address, len) = (usize::try_from(self.word()?).ok()?, self.word()?);
        let shown = usize::try_from(len.min(MOST_BYTES)).ok()?;
        let prefix = self.data.get(address..address.checked_add(shown)?)?.to_vec();
        Some(RecordValue::Bytes { view, len, prefix })
    }
}
