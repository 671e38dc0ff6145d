//! Packages that the tool carries: the files of its own `packages`.
//!
//! They stand in for a package that a project depends on and that is not on disk, so that a build
//! needs no network. A lockfile pins them byte for byte as it pins files: who carries a package
//! decides nothing about what may be in it.
//!
//! Versions share the modules that are the same in all of them.

use crate::contract::digest::sha256_hex;
use serde_json::{Map, Value};
use x07_wasm_contracts::types::LockDependency;

/// Modules by id, with the text of each.
type Modules = &'static [(&'static str, &'static str)];

/// One version of a package that the tool carries.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The name of the package.
    pub name: &'static str,
    /// Its exact version.
    pub version: &'static str,
    /// The text of its `x07-package.json`.
    pub manifest: &'static str,
    /// Groups of modules; other versions may have them, too.
    groups: &'static [Modules],
}

/// The folder of the modules in every carried package.
const MODULE_ROOT: &str = "modules";

macro_rules! web_ui {
    ($($id:literal => $file:literal),+ $(,)?) => {
        &[$((
            concat!("std.web_ui.", $id),
            include_str!(concat!("../../packages/std-web-ui/0.2.6/modules/std/web_ui/", $file, ".x07.json")),
        )),+]
    };
}

/// What `std-web-ui` has been from 0.1.9 on.
const WEB_UI: Modules = web_ui![
    "effects.http" => "effects/http",
    "effects.nav" => "effects/nav",
    "effects.storage" => "effects/storage",
    "effects.timer" => "effects/timer",
    "patch" => "patch",
    "runtime" => "runtime",
    "schema" => "schema",
    "test" => "test",
    "trace" => "trace",
    "vdom" => "vdom",
];

/// What 0.2 added.
const WEB_UI_DEVICE: Modules = web_ui![
    "effects.device.audio" => "effects/device/audio",
    "effects.device.blobs" => "effects/device/blobs",
    "effects.device.camera" => "effects/device/camera",
    "effects.device.clipboard" => "effects/device/clipboard",
    "effects.device.common" => "effects/device/common",
    "effects.device.events" => "effects/device/events",
    "effects.device.files" => "effects/device/files",
    "effects.device.haptics" => "effects/device/haptics",
    "effects.device.location" => "effects/device/location",
    "effects.device.notifications" => "effects/device/notifications",
    "effects.device.permissions" => "effects/device/permissions",
    "effects.device.share" => "effects/device/share",
];

static SNAPSHOTS: [Snapshot; 2] = [
    Snapshot {
        name: "std-web-ui",
        version: "0.1.9",
        manifest: include_str!("../../packages/std-web-ui/0.1.9/x07-package.json"),
        groups: &[WEB_UI],
    },
    Snapshot {
        name: "std-web-ui",
        version: "0.2.6",
        manifest: include_str!("../../packages/std-web-ui/0.2.6/x07-package.json"),
        groups: &[WEB_UI, WEB_UI_DEVICE],
    },
];

/// The carried package of exactly this name and version.
#[must_use]
pub fn find(name: &str, version: &str) -> Option<&'static Snapshot> {
    SNAPSHOTS.iter().find(|s| s.name == name && s.version == version)
}

/// The versions of a package that are carried, in ascending order.
#[must_use]
pub fn versions(name: &str) -> Vec<&'static str> {
    SNAPSHOTS.iter().filter(|s| s.name == name).map(|s| s.version).collect()
}

impl Snapshot {
    /// The text of a module; `None` when the package does not have it.
    #[must_use]
    pub fn module(&self, id: &str) -> Option<&'static str> {
        self.modules().find(|(module, _)| *module == id).map(|(_, text)| text)
    }

    /// Its modules: id and text.
    pub fn modules(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.groups.iter().flat_map(|group| group.iter().copied())
    }

    /// The path of its manifest in the tool, without the prefix that marks such paths in reports.
    #[must_use]
    pub fn manifest_path(&self) -> String {
        format!("packages/{}/{}/x07-package.json", self.name, self.version)
    }

    /// How reports name the folder of its modules. It is nowhere on disk.
    #[must_use]
    pub fn module_folder(&self) -> String {
        format!("builtin:packages/{}/{}/{MODULE_ROOT}", self.name, self.version)
    }

    /// How reports name the file of a module.
    #[must_use]
    pub fn module_path(&self, id: &str) -> String {
        format!("{}/{}.x07.json", self.module_folder(), id.replace('.', "/"))
    }

    /// The entry of a lockfile that pins this copy for a dependency with the path `path`.
    #[must_use]
    pub fn lock_entry(&self, path: &str) -> LockDependency {
        LockDependency {
            advisories: None,
            module_root: MODULE_ROOT.to_owned(),
            modules_sha256: self.modules().map(|(id, text)| (id.to_owned(), sha256_hex(text.as_bytes()))).collect(),
            name: self.name.to_owned(),
            overridden_by: None,
            package_manifest_sha256: sha256_hex(self.manifest.as_bytes()),
            path: path.to_owned(),
            version: self.version.to_owned(),
            yanked: None,
            extra: Map::new(),
        }
    }

    /// [`Snapshot::lock_entry`] as JSON, to be pasted into a lockfile.
    #[must_use]
    pub fn lock_entry_json(&self, path: &str) -> Value {
        // Texts and maps of texts always have a JSON form.
        serde_json::to_value(self.lock_entry(path)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::load;
    use std::collections::BTreeSet;
    use x07_wasm_contracts::types::Package;

    #[test]
    fn every_manifest_is_valid_and_lists_what_is_carried() {
        for snapshot in &SNAPSHOTS {
            let path = snapshot.manifest_path();
            let manifest = load::from_bytes::<Package>(&path, snapshot.manifest.as_bytes()).expect("valid").document;
            assert_eq!((manifest.name.as_str(), manifest.version.as_str()), (snapshot.name, snapshot.version));
            assert_eq!(manifest.module_root, MODULE_ROOT);
            let listed: BTreeSet<&str> = manifest.modules.iter().map(String::as_str).collect();
            let carried: BTreeSet<&str> = snapshot.modules().map(|(id, _)| id).collect();
            assert_eq!(listed, carried, "{path}");
            assert_eq!((manifest.modules.len(), snapshot.modules().count()), (listed.len(), carried.len()), "{path}");
        }
    }

    #[test]
    fn every_module_has_the_id_that_it_is_found_by() {
        for snapshot in &SNAPSHOTS {
            for (id, text) in snapshot.modules() {
                let module: Value = serde_json::from_str(text).expect("JSON");
                assert_eq!(module["module_id"], id);
                assert_eq!(snapshot.module(id), Some(text));
            }
            assert_eq!(snapshot.module("std.web_ui.none"), None);
        }
    }

    #[test]
    fn packages_are_found_by_name_and_exact_version() {
        assert_eq!(versions("std-web-ui"), ["0.1.9", "0.2.6"]);
        assert!(versions("other").is_empty());
        assert!(find("std-web-ui", "0.2.6").is_some_and(|s| s.module("std.web_ui.effects.device.audio").is_some()));
        assert!(find("std-web-ui", "0.1.9").is_some_and(|s| s.module("std.web_ui.effects.device.audio").is_none()));
        assert_eq!(find("std-web-ui", "0.2.5"), None);
        assert_eq!(find("std-web", "0.2.6"), None);
    }

    #[test]
    fn paths_name_no_place_on_disk() {
        let snapshot = find("std-web-ui", "0.2.6").expect("carried");
        assert_eq!(snapshot.manifest_path(), "packages/std-web-ui/0.2.6/x07-package.json");
        assert_eq!(
            snapshot.module_path("std.web_ui.effects.http"),
            "builtin:packages/std-web-ui/0.2.6/modules/std/web_ui/effects/http.x07.json"
        );
    }
}
