//! Reading and writing JSON along the steps of a native path. Recursion is bounded by the number of steps.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::document::{Items, View};

use super::Step;

pub(super) fn get<'d>(steps: &[Step], document: View<'d>) -> Option<View<'d>> {
    let mut found = document;
    for (index, step) in steps.iter().enumerate() {
        found = match step {
            Step::Name(name) => found.get(name)?,
            Step::Index(position) => element(found.items()?, *position)?,
            Step::Select(fields) => found.items()?.find(|item| selects(fields, *item))?,
            Step::Each => {
                let rest = steps.get(index + 1..)?;
                return found.items()?.find_map(|item| get(rest, item));
            }
        };
    }
    Some(found)
}

pub(super) fn get_all<'d>(steps: &[Step], document: View<'d>, found: &mut Vec<View<'d>>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(document);
        return;
    };
    if matches!(step, Step::Each) {
        for item in document.items().into_iter().flatten() {
            get_all(rest, item, found);
        }
    } else if let Some(inner) = get(std::slice::from_ref(step), document) {
        get_all(rest, inner, found);
    }
}

/// `into` has the structure of `from`.
pub(super) fn unveil(steps: &[Step], from: &Value, into: &mut Value) {
    let Some((step, rest)) = steps.split_first() else {
        *into = from.clone();
        return;
    };
    if let Step::Name(name) = step {
        if let (Some(from), Some(into)) = (from.get(&**name), into.get_mut(&**name)) {
            unveil(rest, from, into);
        }
        return;
    }
    let (Value::Array(from), Value::Array(into)) = (from, into) else { return };
    let position = match step {
        Step::Each => {
            from.iter().zip(into).for_each(|(from, into)| unveil(rest, from, into));
            return;
        }
        Step::Index(position) => usize::try_from(*position).ok().or(from.len().checked_sub(1)),
        Step::Select(fields) => from.iter().position(|item| selects(fields, View::of(item))),
        Step::Name(_) => None,
    };
    let Some((from, into)) = position.and_then(|position| Some((from.get(position)?, into.get_mut(position)?))) else {
        return;
    };
    if let (Step::Select(fields), Value::Object(object)) = (step, &mut *into) {
        object.extend(fields.iter().map(|(name, constant)| (name.to_string(), constant.clone())));
    }
    unveil(rest, from, into);
}

pub(super) fn put(steps: &[Step], document: &mut Value, value: Option<Value>) {
    let Some((step, rest)) = steps.split_first() else {
        *document = value.unwrap_or(Value::Null);
        return;
    };
    match step {
        Step::Name(name) => put_field(name, rest, document, value),
        Step::Index(position) => put_index(*position, rest, document, value),
        Step::Select(fields) => put_selected(fields, rest, document, value),
        Step::Each => {}
    }
}

fn put_field(name: &Arc<str>, rest: &[Step], document: &mut Value, value: Option<Value>) {
    let Some(value) = value else {
        if let Value::Object(object) = document {
            match (rest.is_empty(), object.get_mut(&**name)) {
                (true, _) => drop(object.remove(&**name)),
                (false, Some(inner)) => put(rest, inner, None),
                (false, None) => {}
            }
        }
        return;
    };
    let Some(object) = object_in(document) else { return };
    match object.get_mut(&**name).filter(|_| !rest.is_empty()) {
        Some(inner) => put(rest, inner, Some(value)),
        None => {
            let mut inner = Value::Null;
            put(rest, &mut inner, Some(value));
            object.insert(String::from(&**name), inner);
        }
    }
}

fn put_index(position: i32, rest: &[Step], document: &mut Value, value: Option<Value>) {
    let Ok(position) = usize::try_from(position) else { return };
    let Some(value) = value.filter(|value| !value.is_null()) else {
        remove_index(position, rest, document);
        return;
    };
    let Some(items) = list_in(document) else { return };
    // A gap would have to be filled with something nobody asked for, so the value goes to the end.
    let position = position.min(items.len());
    if position == items.len() {
        items.push(Value::Null);
    }
    if let Some(item) = items.get_mut(position) {
        put(rest, item, Some(value));
    }
}

fn remove_index(position: usize, rest: &[Step], document: &mut Value) {
    let Value::Array(items) = document else { return };
    if rest.is_empty() {
        if position < items.len() {
            items.remove(position);
        }
    } else if let Some(item) = items.get_mut(position) {
        put(rest, item, None);
    }
}

fn put_selected(fields: &[(Arc<str>, Value)], rest: &[Step], document: &mut Value, value: Option<Value>) {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        remove_selected(fields, rest, document);
        return;
    };
    let Some(items) = list_in(document) else { return };
    let position = items.iter().position(|item| selects(fields, View::of(item))).unwrap_or_else(|| {
        items.push(Value::Object(Map::new()));
        items.len() - 1
    });
    let Some(item) = items.get_mut(position) else { return };
    put(rest, item, Some(value));
    // A value that is the whole item must still be found by its selector afterwards.
    let constants = fields.iter().map(|(name, constant)| (name.to_string(), constant.clone()));
    if let Some(object) = object_in(item) {
        object.extend(constants);
    }
}

fn remove_selected(fields: &[(Arc<str>, Value)], rest: &[Step], document: &mut Value) {
    let Value::Array(items) = document else { return };
    let Some(position) = items.iter().position(|item| selects(fields, View::of(item))) else { return };
    let Some(item) = items.get_mut(position) else { return };
    let before = item.clone();
    if !rest.is_empty() {
        put(rest, item, None);
    }
    let only_selector = item.as_object().is_some_and(|object| {
        object.iter().all(|(name, value)| is_nothing(value) || fields.iter().any(|(field, _)| **field == **name))
    });
    if rest.is_empty() || (*item != before && only_selector) {
        items.remove(position);
    }
}

pub(super) fn strip(steps: &[Step], document: &mut Value) {
    match steps {
        [] => {}
        [Step::Name(name)] => {
            if let Value::Object(object) = document {
                object.remove(&**name);
            }
        }
        [Step::Each] => {
            if let Value::Array(items) = document {
                items.clear();
            }
        }
        [Step::Index(_) | Step::Select(_)] => put(steps, document, None),
        [Step::Each, rest @ ..] => {
            for item in document.as_array_mut().into_iter().flatten() {
                strip(rest, item);
            }
        }
        [Step::Name(name), rest @ ..] => {
            if let Some(inner) = document.get_mut(&**name) {
                strip(rest, inner);
            }
        }
        [step, rest @ ..] => {
            let items = document.as_array_mut().into_iter().flatten().enumerate();
            for (index, item) in items {
                let chosen = match step {
                    Step::Select(fields) => selects(fields, View::of(item)),
                    Step::Index(position) => usize::try_from(*position) == Ok(index),
                    Step::Name(_) | Step::Each => false,
                };
                if chosen {
                    strip(rest, item);
                    return;
                }
            }
        }
    }
}

fn element(mut items: Items<'_>, position: i32) -> Option<View<'_>> {
    match usize::try_from(position) {
        Ok(position) => items.nth(position),
        Err(_) => items.last(),
    }
}

fn selects(fields: &[(Arc<str>, Value)], item: View<'_>) -> bool {
    fields.iter().all(|(name, value)| item.get(name).is_some_and(|found| found.is(value)))
}

/// What counts as unassigned in a list item: an emptied list or object is nothing either.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// The object there; what is no object is replaced by an empty one.
fn object_in(value: &mut Value) -> Option<&mut Map<String, Value>> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

/// The list there; what is no list is replaced by an empty one.
fn list_in(value: &mut Value) -> Option<&mut Vec<Value>> {
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    value.as_array_mut()
}
