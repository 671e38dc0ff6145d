//! The process's streams and the report file.

use super::machine::MachineFlags;
use crate::contract::files::{create_folder, write_atomic};
use crate::contract::path::same_file;
use crate::report::emit::{Finished, Form};
use crate::report::{Code, Diag};
use serde_json::Value;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where a report goes.
#[derive(Debug)]
pub struct Output {
    form: Form,
    file: Option<PathBuf>,
    stdout: bool,
    json_present: bool,
}

impl Output {
    /// As the flags say.
    #[must_use]
    pub fn of(flags: &MachineFlags) -> Self {
        Self {
            form: flags.json.map_or(Form::Compact, Form::from),
            file: flags.report_out.clone(),
            stdout: !flags.quiet,
            json_present: flags.json_present,
        }
    }

    /// Emits a finished command; yields the exit code. What people read comes last: should nobody
    /// take it, the report is there all the same.
    #[must_use]
    pub fn finished(&self, finished: Finished) -> u8 {
        let exit_code = match finished.report {
            Some(report) => self.report(report, finished.exit_code, self.form, self.stdout),
            None => self.bytes(&finished.stdout, finished.exit_code),
        };
        for line in &finished.stderr {
            stderr(line);
        }
        exit_code
    }

    /// Emits the report of a command line that cannot be understood: always compact, on standard
    /// output only if JSON was asked for.
    #[must_use]
    pub fn argument_failure(&self, finished: Finished) -> u8 {
        match finished.report {
            Some(report) if self.json_present || self.file.is_some() => {
                self.report(report, finished.exit_code, Form::Compact, self.stdout && self.json_present)
            }
            _ => finished.exit_code,
        }
    }

    /// The report: first the file, then standard output.
    fn report(&self, mut report: Value, mut exit_code: u8, form: Form, stdout: bool) -> u8 {
        if let Some(path) = &self.file
            && let Err(error) = not_of_the_command(path, &report)
                .and_then(|()| write_report(path, &form.bytes(&report)).map_err(|e| e.to_string()))
        {
            let message =
                format!("the report cannot be written to {}: {error}; choose another --report-out", path.display());
            stderr(&format!("error: {message}"));
            exit_code = 2;
            fail(&mut report, Diag::new(Code::ReportWriteFailed, message));
        }
        if stdout { self.bytes(&form.bytes(&report), exit_code) } else { exit_code }
    }

    /// Output that is not a report, on standard output and into the report file.
    #[must_use]
    pub fn plain(&self, bytes: &[u8]) -> u8 {
        if let Some(path) = &self.file
            && let Err(error) = write_report(path, bytes)
        {
            stderr(&format!("error: {error}"));
            return 2;
        }
        if self.stdout { self.bytes(bytes, 0) } else { 0 }
    }

    /// Text such as help.
    #[must_use]
    pub fn text(&self, text: &str) -> u8 {
        self.bytes(text.as_bytes(), 0)
    }

    fn bytes(&self, bytes: &[u8], exit_code: u8) -> u8 {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Ok(()) => exit_code,
            // The reader went away: there is nobody to tell.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit_code,
            Err(error) => {
                stderr(&format!(
                    "error[{}]: standard output cannot be written: {error}",
                    Code::StdoutWriteFailed.as_str()
                ));
                2
            }
        }
    }
}

/// A report must not replace a file that the command read or wrote.
fn not_of_the_command(path: &Path, report: &Value) -> Result<(), String> {
    let files = ["inputs", "outputs"].into_iter().filter_map(|list| report["meta"][list].as_array()).flatten();
    let taken = files.filter_map(|f| f["path"].as_str()).any(|other| same_file(path, Path::new(other)));
    if taken { Err("the command itself read or wrote that file".to_owned()) } else { Ok(()) }
}

fn write_report(path: &Path, bytes: &[u8]) -> Result<(), crate::contract::files::WriteError> {
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        create_folder(folder)?;
    }
    write_atomic(path, bytes)
}

/// Makes a report say that it failed for a reason that came up after it was built.
fn fail(report: &mut Value, diag: Diag) {
    report["ok"] = Value::Bool(false);
    report["exit_code"] = Value::from(2);
    if let (Some(list), Ok(entry)) = (report["diagnostics"].as_array_mut(), serde_json::to_value(diag.build())) {
        list.push(entry);
    }
}

/// A line on standard error; a closed stream is nobody's problem.
pub fn stderr(text: &str) {
    let mut stream = io::stderr().lock();
    let _ = stream.write_all(text.trim_end().as_bytes()).and_then(|()| stream.write_all(b"\n"));
}
