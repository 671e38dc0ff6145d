//! The counters that budget scopes read. Programs without such scopes do not have them: then no
//! helper counts.

use super::Helper;
use super::code::Code;
use super::layout::COUNTERS;
use crate::compiler::ir::Counter;

/// The global of a counter.
const fn global(counter: Counter) -> u32 {
    match counter {
        Counter::AllocBytes => COUNTERS,
        Counter::AllocCalls => COUNTERS + 1,
        Counter::ReallocCalls => COUNTERS + 2,
        // The ticks are the scheduler's clock, which no helper counts here.
        Counter::MemcpyBytes | Counter::SchedTicks => COUNTERS + 3,
    }
}

/// How many globals the counters take.
pub const GLOBALS: u32 = 4;

/// Pushes a counter's value.
pub fn push(code: &mut Code, counter: Counter) {
    code.ins().global_get(global(counter));
}

/// Adds the word on the stack to a counter.
pub fn add(code: &mut Code, counter: Counter) {
    let global = global(counter);
    code.ins().global_get(global).i32_add().global_set(global);
}

/// Makes a helper's code count. Growing a buffer is no allocation, although it may take a new block.
pub fn instrument(helper: Helper, code: &mut Code) {
    match helper {
        Helper::Alloc => code.prepend(|head| {
            let size = 0;
            head.ins().local_get(size);
            add(head, Counter::AllocBytes);
            head.ins().local_get(size).i32_const(0).i32_ne();
            add(head, Counter::AllocCalls);
        }),
        Helper::Realloc => {
            code.redirect(Helper::Alloc, Helper::AllocUncounted);
            code.prepend(|head| {
                let (keep, size) = (1, 2);
                head.ins().local_get(size);
                add(head, Counter::AllocBytes);
                head.ins().i32_const(1);
                add(head, Counter::ReallocCalls);
                head.ins().local_get(keep);
                add(head, Counter::MemcpyBytes);
            });
        }
        Helper::Copy => code.prepend(|head| {
            head.ins().local_get(1);
            add(head, Counter::MemcpyBytes);
        }),
        Helper::VecAppend => code.prepend(|head| {
            head.ins().local_get(4);
            add(head, Counter::MemcpyBytes);
        }),
        // What the scheduler needs for itself is not the program's.
        Helper::Task(_) => code.redirect(Helper::Alloc, Helper::AllocUncounted),
        _ => {}
    }
}
