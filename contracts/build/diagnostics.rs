//! The diagnostics catalogue: `diagnostics.json` → the `Code` enum and its table.

use super::mistake::{Mistake, Mistakes};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::Value;

const FILE: &str = "diagnostics.json";
const STAGES: [&str; 8] = ["parse", "lint", "rewrite", "type", "lower", "codegen", "link", "run"];

/// The Rust name of a code: words capitalised, the tool's own prefix left out.
pub fn variant(code: &str) -> String {
    let plain = code.strip_prefix("X07WASM_").unwrap_or(code);
    plain
        .split(['-', '_'])
        .map(|word| {
            let mut chars = word.chars();
            chars
                .next()
                .map_or(String::new(), |first| format!("{}{}", first.to_uppercase(), chars.as_str().to_lowercase()))
        })
        .collect()
}

/// Generates `diagnostics.rs`.
pub fn generate(catalogue: &Value) -> Result<String, Mistakes> {
    let mut mistakes = Mistakes::default();
    let mut variants = Vec::new();
    let mut rows: Vec<TokenStream> = Vec::new();
    let mut names_so_far: Vec<String> = Vec::new();
    let mut previous = "";
    let entries = catalogue["diagnostics"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (i, entry) in entries.iter().enumerate() {
        let at = format!("/diagnostics/{i}");
        let mut text = |key: &str| {
            let value = entry[key].as_str().unwrap_or_default();
            if value.is_empty() {
                mistakes.0.push(Mistake::new(
                    FILE,
                    format!("{at}/{key}"),
                    "is missing or empty",
                    "write a sentence for the person who meets the code",
                ));
            }
            value
        };
        let (code, summary, cause, cure) = (text("code"), text("summary"), text("cause"), text("cure"));
        if code <= previous {
            mistakes.0.push(Mistake::new(
                FILE,
                format!("{at}/code"),
                format!("{code} does not come after {previous}"),
                "sort the entries by code, each once",
            ));
        }
        previous = code;
        let name = variant(code);
        let plain = code.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '_' | '-'));
        if !plain || code.len() > 64 || !name.starts_with(|c: char| c.is_ascii_uppercase()) {
            mistakes.0.push(Mistake::new(
                FILE,
                format!("{at}/code"),
                format!("{code:?} cannot be a code"),
                "use up to 64 capitals, digits, `_` and `-`, and begin each code with a letter",
            ));
            continue;
        }
        if names_so_far.contains(&name) && !entries.iter().take(i).any(|e| e["code"] == code) {
            mistakes.0.push(Mistake::new(
                FILE,
                format!("{at}/code"),
                format!("{code} becomes the Rust name {name}, which another code has"),
                "give it another name",
            ));
        }
        names_so_far.push(name);
        let severity = match entry["severity"].as_str() {
            Some("error") => quote!(Severity::Error),
            Some("warning") => quote!(Severity::Warning),
            Some("info") => quote!(Severity::Info),
            Some("hint") => quote!(Severity::Hint),
            _ => {
                mistakes.0.push(Mistake::new(
                    FILE,
                    format!("{at}/severity"),
                    "is unknown",
                    "use error, warning, info or hint",
                ));
                continue;
            }
        };
        let mut stages: Vec<TokenStream> = Vec::new();
        for (k, stage) in entry["stages"].as_array().into_iter().flatten().enumerate() {
            match stage.as_str().filter(|s| STAGES.contains(s)) {
                Some(stage) => {
                    let stage = format_ident!("{}", super::pascal(stage));
                    stages.push(quote!(Stage::#stage));
                }
                None => mistakes.0.push(Mistake::new(
                    FILE,
                    format!("{at}/stages/{k}"),
                    format!("{stage} is no stage"),
                    format!("use one of {}", STAGES.join(", ")),
                )),
            }
        }
        if stages.is_empty() {
            mistakes.0.push(Mistake::new(
                FILE,
                format!("{at}/stages"),
                "is missing or empty",
                "name at least one stage",
            ));
        }
        let Some(exit) = entry["exit"].as_u64().and_then(|e| u8::try_from(e).ok()) else {
            mistakes.0.push(Mistake::new(
                FILE,
                format!("{at}/exit"),
                "is missing or not an exit code",
                "write 0 to 255",
            ));
            continue;
        };
        let raised_by: Vec<&str> =
            entry["raised_by"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let name = format_ident!("{}", variant(code));
        let doc = format!(" `{code}`: {summary}");
        variants.push(quote!(#[doc = #doc] #name));
        rows.push(quote!(CodeInfo { code: #code, severity: #severity, stages: &[#(#stages),*], exit: #exit, raised_by: &[#(#raised_by),*], summary: #summary, cause: #cause, cure: #cure }));
    }
    mistakes.check()?;
    let count = rows.len();
    let names: Vec<_> =
        entries.iter().filter_map(|e| e["code"].as_str()).map(|c| format_ident!("{}", variant(c))).collect();
    super::render(
        FILE,
        quote! {
            pub use crate::contract::CodeInfo;
            pub use crate::types::{Severity, Stage};

            /// Every diagnostic code, in the order of the catalogue (sorted by code).
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum Code { #(#variants),* }

            /// The catalogue, indexed by [`Code`].
            pub static CODES: [CodeInfo; #count] = [#(#rows),*];

            /// Every code.
            pub const ALL: [Code; #count] = [#(Code::#names),*];
        },
    )
}
