//! Expressions, functions, and runs from start to end.

use std::sync::Arc;

use x07_wasm::compiler::ir::{Expr, FuncId, Local, Op, Program, SiteId, Step, Trap, Ty};

use super::accounts::Account;
use super::library::Library;
use super::store::{BufferId, Store};
use super::tasks::{Mailbox, Scheduler};
use super::values::{Flow, Stop, Value, defect};

/// Stack kept free below a step of the recursion, and stack added when there is less.
const STACK_RESERVE: usize = 256 * 1024;
const STACK_SEGMENT: usize = 8 * 1024 * 1024;

/// Where something happens.
#[derive(Clone, Copy, Debug)]
pub struct At {
    pub site: SiteId,
    pub function: FuncId,
}

impl At {
    pub fn trap(self, trap: Trap) -> Stop {
        Stop::Trap { trap, site: self.site, function: self.function }
    }
}

/// Everything that the tasks of a run share.
#[derive(Default)]
pub struct World {
    pub store: Store,
    pub library: Library,
    pub scheduler: Scheduler,
    pub account: Account,
    /// The literals of the program.
    data: Vec<BufferId>,
    input: BufferId,
    /// What ended the run in a task; whoever runs the task sees it.
    pub over: Option<Stop>,
}

/// The locals of a call.
pub struct Frame {
    pub function: FuncId,
    pub locals: Vec<Value>,
}

/// Evaluates expressions. There is one for `solve` and one for each task that has begun; the world
/// goes from one to the other.
pub struct Machine {
    pub world: Box<World>,
    pub program: Arc<Program>,
    /// The way to and from the rest, in a task.
    pub mailbox: Option<Mailbox>,
    depth: usize,
}

/// How a program ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Output(Vec<u8>),
    Trapped {
        reason: &'static str,
        function: String,
        module: String,
        pointer: String,
    },
    /// The compiler has a mistake.
    Defect(String),
    /// The interpreter cannot tell.
    Beyond(&'static str),
}

/// A run.
#[derive(Debug)]
pub struct Ran {
    pub end: End,
    /// The most bytes of buffers that were in use at a time.
    pub peak: usize,
    /// Whether the outcome may depend on numbers that the interpreter only estimates.
    pub estimated: bool,
}

/// Runs a program with an input; `memory` is how many bytes its buffers may certainly not pass.
pub fn run(program: &Arc<Program>, input: &[u8], memory: usize) -> Ran {
    let mut world = Box::new(World { store: Store::new(memory), ..World::default() });
    world.data = program.data.iter().map(|bytes| world.store.fixed(bytes.clone())).collect();
    world.input = world.store.fixed(input.to_vec());
    let mut machine = Machine::new(world, Arc::clone(program), None);
    let end = match machine.program_output() {
        Ok(bytes) => End::Output(bytes),
        Err(stop) => ended(program, stop),
    };
    Ran { end, peak: machine.world.store.peak(), estimated: machine.world.account.estimated }
}

fn ended(program: &Program, stop: Stop) -> End {
    match stop {
        Stop::Trap { trap, site, function } => {
            let function = program.functions.get(function.0 as usize);
            let module = function.and_then(|function| program.modules.get(function.module as usize));
            End::Trapped {
                reason: trap.key(),
                function: function.map_or_else(String::new, |function| function.symbol.clone()),
                module: module.cloned().unwrap_or_default(),
                pointer: pointer(program, site),
            }
        }
        Stop::Defect(what) => End::Defect(what),
        Stop::Beyond(why) => End::Beyond(why),
        Stop::Return(_) => End::Defect("a return leaves more than its function".to_owned()),
        Stop::Canceled => End::Defect("the program was canceled as if it were a task".to_owned()),
    }
}

/// The JSON pointer of a site.
fn pointer(program: &Program, site: SiteId) -> String {
    let mut steps = Vec::new();
    let mut next = Some(site);
    while let Some(site) = next.and_then(|site| program.sites.get(site.0 as usize)) {
        match &site.step {
            Step::Root => {}
            Step::Member(name) => steps.push(format!("/{}", name.replace('~', "~0").replace('/', "~1"))),
            Step::Index(index) => steps.push(format!("/{index}")),
        }
        next = site.parent;
    }
    steps.reverse();
    steps.concat()
}

impl Machine {
    pub fn new(world: Box<World>, program: Arc<Program>, mailbox: Option<Mailbox>) -> Self {
        Self { world, program, mailbox, depth: 0 }
    }

    /// Runs the entry, then ends all tasks, and sees that nothing is left over.
    fn program_output(&mut self) -> Flow<Vec<u8>> {
        let Some(entry) = self.program.entry else { return defect("the program has no entry") };
        let result = self.call(entry, Vec::new())?;
        let Value::Bytes(buffer) = result else { return defect(format!("the output is {result:?}")) };
        let output = self.world.store.bytes(buffer)?.to_vec();
        self.end_tasks()?;
        self.world.store.release(&result)?;
        let leaked = self.world.store.leaked();
        if let Some(&first) = leaked.first() {
            let shown = self.world.store.bytes(Some(first))?;
            let shown = String::from_utf8_lossy(&shown[..shown.len().min(40)]).into_owned();
            return defect(format!("{} buffers are never freed, the first holds {shown:?}", leaked.len()));
        }
        Ok(output)
    }

    /// Calls a function.
    pub fn call(&mut self, id: FuncId, args: Vec<Value>) -> Flow<Value> {
        let program = Arc::clone(&self.program);
        let Some(function) = program.functions.get(id.0 as usize) else {
            return defect(format!("function {} does not exist", id.0));
        };
        self.world.account.enter(self.depth)?;
        self.depth += 1;
        let mut frame = self.frame(id, args)?;
        let outcome = match self.value(&mut frame, &function.body) {
            Ok(value) | Err(Stop::Return(value)) => Ok(value),
            Err(Stop::Canceled) => {
                for local in &frame.locals {
                    self.world.store.release(local)?;
                }
                Err(Stop::Canceled)
            }
            Err(stop) => Err(stop),
        };
        self.depth -= 1;
        let value = outcome?;
        if !value.is(function.result) {
            return defect(format!("{} yields {value:?}", function.symbol));
        }
        match frame.locals.iter().position(|local| local.owned().is_some()) {
            Some(local) => defect(format!("{} leaves with its local {local} still an owner", function.symbol)),
            None => Ok(value),
        }
    }

    /// The locals of a call: parameters, then empty variables.
    fn frame(&self, id: FuncId, args: Vec<Value>) -> Flow<Frame> {
        let function = &self.program.functions[id.0 as usize];
        let params = function.params as usize;
        if args.len() != params || params > function.locals.len() {
            return defect(format!("{} is called with {} arguments", function.symbol, args.len()));
        }
        let mut locals = args;
        for (value, ty) in locals.iter().zip(&function.locals) {
            if !value.is(*ty) {
                return defect(format!("{} is called with {value:?} for {ty:?}", function.symbol));
            }
        }
        locals.extend(function.locals[params..].iter().map(|ty| Value::empty(*ty)));
        Ok(Frame { function: id, locals })
    }

    fn at(frame: &Frame, site: SiteId) -> At {
        At { site, function: frame.function }
    }

    fn local_ty(&self, frame: &Frame, local: Local) -> Ty {
        self.program.functions[frame.function.0 as usize].local_ty(local)
    }

    fn local(frame: &mut Frame, local: Local) -> Flow<&mut Value> {
        match frame.locals.get_mut(local.0 as usize) {
            Some(value) => Ok(value),
            None => defect(format!("there is no local {}", local.0)),
        }
    }

    /// Moves the value out of a local.
    fn take(&self, frame: &mut Frame, local: Local) -> Flow<Value> {
        let empty = Value::empty(self.local_ty(frame, local));
        Ok(std::mem::replace(Self::local(frame, local)?, empty))
    }

    /// Evaluates an expression.
    pub fn value(&mut self, frame: &mut Frame, expr: &Expr) -> Flow<Value> {
        stacker::maybe_grow(STACK_RESERVE, STACK_SEGMENT, || self.value_here(frame, expr))
    }

    fn number(&mut self, frame: &mut Frame, expr: &Expr) -> Flow<i32> {
        self.value(frame, expr)?.as_number()
    }

    /// Statements, one after another.
    fn statements(&mut self, frame: &mut Frame, exprs: &[Expr]) -> Flow<()> {
        for expr in exprs {
            let value = self.value(frame, expr)?;
            if !value.is(Ty::Unit) {
                return defect(format!("a statement yields {value:?}"));
            }
        }
        Ok(())
    }

    /// Operands from left to right. When the function is left meanwhile, those that were evaluated
    /// are freed.
    fn operands(&mut self, frame: &mut Frame, exprs: &[Expr]) -> Flow<Vec<Value>> {
        let mut values = Vec::with_capacity(exprs.len());
        for expr in exprs {
            match self.value(frame, expr) {
                Ok(value) => values.push(value),
                Err(Stop::Return(result)) => {
                    for (value, expr) in values.iter().zip(exprs) {
                        if !is_read(expr) {
                            self.world.store.release(value)?;
                        }
                    }
                    return Err(Stop::Return(result));
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(values)
    }

    fn value_here(&mut self, frame: &mut Frame, expr: &Expr) -> Flow<Value> {
        self.world.account.step()?;
        match expr {
            Expr::I32(number) => Ok(Value::Number(*number)),
            Expr::ViewLit(data) => {
                let buffer = self.literal(data.0)?;
                Ok(Value::View(self.world.store.view(Some(buffer))?))
            }
            Expr::BytesLit(data, site) => {
                let buffer = self.literal(data.0)?;
                let bytes = self.world.store.bytes(Some(buffer))?.to_vec();
                self.world.fresh_bytes(bytes, Self::at(frame, *site))
            }
            Expr::Input => {
                let input = self.world.input;
                Ok(Value::View(self.world.store.view(Some(input))?))
            }
            Expr::Get(local) => Ok(Self::local(frame, *local)?.clone()),
            Expr::Take(local) => self.take(frame, *local),
            Expr::ViewOf(local) => match Self::local(frame, *local)? {
                Value::View(span) => Ok(Value::View(*span)),
                Value::Bytes(buffer) | Value::Vector(buffer) => Ok(Value::View(self.world.store.view(*buffer)?)),
                other => defect(format!("{other:?} has no bytes")),
            },
            Expr::Store { local, value, drop_old } => self.store(frame, *local, value, *drop_old),
            Expr::Drop(local) => {
                if self.local_ty(frame, *local).is_owned() {
                    let value = self.take(frame, *local)?;
                    self.world.store.release(&value)?;
                }
                Ok(Value::Unit)
            }
            Expr::Discard(inner) => {
                let value = self.value(frame, inner)?;
                if !is_read(inner) {
                    self.world.store.release(&value)?;
                }
                Ok(Value::Unit)
            }
            Expr::Block { body, value, cleanup } => {
                self.statements(frame, body)?;
                let value = match value {
                    Some(value) => self.value(frame, value)?,
                    None => Value::Unit,
                };
                self.statements(frame, cleanup)?;
                Ok(value)
            }
            Expr::If { cond, then, otherwise, ty } => {
                let arm = if self.number(frame, cond)? != 0 { then } else { otherwise };
                self.arm(frame, arm, *ty)
            }
            Expr::Switch { value, arms, ty } => {
                let number = self.number(frame, value)?.cast_unsigned() as usize;
                match arms.get(number).or(arms.last()) {
                    Some(arm) => self.arm(frame, arm, *ty),
                    None => defect("a switch has no arms"),
                }
            }
            Expr::Trap { trap, site } => Err(Self::at(frame, *site).trap(*trap)),
            Expr::For { var, start, end, body } => self.for_loop(frame, *var, start, end, body),
            Expr::While { cond, body } => {
                while self.number(frame, cond)? != 0 {
                    self.statements(frame, std::slice::from_ref(&**body))?;
                }
                Ok(Value::Unit)
            }
            Expr::Return { value, cleanup } => {
                let value = self.value(frame, value)?;
                self.statements(frame, cleanup)?;
                Err(Stop::Return(value))
            }
            Expr::Try { value, ty, cleanup } => {
                let value = self.value(frame, value)?;
                if !value.is(*ty) {
                    return defect(format!("{value:?} is unwrapped as {ty:?}"));
                }
                match value.into_result()? {
                    Ok(payload) => Ok(*payload),
                    Err(code) => {
                        self.statements(frame, cleanup)?;
                        Err(Stop::Return(Value::err(code)))
                    }
                }
            }
            Expr::Call { func, args, .. } => {
                let args = self.operands(frame, args)?;
                self.call(*func, args)
            }
            Expr::Spawn { func, args, .. } => {
                let args = self.operands(frame, args)?;
                self.spawn(*func, args)
            }
            Expr::Wait { op, args, site } => {
                let args = self.operands(frame, args)?;
                self.wait(*op, args, Self::at(frame, *site))
            }
            Expr::Op { op, args, site } => {
                let borrowed = args.first().is_some_and(is_read);
                let values = self.operands(frame, args)?;
                self.operation(*op, values, borrowed, Self::at(frame, *site))
            }
            Expr::InPlace { op, local, args, site } => {
                let others = self.operands(frame, args)?;
                let mut values = vec![self.take(frame, *local)?];
                values.extend(others);
                self.operation(*op, values, false, Self::at(frame, *site))
            }
        }
    }

    fn operation(&mut self, op: Op, values: Vec<Value>, borrowed: bool, at: At) -> Flow<Value> {
        let value = match op {
            Op::Task(task) => self.task_op(task, values, at)?,
            op => self.world.apply(op, values, borrowed, at)?,
        };
        if value.is(op.result()) { Ok(value) } else { defect(format!("{op:?} yields {value:?}")) }
    }

    fn literal(&self, index: u32) -> Flow<BufferId> {
        match self.world.data.get(index as usize) {
            Some(buffer) => Ok(*buffer),
            None => defect(format!("there is no literal {index}")),
        }
    }

    fn arm(&mut self, frame: &mut Frame, arm: &Expr, ty: Ty) -> Flow<Value> {
        let value = self.value(frame, arm)?;
        if value.is(ty) { Ok(value) } else { defect(format!("an arm of type {ty:?} yields {value:?}")) }
    }

    fn store(&mut self, frame: &mut Frame, local: Local, value: &Expr, drop_old: bool) -> Flow<Value> {
        let value = self.value(frame, value)?;
        let ty = self.local_ty(frame, local);
        if !value.is(ty) {
            return defect(format!("{value:?} is stored in a local of type {ty:?}"));
        }
        let old = std::mem::replace(Self::local(frame, local)?, value);
        if drop_old {
            self.world.store.release(&old)?;
        } else if let Some(buffer) = old.owned() {
            return defect(format!("the owner of buffer {buffer} is stored over"));
        }
        Ok(Value::Unit)
    }

    fn for_loop(&mut self, frame: &mut Frame, var: Local, start: &Expr, end: &Expr, body: &Expr) -> Flow<Value> {
        let start = self.number(frame, start)?;
        *Self::local(frame, var)? = Value::Number(start);
        let limit = self.number(frame, end)?.cast_unsigned();
        loop {
            let count = Self::local(frame, var)?.as_number()?;
            if count.cast_unsigned() >= limit {
                return Ok(Value::Unit);
            }
            self.statements(frame, std::slice::from_ref(body))?;
            let next = Self::local(frame, var)?.as_number()?.wrapping_add(1);
            *Self::local(frame, var)? = Value::Number(next);
        }
    }
}

/// Whether an expression only reads a variable, so that what it yields stays the variable's.
fn is_read(expr: &Expr) -> bool {
    matches!(expr, Expr::Get(_))
}
