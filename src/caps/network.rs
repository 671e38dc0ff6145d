//! Which outgoing requests are allowed, by name and by address.
//!
//! A name is compared as text, without its case; an address is compared as an address, however it is
//! written. One dot at the end of a listed host does not count, as it does not in a [`Target`]. Only addresses in their usual spelling count as such: `0x7f.1` is
//! a name, so it must be listed as it stands, and what it resolves to is checked all the same.

use super::capabilities::Capabilities;
use super::cidr::{Cidr, is_reserved};
use crate::engine::component::{Denial, DenialReason, OutgoingPolicy, Target};
use crate::report::{Code, Diag, Stage};
use std::net::{IpAddr, SocketAddr};
use x07_wasm_contracts::types::AppCapabilitiesNetEndpointProto as Proto;
use x07_wasm_contracts::types::{AppCapabilitiesNetwork, AppCapabilitiesNetworkMode};

/// The rules of one document.
#[derive(Debug)]
pub struct Rules {
    /// Empty where the network is denied.
    allowed: Vec<Endpoint>,
    deny_literals: bool,
    deny_private: bool,
    open_ranges: Vec<Cidr>,
}

#[derive(Debug)]
struct Endpoint {
    host: Host,
    port: u16,
    proto: Proto,
}

/// A host in the form in which it is compared.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// In lower case.
    Name(String),
}

impl Host {
    /// A host of the document, which may end in a dot. Nowhere else is one taken off: a target has lost
    /// its own already, and what ends in two is another name.
    fn listed(text: &str) -> Self {
        Self::read(text.strip_suffix('.').unwrap_or(text))
    }

    fn read(text: &str) -> Self {
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        match bare.parse::<IpAddr>() {
            Ok(address) => Self::Address(address.to_canonical()),
            Err(_) => Self::Name(bare.to_ascii_lowercase()),
        }
    }

    /// Whether it is a name that means the machine itself wherever it is asked.
    fn is_localhost(&self) -> bool {
        matches!(self, Self::Name(name) if name == "localhost" || name.ends_with(".localhost"))
    }
}

impl Rules {
    /// Takes the rules in; `problem` gets the place and the text of everything that is wrong.
    pub(super) fn parse(document: &AppCapabilitiesNetwork, problem: &mut dyn FnMut(&str, &str)) -> Self {
        let hardening = &document.hardening;
        let mut open_ranges = Vec::with_capacity(hardening.allow_ip_cidrs.len());
        for (i, text) in hardening.allow_ip_cidrs.iter().enumerate() {
            match text.parse::<Cidr>() {
                Ok(range) => open_ranges.push(range),
                Err(error) => problem(
                    &format!("/network/hardening/allow_ip_cidrs/{i}"),
                    &format!("{text:?} is no range of addresses: {error}"),
                ),
            }
        }
        let allowed = match document.mode {
            AppCapabilitiesNetworkMode::Deny => Vec::new(),
            AppCapabilitiesNetworkMode::Allowlist => document
                .allowlist
                .iter()
                .map(|e| Endpoint { host: Host::listed(&e.host), port: e.port, proto: e.proto })
                .collect(),
        };
        Self {
            allowed,
            deny_literals: hardening.deny_ip_literals,
            deny_private: hardening.deny_private_ips,
            open_ranges,
        }
    }

    /// Whether a request may go to a target, as far as its text tells.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, target: &Target) -> Result<(), DenialReason> {
        let Some(proto) = proto(&target.scheme) else { return Err(DenialReason::NotGranted) };
        let host = Host::read(&target.host);
        let listed = |e: &Endpoint| e.proto == proto && e.port == target.port && e.host == host;
        if target.host.is_empty() || !self.allowed.iter().any(listed) {
            return Err(DenialReason::NotGranted);
        }
        match host {
            Host::Name(_) => Ok(()),
            Host::Address(address) if self.is_open(address) => Ok(()),
            Host::Address(address) if self.deny_private && is_reserved(address) => Err(DenialReason::PrivateAddress),
            Host::Address(_) if self.deny_literals => Err(DenialReason::IpLiteral),
            Host::Address(_) => Ok(()),
        }
    }

    /// Whether a request to a target that passed [`Rules::check`] may be sent to an address that its
    /// host has. A name in the list may lead anywhere tomorrow: the list is for names, this rule is
    /// for where they lead. `localhost` may lead to the machine itself, since it can mean nothing else.
    ///
    /// # Errors
    /// Why not.
    pub fn check_address(&self, target: &Target, address: IpAddr) -> Result<(), DenialReason> {
        let address = address.to_canonical();
        let expected = Host::read(&target.host).is_localhost() && address.is_loopback();
        if !self.deny_private || expected || self.is_open(address) || !is_reserved(address) {
            Ok(())
        } else {
            Err(DenialReason::PrivateAddress)
        }
    }

    /// The addresses to which plain sockets may go.
    #[must_use]
    pub fn sockets(&self) -> Vec<SocketAddr> {
        let plain = |e: &&Endpoint| matches!(e.proto, Proto::Tcp | Proto::Udp);
        let address = |e: &Endpoint| match e.host {
            Host::Address(ip) if self.is_open(ip) || !(self.deny_private && is_reserved(ip)) => {
                Some(SocketAddr::new(ip, e.port))
            }
            _ => None,
        };
        let mut sockets: Vec<SocketAddr> = self.allowed.iter().filter(plain).filter_map(address).collect();
        sockets.sort_unstable();
        sockets.dedup();
        sockets
    }

    fn is_open(&self, address: IpAddr) -> bool {
        self.open_ranges.iter().any(|range| range.contains(address))
    }
}

fn proto(scheme: &str) -> Option<Proto> {
    if scheme.eq_ignore_ascii_case("http") {
        Some(Proto::Http)
    } else if scheme.eq_ignore_ascii_case("https") {
        Some(Proto::Https)
    } else {
        None
    }
}

impl OutgoingPolicy for Capabilities {
    fn check(&self, target: &Target) -> Result<(), DenialReason> {
        self.network().check(target)
    }

    fn check_address(&self, target: &Target, address: IpAddr) -> Result<(), DenialReason> {
        self.network().check_address(target, address)
    }
}

/// The code under which a refusal is reported.
#[must_use]
pub fn refusal_code(reason: DenialReason) -> Code {
    match reason {
        DenialReason::NotGranted => Code::CapsNetDenied,
        DenialReason::PrivateAddress => Code::CapsNetPrivateIpDenied,
        DenialReason::IpLiteral => Code::CapsNetIpLiteralDenied,
    }
}

/// A refused request as a diagnostic; `with_ops` says whether there are capabilities at all.
#[must_use]
pub fn denial_diag(denial: &Denial, with_ops: bool) -> Diag {
    let target = &denial.target;
    let why = match denial.reason {
        DenialReason::NotGranted if with_ops => {
            "the capabilities do not list it; add host, port and protocol to network.allowlist"
        }
        DenialReason::NotGranted => {
            "nothing may be reached without capabilities; name an ops profile with --ops whose capabilities list it"
        }
        DenialReason::PrivateAddress => {
            "it is, or leads to, a private or reserved address; add its range to network.hardening.allow_ip_cidrs if that is meant"
        }
        DenialReason::IpLiteral => {
            "the capabilities refuse addresses in place of names; use the name, or add the range to network.hardening.allow_ip_cidrs"
        }
    };
    Diag::new(refusal_code(denial.reason), format!("an outgoing request to {target} was refused: {why}"))
        .data("scheme", target.scheme.as_str())
        .data("host", target.host.as_str())
        .data("port", target.port)
        .stage(Stage::Run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::tests::capabilities;
    use serde_json::{Value, json};

    fn target(scheme: &str, host: &str, port: u16) -> Target {
        Target { scheme: scheme.to_owned(), host: host.to_owned(), port }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// The code of a refusal, without its prefix; empty where the request may go.
    fn verdict(result: Result<(), DenialReason>) -> &'static str {
        result.err().map_or("", |reason| refusal_code(reason).as_str().trim_start_matches("X07WASM_CAPS_NET_"))
    }

    /// What becomes of a request under these entries and ranges, with everything hardened.
    fn ask(allowlist: Value, ranges: Value, url: (&str, &str, u16)) -> &'static str {
        let caps = capabilities(|d| {
            d["network"]["mode"] = json!("allowlist");
            d["network"]["allowlist"] = allowlist;
            d["network"]["hardening"]["allow_ip_cidrs"] = ranges;
        });
        verdict(caps.policy().check(&target(url.0, url.1, url.2)))
    }

    fn listed(host: &str, port: u16, proto: &str) -> Value {
        json!([{"host": host, "port": port, "proto": proto}])
    }

    #[test]
    fn what_is_not_listed_is_denied() {
        let nothing = capabilities(|_| {});
        assert_eq!(verdict(nothing.policy().check(&target("https", "example.com", 443))), "DENIED");
        let list = || listed("example.com", 443, "https");
        for (url, expected) in [
            (("https", "example.com", 443), ""),
            (("HTTPS", "EXAMPLE.com", 443), ""),
            (("https", "example.com.", 443), "DENIED"),
            (("https", "", 443), "DENIED"),
            (("http", "example.com", 443), "DENIED"),
            (("https", "example.com", 444), "DENIED"),
            (("https", "www.example.com", 443), "DENIED"),
            (("https", "example.co", 443), "DENIED"),
            (("https", "example.com..", 443), "DENIED"),
            (("ftp", "example.com", 443), "DENIED"),
        ] {
            assert_eq!(ask(list(), json!([]), url), expected, "{url:?}");
        }
        // One dot at the end of an entry does not count; a target has lost its own.
        assert_eq!(ask(listed("Example.com.", 443, "https"), json!([]), ("https", "example.com", 443)), "");
        assert_eq!(ask(listed("example.com..", 443, "https"), json!([]), ("https", "example.com", 443)), "DENIED");
        // A port of 0 stands for itself.
        assert_eq!(ask(listed("example.com", 0, "http"), json!([]), ("http", "example.com", 80)), "DENIED");
        // Entries for sockets are none for requests.
        assert_eq!(ask(listed("example.com", 80, "tcp"), json!([]), ("http", "example.com", 80)), "DENIED");
    }

    #[test]
    fn addresses_are_refused_private_ones_first() {
        let at = |host: &str, ranges: Value, asked: &str| ask(listed(host, 80, "http"), ranges, ("http", asked, 80));
        assert_eq!(at("127.0.0.1", json!([]), "127.0.0.1"), "PRIVATE_IP_DENIED");
        assert_eq!(at("127.0.0.1", json!(["127.0.0.0/8"]), "127.0.0.1"), "");
        assert_eq!(at("8.8.8.8", json!([]), "8.8.8.8"), "IP_LITERAL_DENIED");
        assert_eq!(at("8.8.8.8", json!(["8.0.0.0/8"]), "8.8.8.8"), "");
        // A range opens nothing that is not listed.
        assert_eq!(at("8.8.8.8", json!(["0.0.0.0/0"]), "8.8.4.4"), "DENIED");
        // Every spelling is the same address.
        assert_eq!(at("0:0:0:0:0:0:0:1", json!([]), "::1"), "PRIVATE_IP_DENIED");
        assert_eq!(at("0:0:0:0:0:0:0:1", json!([]), "[::1]"), "PRIVATE_IP_DENIED");
        assert_eq!(at("127.0.0.1", json!([]), "::ffff:127.0.0.1"), "PRIVATE_IP_DENIED");
        assert_eq!(at("127.0.0.1.", json!([]), "127.0.0.1"), "PRIVATE_IP_DENIED");
        assert_eq!(at("127.0.0.1", json!([]), "127.0.0.1."), "DENIED");
        assert_eq!(at("2001:4860::8888", json!([]), "2001:4860:0::8888"), "IP_LITERAL_DENIED");
        // What only looks like an address is a name.
        for odd in ["0x7f.1", "2130706433", "127.1", "0177.0.0.1"] {
            assert_eq!(at("127.0.0.1", json!([]), odd), "DENIED", "{odd}");
        }
    }

    #[test]
    fn hardening_can_be_lifted() {
        let caps = capabilities(|d| {
            d["network"]["mode"] = json!("allowlist");
            d["network"]["allowlist"] = json!([
                {"host": "127.0.0.1", "port": 80, "proto": "http"}, {"host": "8.8.8.8", "port": 80, "proto": "http"}
            ]);
            d["network"]["hardening"]["deny_private_ips"] = json!(false);
        });
        assert_eq!(verdict(caps.policy().check(&target("http", "127.0.0.1", 80))), "IP_LITERAL_DENIED");
        assert_eq!(verdict(caps.policy().check_address(&target("http", "x", 80), ip("10.0.0.1"))), "");
        let caps = capabilities(|d| {
            d["network"]["mode"] = json!("allowlist");
            d["network"]["allowlist"] = json!([{"host": "8.8.8.8", "port": 80, "proto": "http"}]);
            d["network"]["hardening"]["deny_ip_literals"] = json!(false);
        });
        assert_eq!(verdict(caps.policy().check(&target("http", "8.8.8.8", 80))), "");
    }

    #[test]
    fn a_name_may_not_lead_to_a_private_address() {
        let caps = capabilities(|d| {
            d["network"]["mode"] = json!("allowlist");
            d["network"]["allowlist"] = json!([
                {"host": "example.com", "port": 80, "proto": "http"}, {"host": "localhost", "port": 80, "proto": "http"}
            ]);
            d["network"]["hardening"]["allow_ip_cidrs"] = json!(["10.1.0.0/16"]);
        });
        let policy = caps.policy();
        let named = |host: &str, address: &str| verdict(policy.check_address(&target("http", host, 80), ip(address)));
        assert_eq!(verdict(policy.check(&target("http", "localhost", 80))), "");
        for (host, address, expected) in [
            ("example.com", "93.184.216.34", ""),
            ("example.com", "127.0.0.1", "PRIVATE_IP_DENIED"),
            ("example.com", "::ffff:192.168.0.1", "PRIVATE_IP_DENIED"),
            ("example.com", "10.1.2.3", ""),
            ("example.com", "10.2.0.0", "PRIVATE_IP_DENIED"),
            ("localhost", "127.0.0.1", ""),
            ("LOCALHOST", "::1", ""),
            ("localhost.", "127.0.0.1", "PRIVATE_IP_DENIED"),
            ("app.localhost", "127.0.0.1", ""),
            ("notlocalhost", "127.0.0.1", "PRIVATE_IP_DENIED"),
            // What calls itself localhost and is another machine is not.
            ("localhost", "192.168.0.1", "PRIVATE_IP_DENIED"),
        ] {
            assert_eq!(named(host, address), expected, "{host} {address}");
        }
    }

    #[test]
    fn sockets_are_for_addresses_only() {
        let entries = json!([
            {"host": "8.8.8.8", "port": 53, "proto": "udp"}, {"host": "8.8.8.8", "port": 53, "proto": "tcp"},
            {"host": "example.com", "port": 25, "proto": "tcp"}, {"host": "10.0.0.1", "port": 5432, "proto": "tcp"},
            {"host": "10.1.0.1", "port": 5432, "proto": "tcp"}, {"host": "1.1.1.1", "port": 80, "proto": "http"}
        ]);
        let caps = capabilities(|d| {
            d["network"]["mode"] = json!("allowlist");
            d["network"]["allowlist"] = entries;
            d["network"]["hardening"]["allow_ip_cidrs"] = json!(["10.1.0.0/16"]);
        });
        let expected: Vec<SocketAddr> =
            ["8.8.8.8:53", "10.1.0.1:5432"].iter().map(|a| a.parse().expect("an address")).collect();
        assert_eq!(caps.network().sockets(), expected);
    }

    #[test]
    fn a_refusal_names_target_rule_and_cure() {
        for (reason, code, part) in [
            (DenialReason::NotGranted, "X07WASM_CAPS_NET_DENIED", "network.allowlist"),
            (DenialReason::PrivateAddress, "X07WASM_CAPS_NET_PRIVATE_IP_DENIED", "allow_ip_cidrs"),
            (DenialReason::IpLiteral, "X07WASM_CAPS_NET_IP_LITERAL_DENIED", "use the name"),
        ] {
            let diag = denial_diag(&Denial { target: target("http", "::1", 80), reason }, true).build();
            assert_eq!((diag.code.as_str(), diag.stage), (code, Stage::Run));
            assert!(diag.message.contains("http://[::1]:80") && diag.message.contains(part), "{}", diag.message);
            let data = diag.data.expect("data");
            assert_eq!((data["host"].as_str(), data["port"].as_u64()), (Some("::1"), Some(80)));
        }
        let bare = denial_diag(&Denial { target: target("https", "a", 443), reason: DenialReason::NotGranted }, false);
        assert!(bare.build().message.contains("--ops"));
    }
}
