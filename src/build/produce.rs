//! Makes a module of a project with the backend that was chosen.

use super::compile;
use crate::contract::digest;
use crate::contract::files::{MAX_ARTIFACT_BYTES, create_folder, read_bounded, remove_stale, shown};
use crate::project::lock::MAX_MODULE_BYTES;
use crate::project::{self, Project, Purpose};
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Context, Diag, Stage};
use crate::toolchain::c_backend::{self, CBuild};
use crate::toolchain::linked;
use crate::toolchain::probe::version_line;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::types::{WasmArtifactRepro, WasmArtifactToolchain, WasmProfile};

/// Which code generator makes the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `native_x07_wasm_v1`: wasm straight from the program.
    Native,
    /// `c_toolchain_v1`: C, clang and wasm-ld.
    C,
}

impl Backend {
    /// As profiles and reports write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native_x07_wasm_v1",
            Self::C => "c_toolchain_v1",
        }
    }
}

/// What to make.
#[derive(Debug)]
pub struct Request<'a> {
    /// The manifest.
    pub project: &'a Path,
    /// The profile.
    pub profile: &'a WasmProfile,
    /// The code generator.
    pub backend: Backend,
    /// An external compiler to use in place of the built-in one.
    pub x07: Option<&'a Path>,
    /// Where external tools put intermediate files.
    pub emit_dir: &'a Path,
    /// Where external tools put the module.
    pub wasm: &'a Path,
    /// Whether to leave out what only explains the module. Only the built-in compiler can.
    pub strip: bool,
}

/// What was made.
#[derive(Debug)]
pub struct Produced {
    /// The module.
    pub wasm: Vec<u8>,
    /// The project's name.
    pub name: String,
    /// The C program, when there is one.
    pub c_path: Option<PathBuf>,
    /// Its header.
    pub h_path: Option<PathBuf>,
    /// The tools that took part.
    pub toolchain: WasmArtifactToolchain,
    /// Their arguments.
    pub repro: WasmArtifactRepro,
}

/// Makes the module; problems become diagnostics of the context.
pub fn produce(context: &mut Context, request: &Request<'_>) -> Option<Produced> {
    if request.backend == Backend::Native && request.x07.is_none() {
        built_in(context, request)
    } else if request.strip {
        let message = "--strip is for the built-in compiler; leave it out, or leave out --x07 and the C backend";
        context.push(Diag::new(Code::CliArgsInvalid, message).data("stage", "backend"));
        None
    } else {
        external(context, request)
    }
}

fn built_in(context: &mut Context, request: &Request<'_>) -> Option<Produced> {
    let project = reported(context, |context| project::open(&mut context.files, request.project, Purpose::Program))?;
    let mut notices = Vec::new();
    let wasm = reported(context, |context| {
        compile::project(&mut context.files, &project, request.profile, request.strip, &mut notices)
    })?;
    context.extend(notices);
    let mut x07_build_args = memory_args(request);
    if request.strip {
        x07_build_args.push("--strip".to_owned());
    }
    Some(Produced {
        wasm,
        name: project.name,
        c_path: None,
        h_path: None,
        toolchain: toolchain(linked::X07.to_owned()),
        repro: WasmArtifactRepro {
            x07_build_args,
            clang_args: Vec::new(),
            wasm_ld_args: request.profile.wasm_ld.ldflags.clone(),
        },
    })
}

fn reported<T>(context: &mut Context, step: impl FnOnce(&mut Context) -> Result<T, Vec<Diag>>) -> Option<T> {
    step(context).map_err(|problems| context.extend(problems)).ok()
}

fn toolchain(x07: String) -> WasmArtifactToolchain {
    WasmArtifactToolchain {
        x07,
        x07_wasm: env!("CARGO_PKG_VERSION").to_owned(),
        clang: None,
        wasm_ld: None,
        wasmtime: None,
    }
}

/// The arguments that decide what a module is, without the paths that do not.
fn memory_args(request: &Request<'_>) -> Vec<String> {
    let build = c_build(request);
    let args: Vec<String> =
        c_backend::x07_build_args(&build, true).iter().map(|a| a.to_string_lossy().into_owned()).collect();
    args.iter()
        .position(|a| a.starts_with("--wasm-"))
        .map_or_else(Vec::new, |at| args.get(at..).unwrap_or_default().to_vec())
}

fn c_build(request: &Request<'_>) -> CBuild {
    let profile = request.profile;
    let or = |given: &Option<Option<String>>, default: &str| {
        given.as_ref().and_then(Clone::clone).unwrap_or_else(|| default.to_owned())
    };
    CBuild {
        project: request.project.to_owned(),
        emit_dir: request.emit_dir.to_owned(),
        wasm: request.wasm.to_owned(),
        cc: or(&profile.clang.cc, "clang"),
        cflags: profile.clang.cflags.clone(),
        triple: profile.target.triple.to_string(),
        linker: or(&profile.wasm_ld.linker, "wasm-ld"),
        ldflags: profile.wasm_ld.ldflags.clone(),
        x07: request.x07.map_or_else(|| "x07".to_owned(), shown),
    }
}

/// Drives an external compiler and, for the C backend, clang and wasm-ld.
fn external(context: &mut Context, request: &Request<'_>) -> Option<Produced> {
    let build = c_build(request);
    context.nondeterminism.uses_process = true;
    let project = open_hydrated(context, request, &build.x07)?;
    if let Err(error) = context.files.read(&project.entry, MAX_MODULE_BYTES) {
        context.push(unreadable(Code::ProjectEntryReadFailed, "the entry", &error));
        return None;
    }
    for folder in [Some(request.emit_dir), request.wasm.parent()].into_iter().flatten() {
        if let Err(error) = create_folder(folder) {
            context.push(Diag::new(Code::BuildIoFailed, format!("a folder cannot be created: {error}")));
            return None;
        }
    }
    // What an earlier build left must not be taken for what this one makes.
    for stale in build.made() {
        if let Err(error) = remove_stale(&stale) {
            context.push(Diag::new(
                Code::BuildStaleOutputIoFailed,
                format!("a file of an earlier build cannot be removed: {error}"),
            ));
            return None;
        }
    }
    let native = request.backend == Backend::Native;
    let made = c_backend::external_x07(&build, native)
        .and_then(|()| if native { Ok(()) } else { c_backend::compile_and_link(&build) });
    if let Err(error) = made {
        context.push(error.diagnose());
        return None;
    }
    for path in [build.program_c(), build.header()] {
        output(context, &path, Stage::Codegen)?;
    }
    if !native {
        output(context, &build.shim_c(), Stage::Codegen)?;
    }
    if native && !request.wasm.exists() {
        context.push(Diag::new(
            Code::NativeBackendWasmMissing,
            format!("the compiler {} reported success but wrote no {}", build.x07, shown(request.wasm)),
        ));
        return None;
    }
    let wasm = match read_bounded(request.wasm, MAX_ARTIFACT_BYTES) {
        Ok(wasm) => wasm,
        Err(error) => {
            context.push(
                Diag::new(Code::BuildOutputIoFailed, format!("the module cannot be read: {error}")).stage(Stage::Link),
            );
            return None;
        }
    };
    let mut tools = toolchain(c_backend::x07_version(&build.x07).unwrap_or_else(|| "0.0.0".to_owned()));
    if !native {
        tools.clang = version_line(&build.cc).ok();
        tools.wasm_ld = version_line(&build.linker).ok();
        context.tool.clang.clone_from(&tools.clang);
        context.tool.wasm_ld.clone_from(&tools.wasm_ld);
    }
    Some(Produced {
        wasm,
        name: project.name,
        c_path: Some(build.program_c()),
        h_path: Some(build.header()),
        toolchain: tools,
        repro: WasmArtifactRepro {
            x07_build_args: c_backend::x07_build_args(&build, native)
                .iter()
                .map(|a| a.to_string_lossy().into_owned())
                .collect(),
            clang_args: if native { Vec::new() } else { build.cflags.clone() },
            wasm_ld_args: build.ldflags,
        },
    })
}

/// Opens the project; packages that it lacks are fetched first.
fn open_hydrated(context: &mut Context, request: &Request<'_>, x07: &str) -> Option<Project> {
    let missing = |diags: &[Diag]| {
        diags.iter().any(|d| matches!(d.code(), Some(Code::ProjectDependencyMissing | Code::ProjectLockInvalid)))
    };
    match project::open(&mut context.files, request.project, Purpose::Program) {
        Ok(project) if project.dependencies == 0 => return Some(project),
        Err(problems) if !missing(&problems) => {
            context.extend(problems);
            return None;
        }
        _ => {}
    }
    let hydration = c_backend::hydrate(x07, request.project);
    context.nondeterminism.uses_network |= hydration.uses_network;
    if let Err(error) = hydration.outcome {
        context.push(error.diagnose());
        return None;
    }
    reported(context, |context| project::open(&mut context.files, request.project, Purpose::Program))
}

fn output(context: &mut Context, path: &Path, stage: Stage) -> Option<()> {
    match read_bounded(path, MAX_ARTIFACT_BYTES) {
        Ok(bytes) => {
            context.files.record_output(digest::of(shown(path), &bytes));
            Some(())
        }
        Err(error) => {
            context.push(
                Diag::new(Code::BuildOutputIoFailed, format!("a file of the compiler cannot be read: {error}"))
                    .stage(stage),
            );
            None
        }
    }
}
