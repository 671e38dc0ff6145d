//! `build`: a project becomes a wasm module and its artifact manifest.

use super::{Handler, ResultOf};
use crate::build::checked::{self, Checked};
use crate::build::outputs::replaceable;
use crate::build::produce::{Backend, Request};
use crate::contract::files::{StoreError, create_folder, remove_stale, shown, with_suffix};
use crate::contract::path::same_file;
use crate::report::{Code, Context, Diag, emit};
use crate::wasm::REQUIRED_EXPORTS;
use crate::wasm_profile::{Selected, Selection, select};
use std::path::{Path, PathBuf};
use x07_wasm_contracts::cli::{BuildArgs, BuildCodegenBackend};
use x07_wasm_contracts::types::{BuildReport, BuildReportResult, FileDigest};

impl Handler for BuildArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<BuildReport>();
        result.exports.required = REQUIRED_EXPORTS.map(str::to_owned).to_vec();
        let paths = Paths::of(&self);
        if let Err(problem) = paths.check(&self).and_then(|()| paths.remove_stale()) {
            context.push(problem);
            return result;
        }
        let selection =
            Selection { id: self.profile.as_deref(), file: self.profile_file.as_deref(), index: &self.index };
        let mut notices = Vec::new();
        let selected = select(&mut context.files, &selection, Code::ProfileLoadFailed, &mut notices);
        context.extend(notices);
        let selected = match selected {
            Ok(selected) => selected,
            Err(problems) => {
                context.extend(problems);
                return result;
            }
        };
        let backend = backend(&self, &selected);
        let emit_dir =
            self.emit_dir.clone().unwrap_or_else(|| paths.folder.join("build").join("wasm").join(&selected.profile.id));
        checked::describe(&mut result, &selected, backend, &emit_dir);
        match build(&self, context, &selected, backend, &paths.wasm, &emit_dir, &mut result) {
            Some(built) => finish(context, &built, &paths, self.no_manifest, &mut result),
            // An external tool may have written it before something failed.
            None => context.extend(paths.remove_stale().err()),
        }
        if !context.failed() {
            context.notes.push("ok".to_owned());
        }
        result
    }
}

/// Where the outputs go.
struct Paths {
    /// The project's folder.
    folder: PathBuf,
    wasm: PathBuf,
    manifest: PathBuf,
}

impl Paths {
    fn of(args: &BuildArgs) -> Self {
        let folder = args.project.parent().unwrap_or(Path::new("")).to_path_buf();
        let name = folder.file_name().map_or_else(|| "app".to_owned(), |n| n.to_string_lossy().into_owned());
        let wasm = args.out.clone().unwrap_or_else(|| folder.join("dist").join(format!("{name}.wasm")));
        let manifest = args.artifact_out.clone().unwrap_or_else(|| with_suffix(&wasm, ".manifest.json"));
        Self { folder, wasm, manifest }
    }

    /// Outputs replace what stands in their place, so they must not stand in the place of an input.
    fn check(&self, args: &BuildArgs) -> Result<(), Diag> {
        let wrong = |message: String| Err(Diag::new(Code::CliArgsInvalid, message).data("stage", "outputs"));
        if same_file(&self.wasm, &self.manifest) {
            return wrong(format!("{} cannot be both the module and its manifest; give two paths", shown(&self.wasm)));
        }
        let lockfile = self.folder.join("x07.lock.json");
        let inputs = [Some(&args.project), Some(&lockfile), Some(&args.index), args.profile_file.as_ref()];
        for output in [&self.wasm, &self.manifest] {
            if !replaceable(output) || inputs.iter().flatten().any(|input| same_file(output, input)) {
                return wrong(format!(
                    "{} is no output of an earlier build and would be replaced; give another output path",
                    shown(output)
                ));
            }
        }
        Ok(())
    }

    /// Removes what an earlier build left, so that a failed build leaves nothing that looks finished.
    fn remove_stale(&self) -> Result<(), Diag> {
        for path in [&self.wasm, &self.manifest] {
            remove_stale(path).map_err(|error| {
                Diag::new(
                    Code::BuildStaleOutputIoFailed,
                    format!("the output of an earlier build cannot be removed: {error}"),
                )
            })?;
        }
        Ok(())
    }
}

fn backend(args: &BuildArgs, selected: &Selected) -> Backend {
    match args.codegen_backend {
        Some(BuildCodegenBackend::CToolchainV1) => Backend::C,
        Some(BuildCodegenBackend::NativeX07WasmV1) => Backend::Native,
        None => checked::backend_of(selected),
    }
}

/// Makes and checks the module.
fn build(
    args: &BuildArgs,
    context: &mut Context,
    selected: &Selected,
    backend: Backend,
    wasm: &Path,
    emit_dir: &Path,
    result: &mut BuildReportResult,
) -> Option<Checked> {
    let request = Request {
        project: &args.project,
        profile: &selected.profile,
        backend,
        x07: args.x07.as_deref(),
        emit_dir,
        wasm,
        strip: args.strip,
    };
    checked::make(context, &request, args.check_exports, result)
}

/// Writes module and manifest.
fn finish(context: &mut Context, built: &Checked, paths: &Paths, no_manifest: bool, result: &mut BuildReportResult) {
    for folder in
        [paths.wasm.parent(), paths.manifest.parent()].into_iter().flatten().filter(|p| !p.as_os_str().is_empty())
    {
        if let Err(error) = create_folder(folder) {
            context.push(Diag::new(Code::BuildIoFailed, format!("a folder for the output cannot be created: {error}")));
            return;
        }
    }
    let before = context.files.outputs_so_far();
    let wasm = match context.files.write(&paths.wasm, &built.produced.wasm) {
        Ok(wasm) => wasm,
        Err(error) => {
            context.push(Diag::new(Code::BuildIoFailed, format!("the module cannot be written: {error}")));
            return;
        }
    };
    result.wasm = wasm.clone();
    if let Err(problem) = write_manifest(context, built, wasm, paths, no_manifest, result) {
        // A module without the manifest that was asked for would look like a finished build.
        if let Err(error) = remove_stale(&paths.wasm) {
            context.push(Diag::new(Code::BuildStaleOutputIoFailed, format!("the module cannot be removed: {error}")));
        }
        context.files.retract_outputs_after(before);
        let blank = emit::placeholder::<BuildReport>();
        result.wasm = blank.wasm;
        result.artifact = blank.artifact;
        context.push(problem);
    }
}

fn write_manifest(
    context: &mut Context,
    built: &Checked,
    wasm: FileDigest,
    paths: &Paths,
    no_manifest: bool,
    result: &mut BuildReportResult,
) -> Result<(), Diag> {
    result.artifact = built.artifact(wasm, result.memory.clone())?;
    if no_manifest {
        return Ok(());
    }
    match context.files.store(&paths.manifest, &result.artifact) {
        Ok(_) => Ok(()),
        Err(StoreError::Write(error)) => {
            Err(Diag::new(Code::ManifestWriteFailed, format!("the artifact manifest cannot be written: {error}")))
        }
        Err(error) => Err(Diag::new(Code::InternalError, error.to_string())),
    }
}
