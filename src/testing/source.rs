//! What the compiler reads for a test: an entry that is made for it, and the modules of the roots.

use super::manifest::Test;
use crate::compiler::source::{ModuleSource, ModuleText, SourceError};
use crate::project::{Project, ProjectSource};
use serde_json::json;
use x07_wasm_contracts::types::{FileDigest, TestsManifestReturns as Returns};

/// The module that turns a result into a status record.
const TEST_MODULE: &str = "std.test";

/// The sources of one test.
#[derive(Debug)]
pub struct TestSource<'p> {
    entry: ModuleText,
    modules: ProjectSource<'p>,
}

impl<'p> TestSource<'p> {
    /// The sources of `test`, with the modules of `project`.
    #[must_use]
    pub fn new(project: &'p Project, test: &Test) -> Self {
        Self { entry: entry(test), modules: ProjectSource::new(project) }
    }

    /// The files that were read, in order; the entry is none.
    #[must_use]
    pub fn into_read(self) -> Vec<FileDigest> {
        self.modules.into_read()
    }
}

impl ModuleSource for TestSource<'_> {
    fn entry(&self) -> Result<ModuleText, SourceError> {
        Ok(self.entry.clone())
    }

    fn module(&self, id: &str) -> Result<ModuleText, SourceError> {
        self.modules.module(id)
    }

    fn budget_profile(&self, id: &str) -> Result<ModuleText, SourceError> {
        self.modules.budget_profile(id)
    }
}

/// The entry of a test: it calls the function and gives a status record.
fn entry(test: &Test) -> ModuleText {
    let call = json!([test.entry]);
    let (imports, solve) = match test.returns {
        Returns::BytesStatusV1 => (vec![test.module.as_str()], call),
        Returns::ResultI32 => {
            let mut imports = vec![test.module.as_str(), TEST_MODULE];
            imports.dedup();
            (imports, json!(["std.test.status_from_result_i32", call]))
        }
    };
    let text = json!({
        "schema_version": "x07.x07ast@0.5.0",
        "kind": "entry",
        "module_id": "main",
        "imports": imports,
        "decls": [],
        "solve": solve,
    });
    ModuleText { path: format!("test:{}", test.id), text: text.to_string() }
}
