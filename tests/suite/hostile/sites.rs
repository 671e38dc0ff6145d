//! Damaged tables of source places: a trap is reported all the same, at worst without its place.

use super::{Numbers, survived};
use crate::support::Place;
use serde_json::json;
use std::ops::Range;

const NAME: &str = "x07.sites";

/// A built module that traps, and the folder it lies in.
fn trapping() -> (Place, Vec<u8>) {
    let place = Place::new();
    place.project("app", &json!(["view.to_bytes", ["view.slice", "input", 5, 5]]));
    place.run("build --project app/x07.json --out good.wasm --no-manifest --json").ok();
    let wasm = place.read("good.wasm");
    (place, wasm)
}

/// Reads an unsigned LEB128 number at `at`; yields it and where it ends.
fn leb(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = usize::from(bytes[at]);
        at += 1;
        value |= (byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return (value, at);
        }
    }
}

/// Writes an unsigned LEB128 number.
fn to_leb(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = u8::try_from(value & 0x7f).expect("seven bits");
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

/// Where the table's section lies in a module, and its content without the name.
fn table(wasm: &[u8]) -> (Range<usize>, Vec<u8>) {
    let mut at = 8;
    while at < wasm.len() {
        let (id, start) = (wasm[at], at);
        let (size, content) = leb(wasm, at + 1);
        at = content + size;
        if id == 0 {
            let (length, name) = leb(wasm, content);
            if &wasm[name..name + length] == NAME.as_bytes() {
                return (start..at, wasm[name + length..at].to_vec());
            }
        }
    }
    panic!("the module has no section {NAME}");
}

/// The module with another table.
fn with_table(wasm: &[u8], content: &[u8]) -> Vec<u8> {
    let (range, _) = table(wasm);
    let mut section = to_leb(NAME.len());
    section.extend(NAME.as_bytes());
    section.extend(content);
    let mut out = wasm[..range.start].to_vec();
    out.push(0);
    out.extend(to_leb(section.len()));
    out.extend(section);
    out.extend(&wasm[range.end..]);
    out
}

/// Runs a module and asserts that its trap is reported.
#[track_caller]
fn still_traps(place: &Place, wasm: &[u8], what: &str) {
    place.write("bad.wasm", wasm);
    let run = place.run("run --wasm bad.wasm --input-hex 00 --incidents-dir inc --json");
    let report = survived(&run, what);
    assert_eq!(run.status, 1, "{what}: {report:#}");
    assert!(run.codes().iter().any(|c| c == "X07WASM_RUN_FAILED"), "{what}: {report:#}");
    assert!(run.stdout.len() < 100_000, "{what}: a report of {} bytes", run.stdout.len());
}

#[test]
fn the_untouched_table_gives_the_place() {
    let (place, wasm) = trapping();
    let (_, content) = table(&wasm);
    assert_eq!(with_table(&wasm, &content), wasm, "the test puts a module together as it was");
    let report = place.run("run --wasm good.wasm --input-hex 00 --json").report();
    assert!(report["diagnostics"].to_string().contains("/solve/1"), "{report:#}");
}

#[test]
fn a_module_without_its_table_traps_without_a_place() {
    let (place, wasm) = trapping();
    let (range, _) = table(&wasm);
    let mut stripped = wasm[..range.start].to_vec();
    stripped.extend(&wasm[range.end..]);
    still_traps(&place, &stripped, "no table");
}

#[test]
fn every_prefix_of_a_table_is_survived() {
    let (place, wasm) = trapping();
    let (_, content) = table(&wasm);
    for end in 0..content.len() {
        still_traps(&place, &with_table(&wasm, &content[..end]), &format!("{end} of {} bytes", content.len()));
    }
}

#[test]
fn flipped_bits_of_a_table_are_survived() {
    let (place, wasm) = trapping();
    let (_, content) = table(&wasm);
    let mut numbers = Numbers::new(7);
    for round in 0..200 {
        let mut bad = content.clone();
        let (at, bit) = (numbers.below(bad.len()), numbers.below(8));
        bad[at] ^= 1 << bit;
        still_traps(&place, &with_table(&wasm, &bad), &format!("round {round}: bit {bit} of byte {at}"));
    }
}

#[test]
fn tables_of_nonsense_are_survived() {
    let (place, wasm) = trapping();
    let (_, content) = table(&wasm);
    let mut longer = content.clone();
    longer.extend(&content);
    let mut numbers = Numbers::new(8);
    let random: Vec<u8> = (0..1000).map(|_| u8::try_from(numbers.below(256)).unwrap_or(0)).collect();
    for (bad, what) in [
        (vec![0xff; 64], "ones"),
        (vec![0; 64], "zeros"),
        (vec![0xff, 0xff, 0xff, 0xff, 0x0f], "a huge count"),
        (b"not a table at all".to_vec(), "text"),
        (longer, "twice"),
        (random, "random bytes"),
        (vec![0x80; 100_000], "a number without end"),
    ] {
        still_traps(&place, &with_table(&wasm, &bad), what);
    }
}

#[test]
fn every_byte_of_a_table_may_be_the_largest() {
    let (place, wasm) = trapping();
    let (_, content) = table(&wasm);
    for at in 0..content.len() {
        let mut bad = content.clone();
        bad[at] = 0xff;
        still_traps(&place, &with_table(&wasm, &bad), &format!("byte {at}"));
    }
}

#[test]
fn two_tables_are_survived() {
    let (place, wasm) = trapping();
    let (range, _) = table(&wasm);
    let mut twice = wasm.clone();
    twice.extend(&wasm[range]);
    still_traps(&place, &twice, "two tables");
}

#[test]
fn the_table_of_another_program_is_survived() {
    let (place, wasm) = trapping();
    place.project(
        "other",
        &json!(["begin", ["let", "v", ["bytes.lit", "abc"]], ["fmt.u32_to_dec", ["parse.u32_dec", "input"]]]),
    );
    place.run("build --project other/x07.json --out other.wasm --no-manifest --json").ok();
    let (_, other) = table(&place.read("other.wasm"));
    still_traps(&place, &with_table(&wasm, &other), "another table");
}
