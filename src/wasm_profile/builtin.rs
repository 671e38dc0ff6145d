//! The registry that the tool carries: the files of its own `arch/wasm`.

macro_rules! carried {
    ($($path:literal),+ $(,)?) => {
        /// Path in the registry and content.
        const FILES: &[(&str, &str)] = &[$(($path, include_str!(concat!("../../", $path)))),+];
    };
}

carried![
    "arch/wasm/index.x07wasm.json",
    "arch/wasm/profiles/wasm_debug.json",
    "arch/wasm/profiles/wasm_release.json",
    "arch/wasm/profiles/wasm_release_cached.json",
    "arch/wasm/profiles/wasm_release_pooling.json",
    "arch/wasm/profiles/wasm_web_ui_debug.json",
    "arch/wasm/profiles/wasm_web_ui_release.json",
    "arch/wasm/profiles/wasm_web_ui_release_cached.json",
    "arch/wasm/profiles/wasm_web_ui_release_pooling.json",
    "arch/wasm/toolchain/wasmtime_cache.toml",
];

/// The content of an embedded file.
#[must_use]
pub fn file(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::load;
    use x07_wasm_contracts::types::{ArchWasmIndex, WasmProfile};

    #[test]
    fn every_profile_of_the_index_is_carried_and_valid() {
        let index = file(super::super::DEFAULT_INDEX).expect("carried");
        let index = load::from_bytes::<ArchWasmIndex>("index", index.as_bytes()).expect("valid").document;
        assert_eq!(index.profiles.len(), 8);
        for entry in &index.profiles {
            let text = file(&entry.path).expect("carried");
            let profile = load::from_bytes::<WasmProfile>(&entry.path, text.as_bytes()).expect("valid").document;
            assert_eq!(profile.id, entry.id);
            assert_eq!(super::super::contract_problems(&profile), Vec::<String>::new());
        }
    }
}
