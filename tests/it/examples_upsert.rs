//! The example `upsert`: one PUT makes and replaces, and what it leaves out is gone.

use scimshim::demo::cycle::Idp;
use serde_json::{Value, json};

use crate::apps::depot::{API_KEY, Depot, HASHED, PASSWORD};
use crate::apps::serve::{Reply, Trouble};
use crate::cycles;
use crate::examples_bench::{Example, members, patch};

async fn example() -> Example<Depot> {
    Example::start("upsert", Depot::default(), &[("APP_PASSWORD", PASSWORD)]).await
}

fn person(login: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "externalId": format!("oid-{login}"),
        "userName": format!("{login}@acme.example"), "displayName": login, "active": true})
}

fn add(who: &[&str]) -> Value {
    let who: Vec<Value> = who.iter().map(|who| json!({"value": who})).collect();
    patch(json!([{"op": "Add", "path": "members", "value": who}]))
}

fn remove(who: &str) -> Value {
    patch(json!([{"op": "Remove", "path": "members", "value": [{"value": who}]}]))
}

fn active(on: &str) -> Value {
    patch(json!([{"op": "Replace", "path": "active", "value": on}]))
}

const ANN: &str = "ann@acme.example";
const BEN: &str = "ben@acme.example";

#[tokio::test]
async fn every_cycle() {
    let example = example().await;
    cycles::check(Idp::All, "upsert", &example.sidecar).await;
    // A token is good for some dozens of calls, so these cycles have met the end of several.
    assert!(example.app.with(|app| app.logins) > 3);
}

#[tokio::test]
async fn what_people_got_by_hand_survives_every_change_and_is_never_shown() {
    let example = example().await;
    let mut shown = vec![example.expect(201, "POST", "/Users", Some(person("ann"))).await];
    example.app.with(|app| app.enrich(ANN));
    let before = example.app.with(|app| app.by_hand(ANN));
    let path = format!("/Users/{ANN}");
    shown.push(example.expect(200, "PATCH", &path, Some(active("False"))).await);
    assert_eq!(example.app.with(|app| app.accounts[ANN]["locked"].clone()), json!(true));
    shown.push(example.expect(200, "PATCH", &path, Some(active("True"))).await);
    shown.push(example.patch(&path, json!([{"op": "Remove", "path": "externalId"}])).await);
    let mut whole = person("ann");
    whole["displayName"] = json!("Ann Nord");
    shown.push(example.expect(200, "PUT", &path, Some(whole)).await);
    shown.push(example.get("/Users").await);
    assert_eq!(example.app.with(|app| app.by_hand(ANN)), before);
    assert_eq!(example.app.with(|app| app.accounts[ANN]["display"].clone()), json!("Ann Nord"));
    let shown = Value::Array(shown).to_string();
    for hidden in [HASHED, API_KEY, "password", "paid"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[tokio::test]
async fn a_new_password_takes_the_place_of_the_hash() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    example.app.with(|app| app.enrich(ANN));
    let hash = || example.app.with(|app| app.by_hand(ANN)[0].clone());
    let before = hash();
    let change = json!([{"op": "replace", "path": "password", "value": "correct horse"}]);
    let answer = example.patch(&format!("/Users/{ann}"), change).await;
    assert!(hash() != before && hash().is_string(), "{answer}");
    assert!(!answer.to_string().contains("horse"), "{answer}");
    let short = patch(json!([{"op": "replace", "path": "password", "value": "short"}]));
    let (kind, detail) = example.refused(400, "PATCH", &format!("/Users/{ann}"), Some(short)).await;
    assert_eq!((kind.as_str(), detail.as_str()), ("invalidValue", "password is too short"));
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_not_sent() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    example.app.take_calls();
    example.expect(200, "PUT", &format!("/Users/{ann}"), Some(person("ann"))).await;
    assert_eq!(example.app.take_writes(), Vec::<String>::new());
}

#[tokio::test]
async fn nobody_is_made_over_somebody() {
    let example = example().await;
    example.app.with(|app| app.seed(ANN));
    let (kind, detail) = example.refused(409, "POST", "/Users", Some(person("ANN"))).await;
    assert_eq!(kind, "uniqueness");
    assert!(detail.contains(ANN), "{detail}");
    assert_eq!(example.app.with(|app| app.accounts[ANN]["display"].clone()), Value::Null);
    // Two requests at once: the second one finds the first one's account.
    let both = [(); 2].map(|()| example.ask("POST", "/Users", Some(person("ben"))));
    let mut statuses: Vec<u16> = futures_util::future::join_all(both).await.iter().map(|one| one.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test]
async fn a_login_is_for_life_and_the_name_of_a_team_is_not() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let rename = patch(json!([{"op": "Replace", "path": "userName", "value": "nord@acme.example"}]));
    let (kind, detail) = example.refused(400, "PATCH", &format!("/Users/{ann}"), Some(rename)).await;
    assert_eq!(kind, "mutability");
    assert!(detail.contains("userName"), "{detail}");
    let crew = example.make("/Groups", json!({"displayName": "Night Crew", "members": [{"value": ann}]})).await;
    assert_eq!(crew, "night-crew");
    let policy = json!({"may": "publish"});
    example.app.with(|app| app.teams.get_mut(&crew).unwrap().insert("policy".into(), policy.clone()));
    let path = format!("/Groups/{crew}");
    let renamed = example.patch(&path, json!([{"op": "Replace", "path": "displayName", "value": "Day Crew"}])).await;
    assert_eq!((&renamed["id"], &renamed["displayName"]), (&json!(crew), &json!("Day Crew")));
    assert_eq!(members(&renamed), [ANN]);
    let stored = example.app.with(|app| app.teams[&crew].clone());
    assert_eq!((&stored["title"], &stored["policy"]), (&json!("Day Crew"), &policy));
    // The key is still taken, whatever the team that has it is called today.
    let (kind, detail) = example.refused(409, "POST", "/Groups", Some(json!({"displayName": "night crew"}))).await;
    assert_eq!(kind, "uniqueness");
    assert!(detail.contains("night-crew") && detail.contains("Day Crew"), "{detail}");
}

#[tokio::test]
async fn a_login_that_can_be_no_key_is_refused_before_anybody_is_asked() {
    let example = example().await;
    for login in ["ann berg", "a/b", "bjørn", "..", "%2e%2e", "-ann"] {
        let body = json!({"userName": login});
        let (kind, detail) = example.refused(400, "POST", "/Users", Some(body)).await;
        assert_eq!(kind, "invalidValue", "{login}: {detail}");
    }
    for id in ["a%2Fb", "ann%20berg", "-ann"] {
        assert_eq!(example.ask("GET", &format!("/Users/{id}"), None).await.status, 404, "{id}");
    }
    let (kind, _) = example.refused(400, "POST", "/Groups", Some(json!({"displayName": "???"}))).await;
    assert_eq!(kind, "invalidValue");
    assert_eq!(example.app.take_calls(), Vec::<String>::new());
}

#[tokio::test]
async fn only_what_is_missing_is_granted_and_tuned_grants_stay() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let ben = example.make("/Users", person("ben")).await;
    let crew = example.make("/Groups", json!({"displayName": "Crew", "members": [{"value": ann}]})).await;
    example.app.with(|app| app.promote(&crew, ANN));
    let path = format!("/Groups/{crew}");
    example.app.take_calls();
    example.expect(200, "PATCH", &path, Some(add(&[&ann, &ben]))).await;
    let writes = example.app.take_writes();
    assert_eq!(writes.len(), 1, "{writes:?}");
    example.expect(200, "PATCH", &path, Some(add(&[&ann, &ben]))).await;
    assert_eq!(example.app.take_writes(), Vec::<String>::new());
    let whole = json!({"displayName": "Crew", "members": [{"value": ann}]});
    assert_eq!(members(&example.expect(200, "PUT", &path, Some(whole)).await), [ANN]);
    assert_eq!(example.app.with(|app| app.granted(&crew)), [format!("{ANN} owner")]);
}

#[tokio::test]
async fn somebody_who_was_granted_twice_loses_both() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let ben = example.make("/Users", person("ben")).await;
    let whole = json!({"displayName": "Crew", "members": [{"value": ann}, {"value": ben}]});
    let crew = example.make("/Groups", whole).await;
    example.app.with(|app| app.grant(&crew, ANN));
    let path = format!("/Groups/{crew}");
    assert_eq!(members(&example.get(&path).await), [ANN, BEN]);
    example.expect(200, "PATCH", &path, Some(remove(&ann))).await;
    assert_eq!(example.app.with(|app| app.granted(&crew)), [format!("{BEN} reader")]);
    // Again, and somebody whom nobody ever granted anything.
    example.expect(200, "PATCH", &path, Some(remove(&ann))).await;
    example.expect(200, "PATCH", &path, Some(remove("nobody"))).await;
    assert_eq!(example.app.with(|app| app.granted(&crew)).len(), 1);
}

#[tokio::test]
async fn many_at_once_lose_nobody_and_grant_nothing_twice() {
    let example = example().await;
    let mut people = Vec::new();
    for number in 0..8 {
        people.push(example.make("/Users", person(&format!("u{number}"))).await);
    }
    let crew = example.make("/Groups", json!({"displayName": "Crew"})).await;
    let path = format!("/Groups/{crew}");
    let adds =
        people.iter().flat_map(|who| [who, who]).map(|who| example.expect(200, "PATCH", &path, Some(add(&[who]))));
    futures_util::future::join_all(adds).await;
    assert_eq!(members(&example.get(&path).await), people);
    assert_eq!(example.app.with(|app| app.grants.len()), 8);
}

#[tokio::test]
async fn a_stranger_is_named_and_everybody_else_is_in() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let crew = example.make("/Groups", json!({"displayName": "Crew"})).await;
    let path = format!("/Groups/{crew}");
    let (kind, detail) = example.refused(400, "PATCH", &path, Some(add(&["stranger", &ann]))).await;
    assert_eq!(kind, "invalidValue");
    assert!(detail.contains("stranger"), "{detail}");
    assert_eq!(members(&example.get(&path).await), [ANN]);
}

#[tokio::test]
async fn lists_of_several_pages_are_followed_on_the_own_host_only() {
    let example = example().await;
    example.app.with(|app| (0..120).for_each(|number| app.seed(&format!("u{number:03}"))));
    let page = example.get("/Users?startIndex=101&count=50").await;
    assert_eq!((&page["totalResults"], page["Resources"].as_array().unwrap().len()), (&json!(120), 20));
    let last = example.get("/Users?filter=displayName%20eq%20null%20or%20userName%20eq%20%22u119%22").await;
    assert!(last["totalResults"].as_u64().unwrap() >= 1, "{last}");
    for next in ["http://depot.internal/secrets/accounts?after=u049", "/api/accounts?limit=50&after="] {
        example.app.trouble(move |call| {
            let page = json!({"accounts": [{"name": "u000", "locked": false}], "links": {"next": next}});
            call.target.starts_with("/api/accounts").then(|| Trouble::Instead(Reply::new(200, page)))
        });
        let (_, detail) = example.refused(502, "GET", "/Users?startIndex=90&count=50", None).await;
        assert!(!detail.contains("depot.internal"), "{detail}");
    }
}

#[tokio::test]
async fn a_session_that_ends_is_begun_again_once_for_all_who_wait() {
    let example = example().await;
    example.make("/Users", person("ann")).await;
    assert_eq!(example.app.with(|app| app.logins), 1);
    example.app.with(Depot::expire);
    let path = format!("/Users/{ANN}?attributes=userName");
    let all = [(); 6].map(|()| example.get(&path));
    futures_util::future::join_all(all).await;
    assert_eq!(example.app.with(|app| app.logins), 2);
}

#[tokio::test]
async fn a_login_that_fails_is_not_the_providers_fault() {
    let example = Example::start("upsert", Depot::default(), &[("APP_PASSWORD", "guess")]).await;
    let (_, detail) = example.refused(502, "GET", "/Users", None).await;
    assert!(!detail.contains("guess") && !detail.contains("svc-scim"), "{detail}");
    let calls = example.app.take_calls();
    assert_eq!(calls.len(), 1, "nobody is asked without a token: {calls:?}");
}

#[tokio::test]
async fn a_put_whose_reply_is_lost_is_repeated_and_does_no_harm() {
    let example = example().await;
    let lose_the_first = || {
        let mut puts = 0;
        example.app.trouble(move |call| {
            puts += usize::from(call.method == "PUT");
            (call.method == "PUT" && puts == 1).then_some(Trouble::LoseReply)
        });
    };
    lose_the_first();
    let ann = example.make("/Users", person("ann")).await;
    example.app.with(|app| app.enrich(ANN));
    lose_the_first();
    example.expect(200, "PATCH", &format!("/Users/{ann}"), Some(active("False"))).await;
    assert_eq!(example.app.with(|app| app.accounts[ANN]["locked"].clone()), json!(true));
}

#[tokio::test]
async fn an_application_that_is_away_is_503_and_nothing_is_written_blind() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    example.app.with(|app| app.enrich(ANN));
    example.app.take_calls();
    // The account cannot be read, so nothing can be put back whole.
    example.app.trouble(|call| (call.method == "GET").then(|| Trouble::Instead(Reply::empty(503))));
    let path = format!("/Users/{ann}");
    example.refused(503, "PATCH", &path, Some(active("False"))).await;
    assert_eq!(example.app.take_writes(), Vec::<String>::new());
    // Half of the document is as good as none.
    example.app.trouble(|call| {
        let page = call.method == "GET" && call.target.starts_with("/api/accounts/");
        page.then(|| Trouble::Instead(Reply::new(200, json!("<html>busy</html>"))))
    });
    example.refused(502, "PATCH", &path, Some(active("False"))).await;
    assert_eq!(example.app.take_writes(), Vec::<String>::new());
    example.app.no_trouble();
    example.expect(200, "PATCH", &path, Some(active("False"))).await;
}

/// Somebody with a profile.
fn with_mail(login: &str, mail: &str) -> Value {
    let mut person = person(login);
    person["name"] = json!({"givenName": login, "familyName": "Berg"});
    person["emails"] = json!([{"type": "work", "value": mail, "primary": true}]);
    person
}

#[tokio::test]
async fn names_and_addresses_are_in_a_document_of_their_own() {
    let example = example().await;
    let ann = example.make("/Users", with_mail("ann", ANN)).await;
    assert_eq!(example.app.with(|app| app.profile(ANN)), json!({"given": "ann", "family": "Berg", "mail": ANN}));
    example.app.with(|app| app.enrich(ANN));
    let path = format!("/Users/{ann}");
    example.app.take_calls();
    let rename = json!([{"op": "Replace", "path": "name.familyName", "value": "Nord"}]);
    let user = example.patch(&path, rename).await;
    assert_eq!((&user["name"]["givenName"], &user["name"]["familyName"]), (&json!("ann"), &json!("Nord")));
    assert_eq!(user["phoneNumbers"][0]["value"], "+47 22 00 00 01");
    let writes = example.app.take_writes();
    assert_eq!(writes, [format!("PATCH /api/accounts/{}/profile {{\"family\":\"Nord\"}} -> 200", encoded(ANN))]);
    // What is not asked for is not read.
    for (query, calls) in [("attributes=userName", 1), ("attributes=title", 2), ("excludedAttributes=phoneNumbers", 2)]
    {
        example.app.take_calls();
        example.get(&format!("{path}?{query}")).await;
        let made = example.app.take_calls();
        assert_eq!(made.len(), calls, "{query}: {made:?}");
    }
}

fn encoded(name: &str) -> String {
    name.replace('@', "%40")
}

#[tokio::test]
async fn a_list_is_completed_by_the_documents_beside_its_items() {
    let example = example().await;
    for login in ["ann", "ben", "cleo"] {
        example.make("/Users", with_mail(login, &format!("{login}@acme.example"))).await;
    }
    example.app.take_calls();
    let page = example.get("/Users?attributes=emails").await;
    let mails: Vec<&Value> =
        page["Resources"].as_array().unwrap().iter().map(|user| &user["emails"][0]["value"]).collect();
    assert_eq!(mails, [ANN, BEN, "cleo@acme.example"]);
    assert_eq!(example.app.take_calls().len(), 4);
    let found = example.get("/Users?filter=emails.value%20eq%20%22ben%40acme.example%22").await;
    assert_eq!((&found["totalResults"], &found["Resources"][0]["userName"]), (&json!(1), &json!(BEN)));
}

#[tokio::test]
async fn an_address_that_is_taken_leaves_nobody_half_made() {
    let example = example().await;
    example.make("/Users", with_mail("ann", ANN)).await;
    let (kind, detail) = example.refused(409, "POST", "/Users", Some(with_mail("ben", ANN))).await;
    assert_eq!(kind, "uniqueness");
    assert!(detail.contains("somebody else"), "{detail}");
    assert_eq!(example.ask("GET", &format!("/Users/{BEN}"), None).await.status, 404);
    example.make("/Users", with_mail("ben", BEN)).await;
}

#[tokio::test]
async fn a_document_that_cannot_be_read_is_no_document_without_values() {
    let example = example().await;
    let ann = example.make("/Users", with_mail("ann", ANN)).await;
    example.app.trouble(|call| call.target.ends_with("/profile").then(|| Trouble::Instead(Reply::empty(503))));
    let path = format!("/Users/{ann}");
    example.refused(503, "GET", &path, None).await;
    example.refused(503, "GET", "/Users", None).await;
    example.expect(200, "GET", &format!("{path}?attributes=userName"), None).await;
}
