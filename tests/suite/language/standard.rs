//! The standard modules: the cases in `tests/std`, one file for each module or family of modules, in
//! the form that `corpus` describes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::corpus::{self, Case};
use crate::support::root;

fn folder() -> PathBuf {
    root().join("tests/std")
}

/// Judges all cases of a file and lists all that does not hold.
#[track_caller]
fn holds(file: &str) {
    let failures: Vec<String> = corpus::read_in(&folder(), file).iter().flat_map(Case::failures).collect();
    assert!(failures.is_empty(), "{} failures in {file}:\n{}", failures.len(), failures.join("\n"));
}

/// A test for each file, and a test that no file lacks one.
macro_rules! files {
    ($($name:ident: $file:literal,)*) => {
        $(
            #[test]
            fn $name() {
                holds($file);
            }
        )*

        #[test]
        fn every_file_has_its_test() {
            assert_eq!(corpus::topics_in(&folder()), BTreeSet::from([$($file.to_owned(),)*]));
        }
    };
}

files! {
    bitset: "bitset",
    btree_map: "btree_map",
    btree_set: "btree_set",
    bytes: "bytes",
    codec: "codec",
    csv: "csv",
    deque: "deque",
    doc: "doc",
    float_text: "float-text",
    fmt_bit_process: "fmt-bit-process",
    hash: "hash",
    hash_map: "hash_map",
    hash_map_value: "hash_map_value",
    hash_set: "hash_set",
    heap: "heap",
    http_envelope: "http-envelope",
    internal_order: "internal-order",
    io: "io",
    jcs: "jcs",
    json: "json",
    lru_cache: "lru_cache",
    map_and_set: "map-and-set",
    option_and_result: "option-and-result",
    parse: "parse",
    path: "path",
    pbt: "pbt",
    prng: "prng",
    regex_lite: "regex-lite",
    slab: "slab",
    small_map: "small_map",
    small_set: "small_set",
    str: "str",
    test: "test",
    text_ascii: "text-ascii",
    text_slices: "text-slices",
    text_utf8: "text-utf8",
    u32: "u32",
    vec: "vec",
    vec_value: "vec_value",
    view_and_slice: "view-and-slice",
}
