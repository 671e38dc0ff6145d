//! What the tests share: short ways to write programs, and a host that runs them.

use std::sync::OnceLock;

use wasmtime::{Engine, Instance, Memory, Module, Store, WasmBacktrace};

use crate::compiler::emit::module::assemble;
use crate::compiler::emit::sites::{self, SiteTable};
use crate::compiler::emit::{EmitError, Target};
use crate::compiler::ir::{
    DataId, Expr, FuncId, Function, FunctionKind, Local, Op, Program, Site, SiteId, Step, Trap, Ty,
};
use crate::compiler::runtime::Helper;

/// A place in every test program, `/solve/7` of module `main`.
pub const SITE: SiteId = SiteId(2);
/// Another, `/solve/7/1`.
pub const INNER: SiteId = SiteId(3);
/// An arena that holds some kilobytes.
pub const ARENA: u32 = 16 * 1024;

/// Why a program ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    pub trap: Option<Trap>,
    pub symbol: String,
    pub pointer: String,
}

impl Fault {
    /// The fault of an operation at [`SITE`] in `solve`.
    pub fn here(trap: Trap) -> Self {
        Self { trap: Some(trap), symbol: "solve".to_owned(), pointer: "/solve/7".to_owned() }
    }
}

pub fn target() -> Target {
    Target {
        initial_memory_bytes: 1 << 20,
        max_memory_bytes: 1 << 20,
        static_base: 0,
        producer: "x07-wasm 0.0.0".to_owned(),
        strip: false,
    }
}

pub fn num(number: i32) -> Expr {
    Expr::I32(number)
}

pub fn op(op: Op, args: Vec<Expr>) -> Expr {
    Expr::Op { op, args, site: SITE }
}

pub fn get(local: u32) -> Expr {
    Expr::Get(Local(local))
}

pub fn take(local: u32) -> Expr {
    Expr::Take(Local(local))
}

pub fn view_of(local: u32) -> Expr {
    Expr::ViewOf(Local(local))
}

pub fn store(local: u32, value: Expr) -> Expr {
    Expr::Store { local: Local(local), value: Box::new(value), drop_old: true }
}

/// `local = op(local, args)`, the usual way to change a variable.
pub fn update(op: Op, local: u32, args: Vec<Expr>) -> Expr {
    store(local, in_place(op, local, args))
}

pub fn in_place(op: Op, local: u32, args: Vec<Expr>) -> Expr {
    Expr::InPlace { op, local: Local(local), args, site: SITE }
}

pub fn block(body: Vec<Expr>, value: Expr) -> Expr {
    Expr::Block { body, value: Some(Box::new(value)), cleanup: Vec::new() }
}

pub fn statements(body: Vec<Expr>) -> Expr {
    Expr::Block { body, value: None, cleanup: Vec::new() }
}

pub fn choose(cond: Expr, then: Expr, otherwise: Expr, ty: Ty) -> Expr {
    Expr::If { cond: Box::new(cond), then: Box::new(then), otherwise: Box::new(otherwise), ty }
}

pub fn repeat(var: u32, start: Expr, end: Expr, body: Expr) -> Expr {
    Expr::For { var: Local(var), start: Box::new(start), end: Box::new(end), body: Box::new(body) }
}

pub fn ret(value: Expr) -> Expr {
    Expr::Return { value: Box::new(value), cleanup: Vec::new() }
}

pub fn discard(value: Expr) -> Expr {
    Expr::Discard(Box::new(value))
}

/// The program's result: a number's four bytes.
pub fn bytes_of(number: Expr) -> Expr {
    op(Op::WriteU32Le, vec![number])
}

pub fn function(symbol: &str, params: u32, result: Ty, locals: Vec<Ty>, body: Expr) -> Function {
    Function {
        symbol: symbol.to_owned(),
        module: 0,
        site: SiteId(0),
        kind: FunctionKind::Plain,
        params,
        result,
        locals,
        body,
    }
}

pub fn solve(locals: Vec<Ty>, body: Expr) -> Function {
    function("solve", 0, Ty::Bytes, locals, body)
}

/// A program with these literals; `solve` is the entry.
pub fn program(functions: Vec<Function>, literals: &[&[u8]]) -> Program {
    let entry = functions.iter().position(|function| function.symbol == "solve").unwrap();
    let site = |parent: Option<u32>, step: Step| Site { parent: parent.map(SiteId), step };
    Program {
        functions,
        entry: Some(FuncId(entry as u32)),
        data: literals.iter().map(|literal| literal.to_vec()).collect(),
        sites: vec![
            site(None, Step::Root),
            site(Some(0), Step::Member("solve".to_owned())),
            site(Some(1), Step::Index(7)),
            site(Some(2), Step::Index(1)),
        ],
        modules: vec!["main".to_owned()],
        ..Program::default()
    }
}

/// A view of the literal with this index.
pub fn lit(index: u32) -> Expr {
    Expr::ViewLit(DataId(index))
}

/// Fresh bytes of the literal with this index.
pub fn owned(index: u32) -> Expr {
    Expr::BytesLit(DataId(index), SITE)
}

pub fn emit(program: &Program) -> Result<Vec<u8>, EmitError> {
    crate::compiler::emit::emit(program, &target())
}

/// Checks that a module needs no more than the features browsers have had for long.
pub fn validate(wasm: &[u8]) {
    use wasmparser::{Validator, WasmFeatures};
    let features = WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::FLOATS;
    if let Err(error) = Validator::new_with_features(features).validate_all(wasm) {
        panic!("invalid module: {error}");
    }
}

/// Where the code section's contents start, and the site table.
pub fn code_start_and_sites(wasm: &[u8]) -> (usize, SiteTable) {
    use wasmparser::{Parser, Payload};
    let mut start = None;
    let mut table = None;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            Payload::CodeSectionStart { range, .. } => start = Some(range.start as usize),
            Payload::CustomSection(section) if section.name() == sites::SECTION => {
                table = Some(SiteTable::read(section.data()).unwrap());
            }
            _ => {}
        }
    }
    (start.unwrap(), table.unwrap())
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(Engine::default)
}

/// An instance of an emitted module, and the host's side of the contract.
pub struct Machine {
    pub store: Store<()>,
    pub instance: Instance,
    pub memory: Memory,
    heap_base: u32,
    code_start: usize,
    sites: SiteTable,
}

impl Machine {
    pub fn new(wasm: &[u8]) -> Self {
        validate(wasm);
        let (code_start, sites) = code_start_and_sites(wasm);
        let module = Module::new(engine(), wasm).unwrap();
        let mut store = Store::new(engine(), ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let heap_base = instance.get_global(&mut store, "__heap_base").unwrap().get(&mut store).unwrap_i32() as u32;
        Self { store, instance, memory, heap_base, code_start, sites }
    }

    pub fn of(program: &Program) -> Self {
        Self::new(&emit(program).unwrap())
    }

    /// A module that also exports helpers.
    pub fn with_helpers(program: &Program, helpers: &[Helper]) -> Self {
        Self::new(&assemble(program, &target(), helpers).unwrap())
    }

    /// Where the arena starts for an input of this length; deliberately not aligned.
    pub fn arena(&self, input: &[u8]) -> u32 {
        self.heap_base.next_multiple_of(8) + 8 + input.len() as u32 + 3
    }

    pub fn solve(&mut self, input: &[u8], arena_size: u32) -> Result<Vec<u8>, Fault> {
        let result = self.heap_base.next_multiple_of(8);
        let input_address = result + 8;
        let arena = self.arena(input);
        self.memory.write(&mut self.store, input_address as usize, input).unwrap();
        // What an earlier run left must not matter, nor may anything behind the arena change.
        let end = (arena + arena_size) as usize;
        self.memory.data_mut(&mut self.store)[arena as usize..].fill(0xa5);
        let solve =
            self.instance.get_typed_func::<(u32, u32, u32, u32, u32), ()>(&mut self.store, "x07_solve_v2").unwrap();
        let args = (result, arena, arena_size, input_address, input.len() as u32);
        let outcome = solve.call(&mut self.store, args);
        let data = self.memory.data(&self.store);
        assert!(data[end..].iter().all(|byte| *byte == 0xa5), "memory behind the arena changed");
        assert_eq!(&data[input_address as usize..][..input.len()], input, "the input changed");
        if let Err(error) = outcome {
            return Err(self.explain(&error));
        }
        let word = |at: u32| u32::from_le_bytes(data[at as usize..at as usize + 4].try_into().unwrap());
        let (address, length) = (word(result), word(result + 4));
        assert!(arena <= address && address + length <= arena + arena_size, "the result is not in the arena");
        Ok(data[address as usize..][..length as usize].to_vec())
    }

    fn explain(&self, error: &wasmtime::Error) -> Fault {
        let trace = error.downcast_ref::<WasmBacktrace>().unwrap_or_else(|| panic!("no backtrace: {error:?}"));
        let mut fault = Fault { trap: None, symbol: String::new(), pointer: String::new() };
        for frame in trace.frames() {
            let offset = frame.module_offset().unwrap() - self.code_start;
            let Some(place) = self.sites.lookup(offset as u32) else { continue };
            assert_eq!(self.sites.function(frame.func_index()).unwrap().symbol, place.symbol);
            fault.trap = fault.trap.or(place.trap);
            if !place.module.is_empty() {
                fault.symbol = place.symbol;
                fault.pointer = place.pointer;
                break;
            }
        }
        assert!(
            fault.trap.is_some(),
            "a trap without a reason: {error:?} {:?} {:?}",
            trace
                .frames()
                .iter()
                .map(|f| (f.func_index(), f.module_offset().unwrap() - self.code_start))
                .collect::<Vec<_>>(),
            self.sites
        );
        fault
    }
}

/// Runs a program twice on one instance; both runs must agree.
pub fn run_in(program: &Program, input: &[u8], arena_size: u32) -> Result<Vec<u8>, Fault> {
    let mut machine = Machine::of(program);
    let first = machine.solve(input, arena_size);
    let second = machine.solve(input, arena_size);
    assert_eq!(first, second);
    first
}

pub fn run(program: &Program, input: &[u8]) -> Result<Vec<u8>, Fault> {
    run_in(program, input, ARENA)
}

/// The value of an expression of type bytes.
pub fn eval(locals: Vec<Ty>, body: Expr, literals: &[&[u8]]) -> Result<Vec<u8>, Fault> {
    run(&program(vec![solve(locals, body)], literals), b"")
}

/// The value of an expression of type `i32`.
pub fn eval_num(locals: Vec<Ty>, number: Expr, literals: &[&[u8]]) -> Result<i32, Fault> {
    let bytes = eval(locals, bytes_of(number), literals)?;
    Ok(i32::from_le_bytes(bytes.as_slice().try_into().unwrap()))
}

/// Runs statements two thousand times in an arena that has about a kilobyte to give: what leaks
/// even the smallest block ends in a fault. Local 0 is the counter.
pub fn repeats_without_leak(mut locals: Vec<Ty>, body: Vec<Expr>, literals: &[&[u8]]) {
    locals.insert(0, Ty::I32);
    let body = block(vec![repeat(0, num(0), num(2000), statements(body))], op(Op::BytesEmpty, vec![]));
    let outcome = run_in(&program(vec![solve(locals, body)], literals), b"input", 2048);
    assert_eq!(outcome, Ok(Vec::new()));
}
