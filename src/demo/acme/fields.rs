//! The fields of the documents: a JSON body in, a checked document or the name of the wrong field out.
//!
//! The tables here are the application's whole vocabulary. Whether a value is taken already is not known here;
//! that is `table`'s business.

use serde_json::{Map, Value};

use super::reply::{Refusal, shorten};

/// A JSON object with fields of one of the tables below.
pub(super) type Document = Map<String, Value>;

/// One field a client may write.
pub(super) struct Field {
    name: &'static str,
    kind: Kind,
}

enum Kind {
    Text,
    Flag,
    /// A text or a number: an id the application stores without looking it up.
    Reference,
    /// A list of texts, of objects, or of both, stored as given.
    Items,
    /// A list of objects, stored as given.
    Objects,
    /// An object that updates merge one level deep.
    Nested(&'static [Field]),
}

/// Everything a client may say about an employee.
pub(super) static EMPLOYEE: &[Field] = &[
    text("login"),
    text("password"),
    text("sso_id"),
    text("first_name"),
    text("last_name"),
    text("middle_name"),
    text("name_prefix"),
    text("name_suffix"),
    text("full_name"),
    text("display_name"),
    text("nick_name"),
    text("profile_link"),
    text("job_title"),
    text("kind"),
    text("language"),
    text("locale"),
    text("time_zone"),
    field("enabled", Kind::Flag),
    text("email"),
    objects("contact_emails"),
    objects("phones"),
    objects("chat_handles"),
    objects("pictures"),
    objects("postal_addresses"),
    objects("entitlements"),
    objects("app_roles"),
    objects("certificates"),
    field("org", Kind::Nested(ORG)),
    field("extras", Kind::Nested(EXTRAS)),
];

static ORG: &[Field] = &[
    text("staff_no"),
    text("cost_center"),
    text("company"),
    text("division"),
    text("department"),
    field("manager_id", Kind::Reference),
    text("manager_name"),
];

static EXTRAS: &[Field] = &[text("tag"), field("badges", Kind::Items)];

/// Everything a client may say about a team.
pub(super) static TEAM: &[Field] = &[text("name"), text("sso_id")];

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

const fn text(name: &'static str) -> Field {
    field(name, Kind::Text)
}

const fn objects(name: &'static str) -> Field {
    field(name, Kind::Objects)
}

/// Parses a request body and checks it against a table. `null` is allowed everywhere: it clears a field.
pub(super) fn parse(body: &[u8], fields: &[Field]) -> Result<Document, Refusal> {
    let document = parse_object(body)?;
    check(&document, fields)?;
    Ok(document)
}

/// Parses a request body that must be a JSON object.
pub(super) fn parse_object(body: &[u8]) -> Result<Document, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::BadJson(error.to_string()))
}

/// Checks names first, so that a client with several wrong names reads all of them at once, then values.
pub(super) fn check(document: &Document, fields: &[Field]) -> Result<(), Refusal> {
    let mut unknown = Vec::new();
    collect_unknown(document, fields, "", &mut unknown);
    if let Some(first) = unknown.first() {
        return Err(Refusal::invalid(first.clone(), unknown_message(&unknown)));
    }
    check_values(document, fields, "")
}

fn collect_unknown(document: &Document, fields: &[Field], parent: &str, unknown: &mut Vec<String>) {
    for (name, value) in document {
        match (find(fields, name), value) {
            (None, _) => unknown.push(format!("{parent}{}", shorten(name))),
            (Some(Field { kind: Kind::Nested(inner), .. }), Value::Object(value)) => {
                collect_unknown(value, inner, &format!("{name}."), unknown);
            }
            _ => {}
        }
    }
}

fn unknown_message(unknown: &[String]) -> String {
    let set_by_app: Vec<&str> = unknown.iter().map(String::as_str).filter(|name| SET_BY_APP.contains(name)).collect();
    if !set_by_app.is_empty() {
        return format!("set by the application: {}", set_by_app.join(", "));
    }
    let named = unknown.iter().take(UNKNOWN_NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match unknown.len().saturating_sub(UNKNOWN_NAMED_MAX) {
        0 => format!("unknown fields: {named}"),
        more => format!("unknown fields: {named} and {more} more"),
    }
}

fn check_values(document: &Document, fields: &[Field], parent: &str) -> Result<(), Refusal> {
    for (name, value) in document {
        let Some(Field { kind, .. }) = find(fields, name) else {
            continue;
        };
        let wanted = match (kind, value) {
            (_, Value::Null)
            | (Kind::Text | Kind::Reference, Value::String(_))
            | (Kind::Reference, Value::Number(_))
            | (Kind::Flag, Value::Bool(_)) => continue,
            (Kind::Items, Value::Array(items)) if items.iter().all(|item| item.is_string() || item.is_object()) => {
                continue;
            }
            (Kind::Objects, Value::Array(items)) if items.iter().all(Value::is_object) => continue,
            (Kind::Nested(inner), Value::Object(value)) => {
                check_values(value, inner, &format!("{name}."))?;
                continue;
            }
            (Kind::Text, _) => "a string",
            (Kind::Flag, _) => "true or false",
            (Kind::Reference, _) => "a string or a number",
            (Kind::Items, _) => "a list of strings or objects",
            (Kind::Objects, _) => "a list of objects",
            (Kind::Nested(_), _) => "an object",
        };
        return Err(Refusal::invalid(format!("{parent}{name}"), format!("must be {wanted}")));
    }
    Ok(())
}

/// Applies checked changes: `null` removes, nested objects merge one level deep, everything else replaces.
pub(super) fn apply(document: &mut Document, changes: Document) {
    for (name, value) in changes {
        let Value::Object(inner) = value else {
            set(document, name, value);
            continue;
        };
        let mut merged = match document.remove(&name) {
            Some(Value::Object(old)) => old,
            _ => Document::new(),
        };
        for (inner_name, inner_value) in inner {
            set(&mut merged, inner_name, inner_value);
        }
        if !merged.is_empty() {
            document.insert(name, Value::Object(merged));
        }
    }
}

fn set(document: &mut Document, name: String, value: Value) {
    if value.is_null() {
        document.remove(&name);
    } else {
        document.insert(name, value);
    }
}

fn find<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.name == name)
}

/// Fields every row has and no client writes.
static SET_BY_APP: [&str; 4] = ["id", "created_at", "updated_at", "version"];

/// How many unknown fields an answer names.
const UNKNOWN_NAMED_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Document, EMPLOYEE, Refusal, apply, parse};

    /// The refused field and its message, or `None` for an accepted body.
    fn check(body: &Value, expect: Option<(&str, &str)>) {
        let refused = parse(body.to_string().as_bytes(), EMPLOYEE).err();
        let expect = expect.map(|(field, message)| Refusal::invalid(field, message));
        assert_eq!(refused, expect, "{body}");
    }

    #[test]
    fn values_have_kinds() {
        check(&json!({"login": "ann", "enabled": false, "org": {"manager_id": 7}}), None);
        check(&json!({"org": {"manager_id": "x-7"}, "extras": {"badges": ["a"], "tag": null}}), None);
        check(&json!({"extras": {"badges": [{"value": "a", "type": "skill"}, "b"]}}), None);
        check(&json!({"phones": [{"value": "1", "anything": {"goes": true}}], "email": null, "org": null}), None);
        check(&json!({"login": 7}), Some(("login", "must be a string")));
        check(&json!({"enabled": "true"}), Some(("enabled", "must be true or false")));
        check(&json!({"phones": {}}), Some(("phones", "must be a list of objects")));
        check(&json!({"phones": ["1"]}), Some(("phones", "must be a list of objects")));
        check(&json!({"org": []}), Some(("org", "must be an object")));
        check(&json!({"org": {"company": 1}}), Some(("org.company", "must be a string")));
        check(&json!({"org": {"manager_id": {}}}), Some(("org.manager_id", "must be a string or a number")));
        check(&json!({"extras": {"badges": [1]}}), Some(("extras.badges", "must be a list of strings or objects")));
    }

    #[test]
    fn unknown_names_are_all_named_and_bounded() {
        check(&json!({"userName": "a", "org": {"x": 1}}), Some(("org.x", "unknown fields: org.x, userName")));
        check(&json!({"id": 1, "version": 2}), Some(("id", "set by the application: id, version")));
        let many: Document = (10..25).map(|n| (format!("f{n}"), json!(n))).collect();
        let named = "unknown fields: f10, f11, f12, f13, f14, f15, f16, f17, f18, f19 and 5 more";
        check(&Value::Object(many), Some(("f10", named)));
        let long = "x".repeat(64);
        check(&json!({"x".repeat(1000): 1}), Some((&long, &format!("unknown fields: {long}"))));
    }

    #[test]
    fn bodies_must_be_json_objects() {
        for body in ["", "{", "[]", "7", "null", "\u{0}"] {
            assert!(matches!(parse(body.as_bytes(), EMPLOYEE), Err(Refusal::BadJson(_))), "{body:?}");
        }
        let deep = format!("{{\"phones\":{}1{}}}", "[".repeat(1000), "]".repeat(1000));
        assert!(matches!(parse(deep.as_bytes(), EMPLOYEE), Err(Refusal::BadJson(_))));
    }

    #[test]
    fn changes_merge_one_level() {
        let cases = [
            (json!({"a": 1}), json!({"a": 2, "b": 3}), json!({"a": 2, "b": 3})),
            (json!({"a": 1, "b": 2}), json!({"a": null, "z": null}), json!({"b": 2})),
            (json!({"l": [1, 2]}), json!({"l": [3]}), json!({"l": [3]})),
            (json!({"l": [1]}), json!({"l": []}), json!({"l": []})),
            (json!({"o": {"x": 1, "y": 2}}), json!({"o": {"y": 3, "z": 4}}), json!({"o": {"x": 1, "y": 3, "z": 4}})),
            (json!({"o": {"x": 1}}), json!({"o": {"x": null}}), json!({})),
            (json!({"o": {"x": 1}}), json!({"o": {}}), json!({"o": {"x": 1}})),
            (json!({"o": {"x": 1}}), json!({"o": null}), json!({})),
        ];
        for (before, changes, after) in cases {
            let mut document: Document = serde_json::from_value(before).unwrap();
            apply(&mut document, serde_json::from_value(changes.clone()).unwrap());
            assert_eq!(Value::Object(document), after, "{changes}");
        }
    }
}
