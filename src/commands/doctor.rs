//! `doctor`: which tools are there, linked in or on the path, and what is missing.

use super::{Handler, ResultOf};
use crate::report::{Code, Context, Diag, Severity};
use crate::toolchain::linked::Linked;
use crate::toolchain::probe::{Absence, probe, version_line};
use crate::toolchain::profile::{Choice, DEFAULT_INDEX, ToolCommand, select};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use x07_wasm_contracts::cli::DoctorArgs;
use x07_wasm_contracts::types::DoctorReportResult;

/// Variable that names the desktop host for device bundles.
const DEVICE_HOST_VARIABLE: &str = "X07_DEVICE_HOST_DESKTOP";
/// The desktop host where the variable names none.
const DEVICE_HOST: &str = "x07-device-host-desktop";

impl Handler for DoctorArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let x07 = look(
            context,
            "x07",
            Some((Code::ToolMissingX07, "only --x07 and the C backend need it; the built-in compiler does the rest")),
        );
        let clang = look(context, "clang", Some((Code::ToolMissingClang, "only the C backend needs it")));
        let wasm_ld = look(context, "wasm-ld", Some((Code::ToolMissingWasmLd, "only the C backend needs it")));
        let wasmtime = linked(context, Linked::WASMTIME);
        let wasm_tools = linked(context, Linked::WASM_TOOLS);
        let wit_bindgen = look(context, "wit-bindgen", None);
        let wac = look(context, "wac", None);
        let jco = look(context, "jco", Some((Code::ToolMissingJco, "it only serves for comparison")));
        let node = look(
            context,
            "node",
            Some((Code::ToolMissingNode, "replaying web UI components outside a browser needs it")),
        );
        mention(context, "node", node);
        let host = device_host(std::env::var_os(DEVICE_HOST_VARIABLE));
        let missing_host = (
            Code::ToolMissingDeviceHost,
            "running and packaging device bundles for desktops needs it; X07_DEVICE_HOST_DESKTOP may name the program",
        );
        let host_line = look_for(context, DEVICE_HOST, &host, Some(missing_host));
        mention(context, DEVICE_HOST, host_line);
        check_toolchain(context, Path::new(DEFAULT_INDEX));
        context.tool.clang.clone_from(&clang);
        context.tool.wasm_ld.clone_from(&wasm_ld);
        context.tool.wasmtime = Some(wasmtime.clone());
        DoctorReportResult {
            clang,
            jco: Some(jco),
            wac,
            wasm_ld,
            wasm_tools: Some(wasm_tools),
            wasmtime: Some(wasmtime),
            wit_bindgen,
            x07,
        }
    }
}

/// The program to ask for the desktop host.
fn device_host(variable: Option<OsString>) -> OsString {
    variable.filter(|v| !v.is_empty()).unwrap_or_else(|| OsString::from(DEVICE_HOST))
}

/// Reports a linked library.
fn linked(context: &mut Context, library: Linked) -> String {
    let line = library.line();
    context.notes.push(note(library.name, &line));
    line
}

fn look(context: &mut Context, tool: &str, missing: Option<(Code, &str)>) -> Option<String> {
    look_for(context, tool, OsStr::new(tool), missing)
}

/// Asks a tool for its version. Where `missing` is given, its absence is reported under that code,
/// with the reason why somebody might want the tool.
fn look_for(context: &mut Context, tool: &str, program: &OsStr, missing: Option<(Code, &str)>) -> Option<String> {
    let found = version_line(program);
    context.nondeterminism.uses_process |= found.as_ref().err() != Some(&Absence::NotFound);
    match found {
        Ok(line) => {
            context.notes.push(note(tool, &line));
            Some(line)
        }
        Err(absence) => {
            let status =
                if absence == Absence::NotFound { "not found".to_owned() } else { format!("not usable: {absence}") };
            context.notes.push(note(tool, &status));
            if let Some((code, why)) = missing {
                context.push(Diag::new(code, format!("{tool} cannot be used: {absence}; {why}")).data("tool", tool));
            }
            None
        }
    }
}

/// Reports a tool that has no place of its own in the report.
fn mention(context: &mut Context, tool: &str, line: Option<String>) {
    if let Some(line) = line {
        context.push(
            Diag::new(Code::ToolVersionInfo, format!("{tool} is there: {line}"))
                .data("tool", tool)
                .data("version", line),
        );
    }
}

/// One aligned line for people.
fn note(tool: &str, text: &str) -> String {
    format!("{tool:<width$}  {text}", width = DEVICE_HOST.len())
}

/// Compares the tools with the default toolchain profile. Nothing of it makes `doctor` fail: that is
/// what `toolchain validate` is for. Tools that the profile can do without and that are not there
/// are passed over; `doctor` has looked for them itself.
fn check_toolchain(context: &mut Context, index: &Path) {
    let selected = select(&mut context.files, Choice::Default { index });
    context.extend(selected.diagnostics.into_iter().map(|d| d.severity(Severity::Info)));
    for requirement in &selected.requirements {
        let probed = probe(requirement);
        context.nondeterminism.uses_process |= probed.started;
        let external = matches!(requirement.command, ToolCommand::External(_));
        let absent = external && probed.status.found_version.is_none();
        if let Some(diagnostic) = probed.diagnostic.filter(|_| requirement.required || !absent) {
            context.push(diagnostic.severity(Severity::Info).data("profile_id", selected.profile.ref_.id.as_str()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn context() -> Context {
        Context::new(Vec::new(), true, Instant::now())
    }

    #[test]
    fn nothing_that_is_missing_is_an_error() {
        let mut context = context();
        let result = DoctorArgs {}.run(&mut context);
        assert_eq!(context.exit_code(), 0);
        assert_eq!(
            (result.wasmtime.as_deref(), result.wasm_tools.as_deref()),
            (Some("wasmtime 48.0.8 (linked)"), Some("wasm-tools 0.258.0 (linked)"))
        );
        assert_eq!(context.tool.wasmtime, result.wasmtime);
        assert_eq!((&context.tool.clang, &context.tool.wasm_ld), (&result.clang, &result.wasm_ld));
        assert_eq!(context.notes.len(), 10);
        let reported = |code: &str| context.diagnostics().any(|d| d.code == code);
        for (found, code) in [
            (result.x07.is_some(), "X07WASM_TOOL_MISSING_X07"),
            (result.clang.is_some(), "X07WASM_TOOL_MISSING_CLANG"),
            (result.wasm_ld.is_some(), "X07WASM_TOOL_MISSING_WASM_LD"),
        ] {
            assert_eq!(found, !reported(code), "{code}");
        }
    }

    #[test]
    fn a_tool_that_is_not_there_is_a_warning_only_where_that_matters() {
        let mut context = context();
        let absent = "x07-wasm-test-no-such-tool";
        assert_eq!(look(&mut context, absent, None), None);
        assert_eq!((context.diagnostics().count(), context.nondeterminism.uses_process), (0, false));
        assert_eq!(look(&mut context, absent, Some((Code::ToolMissingClang, "needed"))), None);
        let diagnostic = context.diagnostics().next().expect("one");
        assert_eq!((diagnostic.severity, diagnostic.code.as_str()), (Severity::Warning, "X07WASM_TOOL_MISSING_CLANG"));
        mention(&mut context, "node", Some("v1".to_owned()));
        let diagnostic = context.diagnostics().last().expect("one");
        let data = diagnostic.data.as_ref().expect("data");
        assert_eq!(
            (diagnostic.severity, data["tool"].as_str(), data["version"].as_str()),
            (Severity::Info, Some("node"), Some("v1"))
        );
    }

    #[test]
    fn the_variable_names_the_desktop_host() {
        assert_eq!(device_host(None), DEVICE_HOST);
        assert_eq!(device_host(Some(OsString::new())), DEVICE_HOST);
        assert_eq!(device_host(Some(OsString::from("/opt/host"))), "/opt/host");
    }

    #[test]
    fn a_broken_registry_does_not_fail_doctor() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("index.json");
        std::fs::write(&path, "{").expect("written");
        let mut context = context();
        check_toolchain(&mut context, &path);
        assert_eq!((context.exit_code(), context.diagnostics().next().map(|d| d.severity)), (0, Some(Severity::Info)));
    }
}
