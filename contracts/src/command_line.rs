//! The table types of the command line and the clap tree that is built from them.

use crate::cli::{ABOUT, COMMANDS, FAMILIES, GLOBALS};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgGroup, Command, value_parser};
use std::path::PathBuf;

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Any text.
    Str,
    /// A file or folder.
    Path,
    /// An unsigned 32-bit number.
    U32,
    /// An unsigned 64-bit number.
    U64,
    /// A signed 32-bit number.
    I32,
    /// `true` or `false`.
    Bool,
    /// One of a list.
    Enum,
    /// Bytes as text.
    Bytes,
    /// Bytes as hexadecimal digits.
    BytesHex,
}

/// A flag, or an option with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// Present or not.
    Flag,
    /// With a value.
    Value(ValueKind),
}

/// One option.
#[derive(Debug)]
pub struct OptionSpec {
    /// Long name without dashes.
    pub long: &'static str,
    /// Flag or value.
    pub kind: OptionKind,
    /// Value when absent.
    pub default: Option<&'static str>,
    /// Must be given.
    pub required: bool,
    /// May be given several times.
    pub multiple: bool,
    /// Not shown in help.
    pub hidden: bool,
    /// A limit that also takes `none`.
    pub accepts_none: bool,
    /// The values of [`ValueKind::Enum`].
    pub values: &'static [&'static str],
    /// Options that cannot stand beside it.
    pub conflicts: &'static [&'static str],
    /// Options that must stand beside it.
    pub requires: &'static [&'static str],
    /// What it does.
    pub help: &'static str,
}

/// One positional argument.
#[derive(Debug)]
pub struct ArgSpec {
    /// Its name, in capitals.
    pub name: &'static str,
    /// Must be given.
    pub required: bool,
    /// Takes all remaining words.
    pub multiple: bool,
    /// Allowed values; empty for any.
    pub values: &'static [&'static str],
    /// What it is.
    pub help: &'static str,
}

/// Options of which at most one may be given.
#[derive(Debug)]
pub struct GroupSpec {
    /// Name for messages.
    pub name: &'static str,
    /// Long names.
    pub members: &'static [&'static str],
    /// One must be given.
    pub required: bool,
}

/// One command.
#[derive(Debug)]
pub struct CommandSpec {
    /// Its name in the spec rows.
    pub scope: &'static str,
    /// The words that call it.
    pub path: &'static [&'static str],
    /// Other ways to call it.
    pub aliases: &'static [&'static [&'static str]],
    /// One line.
    pub about: &'static str,
    /// For `--help`.
    pub long_about: &'static str,
    /// `$id` of its report's schema.
    pub report: &'static str,
    /// `schema_version` of its report.
    pub schema_version: &'static str,
    /// Options.
    pub options: &'static [OptionSpec],
    /// Positional arguments.
    pub args: &'static [ArgSpec],
    /// Exclusive groups.
    pub groups: &'static [GroupSpec],
}

/// A word that only groups commands.
#[derive(Debug)]
pub struct FamilySpec {
    /// The words.
    pub path: &'static [&'static str],
    /// One line.
    pub about: &'static str,
}

/// The arguments of one command.
pub trait CommandArgs: Sized {
    /// The report that the command emits.
    type Report: crate::contract::Report;
    /// Its scope in the spec rows.
    const SCOPE: &'static str;

    /// Takes the arguments out of a parsed command line.
    fn from_matches(matches: &clap::ArgMatches) -> Self;
}

/// A limit as given on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `none`: no limit.
    None,
    /// At most this.
    Max(u64),
}

impl Limit {
    /// The number, if there is one.
    #[must_use]
    pub const fn max(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Max(n) => Some(n),
        }
    }
}

fn parse_limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit::None);
    }
    text.parse().map(Limit::Max).map_err(|_| "give a whole number, or `none` for no limit".to_owned())
}

/// Called where clap has promised a value: the option is required or has a default. A parser that
/// broke the promise is a mistake in the tables, found by the first test that calls the command.
#[cold]
pub(crate) fn absent<T>(name: &str) -> T {
    panic!("the command line tables promise a value for {name}, but the parser has none")
}

/// Finds a command by the words that call it, aliases included.
#[must_use]
pub fn find(words: &[&str]) -> Option<&'static CommandSpec> {
    COMMANDS.iter().find(|c| c.path == words || c.aliases.contains(&words))
}

/// The command that the leading words of a command line name, and how many words that took.
///
/// Options are passed over; the search stops at the first word that leads nowhere.
#[must_use]
pub fn leading<'a>(words: impl Iterator<Item = &'a str>) -> Option<&'static CommandSpec> {
    let mut path: Vec<&str> = Vec::new();
    for word in words.take_while(|w| *w != "--").filter(|w| !w.starts_with('-')) {
        path.push(word);
        if let Some(command) = find(&path) {
            return Some(command);
        }
        let prefix =
            COMMANDS.iter().flat_map(|c| std::iter::once(&c.path).chain(c.aliases)).any(|p| p.starts_with(&path));
        if !prefix {
            return None;
        }
    }
    None
}

/// The whole clap tree.
#[must_use]
pub fn command(version: &'static str) -> Command {
    let mut root = Command::new("x07-wasm")
        .about(ABOUT)
        .version(version)
        .disable_version_flag(true)
        .arg(Arg::new("version").long("version").short('V').action(ArgAction::Version).help("Print version"))
        .subcommand_required(false)
        .arg_required_else_help(false)
        .disable_help_subcommand(false)
        .infer_subcommands(false);
    for spec in GLOBALS {
        let arg = option(spec).global(true).help_heading("Machine reports");
        // The machine flags are taken out before clap parses; this is how help shows the one with
        // an optional value.
        let optional = spec.long == "json" || spec.long == "report-json";
        root = root.arg(if optional { arg.value_name("pretty").num_args(0..=1).require_equals(true) } else { arg });
    }
    for spec in COMMANDS {
        root = insert(root, spec.path, spec, false);
        for alias in spec.aliases {
            root = insert(root, alias, spec, true);
        }
    }
    root
}

/// Hangs a command into the tree under `path`, making the families on the way.
fn insert(parent: Command, path: &'static [&'static str], spec: &'static CommandSpec, alias: bool) -> Command {
    insert_at(parent, path, 0, spec, alias)
}

fn insert_at(
    parent: Command,
    path: &'static [&'static str],
    depth: usize,
    spec: &'static CommandSpec,
    alias: bool,
) -> Command {
    let Some(&name) = path.get(depth) else { return parent };
    if depth + 1 == path.len() {
        return parent.subcommand(leaf(name, spec).hide(alias));
    }
    let exists = parent.find_subcommand(name).is_some();
    let parent = if exists { parent } else { parent.subcommand(family(name, path.get(..=depth).unwrap_or(path))) };
    parent.mut_subcommand(name, |sub| insert_at(sub, path, depth + 1, spec, alias))
}

fn family(name: &'static str, path: &[&str]) -> Command {
    let about = FAMILIES.iter().find(|f| f.path == path).map_or("", |f| f.about);
    Command::new(name).about(about).subcommand_required(true)
}

fn leaf(name: &'static str, spec: &'static CommandSpec) -> Command {
    let mut command = Command::new(name).about(spec.about).long_about(spec.long_about);
    for option_spec in spec.options {
        command = command.arg(option(option_spec));
    }
    for arg in spec.args {
        let mut built = Arg::new(arg.name).value_name(arg.name).help(arg.help).required(arg.required);
        if arg.multiple {
            built = built.action(ArgAction::Append).num_args(1..);
        }
        if !arg.values.is_empty() {
            built = built.value_parser(PossibleValuesParser::new(arg.values));
        }
        command = command.arg(built);
    }
    for group in spec.groups {
        // clap keeps groups and arguments in one space of names.
        command = command.group(
            ArgGroup::new(format!("one of {}", group.name))
                .args(group.members)
                .required(group.required)
                .multiple(false),
        );
    }
    command
}

fn option(spec: &'static OptionSpec) -> Arg {
    let arg = Arg::new(spec.long).long(spec.long).help(spec.help).hide(spec.hidden).conflicts_with_all(spec.conflicts);
    let arg = spec.requires.iter().fold(arg, |arg, other| arg.requires(*other));
    let OptionKind::Value(kind) = spec.kind else { return arg.action(ArgAction::SetTrue) };
    let arg = match kind {
        ValueKind::Path => arg.value_name("PATH").value_parser(value_parser!(PathBuf)),
        ValueKind::U32 => arg.value_name("N").value_parser(value_parser!(u32)),
        ValueKind::U64 if spec.accepts_none => arg.value_name("N|none").value_parser(parse_limit),
        ValueKind::U64 => arg.value_name("N").value_parser(value_parser!(u64)),
        ValueKind::I32 => arg.value_name("N").value_parser(value_parser!(i32)).allow_negative_numbers(true),
        ValueKind::Bool => arg.value_name("BOOL").value_parser(value_parser!(bool)).hide_possible_values(false),
        ValueKind::Enum => arg.value_name("NAME").value_parser(PossibleValuesParser::new(spec.values)),
        ValueKind::BytesHex => arg.value_name("HEX").value_parser(value_parser!(String)),
        ValueKind::Str | ValueKind::Bytes => arg.value_name("TEXT").value_parser(value_parser!(String)),
    };
    let arg = if spec.multiple { arg.action(ArgAction::Append) } else { arg.action(ArgAction::Set) };
    let arg = spec.default.map_or(arg.clone(), |default| arg.default_value(default));
    arg.required(spec.required)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Report;

    #[test]
    fn clap_accepts_the_tree() {
        command("0.0.0").debug_assert();
    }

    #[test]
    fn commands_are_found_by_their_leading_words() {
        let scope = |words: &str| leading(words.split(' ')).map(|c| c.scope);
        assert_eq!(scope("run --wasm x"), Some("run"));
        assert_eq!(scope("profile validate"), Some("profile-validate"));
        assert_eq!(scope("profile-validate"), Some("profile-validate"));
        assert_eq!(scope("cli validate-specrows"), Some("cli-specrows-check"));
        assert_eq!((scope("profile"), scope("nothing"), scope("-- run")), (None, None, None));
    }

    #[test]
    fn limits_are_numbers_or_none() {
        assert_eq!((parse_limit("7"), parse_limit("none")), (Ok(Limit::Max(7)), Ok(Limit::None)));
        assert!(parse_limit("-1").is_err() && parse_limit("").is_err());
    }

    #[test]
    fn a_placeholder_fits_its_type() {
        fn fits<R: Report>() {
            assert!(serde_json::from_str::<R::Result>(R::RESULT_PLACEHOLDER).is_ok(), "{}", R::COMMAND);
        }
        fits::<crate::types::RunReport>();
        fits::<crate::types::BuildReport>();
        fits::<crate::types::DoctorReport>();
    }
}
