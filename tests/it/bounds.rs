//! Every bound of `[limits]`, and `max_connections`, from the configuration to what the client reads.
//!
//! In: the shipped configuration with one bound made small, in front of the sample application. Out: the SCIM error
//! that names the bound. What else the listener does at its bounds is tested without a configuration in `proxy_*`.
//!
//! | bound | status | test | besides |
//! |---|---|---|---|
//! | `header_max_bytes` | 431 | `bounds::header_bytes` | `proxy_protocol::a_header_larger_than_allowed_is_431` |
//! | `header_timeout` | 408 | `bounds::header_time` | `proxy_protocol::a_slow_header_is_408_however_busy_it_looks` |
//! | `body_max_bytes` | 413 | `bounds::body_bytes` | `proxy_scim::chunks_are_counted` |
//! | `body_timeout` | 408 | `bounds::body_time` | `proxy_forward::a_client_that_does_not_read_is_not_waited_for` |
//! | `keepalive_timeout` | closed | `bounds::idle_time` | `proxy_protocol::a_silent_connection_is_closed_without_a_word` |
//! | `json_max_depth` | 400 | `bounds::json_depth` | |
//! | `filter_max_depth` | 400 | `bounds::filter_depth` | |
//! | `filter_max_terms` | 400 | `bounds::filter_terms` | |
//! | `patch_max_operations` | 413 | `bounds::patch_operations` | |
//! | `members_max` | 413 | `bounds::members_sent` | `bounds::members_read` |
//! | `page_max` | 200 | `bounds::pages_are_cut_and_say_so` | |
//! | `calls_max` | 400 | `bounds::native_calls` | |
//! | `request_timeout` | 503 | `bounds::request_time` | `bounds::waiting_for_a_turn_ends_in_time` |
//! | `reply_max_bytes` | 502 | `bounds::reply_bytes` | |
//! | `bulk_max_operations` | 413 | `bounds::bulk_operations` | |
//! | `upstream_connect_timeout` | 503 | `bounds::connect_time` | |
//! | `upstream_read_timeout` | 504 | `bounds::read_time` | |
//! | `max_connections` | 503 | `bounds::connections` | `proxy_protocol::connections_over_the_limit_are_told_so` |

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use scimshim::config::{Source, compile};
use scimshim::demo::acme::Fault;
use scimshim::demo::client::Answer;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::conformance_bench::{Bench, CONFIG, assert_error, config_with, ids, patch};
use crate::proxy_harness::{self as wire, App, PATIENCE, eventually};
use crate::stack::{SCIM_TOKEN, sidecar_at};

#[test]
fn every_bound_is_in_the_table_and_every_test_of_the_table_exists() {
    let rows: Vec<Vec<&str>> = include_str!("bounds.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `"))
        .map(|row| row.split('`').filter(|part| !part.contains('|')).collect())
        .collect();
    let listed: BTreeSet<&str> = rows.iter().map(|row| row[0]).filter(|key| *key != "max_connections").collect();
    let example = CONFIG.parse::<toml::Table>().unwrap();
    let documented: BTreeSet<&str> = example["limits"].as_table().unwrap().keys().map(String::as_str).collect();
    let snapshot = compile(Source { name: "config.toml".into(), text: CONFIG.to_owned() }).unwrap();
    // One field a line: `    page_max: 100,`.
    let fields = format!("{:#?}", snapshot.limits);
    let compiled = fields.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(':'));
    assert_eq!(listed, compiled.map(|(field, _)| field).collect());
    assert_eq!(listed, documented);
    for test in rows.iter().flat_map(|row| &row[1..]) {
        let (module, name) = test.split_once("::").unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/{module}.rs"));
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains(&format!("async fn {name}()")), "{test}");
    }
}

#[tokio::test]
async fn header_bytes() {
    let bench = limited("header_max_bytes = '1KiB'").await;
    let long = format!("{}X: {}\r\n\r\n", head("GET", "/Users"), "y".repeat(2048));
    refused_raw(&raw(&bench, &long).await, 431, "1024 bytes");
    counted(&bench, "header_max_bytes", 1).await;
}

#[tokio::test]
async fn header_time() {
    let bench = limited("header_timeout = '100ms'").await;
    refused_raw(&raw(&bench, "GET /scim").await, 408, "100ms");
    counted(&bench, "header_timeout", 1).await;
}

#[tokio::test]
async fn body_bytes() {
    let bench = limited("body_max_bytes = '1KiB'").await;
    let body = json!({"userName": "x".repeat(2048)}).to_string();
    let request = format!("{}Content-Length: {}\r\n\r\n{body}", head("POST", "/Users"), body.len());
    refused_raw(&raw(&bench, &request).await, 413, "1024 bytes");
    assert_eq!(bench.app.calls(), []);
    counted(&bench, "body_max_bytes", 1).await;
}

#[tokio::test]
async fn body_time() {
    let bench = limited("body_timeout = '100ms'").await;
    let request = format!("{}Content-Length: 9\r\n\r\n{{", head("POST", "/Users"));
    refused_raw(&raw(&bench, &request).await, 408, "100ms");
    assert_eq!(bench.app.calls(), []);
    counted(&bench, "body_timeout", 1).await;
}

#[tokio::test]
async fn idle_time() {
    let bench = limited("keepalive_timeout = '100ms'").await;
    let mut client = wire::Client::connect(bench.sidecar.addr()).await;
    assert_eq!(client.ask(format!("{}\r\n", head("GET", "/Users"))).await.status, 200);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn connections() {
    let bench = Bench::with(&config_with("server", "max_connections = 1")).await;
    let mut first = wire::Client::connect(bench.sidecar.addr()).await;
    assert_eq!(first.ask(format!("{}\r\n", head("GET", "/Users"))).await.status, 200);
    let mut second = wire::Client::connect(bench.sidecar.addr()).await;
    refused_raw(&second.answer().await, 503, "1 are allowed");
}

#[tokio::test]
async fn json_depth() {
    let bench = limited("json_max_depth = 3").await;
    bench.make("/Users", json!({"emails": [{"value": "a@example.com"}]})).await;
    bench.app.take_calls();
    let deeper = json!({"userName": "b", "emails": [{"value": ["b@example.com"]}]});
    refused(&bench.ask("POST", "/Users", Some(deeper)).await, 400, Some("invalidSyntax"), "3 levels");
    assert_eq!(bench.app.calls(), []);
    counted(&bench, "json_max_depth", 1).await;
}

#[tokio::test]
async fn filter_depth() {
    let bench = limited("filter_max_depth = 2").await;
    bench.get("/Users?filter=((userName%20eq%20%22a%22))").await;
    bench.app.take_calls();
    let answer = bench.ask("GET", "/Users?filter=(((userName%20eq%20%22a%22)))", None).await;
    refused(&answer, 400, Some("invalidFilter"), "2 levels");
    assert_eq!(bench.app.calls(), []);
    counted(&bench, "filter_max_depth", 1).await;
}

#[tokio::test]
async fn filter_terms() {
    let bench = limited("filter_max_terms = 2").await;
    bench.get("/Users?filter=title%20pr%20or%20nickName%20pr").await;
    bench.app.take_calls();
    let answer = bench.ask("GET", "/Users?filter=title%20pr%20or%20nickName%20pr%20or%20userType%20pr", None).await;
    refused(&answer, 400, Some("invalidFilter"), "2 comparisons");
    assert_eq!(bench.app.calls(), []);
    counted(&bench, "filter_max_terms", 1).await;
}

#[tokio::test]
async fn patch_operations() {
    let bench = limited("patch_max_operations = 2").await;
    let user = bench.app.seed_user(None, json!({"login": "ann"}));
    let operation = json!({"op": "replace", "path": "title", "value": "Dr"});
    bench.patch(&format!("/Users/{user}"), json!([operation, operation])).await;
    bench.app.take_calls();
    let three = patch(&json!([operation, operation, operation]));
    let answer = bench.ask("PATCH", &format!("/Users/{user}"), Some(three)).await;
    refused(&answer, 413, None, "2 operations");
    assert_eq!(bench.app.calls(), []);
    counted(&bench, "patch_max_operations", 1).await;
}

#[tokio::test]
async fn members_sent() {
    let bench = limited("members_max = 2").await;
    let members: Vec<Value> = users(&bench, 3).iter().map(|id| json!({"value": id})).collect();
    let group = bench.make("/Groups", json!({"members": &members[..2]})).await;
    let path = format!("/Groups/{}", group["id"].as_str().unwrap());
    let whole = json!({"displayName": "g", "members": members});
    let add = patch(&json!([{"op": "add", "path": "members", "value": members}]));
    for (method, path, body) in [("POST", "/Groups", whole.clone()), ("PUT", &path, whole), ("PATCH", &path, add)] {
        bench.app.take_calls();
        refused(&bench.ask(method, path, Some(body)).await, 413, None, "2 values");
        let writes = bench.app.calls().into_iter().filter(|call| call.method != "GET");
        assert_eq!(writes.count(), 0, "{method}");
    }
    assert_eq!(bench.get(&path).await["members"].as_array().unwrap().len(), 2);
    counted(&bench, "members_max", 3).await;
}

#[tokio::test]
async fn members_read() {
    let bench = limited("members_max = 2").await;
    let group = bench.app.seed_team(None, json!({"name": "g"}), &users(&bench, 3));
    let path = format!("/Groups/{group}");
    refused(&bench.ask("GET", &path, None).await, 400, Some("tooMany"), "2 members");
    // It can be read without them.
    let shown = bench.get(&format!("{path}?excludedAttributes=members")).await;
    assert_eq!(shown["displayName"], "g");
    counted(&bench, "members_max", 1).await;
}

#[tokio::test]
async fn pages_are_cut_and_say_so() {
    let bench = limited("page_max = 3").await;
    let everybody = users(&bench, 7);
    for filter in ["", "&filter=userName%20sw%20%22user-%22"] {
        let mut seen = Vec::new();
        for (start, count, served) in [(1, "&count=50", 3), (4, "", 3), (7, "&count=3", 1)] {
            let page = bench.get(&format!("/Users?startIndex={start}{count}{filter}")).await;
            assert_eq!((&page["totalResults"], &page["startIndex"]), (&json!(7), &json!(start)), "{page}");
            assert_eq!(page["itemsPerPage"], served, "{page}");
            seen.extend(ids(&page));
        }
        assert_eq!(seen, everybody);
    }
    let promised = bench.get("/ServiceProviderConfig").await;
    assert_eq!(promised["filter"]["maxResults"], 3, "{promised}");
}

#[tokio::test]
async fn native_calls() {
    let bench = limited("calls_max = 3").await;
    let members = users(&bench, 5);
    let group = bench.app.seed_team(None, json!({"name": "g"}), &members);
    bench.get(&format!("/Groups/{group}")).await;
    bench.app.take_calls();
    let operations: Vec<Value> =
        members.iter().map(|id| json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")})).collect();
    let answer = bench.ask("PATCH", &format!("/Groups/{group}"), Some(patch(&json!(operations)))).await;
    refused(&answer, 400, Some("tooMany"), "3 native calls");
    let calls = bench.app.take_calls();
    assert!(calls.len() <= 3 && calls.iter().all(|call| call.method == "GET"), "{calls:?}");
    assert_eq!(bench.get(&format!("/Groups/{group}")).await["members"].as_array().unwrap().len(), 5);
    counted(&bench, "calls_max", 1).await;
}

#[tokio::test]
async fn request_time() {
    let bench = limited("request_timeout = '400ms'").await;
    let people = users(&bench, 2);
    bench.app.set_fault_for(1, Fault::Timeout { writes_only: true });
    let title = || Some(patch(&json!([{"op": "replace", "path": "title", "value": "Dr"}])));
    let began = Instant::now();
    let (slow, waited) = (format!("/Users/{}", people[0]), format!("/Users/{}", people[1]));
    let stuck = bench.ask("PATCH", &slow, title());
    let other = async {
        eventually("the application is asked", || !bench.app.calls().is_empty()).await;
        let answer = bench.ask("PATCH", &waited, title()).await;
        (answer.status, began.elapsed())
    };
    let (stuck, (status, when)) = tokio::join!(stuck, other);
    refused(&stuck, 503, None, "400ms");
    assert!(began.elapsed() >= Duration::from_millis(400) && began.elapsed() < Duration::from_secs(5));
    assert!(status == 200 && when < Duration::from_millis(400), "{status} after {when:?}");
    // What was stuck holds nothing up.
    assert_eq!(bench.ask("PATCH", &slow, title()).await.status, 200);
    counted(&bench, "request_timeout", 1).await;
}

#[tokio::test]
async fn waiting_for_a_turn_ends_in_time() {
    let bench = limited("request_timeout = '300ms'").await;
    let path = format!("/Users/{}", users(&bench, 1)[0]);
    bench.app.set_fault(Some(Fault::Timeout { writes_only: true }));
    let title = || Some(patch(&json!([{"op": "replace", "path": "title", "value": "Dr"}])));
    let answers = tokio::join!(bench.ask("PATCH", &path, title()), bench.ask("PATCH", &path, title()));
    // The first one that gives up lets the second one in, but its time is over as well.
    for answer in <[Answer; 2]>::from(answers) {
        assert_eq!(answer.status, 503, "{}", answer.json());
        assert!(answer.json()["detail"].as_str().unwrap().contains("300ms"), "{}", answer.json());
    }
    counted(&bench, "request_timeout", 2).await;
}

#[tokio::test]
async fn reply_bytes() {
    let bench = limited("reply_max_bytes = '1KiB'").await;
    let small = bench.app.seed_user(None, json!({"login": "ann"}));
    let large = bench.app.seed_user(None, json!({"login": "bob", "job_title": "x".repeat(2048)}));
    bench.get(&format!("/Users/{small}")).await;
    refused(&bench.ask("GET", &format!("/Users/{large}"), None).await, 502, None, "1024 bytes");
    counted(&bench, "reply_max_bytes", 1).await;
}

#[tokio::test]
async fn bulk_operations() {
    let bench = limited("bulk_max_operations = 2").await;
    let user = |name: &str| json!({"method": "POST", "path": "/Users", "bulkId": name, "data": {"userName": name}});
    let bulk = |operations: Value| {
        Some(json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}))
    };
    let both = bench.expect(200, "POST", "/Bulk", bulk(json!([user("a"), user("b")]))).await;
    assert_eq!(both["Operations"].as_array().unwrap().len(), 2);
    bench.app.take_calls();
    let answer = bench.ask("POST", "/Bulk", bulk(json!([user("c"), user("d"), user("e")]))).await;
    refused(&answer, 413, None, "2 operations");
    assert_eq!(bench.app.calls(), []);
    assert_eq!(bench.get("/ServiceProviderConfig").await["bulk"]["maxOperations"], 2);
    counted(&bench, "bulk_max_operations", 1).await;
}

#[tokio::test]
async fn connect_time() {
    // A listener that accepts nobody: once its queue is full, further connections stay half open.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(connection) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        queue.push(connection.unwrap());
    }
    let config = config_with("limits", "upstream_connect_timeout = '100ms'");
    let sidecar = sidecar_at(&config, Some(format!("http://{address}"))).await;
    let mut client = wire::Client::connect(sidecar.addr()).await;
    let began = Instant::now();
    // The kernel tries for two minutes, and the request might last for thirty seconds.
    let answer = client.ask(format!("{}\r\n", head("GET", "/Users"))).await;
    refused_raw(&answer, 503, "cannot be reached");
    let answer = client.ask("GET /elsewhere HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(answer.status, 504, "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    sidecar.stop();
}

#[tokio::test]
async fn read_time() {
    let app = App::bind().await;
    let config = config_with("limits", "upstream_read_timeout = '100ms'");
    let sidecar = sidecar_at(&config, Some(format!("http://{}", app.address()))).await;
    let mut client = wire::Client::connect(sidecar.addr()).await;
    client.send("POST /elsewhere HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await;
    let mut upstream = app.accept().await;
    upstream.take_until("\r\n\r\n").await;
    // Not a SCIM request, and so no SCIM error.
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.body.as_str()), (504, "504 Gateway Timeout\n"));
    sidecar.stop();
}

/// The shipped configuration with other bounds.
async fn limited(settings: &str) -> Bench {
    Bench::with(&config_with("limits", settings)).await
}

/// The refusals are counted under the name of the key.
async fn counted(bench: &Bench, key: &str, refusals: u64) {
    let line = format!("scimshim_bound_refusals_total{{bound=\"{key}\"}} {refusals}");
    wire::counted(bench.sidecar.admin_addr(), &[&line]).await;
}

/// Employees `user-0` and so on; their ids in order.
fn users(bench: &Bench, how_many: usize) -> Vec<String> {
    (0..how_many).map(|number| bench.app.seed_user(None, json!({"login": format!("user-{number}")}))).collect()
}

/// A request up to its own headers.
fn head(method: &str, path: &str) -> String {
    format!("{method} /scim/v2/acme/prod{path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {SCIM_TOKEN}\r\n")
}

/// What is answered to these bytes.
async fn raw(bench: &Bench, bytes: &str) -> wire::Answer {
    timeout(PATIENCE, async { wire::Client::connect(bench.sidecar.addr()).await.ask(bytes).await }).await.unwrap()
}

/// A SCIM error whose detail says what the bound is.
fn refused(answer: &Answer, status: u16, scim_type: Option<&str>, bound: &str) {
    assert_error(answer, status, scim_type);
    let body = answer.json();
    assert!(body["detail"].as_str().unwrap().contains(bound), "{body}");
}

/// The same for an answer that came as bytes; none of these has a `scimType`.
fn refused_raw(answer: &wire::Answer, status: u16, bound: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/scim+json"), "{answer:?}");
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["status"], status.to_string());
    assert!(body["detail"].as_str().unwrap().contains(bound) && body.get("scimType").is_none(), "{body}");
}
