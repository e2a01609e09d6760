//! The wire corpus through the whole stack: real sockets on both sides of the adapter, the sample application behind.
//!
//! Every case gets the application as the case wants it, sends its request and reads the resource again. One line
//! says what was wrong with a case, and the last line counts. No case is known here by its name or its values.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use regex::Regex;
use scimshim::demo::acme::{Acme, AcmeOptions, Fault, Ids};
use scimshim::demo::client::{Answer, Client};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::stack::{APP_KEY, SCIM_TOKEN, Sidecar, sidecar};
use crate::wire_backend::Variant;
use crate::wire_case::{self, Backend, Case};
use crate::wire_compare::{self as compare, Presence};

#[test]
fn wire_corpus() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let began = Instant::now();
    let (passed, failures) = runtime.block_on(run(wire_case::all()));
    for failure in &failures {
        println!("{failure}");
    }
    println!("wire corpus in {} ms", began.elapsed().as_millis());
    println!("{passed} passed, {} failed", failures.len());
    assert!(failures.is_empty(), "{} cases failed", failures.len());
}

/// A runner that could not fail would pass as well.
#[tokio::test]
async fn wrong_expectations_are_noticed() {
    let mut cases = wire_case::all();
    for case in &mut cases {
        case.expect["after"] = json!({"id": "nobody"});
    }
    let total = cases.len();
    let (passed, failures) = run(cases).await;
    assert_eq!((passed, failures.len()), (0, total));
}

/// Cases one after the other, for they share an application.
async fn run(cases: Vec<Case>) -> (usize, Vec<String>) {
    let mut bench = Bench::new().await;
    let mut failures = Vec::new();
    let total = cases.len();
    for case in cases {
        let differences = bench.run(&case).await;
        if !differences.is_empty() {
            let mut line = format!("{}:", case.id);
            for difference in differences {
                let _ = write!(line, " {difference};");
            }
            failures.push(line);
        }
    }
    bench.stop();
    (total - failures.len(), failures)
}

/// The application, and one sidecar per kind of backend in front of it.
struct Bench {
    app: Acme,
    client: Client,
    sidecars: HashMap<String, (Variant, Sidecar)>,
}

impl Bench {
    async fn new() -> Bench {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = AcmeOptions { ids: Ids::Given, check_members: false, record: false, ..AcmeOptions::new(APP_KEY) };
        let app = Acme::start(listener, options).await.unwrap();
        Bench { app, client: Client::new().unwrap(), sidecars: HashMap::new() }
    }

    fn stop(self) {
        for (_, sidecar) in self.sidecars.into_values() {
            sidecar.stop();
        }
    }

    /// What was wrong with a case.
    async fn run(&mut self, case: &Case) -> Vec<String> {
        let (variant, base) = self.in_front_of(case).await;
        self.app.clear();
        for resource in case.before.iter().chain(&case.others) {
            self.seed(&variant, &case.resource, resource);
        }
        self.app.set_fault(fault(case));
        let answer = self.send(case, &base).await;
        self.app.set_fault(None);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return vec![error],
        };
        let mut differences = judge(&case.expect, &answer);
        if let Some(after) = case.expect.get("after") {
            differences.extend(self.afterwards(case, after, &answer, &base).await);
        }
        differences
    }

    /// The sidecar for the backend of a case. One whose backend failed is not used again, because what it learnt
    /// about that backend would reach into the next case.
    async fn in_front_of(&mut self, case: &Case) -> (Variant, String) {
        let Backend { unmapped, single, respond } = &case.backend;
        let name = format!("{unmapped:?} {single:?}{}", if respond.is_some() { &case.id } else { "" });
        if !self.sidecars.contains_key(&name) {
            let variant = Variant::new(&case.backend);
            let sidecar = sidecar(&variant.text(&format!("http://{}/api", self.app.addr()))).await;
            self.sidecars.insert(name.clone(), (variant, sidecar));
        }
        let (variant, sidecar) = &self.sidecars[&name];
        (variant.clone(), format!("http://{}/scim/v2", sidecar.addr()))
    }

    fn seed(&self, variant: &Variant, resource_type: &str, resource: &Value) {
        let id = resource["id"].as_str();
        let native = variant.native(resource_type, resource);
        if resource_type == "User" {
            self.app.seed_user(id, native);
            return;
        }
        let members = resource["members"].as_array().into_iter().flatten();
        let members: Vec<String> = members.filter_map(|member| member["value"].as_str()).map(str::to_owned).collect();
        self.app.seed_team(id, native, &members);
    }

    async fn send(&self, case: &Case, base: &str) -> Result<Answer, String> {
        let request = &case.request;
        let query = request.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let body = request.bytes();
        let mut headers = vec![("Authorization".to_owned(), Some("Bearer {{token}}".to_owned()))];
        if body.is_some() {
            headers.push(("Content-Type".to_owned(), Some("application/scim+json".to_owned())));
        }
        for (name, value) in &request.headers {
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            headers.push((name.clone(), value.clone()));
        }
        let url = format!("{base}{}{query}", request.path);
        let body = body.map(Bytes::from).unwrap_or_default();
        self.client.send(&request.method, &url, header_map(headers), body).await.map_err(|error| error.to_string())
    }

    /// Rule 2: the state afterwards, read by a GET of its own.
    async fn afterwards(&self, case: &Case, after: &Value, answer: &Answer, base: &str) -> Vec<String> {
        let Some(path) = path_afterwards(case, answer) else {
            return vec!["nothing can be read again: the answer has no id".to_owned()];
        };
        let headers = header_map([("Authorization".to_owned(), Some("Bearer {{token}}".to_owned()))]);
        let read = match self.client.send("GET", &format!("{base}{path}"), headers, Bytes::new()).await {
            Ok(read) => read,
            Err(error) => return vec![format!("after: {error}")],
        };
        match (after, read.status) {
            (Value::Null, 404) => Vec::new(),
            (Value::Null, status) => vec![format!("after: status {status}, expected it to be gone")],
            (after, 200) => {
                compare::partial(after, &read.json()).into_iter().map(|text| format!("after: {text}")).collect()
            }
            (_, status) => vec![format!("after: status {status}: {}", read.json())],
        }
    }
}

/// What was created, what was there before a creation that failed, or what the request was about.
fn path_afterwards(case: &Case, answer: &Answer) -> Option<String> {
    let path = &case.request.path;
    if case.request.method != "POST" {
        return Some(path.clone());
    }
    let created = answer.json();
    let id = if answer.status < 300 { created["id"].as_str() } else { case.before.as_ref()?["id"].as_str() };
    Some(format!("{path}/{}", id?))
}

/// Everything that can be said about the answer itself.
fn judge(expect: &Value, answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let mut differences = compare::status(expect, answer.status);
    if !differences.is_empty() {
        differences.push(format!("answered {body}"));
        return differences;
    }
    if answer.status >= 400 {
        differences.extend(compare::error(expect, answer.status, &body));
    }
    if let Some(list) = expect.get("list") {
        differences.extend(compare::list(list, &body));
    }
    if let Some(part) = expect.get("body") {
        differences.extend(compare::partial(part, &body));
    }
    if answer.status != 204 {
        differences.extend(presence(expect, &body));
    }
    let id = body["id"].as_str();
    if expect["idNot"].as_str().is_some_and(|not| id == Some(not)) {
        differences.push(format!("id {} must not be used", expect["idNot"]));
    }
    for wanted in texts(&expect["listContainsIds"]) {
        if !resources(&body).iter().any(|resource| resource["id"] == wanted) {
            differences.push(format!("{wanted} is not among the resources"));
        }
    }
    differences.extend(headers(expect, answer));
    differences
}

/// Rule 8: in a case with `list` the names are about each entry.
fn presence(expect: &Value, body: &Value) -> Vec<String> {
    let each = if expect.get("list").is_some() { resources(body) } else { std::slice::from_ref(body) };
    let pairs = [(&expect["bodyHas"], Presence::Has), (&expect["bodyLacks"], Presence::Lacks)];
    let of = |body: &Value| pairs.iter().flat_map(|(names, wanted)| compare::presence(names, *wanted, body)).collect();
    each.iter().flat_map(|body| -> Vec<String> { of(body) }).collect()
}

fn headers(expect: &Value, answer: &Answer) -> Vec<String> {
    let missing = texts(&expect["headersPresent"]).into_iter().filter(|name| answer.header(name).is_none());
    let mut differences: Vec<String> = missing.map(|name| format!("header {name} is missing")).collect();
    for (name, pattern) in expect["headersMatch"].as_object().into_iter().flatten() {
        let pattern = Regex::new(pattern.as_str().unwrap()).unwrap();
        let value = answer.header(name).unwrap_or_default();
        if !pattern.is_match(value) {
            differences.push(format!("header {name} is {value:?}"));
        }
    }
    differences
}

/// What native calls meet while the request of a case is handled; a write may read.
fn fault(case: &Case) -> Option<Fault> {
    let respond = case.backend.respond.as_ref()?;
    let writes_only = !matches!(case.request.method.as_str(), "GET" | "HEAD");
    if respond.timeout {
        return Some(Fault::Timeout { writes_only });
    }
    let headers = respond.headers.clone().into_iter().collect();
    Some(Fault::Answer { status: respond.status.unwrap_or(500), headers, body: String::new(), writes_only })
}

fn header_map(headers: impl IntoIterator<Item = (String, Option<String>)>) -> HeaderMap {
    let sent = headers.into_iter().filter_map(|(name, value)| Some((name, value?.replace("{{token}}", SCIM_TOKEN))));
    sent.map(|(name, value)| (HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap())).collect()
}

fn resources(body: &Value) -> &[Value] {
    body["Resources"].as_array().map_or(&[], Vec::as_slice)
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
