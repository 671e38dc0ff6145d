//! Inputs that want to break the tool. Whatever they are, the tool ends by itself and soon, with a
//! coded diagnostic, a documented exit code, and one valid report.
//!
//! | module | inputs |
//! |---|---|
//! | `corpus` | the stored sources in `tests/hostile` |
//! | `text` | depth, size, numbers, encodings of JSON |
//! | `mutated` | each kind of document with each of its nodes replaced |
//! | `files` | pipes, folders, links, paths, sizes |
//! | `modules` | truncated, flipped and lying wasm |
//! | `sites` | damaged tables of source places |

mod corpus;
mod files;
mod modules;
mod mutated;
mod sites;
mod text;

use crate::support::{Place, Run, root};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

/// No input may keep the tool busy for longer, even on a slow machine.
const HANG: Duration = Duration::from_secs(60);

/// Asserts that the tool survived an input; yields its report.
#[track_caller]
pub fn survived(run: &Run, what: &str) -> Value {
    assert!(run.took < HANG, "{what}: it took {:?}", run.took);
    assert!([0, 1, 3, 4].contains(&run.status), "{what}: exit status {}\n{}", run.status, run.stderr);
    let report = run.report();
    let errors =
        report["diagnostics"].as_array().map_or(0, |list| list.iter().filter(|d| d["severity"] == "error").count());
    assert_eq!(errors == 0, run.status == 0, "{what}: {report:#}");
    assert!(!report.to_string().contains("X07WASM_INTERNAL_"), "{what}: {report:#}");
    report
}

/// Asserts that the tool survived and refused an input with this exit status and one of these codes.
#[track_caller]
pub fn refused(run: &Run, status: i32, codes: &[&str]) -> Value {
    let report = survived(run, "refused");
    assert_eq!(run.status, status, "{report:#}");
    let found = crate::support::codes(&report);
    assert!(found.iter().any(|c| codes.contains(&c.as_str())), "none of {codes:?} in {report:#}");
    report
}

/// A folder with the echo project `app`.
pub fn app() -> Place {
    let place = Place::new();
    place.project("app", &json!(["view.to_bytes", "input"]));
    place
}

/// The text of an entry whose expression is this text.
pub fn entry(solve: &str) -> String {
    format!(
        r#"{{"schema_version":"x07.x07ast@0.8.0","kind":"entry","module_id":"main","imports":[],"decls":[],"solve":{solve}}}"#
    )
}

/// The built-in release profile under the id `mine`.
pub fn profile() -> Value {
    let text = fs::read_to_string(root().join("arch/wasm/profiles/wasm_release.json")).expect("readable");
    let mut document: Value = serde_json::from_str(&text).expect("JSON");
    document["id"] = json!("mine");
    document
}

/// A profile that asks for no particular memory and gives an arena of 1024 bytes.
pub fn loose_profile() -> Value {
    let mut document = profile();
    document["wasm_ld"]["ldflags"] = json!(["--no-entry"]);
    document["defaults"]["arena_cap_bytes"] = json!(1024);
    document
}

/// Numbers that look random and are the same in every run.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        // Knuth's linear congruential generator; its high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }
}
