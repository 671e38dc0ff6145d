//! What can be built, under which names.

use crate::component::manifest::Kind;
use crate::component::worlds::{CLI_RUN, HTTP_HANDLER, World};
use std::path::{Path, PathBuf};
pub use x07_wasm_contracts::types::ComponentBuildReportResultEmit as Emit;

/// One component, with the files that belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The program alone.
    Solve,
    /// The HTTP adapter.
    HttpAdapter,
    /// The HTTP adapter that carries a state document.
    HttpStateDocAdapter,
    /// The command adapter.
    CliAdapter,
    /// The program in the HTTP adapter.
    Http,
    /// The program in the HTTP adapter that carries a state document.
    HttpStateDoc,
    /// The program in the command adapter.
    Cli,
    /// The program as an HTTP component of one module.
    HttpNative,
    /// The program as a command of one module.
    CliNative,
}

/// The component itself.
pub const COMPONENT: &str = "component.wasm";
/// Its manifest.
pub const MANIFEST: &str = "component.wasm.manifest.json";
/// The core module that the component is made of.
pub const CORE: &str = "core.wasm";
/// The same with the types of its world.
pub const EMBEDDED: &str = "core.embedded.wasm";
/// The program's module as the compiler made it.
pub const RAW: &str = "core.raw.wasm";
/// Its manifest.
pub const RAW_MANIFEST: &str = "core.raw.wasm.manifest.json";
/// The report of its build.
pub const RAW_REPORT: &str = "core.raw.wasm.build.report.json";
/// The report of the composition.
pub const COMPOSE_REPORT: &str = "component.compose.report.json";
/// The folder for intermediate files of external compilers.
pub const EMIT_DIR: &str = "core.emit";

/// What external compilers leave in [`EMIT_DIR`].
pub const EMITTED: [&str; 6] = ["phase0_shim.c", "phase0_shim.o", "program.c", "program.o", "program.wasm", "x07.h"];

impl Part {
    /// Every part.
    pub const ALL: [Self; 9] = [
        Self::Solve,
        Self::HttpAdapter,
        Self::HttpStateDocAdapter,
        Self::CliAdapter,
        Self::Http,
        Self::HttpStateDoc,
        Self::Cli,
        Self::HttpNative,
        Self::CliNative,
    ];

    /// The parts that a value of `--emit` asks for, each after those that it needs.
    #[must_use]
    pub const fn of(emit: Emit) -> &'static [Self] {
        match emit {
            Emit::Solve => &[Self::Solve],
            Emit::Http => &[Self::Solve, Self::HttpAdapter, Self::Http],
            Emit::HttpStateDoc => &[Self::Solve, Self::HttpStateDocAdapter, Self::HttpStateDoc],
            Emit::Cli => &[Self::Solve, Self::CliAdapter, Self::Cli],
            Emit::HttpNative => &[Self::HttpNative],
            Emit::CliNative => &[Self::CliNative],
            Emit::HttpAdapter => &[Self::HttpAdapter],
            Emit::CliAdapter => &[Self::CliAdapter],
            Emit::All => &[Self::Solve, Self::HttpAdapter, Self::Http, Self::CliAdapter, Self::Cli],
        }
    }

    /// The kind that its manifest names.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Solve => Kind::Solve,
            Self::HttpAdapter => Kind::HttpAdapter,
            Self::HttpStateDocAdapter => Kind::HttpStateDocAdapter,
            Self::CliAdapter => Kind::CliAdapter,
            Self::Http | Self::HttpStateDoc | Self::HttpNative => Kind::Http,
            Self::Cli | Self::CliNative => Kind::Cli,
        }
    }

    /// The world that it is made for.
    #[must_use]
    pub const fn world(self) -> World {
        match self {
            Self::Solve => World::SOLVE,
            Self::HttpAdapter => World::HTTP_ADAPTER,
            Self::HttpStateDocAdapter => World::HTTP_STATE_DOC_ADAPTER,
            Self::CliAdapter => World::CLI_ADAPTER,
            Self::Http | Self::HttpStateDoc | Self::HttpNative => World::HTTP,
            Self::Cli | Self::CliNative => World::CLI,
        }
    }

    /// The adapter that the program is plugged into.
    #[must_use]
    pub const fn adapter(self) -> Option<Self> {
        match self {
            Self::Http => Some(Self::HttpAdapter),
            Self::HttpStateDoc => Some(Self::HttpStateDocAdapter),
            Self::Cli => Some(Self::CliAdapter),
            _ => None,
        }
    }

    /// The interface that a component of its kind exports to hosts.
    #[must_use]
    pub const fn interface(self) -> Option<&'static str> {
        match self {
            Self::Solve => None,
            Self::HttpAdapter | Self::HttpStateDocAdapter | Self::Http | Self::HttpStateDoc | Self::HttpNative => {
                Some(HTTP_HANDLER)
            }
            Self::CliAdapter | Self::Cli | Self::CliNative => Some(CLI_RUN),
        }
    }

    /// The path of one of its files: kind and suffix, so that `http`, `http-state-doc` and
    /// `http-native` replace each other.
    #[must_use]
    pub fn path(self, folder: &Path, suffix: &str) -> PathBuf {
        folder.join(self.name(suffix))
    }

    fn name(self, suffix: &str) -> String {
        format!("{}.{suffix}", self.kind())
    }

    /// The names of all files of its kind, whichever way it was made; an earlier build may have
    /// left those of another way.
    #[must_use]
    pub fn files(self) -> Vec<String> {
        let suffixes: &[&str] = match self.kind() {
            Kind::Solve => &[RAW, RAW_MANIFEST, RAW_REPORT, CORE, EMBEDDED, COMPONENT, MANIFEST],
            Kind::HttpAdapter | Kind::HttpStateDocAdapter | Kind::CliAdapter => &[COMPONENT, MANIFEST],
            Kind::Http | Kind::Cli => &[CORE, COMPONENT, MANIFEST, COMPOSE_REPORT],
        };
        suffixes.iter().map(|suffix| self.name(suffix)).collect()
    }

    /// The name of its folder for intermediate files.
    #[must_use]
    pub fn emit_dir(self) -> String {
        self.name(EMIT_DIR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_comes_after_those_that_it_needs() {
        let emits = [
            Emit::Solve,
            Emit::Http,
            Emit::HttpStateDoc,
            Emit::Cli,
            Emit::HttpNative,
            Emit::CliNative,
            Emit::HttpAdapter,
            Emit::CliAdapter,
            Emit::All,
        ];
        for emit in emits {
            let parts = Part::of(emit);
            for (i, part) in parts.iter().enumerate() {
                if let Some(adapter) = part.adapter() {
                    let before = &parts[..i];
                    assert!(before.contains(&adapter) && before.contains(&Part::Solve), "{emit}: {part:?}");
                }
            }
        }
    }

    #[test]
    fn files_are_named_by_kind() {
        assert_eq!(Part::Solve.files().len(), 7);
        assert!(Part::HttpNative.files().contains(&"http.component.compose.report.json".to_owned()));
        assert_eq!(Part::HttpNative.files(), Part::HttpStateDoc.files());
        assert_eq!(
            Part::HttpStateDocAdapter.path(Path::new("o"), COMPONENT).to_str(),
            Some("o/http-state-doc-adapter.component.wasm")
        );
        assert_eq!(Part::CliNative.emit_dir(), "cli.core.emit");
    }
}
