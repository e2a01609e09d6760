//! What strict clients ask of lists: order, pages, totals, searches over several types, sustained load.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use scimshim::demo::acme::CallRecord;
use serde_json::{Value, json};

use crate::conformance_bench::{Bench, CONFIG, assert_error, ids};

/// Users in the application, made without SCIM.
fn seed(bench: &Bench, users: usize, teams: usize) {
    for number in 0..users {
        bench
            .app
            .seed_user(None, json!({"login": format!("user-{number:03}"), "job_title": format!("t{}", number % 7)}));
    }
    for number in 0..teams {
        bench.app.seed_team(None, json!({"name": format!("team-{number:03}")}), &[]);
    }
}

/// Every page of a list by index, and the ids on all of them.
async fn pages(bench: &Bench, count: usize, total: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let list = bench.get(&format!("/Users?startIndex={}&count={count}", all.len() + 1)).await;
        assert_eq!(list["totalResults"], json!(total), "count {count}");
        assert_eq!(list["startIndex"], json!(all.len() + 1));
        let page = ids(&list);
        assert_eq!(list["itemsPerPage"], json!(page.len()));
        assert!(page.len() <= count);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

#[tokio::test]
async fn the_order_is_the_same_for_every_page_size() {
    let bench = Bench::new().await;
    seed(&bench, 60, 0);
    let whole = ids(&bench.get("/Users").await);
    assert_eq!(whole.len(), 60);
    for count in [1, 7, 30, 59, 60, 100] {
        assert_eq!(pages(&bench, count, 60).await, whole, "count {count}");
    }
    let mut cursor = String::new();
    let mut by_cursor = Vec::new();
    loop {
        let list = bench.get(&format!("/Users?cursor={cursor}&count=7")).await;
        assert!(list.get("startIndex").is_none());
        by_cursor.extend(ids(&list));
        let Some(next) = list["nextCursor"].as_str() else { break };
        next.clone_into(&mut cursor);
    }
    assert_eq!(by_cursor, whole);
}

#[tokio::test]
async fn a_list_without_count_is_complete_or_says_what_is_left() {
    let bench = Bench::new().await;
    seed(&bench, 130, 0);
    let first = bench.get("/Users").await;
    assert_eq!((&first["totalResults"], &first["itemsPerPage"]), (&json!(130), &json!(100)));
    let rest = bench.get("/Users?startIndex=101").await;
    assert_eq!((&rest["totalResults"], &rest["itemsPerPage"]), (&json!(130), &json!(30)));
    let counted = bench.get("/Users?count=0").await;
    assert_eq!((&counted["totalResults"], &counted["itemsPerPage"]), (&json!(130), &json!(0)));
}

#[tokio::test]
async fn an_application_that_tells_no_total_is_counted() {
    let silent = CONFIG.replace(r#", total = "meta.total""#, "");
    assert_ne!(silent, CONFIG);
    let bench = Bench::with(&silent).await;
    for users in [0, 30, 130] {
        bench.app.clear();
        seed(&bench, users, 0);
        for count in [7, 30, 100] {
            assert_eq!(pages(&bench, count, users).await.len(), users, "{users} by {count}");
        }
        let beyond = bench.get("/Users?startIndex=900").await;
        assert_eq!((&beyond["totalResults"], &beyond["itemsPerPage"]), (&json!(users), &json!(0)));
    }
}

#[tokio::test]
async fn an_application_that_serves_smaller_pages_than_it_says_loses_nobody() {
    // Acme serves 100 at the most, whatever it is asked for.
    let config = CONFIG.replace("max = 100 }", "max = 500 }").replace("# These are the defaults.", "");
    let line = config.lines().find(|line| line.starts_with("page_max")).unwrap().to_owned();
    let bench = Bench::with(&config.replace(&line, "page_max = 500")).await;
    seed(&bench, 230, 0);
    assert_eq!(pages(&bench, 500, 230).await.len(), 230);
    assert_eq!(pages(&bench, 150, 230).await.len(), 230);
}

#[tokio::test]
async fn a_search_on_the_base_covers_every_type() {
    let bench = Bench::new().await;
    seed(&bench, 12, 5);
    let users = ids(&bench.get("/Users").await);
    let groups = ids(&bench.get("/Groups").await);
    let all: Vec<String> = users.iter().chain(&groups).cloned().collect();
    let whole = search(&bench, json!({})).await;
    assert_eq!((ids(&whole), &whole["totalResults"]), (all.clone(), &json!(17)));
    let kinds: Vec<&str> = whole["Resources"].as_array().unwrap().iter().map(kind).collect();
    assert_eq!(kinds, [vec!["User"; 12], vec!["Group"; 5]].concat());

    let mut paged = Vec::new();
    while paged.len() < 17 {
        let page = search(&bench, json!({"startIndex": paged.len() + 1, "count": 5})).await;
        assert_eq!(page["totalResults"], json!(17));
        paged.extend(ids(&page));
    }
    assert_eq!(paged, all);
    let mut by_cursor = Vec::new();
    let mut cursor = json!("");
    while cursor.is_string() {
        let page = search(&bench, json!({"cursor": cursor, "count": 5})).await;
        by_cursor.extend(ids(&page));
        cursor = page["nextCursor"].clone();
    }
    assert_eq!(by_cursor, all);
    let counted = search(&bench, json!({"count": 0})).await;
    assert_eq!((&counted["totalResults"], ids(&counted).len()), (&json!(17), 0));
}

#[tokio::test]
async fn an_attribute_that_a_type_lacks_has_no_value_there() {
    let bench = Bench::new().await;
    seed(&bench, 3, 2);
    for (filter, expected) in [
        (r#"userName eq "user-001""#, &["User"][..]),
        (r#"userName eq "USER-001" or displayName eq "team-000""#, &["User", "Group"]),
        (r#"meta.resourceType eq "Group""#, &["Group", "Group"]),
        ("userName pr", &["User", "User", "User"]),
        ("not (userName pr)", &["Group", "Group"]),
        (r#"userName ne "user-001""#, &["User", "User", "Group", "Group"]),
        (r#"urn:ietf:params:scim:schemas:core:2.0:Group:displayName eq "team-001""#, &["Group"]),
        (r#"members.value eq "1""#, &[]),
    ] {
        let list = search(&bench, json!({"filter": filter})).await;
        let kinds: Vec<&str> = list["Resources"].as_array().unwrap().iter().map(kind).collect();
        assert_eq!((kinds.as_slice(), &list["totalResults"]), (expected, &json!(expected.len())), "{filter}");
    }
    let answer = bench.ask("POST", "/.search", Some(json!({"filter": "shoeSize eq 38"}))).await;
    assert_error(&answer, 400, Some("invalidFilter"));
    bench.app.take_calls();
    search(&bench, json!({"filter": r#"userName eq "user-001""#})).await;
    let calls: Vec<String> = bench.app.take_calls().iter().map(CallRecord::line).collect();
    assert!(calls.len() == 1 && calls[0].contains("login=user-001"), "{calls:?}");

    let shown = search(&bench, json!({"filter": "userName pr or displayName pr", "attributes": ["userName"]})).await;
    let group = shown["Resources"].as_array().unwrap().iter().find(|one| one.get("userName").is_none()).unwrap();
    let keys: Vec<&String> = group.as_object().unwrap().keys().collect();
    assert!(keys.iter().all(|key| ["id", "schemas"].contains(&key.as_str())), "{keys:?}");
}

#[tokio::test]
async fn a_sorted_search_runs_across_the_types() {
    let bench = Bench::new().await;
    for name in ["Delta", "alpha"] {
        bench.app.seed_user(None, json!({"login": name, "display_name": name}));
    }
    bench.app.seed_user(None, json!({"login": "nobody"}));
    for name in ["Bravo", "charlie"] {
        bench.app.seed_team(None, json!({"name": name}), &[]);
    }
    let names = |list: &Value| -> Vec<Value> {
        list["Resources"].as_array().unwrap().iter().map(|one| one["displayName"].clone()).collect()
    };
    let sorted = search(&bench, json!({"sortBy": "displayName"})).await;
    assert_eq!(names(&sorted), [json!("alpha"), json!("Bravo"), json!("charlie"), json!("Delta"), Value::Null]);
    let page = search(&bench, json!({"sortBy": "displayName", "startIndex": 2, "count": 2})).await;
    assert_eq!((names(&page), &page["totalResults"]), (vec![json!("Bravo"), json!("charlie")], &json!(5)));
    let by_type = search(&bench, json!({"sortBy": "userName", "sortOrder": "descending"})).await;
    assert_eq!(names(&by_type)[..2], [json!("Bravo"), json!("charlie")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_five_requests_a_second_of_one_tenant_are_served() {
    let bench = Bench::new().await;
    seed(&bench, 50, 0);
    let began = Instant::now();
    let seconds = 2;
    for second in 0..seconds {
        let requests = (0..25).map(|number| {
            let body = (number % 5 == 0).then(|| json!({"userName": format!("new-{second}-{number}")}));
            let method = if body.is_some() { "POST" } else { "GET" };
            bench.ask(method, "/Users", body)
        });
        let answers = join_all(requests).await;
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)));
    }
    assert!(began.elapsed() < Duration::from_secs(seconds), "{:?}", began.elapsed());
}

fn kind(resource: &Value) -> &str {
    resource["meta"]["resourceType"].as_str().unwrap()
}

async fn search(bench: &Bench, mut body: Value) -> Value {
    body["schemas"] = json!(["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]);
    bench.expect(200, "POST", "/.search", Some(body)).await
}
