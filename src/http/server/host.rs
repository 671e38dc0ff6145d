//! Whether a request names the host that it reached.
//!
//! A page of somebody else can let a browser connect to a server on this machine, by a name that it
//! points here. The browser still says that name, so a server that listens on a loopback address
//! answers only those who call it by a loopback name.

use std::net::IpAddr;

use http::header::HOST;
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{Method, StatusCode, Version};

/// Checks the host and the target of a request.
///
/// # Errors
///
/// 400 if there must be a host and is none, or more than one, if it names a user or a port that is
/// none, or if the target has a form that does not go with the method; 421 if it is another host.
pub(super) fn check(parts: &Parts, on_loopback: bool) -> Result<(), StatusCode> {
    if !has_good_target(parts) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let mut headers = parts.headers.get_all(HOST).iter();
    let (header, second) = (headers.next(), headers.next());
    if second.is_some() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let header = match header {
        Some(value) => Some(Authority::try_from(value.as_bytes()).map_err(|_| StatusCode::BAD_REQUEST)?),
        None => None,
    };
    let target = parts.uri.authority();
    let missing = match parts.version {
        Version::HTTP_09 | Version::HTTP_10 => false,
        Version::HTTP_11 => header.is_none(),
        _ => header.is_none() && target.is_none(),
    };
    if missing || !header.iter().chain(target).all(is_host_and_port) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let elsewhere = |authority: &Authority| !is_loopback(authority.host());
    if on_loopback && header.iter().chain(target).any(elsewhere) {
        return Err(StatusCode::MISDIRECTED_REQUEST);
    }
    Ok(())
}

/// Whether the form of the target goes with the method.
fn has_good_target(parts: &Parts) -> bool {
    let uri = &parts.uri;
    if parts.method == Method::CONNECT {
        return true;
    }
    match uri.scheme() {
        Some(scheme) if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS => return false,
        // A host without a scheme is the form of CONNECT.
        None if uri.authority().is_some() => return false,
        _ => {}
    }
    uri.path() != "*" || parts.method == Method::OPTIONS
}

/// Whether there is a host, perhaps with a port, and nothing else: no user in front of it.
fn is_host_and_port(authority: &Authority) -> bool {
    let (text, host) = (authority.as_str(), authority.host());
    if host.is_empty() || text.contains('@') {
        return false;
    }
    let Some(rest) = text.strip_prefix(host) else { return false };
    let Some(port) = rest.strip_prefix(':') else { return rest.is_empty() };
    port.is_empty() || (port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

/// Whether a host, as it stands in a URI, can only mean the machine itself.
fn is_loopback(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let name = host.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn parts(version: Version, uri: &str, hosts: &[&str]) -> Parts {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn loopback_has_several_names() {
        for host in ["localhost", "LocalHost", "a.localhost", "localhost.", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["example.com", "localhost.example.com", "10.0.0.1", "0.0.0.0", "[::2]", "notlocalhost", "", "::"] {
            assert!(!is_loopback(host), "{host}");
        }
        assert!(is_loopback("[::ffff:127.0.0.1]"));
    }

    #[test]
    fn requests_without_or_with_two_hosts_are_bad() {
        let bad = Err(StatusCode::BAD_REQUEST);
        assert_eq!(check(&parts(Version::HTTP_11, "/", &[]), false), bad);
        assert_eq!(check(&parts(Version::HTTP_11, "/", &["a", "a"]), false), bad);
        assert_eq!(check(&parts(Version::HTTP_11, "/", &[""]), false), bad);
        assert_eq!(check(&parts(Version::HTTP_11, "/", &["a b"]), false), bad);
        assert_eq!(check(&parts(Version::HTTP_2, "/", &[]), false), bad);
        assert_eq!(check(&parts(Version::HTTP_10, "/", &[]), true), Ok(()));
        assert_eq!(check(&parts(Version::HTTP_2, "http://localhost/", &[]), true), Ok(()));
    }

    #[test]
    fn hosts_with_users_and_ports_that_are_none_are_bad() {
        let bad = Err(StatusCode::BAD_REQUEST);
        for host in ["u@localhost", "u:p@localhost", "localhost:65536", "localhost:x", "localhost:+1", ":80"] {
            assert_eq!(check(&parts(Version::HTTP_11, "/", &[host]), false), bad, "{host}");
        }
        for host in ["localhost", "localhost:", "localhost:0", "localhost:65535", "[::1]", "[::1]:8080"] {
            assert_eq!(check(&parts(Version::HTTP_11, "/", &[host]), false), Ok(()), "{host}");
        }
        assert_eq!(check(&parts(Version::HTTP_11, "http://u@localhost/", &["localhost"]), false), bad);
    }

    #[test]
    fn the_target_has_a_form_that_goes_with_the_method() {
        let with = |method: &str, uri: &str| {
            let mut parts = parts(Version::HTTP_11, uri, &["localhost"]);
            parts.method = Method::from_bytes(method.as_bytes()).expect("a method");
            check(&parts, false)
        };
        for (method, uri) in
            [("GET", "*"), ("GET", "localhost:80"), ("GET", "ftp://localhost/"), ("OPTIONS", "ws://a/")]
        {
            assert_eq!(with(method, uri), Err(StatusCode::BAD_REQUEST), "{method} {uri}");
        }
        for (method, uri) in
            [("OPTIONS", "*"), ("CONNECT", "localhost:80"), ("GET", "https://localhost/"), ("GET", "/*")]
        {
            assert_eq!(with(method, uri), Ok(()), "{method} {uri}");
        }
    }

    #[test]
    fn on_loopback_other_names_are_misdirected() {
        let wrong = Err(StatusCode::MISDIRECTED_REQUEST);
        assert_eq!(check(&parts(Version::HTTP_11, "/", &["evil.example"]), true), wrong);
        assert_eq!(check(&parts(Version::HTTP_11, "/", &["evil.example:80"]), true), wrong);
        assert_eq!(check(&parts(Version::HTTP_11, "http://evil.example/", &["localhost"]), true), wrong);
        assert_eq!(check(&parts(Version::HTTP_2, "http://evil.example/", &[]), true), wrong);
        assert_eq!(check(&parts(Version::HTTP_11, "/", &["evil.example"]), false), Ok(()));
        assert_eq!(check(&parts(Version::HTTP_11, "/", &["127.0.0.1:8080"]), true), Ok(()));
        assert_eq!(check(&parts(Version::HTTP_11, "/", &["[::1]:8080"]), true), Ok(()));
    }
}
