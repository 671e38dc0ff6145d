//! `doctor`: which tools are there, linked in or on the path, and what is missing.

use super::{Handler, ResultOf};
use crate::report::{Code, Context, Diag, Severity};
use crate::toolchain::linked::{Linked, WASI};
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

/// A program that somebody may want beside this one.
struct Optional {
    tool: &'static str,
    missing: Code,
    /// What it is for.
    purpose: &'static str,
    /// How to get it.
    cure: &'static str,
}

const X07: Optional = Optional {
    tool: "x07",
    missing: Code::ToolMissingX07,
    purpose: "for --x07 and the C backend; the built-in compiler does the rest",
    cure: "install the X07 toolchain",
};
const CLANG: Optional = Optional {
    tool: "clang",
    missing: Code::ToolMissingClang,
    purpose: "for the C backend",
    cure: "install clang, which most systems have as the package clang",
};
const WASM_LD: Optional = Optional {
    tool: "wasm-ld",
    missing: Code::ToolMissingWasmLd,
    purpose: "for the C backend",
    cure: "install LLD, which most systems have as the package lld",
};
const JCO: Optional = Optional {
    tool: "jco",
    missing: Code::ToolMissingJco,
    purpose: "for comparison",
    cure: "install it with `npm install -g @bytecodealliance/jco`",
};
const NODE: Optional = Optional {
    tool: "node",
    missing: Code::ToolMissingNode,
    purpose: "for replaying web UI components outside a browser",
    cure: "install Node.js from https://nodejs.org",
};
const HOST: Optional = Optional {
    tool: DEVICE_HOST,
    missing: Code::ToolMissingDeviceHost,
    purpose: "for running and packaging device bundles on desktops",
    cure: "install it with `cargo install --locked x07-device-host-desktop`, or name the program in X07_DEVICE_HOST_DESKTOP",
};

impl Handler for DoctorArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let wasmtime = linked(context, Linked::WASMTIME, "runs modules and components");
        let wasm_tools = linked(context, Linked::WASM_TOOLS, "makes modules and components");
        let wac = linked(context, Linked::WAC, "composes components");
        let wit_bindgen = linked(context, Linked::WIT_BINDGEN, "reads WIT, and stands in for wit-bindgen");
        wasi(context);
        let x07 = look(context, &X07);
        let clang = look(context, &CLANG);
        let wasm_ld = look(context, &WASM_LD);
        let jco = look(context, &JCO);
        let node = look(context, &NODE);
        mention(context, NODE.tool, node);
        let host = look_for(context, &HOST, &device_host(std::env::var_os(DEVICE_HOST_VARIABLE)));
        mention(context, HOST.tool, host);
        check_toolchain(context, Path::new(DEFAULT_INDEX));
        context.tool.clang.clone_from(&clang);
        context.tool.wasm_ld.clone_from(&wasm_ld);
        context.tool.wasmtime = Some(wasmtime.clone());
        DoctorReportResult {
            clang,
            jco: Some(jco),
            wac: Some(wac),
            wasm_ld,
            wasm_tools: Some(wasm_tools),
            wasmtime: Some(wasmtime),
            wit_bindgen: Some(wit_bindgen),
            x07,
        }
    }
}

/// The program to ask for the desktop host.
fn device_host(variable: Option<OsString>) -> OsString {
    variable.filter(|v| !v.is_empty()).unwrap_or_else(|| OsString::from(DEVICE_HOST))
}

/// Reports a linked library.
fn linked(context: &mut Context, library: Linked, job: &str) -> String {
    context.notes.push(note(library.name, &format!("{}, built in: {job}", library.version)));
    library.line()
}

/// Reports what components find around them.
fn wasi(context: &mut Context) {
    let found = "what components find, under the component model";
    context.notes.push(note("WASI", &format!("{WASI}, built in: {found}")));
    context.push(
        Diag::new(Code::ToolVersionInfo, format!("WASI {WASI} is built in: {found}"))
            .data("tool", "wasi")
            .data("version", WASI),
    );
}

fn look(context: &mut Context, optional: &Optional) -> Option<String> {
    look_for(context, optional, OsStr::new(optional.tool))
}

/// Asks a tool for its version. People read of each tool once: what is there stands in the notes, and
/// what is not is a warning.
fn look_for(context: &mut Context, optional: &Optional, program: &OsStr) -> Option<String> {
    let Optional { tool, missing, purpose, cure } = optional;
    let found = version_line(program);
    context.nondeterminism.uses_process |= found.as_ref().err() != Some(&Absence::NotFound);
    match found {
        Ok(line) => {
            context.notes.push(note(tool, &format!("{line}: {purpose}")));
            Some(line)
        }
        Err(absence) => {
            context.push(
                Diag::new(*missing, format!("{tool} cannot be used: {absence}; it is {purpose}. To get it, {cure}"))
                    .data("tool", *tool)
                    .data("purpose", *purpose),
            );
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
            [result.wasmtime.clone(), result.wasm_tools, result.wac, result.wit_bindgen].map(Option::unwrap_or_default),
            [
                "wasmtime 48.0.8 (linked)",
                "wasm-tools 0.258.0 (linked)",
                "wac 0.12.0 (linked)",
                "wit-parser 0.258.0 (linked)"
            ]
        );
        assert_eq!(context.tool.wasmtime, result.wasmtime);
        assert_eq!((&context.tool.clang, &context.tool.wasm_ld), (&result.clang, &result.wasm_ld));
        let reported = |code: &str| context.diagnostics().any(|d| d.code == code);
        for (found, code) in [
            (result.x07.is_some(), "X07WASM_TOOL_MISSING_X07"),
            (result.clang.is_some(), "X07WASM_TOOL_MISSING_CLANG"),
            (result.wasm_ld.is_some(), "X07WASM_TOOL_MISSING_WASM_LD"),
        ] {
            assert_eq!(found, !reported(code), "{code}");
        }
        // Four libraries and WASI, and each optional tool either here or as a warning.
        let warnings = context.diagnostics().filter(|d| d.severity == Severity::Warning).count();
        assert_eq!(context.notes.len() + warnings, 11);
    }

    #[test]
    fn a_tool_that_is_not_there_is_a_warning_with_a_cure() {
        let mut context = context();
        let absent = Optional {
            tool: "x07-wasm-test-no-such-tool",
            missing: Code::ToolMissingClang,
            purpose: "for a test",
            cure: "write it",
        };
        assert_eq!(look(&mut context, &absent), None);
        assert_eq!((context.notes.len(), context.nondeterminism.uses_process), (0, false));
        let diagnostic = context.diagnostics().next().expect("one");
        assert_eq!((diagnostic.severity, diagnostic.code.as_str()), (Severity::Warning, "X07WASM_TOOL_MISSING_CLANG"));
        assert!(diagnostic.message.contains("for a test") && diagnostic.message.contains("write it"));
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
