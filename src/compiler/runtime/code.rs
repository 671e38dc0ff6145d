//! A wasm function body under construction.
//!
//! A [`Code`] collects instructions, hands out local variables, and remembers two things about the
//! instructions that it emitted: which of them call the run-time library (whose function indices
//! are known only when the whole module is), and which of them may end the program, with reason
//! and place.

use std::collections::BTreeMap;

use wasm_encoder::{BlockType, Encode, Function, InstructionSink, ValType};

use super::Helper;
use crate::compiler::ir::{SiteId, Trap};

/// The opcode of `call`.
const CALL: u8 = 0x10;

/// The type of a local variable that code borrows for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scratch {
    /// A 32-bit integer.
    I32,
    /// A 64-bit integer.
    I64,
    /// A 64-bit float.
    F64,
}

impl Scratch {
    const COUNT: usize = 3;

    const fn val_type(self) -> ValType {
        match self {
            Self::I32 => ValType::I32,
            Self::I64 => ValType::I64,
            Self::F64 => ValType::F64,
        }
    }
}

/// An instruction that may end the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Offset of the instruction from the start of the function's body.
    pub offset: usize,
    /// The reason, when the instruction itself traps; `None` for a call whose callee says.
    pub trap: Option<Trap>,
    /// Where in the source; `None` inside the run-time library.
    pub site: Option<SiteId>,
}

/// A finished function body.
#[derive(Clone, Debug)]
pub struct Body {
    /// Local declarations and instructions, without the leading size.
    pub bytes: Vec<u8>,
    /// Ascending by offset.
    pub marks: Vec<Mark>,
}

/// A call of a helper whose index is filled in by [`Code::finish`].
#[derive(Clone, Copy, Debug)]
struct OpenCall {
    /// Where in the instructions the index belongs, right behind the opcode.
    at: usize,
    helper: Helper,
}

/// The instructions and local variables of one function.
#[derive(Debug)]
pub struct Code {
    instructions: Vec<u8>,
    params: u32,
    locals: Vec<ValType>,
    /// Scratch locals that nobody holds, by [`Scratch`].
    idle: [Vec<u32>; Scratch::COUNT],
    /// Scratch locals in use, oldest first.
    held: Vec<(Scratch, u32)>,
    calls: Vec<OpenCall>,
    marks: Vec<Mark>,
}

impl Code {
    /// An empty body of a function with that many parameter words.
    #[must_use]
    pub fn new(params: u32) -> Self {
        Self {
            instructions: Vec::new(),
            params,
            locals: Vec::new(),
            idle: [Vec::new(), Vec::new(), Vec::new()],
            held: Vec::new(),
            calls: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// The index that the next new local will have.
    #[must_use]
    pub fn next_local(&self) -> u32 {
        let declared = u32::try_from(self.locals.len()).unwrap_or(u32::MAX);
        self.params.saturating_add(declared)
    }

    /// How many parameters and locals there are.
    #[must_use]
    pub fn local_count(&self) -> u32 {
        self.next_local()
    }

    /// The helpers that this code calls, as often as it does.
    pub fn helpers(&self) -> impl Iterator<Item = Helper> + '_ {
        self.calls.iter().map(|call| call.helper)
    }

    /// A new local for the whole function; it starts as zero.
    pub fn declare(&mut self, ty: ValType) -> u32 {
        let index = self.next_local();
        self.locals.push(ty);
        index
    }

    /// A local for use until [`Code::release`]; its value is undefined.
    pub fn scratch(&mut self, kind: Scratch) -> u32 {
        let index = match self.idle[kind as usize].pop() {
            Some(index) => index,
            None => self.declare(kind.val_type()),
        };
        self.held.push((kind, index));
        index
    }

    /// How many scratch locals are held, for [`Code::release`].
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Gives back all scratch locals taken since [`Code::held`] was `held`.
    pub fn release(&mut self, held: usize) {
        while self.held.len() > held {
            if let Some((kind, index)) = self.held.pop() {
                self.idle[kind as usize].push(index);
            }
        }
    }

    /// Where to write instructions.
    pub fn ins(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.instructions)
    }

    /// Calls a function by its index. The place is recorded when there is one.
    pub fn call_function(&mut self, index: u32, site: Option<SiteId>) {
        self.mark_call(site);
        self.ins().call(index);
    }

    /// Calls a helper. The place is recorded when there is one.
    pub fn call(&mut self, helper: Helper, site: Option<SiteId>) {
        self.mark_call(site);
        self.instructions.push(CALL);
        self.calls.push(OpenCall { at: self.instructions.len(), helper });
    }

    fn mark_call(&mut self, site: Option<SiteId>) {
        if site.is_some() {
            self.marks.push(Mark { offset: self.instructions.len(), trap: None, site });
        }
    }

    /// Ends the program.
    pub fn trap(&mut self, trap: Trap, site: Option<SiteId>) {
        self.marks.push(Mark { offset: self.instructions.len(), trap: Some(trap), site });
        self.ins().unreachable();
    }

    /// Takes an `i32` from the stack and ends the program unless it is 0.
    ///
    /// Engines make one conditional trap of this and report the place of the `if`, so that is
    /// marked as well as the instruction that traps by the letter.
    pub fn trap_if(&mut self, trap: Trap, site: Option<SiteId>) {
        self.marks.push(Mark { offset: self.instructions.len(), trap: Some(trap), site });
        self.ins().if_(BlockType::Empty);
        self.trap(trap, site);
        self.ins().end();
    }

    /// Puts instructions in front of all others. They may use parameters and new locals.
    pub fn prepend(&mut self, write: impl FnOnce(&mut Self)) {
        let mut rest = Self { locals: std::mem::take(&mut self.locals), ..Self::new(self.params) };
        write(&mut rest);
        let by = rest.instructions.len();
        for call in &mut self.calls {
            call.at += by;
        }
        for mark in &mut self.marks {
            mark.offset += by;
        }
        rest.instructions.append(&mut self.instructions);
        rest.calls.append(&mut self.calls);
        rest.marks.append(&mut self.marks);
        rest.idle = std::mem::take(&mut self.idle);
        rest.held = std::mem::take(&mut self.held);
        *self = rest;
    }

    /// Calls another helper wherever one is called.
    pub fn redirect(&mut self, from: Helper, to: Helper) {
        for call in self.calls.iter_mut().filter(|call| call.helper == from) {
            call.helper = to;
        }
    }

    /// The complete body. `indices` holds the function index of every helper that is called.
    #[must_use]
    pub fn finish(self, indices: &BTreeMap<Helper, u32>) -> Body {
        let mut bytes = Function::new_with_locals_types(self.locals).into_raw_body();
        let mut marks = Vec::with_capacity(self.marks.len());
        let mut pending = self.marks.into_iter().peekable();
        let mut copied = 0;
        for call in &self.calls {
            // Marks up to here move by the indices inserted so far; the call's own mark is at its
            // opcode, which lies before `at`.
            while let Some(mark) = pending.next_if(|mark| mark.offset < call.at) {
                marks.push(Mark { offset: bytes.len() + (mark.offset - copied), ..mark });
            }
            bytes.extend_from_slice(&self.instructions[copied..call.at]);
            copied = call.at;
            // A missing index cannot happen: modules contain all helpers that their code calls. If
            // it did, the impossible index would make the module invalid rather than wrong.
            indices.get(&call.helper).copied().unwrap_or(u32::MAX).encode(&mut bytes);
        }
        for mark in pending {
            marks.push(Mark { offset: bytes.len() + (mark.offset - copied), ..mark });
        }
        bytes.extend_from_slice(&self.instructions[copied..]);
        Body { bytes, marks }
    }
}
