//! Applies canonical operations to a resource (RFC 7644 3.5.2).
//!
//! In: a canonical resource and canonical operations. Out: the resource after all of them, or the error of the first
//! that fails; PATCH is atomic, and the caller's copy is what "before" means. Where the RFC leaves room or clients
//! contradict it, the readings are:
//!
//! * adding or replacing through a value filter that matches nothing makes the element, if the filter says how it
//!   looks (a conjunction of `eq`); otherwise 400 `noTarget`;
//! * removing what is not there succeeds;
//! * an element (and a single complex value) that loses its `value` goes as a whole;
//! * a reference (`manager`) that gets another `value` forgets what described the old one;
//! * setting `primary` on one element takes it from the others.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::elements::{Elements, constants, is_reference, merge};
use super::{PatchOp, PatchPath};
use crate::scim::filter::Filter;
use crate::scim::schema::{Attribute, Mutability};
use crate::scim::{AttrPath, AttributeType, Resource, ResourceType, ScimError};

/// The resource after the operations, applied in order.
///
/// # Errors
/// 400 `noTarget` (value filter without match that cannot be turned into an element; sub-attribute of a list without
/// elements), 400 `mutability` (immutable value changed), 400 `invalidValue` (required value gone), 400 `invalidPath`
/// (a path that this resource type does not have).
pub fn apply(rt: &ResourceType, current: Resource, ops: &[PatchOp]) -> Result<Resource, ScimError> {
    let touched = touched_attributes(rt, ops);
    let frozen = frozen(&current, &touched);
    let mut work = Work { resource: current, lists: HashMap::new() };
    for op in ops {
        let attr = &op.path().attr;
        let attribute = definition(rt, attr).ok_or_else(|| ScimError::invalid_path(format!("{attr} is unknown")))?;
        if attribute.multi_valued {
            change_list(work.list(attr, attribute), attribute, op)?;
        } else {
            change_single(&mut work.resource, attribute, op)?;
        }
    }
    let after = work.finish();
    check_required(&after, &touched)?;
    check_frozen(&after, frozen)?;
    Ok(after)
}

/// The definition behind the attribute name of a path, without its sub-attribute.
fn definition<'a>(rt: &'a ResourceType, attr: &AttrPath) -> Option<&'a Attribute> {
    rt.definition(&attr.parent()).map(|(attribute, _)| attribute)
}

/// The resource being changed. Lists are taken out of it when an operation first names them.
struct Work<'a> {
    resource: Resource,
    lists: HashMap<AttrPath, Elements<'a>>,
}

impl<'a> Work<'a> {
    fn list(&mut self, attr: &AttrPath, attribute: &'a Attribute) -> &mut Elements<'a> {
        self.lists.entry(attr.parent()).or_insert_with_key(|path| {
            let stored = self.resource.get(path).cloned();
            self.resource.set(path, None);
            Elements::load(attribute, stored)
        })
    }

    fn finish(mut self) -> Resource {
        for (path, elements) in self.lists {
            self.resource.set(&path, elements.into_value());
        }
        self.resource
    }
}

fn change_single(resource: &mut Resource, attribute: &Attribute, op: &PatchOp) -> Result<(), ScimError> {
    let PatchPath { attr, filter } = op.path();
    if filter.is_some() {
        return Err(ScimError::invalid_path(format!("{attr} holds one value and takes no filter")));
    }
    match op {
        PatchOp::Add { value, .. } | PatchOp::Replace { value, .. } => {
            let value = match &attr.sub {
                Some(sub) => Value::Object(Map::from_iter([(sub.to_string(), value.clone())])),
                None => value.clone(),
            };
            set_single(resource, &attr.parent(), attribute, value);
        }
        PatchOp::Remove { .. } | PatchOp::RemoveElements { .. } => match &attr.sub {
            Some(sub) if !is_value_of(attribute, sub) => resource.set(attr, None),
            _ => resource.set(&attr.parent(), None),
        },
    }
    Ok(())
}

fn set_single(resource: &mut Resource, path: &AttrPath, attribute: &Attribute, value: Value) {
    if attribute.kind != AttributeType::Complex {
        resource.set(path, Some(value));
        return;
    }
    let mut merged = resource.get(path).cloned().unwrap_or_default();
    let moves = value.get("value").is_some_and(|value| merged.get("value") != Some(value));
    if merged.is_null() || (moves && is_reference(attribute)) {
        merged = Value::Object(Map::new());
    }
    merge(&mut merged, value);
    let is_empty = merged.as_object().is_none_or(Map::is_empty);
    resource.set(path, (!is_empty).then_some(merged));
}

fn change_list(list: &mut Elements<'_>, attribute: &Attribute, op: &PatchOp) -> Result<(), ScimError> {
    let PatchPath { attr, filter } = op.path();
    match (op, filter, &attr.sub) {
        (PatchOp::Add { value, .. }, None, None) => add_all(list, value),
        (PatchOp::Replace { value, .. }, None, None) => {
            list.clear();
            add_all(list, value);
        }
        (PatchOp::Add { value, .. } | PatchOp::Replace { value, .. }, filter, Some(sub)) => {
            change_elements(list, attr, filter.as_ref(), |element| set_member(element, sub, value.clone()))?;
        }
        (PatchOp::Add { value, .. }, Some(filter), None) => {
            change_elements(list, attr, Some(filter), |element| merge(element, value.clone()))?;
        }
        (PatchOp::Replace { value, .. }, Some(filter), None) => {
            let value = with_constants(value.clone(), filter);
            change_elements(list, attr, Some(filter), |element| *element = value.clone())?;
        }
        (PatchOp::RemoveElements { values, .. }, filter, _) => list.remove_equal(values, filter.as_ref()),
        (PatchOp::Remove { .. }, None, None) => list.clear(),
        (PatchOp::Remove { .. }, filter, sub) => {
            for slot in found(list, filter.as_ref()) {
                match sub {
                    Some(sub) if !is_value_of(attribute, sub) => {
                        list.update(slot, |element| set_member(element, sub, Value::Null))?;
                    }
                    _ => list.remove(slot),
                }
            }
        }
    }
    Ok(())
}

fn add_all(list: &mut Elements<'_>, value: &Value) {
    let elements = match value {
        Value::Array(elements) => elements.as_slice(),
        element => std::slice::from_ref(element),
    };
    for element in elements {
        list.add(element.clone());
    }
}

/// Changes the elements that a path means: those that its filter finds, or else the one that it describes.
fn change_elements(
    list: &mut Elements<'_>,
    attr: &AttrPath,
    filter: Option<&Filter>,
    change: impl Fn(&mut Value),
) -> Result<(), ScimError> {
    let found = found(list, filter);
    for slot in &found {
        list.update(*slot, &change)?;
    }
    if let Some(last) = found.last() {
        list.promote(*last);
        return Ok(());
    }
    let made = filter.and_then(|filter| Some((filter, list.synthesise(filter)?)));
    if let Some((filter, slot)) = made {
        list.update(slot, &change)?;
        list.promote(slot);
        // Otherwise the same request would make another element each time.
        if list.satisfies(slot, filter) {
            return Ok(());
        }
    }
    let reason = "no element matches the path, and its filter does not describe one that could be made";
    Err(ScimError::no_target(format!("{}: {reason}", attr.parent())))
}

/// The places of the elements that a filter finds; of all without one.
fn found(list: &mut Elements<'_>, filter: Option<&Filter>) -> Vec<usize> {
    match filter {
        Some(filter) => list.matching(filter),
        None => list.all(),
    }
}

fn set_member(element: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = element {
        if value.is_null() { drop(members.remove(name)) } else { drop(members.insert(name.to_owned(), value)) }
    }
}

/// A replaced element goes on satisfying the equalities it was found by, unless the new value says otherwise.
fn with_constants(value: Value, filter: &Filter) -> Value {
    match (value, constants(filter)) {
        (Value::Object(members), Some(mut element)) => {
            element.extend(members);
            Value::Object(element)
        }
        (value, _) => value,
    }
}

/// Whether removing this sub-attribute leaves nothing worth keeping.
fn is_value_of(attribute: &Attribute, sub: &str) -> bool {
    sub == "value" && attribute.sub_attribute("value").is_some()
}

/// The attributes that the operations name, as wholes.
fn touched_attributes<'a>(rt: &'a ResourceType, ops: &[PatchOp]) -> Vec<(AttrPath, &'a Attribute)> {
    let paths = super::touched(ops).into_iter().map(|path| path.parent());
    paths.filter_map(|path| definition(rt, &path).map(|attribute| (path, attribute))).collect()
}

/// The immutable values that the operations could change.
fn frozen(current: &Resource, touched: &[(AttrPath, &Attribute)]) -> Vec<(AttrPath, Value)> {
    let immutable = touched.iter().filter(|(_, attribute)| attribute.mutability == Mutability::Immutable);
    immutable.filter_map(|(path, _)| Some((path.clone(), current.get(path)?.clone()))).collect()
}

fn check_frozen(after: &Resource, frozen: Vec<(AttrPath, Value)>) -> Result<(), ScimError> {
    match frozen.into_iter().find(|(path, before)| after.get(path) != Some(before)) {
        Some((path, _)) => Err(ScimError::mutability(format!("{path} cannot be changed once it has a value"))),
        None => Ok(()),
    }
}

/// Refuses operations that leave a required attribute without a value. What was missing before and is not touched is
/// not this request's fault.
fn check_required(after: &Resource, touched: &[(AttrPath, &Attribute)]) -> Result<(), ScimError> {
    match touched.iter().find(|(path, attribute)| attribute.required && after.get(path).is_none()) {
        Some((path, _)) => Err(ScimError::invalid_value(format!("{path} is required and cannot be removed"))),
        None => Ok(()),
    }
}
