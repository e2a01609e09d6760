//! The example `legacy`: whole cycles in front of a personnel system that answers 200 to everything, then what is odd
//! about it, sentence by sentence, then trouble.

use scimshim::demo::cycle::Idp;
use serde_json::{Value, json};

use crate::apps::legacy::{Legacy, PASSWORD, refused};
use crate::apps::serve::{Call, Reply, Trouble};
use crate::cycles;
use crate::examples_bench::{Example, config, members, patch};

async fn example() -> Example<Legacy> {
    Example::start("legacy", Legacy::new(), &[("HR_PASSWORD", PASSWORD)]).await
}

/// The example with something else in the place of a text of its configuration.
async fn example_with(old: &str, new: &str) -> Example<Legacy> {
    let text = config("legacy");
    assert!(text.contains(old), "{old}");
    Example::with(&text.replace(old, new), Legacy::new(), &[("HR_PASSWORD", PASSWORD)]).await
}

fn person(login: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("{login}@acme.example"),
        "externalId": format!("e-{login}"), "active": true, "displayName": login,
        "name": {"givenName": login, "familyName": "Berg"},
        "emails": [{"type": "work", "value": format!("{login}@acme.example"), "primary": true}]})
}

fn replace(path: &str, value: impl Into<Value>) -> Value {
    json!([{"op": "Replace", "path": path, "value": value.into()}])
}

fn add(who: &str) -> Value {
    patch(json!([{"op": "Add", "path": "members", "value": [{"value": who}]}]))
}

/// Answers all calls of this path like this, without doing anything.
fn instead(path: &'static str, reply: Reply) -> impl FnMut(&Call) -> Option<Trouble> + Send {
    move |call| call.target.starts_with(path).then(|| Trouble::Instead(reply.clone()))
}

impl Example<Legacy> {
    fn field(&self, id: &str, name: &str) -> Value {
        self.app.with(|app| app.people[&id.parse().unwrap()][name].clone())
    }
}

#[tokio::test]
async fn every_cycle_while_sessions_end_in_the_middle() {
    let example = example().await;
    example.app.with(|app| app.session_calls = 23);
    cycles::check(Idp::All, "legacy", &example.sidecar).await;
    assert!(example.app.with(|app| app.logins > 5 && app.people.len() == 1 && app.teams.is_empty()));
}

#[tokio::test]
async fn a_session_that_has_ended_is_renewed_once_for_all_who_meet_it() {
    let example = example().await;
    let id = example.make("/Users", person("ann")).await;
    let path = format!("/Users/{id}");
    example.app.with(Legacy::end_sessions);
    futures_util::future::join_all((0..8).map(|_| example.get(&path))).await;
    assert_eq!(example.app.with(|app| app.logins), 2);
}

#[tokio::test]
async fn a_wrong_password_of_ours_is_502_and_does_not_lock_the_account_out() {
    let example = Example::start("legacy", Legacy::new(), &[("HR_PASSWORD", "guess-me")]).await;
    for _ in 0..5 {
        let (_, detail) = example.refused(502, "GET", "/Users/1", None).await;
        assert!(detail.contains("login") && !detail.contains("guess-me"), "{detail}");
    }
    assert_eq!(example.app.take_calls().len(), 1, "one attempt, for the time being");
}

#[tokio::test]
async fn the_external_id_is_announced_as_not_kept() {
    let example = example().await;
    let id = example.make("/Users", person("ann")).await;
    assert_eq!(example.get(&format!("/Users/{id}")).await.get("externalId"), None);
    let found = example.get("/Users?filter=externalId%20eq%20%22e-ann%22").await;
    assert_eq!(found["totalResults"], 0, "{found}");
    let schema = example.get("/Schemas/urn:ietf:params:scim:schemas:core:2.0:User").await;
    let names: Vec<&str> =
        schema["attributes"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"userName") && !names.contains(&"externalId"), "{names:?}");
    assert!(!names.contains(&"displayName"), "{names:?}");
}

#[tokio::test]
async fn every_attribute_goes_to_the_call_that_takes_it() {
    let example = example().await;
    let mut sent = person("ann");
    sent["active"] = json!(false);
    sent["password"] = json!("correct horse");
    sent["preferredLanguage"] = json!("nb-NO");
    sent["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] = json!({"department": "Track"});
    let id = example.make("/Users", sent).await;
    let calls = example.app.take_writes();
    let made = "POST /api/user/add dept=20&fname=ann&lang=nb_NO&lname=Berg&login=ann%40acme.example&mail=ann%40acme.example -> 200";
    assert!(calls.contains(&made.to_owned()), "{calls:?}");
    assert_eq!(calls.iter().filter(|call| call.contains("/user/lock") || call.contains("/user/passwd")).count(), 2);
    assert_eq!(example.app.with(|app| app.password(2).map(str::to_owned)), Some("correct horse".to_owned()));
    assert_eq!((example.field(&id, "locked"), example.field(&id, "dept")), (json!("Y"), json!(20)));

    let both = json!([{"op": "Replace", "path": "active", "value": "True"},
        {"op": "Replace", "path": "name.familyName", "value": "Sørli & Co"}]);
    let after = example.patch(&format!("/Users/{id}"), both).await;
    assert_eq!((&after["active"], &after["name"]["familyName"]), (&json!(true), &json!("Sørli & Co")));
    let edit = format!("POST /api/user/edit lname=S%C3%B8rli+%26+Co&uid={id} -> 200");
    assert_eq!(example.app.take_writes(), [edit, format!("POST /api/user/unlock uid={id} -> 200")]);

    // What is so already needs no call of its own, and being asked for it twice is no failure.
    example.patch(&format!("/Users/{id}"), replace("active", true)).await;
    assert_eq!(example.field(&id, "locked"), "N");
}

#[tokio::test]
async fn departments_that_are_not_in_the_table_stay_where_they_are() {
    let example = example().await;
    let id = example.make("/Users", person("ann")).await;
    let path = format!("/Users/{id}");
    example.app.with(|app| app.people.get_mut(&2).unwrap().insert("dept".into(), json!(30)));
    let mut whole = example.get(&path).await;
    let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    assert_eq!(whole[urn]["department"], "Other");
    whole["name"]["familyName"] = json!("Nord");
    example.expect(200, "PUT", &path, Some(whole)).await;
    assert_eq!((example.field(&id, "dept"), example.field(&id, "lname")), (json!(30), json!("Nord")));

    let other = example.make("/Users", person("ben")).await;
    for (department, number, shown) in [("Track", 20, "Track"), ("Sales", 99, "Other")] {
        let after = example.patch(&format!("/Users/{other}"), replace(&format!("{urn}:department"), department)).await;
        assert_eq!((example.field(&other, "dept"), &after[urn]["department"]), (json!(number), &json!(shown)));
    }
}

#[tokio::test]
async fn times_are_those_of_oslo() {
    let example = example().await;
    let id = example.make("/Users", person("ann")).await;
    let meta = example.get(&format!("/Users/{id}")).await["meta"].clone();
    assert_eq!(meta["created"], "2024-01-31T08:15:00Z", "winter");
    assert_eq!(meta["lastModified"], "2024-07-31T07:15:00Z", "summer");
}

#[tokio::test]
async fn an_account_that_is_older_than_provisioning_is_adopted() {
    let example = example().await;
    let uid = example.app.with(|app| app.seed("old@acme.example"));
    example.app.with(|app| app.people.get_mut(&uid).unwrap().insert("locked".into(), json!("Y")));
    let id = example.make("/Users", person("Old")).await;
    assert_eq!(id, uid.to_string());
    assert_eq!(example.app.with(|app| app.people.len()), 2, "with the one that makes the calls");
    for (name, value) in [("fname", "Old"), ("lname", "Berg"), ("locked", "N"), ("badge", "K-9")] {
        assert_eq!(example.field(&id, name), value, "{name}");
    }
}

#[tokio::test]
async fn a_reply_that_is_lost_makes_nobody_twice() {
    let example = example().await;
    example.app.trouble(|call| call.target.ends_with("/user/add").then_some(Trouble::LoseReply));
    // The adapter looks by `exists`, and finds whom the call has made.
    let id = example.make("/Users", person("ann")).await;
    assert_eq!(example.field(&id, "login"), "ann@acme.example");
    example.app.no_trouble();
    assert_eq!(example.app.with(|app| app.people.len()), 2);
}

#[tokio::test]
async fn a_team_that_is_half_made_is_taken_back() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let team = json!({"displayName": "Crew", "members": [{"value": ann}]});
    example.app.trouble(instead("/api/team/join", refused("E_FULL", "the team is full")));
    let (kind, detail) = example.refused(400, "POST", "/Groups", Some(team.clone())).await;
    assert_eq!(kind, "invalidValue");
    assert!(detail.contains("taken back") && detail.contains("the team is full"), "{detail}");
    assert!(example.app.with(|app| app.teams.is_empty()));

    // If that fails, too, somebody has to know.
    example.app.trouble(|call| {
        let path = call.target.as_str();
        (path.ends_with("/join") || path.ends_with("team/purge"))
            .then(|| Trouble::Instead(refused("E_FULL", "not today")))
    });
    let (_, detail) = example.refused(400, "POST", "/Groups", Some(team.clone())).await;
    assert!(detail.contains("has to be removed in the application"), "{detail}");
    example.app.no_trouble();
    let (kind, _) = example.refused(409, "POST", "/Groups", Some(team)).await;
    assert_eq!(kind, "uniqueness");
    assert_eq!(example.app.with(|app| app.titles().join(",")), "Crew");
}

#[tokio::test]
async fn more_people_than_a_page_holds() {
    let example = example().await;
    example.app.with(|app| {
        for number in 0..1200 {
            app.seed(&format!("u{number}"));
        }
    });
    let page = example.get("/Users?startIndex=1151&count=100").await;
    let found = page["Resources"].as_array().unwrap();
    assert_eq!((&page["totalResults"], found.len()), (&json!(1201), 51), "1200 and the service");
    assert_eq!(found[50]["userName"], "u1199");
    for _ in 0..2 {
        let found = example.get("/Users?filter=userName%20eq%20%22U1199%22").await;
        assert_eq!((&found["totalResults"], &found["Resources"][0]["id"]), (&json!(1), &json!("1201")));
    }
    assert_eq!(example.app.take_calls().len(), 4, "a login and three pages; the look-ups use what was read");
}

#[tokio::test]
async fn what_was_read_serves_again_until_something_is_written() {
    let example = example().await;
    let find = "/Users?filter=userName%20eq%20%22ann%40acme.example%22";
    assert_eq!(example.get(find).await["totalResults"], 0);
    let id = example.make("/Users", person("ann")).await;
    assert_eq!(example.get(find).await["totalResults"], 1);
    example.expect(204, "DELETE", &format!("/Users/{id}"), None).await;
    assert_eq!(example.get(find).await["totalResults"], 0);
}

#[tokio::test]
async fn a_busy_system_is_asked_again() {
    let example = example_with(r#"after = "1s""#, r#"after = "10ms""#).await;
    example.app.with(|app| app.busy = 3);
    let id = example.make("/Users", person("ann")).await;
    example.app.with(|app| app.busy = 100);
    let path = format!("/Users/{id}");
    let answer = example.ask("PATCH", &path, Some(patch(replace("active", false)))).await;
    assert_eq!(answer.status, 503, "{}", answer.json());
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(example.field(&id, "locked"), "N");
    example.app.with(|app| app.busy = 0);
    assert_eq!(example.patch(&path, replace("active", false)).await["active"], false);
}

#[tokio::test]
async fn what_is_refused_is_said_in_the_words_of_the_application() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    example.make("/Users", person("ben")).await;
    let path = format!("/Users/{ann}");
    let mut nameless = person("cleo");
    nameless.as_object_mut().unwrap().remove("name");
    let mut held = person("cleo");
    held["emails"][0]["value"] = json!("ANN@acme.example");
    let mut spaced = person("cleo");
    spaced["userName"] = json!("cleo moe");
    let remove = patch(json!([{"op": "Remove", "path": "name.familyName"}]));
    let rename = |value: &str| patch(replace("userName", value));
    for (status, kind, said, method, path, body) in [
        (400, "invalidValue", "fname is mandatory (E_MISSING)", "POST", "/Users", nameless),
        (400, "invalidValue", "a login has a-z", "POST", "/Users", spaced),
        (409, "uniqueness", "mail is taken", "POST", "/Users", held),
        (409, "uniqueness", "login is taken", "PATCH", path.as_str(), rename("Ben@acme.example")),
        (400, "invalidValue", "lname is mandatory", "PATCH", path.as_str(), remove),
        (
            400,
            "invalidValue",
            "lang is no language",
            "PATCH",
            path.as_str(),
            patch(replace("preferredLanguage", "norsk")),
        ),
        (400, "invalidValue", "newpw is too short", "PATCH", path.as_str(), patch(replace("password", "short"))),
        (400, "invalidValue", "title is mandatory", "POST", "/Groups", json!({"displayName": " "})),
    ] {
        let refusal = example.refused(status, method, path, Some(body)).await;
        assert!(refusal.0 == kind && refusal.1.contains(said), "{said}: {refusal:?}");
    }
    assert_eq!(example.app.with(|app| app.people.len()), 3);
}

#[tokio::test]
async fn who_is_not_on_the_payroll_is_left_out_of_a_team() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let ben = example.make("/Users", person("ben")).await;
    example.expect(204, "DELETE", &format!("/Users/{ben}"), None).await;
    let strangers = json!([{"value": "4711"}, {"value": ann}, {"value": ben}, {"value": "nobody"}]);
    let team = json!({"displayName": "Crew", "members": strangers});
    let id = example.make("/Groups", team).await;
    let path = format!("/Groups/{id}");
    assert_eq!(members(&example.get(&path).await), [ann.as_str()]);
    // Twice is no failure, neither joining nor leaving.
    example.expect(204, "PATCH", &path, Some(add(&ann))).await;
    let leave = patch(json!([{"op": "Remove", "path": format!("members[value eq \"{ann}\"]")}]));
    for _ in 0..2 {
        example.expect(204, "PATCH", &path, Some(leave.clone())).await;
    }
    assert!(example.app.with(|app| app.members.is_empty()));
    // A team that is gone is not a member who is gone.
    example.expect(204, "DELETE", &path, None).await;
    example.refused(404, "PATCH", &path, Some(add(&ann))).await;
}

#[tokio::test]
async fn an_id_that_is_none_asks_nobody_and_a_stranger_is_not_handed_out() {
    let example = example().await;
    for path in ["/Users/abc", "/Users/7%20or%201", "/Groups/x"] {
        assert_eq!(example.ask("GET", path, None).await.status, 404, "{path}");
    }
    assert_eq!(example.app.take_calls(), Vec::<String>::new());
    // A parameter that the application does not know is ignored, and then it shows whoever asks.
    let example = example_with("/user/show?uid={id}", "/user/show?id={id}").await;
    let uid = example.app.with(|app| app.seed("ann"));
    example.refused(404, "GET", &format!("/Users/{uid}"), None).await;
    example.refused(404, "DELETE", "/Users/4711", None).await;
}

#[tokio::test]
async fn an_application_that_is_unwell_is_not_believed() {
    let example = example().await;
    let id = example.make("/Users", person("ann")).await;
    let path = format!("/Users/{id}");
    // What the application says in its own way does not count when the status says that it is down.
    for (reply, status) in [
        (Reply::new(503, json!({"ok": false, "code": "E_NOENT", "msg": "?"})), 503),
        (Reply::new(500, json!({"ok": true, "row": {"uid": 2, "login": "x"}})), 502),
        (Reply::empty(200), 502),
        (Reply::new(200, json!({"ok": true})), 502),
    ] {
        example.app.trouble(instead("/api/user/show", reply.clone()));
        example.refused(status, "GET", &path, None).await;
    }
    example.app.trouble(instead("/api/user/list", Reply::new(200, json!({"ok": true}))));
    example.refused(502, "GET", "/Users?filter=userName%20eq%20%22ann%40acme.example%22", None).await;
    example.app.no_trouble();
    assert_eq!(example.get(&path).await["id"], id.as_str());
}

#[tokio::test]
async fn the_account_that_makes_the_calls_is_shown_and_not_touched() {
    let example = example().await;
    let crew = example.make("/Groups", json!({"displayName": "Crew"})).await;
    assert_eq!(example.get("/Users/1").await["userName"], "svc-scim");
    example.app.take_calls();
    for (method, path, body) in [
        ("PATCH", "/Users/1".to_owned(), Some(patch(replace("active", false)))),
        ("DELETE", "/Users/1".to_owned(), None),
        ("PATCH", format!("/Groups/{crew}"), Some(add("1"))),
    ] {
        let (_, detail) = example.refused(403, method, &path, body).await;
        assert!(detail.contains("looked after by hand"), "{detail}");
    }
    assert_eq!(example.app.take_calls(), Vec::<String>::new());
}
