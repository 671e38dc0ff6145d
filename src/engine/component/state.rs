//! The data of a component's store.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_io::IoView;

use super::clocks;
use super::error::CallError;
use super::grant::{Grant, Preopen};
use super::outgoing::Gate;
use super::random::Random;
use crate::engine::config::Limits;
use crate::engine::limiter::Limiter;
use crate::engine::trap::{describe, one_line};

/// Handles that a guest may hold at once.
const MAX_RESOURCES: usize = 1024;

/// Least bytes that a guest may gather in one set of headers: those of the request are one, too.
const MIN_FIELD_BYTES: usize = 128 * 1024;

/// Most bytes that one write to a captured stream may have.
const MAX_WRITE_BYTES: usize = 64 * 1024;

/// The data of a store: what host functions work on.
pub(super) struct HostState {
    pub(super) limiter: Limiter,
    /// Everything that the guest holds a handle of.
    pub(super) table: ResourceTable,
    pub(super) random: Random,
    /// Where outgoing requests pass.
    pub(super) gate: Gate,
    http: WasiHttpCtx,
    /// Comes into being when the guest first uses something that needs it. Most components that
    /// answer requests never do.
    wasi: Option<WasiCtx>,
    grant: Grant,
}

impl HostState {
    /// The state of a call that has no standard streams.
    ///
    /// # Errors
    ///
    /// [`CallError::Grant`] if a directory cannot be opened.
    pub(super) fn new(limits: &Limits, grant: Grant, max_header_bytes: u64) -> Result<Self, CallError> {
        let wasi = if grant.preopens.is_empty() {
            None
        } else {
            let mut builder = context(&grant);
            preopen(&mut builder, &grant.preopens)?;
            Some(builder.build())
        };
        let mut state = Self::with(limits, grant, wasi);
        // The engine counts more for a header than its bytes; the exact limit is checked at the end.
        let fields = usize::try_from(max_header_bytes).unwrap_or(usize::MAX);
        state.http.set_field_size_limit(fields.saturating_mul(2).max(MIN_FIELD_BYTES));
        Ok(state)
    }

    /// The state of a command.
    ///
    /// # Errors
    ///
    /// [`CallError::Grant`] if a directory cannot be opened.
    pub(super) fn for_command(
        limits: &Limits,
        grant: Grant,
        args: &[String],
        stdin: Bytes,
        stdout: &Capture,
        stderr: &Capture,
    ) -> Result<Self, CallError> {
        let mut builder = context(&grant);
        builder.args(args).stdin(MemoryInputPipe::new(stdin)).stdout(stdout.clone()).stderr(stderr.clone());
        preopen(&mut builder, &grant.preopens)?;
        let wasi = builder.build();
        Ok(Self::with(limits, grant, Some(wasi)))
    }

    fn with(limits: &Limits, grant: Grant, wasi: Option<WasiCtx>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        Self {
            limiter: Limiter::new(limits),
            table,
            random: Random::new(&grant.random),
            gate: Gate::new(Arc::clone(&grant.outgoing)),
            http: WasiHttpCtx::new(),
            wasi,
            grant,
        }
    }

    /// Drops all that the guest still holds, so that whoever waits for it learns that no more comes.
    pub(super) fn close(&mut self) {
        self.table = ResourceTable::new();
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| context(&self.grant).build());
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl WasiHttpView for HostState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.gate, table: &mut self.table, ctx: &mut self.http }
    }
}

impl IoView for HostState {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

/// A context with what is granted, except directories, the one thing that can fail.
fn context(grant: &Grant) -> WasiCtxBuilder {
    let mut builder = WasiCtxBuilder::new();
    builder.envs(&grant.env);
    clocks::grant(&mut builder, &grant.clocks);
    if !grant.sockets.is_empty() {
        let granted: Arc<[SocketAddr]> = grant.sockets.as_slice().into();
        builder.allow_tcp(true).allow_udp(true).socket_addr_check(move |address, purpose| {
            let allowed = granted.contains(&address) || is_implicit_bind(address, purpose);
            Box::pin(async move { allowed })
        });
    }
    builder
}

/// Connecting and sending bind a socket to a free port first, which gives the guest nothing.
fn is_implicit_bind(address: SocketAddr, purpose: SocketAddrUse) -> bool {
    matches!(purpose, SocketAddrUse::TcpBind | SocketAddrUse::UdpBind)
        && address.ip().is_unspecified()
        && address.port() == 0
}

/// Opens the directories that are granted.
fn preopen(builder: &mut WasiCtxBuilder, preopens: &[Preopen]) -> Result<(), CallError> {
    for Preopen { host, guest, writable } in preopens {
        let permissions = if *writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
        builder.preopened_dir(host, guest, permissions).map_err(|error| CallError::Grant {
            reason: format!("the directory `{guest}` cannot be opened: {}", describe(&error)),
        })?;
    }
    Ok(())
}

/// A guest wrote more than it may.
#[derive(Debug, thiserror::Error)]
#[error("output beyond the limit of {limit} bytes was refused")]
pub(super) struct OutputRefused {
    pub(super) limit: u64,
}

/// A standard stream of a command, kept in memory up to a limit. The write that passes the limit
/// is kept as far as it fits and ends the guest; one that reaches it is an ordinary write.
#[derive(Clone)]
pub(super) struct Capture {
    written: Arc<Mutex<Vec<u8>>>,
    limit: u64,
}

impl Capture {
    /// An empty stream that takes `limit` bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self { written: Arc::new(Mutex::new(Vec::new())), limit }
    }

    /// Takes what was written so far.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that still fit.
    fn room(&self, written: &[u8]) -> usize {
        usize::try_from(self.limit).unwrap_or(usize::MAX).saturating_sub(written.len())
    }

    fn append(&self, bytes: &[u8]) -> Result<(), OutputRefused> {
        let mut written = self.lock();
        let room = self.room(&written);
        match bytes.get(..room) {
            Some(fitting) if bytes.len() > room => {
                written.extend_from_slice(fitting);
                Err(OutputRefused { limit: self.limit })
            }
            _ => {
                written.extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}

impl OutputStream for Capture {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.append(&bytes).map_err(|refused| StreamError::Trap(wasmtime::Error::new(refused)))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        // One byte more than there is room for: the guest has to try in order to be stopped.
        Ok(self.room(&self.lock()).saturating_add(1).min(MAX_WRITE_BYTES))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Capture {
    async fn ready(&mut self) {}
}

impl IsTerminal for Capture {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Capture {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Capture {
    fn poll_write(self: Pin<&mut Self>, _context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.append(bytes).map(|()| bytes.len());
        Poll::Ready(written.map_err(|refused| io::Error::other(one_line(&refused.to_string()))))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_capture_takes_its_limit_and_not_a_byte_more() {
        let mut capture = Capture::new(4);
        assert_eq!(capture.check_write().unwrap(), 5);
        capture.write(Bytes::from_static(b"abcd")).unwrap();
        assert_eq!(capture.check_write().unwrap(), 1);
        capture.write(Bytes::new()).unwrap();
        let Err(StreamError::Trap(error)) = capture.write(Bytes::from_static(b"e")) else {
            panic!("not refused");
        };
        assert_eq!(error.downcast_ref::<OutputRefused>().unwrap().limit, 4);
        assert_eq!(capture.take(), b"abcd");
    }

    #[test]
    fn what_fits_of_the_last_write_is_kept() {
        let mut capture = Capture::new(4);
        assert!(capture.write(Bytes::from_static(b"abcdef")).is_err());
        assert_eq!(capture.take(), b"abcd");
    }

    #[test]
    fn only_binding_to_any_port_is_implied() {
        let any: SocketAddr = "0.0.0.0:0".parse().unwrap();
        assert!(is_implicit_bind(any, SocketAddrUse::TcpBind));
        assert!(is_implicit_bind("[::]:0".parse().unwrap(), SocketAddrUse::UdpBind));
        assert!(!is_implicit_bind(any, SocketAddrUse::TcpListen));
        assert!(!is_implicit_bind("0.0.0.0:80".parse().unwrap(), SocketAddrUse::TcpBind));
        assert!(!is_implicit_bind("127.0.0.1:0".parse().unwrap(), SocketAddrUse::TcpBind));
    }

    #[test]
    fn a_directory_that_is_not_there_is_a_grant_that_cannot_be_given() {
        let place = tempfile::tempdir().unwrap();
        let preopens = vec![Preopen { host: place.path().join("absent"), guest: "data".to_owned(), writable: false }];
        let grant = Grant { preopens, ..Grant::nothing() };
        let error = HostState::new(&Limits::default(), grant, 0).err().unwrap();
        assert!(matches!(&error, CallError::Grant { reason } if reason.contains("`data`")), "{error:?}");
    }
}
