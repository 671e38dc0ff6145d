//! The registry: every contract with its id, text, role and Rust type.

use super::bundle::{Bundle, Doc, Role};
use super::mistake::Mistakes;
use super::placeholder;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

/// Generates `contracts.rs`.
pub fn generate(bundle: &Bundle) -> Result<String, Mistakes> {
    let mut rows = Vec::new();
    let mut impls = Vec::new();
    let mut round_trips = Vec::new();
    for (index, doc) in bundle.docs.values().enumerate() {
        let (id, file) = (&doc.id, &doc.file);
        let include = format!("../schemas/{file}");
        let versions = doc.schema_versions();
        let version = option(doc.schema_version());
        let role = match doc.role() {
            Role::Report => quote!(Role::Report),
            Role::Document => quote!(Role::Document),
            Role::Definitions => quote!(Role::Definitions),
        };
        rows.push(quote!(ContractInfo { id: #id, file: #file, schema_version: #version, schema_versions: &[#(#versions),*], role: #role, text: include_str!(#include) }));
        if doc.role() == Role::Definitions {
            continue;
        }
        let ty = format_ident!("{}", bundle.type_name(doc, None));
        impls.push(quote! {
            impl Contract for types::#ty {
                const INFO: &'static ContractInfo = &CONTRACTS[#index];
            }
        });
        round_trips.push(quote!(#id => Some(through::<types::#ty>(document))));
        if has_envelope(bundle, doc) {
            impls.push(report(bundle, doc)?);
        }
    }
    let count = rows.len();
    super::render(
        "*.schema.json",
        quote! {
            use crate::contract::{Contract, ContractInfo, Envelope, Report, Role};
            use crate::types;

            /// Every contract, sorted by id.
            pub static CONTRACTS: [ContractInfo; #count] = [#(#rows),*];

            #(#impls)*

            /// Reads a document of the contract with this `$id` into its Rust type and writes it
            /// again; `None` when the contract has no documents. For tests of the types.
            #[must_use]
            pub fn round_trip(id: &str, document: ::serde_json::Value) -> Option<::serde_json::Result<::serde_json::Value>> {
                match id { #(#round_trips,)* _ => None }
            }

            fn through<T: Contract>(document: ::serde_json::Value) -> ::serde_json::Result<::serde_json::Value> {
                ::serde_json::to_value(::serde_json::from_value::<T>(document)?)
            }
        },
    )
}

/// Whether the document is the common envelope around a result. Reports of other tools, which
/// carry a `meta` of their own, are documents to us.
fn has_envelope(bundle: &Bundle, doc: &Doc) -> bool {
    let members = &doc.value["properties"];
    let meta = members["meta"]["$ref"].as_str().and_then(|r| bundle.target(doc, r));
    doc.role() == Role::Report
        && members.get("diagnostics").is_some()
        && members.get("result").is_some()
        && meta.is_some_and(|t| bundle.type_name(t.doc, t.def.as_deref()) == "Meta")
}

fn option(text: Option<&str>) -> TokenStream {
    text.map_or_else(|| quote!(None), |t| quote!(Some(#t)))
}

/// The `Report` implementation: constants, the type of `result`, its placeholder, and assembly.
fn report(bundle: &Bundle, doc: &Doc) -> Result<TokenStream, Mistakes> {
    let ty = format_ident!("{}", bundle.type_name(doc, None));
    let command = &doc.value["properties"]["command"];
    // The workload report serves six commands; its first is as good as any for a constant.
    let command = command["const"].as_str().or_else(|| command["enum"][0].as_str()).unwrap_or("x07-wasm");
    let version = doc.schema_version().unwrap_or_default();
    let member = &doc.value["properties"]["result"];
    let target = member["$ref"].as_str().and_then(|r| bundle.target(doc, r));
    let result = match &target {
        Some(target) if target.schema.get("properties").is_some() => {
            let name = format_ident!("{}", bundle.type_name(target.doc, target.def.as_deref()));
            quote!(types::#name)
        }
        _ => quote!(::serde_json::Map<String, ::serde_json::Value>),
    };
    let placeholder = placeholder::least(bundle, doc, member, "/properties/result")?.to_string();
    Ok(quote! {
        impl Report for types::#ty {
            const COMMAND: &'static str = #command;
            const SCHEMA_VERSION: &'static str = #version;
            const RESULT_PLACEHOLDER: &'static str = #placeholder;
            type Result = #result;

            fn assemble(envelope: Envelope<Self::Result>) -> Self {
                Self {
                    schema_version: Self::SCHEMA_VERSION.to_owned(),
                    command: Self::COMMAND.to_owned(),
                    ok: envelope.ok,
                    exit_code: envelope.exit_code,
                    diagnostics: envelope.diagnostics,
                    meta: envelope.meta,
                    result: envelope.result,
                }
            }
        }
    })
}
