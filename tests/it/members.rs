//! Membership over sockets: one call for one member however large the group, turns, and equal requests at one time.

use bytes::Bytes;
use futures_util::future::join_all;
use scimshim::demo::client::{Answer, Client};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::conformance_bench::{Bench, CONFIG, patch};
use crate::proxy_harness::{self as wire, App, eventually};
use crate::stack::{SCIM_TOKEN, Sidecar, sidecar_at};

const SIZE: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_more_of_ten_thousand_is_one_call() {
    let bench = Bench::new().await;
    let user = |number: usize| bench.app.seed_user(None, json!({"login": format!("user-{number}")}));
    let people: Vec<String> = (0..SIZE).map(user).collect();
    let newcomer = user(SIZE);
    let path = format!("/Groups/{}", bench.app.seed_team(None, json!({"name": "all"}), &people));
    bench.app.take_calls();
    let without = format!("{path}?excludedAttributes=members");
    for (op, method) in [("add", "POST"), ("remove", "DELETE")] {
        bench.patch(&without, json!([{"op": op, "path": "members", "value": [{"value": newcomer}]}])).await;
        let calls: Vec<String> = bench.app.take_calls().iter().map(|call| call.method.clone()).collect();
        // The last one is for the answer.
        assert_eq!(calls, [method, "GET"], "{op}");
    }
}

/// An application of which every call is answered by the test.
pub(crate) struct Slow {
    pub(crate) app: App,
    sidecar: Sidecar,
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.sidecar.stop();
    }
}

/// A native call that waits for its answer.
pub(crate) struct Held {
    pub(crate) line: String,
    connection: wire::Client,
}

impl Slow {
    /// The shipped configuration.
    async fn start() -> Self {
        Self::with(CONFIG).await
    }

    pub(crate) async fn with(config: &str) -> Self {
        let app = App::bind().await;
        let sidecar = sidecar_at(config, Some(format!("http://{}", app.address()))).await;
        Self { app, sidecar }
    }

    /// Asks without waiting for the answer.
    pub(crate) fn ask(&self, tenant: &str, method: &str, path: &str, body: Value) -> JoinHandle<Answer> {
        self.ask_as(SCIM_TOKEN, tenant, method, path, body)
    }

    fn ask_as(&self, token: &str, tenant: &str, method: &str, path: &str, body: Value) -> JoinHandle<Answer> {
        let url = format!("http://{}/scim/v2/crm/prod/v2/{tenant}{path}", self.sidecar.addr());
        let (token, method) = (token.to_owned(), method.to_owned());
        tokio::spawn(async move { Client::new().unwrap().scim(&method, &url, &token, Some(&body)).await.unwrap() })
    }

    /// Waits until metrics have these lines.
    pub(crate) async fn counted(&self, lines: &[&str]) {
        wire::counted(self.sidecar.admin_addr(), lines).await;
    }

    fn add(&self, tenant: &str, members: &[&str]) -> JoinHandle<Answer> {
        self.ask(tenant, "PATCH", "/Groups/7", change("add", members))
    }

    pub(crate) async fn next_call(&self) -> Held {
        let mut connection = self.app.accept().await;
        let head = connection.take_until("\r\n\r\n").await;
        let names = head.to_lowercase();
        let length = names.lines().find_map(|line| line.strip_prefix("content-length: ")).map(|n| n.parse().unwrap());
        let body = connection.take(length.unwrap_or(0)).await;
        let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1");
        Held { line: format!("{line} {body}"), connection }
    }

    pub(crate) async fn until_waiting(&self, requests: usize) {
        eventually("they wait", || self.sidecar.waiting() == requests).await;
    }
}

impl Held {
    pub(crate) async fn answer(mut self, status: u16, body: &str) {
        let length = body.len();
        let text = format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        self.connection.send(Bytes::from(text)).await;
    }
}

pub(crate) fn change(op: &str, members: &[&str]) -> Value {
    let values: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    patch(&json!([{"op": op, "path": "members", "value": values}]))
}

async fn statuses(answers: Vec<JoinHandle<Answer>>) -> Vec<u16> {
    join_all(answers).await.into_iter().map(|answer| answer.unwrap().status).collect()
}

#[tokio::test]
async fn equal_additions_at_one_time_are_one_call_that_answers_all() {
    for (native, scim) in [(201, 204), (500, 502)] {
        let slow = Slow::start().await;
        let first = slow.add("t", &["1", "2"]);
        let call = slow.next_call().await;
        // Another spelling of the same.
        let same = [slow.add("t", &["1", "2"]), slow.add("t", &["2", "1"])];
        slow.until_waiting(2).await;
        call.answer(native, "{}").await;
        let answers = statuses([first].into_iter().chain(same).collect()).await;
        assert_eq!(answers, [scim; 3]);
        assert!(slow.app.is_unasked().await);
    }
}

#[tokio::test]
async fn other_tenants_and_other_members_have_calls_of_their_own() {
    let slow = Slow::start().await;
    let first = slow.add("t", &["1"]);
    let call = slow.next_call().await;
    // Another tenant does not even wait.
    let elsewhere = slow.add("u", &["1"]);
    slow.next_call().await.answer(201, "{}").await;
    assert_eq!(elsewhere.await.unwrap().status, 204);
    let other = slow.add("t", &["2"]);
    slow.until_waiting(1).await;
    let removal = slow.ask("t", "PATCH", "/Groups/7", change("remove", &["1"]));
    slow.until_waiting(2).await;
    // Equal to the first one, but asked for after the removal.
    let again = slow.add("t", &["1"]);
    slow.until_waiting(3).await;
    call.answer(201, "{}").await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        let call = slow.next_call().await;
        calls.push(call.line.clone());
        call.answer(201, "{}").await;
    }
    assert_eq!(statuses(vec![first, other, removal, again]).await, [204; 4]);
    let add = |id: u8| format!("POST /api/teams/7/members {{\"employee_ids\":[{id}]}}");
    assert_eq!(calls, [add(2), "DELETE /api/teams/7/members/1 ".to_owned(), add(1)]);
    assert!(slow.app.is_unasked().await);
}

#[tokio::test]
async fn operations_of_a_bulk_request_take_turns_with_single_ones() {
    let slow = Slow::start().await;
    let single = slow.ask("t", "PATCH", "/Groups/7", change("remove", &["1"]));
    let call = slow.next_call().await;
    let operations = json!([
        {"method": "PATCH", "path": "/Groups/8", "data": change("add", &["1"])},
        {"method": "PATCH", "path": "/Groups/7", "data": change("add", &["1"])},
    ]);
    let schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
    let bulk = slow.ask("t", "POST", "/Bulk", json!({"schemas": [schema], "Operations": operations}));
    // The first operation is about another group, and the turn on that is given back for the second one.
    let other = slow.next_call().await;
    assert!(other.line.starts_with("POST /api/teams/8/"), "{}", other.line);
    other.answer(201, "{}").await;
    slow.until_waiting(1).await;
    let free = slow.ask("t", "PATCH", "/Groups/8", change("remove", &["1"]));
    slow.next_call().await.answer(204, "").await;
    assert_eq!(free.await.unwrap().status, 204);
    call.answer(204, "").await;
    slow.next_call().await.answer(201, "{}").await;
    assert_eq!(single.await.unwrap().status, 204);
    let answer = bulk.await.unwrap().json();
    assert_eq!(
        (&answer["Operations"][0]["status"], &answer["Operations"][1]["status"]),
        (&json!("204"), &json!("204"))
    );
}
