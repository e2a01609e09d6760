//! A SCIM resource in canonical form: a JSON object whose keys have the spelling of the schema.

use ref_cast::RefCast;
use serde_json::{Map, Value};

use super::attr_path::AttrPath;

/// A resource. Extension attributes are nested under their URN; absent, null and `[]` are all "unassigned"
/// (RFC 7643 2.5) and a canonical resource holds none of them.
#[derive(Clone, Debug, Default, PartialEq, RefCast)]
#[repr(transparent)]
pub struct Resource(pub Map<String, Value>);

impl Resource {
    /// The resource that a JSON object is, without a copy.
    pub fn of(value: &Value) -> Option<&Self> {
        value.as_object().map(Self::ref_cast)
    }

    /// The value at a path. For a sub-attribute of a multi-valued attribute this is `None`: filters look at elements
    /// one by one.
    pub fn get(&self, path: &AttrPath) -> Option<&Value> {
        let container = match &path.extension {
            Some(urn) => self.0.get(&**urn)?.as_object()?,
            None => &self.0,
        };
        let value = container.get(&*path.attribute)?;
        match &path.sub {
            Some(sub) => value.as_object()?.get(&**sub),
            None => Some(value),
        }
    }

    /// Sets or, with `None`, removes the value at a path; makes and drops the objects around it as needed.
    pub fn set(&mut self, path: &AttrPath, value: Option<Value>) {
        match &path.extension {
            Some(urn) => within(&mut self.0, urn, |container| set_in(container, path, value)),
            None => set_in(&mut self.0, path, value),
        }
    }

    /// The id, if there is one.
    pub fn id(&self) -> Option<&str> {
        self.0.get("id").and_then(Value::as_str)
    }
}

fn set_in(container: &mut Map<String, Value>, path: &AttrPath, value: Option<Value>) {
    match &path.sub {
        Some(sub) => within(container, &path.attribute, |object| put(object, sub, value)),
        None => put(container, &path.attribute, value),
    }
}

fn put(object: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            object.insert(key.to_owned(), value);
        }
        None => {
            object.remove(key);
        }
    }
}

/// Runs `change` on the object under `key`; an object that ends up empty is dropped.
fn within(parent: &mut Map<String, Value>, key: &str, change: impl FnOnce(&mut Map<String, Value>)) {
    if let Some(Value::Object(object)) = parent.get_mut(key) {
        change(object);
        if object.is_empty() {
            parent.remove(key);
        }
        return;
    }
    let mut object = Map::new();
    change(&mut object);
    if object.is_empty() {
        parent.remove(key);
    } else {
        parent.insert(key.to_owned(), Value::Object(object));
    }
}
