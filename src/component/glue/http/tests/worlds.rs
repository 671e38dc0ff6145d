//! The HTTP modules as components: their names and types are those of their worlds.

use std::path::Path;

use wit_component::DecodedWasm;

use super::{BUDGETS, LIMITS, constant};
use crate::component::encode::{componentize, embed};
use crate::component::glue::{SOLVE_HANDLER, StateDoc, http_adapter, http_native};
use crate::contract::files::Files;
use crate::wit;

const EXPORT: &str = "wasi:http/incoming-handler@0.2.8";

const IMPORTS: [&str; 3] = ["wasi:http/types@0.2.8", "wasi:io/error@0.2.8", "wasi:io/streams@0.2.8"];

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[track_caller]
fn check(core: &[u8], package: &str, world: &str, imports: &[&str]) {
    let mut files = Files::default();
    let registry = wit::open(&mut files, Path::new(wit::DEFAULT_INDEX), &mut Vec::new()).unwrap();
    let bundle = wit::package(&mut files, &registry, package).unwrap();
    let component = || componentize(&embed(core, &bundle, world).unwrap());
    let made = component().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(component(), Ok(made.clone()));

    let DecodedWasm::Component(resolve, world) = wit_component::decode(&made).unwrap() else {
        panic!("not a component")
    };
    let world = &resolve.worlds[world];
    let mut imported: Vec<String> = world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
    imported.sort_unstable();
    let exported: Vec<String> = world.exports.keys().map(|key| resolve.name_world_key(key)).collect();
    assert_eq!((imported, exported), (owned(imports), owned(&[EXPORT])));
}

#[test]
fn native_components_fit_the_proxy_world() {
    for state in [StateDoc::None, StateDoc::Header] {
        let core = http_native(&constant(""), LIMITS, &BUDGETS, state).unwrap();
        check(&core, "wasi:http@0.2.8", "proxy", &IMPORTS);
    }
}

#[test]
fn adapters_fit_their_worlds() {
    let imports: Vec<&str> = IMPORTS.into_iter().chain([SOLVE_HANDLER]).collect();
    for (state, package) in
        [(StateDoc::None, "x07:http-adapter@0.1.0"), (StateDoc::Header, "x07:http-state-doc-adapter@0.1.0")]
    {
        check(&http_adapter(&BUDGETS, state).unwrap(), package, "proxy-with-solve", &imports);
    }
}
