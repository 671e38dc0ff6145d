//! Generic functions: `tapp` and the `ty.*` intrinsics.
//!
//! A `tapp` calls the specialisation that `resolve` found for it, or an operation of a container,
//! whose name says the types. An intrinsic becomes the code for the type that it is given. What the
//! type parameters of the function stand for is in [`Checker::types`].

use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::builtins::{self, Shape, in_place, plain};
use super::function::{Checker, Value, block, discard, is_nothing};
use super::heads;
use super::operands::Want;
use super::vars::{NewVar, Roots, VarId};
use crate::compiler::generic::{self, Fault, ValueType};
use crate::compiler::ir::{Expr, FuncId, Local, Op, Ty};
use crate::compiler::module::{self, FunctionDecl};
use crate::compiler::problem::Problem;
use crate::compiler::resolve;
use crate::compiler::types;
use crate::contract::json::tree::NodeId;

/// What an intrinsic does.
#[derive(Clone, Copy)]
enum Intrinsic {
    /// How many bytes a value takes.
    Size,
    /// Reads a number from bytes.
    Read,
    /// Writes a number into bytes.
    Write,
    /// Appends a number to a vector.
    Push,
    /// Whether one value comes before another.
    Less,
    /// Which of two values comes first.
    Compare,
    /// Whether two values are the same.
    Equal,
    /// A hash of a value.
    Hash,
    /// A second value like the first.
    Clone,
    /// Ends a value.
    Drop,
    /// Computes a number from two.
    Arithmetic(Op),
}

impl Intrinsic {
    /// Whether there is such an operation for numbers only.
    fn only_numbers(self) -> bool {
        matches!(self, Self::Read | Self::Write | Self::Push | Self::Arithmetic(_))
    }
}

/// The intrinsics, and how many operands follow the type.
static INTRINSICS: [(&str, Intrinsic, usize); 14] = [
    ("ty.add", Intrinsic::Arithmetic(Op::Add), 2),
    ("ty.clone", Intrinsic::Clone, 1),
    ("ty.cmp", Intrinsic::Compare, 2),
    ("ty.drop", Intrinsic::Drop, 1),
    ("ty.eq", Intrinsic::Equal, 2),
    (generic::HASH, Intrinsic::Hash, 1),
    ("ty.lt", Intrinsic::Less, 2),
    ("ty.mul", Intrinsic::Arithmetic(Op::Mul), 2),
    ("ty.push_le", Intrinsic::Push, 2),
    ("ty.read_le_at", Intrinsic::Read, 2),
    ("ty.size", Intrinsic::Size, 0),
    ("ty.size_bytes", Intrinsic::Size, 0),
    ("ty.sub", Intrinsic::Arithmetic(Op::Sub), 2),
    ("ty.write_le_at", Intrinsic::Write, 3),
];

/// An operation of the containers that `tapp` gives the types of its elements.
#[derive(Clone, Copy)]
struct Container {
    /// How many types it is given.
    types: usize,
    /// Whether it makes a container: the types are operands then, and no part of the name.
    makes: bool,
}

static CONTAINERS: [(&str, Container); 9] = [
    ("map_value.contains", Container { types: 1, makes: false }),
    ("map_value.get", Container { types: 2, makes: false }),
    ("map_value.new", Container { types: 2, makes: true }),
    ("map_value.remove", Container { types: 1, makes: false }),
    ("map_value.set", Container { types: 2, makes: false }),
    ("vec_value.get", Container { types: 1, makes: false }),
    ("vec_value.push", Container { types: 1, makes: false }),
    ("vec_value.set", Container { types: 1, makes: false }),
    ("vec_value.with_capacity", Container { types: 1, makes: true }),
];

const NUMBER: Want = Want::Value(Ty::I32);
const NUMBERS: &[Want] = &[NUMBER, NUMBER];
const BYTES_LIKE: Want = Want::Borrow { vec: false };
const READ: &[Want] = &[Want::Borrow { vec: true }, NUMBER];
const WRITE: &[Want] = &[Want::Value(Ty::Bytes), NUMBER, NUMBER];
const PUSH: &[Want] = &[Want::Value(Ty::Vec), NUMBER];
const CONTENTS: &[Want] = &[BYTES_LIKE, BYTES_LIKE];

/// An operand that is bound to a variable of its own.
struct Held {
    id: VarId,
    local: Local,
    store: Expr,
    diverges: bool,
}

impl Checker<'_, '_> {
    /// `tapp` and `ty.…`; `None` for other heads.
    pub(super) fn generic_form(&mut self, node: NodeId, head: &str, args: &[NodeId]) -> Option<Value> {
        match head {
            "tapp" => Some(self.tapp(node, args)),
            "__internal.bytes.clone_v1" | "__internal.bytes.drop_v1" if self.is_standard() => {
                let &[operand] = args else {
                    self.wrong_count(node, head, 1, args.len());
                    self.arguments(args);
                    return Some(Value::poison());
                };
                Some(match head {
                    "__internal.bytes.clone_v1" => self.clone_bytes(node, head, operand),
                    _ => self.drop_value(head, operand, Ty::Bytes),
                })
            }
            _ if head.starts_with("ty.") => {
                let found = INTRINSICS.iter().find(|(name, ..)| *name == head);
                match found {
                    Some(&(_, intrinsic, count)) => Some(self.intrinsic(node, head, args, intrinsic, count)),
                    None if self.cx.index.functions.contains_key(head) => None,
                    None => {
                        self.unknown_intrinsic(node, head);
                        Some(Value::poison())
                    }
                }
            }
            _ => None,
        }
    }

    fn unknown_intrinsic(&mut self, node: NodeId, head: &str) {
        let message = format!("unknown intrinsic `{}`", module::shorten(head));
        let names = INTRINSICS.iter().map(|(name, ..)| *name);
        let mut problem = Problem::error(Code::X07Ty0102, Stage::Type, message).with_data("head", head);
        problem = match heads::nearest(head, names.clone()) {
            Some(near) => problem.with_note(format!("did you mean `{near}`?")),
            None => problem.with_note(format!("intrinsics are {}", names.collect::<Vec<_>>().join(", "))),
        };
        self.report(node, problem);
    }

    /// `["ty.…", type, operands…]`.
    fn intrinsic(&mut self, node: NodeId, head: &str, args: &[NodeId], intrinsic: Intrinsic, count: usize) -> Value {
        let (ty_node, operands) = match args.split_first() {
            Some((&ty_node, operands)) if operands.len() == count => (ty_node, operands),
            split => {
                self.wrong_count(node, head, count + 1, args.len());
                self.arguments(split.map(|(_, operands)| operands).unwrap_or_default());
                return Value::poison();
            }
        };
        let Some(ty) = self.value_type(head, ty_node, intrinsic.only_numbers()) else {
            self.arguments(operands);
            return Value::poison();
        };
        match (intrinsic, operands) {
            (Intrinsic::Size, _) => Value::new(Expr::I32(if ty.is_number() { 4 } else { 16 }), Ty::I32),
            (Intrinsic::Read, _) => self.builtin(node, head, operands, plain(READ, Ty::I32, Op::ReadU32Le)),
            (Intrinsic::Write, _) => self.builtin(node, head, operands, in_place(WRITE, Ty::Bytes, Op::BytesSetU32Le)),
            (Intrinsic::Push, _) => self.builtin(node, head, operands, in_place(PUSH, Ty::Vec, Op::VecPushU32Le)),
            (Intrinsic::Arithmetic(op), _) => self.builtin(node, head, operands, plain(NUMBERS, Ty::I32, op)),
            (Intrinsic::Less, _) => self.less(node, head, operands, ty),
            (Intrinsic::Compare, _) => self.compare(node, head, operands, ty, false),
            (Intrinsic::Equal, _) if ty.is_number() => {
                self.builtin(node, head, operands, plain(NUMBERS, Ty::I32, Op::Eq))
            }
            (Intrinsic::Equal, _) => self.builtin(node, head, operands, plain(CONTENTS, Ty::I32, Op::ViewEq)),
            (Intrinsic::Hash, _) => self.hash(node, head, operands, ty),
            (Intrinsic::Clone, &[operand]) if ty == ValueType::Bytes => self.clone_bytes(node, head, operand),
            (Intrinsic::Clone, &[operand]) => self.copied(head, operand, ty.ty()),
            (Intrinsic::Drop, &[operand]) => self.drop_value(head, operand, ty.ty()),
            // The number of operands was checked.
            (Intrinsic::Clone | Intrinsic::Drop, _) => Value::poison(),
        }
    }

    /// The type at a node, which an operation must be able to handle.
    fn value_type(&mut self, head: &str, node: NodeId, only_numbers: bool) -> Option<ValueType> {
        let ty = match self.types.read(self.tree, node) {
            Ok(ty) => ty,
            Err(fault) => {
                self.report(node, wrong_type(&fault));
                return None;
            }
        };
        let value = ty.value().filter(|value| value.is_number() || !only_numbers);
        if value.is_none() {
            let known = if only_numbers { "i32 and u32" } else { "i32, u32, bytes and bytes_view" };
            let message = format!("`{}` is for {known}, found `{}`", module::shorten(head), ty.name());
            let problem = Problem::error(Code::X07Ty0101, Stage::Type, message)
                .with_data("head", head)
                .with_data("type", &*ty.name());
            self.report(node, problem);
        }
        value
    }

    /// `["ty.lt", type, a, b]`: 1 or 0.
    fn less(&mut self, node: NodeId, head: &str, operands: &[NodeId], ty: ValueType) -> Value {
        match ty {
            ValueType::I32 => self.builtin(node, head, operands, plain(NUMBERS, Ty::I32, Op::LtS)),
            ValueType::U32 => self.builtin(node, head, operands, plain(NUMBERS, Ty::I32, Op::LtU)),
            ValueType::Bytes | ValueType::View => self.compare(node, head, operands, ty, true),
        }
    }

    /// `["ty.cmp", type, a, b]`: -1, 0 or 1; with `less`, whether that is -1.
    fn compare(&mut self, node: NodeId, head: &str, operands: &[NodeId], ty: ValueType, less: bool) -> Value {
        let &[left, right] = operands else { return Value::poison() };
        let left = self.bind_operand(head, left, ty.ty());
        let right = self.bind_operand(head, right, ty.ty());
        let (a, b) = (left.local, right.local);
        let mut expr = match ty {
            ValueType::I32 => self.sign(Op::GtS, Op::LtS, a, b, node),
            ValueType::U32 => self.sign(Op::GtU, Op::LtU, a, b, node),
            ValueType::Bytes | ValueType::View => {
                let mut parts = Vec::with_capacity(6);
                for local in [a, b] {
                    let length = self.op(Op::ViewLen, vec![Expr::ViewOf(local)], node);
                    parts.extend([Expr::ViewOf(local), Expr::I32(0), length]);
                }
                self.op(Op::ViewCmpRange, parts, node)
            }
        };
        if less {
            expr = self.op(Op::LtS, vec![expr, Expr::I32(0)], node);
        }
        self.end_hidden(right.id);
        self.end_hidden(left.id);
        let cleanup = if ty.ty().is_owned() { vec![Expr::Drop(b), Expr::Drop(a)] } else { Vec::new() };
        let expr = block(vec![left.store, right.store], Some(expr), cleanup);
        Value { diverges: left.diverges || right.diverges, ..Value::new(expr, Ty::I32) }
    }

    /// 1 when `greater` holds of two numbers, -1 when `less` does, else 0.
    fn sign(&mut self, greater: Op, less: Op, a: Local, b: Local, node: NodeId) -> Expr {
        let greater = self.op(greater, vec![Expr::Get(a), Expr::Get(b)], node);
        let less = self.op(less, vec![Expr::Get(a), Expr::Get(b)], node);
        self.op(Op::Sub, vec![greater, less], node)
    }

    /// Evaluates an operand as `let` would bind it. The variable is to be ended when it was read.
    fn bind_operand(&mut self, head: &str, operand: NodeId, ty: Ty) -> Held {
        let value = self.value(operand);
        self.expect_operand(head, operand, ty, value.ty);
        let local = self.slots.take(ty);
        let roots = if value.ty == ty { value.roots } else { Roots::new() };
        let var = NewVar { name: None, ty, brand: value.brand, local, declared: operand };
        let id = self.vars.declare(var, roots, self.loops.len());
        let store = Expr::Store { local, value: Box::new(value.expr), drop_old: false };
        Held { id, local, store, diverges: value.diverges }
    }

    /// `["ty.hash32", type, value]`.
    fn hash(&mut self, node: NodeId, head: &str, operands: &[NodeId], ty: ValueType) -> Value {
        let number = (generic::HASH_NUMBER, Ty::I32);
        let (want, steps) = if ty.is_number() {
            (NUMBER, vec![number])
        } else {
            (BYTES_LIKE, vec![(generic::HASH_CONTENT, Ty::View), number])
        };
        let functions: Option<Vec<FuncId>> =
            steps.into_iter().map(|(name, param)| self.hash_function(name, param)).collect();
        let Some(functions) = functions else {
            self.report(node, resolve::unavailable(generic::HASH_MODULE).with_data("head", head));
            self.arguments(operands);
            return Value::poison();
        };
        let mut ready = self.operands(head, operands, &[want], false);
        let diverges = ready.diverges;
        let mut expr = ready.args.pop().unwrap_or(Expr::I32(0));
        let site = self.site(node);
        for func in functions {
            expr = Expr::Call { func, args: vec![expr], site };
        }
        let expr = self.finish(ready, expr);
        Value { diverges, ..Value::new(expr, Ty::I32) }
    }

    /// A function of the standard module of hashes, which nobody has to import for an intrinsic.
    fn hash_function(&self, name: &str, param: Ty) -> Option<FuncId> {
        let &id = self.cx.ids.get(name)?;
        let signature = self.cx.entries.get(id)?.signature.as_ref()?;
        let fits = signature.result == Ty::I32 && matches!(signature.params.as_slice(), [only] if only.ty == param);
        if fits { u32::try_from(id).ok().map(FuncId) } else { None }
    }

    /// A value of a type that is copied whenever it is read.
    fn copied(&mut self, head: &str, operand: NodeId, ty: Ty) -> Value {
        let value = self.value(operand);
        self.expect_operand(head, operand, ty, value.ty);
        if value.ty == ty { value } else { Value { diverges: value.diverges, ..Value::poison() } }
    }

    /// Other bytes with the same content; a variable keeps its own.
    fn clone_bytes(&mut self, node: NodeId, head: &str, operand: NodeId) -> Value {
        let variable = self.is_identifier(operand);
        let mut ready = self.operands(head, &[operand], &[Want::Peek(Ty::Bytes)], false);
        let diverges = ready.diverges;
        let info = ready.infos.first().map(|info| (info.ty, info.brand.clone()));
        let expr = match ready.args.pop() {
            Some(Expr::Get(local)) if variable => self.op(Op::ViewToBytes, vec![Expr::ViewOf(local)], node),
            // Nothing else has the bytes of a temporary.
            Some(expr) => expr,
            None => Expr::I32(0),
        };
        let expr = self.finish(ready, expr);
        match info {
            Some((Ty::Bytes, brand)) => Value { brand, diverges, ..Value::new(expr, Ty::Bytes) },
            _ => Value { expr, diverges, ..Value::poison() },
        }
    }

    /// Ends a value; the result is 0.
    fn drop_value(&mut self, head: &str, operand: NodeId, ty: Ty) -> Value {
        let value = self.value(operand);
        self.expect_operand(head, operand, ty, value.ty);
        let diverges = value.diverges;
        let end = discard(value);
        let body = if is_nothing(&end) { Vec::new() } else { vec![end] };
        Value { diverges, ..Value::new(block(body, Some(Expr::I32(0)), Vec::new()), Ty::I32) }
    }

    /// `["tapp", callee, ["tys", type…], value…]`, or without the list around the types.
    fn tapp(&mut self, node: NodeId, args: &[NodeId]) -> Value {
        let callee = args.split_first().and_then(|(&callee, rest)| Some((self.tree.string(callee)?, rest)));
        let Some((callee, rest)) = callee else {
            let message = "`tapp` calls a generic function; write [\"tapp\", FUNCTION, [\"tys\", TYPE, …], VALUE, …]";
            self.report(node, Problem::error(Code::X07TappElab0001, Stage::Type, message.to_owned()));
            return Value::poison();
        };
        let callee = &*callee;
        if let Some(&(_, container)) = CONTAINERS.iter().find(|(name, _)| *name == callee) {
            return self.container(node, callee, rest, container);
        }
        let Some(&target) = self.cx.index.functions.get(callee) else {
            if builtins::names().any(|name| name == callee) {
                self.not_generic(node, callee);
            } else {
                self.unknown_function(node, callee, Code::X07Ty0100);
            }
            return Value::poison();
        };
        let Some(decl) = self.cx.decl(target) else { return Value::poison() };
        if !self.is_visible(node, callee, target) {
            return Value::poison();
        }
        if !decl.is_generic() {
            self.not_generic(node, callee);
            return Value::poison();
        }
        let (type_nodes, values) = generic::split(self.tree, rest, decl.type_params.len());
        if !self.check_types_count(node, callee, decl.type_params.len(), type_nodes.len()) {
            self.arguments(values);
            return Value::poison();
        }
        match self.types.arguments(self.tree, &type_nodes, &decl.type_params) {
            Ok(types) => {
                let symbol = generic::symbol(callee, &types);
                let name = generic::describe(callee, &types);
                self.call_of(node, &name, &symbol, values, target)
            }
            Err(faults) => {
                for (node, fault) in faults {
                    let problem = refused(decl, &fault).unwrap_or_else(|| wrong_type(&fault));
                    self.report(node, problem);
                }
                self.arguments(values);
                Value::poison()
            }
        }
    }

    fn not_generic(&mut self, node: NodeId, callee: &str) {
        let name = module::shorten(callee);
        let message = format!("`{name}` is not generic and takes no type arguments");
        let problem = Problem::error(Code::X07Ty0105, Stage::Type, message)
            .with_data("head", callee)
            .with_note(format!("call it without `tapp`: [\"{name}\", …]"));
        self.report(node, problem);
    }

    /// Whether a callee is given as many types as it needs; reports it else.
    fn check_types_count(&mut self, node: NodeId, callee: &str, wanted: usize, found: usize) -> bool {
        if wanted != found {
            let name = module::shorten(callee);
            let message = format!("`{name}` takes {wanted} type arguments, found {found}");
            let problem = Problem::error(Code::X07Ty0105, Stage::Type, message)
                .with_data("head", callee)
                .with_data("expected", wanted)
                .with_data("found", found)
                .with_note(format!("write [\"tapp\", \"{name}\", [\"tys\", TYPE, …], VALUE, …]"));
            self.report(node, problem);
        }
        wanted == found
    }

    /// An operation of a container: the types of its elements are a part of the name of the built-in
    /// operation, or its first operands.
    fn container(&mut self, node: NodeId, callee: &str, rest: &[NodeId], container: Container) -> Value {
        let (type_nodes, values) = generic::split(self.tree, rest, container.types);
        if !self.check_types_count(node, callee, container.types, type_nodes.len()) {
            self.arguments(values);
            return Value::poison();
        }
        let mut elements = Vec::with_capacity(type_nodes.len());
        for &type_node in &type_nodes {
            elements.extend(self.value_type(callee, type_node, false));
        }
        if elements.len() != type_nodes.len() {
            self.arguments(values);
            return Value::poison();
        }
        let head = if container.makes {
            format!("{callee}_v1")
        } else {
            let suffixes: Vec<&str> = elements.iter().map(|element| types::name(element.ty())).collect();
            format!("{callee}_{}_v1", suffixes.join("_"))
        };
        let Some(builtin) = builtins::find(&head) else {
            self.unknown_function(node, &head, Code::X07Ty0100);
            return Value::poison();
        };
        if !container.makes {
            return self.builtin(node, &head, values, builtin);
        }
        let wants = builtin.wants.get(elements.len()..).unwrap_or_default();
        let (Shape::Plain(op) | Shape::InPlace(op)) = builtin.shape else { return Value::poison() };
        if values.len() != wants.len() {
            self.wrong_count(node, callee, wants.len(), values.len());
            self.arguments(values);
            return Value::new(Expr::I32(0), builtin.result);
        }
        let mut ready = self.operands(callee, values, wants, false);
        let diverges = ready.diverges;
        let mut operands: Vec<Expr> = elements.iter().map(|element| Expr::I32(element.id())).collect();
        operands.append(&mut ready.args);
        let expr = self.op(op, operands, node);
        let expr = self.finish(ready, expr);
        Value { diverges, ..Value::new(expr, builtin.result) }
    }

    /// Which argument of the function that its list calls a node is, counted from 1.
    pub(super) fn argument_number(&self, node: NodeId) -> usize {
        // The head is the element 0 of the list.
        let place = self.tree.index(node);
        let Some((head, args)) = self.tree.parent(node).and_then(|list| self.split(list)) else { return place };
        if head != "tapp" {
            return place;
        }
        let Some((&callee, rest)) = args.split_first() else { return place };
        let arity = self.tree.string(callee).map_or(0, |callee| self.type_arity(&callee));
        let (_, values) = generic::split(self.tree, rest, arity);
        values.iter().position(|value| *value == node).map_or(place, |at| at + 1)
    }

    /// How many type arguments a callee takes.
    fn type_arity(&self, callee: &str) -> usize {
        if let Some((_, container)) = CONTAINERS.iter().find(|(name, _)| *name == callee) {
            return container.types;
        }
        let decl = self.cx.index.functions.get(callee).and_then(|&target| self.cx.decl(target));
        decl.map_or(0, |decl| decl.type_params.len())
    }
}

/// The problem of a type that a type parameter of a function does not admit.
fn refused(decl: &FunctionDecl, fault: &Fault) -> Option<Problem> {
    let Fault::Refused { param, found } = fault else { return None };
    let param = decl.type_params.get(*param)?;
    let message = format!(
        "the type parameter `{}` of `{}` is for {}, found `{found}`",
        module::shorten(&param.name),
        module::shorten(&decl.name),
        param.bound.admitted()
    );
    let problem = Problem::error(Code::X07Ty0104, Stage::Type, message)
        .with_data("bound", param.bound.name())
        .with_data("found", found.as_str());
    Some(problem)
}

/// The problem of a bound that does not exist.
pub(super) fn unknown_bound(bound: &str) -> Problem {
    let message = format!("unknown bound `{}`", module::shorten(bound));
    Problem::error(Code::X07Generics0001, Stage::Type, message)
        .with_note("bounds are any, bytes_like, num_like, value, hashable and orderable")
}

/// The problem of something that is no type here.
pub(super) fn wrong_type(fault: &Fault) -> Problem {
    let (code, message) = match fault {
        Fault::Malformed => {
            let message =
                "a type is a name, a type parameter [\"t\", NAME], or [\"option\", TYPE] or [\"result\", TYPE]";
            (Code::X07Ty0107, message.to_owned())
        }
        Fault::TooLarge => {
            let message = format!(
                "a type has at most {} levels and is written with at most {} bytes",
                types::MOST_LEVELS,
                generic::MOST_TEXT
            );
            (Code::X07cLimitExceeded, message)
        }
        Fault::Unknown(name) => (Code::X07Ty0107, format!("`{}` is no type", module::shorten(name))),
        Fault::Unbound(name) => {
            (Code::X07Ty0107, format!("`{}` is no type parameter of this function", module::shorten(name)))
        }
        Fault::Pointer(name) => {
            let message = format!("the raw pointer type `{name}` does not exist in the world solve-pure");
            return Problem::error(Code::X07WorldUnsafe0002, Stage::Lint, message)
                .with_note("pass `bytes_view` or `bytes` instead");
        }
        Fault::Refused { found, .. } => (Code::X07Ty0104, format!("`{found}` is not allowed here")),
    };
    let stage = if matches!(fault, Fault::TooLarge) { Stage::Lower } else { Stage::Type };
    Problem::error(code, stage, message)
}
