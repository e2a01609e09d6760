//! What canonical operations ask for, without looking at the resource: the attributes they touch, and the change of a
//! membership.
//!
//! A group can be too big to read for every change, and identity providers name the members they add and remove. So
//! a plan may send that difference as it is. This module says when it can; whether it should is for the plan.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::PatchOp;
use super::elements::equal_value;
use crate::scim::AttrPath;
use crate::scim::filter::Filter;

/// The net change that operations make to a list of references.
#[derive(Clone, Debug, PartialEq)]
pub enum MemberChange {
    /// They do not mention it.
    None,
    /// Named elements come and go; the others stay.
    Delta {
        /// Elements to add, each with a `value`, in order of first mention.
        add: Vec<Value>,
        /// `value`s to remove, in order of first mention. None of them is also added.
        remove: Vec<String>,
    },
    /// The list becomes exactly this.
    Set(Vec<Value>),
    /// The outcome depends on the current elements: read, [`apply()`](super::apply()) and compare.
    NeedsState,
}

/// Every attribute that the operations may change, in order of first mention: `name.givenName` rather than `name`
/// where an operation names or carries single sub-attributes, always the whole attribute behind a value filter.
pub fn touched(ops: &[PatchOp]) -> Vec<AttrPath> {
    let mut seen = HashSet::new();
    let mut paths = Vec::new();
    let mut note = |path: AttrPath| {
        if seen.insert(path.clone()) {
            paths.push(path);
        }
    };
    for op in ops {
        let path = op.path();
        match op {
            _ if path.filter.is_some() => note(path.attr.parent()),
            PatchOp::Add { value: Value::Object(members), .. }
            | PatchOp::Replace { value: Value::Object(members), .. } => {
                for name in members.keys() {
                    note(path.attr.child(&name.as_str().into()));
                }
            }
            _ => note(path.attr.clone()),
        }
    }
    paths
}

/// Whether some operation is a bare `remove` of the attribute, with neither filter nor value: the one form that empties
/// a group without naming anybody. Replacing by an empty list is not it, because that names the new state.
pub fn is_clear(ops: &[PatchOp], attribute: &str) -> bool {
    ops.iter().any(|op| matches!(op, PatchOp::Remove { path } if names(op, attribute) && path.filter.is_none() && path.attr.sub.is_none()))
}

/// Folds the operations on one core attribute (`members`), in order. Adding and then removing a value is a removal,
/// because it may have been there before; a replacement forgets what came before it.
pub fn member_change(ops: &[PatchOp], attribute: &str) -> MemberChange {
    let mut fold = Fold::default();
    for op in ops.iter().filter(|op| names(op, attribute)) {
        if fold.step(op).is_none() {
            return MemberChange::NeedsState;
        }
    }
    fold.finish()
}

fn names(op: &PatchOp, attribute: &str) -> bool {
    let attr = &op.path().attr;
    attr.extension.is_none() && &*attr.attribute == attribute
}

#[derive(Default)]
struct Fold {
    touched: bool,
    /// Whether the list starts from nothing rather than from what is stored.
    from_nothing: bool,
    added: Ordered<Value>,
    removed: Ordered<()>,
}

impl Fold {
    /// One operation; `None` if its effect depends on what is stored.
    fn step(&mut self, op: &PatchOp) -> Option<()> {
        self.touched = true;
        let path = op.path();
        if path.attr.sub.is_some() {
            return None;
        }
        match (op, &path.filter) {
            (PatchOp::Add { value, .. }, None) => self.add(value),
            (PatchOp::Replace { value, .. }, None) => {
                self.clear();
                self.add(value)
            }
            (PatchOp::Remove { .. }, None) => {
                self.clear();
                Some(())
            }
            (PatchOp::Remove { .. }, Some(filter)) => {
                named(filter)?.into_iter().for_each(|value| self.remove(value));
                Some(())
            }
            (PatchOp::RemoveElements { values, .. }, None) => {
                for element in values {
                    self.remove(value_of(element)?);
                }
                Some(())
            }
            _ => None,
        }
    }

    fn add(&mut self, value: &Value) -> Option<()> {
        let elements = match value {
            Value::Array(elements) => elements.as_slice(),
            single => std::slice::from_ref(single),
        };
        for element in elements {
            let value = value_of(element)?;
            self.removed.remove(value);
            self.added.insert(value, element.clone());
        }
        Some(())
    }

    fn remove(&mut self, value: &str) {
        self.added.remove(value);
        if !self.from_nothing {
            self.removed.insert(value, ());
        }
    }

    fn clear(&mut self) {
        *self = Self { touched: true, from_nothing: true, ..Self::default() };
    }

    fn finish(self) -> MemberChange {
        match self {
            Self { touched: false, .. } => MemberChange::None,
            Self { from_nothing: true, added, .. } => {
                MemberChange::Set(added.into_entries().map(|(_, element)| element).collect())
            }
            Self { added, removed, .. } => MemberChange::Delta {
                add: added.into_entries().map(|(_, element)| element).collect(),
                remove: removed.into_entries().map(|(value, ())| value).collect(),
            },
        }
    }
}

fn value_of(element: &Value) -> Option<&str> {
    match element {
        Value::String(text) => Some(text),
        _ => element.get("value")?.as_str(),
    }
}

/// The values that a filter names one by one: `value eq "a"`, or several of these joined by `or`.
fn named(filter: &Filter) -> Option<Vec<&str>> {
    match filter {
        Filter::Or(parts) => parts.iter().map(equal_value).collect(),
        _ => equal_value(filter).map(|value| vec![value]),
    }
}

/// A map that keeps the order of first insertion.
struct Ordered<T> {
    places: HashMap<String, usize>,
    entries: Vec<Option<(String, T)>>,
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self { places: HashMap::new(), entries: Vec::new() }
    }
}

impl<T> Ordered<T> {
    fn insert(&mut self, key: &str, value: T) {
        if !self.places.contains_key(key) {
            self.places.insert(key.to_owned(), self.entries.len());
            self.entries.push(Some((key.to_owned(), value)));
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some(entry) = self.places.remove(key).and_then(|place| self.entries.get_mut(place)) {
            *entry = None;
        }
    }

    fn into_entries(self) -> impl Iterator<Item = (String, T)> {
        self.entries.into_iter().flatten()
    }
}
