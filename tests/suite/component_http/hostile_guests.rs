//! Components that want to break the host, or to keep it from others. Each ends by itself, with the
//! code of what it did, and leaves others alone.

use super::support::{Host, Request, errors, only_response};
use serde_json::json;
use std::fmt::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::OnceLock;
use x07_wasm::component::encode;
use x07_wasm::contract::files::Files;
use x07_wasm::wit;

const FAILED: &str = "X07WASM_SERVE_REQUEST_FAILED";
const FUEL: &str = "X07WASM_BUDGET_EXCEEDED_CPU_FUEL";
const MEMORY: &str = "X07WASM_BUDGET_EXCEEDED_MEMORY";
const TABLE: &str = "X07WASM_BUDGET_EXCEEDED_TABLE";
const STACK: &str = "X07WASM_BUDGET_EXCEEDED_WASM_STACK";
const WALL_TIME: &str = "X07WASM_BUDGET_EXCEEDED_WALLTIME";
const OUTPUT: &str = "X07WASM_BUDGET_EXCEEDED_OUTPUT";
const DENIED: &str = "X07WASM_CAPS_NET_DENIED";

/// Fuel for everything but loops without end.
const LIMITS: [&str; 4] = ["--max-fuel", "3000000", "--max-wall-ms-per-request", "60000"];

/// What a guest does for a path that begins with a letter, and the code that the host should find.
/// `$request` and `$out` are what it is given, `$s` and `$n` are free.
const DEEDS: [(char, &str, &str); 17] = [
    ('s', "(loop $again (br $again))", FUEL),
    ('m', "(loop $again (drop (memory.grow (i32.const 16))) (br $again))", MEMORY),
    ('t', "(loop $again (drop (table.grow $table (ref.null func) (i32.const 1024))) (br $again))", TABLE),
    ('r', "(call $down)", STACK),
    // A thousand headers.
    (
        'h',
        "(local.set $n (call $fields))
         (loop $again
            (call $append (local.get $n) (i32.const 514) (i32.const 3) (i32.const 512) (i32.const 2) (i32.const 64))
            (local.set $s (i32.add (local.get $s) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $s) (i32.const 1000))))
         (call $end (call $begin (local.get $out) (local.get $n) (i32.const 200)))",
        OUTPUT,
    ),
    // One header that is too long.
    (
        'l',
        "(memory.fill (i32.const 16384) (i32.const 97) (i32.const 140000))
         (local.set $n (call $fields))
         (call $append (local.get $n) (i32.const 514) (i32.const 3) (i32.const 16384) (i32.const 140000) (i32.const 64))
         (call $end (call $begin (local.get $out) (local.get $n) (i32.const 200)))",
        OUTPUT,
    ),
    // A body without end.
    (
        'e',
        "(local.set $s (call $begin (local.get $out) (call $fields) (i32.const 200)))
         (loop $again
            (call $write (local.get $s) (i32.const 16384) (i32.const 4096) (i32.const 64))
            (br $again))",
        OUTPUT,
    ),
    // A trap in the middle of a body, at its end, and in place of one.
    (
        'x',
        "(local.set $s (call $begin (local.get $out) (call $fields) (i32.const 200)))
         (call $say (local.get $s))
         (unreachable)",
        FAILED,
    ),
    (
        'y',
        "(local.set $s (call $begin (local.get $out) (call $fields) (i32.const 200)))
         (call $say (local.get $s))
         (call $end (local.get $s))
         (unreachable)",
        FAILED,
    ),
    ('z', "(unreachable)", FAILED),
    // No answer, an error, an answer that is none, two answers.
    ('n', "(nop)", FAILED),
    (
        'c',
        "(call $set (local.get $out) (i32.const 1) (i32.const 6) (i32.const 0) (i64.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        FAILED,
    ),
    (
        'i',
        "(local.set $s (call $begin (local.get $out) (call $fields) (i32.const 103)))
         (call $end (local.get $s))",
        FAILED,
    ),
    (
        'a',
        "(drop (call $begin (local.get $out) (call $fields) (i32.const 200)))
         (drop (call $begin (local.get $out) (call $fields) (i32.const 200)))",
        FAILED,
    ),
    // A body that is shorter than its length.
    (
        'd',
        "(local.set $n (call $fields))
         (call $append (local.get $n) (i32.const 517) (i32.const 14) (i32.const 531) (i32.const 2) (i32.const 64))
         (local.set $s (call $begin (local.get $out) (local.get $n) (i32.const 200)))
         (call $say (local.get $s))
         (call $end (local.get $s))",
        FAILED,
    ),
    // Handles without end, and one that is none.
    ('f', "(loop $again (drop (call $fields)) (br $again))", FAILED),
    ('u', "(call $end (i32.const 12345))", FAILED),
];

/// What a guest does without a failure, or with one that depends on the host's options.
const MORE: [(char, &str); 3] = [
    // A hundred bytes.
    (
        'b',
        "(local.set $s (call $begin (local.get $out) (call $fields) (i32.const 200)))
         (call $write (local.get $s) (i32.const 16384) (i32.const 100) (i32.const 64))
         (call $end (local.get $s))",
    ),
    // Waits for somebody to take a body that nobody has been given.
    (
        'w',
        "(local.set $n (call $response (call $fields)))
         (call $body-of (local.get $n) (i32.const 64))
         (call $stream-of (i32.load (i32.const 68)) (i32.const 64))
         (local.set $s (i32.load (i32.const 68)))
         (loop $again
            (call $write (local.get $s) (i32.const 16384) (i32.const 4096) (i32.const 64))
            (br $again))",
    ),
    // Asks another host, and answers 200 if the request was begun, else 300 and the number of the
    // error.
    (
        'o',
        "(local.set $n (call $new-request (call $fields)))
         (drop (call $set-authority (local.get $n) (i32.const 1) (i32.const 533) (i32.const 9)))
         (call $send (local.get $n) (i32.const 0) (i32.const 0) (i32.const 64))
         (local.set $n (select
            (i32.add (i32.const 300) (i32.load8_u (i32.const 72)))
            (i32.const 200)
            (i32.load8_u (i32.const 64))))
         (call $end (call $begin (local.get $out) (call $fields) (local.get $n)))",
    ),
];

/// The parts that deeds are made of. Results of calls are at 64.
const PARTS: &str = r#"
    (import "wasi:http/types@0.2.8" "[constructor]fields" (func $fields (result i32)))
    (import "wasi:http/types@0.2.8" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))
    (import "wasi:http/types@0.2.8" "[method]incoming-request.path-with-query" (func $path (param i32 i32)))
    (import "wasi:http/types@0.2.8" "[constructor]outgoing-request" (func $new-request (param i32) (result i32)))
    (import "wasi:http/types@0.2.8" "[method]outgoing-request.set-authority"
        (func $set-authority (param i32 i32 i32 i32) (result i32)))
    (import "wasi:http/types@0.2.8" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
    (import "wasi:http/types@0.2.8" "[method]outgoing-response.set-status-code"
        (func $set-status (param i32 i32) (result i32)))
    (import "wasi:http/types@0.2.8" "[method]outgoing-response.body" (func $body-of (param i32 i32)))
    (import "wasi:http/types@0.2.8" "[method]outgoing-body.write" (func $stream-of (param i32 i32)))
    (import "wasi:http/types@0.2.8" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
    (import "wasi:http/types@0.2.8" "[static]response-outparam.set"
        (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (import "wasi:http/outgoing-handler@0.2.8" "handle" (func $send (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.8" "[method]output-stream.blocking-write-and-flush"
        (func $write (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.8" "[resource-drop]output-stream" (func $drop-stream (param i32)))
    (memory (export "memory") 4)
    (table $table 1 funcref)
    (global $top (mut i32) (i32.const 4096))
    (global $body (mut i32) (i32.const 0))
    (data (i32.const 512) "okx-acontent-length10192.0.2.1")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
        (global.set $top (i32.add (local.get $at) (local.get 3)))
        (local.get $at))
    (func $down (call $down) (i32.store (i32.const 0) (i32.const 1)))
    (func $begin (param $out i32) (param $headers i32) (param $status i32) (result i32)
        (local $response i32)
        (local.set $response (call $response (local.get $headers)))
        (drop (call $set-status (local.get $response) (local.get $status)))
        (call $body-of (local.get $response) (i32.const 64))
        (global.set $body (i32.load (i32.const 68)))
        (call $set (local.get $out) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
        (call $stream-of (global.get $body) (i32.const 64))
        (i32.load (i32.const 68)))
    (func $say (param $stream i32)
        (call $write (local.get $stream) (i32.const 512) (i32.const 2) (i32.const 64)))
    (func $end (param $stream i32)
        (call $drop-stream (local.get $stream))
        (call $finish (global.get $body) (i32.const 0) (i32.const 0) (i32.const 64)))"#;

/// The component. A path that begins with no letter of a deed is answered with `ok`.
fn guest() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let deeds = DEEDS.iter().map(|(letter, deed, _)| (letter, deed)).chain(MORE.iter().map(|(l, deed)| (l, deed)));
        let mut cases = String::new();
        for (letter, deed) in deeds {
            let letter = u32::from(*letter);
            writeln!(cases, "(if (i32.eq (local.get $what) (i32.const {letter})) (then {deed} (return)))")
                .expect("memory");
        }
        let core = format!(
            r#"(module {PARTS}
                (func (export "wasi:http/incoming-handler@0.2.8#handle") (param $request i32) (param $out i32)
                    (local $what i32) (local $s i32) (local $n i32)
                    (call $path (local.get $request) (i32.const 64))
                    (if (i32.load8_u (i32.const 64))
                        (then
                            (if (i32.gt_u (i32.load (i32.const 72)) (i32.const 1))
                                (then (local.set $what (i32.load8_u offset=1 (i32.load (i32.const 68))))))))
                    {cases}
                    (local.set $s (call $begin (local.get $out) (call $fields) (i32.const 200)))
                    (call $say (local.get $s))
                    (call $end (local.get $s))))"#
        );
        component(&wat::parse_str(core).expect("text of a module"))
    })
}

/// A core module as a component of the world `wasi:http/proxy`.
fn component(core: &[u8]) -> Vec<u8> {
    let mut files = Files::default();
    let registry = wit::open(&mut files, Path::new(wit::DEFAULT_INDEX), &mut Vec::new()).expect("a registry");
    let proxy = Path::new("wit/deps/wasi/http/0.2.8/proxy.wit");
    let bundle = wit::bundle_of_file(&mut files, &registry, proxy, false, &mut Vec::new()).expect("a package");
    let embedded = encode::embed(core, &bundle, "proxy").expect("embedded");
    encode::componentize(&embedded).expect("a component")
}

/// The exit code of a command that has found this.
fn exit(code: &str) -> i32 {
    if code.starts_with("X07WASM_BUDGET_EXCEEDED_") { 4 } else { 1 }
}

/// The path for a deed.
fn path(letter: char) -> String {
    format!("/{letter}")
}

/// Options for a deed, with others in front.
fn doing<'a>(path: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [more, &["--method", "GET", "--path", path]].concat()
}

#[test]
fn each_deed_fails_one_request_with_its_code() {
    let host = Host::of(guest());
    assert_eq!(only_response(&host.canary(&doing("/", &LIMITS)).ok()), (200, b"ok".to_vec()));
    for (letter, _, code) in DEEDS {
        let report = host.canary(&doing(&path(letter), &LIMITS)).expect(exit(code), code);
        assert_eq!(errors(&report), [code], "{letter}");
        let response = &report["result"]["responses"][0];
        assert_eq!((&response["ok"], &response["status"]), (&json!(false), &json!(0)), "{letter}");
        assert_eq!(response["body"]["bytes_len"], 0, "{letter}: nothing of a body that was begun");
        assert_eq!(report["result"]["incidents"].as_array().map(Vec::len), Some(1), "{letter}");
    }
}

#[test]
fn every_option_limits_guests() {
    let host = Host::of(guest());
    let cases: [(&[&str], &str, &str); 11] = [
        (&["--max-fuel", "1000"], "/s", FUEL),
        (&["--max-fuel", "1"], "/", FUEL),
        (&["--max-fuel", "none", "--max-wall-ms-per-request", "300"], "/s", WALL_TIME),
        (&["--max-fuel", "none", "--max-wall-ms-per-request", "300"], "/w", WALL_TIME),
        // It has four pages from the start.
        (&["--max-memory-bytes", "262143"], "/", MEMORY),
        (&["--max-memory-bytes", "262144"], "/m", MEMORY),
        (&["--max-memory-bytes", "none", "--max-table-elements", "10"], "/t", TABLE),
        (&["--max-wasm-stack-bytes", "65536"], "/r", STACK),
        (&["--max-response-bytes", "1"], "/", OUTPUT),
        (&["--max-response-bytes", "99"], "/b", OUTPUT),
        (&["--max-response-bytes", "0"], "/e", OUTPUT),
    ];
    for (options, path, code) in cases {
        let report = host.canary(&doing(path, options)).expect(4, code);
        assert_eq!(errors(&report), [code], "{options:?}");
    }
    host.canary(&doing("/", &["--max-memory-bytes", "262144"])).ok();
    let report = host.canary(&doing("/b", &["--max-response-bytes", "100"])).ok();
    assert_eq!(only_response(&report), (200, vec![0; 100]));
}

#[test]
fn the_report_says_how_a_guest_failed() {
    let host = Host::of(guest());
    for (letter, word) in [('z', "unreachable"), ('n', "without"), ('c', "connection-refused"), ('u', "handle")] {
        let report = host.canary(&doing(&path(letter), &LIMITS)).expect(1, FAILED);
        let found = report["diagnostics"].as_array().into_iter().flatten().find(|d| d["code"] == FAILED);
        let message = found.expect("just seen")["message"].as_str().expect("text");
        assert!(message.contains(word), "{letter}: {message}");
    }
}

#[test]
fn a_guest_may_ask_nobody_without_an_ops_profile() {
    let report = Host::of(guest()).canary(&doing("/o", &LIMITS)).expect(1, DENIED);
    assert_eq!(errors(&report), [DENIED]);
    assert_eq!(only_response(&report).0, 315, "the guest is told that it was denied");
    assert_eq!(report["result"]["responses"][0]["ok"], false);
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], false);
}

#[test]
fn a_server_survives_every_deed() {
    let host = Host::of(guest());
    let get = |letter: char| Request::new("GET", &path(letter));
    for allocator in ["pooling", "on_demand"] {
        let server = host.listen(2 * DEEDS.len() + 2, &[LIMITS.as_slice(), &["--allocator", allocator]].concat());
        for (letter, ..) in DEEDS {
            let answer = server.send(&get(letter));
            assert_eq!((answer.status, answer.body.as_slice()), (500, b"internal error".as_slice()), "{letter}");
            // The client learns nothing else.
            assert_eq!(answer.own_headers(), [("content-type", "text/plain; charset=utf-8")], "{letter}");
            let answer = server.send(&Request::new("GET", "/"));
            assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok".as_slice()), "after {letter}");
        }
        assert_eq!(server.send(&get('o')).status, 315);
        assert_eq!(server.send(&get('b')).body, [0; 100]);
        let report = server.finish().report();
        let mut codes: Vec<&str> = DEEDS.iter().map(|(_, _, code)| *code).chain([DENIED]).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!((errors(&report), &report["exit_code"]), (codes, &json!(4)), "{allocator}");
        assert_eq!(report["result"]["incidents"].as_array().map(Vec::len), Some(DEEDS.len() + 1), "{allocator}");
    }
}

#[cfg(unix)]
#[test]
fn guests_that_never_end_keep_nobody_waiting_and_end_with_their_clients() {
    let host = Host::of(guest());
    let patient = ["--max-fuel", "none", "--max-wall-ms-per-request", "600000", "--max-concurrent", "4"];
    let server = host.listen(0, &patient);
    let stuck = |letters: &str| -> Vec<TcpStream> {
        letters.chars().map(|letter| server.begin(&Request::new("GET", &path(letter)))).collect()
    };
    let served = || assert_eq!(server.send(&Request::new("GET", "/")).status, 200);
    let first = stuck("sws");
    (0..5).for_each(|_| served());
    drop(first);
    // Were the first three still there, these would take the last place.
    let second = stuck("wsw");
    served();
    drop(second);
    served();
    let report = server.terminate().expect(0, "X07WASM_SERVE_HTTP1_CONN_FAILED");
    assert_eq!(errors(&report), [""; 0]);
}
