//! Components of the examples, a server in a process of its own, and a client that sends what it is
//! told to.

use crate::support::{Place, check_report};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A folder with the native component of an example as `http.component.wasm`.
pub fn place(example: &str) -> Place {
    // Several tests use the same one, and building takes time.
    static BUILT: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = built.entry(example.to_owned()).or_insert_with(|| build(example, "http-native")).clone();
    drop(built);
    let place = Place::new();
    place.write("http.component.wasm", bytes);
    place
}

/// The HTTP component of an example.
pub fn build(example: &str, emit: &str) -> Vec<u8> {
    let place = Place::with_example(example);
    place.run(&format!("component build --project {example}/x07.json --emit {emit} --out-dir out --json")).ok();
    place.read("out/http.component.wasm")
}

/// The first diagnostic with this code.
#[track_caller]
pub fn diagnostic<'r>(report: &'r Value, code: &str) -> &'r Value {
    let list = report["diagnostics"].as_array().expect("a list");
    list.iter().find(|d| d["code"] == code).unwrap_or_else(|| panic!("no {code} in {report:#}"))
}

/// A process that does not outlive its test, however that ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server in listen mode.
pub struct Server {
    process: Process,
    pub addr: SocketAddr,
    stdout: JoinHandle<Vec<u8>>,
    stderr: Receiver<String>,
}

/// How a server ended.
pub struct Ended {
    pub status: i32,
    pub report: Value,
    /// The lines on standard error after the address.
    pub stderr: Vec<String>,
}

impl Server {
    /// Starts one with the component of the place; the arguments are separated by blanks.
    pub fn start(place: &Place, args: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_x07-wasm"));
        command
            .args(["serve", "--mode", "listen", "--component", "http.component.wasm", "--json"])
            .args(args.split_whitespace())
            .current_dir(place.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = Process(command.spawn().expect("the binary starts"));
        let mut out = process.0.stdout.take().expect("piped");
        let stdout = thread::spawn(move || {
            let mut bytes = Vec::new();
            out.read_to_end(&mut bytes).expect("readable");
            bytes
        });
        let (lines, stderr) = channel();
        let err = BufReader::new(process.0.stderr.take().expect("piped"));
        thread::spawn(move || err.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
        let first = stderr.recv().unwrap_or_default();
        let Some(addr) = address(&first) else {
            drop(process);
            let report = stdout.join().unwrap_or_default();
            panic!("no address in {first:?}: {}", String::from_utf8_lossy(&report));
        };
        Self { process, addr, stdout, stderr }
    }

    /// A new connection.
    pub fn client(&self) -> Client {
        Client::connect(self.addr)
    }

    /// Sends a signal.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.process.0.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Asks it to end, and waits.
    #[cfg(unix)]
    pub fn terminate(self) -> Ended {
        self.signal(rustix::process::Signal::TERM);
        self.end()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let status = self.process.0.wait().expect("it ends").code().expect("by itself");
        let report = check_report(&self.stdout.join().expect("no panic"));
        assert_eq!(report["exit_code"], status, "{report:#}");
        Ended { status, report, stderr: self.stderr.iter().collect() }
    }
}

/// The address in the line that a server begins with.
pub fn address(line: &str) -> Option<SocketAddr> {
    line.trim_end().strip_prefix("listening on http://")?.parse().ok()
}

/// One connection.
pub struct Client {
    pub reader: BufReader<TcpStream>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

impl Client {
    /// A new connection.
    pub fn connect(addr: SocketAddr) -> Self {
        let socket = TcpStream::connect(addr).expect("the server listens");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
        socket.set_nodelay(true).expect("set");
        Self { reader: BufReader::new(socket) }
    }

    /// Sends bytes; a server that has closed the connection is no failure here.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.reader.get_mut().write_all(bytes.as_ref());
        self
    }

    pub fn get(&mut self, path: &str) -> Reply {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).reply()
    }

    pub fn post(&mut self, path: &str, body: &str) -> Reply {
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
        self.send(format!("{head}{body}")).reply()
    }

    /// The next reply.
    #[track_caller]
    pub fn reply(&mut self) -> Reply {
        self.try_reply(true).expect("a whole reply")
    }

    /// The next reply to a request whose replies have no body.
    #[track_caller]
    pub fn bare_reply(&mut self) -> Reply {
        self.try_reply(false).expect("a whole reply")
    }

    /// The next reply, if all of it comes.
    pub fn try_reply(&mut self, has_body: bool) -> Option<Reply> {
        let status = self.line()?.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut reply = Reply { status, headers, body: Vec::new() };
        if has_body && status >= 200 {
            let length = reply.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
            reply.body = vec![0; length];
            self.reader.read_exact(&mut reply.body).ok()?;
        }
        Some(reply)
    }

    /// A line with its end, without that end.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok()?;
        line.strip_suffix("\r\n").map(str::to_owned)
    }

    /// Whether the server closes without another byte.
    pub fn closed(&mut self) -> bool {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = self.reader.read_to_end(&mut rest);
        rest.is_empty()
    }
}
