//! What is outside of an HTTP component, as far as the core module sees it: a request, a response,
//! their bodies, and for adapters a program. Every handle that the module gets must be gone after a
//! call, in the order that WASI asks for.

use std::collections::{BTreeSet, VecDeque};

use wasmtime::{Caller, Engine, Extern, Instance, Linker, Memory, Module, Store, Trap};

const REQUEST: i32 = 1;
const OUTPARAM: i32 = 2;
const FIELDS: i32 = 3;
const INCOMING: i32 = 4;
const INPUT: i32 = 5;
const SENT_FIELDS: i32 = 6;
const RESPONSE: i32 = 7;
const OUTGOING: i32 = 8;
const OUTPUT: i32 = 9;
const FAULT: i32 = 10;

const TYPES: &str = "wasi:http/types@0.2.8";
const STREAMS: &str = "wasi:io/streams@0.2.8";

/// What a read of the body meets.
#[derive(Clone, Debug)]
pub enum Event {
    Bytes(Vec<u8>),
    Fail,
}

/// How a method comes in.
#[derive(Clone, Debug)]
pub enum Method {
    /// A case with a name.
    Case(u8),
    Other(String),
}

/// A request, and how the host behaves.
#[derive(Clone)]
pub struct Request {
    pub method: Method,
    pub target: Option<String>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: VecDeque<Event>,
    /// Whether there is a body to consume, and whether it has a stream.
    pub consumable: bool,
    pub streamable: bool,
    /// How many times the host refuses headers, statuses, and bodies of responses.
    pub refuses: [u32; 3],
    /// Bytes of a response body that the client takes before it is gone.
    pub accepts: usize,
    /// The imported program.
    pub solve: fn(&[u8]) -> Vec<u8>,
}

impl Request {
    /// A request whose body comes in these pieces, with a host that takes everything.
    pub fn new(target: &str, headers: &[(&str, &[u8])], body: &[&[u8]]) -> Self {
        Self {
            method: Method::Case(0),
            target: Some(target.to_owned()),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect(),
            body: body.iter().map(|piece| Event::Bytes(piece.to_vec())).collect(),
            consumable: true,
            streamable: true,
            refuses: [0; 3],
            accepts: usize::MAX,
            solve: <[u8]>::to_vec,
        }
    }
}

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u32,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    /// Whether the body was finished, not cut short.
    pub finished: bool,
    /// The case of the error that the host got in place of a response.
    pub error: Option<i32>,
    /// What the imported program got.
    pub solved: Vec<u8>,
    /// How many events of the body were not read.
    pub unread: usize,
}

impl Answer {
    /// The value of the only header of this name.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let found: Vec<_> = self.headers.iter().filter(|(header, _)| header == name).collect();
        let [(_, value)] = found.as_slice() else { panic!("{name} in {:?}", self.headers) };
        std::str::from_utf8(value).unwrap()
    }
}

struct World {
    request: Request,
    answer: Answer,
    /// Where the response is: made, given to the host.
    sent: bool,
    status: u32,
    fields: Vec<(String, Vec<u8>)>,
    open: BTreeSet<i32>,
}

impl World {
    fn new(request: Request) -> Self {
        Self {
            request,
            answer: Answer::default(),
            sent: false,
            status: 200,
            fields: Vec::new(),
            open: BTreeSet::from([REQUEST, OUTPARAM]),
        }
    }

    #[track_caller]
    fn open(&mut self, handle: i32) -> i32 {
        assert!(self.open.insert(handle), "{handle} a second time");
        handle
    }

    #[track_caller]
    fn close(&mut self, handle: i32, wanted: i32) {
        assert_eq!(handle, wanted);
        assert!(self.open.remove(&handle), "{handle} is not there");
    }

    #[track_caller]
    fn uses(&self, handle: i32, wanted: i32) {
        assert_eq!(handle, wanted);
        assert!(self.open.contains(&handle), "{handle} is not there");
    }

    /// Whether something is refused this time.
    fn refuses(&mut self, what: usize) -> bool {
        let left = &mut self.request.refuses[what];
        let refused = *left > 0;
        *left = left.saturating_sub(1);
        refused
    }
}

/// An instance with its outside.
pub struct Host {
    store: Store<World>,
    instance: Instance,
}

impl Host {
    pub fn new(wasm: &[u8]) -> Self {
        let engine = Engine::default();
        let module = Module::new(&engine, wasm).unwrap();
        let mut linker = Linker::new(&engine);
        define_requests(&mut linker);
        define_responses(&mut linker);
        define_streams(&mut linker);
        define_drops(&mut linker);
        linker.func_wrap("x07:solve/handler@0.1.0", "solve", solve).unwrap();
        let mut store = Store::new(&engine, World::new(Request::new("/", &[], &[])));
        let instance = linker.instantiate(&mut store, &module).unwrap();
        Self { store, instance }
    }

    /// Handles a request.
    pub fn handle(&mut self, request: Request) -> Result<Answer, Trap> {
        *self.store.data_mut() = World::new(request);
        let handle = self
            .instance
            .get_typed_func::<(i32, i32), ()>(&mut self.store, "wasi:http/incoming-handler@0.2.8#handle")
            .unwrap();
        let outcome = handle.call(&mut self.store, (REQUEST, OUTPARAM));
        outcome.map_err(|error| *error.downcast_ref::<Trap>().unwrap_or_else(|| panic!("no trap: {error:?}")))?;
        let world = self.store.data_mut();
        assert!(world.open.is_empty(), "not dropped: {:?}", world.open);
        world.answer.unread = world.request.body.len();
        Ok(world.answer.clone())
    }
}

type At<'a> = Caller<'a, World>;

fn define_requests(linker: &mut Linker<World>) {
    let method = |mut caller: At<'_>, request: i32, area: u32| {
        caller.data().uses(request, REQUEST);
        match caller.data().request.method.clone() {
            Method::Case(case) => store(&mut caller, area, &[case, 0xaa, 0xaa, 0xaa]),
            Method::Other(name) => {
                store(&mut caller, area, &[9, 0xaa, 0xaa, 0xaa]);
                store_text(&mut caller, area + 4, name.as_bytes());
            }
        }
    };
    linker.func_wrap(TYPES, "[method]incoming-request.method", method).unwrap();

    let target = |mut caller: At<'_>, request: i32, area: u32| {
        caller.data().uses(request, REQUEST);
        match caller.data().request.target.clone() {
            None => store(&mut caller, area, &[0, 0xaa, 0xaa, 0xaa, 0xaa]),
            Some(target) => {
                store(&mut caller, area, &[1, 0xaa, 0xaa, 0xaa]);
                store_text(&mut caller, area + 4, target.as_bytes());
            }
        }
    };
    linker.func_wrap(TYPES, "[method]incoming-request.path-with-query", target).unwrap();

    let headers = |mut caller: At<'_>, request: i32| -> i32 {
        caller.data().uses(request, REQUEST);
        caller.data_mut().open(FIELDS)
    };
    linker.func_wrap(TYPES, "[method]incoming-request.headers", headers).unwrap();

    let entries = |mut caller: At<'_>, fields: i32, area: u32| {
        caller.data().uses(fields, FIELDS);
        let headers = caller.data().request.headers.clone();
        let count = u32::try_from(headers.len()).unwrap();
        let list = allocate(&mut caller, 4, count * 16);
        for (entry, (name, value)) in (list..).step_by(16).zip(&headers) {
            store_text(&mut caller, entry, name.as_bytes());
            store_text(&mut caller, entry + 8, value);
        }
        store(&mut caller, area, &list.to_le_bytes());
        store(&mut caller, area + 4, &count.to_le_bytes());
    };
    linker.func_wrap(TYPES, "[method]fields.entries", entries).unwrap();

    let consume = |mut caller: At<'_>, request: i32, area: u32| {
        caller.data().uses(request, REQUEST);
        let handle = caller.data().request.consumable.then_some(INCOMING);
        give(&mut caller, area, handle);
    };
    linker.func_wrap(TYPES, "[method]incoming-request.consume", consume).unwrap();

    let stream = |mut caller: At<'_>, incoming: i32, area: u32| {
        caller.data().uses(incoming, INCOMING);
        let handle = caller.data().request.streamable.then_some(INPUT);
        give(&mut caller, area, handle);
    };
    linker.func_wrap(TYPES, "[method]incoming-body.stream", stream).unwrap();
}

fn define_responses(linker: &mut Linker<World>) {
    let from_list = |mut caller: At<'_>, list: u32, count: u32, area: u32| {
        let headers = (0..count).map(|index| {
            let entry = list + index * 16;
            let name = String::from_utf8(text(&mut caller, entry)).unwrap();
            (name, text(&mut caller, entry + 8))
        });
        let headers = headers.collect();
        caller.data_mut().fields = headers;
        let handle = (!caller.data_mut().refuses(0)).then_some(SENT_FIELDS);
        give(&mut caller, area, handle);
    };
    linker.func_wrap(TYPES, "[static]fields.from-list", from_list).unwrap();

    let response = |mut caller: At<'_>, fields: i32| -> i32 {
        caller.data_mut().close(fields, SENT_FIELDS);
        caller.data_mut().open(RESPONSE)
    };
    linker.func_wrap(TYPES, "[constructor]outgoing-response", response).unwrap();

    let status = |mut caller: At<'_>, response: i32, status: u32| -> i32 {
        caller.data().uses(response, RESPONSE);
        caller.data_mut().status = status;
        i32::from(caller.data_mut().refuses(1))
    };
    linker.func_wrap(TYPES, "[method]outgoing-response.set-status-code", status).unwrap();

    let body = |mut caller: At<'_>, response: i32, area: u32| {
        caller.data().uses(response, RESPONSE);
        let handle = (!caller.data_mut().refuses(2)).then_some(OUTGOING);
        give(&mut caller, area, handle);
    };
    linker.func_wrap(TYPES, "[method]outgoing-response.body", body).unwrap();

    let write = |mut caller: At<'_>, outgoing: i32, area: u32| {
        caller.data().uses(outgoing, OUTGOING);
        give(&mut caller, area, Some(OUTPUT));
    };
    linker.func_wrap(TYPES, "[method]outgoing-body.write", write).unwrap();

    let finish = |mut caller: At<'_>, outgoing: i32, some: i32, trailers: i32, area: u32| {
        assert_eq!((some, trailers), (0, 0));
        assert!(!caller.data().open.contains(&OUTPUT), "the stream must be dropped first");
        caller.data_mut().close(outgoing, OUTGOING);
        caller.data_mut().answer.finished = true;
        store(&mut caller, area, &[0xaa; 40]);
    };
    linker.func_wrap(TYPES, "[static]outgoing-body.finish", finish).unwrap();

    linker.func_wrap(TYPES, "[static]response-outparam.set", set).unwrap();
}

#[expect(clippy::too_many_arguments, reason = "the canonical ABI")]
fn set(mut caller: At<'_>, outparam: i32, failed: i32, first: i32, a: i32, b: i64, c: i32, d: i32, e: i32, f: i32) {
    let world = caller.data_mut();
    world.close(outparam, OUTPARAM);
    assert_eq!((a, b, [c, d, e, f]), (0, 0, [0; 4]));
    if failed == 1 {
        world.answer.error = Some(first);
        return;
    }
    assert_eq!(failed, 0);
    world.close(first, RESPONSE);
    world.answer.status = world.status;
    world.answer.headers = world.fields.clone();
    world.sent = true;
}

fn define_streams(linker: &mut Linker<World>) {
    let read = |mut caller: At<'_>, stream: i32, most: u64, area: u32| {
        caller.data().uses(stream, INPUT);
        match caller.data_mut().request.body.pop_front() {
            Some(Event::Bytes(mut bytes)) => {
                let rest = bytes.split_off(bytes.len().min(usize::try_from(most).unwrap()));
                if !rest.is_empty() {
                    caller.data_mut().request.body.push_front(Event::Bytes(rest));
                }
                store(&mut caller, area, &[0, 0xaa, 0xaa, 0xaa]);
                store_text(&mut caller, area + 4, &bytes);
            }
            Some(Event::Fail) => fail(&mut caller, area),
            None => store(&mut caller, area, &[1, 0xaa, 0xaa, 0xaa, 1, 0xaa, 0xaa, 0xaa]),
        }
    };
    linker.func_wrap(STREAMS, "[method]input-stream.blocking-read", read).unwrap();

    let write = |mut caller: At<'_>, stream: i32, from: u32, length: u32, area: u32| {
        caller.data().uses(stream, OUTPUT);
        assert!(caller.data().sent, "the host must have the response before its body");
        assert!(length <= 4096, "{length} bytes at once");
        let bytes = bytes(&mut caller, from, length);
        let world = caller.data_mut();
        if world.answer.body.len() + bytes.len() > world.request.accepts {
            fail(&mut caller, area);
            return;
        }
        world.answer.body.extend(bytes);
        store(&mut caller, area, &[0, 0xaa, 0xaa, 0xaa, 0xaa]);
    };
    linker.func_wrap(STREAMS, "[method]output-stream.blocking-write-and-flush", write).unwrap();
}

fn define_drops(linker: &mut Linker<World>) {
    // What is dropped, and what must be gone before.
    let drops: [(&str, &str, i32, &[i32]); 9] = [
        (TYPES, "fields", FIELDS, &[]),
        (TYPES, "incoming-request", REQUEST, &[FIELDS, INCOMING]),
        (TYPES, "incoming-body", INCOMING, &[INPUT]),
        (TYPES, "outgoing-response", RESPONSE, &[]),
        (TYPES, "outgoing-body", OUTGOING, &[OUTPUT]),
        (STREAMS, "input-stream", INPUT, &[]),
        (STREAMS, "output-stream", OUTPUT, &[]),
        ("wasi:io/error@0.2.8", "error", FAULT, &[]),
        (TYPES, "response-outparam", OUTPARAM, &[]),
    ];
    for (interface, name, wanted, children) in drops {
        let children = children.to_vec();
        let drop = move |mut caller: At<'_>, handle: i32| {
            let open = &caller.data().open;
            assert!(children.iter().all(|child| !open.contains(child)), "{wanted} before {children:?}");
            caller.data_mut().close(handle, wanted);
        };
        linker.func_wrap(interface, &format!("[resource-drop]{name}"), drop).unwrap();
    }
}

fn solve(mut caller: At<'_>, from: u32, length: u32, area: u32) {
    let input = bytes(&mut caller, from, length);
    let output = (caller.data().request.solve)(&input);
    caller.data_mut().answer.solved = input;
    store_text(&mut caller, area, &output);
}

/// A result: a handle, or nothing.
fn give(caller: &mut At<'_>, area: u32, handle: Option<i32>) {
    store(caller, area, &[u8::from(handle.is_none()), 0xaa, 0xaa, 0xaa]);
    if let Some(handle) = handle {
        caller.data_mut().open(handle);
        store(caller, area + 4, &handle.to_le_bytes());
    }
}

/// A result of a stream with an error.
fn fail(caller: &mut At<'_>, area: u32) {
    caller.data_mut().open(FAULT);
    store(caller, area, &[1, 0xaa, 0xaa, 0xaa, 0, 0xaa, 0xaa, 0xaa]);
    store(caller, area + 8, &FAULT.to_le_bytes());
}

/// Puts bytes into the module's memory, and their address and length at `area`.
fn store_text(caller: &mut At<'_>, area: u32, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap();
    let at = allocate(caller, 1, length);
    if !bytes.is_empty() {
        store(caller, at, bytes);
    }
    store(caller, area, &at.to_le_bytes());
    store(caller, area + 4, &length.to_le_bytes());
}

fn allocate(caller: &mut At<'_>, align: u32, length: u32) -> u32 {
    let realloc = caller.get_export("cabi_realloc").and_then(Extern::into_func).unwrap();
    let realloc = realloc.typed::<(u32, u32, u32, u32), u32>(&*caller).unwrap();
    realloc.call(&mut *caller, (0, 0, align, length)).unwrap()
}

/// The bytes whose address and length are at `area`.
fn text(caller: &mut At<'_>, area: u32) -> Vec<u8> {
    let word = |bytes: Vec<u8>| u32::from_le_bytes(bytes.try_into().unwrap());
    let at = word(bytes(caller, area, 4));
    let length = word(bytes(caller, area + 4, 4));
    bytes(caller, at, length)
}

fn bytes(caller: &mut At<'_>, at: u32, length: u32) -> Vec<u8> {
    let (at, length) = (at as usize, length as usize);
    memory(caller).data(&*caller)[at..at + length].to_vec()
}

fn store(caller: &mut At<'_>, at: u32, bytes: &[u8]) {
    memory(caller).write(&mut *caller, at as usize, bytes).unwrap();
}

fn memory(caller: &mut At<'_>) -> Memory {
    caller.get_export("memory").and_then(Extern::into_memory).unwrap()
}
