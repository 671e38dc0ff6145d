//! Compile time against program size, up to the limit of 250 000 nodes.
//!
//! The time for each node must not grow with the size: the last column of the first table stays
//! flat. The peer is the `wat` assembler, which turns text of about the same number of instructions
//! into a module without checking anything.

#![allow(missing_docs, clippy::unwrap_used)]

mod measure;

use measure::Thing;
use serde_json::{Value, json};
use std::hint::black_box;
use x07_wasm::compiler::emit::Target;
use x07_wasm::compiler::source::{ModuleSource, ModuleText, SourceError};
use x07_wasm::compiler::{Options, compile};

/// A program in one entry.
struct Entry(String);

impl ModuleSource for Entry {
    fn entry(&self) -> Result<ModuleText, SourceError> {
        Ok(ModuleText { path: "main.x07.json".to_owned(), text: self.0.clone() })
    }

    fn module(&self, _: &str) -> Result<ModuleText, SourceError> {
        Err(SourceError::NotFound { searched: Vec::new() })
    }
}

/// A chain of functions of 50 statements each; about `nodes` nodes.
fn program(nodes: usize) -> String {
    let functions = (nodes / 1_010).max(1);
    let name = |i: usize| format!("main.f{i}");
    let mut decls = Vec::new();
    for i in 0..functions {
        let mut body: Vec<Value> = vec![json!("begin"), json!(["let", "x", "a"])];
        for k in 0..50 {
            body.push(json!(["set", "x", ["+", ["*", "x", k + 3], ["if", ["<u", "x", 1000], ["^", "x", 5], "x"]]]));
        }
        body.push(if i + 1 < functions { json!([name(i + 1), "x"]) } else { json!("x") });
        decls.push(json!({ "kind": "defn", "name": name(i), "params": [{ "name": "a", "ty": "i32" }], "result": "i32", "body": body }));
    }
    json!({ "schema_version": "x07.x07ast@0.8.0", "kind": "entry", "module_id": "main", "imports": [], "decls": decls, "solve": ["fmt.u32_to_dec", [name(0), ["view.len", "input"]]] }).to_string()
}

/// The same amount of work for an assembler.
fn assembly(nodes: usize) -> String {
    let functions = (nodes / 1_010).max(1);
    let mut text = String::from("(module ");
    for _ in 0..functions {
        text.push_str("(func (param i32) (result i32) ");
        for k in 0..50 {
            text.push_str(&format!("(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const {k})) (if (result i32) (i32.lt_u (local.get 0) (i32.const 1000)) (then (i32.xor (local.get 0) (i32.const 5))) (else (local.get 0)))))"));
        }
        text.push_str("(local.get 0)) ");
    }
    text.push(')');
    text
}

fn main() {
    let target = Target {
        initial_memory_bytes: 16 << 20,
        max_memory_bytes: 16 << 20,
        static_base: 0,
        producer: "bench 0".to_owned(),
        strip: false,
    };
    let options = Options { max_entry_bytes: usize::MAX, ..Options::default() };
    let sizes = [1_000, 8_000, 32_000, 125_000, 240_000];
    let mut things: Vec<Thing> = Vec::new();
    for nodes in sizes {
        let source = Entry(program(nodes));
        let target = target.clone();
        things.push((
            format!("x07-wasm, {nodes} nodes"),
            Box::new(move || {
                let made = compile(&source, &options, &target);
                assert!(made.wasm.is_some(), "{:?}", made.problems.first());
                black_box(made);
            }),
        ));
        let text = assembly(nodes);
        things.push((
            format!("wat, {nodes} nodes"),
            Box::new(move || {
                black_box(wat::parse_str(&text).unwrap());
            }),
        ));
    }
    let rows = measure::medians(measure::rounds().min(7), &mut things);
    measure::table("compile time", &rows, "wat, 240000 nodes");
    println!("\ntime for each 1000 nodes (linear when flat)");
    for ((name, time), nodes) in rows.iter().step_by(2).zip(sizes) {
        println!("  {name:<44} {:>10.3} ms", time.as_secs_f64() * 1e6 / nodes as f64);
    }
}
