//! Programs in memory: compiled by the library, run by its engine.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use wasmparser::{Parser, Payload};
use x07_wasm::compiler::emit::Target;
use x07_wasm::compiler::emit::sites::{self, SiteTable};
use x07_wasm::compiler::problem::Problem;
use x07_wasm::compiler::source::{ModuleSource, ModuleText, SourceError};
use x07_wasm::compiler::{self, Compiled, Options};
use x07_wasm::engine::{EngineConfig, Limits, Runtime, SolveCall, SolveError, SolveModule, Trap};
use x07_wasm::report::Severity;
use x07_wasm::solve::explain;
use x07_wasm::solve::violation::Violation;

/// Memory of the modules that the tests run, in bytes.
pub const MEMORY: u32 = 4 << 20;

/// Working memory of a run that asks for none in particular, in bytes.
pub const ARENA: u32 = 1 << 20;

/// Fuel after which a run counts as one that does not end.
const FUEL: u64 = 20_000_000_000;

/// The files of a program by module id; the entry is `main`. Budget profiles stand under their path.
#[derive(Clone, Debug, Default)]
pub struct Program {
    pub files: BTreeMap<String, String>,
}

impl Program {
    /// A program of one file.
    pub fn of_entry(text: impl Into<String>) -> Self {
        Self { files: BTreeMap::from([("main".to_owned(), text.into())]) }
    }

    /// A program of one file with these declarations and this expression, both as JSON text.
    pub fn of(decls: &str, solve: &str) -> Self {
        Self::of_entry(entry("x07.x07ast@0.9.0", "[]", decls, solve))
    }

    /// A program that is this expression, as JSON text.
    pub fn of_solve(solve: &str) -> Self {
        Self::of("[]", solve)
    }

    /// Compiles the program for a small memory.
    pub fn compile(&self, options: &Options) -> Compiled {
        compiler::compile(self, options, &target(MEMORY))
    }

    /// Compiles a program that has no problem.
    #[track_caller]
    pub fn wasm(&self, options: &Options, memory: u32) -> Vec<u8> {
        let compiled = compiler::compile(self, options, &target(memory));
        assert!(compiled.problems.is_empty(), "{}", list(&compiled.problems));
        compiled.wasm.expect("a module, since there is no problem")
    }
}

impl ModuleSource for Program {
    fn entry(&self) -> Result<ModuleText, SourceError> {
        self.module("main")
    }

    fn module(&self, id: &str) -> Result<ModuleText, SourceError> {
        let path = format!("src/{}.x07.json", id.replace('.', "/"));
        match self.files.get(id) {
            Some(text) => Ok(ModuleText { path, text: text.clone() }),
            None => Err(SourceError::NotFound { searched: vec![path] }),
        }
    }

    fn budget_profile(&self, id: &str) -> Result<ModuleText, SourceError> {
        let path = format!("arch/budgets/profiles/{id}.budget.json");
        match self.files.get(&path) {
            Some(text) => Ok(ModuleText { path, text: text.clone() }),
            None => Err(SourceError::NotFound { searched: vec![path] }),
        }
    }
}

/// The text of an entry file; its parts are JSON texts.
pub fn entry(schema: &str, imports: &str, decls: &str, solve: &str) -> String {
    format!(
        "{{\"schema_version\":\"{schema}\",\"kind\":\"entry\",\"module_id\":\"main\",\"imports\":{imports},\
         \"decls\":{decls},\"solve\":{solve}}}"
    )
}

/// A target with this much memory.
pub fn target(memory: u32) -> Target {
    Target {
        initial_memory_bytes: memory,
        max_memory_bytes: memory,
        static_base: 0,
        producer: "x07-wasm test".to_owned(),
        strip: false,
    }
}

/// Problems for a message, one a line.
pub fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| {
            let module = problem.module.as_deref().unwrap_or("-");
            format!("{} {module} {} {}", problem.code.as_str(), problem.pointer, problem.message)
        })
        .collect();
    lines.join("\n")
}

/// Whether a problem keeps a program from being compiled.
pub fn is_error(problem: &Problem) -> bool {
    problem.severity == Severity::Error
}

/// A compiled program that can be run.
pub struct Compilation {
    module: SolveModule,
    sites: SiteTable,
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an output.
    Output(Vec<u8>),
    /// With a trap.
    Trapped(Place),
    /// In another way; no program of the tests should.
    Failed(String),
}

/// Where and why a program trapped.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    pub reason: &'static str,
    pub function: String,
    pub module: String,
    pub pointer: String,
    /// The contract clause that did not hold, when that is why.
    pub violation: Option<Violation>,
}

impl Compilation {
    /// Makes a module ready to run.
    #[track_caller]
    pub fn new(wasm: &[u8]) -> Self {
        let module = SolveModule::compile(runtime(), wasm).expect("a module that follows the ABI");
        Self { module, sites: site_table(wasm) }
    }

    /// Runs the program in a fresh instance.
    pub fn run(&self, input: &[u8], arena: u32) -> Outcome {
        let call = SolveCall { input, arena_cap: arena, max_output: arena };
        match self.module.solve(runtime(), &call) {
            Ok(output) => Outcome::Output(output.bytes),
            Err(failure) => {
                let violation =
                    explain::solve_error(&failure.kind, Some(&self.sites), explain::LimitsOf::Options).violation;
                match failure.kind {
                    SolveError::Trap(trap) => self.explain(&trap, violation),
                    other => Outcome::Failed(other.to_string()),
                }
            }
        }
    }

    /// The reason stands in the innermost frame that has one, the place in the innermost frame of a
    /// function of the program.
    fn explain(&self, trap: &Trap, violation: Option<Violation>) -> Outcome {
        let mut reason = None;
        for frame in &trap.frames {
            let Some(place) = frame.code_offset.and_then(|offset| self.sites.lookup(offset)) else { continue };
            reason = reason.or(place.trap);
            if !place.module.is_empty() {
                return match reason {
                    Some(reason) => Outcome::Trapped(Place {
                        reason: reason.key(),
                        function: place.symbol,
                        module: place.module,
                        pointer: place.pointer,
                        violation,
                    }),
                    None => Outcome::Failed(format!("a trap without a reason at {}: {trap}", place.pointer)),
                };
            }
        }
        match reason {
            Some(reason) => Outcome::Trapped(Place {
                reason: reason.key(),
                function: String::new(),
                module: String::new(),
                pointer: String::new(),
                violation,
            }),
            None => Outcome::Failed(format!("a trap without a place: {trap}")),
        }
    }
}

fn site_table(wasm: &[u8]) -> SiteTable {
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CustomSection(section) = payload.expect("a valid module")
            && section.name() == sites::SECTION
        {
            return SiteTable::read(section.data()).expect("a site table");
        }
    }
    panic!("the module has no site table");
}

/// One engine for all tests.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let limits = Limits { fuel: Some(FUEL), wasm_stack_bytes: Some(1 << 20), ..Limits::default() };
        let config = EngineConfig { limits, ..EngineConfig::default() };
        Runtime::new(&config).expect("an engine").0
    })
}
