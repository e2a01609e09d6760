//! The wire cases, as far as they need neither a socket nor a native API.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::super::catalogue::{Repair, render};
use super::{stored, type_of};
use crate::dialect::{PatchLimits, Purpose, Repairs, patch, resource};
use crate::scim::patch::apply;
use crate::scim::{Resource, ResourceType, ScimError};

#[path = "../../../tests/it/wire_compare.rs"]
mod wire_compare;

#[test]
fn every_write_case_that_needs_no_backend_has_its_outcome() {
    let cases = cases();
    let mut differences = Vec::new();
    let mut covered = 0;
    for case in cases.iter().filter(|case| is_covered(case)) {
        covered += 1;
        let (found, _) = run(case);
        differences.extend(found.into_iter().map(|difference| format!("{}: {difference}", case["id"])));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(covered >= 157, "only {covered} of {} cases run here", cases.len());
}

#[test]
fn the_catalogue_names_cases_that_need_the_repair() {
    let mut made: BTreeMap<String, Repairs> = BTreeMap::new();
    for case in cases().iter().filter(|case| is_covered(case)) {
        made.insert(case["id"].as_str().unwrap().to_owned(), run(case).1);
    }
    for repair in Repair::ALL {
        for id in repair.entry().cases {
            let repairs = made.get(*id).unwrap_or_else(|| panic!("{} names {id}, which is not run", repair.name()));
            assert!(repairs.contains(repair), "{id} does not need {}", repair.name());
        }
        let users: Vec<&String> =
            made.iter().filter(|(_, repairs)| repairs.contains(repair)).map(|(id, _)| id).collect();
        assert!(users.is_empty() || !repair.entry().cases.is_empty(), "{} should name {users:?}", repair.name());
    }
}

#[test]
fn repairs_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/repairs.md");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, render()).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert!(page == render(), "docs/repairs.md is out of date; run the tests with BLESS=1");
}

#[test]
fn names_are_labels_and_unique() {
    let mut names: Vec<&str> = Repair::ALL.iter().map(|repair| repair.name()).collect();
    assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Repair::ALL.len());
    assert!(Repair::ALL.iter().all(|repair| repair.entry().repair == *repair), "the table is in another order");
    assert!(Repair::ALL.iter().all(|repair| !repair.entry().evidence.is_empty()));
}

fn cases() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let files =
        paths.iter().map(|path| serde_json::from_str::<Vec<Value>>(&fs::read_to_string(path).unwrap()).unwrap());
    files.flatten().collect()
}

/// Writes with a JSON body, whose outcome follows from the request and the resource alone: no other resource, no
/// authentication, no failing backend, none that holds only part of a list.
fn is_covered(case: &Value) -> bool {
    let request = &case["request"];
    let is_write = ["POST", "PUT", "PATCH"].iter().any(|method| request["method"] == *method);
    let has_body = request["body"].is_object() || request["bodyGen"].is_object();
    let is_stateless = [200, 201, 204, 400].iter().any(|status| case["expect"]["status"] == *status);
    let backend = &case["backend"];
    is_write && has_body && is_stateless && backend["respond"].is_null() && backend["single"].is_null()
}

fn run(case: &Value) -> (Vec<String>, Repairs) {
    let rt = type_of(case["resource"].as_str().unwrap());
    let before = stored(&rt, if case["before"].is_null() { json!({}) } else { case["before"].clone() });
    let mut repairs = Repairs::default();
    let expect = &case["expect"];
    let differences = match write(&rt, case, &before, &mut repairs) {
        Ok(after) => {
            let status = if case["request"]["method"] == "POST" { 201 } else { 200 };
            let after = without_unmapped(after, &case["backend"]["unmapped"]);
            [wire_compare::status(expect, status), compare_after(expect, &after)].concat()
        }
        Err(error) => {
            let body = error.to_json();
            let contract = wire_compare::error(expect, error.status, &body);
            [wire_compare::status(expect, error.status), contract, compare_after(expect, &before)].concat()
        }
    };
    (differences, repairs)
}

fn compare_after(expect: &Value, after: &Resource) -> Vec<String> {
    match expect.get("after") {
        Some(expected) => wire_compare::partial(expected, &Value::Object(after.0.clone())),
        None => Vec::new(),
    }
}

fn write(rt: &ResourceType, case: &Value, before: &Resource, repairs: &mut Repairs) -> Result<Resource, ScimError> {
    let body = match &case["request"]["bodyGen"] {
        Value::Null => case["request"]["body"].clone(),
        generator => generated(generator),
    };
    match case["request"]["method"].as_str() {
        Some("POST") => Ok(resource(rt, body, Purpose::Create, &PatchLimits::default(), repairs)?.resource),
        Some("PUT") => {
            let mut after = resource(rt, body, Purpose::Replace, &PatchLimits::default(), repairs)?.resource;
            after.0.extend(before.0.get("id").map(|id| ("id".to_owned(), id.clone())));
            Ok(after)
        }
        _ => {
            let ops = patch(rt, body, &PatchLimits::default(), before.id(), repairs)?.ops;
            apply(rt, before.clone(), &ops)
        }
    }
}

fn generated(generator: &Value) -> Value {
    assert_eq!(generator["kind"], "members-add");
    let count = generator["count"].as_u64().unwrap();
    let members: Vec<Value> = (0..count).map(|n| json!({"value": format!("m-{n}")})).collect();
    json!({"schemas": [], "Operations": [{"op": "Add", "path": "members", "value": members}]})
}

fn without_unmapped(mut resource: Resource, unmapped: &Value) -> Resource {
    for name in unmapped.as_array().into_iter().flatten() {
        resource.0.remove(name.as_str().unwrap());
    }
    resource
}
