//! Bodies of POST and PUT: what each becomes.

use serde_json::{Value, json};

use super::super::Repair;
use super::{ACME, ENT, outcome, user};
use crate::dialect::{Normalised, PatchLimits, Purpose, Repairs, resource};
use crate::scim::schema::group_type;
use crate::scim::{AttrPath, ScimError};

fn create(body: Value) -> (Result<Normalised, ScimError>, Repairs) {
    let mut repairs = Repairs::default();
    let normalised = resource(&user(), body, Purpose::Stored, &PatchLimits::default(), &mut repairs);
    (normalised, repairs)
}

/// The resource that a body becomes, and the repairs besides missing `schemas`.
#[expect(clippy::needless_pass_by_value, reason = "literals read better without references")]
#[track_caller]
fn check(body: Value, expect: Value, repairs: &[Repair]) {
    let (normalised, made) = create(body);
    assert_eq!(Value::Object(normalised.unwrap().resource.0), expect);
    let made: Vec<Repair> =
        made.iter().map(|(repair, _)| repair).filter(|made| *made != Repair::SchemasMissing).collect();
    assert_eq!(made, repairs);
}

/// The error that a body ends in.
#[track_caller]
fn refuse(body: Value, detail: &str) {
    let (normalised, _) = create(body);
    assert_eq!(outcome(&normalised), "invalidValue");
    assert_eq!(normalised.unwrap_err().detail, detail);
}

#[test]
fn names_get_the_spelling_of_the_schema() {
    check(
        json!({"USERNAME": "a", "Name": {"GIVENNAME": "A"}, "urn:IETF:params:scim:schemas:extension:enterprise:2.0:user": {"Division": "D"}}),
        json!({"userName": "a", "name": {"givenName": "A"}, ENT: {"division": "D"}}),
        &[],
    );
}

#[test]
fn keys_are_paths() {
    check(
        json!({
            "name.givenName": "A", "name": {"familyName": "B"}, format!("{ENT}:department"): "D", ACME: {"tag": "t"},
            "emails[type eq \"work\"].value": "a@b.example",
        }),
        json!({
            "name": {"givenName": "A", "familyName": "B"}, ENT: {"department": "D"}, ACME: {"tag": "t"},
            "emails": [{"type": "work", "value": "a@b.example"}],
        }),
        &[Repair::FlatKey],
    );
    check(
        json!({"urn:ietf:params:scim:schemas:core:2.0:User": {"title": "T"}, "department": "D"}),
        json!({"title": "T", ENT: {"department": "D"}}),
        &[Repair::BareExtensionAttribute, Repair::FlatKey],
    );
    check(
        json!({"urn:scim:schemas:core:1.0": {"title": "T"}}),
        json!({"title": "T"}),
        &[Repair::LegacySchema, Repair::FlatKey],
    );
}

#[test]
fn one_attribute_cannot_have_two_values() {
    check(
        json!({"department": null, ENT: {"department": "D"}}),
        json!({ENT: {"department": "D"}}),
        &[Repair::BareExtensionAttribute],
    );
    check(json!({"title": "T", "Title": "T"}), json!({"title": "T"}), &[]);
    refuse(json!({"title": "T", "Title": "U"}), "title is given twice, with different values");
    refuse(
        json!({"name": {"givenName": "A", "GivenName": "B"}}),
        "name.givenName is given twice, with different values",
    );
    refuse(
        json!({"name": {"givenName": "A"}, "name.givenName": "B"}),
        "name.givenName is given twice, with different values",
    );
}

#[test]
fn simple_values_have_the_type_of_the_schema() {
    check(
        json!({"active": "TRUE", "nickName": "True", ACME: {"size": "12", "ratio": "0.25", "since": "2026-01-31T10:00:00Z"}}),
        json!({"active": true, "nickName": "True", ACME: {"size": 12, "ratio": 0.25, "since": "2026-01-31T10:00:00Z"}}),
        &[Repair::BooleanAsString, Repair::NumberAsString],
    );
    check(json!({"displayName": ["x"]}), json!({"displayName": "x"}), &[Repair::SingleValueInList]);
    check(
        json!({"displayName": [{"$ref": null, "Value": "x"}]}),
        json!({"displayName": "x"}),
        &[Repair::SingleValueInList, Repair::ObjectForScalar],
    );
    refuse(json!({"active": "maybe"}), "active must be true or false, not a string");
    refuse(json!({"active": 1}), "active must be true or false, not a number");
    refuse(json!({"displayName": 7}), "displayName must be a string, not a number");
    refuse(json!({"displayName": {"a": 1}}), "displayName must be a string, not an object");
    refuse(json!({"displayName": {"value": "x", "other": 1}}), "displayName must be a string, not an object");
    refuse(json!({"displayName": ["a", "b"]}), "displayName holds one value, not 2");
    refuse(json!({"displayName": [["a"]]}), "displayName holds a list in a list");
    refuse(json!({ACME: {"size": 1.5}}), &format!("{ACME}:size must be a whole number, not a number"));
    refuse(json!({ACME: {"size": "1e3"}}), &format!("{ACME}:size must be a whole number, not a string"));
    refuse(json!({ACME: {"ratio": "0.12345678901234567"}}), &format!("{ACME}:ratio must be a number, not a string"));
    refuse(
        json!({ACME: {"since": "yesterday"}}),
        &format!("{ACME}:since must be a date and time (RFC 3339), not a string"),
    );
    refuse(json!({ENT: "x"}), &format!("{ENT} must be an object, not a string"));
}

#[test]
fn complex_values_and_lists_get_their_shape() {
    check(
        json!({"manager": "u-7", "emails": ["a@b.example", {"value": "c@d.example", "primary": "True"}]}),
        json!({
            ENT: {"manager": {"value": "u-7"}},
            "emails": [{"value": "a@b.example"}, {"value": "c@d.example", "primary": true}],
        }),
        &[Repair::BareExtensionAttribute, Repair::ScalarForObject, Repair::BooleanAsString],
    );
    check(json!({"emails": {"value": "a"}}), json!({"emails": [{"value": "a"}]}), &[Repair::SingleElementBare]);
    check(json!({ACME: {"words": "a"}}), json!({ACME: {"words": ["a"]}}), &[Repair::SingleElementBare]);
    check(json!({ACME: {"words": ["a", "b", "A"]}}), json!({ACME: {"words": ["a", "b"]}}), &[Repair::DuplicateElement]);
    refuse(json!({"emails": "a"}), "emails must be a list of objects, not a string");
    refuse(json!({"emails": [["a"]]}), "emails holds a list in a list");
    refuse(json!({"emails": [{"value": 1}]}), "emails.value must be a string, not a number");
    refuse(json!({"name": "Ann"}), "name must be an object, not a string");
    refuse(json!({"addresses": ["Elm Row"]}), "addresses must be an object, not a string");
}

#[test]
fn roles_are_read_in_every_shape() {
    let document = r#"{"id":"r-1","value":"Admin","displayName":"Administrator"}"#;
    let admin = json!({"roles": [{"value": "Admin", "display": "Administrator"}]});
    check(json!({"roles": [{"value": document}]}), admin.clone(), &[Repair::DocumentAsValue]);
    check(json!({"roles": [document]}), admin.clone(), &[Repair::ScalarForObject, Repair::DocumentAsValue]);
    check(
        json!({"roles": [{"value": "Admin", "displayName": "Administrator"}]}),
        admin,
        &[Repair::DisplayNameForDisplay],
    );
    for other in [r#"{"value":"A","more":1}"#, r#"{"id":"r-1"}"#, "{not json", "[]"] {
        check(json!({"roles": [{"value": other}]}), json!({"roles": [{"value": other}]}), &[]);
    }
}

#[test]
fn only_one_element_is_primary() {
    refuse(
        json!({"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}),
        "emails has more than one primary element",
    );
}

#[test]
fn equal_elements_collapse() {
    check(
        json!({"emails": [{"value": "a@b"}, {"value": "A@b", "type": "work"}, {"value": "a@B", "type": "home"}]}),
        json!({"emails": [{"value": "a@b", "type": "work"}, {"value": "a@B", "type": "home"}]}),
        &[Repair::DuplicateElement],
    );
    check(
        json!({"addresses": [{"type": "work", "locality": "Ely"}, {"locality": "ely", "type": "work", "primary": true}]}),
        json!({"addresses": [{"type": "work", "locality": "Ely", "primary": true}]}),
        &[Repair::DuplicateElement],
    );
}

#[test]
fn unassigned_is_remembered_as_said() {
    let body = json!({
        "userName": "a", "title": null, "nickName": "", "emails": [], "name": {"givenName": "A", "familyName": null},
        "roles": [{"value": ""}], ENT: {"manager": {"value": ""}, "division": "D"}, ACME: null,
    });
    let (normalised, _) = create(body);
    let Normalised { resource, cleared, .. } = normalised.unwrap();
    assert_eq!(Value::Object(resource.0), json!({"userName": "a", "name": {"givenName": "A"}, ENT: {"division": "D"}}));
    let mut cleared: Vec<String> = cleared.iter().map(ToString::to_string).collect();
    cleared.sort_by_key(|path| path.starts_with("urn"));
    let acme = ["tag", "badges", "size", "ratio", "since", "words", "badgeNumber"].map(|name| format!("{ACME}:{name}"));
    let mut expect: Vec<String> =
        ["emails", "name.familyName", "nickName", "roles", "title"].map(str::to_owned).to_vec();
    expect.extend(acme);
    expect.push(format!("{ENT}:manager"));
    assert_eq!(cleared, expect);
}

#[test]
fn what_is_mentioned_is_known() {
    let (normalised, _) = create(json!({"title": null, "name": {"familyName": null}, "nickName": "N"}));
    let normalised = normalised.unwrap();
    for (name, expect) in [("title", true), ("name", true), ("nickName", true), ("emails", false)] {
        assert_eq!(normalised.mentions(&AttrPath::core(name, None)), expect, "{name}");
    }
}

#[test]
fn unknown_names_are_listed_and_read_only_ones_ignored() {
    let mut repairs = Repairs::default();
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:x:y"], "userName": "a", "id": "mine",
        "meta": {"resourceType": "User"}, "groups": [{"value": "g"}], "colour": "teal", "name": {"nick": "A"},
        "urn:example:other:User": {"a": 1}, ENT: {"manager": {"value": "m", "displayName": "M"}, "planet": "Mars"},
    });
    let normalised = resource(&user(), body, Purpose::Create, &PatchLimits::default(), &mut repairs).unwrap();
    assert_eq!(Value::Object(normalised.resource.0), json!({"userName": "a", ENT: {"manager": {"value": "m"}}}));
    let mut unknown = normalised.unknown;
    unknown.sort();
    assert_eq!(unknown, ["colour", "name.nick", "urn:example:other:User", &format!("{ENT}:planet")]);
    for repair in [Repair::UnknownSchema, Repair::ExtensionNotListed, Repair::UnknownAttribute] {
        assert!(repairs.contains(repair), "{repair:?}");
    }
}

#[test]
fn each_purpose_has_its_own_idea_of_required() {
    for (purpose, body, expect) in [
        (Purpose::Create, json!({"title": "T"}), "invalidValue"),
        (Purpose::Replace, json!({"title": "T"}), "invalidValue"),
        (Purpose::Merge, json!({"title": "T"}), "ok"),
        (Purpose::Merge, json!({"userName": ""}), "invalidValue"),
        (Purpose::Stored, json!({"userName": ""}), "ok"),
        (Purpose::Create, json!({"userName": "a"}), "ok"),
    ] {
        let result = resource(&user(), body.clone(), purpose, &PatchLimits::default(), &mut Repairs::default());
        assert_eq!(outcome(&result), expect, "{purpose:?} {body}");
    }
    let error = resource(&group_type(), json!({}), Purpose::Create, &PatchLimits::default(), &mut Repairs::default())
        .unwrap_err();
    assert_eq!(error.detail, "displayName is required");
    let error = resource(&group_type(), json!([]), Purpose::Create, &PatchLimits::default(), &mut Repairs::default())
        .unwrap_err();
    assert_eq!(error.scim_type.map(crate::scim::ScimType::as_str), Some("invalidSyntax"));
}
