//! The solve ABI: what a module must export, and how C sees it.

pub use crate::engine::{DATA_END_EXPORT, HEAP_BASE_EXPORT, MEMORY_EXPORT, SOLVE_EXPORT};

use super::inspect::Inspection;

/// What every solve module exports, in the order in which absences are reported.
pub const REQUIRED_EXPORTS: [&str; 4] = [SOLVE_EXPORT, MEMORY_EXPORT, HEAP_BASE_EXPORT, DATA_END_EXPORT];

/// The exported function as artifact manifests state it. C returns a pair of pointer and length;
/// in wasm it is stored through one more parameter in front of the others.
pub const C_SIGNATURE: &str =
    "bytes_t x07_solve_v2(uint8_t* arena_mem, uint32_t arena_cap, const uint8_t* input_ptr, uint32_t input_len)";

/// The required exports that a module does not have, in the order of [`REQUIRED_EXPORTS`]. Only
/// names are looked at; the engine checks types.
pub fn missing_exports(inspection: &Inspection) -> Vec<&'static str> {
    REQUIRED_EXPORTS.into_iter().filter(|name| !inspection.has_export(name)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wasm::inspect;

    #[test]
    fn absences_come_in_a_fixed_order() {
        let inspection = inspect(&wat::parse_str("(module (memory (export \"memory\") 1))").unwrap()).unwrap();
        assert_eq!(missing_exports(&inspection), [SOLVE_EXPORT, HEAP_BASE_EXPORT, DATA_END_EXPORT]);
    }

    #[test]
    fn a_name_of_any_kind_counts() {
        let fields: String = REQUIRED_EXPORTS.iter().map(|name| format!("(func (export \"{name}\"))")).collect();
        let inspection = inspect(&wat::parse_str(format!("(module {fields})")).unwrap()).unwrap();
        assert_eq!(missing_exports(&inspection), Vec::<&str>::new());
    }

    #[test]
    fn the_signature_names_the_export() {
        assert!(C_SIGNATURE.contains(SOLVE_EXPORT));
    }
}
