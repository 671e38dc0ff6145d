//! Modules of all kinds, linked and run.

use proptest::prelude::*;
use serde_json::{Value, json};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    GlobalType, Instruction, MemArg, MemorySection, MemoryType, Module, TypeSection,
};
use wasmtime::{Engine, Instance, Store};

use super::*;
use crate::compiler::emit::Target;
use crate::compiler::source::{ModuleSource, ModuleText, SourceError};
use crate::compiler::{Options, compile};

/// A program in memory.
struct Entry(String);

impl ModuleSource for Entry {
    fn entry(&self) -> Result<ModuleText, SourceError> {
        Ok(ModuleText { path: "main.x07.json".to_owned(), text: self.0.clone() })
    }

    fn module(&self, id: &str) -> Result<ModuleText, SourceError> {
        Err(SourceError::NotFound { searched: vec![id.to_owned()] })
    }
}

/// A module of our own compiler whose `solve` has this body and whose memory has one MiB.
pub(in crate::component) fn compiled(solve: &Value) -> Vec<u8> {
    let file = json!({"schema_version": "x07.x07ast@0.9.0", "kind": "entry", "module_id": "main", "imports": [],
        "decls": [], "solve": solve});
    let target = Target {
        initial_memory_bytes: 1 << 20,
        max_memory_bytes: 1 << 20,
        static_base: 0,
        producer: "x07-wasm 0.0.0".to_owned(),
        strip: false,
    };
    let compiled = compile(&Entry(file.to_string()), &Options::default(), &target);
    compiled.wasm.unwrap_or_else(|| panic!("{:#?}", compiled.problems))
}

/// A program that returns its input, or the literal `nothing` for an empty one.
pub(in crate::component) fn echo() -> Vec<u8> {
    compiled(&json!(["if", ["view.len", "input"], ["view.to_bytes", "input"], ["bytes.lit", "nothing"]]))
}

/// A solve module in text form; `fields` has the memory.
pub(in crate::component) fn module(fields: &str, heap_base: u32, body: &str) -> Vec<u8> {
    wat::parse_str(format!(
        "(module
           {fields}
           (global (export \"__heap_base\") i32 (i32.const {heap_base}))
           (func $x07_solve_v2 (export \"x07_solve_v2\")
             (param $ret i32) (param $arena i32) (param $cap i32) (param $in i32) (param $len i32)
             {body}))"
    ))
    .unwrap()
}

const MEMORY: &str = "(memory (export \"memory\") 1 1)";

const ECHO: &str = "(memory.copy (local.get $arena) (local.get $in) (local.get $len))
    (i32.store (local.get $ret) (local.get $arena))
    (i32.store offset=4 (local.get $ret) (local.get $len))";

/// A body that returns `length` bytes at `address`.
fn returning(address: &str, length: u32) -> String {
    format!("(i32.store (local.get $ret) {address}) (i32.store offset=4 (local.get $ret) (i32.const {length}))")
}

/// An instance of a linked module of at least four MiB.
struct Running {
    store: Store<()>,
    instance: Instance,
}

impl Running {
    const RET: u32 = 1 << 20;
    const INPUT: u32 = Self::RET + 16;
    const ARENA: u32 = 2 << 20;
    const ARENA_CAP: u32 = 1 << 20;

    fn new(wasm: &[u8]) -> Self {
        let engine = Engine::default();
        let mut store = Store::new(&engine, ());
        let module = wasmtime::Module::new(&engine, wasm).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        Self { store, instance }
    }

    /// Calls an export that follows the solve ABI.
    fn solve(&mut self, export: &str, input: &[u8]) -> Vec<u8> {
        let memory = self.instance.get_memory(&mut self.store, "memory").unwrap();
        memory.write(&mut self.store, Self::INPUT as usize, input).unwrap();
        let length = u32::try_from(input.len()).unwrap();
        self.instance
            .get_typed_func::<(u32, u32, u32, u32, u32), ()>(&mut self.store, export)
            .unwrap()
            .call(&mut self.store, (Self::RET, Self::ARENA, Self::ARENA_CAP, Self::INPUT, length))
            .unwrap();
        let data = memory.data(&self.store);
        let word = |at: u32| {
            let at = at as usize;
            u32::from_le_bytes(data[at..at + 4].try_into().unwrap()) as usize
        };
        let (start, length) = (word(Self::RET), word(Self::RET + 4));
        data[start..start + length].to_vec()
    }
}

/// Links one program and exports its function as `answer`.
fn link(wasm: &[u8]) -> Vec<u8> {
    let mut linker = Linker::new(&[]);
    let program = linker.add_program(wasm).unwrap();
    linker.export("answer", program.solve);
    linker.finish(4 << 20).unwrap()
}

fn refused(wasm: &[u8]) -> LinkError {
    Linker::new(&[]).add_program(wasm).unwrap_err()
}

/// The function names of a module, by index.
fn names(wasm: &[u8]) -> Vec<(u32, String)> {
    let mut names = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(wasm) {
        let wasmparser::Payload::CustomSection(section) = payload.unwrap() else { continue };
        let wasmparser::KnownCustom::Name(parts) = section.as_known() else { continue };
        for part in parts {
            if let wasmparser::Name::Function(map) = part.unwrap() {
                names.extend(map.into_iter().map(|naming| naming.unwrap()).map(|n| (n.index, n.name.to_owned())));
            }
        }
    }
    names
}

#[test]
fn a_program_of_our_compiler_works_as_before() {
    let wasm = echo();
    let linked = link(&wasm);
    let mut running = Running::new(&linked);
    for input in [&b"abc"[..], b"", &[0, 255, 10], b"abc"] {
        let want = if input.is_empty() { b"nothing" } else { input };
        assert_eq!(running.solve("answer", input), want);
    }
    assert_eq!(link(&wasm), linked);
    assert!(names(&linked).iter().any(|(_, name)| name == "x07_solve_v2"));
}

#[test]
fn what_is_told_of_a_program_is_what_it_exports() {
    let mut linker = Linker::new(&[Import::new("a", "b", &[], &[])]);
    let program = linker.add_program(&module("(memory (export \"memory\") 3)", 5000, ECHO)).unwrap();
    let want = Program { solve: FunctionId(1), heap_base: 5000, data_end: 0, memory_bytes: 3 * 65_536 };
    assert_eq!(program, want);
    assert_eq!(linker.static_end(), 5008);

    let fields = "(memory (export \"memory\") 1) (global (export \"__data_end\") i32 (i32.const 48))";
    let program = Linker::new(&[]).add_program(&module(fields, 32, ECHO)).unwrap();
    assert_eq!((program.heap_base, program.data_end), (32, 48));
    let fields = "(memory (export \"memory\") 1) (data (i32.const 40) \"abc\")";
    assert_eq!(Linker::new(&[]).add_program(&module(fields, 64, ECHO)).unwrap().data_end, 43);
}

/// A module as linkers of C toolchains write it: a stack pointer, data above a first page, numbers
/// of instructions padded to five bytes.
fn c_like() -> Vec<u8> {
    const I32: ValType = ValType::I32;
    let mut types = TypeSection::new();
    types.ty().function([I32; 5], []);
    types.ty().function([I32], [I32]);
    let mut functions = FunctionSection::new();
    functions.function(1).function(0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 2, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut globals = GlobalSection::new();
    globals.global(GlobalType { val_type: I32, mutable: true, shared: false }, &ConstExpr::i32_const(66_576));
    globals.global(GlobalType { val_type: I32, mutable: false, shared: false }, &ConstExpr::i32_const(66_576));
    globals.global(GlobalType { val_type: I32, mutable: false, shared: false }, &ConstExpr::i32_const(1036));
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("x07_solve_v2", ExportKind::Func, 1);
    exports.export("__heap_base", ExportKind::Global, 1);
    exports.export("__data_end", ExportKind::Global, 2);

    // The byte at an address after `table` of static data, stored on the stack and read back.
    let mut look_up = Function::new([]);
    look_up.raw([0x23, 0x80, 0x80, 0x80, 0x80, 0x00]); // global.get 0
    look_up.instruction(&Instruction::LocalGet(0));
    look_up.raw([0x2d, 0x00, 0x80, 0x88, 0x80, 0x80, 0x00]); // i32.load8_u offset=1024
    look_up.raw([0x36, 0x02, 0x80, 0x80, 0x80, 0x80, 0x00]); // i32.store
    look_up.raw([0x23, 0x80, 0x80, 0x80, 0x80, 0x00]);
    look_up.instruction(&Instruction::I32Load(MemArg { offset: 0, align: 2, memory_index: 0 }));
    look_up.instruction(&Instruction::End);

    // The stack pointer goes down and up again; the output is one looked-up byte.
    let mut solve = Function::new([]);
    solve.raw([0x23, 0x80, 0x80, 0x80, 0x80, 0x00, 0x41, 0x10, 0x6b, 0x24, 0x80, 0x80, 0x80, 0x80, 0x00]);
    solve.instruction(&Instruction::LocalGet(1)).instruction(&Instruction::LocalGet(4));
    solve.raw([0x10, 0x80, 0x80, 0x80, 0x80, 0x00]); // call 0
    solve.instruction(&Instruction::I32Store8(MemArg { offset: 0, align: 0, memory_index: 0 }));
    solve.raw([0x23, 0x80, 0x80, 0x80, 0x80, 0x00, 0x41, 0x10, 0x6a, 0x24, 0x80, 0x80, 0x80, 0x80, 0x00]);
    solve.instruction(&Instruction::LocalGet(0)).instruction(&Instruction::LocalGet(1));
    solve.instruction(&Instruction::I32Store(MemArg { offset: 0, align: 2, memory_index: 0 }));
    solve.instruction(&Instruction::LocalGet(0)).instruction(&Instruction::I32Const(1));
    solve.instruction(&Instruction::I32Store(MemArg { offset: 4, align: 2, memory_index: 0 }));
    solve.instruction(&Instruction::End);
    let mut code = CodeSection::new();
    code.function(&look_up).function(&solve);
    let mut data = DataSection::new();
    data.active(0, &ConstExpr::i32_const(1024), *b"zyxwvutsrqpo");

    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&globals).section(&exports);
    module.section(&code).section(&data);
    module.finish()
}

#[test]
fn a_program_of_a_c_toolchain_works_as_before() {
    let mut linker = Linker::new(&[]);
    let program = linker.add_program(&c_like()).unwrap();
    assert_eq!((program.heap_base, program.data_end), (66_576, 1036));
    assert_eq!(linker.static_end(), 66_576);
    linker.export("answer", program.solve);
    let mut running = Running::new(&linker.finish(4 << 20).unwrap());
    assert_eq!(running.solve("answer", b"...."), b"v");
    assert_eq!(running.solve("answer", b""), b"z");
}

#[test]
fn two_modules_share_one_memory_and_keep_their_own_things() {
    let first_fields = format!(
        "{MEMORY} (type (func)) (data (i32.const 0) \"first\") (global $calls (mut i32) (i32.const 0))
         (func $count (type 0) (global.set $calls (i32.add (global.get $calls) (i32.const 1))))"
    );
    let first = module(&first_fields, 16, &format!("(call $count) {}", returning("(i32.const 0)", 5)));
    let mut linker = Linker::new(&[]);
    let first = linker.add_program(&first).unwrap();
    let base = linker.static_end();
    assert_eq!(base, 16);
    // Its own types, a block with a parameter, a passive segment, a global of the same use.
    let second_fields = format!(
        "(memory (export \"memory\") 5) (data $active (i32.const {base}) \"second\") (data $passive \"-passive\")
         (global $calls (mut i32) (i32.const 7)) (type (func (param i64) (result i64)))
         (func $count (global.set $calls (i32.add (global.get $calls) (i32.const 1))))"
    );
    let body = format!(
        "(call $count)
         (i64.const 1) (block (param i64) (result i64)) (drop)
         (memory.copy (local.get $arena) (i32.const {base}) (i32.const 6))
         (memory.init $passive (i32.add (local.get $arena) (i32.const 6)) (i32.const 0) (i32.const 8))
         (i32.store8 (i32.add (local.get $arena) (i32.const 14)) (i32.add (global.get $calls) (i32.const 48)))
         {}",
        returning("(local.get $arena)", 15)
    );
    let second = linker.add_module(&module(&second_fields, base + 16, &body)).unwrap();
    assert_eq!(second.memory_bytes, 5 * 65_536);
    linker.export("first", first.solve);
    linker.export("second", second.solve);
    let mut running = Running::new(&linker.finish(4 << 20).unwrap());
    assert_eq!(running.solve("first", b""), b"first");
    assert_eq!(running.solve("second", b""), b"second-passive8");
    assert_eq!(running.solve("first", b""), b"first");
    assert_eq!(running.solve("second", b""), b"second-passive9");
}

#[test]
fn a_module_must_lie_above_what_is_there() {
    let linker = || {
        let mut linker = Linker::new(&[]);
        linker.add_program(&module(MEMORY, 1000, ECHO)).unwrap();
        linker
    };
    let with_data = |at: u32| format!("{MEMORY} (data (i32.const {at}) \"x\")");
    let error = linker().add_module(&module(&with_data(999), 2000, ECHO)).unwrap_err();
    assert_eq!(error, LinkError::Overlap { start: 999, free: 1000 });
    let error = linker().add_module(&module(MEMORY, 16, ECHO)).unwrap_err();
    assert_eq!(error, LinkError::Overlap { start: 16, free: 1000 });
    linker().add_module(&module(&with_data(1000), 1008, ECHO)).unwrap();
}

#[test]
fn functions_and_data_of_ours_follow_the_program() {
    let import = Import::new("host", "add", &[ValType::I32, ValType::I32], &[ValType::I32]);
    let mut linker = Linker::new(&[import]);
    // Declared before the program is there, defined after.
    let id = linker.declare("ours", &[], &[ValType::I32]);
    assert_eq!(id, FunctionId(1));
    let program = linker.add_program(&module(MEMORY, 9, ECHO)).unwrap();
    assert_eq!(program.solve, FunctionId(2));
    let text = linker.data(b"text");
    assert_eq!(text, 16);
    let kept = linker.reserve(100);
    assert_eq!(kept, 32);
    let end = linker.global_static_end(false);
    let late = linker.data(b"late");
    assert_eq!((late, linker.static_end()), (136, 144));
    let mut function = Function::new([]);
    function.instruction(&Instruction::I32Const(text.cast_signed()));
    function.instruction(&Instruction::GlobalGet(end));
    function.instruction(&Instruction::Call(0)).instruction(&Instruction::End);
    linker.define(id, function);
    linker.export("ours", id);
    let wasm = linker.finish(0).unwrap();
    assert_eq!(names(&wasm), [(1, "ours".to_owned()), (2, "x07_solve_v2".to_owned())]);

    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let add = wasmtime::Func::wrap(&mut store, |a: i32, b: i32| a + b);
    let module = wasmtime::Module::new(&engine, &wasm).unwrap();
    let instance = Instance::new(&mut store, &module, &[add.into()]).unwrap();
    let ours = instance.get_typed_func::<(), i32>(&mut store, "ours").unwrap();
    assert_eq!(ours.call(&mut store, ()).unwrap(), 16 + 144);
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    assert_eq!(&memory.data(&store)[16..20], b"text");
    assert_eq!(&memory.data(&store)[136..140], b"late");
    assert_eq!((memory.size(&store), memory.grow(&mut store, 1).is_err()), (1, true));
}

#[test]
fn the_memory_is_as_large_as_anyone_wants() {
    let pages = |own: u32, wanted: u64| {
        let mut linker = Linker::new(&[]);
        let fields = format!("(memory (export \"memory\") {own})");
        linker.add_program(&module(&fields, 16, ECHO)).unwrap();
        let wasm = linker.finish(wanted).unwrap();
        crate::wasm::inspect(&wasm).unwrap().memory.unwrap()
    };
    for (own, wanted, bytes) in [(1, 0, 1), (1, 65_537, 2), (3, 65_537, 3), (1, 1 << 32, 65_536)] {
        let memory = pages(own, wanted);
        assert_eq!((memory.initial_bytes, memory.max_bytes), (bytes * 65_536, Some(bytes * 65_536)));
    }

    let mut linker = Linker::new(&[]);
    linker.add_program(&module(MEMORY, 16, ECHO)).unwrap();
    linker.reserve(u32::MAX);
    assert_eq!(linker.finish(0), Err(LinkError::MemoryTooLarge { bytes: (1 << 32) + 16, program: 16 }));
}

#[test]
fn custom_sections_other_than_names_are_dropped() {
    let fields = format!("{MEMORY} (@custom \"x07.sites\" \"sites\") (@custom \"component-type:x\" \"lies\")");
    let linked = link(&module(&fields, 16, ECHO));
    for word in [&b"sites"[..], b"lies"] {
        assert!(!linked.windows(word.len()).any(|window| window == word));
    }
    assert_eq!(names(&linked), [(0, "x07_solve_v2".to_owned())]);
}

#[test]
fn what_cannot_be_linked_is_refused_by_name() {
    let table = [
        ("(import \"env\" \"f\" (func))", "the module imports env.f"),
        ("(import \"env\" \"m\" (memory 1))", "the module imports env.m"),
        ("(table 1 funcref)", "a table"),
        ("(table 1 funcref) (elem (i32.const 0) func 0)", "a table"),
        ("(elem func 0)", "elements of a table"),
        ("(tag)", "tags of exceptions"),
        ("(func $start) (start $start)", "a start function"),
        ("(memory 1)", "several memories"),
        ("(type (struct))", "types other than those of functions"),
        ("(rec (type (func)) (type (func)))", "types other than those of functions"),
        ("(global funcref (ref.func $x07_solve_v2))", "a global that holds a reference"),
        ("(global $g i32 (i32.const 1)) (data (global.get $g) \"x\")", "an address that is no constant"),
    ];
    for (fields, words) in table {
        // Imports stand first in the text form.
        let fields = format!("{fields} {MEMORY}");
        let error = refused(&module(&fields, 16, ECHO));
        assert!(error.to_string().contains(words), "{fields}: {error}");
    }
    for (memory, words) in [
        ("(memory (export \"memory\") i64 1)", "64-bit addresses"),
        ("(memory (export \"memory\") 1 1 shared)", "a shared memory"),
    ] {
        let wasm = module(memory, 16, "");
        assert!(refused(&wasm).to_string().contains(words), "{memory}: {}", refused(&wasm));
    }
}

#[test]
fn references_to_functions_are_refused() {
    let wasm = module(MEMORY, 16, "(drop (ref.func $x07_solve_v2))");
    assert_eq!(refused(&wasm), LinkError::Unsupported { what: "references to functions" });
}

#[test]
fn a_module_is_at_fault_for_what_it_is_and_has() {
    let of_module = |bytes: u64, program: u64| LinkError::MemoryTooLarge { bytes, program }.is_of_module();
    assert!(of_module((1 << 32) + 1, (1 << 32) - 65_536));
    assert!(!of_module((1 << 32) + 1, 1 << 20), "the rest takes more");
    assert!(!of_module(1 << 40, (1 << 32) - 65_536), "the rest has no room in any case");
    assert!(refused(b"no module").is_of_module());
    assert!(!LinkError::Overlap { start: 1, free: 2 }.is_of_module());
    assert!(!LinkError::Undefined { name: String::new() }.is_of_module());
    assert!(!LinkError::Linked { reason: String::new() }.is_of_module());
}

#[test]
fn missing_and_wrong_exports_are_named() {
    let solve = "(func (export \"x07_solve_v2\") (param i32 i32 i32 i32 i32))";
    let heap = "(global (export \"__heap_base\") i32 (i32.const 16))";
    for (fields, name) in [
        (format!("{solve} {heap}"), "memory"),
        (format!("(memory 1) {solve} {heap}"), "memory"),
        (format!("(memory 1) (func (export \"memory\")) {solve} {heap}"), "memory"),
        (format!("{MEMORY} {heap}"), "x07_solve_v2"),
        (format!("{MEMORY} (func (export \"x07_solve_v2\") (param i32)) {heap}"), "x07_solve_v2"),
        (format!("{MEMORY} {solve}"), "__heap_base"),
        (format!("{MEMORY} {solve} (global (export \"__heap_base\") i64 (i64.const 16))"), "__heap_base"),
        (format!("{MEMORY} {solve} (func (export \"__heap_base\"))"), "__heap_base"),
    ] {
        let error = refused(&wat::parse_str(format!("(module {fields})")).unwrap());
        assert!(matches!(error, LinkError::MissingExport { name: found, .. } if found == name), "{fields}: {error}");
    }
}

#[test]
fn bytes_that_are_no_valid_module_are_refused() {
    for bytes in [&b""[..], b"\0asm", b"no module", b"\0asm\x01\0\0\0\x7f\x00"] {
        let error = refused(bytes);
        assert!(matches!(error, LinkError::Invalid { .. } | LinkError::Unsupported { .. }), "{error}");
    }
    assert_eq!(refused(&wat::parse_str("(component)").unwrap()), LinkError::Component);
    let wasm = module(MEMORY, 16, "(i32.add (i32.const 1) (i64.const 1)) (drop)");
    assert!(matches!(refused(&wasm), LinkError::Invalid { .. }));
}

#[test]
fn an_export_that_is_added_must_be_new() {
    let fields = format!("{MEMORY} (func (export \"cabi_realloc\"))");
    let mut linker = Linker::new(&[]);
    let program = linker.add_program(&module(&fields, 16, ECHO)).unwrap();
    linker.export("cabi_realloc", program.solve);
    let error = linker.finish(0).unwrap_err();
    assert_eq!(error, LinkError::ExportPresent { name: "cabi_realloc".to_owned() });
}

#[test]
fn mistakes_of_ours_are_found() {
    let mut linker = Linker::new(&[]);
    linker.add_program(&module(MEMORY, 16, ECHO)).unwrap();
    linker.declare("forgotten", &[], &[]);
    assert_eq!(linker.finish(0), Err(LinkError::Undefined { name: "forgotten".to_owned() }));

    let mut linker = Linker::new(&[]);
    linker.add_program(&module(MEMORY, 16, ECHO)).unwrap();
    let id = linker.declare("wrong", &[], &[ValType::I32]);
    let mut body = Function::new([]);
    body.instruction(&Instruction::End);
    linker.define(id, body);
    assert!(matches!(linker.finish(0), Err(LinkError::Linked { .. })));
}

proptest! {
    #[test]
    fn changed_modules_never_panic(changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..8)) {
        let mut wasm = c_like();
        for (at, value) in changes {
            let at = usize::from(at) % wasm.len();
            wasm[at] = value;
        }
        let mut linker = Linker::new(&[]);
        if let Ok(program) = linker.add_program(&wasm) {
            linker.export("answer", program.solve);
            let _ = linker.finish(0);
        }
    }
}
