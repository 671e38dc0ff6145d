//! Plugs a program into an adapter.
//!
//! The adapter is the socket: each of its imports that the program exports is connected, and what
//! it exports is what the result exports. What both import besides is imported by the result.

use super::packages::{self, NotAComponent, guarded, one_line};
use super::wording::{self, Pair, Parties};
use std::error::Error;
use wac_graph::{CompositionGraph, EncodeOptions, plug};
use wac_types::{ExternKind, ItemKind, Package, Types, are_semver_compatible};

/// Why two components cannot be composed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// The program cannot be looked at.
    #[error("the solve component cannot be used: {0}")]
    Solve(NotAComponent),
    /// The adapter cannot be looked at.
    #[error("the adapter component cannot be used: {0}")]
    Adapter(NotAComponent),
    /// No import of the adapter is an export of the program.
    #[error("nothing of the program fits the adapter: {}", nothing(.wanted, .given))]
    Nothing {
        /// What the adapter imports.
        wanted: Vec<String>,
        /// What the program exports.
        given: Vec<String>,
    },
    /// The program exports what the adapter imports, but with other types.
    #[error("{}", .lines.join("; "))]
    Types {
        /// A line for each difference.
        lines: Vec<String>,
    },
    /// The adapter is one for something else.
    #[error("the adapter exports {}, and not {wanted} or a version that is compatible; give an adapter of that kind", list(.given))]
    Kind {
        /// The interface that the result is to export.
        wanted: String,
        /// What the adapter exports.
        given: Vec<String>,
    },
    /// They fit, but could not be put together.
    #[error("the components could not be put together: {reason}")]
    Graph {
        /// What the library said.
        reason: String,
    },
}

fn nothing(wanted: &[String], given: &[String]) -> String {
    format!("the adapter imports {}; the program exports {}", list(wanted), list(given))
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Composes; the same inputs give the same bytes. The result exports the instance `interface`, or
/// one of a version that is compatible with it.
///
/// # Errors
/// See [`ComposeError`].
pub fn compose(solve: &[u8], adapter: &[u8], interface: &str) -> Result<Vec<u8>, ComposeError> {
    let mut graph = CompositionGraph::new();
    let program = packages::read("program", solve, graph.types_mut()).map_err(ComposeError::Solve)?;
    let socket = packages::read("adapter", adapter, graph.types_mut()).map_err(ComposeError::Adapter)?;
    check(graph.types(), &program, &socket)?;
    check_kind(graph.types(), &socket, interface)?;
    guarded(move || put_together(graph, program, socket)).flatten().map_err(|reason| ComposeError::Graph { reason })
}

/// Says in words what the library would only call a failure.
fn check(types: &Types, program: &Package, adapter: &Package) -> Result<(), ComposeError> {
    let (imports, exports) = (&types[adapter.ty()].imports, &types[program.ty()].exports);
    let mut connected = 0;
    let mut lines = Vec::new();
    for (name, given) in exports {
        let exact = imports.get(name);
        let compatible = || imports.iter().find(|(other, _)| are_semver_compatible(name, other)).map(|(_, kind)| kind);
        if let Some(wanted) = exact.or_else(compatible) {
            connected += 1;
            let pair = Pair { wanted: wanted.promote(), given: given.promote() };
            lines.extend(wording::differences(types, Parties::PLUG, ExternKind::Export, name, pair));
        }
    }
    if connected == 0 {
        // What comes from the host is no help in finding the mistake.
        let plain = |names: Vec<String>| names.into_iter().filter(|n| !n.starts_with("wasi:")).collect();
        return Err(ComposeError::Nothing {
            wanted: plain(wording::names(imports.iter())),
            given: wording::names(exports.iter()),
        });
    }
    lines.sort_unstable();
    if lines.is_empty() { Ok(()) } else { Err(ComposeError::Types { lines }) }
}

/// Whether the adapter exports what the result is to export.
fn check_kind(types: &Types, adapter: &Package, interface: &str) -> Result<(), ComposeError> {
    let exports = &types[adapter.ty()].exports;
    let exported = |(name, kind): (&String, &ItemKind)| {
        matches!(kind, ItemKind::Instance(_)) && are_semver_compatible(interface, name)
    };
    if exports.iter().any(exported) {
        return Ok(());
    }
    Err(ComposeError::Kind { wanted: interface.to_owned(), given: wording::names(exports.iter()) })
}

fn put_together(mut graph: CompositionGraph, program: Package, adapter: Package) -> Result<Vec<u8>, String> {
    let program = graph.register_package(program).map_err(|e| chain(&e))?;
    let adapter = graph.register_package(adapter).map_err(|e| chain(&e))?;
    plug(&mut graph, vec![program], adapter).map_err(|e| chain(&e))?;
    graph.encode(EncodeOptions::default()).map_err(|e| chain(&e))
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    one_line(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADAPTER: &str = r#"(component
        (import "wasi:x/y@0.2.0" (instance))
        (import "x07:solve/handler@0.1.0" (instance $solve (export "solve" (func (param "input" (list u8)) (result (list u8))))))
        (export "x07:test/again@0.2.3" (instance $solve)))"#;

    /// What the adapter exports.
    const AGAIN: &str = "x07:test/again@0.2.3";

    /// A program whose function has this type and flat results.
    fn program(name: &str, params: &str, result: &str) -> Vec<u8> {
        let text = format!(
            r#"(component
                (core module $m
                    (memory (export "memory") 1)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
                    (func (export "solve") (param i32 i32) (result i32) i32.const 16))
                (core instance $i (instantiate $m))
                (func $solve (param "input" {params}) (result {result})
                    (canon lift (core func $i "solve") (memory $i "memory") (realloc (func $i "realloc"))))
                (instance $handler (export "solve" (func $solve)))
                (export "{name}" (instance $handler)))"#
        );
        wat::parse_str(text).expect("a valid component")
    }

    fn adapter() -> Vec<u8> {
        wat::parse_str(ADAPTER).expect("a valid component")
    }

    #[test]
    fn a_program_fits_its_adapter_and_the_result_is_the_same_each_time() {
        let solve = program("x07:solve/handler@0.1.0", "(list u8)", "(list u8)");
        let composed = compose(&solve, &adapter(), AGAIN).expect("composed");
        assert_eq!(compose(&solve, &adapter(), AGAIN).as_ref(), Ok(&composed));
        let mut types = Types::new();
        let package = packages::read("it", &composed, &mut types).expect("valid");
        let world = &types[package.ty()];
        assert_eq!(world.imports.keys().collect::<Vec<_>>(), ["wasi:x/y@0.2.0"], "the program is inside");
        assert_eq!(world.exports.keys().collect::<Vec<_>>(), [AGAIN]);
    }

    #[test]
    fn compatible_versions_fit() {
        let solve = program("x07:solve/handler@0.1.9", "(list u8)", "(list u8)");
        assert!(compose(&solve, &adapter(), AGAIN).is_ok());
    }

    #[test]
    fn nothing_that_fits_is_said_with_both_sides() {
        let solve = program("x07:solve/handler@0.2.0", "(list u8)", "(list u8)");
        assert_eq!(
            compose(&solve, &adapter(), AGAIN).expect_err("another version").to_string(),
            "nothing of the program fits the adapter: the adapter imports x07:solve/handler@0.1.0; the program exports x07:solve/handler@0.2.0"
        );
        let empty = wat::parse_str("(component)").expect("valid");
        assert_eq!(
            compose(&empty, &empty, AGAIN).expect_err("nothing at all").to_string(),
            "nothing of the program fits the adapter: the adapter imports nothing; the program exports nothing"
        );
    }

    #[test]
    fn other_types_are_said_with_both_signatures() {
        let solve = program("x07:solve/handler@0.1.0", "string", "(list u8)");
        assert_eq!(
            compose(&solve, &adapter(), AGAIN).expect_err("another type").to_string(),
            "the program exports x07:solve/handler@0.1.0 with `solve: func(input: string) -> list<u8>`, but the adapter has `solve: func(input: list<u8>) -> list<u8>`"
        );
    }

    #[test]
    fn an_adapter_for_something_else_is_told_by_what_it_exports() {
        let solve = program("x07:solve/handler@0.1.0", "(list u8)", "(list u8)");
        assert!(compose(&solve, &adapter(), "x07:test/again@0.2.9").is_ok(), "a compatible version");
        for wanted in ["x07:test/again@0.3.0", "x07:test/other@0.2.3"] {
            let error = compose(&solve, &adapter(), wanted).expect_err("another interface").to_string();
            assert!(error.contains(wanted) && error.contains(AGAIN), "{error}");
        }
    }

    #[test]
    fn what_is_no_component_is_told_by_its_side() {
        let module = b"\0asm\x01\0\0\0";
        let solve = program("x07:solve/handler@0.1.0", "(list u8)", "(list u8)");
        assert_eq!(compose(module, &adapter(), AGAIN), Err(ComposeError::Solve(NotAComponent::CoreModule)));
        assert_eq!(compose(&solve, module, AGAIN), Err(ComposeError::Adapter(NotAComponent::CoreModule)));
        assert_eq!(compose(&solve, b"x", AGAIN), Err(ComposeError::Adapter(NotAComponent::NotWasm)));
    }
}
