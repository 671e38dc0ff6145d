//! Guests: core modules in text, made into components.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The parts of WASI that the guests use, and one interface that nobody provides.
const INTERFACES: &str = "
package test:guests;

world command {
  import wasi:cli/stdin@0.2.8;
  import wasi:cli/stdout@0.2.8;
  import wasi:cli/stderr@0.2.8;
  import wasi:cli/exit@0.2.8;
  import wasi:cli/environment@0.2.8;
  import wasi:clocks/monotonic-clock@0.2.8;
  import wasi:clocks/wall-clock@0.2.8;
  import wasi:random/random@0.2.8;
  export wasi:cli/run@0.2.8;
}
world proxy {
  import wasi:http/types@0.2.8;
  import wasi:http/outgoing-handler@0.2.8;
  export wasi:http/incoming-handler@0.2.8;
}
world stranger {
  import nobody:has/this@1.0.0;
  export wasi:cli/run@0.2.8;
}

package nobody:has@1.0.0 {
  interface this { answer: func() -> u32; }
}
package wasi:io@0.2.8 {
  interface error { resource error; }
  interface poll {
    resource pollable { block: func(); }
  }
  interface streams {
    use error.{error};
    variant stream-error { last-operation-failed(error), closed }
    resource input-stream {
      blocking-read: func(len: u64) -> result<list<u8>, stream-error>;
    }
    resource output-stream {
      blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
    }
  }
}
package wasi:clocks@0.2.8 {
  interface monotonic-clock {
    use wasi:io/poll@0.2.8.{pollable};
    type instant = u64;
    type duration = u64;
    now: func() -> instant;
    subscribe-duration: func(when: duration) -> pollable;
  }
  interface wall-clock {
    record datetime { seconds: u64, nanoseconds: u32 }
    now: func() -> datetime;
  }
}
package wasi:random@0.2.8 {
  interface random { get-random-u64: func() -> u64; }
}
package wasi:cli@0.2.8 {
  interface stdin {
    use wasi:io/streams@0.2.8.{input-stream};
    get-stdin: func() -> input-stream;
  }
  interface stdout {
    use wasi:io/streams@0.2.8.{output-stream};
    get-stdout: func() -> output-stream;
  }
  interface stderr {
    use wasi:io/streams@0.2.8.{output-stream};
    get-stderr: func() -> output-stream;
  }
  interface exit { exit: func(status: result); }
  interface environment {
    get-environment: func() -> list<tuple<string, string>>;
    get-arguments: func() -> list<string>;
  }
  interface run { run: func() -> result; }
}
package wasi:http@0.2.8 {
  interface types {
    use wasi:io/poll@0.2.8.{pollable};
    use wasi:io/streams@0.2.8.{input-stream, output-stream};
    variant scheme { HTTP, HTTPS, other(string) }
    record DNS-error-payload { rcode: option<string>, info-code: option<u16> }
    record TLS-alert-received-payload { alert-id: option<u8>, alert-message: option<string> }
    record field-size-payload { field-name: option<string>, field-size: option<u32> }
    variant error-code {
      DNS-timeout,
      DNS-error(DNS-error-payload),
      destination-not-found,
      destination-unavailable,
      destination-IP-prohibited,
      destination-IP-unroutable,
      connection-refused,
      connection-terminated,
      connection-timeout,
      connection-read-timeout,
      connection-write-timeout,
      connection-limit-reached,
      TLS-protocol-error,
      TLS-certificate-error,
      TLS-alert-received(TLS-alert-received-payload),
      HTTP-request-denied,
      HTTP-request-length-required,
      HTTP-request-body-size(option<u64>),
      HTTP-request-method-invalid,
      HTTP-request-URI-invalid,
      HTTP-request-URI-too-long,
      HTTP-request-header-section-size(option<u32>),
      HTTP-request-header-size(option<field-size-payload>),
      HTTP-request-trailer-section-size(option<u32>),
      HTTP-request-trailer-size(field-size-payload),
      HTTP-response-incomplete,
      HTTP-response-header-section-size(option<u32>),
      HTTP-response-header-size(field-size-payload),
      HTTP-response-body-size(option<u64>),
      HTTP-response-trailer-section-size(option<u32>),
      HTTP-response-trailer-size(field-size-payload),
      HTTP-response-transfer-coding(option<string>),
      HTTP-response-content-coding(option<string>),
      HTTP-response-timeout,
      HTTP-upgrade-failed,
      HTTP-protocol-error,
      loop-detected,
      configuration-error,
      internal-error(option<string>),
    }
    variant header-error { invalid-syntax, forbidden, immutable }
    resource fields {
      constructor();
      append: func(name: string, value: list<u8>) -> result<_, header-error>;
    }
    resource incoming-body {
      %stream: func() -> result<input-stream>;
    }
    resource incoming-request {
      consume: func() -> result<incoming-body>;
    }
    resource incoming-response {
      status: func() -> u16;
    }
    resource future-incoming-response {
      subscribe: func() -> pollable;
      get: func() -> option<result<result<incoming-response, error-code>>>;
    }
    resource outgoing-body {
      write: func() -> result<output-stream>;
      finish: static func(this: outgoing-body, trailers: option<fields>) -> result<_, error-code>;
    }
    resource outgoing-request {
      constructor(headers: fields);
      set-scheme: func(scheme: option<scheme>) -> result;
      set-authority: func(authority: option<string>) -> result;
      set-path-with-query: func(path-with-query: option<string>) -> result;
    }
    resource outgoing-response {
      constructor(headers: fields);
      set-status-code: func(status: u16) -> result;
      body: func() -> result<outgoing-body>;
    }
    resource request-options;
    resource response-outparam {
      set: static func(param: response-outparam, response: result<outgoing-response, error-code>);
    }
  }
  interface incoming-handler {
    use types.{incoming-request, response-outparam};
    handle: func(request: incoming-request, response-out: response-outparam);
  }
  interface outgoing-handler {
    use types.{outgoing-request, request-options, future-incoming-response, error-code};
    handle: func(request: outgoing-request, options: option<request-options>) -> result<future-incoming-response, error-code>;
  }
}
";

/// What every guest has: a memory whose first 64 bytes take results, and an allocator that only
/// goes up.
const COMMON: &str = r#"
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $top))
    (global.set $top (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8)))
    (local.get $at))
"#;

const COMMAND_IMPORTS: &str = r#"
  (import "wasi:cli/stdin@0.2.8" "get-stdin" (func $stdin (result i32)))
  (import "wasi:cli/stdout@0.2.8" "get-stdout" (func $stdout (result i32)))
  (import "wasi:cli/stderr@0.2.8" "get-stderr" (func $stderr (result i32)))
  (import "wasi:cli/exit@0.2.8" "exit" (func $exit (param i32)))
  (import "wasi:cli/environment@0.2.8" "get-arguments" (func $arguments (param i32)))
  (import "wasi:cli/environment@0.2.8" "get-environment" (func $environment (param i32)))
  (import "wasi:io/streams@0.2.8" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.8" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:clocks/monotonic-clock@0.2.8" "now" (func $now (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.8" "subscribe-duration" (func $after (param i64) (result i32)))
  (import "wasi:clocks/wall-clock@0.2.8" "now" (func $wall (param i32)))
  (import "wasi:io/poll@0.2.8" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:random/random@0.2.8" "get-random-u64" (func $random (result i64)))
"#;

const PROXY_IMPORTS: &str = r#"
  (import "wasi:http/types@0.2.8" "[constructor]fields" (func $new-fields (result i32)))
  (import "wasi:http/types@0.2.8" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.8" "[method]incoming-request.consume" (func $consume (param i32 i32)))
  (import "wasi:http/types@0.2.8" "[method]incoming-body.stream" (func $body-stream (param i32 i32)))
  (import "wasi:http/types@0.2.8" "[method]incoming-response.status" (func $status (param i32) (result i32)))
  (import "wasi:http/types@0.2.8" "[method]future-incoming-response.subscribe"
    (func $subscribe (param i32) (result i32)))
  (import "wasi:http/types@0.2.8" "[method]future-incoming-response.get" (func $get (param i32 i32)))
  (import "wasi:http/types@0.2.8" "[method]outgoing-body.write" (func $body-write (param i32 i32)))
  (import "wasi:http/types@0.2.8" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.8" "[resource-drop]outgoing-body" (func $drop-body (param i32)))
  (import "wasi:http/types@0.2.8" "[constructor]outgoing-request" (func $new-request (param i32) (result i32)))
  (import "wasi:http/types@0.2.8" "[method]outgoing-request.set-scheme"
    (func $set-scheme (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.8" "[method]outgoing-request.set-authority"
    (func $set-authority (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.8" "[method]outgoing-request.set-path-with-query"
    (func $set-path (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.8" "[constructor]outgoing-response" (func $new-response (param i32) (result i32)))
  (import "wasi:http/types@0.2.8" "[method]outgoing-response.set-status-code"
    (func $set-status (param i32 i32) (result i32)))
  (import "wasi:http/types@0.2.8" "[method]outgoing-response.body" (func $response-body (param i32 i32)))
  (import "wasi:http/types@0.2.8" "[static]response-outparam.set"
    (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "wasi:http/outgoing-handler@0.2.8" "handle" (func $send (param i32 i32 i32 i32)))
  (import "wasi:io/poll@0.2.8" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/streams@0.2.8" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.8" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.8" "[resource-drop]output-stream" (func $drop-stream (param i32)))
"#;

/// What proxies are made of: begin a response, say five bytes of it, end it, or answer with an
/// error. `hello` is at 64, the header `x-a: 1` at 80, `content-length` at 96.
const PROXY_PARTS: &str = r#"
  (data (i32.const 64) "hello")
  (data (i32.const 80) "x-a1")
  (data (i32.const 96) "content-length")
  (global $the-body (mut i32) (i32.const 0))
  (func $begin-with (param $out i32) (param $response i32) (result i32)
    (call $response-body (local.get $response) (i32.const 0))
    (global.set $the-body (i32.load (i32.const 4)))
    (call $set (local.get $out) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (call $body-write (global.get $the-body) (i32.const 0))
    (i32.load (i32.const 4)))
  (func $begin (param $out i32) (param $headers i32) (result i32)
    (call $begin-with (local.get $out) (call $new-response (local.get $headers))))
  (func $say (param $stream i32)
    (call $write (local.get $stream) (i32.const 64) (i32.const 5) (i32.const 0)))
  (func $end (param $stream i32)
    (call $drop-stream (local.get $stream))
    (call $finish (global.get $the-body) (i32.const 0) (i32.const 0) (i32.const 0)))
  (func $fail (param $out i32) (param $code i32)
    (call $set (local.get $out) (i32.const 1) (local.get $code) (i32.const 0) (i64.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
"#;

/// A component of one of the worlds above.
pub(super) fn component(world: &str, core: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("guests.wit", INTERFACES).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(core).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// A command whose `run` has `body`, which leaves an `i32`: 0 for success. `fields` are further
/// parts of the module. There is a local `$s` for a stream.
pub(super) fn command_with(fields: &str, body: &str) -> Vec<u8> {
    component(
        "command",
        &format!(
            "(module {COMMAND_IMPORTS} {COMMON} {fields}
               (func $run (export \"wasi:cli/run@0.2.8#run\") (result i32) (local $s i32) {body}))"
        ),
    )
}

/// [`command_with`] nothing else.
pub(super) fn command(body: &str) -> Vec<u8> {
    command_with("", body)
}

/// A proxy whose handler has `body`, with the parameters `$request` and `$out` and the locals `$s`
/// and `$n`. `fields` are further parts of the module.
pub(super) fn proxy_with(fields: &str, body: &str) -> Vec<u8> {
    component(
        "proxy",
        &format!(
            "(module {PROXY_IMPORTS} {COMMON} {PROXY_PARTS} {fields}
               (func $handle (export \"wasi:http/incoming-handler@0.2.8#handle\")
                 (param $request i32) (param $out i32) (local $s i32) (local $n i32) {body}))"
        ),
    )
}

/// [`proxy_with`] nothing else.
pub(super) fn proxy(body: &str) -> Vec<u8> {
    proxy_with("", body)
}

/// The handler that answers `hello`.
pub(super) const HELLO: &str = "
    (local.set $s (call $begin (local.get $out) (call $new-fields)))
    (call $say (local.get $s))
    (call $end (local.get $s))";
