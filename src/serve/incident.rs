//! What a failed request leaves behind: a folder from which it can be made again.
//!
//! `<root>/<UTC date>/<run id>/`, where the run id depends on the component and the request only, so
//! that the same failure lands in the same folder. The report of the command is added when it ends.

use super::budgets::Budgets;
use super::envelope::{Snapshot, of_response};
use crate::contract::Contract;
use crate::contract::digest::sha256_hex;
use crate::contract::files::{MAX_DOCUMENT_BYTES, create_folder, encode, read_bounded, write_atomic};
use crate::contract::json::canonical;
use crate::report::incident::run_id;
use crate::report::{Code, Diag};
use bytes::Bytes;
use http::Response;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use x07_wasm_contracts::types::{
    FileDigest, WasmIncidentManifest, WasmIncidentManifestRequest, WasmIncidentManifestServeIncident as ServeIncident,
};

/// Folders that one command leaves behind.
pub const MAX_INCIDENTS: usize = 100;
/// Folders among them for one code: what fails always must not hide what fails once.
pub const MAX_INCIDENTS_PER_CODE: usize = 10;
/// The file that the report of the command becomes.
pub const REPORT_NAME: &str = "serve.report.json";

/// A failed request.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its id.
    pub id: String,
    /// The request.
    pub request: Snapshot,
    /// The response that the client got, if there is one.
    pub response: Option<Response<Bytes>>,
    /// The code of the first thing that is wrong.
    pub code: String,
    /// Why it failed.
    pub error: String,
}

/// Writes failures of one component.
#[derive(Debug)]
pub struct Recorder {
    root: PathBuf,
    component: FileDigest,
    manifest: Option<Vec<u8>>,
    budgets: Budgets,
    compact: bool,
    written: Written,
    ids: BTreeSet<String>,
    /// Folders for each code.
    codes: BTreeMap<String, usize>,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The folders, each once.
    pub folders: Vec<PathBuf>,
    /// Failures that left nothing behind because there were too many.
    pub omitted: u64,
    /// Failures whose folders could not be written, and why the first of them could not.
    pub failed: Option<(u64, String)>,
}

impl Written {
    /// What the report says about folders that could not be written.
    #[must_use]
    pub fn warning(&self) -> Option<Diag> {
        let (count, reason) = self.failed.as_ref()?;
        let message = format!(
            "the incident bundle cannot be written: {reason}; the report is complete, but the request cannot be looked at later"
        );
        Some(Diag::new(Code::IncidentBundleWriteFailed, message).data("count", *count))
    }
}

impl Recorder {
    /// For a component whose file is at `path`. `compact` keeps bodies in one form only.
    #[must_use]
    pub fn new(root: &Path, path: &Path, component: FileDigest, budgets: Budgets, compact: bool) -> Self {
        // A manifest that is not there, or not readable, is no part of a bundle.
        let manifest = read_bounded(&path.with_extension("wasm.manifest.json"), MAX_DOCUMENT_BYTES).ok();
        Self {
            root: root.to_owned(),
            component,
            manifest,
            budgets,
            compact,
            written: Written::default(),
            ids: BTreeSet::new(),
            codes: BTreeMap::new(),
        }
    }

    /// Writes a failure, unless the same request has failed before or there are too many, in all or
    /// with the same code.
    pub fn write(&mut self, failure: &Failure) {
        let envelope = failure.request.envelope(&failure.id, self.compact);
        let envelope_bytes = document(&envelope.document);
        let id = run_id(&self.component.sha256, &sha256_hex(&envelope_bytes));
        if self.ids.contains(&id) {
            return;
        }
        let of_code = self.codes.get(&failure.code).copied().unwrap_or(0);
        if self.written.folders.len() >= MAX_INCIDENTS || of_code >= MAX_INCIDENTS_PER_CODE {
            self.written.omitted += 1;
            return;
        }
        let body = failure.request.body();
        let body_sha256 = sha256_hex(body);
        let manifest = WasmIncidentManifest::from(ServeIncident {
            budgets: self.budgets.into(),
            component: self.component.clone(),
            error: failure.error.clone(),
            kind: "serve".to_owned(),
            request: WasmIncidentManifestRequest { body_sha256: body_sha256.clone(), envelope: envelope.document },
            schema_version: "x07.wasm.incident.manifest@0.1.0".to_owned(),
        });
        let mut files = vec![
            ("request.envelope.json", envelope_bytes),
            ("request.body.bin", body.to_vec()),
            ("request.body.sha256", format!("{body_sha256}\n").into_bytes()),
            ("incident.manifest.json", document(&manifest)),
        ];
        if envelope.lossy {
            files.push(("request.head.txt", failure.request.head_text()));
        }
        let response = failure.response.as_ref().and_then(|r| of_response(r, &failure.id, self.compact));
        files.extend(response.map(|r| ("response.envelope.json", document(&r))));
        files.extend(self.manifest.clone().map(|bytes| ("component.manifest.json", bytes)));
        let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        let folder = self.root.join(today).join(&id);
        match write_all(&folder, &files) {
            Ok(()) => {
                self.ids.insert(id);
                self.codes.insert(failure.code.clone(), of_code + 1);
                self.written.folders.push(folder);
            }
            Err(reason) => self.written.failed.get_or_insert((0, reason)).0 += 1,
        }
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Written {
        self.written
    }
}

/// The bytes of a document of ours. A bundle is a help for people: should the document not be valid,
/// it is kept all the same.
fn document<T: Contract>(document: &T) -> Vec<u8> {
    encode(document)
        .unwrap_or_else(|_| serde_json::to_value(document).map(|v| canonical::compact(&v)).unwrap_or_default())
}

fn write_all(folder: &Path, files: &[(&str, Vec<u8>)]) -> Result<(), String> {
    create_folder(folder).map_err(|error| error.to_string())?;
    for (name, bytes) in files {
        write_atomic(&folder.join(name), bytes).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A [`Recorder`] in a thread of its own, so that no request waits for a file.
#[derive(Debug)]
pub struct Desk {
    failures: Mutex<Option<SyncSender<Failure>>>,
    clerk: Mutex<Option<JoinHandle<Written>>>,
    /// Folders that may still be written.
    room: Arc<AtomicUsize>,
    omitted: AtomicU64,
}

impl Desk {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(recorder: Recorder) -> io::Result<Self> {
        let (failures, queue) = sync_channel(MAX_INCIDENTS);
        let room = Arc::new(AtomicUsize::new(MAX_INCIDENTS));
        let left = Arc::clone(&room);
        let clerk = thread::Builder::new().name("incidents".to_owned()).spawn(move || work(recorder, &queue, &left))?;
        Ok(Self {
            failures: Mutex::new(Some(failures)),
            clerk: Mutex::new(Some(clerk)),
            room,
            omitted: AtomicU64::new(0),
        })
    }

    /// Whether a failure would still be written.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.room.load(Relaxed) > 0
    }

    /// Hands a failure over, or counts it as omitted.
    pub fn submit(&self, failure: Failure) {
        let sender = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = sender.as_ref().is_some_and(|sender| sender.try_send(failure).is_ok());
        if !taken {
            self.omit();
        }
    }

    /// Counts a failure that was not even kept.
    pub fn omit(&self) {
        self.omitted.fetch_add(1, Relaxed);
    }

    /// Lets the thread write what it has; yields what was written.
    #[must_use]
    pub fn close(&self) -> Written {
        // The thread ends when nobody can hand it anything any more.
        drop(self.failures.lock().unwrap_or_else(PoisonError::into_inner).take());
        let clerk = self.clerk.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut written = clerk.and_then(|clerk| clerk.join().ok()).unwrap_or_default();
        written.omitted += self.omitted.load(Relaxed);
        written
    }
}

fn work(mut recorder: Recorder, queue: &Receiver<Failure>, room: &AtomicUsize) -> Written {
    while let Ok(failure) = queue.recv() {
        recorder.write(&failure);
        room.store(MAX_INCIDENTS.saturating_sub(recorder.written.folders.len()), Relaxed);
    }
    recorder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::digest;
    use crate::contract::load::from_bytes;
    use http::Request;
    use std::fs;
    use x07_wasm_contracts::types::{HttpRequestEnvelope, HttpResponseEnvelope};

    fn recorder(root: &Path) -> Recorder {
        let component = root.join("http.component.wasm");
        fs::write(root.join("http.component.wasm.manifest.json"), "{}").expect("written");
        let budgets = Budgets { max_request_bytes: 1, max_response_bytes: 2, max_wall_ms: 3, max_concurrent: 4 };
        Recorder::new(&root.join("incidents"), &component, digest::of("c", b"wasm"), budgets, false)
    }

    fn failure(path: &str, response: Option<Response<Bytes>>) -> Failure {
        let mut request = Request::new(Bytes::from_static(b"body"));
        *request.uri_mut() = path.parse().expect("a URI");
        Failure {
            id: "req0".to_owned(),
            request: Snapshot::of(&request),
            response,
            code: "X".to_owned(),
            error: "why".to_owned(),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let list = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> =
            list.map(|e| e.expect("an entry").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    #[test]
    fn a_bundle_holds_the_request_and_what_came_of_it() {
        let place = tempfile::tempdir().expect("a folder");
        let mut recorder = recorder(place.path());
        recorder.write(&failure("/x", Some(Response::new(Bytes::from_static(b"no")))));
        let written = recorder.finish();
        let [folder] = written.folders.as_slice() else { panic!("{written:?}") };
        assert_eq!(
            names(folder),
            [
                "component.manifest.json",
                "incident.manifest.json",
                "request.body.bin",
                "request.body.sha256",
                "request.envelope.json",
                "response.envelope.json"
            ]
        );
        let read = |name: &str| fs::read(folder.join(name)).expect("there");
        let envelope = read("request.envelope.json");
        assert!(from_bytes::<HttpRequestEnvelope>("request", &envelope).is_ok());
        assert!(from_bytes::<HttpResponseEnvelope>("response", &read("response.envelope.json")).is_ok());
        assert!(from_bytes::<WasmIncidentManifest>("manifest", &read("incident.manifest.json")).is_ok());
        let id = run_id(&sha256_hex(b"wasm"), &sha256_hex(&envelope));
        assert!(folder.ends_with(&id), "{id} {}", folder.display());
        assert_eq!(read("request.body.sha256"), format!("{}\n", sha256_hex(b"body")).into_bytes());
    }

    #[test]
    fn the_same_request_is_written_once_and_all_together_are_bounded() {
        let place = tempfile::tempdir().expect("a folder");
        let mut recorder = recorder(place.path());
        for i in 0..MAX_INCIDENTS + 3 {
            let code = format!("X{}", i / MAX_INCIDENTS_PER_CODE);
            recorder.write(&Failure { code: code.clone(), ..failure(&format!("/{i}"), None) });
            recorder.write(&Failure { code, ..failure("/0", None) });
        }
        let written = recorder.finish();
        assert_eq!((written.folders.len(), written.omitted, written.failed), (MAX_INCIDENTS, 3, None));
    }

    #[test]
    fn a_code_that_fails_always_leaves_room_for_others() {
        let place = tempfile::tempdir().expect("a folder");
        let mut recorder = recorder(place.path());
        for i in 0..MAX_INCIDENTS_PER_CODE + 2 {
            recorder.write(&failure(&format!("/{i}"), None));
        }
        recorder.write(&Failure { code: "Y".to_owned(), ..failure("/other", None) });
        let written = recorder.finish();
        assert_eq!((written.folders.len(), written.omitted), (MAX_INCIDENTS_PER_CODE + 1, 2));
    }

    #[test]
    fn what_cannot_be_written_is_counted_with_the_first_reason() {
        let place = tempfile::tempdir().expect("a folder");
        fs::write(place.path().join("incidents"), "in the way").expect("written");
        let mut recorder = recorder(place.path());
        recorder.write(&failure("/a", None));
        recorder.write(&failure("/b", None));
        let written = recorder.finish();
        assert!(written.folders.is_empty());
        let warning = written.warning().expect("a warning").build();
        assert_eq!(warning.code, "X07WASM_INCIDENT_BUNDLE_WRITE_FAILED");
        assert_eq!(warning.data.expect("data")["count"], 2);
    }

    #[test]
    fn a_thread_writes_while_requests_go_on() {
        let place = tempfile::tempdir().expect("a folder");
        let desk = Desk::open(recorder(place.path())).expect("a thread");
        assert!(desk.has_room());
        desk.submit(failure("/a", None));
        desk.omit();
        let written = desk.close();
        assert_eq!((written.folders.len(), written.omitted), (1, 1));
        desk.submit(failure("/b", None));
        assert_eq!(desk.close().omitted, 2, "a closed desk takes nothing");
    }
}
