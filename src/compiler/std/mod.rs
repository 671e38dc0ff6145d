//! The standard modules: which ids belong to the language, and the sources that come with the
//! compiler, in X07, each in the file that its id names. Nothing else lives here; checking them is
//! the checker's job like that of any module.
//!
//! Modules whose id starts with `std.internal.` are parts that several modules share, or that the
//! compiler itself calls for an operation.

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

/// Operations of the language that functions of standard modules are: head, module, function. Who
/// uses the operation need not import the module.
static OPERATIONS: [(&str, &str, &str); 3] = [
    ("json.jcs.canon_doc_v1", "std.internal.jcs", "std.internal.jcs.canon_doc_v1"),
    ("math.f64.fmt_shortest_v1", "std.internal.float_text", "std.internal.float_text.fmt_shortest_v1"),
    ("math.f64.parse_v1", "std.internal.float_text", "std.internal.float_text.parse_v1"),
];

/// The function that an operation is.
#[must_use]
pub fn function_of(head: &str) -> Option<&'static str> {
    OPERATIONS.iter().find(|(operation, ..)| *operation == head).map(|(_, _, function)| *function)
}

/// The module that a use of this head needs, although nobody imports it.
#[must_use]
pub fn module_of(head: &str) -> Option<&'static str> {
    // The hash is two functions, depending on the type.
    if head == "ty.hash32" {
        return Some("std.hash");
    }
    OPERATIONS.iter().find(|(operation, ..)| *operation == head).map(|(_, module, _)| *module)
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

/// A module with its source.
const fn carried(id: &'static str, text: &'static str) -> Standard {
    Standard { id, text: Some(text) }
}

static MODULES: &[Standard] = &[
    carried("std.bit", include_str!("bit.x07.json")),
    carried("std.bitset", include_str!("bitset.x07.json")),
    carried("std.btree_map", include_str!("btree_map.x07.json")),
    carried("std.btree_set", include_str!("btree_set.x07.json")),
    carried("std.bytes", include_str!("bytes.x07.json")),
    carried("std.codec", include_str!("codec.x07.json")),
    carried("std.csv", include_str!("csv.x07.json")),
    carried("std.deque", include_str!("deque.x07.json")),
    carried("std.deque_u32", include_str!("deque_u32.x07.json")),
    carried("std.doc", include_str!("doc.x07.json")),
    carried("std.fmt", include_str!("fmt.x07.json")),
    absent("std.fs"),
    carried("std.hash", include_str!("hash.x07.json")),
    carried("std.hash_map", include_str!("hash_map.x07.json")),
    carried("std.hash_map_value", include_str!("hash_map_value.x07.json")),
    carried("std.hash_set", include_str!("hash_set.x07.json")),
    carried("std.heap", include_str!("heap.x07.json")),
    carried("std.heap_u32", include_str!("heap_u32.x07.json")),
    carried("std.http.envelope", include_str!("http/envelope.x07.json")),
    carried("std.internal.float_text", include_str!("internal/float_text.x07.json")),
    carried("std.internal.jcs", include_str!("internal/jcs.x07.json")),
    carried("std.internal.json_text", include_str!("internal/json_text.x07.json")),
    carried("std.internal.natural", include_str!("internal/natural.x07.json")),
    carried("std.internal.order", include_str!("internal/order.x07.json")),
    carried("std.io", include_str!("io.x07.json")),
    carried("std.io.bufread", include_str!("io/bufread.x07.json")),
    carried("std.json", include_str!("json.x07.json")),
    absent("std.kv"),
    carried("std.lru_cache", include_str!("lru_cache.x07.json")),
    carried("std.map", include_str!("map.x07.json")),
    carried("std.option", include_str!("option.x07.json")),
    carried("std.parse", include_str!("parse.x07.json")),
    carried("std.path", include_str!("path.x07.json")),
    carried("std.pbt.case_v1", include_str!("pbt/case_v1.x07.json")),
    carried("std.pbt.gen_v1", include_str!("pbt/gen_v1.x07.json")),
    carried("std.pbt.shrink_v1", include_str!("pbt/shrink_v1.x07.json")),
    carried("std.prng", include_str!("prng.x07.json")),
    carried("std.process", include_str!("process.x07.json")),
    carried("std.regex-lite", include_str!("regex-lite.x07.json")),
    carried("std.result", include_str!("result.x07.json")),
    absent("std.rr"),
    carried("std.set", include_str!("set.x07.json")),
    carried("std.slab", include_str!("slab.x07.json")),
    carried("std.slice", include_str!("slice.x07.json")),
    carried("std.small_map", include_str!("small_map.x07.json")),
    carried("std.small_set", include_str!("small_set.x07.json")),
    carried("std.str", include_str!("str.x07.json")),
    carried("std.test", include_str!("test.x07.json")),
    carried("std.text.ascii", include_str!("text/ascii.x07.json")),
    carried("std.text.slices", include_str!("text/slices.x07.json")),
    carried("std.text.utf8", include_str!("text/utf8.x07.json")),
    carried("std.u32", include_str!("u32.x07.json")),
    carried("std.vec", include_str!("vec.x07.json")),
    carried("std.vec_value", include_str!("vec_value.x07.json")),
    carried("std.view", include_str!("view.x07.json")),
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
