//! Ranges of addresses, and which addresses are private or reserved.
//!
//! An IPv4 address that is written as an IPv6 one (`::ffff:10.0.0.1`) is the IPv4 address here: a
//! rule that could be passed by another spelling would be none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses, written as `address/length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    /// At most 32 for IPv4 and 128 for IPv6.
    length: u8,
}

/// Why a text is no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// There is no slash, or no address before it.
    #[error("there is no IP address before the slash; write a range as 10.0.0.0/8 or fd00::/8")]
    Address,
    /// The length is no number, or longer than the address.
    #[error("the length after the slash must be a number from 0 to {max}")]
    Length {
        /// Bits of the address.
        max: u8,
    },
}

/// An IPv4 address takes up the last 32 bits of its IPv6 form.
const MAPPED_PREFIX: u8 = 96;

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let (address, length) = text.split_once('/').ok_or(CidrError::Address)?;
        let network: IpAddr = address.parse().map_err(|_| CidrError::Address)?;
        let max = if network.is_ipv4() { 32 } else { 128 };
        let length = length.parse::<u8>().ok().filter(|l| *l <= max).ok_or(CidrError::Length { max })?;
        let plain = network.to_canonical();
        Ok(match (network.is_ipv6() && plain.is_ipv4(), length.checked_sub(MAPPED_PREFIX)) {
            (true, Some(length)) => Self { network: plain, length },
            _ => Self { network, length },
        })
    }
}

impl Cidr {
    /// Whether an address lies in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => same_prefix_v4(network, address, self.length),
            (IpAddr::V6(network), IpAddr::V6(address)) => same_prefix_v6(network, address, self.length),
            _ => false,
        }
    }
}

fn same_prefix_v4(a: Ipv4Addr, b: Ipv4Addr, length: u8) -> bool {
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length.into())).unwrap_or(0);
    (a.to_bits() ^ b.to_bits()) & mask == 0
}

fn same_prefix_v6(a: Ipv6Addr, b: Ipv6Addr, length: u8) -> bool {
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length.into())).unwrap_or(0);
    (a.to_bits() ^ b.to_bits()) & mask == 0
}

/// IPv4 ranges that are not on the public Internet, or not for single hosts.
const RESERVED_V4: [(Ipv4Addr, u8); 14] = [
    // This network and the unspecified address.
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Carriers' shared addresses.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local; services of clouds answer here.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    // Assignments of protocols.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Benchmarks.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved, and broadcast.
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// IPv6 ranges that are not on the public Internet, or not for single hosts.
const RESERVED_V6: [(Ipv6Addr, u8); 11] = [
    (Ipv6Addr::UNSPECIFIED, 128),
    (Ipv6Addr::LOCALHOST, 128),
    // Translation to IPv4 within a site.
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
    // Discarded.
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64),
    // Tunnels whose end nobody can tell.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32),
    // Documentation.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // Unique local.
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    // Link-local, and site-local of old.
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10),
    // Multicast.
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

/// Whether an address is private or reserved: a request to it reaches the machine itself, its
/// neighbours, or nobody in particular.
#[must_use]
pub fn is_reserved(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_reserved_v4(address),
        IpAddr::V6(address) => {
            RESERVED_V6.iter().any(|(network, length)| same_prefix_v6(*network, address, *length))
                || carried_v4(address).is_some_and(is_reserved_v4)
        }
    }
}

fn is_reserved_v4(address: Ipv4Addr) -> bool {
    RESERVED_V4.iter().any(|(network, length)| same_prefix_v4(*network, address, *length))
}

/// The IPv4 address to which packets for an IPv6 address are translated or tunnelled.
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let joined = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        // NAT64, and the IPv4-compatible form of old.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] => Some(joined(high, low)),
        // 6to4.
        [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn range(text: &str) -> Cidr {
        text.parse().expect("a range")
    }

    #[test]
    fn ranges_hold_what_begins_alike() {
        for (cidr, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.1.2.3/8", "10.9.9.9", "9.255.255.255"),
            ("192.168.1.128/25", "192.168.1.255", "192.168.1.127"),
            ("127.0.0.1/32", "127.0.0.1", "127.0.0.2"),
            ("0.0.0.0/0", "8.8.8.8", "2001:4860::1"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("::1/128", "::1", "::2"),
            ("::/0", "2001:4860::1", "8.8.8.8"),
        ] {
            assert!(range(cidr).contains(ip(inside)), "{cidr} {inside}");
            assert!(!range(cidr).contains(ip(outside)), "{cidr} {outside}");
        }
    }

    #[test]
    fn mapped_addresses_are_the_ipv4_addresses() {
        assert!(range("10.0.0.0/8").contains(ip("::ffff:10.1.1.1")));
        assert!(range("::ffff:10.0.0.0/104").contains(ip("10.1.1.1")));
        assert!(!range("::ffff:10.0.0.0/104").contains(ip("11.1.1.1")));
        assert_eq!(range("::ffff:10.0.0.0/104"), range("10.0.0.0/8"));
    }

    #[test]
    fn texts_that_are_no_ranges() {
        for (text, error) in [
            ("", CidrError::Address),
            ("10.0.0.0", CidrError::Address),
            ("10.0.0/8", CidrError::Address),
            ("010.0.0.0/8", CidrError::Address),
            ("0x7f.0.0.1/8", CidrError::Address),
            ("[::1]/128", CidrError::Address),
            ("10.0.0.0/33", CidrError::Length { max: 32 }),
            ("10.0.0.0/", CidrError::Length { max: 32 }),
            ("10.0.0.0/8/8", CidrError::Length { max: 32 }),
            ("::/129", CidrError::Length { max: 128 }),
            ("::/999", CidrError::Length { max: 128 }),
        ] {
            assert_eq!(text.parse::<Cidr>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn addresses_that_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:192.168.1.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(is_reserved(ip(text)), "{text}");
        }
    }

    #[test]
    fn addresses_that_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:4860:4860::8888",
            "2002:808:808::1",
            "2606:4700::1",
            "fbff::1",
        ] {
            assert!(!is_reserved(ip(text)), "{text}");
        }
    }
}
