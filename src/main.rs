//! The `x07-wasm` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(x07_wasm::cli::run(std::env::args_os().collect()))
}
