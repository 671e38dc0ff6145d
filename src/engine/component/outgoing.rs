//! Requests that a guest sends: asked for, sent, and noted.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderName;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, timeout};
use wasmtime::StoreContextMut;
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Method, Scheme};
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{
    Error, ForbiddenHeaderFilter, RequestOptions, Result as HttpOutput, WasiBody, WasiHttpHooks, WasiHttpView,
};

use super::state::HostState;
use crate::http::client::{self, FetchError};
use crate::http::policy::{Denial, DenialReason, OutgoingPolicy, Target, TargetError};

/// Refused requests that are noted for one call; a guest may try as often as it likes.
const MAX_DENIALS: usize = 100;

/// How long a guest's request may wait for a connection, for the head of the response, and
/// between two parts of its body, unless the guest asks for something else.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Writes of a guest to a body that wait to be taken.
const BODY_CHUNKS: usize = 15;

/// Bytes that each of them may have.
const BODY_CHUNK_BYTES: usize = 16 * 1024;

/// What was refused and whether anything left, filled by the tasks that send requests.
#[derive(Default)]
struct Traffic {
    denials: Mutex<Vec<Denial>>,
    sent: AtomicBool,
}

impl Traffic {
    fn deny(&self, denial: Denial) {
        let mut denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        if denials.len() < MAX_DENIALS && !denials.contains(&denial) {
            denials.push(denial);
        }
    }
}

/// Where the outgoing requests of one call pass, and how `wasi:http` is set up otherwise.
pub(super) struct Gate {
    policy: Arc<dyn OutgoingPolicy>,
    /// Absent as long as the guest asks for nothing.
    traffic: Option<Arc<Traffic>>,
}

impl Gate {
    /// A gate that asks `policy`.
    pub(super) fn new(policy: Arc<dyn OutgoingPolicy>) -> Self {
        Self { policy, traffic: None }
    }

    /// What was refused so far, and whether a request left.
    pub(super) fn record(&self) -> (Vec<Denial>, bool) {
        match &self.traffic {
            None => (Vec::new(), false),
            Some(traffic) => {
                let denials = traffic.denials.lock().unwrap_or_else(PoisonError::into_inner).clone();
                (denials, traffic.sent.load(Ordering::Acquire))
            }
        }
    }

    fn traffic(&mut self) -> &Arc<Traffic> {
        self.traffic.get_or_insert_with(Arc::default)
    }

    /// Asks whether a request may be sent, before anything is done for it.
    fn admit(&mut self, target: Result<Target, TargetError>) -> Result<(), ErrorCode> {
        let denial = match target {
            Ok(target) => match self.policy.check(&target) {
                Ok(()) => return Ok(()),
                Err(reason) => Denial { target, reason },
            },
            Err(TargetError::NoHost | TargetError::NoScheme) => Denial {
                target: Target { scheme: "https".to_owned(), host: String::new(), port: 443 },
                reason: DenialReason::NotGranted,
            },
            Err(TargetError::UserInformation | TargetError::Port) => return Err(ErrorCode::HttpRequestUriInvalid),
        };
        self.traffic().deny(denial);
        Err(ErrorCode::HttpRequestDenied)
    }
}

/// The interface whose one function is [`handle`], in the version that wasmtime links.
pub(super) const OUTGOING_HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

/// What is left of a guest's request: the response that will come, or why there is none.
type Handled = Result<Resource<HostFutureIncomingResponse>, ErrorCode>;

/// Sends a request of the guest if it may be sent. Refused ones fail here, and not when the guest
/// asks for the response.
pub(super) fn handle(
    mut store: StoreContextMut<'_, HostState>,
    (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>),
) -> wasmtime::Result<(Handled,)> {
    let state = store.data_mut();
    let wanted = state.table.get(&request)?;
    let refused = if matches!(wanted.method, Method::Connect) {
        // It would make the other side a proxy to somewhere that nobody was asked about.
        Some(ErrorCode::HttpRequestMethodInvalid)
    } else {
        let target = target(wanted);
        state.gate.admit(target).err()
    };
    if let Some(code) = refused {
        state.table.delete(request)?;
        return Ok((Err(code),));
    }
    // Without a path it is the root that is meant; wasmtime would call the URI invalid.
    state.table.get_mut(&request)?.path_with_query.get_or_insert_with(|| "/".to_owned());
    match outgoing_handler::Host::handle(&mut state.http(), request, options) {
        Ok(response) => Ok((Ok(response),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}

/// Whom a request of a guest is for. Without a scheme it is `https`.
fn target(request: &HostOutgoingRequest) -> Result<Target, TargetError> {
    let scheme = match &request.scheme {
        None | Some(Scheme::Https) => "https",
        Some(Scheme::Http) => "http",
        Some(Scheme::Other(scheme)) => scheme.as_str(),
    };
    let authority = request.authority.as_deref().ok_or(TargetError::NoHost)?;
    Target::new(scheme, &authority.parse().map_err(|_| TargetError::Port)?)
}

/// A future that drives a connection.
type Driver = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Gate {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Driver,
    ) -> Box<dyn Future<Output = HttpOutput<(http::Response<WasiBody>, Driver)>> + Send> {
        let policy = Arc::clone(&self.policy);
        let traffic = Arc::clone(self.traffic());
        Box::new(send(request, options.unwrap_or_default(), policy, traffic))
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        BODY_CHUNKS
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }
}

/// Headers that belong to the connection, which is the host's. The same as wasmtime's own list,
/// which it would build anew for every header.
fn is_forbidden(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "host"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Sends a request that was admitted, and returns when the head of its response is there.
async fn send(
    mut request: http::Request<WasiBody>,
    options: RequestOptions,
    policy: Arc<dyn OutgoingPolicy>,
    traffic: Arc<Traffic>,
) -> HttpOutput<(http::Response<WasiBody>, Driver)> {
    let target = Target::of(request.uri()).map_err(|_| Error::HttpRequestUriInvalid)?;
    client::to_origin_form(&mut request, &target).map_err(|_| Error::HttpRequestUriInvalid)?;

    let patience = options.connect_timeout.unwrap_or(DEFAULT_TIMEOUT);
    let stream = match timeout(patience, client::connect(&target, &*policy)).await {
        Err(_) => return Err(Error::ConnectionTimeout),
        Ok(Err(error)) => return Err(translate(error, &traffic)),
        Ok(Ok(stream)) => stream,
    };
    let (mut sender, connection) = client::handshake::<WasiBody>(stream).await.map_err(Error::from)?;
    traffic.sent.store(true, Ordering::Release);

    let mut connection = Box::pin(connection);
    let mut ended = false;
    let patience = options.first_byte_timeout.unwrap_or(DEFAULT_TIMEOUT);
    let response = timeout(patience, async {
        let mut response = pin!(sender.send_request(request));
        std::future::poll_fn(|context| {
            if let Poll::Ready(response) = response.as_mut().poll(context) {
                return Poll::Ready(response);
            }
            // A connection that ends has settled the response, one way or the other.
            if !ended && connection.as_mut().poll(context).is_ready() {
                ended = true;
                return response.as_mut().poll(context);
            }
            Poll::Pending
        })
        .await
    })
    .await
    .map_err(|_| Error::ConnectionReadTimeout)??;

    let patience = options.between_bytes_timeout.unwrap_or(DEFAULT_TIMEOUT);
    let response = response.map(|body| Paced::new(body, patience).boxed_unsync());
    let driver: Driver = Box::new(async move { if ended { Ok(()) } else { connection.await.map_err(Error::from) } });
    Ok((response, driver))
}

/// What the guest is told when a connection could not be made.
fn translate(error: FetchError, traffic: &Traffic) -> Error {
    match error {
        FetchError::Denied(denial) => {
            traffic.deny(denial);
            Error::HttpRequestDenied
        }
        FetchError::Target(_) => Error::HttpRequestUriInvalid,
        FetchError::Scheme { .. } => Error::HttpProtocolError,
        FetchError::Method { .. } => Error::HttpRequestMethodInvalid,
        FetchError::Resolve { .. } => {
            Error::DnsError { rcode: Some("address not available".to_owned()), info_code: None }
        }
        FetchError::Connect { .. } => Error::ConnectionRefused,
        FetchError::Tls { certificate: true, .. } => Error::TlsCertificateError,
        FetchError::Tls { certificate: false, .. } => Error::TlsProtocolError,
        FetchError::Timeout { .. } => Error::ConnectionTimeout,
        FetchError::Exchange { .. } => Error::HttpProtocolError,
        FetchError::TooLarge { limit } => Error::HttpResponseBodySize(Some(limit)),
    }
}

/// The body of a response, which fails when nothing comes for too long.
struct Paced {
    body: Incoming,
    patience: Duration,
    /// Runs while something is waited for.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    fn new(body: Incoming, patience: Duration) -> Self {
        Self { body, patience, pause: None }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.pause = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        let patience = this.patience;
        let pause = this.pause.get_or_insert_with(|| {
            let now = Instant::now();
            Box::pin(tokio::time::sleep_until(now.checked_add(patience).unwrap_or(now + DEFAULT_TIMEOUT)))
        });
        ready!(pause.as_mut().poll(context));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::http::policy::DenyAll;
    use wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS;

    #[test]
    fn the_connections_headers_are_those_of_wasmtime() {
        // The number is part of the comparison: wasmtime must not forbid more.
        assert_eq!(DEFAULT_FORBIDDEN_HEADERS.map(|name| is_forbidden(&name)), [true; 9]);
        assert!(!is_forbidden(&http::header::CONTENT_TYPE));
    }

    fn target_of(host: &str) -> Target {
        Target { scheme: "http".to_owned(), host: host.to_owned(), port: 80 }
    }

    #[test]
    fn denials_are_noted_once_and_bounded() {
        let mut gate = Gate::new(Arc::new(DenyAll));
        assert_eq!(gate.record(), (Vec::new(), false));
        for _ in 0..3 {
            assert!(matches!(gate.admit(Ok(target_of("a.example"))), Err(ErrorCode::HttpRequestDenied)));
        }
        assert_eq!(gate.record().0, [Denial { target: target_of("a.example"), reason: DenialReason::NotGranted }]);
        for number in 0..2 * MAX_DENIALS {
            assert!(gate.admit(Ok(target_of(&format!("{number}.example")))).is_err());
        }
        assert_eq!(gate.record().0.len(), MAX_DENIALS);
        assert!(!gate.record().1);
    }

    #[test]
    fn a_request_without_a_host_is_denied_and_a_broken_one_invalid() {
        let mut gate = Gate::new(Arc::new(DenyAll));
        assert!(matches!(gate.admit(Err(TargetError::NoHost)), Err(ErrorCode::HttpRequestDenied)));
        assert_eq!(gate.record().0.len(), 1);
        assert!(matches!(gate.admit(Err(TargetError::UserInformation)), Err(ErrorCode::HttpRequestUriInvalid)));
        assert_eq!(gate.record().0.len(), 1);
    }
}
