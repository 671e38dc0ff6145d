//! `serve`: a component answers HTTP requests, ours or those of others.

use super::{Handler, ResultOf};
use crate::caps::{self, Capabilities, Evidence, evidence};
use crate::contract::digest;
use crate::contract::files::{MAX_ARTIFACT_BYTES, shown};
use crate::engine::component::{Component, Grant, HttpService, PrepareError};
use crate::engine::{Allocator, EngineError};
use crate::http::server::{ServerConfig, ServerError};
use crate::ops::{self, Purpose};
use crate::report::diagnostic::{clip, unreadable};
use crate::report::{Code, Context, Diag, emit};
use crate::serve::backend::Backend;
use crate::serve::budgets::{Budgets, Engine, Wishes};
use crate::serve::canary::{self, Canary};
use crate::serve::incident::{Desk, REPORT_NAME, Recorder, Written};
use crate::serve::ledger::{Entries, Ledger};
use crate::serve::listen::{self, Site};
use crate::serve::template::{Template, Wanted};
use crate::solve::explain;
use crate::solve::limits::Overrides;
use crate::wasm_profile::{Selection, select};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use x07_wasm_contracts::cli::{ServeAllocator, ServeArgs, ServeMode};
use x07_wasm_contracts::types::{FileDigest, ServeReport, ServeReportResult, ServeReportResultMode};

/// Longest address that a report can carry.
const MAX_ADDR_CHARS: usize = 128;

impl Handler for ServeArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<ServeReport>();
        result.mode = match self.mode {
            ServeMode::Canary => ServeReportResultMode::Canary,
            ServeMode::Listen => ServeReportResultMode::Listen,
        };
        result.addr.requested =
            clip(if self.addr.is_empty() { "none".to_owned() } else { self.addr.clone() }, MAX_ADDR_CHARS);
        result.stop_after = self.stop_after;
        result.budgets = budgets(&self).into();
        let Some(ready) = prepare(&self, context, &mut result.component) else { return result };
        match self.mode {
            ServeMode::Canary => canary(&self, context, ready, &mut result),
            ServeMode::Listen => listen(&self, context, ready, &mut result),
        }
        result
    }
}

/// All that serving needs.
struct Ready {
    backend: Backend,
    template: Template,
    addr: SocketAddr,
    capabilities: Option<Arc<Capabilities>>,
    evidence: Evidence,
    component: FileDigest,
}

fn budgets(args: &ServeArgs) -> Budgets {
    Budgets {
        max_request_bytes: args.max_request_bytes.into(),
        max_response_bytes: args.max_response_bytes.into(),
        max_wall_ms: args.max_wall_ms_per_request.into(),
        max_concurrent: args.max_concurrent,
    }
}

/// Reads and checks everything; what is wrong is told at once, before anything runs.
fn prepare(args: &ServeArgs, context: &mut Context, component: &mut FileDigest) -> Option<Ready> {
    let bytes = context.files.read(&args.component, MAX_ARTIFACT_BYTES);
    *component = match &bytes {
        Ok(bytes) => digest::of(shown(&args.component), bytes),
        Err(error) => {
            context.push(unreadable(Code::ServeComponentReadFailed, "the component", error));
            digest::unread(shown(&args.component))
        }
    };
    let (capabilities, evidence) = operations(args, context);
    let engine = engine(args, context);
    let wanted = Wanted { method: &args.method, path: &args.path, headers: &args.header, body: &args.request_body };
    let template = Template::read(&mut context.files, wanted).map_err(|problems| context.extend(problems)).ok();
    let addr = args.addr.parse::<SocketAddr>().map_err(|_| {
        context.push(
            Diag::new(
                Code::ServeAddrInvalid,
                format!(
                    "--addr {:?} is not an address; give an IP address with a port, such as 127.0.0.1:8080 or [::1]:0",
                    args.addr
                ),
            )
            .data("addr", clip(args.addr.clone(), MAX_ADDR_CHARS)),
        );
    });
    if args.mode == ServeMode::Listen {
        context.extend(budgets(args).problem());
        if let Ok(addr) = addr
            && let Err(error) = server_config(args, addr).check()
        {
            context.push(listen::server_error(&error));
        }
    }
    // Everything was read by now, so what a record would replace is known.
    if let Some(Err(problem)) = args.evidence_out.as_deref().map(|path| evidence::check_target(&context.files, path)) {
        context.push(problem);
    }
    if context.failed() {
        return None;
    }
    let service = service(context, &engine?, &bytes.ok()?)?;
    Some(Ready {
        backend: Backend::new(
            service,
            args.max_response_bytes.into(),
            args.max_response_header_bytes.into(),
            args.ops.is_some(),
        ),
        template: template?,
        addr: addr.ok()?,
        capabilities,
        evidence,
        component: component.clone(),
    })
}

/// What the component may reach, and who takes note of it.
fn operations(args: &ServeArgs, context: &mut Context) -> (Option<Arc<Capabilities>>, Evidence) {
    let mut capabilities = None;
    if let Some(path) = &args.ops {
        let loaded = ops::load(&mut context.files, path, Purpose::Serve);
        context.extend(loaded.diags);
        capabilities = loaded.capabilities;
    }
    let (evidence_in, evidence_out) = (args.evidence_in.as_deref(), args.evidence_out.as_deref());
    let canary = args.mode == ServeMode::Canary;
    let flags = evidence::check_flags(args.ops.is_some(), canary, args.stop_after.into(), evidence_in, evidence_out);
    context.extend(flags);
    if let Some(capabilities) = &capabilities {
        context.extend(caps::warnings(capabilities, Path::new("")));
    }
    let evidence = Evidence::open(&mut context.files, evidence_in, evidence_out).unwrap_or_else(|problems| {
        context.extend(problems);
        Evidence::None
    });
    (capabilities, evidence)
}

/// The engine that the default profile and the options ask for.
fn engine(args: &ServeArgs, context: &mut Context) -> Option<Engine> {
    let selection = Selection { id: args.profile.as_deref(), file: args.profile_file.as_deref(), index: &args.index };
    let mut notices = Vec::new();
    let selected = select(&mut context.files, &selection, Code::WasmProfileLoadFailed, &mut notices);
    context.extend(notices);
    let selected = selected.map_err(|problems| context.extend(problems)).ok()?;
    let wishes = Wishes {
        overrides: Overrides {
            fuel: args.max_fuel,
            memory_bytes: args.max_memory_bytes,
            table_elements: args.max_table_elements,
            wasm_stack_bytes: args.max_wasm_stack_bytes,
            wall_ms: None,
        },
        allocator: args.allocator.map(|allocator| match allocator {
            ServeAllocator::OnDemand => Allocator::OnDemand,
            ServeAllocator::Pooling => Allocator::Pooling,
        }),
        listening: args.mode == ServeMode::Listen,
        code_cache: args.code_cache,
    };
    Engine::choose(&selected, wishes, budgets(args))
        .map_err(|error| context.push(Diag::new(Code::CliArgsInvalid, error.to_string()).data("stage", "limits")))
        .ok()
}

/// Compiles and links the component.
fn service(context: &mut Context, engine: &Engine, bytes: &[u8]) -> Option<HttpService> {
    let (runtime, warnings) = engine.start().map_err(|error| context.push(explain::engine_error(&error))).ok()?;
    context.extend(warnings.iter().map(explain::engine_warning));
    let runtime = Arc::new(runtime);
    let compiled = Component::compile(&runtime, bytes).map_err(|error| context.push(not_compiled(&error))).ok()?;
    HttpService::prepare(runtime, &compiled).map_err(|error| context.push(not_prepared(&error))).ok()
}

fn not_compiled(error: &EngineError) -> Diag {
    match error {
        // Limits and the engine's own configuration are told as everywhere.
        EngineError::MemoryLimit { .. } | EngineError::TableLimit { .. } | EngineError::Config { .. } => {
            explain::engine_error(error)
        }
        _ => Diag::new(
            Code::ServeComponentCompileFailed,
            format!("the component cannot be compiled: {error}; build it again with `component build`"),
        )
        .data("error", error.to_string()),
    }
}

fn not_prepared(error: &PrepareError) -> Diag {
    let (code, reason, cure) = match error {
        // The engine names the import wherever the component is what does not fit.
        PrepareError::Linker { reason } if reason.contains("import") => {
            (Code::ServeProxyPreFailed, reason, "the host offers WASI 0.2 and wasi:http; build the component for them")
        }
        PrepareError::Linker { reason } => {
            (Code::ServeLinkerFailed, reason, "please report this as a mistake of x07-wasm")
        }
        PrepareError::World { reason } => (
            Code::ServeProxyPreFailed,
            reason,
            "build it for the world wasi:http/proxy; `component targets` tells what differs",
        ),
    };
    Diag::new(code, format!("{error}; {cure}")).data("error", reason.as_str())
}

fn recorder(args: &ServeArgs, component: &FileDigest) -> Recorder {
    Recorder::new(&args.incidents_dir, &args.component, component.clone(), budgets(args), args.hot_path)
}

/// How much of bodies the report shows itself.
fn inline_bytes(args: &ServeArgs, most: u64) -> Option<u64> {
    (!args.hot_path).then_some(most)
}

/// Makes requests and tells what became of them.
fn canary(args: &ServeArgs, context: &mut Context, mut ready: Ready, result: &mut ServeReportResult) {
    let ledger = Ledger::new(inline_bytes(args, canary::INLINE_BYTES));
    let mut incidents = recorder(args, &ready.component);
    let ended = Canary {
        backend: &ready.backend,
        template: &ready.template,
        requests: args.stop_after,
        capabilities: ready.capabilities.as_ref(),
        evidence: &mut ready.evidence,
        ledger: &ledger,
        incidents: &mut incidents,
    }
    .run();
    context.nondeterminism.uses_network |= ended.sent;
    context.notes.extend(ended.lines);
    context.stdout = ended.bodies;
    let written = incidents.finish();
    let entries = ledger.entries(written.omitted);
    take_entries(context, entries, result);
    let (record, problems) = ready.evidence.finish();
    context.extend(problems);
    if let (Some(path), Some(record)) = (&args.evidence_out, record)
        && let Err(problem) = evidence::store(&mut context.files, path, &record)
    {
        context.push(problem);
    }
    take_incidents(context, written, result);
}

/// Serves others and tells what became of it.
fn listen(args: &ServeArgs, context: &mut Context, ready: Ready, result: &mut ServeReportResult) {
    let mut evidence = ready.evidence;
    let grant = match &ready.capabilities {
        Some(capabilities) => caps::grant(capabilities, Path::new(""), &mut evidence),
        None => Ok(Grant::nothing()),
    };
    let grant = match grant {
        Ok(grant) => grant,
        Err(problems) => {
            context.extend(problems);
            return;
        }
    };
    let incidents = match Desk::open(recorder(args, &ready.component)) {
        Ok(incidents) => incidents,
        Err(error) => {
            context.push(listen::server_error(&ServerError::Start { source: error }));
            return;
        }
    };
    let site = Site {
        backend: ready.backend,
        grant,
        ledger: Ledger::new(inline_bytes(args, listen::INLINE_BYTES)),
        incidents,
    };
    let ended = match listen::run(&server_config(args, ready.addr), site) {
        Ok(ended) => ended,
        Err(error) => {
            context.push(listen::server_error(&error));
            return;
        }
    };
    let summary = &ended.summary;
    result.addr.bound = Some(summary.bound.to_string());
    // Whoever listens uses the network, whether or not the component called out.
    context.nondeterminism.uses_network = true;
    let mut note = format!(
        "served {} requests on {} connections, {} of them failed or were refused",
        summary.requests, summary.connections, ended.entries.failed
    );
    if summary.cut > 0 {
        note.push_str(&format!("; {} connections were cut off at the end", summary.cut));
    }
    if summary.room < args.max_connections {
        note.push_str(&format!("; the limit of open files left room for {} connections", summary.room));
    }
    if summary.lost_log_lines > 0 {
        note.push_str(&format!("; {} lines of the access log were lost", summary.lost_log_lines));
    }
    context.notes.push(note);
    take_entries(context, ended.entries, result);
    context.extend(listen::clients(&ended.summary));
    context.extend(listen::cut_off(&ended.summary));
    take_incidents(context, ended.incidents, result);
}

fn server_config(args: &ServeArgs, addr: SocketAddr) -> ServerConfig {
    ServerConfig {
        addr,
        max_header_bytes: args.max_header_bytes,
        max_headers: args.max_headers,
        max_request_bytes: args.max_request_bytes.into(),
        max_connections: args.max_connections,
        max_concurrent: args.max_concurrent,
        header_timeout_ms: args.header_timeout_ms.into(),
        body_timeout_ms: args.body_timeout_ms.into(),
        idle_timeout_ms: args.idle_timeout_ms.into(),
        shutdown_grace_ms: args.shutdown_grace_ms.into(),
        stop_after: args.stop_after.into(),
        access_log: args.access_log,
    }
}

fn take_entries(context: &mut Context, entries: Entries, result: &mut ServeReportResult) {
    result.responses = entries.responses;
    for finding in entries.findings {
        finding.push(context);
    }
}

/// Names the folders of the incidents; each gets the report, once there is one.
fn take_incidents(context: &mut Context, written: Written, result: &mut ServeReportResult) {
    context.extend(written.warning());
    for folder in written.folders {
        // The folder carries the date.
        context.nondeterminism.uses_os_time = true;
        context.notes.push(format!("incident: {}", folder.display()));
        result.incidents.push(clip(shown(&folder), 4096));
        context.report_copies.push(folder.join(REPORT_NAME));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_served_with_has_its_code() {
        let reason = || "because".to_owned();
        let compile = |error: EngineError| not_compiled(&error).build().code;
        assert_eq!(compile(EngineError::Compile { reason: reason() }), "X07WASM_SERVE_COMPONENT_COMPILE_FAILED");
        let invalid = EngineError::Invalid { reason: reason(), offset: None };
        assert_eq!(compile(invalid), "X07WASM_SERVE_COMPONENT_COMPILE_FAILED");
        assert_eq!(compile(EngineError::MemoryLimit { wanted: 2, limit: 1 }), "X07WASM_BUDGET_EXCEEDED_MEMORY");
        let prepare = |error: PrepareError| not_prepared(&error).build().code;
        let import = "component imports instance `a:b/c`, but a matching implementation was not found".to_owned();
        assert_eq!(prepare(PrepareError::Linker { reason: import }), "X07WASM_SERVE_PROXY_PRE_FAILED");
        assert_eq!(prepare(PrepareError::World { reason: reason() }), "X07WASM_SERVE_PROXY_PRE_FAILED");
        assert_eq!(prepare(PrepareError::Linker { reason: reason() }), "X07WASM_SERVE_LINKER_FAILED");
    }
}
