//! What `component build` makes, in order. Everything is made in memory first; files are written
//! when all of them are there.
//!
//! | module | job |
//! |---|---|
//! | [`part`] | what can be built, under which names |
//! | `program` | the program's module, its manifest and the report of its build |
//! | [`adapter`] | adapters, also for those who compose by themselves |
//! | `check` | what a component profile may ask for |
//! | [`folder`] | the output folder: what is stale, what is foreign, how it is filled |
//!
//! What may not live here: arguments, the selection of profiles, how glue and components are made.

pub mod adapter;
mod check;
pub mod folder;
pub mod part;
mod program;

use super::compose;
use super::encode;
use super::glue::{self, GlueError, SolveLimits, StateDoc};
use super::link::LinkError;
use super::manifest::{self, Kind};
use super::targets;
use super::worlds::World;
use crate::contract::files::{Files, encode as document};
use crate::report::nested::{self, Step};
use crate::report::{Code, Context, Diag, emit};
use crate::wasm_profile;
use crate::wit::{self, Bundle};
use folder::Outputs;
use part::Part;
use program::Program;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use x07_wasm_contracts::contract::Report;
use x07_wasm_contracts::diagnostics::Stage;
use x07_wasm_contracts::types::{
    ComponentComposeReport, ComponentComposeReportResultAdapterKind as AdapterKind, FileDigest, ProfileRef,
    WasmComponentArtifact, WasmComponentArtifactProfiles as Profiles, WasmComponentProfile,
};

pub use check::{supported, wit_index};

/// What to build.
#[derive(Debug)]
pub struct Job<'a> {
    /// The project's manifest.
    pub project: &'a Path,
    /// An existing folder.
    pub out_dir: &'a Path,
    /// The parts, each after those that it needs.
    pub parts: &'a [Part],
    /// The component profile; for these parts [`supported`] found nothing to object to.
    pub component: &'a WasmComponentProfile,
    /// The wasm profile.
    pub wasm: &'a wasm_profile::Selected,
    /// The options that name it, for command lines in reports.
    pub wasm_options: Vec<String>,
    /// Its files, for reports.
    pub wasm_inputs: Vec<FileDigest>,
}

/// What was built.
#[derive(Debug)]
pub struct Built {
    /// The manifests of the components, in order.
    pub artifacts: Vec<WasmComponentArtifact>,
    /// The core module of the program as a component, if that was made.
    pub solve_core: Option<FileDigest>,
}

/// Builds and writes the parts; problems become diagnostics of the context.
pub fn build(context: &mut Context, job: &Job<'_>) -> Option<Built> {
    let limits = taken(context, |_| check::limits(job.wasm))?;
    let registry = taken(context, |files| {
        let mut notices = Vec::new();
        let index = check::wit_index(job.component, Code::ComponentProfileLoadFailed)?;
        wit::open(files, &index, &mut notices).map(|registry| (registry, notices))
    });
    let (registry, notices) = registry?;
    context.extend(notices);
    let mut work = Work {
        job,
        limits,
        registry,
        bundles: Vec::new(),
        made: Vec::new(),
        outputs: Outputs::default(),
        built: Built { artifacts: Vec::new(), solve_core: None },
    };
    for part in job.parts {
        work.part(context, *part)?;
    }
    match work.outputs.write(&mut context.files) {
        Ok(()) => Some(work.built),
        Err(problem) => {
            context.push(problem);
            None
        }
    }
}

/// Takes the value of a step, or its problems into the context.
fn taken<T>(context: &mut Context, step: impl FnOnce(&mut Files) -> Result<T, Vec<Diag>>) -> Option<T> {
    step(&mut context.files).map_err(|problems| context.extend(problems)).ok()
}

/// A build under way.
struct Work<'a> {
    job: &'a Job<'a>,
    limits: SolveLimits,
    registry: wit::Registry,
    bundles: Vec<Rc<Bundle>>,
    made: Vec<Made>,
    outputs: Outputs,
    built: Built,
}

/// A component that was made.
struct Made {
    part: Part,
    component: Vec<u8>,
    digest: FileDigest,
}

/// What is known of a component once it is complete.
struct Finished {
    artifact: WasmComponentArtifact,
    /// The file of the same.
    manifest: FileDigest,
}

impl Work<'_> {
    fn part(&mut self, context: &mut Context, part: Part) -> Option<()> {
        match part {
            Part::Solve => self.solve(context),
            Part::HttpAdapter | Part::HttpStateDocAdapter | Part::CliAdapter => self.adapter(context, part),
            Part::Http | Part::HttpStateDoc | Part::Cli => self.composed(context, part),
            Part::HttpNative | Part::CliNative => self.native(context, part),
        }
    }

    fn solve(&mut self, context: &mut Context) -> Option<()> {
        let part = Part::Solve;
        let program = Program::make(context, self.job, part, part::RAW)?;
        let core = told(context, glue::solve(&program.wasm, self.limits).map_err(|e| no_glue(part, &e)))?;
        context.extend(check::over_limit(part, &core, self.job.wasm));
        let embedded = self.embedded(context, part, &core)?;
        let component = told(context, componentized(part, &embedded))?;
        let tools = manifest::encoded(Some(&program.toolchain));
        program.add_raw(context, self.job, &mut self.outputs)?;
        self.built.solve_core = Some(self.add(part, part::CORE, core));
        self.add(part, part::EMBEDDED, embedded);
        let profiles = Profiles { component: Some(self.component_profile()), wasm: Some(self.wasm_profile()) };
        self.finish(context, part, component, profiles, tools)?;
        Some(())
    }

    fn adapter(&mut self, context: &mut Context, part: Part) -> Option<()> {
        let core = told(context, adapter::core_module(self.job.component, part))?;
        context.extend(check::over_limit(part, &core, self.job.wasm));
        let embedded = self.embedded(context, part, &core)?;
        let component = told(context, componentized(part, &embedded))?;
        let profiles = Profiles { component: Some(self.component_profile()), wasm: None };
        self.finish(context, part, component, profiles, manifest::encoded(None))?;
        Some(())
    }

    fn native(&mut self, context: &mut Context, part: Part) -> Option<()> {
        let program = Program::make(context, self.job, part, &format!("{}/program.wasm", part::EMIT_DIR))?;
        let targets = &self.job.component.cfg.native_targets;
        let core = match part {
            Part::CliNative => glue::cli_native(&program.wasm, self.limits, &targets.cli.budgets),
            _ => glue::http_native(&program.wasm, self.limits, &targets.http.budgets, StateDoc::None),
        };
        let core = told(context, core.map_err(|e| no_glue(part, &e)))?;
        context.extend(check::over_limit(part, &core, self.job.wasm));
        let embedded = self.embedded(context, part, &core)?;
        let component = told(context, componentized(part, &embedded))?;
        self.fits(context, part, &component)?;
        self.add(part, part::CORE, core);
        let profiles = Profiles { component: Some(self.component_profile()), wasm: Some(self.wasm_profile()) };
        self.finish(context, part, component, profiles, manifest::encoded(Some(&program.toolchain)))?;
        Some(())
    }

    fn composed(&mut self, context: &mut Context, part: Part) -> Option<()> {
        let solve = told(context, self.find(Some(Part::Solve)))?;
        let adapter = told(context, self.find(part.adapter()))?;
        let interface = part.interface().unwrap_or_default();
        let composed = compose::compose(&solve.component, &adapter.component, interface).map_err(|error| {
            let message = format!("the program and the adapter of the {} component: {error}", part.kind());
            Diag::new(Code::WacPlugFailed, message).data("error", error.to_string())
        });
        let inputs = [solve.digest.clone(), adapter.digest.clone()];
        let component = told(context, composed)?;
        self.fits(context, part, &component)?;
        let finished = self.finish(context, part, component, Profiles::default(), manifest::composed())?;
        let report = compose_report(context, part, inputs, finished);
        let bytes = told(context, report_bytes(&report))?;
        self.add(part, part::COMPOSE_REPORT, bytes);
        Some(())
    }

    fn embedded(&mut self, context: &mut Context, part: Part, core: &[u8]) -> Option<Vec<u8>> {
        let bundle = self.bundle(context, part.world())?;
        let embedded = encode::embed(core, &bundle, part.world().world).map_err(|e| not_encoded(part, &e));
        told(context, embedded)
    }

    /// Components of standard worlds are checked before anybody relies on them.
    fn fits(&mut self, context: &mut Context, part: Part, component: &[u8]) -> Option<()> {
        let bundle = self.bundle(context, part.world())?;
        told(context, fitting(part, component, &bundle))
    }

    /// A registered package with what it depends on; each is read once.
    fn bundle(&mut self, context: &mut Context, world: World) -> Option<Rc<Bundle>> {
        if let Some(bundle) = self.bundles.iter().find(|b| b.id == world.package) {
            return Some(Rc::clone(bundle));
        }
        let bundle = Rc::new(taken(context, |files| wit::package(files, &self.registry, world.package))?);
        self.bundles.push(Rc::clone(&bundle));
        Some(bundle)
    }

    /// Adds component and manifest to what is written.
    fn finish(
        &mut self,
        context: &mut Context,
        part: Part,
        component: Vec<u8>,
        profiles: Profiles,
        toolchain: manifest::Toolchain,
    ) -> Option<Finished> {
        let digest = self.add(part, part::COMPONENT, component.clone());
        let artifact = manifest::artifact(part.kind(), digest.clone(), part.world(), profiles, toolchain);
        let bytes = told(context, manifest::bytes(&artifact))?;
        let manifest = self.add(part, part::MANIFEST, bytes);
        self.built.artifacts.push(artifact.clone());
        self.made.push(Made { part, component, digest });
        Some(Finished { artifact, manifest })
    }

    fn add(&mut self, part: Part, suffix: &str, bytes: Vec<u8>) -> FileDigest {
        let code = match part {
            Part::HttpAdapter | Part::HttpStateDocAdapter | Part::CliAdapter => Code::AdapterComponentCopyFailed,
            _ => Code::ComponentArtifactWriteFailed,
        };
        self.outputs.add(self.path(part, suffix), bytes, code)
    }

    fn path(&self, part: Part, suffix: &str) -> PathBuf {
        part.path(self.job.out_dir, suffix)
    }

    fn find(&self, part: Option<Part>) -> Result<&Made, Diag> {
        let made = self.made.iter().find(|made| Some(made.part) == part);
        made.ok_or_else(|| internal("a part was to be composed before it was made".to_owned()))
    }

    fn component_profile(&self) -> ProfileRef {
        ProfileRef { id: self.job.component.id.clone(), v: self.job.component.v }
    }

    fn wasm_profile(&self) -> ProfileRef {
        ProfileRef { id: self.job.wasm.profile.id.clone(), v: self.job.wasm.profile.v }
    }
}

/// The report that `component compose` would have given.
fn compose_report(
    context: &Context,
    part: Part,
    inputs: [FileDigest; 2],
    finished: Finished,
) -> ComponentComposeReport {
    let Finished { artifact, manifest } = finished;
    let [solve, adapter] = &inputs;
    let out = artifact.component.clone();
    let kind = if part == Part::HttpStateDoc { "http-state-doc".to_owned() } else { part.kind().to_string() };
    let words = ["component", "compose", "--adapter", &kind, "--solve", &solve.path].into_iter();
    let words = words.chain(["--adapter-component", &adapter.path, "--out", &out.path, "--targets-check", "--json"]);
    let argv = command_line(words);
    let mut result = emit::placeholder::<ComponentComposeReport>();
    result.adapter_kind = if part.kind() == Kind::Cli { AdapterKind::Cli } else { AdapterKind::Http };
    result.solve_component = solve.clone();
    result.adapter_component = adapter.clone();
    result.out_component = out.clone();
    result.artifact = artifact;
    result.targets_check.attempted = true;
    result.targets_check.ok = true;
    result.targets_check.exit_code = 0;
    let step = Step { argv, inputs: inputs.to_vec(), outputs: vec![out, manifest], diagnostics: Vec::new() };
    nested::report(context, step, result)
}

/// Takes a value, or its problem into the context.
fn told<T>(context: &mut Context, outcome: Result<T, Diag>) -> Option<T> {
    outcome.map_err(|problem| context.push(problem)).ok()
}

/// A command line of this tool.
fn command_line<'w>(words: impl IntoIterator<Item = &'w str>) -> Vec<String> {
    std::iter::once("x07-wasm").chain(words).map(str::to_owned).collect()
}

/// The bytes of a report that lies among the outputs.
fn report_bytes<R: Report>(report: &R) -> Result<Vec<u8>, Diag> {
    document(report).map_err(|error| {
        internal(format!("the report of {} cannot be made: {error}", R::COMMAND)).data("error", error.to_string())
    })
}

fn internal(message: String) -> Diag {
    Diag::new(Code::InternalComponentBuildFailed, format!("{message}; please report this as a mistake of x07-wasm"))
}

/// The program's module does not become part of a component.
fn no_glue(part: Part, error: &GlueError) -> Diag {
    let diag = match error {
        GlueError::Link(error) if error.is_of_module() => Diag::new(
            Code::WasmToolsFailed,
            format!(
                "the {} component cannot be made of the program's module: {error}; build with the native backend, or change what the wasm profile tells compiler and linker",
                part.kind()
            ),
        )
        .stage(Stage::Link),
        GlueError::Link(LinkError::MemoryTooLarge { .. }) => Diag::new(
            Code::ComponentProfileLoadFailed,
            format!(
                "the {} component: {error}; lower the budgets of the component profile, or the arena or the memory of the wasm profile",
                part.kind()
            ),
        ),
        _ => Diag::new(
            Code::InternalComponentBuildFailed,
            format!(
                "the core module of the {} component cannot be made: {error}; please report this as a mistake of x07-wasm",
                part.kind()
            ),
        ),
    };
    diag.data("error", error.to_string())
}

fn componentized(part: Part, embedded: &[u8]) -> Result<Vec<u8>, Diag> {
    encode::componentize(embedded).map_err(|error| not_encoded(part, &error))
}

fn not_encoded(part: Part, error: &encode::EncodeError) -> Diag {
    Diag::new(
        Code::WasmToolsFailed,
        format!("the {} component cannot be made for {}: {error}", part.kind(), part.world()),
    )
    .data("error", error.to_string())
}

/// Whether a component of ours is what it says.
fn fitting(part: Part, component: &[u8], bundle: &Bundle) -> Result<(), Diag> {
    let wrong = |reason: String| {
        internal(format!("the {} component does not fit {}: {reason}", part.kind(), part.world())).data("error", reason)
    };
    match targets::check(component, bundle, part.world().world) {
        Ok(lines) if lines.is_empty() => Ok(()),
        Ok(lines) => Err(wrong(lines.join("; "))),
        Err(error) => Err(wrong(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http() -> Bundle {
        let mut files = Files::default();
        let registry = wit::open(&mut files, Path::new(wit::DEFAULT_INDEX), &mut Vec::new()).expect("carried");
        wit::package(&mut files, &registry, World::HTTP.package).expect("carried")
    }

    #[test]
    fn a_component_that_is_not_what_it_says_is_a_mistake_of_ours() {
        let empty = wat::parse_str("(component)").expect("valid");
        let diagnostic = fitting(Part::HttpNative, &empty, &http()).expect_err("no handler").build();
        assert_eq!(diagnostic.code, "X07WASM_INTERNAL_COMPONENT_BUILD_FAILED");
        assert!(diagnostic.message.contains("wasi:http/incoming-handler@0.2.8"), "{}", diagnostic.message);
        assert!(fitting(Part::Http, b"\0asm\x01\0\0\0", &http()).is_err());
    }

    #[test]
    fn a_module_that_does_not_fit_its_world_is_told_with_both() {
        let module = wat::parse_str("(module)").expect("valid");
        let embedded = encode::embed(&module, &http(), "proxy").expect("embedded");
        let diagnostic = componentized(Part::HttpNative, &embedded).expect_err("nothing is exported").build();
        assert_eq!(diagnostic.code, "X07WASM_WASM_TOOLS_FAILED");
        assert!(diagnostic.message.contains("wasi:http@0.2.8/proxy"), "{}", diagnostic.message);
    }

    #[test]
    fn a_module_without_a_program_is_told_by_its_part() {
        let error = glue::solve(b"\0asm\x01\0\0\0", SolveLimits { arena_cap: 1, max_output: 1 }).expect_err("no solve");
        let diagnostic = no_glue(Part::Solve, &error).build();
        assert_eq!((diagnostic.code.as_str(), diagnostic.stage), ("X07WASM_WASM_TOOLS_FAILED", Stage::Link));
        let code = |error: LinkError| no_glue(Part::CliNative, &GlueError::Link(error)).build().code;
        let too_large = |bytes: u64, program: u64| LinkError::MemoryTooLarge { bytes, program };
        assert_eq!(code(too_large(1 << 40, 1 << 20)), "X07WASM_COMPONENT_PROFILE_LOAD_FAILED");
        assert_eq!(code(too_large((1 << 32) + 1, 0xffff_0000)), "X07WASM_WASM_TOOLS_FAILED");
        let linked = LinkError::Linked { reason: "a mistake".to_owned() };
        assert_eq!(code(linked), "X07WASM_INTERNAL_COMPONENT_BUILD_FAILED");
    }
}
