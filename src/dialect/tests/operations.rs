//! Bodies of PATCH: what each operation becomes, in words.

use serde_json::{Value, json};

use super::super::Repair;
use super::{ACME, ENT, normalise, outcome, patched, user};
use crate::dialect::{PatchLimits, Repairs, patch};
use crate::scim::patch::{PatchOp, PatchPath};
use crate::scim::schema::group_type;

/// `verb path = value`, one line per operation.
fn show(ops: &[PatchOp]) -> Vec<String> {
    let path = |path: &PatchPath| match &path.filter {
        Some(filter) => format!("{}[{filter}]", path.attr),
        None => path.attr.to_string(),
    };
    let line = |op: &PatchOp| match op {
        PatchOp::Add { path: p, value } => format!("add {} = {value}", path(p)),
        PatchOp::Replace { path: p, value } => format!("replace {} = {value}", path(p)),
        PatchOp::Remove { path: p } => format!("remove {}", path(p)),
        PatchOp::RemoveElements { path: p, values } => format!("remove {} = {}", path(p), Value::from(values.clone())),
    };
    ops.iter().map(line).map(|line| line.replace(ENT, "ENT").replace(ACME, "ACME")).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "literals read better without references")]
#[track_caller]
fn check(op: Value, expect: &[&str]) {
    let normalised = normalise(&user(), json!([op])).unwrap();
    assert_eq!(show(&normalised.ops), expect);
}

#[expect(clippy::needless_pass_by_value, reason = "literals read better without references")]
#[track_caller]
fn refuse(op: Value, scim_type: &str) {
    let result = normalise(&user(), json!([op]));
    assert_eq!(outcome(&result), scim_type, "{result:?}");
}

#[test]
fn single_values() {
    check(json!({"OP": "REPLACE", "Path": "TITLE", "Value": "T"}), &["replace title = \"T\""]);
    check(json!({"op": "add", "path": "active", "value": [{"value": "False"}]}), &["add active = false"]);
    for nothing in [json!(null), json!(""), json!([]), json!({}), json!({"value": ""}), json!([{"value": null}])] {
        check(json!({"op": "replace", "path": "title", "value": nothing}), &["remove title"]);
        refuse(json!({"op": "replace", "path": "userName", "value": nothing}), "invalidValue");
    }
    refuse(json!({"op": "remove", "path": "userName"}), "invalidValue");
    check(json!({"op": "remove", "path": "title", "value": "T"}), &["remove title"]);
}

#[test]
fn complex_values() {
    check(
        json!({"op": "replace", "path": "name", "value": {"givenName": "A", "familyName": null}}),
        &["replace name = {\"givenName\":\"A\"}", "remove name.familyName"],
    );
    check(json!({"op": "replace", "path": "name", "value": {"familyName": ""}}), &["remove name.familyName"]);
    check(json!({"op": "replace", "path": "name", "value": {"nick": "A"}}), &[]);
    check(json!({"op": "replace", "path": "name.familyName", "value": null}), &["remove name.familyName"]);
    check(
        json!({"op": "add", "path": "manager", "value": "m"}),
        &["remove ENT:manager", "add ENT:manager = {\"value\":\"m\"}"],
    );
    check(json!({"op": "add", "path": "manager", "value": {"value": "m"}}), &["add ENT:manager = {\"value\":\"m\"}"]);
    for nothing in [json!(null), json!(""), json!({"value": ""}), json!({"value": null, "displayName": "M"})] {
        check(json!({"op": "replace", "path": "manager", "value": nothing}), &["remove ENT:manager"]);
    }
}

#[test]
fn lists() {
    check(json!({"op": "add", "path": "emails", "value": {"value": "a"}}), &["add emails = [{\"value\":\"a\"}]"]);
    check(json!({"op": "add", "path": "emails", "value": ["a"]}), &["add emails = [{\"value\":\"a\"}]"]);
    for nothing in [json!(null), json!([]), json!(""), json!([null, {"value": ""}])] {
        check(json!({"op": "add", "path": "emails", "value": nothing}), &[]);
        check(json!({"op": "replace", "path": "emails", "value": nothing}), &["replace emails = []"]);
    }
    check(json!({"op": "replace", "path": "emails", "value": [{"nick": "A"}]}), &[]);
    refuse(json!({"op": "add", "path": "emails", "value": "a"}), "invalidValue");
}

#[test]
fn removals_of_lists() {
    check(json!({"op": "remove", "path": "emails"}), &["remove emails"]);
    check(json!({"op": "remove", "path": "emails", "value": null}), &["remove emails"]);
    check(
        json!({"op": "remove", "path": "emails", "value": [{"value": "a"}]}),
        &["remove emails = [{\"value\":\"a\"}]"],
    );
    check(json!({"op": "remove", "path": "emails", "value": {"value": "a"}}), &["remove emails = [{\"value\":\"a\"}]"]);
    check(json!({"op": "remove", "path": "emails", "value": "a"}), &["remove emails = [{\"value\":\"a\"}]"]);
    // Naming nobody removes nobody.
    for nothing in [json!([]), json!(""), json!([{"value": ""}]), json!([null])] {
        check(json!({"op": "remove", "path": "emails", "value": nothing}), &[]);
    }
    check(
        json!({"op": "remove", "path": "emails[type eq \"work\"]", "value": ["a"]}),
        &["remove emails[type eq \"work\"] = [{\"value\":\"a\"}]"],
    );
    check(
        json!({"op": "remove", "path": "emails[type eq \"work\"].display", "value": "x"}),
        &["remove emails.display[type eq \"work\"]"],
    );
}

#[test]
fn elements_behind_a_filter() {
    let path = "emails[type eq \"work\"]";
    check(json!({"op": "add", "path": path, "value": "a"}), &["add emails.value[type eq \"work\"] = \"a\""]);
    check(
        json!({"op": "replace", "path": path, "value": [{"value": "a"}]}),
        &["replace emails[type eq \"work\"] = {\"value\":\"a\"}"],
    );
    check(
        json!({"op": "add", "path": path, "value": {"value": "a", "display": null}}),
        &["add emails[type eq \"work\"] = {\"value\":\"a\"}", "remove emails.display[type eq \"work\"]"],
    );
    check(
        json!({"op": "replace", "path": path, "value": {"value": "a", "display": null}}),
        &["replace emails[type eq \"work\"] = {\"value\":\"a\"}"],
    );
    check(json!({"op": "replace", "path": path, "value": null}), &["remove emails[type eq \"work\"]"]);
    check(
        json!({"op": "replace", "path": path, "value": {"display": ""}}),
        &["remove emails.display[type eq \"work\"]"],
    );
    check(
        json!({"op": "replace", "path": "roles[Primary eq \"True\"].Value", "value": "r"}),
        &["replace roles.value[primary eq true] = \"r\""],
    );
}

#[test]
fn objects_without_a_path() {
    check(
        json!({"op": "replace", "path": "", "value": [{
            "title": "T", "name.givenName": "A", "department": "D", "emails[type eq \"work\"].value": "a", "colour": "teal",
            "id": "r-1", "schemas": [], "meta": {}, "groups": [], format!("{ACME}:tag"): "t",
        }]}),
        &[
            "replace ENT:department = \"D\"",
            "replace emails.value[type eq \"work\"] = \"a\"",
            "replace name.givenName = \"A\"",
            "replace title = \"T\"",
            "replace ACME:tag = \"t\"",
        ],
    );
    check(
        json!({"op": "add", "value": {ENT: {"division": "D", "manager": null}}}),
        &["add ENT:division = \"D\"", "remove ENT:manager"],
    );
    refuse(json!({"op": "replace", "value": {"id": "other"}}), "mutability");
    refuse(json!({"op": "add", "value": "x"}), "invalidValue");
    refuse(json!({"op": "add", "value": [{}, {}]}), "invalidValue");
    refuse(json!({"op": "remove"}), "noTarget");
    refuse(json!({"op": "remove", "value": {"title": "T"}}), "noTarget");
}

#[test]
fn schemas_as_paths() {
    check(
        json!({"op": "replace", "path": ENT, "value": {"division": "D", "nope": 1}}),
        &["replace ENT:division = \"D\""],
    );
    check(json!({"op": "replace", "path": ENT, "value": {}}), &[]);
    check(
        json!({"op": "replace", "path": ENT, "value": null}),
        &[
            "remove ENT:employeeNumber",
            "remove ENT:costCenter",
            "remove ENT:organization",
            "remove ENT:division",
            "remove ENT:department",
            "remove ENT:manager",
        ],
    );
    check(
        json!({"op": "remove", "path": ENT}),
        &[
            "remove ENT:employeeNumber",
            "remove ENT:costCenter",
            "remove ENT:organization",
            "remove ENT:division",
            "remove ENT:department",
            "remove ENT:manager",
        ],
    );
    let core = "urn:ietf:params:scim:schemas:core:2.0:User";
    check(json!({"op": "add", "path": core, "value": {"title": "T"}}), &["add title = \"T\""]);
    refuse(json!({"op": "remove", "path": core}), "invalidPath");
}

#[test]
fn read_only_attributes() {
    check(json!({"op": "replace", "path": "id", "value": "r-1"}), &[]);
    check(json!({"op": "add", "path": "schemas", "value": [ENT]}), &[]);
    refuse(json!({"op": "replace", "path": "id", "value": "other"}), "mutability");
    refuse(json!({"op": "remove", "path": "id"}), "mutability");
    refuse(json!({"op": "remove", "path": "schemas"}), "mutability");
    refuse(json!({"op": "add", "path": "groups", "value": [{"value": "g"}]}), "mutability");
    refuse(json!({"op": "replace", "path": "meta.created", "value": "2026-01-01T00:00:00Z"}), "mutability");
    refuse(json!({"op": "replace", "path": "manager.displayName", "value": "M"}), "mutability");
    let no_id = patch(
        &user(),
        json!({"Operations": [{"op": "replace", "value": {"id": "any", "title": "T"}}]}),
        &PatchLimits::default(),
        None,
        &mut Repairs::default(),
    );
    assert_eq!(show(&no_id.unwrap().ops), ["replace title = \"T\""]);
}

#[test]
fn malformed_bodies() {
    for (body, expect) in [
        (json!([]), "invalidSyntax"),
        (json!({}), "invalidSyntax"),
        (json!({"Operations": {}}), "invalidSyntax"),
        (json!({"Operations": ["x"]}), "invalidSyntax"),
        (json!({"Operations": [{"path": "title"}]}), "invalidSyntax"),
        (json!({"Operations": [{"op": "move", "path": "title"}]}), "invalidSyntax"),
        (json!({"Operations": [{"op": "add", "path": 7, "value": 1}]}), "invalidSyntax"),
        (json!({"Operations": [{"op": "add", "path": "title"}]}), "invalidValue"),
        (json!({"Operations": [{"op": "add", "path": "colour", "value": "teal"}]}), "invalidPath"),
        (json!({"Operations": [{"op": "add", "path": "emails[", "value": "teal"}]}), "invalidPath"),
        (json!({"Operations": [{"op": "add", "path": "emails[x]", "value": "teal"}]}), "invalidFilter"),
        (json!({"operations": []}), "ok"),
    ] {
        let result = patch(&user(), body.clone(), &PatchLimits::default(), None, &mut Repairs::default());
        assert_eq!(outcome(&result), expect, "{body}");
    }
    let error = normalise(&user(), json!([{"op": "add", "path": "titel", "value": "T"}])).unwrap_err();
    assert_eq!(error.detail, "User has no attribute 'titel'; did you mean 'title'?");
}

#[test]
fn repairs_are_counted() {
    let mut repairs = Repairs::default();
    let body = json!({"operations": [
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Replace", "path": "", "value": {"name.givenName": "A", "colour": "teal"}},
        {"op": "Remove", "path": "emails", "value": [{"value": "a"}]},
        {"op": "replace", "path": ENT, "value": {"manager": "m"}},
    ]});
    patch(&user(), body, &PatchLimits::default(), None, &mut repairs).unwrap();
    let made: Vec<(Repair, u64)> = repairs.iter().collect();
    assert_eq!(
        made,
        [
            (Repair::SchemasMissing, 1),
            (Repair::OperationsCase, 1),
            (Repair::OpCase, 3),
            (Repair::BooleanAsString, 1),
            (Repair::EmptyPath, 1),
            (Repair::UnknownAttribute, 1),
            (Repair::FlatKey, 1),
            (Repair::RemoveWithValue, 1),
            (Repair::SchemaAsPath, 1),
            (Repair::ScalarForObject, 1),
        ]
    );
    let mut repairs = Repairs::default();
    patch(&user(), json!({"schemas": [], "Operations": []}), &PatchLimits::default(), None, &mut repairs).unwrap();
    assert_eq!(repairs.iter().collect::<Vec<_>>(), [(Repair::NoOperations, 1)]);
}

#[test]
fn correct_requests_need_no_repair() {
    let mut repairs = Repairs::default();
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
        {"op": "replace", "path": "active", "value": false},
        {"op": "add", "path": "emails[type eq \"work\"].value", "value": "a"},
        {"op": "add", "value": {"title": "T", ENT: {"division": "D"}}},
        {"op": "remove", "path": "emails[type eq \"home\"]"},
        {"op": "replace", "path": format!("{ENT}:manager"), "value": {"value": "m"}},
        {"op": "replace", "path": "nickName", "value": null},
    ]});
    patch(&user(), body, &PatchLimits::default(), None, &mut repairs).unwrap();
    assert!(repairs.is_empty(), "{repairs:?}");
}

#[test]
fn another_manager_forgets_the_old_one() {
    let before = json!({ENT: {"manager": {"value": "1", "displayName": "Old"}}});
    for value in [json!("2"), json!({"value": "2"}), json!([{"value": "2"}])] {
        let after = patched(&user(), before.clone(), json!([{"op": "replace", "path": "manager", "value": value}]));
        assert_eq!(after, Ok(json!({ENT: {"manager": {"value": "2"}}})));
    }
}

#[test]
fn a_group_is_not_emptied_by_accident() {
    let group = json!({"displayName": "G", "members": [{"value": "1"}]});
    for op in [
        json!({"op": "remove", "path": "members", "value": []}),
        json!({"op": "replace", "value": {"displayName": "G"}}),
        json!({"op": "add", "path": "members", "value": []}),
    ] {
        assert_eq!(patched(&group_type(), group.clone(), json!([op])), Ok(group.clone()), "{op}");
    }
}
