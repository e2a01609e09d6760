//! `[schema.<name>]` and which resource types there are.

use std::sync::Arc;

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::{Entry, Node, Place};
use crate::scim::schema::{Uniqueness, group_type, user_type};
use crate::scim::{Attribute, AttributeType, ResourceType, Schema};

use super::context::Context;

/// A declared schema; one that extends nothing is the core of a new resource type.
struct Declared {
    schema: Schema,
    extends: Option<(String, Place)>,
}

/// The types that `[resource.<Type>]` tables name, with built-in and declared schemas, in file order.
pub(super) fn resource_types(cx: &mut Context, schemas: Option<&Node>, resources: Option<&Node>) -> Vec<ResourceType> {
    let declared = declared(cx, schemas);
    let Some(table) = resources.and_then(|node| cx.report.table(node)) else {
        cx.report.error("E006", &Place::default(), "`[resource.<Type>]` is missing: there is nothing to serve");
        return Vec::new();
    };
    let names: Vec<&str> = table.entries.iter().map(|entry| entry.name.as_str()).collect();
    for Declared { extends, .. } in &declared {
        if let Some((name, place)) = extends
            && !names.contains(&name.as_str())
        {
            let message = format!("there is no `[resource.{name}]` to extend");
            cx.report.unknown("E007", place, message, name, names.iter().copied());
        }
    }
    table.entries.iter().filter_map(|entry| resource_type(cx, entry, &declared)).collect()
}

fn resource_type(cx: &mut Context, entry: &Entry, declared: &[Declared]) -> Option<ResourceType> {
    let table = cx.report.table(&entry.value)?;
    let (schema, endpoint) = (table.get("schema"), table.get("endpoint"));
    let mut found = match (entry.name.as_str(), schema) {
        ("User", None) => user_type(),
        ("Group", None) => group_type(),
        (name, Some(schema)) => new_type(cx, name, &schema.value, declared)?,
        (name, None) => {
            let message =
                format!("`{name}` is not a type of RFC 7643: `schema` is missing, the URN of a `[schema.<name>]`");
            cx.report.unknown("E006", &entry.key, message, name, ["User", "Group"]);
            return None;
        }
    };
    match endpoint {
        Some(endpoint) => found.endpoint = self::endpoint(cx, &endpoint.value)?,
        None if found.endpoint.is_empty() => {
            cx.report.error("E006", &entry.key, "`endpoint` is missing: a path such as \"/Devices\"");
            return None;
        }
        None => {}
    }
    for declared in declared {
        if declared.extends.as_ref().is_some_and(|(name, _)| *name == entry.name) {
            found.extensions.push(declared.schema.clone());
        }
    }
    Some(found)
}

fn new_type(cx: &mut Context, name: &str, schema: &Node, declared: &[Declared]) -> Option<ResourceType> {
    let urn = cx.report.text(schema)?;
    for built_in in [user_type(), group_type()] {
        if built_in.schema.id.eq_ignore_ascii_case(urn) {
            return Some(ResourceType { name: Arc::from(name), ..built_in });
        }
    }
    let mut cores = declared.iter().filter(|declared| declared.extends.is_none());
    let Some(core) = cores.find(|declared| declared.schema.id.eq_ignore_ascii_case(urn)) else {
        let known = declared.iter().filter(|declared| declared.extends.is_none()).map(|declared| &*declared.schema.id);
        let message = format!("no schema that could be the core of a type has the URN `{urn}`");
        cx.report.unknown("E007", &schema.place, message, urn, known);
        return None;
    };
    Some(ResourceType {
        name: Arc::from(name),
        endpoint: Arc::from(""),
        description: core.schema.description.clone(),
        schema: core.schema.clone(),
        extensions: Vec::new(),
        announced: Vec::new(),
    })
}

fn endpoint(cx: &mut Context, node: &Node) -> Option<Arc<str>> {
    let text = cx.report.text(node)?;
    let name = text.strip_prefix('/').unwrap_or("");
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !plain || crate::route::RESERVED_NAMES.contains(&name) {
        let message = format!("`{text}` cannot be an endpoint");
        let help = "write one segment such as \"/Devices\" that no other SCIM endpoint has".to_owned();
        cx.report.error_help("E004", &node.place, message, help);
        return None;
    }
    Some(Arc::from(text))
}

fn declared(cx: &mut Context, node: Option<&Node>) -> Vec<Declared> {
    let Some(table) = node.and_then(|node| cx.report.table(node)) else { return Vec::new() };
    let mut found: Vec<Declared> = Vec::new();
    for entry in &table.entries {
        let Some(declared) = schema(cx, entry) else { continue };
        let taken = [user_type(), group_type()]
            .iter()
            .flat_map(|of| {
                [of.schema.id.clone()].into_iter().chain(of.extensions.iter().map(|schema| schema.id.clone()))
            })
            .any(|urn| urn.eq_ignore_ascii_case(&declared.schema.id))
            || found.iter().any(|other| other.schema.id.eq_ignore_ascii_case(&declared.schema.id));
        if taken {
            cx.report.error("E004", &entry.key, format!("there is a schema `{}` already", declared.schema.id));
        } else {
            found.push(declared);
        }
    }
    found
}

fn schema(cx: &mut Context, entry: &Entry) -> Option<Declared> {
    let fields = Fields::of(&mut cx.report, &entry.value, &catalogue::SCHEMA)?;
    let Some(urn) = fields.get("urn") else {
        cx.report.error("E006", &entry.key, "`urn` is missing");
        return None;
    };
    let id = cx.report.text(urn)?;
    let well_formed = id.len() > 4
        && id.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:"))
        && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '/' | '~'));
    if !well_formed {
        let help = "such as \"urn:ietf:params:scim:schemas:extension:acme:2.0:User\"".to_owned();
        cx.report.error_help("E004", &urn.place, format!("`{id}` is not a URN"), help);
        return None;
    }
    let text = |cx: &mut Context, key: &str| fields.get(key).and_then(|node| cx.report.text(node)).map(str::to_owned);
    let name = text(cx, "name").unwrap_or_else(|| entry.name.clone());
    let description = text(cx, "description").unwrap_or_default();
    let extends = fields.get("extends");
    let extends = extends.and_then(|node| Some((cx.report.text(node)?.to_owned(), node.place.clone())));
    let attributes = match fields.get("attributes") {
        Some(node) => attributes(cx, node, 0),
        None => {
            cx.report.error("E006", &entry.key, "`attributes` is missing");
            Vec::new()
        }
    };
    Some(Declared { schema: Schema { id: Arc::from(id), name, description, attributes }, extends })
}

fn attributes(cx: &mut Context, node: &Node, depth: usize) -> Vec<Attribute> {
    let mut found: Vec<Attribute> = Vec::new();
    for item in cx.report.list(node).unwrap_or(&[]) {
        let Some(attribute) = attribute(cx, item, depth) else { continue };
        if found.iter().any(|other| other.name.eq_ignore_ascii_case(&attribute.name)) {
            cx.report.error("E004", &item.place, format!("there is an attribute `{}` already", attribute.name));
        } else {
            found.push(attribute);
        }
    }
    found
}

fn attribute(cx: &mut Context, node: &Node, depth: usize) -> Option<Attribute> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::ATTRIBUTE)?;
    let name_node = fields.require(&mut cx.report, "name", "the name of the attribute")?;
    let name = cx.report.word(name_node)?;
    // RFC 7643 2.1: ALPHA *(nameChar).
    let mut chars = name.chars();
    let legal = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '$')
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$'));
    if !legal {
        cx.report.error("E004", &name_node.place, format!("`{name}` cannot be the name of an attribute"));
        return None;
    }
    let mut attribute = Attribute::new(name, kind(cx, &fields, depth)?, "");
    let flag = |cx: &mut Context, key: &str| fields.get(key).and_then(|node| cx.report.boolean(node));
    attribute.multi_valued = flag(cx, "multi_valued").unwrap_or(false);
    attribute.required = flag(cx, "required").unwrap_or(false);
    attribute.case_exact = flag(cx, "case_exact").unwrap_or(attribute.case_exact);
    if flag(cx, "unique") == Some(true) {
        attribute.uniqueness = Uniqueness::Server;
    }
    if let Some(text) = fields.get("description").and_then(|node| cx.report.text(node)) {
        text.clone_into(&mut attribute.description);
    }
    attribute.canonical_values = fields.get("canonical_values").map_or(Vec::new(), |node| texts(cx, node));
    attribute.reference_types = fields.get("reference_types").map_or(Vec::new(), |node| texts(cx, node));
    let subs = fields.get("sub_attributes").map(|node| attributes(cx, node, depth + 1));
    let complex = attribute.kind == AttributeType::Complex;
    if complex != subs.as_ref().is_some_and(|subs| !subs.is_empty()) {
        let message = "`sub_attributes` belong to type \"complex\", and to it alone";
        cx.report.error("E004", &name_node.place, message);
    }
    attribute.sub_attributes = subs.unwrap_or_default();
    Some(attribute)
}

fn kind(cx: &mut Context, fields: &Fields<'_>, depth: usize) -> Option<AttributeType> {
    let Some(node) = fields.get("type") else { return Some(AttributeType::String) };
    let kinds = KINDS.map(|kind| (kind.as_str(), kind));
    let kind = cx.report.choice(node, &kinds)?;
    // RFC 7643 2.3.8: a complex attribute has no complex sub-attributes.
    if kind == AttributeType::Complex && depth > 0 {
        cx.report.error("E004", &node.place, "a sub-attribute cannot be complex itself");
        return None;
    }
    Some(kind)
}

pub(super) fn texts(cx: &mut Context, node: &Node) -> Vec<String> {
    let items = cx.report.list(node).unwrap_or(&[]);
    items.iter().filter_map(|item| cx.report.text(item)).map(str::to_owned).collect()
}

const KINDS: [AttributeType; 8] = [
    AttributeType::String,
    AttributeType::Boolean,
    AttributeType::Decimal,
    AttributeType::Integer,
    AttributeType::DateTime,
    AttributeType::Binary,
    AttributeType::Reference,
    AttributeType::Complex,
];
