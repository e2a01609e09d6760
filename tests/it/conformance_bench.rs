//! The shipped configuration in front of the sample application, for tests that ask as a strict client would.
//!
//! In: a method, a path below the SCIM base, a body. Out: the answer, parsed. What it should be is for the tests to say.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::HeaderMap;
use scimshim::demo::acme::{Acme, AcmeOptions};
use scimshim::demo::client::{Answer, Client};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use toml::Table;

use crate::stack::{APP_KEY, SCIM_TOKEN, Sidecar, sidecar_at};

pub(crate) const CONFIG: &str = include_str!("../../config.toml");

pub(crate) struct Bench {
    pub(crate) app: Acme,
    pub(crate) sidecar: Sidecar,
    pub(crate) client: Client,
    pub(crate) base: String,
    made: AtomicUsize,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.sidecar.stop();
        self.app.stop();
    }
}

impl Bench {
    pub(crate) async fn new() -> Bench {
        Bench::with(CONFIG).await
    }

    pub(crate) async fn with(config: &str) -> Bench {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let app = Acme::start(listener, AcmeOptions::new(APP_KEY)).await.unwrap();
        let sidecar = sidecar_at(config, Some(format!("http://{}", app.addr()))).await;
        let base = sidecar.base_url();
        Bench { app, sidecar, client: Client::new().unwrap(), base, made: AtomicUsize::new(0) }
    }

    /// One request, with the right token. An absolute URL is used as it is.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        self.client.scim(method, &url, SCIM_TOKEN, body.as_ref()).await.unwrap()
    }

    /// A request that must succeed with the given status; the answer's body.
    pub(crate) async fn expect(&self, status: u16, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self.ask(method, path, body).await;
        let json = answer.json();
        assert_eq!(answer.status, status, "{method} {path}: {json}");
        json
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.expect(200, "GET", path, None).await
    }

    /// Creates a resource from these attributes; `userName` and `displayName` get values of their own if left out.
    pub(crate) async fn make(&self, endpoint: &str, mut body: Value) -> Value {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let key = if endpoint == "/Users" { "userName" } else { "displayName" };
        if body.get(key).is_none() {
            body[key] = json!(format!("{key}-{number}"));
        }
        self.expect(201, "POST", endpoint, Some(body)).await
    }

    /// What is counted, as the operator's scraper reads it.
    pub(crate) async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.sidecar.admin_addr());
        let answer = self.client.send("GET", &url, HeaderMap::new(), Bytes::new()).await.unwrap();
        String::from_utf8(answer.body.to_vec()).unwrap()
    }

    /// PATCH with these operations.
    pub(crate) async fn patch(&self, path: &str, operations: Value) -> Value {
        self.expect(200, "PATCH", path, Some(patch(&operations))).await
    }
}

/// The shipped configuration with some settings of one table replaced; they are written as TOML.
pub(crate) fn config_with(table: &str, settings: &str) -> String {
    let mut config: Table = CONFIG.parse().unwrap();
    let changes: Table = settings.parse().unwrap();
    config[table].as_table_mut().unwrap().extend(changes);
    toml::to_string(&config).unwrap()
}

/// A PATCH message.
pub(crate) fn patch(operations: &Value) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
}

/// The path of a resource below the base.
pub(crate) fn path_of(endpoint: &str, resource: &Value) -> String {
    format!("{endpoint}/{}", resource["id"].as_str().unwrap())
}

/// Ids of the resources of a list, in order.
pub(crate) fn ids(list: &Value) -> Vec<String> {
    list["Resources"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// Fails unless an answer is a SCIM error of this status with this `scimType`.
pub(crate) fn assert_error(answer: &Answer, status: u16, scim_type: Option<&str>) {
    let body = answer.json();
    assert_eq!(answer.status, status, "{body}");
    assert_eq!(answer.header("content-type"), Some("application/scim+json"), "{body}");
    assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(body["status"], json!(status.to_string()));
    assert_eq!(body["scimType"].as_str(), scim_type, "{body}");
    let known = ["schemas", "status", "scimType", "detail"];
    assert!(body.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{body}");
}
