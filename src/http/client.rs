//! Outgoing requests: HTTP/1.1, one request a connection, and every step of it guarded.
//!
//! A name is resolved once, each of its addresses is put to the policy, and the connection goes to
//! one of those very addresses: whoever answers the name query a second time changes nothing.
//! Redirects are not followed, because the next target would have to be asked about by the program
//! that wanted the first. Certificates are judged by the roots that the tool carries.

use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HOST};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

pub use super::policy::{Denial, DenialReason, DenyAll, OutgoingPolicy, Target, TargetError};

/// Headers that a response may have.
const MAX_RESPONSE_HEADERS: usize = 256;

/// Bytes that the head of a response may have.
const MAX_RESPONSE_HEAD_BYTES: usize = 64 * 1024;

/// Headers of a request that say how its body travels, which is decided here.
const CONNECTION_HEADERS: [&str; 8] =
    ["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// What one request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// Milliseconds from the first step to the last byte.
    pub timeout_ms: u64,
    /// Bytes that the body of the response may have.
    pub max_response_bytes: u64,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The URI names nobody that a request can go to.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The scheme is neither `http` nor `https`.
    #[error("requests of the scheme `{scheme}` cannot be sent, only http and https")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// The method cannot be used in a request of its own.
    #[error("the method {method} cannot be sent")]
    Method {
        /// The method.
        method: String,
    },
    /// The policy refused.
    #[error("{0}")]
    Denied(Denial),
    /// The name has no address.
    #[error("the host `{host}` cannot be resolved: {reason}")]
    Resolve {
        /// The host.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// No address could be connected to.
    #[error("{target} cannot be reached: {reason}")]
    Connect {
        /// Whom the request was for.
        target: Target,
        /// What the system said about the last address.
        reason: String,
    },
    /// The connection could not be secured.
    #[error("no secure connection to {target}: {reason}")]
    Tls {
        /// Whom the request was for.
        target: Target,
        /// What is wrong.
        reason: String,
        /// Whether it is the other side's certificate.
        certificate: bool,
    },
    /// It took too long.
    #[error("there was no complete response within {ms} ms")]
    Timeout {
        /// The limit in milliseconds.
        ms: u64,
    },
    /// What came over the connection was no response, or no whole one.
    #[error("{target} gave no valid response: {reason}")]
    Exchange {
        /// Whom the request was for.
        target: Target,
        /// What is wrong.
        reason: String,
    },
    /// The response is too long.
    #[error("the response is longer than the limit of {limit} bytes")]
    TooLarge {
        /// Bytes that its body may have.
        limit: u64,
    },
}

/// Sends a request and waits for the whole response. Its URI says where to; its headers `host` and
/// those that belong to the connection are replaced.
///
/// # Errors
///
/// See [`FetchError`].
pub async fn fetch(
    request: Request<Bytes>,
    policy: &dyn OutgoingPolicy,
    limits: FetchLimits,
) -> Result<Response<Bytes>, FetchError> {
    fetch_noting(request, policy, limits, &AtomicBool::new(false)).await
}

/// The same as [`fetch`]; `sent` is set once there is a connection and the request goes out on it.
///
/// # Errors
///
/// See [`FetchError`].
pub async fn fetch_noting(
    request: Request<Bytes>,
    policy: &dyn OutgoingPolicy,
    limits: FetchLimits,
    sent: &AtomicBool,
) -> Result<Response<Bytes>, FetchError> {
    let ms = limits.timeout_ms;
    let exchange = exchange(request, policy, limits.max_response_bytes, sent);
    tokio::time::timeout(Duration::from_millis(ms), exchange).await.unwrap_or(Err(FetchError::Timeout { ms }))
}

async fn exchange(
    mut request: Request<Bytes>,
    policy: &dyn OutgoingPolicy,
    max_bytes: u64,
    sent: &AtomicBool,
) -> Result<Response<Bytes>, FetchError> {
    let target = Target::of(request.uri())?;
    policy.check(&target).map_err(|reason| FetchError::Denied(Denial { target: target.clone(), reason }))?;
    if request.method() == Method::CONNECT {
        return Err(FetchError::Method { method: request.method().to_string() });
    }
    for name in CONNECTION_HEADERS {
        request.headers_mut().remove(name);
    }
    to_origin_form(&mut request, &target)?;
    let bodiless = request.method() == Method::HEAD;

    let stream = connect(&target, policy).await?;
    let broken = |error: hyper::Error| FetchError::Exchange { target: target.clone(), reason: causes(&error) };
    let (mut sender, connection) = handshake::<Full<Bytes>>(stream).await.map_err(broken)?;
    sent.store(true, Ordering::Relaxed);
    let mut connection = pin!(connection);
    let mut response = pin!(async {
        let response = sender.send_request(request.map(Full::new)).await.map_err(broken)?;
        collect(response, max_bytes, bodiless, &target).await
    });
    tokio::select! {
        biased;
        response = &mut response => response,
        // All that will come has come; whether that is enough, the response knows.
        _ = &mut connection => response.await,
    }
}

/// Takes the whole body of a response.
async fn collect(
    response: Response<Incoming>,
    max_bytes: u64,
    bodiless: bool,
    target: &Target,
) -> Result<Response<Bytes>, FetchError> {
    let too_large = || FetchError::TooLarge { limit: max_bytes };
    let (parts, mut body) = response.into_parts();
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if !bodiless && declared.is_some_and(|length| length > max_bytes) {
        return Err(too_large());
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| FetchError::Exchange { target: target.clone(), reason: causes(&error) })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let length = whole.len().saturating_add(data.len());
        if u64::try_from(length).unwrap_or(u64::MAX) > max_bytes {
            return Err(too_large());
        }
        whole.extend_from_slice(&data);
    }
    Ok(Response::from_parts(parts, whole.freeze()))
}

/// Something that bytes go in and come out of.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection, secured if its target wants that.
pub(crate) type Stream = Box<dyn Io>;

/// Resolves a target, asks about each address, and connects. How long that may take is the
/// caller's business. The policy has been asked about the target itself.
pub(crate) async fn connect(target: &Target, policy: &dyn OutgoingPolicy) -> Result<Stream, FetchError> {
    if target.scheme != "http" && target.scheme != "https" {
        return Err(FetchError::Scheme { scheme: target.scheme.clone() });
    }
    let addresses = resolve(target).await?;
    for address in &addresses {
        policy
            .check_address(target, address.ip().to_canonical())
            .map_err(|reason| FetchError::Denied(Denial { target: target.clone(), reason }))?;
    }
    let stream = dial(target, &addresses).await?;
    if target.is_secure() { secure(target, stream).await } else { Ok(Box::new(stream)) }
}

/// The addresses of a host, at least one.
async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, FetchError> {
    if let Ok(address) = target.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, target.port)]);
    }
    let unresolved = |reason: String| FetchError::Resolve { host: target.host.clone(), reason };
    let found = tokio::net::lookup_host((target.host.as_str(), target.port));
    let addresses: Vec<SocketAddr> = found.await.map_err(|error| unresolved(error.to_string()))?.collect();
    if addresses.is_empty() {
        return Err(unresolved("it has no address".to_owned()));
    }
    Ok(addresses)
}

/// Connects to the first address that answers.
async fn dial(target: &Target, addresses: &[SocketAddr]) -> Result<TcpStream, FetchError> {
    let mut reason = String::new();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Only speed depends on it.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => reason = error.to_string(),
        }
    }
    Err(FetchError::Connect { target: target.clone(), reason })
}

/// Puts TLS on a connection.
async fn secure(target: &Target, stream: TcpStream) -> Result<Stream, FetchError> {
    let failed = |reason: String, certificate| FetchError::Tls { target: target.clone(), reason, certificate };
    let name = match target.host.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        Err(_) => ServerName::try_from(target.host.clone()).map_err(|error| failed(error.to_string(), false))?,
    };
    let config = tls_config().map_err(|reason| failed(reason, false))?;
    let secured = TlsConnector::from(config).connect(name, stream).await.map_err(|error| {
        let certificate = is_certificate_error(&error);
        failed(error.to_string(), certificate)
    })?;
    Ok(Box::new(secured))
}

/// The set-up of TLS, made once: it holds all roots.
fn tls_config() -> Result<Arc<ClientConfig>, String> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    CONFIG
        .get_or_init(|| {
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let mut config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?
                .with_root_certificates(roots)
                .with_no_client_auth();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok(Arc::new(config))
        })
        .clone()
}

fn is_certificate_error(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}

/// Begins HTTP/1.1 on a connection. The second part has to be polled for anything to happen.
pub(crate) async fn handshake<B>(
    stream: Stream,
) -> Result<(SendRequest<B>, Connection<TokioIo<Stream>, B>), hyper::Error>
where
    B: Body + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    Builder::new()
        .max_headers(MAX_RESPONSE_HEADERS)
        .max_header_size(MAX_RESPONSE_HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
}

/// Gives a request the form that it has on a connection to its target: the URI without scheme and
/// host, which become the header `host`.
pub(crate) fn to_origin_form<B>(request: &mut Request<B>, target: &Target) -> Result<(), FetchError> {
    let invalid = |reason: String| FetchError::Exchange { target: target.clone(), reason };
    let given = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let path = if given.starts_with('/') { given.to_owned() } else { format!("/{given}") };
    let path = PathAndQuery::try_from(path).map_err(|error| invalid(error.to_string()))?;
    let host = HeaderValue::try_from(target.host_header()).map_err(|error| invalid(error.to_string()))?;
    *request.uri_mut() = Uri::from(path);
    request.headers_mut().insert(HOST, host);
    Ok(())
}

/// An error and what caused it, in one line.
fn causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
