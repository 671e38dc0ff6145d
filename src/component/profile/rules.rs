//! What a profile must promise beyond its schema, and what in it has no effect.

use crate::report::{Code, Diag};
use x07_wasm_contracts::types::{WasmComponentProfile, WasmComponentProfileToolCmd as Tool};

/// What a profile must promise beyond its schema.
#[must_use]
pub fn contract_problems(profile: &WasmComponentProfile) -> Vec<String> {
    let blank = tools(profile).into_iter().filter(|(_, tool)| tool.cmd.trim().is_empty());
    blank.map(|(name, _)| format!("cfg.toolchain.{name}.cmd must name a program, and not be blank")).collect()
}

/// The warning that arguments or variables for external tools have no effect, if a profile has any:
/// components are made and run without other programs.
#[must_use]
pub fn unused_toolchain(profile: &WasmComponentProfile, path: &str) -> Option<Diag> {
    let mut unused = Vec::new();
    for (name, tool) in tools(profile) {
        if tool.args.as_ref().is_some_and(|args| !args.is_empty()) {
            unused.push(format!("cfg.toolchain.{name}.args"));
        }
        if tool.env.as_ref().is_some_and(|env| !env.is_empty()) {
            unused.push(format!("cfg.toolchain.{name}.env"));
        }
    }
    if unused.is_empty() {
        return None;
    }
    let message = format!(
        "component profile {path}: {} have no effect, because x07-wasm starts none of these tools; remove them",
        unused.join(", ")
    );
    Some(Diag::new(Code::ComponentToolchainUnused, message).data("path", path).data("members", unused))
}

fn tools(profile: &WasmComponentProfile) -> [(&'static str, &Tool); 4] {
    let toolchain = &profile.cfg.toolchain;
    [
        ("wit_bindgen", &toolchain.wit_bindgen),
        ("wasm_tools", &toolchain.wasm_tools),
        ("wac", &toolchain.wac),
        ("wasmtime", &toolchain.wasmtime),
    ]
}
