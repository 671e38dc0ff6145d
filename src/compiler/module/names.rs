//! Which texts may name what.

/// Parts of names that the compiler keeps for functions that it makes itself.
pub(super) static RESERVED_NAMES: [&str; 2] = [".__std_stream_pipe_v1_", "__x07_mono_v1__"];

/// Whether a text may name a module, a function, a type or a brand: segments between dots.
pub(in crate::compiler) fn is_symbol(text: &str) -> bool {
    text.split('.').all(|segment| {
        let mut chars = segment.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    })
}

/// Whether a text may name a parameter.
pub(super) fn is_local(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a text may name a field, a variant or a bound.
pub(super) fn is_type_name(text: &str) -> bool {
    is_local(text) && !text.starts_with('_')
}

/// Whether a symbol stands in a module: the module's id, a dot, and more.
pub(super) fn starts_with_module(name: &str, module: &str) -> bool {
    name.strip_prefix(module).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::is_symbol;

    #[test]
    fn names() {
        assert!(is_symbol("std.regex-lite.find_1") && is_symbol("_a"));
        for wrong in ["", ".", "a.", ".a", "a..b", "1a", "a.1", "a/b", "a b", "é"] {
            assert!(!is_symbol(wrong), "{wrong}");
        }
    }
}
