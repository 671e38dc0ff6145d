//! The commands with which the phases of the tool are described, as they are written there, in a
//! folder with the registries and examples of the project and without any other program in reach.

use crate::support::{Place, Run, copy_tree, root};

/// A copy of what the commands refer to.
fn checkout() -> Place {
    let place = Place::new();
    for folder in ["arch", "examples", "wit", "spec"] {
        copy_tree(&root().join(folder), &place.path(folder));
    }
    place
}

/// Runs a command line that begins with `x07 wasm`, with a search path that leads nowhere.
fn run(place: &Place, line: &str) -> Run {
    let args: Vec<&str> = line.strip_prefix("x07 wasm ").expect("a wasm command").split_whitespace().collect();
    place.run_with(&args, |command| {
        command.env("PATH", "").env_remove("HOME");
    })
}

/// Runs command lines that must succeed.
fn all_ok(place: &Place, lines: &[&str]) {
    for line in lines {
        let run = run(place, line);
        assert_eq!(run.status, 0, "{line}\n{}\n{}", String::from_utf8_lossy(&run.stdout), run.stderr);
        run.ok();
    }
}

#[test]
fn discovery_and_registries() {
    let place = checkout();
    all_ok(
        &place,
        &[
            "x07 wasm doctor --json",
            "x07 wasm profile validate --json",
            "x07 wasm cli specrows check --json",
            "x07 wasm wit validate --json",
            "x07 wasm component profile validate --json",
        ],
    );
}

#[test]
fn native_http_component() {
    let place = checkout();
    all_ok(
        &place,
        &[
            "x07 wasm component build --project examples/http_echo/x07.json --emit http-native --json",
            "x07 wasm component targets --component target/x07-wasm/component/http.component.wasm --wit wit/deps/wasi/http/0.2.8/proxy.wit --world proxy --json",
        ],
    );
    let served = run(
        &place,
        "x07 wasm serve --mode canary --component target/x07-wasm/component/http.component.wasm --request-body @examples/http_echo/tests/fixtures/request_body.bin --json",
    )
    .ok();
    let response = &served["result"]["responses"][0];
    assert_eq!((&response["status"], &response["body"]["base64"]), (&200.into(), &"cGluZwo=".into()), "{served:#}");
}

#[test]
fn native_cli_component() {
    let place = checkout();
    all_ok(
        &place,
        &[
            "x07 wasm component build --project examples/solve_pure_echo/x07.json --emit cli-native --json",
            "x07 wasm component targets --component target/x07-wasm/component/cli.component.wasm --wit wit/deps/wasi/cli/0.2.8/command.wit --world command --json",
            "x07 wasm component run --component target/x07-wasm/component/cli.component.wasm --stdin examples/solve_pure_echo/tests/fixtures/in_hello.bin --stdout-out dist/stdout.bin --json",
        ],
    );
    assert_eq!(place.read("dist/stdout.bin"), place.read("examples/solve_pure_echo/tests/fixtures/in_hello.bin"));
}

#[test]
fn composed_components() {
    let place = checkout();
    all_ok(
        &place,
        &[
            "x07 wasm component build --project examples/http_echo/x07.json --emit solve --json",
            "x07 wasm component build --project examples/solve_pure_echo/x07.json --emit http-adapter --json",
            "x07 wasm component compose --adapter http --solve target/x07-wasm/component/solve.component.wasm --out dist/app.http.component.wasm --json",
            "x07 wasm component targets --component dist/app.http.component.wasm --wit wit/deps/wasi/http/0.2.8/proxy.wit --world proxy --json",
            "x07 wasm serve --mode canary --component dist/app.http.component.wasm --request-body @examples/http_echo/tests/fixtures/request_body.bin --json",
            // The command component of the next line is made in the same way.
            "x07 wasm component build --project examples/solve_pure_echo/x07.json --emit solve --json",
            "x07 wasm component build --project examples/solve_pure_echo/x07.json --emit cli-adapter --json",
            "x07 wasm component compose --adapter cli --solve target/x07-wasm/component/solve.component.wasm --out dist/app.cli.component.wasm --json",
            "x07 wasm component run --component dist/app.cli.component.wasm --stdin examples/solve_pure_echo/tests/fixtures/in_hello.bin --stdout-out dist/stdout.bin --json",
        ],
    );
    assert_eq!(place.read("dist/stdout.bin"), b"hello world");
}

#[test]
fn hardening() {
    let place = checkout();
    all_ok(
        &place,
        &[
            "x07 wasm toolchain validate --profile arch/wasm/toolchain/profiles/toolchain_ci.json --json",
            "x07 wasm http contracts validate --strict --json",
            "x07 wasm build --project examples/solve_pure_echo/x07.json --profile wasm_release --out dist/app.wasm --artifact-out dist/app.wasm.manifest.json --json",
        ],
    );
    // The flags are shown without a module and an input; what is missing is said in a report.
    let limits = "x07 wasm run --max-fuel 10000 --max-memory-bytes 67108864 --max-table-elements 10000 --max-wasm-stack-bytes 1048576 --json";
    run(&place, limits).expect(3, "X07WASM_CLI_ARGS_INVALID");
    let input = "--wasm dist/app.wasm --input-hex 6869 --max-memory-bytes 134217728 --arena-cap-bytes 65536";
    let limits = limits.replace(" --max-memory-bytes 67108864", "");
    run(&place, &format!("{limits} {input}")).ok();
}
