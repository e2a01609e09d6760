//! The comparison rules of `tests/wire/README.md`, as functions of JSON.
//!
//! In: what a case expects and what came back. Out: every difference in words, empty if there is none. This module
//! sends nothing and reads no files, so tests with and without sockets share it.

use serde_json::{Map, Value};

/// Rule 1: `status`, or any of `alsoOk`.
pub(crate) fn status(expect: &Value, actual: u16) -> Vec<String> {
    let also: &[Value] = expect["alsoOk"].as_array().map_or(&[], Vec::as_slice);
    let allowed = std::iter::once(&expect["status"]).chain(also);
    let matches = allowed.filter_map(Value::as_u64).any(|status| status == u64::from(actual));
    differs_if(!matches, || format!("status {actual}, expected {} or {}", expect["status"], expect["alsoOk"]))
}

/// Rule 9: the SCIM Error schema, `status` as a string, `scimType` where given (a list is "any of them").
pub(crate) fn error(expect: &Value, actual_status: u16, body: &Value) -> Vec<String> {
    let is_error = body["schemas"].as_array().is_some_and(|urns| urns.iter().any(|urn| urn == ERROR_SCHEMA));
    let mut differences = differs_if(!is_error, || format!("not a SCIM error: {body}"));
    let status_text = actual_status.to_string();
    differences
        .extend(differs_if(body["status"] != *status_text, || format!("status in the body: {}", body["status"])));
    let wanted = &expect["scimType"];
    let matches = match wanted {
        Value::Null => true,
        Value::Array(any) => any.contains(&body["scimType"]),
        one => *one == body["scimType"],
    };
    differences.extend(differs_if(!matches, || format!("scimType {}, expected {wanted}", body["scimType"])));
    differences
}

/// Rules 2 to 6: a partial comparison of a resource, or of any other object (`body`).
pub(crate) fn partial(expected: &Value, actual: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    compare(expected, Some(actual), "", &mut differences);
    differences
}

/// Rule 7: `totalResults`, `ids` and, where given, `startIndex` and `itemsPerPage`, in a `ListResponse`.
pub(crate) fn list(expected: &Value, body: &Value) -> Vec<String> {
    let is_list = body["schemas"].as_array().is_some_and(|urns| urns.iter().any(|urn| urn == LIST_SCHEMA));
    let mut differences = differs_if(!is_list, || format!("not a ListResponse: {body}"));
    for name in ["totalResults", "startIndex", "itemsPerPage"] {
        let wanted = &expected[name];
        let matches = wanted.is_null() || (body[name].is_u64() && body[name] == *wanted);
        differences.extend(differs_if(!matches, || format!("{name} {}, expected {wanted}", body[name])));
    }
    let mut wanted = ids(expected["ids"].as_array(), |id| id);
    let mut found = ids(body["Resources"].as_array(), |resource| &resource["id"]);
    wanted.sort();
    found.sort();
    let matches = expected["ids"].is_null() || wanted == found;
    differences.extend(differs_if(!matches, || format!("ids {found:?}, expected {wanted:?}")));
    differences
}

/// Rule 8: attributes that must and must not be there. `names` is `bodyHas` or `bodyLacks`.
pub(crate) fn presence(names: &Value, wanted: Presence, body: &Value) -> Vec<String> {
    let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
    let wrong =
        names.filter(|name| at(body, name).is_some_and(|value| !is_unassigned(value)) != (wanted == Presence::Has));
    wrong.map(|name| format!("{name}: {wanted:?} not fulfilled")).collect()
}

/// Which of the two lists of rule 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// `bodyHas`.
    Has,
    /// `bodyLacks`.
    Lacks,
}

/// Rule 3: the ways to say "no value" in an answer.
pub(crate) fn is_unassigned(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Adds a difference per place; `actual` is `None` where the attribute is absent.
fn compare(expected: &Value, actual: Option<&Value>, place: &str, differences: &mut Vec<String>) {
    let nothing = Map::new();
    match (expected, actual) {
        (Value::Null, actual) => {
            let gone = actual.is_none_or(is_unassigned);
            differences.extend(differs_if(!gone, || format!("{place} should be gone, is {actual:?}")));
        }
        (Value::Object(members), None | Some(Value::Object(_))) => {
            let actual = actual.and_then(Value::as_object).unwrap_or(&nothing);
            for (name, expected) in members {
                let place = format!("{place}/{name}");
                compare_member(expected, name, actual, &place, differences);
            }
        }
        (Value::Array(expected), Some(Value::Array(actual))) => {
            if !same_set(expected, actual) {
                differences.push(format!("{place}: {actual:?}, expected {expected:?}"));
            }
        }
        (expected, Some(actual)) if expected == actual => {}
        (expected, actual) => differences.push(format!("{place}: {actual:?}, expected {expected:?}")),
    }
}

/// Rule 4 for `primary`: missing equals false.
fn compare_member(
    expected: &Value,
    name: &str,
    actual: &Map<String, Value>,
    place: &str,
    differences: &mut Vec<String>,
) {
    let missing_primary = name == "primary" && actual.get(name).is_none_or(Value::is_null);
    if !(missing_primary && *expected == Value::Bool(false)) {
        compare(expected, actual.get(name), place, differences);
    }
}

/// Rule 4: as many elements, and a pairing in which each expected element agrees with its partner.
fn same_set(expected: &[Value], actual: &[Value]) -> bool {
    let agrees = |e: &Value, a: &Value| partial(e, a).is_empty();
    let mut partner = vec![None; actual.len()];
    expected.len() == actual.len()
        && (0..expected.len()).all(|i| {
            let mut tried = vec![false; actual.len()];
            pair(i, &|i, j| agrees(&expected[i], &actual[j]), &mut partner, &mut tried)
        })
}

/// Finds a partner for `i`, moving earlier ones elsewhere if need be. Lists in cases are short.
fn pair(i: usize, agrees: &dyn Fn(usize, usize) -> bool, partner: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    for j in 0..partner.len() {
        if tried[j] || !agrees(i, j) {
            continue;
        }
        tried[j] = true;
        let is_free = match partner[j] {
            None => true,
            Some(other) => pair(other, agrees, partner, tried),
        };
        if is_free {
            partner[j] = Some(i);
            return true;
        }
    }
    false
}

/// The value at a dotted path; a URN as a whole is one name.
fn at<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(value) = body.get(path) {
        return Some(value);
    }
    let (head, tail) = path.split_once('.')?;
    at(body.get(head)?, tail)
}

fn ids<'a>(items: Option<&'a Vec<Value>>, id: impl Fn(&'a Value) -> &'a Value) -> Vec<String> {
    items.into_iter().flatten().map(|item| id(item).to_string()).collect()
}

fn differs_if(differs: bool, message: impl FnOnce() -> String) -> Vec<String> {
    if differs { vec![message()] } else { Vec::new() }
}

const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "literals read better without references")]
    fn check(agrees: bool, expected: Value, actual: Value) {
        assert_eq!(partial(&expected, &actual).is_empty(), agrees, "{expected} against {actual}");
    }

    #[test]
    fn only_listed_attributes_count() {
        check(true, json!({"title": "T"}), json!({"title": "T", "x": 1}));
        check(false, json!({"title": "T"}), json!({"title": "t"}));
        check(false, json!({"title": "T"}), json!({}));
        check(true, json!({"name": {"givenName": "A"}}), json!({"name": {"givenName": "A", "familyName": "B"}}));
        check(false, json!({"active": false}), json!({"active": "False"}));
    }

    #[test]
    fn null_is_any_way_to_say_nothing() {
        for nothing in [json!({}), json!({"a": null}), json!({"a": ""}), json!({"a": []}), json!({"a": {}})] {
            check(true, json!({"a": null}), nothing);
        }
        check(false, json!({"a": null}), json!({"a": false}));
        check(false, json!({"a": null}), json!({"a": {"value": ""}}));
        check(true, json!({"a": {"b": null}}), json!({}));
    }

    #[test]
    fn lists_are_sets_of_partial_elements() {
        let two = json!({"m": [{"value": "1", "display": "x"}, {"value": "2"}]});
        check(true, json!({"m": [{"value": "2"}, {"value": "1"}]}), two.clone());
        check(false, json!({"m": [{"value": "1"}]}), two.clone());
        check(false, json!({"m": [{"value": "1"}, {"value": "1"}]}), two.clone());
        // The first expected element agrees with both; only one pairing serves both.
        check(true, json!({"m": [{}, {"value": "1"}]}), json!({"m": [{"value": "1"}, {}]}));
        check(true, json!({"m": [{"primary": false}]}), json!({"m": [{"value": "1"}]}));
        check(false, json!({"m": [{"primary": true}]}), json!({"m": [{"value": "1"}]}));
    }

    #[test]
    fn statuses_and_errors() {
        let expect = json!({"status": 200, "alsoOk": [204]});
        assert!(status(&expect, 204).is_empty());
        assert!(!status(&expect, 201).is_empty());
        let expect = json!({"status": 400, "scimType": ["invalidPath", "noTarget"]});
        let body = json!({"schemas": [ERROR_SCHEMA], "status": "400", "scimType": "noTarget"});
        assert!(error(&expect, 400, &body).is_empty());
        assert_eq!(error(&expect, 400, &json!({"status": 400})).len(), 3);
    }

    #[test]
    fn lists_and_presence() {
        let body = json!({"schemas": [LIST_SCHEMA], "totalResults": 2, "Resources": [{"id": "b"}, {"id": "a"}]});
        assert!(list(&json!({"totalResults": 2, "ids": ["a", "b"]}), &body).is_empty());
        assert_eq!(list(&json!({"totalResults": 1, "ids": ["a"]}), &body).len(), 2);
        let body = json!({"id": "a", "name": {"givenName": "A"}, "title": ""});
        assert!(presence(&json!(["id", "name.givenName"]), Presence::Has, &body).is_empty());
        assert!(presence(&json!(["title", "name.familyName"]), Presence::Lacks, &body).is_empty());
        assert_eq!(presence(&json!(["title"]), Presence::Has, &body).len(), 1);
    }
}
