//! When are two values of an attribute the same to SCIM?
//!
//! In: an attribute definition and two values. Out: whether a write of one over the other changes anything. Case
//! counts where the attribute says so, dates are instants, numbers have a value; null, `[]`, `{}` and absence are one
//! state (RFC 7643 2.5); a list is a set; a complex value is its sub-attributes, where `primary: false` equals no
//! `primary` (RFC 7643 2.4).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::compare::{elements, fold, instant};
use super::schema::{Attribute, AttributeType, find};

/// Whether two values of an attribute are the same. Costs a sort of both values' elements, not their product.
pub fn values_equal(attribute: &Attribute, a: &Value, b: &Value) -> bool {
    a == b || key(attribute, a) == key(attribute, b)
}

/// A value in a form in which the same values are equal, and unassigned ones are [`Value::Null`].
fn key(attribute: &Attribute, value: &Value) -> Value {
    if !attribute.multi_valued {
        return single_key(attribute, value);
    }
    let keys = elements(Some(value)).iter().map(|element| single_key(attribute, element));
    // The text of a key decides order and equality: JSON objects have sorted members here.
    let set: BTreeSet<String> = keys.filter(|key| !key.is_null()).map(|key| key.to_string()).collect();
    if set.is_empty() { Value::Null } else { set.into_iter().map(Value::String).collect() }
}

fn single_key(attribute: &Attribute, value: &Value) -> Value {
    match value {
        Value::Object(object) => complex_key(attribute, object),
        Value::Array(elements) if elements.is_empty() => Value::Null,
        Value::String(text) => Value::String(text_key(attribute, text)),
        Value::Number(number) => match number.as_f64() {
            // 3.0 is written as 3; beyond the integers that a float can hold, the number stays as it is.
            Some(float) if float.fract() == 0.0 && float.abs() < EXACT_INTEGER_MAX => Value::from(float as i64),
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

fn text_key(attribute: &Attribute, text: &str) -> String {
    let as_instant = if attribute.kind == AttributeType::DateTime { instant(text) } else { None };
    match as_instant {
        Some(instant) => instant.to_string(),
        None if attribute.case_exact => text.to_owned(),
        None => fold(text),
    }
}

fn complex_key(attribute: &Attribute, object: &Map<String, Value>) -> Value {
    let members = object.iter().filter_map(|(name, value)| {
        let (name, key) = match find(&attribute.sub_attributes, name) {
            Some(sub) => (&*sub.name, key(sub, value)),
            None => (name.as_str(), value.clone()),
        };
        let unassigned = key.is_null() || (name == "primary" && key == Value::Bool(false));
        (!unassigned).then(|| (name.to_owned(), key))
    });
    let members: Map<String, Value> = members.collect();
    if members.is_empty() { Value::Null } else { Value::Object(members) }
}

/// 2^53.
const EXACT_INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::schema::{ResourceType, group_type, user_type};
    use super::*;

    fn check(resource_type: &ResourceType, path: &str, a: &Value, b: &Value, expect: bool) {
        let resolved = resource_type.resolve_attribute(path).unwrap();
        assert_eq!(values_equal(resolved.leaf(), a, b), expect, "{path}: {a} and {b}");
        assert_eq!(values_equal(resolved.leaf(), b, a), expect, "{path}: {b} and {a}");
    }

    #[test]
    fn equality_follows_the_definition() {
        let user = user_type();
        for (path, a, b, expect) in [
            ("userName", json!("Ada"), json!("ADA"), true),
            ("userName", json!("Åse"), json!("åSE"), true),
            ("externalId", json!("Ada"), json!("ADA"), false),
            ("title", json!(null), json!([]), true),
            ("title", json!(""), json!(null), false),
            ("active", json!(true), json!("true"), false),
            ("meta.created", json!("2024-01-01T00:00:00Z"), json!("2024-01-01T01:00:00.000+01:00"), true),
            ("name", json!({"givenName": "A", "familyName": null}), json!({"givenName": "a"}), true),
            ("name", json!({"givenName": null}), json!(null), true),
            ("name", json!({"givenName": "A"}), json!({"givenName": "A", "familyName": "B"}), false),
            ("emails", json!([]), json!(null), true),
            ("emails", json!([{"value": null}]), json!([]), true),
            ("emails", json!([{"value": "a"}, {"value": "b"}]), json!([{"value": "B"}, {"value": "A"}]), true),
            ("emails", json!([{"value": "a"}, {"value": "a"}]), json!([{"value": "a"}]), true),
            ("emails", json!([{"value": "a", "primary": false}]), json!([{"value": "a"}]), true),
            ("emails", json!([{"value": "a", "primary": true}]), json!([{"value": "a"}]), false),
            ("emails", json!([{"value": "a"}]), json!([{"value": "a"}, {"value": "b"}]), false),
            ("emails", json!({"value": "a"}), json!([{"value": "a"}]), true),
            ("emails", json!([{"x": "a"}]), json!([{"x": "A"}]), false),
        ] {
            check(&user, path, &a, &b, expect);
        }
        let group = group_type();
        check(&group, "members", &json!([{"value": "a"}]), &json!([{"value": "A"}]), false);
    }

    #[test]
    fn numbers_are_equal_by_value() {
        let decimal = Attribute::new("n", AttributeType::Decimal, "");
        assert!(values_equal(&decimal, &json!(3), &json!(3.0)));
        assert!(!values_equal(&decimal, &json!(3), &json!(3.5)));
        assert!(!values_equal(&decimal, &json!(u64::MAX), &json!(u64::MAX - 1)));
    }

    #[test]
    fn large_member_lists_are_compared_as_sets() {
        let members = |numbers: &mut dyn Iterator<Item = u32>| -> Value {
            numbers.map(|number| json!({"value": format!("m-{number}")})).collect()
        };
        let (up, down) = (members(&mut (0..20_000)), members(&mut (0..20_000).rev()));
        check(&group_type(), "members", &up, &down, true);
        check(&group_type(), "members", &up, &members(&mut (1..20_001)), false);
    }
}
