//! What a reducer may ask of its host, and how the host does it.
//!
//! An effect that fails gives the reducer an error result, and the report a problem: the request goes
//! on, and the command fails.

use super::fetch::{ALLOW_HOSTS_VARIABLE, AllowHosts, Fetcher, MAX_RESPONSE_BYTES, Rights};
use super::kv::Store;
use super::payload;
use super::until::Until;
use crate::caps::{Capabilities, ClocksMode};
use crate::report::diagnostic::clip;
use crate::report::{Code, Diag};
use std::io::Write as _;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use x07_wasm_contracts::types::{
    HttpEffectEffectRequest as Effect, HttpEffectEffectResult as EffectResult, HttpEffectEffectType as EffectType,
    HttpEffectErrResult, HttpEffectHttpFetch, HttpEffectHttpFetchResult, HttpEffectKvGet, HttpEffectKvGetResult,
    HttpEffectKvPut, HttpEffectKvPutResult, HttpEffectLogEmit, HttpEffectLogEmitResult, HttpEffectTimeNow,
    HttpEffectTimeNowResult,
};

/// Characters of an error that a document can hold.
const MAX_ERROR: usize = 4096;

/// The host of a command's reducer: one store, one clock, one set of permissions for all requests.
pub struct Effects {
    store: Store,
    fetcher: Fetcher,
    clock_denied: bool,
}

/// What an effect used that may be different the next time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// A request was sent over the network.
    pub network: bool,
    /// The clock was read.
    pub clock: bool,
}

impl Used {
    /// Adds what another effect used.
    pub fn add(&mut self, other: Self) {
        self.network |= other.network;
        self.clock |= other.clock;
    }
}

/// What became of one effect.
#[derive(Debug)]
pub struct Performed {
    /// The result for the reducer.
    pub result: EffectResult,
    /// Bytes of payload that it brought; more than were left where it was cut off for that reason.
    pub bytes: u64,
    /// Why it failed.
    pub problem: Option<Diag>,
    /// What it used.
    pub used: Used,
}

impl Performed {
    fn done(result: impl Into<EffectResult>, bytes: u64) -> Self {
        Self { result: result.into(), bytes, problem: None, used: Used::default() }
    }

    fn failed(id: &str, type_: EffectType, error: String, problem: Diag) -> Self {
        let error = if error.is_empty() { "the effect failed".to_owned() } else { clip(error, MAX_ERROR) };
        let result = HttpEffectErrResult { id: id.to_owned(), type_, ok: false, error };
        let problem = problem.data("effect_id", id).data("effect_type", type_.to_string());
        Self { result: result.into(), bytes: 0, problem: Some(problem), used: Used::default() }
    }
}

impl Effects {
    /// Effects without an ops profile: the real clock, and the hosts of a list like that of
    /// [`ALLOW_HOSTS_VARIABLE`].
    #[must_use]
    pub fn without_profile(allowed_hosts: &str) -> Self {
        Self {
            store: Store::default(),
            fetcher: Fetcher::new(Arc::new(AllowHosts::parse(allowed_hosts)), Rights::Variable),
            clock_denied: false,
        }
    }

    /// Effects as capabilities allow them. A clock that is to be recorded is read like one that is
    /// allowed: a trace holds what the reducer saw.
    #[must_use]
    pub fn with_capabilities(capabilities: &Arc<Capabilities>) -> Self {
        Self {
            store: Store::default(),
            fetcher: Fetcher::new(capabilities.policy(), Rights::Capabilities),
            clock_denied: capabilities.clocks_mode() == ClocksMode::Deny,
        }
    }

    /// The list of hosts that the environment gives; empty when it gives none.
    #[must_use]
    pub fn hosts_of_the_environment() -> String {
        std::env::var(ALLOW_HOSTS_VARIABLE).unwrap_or_default()
    }

    /// Carries out one effect for a request that may still receive `left` bytes of payload and has
    /// time `until` then.
    #[must_use]
    pub fn perform(&self, request_id: &str, effect: &Effect, left: u64, until: Until<'_>) -> Performed {
        match effect {
            Effect::KvGet(effect) => self.get(effect),
            Effect::KvPut(effect) => self.put(effect),
            Effect::HttpFetch(effect) => self.fetch(effect, left, until),
            Effect::LogEmit(effect) => log(request_id, effect),
            Effect::TimeNow(effect) => self.now(effect),
        }
    }

    fn get(&self, effect: &HttpEffectKvGet) -> Performed {
        let value = self.store.get(&effect.key);
        let bytes = value.as_ref().map_or(0, |v| v.len() as u64);
        let result = HttpEffectKvGetResult {
            id: effect.id.clone(),
            type_: effect.type_.clone(),
            ok: true,
            found: value.is_some(),
            value: value.as_deref().map(payload::encode),
        };
        Performed::done(result, bytes)
    }

    /// Stores a value for as long as the command runs, whatever `ttl_ms` says.
    fn put(&self, effect: &HttpEffectKvPut) -> Performed {
        let stored = payload::decode(&effect.value)
            .map_err(|error| error.to_string())
            .and_then(|value| self.store.put(&effect.key, value).map_err(|error| error.to_string()));
        match stored {
            Ok(()) => {
                let (id, type_) = (effect.id.clone(), effect.type_.clone());
                Performed::done(HttpEffectKvPutResult { id, type_, ok: true, written: true }, 0)
            }
            Err(reason) => {
                let message = format!("kv.put of the key {:?} failed: {reason}", effect.key);
                let problem = Diag::new(Code::HttpEffectKvIoFailed, message);
                Performed::failed(&effect.id, EffectType::KvPut, format!("kv.put failed: {reason}"), problem)
            }
        }
    }

    fn fetch(&self, effect: &HttpEffectHttpFetch, left: u64, until: Until<'_>) -> Performed {
        let fetched = self.fetcher.fetch(effect, left.min(MAX_RESPONSE_BYTES), until);
        let mut performed = match fetched.answer {
            Ok(response) => {
                let bytes = response.body.bytes_len;
                let (id, type_) = (effect.id.clone(), effect.type_.clone());
                Performed::done(HttpEffectHttpFetchResult { id, type_, ok: true, response }, bytes)
            }
            Err(refused) => {
                // Where the request may not receive that much, its own limit is what was hit.
                let over = refused.too_large && left < MAX_RESPONSE_BYTES;
                let failed = Performed::failed(&effect.id, EffectType::HttpFetch, refused.error, refused.diag);
                if over {
                    Performed { bytes: left + 1, problem: None, ..failed }
                } else if fetched.given_up {
                    // Why the request ends is told by whoever ends it.
                    Performed { problem: None, ..failed }
                } else {
                    failed
                }
            }
        };
        performed.used.network = fetched.sent;
        performed
    }

    fn now(&self, effect: &HttpEffectTimeNow) -> Performed {
        if self.clock_denied {
            let message = "the reducer asked for the time, but `clocks.mode` of the capabilities is `deny`; set it to `allow`, or do without";
            let problem = Diag::new(Code::CapsClockDenied, message);
            let error = "time.now denied by capabilities".to_owned();
            return Performed::failed(&effect.id, EffectType::TimeNow, error, problem);
        }
        // A clock before 1970 is a clock that was never set.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let (id, type_) = (effect.id.clone(), effect.type_.clone());
        let mut performed = Performed::done(HttpEffectTimeNowResult { id, type_, ok: true, unix_ms }, 0);
        performed.used.clock = true;
        performed
    }
}

/// Writes a line to standard error. Nobody can be told if that fails.
fn log(request_id: &str, effect: &HttpEffectLogEmit) -> Performed {
    let line = log_line(request_id, effect);
    let _ = writeln!(std::io::stderr().lock(), "{line}");
    let (id, type_) = (effect.id.clone(), effect.type_.clone());
    Performed::done(HttpEffectLogEmitResult { id, type_, ok: true, emitted: true }, 0)
}

/// One line, whatever the message is: what would end it or steer a terminal is shown as an escape.
fn log_line(request_id: &str, effect: &HttpEffectLogEmit) -> String {
    let mut line = format!("[{request_id}] {}: ", effect.level);
    for c in effect.message.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Contract;
    use crate::contract::validate::violations;
    use serde_json::{Value, json};
    use std::sync::atomic::AtomicBool;
    use x07_wasm_contracts::types::HttpEffect;

    fn perform(effects: &Effects, effect: &Value) -> (Value, Performed) {
        assert_eq!(violations(HttpEffect::INFO, effect), [], "{effect}");
        let effect: Effect = serde_json::from_value(effect.clone()).expect("an effect");
        let nobody_leaves = AtomicBool::new(false);
        let performed = effects.perform("req0", &effect, 1 << 20, Until::within(60_000, &nobody_leaves));
        let result = serde_json::to_value(&performed.result).expect("JSON");
        assert_eq!(violations(HttpEffect::INFO, &result), [], "{result}");
        (result, performed)
    }

    fn code(performed: &Performed) -> &'static str {
        performed.problem.as_ref().and_then(Diag::code).map_or("", Code::as_str)
    }

    #[test]
    fn what_is_put_is_got() {
        let effects = Effects::without_profile("");
        let get = json!({"id": "g", "type": "kv.get", "key": "k"});
        let (missing, _) = perform(&effects, &get);
        assert_eq!(missing, json!({"id": "g", "type": "kv.get", "ok": true, "found": false, "value": null}));
        let put =
            json!({"id": "p", "type": "kv.put", "key": "k", "value": {"bytes_len": 2, "text": "hi"}, "ttl_ms": 1});
        let (written, _) = perform(&effects, &put);
        assert_eq!(written, json!({"id": "p", "type": "kv.put", "ok": true, "written": true}));
        let (found, performed) = perform(&effects, &get);
        assert_eq!(found["value"], json!({"bytes_len": 2, "text": "hi", "base64": "aGk="}));
        assert_eq!((performed.bytes, performed.problem.is_none()), (2, true));
    }

    #[test]
    fn a_value_that_does_not_decode_is_not_stored() {
        let effects = Effects::without_profile("");
        let put = json!({"id": "p", "type": "kv.put", "key": "k", "value": {"bytes_len": 3, "text": "hi"}});
        let (result, performed) = perform(&effects, &put);
        assert_eq!(result["ok"], false);
        assert!(result["error"].as_str().is_some_and(|e| e.contains("bytes_len")), "{result}");
        assert_eq!(code(&performed), "X07WASM_HTTP_EFFECT_KV_IO_FAILED");
        let (got, _) = perform(&effects, &json!({"id": "g", "type": "kv.get", "key": "k"}));
        assert_eq!(got["found"], false);
    }

    #[test]
    fn the_time_is_that_of_the_clock_unless_it_is_denied() {
        let mut effects = Effects::without_profile("");
        let now = json!({"id": "n", "type": "time.now"});
        let (result, performed) = perform(&effects, &now);
        assert!(result["unix_ms"].as_u64().is_some_and(|ms| ms > 1_600_000_000_000), "{result}");
        assert_eq!(performed.used, Used { clock: true, network: false });
        effects.clock_denied = true;
        let (result, performed) = perform(&effects, &now);
        assert_eq!(
            result,
            json!({"id": "n", "type": "time.now", "ok": false, "error": "time.now denied by capabilities"})
        );
        assert_eq!((code(&performed), performed.used), ("X07WASM_CAPS_CLOCK_DENIED", Used::default()));
    }

    #[test]
    fn a_host_that_is_not_listed_is_not_asked() {
        let effects = Effects::without_profile("example.org");
        let fetch = json!({"id": "f", "type": "http.fetch", "method": "GET", "url": "http://example.com/", "headers": [], "body": {"bytes_len": 0}});
        let (result, performed) = perform(&effects, &fetch);
        assert_eq!((result["ok"].clone(), performed.used), (json!(false), Used::default()));
        assert_eq!(code(&performed), "X07WASM_HTTP_EFFECT_HTTP_FETCH_FAILED");
    }

    #[test]
    fn a_log_line_is_one_line() {
        let effect =
            json!({"id": "l", "type": "log.emit", "level": "warn", "message": "a\nb\u{1b}[2J é", "fields": {"a": 1}});
        let (result, _) = perform(&Effects::without_profile(""), &effect);
        assert_eq!(result, json!({"id": "l", "type": "log.emit", "ok": true, "emitted": true}));
        let effect: HttpEffectLogEmit = serde_json::from_value(effect).expect("an effect");
        assert_eq!(log_line("req0", &effect), "[req0] warn: a\\nb\\u{1b}[2J é");
    }
}
