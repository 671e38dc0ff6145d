//! What a call may reach beyond its own memory.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::http::policy::{DenyAll, OutgoingPolicy};

/// What one call is granted. Whatever is not named is refused.
#[derive(Clone)]
pub struct Grant {
    /// Directories that the guest can open. Default: none.
    pub preopens: Vec<Preopen>,
    /// Environment variables, name and value. Default: none.
    pub env: Vec<(String, String)>,
    /// Addresses that TCP and UDP sockets may be used with, for every purpose; no others, and no
    /// name lookup. Default: none.
    pub sockets: Vec<SocketAddr>,
    /// Where the time comes from. Default: the host's clocks.
    pub clocks: Clocks,
    /// Where random numbers come from. Default: the host's generator.
    pub random: Randomness,
    /// Which outgoing HTTP requests may be sent. Default: none.
    pub outgoing: Arc<dyn OutgoingPolicy>,
}

impl Grant {
    /// Real clocks and random numbers, and nothing else.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            preopens: Vec::new(),
            env: Vec::new(),
            sockets: Vec::new(),
            clocks: Clocks::Real,
            random: Randomness::Real,
            outgoing: Arc::new(DenyAll),
        }
    }
}

impl Default for Grant {
    fn default() -> Self {
        Self::nothing()
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values of the environment may be secrets.
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Grant")
            .field("preopens", &self.preopens)
            .field("env", &names)
            .field("sockets", &self.sockets)
            .field("clocks", &self.clocks)
            .field("random", &self.random)
            .finish_non_exhaustive()
    }
}

/// A directory that the guest can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preopen {
    /// The directory on the host. The caller has made sure that it may be given away: symbolic
    /// links in it are followed here.
    pub host: PathBuf,
    /// What the guest calls it.
    pub guest: String,
    /// Whether the guest may change what is inside.
    pub writable: bool,
}

/// Where a guest's time comes from.
#[derive(Clone, Default)]
pub enum Clocks {
    /// The host's clocks.
    #[default]
    Real,
    /// It is always 0 on both clocks, with a resolution of 1 ns.
    Zero,
    /// A source of the caller's, with a resolution of 1 ns.
    Source(Arc<dyn ClockSource>),
}

impl fmt::Debug for Clocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "Real",
            Self::Zero => "Zero",
            Self::Source(_) => "Source",
        })
    }
}

/// Clocks of the caller's. Each reading of the guest is one call.
pub trait ClockSource: Send + Sync {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    fn wall_ns(&self) -> u64;

    /// Nanoseconds since a moment that stays the same during a call.
    fn monotonic_ns(&self) -> u64;
}

/// Where a guest's random numbers come from.
#[derive(Clone, Default)]
pub enum Randomness {
    /// The host's generator.
    #[default]
    Real,
    /// All bytes are zero, and so is the seed.
    Zero,
    /// A source of the caller's.
    Source(Arc<dyn RandomSource>),
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "Real",
            Self::Zero => "Zero",
            Self::Source(_) => "Source",
        })
    }
}

/// Random numbers of the caller's. Each draw of the guest is one call with as many bytes as it
/// asks for; a number of 64 bits is eight bytes, little-endian.
pub trait RandomSource: Send + Sync {
    /// Fills `out` from the generator that is fit for keys.
    fn secure(&self, out: &mut [u8]);

    /// Fills `out` from the generator that is not.
    fn insecure(&self, out: &mut [u8]);

    /// The seed for generators of the guest's own.
    fn insecure_seed(&self) -> u128;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_environment_are_not_shown() {
        let grant = Grant { env: vec![("TOKEN".to_owned(), "hunter2".to_owned())], ..Grant::nothing() };
        let text = format!("{grant:?}");
        assert!(text.contains("TOKEN") && !text.contains("hunter2"), "{text}");
    }
}
