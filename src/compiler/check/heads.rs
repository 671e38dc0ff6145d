//! Heads that the language knows but a program of the pure world may not use, or that this
//! compiler does not support yet; and suggestions for names that nobody knows.

use x07_wasm_contracts::diagnostics::{Code, Stage};

use super::{Unsupported, unsupported};
use crate::compiler::problem::Problem;

/// Why a head cannot be compiled, and whether its arguments are ordinary expressions.
pub(super) struct Refused {
    /// What to report.
    pub(super) problem: Problem,
    /// Whether the arguments can be checked as expressions.
    pub(super) plain_args: bool,
}

/// What is wrong with a head that belongs to the language whatever the program defines. Standard
/// modules may use the operations that are only theirs.
pub(super) fn reserved(head: &str, in_standard_module: bool) -> Option<Refused> {
    if is_internal(head) && !in_standard_module {
        let message = format!("internal-only builtin is not allowed here: {head}");
        let problem = Problem::error(Code::X07cInternalHead, Stage::Type, message)
            .with_note("only the standard modules use it; call the function of the standard module instead");
        return Some(Refused { problem, plain_args: true });
    }
    if let Some(code) = other_world(head) {
        let message = format!("{head} is disabled in this world (solve-pure)");
        return Some(Refused { problem: other_world_problem(code, message), plain_args: true });
    }
    if head == "unsafe" {
        let message = "unsafe requires unsafe capability, which the world solve-pure does not give".to_owned();
        let problem = Problem::error(Code::X07WorldUnsafe0001, Stage::Lint, message)
            .with_note("use the safe operations, or compile for run-os");
        return Some(Refused { problem, plain_args: true });
    }
    let feature = match head {
        "std.stream.pipe_v1" => "StreamPipesV1",
        _ => return None,
    };
    Some(Refused { problem: unsupported(Unsupported::Form, head, feature), plain_args: false })
}

/// What is wrong with a head of a family that belongs to the language, unless the program defines
/// a function of this name.
pub(super) fn family(head: &str) -> Option<Refused> {
    if is_unsafe_operation(head) {
        let message = format!("{head} requires unsafe capability, which the world solve-pure does not give");
        let problem = Problem::error(Code::X07WorldUnsafe0002, Stage::Lint, message)
            .with_note("use the safe operations on bytes, views and vectors");
        return Some(Refused { problem, plain_args: true });
    }
    if head.starts_with("os.") && !head.starts_with("os.time.tzdb_") {
        let message = format!("{head} is standalone-only; compile for the world run-os or run-os-sandboxed");
        let problem = Problem::error(Code::X07WorldOs0002, Stage::Lint, message)
            .with_note("a solve-pure program gets everything it needs through `input`");
        return Some(Refused { problem, plain_args: true });
    }
    if head.starts_with("rr.") {
        let message = format!("{head} is disabled in this world (solve-pure)");
        return Some(Refused { problem: other_world_problem(Code::X07WorldRr0001, message), plain_args: true });
    }
    let &(_, feature, plain_args) = FAMILIES.iter().find(|(name, ..)| belongs(head, name))?;
    Some(Refused { problem: unsupported(Unsupported::Builtin, head, feature), plain_args })
}

/// Whether a head is an operation of this name, or of this family when the name ends in `.` or `_`.
fn belongs(head: &str, name: &str) -> bool {
    head == name || (name.ends_with(['.', '_']) && head.starts_with(name))
}

/// Families of built-in operations that are not supported, the feature that they need, and whether
/// their arguments are ordinary expressions.
static FAMILIES: [(&str, &str, bool); 5] = [
    ("json.jcs.", "JsonV1", true),
    ("jsonschema.", "NativeLibrariesV1", true),
    ("math.f64.", "F64V1", true),
    ("os.time.tzdb_", "NativeLibrariesV1", true),
    ("regex.", "NativeLibrariesV1", true),
];

/// Whether only standard modules may use an operation.
pub(super) fn is_internal(head: &str) -> bool {
    head.starts_with("__internal.")
        || matches!(
            head,
            "set_u32.dump_u32le"
                | "map_u32.dump_kv_u32le_u32le"
                | "task.scope.slot_to_i32_v1"
                | "task.scope.slot_from_i32_v1"
        )
}

/// The code of operations that another world has.
fn other_world(head: &str) -> Option<Code> {
    match head {
        "fs.read" | "fs.read_async" | "fs.open_read" | "fs.list_dir" => Some(Code::X07WorldFs0001),
        "kv.get" | "kv.get_async" | "kv.get_stream" | "kv.set" => Some(Code::X07WorldKv0001),
        "std.rr.with_v1" | "std.rr.with_policy_v1" => Some(Code::X07WorldRr0001),
        _ => None,
    }
}

fn other_world_problem(code: Code, message: String) -> Problem {
    Problem::error(code, Stage::Lint, message)
        .with_note("a solve-pure program gets everything it needs through `input`")
}

fn is_unsafe_operation(head: &str) -> bool {
    head.starts_with("ptr.")
        || head.starts_with("addr_of")
        || matches!(head, "memcpy" | "memmove" | "memset")
        || head.ends_with(".as_ptr")
        || head.ends_with(".as_mut_ptr")
}

/// The candidate that differs least from a name, if one is near.
pub(super) fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Option<String> {
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    // One edit for every four characters, at least one and at most three.
    let most = (name.chars().count() / 4).clamp(1, 3);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate.len() > LONGEST || candidate == name || candidate.len().abs_diff(name.len()) > 4 * most {
            continue;
        }
        let edits = distance(name, candidate);
        if edits <= most && best.is_none_or(|(least, _)| edits < least) {
            best = Some((edits, candidate));
        }
    }
    best.map(|(_, candidate)| candidate.to_owned())
}

/// The Levenshtein distance of two short texts.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (j, y) in b.iter().enumerate() {
            // `row` has one more element than `b`.
            let above = row[j + 1];
            let here = (diagonal + usize::from(x != *y)).min(above + 1).min(left + 1);
            row[j] = left;
            diagonal = above;
            left = here;
        }
        row[b.len()] = left;
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, edits) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("abc", "abc", 0), ("ab", "ba", 2)]
        {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
    }

    #[test]
    fn suggestions_are_near() {
        let known = ["bytes.len", "bytes.lit", "view.len"];
        assert_eq!(nearest("bytes.lne", known.into_iter()).as_deref(), Some("bytes.len"));
        assert_eq!(nearest("something.else", known.into_iter()), None);
        assert_eq!(nearest("x", ["y"].into_iter()).as_deref(), Some("y"));
    }

    #[test]
    fn families() {
        assert_eq!(reserved("fs.read", false).map(|refused| refused.problem.code), Some(Code::X07WorldFs0001));
        assert_eq!(
            reserved("set_u32.dump_u32le", false).map(|refused| refused.problem.code),
            Some(Code::X07cInternalHead)
        );
        assert_eq!(family("os.env.get").map(|refused| refused.problem.code), Some(Code::X07WorldOs0002));
        assert_eq!(
            family("regex.split").map(|refused| refused.problem.code),
            Some(Code::X07cWasmBackendUnsupportedBuiltin)
        );
        assert!(reserved("main.f", false).is_none() && family("main.f").is_none());
    }
}
