//! Components as the composition library sees them: bytes with the types of their imports and exports.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use wac_types::{Package, Types};
use wasmparser::{Parser, Validator, WasmFeatures};

/// Why bytes are not a component that can be looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAComponent {
    /// A core module. People mistake the one for the other.
    #[error("it is a core module and not a component; `x07-wasm component build` makes components of projects")]
    CoreModule,
    /// Something else altogether.
    #[error("it is not WebAssembly; give the path of a component")]
    NotWasm,
    /// A component that breaks a rule.
    #[error("it is not a valid component: {reason}")]
    Invalid {
        /// The rule.
        reason: String,
    },
    /// A component whose types the library cannot represent.
    #[error("its types cannot be compared: {reason}")]
    Unsupported {
        /// What the library said.
        reason: String,
    },
}

/// Validates a component, the code of its functions included, and reads its types. `name` tells
/// packages of one set apart. A component may use what only other hosts have.
///
/// # Errors
/// See [`NotAComponent`].
pub fn read(name: &str, bytes: &[u8], types: &mut Types) -> Result<Package, NotAComponent> {
    if Parser::is_core_wasm(bytes) {
        return Err(NotAComponent::CoreModule);
    }
    if !Parser::is_component(bytes) {
        return Err(NotAComponent::NotWasm);
    }
    // The library looks at types only.
    if let Err(error) = Validator::new_with_features(WasmFeatures::all()).validate_all(bytes) {
        let reason = format!("{} (at offset {})", one_line(error.message()), error.offset());
        return Err(NotAComponent::Invalid { reason });
    }
    guarded(|| Package::from_bytes(name, None, bytes, types))
        .map_err(|reason| NotAComponent::Unsupported { reason })?
        .map_err(|e| NotAComponent::Invalid { reason: one_line(&format!("{e:#}")) })
}

/// Does work of a library that panics on some valid components of others; such a panic is its answer.
///
/// # Errors
/// What the panic said.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| text_of(payload.as_ref()))
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text =
        payload.downcast_ref::<&str>().map(|s| (*s).to_owned()).or_else(|| payload.downcast_ref::<String>().cloned());
    one_line(&text.unwrap_or_else(|| "the library gave up".to_owned()))
}

/// A text with every run of white space as one blank.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(bytes: &[u8]) -> NotAComponent {
        read("it", bytes, &mut Types::new()).expect_err("refused")
    }

    #[test]
    fn what_is_no_component_is_told_apart() {
        assert_eq!(problem(b"\0asm\x01\0\0\0"), NotAComponent::CoreModule);
        for bytes in [&b""[..], b"(component)", b"\0as", b"\0asm\x02\0\0\0"] {
            assert_eq!(problem(bytes), NotAComponent::NotWasm, "{bytes:?}");
        }
        let cut = wat::parse_str("(component (core module (memory 1)))").expect("valid");
        assert!(matches!(problem(&cut[..cut.len() - 1]), NotAComponent::Invalid { .. }));
    }

    #[test]
    fn the_code_of_functions_is_validated() {
        let component = |code: &str| {
            let text = format!("(component (core module (func (result i32) {code})))");
            wat::parse_str(text).expect("a text that can be encoded")
        };
        assert!(read("it", &component("i32.const 0"), &mut Types::new()).is_ok());
        let NotAComponent::Invalid { reason } = problem(&component("i64.const 0")) else { panic!("not invalid") };
        assert!(reason.contains("type mismatch") && reason.contains("at offset"), "{reason}");
    }

    #[test]
    fn a_component_is_read_with_its_types() {
        let bytes = wat::parse_str("(component (import \"f\" (func)))").expect("valid");
        let mut types = Types::new();
        let package = read("it", &bytes, &mut types).expect("read");
        assert_eq!(types[package.ty()].imports.keys().collect::<Vec<_>>(), ["f"]);
    }

    #[test]
    fn a_panic_is_an_answer() {
        assert_eq!(guarded(|| 7), Ok(7));
        assert_eq!(guarded::<()>(|| panic!("no\n such")), Err("no such".to_owned()));
        assert_eq!(guarded::<()>(|| panic!("no {}", 7)), Err("no 7".to_owned()));
    }
}
