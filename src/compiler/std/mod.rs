//! The standard modules: which ids belong to the language, and the sources that come with the
//! compiler. Nothing else lives here; checking them is the checker's job like that of any module.

/// Whether a module id belongs to the standard library. Such an id is never looked up in the
/// module roots of a project.
#[must_use]
pub fn is_standard(id: &str) -> bool {
    find(id).is_some()
}

/// The source text of a standard module; `None` for other ids and for standard modules whose
/// source this compiler does not carry.
#[must_use]
pub fn source(id: &str) -> Option<&'static str> {
    find(id).and_then(|module| module.text)
}

/// A standard module.
struct Standard {
    id: &'static str,
    /// Its x07AST source, when the compiler carries it.
    text: Option<&'static str>,
}

fn find(id: &str) -> Option<&'static Standard> {
    MODULES.iter().find(|module| module.id == id)
}

/// A module that is part of the language but whose source is not carried.
const fn absent(id: &'static str) -> Standard {
    Standard { id, text: None }
}

static MODULES: &[Standard] = &[
    absent("std.bit"),
    absent("std.bitset"),
    absent("std.btree_map"),
    absent("std.btree_set"),
    absent("std.bytes"),
    absent("std.codec"),
    absent("std.csv"),
    absent("std.deque"),
    absent("std.deque_u32"),
    absent("std.doc"),
    absent("std.fmt"),
    absent("std.fs"),
    absent("std.hash"),
    absent("std.hash_map"),
    absent("std.hash_map_value"),
    absent("std.hash_set"),
    absent("std.heap"),
    absent("std.heap_u32"),
    absent("std.http.envelope"),
    absent("std.io"),
    absent("std.io.bufread"),
    absent("std.json"),
    absent("std.kv"),
    absent("std.lru_cache"),
    absent("std.map"),
    absent("std.option"),
    absent("std.parse"),
    absent("std.path"),
    absent("std.pbt.case_v1"),
    absent("std.pbt.gen_v1"),
    absent("std.pbt.shrink_v1"),
    absent("std.prng"),
    absent("std.process"),
    absent("std.regex-lite"),
    absent("std.result"),
    absent("std.rr"),
    absent("std.set"),
    absent("std.slab"),
    absent("std.slice"),
    absent("std.small_map"),
    absent("std.small_set"),
    absent("std.str"),
    absent("std.test"),
    absent("std.text.ascii"),
    absent("std.text.slices"),
    absent("std.text.utf8"),
    absent("std.u32"),
    absent("std.vec"),
    absent("std.vec_value"),
    absent("std.view"),
    absent("std.world.fs"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sorted_and_unique() {
        assert!(MODULES.windows(2).all(|pair| pair[0].id < pair[1].id));
    }

    #[test]
    fn project_ids_are_not_standard() {
        assert!(is_standard("std.vec"));
        assert!(!is_standard("std.web_ui.dom"));
        assert!(!is_standard("app"));
    }
}
