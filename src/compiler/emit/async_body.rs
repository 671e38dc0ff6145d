//! Async functions: bodies that can stop in the middle and go on later.
//!
//! An async function becomes three wasm functions. *Start* takes the arguments, makes a task with a
//! frame, and yields the task's handle. *Run* takes the frame and yields 1 when the task has
//! finished, 0 when it waits. *Drop* frees what a suspended task's locals own.
//!
//! Each wait of a function has a number from 1 on, its *state*, in the order of the code. While it
//! runs, a function keeps its locals in wasm locals. To suspend it stores them, and the state, in
//! the frame and returns. To resume it loads them and *rewinds*: it goes through the same code, but
//! takes at each control structure the way to the wait with that state, and skips everything before
//! it; there the state becomes 0, which means that the code runs as it stands. As states are
//! numbered in order, every part of a function has a contiguous range of them, and a comparison
//! with the end of a part's range tells whether the way leads into the part or behind it.
//!
//! For this nothing may be on wasm's stack or in a scratch local while a task waits: see the
//! documentation of [`Expr::Wait`].

use std::collections::HashMap;

use wasm_encoder::{BlockType, MemArg, ValType};

use crate::compiler::ir::{Expr, Function, FunctionKind, Local, Program, SiteId, Ty, WaitOp, Word};
use crate::compiler::runtime::Helper;
use crate::compiler::runtime::code::{Code, Scratch};
use crate::compiler::runtime::tasks::TaskHelper;

use super::EmitError;
use crate::compiler::runtime::layout::FUEL;

use super::accounts::Uses;
use super::function::{Emitter, Flow, Literal, MAX_LOCALS, Stop};
use super::tasks::{constant_result, poll_of};
use super::types::Types;

/// The parameter of *run* and *drop*.
const FRAME: u32 = 0;
/// Offset of the state in a frame.
const STATE: u32 = 0;
/// Offset of the first local in a frame.
const LOCALS: u32 = 4;

/// The states of the waits in an expression.
#[derive(Clone, Copy, Debug)]
struct States {
    first: u32,
    /// One more than the last.
    end: u32,
}

/// A wasm local that a frame keeps.
#[derive(Clone, Copy, Debug)]
struct Kept {
    local: u32,
    word: Word,
    offset: u32,
}

/// What the translation of an async function needs to know.
#[derive(Debug)]
pub(super) struct Frame {
    /// The wasm local that holds the state.
    state: u32,
    /// Expressions that contain a wait, by address: the program does not move meanwhile.
    waits: HashMap<*const Expr, States>,
    /// Wasm locals for the limits of loops that wait, as long as they are not given out.
    limits: Vec<u32>,
    /// How many blocks are open inside the one that suspending leaves.
    depth: u32,
    /// Where the fuel is kept, if the program limits fuel anywhere.
    fuel: Option<Fuel>,
}

/// Where the fuel of a task, and that of whoever runs it, are while they do not count.
#[derive(Clone, Copy, Debug)]
struct Fuel {
    /// The wasm local with the fuel of whoever runs the task.
    outside: u32,
    /// Where in the frame the task's is.
    offset: u32,
}

/// The code of an async function.
#[derive(Debug)]
pub(super) struct AsyncCode {
    pub(super) start: Code,
    pub(super) run: Code,
    pub(super) drop: Code,
}

/// Translates an async function; `number` is its number among the async functions.
pub(super) fn emit(
    program: &Program,
    function: &Function,
    number: u32,
    literals: &[Literal],
    types: &mut Types,
    uses: Uses,
) -> Result<AsyncCode, EmitError> {
    let (waits, loops) = find_waits(&function.body);
    let mut emitter = Emitter::new(program, function, literals, types)?;
    emitter.metered = uses.fuel;
    emitter.counted = uses.counters;
    let state = emitter.code.declare(ValType::I32);
    let limits: Vec<u32> = (0..loops).map(|_| emitter.code.declare(ValType::I32)).collect();
    let mut kept = Vec::new();
    let mut offsets = Vec::with_capacity(function.locals.len());
    let mut offset = LOCALS;
    // The locals of the function are the first of the wasm function, behind its parameter.
    let mut local = FRAME + 1;
    for ty in &function.locals {
        offsets.push(offset);
        for &word in ty.words() {
            kept.push(Kept { local, word, offset });
            local += 1;
            offset += size(word);
        }
    }
    for &local in &limits {
        kept.push(Kept { local, word: Word::I32, offset });
        offset += size(Word::I32);
    }
    // Each task has fuel of its own: the scopes that limit it are the task's, and so is what they use.
    let fuel = uses.fuel.then(|| {
        let place = Fuel { outside: emitter.code.declare(ValType::F64), offset };
        offset += size(Word::F64);
        place
    });
    emitter.frame = Some(Frame { state, waits, limits, depth: 0, fuel });

    emitter.code.ins().local_get(FRAME).i32_load(word_at(STATE)).local_set(state);
    for kept in &kept {
        emitter.code.ins().local_get(FRAME);
        load(&mut emitter.code, kept.word, kept.offset);
        emitter.code.ins().local_set(kept.local);
    }
    if let Some(fuel) = fuel {
        emitter.code.ins().global_get(FUEL).local_set(fuel.outside);
        emitter.code.ins().local_get(FRAME);
        load(&mut emitter.code, Word::F64, fuel.offset);
        emitter.code.ins().global_set(FUEL);
    }
    emitter.code.ins().block(BlockType::Empty);
    let ty = emitter.expr(&function.body)?;
    if ty != Ty::Never {
        if ty != function.result {
            return Err(EmitError::Malformed {
                function: function.symbol.clone(),
                reason: format!("the body yields {ty:?}, not {:?}", function.result),
            });
        }
        emitter.end_task();
    }
    emitter.code.ins().end();
    emitter.code.ins().local_get(FRAME).local_get(state).i32_store(word_at(STATE));
    for kept in &kept {
        emitter.code.ins().local_get(FRAME).local_get(kept.local);
        store(&mut emitter.code, kept.word, kept.offset);
    }
    if let Some(fuel) = fuel {
        emitter.code.ins().local_get(FRAME).global_get(FUEL);
        store(&mut emitter.code, Word::F64, fuel.offset);
        emitter.code.ins().local_get(fuel.outside).global_set(FUEL);
    }
    emitter.code.ins().i32_const(0).end();
    let run = emitter.code;
    if run.local_count() > MAX_LOCALS {
        return Err(EmitError::TooManyLocals { function: function.symbol.clone() });
    }
    let start = start_code(function, number, offset, fuel);
    let drop = drop_code(function, &offsets);
    Ok(AsyncCode { start, run, drop })
}

/// The states of all expressions that contain a wait, and how many loops must keep their limit.
fn find_waits(body: &Expr) -> (HashMap<*const Expr, States>, usize) {
    enum Visit<'e> {
        Enter(&'e Expr),
        Leave(&'e Expr, u32),
    }
    let mut waits: HashMap<*const Expr, States> = HashMap::new();
    let mut loops = 0;
    let mut next = 1;
    let mut open = vec![Visit::Enter(body)];
    while let Some(visit) = open.pop() {
        match visit {
            Visit::Enter(expr) => {
                open.push(Visit::Leave(expr, next));
                if matches!(expr, Expr::Wait { .. }) {
                    next += 1;
                }
                let first = open.len();
                expr.for_each_part(|part| open.push(Visit::Enter(part)));
                open[first..].reverse();
            }
            Visit::Leave(expr, first) => {
                if first < next {
                    waits.insert(std::ptr::from_ref(expr), States { first, end: next });
                }
                if let Expr::For { body, .. } = expr
                    && waits.contains_key(&std::ptr::from_ref::<Expr>(body))
                {
                    loops += 1;
                }
            }
        }
    }
    (waits, loops)
}

/// Bytes of a word in a frame.
const fn size(word: Word) -> u32 {
    match word {
        Word::I32 => 4,
        Word::F64 => 8,
    }
}

/// A place in a frame, which is a multiple of four.
const fn word_at(offset: u32) -> MemArg {
    MemArg { offset: offset as u64, align: 2, memory_index: 0 }
}

/// Loads a word from the address on the stack plus an offset.
fn load(code: &mut Code, word: Word, offset: u32) {
    let mut ins = code.ins();
    match word {
        Word::I32 => ins.i32_load(word_at(offset)),
        Word::F64 => ins.f64_load(word_at(offset)),
    };
}

/// Stores the word on the stack at the address below it plus an offset.
fn store(code: &mut Code, word: Word, offset: u32) {
    let mut ins = code.ins();
    match word {
        Word::I32 => ins.i32_store(word_at(offset)),
        Word::F64 => ins.f64_store(word_at(offset)),
    };
}

/// The code of *start*: parameters become the first locals of a new frame.
fn start_code(function: &Function, number: u32, frame_size: u32, fuel: Option<Fuel>) -> Code {
    let words: Vec<Word> =
        function.locals.iter().take(function.params as usize).flat_map(|ty| ty.words().iter().copied()).collect();
    // Modules with more parameters or functions than fit 32 bits are refused elsewhere.
    let mut code = Code::new(words.len() as u32);
    let frame = code.scratch(Scratch::I32);
    let kind = i32::from(function.result != Ty::Bytes);
    code.ins().i32_const(number as i32).i32_const(kind).i32_const(frame_size as i32);
    code.call(Helper::Task(TaskHelper::New), None);
    // The task's handle stays on the stack.
    code.ins().local_set(frame);
    let mut offset = LOCALS;
    for (param, &word) in (0..).zip(&words) {
        code.ins().local_get(frame).local_get(param);
        store(&mut code, word, offset);
        offset += size(word);
    }
    if let Some(fuel) = fuel {
        code.ins().local_get(frame).f64_const(f64::INFINITY.into());
        store(&mut code, Word::F64, fuel.offset);
    }
    code.ins().end();
    code
}

/// The code of *drop*: frees what the locals in a frame own.
fn drop_code(function: &Function, offsets: &[u32]) -> Code {
    let mut code = Code::new(1);
    let push = |code: &mut Code, offset: u32| {
        code.ins().local_get(FRAME).i32_load(word_at(offset));
    };
    for (ty, &offset) in function.locals.iter().zip(offsets) {
        match ty {
            Ty::Bytes | Ty::Vec => {
                push(&mut code, offset);
                code.call(Helper::Free, None);
            }
            // The address in `none` is 0.
            Ty::OptionBytes => {
                push(&mut code, offset + 4);
                code.call(Helper::Free, None);
            }
            // An error's code stands where the address would.
            Ty::ResultBytes => {
                push(&mut code, offset);
                code.ins().if_(BlockType::Empty);
                push(&mut code, offset + 4);
                code.call(Helper::Free, None);
                code.ins().end();
            }
            Ty::ResultResultBytes => {
                push(&mut code, offset);
                push(&mut code, offset + 4);
                code.ins().i32_and().if_(BlockType::Empty);
                push(&mut code, offset + 8);
                code.call(Helper::Free, None);
                code.ins().end();
            }
            _ => {}
        }
    }
    code.ins().end();
    code
}

/// The code of a function `(number, frame)` that calls the function with that number on the frame.
pub(super) fn dispatch(functions: &[u32]) -> Code {
    let mut code = Code::new(2);
    // No module has 2^32 functions.
    let last = (functions.len() as u32).saturating_sub(1);
    for _ in functions {
        code.ins().block(BlockType::Empty);
    }
    code.ins().local_get(0).br_table(0..last, last);
    for &function in functions {
        code.ins().end().local_get(1);
        code.call_function(function, None);
        code.ins().return_();
    }
    code.ins().end();
    code
}

impl Emitter<'_> {
    /// Whether the function is the body of a task.
    pub(super) fn is_task(&self) -> bool {
        self.function.kind == FunctionKind::Async
    }

    /// The states of the waits in an expression; none outside async functions.
    fn states(&self, expr: &Expr) -> Option<States> {
        self.frame.as_ref()?.waits.get(&std::ptr::from_ref(expr)).copied()
    }

    /// Whether the task may be suspended in an expression.
    pub(super) fn suspends(&self, expr: &Expr) -> bool {
        self.states(expr).is_some()
    }

    /// Hands out the result on the stack and leaves the function.
    pub(super) fn end_task(&mut self) {
        let result = self.function.result;
        let value = self.spill(result, false);
        if result == Ty::Bytes {
            self.code.ins().i32_const(1);
        }
        self.push_all(&value);
        self.code.call(Helper::Task(TaskHelper::Yielded), None);
        if let Some(fuel) = self.frame.as_ref().and_then(|frame| frame.fuel) {
            self.code.ins().local_get(fuel.outside).global_set(FUEL);
        }
        self.code.ins().i32_const(1).return_();
    }

    /// Translates an expression in which the task may be suspended. `None` for other expressions,
    /// and for those that only do something with a value for which that holds.
    pub(super) fn suspendable(&mut self, expr: &Expr) -> Option<Flow<Ty>> {
        let states = self.states(expr)?;
        Some(match expr {
            Expr::Wait { op, args, site } => self.suspend(*op, args, *site, states.first),
            Expr::Block { body, value, cleanup } => self.block_in_frame(body, value.as_deref(), cleanup),
            Expr::If { cond, then, otherwise, ty } => self.choice_in_frame(cond, then, otherwise, *ty),
            Expr::Switch { value, arms, ty } => self.switch_in_frame(value, arms, *ty),
            Expr::For { var, start, end, body } => self.for_in_frame(*var, start, end, body),
            Expr::While { cond, body } => self.while_in_frame(cond, body),
            Expr::Store { .. } | Expr::Discard(_) => return None,
            Expr::Return { cleanup, .. } | Expr::Try { cleanup, .. } => {
                if !cleanup.iter().any(|expr| self.suspends(expr)) {
                    return None;
                }
                self.malformed("clean-up that waits")
            }
            _ => self.malformed("a task waits while operands wait on the stack"),
        })
    }

    /// A wasm block was opened around what follows.
    fn open(&mut self) {
        if let Some(frame) = &mut self.frame {
            frame.depth += 1;
        }
    }

    /// The last such block ends.
    fn close(&mut self) {
        if let Some(frame) = &mut self.frame {
            frame.depth = frame.depth.saturating_sub(1);
        }
    }

    /// The wasm local of the state, and how many blocks are open.
    fn place(&self) -> Flow<(u32, u32)> {
        match &self.frame {
            Some(frame) => Ok((frame.state, frame.depth)),
            None => self.malformed("a frame in a function without one"),
        }
    }

    /// Pushes whether the code goes through a part: when it runs as it stands, or is on its way to a
    /// wait in the part. What comes before the part's enclosing structure is behind.
    fn push_goes_through(&mut self, states: Option<States>) -> Flow<()> {
        let (state, _) = self.place()?;
        let mut ins = self.code.ins();
        ins.local_get(state);
        match states {
            // Code has far less than 2^31 waits.
            Some(states) => ins.i32_const(states.end as i32).i32_lt_u(),
            None => ins.i32_eqz(),
        };
        Ok(())
    }

    /// Calls the poll of an operation, and suspends the task when it is not done.
    fn suspend(&mut self, op: WaitOp, args: &[Expr], site: SiteId, number: u32) -> Flow<Ty> {
        let (state, depth) = self.place()?;
        let params = op.params();
        if params.len() != args.len() || !self.pending.is_empty() {
            return self.malformed("a task waits with operands that are not settled");
        }
        let mut taken = Vec::new();
        for (param, arg) in params.iter().zip(args) {
            match arg {
                Expr::Take(local) => {
                    let variable = self.variable(*local)?;
                    self.expect(*param, variable.ty)?;
                    self.push_all(&variable);
                    taken.push(*local);
                }
                Expr::I32(_) | Expr::Get(_) | Expr::ViewOf(_) | Expr::ViewLit(_) | Expr::Input => {
                    self.value_of(*param, arg)?;
                }
                _ => return self.malformed("an operand of a wait is neither a constant nor a local"),
            }
        }
        self.code.ins().local_get(state).i32_const(0).local_set(state);
        self.code.call(Helper::Task(poll_of(op)), Some(site));
        self.code.ins().i32_eqz().if_(BlockType::Empty);
        self.code.ins().i32_const(number as i32).local_set(state).br(depth + 1).end();
        for local in taken {
            let (ty, first) = self.local(local)?;
            self.clear(ty, first);
        }
        if let Some(number) = constant_result(op) {
            self.code.ins().i32_const(number);
        }
        Ok(op.result())
    }

    fn block_in_frame(&mut self, body: &[Expr], value: Option<&Expr>, cleanup: &[Expr]) -> Flow<Ty> {
        if cleanup.iter().any(|expr| self.suspends(expr)) {
            return self.malformed("clean-up that waits");
        }
        // From the last part that waits on, nothing is skipped any more.
        let unskipped = if value.is_some_and(|value| self.suspends(value)) {
            body.len()
        } else {
            body.iter().rposition(|expr| self.suspends(expr)).unwrap_or(0)
        };
        let mut at = 0;
        while at < unskipped {
            let states = self.states(&body[at]);
            let mut end = at + 1;
            while states.is_none() && end < unskipped && !self.suspends(&body[end]) {
                end += 1;
            }
            self.skippable(states, &body[at..end])?;
            at = end;
        }
        for expr in &body[at..] {
            self.statement(expr)?;
        }
        let ty = match value {
            Some(value) => self.value(value)?,
            None => Ty::Unit,
        };
        for expr in cleanup {
            self.statement(expr)?;
        }
        Ok(ty)
    }

    /// Statements that are skipped on the way to a later wait.
    fn skippable(&mut self, states: Option<States>, statements: &[Expr]) -> Flow<()> {
        self.push_goes_through(states)?;
        self.code.ins().if_(BlockType::Empty);
        self.open();
        let outcome = statements.iter().try_for_each(|expr| self.statement(expr));
        self.close();
        if let Err(Stop::Error(error)) = outcome {
            return Err(Stop::Error(error));
        }
        self.code.ins().end();
        if outcome.is_err() {
            // Then no task ever waits behind them.
            self.code.ins().unreachable();
        }
        outcome
    }

    /// Evaluates a number into a wasm local; if `skippable`, not on the way to a later wait.
    fn number_in_frame(&mut self, value: &Expr, local: u32, skippable: bool) -> Flow<()> {
        if !skippable {
            self.value_of(Ty::I32, value)?;
            self.code.ins().local_set(local);
            return Ok(());
        }
        let states = self.states(value);
        self.push_goes_through(states)?;
        self.code.ins().if_(BlockType::Empty);
        self.open();
        let never = self.arm(Ty::I32, value)?;
        if !never {
            self.code.ins().local_set(local);
        }
        self.code.ins().end();
        self.close();
        if never {
            self.code.ins().unreachable();
            return Err(Stop::Never);
        }
        Ok(())
    }

    fn choice_in_frame(&mut self, cond: &Expr, then: &Expr, otherwise: &Expr, ty: Ty) -> Flow<Ty> {
        if self.suspends(then) || self.suspends(otherwise) {
            let states = self.states(cond);
            self.push_goes_through(states)?;
            self.code.ins().if_(BlockType::Result(ValType::I32));
            self.open();
            self.arm(Ty::I32, cond)?;
            self.code.ins().else_();
            // On the way to a wait in one of the arms.
            match self.states(then) {
                Some(states) => self.push_goes_through(Some(states))?,
                None => {
                    self.code.ins().i32_const(0);
                }
            }
            self.code.ins().end();
            self.close();
        } else {
            self.value_of(Ty::I32, cond)?;
        }
        let block = self.types.block(ty.words());
        self.code.ins().if_(block);
        self.open();
        let mut never = self.arm(ty, then)?;
        self.code.ins().else_();
        never &= self.arm(ty, otherwise)?;
        self.code.ins().end();
        self.close();
        if never {
            self.code.ins().unreachable();
            return Err(Stop::Never);
        }
        Ok(ty)
    }

    fn switch_in_frame(&mut self, value: &Expr, arms: &[Expr], ty: Ty) -> Flow<Ty> {
        let Some((last, others)) = arms.split_last() else { return self.malformed("a choice without arms") };
        let Ok(count) = u32::try_from(others.len()) else { return self.malformed("a choice with too many arms") };
        let number = self.code.scratch(Scratch::I32);
        let arms_wait = arms.iter().any(|arm| self.suspends(arm));
        self.number_in_frame(value, number, arms_wait)?;
        if arms_wait {
            // On the way to a wait in an arm: the first one that does not lie before it.
            let (state, _) = self.place()?;
            self.code.ins().local_get(state).if_(BlockType::Empty);
            for (index, arm) in (0..).zip(arms).collect::<Vec<(i32, &Expr)>>().into_iter().rev() {
                if let Some(states) = self.states(arm) {
                    self.push_goes_through(Some(states))?;
                    self.code.ins().if_(BlockType::Empty).i32_const(index).local_set(number).end();
                }
            }
            self.code.ins().end();
        }
        let (_, depth) = self.place()?;
        let block = self.types.block(ty.words());
        self.code.ins().block(block);
        for _ in 0..=count {
            self.code.ins().block(BlockType::Empty);
        }
        self.code.ins().local_get(number).br_table(0..count, count).end();
        let mut never = true;
        for (arm, rest) in others.iter().zip((1..=count).rev()) {
            self.set_depth(depth + rest + 1);
            if !self.arm(ty, arm)? {
                never = false;
                self.code.ins().br(rest);
            }
            self.code.ins().end();
        }
        self.set_depth(depth + 1);
        never &= self.arm(ty, last)?;
        self.code.ins().end();
        self.set_depth(depth);
        if never {
            self.code.ins().unreachable();
            return Err(Stop::Never);
        }
        Ok(ty)
    }

    fn set_depth(&mut self, depth: u32) {
        if let Some(frame) = &mut self.frame {
            frame.depth = depth;
        }
    }

    fn for_in_frame(&mut self, var: Local, start: &Expr, end: &Expr, body: &Expr) -> Flow<Ty> {
        let (ty, counter) = self.local(var)?;
        self.expect(Ty::I32, ty)?;
        let body_waits = self.suspends(body);
        let kept = if body_waits { self.frame.as_mut().and_then(|frame| frame.limits.pop()) } else { None };
        let limit = kept.unwrap_or_else(|| self.code.scratch(Scratch::I32));
        let end_waits = self.suspends(end);
        self.number_in_frame(start, counter, end_waits || body_waits)?;
        self.number_in_frame(end, limit, body_waits)?;
        self.code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
        self.open();
        self.open();
        if body_waits {
            self.push_goes_through(None)?;
            self.code.ins().if_(BlockType::Empty);
            self.code.ins().local_get(counter).local_get(limit).i32_ge_u().br_if(2).end();
        } else {
            self.code.ins().local_get(counter).local_get(limit).i32_ge_u().br_if(1);
        }
        if !self.arm(Ty::Unit, body)? {
            self.code.ins().local_get(counter).i32_const(1).i32_add().local_set(counter).br(0);
        }
        self.code.ins().end().end();
        self.close();
        self.close();
        Ok(Ty::Unit)
    }

    fn while_in_frame(&mut self, cond: &Expr, body: &Expr) -> Flow<Ty> {
        let body_waits = self.suspends(body);
        self.code.ins().block(BlockType::Empty).loop_(BlockType::Empty);
        self.open();
        self.open();
        if body_waits {
            let states = self.states(cond);
            self.push_goes_through(states)?;
            self.code.ins().if_(BlockType::Empty);
            self.open();
        }
        let never = self.arm(Ty::I32, cond)?;
        if !never {
            self.code.ins().i32_eqz().br_if(if body_waits { 2 } else { 1 });
        }
        if body_waits {
            self.code.ins().end();
            self.close();
        }
        // When the condition never yields, nothing waits in the body, which then never runs.
        if never {
            self.code.ins().unreachable();
        } else if !self.arm(Ty::Unit, body)? {
            self.code.ins().br(0);
        }
        self.code.ins().end().end();
        self.close();
        self.close();
        if never {
            self.code.ins().unreachable();
            return Err(Stop::Never);
        }
        Ok(Ty::Unit)
    }
}
