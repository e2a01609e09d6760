//! Every bound on what comes from outside, and that big requests within them are quick.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{normalise, outcome, patched, stored, user};
use crate::dialect::{PatchLimits, Purpose, Repairs, patch, resource};
use crate::scim::filter::FilterLimits;
use crate::scim::patch::{apply, member_change};
use crate::scim::schema::group_type;

fn limited(limits: &PatchLimits, ops: &Value) -> &'static str {
    outcome(&patch(&user(), json!({"Operations": ops}), limits, None, &mut Repairs::default()))
}

#[test]
fn operations_are_bounded() {
    let limits = || PatchLimits { max_operations: 2, ..PatchLimits::default() };
    let op = json!({"op": "add", "path": "title", "value": "T"});
    assert_eq!(limited(&limits(), &json!([op, op])), "ok");
    assert_eq!(limited(&limits(), &json!([op, op, op])), "413");
}

#[test]
fn values_are_bounded_over_all_operations() {
    let limits = || PatchLimits { max_values: 3, ..PatchLimits::default() };
    let op = json!({"op": "add", "path": "emails", "value": ["a", "b"]});
    assert_eq!(limited(&limits(), &json!([op])), "ok");
    assert_eq!(limited(&limits(), &json!([op, op])), "413");
}

#[test]
fn values_of_a_resource_are_bounded() {
    let words = vec!["w"; PatchLimits::default().max_values + 1];
    let result =
        resource(&user(), json!({"emails": words}), Purpose::Stored, &PatchLimits::default(), &mut Repairs::default());
    assert_eq!(outcome(&result), "413");
}

#[test]
fn filters_are_bounded() {
    let limits =
        PatchLimits { filter: FilterLimits { max_terms: 1, ..FilterLimits::default() }, ..PatchLimits::default() };
    let path = "emails[type eq \"a\" and type eq \"b\"].value";
    assert_eq!(limited(&limits, &json!([{"op": "add", "path": path, "value": "x"}])), "invalidFilter");
}

#[test]
fn unknown_names_are_bounded() {
    let body: serde_json::Map<String, Value> =
        (0..100).map(|n| (format!("x{n}{}", "y".repeat(500)), json!(1))).collect();
    let normalised =
        resource(&user(), Value::Object(body), Purpose::Stored, &PatchLimits::default(), &mut Repairs::default())
            .unwrap();
    assert_eq!(normalised.unknown.len(), 32);
    assert!(normalised.unknown.iter().all(|name| name.len() == 120));
}

#[test]
fn depth_does_not_matter() {
    let mut deep = json!("x");
    for _ in 0..120 {
        deep = json!({"value": [deep]});
    }
    for path in ["displayName", "emails", "name", "emails[type eq \"work\"]", "manager"] {
        let result = normalise(&user(), json!([{"op": "replace", "path": path, "value": deep}]));
        assert!(["invalidValue", "ok"].contains(&outcome(&result)), "{path}: {result:?}");
    }
}

fn members(range: std::ops::Range<usize>) -> Value {
    range.map(|n| json!({"value": format!("m-{n}")})).collect()
}

/// A time that linear work is far below, even without optimisation, and quadratic work far above.
const QUICK: Duration = Duration::from_secs(10);

#[test]
fn twenty_thousand_members_at_once_are_quick() {
    let start = Instant::now();
    let group = json!({"displayName": "G", "members": members(0..10_000)});
    let after = patched(
        &group_type(),
        group,
        json!([
            {"op": "add", "path": "members", "value": members(0..20_000)},
            {"op": "remove", "path": "members", "value": members(100..20_000)},
        ]),
    );
    assert_eq!(after.unwrap()["members"], members(0..100));
    assert!(start.elapsed() < QUICK, "{:?}", start.elapsed());
}

#[test]
fn a_thousand_operations_on_a_big_group_are_quick() {
    let start = Instant::now();
    let rt = group_type();
    let group = stored(&rt, json!({"displayName": "G", "members": members(0..20_000)}));
    let ops: Vec<Value> = (0..1000)
        .map(|n| match n % 3 {
            0 => json!({"op": "remove", "path": format!("members[value eq \"m-{n}\"]")}),
            1 => json!({"op": "add", "path": "members", "value": [{"value": format!("n-{n}")}]}),
            _ => json!({"op": "remove", "path": "members", "value": [{"value": format!("m-{n}")}]}),
        })
        .collect();
    let ops = normalise(&rt, json!(ops)).unwrap().ops;
    let after = apply(&rt, group, &ops).unwrap();
    assert_eq!(after.0["members"].as_array().map(Vec::len), Some(20_000 - 334 - 333 + 333));
    assert!(start.elapsed() < QUICK, "{:?}", start.elapsed());
}

#[test]
fn elements_that_share_a_value_are_quick_too() {
    let start = Instant::now();
    let emails: Vec<Value> = (0..20_000).map(|n| json!({"value": "a", "type": format!("t{n}")})).collect();
    let after = patched(&user(), json!({"emails": emails}), json!([{"op": "add", "path": "emails", "value": emails}]));
    assert_eq!(after.unwrap()["emails"].as_array().map(Vec::len), Some(20_000));
    assert!(start.elapsed() < QUICK, "{:?}", start.elapsed());
}

#[test]
fn folding_twenty_thousand_members_is_quick() {
    let start = Instant::now();
    let ops = normalise(
        &group_type(),
        json!([
            {"op": "add", "path": "members", "value": members(0..20_000)},
            {"op": "remove", "path": "members", "value": members(0..20_000)},
        ]),
    );
    let crate::scim::patch::MemberChange::Delta { add, remove } = member_change(&ops.unwrap().ops, "members") else {
        panic!("not a difference");
    };
    assert_eq!((add.len(), remove.len()), (0, 20_000));
    assert!(start.elapsed() < QUICK, "{:?}", start.elapsed());
}
