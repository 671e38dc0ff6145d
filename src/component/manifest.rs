//! The document beside each component: what it is, for which world, and how it was made.

use super::worlds::World;
use crate::contract::digest;
use crate::contract::files::{StoreError, encode, shown, with_suffix};
use crate::report::{Code, Diag};
use crate::toolchain::linked;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::types::{
    FileDigest, WasmArtifactToolchain, WasmComponentArtifact, WasmComponentArtifactProfiles as Profiles,
    WasmComponentArtifactWitRef as WitRef,
};
pub use x07_wasm_contracts::types::{WasmComponentArtifactKind as Kind, WasmComponentArtifactToolchain as Toolchain};

fn toolchain() -> Toolchain {
    Toolchain {
        cargo: None,
        clang: None,
        rustc: None,
        wac: None,
        wasm_ld: None,
        wasm_tools: None,
        wasmtime: None,
        wit_bindgen: None,
        x07: None,
        x07_wasm: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The tools of a component that was encoded here: of a program when there is one.
#[must_use]
pub fn encoded(program: Option<&WasmArtifactToolchain>) -> Toolchain {
    Toolchain {
        x07: program.map(|t| t.x07.clone()),
        clang: program.and_then(|t| t.clang.clone()),
        wasm_ld: program.and_then(|t| t.wasm_ld.clone()),
        wasm_tools: Some(format!("wit-component {} (linked)", linked::WASM_ENCODER)),
        ..toolchain()
    }
}

/// The tools of a component that was composed here.
#[must_use]
pub fn composed() -> Toolchain {
    Toolchain { wac: Some(format!("wac-graph {} (linked)", linked::WAC)), ..toolchain() }
}

/// The manifest of a component.
#[must_use]
pub fn artifact(
    kind: Kind,
    component: FileDigest,
    world: World,
    profiles: Profiles,
    toolchain: Toolchain,
) -> WasmComponentArtifact {
    let digits: String = component.sha256.chars().take(16).collect();
    WasmComponentArtifact {
        schema_version: "x07.wasm.component.artifact@0.1.0".to_owned(),
        artifact_id: format!("{kind}-{digits}"),
        kind,
        component,
        wit: WitRef { package: world.package.to_owned(), world: world.world.to_owned() },
        profiles: Some(profiles),
        toolchain,
    }
}

/// The bytes of a manifest.
///
/// # Errors
/// A mistake of ours: it violates its schema.
pub fn bytes(artifact: &WasmComponentArtifact) -> Result<Vec<u8>, Diag> {
    encode(artifact).map_err(|error| invalid(&artifact.component.path, &error))
}

fn invalid(component: &str, error: &StoreError) -> Diag {
    Diag::new(
        Code::ComponentArtifactSchemaInvalid,
        format!("the manifest of {component} cannot be made: {error}; please report this as a mistake of x07-wasm"),
    )
    .data("error", error.to_string())
}

/// The place of a manifest that is not told otherwise: beside the component.
#[must_use]
pub fn beside(component: &Path) -> PathBuf {
    with_suffix(component, ".manifest.json")
}

/// The digest object of a component at its path.
#[must_use]
pub fn digest_of(path: &Path, component: &[u8]) -> FileDigest {
    digest::of(shown(path), component)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn made() -> WasmComponentArtifact {
        let component = digest_of(Path::new("out/http.component.wasm"), b"abc");
        artifact(Kind::Http, component, World::HTTP, Profiles::default(), composed())
    }

    #[test]
    fn a_manifest_names_component_world_and_tools() {
        let bytes = bytes(&made()).expect("valid");
        let value: Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(value["artifact_id"], "http-ba7816bf8f01cfea");
        assert_eq!(value["wit"]["package"], "wasi:http@0.2.8");
        assert_eq!(value["profiles"], serde_json::json!({}));
        let wac = format!("wac-graph {} (linked)", linked::WAC);
        assert_eq!(value["toolchain"], serde_json::json!({ "x07_wasm": env!("CARGO_PKG_VERSION"), "wac": wac }));
        assert_eq!(beside(Path::new("a.wasm")), Path::new("a.wasm.manifest.json"));
    }

    #[test]
    fn tools_are_named_by_what_is_linked() {
        let program = WasmArtifactToolchain {
            x07: "1.2.3".to_owned(),
            x07_wasm: "0.1.0".to_owned(),
            clang: Some("clang 1".to_owned()),
            wasm_ld: None,
            wasmtime: None,
        };
        let tools = encoded(Some(&program));
        assert_eq!((tools.x07.as_deref(), tools.clang.as_deref()), (Some("1.2.3"), Some("clang 1")));
        assert_eq!(tools.wasm_tools, Some(format!("wit-component {} (linked)", linked::WASM_ENCODER)));
        assert_eq!(encoded(None).x07, None);
    }

    #[test]
    fn a_manifest_against_its_schema_is_a_mistake_of_ours() {
        let mut artifact = made();
        artifact.artifact_id.clear();
        let diagnostic = bytes(&artifact).expect_err("invalid").build();
        assert_eq!(diagnostic.code, "X07WASM_COMPONENT_ARTIFACT_SCHEMA_INVALID");
        assert!(diagnostic.message.contains("out/http.component.wasm"), "{}", diagnostic.message);
    }
}
