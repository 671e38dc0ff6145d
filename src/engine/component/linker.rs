//! What the host offers to components: WASI 0.2 and `wasi:http`.
//!
//! Everything is linked into every component. What a call may really reach is decided by its
//! grant, so that a component which merely names an interface still runs.

use wasmtime::Engine;
use wasmtime::component::Linker;
use wasmtime_wasi::p2::bindings::random;

use super::outgoing;
use super::random::RandomNumbers;
use super::state::HostState;

/// A linker with all that there is.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    // The interfaces after these two replace some of what they bring.
    linker.allow_shadowing(true);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;

    // Streams need the table of resources only. Reached through the WASI context, they would make
    // it come into being for guests that never look at a clock or a file.
    wasmtime_wasi_io::add_to_linker_async(&mut linker)?;
    random::random::add_to_linker::<HostState, RandomNumbers>(&mut linker, |state| &mut state.random)?;
    random::insecure::add_to_linker::<HostState, RandomNumbers>(&mut linker, |state| &mut state.random)?;
    random::insecure_seed::add_to_linker::<HostState, RandomNumbers>(&mut linker, |state| &mut state.random)?;
    linker.instance(outgoing::OUTGOING_HANDLER)?.func_wrap("handle", outgoing::handle)?;
    linker.allow_shadowing(false);
    Ok(linker)
}
