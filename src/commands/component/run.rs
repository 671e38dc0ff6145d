//! `component run`: a command component runs once, with the input that it is given.

mod failure;
mod inputs;
mod outputs;

use crate::commands::{Handler, ResultOf};
use crate::component::guest_diagnostics::{self, Channel};
use crate::contract::digest;
use crate::contract::files::{MAX_DOCUMENT_BYTES, encode, read_bounded, shown};
use crate::engine::component::{
    CommandCall, CommandOutcome, CommandService, Component, Denial, Exit, Grant, PrepareError, block_on,
};
use crate::engine::{CacheSource, EngineConfig, EngineError, Guests, MAX_WASM_STACK_BYTES, Runtime};
use crate::report::diagnostic::clip;
use crate::report::incident::{Incident, run_id};
use crate::report::{Code, Context, Diag, emit};
use crate::solve::explain;
use crate::solve::input::blob;
use crate::solve::limits::{Overrides, engine_config};
use crate::wasm_profile::{Selection, select};
use bytes::Bytes;
use inputs::Inputs;
use std::sync::Arc;
use x07_wasm_contracts::cli::ComponentRunArgs;
use x07_wasm_contracts::types::{
    ComponentRunReport, ComponentRunReportResult, ComponentRunReportRunOutcomeOutcome as Outcome, WasmIncidentManifest,
    WasmIncidentManifestComponentRef as ComponentRef, WasmIncidentManifestComponentRunIncident as RunIncident,
};

/// Longest text of a trap that a report can carry, in characters.
const MAX_TRAP: usize = 16384;

impl Handler for ComponentRunArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<ComponentRunReport>();
        // Until it ran, this is the outcome that promises least.
        result.run.outcome = Outcome::EngineFailed;
        result.component = digest::unread(shown(&self.component));
        result.stdin = blob(&[]);
        result.stdout = blob(&[]);
        result.stderr = blob(&[]);
        if let Err(problem) = outputs::check(&self) {
            context.push(problem);
            return result;
        }
        let inputs = match inputs::read(&self, context) {
            Ok(inputs) => inputs,
            Err(problems) => {
                context.extend(problems);
                return result;
            }
        };
        result.component = inputs.component_digest.clone();
        result.args.clone_from(&inputs.args);
        result.stdin = inputs.stdin_blob.clone();
        let ended = run(&self, context, &inputs, &mut result);
        if let Some(ended) = &ended {
            outputs::hand_over(&self, context, ended, &mut result);
        }
        if context.failed() {
            context.incident = Some(incident(&self, &inputs, ended.as_ref(), &result));
        }
        result
    }
}

/// Runs the component and fills in how that ended.
fn run(
    args: &ComponentRunArgs,
    context: &mut Context,
    inputs: &Inputs,
    result: &mut ComponentRunReportResult,
) -> Option<CommandOutcome> {
    let config = config(args, context)?;
    let service = match service(context, &config, &inputs.component) {
        Ok(service) => service,
        Err(NotReady { outcome, diag, trap }) => {
            result.run.outcome = outcome;
            result.run.trap = trap;
            context.push(diag);
            return None;
        }
    };
    let call = CommandCall {
        args: inputs.args.clone(),
        stdin: Bytes::from(inputs.stdin.clone()),
        max_output_bytes: args.max_output_bytes,
        grant: Grant::nothing(),
    };
    let ended = block_on(service.call(call));
    context.nondeterminism.uses_network |= ended.sent;
    match &ended.exit {
        Ok(Exit::Ok) => result.run.outcome = Outcome::Ok,
        Ok(Exit::Err) => {
            result.run.outcome = Outcome::Err;
            context.push(Diag::new(
                Code::ComponentRunExitFailure,
                "the component says that it failed; look at what it wrote to standard error",
            ));
        }
        Err(error) => {
            let explained = failure::explain(error);
            result.run.outcome = explained.outcome;
            result.run.max_wall_ms = explained.max_wall_ms;
            result.run.trap = explained.trap.map(|trap| clip(trap, MAX_TRAP));
            context.push(explained.diag);
        }
    }
    context.extend(ended.denials.iter().map(refused));
    match guest_diagnostics::from_stderr(&ended.stderr) {
        Ok(None) => {}
        Ok(Some(found)) => context.push_guest(guest_diagnostics::diagnose(&found)),
        Err(rule) => context.push(guest_diagnostics::broken(Channel::Cli, rule)),
    }
    Some(ended)
}

/// The limits: those of the wasm profile, with what the options replace.
fn config(args: &ComponentRunArgs, context: &mut Context) -> Option<EngineConfig> {
    let selection = Selection { id: args.profile.as_deref(), file: args.profile_file.as_deref(), index: &args.index };
    let mut notices = Vec::new();
    let selected = select(&mut context.files, &selection, Code::WasmProfileLoadFailed, &mut notices);
    context.extend(notices);
    let selected = selected.map_err(|problems| context.extend(problems)).ok()?;
    let overrides = Overrides {
        fuel: args.max_fuel,
        memory_bytes: args.max_memory_bytes,
        table_elements: args.max_table_elements,
        wasm_stack_bytes: args.max_wasm_stack_bytes,
        wall_ms: Some(args.max_wall_ms),
    };
    match engine_config(&selected.profile.runtime, overrides, u64::from(MAX_WASM_STACK_BYTES), selected.builtin) {
        Ok(config) => {
            let cache = if args.code_cache { Some(CacheSource::UserDefault) } else { config.cache.clone() };
            Some(EngineConfig { guests: Guests::Components, cache, ..config })
        }
        Err(error) => {
            context.push(Diag::new(Code::CliArgsInvalid, error.to_string()).data("stage", "limits"));
            None
        }
    }
}

/// Why a component cannot be called.
struct NotReady {
    outcome: Outcome,
    diag: Diag,
    trap: Option<String>,
}

/// Makes a component ready to be called.
fn service(context: &mut Context, config: &EngineConfig, component: &[u8]) -> Result<CommandService, NotReady> {
    let (runtime, warnings) = Runtime::new(config).map_err(|e| not_compiled(&e))?;
    context.extend(warnings.iter().map(explain::engine_warning));
    let runtime = Arc::new(runtime);
    let compiled = Component::compile(&runtime, component).map_err(|e| not_compiled(&e))?;
    CommandService::prepare(runtime, &compiled).map_err(|error| {
        let cure = match &error {
            PrepareError::Linker { .. } => "a command can use WASI 0.2; build the component for wasi:cli/command",
            PrepareError::World { .. } => "a command exports wasi:cli/run; components of other worlds are not commands",
        };
        let diag =
            Diag::new(Code::ComponentRunLinkerFailed, format!("{error}; {cure}")).data("error", error.to_string());
        NotReady { outcome: Outcome::LinkerFailed, diag, trap: None }
    })
}

fn not_compiled(error: &EngineError) -> NotReady {
    let text = error.to_string();
    match error {
        EngineError::Config { .. } | EngineError::PoolingNeedsLimits { .. } => {
            NotReady { outcome: Outcome::EngineFailed, diag: explain::engine_error(error), trap: None }
        }
        EngineError::MemoryLimit { .. } | EngineError::TableLimit { .. } => {
            NotReady { outcome: Outcome::Trap, diag: explain::engine_error(error), trap: Some(text) }
        }
        _ => {
            let message = format!("the component cannot be compiled: {text}; build it again");
            let diag = Diag::new(Code::ComponentRunComponentCompileFailed, message).data("error", text);
            NotReady { outcome: Outcome::ComponentCompileFailed, diag, trap: None }
        }
    }
}

fn refused(denial: &Denial) -> Diag {
    let target = &denial.target;
    Diag::new(
        Code::CapsNetDenied,
        format!("{denial}; `component run` lets nothing out, only `serve` with --ops can allow requests"),
    )
    .data("scheme", target.scheme.as_str())
    .data("host", target.host.as_str())
    .data("port", target.port)
}

/// What a failed run leaves behind.
fn incident(
    args: &ComponentRunArgs,
    inputs: &Inputs,
    ended: Option<&CommandOutcome>,
    result: &ComponentRunReportResult,
) -> Incident {
    let component = &inputs.component_digest;
    let manifest = WasmIncidentManifest::from(RunIncident {
        schema_version: "x07.wasm.incident.manifest@0.1.0".to_owned(),
        kind: "component-run".to_owned(),
        component: ComponentRef { path: component.path.clone(), sha256: component.sha256.clone() },
        stdin: inputs.stdin_blob.clone(),
        args: inputs.args.clone(),
    });
    // The bundle is a help for people: should our own document ever be invalid, it is left empty.
    let mut files = vec![("incident.manifest.json".to_owned(), encode(&manifest).unwrap_or_default())];
    files.push(("stdin.bin".to_owned(), inputs.stdin.clone()));
    if let Some(ended) = ended {
        for (name, bytes) in [("stdout.bin", &ended.stdout), ("stderr.bin", &ended.stderr)] {
            if !bytes.is_empty() {
                files.push((name.to_owned(), bytes.clone()));
            }
        }
    }
    if let Ok(copied) = read_bounded(&args.component.with_extension("wasm.manifest.json"), MAX_DOCUMENT_BYTES) {
        files.push(("component.manifest.json".to_owned(), copied));
    }
    Incident {
        root: args.incidents_dir.clone(),
        run_id: run_id(&component.sha256, &digest::sha256_hex(&inputs.stdin)),
        files,
        report_name: "component.run.report.json",
        stderr: result.run.trap.clone().into_iter().collect(),
    }
}
