//! Components of every kind against the engine: honest, greedy, endless, half-hearted.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod command;
mod guests;
mod http;

use std::sync::Arc;

use super::*;
use crate::engine::{Allocator, EngineConfig, EngineError, Guests, Limits, Runtime};

/// A runtime for components.
fn runtime(limits: Limits) -> Arc<Runtime> {
    let config = EngineConfig { guests: Guests::Components, limits, ..EngineConfig::default() };
    let (runtime, warnings) = Runtime::new(&config).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    Arc::new(runtime)
}

/// Limits that a well-behaved guest never meets, with a clock that ends the others.
fn limits() -> Limits {
    Limits {
        fuel: None,
        memory_bytes: Some(4 * 65_536),
        table_elements: Some(1000),
        wasm_stack_bytes: Some(256 * 1024),
        wall_ms: Some(20_000),
    }
}

fn compile_error(limits: Limits, bytes: &[u8]) -> EngineError {
    Component::compile(&runtime(limits), bytes).unwrap_err()
}

#[test]
fn what_is_shared_between_threads_can_be() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>(_: &T) {}
    shared::<Component>();
    shared::<HttpService>();
    shared::<CommandService>();
    shared::<Grant>();

    let runtime = runtime(Limits::default());
    let component = Component::compile(&runtime, &guests::proxy(guests::HELLO)).unwrap();
    let service = HttpService::prepare(runtime, &component).unwrap();
    let call = HttpCall { grant: Grant::nothing(), max_response_bytes: 1, max_header_bytes: 1 };
    sent(&service.call(::http::Request::default(), call));
}

#[test]
fn a_core_module_is_told_apart() {
    let error = compile_error(Limits::default(), &wat::parse_str("(module)").unwrap());
    assert!(matches!(&error, EngineError::Invalid { .. }), "{error:?}");
    assert!(error.to_string().contains("core module") && error.to_string().contains("component build"), "{error}");
}

#[test]
fn what_is_no_component_is_invalid() {
    let mut truncated = guests::command("(i32.const 0)");
    truncated.pop();
    for bytes in [truncated, Vec::new(), b"(component)".to_vec()] {
        let error = compile_error(Limits::default(), &bytes);
        assert!(matches!(error, EngineError::Invalid { offset: Some(_), .. }), "{error:?}");
    }
}

#[test]
fn features_that_no_page_has_are_refused() {
    for module in ["(memory 1) (memory 1)", "(memory i64 1)", "(memory 1 1 shared)", "(type (struct))", "(tag)"] {
        let bytes = wat::parse_str(format!("(component (core module {module}))")).unwrap();
        let error = compile_error(Limits::default(), &bytes);
        assert!(matches!(error, EngineError::Invalid { .. }), "{module}: {error:?}");
    }
    let common = "(component (core module (table 1 funcref) (table 1 funcref)
        (func (drop (v128.const i64x2 0 0)) (return_call 0))))";
    let runtime = runtime(Limits::default());
    Component::compile(&runtime, &wat::parse_str(common).unwrap()).unwrap();
}

#[test]
fn modules_that_start_over_the_limits_are_refused_by_both_allocators() {
    let large = wat::parse_str("(component (core module (memory 5 5)))").unwrap();
    let wide = wat::parse_str("(component (core module (table 1001 funcref)))").unwrap();
    for allocator in [Allocator::OnDemand, Allocator::Pooling] {
        let config =
            EngineConfig { guests: Guests::Components, limits: limits(), allocator, ..EngineConfig::default() };
        let (runtime, _) = Runtime::new(&config).unwrap();
        let error = Component::compile(&runtime, &large).unwrap_err();
        assert_eq!(error, EngineError::MemoryLimit { wanted: 5 * 65_536, limit: 4 * 65_536 });
        let error = Component::compile(&runtime, &wide).unwrap_err();
        assert_eq!(error, EngineError::TableLimit { wanted: 1001, limit: 1000 });
    }
}

#[test]
fn a_runtime_for_modules_takes_no_components() {
    let (runtime, _) = Runtime::new(&EngineConfig::default()).unwrap();
    let error = Component::compile(&runtime, &guests::command("(i32.const 0)")).unwrap_err();
    assert!(matches!(&error, EngineError::Config { reason } if reason.contains("solve modules")), "{error:?}");
}

#[test]
fn an_import_that_nobody_has_is_named() {
    let bytes = guests::component(
        "stranger",
        "(module
           (import \"nobody:has/this@1.0.0\" \"answer\" (func $answer (result i32)))
           (memory (export \"memory\") 1)
           (func (export \"wasi:cli/run@0.2.8#run\") (result i32) (call $answer)))",
    );
    let runtime = runtime(Limits::default());
    let component = Component::compile(&runtime, &bytes).unwrap();
    let error = CommandService::prepare(runtime, &component).unwrap_err();
    assert!(matches!(&error, PrepareError::Linker { reason } if reason.contains("nobody:has/this@1.0.0")), "{error:?}");
}

#[test]
fn a_component_of_another_world_is_refused_with_what_it_lacks() {
    let runtime = runtime(Limits::default());
    let command = Component::compile(&runtime, &guests::command("(i32.const 0)")).unwrap();
    let error = HttpService::prepare(Arc::clone(&runtime), &command).unwrap_err();
    assert!(
        matches!(&error, PrepareError::World { reason } if reason.contains("wasi:http/incoming-handler")),
        "{error:?}"
    );
    let proxy = Component::compile(&runtime, &guests::proxy(guests::HELLO)).unwrap();
    let error = CommandService::prepare(runtime, &proxy).unwrap_err();
    assert!(matches!(&error, PrepareError::World { reason } if reason.contains("wasi:cli/run")), "{error:?}");
}
