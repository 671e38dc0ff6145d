//! Real clocks and random numbers that remember what they gave.

use super::unsatisfied;
use crate::engine::component::{ClockSource, RandomSource};
use crate::report::{Diag, Stage};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use x07_wasm_contracts::types::{
    WasmCapsEvidence, WasmCapsEvidenceClocks, WasmCapsEvidenceRandom, WasmCapsEvidenceSecretProvided as Provided,
    WasmCapsEvidenceSecrets,
};

/// Most readings of one clock that are kept. A document of all that may be kept can still be read.
pub(super) const MAX_READINGS: usize = 1 << 16;
/// Most bytes of secure random numbers that are kept.
const MAX_SECURE_BYTES: usize = 2 << 20;
/// Most bytes of insecure random numbers that are kept.
const MAX_INSECURE_BYTES: usize = 1 << 20;
/// Random bytes that are fetched from the system at a time: guests ask for few at a time, and often.
const POOL_BYTES: usize = 1024;

/// A record of one request.
pub struct Recording {
    clocks: Arc<RecordingClock>,
    random: Arc<RecordingRandom>,
    secrets: Vec<Provided>,
}

impl Recording {
    pub(super) fn new() -> Self {
        Self {
            clocks: Arc::new(RecordingClock { started: OnceLock::new(), readings: Mutex::default() }),
            random: Arc::new(RecordingRandom {
                secure: Mutex::new(Stream::new(MAX_SECURE_BYTES)),
                insecure: Mutex::new(Stream::new(MAX_INSECURE_BYTES)),
                seed: Mutex::default(),
            }),
            secrets: Vec::new(),
        }
    }

    /// The clocks of a call. Monotonic time begins when a call is first given them, and not with what
    /// the command did before.
    pub(super) fn clocks(&self) -> Arc<dyn ClockSource> {
        self.clocks.started();
        Arc::<RecordingClock>::clone(&self.clocks)
    }

    pub(super) fn random(&self) -> Arc<dyn RandomSource> {
        Arc::<RecordingRandom>::clone(&self.random)
    }

    pub(super) fn gave(&mut self, secrets: Vec<Provided>) {
        self.secrets = secrets;
    }

    /// The record.
    pub(super) fn finish(self) -> Result<WasmCapsEvidence, Diag> {
        let readings = std::mem::take(&mut *locked(&self.clocks.readings));
        let seed = locked(&self.random.seed).unwrap_or(0);
        let (secure, insecure) = (locked(&self.random.secure), locked(&self.random.insecure));
        let failure = [&secure, &insecure].into_iter().find_map(|stream| stream.failure.clone());
        if let Some(reason) = failure {
            return Err(unsatisfied(&format!("the system gave no random numbers: {reason}")).stage(Stage::Run));
        }
        if readings.lost || secure.lost || insecure.lost {
            let message = format!(
                "the request read more than a record holds ({MAX_READINGS} readings of a clock, {MAX_SECURE_BYTES} secure and {MAX_INSECURE_BYTES} insecure random bytes), so nothing was recorded; record a smaller request"
            );
            return Err(unsatisfied(&message).stage(Stage::Run));
        }
        Ok(WasmCapsEvidence {
            schema_version: "x07.wasm.caps.evidence@0.1.0".to_owned(),
            v: 1,
            clocks: WasmCapsEvidenceClocks {
                wall_clock_now_ns: readings.wall,
                monotonic_clock_now_ns: readings.monotonic,
            },
            random: WasmCapsEvidenceRandom {
                secure_random_bytes_b64: STANDARD.encode(&secure.kept),
                insecure_random_bytes_b64: STANDARD.encode(&insecure.kept),
                insecure_seed_u128: seed.to_string(),
            },
            secrets: WasmCapsEvidenceSecrets { provided: self.secrets },
        })
    }
}

/// A thread that panicked while it held a lock left nothing half-done behind.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct RecordingClock {
    started: OnceLock<Instant>,
    readings: Mutex<Readings>,
}

impl RecordingClock {
    fn started(&self) -> Instant {
        *self.started.get_or_init(Instant::now)
    }
}

#[derive(Default)]
struct Readings {
    wall: Vec<u64>,
    monotonic: Vec<u64>,
    /// Whether there were more than are kept.
    lost: bool,
}

impl ClockSource for RecordingClock {
    fn wall_ns(&self) -> u64 {
        let mut readings = locked(&self.readings);
        // A clock before 1970 shows 1970.
        let now = nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos());
        let Readings { wall, lost, .. } = &mut *readings;
        keep(wall, now, lost);
        now
    }

    fn monotonic_ns(&self) -> u64 {
        let mut readings = locked(&self.readings);
        let now = nanoseconds(self.started().elapsed().as_nanos());
        let Readings { monotonic, lost, .. } = &mut *readings;
        keep(monotonic, now, lost);
        now
    }
}

fn nanoseconds(count: u128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn keep(list: &mut Vec<u64>, reading: u64, lost: &mut bool) {
    if list.len() < MAX_READINGS {
        list.push(reading);
    } else {
        *lost = true;
    }
}

struct RecordingRandom {
    secure: Mutex<Stream>,
    insecure: Mutex<Stream>,
    /// Drawn when it is first asked for.
    seed: Mutex<Option<u128>>,
}

impl RandomSource for RecordingRandom {
    fn secure(&self, out: &mut [u8]) {
        locked(&self.secure).draw(out);
    }

    fn insecure(&self, out: &mut [u8]) {
        locked(&self.insecure).draw(out);
    }

    fn insecure_seed(&self) -> u128 {
        *locked(&self.seed).get_or_insert_with(|| {
            let mut bytes = [0; 16];
            if let Err(error) = getrandom::fill(&mut bytes) {
                locked(&self.insecure).failure = Some(error.to_string());
            }
            u128::from_le_bytes(bytes)
        })
    }
}

/// A stream of random bytes and what was given out of it.
struct Stream {
    /// Fetched and not yet given.
    pool: Vec<u8>,
    kept: Vec<u8>,
    limit: usize,
    /// Whether more was given than is kept.
    lost: bool,
    /// Why the system gave nothing. The guest got zeros then, and the record is refused.
    failure: Option<String>,
}

impl Stream {
    fn new(limit: usize) -> Self {
        Self { pool: Vec::new(), kept: Vec::new(), limit, lost: false, failure: None }
    }

    fn draw(&mut self, out: &mut [u8]) {
        if out.len() > POOL_BYTES {
            self.fetch(out);
        } else {
            if self.pool.len() < out.len() {
                let mut pool = vec![0; POOL_BYTES];
                self.fetch(&mut pool);
                self.pool = pool;
            }
            // The pool holds at least as many bytes as are asked for.
            let at = self.pool.len().saturating_sub(out.len());
            for (byte, fetched) in out.iter_mut().zip(self.pool.drain(at..)) {
                *byte = fetched;
            }
        }
        if self.kept.len() + out.len() <= self.limit {
            self.kept.extend_from_slice(out);
        } else {
            self.lost = true;
        }
    }

    fn fetch(&mut self, out: &mut [u8]) {
        if let Err(error) = getrandom::fill(out) {
            out.fill(0);
            self.failure = Some(error.to_string());
        }
    }
}
