//! The capabilities of a backend, read once.

use super::network::Rules;
use super::secrets;
use crate::contract::path::normal_relative;
use crate::engine::component::OutgoingPolicy;
use crate::report::{Code, Diag};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
pub use x07_wasm_contracts::types::AppCapabilitiesClocksMode as ClocksMode;
pub use x07_wasm_contracts::types::AppCapabilitiesRandomMode as RandomMode;
use x07_wasm_contracts::types::{AppCapabilities, AppCapabilitiesFsPreopen, AppCapabilitiesFsPreopenMode};

/// What a backend may reach. A value of this type keeps the rules of its document that the schema
/// cannot express: ranges are ranges, and no two things are given under one name.
#[derive(Debug)]
pub struct Capabilities {
    id: String,
    folders: Vec<Folder>,
    variables: Vec<String>,
    secrets: Vec<String>,
    network: Rules,
    clocks: ClocksMode,
    random: RandomMode,
}

/// A folder that is open to the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// As written: relative to the base folder, and the name under which the guest sees it.
    pub path: String,
    /// Whether files in it may be changed.
    pub writable: bool,
}

impl Capabilities {
    /// Takes a document in.
    ///
    /// # Errors
    /// Every rule that the document breaks although it satisfies its schema.
    pub fn parse(document: AppCapabilities) -> Result<Self, Vec<Diag>> {
        let mut problems = Problems { id: document.id.clone(), found: Vec::new() };
        let folders = folders(&document.fs.preopens, &mut problems);
        let variables = once_each(&document.env.allow);
        let secrets = once_each(&document.secrets.allow);
        check_variables(&document, &mut problems);
        let network =
            Rules::parse(&document.network, &mut |pointer: &str, message: &str| problems.add(pointer, message));
        if !problems.found.is_empty() {
            return Err(problems.found);
        }
        Ok(Self {
            id: document.id,
            folders,
            variables,
            secrets,
            network,
            clocks: document.clocks.mode,
            random: document.random.mode,
        })
    }

    /// The id of the document.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The folders that are open to the backend.
    #[must_use]
    pub fn folders(&self) -> &[Folder] {
        &self.folders
    }

    /// The environment variables that the backend sees, where they are set.
    #[must_use]
    pub fn variables(&self) -> &[String] {
        &self.variables
    }

    /// The ids of the secrets that the backend is given.
    #[must_use]
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// What clocks show.
    #[must_use]
    pub fn clocks_mode(&self) -> ClocksMode {
        self.clocks
    }

    /// What random numbers are.
    #[must_use]
    pub fn random_mode(&self) -> RandomMode {
        self.random
    }

    /// Whether clocks or random numbers have to be recorded or played back.
    #[must_use]
    pub fn records(&self) -> bool {
        self.clocks == ClocksMode::Record || self.random == RandomMode::Record
    }

    /// The rules for the network.
    #[must_use]
    pub fn network(&self) -> &Rules {
        &self.network
    }

    /// The rules for outgoing requests, as the engine asks for them.
    #[must_use]
    pub fn policy(self: &Arc<Self>) -> Arc<dyn OutgoingPolicy> {
        Arc::<Self>::clone(self)
    }
}

/// What is wrong with a document.
struct Problems {
    id: String,
    found: Vec<Diag>,
}

impl Problems {
    fn add(&mut self, pointer: &str, message: &str) {
        self.found.push(
            Diag::new(Code::CapsSchemaInvalid, format!("capabilities {} at {pointer}: {message}", self.id))
                .data("capabilities_id", self.id.as_str())
                .data("instance_path", pointer),
        );
    }
}

/// The folders, each spelling once. One folder with two modes would leave open which of them holds.
fn folders(listed: &[AppCapabilitiesFsPreopen], problems: &mut Problems) -> Vec<Folder> {
    let mut kept: Vec<Folder> = Vec::with_capacity(listed.len());
    for (i, entry) in listed.iter().enumerate() {
        let folder = Folder { path: entry.path.clone(), writable: entry.mode == AppCapabilitiesFsPreopenMode::Rw };
        let place = normal_relative(&folder.path);
        let other = kept.iter().find(|f| f.writable != folder.writable && normal_relative(&f.path) == place);
        if let Some(other) = other {
            problems.add(
                &format!("/fs/preopens/{i}/mode"),
                &format!(
                    "the folder {:?} is listed before as {:?} with another mode; keep one of the entries",
                    entry.path, other.path
                ),
            );
        } else if !kept.contains(&folder) {
            kept.push(folder);
        }
    }
    kept
}

/// Secrets are given as environment variables; no two of them, and no variable that is passed on,
/// may have the same name.
fn check_variables(document: &AppCapabilities, problems: &mut Problems) {
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    for (i, id) in document.secrets.allow.iter().enumerate() {
        let variable = secrets::variable(id);
        match taken.get(&variable) {
            Some(other) if *other != id => problems.add(
                &format!("/secrets/allow/{i}"),
                &format!("the secrets {other:?} and {id:?} would both be given as {variable}; rename one of them"),
            ),
            _ => {
                taken.insert(variable, id);
            }
        }
    }
    for (i, variable) in document.env.allow.iter().enumerate() {
        if let Some(id) = taken.get(variable) {
            problems.add(
                &format!("/env/allow/{i}"),
                &format!("{variable} is the variable of the secret {id:?}; remove it here, the secret is enough"),
            );
        }
    }
}

/// A list without what stands in it before.
fn once_each(list: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    list.iter().filter(|item| seen.insert(item.as_str())).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::tests::{capabilities, document};
    use serde_json::{Value, json};

    fn problems(change: impl FnOnce(&mut Value)) -> Vec<(String, String)> {
        let found = Capabilities::parse(document(change)).expect_err("a problem");
        found
            .into_iter()
            .map(|d| {
                let d = d.build();
                assert_eq!(d.code, "X07WASM_CAPS_SCHEMA_INVALID");
                let place = d.data.as_ref().and_then(|data| data["instance_path"].as_str()).expect("a place");
                (place.to_owned(), d.message.clone())
            })
            .collect()
    }

    #[test]
    fn a_document_is_taken_in() {
        let caps = capabilities(|d| {
            d["fs"]["preopens"] =
                json!([{"path": "a", "mode": "ro"}, {"path": "b", "mode": "rw"}, {"path": "a", "mode": "ro"}]);
            d["env"]["allow"] = json!(["B", "A", "B"]);
            d["secrets"]["allow"] = json!(["api_key", "api_key", "db.password"]);
            d["clocks"]["mode"] = json!("record");
            d["random"]["mode"] = json!("allow");
        });
        let folder = |path: &str, writable| Folder { path: path.to_owned(), writable };
        assert_eq!(caps.folders(), [folder("a", false), folder("b", true)]);
        assert_eq!(
            (caps.id(), caps.variables(), caps.secrets()),
            ("c", &["B".to_owned(), "A".to_owned()][..], &["api_key".to_owned(), "db.password".to_owned()][..])
        );
        assert_eq!(
            (caps.clocks_mode(), caps.random_mode(), caps.records()),
            (ClocksMode::Record, RandomMode::Allow, true)
        );
        assert!(!capabilities(|_| {}).records());
    }

    #[test]
    fn a_folder_has_one_mode_however_it_is_spelled() {
        for other in ["pre/ro", "./pre/ro", "pre//ro/", "pre/./ro"] {
            let listed = |mode: &str| json!([{"path": "pre/ro", "mode": "ro"}, {"path": other, "mode": mode}]);
            let found = problems(|d| d["fs"]["preopens"] = listed("rw"));
            assert_eq!(found.first().map(|(place, _)| place.as_str()), Some("/fs/preopens/1/mode"), "{other}");
            let caps = capabilities(|d| d["fs"]["preopens"] = listed("ro"));
            assert_eq!(caps.folders().len(), if other == "pre/ro" { 1 } else { 2 }, "{other}");
        }
        let caps = capabilities(|d| {
            d["fs"]["preopens"] = json!([{"path": "pre", "mode": "ro"}, {"path": "pre/rw", "mode": "rw"}]);
        });
        assert_eq!(caps.folders().len(), 2);
    }

    #[test]
    fn all_problems_are_told_with_their_places() {
        let found = problems(|d| {
            d["fs"]["preopens"] = json!([{"path": "a", "mode": "ro"}, {"path": "a", "mode": "rw"}]);
            d["secrets"]["allow"] = json!(["a.b", "a_b"]);
            d["env"]["allow"] = json!(["HOME", "X07_SECRET_A_B"]);
            d["network"]["hardening"]["allow_ip_cidrs"] = json!(["10.0.0.0/8", "10.0.0.0/40", "1.2.3/8"]);
        });
        let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(
            places,
            [
                "/fs/preopens/1/mode",
                "/secrets/allow/1",
                "/env/allow/1",
                "/network/hardening/allow_ip_cidrs/1",
                "/network/hardening/allow_ip_cidrs/2"
            ]
        );
        assert!(
            found[1].1.contains("X07_SECRET_A_B") && found[1].1.starts_with("capabilities c at "),
            "{}",
            found[1].1
        );
    }
}
