//! The example `jsonrpc`: one URL, the method and the token in the body, and every answer a 200.

use std::time::Duration;

use scimshim::demo::cycle::Idp;
use serde_json::{Value, json};

use crate::apps::monitor::{Monitor, OWN, PASSWORD};
use crate::apps::serve::{Reply, Trouble};
use crate::cycles;
use crate::examples_bench::{Example, members, patch};

async fn example() -> Example<Monitor> {
    Example::start("jsonrpc", Monitor::new(), &[("APP_PASSWORD", PASSWORD)]).await
}

fn person(login: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("{login}@acme.example"),
        "name": {"givenName": login, "familyName": "Berg"}, "active": true,
        "emails": [{"type": "work", "value": format!("{login}@acme.example"), "primary": true}]})
}

fn add(who: &[&str]) -> Value {
    let who: Vec<Value> = who.iter().map(|who| json!({"value": who})).collect();
    patch(json!([{"op": "Add", "path": "members", "value": who}]))
}

fn active(on: &str) -> Value {
    patch(json!([{"op": "Replace", "path": "active", "value": on}]))
}

fn eq(attribute: &str, value: &str) -> String {
    format!("filter={attribute}%20eq%20%22{value}%22")
}

/// The method and the parameters of a call.
fn asked(call: &str) -> (String, Value) {
    let body = call.split_once(' ').and_then(|(_, rest)| rest.split_once(' ')).map_or("", |(_, body)| body);
    let body: Value = serde_json::from_str(body.rsplit_once(" -> ").map_or(body, |(body, _)| body)).unwrap();
    (body["method"].as_str().unwrap().to_owned(), body["params"].clone())
}

/// Refuses every call of a method with this text.
fn refuse(example: &Example<Monitor>, method: &'static str, code: i32, data: &'static str) {
    example.app.trouble(move |call| {
        let body = json!({"jsonrpc": "2.0", "error": {"code": code, "message": "?", "data": data}, "id": 1});
        (call.json()["method"] == method).then(|| Trouble::Instead(Reply::new(200, body)))
    });
}

const ANN: &str = "ann@acme.example";

#[tokio::test]
async fn every_cycle() {
    let example = example().await;
    cycles::check(Idp::All, "jsonrpc", &example.sidecar).await;
    // A token is good for some dozens of calls, so these cycles have met the end of several.
    assert!(example.app.with(|app| app.logins) > 3);
    assert_eq!(example.app.with(|app| (app.people.len(), app.teams.len())), (2, 1));
}

#[tokio::test]
async fn a_new_person_gets_a_password_that_nobody_knows_and_the_usual_role() {
    let example = example().await;
    let mut secrets = Vec::new();
    for login in ["ann", "ben"] {
        let made = example.expect(201, "POST", "/Users", Some(person(login))).await;
        let (_, stored) = example.app.with(|app| app.person(&format!("{login}@acme.example")));
        assert_eq!((&made["userType"], &stored["roleid"]), (&json!("Viewer"), &json!("10")));
        let secret = stored["secret"].as_str().unwrap().to_owned();
        assert!(secret.len() == 24 && !made.to_string().contains(&secret), "{made}");
        secrets.push(secret);
    }
    assert_ne!(secrets[0], secrets[1]);
    let mut chosen = person("cleo");
    chosen["password"] = json!("correct horse battery");
    example.make("/Users", chosen).await;
    let (_, stored) = example.app.with(|app| app.person("cleo@acme.example"));
    assert_eq!(stored["secret"], "correct horse battery");
}

#[tokio::test]
async fn roles_are_known_by_name_whatever_their_ids() {
    let example = example().await;
    let mut boss = person("ann");
    boss["userType"] = json!("Operator");
    let ann = example.make("/Users", boss).await;
    assert_eq!(example.app.with(|app| app.person(ANN).1["roleid"].clone()), json!("20"));
    let unknown = patch(json!([{"op": "replace", "path": "userType", "value": "Emperor"}]));
    let path = format!("/Users/{ann}");
    let (kind, detail) = example.refused(400, "PATCH", &path, Some(unknown)).await;
    assert_eq!(kind, "invalidValue");
    assert!(detail.contains("Viewer") && detail.contains("Operator"), "{detail}");
    // An id that the table has not seen yet is asked for, not guessed.
    example.app.with(|app| app.renumber_role("Operator", "77"));
    let read = example.get(&path).await;
    assert!(read.get("userType").is_none_or(|kind| kind == "Operator"), "{read}");
}

#[tokio::test]
async fn switching_off_is_a_team_that_nobody_sees() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let crew = example.make("/Groups", json!({"displayName": "Crew", "members": [{"value": ann}]})).await;
    let path = format!("/Users/{ann}");
    let off = example.expect(200, "PATCH", &path, Some(active("False"))).await;
    assert_eq!(off["active"], json!(false));
    assert_eq!(example.app.with(|app| app.teams_of(ANN)), ["Crew", "No access"]);
    let groups = |user: &Value| -> Vec<Value> {
        user["groups"].as_array().into_iter().flatten().map(|group| group["display"].clone()).collect()
    };
    assert_eq!(groups(&off), ["Crew"]);
    example.app.take_calls();
    example.expect(200, "PATCH", &path, Some(active("False"))).await;
    example.expect(200, "PATCH", &path, Some(active("True"))).await;
    assert_eq!(example.app.with(|app| app.teams_of(ANN)), ["Crew"]);
    // The team itself is no group: not listed, not found, not made once more, not joined, not deleted.
    let all = example.get("/Groups").await;
    assert_eq!((&all["totalResults"], &all["Resources"][0]["displayName"]), (&json!(1), &json!("Crew")), "{all}");
    assert_eq!(example.get(&format!("/Groups?{}", eq("displayName", "No%20access"))).await["totalResults"], 0);
    for (method, body) in
        [("GET", None), ("PATCH", Some(add(&[&ann]))), ("PUT", Some(json!({"displayName": "x"}))), ("DELETE", None)]
    {
        assert_eq!(example.ask(method, "/Groups/3", body).await.status, 404, "{method}");
    }
    let (kind, _) = example.refused(409, "POST", "/Groups", Some(json!({"displayName": "No access"}))).await;
    assert_eq!(kind, "uniqueness");
    assert_eq!(members(&example.get(&format!("/Groups/{crew}")).await), [ann]);
}

#[tokio::test]
async fn somebody_who_is_made_switched_off_is_never_on() {
    let example = example().await;
    let mut off = person("ann");
    off["active"] = json!(false);
    let made = example.expect(201, "POST", "/Users", Some(off)).await;
    assert_eq!(made["active"], json!(false));
    let calls = example.app.take_calls();
    let create = calls.iter().map(|call| asked(call)).find(|(method, _)| method == "person.create").unwrap();
    assert_eq!(create.1["teams"], json!([{"teamid": "3"}]));
}

#[tokio::test]
async fn an_address_is_changed_in_its_contact_and_the_others_stay() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    example.app.with(|app| app.page_at_night(ANN, "+47 900 00 000"));
    let path = format!("/Users/{ann}");
    let change = json!([{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "nord@acme.example"}]);
    let changed = example.patch(&path, change).await;
    assert_eq!(changed["emails"][0]["value"], "nord@acme.example");
    let contacts = example.app.with(|app| app.person(ANN).1["contacts"].clone());
    let tuned: Vec<(&Value, &Value)> =
        contacts.as_array().unwrap().iter().map(|contact| (&contact["to"][0], &contact["severity"])).collect();
    assert_eq!(tuned, [(&json!("nord@acme.example"), &json!(7)), (&json!("+47 900 00 000"), &json!(48))]);
    let wrong = patch(json!([{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "nowhere"}]));
    let (kind, detail) = example.refused(400, "PATCH", &path, Some(wrong)).await;
    assert_eq!(kind, "invalidValue");
    assert!(detail.contains("an e-mail address is expected"), "{detail}");
    assert_eq!(example.get(&path).await["emails"][0]["value"], "nord@acme.example");
}

#[tokio::test]
async fn only_the_text_tells_a_duplicate_from_a_mistake() {
    let example = example().await;
    example.make("/Users", person("ann")).await;
    let (kind, detail) = example.refused(409, "POST", "/Users", Some(person("ANN"))).await;
    assert_eq!((kind.as_str(), detail.contains("already exists")), ("uniqueness", true), "{detail}");
    let mut short = person("ben");
    short["password"] = json!("short");
    let (kind, detail) = example.refused(400, "POST", "/Users", Some(short)).await;
    assert_eq!((kind.as_str(), detail.contains("too short")), ("invalidValue", true), "{detail}");
    for id in ["99", "abc", "3%2F4"] {
        assert_eq!(example.ask("GET", &format!("/Users/{id}"), None).await.status, 404, "{id}");
        assert_eq!(example.ask("DELETE", &format!("/Users/{id}"), None).await.status, 404, "{id}");
    }
    refuse(&example, "person.get", -32500, "SQL statement error in the table people");
    let (_, detail) = example.refused(502, "GET", "/Users", None).await;
    assert!(!detail.contains("SQL"), "{detail}");
}

#[tokio::test]
async fn the_account_of_provisioning_is_left_alone() {
    let example = example().await;
    let (own, _) = example.app.with(|app| app.person(OWN));
    let path = format!("/Users/{own}");
    for (method, body) in [("PATCH", Some(active("False"))), ("PUT", Some(person("other"))), ("DELETE", None)] {
        let (_, detail) = example.refused(403, method, &path, body).await;
        assert!(detail.contains("a guard of the mapping"), "{method} {path}: {detail}");
    }
    assert_eq!(example.get(&path).await["userName"], OWN);
}

#[tokio::test]
async fn a_team_is_written_as_a_whole_list_and_a_stranger_spoils_none_of_it() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let ben = example.make("/Users", person("ben")).await;
    let crew = example.make("/Groups", json!({"displayName": "Crew", "members": [{"value": ann}]})).await;
    let path = format!("/Groups/{crew}");
    assert_eq!(members(&example.expect(200, "PATCH", &path, Some(add(&[&ben]))).await), [ann.as_str(), ben.as_str()]);
    let (kind, detail) = example.refused(400, "PATCH", &path, Some(add(&["99"]))).await;
    assert_eq!(kind, "invalidValue");
    assert!(detail.contains("99"), "{detail}");
    assert_eq!(members(&example.get(&path).await), [ann.as_str(), ben.as_str()]);
    let rename = json!([{"op": "Replace", "path": "displayName", "value": "Watch"}]);
    assert_eq!(members(&example.patch(&path, rename).await), [ann.as_str(), ben.as_str()]);
    let user = example.get(&format!("/Users/{ann}")).await;
    assert_eq!(user["groups"][0]["display"], "Watch", "{user}");
}

#[tokio::test]
async fn teams_that_are_written_from_both_sides_at_once_lose_nothing() {
    let example = example().await;
    let mut people = Vec::new();
    for number in 0..6 {
        people.push(example.make("/Users", person(&format!("u{number}"))).await);
    }
    let crew = example.make("/Groups", json!({"displayName": "Crew"})).await;
    let group = format!("/Groups/{crew}");
    // Joining writes the list of the team, switching off the list of the person, and what was read of people is old when
    // it arrives.
    example
        .app
        .trouble(|call| (call.json()["method"] == "person.get").then(|| Trouble::LateReply(Duration::from_millis(20))));
    let adds = people.iter().map(|who| example.ask("PATCH", &group, Some(add(&[who]))));
    let paths: Vec<String> = people.iter().map(|who| format!("/Users/{who}")).collect();
    let offs = paths.iter().map(|path| example.ask("PATCH", path, Some(active("False"))));
    let (adds, offs) =
        futures_util::future::join(futures_util::future::join_all(adds), futures_util::future::join_all(offs)).await;
    assert!(adds.iter().chain(&offs).all(|answer| matches!(answer.status, 200 | 204)));
    for number in 0..6 {
        let teams = example.app.with(|app| app.teams_of(&format!("u{number}@acme.example")));
        assert_eq!(teams, ["Crew", "No access"]);
    }
}

#[tokio::test]
async fn an_unknown_parameter_finds_everybody_and_a_look_up_still_finds_one() {
    let example = example().await;
    for login in ["ann", "ben"] {
        example.make("/Users", person(login)).await;
    }
    for (query, found) in [
        (eq("userName", "ANN%40acme.example"), 1),
        (eq("userName", "nobody%40acme.example"), 0),
        (eq("emails.value", "ben%40acme.example"), 1),
        ("filter=active%20eq%20true&count=3".to_owned(), 4),
    ] {
        assert_eq!(example.get(&format!("/Users?{query}")).await["totalResults"], found, "{query}");
    }
    // The application does not understand what it is asked, and shows everybody.
    example.app.trouble(|call| {
        let mut body = call.json();
        let misread = body["params"].as_object_mut().is_some_and(|params| params.remove("filter").is_some());
        let everybody = json!([{"personid": "1", "login": "admin", "roleid": "30", "teams": [], "contacts": []},
            {"personid": "5", "login": ANN, "roleid": "10", "teams": [], "contacts": []}]);
        misread.then(|| Trouble::Instead(Reply::new(200, json!({"jsonrpc": "2.0", "result": everybody, "id": 1}))))
    });
    let found = example.get(&format!("/Users?{}", eq("userName", ANN))).await;
    assert_eq!((&found["totalResults"], &found["Resources"][0]["userName"]), (&json!(1), &json!(ANN)));
}

#[tokio::test]
async fn a_session_that_ends_inside_a_200_is_begun_again_once() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    assert_eq!(example.app.with(|app| app.logins), 1);
    example.app.with(Monitor::expire);
    let path = format!("/Users/{ann}");
    futures_util::future::join_all([(); 6].map(|()| example.get(&path))).await;
    assert_eq!(example.app.with(|app| app.logins), 2);
    // A write that was refused for the session alone has done nothing, and is sent again.
    example.app.with(Monitor::expire);
    example.expect(200, "PATCH", &path, Some(active("False"))).await;
    assert_eq!(example.app.with(|app| app.teams_of(ANN)), ["No access"]);
}

#[tokio::test]
async fn a_login_that_fails_is_not_the_providers_fault() {
    let example = Example::start("jsonrpc", Monitor::new(), &[("APP_PASSWORD", "guess")]).await;
    let (_, detail) = example.refused(502, "GET", "/Users", None).await;
    assert!(!detail.contains("guess") && !detail.contains("Login or secret"), "{detail}");
}

#[tokio::test]
async fn replies_that_answer_another_question_are_no_success() {
    for body in [
        json!({"jsonrpc": "2.0", "result": [], "id": 7}),
        json!({"jsonrpc": "2.0", "id": 1}),
        json!({"jsonrpc": "2.0", "result": "maintenance", "id": 1}),
        json!("<html>maintenance</html>"),
        Value::Null,
    ] {
        let example = example().await;
        example.get("/Users").await;
        let page = body.clone();
        example.app.trouble(move |_| Some(Trouble::Instead(Reply::new(200, page.clone()))));
        let answer = example.ask("GET", "/Users", None).await;
        assert_eq!(answer.status, 502, "{body}: {}", answer.json());
        let answer = example.ask("POST", "/Users", Some(person("ann"))).await;
        assert_eq!(answer.status, 502, "{body}: {}", answer.json());
    }
}

#[tokio::test]
async fn reading_is_repeated_and_making_is_not() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let mut times = 0;
    example.app.trouble(move |call| {
        times += usize::from(call.json()["method"] == "person.get");
        (times == 1).then_some(Trouble::LoseReply)
    });
    example.get(&format!("/Users/{ann}")).await;
    let mut times = 0;
    example.app.trouble(move |call| {
        times += usize::from(call.json()["method"] == "person.create");
        (call.json()["method"] == "person.create" && times == 1).then_some(Trouble::LoseReply)
    });
    // It was carried out once, and whom it has made is looked for.
    example.make("/Users", person("ben")).await;
    let (kind, _) = example.refused(409, "POST", "/Users", Some(person("ben"))).await;
    assert_eq!(kind, "uniqueness");
    assert_eq!(example.app.with(|app| app.people.len()), 4);
}
