//! Whether a component fits a world.
//!
//! It does when everything that it imports is in the world, and everything that the world exports
//! is in it, with types that fit. It may import less and export more. Versions that are compatible
//! by the rules of semantic versioning count as the same.

use super::packages::{self, NotAComponent, guarded, one_line};
use super::wording;
use crate::wit::Bundle;
use wac_types::{ItemKind, Package, Type, Types, WorldId, validate_target};

/// Why the question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetsError {
    /// There is nothing to check.
    #[error(transparent)]
    Component(#[from] NotAComponent),
    /// The package has no such world.
    #[error("the package {package} has no world {wanted:?}; {}", known(.worlds))]
    NoWorld {
        /// The package.
        package: String,
        /// The name that was asked for.
        wanted: String,
        /// The worlds that it has, sorted.
        worlds: Vec<String>,
    },
    /// The package cannot be compared with anything.
    #[error("the package {package} cannot be used as a target: {reason}")]
    Wit {
        /// The package.
        package: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn known(worlds: &[String]) -> String {
    if worlds.is_empty() { "it has no worlds at all".to_owned() } else { format!("it has {}", worlds.join(", ")) }
}

/// Checks a component against a world of a package. The answer is every way in which it does not
/// fit, one line each, sorted; nothing when it fits.
///
/// # Errors
/// See [`TargetsError`].
pub fn check(component: &[u8], bundle: &Bundle, world: &str) -> Result<Vec<String>, TargetsError> {
    if bundle.world(world).is_none() {
        return Err(TargetsError::NoWorld {
            package: bundle.id.clone(),
            wanted: world.to_owned(),
            worlds: bundle.worlds().into_iter().map(str::to_owned).collect(),
        });
    }
    let mut types = Types::new();
    let component = packages::read("component", component, &mut types)?;
    let target =
        target(bundle, world, &mut types).map_err(|reason| TargetsError::Wit { package: bundle.id.clone(), reason })?;
    let compared = guarded(|| match validate_target(&types, target, component.ty()) {
        Ok(()) => Vec::new(),
        Err(report) => wording::of_report(&types, target, component.ty(), &report),
    });
    compared.map_err(|reason| NotAComponent::Unsupported { reason }.into())
}

/// A world as the type of a component.
fn target(bundle: &Bundle, world: &str, types: &mut Types) -> Result<WorldId, String> {
    let bytes =
        guarded(|| wit_component::encode(&bundle.resolve, bundle.package))?.map_err(|e| one_line(&format!("{e:#}")))?;
    let package: Package = packages::read("target", &bytes, types).map_err(|e| e.to_string())?;
    // An encoded package exports each world as a component type with one export: the world itself.
    let outer = match types[package.ty()].exports.get(world) {
        Some(ItemKind::Type(Type::World(id))) => *id,
        _ => return Err(format!("its world {world} is not encoded")),
    };
    match types[outer].exports.values().next() {
        Some(ItemKind::Component(id)) => Ok(*id),
        _ => Err(format!("its world {world} is encoded in an unknown way")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wit_parser::Resolve;

    fn bundle(wit: &str) -> Bundle {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("t.wit", wit).expect("valid WIT");
        Bundle { resolve, package, id: "t:t@1.2.0".to_owned() }
    }

    const WIT: &str = "package t:t@1.2.0;
        interface files { read: func(n: u32) -> list<u8>; write: func(text: string); }
        interface run { run: func() -> result; }
        world tool { import files; export run; }
        world empty {}";

    fn lines(component: &str, world: &str) -> Vec<String> {
        let bytes = wat::parse_str(component).expect("a valid component");
        check(&bytes, &bundle(WIT), world).expect("compared")
    }

    /// A component that exports `run` of the world, with imports in front.
    fn tool(imports: &str) -> String {
        format!(
            r#"(component {imports}
                (core module $m (func (export "run") (result i32) i32.const 0))
                (core instance $i (instantiate $m))
                (type $run (func (result (result))))
                (func $run (type $run) (canon lift (core func $i "run")))
                (instance $run (export "run" (func $run)))
                (export "t:t/run@1.2.0" (instance $run)))"#
        )
    }

    #[test]
    fn what_fits_has_no_lines() {
        assert_eq!(lines(&tool(""), "tool"), [""; 0]);
        assert_eq!(lines("(component)", "empty"), [""; 0]);
        // Less may be imported, more exported.
        let import = r#"(import "t:t/files@1.2.0" (instance (export "write" (func (param "text" string)))))"#;
        let component = tool(import).replace(
            r#"(export "t:t/run@1.2.0" (instance $run))"#,
            r#"(export "t:t/run@1.2.0" (instance $run)) (export "more" (func $run))"#,
        );
        assert_eq!(lines(&component, "tool"), [""; 0]);
    }

    #[test]
    fn compatible_versions_are_the_same() {
        for version in ["1.0.0", "1.1.7", "1.2.0"] {
            let import =
                format!(r#"(import "t:t/files@{version}" (instance (export "write" (func (param "text" string)))))"#);
            assert_eq!(lines(&tool(&import), "tool"), [""; 0], "{version}");
            let component = tool("").replace("t:t/run@1.2.0", &format!("t:t/run@{version}"));
            assert_eq!(lines(&component, "tool"), [""; 0], "{version}");
        }
    }

    #[test]
    fn an_import_that_the_world_lacks_is_named() {
        let found = lines(&tool(r#"(import "t:t/clock@1.0.0" (instance))"#), "tool");
        assert_eq!(found, ["the component imports t:t/clock@1.0.0, which the world does not have"]);
        let found = lines(&tool(r#"(import "t:t/files@2.0.0" (instance))"#), "tool");
        assert_eq!(
            found,
            ["the component imports t:t/files@2.0.0, which the world does not have; there is t:t/files@1.2.0"]
        );
    }

    #[test]
    fn an_export_that_is_missing_is_named_with_its_functions() {
        let found = lines("(component)", "tool");
        assert_eq!(found, ["the component does not export t:t/run@1.2.0 with `run: func() -> result`"]);
        let found = lines(&tool("").replace("t:t/run@1.2.0", "t:t/run@3.0.0"), "tool");
        assert_eq!(
            found,
            ["the component does not export t:t/run@1.2.0 with `run: func() -> result`; there is t:t/run@3.0.0"]
        );
    }

    #[test]
    fn other_types_are_shown_from_both_sides() {
        let import = |function: &str| tool(&format!(r#"(import "t:t/files@1.2.0" (instance {function}))"#));
        let found = lines(&import(r#"(export "write" (func (param "text" u32)))"#), "tool");
        assert_eq!(
            found,
            [
                "the component imports t:t/files@1.2.0 with `write: func(text: u32)`, but the world has `write: func(text: string)`"
            ]
        );
        let found = lines(&import(r#"(export "delete" (func (param "name" string)))"#), "tool");
        assert_eq!(
            found,
            ["the component imports t:t/files@1.2.0 with `delete: func(name: string)`, which the world does not have"]
        );
        let component = tool("").replace("(result (result))", "(result u32)");
        assert_eq!(
            lines(&component, "tool"),
            [
                "the component exports t:t/run@1.2.0 with `run: func() -> u32`, but the world has `run: func() -> result`"
            ]
        );
        let component = tool("").replace(r#"(instance $run (export "run" (func $run)))"#, r#"(instance $run)"#);
        assert_eq!(
            lines(&component, "tool"),
            ["the component exports t:t/run@1.2.0 without `run: func() -> result`, which the world asks for"]
        );
    }

    #[test]
    fn lines_are_sorted_and_complete() {
        let imports = r#"(import "z" (func)) (import "a" (func))"#;
        let component = tool(imports).replace("t:t/run@1.2.0", "other");
        let found = lines(&component, "tool");
        assert_eq!(
            found,
            [
                "the component does not export t:t/run@1.2.0 with `run: func() -> result`",
                "the component imports a, which the world does not have",
                "the component imports z, which the world does not have",
            ]
        );
    }

    #[test]
    fn what_cannot_be_compared_says_why() {
        let bundle = bundle(WIT);
        let error = check(b"(component)", &bundle, "tool").expect_err("text");
        assert_eq!(error, TargetsError::Component(NotAComponent::NotWasm));
        let error = check(b"\0asm\x01\0\0\0", &bundle, "tool").expect_err("a module");
        assert!(error.to_string().contains("core module"), "{error}");
        let error = check(b"", &bundle, "tools").expect_err("no such world");
        assert_eq!(error.to_string(), "the package t:t@1.2.0 has no world \"tools\"; it has empty, tool");
    }
}
