//! The logic of HTTP components, as a program in X07: requests become envelopes, the outputs of
//! programs become responses.
//!
//! The codec is compiled when a component is made, and linked into it above the program. The glue
//! around it ([`crate::component::glue`]) moves bytes and decides nothing.
//!
//! | file | job |
//! |---|---|
//! | `main` | the operations |
//! | `call` | the parts of an input |
//! | `request` | limits and rules of requests; requests → envelopes |
//! | `response` | envelopes → responses |
//! | `headers` | the headers of responses |
//! | `fault`, `reply` | responses that tell of a failure; how responses are laid out |
//! | `reader` | documents → places of their members |
//! | `json`, `text`, `base64` | strings in JSON, UTF-8, base64 |
//! | [`framing`] | inputs, as the glue starts them |
//!
//! # Calls
//!
//! Numbers have four bytes, little-endian. A string is its length and its bytes. The first byte of
//! an input is the [`framing::Operation`]:
//!
//! | operation | input behind the prefix of [`framing::prefix`] | output |
//! |---|---|---|
//! | check | method, target, number of headers, name and value of each | 0, or a response |
//! | encode | the same, then the body | 0 and the input of the program, or a response |
//! | decode | the output of the program | a response |
//! | fail | see [`framing::failure`] | a response |
//!
//! A response is the byte 1, the status, the number of headers, name and value of each, and the body.
//!
//! What may not live here: WASI, the canonical ABI, engines, files, reports.

pub mod framing;

use x07_wasm_contracts::diagnostics::{Code, Severity};

use super::glue::HttpBudgets;
use crate::compiler::emit::Target;
use crate::compiler::source::{ModuleSource, ModuleText, SourceError};
use crate::compiler::{self, Options};
use crate::wasm::PAGE_BYTES;

/// Bytes above its base that the codec's static data may take. It takes a few thousand.
const DATA_ROOM: u64 = PAGE_BYTES;

/// The highest base that leaves the codec room.
pub const MAX_BASE: u32 = 0xfffd_0000;

/// The files of the codec: module id, name and text.
const FILES: [(&str, &str, &str); 11] = [
    ("main", "main.x07.json", include_str!("main.x07.json")),
    ("envelope.base64", "base64.x07.json", include_str!("base64.x07.json")),
    ("envelope.call", "call.x07.json", include_str!("call.x07.json")),
    ("envelope.fault", "fault.x07.json", include_str!("fault.x07.json")),
    ("envelope.headers", "headers.x07.json", include_str!("headers.x07.json")),
    ("envelope.json", "json.x07.json", include_str!("json.x07.json")),
    ("envelope.reader", "reader.x07.json", include_str!("reader.x07.json")),
    ("envelope.reply", "reply.x07.json", include_str!("reply.x07.json")),
    ("envelope.request", "request.x07.json", include_str!("request.x07.json")),
    ("envelope.response", "response.x07.json", include_str!("response.x07.json")),
    ("envelope.text", "text.x07.json", include_str!("text.x07.json")),
];

/// The codes that responses of the codec may carry.
pub const CODES: [Code; 13] = [
    Code::BudgetExceededHttpEnvelopeBytes,
    Code::BudgetExceededHttpHeaders,
    Code::BudgetExceededHttpHeaderBytesTotal,
    Code::BudgetExceededHttpPathBytes,
    Code::BudgetExceededHttpQueryBytes,
    Code::BudgetExceededHttpRequestBody,
    Code::BudgetExceededHttpResponseBody,
    Code::NativeHttpRequestMethodInvalid,
    Code::NativeHttpResponseBodyB64Invalid,
    Code::NativeHttpResponseEnvelopeInvalid,
    Code::NativeHttpResponseEnvelopeParseFailed,
    Code::NativeHttpStateDocInvalid,
    Code::ServeRequestFailed,
];

/// The codec could not be compiled: a mistake of the tool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("internal error: the HTTP codec could not be compiled: {reason}")]
pub struct CodecError {
    /// What the compiler says.
    pub reason: String,
}

/// Compiles the codec to a module that follows the solve ABI, with its static data and its
/// `__heap_base` at or above `static_base`, which is at most [`MAX_BASE`].
///
/// # Errors
///
/// [`CodecError`], which no input can cause.
pub fn compile(static_base: u32) -> Result<Vec<u8>, CodecError> {
    let pages = (u64::from(static_base) + DATA_ROOM).div_ceil(PAGE_BYTES);
    let memory = u32::try_from(pages.saturating_mul(PAGE_BYTES))
        .map_err(|_| CodecError { reason: format!("its data does not fit behind address {static_base}") })?;
    let target = Target {
        initial_memory_bytes: memory,
        max_memory_bytes: memory,
        static_base,
        producer: format!("x07-wasm {}", env!("CARGO_PKG_VERSION")),
        strip: true,
    };
    let compiled = compiler::compile(&Sources, &Options::default(), &target);
    compiled.wasm.ok_or_else(|| {
        let problem = compiled.problems.iter().find(|problem| problem.severity == Severity::Error);
        let reason = problem.map_or_else(String::new, |problem| {
            let file = problem.file.as_deref().unwrap_or_default();
            format!("{} in {file} at {}: {}", problem.code.as_str(), problem.pointer, problem.message)
        });
        CodecError { reason }
    })
}

/// How large an arena calls of the codec need, in bytes, so that they never run out of memory.
///
/// Encoding holds what stands before the body of a request, up to six times as long where it is
/// escaped and up to three times while it grows; the envelope; and of a state the decoded text, a
/// copy and the document with it. Decoding holds the note of where members are, a body as it was
/// decoded, before that its base64 without the escapes of JSON, a decoding that failed because of
/// them, the response, and the state in base64.
#[must_use]
pub fn arena_bytes(budgets: &HttpBudgets) -> u32 {
    const BASE: u64 = 256 << 10;
    let head = budgets
        .max_path_bytes
        .saturating_add(budgets.max_query_bytes)
        .saturating_add(budgets.max_header_bytes_total)
        .saturating_mul(20)
        .saturating_add(u64::from(budgets.max_headers).saturating_mul(192));
    let response = budgets.max_response_body_bytes.saturating_mul(5);
    let envelope = budgets.max_envelope_bytes.saturating_mul(4);
    let bodies = response.saturating_add(envelope);
    u32::try_from(BASE.saturating_add(head).saturating_add(bodies)).unwrap_or(u32::MAX)
}

/// The files, for the compiler.
#[derive(Clone, Copy, Debug)]
pub struct Sources;

impl ModuleSource for Sources {
    fn entry(&self) -> Result<ModuleText, SourceError> {
        self.module("main")
    }

    fn module(&self, id: &str) -> Result<ModuleText, SourceError> {
        match FILES.iter().find(|(module, ..)| *module == id) {
            Some((_, name, text)) => Ok(ModuleText { path: format!("codec/{name}"), text: (*text).to_owned() }),
            None => Err(SourceError::NotFound { searched: vec![format!("codec/{id}")] }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::component::link::{LinkError, Linker};

    const BUDGETS: HttpBudgets = HttpBudgets {
        max_request_body_bytes: 1 << 20,
        max_response_body_bytes: 1 << 20,
        max_headers: 128,
        max_header_bytes_total: 65_536,
        max_path_bytes: 2048,
        max_query_bytes: 4096,
        max_envelope_bytes: 2 << 20,
    };

    #[test]
    fn it_has_no_problem_and_no_file_too_many() {
        let target = Target {
            initial_memory_bytes: 1 << 20,
            max_memory_bytes: 1 << 20,
            static_base: 0,
            producer: String::new(),
            strip: true,
        };
        let compiled = compiler::compile(&Sources, &Options::default(), &target);
        assert!(compiled.problems.is_empty(), "{:#?}", compiled.problems);
        let mut used: Vec<&str> = compiled.modules.iter().map(|module| module.id.as_str()).collect();
        used.retain(|id| !id.starts_with("std."));
        used.sort_unstable();
        let mut files = FILES.map(|(id, ..)| id);
        files.sort_unstable();
        assert_eq!(used, files);
    }

    #[test]
    fn it_lies_where_it_is_told_to() {
        let mut linker = Linker::new(&[]);
        linker.reserve(5_000_001);
        let base = linker.static_end();
        assert!(matches!(linker.add_module(&compile(0).unwrap()), Err(LinkError::Overlap { .. })));
        let program = linker.add_module(&compile(base).unwrap()).unwrap();
        assert!(program.heap_base > base && program.heap_base < base + 65_536, "{program:?}");
        assert_eq!(program.data_end, program.heap_base);
    }

    #[test]
    fn the_same_base_gives_the_same_bytes() {
        assert_eq!(compile(48), compile(48));
        assert_ne!(compile(48), compile(64));
    }

    #[test]
    fn a_base_without_room_behind_it_is_an_error() {
        assert!(compile(MAX_BASE).is_ok());
        assert!(compile(u32::MAX).is_err());
    }

    #[test]
    fn its_codes_are_those_that_are_listed() {
        let mut found = BTreeSet::new();
        for (_, _, text) in FILES {
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            found.extend(words.filter(|word| word.starts_with("X07WASM_")));
        }
        assert_eq!(found, BTreeSet::from(CODES.map(Code::as_str)));
    }

    #[test]
    fn the_arena_grows_with_the_budgets_up_to_the_address_space() {
        let usual = arena_bytes(&BUDGETS);
        assert!((8 << 20..32 << 20).contains(&usual), "{usual}");
        assert_eq!(arena_bytes(&HttpBudgets { max_envelope_bytes: 4 << 20, ..BUDGETS }), usual + (8 << 20));
        assert_eq!(arena_bytes(&HttpBudgets { max_response_body_bytes: 2 << 20, ..BUDGETS }), usual + (5 << 20));
        assert_eq!(arena_bytes(&HttpBudgets { max_envelope_bytes: u64::MAX, ..BUDGETS }), u32::MAX);
    }
}
