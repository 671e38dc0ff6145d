//! Functions, literals and locals that nothing uses any more.

use super::look;
use crate::compiler::ir::{Expr, FuncId, Function, FunctionKind, Local, Program};

/// Removes what is unused from a program.
pub(super) fn program(program: &mut Program) {
    functions(program);
    data(program);
    for function in &mut program.functions {
        if function.kind == FunctionKind::Plain {
            locals(function);
        }
    }
}

/// New consecutive numbers for what is used.
fn numbering(used: &[bool]) -> Vec<u32> {
    let mut next = 0;
    used.iter()
        .map(|used| {
            let number = next;
            next += u32::from(*used);
            number
        })
        .collect()
}

/// Removes functions that cannot be reached from the entry. A program without an entry is left as
/// it is.
fn functions(program: &mut Program) {
    let Some(entry) = program.entry else { return };
    let mut used = vec![false; program.functions.len()];
    let mut open = vec![entry];
    while let Some(id) = open.pop() {
        let index = id.0 as usize;
        let (Some(function), Some(seen)) = (program.functions.get(index), used.get_mut(index)) else { continue };
        if std::mem::replace(seen, true) {
            continue;
        }
        look::any(&function.body, |node| {
            if let Expr::Call { func, .. } | Expr::Spawn { func, .. } = node {
                open.push(*func);
            }
            false
        });
    }
    let numbers = numbering(&used);
    let new = |old: FuncId| numbers.get(old.0 as usize).map_or(old, |number| FuncId(*number));
    let mut keep = used.iter();
    program.functions.retain(|_| keep.next() == Some(&true));
    program.entry = Some(new(entry));
    for function in &mut program.functions {
        look::each_mut(&mut function.body, &mut |node| {
            if let Some(func) = look::func_of_mut(node) {
                *func = new(*func);
            }
        });
    }
}

/// Removes literals that no function names.
fn data(program: &mut Program) {
    let mut used = vec![false; program.data.len()];
    for function in &mut program.functions {
        look::each_mut(&mut function.body, &mut |node| {
            if let Some(data) = look::data_of_mut(node)
                && let Some(used) = used.get_mut(data.0 as usize)
            {
                *used = true;
            }
        });
    }
    if used.iter().all(|used| *used) {
        return;
    }
    let numbers = numbering(&used);
    let mut keep = used.iter();
    program.data.retain(|_| keep.next() == Some(&true));
    for function in &mut program.functions {
        look::each_mut(&mut function.body, &mut |node| {
            if let Some(data) = look::data_of_mut(node)
                && let Some(number) = numbers.get(data.0 as usize)
            {
                data.0 = *number;
            }
        });
    }
}

/// Removes locals that a function's body does not name; parameters stay.
pub(super) fn locals(function: &mut Function) {
    let mut used: Vec<bool> = (0..function.params).map(|_| true).collect();
    used.resize(function.locals.len(), false);
    look::any(&function.body, |node| {
        if let Some(local) = look::local_of(node)
            && let Some(used) = used.get_mut(local.0 as usize)
        {
            *used = true;
        }
        false
    });
    if used.iter().all(|used| *used) {
        return;
    }
    let numbers = numbering(&used);
    let mut keep = used.iter();
    function.locals.retain(|_| keep.next() == Some(&true));
    look::each_mut(&mut function.body, &mut |node| {
        if let Some(local) = look::local_of_mut(node)
            && let Some(number) = numbers.get(local.0 as usize)
        {
            *local = Local(*number);
        }
    });
}
