//! `http serve`: requests to a reducer, from a socket, from standard input, or one of our own.

use crate::commands::{Handler, ResultOf};
use crate::contract::digest;
use crate::contract::files::{MAX_ARTIFACT_BYTES, create_folder, read_stdin, shown};
use crate::contract::json::canonical;
use crate::contract::path::same_file;
use crate::http::reducer::effects::Effects;
use crate::http::reducer::listen::{ListenSettings, ReducerService};
use crate::http::reducer::runner::{Module, Runner, RunnerCodes, Settings};
use crate::http::reducer::session::{self, Incidents, Session};
use crate::http::reducer::steps::{Host, LoopLimits, Request};
use crate::http::reducer::trace::Recording;
use crate::http::reducer::{envelope, stdin};
use crate::http::server::{self, Summary};
use crate::ops::{self, Purpose};
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Context, Diag, emit};
use crate::serve::listen::{clients, server_error};
use crate::solve::limits::Overrides;
use crate::wasm_profile::Selection;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use x07_wasm_contracts::cli::{HttpServeArgs, HttpServeMode};
use x07_wasm_contracts::types::{
    HttpResponseEnvelope, HttpServeReport, HttpServeReportResult, HttpServeReportResultMode as Mode,
};

/// Requests that are worked on at a time unless something else is asked for.
const DEFAULT_CONCURRENT: u32 = 16;

const CODES: RunnerCodes = RunnerCodes {
    read: Code::HttpServeComponentReadFailed,
    load: Code::HttpServeComponentLoadFailed,
    call: Code::HttpReducerCallFailed,
};

impl Handler for HttpServeArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<HttpServeReport>();
        result.responses.clear();
        result.mode = match self.mode {
            HttpServeMode::Canary => Mode::Canary,
            HttpServeMode::Listen => Mode::Listen,
        };
        let addr = match arguments(&self) {
            Ok(addr) => addr,
            Err(problems) => {
                context.extend(problems);
                result.component = digest::unread(shown(&self.component));
                return result;
            }
        };
        let Some(host) = host(&self, context, &mut result) else { return result };
        let incidents = Incidents::new(self.incidents_dir.clone(), result.component.clone());
        let session = Session::new(self.trace_out.is_some());
        let session = match (self.mode, addr) {
            (HttpServeMode::Canary, _) => answer_all(context, &host, &incidents, &[envelope::canary()], session),
            (HttpServeMode::Listen, Some(addr)) => listen(&self, context, addr, host, incidents, session),
            (HttpServeMode::Listen, None) => lines(&self, context, &host, &incidents, session),
        };
        finish(&self, context, &mut result, session);
        result
    }
}

/// Where to listen, if there is to be a listener; or why the arguments do not go together.
fn arguments(args: &HttpServeArgs) -> Result<Option<SocketAddr>, Vec<Diag>> {
    let invalid = |option: &str, message: String| {
        Diag::new(Code::CliArgsInvalid, message).data("stage", "arguments").data("option", option)
    };
    let mut problems = Vec::new();
    if args.max_wall_ms_per_request == 0 {
        let message = "--max-wall-ms-per-request 0 is not possible; give 1 or more".to_owned();
        problems.push(invalid("max-wall-ms-per-request", message));
    }
    let addr = args.addr.as_ref().and_then(|addr| match addr.trim().parse::<SocketAddr>() {
        Ok(addr) => Some(addr),
        Err(_) => {
            let message = format!(
                "--addr {addr:?} is no address to listen on; give an IP address and a port, as in 127.0.0.1:8080 or [::1]:0"
            );
            problems.push(Diag::new(Code::ServeAddrInvalid, message).data("addr", addr.as_str()));
            None
        }
    });
    if args.addr.is_none() {
        let of_listeners = [
            ("access-log", args.access_log),
            ("max-concurrent", args.max_concurrent != DEFAULT_CONCURRENT),
            ("stop-after", args.stop_after != 0),
        ];
        problems.extend(of_listeners.into_iter().filter(|(_, given)| *given).map(|(option, _)| {
            let message = format!(
                "--{option} is about a listener, and without --addr there is none; give --addr, or leave --{option} out"
            );
            invalid(option, message)
        }));
    } else if args.mode == HttpServeMode::Canary {
        let message =
            "--addr is of no use with --mode canary, which makes one request of its own; leave one of the two out";
        problems.push(invalid("addr", message.to_owned()));
    } else if let Some(Err(error)) = addr.map(|addr| settings(args, addr).config().check()) {
        problems.push(server_error(&error));
    }
    if problems.is_empty() { Ok(addr) } else { Err(problems) }
}

/// What the arguments say about the listener.
fn settings(args: &HttpServeArgs, addr: SocketAddr) -> ListenSettings {
    ListenSettings {
        addr,
        max_request_bytes: args.max_request_bytes,
        max_concurrent: args.max_concurrent,
        stop_after: args.stop_after,
        access_log: args.access_log,
    }
}

/// The reducer with everything that it needs; `None` when something is missing.
fn host(args: &HttpServeArgs, context: &mut Context, result: &mut HttpServeReportResult) -> Option<Host> {
    let mut problems = Vec::new();
    let module = Module::read(&mut context.files, &args.component, CODES, &mut problems);
    result.component = module.digest.clone();
    context.extend(problems);
    let effects = effects(args, context);
    let listens = args.addr.is_some();
    let settings = Settings {
        overrides: Overrides {
            fuel: args.max_fuel,
            memory_bytes: args.max_memory_bytes,
            table_elements: args.max_table_elements,
            wasm_stack_bytes: args.max_wasm_stack_bytes,
            wall_ms: Some(args.max_wall_ms),
        },
        arena_cap_bytes: args.arena_cap_bytes,
        max_output_bytes: args.max_output_bytes,
        code_cache: args.code_cache,
        concurrency: if listens { args.max_concurrent } else { 1 },
        request_ms: Some(args.max_wall_ms_per_request.into()),
    };
    let selection = Selection { id: args.profile.as_deref(), file: args.profile_file.as_deref(), index: &args.index };
    let prepared = Runner::prepare(&mut context.files, &module, &selection, &settings, CODES);
    if let Some(limits) = prepared.limits {
        result.runtime_limits = limits;
    }
    context.extend(prepared.diags);
    if context.failed() {
        return None;
    }
    let limits = LoopLimits {
        max_steps: args.max_effect_steps,
        max_result_bytes: args.max_effect_results_bytes.into(),
        max_wall_ms: args.max_wall_ms_per_request.into(),
    };
    Some(Host { runner: prepared.runner?, effects: effects?, limits })
}

/// What the reducer may ask for; `None` when the ops profile cannot be used, which was told.
fn effects(args: &HttpServeArgs, context: &mut Context) -> Option<Effects> {
    let Some(path) = &args.ops else {
        return Some(Effects::without_profile(&Effects::hosts_of_the_environment()));
    };
    let loaded = ops::load(&mut context.files, path, Purpose::Serve);
    context.extend(loaded.diags);
    loaded.capabilities.as_ref().map(Effects::with_capabilities)
}

/// Answers the requests of standard input.
fn lines(
    args: &HttpServeArgs,
    context: &mut Context,
    host: &Host,
    incidents: &Incidents,
    mut session: Session,
) -> Session {
    let text = match read_stdin(MAX_ARTIFACT_BYTES) {
        Ok(text) => text,
        Err(error) => {
            context.push(unreadable(Code::HttpServeStdinJsonInvalid, "standard input", &error));
            return session;
        }
    };
    context.files.record_input(digest::of(stdin::NAME, &text));
    let (requests, problems) = stdin::requests(&text, args.max_request_bytes.into());
    session.findings.extend(problems);
    answer_all(context, host, incidents, &requests, session)
}

/// Answers the requests of a socket.
fn listen(
    args: &HttpServeArgs,
    context: &mut Context,
    addr: SocketAddr,
    host: Host,
    incidents: Incidents,
    session: Session,
) -> Session {
    let service = ReducerService::new(host, incidents, session);
    let mut bound = false;
    let ended = server::run(&settings(args, addr).config(), service.clone(), |addr| {
        bound = true;
        // Whoever started this waits for the line; it cannot stand in the report, which comes last.
        let _ = writeln!(std::io::stderr().lock(), "listening on http://{addr}");
    });
    context.nondeterminism.uses_network |= bound;
    let mut session = service.end();
    match ended {
        Ok(summary) => {
            session.requests = summary.requests;
            context.extend(cut_off(&summary));
            context.extend(clients(&summary));
        }
        Err(error) => context.push(server_error(&error)),
    }
    session
}

/// Requests that the end of the listener cut off, if there are any.
fn cut_off(summary: &Summary) -> Option<Diag> {
    let count = summary.cut_requests;
    (count > 0).then(|| {
        let message = format!(
            "{count} requests were cut off when the listener ended; end it when nothing is under way, and do not ask twice for the end"
        );
        Diag::new(Code::ServeRequestFailed, message).data("count", count)
    })
}

/// Puts everything that the requests left into the report.
fn finish(args: &HttpServeArgs, context: &mut Context, result: &mut HttpServeReportResult, session: Session) {
    context.nondeterminism.uses_network |= session.used.network;
    context.nondeterminism.uses_os_time |= session.used.clock;
    let omitted = session.omitted();
    result.requests = session.requests;
    result.responses = session.responses;
    context.extend(session.findings.finish());
    context.extend(omitted);
    result.incident_dir = session.incidents.first().map(|written| shown(&written.folder));
    for written in session.incidents {
        context.notes.push(format!("incident: {}", written.folder.display()));
        context.files.record_output(written.file);
    }
    if let (Some(path), Some(recording)) = (&args.trace_out, &session.recording) {
        match write_trace(context, path, recording) {
            Ok(()) => result.trace_path = Some(shown(path)),
            Err(problem) => context.push(problem),
        }
    }
    if !context.failed() {
        let noun = if result.requests == 1 { "request" } else { "requests" };
        context.notes.push(format!("ok: {} {noun}", result.requests));
    }
}

/// Answers requests one after the other; without a report each response is a line of output.
fn answer_all(
    context: &mut Context,
    host: &Host,
    incidents: &Incidents,
    requests: &[Request],
    mut session: Session,
) -> Session {
    let nobody_leaves = AtomicBool::new(false);
    for (index, request) in (0_u64..).zip(requests) {
        let mut outcome = host.answer(request, &nobody_leaves);
        let summary = session::judged(request, &mut outcome);
        if !context.json {
            match &outcome.response {
                Some(response) => context.stdout.extend(line(response)),
                None => context.stdout.extend(line(&envelope::no_response(&request.id))),
            }
        }
        let left = incidents.leave(request, &outcome);
        session.finished(index, summary, outcome, left);
    }
    session
}

fn line(response: &HttpResponseEnvelope) -> Vec<u8> {
    // An envelope has string keys and finite numbers only, so it can be written.
    serde_json::to_value(response).map(|value| canonical::compact(&value)).unwrap_or_default()
}

fn write_trace(context: &mut Context, path: &Path, recording: &Recording) -> Result<(), Diag> {
    let failed =
        |why: String| Diag::new(Code::HttpServeTraceWriteFailed, format!("the trace cannot be written: {why}"));
    if let Some(taken) = context.files.inputs().iter().find(|input| same_file(path, Path::new(&input.path))) {
        return Err(failed(format!(
            "it would replace {}, which this command read; give another --trace-out",
            taken.path
        )));
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_folder(folder).map_err(|error| failed(error.to_string()))?;
    }
    context.files.write(path, &canonical::pretty(&recording.document())).map_err(|error| failed(error.to_string()))?;
    if recording.left_out() > 0 {
        let message = format!(
            "the trace would have become too large to be replayed, so {} requests are not in it; record fewer requests at a time",
            recording.left_out()
        );
        context.push(Diag::new(Code::HttpServeTraceTruncated, message).data("requests_left_out", recording.left_out()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::reducer::kept::Steps;
    use crate::http::reducer::steps::Step;
    use serde_json::{Value, json};
    use std::time::Instant;

    #[test]
    fn a_trace_that_does_not_fit_is_written_without_the_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/t.json");
        let mut recording = Recording::default();
        for index in 0..2 {
            let mut steps = Steps::default();
            steps.push(Step { env: json!("x".repeat(10 << 20)), frame: Value::Null });
            recording.add(index, steps);
        }
        let mut context = Context::new(Vec::new(), true, Instant::now());
        write_trace(&mut context, &path, &recording).expect("written");
        let codes: Vec<&str> = context.diagnostics().map(|d| d.code.as_str()).collect();
        assert_eq!(codes, ["X07WASM_HTTP_SERVE_TRACE_TRUNCATED"]);
        let trace: Value = serde_json::from_slice(&std::fs::read(path).expect("there")).expect("JSON");
        assert_eq!(trace["steps"].as_array().map(Vec::len), Some(1));
    }
}
