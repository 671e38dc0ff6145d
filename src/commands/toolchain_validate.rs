//! `toolchain validate`: are the tools that a toolchain profile asks for there, in versions that it
//! accepts?

use super::{Handler, ResultOf};
use crate::report::Context;
use crate::toolchain::probe::{compatibility_hash, probe};
use crate::toolchain::profile::{Choice, select};
use x07_wasm_contracts::cli::ToolchainValidateArgs;
use x07_wasm_contracts::types::{
    ToolchainValidateReportResult, ToolchainValidateReportResultMode as Mode,
    ToolchainValidateReportToolStatus as ToolStatus,
};

impl Handler for ToolchainValidateArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let (mode, choice) = match (&self.profile, &self.profile_id) {
            (Some(file), _) => (Mode::ProfileFileV1, Choice::File(file)),
            (None, Some(id)) => (Mode::ProfileIdV1, Choice::Id { index: &self.index, id }),
            (None, None) => (Mode::IndexV1, Choice::Default { index: &self.index }),
        };
        let selected = select(&mut context.files, choice);
        context.extend(selected.diagnostics);
        let mut tools = Vec::with_capacity(selected.requirements.len());
        for requirement in &selected.requirements {
            let probed = probe(requirement);
            context.nondeterminism.uses_process |= probed.started;
            context.extend(probed.diagnostic);
            context.notes.push(line(&probed.status, requirement.required));
            tools.push(probed.status);
        }
        let compatibility_hash = compatibility_hash(&selected.profile.ref_, &tools);
        ToolchainValidateReportResult {
            compatibility_hash,
            index: selected.index,
            mode,
            profile: selected.profile,
            tools,
        }
    }
}

/// A tool for people.
fn line(tool: &ToolStatus, required: bool) -> String {
    let verdict = match (tool.ok, required) {
        (true, _) => "ok",
        (false, true) => "failed",
        (false, false) => "not ok, not required",
    };
    let found = tool.found_version.as_deref().unwrap_or("-");
    format!("{:<11}  {found:<12}  {:<20}  {verdict}", tool.tool_id.to_string(), tool.required_constraint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    const CI: &str = include_str!("../../arch/wasm/toolchain/profiles/toolchain_ci.json");

    fn run(profile: &Path) -> (ToolchainValidateReportResult, Context) {
        let mut context = Context::new(Vec::new(), true, Instant::now());
        let args = ToolchainValidateArgs {
            index: PathBuf::from("no/such/index.json"),
            profile: Some(profile.to_owned()),
            profile_id: None,
        };
        let result = args.run(&mut context);
        (result, context)
    }

    /// Runs with the profile for continuous integration after a change.
    fn changed(change: impl FnOnce(&mut Value)) -> (ToolchainValidateReportResult, Context) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("profile.json");
        let mut profile: Value = serde_json::from_str(CI).expect("JSON");
        for tool in ["clang", "wasm_ld", "jco"] {
            profile["tools"][tool]["cmd"] = json!("x07-wasm-test-no-such-tool");
        }
        change(&mut profile);
        std::fs::write(&path, profile.to_string()).expect("written");
        run(&path)
    }

    #[test]
    fn linked_tools_are_enough_and_need_no_process() {
        let (result, context) = changed(|_| {});
        assert_eq!((context.exit_code(), context.nondeterminism.uses_process), (0, false));
        assert_eq!(context.diagnostics().filter(|d| d.code == "X07WASM_TOOLCHAIN_TOOL_SPAWN_FAILED").count(), 3);
        assert_eq!((result.mode, result.tools.len(), result.index.is_none()), (Mode::ProfileFileV1, 8, true));
        assert_eq!(
            result.tools.iter().filter(|t| t.ok).map(|t| t.tool_id.to_string()).collect::<Vec<_>>(),
            ["x07", "wasmtime", "wasm_tools", "wit_bindgen", "wac"]
        );
        // The same tools give the same hash, others another.
        assert_eq!(result.compatibility_hash, changed(|_| {}).0.compatibility_hash);
        assert_ne!(
            result.compatibility_hash,
            changed(|p| p["tools"]["wasmtime"]["constraint"] = json!("=1.0.0")).0.compatibility_hash
        );
    }

    #[test]
    fn exit_codes_follow_the_gravest_problem() {
        assert_eq!(changed(|p| p["tools"]["wasmtime"]["constraint"] = json!("=42.0.0")).1.exit_code(), 1);
        assert_eq!(changed(|p| p["tools"]["clang"]["required"] = json!(true)).1.exit_code(), 2);
        let (result, context) = changed(|p| p["tools"]["clang"]["constraint"] = json!("?"));
        assert_eq!((context.exit_code(), result.tools.len(), result.profile.schema_valid), (3, 0, true));
        assert_eq!(run(Path::new("no/such/profile.json")).1.exit_code(), 3);
    }
}
