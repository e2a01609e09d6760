//! Gives a value the shape and the JSON type that its attribute has.
//!
//! In: an attribute definition and the value that a client sent for it. Out: a canonical value, or that it has none.
//! The depth of the walk is that of the schema, whatever the depth of the value.

use std::sync::Arc;

use serde_json::{Map, Number, Value};

use super::catalogue::Repair;
use super::notes::{At, Notes};
use crate::scim::ScimError;
use crate::scim::compare::instant;
use crate::scim::patch::{Added, Elements};
use crate::scim::schema::{Attribute, AttributeType};

/// A value in canonical shape.
#[derive(Debug, PartialEq)]
pub(super) enum Shaped {
    /// Null or one of its synonyms: the attribute is to have no value.
    Unassigned,
    /// Nothing was said: only names that are unknown or read-only.
    Nothing,
    /// A simple value, or a list that is not empty.
    Value(Value),
    /// A complex value.
    Object(Object),
}

/// A complex value. `members` may be empty if all that was sent are cleared sub-attributes.
#[derive(Debug, PartialEq)]
pub(super) struct Object {
    /// Sub-attributes that have a value.
    pub(super) members: Map<String, Value>,
    /// Sub-attributes that were sent as unassigned.
    pub(super) cleared: Vec<Arc<str>>,
    /// Whether it was sent as a bare scalar, and so stands for the whole.
    pub(super) from_scalar: bool,
}

/// The value of an attribute or sub-attribute.
///
/// # Errors
/// 400 `invalidValue` naming the place, for values of another type; 413 for too many values.
pub(super) fn shape(
    at: &At<'_>,
    attribute: &Attribute,
    value: Value,
    notes: &mut Notes<'_>,
) -> Result<Shaped, ScimError> {
    if attribute.multi_valued { list(at, attribute, value, notes) } else { single(at, attribute, value, notes) }
}

/// One element of a multi-valued attribute, or the value of a single-valued one.
pub(super) fn single(
    at: &At<'_>,
    attribute: &Attribute,
    value: Value,
    notes: &mut Notes<'_>,
) -> Result<Shaped, ScimError> {
    let value = unwrap_list(at, value, notes)?;
    if is_blank(&value) {
        note_blank(&value, notes);
        return Ok(Shaped::Unassigned);
    }
    match attribute.kind {
        AttributeType::Complex => complex(at, attribute, value, notes),
        _ => simple(at, attribute, value, notes),
    }
}

/// The elements to take out of a list; a bare scalar is one element, because nobody can mean anything else by it.
pub(super) fn removal_list(
    at: &At<'_>,
    attribute: &Attribute,
    value: Value,
    notes: &mut Notes<'_>,
) -> Result<Vec<Value>, ScimError> {
    let value = if is_scalar(&value) && !is_blank(&value) { Value::Array(vec![value]) } else { value };
    match list(at, attribute, value, notes)? {
        Shaped::Value(Value::Array(elements)) => Ok(elements),
        _ => Ok(Vec::new()),
    }
}

/// Null and what clients send in its place (RFC 7643 2.5 has only null and `[]`).
pub(super) fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn note_blank(value: &Value, notes: &mut Notes<'_>) {
    if value.is_string() || value.is_object() {
        notes.repair(Repair::EmptyAsUnassigned);
    }
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}

/// `[x]` where one value is meant.
fn unwrap_list(at: &At<'_>, value: Value, notes: &mut Notes<'_>) -> Result<Value, ScimError> {
    let Value::Array(mut items) = value else { return Ok(value) };
    match (items.pop(), items.len()) {
        (None, _) => Ok(Value::Null),
        (Some(Value::Array(_)), 0) => Err(ScimError::invalid_value(format!("{at} holds a list in a list"))),
        (Some(item), 0) => {
            notes.repair(Repair::SingleValueInList);
            Ok(item)
        }
        (Some(_), more) => Err(ScimError::invalid_value(format!("{at} holds one value, not {}", more + 1))),
    }
}

fn list(at: &At<'_>, attribute: &Attribute, value: Value, notes: &mut Notes<'_>) -> Result<Shaped, ScimError> {
    let mut items = match value {
        value if is_blank(&value) => {
            note_blank(&value, notes);
            return Ok(Shaped::Unassigned);
        }
        Value::Array(items) => items,
        scalar if is_scalar(&scalar) && attribute.kind == AttributeType::Complex => {
            return Err(at.expected("a list of objects", &scalar));
        }
        one => {
            notes.repair(Repair::SingleElementBare);
            vec![one]
        }
    };
    notes.spend(items.len())?;
    let mut said_nothing = false;
    for item in &mut items {
        *item = match element(at, attribute, std::mem::take(item), notes)? {
            Some(Shaped::Value(value)) => value,
            Some(Shaped::Object(object)) if !object.members.is_empty() => Value::Object(object.members),
            Some(Shaped::Nothing) => {
                said_nothing = true;
                Value::Null
            }
            _ => Value::Null,
        };
    }
    items.retain(|item| !item.is_null());
    match items.len() {
        0 if said_nothing => Ok(Shaped::Nothing),
        0 => Ok(Shaped::Unassigned),
        1 => Ok(Shaped::Value(Value::Array(items))),
        _ => distinct(at, attribute, items, notes),
    }
}

/// Several elements, of which equal ones are one.
fn distinct(at: &At<'_>, attribute: &Attribute, items: Vec<Value>, notes: &mut Notes<'_>) -> Result<Shaped, ScimError> {
    let mut list = List { elements: Elements::load(attribute, None), primary: None };
    for item in items {
        list.add(at, item, notes)?;
    }
    Ok(list.elements.into_value().map_or(Shaped::Unassigned, Shaped::Value))
}

/// The elements of a list so far, and which of them is the primary one.
struct List<'a> {
    elements: Elements<'a>,
    primary: Option<usize>,
}

impl List<'_> {
    fn add(&mut self, at: &At<'_>, element: Value, notes: &mut Notes<'_>) -> Result<(), ScimError> {
        let is_primary = element.get("primary") == Some(&Value::Bool(true));
        let Added { slot, grew } = self.elements.add(element);
        if !grew {
            notes.repair(Repair::DuplicateElement);
        }
        if is_primary && self.primary.replace(slot).is_some_and(|primary| primary != slot) {
            return Err(ScimError::invalid_value(format!("{at} has more than one primary element")));
        }
        Ok(())
    }
}

/// One element of a list; `None` for a null among them.
fn element(
    at: &At<'_>,
    attribute: &Attribute,
    item: Value,
    notes: &mut Notes<'_>,
) -> Result<Option<Shaped>, ScimError> {
    if is_blank(&item) {
        note_blank(&item, notes);
        return Ok(None);
    }
    if item.is_array() {
        return Err(ScimError::invalid_value(format!("{at} holds a list in a list")));
    }
    let shaped = single(at, attribute, item, notes)?;
    Ok(Some(match shaped {
        Shaped::Object(object) => Shaped::Object(unwrap_document(attribute, object, notes)),
        other => other,
    }))
}

fn complex(at: &At<'_>, attribute: &Attribute, value: Value, notes: &mut Notes<'_>) -> Result<Shaped, ScimError> {
    match value {
        Value::Object(members) => object(at, attribute, members, notes),
        scalar => {
            let Some(inner) = attribute.sub_attribute("value") else { return Err(at.expected("an object", &scalar)) };
            let Shaped::Value(scalar) = simple(&At::Sub(at, "value"), inner, scalar, notes)? else {
                return Ok(Shaped::Unassigned);
            };
            notes.repair(Repair::ScalarForObject);
            let members = Map::from_iter([(inner.name.to_string(), scalar)]);
            Ok(Shaped::Object(Object { members, cleared: Vec::new(), from_scalar: true }))
        }
    }
}

fn object(
    at: &At<'_>,
    attribute: &Attribute,
    sent: Map<String, Value>,
    notes: &mut Notes<'_>,
) -> Result<Shaped, ScimError> {
    let mut members = sent;
    let mut cleared: Vec<Arc<str>> = Vec::new();
    let mut gone = Vec::new();
    let mut renamed = Vec::new();
    for (key, value) in &mut members {
        let Some(sub) = sub_attribute(attribute, key, notes) else {
            notes.ignore(At::Sub(at, key));
            gone.push(key.clone());
            continue;
        };
        let shaped = if notes.ignores(sub) {
            Shaped::Nothing
        } else {
            shape(&At::Sub(at, &sub.name), sub, std::mem::take(value), notes)?
        };
        let shaped = match shaped {
            Shaped::Value(value) => value,
            Shaped::Object(object) => Value::Object(object.members),
            Shaped::Unassigned => {
                cleared.push(Arc::clone(&sub.name));
                gone.push(key.clone());
                continue;
            }
            Shaped::Nothing => {
                gone.push(key.clone());
                continue;
            }
        };
        if **key == *sub.name {
            *value = shaped;
        } else {
            gone.push(key.clone());
            renamed.push((sub, shaped));
        }
    }
    for key in gone {
        members.remove(&key);
    }
    for (sub, value) in renamed {
        put(&At::Sub(at, &sub.name), &mut members, &sub.name, value)?;
    }
    cleared.retain(|name| !members.contains_key(&**name));
    if cleared.iter().any(|name| &**name == "value") {
        return Ok(Shaped::Unassigned);
    }
    if members.is_empty() && cleared.is_empty() {
        return Ok(Shaped::Nothing);
    }
    Ok(Shaped::Object(Object { members, cleared, from_scalar: false }))
}

/// Stores a value under a name that may have been sent twice, in two spellings.
///
/// # Errors
/// 400 `invalidValue` if the two differ: neither can be preferred.
pub(super) fn put(at: &At<'_>, members: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), ScimError> {
    match members.get(name) {
        Some(present) if *present != value => {
            Err(ScimError::invalid_value(format!("{at} is given twice, with different values")))
        }
        Some(_) => Ok(()),
        None => {
            members.insert(name.to_owned(), value);
            Ok(())
        }
    }
}

/// The sub-attribute of that name; `displayName` finds `display` where there is only the latter.
fn sub_attribute<'a>(attribute: &'a Attribute, key: &str, notes: &mut Notes<'_>) -> Option<&'a Attribute> {
    if let Some(sub) = attribute.sub_attribute(key) {
        return Some(sub);
    }
    let display = attribute.sub_attribute("display").filter(|_| key.eq_ignore_ascii_case("displayName"))?;
    notes.repair(Repair::DisplayNameForDisplay);
    Some(display)
}

/// A role of nothing but a `value`, which is itself a role, written as a JSON document: its members take the place of
/// the text.
fn unwrap_document(attribute: &Attribute, mut object: Object, notes: &mut Notes<'_>) -> Object {
    if object.members.len() != 1 {
        return object;
    }
    let Some(document) = object.members.get("value").and_then(Value::as_str).and_then(role_document) else {
        return object;
    };
    notes.repair(Repair::DocumentAsValue);
    for (name, text) in document {
        if attribute.sub_attribute(name).is_some() {
            object.members.insert(name.to_owned(), Value::String(text));
        }
    }
    object
}

/// The members of `{"id":..,"value":..,"displayName":..}`; anything else is a value like any other.
fn role_document(text: &str) -> Option<Vec<(&'static str, String)>> {
    if !text.starts_with('{') {
        return None;
    }
    let document: Map<String, Value> = serde_json::from_str(text).ok()?;
    if !document.keys().all(|key| ["id", "value", "displayName"].contains(&key.as_str())) {
        return None;
    }
    let text_of = |name: &str| document.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let mut members = vec![("value", text_of("value")?)];
    members.extend(text_of("displayName").map(|display| ("display", display)));
    Some(members)
}

fn simple(at: &At<'_>, attribute: &Attribute, value: Value, notes: &mut Notes<'_>) -> Result<Shaped, ScimError> {
    let value = match value {
        Value::Object(members) => match unwrap_object(members) {
            Ok(inner) => {
                notes.repair(Repair::ObjectForScalar);
                inner
            }
            Err(members) => return Err(at.expected(expectation(attribute.kind), &members)),
        },
        value => value,
    };
    if is_blank(&value) {
        note_blank(&value, notes);
        return Ok(Shaped::Unassigned);
    }
    scalar(at, attribute.kind, value, notes).map(Shaped::Value)
}

/// `{"value": x}` and what Entra's older jobs put beside it. Gives the object back if it is anything else.
fn unwrap_object(mut members: Map<String, Value>) -> Result<Value, Value> {
    let known = |key: &String| ENVELOPE.iter().any(|name| name.eq_ignore_ascii_case(key));
    let key = members.keys().find(|key| key.eq_ignore_ascii_case("value")).cloned();
    match key {
        Some(key) if members.keys().all(known) && members.get(&key).is_some_and(is_scalar) => {
            Ok(members.remove(&key).unwrap_or_default())
        }
        _ => Err(Value::Object(members)),
    }
}

fn scalar(at: &At<'_>, kind: AttributeType, value: Value, notes: &mut Notes<'_>) -> Result<Value, ScimError> {
    let fits = match (kind, &value) {
        (AttributeType::Boolean, Value::String(text)) => {
            let word = ["true", "false"].into_iter().find(|word| text.eq_ignore_ascii_case(word));
            let word = word.ok_or_else(|| at.expected(expectation(kind), &value))?;
            notes.repair(Repair::BooleanAsString);
            return Ok(Value::Bool(word == "true"));
        }
        (AttributeType::Integer | AttributeType::Decimal, Value::String(text)) => {
            let number = exact_number(text).filter(|number| kind == AttributeType::Decimal || is_whole(number));
            let number = number.ok_or_else(|| at.expected(expectation(kind), &value))?;
            notes.repair(Repair::NumberAsString);
            return Ok(Value::Number(number));
        }
        (AttributeType::Boolean, value) => value.is_boolean(),
        (AttributeType::Integer, Value::Number(number)) => is_whole(number),
        (AttributeType::Decimal, value) => value.is_number(),
        (AttributeType::DateTime, Value::String(text)) => instant(text).is_some(),
        (AttributeType::String | AttributeType::Binary | AttributeType::Reference, value) => value.is_string(),
        _ => false,
    };
    if fits { Ok(value) } else { Err(at.expected(expectation(kind), &value)) }
}

fn expectation(kind: AttributeType) -> &'static str {
    match kind {
        AttributeType::String => "a string",
        AttributeType::Boolean => "true or false",
        AttributeType::Decimal => "a number",
        AttributeType::Integer => "a whole number",
        AttributeType::DateTime => "a date and time (RFC 3339)",
        AttributeType::Binary => "a Base64 string",
        AttributeType::Reference => "a URI as a string",
        AttributeType::Complex => "an object",
    }
}

/// The number that a text is, unless it would lose digits on the way.
fn exact_number(text: &str) -> Option<Number> {
    let number: Number = serde_json::from_str(text).ok()?;
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (is_whole(&number) || digits <= EXACT_DIGITS).then_some(number)
}

fn is_whole(number: &Number) -> bool {
    number.is_i64() || number.is_u64()
}

/// Keys that stand beside `value` when a simple value is sent as an object.
const ENVELOPE: [&str; 5] = ["value", "$ref", "type", "display", "primary"];

/// Decimal digits that a double keeps whatever the number.
const EXACT_DIGITS: usize = 15;
