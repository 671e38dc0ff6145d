//! `http.fetch`: an outgoing request of a reducer, if it is allowed.

use super::until::Until;
use super::{headers, payload};
use crate::caps;
use crate::engine::component;
use crate::http::client::{self, FetchError, FetchLimits};
use crate::http::policy::{Denial, DenialReason, OutgoingPolicy, Target};
use crate::report::diagnostic::clip;
use crate::report::{Code, Diag};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use x07_wasm_contracts::types::{HttpEffectHttpFetch, HttpResponseEnvelope};

/// The variable that lists the hosts that may be asked when there is no ops profile.
pub const ALLOW_HOSTS_VARIABLE: &str = "X07_WASM_HTTP_FETCH_ALLOW_HOSTS";
/// Bytes of the body of one answer, whatever the request may still receive: 1 MiB.
pub const MAX_RESPONSE_BYTES: u64 = 1 << 20;
/// How long one request may take at most, in milliseconds.
const TIMEOUT_MS: u64 = 10_000;
/// How often it is looked whether anybody still waits.
const LOOK: Duration = Duration::from_millis(20);
/// Characters of an error that a document can hold.
const MAX_ERROR: usize = 4096;
/// Characters of a URL that a message shows.
const MAX_SHOWN: usize = 200;

/// Hosts that may be asked on any port: exact names, as a variable of the environment lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowHosts {
    hosts: Vec<String>,
}

impl AllowHosts {
    /// Reads a list that is separated by commas. An IPv6 address may stand in brackets, and a name may
    /// end in a dot: both are taken off, as they are from the host of a request.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        let bare = |host: &str| match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(address) => address.to_owned(),
            None => host.strip_suffix('.').unwrap_or(host).to_owned(),
        };
        Self { hosts: list.split(',').map(str::trim).filter(|h| !h.is_empty()).map(bare).collect() }
    }
}

impl OutgoingPolicy for AllowHosts {
    fn check(&self, target: &Target) -> Result<(), DenialReason> {
        if self.hosts.contains(&target.host) { Ok(()) } else { Err(DenialReason::NotGranted) }
    }

    fn check_address(&self, _target: &Target, _address: IpAddr) -> Result<(), DenialReason> {
        Ok(())
    }
}

/// Where the permission to ask comes from; it decides how a refusal is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// The capabilities of an ops profile.
    Capabilities,
    /// The variable [`ALLOW_HOSTS_VARIABLE`].
    Variable,
}

/// Carries out `http.fetch`.
pub struct Fetcher {
    policy: Arc<dyn OutgoingPolicy>,
    rights: Rights,
}

/// What became of one request.
pub struct Fetched {
    /// The answer, or why there is none.
    pub answer: Result<HttpResponseEnvelope, Refused>,
    /// Whether there was a connection, and the request was sent over it.
    pub sent: bool,
    /// Whether it was given up because the time of the whole request is over, or nobody waits.
    pub given_up: bool,
}

/// A request without an answer.
#[derive(Debug)]
pub struct Refused {
    /// What the reducer is told.
    pub error: String,
    /// What the report says.
    pub diag: Diag,
    /// Whether there was an answer, with a body that is too long.
    pub too_large: bool,
}

impl Fetcher {
    /// Requests that a policy allows.
    #[must_use]
    pub fn new(policy: Arc<dyn OutgoingPolicy>, rights: Rights) -> Self {
        Self { policy, rights }
    }

    /// Sends the request and waits for the answer, whose body has at most `max_body_bytes`.
    #[must_use]
    pub fn fetch(&self, effect: &HttpEffectHttpFetch, max_body_bytes: u64, until: Until<'_>) -> Fetched {
        let request = match request_of(effect) {
            Ok(request) => request,
            Err(reason) => return Fetched { answer: Err(failed(effect, &reason)), sent: false, given_up: false },
        };
        let limits = FetchLimits { timeout_ms: TIMEOUT_MS.min(until.left_ms()), max_response_bytes: max_body_bytes };
        let sent = AtomicBool::new(false);
        let exchange = client::fetch_noting(request, &*self.policy, limits, &sent);
        // The runtime of a listener may end before its requests do, so this has one of its own.
        let ended = component::block_on(unless_cancelled(exchange, until));
        let given_up = match &ended {
            None => true,
            Some(Err(FetchError::Timeout { .. })) => until.has_passed(),
            Some(_) => false,
        };
        let answer = match ended {
            None => Err(failed(effect, "nobody waits for the response any more")),
            Some(Ok(response)) => envelope(effect, &response).map_err(|reason| failed(effect, &reason)),
            Some(Err(FetchError::Denied(denial))) => Err(self.denied(effect, &denial)),
            Some(Err(error)) => {
                let too_large = matches!(error, FetchError::TooLarge { .. });
                Err(Refused { too_large, ..failed(effect, &error.to_string()) })
            }
        };
        Fetched { answer, sent: sent.load(Ordering::Relaxed), given_up }
    }

    fn denied(&self, effect: &HttpEffectHttpFetch, denial: &Denial) -> Refused {
        match self.rights {
            Rights::Capabilities => Refused {
                error: "http.fetch denied by capabilities".to_owned(),
                diag: caps::denial_diag(denial, true).data("url", shown(effect)),
                too_large: false,
            },
            Rights::Variable => {
                let reason = format!("{:?} is none of the hosts that {ALLOW_HOSTS_VARIABLE} lists", denial.target.host);
                let mut refused = failed(effect, &reason);
                refused.diag = refused.diag.note("an ops profile, given with --ops, grants hosts as well");
                refused
            }
        }
    }
}

fn failed(effect: &HttpEffectHttpFetch, reason: &str) -> Refused {
    let url = shown(effect);
    let diag = Diag::new(Code::HttpEffectHttpFetchFailed, format!("http.fetch of {url:?} failed: {reason}"));
    let error = clip(format!("http.fetch failed: {reason}"), MAX_ERROR);
    Refused { error, diag: diag.data("url", url), too_large: false }
}

fn shown(effect: &HttpEffectHttpFetch) -> String {
    clip(effect.url.clone(), MAX_SHOWN)
}

/// The output of a future; `None` once nobody waits for it.
async fn unless_cancelled<F: Future>(future: F, until: Until<'_>) -> Option<F::Output> {
    let cancelled = async {
        while !until.is_cancelled() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        biased;
        output = future => Some(output),
        () = cancelled => None,
    }
}

/// The request that an effect describes, or what is wrong with it. Headers that HTTP does not allow
/// and those of the connection are left out.
fn request_of(effect: &HttpEffectHttpFetch) -> Result<Request<Bytes>, String> {
    let uri = effect.url.parse::<Uri>().map_err(|error| format!("the URL is not valid: {error}"))?;
    let target = Target::of(&uri).map_err(|error| error.to_string())?;
    if !matches!(target.scheme.as_str(), "http" | "https") {
        return Err(format!("the scheme {:?} is not supported; use http or https", target.scheme));
    }
    let method = Method::from_bytes(effect.method.as_bytes()).map_err(|error| error.to_string())?;
    if method == Method::CONNECT {
        return Err("CONNECT opens a tunnel, which no check could look into; use another method".to_owned());
    }
    let body = payload::decode(&effect.body).map_err(|error| format!("the body of the request: {error}"))?;
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    for header in effect.headers.iter().filter(|h| !headers::belongs_to_the_connection(&h.k)) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(header.k.as_bytes()), HeaderValue::from_str(&header.v)) {
            request.headers_mut().append(name, value);
        }
    }
    Ok(request)
}

/// The answer as a document, or why it is none.
fn envelope(effect: &HttpEffectHttpFetch, response: &Response<Bytes>) -> Result<HttpResponseEnvelope, String> {
    let status = response.status().as_u16();
    if status > 599 {
        return Err(format!("the server answered with the status {status}, which is outside 100 to 599"));
    }
    Ok(HttpResponseEnvelope {
        schema_version: "x07.http.response.envelope@0.1.0".to_owned(),
        request_id: effect.id.clone(),
        status,
        headers: headers::listed(response.headers()),
        body: payload::encode(response.body()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use x07_wasm_contracts::types::{Header, StreamPayload};

    fn effect(method: &str, url: &str) -> HttpEffectHttpFetch {
        HttpEffectHttpFetch {
            id: "f".to_owned(),
            type_: "http.fetch".to_owned(),
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: StreamPayload { bytes_len: 0, text: None, base64: None },
        }
    }

    fn refused(method: &str, url: &str) -> String {
        request_of(&effect(method, url)).err().unwrap_or_default()
    }

    #[test]
    fn urls_that_cannot_be_asked_are_refused() {
        for (url, why) in [
            ("", "not valid"),
            ("http://exa mple.com/", "not valid"),
            ("example.com", "no scheme"),
            ("/path", "no scheme"),
            ("ftp://example.com/", "not supported"),
            ("http://user:secret@example.com/", "user information"),
            ("http://example.com:99999/", "port"),
        ] {
            let reason = refused("GET", url);
            assert!(reason.contains(why), "{url}: {reason}");
        }
        for url in ["http://", "http:///path", "file:///etc/passwd", "http://./"] {
            assert_ne!(refused("GET", url), "", "{url}");
        }
        assert!(refused("CONNECT", "http://example.com/").contains("tunnel"));
        assert_eq!(refused("GET", "HTTPS://example.com:8443/a?b#c"), "");
    }

    #[test]
    fn headers_of_the_connection_are_left_to_the_client() {
        let mut effect = effect("POST", "http://example.com/");
        effect.body = StreamPayload { bytes_len: 2, text: Some("hi".to_owned()), base64: None };
        effect.headers = [("Accept", "a"), ("accept", "b"), ("Host", "other"), ("content-length", "9"), ("x", "a\nb")]
            .iter()
            .map(|(k, v)| Header { k: (*k).to_owned(), v: (*v).to_owned() })
            .collect();
        let request = request_of(&effect).expect("a request");
        let sent: Vec<(&str, &[u8])> = request.headers().iter().map(|(k, v)| (k.as_str(), v.as_bytes())).collect();
        assert_eq!(sent, [("accept", &b"a"[..]), ("accept", b"b")]);
        assert_eq!((request.method().as_str(), &request.body()[..]), ("POST", &b"hi"[..]));
        effect.body.bytes_len = 3;
        assert!(request_of(&effect).is_err_and(|reason| reason.contains("bytes_len")));
    }

    #[test]
    fn hosts_of_the_variable_are_exact_and_ports_are_free() {
        let policy = AllowHosts::parse(" example.com., ,[::1],Localhost ");
        let ask = |host: &str, port: u16| {
            policy.check(&Target { scheme: "http".to_owned(), host: host.to_owned(), port }).is_ok()
        };
        assert!(ask("example.com", 80) && ask("example.com", 8080) && ask("::1", 80));
        for host in ["www.example.com", "example.com.evil", "EXAMPLE.com", "localhost", "", "[::1]"] {
            assert!(!ask(host, 80), "{host}");
        }
        assert_eq!(AllowHosts::parse(""), AllowHosts::default());
    }

    #[test]
    fn an_answer_is_a_valid_envelope() {
        let mut response = Response::new(Bytes::from_static(b"pong"));
        response.headers_mut().append("content-type", HeaderValue::from_static("text/plain"));
        let made = envelope(&effect("GET", "http://example.com/"), &response).expect("an envelope");
        assert_eq!((made.request_id.as_str(), made.status, made.headers.len()), ("f", 200, 1));
        assert_eq!(payload::decode(&made.body).as_deref(), Ok(&b"pong"[..]));
        *response.status_mut() = http::StatusCode::from_u16(700).expect("a status");
        assert!(envelope(&effect("GET", "http://example.com/"), &response).is_err());
    }

    #[test]
    fn without_a_grant_nothing_is_sent() {
        let fetcher = Fetcher::new(Arc::new(AllowHosts::default()), Rights::Variable);
        let nobody_leaves = AtomicBool::new(false);
        let until = Until::within(60_000, &nobody_leaves);
        let fetched = fetcher.fetch(&effect("GET", "http://example.com/"), MAX_RESPONSE_BYTES, until);
        let refused = fetched.answer.expect_err("refused");
        assert!(!fetched.sent && !fetched.given_up);
        assert!(refused.error.contains(ALLOW_HOSTS_VARIABLE), "{}", refused.error);
        assert_eq!(refused.diag.code().map(Code::as_str), Some("X07WASM_HTTP_EFFECT_HTTP_FETCH_FAILED"));
    }

    #[test]
    fn it_waits_no_longer_than_anybody_waits_for_it() {
        // It takes connections and never answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", silent.local_addr().expect("an address"));
        let fetcher = Fetcher::new(Arc::new(AllowHosts::parse("127.0.0.1")), Rights::Variable);
        let gone = AtomicBool::new(true);
        let fetched = fetcher.fetch(&effect("GET", &url), MAX_RESPONSE_BYTES, Until::within(60_000, &gone));
        assert!(fetched.given_up && fetched.answer.is_err());
        let nobody_leaves = AtomicBool::new(false);
        let fetched = fetcher.fetch(&effect("GET", &url), MAX_RESPONSE_BYTES, Until::within(100, &nobody_leaves));
        assert!(fetched.given_up && fetched.sent && fetched.answer.is_err());
    }

    #[test]
    fn what_cannot_be_connected_to_was_sent_nothing() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", closed.local_addr().expect("an address"));
        drop(closed);
        let fetcher = Fetcher::new(Arc::new(AllowHosts::parse("127.0.0.1")), Rights::Variable);
        let nobody_leaves = AtomicBool::new(false);
        let until = Until::within(60_000, &nobody_leaves);
        let fetched = fetcher.fetch(&effect("GET", &url), MAX_RESPONSE_BYTES, until);
        assert!(!fetched.sent && !fetched.given_up && fetched.answer.is_err());
    }
}
