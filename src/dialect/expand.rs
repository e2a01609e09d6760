//! Takes an object apart into assignments, one per attribute.
//!
//! In: the members of a resource, or of the `value` of a PATCH operation without path. Out: canonical paths with the
//! values that were sent for them. Every key is a path: plain, dotted, behind a URN, with a filter, or the URN of a
//! schema whose object is taken apart in turn.

use serde_json::{Map, Value};

use super::catalogue::Repair;
use super::notes::{At, Notes};
use super::shape::is_blank;
use crate::scim::filter::FilterLimits;
use crate::scim::patch::{self, ParsedPath, PatchPath, PatchTarget};
use crate::scim::schema::{Attribute, Mutability, Schema};
use crate::scim::{AttrPath, ResourceType, ScimError};

/// One attribute and the value sent for it, whose shape is not looked at yet.
pub(super) struct Assignment<'a> {
    pub(super) path: PatchPath,
    pub(super) attribute: &'a Attribute,
    pub(super) sub: Option<&'a Attribute>,
    pub(super) value: Value,
}

impl Assignment<'_> {
    /// The definition at the end of the path.
    pub(super) fn leaf(&self) -> &Attribute {
        self.sub.unwrap_or(self.attribute)
    }

    /// Whether the service provider alone sets it.
    pub(super) fn is_read_only(&self) -> bool {
        self.attribute.mutability == Mutability::ReadOnly || self.leaf().mutability == Mutability::ReadOnly
    }
}

/// Assignments in the order of the keys; names that no schema knows are noted and left out.
///
/// # Errors
/// 400 `invalidValue` if the URN of a schema stands for something else than an object.
pub(super) fn expand<'a>(
    rt: &'a ResourceType,
    sent: Map<String, Value>,
    limits: &FilterLimits,
    notes: &mut Notes<'_>,
) -> Result<Vec<Assignment<'a>>, ScimError> {
    let mut assignments = Vec::with_capacity(sent.len());
    for (key, value) in sent {
        if let Some(attribute) = rt.core_attribute(&key) {
            let attr = AttrPath { extension: None, attribute: attribute.name.clone(), sub: None };
            assignments.push(Assignment { path: PatchPath { attr, filter: None }, attribute, sub: None, value });
            continue;
        }
        let Ok(ParsedPath { target, repairs }) = patch::parse(rt, &key, limits) else {
            notes.ignore(&key);
            continue;
        };
        note_legacy(&key, notes);
        notes.filter_repairs(repairs);
        match target {
            PatchTarget::Attribute { path, attribute, sub } => {
                note_spelling(&key, &path.attr, notes);
                assignments.push(Assignment { path, attribute, sub, value });
            }
            PatchTarget::Core => {
                notes.repair(Repair::FlatKey);
                assignments.extend(expand_schema(rt, &rt.schema, value, limits, notes)?);
            }
            PatchTarget::Extension(schema) => {
                assignments.extend(expand_schema(rt, schema, value, limits, notes)?);
            }
        }
    }
    Ok(assignments)
}

/// The attributes in the object that stands for a whole schema. Null stands for null in every attribute.
///
/// # Errors
/// 400 `invalidValue` if it is no object.
pub(super) fn expand_schema<'a>(
    rt: &'a ResourceType,
    schema: &'a Schema,
    value: Value,
    limits: &FilterLimits,
    notes: &mut Notes<'_>,
) -> Result<Vec<Assignment<'a>>, ScimError> {
    let members = match value {
        Value::Object(members) => members,
        value if is_blank(&value) => return Ok(clear_schema(rt, schema)),
        Value::Array(mut items) => match (items.pop(), items.is_empty()) {
            (Some(Value::Object(members)), true) => {
                notes.repair(Repair::SingleValueInList);
                members
            }
            _ => return Err(ScimError::invalid_value(format!("{} must be an object", schema.id))),
        },
        other => return Err(At::Attribute(&schema.id).expected("an object", &other)),
    };
    let mut assignments = Vec::with_capacity(members.len());
    for (key, value) in members {
        match patch::parse(rt, &format!("{}:{key}", schema.id), limits) {
            Ok(ParsedPath { target: PatchTarget::Attribute { path, attribute, sub }, repairs }) => {
                notes.filter_repairs(repairs);
                if path.filter.is_some() || path.attr.sub.is_some() {
                    notes.repair(Repair::FlatKey);
                }
                assignments.push(Assignment { path, attribute, sub, value });
            }
            _ => notes.ignore(format_args!("{}:{key}", schema.id)),
        }
    }
    Ok(assignments)
}

/// Null for every attribute of a schema that a client may write.
pub(super) fn clear_schema<'a>(rt: &ResourceType, schema: &'a Schema) -> Vec<Assignment<'a>> {
    let extension = (schema.id != rt.schema.id).then(|| schema.id.clone());
    let writable = schema.attributes.iter().filter(|attribute| attribute.mutability != Mutability::ReadOnly);
    let clear = |attribute: &'a Attribute| {
        let attr = AttrPath { extension: extension.clone(), attribute: attribute.name.clone(), sub: None };
        Assignment { path: PatchPath { attr, filter: None }, attribute, sub: None, value: Value::Null }
    };
    writable.map(clear).collect()
}

fn note_spelling(key: &str, attr: &AttrPath, notes: &mut Notes<'_>) {
    if key.contains([':', '.', '[']) {
        notes.repair(Repair::FlatKey);
    } else {
        note_bare_extension(key, attr, notes);
    }
}

/// Counts an extension attribute that is named without its URN.
pub(super) fn note_bare_extension(text: &str, attr: &AttrPath, notes: &mut Notes<'_>) {
    if attr.extension.is_some() && !text.contains(':') {
        notes.repair(Repair::BareExtensionAttribute);
    }
}

/// Counts a URN of SCIM 1.1.
pub(super) fn note_legacy(text: &str, notes: &mut Notes<'_>) {
    if is_legacy(text) {
        notes.repair(Repair::LegacySchema);
    }
}

/// Whether a text begins like the URNs of SCIM 1.1 and of the drafts of 2.0, before the registered namespace.
pub(super) fn is_legacy(text: &str) -> bool {
    text.get(..LEGACY_NAMESPACE.len()).is_some_and(|head| head.eq_ignore_ascii_case(LEGACY_NAMESPACE))
}

const LEGACY_NAMESPACE: &str = "urn:scim:schemas:";
