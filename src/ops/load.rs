//! Reads an ops profile and the documents that it refers to.
//!
//! A profile that violates its schema is followed as far as it can be, so that one run tells what is
//! wrong with all of the documents.

use crate::caps::Capabilities;
use crate::contract::Contract;
use crate::contract::digest::sha256_hex;
use crate::contract::files::{Files, MAX_DOCUMENT_BYTES, shown};
use crate::contract::load;
use crate::contract::path::{normal_relative, safe_join};
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Diag, DocumentCodes, Severity, Stage};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use x07_wasm_contracts::types::{AppCapabilities, AppOpsProfile, PolicyCard, SloProfile};

/// The kind of provenance that is known.
const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";

const PROFILE_CODES: DocumentCodes = DocumentCodes {
    read: Code::OpsProfileReadFailed,
    json: Code::OpsProfileSchemaInvalid,
    schema: Code::OpsProfileSchemaInvalid,
};
const REFERENCE_CODES: DocumentCodes =
    DocumentCodes { read: Code::OpsRefMissing, json: Code::OpsRefSchemaInvalid, schema: Code::OpsRefSchemaInvalid };

/// What a profile is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To serve under it.
    Serve,
    /// To look at it.
    Inspect,
}

/// What became of a profile.
#[derive(Debug)]
pub struct Loaded {
    /// The profile, if it is valid.
    pub profile: Option<AppOpsProfile>,
    /// Its capabilities, if they are valid.
    pub capabilities: Option<Arc<Capabilities>>,
    /// What is wrong, and warnings. Every error is of stage `parse`.
    pub diags: Vec<Diag>,
}

impl Loaded {
    /// Whether something is wrong: nothing may be served under the profile then.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.diags.iter().any(|d| d.clone().build().severity == Severity::Error)
    }
}

/// Reads a profile, its capabilities, its policy cards in order and its service levels, in this order.
/// Paths in the profile are relative to the current folder, like `path` itself.
#[must_use]
pub fn load(files: &mut Files, path: &Path, purpose: Purpose) -> Loaded {
    let name = shown(path);
    let mut loaded = Loaded { profile: None, capabilities: None, diags: Vec::new() };
    let bytes = match files.read(path, MAX_DOCUMENT_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            loaded.diags.push(unreadable(PROFILE_CODES.read, "ops profile", &error));
            return loaded;
        }
    };
    let value = match load::from_bytes::<AppOpsProfile>(&name, &bytes) {
        Ok(document) => {
            loaded.profile = Some(document.document);
            document.value
        }
        Err(error) => {
            loaded.diags.extend(PROFILE_CODES.diagnose("ops profile", &error));
            // What is JSON can be followed, even if it is not quite a profile.
            load::json_from_bytes(&name, &bytes).unwrap_or_default()
        }
    };
    let mut profile = Profile { files, name: &name, value: &value, diags: &mut loaded.diags };
    let capabilities = profile.follow::<AppCapabilities>("capabilities", "/capabilities");
    let cards = value.get("policy_cards").and_then(Value::as_array).map_or(0, Vec::len);
    for i in 0..cards {
        profile.follow::<PolicyCard>("policy card", &format!("/policy_cards/{i}"));
    }
    profile.follow::<SloProfile>("service level profile", "/slo");
    profile.check_strategy();
    profile.check_provenance(purpose);
    match capabilities.map(Capabilities::parse) {
        Some(Ok(capabilities)) => loaded.capabilities = Some(Arc::new(capabilities)),
        Some(Err(problems)) => loaded.diags.extend(problems),
        None => {}
    }
    loaded
}

/// A profile whose references are followed.
struct Profile<'a> {
    files: &'a mut Files,
    name: &'a str,
    value: &'a Value,
    diags: &'a mut Vec<Diag>,
}

impl Profile<'_> {
    /// Reads the document that a reference names. What is no reference has been reported with the
    /// profile already.
    fn follow<T: Contract>(&mut self, what: &str, pointer: &str) -> Option<T> {
        let reference = self.value.pointer(pointer)?;
        let path = reference.get("path")?.as_str()?;
        let bytes = self.read(what, pointer, path)?;
        if let Some(expected) = reference.get("sha256").and_then(Value::as_str) {
            let actual = sha256_hex(&bytes);
            if actual != expected {
                self.diags.push(
                    Diag::new(
                        Code::OpsRefDigestMismatch,
                        format!(
                            "{what} {path} is not the file that {} pins at {pointer}/sha256: its digest is {actual}; restore the file, or pin the new digest",
                            self.name
                        ),
                    )
                    .data("path", path)
                    .data("expected_sha256", expected)
                    .data("actual_sha256", actual),
                );
            }
        }
        match load::from_bytes::<T>(path, &bytes) {
            Ok(loaded) => Some(loaded.document),
            Err(error) => {
                self.diags.extend(REFERENCE_CODES.diagnose(what, &error));
                None
            }
        }
    }

    fn read(&mut self, what: &str, pointer: &str, path: &str) -> Option<Vec<u8>> {
        let place = format!("{pointer}/path");
        let relative = normal_relative(path);
        let file = match safe_join(Path::new(""), &relative) {
            Ok(file) => file,
            Err(error) => {
                let code = if relative.is_empty() { Code::OpsRefSchemaInvalid } else { Code::OpsRefMissing };
                self.diags.push(
                    Diag::new(
                        code,
                        format!("{} names its {what} at {place} by a path that is not followed: {error}", self.name),
                    )
                    .data("path", path)
                    .data("instance_path", place),
                );
                return None;
            }
        };
        match self.files.read(&file, MAX_DOCUMENT_BYTES) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.diags.push(
                    unreadable(REFERENCE_CODES.read, what, &error)
                        .data("path", path)
                        .data("instance_path", place)
                        .note(format!("{} names it at {pointer}", self.name)),
                );
                None
            }
        }
    }

    /// A canary rollout can only be analysed where service levels say what is good.
    fn check_strategy(&mut self) {
        let text = |pointer: &str| self.value.pointer(pointer).and_then(Value::as_str);
        let has_slo = self.value.get("slo").is_some_and(|slo| !slo.is_null());
        if has_slo || text("/deploy/strategy") != Some("canary") {
            return;
        }
        let steps = self.value.pointer("/deploy/canary/steps").and_then(Value::as_array);
        let Some(at) = steps.and_then(|steps| steps.iter().position(|step| step.get("analysis").is_some())) else {
            return;
        };
        let pointer = format!("/deploy/canary/steps/{at}");
        self.diags.push(
            Diag::new(
                Code::OpsDeployStrategyInvalid,
                format!(
                    "ops profile {} at {pointer}: the step analyses service levels, but `slo` names none; name a service level profile, or remove the step",
                    self.name
                ),
            )
            .data("file", self.name)
            .data("instance_path", pointer),
        );
    }

    fn check_provenance(&mut self, purpose: Purpose) {
        let Some(provenance) = self.value.get("provenance") else { return };
        let predicate = provenance.get("predicate_type").and_then(Value::as_str);
        if let Some(other) = predicate.filter(|predicate| *predicate != PREDICATE_TYPE) {
            self.diags.push(
                Diag::new(
                    Code::OpsProvenanceRequirementsInvalid,
                    format!(
                        "ops profile {} at /provenance/predicate_type: {other:?} is not known; write {PREDICATE_TYPE}",
                        self.name
                    ),
                )
                .data("file", self.name)
                .data("instance_path", "/provenance/predicate_type"),
            );
        }
        let verify = provenance.get("verify_on_serve").and_then(Value::as_bool) == Some(true);
        if verify && purpose == Purpose::Serve {
            self.diags.push(
                Diag::new(
                    Code::OpsProvenanceNotEnforced,
                    format!(
                        "ops profile {} wants the attestation verified before serving, and this command verifies none; verify it before you serve",
                        self.name
                    ),
                )
                .data("file", self.name)
                .data("instance_path", "/provenance/verify_on_serve")
                .stage(Stage::Parse),
            );
        }
    }
}
