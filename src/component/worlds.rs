//! The worlds that the tool builds for, and the files in which they stand.

/// A world of a WIT package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct World {
    /// The package, as `ns:name@version`.
    pub package: &'static str,
    /// The name of the world in it.
    pub world: &'static str,
}

impl World {
    /// A program: exports `x07:solve/handler`.
    pub const SOLVE: Self = Self { package: "x07:solve@0.1.0", world: "solve" };
    /// A component that answers HTTP requests.
    pub const HTTP: Self = Self { package: "wasi:http@0.2.8", world: "proxy" };
    /// A component that runs as a command.
    pub const CLI: Self = Self { package: "wasi:cli@0.2.8", world: "command" };
    /// The HTTP side of a program that is plugged in later.
    pub const HTTP_ADAPTER: Self = Self { package: "x07:http-adapter@0.1.0", world: "proxy-with-solve" };
    /// The same with a state document that goes in and out.
    pub const HTTP_STATE_DOC_ADAPTER: Self =
        Self { package: "x07:http-state-doc-adapter@0.1.0", world: "proxy-with-solve" };
    /// The command side of a program that is plugged in later.
    pub const CLI_ADAPTER: Self = Self { package: "x07:cli-adapter@0.1.0", world: "command-with-solve" };
}

/// What a component of [`World::HTTP`] exports.
pub const HTTP_HANDLER: &str = "wasi:http/incoming-handler@0.2.8";
/// What a component of [`World::CLI`] exports.
pub const CLI_RUN: &str = "wasi:cli/run@0.2.8";

/// The file of [`World::HTTP`], in a project or in the tool.
pub const HTTP_WIT: &str = "wit/deps/wasi/http/0.2.8/proxy.wit";
/// The file of [`World::CLI`], in a project or in the tool.
pub const CLI_WIT: &str = "wit/deps/wasi/cli/0.2.8/command.wit";

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.package, self.world)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_is_shown_as_package_and_name() {
        assert_eq!(World::HTTP.to_string(), "wasi:http@0.2.8/proxy");
    }
}
