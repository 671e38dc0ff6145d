//! The codec of HTTP components, run as a program: calls and what they give.
//!
//! The cases are in `tests/component/codec`. A file is `{"topic", "cases": [CASE, …]}`. A case has
//!
//! | member | meaning |
//! |---|---|
//! | `name`, `about` | what it is, and what it promises |
//! | `state`, `budgets` | whether there is a state, and limits other than [`usual`] |
//! | `request` | `method`, `target`, `headers` and `body`, if they are not `GET`, `/` and empty |
//! | `output` | the output of a program |
//! | `failure` | a failure of the host |
//! | `program` | for a request: the input of the program |
//! | `response` | for an output: `status`, `headers` and `body` |
//! | `refused` | in place of those: `status`, `code`, `data` if there is any, and `message` |
//! | `before_body` | false when a request is refused only after its body was read |
//!
//! Bytes are a text, `{"hex": …}`, `{"repeat": TEXT, "times": N}`, or a list of such parts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use x07_wasm::compiler::{self, Options};
use x07_wasm::component::codec::framing::{self, HostFailure, Operation};
use x07_wasm::component::codec::{self, Sources};
use x07_wasm::component::glue::{HttpBudgets, StateDoc};
use x07_wasm::contract::ContractInfo;
use x07_wasm::contract::validate::violations;
use x07_wasm::report::Code;

use crate::language::program::{Compilation, Outcome, list, target};
use crate::support::root;

const FILES: [&str; 5] = ["failures", "refusals", "requests", "responses", "states"];

/// Every code, and so a test for each: see [`every_code_of_the_codec_has_a_case`].
const TESTED: [&str; 13] = [
    "X07WASM_BUDGET_EXCEEDED_HTTP_ENVELOPE_BYTES",
    "X07WASM_BUDGET_EXCEEDED_HTTP_HEADERS",
    "X07WASM_BUDGET_EXCEEDED_HTTP_HEADER_BYTES_TOTAL",
    "X07WASM_BUDGET_EXCEEDED_HTTP_PATH_BYTES",
    "X07WASM_BUDGET_EXCEEDED_HTTP_QUERY_BYTES",
    "X07WASM_BUDGET_EXCEEDED_HTTP_REQUEST_BODY",
    "X07WASM_BUDGET_EXCEEDED_HTTP_RESPONSE_BODY",
    "X07WASM_NATIVE_HTTP_REQUEST_METHOD_INVALID",
    "X07WASM_NATIVE_HTTP_RESPONSE_BODY_B64_INVALID",
    "X07WASM_NATIVE_HTTP_RESPONSE_ENVELOPE_INVALID",
    "X07WASM_NATIVE_HTTP_RESPONSE_ENVELOPE_PARSE_FAILED",
    "X07WASM_NATIVE_HTTP_STATE_DOC_INVALID",
    "X07WASM_SERVE_REQUEST_FAILED",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    topic: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    about: String,
    #[serde(default)]
    state: bool,
    #[serde(default)]
    budgets: BTreeMap<String, u32>,
    request: Option<Request>,
    output: Option<Bytes>,
    failure: Option<Failure>,
    program: Option<Bytes>,
    response: Option<WantedResponse>,
    refused: Option<Refused>,
    #[serde(default = "yes")]
    before_body: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(default = "get")]
    method: String,
    #[serde(default = "slash")]
    target: String,
    #[serde(default)]
    headers: Vec<(String, Bytes)>,
    #[serde(default)]
    body: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Failure {
    BodyUnread,
    ResponseRefused,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedResponse {
    status: u32,
    headers: Vec<(String, Bytes)>,
    body: Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    status: u32,
    code: String,
    data: Option<Value>,
    message: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Hex { hex: String },
    Repeated { repeat: String, times: usize },
    Parts(Vec<Bytes>),
}

impl Default for Bytes {
    fn default() -> Self {
        Self::Parts(Vec::new())
    }
}

impl Bytes {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Hex { hex } => hex::decode(hex).expect("hexadecimal digits"),
            Self::Repeated { repeat, times } => repeat.repeat(*times).into_bytes(),
            Self::Parts(parts) => parts.iter().flat_map(Self::bytes).collect(),
        }
    }
}

fn yes() -> bool {
    true
}

fn get() -> String {
    "GET".to_owned()
}

fn slash() -> String {
    "/".to_owned()
}

/// The budgets of the profile for releases.
fn usual() -> HttpBudgets {
    HttpBudgets {
        max_request_body_bytes: 1 << 20,
        max_response_body_bytes: 1 << 20,
        max_headers: 128,
        max_header_bytes_total: 65_536,
        max_path_bytes: 2048,
        max_query_bytes: 4096,
        max_envelope_bytes: 2 << 20,
    }
}

/// An output of the codec.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    GoesOn(Vec<u8>),
    Response(Response),
}

#[derive(Debug, PartialEq, Eq)]
struct Response {
    status: u32,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    fn read(output: &[u8]) -> Self {
        let (kind, mut rest) = output.split_first().expect("an output is not empty");
        match kind {
            0 => Self::GoesOn(rest.to_vec()),
            1 => {
                let status = word(&mut rest);
                let headers = (0..word(&mut rest)).map(|_| (text(&mut rest), text(&mut rest))).collect();
                Self::Response(Response { status, headers, body: rest.to_vec() })
            }
            other => panic!("an output of kind {other}"),
        }
    }
}

fn word(rest: &mut &[u8]) -> u32 {
    let (word, behind) = rest.split_first_chunk().expect("four bytes");
    *rest = behind;
    u32::from_le_bytes(*word)
}

fn text(rest: &mut &[u8]) -> Vec<u8> {
    let size = word(rest) as usize;
    let (text, behind) = rest.split_at(size);
    *rest = behind;
    text.to_vec()
}

/// The codec with room for large calls.
fn codec() -> &'static Compilation {
    static CODEC: OnceLock<Compilation> = OnceLock::new();
    CODEC.get_or_init(|| {
        let compiled = compiler::compile(&Sources, &Options::default(), &target(64 << 20));
        assert!(compiled.problems.is_empty(), "{}", list(&compiled.problems));
        Compilation::new(&compiled.wasm.expect("a module"))
    })
}

/// Calls the codec with an arena as large as it asks for.
#[track_caller]
fn call(input: &[u8], budgets: &HttpBudgets) -> Answer {
    match codec().run(input, codec::arena_bytes(budgets)) {
        Outcome::Output(output) => Answer::read(&output),
        other => panic!("{other:?} for an input of {} bytes: {:?}", input.len(), &input[..input.len().min(200)]),
    }
}

const fn state_doc(state: bool) -> StateDoc {
    if state { StateDoc::Header } else { StateDoc::None }
}

/// The input for a request.
fn request(operation: Operation, budgets: &HttpBudgets, state: bool, request: &Request) -> Vec<u8> {
    let mut input = framing::prefix(operation, budgets, state_doc(state)).to_vec();
    let mut push = |text: &[u8]| {
        input.extend(u32::try_from(text.len()).expect("short").to_le_bytes());
        input.extend(text);
    };
    push(request.method.as_bytes());
    push(request.target.as_bytes());
    let headers: Vec<u8> = request
        .headers
        .iter()
        .flat_map(|(name, value)| [name.clone().into_bytes(), value.bytes()])
        .flat_map(|text| [&u32::try_from(text.len()).expect("short").to_le_bytes()[..], &text].concat())
        .collect();
    input.extend(u32::try_from(request.headers.len()).expect("few").to_le_bytes());
    input.extend(headers);
    if operation == Operation::Encode {
        input.extend(request.body.bytes());
    }
    input
}

/// The input for an output of a program.
fn output(budgets: &HttpBudgets, state: bool, output: &[u8]) -> Vec<u8> {
    [&framing::prefix(Operation::Decode, budgets, state_doc(state))[..], output].concat()
}

fn read(file: &str) -> File {
    let path = root().join("tests/component/codec").join(format!("{file}.json"));
    let file: File = serde_json::from_slice(&fs::read(&path).expect("the file is there"))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(!file.topic.is_empty(), "{}: no topic", path.display());
    let names: BTreeSet<&str> = file.cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), file.cases.len(), "{}: a name stands twice", path.display());
    file
}

impl Case {
    fn budgets(&self) -> HttpBudgets {
        let mut budgets = usual();
        for (name, &count) in &self.budgets {
            let limit = u64::from(count);
            match name.as_str() {
                "max_request_body_bytes" => budgets.max_request_body_bytes = limit,
                "max_response_body_bytes" => budgets.max_response_body_bytes = limit,
                "max_headers" => budgets.max_headers = count,
                "max_header_bytes_total" => budgets.max_header_bytes_total = limit,
                "max_path_bytes" => budgets.max_path_bytes = limit,
                "max_query_bytes" => budgets.max_query_bytes = limit,
                "max_envelope_bytes" => budgets.max_envelope_bytes = limit,
                other => panic!("{}: there is no budget {other}", self.name),
            }
        }
        budgets
    }

    /// What the case expects, but for the check of a request.
    fn wanted(&self) -> Answer {
        match (&self.program, &self.response, &self.refused) {
            (Some(program), None, None) => Answer::GoesOn(program.bytes()),
            (None, Some(response), None) => Answer::Response(Response {
                status: response.status,
                headers: response
                    .headers
                    .iter()
                    .map(|(name, value)| (name.clone().into_bytes(), value.bytes()))
                    .collect(),
                body: response.body.bytes(),
            }),
            (None, None, Some(refused)) => Answer::Response(refused.response()),
            _ => panic!("{}: it expects one thing", self.name),
        }
    }

    /// What of the case does not hold.
    fn failures(&self) -> Vec<String> {
        let budgets = self.budgets();
        let wanted = self.wanted();
        let mut failures = Vec::new();
        let mut check = |what: &str, input: &[u8], wanted: &Answer| {
            let found = call(input, &budgets);
            if found != *wanted {
                let (name, about) = (&self.name, &self.about);
                failures.push(format!("{name} ({about}), {what}: {}, expected {}", show(&found), show(wanted)));
            }
        };
        match (&self.request, &self.output, &self.failure) {
            (Some(given), None, None) => {
                check("encoded", &request(Operation::Encode, &budgets, self.state, given), &wanted);
                let early = self.refused.is_some() && self.before_body;
                let goes_on = Answer::GoesOn(Vec::new());
                let wanted = if early { &wanted } else { &goes_on };
                check("checked", &request(Operation::Check, &budgets, self.state, given), wanted);
            }
            (None, Some(given), None) => check("decoded", &output(&budgets, self.state, &given.bytes()), &wanted),
            (None, None, Some(Failure::BodyUnread)) => {
                check("failed", &framing::failure(HostFailure::BodyUnread), &wanted);
            }
            (None, None, Some(Failure::ResponseRefused)) => {
                check("failed", &framing::failure(HostFailure::ResponseRefused), &wanted);
            }
            _ => panic!("{}: it is one kind of call", self.name),
        }
        failures
    }
}

impl Refused {
    fn response(&self) -> Response {
        let mut headers = vec![("x-x07-diag-code", self.code.clone())];
        if let Some(data) = &self.data {
            headers.push(("x-x07-diag-data-b64", STANDARD.encode(data.to_string())));
        }
        headers.push(("content-type", "text/plain; charset=utf-8".to_owned()));
        Response {
            status: self.status,
            headers: headers.into_iter().map(|(name, value)| (name.into(), value.into_bytes())).collect(),
            body: self.message.clone().into_bytes(),
        }
    }
}

/// An answer for people.
fn show(answer: &Answer) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(1000)]).into_owned();
    match answer {
        Answer::GoesOn(program) => format!("goes on with {:?}", text(program)),
        Answer::Response(response) => {
            let headers: Vec<String> =
                response.headers.iter().map(|(name, value)| format!("{}: {}", text(name), text(value))).collect();
            format!("{} {headers:?} {:?}", response.status, text(&response.body))
        }
    }
}

#[track_caller]
fn holds(file: &str) {
    let failures: Vec<String> = read(file).cases.iter().flat_map(Case::failures).collect();
    assert!(failures.is_empty(), "{} failures in {file}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn requests_become_envelopes() {
    holds("requests");
}

#[test]
fn requests_are_refused() {
    holds("refusals");
}

#[test]
fn outputs_become_responses() {
    holds("responses");
}

#[test]
fn outputs_against_the_rules_become_failures() {
    holds("failures");
}

#[test]
fn states_come_and_go() {
    holds("states");
}

#[test]
fn every_file_has_its_test() {
    let entries = fs::read_dir(root().join("tests/component/codec")).expect("the cases");
    let found: BTreeSet<String> =
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8")).collect();
    assert_eq!(found, FILES.iter().map(|file| format!("{file}.json")).collect::<BTreeSet<String>>());
}

#[test]
fn every_code_of_the_codec_has_a_case() {
    let files = FILES.map(read);
    let cases = files.iter().flat_map(|file| &file.cases);
    let found: BTreeSet<&str> = cases.filter_map(|case| case.refused.as_ref()).map(|r| r.code.as_str()).collect();
    assert_eq!(found, BTreeSet::from(TESTED));
    assert_eq!(BTreeSet::from(codec::CODES.map(Code::as_str)), BTreeSet::from(TESTED));
}

#[test]
fn what_programs_get_follows_its_contract() {
    for case in ["requests", "refusals", "states"].iter().flat_map(|file| read(file).cases) {
        let Some(program) = &case.program else { continue };
        let document: Value = serde_json::from_slice(&program.bytes()).expect("JSON");
        let version = document["schema_version"].as_str().expect("a version");
        let contract = ContractInfo::find(version).expect("a contract");
        assert_eq!(violations(contract, &document), [], "{}", case.name);
    }
}

/// Bytes of all values.
fn noise(size: usize) -> Vec<u8> {
    let mut state: u32 = 1;
    let mut next = || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        (state >> 16) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// A response envelope.
fn envelope(headers: &str, body: &str) -> String {
    format!(
        "{{\"schema_version\":\"x07.http.response.envelope@0.1.0\",\"request_id\":\"req0\",\"status\":200,\
         \"headers\":[{headers}],\"body\":{{{body}}}}}"
    )
}

/// A document with an envelope and a state.
fn document(envelope: &str, state: &str) -> String {
    format!("{{\"schema_version\":\"x07.app.backend.response@0.1.0\",\"response\":{envelope},\"state\":{state}}}")
}

fn of_headers(headers: Vec<(String, Bytes)>, body: Vec<u8>) -> Request {
    let body = Bytes::Hex { hex: hex::encode(body) };
    Request { method: get(), target: slash(), headers, body }
}

#[test]
fn the_largest_bodies_pass() {
    let budgets = usual();
    let body = noise(1 << 20);
    let encoded = STANDARD.encode(&body);
    let given = of_headers(Vec::new(), body.clone());
    let Answer::GoesOn(program) = call(&request(Operation::Encode, &budgets, false, &given), &budgets) else {
        panic!("it is refused");
    };
    assert!(program.ends_with(format!("\"bytes_len\":1048576,\"base64\":\"{encoded}\"}}}}").as_bytes()));

    // Only at its end it shows that this is no base64 before the escapes are taken out.
    let short = body[..(1 << 20) - 16].to_vec();
    let late = STANDARD.encode(&short);
    let (start, end) = late.split_at(late.len() - 4);
    let escaped: String = end.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let late = format!("\"bytes_len\":1048560,\"base64\":\"{start}{escaped}\"");

    let texts = [
        (late, short),
        (format!("\"bytes_len\":1048576,\"base64\":\"{encoded}\""), body.clone()),
        (format!("\"bytes_len\":1048576,\"base64\":\"{}\"", encoded.replace('/', "\\/")), body),
        (format!("\"bytes_len\":1048576,\"text\":\"{}\"", "a".repeat(1 << 20)), vec![b'a'; 1 << 20]),
        (format!("\"bytes_len\":1048576,\"text\":\"{}\"", "\\u0001".repeat(1 << 20)), vec![1; 1 << 20]),
        (format!("\"bytes_len\":1048575,\"text\":\"{}\"", "€".repeat(349_525)), "€".repeat(349_525).into_bytes()),
    ];
    for (text, wanted) in texts {
        let input = output(&budgets, false, envelope("", &text).as_bytes());
        let wanted = Answer::Response(Response { status: 200, headers: Vec::new(), body: wanted });
        assert!(call(&input, &budgets) == wanted, "{}", text.chars().take(60).collect::<String>());
    }
}

#[test]
fn the_arena_suffices_for_everything_at_its_limit() {
    let budgets = usual();
    // A head of which every byte is escaped.
    let headers: Vec<(String, Bytes)> =
        (0..128).map(|_| ("h".to_owned(), Bytes::Repeated { repeat: "\u{1}".to_owned(), times: 511 })).collect();
    let target = format!("/{}?{}", "\u{1}".repeat(2047), "\u{1}".repeat(4096));
    let head = Request { target, ..of_headers(headers, noise(1 << 20)) };
    let answer = call(&request(Operation::Encode, &budgets, false, &head), &budgets);
    assert!(matches!(answer, Answer::GoesOn(_)), "{}", show(&answer));

    // An envelope and a state that both are as large as they may be.
    let state = format!("[{}1]", "1,".repeat((1 << 20) - 2)).into_bytes();
    let budgets = HttpBudgets { max_request_body_bytes: 2 << 20, max_envelope_bytes: 2 << 20, ..budgets };
    let header = ("x-x07-state-doc-b64".to_owned(), Bytes::Text(STANDARD.encode(&state)));
    let given = of_headers(vec![header], noise(((2 << 20) - 1000) / 4 * 3));
    let answer = call(&request(Operation::Encode, &budgets, true, &given), &budgets);
    assert!(matches!(answer, Answer::GoesOn(_)), "{}", show(&answer));

    // All of that on the way out.
    let headers = vec![format!("{{\"k\":\"h\",\"v\":\"{}\"}}", "v".repeat(511)); 128].join(",");
    let base64 = STANDARD.encode(vec![255_u8; 1 << 20]).replace('/', "\\/");
    let body = format!("\"bytes_len\":1048576,\"base64\":\"{base64}\"");
    let text = document(&envelope(&headers, &body), &String::from_utf8(state).expect("UTF-8"));
    let Answer::Response(response) = call(&output(&budgets, true, text.as_bytes()), &budgets) else {
        panic!("no response");
    };
    assert_eq!((response.status, response.headers.len(), response.body.len()), (200, 129, 1 << 20));
}

#[test]
fn many_headers_are_sorted_and_counted() {
    let budgets = HttpBudgets { max_headers: 20_000, max_header_bytes_total: 1 << 18, ..usual() };
    let name = |index: u32| format!("h{:05}", index.wrapping_mul(2_654_435_761) % 10_000);
    let headers: Vec<(String, Bytes)> = (0..20_000).map(|i| (name(i), Bytes::Text((i % 7).to_string()))).collect();
    let mut wanted: Vec<String> =
        (0..20_000).map(|i| format!("{{\"k\":\"{}\",\"v\":\"{}\"}}", name(i), i % 7)).collect();
    wanted.sort_unstable();
    let given = of_headers(headers, Vec::new());
    let Answer::GoesOn(program) = call(&request(Operation::Encode, &budgets, false, &given), &budgets) else {
        panic!("it is refused");
    };
    let program = String::from_utf8(program).expect("UTF-8");
    assert!(program.contains(&format!("\"headers\":[{}]", wanted.join(","))));

    // A program may put out far more than it may send.
    let text = envelope(&vec!["{\"k\":\"a\",\"v\":\"b\"}"; 100_000].join(","), "\"bytes_len\":0");
    let Answer::Response(response) = call(&output(&usual(), false, text.as_bytes()), &usual()) else {
        panic!("no response");
    };
    assert_eq!(response.headers[0].1, b"X07WASM_BUDGET_EXCEEDED_HTTP_HEADERS");
}

#[test]
fn whatever_a_program_puts_out_there_is_a_response() {
    let budgets = usual();
    let whole = document(
        &envelope(
            "{\"k\":\"a\",\"v\":\"\\u00e9\\ud83d\\ude00é\"}",
            "\"bytes_len\":2,\"base64\":\"aGk=\",\"x\":[1.5e3,{}]",
        ),
        "{\"a\":[null]}",
    );
    let whole = whole.as_bytes();
    let mut outputs: Vec<Vec<u8>> = (0..=whole.len()).map(|end| whole[..end].to_vec()).collect();
    let noise = noise(4 * 2000);
    for change in noise.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % whole.len();
        let mut changed = whole.to_vec();
        match change[2] % 4 {
            0 => changed[at] = change[3],
            1 => changed.insert(at, b"{}[]\",:\\0"[usize::from(change[3]) % 9]),
            2 => {
                changed.remove(at);
            }
            _ => changed.truncate(at),
        }
        outputs.push(changed);
    }
    outputs.extend(
        ["[".repeat(1 << 20), "{\"a\":".repeat(1 << 18), "\"".to_owned() + &"\\".repeat(1 << 20)]
            .map(String::into_bytes),
    );
    let mut whole_ones = 0;
    for text in outputs {
        for state in [false, true] {
            let Answer::Response(response) = call(&output(&budgets, state, &text), &budgets) else {
                panic!("no response for {:?}", String::from_utf8_lossy(&text));
            };
            let failed = response.headers.iter().any(|(name, _)| name == b"x-x07-diag-code");
            let fits = if failed { response.status == 500 } else { (200..600).contains(&response.status) };
            assert!(fits, "{} for {:?}", response.status, String::from_utf8_lossy(&text));
            whole_ones += usize::from(!failed);
        }
    }
    assert!(whole_ones > 0, "nothing was left whole");
}
