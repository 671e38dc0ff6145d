//! A contract that a program violated, with the values that the contract asked to show.

use serde_json::{Value, json};

use crate::compiler::emit::sites::SiteTable;
use crate::engine::{ClauseRecord, RecordValue};

/// A clause that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// `requires`, `ensures`, `invariant_entry` or `invariant_exit`.
    pub kind: String,
    /// The symbol of the function whose contract it is.
    pub function: String,
    /// The clause's id.
    pub clause_id: String,
    /// Its position in its list, from 0.
    pub clause_index: u32,
    /// Its JSON pointer in the file of the function's module.
    pub clause_ptr: String,
    /// The values that it shows, in order.
    pub witnesses: Vec<Witness>,
}

/// A value that a clause shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Witness {
    /// An i32.
    I32(i32),
    /// Bytes that are owned.
    Bytes {
        /// Their number.
        len: u32,
        /// The first of them, at most 256.
        prefix: Vec<u8>,
    },
    /// A view of bytes.
    BytesView {
        /// Their number.
        len: u32,
        /// The first of them, at most 256.
        prefix: Vec<u8>,
    },
    /// A result.
    Result {
        /// Its type, such as `result_i32`.
        ty: String,
        /// Whether it is ok.
        ok: bool,
        /// The code of an error; 0 when it is ok.
        err_code: u32,
        /// The value when it is ok.
        value: Option<Box<Witness>>,
    },
}

impl Violation {
    /// The form in which reports show it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({
            "contract_kind": self.kind,
            "fn": self.function,
            "clause_id": self.clause_id,
            "clause_index": self.clause_index,
            "clause_ptr": self.clause_ptr,
            "witness": self.witnesses.iter().map(Witness::to_value).collect::<Vec<_>>(),
        })
    }
}

impl Witness {
    /// The form in which reports show it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::I32(number) => json!({ "ty": "i32", "value_i32": number }),
            Self::Bytes { len, prefix } => bytes_value("bytes", *len, prefix),
            Self::BytesView { len, prefix } => bytes_value("bytes_view", *len, prefix),
            Self::Result { ty, ok: false, err_code, .. } => json!({ "ty": ty, "tag": "err", "err_code_u32": err_code }),
            Self::Result { ty, value: Some(value), .. } => match &**value {
                Self::I32(number) => json!({ "ty": ty, "tag": "ok", "ok_i32": number }),
                other => json!({ "ty": ty, "tag": "ok", "ok": other.to_value() }),
            },
            Self::Result { ty, value: None, .. } => json!({ "ty": ty, "tag": "ok" }),
        }
    }
}

fn bytes_value(ty: &str, len: u32, prefix: &[u8]) -> Value {
    let truncated = u32::try_from(prefix.len()).is_ok_and(|shown| shown < len);
    json!({ "ty": ty, "len": len, "hex": hex::encode(prefix), "truncated": truncated })
}

/// The violation that a record tells; `None` when the module does not have that clause.
pub(super) fn of(record: &ClauseRecord, sites: &SiteTable) -> Option<Violation> {
    let clause = sites.clause(record.clause)?;
    Some(Violation {
        kind: clause.kind.key().to_owned(),
        function: clause.function.clone(),
        clause_id: clause.id.clone(),
        clause_index: clause.index,
        clause_ptr: clause.pointer.clone(),
        witnesses: record.values.iter().map(witness).collect(),
    })
}

fn witness(value: &RecordValue) -> Witness {
    match value {
        RecordValue::I32(number) => Witness::I32(*number),
        RecordValue::Bytes { view: false, len, prefix } => Witness::Bytes { len: *len, prefix: prefix.clone() },
        RecordValue::Bytes { view: true, len, prefix } => Witness::BytesView { len: *len, prefix: prefix.clone() },
        RecordValue::Result(ty, Ok(value)) => {
            Witness::Result { ty: (*ty).to_owned(), ok: true, err_code: 0, value: Some(Box::new(witness(value))) }
        }
        RecordValue::Result(ty, Err(code)) => {
            Witness::Result { ty: (*ty).to_owned(), ok: false, err_code: *code, value: None }
        }
    }
}
