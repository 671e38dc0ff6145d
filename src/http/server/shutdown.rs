//! When a server stops: after its last request, or when a signal comes.

use std::io;
use std::process;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use tokio::sync::watch;

/// Exit code of a process that SIGINT has ended, as shells tell it.
const INTERRUPTED: i32 = 130;
/// The same for SIGTERM.
#[cfg(unix)]
const TERMINATED: i32 = 143;

/// How urgently a server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// It does not.
    Run,
    /// Its last request has come: it accepts nothing new and finishes what it has begun.
    Last,
    /// It was asked to end: the same, within the grace.
    Stop,
    /// It does not wait any longer.
    Cut,
}

/// The level, which only ever rises.
pub(super) struct Stop {
    level: watch::Sender<Level>,
    /// Whether it has risen; every request looks at it.
    risen: AtomicBool,
}

impl Stop {
    pub(super) fn new() -> Self {
        Self { level: watch::Sender::new(Level::Run), risen: AtomicBool::new(false) }
    }

    /// Raises the level.
    pub(super) fn raise(&self, to: Level) {
        self.risen.store(true, Relaxed);
        self.level.send_if_modified(|level| {
            let higher = to > *level;
            if higher {
                *level = to;
            }
            higher
        });
    }

    /// Whether the server stops.
    pub(super) fn risen(&self) -> bool {
        self.risen.load(Relaxed)
    }

    /// Waits until the level is reached.
    pub(super) async fn reached(&self, level: Level) {
        let mut changes = self.level.subscribe();
        // The sender lives as long as `self`, so that waiting cannot fail.
        let _ = changes.wait_for(|now| *now >= level).await;
    }
}

/// The signals by which a process is asked to end: SIGINT and SIGTERM, or Ctrl-C where there are no
/// others. From the moment that they are installed they no longer end the process by themselves.
pub(super) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    pub(super) fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    #[cfg(not(unix))]
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next of them; yields the exit code of a process that it ends.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => TERMINATED,
        }
    }

    /// Waits for the next of them; yields the exit code of a process that it ends.
    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) -> i32 {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        INTERRUPTED
    }
}

/// Lets the next signal end the process. Signals that were once installed do nothing when nobody
/// waits for them, and what comes after a server, such as a note that nobody reads, may take time.
pub(super) fn exit_on_signal() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // Without the thread the process ends all the same, only not before its work is done.
        let _ = thread::Builder::new().name("signals".to_owned()).spawn(|| {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            let code = runtime.block_on(async {
                match Signals::install() {
                    Ok(mut signals) => Some(signals.next().await),
                    Err(_) => None,
                }
            });
            if let Some(code) = code {
                process::exit(code);
            }
        });
    });
}
