//! Which profile a command uses, and whether it keeps the promises of a wasm profile.

use super::registry::{RegistryCodes, open_index, read_profile};
use crate::contract::files::{Files, shown};
use crate::report::{Code, Diag, DocumentCodes};
use crate::wasm::{LinkPlan, PAGE_BYTES};
use std::path::{Path, PathBuf};
use x07_wasm_contracts::types::{WasmProfile, WasmRuntimeLimitsInstanceAllocator};

/// What the command line says about the profile.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    /// An id of the registry.
    pub id: Option<&'a str>,
    /// A file, whatever the registry says.
    pub file: Option<&'a Path>,
    /// The registry.
    pub index: &'a Path,
}

/// The profile to use.
#[derive(Debug)]
pub struct Selected {
    /// The profile.
    pub profile: WasmProfile,
    /// Where it came from, for messages.
    pub path: PathBuf,
    /// Whether it came out of the tool itself.
    pub builtin: bool,
}

/// Selects, reads and checks a profile. Every failure carries `code`.
///
/// # Errors
/// Every problem of the registry and the profile.
pub fn select(
    files: &mut Files,
    selection: &Selection<'_>,
    code: Code,
    notices: &mut Vec<Diag>,
) -> Result<Selected, Vec<Diag>> {
    let codes = RegistryCodes { index: DocumentCodes::all(code), profile: DocumentCodes::all(code) };
    let (profile, path, builtin) = match selection.file {
        Some(file) => {
            let loaded = files.load::<WasmProfile>(file).map_err(|e| codes.profile.diagnose("wasm profile", &e))?;
            (loaded.document, file.to_owned(), false)
        }
        None => {
            let at = files.inputs().len();
            let registry = open_index(files, selection.index, codes, notices)?;
            let id = selection.id.unwrap_or(&registry.default_id);
            let Some(entry) = registry.entries.iter().find(|e| e.id == id) else {
                let known: Vec<&str> = registry.entries.iter().map(|e| e.id.as_str()).collect();
                return Err(vec![
                    Diag::new(
                        code,
                        format!("the registry {} has no profile {id:?}; it has {}", registry.path, known.join(", ")),
                    )
                    .data("profile_id", id),
                ]);
            };
            let profile = read_profile(files, &registry, entry, codes)?.document;
            files.record_later(at);
            if profile.id != entry.id {
                return Err(vec![
                    Diag::new(
                        code,
                        format!(
                            "the registry {} lists {} as profile {:?}, but the file says {:?}; make both the same",
                            registry.path, entry.path, entry.id, profile.id
                        ),
                    )
                    .data("expected", entry.id.as_str())
                    .data("found", profile.id.as_str()),
                ]);
            }
            (profile, PathBuf::from(&entry.path), registry.builtin)
        }
    };
    let problems = contract_problems(&profile);
    if !problems.is_empty() {
        return Err(problems
            .into_iter()
            .map(|p| Diag::new(code, format!("wasm profile {}: {p}", shown(&path))))
            .collect());
    }
    Ok(Selected { profile, path, builtin })
}

/// Limits that the pooling allocator needs and a profile lacks. An engine would refuse it.
#[must_use]
pub fn pooling_problems(profile: &WasmProfile) -> Vec<String> {
    let mut problems = Vec::new();
    if profile.runtime.instance_allocator != Some(WasmRuntimeLimitsInstanceAllocator::Pooling) {
        return problems;
    }
    if profile.runtime.max_memory_bytes.is_none_or(|n| n == 0) {
        problems.push(
            "runtime.max_memory_bytes must be set and not 0: the pooling allocator reserves that much".to_owned(),
        );
    }
    if profile.runtime.max_table_elements.is_none_or(|n| n == 0) {
        problems.push(
            "runtime.max_table_elements must be set and not 0: the pooling allocator reserves that many".to_owned(),
        );
    }
    problems
}

/// The sizes of a module's memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemorySizes {
    /// At the start.
    pub initial: u32,
    /// At most.
    pub max: u32,
}

/// Memory of a module whose profile says nothing: 16 MiB.
const DEFAULT_MEMORY_BYTES: u64 = 16 << 20;

/// The memory that a profile's linker flags ask for.
///
/// # Errors
/// Every reason why no module can have that memory.
pub fn memory_sizes(profile: &WasmProfile) -> Result<MemorySizes, Vec<String>> {
    let (plan, unreadable) = LinkPlan::parse(&profile.wasm_ld.ldflags);
    let mut problems: Vec<String> = unreadable.iter().map(ToString::to_string).collect();
    let initial = plan.initial.unwrap_or(DEFAULT_MEMORY_BYTES);
    let max = plan.max.unwrap_or(initial);
    for (flag, bytes) in [("--initial-memory", plan.initial), ("--max-memory", plan.max)] {
        if bytes.is_some_and(|b| b % PAGE_BYTES != 0) {
            problems.push(format!("{flag}={} is not a multiple of {PAGE_BYTES}", bytes.unwrap_or_default()));
        }
    }
    if max < initial {
        problems.push(format!("--max-memory={max} is less than the initial memory of {initial} bytes"));
    } else if plan.no_growable && max != initial {
        problems.push(format!(
            "--no-growable-memory contradicts --max-memory={max}, which is more than the initial {initial} bytes"
        ));
    }
    let sizes = u32::try_from(initial).and_then(|initial| u32::try_from(max).map(|max| MemorySizes { initial, max }));
    match sizes {
        Ok(sizes) if problems.is_empty() => Ok(sizes),
        Ok(_) => Err(problems),
        Err(_) => {
            problems.push(format!("a memory of {} bytes is more than a 32-bit module can have", initial.max(max)));
            Err(problems)
        }
    }
}

/// What a profile must promise beyond its schema.
#[must_use]
pub fn contract_problems(profile: &WasmProfile) -> Vec<String> {
    let mut problems = Vec::new();
    let mut must = |holds: bool, text: &str| {
        if !holds {
            problems.push(text.to_owned());
        }
    };
    must(
        profile.target.wasm_c_abi == "basic_c_abi@1",
        "target.wasm_c_abi must be basic_c_abi@1: the host calls by that convention",
    );
    must(
        profile.target.entry_export == "x07_solve_v2",
        "target.entry_export must be x07_solve_v2: the host calls that function",
    );
    must(profile.x07_build.freestanding, "x07_build.freestanding must be true: a module has no operating system");
    must(profile.x07_build.emit_c_header, "x07_build.emit_c_header must be true: the C backend needs the header");
    problems.extend(memory_sizes(profile).err().unwrap_or_default());
    problems
}
