//! `schema list`: the schemas that are built into the tool.

use super::{Handler, ResultOf};
use crate::contract::Role;
use crate::contract::digest::sha256_hex;
use crate::report::Context;
use x07_wasm_contracts::cli::SchemaListArgs;
use x07_wasm_contracts::registry::CONTRACTS;
use x07_wasm_contracts::types::{SchemaListReportResult, SchemaListReportSchemaEntry, SchemaListReportSchemaEntryRole};

impl Handler for SchemaListArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let schemas: Vec<SchemaListReportSchemaEntry> = CONTRACTS
            .iter()
            .map(|contract| SchemaListReportSchemaEntry {
                id: contract.id.to_owned(),
                path: contract.file.to_owned(),
                role: match contract.role {
                    Role::Report => SchemaListReportSchemaEntryRole::Report,
                    Role::Document => SchemaListReportSchemaEntryRole::Document,
                    Role::Definitions => SchemaListReportSchemaEntryRole::Definitions,
                },
                schema_version: contract.schema_version.map(str::to_owned),
                sha256: sha256_hex(contract.text.as_bytes()),
            })
            .collect();
        context.stdout = table(&schemas).into_bytes();
        SchemaListReportResult { schemas }
    }
}

/// One line a schema: what its documents are for, their version, the file.
fn table(schemas: &[SchemaListReportSchemaEntry]) -> String {
    let version = |s: &SchemaListReportSchemaEntry| s.schema_version.as_deref().unwrap_or("-").to_owned();
    let width = schemas.iter().map(|s| version(s).len()).max().unwrap_or(0);
    schemas.iter().map(|s| format!("{:<11}  {:<width$}  {}\n", s.role.to_string(), version(s), s.path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn every_schema_is_listed_once_sorted_by_id() {
        let mut context = Context::new(Vec::new(), true, Instant::now());
        let schemas = SchemaListArgs {}.run(&mut context).schemas;
        assert_eq!(schemas.len(), CONTRACTS.len());
        assert!(schemas.windows(2).all(|pair| pair[0].id < pair[1].id));
        let text = String::from_utf8(context.stdout).expect("text");
        assert!(text.lines().count() == schemas.len() && text.contains("x07.wasm.profile@0.3.0"));
    }
}
