//! Adapters: the same whatever the program is, but for the budgets of the component profile.

use super::part::Part;
use super::{componentized, internal, no_glue, not_encoded};
use crate::component::encode;
use crate::component::glue::{self, StateDoc};
use crate::component::profile::builtin;
use crate::contract::files::Files;
use crate::contract::load;
use crate::report::Diag;
use crate::wit;
use std::path::Path;
use x07_wasm_contracts::types::WasmComponentProfile;

/// The profile whose budgets an adapter has when nobody says otherwise.
const DEFAULT_PROFILE: &str = "arch/wasm/component/profiles/component_release.json";

/// The core module of an adapter.
pub(super) fn core_module(profile: &WasmComponentProfile, part: Part) -> Result<Vec<u8>, Diag> {
    let targets = &profile.cfg.native_targets;
    let core = match part {
        Part::CliAdapter => glue::cli_adapter(&targets.cli.budgets),
        Part::HttpStateDocAdapter => glue::http_adapter(&targets.http.budgets, StateDoc::Header),
        _ => glue::http_adapter(&targets.http.budgets, StateDoc::None),
    };
    core.map_err(|error| no_glue(part, &error))
}

/// An adapter with the budgets of a profile.
///
/// # Errors
/// Every problem of the WIT packages that it is made for.
pub fn component(files: &mut Files, profile: &WasmComponentProfile, part: Part) -> Result<Vec<u8>, Vec<Diag>> {
    let registry = wit::open(files, Path::new(wit::DEFAULT_INDEX), &mut Vec::new())?;
    let bundle = wit::package(files, &registry, part.world().package)?;
    let core = core_module(profile, part).map_err(|problem| vec![problem])?;
    let embedded =
        encode::embed(&core, &bundle, part.world().world).map_err(|error| vec![not_encoded(part, &error)])?;
    componentized(part, &embedded).map_err(|problem| vec![problem])
}

/// The component profile that the tool carries.
///
/// # Errors
/// None in a released tool: a test reads it.
pub fn default_profile() -> Result<WasmComponentProfile, Vec<Diag>> {
    let text = builtin::file(DEFAULT_PROFILE).unwrap_or_default();
    let loaded = load::from_bytes::<WasmComponentProfile>(DEFAULT_PROFILE, text.as_bytes());
    loaded.map(|loaded| loaded.document).map_err(|error| vec![internal(format!("{DEFAULT_PROFILE}: {error}"))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::targets;

    #[test]
    fn every_adapter_fits_its_world_and_is_the_same_each_time() {
        let profile = default_profile().expect("carried");
        for part in [Part::HttpAdapter, Part::HttpStateDocAdapter, Part::CliAdapter] {
            let made = || component(&mut Files::default(), &profile, part).expect("made");
            let bytes = made();
            assert_eq!(made(), bytes, "{part:?}");
            let mut files = Files::default();
            let registry = wit::open(&mut files, Path::new(wit::DEFAULT_INDEX), &mut Vec::new()).expect("carried");
            let bundle = wit::package(&mut files, &registry, part.world().package).expect("carried");
            assert_eq!(targets::check(&bytes, &bundle, part.world().world), Ok(Vec::new()), "{part:?}");
        }
    }
}
