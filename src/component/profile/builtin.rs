//! The registry that the tool carries: the files of its own `arch/wasm/component`.

macro_rules! carried {
    ($($path:literal),+ $(,)?) => {
        /// Path in the registry and content.
        const FILES: &[(&str, &str)] = &[$(($path, include_str!(concat!("../../../", $path)))),+];
    };
}

carried![
    "arch/wasm/component/index.x07wasm.component.json",
    "arch/wasm/component/profiles/component_debug.json",
    "arch/wasm/component/profiles/component_release.json",
];

/// The content of an embedded file.
#[must_use]
pub fn file(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::super::{DEFAULT_INDEX, DEFAULT_PROFILE, contract_problems, unused_toolchain};
    use super::*;
    use crate::contract::load;
    use x07_wasm_contracts::types::{ArchWasmComponentIndex, WasmComponentProfile};

    #[test]
    fn every_profile_of_the_index_is_carried_and_valid() {
        let index = file(DEFAULT_INDEX).expect("carried");
        let index = load::from_bytes::<ArchWasmComponentIndex>("index", index.as_bytes()).expect("valid").document;
        let ids: Vec<&str> = index.profiles.iter().map(|p| p.id.as_str()).collect();
        assert_eq!(ids, ["component_release", "component_debug"]);
        assert_eq!(index.defaults.and_then(|d| d.default_profile_id).as_deref(), Some(DEFAULT_PROFILE));
        for entry in &index.profiles {
            let text = file(&entry.path).expect("carried");
            let profile = load::from_bytes::<WasmComponentProfile>(&entry.path, text.as_bytes()).expect("valid");
            let profile = profile.document;
            assert_eq!((profile.id.as_str(), profile.v), (entry.id.as_str(), 2));
            assert_eq!(contract_problems(&profile), Vec::<String>::new());
            assert!(unused_toolchain(&profile, &entry.path).is_none());
            // What it names is registered in the tool, too.
            assert_eq!(profile.cfg.wit_index_path, crate::wit::DEFAULT_INDEX);
        }
    }

    #[test]
    fn the_budgets_are_those_that_are_promised() {
        let budgets = |id: &str| {
            let path = format!("arch/wasm/component/profiles/{id}.json");
            let text = file(&path).expect("carried");
            let native = load::from_bytes::<WasmComponentProfile>(&path, text.as_bytes()).expect("valid");
            let native = native.document.cfg.native_targets;
            let (http, cli) = (native.http.budgets, native.cli.budgets);
            (
                [http.max_request_body_bytes, http.max_response_body_bytes, http.max_envelope_bytes],
                [u64::from(http.max_headers), http.max_header_bytes_total, http.max_path_bytes, http.max_query_bytes],
                [cli.max_stdin_bytes, cli.max_stdout_bytes, cli.max_stderr_bytes],
            )
        };
        const MIB: u64 = 1 << 20;
        assert_eq!(budgets("component_release"), ([MIB, MIB, 2 * MIB], [128, 65_536, 2048, 4096], [MIB, MIB, 65_536]));
        assert_eq!(budgets("component_debug"), ([MIB, MIB, 4 * MIB], [256, 131_072, 4096, 8192], [MIB, MIB, MIB]));
    }
}
