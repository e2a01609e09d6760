//! Requests about one resource at the same time: nobody's change is lost.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::conformance_bench::{Bench, patch};
use crate::members::{Slow, change};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_added_side_by_side_are_all_there() {
    let bench = Bench::new().await;
    let people: Vec<String> =
        (0..20).map(|number| bench.app.seed_user(None, json!({"login": format!("user-{number}")}))).collect();
    let path = format!("/Groups/{}", bench.app.seed_team(None, json!({"name": "g"}), &[]));
    let add = |id: &String| patch(&json!([{"op": "add", "path": "members", "value": [{"value": id}]}]));
    let answers = join_all(people.iter().map(|id| bench.ask("PATCH", &path, Some(add(id))))).await;
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.status, 204, "{number}: {}", answer.json());
    }
    let mut members = values(&bench.get(&path).await["members"]);
    members.sort_by_key(|id| id.parse::<u32>().unwrap());
    assert_eq!(members, people);
}

/// The application keeps addresses as one list, so that each of these reads it, changes an element and writes it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_changed_side_by_side_are_both_changed() {
    let bench = Bench::new().await;
    let path = format!("/Users/{}", bench.app.seed_user(None, json!({"login": "ann"})));
    for round in 0..10 {
        let set = |kind: &str| {
            let value = format!("{kind}-{round}@example.com");
            let target = format!("emails[type eq \"{kind}\"].value");
            let body = patch(&json!([{"op": "add", "path": target, "value": value}]));
            let bench = &bench;
            let path = path.as_str();
            async move { bench.ask("PATCH", path, Some(body)).await }
        };
        let (work, home) = tokio::join!(set("work"), set("home"));
        assert_eq!((work.status, home.status), (200, 200), "{} {}", work.json(), home.json());
        let mut emails = values(&bench.get(&path).await["emails"]);
        emails.sort();
        assert_eq!(emails, [format!("home-{round}@example.com"), format!("work-{round}@example.com")]);
    }
}

/// The `value` of each element.
fn values(list: &Value) -> Vec<String> {
    let elements = list.as_array().into_iter().flatten();
    elements.filter_map(|element| element["value"].as_str()).map(str::to_owned).collect()
}

/// Who is in which circle stands with the person and with the circle, and each is written whole.
const BOTH: &str = include_str!("../plans/config/both.toml");

/// A person and a circle are changed at once. Were both read before either is written, the person would be written with
/// the circles of before.
#[tokio::test]
async fn both_sides_of_a_relation_are_written_one_after_the_other() {
    let config = BOTH.replace("kind = \"bearer\", token = \"env:APP_TOKEN\"", "kind = \"none\"");
    let slow = Slow::with(&config).await;
    let title = patch(&json!([{"op": "replace", "path": "title", "value": "CTO"}]));
    let person = slow.ask("t", "PATCH", "/Users/a", title);
    let read = slow.next_call().await;
    assert_eq!(read.line, "GET /t/people/a ");
    let circle = slow.ask("t", "PATCH", "/Groups/3", change("add", &["a"]));
    slow.until_waiting(1).await;
    // Another tenant has a lock of its own, and what is written blindly needs none.
    let elsewhere = slow.ask("u", "PATCH", "/Groups/3", change("add", &["a"]));
    let first = slow.next_call().await;
    assert_eq!(first.line, "GET /u/circles/3 ");
    first.answer(404, "").await;
    assert_eq!(elsewhere.await.unwrap().status, 404);
    let name = patch(&json!([{"op": "replace", "path": "displayName", "value": "Dev"}]));
    let blind = slow.ask("t", "PATCH", "/Groups/4", name);
    let call = slow.next_call().await;
    assert_eq!(call.line, r#"PATCH /t/circles/4 {"title":"Dev"}"#);
    call.answer(200, r#"{"id":"4","title":"Dev"}"#).await;
    assert_eq!(blind.await.unwrap().status, 200);

    read.answer(200, r#"{"id":"a","login":"ann","circles":[]}"#).await;
    let write = slow.next_call().await;
    assert_eq!(write.line, r#"PUT /t/people/a {"circles":[],"id":"a","job":"CTO","login":"ann"}"#);
    write.answer(200, r#"{"id":"a","login":"ann","job":"CTO","circles":[]}"#).await;
    assert_eq!(person.await.unwrap().status, 200);
    let read = slow.next_call().await;
    assert_eq!(read.line, "GET /t/circles/3 ");
    read.answer(200, r#"{"id":"3","title":"Ops","people":["b"]}"#).await;
    let write = slow.next_call().await;
    assert_eq!(write.line, r#"PUT /t/circles/3/people {"people":["b","a"]}"#);
    write.answer(204, "").await;
    assert_eq!(circle.await.unwrap().status, 204);
}
