//! Envelopes: where requests of a reducer come from, and what becomes of its responses.

use super::headers::belongs_to_the_connection;
use super::payload::{self, PayloadError};
use super::steps::Request;
use crate::contract::Contract;
use crate::contract::validate::violations;
use crate::report::{Code, Diag, Severity};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use x07_wasm_contracts::types::{
    HttpRequestEnvelope, HttpResponseEnvelope, HttpServeReportResponseSummary as Summary, StreamPayload,
};

const REQUEST_VERSION: &str = "x07.http.request.envelope@0.1.0";
const RESPONSE_VERSION: &str = "x07.http.response.envelope@0.1.0";

/// The request of the canary mode.
#[must_use]
pub fn canary() -> Request {
    let envelope = json!({
        "schema_version": REQUEST_VERSION,
        "id": "req0",
        "method": "GET",
        "path": "/",
        "headers": [],
        "body": { "bytes_len": 0 },
    });
    Request { id: "req0".to_owned(), envelope }
}

/// An HTTP request that no reducer is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The status of the answer.
    pub status: StatusCode,
    /// Why, for whoever reads the answer.
    pub reason: String,
}

impl Refused {
    fn bad(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, reason: reason.into() }
    }

    /// The answer.
    #[must_use]
    pub fn response(&self) -> Response<Bytes> {
        text(self.status, &self.reason)
    }
}

/// The envelope of an HTTP request. Headers are sorted by name and value, so that a program sees the
/// same document for the same request.
///
/// # Errors
/// The request does not fit into an envelope: 431 for headers that are too long or too many, 414 for
/// a target that is too long, else 400.
pub fn of_http(request: &http::Request<Bytes>, id: &str) -> Result<Request, Refused> {
    let mut headers = Vec::with_capacity(request.headers().len());
    for (name, value) in request.headers() {
        let value = std::str::from_utf8(value.as_bytes())
            .map_err(|_| Refused::bad(format!("the value of the header {name} is not text")))?;
        headers.push((name.as_str(), value));
    }
    headers.sort_unstable();
    let headers: Vec<Value> = headers.into_iter().map(|(k, v)| json!({ "k": k, "v": v })).collect();
    let mut envelope = json!({
        "schema_version": REQUEST_VERSION,
        "id": id,
        "method": request.method().as_str(),
        "path": request.uri().path(),
        "headers": headers,
        "body": payload::encode(request.body()),
    });
    if let (Some(query), Some(members)) = (request.uri().query(), envelope.as_object_mut()) {
        members.insert("query".to_owned(), query.into());
    }
    // The rules of an envelope stand in its schema, and nowhere else.
    match violations(HttpRequestEnvelope::INFO, &envelope).first() {
        None => Ok(Request { id: id.to_owned(), envelope }),
        Some(first) => {
            let too_long = matches!(first.rule.as_str(), "maxLength" | "maxItems");
            let status = match first.pointer.split('/').nth(1) {
                Some("headers") if too_long => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                Some("path" | "query") if too_long => StatusCode::URI_TOO_LONG,
                _ => StatusCode::BAD_REQUEST,
            };
            Err(Refused {
                status,
                reason: format!("the request cannot be handled: {}: {}", first.pointer, first.message),
            })
        }
    }
}

/// What a report says about a response, and why its body does not decode, if so; it then counts as
/// empty.
#[must_use]
pub fn summary(response: &HttpResponseEnvelope) -> (Summary, Option<PayloadError>) {
    let decoded = payload::decode(&response.body);
    let summary = Summary {
        status: response.status,
        headers_count: response.headers.len() as u64,
        body_bytes: decoded.as_ref().map_or(0, |bytes| bytes.len() as u64),
    };
    (summary, decoded.err())
}

/// What a report says where there is no response.
#[must_use]
pub fn no_summary(status: StatusCode) -> Summary {
    Summary { status: status.as_u16(), headers_count: 0, body_bytes: 0 }
}

/// The diagnostic of a body that does not decode. It is a warning as long as nobody needs the bytes.
#[must_use]
pub fn undecodable(request_id: &str, error: &PayloadError) -> Diag {
    let message = format!("the body of the response to the request {request_id} does not decode: {error}");
    Diag::new(Code::HttpServeResponseBodyInvalid, message).data("request_id", request_id)
}

/// The envelope that stands for a response where there is none.
#[must_use]
pub fn no_response(request_id: &str) -> HttpResponseEnvelope {
    HttpResponseEnvelope {
        schema_version: RESPONSE_VERSION.to_owned(),
        request_id: request_id.to_owned(),
        status: StatusCode::INTERNAL_SERVER_ERROR.as_u16(),
        headers: Vec::new(),
        body: StreamPayload { bytes_len: 0, text: None, base64: None },
    }
}

/// The HTTP response of an envelope. Headers about the connection or the length are left out: the
/// server sets them.
///
/// # Errors
/// What the reducer has to correct.
pub fn to_http(response: &HttpResponseEnvelope) -> Result<Response<Bytes>, Diag> {
    let id = response.request_id.as_str();
    let invalid = |what: String| {
        let message = format!("the response to the request {id} cannot be sent: {what}");
        Diag::new(Code::HttpServeResponseInvalid, message).data("request_id", id)
    };
    let body = payload::decode(&response.body).map_err(|e| undecodable(id, &e).severity(Severity::Error))?;
    let status = StatusCode::from_u16(response.status)
        .ok()
        .filter(|status| !status.is_informational())
        .ok_or_else(|| invalid(format!("{} is no status of a final response; use 200 to 599", response.status)))?;
    let has_body = !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    let mut made = Response::new(if has_body { Bytes::from(body) } else { Bytes::new() });
    *made.status_mut() = status;
    for header in response.headers.iter().filter(|h| !belongs_to_the_connection(&h.k)) {
        let name = HeaderName::from_bytes(header.k.as_bytes())
            .map_err(|_| invalid(format!("{:?} is no name of a header", header.k)))?;
        let value = HeaderValue::from_bytes(header.v.as_bytes()).map_err(|_| {
            invalid(format!("the value of the header {:?} holds a control character; remove it", header.k))
        })?;
        made.headers_mut().append(name, value);
    }
    Ok(made)
}

/// The answer to a request that the reducer failed on. Why is told in the report.
#[must_use]
pub fn internal_error() -> Response<Bytes> {
    text(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
}

fn text(status: StatusCode, message: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(format!("{message}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use x07_wasm_contracts::types::Header;

    fn request(method: &str, target: &str, headers: &[(&str, &[u8])], body: &'static [u8]) -> http::Request<Bytes> {
        let mut request = http::Request::new(Bytes::from_static(body));
        *request.method_mut() = method.parse().expect("a method");
        *request.uri_mut() = target.parse().expect("a target");
        for (name, value) in headers {
            request.headers_mut().append(
                HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                HeaderValue::from_bytes(value).expect("a value"),
            );
        }
        request
    }

    fn status(method: &str, target: &str, headers: &[(&str, &[u8])]) -> u16 {
        match of_http(&request(method, target, headers, b""), "req0") {
            Ok(_) => 200,
            Err(refused) => refused.status.as_u16(),
        }
    }

    #[test]
    fn the_canary_is_a_valid_request() {
        assert_eq!(violations(HttpRequestEnvelope::INFO, &canary().envelope), []);
    }

    #[test]
    fn a_request_becomes_a_document() {
        let headers: [(&str, &[u8]); 3] = [("x", b"2"), ("accept", "é".as_bytes()), ("x", b"1")];
        let made = of_http(&request("POST", "/a%20b?q=1&r", &headers, b"hi"), "abc").expect("an envelope").envelope;
        assert_eq!((made["id"].as_str(), made["path"].as_str()), (Some("abc"), Some("/a%20b")));
        assert_eq!((made["query"].as_str(), made["method"].as_str()), (Some("q=1&r"), Some("POST")));
        assert_eq!(made["headers"], json!([{"k": "accept", "v": "é"}, {"k": "x", "v": "1"}, {"k": "x", "v": "2"}]));
        assert_eq!(made["body"], json!({"bytes_len": 2, "text": "hi", "base64": "aGk="}));
        let plain = of_http(&request("GET", "/", &[], b"\xff"), "r").expect("an envelope").envelope;
        assert_eq!((plain.get("query"), plain["body"].get("text")), (None, None));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_status() {
        let long = vec![b'v'; 4097];
        let many: Vec<(&str, &[u8])> = vec![("x", &b"1"[..]); 257];
        let name = "n".repeat(65);
        assert_eq!(status("GET", "/", &[("x", &long[1..])]), 200);
        assert_eq!(status("GET", "/", &[("x", &long)]), 431);
        assert_eq!(status("GET", "/", &[(&name, b"1")]), 431);
        assert_eq!(status("GET", "/", &many), 431);
        assert_eq!(status("GET", "/", &[("under_score", b"1")]), 400);
        assert_eq!(status("GET", "/", &[("x", b"\xff")]), 400);
        assert_eq!(status("Get", "/", &[]), 400);
        assert_eq!(status("ABCDEFGHIJKLMNOPQ", "/", &[]), 400);
        assert_eq!(status("OPTIONS", "*", &[]), 400);
        assert_eq!(status("GET", &format!("/{}", "p".repeat(4096)), &[]), 414);
        assert_eq!(status("GET", &format!("/?{}", "q".repeat(4097)), &[]), 414);
    }

    fn response(status: u16, headers: &[(&str, &str)], body: StreamPayload) -> HttpResponseEnvelope {
        let headers = headers.iter().map(|(k, v)| Header { k: (*k).to_owned(), v: (*v).to_owned() }).collect();
        HttpResponseEnvelope { status, headers, body, ..no_response("req0") }
    }

    #[test]
    fn a_document_becomes_a_response() {
        let headers =
            [("Content-Type", "text/plain"), ("content-length", "99"), ("Transfer-Encoding", "chunked"), ("x", "é")];
        let made = to_http(&response(201, &headers, payload::encode(b"hi"))).expect("a response");
        let names: Vec<&str> = made.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!((made.status().as_u16(), names), (201, vec!["content-type", "x"]));
        assert_eq!(&made.body()[..], b"hi");
        let empty = to_http(&response(204, &[], payload::encode(b"hi"))).expect("a response");
        assert!(empty.body().is_empty());
    }

    #[test]
    fn a_response_that_cannot_be_sent_is_explained() {
        let code = |response: &HttpResponseEnvelope| {
            let diag = to_http(response).expect_err("refused").build();
            assert_eq!(diag.severity, Severity::Error);
            diag.code
        };
        let body = || payload::encode(b"hi");
        assert_eq!(code(&response(101, &[], body())), "X07WASM_HTTP_SERVE_RESPONSE_INVALID");
        assert_eq!(code(&response(200, &[("x", "a\r\nset-cookie: b")], body())), "X07WASM_HTTP_SERVE_RESPONSE_INVALID");
        let broken = StreamPayload { bytes_len: 3, ..body() };
        assert_eq!(code(&response(200, &[], broken.clone())), "X07WASM_HTTP_SERVE_RESPONSE_BODY_INVALID");
        let (summary, error) = summary(&response(200, &[], broken));
        assert_eq!((summary.body_bytes, error.is_some()), (0, true));
    }
}
