//! `component build`: a project becomes WASI 0.2 components.

use crate::commands::{Handler, ResultOf};
use crate::component::build::part::{Emit, Part};
use crate::component::build::{Job, build as make, folder, supported};
use crate::component::profile;
use crate::contract::digest;
use crate::contract::files::{MAX_DOCUMENT_BYTES, create_folder, shown};
use crate::contract::path::same_file;
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Context, Diag, emit};
use crate::wasm_profile;
use x07_wasm_contracts::cli::{ComponentBuildArgs, ComponentBuildEmit};
use x07_wasm_contracts::types::{
    ComponentBuildReport, ComponentBuildReportResult, FileDigest, ProfileRef, WasmComponentArtifact,
};

impl Handler for ComponentBuildArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<ComponentBuildReport>();
        result.emit = kind_of(self.emit);
        result.out_dir = shown(&self.out_dir);
        result.project = digest::unread(shown(&self.project));
        result.solve_core_wasm = None;
        result.artifacts.clear();
        let parts = Part::of(result.emit);
        if let Err(problem) = overwrites(&self, parts) {
            context.push(problem);
            return result;
        }
        match build(&self, context, parts, &mut result) {
            Ok(()) => context.notes.extend(result.artifacts.iter().map(line)),
            // What an earlier build left must not be taken for the result of this one.
            Err(Failed::Build) => context.extend(folder::remove_stale_of(parts, &self.out_dir).err()),
            Err(Failed::Clean) => {}
        }
        context.files.list_inputs_once();
        result
    }
}

/// How a build failed, as far as it decides what happens to the files of an earlier one.
enum Failed {
    /// The folder was to be cleaned and holds something else: nothing in it is touched.
    Clean,
    /// In any other way.
    Build,
}

fn build(
    args: &ComponentBuildArgs,
    context: &mut Context,
    parts: &[Part],
    result: &mut ComponentBuildReportResult,
) -> Result<(), Failed> {
    let project = context.files.read(&args.project, MAX_DOCUMENT_BYTES).map_err(|error| {
        context.push(unreadable(Code::ComponentBuildProjectReadFailed, "the project manifest", &error));
        Failed::Build
    })?;
    result.project = digest::of(shown(&args.project), &project);
    let component = component_profile(args, context, parts).ok_or(Failed::Build)?;
    result.component_profile = ProfileRef { id: component.profile.id.clone(), v: component.profile.v };
    let (wasm, wasm_inputs) = core_profile(args, context).ok_or(Failed::Build)?;
    result.wasm_profile = ProfileRef { id: wasm.profile.id.clone(), v: wasm.profile.v };
    if args.clean {
        folder::clean(&args.out_dir).map_err(|problem| {
            context.push(problem);
            Failed::Clean
        })?;
    }
    prepare(args, parts).map_err(|problem| {
        context.push(problem);
        Failed::Build
    })?;
    let job = Job {
        project: &args.project,
        out_dir: &args.out_dir,
        parts,
        component: &component.profile,
        wasm: &wasm,
        wasm_options: wasm_options(args, &wasm),
        wasm_inputs,
    };
    let built = make(context, &job).ok_or(Failed::Build)?;
    result.artifacts = built.artifacts;
    result.solve_core_wasm = built.solve_core;
    Ok(())
}

/// The folder is there, and empty of what is about to be made.
fn prepare(args: &ComponentBuildArgs, parts: &[Part]) -> Result<(), Diag> {
    create_folder(&args.out_dir).map_err(|error| {
        let message = format!("the output folder cannot be created: {error}; give another --out-dir");
        Diag::new(Code::ComponentBuildOutdirCreateFailed, message)
    })?;
    folder::remove_stale_of(parts, &args.out_dir)
}

/// Outputs replace what stands in their place, so they must not stand in the place of an input.
fn overwrites(args: &ComponentBuildArgs, parts: &[Part]) -> Result<(), Diag> {
    let lockfile = args.project.with_file_name("x07.lock.json");
    let inputs = [
        Some(&args.project),
        Some(&lockfile),
        Some(&args.index),
        Some(&args.wasm_index),
        args.profile_file.as_ref(),
        args.wasm_profile_file.as_ref(),
    ];
    for name in parts.iter().flat_map(|part| part.files()) {
        let output = args.out_dir.join(name);
        if inputs.iter().flatten().any(|input| same_file(input, &output)) {
            let message =
                format!("{} is an input of the build and would be replaced; give another --out-dir", shown(&output));
            return Err(Diag::new(Code::CliArgsInvalid, message).data("stage", "outputs"));
        }
    }
    Ok(())
}

fn component_profile(args: &ComponentBuildArgs, context: &mut Context, parts: &[Part]) -> Option<profile::Selected> {
    let selection =
        profile::Selection { id: args.profile.as_deref(), file: args.profile_file.as_deref(), index: &args.index };
    let mut notices = Vec::new();
    let selected = profile::select(&mut context.files, &selection, &mut notices);
    context.extend(notices);
    let code = Code::ComponentProfileLoadFailed;
    let selected = selected.and_then(|selected| supported(&selected.profile, parts, code).map(|()| selected));
    selected.map_err(|problems| context.extend(problems)).ok()
}

/// The wasm profile, and the files that it was read from.
fn core_profile(args: &ComponentBuildArgs, context: &mut Context) -> Option<(wasm_profile::Selected, Vec<FileDigest>)> {
    let before = context.files.inputs().len();
    let selection = wasm_profile::Selection {
        id: args.wasm_profile.as_deref(),
        file: args.wasm_profile_file.as_deref(),
        index: &args.wasm_index,
    };
    let mut notices = Vec::new();
    let selected = wasm_profile::select(&mut context.files, &selection, Code::WasmProfileLoadFailed, &mut notices);
    context.extend(notices);
    let selected = selected.map_err(|problems| context.extend(problems)).ok()?;
    let read = context.files.inputs().get(before..).unwrap_or_default().to_vec();
    Some((selected, read))
}

/// The options of `build` that select the same profile.
fn wasm_options(args: &ComponentBuildArgs, selected: &wasm_profile::Selected) -> Vec<String> {
    let option = |name: &str, value: String| [name.to_owned(), value];
    match &args.wasm_profile_file {
        Some(file) => option("--profile-file", shown(file)).to_vec(),
        None => [option("--profile", selected.profile.id.clone()), option("--index", shown(&args.wasm_index))].concat(),
    }
}

const fn kind_of(emit: ComponentBuildEmit) -> Emit {
    match emit {
        ComponentBuildEmit::Solve => Emit::Solve,
        ComponentBuildEmit::Http => Emit::Http,
        ComponentBuildEmit::HttpStateDoc => Emit::HttpStateDoc,
        ComponentBuildEmit::Cli => Emit::Cli,
        ComponentBuildEmit::HttpNative => Emit::HttpNative,
        ComponentBuildEmit::CliNative => Emit::CliNative,
        ComponentBuildEmit::HttpAdapter => Emit::HttpAdapter,
        ComponentBuildEmit::CliAdapter => Emit::CliAdapter,
        ComponentBuildEmit::All => Emit::All,
    }
}

/// What people read of a component.
fn line(artifact: &WasmComponentArtifact) -> String {
    format!("{}: {} ({} bytes)", artifact.kind, artifact.component.path, artifact.component.bytes_len)
}
