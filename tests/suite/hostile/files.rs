//! Pipes, folders, links, paths and sizes in the place of files.

use super::{app, profile, refused};
use crate::support::Place;
use serde_json::{Value, json};
use std::fs::File;

const BUILD: &str = "build --project app/x07.json --json";
const UNSAFE: &[&str] = &["X07WASM_PATH_UNSAFE", "X07WASM_PROJECT_PARSE_FAILED"];

/// Makes a file of zeros that takes no room on the disk.
fn sparse(place: &Place, path: &str, bytes: u64) {
    let path = place.write(path, b"");
    File::options().write(true).open(path).expect("opened").set_len(bytes).expect("extended");
}

/// Writes the manifest of `app` with some members replaced.
fn manifest(place: &Place, changes: Value) {
    let mut document = json!({
        "schema_version": "x07.project@0.3.0", "world": "solve-pure", "entry": "src/main.x07.json",
        "module_roots": ["src"], "dependencies": [], "lockfile": null,
    });
    if let (Some(document), Value::Object(changes)) = (document.as_object_mut(), changes) {
        document.extend(changes);
    }
    place.write("app/x07.json", document.to_string());
}

/// Writes an entry that imports a module.
fn importing(place: &Place, id: &str) {
    let entry = json!({
        "schema_version": "x07.x07ast@0.8.0", "kind": "entry", "module_id": "main", "imports": [id],
        "decls": [], "solve": ["view.to_bytes", "input"],
    });
    place.write("app/src/main.x07.json", entry.to_string());
}

/// The commands that read the file `victim`, and the codes for one that cannot be read.
const VICTIMS: [(&str, &[&str]); 8] = [
    ("build --project victim --json", &["X07WASM_PROJECT_READ_FAILED"]),
    ("build --project app/x07.json --profile-file victim --json", &["X07WASM_PROFILE_LOAD_FAILED"]),
    ("build --project app/x07.json --index victim --json", &["X07WASM_PROFILE_LOAD_FAILED"]),
    ("run --project app/x07.json --input victim --json", &["X07WASM_INPUT_READ_FAILED"]),
    ("run --wasm victim --input-hex 00 --json", &["X07WASM_WASM_READ_FAILED"]),
    ("profile validate --index victim --json", &["X07WASM_WASM_INDEX_READ_FAILED", "X07WASM_DOCUMENT_NOT_REGULAR"]),
    (
        "toolchain validate --index victim --json",
        &["X07WASM_TOOLCHAIN_INDEX_READ_FAILED", "X07WASM_DOCUMENT_NOT_REGULAR"],
    ),
    ("cli specrows check --in victim --json", &["X07WASM_SPECROWS_INPUT_READ_FAILED", "X07WASM_DOCUMENT_NOT_REGULAR"]),
];

#[test]
fn a_folder_is_no_file() {
    let place = app();
    place.write("victim/file", b"");
    for (args, codes) in VICTIMS {
        refused(&place.run(args), 3, codes);
    }
}

#[cfg(unix)]
#[test]
fn a_named_pipe_blocks_nothing() {
    let place = app();
    pipe(&place, "victim");
    for (args, codes) in VICTIMS {
        refused(&place.run(args), 3, codes);
    }
}

#[cfg(unix)]
#[test]
fn a_device_is_no_file() {
    let place = app();
    for device in ["/dev/zero", "/dev/null"] {
        for (args, codes) in VICTIMS {
            refused(&place.run(&args.replace("victim", device)), 3, codes);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_socket_is_no_file() {
    let place = app();
    let _socket = std::os::unix::net::UnixListener::bind(place.path("victim")).expect("bound");
    for (args, codes) in VICTIMS {
        refused(&place.run(args), 3, codes);
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_itself_is_no_file() {
    let place = app();
    link(&place, "victim", "victim");
    for (args, codes) in VICTIMS {
        refused(&place.run(args), 3, codes);
    }
}

#[cfg(unix)]
#[test]
fn pipes_in_the_place_of_a_projects_files_block_nothing() {
    let cases: [(&str, &[&str]); 3] = [
        ("app/x07.lock.json", &["X07WASM_PROJECT_LOCK_INVALID"]),
        ("app/src/main.x07.json", &["X07WASM_PROJECT_ENTRY_READ_FAILED"]),
        ("app/src/m.x07.json", &["X07C_MODULE_UNREADABLE", "X07WASM_PROJECT_MODULE_READ_FAILED"]),
    ];
    for (file, codes) in cases {
        let place = app();
        importing(&place, "m");
        if place.path(file).exists() {
            std::fs::remove_file(place.path(file)).expect("removed");
        }
        pipe(&place, file);
        if file != "app/src/m.x07.json" {
            let module = json!({ "schema_version": "x07.x07ast@0.8.0", "kind": "module", "module_id": "m", "imports": [],
                "decls": [{ "kind": "export", "names": ["m.f"] }, { "kind": "defn", "name": "m.f", "params": [], "result": "i32", "body": 0 }] });
            place.write("app/src/m.x07.json", module.to_string());
        }
        refused(&place.run(BUILD), 3, codes);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_beside_a_module_blocks_nothing() {
    let place = app();
    place.run("build --project app/x07.json --out e.wasm --no-manifest --json").ok();
    pipe(&place, "e.wasm.manifest.json");
    place.run("run --wasm e.wasm --input-hex 00 --json").ok();
    refused(
        &place.run("run --wasm e.wasm --input-hex 00 --max-fuel 0 --json"),
        4,
        &["X07WASM_BUDGET_EXCEEDED_CPU_FUEL"],
    );
}

#[test]
fn files_above_their_limit_are_not_read() {
    let place = app();
    for (args, codes) in VICTIMS {
        // Modules and inputs may have 256 MiB, documents 8 MiB.
        let large = args.starts_with("run ");
        sparse(&place, "victim", if large { (256 << 20) + 1 } else { (8 << 20) + 1 });
        refused(&place.run(args), 3, codes);
    }
}

#[test]
fn sources_and_lockfiles_above_their_limit_are_not_read() {
    let place = app();
    sparse(&place, "app/src/main.x07.json", 65_537);
    refused(&place.run(BUILD), 3, &["X07C_LIMIT_EXCEEDED"]);
    sparse(&place, "app/src/main.x07.json", 1 << 33);
    refused(&place.run(BUILD), 3, &["X07C_LIMIT_EXCEEDED"]);
    let place = app();
    sparse(&place, "app/x07.lock.json", 1 << 33);
    refused(&place.run(BUILD), 3, &["X07WASM_PROJECT_LOCK_INVALID"]);
    let place = app();
    importing(&place, "m");
    sparse(&place, "app/src/m.x07.json", 1 << 33);
    refused(&place.run(BUILD), 3, &["X07C_LIMIT_EXCEEDED", "X07C_MODULE_UNREADABLE"]);
}

#[test]
fn an_input_larger_than_the_modules_memory_is_a_limit() {
    let place = app();
    sparse(&place, "in", 128 << 20);
    let run = place.run("run --project app/x07.json --input in --json --incidents-dir inc");
    refused(&run, 4, &["X07WASM_BUDGET_EXCEEDED_MEMORY"]);
}

#[test]
fn a_large_sidecar_of_a_module_is_not_read() {
    let place = app();
    place.run("build --project app/x07.json --out e.wasm --no-manifest --json").ok();
    sparse(&place, "e.wasm.manifest.json", 1 << 33);
    place.run("run --wasm e.wasm --input-hex 00 --json").ok();
    refused(
        &place.run("run --wasm e.wasm --input-hex 00 --max-fuel 0 --json"),
        4,
        &["X07WASM_BUDGET_EXCEEDED_CPU_FUEL"],
    );
}

#[test]
fn paths_that_leave_the_project_are_refused() {
    for path in [
        "..",
        "../x",
        "a/../x",
        "a/..",
        "/",
        "/etc",
        "//etc",
        "C:/x",
        "C:\\x",
        "c:x",
        "\\x",
        "..\\x",
        "a\\b",
        "\\\\host\\share",
        "a\u{0}b",
    ] {
        let place = app();
        manifest(&place, json!({ "entry": format!("{path}/main.x07.json") }));
        refused(&place.run(BUILD), 3, UNSAFE);
        manifest(&place, json!({ "module_roots": [path] }));
        refused(&place.run(BUILD), 3, UNSAFE);
        manifest(&place, json!({ "lockfile": path }));
        refused(&place.run(BUILD), 3, UNSAFE);
        let dependency = json!({ "name": "p", "version": "1.0.0", "path": path });
        manifest(&place, json!({ "dependencies": [dependency] }));
        let lock = json!({ "schema_version": "x07.lock@0.3.0", "dependencies": [{
            "name": "p", "version": "1.0.0", "path": path, "module_root": ".", "modules_sha256": {}, "package_manifest_sha256": "0".repeat(64) }] });
        place.write("app/x07.lock.json", lock.to_string());
        refused(&place.run(BUILD), 3, UNSAFE);
    }
}

#[test]
fn a_package_leads_nowhere_else() {
    use sha2::{Digest, Sha256};
    for path in ["..", "../..", "/etc", "C:/x", "a\\b"] {
        let place = app();
        let package = json!({ "schema_version": "x07.package@0.1.0", "name": "p", "version": "1.0.0", "module_root": path, "modules": ["p.a"] }).to_string();
        place.write("app/dep/x07-package.json", &package);
        let lock = json!({ "schema_version": "x07.lock@0.3.0", "dependencies": [{
            "name": "p", "version": "1.0.0", "path": "dep", "module_root": path, "modules_sha256": { "p.a": "0".repeat(64) },
            "package_manifest_sha256": hex::encode(Sha256::digest(&package)) }] });
        place.write("app/x07.lock.json", lock.to_string());
        manifest(&place, json!({ "dependencies": [{ "name": "p", "version": "1.0.0", "path": "dep" }] }));
        refused(&place.run(BUILD), 3, &["X07WASM_PATH_UNSAFE", "X07WASM_PROJECT_LOCK_INVALID"]);
    }
}

#[test]
fn module_ids_are_no_paths() {
    for id in [
        "..",
        ".",
        "a/b",
        "/etc/passwd",
        "a\\b",
        "a..b",
        ".a",
        "a.",
        "C:a",
        "",
        " a",
        "a\u{0}b",
        "é",
        "a b",
        "$workspace",
    ] {
        let place = app();
        importing(&place, id);
        refused(&place.run(BUILD), 3, &["X07-X07AST-PARSE-0001"]);
    }
    for id in ["CON", "nul", "a.AUX.b", "x".repeat(300).as_str(), "a.".repeat(400).trim_end_matches('.')] {
        let place = app();
        importing(&place, id);
        refused(&place.run(BUILD), 3, &["X07C_MODULE_NOT_FOUND", "X07C_MODULE_UNREADABLE", "X07-X07AST-PARSE-0001"]);
    }
}

#[test]
fn names_of_devices_of_other_systems_are_just_missing_files() {
    for entry in ["CON.x07.json", "src/NUL.x07.json", "COM1.x07.json", "src/aux.x07.json"] {
        let place = app();
        manifest(&place, json!({ "entry": entry }));
        refused(&place.run(BUILD), 3, &["X07WASM_PROJECT_ENTRY_MISSING", "X07WASM_PATH_UNSAFE"]);
    }
}

#[test]
fn modules_that_import_each_other_are_refused() {
    let place = app();
    let module = |id: &str, import: &str| {
        json!({ "schema_version": "x07.x07ast@0.8.0", "kind": "module", "module_id": id, "imports": [import],
            "decls": [{ "kind": "export", "names": [format!("{id}.f")] }, { "kind": "defn", "name": format!("{id}.f"), "params": [], "result": "i32", "body": 0 }] })
        .to_string()
    };
    place.write("app/src/a.x07.json", module("a", "b"));
    place.write("app/src/b.x07.json", module("b", "a"));
    importing(&place, "a");
    refused(&place.run(BUILD), 3, &["X07C_IMPORT_CYCLE"]);
    place.write("app/src/a.x07.json", module("a", "a"));
    refused(&place.run(BUILD), 3, &["X07C_IMPORT_CYCLE"]);
    importing(&place, "main");
    refused(&place.run(BUILD), 3, &["X07C_IMPORT_CYCLE"]);
}

#[test]
fn a_long_chain_of_modules_is_handled() {
    let place = app();
    let count = 600;
    for i in 0..count {
        let imports = if i + 1 < count { json!([format!("m{}", i + 1)]) } else { json!([]) };
        let module = json!({ "schema_version": "x07.x07ast@0.8.0", "kind": "module", "module_id": format!("m{i}"), "imports": imports,
            "decls": [{ "kind": "export", "names": [format!("m{i}.f")] }, { "kind": "defn", "name": format!("m{i}.f"), "params": [], "result": "i32", "body": 0 }] });
        place.write(&format!("app/src/m{i}.x07.json"), module.to_string());
    }
    importing(&place, "m0");
    super::survived(&place.run(BUILD), "a chain of modules");
}

#[cfg(unix)]
fn pipe(place: &Place, path: &str) {
    let status = std::process::Command::new("mkfifo").arg(place.path(path)).status().expect("mkfifo starts");
    assert!(status.success());
}

#[cfg(unix)]
fn link(place: &Place, target: &str, name: &str) {
    std::os::unix::fs::symlink(target, place.path(name)).expect("linked");
}

#[cfg(unix)]
#[test]
fn links_inside_a_project_are_not_followed() {
    let cases: [(&str, &[&str]); 3] = [
        ("app/src", UNSAFE),
        ("app/src/main.x07.json", UNSAFE),
        ("app/x07.lock.json", &["X07WASM_PATH_UNSAFE", "X07WASM_PROJECT_LOCK_INVALID"]),
    ];
    for (name, codes) in cases {
        let place = app();
        place.write("app/x07.lock.json", r#"{"schema_version":"x07.lock@0.3.0","dependencies":[]}"#);
        std::fs::rename(place.path(name), place.path("elsewhere")).expect("moved");
        std::os::unix::fs::symlink(place.path("elsewhere"), place.path(name)).expect("linked");
        refused(&place.run(BUILD), 3, codes);
    }
}

#[cfg(unix)]
#[test]
fn a_module_that_is_a_link_is_not_read() {
    let place = app();
    importing(&place, "m");
    place.write("secret", r#"{"schema_version":"x07.x07ast@0.8.0"}"#);
    link(&place, "../../secret", "app/src/m.x07.json");
    let report = refused(&place.run(BUILD), 3, &["X07C_MODULE_UNREADABLE", "X07WASM_PATH_UNSAFE"]);
    assert!(report["diagnostics"].to_string().contains("link"), "{report:#}");
}

#[cfg(unix)]
#[test]
fn a_link_in_a_registry_is_not_followed() {
    let place = app();
    place.write("real.json", profile().to_string());
    link(&place, "real.json", "p.json");
    let index = json!({ "schema_version": "x07.arch.wasm.index@0.1.0", "profiles": [{ "id": "mine", "path": "p.json" }], "defaults": { "default_profile_id": "mine" } });
    place.write("i.json", index.to_string());
    refused(&place.run("build --project app/x07.json --index i.json --json"), 3, &["X07WASM_PROFILE_LOAD_FAILED"]);
}

#[cfg(unix)]
#[test]
fn an_output_replaces_a_link_and_not_what_it_points_to() {
    let place = app();
    for args in [
        "build --project app/x07.json --out link --json",
        "run --project app/x07.json --input-hex 00 --output-out link --json",
    ] {
        place.write("precious", b"keep");
        link(&place, "precious", "link");
        place.run(args).ok();
        assert_eq!(place.read("precious"), b"keep", "{args}");
        assert!(!place.path("link").is_symlink(), "{args}");
        std::fs::remove_file(place.path("link")).expect("removed");
    }
}

#[cfg(unix)]
#[test]
fn arguments_that_are_no_utf8_are_handled() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let place = app();
    let odd = OsStr::from_bytes(b"\xff\xfe.json");
    let args = [OsStr::new("build"), OsStr::new("--project"), odd, OsStr::new("--json")];
    refused(&place.run_args(&args), 3, &["X07WASM_PROJECT_READ_FAILED"]);
    let args = [
        OsStr::new("run"),
        OsStr::new("--project"),
        OsStr::new("app/x07.json"),
        OsStr::new("--input-hex"),
        odd,
        OsStr::new("--json"),
    ];
    refused(&place.run_args(&args), 3, &["X07WASM_CLI_ARGS_INVALID", "X07WASM_INPUT_HEX_INVALID"]);
}
