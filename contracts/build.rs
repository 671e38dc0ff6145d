//! Runs the contract compiler: `schemas/` → `generated/`.

#[path = "build/mod.rs"]
mod compiler;

use std::path::Path;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    println!("cargo::rerun-if-changed=../schemas");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    match compiler::compile(&root.join("schemas")).and_then(|files| files.write(&root.join("generated"))) {
        Ok(()) => {}
        Err(mistakes) => {
            for mistake in &mistakes.0 {
                println!("cargo::error={}", mistake.to_string().replace('\n', " "));
            }
            std::process::exit(1);
        }
    }
}
