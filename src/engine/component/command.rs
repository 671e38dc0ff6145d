//! The world `wasi:cli/command`: arguments and standard input in, two streams and an exit out.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use wasmtime::Store;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::CommandPre;

use super::compile::{CodeMap, Component};
use super::error::{CallError, PrepareError};
use super::grant::Grant;
use super::linker::linker;
use super::run::{call_error, fuel_used, in_time, instantiation_error, new_store};
use super::state::{Capture, HostState};
use crate::engine::runtime::Runtime;
use crate::engine::trap::{describe, find};
use crate::http::policy::Denial;

/// A component that is run like a program. Cheap to clone, and called from many threads at once.
#[derive(Clone)]
pub struct CommandService {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Arc<Runtime>,
    pre: CommandPre<HostState>,
    code: CodeMap,
}

/// One run.
#[derive(Debug, Clone)]
pub struct CommandCall {
    /// The arguments, exactly; nothing is put in front of them.
    pub args: Vec<String>,
    /// Standard input.
    pub stdin: Bytes,
    /// Bytes that standard output and standard error may have, each.
    pub max_output_bytes: u64,
    /// What the guest may reach.
    pub grant: Grant,
}

/// What came of one run.
#[derive(Debug)]
pub struct CommandOutcome {
    /// How the program ended.
    pub exit: Result<Exit, CallError>,
    /// What it wrote to standard output until then.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error until then.
    pub stderr: Vec<u8>,
    /// Outgoing requests that were refused, each once, at most 100.
    pub denials: Vec<Denial>,
    /// Whether an outgoing request was really sent.
    pub sent: bool,
    /// Fuel that instantiation and run consumed, if fuel is limited.
    pub fuel_used: Option<u64>,
}

/// How a program ends by its own decision, by returning from `run` or by calling `exit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It says that it succeeded.
    Ok,
    /// It says that it failed.
    Err,
}

impl CommandService {
    /// Links a component so that runs only have to instantiate it.
    ///
    /// # Errors
    ///
    /// [`PrepareError::Linker`] if it imports what the host does not have,
    /// [`PrepareError::World`] if it does not export `wasi:cli/run`.
    pub fn prepare(runtime: Arc<Runtime>, component: &Component) -> Result<Self, PrepareError> {
        let link = |error: wasmtime::Error| PrepareError::Linker { reason: describe(&error) };
        let linker = linker(&runtime.engine).map_err(link)?;
        let pre = linker.instantiate_pre(&component.compiled).map_err(link)?;
        let pre = CommandPre::new(pre).map_err(|error| PrepareError::World { reason: describe(&error) })?;
        Ok(Self { inner: Arc::new(Inner { runtime, pre, code: component.code.clone() }) })
    }

    /// Runs the program in a fresh instance. Dropping the future stops it.
    pub async fn call(&self, call: CommandCall) -> CommandOutcome {
        let runtime = &*self.inner.runtime;
        let started = Instant::now();
        let CommandCall { args, stdin, max_output_bytes, grant } = call;
        let stdout = Capture::new(max_output_bytes);
        let stderr = Capture::new(max_output_bytes);
        let store = HostState::for_command(runtime.limits(), grant, &args, stdin, &stdout, &stderr)
            .and_then(|state| new_store(runtime, state, started));
        let (exit, (denials, sent), fuel_used) = match store {
            Err(error) => (Err(error), (Vec::new(), false), None),
            Ok(mut store) => {
                let exit = in_time(runtime, started, self.run(&mut store)).await;
                (exit, store.data().gate.record(), fuel_used(runtime, &store))
            }
        };
        CommandOutcome { exit, stdout: stdout.take(), stderr: stderr.take(), denials, sent, fuel_used }
    }

    async fn run(&self, store: &mut Store<HostState>) -> Result<Exit, CallError> {
        let command = match self.inner.pre.instantiate_async(&mut *store).await {
            Ok(command) => command,
            Err(error) => return exit_of(&error).ok_or_else(|| instantiation_error(&error)),
        };
        match command.wasi_cli_run().call_run(&mut *store).await {
            Ok(Ok(())) => Ok(Exit::Ok),
            Ok(Err(())) => Ok(Exit::Err),
            Err(error) => exit_of(&error).ok_or_else(|| call_error(&error, &self.inner.code)),
        }
    }
}

impl fmt::Debug for CommandService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandService").field("runtime", &self.inner.runtime).finish_non_exhaustive()
    }
}

/// The exit in an error: calling `exit` ends a guest as a trap does.
fn exit_of(error: &wasmtime::Error) -> Option<Exit> {
    find::<I32Exit>(error).map(|exit| if exit.0 == 0 { Exit::Ok } else { Exit::Err })
}
