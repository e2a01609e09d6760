//! Properties over generated JSON: near misses of real requests, and anything at all.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::Repair;
use super::{ACME, ENT, outcome, type_of, user};
use crate::dialect::{PatchLimits, Purpose, Repairs, patch, resource};
use crate::scim::patch::{apply, is_clear, member_change};
use crate::scim::{Resource, ResourceType};

/// Keys that a resource, an element or a message may have, in good and bad spellings.
fn key() -> impl Strategy<Value = String> {
    let known = [
        "userName",
        "USERNAME",
        "displayName",
        "title",
        "active",
        "name",
        "name.givenName",
        "givenName",
        "emails",
        "emails.value",
        "emails[type eq \"work\"].value",
        "value",
        "type",
        "primary",
        "display",
        "roles",
        "members",
        "manager",
        "department",
        "id",
        "schemas",
        "meta",
        "groups",
        "addresses",
        "locality",
        "$ref",
        "password",
        "urn:ietf:params:scim:schemas:core:2.0:User",
        "urn:scim:schemas:core:1.0:title",
        "words",
        "size",
        "op",
        "path",
    ];
    prop_oneof![
        8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => Just(ENT.to_owned()),
        1 => Just(ACME.to_lowercase()),
        1 => Just(format!("{ENT}:manager")),
        1 => ".{0,12}",
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["", "True", "false", "work", "a@b.example", "7", "{\"value\":1}", "{"])
            .prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn word() -> impl Strategy<Value = Value> {
    let words = vec![json!("a"), json!("A"), json!("work"), json!("home"), json!(""), json!(null), json!(["a"])];
    prop::sample::select(words)
}

fn element() -> impl Strategy<Value = Value> {
    let parts = prop::sample::subsequence(vec!["value", "type", "display", "primary", "locality"], 0..5);
    let primary = prop::sample::select(vec![json!(true), json!("False"), json!(null)]);
    let object = (parts, word(), word(), primary).prop_map(|(parts, one, other, primary)| {
        let value = |name: &str| match name {
            "primary" => primary.clone(),
            "value" | "locality" => one.clone(),
            _ => other.clone(),
        };
        Value::Object(parts.into_iter().map(|name| (name.to_owned(), value(name))).collect())
    });
    prop_oneof![6 => object, 1 => word()]
}

/// A path and a value that mostly fits it.
fn assignment() -> impl Strategy<Value = (String, Value)> {
    let simple = ["title", "userName", "name.givenName", "department", "manager", "manager.value", "emails.display"];
    let filtered = [
        "emails[type eq \"work\"].value",
        "emails[type eq \"work\"].type",
        "roles[primary eq \"True\"].display",
        "emails[value eq \"a\"].primary",
        "addresses[type eq \"home\"].locality",
        "members[value eq \"a\"].type",
    ];
    let lists = ["emails", "roles", "members", "addresses", "emails[type eq \"work\"]", "addresses[locality eq \"a\"]"];
    let part = |names: Vec<&'static str>| prop::sample::select(names).prop_map(str::to_owned);
    let list = prop_oneof![4 => prop::collection::vec(element(), 0..4).prop_map(Value::from), 2 => element()];
    prop_oneof![
        3 => (part(simple.to_vec()), word()),
        2 => (part(filtered.to_vec()), word()),
        1 => (part(vec!["active", "emails[value eq \"a\"].primary"]), prop::sample::select(vec![json!(true), json!("False")])),
        4 => (part(lists.to_vec()), list),
        2 => (part(vec!["name", "manager", "words"]), element()),
        1 => (key(), json_value()),
    ]
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::vec(assignment(), 0..6).prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn operation() -> impl Strategy<Value = Value> {
    let op = prop::sample::select(vec!["add", "Replace", "remove", "add", "replace"]);
    let with_path = (op, assignment()).prop_map(|(op, (path, value))| json!({"op": op, "path": path, "value": value}));
    let removal = assignment().prop_map(|(path, _)| json!({"op": "remove", "path": path}));
    let without_path = object().prop_map(|value| json!({"op": "replace", "value": value}));
    prop_oneof![5 => with_path, 1 => removal, 1 => without_path]
}

fn any_type() -> impl Strategy<Value = ResourceType> {
    prop::sample::select(vec!["User", "Group"]).prop_map(type_of)
}

fn stored(rt: &ResourceType, body: Value) -> Option<Resource> {
    Some(resource(rt, body, Purpose::Stored, &PatchLimits::default(), &mut Repairs::default()).ok()?.resource)
}

/// How often generated requests are accepted: too seldom, and the properties say nothing.
#[test]
fn generated_requests_are_often_valid() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut draw = |strategy: BoxedStrategy<Value>| strategy.new_tree(&mut runner).unwrap().current();
    let rt = user();
    let (mut resources, mut patches) = (0, 0);
    for _ in 0..400 {
        let before = stored(&rt, draw(object().boxed()));
        resources += usize::from(before.is_some());
        let ops = Value::from(vec![draw(operation().boxed()), draw(operation().boxed())]);
        let body = json!({"Operations": ops});
        let patch = patch(&rt, body, &PatchLimits::default(), None, &mut Repairs::default());
        let after = patch.ok().and_then(|patch| apply(&rt, before.unwrap_or_default(), &patch.ops).ok());
        patches += usize::from(after.is_some());
    }
    assert!(resources > 100 && patches > 100, "{resources} resources, {patches} patches");
}

proptest! {
    #[test]
    fn any_json_gets_an_answer(body in json_value(), rt in any_type()) {
        for purpose in [Purpose::Create, Purpose::Replace, Purpose::Merge, Purpose::Stored] {
            let _ = resource(&rt, body.clone(), purpose, &PatchLimits::default(), &mut Repairs::default());
        }
        let _ = patch(&rt, body, &PatchLimits::default(), Some("r-1"), &mut Repairs::default());
    }

    #[test]
    fn any_operations_get_an_answer(before in object(), ops in prop::collection::vec(operation(), 0..5), rt in any_type()) {
        let before = stored(&rt, before).unwrap_or_default();
        let body = json!({"Operations": ops});
        if let Ok(patch) = patch(&rt, body, &PatchLimits::default(), Some("r-1"), &mut Repairs::default()) {
            let _ = (apply(&rt, before, &patch.ops), member_change(&patch.ops, "members"), is_clear(&patch.ops, "members"));
        }
    }

    #[test]
    fn normalising_twice_is_normalising_once(body in object(), rt in any_type()) {
        let Some(once) = stored(&rt, body) else { return Ok(()) };
        let mut again = once.0.clone();
        again.insert("schemas".to_owned(), json!([&*rt.schema.id, ENT, ACME]));
        let mut repairs = Repairs::default();
        let twice = resource(&rt, Value::Object(again), Purpose::Stored, &PatchLimits::default(), &mut repairs).unwrap();
        prop_assert_eq!(&twice.resource, &once);
        prop_assert!(twice.unknown.is_empty() && twice.cleared.is_empty());
        let made: Vec<Repair> = repairs.iter().map(|(repair, _)| repair).filter(|made| *made != Repair::UnknownSchema).collect();
        prop_assert!(made.is_empty(), "{:?}", made);
    }

    #[test]
    fn a_canonical_resource_holds_nothing_unassigned(body in object(), rt in any_type()) {
        let Some(resource) = stored(&rt, body) else { return Ok(()) };
        let mut open: Vec<&Value> = resource.0.values().collect();
        while let Some(value) = open.pop() {
            match value {
                Value::Object(members) => {
                    prop_assert!(!members.is_empty());
                    open.extend(members.values());
                }
                Value::Array(items) => {
                    prop_assert!(!items.is_empty());
                    open.extend(items);
                }
                other => prop_assert!(!other.is_null() && *other != json!("")),
            }
        }
    }

    #[test]
    fn a_patch_keeps_a_resource_canonical(before in object(), ops in prop::collection::vec(operation(), 0..5), rt in any_type()) {
        let Some(before) = stored(&rt, before) else { return Ok(()) };
        let body = json!({"Operations": ops});
        let Ok(patch) = patch(&rt, body, &PatchLimits::default(), Some("r-1"), &mut Repairs::default()) else { return Ok(()) };
        let Ok(after) = apply(&rt, before.clone(), &patch.ops) else { return Ok(()) };
        prop_assert_eq!(stored(&rt, Value::Object(after.0.clone())), Some(after.clone()));
        let touched = crate::scim::patch::touched(&patch.ops);
        for (key, value) in &before.0 {
            if !touched.iter().any(|path| *path.attribute == **key || path.extension.as_deref() == Some(key)) {
                let kept = after.0.get(key).map(Value::to_string);
                prop_assert_eq!(kept, Some(value.to_string()), "{}", key);
            }
        }
    }

    #[test]
    fn replacing_an_attribute_twice_is_replacing_once(before in object(), (key, value) in assignment()) {
        // A record made because its filter found none may merge with an equal element; found again, it replaces it.
        if key.ends_with(']') {
            return Ok(());
        }
        let rt = user();
        let Some(before) = stored(&rt, before) else { return Ok(()) };
        let body = json!({"Operations": [{"op": "replace", "value": {key: value}}]});
        let Ok(patch) = patch(&rt, body, &PatchLimits::default(), None, &mut Repairs::default()) else { return Ok(()) };
        if let Ok(once) = apply(&rt, before, &patch.ops) {
            // An operation may unmake what its own filter asks for; then there is nothing left to replace.
            let twice = apply(&rt, once.clone(), &patch.ops);
            prop_assert!(twice == Ok(once.clone()) || outcome(&twice) == "noTarget", "{:?} became {:?}", once, twice);
        }
    }
}
