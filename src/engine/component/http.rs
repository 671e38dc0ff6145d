//! The world `wasi:http/proxy`: one request in, one response out.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::codes;
use super::compile::{CodeMap, Component};
use super::error::{CallError, PrepareError};
use super::grant::Grant;
use super::linker::linker;
use super::run::{call_error, engine_error, fuel_used, in_time, instantiation_error, new_store};
use super::state::HostState;
use crate::engine::runtime::Runtime;
use crate::engine::trap::describe;
use crate::http::policy::Denial;

/// Bytes that the headers of a response may have unless a caller says otherwise: what a component
/// that was built with `component_debug` may send.
pub const MAX_RESPONSE_HEADER_BYTES: u64 = 128 * 1024;

/// What the smallest header counts.
const HEADER_BYTES_AT_LEAST: usize = 256;

/// A component that answers requests. Cheap to clone, and called from many threads at once.
#[derive(Clone)]
pub struct HttpService {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Arc<Runtime>,
    pre: ProxyPre<HostState>,
    code: CodeMap,
}

/// What one request may use.
#[derive(Debug, Clone)]
pub struct HttpCall {
    /// What the guest may reach.
    pub grant: Grant,
    /// Bytes that the body of the response may have.
    pub max_response_bytes: u64,
    /// Bytes that the headers of the response may have, names and values together. A header counts
    /// 256 bytes at least, so that their number is limited as well.
    pub max_header_bytes: u64,
}

/// What came of one request.
#[derive(Debug)]
pub struct HttpOutcome {
    /// The whole response, or why there is none. Trailers are left out.
    pub response: Result<Response<Bytes>, CallError>,
    /// Outgoing requests that were refused, each once, at most 100.
    pub denials: Vec<Denial>,
    /// Whether an outgoing request was really sent.
    pub sent: bool,
    /// Fuel that instantiation and call consumed, if fuel is limited.
    pub fuel_used: Option<u64>,
}

impl HttpService {
    /// Links a component so that calls only have to instantiate it.
    ///
    /// # Errors
    ///
    /// [`PrepareError::Linker`] if it imports what the host does not have,
    /// [`PrepareError::World`] if it does not export `wasi:http/incoming-handler`.
    pub fn prepare(runtime: Arc<Runtime>, component: &Component) -> Result<Self, PrepareError> {
        let link = |error: wasmtime::Error| PrepareError::Linker { reason: describe(&error) };
        let linker = linker(&runtime.engine).map_err(link)?;
        let pre = linker.instantiate_pre(&component.compiled).map_err(link)?;
        let pre = ProxyPre::new(pre).map_err(|error| PrepareError::World { reason: describe(&error) })?;
        Ok(Self { inner: Arc::new(Inner { runtime, pre, code: component.code.clone() }) })
    }

    /// Answers one request in a fresh instance. Dropping the future stops the guest.
    ///
    /// The guest is given the scheme `http`, and as authority that of the URI or else the header
    /// `host`; a request with neither is for `localhost`. The response is there when the guest has
    /// returned, so a trap discards it, even one after its last byte.
    pub async fn call(&self, request: Request<Bytes>, call: HttpCall) -> HttpOutcome {
        let runtime = &*self.inner.runtime;
        let started = Instant::now();
        let store = HostState::new(runtime.limits(), call.grant, call.max_header_bytes)
            .and_then(|state| new_store(runtime, state, started));
        let mut store = match store {
            Ok(store) => store,
            Err(error) => {
                return HttpOutcome { response: Err(error), denials: Vec::new(), sent: false, fuel_used: None };
            }
        };
        let answer = self.answer(&mut store, request, call.max_response_bytes, call.max_header_bytes);
        let response = in_time(runtime, started, answer).await.map_err(|error| match error {
            CallError::HeadersTooLarge { .. } => CallError::HeadersTooLarge { limit: call.max_header_bytes },
            other => other,
        });
        let (denials, sent) = store.data().gate.record();
        HttpOutcome { response, denials, sent, fuel_used: fuel_used(runtime, &store) }
    }

    async fn answer(
        &self,
        store: &mut Store<HostState>,
        request: Request<Bytes>,
        max_bytes: u64,
        max_header_bytes: u64,
    ) -> Result<Response<Bytes>, CallError> {
        let bodiless = request.method() == Method::HEAD;
        let request = with_authority(request).map(Full::new);
        let (sender, receiver) = oneshot::channel();
        let mut host = store.data_mut().http();
        let request = host.new_incoming_request(Scheme::Http, request).map_err(|error| engine_error(&error))?;
        let out = host.new_response_outparam(sender).map_err(|error| engine_error(&error))?;

        let inner = &*self.inner;
        let guest = async move {
            let proxy = inner.pre.instantiate_async(&mut *store).await.map_err(|error| instantiation_error(&error))?;
            let handler = proxy.wasi_http_incoming_handler();
            handler.call_handle(&mut *store, request, out).await.map_err(|error| call_error(&error, &inner.code))?;
            // A guest that keeps its end of the body would be waited for.
            store.data_mut().close();
            Ok::<(), CallError>(())
        };
        // Both in one task: a switch between tasks costs more than most handlers take. The guest
        // goes first, so that what stopped it is known before what its end did to the response.
        let ((), response) = tokio::try_join!(biased; guest, collect(receiver, max_bytes, max_header_bytes, bodiless))?;
        Ok(response)
    }
}

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpService").field("runtime", &self.inner.runtime).finish_non_exhaustive()
    }
}

/// The request with a host, which wasi:http demands.
fn with_authority(mut request: Request<Bytes>) -> Request<Bytes> {
    let named = |host: &HeaderValue| host.to_str().is_ok();
    if request.uri().authority().is_none() && !request.headers().get(HOST).is_some_and(named) {
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
    }
    request
}

/// What a guest sends when it sets its response.
type Answer = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// Waits for a response and takes its body as the guest writes it.
async fn collect(
    receiver: oneshot::Receiver<Answer>,
    max_bytes: u64,
    max_header_bytes: u64,
    bodiless: bool,
) -> Result<Response<Bytes>, CallError> {
    let answer = receiver.await.map_err(|_| CallError::NoResponse)?;
    let (parts, mut body) = answer.map_err(|code| CallError::Guest { code: codes::name(&code) })?.into_parts();
    if parts.status.is_informational() {
        return Err(CallError::Guest { code: codes::PROTOCOL_ERROR.to_owned() });
    }
    check_headers(&parts.headers, max_header_bytes)?;
    let declared = declared_length(&parts.headers);
    let too_large = || CallError::OutputTooLarge { limit: max_bytes };
    if declared.is_some_and(|length| length > max_bytes) && !bodiless {
        return Err(too_large());
    }

    // A response without a body may tell the length of the one that it would have otherwise.
    let unsent = bodiless || parts.status == StatusCode::NOT_MODIFIED;
    let mut whole = Gathered::default();
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            // The engine takes the body that is lacking for a mistake.
            Err(_) if unsent && declared.is_some() => {
                whole = Gathered::default();
                break;
            }
            Err(_) => return Err(CallError::Guest { code: codes::PROTOCOL_ERROR.to_owned() }),
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if length(data.len()).saturating_add(length(whole.len())) > max_bytes {
            return Err(too_large());
        }
        whole.push(data);
    }
    let body = whole.finish();
    // Only a guest that never finished its body gets here with another length than it declared.
    let may_differ = body.is_empty() && unsent;
    if declared.is_some_and(|declared| declared != length(body.len())) && !may_differ {
        return Err(CallError::Guest { code: codes::BODY_SIZE.to_owned() });
    }
    Ok(Response::from_parts(parts, body))
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn check_headers(headers: &HeaderMap, limit: u64) -> Result<(), CallError> {
    let bytes = headers.iter().fold(0usize, |sum, (name, value)| {
        let header = name.as_str().len().saturating_add(value.len());
        sum.saturating_add(header.max(HEADER_BYTES_AT_LEAST))
    });
    if length(bytes) > limit {
        return Err(CallError::HeadersTooLarge { limit });
    }
    Ok(())
}

/// The parts of a body. Most bodies have one, which need not be copied.
#[derive(Default)]
struct Gathered {
    first: Bytes,
    rest: BytesMut,
}

impl Gathered {
    fn len(&self) -> usize {
        self.first.len().saturating_add(self.rest.len())
    }

    fn push(&mut self, part: Bytes) {
        if self.first.is_empty() {
            self.first = part;
        } else {
            self.rest.extend_from_slice(&part);
        }
    }

    fn finish(self) -> Bytes {
        if self.rest.is_empty() {
            return self.first;
        }
        let mut whole = BytesMut::with_capacity(self.len());
        whole.extend_from_slice(&self.first);
        whole.extend_from_slice(&self.rest);
        whole.freeze()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn small_headers_are_bounded_by_number_and_large_ones_by_size() {
        let with = |count: usize, size: usize| {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_str(&"v".repeat(size)).unwrap();
            for _ in 0..count {
                headers.append("x-a", value.clone());
            }
            check_headers(&headers, 65_536)
        };
        assert_eq!(with(256, 1), Ok(()));
        assert_eq!(with(257, 1), Err(CallError::HeadersTooLarge { limit: 65_536 }));
        assert_eq!(with(1, 65_533), Ok(()));
        assert_eq!(with(1, 65_534), Err(CallError::HeadersTooLarge { limit: 65_536 }));
    }

    #[test]
    fn parts_are_joined_in_order() {
        let join = |parts: &[&'static str]| {
            let mut gathered = Gathered::default();
            for part in parts {
                gathered.push(Bytes::from_static(part.as_bytes()));
            }
            gathered.finish()
        };
        assert_eq!(join(&[]), "");
        assert_eq!(join(&["ab"]), "ab");
        assert_eq!(join(&["", "ab", "", "cd", "e"]), "abcde");
    }

    #[test]
    fn a_request_always_has_a_host() {
        let host = |request: Request<Bytes>| with_authority(request).headers().get(HOST).cloned();
        let plain = || Request::builder().uri("/x");
        assert_eq!(host(plain().body(Bytes::new()).unwrap()).unwrap(), "localhost");
        assert_eq!(host(plain().header(HOST, "a.example").body(Bytes::new()).unwrap()).unwrap(), "a.example");
        assert_eq!(host(plain().header(HOST, &b"\xff"[..]).body(Bytes::new()).unwrap()).unwrap(), "localhost");
        assert_eq!(host(Request::builder().uri("http://b.example/x").body(Bytes::new()).unwrap()), None);
    }
}
