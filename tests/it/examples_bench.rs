//! An example configuration in front of the application it is for.
//!
//! In: the name of a folder below `deploy/examples`, the application, the secrets that the configuration refers to.
//! Out: answers, and what the application was asked. The file is used as it is shipped, except for the addresses.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use scimshim::demo::client::{Answer, Client};
use scimshim::demo::sidecar::Setup;
use serde_json::{Value, json};

use crate::apps::serve::{App, Served};
use crate::stack::{SCIM_TOKEN, Sidecar};

pub(crate) struct Example<A: App> {
    pub(crate) sidecar: Sidecar,
    pub(crate) app: Served<A>,
    pub(crate) client: Client,
    pub(crate) base: String,
}

impl<A: App> Drop for Example<A> {
    fn drop(&mut self) {
        self.sidecar.stop();
    }
}

/// The folder of an example.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples").join(name)
}

/// Its configuration.
pub(crate) fn config(name: &str) -> String {
    std::fs::read_to_string(folder(name).join("config.toml")).unwrap()
}

impl<A: App> Example<A> {
    /// The example as it is shipped.
    pub(crate) async fn start(name: &str, app: A, secrets: &[(&'static str, &str)]) -> Example<A> {
        Example::with(&config(name), app, secrets).await
    }

    /// Another text in its place.
    pub(crate) async fn with(text: &str, app: A, secrets: &[(&'static str, &str)]) -> Example<A> {
        let app = Served::start(app).await;
        let mut variables = vec![("SCIM_TOKEN", SCIM_TOKEN.to_owned())];
        variables.extend(secrets.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let setup = Setup {
            file: "config.toml".into(),
            text: text.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            upstream: Some(format!("{}{}", app.url(), path_of_backend(text))),
            variables,
            expires: None,
        };
        let sidecar = Sidecar::start(setup).await.unwrap_or_else(|error| panic!("{error}"));
        let base = sidecar.base_url();
        Example { sidecar, app, client: Client::new().unwrap(), base }
    }

    /// One request with the right token, below the base of the first route, or to an absolute path.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let url = if path.starts_with("/scim/") {
            format!("http://{}{path}", self.sidecar.addr())
        } else {
            format!("{}{path}", self.base)
        };
        self.client.scim(method, &url, SCIM_TOKEN, body.as_ref()).await.unwrap()
    }

    /// A request that must be answered with this status; the body. A PATCH that answers 204 is as good as one that
    /// answers 200, and the resource is read.
    pub(crate) async fn expect(&self, status: u16, method: &str, path: &str, body: Option<Value>) -> Value {
        let mut answer = self.ask(method, path, body).await;
        if method == "PATCH" && (status, answer.status) == (200, 204) {
            answer = self.ask("GET", path, None).await;
        }
        let json = answer.json();
        assert_eq!(answer.status, status, "{method} {path}: {json}\n{}", self.app.take_calls().join("\n"));
        json
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.expect(200, "GET", path, None).await
    }

    /// A PATCH that must succeed.
    pub(crate) async fn patch(&self, path: &str, operations: Value) -> Value {
        self.expect(200, "PATCH", path, Some(patch(operations))).await
    }

    /// Creates a resource; its id.
    pub(crate) async fn make(&self, endpoint: &str, body: Value) -> String {
        let made = self.expect(201, "POST", endpoint, Some(body)).await;
        made["id"].as_str().unwrap().to_owned()
    }

    /// A request that must be refused: the `scimType` and the detail.
    pub(crate) async fn refused(&self, status: u16, method: &str, path: &str, body: Option<Value>) -> (String, String) {
        let error = self.expect(status, method, path, body).await;
        assert_eq!(error["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]), "{error}");
        assert_eq!(error["status"], json!(status.to_string()), "{error}");
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (text("scimType"), text("detail"))
    }
}

/// A PATCH message.
#[expect(clippy::needless_pass_by_value, reason = "callers write the operations in place")]
pub(crate) fn patch(operations: Value) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
}

/// Values of the members of a group, sorted.
pub(crate) fn members(group: &Value) -> Vec<String> {
    let elements = group["members"].as_array().into_iter().flatten();
    let mut values: Vec<String> = elements.map(|one| one["value"].as_str().unwrap().to_owned()).collect();
    values.sort();
    values
}

/// The path part of the URL of the only backend.
fn path_of_backend(text: &str) -> String {
    let config: toml::Table = text.parse().unwrap();
    let url = config["backend"].as_table().and_then(|all| all.values().next()?.get("url")?.as_str()).unwrap();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once('/').map(|(_, path)| format!("/{path}")).unwrap_or_default()
}
