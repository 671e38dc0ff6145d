//! Whether a request names the host that it reached.
//!
//! A page of somebody else can let a browser connect to a server on this machine, by a name that it
//! points here. The browser still says that name, so a server that listens on a loopback address
//! answers only those who call it by a loopback name.

use std::net::IpAddr;

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{StatusCode, Version};

/// Checks the host of a request.
///
/// # Errors
///
/// 400 if there must be one and is none, or more than one; 421 if it is another host.
pub(super) fn check(parts: &Parts, on_loopback: bool) -> Result<(), StatusCode> {
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
    if missing {
        return Err(StatusCode::BAD_REQUEST);
    }
    let elsewhere = |authority: &Authority| !is_loopback(authority.host());
    if on_loopback && header.iter().chain(target).any(elsewhere) {
        return Err(StatusCode::MISDIRECTED_REQUEST);
    }
    Ok(())
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
