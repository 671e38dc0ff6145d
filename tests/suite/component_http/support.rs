//! Components of a program that does what requests say, hosts for them, and a client that sends
//! bytes as they are.

use crate::support::{Place, Run, root};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Longest wait for anything. Only a mistake makes it pass.
const PATIENCE: Duration = Duration::from_secs(120);

/// The id of requests that choose none.
const ID: &str = "t";

/// The ways to make an HTTP component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Native,
    Composed,
    StateDoc,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Native, Self::Composed, Self::StateDoc];
    /// Those without a state.
    pub const PLAIN: [Self; 2] = [Self::Native, Self::Composed];

    const fn emit(self) -> &'static str {
        match self {
            Self::Native => "http-native",
            Self::Composed => "http",
            Self::StateDoc => "http-state-doc",
        }
    }

    /// The component with the budgets of the release profile. It is built once.
    pub fn component(self) -> &'static [u8] {
        static BUILT: [OnceLock<Vec<u8>>; 3] = [const { OnceLock::new() }; 3];
        BUILT[self as usize].get_or_init(|| self.with_budgets(&[]))
    }

    /// The component with other budgets.
    pub fn with_budgets(self, budgets: &[(&str, u64)]) -> Vec<u8> {
        let place = Place::new();
        place.project_of("app", &program(self));
        place.write("component.json", profile(budgets));
        let emit = self.emit();
        place
            .run(&format!(
                "component build --project app/x07.json --emit {emit} --profile-file component.json --out-dir out --json"
            ))
            .ok();
        place.read("out/http.component.wasm")
    }
}

/// The entry file of the program, as it is for a kind of component.
pub fn program(kind: Kind) -> String {
    let mut entry: Value = serde_json::from_str(include_str!("program.x07.json")).expect("JSON");
    if kind == Kind::StateDoc {
        entry["solve"] = json!(["main.answer_with_state", "input"]);
    }
    entry.to_string()
}

/// The release profile with other budgets for HTTP.
fn profile(budgets: &[(&str, u64)]) -> String {
    let path = root().join("arch/wasm/component/profiles/component_release.json");
    let mut document: Value = serde_json::from_str(&fs::read_to_string(path).expect("readable")).expect("JSON");
    document["id"] = json!("mine");
    for (name, value) in budgets {
        document["cfg"]["native_targets"]["http"]["budgets"][*name] = json!(value);
    }
    document.to_string()
}

/// A folder with a component, and with a cache of its own for compiled code.
pub struct Host(Place);

impl Host {
    pub fn of(component: &[u8]) -> Self {
        let place = Place::new();
        place.write("http.wasm", component);
        Self(place)
    }

    pub fn place(&self) -> &Place {
        &self.0
    }

    /// Makes a request of the tool's own.
    pub fn canary(&self, more: &[&str]) -> Run {
        self.0.run_with(&Self::command("canary", more), |command| self.keep_code(command))
    }

    /// The same with a body.
    pub fn canary_with(&self, body: &[u8], more: &[&str]) -> Run {
        self.0.write("body.bin", body);
        self.canary(&[["--request-body", "@body.bin"].as_slice(), more].concat())
    }

    /// Starts a server that ends after so many requests.
    pub fn listen(&self, requests: usize, more: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_x07-wasm"));
        command.args(Self::command("listen", more)).args(["--stop-after", &requests.to_string()]);
        command.current_dir(self.0.path("")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.keep_code(&mut command);
        Server::start(&mut command)
    }

    fn command<'a>(mode: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let own = ["serve", "--mode", mode, "--component", "http.wasm", "--incidents-dir", "incidents"];
        [own.as_slice(), &["--code-cache", "--json"], more].concat()
    }

    /// Compiling takes longer than most requests, so it is done once for each folder.
    fn keep_code(&self, command: &mut Command) {
        for variable in ["HOME", "LOCALAPPDATA", "XDG_CACHE_HOME"] {
            command.env(variable, self.0.path("cache"));
        }
    }
}

/// A server in a process of its own. It is ended when it is dropped.
pub struct Server {
    child: Child,
    addr: SocketAddr,
    report: Option<JoinHandle<Vec<u8>>>,
    messages: Option<JoinHandle<Vec<u8>>>,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the binary starts");
        let report = collect(child.stdout.take().expect("piped"));
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut told = String::new();
        let addr = loop {
            let mut line = String::new();
            if stderr.read_line(&mut line).expect("text") == 0 {
                let report = report.join().expect("no panic");
                panic!("no server: {told}\n{}", String::from_utf8_lossy(&report));
            }
            if let Some(addr) = line.trim_end().strip_prefix("listening on http://") {
                break addr.parse().expect("an address");
            }
            told.push_str(&line);
        };
        Self { child, addr, report: Some(report), messages: Some(collect(stderr)) }
    }

    /// Sends a request and waits for the answer.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Answer {
        let mut bytes = Vec::new();
        if let Err(error) = self.begin(request).read_to_end(&mut bytes) {
            assert!(!bytes.is_empty(), "no answer: {error}");
        }
        Answer::parse(&bytes, request.method == "HEAD")
    }

    /// Sends a request on a connection of its own.
    pub fn begin(&self, request: &Request) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        // A server that refuses a request need not read all of it.
        let _ = stream.write_all(&request.bytes());
        stream
    }

    /// Asks a server to end, and waits for it.
    #[cfg(unix)]
    pub fn terminate(self) -> Run {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("it still runs");
        self.finish()
    }

    /// Waits for the end of a server that has had its requests.
    pub fn finish(mut self) -> Run {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("known") {
                break status.code().expect("the server ends by itself");
            }
            assert!(started.elapsed() < PATIENCE, "the server does not end");
            thread::sleep(Duration::from_millis(5));
        };
        let stdout = self.report.take().expect("once").join().expect("no panic");
        let stderr = self.messages.take().expect("once").join().expect("no panic");
        Run { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned(), took: started.elapsed() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a stream to its end without keeping anybody waiting.
fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("readable");
        bytes
    })
}

/// A request, byte for byte.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    chunked: bool,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        let id = ("x-request-id".to_owned(), ID.as_bytes().to_vec());
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: vec![id],
            body: Vec::new(),
            chunked: false,
        }
    }

    /// With a header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// With a body, which a header tells the length of.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("content-length", length)
    }

    /// With a body that is sent in chunks, without telling its length.
    #[must_use]
    pub fn chunks(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.chunked = true;
        self
    }

    pub fn target(&self) -> &str {
        &self.target
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n", self.method, self.target);
        if self.chunked {
            bytes.push_str("transfer-encoding: chunked\r\n");
        }
        let mut bytes = bytes.into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        if !self.chunked {
            bytes.extend_from_slice(&self.body);
            return bytes;
        }
        for chunk in self.body.chunks(1000) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    }

    /// The envelope that a program gets for it. Path and query are told apart by who asks.
    pub fn envelope(&self, path: &str, query: &str) -> String {
        let mut headers: Vec<(String, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_slice())).collect();
        headers.sort();
        let headers: Vec<(&str, String)> =
            headers.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value).into_owned())).collect();
        envelope(&self.method, path, query, &headers, &self.body)
    }
}

/// The bytes of a request envelope.
pub fn envelope(method: &str, path: &str, query: &str, headers: &[(&str, String)], body: &[u8]) -> String {
    let headers: Vec<String> =
        headers.iter().map(|(name, value)| format!(r#"{{"k":"{name}","v":"{}"}}"#, escaped(value))).collect();
    format!(
        r#"{{"schema_version":"x07.http.request.envelope@0.1.0","id":"req0","method":"{method}","path":"{}","query":"{}","headers":[{}],"body":{{"bytes_len":{},"base64":"{}"}}}}"#,
        escaped(path),
        escaped(query),
        headers.join(","),
        body.len(),
        STANDARD.encode(body)
    )
}

fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            '\0'..='\x1f' => format!("\\u{:04x}", u32::from(c)),
            _ => c.to_string(),
        })
        .collect()
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    fn parse(bytes: &[u8], bare: bool) -> Self {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status").parse().expect("a number");
        let headers = lines
            .map(|line| line.split_once(':').expect("a header"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let answer = Self { status, headers, body: bytes[end + 4..].to_vec() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().expect("a number"));
        assert_eq!(answer.body.len(), if bare || status == 204 || status == 304 { 0 } else { length }, "{answer:?}");
        answer
    }

    /// The value of a header, if it is there once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name);
        let first = values.next()?;
        values.next().is_none().then_some(first.1.as_str())
    }

    /// The headers that are the component's own, in order.
    pub fn own_headers(&self) -> Vec<(&str, &str)> {
        let of_server = ["connection", "content-length", "date", "x-request-id"];
        let own = self.headers.iter().filter(|(name, _)| !of_server.contains(&name.as_str()));
        own.map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Asserts that the component has refused something, with this code.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.header("x-x07-diag-code")), (status, Some(code)), "{self:?}");
        assert_eq!(self.header("content-type"), Some("text/plain; charset=utf-8"), "{self:?}");
        assert!(!self.body.is_empty() && self.body.len() < 200, "{self:?}");
    }
}

/// Status and body of the only response of a report.
#[track_caller]
pub fn only_response(report: &Value) -> (u64, Vec<u8>) {
    let responses = report["result"]["responses"].as_array().expect("a list");
    assert_eq!(responses.len(), 1, "{report:#}");
    let body = responses[0]["body"]["base64"].as_str().unwrap_or_default();
    (responses[0]["status"].as_u64().expect("a number"), STANDARD.decode(body).expect("base64"))
}

/// The codes of the errors in a report, sorted.
pub fn errors(report: &Value) -> Vec<&str> {
    let list = report["diagnostics"].as_array().expect("a list").iter();
    let mut codes: Vec<&str> =
        list.filter(|d| d["severity"] == "error").map(|d| d["code"].as_str().expect("a code")).collect();
    codes.sort_unstable();
    codes
}

/// Bytes of every value that show when some of them are missing or swapped.
pub fn pattern(length: usize) -> Vec<u8> {
    (0u32..).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).take(length).collect()
}
