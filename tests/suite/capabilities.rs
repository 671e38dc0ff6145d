//! Ops profiles and capabilities as `serve --ops` enforces them.
//!
//! The guests are small core modules that tell what they see by the status of their answer; they are
//! made into components here, against the WASI packages of this project.

use crate::support::{Place, Run, root};
use serde_json::{Value, json};
use std::net::TcpListener;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, UnresolvedPackageGroup};

const WORLD: &str = "
    package test:guest;
    world guest {
        import wasi:cli/environment@0.2.8;
        import wasi:clocks/monotonic-clock@0.2.8;
        import wasi:clocks/wall-clock@0.2.8;
        import wasi:filesystem/preopens@0.2.8;
        import wasi:http/outgoing-handler@0.2.8;
        import wasi:random/random@0.2.8;
        export wasi:http/incoming-handler@0.2.8;
    }";

/// The answer is 200, and 10 for each folder and 1 for each environment variable.
const LOOK: (&str, &str) = (
    r#"(import "wasi:cli/environment@0.2.8" "get-environment" (func $environment (param i32)))
       (import "wasi:filesystem/preopens@0.2.8" "get-directories" (func $directories (param i32)))"#,
    "(call $environment (i32.const 64))
     (call $directories (i32.const 80))
     (i32.add
        (i32.add (i32.const 200) (i32.load (i32.const 68)))
        (i32.mul (i32.const 10) (i32.load (i32.const 84))))",
);

/// The answer is 200 and something below 300 that depends on both clocks and on a random number.
const DICE: (&str, &str) = (
    r#"(import "wasi:clocks/wall-clock@0.2.8" "now" (func $wall (param i32)))
       (import "wasi:clocks/monotonic-clock@0.2.8" "now" (func $monotonic (result i64)))
       (import "wasi:random/random@0.2.8" "get-random-u64" (func $random (result i64)))"#,
    "(call $wall (i32.const 64))
     (i32.add
        (i32.const 200)
        (i32.rem_u
            (i32.xor
                (i32.load (i32.const 72))
                (i32.wrap_i64 (i64.xor (call $monotonic) (call $random))))
            (i32.const 300)))",
);

/// Asks for `http://<authority>/`. The answer is 200 if the request was begun, else 300 and the number
/// of the error: 315 says that it was denied.
fn calls(authority: &str) -> (String, String) {
    let imports = r#"
        (import "wasi:http/types@0.2.8" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
        (import "wasi:http/types@0.2.8" "[method]outgoing-request.set-scheme"
            (func $set-scheme (param i32 i32 i32 i32 i32) (result i32)))
        (import "wasi:http/types@0.2.8" "[method]outgoing-request.set-authority"
            (func $set-authority (param i32 i32 i32 i32) (result i32)))
        (import "wasi:http/outgoing-handler@0.2.8" "handle" (func $send (param i32 i32 i32 i32)))"#;
    let answer = format!(
        r#"(local $r i32)
           (local.set $r (call $request (call $fields)))
           (drop (call $set-scheme (local.get $r) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
           (drop (call $set-authority (local.get $r) (i32.const 1) (i32.const 512) (i32.const {})))
           (call $send (local.get $r) (i32.const 0) (i32.const 0) (i32.const 64))
           (select
              (i32.add (i32.const 300) (i32.load8_u (i32.const 72)))
              (i32.const 200)
              (i32.load8_u (i32.const 64)))"#,
        authority.len()
    );
    (imports.to_owned(), format!("{answer}) (data (i32.const 512) {authority:?}"))
}

/// A component whose answer has the status that `answer` computes.
fn guest(imports: &str, answer: &str) -> Vec<u8> {
    let module = format!(
        r#"(module
            (import "wasi:http/types@0.2.8" "[constructor]fields" (func $fields (result i32)))
            (import "wasi:http/types@0.2.8" "[constructor]outgoing-response"
                (func $response (param i32) (result i32)))
            (import "wasi:http/types@0.2.8" "[method]outgoing-response.set-status-code"
                (func $set-status (param i32 i32) (result i32)))
            (import "wasi:http/types@0.2.8" "[static]response-outparam.set"
                (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
            {imports}
            (memory (export "memory") 4)
            (global $heap (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
                (global.set $heap (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            (func (export "wasi:http/incoming-handler@0.2.8#handle") (param i32 i32)
                (local $answer i32)
                (local.set $answer (call $response (call $fields)))
                (drop (call $set-status (local.get $answer) (call $status)))
                (call $set (local.get 1) (i32.const 0) (local.get $answer) (i32.const 0) (i64.const 0)
                    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
            (func $status (result i32) {answer}))"#
    );
    let mut core = wat::parse_str(module).expect("text of a module");
    let package = |name: &str| {
        UnresolvedPackageGroup::parse_dir(root().join(format!("wit/deps/wasi/{name}/0.2.8"))).expect("a package")
    };
    let packages = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"].map(package);
    let main = UnresolvedPackageGroup::parse("guest.wit", WORLD).expect("a world");
    let mut resolve = Resolve::default();
    let main = resolve.push_groups(main, packages.into()).expect("resolved");
    let world = resolve.select_world(&[main], Some("guest")).expect("the world");
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).expect("embedded");
    let mut encoder = ComponentEncoder::default();
    encoder.module(&core).expect("a module with metadata").validate(true).encode().expect("a component")
}

/// A folder with a guest, an ops profile, and capabilities that deny everything, after a change.
struct Setting(Place);

impl Setting {
    fn new(component: &[u8]) -> Self {
        let place = Place::new();
        place.write("guest.wasm", component);
        let setting = Self(place);
        setting.capabilities(|_| {});
        setting.profile(|_| {});
        setting
    }

    fn of(guest_of: (&str, &str)) -> Self {
        Self::new(&guest(guest_of.0, guest_of.1))
    }

    /// Where no guest has to run.
    fn without_guest() -> Self {
        Self::new(b"\0asm\x0d\0\x01\0")
    }

    fn capabilities(&self, change: impl FnOnce(&mut Value)) {
        self.write_changed("arch/app/ops/caps_dev.json", "caps.json", change);
    }

    fn profile(&self, change: impl FnOnce(&mut Value)) {
        self.write_changed("arch/app/ops/ops_dev.json", "ops.json", |profile| {
            profile["capabilities"]["path"] = json!("caps.json");
            change(profile);
        });
    }

    /// Writes a document of this project after a change.
    fn write_changed(&self, from: &str, to: &str, change: impl FnOnce(&mut Value)) {
        let mut value: Value =
            serde_json::from_slice(&std::fs::read(root().join(from)).expect("committed")).expect("JSON");
        change(&mut value);
        self.0.write(to, value.to_string());
    }

    /// Serves one canary request, with these options and environment variables.
    fn serve_with(&self, more: &str, variables: &[(&str, &str)]) -> Run {
        let line = format!("serve --mode canary --component guest.wasm --json {more}");
        self.0.run_with(&line.split_whitespace().collect::<Vec<_>>(), |command| {
            command.env_remove("X07_SECRETS_DIR").envs(variables.iter().copied());
        })
    }

    fn serve(&self, more: &str) -> Run {
        self.serve_with(more, &[])
    }
}

/// The status of the only response.
#[track_caller]
fn status(report: &Value) -> u64 {
    let responses = report["result"]["responses"].as_array().expect("responses");
    assert_eq!(responses.len(), 1, "{report:#}");
    responses[0]["status"].as_u64().expect("a status")
}

#[test]
fn profiles_that_cannot_be_used_end_it_before_anything_runs() {
    let setting = Setting::without_guest();
    setting.serve("--ops none.json").expect(3, "X07WASM_OPS_PROFILE_READ_FAILED");
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 6] = [
        ("X07WASM_OPS_PROFILE_SCHEMA_INVALID", |p| p["v"] = json!(0)),
        ("X07WASM_OPS_REF_MISSING", |p| p["capabilities"]["path"] = json!("none.json")),
        ("X07WASM_OPS_REF_SCHEMA_INVALID", |p| p["slo"] = json!({"path": "caps.json"})),
        ("X07WASM_OPS_REF_DIGEST_MISMATCH", |p| p["capabilities"]["sha256"] = json!("0".repeat(64))),
        ("X07WASM_OPS_DEPLOY_STRATEGY_INVALID", |p| {
            p["deploy"]["canary"]["steps"] = json!([{"analysis": {"kind": "slo.eval", "require_decision": "promote"}}]);
        }),
        ("X07WASM_OPS_PROVENANCE_REQUIREMENTS_INVALID", |p| p["provenance"]["predicate_type"] = json!("other")),
    ];
    for (code, change) in changes {
        setting.profile(change);
        let report = setting.serve("--ops ops.json").expect(3, code);
        assert_eq!(report["result"]["responses"], json!([]), "{code}");
    }
    setting.profile(|_| {});
    setting.capabilities(|c| c["secrets"]["allow"] = json!(["a.b", "a_b"]));
    setting.serve("--ops ops.json").expect(3, "X07WASM_CAPS_SCHEMA_INVALID");
    setting.capabilities(|c| {
        c["fs"]["preopens"] = json!([{"path": "data", "mode": "ro"}, {"path": "./data", "mode": "rw"}]);
    });
    setting.serve("--ops ops.json").expect(3, "X07WASM_CAPS_SCHEMA_INVALID");
    setting.capabilities(|c| c["network"]["hardening"]["allow_ip_cidrs"] = json!(["10.0.0.0/40"]));
    setting.serve("--ops ops.json").expect(3, "X07WASM_CAPS_SCHEMA_INVALID");
}

#[cfg(unix)]
#[test]
fn references_through_links_are_not_followed() {
    let setting = Setting::without_guest();
    std::os::unix::fs::symlink("caps.json", setting.0.path("linked.json")).expect("made");
    setting.profile(|p| p["capabilities"]["path"] = json!("linked.json"));
    setting.serve("--ops ops.json").expect(3, "X07WASM_OPS_REF_MISSING");
}

#[test]
fn evidence_needs_its_options() {
    let setting = Setting::without_guest();
    for more in [
        "--stop-after 1 --evidence-out e.json",
        "--stop-after 2 --evidence-out e.json --ops ops.json",
        "--stop-after 1 --evidence-in none.json --ops ops.json",
        "--stop-after 2 --evidence-in none.json",
    ] {
        setting.serve(more).expect(3, "X07WASM_POLICY_OBLIGATION_UNSATISFIED");
        assert!(!setting.0.path("e.json").exists(), "{more}");
    }
    let listen = setting
        .0
        .run("serve --mode listen --component guest.wasm --stop-after 1 --evidence-out e.json --ops ops.json --json");
    listen.expect(3, "X07WASM_POLICY_OBLIGATION_UNSATISFIED");
    setting.0.write("e.json", "{}");
    setting.serve("--ops ops.json --evidence-in e.json").expect(3, "X07WASM_POLICY_OBLIGATION_UNSATISFIED");
}

#[test]
fn nothing_is_given_that_is_not_listed() {
    let setting = Setting::of(LOOK);
    setting.0.write("data/file", "x");
    setting.0.write(".x07/secrets/api_key", "hunter2");
    assert_eq!(status(&setting.serve_with("--ops ops.json", &[("GREETING", "hello")]).ok()), 200);
    setting.capabilities(|c| {
        c["env"]["allow"] = json!(["GREETING", "ABSENT_VARIABLE"]);
        c["fs"]["preopens"] = json!([{"path": "data", "mode": "ro"}]);
    });
    assert_eq!(status(&setting.serve_with("--ops ops.json", &[("GREETING", "hello")]).ok()), 211);
    // Without a profile, nothing either.
    assert_eq!(status(&setting.serve_with("", &[("GREETING", "hello")]).ok()), 200);
}

#[test]
fn a_folder_that_is_not_there_denies_the_request() {
    let setting = Setting::of(LOOK);
    setting.capabilities(|c| c["fs"]["preopens"] = json!([{"path": "none", "mode": "ro"}]));
    let report = setting.serve("--ops ops.json").expect(3, "X07WASM_CAPS_FS_DENIED");
    assert_eq!(status(&report), 0);
}

#[test]
fn secrets_come_from_files_and_variables_and_are_shown_nowhere() {
    let setting = Setting::of(LOOK);
    setting.capabilities(|c| c["secrets"]["allow"] = json!(["api_key"]));
    let run = setting.serve("--ops ops.json");
    assert_eq!(status(&run.expect(3, "X07WASM_CAPS_SECRET_MISSING")), 0);
    let run = setting.serve_with("--ops ops.json", &[("X07_SECRET_API_KEY", "hunter2")]);
    assert_eq!(status(&run.ok()), 201);
    let file = setting.0.write(".x07/secrets/api_key", "hunter2\n");
    // An empty folder hides the usual one.
    std::fs::create_dir(setting.0.path("empty")).expect("made");
    setting.serve_with("--ops ops.json", &[("X07_SECRETS_DIR", "empty")]).expect(3, "X07WASM_CAPS_SECRET_MISSING");
    let out = setting.serve("--ops ops.json --stop-after 1 --evidence-out out/evidence.json");
    assert_eq!(status(&out.ok()), 201);
    let evidence: Value = serde_json::from_slice(&setting.0.read("out/evidence.json")).expect("JSON");
    assert_eq!(evidence["secrets"]["provided"], json!([{"id": "api_key", "source": "file"}]));
    for bytes in [out.stdout, setting.0.read("out/evidence.json")] {
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let warns = |mode: u32| {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("set");
            setting.serve("--ops ops.json").codes().iter().any(|c| c == "X07WASM_CAPS_SECRET_PERMISSIONS")
        };
        assert!(warns(0o644) && !warns(0o600));
    }
    std::fs::write(&file, b"hunter2\xff").expect("written");
    let report = setting.serve("--ops ops.json").expect(3, "X07WASM_CAPS_PROFILE_READ_FAILED");
    assert!(!report.to_string().contains("hunter2"));
}

#[test]
fn denied_clocks_and_random_numbers_are_zero() {
    let setting = Setting::of(DICE);
    assert_eq!(status(&setting.serve("--ops ops.json").ok()), 200);
}

#[test]
fn a_recorded_request_can_be_repeated() {
    let setting = Setting::of(DICE);
    setting.capabilities(|c| {
        c["clocks"]["mode"] = json!("record");
        c["random"]["mode"] = json!("record");
    });
    setting.serve("--ops ops.json").expect(3, "X07WASM_POLICY_OBLIGATION_UNSATISFIED");
    let first = setting.serve("--ops ops.json --stop-after 1 --evidence-out e.json").ok();
    let evidence: Value = serde_json::from_slice(&setting.0.read("e.json")).expect("JSON");
    assert_eq!(evidence["clocks"]["wall_clock_now_ns"].as_array().map(Vec::len), Some(1));
    assert_eq!(evidence["clocks"]["monotonic_clock_now_ns"].as_array().map(Vec::len), Some(1));
    assert!(first["meta"]["outputs"].as_array().is_some_and(|o| o.iter().any(|o| o["path"] == "e.json")));
    for _ in 0..2 {
        let again = setting.serve("--ops ops.json --stop-after 1 --evidence-in e.json").ok();
        assert_eq!(status(&again), status(&first));
        assert_eq!(
            again["result"]["responses"][0]["body"]["sha256"],
            first["result"]["responses"][0]["body"]["sha256"]
        );
    }
    // What was not recorded is missing, what is not read is left over.
    let mut short = evidence.clone();
    short["clocks"]["wall_clock_now_ns"] = json!([]);
    setting.0.write("short.json", short.to_string());
    let report = setting
        .serve("--ops ops.json --stop-after 1 --evidence-in short.json")
        .expect(1, "X07WASM_POLICY_OBLIGATION_UNSATISFIED");
    let found = report["diagnostics"].as_array().into_iter().flatten().find(|d| d["severity"] == "error").expect("one");
    assert_eq!(found["data"]["replay_errors"], json!(["missing wall clock evidence"]));
    let mut long = evidence.clone();
    long["clocks"]["wall_clock_now_ns"] = json!([1, 2, 3]);
    setting.0.write("long.json", long.to_string());
    setting.serve("--ops ops.json --stop-after 1 --evidence-in long.json").expect(0, "X07WASM_CAPS_EVIDENCE_UNUSED");
}

#[test]
fn a_record_replaces_nothing_that_was_read() {
    let setting = Setting::of(DICE);
    setting.capabilities(|c| c["clocks"]["mode"] = json!("record"));
    let before = setting.0.read("guest.wasm");
    for taken in ["guest.wasm", "./ops.json", "caps.json"] {
        let run = setting.serve(&format!("--ops ops.json --stop-after 1 --evidence-out {taken}"));
        let report = run.expect(3, "X07WASM_POLICY_OBLIGATION_UNSATISFIED");
        assert_eq!(report["result"]["responses"], json!([]), "{taken}: nothing ran");
    }
    assert_eq!(setting.0.read("guest.wasm"), before);
    setting.serve("--ops ops.json --stop-after 1 --evidence-out e.json").ok();
}

#[test]
fn requests_go_out_only_where_the_capabilities_allow_it() {
    let listed = |c: &mut Value, host: &str, port: u16| {
        c["network"]["mode"] = json!("allowlist");
        c["network"]["allowlist"] = json!([{"host": host, "port": port, "proto": "http"}]);
    };
    let (imports, answer) = calls("127.0.0.1:80");
    let loopback = Setting::of((&imports, &answer));
    let report = loopback.serve("--ops ops.json").expect(1, "X07WASM_CAPS_NET_DENIED");
    assert_eq!(report["meta"]["nondeterminism"]["uses_network"], false);
    assert_eq!(status(&report), 315, "the guest is told");
    loopback.serve("").expect(1, "X07WASM_CAPS_NET_DENIED");
    loopback.capabilities(|c| listed(c, "127.0.0.1", 80));
    loopback.serve("--ops ops.json").expect(1, "X07WASM_CAPS_NET_PRIVATE_IP_DENIED");

    let (imports, answer) = calls("8.8.8.8:80");
    let literal = Setting::of((&imports, &answer));
    literal.capabilities(|c| listed(c, "8.8.8.8", 80));
    literal.serve("--ops ops.json").expect(1, "X07WASM_CAPS_NET_IP_LITERAL_DENIED");

    // The name may be reached although the address behind it is private.
    let server = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = server.local_addr().expect("an address").port();
    let (imports, answer) = calls(&format!("localhost:{port}"));
    let named = Setting::of((&imports, &answer));
    named.capabilities(|c| listed(c, "localhost", port));
    assert_eq!(status(&named.serve("--ops ops.json").ok()), 200);
}

#[test]
fn provenance_that_is_not_verified_is_warned_of() {
    let setting = Setting::of(LOOK);
    setting.profile(|p| p["provenance"]["verify_on_serve"] = json!(true));
    setting.serve("--ops ops.json").expect(0, "X07WASM_OPS_PROVENANCE_NOT_ENFORCED");
}
