//! Runs an external program: no shell, no standard input, output up to a limit, time up to a limit.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a tool may take to tell its version.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a compiler or linker may take.
pub const COMPILER_TIMEOUT: Duration = Duration::from_secs(600);
/// Bytes kept of standard output, and of standard error; what is beyond is read and dropped.
pub const MAX_CAPTURED_BYTES: usize = 1 << 20;

/// How long the output of a program that has ended is waited for. A process that it left behind can
/// hold the pipes open for ever.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest pause between two looks at a running program.
const MAX_PAUSE: Duration = Duration::from_millis(20);

/// A program to run.
#[derive(Clone, Debug)]
pub struct Request {
    /// A name to be looked up on `PATH`, or a path to the file.
    pub program: OsString,
    /// Arguments, without the program itself.
    pub args: Vec<OsString>,
    /// Working folder; `None` for that of this process.
    pub cwd: Option<PathBuf>,
    /// When to end it by force.
    pub timeout: Duration,
}

/// What became of a program.
#[derive(Debug)]
pub enum Outcome {
    /// There is no such file, or no such name on `PATH`.
    NotFound,
    /// It is there and could not be started or watched.
    SpawnFailed(io::Error),
    /// It did not end in time and was killed.
    TimedOut,
    /// It ended by itself.
    Exited {
        /// Exit status; `None` when a signal ended it.
        code: Option<i32>,
        /// The beginning of its standard output.
        stdout: Vec<u8>,
        /// The beginning of its standard error.
        stderr: Vec<u8>,
    },
}

impl Request {
    /// A request with the working folder of this process.
    #[must_use]
    pub fn new(program: impl Into<OsString>, timeout: Duration) -> Self {
        Self { program: program.into(), args: Vec::new(), cwd: None, timeout }
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// With more arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Runs the program and waits for its end.
    #[must_use]
    pub fn run(&self) -> Outcome {
        let Some(file) = locate(&self.program, env::var_os("PATH").as_deref()) else {
            return Outcome::NotFound;
        };
        match self.start(&file) {
            Ok(child) => watch(child, self.timeout),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !file.exists() => Outcome::NotFound,
            Err(error) => Outcome::SpawnFailed(error),
        }
    }

    fn start(&self, file: &Path) -> io::Result<Child> {
        let mut command = Command::new(file);
        command.args(&self.args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = &self.cwd {
            command.current_dir(folder);
        }
        #[cfg(unix)]
        {
            // A group of its own, so that what it starts can be ended together with it.
            use std::os::unix::process::CommandExt;
            command.process_group(0);
        }
        command.spawn()
    }
}

/// Finds the file of a program: a bare name on the search path, anything else as it is.
///
/// Empty entries of the search path are passed over: they would stand for the current folder.
#[must_use]
pub fn locate(program: &OsStr, search_path: Option<&OsStr>) -> Option<PathBuf> {
    let given = Path::new(program);
    let bare = given.components().count() == 1 && given.file_name() == Some(program);
    if program.is_empty() {
        return None;
    }
    if !bare {
        // A relative path means the same whatever working folder the program gets.
        return std::path::absolute(given).ok();
    }
    env::split_paths(search_path?)
        .filter(|folder| !folder.as_os_str().is_empty())
        .flat_map(|folder| file_names(program).into_iter().map(move |name| folder.join(name)))
        .find(|file| is_executable(file))
}

#[cfg(not(windows))]
fn file_names(program: &OsStr) -> Vec<OsString> {
    vec![program.to_owned()]
}

#[cfg(windows)]
fn file_names(program: &OsStr) -> Vec<OsString> {
    ["", ".exe", ".cmd", ".bat"]
        .into_iter()
        .map(|suffix| {
            let mut name = program.to_owned();
            name.push(suffix);
            name
        })
        .collect()
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|m| m.is_file())
}

/// Waits for the end of a program and gathers what it prints.
fn watch(mut child: Child, timeout: Duration) -> Outcome {
    let deadline = Instant::now() + timeout;
    let captures = child
        .stdout
        .take()
        .map(Capture::start)
        .transpose()
        .and_then(|out| Ok((out, child.stderr.take().map(Capture::start).transpose()?)));
    let (stdout, stderr) = match captures {
        Ok(pair) => pair,
        Err(error) => {
            kill(&mut child);
            return Outcome::SpawnFailed(error);
        }
    };
    let status = match wait_until(&mut child, deadline) {
        Ok(Some(status)) => status,
        Ok(None) => {
            kill(&mut child);
            return Outcome::TimedOut;
        }
        Err(error) => {
            kill(&mut child);
            return Outcome::SpawnFailed(error);
        }
    };
    let mut drained = true;
    for capture in [&stdout, &stderr].into_iter().flatten() {
        drained &= capture.wait(DRAIN_TIMEOUT);
    }
    if !drained {
        // Something that the program started still holds the pipes.
        kill_group(&child);
    }
    Outcome::Exited {
        code: status.code(),
        stdout: stdout.map(Capture::into_bytes).unwrap_or_default(),
        stderr: stderr.map(Capture::into_bytes).unwrap_or_default(),
    }
}

/// The status of a program once it has ended, `None` when it has not by the deadline.
fn wait_until(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Ends a running program with everything that it started, and reaps it.
fn kill(child: &mut Child) {
    kill_group(child);
    // It may have ended meanwhile; that is what is wanted.
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(unix)]
fn kill_group(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    // The group is gone when all of its processes are.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
}

#[cfg(not(unix))]
fn kill_group(_: &Child) {}

/// A pipe that a thread empties, so that the program never blocks on a full one.
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
}

impl Capture {
    fn start(stream: impl Read + Send + 'static) -> io::Result<Self> {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (sender, ended) = mpsc::channel::<()>();
        let shared = Arc::clone(&bytes);
        thread::Builder::new().name("x07-wasm-pipe".to_owned()).spawn(move || {
            drain(stream, &shared);
            drop(sender);
        })?;
        Ok(Self { bytes, ended })
    }

    /// Whether the pipe came to its end within the time given.
    fn wait(&self, patience: Duration) -> bool {
        // The thread sends nothing; it drops its end of the channel when it is done.
        self.ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Disconnected)
    }

    fn into_bytes(self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn drain(mut stream: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0_u8; 8192];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let room = MAX_CAPTURED_BYTES.saturating_sub(kept.len());
                kept.extend_from_slice(buffer.get(..count.min(room)).unwrap_or_default());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What was read so far is all there is to report.
            Err(_) => return,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn shell(script: &str, timeout: Duration) -> Outcome {
        Request::new("/bin/sh", timeout).arg("-c").arg(script).run()
    }

    #[test]
    fn output_and_status_are_kept_apart() {
        match shell("echo out; echo err >&2; exit 3", PROBE_TIMEOUT) {
            Outcome::Exited { code, stdout, stderr } => {
                assert_eq!((code, stdout.as_slice(), stderr.as_slice()), (Some(3), &b"out\n"[..], &b"err\n"[..]));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn much_output_is_cut_and_blocks_nothing() {
        match shell("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2", COMPILER_TIMEOUT) {
            Outcome::Exited { code, stdout, stderr } => {
                assert_eq!((code, stdout.len(), stderr.len()), (Some(0), MAX_CAPTURED_BYTES, MAX_CAPTURED_BYTES));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_does_not_end_is_killed_with_its_children() {
        let started = Instant::now();
        assert!(matches!(shell("sleep 60 & sleep 60", Duration::from_millis(200)), Outcome::TimedOut));
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_process_left_behind_holds_nothing_up() {
        let started = Instant::now();
        match shell("echo early; sleep 60 &", PROBE_TIMEOUT) {
            Outcome::Exited { code, stdout, .. } => assert_eq!((code, stdout.as_slice()), (Some(0), &b"early\n"[..])),
            other => panic!("{other:?}"),
        }
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn standard_input_is_empty() {
        assert!(matches!(shell("read line && exit 1; exit 0", PROBE_TIMEOUT), Outcome::Exited { code: Some(0), .. }));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let name = "x07-wasm-test-no-such-program";
        assert!(matches!(Request::new(name, PROBE_TIMEOUT).run(), Outcome::NotFound));
        assert!(matches!(Request::new("./x07-wasm-test-no-such-program", PROBE_TIMEOUT).run(), Outcome::NotFound));
        assert!(matches!(Request::new("", PROBE_TIMEOUT).run(), Outcome::NotFound));
    }

    #[test]
    fn bare_names_are_looked_up_and_empty_entries_lead_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("tool");
        fs::write(&file, "#!/bin/sh\nexit 0\n").expect("written");
        let found = |path: Option<&OsStr>| locate(OsStr::new("tool"), path);
        let here = folder.path().as_os_str();
        assert_eq!(found(Some(here)), None, "not executable");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("set");
        assert_eq!(found(Some(here)), Some(file.clone()));
        assert_eq!((found(None), found(Some(OsStr::new(""))), found(Some(OsStr::new(":")))), (None, None, None));
        assert_eq!(locate(file.as_os_str(), None), Some(file));
        assert!(locate(OsStr::new("./tool"), Some(here)).is_some_and(|p| p.is_absolute()));
    }

    #[test]
    fn a_file_that_is_no_program_is_a_failure_to_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("tool");
        fs::write(&file, "text").expect("written");
        assert!(matches!(Request::new(file, PROBE_TIMEOUT).run(), Outcome::SpawnFailed(_)));
    }
}
