//! The request of the canary mode, from the command line.

use crate::contract::files::{Files, MAX_ARTIFACT_BYTES};
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Diag};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use std::path::Path;

/// What the command line says about the request.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// `--method`: any token.
    pub method: &'a str,
    /// `--path`: path and query, or a whole URI.
    pub path: &'a str,
    /// `--header`: `name: value` each.
    pub headers: &'a [String],
    /// `--request-body`: nothing, `hex:…`, `b64:…` or `@file`.
    pub body: &'a str,
}

/// A request that can be made any number of times.
#[derive(Clone, Debug)]
pub struct Template {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Template {
    /// Reads what is wanted.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(files: &mut Files, wanted: Wanted<'_>) -> Result<Self, Vec<Diag>> {
        let mut problems = Vec::new();
        let mut good = |part: Result<(), Diag>| problems.extend(part.err());
        let (mut method, mut uri, mut headers, mut body) = Default::default();
        good(read_method(wanted.method).map(|read| method = read));
        good(read_uri(wanted.path).map(|read| uri = read));
        good(read_headers(wanted.headers).map(|read| headers = read));
        good(read_body(files, wanted.body).map(|read| body = read));
        if !problems.is_empty() {
            return Err(problems);
        }
        add_host(&mut headers, &uri);
        Ok(Self { method, uri, headers, body })
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> Request<Bytes> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

fn read_method(text: &str) -> Result<Method, Diag> {
    Method::from_bytes(text.as_bytes()).map_err(|_| {
        Diag::new(Code::ServeMethodInvalid, format!("--method {text:?} is not a method; give a token such as GET"))
            .data("method", text)
    })
}

fn read_uri(text: &str) -> Result<Uri, Diag> {
    let whole = if text.contains("://") {
        text.to_owned()
    } else if text.starts_with('/') {
        format!("http://localhost{text}")
    } else {
        format!("http://localhost/{text}")
    };
    let invalid = |reason: &str| {
        Diag::new(
            Code::ServePathInvalid,
            format!("--path {text:?} does not make a URI: {reason}; percent-encode what a URI cannot hold"),
        )
        .data("path", text)
    };
    let uri: Uri = whole.parse().map_err(|error: http::uri::InvalidUri| invalid(&error.to_string()))?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.host().is_some_and(|host| !host.is_empty()) => Ok(uri),
        _ => Err(invalid("it needs http:// or https:// and a host")),
    }
}

fn read_headers(texts: &[String]) -> Result<HeaderMap, Diag> {
    let mut headers = HeaderMap::new();
    for text in texts {
        let invalid = |what: &str| {
            Diag::new(
                Code::CliArgsInvalid,
                format!("--header {text:?} is not a header: {what}; write it as `name: value`"),
            )
        };
        let (name, value) = text.split_once(':').ok_or_else(|| invalid("there is no colon"))?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| invalid("its name is not a token"))?;
        let value = HeaderValue::from_bytes(value.trim().as_bytes())
            .map_err(|_| invalid("its value holds control characters"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn read_body(files: &mut Files, text: &str) -> Result<Bytes, Diag> {
    let text = text.trim();
    let invalid = |reason: String| {
        Diag::new(
            Code::ServeRequestBodyInvalid,
            format!("--request-body {reason}; give hex:<digits>, b64:<base64> or @<file>, or nothing for no body"),
        )
    };
    if text.is_empty() {
        Ok(Bytes::new())
    } else if let Some(digits) = text.strip_prefix("hex:") {
        hex::decode(digits).map(Bytes::from).map_err(|error| invalid(format!("is not hexadecimal: {error}")))
    } else if let Some(base64) = text.strip_prefix("b64:") {
        STANDARD.decode(base64).map(Bytes::from).map_err(|error| invalid(format!("is not base64: {error}")))
    } else if let Some(path) = text.strip_prefix('@') {
        files
            .read(Path::new(path), MAX_ARTIFACT_BYTES)
            .map(Bytes::from)
            .map_err(|error| unreadable(Code::ServeRequestBodyInvalid, "the body of the request", &error))
    } else {
        Err(invalid("has no prefix that says what it is".to_owned()))
    }
}

/// Every request names its host, in a header unless the user has named one.
fn add_host(headers: &mut HeaderMap, uri: &Uri) {
    let Some(authority) = uri.authority() else { return };
    // A header must not carry what stands before the `@`.
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    if let (false, Ok(value)) = (headers.contains_key(HOST), HeaderValue::from_str(host)) {
        headers.insert(HOST, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, path: &str, headers: &[&str], body: &str) -> Result<Request<Bytes>, Vec<String>> {
        let headers: Vec<String> = headers.iter().map(|h| (*h).to_owned()).collect();
        let wanted = Wanted { method, path, headers: &headers, body };
        match Template::read(&mut Files::default(), wanted) {
            Ok(template) => Ok(template.request()),
            Err(problems) => Err(problems.into_iter().map(|p| p.build().code).collect()),
        }
    }

    #[test]
    fn a_path_becomes_a_uri_of_this_host() {
        for (path, uri, host) in [
            ("/", "http://localhost/", "localhost"),
            ("", "http://localhost/", "localhost"),
            ("a?b=c", "http://localhost/a?b=c", "localhost"),
            ("https://u@example.com:8443/x", "https://u@example.com:8443/x", "example.com:8443"),
        ] {
            let request = read("GET", path, &[], "").expect("a request");
            assert_eq!(request.uri().to_string(), uri);
            assert_eq!(request.headers().get(HOST).map(HeaderValue::as_bytes), Some(host.as_bytes()));
        }
        let named = read("GET", "/", &["Host: other", "a:b", "A: c "], "").expect("a request");
        assert_eq!(named.headers().get_all(HOST).iter().collect::<Vec<_>>(), ["other"]);
        assert_eq!(named.headers().get_all("a").iter().collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn bodies_come_in_three_forms() {
        let body = |text: &str| read("GET", "/", &[], text).map(|r| r.body().to_vec());
        assert_eq!(body("  "), Ok(vec![]));
        assert_eq!(body("hex:00ff"), Ok(vec![0, 255]));
        assert_eq!(body(" b64:AP8= "), Ok(vec![0, 255]));
        let invalid = Err(vec!["X07WASM_SERVE_REQUEST_BODY_INVALID".to_owned()]);
        for wrong in ["hello", "hex:0", "hex:zz", "b64:A", "@no/such/file", "@"] {
            assert_eq!(body(wrong), invalid, "{wrong}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let codes = read("G ET", "http:///x", &["x"], "?").expect_err("nothing is right");
        assert_eq!(
            codes,
            [
                "X07WASM_SERVE_METHOD_INVALID",
                "X07WASM_SERVE_PATH_INVALID",
                "X07WASM_CLI_ARGS_INVALID",
                "X07WASM_SERVE_REQUEST_BODY_INVALID"
            ]
        );
        for path in ["/a b", "ftp://x/", "http://", "/\u{1}"] {
            let codes = read("GET", path, &[], "").map(|_| ());
            assert_eq!(codes, Err(vec!["X07WASM_SERVE_PATH_INVALID".to_owned()]), "{path:?}");
        }
        assert!(read("brew", "/", &[], "").is_ok(), "any token is a method");
    }
}
