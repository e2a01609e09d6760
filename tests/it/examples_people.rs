//! The examples `users-only` and `typical`: whole cycles, then what such applications get wrong and what goes wrong.

use scimshim::demo::cycle::Idp;
use serde_json::{Value, json};

use crate::apps::people::{KEY, People};
use crate::apps::serve::{Reply, Trouble};
use crate::cycles;
use crate::examples_bench::{Example, config, members};

async fn users_only() -> Example<People> {
    Example::start("users-only", People::alone(), &[("APP_TOKEN", KEY)]).await
}

async fn typical() -> Example<People> {
    Example::start("typical", People::in_teams(), &[("APP_KEY", KEY)]).await
}

fn ann() -> Value {
    json!({"userName": "Ann@Acme.example", "externalId": "e-1", "active": true,
        "name": {"givenName": "Ann", "familyName": "Berg"}})
}

#[tokio::test]
async fn users_only_goes_through_every_cycle() {
    let example = users_only().await;
    cycles::check(Idp::All, "users-only", &example.sidecar).await;
}

#[tokio::test]
async fn typical_goes_through_every_cycle() {
    let example = typical().await;
    cycles::check(Idp::All, "typical", &example.sidecar).await;
}

#[tokio::test]
async fn users_only_says_what_it_cannot_do() {
    let example = users_only().await;
    let types = example.get("/ResourceTypes").await;
    assert_eq!(types["totalResults"], 1, "{types}");
    assert_eq!(example.ask("GET", "/Groups", None).await.status, 404);
    let (kind, detail) = example.refused(400, "GET", "/Users?filter=title%20eq%20%22Dr%22", None).await;
    assert_eq!(kind, "invalidFilter", "{detail}");
    assert_eq!(example.ask("GET", "/Users/seven", None).await.status, 404);
    assert_eq!(example.app.take_calls(), Vec::<String>::new(), "nothing of this needs the application");
}

#[tokio::test]
async fn users_only_makes_one_call_of_a_change() {
    let example = users_only().await;
    let id = example.make("/Users", ann()).await;
    let stored = example.app.with(|app| Value::Object(app.users[&1].clone()));
    assert_eq!((&stored["email"], &stored["plan"]), (&json!("ann@acme.example"), &json!("free")));
    example.app.take_calls();
    let off = json!([{"op": "Replace", "path": "active", "value": "False"}]);
    example.patch(&format!("/Users/{id}"), off).await;
    let calls = ["PATCH /api/users/1 {\"user\":{\"status\":\"suspended\"}} -> 200"];
    assert_eq!(example.app.take_calls(), calls);
    let listed = example.get("/Users?filter=userName%20eq%20%22ANN%40acme.example%22").await;
    assert_eq!(listed["totalResults"], 1, "{listed}");
    assert!(example.app.take_calls()[0].starts_with("GET /api/users?email=ann%40acme.example&"));
}

#[tokio::test]
async fn users_only_pages_through_many() {
    let example = users_only().await;
    example.app.with(|app| {
        for number in 0..230 {
            app.seed(&format!("u{number}@acme.example"));
        }
    });
    let page = example.get("/Users?startIndex=101&count=50").await;
    assert_eq!((&page["totalResults"], &page["Resources"][0]["id"]), (&json!(230), &json!("101")));
    let calls = example.app.take_calls();
    // The file says that pages have the size that is asked for, so that none is read to learn it.
    assert_eq!(calls, ["GET /api/users?page=3&per_page=50 -> 200"]);
}

#[tokio::test]
async fn an_address_of_its_own_is_refused_where_the_file_does_not_say_why_it_is_fine() {
    let strict = config("users-only").replace(", lossy = \"the login is the only address there is\"", "");
    assert_ne!(strict, config("users-only"));
    let example = Example::with(&strict, People::alone(), &[("APP_TOKEN", KEY)]).await;
    let id = example.make("/Users", ann()).await;
    let other = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "new@acme.example"}]});
    let (kind, detail) = example.refused(400, "PATCH", &format!("/Users/{id}"), Some(other)).await;
    assert_eq!(kind, "invalidValue", "{detail}");
    assert!(detail.contains("userName"), "{detail}");
}

#[tokio::test]
async fn what_the_application_refuses_is_said_in_its_words() {
    let example = typical().await;
    example.make("/Users", ann()).await;
    let (kind, _) = example.refused(409, "POST", "/Users", Some(ann())).await;
    assert_eq!(kind, "uniqueness");
    example.app.with(|app| app.teams.insert(90, json!({"id": 90, "name": "Crew"}).as_object().unwrap().clone()));
    let (kind, _) = example.refused(409, "POST", "/Groups", Some(json!({"displayName": "Crew"}))).await;
    assert_eq!(kind, "uniqueness");
    let stranger = json!({"displayName": "Watch", "members": [{"value": "77"}]});
    let (kind, detail) = example.refused(400, "POST", "/Groups", Some(stranger)).await;
    assert_eq!(kind, "invalidValue");
    assert!(detail.contains("77") && detail.contains("was created"), "{detail}");
}

#[tokio::test]
async fn somebody_who_is_off_is_not_switched_off_again_by_a_put() {
    let example = typical().await;
    let id = example.make("/Users", ann()).await;
    let path = format!("/Users/{id}");
    example.patch(&path, json!([{"op": "Replace", "path": "active", "value": "False"}])).await;
    assert_eq!(example.app.with(|app| app.suspensions), 1);
    let mut whole = example.get(&path).await;
    whole["name"]["familyName"] = json!("Nord");
    example.app.take_calls();
    example.expect(200, "PUT", &path, Some(whole)).await;
    // Only the name: the application tells people about every suspension.
    assert_eq!(example.app.take_writes(), ["PATCH /api/users/1 {\"last_name\":\"Nord\"} -> 200"]);
    let on = json!([{"op": "Replace", "path": "active", "value": "True"}]);
    assert_eq!(example.patch(&path, on).await["active"], json!(true));
}

#[tokio::test]
async fn membership_is_sent_as_what_changes() {
    let example = typical().await;
    let people: Vec<Value> = example.app.with(|app| {
        (0..5).map(|number| json!({"value": app.seed(&format!("u{number}@acme.example")).to_string()})).collect()
    });
    let id = example.make("/Groups", json!({"displayName": "Crew", "members": people[..3]})).await;
    let path = format!("/Groups/{id}");
    example.app.take_calls();
    let changes = json!([
        {"op": "Add", "path": "members", "value": [people[0], people[3]]},
        {"op": "Remove", "path": "members", "value": [people[1], people[4]]},
    ]);
    let group = example.patch(&path, changes).await;
    assert_eq!(members(&group), ["1", "3", "4"]);
    let mut writes = example.app.take_writes();
    writes.sort();
    let expected = [
        format!("DELETE /api/teams/{id}/members/2 -> 204"),
        format!("DELETE /api/teams/{id}/members/5 -> 404"),
        format!("POST /api/teams/{id}/members {{\"user_id\":1}} -> 409"),
        format!("POST /api/teams/{id}/members {{\"user_id\":4}} -> 201"),
    ];
    assert_eq!(writes, expected);
}

#[tokio::test]
async fn one_member_of_many_that_fails_is_told_and_a_retry_repairs() {
    let example = typical().await;
    let people: Vec<Value> = example.app.with(|app| {
        (0..4).map(|number| json!({"value": app.seed(&format!("u{number}@acme.example")).to_string()})).collect()
    });
    let id = example.make("/Groups", json!({"displayName": "Crew"})).await;
    let path = format!("/Groups/{id}");
    example.app.trouble(|call| {
        let unlucky = call.method == "POST" && call.json()["user_id"] == 3;
        unlucky.then(|| Trouble::Instead(Reply::new(500, json!({"error": {"message": "password=hunter2"}}))))
    });
    let add = crate::examples_bench::patch(json!([{"op": "Add", "path": "members", "value": people}]));
    let (_, detail) = example.refused(502, "PATCH", &path, Some(add.clone())).await;
    assert!(detail.contains("1 of 4") && !detail.contains("hunter2"), "{detail}");
    example.app.no_trouble();
    assert_eq!(members(&example.get(&path).await), ["1", "2", "4"]);
    assert_eq!(members(&example.expect(200, "PATCH", &path, Some(add)).await), ["1", "2", "3", "4"]);
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_looked_for() {
    let example = users_only().await;
    let mut first = true;
    example
        .app
        .trouble(move |call| (call.method == "POST" && std::mem::take(&mut first)).then_some(Trouble::LoseReply));
    let id = example.make("/Users", ann()).await;
    assert_eq!(id, "1");
    let found = example.get("/Users?filter=userName%20eq%20%22ann%40acme.example%22").await;
    assert_eq!((&found["totalResults"], &found["Resources"][0]["externalId"]), (&json!(1), &json!("e-1")));
    assert_eq!(example.app.with(|app| app.users.len()), 1);
}
