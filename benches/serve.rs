//! Serving HTTP: requests per second and latency of `serve`, with limits on and off, pooled and not,
//! against `wasmtime serve` on the same component, in turns and from the same load generator; and the
//! time from the start of the process to its first answer; and what one instance with one call costs
//! without a socket.
//!
//! The peer is looked for as `wasmtime` in the search path, or where `X07_BENCH_WASMTIME` says. Where
//! there is none, only our own rows are printed.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Connections that are kept busy at a time.
const CONNECTIONS: usize = 8;
/// Rounds of which the median is shown.
const ROUNDS: usize = 5;

/// A server to be measured.
struct Contender {
    name: &'static str,
    command: Vec<String>,
}

/// What one load on one server gave.
#[derive(Clone, Copy)]
struct Load {
    per_second: f64,
    p50: f64,
    p99: f64,
}

/// A server that was started, and is stopped when it is dropped.
struct Running {
    child: Child,
    addr: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let component = build(folder.path());
    let requests: usize = std::env::var("X07_BENCH_REQUESTS").ok().and_then(|n| n.parse().ok()).unwrap_or(4000);
    let contenders = contenders(&component);

    println!("{requests} requests on {CONNECTIONS} connections with keep-alive, median of {ROUNDS} rounds");
    let mut rows: Vec<Vec<Load>> = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for (contender, loads) in contenders.iter().zip(&mut rows) {
            let server = start(contender, folder.path());
            load(server.addr, requests / 10);
            loads.push(load(server.addr, requests));
        }
    }
    let figures: Vec<Load> = rows.iter().map(|loads| median(loads)).collect();
    let base = figures[0];
    println!("{:<44} {:>10} {:>8} {:>8}   compared with {}", "", "req/s", "p50 µs", "p99 µs", contenders[0].name);
    for (contender, figure) in contenders.iter().zip(&figures) {
        println!(
            "{:<44} {:>10.0} {:>8.0} {:>8.0}   {:.2}  {:.2}  {:.2}",
            contender.name,
            figure.per_second,
            figure.p50,
            figure.p99,
            figure.per_second / base.per_second,
            figure.p50 / base.p50,
            figure.p99 / base.p99,
        );
    }

    println!("\nstart of the process to the first answer, median of {ROUNDS} rounds");
    let mut firsts: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for (contender, times) in contenders.iter().zip(&mut firsts) {
            let begin = Instant::now();
            let server = start(contender, folder.path());
            load(server.addr, 1);
            times.push(begin.elapsed().as_secs_f64() * 1e3);
        }
    }
    let firsts: Vec<f64> = firsts.into_iter().map(middle).collect();
    for (contender, first) in contenders.iter().zip(&firsts) {
        println!("{:<44} {first:>10.1} ms   {:.2}", contender.name, first / firsts[0]);
    }

    println!("\none instance and one call without a socket, median of {ROUNDS} rounds");
    let free = ["--max-fuel", "none", "--max-wasm-stack-bytes", "none"];
    let ways: [(&str, &[&str], &[&str]); 4] = [
        ("on demand", &["--allocator", "on_demand"], &[]),
        ("on demand, no fuel and stack limits", &["--allocator", "on_demand"], &free),
        ("pooling", &["--allocator", "pooling"], &[]),
        ("pooling, no fuel and stack limits", &["--allocator", "pooling"], &free),
    ];
    let mut calls: Vec<Vec<f64>> = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for ((_, allocator, limits), times) in ways.iter().zip(&mut calls) {
            let extra: Vec<&str> = allocator.iter().chain(*limits).copied().collect();
            times.push(calls_without_socket(&component, folder.path(), &extra));
        }
    }
    let calls: Vec<f64> = calls.into_iter().map(middle).collect();
    for ((name, _, _), call) in ways.iter().zip(&calls) {
        println!("{name:<44} {call:>10.1} µs   {:.2}", call / calls[0]);
    }
}

/// Microseconds of one more canary request: many in one process, less one in another.
fn calls_without_socket(component: &Path, folder: &Path, extra: &[&str]) -> f64 {
    const MANY: u32 = 1000;
    let run = |requests: u32| {
        let begin = Instant::now();
        let status = Command::new(env!("CARGO_BIN_EXE_x07-wasm"))
            .args(["serve", "--hot-path", "--code-cache", "--method", "GET", "--stop-after", &requests.to_string()])
            .arg("--component")
            .arg(component)
            .args(extra)
            .current_dir(folder)
            .env("XDG_CACHE_HOME", folder.join("cache"))
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        begin.elapsed().as_secs_f64() * 1e6
    };
    (run(MANY) - run(1)) / f64::from(MANY - 1)
}

/// Builds the component that all serve.
fn build(folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let status = Command::new(env!("CARGO_BIN_EXE_x07-wasm"))
        .args(["component", "build", "--project", "examples/http_hello/x07.json", "--emit", "http-native", "--out-dir"])
        .arg(folder)
        .current_dir(root)
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    folder.join("http.component.wasm")
}

fn contenders(component: &Path) -> Vec<Contender> {
    let component = component.to_str().unwrap();
    let ours = |name, extra: &[&str]| Contender {
        name,
        command: [
            env!("CARGO_BIN_EXE_x07-wasm"),
            "serve",
            "--mode",
            "listen",
            "--stop-after",
            "0",
            "--component",
            component,
        ]
        .iter()
        .chain(extra)
        .map(|word| (*word).to_owned())
        .collect(),
    };
    let mut out = Vec::new();
    let peer = std::env::var("X07_BENCH_WASMTIME").unwrap_or_else(|_| "wasmtime".to_owned());
    if Command::new(&peer)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
    {
        let args = ["serve", "--addr", "127.0.0.1:0", component];
        let command = std::iter::once(peer.clone()).chain(args.iter().map(|w| (*w).to_owned())).collect();
        out.push(Contender { name: "wasmtime serve", command });
        let args = ["serve", "-O", "pooling-allocator=y", "--addr", "127.0.0.1:0", component];
        let command = std::iter::once(peer).chain(args.iter().map(|w| (*w).to_owned())).collect();
        out.push(Contender { name: "wasmtime serve, pooling", command });
    } else {
        println!("no wasmtime found: only our own figures");
    }
    let free = ["--max-fuel", "none", "--max-wasm-stack-bytes", "none"];
    out.push(ours("x07-wasm serve", &[]));
    out.push(ours("x07-wasm serve, on demand", &["--allocator", "on_demand"]));
    out.push(ours("x07-wasm serve, no fuel and stack limits", &free));
    out.push(ours("x07-wasm serve, code cache", &["--code-cache"]));
    out.push(ours("x07-wasm serve, access log", &["--access-log"]));
    out
}

/// Starts a server and waits until it says where it listens.
fn start(contender: &Contender, folder: &Path) -> Running {
    let mut child = Command::new(&contender.command[0])
        .args(&contender.command[1..])
        .current_dir(folder)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let addr = loop {
        let line = lines.next().expect("the server says where it listens").unwrap();
        if let Some((_, rest)) = line.split_once("http://") {
            let text: String = rest.chars().take_while(|c| !c.is_whitespace() && *c != '/').collect();
            break text.parse().unwrap();
        }
    };
    // What it says later must not fill the pipe.
    thread::spawn(move || lines.for_each(drop));
    Running { child, addr }
}

/// Sends requests over several connections at a time and waits for all answers.
fn load(addr: SocketAddr, requests: usize) -> Load {
    let (send, receive) = mpsc::channel();
    let begin = Instant::now();
    let threads: Vec<_> = (0..CONNECTIONS.min(requests.max(1)))
        .map(|_| {
            let send = send.clone();
            let share = (requests / CONNECTIONS).max(1);
            thread::spawn(move || {
                let mut stream = TcpStream::connect(addr).unwrap();
                stream.set_nodelay(true).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                let mut times = Vec::with_capacity(share);
                let mut buffer = Vec::with_capacity(4096);
                for _ in 0..share {
                    let begin = Instant::now();
                    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
                    answer(&mut stream, &mut buffer);
                    times.push(begin.elapsed().as_secs_f64() * 1e6);
                }
                send.send(times).unwrap();
            })
        })
        .collect();
    drop(send);
    let mut times: Vec<f64> = receive.iter().flatten().collect();
    let took = begin.elapsed().as_secs_f64();
    for thread in threads {
        thread.join().unwrap();
    }
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    Load { per_second: times.len() as f64 / took, p50: at(0.5), p99: at(0.99) }
}

/// Reads one answer to its end, which is given by its length or its last chunk.
fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) {
    buffer.clear();
    let mut part = [0; 4096];
    loop {
        let n = stream.read(&mut part).unwrap();
        assert!(n > 0, "the server closed the connection");
        buffer.extend_from_slice(&part[..n]);
        let Some(head) = buffer.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&buffer[..head]).to_lowercase();
        assert!(text.starts_with("http/1.1 200"), "{text}");
        let body = &buffer[head + 4..];
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        let done = match length {
            Some(length) => body.len() >= length,
            None => body.ends_with(b"0\r\n\r\n"),
        };
        if done {
            return;
        }
    }
}

fn median(loads: &[Load]) -> Load {
    let pick = |of: fn(&Load) -> f64| middle(loads.iter().map(of).collect());
    Load { per_second: pick(|l| l.per_second), p50: pick(|l| l.p50), p99: pick(|l| l.p99) }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
