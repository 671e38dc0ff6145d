//! Versions of the libraries that stand in for external tools.
//!
//! `Cargo.toml` pins them exactly; a test compares these constants with `Cargo.lock`.

/// Version of the `wasmtime` crate, the engine.
pub const WASMTIME: &str = "48.0.8";
/// Version of the `wasm-encoder` and `wasmparser` crates, which are released together with the
/// other libraries of `wasm-tools`.
pub const WASM_ENCODER: &str = "0.258.0";
/// Version of the built-in X07 compiler: that of this tool.
pub const X07: &str = env!("CARGO_PKG_VERSION");

/// A tool whose work a linked library does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linked {
    /// Name of the tool.
    pub name: &'static str,
    /// Version of the library.
    pub version: &'static str,
}

impl Linked {
    /// The engine.
    pub const WASMTIME: Self = Self { name: "wasmtime", version: WASMTIME };
    /// Reading and writing of modules.
    pub const WASM_TOOLS: Self = Self { name: "wasm-tools", version: WASM_ENCODER };
    /// The compiler.
    pub const X07: Self = Self { name: "x07", version: X07 };

    /// One line for people, as an external tool would print it.
    #[must_use]
    pub fn line(self) -> String {
        format!("{} {} (linked)", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(locked(&lockfile, "x07-wasm"), [X07]);
        for version in [WASMTIME, WASM_ENCODER, X07] {
            assert!(semver::Version::parse(version).is_ok(), "{version}");
        }
    }

    #[test]
    fn lines_say_that_nothing_external_is_meant() {
        assert_eq!(Linked::WASMTIME.line(), "wasmtime 48.0.8 (linked)");
    }
}
