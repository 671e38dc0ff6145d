//! The glued modules as components: their names and types are those of their worlds.

use std::path::Path;

use wit_component::DecodedWasm;

use super::LIMITS;
use crate::component::encode::{EncodeError, componentize, embed};
use crate::component::glue::{CliBudgets, cli_adapter, cli_native, solve, web_ui_adapter};
use crate::component::link::tests::echo;
use crate::contract::files::Files;
use crate::wit;

const BUDGETS: CliBudgets = CliBudgets { max_stdin_bytes: 1000, max_stdout_bytes: 1000, max_stderr_bytes: 1000 };

const COMMAND: [&str; 5] = [
    "wasi:cli/stderr@0.2.8",
    "wasi:cli/stdin@0.2.8",
    "wasi:cli/stdout@0.2.8",
    "wasi:io/error@0.2.8",
    "wasi:io/streams@0.2.8",
];

const HANDLER: &str = "x07:solve/handler@0.1.0";

fn component(core: &[u8], package: &str, world: &str) -> Result<Vec<u8>, EncodeError> {
    let mut files = Files::default();
    let registry = wit::open(&mut files, Path::new(wit::DEFAULT_INDEX), &mut Vec::new()).unwrap();
    let bundle = wit::package(&mut files, &registry, package).unwrap();
    let embedded = embed(core, &bundle, world)?;
    componentize(&embedded)
}

/// The names of a component's imports and exports, sorted.
fn interfaces(component: &[u8]) -> (Vec<String>, Vec<String>) {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component).unwrap() else {
        panic!("not a component")
    };
    let world = &resolve.worlds[world];
    let mut imports: Vec<String> = world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
    let mut exports: Vec<String> = world.exports.keys().map(|key| resolve.name_world_key(key)).collect();
    imports.sort_unstable();
    exports.sort_unstable();
    (imports, exports)
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[track_caller]
fn check(core: &[u8], package: &str, world: &str, imports: &[&str], exports: &[&str]) {
    let made = component(core, package, world).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(interfaces(&made), (owned(imports), owned(exports)));
    assert_eq!(component(core, package, world), Ok(made));
}

#[test]
fn a_program_fits_the_solve_world() {
    check(&solve(&echo(), LIMITS).unwrap(), "x07:solve@0.1.0", "solve", &[], &[HANDLER]);
}

#[test]
fn a_native_command_fits_the_command_world() {
    let core = cli_native(&echo(), LIMITS, &BUDGETS).unwrap();
    check(&core, "wasi:cli@0.2.8", "command", &COMMAND, &["wasi:cli/run@0.2.8"]);
}

#[test]
fn the_command_adapter_fits_its_world() {
    let imports: Vec<&str> = COMMAND.into_iter().chain([HANDLER]).collect();
    let core = cli_adapter(&BUDGETS).unwrap();
    check(&core, "x07:cli-adapter@0.1.0", "command-with-solve", &imports, &["wasi:cli/run@0.2.8"]);
}

#[test]
fn the_web_ui_adapter_fits_its_world() {
    let core = web_ui_adapter().unwrap();
    check(&core, "x07:web-ui-adapter@0.1.0", "web-ui-app-with-solve", &[HANDLER], &["init", "step"]);
}

#[test]
fn a_module_for_another_world_is_refused() {
    let core = solve(&echo(), LIMITS).unwrap();
    let error = component(&core, "wasi:cli@0.2.8", "command").unwrap_err();
    assert!(matches!(&error, EncodeError::Componentize { .. }), "{error}");
}
