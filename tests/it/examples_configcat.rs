//! The example `configcat`: a set-up that sends seven attributes and no more, in front of an application that replaces
//! whole objects.

use scimshim::demo::cycle::Idp;
use serde_json::{Value, json};

use crate::apps::seats::{PASSWORD, Seats};
use crate::apps::serve::{Reply, Trouble};
use crate::cycles;
use crate::examples_bench::{Example, members, patch};

async fn example() -> Example<Seats> {
    Example::start("configcat", Seats::default(), &[("APP_PASSWORD", PASSWORD)]).await
}

/// Somebody as this set-up sends them.
fn person(login: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "externalId": format!("oid-{login}"),
        "userName": format!("{login}@acme.example"), "displayName": login, "active": true})
}

#[tokio::test]
async fn every_cycle_with_only_these_attributes() {
    let example = example().await;
    cycles::check(Idp::All, "configcat", &example.sidecar).await;
}

#[tokio::test]
async fn the_schemas_promise_exactly_these_attributes() {
    let example = example().await;
    for (urn, expected) in
        [("User", vec!["active", "displayName", "userName"]), ("Group", vec!["displayName", "members"])]
    {
        let schema = example.get(&format!("/Schemas/urn:ietf:params:scim:schemas:core:2.0:{urn}")).await;
        let mut names: Vec<&str> =
            schema["attributes"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        names.retain(|name| !matches!(*name, "externalId" | "id" | "meta" | "schemas"));
        names.sort_unstable();
        assert_eq!(names, expected, "{schema}");
    }
}

#[tokio::test]
async fn what_a_person_was_given_by_hand_survives_every_change() {
    let example = example().await;
    let id = example.make("/Users", person("ann")).await;
    example.app.with(|app| app.seat("ann@acme.example", "owner"));
    let path = format!("/Users/{id}");
    // `Switch([IsSoftDeleted], , "False", "True", "True", "False")` is text.
    for (sent, disabled) in [("False", true), ("True", false)] {
        let switch = json!([{"op": "Replace", "path": "active", "value": sent}]);
        example.patch(&path, switch).await;
        let stored = example.app.with(|app| Value::Object(app.people[&id].clone()));
        assert_eq!((&stored["disabled"], &stored["seat"]), (&json!(disabled), &json!("owner")));
    }
    let mut whole = person("ann");
    whole["displayName"] = json!("Ann Nord");
    example.expect(200, "PUT", &path, Some(whole)).await;
    let stored = example.app.with(|app| Value::Object(app.people[&id].clone()));
    assert_eq!((&stored["fullName"], &stored["seat"]), (&json!("Ann Nord"), &json!("owner")));
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_not_sent() {
    let example = example().await;
    let id = example.make("/Users", person("ann")).await;
    example.app.take_calls();
    example.expect(200, "PUT", &format!("/Users/{id}"), Some(person("ann"))).await;
    assert_eq!(example.app.take_writes(), Vec::<String>::new());
}

#[tokio::test]
async fn somebody_is_found_by_object_id_and_by_principal_name_in_any_case() {
    let example = example().await;
    example.make("/Users", person("ann")).await;
    example.make("/Users", person("ben")).await;
    for (filter, found) in [
        ("externalId%20eq%20%22oid-ann%22", 1),
        ("externalId%20eq%20%22oid-nobody%22", 0),
        ("userName%20eq%20%22BEN%40ACME.example%22", 1),
    ] {
        assert_eq!(example.get(&format!("/Users?filter={filter}")).await["totalResults"], found, "{filter}");
    }
}

#[tokio::test]
async fn a_group_is_written_as_a_whole_list_and_a_stranger_spoils_none_of_it() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let ben = example.make("/Users", person("ben")).await;
    let group = json!({"displayName": "Crew", "externalId": "oid-crew", "members": [{"value": ann}]});
    let crew = example.make("/Groups", group).await;
    let path = format!("/Groups/{crew}");
    let add = |who: &str| patch(json!([{"op": "Add", "path": "members", "value": [{"value": who}]}]));
    example.app.take_calls();
    assert_eq!(members(&example.expect(200, "PATCH", &path, Some(add(&ben))).await), [ann.as_str(), ben.as_str()]);
    let writes = [format!("PUT /v1/groups/{crew}/members {{\"memberIds\":[\"{ann}\",\"{ben}\"]}} -> 200")];
    assert_eq!(example.app.take_writes(), writes);
    let (kind, detail) = example.refused(400, "PATCH", &path, Some(add("p-99"))).await;
    assert_eq!(kind, "invalidValue");
    assert!(detail.contains("p-99"), "{detail}");
    assert_eq!(members(&example.get(&path).await), [ann.as_str(), ben.as_str()]);
    // A new name keeps the members, although the document is put as a whole.
    let rename = json!([{"op": "Replace", "path": "displayName", "value": "Watch"}]);
    assert_eq!(members(&example.patch(&path, rename).await), [ann.as_str(), ben.as_str()]);
}

#[tokio::test]
async fn two_administrators_at_once_lose_nobody() {
    let example = example().await;
    let mut people = Vec::new();
    for number in 0..8 {
        people.push(example.make("/Users", person(&format!("u{number}"))).await);
    }
    let crew = example.make("/Groups", json!({"displayName": "Crew"})).await;
    let path = format!("/Groups/{crew}");
    // Each change reads the list and puts it back with one more.
    let adds = people.iter().map(|who| {
        let add = patch(json!([{"op": "Add", "path": "members", "value": [{"value": who}]}]));
        example.expect(200, "PATCH", &path, Some(add))
    });
    futures_util::future::join_all(adds).await;
    people.sort();
    assert_eq!(members(&example.get(&path).await), people);
}

#[tokio::test]
async fn a_wrong_password_of_ours_is_not_the_providers_fault() {
    let example = Example::start("configcat", Seats::default(), &[("APP_PASSWORD", "guess")]).await;
    let (_, detail) = example.refused(502, "GET", "/Users", None).await;
    assert!(!detail.contains("guess"), "{detail}");
}

#[tokio::test]
async fn an_object_that_goes_between_reading_and_writing_is_a_404() {
    let example = example().await;
    let id = example.make("/Users", person("ann")).await;
    example.app.trouble(|call| {
        (call.method == "PUT").then(|| Trouble::Instead(Reply::new(404, json!({"problem": "no such person"}))))
    });
    let rename = patch(json!([{"op": "Replace", "path": "displayName", "value": "x"}]));
    example.refused(404, "PATCH", &format!("/Users/{id}"), Some(rename)).await;
}
