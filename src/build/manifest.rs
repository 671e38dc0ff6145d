//! The artifact manifest: what a module is, how it is called, how it was made.

use crate::wasm::{C_SIGNATURE, DATA_END_EXPORT, HEAP_BASE_EXPORT, MEMORY_EXPORT, SOLVE_EXPORT};
use serde_json::json;
use x07_wasm_contracts::types::{
    FileDigest, MemoryPlan, ProfileRef, WasmArtifact, WasmArtifactRepro, WasmArtifactToolchain,
};

/// What varies between manifests.
#[derive(Clone, Debug)]
pub struct Made {
    /// The project's name.
    pub name: String,
    /// `native_x07_wasm_v1` or `c_toolchain_v1`.
    pub backend: &'static str,
    /// The profile.
    pub profile: ProfileRef,
    /// The module.
    pub wasm: FileDigest,
    /// Its memory.
    pub memory: MemoryPlan,
    /// The tools.
    pub toolchain: WasmArtifactToolchain,
    /// Their arguments.
    pub repro: WasmArtifactRepro,
}

/// Builds the manifest.
///
/// # Errors
/// A mistake of ours: the constants below do not fit the contract.
pub fn artifact(made: Made) -> Result<WasmArtifact, String> {
    let digits: String = made.wasm.sha256.chars().take(16).collect();
    let param =
        |index: u32, name: &str, role: &str| json!({ "index": index, "name": name, "role": role, "type": "i32" });
    serde_json::from_value(json!({
        "schema_version": "x07.wasm.artifact@0.2.0",
        "artifact_id": format!("{}-{digits}", made.name.chars().take(200).collect::<String>()),
        "codegen_backend": made.backend,
        "profile": made.profile,
        "wasm": made.wasm,
        "memory": made.memory,
        "abi": {
            "kind": SOLVE_EXPORT,
            "c_signature": C_SIGNATURE,
            "wasm_c_abi": { "kind": "basic_c_abi", "v": 1 },
            "calling_convention": {
                "kind": "sret_v1",
                "retptr_param_index": 0,
                "return_struct": {
                    "kind": "bytes_t", "size_bytes": 8, "align_bytes": 4,
                    "fields": [{ "name": "ptr", "type": "i32", "offset_bytes": 0 }, { "name": "len", "type": "i32", "offset_bytes": 4 }],
                },
            },
            "params": [
                param(0, "retptr", "sret_ptr"), param(1, "arena_mem", "arena_ptr"), param(2, "arena_cap", "arena_cap"),
                param(3, "input_ptr", "input_ptr"), param(4, "input_len", "input_len"),
            ],
        },
        "exports": { "solve": SOLVE_EXPORT, "memory": MEMORY_EXPORT, "heap_base": HEAP_BASE_EXPORT, "data_end": DATA_END_EXPORT, "optional": {} },
        "toolchain": made.toolchain,
        "repro": made.repro,
    }))
    .map_err(|e| e.to_string())
}
