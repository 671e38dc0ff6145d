//! From a glued core module to a component: the world's types are put into the module, and
//! wit-component makes the component from both.
//!
//! The component imports what the module imports, and nothing else of the world. The same module
//! and world give the same bytes.

use wit_component::{ComponentEncoder, StringEncoding};

use crate::wit::Bundle;

/// Why there is no component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The package has no such world.
    #[error("package {package} has no world {world}; it has {}", listed(.has))]
    World {
        /// The world that was asked for.
        world: String,
        /// The package, `namespace:name@version`.
        package: String,
        /// The worlds that there are, sorted.
        has: Vec<String>,
    },
    /// The world's types could not be put into the module.
    #[error("the types of world {world} cannot be put into the core module: {reason}")]
    Embed {
        /// The world.
        world: String,
        /// What wit-component says.
        reason: String,
    },
    /// The module does not fit its world.
    #[error("the core module cannot become a component: {reason}")]
    Componentize {
        /// What wit-component says.
        reason: String,
    },
}

/// Appends a custom section with the types of a world to a core module.
///
/// # Errors
///
/// [`EncodeError::World`] and [`EncodeError::Embed`].
pub fn embed(core: &[u8], bundle: &Bundle, world: &str) -> Result<Vec<u8>, EncodeError> {
    let id = bundle.world(world).ok_or_else(|| EncodeError::World {
        world: world.to_owned(),
        package: bundle.id.clone(),
        has: bundle.worlds().into_iter().map(str::to_owned).collect(),
    })?;
    let mut bytes = core.to_vec();
    wit_component::embed_component_metadata(&mut bytes, &bundle.resolve, id, StringEncoding::UTF8)
        .map_err(|error| EncodeError::Embed { world: world.to_owned(), reason: one_line(&format!("{error:#}")) })?;
    Ok(bytes)
}

/// Makes a component of a module that [`embed`] made, and validates it.
///
/// # Errors
///
/// [`EncodeError::Componentize`]: an import or export is not what the world says.
pub fn componentize(embedded: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true);
    let made = encoder.module(embedded).and_then(ComponentEncoder::encode);
    made.map_err(|error| EncodeError::Componentize { reason: one_line(&format!("{error:#}")) })
}

/// Names in a sentence.
fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Messages of wit-component may have several lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const WIT: &str = "package test:maths@1.0.0;
        interface numbers { largest: func() -> u32; smallest: func() -> u32; }
        interface sums { sum: func(numbers: list<u32>) -> u32; }
        world adding { import numbers; export sums; }
        world empty {}";

    const CORE: &str = "(module
        (import \"test:maths/numbers@1.0.0\" \"largest\" (func (result i32)))
        (memory (export \"memory\") 1)
        (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export \"test:maths/sums@1.0.0#sum\") (param i32 i32) (result i32) call 0))";

    fn bundle() -> Bundle {
        let mut resolve = wit_parser::Resolve::default();
        let package = resolve.push_str("maths.wit", WIT).unwrap();
        Bundle { resolve, package, id: "test:maths@1.0.0".to_owned() }
    }

    #[test]
    fn a_module_becomes_a_component_of_its_world() {
        let core = wat::parse_str(CORE).unwrap();
        let embedded = embed(&core, &bundle(), "adding").unwrap();
        assert!(embedded.starts_with(&core));
        let component = componentize(&embedded).unwrap();
        assert_eq!(componentize(&embedded).unwrap(), component);

        let decoded = wit_component::decode(&component).unwrap();
        let wit_component::DecodedWasm::Component(resolve, world) = decoded else { panic!("not a component") };
        let world = &resolve.worlds[world];
        let names = |items: Vec<&wit_parser::WorldKey>| -> Vec<String> {
            items.into_iter().map(|key| resolve.name_world_key(key)).collect()
        };
        assert_eq!(names(world.imports.keys().collect()), ["test:maths/numbers@1.0.0"]);
        assert_eq!(names(world.exports.keys().collect()), ["test:maths/sums@1.0.0"]);
    }

    #[test]
    fn what_the_module_does_not_import_is_not_imported() {
        let core = CORE.replace("(import \"test:maths/numbers@1.0.0\" \"largest\" (func (result i32)))", "");
        let core = core.replace("call 0", "unreachable");
        let embedded = embed(&wat::parse_str(core).unwrap(), &bundle(), "adding").unwrap();
        let component = componentize(&embedded).unwrap();
        let decoded = wit_component::decode(&component).unwrap();
        let wit_component::DecodedWasm::Component(resolve, world) = decoded else { panic!("not a component") };
        assert_eq!(resolve.worlds[world].imports.len(), 0);
    }

    #[test]
    fn an_unknown_world_is_named_with_those_there_are() {
        let error = embed(b"\0asm\x01\0\0\0", &bundle(), "additions").unwrap_err();
        assert_eq!(error.to_string(), "package test:maths@1.0.0 has no world additions; it has adding, empty");
    }

    #[test]
    fn a_module_that_does_not_fit_is_refused_in_one_line() {
        for (from, to) in
            [("sums@1.0.0#sum", "sums@1.0.0#add"), ("(param i32 i32) (result i32) call 0", "(result i32) call 0")]
        {
            let core = CORE.replace(from, to);
            let embedded = embed(&wat::parse_str(core).unwrap(), &bundle(), "adding").unwrap();
            let error = componentize(&embedded).unwrap_err();
            assert!(matches!(error, EncodeError::Componentize { .. }), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }

    #[test]
    fn bytes_that_are_no_module_are_refused() {
        for bytes in [&b""[..], b"\0asm", b"no module"] {
            assert!(matches!(componentize(bytes), Err(EncodeError::Componentize { .. })));
        }
    }
}
