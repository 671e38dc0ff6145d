//! Whom an outgoing request may go to: the question, and the answers it can get.
//!
//! The rules themselves are the caller's. What is fixed here is when they are asked: before a name
//! is resolved, and again for each address that it resolves to.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::uri::Authority;

/// Whom a request is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The scheme of the URI in lower case; `http` and `https` are the ones that can be sent.
    pub scheme: String,
    /// The host as the URI spells it, without the brackets of an IPv6 address and without the dot
    /// that may end a name. Empty only in a [`Denial`] of a request that names no host.
    pub host: String,
    /// The port of the URI, or 443 for `https` and 80 for everything else.
    pub port: u16,
}

impl Target {
    /// The target of a request for `uri`.
    ///
    /// # Errors
    ///
    /// See [`TargetError`].
    pub fn of(uri: &Uri) -> Result<Self, TargetError> {
        let scheme = uri.scheme_str().ok_or(TargetError::NoScheme)?;
        let authority = uri.authority().ok_or(TargetError::NoHost)?;
        Self::new(scheme, authority)
    }

    /// The target that a scheme and an authority name.
    ///
    /// # Errors
    ///
    /// See [`TargetError`].
    pub fn new(scheme: &str, authority: &Authority) -> Result<Self, TargetError> {
        let text = authority.as_str();
        // Everything up to the `@` could make a reader take the wrong part for the host.
        if text.contains('@') {
            return Err(TargetError::UserInformation);
        }
        if text.is_empty() {
            return Err(TargetError::NoHost);
        }
        let spelled = authority.host();
        let port = match text.strip_prefix(spelled).unwrap_or_default() {
            // A colon without digits means the same as none.
            "" | ":" => default_port(scheme),
            rest => rest
                .strip_prefix(':')
                .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|digits| digits.parse().ok())
                .ok_or(TargetError::Port)?,
        };
        let host = match spelled.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(address) => address,
            None => spelled.strip_suffix('.').unwrap_or(spelled),
        };
        if host.is_empty() {
            return Err(TargetError::NoHost);
        }
        Ok(Self { scheme: scheme.to_ascii_lowercase(), host: host.to_owned(), port })
    }

    /// Whether the request goes through TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.scheme == "https"
    }

    /// The host as the header `host` wants it: brackets around an IPv6 address, the port unless it
    /// is the scheme's own.
    #[must_use]
    pub fn host_header(&self) -> String {
        let host = self.bracketed();
        if self.port == default_port(&self.scheme) { host } else { format!("{host}:{}", self.port) }
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.bracketed(), self.port)
    }
}

fn default_port(scheme: &str) -> u16 {
    if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 }
}

/// Why a URI names nobody that a request can go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// There is no scheme.
    #[error("the URI has no scheme; write http:// or https://")]
    NoScheme,
    /// There is no host.
    #[error("the URI has no host")]
    NoHost,
    /// There is a user name or a password.
    #[error("the URI has user information, which is not sent; use a header")]
    UserInformation,
    /// The port is no number from 0 to 65535.
    #[error("the port of the URI is not a number from 0 to 65535")]
    Port,
}

/// Decides about outgoing requests. Asked from many calls at once.
pub trait OutgoingPolicy: Send + Sync {
    /// Whether a request may go to `target`, judged before its name is resolved.
    ///
    /// # Errors
    ///
    /// Why it may not.
    fn check(&self, target: &Target) -> Result<(), DenialReason>;

    /// Whether a connection for `target` may go to `address`, which is one of those that its host
    /// resolves to, or the host itself if that is an address. An IPv4 address inside an IPv6 one is
    /// given as the IPv4 address. One refused address refuses the request.
    ///
    /// # Errors
    ///
    /// Why it may not.
    fn check_address(&self, target: &Target, address: IpAddr) -> Result<(), DenialReason>;
}

/// Refuses every request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DenyAll;

impl OutgoingPolicy for DenyAll {
    fn check(&self, _target: &Target) -> Result<(), DenialReason> {
        Err(DenialReason::NotGranted)
    }

    fn check_address(&self, _target: &Target, _address: IpAddr) -> Result<(), DenialReason> {
        Err(DenialReason::NotGranted)
    }
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DenialReason {
    /// Nothing allows this scheme, host and port.
    NotGranted,
    /// The address is private or reserved.
    PrivateAddress,
    /// The host is an address, and only names are allowed.
    IpLiteral,
}

impl fmt::Display for DenialReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotGranted => "it is not granted",
            Self::PrivateAddress => "its address is private or reserved",
            Self::IpLiteral => "its host is an address, and only names are granted",
        })
    }
}

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Denial {
    /// Whom it was for.
    pub target: Target,
    /// Why it was refused.
    pub reason: DenialReason,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the request to {} was refused: {}", self.target, self.reason)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn of(uri: &str) -> Result<(String, u16), TargetError> {
        Target::of(&uri.parse().expect(uri)).map(|target| (target.host, target.port))
    }

    #[test]
    fn hosts_lose_brackets_and_the_last_dot_and_ports_have_defaults() {
        for (uri, host, port) in [
            ("http://example.com/a", "example.com", 80),
            ("https://example.com", "example.com", 443),
            ("https://Example.com.:8443/x", "Example.com", 8443),
            ("http://[::1]/", "::1", 80),
            ("http://[2001:db8::1]:81/", "2001:db8::1", 81),
            ("http://2130706433/", "2130706433", 80),
            ("http://example.com:/", "example.com", 80),
            ("https://[::1]:/", "::1", 443),
        ] {
            assert_eq!(of(uri), Ok((host.to_owned(), port)), "{uri}");
        }
    }

    #[test]
    fn a_uri_that_could_be_misread_is_refused() {
        assert_eq!(of("http://trusted.example@evil.example/"), Err(TargetError::UserInformation));
        assert_eq!(of("http://a.example:99999/"), Err(TargetError::Port));
        assert_eq!(of("/only/a/path"), Err(TargetError::NoScheme));
        assert_eq!(of("http://./"), Err(TargetError::NoHost));
    }

    #[test]
    fn the_host_header_has_brackets_and_only_unusual_ports() {
        let header = |uri: &str| Target::of(&uri.parse().unwrap()).unwrap().host_header();
        assert_eq!(header("http://a.example/"), "a.example");
        assert_eq!(header("https://a.example:443/"), "a.example");
        assert_eq!(header("https://a.example:80/"), "a.example:80");
        assert_eq!(header("http://[::1]:8080/"), "[::1]:8080");
        assert_eq!(Target::of(&"http://[::1]/".parse().unwrap()).unwrap().to_string(), "http://[::1]:80");
    }

    #[test]
    fn deny_all_denies_all() {
        let target = Target { scheme: "http".to_owned(), host: "a".to_owned(), port: 80 };
        assert_eq!(DenyAll.check(&target), Err(DenialReason::NotGranted));
        assert_eq!(DenyAll.check_address(&target, IpAddr::from([8, 8, 8, 8])), Err(DenialReason::NotGranted));
    }
}
