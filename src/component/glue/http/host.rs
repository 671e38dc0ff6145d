//! What HTTP components import, with the types that the canonical ABI gives it. The results of
//! functions with an `area` parameter lie there; [`AREA`] bytes hold each of them.

use wasm_encoder::ValType;

use crate::component::glue::frame::Imports;
use crate::component::glue::io::Streams;
use crate::component::link::FunctionId;

const I32: ValType = ValType::I32;

/// The interface with requests and responses.
const TYPES: &str = "wasi:http/types@0.2.8";

/// Bytes of the largest result: `result<_, error-code>`, whose payload is at 8 since an error code
/// may have a u64. The code is a variant of 32 bytes, with payloads of up to 24 at 8.
pub const AREA: u32 = 40;

/// The cases of `method` that have a name, in their order. The next is `other`.
pub const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// The case `internal-error` of `error-code`.
pub const INTERNAL_ERROR: i32 = 38;

/// The imported functions.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// `(request, area)`. `method` is a variant: the case, one byte, at 0; the name of `other` at 4
    /// and 8.
    pub method: FunctionId,
    /// `(request, area)`. `option<string>`: whether there is one, one byte, at 0; the text at 4 and 8.
    pub path_with_query: FunctionId,
    /// `(request) -> fields`.
    pub headers: FunctionId,
    /// `(request, area)`. `result<incoming-body>`: 0 for success, one byte, at 0; the handle at 4.
    pub consume: FunctionId,
    /// `(incoming-body, area)`. `result<input-stream>`, as above.
    pub stream: FunctionId,
    /// `(fields, area)`. `list<tuple<string, list<u8>>>`: address and number at 0 and 4. An entry
    /// has four words: address and length of name and value.
    pub entries: FunctionId,
    /// `(entries, number, area)`. `result<fields, header-error>`: 0 for success, one byte, at 0; the
    /// handle at 4.
    pub from_list: FunctionId,
    /// `(fields) -> outgoing-response`. Takes the fields.
    pub new_response: FunctionId,
    /// `(outgoing-response, status) -> failed`.
    pub set_status: FunctionId,
    /// `(outgoing-response, area)`. `result<outgoing-body>`: 0 for success, one byte, at 0; the
    /// handle at 4.
    pub body: FunctionId,
    /// `(outgoing-body, area)`. `result<output-stream>`, as above.
    pub write: FunctionId,
    /// `(outgoing-body, with trailers, trailers, area)`. Takes the body. `result<_, error-code>`.
    pub finish: FunctionId,
    /// `(response-outparam, failed, …)`. Takes the outparam. Then follows what the flat forms of
    /// `outgoing-response` and `error-code` have in common: a handle or the case of the error, and
    /// its payload. That has six words, of which the second is 64 bits wide, since one case has an
    /// `option<u64>`.
    pub set: FunctionId,
    /// Drops fields that were got from a request.
    pub drop_fields: FunctionId,
    /// Drops a request, whose body was dropped.
    pub drop_request: FunctionId,
    /// Drops the body of a request, whose stream was dropped.
    pub drop_incoming: FunctionId,
    /// Drops a response that is not sent.
    pub drop_response: FunctionId,
    /// Drops the body of a response, which counts as cut short then.
    pub drop_outgoing: FunctionId,
    /// The streams.
    pub streams: Streams,
}

impl Host {
    /// Adds the imports.
    pub fn import(imports: &mut Imports) -> Self {
        const SET: [ValType; 9] = [I32, I32, I32, I32, ValType::I64, I32, I32, I32, I32];
        let mut method =
            |name: &str, params: &[ValType], results: &[ValType]| imports.function(TYPES, name, params, results);
        let two = [I32, I32];
        Self {
            method: method("[method]incoming-request.method", &two, &[]),
            path_with_query: method("[method]incoming-request.path-with-query", &two, &[]),
            headers: method("[method]incoming-request.headers", &[I32], &[I32]),
            consume: method("[method]incoming-request.consume", &two, &[]),
            stream: method("[method]incoming-body.stream", &two, &[]),
            entries: method("[method]fields.entries", &two, &[]),
            from_list: method("[static]fields.from-list", &[I32, I32, I32], &[]),
            new_response: method("[constructor]outgoing-response", &[I32], &[I32]),
            set_status: method("[method]outgoing-response.set-status-code", &two, &[I32]),
            body: method("[method]outgoing-response.body", &two, &[]),
            write: method("[method]outgoing-body.write", &two, &[]),
            finish: method("[static]outgoing-body.finish", &[I32, I32, I32, I32], &[]),
            set: method("[static]response-outparam.set", &SET, &[]),
            drop_fields: method("[resource-drop]fields", &[I32], &[]),
            drop_request: method("[resource-drop]incoming-request", &[I32], &[]),
            drop_incoming: method("[resource-drop]incoming-body", &[I32], &[]),
            drop_response: method("[resource-drop]outgoing-response", &[I32], &[]),
            drop_outgoing: method("[resource-drop]outgoing-body", &[I32], &[]),
            streams: Streams::import(imports),
        }
    }
}
