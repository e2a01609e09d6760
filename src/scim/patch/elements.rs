//! A multi-valued attribute while it is being changed.
//!
//! In: elements in canonical form. Out: the same list with elements added, changed or removed, in the order of their
//! first appearance. Adding and removing by value cost a hash lookup, not a scan, because groups have tens of
//! thousands of members. This module evaluates filters on elements but does not parse them.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use crate::scim::compare::{fold, scalar_eq};
use crate::scim::filter::{CompareOp, Comparison, Filter};
use crate::scim::schema::{Attribute, Mutability};
use crate::scim::{AttributeType, ScimError};

/// The elements of one attribute. Two elements are the same element if their `value` is the same and their `type` is
/// not different (RFC 7643 2.4: no combination of `value` and `type` more than once); references are the same if their
/// `value` is; elements without a `value` are the same if all else but `primary` is.
pub(crate) struct Elements<'a> {
    attribute: &'a Attribute,
    slots: Vec<Slot>,
    index: HashMap<String, Same>,
    /// The first so many slots are in the index. Most lists have one element, which nothing is compared with.
    entered: usize,
}

/// One element; `None` when it has been removed.
struct Slot {
    element: Option<Value>,
    /// Tells index entries that are out of date.
    generation: u32,
    /// Whether it was changed where it stands, so that it may have become equal to another.
    changed: bool,
}

/// The elements that share a `value`.
#[derive(Default)]
struct Same {
    all: Vec<Handle>,
    typed: BTreeMap<String, Handle>,
    untyped: Option<Handle>,
}

/// Where an added element is.
#[derive(Clone, Copy)]
pub(crate) struct Added {
    /// Its place.
    pub(crate) slot: usize,
    /// Whether the list has one element more.
    pub(crate) grew: bool,
}

#[derive(Clone, Copy)]
struct Handle {
    slot: usize,
    generation: u32,
}

/// What makes an element itself.
#[derive(PartialEq)]
struct Identity {
    value: String,
    kind: Option<String>,
}

impl Identity {
    /// Whether both can be the same element: the same value, and no two different types.
    fn agrees(&self, other: &Self) -> bool {
        let types_differ = matches!((&self.kind, &other.kind), (Some(own), Some(other)) if own != other);
        self.value == other.value && !types_differ
    }
}

impl<'a> Elements<'a> {
    /// Takes the stored list as it is: what it repeats stays repeated until an operation changes an element.
    pub(crate) fn load(attribute: &'a Attribute, stored: Option<Value>) -> Self {
        let mut elements = Self { attribute, slots: Vec::new(), index: HashMap::new(), entered: 0 };
        match stored {
            Some(Value::Array(stored)) => stored.into_iter().for_each(|element| elements.push(element)),
            Some(single) => elements.push(single),
            None => {}
        }
        elements
    }

    /// The list, or `None` when nothing is left. Elements that a change has made equal are one.
    pub(crate) fn into_value(self) -> Option<Value> {
        let Self { attribute, mut slots, .. } = self;
        if slots.iter().any(|slot| slot.changed) {
            slots = distinct(attribute, slots);
        }
        let left: Vec<Value> = slots.into_iter().filter_map(|slot| slot.element).collect();
        (!left.is_empty()).then_some(Value::Array(left))
    }

    /// Adds an element, or what it has to say beyond the one that it equals.
    pub(crate) fn add(&mut self, element: Value) -> Added {
        let primary = is_primary(&element);
        self.enter_all();
        let found = if self.index.is_empty() { None } else { self.find(&self.identity(&element)) };
        let added = match found {
            Some(slot) => {
                if let Value::Object(members) = element {
                    let news = self.news(slot, members);
                    self.rewrite(slot, |current| merge(current, Value::Object(news)));
                }
                Added { slot, grew: false }
            }
            None => {
                self.push(element);
                Added { slot: self.slots.len() - 1, grew: true }
            }
        };
        if primary {
            self.demote_all_but(added.slot);
        }
        added
    }

    /// Removes every element.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.index.clear();
        self.entered = 0;
    }

    /// Removes the elements that equal one of `wanted`, by the measure of [`Elements`]. With a filter, only elements
    /// that satisfy it are removed.
    pub(crate) fn remove_equal(&mut self, wanted: &[Value], filter: Option<&Filter>) {
        self.enter_all();
        for element in wanted {
            let wanted = self.identity(element);
            for slot in self.with_value(&wanted.value) {
                let is_meant = self.element(slot).is_some_and(|element| self.identity(element).agrees(&wanted));
                if is_meant && filter.is_none_or(|filter| self.satisfies(slot, filter)) {
                    self.remove(slot);
                }
            }
        }
    }

    /// The places of all elements.
    pub(crate) fn all(&self) -> Vec<usize> {
        (0..self.slots.len()).filter(|slot| self.element(*slot).is_some()).collect()
    }

    /// The places of the elements that satisfy a filter.
    pub(crate) fn matching(&mut self, filter: &Filter) -> Vec<usize> {
        self.enter_all();
        match self.indexed(filter) {
            Some(key) => self.with_value(&key).into_iter().filter(|slot| self.satisfies(*slot, filter)).collect(),
            None => self.all().into_iter().filter(|slot| self.satisfies(*slot, filter)).collect(),
        }
    }

    /// Changes one element. An element that loses everything is removed.
    ///
    /// # Errors
    /// 400 `mutability` if an immutable sub-attribute that had a value gets another one.
    pub(crate) fn update(&mut self, slot: usize, change: impl FnOnce(&mut Value)) -> Result<(), ScimError> {
        let frozen = self.frozen(slot);
        self.rewrite(slot, change);
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.changed = true;
        }
        for (name, before) in frozen {
            let after = self.element(slot).and_then(|element| element.get(&name));
            if after.is_some_and(|after| *after != before) {
                return Err(ScimError::mutability(format!("{}.{name} cannot be changed", self.attribute.name)));
            }
        }
        if self.element(slot).is_some_and(is_empty) {
            self.remove(slot);
        }
        Ok(())
    }

    /// Removes one element.
    pub(crate) fn remove(&mut self, slot: usize) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.element = None;
        }
    }

    /// Makes this the only element whose `primary` is true (RFC 7643 2.4).
    pub(crate) fn promote(&mut self, slot: usize) {
        if self.element(slot).is_some_and(is_primary) {
            self.demote_all_but(slot);
        }
    }

    /// Appends the element that a filter describes, and answers its place. `None` if the filter is not a plain
    /// conjunction of equalities, or contradicts itself.
    pub(crate) fn synthesise(&mut self, filter: &Filter) -> Option<usize> {
        let mut members = constants(filter)?;
        self.push(match self.attribute.kind {
            AttributeType::Complex => Value::Object(members),
            _ => members.remove("value")?,
        });
        let slot = self.slots.len() - 1;
        if self.satisfies(slot, filter) {
            self.promote(slot);
            return Some(slot);
        }
        self.remove(slot);
        None
    }

    fn element(&self, slot: usize) -> Option<&Value> {
        self.slots.get(slot)?.element.as_ref()
    }

    /// Whether the element at a place satisfies a filter.
    pub(crate) fn satisfies(&self, slot: usize, filter: &Filter) -> bool {
        self.element(slot).is_some_and(|element| filter.matches_element(element))
    }

    fn push(&mut self, element: Value) {
        self.slots.push(Slot { element: Some(element), generation: 0, changed: false });
    }

    /// Brings the index up to date.
    fn enter_all(&mut self) {
        while self.entered < self.slots.len() {
            self.enter(self.entered);
            self.entered += 1;
        }
    }

    /// Changes an element and, if it is another one afterwards, its place in the index.
    fn rewrite(&mut self, slot: usize, change: impl FnOnce(&mut Value)) {
        let Some(before) = self.element(slot).map(|element| self.identity(element)) else { return };
        if let Some(Slot { element: Some(element), .. }) = self.slots.get_mut(slot) {
            change(element);
        }
        // What is not in the index yet is entered as it is by then.
        if slot < self.entered && self.element(slot).map(|element| self.identity(element)) != Some(before) {
            if let Some(slot) = self.slots.get_mut(slot) {
                slot.generation += 1;
            }
            self.enter(slot);
        }
    }

    fn enter(&mut self, slot: usize) {
        let Some(Slot { element: Some(element), generation, .. }) = self.slots.get(slot) else { return };
        let handle = Handle { slot, generation: *generation };
        let identity = self.identity(element);
        let same = self.index.entry(identity.value).or_default();
        if same.all.len() == same.all.capacity() {
            same.all.retain(|handle| is_current(&self.slots, *handle));
        }
        same.all.push(handle);
        match identity.kind {
            Some(kind) => same.typed.insert(kind, handle),
            None => same.untyped.replace(handle),
        };
    }

    /// The place of the element that equals the one described: of the same type, else of no type.
    fn find(&self, identity: &Identity) -> Option<usize> {
        let same = self.index.get(&identity.value)?;
        let Some(kind) = &identity.kind else {
            return same.all.iter().find(|handle| is_current(&self.slots, **handle)).map(|handle| handle.slot);
        };
        for handle in [same.typed.get(kind), same.untyped.as_ref()].into_iter().flatten() {
            if is_current(&self.slots, *handle) {
                return Some(handle.slot);
            }
        }
        None
    }

    fn with_value(&self, key: &str) -> Vec<usize> {
        let Some(same) = self.index.get(key) else { return Vec::new() };
        let current = same.all.iter().filter(|handle| is_current(&self.slots, **handle));
        let mut found: Vec<usize> = current.map(|handle| handle.slot).collect();
        found.sort_unstable();
        found
    }

    fn demote_all_but(&mut self, kept: usize) {
        for (place, slot) in self.slots.iter_mut().enumerate() {
            let Some(Value::Object(element)) = &mut slot.element else { continue };
            if place != kept && element.get("primary") == Some(&Value::Bool(true)) {
                element.insert("primary".to_owned(), Value::Bool(false));
            }
        }
    }

    fn frozen(&self, slot: usize) -> Vec<(String, Value)> {
        let Some(Value::Object(element)) = self.element(slot) else { return Vec::new() };
        let immutable = self.attribute.sub_attributes.iter().filter(|sub| sub.mutability == Mutability::Immutable);
        immutable.filter_map(|sub| Some((sub.name.to_string(), element.get(&*sub.name)?.clone()))).collect()
    }

    /// The members of an added element that the present one does not have yet. What equals the present value is left
    /// out (RFC 7644 3.5.2.1: no change), and so is what is immutable: adding what is there is no attempt to change it.
    fn news(&self, slot: usize, mut members: Map<String, Value>) -> Map<String, Value> {
        let Some(Value::Object(present)) = self.element(slot) else { return members };
        members.retain(|name, value| {
            let (Some(current), Some(sub)) = (present.get(name), self.attribute.sub_attribute(name)) else {
                return true;
            };
            sub.mutability != Mutability::Immutable && !scalar_eq(current, value, sub.kind, sub.case_exact)
        });
        members
    }

    /// The index key if the filter asks for one `value` as exactly as the index keeps it.
    fn indexed(&self, filter: &Filter) -> Option<String> {
        let (Filter::Compare(comparison), Some(text)) = (filter, equal_value(filter)) else { return None };
        (comparison.case_exact == self.is_exact()).then(|| self.value_key(text))
    }

    fn is_exact(&self) -> bool {
        self.attribute.sub_attribute("value").unwrap_or(self.attribute).case_exact
    }

    fn value_key(&self, text: &str) -> String {
        let text = if self.is_exact() { text.to_owned() } else { fold(text) };
        format!("\"{text}")
    }

    fn identity(&self, element: &Value) -> Identity {
        let Value::Object(members) = element else {
            return Identity { value: self.scalar_key(element), kind: None };
        };
        let Some(value) = members.get("value") else {
            return Identity { value: whole_key(self.attribute, members), kind: None };
        };
        let kind = members.get("type").filter(|_| !is_reference(self.attribute));
        let kind = kind.and_then(Value::as_str).map(fold);
        Identity { value: self.scalar_key(value), kind }
    }

    fn scalar_key(&self, value: &Value) -> String {
        value.as_str().map_or_else(|| value.to_string(), |text| self.value_key(text))
    }
}

/// Elements with those merged that have become equal; what a change has set wins over what was there.
fn distinct(attribute: &Attribute, slots: Vec<Slot>) -> Vec<Slot> {
    let mut distinct = Elements::load(attribute, None);
    for Slot { element, changed, .. } in slots {
        let Some(element) = element else { continue };
        let Added { slot, grew } = distinct.add(element.clone());
        if changed && !grew {
            distinct.rewrite(slot, |present| merge(present, element));
        }
    }
    distinct.slots
}

/// The text that a filter compares `value` with, if that is all it does.
pub(crate) fn equal_value(filter: &Filter) -> Option<&str> {
    match filter {
        Filter::Compare(Comparison { path, op: CompareOp::Eq, value, .. })
            if &*path.attribute == "value" && path.sub.is_none() =>
        {
            value.as_str()
        }
        _ => None,
    }
}

/// The sub-attributes that an element must have to satisfy a conjunction of equalities; `None` for any other filter.
pub(crate) fn constants(filter: &Filter) -> Option<Map<String, Value>> {
    let mut found = Map::new();
    let mut open = vec![filter];
    while let Some(part) = open.pop() {
        match part {
            Filter::And(parts) => open.extend(parts),
            Filter::Compare(Comparison { path, op: CompareOp::Eq, value, .. }) if !value.is_null() => {
                found.insert(path.attribute.to_string(), value.clone());
            }
            _ => return None,
        }
    }
    Some(found)
}

/// Whether the values of an attribute point at other resources: then `value` is an identifier, and what else an
/// element says describes the resource it points at.
pub(crate) fn is_reference(attribute: &Attribute) -> bool {
    attribute.kind == AttributeType::Complex && attribute.sub_attribute("$ref").is_some()
}

/// Puts the members of `changes` into `target`; a null removes (RFC 7644 3.5.2.1: sub-attributes are added, the
/// others stay).
pub(crate) fn merge(target: &mut Value, changes: Value) {
    match (target, changes) {
        (Value::Object(target), Value::Object(changes)) => {
            for (name, value) in changes {
                if value.is_null() { drop(target.remove(&name)) } else { drop(target.insert(name, value)) }
            }
        }
        (target, changes) => *target = changes,
    }
}

fn is_current(slots: &[Slot], handle: Handle) -> bool {
    slots.get(handle.slot).is_some_and(|slot| slot.element.is_some() && slot.generation == handle.generation)
}

fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

fn is_empty(element: &Value) -> bool {
    match element {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// A key for elements without a `value`, such as addresses.
fn whole_key(attribute: &Attribute, members: &Map<String, Value>) -> String {
    let mut parts: Vec<String> = Vec::with_capacity(members.len());
    for (name, value) in members.iter().filter(|(name, _)| *name != "primary") {
        let folds = attribute.sub_attribute(name).is_some_and(|sub| !sub.case_exact);
        let text = value.to_string();
        parts.push(format!("{name}={}", if folds { fold(&text) } else { text }));
    }
    parts.sort_unstable();
    parts.join("\u{1}")
}
