//! What the profiles of a component build may ask for.

use crate::component::glue::SolveLimits;
use crate::component::worlds::World;
use crate::contract::path::safe_join;
use crate::report::{Code, Diag};
use crate::wasm_profile;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::types::WasmComponentProfile;

/// Whether every package and world of a profile is one that the tool builds for.
///
/// # Errors
/// Every member that names another one.
pub fn supported(profile: &WasmComponentProfile) -> Result<(), Vec<Diag>> {
    let cfg = &profile.cfg;
    let named = [
        ("/cfg/componentize/solve_", &cfg.componentize.solve_package, &cfg.componentize.solve_world, World::SOLVE),
        ("/cfg/targets/http_", &cfg.targets.http_package, &cfg.targets.http_world, World::HTTP),
        ("/cfg/targets/cli_", &cfg.targets.cli_package, &cfg.targets.cli_world, World::CLI),
        ("/cfg/native_targets/http/", &cfg.native_targets.http.package, &cfg.native_targets.http.world, World::HTTP),
        ("/cfg/native_targets/cli/", &cfg.native_targets.cli.package, &cfg.native_targets.cli.world, World::CLI),
    ];
    let mut problems = Vec::new();
    for (place, package, world, only) in named {
        for (member, found, expected) in [("package", package, only.package), ("world", world, only.world)] {
            if found != expected {
                let place = format!("{place}{member}");
                problems.push(
                    Diag::new(
                        Code::ComponentProfileLoadFailed,
                        format!(
                            "component profile {}: {place} is {found:?}, but {expected} is the only {member} that is supported there; write that",
                            profile.id
                        ),
                    )
                    .data("instance_path", place),
                );
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The registry of WIT packages that a profile names.
///
/// # Errors
/// That its path leads out of the project.
pub fn wit_index(profile: &WasmComponentProfile) -> Result<PathBuf, Vec<Diag>> {
    safe_join(Path::new(""), &profile.cfg.wit_index_path).map_err(|error| {
        let message = format!("component profile {}: /cfg/wit_index_path: {error}", profile.id);
        vec![Diag::new(Code::ComponentProfileLoadFailed, message).data("instance_path", "/cfg/wit_index_path")]
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
        vec![Diag::new(Code::ProfileLoadFailed, message).data("instance_path", "/defaults/arena_cap_bytes")]
    })?;
    Ok(SolveLimits { arena_cap, max_output: u32::try_from(defaults.max_output_bytes).unwrap_or(u32::MAX) })
}
