//! `run`: a module, or a project built in memory, computes the output for one input.

use super::{Handler, ResultOf};
use crate::build::checks::{self, Rules};
use crate::build::produce::{self, Backend, Request};
use crate::contract::digest;
use crate::contract::files::Files;
use crate::contract::files::{
    MAX_ARTIFACT_BYTES, MAX_DOCUMENT_BYTES, create_folder, encode, read_bounded, shown, with_suffix,
};
use crate::contract::path::same_file;
use crate::engine::{Layout, Runtime, SolveCall, SolveModule};
use crate::report::diagnostic::unreadable;
use crate::report::incident::{Incident, run_id};
use crate::report::{Code, Context, Diag, Stage, emit};
use crate::solve::input::{self, Input};
use crate::solve::limits::{Overrides, engine_config};
use crate::solve::sites::site_table;
use crate::solve::{explain, input::blob};
use crate::wasm;
use crate::wasm_profile::{Selected, Selection, select};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::cli::{RunArgs, RunCodegenBackend};
use x07_wasm_contracts::types::{
    ProfileRef, RunReport, RunReportEngine, RunReportMemoryLayout, RunReportResult, WasmArtifact, WasmIncidentManifest,
    WasmIncidentManifestArtifactManifest as ArtifactManifest, WasmIncidentManifestMemoryExtent as MemoryExtent,
    WasmIncidentManifestRunIncident as RunIncident, WasmProfileCodegenBackend,
};

/// Longest output that a report carries itself.
const MAX_INLINE_OUTPUT: usize = 4096;

impl Handler for RunArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<RunReport>();
        result.engine =
            Some(RunReportEngine { name: Some("wasmtime".to_owned()), version: Some(Runtime::version().to_owned()) });
        let Some(selected) = profile(&self, context) else { return result };
        result.profile = ProfileRef { id: selected.profile.id.clone(), v: selected.profile.v };
        result.arena_cap_bytes = self.arena_cap_bytes.unwrap_or(selected.profile.defaults.arena_cap_bytes);
        let input = input::read(
            &mut context.files,
            self.input.as_deref(),
            self.input_hex.as_deref(),
            self.input_base64.as_deref(),
        );
        let input = match input {
            Ok(input) => input,
            Err(problem) => {
                context.push(problem);
                return result;
            }
        };
        result.input = input.blob.clone();
        let module = module(&self, context, &selected);
        if let Ok(module) = &module {
            result.wasm = module.digest.clone();
        }
        let mut call = Call { args: &self, selected: &selected, input: &input, result: &mut result };
        match &module {
            Ok(module) => call.run(context, module),
            // The program did not compile: there is nothing to look at later.
            Err(Unmade::NotCompiled) => return result,
            Err(Unmade::Unreadable(path)) => call.result.wasm = digest::unread(path.clone()),
        }
        if context.failed() {
            let module = module.ok();
            context.incident = Some(incident(&self, &selected, &input, module.as_ref(), &result));
        }
        result
    }
}

/// The profile: as told, else that of the manifest beside the module, else the default.
fn profile(args: &RunArgs, context: &mut Context) -> Option<Selected> {
    let told = Selection { id: args.profile.as_deref(), file: args.profile_file.as_deref(), index: &args.index };
    let mut notices = Vec::new();
    if told.id.is_none()
        && told.file.is_none()
        && let Some(id) = args.wasm.as_deref().and_then(|wasm| manifest_profile(&mut context.files, wasm))
        // The manifest only suggests: where the registry does not know the profile, the default stands.
        && let Ok(selected) = select(&mut context.files, &Selection { id: Some(&id), ..told.clone() }, Code::ProfileLoadFailed, &mut notices)
    {
        context.extend(notices);
        return Some(selected);
    }
    notices.clear();
    let selected = select(&mut context.files, &told, Code::ProfileLoadFailed, &mut notices);
    context.extend(notices);
    selected.map_err(|problems| context.extend(problems)).ok()
}

/// The profile id in `<wasm>.manifest.json`, if that is a valid manifest.
fn manifest_profile(files: &mut Files, wasm: &Path) -> Option<String> {
    let manifest = files.load::<WasmArtifact>(&with_suffix(wasm, ".manifest.json")).ok()?;
    manifest.document.profile.map(|p| p.id)
}

/// The module to run.
struct Module {
    bytes: Vec<u8>,
    digest: x07_wasm_contracts::types::FileDigest,
}

/// Why there is none.
enum Unmade {
    NotCompiled,
    Unreadable(String),
}

fn module(args: &RunArgs, context: &mut Context, selected: &Selected) -> Result<Module, Unmade> {
    if let Some(path) = &args.wasm {
        return match context.files.read(path, MAX_ARTIFACT_BYTES) {
            Ok(bytes) => Ok(Module { digest: digest::of(shown(path), &bytes), bytes }),
            Err(error) => {
                context.push(unreadable(Code::WasmReadFailed, "the module", &error));
                Err(Unmade::Unreadable(shown(path)))
            }
        };
    }
    // The parser promises that one of --wasm and --project is there.
    let project = args.project.clone().unwrap_or_else(|| PathBuf::from("x07.json"));
    let backend = match (args.codegen_backend, selected.profile.codegen_backend) {
        (Some(RunCodegenBackend::CToolchainV1), _) | (None, WasmProfileCodegenBackend::CToolchainV1) => Backend::C,
        _ => Backend::Native,
    };
    // Only external tools need a folder; it is gone when the run is over.
    let external = args.x07.is_some() || backend == Backend::C;
    let folder = if external { Some(tempfile::tempdir()) } else { None };
    let folder = match folder.transpose() {
        Ok(folder) => folder,
        Err(error) => {
            context
                .push(Diag::new(Code::BuildIoFailed, format!("no folder for the external tools can be made: {error}")));
            return Err(Unmade::NotCompiled);
        }
    };
    let place = folder.as_ref().map(|f| f.path().to_path_buf()).unwrap_or_default();
    let request = Request {
        project: &project,
        profile: &selected.profile,
        backend,
        x07: args.x07.as_deref(),
        emit_dir: &place.join("emit"),
        wasm: &place.join("program.wasm"),
        strip: false,
    };
    let outputs = context.files.outputs_so_far();
    let made = produce::produce(context, &request);
    // The folder goes away with everything in it.
    context.files.retract_outputs_after(outputs);
    match made {
        Some(made) => {
            Ok(Module { digest: digest::of(format!("memory:{}.wasm", made.name), &made.wasm), bytes: made.wasm })
        }
        None => Err(Unmade::NotCompiled),
    }
}

/// One call in the making.
struct Call<'a> {
    args: &'a RunArgs,
    selected: &'a Selected,
    input: &'a Input,
    result: &'a mut RunReportResult,
}

impl Call<'_> {
    fn run(&mut self, context: &mut Context, module: &Module) {
        let profile = &self.selected.profile;
        let rules = Rules { stage: Stage::Run, unparsable: Code::WasmInspectFailed, exports: true };
        let mut problems = Vec::new();
        let checked =
            checks::module(&module.bytes, &module.digest.path, &profile.wasm_ld.ldflags, rules, &mut problems);
        let facts = match checked {
            Ok(facts) => facts,
            Err(problem) => {
                context.push(problem);
                return;
            }
        };
        let stack = facts.memory.stack_size_bytes;
        self.result.memory = Some(RunReportMemoryLayout {
            plan: Some(facts.memory),
            arena_ptr: None,
            data_end: None,
            heap_base: None,
            input_ptr: None,
            retptr: None,
        });
        if !problems.is_empty() {
            context.extend(problems);
            return;
        }
        if let Some(output) = self.solve(context, module, stack) {
            self.output(context, output);
        }
    }

    /// Runs the program; yields its output.
    fn solve(&mut self, context: &mut Context, module: &Module, stack: u64) -> Option<Vec<u8>> {
        let overrides = Overrides {
            fuel: self.args.max_fuel,
            memory_bytes: self.args.max_memory_bytes,
            table_elements: self.args.max_table_elements,
            wasm_stack_bytes: self.args.max_wasm_stack_bytes,
            wall_ms: self.args.max_wall_ms,
        };
        let config = match engine_config(&self.selected.profile.runtime, overrides, stack, self.selected.builtin) {
            Ok(config) => config.with_user_cache(self.args.code_cache),
            Err(error) => {
                context.push(Diag::new(Code::CliArgsInvalid, error.to_string()).data("stage", "limits"));
                return None;
            }
        };
        let ready = Runtime::new(&config).and_then(|(runtime, warnings)| {
            context.extend(warnings.iter().map(explain::engine_warning));
            SolveModule::compile(&runtime, &module.bytes).map(|compiled| (runtime, compiled))
        });
        let (runtime, compiled) = match ready {
            Ok(ready) => ready,
            Err(error) => {
                context.push(explain::engine_error(&error));
                return None;
            }
        };
        let Ok(arena_cap) = u32::try_from(self.result.arena_cap_bytes) else {
            context.push(Diag::new(
                Code::ArenaCapTooLarge,
                format!(
                    "an arena of {} bytes is more than a 32-bit module can address; give at most {}",
                    self.result.arena_cap_bytes,
                    u32::MAX
                ),
            ));
            return None;
        };
        let max_output = self.args.max_output_bytes.unwrap_or(self.selected.profile.defaults.max_output_bytes);
        let call = SolveCall {
            input: &self.input.bytes,
            arena_cap,
            max_output: u32::try_from(max_output).unwrap_or(u32::MAX),
        };
        match compiled.solve(&runtime, &call) {
            Ok(output) => {
                self.place(&output.layout);
                Some(output.bytes)
            }
            Err(failure) => {
                if let Some(layout) = &failure.layout {
                    self.place(layout);
                }
                let explained =
                    explain::solve_error(&failure.kind, site_table(&module.bytes).as_ref(), explain::LimitsOf::Options);
                self.result.trap = explained.trap;
                context.push(explained.diag);
                None
            }
        }
    }

    fn place(&mut self, layout: &Layout) {
        if let Some(memory) = &mut self.result.memory {
            memory.heap_base = Some(layout.heap_base.into());
            memory.data_end = Some(layout.data_end.into());
            memory.retptr = Some(layout.retptr.into());
            memory.input_ptr = Some(layout.input_ptr.into());
            memory.arena_ptr = Some(layout.arena_ptr.into());
        }
    }

    /// Hands the output over: to a file, into the report, or to standard output.
    fn output(&mut self, context: &mut Context, output: Vec<u8>) {
        self.result.output = blob(&output);
        if let Some(path) = &self.args.output_out {
            match write_output(context, path, &output) {
                Ok(()) => {
                    self.result.output.path = Some(shown(path));
                    return;
                }
                // The output is still shown below: it was computed, and perhaps at some cost.
                Err(problem) => context.push(problem),
            }
        }
        if !context.json && self.args.output_out.is_none() {
            context.stdout = output;
        } else if context.json && output.len() <= MAX_INLINE_OUTPUT {
            self.result.output.base64 = Some(STANDARD.encode(&output));
        }
    }
}

fn write_output(context: &mut Context, path: &Path, output: &[u8]) -> Result<(), Diag> {
    if let Some(taken) = context.files.inputs().iter().find(|i| same_file(path, Path::new(&i.path))) {
        let message =
            format!("the output would replace {}, which this command read; give another --output-out", taken.path);
        return Err(Diag::new(Code::OutputWriteFailed, message));
    }
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        create_folder(folder)
            .map_err(|e| Diag::new(Code::OutputIoFailed, format!("the folder of the output cannot be created: {e}")))?;
    }
    let written = context.files.write(path, output);
    written.map(|_| ()).map_err(|e| Diag::new(Code::OutputWriteFailed, format!("the output cannot be written: {e}")))
}

/// What a failed run leaves behind.
fn incident(
    args: &RunArgs,
    selected: &Selected,
    input: &Input,
    module: Option<&Module>,
    result: &RunReportResult,
) -> Incident {
    let manifest_path = args.wasm.as_deref().map(|w| with_suffix(w, ".manifest.json"));
    let manifest = manifest_path.as_deref().map(|p| read_bounded(p, MAX_DOCUMENT_BYTES));
    let mut files = vec![("input.bin".to_owned(), input.bytes.clone())];
    let copied = match &manifest {
        Some(Ok(bytes)) => {
            let mut bytes = bytes.clone();
            if bytes.last() != Some(&b'\n') {
                bytes.push(b'\n');
            }
            bytes
        }
        other => {
            let read_error =
                other.as_ref().and_then(|r| r.as_ref().err()).filter(|e| !e.is_missing()).map(ToString::to_string);
            let document = synthesized(selected, module, result, manifest_path.as_deref(), read_error);
            // The bundle is a help for people: should our own document ever be invalid, it is left empty.
            encode(&document).unwrap_or_default()
        }
    };
    files.push(("wasm.manifest.json".to_owned(), copied));
    Incident {
        root: args.incidents_dir.clone(),
        run_id: run_id(&result.wasm.sha256, &digest::sha256_hex(&input.bytes)),
        files,
        report_name: "run.report.json",
        stderr: result.trap.clone().into_iter().collect(),
    }
}

/// The incident manifest of a module without an artifact manifest.
fn synthesized(
    selected: &Selected,
    module: Option<&Module>,
    result: &RunReportResult,
    manifest: Option<&Path>,
    read_error: Option<String>,
) -> WasmIncidentManifest {
    let mut document = RunIncident {
        schema_version: "x07.wasm.incident.manifest@0.1.0".to_owned(),
        kind: Some("run".to_owned()),
        profile: ProfileRef { id: selected.profile.id.clone(), v: selected.profile.v },
        wasm: result.wasm.clone(),
        artifact_manifest: ArtifactManifest {
            path: manifest.map_or_else(|| "none".to_owned(), shown),
            present: false,
            read_error: Some(read_error),
        },
        exports: None,
        memory: None,
        inspect_error: None,
        wasm_read_error: None,
    };
    match module.map(|m| wasm::inspect(&m.bytes)) {
        Some(Ok(inspection)) => {
            document.memory = inspection.memory.map(|m| MemoryExtent {
                initial_bytes: m.initial_bytes,
                max_bytes: m.stated_max_bytes(),
                growable: m.growable(),
            });
            document.exports = Some(inspection.exports);
        }
        Some(Err(error)) => document.inspect_error = Some(error.to_string()),
        None => document.wasm_read_error = Some(format!("{} could not be read", result.wasm.path)),
    }
    document.into()
}
