//! Canonical resources from the bodies of POST and PUT.
//!
//! In: a body as sent. Out: a resource whose every value has the type of its attribute, plus which attributes were
//! sent as unassigned: RFC 7643 2.5 makes absent, null and `[]` one state, but to a PUT that keeps what is omitted
//! they are two instructions. Defaults, references and uniqueness are not looked at.

use serde_json::{Map, Value};

use super::catalogue::{Repair, Repairs};
use super::expand::{Assignment, expand, is_legacy};
use super::notes::{At, Notes, ReadOnly};
use super::patch::PatchLimits;
use super::shape::{Object, Shaped, put, shape};
use crate::scim::patch::{PatchOp, apply};
use crate::scim::schema::Schema;
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
    let Value::Object(sent) = body else {
        return Err(ScimError::invalid_syntax("the body must be a JSON object"));
    };
    let read_only = if purpose == Purpose::Stored { ReadOnly::Kept } else { ReadOnly::Ignored };
    let mut notes = Notes::new(repairs, read_only, limits.max_values);
    let listed = listed_schemas(rt, &sent, &mut notes);
    let mut draft = Draft::default();
    for assignment in expand(rt, sent, &limits.filter, &mut notes)? {
        let attr = &assignment.path.attr;
        let is_schemas = attr.extension.is_none() && attr.sub.is_none() && *attr.attribute == *"schemas";
        if !is_schemas && (purpose == Purpose::Stored || !assignment.is_read_only()) {
            draft.assign(assignment, &mut notes)?;
        }
    }
    let Draft { resource, mut cleared, deferred } = draft;
    let resource = if deferred.is_empty() { resource } else { apply(rt, resource, &deferred)? };
    cleared.retain(|path| resource.get(path).is_none());
    note_unlisted(rt, &resource, &listed, &mut notes);
    check_required(rt, &resource, &cleared, purpose)?;
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
    fn assign(&mut self, assignment: Assignment<'_>, notes: &mut Notes<'_>) -> Result<(), ScimError> {
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

/// The entries of `schemas`, with the repairs that they need. The endpoint says what the resource is, so nothing in
/// the list is a reason to refuse it.
fn listed_schemas(rt: &ResourceType, sent: &Map<String, Value>, notes: &mut Notes<'_>) -> Vec<String> {
    let listed: Vec<String> = match sent.iter().find(|(key, _)| key.eq_ignore_ascii_case("schemas")) {
        Some((_, Value::Array(items))) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some((_, Value::String(one))) => vec![one.clone()],
        _ => Vec::new(),
    };
    let mut has_core = false;
    for urn in &listed {
        match rt.resolve(urn) {
            _ if is_legacy(urn) => notes.repair(Repair::LegacySchema),
            Ok(Target::Core) => has_core = true,
            Ok(Target::Extension(_)) => {}
            _ => notes.repair(Repair::UnknownSchema),
        }
    }
    if !has_core && !listed.iter().any(|urn| is_legacy(urn)) {
        notes.repair(Repair::SchemasMissing);
    }
    listed
}

/// Counts extensions that have data but do not stand in `schemas`.
fn note_unlisted(rt: &ResourceType, resource: &Resource, listed: &[String], notes: &mut Notes<'_>) {
    if listed.is_empty() {
        return;
    }
    for schema in &rt.extensions {
        let is_listed =
            || listed.iter().any(|urn| matches!(rt.resolve(urn), Ok(Target::Extension(s)) if s.id == schema.id));
        if resource.0.contains_key(&*schema.id) && !is_listed() {
            notes.repair(Repair::ExtensionNotListed);
        }
    }
}

fn check_required(
    rt: &ResourceType,
    resource: &Resource,
    cleared: &[AttrPath],
    purpose: Purpose,
) -> Result<(), ScimError> {
    let used = |schema: &&Schema| resource.0.contains_key(&*schema.id);
    let core = rt.schema.attributes.iter().map(|attribute| (None, attribute));
    let extensions = rt.extensions.iter().filter(used);
    let extended = extensions.flat_map(|schema| schema.attributes.iter().map(move |a| (Some(schema.id.clone()), a)));
    for (extension, attribute) in core.chain(extended).filter(|(_, attribute)| attribute.required) {
        let path = AttrPath { extension, attribute: attribute.name.clone(), sub: None };
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
