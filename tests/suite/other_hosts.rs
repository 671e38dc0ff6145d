//! Our components under hosts of others: the wasmtime command line, and Node by way of jco.
//!
//! Neither is needed to build or use the tool, so a test whose host is not installed says so and
//! passes. `X07_TEST_WASMTIME` and `X07_TEST_JCO` name programs that are not in the search path.

use crate::support::Place;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a host may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host program, if it is installed.
fn host(variable: &str, name: &str) -> Option<String> {
    let program = std::env::var(variable).unwrap_or_else(|_| name.to_owned());
    let there = Command::new(&program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if there.is_ok_and(|status| status.success()) {
        return Some(program);
    }
    eprintln!("skipped: there is no {name} here; install it, or name it with {variable}");
    None
}

/// A host that was started, stopped when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder with the HTTP and CLI components, native and composed.
fn components() -> Place {
    let place = Place::with_example("http_echo");
    crate::support::copy_tree(&crate::support::root().join("examples/solve_pure_echo"), &place.path("cli_echo"));
    for (project, emit, folder) in [
        ("http_echo", "http-native", "http-native"),
        ("http_echo", "http", "http"),
        ("cli_echo", "cli-native", "cli-native"),
        ("cli_echo", "cli", "cli"),
    ] {
        place
            .run(&format!("component build --project {project}/x07.json --emit {emit} --out-dir {folder} --json"))
            .ok();
    }
    place
}

/// Sends a request with a body and gives the status line and the body of the answer. Chunks are put
/// together; tries again until the host is up.
fn post(addr: SocketAddr, body: &str) -> (String, String) {
    let deadline = Instant::now() + PATIENCE;
    let mut stream = loop {
        match TcpStream::connect(addr) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < deadline, "{addr}: {error}"),
        }
        thread::sleep(Duration::from_millis(50));
    };
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let request = format!(
        "POST /a?b=c HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered");
    let answer = String::from_utf8(answer).expect("text");
    let (head, rest) = answer.split_once("\r\n\r\n").expect("a head");
    let body = if head.to_lowercase().contains("transfer-encoding: chunked") { unchunk(rest) } else { rest.to_owned() };
    (head.lines().next().unwrap_or_default().to_owned(), body)
}

fn unchunk(mut rest: &str) -> String {
    let mut out = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).expect("a size");
        if size == 0 {
            break;
        }
        out.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    out
}

/// Gives a program bytes and takes what it writes.
fn pipe(mut command: Command, input: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("started");
    child.stdin.take().expect("piped").write_all(input).expect("written");
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success(), "{command:?}: {}", output.status);
    output.stdout
}

#[test]
fn wasmtime_serves_and_runs_them() {
    let Some(wasmtime) = host("X07_TEST_WASMTIME", "wasmtime") else { return };
    let place = components();
    for kind in ["http-native", "http"] {
        let mut command = Command::new(&wasmtime);
        command.args(["serve", "--addr", "127.0.0.1:0"]).arg(place.path(format!("{kind}/http.component.wasm")));
        let mut child = Running(command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("started"));
        let mut lines = BufReader::new(child.0.stderr.take().expect("piped")).lines();
        let addr = loop {
            let line = lines.next().expect("it says where it listens").expect("text");
            if let Some((_, rest)) = line.split_once("http://") {
                break rest.trim_end_matches('/').parse().expect("an address");
            }
        };
        for body in ["", "ping\n", &"x".repeat(100_000)] {
            let (status, answer) = post(addr, body);
            assert!(status.contains(" 200 "), "{kind}: {status}");
            assert_eq!(answer, body, "{kind}");
        }
        let (status, _) = post(addr, &"x".repeat(1_048_577));
        assert!(status.contains(" 413 "), "{kind}: {status}");
    }
    for kind in ["cli-native", "cli"] {
        let mut command = Command::new(&wasmtime);
        command.arg("run").arg(place.path(format!("{kind}/cli.component.wasm")));
        let input: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        assert_eq!(pipe(command, &input), input, "{kind}");
    }
}

#[test]
fn node_serves_and_runs_them() {
    let Some(jco) = host("X07_TEST_JCO", "jco") else { return };
    let place = components();
    for kind in ["http-native", "http"] {
        // jco takes a port; one that was just free is most likely still free.
        let addr = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
        let mut command = Command::new(&jco);
        command
            .args(["serve", "--port", &addr.port().to_string()])
            .arg(place.path(format!("{kind}/http.component.wasm")))
            .current_dir(place.path(""));
        let _child = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started"));
        for body in ["", "ping\n", &"x".repeat(100_000)] {
            let (status, answer) = post(addr, body);
            assert!(status.contains(" 200 "), "{kind}: {status}");
            assert_eq!(answer, body, "{kind}");
        }
    }
    for kind in ["cli-native", "cli"] {
        let mut command = Command::new(&jco);
        command.arg("run").arg(place.path(format!("{kind}/cli.component.wasm"))).current_dir(place.path(""));
        assert_eq!(pipe(command, b"hello world"), b"hello world", "{kind}");
    }
}
