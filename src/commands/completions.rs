//! `completions`: a completion script for a shell.

use super::{Handler, ResultOf};
use crate::report::emit::placeholder;
use crate::report::{Code, Context, Diag};
use clap_complete::Shell;
use x07_wasm_contracts::cli::CompletionsArgs;
use x07_wasm_contracts::command_line;
use x07_wasm_contracts::types::{
    CompletionsReport, CompletionsReportResult, CompletionsReportResultShell, StreamPayload,
};

impl Handler for CompletionsArgs {
    fn run(self, context: &mut Context) -> ResultOf<Self> {
        let (shell, reported) = match self.shell.as_str() {
            "bash" => (Shell::Bash, CompletionsReportResultShell::Bash),
            "elvish" => (Shell::Elvish, CompletionsReportResultShell::Elvish),
            "fish" => (Shell::Fish, CompletionsReportResultShell::Fish),
            "powershell" => (Shell::PowerShell, CompletionsReportResultShell::Powershell),
            "zsh" => (Shell::Zsh, CompletionsReportResultShell::Zsh),
            other => {
                // The parser lets only the shells of the command line tables through.
                context.push(Diag::new(
                    Code::CliArgsInvalid,
                    format!("there are no completions for {other:?}; give bash, elvish, fish, powershell or zsh"),
                ));
                return placeholder::<CompletionsReport>();
            }
        };
        let script = script(shell);
        context.stdout = script.clone().into_bytes();
        CompletionsReportResult {
            script: StreamPayload { base64: None, bytes_len: script.len() as u64, text: Some(script) },
            shell: reported,
        }
    }
}

fn script(shell: Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut command_line::command(env!("CARGO_PKG_VERSION")), "x07-wasm", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn every_shell_of_the_tables_has_a_script() {
        let specification = command_line::find(&["completions"]).expect("a command");
        let shells = specification.args.first().expect("an argument").values;
        assert_eq!(shells.len(), 5);
        for shell in shells {
            let mut context = Context::new(Vec::new(), false, Instant::now());
            let result = CompletionsArgs { shell: (*shell).to_owned() }.run(&mut context);
            assert_eq!(result.shell.to_string(), *shell);
            let text = result.script.text.expect("text");
            assert!(text.contains("toolchain") && text.contains("x07-wasm"), "{shell}");
            assert_eq!((result.script.bytes_len, context.failed()), (context.stdout.len() as u64, false));
            assert_eq!(script(Shell::Bash), script(Shell::Bash));
        }
    }
}
