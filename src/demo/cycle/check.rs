//! What came of a step against what must come of it: two values in, every deviation in words out.

use serde_json::{Map, Value};

use super::Expect;

/// An answer as the checks see it. `body` is null where there was none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) status: u16,
    pub(super) body: &'a Value,
}

/// Everything that can be said about the answer alone.
pub(super) fn answer(expect: &Expect, seen: Seen<'_>) -> Vec<String> {
    let Seen { status, body } = seen;
    if !expect.status.contains(&status) {
        // The rest would repeat the same finding in other words.
        let detail = body.get("detail").and_then(Value::as_str).map(|text| format!(": {text}")).unwrap_or_default();
        return vec![format!("status {status} instead of {}{detail}", any_of(&expect.status))];
    }
    let mut found = Vec::new();
    if status >= 400 {
        error(expect, seen, &mut found);
    }
    if let Some(total) = expect.list {
        list(total, body, &mut found);
    }
    let ids: Vec<&str> = resources(body).filter_map(|resource| resource.get("id")?.as_str()).collect();
    let missing = expect.contains.iter().filter(|id| !ids.contains(&id.as_str()));
    found.extend(missing.map(|id| format!("{id} is not among the resources")));
    if let Some(part) = &expect.body {
        found.extend(differences(part, body));
    }
    let surplus = expect.lacks.iter().filter(|name| body.get(name.as_str()).is_some_and(|value| !is_unassigned(value)));
    found.extend(surplus.map(|name| format!("{name} must not be returned")));
    found
}

/// Where `actual` lacks a part it should have. Lists compare as sets, `null` means unassigned in any form
/// (RFC 7643 2.5), and a missing `primary` is false.
pub(super) fn differences(part: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(part, actual, "", &mut found);
    found
}

/// Whether two readings of a resource are the same, `meta` aside.
pub(super) fn same(before: &Value, after: &Value) -> bool {
    let without_meta = |value: &Value| {
        let mut value = value.clone();
        value.as_object_mut().map(|members| members.remove("meta"));
        value
    };
    without_meta(before) == without_meta(after)
}

fn error(expect: &Expect, seen: Seen<'_>, found: &mut Vec<String>) {
    let Seen { status, body } = seen;
    let has_schema =
        body.get("schemas").and_then(Value::as_array).is_some_and(|urns| urns.iter().any(|urn| urn == ERROR_SCHEMA));
    if !has_schema {
        found.push("the error is no SCIM error".to_owned());
    }
    let text = status.to_string();
    if body.get("status").and_then(Value::as_str) != Some(&text) {
        found.push(format!("`status` in the error is not \"{text}\""));
    }
    let scim_type = body.get("scimType").and_then(Value::as_str);
    if expect.scim_type.is_some() && expect.scim_type.as_deref() != scim_type {
        let wanted = expect.scim_type.as_deref().unwrap_or_default();
        found.push(format!("scimType {} instead of {wanted}", scim_type.unwrap_or("absent")));
    }
    let detail = body.get("detail").and_then(Value::as_str).unwrap_or_default();
    let unsaid = expect.detail.iter().filter(|word| !detail.contains(word.as_str()));
    found.extend(unsaid.map(|word| format!("the detail does not mention `{word}`: {detail:?}")));
}

fn list(total: u64, body: &Value, found: &mut Vec<String>) {
    let stated = body.get("totalResults").and_then(Value::as_u64);
    let listed = resources(body).count() as u64;
    if stated != Some(total) || listed != total {
        let stated = stated.map_or_else(|| "none".to_owned(), |stated| stated.to_string());
        found.push(format!("{listed} resources, totalResults {stated}, instead of {total}"));
    }
}

fn resources(body: &Value) -> impl Iterator<Item = &Value> {
    body.get("Resources").and_then(Value::as_array).into_iter().flatten()
}

fn compare(part: &Value, actual: &Value, place: &str, found: &mut Vec<String>) {
    let nothing = Map::new();
    match (part, actual) {
        (Value::Null, actual) if is_unassigned(actual) => {}
        (Value::Object(members), Value::Object(_) | Value::Null) => {
            let actual = actual.as_object().unwrap_or(&nothing);
            for (name, part) in members {
                let defaulted = name == "primary" && *part == Value::Bool(false);
                let actual = actual.get(name).unwrap_or(&Value::Null);
                if !(defaulted && actual.is_null()) {
                    compare(part, actual, &format!("{place}{}{name}", if place.is_empty() { "" } else { "." }), found);
                }
            }
        }
        (Value::Array(parts), Value::Array(items)) if pairs(parts, items) => {}
        (part, actual) if part == actual => {}
        (part, actual) => found.push(format!("{place} is {actual} instead of {part}")),
    }
}

/// Whether there are as many items as parts, and every part has an item of its own. The first item that fits is
/// taken, which is enough for parts that tell each other apart, as those of the scripts do.
fn pairs(parts: &[Value], items: &[Value]) -> bool {
    let mut left: Vec<&Value> = items.iter().collect();
    parts.len() == items.len()
        && parts.iter().all(|part| {
            let position = left.iter().position(|item| differences(part, item).is_empty());
            position.map(|position| left.swap_remove(position)).is_some()
        })
}

fn is_unassigned(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn any_of(statuses: &[u16]) -> String {
    statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
}

const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Expect;
    use super::{Seen, answer, differences, same};

    fn check(expect: &Value, status: u16, body: &Value, deviations: &[&str]) {
        let expect: Expect = serde_json::from_value(expect.clone()).unwrap();
        assert_eq!(answer(&expect, Seen { status, body }), deviations, "{body}");
    }

    #[test]
    fn an_answer_is_checked_in_every_respect() {
        check(&json!({"status": [200, 204]}), 204, &Value::Null, &[]);
        let broken = json!({"detail": "no"});
        check(&json!({"status": [200, 204], "list": 1}), 400, &broken, &["status 400 instead of 200 or 204: no"]);
        let refused = json!({"schemas": [super::ERROR_SCHEMA], "status": "400", "scimType": "mutability",
            "detail": "`active` cannot be changed"});
        let expect = json!({"status": [400], "scimType": "mutability", "detail": ["active"]});
        check(&expect, 400, &refused, &[]);
        check(
            &json!({"status": [400], "scimType": "noTarget", "detail": ["name"]}),
            400,
            &json!({"status": 400, "scimType": "mutability", "detail": "d"}),
            &[
                "the error is no SCIM error",
                "`status` in the error is not \"400\"",
                "scimType mutability instead of noTarget",
                "the detail does not mention `name`: \"d\"",
            ],
        );
        let page = json!({"totalResults": 1, "Resources": [{"id": "7"}], "password": "p"});
        check(&json!({"status": [200], "list": 1, "contains": ["7"], "lacks": ["nickName"]}), 200, &page, &[]);
        check(
            &json!({"status": [200], "list": 0, "contains": ["8"], "lacks": ["password"]}),
            200,
            &page,
            &[
                "1 resources, totalResults 1, instead of 0",
                "8 is not among the resources",
                "password must not be returned",
            ],
        );
    }

    #[test]
    fn a_part_is_compared_like_scim_compares() {
        let agrees = |part: Value, actual: Value| differences(&part, &actual).is_empty();
        assert!(agrees(json!({"a": null, "b": {"c": null}}), json!({"a": [], "x": 1})));
        assert!(agrees(json!([{"v": 1, "primary": false}, {"v": 2}]), json!([{"v": 2}, {"v": 1}])));
        assert!(!agrees(json!([{"v": 1}]), json!([{"v": 1}, {"v": 1}])));
        assert!(!agrees(json!([{"v": 1}, {"v": 1}]), json!([{"v": 1}, {"v": 2}])));
        assert!(!agrees(json!({"active": false}), json!({"active": "False"})));
        assert_eq!(
            differences(&json!({"name": {"givenName": "A"}, "t": null}), &json!({"name": {}, "t": 7})),
            ["name.givenName is null instead of \"A\"", "t is 7 instead of null"]
        );
    }

    #[test]
    fn only_meta_may_differ_between_readings() {
        assert!(same(&json!({"a": 1, "meta": {"version": 1}}), &json!({"a": 1, "meta": {"version": 2}})));
        assert!(!same(&json!({"a": 1}), &json!({"a": 2})));
    }
}
