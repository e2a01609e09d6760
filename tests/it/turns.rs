//! Requests about one resource at the same time: nobody's change is lost.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::conformance_bench::{Bench, patch};

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
