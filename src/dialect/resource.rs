//! Canonical resources from the bodies of POST and PUT.
//!
//! In: a body as sent. Out: a resource whose every value has the type of its attribute, plus which attributes were
//! sent as unassigned: RFC 7643 2.5 makes absent, null and `[]` one state, but to a PUT that keeps what is omitted
//! they are two instructions. Defaults, references and uniqueness are not looked at.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::catalogue::{Repair, Repairs};
use super::expand::{Assignment, expand, is_legacy};
use super::notes::{At, Notes, ReadOnly};
use super::patch::{PatchLimits, take};
use super::shape::{Object, Shaped, is_blank, put, shape};
use crate::scim::patch::{PatchOp, apply};
use crate::scim::schema::{Attribute, Schema};
use crate::scim::{AttrPath, Resource, ResourceType, ScimError, Target};

/// What a body is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// POST: required attributes must have a value; read-only ones are ignored.
    Create,
    /// PUT where an omitted attribute is cleared: like [`Self::Create`].
    Replace,
    /// PUT where an omitted attribute is kept: required attributes may be omitted, but not cleared.
    Merge,
    /// A resource as it is stored: nothing is required, read-only attributes stay.
    Stored,
}

/// A canonical resource and what else its body said.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalised {
    /// The resource, without `schemas`; `id`, `meta` and other read-only attributes only for [`Purpose::Stored`].
    pub resource: Resource,
    /// Attributes and sub-attributes that the body mentions as unassigned (null, `[]`, `""`), in order of mention.
    pub cleared: Vec<AttrPath>,
    /// Names that no schema knows, ignored; at most a few dozen are listed.
    pub unknown: Vec<String>,
}

impl Normalised {
    /// Whether the body says anything about an attribute: a value for it, or for a part of it, or that it has none.
    pub fn mentions(&self, path: &AttrPath) -> bool {
        self.resource.get(path).is_some() || self.cleared.iter().any(|cleared| cleared.same_attribute(path))
    }
}

/// Normalises a body.
///
/// ```
/// use scimshim::dialect::{PatchLimits, Purpose, Repairs, resource};
/// use scimshim::scim::schema::user_type;
/// let body = serde_json::json!({"userName": "ann", "active": "True", "manager": "u-7"});
/// let user = resource(&user_type(), body, Purpose::Create, &PatchLimits::default(), &mut Repairs::default()).unwrap();
/// assert_eq!(user.resource.0["active"], true);
/// ```
///
/// # Errors
/// 400 `invalidSyntax` for a body that is no object; 400 `invalidValue` naming the attribute for a value of the wrong
/// type, a required attribute without value, one attribute with two values, or more than one primary element; 413 for
/// more values than allowed.
pub fn resource(
    rt: &ResourceType,
    body: Value,
    purpose: Purpose,
    limits: &PatchLimits,
    repairs: &mut Repairs,
) -> Result<Normalised, ScimError> {
    let Value::Object(mut sent) = body else {
        return Err(ScimError::invalid_syntax("the body must be a JSON object"));
    };
    let read_only = if purpose == Purpose::Stored { ReadOnly::Kept } else { ReadOnly::Ignored };
    let mut notes = Notes::new(repairs, read_only, limits.max_values);
    let listed = listed_schemas(rt, take(&mut sent, "schemas"), &mut notes);
    let (own, others) = by_name(rt, &mut sent);
    let others = if others.is_empty() { Vec::new() } else { expand(rt, others, &limits.filter, &mut notes)? };
    let is_plain = others.is_empty();
    let mut draft = Draft { resource: Resource(sent), ..Draft::default() };
    draft.shape_own(&own, &mut notes)?;
    for assignment in others {
        draft.assign(assignment, &mut notes)?;
    }
    let Draft { resource, mut cleared, deferred } = draft;
    let resource = if deferred.is_empty() { resource } else { apply(rt, resource, &deferred)? };
    cleared.retain(|path| resource.get(path).is_none());
    // What is in an extension stands under no name of the core schema.
    let extensions: &[Schema] = if is_plain { &[] } else { &rt.extensions };
    let used = || extensions.iter().filter(|schema| resource.0.contains_key(&*schema.id));
    note_unlisted(rt, used(), &listed, &mut notes);
    if purpose != Purpose::Stored {
        check_required(None, &rt.schema, &resource, &cleared, purpose)?;
        used().try_for_each(|schema| check_required(Some(&schema.id), schema, &resource, &cleared, purpose))?;
    }
    Ok(Normalised { resource, cleared, unknown: notes.into_unknown() })
}

/// A resource in the making.
#[derive(Default)]
struct Draft {
    resource: Resource,
    cleared: Vec<AttrPath>,
    /// Keys with a filter, which describe one element each: they are added when the lists are there.
    deferred: Vec<PatchOp>,
}

impl Draft {
    /// Gives attributes that stand under their own names their shape, where they stand. `own` has the definitions, in
    /// the order of the keys.
    fn shape_own(&mut self, own: &[&Attribute], notes: &mut Notes<'_>) -> Result<(), ScimError> {
        let mut gone = Vec::new();
        for (value, attribute) in self.resource.0.values_mut().zip(own) {
            let shaped = if notes.ignores(attribute) {
                Shaped::Nothing
            } else {
                shape(&At::Attribute(&attribute.name), attribute, std::mem::take(value), notes)?
            };
            let path = |sub| AttrPath { extension: None, attribute: Arc::clone(&attribute.name), sub };
            *value = match shaped {
                Shaped::Value(shaped) => shaped,
                Shaped::Object(Object { members, cleared, .. }) => {
                    self.cleared.extend(cleared.into_iter().map(|sub| path(Some(sub))));
                    Value::Object(members)
                }
                Shaped::Unassigned => {
                    self.cleared.push(path(None));
                    Value::Null
                }
                Shaped::Nothing => Value::Null,
            };
            if is_blank(value) {
                gone.push(&attribute.name);
            }
        }
        for name in gone {
            self.resource.0.remove(&**name);
        }
        Ok(())
    }

    /// What stood under a name that is a path, or has another spelling.
    fn assign(&mut self, assignment: Assignment<'_>, notes: &mut Notes<'_>) -> Result<(), ScimError> {
        let attr = &assignment.path.attr;
        let is_schemas = attr.extension.is_none() && attr.sub.is_none() && *attr.attribute == *"schemas";
        if is_schemas || (notes.read_only == ReadOnly::Ignored && assignment.is_read_only()) {
            return Ok(());
        }
        let in_list = assignment.attribute.multi_valued && assignment.sub.is_some();
        if in_list || assignment.path.filter.is_some() {
            let mut ops = Vec::new();
            super::patch::assign(super::patch::Verb::Add, assignment, notes, &mut ops)?;
            self.deferred.extend(ops.into_iter().filter(|op| matches!(op, PatchOp::Add { .. })));
            return Ok(());
        }
        let Assignment { path, attribute, sub, value } = assignment;
        let attr = &path.attr;
        match shape(&At::Attribute(attr), sub.unwrap_or(attribute), value, notes)? {
            Shaped::Value(value) => self.place(attr, value),
            Shaped::Object(Object { members, cleared, .. }) => {
                self.cleared.extend(cleared.iter().map(|sub| attr.child(sub)));
                if members.is_empty() { Ok(()) } else { self.place(attr, Value::Object(members)) }
            }
            Shaped::Unassigned => {
                self.cleared.push(attr.clone());
                Ok(())
            }
            Shaped::Nothing => Ok(()),
        }
    }

    /// Stores a value; what is there already (under another spelling of the key) must be equal or complement it.
    fn place(&mut self, attr: &AttrPath, value: Value) -> Result<(), ScimError> {
        let Some(present) = self.resource.get(attr).cloned() else {
            self.resource.set(attr, Some(value));
            return Ok(());
        };
        let value = match (present, value) {
            (Value::Object(mut present), Value::Object(members)) => {
                for (name, value) in members {
                    put(&At::Sub(&At::Attribute(attr), &name), &mut present, &name, value)?;
                }
                Value::Object(present)
            }
            (present, value) if present == value => value,
            _ => return Err(ScimError::invalid_value(format!("{attr} is given twice, with different values"))),
        };
        self.resource.set(attr, Some(value));
        Ok(())
    }
}

/// The definitions of what stands under its own name in the core schema, in the order of the keys. Everything else is
/// taken out.
fn by_name<'a>(rt: &'a ResourceType, sent: &mut Map<String, Value>) -> (Vec<&'a Attribute>, Map<String, Value>) {
    let mut own = Vec::with_capacity(sent.len());
    let mut others = Vec::new();
    for key in sent.keys() {
        match rt.core_attribute(key).filter(|attribute| *attribute.name == **key) {
            Some(attribute) => own.push(attribute),
            None => others.push(key.clone()),
        }
    }
    (own, others.into_iter().filter_map(|key| sent.remove_entry(&key)).collect())
}

/// The entries of `schemas`, with the repairs that they need. The endpoint says what the resource is, so nothing in
/// the list is a reason to refuse it.
fn listed_schemas(rt: &ResourceType, sent: Option<Value>, notes: &mut Notes<'_>) -> Vec<Value> {
    let listed = match sent {
        Some(Value::Array(items)) => items,
        Some(one) => vec![one],
        None => Vec::new(),
    };
    let mut has_core = false;
    let mut has_legacy = false;
    for urn in listed.iter().filter_map(Value::as_str) {
        if *urn == *rt.schema.id {
            has_core = true;
        } else if is_legacy(urn) {
            has_legacy = true;
            notes.repair(Repair::LegacySchema);
        } else {
            match rt.resolve(urn) {
                Ok(Target::Core) => has_core = true,
                Ok(Target::Extension(_)) => {}
                _ => notes.repair(Repair::UnknownSchema),
            }
        }
    }
    if !has_core && !has_legacy {
        notes.repair(Repair::SchemasMissing);
    }
    listed
}

/// Counts extensions that have data but do not stand in `schemas`.
fn note_unlisted<'a>(
    rt: &ResourceType,
    used: impl Iterator<Item = &'a Schema>,
    listed: &[Value],
    notes: &mut Notes<'_>,
) {
    let mut urns = listed.iter().filter_map(Value::as_str).peekable();
    if urns.peek().is_none() {
        return;
    }
    for schema in used {
        let is_it = |urn: &str| matches!(rt.resolve(urn), Ok(Target::Extension(listed)) if listed.id == schema.id);
        if !urns.clone().any(is_it) {
            notes.repair(Repair::ExtensionNotListed);
        }
    }
}

/// What a schema requires, with its URN where it is an extension.
fn check_required(
    extension: Option<&Arc<str>>,
    schema: &Schema,
    resource: &Resource,
    cleared: &[AttrPath],
    purpose: Purpose,
) -> Result<(), ScimError> {
    for attribute in schema.attributes.iter().filter(|attribute| attribute.required) {
        let path = AttrPath { extension: extension.cloned(), attribute: attribute.name.clone(), sub: None };
        let refused = match purpose {
            Purpose::Create | Purpose::Replace => resource.get(&path).is_none(),
            Purpose::Merge => cleared.contains(&path),
            Purpose::Stored => false,
        };
        if refused {
            return Err(ScimError::invalid_value(format!("{path} is required")));
        }
    }
    Ok(())
}
