//! The memory that linker flags ask for, and whether a module has it.
//!
//! Profiles state the memory of a module as flags of `wasm-ld`. The native compiler takes its plan
//! from the same flags, so that one profile serves both.

use super::inspect::Inspection;

/// What the flags say about memory. Flags that say nothing about it are none of its business.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkPlan {
    /// `--stack-first`: the shadow stack lies below the static data, so that running out of it
    /// traps instead of overwriting data.
    pub stack_first: bool,
    /// `-z stack-size=N`: bytes of the shadow stack; 0 if not given.
    pub stack_size_bytes: u64,
    /// `--initial-memory=N`: bytes at the start, if given.
    pub initial: Option<u64>,
    /// `--max-memory=N`: bytes that memory may grow to, if given.
    pub max: Option<u64>,
    /// `--no-growable-memory`: memory must not be able to grow.
    pub no_growable: bool,
}

/// A flag about memory that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("linker flag {}, `{flag}`: {reason}", .index + 1)]
pub struct FlagProblem {
    /// Which flag it is, counted from 0.
    pub index: usize,
    /// The flag.
    pub flag: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// A difference between a plan and a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanMismatch {
    /// There is no memory at all.
    #[error("the module has no memory")]
    NoMemory,
    /// The memory starts with another size.
    #[error("the memory starts with {have} bytes instead of {want}")]
    InitialMismatch {
        /// Bytes that the flags ask for.
        want: u64,
        /// Bytes that the module has.
        have: u64,
    },
    /// The memory has another maximum, or none.
    #[error("the memory may grow to {} instead of {want} bytes", size_text(*.have))]
    MaxMismatch {
        /// Bytes that the flags ask for.
        want: u64,
        /// Bytes that the module states, if it states a maximum.
        have: Option<u64>,
    },
    /// The memory can grow although it must not.
    #[error("the memory starts with {initial} bytes and may grow to {}, but must not grow", size_text(*.max))]
    Growable {
        /// Bytes at the start.
        initial: u64,
        /// Bytes that the module states, if it states a maximum.
        max: Option<u64>,
    },
}

/// A number of bytes in words.
fn size_text(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "any number of bytes".to_owned(), |bytes| format!("{bytes} bytes"))
}

impl LinkPlan {
    /// Reads the flags about memory. As with the linker, the last of several wins, and long flags
    /// may have one dash or two. `-z` and its word may be one item or two; the word alone is
    /// understood as well.
    ///
    /// A flag that cannot be understood is reported and has no effect.
    pub fn parse(ldflags: &[String]) -> (Self, Vec<FlagProblem>) {
        let mut plan = Self::default();
        let mut problems = Vec::new();
        let mut after_z = false;
        for (index, flag) in ldflags.iter().enumerate() {
            let word = flag.trim();
            let result = if after_z {
                after_z = false;
                plan.read_keyword(word)
            } else if word == "-z" {
                after_z = true;
                if index + 1 == ldflags.len() { Err("a word must follow") } else { Ok(()) }
            } else if let Some(keyword) = word.strip_prefix("-z") {
                plan.read_keyword(keyword.trim_start())
            } else if let Some(long) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) {
                plan.read_long(long)
            } else {
                plan.read_keyword(word)
            };
            if let Err(reason) = result {
                problems.push(FlagProblem { index, flag: flag.clone(), reason });
            }
        }
        (plan, problems)
    }

    /// Reads a word that may follow `-z`.
    fn read_keyword(&mut self, word: &str) -> Result<(), &'static str> {
        if let Some(number) = word.strip_prefix("stack-size=") {
            self.stack_size_bytes = parse_bytes(number)?;
        } else if word == "stack-size" {
            return Err("a number of bytes must follow after `=`");
        }
        Ok(())
    }

    /// Reads a long flag without its dashes.
    fn read_long(&mut self, flag: &str) -> Result<(), &'static str> {
        let (name, number) = match flag.split_once('=') {
            Some((name, number)) => (name, Some(number)),
            None => (flag, None),
        };
        match (name, number) {
            ("stack-first", None) => self.stack_first = true,
            ("no-growable-memory", None) => self.no_growable = true,
            ("initial-memory", Some(number)) => self.initial = Some(parse_bytes(number)?),
            ("max-memory", Some(number)) => self.max = Some(parse_bytes(number)?),
            ("stack-first" | "no-growable-memory", Some(_)) => return Err("takes no value"),
            ("initial-memory" | "max-memory", None) => return Err("a number of bytes must follow after `=`"),
            _ => {}
        }
        Ok(())
    }
}

/// A decimal number of bytes.
fn parse_bytes(number: &str) -> Result<u64, &'static str> {
    // `u64::from_str` would also take a plus sign.
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("not a decimal number of bytes");
    }
    number.parse().map_err(|_| "too large")
}

/// Compares a module's memory with a plan. Only what the plan states is compared; a module without
/// a memory never fits.
pub fn check(plan: &LinkPlan, inspection: &Inspection) -> Vec<PlanMismatch> {
    let Some(memory) = inspection.memory else {
        return vec![PlanMismatch::NoMemory];
    };
    let mut found = Vec::new();
    if let Some(want) = plan.initial
        && want != memory.initial_bytes
    {
        found.push(PlanMismatch::InitialMismatch { want, have: memory.initial_bytes });
    }
    if let Some(want) = plan.max
        && Some(want) != memory.max_bytes
    {
        found.push(PlanMismatch::MaxMismatch { want, have: memory.max_bytes });
    }
    if plan.no_growable && memory.growable() {
        found.push(PlanMismatch::Growable { initial: memory.initial_bytes, max: memory.max_bytes });
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wasm::inspect;

    fn parse(flags: &[&str]) -> (LinkPlan, Vec<FlagProblem>) {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        LinkPlan::parse(&flags)
    }

    fn module(fields: &str) -> Inspection {
        inspect(&wat::parse_str(format!("(module {fields})")).unwrap()).unwrap()
    }

    #[test]
    fn the_flags_of_a_profile_make_a_plan() {
        let (plan, problems) = parse(&[
            "--no-entry",
            "--stack-first",
            "-z",
            "stack-size=1048576",
            "--export=x07_solve_v2",
            "--export-memory=memory",
            "--initial-memory=134217728",
            "--max-memory=134217728",
            "--no-growable-memory",
            "--strip-debug",
        ]);
        assert!(problems.is_empty(), "{problems:?}");
        let want = LinkPlan {
            stack_first: true,
            stack_size_bytes: 1_048_576,
            initial: Some(134_217_728),
            max: Some(134_217_728),
            no_growable: true,
        };
        assert_eq!(plan, want);
    }

    #[test]
    fn the_stack_size_has_several_spellings() {
        for flags in [&["-z", "stack-size=64"][..], &["-zstack-size=64"], &["-z stack-size=64"], &["stack-size=64"]] {
            let (plan, problems) = parse(flags);
            assert_eq!((plan.stack_size_bytes, problems), (64, vec![]), "{flags:?}");
        }
        assert_eq!(parse(&["-z", "muldefs", "-zother"]), (LinkPlan::default(), vec![]));
    }

    #[test]
    fn the_last_flag_wins_and_one_dash_is_enough() {
        let (plan, problems) = parse(&["--initial-memory=65536", "-initial-memory=131072", "-no-growable-memory"]);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!((plan.initial, plan.no_growable), (Some(131_072), true));
    }

    #[test]
    fn what_is_no_number_is_reported() {
        for flag in [
            "--initial-memory=",
            "--initial-memory",
            "--initial-memory=0x10000",
            "--initial-memory=-1",
            "--initial-memory=+1",
            "--max-memory=64k",
            "--max-memory=18446744073709551616",
            "-zstack-size=1M",
            "stack-size",
            "-z",
            "--stack-first=1",
            "--no-growable-memory=false",
        ] {
            let (plan, problems) = parse(&["--no-entry", flag]);
            assert_eq!(plan, LinkPlan::default(), "{flag}");
            assert_eq!(problems.len(), 1, "{flag}");
            assert_eq!((problems[0].index, problems[0].flag.as_str()), (1, flag));
        }
    }

    #[test]
    fn a_plan_is_compared_where_it_says_something() {
        let (plan, _) = parse(&["--initial-memory=131072", "--max-memory=131072", "--no-growable-memory"]);
        assert!(check(&plan, &module("(memory 2 2)")).is_empty());
        assert_eq!(check(&plan, &module("")), [PlanMismatch::NoMemory]);
        assert_eq!(check(&LinkPlan::default(), &module("")), [PlanMismatch::NoMemory]);
        assert!(check(&LinkPlan::default(), &module("(memory 9)")).is_empty());
        assert_eq!(
            check(&plan, &module("(memory 1 3)")),
            [
                PlanMismatch::InitialMismatch { want: 131_072, have: 65_536 },
                PlanMismatch::MaxMismatch { want: 131_072, have: Some(196_608) },
                PlanMismatch::Growable { initial: 65_536, max: Some(196_608) },
            ]
        );
    }

    #[test]
    fn a_memory_that_can_grow_is_found() {
        let (plan, _) = parse(&["--no-growable-memory"]);
        assert_eq!(check(&plan, &module("(memory 1)")), [PlanMismatch::Growable { initial: 65_536, max: None }]);
        assert!(check(&plan, &module("(memory 1 1)")).is_empty());
    }
}
