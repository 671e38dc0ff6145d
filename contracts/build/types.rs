//! Rust types: typify makes them, this module repairs what would lose part of a document.
//!
//! * An optional array or map becomes an `Option`: typify drops an empty one when writing.
//! * An optional member that may also be null becomes an `Option<Option<T>>`.
//! * Numbers stay as they were written (`serde_json::Number` and not `f64`).
//! * The schema that typify copies into every comment is left out.

use super::lower::Lowered;
use super::mistake::{Mistake, Mistakes};
use quote::ToTokens;
use schemars::schema::Schema;
use syn::{Attribute, Fields, Item, Meta};
use typify::{TypeSpace, TypeSpaceSettings};

/// Generates `types.rs`.
pub fn generate(lowered: &Lowered) -> Result<String, Mistakes> {
    let wrong = |what: String| {
        Mistakes::one(Mistake::new(
            "index.json",
            "",
            what,
            "simplify the definition; docs/contracts.md describes the dialect",
        ))
    };
    let mut definitions = Vec::new();
    for (name, schema) in &lowered.definitions {
        let schema: Schema =
            serde_json::from_value(schema.clone()).map_err(|e| wrong(format!("{name} cannot be lowered: {e}")))?;
        definitions.push((name.clone(), schema));
    }
    let mut settings = TypeSpaceSettings::default();
    settings.with_map_type("::std::collections::BTreeMap").with_derive("PartialEq".to_owned());
    let mut space = TypeSpace::new(&settings);
    space.add_ref_types(definitions).map_err(|e| wrong(format!("typify refuses a definition: {e}")))?;
    let mut file: syn::File =
        syn::parse2(space.to_stream()).map_err(|e| wrong(format!("typify made Rust that does not parse: {e}")))?;
    file.items.retain(|item| !is_noise(item));
    for item in &mut file.items {
        repair(item, lowered);
    }
    let file = super::render("*.schema.json", file.into_token_stream())?;
    Ok(file)
}

/// Conversions that nothing uses.
fn is_noise(item: &Item) -> bool {
    let Item::Impl(item) = item else { return matches!(item, Item::Mod(_)) };
    let Some((_, path, _)) = &item.trait_ else { return true };
    let text = path.to_token_stream().to_string();
    let last = path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default();
    (last == "From" && text.contains('&')) || last == "TryFrom" || last == "FromStr"
}

fn repair(item: &mut Item, lowered: &Lowered) {
    match item {
        Item::Struct(item) => {
            item.attrs.iter_mut().for_each(shorten);
            let owner = item.ident.to_string();
            for field in &mut item.fields {
                field.attrs.iter_mut().for_each(shorten);
                repair_field(&owner, field, lowered);
            }
        }
        Item::Enum(item) => {
            item.attrs.iter_mut().for_each(shorten);
            for variant in &mut item.variants {
                variant.attrs.iter_mut().for_each(shorten);
                if let Fields::Named(named) = &mut variant.fields {
                    for field in &mut named.named {
                        field.attrs.iter_mut().for_each(shorten);
                        repair_field(&item.ident.to_string(), field, lowered);
                    }
                }
            }
        }
        Item::Type(item) => item.attrs.iter_mut().for_each(shorten),
        _ => {}
    }
}

/// Cuts typify's copy of the schema off a doc comment.
fn shorten(attribute: &mut Attribute) {
    if let Meta::NameValue(meta) = &mut attribute.meta
        && meta.path.is_ident("doc")
        && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &mut meta.value
    {
        let value = text.value();
        let kept = value.split("\n \n <details>").next().unwrap_or("").split("<details>").next().unwrap_or("").trim();
        // typify writes the bare name where there is no description.
        let kept = kept.trim_matches('`');
        *text = syn::LitStr::new(&format!(" {kept}"), text.span());
    }
}

fn repair_field(owner: &str, field: &mut syn::Field, lowered: &Lowered) {
    let Some(ident) = field.ident.as_ref().map(ToString::to_string) else { return };
    let mut name = ident.trim_start_matches("r#").to_owned();
    let mut optional = false;
    for attribute in &field.attrs {
        if !attribute.path().is_ident("serde") {
            continue;
        }
        let text = attribute.to_token_stream().to_string();
        optional |= text.contains("default") || text.contains("skip_serializing_if");
        if let Some(rest) = text.split("rename = \"").nth(1) {
            name = rest.split('"').next().unwrap_or("").to_owned();
        }
    }
    let ty = field.ty.to_token_stream().to_string();
    if ty.contains("f64") {
        let replaced = ty.replace("f64", ":: serde_json :: Number");
        if let Ok(ty) = syn::parse_str(&replaced) {
            field.ty = ty;
        }
    }
    if !optional {
        return;
    }
    let is_option = ty.starts_with(":: std :: option :: Option");
    let nullable = lowered.nullable_options.contains(&(owner.to_owned(), name));
    if is_option && !nullable {
        return;
    }
    let old = &field.ty;
    field.ty = syn::parse_quote!(::std::option::Option<#old>);
    let rename = field.attrs.iter().find_map(|a| {
        a.to_token_stream()
            .to_string()
            .split("rename = \"")
            .nth(1)
            .map(|r| r.split('"').next().unwrap_or("").to_owned())
    });
    field.attrs.retain(|a| !a.path().is_ident("serde"));
    if let Some(rename) = rename {
        field.attrs.push(syn::parse_quote!(#[serde(rename = #rename)]));
    }
    if is_option {
        field.attrs.push(syn::parse_quote!(#[serde(default, skip_serializing_if = "::std::option::Option::is_none", deserialize_with = "crate::nullable::deserialize")]));
    } else {
        field.attrs.push(syn::parse_quote!(#[serde(default, skip_serializing_if = "::std::option::Option::is_none")]));
    }
}
