//! Operations applied and folded, each written as `op path = value`.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::scim::filter::FilterLimits;
use crate::scim::schema::{group_type, user_type};
use crate::scim::{Attribute, AttributeType, Resource, ResourceType, Schema, ScimError, ScimType};

const ENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn user() -> ResourceType {
    let mut user = user_type();
    let badge = Attribute::new("badge", AttributeType::String, "").immutable();
    let words = Attribute::new("words", AttributeType::String, "").multi();
    user.extensions.push(Schema::new("urn:x:User", "X", "", vec![badge, words]));
    user
}

fn path(rt: &ResourceType, text: &str) -> PatchPath {
    match parse(rt, text, &FilterLimits::default()).unwrap().target {
        PatchTarget::Attribute { path, .. } => path,
        other => panic!("{text} is {other:?}"),
    }
}

/// An operation: `remove` without a value is a removal, with one of these elements.
fn op(rt: &ResourceType, (verb, target, value): &(&str, &str, Value)) -> PatchOp {
    let path = path(rt, target);
    match (*verb, value) {
        ("add", value) => PatchOp::Add { path, value: value.clone() },
        ("replace", value) => PatchOp::Replace { path, value: value.clone() },
        (_, Value::Array(values)) => PatchOp::RemoveElements { path, values: values.clone() },
        _ => PatchOp::Remove { path },
    }
}

fn run(rt: &ResourceType, before: Value, ops: &[(&str, &str, Value)]) -> Result<Value, ScimError> {
    let Value::Object(before) = before else { panic!("an object") };
    let ops: Vec<PatchOp> = ops.iter().map(|text| op(rt, text)).collect();
    apply(rt, Resource(before), &ops).map(|after| Value::Object(after.0))
}

#[track_caller]
fn check(before: Value, ops: &[(&str, &str, Value)], after: Value) {
    assert_eq!(run(&user(), before, ops), Ok(after));
}

#[track_caller]
fn refuse(before: Value, ops: &[(&str, &str, Value)], scim_type: ScimType) {
    assert_eq!(run(&user(), before, ops).unwrap_err().scim_type, Some(scim_type));
}

#[test]
fn single_values_are_set_and_removed() {
    check(json!({}), &[("add", "title", json!("T"))], json!({"title": "T"}));
    check(json!({"title": "T"}), &[("add", "title", json!("U"))], json!({"title": "U"}));
    check(json!({"title": "T"}), &[("remove", "title", json!(null))], json!({}));
    check(json!({}), &[("remove", "title", json!(null))], json!({}));
    check(
        json!({"title": "T"}),
        &[("replace", "title", json!("U")), ("replace", "title", json!("V"))],
        json!({"title": "V"}),
    );
}

#[test]
fn complex_values_merge() {
    let name = json!({"name": {"givenName": "A", "familyName": "B"}});
    for verb in ["add", "replace"] {
        check(
            name.clone(),
            &[(verb, "name", json!({"givenName": "C"}))],
            json!({"name": {"givenName": "C", "familyName": "B"}}),
        );
        check(json!({}), &[(verb, "name.givenName", json!("C"))], json!({"name": {"givenName": "C"}}));
    }
    check(name.clone(), &[("remove", "name.givenName", json!(null))], json!({"name": {"familyName": "B"}}));
    check(json!({"name": {"givenName": "A"}}), &[("remove", "name.givenName", json!(null))], json!({}));
}

#[test]
fn a_reference_with_another_value_is_another_reference() {
    let boss = json!({ENT: {"manager": {"value": "1", "displayName": "Old"}}});
    check(boss.clone(), &[("replace", "manager", json!({"value": "2"}))], json!({ENT: {"manager": {"value": "2"}}}));
    check(boss.clone(), &[("replace", "manager.value", json!("2"))], json!({ENT: {"manager": {"value": "2"}}}));
    check(boss.clone(), &[("replace", "manager", json!({"value": "1"}))], boss.clone());
    check(boss, &[("remove", "manager.value", json!(null))], json!({}));
}

#[test]
fn adding_to_a_list_appends_what_is_not_there() {
    let emails = json!({"emails": [{"value": "a", "type": "work", "primary": true}]});
    check(
        emails.clone(),
        &[("add", "emails", json!([{"value": "A", "type": "Work"}, {"value": "a"}]))],
        emails.clone(),
    );
    check(
        emails.clone(),
        &[("add", "emails", json!([{"value": "a", "type": "home"}, {"value": "b", "primary": true}]))],
        json!({"emails": [
            {"value": "a", "type": "work", "primary": false}, {"value": "a", "type": "home"}, {"value": "b", "primary": true},
        ]}),
    );
    check(
        emails,
        &[("add", "emails", json!([{"value": "a", "display": "A"}]))],
        json!({"emails": [{"value": "a", "type": "work", "primary": true, "display": "A"}]}),
    );
}

#[test]
fn replacing_a_list_forgets_what_was_there() {
    let emails = json!({"title": "T", "emails": [{"value": "a"}]});
    check(
        emails.clone(),
        &[("replace", "emails", json!([{"value": "b"}, {"value": "b"}]))],
        json!({"title": "T", "emails": [{"value": "b"}]}),
    );
    check(emails.clone(), &[("replace", "emails", json!([]))], json!({"title": "T"}));
    check(emails, &[("remove", "emails", json!(null))], json!({"title": "T"}));
}

#[test]
fn elements_are_removed_by_value() {
    let phones =
        json!({"phoneNumbers": [{"value": "1", "type": "work"}, {"value": "1", "type": "home"}, {"value": "2"}]});
    check(
        phones.clone(),
        &[("remove", "phoneNumbers", json!([{"value": "1", "type": "home"}, {"value": "3"}]))],
        json!({"phoneNumbers": [{"value": "1", "type": "work"}, {"value": "2"}]}),
    );
    check(
        phones.clone(),
        &[("remove", "phoneNumbers", json!([{"value": "1"}]))],
        json!({"phoneNumbers": [{"value": "2"}]}),
    );
    check(
        phones,
        &[("remove", "phoneNumbers[type eq \"work\"]", json!([{"value": "1"}, {"value": "2"}]))],
        json!({"phoneNumbers": [{"value": "1", "type": "home"}, {"value": "2"}]}),
    );
    let words = json!({"urn:x:User": {"words": ["a", "b"]}});
    check(words, &[("remove", "words", json!(["A"]))], json!({"urn:x:User": {"words": ["b"]}}));
}

#[test]
fn a_filter_finds_elements_or_makes_one() {
    let work = "emails[type eq \"work\"]";
    let value = "emails[type eq \"work\"].value";
    for verb in ["add", "replace"] {
        check(json!({}), &[(verb, value, json!("a"))], json!({"emails": [{"type": "work", "value": "a"}]}));
        check(
            json!({"emails": [{"type": "Work", "value": "a"}]}),
            &[(verb, value, json!("b"))],
            json!({"emails": [{"type": "Work", "value": "b"}]}),
        );
    }
    check(
        json!({}),
        &[
            ("add", "addresses[type eq \"work\"].locality", json!("L")),
            ("add", "addresses[type eq \"work\"].region", json!("R")),
        ],
        json!({"addresses": [{"type": "work", "locality": "L", "region": "R"}]}),
    );
    let full = json!({"emails": [{"type": "work", "value": "a", "display": "A"}]});
    check(
        full.clone(),
        &[("replace", work, json!({"value": "b"}))],
        json!({"emails": [{"type": "work", "value": "b"}]}),
    );
    check(
        full,
        &[("add", work, json!({"value": "b"}))],
        json!({"emails": [{"type": "work", "value": "b", "display": "A"}]}),
    );
    check(
        json!({}),
        &[("add", "emails[type eq \"work\" and primary eq true]", json!({"value": "b"}))],
        json!({"emails": [{"type": "work", "primary": true, "value": "b"}]}),
    );
    for filter in [
        "type ne \"home\"",
        "type eq \"a\" or type eq \"b\"",
        "value sw \"a\"",
        "type eq \"a\" and type eq \"b\"",
        "not (type eq \"a\")",
    ] {
        refuse(json!({}), &[("replace", &format!("phoneNumbers[{filter}].value"), json!("1"))], ScimType::NoTarget);
    }
    check(json!({}), &[("add", "words[value eq \"a\"]", json!("a"))], json!({"urn:x:User": {"words": ["a"]}}));
}

#[test]
fn a_made_element_satisfies_its_filter() {
    refuse(json!({}), &[("add", "emails[type eq \"work\"].type", json!("home"))], ScimType::NoTarget);
    refuse(json!({}), &[("replace", "emails[type eq \"work\"]", json!({"type": "home"}))], ScimType::NoTarget);
}

#[test]
fn elements_that_become_equal_are_one() {
    check(
        json!({"emails": [{"type": "work", "value": "a"}, {"value": "b", "primary": true}]}),
        &[("replace", "emails[value eq \"b\"].value", json!("a"))],
        json!({"emails": [{"type": "work", "value": "a", "primary": true}]}),
    );
}

#[test]
fn a_sub_attribute_without_filter_means_every_element() {
    let two = json!({"emails": [{"value": "a"}, {"value": "b", "display": "B"}]});
    check(
        two.clone(),
        &[("replace", "emails.type", json!("work"))],
        json!({"emails": [{"value": "a", "type": "work"}, {"value": "b", "display": "B", "type": "work"}]}),
    );
    check(two, &[("remove", "emails.display", json!(null))], json!({"emails": [{"value": "a"}, {"value": "b"}]}));
    refuse(json!({}), &[("replace", "emails.type", json!("work"))], ScimType::NoTarget);
}

#[test]
fn removing_through_a_filter_forgives_a_miss() {
    let two = json!({"emails": [{"type": "work", "value": "a", "display": "A"}, {"type": "home", "value": "b"}]});
    check(two.clone(), &[("remove", "emails[type eq \"other\"]", json!(null))], two.clone());
    check(two.clone(), &[("remove", "emails[type eq \"other\"].value", json!(null))], two.clone());
    check(
        two.clone(),
        &[("remove", "emails[type eq \"work\"]", json!(null))],
        json!({"emails": [{"type": "home", "value": "b"}]}),
    );
    check(
        two.clone(),
        &[("remove", "emails[type eq \"work\"].display", json!(null))],
        json!({"emails": [{"type": "work", "value": "a"}, {"type": "home", "value": "b"}]}),
    );
    // Without its value an element is nothing.
    check(
        two,
        &[("remove", "emails[type eq \"work\"].value", json!(null))],
        json!({"emails": [{"type": "home", "value": "b"}]}),
    );
    check(
        json!({"addresses": [{"type": "work"}]}),
        &[("remove", "addresses[type eq \"work\"].type", json!(null))],
        json!({}),
    );
}

#[test]
fn one_element_is_primary() {
    let two = json!({"emails": [{"type": "work", "value": "a", "primary": true}, {"type": "home", "value": "b"}]});
    let moved = json!({"emails": [
        {"type": "work", "value": "a", "primary": false}, {"type": "home", "value": "b", "primary": true},
    ]});
    check(two.clone(), &[("replace", "emails[type eq \"home\"].primary", json!(true))], moved.clone());
    check(two, &[("add", "emails[type eq \"home\"]", json!({"primary": true}))], moved);
    check(
        json!({"roles": [{"value": "a", "primary": true}]}),
        &[("add", "roles[value eq \"b\" and primary eq true].type", json!("t"))],
        json!({"roles": [{"value": "a", "primary": false}, {"value": "b", "primary": true, "type": "t"}]}),
    );
}

#[test]
fn required_and_immutable_values_stay() {
    let before = json!({"userName": "a", "urn:x:User": {"badge": "7"}});
    refuse(before.clone(), &[("remove", "userName", json!(null))], ScimType::InvalidValue);
    refuse(before.clone(), &[("replace", "badge", json!("8"))], ScimType::Mutability);
    refuse(before.clone(), &[("remove", "badge", json!(null))], ScimType::Mutability);
    check(before.clone(), &[("replace", "badge", json!("7"))], before.clone());
    check(
        before,
        &[("remove", "userName", json!(null)), ("add", "userName", json!("b"))],
        json!({"userName": "b", "urn:x:User": {"badge": "7"}}),
    );
    check(json!({}), &[("add", "badge", json!("8"))], json!({"urn:x:User": {"badge": "8"}}));
}

#[test]
fn a_member_keeps_its_value() {
    let group = json!({"displayName": "G", "members": [{"value": "1", "type": "User"}]});
    let rt = group_type();
    let result = run(&rt, group.clone(), &[("replace", "members[value eq \"1\"].value", json!("2"))]);
    assert_eq!(result.unwrap_err().scim_type, Some(ScimType::Mutability));
    let result = run(&rt, group.clone(), &[("add", "members", json!([{"value": "1", "type": "Group"}]))]);
    assert_eq!(result, Ok(group));
}

#[test]
fn foreign_paths_are_refused() {
    let ops = [op(&group_type(), &("replace", "members", json!([])))];
    let error = apply(&user(), Resource::default(), &ops).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidPath));
    let filtered = PatchPath { filter: path(&user(), "emails[type eq \"a\"]").filter, ..path(&user(), "title") };
    let error = apply(&user(), Resource::default(), &[PatchOp::Remove { path: filtered }]).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidPath));
}

#[test]
fn paths_are_parsed_whole() {
    let user = user();
    let show = |text: &str| match parse(&user, text, &FilterLimits::default()) {
        Ok(ParsedPath { target: PatchTarget::Core, .. }) => "core".to_owned(),
        Ok(ParsedPath { target: PatchTarget::Extension(schema), .. }) => schema.id.to_string(),
        Ok(ParsedPath { target: PatchTarget::Attribute { path, sub, .. }, .. }) => {
            assert_eq!(path.attr.sub.is_some(), sub.is_some());
            let filter = path.filter.map_or_else(String::new, |filter| format!(" [{filter}]"));
            format!("{}{filter}", path.attr)
        }
        Err(error) => error.to_string(),
    };
    for (text, expect) in [
        ("TITLE", "title"),
        ("emails[Type eq \"work\"].VALUE", "emails.value [type eq \"work\"]"),
        ("emails[type eq \"a]b\"]", "emails [type eq \"a]b\"]"),
        (
            "urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq \"work\"].value",
            "emails.value [type eq \"work\"]",
        ),
        ("urn:ietf:params:scim:schemas:core:2.0:User", "core"),
        ("urn:x:user", "urn:x:User"),
        ("emails[type eq \"work\"", "unbalanced brackets in the path"),
        ("emails]", "unbalanced brackets in the path"),
        ("emails[type eq \"work\"]value", "unbalanced brackets in the path"),
        ("title[value eq \"a\"]", "'title' holds one value, so its path takes no filter"),
        ("emails.value[type eq \"a\"]", "'emails.value' holds one value, so its path takes no filter"),
        ("emails[type eq \"work\"].nope", "attribute 'emails' has no sub-attribute 'nope'"),
    ] {
        assert_eq!(show(text), expect, "{text}");
    }
    assert!(matches!(parse(&user, "emails[nope eq 1]", &FilterLimits::default()), Err(PatchPathError::Filter(_))));
}

#[test]
fn touched_attributes_are_as_narrow_as_the_operations() {
    let rt = user();
    let ops: Vec<PatchOp> = [
        ("replace", "name", json!({"givenName": "A"})),
        ("remove", "title", json!(null)),
        ("add", "emails[type eq \"work\"].value", json!("a")),
        ("replace", "emails", json!([])),
        ("replace", "manager.value", json!("m")),
        ("remove", "name", json!(null)),
    ]
    .iter()
    .map(|text| op(&rt, text))
    .collect();
    let touched: Vec<String> = touched(&ops).iter().map(ToString::to_string).collect();
    assert_eq!(touched, ["name.givenName", "title", "emails", &format!("{ENT}:manager.value"), "name"]);
}

#[expect(clippy::needless_pass_by_value, reason = "tables of literals read better without references")]
#[track_caller]
fn fold(ops: &[(&str, &str, Value)], expect: MemberChange, clears: bool) {
    let ops: Vec<PatchOp> = ops.iter().map(|text| op(&group_type(), text)).collect();
    assert_eq!(member_change(&ops, "members"), expect);
    assert_eq!(is_clear(&ops, "members"), clears);
}

#[test]
fn membership_changes_fold_in_order() {
    let m = |id: &str| json!({"value": id});
    let delta = |add: &[&str], remove: &[&str]| MemberChange::Delta {
        add: add.iter().map(|id| m(id)).collect(),
        remove: remove.iter().map(ToString::to_string).collect(),
    };
    let set = |ids: &[&str]| MemberChange::Set(ids.iter().map(|id| m(id)).collect());
    let one = "members[value eq \"1\"]";
    fold(&[("replace", "displayName", json!("G"))], MemberChange::None, false);
    fold(&[("add", "members", json!([m("2"), m("1"), m("2")]))], delta(&["2", "1"], &[]), false);
    fold(&[("remove", "members[value eq \"1\" or value eq \"2\"]", json!(null))], delta(&[], &["1", "2"]), false);
    fold(&[("add", "members", json!([m("1")])), ("remove", one, json!(null))], delta(&[], &["1"]), false);
    fold(
        &[("remove", "members", json!([m("1"), m("2")])), ("add", "members", json!([m("1")]))],
        delta(&["1"], &["2"]),
        false,
    );
    fold(&[("replace", "members", json!([m("1"), m("2")])), ("remove", one, json!(null))], set(&["2"]), false);
    fold(&[("replace", "members", json!([]))], set(&[]), false);
    fold(
        &[("add", "members", json!([m("9")])), ("remove", "members", json!(null)), ("add", "members", json!([m("1")]))],
        set(&["1"]),
        true,
    );
    for unclear in
        ["members[type eq \"User\"]", "members[value eq \"1\" and type eq \"User\"]", "members[value ne \"1\"]"]
    {
        fold(&[("remove", unclear, json!(null))], MemberChange::NeedsState, false);
    }
    fold(&[("replace", "members[value eq \"1\"].display", json!("A"))], MemberChange::NeedsState, false);
    fold(&[("add", "members", json!([{"display": "nobody"}]))], MemberChange::NeedsState, false);
    fold(&[("remove", "members[type eq \"User\"]", json!([m("1")]))], MemberChange::NeedsState, false);
}

fn text(element: &Value, name: &str) -> Option<String> {
    element.get(name).and_then(Value::as_str).map(str::to_lowercase)
}

/// A model of lists: plain vectors, scanned for everything. Elements changed in place carry a mark.
#[derive(Default)]
struct Model(Vec<Value>);

impl Model {
    fn same(a: &Value, b: &Value) -> bool {
        let types_differ = matches!((text(a, "type"), text(b, "type")), (Some(a), Some(b)) if a != b);
        text(a, "value") == text(b, "value") && !types_differ
    }

    fn add(&mut self, new: &Value) {
        let same: Vec<usize> = (0..self.0.len()).filter(|place| Self::same(&self.0[*place], new)).collect();
        // A typed element prefers its own type, an untyped one takes the first of its value.
        let typed = same.iter().find(|place| text(&self.0[**place], "type").is_some());
        let Some(place) = typed.filter(|_| text(new, "type").is_some()).or(same.first()) else {
            return self.0.push(new.clone());
        };
        let present = self.0[*place].as_object_mut().unwrap();
        for (name, value) in new.as_object().unwrap() {
            if new["changed"] == true || !present.contains_key(name) {
                present.insert(name.clone(), value.clone());
            }
        }
    }

    fn run(&mut self, verb: &str, target: &str, value: &Value) {
        let is_work = |element: &Value| text(element, "type").as_deref() == Some("work");
        let values = value.as_array().cloned().unwrap_or_default();
        match (verb, target) {
            ("add", "emails") => values.iter().for_each(|new| self.add(new)),
            ("replace", "emails") => {
                self.0.clear();
                for new in &values {
                    self.add(new);
                }
            }
            ("remove", "emails") if value.is_null() => self.0.clear(),
            ("remove", "emails") => self.0.retain(|old| !values.iter().any(|gone| Self::same(old, gone))),
            ("remove", _) => self.0.retain(|old| !is_work(old)),
            _ => {
                if !self.0.iter().any(is_work) {
                    self.0.push(json!({"type": "work"}));
                }
                for old in self.0.iter_mut().filter(|old| is_work(old)) {
                    old["value"] = value.clone();
                    old["changed"] = json!(true);
                }
            }
        }
    }

    fn finish(self) -> Value {
        let mut list = Self::default();
        if self.0.iter().any(|element| element["changed"] == true) {
            self.0.iter().for_each(|element| list.add(element));
        } else {
            list = self;
        }
        for element in &mut list.0 {
            element.as_object_mut().unwrap().remove("changed");
        }
        if list.0.is_empty() { json!({}) } else { json!({"emails": list.0}) }
    }
}

fn element() -> impl Strategy<Value = Value> {
    let value = prop::sample::select(vec!["a", "A", "b", "c"]);
    let kind = prop::sample::select(vec![None, Some("work"), Some("Work"), Some("home")]);
    (value, kind).prop_map(|(value, kind)| match kind {
        Some(kind) => json!({"value": value, "type": kind}),
        None => json!({"value": value}),
    })
}

fn operation() -> impl Strategy<Value = (&'static str, &'static str, Value)> {
    let elements = || prop::collection::vec(element(), 0..4).prop_map(Value::from);
    let scalar = prop::sample::select(vec!["a", "b", "d"]).prop_map(Value::from);
    prop_oneof![
        elements().prop_map(|value| ("add", "emails", value)),
        elements().prop_map(|value| ("replace", "emails", value)),
        elements().prop_map(|value| ("remove", "emails", value)),
        Just(("remove", "emails", Value::Null)),
        Just(("remove", "emails[type eq \"work\"]", Value::Null)),
        scalar.prop_map(|value| ("replace", "emails[type eq \"work\"].value", value)),
    ]
}

proptest! {
    #[test]
    fn lists_behave_like_the_model(ops in prop::collection::vec(operation(), 1..8)) {
        let mut model = Model::default();
        for (verb, target, value) in &ops {
            model.run(verb, target, value);
        }
        let expect = model.finish();
        prop_assert_eq!(run(&user(), json!({}), &ops), Ok(expect));
    }

    #[test]
    fn what_is_not_touched_stays_as_it_is(ops in prop::collection::vec(operation(), 0..6)) {
        let others = json!({"userName": "a", "title": " T ", "phoneNumbers": [{"value": "1"}, {"value": "1"}], ENT: {"division": "D"}});
        let mut after = run(&user(), others.clone(), &ops).unwrap();
        after.as_object_mut().unwrap().remove("emails");
        prop_assert_eq!(serde_json::to_string(&after).unwrap(), serde_json::to_string(&others).unwrap());
    }

    #[test]
    fn replacing_twice_is_replacing_once(value in prop::collection::vec(element(), 0..5), before in prop::collection::vec(element(), 0..5)) {
        let replace = ("replace", "emails", Value::from(value));
        let once = run(&user(), json!({"emails": before}), std::slice::from_ref(&replace)).unwrap();
        prop_assert_eq!(run(&user(), once.clone(), &[replace]).unwrap(), once);
    }

    #[test]
    fn a_folded_membership_change_comes_to_the_same_members(
        ops in prop::collection::vec((0..4usize, prop::collection::vec(0..5usize, 0..4)), 0..6),
        before in prop::collection::btree_set(0..5usize, 0..5),
    ) {
        let rt = group_type();
        let member = |n: &usize| json!({"value": n.to_string()});
        let ops: Vec<PatchOp> = ops.iter().map(|(kind, ids)| {
            let ids = Value::from(ids.iter().map(member).collect::<Vec<_>>());
            let verb = ["add", "remove", "replace", "remove"][*kind];
            op(&rt, &(verb, "members", if *kind == 3 { Value::Null } else { ids }))
        }).collect();
        let before: Vec<Value> = before.iter().map(member).collect();
        let resource = Resource(Map::from_iter([("members".to_owned(), Value::from(before.clone()))]));
        let after = apply(&rt, resource, &ops).unwrap();
        let mut folded = match member_change(&ops, "members") {
            MemberChange::None => before,
            MemberChange::Set(elements) => elements,
            MemberChange::Delta { add, remove } => {
                let gone = |m: &Value| remove.iter().any(|id| m["value"] == **id) || add.contains(m);
                before.into_iter().filter(|m| !gone(m)).chain(add.clone()).collect()
            }
            MemberChange::NeedsState => panic!("all are named"),
        };
        let mut members = after.0.get("members").and_then(Value::as_array).cloned().unwrap_or_default();
        folded.sort_by_key(ToString::to_string);
        members.sort_by_key(ToString::to_string);
        prop_assert_eq!(folded, members);
    }
}
