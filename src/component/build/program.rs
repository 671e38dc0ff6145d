//! The program's module, its manifest and the report of its build.

use super::folder::Outputs;
use super::part::{self, Part};
use super::{Job, command_line, internal, report_bytes, told};
use crate::build::checked::{self, Checked};
use crate::build::produce::Request;
use crate::contract::digest;
use crate::contract::files::{encode, shown};
use crate::report::nested::{self, Step};
use crate::report::{Code, Context, emit};
use std::path::PathBuf;
use x07_wasm_contracts::types::{BuildReport, BuildReportResult, Diagnostic, FileDigest, WasmArtifactToolchain};

/// The module of a program, checked.
pub struct Program {
    /// The module.
    pub wasm: Vec<u8>,
    /// The tools that made it.
    pub toolchain: WasmArtifactToolchain,
    path: PathBuf,
    emit_dir: PathBuf,
    checked: Checked,
    result: BuildReportResult,
    inputs: Vec<FileDigest>,
    diagnostics: Vec<Diagnostic>,
}

impl Program {
    /// Makes the module with the backend of the wasm profile. `suffix` names the file that external
    /// tools write it to.
    pub fn make(context: &mut Context, job: &Job<'_>, part: Part, suffix: &str) -> Option<Self> {
        let path = part.path(job.out_dir, suffix);
        let emit_dir = job.out_dir.join(part.emit_dir());
        let backend = checked::backend_of(job.wasm);
        let mut result = emit::placeholder::<BuildReport>();
        checked::describe(&mut result, job.wasm, backend, &emit_dir);
        let request = Request {
            project: job.project,
            profile: &job.wasm.profile,
            backend,
            x07: None,
            emit_dir: &emit_dir,
            wasm: &path,
            strip: false,
        };
        let (inputs, remarks) = (context.files.inputs().len(), context.diagnostics().count());
        let checked = checked::make(context, &request, true, &mut result)?;
        let read = context.files.inputs().get(inputs..).unwrap_or_default();
        Some(Self {
            wasm: checked.produced.wasm.clone(),
            toolchain: checked.produced.toolchain.clone(),
            inputs: job.wasm_inputs.iter().chain(read).cloned().collect(),
            diagnostics: context.diagnostics().skip(remarks).cloned().collect(),
            path,
            emit_dir,
            checked,
            result,
        })
    }

    /// Adds the module as the compiler made it, its manifest and the report of its build to what is
    /// written.
    pub fn add_raw(mut self, context: &mut Context, job: &Job<'_>, outputs: &mut Outputs) -> Option<()> {
        let code = Code::ComponentArtifactWriteFailed;
        let wasm = digest::of(shown(&self.path), &self.wasm);
        let artifact = told(context, self.checked.artifact(wasm.clone(), self.result.memory.clone()))?;
        let bytes =
            encode(&artifact).map_err(|e| internal(format!("the manifest of {} cannot be made: {e}", wasm.path)));
        let bytes = told(context, bytes)?;
        outputs.add(self.path.clone(), self.wasm, code);
        let manifest = outputs.add(Part::Solve.path(job.out_dir, part::RAW_MANIFEST), bytes, code);
        let project = shown(job.project);
        let emit_dir = shown(&self.emit_dir);
        let words = ["build", "--project", &project].into_iter();
        let words = words.chain(job.wasm_options.iter().map(String::as_str));
        let words = words.chain(["--out", &wasm.path, "--emit-dir", &emit_dir, "--json"]);
        let argv = command_line(words);
        self.result.wasm = wasm.clone();
        self.result.artifact = artifact;
        let step = Step { argv, inputs: self.inputs, outputs: vec![wasm, manifest], diagnostics: self.diagnostics };
        let report = nested::report::<BuildReport>(context, step, self.result);
        let bytes = told(context, report_bytes(&report))?;
        outputs.add(Part::Solve.path(job.out_dir, part::RAW_REPORT), bytes, code);
        Some(())
    }
}
