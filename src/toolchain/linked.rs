//! Versions of the libraries that stand in for external tools.
//!
//! `Cargo.toml` pins them exactly; a test compares these constants with `Cargo.lock`.

/// Version of the `wasmtime` crate, the engine.
pub const WASMTIME: &str = "48.0.8";
/// Version of the `wasm-encoder` and `wasmparser` crates, which are released together with the
/// other libraries of `wasm-tools`.
pub const WASM_ENCODER: &str = "0.258.0";
/// Version of the `wac-graph` crate, which composes components; it is released together with `wac`.
pub const WAC: &str = "0.12.0";
/// Version of WASI that components find: that of the packages in the `wasmtime-wasi` crate, which is
/// released together with the engine.
pub const WASI: &str = "0.2.12";
/// Version of the built-in X07 compiler: that of this tool.
pub const X07: &str = env!("CARGO_PKG_VERSION");

/// A tool whose work a linked library does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linked {
    /// Name of the tool.
    pub tool: &'static str,
    /// Name of what stands in for it.
    pub name: &'static str,
    /// Version of what stands in for it.
    pub version: &'static str,
}

impl Linked {
    /// The engine.
    pub const WASMTIME: Self = Self { tool: "wasmtime", name: "wasmtime", version: WASMTIME };
    /// Reading and writing of modules and components.
    pub const WASM_TOOLS: Self = Self { tool: "wasm-tools", name: "wasm-tools", version: WASM_ENCODER };
    /// Bindings: the glue between a module and its world is made from what `wit-parser` reads.
    pub const WIT_BINDGEN: Self = Self { tool: "wit-bindgen", name: "wit-parser", version: WASM_ENCODER };
    /// Composing of components.
    pub const WAC: Self = Self { tool: "wac", name: "wac", version: WAC };
    /// The compiler.
    pub const X07: Self = Self { tool: "x07", name: "x07", version: X07 };

    /// One line for people, as an external tool would print it.
    #[must_use]
    pub fn line(self) -> String {
        format!("{} {} (linked)", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// The version of a package in the lockfile; all of them must agree.
    fn locked(lockfile: &str, package: &str) -> Vec<String> {
        let name = format!("name = \"{package}\"");
        let blocks = lockfile.split("[[package]]").filter(|block| block.lines().any(|line| line == name));
        blocks
            .filter_map(|block| {
                block.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"').map(str::to_owned))
            })
            .collect()
    }

    #[test]
    fn the_constants_are_what_is_linked() {
        let lockfile =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).expect("the lockfile");
        assert_eq!(locked(&lockfile, "wasmtime"), [WASMTIME]);
        assert!(locked(&lockfile, "wasm-encoder").iter().any(|v| v == WASM_ENCODER));
        assert!(locked(&lockfile, "wasmparser").iter().any(|v| v == WASM_ENCODER));
        for package in ["wit-component", "wit-parser"] {
            assert!(locked(&lockfile, package).iter().any(|v| v == WASM_ENCODER), "{package}");
        }
        assert_eq!(locked(&lockfile, "wac-graph"), [WAC]);
        assert_eq!(locked(&lockfile, "wasmtime-wasi"), [WASMTIME]);
        assert_eq!(locked(&lockfile, "x07-wasm"), [X07]);
        for version in [WASMTIME, WASM_ENCODER, WAC, WASI, X07] {
            assert!(semver::Version::parse(version).is_ok(), "{version}");
        }
    }

    #[test]
    fn lines_say_that_nothing_external_is_meant() {
        assert_eq!(Linked::WASMTIME.line(), "wasmtime 48.0.8 (linked)");
        assert_eq!(Linked::WIT_BINDGEN.line(), "wit-parser 0.258.0 (linked)");
    }

    /// The sources of a package as Cargo keeps them, if it does so in the usual place.
    fn sources(package: &str) -> Option<PathBuf> {
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))?;
        let registries = std::fs::read_dir(home.join("registry/src")).ok()?;
        registries.filter_map(Result::ok).map(|r| r.path().join(package)).find(|p| p.is_dir())
    }

    #[test]
    fn the_version_of_wasi_is_that_of_the_engine() {
        let Some(folder) = sources(&format!("wasmtime-wasi-{WASMTIME}")) else {
            eprintln!("skipped: the sources of wasmtime-wasi are not where Cargo usually keeps them");
            return;
        };
        let wit = std::fs::read_to_string(folder.join("src/p2/wit/deps/cli.wit")).expect("its WIT");
        assert!(wit.contains(&format!("package wasi:cli@{WASI};")), "{}", wit.lines().next().unwrap_or_default());
    }
}
