//! Whole programs: which problems they have, and what they turn into.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use x07_wasm_contracts::diagnostics::{Code, Severity};

use crate::compiler::ir::{Expr, Function, Op, Program, Ty};
use crate::compiler::problem::Problem;
use crate::compiler::source::{ModuleSource, ModuleText, SourceError};
use crate::compiler::{Checked, Options, check, with_deep_stack};

/// Files in memory; the entry has the id `main`.
struct Memory(BTreeMap<String, String>);

impl ModuleSource for Memory {
    fn entry(&self) -> Result<ModuleText, SourceError> {
        self.module("main")
    }

    fn module(&self, id: &str) -> Result<ModuleText, SourceError> {
        let path = format!("{}.x07.json", id.replace('.', "/"));
        match self.0.get(id) {
            Some(text) => Ok(ModuleText { path, text: text.clone() }),
            None => Err(SourceError::NotFound { searched: vec![path] }),
        }
    }
}

fn entry(imports: &[&str], decls: Value, solve: Value) -> Value {
    json!({"schema_version": "x07.x07ast@0.9.0", "kind": "entry", "module_id": "main", "imports": imports,
        "decls": decls, "solve": solve})
}

fn module(id: &str, imports: &[&str], exports: &[&str], functions: Vec<Value>) -> (String, Value) {
    let mut decls = vec![json!({"kind": "export", "names": exports})];
    decls.extend(functions);
    let file = json!({"schema_version": "x07.x07ast@0.9.0", "kind": "module", "module_id": id, "imports": imports,
        "decls": decls});
    (id.to_owned(), file)
}

/// A function whose parameters are written `name:type`.
fn defn(name: &str, params: &[&str], result: &str, body: Value) -> Value {
    let params: Vec<Value> = params
        .iter()
        .map(|param| {
            let (name, ty) = param.split_once(':').expect("name:type");
            json!({"name": name, "ty": ty})
        })
        .collect();
    json!({"kind": "defn", "name": name, "params": params, "result": result, "body": body})
}

fn check_files(main: Value, modules: Vec<(String, Value)>) -> Checked {
    let mut files: BTreeMap<String, String> = modules.into_iter().map(|(id, file)| (id, file.to_string())).collect();
    files.insert("main".to_owned(), main.to_string());
    check(&Memory(files), &Options::default())
}

fn check_main(decls: Value, solve: Value) -> Checked {
    check_files(entry(&[], decls, solve), Vec::new())
}

fn places(problems: &[Problem]) -> Vec<(&'static str, &str)> {
    problems.iter().map(|problem| (problem.code.as_str(), problem.pointer.as_str())).collect()
}

/// Checks that a program has exactly these problems: codes and pointers in order.
#[track_caller]
fn expect(decls: Value, solve: Value, wanted: &[(&str, &str)]) {
    let checked = check_main(decls, solve);
    assert_eq!(places(&checked.problems), wanted, "{:#?}", checked.problems);
    let errors = checked.problems.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(checked.program.is_none(), errors);
}

/// Checks that a program has no problem, and yields it.
#[track_caller]
fn accept(decls: Value, solve: Value) -> Program {
    let checked = check_main(decls, solve);
    assert!(checked.problems.is_empty(), "{:#?}", checked.problems);
    checked.program.expect("a program")
}

fn function<'p>(program: &'p Program, symbol: &str) -> &'p Function {
    program.functions.iter().find(|function| function.symbol == symbol).expect("the function")
}

fn eaters() -> Value {
    json!([
        defn("main.eat", &["b:bytes"], "i32", json!(["bytes.len", "b"])),
        defn("main.peek", &["v:bytes_view"], "i32", json!(["view.len", "v"])),
        defn("main.two", &["b:bytes", "n:i32"], "bytes", json!("b")),
    ])
}

fn all_ops<'e>(expr: &'e Expr, out: &mut Vec<&'e Expr>) {
    out.push(expr);
    expr.for_each_part(|part| all_ops(part, out));
}

fn count(program: &Program, symbol: &str, test: impl Fn(&Expr) -> bool) -> usize {
    let mut all = Vec::new();
    all_ops(&function(program, symbol).body, &mut all);
    all.into_iter().filter(|expr| test(expr)).count()
}

#[test]
fn types_of_operands_and_forms() {
    let none = || json!([]);
    expect(none(), json!(["fmt.s32_to_dec", ["+", 1, ["bytes.lit", "x"]]]), &[("X07-TYPE-CALL-0002", "/solve/1/2")]);
    expect(none(), json!(["if", ["view.len", "input"], ["bytes.lit", "a"], 5]), &[("X07-TYPE-UNIFY-0001", "/solve")]);
    expect(
        none(),
        json!(["if", ["bytes.lit", "x"], ["bytes.lit", "a"], ["bytes.lit", "b"]]),
        &[("X07-TYPE-UNIFY-0001", "/solve/1")],
    );
    expect(none(), json!(["+", 1, 2]), &[("X07-TYPE-UNIFY-0001", "/solve")]);
    expect(none(), json!(["fmt.s32_to_dec", "nope"]), &[("X07-TYPE-0001", "/solve/1")]);
    expect(none(), json!(["fmt.s32_to_dec", ["main.nothing", 1]]), &[("X07-TYPE-CALL-0001", "/solve/1")]);
    expect(
        none(),
        json!(["begin", ["let", "b", ["bytes.lit", "x"]], ["fmt.s32_to_dec", ["view.len", "b"]]]),
        &[("X07-TYPE-CALL-0002", "/solve/2/1/1")],
    );
    expect(none(), json!(["fmt.s32_to_dec", ["view.get_u8", "input"]]), &[("X07-TYPE-CALL-0003", "/solve/1")]);
    expect(none(), json!(["if", 1, ["bytes.lit", "a"]]), &[("X07-ARITY-IF-0001", "/solve")]);
    expect(none(), json!(["begin", ["set", "q", 1], ["bytes.lit", "x"]]), &[("X07-TYPE-SET-0001", "/solve/1/1")]);
    expect(
        none(),
        json!(["begin", ["let", "x", 1], ["set", "x", ["bytes.lit", "a"]], ["bytes.lit", "x"]]),
        &[("X07-TYPE-UNIFY-0001", "/solve/2")],
    );
    expect(
        none(),
        json!(["begin", ["let", "x", 1], ["let", "x", 2], ["fmt.s32_to_dec", "x"]]),
        &[("X07C_DUPLICATE_BINDING", "/solve/2/1")],
    );
    expect(
        none(),
        json!(["begin", ["begin", ["let", "x", 1], 0], ["fmt.s32_to_dec", "x"]]),
        &[("X07-TYPE-0001", "/solve/2/1")],
    );
    expect(
        none(),
        json!(["begin", ["let", "x", ["try", ["result_i32.ok", 1]]], ["fmt.s32_to_dec", "x"]]),
        &[("X07-TYPE-UNIFY-0001", "/solve/1/2")],
    );
    expect(
        none(),
        json!(["fmt.s32_to_dec", ["<u", ["view.len", "input"], 0]]),
        &[("X07C_CONSTANT_COMPARISON", "/solve/1")],
    );
    expect(
        none(),
        json!(["begin", ["for", "i", 0, ["bytes.lit", "x"], 0], ["bytes.lit", "y"]]),
        &[("X07-TYPE-UNIFY-0001", "/solve/1/3")],
    );
}

#[test]
fn calls() {
    let decls = json!([defn("main.f", &["x:i32"], "i32", json!("x"))]);
    expect(decls.clone(), json!(["fmt.s32_to_dec", ["main.f", 1, 2]]), &[("X07-TYPE-CALL-0003", "/solve/1")]);
    expect(decls, json!(["fmt.s32_to_dec", ["main.f", ["bytes.lit", "a"]]]), &[("X07-TYPE-CALL-0002", "/solve/1/1")]);
    let decls = json!([defn("main.f", &["x:i32"], "i32", json!(["bytes1", "x"]))]);
    expect(decls, json!(["fmt.s32_to_dec", ["main.f", 1]]), &[("X07-TYPE-RET-0001", "/decls/0/body")]);
    // What cannot be reached is not checked.
    let decls = json!([defn("main.f", &[], "i32", json!(["bytes1", "x"]))]);
    assert_eq!(accept(decls, json!(["bytes.empty"])).functions.len(), 1);
}

#[test]
fn one_mistake_is_reported_once_and_all_are() {
    expect(
        json!([]),
        json!([
            "begin",
            ["let", "x", ["nothing.f"]],
            ["let", "y", ["+", "x", 1]],
            ["set", "x", 4],
            ["let", "z", ["unknown"]],
            ["if", "x", "y", 0],
            ["bytes.concat", "z", ["fmt.s32_to_dec", "w"]]
        ]),
        &[
            ("X07-TYPE-CALL-0001", "/solve/1/2"),
            ("X07-TYPE-CALL-0001", "/solve/4/2"),
            ("X07-TYPE-0001", "/solve/6/2/1"),
        ],
    );
}

#[test]
fn worlds_and_unsupported_things() {
    let none = || json!([]);
    expect(none(), json!(["os.env.get", ["bytes.lit", "HOME"]]), &[("X07-WORLD-OS-0002", "/solve")]);
    expect(none(), json!(["unsafe", ["bytes.lit", "x"]]), &[("X07-WORLD-UNSAFE-0001", "/solve")]);
    expect(none(), json!(["fs.read", ["bytes.lit", "x"]]), &[("X07-WORLD-FS-0001", "/solve")]);
    expect(none(), json!(["__internal.bytes.clone_v1", "input"]), &[("X07C_INTERNAL_HEAD", "/solve")]);
    expect(
        none(),
        json!(["begin", ["let", "m", ["regex.split", "input", 8]], ["fmt.s32_to_dec", ["+", "m", 1]]]),
        &[("X07C_WASM_BACKEND_UNSUPPORTED_BUILTIN", "/solve/1/2")],
    );
    expect(none(), json!(["std.stream.pipe_v1", 1, ["a", 2]]), &[("X07C_WASM_BACKEND_UNSUPPORTED_FORM", "/solve")]);
    let decls = json!([{"kind": "defn", "name": "main.id", "type_params": [{"name": "A"}],
        "params": [{"name": "x", "ty": ["t", "A"]}], "result": ["t", "A"], "body": "x"}]);
    expect(decls, json!(["fmt.s32_to_dec", ["main.id", 1]]), &[("X07-TY-0108", "/solve/1")]);
}

#[test]
fn moves() {
    let lit = || json!(["let", "b", ["bytes.lit", "abc"]]);
    expect(json!([]), json!(["begin", lit(), ["let", "c", "b"], "b"]), &[("X07-MOVE-0901", "/solve/3")]);
    expect(json!([]), json!(["begin", lit(), ["bytes.concat", "b", "b"]]), &[("X07-MOVE-0001", "/solve/2/2")]);
    expect(
        eaters(),
        json!(["begin", lit(), ["let", "n", ["main.eat", "b"]], ["fmt.s32_to_dec", ["+", "n", ["bytes.len", "b"]]]]),
        &[("X07-MOVE-0901", "/solve/3/1/2/1")],
    );
    expect(
        eaters(),
        json!(["begin", lit(), ["if", ["view.len", "input"], ["begin", ["main.eat", "b"], 0], 0], "b"]),
        &[("X07-MOVE-0901", "/solve/3")],
    );
    let fine = [
        json!(["begin", lit(), ["let", "n", ["main.eat", "b"]], ["set", "b", ["fmt.s32_to_dec", "n"]], "b"]),
        json!(["begin", lit(), ["if", 1, ["return", ["bytes.concat", "b", ["bytes.lit", "!"]]], 0], "b"]),
        json!(["begin", lit(), ["if", 1, ["main.eat", "b"], ["+", 1, ["main.eat", "b"]]], ["bytes.empty"]]),
        json!(["begin", lit(), ["set", "b", ["bytes.set_u8", "b", 0, ["bytes.get_u8", "b", 1]]], "b"]),
        json!(["begin", lit(), ["let", "k", ["+", ["main.peek", "b"], ["bytes.len", "b"]]], ["main.two", "b", "k"]]),
    ];
    for solve in fine {
        accept(eaters(), solve);
    }
}

#[test]
fn a_move_in_a_loop_is_a_warning() {
    let solve = json!([
        "begin",
        ["let", "b", ["bytes.lit", "x"]],
        ["let", "o", ["vec_u8.with_capacity", 4]],
        ["for", "i", 0, 3, ["begin", ["let", "c", "b"], ["set", "o", ["vec_u8.extend_bytes", "o", "c"]]]],
        ["vec_u8.into_bytes", "o"]
    ]);
    expect(json!([]), solve, &[("X07C_MOVE_IN_LOOP", "/solve/3/4/1/2")]);
}

#[test]
fn borrows() {
    let lit = || json!(["let", "b", ["bytes.lit", "abc"]]);
    let view = || json!(["let", "v", ["bytes.view", "b"]]);
    let last = || json!(["view.to_bytes", "v"]);
    expect(eaters(), json!(["begin", lit(), view(), ["main.eat", "b"], last()]), &[("X07-MOVE-0902", "/solve/3/1")]);
    expect(
        json!([]),
        json!(["begin", lit(), view(), ["set", "b", ["bytes.lit", "new"]], last()]),
        &[("X07-MOVE-0902", "/solve/3")],
    );
    expect(
        json!([]),
        json!(["begin", lit(), view(), ["set", "b", ["bytes.set_u8", "b", 0, 65]], last()]),
        &[("X07-MOVE-0902", "/solve/3/2/1")],
    );
    expect(
        json!([]),
        json!(["begin", ["let", "v", ["bytes.view", ["bytes.lit", "tmp"]]], last()]),
        &[("X07-BORROW-0001", "/solve/1/2/1")],
    );
    let decls = json!([defn(
        "main.f",
        &[],
        "bytes_view",
        json!(["begin", ["let", "b", ["bytes.lit", "x"]], ["bytes.view", "b"]])
    )]);
    expect(decls, json!(["view.to_bytes", ["main.f"]]), &[("X07-BORROW-0002", "/decls/0/body")]);
    expect(
        json!([]),
        json!(["begin", ["let", "v", "input"], ["begin", lit(), ["set", "v", ["bytes.view", "b"]]], last()]),
        &[("X07C_DROP_WHILE_BORROWED", "/solve/2")],
    );
    expect(
        json!([]),
        json!([
            "begin",
            lit(),
            ["let", "c", ["bytes.lit", "y"]],
            ["let", "v", ["if", ["view.len", "input"], ["bytes.view", "b"], ["bytes.view", "c"]]],
            last()
        ]),
        &[("X07C_BORROW_SOURCE_CONFLICT", "/solve/3/2")],
    );
    // A borrowed operand may not be replaced by a later one.
    expect(
        json!([]),
        json!(["begin", lit(), ["fmt.s32_to_dec", ["bytes.get_u8", "b", ["begin", ["set", "b", ["bytes.empty"]], 0]]]]),
        &[("X07-MOVE-0902", "/solve/2/1/2/1")],
    );
    accept(
        json!([]),
        json!([
            "begin",
            lit(),
            ["let", "n", 0],
            ["begin", view(), ["set", "n", ["view.len", "v"]]],
            ["bytes.concat", "b", ["fmt.s32_to_dec", "n"]]
        ]),
    );
}

#[test]
fn a_view_may_not_be_stale_in_the_next_round() {
    let solve = |body: Value| {
        json!([
            "begin",
            ["let", "b", ["bytes.lit", "abc"]],
            ["let", "v", "input"],
            ["let", "n", 0],
            ["while", ["<", "n", 3], body],
            ["view.to_bytes", "v"]
        ])
    };
    let replace = || json!(["set", "b", ["bytes.lit", "new"]]);
    let read = || json!(["set", "n", ["+", "n", ["view.len", "v"]]]);
    let borrow = || json!(["set", "v", ["bytes.view", "b"]]);
    expect(json!([]), solve(json!(["begin", replace(), read(), borrow()])), &[("X07-MOVE-0902", "/solve/4/2/1")]);
    accept(json!([]), solve(json!(["begin", read(), replace(), borrow()])));
    accept(json!([]), solve(json!(["begin", replace(), borrow(), read()])));
}

#[test]
fn returned_views_borrow_from_the_argument() {
    let decls = || {
        json!([
            defn("main.rest", &["v:bytes_view", "n:i32"], "bytes_view", json!(["view.slice", "v", "n", 1])),
            defn("main.eat", &["b:bytes"], "i32", json!(["bytes.len", "b"])),
            defn(
                "main.loop",
                &["v:bytes_view"],
                "bytes_view",
                json!(["if", ["view.len", "v"], ["main.loop", "v"], "v"])
            ),
            defn(
                "main.pick",
                &["v:bytes_view", "w:bytes_view"],
                "bytes_view",
                json!(["if", ["view.len", "v"], "v", "w"])
            ),
        ])
    };
    let lit = || json!(["let", "b", ["bytes.lit", "abc"]]);
    expect(
        decls(),
        json!(["begin", lit(), ["let", "v", ["main.rest", "b", 1]], ["main.eat", "b"], ["view.to_bytes", "v"]]),
        &[("X07-MOVE-0902", "/solve/3/1")],
    );
    // A temporary lives as long as the scope of the view.
    let program = accept(
        decls(),
        json!(["begin", ["let", "v", ["main.rest", ["fmt.u32_to_dec", 12], 1]], ["view.to_bytes", "v"]]),
    );
    assert_eq!(count(&program, "solve", |expr| matches!(expr, Expr::Drop(_))), 1);
    expect(
        decls(),
        json!(["view.to_bytes", ["main.loop", "input"]]),
        &[("X07C_VIEW_SOURCE_UNKNOWN", "/decls/2/body/2")],
    );
    expect(
        decls(),
        json!(["view.to_bytes", ["main.pick", "input", "input"]]),
        &[("X07C_VIEW_SOURCE_UNKNOWN", "/decls/3/body")],
    );
}

#[test]
fn owned_values_of_assignments() {
    let checked =
        check_main(json!([]), json!(["begin", ["let", "b", ["bytes.empty"]], ["set", "b", ["bytes.lit", "x"]]]));
    assert_eq!(places(&checked.problems), [("X07C_SET_OWNED_VALUE", "/solve/2")]);
    assert!(checked.problems[0].fix.is_some());
    expect(json!([]), json!(["let", "b", ["bytes.empty"]]), &[("X07C_LET_OWNED_VALUE", "/solve")]);
}

#[test]
fn statements_may_have_any_type() {
    accept(
        json!([]),
        json!([
            "begin",
            ["let", "o", ["vec_u8.with_capacity", 4]],
            ["if", ["view.len", "input"], ["set", "o", ["vec_u8.push", "o", 1]], 0],
            ["if", 1, ["begin", 1, ["if", 2, ["bytes.lit", "x"], 5]], ["bytes.alloc", 3]],
            ["for", "i", 0, 3, ["if", "i", ["set0", "o", ["vec_u8.push", "o", "i"]], ["bytes.empty"]]],
            ["fmt.u32_to_dec", "i"],
            ["vec_u8.into_bytes", "o"]
        ]),
    );
}

#[test]
fn operands_wait_in_order() {
    // `x` is read before the second operand, whose temporary is stored first, assigns it.
    let decls = json!([defn("main.f", &["n:i32", "v:bytes_view"], "i32", json!("n"))]);
    let program = accept(
        decls,
        json!([
            "begin",
            ["let", "x", 1],
            ["fmt.s32_to_dec", ["main.f", "x", ["begin", ["set", "x", 2], ["fmt.s32_to_dec", "x"]]]]
        ]),
    );
    let stores =
        count(&program, "solve", |expr| matches!(expr, Expr::Store { value, .. } if matches!(**value, Expr::Get(_))));
    assert_eq!(stores, 1);
    // Without an assignment it is read when the call is made.
    let decls = json!([defn("main.f", &["n:i32", "v:bytes_view"], "i32", json!("n"))]);
    let program =
        accept(decls, json!(["begin", ["let", "x", 1], ["fmt.s32_to_dec", ["main.f", "x", ["fmt.s32_to_dec", "x"]]]]));
    let stores =
        count(&program, "solve", |expr| matches!(expr, Expr::Store { value, .. } if matches!(**value, Expr::Get(_))));
    assert_eq!(stores, 0);
}

#[test]
fn waiting_owned_values_are_freed_by_an_exit() {
    let decls = json!([
        defn("main.r", &[], "result_bytes", json!(["result_bytes.err", 1])),
        defn(
            "main.f",
            &["b:bytes"],
            "result_bytes",
            json!(["result_bytes.ok", ["bytes.concat", "b", ["try", ["main.r"]]]])
        ),
    ]);
    let solve = json!(["result_bytes.unwrap_or", ["main.f", ["bytes.lit", "x"]], ["bytes.empty"]]);
    let program = accept(decls, solve);
    let body = &function(&program, "main.f").body;
    let mut all = Vec::new();
    all_ops(body, &mut all);
    let cleanups: Vec<usize> = all
        .iter()
        .filter_map(|expr| if let Expr::Try { cleanup, .. } = expr { Some(cleanup.len()) } else { None })
        .collect();
    assert_eq!(cleanups, [1]);
}

#[test]
fn concatenations_become_one() {
    let program = accept(
        json!([]),
        json!([
            "bytes.concat",
            ["bytes.concat", ["bytes.lit", "a"], ["fmt.u32_to_dec", 1]],
            ["bytes.concat", ["bytes.lit", "a"], ["view.to_bytes", "input"]]
        ]),
    );
    let mut all = Vec::new();
    all_ops(&function(&program, "solve").body, &mut all);
    let parts: Vec<usize> = all
        .iter()
        .filter_map(|expr| if let Expr::Op { op: Op::BytesConcat, args, .. } = expr { Some(args.len()) } else { None })
        .collect();
    assert_eq!(parts, [4]);
    assert_eq!(program.data, [b"a".to_vec()]);
}

#[test]
fn moved_variables_need_no_drop() {
    let program = accept(json!([]), json!(["begin", ["let", "b", ["bytes.lit", "x"]], "b"]));
    assert_eq!(count(&program, "solve", |expr| matches!(expr, Expr::Drop(_))), 0);
    let program = accept(json!([]), json!(["begin", ["let", "b", ["bytes.lit", "x"]], ["bytes.empty"]]));
    assert_eq!(count(&program, "solve", |expr| matches!(expr, Expr::Drop(_))), 1);
    assert_eq!(function(&program, "solve").locals, [Ty::Bytes]);
}

#[test]
fn modules_imports_and_visibility() {
    let geo = || {
        module(
            "app.geo",
            &[],
            &["app.geo.area"],
            vec![
                defn("app.geo.area", &["w:i32"], "i32", json!(["app.geo.twice", "w"])),
                defn("app.geo.twice", &["w:i32"], "i32", json!(["*", "w", 2])),
            ],
        )
    };
    let checked =
        check_files(entry(&["app.geo"], json!([]), json!(["fmt.s32_to_dec", ["app.geo.area", 3]])), vec![geo()]);
    assert!(checked.problems.is_empty(), "{:#?}", checked.problems);
    let program = checked.program.expect("a program");
    let symbols: Vec<&str> = program.functions.iter().map(|function| function.symbol.as_str()).collect();
    assert_eq!(symbols, ["app.geo.area", "app.geo.twice", "solve"]);
    assert_eq!(program.modules, ["main", "app.geo"]);
    assert_eq!(checked.modules.len(), 2);

    let solve = json!(["fmt.s32_to_dec", ["app.geo.twice", 3]]);
    let checked = check_files(entry(&["app.geo"], json!([]), solve), vec![geo()]);
    assert_eq!(places(&checked.problems), [("X07C_NOT_EXPORTED", "/solve/1")]);

    let low = module("low", &["app.geo"], &["low.f"], vec![defn("low.f", &[], "i32", json!(["app.geo.area", 1]))]);
    let solve = json!(["fmt.s32_to_dec", ["+", ["low.f"], ["app.geo.area", 3]]]);
    let checked = check_files(entry(&["low"], json!([]), solve), vec![geo(), low]);
    assert_eq!(places(&checked.problems), [("X07C_NOT_IMPORTED", "/solve/1/2")]);
    assert!(checked.problems[0].fix.is_some());
}

#[test]
fn imports_that_fail() {
    let solve = || json!(["fmt.s32_to_dec", ["no.such.f"]]);
    let checked = check_files(entry(&["no.such"], json!([]), solve()), Vec::new());
    assert_eq!(places(&checked.problems), [("X07C_MODULE_NOT_FOUND", "/imports/0")]);
    let checked = check_files(entry(&["std.brand"], json!([]), json!(["bytes.empty"])), Vec::new());
    assert_eq!(places(&checked.problems), [("X07-IMPORT-0002", "/imports/0")]);
    let p = module("p", &["q"], &["p.f"], vec![defn("p.f", &[], "i32", json!(["q.f"]))]);
    let q = module("q", &["p"], &["q.f"], vec![defn("q.f", &[], "i32", json!(["p.f"]))]);
    let checked = check_files(entry(&["p"], json!([]), json!(["fmt.s32_to_dec", ["p.f"]])), vec![p, q]);
    assert_eq!(places(&checked.problems), [("X07C_IMPORT_CYCLE", "/imports/0")]);
    assert_eq!(checked.problems[0].module.as_deref(), Some("q"));
    let broken = ("b".to_owned(), json!({"kind": "module"}));
    let checked = check_files(entry(&["b"], json!([]), json!(1)), vec![broken]);
    assert!(checked.problems.iter().all(|problem| problem.code == Code::X07X07astParse0001));
}

#[test]
fn brands() {
    let decls = json!([
        {"kind": "defn", "name": "main.need", "params": [{"name": "b", "ty": "bytes_view", "brand": "main.id"}], "result": "i32",
            "body": ["view.len", "b"]},
        {"kind": "defn", "name": "main.f", "params": [{"name": "b", "ty": "bytes", "brand": "main.id"}], "result": "i32",
            "body": ["main.need", "b"]},
        {"kind": "defn", "name": "main.g", "params": [{"name": "b", "ty": "bytes"}], "result": "i32",
            "body": ["main.need", "b"]},
    ]);
    accept(decls.clone(), json!(["bytes.empty"]));
    expect(decls, json!(["fmt.s32_to_dec", ["main.g", ["bytes.empty"]]]), &[("E_BRAND_MISMATCH", "/decls/2/body/1")]);
}

#[test]
fn limits() {
    let text = entry(&[], json!([]), json!(["bytes.empty"])).to_string();
    let size = text.len();
    let source = Memory(BTreeMap::from([("main".to_owned(), text)]));
    let small = Options { max_entry_bytes: size - 1, ..Options::default() };
    assert_eq!(places(&check(&source, &small).problems), [("X07C_LIMIT_EXCEEDED", "")]);
    let few = Options { max_ast_nodes: 1, ..Options::default() };
    assert_eq!(places(&check(&source, &few).problems), [("X07C_LIMIT_EXCEEDED", "")]);
    let solve = json!(["begin", ["let", "x", 1], ["let", "y", 2], ["bytes.empty"]]);
    let source = Memory(BTreeMap::from([("main".to_owned(), entry(&[], json!([]), solve).to_string())]));
    let one = Options { max_locals: 1, ..Options::default() };
    assert_eq!(places(&check(&source, &one).problems), [("X07C_LIMIT_EXCEEDED", "/solve")]);
}

#[test]
fn deep_programs() {
    let deep = |head: &str, leaf: &str, depth: usize| {
        let text = format!("{}{leaf}{}", format!("[\"{head}\",{leaf},").repeat(depth), "]".repeat(depth));
        let text = format!(
            "{{\"schema_version\":\"x07.x07ast@0.9.0\",\"kind\":\"entry\",\"module_id\":\"main\",\"imports\":[],\"decls\":[],\"solve\":{text}}}"
        );
        Memory(BTreeMap::from([("main".to_owned(), text)]))
    };
    let options = Options { max_entry_bytes: 1 << 20, ..Options::default() };
    with_deep_stack(|| {
        let checked = check(&deep("bytes.concat", "[\"bytes.lit\",\"x\"]", 9_000), &options);
        assert!(checked.problems.is_empty(), "{:#?}", checked.problems);
        // The entry must be bytes; the sum itself is fine.
        let checked = check(&deep("+", "1", 9_000), &options);
        assert_eq!(places(&checked.problems), [("X07-TYPE-UNIFY-0001", "/solve")]);
    });
}

#[test]
fn problems_have_a_place() {
    let text = "{\"schema_version\":\"x07.x07ast@0.9.0\",\"kind\":\"entry\",\"module_id\":\"main\",\n\"imports\":[],\"decls\":[],\n\"solve\":[\"fmt.s32_to_dec\",\n  \"nope\"]}";
    let source = Memory(BTreeMap::from([("main".to_owned(), text.to_owned())]));
    let checked = check(&source, &Options::default());
    let problem = checked.problems.first().expect("a problem");
    assert_eq!(problem.file.as_deref(), Some("main.x07.json"));
    assert_eq!(problem.function.as_deref(), Some("solve"));
    let position = problem.position.expect("a position");
    assert_eq!((position.line, position.column), (4, 3));
}

#[test]
fn a_specialisation_is_a_function() {
    let decls = json!([{"kind": "defn", "name": "main.id", "type_params": [{"name": "A"}],
        "params": [{"name": "x", "ty": ["t", "A"]}], "result": ["t", "A"], "body": "x"}]);
    let solve = json!(["tapp", "main.id", ["tys", "bytes"], ["tapp", "main.id", "bytes", ["bytes.empty"]]]);
    let program = accept(decls, solve);
    let symbols: Vec<&str> = program.functions.iter().map(|function| function.symbol.as_str()).collect();
    assert_eq!(symbols, ["main.id__x07_mono_v1__bytes__hd72b15d3", "solve"]);
    assert_eq!(function(&program, symbols[0]).locals, [Ty::Bytes]);
}
