//! An adapter of the world `x07:web-ui-adapter/web-ui-app-with-solve`: the two calls of a browser
//! application, both answered by `solve`.

use wasm_encoder::ValType;

use super::GlueError;
use super::asm::Body;
use super::frame::{Imports, Solver, frame, memory_bytes};

/// The event that starts an application, as `init` hands it to `solve`.
const INIT: &[u8] = br#"{"v":1,"kind":"x07.web_ui.dispatch","state":null,"event":{"type":"init"}}"#;

/// Bytes for an event and the frame that answers it, each up to what programs may put out by
/// default.
const REGION: u64 = 2 * (16 << 20);

/// Makes the core module of a web UI adapter. It imports `solve` and exports `init`, `step` and
/// their post-return functions, `cabi_realloc` and `memory`.
///
/// # Errors
///
/// [`GlueError::Link`], only by a mistake of the tool.
pub fn web_ui_adapter() -> Result<Vec<u8>, GlueError> {
    let mut imports = Imports::new();
    let function = imports.solve();
    let mut linker = imports.adapter();
    let event = linker.data(INIT);
    let (frame, _) = frame(&mut linker, Solver::Imported { function }, &[]);

    let init = linker.declare("init", &[], &[ValType::I32]);
    let mut body = Body::new(&[]);
    body.u32(event).u32(u32::try_from(INIT.len()).unwrap_or(u32::MAX)).call(frame.call_solve);
    linker.define(init, body.finish());

    let post_return = frame.post_return(&mut linker);
    linker.export("init", init);
    linker.export("cabi_post_init", post_return);
    linker.export("step", frame.call_solve);
    linker.export("cabi_post_step", post_return);
    let memory = memory_bytes(&linker, REGION);
    Ok(linker.finish(memory)?)
}
