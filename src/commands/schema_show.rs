//! `schema show`: one of the schemas that are built into the tool.

use super::nearest::nearest;
use super::{Handler, ResultOf};
use crate::contract::ContractInfo;
use crate::contract::digest::{UNREAD, sha256_hex};
use crate::report::diagnostic::clip;
use crate::report::{Code, Context, Diag};
use serde_json::Value;
use x07_wasm_contracts::cli::SchemaShowArgs;
use x07_wasm_contracts::registry::CONTRACTS;
use x07_wasm_contracts::types::SchemaShowReportResult;

/// Characters of an unknown id that are repeated in the report.
const MAX_ID_CHARS: usize = 512;

impl Handler for SchemaShowArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let Some(contract) = ContractInfo::find(&self.id) else {
            context.push(unknown(&self.id));
            return SchemaShowReportResult {
                bytes_len: 0,
                id: clip(self.id, MAX_ID_CHARS),
                path: String::new(),
                schema: None,
                schema_version: None,
                sha256: UNREAD.to_owned(),
            };
        };
        context.stdout = contract.text.as_bytes().to_vec();
        let schema = match serde_json::from_str(contract.text) {
            Ok(Value::Object(members)) => Some(members),
            _ => {
                context.push(Diag::new(
                    Code::InternalError,
                    format!(
                        "the schema {} is no JSON object; please report this as a mistake of x07-wasm",
                        contract.file
                    ),
                ));
                None
            }
        };
        SchemaShowReportResult {
            bytes_len: contract.text.len() as u64,
            id: contract.id.to_owned(),
            path: contract.file.to_owned(),
            schema,
            schema_version: contract.schema_version.map(str::to_owned),
            sha256: sha256_hex(contract.text.as_bytes()),
        }
    }
}

fn unknown(id: &str) -> Diag {
    let names = CONTRACTS
        .iter()
        .flat_map(|c| [c.schema_version, Some(c.file.trim_end_matches(".schema.json")), Some(c.id)])
        .flatten();
    let near = nearest(id, names);
    let hint = if near.is_empty() {
        "`x07-wasm schema list` shows all".to_owned()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    Diag::new(Code::SchemaUnknown, format!("there is no schema {:?}; {hint}", clip(id.to_owned(), MAX_ID_CHARS)))
        .data("suggestions", near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn show(id: &str) -> (SchemaShowReportResult, Context) {
        let mut context = Context::new(Vec::new(), false, Instant::now());
        let result = SchemaShowArgs { id: id.to_owned() }.run(&mut context);
        (result, context)
    }

    #[test]
    fn a_schema_has_several_names() {
        let names = [
            "x07.wasm.profile@0.3.0",
            "x07-wasm.profile.schema.json",
            "x07-wasm.profile",
            "https://x07.io/spec/x07-wasm.profile.schema.json",
        ];
        for name in names {
            let (result, context) = show(name);
            assert!(!context.failed(), "{name}");
            assert_eq!(
                (result.path.as_str(), result.bytes_len),
                ("x07-wasm.profile.schema.json", context.stdout.len() as u64)
            );
            assert!(result.schema.is_some_and(|s| s.contains_key("$id")));
        }
    }

    #[test]
    fn unknown_names_get_suggestions() {
        let (result, context) = show("x07.wasm.profile@0.2.0");
        assert_eq!((result.schema, result.sha256.as_str(), context.exit_code()), (None, UNREAD, 3));
        let diagnostic = context.diagnostics().next().expect("one");
        assert_eq!(diagnostic.code, "X07WASM_SCHEMA_UNKNOWN");
        assert!(diagnostic.message.contains("x07.wasm.profile@0.3.0"), "{}", diagnostic.message);
        assert!(show(&"x".repeat(9999)).0.id.len() == MAX_ID_CHARS);
    }
}
