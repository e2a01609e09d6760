//! The example `redmine`: whole cycles and a script of its own in front of an application that answers as the real one
//! was seen to (`cargo xtask test-apps` runs them in front of that), then calls, credentials and trouble.

use scimshim::demo::cycle::Idp;
use serde_json::{Value, json};

use crate::apps::redmine::{KEY, Redmine, WEAK_KEY};
use crate::apps::serve::{Call, Reply, Trouble};
use crate::cycles;
use crate::examples_bench::{Example, members, patch};

async fn example() -> Example<Redmine> {
    example_with_key(KEY).await
}

async fn example_with_key(key: &str) -> Example<Redmine> {
    Example::start("redmine", Redmine::new(), &[("REDMINE_KEY", key)]).await
}

fn person(login: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("{login}@acme.example"),
        "active": true, "name": {"givenName": login, "familyName": "Berg"},
        "emails": [{"type": "work", "value": format!("{login}@acme.example"), "primary": true}]})
}

fn active(value: bool) -> Value {
    json!([{"op": "Replace", "path": "active", "value": value}])
}

fn add(who: &str) -> Value {
    patch(json!([{"op": "Add", "path": "members", "value": [{"value": who}]}]))
}

/// Answers all calls of this method and path like this, without doing anything.
fn instead(method: &'static str, path: &str, reply: Reply) -> impl FnMut(&Call) -> Option<Trouble> + Send + 'static {
    let path = path.to_owned();
    move |call| (call.method == method && call.target == path).then(|| Trouble::Instead(reply.clone()))
}

#[tokio::test]
async fn every_cycle_and_what_redmine_refuses() {
    let example = example().await;
    cycles::check(Idp::All, "redmine", &example.sidecar).await;
    assert!(example.app.with(|app| app.users.len() == 2 && app.groups.is_empty()), "the administrators are left");
}

#[tokio::test]
async fn the_key_of_a_user_is_never_shown() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    for path in [format!("/Users/{ann}"), "/Users".to_owned(), "/Users?filter=userName%20pr".to_owned()] {
        let shown = example.get(&path).await.to_string();
        assert!(shown.contains("ann@acme.example") && !shown.contains("api-key"), "{shown}");
    }
}

#[tokio::test]
async fn a_list_is_completed_where_it_has_to_say_who_is_locked_and_only_there() {
    let example = example().await;
    let ids =
        example.app.with(|app| [("una", 3), ("otto", 1), ("rita", 2)].map(|(name, status)| app.seed(name, status)));
    let page = example.get("/Users").await;
    let active = |id: u64| {
        let all = page["Resources"].as_array().unwrap();
        let id = json!(id.to_string());
        all.iter().find(|user| user["id"] == id).unwrap()["active"].clone()
    };
    assert_eq!(ids.map(active), [json!(false), json!(true), json!(false)]);
    assert_eq!(example.app.take_calls().len(), 1 + 5);
    for query in ["attributes=userName", "excludedAttributes=active", "count=0"] {
        example.get(&format!("/Users?{query}")).await;
        assert_eq!(example.app.take_calls().len(), 1, "{query}");
    }
    let found = example.get("/Users?filter=active%20eq%20false&attributes=userName").await;
    assert_eq!(found["totalResults"], 2, "{found}");
    assert_eq!(example.app.take_calls().len(), 1 + 5);
    example.get("/Groups?excludedAttributes=members").await;
    assert_eq!(example.app.take_calls(), ["GET /groups.json -> 200"]);
}

#[tokio::test]
async fn who_goes_while_a_list_is_completed_is_not_in_it() {
    let example = example().await;
    let (una, otto) = example.app.with(|app| (app.seed("una", 3), app.seed("otto", 1)));
    example.app.trouble(instead("GET", &format!("/users/{una}.json"), Reply::empty(404)));
    let page = example.get("/Users").await;
    let ids: Vec<&str> =
        page["Resources"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&otto.to_string().as_str()) && !ids.contains(&una.to_string().as_str()), "{ids:?}");
    // An outage in the middle is no page with some of them.
    example.app.trouble(instead("GET", &format!("/users/{otto}.json"), Reply::empty(500)));
    example.refused(502, "GET", "/Users", None).await;
}

#[tokio::test]
async fn who_waits_for_a_confirmation_is_off_and_stays_so() {
    let example = example().await;
    let rita = example.app.with(|app| app.seed("rita", 2)).to_string();
    let path = format!("/Users/{rita}");
    assert_eq!(example.get(&path).await["active"], false);
    example.patch(&path, active(false)).await;
    let whole = example.get(&path).await;
    example.expect(200, "PUT", &path, Some(whole)).await;
    assert_eq!(example.app.with(|app| app.status(&rita)), 2);
    example.patch(&path, active(true)).await;
    assert_eq!(example.app.with(|app| app.status(&rita)), 1);
    example.patch(&path, active(false)).await;
    assert_eq!(example.app.with(|app| app.status(&rita)), 3);
}

#[tokio::test]
async fn more_people_than_a_page_holds() {
    let example = example().await;
    example.app.with(|app| {
        for number in 100..330 {
            app.seed(&format!("u{number}"), 1);
        }
    });
    let page = example.get("/Users?startIndex=181&count=60&attributes=userName").await;
    assert_eq!((&page["totalResults"], page["Resources"].as_array().unwrap().len()), (&json!(232), 52));
    // Everybody's address has this in it, so that the look-up finds all of them, on three pages.
    let found = example.get("/Users?filter=emails.value%20eq%20%22u329%40old.example%22").await;
    assert_eq!(found["totalResults"], 1, "{found}");
}

#[tokio::test]
async fn a_key_that_does_not_do_is_not_the_providers_fault() {
    let wrong = example_with_key("guessed-key").await;
    let (_, detail) = wrong.refused(502, "GET", "/Users", None).await;
    assert!(!detail.contains("guessed-key"), "{detail}");
    // Of somebody who is no administrator: some calls are refused, and one leaves out what it may not show.
    let weak = example_with_key(WEAK_KEY).await;
    for (method, path) in [("GET", "/Users"), ("GET", "/Users/1"), ("GET", "/Groups"), ("DELETE", "/Users/1")] {
        weak.refused(502, method, path, None).await;
    }
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_makes_nobody_twice() {
    let example = example().await;
    example.app.trouble(|call| (call.method == "POST").then_some(Trouble::LoseReply));
    // The adapter looks by the login, and finds whom the call has made.
    example.make("/Users", person("ann")).await;
    example.app.no_trouble();
    let (kind, detail) = example.refused(409, "POST", "/Users", Some(person("ann"))).await;
    assert_eq!(kind, "uniqueness");
    assert!(detail.contains("Login has already been taken"), "{detail}");
    assert_eq!(example.get("/Users?filter=userName%20eq%20%22ann%40acme.example%22").await["totalResults"], 1);
}

#[tokio::test]
async fn an_update_answers_nothing_and_is_read_again() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let path = format!("/Users/{ann}");
    example.app.take_calls();
    let rename = json!([{"op": "Replace", "path": "name.familyName", "value": "Nord"}]);
    assert_eq!(example.patch(&path, rename.clone()).await["name"]["familyName"], "Nord");
    let calls = example.app.take_calls();
    assert_eq!(calls.last().unwrap(), &format!("GET /users/{ann}.json -> 200"));
    assert!(
        calls.contains(&format!("PUT /users/{ann}.json {{\"user\":{{\"lastname\":\"Nord\"}}}} -> 204")),
        "{calls:?}"
    );
    // A change that changes nothing is not sent.
    let whole = example.get(&path).await;
    example.app.take_calls();
    example.expect(200, "PUT", &path, Some(whole)).await;
    assert_eq!(example.app.take_writes(), Vec::<String>::new());
    // An outage is said, and the same request can be sent again.
    example.app.trouble(instead("PUT", &format!("/users/{ann}.json"), Reply::empty(503)));
    let off = patch(active(false));
    let answer = example.ask("PATCH", &path, Some(off.clone())).await;
    assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true));
    example.app.no_trouble();
    assert_eq!(example.expect(200, "PATCH", &path, Some(off)).await["active"], false);
}

#[tokio::test]
async fn both_ways_of_writing_members() {
    let example = example().await;
    let mut people = Vec::new();
    for name in ["ann", "ben", "cleo"] {
        people.push(example.make("/Users", person(name)).await);
    }
    let [ann, ben, cleo] = people.as_slice() else { unreachable!() };
    example.app.take_calls();
    let crew =
        example.make("/Groups", json!({"displayName": "Crew", "members": [{"value": ann}, {"value": ben}]})).await;
    let path = format!("/Groups/{crew}");
    let put = format!("PUT /groups/{crew}.json {{\"group\":{{\"user_ids\":[{ann},{ben}]}}}} -> 204");
    assert_eq!(example.app.take_writes(), ["POST /groups.json {\"group\":{\"name\":\"Crew\"}} -> 201".to_owned(), put]);
    example.expect(204, "PATCH", &path, Some(add(cleo))).await;
    let one = format!("POST /groups/{crew}/users.json {{\"user_id\":{cleo}}} -> 204");
    assert_eq!(example.app.take_writes(), [one]);
    let remove = patch(json!([{"op": "Remove", "path": "members", "value": [{"value": ben}]}]));
    example.expect(204, "PATCH", &path, Some(remove.clone())).await;
    example.expect(204, "PATCH", &path, Some(remove)).await;
    assert_eq!(members(&example.get(&path).await), [ann.as_str(), cleo.as_str()]);
    // Somebody who is in it already, and a group that has gone.
    example.expect(204, "PATCH", &path, Some(add(ann))).await;
    example.expect(204, "DELETE", &path, None).await;
    example.refused(404, "PATCH", &path, Some(add(ann))).await;
}

#[tokio::test]
async fn a_group_with_somebody_who_is_not_there_is_not_made() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let group = json!({"displayName": "Crew", "members": [{"value": ann}, {"value": "4711"}]});
    let (kind, detail) = example.refused(400, "POST", "/Groups", Some(group)).await;
    assert_eq!(kind, "invalidValue");
    assert!(detail.contains("4711") && detail.contains("taken back"), "{detail}");
    assert!(example.app.with(|app| app.groups.is_empty()));
}

#[tokio::test]
async fn administrators_are_shown_and_not_touched() {
    let example = example().await;
    let crew = example.make("/Groups", json!({"displayName": "Crew"})).await;
    assert_eq!(example.get("/Users/1").await["userType"], "Administrator");
    let whole = person("admin");
    for (method, path, body) in [
        ("PATCH", "/Users/1".to_owned(), Some(patch(active(false)))),
        ("PUT", "/Users/4".to_owned(), Some(whole)),
        ("DELETE", "/Users/4".to_owned(), None),
        ("PATCH", format!("/Groups/{crew}"), Some(add("1"))),
    ] {
        let (_, detail) = example.refused(403, method, &path, body).await;
        assert!(detail.contains("administrators of Redmine are looked after in Redmine"), "{detail}");
    }
    assert_eq!(example.app.take_writes().len(), 1, "the group");
}
