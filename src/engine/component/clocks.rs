//! Clocks that are not the host's.

use std::sync::Arc;
use std::time::Duration;

use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use super::grant::{ClockSource, Clocks};

/// Gives a context the clocks that were granted.
pub(super) fn grant(builder: &mut WasiCtxBuilder, clocks: &Clocks) {
    match clocks {
        // What a context has by itself.
        Clocks::Real => {}
        Clocks::Zero => {
            builder.wall_clock(Stopped).monotonic_clock(Stopped);
        }
        Clocks::Source(source) => {
            builder.wall_clock(Read(Arc::clone(source))).monotonic_clock(Read(Arc::clone(source)));
        }
    }
}

/// Clocks that always say 0.
struct Stopped;

impl HostWallClock for Stopped {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Stopped {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}

/// Clocks of the caller's.
struct Read(Arc<dyn ClockSource>);

impl HostWallClock for Read {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.wall_ns())
    }
}

impl HostMonotonicClock for Read {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.monotonic_ns()
    }
}
