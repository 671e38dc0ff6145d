//! What is outside of a component, as far as core modules see it: streams, a program, handles.

use std::collections::{BTreeSet, VecDeque};

use wasmtime::{Caller, Engine, Extern, Instance, Linker, Memory, Module, Store, Trap};

const STDIN: i32 = 1;
const STDOUT: i32 = 2;
const STDERR: i32 = 3;
const FAULT: i32 = 4;

/// What a read of standard input meets.
pub enum Event {
    Bytes(Vec<u8>),
    Fail,
}

/// The state of the outside.
#[derive(Default)]
pub struct World {
    pub stdin: VecDeque<Event>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Bytes that standard output takes before it fails.
    pub accepts: usize,
    /// The most bytes that one read asked for.
    pub asked: u64,
    /// Handles that the module has.
    open: BTreeSet<i32>,
}

/// What a run of a command did.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub state: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// An instance with its outside.
pub struct Host {
    pub store: Store<World>,
    pub instance: Instance,
}

impl Host {
    pub fn new(wasm: &[u8]) -> Self {
        let engine = Engine::default();
        let module = Module::new(&engine, wasm).unwrap();
        let mut linker = Linker::new(&engine);
        define_streams(&mut linker);
        linker.func_wrap("x07:solve/handler@0.1.0", "solve", reverse).unwrap();
        let mut store = Store::new(&engine, World::default());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        Self { store, instance }
    }

    /// Runs a command with these events on standard input.
    pub fn run(&mut self, stdin: Vec<Event>) -> Result<Outcome, Trap> {
        self.run_with(stdin, usize::MAX)
    }

    /// The same, where standard output fails after a number of bytes.
    pub fn run_with(&mut self, stdin: Vec<Event>, accepts: usize) -> Result<Outcome, Trap> {
        *self.store.data_mut() = World { stdin: stdin.into(), accepts, ..World::default() };
        let run = self.instance.get_typed_func::<(), i32>(&mut self.store, "wasi:cli/run@0.2.8#run").unwrap();
        let state = run.call(&mut self.store, ()).map_err(|error| trap(&error))?;
        let world = self.store.data();
        assert!(world.open.is_empty(), "not dropped: {:?}", world.open);
        let stderr = String::from_utf8(world.stderr.clone()).unwrap();
        Ok(Outcome { state, stdout: world.stdout.clone(), stderr })
    }

    /// `cabi_realloc`.
    pub fn realloc(&mut self, old: u32, old_size: u32, align: u32, new_size: u32) -> Result<u32, Trap> {
        let realloc =
            self.instance.get_typed_func::<(u32, u32, u32, u32), u32>(&mut self.store, "cabi_realloc").unwrap();
        realloc.call(&mut self.store, (old, old_size, align, new_size)).map_err(|error| trap(&error))
    }

    /// Calls an export that takes and returns a list, as a component's outside does.
    pub fn list_to_list(&mut self, export: &str, input: &[u8]) -> Result<Vec<u8>, Trap> {
        let length = u32::try_from(input.len()).unwrap();
        let at = self.realloc(0, 0, 1, length)?;
        if length > 0 {
            let memory = self.memory();
            memory.write(&mut self.store, at as usize, input).unwrap();
        }
        let call = self.instance.get_typed_func::<(u32, u32), u32>(&mut self.store, export).unwrap();
        let area = call.call(&mut self.store, (at, length)).map_err(|error| trap(&error))?;
        Ok(self.take_list(export, area))
    }

    /// Calls an export that takes nothing and returns a list.
    pub fn list(&mut self, export: &str) -> Result<Vec<u8>, Trap> {
        let call = self.instance.get_typed_func::<(), u32>(&mut self.store, export).unwrap();
        let area = call.call(&mut self.store, ()).map_err(|error| trap(&error))?;
        Ok(self.take_list(export, area))
    }

    pub fn memory(&mut self) -> Memory {
        self.instance.get_memory(&mut self.store, "memory").unwrap()
    }

    /// Copies a returned list and says that it was taken over.
    fn take_list(&mut self, export: &str, area: u32) -> Vec<u8> {
        let memory = self.memory();
        let bytes = {
            let data = memory.data(&self.store);
            let start = word(data, area) as usize;
            let length = word(data, area + 4) as usize;
            data[start..start + length].to_vec()
        };
        let post = format!("cabi_post_{export}");
        let post = self.instance.get_typed_func::<u32, ()>(&mut self.store, &post).unwrap();
        post.call(&mut self.store, area).unwrap();
        bytes
    }
}

/// The trap that ended a call.
fn trap(error: &wasmtime::Error) -> Trap {
    *error.downcast_ref::<Trap>().unwrap_or_else(|| panic!("no trap: {error:?}"))
}

fn word(data: &[u8], at: u32) -> u32 {
    let at = at as usize;
    u32::from_le_bytes(data[at..at + 4].try_into().unwrap())
}

fn define_streams(linker: &mut Linker<World>) {
    for (interface, name, handle) in [
        ("wasi:cli/stdin@0.2.8", "get-stdin", STDIN),
        ("wasi:cli/stdout@0.2.8", "get-stdout", STDOUT),
        ("wasi:cli/stderr@0.2.8", "get-stderr", STDERR),
    ] {
        let open = move |mut caller: Caller<'_, World>| -> i32 {
            assert!(caller.data_mut().open.insert(handle), "{name} a second time");
            handle
        };
        linker.func_wrap(interface, name, open).unwrap();
    }
    const STREAMS: &str = "wasi:io/streams@0.2.8";
    let drops: [(&str, &'static str, &'static [i32]); 3] = [
        (STREAMS, "[resource-drop]input-stream", &[STDIN]),
        (STREAMS, "[resource-drop]output-stream", &[STDOUT, STDERR]),
        ("wasi:io/error@0.2.8", "[resource-drop]error", &[FAULT]),
    ];
    for (interface, name, handles) in drops {
        let drop = move |mut caller: Caller<'_, World>, handle: i32| {
            assert!(handles.contains(&handle), "{name} {handle}");
            assert!(caller.data_mut().open.remove(&handle), "{name} {handle} a second time");
        };
        linker.func_wrap(interface, name, drop).unwrap();
    }
    linker.func_wrap(STREAMS, "[method]input-stream.blocking-read", read).unwrap();
    linker.func_wrap(STREAMS, "[method]output-stream.blocking-write-and-flush", write).unwrap();
}

fn read(mut caller: Caller<'_, World>, stream: i32, most: u64, area: u32) {
    let world = caller.data_mut();
    assert!(stream == STDIN && world.open.contains(&stream));
    world.asked = world.asked.max(most);
    match world.stdin.pop_front() {
        Some(Event::Bytes(mut bytes)) => {
            let rest = bytes.split_off(bytes.len().min(usize::try_from(most).unwrap()));
            if !rest.is_empty() {
                world.stdin.push_front(Event::Bytes(rest));
            }
            let at = allocate(&mut caller, &bytes);
            succeed(&mut caller, area);
            store_list(&mut caller, area + 4, at, bytes.len());
        }
        Some(Event::Fail) => fail(&mut caller, area),
        None => {
            succeed(&mut caller, area);
            store(&mut caller, area, &[1]);
            store(&mut caller, area + 4, &[1]);
        }
    }
}

fn write(mut caller: Caller<'_, World>, stream: i32, from: u32, length: u32, area: u32) {
    assert!(length <= 4096, "{length} bytes at once");
    let (from, length) = (from as usize, length as usize);
    let bytes = memory(&mut caller).data(&caller)[from..from + length].to_vec();
    let world = caller.data_mut();
    assert!(world.open.contains(&stream));
    if stream == STDOUT && world.stdout.len() + length > world.accepts {
        fail(&mut caller, area);
        return;
    }
    if stream == STDOUT {
        world.stdout.extend(bytes)
    } else {
        world.stderr.extend(bytes)
    }
    succeed(&mut caller, area);
}

/// A program elsewhere: it reverses its input.
fn reverse(mut caller: Caller<'_, World>, from: u32, length: u32, area: u32) {
    let (from, length) = (from as usize, length as usize);
    let mut bytes = memory(&mut caller).data(&caller)[from..from + length].to_vec();
    bytes.reverse();
    let at = allocate(&mut caller, &bytes);
    store_list(&mut caller, area, at, bytes.len());
}

/// A result without failure. What is not part of it is whatever there was before.
fn succeed(caller: &mut Caller<'_, World>, area: u32) {
    store(caller, area, &[0xaa; 12]);
    store(caller, area, &[0]);
}

/// A result with an error.
fn fail(caller: &mut Caller<'_, World>, area: u32) {
    assert!(caller.data_mut().open.insert(FAULT));
    succeed(caller, area);
    store(caller, area, &[1]);
    store(caller, area + 4, &[0]);
    store(caller, area + 8, &FAULT.to_le_bytes());
}

fn store_list(caller: &mut Caller<'_, World>, area: u32, at: u32, length: usize) {
    store(caller, area, &at.to_le_bytes());
    store(caller, area + 4, &u32::try_from(length).unwrap().to_le_bytes());
}

/// Puts a list into the module's memory.
fn allocate(caller: &mut Caller<'_, World>, bytes: &[u8]) -> u32 {
    let realloc = caller.get_export("cabi_realloc").and_then(Extern::into_func).unwrap();
    let realloc = realloc.typed::<(u32, u32, u32, u32), u32>(&*caller).unwrap();
    let at = realloc.call(&mut *caller, (0, 0, 1, u32::try_from(bytes.len()).unwrap())).unwrap();
    if !bytes.is_empty() {
        store(caller, at, bytes);
    }
    at
}

fn store(caller: &mut Caller<'_, World>, at: u32, bytes: &[u8]) {
    memory(caller).write(&mut *caller, at as usize, bytes).unwrap();
}

fn memory(caller: &mut Caller<'_, World>) -> Memory {
    caller.get_export("memory").and_then(Extern::into_memory).unwrap()
}
