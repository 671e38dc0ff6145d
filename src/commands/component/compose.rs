//! `component compose`: a solve component is plugged into an adapter.

use crate::build::outputs::replaceable;
use crate::commands::{Handler, ResultOf};
use crate::component::build::adapter;
use crate::component::build::part::{COMPONENT, Part};
use crate::component::compose::compose;
use crate::component::manifest;
use crate::component::targets;
use crate::component::worlds::{CLI_WIT, HTTP_WIT, World};
use crate::contract::digest;
use crate::contract::files::{MAX_ARTIFACT_BYTES, create_folder, remove_stale, shown};
use crate::contract::path::same_file;
use crate::report::diagnostic::unreadable;
use crate::report::{Code, Context, Diag, emit};
use crate::wit;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::cli::{ComponentComposeAdapter, ComponentComposeArgs, ComponentComposeTarget};
use x07_wasm_contracts::types::{
    ComponentComposeReport, ComponentComposeReportResult, ComponentComposeReportResultAdapterKind as AdapterKind,
    FileDigest, WasmComponentArtifactProfiles as Profiles,
};

/// Where `component build` leaves adapters by default.
const BUILT: &str = "target/x07-wasm/component";

impl Handler for ComponentComposeArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let mut result = emit::placeholder::<ComponentComposeReport>();
        let part = part(&self);
        let places = Places::of(&self, part);
        result.adapter_kind = if part == Part::Cli { AdapterKind::Cli } else { AdapterKind::Http };
        result.solve_component = digest::unread(shown(&self.solve));
        result.adapter_component = digest::unread(shown(&places.adapter));
        result.out_component = digest::unread(shown(&self.out));
        result.targets_check.attempted = false;
        result.targets_check.ok = true;
        result.targets_check.exit_code = 0;
        let checked = places.check(&self);
        let done = match checked {
            Ok(()) => run(&self, context, part, &places, &mut result),
            Err(problem) => {
                context.push(problem);
                return result;
            }
        };
        if done.is_none() {
            // A component of an earlier run must not be taken for the result of this one.
            context.extend(places.remove_stale().err());
        }
        context.files.list_inputs_once();
        result
    }
}

/// The component that is asked for. The parser promises one of the two options.
fn part(args: &ComponentComposeArgs) -> Part {
    match (args.adapter, args.target) {
        (Some(ComponentComposeAdapter::Cli), _) | (None, Some(ComponentComposeTarget::Cli)) => Part::Cli,
        (Some(ComponentComposeAdapter::HttpStateDoc), _) | (None, Some(ComponentComposeTarget::HttpStateDoc)) => {
            Part::HttpStateDoc
        }
        _ => Part::Http,
    }
}

/// Where things come from and go to.
struct Places {
    adapter_part: Part,
    adapter: PathBuf,
    out: PathBuf,
    manifest: PathBuf,
}

impl Places {
    fn of(args: &ComponentComposeArgs, part: Part) -> Self {
        let adapter_part = part.adapter().unwrap_or(Part::HttpAdapter);
        let built = || adapter_part.path(Path::new(BUILT), COMPONENT);
        Self {
            adapter_part,
            adapter: args.adapter_component.clone().unwrap_or_else(built),
            out: args.out.clone(),
            manifest: args.artifact_out.clone().unwrap_or_else(|| manifest::beside(&args.out)),
        }
    }

    /// Outputs replace what stands in their place, so they must not stand in the place of an input
    /// or of something that was never made here.
    fn check(&self, args: &ComponentComposeArgs) -> Result<(), Diag> {
        let wrong = |message: String| Err(Diag::new(Code::CliArgsInvalid, message).data("stage", "outputs"));
        if same_file(&self.out, &self.manifest) {
            return wrong(format!(
                "{} cannot be both the component and its manifest; give two paths",
                shown(&self.out)
            ));
        }
        for output in [&self.out, &self.manifest] {
            if names_folder(output) {
                return wrong(format!("{} names a folder; give the path of a file", shown(output)));
            }
            if [&args.solve, &self.adapter].into_iter().any(|input| same_file(input, output)) {
                return wrong(format!("{} is an input and would be replaced; give another output path", shown(output)));
            }
            if !replaceable(output) {
                return wrong(format!(
                    "{} is neither a component nor a manifest and would be replaced; give another output path",
                    shown(output)
                ));
            }
        }
        Ok(())
    }

    fn remove_stale(&self) -> Result<(), Diag> {
        // Where the folder cannot even be looked into, nothing of an earlier run can be found.
        for path in [&self.out, &self.manifest].into_iter().filter(|path| path.symlink_metadata().is_ok()) {
            remove_stale(path).map_err(|error| not_written(&error.to_string()))?;
        }
        Ok(())
    }
}

/// Whether a path can only be that of a folder, or is one.
fn names_folder(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    text.last().is_some_and(|byte| std::path::is_separator(char::from(*byte))) || path.is_dir()
}

fn not_written(reason: &str) -> Diag {
    Diag::new(Code::ComponentArtifactWriteFailed, format!("the component and its manifest cannot be written: {reason}"))
}

/// Does the work; problems become diagnostics.
fn run(
    args: &ComponentComposeArgs,
    context: &mut Context,
    part: Part,
    places: &Places,
    result: &mut ComponentComposeReportResult,
) -> Option<()> {
    let solve = context.files.read(&args.solve, MAX_ARTIFACT_BYTES).map_err(|error| {
        context.push(unreadable(Code::ComponentComposeInputReadFailed, "the solve component", &error));
    });
    let adapter = adapter_of(args, context, places);
    let (Ok(solve), Some((adapter, adapter_digest))) = (solve, adapter) else { return None };
    result.solve_component = digest::of(shown(&args.solve), &solve);
    result.adapter_component = adapter_digest;
    let composed = compose(&solve, &adapter, part.interface().unwrap_or_default()).map_err(|error| {
        let message =
            format!("{} and {} were not composed: {error}", result.solve_component.path, result.adapter_component.path);
        context.push(Diag::new(Code::WacPlugFailed, message).data("error", error.to_string()));
    });
    let component = composed.ok()?;
    if args.targets_check {
        targets_check(context, part, &component, result)?;
    }
    write(context, part, &component, places, result)
}

/// The adapter: as told, else as built, else as the tool makes it.
fn adapter_of(args: &ComponentComposeArgs, context: &mut Context, places: &Places) -> Option<(Vec<u8>, FileDigest)> {
    match context.files.read(&places.adapter, MAX_ARTIFACT_BYTES) {
        Ok(bytes) => {
            let digest = digest::of(shown(&places.adapter), &bytes);
            Some((bytes, digest))
        }
        Err(error) if error.is_missing() && args.adapter_component.is_none() => made(context, places.adapter_part),
        Err(error) => {
            context.push(unreadable(Code::ComponentComposeInputReadFailed, "the adapter component", &error));
            None
        }
    }
}

/// The adapter with the budgets of the component profile that the tool carries.
fn made(context: &mut Context, part: Part) -> Option<(Vec<u8>, FileDigest)> {
    let made = adapter::default_profile().and_then(|p| adapter::component(&mut context.files, &p, part));
    let bytes = made.map_err(|problems| context.extend(problems)).ok()?;
    let name = format!("{}.{COMPONENT}", part.kind());
    context.files.record_builtin(&name, &bytes);
    context.push(
        Diag::new(
            Code::RegistryBuiltinUsed,
            format!("there is no {BUILT}/{name}, so the adapter built into x07-wasm is used"),
        )
        .data("index", format!("builtin:{name}")),
    );
    let digest = digest::of(format!("builtin:{name}"), &bytes);
    Some((bytes, digest))
}

/// Checks the composed component against the world of its kind.
fn targets_check(
    context: &mut Context,
    part: Part,
    component: &[u8],
    result: &mut ComponentComposeReportResult,
) -> Option<()> {
    let (world, file) = if part == Part::Cli { (World::CLI, CLI_WIT) } else { (World::HTTP, HTTP_WIT) };
    result.targets_check.attempted = true;
    result.targets_check.ok = false;
    result.targets_check.exit_code = 1;
    let mut notices = Vec::new();
    let opened = wit::open(&mut context.files, Path::new(wit::DEFAULT_INDEX), &mut notices);
    let bundle = opened
        .and_then(|registry| wit::bundle_of_file(&mut context.files, &registry, Path::new(file), false, &mut notices));
    context.extend(notices);
    let bundle = bundle.map_err(|problems| context.extend(problems)).ok()?;
    let lines = match targets::check(component, &bundle, world.world) {
        Ok(lines) => lines,
        Err(error) => vec![error.to_string()],
    };
    if lines.is_empty() {
        result.targets_check.ok = true;
        result.targets_check.exit_code = 0;
        return Some(());
    }
    result.targets_check.stderr = lines.iter().map(|line| format!("{line}\n")).collect();
    let message = format!("the composed component does not fit {world}: {}", lines.join("; "));
    context.push(Diag::new(Code::WacTargetsFailed, message).data("error", lines.join("; ")));
    None
}

/// Writes component and manifest, or neither.
fn write(
    context: &mut Context,
    part: Part,
    component: &[u8],
    places: &Places,
    result: &mut ComponentComposeReportResult,
) -> Option<()> {
    for folder in [places.out.parent(), places.manifest.parent()].into_iter().flatten() {
        if folder.as_os_str().is_empty() {
            continue;
        }
        if let Err(error) = create_folder(folder) {
            let message = format!("a folder for the component cannot be created: {error}; give another --out");
            context.push(Diag::new(Code::ComponentComposeOutdirCreateFailed, message));
            return None;
        }
    }
    let digest = manifest::digest_of(&places.out, component);
    let artifact =
        manifest::artifact(part.kind(), digest.clone(), part.world(), Profiles::default(), manifest::composed());
    let bytes = manifest::bytes(&artifact).map_err(|problem| context.push(problem)).ok()?;
    let before = context.files.outputs_so_far();
    for (path, bytes) in [(&places.out, component), (&places.manifest, bytes.as_slice())] {
        if let Err(error) = context.files.write(path, bytes) {
            context.files.retract_outputs_after(before);
            context.push(not_written(&error.to_string()));
            return None;
        }
    }
    context.notes.push(format!("{}: {} ({} bytes)", artifact.kind, digest.path, digest.bytes_len));
    result.out_component = digest;
    result.artifact = artifact;
    Some(())
}
