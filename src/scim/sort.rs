//! Orders resources (RFC 7644 3.4.2.3).
//!
//! In: resources and a [`Sort`]. Out: the same resources in order. Which sorts are pushed down to the native API is not
//! decided here.

use std::cmp::{Ordering, Reverse};

use jiff::Timestamp;
use serde_json::{Number, Value};

use super::attr_path::AttrPath;
use super::compare::{elements, fold, instant, number_cmp};
use super::resource::Resource;
use super::schema::AttributeType;

/// `sortBy` and `sortOrder`, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    /// The attribute; of a complex one a sub-attribute.
    pub path: AttrPath,
    /// Data type of the attribute.
    pub kind: AttributeType,
    /// Whether case counts in the order of strings.
    pub case_exact: bool,
    /// Direction.
    pub order: SortOrder,
}

/// `sortOrder`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortOrder {
    /// Smallest first, resources without a value last.
    #[default]
    Ascending,
    /// The reverse: resources without a value first.
    Descending,
}

/// Sorts resources; those that compare equal keep their order. Of a multi-valued attribute the primary element counts,
/// else the first.
pub fn sort(resources: &mut [Resource], by: &Sort) {
    sort_mixed(resources, by.order, |resource| (resource, by));
}

/// Sorts resources of several types, each by its own idea of one attribute. A type that does not have it is without a
/// value.
pub fn sort_mixed<'s, T>(items: &mut [T], order: SortOrder, look: impl Fn(&T) -> (&Resource, &'s Sort)) {
    let key = |item: &T| {
        let (resource, by) = look(item);
        key(resource, by)
    };
    match order {
        SortOrder::Ascending => items.sort_by_cached_key(key),
        SortOrder::Descending => items.sort_by_cached_key(|item| Reverse(key(item))),
    }
}

/// What a resource is sorted by. Variants are in ascending order, so that a missing value comes last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Flag(bool),
    Number(OrderedNumber),
    Instant(Timestamp),
    Text(String),
    Absent,
}

struct OrderedNumber(Number);

impl Ord for OrderedNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        // JSON has no NaN, so two numbers always have an order.
        number_cmp(&self.0, &other.0).unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for OrderedNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for OrderedNumber {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for OrderedNumber {}

fn key(resource: &Resource, by: &Sort) -> Key {
    let elements = elements(resource.get(&by.path.parent()));
    let primary = elements.iter().find(|element| element.get("primary") == Some(&Value::Bool(true)));
    let value = primary.or(elements.first()).and_then(|element| match &by.path.sub {
        Some(sub) => element.get(&**sub),
        None => Some(element),
    });
    match value {
        Some(Value::Bool(flag)) => Key::Flag(*flag),
        Some(Value::Number(number)) => Key::Number(OrderedNumber(number.clone())),
        Some(Value::String(text)) if by.kind == AttributeType::DateTime => {
            instant(text).map_or_else(|| Key::Text(text.clone()), Key::Instant)
        }
        Some(Value::String(text)) => Key::Text(if by.case_exact { text.clone() } else { fold(text) }),
        _ => Key::Absent,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::filter::tests::acme_user;
    use super::*;

    /// Sorts users 1, 2, … that have the given values at the path and lists their ids.
    fn check(path: &str, order: SortOrder, values: &[Value], expect: &str) {
        let user = acme_user();
        let resolved = user.resolve_attribute(path).unwrap();
        let leaf = resolved.leaf();
        let by = Sort { path: resolved.path.clone(), kind: leaf.kind, case_exact: leaf.case_exact, order };
        let mut resources = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let mut resource = Resource::default();
            resource.set(&AttrPath::core("id", None), Some(json!((index + 1).to_string())));
            resource.set(&by.path.parent(), (!value.is_null()).then(|| value.clone()));
            resources.push(resource);
        }
        sort(&mut resources, &by);
        let ids: Vec<&str> = resources.iter().filter_map(Resource::id).collect();
        assert_eq!(ids.join(" "), expect, "{path} {order:?}");
    }

    #[test]
    fn resources_are_ordered_by_type_with_missing_values_last() {
        use SortOrder::{Ascending, Descending};
        let names = [json!("b"), json!(null), json!("A"), json!("B"), json!("å")];
        check("userName", Ascending, &names, "3 1 4 5 2");
        check("userName", Descending, &names, "2 5 1 4 3");
        check("externalId", Ascending, &names, "3 4 1 5 2");
        check("logins", Ascending, &[json!(10), json!(9.5), json!(-1), json!(null)], "3 2 1 4");
        check("active", Ascending, &[json!(true), json!(false)], "2 1");
        let dates = [json!("2024-01-01T00:30:00Z"), json!("2024-01-01T01:00:00+01:00"), json!("soon")];
        check("since", Ascending, &dates, "2 1 3");
        let emails = [
            json!([{"value": "a"}, {"value": "z", "primary": true}]),
            json!([{"value": "b"}, {"value": "y"}]),
            json!([]),
        ];
        check("emails.value", Ascending, &emails, "2 1 3");
        check("tag", Descending, &[json!(["a", "z"]), json!(["b"])], "2 1");
    }
}
