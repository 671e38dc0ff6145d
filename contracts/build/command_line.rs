//! The command line: `commands.json` → tables, argument structs, the `Invocation` enum, spec rows.

use super::bundle::{Bundle, Role};
use super::mistake::{Mistake, Mistakes};
use super::{pascal, snake};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::{Map, Value, json};

const FILE: &str = "commands.json";

/// Generates `cli.rs`.
pub fn generate(bundle: &Bundle, commands: &Value) -> Result<String, Mistakes> {
    let mut mistakes = Mistakes::default();
    let list = commands["commands"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut specs = Vec::new();
    let mut structs = Vec::new();
    let mut variants = Vec::new();
    let mut matches = Vec::new();
    let mut scopes: Vec<&str> = Vec::new();
    for (i, command) in list.iter().enumerate() {
        let at = format!("/commands/{i}");
        let scope = command["scope"].as_str().unwrap_or_default();
        if scope.is_empty() || scopes.contains(&scope) {
            mistakes.0.push(Mistake::new(
                FILE,
                format!("{at}/scope"),
                "is missing or used twice",
                "give each command a scope of its own",
            ));
            continue;
        }
        scopes.push(scope);
        let Some(report) =
            command["report"].as_str().and_then(|id| bundle.docs.get(id)).filter(|d| d.role() == Role::Report)
        else {
            mistakes.0.push(Mistake::new(
                FILE,
                format!("{at}/report"),
                format!("{} is not the id of a report schema", command["report"]),
                "declare the report in schemas/ first, then name its `$id`",
            ));
            continue;
        };
        let before = mistakes.0.len();
        if !is_name(scope, false) {
            mistakes.0.push(Mistake::new(
                FILE,
                format!("{at}/scope"),
                format!("{scope:?} cannot become a Rust name"),
                NAME_CURE,
            ));
        }
        check_command(command, &at, &mut mistakes);
        if mistakes.0.len() > before {
            continue;
        }
        let variant = format_ident!("{}", pascal(scope));
        let args = format_ident!("{}Args", pascal(scope));
        let report_ty = format_ident!("{}", bundle.type_name(report, None));
        specs.push(spec(command, &report.id, report.schema_version().unwrap_or_default()));
        let (definition, extraction, enums) = arguments(command, scope);
        let about = format!(
            " Arguments of `x07-wasm {}`: {}",
            words(&command["path"]).join(" "),
            command["about"].as_str().unwrap_or_default()
        );
        structs.push(quote! {
            #(#enums)*

            #[doc = #about]
            #[derive(Clone, Debug, PartialEq)]
            pub struct #args { #(#definition),* }

            impl CommandArgs for #args {
                type Report = types::#report_ty;
                const SCOPE: &'static str = #scope;

                fn from_matches(matches: &::clap::ArgMatches) -> Self {
                    let _ = matches;
                    Self { #(#extraction),* }
                }
            }
        });
        let doc = format!(" `x07-wasm {}`", words(&command["path"]).join(" "));
        variants.push(quote!(#[doc = #doc] #variant(#args)));
        matches.push(quote!(#scope => Some(Self::#variant(#args::from_matches(matches)))));
    }
    mistakes.check()?;
    let about = commands["app"]["about"].as_str().unwrap_or_default();
    let globals: Vec<TokenStream> = commands["globals"].as_array().into_iter().flatten().map(option_spec).collect();
    let families: Vec<TokenStream> = commands["families"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|f| {
            let (path, about) = (words(&f["path"]), f["about"].as_str().unwrap_or_default());
            quote!(FamilySpec { path: &[#(#path),*], about: #about })
        })
        .collect();
    let rows = Value::Array(spec_rows(bundle, commands)).to_string();
    super::render(
        FILE,
        quote! {
            use crate::command_line::{ArgSpec, CommandArgs, CommandSpec, FamilySpec, GroupSpec, Limit, OptionKind, OptionSpec, ValueKind};
            use crate::types;

            /// What the tool is, in one line.
            pub const ABOUT: &str = #about;

            /// The machine flags, valid in any position.
            pub static GLOBALS: &[OptionSpec] = &[#(#globals),*];

            /// Words that only group commands.
            pub static FAMILIES: &[FamilySpec] = &[#(#families),*];

            /// Every command.
            pub static COMMANDS: &[CommandSpec] = &[#(#specs),*];

            /// The rows of the spec-rows document, as canonical JSON.
            pub const SPEC_ROWS: &str = #rows;

            #(#structs)*

            /// A parsed command line. Dispatch matches on it exhaustively, so a command without a
            /// handler, or a handler without a command, does not compile.
            #[derive(Clone, Debug, PartialEq)]
            pub enum Invocation { #(#variants),* }

            impl Invocation {
                /// The invocation of the command with this scope; `None` for an unknown scope.
                #[must_use]
                pub fn from_matches(scope: &str, matches: &::clap::ArgMatches) -> Option<Self> {
                    match scope { #(#matches,)* _ => None }
                }
            }
        },
    )
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

const NAME_CURE: &str = "begin with a letter and use letters, digits and `-`";

/// Whether a name can become a Rust name; capitals only where the command line has them.
fn is_name(name: &str, capitals: bool) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || (capitals && c.is_ascii_uppercase());
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'))
}

/// Names that would become one Rust name, and names that cannot become one.
fn check_names(names: &[&str], capitals: bool, at: impl Fn(usize) -> String, mistakes: &mut Mistakes) {
    for (i, name) in names.iter().enumerate() {
        if !is_name(name, capitals) {
            mistakes.0.push(Mistake::new(FILE, at(i), format!("{name:?} cannot become a Rust name"), NAME_CURE));
        } else if names.iter().take(i).any(|other| snake(other) == snake(name) && other != name) {
            mistakes.0.push(Mistake::new(
                FILE,
                at(i),
                format!("{name:?} becomes the same Rust name as another"),
                "give it another name",
            ));
        }
    }
}

fn check_command(command: &Value, at: &str, mistakes: &mut Mistakes) {
    if words(&command["path"]).is_empty() {
        mistakes.0.push(Mistake::new(
            FILE,
            format!("{at}/path"),
            "is missing or empty",
            "write the words of the command",
        ));
    }
    let longs: Vec<&str> =
        command["options"].as_array().into_iter().flatten().filter_map(|o| o["long"].as_str()).collect();
    if longs.iter().all(|l| !l.is_empty()) {
        check_names(&longs, false, |i| format!("{at}/options/{i}/long"), mistakes);
    }
    let args: Vec<&str> =
        command["args"].as_array().into_iter().flatten().map(|a| a["name"].as_str().unwrap_or_default()).collect();
    check_names(&args, true, |i| format!("{at}/args/{i}/name"), mistakes);
    for (i, option) in command["options"].as_array().into_iter().flatten().enumerate() {
        let values = words(&option["enum"]);
        check_names(&values, true, |k| format!("{at}/options/{i}/enum/{k}"), mistakes);
    }
    for (i, option) in command["options"].as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}/options/{i}");
        let long = option["long"].as_str().unwrap_or_default();
        if long.is_empty() || longs.iter().filter(|l| **l == long).count() > 1 {
            mistakes.0.push(Mistake::new(
                FILE,
                format!("{at}/long"),
                "is missing or used twice",
                "give each option a name of its own",
            ));
        }
        if option["help"].as_str().unwrap_or_default().is_empty() {
            mistakes.0.push(Mistake::new(
                FILE,
                format!("{at}/help"),
                "is missing",
                "say what the option does and its default",
            ));
        }
        match option["kind"].as_str() {
            Some("flag") => {}
            Some("opt") if value_kind(option).is_some() => {}
            Some("opt") => mistakes.0.push(Mistake::new(
                FILE,
                format!("{at}/value"),
                format!("{} is unknown", option["value"]),
                "use STR, PATH, U32, U64, I32, BOOL, ENUM, BYTES or BYTES_HEX",
            )),
            _ => mistakes.0.push(Mistake::new(FILE, format!("{at}/kind"), "is unknown", "use flag or opt")),
        }
        if option["value"] == "ENUM" && words(&option["enum"]).is_empty() {
            mistakes.0.push(Mistake::new(FILE, format!("{at}/enum"), "is missing", "list the values"));
        }
        for key in ["conflicts", "requires"] {
            for other in words(&option[key]) {
                if !longs.contains(&other) {
                    mistakes.0.push(Mistake::new(
                        FILE,
                        format!("{at}/{key}"),
                        format!("{other:?} is not an option of this command"),
                        "name a long option without dashes",
                    ));
                }
            }
        }
    }
    for (i, group) in command["groups"].as_array().into_iter().flatten().enumerate() {
        for member in words(&group["members"]) {
            if !longs.contains(&member) {
                mistakes.0.push(Mistake::new(
                    FILE,
                    format!("{at}/groups/{i}"),
                    format!("{member:?} is not an option of this command"),
                    "name long options without dashes",
                ));
            }
        }
    }
}

fn value_kind(option: &Value) -> Option<TokenStream> {
    let name = match option["value"].as_str()? {
        "STR" => "Str",
        "PATH" => "Path",
        "U32" => "U32",
        "U64" => "U64",
        "I32" => "I32",
        "BOOL" => "Bool",
        "ENUM" => "Enum",
        "BYTES" => "Bytes",
        "BYTES_HEX" => "BytesHex",
        _ => return None,
    };
    let name = format_ident!("{name}");
    Some(quote!(ValueKind::#name))
}

fn option_spec(option: &Value) -> TokenStream {
    let long = option["long"].as_str().unwrap_or_default();
    let help = option["help"].as_str().unwrap_or_default();
    let kind = if option["kind"] == "flag" {
        quote!(OptionKind::Flag)
    } else {
        let value = value_kind(option).unwrap_or_else(|| quote!(ValueKind::Str));
        quote!(OptionKind::Value(#value))
    };
    let default = default_text(option).map_or_else(|| quote!(None), |d| quote!(Some(#d)));
    let (required, multiple, hidden, none) =
        (option["required"] == true, option["multiple"] == true, option["hidden"] == true, option["none"] == true);
    let (values, conflicts, requires) =
        (words(&option["enum"]), words(&option["conflicts"]), words(&option["requires"]));
    quote!(OptionSpec { long: #long, kind: #kind, default: #default, required: #required, multiple: #multiple, hidden: #hidden, accepts_none: #none, values: &[#(#values),*], conflicts: &[#(#conflicts),*], requires: &[#(#requires),*], help: #help })
}

/// The default value as it would stand on a command line.
fn default_text(option: &Value) -> Option<String> {
    match option.get("default")? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn spec(command: &Value, report: &str, version: &str) -> TokenStream {
    let scope = command["scope"].as_str().unwrap_or_default();
    let path = words(&command["path"]);
    let aliases: Vec<TokenStream> = command["aliases"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|a| {
            let a = words(a);
            quote!(&[#(#a),*])
        })
        .collect();
    let about = command["about"].as_str().unwrap_or_default();
    let long_about = command["long_about"].as_str().unwrap_or(about);
    let options: Vec<TokenStream> = command["options"].as_array().into_iter().flatten().map(option_spec).collect();
    let args: Vec<TokenStream> = command["args"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|a| {
            let (name, help) = (a["name"].as_str().unwrap_or_default(), a["help"].as_str().unwrap_or_default());
            let (required, multiple, values) = (a["required"] == true, a["multiple"] == true, words(&a["enum"]));
            quote!(ArgSpec { name: #name, required: #required, multiple: #multiple, values: &[#(#values),*], help: #help })
        })
        .collect();
    let groups: Vec<TokenStream> = command["groups"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|g| {
            let (name, members, required) =
                (g["name"].as_str().unwrap_or_default(), words(&g["members"]), g["required"] == true);
            quote!(GroupSpec { name: #name, members: &[#(#members),*], required: #required })
        })
        .collect();
    quote!(CommandSpec { scope: #scope, path: &[#(#path),*], aliases: &[#(#aliases),*], about: #about, long_about: #long_about, report: #report, schema_version: #version, options: &[#(#options),*], args: &[#(#args),*], groups: &[#(#groups),*] })
}

/// Fields, their extraction from clap, and the enums of one command.
fn arguments(command: &Value, scope: &str) -> (Vec<TokenStream>, Vec<TokenStream>, Vec<TokenStream>) {
    let (mut fields, mut extraction, mut enums) = (Vec::new(), Vec::new(), Vec::new());
    for option in command["options"].as_array().into_iter().flatten() {
        let long = option["long"].as_str().unwrap_or_default();
        let field = format_ident!("{}", snake(long));
        let doc = format!(" `--{long}`: {}", option["help"].as_str().unwrap_or_default());
        if option["kind"] == "flag" {
            fields.push(quote!(#[doc = #doc] pub #field: bool));
            extraction.push(quote!(#field: matches.get_flag(#long)));
            continue;
        }
        let mut convert = quote!();
        let ty = match option["value"].as_str().unwrap_or_default() {
            "PATH" => quote!(::std::path::PathBuf),
            "U32" => quote!(u32),
            "U64" if option["none"] == true => quote!(Limit),
            "U64" => quote!(u64),
            "I32" => quote!(i32),
            "BOOL" => quote!(bool),
            "ENUM" => {
                let name = format_ident!("{}{}", pascal(scope), pascal(long));
                enums.push(enumeration(&name, &words(&option["enum"]), &format!("{scope} --{long}")));
                convert = quote!(.and_then(|v| #name::parse(v)));
                quote!(#name)
            }
            _ => quote!(String),
        };
        let raw = if convert.is_empty() { ty.clone() } else { quote!(String) };
        let certain = option.get("default").is_some() || option["required"] == true;
        if option["multiple"] == true {
            fields.push(quote!(#[doc = #doc] pub #field: Vec<#ty>));
            extraction.push(quote!(#field: matches.get_many::<#raw>(#long).into_iter().flatten().cloned().collect()));
        } else if certain {
            fields.push(quote!(#[doc = #doc] pub #field: #ty));
            let get = if convert.is_empty() { quote!(.cloned()) } else { quote!(.map(String::as_str)) };
            // clap guarantees a value: the option is required or has a default.
            extraction.push(quote!(#field: matches.get_one::<#raw>(#long) #get #convert .unwrap_or_else(|| crate::command_line::absent(#long))));
        } else {
            fields.push(quote!(#[doc = #doc] pub #field: Option<#ty>));
            let get = if convert.is_empty() { quote!(.cloned()) } else { quote!(.map(String::as_str)) };
            extraction.push(quote!(#field: matches.get_one::<#raw>(#long) #get #convert));
        }
    }
    for arg in command["args"].as_array().into_iter().flatten() {
        let name = arg["name"].as_str().unwrap_or_default();
        let field = format_ident!("{}", snake(name));
        let doc = format!(" `{name}`: {}", arg["help"].as_str().unwrap_or_default());
        if arg["multiple"] == true {
            fields.push(quote!(#[doc = #doc] pub #field: Vec<String>));
            extraction.push(quote!(#field: matches.get_many::<String>(#name).into_iter().flatten().cloned().collect()));
        } else if arg["required"] == true {
            fields.push(quote!(#[doc = #doc] pub #field: String));
            extraction.push(quote!(#field: matches.get_one::<String>(#name).cloned().unwrap_or_else(|| crate::command_line::absent(#name))));
        } else {
            fields.push(quote!(#[doc = #doc] pub #field: Option<String>));
            extraction.push(quote!(#field: matches.get_one::<String>(#name).cloned()));
        }
    }
    (fields, extraction, enums)
}

fn enumeration(name: &proc_macro2::Ident, values: &[&str], what: &str) -> TokenStream {
    let variants: Vec<_> = values.iter().map(|v| format_ident!("{}", pascal(v))).collect();
    let docs: Vec<String> = values.iter().map(|v| format!(" `{v}`")).collect();
    let about = format!(" A value of `{what}`.");
    quote! {
        #[doc = #about]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum #name { #(#[doc = #docs] #variants),* }

        impl #name {
            /// The value as it is written on the command line.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { #(Self::#variants => #values),* }
            }

            /// Reads a value; `None` when it is not one of the list.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { #(#values => Some(Self::#variants),)* _ => None }
            }
        }
    }
}

/// The rows of `x07cli.specrows@0.1.0`, in canonical order.
fn spec_rows(bundle: &Bundle, commands: &Value) -> Vec<Value> {
    let mut rows = vec![
        json!(["root", "about", commands["app"]["about"]]),
        json!(["root", "help", "-h", "--help", "Print help"]),
        json!(["root", "version", "", "--version", "Print version"]),
    ];
    for global in commands["globals"].as_array().into_iter().flatten() {
        rows.push(option_row("root", global, true));
    }
    for command in commands["commands"].as_array().into_iter().flatten() {
        let scope = command["scope"].as_str().unwrap_or_default();
        let path = words(&command["path"]);
        let version = command["report"]
            .as_str()
            .and_then(|id| bundle.docs.get(id))
            .and_then(super::bundle::Doc::schema_version)
            .unwrap_or_default();
        let about = command["about"].as_str().unwrap_or_default();
        rows.push(json!([
            scope,
            "about",
            format!("{about} Command: `x07-wasm {}`. Report: {version}.", path.join(" "))
        ]));
        for option in command["options"].as_array().into_iter().flatten() {
            rows.push(option_row(scope, option, false));
        }
        for arg in command["args"].as_array().into_iter().flatten() {
            let name = arg["name"].as_str().unwrap_or_default();
            let key = arg["key"].as_str().map_or_else(|| name.to_lowercase(), str::to_owned);
            let mut meta = Map::new();
            for flag in ["required", "multiple"] {
                if arg[flag] == true {
                    meta.insert(flag.to_owned(), json!(true));
                }
            }
            let mut row = vec![json!(scope), json!("arg"), json!(name), json!(key), arg["help"].clone()];
            if !meta.is_empty() {
                row.push(Value::Object(meta));
            }
            rows.push(Value::Array(row));
        }
    }
    rows.sort_by_key(|row| {
        let text = |i: usize| row[i].as_str().unwrap_or_default().to_owned();
        let scope = if text(0) == "root" { String::new() } else { text(0) };
        let rank = ["about", "help", "version", "flag", "opt", "arg"].iter().position(|k| *k == text(1)).unwrap_or(9);
        (scope, rank, text(3), text(2), text(4))
    });
    rows
}

fn option_row(scope: &str, option: &Value, global: bool) -> Value {
    let long = option["long"].as_str().unwrap_or_default();
    let key = option["key"].as_str().map_or_else(|| long.replace('-', "."), str::to_owned);
    let flag = option["kind"] == "flag";
    let mut row =
        vec![json!(scope), json!(if flag { "flag" } else { "opt" }), json!(""), json!(format!("--{long}")), json!(key)];
    if !flag {
        // The spec-rows contract knows one integer kind.
        let value = if option["value"] == "U64" { json!("U32") } else { option["value"].clone() };
        row.push(value);
    }
    row.push(option["help"].clone());
    let mut meta = Map::new();
    if global {
        meta.insert("global".to_owned(), json!(true));
    }
    for flag in ["hidden", "required", "multiple"] {
        if option[flag] == true {
            meta.insert(flag.to_owned(), json!(true));
        }
    }
    if let Some(default) = option.get("default") {
        meta.insert("default".to_owned(), default.clone());
    }
    if option["value"] == "ENUM" {
        meta.insert("enum".to_owned(), option["enum"].clone());
    }
    if !meta.is_empty() {
        row.push(Value::Object(meta));
    }
    Value::Array(row)
}
