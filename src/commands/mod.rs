//! The commands: one file each, arguments → domain calls → result and diagnostics.
//!
//! Logic that a second command would need belongs to a domain folder and not here.

mod build;
mod check;
mod cli_specrows_check;
mod completions;
mod component;
mod doctor;
mod explain;
mod http;
mod nearest;
mod profile_validate;
mod run;
mod schema_list;
mod schema_show;
mod serve;
mod test;
mod toolchain_validate;
mod wit_validate;

use crate::report::emit::{self, Finished};
use crate::report::{Code, Context, Diag};
use std::panic::{self, AssertUnwindSafe};
use x07_wasm_contracts::cli::Invocation;
use x07_wasm_contracts::command_line::CommandArgs;
use x07_wasm_contracts::contract::Report;

/// A command's work.
pub trait Handler: CommandArgs {
    /// Does it. Whatever goes wrong becomes a diagnostic in the context; the result is filled as
    /// far as it is known and holds placeholders elsewhere.
    fn run(self, context: &mut Context) -> ResultOf<Self>;
}

/// The result type of a command's report.
pub type ResultOf<A> = <<A as CommandArgs>::Report as Report>::Result;

/// Runs a parsed command line. A command without a handler does not compile.
#[must_use]
pub fn dispatch(invocation: Invocation, context: Context) -> Finished {
    match invocation {
        Invocation::Build(args) => handle(args, context),
        Invocation::Check(args) => handle(args, context),
        Invocation::CliSpecrowsCheck(args) => handle(args, context),
        Invocation::Completions(args) => handle(args, context),
        Invocation::ComponentBuild(args) => handle(args, context),
        Invocation::ComponentCompose(args) => handle(args, context),
        Invocation::ComponentProfileValidate(args) => handle(args, context),
        Invocation::ComponentRun(args) => handle(args, context),
        Invocation::ComponentTargets(args) => handle(args, context),
        Invocation::Doctor(args) => handle(args, context),
        Invocation::Explain(args) => handle(args, context),
        Invocation::HttpContractsValidate(args) => handle(args, context),
        Invocation::HttpRegressFromIncident(args) => handle(args, context),
        Invocation::HttpServe(args) => handle(args, context),
        Invocation::HttpTest(args) => handle(args, context),
        Invocation::ProfileValidate(args) => handle(args, context),
        Invocation::Run(args) => handle(args, context),
        Invocation::SchemaList(args) => handle(args, context),
        Invocation::SchemaShow(args) => handle(args, context),
        Invocation::Serve(args) => handle(args, context),
        Invocation::Test(args) => handle(args, context),
        Invocation::ToolchainValidate(args) => handle(args, context),
        Invocation::WitValidate(args) => handle(args, context),
    }
}

/// Runs one handler. A panic in it is our mistake, and still a report.
fn handle<A: Handler>(args: A, mut context: Context) -> Finished {
    let place = crate::panic_place::install();
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| args.run(&mut context)));
    let result = outcome.unwrap_or_else(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        let text = text.unwrap_or_else(|| "no message".to_owned());
        let at = place.take().map(|p| format!(" at {p}")).unwrap_or_default();
        context.push(Diag::new(
            Code::InternalPanic,
            format!("x07-wasm made a mistake{at}: {text}; please report it with the arguments and inputs"),
        ));
        emit::placeholder::<A::Report>()
    });
    emit::finish::<A::Report>(context, result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;
    use x07_wasm_contracts::types::DoctorReport;

    struct Panics;

    impl CommandArgs for Panics {
        type Report = DoctorReport;
        const SCOPE: &'static str = "panics";

        fn from_matches(_: &clap::ArgMatches) -> Self {
            Self
        }
    }

    impl Handler for Panics {
        fn run(self, _: &mut Context) -> ResultOf<Self> {
            panic!("on purpose")
        }
    }

    #[test]
    fn a_panic_is_one_valid_report() {
        let finished = handle(Panics, Context::new(Vec::new(), true, Instant::now()));
        let report = finished.report.expect("a report");
        assert_eq!(finished.exit_code, 2);
        assert_eq!(report["diagnostics"][0]["code"], "X07WASM_INTERNAL_PANIC");
        assert!(
            report["diagnostics"][0]["message"]
                .as_str()
                .is_some_and(|m| m.contains("on purpose") && m.contains("commands/mod.rs"))
        );
        let contract = <DoctorReport as x07_wasm_contracts::contract::Contract>::INFO;
        assert_eq!(crate::contract::validate::violations(contract, &report), []);
    }
}
