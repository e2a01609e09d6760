//! The scripts as data, and the runner against a server that answers from a table.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Idp, Observer, Outcome, Profile, Script, Tally, Target, run};
use crate::adapter::ExchangeRecord;
use crate::demo::client::Client;

#[test]
fn every_script_can_be_read_and_carried_out() {
    let profiles: Vec<Profile> = Profile::NAMES.iter().map(|name| Profile::named(name).unwrap()).collect();
    let scripts: Vec<Script> = profiles.iter().flat_map(|profile| Idp::All.scripts(profile).unwrap()).collect();
    let own = profiles.iter().filter(|profile| profile.own.is_some()).count();
    assert_eq!(scripts.len(), 5 * Profile::NAMES.len() + own);
    assert_eq!(Idp::Okta.scripts(&Profile::named("redmine").unwrap()).unwrap().len(), 2);
    for script in &scripts {
        let mut saved = BTreeSet::new();
        let mut created = 0;
        let mut deleted = 0;
        for step in &script.steps {
            let place = format!("{}: {}", script.title, step.name);
            let expect = &step.expect;
            assert!(!expect.status.is_empty(), "{place}");
            assert!(!(expect.gone && expect.after.is_some()), "{place}");
            let text = serde_json::to_string(&(&step.request.path, &step.request.query, &step.request.body)).unwrap();
            for used in text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")) {
                assert!(saved.contains(used.0), "{place}: {} is not saved yet", used.0);
            }
            saved.extend(step.save.as_deref());
            created += usize::from(step.save.is_some());
            deleted += usize::from(step.request.method == "DELETE" && step.expect.gone);
        }
        assert_eq!(created, deleted, "{}: what is made is deleted", script.title);
    }
}

/// Observes nothing, as with a sidecar in another process.
struct Blind;

impl Observer for Blind {
    fn observed(&self, _request_id: &str) -> Option<ExchangeRecord> {
        None
    }
}

/// Serves answers by request line and runs a script of `steps` against them.
async fn cycle(answers: Value, steps: Value) -> (Tally, Vec<Outcome>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/scim/v2", listener.local_addr().unwrap());
    let answers: BTreeMap<String, (u16, Value)> = serde_json::from_value(answers).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answers = answers.clone();
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let line = format!("{} {}", request.method(), request.uri());
                let (status, body) = answers.get(&line).cloned().unwrap_or((404, Value::Null));
                let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
                let authorised = request.headers().get("authorization").is_some_and(|token| token == "Bearer t");
                let status = if authorised { status } else { 401 };
                async move { http::Response::builder().status(status).body(Full::new(body)) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let script: Script = serde_json::from_value(json!({"title": "t", "steps": steps})).unwrap();
    let target = Target { base, token: "t".to_owned() };
    let mut outcomes = Vec::new();
    let tally = run(&script, &Client::new().unwrap(), &target, &Blind, |outcome| outcomes.push(outcome.clone())).await;
    (tally, outcomes)
}

#[tokio::test]
async fn ids_are_saved_and_resources_read_again() {
    let answers = json!({
        "POST /scim/v2/Users": [201, {"id": "a b"}],
        "GET /scim/v2/Users/a%20b": [200, {"id": "a b", "userName": "ann"}],
        "PATCH /scim/v2/Users/a%20b": [204, null],
        "DELETE /scim/v2/Users/a%20b": [204, null],
    });
    let steps = json!([
        {"name": "create", "request": {"method": "POST", "path": "/Users", "body": {}}, "save": "ann",
         "expect": {"status": [201], "after": {"userName": "ann"}}},
        {"name": "change", "request": {"method": "PATCH", "path": "/Users/{{ann}}", "body": {"v": "{{ann}}"}},
         "expect": {"status": [200, 204], "unchanged": true}},
        {"name": "delete", "request": {"method": "DELETE", "path": "/Users/{{ann}}"},
         "expect": {"status": [204], "gone": true}},
        {"name": "use what nobody saved", "request": {"method": "GET", "path": "/Users/{{ben}}"},
         "expect": {"status": [200]}},
    ]);
    let (tally, outcomes) = cycle(answers, steps).await;
    assert_eq!(tally, Tally { behaved: 2, steps: 4 });
    assert!(!tally.is_clean());
    let seen: Vec<(&str, &[String])> =
        outcomes.iter().map(|outcome| (outcome.request_line.as_str(), outcome.deviations.as_slice())).collect();
    assert_eq!(outcomes[1].body, Some(json!({"v": "a b"})));
    assert_eq!(seen[0], ("POST /Users", [].as_slice()));
    assert_eq!(seen[1], ("PATCH /Users/a%20b", [].as_slice()));
    assert_eq!(seen[2].1, ["afterwards: status 200 instead of 404"], "it is still there");
    assert_eq!(seen[3].1, ["not sent: nothing was saved as `ben`"]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_deviation() {
    let script: Script = serde_json::from_value(json!({"title": "t", "steps": [
        {"name": "n", "request": {"method": "GET", "path": "/Users"}, "expect": {"status": [200]}},
    ]}))
    .unwrap();
    let target = Target { base: "http://127.0.0.1:1".to_owned(), token: "t".to_owned() };
    let tally = run(&script, &Client::new().unwrap(), &target, &Blind, |outcome| {
        assert!(outcome.deviations[0].starts_with("no answer: "), "{:?}", outcome.deviations);
    })
    .await;
    assert_eq!(tally, Tally { behaved: 0, steps: 1 });
}
