//! The SCIM side of a row: `name.givenName`, `emails[type eq "work"].value`, `urn:...:User:department`.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use crate::config::diagnostic::{closest, listed};
use crate::config::tree::{Entry, Place};
use crate::mapping::Target;
use crate::mapping::native_path::conjunction;
use crate::scim::attr_path::{PathError, Resolved};
use crate::scim::schema::Mutability;
use crate::scim::{Attribute, AttributeType, ResourceType};

use super::context::Context;

/// A row key and what its schema says.
#[derive(Clone, Debug)]
pub(super) struct KeyedTarget {
    pub(super) target: Target,
    pub(super) mutability: Mutability,
    pub(super) required: bool,
    pub(super) unique: bool,
}

/// Parses a row key against the resource type.
pub(super) fn target(cx: &mut Context, entry: &Entry, of: &ResourceType) -> Option<KeyedTarget> {
    let text = entry.name.as_str();
    let (path, filter, sub) = split_key(cx, entry)?;
    let name = match sub.clone().and_then(|sub| text.get(sub)) {
        Some(sub) => format!("{}.{sub}", text.get(path).unwrap_or("")),
        None => text.get(path).unwrap_or("").to_owned(),
    };
    let resolved = match of.resolve_attribute(&name) {
        Ok(resolved) => resolved,
        Err(error) => {
            let (message, help) = split_error(&error);
            let help = help.or_else(|| as_sub_attribute(of, &name));
            cx.report.error_help("E010", &entry.key, message, help);
            return None;
        }
    };
    if !allowed(cx, entry, &resolved, of) {
        return None;
    }
    let attribute = resolved.attribute;
    let selector = match filter {
        Some(filter) => selector(cx, entry, filter, attribute)?,
        None => Vec::new(),
    };
    if attribute.multi_valued && resolved.sub.is_some() && selector.is_empty() {
        let message = format!("`{}` has several elements: say which one is meant", attribute.name);
        let help = format!("as in `{}[type eq \"work\"].value`, or map `{0}` as a whole", attribute.name);
        cx.report.error_help("E011", &entry.key, message, help);
        return None;
    }
    Some(keyed(&resolved, selector))
}

/// `givenName` is mostly meant as `name.givenName`.
fn as_sub_attribute(of: &ResourceType, name: &str) -> Option<String> {
    let mut holders = of.schema.attributes.iter().filter(|attribute| !attribute.multi_valued);
    let holder = holders.find(|attribute| attribute.sub_attribute(name).is_some())?;
    Some(format!("did you mean `{}.{name}`?", holder.name))
}

fn keyed(resolved: &Resolved<'_>, selector: Vec<(Arc<str>, Value)>) -> KeyedTarget {
    let (attribute, leaf) = (resolved.attribute, resolved.leaf());
    let mutability = match attribute.mutability {
        Mutability::ReadWrite => leaf.mutability,
        outer => outer,
    };
    KeyedTarget {
        target: Target {
            path: resolved.path.clone(),
            kind: leaf.kind,
            multi_valued: leaf.multi_valued && selector.is_empty(),
            case_exact: leaf.case_exact,
            selector,
        },
        mutability,
        required: attribute.required && resolved.sub.is_none_or(|sub| sub.required),
        unique: leaf.uniqueness != crate::scim::schema::Uniqueness::None,
    }
}

/// Path, text between the brackets, sub-attribute behind them; as byte ranges of the key.
type KeyParts = (Range<usize>, Option<Range<usize>>, Option<Range<usize>>);

fn split_key(cx: &mut Context, entry: &Entry) -> Option<KeyParts> {
    let text = entry.name.as_str();
    let Some(open) = text.find('[') else { return Some((0..text.len(), None, None)) };
    let close = text.rfind(']').filter(|close| *close > open);
    let rest = close.and_then(|close| text.get(close + 1..));
    match (close, rest) {
        (Some(close), Some("")) => Some((0..open, Some(open + 1..close), None)),
        (Some(close), Some(rest)) if rest.starts_with('.') => {
            Some((0..open, Some(open + 1..close), Some(close + 2..text.len())))
        }
        _ => {
            let place = cx.report.sources.within_key(entry, open..text.len());
            cx.report.error("E010", &place, "expected `[name eq value]`, and `.name` or nothing behind it");
            None
        }
    }
}

fn selector(
    cx: &mut Context,
    entry: &Entry,
    range: Range<usize>,
    attribute: &Attribute,
) -> Option<Vec<(Arc<str>, Value)>> {
    if !attribute.multi_valued {
        let place = cx.report.sources.within_key(entry, range);
        cx.report.error("E011", &place, format!("`{}` has one value and takes no filter", attribute.name));
        return None;
    }
    let parsed = conjunction(entry.name.get(range.clone()).unwrap_or(""));
    let conjuncts = match parsed {
        Ok(conjuncts) => conjuncts,
        Err(error) => {
            let span = range.start + error.span.start..range.start + error.span.end;
            let place = cx.report.sources.within_key(entry, span);
            let message = format!("{}; a row takes `name eq value` joined by `and`", error.message);
            cx.report.error("E011", &place, message);
            return None;
        }
    };
    let mut selector = Vec::with_capacity(conjuncts.len());
    for (name, value) in conjuncts {
        let place = find_word(cx, entry, &range, &name);
        selector.push(constant(cx, &place, attribute, &name, value)?);
    }
    Some(selector)
}

/// One `name eq value`, checked against the sub-attribute.
fn constant(
    cx: &mut Context,
    place: &Place,
    attribute: &Attribute,
    name: &str,
    value: Value,
) -> Option<(Arc<str>, Value)> {
    let Some(sub) = attribute.sub_attribute(name) else {
        let names: Vec<&str> = attribute.sub_attributes.iter().map(|sub| &*sub.name).collect();
        let message = format!("`{}` has no sub-attribute `{name}`", attribute.name);
        cx.report.unknown("E011", place, message, name, names);
        return None;
    };
    let fits = match sub.kind {
        AttributeType::Boolean => value.is_boolean(),
        AttributeType::Integer | AttributeType::Decimal => value.is_number(),
        _ => value.is_string(),
    };
    if !fits {
        cx.report.error("E011", place, format!("`{}` is of type {}", sub.name, sub.kind.as_str()));
        return None;
    }
    warn_unusual(cx, place, sub, &value);
    Some((Arc::clone(&sub.name), value))
}

/// A `type` outside the canonical values is allowed, but mostly a slip.
fn warn_unusual(cx: &mut Context, place: &Place, sub: &Attribute, value: &Value) {
    let Some(text) = value.as_str() else { return };
    let known = &sub.canonical_values;
    if known.is_empty() || known.iter().any(|known| known.eq_ignore_ascii_case(text)) {
        return;
    }
    let help = match closest(text, known.iter().map(String::as_str)) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("usual are {}", listed(known)),
    };
    cx.report.warn("W011", place, format!("`{text}` is not a usual value of `{}`", sub.name), help);
}

fn find_word(cx: &Context, entry: &Entry, range: &Range<usize>, word: &str) -> Place {
    let text = entry.name.get(range.clone()).unwrap_or("");
    match text.find(word) {
        Some(at) => cx.report.sources.within_key(entry, range.start + at..range.start + at + word.len()),
        None => entry.key.clone(),
    }
}

/// Attributes that have a place of their own in the configuration.
fn allowed(cx: &mut Context, entry: &Entry, resolved: &Resolved<'_>, of: &ResourceType) -> bool {
    if resolved.path.extension.is_some() {
        return true;
    }
    let help = match (&*resolved.path.attribute, resolved.path.sub.as_deref()) {
        ("id", _) => "it is `id` of the resource: `id = \"key\"`".to_owned(),
        ("schemas", _) => "it follows from the rows".to_owned(),
        ("meta", Some("created" | "lastModified")) => return true,
        ("meta", Some("version")) => "it is `version` of the resource: `version = \"@header:ETag\"`".to_owned(),
        ("meta", _) => "rows may be `meta.created` and `meta.lastModified`; the rest is made by the adapter".to_owned(),
        ("members", _) => format!("membership has its own table: `[resource.{}.members]`", of.name),
        _ => return true,
    };
    cx.report.error_help("E010", &entry.key, format!("`{}` cannot be a row", resolved.path), help);
    false
}

/// Message and help of a path error.
pub(super) fn split_error(error: &PathError) -> (String, Option<String>) {
    let suggestion = match error {
        PathError::UnknownSchema { suggestion, .. }
        | PathError::UnknownAttribute { suggestion, .. }
        | PathError::UnknownSubAttribute { suggestion, .. } => suggestion.clone(),
        _ => None,
    };
    let text = error.to_string();
    let message = match error {
        PathError::UnknownSchema { urn, resource_type, .. } => format!("`{resource_type}` has no schema `{urn}`"),
        PathError::UnknownAttribute { name, resource_type, .. } => {
            format!("`{resource_type}` has no attribute `{name}`")
        }
        PathError::UnknownSubAttribute { attribute, name, .. } => {
            format!("`{attribute}` has no sub-attribute `{name}`")
        }
        _ => text.replace('\'', "`"),
    };
    (message, suggestion.map(|name| format!("did you mean `{name}`?")))
}
