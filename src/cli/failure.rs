//! The report for command lines that cannot be understood.

use crate::report::emit::{self, Finished};
use crate::report::{Code, Context, Diag};
use x07_wasm_contracts::types::{CliParseReport, CliParseReportResult, CliParseReportResultStage};

/// Where a command line failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The argument parser.
    Clap,
    /// The machine flags.
    MachineArgs,
    /// There is no command.
    MissingCommand,
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Clap => "clap",
            Self::MachineArgs => "machine_args",
            Self::MissingCommand => "missing_command",
        }
    }
}

/// Longest message that is looked at: 16 KiB.
const MAX_TEXT: usize = 16 << 10;

/// Builds the failure report.
#[must_use]
pub fn report(mut context: Context, stage: Stage, message: &str) -> Finished {
    let text: String =
        message.char_indices().take_while(|(at, c)| at + c.len_utf8() <= MAX_TEXT).map(|(_, c)| c).collect();
    context.push(Diag::new(Code::CliArgsInvalid, text).data("stage", stage.as_str()));
    let stage = match stage {
        Stage::Clap => CliParseReportResultStage::Clap,
        Stage::MachineArgs => CliParseReportResultStage::MachineArgs,
        Stage::MissingCommand => CliParseReportResultStage::MissingCommand,
    };
    emit::finish::<CliParseReport>(context, CliParseReportResult { stage })
}
