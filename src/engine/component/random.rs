//! `wasi:random`, with a source that is chosen for each call.

use std::sync::Arc;

use wasmtime::component::HasData;
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};
use wasmtime_wasi::random::WasiRandomCtx;

use super::grant::{RandomSource, Randomness};

/// Most bytes that one draw may ask for: the host would have to allocate them.
const MAX_DRAW_BYTES: u64 = 1024 * 1024;

/// Names the data of the interfaces for the linker.
pub(super) struct RandomNumbers;

impl HasData for RandomNumbers {
    type Data<'a> = &'a mut Random;
}

/// The generators of one call.
pub(super) enum Random {
    /// The host's, seeded when the guest draws for the first time.
    Real(Option<Box<WasiRandomCtx>>),
    /// Zero.
    Zero,
    /// The caller's.
    Source(Arc<dyn RandomSource>),
}

impl Random {
    /// The generators that were granted.
    pub(super) fn new(granted: &Randomness) -> Self {
        match granted {
            Randomness::Real => Self::Real(None),
            Randomness::Zero => Self::Zero,
            Randomness::Source(source) => Self::Source(Arc::clone(source)),
        }
    }
}

/// The length of a draw, or an error that ends the guest.
fn length(bytes: u64) -> wasmtime::Result<usize> {
    match usize::try_from(bytes) {
        Ok(length) if bytes <= MAX_DRAW_BYTES => Ok(length),
        _ => wasmtime::bail!("{bytes} random bytes are too many for one draw, at most {MAX_DRAW_BYTES}"),
    }
}

fn real(generators: &mut Option<Box<WasiRandomCtx>>) -> &mut WasiRandomCtx {
    generators.get_or_insert_with(Box::default)
}

impl random::Host for Random {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        let length = length(len)?;
        match self {
            Self::Real(generators) => random::Host::get_random_bytes(real(generators), len),
            Self::Zero => Ok(vec![0; length]),
            Self::Source(source) => {
                let mut out = vec![0; length];
                source.secure(&mut out);
                Ok(out)
            }
        }
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        match self {
            Self::Real(generators) => random::Host::get_random_u64(real(generators)),
            Self::Zero => Ok(0),
            Self::Source(source) => {
                let mut out = [0; 8];
                source.secure(&mut out);
                Ok(u64::from_le_bytes(out))
            }
        }
    }
}

impl insecure::Host for Random {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        let length = length(len)?;
        match self {
            Self::Real(generators) => insecure::Host::get_insecure_random_bytes(real(generators), len),
            Self::Zero => Ok(vec![0; length]),
            Self::Source(source) => {
                let mut out = vec![0; length];
                source.insecure(&mut out);
                Ok(out)
            }
        }
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        match self {
            Self::Real(generators) => insecure::Host::get_insecure_random_u64(real(generators)),
            Self::Zero => Ok(0),
            Self::Source(source) => {
                let mut out = [0; 8];
                source.insecure(&mut out);
                Ok(u64::from_le_bytes(out))
            }
        }
    }
}

impl insecure_seed::Host for Random {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        match self {
            Self::Real(generators) => insecure_seed::Host::insecure_seed(real(generators)),
            Self::Zero => Ok((0, 0)),
            Self::Source(source) => {
                let seed = source.insecure_seed();
                Ok((seed as u64, (seed >> 64) as u64))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use std::sync::Mutex;

    /// Counts up, and notes the length of each draw.
    #[derive(Default)]
    struct Counting(Mutex<Vec<usize>>);

    impl RandomSource for Counting {
        fn secure(&self, out: &mut [u8]) {
            self.0.lock().unwrap().push(out.len());
            for (byte, value) in out.iter_mut().zip(1u8..) {
                *byte = value;
            }
        }

        fn insecure(&self, out: &mut [u8]) {
            self.0.lock().unwrap().push(out.len());
            out.fill(9);
        }

        fn insecure_seed(&self) -> u128 {
            (3 << 64) | 2
        }
    }

    #[test]
    fn a_source_sees_each_draw_as_it_was_made() {
        let source = Arc::new(Counting::default());
        let mut random = Random::new(&Randomness::Source(Arc::clone(&source) as Arc<dyn RandomSource>));
        assert_eq!(random::Host::get_random_bytes(&mut random, 3).unwrap(), [1, 2, 3]);
        assert_eq!(random::Host::get_random_u64(&mut random).unwrap(), 0x0807_0605_0403_0201);
        assert_eq!(insecure::Host::get_insecure_random_bytes(&mut random, 2).unwrap(), [9, 9]);
        assert_eq!(insecure::Host::get_insecure_random_u64(&mut random).unwrap(), 0x0909_0909_0909_0909);
        assert_eq!(insecure_seed::Host::insecure_seed(&mut random).unwrap(), (2, 3));
        assert_eq!(*source.0.lock().unwrap(), [3, 8, 2, 8]);
    }

    #[test]
    fn zero_is_zero_and_real_is_not() {
        let mut zero = Random::new(&Randomness::Zero);
        assert_eq!(random::Host::get_random_bytes(&mut zero, 4).unwrap(), [0; 4]);
        assert_eq!(insecure::Host::get_insecure_random_u64(&mut zero).unwrap(), 0);
        assert_eq!(insecure_seed::Host::insecure_seed(&mut zero).unwrap(), (0, 0));

        let mut real = Random::new(&Randomness::Real);
        assert_ne!(random::Host::get_random_bytes(&mut real, 32).unwrap(), [0; 32]);
    }

    #[test]
    fn a_draw_is_bounded() {
        for mut random in [Random::new(&Randomness::Real), Random::new(&Randomness::Zero)] {
            assert!(random::Host::get_random_bytes(&mut random, MAX_DRAW_BYTES).is_ok());
            assert!(random::Host::get_random_bytes(&mut random, MAX_DRAW_BYTES + 1).is_err());
            assert!(insecure::Host::get_insecure_random_bytes(&mut random, u64::MAX).is_err());
        }
    }
}
