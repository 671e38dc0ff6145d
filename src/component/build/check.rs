//! What the profiles of a component build may ask for.

use super::part::Part;
use crate::component::glue::SolveLimits;
use crate::contract::path::safe_join;
use crate::report::{Code, Diag};
use crate::wasm;
use crate::wasm_profile;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::types::WasmComponentProfile;

/// Whether the packages and worlds that a profile names for these parts are those that the tool
/// builds for. What is said of other parts does not matter.
///
/// # Errors
/// Every member that names another one, under the code.
pub fn supported(profile: &WasmComponentProfile, parts: &[Part], code: Code) -> Result<(), Vec<Diag>> {
    let cfg = &profile.cfg;
    let (make, plain, native) = (&cfg.componentize, &cfg.targets, &cfg.native_targets);
    let named = [
        (&[Part::Solve][..], "/cfg/componentize/solve_", &make.solve_package, &make.solve_world),
        (&[Part::Http, Part::HttpStateDoc][..], "/cfg/targets/http_", &plain.http_package, &plain.http_world),
        (&[Part::Cli][..], "/cfg/targets/cli_", &plain.cli_package, &plain.cli_world),
        (&[Part::HttpNative][..], "/cfg/native_targets/http/", &native.http.package, &native.http.world),
        (&[Part::CliNative][..], "/cfg/native_targets/cli/", &native.cli.package, &native.cli.world),
    ];
    let mut problems = Vec::new();
    for (of, place, package, world) in named {
        let Some(part) = of.iter().find(|part| parts.contains(part)) else { continue };
        let only = part.world();
        for (member, found, expected) in [("package", package, only.package), ("world", world, only.world)] {
            if found != expected {
                let place = format!("{place}{member}");
                let message = format!(
                    "component profile {}: {place} is {found:?}, but {expected} is the only {member} that is supported there; write that",
                    profile.id
                );
                problems.push(Diag::new(code, message).data("instance_path", place));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The registry of WIT packages that a profile names.
///
/// # Errors
/// That its path leads out of the project, under the code.
pub fn wit_index(profile: &WasmComponentProfile, code: Code) -> Result<PathBuf, Vec<Diag>> {
    safe_join(Path::new(""), &profile.cfg.wit_index_path).map_err(|error| {
        let message = format!("component profile {}: /cfg/wit_index_path: {error}", profile.id);
        vec![Diag::new(code, message).data("instance_path", "/cfg/wit_index_path")]
    })
}

/// What a program may use in each call: what the wasm profile says.
///
/// # Errors
/// That its arena is larger than a memory.
pub fn limits(selected: &wasm_profile::Selected) -> Result<SolveLimits, Vec<Diag>> {
    let defaults = &selected.profile.defaults;
    let arena_cap = u32::try_from(defaults.arena_cap_bytes).map_err(|_| {
        let message = format!(
            "wasm profile {}: defaults.arena_cap_bytes is {}, more than a 32-bit module can address; write at most {}",
            selected.profile.id,
            defaults.arena_cap_bytes,
            u32::MAX
        );
        vec![Diag::new(Code::WasmProfileLoadFailed, message).data("instance_path", "/defaults/arena_cap_bytes")]
    })?;
    Ok(SolveLimits { arena_cap, max_output: u32::try_from(defaults.max_output_bytes).unwrap_or(u32::MAX) })
}

/// The warning that a part needs more memory than the wasm profile lets it have, if it does: the
/// component is complete, but hosts with that limit will not start it.
#[must_use]
pub fn over_limit(part: Part, core: &[u8], selected: &wasm_profile::Selected) -> Option<Diag> {
    // The module is one of ours: it is valid and has a memory.
    let wanted = wasm::inspect(core).ok()?.memory?.initial_bytes;
    let limit = selected.profile.runtime.max_memory_bytes?;
    if wanted <= limit {
        return None;
    }
    let message = format!(
        "the {} component needs {wanted} bytes of memory, and runtime.max_memory_bytes of the wasm profile {} is {limit}; lower the budgets of the component profile or defaults.arena_cap_bytes of the wasm profile, or raise the limit",
        part.kind(),
        selected.profile.id
    );
    let diag = Diag::new(Code::ComponentMemoryOverLimit, message);
    Some(diag.data("wanted", wanted).data("limit", limit).data("kind", part.kind().to_string()))
}
